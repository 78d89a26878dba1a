//! Asking and being answered: the store, alone or shared, and the other instances.
//!
//! Alone, a question is answered before [`ask`](Rendezvous::ask) returns. One of several puts it out as
//! [`Output::Ask`], keeps what is to follow under its ticket, and goes on when the answer comes. In both cases the same
//! code follows. Nothing relies on a message between instances: what is lost is made good by the next question, since
//! the store is asked whenever something crosses.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use towline_wire::signal::{CloseCode, PairingFailure, RequestId, ServerMessage, SignalId};

use super::meeting::{RoomThen, Why};
use super::pairing::Seat;
use super::relay::Passage;
use super::shared::{
    Answer, Ask, Between, Event, Instance, LEASE, NodeId, Place, RENEWED_AT_ONCE_MAX, Side,
    Standing, Ticket,
};
use super::store::Store;
use super::{ClaimPayer, ConnectionId, Moment, Output, Phase, Reached, Rendezvous, Timer};

/// Where the books are kept.
#[derive(Debug)]
pub(crate) enum Books {
    Own(Box<Store>),
    Shared(Shared),
}

/// The questions of an instance that shares its books.
#[derive(Debug)]
pub(crate) struct Shared {
    node: NodeId,
    next: u64,
    then_by_ticket: BTreeMap<Ticket, Then>,
    reach: Reach,
    reached: Moment,
    /// Whoever comes after this id is renewed next.
    renewed_to: Option<SignalId>,
}

/// Whether the store can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It answers, and messages of other instances arrive.
    Reached,
    /// It has not since the start.
    NotYet,
    /// It does not any more, since then.
    CutOff(Moment),
}

/// What follows an answer.
#[derive(Debug)]
pub(crate) enum Then {
    Welcome {
        connection: ConnectionId,
        who: SignalId,
    },
    TellCode {
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
    },
    JoinMailbox {
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        payers: Vec<ClaimPayer>,
    },
    FinishPairing {
        sender: SignalId,
    },
    TellEnd {
        member: SignalId,
        reason: PairingFailure,
    },
    PassOn(Passage),
    TellWhoIsFound {
        event: Event,
    },
    Introduce {
        watcher: SignalId,
    },
    Room(RoomThen),
    TellBereft,
    MissNodes,
    CloseLost,
    Nothing,
}

impl Shared {
    pub(super) const fn node(&self) -> NodeId {
        self.node
    }
}

impl Books {
    pub(super) fn new(instance: Instance) -> Self {
        match instance {
            Instance::Alone => Self::Own(Box::new(Store::of_one())),
            Instance::OneOfSeveral(node) => Self::Shared(Shared {
                node,
                next: 0,
                then_by_ticket: BTreeMap::new(),
                reach: Reach::NotYet,
                reached: Moment::START,
                renewed_to: None,
            }),
        }
    }
}

impl Rendezvous {
    /// Asks the store. What follows happens before this returns, or when the answer comes.
    pub(super) fn ask(&mut self, now: Moment, ask: Ask, then: Then) {
        match &mut self.books {
            Books::Own(store) => {
                let answer = store.carry_out(now, ask);
                self.follow(now, then, answer);
            }
            Books::Shared(shared) => {
                let full = shared.then_by_ticket.len() >= ASKED_AT_ONCE_MAX;
                if full || shared.reach != Reach::Reached {
                    return self.follow(now, then, Answer::Unavailable);
                }
                let ticket = Ticket(shared.next);
                shared.next += 1;
                shared.then_by_ticket.insert(ticket, then);
                self.outputs.push_back(Output::Ask { ticket, ask });
            }
        }
    }

    pub(super) fn answered(&mut self, now: Moment, ticket: Ticket, answer: Answer) {
        let Books::Shared(shared) = &mut self.books else {
            return;
        };
        if let Some(then) = shared.then_by_ticket.remove(&ticket) {
            self.follow(now, then, answer);
        }
    }

