//! Inputs in, outputs out: one world with virtual time, and random worlds that must keep the
//! rendezvous' promises.

mod access;
mod claims;
mod cut_off;
mod exhaustion;
mod floods;
mod lending;
mod promises;
mod rooms;
mod several;
mod world;

use std::time::Duration;

use bytes::Bytes;
use towline_wire::ice::IceServers;
use towline_wire::signal::{
    ClientMessage, CloseCode, ErrorCode, HostName, PairingFailure, Payload, Registration,
    ServerMessage,
};

use super::*;
use towline_wire::code::Slot;
use world::World;

fn payload(text: &str) -> Payload {
    Payload::from_text(text)
}

fn error(message: &ServerMessage) -> Option<ErrorCode> {
    if let ServerMessage::Error { code, .. } = message {
        Some(*code)
    } else {
        None
    }
}

fn failed(reason: PairingFailure) -> ServerMessage {
    ServerMessage::PairingFailed { reason }
}

#[test]
fn two_devices_meet_in_a_mailbox_and_nowhere_else() {
    let mut world = World::new();
    let (alice, bob, eve) = (world.device(1), world.device(2), world.device(3));
    let code = world.code(alice.connection);
    assert_eq!(code.as_str().len(), 3);

    world.say(
        bob.connection,
        ClientMessage::UsePairingCode { code: code.clone() },
    );
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::Paired { peer_id: alice.id }]
    );
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::Paired { peer_id: bob.id }]
    );

    world.say(
        bob.connection,
        ClientMessage::relay(alice.id, payload("share")),
    );
    let [
        ServerMessage::Relayed {
            from, payload: got, ..
        },
    ] = &world.heard(alice.connection)[..]
    else {
        panic!()
    };
    assert_eq!((*from, got), (bob.id, &payload("share")));

    for target in [alice.id, bob.id] {
        world.say(
            eve.connection,
            ClientMessage::relay(target, payload("hello?")),
        );
        assert_eq!(
            error(&world.heard(eve.connection)[0]),
            Some(ErrorCode::PeerOffline)
        );
    }
    world.say(eve.connection, ClientMessage::UsePairingCode { code });
    assert_eq!(
        world.heard(eve.connection),
        [failed(PairingFailure::CodeInvalid)]
    );
    assert!(world.heard(alice.connection).is_empty());
}

#[test]
fn every_failed_claim_is_answered_alike() {
    let mut world = World::new();
    let (alice, bob, eve) = (world.device(1), world.device(2), world.device(3));
    let own = world.code(eve.connection);
    let used = world.code(alice.connection);
    world.say(
        bob.connection,
        ClientMessage::UsePairingCode { code: used.clone() },
    );
    let free = (0..)
        .map(|number| Slot::from_number(number, 3))
        .find(|slot| *slot != own && *slot != used)
        .unwrap();
    let texts = [
        format!(r#"{{"type":"use_pairing_code","code":"{own}"}}"#),
        format!(r#"{{"type":"use_pairing_code","code":"{used}"}}"#),
        format!(r#"{{"type":"use_pairing_code","code":"{free}"}}"#),
        r#"{"type":"use_pairing_code","code":"ABC-234"}"#.to_owned(),
    ];
    world.heard(eve.connection);
    for text in texts {
        world.input(Input::from_text(eve.connection, &text));
        assert_eq!(
            world.heard(eve.connection),
            [failed(PairingFailure::CodeInvalid)]
        );
    }
}

#[test]
fn a_claim_costs_a_token_that_success_gives_back() {
    let mut world = World::new();
    let bob = world.device(2);
    for _ in 0..20 {
        let alice = world.device(1);
        let code = world.code(alice.connection);
        world.say(bob.connection, ClientMessage::UsePairingCode { code });
        assert_eq!(
            world.heard(bob.connection)[0],
            ServerMessage::Paired { peer_id: alice.id }
        );
        world.say(alice.connection, ClientMessage::PairingDone);
        world.say(bob.connection, ClientMessage::PairingDone);
        world.say(alice.connection, ClientMessage::CancelPairingCode);
        world.disconnect(alice.connection);
        world.pass(Duration::from_secs(1));
        world.heard(bob.connection);
    }
    let mut claimed = 0;
    for _ in 0..20 {
        let alice = world.device(1);
        let code = world.code(alice.connection);
        world.say(bob.connection, ClientMessage::UsePairingCode { code });
        claimed += usize::from(
            world
                .heard(bob.connection)
                .contains(&ServerMessage::Paired { peer_id: alice.id }),
        );
        world.say(alice.connection, ClientMessage::CancelPairingCode);
        world.disconnect(alice.connection);
        world.pass(Duration::from_secs(1));
        world.heard(bob.connection);
    }
    assert_eq!(claimed, 5, "without success every claim is paid for");
}

#[test]
fn a_mailbox_outlives_its_creators_reconnect() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    let code = world.code(alice.connection);
    world.disconnect(alice.connection);
    world.pass(Duration::from_secs(20));
    let alice = world.device(1);
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PairingCode {
            code: code.clone(),
            expires_in: 280
        }],
        "the same code is said again"
    );
    world.disconnect(alice.connection);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    world.say(
        bob.connection,
        ClientMessage::relay(alice.id, payload("share")),
    );
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::Paired { peer_id: alice.id }]
    );

    let alice = world.device(1);
    let heard = world.heard(alice.connection);
    assert_eq!(heard[0], ServerMessage::Paired { peer_id: bob.id });
    assert!(
        matches!(&heard[1], ServerMessage::Relayed { payload: got, .. } if *got == payload("share"))
    );
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::PeerConnected { peer_id: alice.id }]
    );
}

