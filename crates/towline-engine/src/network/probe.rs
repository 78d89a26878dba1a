//! Probes: small authenticated datagrams that prove that an address leads to a peer and back.
//!
//! A probe is [`PROBE_BYTES`] long: magic (1), tag (8), nonce (24), sealed body (kind 1, number 8,
//! observed address 16 and port 2), seal (16). The tag is a MAC over the nonce under a key of the
//! pair, so nothing in a probe is ever the same as in another one. Whose it is costs a hash of one block for
//! each peer, and noise costs no more. The seal is XChaCha20-Poly1305 under a key of the pair and covers the hour
//! and the sender's id, so neither an old probe nor one that is thrown back at its sender opens.
//!
//! A large ping is padded to the longest datagram that there is between machines, and answered by a pong of
//! the usual length: then the way there carries as much.
//!
//! A ping is answered by a pong that tells from where the ping came. A matched pong is proof, if it comes from
//! where the ping went: whoever takes one from the line can send it from elsewhere. A ping is less for the same
//! reason, so it admits only an address that nobody has. Where nothing of ours was ever answered it is pinged back,
//! a few times and then seldom ([`Unproved`]), so that nobody is written to for long in somebody else's name.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use tokio::sync::mpsc;
use towline_core::clock::Moment;
use towline_core::identity::Identity;
use towline_core::io::NetworkEvent;
use towline_core::unproved::Unproved;
use towline_wire::ids::DeviceId;
use towline_wire::turn_address::TurnAddress;
use tracing::{debug, trace};
use zeroize::Zeroizing;

use super::path_socket::PathSocket;
use super::routes::{BYTES_AWAY_MAX, Proof, Through, normal};

/// First byte of a probe. Bit 0x40 is clear, as it never is in a QUIC packet, and the value is
/// none of STUN's.
const MAGIC: u8 = 0x2e;

const TAG_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const BODY_BYTES: usize = 1 + 8 + 16 + 2;
const SEAL_BYTES: usize = 16;

/// Bytes of a probe, ping or pong alike, so that answering amplifies nothing. A large ping has as much
/// behind it as is missing to [`BYTES_AWAY_MAX`].
pub(super) const PROBE_BYTES: usize = 1 + TAG_BYTES + NONCE_BYTES + BODY_BYTES + SEAL_BYTES;

/// What a probe says of its time: the hour. Shorter gains nothing, since copies are known by their numbers.
const WINDOW: Duration = Duration::from_secs(3600);

/// Windows accepted on either side of ours: 14, because a computer set to the wrong time zone is
/// up to 14 hours off.
const WINDOWS_ASIDE: u64 = 14;

/// Pings that wait for their pong: 2048, the 512 that guess ports within the [`PONG_DEADLINE`], those of
/// 512 scattered sockets, and a few per address of a few dozen peers. The oldest goes first.
const PINGS_OUTSTANDING_MAX: usize = 2048;

/// A pong that comes later than this proves nothing about now.
const PONG_DEADLINE: Duration = Duration::from_secs(5);

/// Answers to one peer in one second: 64. A peer sends up to 16 addresses times 4 pings when it
/// probes; a flood of copied pings costs us this much and no more.
const PONGS_PER_SECOND_MAX: u32 = 64;

/// Ping numbers remembered per peer to know copies: as many as may be answered in 8 s.
const NUMBERS_REMEMBERED: usize = 512;

/// A datagram whose tag is a peer's.
#[derive(Debug)]
pub(super) struct ProbeDatagram {
    pub(super) peer: DeviceId,
    pub(super) from: SocketAddr,
    /// Which of our addresses it came to, where the system says so.
    pub(super) to: Option<IpAddr>,
    /// Which of our sockets it came to.
    pub(super) through: Through,
    pub(super) bytes: [u8; PROBE_BYTES],
    /// With what was behind it.
    pub(super) length: Length,
}

/// The keys of all trusted peers.
pub(super) struct ProbeKeys {
    ours: DeviceId,
    keys_by_peer: BTreeMap<DeviceId, ProbeKey>,
}

struct ProbeKey {
    seal: XChaCha20Poly1305,
    tag: Zeroizing<[u8; 32]>,
}

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Please answer.
    Ping { number: u64, length: Length },
    /// The ping with this number came from there.
    Pong { number: u64, observed: SocketAddr },
}

