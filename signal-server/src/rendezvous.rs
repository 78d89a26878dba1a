//! The server's decisions as one pure state machine.
//!
//! A connection waits for its `register`, then is present under its id (a proven device key or a
//! guest number), or it is one end of a relay channel. Inputs come with the time; what follows is
//! read from [`Rendezvous::poll_output`], and [`Rendezvous::poll_timeout`] says when to come back.
//! The same seed and inputs give the same outputs.
//!
//! It holds to this under any input: a code is claimed once; nothing is relayed to who does not
//! consent; no mailbox outlives its time; memory is bounded by the connections and the constants
//! here. Every failed claim gives the same answer after the same work.

mod access;
mod admission;
mod afar;
mod budget;
mod channels;
mod cluster;
mod halls;
mod io;
mod lending;
mod mailboxes;
mod meeting;
mod moment;
mod network;
mod pairing;
mod presence;
mod registration;
mod relay;
mod rooms;
mod shared;
mod store;

pub use access::{Access, TokenHash};
pub use admission::{AddressLimits, Admission, Refused};
pub use budget::Rate;
pub use io::{
    ConnectionId, Door, Holdings, Input, Note, Output, PACKET_RATE, PAYLOAD_RATE, REQUEST_RATE,
    Reached, Settings,
};
pub use lending::{Lending, LendingSecret};
pub use moment::Moment;
pub use network::Origin;
pub use shared::{
    Answer, Ask, Bereft, Between, EMPTY_FOR, EXCHANGE_MIN, Ended, Entered, Event, FAILURE_RATE,
    GUESS_RATE, HELD_BYTES_MAX, HELD_BYTES_TOTAL_MAX, HELD_MESSAGES_MAX, Instance, LEASE,
    LONG_SLOTS_FOR, LONG_SLOTS_FROM, MAILBOXES_MAX, Made, MailboxView, Member, NODE_LEASE, NodeId,
    OPENED_PER_NETWORK_MAX, Paid, PasswordHash, Place, RENEWED_AT_ONCE_MAX, RoomAnswer, RoomAsk,
    RoomView, SLOT_DRAWS, Side, Slots, Standing, Ticket, Toll, WAITING_PER_NETWORK_MAX, Watched,
};
pub use store::Store;

pub(crate) use budget::{Budget, Budgets};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::limits::RELAY_PAYLOAD_BYTES_MAX;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{
    ClientMessage, CloseCode, ErrorCode, MESSAGE_BYTES_BEFORE_REGISTER_MAX, MESSAGE_BYTES_MAX,
    Nonce, Notice, PairingFailure, Request, RequestError, RequestId, RoomCode, RoomPeer,
    SIGNAL_VERSION, ServerLimits, ServerMessage, SignalId, WATCH_PEERS_MAX,
};
use towline_wire::version::VersionRange;

use access::Passes;
use afar::Acquaintances;
use channels::Channels;
use cluster::Books;
use halls::Halls;
use lending::WallClock;
use network::Network;
use pairing::Seat;
use registration::Swaps;