#[test]
fn asking_again_gives_the_same_code_and_cancelling_ends_it() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    let code = world.code(alice.connection);
    assert_eq!(world.code(alice.connection), code);
    world.say(alice.connection, ClientMessage::CancelPairingCode);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    assert_eq!(
        world.heard(bob.connection),
        [failed(PairingFailure::CodeInvalid)]
    );
}

#[test]
fn a_code_lives_five_minutes_and_a_late_exchange_one_more() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    world.code(alice.connection);
    world.pass_alive(Duration::from_secs(299));
    assert!(world.heard(alice.connection).is_empty());
    world.pass_alive(Duration::from_secs(1));
    assert_eq!(
        world.heard(alice.connection),
        [failed(PairingFailure::Expired)]
    );

    let code = world.code(alice.connection);
    world.pass_alive(Duration::from_secs(299));
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    world.heard(alice.connection);
    world.pass_alive(Duration::from_secs(59));
    assert!(world.heard(alice.connection).is_empty());
    world.pass_alive(Duration::from_secs(1));
    assert_eq!(
        world.heard(alice.connection),
        [failed(PairingFailure::Expired)]
    );
    assert_eq!(world.rendezvous.holdings().mailboxes, 0);
}

#[test]
fn a_guests_mailbox_goes_with_it() {
    let mut world = World::new();
    let (guest, bob) = (world.guest(), world.device(2));
    let code = world.code(guest.connection);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    world.heard(bob.connection);
    world.disconnect(guest.connection);
    let heard = world.heard(bob.connection);
    assert!(
        heard.contains(&failed(PairingFailure::PeerLeft)),
        "{heard:?}"
    );
    assert_eq!(world.rendezvous.holdings().mailboxes, 0);
}

#[test]
fn slots_grow_when_one_in_32_is_live() {
    let mut world = World::new();
    for number in 0..LONG_SLOTS_FROM {
        let creator = world.device_at(number as u64 + 10, [10, 0, (number / 50) as u8, 1]);
        assert_eq!(world.code(creator.connection).as_str().len(), 3);
    }
    let late = world.device(1);
    assert_eq!(world.code(late.connection).as_str().len(), 4);
}

#[test]
fn one_address_cannot_open_every_mailbox() {
    let mut world = World::new();
    let codes = (0..100).filter(|number| {
        let creator = world.device_at(number + 10, [10, 0, 0, 1]);
        world.say(creator.connection, ClientMessage::CreatePairingCode);
        matches!(
            world.heard(creator.connection)[..],
            [ServerMessage::PairingCode { .. }]
        )
    });
    assert_eq!(codes.count(), 64);
}

