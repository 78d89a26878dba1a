//! A life of the rendezvous that bytes decide, and what must hold in each.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use towline_wire::ids::DeviceId;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{
    ClientMessage, HostName, Nonce, Payload, RegisterProof, Registration, RelayToken, Request,
    ServerMessage, SignalId, proof_message,
};

use super::words;
use crate::rendezvous::{
    Ask, Between, ConnectionId, Door, Input, Instance, Moment, NodeId, Origin, Output, Reached,
    Rendezvous, Settings, Store, Ticket,
};

/// Lives it.
pub(super) fn live(bytes: &[u8]) {
    drop(lived(bytes));
}

fn lived(bytes: &[u8]) -> Life {
    let (first, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let mut life = Life::new(*first);
    let mut acts = Acts { bytes };
    while let Some(act) = acts.next() {
        life.act(act, &mut acts);
        if life.inputs > INPUTS_MAX {
            break;
        }
    }
    life
}

/// A program of acts that does something of everything; others come from there.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let pair: &[u8] = &[
        0, 0, 0, 0, 3, 0, 1, 3, 1, 2, 12, 4, 0, 0, 12, 4, 1, 1, 12, 4, 0, 2, 12, 4, 1, 2, 12, 4, 0,
        6, 1, 12, 4, 1, 6, 0, 12, 4, 0, 8, 1, 12, 6, 0, 6, 1, 5, 4, 5, 16, 0, 7, 2, 9, 9, 200,
    ];
    let room: &[u8] = &[
        0, 0, 0, 0, 2, 0, 2, 1, 12, 4, 0, 4, 12, 4, 1, 5, 12, 4, 0, 7, 1, 12, 4, 1, 9, 12, 7, 0, 9,
        255, 12,
    ];
    let apart: &[u8] = &[
        0, 0, 3, 0, 1, 12, 10, 1, 4, 0, 0, 9, 70, 10, 0, 12, 14, 0, 14, 1, 15, 9, 9,
    ];
    let text: &[u8] = br#"{"type":"relay","to":"g-0000000000000001","payload":[1]}"#;
    // Who asked is gone when the store answers; found by fuzzing.
    let gone: &[u8] = &[
        10, 0, 0, 0, 0, 0, 0, 2, 0, 2, 1, 104, 104, 104, 104, 12, 4, 0, 4, 12, 4, 1, 5, 212, 4, 12,
        4, 1, 5, 212, 4, 0, 7, 1, 12, 225, 225, 0, 0, 225, 225, 225, 225, 1, 0, 225, 0, 128, 225,
        225, 225, 225, 225, 225, 225, 225, 225, 225, 9, 12, 7, 0, 9, 255, 12,
    ];
    let said = [&[0, 0, 2, 0, 1, 0, text.len() as u8][..], text].concat();
    let mut seeds = Vec::new();
    for first in [0, 1] {
        let reached: &[u8] = if first == 0 { &[] } else { &[10, 0] };
        for acts in [pair, room, apart, gone, &said] {
            seeds.push([&[first][..], reached, acts].concat());
        }
    }
    seeds
}

/// The bytes that are left.
struct Acts<'a> {
    bytes: &'a [u8],
}

impl<'a> Acts<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn number(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    /// As many as the next byte says, or what there is.
    fn several(&mut self) -> &'a [u8] {
        let count = usize::from(self.number()).min(self.bytes.len());
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }
}

struct Life {
    rendezvous: Rendezvous,
    now: Moment,
    inputs: u32,
    store: Store,
    asked: VecDeque<(Ticket, Ask)>,
    published: Vec<Between>,
    /// Those that have not been closed, with what the first notice told.
    open: BTreeMap<ConnectionId, Option<Nonce>>,
    connections: u64,
    ids: Vec<SignalId>,
    codes: Vec<towline_wire::code::Slot>,
    rooms: Vec<towline_wire::signal::RoomCode>,
    tokens: Vec<(ChannelId, RelayToken)>,
}

