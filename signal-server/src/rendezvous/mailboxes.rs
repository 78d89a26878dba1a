//! The mailboxes of codes: who opened them, who joined, what waits for a member who is away.
//!
//! A mailbox waits for its joiner, then for both members to be done, and lasts to its time either
//! way. It belongs to an id, not to a connection: a device that comes back finds it again. An id
//! is in at most one. This module keeps the books and decides nothing about messages.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand_core::RngCore;
use towline_wire::code::{HALF_LETTERS_MAX, HALF_LETTERS_MIN, Slot};
use towline_wire::signal::{Notice, SignalId};

use super::network::Network;
use super::{ClaimPayer, Moment};

#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    by_slot: BTreeMap<Slot, Mailbox>,
    slot_by_member: BTreeMap<SignalId, Slot>,
    waiting_by_network: BTreeMap<Network, u32>,
    held_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) expires: Moment,
    creator: Member,
    joiner: Option<Joiner>,
    network: Network,
}

#[derive(Debug)]
struct Joiner {
    member: Member,
    payers: Vec<ClaimPayer>,
}

#[derive(Debug)]
struct Member {
    id: SignalId,
    done: Done,
    held: VecDeque<Notice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    NotYet,
    Said,
}

/// What a mailbox looks like to one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Waits for a joiner.
    Waiting,
    /// Joined; trust is not proven yet.
    Joined { peer: SignalId },
    /// Both have said that they are done.
    Done { peer: SignalId },
}

impl Standing {
    pub(crate) const fn peer(self) -> Option<SignalId> {
        match self {
            Self::Waiting => None,
            Self::Joined { peer } | Self::Done { peer } => Some(peer),
        }
    }
}

/// A mailbox that has ended: its slot, its members and how far they were.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) creator: SignalId,
    pub(crate) joiner: Option<SignalId>,
    pub(crate) was_done: bool,
}

impl Mailboxes {
    pub(crate) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Codes of this network that wait for a joiner.
    pub(crate) fn waiting_from(&self, network: Network) -> u32 {
        self.waiting_by_network.get(&network).copied().unwrap_or(0)
    }

    pub(crate) fn of(&self, member: SignalId) -> Option<(&Slot, Moment, Standing)> {
        let slot = self.slot_by_member.get(&member)?;
        let mailbox = self.by_slot.get(slot)?;
        Some((slot, mailbox.expires, mailbox.standing(member)))
    }

    /// The other member of this member's mailbox, once it is joined.
    pub(crate) fn peer_of(&self, member: SignalId) -> Option<SignalId> {
        self.of(member).and_then(|(_, _, standing)| standing.peer())
    }

    /// Draws a slot that is free; `None` when all mailboxes are taken.
    pub(crate) fn free_slot(&self, random: &mut impl RngCore, long: bool) -> Option<Slot> {
        if self.by_slot.len() >= MAILBOXES_MAX {
            return None;
        }
        let crowded = self.by_slot.len() >= LONG_SLOTS_FROM;
        let letters = if long || crowded {
            HALF_LETTERS_MAX
        } else {
            HALF_LETTERS_MIN
        };
        // At most one slot in 32 is taken, so that 16 misses in a row have a chance of 2^-80.
        (0..16)
            .map(|_| Slot::from_number(random.next_u32(), letters))
            .find(|slot| !self.by_slot.contains_key(slot))
    }

    /// Opens a mailbox for a creator that has none.
    pub(crate) fn open(
        &mut self,
        slot: Slot,
        creator: SignalId,
        network: Network,
        expires: Moment,
    ) {
        debug_assert!(!self.slot_by_member.contains_key(&creator));
        self.slot_by_member.insert(creator, slot.clone());
        *self.waiting_by_network.entry(network).or_default() += 1;
        self.by_slot.insert(
            slot,
            Mailbox {
                expires,
                creator: Member::new(creator),
                joiner: None,
                network,
            },
        );
    }

    /// The creator whose mailbox `joiner` could claim now.
    pub(crate) fn claimable(&self, slot: &Slot, joiner: SignalId) -> Option<SignalId> {
        let mailbox = self.by_slot.get(slot)?;
        (mailbox.joiner.is_none() && mailbox.creator.id != joiner).then_some(mailbox.creator.id)
    }

    /// Puts the joiner, who is in no other mailbox, into a claimable one; gives the old and the
    /// new time at which it ends.
    pub(crate) fn join(
        &mut self,
        slot: &Slot,
        joiner: SignalId,
        payers: Vec<ClaimPayer>,
        now: Moment,
    ) -> Option<(Moment, Moment)> {
        let mailbox = self.by_slot.get_mut(slot)?;
        let before = mailbox.expires;
        mailbox.expires = before.max(now.plus(EXCHANGE_MIN));
        mailbox.joiner = Some(Joiner {
            member: Member::new(joiner),
            payers,
        });
        let (network, after) = (mailbox.network, mailbox.expires);
        self.slot_by_member.insert(joiner, slot.clone());
        self.no_longer_waiting(network);
        Some((before, after))
    }

    /// Notes that a member is done; gives who paid for the claim when that makes both done.
    pub(crate) fn done(&mut self, member: SignalId) -> Option<Vec<ClaimPayer>> {
        let slot = self.slot_by_member.get(&member)?;
        let mailbox = self.by_slot.get_mut(slot)?;
        let joiner = mailbox.joiner.as_mut()?;
        let said = if mailbox.creator.id == member {
            &mut mailbox.creator
        } else {
            &mut joiner.member
        };
        said.done = Done::Said;
        let both = mailbox.creator.done == Done::Said && joiner.member.done == Done::Said;
        both.then(|| std::mem::take(&mut joiner.payers))
    }