/// How long a ping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// [`PROBE_BYTES`].
    Usual,
    /// [`BYTES_AWAY_MAX`].
    Large,
}

impl Length {
    /// What is of no length of a probe is none.
    pub(super) const fn of(bytes: usize) -> Option<Self> {
        match bytes {
            PROBE_BYTES => Some(Self::Usual),
            BYTES_AWAY_MAX => Some(Self::Large),
            _ => None,
        }
    }
}

/// Sends pings, answers pings, matches pongs.
pub(super) struct Prober {
    socket: Arc<PathSocket>,
    keys: Arc<RwLock<ProbeKeys>>,
    pings: std::sync::Mutex<VecDeque<Ping>>,
}

#[derive(Debug)]
struct Ping {
    number: u64,
    peer: DeviceId,
    to: SocketAddr,
    through: Through,
    length: Length,
    sent: Instant,
}

/// What is remembered of the pings of one peer.
#[derive(Debug)]
struct Heard {
    numbers: VecDeque<u64>,
    second: Instant,
    answered: u32,
    began: Instant,
    unproved: Unproved,
}

impl ProbeKeys {
    pub(super) fn new(ours: DeviceId) -> Self {
        Self {
            ours,
            keys_by_peer: BTreeMap::new(),
        }
    }

    /// Replaces the set of peers.
    pub(super) fn set_peers(&mut self, identity: &Identity, peers: &BTreeSet<DeviceId>) {
        self.keys_by_peer.retain(|peer, _| peers.contains(peer));
        for peer in peers {
            if self.keys_by_peer.contains_key(peer) {
                continue;
            }
            let Some(pair) = identity.pair_key(*peer) else {
                debug!("a peer's key is no usable point; it cannot be probed");
                continue;
            };
            let key = ProbeKey {
                seal: XChaCha20Poly1305::new((&*pair.derive("towline probe v2")).into()),
                tag: pair.derive("towline probe tag v2"),
            };
            self.keys_by_peer.insert(*peer, key);
        }
    }

    /// Whose tag the datagram bears.
    pub(super) fn peer_of(&self, bytes: &[u8; PROBE_BYTES]) -> Option<DeviceId> {
        let (magic, rest) = bytes.split_first()?;
        let (tag, rest) = rest.split_first_chunk::<TAG_BYTES>()?;
        let nonce = rest.first_chunk::<NONCE_BYTES>()?;
        if *magic != MAGIC {
            return None;
        }
        let mut keys = self.keys_by_peer.iter();
        let is_its = |key: &ProbeKey| key.tag(nonce) == *tag;
        keys.find(|(_, key)| is_its(key)).map(|(peer, _)| *peer)
    }

    fn seal(&self, peer: DeviceId, body: Body, window: u64) -> Option<[u8; PROBE_BYTES]> {
        let key = self.keys_by_peer.get(&peer)?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = body.encode();
        let aad = additional_data(window, self.ours);
        let seal = key
            .seal
            .encrypt_inout_detached(&XNonce::from(nonce), &aad, sealed.as_mut_slice().into())
            .ok()?;
        let tag = key.tag(&nonce);
        let mut bytes = [MAGIC; PROBE_BYTES];
        let parts = tag.iter().chain(&nonce).chain(&sealed).chain(seal.iter());
        for (slot, byte) in bytes.iter_mut().skip(1).zip(parts) {
            *slot = *byte;
        }
        Some(bytes)
    }

    fn open(&self, peer: DeviceId, bytes: &[u8; PROBE_BYTES], window: u64) -> Option<Body> {
        let key = self.keys_by_peer.get(&peer)?;
        let (_, rest) = bytes.split_first()?;
        let (_, rest) = rest.split_first_chunk::<TAG_BYTES>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let (sealed, rest) = rest.split_first_chunk::<BODY_BYTES>()?;
        let seal = Tag::from(*rest.first_chunk::<SEAL_BYTES>()?);
        let nonce = XNonce::from(*nonce);
        // Nearly every clock is right, so the first one opens it.
        let aside = (1..=WINDOWS_ASIDE)
            .flat_map(|aside| [window.saturating_sub(aside), window.saturating_add(aside)]);
        std::iter::once(window).chain(aside).find_map(|window| {
            let mut body = *sealed;
            let aad = additional_data(window, peer);
            let opened =
                key.seal
                    .decrypt_inout_detached(&nonce, &aad, body.as_mut_slice().into(), &seal);
            opened.ok().and_then(|()| Body::decode(&body))
        })
    }
}

