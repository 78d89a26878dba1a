//! Which peer is reached how: the table behind the path socket.
//!
//! Towards quinn every peer has one synthetic IPv6 address (a ULA made of its key) whose *port*
//! names a path: [`DIALED_PORT`] on the side that dials, where quinn must see one address for good,
//! and on the side that accepts one port per path, so that quinn itself migrates (RFC 9000,
//! section 9) to the path on which the dialer's newest authenticated packet came. The lower key
//! dials. Towards the network there are real addresses, each admitted to one peer by proof.
//!
//! The table is bounded per peer and never holds an address that passed no proof.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use towline_core::io::Path;
use towline_wire::ids::DeviceId;
use towline_wire::turn_address::TurnAddress;

use super::addresses;
use super::relay::RelaySender;
use super::standstill::Standstill;

/// The synthetic port that the dialing side uses for every path.
const DIALED_PORT: u16 = 1;

/// The synthetic port of the relay path on the accepting side.
const RELAY_PORT: u16 = 2;

/// The first synthetic port of a direct path on the accepting side.
const FIRST_DIRECT_PORT: u16 = 3;

/// Addresses admitted per peer: 24. A peer names at most 16 and may show a few more through
/// address translation; the least recently proven goes first.
const ADDRESSES_PER_PEER_MAX: usize = 24;

/// Addresses that are known to be lent to peers: 64, one or two for each of those that are sought at once.
const THEIRS_MAX: usize = 64;

/// How lately quinn has sent by a packet channel whose end is the end of much: 3 s. What is older counts as overdue.
const RELAYED_LATELY_MS: u64 = 3000;

/// Which side of a connection we are for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// We dial and choose the path.
    Dials,
    /// The peer dials; our packets follow its packets.
    Accepts,
}

/// How well an address is proven to be a peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// The peer's own probe came from there; a copy of it could have come from elsewhere too.
    Heard,
    /// Our probe was answered from there, or the core chose it because of that.
    Answered,
}

/// Which of our UDP sockets a datagram comes to or goes through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Through {
    /// The one of its address family that carries everything.
    #[default]
    Main,
    /// One that was opened for one address of one peer ([`super::scatter`]).
    Extra(ExtraId),
}

/// Names an extra socket, unique within a device's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExtraId(pub(super) u64);

/// What a datagram from an admitted address means.
#[derive(Debug)]
pub(super) struct Source {
    /// The peer.
    pub(super) peer: DeviceId,
    /// What quinn is told as its address.
    pub(super) reported: SocketAddr,
    /// How far away it is.
    reach: Reach,
    /// By which of our sockets it is reached.
    through: Through,
    /// How well it is proved that it leads to the peer.
    proof: Proof,
    /// Whether a probe of [`BYTES_AWAY_MAX`] came back from there.
    large: Large,
    /// When a datagram last came this way, in milliseconds after [`Routes::started`].
    heard_ms: AtomicU64,
}

/// How far away the other end of a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// On this machine: datagrams of any size arrive.
    Here,
    /// Somewhere on the network.
    Away,
}

/// Whether a path is known to carry [`BYTES_AWAY_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Large {
    Unknown,
    Carried,
}

/// Where a datagram goes, and how long it may be.
#[derive(Debug)]
pub(super) struct Route<'a> {
    pub(super) way: Way<'a>,
    /// Longer datagrams are not sent, as if the path did not carry them.
    pub(super) bytes_max: usize,
}

/// By which means a datagram goes.
#[derive(Debug)]
pub(super) enum Way<'a> {
    /// Over UDP, by this socket of ours.
    Udp(SocketAddr, Through),
    /// Through the packet channel.
    Relay(&'a RelaySender),
}

/// The size that every path must carry (RFC 9000, section 14).
pub(super) const BYTES_EVERYWHERE: usize = 1200;

/// Bit of a QUIC packet's first byte that is set while a connection begins (RFC 9000, section 17.2).
const LONG_HEADER: u8 = 0x80;

/// Largest datagram on a direct path to another machine: 1452 bytes, Ethernet's 1500 with IPv6
/// headers.
pub(super) const BYTES_AWAY_MAX: usize = 1452;

