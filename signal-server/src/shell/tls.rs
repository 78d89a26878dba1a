//! TLS 1.3 in the server itself, and in other programs that serve over it: reading certificate and key, and reading them again when they change.
//!
//! A renewed certificate is taken on SIGHUP, and within some seconds of its files changing; connections that
//! stand keep theirs. Files that make no sense leave the certificate of before in use, and are told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use towline_wire::server_url::KeyPin;

use super::reload::Watch;

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate, then those that lead to an authority.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// What connections are accepted with.
#[derive(Debug)]
pub struct Tls {
    current: RwLock<Identity>,
}

/// Reads certificate and key again when they change.
#[derive(Debug)]
pub struct Renewal {
    tls: Arc<Tls>,
    files: TlsFiles,
    watch: Watch,
}

impl Tls {
    /// Reads these files.
    ///
    /// # Errors
    /// As [`Identity::read`].
    pub fn open(files: TlsFiles) -> Result<(Arc<Self>, Renewal), String> {
        // Begun before they are read: no change falls between.
        let watch = Watch::over(vec![files.certificate.clone(), files.key.clone()]);
        let current = RwLock::new(Identity::read(&files)?);
        let tls = Arc::new(Self { current });
        let renewal = Renewal {
            tls: Arc::clone(&tls),
            files,
            watch,
        };
        Ok((tls, renewal))
    }

    /// What the next connection is accepted with.
    pub fn acceptor(&self) -> TlsAcceptor {
        // Nothing panics while it holds the lock.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// The certificate that is in use.
    pub fn leaf(&self) -> CertificateDer<'static> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.leaf.clone()
    }
}

impl Renewal {
    /// Reads the files again whenever they change or the process is told to, until `cancel`.
    pub async fn until(mut self, cancel: CancellationToken) {
        while self.watch.next(&cancel).await.is_some() {
            self.renew();
        }
    }

    fn renew(&self) {
        match Identity::read(&self.files) {
            Ok(identity) => {
                let current = self.tls.current.write();
                *current.unwrap_or_else(PoisonError::into_inner) = identity;
                tracing::info!(
                    event = "certificate_renewed",
                    "another certificate is in use"
                );
            }
            Err(why) => tracing::error!(
                event = "certificate_refused",
                why,
                "the certificate of before stays in use"
            ),
        }
    }
}

/// What is read from the files.
#[derive(Debug)]
pub struct Identity {
    config: Arc<ServerConfig>,
    /// What clients may pin.
    pub pin: KeyPin,
    leaf: CertificateDer<'static>,
}

impl Identity {
    /// Reads both files.
    ///
    /// # Errors
    /// In a sentence that names the file and says what is wrong.
    pub fn read(files: &TlsFiles) -> Result<Self, String> {
        let refuse =
            |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| refuse(&files.certificate, &error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| refuse(&files.certificate, &"has no certificate in it"))?
            .clone();
        let key =
            PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refuse(&files.key, &error))?;
        let public = ParsedCertificate::try_from(&leaf)
            .map_err(|error| refuse(&files.certificate, &error))?
            .subject_public_key_info();
        let pin = KeyPin::from_bytes(Sha256::digest(&public).into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| refuse(&files.key, &error))?;
        Ok(Self {
            config: Arc::new(for_websockets(config)),
            pin,
            leaf,
        })
    }

    /// The server's own certificate.
    #[must_use]
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }
}

/// No tickets: a client that comes back shows its key anyway, and each would cost memory while it waits.
fn for_websockets(mut config: ServerConfig) -> ServerConfig {
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