/// The state of one server instance. See the module's text.
#[derive(Debug)]
pub struct Rendezvous {
    settings: Settings,
    random: ChaCha8Rng,
    connections: BTreeMap<ConnectionId, Connection>,
    connection_by_id: BTreeMap<SignalId, ConnectionId>,
    /// Counted, since strangers may ask for it as often as they like.
    devices_len: usize,
    books: Books,
    seats: BTreeMap<SignalId, Seat>,
    acquaintances: Acquaintances,
    halls: Halls,
    channels: Channels,
    claims: Budgets<ClaimPayer>,
    swaps: Swaps,
    passes: Passes,
    /// Bytes of packets of everybody together.
    packet_bytes: Budget,
    timers: BTreeSet<(Moment, Timer)>,
    sweep: Sweep,
    draining: Option<Moment>,
    wall: Option<WallClock>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Connection {
    origin: Origin,
    phase: Phase,
    heard: Moment,
    timer: Moment,
    requests: Budget,
    breaches: Budget,
    bytes: Budget,
    told_to_slow_down: Option<Moment>,
    /// When it is to be told of new credentials for TURN servers.
    lent_anew: Option<Moment>,
}

#[derive(Debug)]
enum Phase {
    ExpectRegister {
        nonce: Nonce,
        deadline: Moment,
    },
    Present {
        id: SignalId,
        watching: Box<[SignalId]>,
    },
    Relay {
        channel: ChannelId,
    },
}

/// Who pays a token for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClaimPayer {
    Client(SignalId),
    Network(Network),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Connection(ConnectionId),
    Seat(SignalId),
    Room(RoomCode),
    Channel(ChannelId),
    Sweep,
    Renewal,
    Beat,
    Look(ConnectionId),
    Unconfirmed,
    DrainEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweep {
    Idle,
    Armed,
}

impl Rendezvous {
    /// A rendezvous without connections; all its randomness comes from `seed`.
    pub fn new(seed: [u8; 32], settings: Settings) -> Self {
        Self {
            halls: Halls::default(),
            random: ChaCha8Rng::from_seed(seed),
            connections: BTreeMap::new(),
            connection_by_id: BTreeMap::new(),
            devices_len: 0,
            books: Books::new(settings.instance),
            seats: BTreeMap::new(),
            acquaintances: Acquaintances::default(),
            channels: Channels::default(),
            claims: Budgets::new(CLAIM_BUDGETS_MAX),
            swaps: Swaps::default(),
            passes: Passes::default(),
            packet_bytes: Budget::default(),
            timers: BTreeSet::new(),
            sweep: Sweep::Idle,
            draining: None,
            wall: None,
            outputs: VecDeque::new(),
            settings,
        }
    }

