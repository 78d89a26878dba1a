//! Two links of which one is behind a router with another port for each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use towline_wire::peer::{Challenge, Hello, WayOut};
use towline_wire::version::VersionRange;

use super::*;
use crate::report::{Obstacle, Outside};

const DIALER: usize = 0;
const ACCEPTOR: usize = 1;
const CONNECTION: ConnectionId = ConnectionId(1);

/// From where the steady side is seen.
fn steady_addr() -> SocketAddr {
    "198.51.100.7:4000".parse().unwrap()
}

/// The router of the varying side.
fn varying_host() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

fn varying_addr(port: u16) -> SocketAddr {
    SocketAddr::new(varying_host(), port)
}

/// Both links, connected through the relay, and the routers between them.
struct Two {
    ends: [World; 2],
    /// Which of them has the router that varies.
    varying: usize,
    /// Ports of the varying side's sockets, while they are open.
    open: BTreeSet<u16>,
    /// The one that was hit.
    hit: Option<u16>,
    /// Sockets that the system gives.
    sockets: u16,
    /// Where the steady side has sent, and how often.
    probed: BTreeMap<SocketAddr, u32>,
    scatters: u32,
    /// Whether the steady side's packets come through.
    guesses_arrive: bool,
}

fn reflection(mapping: Mapping, addresses: &[SocketAddr]) -> LinkInput {
    LinkInput::Reflexive(Reflection {
        mapping,
        addresses: addresses.to_vec(),
    })
}

fn hello(versions: VersionRange) -> Control {
    Control::Hello(Hello {
        versions,
        run: 1,
        challenge: Challenge([0; 32]),
    })
}

impl Two {
    fn new(varying: usize) -> Self {
        Self::speaking(varying, VersionRange::OURS)
    }

    /// Up on the relay, and nothing known of any router.
    fn speaking(varying: usize, versions: VersionRange) -> Self {
        let mut acceptor = World::acceptor(&[]);
        acceptor.input(LinkInput::Start);
        let peer = acceptor.peer;
        acceptor.network(NetworkEvent::Connected(peer, CONNECTION));
        let mut two = Self {
            ends: [World::up_on_relay(&[]), acceptor],
            varying,
            open: BTreeSet::new(),
            hit: None,
            sockets: u16::MAX,
            probed: BTreeMap::new(),
            scatters: 0,
            guesses_arrive: true,
        };
        for end in &mut two.ends {
            let peer = end.peer;
            end.network(NetworkEvent::Received(peer, CONNECTION, hello(versions)));
        }
        two
    }

    /// Another connection takes the place of the one that stands.
    fn reconnect(&mut self) {
        for end in &mut self.ends {
            let peer = end.peer;
            end.network(NetworkEvent::Connected(peer, CONNECTION));
            let hello = hello(VersionRange::OURS);
            end.network(NetworkEvent::Received(peer, CONNECTION, hello));
        }
        self.settle();
    }

    /// Both sides learn how they are seen.
    fn seen_as(&mut self, varying: Mapping, steady: Mapping) {
        let (one, other) = (self.varying, 1 - self.varying);
        let ports = [varying_addr(2000), varying_addr(2001)];
        self.ends[one].input(reflection(varying, &ports));
        self.ends[other].input(reflection(steady, &[steady_addr()]));
        self.settle();
    }

    /// Carries what both want until neither wants anything.
    fn settle(&mut self) {
        loop {
            let wanted = [DIALER, ACCEPTOR].map(|end| self.ends[end].requests());
            if wanted.iter().all(Vec::is_empty) {
                return;
            }
            for (end, requests) in wanted.into_iter().enumerate() {
                for request in requests {
                    self.carry(end, request);
                }
            }
        }
    }