/// Largest datagram between two devices on this machine: 6500 bytes. Ten of them are the 64 KiB that
/// segmentation offload takes at once; each is a sixth of the work of packets of 1200 bytes.
pub(super) const BYTES_HERE_MAX: u16 = 6500;

/// All peers and their paths.
#[derive(Debug)]
pub(super) struct Routes {
    ours: DeviceId,
    started: Instant,
    sources_by_addr: HashMap<SocketAddr, Source>,
    /// Addresses that TURN servers lend to peers, the latest last.
    theirs: VecDeque<(DeviceId, SocketAddrV4)>,
    peers_by_ula: HashMap<Ipv6Addr, PeerRoutes>,
}

/// Whether a peer's datagrams are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Trusted,
    ShutOut,
}

#[derive(Debug)]
struct PeerRoutes {
    id: DeviceId,
    role: Role,
    standing: Standing,
    selected: Option<Path>,
    /// Told when what is dialled goes another way from now on.
    dial_moved: Arc<Notify>,
    /// Where we dial: the length up to which datagrams have gone on paths that carry them. quinn does
    /// not notice when we move to another path, so it goes on with that length there.
    sent_max: AtomicUsize,
    /// Told of every batch that quinn sends.
    sent: Arc<Notify>,
    /// Whether the peer answers.
    standstill: Standstill,
    /// Admitted addresses with their synthetic ports, the least recently proven first.
    direct: Vec<(SocketAddr, u16)>,
    next_port: u16,
    relay: Option<RelaySender>,
    relay_source: Source,
    /// When quinn last sent by a packet channel, in milliseconds since the start; 0 while it never has.
    relayed_ms: AtomicU64,
}

impl Routes {
    pub(super) fn new(ours: DeviceId) -> Self {
        Self {
            ours,
            started: Instant::now(),
            sources_by_addr: HashMap::new(),
            theirs: VecDeque::new(),
            peers_by_ula: HashMap::new(),
        }
    }

    /// Makes room for a peer that is trusted from now on.
    pub(super) fn add_peer(&mut self, peer: DeviceId) {
        let role = self.role(peer);
        let port = match role {
            Role::Dials => DIALED_PORT,
            Role::Accepts => RELAY_PORT,
        };
        let ula = ula_of(peer);
        let routes = self.peers_by_ula.entry(ula).or_insert_with(|| PeerRoutes {
            id: peer,
            role,
            standing: Standing::Trusted,
            selected: None,
            dial_moved: Arc::default(),
            sent_max: AtomicUsize::new(BYTES_EVERYWHERE),
            sent: Arc::default(),
            standstill: Standstill::since(self.started),
            direct: Vec::new(),
            next_port: FIRST_DIRECT_PORT,
            relay: None,
            relay_source: Source::new(peer, synthetic(ula, port), Reach::Away),
            relayed_ms: AtomicU64::new(0),
        });
        routes.standing = Standing::Trusted;
    }

    /// Admits nothing from this peer any more. Its way out stays, so that the news that the
    /// connection is closed can still leave.
    pub(super) fn shut_out(&mut self, peer: DeviceId) {
        self.sources_by_addr.retain(|_, source| source.peer != peer);
        if let Some(routes) = self.peers_by_ula.get_mut(&ula_of(peer)) {
            routes.standing = Standing::ShutOut;
        }
    }

    /// Which side dials: the lower key.
    pub(super) fn role(&self, peer: DeviceId) -> Role {
        if self.ours < peer {
            Role::Dials
        } else {
            Role::Accepts
        }
    }

    /// The peer behind a synthetic address.
    pub(super) fn peer_at(&self, synthetic: SocketAddr) -> Option<DeviceId> {
        Some(self.behind(synthetic)?.id)
    }

    /// From now on datagrams from `addr` are this peer's. A weaker proof never takes an address
    /// from another peer.
    pub(super) fn admit(&mut self, peer: DeviceId, addr: SocketAddr, proof: Proof) {
        self.admit_through(peer, addr, proof, Through::Main);
    }

