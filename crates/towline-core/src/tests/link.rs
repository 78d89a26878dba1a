//! One link against a network that the test plays, and two links against each other.

mod birthday;
mod elsewhere;
mod large;
mod lent;
mod moves;
mod nearby;
mod places;
mod probing;
mod redial;
mod report;
mod rest;
mod restart;
mod strangers;
mod unrest;

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::ids::DeviceId;
use towline_wire::pairing::CompareString;
use towline_wire::peer::{Control, Mapping, Reflection};

use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{
    ConnectionId, DatagramSize, LinkFault, NetworkEvent, NetworkRequest, Output, Path,
};
use crate::link::{Link, LinkInput, LinkNews};
use crate::outbox::Outbox;
use crate::ration::Ration;
use crate::records::{PeerRecord, Verification};
use crate::snapshot::LinkState;

/// One side and its clock.
struct World {
    link: Link,
    peer: DeviceId,
    now: Moment,
    rng: ChaCha20Rng,
    outbox: Outbox,
    ration: Ration,
}

/// Two identities, the one with the lower key first.
fn pair() -> [Identity; 2] {
    let mut both = [Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32])];
    both.sort_by_key(Identity::id);
    both
}

impl World {
    fn new(us: &Identity, peer: &Identity, addresses: &[SocketAddr]) -> Self {
        Self::life(us, peer, addresses, *us.id().as_bytes())
    }

    /// One of the lives of a device, which differ in what they draw.
    fn life(us: &Identity, peer: &Identity, addresses: &[SocketAddr], seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let record = PeerRecord {
            id: peer.id(),
            name: "peer".to_owned(),
            compare: CompareString::from_bits(0),
            verification: Verification::NotVerified,
            addresses: addresses.to_vec(),
            servers: vec![],
            places: Vec::new(),
        };
        let link = Link::new(us, &record, &mut rng);
        Self {
            link,
            peer: peer.id(),
            now: Moment::from_start(Duration::from_secs(9)),
            rng,
            outbox: Outbox::default(),
            ration: Ration::default(),
        }
    }

    fn dialer(addresses: &[SocketAddr]) -> Self {
        let [low, high] = pair();
        Self::new(&low, &high, addresses)
    }

    fn acceptor(addresses: &[SocketAddr]) -> Self {
        let [low, high] = pair();
        Self::new(&high, &low, addresses)
    }

    fn input(&mut self, input: LinkInput) -> Vec<LinkNews> {
        self.link.handle_input(
            self.now,
            input,
            &mut self.rng,
            &mut self.outbox,
            &mut self.ration,
        )
    }

    fn network(&mut self, event: NetworkEvent) -> Vec<LinkNews> {
        self.input(LinkInput::Network(event))
    }

    fn answer(&mut self, from: SocketAddr, rtt_ms: u64) -> Vec<LinkNews> {
        let rtt = Duration::from_millis(rtt_ms);
        self.network(NetworkEvent::ProbeAnswered {
            peer: self.peer,
            from,
            rtt,
        })
    }

    fn heard(&mut self, from: SocketAddr) -> Vec<LinkNews> {
        self.network(NetworkEvent::ProbeHeard {
            peer: self.peer,
            from,
        })
    }

    fn requests(&mut self) -> Vec<NetworkRequest> {
        std::iter::from_fn(|| self.outbox.pop())
            .map(|output| {
                let Output::Network(request) = output else {
                    panic!("not for the network: {output:?}");
                };
                request
            })
            .collect()
    }

    /// What it asked for beside probes.
    fn acts(&mut self) -> Vec<NetworkRequest> {
        let mut requests = self.requests();
        requests.retain(|request| {
            !matches!(
                request,
                NetworkRequest::Probe(..) | NetworkRequest::ProbeLarge(..)
            )
        });
        requests
    }

