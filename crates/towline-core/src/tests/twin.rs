//! Two computers with one key: what shows them, what does not, and what devices do about it.

mod world;

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::ids::DeviceId;
use towline_wire::peer::{Challenge, TwinProof};

use crate::clock::Moment;
use crate::identity::Identity;
use crate::snapshot::Oneness;
use crate::twin::{Due, OurRun, Sightings, Unfounded};

const X: u64 = 1;
const Y: u64 = 2;
const Z: u64 = 3;

/// A device that may be two, as a watcher sees it.
struct Seen {
    sightings: Sightings,
    now: Moment,
    connections: u8,
}

/// Who is seen.
fn key() -> Identity {
    Identity::from_seed(&[1; 32])
}

/// Who sees.
fn watcher() -> DeviceId {
    Identity::from_seed(&[2; 32]).id()
}

fn vouched(run: u64, challenge: Challenge) -> Vec<u8> {
    let signed = OurRun::new(run).vouch(&key(), watcher(), challenge);
    signed.expect("not asked before")
}

impl Seen {
    fn new() -> Self {
        Self {
            sightings: Sightings::default(),
            now: Moment::default(),
            connections: 0,
        }
    }

    fn hello(&mut self, run: u64) -> Option<Challenge> {
        self.connections += 1;
        self.sightings.hello(run, Challenge([self.connections; 32]))
    }

    /// A run connects and answers what it is asked.
    fn connects(&mut self, run: u64) {
        if let Some(challenge) = self.hello(run) {
            let signature = vouched(run, challenge);
            let answer = self
                .sightings
                .vouched(self.now, key().id(), watcher(), signature);
            assert_eq!(answer, Ok(()));
        }
    }

    fn pass(&mut self, seconds: u64) -> Due {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.sightings.handle_timeout(self.now)
    }

    #[track_caller]
    fn check(&self, oneness: Oneness) {
        assert_eq!(self.sightings.oneness(), oneness);
        assert_eq!(self.sightings.may_exchange(), oneness == Oneness::Single);
    }
}

#[test]
fn a_device_that_is_restarted_again_and_again_is_one() {
    let mut seen = Seen::new();
    for run in 0..100 {
        // Over two paths, or after a lost connection, it says hello again.
        seen.connects(run);
        seen.connects(run);
        seen.check(Oneness::Single);
    }
}

#[test]
fn a_run_that_returns_and_lives_shows_two() {
    let mut seen = Seen::new();
    seen.connects(X);
    seen.connects(Y);
    seen.check(Oneness::Single);
    seen.connects(X);
    seen.check(Oneness::Doubled);
}

#[test]
fn a_late_hello_of_a_run_that_has_ended_shows_nothing_and_exchanges_nothing() {
    let mut seen = Seen::new();
    seen.connects(X);
    seen.connects(Y);
    assert!(seen.hello(X).is_some(), "it is asked whether it lives");
    assert_eq!(seen.sightings.oneness(), Oneness::Single);
    assert!(!seen.sightings.may_exchange());
    // It does not answer, and the living one is back.
    seen.sightings.connection_changed();
    assert!(seen.hello(Y).is_some());
    assert_eq!(seen.sightings.oneness(), Oneness::Single);
}

#[test]
fn a_vouching_that_does_not_hold_is_refused() {
    let asked = |run| {
        let mut seen = Seen::new();
        seen.connects(X);
        let challenge = seen.hello(run).expect("another run is asked");
        (seen, challenge)
    };
    let (mut seen, challenge) = asked(Y);
    let other = Identity::from_seed(&[3; 32]);
    let answers = [
        vouched(X, challenge),
        vouched(Y, Challenge([99; 32])),
        OurRun::new(Y)
            .vouch(&key(), other.id(), challenge)
            .expect("to somebody else"),
        OurRun::new(Y)
            .vouch(&other, watcher(), challenge)
            .expect("by somebody else"),
        vec![0; 64],
        Vec::new(),
    ];
    for signature in answers {
        let answer = seen
            .sightings
            .vouched(seen.now, key().id(), watcher(), signature);
        assert_eq!(answer, Err(Unfounded));
        (seen, _) = asked(Y);
    }
    // Nothing was asked.
    let mut seen = Seen::new();
    seen.connects(X);
    let signature = vouched(X, Challenge([1; 32]));
    let answer = seen
        .sightings
        .vouched(seen.now, key().id(), watcher(), signature);
    assert_eq!(answer, Err(Unfounded));
}

#[test]
fn a_notice_counts_only_when_the_connected_run_lives_after_it() {
    let mut seen = Seen::new();
    seen.connects(X);
    seen.sightings.heard(Y);
    seen.connects(Y);
    seen.check(Oneness::Single);

    let mut seen = Seen::new();
    seen.connects(X);
    seen.sightings.heard(Y);
    assert_eq!(seen.sightings.lives(seen.now), Due::Look);
    seen.check(Oneness::Single);
    seen.connects(Y);
    seen.check(Oneness::Doubled);
}

#[test]
fn a_notice_that_overtakes_the_hello_of_its_run_shows_nothing() {
    let mut seen = Seen::new();
    seen.connects(X);
    // The next connection stands, and its sign of life comes before its hello.
    seen.sightings.connection_changed();
    seen.sightings.heard(Y);
    assert_eq!(seen.sightings.lives(seen.now), Due::Nothing);
    seen.connects(Y);
    seen.check(Oneness::Single);
}