    fn carry(&mut self, end: usize, request: NetworkRequest) {
        let peer = self.ends[end].peer;
        let other = 1 - end;
        match request {
            NetworkRequest::Send(_, frame) => {
                let from = self.ends[other].peer;
                let frame = NetworkEvent::Received(from, CONNECTION, frame);
                self.ends[other].network(frame);
            }
            NetworkRequest::Scatter { to, sockets, .. } => {
                assert_eq!((end, to), (self.varying, steady_addr()));
                self.scatters += 1;
                let sockets = sockets.min(self.sockets);
                // As a router draws them.
                self.open = (0..sockets).map(|number| 5000 + number * 118).collect();
                self.ends[end].network(NetworkEvent::Scattered(peer, sockets));
            }
            NetworkRequest::Gather(_) => {
                self.open.clear();
                self.hit = None;
            }
            NetworkRequest::Probe(_, to) if end == self.varying => {
                if let (true, Some(port)) = (to == steady_addr(), self.hit) {
                    self.ends[other].heard(varying_addr(port));
                    self.ends[end].answer(to, 20);
                }
            }
            NetworkRequest::Probe(_, to) => {
                *self.probed.entry(to).or_default() += 1;
                let is_open = self.open.contains(&to.port()) && to.ip() == varying_host();
                if is_open && self.guesses_arrive && self.hit.is_none_or(|hit| hit == to.port()) {
                    self.hit = Some(to.port());
                    self.ends[other].heard(steady_addr());
                    self.ends[end].answer(to, 20);
                }
            }
            NetworkRequest::Select(..) | NetworkRequest::ProbeLarge(..) => {}
            NetworkRequest::Trust(_)
            | NetworkRequest::HostPairing(..)
            | NetworkRequest::MeetPairing(..)
            | NetworkRequest::SendPairing(..)
            | NetworkRequest::ClosePairing(_)
            | NetworkRequest::Grant(..)
            | NetworkRequest::Dial(_)
            | NetworkRequest::Hangup(_)
            | NetworkRequest::HangupOnFault(_)
            | NetworkRequest::Abandon(..)
            | NetworkRequest::AskStun(_)
            | NetworkRequest::LookUp(..)
            | NetworkRequest::Borrow(_)
            | NetworkRequest::GiveBack
            | NetworkRequest::MapPort
            | NetworkRequest::Ask(..)
            | NetworkRequest::OpenRelay { .. }
            | NetworkRequest::CloseRelay(_) => panic!("{request:?}"),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.ends[DIALER].now.after(time);
        loop {
            let due = self.ends.iter().filter_map(|end| end.link.poll_timeout());
            let Some(due) = due.min().filter(|due| *due <= end) else {
                break;
            };
            for one in &mut self.ends {
                let now = due.max(one.now);
                one.pass(now.since(one.now));
            }
            self.settle();
        }
        for one in &mut self.ends {
            one.pass(end.since(one.now));
        }
    }

    fn guesses(&self) -> u32 {
        let told = [varying_addr(2000), varying_addr(2001)];
        let guessed = self
            .probed
            .iter()
            .filter(|(to, _)| to.ip() == varying_host() && !told.contains(to));
        guessed.map(|(_, count)| count).sum()
    }
}

#[test]
fn whoever_dials_both_meet_within_two_seconds_and_one_socket_is_kept() {
    for varying in [DIALER, ACCEPTOR] {
        let mut two = Two::new(varying);
        two.seen_as(Mapping::Varies, Mapping::Same);
        two.pass(ms(550));
        assert_eq!((two.scatters, two.guesses()), (0, 0), "probes come first");
        two.pass(ms(2600));
        assert_eq!(two.scatters, 1);
        let port = two.hit.expect("a socket was hit");
        let expected = [steady_addr(), varying_addr(port)][usize::from(varying == ACCEPTOR)];
        assert_eq!(two.ends[DIALER].path(), Path::Direct(expected));
        let met = two.guesses();
        assert!(met <= 600, "{met} guesses");
        two.pass(ms(900));
        assert!(two.guesses() <= met + 4, "guessing ends");
        assert!(two.hit.is_some());
    }
}

#[test]
fn a_peer_that_begins_anew_in_the_middle_of_a_try_is_met_without_a_pause() {
    for varying in [DIALER, ACCEPTOR] {
        let mut two = Two::new(varying);
        two.guesses_arrive = false;
        two.seen_as(Mapping::Varies, Mapping::Same);
        two.pass(seconds(2));
        assert_eq!(two.scatters, 1);
        two.guesses_arrive = true;
        two.reconnect();
        two.seen_as(Mapping::Varies, Mapping::Same);
        two.pass(seconds(4));
        assert_eq!(two.scatters, 2);
        assert!(two.hit.is_some());
    }
}

/// The varying side, which accepts, asked to open its sockets for the first time.
fn asked() -> World {
    let mut world = World::acceptor(&[]);
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(world.peer, CONNECTION));
    world.input(reflection(
        Mapping::Varies,
        &[varying_addr(2000), varying_addr(2001)],
    ));
    let steady = Control::Reflection(Reflection {
        mapping: Mapping::Same,
        addresses: vec![steady_addr()],
    });
    for frame in [hello(VersionRange::OURS), steady, Control::Scatter] {
        world.network(NetworkEvent::Received(world.peer, CONNECTION, frame));
    }
    assert_eq!(sockets_opened_and_closed(&mut world), (1, 0));
    world
}

