//! Several signal servers: who is met where, and what happens when one fails.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::code::Slot;
use towline_wire::ice::IceServers;
use towline_wire::ids::DeviceId;
use towline_wire::server_url::ServerUrl;
use towline_wire::signal::{ClientMessage, Nonce, ServerMessage};

use super::session::greeting;
use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{Output, SessionId, SignalEvent, SignalFault, SignalRequest, StunServer};
use crate::outbox::Outbox;
use crate::pairing::{MailboxEvent, MailboxRequest};
use crate::sessions::{Elsewhere, Sessions, SessionsInput};
use crate::signal::SessionNews;
use crate::snapshot::ServerState;

const ONE: &str = "wss://one.example/ws";
const TWO: &str = "wss://two.example/ws";
const FAR: &str = "wss://far.example/ws";

/// The session for codes of a device with two servers, and its first for visits.
const ERRAND: u8 = 2;
const VISIT: u8 = 3;

struct World {
    sessions: Sessions,
    now: Moment,
    rng: ChaCha20Rng,
    outbox: Outbox,
}

impl World {
    fn new(servers: &[&str], elsewhere: Elsewhere) -> Self {
        let servers: Vec<ServerUrl> = servers.iter().map(|url| url.parse().unwrap()).collect();
        Self {
            sessions: Sessions::new(&identity(1), &servers, elsewhere),
            now: Moment::default(),
            rng: ChaCha20Rng::from_seed([0; 32]),
            outbox: Outbox::default(),
        }
    }

    /// A device that is at both of its servers and watches peers with these servers.
    fn at_both(homes: &[(u8, &[&str])]) -> Self {
        let mut world = Self::new(&[ONE, TWO], Elsewhere::Allowed);
        world.watch(homes);
        assert_eq!(world.input(SessionsInput::Start), []);
        let sent = world.sent();
        assert!(
            sent.starts_with(&[(0, connect(ONE)), (1, connect(TWO))]),
            "{sent:?}"
        );
        world.register(0);
        world.register(1);
        world.sent();
        world
    }

    fn watch(&mut self, homes: &[(u8, &[&str])]) {
        let home = |urls: &[&str]| urls.iter().map(|url| url.parse().unwrap()).collect();
        let homes = homes.iter().map(|(seed, urls)| (peer(*seed), home(urls)));
        self.input(SessionsInput::Watch(homes.collect::<BTreeMap<_, _>>()));
    }

    fn input(&mut self, input: SessionsInput) -> Vec<SessionNews> {
        self.sessions
            .handle_input(self.now, input, &mut self.rng, &mut self.outbox)
    }

    fn hear(&mut self, session: u8, event: SignalEvent) -> Vec<SessionNews> {
        self.input(SessionsInput::Signal(SessionId(session), event))
    }

    fn say(&mut self, session: u8, message: ServerMessage) -> Vec<SessionNews> {
        self.hear(session, SignalEvent::Message(message))
    }

    fn register(&mut self, session: u8) {
        self.hear(session, SignalEvent::Opened);
        self.say(session, greeting(Nonce::from_bytes([7; 32]), &[]));
        let device_id = identity(1).id().into();
        self.say(
            session,
            ServerMessage::Registered {
                device_id,
                ice: IceServers::default(),
            },
        );
    }

    fn lose(&mut self, session: u8) -> Vec<SessionNews> {
        self.hear(session, SignalEvent::Closed(SignalFault::Closed))
    }

    fn comes(&mut self, session: u8, seed: u8) -> Vec<SessionNews> {
        let peer_id = peer(seed).into();
        self.say(session, ServerMessage::PeerConnected { peer_id })
    }

    fn goes(&mut self, session: u8, seed: u8) -> Vec<SessionNews> {
        let peer_id = peer(seed).into();
        self.say(session, ServerMessage::PeerDisconnected { peer_id })
    }

    /// Lets the first wait after a failure pass.
    fn wait(&mut self) {
        self.now = self.now.after(Duration::from_secs(1));
        let (rng, outbox) = (&mut self.rng, &mut self.outbox);
        let news = self.sessions.handle_timeout(self.now, rng, outbox);
        assert_eq!(news, []);
    }

    fn mailbox(&mut self, request: MailboxRequest) -> Vec<SessionNews> {
        self.input(SessionsInput::Mailbox(request))
    }

    /// What was asked of which session.
    fn sent(&mut self) -> Vec<(u8, SignalRequest)> {
        let outputs = std::iter::from_fn(|| self.outbox.pop());
        let requests = outputs.map(|output| {
            let Output::Signal(id, request) = output else {
                panic!("not for a session: {output:?}");
            };
            (id.0, request)
        });
        requests.collect()
    }

    /// The sessions of which something was asked.
    fn asked(&mut self) -> Vec<u8> {
        self.sent().into_iter().map(|(id, _)| id).collect()
    }

