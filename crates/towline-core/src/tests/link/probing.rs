//! What is probed, when, and what that shows.

use super::*;

#[test]
fn a_burst_of_probes_slows_down_to_one_a_minute() {
    let mut world = World::dialer(&[lan_addr()]);
    let start = world.now;
    world.input(LinkInput::Start);
    let mut rounds = vec![0];
    for _ in 0..14 {
        let due = world.link.poll_timeout().unwrap();
        world.pass(due.since(world.now));
        rounds.push(u64::try_from(world.now.since(start).as_millis()).unwrap());
    }
    let expected = [
        0, 50, 150, 350, 1000, 2000, 3000, 4000, 5000, 10_000, 20_000, 40_000, 80_000, 140_000,
        200_000,
    ];
    assert_eq!(rounds, expected);
    assert_eq!(world.link.summary(world.now), LinkState::Away);
}

#[test]
fn where_a_way_worked_probes_are_answered_by_probes_until_it_does_again() {
    let mut world = World::acceptor(&[]);
    world.input(LinkInput::Start);
    let back = [NetworkRequest::Probe(world.peer, world_addr())];
    world.heard(world_addr());
    assert_eq!(world.requests(), [], "the network does so by itself");
    world.answer(world_addr(), 9);
    // Between two slow rounds.
    world.pass(seconds(26));
    world.requests();
    world.heard(world_addr());
    assert_eq!(world.requests(), back);
    // Too soon after that: it is made up for.
    world.heard(world_addr());
    assert_eq!(world.requests(), []);
    world.pass(ms(499));
    assert_eq!(world.requests(), []);
    world.pass(ms(1));
    assert_eq!(world.requests(), back);
    world.heard(world_addr());
    world.answer(world_addr(), 9);
    world.pass(seconds(1));
    world.requests();
    world.heard(world_addr());
    assert_eq!(world.requests(), []);
}

#[test]
fn where_a_peer_was_only_heard_no_round_goes() {
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.heard(world_addr());
    world.requests();
    world.pass(seconds(600));
    let asked = world.requests();
    assert!(asked.contains(&NetworkRequest::Probe(world.peer, lan_addr())));
    assert!(!asked.contains(&NetworkRequest::Probe(world.peer, world_addr())));
    world.answer(world_addr(), 9);
    world.pass(seconds(600));
    let probe = NetworkRequest::Probe(world.peer, world_addr());
    assert!(world.requests().contains(&probe), "it has worked");
}

#[test]
fn of_the_ways_that_a_round_of_probes_comes_by_the_acceptor_takes_the_best() {
    let mut world = World::acceptor(&[]);
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(world.peer, ConnectionId(4)));
    for addr in [world_addr(), lan_addr()] {
        world.answer(addr, 1);
    }
    for order in [[world_addr(), lan_addr()], [lan_addr(), world_addr()]] {
        for addr in order {
            world.heard(addr);
            world.pass(ms(1));
        }
        assert_eq!(world.path(), Path::Direct(lan_addr()));
    }
    // The dialer has left it: what it uses now is probed alone.
    world.pass(seconds(2));
    world.heard(world_addr());
    assert_eq!(world.path(), Path::Direct(world_addr()));
}

#[test]
fn known_addresses_are_probed_at_once_and_the_first_answer_is_dialled() {
    let mut world = World::dialer(&[lan_addr(), world_addr()]);
    let peer = world.peer;
    world.input(LinkInput::Start);
    let probes = [
        NetworkRequest::Probe(peer, lan_addr()),
        NetworkRequest::Probe(peer, world_addr()),
    ];
    assert_eq!(world.requests(), probes);
    assert_eq!(world.link.summary(world.now), LinkState::Connecting);
    world.answer(world_addr(), 20);
    assert_eq!(world.acts(), dials_on(peer, Path::Direct(world_addr())));
    let news = world.network(NetworkEvent::Connected(peer, ConnectionId(1)));
    assert_eq!(news, [LinkNews::Up(ConnectionId(1))]);
    assert_eq!(world.path(), Path::Direct(world_addr()));
}
