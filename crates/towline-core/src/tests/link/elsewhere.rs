//! How another computer with the peer's key is looked for, and how a twin stands back.

use towline_wire::peer::{Challenge, Hello};
use towline_wire::version::VersionRange;

use super::*;
use crate::snapshot::Oneness;

const FIRST: ConnectionId = ConnectionId(1);

fn other_addr() -> SocketAddr {
    "192.168.1.99:9".parse().unwrap()
}

/// Leaves the connection to look for somebody else.
fn looking() -> World {
    let mut world = World::up_on_direct(lan_addr());
    world.answer(other_addr(), 20);
    world.network(NetworkEvent::RelayClosed(world.peer));
    world.requests();
    let news = world.input(LinkInput::LookElsewhere);
    assert_eq!(news.first(), Some(&LinkNews::Down(FIRST)));
    let acts = world.acts();
    assert!(
        acts.contains(&NetworkRequest::Abandon(world.peer, FIRST)),
        "{acts:?}"
    );
    world
}

#[test]
fn the_dialer_leaves_its_path_alone_and_dials_whoever_else_answers() {
    let mut world = looking();
    world.answer(lan_addr(), 1);
    assert_eq!(world.acts(), []);
    world.answer(other_addr(), 40);
    let dials = dials_on(world.peer, Path::Direct(other_addr()));
    assert_eq!(world.acts(), dials);
}

#[test]
fn every_address_of_the_connected_run_is_left_alone() {
    let mut world = World::up_on_direct(lan_addr());
    world.network(NetworkEvent::RelayClosed(world.peer));
    let [low, high] = pair();
    let mut theirs = World::life(&high, &low, &[], [1; 32]);
    theirs.input(LinkInput::Online);
    let both = vec![lan_addr(), other_addr()];
    for item in theirs.input(LinkInput::LocalAddresses(both)) {
        if let LinkNews::Tell(sealed) = item {
            world.input(LinkInput::Told(sealed));
        }
    }
    let hello = Control::Hello(Hello {
        versions: VersionRange::OURS,
        run: theirs.link.run(),
        challenge: Challenge([0; 32]),
    });
    world.network(NetworkEvent::Received(world.peer, FIRST, hello));
    world.input(LinkInput::LookElsewhere);
    world.requests();
    world.answer(lan_addr(), 1);
    world.answer(other_addr(), 1);
    assert_eq!(world.acts(), []);
    world.answer(world_addr(), 40);
    let dials = dials_on(world.peer, Path::Direct(world_addr()));
    assert_eq!(world.acts(), dials);
}

#[test]
fn where_nobody_else_answers_the_path_is_taken_again() {
    let mut world = looking();
    world.answer(lan_addr(), 1);
    world.pass(ms(1999));
    assert_eq!(world.acts(), []);
    world.pass(ms(1));
    let dials = dials_on(world.peer, Path::Direct(lan_addr()));
    assert_eq!(world.acts(), dials);
}

#[test]
fn the_relay_leads_to_whoever_came_last_to_the_server() {
    let mut world = World::up_on_direct(lan_addr());
    world.input(LinkInput::LookElsewhere);
    world.answer(lan_addr(), 1);
    world.requests();
    world.pass(ms(100));
    assert_eq!(world.acts(), dials_on(world.peer, Path::Relay));
}

#[test]
fn the_acceptor_and_who_is_not_connected_do_not_look() {
    let mut world = World::acceptor(&[lan_addr()]);
    world.input(LinkInput::Start);
    world.network(NetworkEvent::Connected(world.peer, FIRST));
    world.requests();
    assert_eq!(world.input(LinkInput::LookElsewhere), []);
    assert_eq!(world.link.connection(), Some(FIRST));
    let mut world = World::dialer(&[lan_addr()]);
    world.input(LinkInput::Start);
    assert_eq!(world.input(LinkInput::LookElsewhere), []);
    assert_eq!(world.acts(), []);
}

#[test]
fn a_twin_does_not_fight_for_a_connection_that_was_replaced() {
    for (oneness, least, most) in [
        (Oneness::Single, 500, 1000),
        (Oneness::Doubled, 120_000, 240_000),
    ] {
        let mut world = World::up_on_direct(lan_addr());
        world.input(LinkInput::Oneness(oneness));
        let closed = NetworkEvent::Disconnected(world.peer, FIRST, LinkFault::Closed);
        world.network(closed);
        let LinkState::Waiting { retry_at, .. } = world.link.summary(world.now) else {
            panic!("it waits");
        };
        let wait = retry_at.since(world.now);
        assert!(wait >= ms(least) && wait <= ms(most), "{wait:?}");
    }
}
