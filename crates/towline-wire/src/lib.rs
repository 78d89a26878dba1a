//! Everything that crosses a machine boundary: ids, messages, encodings, versions, limits.
//!
//! Two languages live here. `signal` is JSON text spoken with the signal server; `peer` and `data`
//! are postcard frames spoken between devices inside QUIC. `code`, `link_uri` and `pairing` are
//! what two strangers exchange to become peers.
//!
//! This crate never decides, keeps state or does IO, and it depends on no other crate of ours.
//! Every type here is parsed at the door: a value that exists is a value that is allowed.

pub mod candidates;
pub mod card;
pub mod code;
pub mod data;
#[cfg(any(test, fuzzing))]
pub mod doors;
pub mod entry;
pub mod frame;
pub mod ice;
pub mod ids;
pub mod limits;
pub mod link_uri;
pub mod packet;
pub mod pairing;
pub mod peer;
pub mod place;
pub mod rel_path;
pub mod server_url;
pub mod signal;
pub mod turn_address;
pub mod version;
