//! The signal server: the product's rendezvous behind simulated sockets.
//!
//! Every message crosses the wire as JSON, and every byte of it is searched for what the server
//! must never learn. A server can go away and come back with nothing; a seat can lose its way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use signal_server::rendezvous::{
    ConnectionId as SocketId, Door, Input as ServerInput, Moment as ServerMoment, Origin,
    Output as ServerOutput, Rendezvous, Settings,
};
use towline_core::io::{Input, NetworkEvent, SessionId, SignalEvent, SignalFault, SignalRequest};
use towline_wire::code::Slot;
use towline_wire::ids::DeviceId;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{ClientMessage, Notice, RelayToken, Request, ServerMessage};

use super::{Event, World};
use crate::dice::Dice;
use crate::mutation::Mutation;
use crate::rule::Rule;

/// Where every device meets.
pub(crate) const URL: &str = "ws://192.0.2.7:9000/ws";

/// The session with the one server of a device.
const HOME: SessionId = SessionId(0);

/// The server's address.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The server and its sockets.
#[derive(Debug)]
pub(crate) struct Server {
    rendezvous: Option<Rendezvous>,
    born: Duration,
    sockets: BTreeMap<u64, Socket>,
    last: u64,
    due: Option<Duration>,
    /// Seats without a way to the server.
    pub(crate) cut: BTreeSet<usize>,
    /// Under a mutation: where a burned mailbox goes on.
    aliases: BTreeMap<Slot, Slot>,
    /// Under a mutation: whose next slot is for an alias.
    reopening: Option<(u64, Slot)>,
    latency: Duration,
}

/// One WebSocket.
#[derive(Debug)]
struct Socket {
    seat: usize,
    use_: Use,
    /// When the last message in each direction arrives: nothing overtakes.
    to_server_until: Duration,
    to_device_until: Duration,
    paused_until: Duration,
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Signal,
    Relay { peer: DeviceId, channel: ChannelId },
}

/// What arrives at the server.
#[derive(Debug)]
pub(crate) enum ToServer {
    Open(Door),
    Text(String),
    Alive,
    Gone,
}

impl Server {
    pub(crate) fn new(dice: &mut Dice, latency: Duration) -> Self {
        Self {
            rendezvous: Some(Rendezvous::new(dice.bytes(), Settings::default())),
            born: Duration::ZERO,
            sockets: BTreeMap::new(),
            last: 0,
            due: None,
            cut: BTreeSet::new(),
            aliases: BTreeMap::new(),
            reopening: None,
            latency,
        }
    }
}

impl World {
    fn server_moment(&self) -> ServerMoment {
        ServerMoment::after_start(self.now - self.server.born)
    }

    fn reaches_server(&self, seat: usize) -> bool {
        self.server.rendezvous.is_some() && !self.server.cut.contains(&seat)
    }

    pub(super) fn signal_asked(&mut self, seat: usize, id: SessionId, request: SignalRequest) {
        // Everybody is at home at the one server, so nobody visits and no code leads elsewhere.
        assert_eq!(id, HOME, "{request:?} of seat {seat}");
        match request {
            SignalRequest::Connect(url) => {
                let closed = |fault| Input::Signal(HOME, SignalEvent::Closed(fault));
                if url != URL || !self.reaches_server(seat) {
                    let wait = self.dice.millis(10, 3000);
                    return self.deliver(seat, wait, closed(SignalFault::Unreachable));
                }
                self.leave_server(seat);
                let socket = self.open_socket(seat, Use::Signal);
                let wait = self.server.latency * 2;
                self.send_to_server(socket, wait, ToServer::Open(Door::Signal));
                // The server speaks first, and its words come after this.
                self.send_to_device(socket, wait * 2, Input::Signal(HOME, SignalEvent::Opened));
            }
            SignalRequest::Send(message) => {
                let text = Request { id: None, message }.to_json();
                self.search(seat, &text);
                if let Some(socket) = self.signal_socket(seat) {
                    let wait = self.server.latency;
                    self.send_to_server(socket, wait, ToServer::Text(text));
                }
            }
            SignalRequest::Disconnect => {
                self.leave_server(seat);
                let closed = SignalEvent::Closed(SignalFault::Closed);
                self.deliver(seat, Duration::from_millis(1), Input::Signal(HOME, closed));
            }
        }
    }

