//! The `towline://` link that carries a server, a slot and a 128-bit secret.

/// A pairing link. Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkUri;
