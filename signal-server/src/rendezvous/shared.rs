//! What instances of the server have in common: the questions that a rendezvous asks of the store, the answers, and
//! what instances say to each other.
//!
//! An instance asks and goes on; the answer is one more input. What the store is asked, it does at once and whole:
//! of two claims of one code one succeeds, wherever they come from. The store is [`Store`](super::Store) in memory,
//! for one instance alone, or Redis, which does the same steps (`shell/cluster/store.lua`); one list of cases is
//! held against both. Instances speak to each other by a channel per instance, on which messages may be lost.

mod rooms;

pub use rooms::{
    Bereft, EMPTY_FOR, Entered, GUESS_RATE, Member, OPENED_PER_NETWORK_MAX, PasswordHash,
    RoomAnswer, RoomAsk, RoomView,
};

use std::time::Duration;

use towline_wire::code::{HALF_LETTERS_MAX, HALF_LETTERS_MIN, Slot};
use towline_wire::limits::CODE_SECONDS;
use towline_wire::signal::{Notice, PairingFailure, Request, RoomCode, SignalId};

use super::{ConnectionId, Rate};

/// One instance of the server, numbered at random when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// Where an id is: at which instance and by which connection. No two connections ever have the same, so that a
/// place is also the epoch of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The instance.
    pub node: NodeId,
    /// The connection there.
    pub connection: ConnectionId,
}

/// Whether a rendezvous shares its books with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instance {
    /// It keeps them in its own memory.
    #[default]
    Alone,
    /// It asks the store, and goes by this number.
    OneOfSeveral(NodeId),
}

/// Which question an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A question to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// An id is at this place from now on, wherever it was before.
    Arrive {
        /// Who.
        id: SignalId,
        /// Where.
        place: Place,
    },
    /// These are still where they were; a lease ends when this is not said for [`LEASE`].
    Renew {
        /// Who and where, at most [`RENEWED_AT_ONCE_MAX`].
        present: Vec<(SignalId, Place)>,
    },
    /// An id is at this place no longer; nothing happens where it has arrived elsewhere.
    Depart {
        /// Who.
        id: SignalId,
        /// Where it was.
        place: Place,
    },
    /// Where these are.
    Find {
        /// At most [`RENEWED_AT_ONCE_MAX`].
        ids: Vec<SignalId>,
    },
    /// An instance lives for [`NODE_LEASE`] from now on; which of these others do not?
    Beat {
        /// Which.
        node: NodeId,
        /// Those that it speaks with.
        others: Vec<NodeId>,
    },
    /// Opens a mailbox for a creator who has none; who has one that waits gets it again.
    Open {
        /// Whose it will be.
        creator: SignalId,
        /// The network whose quota it counts against, as text.
        network: String,
        /// How long it waits to be joined.
        life: Duration,
        /// Random numbers from which slots are made.
        draws: [u32; SLOT_DRAWS],
    },
    /// Puts the joiner into a mailbox that waits, and out of the one that it is in.
    Claim {
        /// Which.
        slot: Slot,
        /// Who.
        joiner: SignalId,
        /// Who has not paid is looked after in the same way and gets nothing.
        paid: Paid,
        /// What is taken from budgets that all instances share: of each one, or of none, and then it has not paid.
        tolls: Vec<Toll>,
    },
    /// Gives back what a claim or a join has cost.
    GiveBack {
        /// To whom.
        tolls: Vec<Toll>,
    },
    /// Somebody has claimed in vain, or has left a mailbox without being done. More than [`FAILURE_RATE`] make slots
    /// long for [`LONG_SLOTS_FOR`].
    CountFailure,
    /// A member is done.
    Done {
        /// Who.
        member: SignalId,
    },
    /// Ends the mailbox of a member.
    End {
        /// Who.
        member: SignalId,
    },
    /// Passes a notice on to the other member, or keeps it while that one is away.
    Pass {
        /// Who says it.
        from: SignalId,
        /// To whom.
        to: SignalId,
        /// What.
        notice: Notice,
    },
    /// Something about a room.
    Room(RoomAsk),
}

/// How long slots are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// As short as the number of mailboxes allows.
    ByNumber,
    /// Four letters, while somebody searches.
    Long,
}

impl Slots {
    /// Letters of a slot while there are this many mailboxes.
    pub const fn letters(self, mailboxes: usize) -> usize {
        match self {
            Self::ByNumber if mailboxes < LONG_SLOTS_FROM => HALF_LETTERS_MIN,
            Self::ByNumber | Self::Long => HALF_LETTERS_MAX,
        }
    }
}

