//! Another computer with the peer's key: how it is looked for, and how a twin stands back.
//!
//! The dialer chooses whom it reaches by the path. To see the other one it leaves the connection and
//! shuns that path for a moment, and all addresses that the connected run has told; if nothing else
//! answers, it takes them again. The acceptor is dialled
//! and need not look. A device that knows itself to be doubled does not fight for a connection that
//! a newer one has replaced.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Link, LinkNews, Phase, Role, Turn};
use crate::backoff::jittered;
use crate::clock::Moment;
use crate::io::{LinkFault, NetworkRequest, Path};
use crate::snapshot::Oneness;

/// Paths that are left alone for a while.
#[derive(Debug)]
pub(super) struct Shunned {
    paths: Vec<Path>,
    until: Moment,
}

/// Where each of the latest runs of the peer listens, as it has told.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// The run that is connected, once it has said so.
    connected: Option<u64>,
    /// The latest statement of each run, the oldest run first.
    addresses_by_run: VecDeque<(u64, Vec<SocketAddr>)>,
}

impl Whereabouts {
    /// Another connection stands; its run is told by `run`.
    pub(super) fn connects(&mut self, run: Option<u64>) {
        self.connected = run;
    }

    /// A run says where it listens.
    pub(super) fn told(&mut self, run: u64, addresses: Vec<SocketAddr>) {
        self.addresses_by_run.retain(|(known, _)| *known != run);
        if self.addresses_by_run.len() >= RUNS_MAX {
            self.addresses_by_run.pop_front();
        }
        self.addresses_by_run.push_back((run, addresses));
    }

    /// Where the connected run listens, as far as it has told.
    fn of_connected(&self) -> impl Iterator<Item = SocketAddr> {
        let connected = self.connected;
        let told = self.addresses_by_run.iter();
        let theirs = told.filter(move |(run, _)| Some(*run) == connected);
        theirs.flat_map(|(_, addresses)| addresses.iter().copied())
    }
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
        let theirs = self.whereabouts.of_connected().map(Path::Direct);
        self.shunned = Some(Shunned {
            paths: up.selected.into_iter().chain(theirs).collect(),
            until: turn.now.after(SHUN),
        });
        self.paths.disprove_all();
        self.phase = Phase::Seeking { since: turn.now };
        self.paths.begin_burst_now(turn.now);
    }

    /// Whether the relay is open and not shunned.
    pub(super) fn relay_is_dialable(&self) -> bool {
        let is_shunned = |shunned: &Shunned| shunned.paths.contains(&Path::Relay);
        self.relay.is_open() && !self.shunned.as_ref().is_some_and(is_shunned)
    }

    /// Until when the path is left alone.
    pub(super) fn shunned_until(&self) -> Option<Moment> {
        self.shunned.as_ref().map(|shunned| shunned.until)
    }

    /// The best direct path to dial now, and whether the relay may be dialled.
    pub(super) fn dialable(&mut self, now: Moment) -> (Option<Path>, Option<Path>) {
        self.shunned.take_if(|shunned| now >= shunned.until);
        let shunned = self.shunned.as_ref();
        let shunned = shunned.map_or(&[][..], |shunned| &shunned.paths);
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

/// Runs whose addresses are remembered: 4, both twins and a restart of each.
const RUNS_MAX: usize = 4;

/// How long a path is shunned: 2 s, a burst of probes with two lost, and the relay.
const SHUN: Duration = Duration::from_secs(2);

/// The longest wait of a twin whose connection was replaced: 4 minutes, so that it is met twice while
/// it still counts as one ([`crate::twin`]).
const TWIN_PAUSE: Duration = Duration::from_secs(240);