    /// The same; what goes to the address goes through the socket by which the peer has last probed us from there:
    /// it keeps that way open. An answer moves it to an extra socket only.
    pub(super) fn admit_through(
        &mut self,
        peer: DeviceId,
        addr: SocketAddr,
        proof: Proof,
        through: Through,
    ) {
        let addr = normal(addr);
        let ula = ula_of(peer);
        let Some(routes) = self.peers_by_ula.get_mut(&ula) else {
            return;
        };
        if routes.standing == Standing::ShutOut {
            return;
        }
        match self.sources_by_addr.get_mut(&addr) {
            Some(known) if known.peer == peer => {
                if through != Through::Main || proof == Proof::Heard {
                    known.through = through;
                }
                if proof == Proof::Answered {
                    known.proof = proof;
                }
                return routes.keep_longest(addr);
            }
            Some(_) if proof == Proof::Heard => return,
            Some(_) | None => {}
        }
        let port = match routes.role {
            Role::Dials => DIALED_PORT,
            Role::Accepts => routes.next_port,
        };
        routes.next_port = routes.next_port.checked_add(1).unwrap_or(FIRST_DIRECT_PORT);
        routes.direct.retain(|(known, _)| *known != addr);
        if routes.direct.len() >= ADDRESSES_PER_PEER_MAX {
            let (oldest, _) = routes.direct.remove(0);
            if self
                .sources_by_addr
                .get(&oldest)
                .is_some_and(|source| source.peer == peer)
            {
                self.sources_by_addr.remove(&oldest);
            }
        }
        routes.direct.push((addr, port));
        let mut source = Source::new(peer, synthetic(ula, port), Reach::of(addr));
        source.through = through;
        source.proof = proof;
        self.sources_by_addr.insert(addr, source);
    }

    /// An extra socket is closed: what was proved by it is proved no more.
    pub(super) fn forget_extra(&mut self, peer: DeviceId, extra: ExtraId) {
        let through = Through::Extra(extra);
        self.sources_by_addr
            .retain(|_, source| source.through != through);
        let sources = &self.sources_by_addr;
        if let Some(routes) = self.peers_by_ula.get_mut(&ula_of(peer)) {
            routes.direct.retain(|(addr, _)| sources.contains_key(addr));
        }
    }

    /// A probe of [`BYTES_AWAY_MAX`] came back from an address of a peer.
    pub(super) fn carries_large(&mut self, peer: DeviceId, addr: SocketAddr) {
        let source = self.sources_by_addr.get_mut(&normal(addr));
        if let Some(source) = source.filter(|source| source.peer == peer) {
            source.large = Large::Carried;
        }
    }

    /// Whether what an address has sent goes on to quinn. Where the peer dials, quinn follows its packets: it would
    /// send to whoever those seem to come from, so from an address that was only heard of it sees no more than how a
    /// connection begins, which it answers within the bounds of RFC 9000, section 8.
    pub(super) fn lets_in(&self, source: &Source, mut quic: impl Iterator<Item = u8>) -> bool {
        match (self.role(source.peer), source.proof) {
            (Role::Dials, _) | (Role::Accepts, Proof::Answered) => true,
            (Role::Accepts, Proof::Heard) => quic.all(|first| first & LONG_HEADER != 0),
        }
    }

    /// Whether a probe of ours was ever answered from this address of a peer, while it was known.
    pub(super) fn has_answered(&self, peer: DeviceId, addr: SocketAddr) -> bool {
        let source = self.source(addr).filter(|source| source.peer == peer);
        source.is_some_and(|source| source.proof == Proof::Answered)
    }

    /// By which of our sockets an address of a peer is reached.
    pub(super) fn through(&self, peer: DeviceId, addr: SocketAddr) -> Through {
        let source = self.source(addr).filter(|source| source.peer == peer);
        source.map_or(Through::Main, |source| source.through)
    }

    /// Chooses the path for what we send on a connection that we dial; returns the one before.
    pub(super) fn select(&mut self, peer: DeviceId, path: Path) -> Option<Path> {
        if let Path::Direct(addr) = path {
            self.admit(peer, addr, Proof::Answered);
        }
        let routes = self.peers_by_ula.get_mut(&ula_of(peer))?;
        let before = routes.selected.replace(path);
        if before != Some(path) {
            routes.dial_moved.notify_one();
        }
        before
    }

