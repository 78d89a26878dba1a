//! How a device proves its key to one server, on one connection.
//!
//! The device signs what [`proof_message`] returns with its Ed25519 key. The nonce makes the
//! signature good for one connection; the host name makes it useless to a server that passes it
//! on to another; the domain string keeps it apart from everything else that the key signs.

use std::fmt;
use std::net::IpAddr;

use data_encoding::BASE64;

use crate::ids::DeviceId;

/// 32 random bytes of the server, for one proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// Wraps 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn to_text(self) -> String {
        BASE64.encode(&self.0)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        fixed(text).map(Self)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// The host that a client dialled, as both ends write it: lower case, without port, brackets or
/// final dot; an IP address in its shortest form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HostName(String);

impl HostName {
    /// Parses the host part of a URL, without port. `None` for what is no host.
    pub fn parse(text: &str) -> Option<Self> {
        let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(&host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self(address.to_canonical().to_string()));
        }
        let allowed =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        let has_labels = host.split('.').all(|label| !label.is_empty());
        (has_labels && host.len() <= 253 && host.chars().all(allowed)).then_some(Self(host))
    }

    /// The host that dialling this URL names; `None` for what is no URL with a host.
    pub fn of_url(url: &str) -> Option<Self> {
        Self::parse(url::Url::parse(url).ok()?.host_str()?)
    }

    /// The host.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A signature over [`proof_message`] and those of its parts that the server does not know.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterProof {
    /// Version of the signal protocol that the client speaks.
    pub version: u16,
    /// The host that the client dialled.
    pub host: HostName,
    /// Ed25519 signature (RFC 8032).
    pub signature: [u8; 64],
}

impl RegisterProof {
    pub(super) fn signature_text(&self) -> String {
        BASE64.encode(&self.signature)
    }

    pub(super) fn parse_signature(text: &str) -> Option<[u8; 64]> {
        fixed(text)
    }
}

/// Leaves the signature out.
impl fmt::Debug for RegisterProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterProof")
            .field("version", &self.version)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// The exact bytes that a device signs to register: domain string and a zero byte, version (u16,
/// big endian), length of the host name (u16, big endian), host name, nonce (32), device key (32).
pub fn proof_message(version: u16, host: &HostName, nonce: &Nonce, device: &DeviceId) -> Vec<u8> {
    // A host name is at most 253 bytes.
    let host_len = u16::try_from(host.0.len()).unwrap_or(u16::MAX);
    let mut message = Vec::with_capacity(PROOF_DOMAIN.len() + 4 + host.0.len() + 64);
    message.extend_from_slice(PROOF_DOMAIN);
    message.extend_from_slice(&version.to_be_bytes());
    message.extend_from_slice(&host_len.to_be_bytes());
    message.extend_from_slice(host.0.as_bytes());
    message.extend_from_slice(nonce.as_bytes());
    message.extend_from_slice(device.as_bytes());
    message
}

/// Keeps register signatures apart from all others of the same key.
const PROOF_DOMAIN: &[u8] = b"towline signal register\0";

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Decoding needs no more than four thirds; longer text is refused before it is decoded.
    let fits = text.len() <= N.div_ceil(3) * 4;
    fits.then(|| BASE64.decode(text.as_bytes()).ok())
        .flatten()?
        .try_into()
        .ok()
}