/// How often all sockets were to be opened, and how often to be closed.
fn sockets_opened_and_closed(world: &mut World) -> (usize, usize) {
    let requests = world.requests();
    let count = |is: fn(&NetworkRequest) -> bool| requests.iter().filter(|one| is(one)).count();
    (
        count(|request| matches!(request, NetworkRequest::Scatter { .. })),
        count(|request| matches!(request, NetworkRequest::Gather(_))),
    )
}

#[test]
fn a_socket_that_is_hit_before_all_are_open_is_kept() {
    let mut world = asked();
    world.heard(steady_addr());
    world.answer(steady_addr(), 20);
    world.network(NetworkEvent::Scattered(world.peer, 512));
    world.pass(seconds(9));
    assert_eq!(sockets_opened_and_closed(&mut world), (0, 0));
}

#[test]
fn who_asks_for_sockets_has_left_the_path_that_worked_a_moment_ago() {
    let mut world = asked();
    world.network(NetworkEvent::Scattered(world.peer, 512));
    world.heard(steady_addr());
    world.answer(steady_addr(), 20);
    world.pass(seconds(2));
    world.requests();
    let again = NetworkEvent::Received(world.peer, CONNECTION, Control::Scatter);
    world.network(again);
    world.network(NetworkEvent::Scattered(world.peer, 512));
    world.pass(seconds(1));
    assert_eq!(
        sockets_opened_and_closed(&mut world),
        (1, 1),
        "the old ones"
    );
}

#[test]
fn a_wish_from_an_outage_does_not_close_the_socket_by_which_it_comes() {
    let mut world = asked();
    world.network(NetworkEvent::Scattered(world.peer, 512));
    world.heard(steady_addr());
    world.answer(steady_addr(), 20);
    world.pass(seconds(25));
    world.requests();
    // The path is back, and what the dialer said meanwhile is sent again.
    world.heard(steady_addr());
    world.answer(steady_addr(), 20);
    world.pass(ms(150));
    let late = NetworkEvent::Received(world.peer, CONNECTION, Control::Scatter);
    world.network(late);
    world.pass(seconds(1));
    assert_eq!(sockets_opened_and_closed(&mut world), (0, 0));
}

#[test]
fn the_socket_is_given_up_when_nothing_comes_by_it_for_half_a_minute() {
    let mut two = Two::new(ACCEPTOR);
    two.seen_as(Mapping::Varies, Mapping::Same);
    two.pass(seconds(4));
    assert!(two.hit.is_some());
    // The dialer is away and asks for nothing.
    let held = &mut two.ends[ACCEPTOR];
    held.pass(seconds(25));
    let gives_up = |acts: Vec<NetworkRequest>| {
        acts.iter()
            .any(|act| matches!(act, NetworkRequest::Gather(_)))
    };
    assert!(!gives_up(held.acts()));
    held.pass(seconds(10));
    assert!(gives_up(held.acts()));
}

