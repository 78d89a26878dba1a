//! TLS 1.3 between peers: both sides show raw Ed25519 keys (RFC 7250), and the key is the identity.
//!
//! Only trusted keys pass. Who dials names the device it wants, so another trusted device does not
//! pass for it. The name stays off the wire (no SNI); there are no tickets, no resumption and no
//! 0-RTT, since resumption would skip the verifier. The trusted set may shrink at any time, so the
//! proven key is compared with it again once a handshake is done.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};
use towline_core::identity::Identity;
use towline_wire::ids::DeviceId;
use towline_wire::version::{ALPN, PAIRING_ALPN};
use zeroize::Zeroizing;

/// What comes before the 32 key bytes in the public-key structure of Ed25519 (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What comes before the 32 seed bytes in the PKCS#8 structure of Ed25519 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Length of that structure: prefix and seed.
const PKCS8_BYTES: usize = PKCS8_PREFIX.len() + 32;

/// The keys that may connect, as last told by the core. Clones share the set.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust(Arc<RwLock<BTreeSet<DeviceId>>>);

/// Both sides' TLS settings.
pub(super) struct TlsSettings {
    pub(super) dialer: Arc<QuicClientConfig>,
    pub(super) acceptor: Arc<QuicServerConfig>,
}

impl Trust {
    /// Whether this key may connect.
    pub(super) fn holds(&self, peer: DeviceId) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&peer)
    }

    /// Replaces the set and returns the one before.
    pub(super) fn replace(&self, peers: BTreeSet<DeviceId>) -> BTreeSet<DeviceId> {
        std::mem::replace(
            &mut self.0.write().unwrap_or_else(PoisonError::into_inner),
            peers,
        )
    }
}

impl TlsSettings {
    /// The settings of this device.
    pub(super) fn new(identity: &Identity, trust: &Trust) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = certified_key(identity)?;
        let verifier = Arc::new(PeerVerifier {
            trust: trust.clone(),
            algorithms: provider.signature_verification_algorithms,
        });
        let mut dialer = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&key),
            )));
        dialer.alpn_protocols = vec![ALPN.to_vec()];
        dialer.enable_sni = false;
        dialer.resumption = rustls::client::Resumption::disabled();
        dialer.enable_early_data = false;
        let mut acceptor = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        acceptor.alpn_protocols = vec![ALPN.to_vec()];
        acceptor.send_tls13_tickets = 0;
        acceptor.session_storage = Arc::new(NoServerSessionStorage {});
        acceptor.max_early_data_size = 0;
        Ok(Self {
            dialer: Arc::new(QuicClientConfig::try_from(dialer).map_err(no_initial_suite)?),
            acceptor: Arc::new(QuicServerConfig::try_from(acceptor).map_err(no_initial_suite)?),
        })
    }
}

/// TLS of who shows a code, with a key that lives as long as what this returns.
pub(super) fn pairing_host() -> Result<Arc<QuicServerConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = certified_key(&passing_identity()?)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.alpn_protocols = vec![PAIRING_ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(
        QuicServerConfig::try_from(config).map_err(no_initial_suite)?,
    ))
}

/// TLS of who enters a code: it shows no key and takes any, since the pairing itself proves who is there.
pub(super) fn pairing_guest() -> Result<Arc<QuicClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyKey {
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![PAIRING_ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(
        QuicClientConfig::try_from(config).map_err(no_initial_suite)?,
    ))
}

/// A key that nobody knows and nobody will know.
fn passing_identity() -> Result<Identity, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| Error::FailedToGetRandomBytes)?;
    Ok(Identity::from_seed(&seed))
}

fn no_initial_suite<E>(_error: E) -> Error {
    Error::General("no cipher suite for QUIC initials".to_owned())
}

/// The name by which a device is dialled; only our own verifier reads it.
pub(super) fn server_name(peer: DeviceId) -> String {
    peer.to_string()
}

/// The key that the other side of a connection has proven.
pub(super) fn proven_device(identity: Option<Box<dyn Any>>) -> Option<DeviceId> {
    let keys = identity?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    match keys.as_slice() {
        [key] => device_of(key),
        _ => None,
    }
}

fn certified_key(identity: &Identity) -> Result<Arc<CertifiedKey>, Error> {
    let pkcs8 = pkcs8(identity);
    // The provider's own loader wants a copy that nobody would zeroise.
    let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))?;
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(identity.id().as_bytes());
    Ok(Arc::new(CertifiedKey::new(
        vec![CertificateDer::from(spki)],
        key,
    )))
}

/// The secret key as PKCS#8, on one place that is zeroised: an array is never moved by growing.
fn pkcs8(identity: &Identity) -> Zeroizing<[u8; PKCS8_BYTES]> {
    let mut bytes = Zeroizing::new([0; PKCS8_BYTES]);
    let (prefix, seed) = bytes.split_at_mut(PKCS8_PREFIX.len());
    prefix.copy_from_slice(&PKCS8_PREFIX);
    seed.copy_from_slice(identity.seed().as_slice());
    bytes
}

fn device_of(spki: &CertificateDer<'_>) -> Option<DeviceId> {
    let key = spki.as_ref().strip_prefix(&SPKI_PREFIX)?;
    Some(DeviceId::from_public_key(key.try_into().ok()?))
}

/// Lets trusted keys pass, and of these only the dialled one.
#[derive(Debug)]
struct PeerVerifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    fn trusted(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<DeviceId, Error> {
        let device = device_of(key)
            .filter(|_| others.is_empty())
            .ok_or(CertificateError::BadEncoding)?;
        if self.trust.holds(device) {
            Ok(device)
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.algorithms)
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let device = self.trusted(key, others)?;
        if server_name.to_str() == device.to_string() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.trusted(key, others)
            .map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Lets any raw key pass that its holder signs with.
#[derive(Debug)]
struct AnyKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match device_of(key) {
            Some(_) => Ok(ServerCertVerified::assertion()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &spki, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