    /// The store is there, or is no more. What it has forgotten it is told again.
    pub(super) fn reach(&mut self, now: Moment, reached: Reached) {
        let Books::Shared(shared) = &mut self.books else {
            return;
        };
        match (shared.reach, reached) {
            (Reach::Reached, Reached::Yes) | (Reach::NotYet | Reach::CutOff(_), Reached::No) => {}
            (Reach::Reached, Reached::No) => {
                shared.reach = Reach::CutOff(now);
                let all = std::mem::take(&mut shared.then_by_ticket);
                for then in all.into_values() {
                    self.follow(now, then, Answer::Unavailable);
                }
            }
            (Reach::NotYet | Reach::CutOff(_), Reached::Yes) => {
                shared.reach = Reach::Reached;
                shared.reached = now;
                self.renew_all(now);
                self.timers.retain(|(_, timer)| *timer != Timer::Beat);
                self.beat(now);
                self.look_for_all(now);
                self.look_at_all_rooms(now);
            }
        }
    }

    /// For how long the store has been out of reach, if it is.
    pub const fn cut_off_for(&self, now: Moment) -> Option<Duration> {
        match &self.books {
            Books::Own(_) => None,
            Books::Shared(shared) => match shared.reach {
                Reach::Reached => None,
                Reach::NotYet => Some(Duration::MAX),
                Reach::CutOff(since) => Some(now.since(since)),
            },
        }
    }

    /// The same, and nothing while it is there; before it was there for the first time, since the start.
    pub(super) fn out_of_reach_for(&self, now: Moment) -> Duration {
        let cut_off = self.cut_off_for(now).unwrap_or_default();
        cut_off.min(now.since_start())
    }

    /// For how long the store has been there, if it is.
    pub(super) const fn reached_for(&self, now: Moment) -> Duration {
        match &self.books {
            Books::Own(_) => Duration::MAX,
            Books::Shared(shared) => now.since(shared.reached),
        }
    }

    /// Questions that wait for their answers.
    pub fn asked_len(&self) -> usize {
        match &self.books {
            Books::Own(_) => 0,
            Books::Shared(shared) => shared.then_by_ticket.len(),
        }
    }

    pub(super) const fn place(&self, connection: ConnectionId) -> Place {
        let node = match &self.books {
            Books::Own(_) => NodeId(0),
            Books::Shared(shared) => shared.node,
        };
        Place { node, connection }
    }

    /// Says again of everybody here that they are.
    fn renew_all(&mut self, now: Moment) {
        if let Books::Shared(shared) = &mut self.books {
            shared.renewed_to = None;
        }
        for _ in 0..self.renewed_in_parts() {
            self.renew_some(now);
        }
        self.renew_later(now);
    }

    /// Says again of some here that they are, in turn. All together would keep a code waiting for longer than it may.
    pub(super) fn renew(&mut self, now: Moment) {
        self.renew_some(now);
        self.renew_later(now);
    }

    fn renew_some(&mut self, now: Moment) {
        let Books::Shared(shared) = &self.books else {
            return;
        };
        let after = shared.renewed_to.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.connection_by_id.range((after, Bound::Unbounded));
        let present: Vec<_> = rest
            .by_ref()
            .take(RENEWED_AT_ONCE_MAX)
            .map(|(id, connection)| (*id, self.place(*connection)))
            .collect();
        let last = present.last().map(|(id, _)| *id);
        let renewed_to = rest.next().and(last);
        if let Books::Shared(shared) = &mut self.books {
            shared.renewed_to = renewed_to;
        }
        if !present.is_empty() {
            self.ask(now, Ask::Renew { present }, Then::CloseLost);
        }
    }

    fn renew_later(&mut self, now: Moment) {
        if matches!(self.books, Books::Own(_)) {
            return;
        }
        self.timers.retain(|(_, timer)| *timer != Timer::Renewal);
        let apart = RENEW_EVERY / self.renewed_in_parts();
        let wait = apart.mul_f64(0.9 + f64::from(self.draw() % 1000) / 5000.0);
        self.timers.insert((now.plus(wait), Timer::Renewal));
    }

    /// In how many parts all who are here are renewed.
    fn renewed_in_parts(&self) -> u32 {
        let parts = self.connection_by_id.len().div_ceil(RENEWED_AT_ONCE_MAX);
        u32::try_from(parts).unwrap_or(u32::MAX).max(1)
    }