    /// Keeps a notice for a member who is away; says whether there was room.
    #[must_use]
    pub(crate) fn hold(&mut self, member: SignalId, notice: Notice) -> bool {
        let bytes = notice_bytes(&notice);
        if self.held_bytes + bytes > HELD_BYTES_TOTAL_MAX {
            return false;
        }
        let Some(held) = self.held_by(member) else {
            return false;
        };
        let bytes_held: usize = held.iter().map(notice_bytes).sum();
        if held.len() >= HELD_MESSAGES_MAX || bytes_held + bytes > HELD_BYTES_MAX {
            return false;
        }
        held.push_back(notice);
        self.held_bytes += bytes;
        true
    }

    /// Takes what was kept for a member who is back, in order.
    pub(crate) fn release(&mut self, member: SignalId) -> VecDeque<Notice> {
        let held = self.held_by(member).map(std::mem::take).unwrap_or_default();
        self.held_bytes -= held.iter().map(notice_bytes).sum::<usize>();
        held
    }

    /// Ends the mailbox of this member.
    pub(crate) fn end_of(&mut self, member: SignalId) -> Option<(Slot, Moment, Ended)> {
        let slot = self.slot_by_member.get(&member)?.clone();
        let expires = self.by_slot.get(&slot)?.expires;
        let ended = self.end(&slot)?;
        Some((slot, expires, ended))
    }

    /// Ends the mailbox with this slot.
    pub(crate) fn end(&mut self, slot: &Slot) -> Option<Ended> {
        let mailbox = self.by_slot.remove(slot)?;
        self.slot_by_member.remove(&mailbox.creator.id);
        self.held_bytes -= mailbox.creator.held_bytes();
        let standing = mailbox.standing(mailbox.creator.id);
        if let Some(joiner) = &mailbox.joiner {
            self.slot_by_member.remove(&joiner.member.id);
            self.held_bytes -= joiner.member.held_bytes();
        } else {
            self.no_longer_waiting(mailbox.network);
        }
        Some(Ended {
            creator: mailbox.creator.id,
            joiner: mailbox.joiner.map(|joiner| joiner.member.id),
            was_done: matches!(standing, Standing::Done { .. }),
        })
    }

    fn held_by(&mut self, member: SignalId) -> Option<&mut VecDeque<Notice>> {
        let mailbox = self.by_slot.get_mut(self.slot_by_member.get(&member)?)?;
        if mailbox.creator.id == member {
            return Some(&mut mailbox.creator.held);
        }
        mailbox
            .joiner
            .as_mut()
            .map(|joiner| &mut joiner.member.held)
    }

    fn no_longer_waiting(&mut self, network: Network) {
        if let Some(count) = self.waiting_by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.waiting_by_network.remove(&network);
            }
        }
    }
}

impl Mailbox {
    fn standing(&self, member: SignalId) -> Standing {
        let Some(Joiner { member: joiner, .. }) = &self.joiner else {
            return Standing::Waiting;
        };
        let peer = if self.creator.id == member {
            joiner.id
        } else {
            self.creator.id
        };
        match (self.creator.done, joiner.done) {
            (Done::Said, Done::Said) => Standing::Done { peer },
            (Done::NotYet, _) | (_, Done::NotYet) => Standing::Joined { peer },
        }
    }
}

impl Member {
    const fn new(id: SignalId) -> Self {
        Self {
            id,
            done: Done::NotYet,
            held: VecDeque::new(),
        }
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(notice_bytes).sum()
    }
}

/// What a held notice costs: its payload and the size of the value.
fn notice_bytes(notice: &Notice) -> usize {
    use towline_wire::signal::ServerMessage as Message;
    let payload = match &notice.message {
        Message::Relayed { payload, .. } => payload.as_json().len(),
        Message::Hello { .. }
        | Message::Registered { .. }
        | Message::PairingCode { .. }
        | Message::Paired { .. }
        | Message::PairingFailed { .. }
        | Message::IceServers { .. }
        | Message::RoomCreated { .. }
        | Message::JoinedRoom { .. }
        | Message::PeerJoined { .. }
        | Message::PeerLeft { .. }
        | Message::LeftRoom { .. }
        | Message::PeerConnected { .. }
        | Message::PeerDisconnected { .. }
        | Message::RelayReady { .. }
        | Message::Draining { .. }
        | Message::Pong { .. }
        | Message::RateLimited { .. }
        | Message::Error { .. } => 0,
    };
    payload + size_of::<Notice>()
}

/// Mailboxes at once: 32,768, one in 32 of all slots of four letters, so that a guessed slot is
/// rarely one that lives.
pub(crate) const MAILBOXES_MAX: usize = 1 << 15;

/// Mailboxes from which on new slots have four letters: 1,024, one in 32 of those of three.
pub(crate) const LONG_SLOTS_FROM: usize = 1 << 10;

/// Least time for the exchange after a claim: a minute. A code typed in its last second would
/// otherwise fail; the code itself is used up by then.
pub(crate) const EXCHANGE_MIN: Duration = Duration::from_secs(60);

/// Messages kept for a member who is away: 16, above the eight that a pairing takes.
const HELD_MESSAGES_MAX: usize = 16;

/// Bytes kept for a member who is away: 64 KiB, one full payload and some small ones.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// Bytes kept for all members who are away: 16 MiB, a sixteenth of the smallest instance.
const HELD_BYTES_TOTAL_MAX: usize = 16 * 1024 * 1024;
