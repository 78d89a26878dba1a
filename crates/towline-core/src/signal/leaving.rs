//! How a session ends, and when it is tried again.
//!
//! A server that is gone is sought ever more seldom, because others seek it, too. Where it is the way to it that is
//! gone, and a peer with it, this device comes back alone, and somebody waits: so that way is tried without a pause,
//! in short tries, until it is there. A server that went together with a peer may be restarting, and is sought so
//! for a moment.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use towline_wire::signal::ClientMessage;

use super::{Alive, Moved, Session, SessionNews, State};
use crate::backoff::jittered;
use crate::clock::Moment;
use crate::io::{SignalFault, SignalRequest};
use crate::outbox::Outbox;

impl Session {
    pub(super) fn closed(
        &mut self,
        now: Moment,
        fault: SignalFault,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        match self.state {
            State::NoServer | State::Waiting { .. } | State::Stopped { .. } => {}
            State::Closing { .. } => self.connect(now, outbox),
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. } => self.wait(now, fault, rng, &mut news),
        }
        news
    }

    /// Leaves a session that does not work. One that was doubted has most likely lost the way to the server, and with
    /// it the way to a peer: whoever notices that comes back alone and need not wait.
    pub(super) fn give_up(
        &mut self,
        now: Moment,
        fault: SignalFault,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        if matches!(
            self.state,
            State::Online {
                alive: Alive::Doubted { .. },
                ..
            }
        ) {
            self.returns(now);
        }
        outbox.signal(self.id, SignalRequest::Disconnect);
        if self.is_returning(now) && fault == SignalFault::Unreachable {
            self.all_offline(news);
            // Its last word would else be taken for the next one's.
            self.state = State::Closing {
                deadline: now.after(CLOSE_PATIENCE),
            };
        } else {
            self.wait(now, fault, rng, news);
        }
    }

    /// It comes back alone, and somebody waits.
    pub(super) fn returns(&mut self, now: Moment) {
        self.returning_until = Some(now.after(RETURN_WITHIN));
    }

    pub(super) fn is_returning(&self, now: Moment) -> bool {
        self.returning_until.is_some_and(|until| now < until)
    }

    pub(super) fn wait(
        &mut self,
        now: Moment,
        fault: SignalFault,
        rng: &mut ChaCha20Rng,
        news: &mut Vec<SessionNews>,
    ) {
        if matches!(self.state, State::Online { since, .. } if now.since(since) >= STEADY) {
            self.backoff.reset();
        }
        self.all_offline(news);
        self.state = if fault.is_retryable() {
            // Which is the first to be closed of a peer's channel and the session is chance.
            let is_away = matches!(fault, SignalFault::Unreachable | SignalFault::Closed);
            let pause = if self.is_returning(now) && is_away {
                jittered(RETURN_PAUSE, rng)
            } else {
                self.backoff.next(rng)
            };
            State::Waiting {
                fault,
                retry_at: now.after(pause),
            }
        } else {
            State::Stopped { fault }
        };
    }

    /// What hung on an address that is gone says nothing more, also not that it is dead.
    pub(super) fn moved(
        &mut self,
        now: Moment,
        how: Moved,
        outbox: &mut Outbox,
    ) -> Vec<SessionNews> {
        let mut news = Vec::new();
        match (self.state, how) {
            (State::Stopped { .. }, Moved::Left | Moved::Joined) => self.connect(now, outbox),
            (State::Waiting { .. }, Moved::Left | Moved::Joined | Moved::Renumbered) => {
                self.backoff.reset();
                self.connect(now, outbox);
            }
            (
                State::Connecting { .. }
                | State::ExpectHello { .. }
                | State::ExpectRegistered { .. }
                | State::Online { .. },
                Moved::Left,
            ) => {
                self.backoff.reset();
                self.move_to_target(now, outbox, &mut news);
            }
            (State::Online { .. }, Moved::Joined) => self.doubt(now, DOUBT_PATIENCE, outbox),
            (State::Online { .. }, Moved::Renumbered) => {
                self.doubt(now, RENUMBERED_PATIENCE, outbox);
            }
            (
                State::Connecting { .. }
                | State::ExpectHello { .. }
                | State::ExpectRegistered { .. },
                Moved::Joined | Moved::Renumbered,
            )
            | (State::Stopped { .. }, Moved::Renumbered)
            | (
                State::NoServer | State::Closing { .. },
                Moved::Left | Moved::Joined | Moved::Renumbered,
            ) => {}
        }
        news
    }

    /// Asks the server for a sign of life, with little patience.
    pub(super) fn doubt(&mut self, now: Moment, patience: Duration, outbox: &mut Outbox) {
        let State::Online { since, alive } = self.state else {
            return;
        };
        match alive {
            Alive::Heard { .. } => {
                outbox.signal(
                    self.id,
                    SignalRequest::Send(ClientMessage::Ping { timestamp: None }),
                );
            }
            // The answer to that will do.
            Alive::Asked { .. } | Alive::Doubted { .. } => {}
        }
        let mut deadline = now.after(patience);
        if let Alive::Doubted { deadline: before } = alive {
            deadline = deadline.min(before);
        }
        let alive = Alive::Doubted { deadline };
        self.state = State::Online { since, alive };
    }

    /// A peer is missed while the server is away, or goes next: its channel went with the server, which may be back in a
    /// moment.
    pub(super) fn hurry(&mut self, now: Moment, rng: &mut ChaCha20Rng) {
        let until = now.after(RESTART_WITHIN);
        match &mut self.state {
            State::Waiting {
                fault: SignalFault::Unreachable | SignalFault::Closed,
                retry_at,
            } => *retry_at = (*retry_at).min(now.after(jittered(RETURN_PAUSE, rng))),
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. } => {}
            State::Waiting { .. }
            | State::NoServer
            | State::Closing { .. }
            | State::Stopped { .. } => return,
        }
        self.returning_until = Some(
            self.returning_until
                .map_or(until, |before| before.max(until)),
        );
    }

    pub(super) fn all_offline(&mut self, news: &mut Vec<SessionNews>) {
        news.extend(
            std::mem::take(&mut self.online)
                .into_iter()
                .map(SessionNews::Offline),
        );
    }

    /// Goes to the server that is wanted now, if the session is not there.
    pub(super) fn move_to_target(
        &mut self,
        now: Moment,
        outbox: &mut Outbox,
        news: &mut Vec<SessionNews>,
    ) {
        match self.state {
            State::NoServer | State::Waiting { .. } | State::Stopped { .. } => {
                self.connect(now, outbox);
            }
            State::Closing { .. } => {}
            State::Connecting { .. }
            | State::ExpectHello { .. }
            | State::ExpectRegistered { .. }
            | State::Online { .. } => {
                self.all_offline(news);
                outbox.signal(self.id, SignalRequest::Disconnect);
                self.state = State::Closing {
                    deadline: now.after(CLOSE_PATIENCE),
                };
            }
        }
    }
}

