//! The stage of a pairing under way, whichever side this device is on, and what a turn is made of.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use towline_wire::code::{PairingCode, Slot};
use towline_wire::frame::FrameError;
use towline_wire::ids::DeviceId;
use towline_wire::link_uri::LinkUri;
use towline_wire::pairing::{PairingMessage, RefuseReason};
use towline_wire::server_url::ServerUrl;

use super::creator::Creator;
use super::exchange::Farewell;
use super::joiner::Joiner;
use super::{CODE_LIFE, Ourselves};
use crate::clock::Moment;
use crate::records::PeerRecord;
use crate::snapshot::{PairingFault, PairingSummary};

/// What a pairing under way waits for.
pub(super) enum Stage {
    Creator(Creator),
    Joiner(Joiner),
}

/// What a stage makes of what came: the next stage, and what is said and told on the way.
pub(super) struct Turn<S> {
    pub(super) next: S,
    pub(super) say: Vec<PairingMessage>,
    pub(super) paired: Option<PeerRecord>,
}

/// Why a pairing ends here, and what the other side is told of it.
pub(super) struct Stop {
    pub(super) fault: PairingFault,
    pub(super) tell: Option<RefuseReason>,
}

/// What a stage may use.
pub(super) struct Surroundings<'a> {
    pub(super) us: &'a Ourselves<'a>,
    pub(super) rng: &'a mut ChaCha20Rng,
}

impl Stage {
    pub(super) fn opened(
        self,
        slot: Slot,
        server: ServerUrl,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        match self {
            Self::Creator(creator) => creator.opened(slot, server, around).map(Turn::of_creator),
            Self::Joiner(_) => Err(Stop::protocol()),
        }
    }

    pub(super) fn joined(self, around: &mut Surroundings<'_>) -> Result<Turn<Self>, Stop> {
        match self {
            Self::Creator(creator) => creator.joined().map(Turn::of_creator),
            Self::Joiner(joiner) => joiner.joined(around).map(Turn::of_joiner),
        }
    }

    pub(super) fn received(
        self,
        message: PairingMessage,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        match self {
            Self::Creator(creator) => creator.received(message, around).map(Turn::of_creator),
            Self::Joiner(joiner) => joiner.received(message, around).map(Turn::of_joiner),
        }
    }

    /// The mailbox is gone, or the other side is silent.
    pub(super) fn lost(self, fault: PairingFault) -> Result<Turn<Self>, Stop> {
        match self {
            Self::Creator(creator) => creator.lost(fault).map(Turn::of_creator),
            Self::Joiner(_) => Err(Stop::silent(fault)),
        }
    }

    /// The new peer and the last word to it, once our own disk has it.
    pub(super) fn durable(self) -> Option<(DeviceId, Option<PairingMessage>)> {
        match self {
            Self::Creator(creator) => creator.durable().map(|peer| (peer, None)),
            Self::Joiner(joiner) => joiner.durable().map(|(peer, kept)| (peer, Some(kept))),
        }
    }

    /// Whether only the other side can have said this. Until it has proved the secret nobody can
    /// tell; from then on what anybody else says, or the server changes, is not for this pairing.
    pub(super) fn is_genuine(&self, message: &Result<PairingMessage, FrameError>) -> bool {
        let confirmed = match self {
            Self::Creator(creator) => creator.confirmed(),
            Self::Joiner(joiner) => joiner.confirmed(),
        };
        let Some(secured) = confirmed else {
            return true;
        };
        match message {
            Ok(PairingMessage::Sealed(sealed)) => secured.is_sealed_by_peer(sealed),
            Ok(PairingMessage::Refuse(refuse)) => secured.is_refused_by_peer(refuse),
            Ok(PairingMessage::Share(_) | PairingMessage::Confirm(_)) | Err(_) => false,
        }
    }

    /// How this side ends the pairing in this stage.
    pub(super) fn farewell(&self) -> Farewell {
        match self {
            Self::Creator(creator) => creator.farewell(),
            Self::Joiner(joiner) => joiner.farewell(),
        }
    }

    /// Whether the other side is in the mailbox.
    pub(super) const fn is_met(&self) -> bool {
        match self {
            Self::Creator(creator) => creator.is_met(),
            Self::Joiner(joiner) => joiner.is_met(),
        }
    }

    /// Whether the new peer is decided and being made durable.
    pub(super) const fn is_settled(&self) -> bool {
        matches!(
            self,
            Self::Creator(Creator::ExpectDurable { .. })
                | Self::Joiner(Joiner::ExpectDurable { .. })
        )
    }

