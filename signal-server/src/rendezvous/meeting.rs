//! Meeting in rooms: who may open and enter one, and who is told.
//!
//! A failed join looks the same whether there is no such room, the password is another one, or too many were
//! tried; what it cost comes back when it succeeds. The store knows who is in which room; its answers come in the order
//! of the questions, so that the last one says how a room stands.

use std::time::Duration;

use rand_core::RngCore;
use sha2::{Digest, Sha256};
use towline_wire::signal::{
    ErrorCode, Notice, PasswordProof, ROOM_NOT_FOUND_DETAIL, RequestId, RoomCode, RoomEnd,
    RoomPeer, ServerMessage, SignalId,
};

use super::afar::{CONFIRM_WITHIN, LOOK_WITHIN_MS};
use super::cluster::{Books, Then};
use super::relay::Passage;
use super::shared::{
    Answer, Ask, Bereft, EMPTY_FOR, Entered, Event, NodeId, Paid, PasswordHash, Place, RoomAnswer,
    RoomAsk, RoomView,
};
use super::{ClaimPayer, ConnectionId, Moment, Note, Rendezvous, Timer};

/// What follows an answer about a room.
#[derive(Debug)]
pub(crate) enum RoomThen {
    TellOpened {
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
        owner: SignalId,
    },
    TellLocked {
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
    },
    Enter {
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
        who: RoomPeer,
        payers: Vec<ClaimPayer>,
    },
    TellLeft {
        connection: ConnectionId,
        id: Option<RequestId>,
        member: SignalId,
        code: RoomCode,
    },
    TellOut {
        code: RoomCode,
    },
    Adopt {
        code: RoomCode,
        why: Why,
    },
    PassOn(Passage),
}

/// Why a room is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Another instance says that it has changed.
    IsTold,
    /// It is time.
    IsDue,
}

