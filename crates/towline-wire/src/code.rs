//! The code that people read aloud, and the two halves it is made of.
//!
//! `ABC-234`: the first half is the slot, which names a mailbox on the signal server; the second
//! half is the secret, which no server ever sees. The alphabet has 32 letters without `I`, `O`,
//! `0` and `1`, so three letters carry 15 bits. Either half grows to four letters when the server
//! or the device asks for more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The letters of slots and secrets; 32, so one letter is five bits.
pub const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Shortest half of a code, in letters.
pub const HALF_LETTERS_MIN: usize = 3;

/// Longest half of a code, in letters.
pub const HALF_LETTERS_MAX: usize = 4;

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A letter outside the alphabet.
    #[error("code holds a letter outside the alphabet")]
    Letter,
    /// Too few or too many letters, or no way to tell the halves apart.
    #[error("code has the wrong length")]
    Length,
    /// The part after `@` is not a host.
    #[error("code names no valid server")]
    Host,
}

/// The half that the server knows: names a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slot(String);

impl Slot {
    /// Parses three or four letters, in either case.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        half(text).map(Self)
    }

    /// The slot whose letters are the `letters` lowest base-32 digits of `number`.
    pub fn from_number(number: u32, letters: usize) -> Self {
        Self(letters_of(
            number,
            letters.clamp(HALF_LETTERS_MIN, HALF_LETTERS_MAX),
        ))
    }

    /// The letters, upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slot {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        Self::parse(&text)
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The half that never leaves the two devices. Zeroised on drop, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CodeSecret(String);

impl CodeSecret {
    /// Parses three or four letters, in either case.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        half(text).map(Self)
    }

    /// The secret whose letters are the `letters` lowest base-32 digits of a random `number`.
    pub fn from_number(number: u32, letters: usize) -> Self {
        Self(letters_of(
            number,
            letters.clamp(HALF_LETTERS_MIN, HALF_LETTERS_MAX),
        ))
    }

    /// The letters, upper case. For the PAKE and for showing the code to its person only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeSecret(..)")
    }
}

/// A whole code as a person types it, perhaps with another server's host: `ABC-234@host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairingCode {
    /// The server's half.
    pub slot: Slot,
    /// The devices' half.
    pub secret: CodeSecret,
    /// The server to meet at, when the code names one: `host` or `host:port`.
    pub host: Option<String>,
}

impl PairingCode {
    /// The code as it is shown: `ABC-234`, with `@host` when it names a server. Secret.
    pub fn reveal(&self) -> String {
        let code = format!("{}-{}", self.slot, self.secret.reveal());
        match &self.host {
            Some(host) => format!("{code}@{host}"),
            None => code,
        }
    }
}

/// Accepts lower case, spaces, a missing hyphen (then both halves are equally long), and `@host`.
impl FromStr for PairingCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let (code, host) = match text.trim().split_once('@') {
            Some((code, host)) => (code, Some(parse_host(host)?)),
            None => (text.trim(), None),
        };
        let code: String = code
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let (slot, secret) = match code.split_once('-') {
            Some(halves) => halves,
            None if code.is_ascii() && code.len().is_multiple_of(2) => {
                code.split_at(code.len() / 2)
            }
            None if code.is_ascii() => return Err(CodeError::Length),
            None => return Err(CodeError::Letter),
        };
        Ok(Self {
            slot: Slot::parse(slot)?,
            secret: CodeSecret::parse(secret)?,
            host,
        })
    }
}

fn parse_host(text: &str) -> Result<String, CodeError> {
    let host = text.trim().to_ascii_lowercase();
    let allowed = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '[' | ']')
    };
    if host.is_empty() || host.len() > 253 || !host.chars().all(allowed) {
        return Err(CodeError::Host);
    }
    Ok(host)
}

fn half(text: &str) -> Result<String, CodeError> {
    let text = text.to_ascii_uppercase();
    if !text.bytes().all(|letter| ALPHABET.contains(&letter)) {
        return Err(CodeError::Letter);
    }
    if !(HALF_LETTERS_MIN..=HALF_LETTERS_MAX).contains(&text.len()) {
        return Err(CodeError::Length);
    }
    Ok(text)
}

fn letters_of(number: u32, letters: usize) -> String {
    (0..letters)
        .rev()
        .map(|place| {
            let digit = (number >> (5 * place)) & 31;
            // The digit is below 32, the length of the alphabet.
            char::from(ALPHABET[digit as usize])
        })
        .collect()
}
