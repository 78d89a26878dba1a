//! The store in memory: what one instance alone asks, and what the simulator's instances share.
//!
//! Each question is carried out whole, at a moment of the store's own clock, and answered at once.

use std::collections::BTreeMap;
use std::time::Duration;

use towline_wire::signal::SignalId;

use super::mailboxes::Mailboxes;
use super::rooms::Rooms;
use super::shared::{
    Answer, Ask, Ended, FAILURE_RATE, LEASE, LONG_SLOTS_FOR, Made, NODE_LEASE, NodeId, Paid, Place,
    RoomAsk, Side, Slots, Standing, Toll, WAITING_PER_NETWORK_MAX,
};
use super::{Budget, Budgets, Moment};

/// Mailboxes, rooms and presence. See the module's text.
#[derive(Debug, Default)]
pub struct Store {
    mailboxes: Mailboxes,
    rooms: Rooms,
    leases: Leases,
    tolls: Budgets<String>,
    failures: Budget,
    long_slots_until: Moment,
}

/// Who is where, and which instances live.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_id: BTreeMap<SignalId, Lease>,
    ends_by_node: BTreeMap<NodeId, Moment>,
    look: Moment,
    last: Last,
}

/// How long a lease lasts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Until it is not renewed in time.
    #[default]
    ForATime,
    /// Until its end is said: whoever could forget that has lost the store with it.
    ForEver,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    place: Place,
    ends: Moment,
}

impl Leases {
    pub(super) fn place_of(&self, now: Moment, id: SignalId) -> Option<Place> {
        let lease = self.by_id.get(&id).filter(|lease| now < lease.ends);
        lease.map(|lease| lease.place)
    }

    /// Whether an instance lives.
    pub(super) fn lives(&self, now: Moment, node: NodeId) -> bool {
        let ends = self.ends_by_node.get(&node);
        self.last == Last::ForEver || ends.is_some_and(|ends| now < *ends)
    }

    /// Whether an id is at this place, which it is from now on if it was nowhere.
    pub(super) fn is_at(&mut self, now: Moment, id: SignalId, place: Place) -> bool {
        let at = self.place_of(now, id);
        if at.is_none() {
            self.lease(now, id, place);
        }
        at.is_none_or(|at| at == place)
    }

    fn lease(&mut self, now: Moment, id: SignalId, place: Place) {
        let ends = match self.last {
            Last::ForATime => now.plus(LEASE),
            Last::ForEver => Moment::after_start(Duration::MAX),
        };
        self.by_id.insert(id, Lease { place, ends });
    }

    fn forget_due(&mut self, now: Moment) {
        if self.look <= now {
            self.look = now.plus(LEASE);
            self.by_id.retain(|_, lease| now < lease.ends);
        }
    }
}

impl Store {
    /// The store of an instance that shares it with nobody.
    pub fn of_one() -> Self {
        let last = Last::ForEver;
        let leases = Leases {
            last,
            ..Leases::default()
        };
        Self {
            leases,
            ..Self::default()
        }
    }

