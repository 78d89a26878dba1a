//! nginx with TLS in front of a signal server, and certificates for it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use sha2::{Digest, Sha256};

use super::device::text;
use super::running::Running;
use super::{PATIENCE, World};

/// A key and a certificate for it, in PEM.
#[derive(Debug)]
pub(crate) struct Certified {
    key: KeyPair,
    /// PEM.
    pub(crate) certificate: String,
}

impl Certified {
    /// A certificate of its own making.
    pub(crate) fn by_itself(host: &str) -> Self {
        Self::of_key(KeyPair::generate().expect("a key can be made"), host)
    }

    /// The same key in a new certificate, as after a renewal.
    pub(crate) fn renewed(self, host: &str) -> Self {
        Self::of_key(self.key, host)
    }

    fn of_key(key: KeyPair, host: &str) -> Self {
        let certificate = params(host).self_signed(&key).expect("it can be signed");
        Self {
            certificate: certificate.pem(),
            key,
        }
    }

    /// The key in PEM.
    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// What pins this key.
    pub(crate) fn pin(&self) -> String {
        let hash = Sha256::digest(self.key.subject_public_key_info());
        format!("sha256={}", BASE64URL_NOPAD.encode(&hash))
    }
}

/// An authority and a certificate that it has signed for `host`.
pub(crate) fn by_authority(host: &str) -> (String, Certified) {
    let mut root = params("authority.test");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().expect("a key can be made");
    let authority = root.self_signed(&root_key).expect("it can be signed").pem();
    let key = KeyPair::generate().expect("a key can be made");
    let issuer = Issuer::new(root, root_key);
    let certificate = params(host)
        .signed_by(&key, &issuer)
        .expect("it can be signed")
        .pem();
    (authority, Certified { key, certificate })
}

fn params(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).expect("a name for a certificate")
}

/// Starts nginx at `front` (`ADDRESS:PORT`), before the server at `behind`; `shell` runs it.
pub(crate) fn start(
    world: &World,
    (front, behind): (&str, &str),
    certified: &Certified,
    mut shell: Command,
) -> Running {
    let place: PathBuf = world.directory("nginx");
    let write = |name: &str, text: &str| {
        fs::write(place.join(name), text).expect("written");
    };
    write("key.pem", &certified.key());
    write("cert.pem", &certified.certificate);
    let here = text(&place);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|part| format!("{part}_temp_path {here}/{part};"))
        .join(" ");
    write(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; pid {here}/pid; error_log stderr notice;
             events {{ worker_connections 256; }}
             http {{
                 access_log off; {temporary}
                 server {{
                     listen {front} ssl;
                     ssl_certificate {here}/cert.pem;
                     ssl_certificate_key {here}/key.pem;
                     location / {{
                         proxy_pass http://{behind};
                         proxy_http_version 1.1;
                         proxy_set_header Upgrade $http_upgrade;
                         proxy_set_header Connection upgrade;
                         proxy_read_timeout 1h;
                     }}
                 }}
             }}"
        ),
    );
    // It says to standard error that it is ready.
    let run = format!("exec nginx -e stderr -p {here} -c {here}/nginx.conf 2>&1");
    shell.args(["-c", &run]);
    let nginx = Running::start("nginx", shell, &world.place("nginx.log"));
    nginx.line("that it is ready", PATIENCE, |line| {
        line.contains("getrlimit")
    });
    nginx
}
