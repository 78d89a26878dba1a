//! The store in memory: what one instance alone asks, and what the simulator's instances share.
//!
//! Each question is carried out whole, at a moment of the store's own clock, and answered at once.

use std::collections::BTreeMap;

use towline_wire::signal::SignalId;

use super::Moment;
use super::mailboxes::Mailboxes;
use super::shared::{
    Answer, Ask, Ended, LEASE, Made, NODE_LEASE, NodeId, Paid, Place, Side, Standing,
    WAITING_PER_NETWORK_MAX,
};

/// Mailboxes and presence. See the module's text.
#[derive(Debug, Default)]
pub struct Store {
    mailboxes: Mailboxes,
    leases: BTreeMap<SignalId, Lease>,
    ends_by_node: BTreeMap<NodeId, Moment>,
    look_at_leases: Moment,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    place: Place,
    ends: Moment,
}

impl Store {
    /// Does what is asked and says what came of it.
    pub fn carry_out(&mut self, now: Moment, ask: Ask) -> Answer {
        self.forget_due(now);
        match ask {
            Ask::Arrive { id, place } => {
                let before = self.place_of(now, id).filter(|before| *before != place);
                self.lease(now, id, place);
                Answer::Arrived {
                    before,
                    mailbox: self.mailboxes.of(now, id),
                    held: self.mailboxes.release(id).into(),
                }
            }
            Ask::Renew { present } => {
                let mut lost = Vec::new();
                for (id, place) in present {
                    match self.place_of(now, id) {
                        Some(other) if other != place => lost.push(id),
                        Some(_) | None => self.lease(now, id, place),
                    }
                }
                Answer::Renewed { lost }
            }
            Ask::Depart { id, place } => {
                if self.leases.get(&id).map(|lease| lease.place) == Some(place) {
                    self.leases.remove(&id);
                }
                Answer::Departed
            }
            Ask::Find { ids } => {
                let places = ids.into_iter();
                let found = places.filter_map(|id| Some((id, self.place_of(now, id)?)));
                Answer::Found(found.collect())
            }
            Ask::Beat { node, others } => {
                self.ends_by_node.retain(|_, ends| now < *ends);
                self.ends_by_node.insert(node, now.plus(NODE_LEASE));
                let lives = |other: &NodeId| self.ends_by_node.contains_key(other);
                let gone = others.into_iter().filter(|other| !lives(other));
                Answer::Beaten {
                    gone: gone.collect(),
                }
            }
            Ask::Open {
                creator,
                network,
                life,
                slots,
                draws,
            } => {
                if let Some(view) = self.mailboxes.of(now, creator) {
                    if view.standing == Standing::Waiting {
                        return Answer::Opened {
                            slot: view.slot,
                            left: view.left,
                            made: Made::Before,
                        };
                    }
                    self.mailboxes.end_of(creator);
                }
                if self.mailboxes.waiting_from(&network) >= WAITING_PER_NETWORK_MAX {
                    return Answer::NetworkIsFull;
                }
                let Some(slot) = self.mailboxes.free_slot(slots, &draws) else {
                    return Answer::AllSlotsTaken;
                };
                let expires = now.plus(life);
                self.mailboxes.open(slot.clone(), creator, network, expires);
                Answer::Opened {
                    slot,
                    left: life,
                    made: Made::Now,
                }
            }
            Ask::Claim { slot, joiner, paid } => {
                let creator = self.mailboxes.claimable(&slot, joiner);
                let (Some(creator), Paid::Yes) = (creator, paid) else {
                    return Answer::NotClaimed;
                };
                let ended = self.end_of(now, joiner);
                self.mailboxes.join(now, &slot, joiner);
                let left = self.mailboxes.of(now, joiner).map(|view| view.left);
                Answer::Claimed {
                    creator,
                    at: self.place_of(now, creator),
                    left: left.unwrap_or_default(),
                    ended,
                }
            }
            Ask::Done { member } => match self.mailboxes.done(member) {
                Some(peer) => Answer::BothDone {
                    peer,
                    at: self.place_of(now, peer),
                },
                None => Answer::NotedDone,
            },
            Ask::End { member } => Answer::Ended(self.end_of(now, member)),
            Ask::Pass { from, to, notice } => {
                let view = self.mailboxes.of(now, from);
                if view.and_then(|view| view.standing.peer()) != Some(to) {
                    return Answer::NotPassed;
                }
                match self.place_of(now, to) {
                    Some(at) => Answer::PassOn { at },
                    None if self.mailboxes.hold(to, notice) => Answer::Kept,
                    None => Answer::NotPassed,
                }
            }
        }
    }

    /// Forgets mailboxes and leases whose time has come.
    pub fn forget_due(&mut self, now: Moment) {
        self.mailboxes.end_due(now);
        if self.look_at_leases <= now {
            self.look_at_leases = now.plus(LEASE);
            self.leases.retain(|_, lease| now < lease.ends);
        }
    }

    /// Mailboxes, and the bytes of messages kept for members who are away.
    pub fn holdings(&self) -> (usize, usize) {
        (self.mailboxes.len(), self.mailboxes.held_bytes())
    }

    fn lease(&mut self, now: Moment, id: SignalId, place: Place) {
        let ends = now.plus(LEASE);
        self.leases.insert(id, Lease { place, ends });
    }

    fn place_of(&self, now: Moment, id: SignalId) -> Option<Place> {
        let lease = self.leases.get(&id).filter(|lease| now < lease.ends);
        lease.map(|lease| lease.place)
    }

    fn end_of(&mut self, now: Moment, member: SignalId) -> Option<Ended> {
        let side = self.mailboxes.of(now, member)?.side;
        let standing = self.mailboxes.end_of(member)?;
        let at = standing.peer().and_then(|peer| self.place_of(now, peer));
        Some(Ended { side, standing, at })
    }
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Creator => Self::Joiner,
            Self::Joiner => Self::Creator,
        }
    }
}