#[test]
fn a_proof_holds_on_its_connection_its_host_and_its_key_only() {
    let mut world = World::new();
    for (host, nonce_of_other, key) in [
        ("evil.example", false, 1),
        ("192.0.2.7", true, 1),
        ("192.0.2.7", false, 9),
    ] {
        let (connection, nonce) = world.connect([10, 0, 0, 1]);
        let nonce = if nonce_of_other {
            world.connect([10, 0, 0, 1]).1
        } else {
            nonce
        };
        let mut request = World::proof(1, host, &nonce);
        if let ClientMessage::Register {
            registration: Registration::Device { device, .. },
            ..
        } = &mut request
        {
            *device = World::id_of(key);
        }
        world.say(connection, request);
        assert_eq!(
            error(&world.heard(connection)[0]),
            Some(ErrorCode::BadProof)
        );
        assert_eq!(world.closed(connection), Some(CloseCode::BadProof));
    }
    let (connection, nonce) = world.connect([10, 0, 0, 1]);
    world.say(connection, World::proof(1, "192.0.2.7", &nonce));
    assert_eq!(
        world.heard(connection),
        [ServerMessage::Registered {
            device_id: World::id_of(1).into(),
            ice: IceServers::default(),
        }]
    );
}

#[test]
fn a_server_with_names_goes_by_these_only() {
    let names = vec![HostName::parse("signal.example").unwrap()];
    let mut world = World::with(Settings {
        host_names: names,
        ..Settings::default()
    });
    for (host, expected) in [
        ("signal.example", None),
        ("192.0.2.7", Some(CloseCode::BadProof)),
    ] {
        let (connection, nonce) = world.connect([10, 0, 0, 1]);
        world.say(connection, World::proof(1, host, &nonce));
        assert_eq!(world.closed(connection), expected, "{host}");
    }
}

#[test]
fn who_does_not_register_is_closed() {
    let mut world = World::new();
    let (connection, _) = world.connect([10, 0, 0, 1]);
    world.say(connection, ClientMessage::CreatePairingCode);
    assert_eq!(
        error(&world.heard(connection)[0]),
        Some(ErrorCode::NotRegistered)
    );
    world.pass(Duration::from_secs(10));
    assert_eq!(world.closed(connection), Some(CloseCode::RegisterTimeout));
}

#[test]
fn silence_is_asked_about_and_then_closed() {
    let mut world = World::new();
    let alice = world.device(1);
    world.pass(Duration::from_secs(37));
    assert!(world.pings.contains(&alice.connection));
    world.pass(Duration::from_secs(37));
    assert_eq!(world.closed(alice.connection), None);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.closed(alice.connection), Some(CloseCode::Idle));

    let bob = world.device(2);
    world.pass_alive(Duration::from_secs(1000));
    assert_eq!(world.closed(bob.connection), None);
}

#[test]
fn the_newest_connection_of_a_key_wins_until_they_fight() {
    let mut world = World::new();
    let first = world.device(1);
    let mut newest = world.device(1);
    assert_eq!(world.closed(first.connection), Some(CloseCode::Replaced));
    for _ in 0..9 {
        let before = newest;
        newest = world.device(1);
        assert_eq!(world.closed(before.connection), Some(CloseCode::Replaced));
    }
    for _ in 0..20 {
        assert_eq!(world.registers(1), Some(CloseCode::Paused));
    }
    assert_eq!(world.closed(newest.connection), None, "who is there stays");
    // Who is kept out pays nothing, so the one that is let in then is the newest as well.
    world.pass(Duration::from_secs(2));
    let again = world.device(1);
    assert_eq!(world.closed(again.connection), None);
    assert_eq!(world.closed(newest.connection), Some(CloseCode::Replaced));
    assert_eq!(world.registers(1), Some(CloseCode::Paused));
    world.disconnect(again.connection);
    assert_eq!(
        world.registers(1),
        Some(CloseCode::Paused),
        "also where nobody is"
    );
    let other = world.device(2);
    assert_eq!(world.closed(other.connection), None);
}

#[test]
fn a_device_whose_network_comes_and_goes_for_hours_is_let_in_each_time() {
    let mut world = World::new();
    let mut newest = world.device(1);
    for _ in 0..1000 {
        world.pass(Duration::from_secs(2));
        let before = newest;
        newest = world.device(1);
        assert_eq!(world.closed(newest.connection), None);
        assert_eq!(world.closed(before.connection), Some(CloseCode::Replaced));
    }
    assert_eq!(world.rendezvous.connections_len(), 1);
}

