//! Rooms: their codes, what proves a password, and who is in them.

use std::borrow::Cow;
use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::SignalId;
use crate::code::ALPHABET;

/// Members of a room at once: 16, what a mesh of WebRTC connections still carries.
pub const ROOM_MEMBERS_MAX: usize = 16;

/// Longest name that a member shows to the others, in bytes; the rest is cut off.
pub const DISPLAY_NAME_BYTES_MAX: usize = 64;

/// The sentence of every join that fails, whatever the reason.
pub const ROOM_NOT_FOUND_DETAIL: &str =
    "there is no such room, or not for this password, or too many tries were made";

/// Letters of a room's code: 10, so 50 bits. Who guesses among ten thousand rooms from a thousand addresses at a
/// hundred tries a second finds one in decades.
const LETTERS: usize = 10;

/// What names a room, and lets in where there is no password: `ABCDE-FGHJK`. Drawn by the server; a secret of
/// those who are told of it, so `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct RoomCode([u8; LETTERS]);

/// The text is no code of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no code of a room")]
pub struct RoomCodeError;

impl RoomCode {
    /// The code whose letters are the ten lowest base-32 digits of a random `number`.
    pub fn from_number(number: u64) -> Self {
        let mut letters = [0; LETTERS];
        for (at, letter) in letters.iter_mut().enumerate() {
            // Five bits are an index into 32 letters.
            *letter = ALPHABET[(number >> (5 * at) & 31) as usize];
        }
        Self(letters)
    }

    /// Reads a code in either case, with or without hyphens and spaces.
    pub fn parse(text: &str) -> Result<Self, RoomCodeError> {
        let mut letters = [0; LETTERS];
        let mut read = 0;
        for byte in text.bytes() {
            let letter = byte.to_ascii_uppercase();
            match letter {
                b'-' | b' ' => {}
                _ if ALPHABET.contains(&letter) => {
                    *letters.get_mut(read).ok_or(RoomCodeError)? = letter;
                    read += 1;
                }
                _ => return Err(RoomCodeError),
            }
        }
        if read == LETTERS {
            Ok(Self(letters))
        } else {
            Err(RoomCodeError)
        }
    }
}

impl TryFrom<Cow<'_, str>> for RoomCode {
    type Error = RoomCodeError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, RoomCodeError> {
        Self::parse(&text)
    }
}

impl From<RoomCode> for String {
    fn from(code: RoomCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.iter().enumerate() {
            if at == LETTERS / 2 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCode(..)")
    }
}

/// What a client makes of a room's password: 32 bytes, on the wire in base64. The password itself never leaves the
/// client. Whoever has the proof can enter the room and try passwords against it, so it is zeroised on drop and
/// redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PasswordProof([u8; 32]);

impl PasswordProof {
    /// Wraps the bytes that were derived.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For comparing only.
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn to_text(&self) -> String {
        BASE64.encode(&self.0)
    }
}

impl fmt::Debug for PasswordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordProof(..)")
    }
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPeer {
    /// Who, stamped by the server.
    pub peer_id: SignalId,
    /// What it calls itself; perhaps empty, proves nothing.
    pub display_name: String,
}

/// Why a client is in a room no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomEnd {
    /// It wanted to leave.
    Left,
    /// Nothing happened in the room for too long. A client also reads reasons that it does not know as this.
    #[serde(other)]
    Expired,
}