    fn used(&self) -> Option<String> {
        let (used, _) = self.sessions.summary();
        used.url.map(|url| url.to_string())
    }
}

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&[seed; 32])
}

fn peer(seed: u8) -> DeviceId {
    identity(seed).id()
}

fn connect(url: &str) -> SignalRequest {
    SignalRequest::Connect(url.to_owned())
}

fn watching(seeds: &[u8]) -> SignalRequest {
    let mut peers: Vec<_> = seeds.iter().map(|seed| peer(*seed)).collect();
    peers.sort();
    SignalRequest::Send(ClientMessage::Watch {
        peers: peers.into_iter().map(Into::into).collect(),
    })
}

fn elsewhere(server: &str) -> MailboxRequest {
    MailboxRequest::Claim(Slot::parse("ABC").unwrap(), Some(server.to_owned()))
}

#[test]
fn a_peer_is_there_as_long_as_any_server_sees_it_and_told_by_the_first_that_does() {
    let mut world = World::at_both(&[(2, &[TWO])]);
    let tell = || SessionsInput::Tell(peer(2), vec![1]);
    world.input(tell());
    assert_eq!(world.asked(), [0; 0], "nobody sees it");
    assert_eq!(world.comes(1, 2), [SessionNews::Online(peer(2))]);
    world.input(tell());
    assert_eq!(world.asked(), [1]);
    assert_eq!(world.comes(0, 2), []);
    world.input(tell());
    assert_eq!(world.asked(), [0]);
    assert_eq!(world.lose(0), []);
    world.sent();
    world.input(tell());
    assert_eq!(world.asked(), [1]);
    assert_eq!(world.goes(1, 2), [SessionNews::Offline(peer(2))]);
    world.wait();
    world.register(0);
    assert_eq!(world.comes(0, 2), [SessionNews::Online(peer(2))]);
}

#[test]
fn the_preferred_server_that_works_is_the_one_in_use() {
    let mut world = World::at_both(&[]);
    assert_eq!(world.used().as_deref(), Some(ONE));
    world.lose(0);
    assert_eq!(world.used().as_deref(), Some(TWO));
    let (_, others) = world.sessions.summary();
    let faulty = |state: &ServerState| matches!(state, ServerState::Offline { .. });
    assert!(matches!(&others[..], [other] if faulty(&other.state)));
    // It comes back by itself, and the other one was never given up.
    world.wait();
    assert_eq!(world.sent(), [(0, connect(ONE))]);
    world.register(0);
    assert_eq!(world.used().as_deref(), Some(ONE));
    world.lose(1);
    assert_eq!(world.used().as_deref(), Some(ONE));
}

#[test]
fn a_channel_that_does_not_come_is_asked_for_at_the_next_server() {
    let mut world = World::at_both(&[(2, &[ONE])]);
    world.comes(0, 2);
    world.comes(1, 2);
    let ask = |world: &mut World| {
        world.input(SessionsInput::WantRelay(peer(2)));
        world.asked()
    };
    assert_eq!(ask(&mut world), [0]);
    assert_eq!(ask(&mut world), [1]);
    assert_eq!(ask(&mut world), [0]);
    let ready = ServerMessage::RelayReady {
        peer_id: peer(2).into(),
        channel: towline_wire::packet::ChannelId(7),
        url: "/relay/7".to_owned(),
        token: towline_wire::signal::RelayToken::from_bytes([3; 16]),
    };
    let news = world.say(0, ready);
    assert!(
        matches!(&news[..], [SessionNews::RelayReady { url, .. }] if url == "wss://one.example/relay/7"),
        "{news:?}"
    );
    assert_eq!(
        ask(&mut world),
        [0],
        "what came once is asked for there again"
    );
}

#[test]
fn a_peer_that_shares_no_server_is_visited_and_only_it_is_named_there() {
    let homes: [(u8, &[&str]); 3] = [(2, &[FAR]), (3, &[TWO, FAR]), (4, &[])];
    let mut world = World::new(&[ONE, TWO], Elsewhere::Allowed);
    world.watch(&homes);
    world.input(SessionsInput::Start);
    let sent = world.sent();
    assert!(sent.contains(&(VISIT, connect(FAR))), "{sent:?}");
    assert_eq!(sent.len(), 3, "{sent:?}");
    for session in [0, 1, VISIT] {
        world.register(session);
    }
    let sent = world.sent();
    let all = watching(&[2, 3, 4]);
    let watches: Vec<_> = sent
        .into_iter()
        .filter(|(_, request)| matches!(request, SignalRequest::Send(ClientMessage::Watch { .. })))
        .collect();
    assert_eq!(
        watches,
        [(0, all.clone()), (1, all), (VISIT, watching(&[2]))]
    );
    assert_eq!(world.comes(VISIT, 2), [SessionNews::Online(peer(2))]);
    // Whoever was named there alone can say anything there.
    assert_eq!(world.comes(VISIT, 3), []);
    // Without that peer there is nothing to look for there.
    world.watch(&homes[1..]);
    let left = world.sent();
    assert!(
        left.contains(&(VISIT, SignalRequest::Disconnect)),
        "{left:?}"
    );
    world.lose(VISIT);
    assert_eq!(world.sent(), []);
}

