//! Control frames between two devices, on the one control stream of their connection.
//!
//! Each side opens one unidirectional control stream right after the handshake and sends `Hello`
//! first. Everything here is idempotent or acknowledged: a connection may be replaced at any
//! moment, and the next hello continues from what both sides have made durable.

pub mod page;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::ids::{FolderId, Incarnation, Sequence};
use crate::version::VersionRange;

/// A frame on the control stream; at most [`crate::limits::CONTROL_FRAME_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The first frame of each side.
    Hello(Hello),
    /// The whole list of folders that the sender shares with the receiver; replaces the one before.
    Folders(Vec<FolderStatement>),
    /// A page of the sender's index.
    Index(IndexPage),
    /// The receiver has made a page durable.
    IndexAck {
        /// Which folder.
        folder: FolderId,
        /// Which life of the *index owner's* store.
        incarnation: Incarnation,
        /// The page's `up_to`.
        up_to: Sequence,
    },
    /// The sender's current UDP addresses; replaces the ones before.
    Addresses(Vec<SocketAddr>),
}

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions of this protocol that the sender speaks.
    pub versions: VersionRange,
}

/// What the sender says of one folder that it shares with the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderStatement {
    /// Which folder.
    pub folder: FolderId,
    /// The sender's label, offered to the receiver as a default.
    pub label: String,
    /// How far the sender has the *receiver's* index of this folder: incarnation and highest
    /// durable sequence. `None` when it has nothing of it. A sequence above the receiver's own tells
    /// the receiver that its store was rolled back.
    pub have: Option<(Incarnation, Sequence)>,
}

/// A page of the sender's index of one folder: its changes after `after`, up to `up_to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPage {
    /// Which folder.
    pub folder: FolderId,
    /// The life of the sender's store in which sequences count.
    pub incarnation: Incarnation,
    /// Exclusive start. 0 begins the index anew: the receiver forgets the sender's older rows.
    pub after: Sequence,
    /// Inclusive end.
    pub up_to: Sequence,
    /// The latest record of each path that changed in between, ascending by sequence.
    #[serde(with = "page")]
    pub entries: Vec<Entry>,
}

#[cfg(test)]
mod tests;
