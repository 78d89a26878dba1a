//! A peer that has begun anew: how it is noticed while a connection with its former life stands.
//!
//! A killed process says no farewell, and QUIC takes 30 s to miss it. Two things come sooner. The
//! new life answers packets of a connection that it does not know with a stateless reset
//! ([`LinkFault::Restarted`]); so the dialer, whose packets may be rare, says something when the
//! peer's probes show that it seeks. And its sealed notices bear a run that was not heard of
//! before; then the connection is asked for a sign of life, and given up only if there is none,
//! since the notice may come after the connection with the new life.
//!
//! Whoever is lost this way is sought at once; waiting would only add to what the restart cost. A
//! packet channel from before the news is given up too: only our end of it may be left.

use std::time::Duration;

use towline_wire::peer::Control;

use super::seal::Run;
use super::{Link, Phase, Role, Turn};
use crate::clock::Moment;
use crate::io::{ConnectionId, LinkFault, NetworkRequest};
use crate::measuring;

/// What is known of the peer's present life.
#[derive(Debug, Default)]
pub(super) struct Restart {
    news: News,
    /// When it was last sought at once because of a reset, or of an answer after a goodbye.
    hurried_at: Option<Moment>,
}

/// Whether the peer may be another process than the one that we deal with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum News {
    /// Nothing says so.
    #[default]
    None,
    /// A notice of a new run said so, and nothing else has been seen since.
    Heard {
        at: Moment,
        /// What is said of life or silence before this answers an earlier question.
        verdict_at: Moment,
    },
}

impl Restart {
    /// The peer has proved its key: it lives.
    pub(super) fn disproved(&mut self) {
        self.news = News::None;
    }

    /// The peer gave a sign of life; whether it is the one that it was asked for because of a notice.
    pub(super) fn answered(&mut self, now: Moment) -> bool {
        let is_verdict = matches!(self.news, News::Heard { verdict_at, .. } if now >= verdict_at);
        if is_verdict {
            self.news = News::None;
        }
        is_verdict
    }

    /// Whether the peer is likely to be there at once after this fault. Each piece of news counts
    /// once.
    pub(super) fn is_hopeful(&mut self, fault: LinkFault, now: Moment) -> bool {
        let news = std::mem::take(&mut self.news);
        match (fault, news) {
            (
                LinkFault::TimedOut | LinkFault::Closed | LinkFault::Restarted,
                News::Heard { .. },
            ) => true,
            (LinkFault::Restarted, News::None) => self.may_hurry(now),
            (LinkFault::TimedOut | LinkFault::Closed, News::None)
            | (
                LinkFault::Refused | LinkFault::Impostor | LinkFault::Protocol | LinkFault::Version,
                News::Heard { .. } | News::None,
            ) => false,
        }
    }

    /// Whether an answer of the peer in a wait that began at `since` ends it: what was waited for has come.
    pub(super) fn is_back(&mut self, fault: LinkFault, since: Moment, now: Moment) -> bool {
        match fault {
            LinkFault::TimedOut => true,
            LinkFault::Closed | LinkFault::Restarted => {
                now.since(since) >= FAREWELL && self.may_hurry(now)
            }
            LinkFault::Refused | LinkFault::Impostor | LinkFault::Protocol | LinkFault::Version => {
                false
            }
        }
    }

    fn may_hurry(&mut self, now: Moment) -> bool {
        let spaced = self
            .hurried_at
            .is_none_or(|before| now.since(before) >= HURRIES_APART);
        if spaced {
            self.hurried_at = Some(now);
        }
        spaced
    }
}

impl Link {
    /// The peer has told something in this run.
    pub(super) fn run_told(&mut self, run: Run, turn: &mut Turn<'_>) {
        match run {
            Run::Known => return,
            Run::New => {}
        }
        let now = turn.now;
        match self.phase {
            Phase::Up(up) => {
                let within = measuring::patience(up.rtt.unwrap_or_default());
                self.restart.news = News::Heard {
                    at: now,
                    verdict_at: now.after(within),
                };
                let ask = NetworkRequest::Ask(self.peer, up.connection, within);
                turn.outbox.network(ask);
            }
            Phase::Dialing {
                path,
                since,
                deadline,
            } => {
                let deadline = deadline.min(now.after(REDIAL_PATIENCE));
                self.restart.news = News::Heard {
                    at: now,
                    verdict_at: deadline,
                };
                self.phase = Phase::Dialing {
                    path,
                    since,
                    deadline,
                };
                self.give_up_relay_from_before(now, turn);
            }
            Phase::Waiting { .. } | Phase::Seeking { .. } => {
                self.give_up_relay_from_before(now, turn);
                self.seek(now);
            }
            Phase::Idle | Phase::Impostor => {}
        }
    }

    /// The peer gave no sign of life on a connection.
    pub(super) fn silent(&mut self, connection: ConnectionId, turn: &mut Turn<'_>) {
        match self.restart.news {
            News::Heard { verdict_at, .. }
                if self.connection() == Some(connection) && turn.now >= verdict_at =>
            {
                let abandon = NetworkRequest::Abandon(self.peer, connection);
                turn.outbox.network(abandon);
                self.down(LinkFault::Restarted, turn);
            }
            // Silence alone may be the path's.
            News::Heard { .. } | News::None => {}
        }
    }

    /// Seeks at once when the peer has begun anew, else after a while.
    pub(super) fn try_again(&mut self, fault: LinkFault, turn: &mut Turn<'_>) {
        if let News::Heard { at, .. } = self.restart.news {
            self.give_up_relay_from_before(at, turn);
        }
        if self.restart.is_hopeful(fault, turn.now) {
            self.phase = Phase::Seeking { since: turn.now };
            self.paths.begin_burst_now(turn.now);
        } else {
            self.wait(fault, turn);
        }
    }

    fn give_up_relay_from_before(&mut self, moment: Moment, turn: &mut Turn<'_>) {
        if self.relay.give_up_from_before(moment) {
            turn.outbox.network(NetworkRequest::CloseRelay(self.peer));
        }
    }

    /// The peer's probes show that it seeks us: the dialer says something, which a new life of the
    /// peer answers with a reset. The acceptor hears probes all the time, and a new life of its
    /// peer dials.
    pub(super) fn peer_seeks(&mut self, turn: &mut Turn<'_>) {
        if let (Role::Dialer, Phase::Up(up)) = (self.role, &mut self.phase)
            && turn.now >= up.hint_at
        {
            up.hint_at = turn.now.after(HINT_SPACING);
            let hint = Control::Addresses(self.addresses());
            turn.outbox.send(self.peer, hint);
        }
    }
}

/// How long a peer that said goodbye may still answer before it is gone: 300 ms. An answer after that comes from
/// its next life, or from one that stays.
const FAREWELL: Duration = Duration::from_millis(300);

/// Least time between two ends of a peer that are answered by seeking at once: 5 s. A peer that ends again and
/// again is dialled with growing waits in between.
const HURRIES_APART: Duration = Duration::from_secs(5);

/// How long a dial may still take after news that the peer has begun anew: 2 s. The dial may be with
/// its former life, or nearly done with the new one; shorter would cut dials on slow paths.
const REDIAL_PATIENCE: Duration = Duration::from_secs(2);

/// Least time between two hints: 1 s. A burst of probes lasts 5 s and then costs five small frames.
const HINT_SPACING: Duration = Duration::from_secs(1);
