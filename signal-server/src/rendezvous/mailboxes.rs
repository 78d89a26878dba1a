//! The mailboxes of codes: who opened them, who joined, what waits for a member who is away.
//!
//! A mailbox waits for its joiner, then for both members to be done, and lasts to its time either
//! way. It belongs to an id, not to a connection: a device that comes back finds it again. An id
//! is in at most one. This module keeps the books and decides nothing about messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use towline_wire::code::Slot;
use towline_wire::signal::{Notice, SignalId};

use super::Moment;
use super::shared::{
    EXCHANGE_MIN, HELD_BYTES_MAX, HELD_BYTES_TOTAL_MAX, HELD_MESSAGES_MAX, MAILBOXES_MAX,
    MailboxView, SLOT_DRAWS, Side, Slots, Standing,
};

#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    by_slot: BTreeMap<Slot, Mailbox>,
    slot_by_member: BTreeMap<SignalId, Slot>,
    waiting_by_network: BTreeMap<String, u32>,
    ends: BTreeSet<(Moment, Slot)>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Mailbox {
    expires: Moment,
    creator: Member,
    joiner: Option<Member>,
    network: String,
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

impl Mailboxes {
    pub(crate) fn len(&self) -> usize {
        self.by_slot.len()
    }

    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Codes of this network that wait for a joiner.
    pub(crate) fn waiting_from(&self, network: &str) -> u32 {
        self.waiting_by_network.get(network).copied().unwrap_or(0)
    }

    /// How the mailbox of this member stands.
    pub(crate) fn of(&self, now: Moment, member: SignalId) -> Option<MailboxView> {
        let slot = self.slot_by_member.get(&member)?;
        let mailbox = self.by_slot.get(slot)?;
        Some(MailboxView {
            slot: slot.clone(),
            left: mailbox.expires.since(now),
            side: if mailbox.creator.id == member {
                Side::Creator
            } else {
                Side::Joiner
            },
            standing: mailbox.standing(member),
        })
    }

    /// The first drawn slot that is free; `None` when all mailboxes are taken.
    pub(crate) fn free_slot(&self, slots: Slots, draws: &[u32; SLOT_DRAWS]) -> Option<Slot> {
        if self.by_slot.len() >= MAILBOXES_MAX {
            return None;
        }
        let letters = slots.letters(self.by_slot.len());
        draws
            .iter()
            .map(|draw| Slot::from_number(*draw, letters))
            .find(|slot| !self.by_slot.contains_key(slot))
    }

    /// Opens a mailbox for a creator that has none.
    pub(crate) fn open(&mut self, slot: Slot, creator: SignalId, network: String, expires: Moment) {
        debug_assert!(!self.slot_by_member.contains_key(&creator));
        self.slot_by_member.insert(creator, slot.clone());
        *self.waiting_by_network.entry(network.clone()).or_default() += 1;
        self.ends.insert((expires, slot.clone()));
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

    /// Puts the joiner, who is in no other mailbox, into a claimable one.
    pub(crate) fn join(&mut self, now: Moment, slot: &Slot, joiner: SignalId) {
        let Some(mailbox) = self.by_slot.get_mut(slot) else {
            return;
        };
        self.ends.remove(&(mailbox.expires, slot.clone()));
        mailbox.expires = mailbox.expires.max(now.plus(EXCHANGE_MIN));
        self.ends.insert((mailbox.expires, slot.clone()));
        mailbox.joiner = Some(Member::new(joiner));
        self.slot_by_member.insert(joiner, slot.clone());
        let network = mailbox.network.clone();
        self.no_longer_waiting(&network);
    }

    /// Notes that a member is done; gives the other one when that makes both done.
    pub(crate) fn done(&mut self, member: SignalId) -> Option<SignalId> {
        let slot = self.slot_by_member.get(&member)?;
        let mailbox = self.by_slot.get_mut(slot)?;
        let joiner = mailbox.joiner.as_mut()?;
        let (said, other) = if mailbox.creator.id == member {
            (&mut mailbox.creator, joiner)
        } else {
            (joiner, &mut mailbox.creator)
        };
        let before = std::mem::replace(&mut said.done, Done::Said);
        (before == Done::NotYet && other.done == Done::Said).then_some(other.id)
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

    /// Ends the mailbox of this member; gives how it stood.
    pub(crate) fn end_of(&mut self, member: SignalId) -> Option<Standing> {
        let slot = self.slot_by_member.get(&member)?.clone();
        let standing = self.by_slot.get(&slot)?.standing(member);
        self.end(&slot);
        Some(standing)
    }

    /// Ends those whose time has come.
    pub(crate) fn end_due(&mut self, now: Moment) {
        while let Some((expires, slot)) = self.ends.first().cloned()
            && expires <= now
        {
            self.end(&slot);
        }
    }

    fn end(&mut self, slot: &Slot) {
        let Some(mailbox) = self.by_slot.remove(slot) else {
            return;
        };
        self.ends.remove(&(mailbox.expires, slot.clone()));
        self.slot_by_member.remove(&mailbox.creator.id);
        self.held_bytes -= mailbox.creator.held_bytes();
        if let Some(joiner) = &mailbox.joiner {
            self.slot_by_member.remove(&joiner.id);
            self.held_bytes -= joiner.held_bytes();
        } else {
            self.no_longer_waiting(&mailbox.network);
        }
    }

    fn held_by(&mut self, member: SignalId) -> Option<&mut VecDeque<Notice>> {
        let mailbox = self.by_slot.get_mut(self.slot_by_member.get(&member)?)?;
        if mailbox.creator.id == member {
            return Some(&mut mailbox.creator.held);
        }
        mailbox.joiner.as_mut().map(|joiner| &mut joiner.held)
    }

    fn no_longer_waiting(&mut self, network: &str) {
        if let Some(count) = self.waiting_by_network.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                self.waiting_by_network.remove(network);
            }
        }
    }
}

impl Mailbox {
    fn standing(&self, member: SignalId) -> Standing {
        let Some(joiner) = &self.joiner else {
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