/// Whether this computer has slept since something was due.
pub(super) fn has_slept(now: Moment, due: Moment) -> bool {
    now.since(due) >= SLEPT
}

/// How late a device is for its own appointments when it has slept: 5 s. No load delays it so much; shorter sleeps
/// end no connection.
const SLEPT: Duration = Duration::from_secs(5);

/// How long a server that is doubted may take to answer: 2 s, three losses in a row on a usual path. Shorter, and
/// a bad line would break a good session; longer, and a person waits.
pub(super) const DOUBT_PATIENCE: Duration = Duration::from_secs(2);

/// The same when the router has another address by the word of all: 500 ms, some round trips. What went by way of it
/// is dead, unless they lie or it has two.
const RENUMBERED_PATIENCE: Duration = Duration::from_millis(500);

/// How long the socket may take to close before the next one is opened: 2 s.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Pause where such a try fails at once: up to 1 s.
const RETURN_PAUSE: Duration = Duration::from_secs(1);

/// How long the way to the server is sought like that: a quarter of an hour. Those who do were connected with a peer
/// when it was lost, so they are few, and each asks at most twice a second.
const RETURN_WITHIN: Duration = Duration::from_secs(900);

/// How long a server that took a peer's channel with it is sought like that: 30 s, as long as the connection
/// through it may outlive it. A restart takes a few; all who were relayed there seek it, so not longer.
const RESTART_WITHIN: Duration = Duration::from_secs(30);

/// How long a session must last to count as working: 60 s. Without it a server that closes every
/// session at once would be asked every second.
const STEADY: Duration = Duration::from_secs(60);
