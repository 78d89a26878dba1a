//! A connection at rest: who probes, and how often.

use super::*;

/// The acceptor, connected, with one way that is proved.
fn accepted() -> World {
    let mut world = World::acceptor(&[]);
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(world.peer, ConnectionId(1)));
    world.heard(world_addr());
    world.answer(world_addr(), 20);
    world.pass(seconds(10));
    world.heard(world_addr());
    world.answer(world_addr(), 20);
    world.requests();
    world
}

#[test]
fn the_acceptor_leaves_the_proof_of_a_way_in_use_to_the_dialer() {
    let mut world = accepted();
    for _ in 0..12 {
        world.pass(seconds(5));
        world.heard(world_addr());
        assert_eq!(world.requests(), []);
        assert_eq!(world.path(), Path::Direct(world_addr()));
    }
}

#[test]
fn the_acceptor_proves_a_way_anew_that_was_not_used() {
    let mut world = accepted();
    world.pass(seconds(9));
    world.requests();
    world.heard(world_addr());
    let probe = NetworkRequest::Probe(world.peer, world_addr());
    assert_eq!(world.requests(), [probe]);
}

#[test]
fn the_dialer_probes_the_way_in_use_twelve_times_a_minute_and_says_nothing() {
    let mut world = World::up_on_direct(world_addr());
    world.pass(seconds(6));
    world.answer(world_addr(), 20);
    world.requests();
    let probe = NetworkRequest::Probe(world.peer, world_addr());
    let mut asked = Vec::new();
    for _ in 0..60 {
        world.pass(seconds(1));
        let requests = world.requests();
        if requests.contains(&probe) {
            world.answer(world_addr(), 20);
        }
        asked.extend(requests);
    }
    asked.retain(|request| !matches!(request, NetworkRequest::ProbeLarge(..)));
    assert_eq!(asked, vec![probe; 12]);
}