    /// What is told when packets to this peer go another way than before, for the one that dials: what it has sent
    /// went nowhere, and quinn sends it again ever more rarely.
    pub(super) fn dial_moved(&self, peer: DeviceId) -> Arc<Notify> {
        let routes = self.peers_by_ula.get(&ula_of(peer));
        routes.map_or_else(Arc::default, |routes| Arc::clone(&routes.dial_moved))
    }

    /// Puts the packet channel in place, or takes it away. What was on its way by the one before is lost.
    pub(super) fn set_relay(&mut self, peer: DeviceId, relay: Option<RelaySender>) {
        let now = Instant::now();
        let now_ms = self.ms(now);
        if let Some(routes) = self.peers_by_ula.get_mut(&ula_of(peer)) {
            if relay.is_some() {
                let relayed_ms = routes.relayed_ms.load(Ordering::Relaxed);
                if relayed_ms != 0 && now_ms.saturating_sub(relayed_ms) < RELAYED_LATELY_MS {
                    routes.standstill.note_loss();
                } else {
                    routes.standstill.note_way(now);
                }
                if routes.selected == Some(Path::Relay) {
                    routes.dial_moved.notify_one();
                }
            }
            routes.relay = relay;
        }
    }

    /// The address to give to quinn when dialing; `None` while no path is selected. The new
    /// connection begins with datagrams that every path carries.
    pub(super) fn dial_address(&self, peer: DeviceId) -> Option<SocketAddr> {
        let ula = ula_of(peer);
        let routes = self.peers_by_ula.get(&ula)?;
        routes.selected?;
        routes.sent_max.store(BYTES_EVERYWHERE, Ordering::Relaxed);
        Some(synthetic(ula, DIALED_PORT))
    }

