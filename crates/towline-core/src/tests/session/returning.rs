//! The way to the server is lost, and somebody waits for its return.

use super::*;

/// A session that was doubted, and whose server did not answer.
fn lost() -> World {
    let mut world = World::online();
    world.input(SessionInput::Doubt);
    world.sent();
    world.next();
    world.check(
        closed(SignalFault::Closed),
        [SignalRequest::Disconnect, connect()],
        [],
    );
    world
}

#[test]
fn a_lost_way_is_tried_again_every_two_seconds_for_a_quarter_of_an_hour() {
    let mut world = lost();
    let start = world.now;
    for tries in 1..450_u64 {
        world.next();
        assert_eq!(world.now.since(start), Duration::from_secs(2 * tries));
        assert_eq!(world.sent(), [SignalRequest::Disconnect]);
        world.check(closed(SignalFault::Closed), [connect()], []);
    }
    world.next();
    assert!(matches!(
        world.session.summary(),
        ServerState::Offline { .. }
    ));
    world.next();
    let last = world.now;
    world.next();
    let patience = world.now.since(last);
    assert_eq!(patience, Duration::from_secs(15), "as usual by then");
}

#[test]
fn a_try_that_fails_at_once_is_repeated_within_a_second_and_a_server_that_refuses_is_left_alone() {
    for (fault, longest) in [
        (SignalFault::Unreachable, Duration::from_secs(1)),
        (SignalFault::Refused, Duration::from_secs(60)),
    ] {
        let mut world = lost();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let before = world.now;
            world.check(closed(fault), [], []);
            world.next();
            assert_eq!(world.sent(), [connect()]);
            pauses.push(world.now.since(before));
        }
        let most = pauses.iter().max().copied().unwrap_or_default();
        assert!(
            most <= longest && most * 2 >= longest,
            "{fault:?}: {pauses:?}"
        );
    }
}

#[test]
fn the_last_word_of_the_lost_session_is_not_taken_for_the_next_ones() {
    let mut world = World::online();
    world.input(SessionInput::Doubt);
    world.next();
    world.sent();
    // It does not even close; two seconds later the next one begins.
    world.next();
    assert_eq!(world.sent(), [connect()]);
}

/// The server takes it in.
fn comes_back(world: &mut World) {
    world.input(SessionInput::Signal(SignalEvent::Opened));
    let nonce = Nonce::from_bytes([7; 32]);
    world.say(hello(nonce));
    world.say(ServerMessage::Registered {
        device_id: us().into(),
        ice: IceServers::default(),
    });
    world.sent();
}

#[test]
fn a_server_that_is_reset_again_and_again_while_a_peer_is_missed_is_sought_each_second() {
    for missed_first in [true, false] {
        let mut world = World::online();
        for _ in 0..10 {
            let lost = world.now;
            if missed_first {
                world.input(SessionInput::Doubt);
                world.sent();
                world.check(closed(SignalFault::Closed), [], []);
            } else {
                world.check(closed(SignalFault::Closed), [], []);
                world.input(SessionInput::Doubt);
            }
            world.next();
            assert_eq!(world.sent(), [connect()]);
            assert!(world.now.since(lost) <= Duration::from_secs(1));
            comes_back(&mut world);
            world.now = world.now.after(Duration::from_secs(6));
        }
    }
}

#[test]
fn who_is_back_is_as_patient_as_before() {
    let mut world = lost();
    comes_back(&mut world);
    world.check(closed(SignalFault::Unreachable), [], []);
    for _ in 0..8 {
        world.next();
        assert_eq!(world.sent(), [connect()]);
        world.check(closed(SignalFault::Unreachable), [], []);
    }
    let before = world.now;
    world.next();
    assert!(
        world.now.since(before) >= Duration::from_secs(30),
        "it waits longer each time"
    );
}

#[test]
fn a_server_that_took_a_peer_with_it_is_sought_each_second_for_half_a_minute() {
    let mut world = World::online();
    world.check(closed(SignalFault::Closed), [], []);
    let start = world.now;
    world.input(SessionInput::Doubt);
    let mut pauses = Vec::new();
    while world.now.since(start) < Duration::from_secs(120) {
        let before = world.now;
        world.next();
        assert_eq!(world.sent(), [connect()]);
        pauses.push((before.since(start), world.now.since(before)));
        world.check(closed(SignalFault::Unreachable), [], []);
    }
    for (at, pause) in pauses {
        let is_soon = at < Duration::from_secs(30);
        assert_eq!(
            pause <= Duration::from_secs(1),
            is_soon,
            "{pause:?} at {at:?}"
        );
    }
}

#[test]
fn a_server_that_goes_after_a_peer_is_missed_is_sought_each_second() {
    let mut world = World::online();
    world.input(SessionInput::Doubt);
    world.sent();
    world.check(closed(SignalFault::Closed), [], []);
    for _ in 0..8 {
        let before = world.now;
        world.next();
        assert_eq!(world.sent(), [connect()]);
        assert!(world.now.since(before) <= Duration::from_secs(1));
        world.check(closed(SignalFault::Unreachable), [], []);
    }
}

#[test]
fn who_has_slept_asks_with_little_patience_and_comes_back_at_once() {
    let mut world = World::online();
    let due = world.session.poll_timeout().unwrap();
    world.now = due.after(Duration::from_secs(3600));
    world.next();
    let ping = SignalRequest::Send(ClientMessage::Ping { timestamp: None });
    assert_eq!(world.sent(), [ping]);
    let asked = world.now;
    world.next();
    assert_eq!(world.now.since(asked), Duration::from_secs(2));
    world.check(
        closed(SignalFault::Closed),
        [SignalRequest::Disconnect, connect()],
        [],
    );
}

#[test]
fn who_slept_while_the_server_was_asked_comes_back_at_once() {
    let mut world = World::online();
    world.next();
    world.sent();
    let due = world.session.poll_timeout().unwrap();
    world.now = due.after(Duration::from_secs(3600));
    world.next();
    world.check(
        closed(SignalFault::Closed),
        [SignalRequest::Disconnect, connect()],
        [],
    );
}
