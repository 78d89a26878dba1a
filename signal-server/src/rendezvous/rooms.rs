//! The rooms: who opened them, who is in them, what their password is.
//!
//! A room ends when nothing has happened in it for its time, or some while after the last member has left. An id is
//! in a few at most. This module keeps the books and decides nothing about messages; each of its steps is one that
//! a store which several instances share can do at once, too.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use towline_wire::signal::{PasswordProof, ROOM_MEMBERS_MAX, RoomCode, RoomPeer, SignalId};

use super::network::Network;
use super::{Budget, Moment, Rate};

#[derive(Debug)]
pub(crate) struct Rooms {
    by_code: BTreeMap<RoomCode, Room>,
    codes_by_member: BTreeMap<SignalId, Vec<RoomCode>>,
    opened_by_network: BTreeMap<Network, u32>,
    rooms_max: usize,
    life: Duration,
}

#[derive(Debug)]
struct Room {
    owner: SignalId,
    network: Network,
    password: Option<Hash>,
    members: Vec<RoomPeer>,
    guesses: Budget,
    ends: Moment,
    /// The timer that is armed for it; it may come before the end.
    timer: Moment,
}

/// Of a proof. What is kept opens no room.
type Hash = [u8; 32];

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotLetIn {
    /// No such room, another password, or too many wrong ones.
    NotFound,
    /// Code and password are right.
    Full,
}

/// Why no room was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// There are as many as there may be.
    All,
    /// As many as there may be were opened from one network.
    Network,
}

/// Somebody who was let in.
#[derive(Debug)]
pub(crate) struct LetIn {
    pub(crate) owner: SignalId,
    /// The others.
    pub(crate) peers: Vec<RoomPeer>,
    pub(crate) entered: Entered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    Now,
    Before,
}

/// What a look at a room after its timer shows.
#[derive(Debug)]
pub(crate) enum Look {
    /// It lasts; look again then.
    Lasts(Moment),
    /// It has ended with these in it.
    Ended(Vec<SignalId>),
}