    /// The meaning of a datagram from `addr`; `None` when the address passed no proof. What comes from an address
    /// that is lent to a peer has that meaning, unless the address was proved by itself.
    pub(super) fn source(&self, addr: SocketAddr) -> Option<&Source> {
        let addr = normal(addr);
        let plain = self.sources_by_addr.get(&addr);
        let lent = match addr {
            SocketAddr::V4(lent) if !self.theirs.is_empty() => {
                let theirs = TurnAddress::Theirs(lent).written();
                self.sources_by_addr.get(&theirs)
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => None,
        };
        let proved = plain.filter(|source| source.proof == Proof::Answered);
        proved.or(lent).or(plain)
    }

    /// Notes that an address is one that is lent to this peer, as it says.
    pub(super) fn note_theirs(&mut self, peer: DeviceId, lent: SocketAddrV4) {
        if !self.theirs.contains(&(peer, lent)) {
            if self.theirs.len() >= THEIRS_MAX {
                self.theirs.pop_front();
            }
            self.theirs.push_back((peer, lent));
        }
    }

    /// Whether this is noted.
    pub(super) fn is_theirs(&self, peer: DeviceId, lent: SocketAddrV4) -> bool {
        self.theirs.contains(&(peer, lent))
    }

    /// How an address is called from which this peer has spoken.
    pub(super) fn named(&self, peer: DeviceId, from: SocketAddr) -> SocketAddr {
        match normal(from) {
            SocketAddr::V4(lent) if self.is_theirs(peer, lent) => {
                TurnAddress::Theirs(lent).written()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => from,
        }
    }

    /// The meaning of a datagram from the packet channel with this peer.
    pub(super) fn relay_source(&self, peer: DeviceId) -> Option<&Source> {
        let routes = self.peers_by_ula.get(&ula_of(peer))?;
        (routes.standing == Standing::Trusted).then_some(&routes.relay_source)
    }

    /// Where quinn's datagrams to a synthetic address go, and how long they may be; `None` drops
    /// them. `bytes` is the length of the longest now, which is remembered; [`Self::sent_to`] is told.
    ///
    /// On the side that accepts quinn knows the path, and finds for each how much it carries. On the
    /// side that dials it does not, so only a path that is proved to carry more than
    /// [`BYTES_EVERYWHERE`] may let it believe in more; what it has come to believe in the relay carries,
    /// too, and the core moves to a direct path when that has shown the same.
    pub(super) fn route(&self, synthetic: SocketAddr, bytes: usize) -> Option<Route<'_>> {
        let routes = self.behind(synthetic)?;
        routes.sent.notify_one();
        routes.standstill.note_sent(Instant::now(), bytes);
        let mut way = routes.way(synthetic)?;
        let source = match &mut way {
            Way::Udp(addr, through) => {
                let source = self.source(*addr);
                *through = source.map_or(Through::Main, |source| source.through);
                source
            }
            Way::Relay(_) => {
                let now_ms = self.ms(Instant::now());
                routes.relayed_ms.store(now_ms, Ordering::Relaxed);
                None
            }
        };
        let reach = source.map_or(Reach::Away, |source| source.reach);
        let large = source.map_or(Large::Unknown, |source| source.large);
        let bytes_max = match (reach, routes.role, &way) {
            (Reach::Here, Role::Dials, _) => routes.sends(bytes, usize::from(BYTES_HERE_MAX)),
            (Reach::Here, Role::Accepts, _) => usize::from(BYTES_HERE_MAX),
            (Reach::Away, Role::Dials, _) => match large {
                Large::Carried => routes.sends(bytes, BYTES_AWAY_MAX),
                Large::Unknown => routes.sends(bytes, BYTES_EVERYWHERE),
            },
            (Reach::Away, Role::Accepts, Way::Udp(..)) => BYTES_AWAY_MAX,
            (Reach::Away, Role::Accepts, Way::Relay(_)) => BYTES_EVERYWHERE,
        };
        Some(Route { way, bytes_max })
    }

    /// Milliseconds since the start, from 1.
    fn ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX).max(1)
    }

    /// How far the path reaches to which `synthetic` leads now.
    pub(super) fn reach(&self, synthetic: SocketAddr) -> Reach {
        let way = self
            .behind(synthetic)
            .and_then(|routes| routes.way(synthetic));
        match way {
            Some(Way::Udp(addr, _)) => self.source(addr).map_or(Reach::Away, |source| source.reach),
            Some(Way::Relay(_)) | None => Reach::Away,
        }
    }

    /// What is told when quinn sends this peer anything, for the one that waits for it. A stranger is
    /// sent nothing.
    pub(super) fn sent_to(&self, peer: DeviceId) -> Arc<Notify> {
        let routes = self.peers_by_ula.get(&ula_of(peer));
        routes.map_or_else(Arc::default, |routes| Arc::clone(&routes.sent))
    }

    /// Notes that something came this way, and what QUIC has in it.
    pub(super) fn mark_heard(&self, source: &Source, quic: &[u8]) {
        let now = Instant::now();
        source.mark_heard(now.saturating_duration_since(self.started));
        if let (Some(routes), Some(first)) = (self.behind(source.reported), quic.first()) {
            routes.standstill.note_heard(now, *first);
        }
    }

    /// Notes that a probe of this peer came.
    pub(super) fn mark_probed(&self, peer: DeviceId) {
        if let Some(routes) = self.peers_by_ula.get(&ula_of(peer)) {
            routes.standstill.note_way(Instant::now());
        }
    }

    /// Whether this peer answers; of a stranger nobody asks.
    pub(super) fn standstill(&self, peer: DeviceId) -> Standstill {
        let routes = self.peers_by_ula.get(&ula_of(peer));
        routes.map_or_else(
            || Standstill::since(self.started),
            |routes| routes.standstill.clone(),
        )
    }

    /// Time since the last datagram on the path to which `synthetic` leads now.
    pub(super) fn silent_for(&self, synthetic: SocketAddr) -> Duration {
        let routes = self.behind(synthetic);
        let heard = routes.and_then(|routes| match routes.way(synthetic)? {
            Way::Udp(addr, _) => self.source(addr).map(Source::heard),
            Way::Relay(_) => Some(routes.relay_source.heard()),
        });
        self.started
            .elapsed()
            .saturating_sub(heard.unwrap_or_default())
    }

    fn behind(&self, synthetic: SocketAddr) -> Option<&PeerRoutes> {
        match synthetic.ip() {
            IpAddr::V6(ula) => self.peers_by_ula.get(&ula),
            IpAddr::V4(_) => None,
        }
    }
}

