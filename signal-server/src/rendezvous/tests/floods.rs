//! Floods of what costs the sender nothing.

use super::*;

#[test]
fn signs_of_life_are_counted_like_requests() {
    let mut world = World::new();
    let alice = world.device(1);
    let connection = alice.connection;
    world.pass(Duration::from_secs(3));
    // As often as a hurried client may: it stays.
    for _ in 0..40 {
        world.input(Input::Alive { connection });
        world.pass(Duration::from_millis(50));
    }
    for _ in 0..60 + 5 {
        world.input(Input::Alive { connection });
    }
    assert_eq!(world.closed(connection), None);
    assert!(world.heard(connection).is_empty(), "nothing was asked");
    world.input(Input::Alive { connection });
    assert_eq!(world.closed(connection), Some(CloseCode::RateLimited));
}

#[test]
fn packets_without_bytes_are_slowed_too() {
    let mut world = World::new();
    let (alice, bob) = world.watching_pair();
    let (one, _) = world.channel(&alice, &bob);
    let burst = PACKET_RATE.burst / 64;
    for _ in 0..=burst {
        assert!(!world.pauses.contains(&one.0));
        world.input(Input::Packet {
            connection: one.0,
            packet: Bytes::new(),
        });
    }
    assert!(world.pauses.contains(&one.0));
}

#[test]
fn who_is_there_is_counted_as_they_come_and_go() {
    let mut world = World::new();
    let (alice, _bob) = (world.device(1), world.device(2));
    let guest = world.guest();
    assert_eq!(world.rendezvous.present(), [2, 1]);
    let newer = world.device(1);
    assert_eq!(world.closed(alice.connection), Some(CloseCode::Replaced));
    assert_eq!(world.rendezvous.present(), [2, 1]);
    world.disconnect(newer.connection);
    world.disconnect(guest.connection);
    assert_eq!(world.rendezvous.present(), [1, 0]);
}