#[test]
fn notices_that_a_server_repeats_show_nothing_and_are_looked_into_rarely() {
    let mut seen = Seen::new();
    seen.connects(X);
    let mut looks = 0;
    for run in 100..200 {
        seen.sightings.heard(run);
        looks += u32::from(seen.sightings.lives(seen.now) == Due::Look);
        seen.pass(30);
        seen.connects(X);
        seen.check(Oneness::Single);
    }
    assert_eq!(looks, 5, "one in ten minutes of fifty");
    // What is known already, or answers nothing that was heard, is no reason.
    seen.sightings.heard(X);
    assert_eq!(seen.sightings.lives(seen.now), Due::Nothing);
}

#[test]
fn two_count_as_one_again_when_nothing_has_shown_both_for_ten_minutes() {
    let mut seen = Seen::new();
    for run in [X, Y, X] {
        seen.connects(run);
    }
    // Each look for the other one, and each change, shows both again.
    assert_eq!(seen.pass(240), Due::Look);
    assert_eq!(seen.pass(240), Due::Look);
    seen.connects(Y);
    seen.pass(599);
    seen.check(Oneness::Doubled);
    assert_eq!(seen.pass(1), Due::Cleared);
    seen.check(Oneness::Single);
    assert_eq!(seen.sightings.poll_timeout(), None);
    // Should the other one come after all, it is seen at once.
    seen.connects(X);
    seen.check(Oneness::Doubled);
}

#[test]
fn a_restart_of_one_ends_it_until_the_other_one_comes() {
    let mut seen = Seen::new();
    for run in [X, Y, X] {
        seen.connects(run);
    }
    seen.connects(Z);
    seen.check(Oneness::Single);
    seen.connects(Y);
    seen.check(Oneness::Doubled);
}

fn answer(run: &mut OurRun, challenge: Challenge) -> Vec<u8> {
    let signed = run.vouch(&key(), watcher(), challenge);
    signed.expect("not asked before on this connection")
}

/// The two runs of a device towards the watcher, and what they have been told.
struct Twins {
    seen: Seen,
    runs: [OurRun; 2],
    rng: ChaCha20Rng,
}

impl Twins {
    fn new() -> Self {
        Self {
            seen: Seen::new(),
            runs: [OurRun::new(X), OurRun::new(Y)],
            rng: ChaCha20Rng::from_seed([0; 32]),
        }
    }

    /// One of them connects; the proof that it gets.
    fn connects(&mut self, which: usize) -> Option<TwinProof> {
        let run = &mut self.runs[which];
        let made = run.challenge(&mut self.rng);
        let sightings = &mut self.seen.sightings;
        if let Some(challenge) = sightings.hello(run.run(), made) {
            let signature = answer(run, challenge);
            let heard = sightings.vouched(self.seen.now, key().id(), watcher(), signature);
            assert_eq!(heard, Ok(()));
        }
        sightings.take_proof()
    }

    fn believes(&mut self, which: usize, proof: &TwinProof) -> bool {
        self.runs[which].is_twin(key().id(), watcher(), proof)
    }
}

#[test]
fn each_twin_is_given_a_proof_that_holds_once() {
    let mut twins = Twins::new();
    assert_eq!(twins.connects(0), None);
    assert_eq!(twins.connects(1), None, "it may be the same, restarted");
    for which in [0, 1] {
        let proof = twins.connects(which).expect("the other one has vouched");
        assert!(
            !twins.believes(1 - which, &proof),
            "it is not about that one"
        );
        assert!(twins.believes(which, &proof));
        assert!(!twins.believes(which, &proof), "repeating proves nothing");
    }
}

#[test]
fn a_proof_that_does_not_hold_is_not_believed() {
    let mut twins = Twins::new();
    twins.connects(0);
    twins.connects(1);
    let proof = twins.connects(0).expect("the other one has vouched");
    let lies = [
        TwinProof {
            run: X,
            ..proof.clone()
        },
        TwinProof {
            run: Z,
            ..proof.clone()
        },
        TwinProof {
            challenge: Challenge([9; 32]),
            ..proof.clone()
        },
        TwinProof {
            signature: vec![0; 64],
            ..proof.clone()
        },
        TwinProof {
            signature: Vec::new(),
            ..proof.clone()
        },
    ];
    for lie in lies {
        assert!(!twins.believes(0, &lie), "{lie:?}");
    }
    // Two peers together: what the device says of its run to one of them is passed to the other.
    let accomplice = Identity::from_seed(&[3; 32]).id();
    let made = twins.runs[0].challenge(&mut twins.rng);
    let mut other_run = OurRun::new(77);
    let signature = other_run.vouch(&key(), accomplice, made).expect("once");
    let passed_on = TwinProof {
        run: 77,
        challenge: made,
        signature,
    };
    assert!(!twins.believes(0, &passed_on));
    // The device itself signs nothing that makes it its own twin.
    let signature = twins.runs[0].vouch(&key(), watcher(), made).expect("once");
    let itself = TwinProof {
        run: X,
        challenge: made,
        signature,
    };
    assert!(!twins.believes(0, &itself));
    assert!(twins.believes(0, &proof), "and the truth still counts");
}

#[test]
fn a_run_vouches_once_per_connection() {
    let mut run = OurRun::new(X);
    let challenge = Challenge([5; 32]);
    let mut rng = ChaCha20Rng::from_seed([0; 32]);
    assert!(run.vouch(&key(), watcher(), challenge).is_some());
    assert!(run.vouch(&key(), watcher(), challenge).is_none());
    run.challenge(&mut rng);
    assert!(run.vouch(&key(), watcher(), challenge).is_some());
}
