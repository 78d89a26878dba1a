//! Two or three instances, one store and a bus that delays and loses: random lives from seeds, judged by an independent
//! book of who may hear whom.
//!
//! Answers of the store come late or are lost after it has done what was asked; messages between instances are
//! delayed and lost; instances crash, are cut off and come back; the store forgets everything. In the end all is
//! quiet again, and then who watches each other must hear each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::code::Slot;
use towline_wire::signal::{
    ClientMessage, Payload, Registration, Request, RoomCode, ServerMessage, SignalId,
};

use super::world::World;
use crate::rendezvous::{
    Answer, Ask, Between, ConnectionId, Door, Input, Instance, Made, Moment, NodeId, Origin,
    Output, Reached, Rendezvous, RoomAnswer, RoomAsk, Settings, Store, Ticket,
};

const CLIENTS: usize = 5;

/// Clients from this one on are guests.
const GUESTS_FROM: usize = 3;

#[derive(Debug)]
enum Flight {
    Ask(Ticket, Ask),
    /// With who may have left a mailbox by it, and when.
    Answer(Ticket, Answer, Option<(SignalId, Moment)>),
    Heard(Between),
}

struct Node {
    id: NodeId,
    rendezvous: Rendezvous,
    flights: VecDeque<(Moment, Flight)>,
    reached: bool,
}

#[derive(Default)]
struct Client {
    at: Option<(usize, ConnectionId)>,
    id: Option<SignalId>,
    watching: BTreeSet<SignalId>,
    code: Option<Slot>,
    /// The rooms that it knows itself in, and whom it knows there.
    rooms: BTreeMap<RoomCode, BTreeSet<SignalId>>,
    heard: Vec<ServerMessage>,
}

struct Several {
    dice: ChaCha8Rng,
    now: Moment,
    store: Store,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    connections: u64,
    born: u64,
    loss: u32,
    /// Who the store has put into one mailbox, ever.
    met: BTreeSet<(SignalId, SignalId)>,
    /// Since when and until when two of them may still hear each other as members of one mailbox.
    sharing: BTreeMap<(SignalId, SignalId), (Moment, Moment)>,
    /// Slots that are open and were not claimed.
    open: BTreeSet<Slot>,
    /// Rooms that were opened.
    rooms: Vec<RoomCode>,
    /// Until when somebody whom the store let into a room may hear and be heard there; `None` while it is inside.
    inside: BTreeMap<(RoomCode, SignalId), Option<Moment>>,
    counts: BTreeMap<&'static str, u32>,
}

impl Several {
    fn new(seed: u64) -> Self {
        let mut several = Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            now: Moment::START,
            store: Store::default(),
            nodes: Vec::new(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            connections: 0,
            born: 0,
            loss: 5,
            met: BTreeSet::new(),
            sharing: BTreeMap::new(),
            open: BTreeSet::new(),
            rooms: Vec::new(),
            inside: BTreeMap::new(),
            counts: BTreeMap::new(),
        };
        for _ in 0..2 + seed % 2 {
            let node = several.new_node();
            several.nodes.push(node);
        }
        several
    }

    fn roll(&mut self, sides: u32) -> u32 {
        self.dice.next_u32() % sides
    }

    fn new_node(&mut self) -> Node {
        self.born += 1;
        let id = NodeId(self.born);
        let settings = Settings {
            instance: Instance::OneOfSeveral(id),
            room_life: ROOM_LIFE,
            ..Settings::default()
        };
        let mut seed = [0; 32];
        self.dice.fill_bytes(&mut seed);
        let mut rendezvous = Rendezvous::new(seed, settings);
        rendezvous.handle_input(self.now, Input::Reach(Reached::Yes));
        Node {
            id,
            rendezvous,
            flights: VecDeque::new(),
            reached: true,
        }
    }

    fn input(&mut self, node: usize, input: Input) {
        self.nodes[node].rendezvous.handle_input(self.now, input);
        self.perform(node);
    }