    /// Lets this much time pass, doing what is due on the way; gives the news.
    fn pass(&mut self, time: Duration) -> Vec<LinkNews> {
        let end = self.now.after(time);
        let mut news = Vec::new();
        let mut steps = 0;
        while let Some(due) = self.link.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            news.extend(self.link.handle_timeout(
                self.now,
                &mut self.rng,
                &mut self.outbox,
                &mut self.ration,
            ));
            steps += 1;
            assert!(steps < 2000, "the link is never done at {:?}", self.now);
        }
        self.now = end;
        news
    }

    fn relay_opens(&mut self) -> Vec<LinkNews> {
        let ready = LinkInput::RelayReady {
            url: "ws://s/relay/7".to_owned(),
            channel: 7,
            token: "t".to_owned(),
        };
        self.input(ready);
        self.network(NetworkEvent::RelayOpened(self.peer))
    }

    /// Connected through the relay.
    fn up_on_relay(addresses: &[SocketAddr]) -> Self {
        let mut world = Self::dialer(addresses);
        world.input(LinkInput::Start);
        assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
        world.relay_opens();
        world.pass(ms(100));
        world.network(NetworkEvent::Connected(world.peer, ConnectionId(1)));
        world.requests();
        world
    }

    /// Connected on the direct path `addr`, with the relay open beside it.
    fn up_on_direct(addr: SocketAddr) -> Self {
        let mut world = Self::up_on_relay(&[addr]);
        world.answer(addr, 20);
        assert_eq!(world.path(), Path::Direct(addr));
        world.requests();
        world
    }

    fn path(&self) -> Path {
        let summary = self.link.summary(self.now);
        let LinkState::Up { path, .. } = summary else {
            panic!("not up but {summary:?}");
        };
        path
    }

    fn measured(&mut self, sent_bytes: u64, silent_ms: u64) -> Vec<LinkNews> {
        self.measured_from_afar(ms(20), sent_bytes, ms(silent_ms))
    }

    fn measured_from_afar(
        &mut self,
        rtt: Duration,
        sent_bytes: u64,
        silent_for: Duration,
    ) -> Vec<LinkNews> {
        self.network(NetworkEvent::Measured {
            peer: self.peer,
            rtt,
            received_bytes: 5,
            sent_bytes,
            silent_for,
        })
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn world_addr() -> SocketAddr {
    "203.0.113.5:4000".parse().unwrap()
}

fn lan_addr() -> SocketAddr {
    "192.168.1.5:4000".parse().unwrap()
}

fn loopback_addr() -> SocketAddr {
    "127.0.0.1:4000".parse().unwrap()
}

fn dials_on(peer: DeviceId, path: Path) -> [NetworkRequest; 2] {
    [
        NetworkRequest::Select(peer, path),
        NetworkRequest::Dial(peer),
    ]
}

#[test]
fn it_starts_on_the_relay_and_moves_to_a_direct_path() {
    let mut world = World::dialer(&[]);
    let peer = world.peer;
    world.input(LinkInput::Start);
    assert_eq!(world.input(LinkInput::Online), [LinkNews::WantRelay]);
    world.relay_opens();
    assert!(matches!(
        &world.acts()[..],
        [NetworkRequest::OpenRelay { channel: 7, .. }]
    ));
    world.pass(ms(99));
    assert_eq!(world.acts(), []);
    world.pass(ms(1));
    assert_eq!(world.acts(), dials_on(peer, Path::Relay));
    world.network(NetworkEvent::Connected(peer, ConnectionId(1)));
    assert_eq!(world.path(), Path::Relay);

    let frame = Control::Addresses(vec![world_addr()]);
    assert_eq!(
        world.network(NetworkEvent::Received(peer, ConnectionId(1), frame)),
        []
    );
    assert_eq!(
        world.requests(),
        [NetworkRequest::Probe(peer, world_addr())]
    );
    assert_eq!(
        world.answer(world_addr(), 20),
        [LinkNews::Addresses(vec![world_addr()])]
    );
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(peer, Path::Direct(world_addr()))]
    );
    assert_eq!(world.path(), Path::Direct(world_addr()));
}