impl Rendezvous {
    pub(super) fn create_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        display_name: String,
    ) {
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let network = known.origin.household().quota_key();
        // 50 random bits: the code is free.
        let code = RoomCode::from_number(self.random.next_u64());
        let ask = RoomAsk::Open {
            code,
            owner: RoomPeer {
                peer_id: sender,
                display_name,
            },
            at: self.place(connection),
            network,
            rooms_max: self.settings.rooms_max,
            own_max: rooms_of(sender),
            life: self.settings.room_life,
        };
        let then = RoomThen::TellOpened {
            connection,
            id,
            code,
            owner: sender,
        };
        self.ask_room(now, ask, then);
    }

    pub(super) fn lock_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        code: RoomCode,
        password: Option<&PasswordProof>,
    ) {
        let ask = RoomAsk::Lock {
            code,
            sender,
            password: password.map(hash),
            life: self.settings.room_life,
        };
        let then = RoomThen::TellLocked {
            connection,
            id,
            code,
        };
        self.ask_room(now, ask, then);
    }

    /// Paying comes first and the look at the room is always taken, so that no failure differs from another.
    pub(super) fn join_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
        password: Option<&PasswordProof>,
        who: RoomPeer,
    ) {
        let payers = self.pay(now, connection, who.peer_id).unwrap_or_default();
        let ask = RoomAsk::Join {
            code,
            who: who.clone(),
            at: self.place(connection),
            shown: hash(password.unwrap_or(&NO_PASSWORD)),
            paid: if payers.is_empty() {
                Paid::No
            } else {
                Paid::Yes
            },
            tolls: self.tolls(&payers),
            own_max: rooms_of(who.peer_id),
            life: self.settings.room_life,
        };
        let then = RoomThen::Enter {
            connection,
            id,
            code,
            who,
            payers,
        };
        self.ask_room(now, ask, then);
    }

    pub(super) fn leave_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        room_code: Option<RoomCode>,
    ) {
        let rooms = match room_code {
            Some(code) => vec![code],
            None => self.halls.of(sender),
        };
        let mut left = 0;
        for code in rooms {
            if !self.halls.has(code, sender) {
                continue;
            }
            left += 1;
            let (member, at) = (sender, self.place(connection));
            let ask = RoomAsk::Leave { code, member, at };
            // When the store has answered, so that of a join and a leave the later one counts.
            let then = RoomThen::TellLeft {
                connection,
                id: id.clone(),
                member,
                code,
            };
            self.ask_room(now, ask, then);
        }
        if left == 0 {
            let why = "the sender is not in this room";
            self.refuse(connection, id, ErrorCode::NotInRoom, why);
        }
    }

    /// An id is gone, and with it its places in rooms; the store is told by who calls.
    pub(super) fn leave_all_rooms(&mut self, now: Moment, id: SignalId) {
        for code in self.halls.of(id) {
            self.go_out(now, id, code);
        }
    }

    /// Whether both are here and in one room; something passes between them there.
    pub(super) fn meet_here(&mut self, now: Moment, one: SignalId, other: SignalId) -> bool {
        let life = self.settings.room_life;
        let every = match &self.books {
            Books::Own(_) => Duration::ZERO,
            Books::Shared(_) => life / TOUCHES_IN_A_LIFE,
        };
        let Some((code, is_due)) = self.halls.meet(now, one, other, every) else {
            return false;
        };
        if is_due {
            let ask = Ask::Room(RoomAsk::Touch { code, life });
            self.ask(now, ask, Then::Nothing);
        }
        true
    }

    /// To a member of a room who is at another instance.
    pub(super) fn relay_in_room(&mut self, now: Moment, passage: Passage) {
        if matches!(self.books, Books::Own(_)) {
            return self.refuse_absent(passage.connection, passage.id);
        }
        let (from, to) = (passage.from, passage.to);
        let life = self.settings.room_life;
        let then = RoomThen::PassOn(passage);
        self.ask_room(now, RoomAsk::Meet { from, to, life }, then);
    }

    /// Goes on after an answer about a room.
    pub(super) fn follow_room(&mut self, now: Moment, then: RoomThen, answer: Answer) {
        let answer = if let Answer::Room(answer) = answer {
            Some(answer)
        } else {
            None
        };
        match then {
            RoomThen::TellOpened {
                connection,
                id,
                code,
                owner,
            } => {
                // Whoever is gone has left the room by that.
                if self.is_present(connection, owner) {
                    self.opened_room(now, connection, id, code, owner, answer);
                }
            }
            RoomThen::TellLocked {
                connection,
                id,
                code,
            } => match answer {
                Some(RoomAnswer::Locked) => {
                    let room_code = code;
                    self.answer(connection, id, ServerMessage::RoomCreated { room_code });
                }
                Some(_) => {
                    let why = "only who has opened a room and is in it sets its password";
                    self.refuse(connection, id, ErrorCode::NotInRoom, why);
                }
                None => self.refuse_cut_off(connection, id),
            },
            RoomThen::Enter {
                connection,
                id,
                code,
                who,
                payers,
            } => {
                let fails = matches!(answer, Some(RoomAnswer::NotLetIn));
                let is_full = matches!(answer, Some(RoomAnswer::IsFull));
                if !fails && !is_full {
                    self.repay(now, &payers);
                }
                if self.is_present(connection, who.peer_id) {
                    self.joined_room(now, connection, id, code, who, answer);
                }
            }
            RoomThen::TellLeft {
                connection,
                id,
                member,
                code,
            } => {
                // While the store is away, too: it is told later, when it does not say the same.
                if self.is_present(connection, member) && self.go_out(now, member, code) {
                    let (room_code, reason) = (code, RoomEnd::Left);
                    self.answer(
                        connection,
                        id,
                        ServerMessage::LeftRoom { room_code, reason },
                    );
                }
                if let Some(RoomAnswer::Out(others)) = answer {
                    self.tell_instances(code, &others);
                }
            }
            RoomThen::TellOut { code } => {
                if let Some(RoomAnswer::Out(others)) = answer {
                    self.tell_instances(code, &others);
                }
            }
            RoomThen::Adopt { code, why } => match answer {
                Some(RoomAnswer::Seen(view)) => {
                    self.seen_room(now, code, view);
                    if why == Why::IsDue && self.reached_for(now) < BACK_FOR {
                        // The others have missed who is here, and see no change by themselves.
                        let others = self.halls.elsewhere(code);
                        self.tell_instances(code, &others);
                    }
                }
                Some(_) | None => self.arm_room(now, code, LOOK_EVERY),
            },
            RoomThen::PassOn(passage) => match answer {
                Some(RoomAnswer::Met { code, at }) if self.halls.has(code, passage.from) => {
                    let notice = passage.notice;
                    let event = Event::PassedInRoom { code, notice };
                    self.happen_at(now, Some(at), passage.to, event);
                }
                // Who has left it, of which the store may not know, says nothing in it.
                Some(RoomAnswer::Met { code, .. }) => {
                    self.look_at_room(now, code, Why::IsTold);
                    self.relay_afar(now, passage);
                }
                Some(_) => self.relay_afar(now, passage),
                None => self.refuse_cut_off(passage.connection, passage.id),
            },
        }
    }

    fn opened_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
        owner: SignalId,
        answer: Option<RoomAnswer>,
    ) {
        match answer {
            Some(RoomAnswer::Opened) => {
                self.halls.enter(now, code, owner);
                self.arm_room(now, code, self.settings.room_life);
                self.note(Note::RoomCreated, connection);
                let room_code = code;
                self.answer(connection, id, ServerMessage::RoomCreated { room_code });
            }
            Some(RoomAnswer::AllTaken) => {
                self.note(Note::LimitHit, connection);
                let why = "all rooms are taken";
                self.refuse(connection, id, ErrorCode::Unavailable, why);
            }
            Some(RoomAnswer::NetworkIsFull) => {
                self.note(Note::LimitHit, connection);
                let why = "too many rooms were opened from this address";
                let wait = Some(Duration::from_secs(60));
                self.refuse_for(connection, id, ErrorCode::RateLimited, why, wait);
            }
            Some(RoomAnswer::InTooMany) => self.refuse_another_room(connection, id),
            Some(_) => self.refuse_cut_off(connection, id),
            None => self.may_be_inside(now, connection, id, code),
        }
    }

    fn joined_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
        who: RoomPeer,
        answer: Option<RoomAnswer>,
    ) {
        let (view, entered) = match answer {
            Some(RoomAnswer::Joined { view, entered }) => (view, entered),
            Some(RoomAnswer::IsFull) => {
                let why = "the room is full";
                return self.refuse(connection, id, ErrorCode::RoomFull, why);
            }
            Some(RoomAnswer::NotLetIn) => return self.answer_failed_join(connection, id),
            Some(RoomAnswer::InTooMany) => return self.refuse_another_room(connection, id),
            Some(_) => return self.refuse_cut_off(connection, id),
            None => return self.may_be_inside(now, connection, id, code),
        };
        let sender = who.peer_id;
        let was_elsewhere = self
            .halls
            .elsewhere(code)
            .iter()
            .any(|(id, _)| *id == sender);
        if was_elsewhere {
            self.tell_here(code, sender, |room_code| ServerMessage::PeerLeft {
                room_code,
                peer_id: sender,
            });
        }
        let is_new = self.halls.enter(now, code, sender);
        // Who was inside from here when the store answered may have left since.
        let (here, node) = (self.halls.here(code), self.place(connection).node);
        let is_inside = |id| id != sender && here.contains(&id);
        let peers = view.members.iter();
        let peers = peers.filter(|member| member.at.node != node || is_inside(member.peer.peer_id));
        let peers = peers.map(|member| member.peer.clone()).collect();
        let ice = self.lend_in_room(now, view.owner, connection, sender);
        self.answer(
            connection,
            id,
            ServerMessage::JoinedRoom {
                room_code: code,
                peers,
                ice,
            },
        );
        self.adopt(now, code, view, Some(sender));
        if is_new || entered == Entered::Now {
            self.note(Note::RoomJoined, connection);
            if is_new {
                self.tell_here(code, sender, |room_code| ServerMessage::PeerJoined {
                    room_code,
                    peer: who.clone(),
                });
            }
            let others = self.halls.elsewhere(code);
            self.tell_instances(code, &others);
        }
    }

    /// The store did not answer whether it has let somebody in, who is told that it has not. A look at the room shows
    /// it, and takes it out.
    fn may_be_inside(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        code: RoomCode,
    ) {
        if self.halls.len() < self.settings.rooms_max {
            self.halls.open(code);
            self.arm_room(now, code, LOOK_EVERY);
        }
        self.refuse_cut_off(connection, id);
    }

    /// Something is said in a room to somebody here. Who has left it, of which the store may not know, is a stranger.
    pub(super) fn passed_in_room(
        &mut self,
        now: Moment,
        to: SignalId,
        code: RoomCode,
        notice: Notice,
    ) {
        match self.connection_by_id.get(&to).copied() {
            Some(connection) if self.halls.has(code, to) => self.send(connection, notice),
            Some(_) | None => self.look_at_room(now, code, Why::IsTold),
        }
    }

    /// Asks who is in a room.
    pub(super) fn look_at_room(&mut self, now: Moment, code: RoomCode, why: Why) {
        let node = self.place(ConnectionId(0)).node;
        let ask = RoomAsk::Look { code, node };
        self.ask_room(now, ask, RoomThen::Adopt { code, why });
    }

    pub(super) fn room_due(&mut self, now: Moment, code: RoomCode) {
        let _ = self.halls.arm(code, None);
        if self.cut_off_for(now).is_some() {
            // Its time may have been prolonged elsewhere; what is within this instance goes on.
            return self.arm_room(now, code, LOOK_EVERY);
        }
        self.look_at_room(now, code, Why::IsDue);
    }

    /// The store is back: all rooms are looked at, not all at once, and when the other instances are back, too.
    pub(super) fn look_at_all_rooms(&mut self, now: Moment) {
        for code in self.halls.codes() {
            let within = Duration::from_millis(u64::from(self.draw()) % LOOK_WITHIN_MS);
            self.arm_room(now, code, CONFIRM_WITHIN + within);
        }
    }

    /// The store says how a room stands.
    fn seen_room(&mut self, now: Moment, code: RoomCode, view: Option<RoomView>) {
        match view {
            Some(view) => self.adopt(now, code, view, None),
            None => {
                let known = self.halls.arm(code, None);
                if let Some(timer) = known.flatten() {
                    self.timers.remove(&(timer, Timer::Room(code)));
                }
                if known.is_some() {
                    self.note_of(Note::RoomClosed, None);
                }
                for member in self.end_hall(code) {
                    self.put_out(code, member);
                }
            }
        }
    }

    /// Tells of the difference between what the store says and what was known. `newest` has just been told of all.
    fn adopt(&mut self, now: Moment, code: RoomCode, view: RoomView, newest: Option<SignalId>) {
        let own = self.place(ConnectionId(0)).node;
        let nobody_is_in = view.members.is_empty();
        let news = self.halls.adopt(code, &view.members, own);
        let is_settled = news.strays.is_empty();
        for (member, at) in news.strays {
            let ask = RoomAsk::Leave { code, member, at };
            self.ask_room(now, ask, RoomThen::TellOut { code });
        }
        // Before those who came: it may be the same id, by an older connection here.
        for member in news.put_out {
            self.go_out_unnoticed(now, member, code, newest);
            self.put_out(code, member);
        }
        for peer_id in news.went {
            self.tell_all_here(code, newest, |room_code| ServerMessage::PeerLeft {
                room_code,
                peer_id,
            });
        }
        for peer in news.came {
            self.tell_all_here(code, newest, |room_code| ServerMessage::PeerJoined {
                room_code,
                peer: peer.clone(),
            });
        }
        if self.halls.here(code).is_empty() && !nobody_is_in && is_settled {
            self.end_hall(code);
        } else {
            self.arm_room(now, code, view.left.max(LOOK_STEP_MIN));
        }
    }

    /// Whoever is in a room here is told of members at these instances, which live no longer.
    pub(super) fn miss_members(&mut self, gone: &[NodeId]) {
        for (code, peer_id) in self.halls.miss(gone) {
            self.tell_all_here(code, None, |room_code| ServerMessage::PeerLeft {
                room_code,
                peer_id,
            });
        }
    }

    /// Somebody has left rooms with its connection.
    pub(super) fn tell_bereft(&mut self, rooms: Vec<Bereft>) {
        for Bereft { code, others } in rooms {
            self.tell_instances(code, &others);
        }
    }

    pub(super) fn answer_failed_join(&mut self, connection: ConnectionId, id: Option<RequestId>) {
        self.note(Note::RoomRefused, connection);
        let code = ErrorCode::RoomNotFound;
        self.refuse(connection, id, code, ROOM_NOT_FOUND_DETAIL);
    }

    /// Somebody here is inside no more; those here are told.
    fn go_out(&mut self, now: Moment, member: SignalId, code: RoomCode) -> bool {
        self.go_out_unnoticed(now, member, code, None)
    }

    /// The same, but one who never heard of it.
    fn go_out_unnoticed(
        &mut self,
        now: Moment,
        member: SignalId,
        code: RoomCode,
        by: Option<SignalId>,
    ) -> bool {
        if !self.halls.leave(code, member) {
            return false;
        }
        let peer_id = member;
        self.tell_all_here(code, by, |room_code| ServerMessage::PeerLeft {
            room_code,
            peer_id,
        });
        if self.halls.here(code).is_empty() {
            self.arm_room(now, code, EMPTY_FOR.min(self.settings.room_life));
        }
        true
    }

    fn put_out(&mut self, room_code: RoomCode, member: SignalId) {
        let reason = RoomEnd::Expired;
        self.tell(member, ServerMessage::LeftRoom { room_code, reason });
    }

    fn tell_here(
        &mut self,
        code: RoomCode,
        but: SignalId,
        message: impl Fn(RoomCode) -> ServerMessage,
    ) {
        self.tell_all_here(code, Some(but), message);
    }

    fn tell_all_here(
        &mut self,
        code: RoomCode,
        but: Option<SignalId>,
        message: impl Fn(RoomCode) -> ServerMessage,
    ) {
        for member in self.halls.here(code) {
            if Some(member) != but {
                self.tell(member, message(code));
            }
        }
    }

    /// Tells each other instance where somebody of a room is that it is to look.
    fn tell_instances(&mut self, code: RoomCode, members: &[(SignalId, Place)]) {
        let mut told = vec![self.place(ConnectionId(0)).node];
        for (member, at) in members {
            if !told.contains(&at.node) {
                told.push(at.node);
                self.tell_at(*at, *member, Event::RoomChanged { code });
            }
        }
    }

    fn end_hall(&mut self, code: RoomCode) -> Vec<SignalId> {
        let (here, timer) = self.halls.end(code);
        if let Some(timer) = timer {
            self.timers.remove(&(timer, Timer::Room(code)));
        }
        here
    }

    /// Looks at a room after this time, or sooner where others could change it unnoticed.
    fn arm_room(&mut self, now: Moment, code: RoomCode, wait: Duration) {
        let wait = match &self.books {
            Books::Own(_) => wait,
            Books::Shared(_) => wait.min(LOOK_EVERY),
        };
        let due = now.plus(wait);
        let Some(before) = self.halls.arm(code, Some(due)) else {
            return;
        };
        if let Some(before) = before {
            self.timers.remove(&(before, Timer::Room(code)));
        }
        self.timers.insert((due, Timer::Room(code)));
    }

    fn ask_room(&mut self, now: Moment, ask: RoomAsk, then: RoomThen) {
        self.ask(now, Ask::Room(ask), Then::Room(then));
    }

    fn refuse_another_room(&mut self, connection: ConnectionId, id: Option<RequestId>) {
        self.note(Note::LimitHit, connection);
        let why = "the sender is in as many rooms as it may be";
        self.refuse(connection, id, ErrorCode::RateLimited, why);
    }
}

