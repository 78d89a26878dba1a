//! Whether a path carries the datagrams that a connection has come to use.

use super::*;

const CONNECTION: ConnectionId = ConnectionId(1);

fn other_addr() -> SocketAddr {
    "198.51.100.7:4000".parse().unwrap()
}

/// To which addresses large probes were sent.
fn large_probes(world: &mut World) -> Vec<SocketAddr> {
    let requests = world.requests().into_iter();
    let probes = requests.filter_map(|request| {
        if let NetworkRequest::ProbeLarge(_, to) = request {
            Some(to)
        } else {
            None
        }
    });
    probes.collect()
}

/// Up on a direct path, with large datagrams.
fn up_with_large() -> World {
    let mut world = World::up_on_direct(world_addr());
    large_probes(&mut world);
    let peer = world.peer;
    let from = world_addr();
    world.network(NetworkEvent::LargeAnswered { peer, from });
    world.network(NetworkEvent::Datagrams(
        peer,
        CONNECTION,
        DatagramSize::Large,
    ));
    world
}

#[test]
fn the_dialer_asks_three_times_whether_a_proved_path_carries_more() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    assert_eq!(large_probes(&mut world), [], "nothing is proved");
    for _ in 0..5 {
        world.answer(lan_addr(), 1);
    }
    assert_eq!(large_probes(&mut world), [lan_addr(); 3]);
    world.answer(loopback_addr(), 1);
    assert_eq!(
        large_probes(&mut world),
        [],
        "nothing is cut on this machine"
    );
    world.answer(world_addr(), 9);
    let (peer, from) = (world.peer, world_addr());
    world.network(NetworkEvent::LargeAnswered { peer, from });
    world.answer(world_addr(), 9);
    assert_eq!(large_probes(&mut world), [world_addr()]);
    let mut acceptor = World::acceptor(&[lan_addr()]);
    acceptor.input(LinkInput::Start);
    acceptor.answer(lan_addr(), 1);
    assert_eq!(large_probes(&mut acceptor), []);
}

#[test]
fn a_path_that_was_dead_is_asked_anew() {
    let mut world = up_with_large();
    world.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    world.input(LinkInput::LocalAddresses(vec![lan_addr(), loopback_addr()]));
    assert_eq!(world.path(), Path::Relay);
    large_probes(&mut world);
    world.answer(world_addr(), 20);
    assert_eq!(large_probes(&mut world), [world_addr()]);
    assert_eq!(world.path(), Path::Relay, "it may lead another way now");
    let (peer, from) = (world.peer, world_addr());
    world.network(NetworkEvent::LargeAnswered { peer, from });
    assert_eq!(world.path(), Path::Direct(world_addr()));
}

#[test]
fn a_better_path_is_taken_when_it_has_shown_that_it_carries_as_much() {
    let mut world = up_with_large();
    world.answer(other_addr(), 2);
    assert_eq!(world.path(), Path::Direct(world_addr()));
    let (peer, from) = (world.peer, other_addr());
    world.network(NetworkEvent::LargeAnswered { peer, from });
    assert_eq!(world.path(), Path::Direct(other_addr()));
}

#[test]
fn usual_datagrams_wait_for_nothing() {
    let mut world = World::up_on_direct(world_addr());
    world.answer(other_addr(), 2);
    assert_eq!(world.path(), Path::Direct(other_addr()));
}

#[test]
fn a_path_that_carries_less_is_taken_from_the_relay_after_a_second() {
    let mut world = up_with_large();
    world.input(LinkInput::LocalAddresses(vec![lan_addr()]));
    world.input(LinkInput::LocalAddresses(vec![lan_addr(), loopback_addr()]));
    world.answer(other_addr(), 20);
    world.pass(ms(900));
    assert_eq!(world.path(), Path::Relay);
    world.pass(ms(101));
    assert_eq!(world.path(), Path::Direct(other_addr()));
    let peer = world.peer;
    world.requests();
    world.network(NetworkEvent::Datagrams(
        peer,
        CONNECTION,
        DatagramSize::Every,
    ));
    world.pass(seconds(3));
    assert_eq!(world.path(), Path::Direct(other_addr()));
}

#[test]
fn the_path_in_use_is_not_left_because_it_has_not_shown_it() {
    let mut world = World::up_on_direct(world_addr());
    let peer = world.peer;
    world.network(NetworkEvent::Datagrams(
        peer,
        CONNECTION,
        DatagramSize::Large,
    ));
    assert_eq!(world.path(), Path::Direct(world_addr()));
}

#[test]
fn without_a_relay_whatever_answers_is_better_than_a_dead_path() {
    let mut world = up_with_large();
    world.network(NetworkEvent::RelayClosed(world.peer));
    world.pass(ms(8400));
    world.answer(other_addr(), 20);
    world.pass(ms(200));
    assert_eq!(world.path(), Path::Direct(other_addr()));
}
