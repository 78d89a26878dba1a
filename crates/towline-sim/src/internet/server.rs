//! The signal server of a small internet: the product's rendezvous behind simulated TCP, packet channels
//! through it, and STUN on two ports.
//!
//! TCP loses nothing. Where its way is broken what is sent waits, and is tried again as late again as the
//! way was broken. A socket whose address is gone is dead, and nobody is told.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use signal_server::rendezvous::{
    ConnectionId as SocketId, Door, Input as ServerInput, Lending, Moment as ServerMoment, Origin,
    Output as ServerOutput, Rendezvous, Settings,
};
use towline_core::io::{Input, NetworkEvent, SessionId, SignalEvent, SignalFault, SignalRequest};
use towline_wire::packet::{ChannelId, Ecn, Packet as Frame, PacketKind};
use towline_wire::signal::{Notice, RelayToken, Request};

use super::map::{LineState, ROOT};
use super::quic::Way;
use super::wire::Datagram;
use super::{Event, Internet, Payload};
use crate::dice::Dice;

/// Where every device meets.
pub(super) const URL: &str = "ws://192.0.2.7:9000/ws";

/// The server's address.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The ports at which it tells from where it is asked.
const STUN: [u16; 2] = [3478, 3479];

/// What the wall clock says when the server starts.
const UNIX_SECONDS: u64 = 1_700_000_000;

/// The session with the one server of a device.
const HOME: SessionId = SessionId(0);

/// When TCP first tries again what was not acknowledged; each next time comes twice as late.
const RETRANSMISSION: Duration = Duration::from_millis(300);

/// The longest pause between two tries.
const RETRANSMISSION_MAX: Duration = Duration::from_secs(60);

/// When a connection is tried, from the first try on, and when it is given up.
const CONNECTS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(7),
];
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Packets that wait for a channel that is stuck; what comes after is dropped.
const PACKETS_HELD_MAX: usize = 90;

/// Packets that TCP itself takes, and how long more of them may wait before the channel is closed.
const PACKETS_IN_TCP: usize = 13;
const STUCK: Duration = Duration::from_secs(5);

/// The birth of a server that knows a socket which it has closed: none.
const FORGOTTEN: Duration = Duration::MAX;

/// Packets on their way through all channels that are remembered; the oldest ones were lost.
const PACKETS_UNDER_WAY_MAX: usize = 1000;

/// The server and its sockets.
#[derive(Debug)]
pub(super) struct Server {
    rendezvous: Option<Rendezvous>,
    born: Duration,
    stopped: Duration,
    sockets: BTreeMap<u64, Socket>,
    last: u64,
    due: Option<Duration>,
    latency: Duration,
    /// QUIC packets on their way through channels.
    packets: BTreeMap<u64, super::quic::Packet>,
    last_packet: u64,
}

/// One WebSocket, as its device sees it.
#[derive(Debug)]
struct Socket {
    host: usize,
    run: u32,
    use_: Use,
    stage: Stage,
    /// Its addresses inside and outside; with others it is dead.
    route: Option<(IpAddr, Ipv4Addr)>,
    held: VecDeque<Word>,
    stalled_since: Option<Duration>,
    tries: u32,
    to_server_until: Duration,
    to_host_until: Duration,
    paused_until: Duration,
    heard: Duration,
    /// Which of the server's lives knows it.
    born: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening { began: Duration },
    Open,
}

/// What a socket is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Use {
    Signal,
    Relay {
        peer: usize,
        channel: ChannelId,
        token: RelayToken,
    },
}

/// What a socket carries.
#[derive(Debug)]
pub(super) enum Word {
    ToServer(ToServer),
    ToHost(ToHost),
}

/// What arrives at the server.
#[derive(Debug)]
pub(super) enum ToServer {
    Text(String),
    Packet(Vec<u8>),
    Alive,
}

/// What arrives at a device.
#[derive(Debug)]
pub(super) enum ToHost {
    Told(Input),
    Packet(super::quic::Packet),
}