#[test]
fn where_both_vary_or_one_does_not_know_nothing_happens() {
    for (one, other) in [
        (Mapping::Varies, Mapping::Varies),
        (Mapping::Same, Mapping::Same),
        (Mapping::Varies, Mapping::Unknown),
        (Mapping::Unknown, Mapping::Same),
    ] {
        let mut two = Two::new(DIALER);
        two.seen_as(one, other);
        two.pass(seconds(7200));
        assert_eq!((two.scatters, two.guesses()), (0, 0), "{one:?} {other:?}");
    }
}

#[test]
fn a_peer_of_the_version_before_is_told_nothing_of_it() {
    let versions = VersionRange {
        oldest: 2,
        newest: 2,
    };
    let mut two = Two::speaking(DIALER, versions);
    let told = reflection(Mapping::Varies, &[varying_addr(2000)]);
    two.ends[DIALER].input(told);
    let acts = two.ends[DIALER].acts();
    assert!(
        matches!(acts[..], [NetworkRequest::Send(_, Control::Addresses(_))]),
        "{acts:?}"
    );
    let peer = two.ends[DIALER].peer;
    let frame = NetworkEvent::Received(peer, CONNECTION, Control::Scatter);
    let news = two.ends[DIALER].network(frame);
    assert_eq!(news, [LinkNews::Down(CONNECTION)]);
}

#[test]
fn a_direct_path_that_is_found_meanwhile_ends_the_try() {
    let mut two = Two::new(DIALER);
    two.guesses_arrive = false;
    two.seen_as(Mapping::Varies, Mapping::Same);
    two.pass(seconds(2));
    assert!(!two.open.is_empty());
    let before = two.guesses();
    assert!(before > 0);
    for end in &mut two.ends {
        end.answer(lan_addr(), 3);
    }
    two.settle();
    assert_eq!(two.ends[DIALER].path(), Path::Direct(lan_addr()));
    assert!(two.open.is_empty(), "gathered");
    two.pass(seconds(3));
    assert_eq!(two.guesses(), before);
}

#[test]
fn a_try_without_a_hit_ends_and_two_are_made_in_the_first_hour_and_one_in_each_after() {
    let mut two = Two::new(ACCEPTOR);
    two.guesses_arrive = false;
    two.seen_as(Mapping::Varies, Mapping::Same);
    two.pass(seconds(5));
    assert_eq!((two.scatters, two.guesses()), (1, 512));
    assert!(
        two.probed.values().all(|count| *count < 60),
        "no port twice"
    );
    // The next one comes soon, though the sockets of the first would wait longer.
    two.pass(seconds(5));
    assert_eq!((two.scatters, two.guesses()), (2, 1024));
    two.pass(seconds(10));
    assert!(two.open.is_empty(), "gathered");
    two.pass(seconds(3500));
    assert_eq!((two.scatters, two.guesses()), (2, 1024));
    two.pass(seconds(3600 * 5));
    assert!((6..=7).contains(&two.scatters), "{}", two.scatters);
}

#[test]
fn another_place_in_the_network_is_a_new_hope_but_not_at_once() {
    let mut two = Two::new(ACCEPTOR);
    two.guesses_arrive = false;
    two.seen_as(Mapping::Varies, Mapping::Same);
    // The host bears another try again.
    two.pass(seconds(3700));
    let before = two.scatters;
    two.seen_as(Mapping::Varies, Mapping::Unknown);
    two.seen_as(Mapping::Varies, Mapping::Same);
    two.pass(seconds(4));
    assert_eq!(two.scatters, before + 1);
}

