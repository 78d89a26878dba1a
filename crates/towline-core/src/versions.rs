//! Kept versions: what a peer's change replaced or deleted here, how it is named, how long it stays.
//!
//! A version is named by the day on which it was kept and a number within that day, so names order
//! by age and never come again. What may go is decided here, pure, with time as a parameter: by age
//! ([`Retention::is_too_old`]), by number of one path ([`Retention::slot`]) or by room
//! ([`Retention::bytes_max`]). Which one lay at a path at a moment is [`Past`]'s. Nothing is due within its first
//! minute. Times are Unix nanoseconds (UTC).

use std::collections::BTreeMap;
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
    /// [`NEVER`] for a conflict copy, which lay in the inbox instead.
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

/// The part of the past that may hold one version of each path only, under [`Policy::Staggered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// A day, counted as [`VersionId::day`] is.
    Day(u64),
    /// A week, counted from the one of the first of January 1970.
    Week(u64),
}

impl Retention {
    /// Which slot a version has; of the versions of one path in one slot the oldest stays. `None`
    /// when it stays beside all others: all of the last day do.
    ///
    /// Whole days become part of a week, so what stays today is among what stays tomorrow whenever it
    /// is looked at in between.
    pub fn slot(&self, kept_at: UnixNanos, now: UnixNanos) -> Option<Slot> {
        let day = day_of(kept_at);
        match self.policy {
            Policy::Trash => None,
            Policy::Staggered if age(kept_at, now) <= DAY || !may_go(kept_at, now) => None,
            Policy::Staggered if day_of(now).saturating_sub(day) <= DAYS_DAILY => {
                Some(Slot::Day(day))
            }
            Policy::Staggered => Some(Slot::Week(day / DAYS_PER_WEEK)),
        }
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

/// What lay at each path at a moment, as far as kept versions tell.
///
/// The first version that was kept after the moment lay there at it, if its bytes had come before. What
/// came later, or was never kept because its own device changed it, is not known to the past.
#[derive(Debug)]
pub struct Past {
    moment: UnixNanos,
    firsts: BTreeMap<RelPath, First>,
}

/// The first version of a path that was kept after the moment.
#[derive(Debug, Clone, Copy)]
enum First {
    LayThere(VersionId),
    CameLater,
}

impl Past {
    /// The past of this moment, before any version is known.
    pub fn at(moment: UnixNanos) -> Self {
        Self {
            moment,
            firsts: BTreeMap::new(),
        }
    }

    /// Takes a version that still exists; versions come in the order in which they were kept.
    pub fn add(&mut self, kept: Kept) {
        if kept.kept_at <= self.moment || kept.since == NEVER {
            return;
        }
        let first = if kept.since <= self.moment {
            First::LayThere(kept.id)
        } else {
            First::CameLater
        };
        self.firsts.entry(kept.path).or_insert(first);
    }

    /// The versions that lay there, by path.
    pub fn versions(self) -> impl Iterator<Item = (RelPath, VersionId)> {
        let each = |(path, first)| match first {
            First::LayThere(id) => Some((path, id)),
            First::CameLater => None,
        };
        self.firsts.into_iter().filter_map(each)
    }
}

/// Since when a version lay at its path that never did: a conflict copy that was decided against. No
/// moment of the past shows it there.
pub const NEVER: UnixNanos = UnixNanos(i64::MAX);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For how many days a staggered store keeps one version of each: 30. Within them people still know on
/// which day a file was right.
const DAYS_DAILY: u64 = 30;

const DAYS_PER_WEEK: u64 = 7;

/// No version goes within this time: one minute. Whoever sees a file vanish can still bring it back,
/// even when a single change fills the room for all versions.
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixNanos = UnixNanos(1_790_000_000_000_000_000);

    fn before(seconds: i64) -> UnixNanos {
        UnixNanos(NOW.0 - seconds * 1_000_000_000)
    }

    /// What stays of the versions of one path, oldest first.
    fn thin(keep: Retention, versions: &[i64], now: UnixNanos) -> Vec<i64> {
        let mut last = None;
        let stays = |kept: &&i64| {
            let slot = keep.slot(UnixNanos(**kept), now);
            let goes = slot.is_some() && slot == last;
            last = slot;
            !goes
        };
        versions.iter().filter(stays).copied().collect()
    }

    fn retention() -> impl Strategy<Value = Retention> {
        let policy = prop_oneof![1 => Just(Policy::Trash), 4 => Just(Policy::Staggered)];
        let days = prop_oneof![Just(0), 0..400_u64, any::<u64>()];
        (policy, days, any::<u64>(), 0..200_u64).prop_map(|(policy, seconds, bytes, percent)| {
            Retention {
                policy,
                age_max: Duration::from_secs(seconds),
                bytes_max: bytes,
                disk_percent_max: percent,
            }
        })
    }

    /// Moments of a hundred days before [`NOW`], close together and far apart, in their order.
    fn moments() -> impl Strategy<Value = Vec<i64>> {
        let second = prop_oneof![0..200_i64, 0..200_000_i64, 0..8_640_000_i64];
        prop::collection::btree_set(second, 0..40).prop_map(|seconds| {
            let all = seconds.into_iter().rev();
            all.map(|second| before(second).0).collect()
        })
    }

    proptest! {
        #[test]
        fn thinning_again_or_in_between_takes_nothing_else(
            keep in retention(),
            all in moments(),
            between in 0..8_640_000_i64,
        ) {
            let end = thin(keep, &all, NOW);
            prop_assert_eq!(&thin(keep, &end, NOW), &end);
            if keep.policy == Policy::Trash {
                prop_assert_eq!(&end, &all);
            }
            let between = before(between);
            let (early, late): (Vec<i64>, Vec<i64>) =
                all.iter().partition(|kept| **kept <= between.0);
            let looked_at = [thin(keep, &early, between), late].concat();
            prop_assert_eq!(&thin(keep, &looked_at, NOW), &end);
            prop_assert_eq!(all.first(), end.first(), "the oldest stays");
        }

        #[test]
        fn what_is_too_old_stays_so_and_nothing_goes_in_its_first_minute(
            keep in retention(),
            kept in any::<i64>(),
            now in any::<i64>(),
            later in 0..=i64::MAX,
            young in 0..=60_000_000_000_i64,
        ) {
            let (kept, now) = (UnixNanos(kept), UnixNanos(now));
            let later = UnixNanos(now.0.saturating_add(later));
            if keep.is_too_old(kept, now) {
                prop_assert!(keep.is_too_old(kept, later));
            }
            let soon = UnixNanos(kept.0.saturating_add(young));
            for (kept, now) in [(kept, soon), (soon, kept)] {
                prop_assert!(!may_go(kept, now) && !keep.is_too_old(kept, now));
                prop_assert_eq!(keep.slot(kept, now), None);
            }
        }

        #[test]
        fn room_is_never_more_than_either_bound_and_grows_with_the_disk(
            keep in retention(),
            small in any::<u64>(),
            more in any::<u64>(),
        ) {
            let room = keep.bytes_max(small);
            prop_assert!(room <= keep.bytes_max && room <= small);
            prop_assert!(u128::from(room) * 100 <= u128::from(small) * u128::from(keep.disk_percent_max));
            prop_assert!(room <= keep.bytes_max(small.saturating_add(more)));
        }

        #[test]
        fn a_name_is_read_again_whatever_is_read_is_printed_alike(
            day in any::<u64>(), number in any::<u64>(), text in "[-+0-9a ]{0,8}",
        ) {
            let id = VersionId { day, number };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            if let Ok(id) = text.parse::<VersionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
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

    #[test]
    fn of_a_day_and_of_a_week_the_oldest_stays_and_all_of_the_last_day() {
        let keep = Retention {
            policy: Policy::Staggered,
            age_max: DAY * 365,
            ..Retention::default()
        };
        let slot = |seconds| keep.slot(before(seconds), NOW);
        assert_eq!(slot(86_400), None);
        let today = day_of(NOW);
        assert_eq!(slot(2 * 86_400), Some(Slot::Day(today - 2)));
        assert_eq!(slot(29 * 86_400), Some(Slot::Day(today - 29)));
        assert_eq!(slot(40 * 86_400), Some(Slot::Week((today - 40) / 7)));
        assert_eq!(Retention::default().slot(before(40 * 86_400), NOW), None);
    }

    #[test]
    fn thinning_every_day_or_once_in_a_year_leaves_the_same() {
        let keep = Retention {
            policy: Policy::Staggered,
            ..Retention::default()
        };
        // One version every five hours, for 200 days.
        let all: Vec<i64> = (0..960).map(|at| NOW.0 + at * 18_000_000_000_000).collect();
        let end = UnixNanos(all[959] + 1);
        let thin = |versions: &[i64], now: UnixNanos| thin(keep, versions, now);
        let mut daily = Vec::new();
        for (at, kept) in all.iter().enumerate() {
            daily.push(*kept);
            if at % 5 == 0 {
                daily = thin(&daily, UnixNanos(kept + 1));
            }
        }
        let daily = thin(&daily, end);
        assert_eq!(daily, thin(&all, end));
        assert!((55..70).contains(&daily.len()), "{}", daily.len());
    }

    #[test]
    fn the_past_is_the_first_version_kept_after_it_if_its_bytes_had_come_before() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let kept = |text, number, since, kept_at| Kept {
            id: VersionId { day: 1, number },
            path: path(text),
            kept_at: UnixNanos(kept_at),
            since: UnixNanos(since),
        };
        let at = |moment| {
            let mut past = Past::at(UnixNanos(moment));
            for (text, number, since, kept_at) in [
                ("a", 1, 10, 20),
                ("b", 2, 0, 25),
                ("a", 3, 20, 30),
                ("a", 5, NEVER.0, 15),
                ("c", 4, 40, 50),
            ] {
                past.add(kept(text, number, since, kept_at));
            }
            past.versions()
                .map(|(path, id)| (path.as_str().to_owned(), id.number))
                .collect::<Vec<_>>()
        };
        let named = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
            let each = |(text, number): &(&str, u64)| ((*text).to_owned(), *number);
            pairs.iter().map(each).collect()
        };
        assert_eq!(at(5), named(&[("b", 2)]), "before anything of a is known");
        assert_eq!(at(15), named(&[("a", 1), ("b", 2)]));
        assert_eq!(at(20), named(&[("a", 3), ("b", 2)]));
        assert_eq!(at(45), named(&[("c", 4)]));
        assert_eq!(at(50), named(&[]));
    }
}