const fn rooms_of(member: SignalId) -> usize {
    match member {
        SignalId::Device(_) => ROOMS_PER_DEVICE_MAX,
        SignalId::Guest(_) => ROOMS_PER_GUEST_MAX,
    }
}

fn hash(proof: &PasswordProof) -> PasswordHash {
    Sha256::digest(proof.reveal()).into()
}

/// In the place of a proof that was not shown.
const NO_PASSWORD: PasswordProof = PasswordProof::from_bytes([0; 32]);

/// Rooms that a device is in at once: 32.
const ROOMS_PER_DEVICE_MAX: usize = 32;

/// Rooms that a guest is in at once: 4; who needs more proves a key.
const ROOMS_PER_GUEST_MAX: usize = 4;

/// How often in a room's life a shared store hears that something happens in it, at most: eight times, so that it
/// lasts an eighth less at worst.
const TOUCHES_IN_A_LIFE: u32 = 8;

/// Time between two looks at a room that others share: 30 s, how long a lost message between instances is missed.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long an instance counts as just back in reach of the store: 10 s, in which it looks at all of its rooms.
const BACK_FOR: Duration = Duration::from_secs(10);

/// Least time between two looks: 20 ms, since the store's clock may be a little behind.
const LOOK_STEP_MIN: Duration = Duration::from_millis(20);