#[test]
fn a_relay_that_opens_late_is_dialled_at_once() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.input(LinkInput::Online);
    world.pass(ms(700));
    world.requests();
    world.relay_opens();
    assert_eq!(world.acts()[1..], dials_on(world.peer, Path::Relay));
}

#[test]
fn a_direct_path_that_dies_gives_way_to_the_relay_and_comes_back() {
    let mut world = World::up_on_direct(world_addr());
    world.pass(ms(8499));
    let probes = world.requests();
    assert_eq!(
        probes.last(),
        Some(&NetworkRequest::Probe(world.peer, world_addr()))
    );
    assert_eq!(world.path(), Path::Direct(world_addr()));
    world.pass(ms(1));
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(world.peer, Path::Relay)]
    );
    world.pass(ms(400));
    assert!(
        world
            .requests()
            .contains(&NetworkRequest::Probe(world.peer, world_addr()))
    );
    world.answer(world_addr(), 20);
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(
            world.peer,
            Path::Direct(world_addr())
        )]
    );
}

#[test]
fn keepalives_that_are_answered_keep_the_direct_path() {
    let mut world = World::up_on_direct(world_addr());
    world.pass(seconds(6));
    let (peer, from) = (world.peer, world_addr());
    world.network(NetworkEvent::LargeAnswered { peer, from });
    world.answer(world_addr(), 20);
    world.requests();
    for _ in 0..10 {
        world.pass(seconds(5));
        assert_eq!(
            world.requests(),
            [NetworkRequest::Probe(world.peer, world_addr())]
        );
        world.answer(world_addr(), 20);
    }
    assert_eq!(world.path(), Path::Direct(world_addr()));
}

#[test]
fn silence_while_sending_is_doubted_by_a_probe_before_the_path_is_given_up() {
    let mut world = World::up_on_direct(world_addr());
    world.pass(seconds(6));
    world.answer(world_addr(), 20);
    world.requests();
    world.measured(1000, 10);
    world.measured(2000, 900);
    assert_eq!(
        world.requests(),
        [NetworkRequest::Probe(world.peer, world_addr())]
    );
    world.answer(world_addr(), 20);
    world.pass(ms(600));
    assert_eq!(world.acts(), []);

    world.measured(3000, 900);
    world.pass(ms(399));
    assert_eq!(world.requests().len(), 3);
    world.pass(ms(1));
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(world.peer, Path::Relay)]
    );
}

#[test]
fn nearer_networks_win_and_equals_need_five_milliseconds() {
    let mut world = World::up_on_direct(world_addr());
    let other: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    world.answer(other, 16);
    assert_eq!(world.path(), Path::Direct(world_addr()));
    world.answer(other, 14);
    assert_eq!(world.path(), Path::Direct(other));
    world.answer(lan_addr(), 19);
    assert_eq!(world.path(), Path::Direct(lan_addr()));
    world.answer(loopback_addr(), 30);
    assert_eq!(world.path(), Path::Direct(loopback_addr()));
    world.answer(lan_addr(), 1);
    assert_eq!(world.path(), Path::Direct(loopback_addr()));
}

#[test]
fn a_dead_direct_path_without_a_relay_is_kept_until_one_opens() {
    let mut world = World::up_on_direct(world_addr());
    world.network(NetworkEvent::RelayClosed(world.peer));
    assert_eq!(world.pass(ms(1000)), [LinkNews::WantRelay]);
    // Nobody answers, so the server is asked again, ever more slowly.
    let news = [LinkNews::WantRelay, LinkNews::Doubt];
    assert_eq!(world.pass(seconds(8)), news);
    assert_eq!(world.path(), Path::Direct(world_addr()));
    world.requests();
    world.relay_opens();
    assert_eq!(
        world.acts()[1..],
        [NetworkRequest::Select(world.peer, Path::Relay)]
    );
}

