//! Codes: giving out slots, claims and who pays for them, the end of a mailbox.
//!
//! The store knows which mailboxes there are. Here is only the *seat* of each id in one: what this instance was last
//! told of it. Who has a seat may be away.

use std::time::Duration;

use towline_wire::code::{HALF_LETTERS_MIN, Slot};
use towline_wire::signal::{ErrorCode, PairingFailure, RequestId, ServerMessage, SignalId};

use super::cluster::{Books, Then};
use super::shared::{Answer, Ask, Event, Made, Paid, SLOT_DRAWS, Side, Standing, Toll};
use super::{ClaimPayer, ConnectionId, Moment, Note, Phase, Rate, Rendezvous, Timer};

/// What is known here of an id's mailbox.
#[derive(Debug)]
pub(crate) struct Seat {
    side: Side,
    expires: Moment,
    standing: Standing,
    /// Who gets a token back when both are done.
    payers: Vec<ClaimPayer>,
}

impl Seat {
    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) const fn peer(&self) -> Option<SignalId> {
        self.standing.peer()
    }
}

impl Rendezvous {
    pub(super) fn create_code(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
    ) {
        match self.seats.get(&sender).map(Seat::standing) {
            Some(Standing::Joined { .. } | Standing::Done { .. }) => {
                self.leave_mailbox(now, sender)
            }
            Some(Standing::Waiting) | None => {}
        }
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let network = known.origin.household().quota_key();
        let mut draws = [0; SLOT_DRAWS];
        draws.fill_with(|| self.draw());
        let ask = Ask::Open {
            creator: sender,
            network,
            life: self.settings.code_life,
            draws,
        };
        let then = Then::TellCode {
            connection,
            id,
            sender,
        };
        self.ask(now, ask, then);
    }

    pub(super) fn opened(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        answer: Answer,
    ) {
        match (answer, self.is_present(connection, sender)) {
            (Answer::Opened { .. }, false) => self.nobody_waits(now, sender),
            (Answer::Opened { slot, left, made }, true) => {
                self.sit(now, sender, Side::Creator, left, Standing::Waiting);
                if made == Made::Now {
                    self.note(Note::CodeCreated, connection);
                }
                let (code, expires_in) = (slot, left.as_secs());
                self.answer(
                    connection,
                    id,
                    ServerMessage::PairingCode { code, expires_in },
                );
            }
            (Answer::NetworkIsFull, true) => {
                self.note(Note::LimitHit, connection);
                let why = "too many codes wait at this address";
                let wait = Some(Duration::from_secs(60));
                self.refuse_for(connection, id, ErrorCode::RateLimited, why, wait);
            }
            (Answer::AllSlotsTaken, true) => {
                let why = "all slots are taken";
                self.refuse(connection, id, ErrorCode::Unavailable, why);
            }
            (_, true) => self.refuse_cut_off(connection, id),
            (_, false) => {}
        }
    }

    /// Claims a mailbox. Paying comes first and the look at the slot is always taken, so that no
    /// failure differs from another in what is said or done.
    pub(super) fn use_code(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        slot: &Slot,
    ) {
        let payers = self.pay(now, connection, sender).unwrap_or_default();
        let ask = Ask::Claim {
            slot: slot.clone(),
            joiner: sender,
            paid: if payers.is_empty() {
                Paid::No
            } else {
                Paid::Yes
            },
            tolls: self.tolls(&payers),
        };
        let then = Then::JoinMailbox {
            connection,
            id,
            sender,
            payers,
        };
        self.ask(now, ask, then);
    }

    /// What is no code at all is looked after like a code that cannot be paid, and so is answered no sooner.
    pub(super) fn use_no_code(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
    ) {
        let phase = self.connections.get(&connection).map(|known| &known.phase);
        let Some(Phase::Present { id: sender, .. }) = phase else {
            return self.answer_failed_claim(connection, id);
        };
        let sender = *sender;
        let ask = Ask::Claim {
            slot: Slot::from_number(0, HALF_LETTERS_MIN),
            joiner: sender,
            paid: Paid::No,
            tolls: Vec::new(),
        };
        let then = Then::JoinMailbox {
            connection,
            id,
            sender,
            payers: Vec::new(),
        };
        self.ask(now, ask, then);
    }

