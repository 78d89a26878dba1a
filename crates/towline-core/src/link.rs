//! The connection with one peer, and the path that it uses.
//!
//! States: Seeking (probing; whatever works first is taken), Dialing, Up, Waiting (for the next
//! try) and Impostor (until a person acts). The device with the lower key is the dialer: it alone
//! asks for the relay, dials and selects paths. The acceptor probes too, which opens its NAT and
//! teaches it the dialer's addresses; its packets follow the dialer's.
//!
//! The dialer takes the first direct answer, or the relay once that is open and `steering::DIRECT_GRACE` is
//! over. From then on it moves to any direct path that proves better (`paths`), and back to the
//! relay when the direct path is silent. The relay channel stays open under a direct path: it costs
//! one quiet socket and makes the way back instant.
//!
//! Where one side's router gives every destination another port, the sides meet by `birthday`.
//!
//! A peer that has begun anew is noticed before its silence is (`restart`).
//!
//! This machine sends no bytes; it asks the network, and tells its peer sealed addresses through
//! the signal server (`seal`).

mod birthday;
mod elsewhere;
mod lent;
mod metrics;
mod nearby;
mod outlook;
mod paths;
mod relay;
mod restart;
mod seal;
mod sight;
mod steering;
mod unrest;

use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towline_wire::card::listenable;
use towline_wire::ids::DeviceId;
use towline_wire::limits::ADDRESSES_MAX;
use towline_wire::peer::{Control, Reflection};
use towline_wire::turn_address::TurnAddress;

use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{
    ConnectionId, DatagramSize, LinkFault, NeighbourName, NetworkEvent, NetworkRequest,
    NetworkScope, Path,
};
use crate::outbox::Outbox;
use crate::ration::Ration;
use crate::records::PeerRecord;
use crate::report::Outside;
use crate::snapshot::Oneness;

use birthday::{Birthday, MeetingFrame};
use elsewhere::{Shunned, Whereabouts};
use lent::Lent;
use metrics::Metrics;
use nearby::Nearby;
use outlook::Outlook;
use paths::Paths;
use relay::Relay;
use restart::Restart;
use seal::{Run, Seal};
use steering::{DIRECT_GRACE, KEEPALIVE};
pub(crate) use unrest::is_left;

pub use metrics::{ConnectTimes, LinkChange, LinkCounts, LinkSample, LinkSight};

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

/// The connection with one peer.
pub struct Link {
    peer: DeviceId,
    role: Role,
    phase: Phase,
    presence: Presence,
    relay: Relay,
    paths: Paths,
    nearby: Nearby,
    scope: NetworkScope,
    seal: Seal,
    /// Addresses by which the peer was reached, latest first, as the device keeps them.
    kept: Vec<SocketAddr>,
    /// Where this device listens.
    local: Vec<SocketAddr>,
    /// From where others see it.
    reflection: Reflection,
    outlook: Outlook,
    /// What is lent to it.
    lent: Lent,
    birthday: Birthday,
    backoff: Backoff,
    restart: Restart,
    /// Before this no silence is told again.
    doubt_at: Moment,
    /// The peer's last word was that it does not trust this device. It is said once, and shown
    /// until both are connected again.
    was_refused: bool,
    shunned: Option<Shunned>,
    whereabouts: Whereabouts,
    oneness: Oneness,
    metrics: Metrics,
}

/// Which of both opens the connection and selects its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Dialer,
    Acceptor,
}

/// Whether the signal server sees the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Online,
    Offline,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not started.
    Idle,
    Seeking {
        since: Moment,
    },
    Dialing {
        path: Path,
        deadline: Moment,
    },
    Up(Up),
    Waiting {
        fault: LinkFault,
        retry_at: Moment,
    },
    Impostor,
}

/// A connection that stands.
#[derive(Debug, Clone, Copy)]
struct Up {
    connection: ConnectionId,
    since: Moment,
    /// The path that the dialer has selected; the acceptor's is seen from the peer's probes.
    selected: Option<Path>,
    /// When the selected direct path, silent while we send, is given up.
    suspect_until: Option<Moment>,
    /// How long the datagrams are by now.
    datagrams: DatagramSize,
    /// When a better path may be taken that has not yet shown that it carries them.
    settles_at: Option<Moment>,
    /// When a path that worked was last left for one with a shorter round trip.
    moved_at: Option<Moment>,
    /// When the selected direct path is probed again.
    keepalive_at: Moment,
    /// Before this nothing is sent only because the peer seems to seek us.
    hint_at: Moment,
    rtt: Option<Duration>,
    received_bytes: u64,
    sent_bytes: u64,
}