impl ProbeKey {
    fn tag(&self, nonce: &[u8; NONCE_BYTES]) -> [u8; TAG_BYTES] {
        let mac = blake3::keyed_hash(&self.tag, nonce);
        let mut tag = [0; TAG_BYTES];
        for (slot, byte) in tag.iter_mut().zip(mac.as_bytes()) {
            *slot = *byte;
        }
        tag
    }
}

impl Body {
    fn encode(self) -> [u8; BODY_BYTES] {
        let (kind, number, observed) = match self {
            Self::Ping {
                number,
                length: Length::Usual,
            } => (1, number, None),
            Self::Ping {
                number,
                length: Length::Large,
            } => (3, number, None),
            Self::Pong { number, observed } => (2, number, Some(observed)),
        };
        let ip = observed.map_or(Ipv6Addr::UNSPECIFIED, |addr| match addr.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        });
        let port = observed.map_or(0, |addr| addr.port());
        let mut body = [kind; BODY_BYTES];
        let fields = number
            .to_le_bytes()
            .into_iter()
            .chain(ip.octets())
            .chain(port.to_le_bytes());
        for (slot, byte) in body.iter_mut().skip(1).zip(fields) {
            *slot = byte;
        }
        body
    }

    fn decode(body: &[u8; BODY_BYTES]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (ip, rest) = rest.split_first_chunk::<16>()?;
        let port = u16::from_le_bytes(*rest.first_chunk::<2>()?);
        let number = u64::from_le_bytes(*number);
        match *kind {
            1 => Some(Self::Ping {
                number,
                length: Length::Usual,
            }),
            3 => Some(Self::Ping {
                number,
                length: Length::Large,
            }),
            2 => {
                let ip = Ipv6Addr::from(*ip).to_canonical();
                Some(Self::Pong {
                    number,
                    observed: SocketAddr::new(ip, port),
                })
            }
            0 | 4..=u8::MAX => None,
        }
    }
}

/// Takes what the body of an opened probe may hold.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    if let Some(body) = bytes.first_chunk()
        && let Some(probe) = Body::decode(body)
    {
        assert_eq!(Body::decode(&probe.encode()), Some(probe));
    }
}

impl Prober {
    pub(super) fn new(socket: Arc<PathSocket>, keys: Arc<RwLock<ProbeKeys>>) -> Self {
        Self {
            socket,
            keys,
            pings: std::sync::Mutex::new(VecDeque::new()),
        }
    }

    /// Replaces the set of peers.
    pub(super) fn set_peers(&self, identity: &Identity, peers: &BTreeSet<DeviceId>) {
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .set_peers(identity, peers);
    }

    /// Sends a ping to an address of a peer, through the socket by which that is reached.
    pub(super) fn ping(&self, peer: DeviceId, to: SocketAddr) {
        if let Some(TurnAddress::Theirs(lent)) = TurnAddress::of(to) {
            let is_known = self.socket.routes().is_theirs(peer, lent);
            if !is_known {
                self.socket.routes_mut().note_theirs(peer, lent);
            }
        }
        let through = self.socket.routes().through(peer, to);
        if let Some(bytes) = self.new_ping(peer, to, through, Length::Usual) {
            self.socket.send_aside(to, None, through, &bytes);
        }
    }

    /// The same with a large ping.
    pub(super) fn ping_large(&self, peer: DeviceId, to: SocketAddr) {
        let through = self.socket.routes().through(peer, to);
        if let Some(bytes) = self.new_ping(peer, to, through, Length::Large) {
            let mut padded = bytes.to_vec();
            padded.resize(BYTES_AWAY_MAX, 0);
            self.socket.send_aside(to, None, through, &padded);
        }
    }