/// One token of a budget that all instances share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toll {
    /// Whose budget.
    pub key: String,
    /// How large it is.
    pub rate: Rate,
}

/// Whether a claim has been paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paid {
    /// It has.
    Yes,
    /// There was nothing left to pay with.
    No,
}

/// What the store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `Arrive`.
    Arrived {
        /// Where the id was before, if it has not departed from there.
        before: Option<Place>,
        /// How its mailbox stands.
        mailbox: Option<MailboxView>,
        /// What was kept for it, in order; it is kept no longer.
        held: Vec<Notice>,
    },
    /// To `Renew`: these have arrived elsewhere since.
    Renewed {
        /// Who.
        lost: Vec<SignalId>,
    },
    /// To `Find`: those that are anywhere.
    Found(Vec<(SignalId, Place)>),
    /// To `Beat`: these live no longer.
    Beaten {
        /// Which.
        gone: Vec<NodeId>,
    },
    /// To `Open`.
    Opened {
        /// Its slot.
        slot: Slot,
        /// How long it still waits.
        left: Duration,
        /// Whether it is a new one.
        made: Made,
    },
    /// To `Open`: too many mailboxes wait from this network.
    NetworkIsFull,
    /// To `Open`: there are as many mailboxes as there may be.
    AllSlotsTaken,
    /// To `Claim`.
    Claimed {
        /// Whose mailbox it is.
        creator: SignalId,
        /// Where the creator is.
        at: Option<Place>,
        /// How long it still lasts.
        left: Duration,
        /// The mailbox in which the joiner was before.
        ended: Option<Ended>,
    },
    /// To `Claim`, for whatever reason.
    NotClaimed,
    /// To `Done`: now both are.
    BothDone {
        /// The other one.
        peer: SignalId,
        /// Where that one is.
        at: Option<Place>,
    },
    /// To `Done`: the other one is not, or both were before.
    NotedDone,
    /// To `End`; there was none where there is nothing.
    Ended(Option<Ended>),
    /// To `Pass`: the other member is there.
    PassOn {
        /// Where.
        at: Place,
    },
    /// To `Pass`: the other member is away, and will get it.
    Kept,
    /// To `Pass`: they share no mailbox, or too much is kept already.
    NotPassed,
    /// To `Depart`: it has left these rooms with its connection.
    Departed(Vec<Bereft>),
    /// To `GiveBack`.
    GivenBack,
    /// To `CountFailure`.
    Counted,
    /// To `Room`.
    Room(RoomAnswer),
    /// To anything: the store cannot be reached, or did not answer in time. What was asked may have been done.
    Unavailable,
}

/// Whether `Open` made a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Just now.
    Now,
    /// It was there.
    Before,
}

/// What a mailbox looks like to one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxView {
    /// Its slot.
    pub slot: Slot,
    /// How long it still lasts.
    pub left: Duration,
    /// Who opened it, seen from the member.
    pub side: Side,
    /// How far it is.
    pub standing: Standing,
}

/// Which of its two members somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Opened it.
    Creator,
    /// Claimed it.
    Joiner,
}

/// How far a mailbox is, seen from a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Waits for a joiner.
    Waiting,
    /// Joined; trust is not proven yet.
    Joined {
        /// The other one.
        peer: SignalId,
    },
    /// Both have said that they are done.
    Done {
        /// The other one.
        peer: SignalId,
    },
}

impl Standing {
    /// The other member.
    pub const fn peer(self) -> Option<SignalId> {
        match self {
            Self::Waiting => None,
            Self::Joined { peer } | Self::Done { peer } => Some(peer),
        }
    }
}

/// A mailbox that a member has ended, seen from this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Which side the member was.
    pub side: Side,
    /// How far it was.
    pub standing: Standing,
    /// Where the other one is.
    pub at: Option<Place>,
}

/// What one instance says to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// Who is concerned. Nothing happens where that id is not any more.
    pub to: SignalId,
    /// What has happened.
    pub event: Event,
}

