//! Credentials for TURN servers: who gets some, until when, and when new ones come.

use std::time::Duration;

use towline_wire::ice::TurnTransport;
use towline_wire::signal::{ClientMessage, ServerMessage};

use super::super::{Input, Lending, LendingSecret, Settings};
use super::world::{Client, World};

const LIFE: Duration = Duration::from_secs(600);
const UNIX: u64 = 1_700_000_000;

fn world() -> World {
    with_life(LIFE)
}

fn with_life(life: Duration) -> World {
    let mut world = World::with(Settings {
        lending: Some(Lending {
            servers: vec![("turn.example:3478".parse().unwrap(), TurnTransport::Udp)],
            secret: LendingSecret::parse("north-north-north").unwrap(),
            life,
        }),
        ..Settings::default()
    });
    let unix_seconds = UNIX;
    world.input(Input::WallClock { unix_seconds });
    world
}

/// Until when the credentials in a message hold, and whose they are.
fn told(message: &ServerMessage) -> Option<(u64, String)> {
    let (ServerMessage::Registered { ice, .. }
    | ServerMessage::IceServers { ice }
    | ServerMessage::JoinedRoom { ice, .. }) = message
    else {
        return None;
    };
    let name = ice.turn.first()?.username.reveal();
    let (until, user) = name.split_once(':')?;
    Some((until.parse().ok()?, user.to_owned()))
}

fn register(world: &mut World, number: u64) -> (Client, ServerMessage) {
    register_from(world, number, [10, 0, 0, 1])
}

fn register_from(world: &mut World, number: u64, from: [u8; 4]) -> (Client, ServerMessage) {
    let (connection, nonce) = world.connect(from);
    world.say(connection, World::proof(number, "192.0.2.7", &nonce));
    let id = World::id_of(number).into();
    let first = world.heard(connection).remove(0);
    (Client { connection, id }, first)
}

#[test]
fn a_device_gets_credentials_and_a_guest_none() {
    let mut world = world();
    world.pass(Duration::from_secs(30));
    let (_, first) = register(&mut world, 1);
    let (until, user) = told(&first).unwrap();
    assert_eq!(until, UNIX + 30 + LIFE.as_secs());
    assert!(!World::id_of(1).to_string().contains(&user));
    let (_, again) = register(&mut world, 1);
    assert_eq!(
        told(&again).unwrap().1,
        user,
        "counted as one by the TURN server"
    );
    let (_, moved) = register_from(&mut world, 1, [10, 0, 1, 1]);
    assert_ne!(
        told(&moved).unwrap().1,
        user,
        "not known again in another network"
    );
    let (_, other) = register(&mut world, 2);
    assert_ne!(told(&other).unwrap().1, user);
    let (guest, _) = world.connect([10, 0, 0, 2]);
    world.input(Input::from_text(
        guest,
        r#"{"type":"register","clientId":"a"}"#,
    ));
    assert_eq!(told(&world.heard(guest)[0]), None);
}

#[test]
fn new_credentials_come_before_the_old_ones_end_by_the_wall_clock() {
    let mut world = world();
    let (device, _) = register(&mut world, 1);
    // Somebody has set the clock; what is told next goes by it.
    let unix_seconds = UNIX + 1_000_000;
    world.input(Input::WallClock { unix_seconds });
    let mut ends = LIFE.as_secs();
    let mut renewed = 0;
    for second in 1..=1800 {
        world.pass_alive(Duration::from_secs(1));
        for message in world.heard(device.connection) {
            if let Some((until, _)) = told(&message) {
                assert!(second < ends, "in time");
                ends = until - unix_seconds;
                // A look at a device falls into a second.
                let whole = second + LIFE.as_secs();
                assert!((whole - 1..=whole).contains(&ends), "{ends} {whole}");
                renewed += 1;
            }
        }
    }
    assert!((4..=6).contains(&renewed), "{renewed} in half an hour");
}

/// Looks at clients are rarer than that, and credentials do not wait for one.
#[test]
fn credentials_of_seconds_are_renewed_within_half_their_time() {
    let life = Duration::from_secs(4);
    let mut world = with_life(life);
    let (device, _) = register(&mut world, 1);
    let mut renewed = Vec::new();
    for tenth in 1..=600 {
        world.pass_alive(Duration::from_millis(100));
        let heard = world.heard(device.connection);
        renewed.extend(heard.iter().filter_map(told).map(|_| tenth));
    }
    let due: Vec<_> = (1..=30).map(|time| time * 20).collect();
    assert_eq!(renewed, due, "each two seconds");
}

#[test]
fn a_guest_in_the_room_of_a_device_uses_what_is_counted_for_the_device_where_it_is() {
    let mut world = world();
    // Where guests are.
    let (_, there) = register_from(&mut world, 1, [10, 0, 0, 2]);
    let (owner, first) = register(&mut world, 1);
    let guest = world.guest();
    let create = || ClientMessage::CreateRoom {
        display_name: String::new(),
    };
    let room_of = |heard: Vec<ServerMessage>| {
        let [ServerMessage::RoomCreated { room_code }] = heard[..] else {
            panic!("no room: {heard:?}")
        };
        room_code
    };
    let join = |room_code| ClientMessage::JoinRoom {
        room_code,
        password: None,
        display_name: String::new(),
    };
    world.say(owner.connection, create());
    let room = room_of(world.heard(owner.connection));
    world.say(guest.connection, join(room));
    let heard = world.heard(guest.connection);
    let name = told(&heard[0]).unwrap().1;
    assert_eq!(name, told(&there).unwrap().1);
    assert_ne!(name, told(&first).unwrap().1, "nobody sees whose guest");
    let other = world.guest();
    world.say(other.connection, create());
    let room = room_of(world.heard(other.connection));
    world.say(guest.connection, join(room));
    assert_eq!(
        told(&world.heard(guest.connection)[0]),
        None,
        "a guest's room"
    );
}

#[test]
fn without_a_secret_or_a_clock_nobody_gets_any() {
    let (_, first) = register(&mut World::new(), 1);
    assert_eq!(told(&first), None);
}
