//! Signs that the network has changed, and what a link does about them at once.
//!
//! An address of either side that is gone takes with it what was bound to it: the packet channel is asked for
//! anew before its silence shows. A peer that does not answer may be out of reach, or this device may be: the
//! session with the signal server is asked for a sign of life, STUN servers from where they see us. While a way
//! is missed, those that have worked are probed each second, because nothing else tells when one works again.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Link, LinkNews, Turn};
use crate::clock::Moment;

impl Link {
    /// This device is no longer where it was.
    pub(super) fn left_network(&mut self, now: Moment) {
        self.relay.distrust();
        self.paths.stay_restless(now);
    }

    /// The peer does not answer, or has stopped in the middle of much.
    pub(super) fn doubt(&mut self, turn: &mut Turn<'_>) {
        if turn.now >= self.doubt_at {
            self.doubt_at = turn.now.after(DOUBTS_APART);
            turn.news.push(LinkNews::Doubt);
        }
    }
}

/// Whether one of these addresses, ports aside, is not among those of now.
pub(crate) fn is_left(before: &[SocketAddr], now: &[SocketAddr]) -> bool {
    let is_there = |addr: &SocketAddr| now.iter().any(|other| other.ip() == addr.ip());
    !before.iter().all(is_there)
}

/// Silence after which the packet channel that carries everything is no longer trusted: 3 s. TCP under it would
/// try again as late as an outage was long; a new channel costs three round trips.
pub(super) const RELAY_SILENCE: Duration = Duration::from_secs(3);

/// Least time between two doubts: 5 s. Each costs a message to the signal server and a question to two STUN
/// servers.
const DOUBTS_APART: Duration = Duration::from_secs(5);