#[test]
fn presence_needs_both_sides() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    world.say(
        alice.connection,
        ClientMessage::Watch {
            peers: vec![bob.id],
        },
    );
    assert!(world.heard(alice.connection).is_empty());
    world.say(alice.connection, ClientMessage::relay(bob.id, payload("x")));
    assert_eq!(
        error(&world.heard(alice.connection)[0]),
        Some(ErrorCode::PeerOffline)
    );

    world.say(
        bob.connection,
        ClientMessage::Watch {
            peers: vec![alice.id],
        },
    );
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerConnected { peer_id: bob.id }]
    );
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::PeerConnected { peer_id: alice.id }]
    );
    world.say(alice.connection, ClientMessage::relay(bob.id, payload("x")));
    assert!(matches!(
        world.heard(bob.connection)[..],
        [ServerMessage::Relayed { .. }]
    ));

    world.say(bob.connection, ClientMessage::Watch { peers: vec![] });
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerDisconnected { peer_id: bob.id }]
    );
    world.say(
        bob.connection,
        ClientMessage::Watch {
            peers: vec![alice.id],
        },
    );
    world.heard(alice.connection);
    world.disconnect(bob.connection);
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerDisconnected { peer_id: bob.id }]
    );
}

#[test]
fn a_channel_carries_packets_between_its_two_ends() {
    let mut world = World::new();
    let (alice, bob) = world.watching_pair();
    let (one, other) = world.channel(&alice, &bob);
    let packet = world.packet(one.1, b"datagram");
    world.input(Input::Packet {
        connection: one.0,
        packet: packet.clone(),
    });
    assert_eq!(world.forwarded(other.0), [packet]);

    let stray = World::packet_in(ChannelId(one.1.0.wrapping_add(1)), b"datagram");
    world.input(Input::Packet {
        connection: one.0,
        packet: stray,
    });
    assert!(world.forwarded(other.0).is_empty());

    world.disconnect(other.0);
    assert_eq!(world.closed(one.0), Some(CloseCode::ChannelClosed));
    assert_eq!(world.rendezvous.holdings().channels, 0);
}

#[test]
fn a_channel_needs_proof_and_consent_and_its_tokens_open_once() {
    let mut world = World::new();
    let (alice, bob, guest) = (world.device(1), world.device(2), world.guest());
    for (asker, target) in [
        (alice.connection, bob.id),
        (guest.connection, bob.id),
        (alice.connection, guest.id),
    ] {
        world.say(asker, ClientMessage::RelayOpen { to: target });
        assert!(error(&world.heard(asker)[0]).is_some());
    }
    let (alice, bob) = world.watching_pair();
    world.say(alice.connection, ClientMessage::RelayOpen { to: bob.id });
    let [ServerMessage::RelayReady { channel, token, .. }] = &world.heard(alice.connection)[..]
    else {
        panic!()
    };
    let door = Door::Relay {
        channel: *channel,
        token: token.clone(),
    };
    let (first, second) = (world.open(door.clone()), world.open(door));
    assert_eq!(world.closed(first), None);
    assert_eq!(world.closed(second), Some(CloseCode::ChannelUnknown));
    world.pass(Duration::from_secs(30));
    assert_eq!(
        world.closed(first),
        Some(CloseCode::ChannelClosed),
        "the other end never came"
    );
}

#[test]
fn consent_taken_back_closes_the_channel() {
    let mut world = World::new();
    let (alice, bob) = world.watching_pair();
    let (one, other) = world.channel(&alice, &bob);
    world.say(bob.connection, ClientMessage::Watch { peers: vec![] });
    assert_eq!(world.closed(one.0), Some(CloseCode::ChannelClosed));
    assert_eq!(world.closed(other.0), Some(CloseCode::ChannelClosed));
}

#[test]
fn a_lost_signal_connection_leaves_the_channel_alone() {
    let mut world = World::new();
    let (alice, bob) = world.watching_pair();
    let (one, other) = world.channel(&alice, &bob);
    world.disconnect(alice.connection);
    let alice = world.device(1);
    world.say(
        alice.connection,
        ClientMessage::Watch {
            peers: vec![bob.id],
        },
    );
    let packet = world.packet(one.1, b"still here");
    world.input(Input::Packet {
        connection: one.0,
        packet: packet.clone(),
    });
    assert_eq!(world.forwarded(other.0), [packet]);
}

#[test]
fn who_sends_too_much_is_slowed_down_and_then_closed() {
    let mut world = World::new();
    let alice = world.device(1);
    for _ in 0..70 {
        world.say(alice.connection, ClientMessage::Ping { timestamp: None });
    }
    let heard = world.heard(alice.connection);
    assert_eq!(
        heard
            .iter()
            .filter(|message| matches!(message, ServerMessage::Pong { .. }))
            .count(),
        59
    );
    assert_eq!(world.closed(alice.connection), Some(CloseCode::RateLimited));

    let (bob, carol) = (world.device(2), world.device(3));
    world.say(
        bob.connection,
        ClientMessage::Watch {
            peers: vec![carol.id],
        },
    );
    world.say(
        carol.connection,
        ClientMessage::Watch {
            peers: vec![bob.id],
        },
    );
    for _ in 0..30 {
        world.say(
            bob.connection,
            ClientMessage::relay(carol.id, payload(&"x".repeat(48_000))),
        );
    }
    assert!(world.pauses.contains(&bob.connection));
    let told = world.heard(bob.connection);
    assert_eq!(
        told.iter()
            .filter(|message| matches!(message, ServerMessage::RateLimited { .. }))
            .count(),
        1
    );
}

