//! Where Redis is, and how it is known to be the one that was meant.
//!
//! Over `rediss://` it shows a certificate: by an authority of the system, or of a file that says who else may sign. The URL
//! may hold a password, so it is repeated nowhere, and no error of the library is passed on but for its kind.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisError, TlsCertificates};
use rustls::CertificateError;

/// Where the books are that several instances share.
#[derive(Debug, Clone)]
pub struct Redis {
    client: Client,
}

impl Redis {
    /// What a URL such as `redis://:password@host:6379/0`, `rediss://user:password@host:6379` or
    /// `redis+unix:///run/redis.sock` means. Over TLS Redis shows a certificate of the `authorities` of a PEM file, or of the
    /// system.
    ///
    /// # Errors
    /// When it is no such URL, or the file has no certificates in it; the URL, which may hold a password, is not repeated.
    pub fn at(url: &str, authorities: Option<&Path>) -> Result<Self, String> {
        let refused = |error: RedisError| {
            let kind = error.category();
            format!("the URL of Redis is none that can be used ({kind})")
        };
        let place = url.into_connection_info().map_err(refused)?;
        let client = match (place.addr(), authorities) {
            (ConnectionAddr::TcpTls { insecure: true, .. }, _) => {
                return Err(
                    "#insecure in the URL of Redis lets anybody be Redis; say by --redis-ca who signs its certificate"
                        .to_owned(),
                );
            }
            (ConnectionAddr::TcpTls { .. }, Some(path)) => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(certificates_in(path)?),
                };
                Client::build_with_tls(place, certificates)
                    .map_err(|_| format!("{}: a certificate in it is none", path.display()))?
            }
            (ConnectionAddr::TcpTls { .. }, None) => {
                if rustls_native_certs::load_native_certs().certs.is_empty() {
                    return Err(
                        "this machine has no certificates of authorities to know Redis by; name a file of them with --redis-ca"
                            .to_owned(),
                    );
                }
                Client::open(place).map_err(refused)?
            }
            (ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_), Some(_)) => {
                return Err(
                    "--redis-ca is for Redis over TLS, whose URL begins with rediss://".to_owned(),
                );
            }
            (_, _) => Client::open(place).map_err(refused)?,
        };
        Ok(Self { client })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

fn certificates_in(path: &Path) -> Result<Vec<u8>, String> {
    let refused = |error: io::Error| format!("{}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refused)?;
    let read = file.take(AUTHORITIES_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(refused)?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if bytes.windows(begin.len()).any(|window| window == begin) {
        Ok(bytes)
    } else {
        Err(format!("{}: has no certificates in it", path.display()))
    }
}

/// Why whoever answers is not taken for Redis, if that is what went wrong.
pub(super) fn distrust(error: &RedisError) -> Option<&'static str> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        // The library shares errors, and what is shared does not show itself.
        let shared = error.downcast_ref::<Arc<dyn Error + Send + Sync>>();
        let error = shared.map_or(error, |shared| &**shared);
        // An error of TLS comes within one of the socket, which does not show it as its source.
        let within = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let tls = match within {
            Some(within) => within.downcast_ref::<rustls::Error>(),
            None => error.downcast_ref::<rustls::Error>(),
        };
        if let Some(tls) = tls {
            return Some(said(tls));
        }
        cause = error.source();
    }
    None
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an administrator can do something about these; the enums are not exhaustive"
)]
fn said(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "no authority that is trusted has signed for it"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate holds only later"
            }
            _ => "its certificate does not hold",
        },
        rustls::Error::AlertReceived(_) => {
            "it ends the handshake; it may want a certificate of ours (tls-auth-clients)"
        }
        _ => "it does not speak TLS as it should",
    }
}

/// Longest file of authorities that is read: 1 MiB, four times what systems have.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;