impl PeerRoutes {
    /// The path that one of this peer's synthetic addresses stands for; by which socket, its source knows.
    fn way(&self, synthetic: SocketAddr) -> Option<Way<'_>> {
        match (synthetic.port(), self.role) {
            (DIALED_PORT, Role::Dials) => match self.selected? {
                Path::Direct(addr) => Some(Way::Udp(addr, Through::Main)),
                Path::Relay => self.relay.as_ref().map(Way::Relay),
            },
            (RELAY_PORT, Role::Accepts) => self.relay.as_ref().map(Way::Relay),
            (port, Role::Accepts) => self
                .direct
                .iter()
                .find(|(_, known)| *known == port)
                .map(|(addr, _)| Way::Udp(*addr, Through::Main)),
            (_, Role::Dials) => None,
        }
    }

    /// How long datagrams may be on a path that carries `carried`, where we dial; `bytes` is the length now.
    fn sends(&self, bytes: usize, carried: usize) -> usize {
        if bytes <= carried {
            self.sent_max.fetch_max(bytes, Ordering::Relaxed);
        }
        self.sent_max.load(Ordering::Relaxed).max(carried)
    }

    /// An address that is proven again, as that of the path in use always is, goes last.
    fn keep_longest(&mut self, addr: SocketAddr) {
        if let Some(at) = self.direct.iter().position(|(known, _)| *known == addr) {
            let entry = self.direct.remove(at);
            self.direct.push(entry);
        }
    }
}

impl Reach {
    /// The longest datagram that a path of this reach may carry.
    pub(super) fn bytes_max(self) -> u16 {
        match self {
            Self::Here => BYTES_HERE_MAX,
            // The smaller one fits, too.
            Self::Away => u16::try_from(BYTES_AWAY_MAX).unwrap_or(BYTES_HERE_MAX),
        }
    }

    pub(super) fn of(addr: SocketAddr) -> Self {
        if addresses::is_ours(addr.ip()) {
            Self::Here
        } else {
            Self::Away
        }
    }
}

impl Source {
    fn new(peer: DeviceId, reported: SocketAddr, reach: Reach) -> Self {
        Self {
            peer,
            reported,
            reach,
            through: Through::Main,
            proof: Proof::Heard,
            large: Large::Unknown,
            heard_ms: AtomicU64::new(0),
        }
    }

    fn mark_heard(&self, now: Duration) {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now, Ordering::Relaxed);
    }

    fn heard(&self) -> Duration {
        Duration::from_millis(self.heard_ms.load(Ordering::Relaxed))
    }
}

/// The synthetic address of a peer: `fd` and 15 bytes of its key. It never leaves this process.
fn ula_of(peer: DeviceId) -> Ipv6Addr {
    let mut octets = [0xfd; 16];
    for (octet, key_byte) in octets.iter_mut().skip(1).zip(peer.as_bytes()) {
        *octet = *key_byte;
    }
    Ipv6Addr::from(octets)
}

fn synthetic(ula: Ipv6Addr, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(ula), port)
}

