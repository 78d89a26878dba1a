//! Random clients doing random things, with an independent book of who may hear whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use towline_wire::code::Slot;
use towline_wire::signal::{
    ClientMessage, PairingFailure, Payload, RoomCode, ServerMessage, SignalId,
};

use super::world::{Client, World};
use crate::rendezvous::{ConnectionId, Input, Moment};

/// One thing that one of a few clients does.
#[derive(Debug, Clone)]
enum Act {
    Register(usize),
    Leave(usize),
    Create(usize),
    /// The number picks one of the codes given out so far, or a wrong one.
    Claim(usize, usize),
    Done(usize),
    Cancel(usize),
    Watch(usize, Vec<usize>),
    Room(usize),
    /// The number picks one of the rooms opened so far.
    Enter(usize, usize),
    Quit(usize),
    Relay(usize, usize),
    Open(usize, usize),
    Rubbish(usize, String),
    Packet(usize, Vec<u8>),
    Wait(u64),
}

const CLIENTS: usize = 5;

fn act() -> impl Strategy<Value = Act> {
    let who = 0..CLIENTS;
    prop_oneof![
        4 => who.clone().prop_map(Act::Register),
        1 => who.clone().prop_map(Act::Leave),
        3 => who.clone().prop_map(Act::Create),
        4 => (who.clone(), 0..8usize).prop_map(|(who, code)| Act::Claim(who, code)),
        2 => who.clone().prop_map(Act::Done),
        1 => who.clone().prop_map(Act::Cancel),
        2 => (who.clone(), prop::collection::vec(who.clone(), 0..4)).prop_map(|(who, peers)| Act::Watch(who, peers)),
        1 => who.clone().prop_map(Act::Room),
        2 => (who.clone(), 0..4usize).prop_map(|(who, room)| Act::Enter(who, room)),
        1 => who.clone().prop_map(Act::Quit),
        6 => (who.clone(), who.clone()).prop_map(|(from, to)| Act::Relay(from, to)),
        2 => (who.clone(), who.clone()).prop_map(|(from, to)| Act::Open(from, to)),
        1 => (who.clone(), ".{0,40}").prop_map(|(who, text)| Act::Rubbish(who, text)),
        1 => (who.clone(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(who, bytes)| Act::Packet(who, bytes)),
        2 => (0..200u64).prop_map(Act::Wait),
    ]
}

/// What the rendezvous said, seen from outside.
#[derive(Default)]
struct Book {
    given: Vec<(Slot, Moment)>,
    /// How often `paired` answered a claim of the n-th code given out.
    claims: BTreeMap<usize, usize>,
    /// Members of one mailbox, both ways round.
    paired: BTreeSet<(SignalId, SignalId)>,
    watching: BTreeMap<SignalId, Vec<SignalId>>,
    rooms: Vec<RoomCode>,
    /// Who is in a room, by who was let in and told that it left.
    inside: BTreeSet<(RoomCode, SignalId)>,
}

impl Book {
    fn part(&mut self, id: SignalId) {
        self.paired
            .retain(|(one, other)| *one != id && *other != id);
    }

    fn gone(&mut self, id: SignalId) {
        self.watching.remove(&id);
        self.inside.retain(|(_, member)| *member != id);
    }

    fn meet(&self, one: SignalId, other: SignalId) -> bool {
        let mut rooms = self.rooms.iter();
        rooms.any(|room| {
            self.inside.contains(&(*room, one)) && self.inside.contains(&(*room, other))
        })
    }

    fn hear_of_rooms(&mut self, id: SignalId, message: &ServerMessage) {
        if let ServerMessage::RoomCreated { room_code }
        | ServerMessage::JoinedRoom { room_code, .. } = message
        {
            self.rooms.push(*room_code);
            self.inside.insert((*room_code, id));
        }
        if let ServerMessage::LeftRoom { room_code, .. } = message {
            self.inside.remove(&(*room_code, id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_code_is_claimed_twice_and_no_stranger_is_heard(acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new();
        let mut clients: Vec<Option<Client>> = vec![None; CLIENTS];
        let mut book = Book::default();
        let id = |number: usize| SignalId::Device(World::id_of(number as u64 + 1));
        for act in acts {
            step(&mut world, &mut clients, &mut book, &act, id);
            for (number, client) in clients.iter_mut().enumerate() {
                let Some(known) = client else { continue };
                for message in world.heard(known.connection) {
                    if let ServerMessage::PairingFailed { reason } = &message {
                        prop_assert_ne!(*reason, PairingFailure::CodeInvalid, "only a claim is answered so");
                        book.part(id(number));
                    }
                    book.hear_of_rooms(id(number), &message);
                    if let ServerMessage::Relayed { from, .. } = message {
                        let watch = |one: SignalId, other: SignalId| {
                            book.watching.get(&one).is_some_and(|peers| peers.contains(&other))
                        };
                        let met = book.paired.contains(&(from, id(number)));
                        let met = met || book.meet(from, id(number));
                        prop_assert!(met || (watch(from, id(number)) && watch(id(number), from)));
                    }
                }
                if world.closed(known.connection).is_some() {
                    book.gone(id(number));
                    *client = None;
                }
            }
            prop_assert!(book.claims.values().all(|claims| *claims <= 1));
        }
        world.pass(Duration::from_secs(1000));
        let left = world.rendezvous.holdings();
        prop_assert_eq!((left.mailboxes, left.rooms, left.channels, left.held_bytes), (0, 0, 0, 0));
        prop_assert_eq!(world.rendezvous.connections_len(), 0);
        prop_assert_eq!(left.records, 0, "nothing is remembered of who is long gone");
    }

    #[test]
    fn the_same_inputs_give_the_same_answers(acts in prop::collection::vec(act(), 0..60)) {
        let run = || {
            let mut world = World::new();
            let mut clients: Vec<Option<Client>> = vec![None; CLIENTS];
            let mut log = String::new();
            for act in &acts {
                step(&mut world, &mut clients, &mut Book::default(), act, |n| SignalId::Device(World::id_of(n as u64 + 1)));
                for client in clients.iter().flatten() {
                    log += &format!("{:?}", world.heard(client.connection));
                }
            }
            log
        };
        prop_assert_eq!(run(), run());
    }
}

fn step(
    world: &mut World,
    clients: &mut [Option<Client>],
    book: &mut Book,
    act: &Act,
    id: impl Fn(usize) -> SignalId,
) {
    let connection = |who: usize| clients[who].map(|client| client.connection);
    match act {
        Act::Register(who) if clients[*who].is_none() => {
            clients[*who] = Some(world.device(*who as u64 + 1))
        }
        Act::Register(_) => {}
        Act::Leave(who) => {
            if let Some(connection) = connection(*who) {
                world.disconnect(connection);
                clients[*who] = None;
                book.gone(id(*who));
            }
        }
        Act::Create(who) => {
            if let Some(connection) = connection(*who) {
                world.heard(connection);
                world.say(connection, ClientMessage::CreatePairingCode);
                for message in world.heard(connection) {
                    if let ServerMessage::PairingCode { code, expires_in } = message {
                        let known = book
                            .given
                            .iter()
                            .any(|(given, until)| *given == code && *until > world.now);
                        assert!(expires_in <= 300);
                        if !known {
                            book.part(id(*who));
                            book.given
                                .push((code, world.now.plus(Duration::from_secs(300))));
                        }
                    }
                }
            }
        }
        Act::Claim(who, which) => {
            let Some(connection) = connection(*who) else {
                return;
            };
            let given = book.given.len();
            let picked = given.checked_sub(1 + which);
            let code = picked.map_or_else(
                || Slot::from_number(0, 3),
                |index| book.given[index].0.clone(),
            );
            world.heard(connection);
            world.say(connection, ClientMessage::UsePairingCode { code });
            for message in world.heard(connection) {
                if let ServerMessage::Paired { peer_id } = message {
                    let index = picked.expect("only a code that was given out opens something");
                    assert!(
                        world.now < book.given[index].1,
                        "an expired code opens nothing"
                    );
                    *book.claims.entry(index).or_default() += 1;
                    book.part(id(*who));
                    book.paired.insert((peer_id, id(*who)));
                    book.paired.insert((id(*who), peer_id));
                }
            }
        }
        Act::Done(who) => say(world, connection(*who), ClientMessage::PairingDone),
        Act::Cancel(who) => {
            if connection(*who).is_some() {
                book.part(id(*who));
            }
            say(world, connection(*who), ClientMessage::CancelPairingCode);
        }
        Act::Watch(who, peers) => {
            let peers: Vec<SignalId> = peers.iter().map(|peer| id(*peer)).collect();
            if connection(*who).is_some() {
                book.watching.insert(id(*who), peers.clone());
            }
            say(world, connection(*who), ClientMessage::Watch { peers });
        }
        Act::Room(who) => say(
            world,
            connection(*who),
            ClientMessage::CreateRoom {
                display_name: String::new(),
            },
        ),
        Act::Enter(who, which) => {
            let picked = book.rooms.iter().rev().nth(*which);
            let message = ClientMessage::JoinRoom {
                room_code: picked.copied().unwrap_or(RoomCode::from_number(0)),
                password: None,
                display_name: String::new(),
            };
            say(world, connection(*who), message);
        }
        Act::Quit(who) => say(
            world,
            connection(*who),
            ClientMessage::LeaveRoom { room_code: None },
        ),
        Act::Relay(from, to) => {
            say(
                world,
                connection(*from),
                ClientMessage::relay(id(*to), Payload::from_text("x")),
            );
        }
        Act::Open(from, to) => say(
            world,
            connection(*from),
            ClientMessage::RelayOpen { to: id(*to) },
        ),
        Act::Rubbish(who, text) => {
            if let Some(connection) = connection(*who) {
                world.input(Input::from_text(connection, text));
            }
        }
        Act::Packet(who, bytes) => {
            if let Some(connection) = connection(*who) {
                world.input(Input::Packet {
                    connection,
                    packet: bytes.clone().into(),
                });
            }
        }
        Act::Wait(seconds) => world.pass_alive(Duration::from_secs(*seconds)),
    }
}

fn say(world: &mut World, connection: Option<ConnectionId>, message: ClientMessage) {
    if let Some(connection) = connection {
        world.say(connection, message);
    }
}
