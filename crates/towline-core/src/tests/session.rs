//! The session, fed with what a signal server would say.

use std::collections::BTreeSet;
use std::time::Duration;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::code::Slot;
use towline_wire::ice::IceServers;
use towline_wire::ids::DeviceId;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{
    ClientMessage, ErrorCode, HostName, Nonce, PairingFailure, Payload, Registration, RelayName,
    RelayToken, ServerLimits, ServerMessage, SignalId, proof_message,
};
use towline_wire::version::VersionRange;

use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{Output, SessionId, SignalEvent, SignalFault, SignalRequest};
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, MailboxRequest, Way};
use crate::signal::{Moved, Session, SessionInput, SessionNews};
use crate::snapshot::{PairingFault, ServerState};

mod returning;

/// How long the server keeps a mailbox.
const LIFE: Duration = Duration::from_secs(300);

const HOME: &str = "ws://127.0.0.1:9000/ws";

struct World {
    session: Session,
    now: Moment,
    rng: ChaCha20Rng,
    outbox: Outbox,
}

impl World {
    fn new(home: Option<&str>) -> Self {
        Self {
            session: Session::new(
                SessionId::default(),
                Identity::from_seed(&[1; 32]),
                home.map(|url| url.parse().unwrap()),
            ),
            now: Moment::default(),
            rng: ChaCha20Rng::from_seed([0; 32]),
            outbox: Outbox::default(),
        }
    }

    /// A session that is registered at home and watches one peer.
    fn online() -> Self {
        let mut world = Self::new(Some(HOME));
        world.check(SessionInput::Watch(BTreeSet::from([peer()])), [], []);
        world.check(
            SessionInput::Start,
            [SignalRequest::Connect(HOME.to_owned())],
            [],
        );
        world.register();
        assert_eq!(world.sent(), [watch()]);
        assert_eq!(world.session.summary(), ServerState::Online);
        world
    }

    fn register(&mut self) {
        self.sent();
        self.check(SessionInput::Signal(SignalEvent::Opened), [], []);
        let greeted = self.say(hello(Nonce::from_bytes([7; 32])));
        assert_eq!(greeted, [SessionNews::Stun(Vec::new())]);
        assert!(matches!(
            &self.sent()[..],
            [SignalRequest::Send(ClientMessage::Register { .. })]
        ));
        assert!(
            self.say(ServerMessage::Registered {
                device_id: us().into(),
                ice: IceServers::default(),
            })
            .is_empty()
        );
    }

    fn input(&mut self, input: SessionInput) -> Vec<SessionNews> {
        self.session
            .handle_input(self.now, input, &mut self.rng, &mut self.outbox)
    }

    fn say(&mut self, message: ServerMessage) -> Vec<SessionNews> {
        self.input(SessionInput::Signal(SignalEvent::Message(message)))
    }

    fn mailbox(&mut self, request: MailboxRequest) -> Vec<SessionNews> {
        self.input(SessionInput::Mailbox(request))
    }

    fn lose(&mut self) -> Vec<SessionNews> {
        self.input(SessionInput::Signal(SignalEvent::Closed(
            SignalFault::Closed,
        )))
    }

    fn sent(&mut self) -> Vec<SignalRequest> {
        std::iter::from_fn(|| self.outbox.pop())
            .map(|output| {
                let Output::Signal(_, request) = output else {
                    panic!("not for the session: {output:?}");
                };
                request
            })
            .collect()
    }

    fn check<const A: usize, const B: usize>(
        &mut self,
        input: SessionInput,
        requests: [SignalRequest; A],
        news: [SessionNews; B],
    ) {
        assert_eq!(self.input(input), news);
        assert_eq!(self.sent(), requests);
    }

    /// Lets time pass until something is due, and does it.
    fn next(&mut self) -> Vec<SessionNews> {
        self.now = self
            .session
            .poll_timeout()
            .expect("something is due")
            .max(self.now);
        self.session
            .handle_timeout(self.now, &mut self.rng, &mut self.outbox)
    }
}

