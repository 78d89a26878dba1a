//! All there is to have is taken.

use super::super::{HELD_BYTES_TOTAL_MAX, MAILBOXES_MAX};
use super::*;

fn guest(world: &mut World, number: usize) -> ConnectionId {
    let [_, _, c, d] = u32::try_from(number / 60).unwrap().to_be_bytes();
    let (connection, _) = world.connect([10, 7, c, d]);
    world.input(Input::from_text(connection, r#"{"type":"register"}"#));
    world.heard(connection);
    connection
}

#[test]
fn when_all_mailboxes_are_taken_who_asks_is_told_and_who_has_one_pairs() {
    let mut world = World::with(Settings {
        connections_max: 40_000,
        ..Settings::default()
    });
    let (alice, bob) = (world.device(1), world.device(2));
    let code = world.code(alice.connection);
    let mut last = alice.connection;
    for number in 1..MAILBOXES_MAX {
        last = guest(&mut world, number);
        world.say(last, ClientMessage::CreatePairingCode);
        let heard = world.heard(last);
        assert!(
            matches!(heard[..], [ServerMessage::PairingCode { .. }]),
            "{number}: {heard:?}"
        );
    }
    assert_eq!(world.rendezvous.holdings().mailboxes, MAILBOXES_MAX);
    for number in 0..3 {
        let late = guest(&mut world, MAILBOXES_MAX + 100 * (number + 1));
        world.say(late, ClientMessage::CreatePairingCode);
        assert_eq!(
            error(&world.heard(late)[0]),
            Some(ErrorCode::Unavailable),
            "the same each time"
        );
    }
    assert_eq!(world.rendezvous.holdings().mailboxes, MAILBOXES_MAX);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::Paired { peer_id: alice.id }]
    );
    world.disconnect(last);
    let next = guest(&mut world, MAILBOXES_MAX + 1000);
    assert_eq!(world.code(next).as_str().len(), 4);
}

#[test]
fn post_for_all_who_are_away_has_one_bound() {
    let mut world = World::new();
    // 63 KiB each.
    let text = "x".repeat(21 * 1024);
    let pairs = HELD_BYTES_TOTAL_MAX / (63 * 1024) + 20;
    let mut full = 0;
    for number in 0..pairs {
        let host = [10, 0, u8::try_from(number / 50).unwrap(), 1];
        let creator = world.device_at(1000 + number as u64, host);
        let code = world.code(creator.connection);
        let joiner = guest(&mut world, number * 60);
        world.say(joiner, ClientMessage::UsePairingCode { code });
        world.disconnect(creator.connection);
        world.heard(joiner);
        for _ in 0..3 {
            world.say(joiner, ClientMessage::relay(creator.id, payload(&text)));
        }
        let refused = world.heard(joiner);
        assert!(
            refused
                .iter()
                .all(|message| error(message) == Some(ErrorCode::PeerOffline))
        );
        full += usize::from(!refused.is_empty());
        let held = world.rendezvous.holdings().held_bytes;
        assert!(held <= HELD_BYTES_TOTAL_MAX, "{held}");
    }
    assert!(full >= 15, "{full} of {pairs} found no room");
    // What is said to who is there needs none.
    let (alice, bob) = (world.device(1), world.device(2));
    let code = world.code(alice.connection);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    world.heard(alice.connection);
    world.say(bob.connection, ClientMessage::relay(alice.id, payload("x")));
    assert!(matches!(
        world.heard(alice.connection)[..],
        [ServerMessage::Relayed { .. }]
    ));
}
