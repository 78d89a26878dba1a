//! What goes into a link and what comes out of it, beside requests to the network.

use std::net::{SocketAddr, SocketAddrV4};

use towline_wire::peer::{Control, Reflection};
use towline_wire::place::Place;

use crate::io::{ConnectionId, NeighbourName, NetworkEvent, NetworkScope};
use crate::report::Outside;
use crate::snapshot::Oneness;

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
    /// From where others see this device now, beside its own addresses.
    Reflexive(Reflection),
    /// What STUN servers show of our way out.
    Outside(Outside),
    /// The address that a TURN server lends this device now.
    Lent(Option<SocketAddrV4>),
    /// Addresses that are announced on the local network now, by whom: the peer may be at any of them.
    Nearby(Vec<(NeighbourName, SocketAddr)>),
    /// Where a person says that the peer is.
    Placed(Vec<Place>),
    /// How far this device goes.
    Scope(NetworkScope),
    /// The network, about this peer.
    Network(NetworkEvent),
    /// A frame broke the protocol: hang up.
    Misbehaved,
    /// Somebody else may have the peer's key: see whether another path leads there.
    LookElsewhere,
    /// Whether this device is known to have a twin.
    Oneness(Oneness),
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
    /// A sealed notice tells of a run of the peer that has told nothing before.
    Heard(u64),
    /// The standing connection gave a sign of life after such a notice.
    Lives,
    /// The peer does not answer: see whether this device is still where it was.
    Doubt,
}
