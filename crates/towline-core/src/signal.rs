//! A session with a signal server: registration, presence, mailboxes, sealed messages.
//!
//! States: NoServer, Connecting, ExpectHello, ExpectRegistered, Online, Waiting (for the next try),
//! Stopped (until something changes) and Closing (to go to another server). A code that names another
//! server takes the session there for as long as that pairing lasts, and then back home, if it has one;
//! watched peers count as away meanwhile, while their links stay. At how many servers a device is at a
//! time, `sessions` decides.
//!
//! A mailbox asked for while there is no session waits for one (`mailbox`). Whatever a peer or a
//! mailbox gets is one relayed payload: base64 of a byte that says for whom, and the bytes.
//! This machine sees only sealed bytes and slots; it never sees a secret.

mod leaving;
mod mailbox;
mod registered;

use std::collections::BTreeSet;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use towline_wire::ice::TurnServer;
use towline_wire::ids::DeviceId;
use towline_wire::server_url::ServerUrl;
use towline_wire::signal::{
    ClientMessage, ErrorCode, HostName, Nonce, Registration, SIGNAL_VERSION, ServerMessage,
    SignalId, WATCH_PEERS_MAX,
};
use towline_wire::version::VersionRange;

use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{SessionId, SignalEvent, SignalFault, SignalRequest, StunServer};
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, MailboxRequest};
use crate::snapshot::{PairingFault, ServerState};

use leaving::{DOUBT_PATIENCE, has_slept};
use mailbox::Mailbox;
pub(crate) use mailbox::server_named;
use registered::Addressee;

/// What happens to the session. The device routes these.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionInput {
    /// The device has started: connect, if a server is configured.
    Start,
    /// The session's socket.
    Signal(SignalEvent),
    /// This device is elsewhere in the network than before.
    Moved(Moved),
    /// A peer does not answer, so perhaps nobody can.
    Doubt,
    /// The whole set of peers whose presence matters, replacing the set before.
    Watch(BTreeSet<DeviceId>),
    /// The pairing wants something of its mailbox.
    Mailbox(MailboxRequest),
    /// A link wants to tell its peer something (already sealed).
    Tell(DeviceId, Vec<u8>),
    /// A link wants a packet channel.
    WantRelay(DeviceId),
}

/// How this device's own addresses have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// One is gone, and perhaps the session with it.
    Left,
    /// There are more.
    Joined,
    /// The router has another one, it seems.
    Renumbered,
}

/// What the session tells its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionNews {
    /// For the pairing.
    Mailbox(MailboxEvent),
    /// A server has greeted us, and names these STUN servers.
    Stun(Vec<StunServer>),
    /// A server has registered us, and names these TURN servers.
    Lenders(Vec<TurnServer>),
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

/// A session with a signal server.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    identity: Identity,
    home: Option<ServerUrl>,
    /// Where a code has taken the session for a while.
    detour: Option<ServerUrl>,
    state: State,
    watch: BTreeSet<DeviceId>,
    online: BTreeSet<DeviceId>,
    mailbox: Mailbox,
    /// Answers still to come on this session to requests of mailboxes that were left meanwhile.
    stale_answers: u32,
    backoff: Backoff,
    /// Until when the way to the server is sought as if it could be there again at any moment.
    returning_until: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NoServer,
    Connecting {
        deadline: Moment,
    },
    ExpectHello {
        deadline: Moment,
    },
    ExpectRegistered {
        deadline: Moment,
    },
    Online {
        since: Moment,
        alive: Alive,
    },
    Waiting {
        fault: SignalFault,
        retry_at: Moment,
    },
    Stopped {
        fault: SignalFault,
    },
    Closing {
        deadline: Moment,
    },
}

/// Whether the server is known to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alive {
    Heard {
        ping_at: Moment,
    },
    Asked {
        deadline: Moment,
    },
    /// Asked because something else does not answer.
    Doubted {
        deadline: Moment,
    },
}