fn closed(fault: SignalFault) -> SessionInput {
    SessionInput::Signal(SignalEvent::Closed(fault))
}

fn connect() -> SignalRequest {
    SignalRequest::Connect(HOME.to_owned())
}

fn us() -> DeviceId {
    Identity::from_seed(&[1; 32]).id()
}

fn peer() -> DeviceId {
    Identity::from_seed(&[2; 32]).id()
}

fn opened(slot: Slot) -> MailboxEvent {
    MailboxEvent::Opened {
        slot,
        lasts: LIFE,
        server: Some(HOME.parse().unwrap()),
    }
}

fn slot() -> Slot {
    Slot::parse("ABC").unwrap()
}

fn hello(nonce: Nonce) -> ServerMessage {
    greeting(nonce, &[])
}

/// What a server says first, with STUN servers that it names.
pub(super) fn greeting(nonce: Nonce, stun: &[&str]) -> ServerMessage {
    let limits = ServerLimits {
        message_bytes: 65536,
        payload_bytes: 49152,
        watch_peers: 256,
        idle_seconds: 75,
    };
    ServerMessage::Hello {
        nonce,
        versions: VersionRange {
            oldest: 1,
            newest: 1,
        },
        limits,
        stun: stun.iter().copied().map(str::to_owned).collect(),
    }
}

fn send(message: ClientMessage) -> SignalRequest {
    SignalRequest::Send(message)
}

fn watch() -> SignalRequest {
    send(ClientMessage::Watch {
        peers: vec![peer().into()],
    })
}

fn mailbox(event: MailboxEvent) -> SessionNews {
    SessionNews::Mailbox(event)
}

fn failed(fault: PairingFault) -> Vec<SessionNews> {
    vec![mailbox(MailboxEvent::Failed(fault))]
}

fn payload(first: u8, bytes: &[u8]) -> Payload {
    Payload::from_text(&BASE64.encode(&[&[first], bytes].concat()))
}

fn relayed(payload: Payload) -> ServerMessage {
    ServerMessage::Relayed {
        name: RelayName::Relay,
        from: peer().into(),
        payload,
    }
}

#[test]
fn without_a_server_the_session_is_silent() {
    let mut world = World::new(None);
    world.check(SessionInput::Start, [], []);
    assert_eq!(
        (world.session.summary(), world.session.poll_timeout()),
        (ServerState::None, None)
    );
    assert_eq!(
        world.mailbox(MailboxRequest::Open),
        failed(PairingFault::ServerUnreachable)
    );
}

#[test]
fn it_registers_with_a_proof_for_the_host_that_it_dialled() {
    let mut world = World::new(Some(HOME));
    world.check(
        SessionInput::Start,
        [SignalRequest::Connect(HOME.to_owned())],
        [],
    );
    world.check(SessionInput::Signal(SignalEvent::Opened), [], []);
    let nonce = Nonce::from_bytes([7; 32]);
    world.say(hello(nonce));
    let sent = world.sent();
    let [
        SignalRequest::Send(ClientMessage::Register {
            registration: Registration::Device { device, proof },
            access_token: None,
        }),
    ] = &sent[..]
    else {
        panic!("no proof in {sent:?}");
    };
    let host = HostName::parse("127.0.0.1").unwrap();
    assert_eq!((*device, &proof.host), (us(), &host));
    let key = VerifyingKey::from_bytes(us().as_bytes()).unwrap();
    let message = proof_message(1, &host, &nonce, device);
    key.verify_strict(&message, &Signature::from_bytes(&proof.signature))
        .unwrap();
}

#[test]
fn somebody_elses_registration_ends_the_session() {
    let mut world = World::new(Some(HOME));
    world.input(SessionInput::Start);
    world.input(SessionInput::Signal(SignalEvent::Opened));
    world.say(hello(Nonce::from_bytes([7; 32])));
    world.say(ServerMessage::Registered {
        device_id: peer().into(),
        ice: IceServers::default(),
    });
    assert_eq!(world.sent().last(), Some(&SignalRequest::Disconnect));
    assert!(matches!(
        world.session.summary(),
        ServerState::Offline {
            fault: SignalFault::Protocol,
            ..
        }
    ));
}