    fn leave_server(&mut self, seat: usize) {
        if let Some(socket) = self.signal_socket(seat) {
            self.drop_socket(socket);
        }
    }

    fn open_socket(&mut self, seat: usize, use_: Use) -> u64 {
        self.server.last += 1;
        let socket = Socket {
            seat,
            use_,
            to_server_until: Duration::ZERO,
            to_device_until: Duration::ZERO,
            paused_until: Duration::ZERO,
        };
        self.server.sockets.insert(self.server.last, socket);
        self.server.last
    }

    fn signal_socket(&self, seat: usize) -> Option<u64> {
        let ours = |socket: &Socket| socket.seat == seat && socket.use_ == Use::Signal;
        self.server
            .sockets
            .iter()
            .find(|(_, socket)| ours(socket))
            .map(|(number, _)| *number)
    }

    /// The device's side forgets a socket; the server hears of it later.
    fn drop_socket(&mut self, socket: u64) {
        if self.server.sockets.remove(&socket).is_some() {
            let wait = self.dice.millis(1, 200);
            self.after(
                wait,
                Event::ToServer {
                    socket,
                    what: ToServer::Gone,
                },
            );
        }
    }

    fn send_to_server(&mut self, number: u64, wait: Duration, what: ToServer) {
        let now = self.now;
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        socket.to_server_until = socket
            .to_server_until
            .max(now + wait)
            .max(socket.paused_until)
            + Duration::from_nanos(1);
        let when = socket.to_server_until;
        self.at(
            when,
            Event::ToServer {
                socket: number,
                what,
            },
        );
    }

    fn send_to_device(&mut self, number: u64, wait: Duration, input: Input) {
        let now = self.now;
        let Some(socket) = self.server.sockets.get_mut(&number) else {
            return;
        };
        socket.to_device_until = socket.to_device_until.max(now + wait) + Duration::from_nanos(1);
        let (seat, wait) = (socket.seat, socket.to_device_until - now);
        self.deliver(seat, wait, input);
    }

    pub(super) fn at_server(&mut self, number: u64, what: ToServer) {
        let now = self.server_moment();
        let connection = SocketId(number);
        let known = self.server.sockets.get(&number).map(|socket| socket.seat);
        let input = match (what, known) {
            (ToServer::Gone, _) => ServerInput::Disconnected { connection },
            (ToServer::Open(door), Some(seat)) => {
                let remote =
                    super::network::address_of(seat).map_or(ADDRESS, |address| address.ip());
                let origin = Origin::new(remote, ADDRESS);
                ServerInput::Connected {
                    connection,
                    origin,
                    door,
                }
            }
            (ToServer::Text(text), Some(_)) => {
                let text = self.bent_request(text);
                let Some(text) = text else { return };
                ServerInput::from_text(connection, &text)
            }
            (ToServer::Alive, Some(_)) => ServerInput::Alive { connection },
            (ToServer::Open(_) | ToServer::Text(_) | ToServer::Alive, None) => return,
        };
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
        while let Some(output) = self
            .server
            .rendezvous
            .as_mut()
            .and_then(Rendezvous::poll_output)
        {
            match output {
                ServerOutput::Send { connection, notice } => {
                    self.server_says(connection.0, &notice)
                }
                ServerOutput::Ping { connection } => {
                    let wait = self.server.latency * 2;
                    self.send_to_server(connection.0, wait, ToServer::Alive);
                }
                ServerOutput::Pause { connection, until } => {
                    let until = self.server.born + until.since_start();
                    if let Some(socket) = self.server.sockets.get_mut(&connection.0) {
                        socket.paused_until = until;
                    }
                }
                ServerOutput::Close { connection, code } => {
                    self.note(format_args!("server closes {connection:?}: {code:?}"));
                    self.closed_by_server(connection.0);
                }
                // No packet goes in, so none comes out; notes are for the server's own log.
                ServerOutput::Forward { .. } | ServerOutput::Note { .. } => {}
            }
        }
        let due = self
            .server
            .rendezvous
            .as_ref()
            .and_then(Rendezvous::poll_timeout);
        if let Some(due) = due.map(|due| self.server.born + due.since_start())
            && self.server.due.is_none_or(|armed| due < armed)
        {
            self.server.due = Some(due);
            self.at(due.max(self.now), Event::ServerTimeout);
        }
    }