impl Session {
    /// A session that is not started. Without a `home` server it stays silent until a code names one.
    pub fn new(id: SessionId, identity: Identity, home: Option<ServerUrl>) -> Self {
        Self {
            id,
            identity,
            home,
            detour: None,
            state: State::NoServer,
            watch: BTreeSet::new(),
            online: BTreeSet::new(),
            mailbox: Mailbox::None,
            stale_answers: 0,
            backoff: Backoff::default(),
            returning_until: None,
        }
    }

    /// Takes what happened.
    pub fn handle_input(
        &mut self,
        now: Moment,
        input: SessionInput,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        match input {
            SessionInput::Start => {
                if self.state == State::NoServer {
                    self.connect(now, outbox);
                }
                Vec::new()
            }
            SessionInput::Signal(SignalEvent::Opened) => {
                if matches!(self.state, State::Connecting { .. }) {
                    self.state = State::ExpectHello {
                        deadline: now.after(ANSWER_PATIENCE),
                    };
                }
                Vec::new()
            }
            SessionInput::Signal(SignalEvent::Message(message)) => {
                self.message(now, message, rng, outbox)
            }
            SessionInput::Signal(SignalEvent::Closed(fault)) => {
                self.closed(now, fault, rng, outbox)
            }
            SessionInput::Moved(how) => self.moved(now, how, outbox),
            SessionInput::Doubt => {
                self.doubt(now, DOUBT_PATIENCE, outbox);
                self.hurry(now, rng);
                Vec::new()
            }
            SessionInput::Watch(peers) if peers == self.watch => Vec::new(),
            SessionInput::Watch(peers) => {
                self.online.retain(|peer| peers.contains(peer));
                self.watch = peers;
                if self.is_online() {
                    self.send_watch(outbox);
                }
                Vec::new()
            }
            SessionInput::Mailbox(request) => self.mailbox_wanted(now, request, outbox),
            SessionInput::Tell(peer, bytes) => {
                self.relay(peer.into(), Addressee::Link, &bytes, outbox);
                Vec::new()
            }
            SessionInput::WantRelay(peer) => {
                if self.is_online() {
                    outbox.signal(
                        self.id,
                        SignalRequest::Send(ClientMessage::RelayOpen { to: peer.into() }),
                    );
                }
                Vec::new()
            }
        }
    }

