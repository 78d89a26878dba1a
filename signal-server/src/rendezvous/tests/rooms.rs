//! Rooms: who comes in, who hears of whom, what a failure tells.

use std::time::Duration;

use towline_wire::signal::{
    ClientMessage, ErrorCode, PasswordProof, Payload, ROOM_MEMBERS_MAX, RelayName, RoomCode,
    RoomEnd, RoomPeer, ServerMessage,
};

use super::super::{EMPTY_FOR, Input, OPENED_PER_NETWORK_MAX, Settings};
use super::world::{Client, World};
use super::{error, payload};

fn proof(number: u8) -> PasswordProof {
    PasswordProof::from_bytes([number; 32])
}

impl World {
    fn room(&mut self, owner: Client) -> RoomCode {
        let display_name = "owner".into();
        self.say(owner.connection, ClientMessage::CreateRoom { display_name });
        let heard = self.heard(owner.connection);
        let [ServerMessage::RoomCreated { room_code }] = heard[..] else {
            panic!("no room: {heard:?}")
        };
        room_code
    }

    fn lock(&mut self, owner: Client, room_code: RoomCode, number: u8) {
        let password = Some(proof(number));
        self.say(
            owner.connection,
            ClientMessage::LockRoom {
                room_code,
                password,
            },
        );
        assert_eq!(
            self.heard(owner.connection),
            [ServerMessage::RoomCreated { room_code }]
        );
    }

    fn join(&mut self, who: Client, room_code: RoomCode, number: Option<u8>) -> ServerMessage {
        self.say(
            who.connection,
            ClientMessage::JoinRoom {
                room_code,
                password: number.map(proof),
                display_name: "guest".into(),
            },
        );
        self.heard(who.connection).remove(0)
    }

    fn is_let_in(&mut self, who: Client, room_code: RoomCode, number: Option<u8>) -> bool {
        let answer = self.join(who, room_code, number);
        let is_in = matches!(answer, ServerMessage::JoinedRoom { .. });
        assert!(is_in || error(&answer) == Some(ErrorCode::RoomNotFound));
        is_in
    }

    fn pass_on(&mut self, from: Client, to: Client) -> bool {
        self.heard(to.connection);
        self.say(
            from.connection,
            ClientMessage::relay(to.id, payload("hello")),
        );
        let heard = self.heard(to.connection);
        heard
            .iter()
            .any(|message| matches!(message, ServerMessage::Relayed { from: who, .. } if *who == from.id))
    }
}

#[test]
fn who_is_in_a_room_hears_of_the_others_and_passes_offers_on() {
    let mut world = World::new();
    let (alice, bob, eve) = (world.device(1), world.guest(), world.device(3));
    let room_code = world.room(alice);
    let peers = vec![RoomPeer {
        peer_id: alice.id,
        display_name: "owner".into(),
    }];
    let ice = Default::default();
    assert_eq!(
        world.join(bob, room_code, None),
        ServerMessage::JoinedRoom {
            room_code,
            peers,
            ice
        }
    );
    let peer = RoomPeer {
        peer_id: bob.id,
        display_name: "guest".into(),
    };
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerJoined { room_code, peer }]
    );
    for name in RelayName::ALL {
        let payload = Payload::from_text("v=0");
        let to = alice.id;
        world.say(bob.connection, ClientMessage::Relay { name, to, payload });
        let heard = world.heard(alice.connection);
        assert!(
            matches!(&heard[..], [ServerMessage::Relayed { name: told, from, .. }] if *told == name && *from == bob.id),
            "{heard:?}"
        );
    }
    assert!(!world.pass_on(eve, alice), "she is in no room");
    assert!(!world.pass_on(alice, eve));
    world.heard(alice.connection);
    world.say(bob.connection, ClientMessage::LeaveRoom { room_code: None });
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::LeftRoom {
            room_code,
            reason: RoomEnd::Left
        }]
    );
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerLeft {
            room_code,
            peer_id: bob.id
        }]
    );
    assert!(!world.pass_on(bob, alice), "who has left is a stranger");
    world.heard(bob.connection);
    world.say(bob.connection, ClientMessage::LeaveRoom { room_code: None });
    assert_eq!(
        error(&world.heard(bob.connection)[0]),
        Some(ErrorCode::NotInRoom)
    );
}

