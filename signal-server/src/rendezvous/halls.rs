//! Rooms seen from one instance: who of its own clients is in them, and who elsewhere.
//!
//! What is known of clients here is certain. What is known of those elsewhere is what the store said last; each new
//! answer is compared with it, and the difference is what clients are told. So a message between instances that is lost
//! delays an announcement and falsifies none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_wire::signal::{RoomCode, RoomPeer, SignalId};

use super::Moment;
use super::shared::{Member, NodeId, Place};

/// All rooms that somebody here is in, or was until lately.
#[derive(Debug, Default)]
pub(crate) struct Halls {
    by_code: BTreeMap<RoomCode, Hall>,
    codes_by_member: BTreeMap<SignalId, BTreeSet<RoomCode>>,
}

#[derive(Debug, Default)]
struct Hall {
    here: BTreeSet<SignalId>,
    elsewhere: BTreeMap<SignalId, Place>,
    touched: Moment,
    timer: Option<Moment>,
}

/// What an answer of the store changes.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Elsewhere, and new to those here.
    pub(crate) came: Vec<RoomPeer>,
    /// From elsewhere, and inside no more.
    pub(crate) went: Vec<SignalId>,
    /// The store has them inside from here, and they are not.
    pub(crate) strays: Vec<(SignalId, Place)>,
    /// They are here and the store has them inside no more.
    pub(crate) put_out: Vec<SignalId>,
}

impl Halls {
    pub(crate) fn len(&self) -> usize {
        self.by_code.len()
    }

    /// Entries of all lists.
    pub(crate) fn records(&self) -> usize {
        self.codes_by_member.len()
    }

    pub(crate) fn codes(&self) -> Vec<RoomCode> {
        self.by_code.keys().copied().collect()
    }

    /// All rooms that somebody here is in.
    pub(crate) fn of(&self, member: SignalId) -> Vec<RoomCode> {
        let codes = self.codes_by_member.get(&member).into_iter().flatten();
        codes.copied().collect()
    }

    pub(crate) fn is_in_any(&self, member: SignalId) -> bool {
        self.codes_by_member.contains_key(&member)
    }

    pub(crate) fn has(&self, code: RoomCode, member: SignalId) -> bool {
        let hall = self.by_code.get(&code);
        hall.is_some_and(|hall| hall.here.contains(&member))
    }

    /// Who of a room is here.
    pub(crate) fn here(&self, code: RoomCode) -> Vec<SignalId> {
        let hall = self.by_code.get(&code).into_iter();
        hall.flat_map(|hall| hall.here.iter().copied()).collect()
    }

    /// Who of a room is elsewhere.
    pub(crate) fn elsewhere(&self, code: RoomCode) -> Vec<(SignalId, Place)> {
        let hall = self.by_code.get(&code).into_iter();
        let all = hall.flat_map(|hall| hall.elsewhere.iter());
        all.map(|(id, at)| (*id, *at)).collect()
    }

    /// A room in which nobody is from here.
    pub(crate) fn open(&mut self, code: RoomCode) {
        self.by_code.entry(code).or_default();
    }

    /// Somebody here is inside from now on; `false` where it was already.
    pub(crate) fn enter(&mut self, now: Moment, code: RoomCode, who: SignalId) -> bool {
        let hall = self.by_code.entry(code).or_default();
        hall.touched = now;
        hall.elsewhere.remove(&who);
        self.codes_by_member.entry(who).or_default().insert(code);
        hall.here.insert(who)
    }

    /// Somebody here is inside no more; `false` where it was not.
    pub(crate) fn leave(&mut self, code: RoomCode, member: SignalId) -> bool {
        if let Some(codes) = self.codes_by_member.get_mut(&member) {
            codes.remove(&code);
            if codes.is_empty() {
                self.codes_by_member.remove(&member);
            }
        }
        let hall = self.by_code.get_mut(&code);
        hall.is_some_and(|hall| hall.here.remove(&member))
    }

    /// A room in which both are, here; and whether the store is to be told that something passes in it, which it is
    /// once in `every`.
    pub(crate) fn meet(
        &mut self,
        now: Moment,
        one: SignalId,
        other: SignalId,
        every: Duration,
    ) -> Option<(RoomCode, bool)> {
        let codes = self.codes_by_member.get(&one)?;
        for code in codes {
            if let Some(hall) = self.by_code.get_mut(code)
                && one != other
                && hall.here.contains(&other)
            {
                let is_due = now.since(hall.touched) >= every;
                if is_due {
                    hall.touched = now;
                }
                return Some((*code, is_due));
            }
        }
        None
    }

    /// Compares with what the store says.
    pub(crate) fn adopt(&mut self, code: RoomCode, members: &[Member], own: NodeId) -> News {
        let mut news = News::default();
        let inside_here = |member: &&Member| member.at.node == own;
        let Some(hall) = self.by_code.get_mut(&code) else {
            let strays = members.iter().filter(inside_here);
            news.strays = strays
                .map(|member| (member.peer.peer_id, member.at))
                .collect();
            return news;
        };
        let mut elsewhere = BTreeMap::new();
        let mut confirmed = BTreeSet::new();
        for member in members {
            let id = member.peer.peer_id;
            if member.at.node != own {
                elsewhere.insert(id, member.at);
                // Who came back by another connection is somebody new to the others.
                if hall.elsewhere.get(&id) != Some(&member.at) {
                    news.came.push(member.peer.clone());
                }
            } else if hall.here.contains(&id) {
                confirmed.insert(id);
            } else {
                news.strays.push((id, member.at));
            }
        }
        let before = std::mem::replace(&mut hall.elsewhere, elsewhere);
        let is_there = |(id, at): &(SignalId, Place)| hall.elsewhere.get(id) == Some(at);
        let went = before.into_iter().filter(|member| !is_there(member));
        news.went = went.map(|(id, _)| id).collect();
        news.put_out = hall.here.difference(&confirmed).copied().collect();
        news
    }

    /// Takes out who is at these instances.
    pub(crate) fn miss(&mut self, gone: &[NodeId]) -> Vec<(RoomCode, SignalId)> {
        let mut missed = Vec::new();
        for (code, hall) in &mut self.by_code {
            hall.elsewhere.retain(|id, at| {
                let is_gone = gone.contains(&at.node);
                if is_gone {
                    missed.push((*code, *id));
                }
                !is_gone
            });
        }
        missed
    }

    /// Where members are.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let all = self.by_code.values();
        all.flat_map(|hall| hall.elsewhere.values().map(|at| at.node))
    }

    /// Forgets a room; gives who was in it from here, and the timer that is armed for it.
    pub(crate) fn end(&mut self, code: RoomCode) -> (Vec<SignalId>, Option<Moment>) {
        let here = self.here(code);
        for member in &here {
            self.leave(code, *member);
        }
        let hall = self.by_code.remove(&code);
        (here, hall.and_then(|hall| hall.timer))
    }

    /// Notes the timer that is armed for a room; gives the one before. `None` where nothing is known of the room.
    pub(crate) fn arm(&mut self, code: RoomCode, timer: Option<Moment>) -> Option<Option<Moment>> {
        let hall = self.by_code.get_mut(&code)?;
        Some(std::mem::replace(&mut hall.timer, timer))
    }
}
