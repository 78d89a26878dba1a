//! How long to wait before something is tried again: doubling, with jitter and a cap.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;

/// Counts failures in a row and turns them into waits of 1 to 60 seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Forgets the failures: what was tried works.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one failure more.
    pub(crate) fn next(&mut self, rng: &mut ChaCha20Rng) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        jittered(full, rng)
    }
}

/// Between one half of `full` and `full`, so that many devices do not come back at once.
pub(crate) fn jittered(full: Duration, rng: &mut ChaCha20Rng) -> Duration {
    let half = full / 2;
    half + half.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

/// The wait after the first failure: 1 s, what a restarting server or a changed network takes.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait: 60 s. Longer and a person thinks that it has given up; shorter and a million
/// devices of a server that is down keep it down.
const LONGEST: Duration = Duration::from_secs(60);