impl Rooms {
    pub(crate) const fn new(rooms_max: usize, life: Duration) -> Self {
        Self {
            by_code: BTreeMap::new(),
            codes_by_member: BTreeMap::new(),
            opened_by_network: BTreeMap::new(),
            rooms_max,
            life,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_code.len()
    }

    /// Entries of all lists.
    pub(crate) fn records(&self) -> usize {
        self.codes_by_member.len() + self.opened_by_network.len()
    }

    /// In how many rooms an id is.
    pub(crate) fn count_of(&self, member: SignalId) -> usize {
        self.codes_by_member.get(&member).map_or(0, Vec::len)
    }

    /// Opens a room with its owner in it; gives its code and when to look at it.
    pub(crate) fn open(
        &mut self,
        now: Moment,
        random: &mut impl RngCore,
        owner: RoomPeer,
        network: Network,
    ) -> Result<(RoomCode, Moment), NotOpened> {
        if self.by_code.len() >= self.rooms_max {
            return Err(NotOpened::All);
        }
        let opened = self.opened_by_network.entry(network).or_default();
        if *opened >= OPENED_PER_NETWORK_MAX {
            return Err(NotOpened::Network);
        }
        *opened += 1;
        let code = loop {
            // 50 random bits: a second round does not happen.
            let code = RoomCode::from_number(random.next_u64());
            if !self.by_code.contains_key(&code) {
                break code;
            }
        };
        let ends = now.plus(self.life);
        let codes = self.codes_by_member.entry(owner.peer_id).or_default();
        codes.push(code);
        self.by_code.insert(
            code,
            Room {
                owner: owner.peer_id,
                network,
                password: None,
                members: vec![owner],
                guesses: Budget::default(),
                ends,
                timer: ends,
            },
        );
        Ok((code, ends))
    }

    /// Sets or takes away a password; `false` where the sender has opened no such room.
    #[must_use]
    pub(crate) fn lock(
        &mut self,
        now: Moment,
        code: RoomCode,
        sender: SignalId,
        password: Option<&PasswordProof>,
    ) -> bool {
        let Some(room) = self.by_code.get_mut(&code) else {
            return false;
        };
        if room.owner != sender || !room.has(sender) {
            return false;
        }
        room.password = password.map(hash);
        room.ends = now.plus(self.life);
        true
    }

    /// Lets somebody in who knows code and password; nobody where there is no code. The look-up, the hash and the comparison are made in every
    /// case.
    pub(crate) fn join(
        &mut self,
        now: Moment,
        code: Option<RoomCode>,
        who: RoomPeer,
        password: Option<&PasswordProof>,
    ) -> Result<LetIn, NotLetIn> {
        let shown = hash(password.unwrap_or(&NO_PASSWORD));
        let found = code.and_then(|code| Some((code, self.by_code.get_mut(&code)?)));
        let wanted = found.as_ref().and_then(|(_, room)| room.password);
        let is_right = shown.ct_eq(&wanted.unwrap_or(UNREACHED));
        // A room without a password takes any: who joins may have been told of one that was taken away.
        let is_open = subtle::Choice::from(u8::from(found.is_some() && wanted.is_none()));
        let lets_in = u8::conditional_select(&is_right.unwrap_u8(), &1, is_open);
        let (code, room) = found.ok_or(NotLetIn::NotFound)?;
        if wanted.is_some() && room.guesses.take(now, GUESS_RATE, 1).is_err() || lets_in == 0 {
            return Err(NotLetIn::NotFound);
        }
        if wanted.is_some() {
            room.guesses.give_back(GUESS_RATE);
        }
        let entered = if room.has(who.peer_id) {
            Entered::Before
        } else if room.members.len() >= ROOM_MEMBERS_MAX {
            return Err(NotLetIn::Full);
        } else {
            Entered::Now
        };
        room.ends = now.plus(self.life);
        let peers = room.members.iter();
        let peers = peers
            .filter(|peer| peer.peer_id != who.peer_id)
            .cloned()
            .collect();
        if entered == Entered::Now {
            let codes = self.codes_by_member.entry(who.peer_id).or_default();
            codes.push(code);
            room.members.push(who);
        }
        Ok(LetIn {
            owner: room.owner,
            peers,
            entered,
        })
    }

    /// Takes a member out; gives the others, and when to look at the room if that is sooner than before.
    pub(crate) fn leave(
        &mut self,
        now: Moment,
        code: RoomCode,
        member: SignalId,
    ) -> Option<(Vec<SignalId>, Option<Rearm>)> {
        let room = self.by_code.get_mut(&code)?;
        let at = room.position(member)?;
        room.members.remove(at);
        let mut rearm = None;
        if room.members.is_empty() {
            room.ends = room.ends.min(now.plus(EMPTY_FOR));
            if room.ends < room.timer {
                let before = std::mem::replace(&mut room.timer, room.ends);
                rearm = Some(Rearm {
                    before,
                    after: room.ends,
                });
            }
        }
        let others = room.ids();
        self.forget_membership(code, member);
        Some((others, rearm))
    }

    /// All rooms that an id is in.
    pub(crate) fn of(&self, member: SignalId) -> Vec<RoomCode> {
        self.codes_by_member
            .get(&member)
            .cloned()
            .unwrap_or_default()
    }

    /// Whether both are in one room; something passes between them there.
    pub(crate) fn meet(&mut self, now: Moment, one: SignalId, other: SignalId) -> bool {
        let Some(codes) = self.codes_by_member.get(&one) else {
            return false;
        };
        for code in codes {
            if let Some(room) = self.by_code.get_mut(code)
                && one != other
                && room.has(other)
            {
                room.ends = now.plus(self.life);
                return true;
            }
        }
        false
    }

    /// Looks at a room whose timer is due.
    pub(crate) fn look(&mut self, now: Moment, code: RoomCode) -> Option<Look> {
        let room = self.by_code.get_mut(&code)?;
        if now < room.ends {
            room.timer = room.ends;
            return Some(Look::Lasts(room.ends));
        }
        let room = self.by_code.remove(&code)?;
        let members = room.ids();
        for member in &members {
            self.forget_membership(code, *member);
        }
        if let Some(opened) = self.opened_by_network.get_mut(&room.network) {
            *opened -= 1;
            if *opened == 0 {
                self.opened_by_network.remove(&room.network);
            }
        }
        Some(Look::Ended(members))
    }

    fn forget_membership(&mut self, code: RoomCode, member: SignalId) {
        if let Some(codes) = self.codes_by_member.get_mut(&member) {
            codes.retain(|other| *other != code);
            if codes.is_empty() {
                self.codes_by_member.remove(&member);
            }
        }
    }
}

/// A timer that is to come sooner.
#[derive(Debug)]
pub(crate) struct Rearm {
    pub(crate) before: Moment,
    pub(crate) after: Moment,
}

impl Room {
    fn position(&self, member: SignalId) -> Option<usize> {
        self.members.iter().position(|peer| peer.peer_id == member)
    }

    fn has(&self, member: SignalId) -> bool {
        self.position(member).is_some()
    }

    fn ids(&self) -> Vec<SignalId> {
        self.members.iter().map(|peer| peer.peer_id).collect()
    }
}

fn hash(proof: &PasswordProof) -> Hash {
    Sha256::digest(proof.reveal()).into()
}

/// In the place of a proof that was not shown.
const NO_PASSWORD: PasswordProof = PasswordProof::from_bytes([0; 32]);

/// In the place of a hash where there is none: nobody knows anything with this one.
const UNREACHED: Hash = [0; 32];

/// Wrong passwords for one room, from everybody: 32, one more every 20 s. Who knows the code and guesses from a
/// thousand addresses has 4,320 tries a day; as long as somebody does, nobody else comes in either.
const GUESS_RATE: Rate = Rate {
    burst: 32,
    refill: Duration::from_secs(20),
};

/// How long an empty room is kept for members who come back: a minute, a lost connection and a new one.
pub(crate) const EMPTY_FOR: Duration = Duration::from_secs(60);

/// Rooms that were opened from one address and last: 64, a school behind one router.
pub(crate) const OPENED_PER_NETWORK_MAX: u32 = 64;