    /// A ping that somebody else sends through this socket now.
    pub(super) fn new_ping(
        &self,
        peer: DeviceId,
        to: SocketAddr,
        through: Through,
        length: Length,
    ) -> Option<[u8; PROBE_BYTES]> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).ok()?;
        let number = u64::from_le_bytes(number);
        let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
        if pings.len() >= PINGS_OUTSTANDING_MAX {
            pings.pop_front();
        }
        pings.push_back(Ping {
            number,
            peer,
            to,
            through,
            length,
            sent: Instant::now(),
        });
        drop(pings);
        self.sealed(peer, Body::Ping { number, length })
    }

    /// Whether these are the bytes of a probe that this peer has made.
    pub(super) fn is_of(&self, peer: DeviceId, bytes: &[u8; PROBE_BYTES]) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.peer_of(bytes) == Some(peer) && keys.open(peer, bytes, window_now()).is_some()
    }

    /// Works through incoming probes until the socket is gone.
    pub(super) async fn run(
        self: Arc<Self>,
        mut datagrams: mpsc::Receiver<ProbeDatagram>,
        events: mpsc::Sender<NetworkEvent>,
    ) {
        let mut heard_by_peer = HashMap::new();
        while let Some(datagram) = datagrams.recv().await {
            if let Some(event) = self.handle(&datagram, &mut heard_by_peer)
                && events.send(event).await.is_err()
            {
                return;
            }
        }
    }

    fn handle(
        &self,
        datagram: &ProbeDatagram,
        heard_by_peer: &mut HashMap<DeviceId, Heard>,
    ) -> Option<NetworkEvent> {
        let peer = datagram.peer;
        let body = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .open(peer, &datagram.bytes, window_now())?;
        match body {
            Body::Ping { length, .. } if length != datagram.length => None,
            Body::Ping { number, .. } => {
                let heard = heard_by_peer.entry(peer).or_insert_with(Heard::new);
                let proved = self.socket.routes().has_answered(peer, datagram.from);
                if !heard.is_new_and_within_rate(number) {
                    return None;
                }
                if !proved && !heard.may_answer_unproved(datagram.from) {
                    return None;
                }
                let pong = Body::Pong {
                    number,
                    observed: TurnAddress::of(datagram.from)
                        .map_or(datagram.from, |turn| SocketAddr::V4(turn.behind())),
                };
                let through = datagram.through;
                if let Some(bytes) = self.sealed(peer, pong) {
                    self.socket
                        .send_aside(datagram.from, datagram.to, through, &bytes);
                }
                self.socket
                    .routes_mut()
                    .admit_through(peer, datagram.from, Proof::Heard, through);
                let routes = self.socket.routes();
                let is_its = routes
                    .source(datagram.from)
                    .is_some_and(|known| known.peer == peer);
                if is_its {
                    routes.mark_probed(peer);
                }
                drop(routes);
                if !proved {
                    self.ping(peer, datagram.from);
                }
                Some(NetworkEvent::ProbeHeard {
                    peer,
                    from: datagram.from,
                })
            }
            Body::Pong { number, observed } => {
                let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
                let from = normal(datagram.from);
                let is_its = |ping: &Ping| {
                    (ping.number, ping.peer, ping.through) == (number, peer, datagram.through)
                        && normal(ping.to) == from
                };
                let at = pings.iter().position(is_its)?;
                let ping = pings.remove(at)?;
                drop(pings);
                let rtt = ping.sent.elapsed();
                if rtt > PONG_DEADLINE {
                    return None;
                }
                trace!(%observed, "seen by the peer at");
                let mut routes = self.socket.routes_mut();
                routes.admit_through(peer, ping.to, Proof::Answered, ping.through);
                routes.mark_probed(peer);
                let from = ping.to;
                match ping.length {
                    Length::Usual => Some(NetworkEvent::ProbeAnswered { peer, from, rtt }),
                    Length::Large => {
                        routes.carries_large(peer, from);
                        Some(NetworkEvent::LargeAnswered { peer, from })
                    }
                }
            }
        }
    }

    fn sealed(&self, peer: DeviceId, body: Body) -> Option<[u8; PROBE_BYTES]> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.seal(peer, body, window_now())
    }
}