    /// Says something to an id at another instance.
    pub(super) fn tell_at(&mut self, at: Place, to: SignalId, event: Event) {
        let node = at.node;
        let message = Between { to, event };
        self.outputs.push_back(Output::Publish { node, message });
    }

    /// Lets something happen to an id that is here, or at this place elsewhere.
    pub(super) fn happen_at(&mut self, now: Moment, at: Option<Place>, to: SignalId, event: Event) {
        if self.is_here(to) {
            self.happened_elsewhere(now, Between { to, event });
        } else if let Some(at) = at.filter(|at| *at != self.place(at.connection)) {
            self.tell_at(at, to, event);
        }
    }

    /// The same for an id whose place must be asked for.
    pub(super) fn happen_to(&mut self, now: Moment, to: SignalId, event: Event) {
        if self.is_here(to) {
            return self.happened_elsewhere(now, Between { to, event });
        }
        match &self.books {
            Books::Own(_) => {}
            Books::Shared(_) => {
                self.ask(
                    now,
                    Ask::Find { ids: vec![to] },
                    Then::TellWhoIsFound { event },
                );
            }
        }
    }

    pub(super) fn is_here(&self, id: SignalId) -> bool {
        self.connection_by_id.contains_key(&id)
    }

    /// What another instance says of an id that should be here.
    pub(super) fn happened_elsewhere(&mut self, now: Moment, message: Between) {
        let Between { to, event } = message;
        let Some(connection) = self.connection_by_id.get(&to).copied() else {
            if let Event::Relayed { from, at, notice } = event {
                self.relayed_from_afar(to, from, at, notice);
            }
            return;
        };
        match event {
            Event::Replaced { connection: old } => {
                if old == connection {
                    self.replaced(now, connection, to);
                }
            }
            Event::Claimed { peer, left } => {
                self.sit(now, to, Side::Creator, left, Standing::Joined { peer });
                self.say(connection, ServerMessage::Paired { peer_id: peer });
            }
            Event::BothDone { peer } => self.both_done(now, to, peer),
            Event::MailboxEnded { peer, reason } => {
                if self.seats.get(&to).and_then(Seat::peer) == Some(peer) {
                    self.rise(to);
                    if let Some(reason) = reason {
                        self.say(connection, ServerMessage::PairingFailed { reason });
                    }
                    self.close_without_consent(now, to, peer);
                }
            }
            Event::MemberCame { peer } => {
                if self.share_mailbox(to, peer) {
                    self.say(connection, ServerMessage::PeerConnected { peer_id: peer });
                }
            }
            Event::MemberLeft { peer } => {
                if self.share_mailbox(to, peer) {
                    self.say(
                        connection,
                        ServerMessage::PeerDisconnected { peer_id: peer },
                    );
                }
            }
            Event::Watching { watcher, at, back } => {
                self.watched_from_afar(now, to, watcher, at, back);
            }
            Event::Unwatching { watcher, at } => {
                self.away_from_afar(to, watcher, at);
                if let (Some(one), Some(other)) = (to.device(), watcher.device()) {
                    self.close_between(now, one, other);
                }
            }
            Event::Away { who, at } => self.away_from_afar(to, who, at),
            Event::Relayed { from, at, notice } => self.relayed_from_afar(to, from, at, notice),
            Event::ChannelWanted { by, at, request } => {
                self.channel_wanted(now, to, by, at, request.id);
            }
            Event::ChannelReady { peer, notice } => self.channel_ready(to, peer, notice),
            Event::RoomChanged { code } => self.look_at_room(now, code, Why::IsTold),
            Event::PassedInRoom { code, notice } => {
                self.passed_in_room(now, to, code, notice);
            }
            Event::Passed { notice } => self.send(connection, notice),
        }
    }

