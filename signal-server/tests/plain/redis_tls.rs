//! A Redis over TLS with a user and a password: instances meet by it, know it from others, and say its password nowhere.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::time::{Duration, sleep, timeout};

use super::instances::{acquainted, relay};
use super::process::Process;
use super::redis::RedisServer;
use super::server::PATIENCE;

const PASSWORD: &str = "n0b0dy-reads-this";

/// A Redis that speaks nothing but TLS, and the authority that has signed its certificate.
struct Guarded {
    place: TempDir,
    port: u16,
    _redis: RedisServer,
}

impl Guarded {
    /// Its certificate is for this name.
    fn start(name: &str) -> Self {
        let place = tempfile::tempdir().expect("a place");
        let mut root = CertificateParams::new(vec!["authority.test".to_owned()]).expect("a name");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().expect("a key");
        let authority = root.self_signed(&root_key).expect("signed").pem();
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let own = own.signed_by(&key, &Issuer::new(root, root_key));
        let path = |name: &str| place.path().join(name);
        fs::write(path("authority.pem"), authority).expect("written");
        fs::write(path("cert.pem"), own.expect("signed").pem()).expect("written");
        fs::write(path("key.pem"), key.serialize_pem()).expect("written");
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let text = |name: &str| path(name).display().to_string();
        let mut arguments = vec!["--tls-port".to_owned(), port.to_string()];
        arguments.extend(["--bind", "127.0.0.1"].map(str::to_owned));
        arguments.extend(["--tls-cert-file".to_owned(), text("cert.pem")]);
        arguments.extend(["--tls-key-file".to_owned(), text("key.pem")]);
        arguments.extend(["--tls-ca-cert-file".to_owned(), text("authority.pem")]);
        arguments.extend(["--tls-auth-clients", "no"].map(str::to_owned));
        arguments.extend(["--user", "default", "off"].map(str::to_owned));
        let user = format!("--user towline on >{PASSWORD} ~* &* +@all");
        arguments.extend(user.split(' ').map(str::to_owned));
        Self {
            place,
            port,
            _redis: RedisServer::start_with(arguments),
        }
    }

    fn authority(&self) -> PathBuf {
        self.place.path().join("authority.pem")
    }

    /// A file with its URL by this name.
    fn url(&self, name: &str) -> PathBuf {
        let path = self.place.path().join(format!("url-{name}"));
        let url = format!("rediss://towline:{PASSWORD}@{name}:{}/0\n", self.port);
        fs::write(&path, url).expect("written");
        path
    }
}

/// An instance that reads where Redis is from this file, and what it logs, which is all there is.
fn instance(url: &Path, name: &str, more: &[&str]) -> (std::process::Command, PathBuf) {
    let url_text = url.to_str().expect("text");
    let arguments = ["--redis-url-file", url_text, "--instance", name];
    let mut command = Process::command(&[&arguments, more].concat());
    let log = url.with_extension(format!("{name}.log"));
    command.stderr(File::create(&log).expect("a log"));
    command.env("RUST_LOG", "trace");
    (command, log)
}

async fn until_logged(log: &Path, wanted: &str) {
    let look = async {
        while !fs::read_to_string(log).expect("text").contains(wanted) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let logged = timeout(PATIENCE, look).await;
    logged.unwrap_or_else(|_| {
        let text = fs::read_to_string(log).expect("text");
        panic!("{wanted} is not said: {text}")
    });
}

#[tokio::test]
async fn process_instances_meet_by_a_redis_over_tls_and_its_password_is_logged_nowhere() {
    let redis = Guarded::start("localhost");
    let url = redis.url("localhost");
    let authority = redis.authority();
    let authority = authority.to_str().expect("text");
    // The one knows the authority by a file of its own, the other as one of the system's.
    let (mut first, first_log) = instance(&url, "a", &["--redis-ca", authority]);
    let (mut second, second_log) = instance(&url, "b", &[]);
    second.env("SSL_CERT_FILE", authority);
    let (first, second) = (Process::begin(&mut first), Process::begin(&mut second));
    for log in [&first_log, &second_log] {
        until_logged(log, "redis_reached").await;
    }
    let [(mut alice, _), (mut bob, bob_id)] = acquainted(first.address, second.address).await;
    assert!(relay(&mut alice, &mut bob, &bob_id).await.is_empty());
    drop((first, second));
    for log in [first_log, second_log] {
        let log = fs::read_to_string(log).expect("text");
        assert!(!log.contains(PASSWORD), "{log}");
    }
}

#[tokio::test]
async fn process_who_is_not_the_redis_that_was_meant_is_told_no_password() {
    let redis = Guarded::start("localhost");
    let other = Guarded::start("localhost");
    let ca = |of: &Guarded| of.authority().to_str().expect("text").to_owned();
    let (right, wrong) = (ca(&redis), ca(&other));
    // A stranger who answers in clear keeps what it is told.
    let stranger = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let plain = redis.place.path().join("url-plain");
    let port = stranger.local_addr().expect("it is bound").port();
    fs::write(
        &plain,
        format!("rediss://towline:{PASSWORD}@localhost:{port}"),
    )
    .expect("written");
    let heard = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = stranger.accept().expect("it comes");
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).expect("it speaks first");
        stream.write_all(b"+OK\r\n").expect("it listens");
        // What comes after it; an end or a reset will do.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        [&bytes[..count], &rest].concat()
    });
    for (url, name, authority, why) in [
        (
            redis.url("localhost"),
            "a",
            &wrong,
            "no authority that is trusted",
        ),
        (redis.url("127.0.0.1"), "b", &right, "for another name"),
        (plain, "c", &right, "does not speak TLS"),
    ] {
        let (mut command, log) = instance(&url, name, &["--redis-ca", authority]);
        let _server = Process::begin(&mut command);
        until_logged(&log, why).await;
        let log = fs::read_to_string(log).expect("text");
        assert!(log.contains("redis_distrusted"), "{log}");
        assert!(
            !log.contains("redis_reached") && !log.contains(PASSWORD),
            "{log}"
        );
    }
    let heard = heard.join().expect("it heard something");
    let said = String::from_utf8_lossy(&heard);
    assert!(!heard.is_empty() && !said.contains(PASSWORD), "{said}");
}