    fn server_says(&mut self, number: u64, notice: &Notice) {
        if let Some((socket, slot)) = self.server.reopening.clone()
            && socket == number
            && let ServerMessage::PairingCode { code, .. } = &notice.message
        {
            self.server.reopening = None;
            self.server.aliases.insert(slot, code.clone());
            return;
        }
        let Ok(read) = Notice::from_json(&notice.to_json()) else {
            return self.violate(Rule::ServerIsReadable, notice.to_json());
        };
        let wait = self.server.latency;
        self.send_to_device(
            number,
            wait,
            Input::Signal(HOME, SignalEvent::Message(read.message)),
        );
    }

    fn closed_by_server(&mut self, number: u64) {
        let Some(socket) = self.server.sockets.get(&number) else {
            return;
        };
        let input = match socket.use_ {
            Use::Signal => Input::Signal(HOME, SignalEvent::Closed(SignalFault::Closed)),
            Use::Relay { peer, .. } => Input::Network(NetworkEvent::RelayClosed(peer)),
        };
        let wait = self.server.latency;
        self.send_to_device(number, wait, input);
        self.server.sockets.remove(&number);
    }

    // --- relay -----------------------------------------------------------------------------------

    pub(super) fn open_relay(
        &mut self,
        seat: usize,
        peer: DeviceId,
        url: &str,
        channel: u32,
        token: &str,
    ) {
        self.close_relay(seat, peer);
        let channel = ChannelId(channel);
        let token = RelayToken::parse(token);
        let fits = url.ends_with(&format!("/relay/{channel}"));
        let (true, true, Some(token)) = (fits, self.reaches_server(seat), token) else {
            let wait = self.dice.millis(10, 2000);
            let closed = Input::Network(NetworkEvent::RelayClosed(peer));
            return self.deliver(seat, wait, closed);
        };
        let use_ = Use::Relay { peer, channel };
        let socket = self.open_socket(seat, use_);
        let wait = self.server.latency * 2;
        self.send_to_server(socket, wait, ToServer::Open(Door::Relay { channel, token }));
        self.send_to_device(
            socket,
            wait * 2,
            Input::Network(NetworkEvent::RelayOpened(peer)),
        );
    }

    pub(super) fn close_relay(&mut self, seat: usize, peer: DeviceId) {
        if let Some((number, _)) = self.relay_end(seat, peer) {
            self.drop_socket(number);
        }
    }

    fn relay_end(&self, seat: usize, with: DeviceId) -> Option<(u64, ChannelId)> {
        self.server
            .sockets
            .iter()
            .find_map(|(number, socket)| match socket.use_ {
                Use::Relay { peer, channel } if socket.seat == seat && peer == with => {
                    Some((*number, channel))
                }
                Use::Relay { .. } | Use::Signal => None,
            })
    }