#[test]
fn the_acceptor_probes_but_never_dials_selects_or_asks() {
    let mut world = World::acceptor(&[lan_addr()]);
    let peer = world.peer;
    world.input(LinkInput::Start);
    assert_eq!(world.input(LinkInput::Online), []);
    world.relay_opens();
    world.answer(lan_addr(), 1);
    world.pass(seconds(30));
    assert!(matches!(
        &world.acts()[..],
        [NetworkRequest::OpenRelay { .. }]
    ));
    assert_eq!(
        world.network(NetworkEvent::Connected(peer, ConnectionId(4))),
        [LinkNews::Up(ConnectionId(4))]
    );
    assert_eq!(world.path(), Path::Relay);
    world.heard(world_addr());
    assert_eq!(world.path(), Path::Relay);
    assert_eq!(
        world.answer(world_addr(), 9),
        [LinkNews::Addresses(vec![world_addr(), lan_addr()])]
    );
    assert_eq!(world.path(), Path::Direct(world_addr()));
    world.pass(seconds(60));
    assert_eq!(world.path(), Path::Relay);
    assert_eq!(world.acts(), []);
}

#[test]
fn an_acceptor_that_is_refused_shows_it_until_it_is_connected_again() {
    let mut world = World::acceptor(&[lan_addr()]);
    let (peer, first, second) = (world.peer, ConnectionId(1), ConnectionId(2));
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(peer, first));
    world.network(NetworkEvent::Disconnected(peer, first, LinkFault::Refused));
    for _ in 0..5 {
        let state = world.link.summary(world.now);
        assert!(
            matches!(
                state,
                LinkState::Waiting {
                    fault: LinkFault::Refused,
                    ..
                }
            ),
            "{state:?}"
        );
        world.pass(seconds(40));
        world.input(LinkInput::Online);
    }
    world.network(NetworkEvent::Connected(peer, second));
    world.network(NetworkEvent::Disconnected(peer, second, LinkFault::Closed));
    world.pass(seconds(90));
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
}

#[test]
fn silence_after_a_refusal_is_shown_as_one_more() {
    let mut world = World::up_on_relay(&[]);
    let (peer, first) = (world.peer, ConnectionId(1));
    world.network(NetworkEvent::Disconnected(peer, first, LinkFault::Refused));
    world.pass(seconds(2));
    world.network(NetworkEvent::DialFailed(peer, LinkFault::TimedOut));
    let state = world.link.summary(world.now);
    assert!(
        matches!(
            state,
            LinkState::Waiting {
                fault: LinkFault::Refused,
                ..
            }
        ),
        "{state:?}"
    );
}

#[test]
fn a_lost_connection_is_tried_again_with_growing_waits_and_at_once_when_the_peer_comes() {
    let mut world = World::up_on_relay(&[]);
    let peer = world.peer;
    let news = world.network(NetworkEvent::Disconnected(
        peer,
        ConnectionId(1),
        LinkFault::TimedOut,
    ));
    let silent = [
        LinkNews::Down(ConnectionId(1)),
        LinkNews::Doubt,
        LinkNews::WantRelay,
    ];
    assert_eq!(news, silent);
    world.relay_opens();
    world.requests();
    for full in [1, 2, 4, 8, 16, 32, 60, 60] {
        let LinkState::Waiting {
            fault: LinkFault::TimedOut,
            retry_at,
        } = world.link.summary(world.now)
        else {
            panic!("not waiting but {:?}", world.link.summary(world.now));
        };
        let wait = retry_at.since(world.now);
        assert!(
            (seconds(full) / 2..=seconds(full)).contains(&wait),
            "{wait:?} of {full}"
        );
        world.pass(wait + ms(100));
        assert_eq!(world.acts(), dials_on(peer, Path::Relay));
        let news = world.network(NetworkEvent::DialFailed(peer, LinkFault::TimedOut));
        assert_eq!(news, [LinkNews::WantRelay], "its other end may be gone");
        world.relay_opens();
        world.acts();
    }
    world.input(LinkInput::Offline);
    let news = world.input(LinkInput::Online);
    assert!(news.contains(&LinkNews::WantRelay), "it was told elsewhere");
    world.relay_opens();
    world.pass(ms(100));
    assert!(world.acts().ends_with(&dials_on(peer, Path::Relay)));
}

