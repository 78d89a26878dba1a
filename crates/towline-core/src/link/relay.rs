//! Our end of the packet channel with one peer: whether it is asked for, opening or open.
//!
//! Only the dialer asks; both open their ends when the server says that the channel is ready.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;

use crate::backoff::Backoff;
use crate::clock::Moment;

use super::unrest::RELAY_SILENCE;

/// Our end of the packet channel.
#[derive(Debug, Default)]
pub(super) struct Relay {
    state: State,
    backoff: Backoff,
    /// When the server last said that there is a channel.
    ready_at: Moment,
    carries: Carries,
    /// When the peer was last heard on it, as far as that was measured.
    heard_at: Moment,
}

/// Whether what carries everything is known to be dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Carries {
    #[default]
    Something,
    /// The peer's silence was longer than [`super::unrest::RELAY_SILENCE`].
    Nothing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// There is none, and none has been asked for.
    #[default]
    None,
    /// The server was asked.
    Asked { deadline: Moment },
    /// Our end is being opened.
    Opening { deadline: Moment },
    /// Packets may pass.
    Open { since: Moment },
    /// There is none; it may be asked for again.
    Waiting { ask_at: Moment },
}

impl Relay {
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// The peer has come (back): what was asked before may have been refused, and of a channel on which it is
    /// silent it may never have heard.
    pub(super) fn ask_anew(&mut self) {
        match self.state {
            State::Asked { .. } | State::Waiting { .. } => self.state = State::None,
            State::Opening { .. } | State::Open { .. } if self.carries == Carries::Nothing => {
                self.state = State::None;
            }
            State::None | State::Opening { .. } | State::Open { .. } => {}
        }
    }

    /// The peer has registered at the server anew, and mostly because what it had there was dead: its end of a channel
    /// as well, or the word of one that is new. One on which it is heard just now is left; what was heard before ours was
    /// open came by the one before it.
    pub(super) fn ask_anew_unless_heard(&mut self, now: Moment) {
        let is_heard = match self.state {
            State::Open { since } => {
                self.heard_at >= since && now.since(self.heard_at) < HEARD_LATELY
            }
            State::None | State::Asked { .. } | State::Opening { .. } | State::Waiting { .. } => {
                false
            }
        };
        if !is_heard {
            self.distrust();
        }
    }

    /// The peer is heard on it.
    pub(super) fn heard(&mut self, now: Moment) {
        self.heard_at = now;
    }

    /// The channel has carried everything and nothing of the peer for so long; or the one before it has, if it is
    /// newer.
    pub(super) fn silent_for(&mut self, now: Moment, silence: Duration) {
        self.heard_at = Moment::from_start(now.since_start().saturating_sub(silence));
        if silence < RELAY_SILENCE {
            self.carries = Carries::Something;
            return;
        }
        self.carries = Carries::Nothing;
        match self.state {
            State::Open { since } if now.since(since) >= RELAY_SILENCE => self.distrust(),
            State::None
            | State::Asked { .. }
            | State::Opening { .. }
            | State::Open { .. }
            | State::Waiting { .. } => {}
        }
    }

    /// The server has a channel; our end is being opened, in place of an older one.
    pub(super) fn ready(&mut self, now: Moment) {
        self.ready_at = now;
        self.state = State::Opening {
            deadline: now.after(RELAY_PATIENCE),
        };
    }

    /// Gives up a channel from before `moment`: the peer's end of it has gone with its process.
    /// Whether there was one.
    pub(super) fn give_up_from_before(&mut self, moment: Moment) -> bool {
        let gone = match self.state {
            State::Opening { .. } | State::Open { .. } => self.ready_at < moment,
            State::None | State::Asked { .. } | State::Waiting { .. } => false,
        };
        if gone {
            self.state = State::None;
        }
        gone
    }

    /// One end of the channel may be gone without a word. It is used while it is there, and another one is
    /// asked for.
    pub(super) fn distrust(&mut self) {
        match self.state {
            State::Opening { .. } | State::Open { .. } => self.state = State::None,
            State::None | State::Asked { .. } | State::Waiting { .. } => {}
        }
    }

    /// The peer is not where it was, and so may be its end of the channel; but of one that the server has just said
    /// to be there, the peer has heard where it is now.
    pub(super) fn distrust_unless_new(&mut self, now: Moment) {
        if now.since(self.ready_at) >= NEW {
            self.distrust();
        }
    }

    /// Our end is open. News of a channel that was given up meanwhile says nothing of the next one.
    pub(super) fn opened(&mut self, now: Moment) {
        match self.state {
            State::Opening { .. } | State::Open { .. } | State::Waiting { .. } => {
                self.state = State::Open { since: now };
                self.backoff.reset();
            }
            State::None | State::Asked { .. } => {}
        }
    }

    pub(super) fn closed(&mut self, now: Moment, rng: &mut ChaCha20Rng) {
        self.state = State::Waiting {
            ask_at: now.after(self.backoff.next(rng)),
        };
    }

    /// Whether to ask the server now; counts as asked then.
    pub(super) fn wants_asking(
        &mut self,
        now: Moment,
        may_ask: bool,
        rng: &mut ChaCha20Rng,
    ) -> bool {
        if let State::Asked { deadline } | State::Opening { deadline } = self.state
            && now >= deadline
        {
            self.closed(now, rng);
        }
        let due = match self.state {
            State::None => true,
            State::Waiting { ask_at } => now >= ask_at,
            State::Asked { .. } | State::Opening { .. } | State::Open { .. } => false,
        };
        if due && may_ask {
            self.state = State::Asked {
                deadline: now.after(RELAY_PATIENCE),
            };
        }
        due && may_ask
    }

    /// When [`Self::wants_asking`] may say something new.
    pub(super) fn poll_timeout(&self, may_ask: bool) -> Option<Moment> {
        match self.state {
            State::Asked { deadline } | State::Opening { deadline } => Some(deadline),
            State::Waiting { ask_at } => may_ask.then_some(ask_at),
            State::None | State::Open { .. } => None,
        }
    }
}

/// How lately a peer was heard whose channel is left alone when it registers anew: 1 s. While anything comes that is
/// measured every half second; and a channel that was not dead is replaced within a few round trips.
const HEARD_LATELY: Duration = Duration::from_secs(1);

/// How old a channel is that was there before its peer has said that it moved: 2 s. Such words come late: the
/// server tells of a peer and of a channel in an order of its own, and what is said on a connection waits for a way.
const NEW: Duration = Duration::from_secs(2);

/// How long the server may take to offer a channel, and our end to open: 5 s. A refusal is not told
/// apart from silence: right after pairing the peer may not have named us to the server yet.
const RELAY_PATIENCE: Duration = Duration::from_secs(5);
