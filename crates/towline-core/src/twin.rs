//! Two computers with one key, told from one that was restarted.
//!
//! A *run* is one life of a device's process towards one peer: a random number. A restart never goes
//! back to an old run, so a run that lives after another one of its key has lived proves that there
//! are two computers. A hello alone is no proof of life, since it may be the late packet of a
//! process that has ended: a run that returns is asked to sign something, and nothing is exchanged
//! with it before it has. A notice through the server shows that its run has begun; whether the
//! connected one lives after that is asked on the connection. So neither a server nor a third device can
//! make twins of one, and neither restarts, nor several paths, nor a restored store look like them.
//!
//! [`Sightings`] is what a device has seen of one peer: Single, or Doubled until nothing has shown
//! two runs for a while, or until a run begins that was never seen: one of the two was restarted, and
//! should the other one still live, it is met again and returns. [`OurRun`] is the other side: what
//! this device says of itself to one peer, and whether a proof that it is a twin holds. What a proof
//! rests on is signed with the own key over a challenge of this run, so no peer can invent it.
//! [`Oneself`] says whether this device is doubled.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towline_wire::ids::DeviceId;
use towline_wire::peer::{Challenge, RunStatement, TwinProof};

use crate::clock::Moment;
use crate::identity::{Identity, SignatureBytes, is_signed_by};
use crate::snapshot::Oneness;

/// What was seen of the runs of one peer.
#[derive(Debug, Default)]
pub struct Sightings {
    /// The run that was connected last.
    current: Option<Life>,
    /// Runs that another one has come after, the oldest first.
    former: VecDeque<Life>,
    presence: Presence,
    question: Question,
    /// A run that a notice told of while another one was connected.
    heard: Option<u64>,
    /// When another run was last looked for because of a notice.
    suspected_at: Option<Moment>,
    state: State,
}

/// One run of a peer.
#[derive(Debug)]
struct Life {
    run: u64,
    /// What it made last; `None` when it was only heard of.
    challenge: Option<Challenge>,
    /// Another run that has signed its challenge since.
    proof: Option<TwinProof>,
    knowledge: Knowledge,
}

/// Whether a run was given a proof that it is a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Untold,
    Told,
}

/// Whether it is known which run is connected.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It has not said hello on the standing connection, or there is none.
    #[default]
    Unknown,
    Greeted,
}

/// What was asked on the standing connection.
#[derive(Debug, Default)]
enum Question {
    #[default]
    None,
    Asked {
        challenge: Challenge,
        /// The run that made the challenge.
        made_by: u64,
        sighting: Sighting,
    },
}

/// How a run comes after another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sighting {
    New,
    Returned,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Single,
    Doubled {
        until: Moment,
        /// When the other run is looked for.
        look_at: Moment,
    },
}

/// What time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The peer counts as one computer again.
    Cleared,
    /// The other run should be looked for, by whoever dials.
    Look,
}

/// A vouching that nobody asked for, or that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfounded;

impl Sightings {
    /// Takes the peer's hello on a new connection; gives what it must sign, if anything.
    pub fn hello(&mut self, run: u64, challenge: Challenge) -> Option<Challenge> {
        self.connection_changed();
        self.presence = Presence::Greeted;
        let Some(before) = &mut self.current else {
            self.current = Some(Life::new(run, Some(challenge)));
            return None;
        };
        if before.run == run {
            before.challenge = Some(challenge);
            return None;
        }
        let place = self.former.iter().position(|life| life.run == run);
        let known = place.and_then(|place| self.former.remove(place));
        let sighting = if known.is_some() {
            Sighting::Returned
        } else {
            // One of them was restarted. Whether the other one lives is seen when it comes.
            self.state = State::Single;
            Sighting::New
        };
        let mut life = known.unwrap_or_else(|| Life::new(run, None));
        life.challenge = Some(challenge);
        let before = std::mem::replace(before, life);
        let (asked, made_by) = (before.challenge?, before.run);
        self.supersede(before);
        self.question = Question::Asked {
            challenge: asked,
            made_by,
            sighting,
        };
        Some(asked)
    }