#[test]
fn a_peer_that_ended_is_dialled_only_where_it_answers_anew() {
    let mut world = World::up_on_direct(lan_addr());
    let peer = world.peer;
    world.network(NetworkEvent::RelayClosed(peer));
    world.network(NetworkEvent::Disconnected(
        peer,
        ConnectionId(1),
        LinkFault::Closed,
    ));
    world.pass(seconds(2));
    assert_eq!(world.acts(), [], "the old address is not dialled");
    world.input(LinkInput::Online);
    world.answer(loopback_addr(), 1);
    assert_eq!(world.acts(), dials_on(peer, Path::Direct(loopback_addr())));
}

#[test]
fn a_peer_that_said_goodbye_is_dialled_when_it_answers_anew_but_not_each_time() {
    let mut world = World::up_on_direct(lan_addr());
    let peer = world.peer;
    world.network(NetworkEvent::RelayClosed(peer));
    let end = NetworkEvent::Disconnected(peer, ConnectionId(1), LinkFault::Closed);
    world.network(end);
    world.answer(lan_addr(), 1);
    assert_eq!(world.acts(), [], "it may still be about to end");
    world.pass(ms(300));
    world.answer(lan_addr(), 1);
    assert_eq!(world.acts(), dials_on(peer, Path::Direct(lan_addr())));

    world.network(NetworkEvent::Connected(peer, ConnectionId(2)));
    let end = NetworkEvent::Disconnected(peer, ConnectionId(2), LinkFault::Closed);
    world.network(end);
    world.pass(ms(300));
    world.answer(lan_addr(), 1);
    assert_eq!(world.acts(), [], "it ends again and again");
}

#[test]
fn a_dial_whose_path_goes_away_goes_on_over_another() {
    let mut world = World::dialer(&[]);
    let peer = world.peer;
    world.input(LinkInput::Start);
    world.input(LinkInput::Online);
    world.relay_opens();
    world.pass(ms(100));
    assert_eq!(world.acts()[1..], dials_on(peer, Path::Relay));
    world.answer(lan_addr(), 1);
    assert_eq!(world.acts(), [], "the relay works");
    world.network(NetworkEvent::RelayClosed(peer));
    assert_eq!(
        world.acts(),
        [NetworkRequest::Select(peer, Path::Direct(lan_addr()))]
    );
}

#[test]
fn a_dial_without_an_answer_is_given_up() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.answer(lan_addr(), 1);
    world.acts();
    world.pass(seconds(10));
    assert_eq!(world.acts(), [NetworkRequest::Hangup(world.peer)]);
    assert!(matches!(
        world.link.summary(world.now),
        LinkState::Waiting {
            fault: LinkFault::TimedOut,
            ..
        }
    ));
}

#[test]
fn an_impostor_is_never_tried_again_by_itself() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.answer(lan_addr(), 1);
    world.network(NetworkEvent::DialFailed(world.peer, LinkFault::Impostor));
    world.requests();
    assert_eq!(world.input(LinkInput::Online), []);
    world.answer(lan_addr(), 1);
    world.heard(lan_addr());
    world.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    world.pass(seconds(600));
    assert_eq!(
        (world.requests(), world.link.poll_timeout()),
        (vec![], None)
    );
    assert_eq!(world.link.summary(world.now), LinkState::Impostor);
    world.input(LinkInput::Start);
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
}

