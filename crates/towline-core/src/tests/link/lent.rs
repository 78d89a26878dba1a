//! Addresses that TURN servers lend: when a link wants one, whom it tells, and how it ranks.

use towline_wire::turn_address::TurnAddress;

use super::*;
use crate::path_kind::PathKind;

const LENT: &str = "203.0.113.30:50000";

fn theirs() -> SocketAddr {
    TurnAddress::Theirs(LENT.parse().unwrap()).written()
}

fn by_ours(addr: SocketAddr) -> SocketAddr {
    let SocketAddr::V4(addr) = addr else {
        panic!("{addr}")
    };
    TurnAddress::Ours(addr).written()
}

fn lent() -> LinkInput {
    LinkInput::Lent(LENT.parse().ok())
}

impl World {
    fn receive(&mut self, frame: Control) {
        let frame = NetworkEvent::Received(self.peer, ConnectionId(1), frame);
        self.network(frame);
    }
}

fn kind(world: &World) -> PathKind {
    world.path().kind()
}

/// What the peer is told on the connection.
fn told(world: &mut World) -> Vec<Vec<SocketAddr>> {
    let sent = world.requests().into_iter().filter_map(|request| {
        if let NetworkRequest::Send(_, Control::Addresses(addresses)) = request {
            Some(addresses)
        } else {
            None
        }
    });
    sent.collect()
}

fn probed(world: &mut World) -> Vec<SocketAddr> {
    let probes = world.requests().into_iter().filter_map(|request| {
        if let NetworkRequest::Probe(_, addr) = request {
            Some(addr)
        } else {
            None
        }
    });
    probes.collect()
}

#[test]
fn an_address_is_wanted_by_a_link_that_has_been_relayed_for_three_seconds() {
    let mut world = World::up_on_relay(&[world_addr()]);
    let wanted = world.link.lent_wanted_at().unwrap();
    assert!(wanted.since(world.now) <= seconds(3));
    world.answer(world_addr(), 20);
    assert_eq!(kind(&world), PathKind::DirectV4);
    world.pass(seconds(1));
    assert_eq!(world.link.lent_wanted_at(), None);
}

#[test]
fn what_is_lent_is_told_and_used_only_where_it_is_wanted() {
    let mut direct = World::up_on_direct(world_addr());
    direct.pass(seconds(1));
    direct.requests();
    direct.input(lent());
    direct.pass(seconds(1));
    assert_eq!(told(&mut direct), Vec::<Vec<SocketAddr>>::new());

    let mut world = World::up_on_relay(&[]);
    let peer = Control::Addresses(vec![world_addr(), "192.168.7.7:4000".parse().unwrap()]);
    world.receive(peer);
    world.pass(seconds(4));
    world.requests();
    world.input(lent());
    let told = told(&mut world);
    assert_eq!(told.last().and_then(|all| all.last()), Some(&theirs()));
    world.pass(seconds(2));
    let probed = probed(&mut world);
    assert!(probed.contains(&by_ours(world_addr())), "{probed:?}");
    let other_lans = by_ours("192.168.7.7:4000".parse().unwrap());
    assert!(
        !probed.contains(&other_lans),
        "nobody's LAN is reached from a server"
    );
    // It is given back.
    world.requests();
    world.input(LinkInput::Lent(None));
    world.pass(seconds(2));
    let probed = self::probed(&mut world);
    assert!(!probed.contains(&by_ours(world_addr())), "{probed:?}");
}

#[test]
fn a_lent_address_is_better_than_the_relay_and_worse_than_any_direct_path() {
    let mut world = World::up_on_relay(&[]);
    world.receive(Control::Addresses(vec![world_addr(), theirs()]));
    world.answer(theirs(), 10);
    assert_eq!(kind(&world), PathKind::Turn);
    // Direct paths are looked for as ever.
    world.requests();
    for _ in 0..30 {
        world.answer(theirs(), 10);
        world.pass(seconds(1));
    }
    assert!(probed(&mut world).contains(&world_addr()));
    // The peer's own address serves: none is wanted.
    assert_eq!(world.link.lent_wanted_at(), None);
    world.answer(world_addr(), 300);
    assert_eq!(kind(&world), PathKind::DirectV4);
}

#[test]
fn when_a_path_by_a_server_dies_all_by_it_are_proved_again_before_one_is_taken() {
    let mut world = World::up_on_relay(&[]);
    world.receive(Control::Addresses(vec![world_addr(), theirs()]));
    world.pass(seconds(4));
    world.input(lent());
    world.answer(theirs(), 10);
    world.answer(by_ours(world_addr()), 12);
    assert_eq!(world.path(), Path::Direct(theirs()));
    world.pass(seconds(1));
    world.answer(by_ours(world_addr()), 12);
    // Nothing comes on the path in use though much is sent.
    world.measured(400_000, 1000);
    world.pass(seconds(1));
    assert_eq!(world.path(), Path::Relay);
    world.answer(by_ours(world_addr()), 12);
    assert_eq!(world.path(), Path::Direct(by_ours(world_addr())));
}

#[test]
fn what_is_lent_is_never_kept_for_later() {
    let mut world = World::up_on_relay(&[]);
    world.receive(Control::Addresses(vec![theirs()]));
    let news = world.answer(theirs(), 10);
    assert_eq!(kind(&world), PathKind::Turn);
    let is_kept = |news: &LinkNews| matches!(news, LinkNews::Addresses(_));
    assert!(!news.iter().any(is_kept));
}

#[test]
fn a_lent_address_that_was_heard_before_it_was_told_is_no_direct_path() {
    let mut world = World::up_on_relay(&[]);
    let plain: SocketAddr = LENT.parse().unwrap();
    world.answer(plain, 10);
    assert_eq!(kind(&world), PathKind::DirectV4, "so it looks");
    world.requests();
    world.receive(Control::Addresses(vec![theirs()]));
    assert_eq!(world.path(), Path::Direct(theirs()));
    // An answer to a probe of before says nothing else.
    world.answer(plain, 10);
    world.network(NetworkEvent::ProbeHeard {
        peer: world.peer,
        from: plain,
    });
    assert_eq!(world.path(), Path::Direct(theirs()));
    world.answer(world_addr(), 300);
    assert_eq!(kind(&world), PathKind::DirectV4);
}
