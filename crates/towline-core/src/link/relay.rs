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
    Open,
    /// There is none; it may be asked for again.
    Waiting { ask_at: Moment },
}

impl Relay {
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// The peer has come (back): what was asked before may have been refused, and of a channel on which it is
    /// silent it may never have heard.
    pub(super) fn ask_anew(&mut self) {
        match self.state {
            State::Asked { .. } | State::Waiting { .. } => self.state = State::None,
            State::Opening { .. } | State::Open if self.carries == Carries::Nothing => {
                self.state = State::None;
            }
            State::None | State::Opening { .. } | State::Open => {}
        }
    }

    /// The channel carries everything, and the peer was heard so long ago.
    pub(super) fn silent_for(&mut self, silence: Duration) {
        if silence < RELAY_SILENCE {
            self.carries = Carries::Something;
        } else {
            self.carries = Carries::Nothing;
            self.distrust();
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
            State::Opening { .. } | State::Open => self.ready_at < moment,
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
            State::Opening { .. } | State::Open => self.state = State::None,
            State::None | State::Asked { .. } | State::Waiting { .. } => {}
        }
    }

    /// Our end is open. News of a channel that was given up meanwhile says nothing of the next one.
    pub(super) fn opened(&mut self) {
        match self.state {
            State::Opening { .. } | State::Open | State::Waiting { .. } => {
                self.state = State::Open;
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
            State::Asked { .. } | State::Opening { .. } | State::Open => false,
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
            State::None | State::Open => None,
        }
    }
}

/// How long the server may take to offer a channel, and our end to open: 5 s. A refusal is not told
/// apart from silence: right after pairing the peer may not have named us to the server yet.
const RELAY_PATIENCE: Duration = Duration::from_secs(5);