/// The one spelling of an address: IPv4 as IPv4, no flow label.
pub(super) fn normal(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
            None => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(first: u8) -> DeviceId {
        DeviceId::from_public_key([first; 32])
    }

    /// An address of a network for documentation, which no machine has.
    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 1], port))
    }

    fn way(routes: &Routes, synthetic: SocketAddr) -> Option<Way<'_>> {
        Some(routes.route(synthetic, BYTES_EVERYWHERE)?.way)
    }

    #[test]
    fn only_this_machine_carries_more_than_every_path_must_where_we_dial() {
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut routes = Routes::new(device(1));
        routes.add_peer(device(2));
        routes.select(device(2), Path::Direct(addr(1)));
        let dialed = routes.dial_address(device(2)).unwrap();
        assert_eq!(routes.route(dialed, 1452).unwrap().bytes_max, 1200);
        routes.select(device(2), Path::Direct(here(1)));
        assert_eq!(routes.route(dialed, 5000).unwrap().bytes_max, 6500);
        // quinn goes on with 5000, and must find that they arrive.
        routes.select(device(2), Path::Direct(addr(1)));
        assert_eq!(routes.route(dialed, 5000).unwrap().bytes_max, 5000);
    }

    #[test]
    fn the_dialer_believes_in_more_only_on_a_path_that_has_carried_it() {
        let bytes_max = |routes: &Routes, bytes| {
            let dialed = SocketAddr::new(IpAddr::V6(ula_of(device(2))), DIALED_PORT);
            routes.route(dialed, bytes).unwrap().bytes_max
        };
        let mut routes = Routes::new(device(1));
        routes.add_peer(device(2));
        routes.select(device(2), Path::Direct(addr(1)));
        routes.carries_large(device(3), addr(1));
        assert_eq!(bytes_max(&routes, 1452), 1200, "somebody else's word");
        routes.carries_large(device(2), addr(1));
        assert_eq!(bytes_max(&routes, 3850), 1452);
        routes.select(device(2), Path::Direct(addr(2)));
        assert_eq!(bytes_max(&routes, 1200), 1200, "nothing long was sent");
        routes.select(device(2), Path::Direct(addr(1)));
        assert_eq!(bytes_max(&routes, 1440), 1452);
        // quinn may go on with what was carried.
        routes.select(device(2), Path::Direct(addr(2)));
        assert_eq!(bytes_max(&routes, 1440), 1440);
        routes.dial_address(device(2));
        assert_eq!(bytes_max(&routes, 1200), 1200, "another connection");
    }

    #[test]
    fn the_acceptor_lets_each_path_carry_what_it_can() {
        let mut routes = Routes::new(device(2));
        routes.add_peer(device(1));
        for (ip, bytes_max) in [([127, 0, 0, 1], 6500), ([203, 0, 113, 1], 1452)] {
            let addr = SocketAddr::from((ip, 1));
            routes.admit(device(1), addr, Proof::Heard);
            let reported = routes.source(addr).unwrap().reported;
            assert_eq!(routes.route(reported, 1200).unwrap().bytes_max, bytes_max);
        }
    }

    #[test]
    fn the_dialer_shows_quinn_one_address_for_every_path() {
        let mut routes = Routes::new(device(1));
        routes.add_peer(device(2));
        assert_eq!(routes.dial_address(device(2)), None);
        routes.select(device(2), Path::Direct(addr(1)));
        routes.admit(device(2), addr(2), Proof::Heard);
        let dialed = routes.dial_address(device(2)).unwrap();
        for from in [addr(1), addr(2)] {
            assert_eq!(routes.source(from).unwrap().reported, dialed);
        }
        assert_eq!(routes.relay_source(device(2)).unwrap().reported, dialed);
        assert!(matches!(way(&routes, dialed), Some(Way::Udp(to, Through::Main)) if to == addr(1)));
    }

    #[test]
    fn the_acceptor_gives_every_path_a_port_and_answers_on_it() {
        let mut routes = Routes::new(device(2));
        routes.add_peer(device(1));
        routes.admit(device(1), addr(1), Proof::Heard);
        routes.admit(device(1), addr(2), Proof::Heard);
        let first = routes.source(addr(1)).unwrap().reported;
        let second = routes.source(addr(2)).unwrap().reported;
        assert_ne!(first.port(), second.port());
        assert!(matches!(way(&routes, first), Some(Way::Udp(to, Through::Main)) if to == addr(1)));
        assert!(matches!(way(&routes, second), Some(Way::Udp(to, Through::Main)) if to == addr(2)));
        assert_eq!(routes.peer_at(second), Some(device(1)));
    }

    #[test]
    fn from_where_a_dialer_was_only_heard_a_connection_may_begin_and_no_more() {
        let (initial, short) = (0xc3, 0x43);
        for (ours, is_let_in) in [(1, true), (9, false)] {
            let mut routes = Routes::new(device(ours));
            routes.add_peer(device(5));
            routes.admit(device(5), addr(1), Proof::Heard);
            let lets_in = |routes: &Routes, firsts: &[u8]| {
                let source = routes.source(addr(1)).unwrap();
                routes.lets_in(source, firsts.iter().copied())
            };
            assert!(lets_in(&routes, &[initial]));
            assert_eq!(lets_in(&routes, &[short]), is_let_in);
            assert_eq!(lets_in(&routes, &[initial, short]), is_let_in);
            routes.admit(device(5), addr(1), Proof::Answered);
            routes.admit(device(5), addr(1), Proof::Heard);
            assert!(lets_in(&routes, &[short]), "it has answered");
        }
    }

    #[test]
    fn what_an_address_answered_as_a_lent_one_counts_where_it_was_only_heard_by_itself() {
        let lent: SocketAddrV4 = "198.51.100.7:5000".parse().unwrap();
        let mut routes = Routes::new(device(9));
        routes.add_peer(device(1));
        routes.admit(device(1), lent.into(), Proof::Heard);
        routes.note_theirs(device(1), lent);
        let theirs = TurnAddress::Theirs(lent).written();
        routes.admit(device(1), theirs, Proof::Answered);
        assert!(routes.has_answered(device(1), lent.into()));
        let source = routes.source(lent.into()).unwrap();
        assert_eq!(source.reported, routes.source(theirs).unwrap().reported);
    }

    #[test]
    fn a_heard_probe_takes_no_address_from_another_peer() {
        let mut routes = Routes::new(device(9));
        routes.add_peer(device(1));
        routes.add_peer(device(2));
        routes.admit(device(1), addr(1), Proof::Heard);
        routes.admit(device(2), addr(1), Proof::Heard);
        assert_eq!(routes.source(addr(1)).unwrap().peer, device(1));
        routes.admit(device(2), addr(1), Proof::Answered);
        assert_eq!(routes.source(addr(1)).unwrap().peer, device(2));
    }

    #[test]
    fn an_address_is_reached_by_the_socket_that_the_peer_probed_last_until_that_is_forgotten() {
        for ours in [1, 9] {
            let (peer, extra) = (device(5), Through::Extra(ExtraId(7)));
            let mut routes = Routes::new(device(ours));
            routes.add_peer(peer);
            routes.admit(peer, addr(1), Proof::Answered);
            routes.admit_through(peer, addr(1), Proof::Heard, extra);
            routes.admit(peer, addr(1), Proof::Answered);
            routes.admit(peer, addr(2), Proof::Heard);
            routes.select(peer, Path::Direct(addr(1)));
            assert_eq!(routes.through(peer, addr(1)), extra);
            assert_eq!(routes.through(device(6), addr(1)), Through::Main);
            let reported = routes.source(addr(1)).unwrap().reported;
            assert!(
                matches!(way(&routes, reported), Some(Way::Udp(to, by)) if (to, by) == (addr(1), extra))
            );
            routes.forget_extra(peer, ExtraId(8));
            assert!(routes.source(addr(1)).is_some());
            routes.admit_through(peer, addr(1), Proof::Heard, Through::Main);
            assert_eq!(routes.through(peer, addr(1)), Through::Main);
            routes.admit_through(peer, addr(1), Proof::Answered, extra);
            routes.forget_extra(peer, ExtraId(7));
            assert!(routes.source(addr(1)).is_none());
            assert!(routes.source(addr(2)).is_some());
        }
    }

    #[test]
    fn strangers_and_the_shut_out_mean_nothing() {
        let mut routes = Routes::new(device(9));
        routes.admit(device(1), addr(1), Proof::Answered);
        assert!(routes.source(addr(1)).is_none());
        routes.add_peer(device(1));
        routes.admit(device(1), addr(1), Proof::Answered);
        routes.shut_out(device(1));
        assert!(routes.source(addr(1)).is_none());
    }

    #[test]
    fn the_least_recently_proven_address_makes_room() {
        let mut routes = Routes::new(device(9));
        routes.add_peer(device(1));
        let in_use = addr(1000);
        for port in 0..100 {
            routes.admit(device(1), in_use, Proof::Heard);
            routes.admit(device(1), addr(port), Proof::Heard);
        }
        assert!(routes.source(addr(0)).is_none());
        assert!(routes.source(in_use).is_some());
        assert!(routes.source(addr(99)).is_some());
        assert_eq!(routes.sources_by_addr.len(), ADDRESSES_PER_PEER_MAX);
    }
}