impl Life {
    fn new(first: u8) -> Self {
        let settings = Settings {
            connections_max: 24,
            rooms_max: 8,
            instance: if first & 1 == 0 {
                Instance::Alone
            } else {
                Instance::OneOfSeveral(NodeId(1))
            },
            ..Settings::default()
        };
        Self {
            rendezvous: Rendezvous::new([first; 32], settings),
            now: Moment::START,
            inputs: 0,
            store: Store::default(),
            asked: VecDeque::new(),
            published: Vec::new(),
            open: BTreeMap::new(),
            connections: 0,
            ids: Vec::new(),
            codes: Vec::new(),
            rooms: Vec::new(),
            tokens: Vec::new(),
        }
    }

    fn act(&mut self, act: u8, acts: &mut Acts<'_>) {
        match act % 17 {
            0 => self.arrive(Door::Signal),
            1 => {
                let connection = self.one(acts.number());
                let text = String::from_utf8_lossy(acts.several());
                self.input(Input::from_text(connection, &text));
            }
            2 => {
                let connection = self.one(acts.number());
                self.input(Input::from_text(connection, r#"{"type":"register"}"#));
            }
            3 => self.prove(acts.number(), acts.number()),
            4 => self.ask_for(acts),
            5 => {
                let connection = self.one(acts.number());
                let packet = Bytes::copy_from_slice(acts.several());
                self.input(Input::Packet { connection, packet });
            }
            6 => {
                let number = usize::from(acts.number());
                let known = self.tokens.get(number % self.tokens.len().max(1));
                let (channel, token) = known.cloned().unwrap_or((
                    ChannelId(number as u32),
                    RelayToken::from_bytes([number as u8; 16]),
                ));
                self.arrive(Door::Relay { channel, token });
            }
            7 => {
                let connection = self.one(acts.number());
                self.open.remove(&connection);
                self.input(Input::Disconnected { connection });
            }
            8 => {
                let connection = self.one(acts.number());
                self.input(Input::Alive { connection });
            }
            9 => self.pass(Duration::from_secs(u64::from(acts.number()))),
            10 => self.input(Input::Reach(if acts.number() & 1 == 0 {
                Reached::Yes
            } else {
                Reached::No
            })),
            11 => {
                for message in words::heard(acts.several()) {
                    self.input(Input::Heard(message));
                }
            }
            12 => self.be_answered(),
            13 => {
                let text = String::from_utf8_lossy(acts.several());
                let answer = words::answer(text.lines().map(str::to_owned).collect());
                if let (Some((ticket, _)), Some(answer)) = (self.asked.pop_front(), answer) {
                    self.input(Input::Answered { ticket, answer });
                }
            }
            14 => {
                let number = usize::from(acts.number());
                let message = self.published.get(number % self.published.len().max(1));
                if let Some(message) = message.cloned() {
                    self.input(Input::Heard(message));
                }
            }
            15 => self.input(Input::WallClock {
                unix_seconds: u64::from(acts.number()) << 24,
            }),
            _ => self.input(Input::Drain {
                within: Duration::from_secs(u64::from(acts.number())),
            }),
        }
    }

    fn arrive(&mut self, door: Door) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.open.insert(connection, None);
        let host = (self.connections % 3) as u8;
        let origin = Origin::new(IpAddr::from([10, 0, 0, host]), IpAddr::from([192, 0, 2, 7]));
        self.input(Input::Connected {
            connection,
            origin,
            door,
        });
    }

    /// One of those that came, also one that is gone.
    fn one(&self, number: u8) -> ConnectionId {
        ConnectionId(u64::from(number) % self.connections.max(1) + 1)
    }

    fn prove(&mut self, connection: u8, key: u8) {
        let connection = self.one(connection);
        let Some(Some(nonce)) = self.open.get(&connection) else {
            return;
        };
        let key = SigningKey::from_bytes(&[key % 4; 32]);
        let device = DeviceId::from_public_key(key.verifying_key().to_bytes());
        let Some(host) = HostName::parse("192.0.2.7") else {
            return;
        };
        let signature = key
            .sign(&proof_message(1, &host, nonce, &device))
            .to_bytes();
        let proof = RegisterProof {
            version: 1,
            host,
            signature,
        };
        let registration = Registration::Device { device, proof };
        self.say(connection, ClientMessage::register(registration));
    }

    /// A request that makes sense, of one who may ask it or not.
    fn ask_for(&mut self, acts: &mut Acts<'_>) {
        let connection = self.one(acts.number());
        let what = acts.number();
        let id = |life: &Self, number: u8| {
            let known = life.ids.get(usize::from(number) % life.ids.len().max(1));
            known.copied()
        };
        let message = match what % 11 {
            0 => Some(ClientMessage::CreatePairingCode),
            1 => {
                let code = self.codes.last().cloned();
                code.map(|code| ClientMessage::UsePairingCode { code })
            }
            2 => Some(ClientMessage::PairingDone),
            3 => Some(ClientMessage::CancelPairingCode),
            4 => Some(ClientMessage::CreateRoom {
                display_name: String::new(),
            }),
            5 => self.rooms.last().map(|room_code| ClientMessage::JoinRoom {
                room_code: *room_code,
                password: None,
                display_name: String::new(),
            }),
            6 => Some(ClientMessage::Watch {
                peers: id(self, acts.number()).into_iter().collect(),
            }),
            7 => {
                id(self, acts.number()).map(|to| ClientMessage::relay(to, Payload::from_text("x")))
            }
            8 => id(self, acts.number()).map(|to| ClientMessage::RelayOpen { to }),
            9 => Some(ClientMessage::LeaveRoom { room_code: None }),
            _ => Some(ClientMessage::Ping { timestamp: None }),
        };
        if let Some(message) = message {
            self.say(connection, message);
        }
    }

    fn say(&mut self, connection: ConnectionId, message: ClientMessage) {
        let request = Request::new(message);
        let size_bytes = request.to_json().len();
        self.input(Input::Requested {
            connection,
            request: Ok(request),
            size_bytes,
        });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(due) = self.rendezvous.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.rendezvous.handle_timeout(self.now);
            self.inputs += 1;
            let next = self.rendezvous.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "what was due is done"
            );
            self.perform();
        }
        self.now = end;
        self.store.forget_due(self.now);
    }

    fn be_answered(&mut self) {
        while let Some((ticket, ask)) = self.asked.pop_front() {
            let answer = self.store.carry_out(self.now, ask);
            self.input(Input::Answered { ticket, answer });
            if self.inputs > INPUTS_MAX {
                return;
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.inputs += 1;
        self.rendezvous.handle_input(self.now, input);
        self.perform();
    }

    /// Nothing is ever for who is not there, and what is kept is bounded by who is.
    fn perform(&mut self) {
        while let Some(output) = self.rendezvous.poll_output() {
            match output {
                Output::Send { connection, notice } => {
                    let open = self.open.get_mut(&connection).expect("it is there");
                    if let ServerMessage::Hello { nonce, .. } = notice.message {
                        *open = Some(nonce);
                    } else if let ServerMessage::Registered { device_id, .. } = notice.message {
                        self.ids.push(device_id);
                    } else if let ServerMessage::PairingCode { code, .. } = notice.message {
                        self.codes.push(code);
                    } else if let ServerMessage::RoomCreated { room_code } = notice.message {
                        self.rooms.push(room_code);
                    } else if let ServerMessage::RelayReady { channel, token, .. } = notice.message
                    {
                        self.tokens.push((channel, token));
                    }
                }
                Output::Forward { connection, .. }
                | Output::Ping { connection }
                | Output::Pause { connection, .. } => {
                    assert!(self.open.contains_key(&connection), "it is there");
                }
                Output::Close { connection, .. } => {
                    self.open.remove(&connection).expect("it is there");
                }
                Output::Ask { ticket, ask } => self.asked.push_back((ticket, ask)),
                Output::Publish { message, .. } => self.published.push(message),
                Output::Note { .. } => {}
            }
        }
        assert_eq!(self.rendezvous.connections_len(), self.open.len());
        let [devices, guests] = self.rendezvous.present();
        assert!(devices + guests <= self.open.len());
    }
}

/// Inputs of one life: 2,000, so that each ends soon.
const INPUTS_MAX: u32 = 2000;

#[test]
fn the_seeds_register_pair_and_meet_alone_and_with_others() {
    let lives: Vec<Life> = seeds().iter().map(|seed| lived(seed)).collect();
    for half in lives.chunks(lives.len() / 2) {
        let [pair, room, apart, ..] = half else {
            panic!("more than three each")
        };
        assert_eq!(
            (pair.ids.len(), pair.codes.len(), pair.tokens.len()),
            (2, 1, 2)
        );
        assert_eq!((room.ids.len(), room.rooms.len()), (2, 1));
        assert!(!apart.ids.is_empty());
    }
}
