//! Kept versions: what a peer's change replaced or deleted here, how it is named, how long it stays.
//!
//! A version is named by the day on which it was kept and a number within that day, so names order
//! by age and never come again. What may go is decided here, pure, with time as a parameter: by age
//! ([`Retention::is_too_old`]), by room ([`Retention::bytes_max`]), or thinned out
//! ([`thin_out`]). Nothing is due within its first minute. Times are Unix nanoseconds (UTC).

use std::collections::BTreeSet;
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
    /// What is older goes.
    pub age_max: Duration,
    /// Bytes of all versions of one folder, whatever the disk.
    pub bytes_max: u64,
    /// The same as a share of the disk, in percent; the smaller one counts.
    pub disk_percent_max: u64,
}

impl Default for Retention {
    /// Thirty days, as the bins of desktops and clouds have taught people; ten GiB or a tenth of the
    /// disk, so that nobody finds a disk filled by what was deleted.
    fn default() -> Self {
        Self {
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

/// The versions of one path that the staggered policy gives up: all but the oldest of each hour
/// until its day has been over for a day, then of each day until its week has been over for thirty,
/// then of each week. The oldest of a time is what lay there before a burst of changes. Thinning out
/// today and again tomorrow leaves the same as thinning out tomorrow alone.
pub fn thin_out(kept_at: &BTreeSet<UnixNanos>, now: UnixNanos) -> BTreeSet<UnixNanos> {
    let mut taken = BTreeSet::new();
    let mut gone = BTreeSet::new();
    for at in kept_at {
        // All of a span grow coarser together, so what one thinning keeps the next one keeps too.
        let ended = |span: Duration| age(end_of(*at, span), now);
        let span = if ended(DAY * 7) > DAY * 30 {
            DAY * 7
        } else if ended(DAY) > DAY {
            DAY
        } else {
            HOUR
        };
        let first_of_its_span = taken.insert((span, span_of(*at, span)));
        if !first_of_its_span && may_go(*at, now) {
            gone.insert(*at);
        }
    }
    gone
}

/// The day of a moment, as [`VersionId::day`] counts; moments before 1970 count as its first day.
pub fn day_of(moment: UnixNanos) -> u64 {
    u64::try_from(moment.0).unwrap_or(0) / nanos(DAY)
}

/// Which span of its length a moment lies in, counted from 1970.
fn span_of(moment: UnixNanos, span: Duration) -> i64 {
    moment.0.div_euclid(signed_nanos(span))
}

fn end_of(moment: UnixNanos, span: Duration) -> UnixNanos {
    let next = span_of(moment, span).saturating_add(1);
    UnixNanos(next.saturating_mul(signed_nanos(span)))
}

fn signed_nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

fn age(kept_at: UnixNanos, now: UnixNanos) -> Duration {
    Duration::from_nanos(u64::try_from(now.0.saturating_sub(kept_at.0)).unwrap_or(0))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// No version goes within this time: one minute. Whoever sees a file vanish can still bring it back,
/// even when a single change fills the room for all versions.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixNanos = UnixNanos(1_790_000_000_000_000_000);

    fn before(ages: &BTreeSet<u64>) -> BTreeSet<UnixNanos> {
        let second = 1_000_000_000;
        let at = |age: &u64| UnixNanos(NOW.0 - i64::try_from(*age).unwrap() * second);
        ages.iter().map(at).collect()
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
        let at = |age: u64| *before(&BTreeSet::from([age])).first().unwrap();
        assert!(!keep.is_too_old(at(30 * 86_400), NOW));
        assert!(keep.is_too_old(at(30 * 86_400 + 1), NOW));
        assert!(!may_go(at(60), NOW) && may_go(at(61), NOW));
        assert_eq!(keep.bytes_max(1000), 100);
        assert_eq!(keep.bytes_max(u64::MAX), keep.bytes_max);
        assert!(!keep.is_too_old(UnixNanos(i64::MAX), NOW));
    }

    proptest! {
        #[test]
        fn thinning_out_keeps_one_of_each_span_and_the_oldest(
            ages in proptest::collection::btree_set(0_u64..200 * 86_400, 1..200),
        ) {
            let all = before(&ages);
            let gone = thin_out(&all, NOW);
            let left: BTreeSet<_> = all.difference(&gone).copied().collect();
            prop_assert_eq!(all.first(), left.first());
            prop_assert!(gone.iter().all(|at| may_go(*at, NOW)));
            prop_assert!(thin_out(&left, NOW).is_empty(), "once is enough");
            // What goes has an older one that stays within its week at most.
            for at in &gone {
                let week = 7 * 86_400 * 1_000_000_000;
                prop_assert!(left.range(..at).any(|older| at.0 - older.0 < week));
            }
        }

        #[test]
        fn thinning_out_often_leaves_the_same_as_once(
            ages in proptest::collection::btree_set(0_u64..60 * 86_400, 1..200),
            later in 61_u64..60 * 86_400,
        ) {
            let all = before(&ages);
            let then = UnixNanos(NOW.0 + i64::try_from(later).unwrap() * 1_000_000_000);
            let first = thin_out(&all, NOW);
            let between: BTreeSet<_> = all.difference(&first).copied().collect();
            let second = thin_out(&between, then);
            let both: BTreeSet<_> = first.union(&second).copied().collect();
            prop_assert_eq!(both, thin_out(&all, then));
        }
    }
}
