//! When a shell asks whether there is a newer release: at its start, and daily.
//!
//! Pure: the time and the draw come from outside. Devices that start at the same hour (a school, an office) do not
//! ask at the same moment of the next day.

use std::time::Duration;

/// How soon after a start: 5 s, when there is a window and a line.
const AFTER_START: Duration = Duration::from_secs(5);

/// When nobody has answered, and between two questions at least: 1 h.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// From an answer to the next question: a day.
const DAILY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much later, at most: 2 h, so that a crowd that began together spreads.
const SPREAD: Duration = Duration::from_secs(2 * 60 * 60);

/// How long until the next question, when this shell has asked `asked` times and the last answer came `since` ago
/// (`None`: never, or in a future that a wrong clock has seen). `draw` is any number.
pub fn next_check(asked: u32, since: Option<Duration>, draw: u32) -> Duration {
    match (asked, since) {
        (0, _) => AFTER_START,
        (_, Some(since)) => {
            let spread = SPREAD.mul_f64(f64::from(draw) / f64::from(u32::MAX));
            (DAILY + spread).saturating_sub(since).max(AGAIN)
        }
        // Not every minute, and not only tomorrow.
        (_, None) => AGAIN,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_start_asks_soon_then_daily_and_hourly_while_nobody_answers() {
        assert_eq!(next_check(0, None, 0), AFTER_START);
        assert_eq!(next_check(0, Some(AGAIN), 0), AFTER_START);
        assert_eq!(next_check(1, Some(Duration::ZERO), 0), DAILY);
        assert_eq!(
            next_check(7, Some(Duration::ZERO), u32::MAX),
            DAILY + SPREAD
        );
        assert_eq!(next_check(2, Some(3 * DAILY), 9), AGAIN);
        assert_eq!(next_check(1, None, 0), AGAIN);
    }

    proptest! {
        #[test]
        fn nobody_is_asked_without_a_pause(asked: u32, since in any::<Option<u32>>(), draw: u32) {
            let since = since.map(|seconds| Duration::from_secs(seconds.into()));
            let wait = next_check(asked, since, draw);
            let least = if asked == 0 { AFTER_START } else { AGAIN };
            prop_assert!(wait >= least);
            prop_assert!(wait <= DAILY + SPREAD);
        }
    }
}