#[test]
fn a_peers_word_leads_neither_to_clear_text_nor_to_this_computer() {
    for strange in [
        "ws://far.example/ws",
        "wss://localhost/ws",
        "wss://127.0.0.1:22/ws",
    ] {
        let mut world = World::new(&[ONE, TWO], Elsewhere::Allowed);
        world.watch(&[(2, &[strange])]);
        world.input(SessionsInput::Start);
        assert_eq!(world.asked(), [0, 1], "{strange}");
    }
    let mut world = World::new(&[ONE, TWO], Elsewhere::Forbidden);
    world.watch(&[(2, &[FAR])]);
    world.input(SessionsInput::Start);
    assert_eq!(world.asked(), [0, 1]);
    assert!(!world.sessions.may_go_to(&FAR.parse().unwrap()));
    assert!(world.sessions.may_go_to(&TWO.parse().unwrap()));
}

#[test]
fn many_peers_with_many_servers_cost_eight_visits() {
    let mut world = World::new(&[ONE], Elsewhere::Allowed);
    let urls: Vec<String> = (0..40)
        .map(|at| format!("wss://s{at}.example/ws"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let homes: Vec<(u8, &[&str])> = (2..).zip(urls.chunks(4)).collect();
    world.watch(&homes);
    assert_eq!(world.asked().len(), 8);
}

#[test]
fn a_code_of_another_server_leaves_the_others_alone_and_is_followed_by_a_visit() {
    let mut world = World::at_both(&[]);
    world.mailbox(elsewhere("far.example"));
    assert_eq!(world.sent(), [(ERRAND, connect(FAR))]);
    world.register(ERRAND);
    world.sent();
    assert_eq!(world.used().as_deref(), Some(ONE));
    // The new peer is met there, too; but a second session would end the pairing's.
    world.watch(&[(2, &[FAR])]);
    let sent = world.sent();
    assert_eq!(sent, [(0, watching(&[2])), (1, watching(&[2]))]);
    world.mailbox(MailboxRequest::Done);
    world.sent();
    world.lose(ERRAND);
    assert_eq!(world.sent(), [(VISIT, connect(FAR))]);
    // The next code of that server uses the visit.
    world.register(VISIT);
    world.sent();
    world.mailbox(elsewhere("far.example"));
    assert_eq!(world.asked(), [VISIT]);
}

#[test]
fn a_mailbox_opens_where_a_server_works_and_says_where() {
    let mut world = World::at_both(&[]);
    world.lose(0);
    world.sent();
    world.mailbox(MailboxRequest::Open);
    assert_eq!(world.asked(), [1]);
    let code = ServerMessage::PairingCode {
        code: Slot::parse("ABC").unwrap(),
        expires_in: 300,
    };
    // Only the server that was asked has a say.
    assert_eq!(world.say(0, code.clone()), []);
    let news = world.say(1, code);
    assert!(
        matches!(
            &news[..],
            [SessionNews::Mailbox(MailboxEvent::Opened { server: Some(server), .. })]
                if server.as_str() == TWO
        ),
        "{news:?}"
    );
}

#[test]
fn stun_servers_are_those_that_own_servers_name_and_greeting_ones_go_first() {
    let mut world = World::new(&[ONE, TWO], Elsewhere::Allowed);
    world.input(SessionsInput::Start);
    let greet = |world: &mut World, session, stun: &str| {
        world.hear(session, SignalEvent::Opened);
        world.say(session, greeting(Nonce::from_bytes([7; 32]), &[stun]))
    };
    let named = |hosts: &[&str]| {
        let servers = hosts.iter().map(|host| StunServer {
            host: (*host).to_owned(),
            port: 3478,
        });
        vec![SessionNews::Stun(servers.collect())]
    };
    assert_eq!(greet(&mut world, 1, ":3478"), named(&["two.example"]));
    assert_eq!(
        greet(&mut world, 0, "stun.example:3478"),
        named(&["stun.example", "two.example"])
    );
    world.lose(0);
    world.lose(1);
    world.wait();
    assert_eq!(
        greet(&mut world, 1, ":3478"),
        named(&["two.example", "stun.example"])
    );
}

#[test]
fn the_same_server_counts_once_and_a_fourth_not_at_all() {
    let mut world = World::new(
        &[
            ONE,
            "wss://one.example:443/ws",
            TWO,
            FAR,
            "wss://four.example/ws",
        ],
        Elsewhere::Allowed,
    );
    world.input(SessionsInput::Start);
    let sent = world.sent();
    assert_eq!(
        sent,
        [(0, connect(ONE)), (1, connect(TWO)), (2, connect(FAR))]
    );
}