    /// Takes the answer of `peer` to what `us` has asked.
    ///
    /// # Errors
    /// When nothing was asked, or the signature does not hold.
    pub fn vouched(
        &mut self,
        now: Moment,
        peer: DeviceId,
        us: DeviceId,
        signature: Vec<u8>,
    ) -> Result<(), Unfounded> {
        let question = std::mem::take(&mut self.question);
        let (
            Some(current),
            Question::Asked {
                challenge,
                made_by,
                sighting,
            },
        ) = (&self.current, question)
        else {
            return Err(Unfounded);
        };
        let proof = TwinProof {
            run: current.run,
            challenge,
            signature,
        };
        if !holds(&proof, peer, us) {
            return Err(Unfounded);
        }
        if let Some(other) = self.former.iter_mut().find(|life| life.run == made_by) {
            other.proof = Some(proof);
        }
        match sighting {
            Sighting::New => {}
            Sighting::Returned => self.doubled(now),
        }
        Ok(())
    }

    /// The proof for the run that is connected, once.
    pub fn take_proof(&mut self) -> Option<TwinProof> {
        let current = self.current.as_mut()?;
        let proof = current.proof.take()?;
        current.knowledge = Knowledge::Told;
        Some(proof)
    }

    /// A sealed notice tells of a run. Before the hello it may be the one that is connected: a notice
    /// can overtake it.
    pub fn heard(&mut self, run: u64) {
        let is_known = |life: &Life| life.run == run;
        match self.presence {
            Presence::Unknown => {}
            Presence::Greeted if self.current.iter().chain(&self.former).any(is_known) => {}
            Presence::Greeted => self.heard = Some(run),
        }
    }

    /// The connected run has lived after the last notice; whether another run should be looked for.
    pub fn lives(&mut self, now: Moment) -> Due {
        let Some(run) = self.heard.take() else {
            return Due::Nothing;
        };
        self.supersede(Life::new(run, None));
        let spaced = |at: Moment| now.since(at) >= SUSPICIONS_APART;
        if self.suspected_at.is_none_or(spaced) {
            self.suspected_at = Some(now);
            Due::Look
        } else {
            Due::Nothing
        }
    }

    /// There is another connection, or none, and what was asked on the former one has no answer.
    pub fn connection_changed(&mut self) {
        self.presence = Presence::Unknown;
        self.question = Question::None;
        self.heard = None;
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) -> Due {
        match self.state {
            State::Doubled { until, .. } if now >= until => {
                self.state = State::Single;
                Due::Cleared
            }
            State::Doubled { until, look_at } if now >= look_at => {
                let look_at = now.after(LOOKS_APART);
                self.state = State::Doubled { until, look_at };
                Due::Look
            }
            State::Single | State::Doubled { .. } => Due::Nothing,
        }
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        match self.state {
            State::Single => None,
            State::Doubled { until, look_at } => Some(until.min(look_at)),
        }
    }

    /// Whether folders may be exchanged with the run that is connected.
    pub const fn may_exchange(&self) -> bool {
        matches!(
            (self.state, &self.question),
            (
                State::Single,
                Question::None
                    | Question::Asked {
                        sighting: Sighting::New,
                        ..
                    }
            )
        )
    }

    /// Whether the peer is one computer, as far as is known.
    pub const fn oneness(&self) -> Oneness {
        match self.state {
            State::Single => Oneness::Single,
            State::Doubled { .. } => Oneness::Doubled,
        }
    }

    fn doubled(&mut self, now: Moment) {
        let untold = |life: &Life| life.proof.is_some() && life.knowledge == Knowledge::Untold;
        let pause = if self.former.iter().any(untold) {
            LOOK_TO_TELL
        } else {
            LOOKS_APART
        };
        self.state = State::Doubled {
            until: now.after(DOUBLED_FOR),
            look_at: now.after(pause),
        };
    }

    fn supersede(&mut self, life: Life) {
        if self.former.len() >= RUNS_REMEMBERED {
            self.former.pop_front();
        }
        self.former.push_back(life);
    }
}

impl Life {
    const fn new(run: u64, challenge: Option<Challenge>) -> Self {
        Self {
            run,
            challenge,
            proof: None,
            knowledge: Knowledge::Untold,
        }
    }
}

/// What this device says of its run to one peer.
#[derive(Debug)]
pub struct OurRun {
    run: u64,
    /// What was made for the latest connections and has proved nothing yet, the oldest first.
    challenges: VecDeque<Challenge>,
    vouching: Vouching,
}

/// Whether the peer has asked on the standing connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vouching {
    NotAsked,
    Done,
}

impl OurRun {
    /// A run that has said nothing yet.
    pub const fn new(run: u64) -> Self {
        Self {
            run,
            challenges: VecDeque::new(),
            vouching: Vouching::NotAsked,
        }
    }