/// What one handling may use and fill.
struct Turn<'a> {
    now: Moment,
    rng: &'a mut ChaCha20Rng,
    outbox: &'a mut Outbox,
    ration: &'a mut Ration,
    news: Vec<LinkNews>,
}

impl Turn<'_> {
    /// A number below `end`; which one, nobody who does not see what is drawn can tell.
    fn random_below(&mut self, end: u32) -> u32 {
        // With so small an end the first ones are hardly likelier than the last ones.
        self.rng.next_u32() % end.max(1)
    }
}

impl Link {
    /// A link that is not started.
    pub fn new(identity: &Identity, peer: &PeerRecord, rng: &mut ChaCha20Rng) -> Self {
        Self {
            peer: peer.id,
            role: if identity.id() < peer.id {
                Role::Dialer
            } else {
                Role::Acceptor
            },
            phase: Phase::Idle,
            presence: Presence::Offline,
            relay: Relay::default(),
            paths: Paths::new(&peer.addresses),
            nearby: Nearby::default(),
            scope: NetworkScope::Everywhere,
            seal: Seal::new(identity, peer.id, rng),
            kept: peer.addresses.clone(),
            local: Vec::new(),
            reflection: Reflection::default(),
            outlook: Outlook::default(),
            lent: Lent::default(),
            birthday: Birthday::default(),
            backoff: Backoff::default(),
            restart: Restart::default(),
            doubt_at: Moment::default(),
            was_refused: false,
            shunned: None,
            whereabouts: Whereabouts::default(),
            oneness: Oneness::Single,
            metrics: Metrics::default(),
        }
    }

    /// This device's run towards the peer.
    pub fn run(&self) -> u64 {
        self.seal.run()
    }

