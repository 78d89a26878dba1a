//! A dial that waits, and the ways that open meanwhile.

use super::*;

/// A dialer that dials by way of the relay.
fn dials_relayed() -> World {
    let mut world = World::dialer(&[world_addr()]);
    world.input(LinkInput::Start);
    world.input(LinkInput::Online);
    world.relay_opens();
    world.pass(ms(100));
    assert_eq!(world.acts()[1..], dials_on(world.peer, Path::Relay));
    world
}

#[test]
fn a_dial_that_the_relay_keeps_waiting_goes_on_over_a_direct_path() {
    let mut world = dials_relayed();
    let moves = NetworkRequest::Select(world.peer, Path::Direct(world_addr()));
    world.pass(ms(400));
    world.answer(world_addr(), 20);
    assert_eq!(world.acts(), [], "it is nearly done");
    world.pass(ms(600));
    world.answer(world_addr(), 20);
    assert_eq!(world.acts(), [moves]);
}

#[test]
fn a_dial_through_a_channel_that_opens_anew_has_all_its_time() {
    let mut world = dials_relayed();
    let hangup = NetworkRequest::Hangup(world.peer);
    world.pass(seconds(8));
    world.network(NetworkEvent::RelayClosed(world.peer));
    world.relay_opens();
    world.pass(seconds(9));
    assert!(!world.acts().contains(&hangup));
    world.pass(seconds(1));
    assert!(world.acts().contains(&hangup));
}