#[test]
fn watched_peers_come_and_go_and_are_gone_with_the_session() {
    let mut world = World::online();
    let connected = || ServerMessage::PeerConnected {
        peer_id: peer().into(),
    };
    assert_eq!(world.say(connected()), [SessionNews::Online(peer())]);
    assert_eq!(world.say(connected()), []);
    assert_eq!(
        world.say(ServerMessage::PeerConnected {
            peer_id: us().into()
        }),
        []
    );
    let gone = ServerMessage::PeerDisconnected {
        peer_id: peer().into(),
    };
    assert_eq!(world.say(gone), [SessionNews::Offline(peer())]);
    world.say(connected());
    assert_eq!(world.lose(), [SessionNews::Offline(peer())]);
    assert_eq!(world.next(), []);
    assert_eq!(world.sent(), [SignalRequest::Connect(HOME.to_owned())]);
    world.register();
    assert_eq!(world.sent(), [watch()]);
}

#[test]
fn waits_grow_to_a_minute_and_are_never_the_same_for_all() {
    let mut world = World::new(Some(HOME));
    world.input(SessionInput::Start);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let before = world.now;
        world.lose();
        world.next();
        waits.push(world.now.since(before));
    }
    for (wait, full) in waits.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
        let full = Duration::from_secs(full);
        assert!((full / 2..=full).contains(wait), "{wait:?} of {full:?}");
    }
}

#[test]
fn a_close_that_would_come_again_stops_the_tries_until_something_changes() {
    let fatal = [
        SignalFault::BadProof,
        SignalFault::Replaced,
        SignalFault::Unacceptable,
    ];
    for fault in fatal {
        let stopped = || {
            let mut world = World::online();
            world.check(SessionInput::Signal(SignalEvent::Closed(fault)), [], []);
            assert_eq!(world.session.poll_timeout(), None);
            assert_eq!(world.session.summary(), ServerState::Stopped { fault });
            world
        };
        stopped().check(SessionInput::Moved(Moved::Joined), [connect()], []);
        let code = SessionInput::Mailbox(MailboxRequest::Open);
        stopped().check(code, [connect()], []);
        stopped().check(SessionInput::Tell(peer(), vec![1]), [], []);
    }
}

#[test]
fn a_session_goes_with_the_address_that_is_gone_and_comes_back_at_once() {
    let mut world = World::online();
    let left = || SessionInput::Moved(Moved::Left);
    world.check(left(), [SignalRequest::Disconnect], []);
    let closed = SessionInput::Signal(SignalEvent::Closed(SignalFault::Closed));
    world.check(closed, [connect()], []);
    // The next network is not there yet; when it is, nobody waits.
    let closed = SessionInput::Signal(SignalEvent::Closed(SignalFault::Unreachable));
    world.check(closed, [], []);
    world.check(SessionInput::Moved(Moved::Joined), [connect()], []);
}

#[test]
fn a_doubted_server_must_answer_soon_and_is_sought_at_once() {
    let ping = || SignalRequest::Send(ClientMessage::Ping { timestamp: None });
    let (usual, short) = (Duration::from_secs(2), Duration::from_millis(500));
    for (doubt, patience) in [
        (SessionInput::Doubt, usual),
        (SessionInput::Moved(Moved::Joined), usual),
        (SessionInput::Moved(Moved::Renumbered), short),
    ] {
        let mut world = World::online();
        world.check(doubt, [ping()], []);
        world.check(SessionInput::Doubt, [], []);
        let start = world.now;
        assert_eq!(world.next(), []);
        assert_eq!(world.now.since(start), patience);
        assert_eq!(world.sent(), [SignalRequest::Disconnect]);
        world.check(closed(SignalFault::Closed), [connect()], []);
    }
    let mut world = World::online();
    world.check(SessionInput::Doubt, [ping()], []);
    world.say(ServerMessage::Pong { timestamp: None });
    world.next();
    assert_eq!(world.sent(), [ping()], "the usual one, 30 s later");
}