    /// Takes what happened.
    pub fn handle_input(
        &mut self,
        now: Moment,
        input: LinkInput,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
        ration: &mut Ration,
    ) -> Vec<LinkNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            ration,
            news: Vec::new(),
        };
        match input {
            LinkInput::Start => self.seek(now),
            LinkInput::Online => self.online(&mut turn),
            LinkInput::Offline => self.presence = Presence::Offline,
            LinkInput::Told(bytes) => {
                if let Some(told) = self.seal.open(&bytes) {
                    self.whereabouts.told(told.number, told.addresses.clone());
                    self.peer_listens_at(now, told.addresses);
                    if told.run == Run::New {
                        turn.news.push(LinkNews::Heard(told.number));
                    }
                    self.run_told(told.run, &mut turn);
                }
            }
            LinkInput::RelayReady {
                url,
                channel,
                token,
            } => {
                let peer = self.peer;
                self.relay.ready(now);
                turn.outbox.network(NetworkRequest::OpenRelay {
                    peer,
                    url,
                    channel,
                    token,
                });
            }
            LinkInput::LocalAddresses(addresses) => self.local_addresses(addresses, &mut turn),
            LinkInput::Reflexive(reflection) => self.seen_from(reflection, &mut turn),
            LinkInput::Outside(outside) => self.outlook_changes(outside, &mut turn),
            LinkInput::Lent(ours) => self.lent_changes(ours, &mut turn),
            LinkInput::Nearby(all) => self.nearby.announced(now, &all),
            LinkInput::Scope(scope) => self.scope = scope,
            LinkInput::Network(event) => self.network(event, &mut turn),
            LinkInput::Misbehaved => self.misbehaved(&mut turn),
            LinkInput::LookElsewhere => self.look_elsewhere(&mut turn),
            LinkInput::Oneness(oneness) => self.oneness = oneness,
        }
        self.advance(&mut turn);
        self.note_lent(&mut turn);
        self.metrics.see(now, self.sight(now));
        turn.news
    }

    /// Takes that time has passed.
    pub fn handle_timeout(
        &mut self,
        now: Moment,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
        ration: &mut Ration,
    ) -> Vec<LinkNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            ration,
            news: Vec::new(),
        };
        self.advance(&mut turn);
        self.note_lent(&mut turn);
        self.metrics.see(now, self.sight(now));
        turn.news
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let phase = match self.phase {
            Phase::Idle | Phase::Impostor => return self.meeting_timeout(),
            Phase::Seeking { since } => {
                let is_dialer = self.role == Role::Dialer;
                let grace = self.relay_is_dialable() && is_dialer;
                let grace = grace.then_some(since.after(DIRECT_GRACE));
                grace.into_iter().chain(self.shunned_until()).min()
            }
            Phase::Dialing { deadline, .. } => Some(deadline),
            Phase::Up(up) => self.path_check_due(&up),
            Phase::Waiting { retry_at, .. } => Some(retry_at),
        };
        let relay = self.relay.poll_timeout(self.may_ask_relay());
        let nearby = self.next_nearby();
        [
            phase,
            relay,
            nearby,
            self.next_round(),
            self.meeting_timeout(),
            self.lent_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The path that packets take: the dialer's choice, or what the peer's probes show of it.
    fn path(&self, up: &Up, now: Moment) -> Path {
        let heard = || self.paths.heard_from(now).map_or(Path::Relay, Path::Direct);
        up.selected.unwrap_or_else(heard)
    }

    /// The standing connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self.phase {
            Phase::Up(up) => Some(up.connection),
            Phase::Idle
            | Phase::Seeking { .. }
            | Phase::Dialing { .. }
            | Phase::Waiting { .. }
            | Phase::Impostor => None,
        }
    }

    /// Ends everything with a peer that is removed.
    pub fn close(self, outbox: &mut Outbox) {
        outbox.network(NetworkRequest::Hangup(self.peer));
        outbox.network(NetworkRequest::CloseRelay(self.peer));
        outbox.network(NetworkRequest::Gather(self.peer));
    }

    fn online(&mut self, turn: &mut Turn<'_>) {
        self.presence = Presence::Online;
        if self.connection().is_none() {
            self.metrics.reachable(turn.now);
        }
        self.relay.ask_anew();
        self.tell_addresses(turn);
        match self.phase {
            Phase::Waiting { .. } | Phase::Seeking { .. } => self.seek(turn.now),
            Phase::Idle | Phase::Dialing { .. } | Phase::Up(_) | Phase::Impostor => {}
        }
    }

    fn local_addresses(&mut self, addresses: Vec<SocketAddr>, turn: &mut Turn<'_>) {
        let mut addresses = listenable(addresses);
        addresses.truncate(ADDRESSES_MAX);
        if addresses == self.local {
            return;
        }
        let before = std::mem::replace(&mut self.local, addresses);
        if !before.is_empty() {
            // What was proved was proved on another network.
            self.paths.disprove_all();
            self.nearby.try_anew(turn.now);
            self.stop_meeting(turn);
        }
        if is_left(&before, &self.local) {
            self.left_network(turn.now);
        }
        self.tell_anew(turn);
    }

    fn seen_from(&mut self, reflection: Reflection, turn: &mut Turn<'_>) {
        let is_elsewhere = reflection.addresses != self.reflection.addresses;
        if is_left(&self.reflection.addresses, &reflection.addresses) {
            self.left_network(turn.now);
        }
        if reflection != self.reflection {
            self.reflection_changes(reflection, turn);
        }
        if is_elsewhere {
            self.tell_anew(turn);
        }
    }

    /// Tells the peer where we are on every way there is, and probes: what it sends comes in only where we
    /// have sent first.
    fn tell_anew(&mut self, turn: &mut Turn<'_>) {
        self.tell_addresses(turn);
        if matches!(self.phase, Phase::Up(_)) {
            turn.outbox
                .send(self.peer, Control::Addresses(self.addresses()));
        }
        self.paths.begin_burst(turn.now);
    }

    /// Where this device can be tried: its own addresses first, then those that others see, then what is lent.
    fn addresses(&self) -> Vec<SocketAddr> {
        let mut all = self.local.clone();
        let lent = self.lent.told();
        let others = self.reflection.addresses.len() + lent.iter().count();
        all.truncate(ADDRESSES_MAX.saturating_sub(others));
        for other in self.reflection.addresses.iter().chain(&lent) {
            if !all.contains(other) {
                all.push(*other);
            }
        }
        all
    }

    fn tell_addresses(&mut self, turn: &mut Turn<'_>) {
        if self.presence == Presence::Online && !self.local.is_empty() {
            let addresses = self.addresses();
            self.metrics.counts.addresses_told += count(&addresses);
            let sealed = self.seal.seal(addresses, turn.rng);
            turn.news.extend(sealed.map(LinkNews::Tell));
        }
    }

    fn peer_listens_at(&mut self, now: Moment, addresses: Vec<SocketAddr>) {
        self.metrics.counts.addresses_heard += count(&addresses);
        if self.paths.has_left(&addresses) {
            self.relay.distrust();
        }
        let by_ours = self.by_ours(addresses.clone());
        let all = addresses.into_iter().chain(by_ours).collect();
        if self.paths.told(now, all) {
            self.paths.begin_burst(now);
        }
    }

    fn misbehaved(&mut self, turn: &mut Turn<'_>) {
        turn.outbox.network(NetworkRequest::Hangup(self.peer));
        self.down(LinkFault::Protocol, turn);
    }

    fn network(&mut self, event: NetworkEvent, turn: &mut Turn<'_>) {
        match event {
            NetworkEvent::Misbehaved(_) => self.misbehaved(turn),
            NetworkEvent::LocalAddresses(addresses) => self.local_addresses(addresses, turn),
            // The device hears of these for all links at once, or for its pairing.
            NetworkEvent::Reflected { .. }
            | NetworkEvent::PortMapped(_)
            | NetworkEvent::Borrowed(_)
            | NetworkEvent::NotLent(_)
            | NetworkEvent::Nearby(_)
            | NetworkEvent::PairingMet(_)
            | NetworkEvent::PairingReceived(..)
            | NetworkEvent::PairingGone(_) => {}
            NetworkEvent::ProbeAnswered { from, rtt, .. } => self.probe_answered(from, rtt, turn),
            NetworkEvent::LargeAnswered { from, .. } => self.paths.carries_large(from),
            NetworkEvent::Datagrams(_, connection, size) => self.datagrams_are(connection, size),
            NetworkEvent::ProbeHeard { from, .. } => {
                let is_hit = self.meeting_heard(from, turn);
                if (self.paths.heard(turn.now, from) || is_hit) && self.is_active() {
                    self.probe(from, turn);
                }
                self.reached_at(from, turn);
                self.peer_seeks(turn);
            }
            NetworkEvent::Scattered(_, sockets) => self.scattered(sockets, turn),
            NetworkEvent::RelayOpened(_) => self.relay.opened(),
            NetworkEvent::RelayClosed(_) => self.relay.closed(turn.now, turn.rng),
            NetworkEvent::Connected(_, connection) => self.connected(connection, turn),
            NetworkEvent::DialFailed(_, fault) => {
                if let Phase::Dialing { path, .. } = self.phase {
                    self.dial_failed(path, fault, turn);
                }
            }
            NetworkEvent::Disconnected(_, connection, fault) => {
                if self.connection() == Some(connection) {
                    self.down(fault, turn);
                }
            }
            NetworkEvent::Answered(_, connection) => {
                if self.connection() == Some(connection) && self.restart.answered(turn.now) {
                    turn.news.push(LinkNews::Lives);
                }
            }
            NetworkEvent::Silent(_, connection) => self.silent(connection, turn),
            NetworkEvent::Received(_, connection, frame) => {
                if self.connection() == Some(connection) {
                    self.frame(frame, turn);
                }
            }
            NetworkEvent::Measured {
                rtt,
                received_bytes,
                sent_bytes,
                silent_for,
                ..
            } => {
                self.measured(rtt, received_bytes, sent_bytes, silent_for, turn);
            }
        }
    }

    fn frame(&mut self, frame: Control, turn: &mut Turn<'_>) {
        match frame {
            Control::Addresses(addresses) if addresses.len() <= ADDRESSES_MAX => {
                self.peer_listens_at(turn.now, listenable(addresses));
            }
            Control::Addresses(_) => self.misbehaved(turn),
            Control::Hello(hello) => {
                self.whereabouts.connects(Some(hello.run));
                self.meeting_greeted(hello.versions, turn);
                self.outlook_greeted(hello.versions, turn);
                turn.news.push(LinkNews::Frame(Control::Hello(hello)));
            }
            Control::Reflection(told) => self.meeting_told(MeetingFrame::Reflection(told), turn),
            Control::Scatter => self.meeting_told(MeetingFrame::Scatter, turn),
            Control::Scattered(sockets) => {
                self.meeting_told(MeetingFrame::Scattered(sockets), turn);
            }
            Control::WayOut(way_out) => self.outlook_told(way_out, turn),
            Control::Folders(_)
            | Control::Index(_)
            | Control::IndexAck { .. }
            | Control::Prove(_)
            | Control::Vouch(_)
            | Control::Twin(_)
            | Control::Servers(_) => {
                turn.news.push(LinkNews::Frame(frame));
            }
        }
    }

    fn probe_answered(&mut self, from: SocketAddr, rtt: Duration, turn: &mut Turn<'_>) {
        self.metrics.counts.probes_answered += 1;
        self.paths.proved(turn.now, from, rtt);
        turn.ration.answered(turn.now, from.ip());
        self.meeting_heard(from, turn);
        if let Phase::Up(up) = &mut self.phase
            && up.selected == Some(Path::Direct(from))
        {
            up.suspect_until = None;
            up.keepalive_at = turn.now.after(KEEPALIVE);
        }
        if let (Role::Dialer, Phase::Waiting { fault, .. }) = (self.role, self.phase)
            && fault == LinkFault::TimedOut
        {
            // What the wait was for is over.
            self.phase = Phase::Seeking { since: turn.now };
        }
        self.probe_large(from, turn);
        self.reached_at(from, turn);
    }

    fn datagrams_are(&mut self, connection: ConnectionId, size: DatagramSize) {
        if let Phase::Up(up) = &mut self.phase
            && up.connection == connection
        {
            up.datagrams = size;
        }
    }

    /// Keeps an address that works while we are connected.
    fn reached_at(&mut self, addr: SocketAddr, turn: &mut Turn<'_>) {
        let connected = matches!(self.phase, Phase::Up(_)) && self.paths.is_alive(turn.now, addr);
        let lasts =
            self.is_lasting(addr) && !is_of_one_link(addr) && TurnAddress::of(addr).is_none();
        if connected && lasts && !self.kept.contains(&addr) {
            self.kept.insert(0, addr);
            self.kept.truncate(KEPT_MAX);
            turn.news.push(LinkNews::Addresses(self.kept.clone()));
        }
    }

    fn connected(&mut self, connection: ConnectionId, turn: &mut Turn<'_>) {
        let selected = match self.phase {
            Phase::Up(up) => {
                turn.news.push(LinkNews::Down(up.connection));
                up.selected
            }
            Phase::Dialing { path, .. } => Some(path),
            // Not by our wish: the peer has dialled, or an answer came late.
            Phase::Idle | Phase::Seeking { .. } | Phase::Waiting { .. } | Phase::Impostor => {
                match self.role {
                    Role::Dialer => Some(Path::Relay),
                    Role::Acceptor => None,
                }
            }
        };
        self.phase = Phase::Up(Up {
            connection,
            since: turn.now,
            selected,
            suspect_until: None,
            datagrams: DatagramSize::Every,
            settles_at: None,
            moved_at: None,
            keepalive_at: turn.now.after(KEEPALIVE),
            hint_at: turn.now,
            rtt: None,
            received_bytes: 0,
            sent_bytes: 0,
        });
        self.was_refused = false;
        self.whereabouts.connects(None);
        self.meeting_connects(turn);
        self.outlook_begins();
        self.restart.disproved();
        turn.news.push(LinkNews::Up(connection));
        if let Some(Path::Direct(addr)) = selected {
            self.reached_at(addr, turn);
        }
    }

    fn dial_failed(&mut self, path: Path, fault: LinkFault, turn: &mut Turn<'_>) {
        match (path, fault) {
            (Path::Direct(addr), _) => self.paths.disproved(addr),
            // Nobody may be at its other end any more.
            (Path::Relay, LinkFault::TimedOut) if self.may_ask_relay() => self.relay.distrust(),
            (
                Path::Relay,
                LinkFault::TimedOut
                | LinkFault::Closed
                | LinkFault::Restarted
                | LinkFault::Refused
                | LinkFault::Impostor
                | LinkFault::Protocol
                | LinkFault::Version,
            ) => {}
        }
        self.metrics.failed(fault);
        self.try_again(fault, turn);
    }

    /// The connection is gone, if there was one.
    fn down(&mut self, fault: LinkFault, turn: &mut Turn<'_>) {
        if let Phase::Up(up) = self.phase {
            turn.news.push(LinkNews::Down(up.connection));
            self.metrics.lost(fault);
            if turn.now.since(up.since) >= STEADY {
                self.backoff.reset();
            }
        }
        // The peer may have ended: what was proved of it must be proved again before it is dialled.
        self.paths.disprove_all();
        self.nearby.try_anew(turn.now);
        if fault == LinkFault::TimedOut {
            self.paths.stay_restless(turn.now);
        }
        self.try_again(fault, turn);
    }

    fn wait(&mut self, fault: LinkFault, turn: &mut Turn<'_>) {
        // Whoever does not trust us does not even answer: silence after a refusal is one more.
        let fault = match fault {
            LinkFault::TimedOut if self.was_refused => LinkFault::Refused,
            LinkFault::TimedOut
            | LinkFault::Closed
            | LinkFault::Restarted
            | LinkFault::Refused
            | LinkFault::Impostor
            | LinkFault::Protocol
            | LinkFault::Version => fault,
        };
        self.was_refused = fault == LinkFault::Refused;
        self.phase = match fault {
            LinkFault::Impostor => Phase::Impostor,
            LinkFault::TimedOut
            | LinkFault::Closed
            | LinkFault::Restarted
            | LinkFault::Refused
            | LinkFault::Protocol
            | LinkFault::Version => {
                let pause = self.twin_pause(fault, turn);
                let pause = pause.unwrap_or_else(|| self.backoff.next(turn.rng));
                Phase::Waiting {
                    fault,
                    retry_at: turn.now.after(pause),
                }
            }
        };
    }

    fn measured(
        &mut self,
        rtt: Duration,
        received: u64,
        sent: u64,
        silent_for: Duration,
        turn: &mut Turn<'_>,
    ) {
        let (now, role) = (turn.now, self.role);
        let Phase::Up(up) = &mut self.phase else {
            return;
        };
        self.metrics.measured(now, rtt, received, sent);
        let is_sending = sent > up.sent_bytes;
        up.rtt = Some(rtt);
        up.received_bytes = received;
        up.sent_bytes = sent;
        let patience = SILENCE_WHILE_SENDING.max(rtt * 3);
        let (Some(Path::Direct(addr)), Role::Dialer) = (up.selected, role) else {
            if silent_for >= patience {
                self.doubt(turn);
                if is_sending {
                    self.paths.stay_restless(now);
                }
            }
            self.relay.silent_for(silent_for);
            return;
        };
        if silent_for < SILENCE_WHILE_SENDING {
            up.suspect_until = None;
            self.paths.carried(
                Moment::from_start(now.since_start().saturating_sub(silent_for)),
                addr,
            );
        } else if up.suspect_until.is_none() {
            // Only a probe can tell a dead path from a peer that has nothing to say. One that is far may be
            // silent for longer; but who only receives is told of the silence once.
            let excused = patience.saturating_sub(silent_for);
            up.suspect_until = Some(now.after(excused + SUSPICION.max(rtt * 2)));
            up.keepalive_at = now;
        }
    }
}

fn count(addresses: &[SocketAddr]) -> u64 {
    u64::try_from(addresses.len()).unwrap_or(u64::MAX)
}

/// Shows the phase only: addresses and keys stay out of logs.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Whether an address means something only together with the interface that leads there, whose number is
/// another after the next start.
fn is_of_one_link(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local())
}

/// How long a doubted path has to answer a probe: 400 ms or two round trips. Three probes go out in it, so that
/// a lossy path is not condemned for one that is lost.
const SUSPICION: Duration = Duration::from_millis(400);

/// Silence of the peer while we send, or after it has sent much, after which the direct path is doubted:
/// 500 ms or three round trips. Acknowledgements come within one and 25 ms.
const SILENCE_WHILE_SENDING: Duration = Duration::from_millis(500);

/// How long a connection must last to count as working: 60 s. Without it a peer that breaks the
/// protocol at once would be dialled every second.
const STEADY: Duration = Duration::from_secs(60);

/// Addresses kept per peer: 8, some networks at home and away.
const KEPT_MAX: usize = 8;