impl Server {
    pub(super) fn new(dice: &mut Dice, lending: Option<Lending>) -> Self {
        Self {
            rendezvous: Some(rendezvous(dice.bytes(), lending)),
            born: Duration::ZERO,
            stopped: Duration::ZERO,
            sockets: BTreeMap::new(),
            last: 0,
            due: None,
            latency: dice.millis(1, 30),
            packets: BTreeMap::new(),
            last_packet: 0,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.rendezvous.is_some()
    }

    /// Since when it is gone.
    pub(super) fn stopped_at(&self) -> Option<Duration> {
        (!self.is_up()).then_some(self.stopped)
    }
}

/// Pause between two looks of a device at its socket, and the silence after which it is closed.
const fn pause_of(use_: &Use) -> (Duration, Duration) {
    match use_ {
        Use::Signal => (Duration::from_secs(30), Duration::from_secs(75)),
        Use::Relay { .. } => (Duration::from_secs(15), Duration::from_secs(40)),
    }
}

/// One that has just started.
fn rendezvous(seed: [u8; 32], lending: Option<Lending>) -> Rendezvous {
    let settings = Settings {
        stun: STUN.iter().map(|port| format!(":{port}")).collect(),
        lending,
        ..Settings::default()
    };
    let mut rendezvous = Rendezvous::new(seed, settings);
    let unix_seconds = UNIX_SECONDS;
    let now = ServerMoment::after_start(Duration::ZERO);
    rendezvous.handle_input(now, ServerInput::WallClock { unix_seconds });
    rendezvous
}

impl Internet {
    // --- STUN ------------------------------------------------------------------------------------

    pub(super) fn stun_asked(&mut self, datagram: &Datagram) {
        let Payload::Ask { transaction } = datagram.payload else {
            return;
        };
        if !self.server.is_up() || !STUN.contains(&datagram.to.port()) {
            return;
        }
        let seen = self.bent_reflection(datagram.from);
        let answer = Datagram {
            origin: None,
            from: datagram.to,
            to: datagram.from,
            payload: Payload::Seen { transaction, seen },
        };
        let latency = self.server.latency * 2;
        self.after(
            latency,
            Event::Arrive {
                net: ROOT,
                datagram: answer,
            },
        );
    }

    // --- sockets ---------------------------------------------------------------------------------

    fn server_moment(&self) -> ServerMoment {
        ServerMoment::after_start(self.now.saturating_sub(self.server.born))
    }

    /// Whether TCP of a host reaches the server's machine now.
    pub(super) fn reaches_server(&self, host: usize) -> bool {
        let place = &self.hosts[host];
        let line = place.spot.map(|spot| self.map.line(spot.net).state);
        !place.sleeps(self.now) && matches!(line, Some(LineState::Up | LineState::WithoutUdp))
    }

    /// By which addresses TCP of a host goes.
    pub(super) fn tcp_route(&self, host: usize) -> Option<(IpAddr, Ipv4Addr)> {
        let spot = self.hosts[host].spot?;
        let chain = self.map.chain(self.map.segment(spot.net));
        let last = chain
            .last()
            .map(|router| self.map.routers[*router].outside_ip);
        Some((IpAddr::V4(spot.four), last.unwrap_or(spot.four)))
    }

    pub(super) fn signal_asked(&mut self, host: usize, id: SessionId, request: SignalRequest) {
        assert_eq!(id, HOME, "{request:?} of host {host}");
        match request {
            SignalRequest::Connect(_) => {
                self.leave_server(host);
                self.open_socket(host, Use::Signal);
            }
            SignalRequest::Send(message) => {
                if !self.passes_to_server(host, &message) {
                    return;
                }
                let text = Request { id: None, message }.to_json();
                if let Some(socket) = self.signal_socket(host) {
                    self.transmit(socket, Word::ToServer(ToServer::Text(text)));
                }
            }
            SignalRequest::Disconnect => {
                self.leave_server(host);
                let closed = SignalEvent::Closed(SignalFault::Closed);
                let wait = Duration::from_millis(1);
                self.deliver(host, wait, Input::Signal(HOME, closed));
            }
        }
    }

    fn leave_server(&mut self, host: usize) {
        if let Some(socket) = self.signal_socket(host) {
            self.drop_socket(socket);
        }
    }

    fn signal_socket(&self, host: usize) -> Option<u64> {
        let ours = |socket: &Socket| socket.host == host && socket.use_ == Use::Signal;
        let mut all = self.server.sockets.iter();
        all.find(|(_, socket)| ours(socket))
            .map(|(number, _)| *number)
    }

