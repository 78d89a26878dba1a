//! The connection with one peer, and the path that it uses.

use std::net::SocketAddr;

use towline_wire::peer::Control;

use crate::io::{ConnectionId, NetworkEvent};

/// What happens to one link. The device routes these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkInput {
    /// The device has started, or the peer was just made; try what is known.
    Start,
    /// The signal server says that the peer is there.
    Online,
    /// The signal server says that the peer is gone, or our session is.
    Offline,
    /// The peer sent this through the signal server.
    Told(Vec<u8>),
    /// The signal server opened a packet channel for the pair.
    RelayReady {
        /// Where our end is.
        url: String,
        /// The server's number for it.
        channel: u32,
        /// The one-use token.
        token: String,
    },
    /// Where this device listens now.
    LocalAddresses(Vec<SocketAddr>),
    /// The network, about this peer.
    Network(NetworkEvent),
    /// A frame broke the protocol: hang up.
    Misbehaved,
}

/// What a link tells its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkNews {
    /// A connection stands; frames may be sent.
    Up(ConnectionId),
    /// The connection is gone.
    Down(ConnectionId),
    /// A frame arrived on the standing connection.
    Frame(Control),
    /// Tell the peer this through the signal server.
    Tell(Vec<u8>),
    /// Ask the signal server for a packet channel with the peer.
    WantRelay,
    /// The addresses by which the peer was reached have changed; keep them.
    Addresses(Vec<SocketAddr>),
}
