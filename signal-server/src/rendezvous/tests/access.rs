//! Who may use the server, and who may no longer.

use std::collections::BTreeSet;

use towline_wire::signal::{
    AccessToken, ClientMessage, CloseCode, ErrorCode, Registration, ServerMessage,
};

use super::super::{Access, Input, Settings, TokenHash};
use super::error;
use super::world::World;

fn token(text: &str) -> AccessToken {
    AccessToken::parse(text).unwrap()
}

const ANNA: &str = "anna-anna-anna-anna";
const BERT: &str = "bert-bert-bert-bert";

fn tokens(texts: &[&str]) -> Access {
    let hashes = texts.iter().map(|text| TokenHash::of(&token(text)));
    Access::Tokens(hashes.collect())
}

fn devices(numbers: &[u64]) -> Access {
    let ids = numbers.iter().map(|number| World::id_of(*number));
    Access::Devices(ids.collect::<BTreeSet<_>>())
}

fn world(access: Access) -> World {
    World::with(Settings {
        access,
        ..Settings::default()
    })
}

/// What a device (or a guest, number 0) hears that registers with this token.
fn registers(
    world: &mut World,
    number: u64,
    shown: Option<&str>,
) -> (ServerMessage, Option<CloseCode>) {
    let (connection, nonce) = world.connect([10, 0, 0, 1]);
    let mut message = if number == 0 {
        ClientMessage::register(Registration::Guest {
            label: String::new(),
        })
    } else {
        World::proof(number, "192.0.2.7", &nonce)
    };
    if let ClientMessage::Register { access_token, .. } = &mut message {
        *access_token = shown.map(token);
    }
    world.say(connection, message);
    (world.heard(connection).remove(0), world.closed(connection))
}

fn is_let_in(world: &mut World, number: u64, shown: Option<&str>) -> bool {
    let (answer, closed) = registers(world, number, shown);
    let is_in = matches!(answer, ServerMessage::Registered { .. });
    if !is_in {
        assert_eq!(error(&answer), Some(ErrorCode::AccessDenied));
        assert_eq!(closed, Some(CloseCode::AccessDenied));
    }
    is_in
}

#[test]
fn where_tokens_are_asked_for_devices_and_guests_show_one() {
    let mut world = world(tokens(&[ANNA]));
    assert!(is_let_in(&mut world, 1, Some(ANNA)));
    assert!(is_let_in(&mut world, 0, Some(ANNA)));
    for number in [0, 1] {
        assert!(!is_let_in(&mut world, number, Some(BERT)));
        assert!(!is_let_in(&mut world, number, None));
    }
    assert!(
        is_let_in(&mut World::new(), 1, Some(BERT)),
        "an open server asks for none"
    );
}

#[test]
fn where_devices_are_listed_no_other_and_no_guest_comes_in() {
    let mut world = world(devices(&[1]));
    assert!(is_let_in(&mut world, 1, None));
    assert!(!is_let_in(&mut world, 2, None));
    assert!(!is_let_in(&mut world, 0, Some(ANNA)));
}

#[test]
fn a_refused_twin_does_not_throw_out_who_is_there() {
    let mut world = world(tokens(&[ANNA]));
    let (connection, nonce) = world.connect([10, 0, 0, 1]);
    let mut message = World::proof(1, "192.0.2.7", &nonce);
    if let ClientMessage::Register { access_token, .. } = &mut message {
        *access_token = Some(token(ANNA));
    }
    world.say(connection, message);
    assert!(!is_let_in(&mut world, 1, Some(BERT)));
    assert_eq!(world.closed(connection), None);
}

#[test]
fn without_a_proof_nobody_learns_who_is_on_the_list() {
    let mut world = world(devices(&[1]));
    for number in [1, 2] {
        let (connection, nonce) = world.connect([10, 0, 0, 1]);
        world.say(connection, World::proof(number, "evil.example", &nonce));
        let heard = world.heard(connection);
        assert_eq!(error(&heard[0]), Some(ErrorCode::BadProof));
    }
}

#[test]
fn who_loses_the_right_is_closed_with_its_channels_and_the_others_stay() {
    let mut world = World::new();
    let (alice, bob) = world.watching_pair();
    let carol = world.device(3);
    let ((one, _), (other, _)) = world.channel(&alice, &bob);
    world.input(Input::Access(devices(&[2, 3])));
    let closed = |world: &World| {
        [
            alice.connection,
            bob.connection,
            carol.connection,
            one,
            other,
        ]
        .map(|connection| world.closed(connection))
    };
    let (denied, ended) = (
        Some(CloseCode::AccessDenied),
        Some(CloseCode::ChannelClosed),
    );
    assert_eq!(closed(&world), [denied, None, None, ended, ended]);
    assert!(!is_let_in(&mut world, 1, None));
    world.input(Input::Access(devices(&[1, 2, 3])));
    assert!(is_let_in(&mut world, 1, None), "put back, and in again");
    world.input(Input::Access(tokens(&[ANNA])));
    assert_eq!(world.closed(carol.connection), denied);
}

#[test]
fn a_token_that_is_taken_back_closes_who_has_shown_it() {
    let mut world = world(tokens(&[ANNA, BERT]));
    assert!(is_let_in(&mut world, 1, Some(ANNA)));
    assert!(is_let_in(&mut world, 2, Some(BERT)));
    assert_eq!(world.rendezvous.present(), [2, 0]);
    world.input(Input::Access(tokens(&[BERT])));
    assert_eq!(world.rendezvous.present(), [1, 0]);
    world.input(Input::Access(tokens(&[])));
    assert_eq!(world.rendezvous.present(), [0, 0]);
    world.pass(std::time::Duration::from_secs(200));
    assert_eq!(world.rendezvous.holdings().records, 0);
}
