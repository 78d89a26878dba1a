//! Another computer with the peer's key: how it is looked for, and how a twin stands back.
//!
//! The dialer chooses whom it reaches by the path. To see the other one it leaves the connection and
//! shuns that path for a moment; if nothing else answers, it takes it again. The acceptor is dialled
//! and need not look. A device that knows itself to be doubled does not fight for a connection that
//! a newer one has replaced.

use std::time::Duration;

use super::{Link, LinkNews, Phase, Role, Turn};
use crate::backoff::jittered;
use crate::clock::Moment;
use crate::io::{LinkFault, NetworkRequest, Path};
use crate::snapshot::Oneness;

/// A path that is left alone for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shunned {
    path: Path,
    until: Moment,
}

impl Link {
    /// Looks whether somebody else with the peer's key answers on another path.
    pub(super) fn look_elsewhere(&mut self, turn: &mut Turn<'_>) {
        let (Role::Dialer, Phase::Up(up)) = (self.role, self.phase) else {
            return;
        };
        turn.outbox
            .network(NetworkRequest::Abandon(self.peer, up.connection));
        turn.news.push(LinkNews::Down(up.connection));
        self.shunned = up.selected.map(|path| Shunned {
            path,
            until: turn.now.after(SHUN),
        });
        self.paths.disprove_all();
        self.phase = Phase::Seeking { since: turn.now };
        self.paths.begin_burst_now(turn.now);
    }

    /// Whether the relay is open and not shunned.
    pub(super) fn relay_is_dialable(&self) -> bool {
        let is_shunned = |shunned: Shunned| shunned.path == Path::Relay;
        self.relay.is_open() && !self.shunned.is_some_and(is_shunned)
    }

    /// Until when the path is left alone.
    pub(super) fn shunned_until(&self) -> Option<Moment> {
        self.shunned.map(|shunned| shunned.until)
    }

    /// The best direct path to dial now, and whether the relay may be dialled.
    pub(super) fn dialable(&mut self, now: Moment) -> (Option<Path>, Option<Path>) {
        self.shunned = self.shunned.filter(|shunned| now < shunned.until);
        let shunned = self.shunned.map(|shunned| shunned.path);
        let direct = self.paths.best_but(now, shunned).map(Path::Direct);
        (direct, self.relay_is_dialable().then_some(Path::Relay))
    }

    /// How long a twin waits before it takes the connection back.
    pub(super) fn twin_pause(&self, fault: LinkFault, turn: &mut Turn<'_>) -> Option<Duration> {
        match (self.oneness, fault) {
            (Oneness::Doubled, LinkFault::Closed) => Some(jittered(TWIN_PAUSE, turn.rng)),
            (Oneness::Single, _)
            | (
                Oneness::Doubled,
                LinkFault::TimedOut
                | LinkFault::Restarted
                | LinkFault::Refused
                | LinkFault::Impostor
                | LinkFault::Protocol
                | LinkFault::Version,
            ) => None,
        }
    }
}

/// How long a path is shunned: 2 s, a burst of probes with two lost, and the relay.
const SHUN: Duration = Duration::from_secs(2);

/// The longest wait of a twin whose connection was replaced: 4 minutes, so that it is met twice while
/// it still counts as one ([`crate::twin`]).
const TWIN_PAUSE: Duration = Duration::from_secs(240);