#[test]
fn who_disconnects_has_left_its_rooms() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    let room_code = world.room(alice);
    assert!(world.is_let_in(bob, room_code, None));
    world.heard(alice.connection);
    world.disconnect(bob.connection);
    let peer_id = bob.id;
    assert_eq!(
        world.heard(alice.connection),
        [ServerMessage::PeerLeft { room_code, peer_id }]
    );
    let bob = world.device(2);
    assert!(!world.pass_on(bob, alice));
    world.heard(bob.connection);
    assert!(world.is_let_in(bob, room_code, None));
    assert!(world.pass_on(bob, alice));
}

#[test]
fn every_join_that_fails_is_answered_alike() {
    let mut world = World::new();
    let alice = world.device(1);
    let room_code = world.room(alice);
    world.lock(alice, room_code, 7);
    let mut answers = Vec::new();
    for (number, code, shown) in [
        (10, room_code, None),
        (11, room_code, Some(8)),
        (12, RoomCode::from_number(5), Some(7)),
        (13, RoomCode::from_number(5), None),
    ] {
        let who = world.device_at(number, [10, 0, 1, 1]);
        answers.push(world.join(who, code, shown));
    }
    let who = world.device_at(14, [10, 0, 1, 1]);
    world.input(Input::from_text(
        who.connection,
        r#"{"type":"join_room","room_code":"NO"}"#,
    ));
    answers.extend(world.heard(who.connection));
    // Her tries are spent, and now she knows the password.
    let eve = world.device_at(15, [10, 0, 2, 1]);
    for number in 20..25 {
        assert!(!world.is_let_in(eve, room_code, Some(number)));
    }
    answers.push(world.join(eve, room_code, Some(7)));
    assert_eq!(answers.len(), 6);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(error(&answers[0]), Some(ErrorCode::RoomNotFound));
    let bob = world.device_at(16, [10, 0, 3, 1]);
    assert!(world.is_let_in(bob, room_code, Some(7)));
    assert!(world.heard(alice.connection).len() == 1, "told of bob only");
}

#[test]
fn a_password_is_set_changed_and_taken_away_by_who_opened_the_room() {
    let mut world = World::new();
    let (alice, bob) = (world.device(1), world.device(2));
    let room_code = world.room(alice);
    assert!(world.is_let_in(bob, room_code, None));
    world.say(
        bob.connection,
        ClientMessage::LockRoom {
            room_code,
            password: Some(proof(9)),
        },
    );
    assert_eq!(
        error(&world.heard(bob.connection)[0]),
        Some(ErrorCode::NotInRoom)
    );
    world.heard(alice.connection);
    world.lock(alice, room_code, 7);
    let (carol, dave) = (world.device(3), world.device(4));
    assert!(!world.is_let_in(carol, room_code, Some(9)));
    assert!(world.is_let_in(carol, room_code, Some(7)));
    world.heard(alice.connection);
    world.say(
        alice.connection,
        ClientMessage::LockRoom {
            room_code,
            password: None,
        },
    );
    assert!(world.is_let_in(dave, room_code, None));
}

#[test]
fn guesses_at_one_room_from_anywhere_are_few() {
    let mut world = World::new();
    let alice = world.device(1);
    let room_code = world.room(alice);
    world.lock(alice, room_code, 7);
    for number in 0..40 {
        let eve = world.device_at(100 + number, [10, 1, 0, number as u8]);
        assert!(!world.is_let_in(eve, room_code, Some(8)));
    }
    let late = world.device_at(200, [10, 2, 0, 1]);
    assert!(
        !world.is_let_in(late, room_code, Some(7)),
        "not even the right one is tried now"
    );
    world.pass_alive(Duration::from_secs(30));
    assert!(world.is_let_in(late, room_code, Some(7)));
}