#[test]
fn a_proof_that_is_refused_is_not_tried_again() {
    let mut world = World::new(Some(HOME));
    world.input(SessionInput::Start);
    world.input(SessionInput::Signal(SignalEvent::Opened));
    world.say(hello(Nonce::from_bytes([7; 32])));
    world.sent();
    world.say(error(ErrorCode::BadProof));
    assert_eq!(world.sent(), [SignalRequest::Disconnect]);
    // The words of the close come after it.
    world.input(SessionInput::Signal(SignalEvent::Closed(
        SignalFault::BadProof,
    )));
    let fault = SignalFault::BadProof;
    assert_eq!(world.session.summary(), ServerState::Stopped { fault });
    assert_eq!(world.session.poll_timeout(), None);
}

#[test]
fn a_server_that_is_not_for_this_device_is_asked_again_later() {
    let mut world = World::new(Some(HOME));
    world.input(SessionInput::Start);
    world.input(SessionInput::Signal(SignalEvent::Opened));
    world.say(hello(Nonce::from_bytes([7; 32])));
    world.sent();
    world.say(error(ErrorCode::AccessDenied));
    assert_eq!(world.sent(), [SignalRequest::Disconnect]);
    let denied = SignalFault::AccessDenied;
    assert!(
        matches!(world.session.summary(), ServerState::Offline { fault, .. } if fault == denied)
    );
    world.next();
    assert_eq!(world.sent(), [connect()], "its list may have changed");
}

#[test]
fn servers_that_lend_addresses_are_told_anew_while_the_session_lasts() {
    let mut world = World::online();
    let text = r#"[{"urls": "turn:turn.example", "username": "2:u", "credential": "c"}]"#;
    let ice = IceServers::parse(text).unwrap();
    let news = world.say(ServerMessage::IceServers { ice: ice.clone() });
    assert_eq!(news, [SessionNews::Lenders(ice.turn)]);
}

#[test]
fn a_silent_server_is_asked_and_then_left() {
    let mut world = World::online();
    world.next();
    assert_eq!(world.now.since_start(), Duration::from_secs(30));
    assert_eq!(
        world.sent(),
        [send(ClientMessage::Ping { timestamp: None })]
    );
    world.say(ServerMessage::Pong { timestamp: None });
    world.next();
    assert_eq!(
        world.sent(),
        [send(ClientMessage::Ping { timestamp: None })]
    );
    world.next();
    assert_eq!(world.now.since_start(), Duration::from_secs(70));
    assert_eq!(world.sent(), [SignalRequest::Disconnect]);
    assert!(matches!(
        world.session.summary(),
        ServerState::Offline {
            fault: SignalFault::Unreachable,
            ..
        }
    ));
}

#[test]
fn a_creators_mailbox_carries_bytes_both_ways() {
    let mut world = World::online();
    world.check(
        SessionInput::Mailbox(MailboxRequest::Open),
        [send(ClientMessage::CreatePairingCode)],
        [],
    );
    let code = ServerMessage::PairingCode {
        code: slot(),
        expires_in: 300,
    };
    assert_eq!(world.say(code), [mailbox(opened(slot()))]);
    let peer_id = SignalId::Device(peer());
    assert_eq!(
        world.say(ServerMessage::Paired { peer_id }),
        [mailbox(MailboxEvent::Joined(Way::Server))]
    );
    let relay = send(ClientMessage::relay(peer_id, payload(1, b"hello")));
    world.check(
        SessionInput::Mailbox(MailboxRequest::Send(b"hello".to_vec())),
        [relay],
        [],
    );
    let answer = world.say(relayed(payload(1, b"you")));
    assert_eq!(answer, [mailbox(MailboxEvent::Received(b"you".to_vec()))]);
    world.check(
        SessionInput::Mailbox(MailboxRequest::Done),
        [send(ClientMessage::PairingDone)],
        [],
    );
    assert_eq!(world.say(relayed(payload(1, b"late"))), []);
}