    /// Does what is asked and says what came of it.
    pub fn carry_out(&mut self, now: Moment, ask: Ask) -> Answer {
        self.forget_due(now);
        match ask {
            Ask::Arrive { id, place } => {
                let before = self
                    .leases
                    .place_of(now, id)
                    .filter(|before| *before != place);
                self.leases.lease(now, id, place);
                Answer::Arrived {
                    before,
                    mailbox: self.mailboxes.of(now, id),
                    held: self.mailboxes.release(id).into(),
                }
            }
            Ask::Renew { present } => {
                let mut lost = Vec::new();
                for (id, place) in present {
                    match self.leases.place_of(now, id) {
                        Some(other) if other != place => lost.push(id),
                        Some(_) | None => self.leases.lease(now, id, place),
                    }
                }
                Answer::Renewed { lost }
            }
            Ask::Depart { id, place } => {
                if self.leases.by_id.get(&id).map(|lease| lease.place) == Some(place) {
                    self.leases.by_id.remove(&id);
                }
                Answer::Departed(self.rooms.depart(now, id, place))
            }
            Ask::Find { ids } => {
                let places = ids.into_iter();
                let found = places.filter_map(|id| Some((id, self.leases.place_of(now, id)?)));
                Answer::Found(found.collect())
            }
            Ask::Beat { node, others } => {
                let ends_by_node = &mut self.leases.ends_by_node;
                ends_by_node.retain(|_, ends| now < *ends);
                ends_by_node.insert(node, now.plus(NODE_LEASE));
                let lives = |other: &NodeId| ends_by_node.contains_key(other);
                let gone = others.into_iter().filter(|other| !lives(other));
                Answer::Beaten {
                    gone: gone.collect(),
                }
            }
            Ask::Open {
                creator,
                network,
                life,
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
                let slots = if now < self.long_slots_until {
                    Slots::Long
                } else {
                    Slots::ByNumber
                };
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
            Ask::Claim {
                slot,
                joiner,
                paid,
                tolls,
            } => {
                let paid = self.take(now, paid, &tolls);
                let creator = self.mailboxes.claimable(&slot, joiner);
                let (Some(creator), Paid::Yes) = (creator, paid) else {
                    return Answer::NotClaimed;
                };
                let ended = self.end_of(now, joiner);
                self.mailboxes.join(now, &slot, joiner);
                let left = self.mailboxes.of(now, joiner).map(|view| view.left);
                Answer::Claimed {
                    creator,
                    at: self.leases.place_of(now, creator),
                    left: left.unwrap_or_default(),
                    ended,
                }
            }
            Ask::CountFailure => {
                if self.failures.take(now, FAILURE_RATE, 1).is_err() {
                    self.long_slots_until = now.plus(LONG_SLOTS_FOR);
                }
                Answer::Counted
            }
            Ask::Done { member } => match self.mailboxes.done(member) {
                Some(peer) => Answer::BothDone {
                    peer,
                    at: self.leases.place_of(now, peer),
                },
                None => Answer::NotedDone,
            },
            Ask::End { member } => Answer::Ended(self.end_of(now, member)),
            Ask::GiveBack { tolls } => {
                for Toll { key, rate } in &tolls {
                    self.tolls.give_back(key, *rate);
                }
                Answer::GivenBack
            }
            Ask::Room(mut ask) => {
                if let RoomAsk::Join { paid, tolls, .. } = &mut ask {
                    *paid = self.take(now, *paid, tolls);
                }
                Answer::Room(self.rooms.carry_out(now, &mut self.leases, ask))
            }
            Ask::Pass { from, to, notice } => {
                let view = self.mailboxes.of(now, from);
                if view.and_then(|view| view.standing.peer()) != Some(to) {
                    return Answer::NotPassed;
                }
                match self.leases.place_of(now, to) {
                    Some(at) => Answer::PassOn { at },
                    None if self.mailboxes.hold(to, notice) => Answer::Kept,
                    None => Answer::NotPassed,
                }
            }
        }
    }

    /// Takes one token of each budget, or none of any.
    fn take(&mut self, now: Moment, paid: Paid, tolls: &[Toll]) -> Paid {
        if paid == Paid::No {
            return paid;
        }
        self.tolls.sweep(now);
        for (index, Toll { key, rate }) in tolls.iter().enumerate() {
            if self.tolls.take(now, key.clone(), *rate).is_err() {
                for Toll { key, rate } in tolls.iter().take(index) {
                    self.tolls.give_back(key, *rate);
                }
                return Paid::No;
            }
        }
        Paid::Yes
    }

    /// Forgets mailboxes, rooms and leases whose time has come.
    pub fn forget_due(&mut self, now: Moment) {
        self.mailboxes.end_due(now);
        self.rooms.end_due(now);
        self.leases.forget_due(now);
    }

    /// Mailboxes, and the bytes of messages kept for members who are away.
    pub fn holdings(&self) -> (usize, usize) {
        (self.mailboxes.len(), self.mailboxes.held_bytes())
    }

    /// Rooms, and entries of their lists.
    pub fn rooms(&self) -> (usize, usize) {
        (self.rooms.len(), self.rooms.records())
    }

    fn end_of(&mut self, now: Moment, member: SignalId) -> Option<Ended> {
        let side = self.mailboxes.of(now, member)?.side;
        let standing = self.mailboxes.end_of(member)?;
        let at = standing
            .peer()
            .and_then(|peer| self.leases.place_of(now, peer));
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
