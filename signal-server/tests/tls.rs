//! The server with a certificate of its own, as a process: who is let in, and what a renewal does.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

struct Server {
    child: Child,
    address: SocketAddr,
    place: tempfile::TempDir,
}

impl Server {
    fn start() -> (Self, CertificateDer<'static>) {
        let place = tempfile::tempdir().expect("a place");
        let certificate = renew(place.path());
        let mut child = program(
            &["serve", "--bind", "127.0.0.1:0", "--drain-seconds", "0"],
            place.path(),
        )
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("text");
        let address = line
            .trim()
            .strip_prefix("listening on wss://")
            .and_then(|rest| rest.strip_suffix("/ws"));
        let address = address.expect("it says so").parse().expect("an address");
        (
            Self {
                child,
                address,
                place,
            },
            certificate,
        )
    }

    /// The first line of the answer to a question, over TLS, for a client that trusts only this certificate.
    fn ask(
        &self,
        trusted: &CertificateDer<'static>,
        version: &'static SupportedProtocolVersion,
    ) -> Result<String, std::io::Error> {
        let client = client(trusted, version);
        let mut stream = StreamOwned::new(client, TcpStream::connect(self.address)?);
        stream.write_all(
            b"GET /health HTTP/1.1\r\nhost: signal.example\r\nconnection: close\r\n\r\n",
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }
}

/// A client that trusts only this certificate, and speaks only this version.
fn client(
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("it is known")
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("signal.example").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes another certificate and its key.
fn renew(place: &Path) -> CertificateDer<'static> {
    let made =
        rcgen::generate_simple_self_signed(["signal.example".to_owned()]).expect("a certificate");
    std::fs::write(place.join("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(place.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    made.cert.der().clone()
}

fn program(words: &[&str], place: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline-signal"));
    command
        .args(words)
        .env_remove("PORT")
        .env_remove("SIGNAL_BIND");
    command.arg("--tls-cert").arg(place.join("cert.pem"));
    command.arg("--tls-key").arg(place.join("key.pem"));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn it_speaks_tls_13_and_a_renewed_certificate_is_taken_on_sighup() {
    let (server, first) = Server::start();
    let answer = server.ask(&first, &TLS13).expect("an answer");
    assert!(answer.contains("200"), "{answer}");
    server
        .ask(&first, &TLS12)
        .expect_err("TLS 1.2 is not spoken");
    let mut plain = TcpStream::connect(server.address).expect("it listens");
    plain
        .write_all(b"GET /health HTTP/1.1\r\n\r\n")
        .expect("sent");
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).expect("it closes");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let health = ["healthcheck", "--bind", &server.address.to_string()];
    assert!(
        program(&health, server.place.path())
            .status()
            .expect("it runs")
            .success()
    );
    // What makes no sense leaves the first one in use.
    std::fs::write(server.place.path().join("cert.pem"), "rubbish").expect("written");
    server.signal("-HUP");
    assert!(server.ask(&first, &TLS13).is_ok());
    let second = renew(server.place.path());
    server.signal("-HUP");
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.ask(&second, &TLS13).is_err() {
        assert!(
            Instant::now() < deadline,
            "the renewed certificate is not in use"
        );
    }
    server
        .ask(&first, &TLS13)
        .expect_err("the first one is gone");
}

#[test]
fn files_that_make_no_sense_are_told_by_name() {
    let place = tempfile::tempdir().expect("a place");
    renew(place.path());
    let output = program(&["check-config"], place.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(
        output.status.success() && said.contains("#sha256="),
        "{said}"
    );
    let other = tempfile::tempdir().expect("a place");
    renew(other.path());
    std::fs::copy(other.path().join("key.pem"), place.path().join("key.pem")).expect("copied");
    for rubbish in [None, Some("rubbish")] {
        if let Some(rubbish) = rubbish {
            std::fs::write(place.path().join("key.pem"), rubbish).expect("written");
        }
        for task in ["check-config", "serve"] {
            let output = program(&[task, "--bind", "127.0.0.1:0"], place.path())
                .stderr(Stdio::piped())
                .output()
                .expect("it runs");
            let said = String::from_utf8(output.stderr).expect("text");
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("key.pem"), "{said}");
        }
    }
}