    pub(super) fn joined(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        payers: Vec<ClaimPayer>,
        answer: Answer,
    ) {
        let is_present = self.is_present(connection, sender);
        match (answer, is_present) {
            (
                Answer::Claimed {
                    creator,
                    at,
                    left,
                    ended,
                },
                _,
            ) => {
                if let Some(ended) = ended {
                    self.rise(sender);
                    self.tell_end(now, sender, ended, PairingFailure::Cancelled);
                }
                self.note(Note::CodeClaimed, connection);
                let standing = Standing::Joined { peer: creator };
                self.sit(now, sender, Side::Joiner, left, standing);
                if let Some(seat) = self.seats.get_mut(&sender) {
                    seat.payers = payers;
                }
                if is_present {
                    self.answer(connection, id, ServerMessage::Paired { peer_id: creator });
                }
                if self.seats.contains_key(&creator) && !self.is_here(creator) {
                    let standing = Standing::Joined { peer: sender };
                    self.sit(now, creator, Side::Creator, left, standing);
                }
                let event = Event::Claimed { peer: sender, left };
                self.happen_at(now, at, creator, event);
                if !is_present {
                    self.nobody_waits(now, sender);
                }
            }
            (Answer::NotClaimed, _) => {
                if !payers.is_empty() {
                    self.count_failure(now);
                }
                if is_present {
                    self.answer_failed_claim(connection, id);
                }
            }
            (_, _) => {
                self.repay(now, &payers);
                if is_present {
                    self.refuse_cut_off(connection, id);
                }
            }
        }
    }

    pub(super) fn pairing_done(&mut self, now: Moment, sender: SignalId) {
        let ask = Ask::Done { member: sender };
        self.ask(now, ask, Then::FinishPairing { sender });
    }

    /// Both are done, says the store; `member` gets back what it paid.
    pub(super) fn both_done(&mut self, now: Moment, member: SignalId, peer: SignalId) {
        let Some(seat) = self.seats.get_mut(&member) else {
            return;
        };
        seat.standing = Standing::Done { peer };
        let payers = std::mem::take(&mut seat.payers);
        self.repay(now, &payers);
        self.arm_sweep(now);
    }

    /// The sender's mailbox ends by its own wish.
    pub(super) fn leave_mailbox(&mut self, now: Moment, sender: SignalId) {
        self.end_mailbox_of(now, sender, PairingFailure::Cancelled);
    }

    /// Ends the mailbox of an id; the other member learns why, unless both were done.
    pub(super) fn end_mailbox_of(&mut self, now: Moment, id: SignalId, reason: PairingFailure) {
        self.rise(id);
        let then = Then::TellEnd { member: id, reason };
        self.ask(now, Ask::End { member: id }, then);
    }

    /// Somebody for whom a mailbox was opened or claimed is gone by the time it was. A device can come back to it.
    fn nobody_waits(&mut self, now: Moment, id: SignalId) {
        match id {
            SignalId::Guest(_) if !self.is_here(id) => {
                self.end_mailbox_of(now, id, PairingFailure::PeerLeft);
            }
            SignalId::Guest(_) | SignalId::Device(_) => {}
        }
    }

    /// Gives an id its seat in a mailbox that lasts this long.
    pub(super) fn sit(
        &mut self,
        now: Moment,
        member: SignalId,
        side: Side,
        left: Duration,
        standing: Standing,
    ) {
        let payers = self.rise(member);
        let expires = now.plus(left);
        self.timers.insert((expires, Timer::Seat(member)));
        let seat = Seat {
            side,
            expires,
            standing,
            payers,
        };
        self.seats.insert(member, seat);
    }

    /// Takes an id's seat away; gives who had paid for it.
    pub(super) fn rise(&mut self, member: SignalId) -> Vec<ClaimPayer> {
        let Some(seat) = self.seats.remove(&member) else {
            return Vec::new();
        };
        self.timers.remove(&(seat.expires, Timer::Seat(member)));
        seat.payers
    }

