//! Codes: giving out slots, claims and who pays for them, the end of a mailbox.

use std::time::Duration;

use towline_wire::code::Slot;
use towline_wire::limits::CODE_SECONDS;
use towline_wire::signal::{ErrorCode, PairingFailure, RequestId, ServerMessage, SignalId};

use super::mailboxes::{Ended, Standing};
use super::{ClaimPayer, ConnectionId, Moment, Note, Rate, Rendezvous, Timer};

impl Rendezvous {
    pub(super) fn create_code(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
    ) {
        match self.mailboxes.of(sender) {
            Some((slot, expires, Standing::Waiting)) => {
                let (code, expires_in) = (slot.clone(), expires.since(now).as_secs());
                return self.answer(
                    connection,
                    id,
                    ServerMessage::PairingCode { code, expires_in },
                );
            }
            Some((_, _, Standing::Joined { .. } | Standing::Done { .. })) => {
                self.leave_mailbox(now, sender)
            }
            None => {}
        }
        let Some(known) = self.connections.get(&connection) else {
            return;
        };
        let network = known.origin.household();
        if self.mailboxes.waiting_from(network) >= WAITING_PER_NETWORK_MAX {
            self.note(Note::LimitHit, connection);
            let why = "too many codes wait at this address";
            return self.refuse_for(
                connection,
                id,
                ErrorCode::RateLimited,
                why,
                Some(Duration::from_secs(60)),
            );
        }
        let long = now < self.long_slots_until;
        let Some(slot) = self.mailboxes.free_slot(&mut self.random, long) else {
            return self.refuse(
                connection,
                id,
                ErrorCode::Unavailable,
                "all slots are taken",
            );
        };
        let expires = now.plus(self.settings.code_life);
        self.mailboxes.open(slot.clone(), sender, network, expires);
        self.timers.insert((expires, Timer::Mailbox(slot.clone())));
        self.note(Note::CodeCreated, connection);
        self.answer(
            connection,
            id,
            ServerMessage::PairingCode {
                code: slot,
                expires_in: self.settings.code_life.as_secs(),
            },
        );
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
        let payment = self.pay(now, connection, sender);
        let creator = self.mailboxes.claimable(slot, sender);
        let paid = payment.is_ok();
        let (Ok(payers), Some(creator)) = (payment, creator) else {
            if paid {
                self.count_failure(now);
            }
            return self.answer_failed_claim(connection, id);
        };
        self.leave_mailbox(now, sender);
        if let Some((before, after)) = self.mailboxes.join(slot, sender, payers, now) {
            self.timers.remove(&(before, Timer::Mailbox(slot.clone())));
            self.timers.insert((after, Timer::Mailbox(slot.clone())));
        }
        self.note(Note::CodeClaimed, connection);
        self.answer(connection, id, ServerMessage::Paired { peer_id: creator });
        self.tell(creator, ServerMessage::Paired { peer_id: sender });
    }

    pub(super) fn pairing_done(&mut self, now: Moment, sender: SignalId) {
        let Some(payers) = self.mailboxes.done(sender) else {
            return;
        };
        if payers.is_empty() {
            return;
        }
        for payer in payers {
            self.claims.give_back(&payer, payer.claim_rate());
        }
        self.arm_sweep(now);
        self.note_of(Note::PairingDone, None);
    }

    /// The sender's mailbox ends by its own wish.
    pub(super) fn leave_mailbox(&mut self, now: Moment, sender: SignalId) {
        self.end_mailbox_of(now, sender, PairingFailure::Cancelled);
    }

    /// Ends the mailbox of an id; the other member learns why, unless both were done.
    pub(super) fn end_mailbox_of(&mut self, now: Moment, id: SignalId, reason: PairingFailure) {
        let Some((slot, expires, ended)) = self.mailboxes.end_of(id) else {
            return;
        };
        self.timers.remove(&(expires, Timer::Mailbox(slot)));
        let others = [Some(ended.creator), ended.joiner]
            .into_iter()
            .flatten()
            .filter(|member| *member != id);
        if !ended.was_done {
            for other in others {
                self.tell(other, ServerMessage::PairingFailed { reason });
            }
        }
        self.after_mailbox(now, &ended);
    }

    pub(super) fn mailbox_expired(&mut self, now: Moment, slot: &Slot) {
        let Some(ended) = self.mailboxes.end(slot) else {
            return;
        };
        if !ended.was_done {
            self.note_of(Note::CodeExpired, None);
            for member in [Some(ended.creator), ended.joiner].into_iter().flatten() {
                self.tell(
                    member,
                    ServerMessage::PairingFailed {
                        reason: PairingFailure::Expired,
                    },
                );
            }
        }
        self.after_mailbox(now, &ended);
    }

    fn after_mailbox(&mut self, now: Moment, ended: &Ended) {
        let Some(joiner) = ended.joiner else { return };
        if !ended.was_done {
            self.count_failure(now);
        }
        self.close_without_consent(now, ended.creator, joiner);
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

    fn count_failure(&mut self, now: Moment) {
        if self.failures.take(now, FAILURE_RATE, 1).is_err() {
            self.long_slots_until = now.plus(LONG_SLOTS_FOR);
        }
    }
}

impl ClaimPayer {
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

/// Codes that may wait from one address: 64, a classroom behind one router.
const WAITING_PER_NETWORK_MAX: u32 = 64;

/// Failed claims and burned mailboxes of everybody: 50 a second. More is somebody searching, and
/// slots of four letters make that 32 times as dear.
const FAILURE_RATE: Rate = Rate::per_second(50, 500);

/// How long slots stay long after that: five minutes, the life of a code.
const LONG_SLOTS_FOR: Duration = Duration::from_secs(CODE_SECONDS);
