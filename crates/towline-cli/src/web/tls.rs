//! The certificate with which browsers are served, and its key.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

use super::WebError;
use super::options::TlsFiles;

/// What connections are accepted with.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    pub(super) leaf: CertificateDer<'static>,
}

impl Identity {
    /// Reads both files.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, WebError> {
        let refuse = |path: &Path, why: &dyn Display| WebError::Tls {
            file: path.display().to_string(),
            why: why.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| refuse(&files.certificate, &error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| refuse(&files.certificate, &"has no certificate in it"))?
            .clone();
        let key =
            PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refuse(&files.key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| refuse(&files.certificate, &error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| refuse(&files.key, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            leaf,
        })
    }
}

/// A name for which the certificate is valid and that a link can hold, if it has one.
pub(super) fn name_of(leaf: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let mut names = certificate.valid_dns_names();
    names.find(|name| !name.starts_with('*')).map(str::to_owned)
}
