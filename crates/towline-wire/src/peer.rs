//! Control frames between two devices, on the one control stream of their connection.
//!
//! Each side opens one unidirectional control stream right after the handshake and sends `Hello`
//! first. Everything here is idempotent or acknowledged: a connection may be replaced at any
//! moment, and the next hello continues from what both sides have made durable.
//!
//! A run is one life of a device's process towards one peer. By runs a peer tells a device that was
//! restarted from two computers that have one key: `Prove`, `Vouch` and `Twin` show that both live.

pub mod page;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::ids::{DeviceId, FolderId, Incarnation, Sequence};
use crate::server_url::ServerUrl;
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
    /// Asks the receiver's run to show that it lives, by signing this. At most once per connection.
    Prove(Challenge),
    /// The answer to `Prove`: the sender's signature, 64 bytes, over [`RunStatement::signed`].
    Vouch(Vec<u8>),
    /// Proves to the receiver that another run with its own key has lived since the challenge was made.
    Twin(TwinProof),
    /// From where others see the sender, as far as it knows; replaces what it said before.
    Reflection(Reflection),
    /// Asks the receiver, whose mapping varies, to open many sockets towards the sender's address from
    /// outside.
    Scatter,
    /// The sender has opened so many sockets towards the receiver's address from outside: now is the
    /// time to guess their ports.
    Scattered(u16),
    /// The signal servers where the sender can be met, the preferred one first, at most
    /// [`crate::limits::SERVERS_TOLD_MAX`]; replaces what its card said. At most once per connection.
    Servers(Vec<ServerUrl>),
    /// Whether the sender's UDP comes through; replaces what it said before.
    WayOut(WayOut),
}

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions of this protocol that the sender speaks.
    pub versions: VersionRange,
    /// The sender's run; the one that its sealed notices to the receiver bear.
    pub run: u64,
    /// Random, new with every connection: what another run of the sender signs was made after it.
    pub challenge: Challenge,
}

/// 32 random bytes that somebody makes so that what is signed over them must be younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Challenge(pub [u8; 32]);

/// From where others see a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reflection {
    /// How its router treats one IPv4 socket.
    pub mapping: Mapping,
    /// What STUN servers have said of its sockets; at most
    /// [`crate::limits::REFLECTION_ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
}

/// Whether UDP leaves a device's network and comes back, as STUN servers show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WayOut {
    /// Nothing shows it.
    #[default]
    Unknown,
    /// It does.
    Open,
    /// It does not: most likely a firewall drops it.
    Blocked,
}

/// Whether a router gives one socket one outside port towards everybody (RFC 4787, section 4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mapping {
    /// Nothing shows it.
    #[default]
    Unknown,
    /// Several others saw the socket at the same address.
    Same,
    /// Others saw it at different addresses.
    Varies,
}

/// Another run of the receiver, as it vouched for itself to the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinProof {
    /// The other run.
    pub run: u64,
    /// The challenge that the receiver made, and the other run has signed.
    pub challenge: Challenge,
    /// The other run's signature, 64 bytes, over [`RunStatement::signed`].
    pub signature: Vec<u8>,
}

/// What a device signs to show that one of its runs lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunStatement {
    /// To whom it is said. Bound, because a device has another run towards every peer: what one peer
    /// was told must not look like a twin to another.
    pub to: DeviceId,
    /// The run.
    pub run: u64,
    /// What was asked to be signed.
    pub challenge: Challenge,
}

impl RunStatement {
    /// The bytes that are signed.
    pub fn signed(&self) -> Vec<u8> {
        let mut bytes = b"towline run v1\0".to_vec();
        bytes.extend_from_slice(self.to.as_bytes());
        bytes.extend_from_slice(&self.challenge.0);
        bytes.extend_from_slice(&self.run.to_be_bytes());
        bytes
    }
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