#[test]
fn a_room_holds_sixteen_and_says_so_only_to_who_may_know() {
    let mut world = World::new();
    let alice = world.device(1);
    let room_code = world.room(alice);
    world.lock(alice, room_code, 7);
    for number in 2..=ROOM_MEMBERS_MAX as u64 {
        let who = world.device(number);
        assert!(world.is_let_in(who, room_code, Some(7)));
        assert!(world.is_let_in(who, room_code, Some(7)), "twice is once");
    }
    let late = world.device(50);
    assert_eq!(
        error(&world.join(late, room_code, Some(7))),
        Some(ErrorCode::RoomFull)
    );
    assert_eq!(
        error(&world.join(late, room_code, Some(8))),
        Some(ErrorCode::RoomNotFound)
    );
    assert!(!world.pass_on(late, alice));
}

#[test]
fn a_room_lasts_while_something_happens_in_it() {
    let mut world = World::with(Settings {
        room_life: Duration::from_secs(600),
        ..Settings::default()
    });
    let (alice, bob) = (world.device(1), world.device(2));
    let room_code = world.room(alice);
    assert!(world.is_let_in(bob, room_code, None));
    for _ in 0..5 {
        world.pass_alive(Duration::from_secs(500));
        assert!(world.pass_on(alice, bob));
    }
    world.pass_alive(Duration::from_secs(650));
    let reason = RoomEnd::Expired;
    assert_eq!(
        world.heard(bob.connection),
        [ServerMessage::LeftRoom { room_code, reason }]
    );
    assert!(!world.pass_on(alice, bob));
    assert_eq!(world.rendezvous.holdings().rooms, 0);
}

#[test]
fn an_empty_room_waits_a_minute_for_who_comes_back() {
    let mut world = World::new();
    let alice = world.device(1);
    let room_code = world.room(alice);
    world.disconnect(alice.connection);
    world.pass(EMPTY_FOR / 2);
    let bob = world.device(2);
    assert!(world.is_let_in(bob, room_code, None));
    world.pass_alive(EMPTY_FOR * 2);
    assert_eq!(world.rendezvous.holdings().rooms, 1, "somebody is in it");
    world.disconnect(bob.connection);
    world.pass(EMPTY_FOR + Duration::from_secs(1));
    assert_eq!(world.rendezvous.holdings().rooms, 0);
}

#[test]
fn rooms_are_bounded_for_each_and_for_all() {
    let mut world = World::with(Settings {
        rooms_max: 100,
        ..Settings::default()
    });
    let create = || ClientMessage::CreateRoom {
        display_name: String::new(),
    };
    let guest = world.guest();
    for _ in 0..5 {
        world.say(guest.connection, create());
    }
    let heard = world.heard(guest.connection);
    let opened = |heard: &[ServerMessage]| {
        heard
            .iter()
            .filter(|message| matches!(message, ServerMessage::RoomCreated { .. }))
            .count()
    };
    assert_eq!(opened(&heard), 4);
    assert_eq!(error(&heard[4]), Some(ErrorCode::RateLimited));
    let mut of_one_network = 0;
    for number in 1..=4 {
        let device = world.device_at(number, [10, 0, 7, 7]);
        for _ in 0..33 {
            world.say(device.connection, create());
        }
        let opened = opened(&world.heard(device.connection));
        assert!(opened <= 32);
        of_one_network += opened;
    }
    assert_eq!(of_one_network, OPENED_PER_NETWORK_MAX as usize);
    for number in 10..20 {
        let device = world.device_at(number, [10, 0, 8, number as u8]);
        for _ in 0..32 {
            world.say(device.connection, create());
        }
        world.heard(device.connection);
    }
    assert_eq!(world.rendezvous.holdings().rooms, 100);
    let late = world.device_at(30, [10, 0, 9, 1]);
    world.say(late.connection, create());
    assert_eq!(
        error(&world.heard(late.connection)[0]),
        Some(ErrorCode::Unavailable)
    );
}
