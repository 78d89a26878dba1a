//! Time as the core sees it: a reading of a clock that counts sleep, from an arbitrary start.

use std::time::Duration;

/// A reading of the device's monotonic clock. It never goes back and it counts sleep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that lies `since_start` after the clock's arbitrary start.
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time since the clock's arbitrary start.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// This moment moved by `duration`; stays at the end of time instead of overflowing.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Time that has passed since `earlier`; zero when `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
