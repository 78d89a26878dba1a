//! What two strangers send each other through a mailbox, and the string they compare.
//!
//! The creator shows the code, the joiner enters it. In order: joiner's `Share`, creator's `Share`,
//! joiner's `Confirm`, creator's `Confirm`, and from there on `Sealed` messages: creator's card
//! with a commitment to its nonce, joiner's card with its nonce, creator's nonce, and the joiner's
//! word that it keeps the new peer. `Refuse` may come at any time; to a side that has confirmed the
//! other one it must be proved. A message is one postcard value of at most [`MESSAGE_BYTES_MAX`]
//! bytes; `Share` and `Refuse` stay as they are in all versions.

mod symbols;

use serde::{Deserialize, Serialize};

use crate::card::CARD_BYTES_MAX;
use crate::frame::{self, FrameError};
use crate::version::VersionRange;

pub use symbols::{SYMBOL_COUNT, Symbol};

/// The versions of this exchange that this build speaks.
pub const PAIRING_VERSIONS: VersionRange = VersionRange {
    oldest: 1,
    newest: 1,
};

/// Bytes of a SPAKE2 share: one for the side, 32 for the point.
pub const SHARE_BYTES: usize = 33;

/// Largest pairing message: 4 KiB, a largest card with its signature and seal, twice over.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// What the two sides send each other through a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairingMessage {
    /// The first message of each side.
    Share(Share),
    /// Proof that the sender knows the secret: 32 bytes made from the agreed key.
    Confirm([u8; 32]),
    /// A [`SealedMessage`], encrypted with the sender's key of this pairing.
    Sealed(Vec<u8>),
    /// The sender has ended the pairing.
    Refuse(Refuse),
}

/// The first message of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Versions of this exchange that the sender speaks.
    pub versions: VersionRange,
    /// Which secret the joiner was given; the creator repeats it.
    pub kind: SecretKind,
    /// The SPAKE2 share, [`SHARE_BYTES`] long.
    pub share: Vec<u8>,
}

/// Which of a mailbox' two secrets is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretKind {
    /// The letters that people read aloud.
    Typed,
    /// The 128 bits in the link.
    Link,
}

/// The sender's last message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// Why.
    pub reason: RefuseReason,
    /// 32 bytes made from the agreed key and the reason, from the sender's `Confirm` on. Without
    /// them anybody on the way may have said it.
    pub proof: Option<[u8; 32]>,
}

/// Why a side ends a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefuseReason {
    /// The other side does not know the secret.
    WrongSecret,
    /// No version is spoken by both.
    Version,
    /// The other side broke the protocol.
    Protocol,
    /// Its person, or its clock.
    GaveUp,
}

/// What travels encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealedMessage {
    /// The creator's card, and the hash of the nonce that it will show.
    CreatorCard {
        /// The card.
        card: SignedCard,
        /// SHA-256 over label, transcript and nonce.
        commitment: [u8; 32],
    },
    /// The joiner's card and nonce.
    JoinerCard {
        /// The card.
        card: SignedCard,
        /// 32 random bytes.
        nonce: [u8; 32],
    },
    /// The creator's nonce, as committed to.
    Reveal([u8; 32]),
    /// The joiner keeps the creator as its peer.
    Kept,
}

/// An encoded [`crate::card::Card`] and its device's signature over the pairing's transcript and it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCard {
    /// At most [`CARD_BYTES_MAX`] bytes.
    pub card: Vec<u8>,
    /// Ed25519 (RFC 8032), 64 bytes.
    pub signature: Vec<u8>,
}

impl std::fmt::Debug for SignedCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedCard({} bytes)", self.card.len())
    }
}

impl PairingMessage {
    /// Encodes the message.
    pub fn encode(&self) -> Vec<u8> {
        // Writing plain data to memory cannot fail; an empty message would be refused by the peer.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Decodes a hostile message.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong {
                length: bytes.len(),
                max: MESSAGE_BYTES_MAX,
            });
        }
        let message: Self = frame::decode(bytes)?;
        match &message {
            Self::Share(share) if share.share.len() != SHARE_BYTES => Err(FrameError::Malformed),
            Self::Share(_) | Self::Confirm(_) | Self::Sealed(_) | Self::Refuse(_) => Ok(message),
        }
    }
}

impl SealedMessage {
    /// Encodes the message, to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        // As for `PairingMessage`.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Decodes an opened message; whoever knows the secret may still be hostile.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let message: Self = frame::decode(bytes)?;
        match &message {
            Self::CreatorCard { card, .. } | Self::JoinerCard { card, .. }
                if card.card.len() > CARD_BYTES_MAX =>
            {
                Err(FrameError::TooLong {
                    length: card.card.len(),
                    max: CARD_BYTES_MAX,
                })
            }
            Self::CreatorCard { .. } | Self::JoinerCard { .. } | Self::Reveal(_) | Self::Kept => {
                Ok(message)
            }
        }
    }
}

/// Symbols in a compare string.
pub const COMPARE_SYMBOLS: usize = 7;

/// 42 bits that both sides of a pairing show: seven symbols of six bits, the highest bits first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; COMPARE_SYMBOLS]", into = "[u8; COMPARE_SYMBOLS]")]
pub struct CompareString([u8; COMPARE_SYMBOLS]);

/// A number above 63 is no symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a compare string")]
pub struct CompareStringError;

impl CompareString {
    /// The string of the 42 lowest bits.
    pub fn from_bits(bits: u64) -> Self {
        let mut numbers = [0; COMPARE_SYMBOLS];
        for (place, number) in numbers.iter_mut().rev().enumerate() {
            *number = (bits >> (6 * place)).to_le_bytes()[0] & 63;
        }
        Self(numbers)
    }

    /// Reads back what [`Self::as_bytes`] gave.
    pub fn from_bytes(numbers: [u8; COMPARE_SYMBOLS]) -> Result<Self, CompareStringError> {
        if numbers
            .iter()
            .all(|number| usize::from(*number) < SYMBOL_COUNT)
        {
            Ok(Self(numbers))
        } else {
            Err(CompareStringError)
        }
    }

    /// The symbols' numbers, 0 to 63, for the store.
    pub const fn as_bytes(&self) -> &[u8; COMPARE_SYMBOLS] {
        &self.0
    }

    /// What is shown.
    pub fn symbols(&self) -> [Symbol; COMPARE_SYMBOLS] {
        self.0.map(Symbol::of_number)
    }
}

impl TryFrom<[u8; COMPARE_SYMBOLS]> for CompareString {
    type Error = CompareStringError;

    fn try_from(numbers: [u8; COMPARE_SYMBOLS]) -> Result<Self, CompareStringError> {
        Self::from_bytes(numbers)
    }
}

impl From<CompareString> for [u8; COMPARE_SYMBOLS] {
    fn from(compare: CompareString) -> Self {
        compare.0
    }
}

#[cfg(test)]
mod tests;