#[test]
fn where_the_system_gives_too_few_sockets_nobody_guesses() {
    for varying in [DIALER, ACCEPTOR] {
        let mut two = Two::new(varying);
        two.sockets = 63;
        two.seen_as(Mapping::Varies, Mapping::Same);
        two.pass(ms(1500));
        assert_eq!((two.scatters, two.guesses()), (1, 0));
        assert!(two.open.is_empty(), "gathered");
    }
}

#[test]
fn with_fewer_sockets_it_goes_on() {
    let mut two = Two::new(DIALER);
    two.sockets = 100;
    two.seen_as(Mapping::Varies, Mapping::Same);
    two.pass(seconds(20));
    assert!(two.hit.is_some());
}

/// What a peer that lies can have a device send: it names hosts, asks to scatter and says that its
/// sockets are open, as often as it likes.
fn packets_towards_third_parties(
    inputs: &[(u8, u8, u64)],
    role: usize,
) -> BTreeMap<IpAddr, Vec<Moment>> {
    let mut world = if role == DIALER {
        World::up_on_relay(&[])
    } else {
        let mut acceptor = World::acceptor(&[]);
        acceptor.input(LinkInput::Start);
        let peer = acceptor.peer;
        acceptor.network(NetworkEvent::Connected(peer, CONNECTION));
        acceptor
    };
    let peer = world.peer;
    let received = |frame| NetworkEvent::Received(peer, CONNECTION, frame);
    world.network(received(hello(VersionRange::OURS)));
    let mut packets: BTreeMap<IpAddr, Vec<Moment>> = BTreeMap::new();
    let mut count = |world: &mut World| {
        for request in world.requests() {
            let mut sent = |to: SocketAddr, count| {
                let sent = packets.entry(to.ip()).or_default();
                sent.extend(std::iter::repeat_n(world.now, count));
            };
            if let NetworkRequest::Probe(_, to) = request {
                sent(to, 1);
            } else if let NetworkRequest::Scatter { to, sockets, .. } = request {
                sent(to, usize::from(sockets));
                world.network(NetworkEvent::Scattered(peer, sockets));
            }
        }
    };
    for (what, host, pause) in inputs {
        let mapping = [Mapping::Same, Mapping::Varies][usize::from(what % 2)];
        let other = [Mapping::Varies, Mapping::Same][usize::from(what % 2)];
        world.input(reflection(mapping, &["192.0.2.1:1".parse().unwrap()]));
        let third = SocketAddr::from(([203, 0, 113, host % 8], 4000));
        world.network(received(Control::Reflection(Reflection {
            mapping: other,
            addresses: vec![third],
        })));
        world.network(received(Control::Scatter));
        world.network(received(Control::Scattered(u16::from(*what) * 8)));
        count(&mut world);
        let end = world.now.after(ms(*pause));
        while world.now < end {
            let step = end.since(world.now).min(ms(500));
            world.pass(step);
            count(&mut world);
        }
    }
    packets
}

/// What a host gets in an hour where nobody has answered: guesses, scattered probes, and ordinary ones.
const UNPROVED_MAX: usize = 1024 + 1024 + 256;