impl Heard {
    fn new() -> Self {
        Self {
            numbers: VecDeque::new(),
            second: Instant::now(),
            answered: 0,
            began: Instant::now(),
            unproved: Unproved::default(),
        }
    }

    fn may_answer_unproved(&mut self, addr: SocketAddr) -> bool {
        let now = Moment::from_start(self.began.elapsed());
        self.unproved.may_be_answered(now, addr)
    }

    fn is_new_and_within_rate(&mut self, number: u64) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.answered = 0;
        }
        if self.answered >= PONGS_PER_SECOND_MAX || self.numbers.contains(&number) {
            return false;
        }
        self.answered += 1;
        if self.numbers.len() >= NUMBERS_REMEMBERED {
            self.numbers.pop_front();
        }
        self.numbers.push_back(number);
        true
    }
}

fn additional_data(window: u64, sender: DeviceId) -> Vec<u8> {
    let mut data = vec![MAGIC];
    data.extend_from_slice(&window.to_le_bytes());
    data.extend_from_slice(sender.as_bytes());
    data
}

fn window_now() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since_1970.as_secs() / WINDOW.as_secs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ping(number: u64) -> Body {
        let length = Length::Usual;
        Body::Ping { number, length }
    }

    fn pair() -> (ProbeKeys, ProbeKeys) {
        let (a, b) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let mut keys_a = ProbeKeys::new(a.id());
        keys_a.set_peers(&a, &BTreeSet::from([b.id()]));
        let mut keys_b = ProbeKeys::new(b.id());
        keys_b.set_peers(&b, &BTreeSet::from([a.id()]));
        (keys_a, keys_b)
    }

    #[test]
    fn a_probe_opens_at_its_peer_and_nowhere_else() {
        let (a, b) = pair();
        let sent = ping(7);
        let bytes = a.seal(b.ours, sent, 7).unwrap();
        assert_eq!(b.peer_of(&bytes), Some(a.ours));
        assert_eq!(b.open(a.ours, &bytes, 7), Some(sent));
        // Thrown back at its sender it bears the pair's tag, but does not open.
        assert_eq!(a.peer_of(&bytes), Some(b.ours));
        assert_eq!(a.open(b.ours, &bytes, 7), None);
    }

    #[test]
    fn two_probes_have_nothing_in_common_but_what_all_have() {
        let (a, b) = pair();
        let [one, other] = [(); 2].map(|()| a.seal(b.ours, ping(7), 7).unwrap());
        let common = one.iter().zip(&other).skip(1).filter(|(a, b)| a == b);
        // Of 75 random bytes 10 are alike once in 10^13 times.
        assert!(common.count() < 10);
    }

    #[test]
    fn clocks_may_differ_by_a_time_zone_but_probes_do_not_last() {
        let (a, b) = pair();
        for (window, opens) in [(86, true), (114, true), (85, false), (115, false)] {
            let bytes = a.seal(b.ours, ping(1), window).unwrap();
            assert_eq!(b.open(a.ours, &bytes, 100).is_some(), opens, "{window}");
        }
    }

    #[test]
    fn a_copied_ping_and_a_flood_are_not_answered() {
        let mut heard = Heard::new();
        assert!(heard.is_new_and_within_rate(1));
        assert!(!heard.is_new_and_within_rate(1));
        let answered = (2..1000)
            .filter(|number| heard.is_new_and_within_rate(*number))
            .count();
        assert!(answered < PONGS_PER_SECOND_MAX as usize);
    }

    proptest! {
        #[test]
        fn bodies_round_trip(number: u64, ip: [u8; 4], port: u16) {
            let observed = SocketAddr::from((ip, port));
            for body in [ping(number), Body::Ping { number, length: Length::Large }, Body::Pong { number, observed }] {
                prop_assert_eq!(Body::decode(&body.encode()), Some(body));
            }
        }

        #[test]
        fn a_changed_bit_does_not_open(at in 1..PROBE_BYTES * 8) {
            let (a, b) = pair();
            let mut bytes = a.seal(b.ours, ping(7), 7).unwrap();
            bytes[at / 8] ^= 1 << (at % 8);
            let opened = b.peer_of(&bytes).and_then(|peer| b.open(peer, &bytes, 7));
            prop_assert!(opened.is_none() || at < 8);
        }
    }
}