    /// Goes on after an answer. Who asked may be gone by now.
    fn follow(&mut self, now: Moment, then: Then, answer: Answer) {
        match (then, answer) {
            (
                Then::Welcome { connection, who },
                Answer::Arrived {
                    before,
                    mailbox,
                    held,
                },
            ) => {
                if let Some(old) = before {
                    let connection = old.connection;
                    if old != self.place(connection) {
                        self.tell_at(old, who, Event::Replaced { connection });
                    }
                }
                if self.connection_by_id.get(&who) == Some(&connection) {
                    self.back_to_mailbox(now, connection, who, mailbox, held);
                }
            }
            (Then::Welcome { connection, who }, Answer::Unavailable) => {
                // What was known here of its mailbox is from before, and it may have been elsewhere since.
                if self.connection_by_id.get(&who) == Some(&connection) {
                    self.rise(who);
                }
            }
            (
                Then::TellCode {
                    connection,
                    id,
                    sender,
                },
                answer,
            ) => self.opened(now, connection, id, sender, answer),
            (
                Then::JoinMailbox {
                    connection,
                    id,
                    sender,
                    payers,
                },
                answer,
            ) => self.joined(now, connection, id, sender, payers, answer),
            (Then::FinishPairing { sender }, Answer::BothDone { peer, at }) => {
                self.note_of(super::Note::PairingDone, None);
                self.both_done(now, sender, peer);
                if !self.is_here(peer) {
                    self.both_done(now, peer, sender);
                }
                self.happen_at(now, at, peer, Event::BothDone { peer: sender });
            }
            (Then::TellEnd { member, reason }, Answer::Ended(Some(ended))) => {
                self.tell_end(now, member, ended, reason);
            }
            (Then::PassOn(passage), Answer::PassOn { at }) => {
                let notice = passage.notice;
                self.happen_at(now, Some(at), passage.to, Event::Passed { notice });
            }
            (Then::PassOn(_), Answer::Kept) => {}
            (Then::PassOn(passage), Answer::Unavailable) => {
                self.refuse_cut_off(passage.connection, passage.id);
            }
            // The mailbox may have ended, and a room or a standing consent be there.
            (Then::PassOn(passage), _) => self.relay_elsewhere(now, passage),
            (Then::Room(then), answer) => self.follow_room(now, then, answer),
            (Then::TellBereft, Answer::Departed(rooms)) => self.tell_bereft(rooms),
            (Then::TellWhoIsFound { event }, Answer::Found(found)) => {
                for (id, at) in found {
                    self.happen_at(now, Some(at), id, event.clone());
                }
            }
            (Then::Introduce { watcher }, Answer::Found(found)) => self.introduce(watcher, found),
            (Then::MissNodes, Answer::Beaten { gone }) => self.miss_nodes(now, &gone),
            (Then::CloseLost, Answer::Renewed { lost }) => {
                for id in lost {
                    if let Some(connection) = self.connection_by_id.get(&id).copied() {
                        self.close(now, connection, CloseCode::Replaced);
                    }
                }
            }
            // What the store does not do now is made good by its own clock, or asked again by who misses it.
            (_, _) => {}
        }
    }

    pub(super) fn is_present(&self, connection: ConnectionId, who: SignalId) -> bool {
        self.connections
            .get(&connection)
            .is_some_and(|known| match &known.phase {
                Phase::Present { id, .. } => *id == who,
                Phase::ExpectRegister { .. } | Phase::Relay { .. } => false,
            })
    }

    /// The other member of a mailbox that ended learns why, unless both were done.
    pub(super) fn tell_end(
        &mut self,
        now: Moment,
        member: SignalId,
        ended: super::shared::Ended,
        reason: PairingFailure,
    ) {
        let Some(peer) = ended.standing.peer() else {
            return;
        };
        let reason = match ended.standing {
            Standing::Done { .. } => None,
            Standing::Waiting | Standing::Joined { .. } => {
                self.count_failure(now);
                Some(reason)
            }
        };
        let told = Event::MailboxEnded {
            peer: member,
            reason,
        };
        self.happen_at(now, ended.at, peer, told);
        if !self.is_here(peer) {
            self.rise(peer);
            self.close_without_consent(now, member, peer);
        }
    }
}

/// Time between two renewals of one who is here: 30 s, a tenth more or less; two may be lost within a [`LEASE`].
const RENEW_EVERY: Duration = Duration::from_secs(LEASE.as_secs() / 3);

/// Questions that wait for answers: 16,384, what Redis answers in a fifth of a second.
const ASKED_AT_ONCE_MAX: usize = 1 << 14;