    /// The time of a mailbox is over, here as in the store.
    pub(super) fn seat_expired(&mut self, now: Moment, member: SignalId) {
        let Some(seat) = self.seats.remove(&member) else {
            return;
        };
        if let Books::Own(store) = &mut self.books {
            store.forget_due(now);
        }
        match seat.standing {
            Standing::Waiting | Standing::Joined { .. } => {
                self.tell(
                    member,
                    ServerMessage::PairingFailed {
                        reason: PairingFailure::Expired,
                    },
                );
                if seat.side == Side::Creator {
                    self.note_of(Note::CodeExpired, None);
                    if seat.peer().is_some() {
                        self.count_failure(now);
                    }
                }
            }
            Standing::Done { .. } => {}
        }
        if let Some(peer) = seat.peer() {
            self.close_without_consent(now, member, peer);
        }
    }

    /// What needs the store is refused while it cannot be reached: only it knows what is taken and how often
    /// somebody has guessed.
    pub(super) fn refuse_cut_off(&mut self, connection: ConnectionId, id: Option<RequestId>) {
        let why = "the server cannot reach the others now";
        let wait = Some(CUT_OFF_RETRY);
        self.refuse_for(connection, id, ErrorCode::Unavailable, why, wait);
    }

    /// Takes a token from everybody who pays for this client's claims; all or none of them pay.
    pub(super) fn pay(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        sender: SignalId,
    ) -> Result<Vec<ClaimPayer>, Duration> {
        let networks = self
            .connections
            .get(&connection)
            .map(|known| known.origin.networks())
            .unwrap_or_default();
        let payers = std::iter::once(ClaimPayer::Client(sender))
            .chain(networks.into_iter().map(ClaimPayer::Network));
        let mut paid = Vec::with_capacity(4);
        let mut missing = None;
        self.arm_sweep(now);
        for payer in payers {
            match self.claims.take(now, payer, payer.claim_rate()) {
                Ok(()) => paid.push(payer),
                Err(wait) => missing = missing.max(Some(wait)),
            }
        }
        let Some(wait) = missing else { return Ok(paid) };
        for payer in paid {
            self.claims.give_back(&payer, payer.claim_rate());
        }
        Err(wait)
    }

    /// What is to be taken from the budgets that all instances share. Alone, an instance has taken it already.
    pub(super) fn tolls(&self, payers: &[ClaimPayer]) -> Vec<Toll> {
        let payers = match &self.books {
            Books::Own(_) => &[],
            Books::Shared(_) => payers,
        };
        payers.iter().map(|payer| payer.toll()).collect()
    }

    /// Gives back what was paid.
    pub(super) fn repay(&mut self, now: Moment, payers: &[ClaimPayer]) {
        for payer in payers {
            self.claims.give_back(payer, payer.claim_rate());
        }
        let tolls = self.tolls(payers);
        if !tolls.is_empty() {
            self.ask(now, Ask::GiveBack { tolls }, Then::Nothing);
        }
    }

    pub(super) fn count_failure(&mut self, now: Moment) {
        self.ask(now, Ask::CountFailure, Then::Nothing);
    }
}

impl ClaimPayer {
    fn toll(self) -> Toll {
        let key = match self {
            Self::Client(id) => id.to_string(),
            Self::Network(network) => network.quota_key(),
        };
        let rate = self.claim_rate();
        Toll { key, rate }
    }

    pub(super) const fn claim_rate(self) -> Rate {
        match self {
            Self::Client(SignalId::Device(_)) => CLAIM_RATE_DEVICE,
            Self::Client(SignalId::Guest(_)) => CLAIM_RATE_GUEST,
            Self::Network(network) => network.claim_rate(),
        }
    }
}

/// Claims of one device: 5, one more every two minutes. A person who mistypes five times waits.
const CLAIM_RATE_DEVICE: Rate = Rate {
    burst: 5,
    refill: Duration::from_secs(120),
};

/// Claims of one guest: 3; guests are free to make, so that their networks are the real bound.
const CLAIM_RATE_GUEST: Rate = Rate {
    burst: 3,
    refill: Duration::from_secs(200),
};

/// When to try again what needs the store while it cannot be reached: 2 s.
const CUT_OFF_RETRY: Duration = Duration::from_secs(2);
