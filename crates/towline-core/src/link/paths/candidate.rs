//! One address that may lead to a peer: how it became known, and what is proved of it.

use std::time::Duration;

use crate::clock::Moment;

/// An address, and what is known of it. Times are of this link's life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) origin: Origin,
    /// Whether a person says that the peer is there.
    pub(super) placed: Placed,
    pub(super) proof: Option<Proof>,
    /// Since when it is alive without a gap.
    pub(super) alive_since: Moment,
    pub(super) large: Large,
    pub(super) probed_at: Option<Moment>,
    pub(super) heard_at: Option<Moment>,
    /// Whether it was heard too soon after a probe to be probed back.
    pub(super) back: Back,
    /// When a probe came back from there first, in the life of this link.
    pub(super) worked_at: Option<Moment>,
}

/// Whether a probe of the peer waits to be answered by one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    None,
    Owed,
}

/// Whether a path carries the longest datagrams that there are between machines, as long as it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Large {
    /// So many probes of that length have gone out.
    Tried(u32),
    /// One came back.
    Carried,
}

/// How an address became known; the latest statement of a kind replaces the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It worked before, or was on the peer's card.
    Kept,
    /// The peer says so.
    Told,
    /// A probe of the peer came from there.
    Heard,
}

/// Whether a person says that the peer is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    No,
    ByPerson,
}

/// A probe came back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) at: Moment,
    /// Settled over the proofs since the address became alive.
    pub(super) rtt: Duration,
}

impl Candidate {
    pub(super) fn is_alive(&self, now: Moment) -> bool {
        self.proof.is_some_and(|proof| now.since(proof.at) < TRUST)
    }

    /// When it is probed back, if it was heard too soon for it.
    pub(super) fn back_due(&self) -> Option<Moment> {
        let probed_at = self.probed_at.filter(|_| self.back == Back::Owed)?;
        Some(probed_at.after(PROBE_BACK_SPACING))
    }

    /// Whether somebody has said that the peer is there, or it has answered from there.
    pub(super) fn is_named(&self) -> bool {
        match self.origin {
            Origin::Kept | Origin::Told => true,
            Origin::Heard => self.worked_at.is_some() || self.placed == Placed::ByPerson,
        }
    }

    pub(super) fn is_heard_lately(&self, now: Moment) -> bool {
        self.heard_at.is_some_and(|at| now.since(at) < HEARD_LATELY)
    }

    /// Whether it may make room for another one.
    pub(super) fn may_go(&self, now: Moment) -> bool {
        self.placed == Placed::No && !self.is_alive(now)
    }

    pub(super) fn last_sign(&self) -> Option<Moment> {
        self.heard_at.max(self.proof.map(|proof| proof.at))
    }

    /// Whether it was only heard, and not for so long that nobody is likely to come from there again.
    pub(super) fn is_forgotten(&self, now: Moment) -> bool {
        let is_old = |at| now.since(at) >= HEARD_LASTS;
        self.origin == Origin::Heard && self.may_go(now) && self.last_sign().is_none_or(is_old)
    }
}

impl Proof {
    /// The round trip by this and by what was measured after it: down at once and up by a 64th, so that it
    /// keeps to the least and jitter hardly moves it. What is much slower than before still shows within
    /// a few probes.
    pub(super) fn settled_with(self, measured: Duration) -> Duration {
        match measured.checked_sub(self.rtt) {
            Some(longer) => self.rtt + longer / 64,
            None => measured,
        }
    }
}

/// How long a proof is believed: 8.5 s, a keepalive of 5 s and three seconds of tries again.
pub(in crate::link) const TRUST: Duration = Duration::from_millis(8500);

/// Least time between two probes that answer a peer's probe: 500 ms. Without it two peers whose
/// answers are lost would probe each other back without end.
pub(super) const PROBE_BACK_SPACING: Duration = Duration::from_millis(500);

/// How long after a probe came from another port of a host that the peer has named that port is probed in rounds: a
/// minute. The peer may have proved it and probe it no more, while each of three answers was lost on the way here.
const HEARD_LATELY: Duration = Duration::from_secs(60);

/// How long an address that was only heard is tried: an hour. Routers give a sleeping peer another port each time,
/// and none of the old ones leads anywhere.
const HEARD_LASTS: Duration = Duration::from_secs(3600);