#[test]
fn a_newer_connection_replaces_the_older_and_late_news_of_it_is_ignored() {
    let mut world = World::up_on_relay(&[]);
    let peer = world.peer;
    let news = world.network(NetworkEvent::Connected(peer, ConnectionId(2)));
    assert_eq!(
        news,
        [
            LinkNews::Down(ConnectionId(1)),
            LinkNews::Up(ConnectionId(2))
        ]
    );
    assert_eq!(
        world.network(NetworkEvent::Disconnected(
            peer,
            ConnectionId(1),
            LinkFault::Closed
        )),
        []
    );
    let frame = || Control::Folders(vec![]);
    assert_eq!(
        world.network(NetworkEvent::Received(peer, ConnectionId(1), frame())),
        []
    );
    let news = world.network(NetworkEvent::Received(peer, ConnectionId(2), frame()));
    assert_eq!(news, [LinkNews::Frame(frame())]);
}

#[test]
fn a_peer_that_misbehaves_is_hung_up_on() {
    let mut world = World::up_on_relay(&[]);
    assert_eq!(
        world.input(LinkInput::Misbehaved),
        [LinkNews::Down(ConnectionId(1))]
    );
    assert_eq!(world.acts(), [NetworkRequest::Hangup(world.peer)]);
    assert!(matches!(
        world.link.summary(world.now),
        LinkState::Waiting {
            fault: LinkFault::Protocol,
            ..
        }
    ));
}

#[test]
fn two_links_tell_each_other_sealed_addresses_once() {
    let (mut dialer, mut acceptor) = (World::dialer(&[]), World::acceptor(&[]));
    for world in [&mut dialer, &mut acceptor] {
        world.input(LinkInput::Start);
        world.input(LinkInput::Online);
    }
    let news = dialer.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    let [LinkNews::Tell(sealed)] = &news[..] else {
        panic!("nothing told in {news:?}")
    };
    assert!(!sealed.windows(4).any(|bytes| bytes == [192, 168, 1, 5]));
    acceptor.input(LinkInput::Told(sealed.clone()));
    assert_eq!(
        acceptor.requests(),
        [NetworkRequest::Probe(acceptor.peer, lan_addr())]
    );

    // Not to the sender itself, not changed, not again once a newer one is there.
    dialer.requests();
    dialer.input(LinkInput::Told(sealed.clone()));
    let mut changed = sealed.clone();
    changed[20] ^= 1;
    acceptor.input(LinkInput::Told(changed));
    let newer = dialer.input(LinkInput::LocalAddresses(vec![world_addr()]));
    let [LinkNews::Tell(newer)] = &newer[..] else {
        panic!("nothing told in {newer:?}")
    };
    acceptor.pass(seconds(2));
    acceptor.input(LinkInput::Told(newer.clone()));
    acceptor.requests();
    acceptor.input(LinkInput::Told(sealed.clone()));
    acceptor.pass(seconds(60));
    let old = NetworkRequest::Probe(acceptor.peer, lan_addr());
    assert!(!acceptor.requests().contains(&old) && !dialer.requests().contains(&old));
}

#[test]
fn new_local_addresses_are_told_to_a_connected_peer() {
    let mut world = World::up_on_relay(&[]);
    world.input(LinkInput::Offline);
    assert_eq!(world.input(LinkInput::LocalAddresses(vec![lan_addr()])), []);
    assert_eq!(
        world.acts(),
        [NetworkRequest::Send(
            world.peer,
            Control::Addresses(vec![lan_addr()])
        )]
    );
}

#[test]
fn addresses_that_others_see_are_told_after_our_own_and_disprove_nothing() {
    let mut world = World::up_on_relay(&[]);
    world.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    world.acts();
    let (seen, ours) = (world_addr(), lan_addr());
    let outside = || {
        LinkInput::Reflexive(Reflection {
            mapping: Mapping::Unknown,
            addresses: vec![seen, ours],
        })
    };
    let news = world.input(outside());
    assert!(matches!(news[..], [LinkNews::Tell(_)]), "{news:?}");
    let told = NetworkRequest::Send(world.peer, Control::Addresses(vec![ours, seen]));
    assert_eq!(world.acts(), [told]);
    assert_eq!(world.input(outside()), []);
    assert_eq!(world.acts(), []);
}