    fn open_socket(&mut self, host: usize, use_: Use) {
        let now = self.now;
        self.server.last += 1;
        let number = self.server.last;
        let socket = Socket {
            host,
            run: self.hosts[host].run,
            use_,
            stage: Stage::Opening { began: now },
            route: None,
            held: VecDeque::new(),
            stalled_since: None,
            tries: 0,
            to_server_until: now,
            to_host_until: now,
            paused_until: Duration::ZERO,
            heard: now,
            born: Duration::ZERO,
        };
        self.server.sockets.insert(number, socket);
        for wait in CONNECTS {
            self.after(wait, Event::Connect { socket: number });
        }
        self.after(CONNECT_DEADLINE, Event::Connect { socket: number });
    }

    /// A connection is tried.
    pub(super) fn connects(&mut self, number: u64) {
        let now = self.now;
        let Some(socket) = self.server.sockets.get(&number) else {
            return;
        };
        let (host, use_) = (socket.host, socket.use_.clone());
        let Stage::Opening { began } = socket.stage else {
            return;
        };
        let has_net = self.hosts[host].spot.is_some();
        let reaches = self.reaches_server(host);
        if now - began >= CONNECT_DEADLINE || !has_net || (reaches && !self.server.is_up()) {
            return self.closed_at_host(number, Duration::from_millis(50));
        }
        if !reaches {
            return;
        }
        let route = self.tcp_route(host);
        let (line, born) = (self.line_delay(host), self.server.born);
        let latency = line + self.server.latency;
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        socket.stage = Stage::Open;
        socket.route = route;
        socket.heard = now;
        socket.born = born;
        // TCP, TLS and the upgrade take a round trip each, and the server speaks first.
        socket.to_server_until = now + latency * 5;
        socket.to_host_until = now + latency * 6;
        let pause = pause_of(&use_).0;
        let (peer, door) = match use_ {
            Use::Signal => (None, Door::Signal),
            Use::Relay {
                peer,
                channel,
                token,
            } => (Some(peer), Door::Relay { channel, token }),
        };
        let remote = route.map_or(ADDRESS, |(_, outside)| IpAddr::V4(outside));
        let origin = Origin::new(remote, ADDRESS);
        let opened = match peer {
            None => Input::Signal(HOME, SignalEvent::Opened),
            Some(peer) => Input::Network(NetworkEvent::RelayOpened(self.hosts[peer].id)),
        };
        self.at(
            now + latency * 5,
            Event::OpenAtServer {
                socket: number,
                origin,
                door,
            },
        );
        self.at(
            now + latency * 6,
            Event::ToHost {
                socket: number,
                what: ToHost::Told(opened),
            },
        );
        self.after(pause, Event::SocketLook { socket: number });
    }

    pub(super) fn opens_at_server(&mut self, number: u64, origin: Origin, door: Door) {
        let connection = SocketId(number);
        if !self.knows(number) {
            return;
        }
        self.tell_server(ServerInput::Connected {
            connection,
            origin,
            door,
        });
    }

    /// Whether the server's present life knows a socket.
    fn knows(&self, number: u64) -> bool {
        let born = self.server.sockets.get(&number).map(|socket| socket.born);
        self.server.is_up() && born == Some(self.server.born)
    }

    /// A device looks whether its socket still lives.
    pub(super) fn looks_at_socket(&mut self, number: u64) {
        let Some(socket) = self.server.sockets.get(&number) else {
            return;
        };
        let host = socket.host;
        let (pause, silence) = pause_of(&socket.use_);
        if self.carries(number) && self.knows(number) {
            let now = self.now;
            if let Some(socket) = self.server.sockets.get_mut(&number) {
                socket.heard = now;
            }
        }
        self.transmit(number, Word::ToServer(ToServer::Alive));
        let heard = self.server.sockets.get(&number).map(|socket| socket.heard);
        let is_silent = heard.is_none_or(|heard| self.now - heard >= silence);
        if is_silent && !self.hosts[host].sleeps(self.now) {
            self.closed_at_host(number, Duration::from_millis(1));
        } else {
            self.after(pause, Event::SocketLook { socket: number });
        }
    }

    /// Whether what is sent on a socket gets through now.
    fn carries(&self, number: u64) -> bool {
        let Some(socket) = self.server.sockets.get(&number) else {
            return false;
        };
        let lives = socket.route.is_some() && socket.route == self.tcp_route(socket.host);
        lives && socket.stalled_since.is_none() && self.reaches_server(socket.host)
    }