    /// Takes in what happened. Inputs about connections that it has closed are ignored.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        match input {
            Input::Connected {
                connection,
                origin,
                door,
            } => self.connected(now, connection, origin, door),
            Input::Requested {
                connection,
                request,
                size_bytes,
            } => {
                self.requested(now, connection, request, size_bytes);
            }
            Input::Packet { connection, packet } => self.packet(now, connection, packet),
            Input::Alive { connection } => self.alive(now, connection),
            Input::Disconnected { connection } => self.forget(now, connection),
            Input::Drain { within } => self.drain(now, within),
            Input::WallClock { unix_seconds } => {
                self.wall = Some(WallClock {
                    at: now,
                    unix_seconds,
                });
            }
            Input::Access(access) => self.change_access(now, access),
            Input::Answered { ticket, answer } => self.answered(now, ticket, answer),
            Input::Heard(message) => self.happened_elsewhere(now, message),
            Input::Reach(reached) => self.reach(now, reached),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some((_, timer)) = self.next_due(now) {
            match timer {
                Timer::Connection(connection) => self.check_silence(now, connection),
                Timer::Seat(member) => self.seat_expired(now, member),
                Timer::Room(code) => self.room_due(now, code),
                Timer::Channel(channel) => self.channel_expired(now, channel),
                Timer::Sweep => self.sweep(now),
                Timer::Renewal => self.renew(now),
                Timer::Beat => self.beat(now),
                Timer::Look(connection) => self.look_again(now, connection),
                Timer::Unconfirmed => self.forget_unconfirmed(now),
                Timer::DrainEnd => self.close_all(now),
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Connections that it knows.
    pub fn connections_len(&self) -> usize {
        self.connections.len()
    }

    /// Connections that it takes at most.
    pub const fn connections_max(&self) -> usize {
        self.settings.connections_max
    }

    /// Rooms that it keeps at most.
    pub const fn rooms_max(&self) -> usize {
        self.settings.rooms_max
    }

    /// Devices and guests that are there.
    pub fn present(&self) -> [usize; 2] {
        [
            self.devices_len,
            self.connection_by_id.len() - self.devices_len,
        ]
    }

    /// Whether it is going away.
    pub const fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// What it holds beside connections: mailboxes, relay channels, budgets and other records, in
    /// items, and the bytes of messages kept for members who are away.
    pub fn holdings(&self) -> Holdings {
        let (mailboxes, held_bytes) = match &self.books {
            Books::Own(store) => store.holdings(),
            Books::Shared(_) => (self.seats.len(), 0),
        };
        let (rooms, room_records) = match &self.books {
            Books::Own(store) => store.rooms(),
            Books::Shared(_) => (self.halls.len(), 0),
        };
        Holdings {
            mailboxes,
            rooms,
            channels: self.channels.len(),
            records: self.claims.len()
                + self.swaps.len()
                + self.passes.len()
                + room_records
                + self.halls.records()
                + self.acquaintances.len()
                + self.timers.len()
                + self.connection_by_id.len(),
            held_bytes,
        }
    }

    fn connected(&mut self, now: Moment, connection: ConnectionId, origin: Origin, door: Door) {
        if self.connections.contains_key(&connection) {
            return;
        }
        let full = self.connections.len() >= self.settings.connections_max;
        if full || self.draining.is_some() {
            let code = if full {
                CloseCode::Full
            } else {
                CloseCode::Draining
            };
            self.outputs.push_back(Output::Close { connection, code });
            return;
        }
        let phase = match door {
            Door::Signal => {
                let nonce = self.draw_nonce();
                let notice = Notice::new(self.hello(nonce));
                self.outputs.push_back(Output::Send { connection, notice });
                Phase::ExpectRegister {
                    nonce,
                    deadline: now.plus(REGISTER_WITHIN),
                }
            }
            Door::Relay { channel, token } => {
                if !self.channels.take_seat(channel, &token, connection) {
                    self.outputs.push_back(Output::Close {
                        connection,
                        code: CloseCode::ChannelUnknown,
                    });
                    return;
                }
                if self.channels.is_complete(channel) {
                    self.note(Note::ChannelComplete, connection);
                }
                Phase::Relay { channel }
            }
        };
        let wait = match &phase {
            Phase::ExpectRegister { .. } => REGISTER_WITHIN,
            Phase::Present { .. } | Phase::Relay { .. } => self.ping_wait(),
        };
        let timer = now.plus(wait);
        self.timers.insert((timer, Timer::Connection(connection)));
        let idle = Budget::default();
        self.connections.insert(
            connection,
            Connection {
                origin,
                phase,
                heard: now,
                timer,
                requests: idle,
                breaches: idle,
                bytes: idle,
                told_to_slow_down: None,
                lent_anew: None,
            },
        );
    }

    fn requested(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        request: Result<Request, RequestError>,
        size_bytes: usize,
    ) {
        self.heard(now, connection);
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let size_max = match &known.phase {
            Phase::ExpectRegister { .. } => MESSAGE_BYTES_BEFORE_REGISTER_MAX,
            Phase::Present { .. } => MESSAGE_BYTES_MAX,
            Phase::Relay { .. } => 0,
        };
        if size_bytes > size_max {
            return self.close(now, connection, CloseCode::Unacceptable);
        }
        let rate = self.settings.request_rate;
        if let Some(wait) = rate.and_then(|rate| known.requests.take(now, rate, 1).err()) {
            let patience = known.breaches.take(now, BREACH_RATE, 1);
            self.note(Note::LimitHit, connection);
            let id = request.map_or_else(|error| error.id, |request| request.id);
            self.refuse_for(
                connection,
                id,
                ErrorCode::RateLimited,
                "too many messages",
                Some(wait),
            );
            if patience.is_err() {
                self.close(now, connection, CloseCode::RateLimited);
            }
            return;
        }
        match request {
            Ok(Request { id, message }) => self.message(now, connection, id, message),
            Err(RequestError { id, code, detail }) => match code {
                ErrorCode::CodeInvalid => self.use_no_code(now, connection, id),
                ErrorCode::RoomNotFound => self.answer_failed_join(connection, id),
                ErrorCode::InvalidMessage
                | ErrorCode::NotRegistered
                | ErrorCode::AlreadyRegistered
                | ErrorCode::BadProof
                | ErrorCode::AccessDenied
                | ErrorCode::RoomFull
                | ErrorCode::NotInRoom
                | ErrorCode::PeerOffline
                | ErrorCode::TooLarge
                | ErrorCode::RateLimited
                | ErrorCode::Unavailable
                | ErrorCode::Internal => self.refuse(connection, id, code, detail),
            },
        }
    }

    fn message(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        message: ClientMessage,
    ) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let sender = match &known.phase {
            Phase::Present { id, .. } => Some(*id),
            Phase::ExpectRegister { .. } | Phase::Relay { .. } => None,
        };
        match (message, sender) {
            (ClientMessage::Register { .. }, Some(_)) => {
                self.refuse(
                    connection,
                    id,
                    ErrorCode::AlreadyRegistered,
                    "register came twice",
                );
            }
            (
                ClientMessage::Register {
                    registration,
                    access_token,
                },
                None,
            ) => {
                let token = access_token.as_ref();
                self.register(now, connection, id, registration, token);
            }
            (ClientMessage::Ping { timestamp }, _) => {
                self.answer(connection, id, ServerMessage::Pong { timestamp });
            }
            (_, None) => self.refuse(
                connection,
                id,
                ErrorCode::NotRegistered,
                "register comes first",
            ),
            (ClientMessage::CreatePairingCode, Some(sender)) => {
                self.create_code(now, connection, id, sender)
            }
            (ClientMessage::UsePairingCode { code }, Some(sender)) => {
                self.use_code(now, connection, id, sender, &code);
            }
            (ClientMessage::PairingDone, Some(sender)) => self.pairing_done(now, sender),
            (ClientMessage::CancelPairingCode, Some(sender)) => self.leave_mailbox(now, sender),
            (ClientMessage::CreateRoom { display_name }, Some(sender)) => {
                self.create_room(now, connection, id, sender, display_name);
            }
            (
                ClientMessage::LockRoom {
                    room_code,
                    password,
                },
                Some(sender),
            ) => self.lock_room(now, connection, id, sender, room_code, password.as_ref()),
            (
                ClientMessage::JoinRoom {
                    room_code,
                    password,
                    display_name,
                },
                Some(peer_id),
            ) => {
                let who = RoomPeer {
                    peer_id,
                    display_name,
                };
                self.join_room(now, connection, id, room_code, password.as_ref(), who);
            }
            (ClientMessage::LeaveRoom { room_code }, Some(sender)) => {
                self.leave_room(now, connection, id, sender, room_code);
            }
            (ClientMessage::Relay { name, to, payload }, Some(sender)) => {
                let notice = Notice::new(ServerMessage::Relayed {
                    name,
                    from: sender,
                    payload,
                });
                self.relay(now, connection, id, sender, to, notice);
            }
            (ClientMessage::Watch { peers }, Some(sender)) => {
                self.watch(now, connection, id, sender, peers)
            }
            (ClientMessage::RelayOpen { to }, Some(sender)) => {
                self.relay_open(now, connection, id, sender, to)
            }
        }
    }

    /// Forgets a connection that is gone, and tells who has a right to know.
    fn forget(&mut self, now: Moment, connection: ConnectionId) {
        let Some(known) = self.connections.remove(&connection) else {
            return;
        };
        self.timers
            .remove(&(known.timer, Timer::Connection(connection)));
        self.passes.forget(connection);
        match known.phase {
            Phase::ExpectRegister { .. } => {}
            Phase::Present { id, watching } => self.depart(now, connection, id, &watching),
            Phase::Relay { channel } => self.close_channel(now, channel),
        }
    }

    fn close(&mut self, now: Moment, connection: ConnectionId, code: CloseCode) {
        if self.connections.contains_key(&connection) {
            self.outputs.push_back(Output::Close { connection, code });
            self.forget(now, connection);
        }
    }

    /// A sign of life costs what a request does, or a flood of them would cost nothing. There is nothing to refuse.
    fn alive(&mut self, now: Moment, connection: ConnectionId) {
        self.heard(now, connection);
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let rate = self.settings.request_rate;
        if rate.is_none_or(|rate| known.requests.take(now, rate, 1).is_ok()) {
            return;
        }
        let patience = known.breaches.take(now, BREACH_RATE, 1);
        self.note(Note::LimitHit, connection);
        if patience.is_err() {
            self.close(now, connection, CloseCode::RateLimited);
        }
    }

    fn heard(&mut self, now: Moment, connection: ConnectionId) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.heard = now;
        }
    }