    /// The code and link on the screen.
    pub(super) const fn shown(&self) -> Option<(&PairingCode, &LinkUri)> {
        match self {
            Self::Creator(Creator::ExpectJoiner { code, link }) => Some((code, link)),
            Self::Creator(_) | Self::Joiner(_) => None,
        }
    }

    /// How long this stage waits; `None` for our own disk, which always answers.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self {
            Self::Creator(Creator::ExpectMailbox { .. })
            | Self::Joiner(Joiner::ExpectMailbox { .. }) => Some(MAILBOX_PATIENCE),
            Self::Creator(Creator::ExpectJoiner { .. }) => Some(CODE_LIFE),
            Self::Creator(Creator::ExpectKept { .. }) => Some(KEPT_PATIENCE),
            Self::Creator(Creator::ExpectDurable { .. })
            | Self::Joiner(Joiner::ExpectDurable { .. }) => None,
            Self::Creator(_) | Self::Joiner(_) => Some(STEP_PATIENCE),
        }
    }

    /// What it means when this stage has waited for nothing.
    pub(super) const fn late_fault(&self) -> PairingFault {
        if self.is_met() {
            PairingFault::PeerGone
        } else {
            PairingFault::ServerUnreachable
        }
    }

    pub(super) fn summary(&self, expires_at: Moment) -> PairingSummary {
        match self {
            Self::Creator(Creator::ExpectMailbox { .. }) => PairingSummary::Opening,
            Self::Creator(Creator::ExpectJoiner { code, link }) => PairingSummary::Waiting {
                code: code.clone(),
                link: link.clone(),
                expires_at,
            },
            Self::Joiner(Joiner::ExpectMailbox { .. }) => PairingSummary::Joining,
            Self::Creator(_) | Self::Joiner(_) => PairingSummary::Proving,
        }
    }
}

impl<S> Turn<S> {
    pub(super) fn to(next: S, say: impl Into<Vec<PairingMessage>>) -> Self {
        Self {
            next,
            say: say.into(),
            paired: None,
        }
    }

    pub(super) fn paired(next: S, peer: PeerRecord) -> Self {
        Self {
            next,
            say: Vec::new(),
            paired: Some(peer),
        }
    }
}

impl Turn<Stage> {
    pub(super) fn of_creator(turn: Turn<Creator>) -> Self {
        Self {
            next: Stage::Creator(turn.next),
            say: turn.say,
            paired: turn.paired,
        }
    }

    pub(super) fn of_joiner(turn: Turn<Joiner>) -> Self {
        Self {
            next: Stage::Joiner(turn.next),
            say: turn.say,
            paired: turn.paired,
        }
    }
}

impl Stop {
    /// The other side did what the protocol does not allow.
    pub(super) const fn protocol() -> Self {
        Self {
            fault: PairingFault::Protocol,
            tell: Some(RefuseReason::Protocol),
        }
    }

    /// The other side does not know the secret.
    pub(super) const fn wrong_secret() -> Self {
        Self {
            fault: PairingFault::CodeInvalid,
            tell: Some(RefuseReason::WrongSecret),
        }
    }

    /// Nobody is there to be told.
    pub(super) const fn silent(fault: PairingFault) -> Self {
        Self { fault, tell: None }
    }

    /// The other side has ended the pairing.
    pub(super) const fn refused(reason: RefuseReason) -> Self {
        Self::silent(match reason {
            RefuseReason::WrongSecret => PairingFault::CodeInvalid,
            RefuseReason::Version => PairingFault::Version,
            RefuseReason::Protocol => PairingFault::Protocol,
            RefuseReason::GaveUp => PairingFault::PeerGone,
        })
    }
}

/// How long a mailbox may take to open or to be claimed: 30 s. The carrier gives up by itself after
/// 20 s (10 to reach the server, 10 for its answer); this is only its safety net.
const MAILBOX_PATIENCE: Duration = Duration::from_secs(30);

/// How long the other side may take for one message: 15 s. A round trip takes less than one; the
/// rest lets a side whose session broke reconnect and go on. Longer keeps a person waiting for
/// somebody who is gone.
const STEP_PATIENCE: Duration = Duration::from_secs(15);

/// How long the creator waits for `Kept` before it keeps the joiner all the same: 10 s, a disk that
/// is busy syncing and a reconnect.
pub(super) const KEPT_PATIENCE: Duration = Duration::from_secs(10);