    pub(super) fn line_delay(&mut self, host: usize) -> Duration {
        let Some(spot) = self.hosts[host].spot else {
            return Duration::ZERO;
        };
        let line = *self.map.line(spot.net);
        let jitter = usize::try_from(line.jitter.as_micros()).unwrap_or(0);
        let mut delay = line.latency + self.dice.micros(0, jitter);
        if self.dice.chance(line.loss_percent) {
            delay += RETRANSMISSION;
        }
        delay
    }

    /// Something is sent on a socket.
    fn transmit(&mut self, number: u64, word: Word) {
        let now = self.now;
        if !self.server.sockets.contains_key(&number) {
            return;
        }
        if self.carries(number) {
            return self.passes(number, word);
        }
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        if !matches!(
            word,
            Word::ToServer(ToServer::Packet(_)) | Word::ToHost(ToHost::Packet(_))
        ) || socket.held.len() < PACKETS_HELD_MAX
        {
            socket.held.push_back(word);
        }
        if socket.stalled_since.is_none() {
            socket.stalled_since = Some(now);
            socket.tries = 0;
            self.after(RETRANSMISSION, Event::SocketRetry { socket: number });
        }
    }

    /// What was not acknowledged is sent again.
    pub(super) fn retries_socket(&mut self, number: u64) {
        let now = self.now;
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        let Some(since) = socket.stalled_since.take() else {
            return;
        };
        if self.carries(number) {
            let held = self.server.sockets.get_mut(&number);
            let held = held.map(|socket| std::mem::take(&mut socket.held));
            for word in held.unwrap_or_default() {
                self.passes(number, word);
            }
            return;
        }
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        socket.stalled_since = Some(since);
        socket.tries += 1;
        let pause = RETRANSMISSION * (1 << socket.tries.min(9));
        let is_stuck = socket.held.len() > PACKETS_IN_TCP && now - since >= STUCK;
        let is_relay = matches!(socket.use_, Use::Relay { .. });
        if is_stuck && is_relay {
            return self.closed_at_host(number, Duration::from_millis(1));
        }
        let pause = pause.min(RETRANSMISSION_MAX);
        self.after(pause, Event::SocketRetry { socket: number });
    }

    fn passes(&mut self, number: u64, word: Word) {
        let now = self.now;
        let Some(socket) = self.server.sockets.get(&number) else {
            return;
        };
        let host = socket.host;
        let wait = self.line_delay(host) + self.server.latency;
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        let (until, event): (&mut Duration, _) = match word {
            Word::ToServer(what) => {
                socket.to_server_until = socket.to_server_until.max(socket.paused_until);
                let event = Event::ToServer {
                    socket: number,
                    what,
                };
                (&mut socket.to_server_until, event)
            }
            Word::ToHost(what) => {
                let event = Event::ToHost {
                    socket: number,
                    what,
                };
                (&mut socket.to_host_until, event)
            }
        };
        // A stream: nothing overtakes.
        *until = (*until).max(now + wait) + Duration::from_nanos(1);
        let when = *until;
        self.at(when, event);
    }

    /// The device's side forgets a socket; the server hears of it if it can.
    fn drop_socket(&mut self, number: u64) {
        let tells = self.carries(number) && self.knows(number);
        if self.server.sockets.remove(&number).is_some() {
            let wait = if tells {
                Duration::from_millis(50)
            } else {
                Duration::from_secs(75)
            };
            self.after(wait, Event::GoneAtServer { socket: number });
        }
    }

    /// A device is told that its socket is closed.
    fn closed_at_host(&mut self, number: u64, wait: Duration) {
        let Some(socket) = self.server.sockets.get(&number) else {
            return;
        };
        let (host, run) = (socket.host, socket.run);
        let was_open = socket.stage == Stage::Open;
        let fault = if was_open {
            SignalFault::Closed
        } else {
            SignalFault::Unreachable
        };
        let input = match socket.use_ {
            Use::Signal => Input::Signal(HOME, SignalEvent::Closed(fault)),
            Use::Relay { peer, .. } => {
                Input::Network(NetworkEvent::RelayClosed(self.hosts[peer].id))
            }
        };
        self.drop_socket(number);
        if run == self.hosts[host].run {
            self.deliver(host, wait, input);
        }
    }