    /// Closes who has not registered or has been silent too long; asks the silent for a sign.
    fn check_silence(&mut self, now: Moment, connection: ConnectionId) {
        let wait = self.ping_wait();
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let silence = now.since(known.heard);
        let code = match &known.phase {
            Phase::ExpectRegister { deadline, .. } if *deadline <= now => {
                Some(CloseCode::RegisterTimeout)
            }
            Phase::ExpectRegister { .. } | Phase::Present { .. } | Phase::Relay { .. } => {
                (silence >= IDLE_MAX).then_some(CloseCode::Idle)
            }
        };
        if let Some(code) = code {
            return self.close(now, connection, code);
        }
        let lent_anew = known.lent_anew.filter(|due| *due > now);
        let next = now
            .plus(wait)
            .min(known.heard.plus(IDLE_MAX))
            .min(lent_anew.unwrap_or_else(|| now.plus(wait)))
            .max(now.plus(SILENCE_STEP_MIN));
        known.timer = next;
        self.timers.insert((next, Timer::Connection(connection)));
        if silence >= PING_AFTER {
            self.outputs.push_back(Output::Ping { connection });
        }
        self.lend_anew(now, connection);
    }

    fn drain(&mut self, now: Moment, within: Duration) {
        if self.draining.is_some() {
            return;
        }
        let end = now.plus(within);
        self.draining = Some(end);
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        for connection in self.connections.keys().copied().collect::<Vec<_>>() {
            let reconnect_after_ms = self.random.next_u64() % within_ms;
            self.say(connection, ServerMessage::Draining { reconnect_after_ms });
        }
        self.timers.insert((end, Timer::DrainEnd));
    }

