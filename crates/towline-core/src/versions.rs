//! Kept versions: what a peer's change replaced or deleted here, how it is named, how long it stays.
//!
//! A version is named by the day on which it was kept and a number within that day, so names order
//! by age and never come again. What may go is decided here, pure, with time as a parameter: by age
//! ([`Retention::is_too_old`]) or by room ([`Retention::bytes_max`]). Nothing is due within its first
//! minute. Times are Unix nanoseconds (UTC).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use towline_wire::entry::UnixNanos;
use towline_wire::rel_path::RelPath;

/// Names one kept version of one folder on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId {
    /// The day, counted from the first of January 1970 (UTC).
    pub day: u64,
    /// Which version of that day, from 1.
    pub number: u64,
}

/// The text is not a version's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionIdError;

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.day, self.number)
    }
}

impl FromStr for VersionId {
    type Err = VersionIdError;

    fn from_str(text: &str) -> Result<Self, VersionIdError> {
        let (day, number) = text.split_once('-').ok_or(VersionIdError)?;
        let id = Self {
            day: day.parse().map_err(|_| VersionIdError)?,
            number: number.parse().map_err(|_| VersionIdError)?,
        };
        // `+1` and `01` name nothing.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(VersionIdError)
        }
    }
}

/// What is known of a kept version without looking at its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub id: VersionId,
    /// Where it lay.
    pub path: RelPath,
    /// When it was kept.
    pub kept_at: UnixNanos,
    /// Since when exactly these bytes had lain there, by this device's clock; 0 when unknown.
    pub since: UnixNanos,
}

/// How long kept versions stay on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Which versions go before their time.
    pub policy: Policy,
    /// What is older goes.
    pub age_max: Duration,
    /// Bytes of all versions of one folder, whatever the disk.
    pub bytes_max: u64,
    /// The same as a share of the disk, in percent; the smaller one counts.
    pub disk_percent_max: u64,
}

/// Which versions go before they are too old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// None: a bin.
    #[default]
    Trash,
    /// The older, the fewer of one path stay.
    Staggered,
}

impl Default for Retention {
    /// Thirty days, as the bins of desktops and clouds have taught people; ten GiB or a tenth of the
    /// disk, so that nobody finds a disk filled by what was deleted.
    fn default() -> Self {
        Self {
            policy: Policy::Trash,
            age_max: DAY * 30,
            bytes_max: 10 * 1024 * 1024 * 1024,
            disk_percent_max: 10,
        }
    }
}

impl Retention {
    /// Whether age alone makes a version go.
    pub fn is_too_old(&self, kept_at: UnixNanos, now: UnixNanos) -> bool {
        age(kept_at, now) > self.age_max && may_go(kept_at, now)
    }

    /// Most bytes on a disk of this size.
    pub fn bytes_max(&self, disk_bytes: u64) -> u64 {
        self.bytes_max
            .min(disk_bytes / 100 * self.disk_percent_max.min(100))
    }
}

/// Whether a version is old enough to go for whatever reason. One from the future was kept under a
/// clock that was wrong; it may go like any other once the clock is right by more than a minute.
pub fn may_go(kept_at: UnixNanos, now: UnixNanos) -> bool {
    now.0.abs_diff(kept_at.0) > nanos(KEPT_AT_LEAST)
}

/// The day of a moment, as [`VersionId::day`] counts; moments before 1970 count as its first day.
pub fn day_of(moment: UnixNanos) -> u64 {
    u64::try_from(moment.0).unwrap_or(0) / nanos(DAY)
}

fn age(kept_at: UnixNanos, now: UnixNanos) -> Duration {
    Duration::from_nanos(u64::try_from(now.0.saturating_sub(kept_at.0)).unwrap_or(0))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// No version goes within this time: one minute. Whoever sees a file vanish can still bring it back,
/// even when a single change fills the room for all versions.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_790_000_000_000_000_000);

    fn before(seconds: i64) -> UnixNanos {
        UnixNanos(NOW.0 - seconds * 1_000_000_000)
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_in_no_other_way() {
        let id = VersionId {
            day: 20_777,
            number: 3,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1", "-", "1-", "-1", "01-1", "+1-1", "1-1-1", "1-/../2"] {
            assert_eq!(text.parse::<VersionId>(), Err(VersionIdError), "{text}");
        }
    }

    #[test]
    fn age_and_room_have_bounds_and_the_first_minute_is_safe() {
        let keep = Retention::default();
        assert!(!keep.is_too_old(before(30 * 86_400), NOW));
        assert!(keep.is_too_old(before(30 * 86_400 + 1), NOW));
        assert!(!may_go(before(60), NOW) && may_go(before(61), NOW));
        assert_eq!(keep.bytes_max(1000), 100);
        assert_eq!(keep.bytes_max(u64::MAX), keep.bytes_max);
        assert!(!keep.is_too_old(UnixNanos(i64::MAX), NOW));
    }
}