    /// Whether both ends of one channel are open.
    pub(super) fn relay_works(&self, one: usize, other: usize) -> bool {
        let ours = self.relay_end(one, self.seat(other).id);
        let theirs = self.relay_end(other, self.seat(one).id);
        match (ours, theirs) {
            (Some((_, ours)), Some((_, theirs))) => ours == theirs,
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    // --- faults ----------------------------------------------------------------------------------

    /// All sockets of a seat are gone.
    pub(super) fn sockets_lost(&mut self, seat: usize) {
        let lost: Vec<u64> = self
            .server
            .sockets
            .iter()
            .filter(|(_, socket)| socket.seat == seat)
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            let wait = self.dice.millis(10, 20_000);
            self.server.sockets.remove(&number);
            self.after(
                wait,
                Event::ToServer {
                    socket: number,
                    what: ToServer::Gone,
                },
            );
        }
    }

    /// A seat has no way to the server.
    pub(super) fn cut_server(&mut self, seat: usize) {
        self.server.cut.insert(seat);
        let lost: Vec<u64> = self
            .server
            .sockets
            .iter()
            .filter(|(_, socket)| socket.seat == seat)
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            self.closed_by_server(number);
            let wait = self.dice.millis(10, 20_000);
            self.after(
                wait,
                Event::ToServer {
                    socket: number,
                    what: ToServer::Gone,
                },
            );
        }
    }

    pub(super) fn heal_server(&mut self) {
        self.server.cut.clear();
        if self.server.rendezvous.is_none() {
            self.server_starts();
        }
    }

    /// The server is gone with all that it knew.
    pub(super) fn server_stops(&mut self) {
        self.server.rendezvous = None;
        self.server.due = None;
        let sockets: Vec<u64> = self.server.sockets.keys().copied().collect();
        for number in sockets {
            self.closed_by_server(number);
        }
    }

    pub(super) fn server_starts(&mut self) {
        let seed = self.dice.bytes();
        self.server.rendezvous = Some(Rendezvous::new(seed, Settings::default()));
        self.server.born = self.now;
    }

    // --- what the server must not see --------------------------------------------------------------

    /// Searches what goes to the server, also inside of payloads.
    fn search(&mut self, seat: usize, text: &str) {
        let mut seen = text.as_bytes().to_vec();
        if let Ok(Request {
            message: ClientMessage::Relay { payload, .. },
            ..
        }) = Request::from_json(text)
        {
            let inside = payload.as_text().and_then(|text| decode_base64(&text));
            seen.extend(inside.unwrap_or_default());
        }
        let found = self
            .secrets
            .iter()
            .find(|secret| contains(&seen, secret.as_bytes()))
            .cloned();
        if let Some(secret) = found {
            let what = format!("{seat} told the server {secret:?}");
            self.violate(Rule::ServerLearnsNothing, what);
        }
    }

    /// What a mutation makes of a request; `None` swallows it.
    fn bent_request(&mut self, text: String) -> Option<String> {
        if self.shape.mutation != Some(Mutation::WrongGuessNotBurned) {
            return Some(text);
        }
        match Request::from_json(&text).ok()?.message {
            ClientMessage::UsePairingCode { code } => {
                let code = self.server.aliases.get(&code).cloned().unwrap_or(code);
                let message = ClientMessage::UsePairingCode { code };
                Some(Request { id: None, message }.to_json())
            }
            ClientMessage::Register { .. }
            | ClientMessage::CreatePairingCode
            | ClientMessage::PairingDone
            | ClientMessage::CancelPairingCode
            | ClientMessage::Relay { .. }
            | ClientMessage::Watch { .. }
            | ClientMessage::CreateRoom { .. }
            | ClientMessage::LockRoom { .. }
            | ClientMessage::JoinRoom { .. }
            | ClientMessage::LeaveRoom { .. }
            | ClientMessage::RelayOpen { .. }
            | ClientMessage::Ping { .. } => Some(text),
        }
    }

    /// Under a mutation: the mailbox of a burned code is opened once more.
    pub(super) fn reopen_mailbox(&mut self, seat: usize, slot: Slot) {
        let Some(socket) = self.signal_socket(seat) else {
            return;
        };
        self.server.reopening = Some((socket, slot));
        let text = Request {
            id: None,
            message: ClientMessage::CreatePairingCode,
        }
        .to_json();
        self.send_to_server(socket, Duration::from_millis(1), ToServer::Text(text));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The bytes of a base64 text with padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}
