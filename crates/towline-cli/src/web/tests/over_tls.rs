//! Over TLS and with a password, as beyond this computer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::json;
use signal_server::shell::TlsFiles;

use super::client::{Asked, Client};
use super::{Device, is_refused, options};
use crate::web::{WebError, prepare};

/// The files that serving beyond this computer takes.
struct Files {
    directory: tempfile::TempDir,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, certificate) = certify(directory.path(), &["nas.example"]);
        write(
            &directory.path().join("password"),
            "correct horse battery\n",
        );
        Self {
            certificate,
            directory,
        }
    }

    /// All options, at this address.
    fn words(&self, address: &str) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        [
            "--web",
            address,
            "--web-cert",
            &path("cert"),
            "--web-key",
            &path("key"),
            "--web-password-file",
            &path("password"),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// A device that is served by them at every address.
    async fn device(&self) -> Device {
        let words = self.words("0.0.0.0:0");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Device::start(&words, Client::plain).await
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::join(self.directory.path(), name)
    }
}

/// Puts a new certificate for these names and its key there.
pub(in crate::web) fn certify(
    directory: &Path,
    names: &[&str],
) -> (TlsFiles, CertificateDer<'static>) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let files = TlsFiles {
        certificate: directory.join("cert"),
        key: directory.join("key"),
    };
    write(&files.certificate, &made.cert.pem());
    write(&files.key, &made.signing_key.serialize_pem());
    (files, made.cert.der().clone())
}

/// Writes what only its owner may read.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
    }
}

async fn refusal(words: &[String]) -> Option<WebError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    prepare(options(&words)).await.err()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_may_be_served_over_tls_with_a_password() {
    let files = Files::new();
    let mut device = files.device().await;
    let port = device.client.port();
    assert_eq!(device.web.base(), format!("https://nas.example:{port}/"));

    // Without TLS there is no answer at all.
    let plain = device.client.ask(Asked::get("/")).await;
    assert_eq!(plain.status, 0, "{plain:?}");

    device.client = Client::trusting(port, "nas.example", files.certificate.clone());
    let door = device.client.ask(Asked::get("/api/door")).await;
    assert_eq!(door.json(), json!({ "password": true }));
    let other_name = Asked::get("/api/door").at(&format!("127.0.0.1:{port}"));
    is_refused(&device.client.ask(other_name).await, 421, "host");

    let guess = |text: &str| Asked::post("/api/session", &json!({ "password": text }));
    is_refused(&device.client.ask(guess("wrong")).await, 401, "password");
    let opened = device.client.ask(guess("correct horse battery")).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let session = opened.json()["session"].as_str().expect("text").to_owned();
    let view = Asked::get("/api/view")
        .with_session(&session)
        .with("Origin", &format!("https://nas.example:{port}"));
    assert_eq!(
        device.client.ask(view).await.json()["device"]["name"],
        "Attic"
    );

    let mut answer = device.client.ask(guess("wrong")).await;
    for _ in 0..10 {
        answer = device.client.ask(guess("wrong")).await;
    }
    is_refused(&answer, 429, "too_many");
    // A link is good all the same.
    device.session().await;
    device.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_makes_no_sense_is_refused_at_the_start() {
    let files = Files::new();
    let all = files.words("0.0.0.0:0");
    let without = |word: &str| {
        let at = all.iter().position(|each| each == word).expect("there");
        [&all[..at], &all[at + 2..]].concat()
    };
    let no_password = refusal(&without("--web-password-file")).await;
    assert_eq!(no_password.map(|error| error.code()), Some("web_open"));
    let no_key = refusal(&without("--web-key")).await;
    assert_eq!(no_key.map(|error| error.code()), Some("web_tls"));
    let alone = ["--web".to_owned(), "0.0.0.0:0".to_owned()];
    let error = refusal(&alone).await.expect("refused");
    assert!(error.to_string().contains("--web-cert"), "{error}");

    fs::write(files.path("key"), "no key").expect("written");
    assert_eq!(
        refusal(&all).await.map(|error| error.code()),
        Some("web_tls")
    );
    fs::write(files.path("password"), "short").expect("written");
    let here = &without("--web-key")[..2];
    let mut words = here.to_vec();
    words[1] = "127.0.0.1:0".to_owned();
    words.extend([
        "--web-password-file".to_owned(),
        files.path("password").display().to_string(),
    ]);
    assert_eq!(
        refusal(&words).await.map(|error| error.code()),
        Some("web_password")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_while_the_device_runs() {
    let files = Files::new();
    let mut device = files.device().await;
    let port = device.client.port();
    let (_, renewed) = certify(files.directory.path(), &["attic.example"]);
    device.client = Client::trusting(port, "attic.example", renewed);
    let taken = async {
        while !device.client.trusts().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(30), taken).await;
    assert!(taken.is_ok(), "the certificate of before is still in use");
    let door = device.client.ask(Asked::get("/api/door")).await;
    assert_eq!(door.status, 200, "{door:?}");
    // Its name is ours from now on, and that of before is not.
    assert!(device.token().len() > 20);
    assert_eq!(device.web.base(), format!("https://attic.example:{port}/"));
    let before = Asked::get("/api/door").at(&format!("nas.example:{port}"));
    is_refused(&device.client.ask(before).await, 421, "host");
    device.stop().await;
}