#[test]
fn a_refused_claim_says_why() {
    let cases = [
        (
            ServerMessage::PairingFailed {
                reason: PairingFailure::CodeInvalid,
            },
            PairingFault::CodeInvalid,
        ),
        (error(ErrorCode::RateLimited), PairingFault::RateLimited),
        (
            error(ErrorCode::Unavailable),
            PairingFault::ServerUnreachable,
        ),
    ];
    for (answer, fault) in cases {
        let mut world = World::online();
        let claim = send(ClientMessage::UsePairingCode { code: slot() });
        world.check(
            SessionInput::Mailbox(MailboxRequest::Claim(slot(), None)),
            [claim],
            [],
        );
        assert_eq!(world.say(answer), failed(fault));
    }
}

fn error(code: ErrorCode) -> ServerMessage {
    ServerMessage::Error {
        code,
        message: String::new(),
        retry_after_ms: None,
    }
}

#[test]
fn a_server_that_does_not_answer_fails_the_mailbox_after_ten_seconds() {
    let mut world = World::online();
    world.mailbox(MailboxRequest::Open);
    assert_eq!(world.next(), failed(PairingFault::ServerUnreachable));
    assert_eq!(world.now.since_start(), Duration::from_secs(10));
}

#[test]
fn a_mailbox_asked_for_while_the_server_is_away_waits_for_it() {
    let mut world = World::online();
    world.lose();
    world.check(
        SessionInput::Mailbox(MailboxRequest::Open),
        [SignalRequest::Connect(HOME.to_owned())],
        [],
    );
    world.register();
    assert_eq!(
        world.sent(),
        [watch(), send(ClientMessage::CreatePairingCode)]
    );

    let mut world = World::online();
    world.lose();
    world.mailbox(MailboxRequest::Open);
    assert_eq!(world.lose(), []);
    let mut news = Vec::new();
    while news.is_empty() {
        news = world.next();
    }
    assert_eq!(news, failed(PairingFault::ServerUnreachable));
    assert_eq!(world.now.since_start(), Duration::from_secs(10));
}

#[test]
fn a_creators_mailbox_outlives_a_reconnect() {
    let code = |slot: &str| ServerMessage::PairingCode {
        code: Slot::parse(slot).unwrap(),
        expires_in: 200,
    };
    let back = || {
        let mut world = World::online();
        world.mailbox(MailboxRequest::Open);
        world.say(code("ABC"));
        assert_eq!(world.lose(), []);
        world.next();
        world.register();
        world
    };
    let mut world = back();
    assert_eq!(world.say(code("ABC")), []);
    assert_eq!(
        world.say(ServerMessage::Paired {
            peer_id: peer().into()
        }),
        [mailbox(MailboxEvent::Joined(Way::Server))]
    );
    // Once joined, another reconnect says so again, and so does the other side's.
    world.lose();
    world.next();
    world.register();
    assert_eq!(
        world.say(ServerMessage::Paired {
            peer_id: peer().into()
        }),
        [mailbox(MailboxEvent::Joined(Way::Server))]
    );
    let connected = ServerMessage::PeerConnected {
        peer_id: peer().into(),
    };
    assert_eq!(
        world.say(connected),
        [
            SessionNews::Online(peer()),
            mailbox(MailboxEvent::Joined(Way::Server))
        ]
    );

    // A server that has forgotten the mailbox says nothing, or gives another slot later.
    assert_eq!(back().next(), failed(PairingFault::ServerUnreachable));
    assert_eq!(back().say(code("XYZ")), failed(PairingFault::Expired));
}