#[test]
fn frames_above_their_limit_close() {
    let mut world = World::new();
    let (connection, _) = world.connect([10, 0, 0, 1]);
    let text = format!(
        r#"{{"type":"register","device_id":"{}"}}"#,
        "x".repeat(4096)
    );
    world.input(Input::from_text(connection, &text));
    assert_eq!(world.closed(connection), Some(CloseCode::Unacceptable));
    let alice = world.device(1);
    world.input(Input::Packet {
        connection: alice.connection,
        packet: Bytes::from_static(b"x"),
    });
    assert_eq!(
        world.closed(alice.connection),
        Some(CloseCode::Unacceptable)
    );
}

#[test]
fn draining_tells_everyone_and_then_closes() {
    let mut world = World::new();
    let alice = world.device(1);
    world.input(Input::Drain {
        within: Duration::from_secs(5),
    });
    let [ServerMessage::Draining { reconnect_after_ms }] = world.heard(alice.connection)[..] else {
        panic!()
    };
    assert!(reconnect_after_ms < 5000);
    let late = world.open(Door::Signal);
    assert_eq!(world.closed(late), Some(CloseCode::Draining));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.closed(alice.connection), Some(CloseCode::Draining));
}

#[test]
fn strangers_are_refused_when_the_server_is_full() {
    let mut world = World::with(Settings {
        connections_max: 2,
        ..Settings::default()
    });
    world.device(1);
    world.guest();
    let third = world.open(Door::Signal);
    assert_eq!(world.closed(third), Some(CloseCode::Full));
}

#[test]
fn a_flood_of_strangers_leaves_bounded_memory_and_then_nothing() {
    let mut world = World::new();
    let opener = world.device_at(1, [10, 9, 9, 9]);
    for number in 0..3000u32 {
        let [_, _, c, d] = number.to_be_bytes();
        let (connection, _) = world.connect([10, 1, c, d]);
        world.input(Input::from_text(connection, r#"{"type":"register"}"#));
        let peers = vec![opener.id; 16];
        world.say(connection, ClientMessage::Watch { peers });
        world.say(connection, ClientMessage::CreatePairingCode);
        world.say(
            connection,
            ClientMessage::UsePairingCode {
                code: Slot::from_number(number, 3),
            },
        );
        world.say(connection, ClientMessage::relay(opener.id, payload("x")));
        world.heard(connection);
        if number % 2 == 0 {
            world.disconnect(connection);
        }
    }
    let held = world.rendezvous.holdings();
    assert!(held.mailboxes <= 1501, "{held:?}");
    // Per present guest: presence, a timer, its mailbox's timer; per claim two budgets.
    assert!(held.records <= 1501 * 3 + 3000 * 2 + 1, "{held:?}");
    world.pass(Duration::from_secs(2000));
    let left = world.rendezvous.holdings();
    assert_eq!(
        (left.mailboxes, left.channels, left.records, left.held_bytes),
        (0, 0, 0, 0)
    );
}

#[test]
fn what_is_kept_for_a_member_who_is_away_is_bounded() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    let code = world.code(alice.connection);
    world.say(bob.connection, ClientMessage::UsePairingCode { code });
    world.heard(bob.connection);
    world.disconnect(alice.connection);
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::PeerDisconnected { peer_id: alice.id }]
    );
    for _ in 0..40 {
        world.say(bob.connection, ClientMessage::relay(alice.id, payload("x")));
    }
    let refused = world.heard(bob.connection);
    assert_eq!(refused.len(), 40 - 16);
    assert!(
        refused
            .iter()
            .all(|message| error(message) == Some(ErrorCode::PeerOffline))
    );
    let alice = world.device(1);
    assert_eq!(
        world.heard(alice.connection).len(),
        1 + 16,
        "paired, then the post"
    );
    assert_eq!(world.rendezvous.holdings().held_bytes, 0);
}