    /// Something on a socket has come to its device.
    pub(super) fn at_host(&mut self, number: u64, what: ToHost) {
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        socket.heard = self.now;
        let host = socket.host;
        let peer = match socket.use_ {
            Use::Relay { peer, .. } => Some(peer),
            Use::Signal => None,
        };
        match what {
            ToHost::Told(input) => {
                let is_channels = matches!(input, Input::Network(NetworkEvent::RelayOpened(_)));
                self.deliver(host, Duration::ZERO, input);
                if let Some(peer) = peer.filter(|_| is_channels) {
                    self.channel_opened(host, peer);
                }
            }
            ToHost::Packet(packet) => {
                if let Some(peer) = peer {
                    self.quic_arrives(host, peer, Way::Relay, packet);
                }
            }
        }
    }

    // --- the rendezvous --------------------------------------------------------------------------

    pub(super) fn at_server(&mut self, number: u64, what: ToServer) {
        let connection = SocketId(number);
        if !self.knows(number) {
            // Its machine knows no such connection.
            if self.server.sockets.contains_key(&number) {
                let wait = self.server.latency;
                self.closed_at_host(number, wait);
            }
            return;
        }
        let input = match what {
            ToServer::Text(text) => ServerInput::from_text(connection, &text),
            ToServer::Packet(bytes) => ServerInput::Packet {
                connection,
                packet: bytes.into(),
            },
            ToServer::Alive => ServerInput::Alive { connection },
        };
        self.tell_server(input);
    }

    pub(super) fn gone_at_server(&mut self, number: u64) {
        let connection = SocketId(number);
        self.tell_server(ServerInput::Disconnected { connection });
    }

    fn tell_server(&mut self, input: ServerInput) {
        let now = self.server_moment();
        if let Some(rendezvous) = &mut self.server.rendezvous {
            rendezvous.handle_input(now, input);
        }
        self.perform_server();
    }

    pub(super) fn server_timeout(&mut self) {
        self.server.due = None;
        let now = self.server_moment();
        if let Some(rendezvous) = &mut self.server.rendezvous {
            rendezvous.handle_timeout(now);
        }
        self.perform_server();
    }

    fn perform_server(&mut self) {
        let next =
            |server: &mut Server| server.rendezvous.as_mut().and_then(Rendezvous::poll_output);
        while let Some(output) = next(&mut self.server) {
            match output {
                ServerOutput::Send { connection, notice } => {
                    self.server_says(connection.0, &notice);
                }
                ServerOutput::Forward { connection, packet } => {
                    self.server_forwards(connection.0, &packet);
                }
                ServerOutput::Ping { connection } => {
                    if self.carries(connection.0) {
                        self.transmit(connection.0, Word::ToServer(ToServer::Alive));
                    }
                }
                ServerOutput::Pause { connection, until } => {
                    let until = self.server.born + until.since_start();
                    if let Some(socket) = self.server.sockets.get_mut(&connection.0) {
                        socket.paused_until = until;
                    }
                }
                ServerOutput::Close { connection, code } => {
                    self.note(format_args!("server closes {connection:?}: {code:?}"));
                    if self.carries(connection.0) {
                        let wait = self.server.latency;
                        self.closed_at_host(connection.0, wait);
                    } else if let Some(socket) = self.server.sockets.get_mut(&connection.0) {
                        socket.born = FORGOTTEN;
                    }
                }
                // Notes are for the log, and this server is alone.
                ServerOutput::Note { .. }
                | ServerOutput::Ask { .. }
                | ServerOutput::Publish { .. } => {}
            }
        }
        let due = self.server.rendezvous.as_ref();
        let due = due.and_then(Rendezvous::poll_timeout);
        if let Some(due) = due.map(|due| self.server.born + due.since_start())
            && self.server.due.is_none_or(|armed| due < armed)
        {
            self.server.due = Some(due);
            self.at(due.max(self.now), Event::ServerTimeout);
        }
    }

    fn server_says(&mut self, number: u64, notice: &Notice) {
        let Ok(read) = Notice::from_json(&notice.to_json()) else {
            return self.violate(crate::rule::Rule::ServerIsReadable, notice.to_json());
        };
        for message in self.bent_notice(read.message) {
            let input = Input::Signal(HOME, SignalEvent::Message(message));
            self.transmit(number, Word::ToHost(ToHost::Told(input)));
        }
    }