    /// Takes that time has passed.
    pub fn handle_timeout(
        &mut self,
        now: Moment,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        if self
            .mailbox
            .deadline()
            .is_some_and(|deadline| now >= deadline)
        {
            self.mailbox_failed(now, PairingFault::ServerUnreachable, outbox, &mut news);
        }
        match self.state {
            State::Connecting { deadline }
            | State::ExpectHello { deadline }
            | State::ExpectRegistered { deadline }
                if now >= deadline =>
            {
                self.give_up(now, SignalFault::Unreachable, rng, outbox, &mut news);
            }
            State::Online {
                since,
                alive: Alive::Heard { ping_at },
            } if now >= ping_at => {
                outbox.signal(
                    self.id,
                    SignalRequest::Send(ClientMessage::Ping { timestamp: None }),
                );
                let alive = if has_slept(now, ping_at) {
                    Alive::Doubted {
                        deadline: now.after(DOUBT_PATIENCE),
                    }
                } else {
                    Alive::Asked {
                        deadline: now.after(ANSWER_PATIENCE),
                    }
                };
                self.state = State::Online { since, alive };
            }
            State::Online {
                alive: Alive::Asked { deadline } | Alive::Doubted { deadline },
                ..
            } if now >= deadline => {
                if has_slept(now, deadline) {
                    self.returns(now);
                }
                self.give_up(now, SignalFault::Unreachable, rng, outbox, &mut news);
            }
            State::Waiting { retry_at, .. } if now >= retry_at => self.connect(now, outbox),
            State::Closing { deadline } if now >= deadline => self.connect(now, outbox),
            State::NoServer
            | State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. }
            | State::Waiting { .. }
            | State::Stopped { .. }
            | State::Closing { .. } => {}
        }
        news
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let state = match self.state {
            State::NoServer | State::Stopped { .. } => None,
            State::Connecting { deadline }
            | State::ExpectHello { deadline }
            | State::ExpectRegistered { deadline }
            | State::Closing { deadline }
            | State::Online {
                alive: Alive::Asked { deadline } | Alive::Doubted { deadline },
                ..
            } => Some(deadline),
            State::Online {
                alive: Alive::Heard { ping_at },
                ..
            } => Some(ping_at),
            State::Waiting { retry_at, .. } => Some(retry_at),
        };
        [state, self.mailbox.deadline()].into_iter().flatten().min()
    }

    /// What a person sees of it.
    pub fn summary(&self) -> ServerState {
        match self.state {
            State::NoServer => ServerState::None,
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Closing { .. } => ServerState::Connecting,
            State::Online { .. } => ServerState::Online,
            State::Waiting { fault, retry_at } => ServerState::Offline { fault, retry_at },
            State::Stopped { fault } => ServerState::Stopped { fault },
        }
    }

    /// Its id.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The server where it is at home.
    pub const fn home(&self) -> Option<&ServerUrl> {
        self.home.as_ref()
    }

    /// Whether this device is registered there now.
    pub const fn is_online(&self) -> bool {
        matches!(self.state, State::Online { .. })
    }

    /// Whether the server has greeted us on this connection.
    pub const fn is_greeted(&self) -> bool {
        matches!(
            self.state,
            State::ExpectRegistered { .. } | State::Online { .. }
        )
    }

    /// Whether it is on its way, or will be by itself at once.
    pub const fn may_come(&self) -> bool {
        matches!(
            self.state,
            State::Connecting { .. }
                | State::ExpectHello { .. }
                | State::ExpectRegistered { .. }
                | State::Closing { .. }
        )
    }

    /// Whether it belongs nowhere and nothing is left to close.
    pub const fn is_free(&self) -> bool {
        self.home.is_none() && self.detour.is_none() && matches!(self.state, State::NoServer)
    }

    /// Whether the server sees this peer now.
    pub fn sees(&self, peer: DeviceId) -> bool {
        self.online.contains(&peer)
    }

    /// Is at home at another server from now on, or nowhere.
    pub fn go_home_to(
        &mut self,
        now: Moment,
        home: Option<ServerUrl>,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        if home != self.home {
            self.home = home;
            self.backoff.reset();
            self.move_to_target(now, outbox, &mut news);
        }
        news
    }

    /// The server to which the session belongs now.
    pub fn target(&self) -> Option<&ServerUrl> {
        self.detour.as_ref().or(self.home.as_ref())
    }

    /// The servers that a hello names; one without a host is the signal server itself.
    fn stun_servers(&self, named: &[String]) -> Vec<StunServer> {
        let ours = self.target().map(ServerUrl::host);
        let server = |named: &String| {
            let (host, port) = named.rsplit_once(':')?;
            let host = if host.is_empty() { ours? } else { host };
            let host = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let port = port.parse().ok().filter(|port| *port != 0)?;
            Some(StunServer { host, port })
        };
        named.iter().filter_map(server).collect()
    }

    fn connect(&mut self, now: Moment, outbox: &mut Outbox) {
        self.state = match self.target() {
            Some(server) => {
                outbox.signal(self.id, SignalRequest::Connect(server.to_string()));
                let patience = if self.is_returning(now) {
                    RETURN_PATIENCE
                } else {
                    CONNECT_PATIENCE
                };
                State::Connecting {
                    deadline: now.after(patience),
                }
            }
            None => State::NoServer,
        };
    }

    fn message(
        &mut self,
        now: Moment,
        message: ServerMessage,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        match (self.state, message) {
            (
                State::ExpectHello { .. },
                ServerMessage::Hello {
                    nonce,
                    versions,
                    stun,
                    ..
                },
            ) => match self.registration(&nonce, versions) {
                Some(registration) => {
                    news.push(SessionNews::Stun(self.stun_servers(&stun)));
                    outbox.signal(
                        self.id,
                        SignalRequest::Send(ClientMessage::register(registration)),
                    );
                    self.state = State::ExpectRegistered {
                        deadline: now.after(ANSWER_PATIENCE),
                    };
                }
                None => self.give_up(now, SignalFault::Protocol, rng, outbox, &mut news),
            },
            (State::ExpectRegistered { .. }, ServerMessage::Registered { device_id, ice }) => {
                if device_id == SignalId::Device(self.identity.id()) {
                    if !ice.turn.is_empty() {
                        news.push(SessionNews::Lenders(ice.turn));
                    }
                    self.registered(now, outbox);
                } else {
                    self.give_up(now, SignalFault::Protocol, rng, outbox, &mut news);
                }
            }
            (
                State::ExpectRegistered { .. },
                ServerMessage::Error {
                    code: ErrorCode::BadProof,
                    ..
                },
            ) => self.give_up(now, SignalFault::BadProof, rng, outbox, &mut news),
            (
                State::ExpectRegistered { .. },
                ServerMessage::Error {
                    code: ErrorCode::AccessDenied,
                    ..
                },
            ) => self.give_up(now, SignalFault::AccessDenied, rng, outbox, &mut news),
            (State::ExpectRegistered { .. }, ServerMessage::Error { .. }) => {
                self.give_up(now, SignalFault::Refused, rng, outbox, &mut news);
            }
            (State::Online { since, .. }, message) => {
                self.state = State::Online {
                    since,
                    alive: Alive::Heard {
                        ping_at: now.after(PING_INTERVAL),
                    },
                };
                self.online_message(now, message, outbox, &mut news);
            }
            (
                State::ExpectHello { .. } | State::ExpectRegistered { .. },
                ServerMessage::Draining { .. },
            ) => {
                self.give_up(now, SignalFault::Closed, rng, outbox, &mut news);
            }
            (State::ExpectHello { .. } | State::ExpectRegistered { .. }, _) => {
                self.give_up(now, SignalFault::Protocol, rng, outbox, &mut news);
            }
            // The last words of a session that we have left.
            (
                State::NoServer
                | State::Connecting { .. }
                | State::Waiting { .. }
                | State::Stopped { .. }
                | State::Closing { .. },
                _,
            ) => {}
        }
        news
    }

    /// Signs the server's nonce, when we speak a version of it.
    fn registration(&self, nonce: &Nonce, versions: VersionRange) -> Option<Registration> {
        versions.agree(VersionRange {
            oldest: SIGNAL_VERSION,
            newest: SIGNAL_VERSION,
        })?;
        let host = HostName::of_url(self.target()?.as_str())?;
        Some(self.identity.registration(host, nonce))
    }

    fn registered(&mut self, now: Moment, outbox: &mut Outbox) {
        self.state = State::Online {
            since: now,
            alive: Alive::Heard {
                ping_at: now.after(PING_INTERVAL),
            },
        };
        self.stale_answers = 0;
        self.returning_until = None;
        if !self.watch.is_empty() {
            self.send_watch(outbox);
        }
        self.mailbox_reaches_server(now, outbox);
    }

    /// Only the home server learns who our peers are; another one is visited for one code.
    fn send_watch(&self, outbox: &mut Outbox) {
        if self.detour.is_some() {
            return;
        }
        let peers = self
            .watch
            .iter()
            .take(WATCH_PEERS_MAX)
            .map(|peer| SignalId::Device(*peer))
            .collect();
        outbox.signal(self.id, SignalRequest::Send(ClientMessage::Watch { peers }));
    }
}

/// How long reaching the server may take: 15 s, DNS, TCP and TLS with a lost packet each.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// The same where the way to the server was lost a moment ago: 2 s. TCP asks again after 1, 3 and 7 s, so one long
/// try would miss the way's return by as much.
const RETURN_PATIENCE: Duration = Duration::from_secs(2);

/// How long the server may take to answer: 10 s, far above any round trip; longer only keeps a
/// person waiting for a server that hangs.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// Silence after which the server is asked for a sign of life: 30 s. The server closes after 75 s
/// of silence, and home routers forget a TCP connection after minutes.
const PING_INTERVAL: Duration = Duration::from_secs(30);