fn any_input(peer: DeviceId) -> impl Strategy<Value = LinkInput> {
    let addr = prop_oneof![
        Just(lan_addr()),
        Just(world_addr()),
        Just(loopback_addr()),
        any::<[u8; 4]>().prop_map(|ip| (ip, 9).into())
    ];
    let addrs = prop::collection::vec(addr.clone(), 0..20);
    let fault = prop_oneof![
        Just(LinkFault::TimedOut),
        Just(LinkFault::Refused),
        Just(LinkFault::Restarted),
        Just(LinkFault::Closed)
    ];
    let id = (1..4_u64).prop_map(ConnectionId);
    let network = prop_oneof![
        (addr.clone(), 0..99_u64).prop_map(move |(from, rtt)| NetworkEvent::ProbeAnswered {
            peer,
            from,
            rtt: ms(rtt)
        }),
        addr.clone()
            .prop_map(move |from| NetworkEvent::ProbeHeard { peer, from }),
        addr.prop_map(move |from| NetworkEvent::LargeAnswered { peer, from }),
        id.clone()
            .prop_map(move |id| NetworkEvent::Datagrams(peer, id, DatagramSize::Large)),
        Just(NetworkEvent::RelayOpened(peer)),
        Just(NetworkEvent::RelayClosed(peer)),
        id.clone()
            .prop_map(move |id| NetworkEvent::Connected(peer, id)),
        fault
            .clone()
            .prop_map(move |fault| NetworkEvent::DialFailed(peer, fault)),
        (id.clone(), fault)
            .prop_map(move |(id, fault)| NetworkEvent::Disconnected(peer, id, fault)),
        id.clone()
            .prop_map(move |id| NetworkEvent::Answered(peer, id)),
        id.clone()
            .prop_map(move |id| NetworkEvent::Silent(peer, id)),
        (id, addrs.clone()).prop_map(move |(id, addrs)| NetworkEvent::Received(
            peer,
            id,
            Control::Addresses(addrs)
        )),
        (0..500_u64, 0..2000_u64).prop_map(move |(sent_bytes, silent)| NetworkEvent::Measured {
            peer,
            rtt: ms(20),
            received_bytes: 0,
            sent_bytes,
            silent_for: ms(silent)
        }),
    ];
    prop_oneof![
        Just(LinkInput::Start),
        Just(LinkInput::Online),
        Just(LinkInput::Offline),
        prop::option::of(Just("203.0.113.30:50000".parse().unwrap())).prop_map(LinkInput::Lent),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(LinkInput::Told),
        Just(LinkInput::RelayReady {
            url: String::new(),
            channel: 1,
            token: String::new()
        }),
        addrs.prop_map(LinkInput::LocalAddresses),
        Just(LinkInput::Misbehaved),
        network.clone().prop_map(LinkInput::Network),
        network.prop_map(LinkInput::Network),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_makes_it_spin_or_flood(
        inputs in prop::collection::vec((any_input(DeviceId::from_public_key([0; 32])), 0..4000_u64), 1..60),
        role in 0..2_usize,
    ) {
        let mut world = if role == 0 { World::dialer(&[lan_addr()]) } else { World::acceptor(&[lan_addr()]) };
        for (input, pause) in inputs {
            world.input(input);
            world.pass(ms(pause));
            let requests = world.requests();
            // A second holds at most a burst of rounds of 32 probes and some probes back.
            prop_assert!(requests.len() < 600, "{} requests", requests.len());
            if role == 1 {
                let acts = |request: &NetworkRequest| matches!(request, NetworkRequest::Dial(_) | NetworkRequest::Select(..));
                prop_assert!(!requests.iter().any(acts));
            }
        }
        world.pass(seconds(3600));
    }
}