#[test]
fn answers_to_a_mailbox_that_was_left_are_not_taken_for_the_next() {
    let mut world = World::online();
    world.mailbox(MailboxRequest::Open);
    world.mailbox(MailboxRequest::Burn);
    world.mailbox(MailboxRequest::Open);
    let code = |slot: &str| ServerMessage::PairingCode {
        code: Slot::parse(slot).unwrap(),
        expires_in: 300,
    };
    assert_eq!(world.say(code("ABC")), []);
    assert_eq!(
        world.say(code("XYZ")),
        [mailbox(opened(Slot::parse("XYZ").unwrap()))]
    );
}

#[test]
fn a_code_that_names_another_server_takes_the_session_there_and_back() {
    let mut world = World::online();
    let there = "ws://127.0.0.1:7000/ws".to_owned();
    let claim = MailboxRequest::Claim(slot(), Some("127.0.0.1:7000".to_owned()));
    world.check(
        SessionInput::Mailbox(claim),
        [SignalRequest::Disconnect],
        [],
    );
    world.input(SessionInput::Signal(SignalEvent::Closed(
        SignalFault::Closed,
    )));
    assert_eq!(world.sent(), [SignalRequest::Connect(there)]);
    world.register();
    // The other server is not told who the peers are.
    assert_eq!(
        world.sent(),
        [send(ClientMessage::UsePairingCode { code: slot() })]
    );
    world.say(ServerMessage::Paired {
        peer_id: peer().into(),
    });
    let done = [send(ClientMessage::PairingDone), SignalRequest::Disconnect];
    world.check(SessionInput::Mailbox(MailboxRequest::Done), done, []);
    // The socket never says that it is closed.
    world.next();
    assert_eq!(world.sent(), [SignalRequest::Connect(HOME.to_owned())]);
}

#[test]
fn a_code_that_names_the_home_server_stays_there() {
    let mut world = World::online();
    let claim = MailboxRequest::Claim(slot(), Some("127.0.0.1:9000".to_owned()));
    world.check(
        SessionInput::Mailbox(claim),
        [send(ClientMessage::UsePairingCode { code: slot() })],
        [],
    );
}

#[test]
fn links_tell_each_other_sealed_bytes_beside_a_pairing() {
    let mut world = World::online();
    let relay = send(ClientMessage::relay(peer().into(), payload(2, b"sealed")));
    world.check(SessionInput::Tell(peer(), b"sealed".to_vec()), [relay], []);
    assert_eq!(
        world.say(relayed(payload(2, b"back"))),
        [SessionNews::Told(peer(), b"back".to_vec())]
    );
    for junk in [
        payload(1, b"x"),
        payload(9, b"x"),
        Payload::from_text("%"),
        Payload::from_text(""),
    ] {
        assert_eq!(world.say(relayed(junk)), []);
    }
}

#[test]
fn a_packet_channel_is_asked_for_and_its_url_made_whole() {
    let mut world = World::online();
    world.check(
        SessionInput::WantRelay(peer()),
        [send(ClientMessage::RelayOpen { to: peer().into() })],
        [],
    );
    let token = RelayToken::from_bytes([3; 16]);
    let ready = ServerMessage::RelayReady {
        peer_id: peer().into(),
        channel: ChannelId(7),
        url: "/relay/7".to_owned(),
        token: token.clone(),
    };
    let url = "ws://127.0.0.1:9000/relay/7".to_owned();
    assert_eq!(
        world.say(ready),
        [SessionNews::RelayReady {
            peer: peer(),
            url,
            channel: 7,
            token: token.reveal()
        }]
    );
}

#[test]
fn a_draining_server_is_left_for_as_long_as_it_asks() {
    let mut world = World::online();
    world.say(ServerMessage::Draining {
        reconnect_after_ms: 1500,
    });
    assert_eq!(world.sent(), [SignalRequest::Disconnect]);
    world.next();
    assert_eq!(world.now.since_start(), Duration::from_millis(1500));
    assert_eq!(world.sent(), [SignalRequest::Connect(HOME.to_owned())]);
}
