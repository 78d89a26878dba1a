//! Length-prefixed postcard frames, for QUIC streams.
//!
//! A frame is a little-endian `u32` length and that many bytes of postcard. The length is compared
//! with the caller's limit before anything is allocated.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// Why bytes are not a frame, or a value cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The stated or encoded length exceeds the limit.
    #[error("frame of {length} bytes exceeds {max}")]
    TooLong {
        /// Stated length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The bytes are not the expected message, or bytes are left over.
    #[error("frame does not decode")]
    Malformed,
}

/// Encodes `value` with its length prefix; refuses more than `max` bytes.
pub fn encode<T: Serialize>(value: &T, max: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes =
        postcard::to_extend(value, vec![0; PREFIX_BYTES]).map_err(|_| FrameError::Malformed)?;
    let length = bytes.len() - PREFIX_BYTES;
    let prefix = u32::try_from(length)
        .ok()
        .filter(|_| length <= max)
        .ok_or(FrameError::TooLong { length, max })?;
    bytes[..PREFIX_BYTES].copy_from_slice(&prefix.to_le_bytes());
    Ok(bytes)
}

/// The payload length that a prefix states; refuses more than `max`.
pub fn length(prefix: [u8; PREFIX_BYTES], max: usize) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    Ok(length)
}

/// Decodes one payload (without its prefix); all bytes must be used.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(FrameError::Malformed),
    }
}
