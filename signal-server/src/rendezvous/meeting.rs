//! Meeting in rooms: who may open and enter one, and who is told.
//!
//! A failed join looks the same whether there is no such room, the password is another one, or too many were
//! tried; what it cost comes back when it succeeds.

use std::time::Duration;

use towline_wire::signal::{
    ErrorCode, PasswordProof, ROOM_NOT_FOUND_DETAIL, RequestId, RoomCode, RoomEnd, RoomPeer,
    ServerMessage, SignalId,
};

use super::rooms::{Entered, LetIn, Look, NotLetIn, NotOpened};
use super::{ConnectionId, Moment, Note, Rendezvous, Timer};

impl Rendezvous {
    pub(super) fn create_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        display_name: String,
    ) {
        if !self.has_room_for_another(connection, id.as_ref(), sender) {
            return;
        }
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let owner = RoomPeer {
            peer_id: sender,
            display_name,
        };
        let network = known.origin.household();
        match self.rooms.open(now, &mut self.random, owner, network) {
            Ok((room_code, look_at)) => {
                self.timers.insert((look_at, Timer::Room(room_code)));
                self.note(Note::RoomCreated, connection);
                self.answer(connection, id, ServerMessage::RoomCreated { room_code });
            }
            Err(NotOpened::All) => {
                self.note(Note::LimitHit, connection);
                let why = "all rooms are taken";
                self.refuse(connection, id, ErrorCode::Unavailable, why);
            }
            Err(NotOpened::Network) => {
                self.note(Note::LimitHit, connection);
                let why = "too many rooms were opened from this address";
                let wait = Some(Duration::from_secs(60));
                self.refuse_for(connection, id, ErrorCode::RateLimited, why, wait);
            }
        }
    }

    pub(super) fn lock_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        room_code: RoomCode,
        password: Option<&PasswordProof>,
    ) {
        if self.rooms.lock(now, room_code, sender, password) {
            self.answer(connection, id, ServerMessage::RoomCreated { room_code });
        } else {
            let why = "only who has opened a room and is in it sets its password";
            self.refuse(connection, id, ErrorCode::NotInRoom, why);
        }
    }

    pub(super) fn join_room(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        room_code: RoomCode,
        password: Option<&PasswordProof>,
        who: RoomPeer,
    ) {
        let sender = who.peer_id;
        if !self.has_room_for_another(connection, id.as_ref(), sender) {
            return;
        }
        let payment = self.pay(now, connection, sender);
        // Who cannot pay is looked after as everybody is, and comes nowhere.
        let place = payment.is_ok().then_some(room_code);
        let joined = self.rooms.join(now, place, who.clone(), password);
        let (Ok(payers), Ok(joined)) = (payment, &joined) else {
            return self.answer_failed_join(connection, id, joined.err());
        };
        for payer in payers {
            self.claims.give_back(&payer, payer.claim_rate());
        }
        let LetIn {
            owner,
            peers,
            entered,
        } = joined;
        let ice = self.lend_in_room(now, *owner, sender);
        let answer = ServerMessage::JoinedRoom {
            room_code,
            peers: peers.clone(),
            ice,
        };
        self.answer(connection, id, answer);
        match entered {
            Entered::Before => {}
            Entered::Now => {
                self.note(Note::RoomJoined, connection);
                for peer in peers {
                    let message = ServerMessage::PeerJoined {
                        room_code,
                        peer: who.clone(),
                    };
                    self.tell(peer.peer_id, message);
                }
            }
        }
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
            None => self.rooms.of(sender),
        };
        let mut left = 0;
        for room_code in rooms {
            if self.go_out(now, sender, room_code) {
                left += 1;
                let reason = RoomEnd::Left;
                self.answer(
                    connection,
                    id.clone(),
                    ServerMessage::LeftRoom { room_code, reason },
                );
            }
        }
        if left == 0 {
            let why = "the sender is not in this room";
            self.refuse(connection, id, ErrorCode::NotInRoom, why);
        }
    }

    /// An id is gone, and with it its places in rooms.
    pub(super) fn leave_all_rooms(&mut self, now: Moment, id: SignalId) {
        for room_code in self.rooms.of(id) {
            self.go_out(now, id, room_code);
        }
    }

    pub(super) fn look_at_room(&mut self, now: Moment, room_code: RoomCode) {
        match self.rooms.look(now, room_code) {
            Some(Look::Lasts(until)) => {
                self.timers.insert((until, Timer::Room(room_code)));
            }
            Some(Look::Ended(members)) => {
                self.note_of(Note::RoomClosed, None);
                for member in members {
                    let reason = RoomEnd::Expired;
                    self.tell(member, ServerMessage::LeftRoom { room_code, reason });
                }
            }
            None => {}
        }
    }

    pub(super) fn answer_failed_join(
        &mut self,
        connection: ConnectionId,
        id: Option<RequestId>,
        why: Option<NotLetIn>,
    ) {
        match why {
            Some(NotLetIn::Full) => {
                self.refuse(connection, id, ErrorCode::RoomFull, "the room is full");
            }
            Some(NotLetIn::NotFound) | None => {
                self.note(Note::RoomRefused, connection);
                let code = ErrorCode::RoomNotFound;
                self.refuse(connection, id, code, ROOM_NOT_FOUND_DETAIL);
            }
        }
    }

    fn go_out(&mut self, now: Moment, member: SignalId, room_code: RoomCode) -> bool {
        let Some((others, rearm)) = self.rooms.leave(now, room_code, member) else {
            return false;
        };
        if let Some(rearm) = rearm {
            self.timers.remove(&(rearm.before, Timer::Room(room_code)));
            self.timers.insert((rearm.after, Timer::Room(room_code)));
        }
        for other in others {
            let peer_id = member;
            self.tell(other, ServerMessage::PeerLeft { room_code, peer_id });
        }
        true
    }

    fn has_room_for_another(
        &mut self,
        connection: ConnectionId,
        id: Option<&RequestId>,
        sender: SignalId,
    ) -> bool {
        let rooms_max = match sender {
            SignalId::Device(_) => ROOMS_PER_DEVICE_MAX,
            SignalId::Guest(_) => ROOMS_PER_GUEST_MAX,
        };
        if self.rooms.count_of(sender) < rooms_max {
            return true;
        }
        self.note(Note::LimitHit, connection);
        let why = "the sender is in as many rooms as it may be";
        self.refuse(connection, id.cloned(), ErrorCode::RateLimited, why);
        false
    }
}

/// Rooms that a device is in at once: 32.
const ROOMS_PER_DEVICE_MAX: usize = 32;

/// Rooms that a guest is in at once: 4; who needs more proves a key.
const ROOMS_PER_GUEST_MAX: usize = 4;
