//! The rooms in memory: who opened them, who is in them, what their password is.
//!
//! A room ends when nothing has happened in it for its time, or some while after the last member has left. This module
//! keeps the books and decides nothing about messages; each of its steps is one that Redis does at once, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use subtle::{ConditionallySelectable, ConstantTimeEq};
use towline_wire::signal::{ROOM_MEMBERS_MAX, RoomCode, RoomPeer, SignalId};

use super::shared::{
    Bereft, EMPTY_FOR, Entered, GUESS_RATE, Member, NodeId, OPENED_PER_NETWORK_MAX, Paid,
    PasswordHash, Place, RoomAnswer, RoomAsk, RoomView,
};
use super::store::Leases;
use super::{Budget, Moment};

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_code: BTreeMap<RoomCode, Room>,
    by_end: BTreeSet<(Moment, RoomCode)>,
    codes_by_member: BTreeMap<SignalId, BTreeSet<RoomCode>>,
    opened_by_network: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Room {
    owner: SignalId,
    network: String,
    password: Option<PasswordHash>,
    members: BTreeMap<SignalId, (Place, String)>,
    guesses: Budget,
    ends: Moment,
}

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.by_code.len()
    }

    /// Entries of all lists.
    pub(super) fn records(&self) -> usize {
        self.codes_by_member.len() + self.opened_by_network.len()
    }

    /// Does what is asked. Who is present, `leases` say.
    pub(super) fn carry_out(
        &mut self,
        now: Moment,
        leases: &mut Leases,
        ask: RoomAsk,
    ) -> RoomAnswer {
        match ask {
            RoomAsk::Open {
                code,
                owner,
                at,
                network,
                rooms_max,
                own_max,
                life,
            } => {
                if !leases.is_at(now, owner.peer_id, at) {
                    return RoomAnswer::Elsewhere;
                }
                if self.count_of(owner.peer_id) >= own_max {
                    return RoomAnswer::InTooMany;
                }
                if self.by_code.len() >= rooms_max || self.by_code.contains_key(&code) {
                    return RoomAnswer::AllTaken;
                }
                if self.opened_by_network.get(&network) >= Some(&OPENED_PER_NETWORK_MAX) {
                    return RoomAnswer::NetworkIsFull;
                }
                *self.opened_by_network.entry(network.clone()).or_default() += 1;
                let ends = now.plus(life);
                self.by_end.insert((ends, code));
                self.by_code.insert(
                    code,
                    Room {
                        owner: owner.peer_id,
                        network,
                        password: None,
                        members: BTreeMap::new(),
                        guesses: Budget::default(),
                        ends,
                    },
                );
                self.put_in(code, owner, at);
                RoomAnswer::Opened
            }
            RoomAsk::Lock {
                code,
                sender,
                password,
                life,
            } => match self.by_code.get_mut(&code) {
                Some(room) if room.owner == sender && room.members.contains_key(&sender) => {
                    room.password = password;
                    self.ends_at(code, now.plus(life));
                    RoomAnswer::Locked
                }
                Some(_) | None => RoomAnswer::NotLocked,
            },
            RoomAsk::Join {
                code,
                who,
                at,
                shown,
                paid,
                tolls: _,
                own_max,
                life,
            } => {
                if !leases.is_at(now, who.peer_id, at) {
                    return RoomAnswer::Elsewhere;
                }
                if self.count_of(who.peer_id) >= own_max {
                    return RoomAnswer::InTooMany;
                }
                self.join(now, leases, code, who, at, shown, paid, life)
            }
            RoomAsk::Leave { code, member, at } => RoomAnswer::Out(
                self.take_out(now, code, member, at)
                    .map_or_else(Vec::new, |bereft| bereft.others),
            ),
            RoomAsk::Look { code, node } => {
                self.prune(now, leases, code);
                RoomAnswer::Seen(self.view(now, leases, code, node))
            }
            RoomAsk::Touch { code, life } => {
                self.ends_at(code, now.plus(life));
                RoomAnswer::Touched
            }
            RoomAsk::Meet { from, to, life } => {
                let codes = self.codes_by_member.get(&from).into_iter().flatten();
                // Who has arrived elsewhere since it joined is inside no more, and says nothing there.
                let is_inside = |code: RoomCode, id| {
                    let (at, _) = self.by_code.get(&code)?.members.get(&id)?;
                    (leases.place_of(now, id) == Some(*at)).then_some(*at)
                };
                let met = codes.copied().find_map(|code| {
                    is_inside(code, from).filter(|_| from != to)?;
                    Some((code, is_inside(code, to)?))
                });
                let Some((code, at)) = met else {
                    return RoomAnswer::NotMet;
                };
                self.ends_at(code, now.plus(life));
                RoomAnswer::Met { code, at }
            }
        }
    }

    /// The look-up and the comparison are made in every case.
    #[expect(clippy::too_many_arguments, reason = "the fields of one question")]
    fn join(
        &mut self,
        now: Moment,
        leases: &Leases,
        code: RoomCode,
        who: RoomPeer,
        at: Place,
        shown: PasswordHash,
        paid: Paid,
        life: Duration,
    ) -> RoomAnswer {
        self.prune(now, leases, code);
        let found = self.by_code.get_mut(&code).filter(|_| paid == Paid::Yes);
        let wanted = found.as_ref().and_then(|room| room.password);
        let is_right = shown.ct_eq(&wanted.unwrap_or(UNREACHED));
        // A room without a password takes any: who joins may have been told of one that was taken away.
        let is_open = subtle::Choice::from(u8::from(found.is_some() && wanted.is_none()));
        let lets_in = u8::conditional_select(&is_right.unwrap_u8(), &1, is_open);
        let Some(room) = found else {
            return RoomAnswer::NotLetIn;
        };
        if wanted.is_some() && room.guesses.take(now, GUESS_RATE, 1).is_err() || lets_in == 0 {
            return RoomAnswer::NotLetIn;
        }
        if wanted.is_some() {
            room.guesses.give_back(GUESS_RATE);
        }
        let inside = room.members.get(&who.peer_id);
        let entered = match inside.map(|(place, _)| *place == at) {
            Some(true) => Entered::Before,
            Some(false) => Entered::Now,
            None if room.members.len() >= ROOM_MEMBERS_MAX => return RoomAnswer::IsFull,
            None => Entered::Now,
        };
        self.ends_at(code, now.plus(life));
        if entered == Entered::Now {
            self.put_in(code, who, at);
        }
        match self.view(now, leases, code, at.node) {
            Some(view) => RoomAnswer::Joined { view, entered },
            None => RoomAnswer::NotLetIn,
        }
    }

    /// An id is at this place no longer: takes it out of its rooms there.
    pub(super) fn depart(&mut self, now: Moment, id: SignalId, at: Place) -> Vec<Bereft> {
        let codes = self.codes_by_member.get(&id).cloned().unwrap_or_default();
        let left = codes.into_iter();
        left.filter_map(|code| self.take_out(now, code, id, at))
            .collect()
    }

    /// Ends what is due.
    pub(super) fn end_due(&mut self, now: Moment) {
        while let Some((_, code)) = self
            .by_end
            .first()
            .copied()
            .filter(|(ends, _)| *ends <= now)
        {
            self.by_end.pop_first();
            let Some(room) = self.by_code.remove(&code) else {
                continue;
            };
            for member in room.members.keys() {
                self.forget_membership(code, *member);
            }
            if let Some(opened) = self.opened_by_network.get_mut(&room.network) {
                *opened -= 1;
                if *opened == 0 {
                    self.opened_by_network.remove(&room.network);
                }
            }
        }
    }

    fn count_of(&self, member: SignalId) -> usize {
        self.codes_by_member.get(&member).map_or(0, BTreeSet::len)
    }

    fn put_in(&mut self, code: RoomCode, who: RoomPeer, at: Place) {
        if let Some(room) = self.by_code.get_mut(&code) {
            let codes = self.codes_by_member.entry(who.peer_id).or_default();
            codes.insert(code);
            room.members.insert(who.peer_id, (at, who.display_name));
        }
    }

    fn take_out(
        &mut self,
        now: Moment,
        code: RoomCode,
        member: SignalId,
        at: Place,
    ) -> Option<Bereft> {
        let room = self.by_code.get_mut(&code)?;
        room.members
            .get(&member)
            .filter(|(place, _)| *place == at)?;
        room.members.remove(&member);
        let others = room.members.iter();
        let others = others.map(|(id, (place, _))| (*id, *place)).collect();
        self.forget_membership(code, member);
        self.end_if_empty(now, code);
        Some(Bereft { code, others })
    }

    /// Takes out who is where it joined no longer.
    fn prune(&mut self, now: Moment, leases: &Leases, code: RoomCode) {
        let Some(room) = self.by_code.get(&code) else {
            return;
        };
        let members = room.members.iter();
        let gone = members.filter(|(id, (at, _))| leases.place_of(now, **id) != Some(*at));
        let gone: Vec<_> = gone.map(|(id, (at, _))| (*id, *at)).collect();
        for (id, at) in gone {
            self.take_out(now, code, id, at);
        }
    }

    fn view(
        &self,
        now: Moment,
        leases: &Leases,
        code: RoomCode,
        asker: NodeId,
    ) -> Option<RoomView> {
        let room = self.by_code.get(&code)?;
        let members = room.members.iter();
        let members = members
            .filter(|(_, (at, _))| at.node == asker || leases.lives(now, at.node))
            .map(|(id, (at, name))| Member {
                peer: RoomPeer {
                    peer_id: *id,
                    display_name: name.clone(),
                },
                at: *at,
            });
        Some(RoomView {
            owner: room.owner,
            members: members.collect(),
            left: room.ends.since(now),
        })
    }

    fn end_if_empty(&mut self, now: Moment, code: RoomCode) {
        let empty = self.by_code.get(&code);
        if let Some(room) = empty.filter(|room| room.members.is_empty()) {
            let ends = room.ends.min(now.plus(EMPTY_FOR));
            self.ends_at(code, ends);
        }
    }

    fn ends_at(&mut self, code: RoomCode, ends: Moment) {
        if let Some(room) = self.by_code.get_mut(&code) {
            self.by_end.remove(&(room.ends, code));
            room.ends = ends;
            self.by_end.insert((ends, code));
        }
    }

    fn forget_membership(&mut self, code: RoomCode, member: SignalId) {
        if let Some(codes) = self.codes_by_member.get_mut(&member) {
            codes.remove(&code);
            if codes.is_empty() {
                self.codes_by_member.remove(&member);
            }
        }
    }
}

/// In the place of a hash where there is none: nobody knows anything with this one.
const UNREACHED: PasswordHash = [0; 32];