    /// The run.
    pub const fn run(&self) -> u64 {
        self.run
    }

    /// A challenge for the hello of a new connection.
    pub fn challenge(&mut self, rng: &mut ChaCha20Rng) -> Challenge {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        if self.challenges.len() >= CHALLENGES_REMEMBERED {
            self.challenges.pop_front();
        }
        self.challenges.push_back(Challenge(bytes));
        self.vouching = Vouching::NotAsked;
        Challenge(bytes)
    }

    /// Signs what `peer` asks for, once per connection.
    pub fn vouch(
        &mut self,
        identity: &Identity,
        peer: DeviceId,
        challenge: Challenge,
    ) -> Option<Vec<u8>> {
        match self.vouching {
            Vouching::NotAsked => self.vouching = Vouching::Done,
            Vouching::Done => return None,
        }
        let statement = RunStatement {
            to: peer,
            run: self.run,
            challenge,
        };
        Some(identity.sign(&statement.signed()).to_vec())
    }

    /// Whether what `peer` sent proves that another run with the key of `us` lives. A challenge proves
    /// something once, so that nobody keeps a device from syncing by repeating what was true.
    pub fn is_twin(&mut self, us: DeviceId, peer: DeviceId, proof: &TwinProof) -> bool {
        let made = |challenge: &Challenge| *challenge == proof.challenge;
        let Some(place) = self.challenges.iter().position(made) else {
            return false;
        };
        let is_proved = proof.run != self.run && holds(proof, us, peer);
        if is_proved {
            self.challenges.remove(place);
        }
        is_proved
    }
}

/// Whether this device has a twin.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Oneself {
    /// Nothing shows one.
    #[default]
    Single,
    /// One was proved.
    Doubled {
        /// Until when, unless it is proved again.
        until: Moment,
    },
}

impl Oneself {
    /// A twin was proved; gives what was known before.
    pub fn proved(&mut self, now: Moment) -> Oneness {
        let before = self.oneness();
        *self = Self::Doubled {
            until: now.after(DOUBLED_FOR),
        };
        before
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) -> Due {
        match self {
            Self::Doubled { until } if now >= *until => {
                *self = Self::Single;
                Due::Cleared
            }
            Self::Single | Self::Doubled { .. } => Due::Nothing,
        }
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub const fn poll_timeout(&self) -> Option<Moment> {
        match self {
            Self::Single => None,
            Self::Doubled { until } => Some(*until),
        }
    }

    /// Whether this device is one computer, as far as it knows.
    pub const fn oneness(&self) -> Oneness {
        match self {
            Self::Single => Oneness::Single,
            Self::Doubled { .. } => Oneness::Doubled,
        }
    }
}

/// Whether `signer` has signed to `to` that the run lives.
fn holds(proof: &TwinProof, signer: DeviceId, to: DeviceId) -> bool {
    let statement = RunStatement {
        to,
        run: proof.run,
        challenge: proof.challenge,
    };
    SignatureBytes::try_from(proof.signature.as_slice())
        .is_ok_and(|signature| is_signed_by(signer, &statement.signed(), &signature))
}

/// How long a device counts as doubled after it was last shown: 10 minutes. A twin comes back within 4
/// ([`crate::link`] waits so long after a newer connection), so as long as both run and meet the
/// peer it does not end; longer would only keep the one that stays from going on.
const DOUBLED_FOR: Duration = Duration::from_secs(600);

/// How soon whoever dials looks for a run that was not told yet: 2 s, so that what is said to the one
/// that is connected arrives.
const LOOK_TO_TELL: Duration = Duration::from_secs(2);

/// Time between two looks for the other run by whoever dials: 4 minutes, twice within
/// [`DOUBLED_FOR`]. A look costs two handshakes, and nothing is exchanged meanwhile anyway.
const LOOKS_APART: Duration = Duration::from_secs(240);

/// Least time between two looks because of a notice: 10 minutes. A server can repeat notices of runs
/// that are forgotten; all that comes of it is a connection made anew so often.
const SUSPICIONS_APART: Duration = Duration::from_secs(600);

/// Runs of a peer that are remembered: 16, restarts of some days. A run that is forgotten and returns
/// counts as new, and is found out one change later.
const RUNS_REMEMBERED: usize = 16;

/// Own challenges that are remembered per peer: 8, connections of some minutes at worst. What was
/// signed over an older one proves nothing any more.
const CHALLENGES_REMEMBERED: usize = 8;