    fn close_all(&mut self, now: Moment) {
        for connection in self.connections.keys().copied().collect::<Vec<_>>() {
            self.close(now, connection, CloseCode::Draining);
        }
    }

    fn next_due(&mut self, now: Moment) -> Option<(Moment, Timer)> {
        let due = self.timers.first().is_some_and(|(due, _)| *due <= now);
        due.then(|| self.timers.pop_first()).flatten()
    }

    /// Makes sure that records which fade with time are looked through.
    fn arm_sweep(&mut self, now: Moment) {
        if self.sweep == Sweep::Idle {
            self.sweep = Sweep::Armed;
            self.timers.insert((now.plus(SWEEP_EVERY), Timer::Sweep));
        }
    }

    fn sweep(&mut self, now: Moment) {
        self.claims.sweep(now);
        self.swaps.sweep(now);
        self.sweep = Sweep::Idle;
        if self.claims.len() + self.swaps.len() > 0 {
            self.arm_sweep(now);
        }
    }

    fn hello(&self, nonce: Nonce) -> ServerMessage {
        ServerMessage::Hello {
            nonce,
            versions: VersionRange {
                oldest: SIGNAL_VERSION,
                newest: SIGNAL_VERSION,
            },
            limits: ServerLimits {
                message_bytes: MESSAGE_BYTES_MAX as u64,
                payload_bytes: RELAY_PAYLOAD_BYTES_MAX as u64,
                watch_peers: WATCH_PEERS_MAX as u64,
                idle_seconds: IDLE_MAX.as_secs(),
            },
            stun: self.settings.stun.clone(),
        }
    }

