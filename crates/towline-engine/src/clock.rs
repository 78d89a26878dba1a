//! The device's clock: monotonic, and counting sleep where the system has such a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towline_core::clock::Moment;
use towline_wire::entry::UnixNanos;

/// A clock that starts when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Reading,
    /// Wall time at the start, for views only.
    start_unix_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Reading::now(),
            start_unix_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Moment {
        Moment::from_start(self.start.elapsed())
    }

    /// Unix milliseconds at the start.
    pub(crate) fn start_unix_ms(&self) -> u64 {
        self.start_unix_ms
    }
}

/// The wall clock, as file times are told.
pub(crate) fn wall() -> UnixNanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug, Clone, Copy)]
struct Reading(Duration);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Reading {
    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Self(Duration::new(seconds, nanos))
    }

    fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// Elsewhere `Instant`: it counts sleep on Windows and not on macOS, where a device finds its
/// connections dead after a sleep by their own deadlines.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug, Clone, Copy)]
struct Reading(std::time::Instant);

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Reading {
    fn now() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
