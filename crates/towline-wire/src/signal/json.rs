//! The JSON form of requests and notices, both ways.
//!
//! A frame is first split into its fields without reading them, so that a field that a message
//! does not use can hold anything; then the `type` says which fields are read, and how.

mod notice;
mod request;

pub use notice::NoticeError;
pub use request::RequestError;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Keeps a field that is there, `null` included, apart from one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn read<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn short(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn write<T: Serialize>(fields: &T) -> String {
    // Only strings, numbers, lists and raw JSON are written, to memory: none of these can fail.
    serde_json::to_string(fields).expect("a message is always valid JSON")
}