    fn server_forwards(&mut self, number: u64, bytes: &[u8]) {
        let Ok(frame) = Frame::decode(bytes) else {
            return;
        };
        let name = frame.datagram.try_into().map(u64::from_le_bytes);
        let packet = name.ok().and_then(|name| self.server.packets.remove(&name));
        if let Some(packet) = packet {
            self.transmit(number, Word::ToHost(ToHost::Packet(packet)));
        }
    }

    // --- packet channels -------------------------------------------------------------------------

    pub(super) fn open_relay(&mut self, host: usize, peer: usize, channel: u32, token: &str) {
        self.close_relay(host, peer);
        let Some(token) = RelayToken::parse(token) else {
            return;
        };
        let channel = ChannelId(channel);
        self.open_socket(
            host,
            Use::Relay {
                peer,
                channel,
                token,
            },
        );
    }

    pub(super) fn close_relay(&mut self, host: usize, peer: usize) {
        if let Some((number, _)) = self.relay_of(host, peer) {
            self.drop_socket(number);
        }
    }

    fn relay_of(&self, host: usize, with: usize) -> Option<(u64, ChannelId)> {
        let mut all = self.server.sockets.iter().rev();
        all.find_map(|(number, socket)| match socket.use_ {
            Use::Relay { peer, channel, .. } if socket.host == host && peer == with => {
                Some((*number, channel))
            }
            Use::Relay { .. } | Use::Signal => None,
        })
    }

    /// A QUIC packet leaves through the packet channel, if there is one.
    pub(super) fn send_relayed(&mut self, host: usize, peer: usize, packet: super::quic::Packet) {
        let Some((number, channel)) = self.relay_of(host, peer) else {
            return;
        };
        let is_open = self.server.sockets.get(&number).map(|socket| socket.stage);
        if is_open != Some(Stage::Open) {
            return;
        }
        self.server.last_packet += 1;
        let name = self.server.last_packet;
        self.server.packets.insert(name, packet);
        while self.server.packets.len() > PACKETS_UNDER_WAY_MAX {
            self.server.packets.pop_first();
        }
        let frame = Frame {
            kind: PacketKind::Data,
            ecn: Ecn::NotCapable,
            channel,
            datagram: &name.to_le_bytes(),
        };
        let bytes = [&frame.header()[..], frame.datagram].concat();
        self.transmit(number, Word::ToServer(ToServer::Packet(bytes)));
    }

    // --- changes ---------------------------------------------------------------------------------

    /// All sockets of a device are gone with its process; only the server is told, if it can be.
    pub(super) fn sockets_lost(&mut self, host: usize) {
        let all = self.server.sockets.iter();
        let lost: Vec<u64> = all
            .filter(|(_, socket)| socket.host == host)
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            self.drop_socket(number);
        }
    }

    /// The server is gone with all that it knew.
    pub(super) fn server_stops(&mut self) {
        self.server.rendezvous = None;
        self.server.stopped = self.now;
        self.server.due = None;
        self.server.packets.clear();
        let numbers: Vec<u64> = self.server.sockets.keys().copied().collect();
        for number in numbers {
            if self.carries(number) {
                let wait = self.server.latency;
                self.closed_at_host(number, wait);
            }
        }
    }

    pub(super) fn server_starts(&mut self) {
        if self.server.is_up() {
            return;
        }
        let seed = self.dice.bytes();
        self.server.rendezvous = Some(rendezvous(seed, self.lender.told()));
        self.server.born = self.now;
    }

    /// The relay forgets its channels; sessions stay.
    pub(super) fn relay_restarts(&mut self) {
        let all = self.server.sockets.iter();
        let relays: Vec<u64> = all
            .filter(|(_, socket)| matches!(socket.use_, Use::Relay { .. }))
            .map(|(number, _)| *number)
            .collect();
        for number in relays {
            if self.carries(number) {
                let wait = self.server.latency;
                self.closed_at_host(number, wait);
            }
        }
    }

    /// Whether both ends of one packet channel are open.
    pub(super) fn is_relayed(&self, one: usize, other: usize) -> bool {
        let (ours, theirs) = (self.relay_of(one, other), self.relay_of(other, one));
        matches!((ours, theirs), (Some((_, ours)), Some((_, theirs))) if ours == theirs)
    }
}
