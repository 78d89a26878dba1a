//! What a device can tell of its connections when somebody asks: more than a snapshot holds, and not sent with each.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use towline_wire::ice::TurnTransport;
use towline_wire::ids::DeviceId;
use towline_wire::peer::Mapping;
use towline_wire::place::Place;

use crate::clock::Moment;
use crate::io::LendFault;
use crate::link::{LinkChange, LinkCounts, LinkSample};
use crate::snapshot::LinkState;

/// Everything about this device's connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkReport {
    /// When it was made.
    pub at: Moment,
    /// Where this device listens.
    pub local: Vec<SocketAddr>,
    /// What is known of it from outside.
    pub outside: Outside,
    /// From where others see it, a port of the router first.
    pub reflexive: Vec<SocketAddr>,
    /// Whether its router keeps one port towards everybody.
    pub mapping: Mapping,
    /// The port that its router gives on demand.
    pub mapped: Option<SocketAddr>,
    /// The TURN servers that it may borrow an address from, the preferred one first.
    pub lenders: Vec<LenderReport>,
    /// Each peer's link, by name.
    pub links: Vec<LinkReport>,
}

/// One TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LenderReport {
    /// Where it is.
    pub place: Place,
    /// How it is spoken to.
    pub transport: TurnTransport,
    /// How it stands.
    pub state: LenderState,
}

/// How a TURN server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LenderState {
    /// Nothing was wanted of it.
    NotAsked,
    /// Its answer is awaited.
    Asked,
    /// It lends this address.
    Lends(SocketAddrV4),
    /// It lent nothing when it was last asked.
    Refuses(LendFault),
}

/// What STUN servers show of the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outside {
    /// No server was there to ask.
    #[default]
    NotAsked,
    /// The answer is still awaited.
    Asking,
    /// UDP goes out and comes back.
    Seen,
    /// Nothing comes back: UDP is most likely blocked.
    Silent,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// With whom.
    pub peer: DeviceId,
    /// The peer's name.
    pub name: String,
    /// How it stands.
    pub state: LinkState,
    /// Why it is not on a direct path, if it is connected and is not.
    pub obstacle: Option<Obstacle>,
    /// What was counted.
    pub counts: LinkCounts,
    /// What happened, oldest first.
    pub history: Vec<LinkChange>,
    /// How the connection was, oldest first.
    pub samples: Vec<LinkSample>,
    /// The addresses that are tried.
    pub candidates: Vec<CandidateReport>,
}

/// Why a connected peer is reached through a server only. The first one that holds is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A direct path is still looked for.
    Searching,
    /// Our own UDP does not come through.
    NoUdpHere,
    /// The peer's UDP does not come through on its side.
    NoUdpThere,
    /// Both routers take another port towards everybody, so nobody knows where to knock.
    BothVary,
    /// One of both does; ports of it were guessed, and none was met so far.
    PortsGuessed,
    /// The peer has told no address of its own.
    NoAddress,
    /// None of the addresses answers: a router or a firewall on either side lets nothing in.
    NoAnswer,
}

/// One address of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateReport {
    /// The address.
    pub addr: SocketAddr,
    /// How it became known.
    pub origin: CandidateOrigin,
    /// What is known of it.
    pub state: CandidateState,
}

/// How an address became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateOrigin {
    /// It worked before, or was on the peer's card.
    Kept,
    /// The peer says so.
    Told,
    /// A probe of the peer came from there.
    Heard,
    /// A person says so.
    Placed,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateState {
    /// Not tried yet.
    Untried,
    /// Tried, without an answer that still counts.
    Silent,
    /// It answers, within this time.
    Answers(Duration),
}
