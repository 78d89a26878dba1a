//! Names and opaque values of the signal protocol: who, which request, what is carried.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::ids::DeviceId;

/// Who is meant on the signal server: a proven device or a guest. Text: 52 characters of base32,
/// or `g-` and 13 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub enum SignalId {
    /// A device that proved its key.
    Device(DeviceId),
    /// A client without proof, for as long as its connection lasts.
    Guest(GuestId),
}

impl SignalId {
    /// The device, when it is one.
    pub const fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Device(device) => Some(*device),
            Self::Guest(_) => None,
        }
    }

    /// The first eight characters of the text form, for logs.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

/// The text is neither a device id nor a guest id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a device id nor a guest id")]
pub struct SignalIdError;

impl fmt::Display for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => device.fmt(f),
            Self::Guest(guest) => guest.fmt(f),
        }
    }
}

impl fmt::Debug for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalId({})", self.short())
    }
}

impl FromStr for SignalId {
    type Err = SignalIdError;

    fn from_str(text: &str) -> Result<Self, SignalIdError> {
        match text.strip_prefix("g-") {
            Some(guest) => {
                let bytes = BASE32_NOPAD
                    .decode(guest.to_ascii_uppercase().as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or(SignalIdError)?;
                Ok(Self::Guest(GuestId(u64::from_be_bytes(bytes))))
            }
            None => text.parse().map(Self::Device).map_err(|_| SignalIdError),
        }
    }
}

impl TryFrom<Cow<'_, str>> for SignalId {
    type Error = SignalIdError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, SignalIdError> {
        text.parse()
    }
}

impl From<SignalId> for String {
    fn from(id: SignalId) -> Self {
        id.to_string()
    }
}

impl From<DeviceId> for SignalId {
    fn from(device: DeviceId) -> Self {
        Self::Device(device)
    }
}

/// A guest's number, drawn at random by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestId(pub u64);

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "g-{}",
            BASE32_NOPAD
                .encode(&self.0.to_be_bytes())
                .to_ascii_lowercase()
        )
    }
}

/// Any JSON value, kept as the text it came as. Opaque: `Debug` shows only its length.
#[derive(Clone)]
pub struct Payload(Box<RawValue>);

impl Payload {
    /// A JSON string holding `text`; what our own clients send, with base64 inside.
    pub fn from_text(text: &str) -> Self {
        let json = serde_json::value::to_raw_value(text);
        // Writing a string to memory cannot fail.
        Self(json.expect("a string is always valid JSON"))
    }

    /// The string inside, when the value is a JSON string.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'_>>(self.0.get())
            .ok()
            .map(|text| text.0)
    }

    /// Parses one JSON value.
    pub fn from_json(json: &str) -> Option<Self> {
        RawValue::from_string(json.to_owned()).ok().map(Self)
    }

    /// The JSON text, byte for byte.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    pub(super) fn from_raw(raw: &RawValue) -> Self {
        Self(raw.to_owned())
    }

    pub(super) fn raw(&self) -> &RawValue {
        &self.0
    }
}

/// Equal as JSON text, so `1.0` is not `1`.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_json().len())
    }
}

/// The client's name for a request: a JSON string or number of at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Payload);

impl RequestId {
    /// Longest id, in bytes of JSON: a UUID in quotes is 38.
    pub const BYTES_MAX: usize = 64;

    /// The id with this number.
    pub fn from_number(number: u64) -> Self {
        let json = serde_json::value::to_raw_value(&number);
        // Writing a number to memory cannot fail.
        Self(Payload(json.expect("a number is always valid JSON")))
    }

    /// The number, when it is a plain one.
    pub fn as_number(&self) -> Option<u64> {
        self.0.as_json().parse().ok()
    }

    pub(super) fn from_raw(raw: &RawValue) -> Option<Self> {
        let json = raw.get();
        let fits = json.len() <= Self::BYTES_MAX;
        let scalar =
            json.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
        (fits && scalar).then(|| Self(Payload::from_raw(raw)))
    }

    pub(super) fn raw(&self) -> &RawValue {
        self.0.raw()
    }
}

/// Opens one end of a relay channel, once. Zeroised on drop, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RelayToken([u8; 16]);

impl RelayToken {
    /// Wraps 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// 32 hexadecimal characters, for the `Authorization` header only.
    pub fn reveal(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for RelayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayToken(..)")
    }
}