    fn draw_nonce(&mut self) -> Nonce {
        let mut bytes = [0; 32];
        self.random.fill_bytes(&mut bytes);
        Nonce::from_bytes(bytes)
    }

    fn draw(&mut self) -> u32 {
        self.random.next_u32()
    }

    /// 30 s, a fifth more or less, so that clients that came together are not pinged together.
    fn ping_wait(&mut self) -> Duration {
        Duration::from_millis(24_000 + u64::from(self.random.next_u32() % 12_000))
    }

    fn say(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.send(connection, Notice::new(message));
    }

    /// Sends to the connection of an id, when it is there.
    fn tell(&mut self, id: SignalId, message: ServerMessage) {
        if let Some(connection) = self.connection_by_id.get(&id) {
            self.say(*connection, message);
        }
    }

    fn answer(&mut self, connection: ConnectionId, id: Option<RequestId>, message: ServerMessage) {
        self.send(connection, Notice { id, message });
    }

    fn refuse(
        &mut self,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: ErrorCode,
        why: &str,
    ) {
        self.refuse_for(connection, id, code, why, None);
    }

    fn refuse_for(
        &mut self,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: ErrorCode,
        why: &str,
        wait: Option<Duration>,
    ) {
        let retry_after_ms = wait.map(in_ms);
        self.answer(
            connection,
            id,
            ServerMessage::Error {
                code,
                message: why.to_owned(),
                retry_after_ms,
            },
        );
    }

    fn note(&mut self, note: Note, connection: ConnectionId) {
        self.note_of(note, Some(connection));
    }

    fn note_of(&mut self, note: Note, connection: Option<ConnectionId>) {
        self.outputs.push_back(Output::Note { note, connection });
    }

    fn answer_failed_claim(&mut self, connection: ConnectionId, id: Option<RequestId>) {
        self.note(Note::CodeFailed, connection);
        self.answer(
            connection,
            id,
            ServerMessage::PairingFailed {
                reason: PairingFailure::CodeInvalid,
            },
        );
    }

    /// Relay sockets carry packets only, so that nothing is said on them; and an answer of the store may come when who
    /// asked is gone.
    fn send(&mut self, connection: ConnectionId, notice: Notice) {
        let hears = self
            .connections
            .get(&connection)
            .is_some_and(|known| match &known.phase {
                Phase::Relay { .. } => false,
                Phase::ExpectRegister { .. } | Phase::Present { .. } => true,
            });
        if hears {
            self.outputs.push_back(Output::Send { connection, notice });
        }
    }
}

fn in_ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Time from the open WebSocket to `register`: 10 s, ample on a bad mobile network.
const REGISTER_WITHIN: Duration = Duration::from_secs(10);

/// Silence after which a sign of life is asked for: 20 s, below the least wait between checks.
const PING_AFTER: Duration = Duration::from_secs(20);

/// Silence after which a connection is closed: 75 s, two lost pings and their answers.
const IDLE_MAX: Duration = Duration::from_secs(75);

/// Least time between two looks at one connection, so that timers make progress.
const SILENCE_STEP_MIN: Duration = Duration::from_secs(1);

/// Refusals for exceeding [`Settings::request_rate`]: the sixth within a minute closes the connection.
const BREACH_RATE: Rate = Rate {
    burst: 5,
    refill: Duration::from_secs(12),
};

/// Time between two looks through fading records: a minute.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Claim budgets kept at once: 131,072, at about 100 bytes each 13 MiB. Who comes after shares
/// one budget with all others that found no place.
const CLAIM_BUDGETS_MAX: usize = 1 << 17;

#[cfg(test)]
mod tests;