    /// Puts something into the air towards a node, behind what is there already.
    fn fly(&mut self, node: usize, flight: Flight) {
        let delay = Duration::from_millis(u64::from(self.roll(40)));
        let flights = &mut self.nodes[node].flights;
        let last = flights.back().map_or(self.now, |(due, _)| *due);
        flights.push_back((last.max(self.now.plus(delay)), flight));
    }

    fn perform(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].rendezvous.poll_output() {
            match output {
                Output::Send { connection, notice } => {
                    self.heard(node, connection, notice.message);
                }
                Output::Close { connection, .. } => {
                    for client in 0..CLIENTS {
                        if self.clients[client].at == Some((node, connection)) {
                            self.gone(client);
                        }
                    }
                }
                Output::Ask { ticket, ask } => self.fly(node, Flight::Ask(ticket, ask)),
                Output::Publish { node: to, message } => {
                    let loss = self.loss;
                    if self.roll(100) < loss {
                        continue;
                    }
                    if let Some(to) = self.nodes.iter().position(|node| node.id == to)
                        && self.nodes[to].reached
                    {
                        self.fly(to, Flight::Heard(message));
                    }
                }
                Output::Ping { connection } => {
                    let at = Some((node, connection));
                    // Who has another connection answers on this one no more.
                    if self.clients.iter().any(|client| client.at == at) {
                        let alive = Input::Alive { connection };
                        self.nodes[node].rendezvous.handle_input(self.now, alive);
                    }
                }
                Output::Forward { .. } | Output::Pause { .. } | Output::Note { .. } => {}
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Judges what a client hears.
    fn heard(&mut self, node: usize, connection: ConnectionId, message: ServerMessage) {
        let at = Some((node, connection));
        let Some(index) = self.clients.iter().position(|client| client.at == at) else {
            return;
        };
        let me = self.clients[index].id;
        if let ServerMessage::Registered { device_id, .. } = &message {
            self.clients[index].id = Some(*device_id);
        } else if let ServerMessage::PairingCode { code, .. } = &message {
            self.clients[index].code = Some(code.clone());
        } else if let (ServerMessage::Paired { peer_id }, Some(me)) = (&message, me) {
            let both = (me.min(*peer_id), me.max(*peer_id));
            assert!(self.met.contains(&both), "paired with a stranger");
            self.count("paired");
        } else if let (ServerMessage::Relayed { from, .. }, Some(me)) = (&message, me) {
            let consents = self.clients[index].watching.contains(from)
                || self.share(me, *from)
                || self.share_room(me, *from);
            assert!(consents, "a message from a stranger");
            self.count("relayed");
        } else if let (ServerMessage::RoomCreated { room_code }, Some(_)) = (&message, me) {
            self.clients[index].rooms.entry(*room_code).or_default();
            if !self.rooms.contains(room_code) {
                self.rooms.push(*room_code);
            }
        } else if let (
            ServerMessage::JoinedRoom {
                room_code, peers, ..
            },
            Some(me),
        ) = (&message, me)
        {
            // Told after the end of an earlier stay, which may have been told after the store had let it in again.
            let let_in = self.inside.insert((*room_code, me), None);
            assert!(let_in.is_some(), "let in by the store");
            let peers = peers.iter().map(|peer| peer.peer_id).collect();
            self.clients[index].rooms.insert(*room_code, peers);
            self.count("joined a room");
        } else if let (ServerMessage::LeftRoom { room_code, .. }, Some(me)) = (&message, me) {
            self.clients[index].rooms.remove(room_code);
            self.is_out(*room_code, me);
        } else if let ServerMessage::PeerJoined { room_code, peer } = &message {
            let peers = self.clients[index].rooms.get_mut(room_code);
            let peers = peers.expect("told of a room that it is in");
            assert!(peers.insert(peer.peer_id), "told of somebody known");
        } else if let ServerMessage::PeerLeft { room_code, peer_id } = &message {
            let peers = self.clients[index].rooms.get_mut(room_code);
            let peers = peers.expect("told of a room that it is in");
            assert!(peers.remove(peer_id), "told of somebody unknown");
            self.count("left a room");
        } else if let ServerMessage::RelayReady { peer_id, .. } = &message {
            let consents = self.clients[index].watching.contains(peer_id)
                || me.is_some_and(|me| self.met.contains(&(me.min(*peer_id), me.max(*peer_id))));
            assert!(consents, "a channel with a stranger");
            self.count("channel");
        }
        self.clients[index].heard.push(message);
    }

    /// The store does what a node has asked, and the answer flies back.
    fn carry_out(&mut self, node: usize, ticket: Ticket, ask: Ask) {
        let claims = if let Ask::Claim { slot, joiner, .. } = &ask {
            Some((slot.clone(), *joiner))
        } else {
            None
        };
        let leaver = if let Ask::End { member: leaver }
        | Ask::Claim { joiner: leaver, .. }
        | Ask::Open {
            creator: leaver, ..
        } = &ask
        {
            Some(*leaver)
        } else {
            None
        };
        let enters = if let Ask::Room(
            RoomAsk::Open {
                code, owner: who, ..
            }
            | RoomAsk::Join { code, who, .. },
        ) = &ask
        {
            Some((*code, who.peer_id))
        } else {
            None
        };
        let answer = self.store.carry_out(self.now, ask);
        if let (Answer::Room(RoomAnswer::Opened | RoomAnswer::Joined { .. }), Some((code, who))) =
            (&answer, enters)
        {
            self.inside.insert((code, who), None);
        }
        if let Answer::Opened {
            slot,
            made: Made::Now,
            ..
        } = &answer
        {
            self.open.insert(slot.clone());
        }
        if let (Answer::Claimed { creator, left, .. }, Some((slot, joiner))) = (&answer, claims) {
            assert!(self.open.remove(&slot), "a code is claimed once");
            let both = (joiner.min(*creator), joiner.max(*creator));
            self.met.insert(both);
            let until = self.now.plus(*left + Duration::from_secs(1));
            self.sharing.insert(both, (self.now, until));
            self.count("claimed");
        }
        let lost = self.roll(100) < self.loss;
        let answer = if lost { Answer::Unavailable } else { answer };
        self.fly(
            node,
            Flight::Answer(ticket, answer, leaver.map(|leaver| (leaver, self.now))),
        );
    }

    /// The answer by which somebody ends a mailbox, or leaves it for another one, ends what it shared. An answer that is
    /// lost tells nobody.
    fn part(&mut self, answer: &Answer, leaver: Option<(SignalId, Moment)>) {
        if let Some((leaver, at)) = leaver
            && matches!(
                answer,
                Answer::Ended(_) | Answer::Claimed { .. } | Answer::Opened { .. }
            )
        {
            let soon = self.now.plus(Duration::from_secs(1));
            for ((one, other), (since, until)) in &mut self.sharing {
                if *since < at && (*one == leaver || *other == leaver) {
                    *until = soon.min(*until);
                }
            }
        }
    }

    fn share(&self, one: SignalId, other: SignalId) -> bool {
        let until = self.sharing.get(&(one.min(other), one.max(other)));
        until.is_some_and(|(_, until)| self.now <= *until)
    }

    fn share_room(&self, one: SignalId, other: SignalId) -> bool {
        self.rooms.iter().any(|code| {
            [one, other].iter().all(|who| {
                let until = self.inside.get(&(*code, *who));
                until.is_some_and(|until| until.is_none_or(|until| self.now <= until))
            })
        })
    }

    /// Somebody has left a room; what is on its way may still arrive.
    fn is_out(&mut self, code: RoomCode, who: SignalId) {
        let soon = self.now.plus(Duration::from_secs(1));
        if let Some(until) = self.inside.get_mut(&(code, who)) {
            until.get_or_insert(soon);
        }
    }

    /// A client has no connection any more.
    fn gone(&mut self, client: usize) {
        if let Some(who) = self.clients[client].id {
            for code in self.rooms.clone() {
                self.is_out(code, who);
            }
        }
        self.clients[client].gone();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        loop {
            let mut next: Option<(Moment, usize, bool)> = None;
            for (index, node) in self.nodes.iter().enumerate() {
                let flight = node.flights.front().map(|(due, _)| (*due, index, true));
                let timer = node.rendezvous.poll_timeout();
                let timer = timer.map(|due| (due, index, false));
                for candidate in [flight, timer].into_iter().flatten() {
                    next = Some(next.map_or(candidate, |best| best.min(candidate)));
                }
            }
            let Some((due, node, is_flight)) = next.filter(|(due, ..)| *due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            if !is_flight {
                self.nodes[node].rendezvous.handle_timeout(self.now);
                self.perform(node);
            } else if let Some((_, flight)) = self.nodes[node].flights.pop_front() {
                match flight {
                    Flight::Ask(ticket, ask) => self.carry_out(node, ticket, ask),
                    Flight::Answer(ticket, answer, leaver) => {
                        self.part(&answer, leaver);
                        self.input(node, Input::Answered { ticket, answer });
                    }
                    Flight::Heard(message) => self.input(node, Input::Heard(message)),
                }
            }
        }
        self.now = end;
    }

    fn say(&mut self, client: usize, message: ClientMessage) {
        let Some((node, connection)) = self.clients[client].at else {
            return;
        };
        let request = Request::new(message);
        let size_bytes = request.to_json().len();
        let request = Ok(request);
        self.input(
            node,
            Input::Requested {
                connection,
                request,
                size_bytes,
            },
        );
    }

    fn connect(&mut self, client: usize) {
        let count = u32::try_from(self.nodes.len()).unwrap();
        let node = self.roll(count) as usize;
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let address = [10, 0, 0, u8::try_from(client).unwrap()];
        let origin = Origin::new(IpAddr::from(address), IpAddr::from([192, 0, 2, 7]));
        // An older connection of a device may still stand: the client has forgotten it.
        self.gone(client);
        self.clients[client].at = Some((node, connection));
        let door = Door::Signal;
        self.input(
            node,
            Input::Connected {
                connection,
                origin,
                door,
            },
        );
        let hello = self.clients[client].heard.pop();
        let Some(ServerMessage::Hello { nonce, .. }) = hello else {
            panic!("no hello: {hello:?}")
        };
        let message = if client >= GUESTS_FROM {
            let label = "guest".to_owned();
            ClientMessage::register(Registration::Guest { label })
        } else {
            World::proof(client as u64, "192.0.2.7", &nonce)
        };
        self.say(client, message);
    }

    fn disconnect(&mut self, client: usize) {
        if let Some((node, connection)) = self.clients[client].at {
            self.gone(client);
            self.input(node, Input::Disconnected { connection });
        }
    }

    fn reach(&mut self, node: usize, reached: bool) {
        let node_now = &mut self.nodes[node];
        node_now.reached = reached;
        // What was on its way is lost with the connections; what was asked may have been done.
        let lost = std::mem::take(&mut node_now.flights);
        for (_, flight) in lost {
            if let Flight::Ask(ticket, ask) = flight
                && self.roll(2) == 0
            {
                self.carry_out(node, ticket, ask);
            }
        }
        self.nodes[node].flights.clear();
        let reached = if reached { Reached::Yes } else { Reached::No };
        self.input(node, Input::Reach(reached));
    }

    fn random_deed(&mut self) {
        let clients = u32::try_from(CLIENTS).unwrap();
        let nodes = u32::try_from(self.nodes.len()).unwrap();
        let (one, other) = (self.roll(clients) as usize, self.roll(clients) as usize);
        let node = self.roll(nodes) as usize;
        if self.clients[one].at.is_none() {
            return self.connect(one);
        }
        match self.roll(52) {
            40 | 41 => {
                let display_name = String::new();
                self.say(one, ClientMessage::CreateRoom { display_name });
            }
            42..=48 if !self.rooms.is_empty() => {
                let newest = u32::try_from(self.rooms.len()).unwrap().min(2);
                let back = self.roll(newest) as usize + 1;
                let room_code = self.rooms[self.rooms.len() - back];
                self.say(
                    one,
                    ClientMessage::JoinRoom {
                        room_code,
                        password: None,
                        display_name: String::new(),
                    },
                );
            }
            49 => {
                let room_code = None;
                self.say(one, ClientMessage::LeaveRoom { room_code });
            }
            0 => self.connect(one),
            1 | 2 => self.disconnect(one),
            3..=8 => {
                let mut peers = BTreeSet::new();
                for client in 0..CLIENTS {
                    if self.roll(3) > 0 {
                        peers.extend(self.clients[client].id.filter(|_| client != one));
                    }
                }
                self.clients[one].watching = peers.clone();
                let peers = peers.into_iter().collect();
                self.say(one, ClientMessage::Watch { peers });
            }
            9..=12 => self.say(one, ClientMessage::CreatePairingCode),
            13..=19 => {
                if let Some(code) = self.clients[other].code.clone() {
                    self.say(one, ClientMessage::UsePairingCode { code });
                }
            }
            20 | 21 => self.say(one, ClientMessage::PairingDone),
            22 => self.say(one, ClientMessage::CancelPairingCode),
            23..=32 => {
                if let Some(to) = self.clients[other].id {
                    let payload = Payload::from_text("x");
                    self.say(one, ClientMessage::relay(to, payload));
                }
            }
            33..=35 => {
                if let Some(to) = self.clients[other].id {
                    self.say(one, ClientMessage::RelayOpen { to });
                }
            }
            36 => {
                let reached = !self.nodes[node].reached;
                self.reach(node, reached);
            }
            37 if self.roll(4) == 0 => {
                self.store = Store::default();
                self.open.clear();
                for node in 0..self.nodes.len() {
                    self.reach(node, false);
                }
            }
            38 if self.roll(3) == 0 => {
                for client in 0..CLIENTS {
                    if self.clients[client].at.is_some_and(|(at, _)| at == node) {
                        self.gone(client);
                    }
                }
                self.nodes[node] = self.new_node();
                self.perform(node);
            }
            _ => {
                let wait = self.roll(20_000);
                self.pass(Duration::from_millis(u64::from(wait)));
            }
        }
        let wait = self.roll(120);
        self.pass(Duration::from_millis(u64::from(wait)));
    }

    /// Nothing is lost any more, and everybody is told so.
    fn heal(&mut self) {
        self.loss = 0;
        for node in 0..self.nodes.len() {
            self.reach(node, false);
            self.reach(node, true);
        }
        self.pass(Duration::from_secs(120));
    }

    /// Who watches each other hears each other.
    fn judge_meetings(&mut self) {
        for one in 0..CLIENTS {
            for other in 0..CLIENTS {
                let (Some(from), Some(to)) = (self.clients[one].id, self.clients[other].id) else {
                    continue;
                };
                let here = self.clients[one].at.is_some() && self.clients[other].at.is_some();
                let mutual = self.clients[one].watching.contains(&to)
                    && self.clients[other].watching.contains(&from);
                if one == other || !here || !mutual {
                    continue;
                }
                self.clients[other].heard.clear();
                self.say(one, ClientMessage::relay(to, Payload::from_text("end")));
                self.pass(Duration::from_secs(1));
                let heard = &self.clients[other].heard;
                let is_it = |message: &ServerMessage| matches!(message, ServerMessage::Relayed { from: by, .. } if *by == from);
                let told = self.clients[one].heard.last();
                assert!(
                    heard.iter().any(is_it),
                    "{one} is not heard by {other} but {heard:?}, and told {told:?}"
                );
                self.count("met at the end");
            }
        }
    }

    /// Who is in a room knows all who are, and is heard by them.
    fn judge_rooms(&mut self) {
        for code in self.rooms.clone() {
            let inside = self.clients.iter();
            let inside = inside.filter(|client| client.rooms.contains_key(&code));
            let inside: BTreeSet<_> = inside.filter_map(|client| client.id).collect();
            for one in 0..CLIENTS {
                let Some(me) = self.clients[one].id else {
                    continue;
                };
                let Some(known) = self.clients[one].rooms.get(&code) else {
                    continue;
                };
                let mut known = known.clone();
                known.insert(me);
                assert_eq!(known, inside, "client {one} knows who is inside");
                for other in 0..CLIENTS {
                    let them = self.clients[other].id;
                    let Some(to) = them.filter(|to| *to != me && inside.contains(to)) else {
                        continue;
                    };
                    self.clients[other].heard.clear();
                    self.say(one, ClientMessage::relay(to, Payload::from_text("room")));
                    self.pass(Duration::from_secs(1));
                    let heard = &self.clients[other].heard;
                    let is_it = |message: &ServerMessage| matches!(message, ServerMessage::Relayed { from, .. } if *from == me);
                    assert!(heard.iter().any(is_it), "{one} is not heard by {other}");
                    self.count("met in a room");
                }
            }
        }
    }

    /// When everybody has left and all times are over, nothing is left.
    fn judge_what_is_left(&mut self) {
        for client in 0..CLIENTS {
            self.disconnect(client);
        }
        self.pass(ROOM_LIFE + Duration::from_secs(400));
        for node in &self.nodes {
            let left = node.rendezvous.holdings();
            assert_eq!((left.mailboxes, left.rooms, left.channels), (0, 0, 0));
            // Its own signs of life.
            assert!(left.records <= 3, "{left:?}");
            assert!(node.rendezvous.asked_len() <= 2);
        }
        self.store.forget_due(self.now);
        assert_eq!(self.store.holdings(), (0, 0));
        assert_eq!(self.store.rooms(), (0, 0));
    }
}

impl Client {
    fn gone(&mut self) {
        self.at = None;
        self.id = None;
        self.watching.clear();
        self.rooms.clear();
    }
}

/// One life; gives how often what happened.
fn live(seed: u64) -> BTreeMap<&'static str, u32> {
    let mut several = Several::new(seed);
    for node in 0..several.nodes.len() {
        several.perform(node);
    }
    for _ in 0..120 {
        several.random_deed();
        let most = several.nodes.iter().map(|node| node.rendezvous.asked_len());
        assert!(
            most.max().unwrap_or(0) < 200,
            "questions are answered or given up"
        );
    }
    several.heal();
    several.judge_rooms();
    several.judge_meetings();
    several.judge_what_is_left();
    several.counts
}

#[test]
fn two_instances_keep_their_promises_whatever_is_lost() {
    live_all(0);
}

#[test]
fn three_instances_keep_their_promises_whatever_is_lost() {
    live_all(1);
}

/// Who had left a room, of which the store did not know, was heard in it; who had left a mailbox elsewhere and came back to
/// an instance that was cut off was heard as its member; and a book that was wrong itself.
#[test]
fn lives_in_which_a_promise_was_broken_once_keep_it() {
    for seed in [352, 8559, 17335] {
        live(seed);
    }
}

/// Every second life from this one on: those of two instances, or of three.
#[expect(clippy::print_stdout, reason = "what the lives were like is told")]
fn live_all(first: u64) {
    let seeds = std::env::var("SEVERAL_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut all = BTreeMap::<&str, u32>::new();
    for seed in (first..seeds).step_by(2) {
        let lived = std::panic::catch_unwind(|| live(seed));
        let counts = lived.unwrap_or_else(|_| panic!("seed {seed}"));
        for (what, count) in counts {
            *all.entry(what).or_default() += count;
        }
    }
    println!("{} lives: {all:?}", (seeds - first).div_ceil(2));
    for what in [
        "claimed",
        "paired",
        "relayed",
        "channel",
        "met at the end",
        "joined a room",
        "left a room",
        "met in a room",
    ] {
        assert!(all.get(what).copied().unwrap_or(0) > 20, "{what}: {all:?}");
    }
}

/// Longer than a life, and than all other times; most of what a longer one would cost is signs of life of the instances.
const ROOM_LIFE: Duration = Duration::from_secs(600);

/// Lives of two instances and of three, unless `SEVERAL_SEEDS` says how many.
const SEEDS: u64 = 4000;
