//! What is asked about rooms, and answered.
//!
//! A member is an id at a place: who has arrived elsewhere since, or whose lease is over, is in no room any more.
//! Members at an instance that does not live are left out of what is told and keep their seat until their lease ends,
//! so that an instance which was only out of reach finds its members where they were.

use std::time::Duration;

use towline_wire::signal::{RoomCode, RoomPeer, SignalId};

use super::{NodeId, Paid, Place, Toll};
use crate::rendezvous::Rate;

/// Of the proof of a password. What is kept opens no room.
pub type PasswordHash = [u8; 32];

/// A question about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAsk {
    /// Opens a room with its owner in it.
    Open {
        /// Drawn at random.
        code: RoomCode,
        /// Who opens it.
        owner: RoomPeer,
        /// Where the owner is.
        at: Place,
        /// The network whose quota it counts against, as text.
        network: String,
        /// Rooms at once.
        rooms_max: usize,
        /// Rooms that the owner may be in.
        own_max: usize,
        /// How long it lasts while nothing happens in it.
        life: Duration,
    },
    /// Sets or takes away the password.
    Lock {
        /// Which.
        code: RoomCode,
        /// Who wants it; only an owner inside may.
        sender: SignalId,
        /// The new one.
        password: Option<PasswordHash>,
        /// As above.
        life: Duration,
    },
    /// Lets somebody in who knows code and password.
    Join {
        /// Which.
        code: RoomCode,
        /// Who.
        who: RoomPeer,
        /// Where that one is.
        at: Place,
        /// Of the password that was shown, or of none.
        shown: PasswordHash,
        /// Who has not paid is looked after in the same way and comes nowhere.
        paid: Paid,
        /// As with a claim.
        tolls: Vec<Toll>,
        /// Rooms that it may be in.
        own_max: usize,
        /// As above.
        life: Duration,
    },
    /// Takes a member out, if it is in the room from this place.
    Leave {
        /// Which.
        code: RoomCode,
        /// Who.
        member: SignalId,
        /// From where.
        at: Place,
    },
    /// Who is in a room now?
    Look {
        /// Which.
        code: RoomCode,
        /// Which instance asks; it lives.
        node: NodeId,
    },
    /// Something happens in a room.
    Touch {
        /// Which.
        code: RoomCode,
        /// As above.
        life: Duration,
    },
    /// Where is somebody with whom `from` shares a room? Something is to happen in it.
    Meet {
        /// Who asks.
        from: SignalId,
        /// Whom it wants.
        to: SignalId,
        /// As above.
        life: Duration,
    },
}

/// What the store says about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomAnswer {
    /// To `Open`.
    Opened,
    /// To `Open`: there are as many rooms as there may be.
    AllTaken,
    /// To `Open`: too many were opened from one network.
    NetworkIsFull,
    /// To `Open` and `Join`: the sender is in as many rooms as it may be.
    InTooMany,
    /// To `Open` and `Join`: the sender has arrived at another place since.
    Elsewhere,
    /// To `Lock`.
    Locked,
    /// To `Lock`: no room of which the sender is the owner and a member.
    NotLocked,
    /// To `Join`.
    Joined {
        /// The room, with the new member in it.
        view: RoomView,
        /// Whether it was in it before, from the same place.
        entered: Entered,
    },
    /// To `Join`: no such room, another password, too many wrong ones, or not paid.
    NotLetIn,
    /// To `Join`: code and password are right, and sixteen are in it.
    IsFull,
    /// To `Leave`: who remains; nobody where it was not in it.
    Out(Vec<(SignalId, Place)>),
    /// To `Look`; nothing where the room is no more.
    Seen(Option<RoomView>),
    /// To `Touch`.
    Touched,
    /// To `Meet`.
    Met {
        /// In which room; the first by code, if there are several.
        code: RoomCode,
        /// Where the other one is.
        at: Place,
    },
    /// To `Meet`: they share no room.
    NotMet,
}

/// A room as an instance sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomView {
    /// Who opened it.
    pub owner: SignalId,
    /// Who is in it, by id.
    pub members: Vec<Member>,
    /// How long it lasts if nothing happens.
    pub left: Duration,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub peer: RoomPeer,
    /// Where that one is.
    pub at: Place,
}

/// Whether somebody who was let in comes anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// Just now.
    Now,
    /// It was inside.
    Before,
}

/// A room that somebody has left with its connection, and who remains in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bereft {
    /// Which.
    pub code: RoomCode,
    /// Who, where.
    pub others: Vec<(SignalId, Place)>,
}

/// Wrong passwords for one room, from everybody: 32, one more every 20 s. Who knows the code and guesses from a
/// thousand addresses has 4,320 tries a day; as long as somebody does, nobody else comes in either.
pub const GUESS_RATE: Rate = Rate {
    burst: 32,
    refill: Duration::from_secs(20),
};

/// How long an empty room is kept for members who come back: a minute, a lost connection and a new one.
pub const EMPTY_FOR: Duration = Duration::from_secs(60);

/// Rooms that were opened from one address and last: 64, a school behind one router.
pub const OPENED_PER_NETWORK_MAX: u32 = 64;
