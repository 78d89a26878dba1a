//! This device's key, and what is derived from it.
//!
//! The Ed25519 key is the identity. It signs cards and server registrations; with a peer's public
//! key it yields the pair's key (X25519 over both identities), which only these two devices know.

use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use hkdf::Hkdf;
use sha2::Sha256;
use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    HostName, Nonce, RegisterProof, Registration, SIGNAL_VERSION, proof_message,
};
use zeroize::Zeroizing;

/// A signature: 64 bytes (RFC 8032).
pub type SignatureBytes = [u8; 64];

/// This device's Ed25519 key. Zeroised on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

/// The key that two peers share without having exchanged it. Zeroised on drop.
#[derive(Clone)]
pub struct PairKey(Zeroizing<[u8; 32]>);

impl Identity {
    /// The identity of a 32-byte Ed25519 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self {
            key: SigningKey::from_bytes(seed),
        }
    }

    /// The seed, for the keyring and for TLS. Secret.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The public key.
    pub fn id(&self) -> DeviceId {
        DeviceId::from_public_key(self.key.verifying_key().to_bytes())
    }

    /// Signs bytes that begin with a domain string.
    pub fn sign(&self, message: &[u8]) -> SignatureBytes {
        self.key.sign(message).to_bytes()
    }

    /// How this device registers at the signal server of this name, which has sent this nonce.
    pub fn registration(&self, host: HostName, nonce: &Nonce) -> Registration {
        let device = self.id();
        let signature = self.sign(&proof_message(SIGNAL_VERSION, &host, nonce, &device));
        Registration::Device {
            device,
            proof: RegisterProof {
                version: SIGNAL_VERSION,
                host,
                signature,
            },
        }
    }

    /// The key with which connections are disowned that a former life of this device had (RFC 9000,
    /// section 10.3). The same in every life, and of no use for anything else.
    pub fn reset_key(&self) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, self.seed().as_slice())
            .expand(b"towline stateless reset v1", key.as_mut_slice());
        debug_assert!(
            expanded.is_ok(),
            "32 bytes are within the limit of HKDF-SHA256"
        );
        key
    }

    /// The key shared with `peer`, or `None` when its public key is no usable point.
    pub fn pair_key(&self, peer: DeviceId) -> Option<PairKey> {
        let theirs = VerifyingKey::from_bytes(peer.as_bytes())
            .ok()
            .filter(|key| !key.is_weak())?;
        let scalar = Zeroizing::new(self.key.to_scalar_bytes());
        let shared = Zeroizing::new(x25519_dalek::x25519(
            *scalar,
            theirs.to_montgomery().to_bytes(),
        ));
        let (low, high) = if self.id() < peer {
            (self.id(), peer)
        } else {
            (peer, self.id())
        };
        let mut info = b"towline pair key v1".to_vec();
        info.extend_from_slice(low.as_bytes());
        info.extend_from_slice(high.as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are one SHA-256 block, far below HKDF's limit.
        Hkdf::<Sha256>::new(None, shared.as_slice())
            .expand(&info, key.as_mut_slice())
            .ok()?;
        Some(PairKey(key))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.id().short())
    }
}

impl PairKey {
    /// A key for one purpose; `label` names the purpose.
    pub fn derive(&self, label: &'static str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(label.as_bytes(), key.as_mut_slice());
        debug_assert!(
            expanded.is_ok(),
            "32 bytes are within the limit of HKDF-SHA256"
        );
        key
    }
}

impl std::fmt::Debug for PairKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairKey(..)")
    }
}

/// Whether `signature` over `message` is `signer`'s.
pub fn is_signed_by(signer: DeviceId, message: &[u8], signature: &SignatureBytes) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(signer.as_bytes()) else {
        return false;
    };
    key.verify(message, &ed25519_dalek::Signature::from_bytes(signature))
        .is_ok()
}
