//! The session with the signal server: registration, presence, mailboxes, sealed messages.

use std::collections::BTreeSet;

use towline_wire::ids::DeviceId;

use crate::io::SignalEvent;
use crate::pairing::{MailboxEvent, MailboxRequest};

/// What happens to the session. The device routes these.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionInput {
    /// The device has started: connect, if a server is configured.
    Start,
    /// The session's socket.
    Signal(SignalEvent),
    /// The whole set of peers whose presence matters, replacing the set before.
    Watch(BTreeSet<DeviceId>),
    /// The pairing wants something of its mailbox.
    Mailbox(MailboxRequest),
    /// A link wants to tell its peer something (already sealed).
    Tell(DeviceId, Vec<u8>),
    /// A link wants a packet channel.
    WantRelay(DeviceId),
}

/// What the session tells its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionNews {
    /// For the pairing.
    Mailbox(MailboxEvent),
    /// A watched peer is there.
    Online(DeviceId),
    /// A watched peer is gone, or the session is.
    Offline(DeviceId),
    /// A peer told us something.
    Told(DeviceId, Vec<u8>),
    /// A packet channel for the pair is open at the server.
    RelayReady {
        /// With whom.
        peer: DeviceId,
        /// Where our end is.
        url: String,
        /// The server's number for it.
        channel: u32,
        /// The one-use token.
        token: String,
    },
}