/// What has happened at another instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The key arrived there; this connection of it is an old one.
    Replaced {
        /// Which.
        connection: ConnectionId,
    },
    /// The mailbox was joined.
    Claimed {
        /// By whom.
        peer: SignalId,
        /// How long it still lasts.
        left: Duration,
    },
    /// Both members of the mailbox are done.
    BothDone {
        /// The other one.
        peer: SignalId,
    },
    /// The mailbox has ended.
    MailboxEnded {
        /// Who was the other member.
        peer: SignalId,
        /// Why, where that is to be told.
        reason: Option<PairingFailure>,
    },
    /// The other member of the mailbox came back.
    MemberCame {
        /// Who.
        peer: SignalId,
    },
    /// The other member of the mailbox is away.
    MemberLeft {
        /// Who.
        peer: SignalId,
    },
    /// Somebody watches this id.
    Watching {
        /// Who.
        watcher: SignalId,
        /// Where that one is.
        at: Place,
        /// Whether it wants to know if it is watched back.
        back: Watched,
    },
    /// Somebody watches this id no longer.
    Unwatching {
        /// Who.
        watcher: SignalId,
        /// Where that one is.
        at: Place,
    },
    /// Somebody is gone.
    Away {
        /// Who.
        who: SignalId,
        /// From where, and from wherever it was at that instance before.
        at: Place,
    },
    /// Something is relayed by standing consent.
    Relayed {
        /// By whom.
        from: SignalId,
        /// Where that one is.
        at: Place,
        /// What, as it is said to the client.
        notice: Notice,
    },
    /// A packet channel is wanted.
    ChannelWanted {
        /// By whom.
        by: SignalId,
        /// Where that one is.
        at: Place,
        /// As the client said it.
        request: Request,
    },
    /// A packet channel is there, or will not be.
    ChannelReady {
        /// Who is at its other end.
        peer: SignalId,
        /// What is said to the client.
        notice: Notice,
    },
    /// Who is in a room is not who was; the store knows.
    RoomChanged {
        /// Which.
        code: RoomCode,
    },
    /// A notice for a member of a room, said within it. Who has left it hears nothing.
    PassedInRoom {
        /// Which.
        code: RoomCode,
        /// What, as it is said to the client.
        notice: Notice,
    },
    /// A notice for a member of a mailbox; the store knows that both are in it.
    Passed {
        /// What, as it is said to the client.
        notice: Notice,
    },
}

/// Whether who watches wants to know if it is watched back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It does.
    IsToAnswer,
    /// This is the answer.
    HasAnswered,
}

/// How long an instance counts as alive after it last said so: 10 s, three signs that are lost.
pub const NODE_LEASE: Duration = Duration::from_secs(10);

/// How long an id counts as present after its instance last said so: 90 s, two renewals that are lost.
pub const LEASE: Duration = Duration::from_secs(90);

/// Ids that are renewed or found by one question: 500, some 30 KB.
pub const RENEWED_AT_ONCE_MAX: usize = 500;

/// Draws for a slot. At most one slot in 32 is taken, so that 16 misses in a row have a chance of 2^-80.
pub const SLOT_DRAWS: usize = 16;

/// Mailboxes at once: 32,768, one in 32 of all slots of four letters, so that a guessed slot is
/// rarely one that lives.
pub const MAILBOXES_MAX: usize = 1 << 15;

/// Mailboxes from which on new slots have four letters: 1,024, one in 32 of those of three.
pub const LONG_SLOTS_FROM: usize = 1 << 10;

/// Failed claims and burned mailboxes of everybody, at all instances together: 50 a second. More is somebody searching,
/// and slots of four letters make that 32 times as dear.
pub const FAILURE_RATE: Rate = Rate::per_second(50, 500);

/// How long slots stay long after that: five minutes, the life of a code.
pub const LONG_SLOTS_FOR: Duration = Duration::from_secs(CODE_SECONDS);

/// Least time for the exchange after a claim: a minute. A code typed in its last second would
/// otherwise fail; the code itself is used up by then.
pub const EXCHANGE_MIN: Duration = Duration::from_secs(60);

/// Codes that may wait from one address: 64, a classroom behind one router.
pub const WAITING_PER_NETWORK_MAX: u32 = 64;

/// Messages kept for a member who is away: 16, above the eight that a pairing takes.
pub const HELD_MESSAGES_MAX: usize = 16;

/// Bytes kept for a member who is away: 64 KiB, one full payload and some small ones.
pub const HELD_BYTES_MAX: usize = 64 * 1024;

/// Bytes kept for all members who are away: 16 MiB, a sixteenth of the smallest instance.
pub const HELD_BYTES_TOTAL_MAX: usize = 16 * 1024 * 1024;