#[test]
fn a_host_that_a_lying_server_names_for_the_peer_gets_two_tries_in_an_hour_whatever_it_says() {
    // The peer believes what its server says of it, and says it: another port each 20 s, and now and then
    // another host, so that every try seems to be worth it.
    let victim = IpAddr::from([203, 0, 113, 1]);
    let whole_tries = 1024;
    for (what, role) in [(0, DIALER), (0, ACCEPTOR), (1, DIALER), (1, ACCEPTOR)] {
        // What is odd makes this side the one that scatters.
        let lies: Vec<(u8, u8, u64)> = (0..180)
            .map(|lie| (254 + what, 1 + u8::from(lie % 5 == 4), 20_000))
            .collect();
        let packets = packets_towards_third_parties(&lies, role);
        let sent = packets.get(&victim).map_or(0, Vec::len);
        assert!(
            (whole_tries..=whole_tries + 256).contains(&sent),
            "{what} {role}: {sent} packets"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_peer_can_have_a_host_flooded(
        inputs in prop::collection::vec((any::<u8>(), any::<u8>(), 0..60_000_u64), 1..60),
        role in 0..2_usize,
    ) {
        let packets = packets_towards_third_parties(&inputs, role);
        let mut all = 0;
        for (host, sent) in packets {
            let mut first = 0;
            for (last, at) in sent.iter().enumerate() {
                while at.since(sent[first]) >= seconds(3600) {
                    first += 1;
                }
                prop_assert!(last - first < UNPROVED_MAX, "{}", host);
            }
            all += sent.len();
        }
        prop_assert!(all <= 16_384);
    }
}

fn obstacles(two: &Two) -> [Option<Obstacle>; 2] {
    [DIALER, ACCEPTOR].map(|end| {
        let end = &two.ends[end];
        end.link.report(end.now, "peer").obstacle
    })
}

#[test]
fn both_sides_say_that_both_routers_vary() {
    let mut two = Two::new(DIALER);
    two.seen_as(Mapping::Varies, Mapping::Varies);
    two.pass(seconds(30));
    assert_eq!(obstacles(&two), [Some(Obstacle::BothVary); 2]);
    // One of them comes to another network.
    two.seen_as(Mapping::Varies, Mapping::Same);
    assert_ne!(obstacles(&two)[DIALER], Some(Obstacle::BothVary));
}

#[test]
fn a_try_is_a_search_and_one_without_a_hit_is_told_on_both_sides() {
    for varying in [DIALER, ACCEPTOR] {
        let mut two = Two::new(varying);
        two.guesses_arrive = false;
        two.seen_as(Mapping::Varies, Mapping::Same);
        two.pass(seconds(2));
        assert_eq!(obstacles(&two), [Some(Obstacle::Searching); 2]);
        two.pass(seconds(60));
        assert_eq!(obstacles(&two), [Some(Obstacle::PortsGuessed); 2]);
        two.guesses_arrive = true;
        // The host has had its two tries for an hour.
        two.pass(seconds(5400));
        assert_eq!(obstacles(&two)[DIALER], None);
    }
}

#[test]
fn each_side_is_told_when_no_udp_comes_through_on_the_other() {
    let mut two = Two::new(DIALER);
    two.ends[ACCEPTOR].input(LinkInput::Outside(Outside::Silent));
    two.ends[DIALER].input(LinkInput::Outside(Outside::Seen));
    two.settle();
    two.pass(seconds(30));
    let told = [Some(Obstacle::NoUdpThere), Some(Obstacle::NoUdpHere)];
    assert_eq!(obstacles(&two), told);
    // It is said again on the next connection, and taken back when it is over.
    two.reconnect();
    assert_eq!(obstacles(&two)[DIALER], Some(Obstacle::NoUdpThere));
    two.ends[ACCEPTOR].input(LinkInput::Outside(Outside::Seen));
    two.settle();
    assert_eq!(obstacles(&two), [Some(Obstacle::NoAddress); 2]);
}

#[test]
fn a_way_out_is_not_told_before_the_hello_or_to_a_version_of_before() {
    let (oldest, newest) = (2, 3);
    let mut two = Two::speaking(DIALER, VersionRange { oldest, newest });
    two.settle();
    two.ends[DIALER].input(LinkInput::Outside(Outside::Silent));
    let acts = two.ends[DIALER].acts();
    assert!(
        !acts
            .iter()
            .any(|act| matches!(act, NetworkRequest::Send(_, Control::WayOut(_)))),
        "{acts:?}"
    );
    let peer = two.ends[DIALER].peer;
    let early = Control::WayOut(WayOut::Blocked);
    let news = two.ends[DIALER].network(NetworkEvent::Received(peer, CONNECTION, early));
    assert_eq!(news, [LinkNews::Down(CONNECTION)]);
}
