//! Removes versions that are too old or too many of one path, and the oldest when all of them take too
//! much room.
//!
//! Runs soon after a root is opened, once a day, and at most once a minute while versions take too much
//! room. Days are read from the oldest on, line by line, so memory does not grow with their number; a
//! staggered store remembers 48 bytes for each path that has older ones. No version goes within its
//! first minute.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use towline_core::versions::{Kept, Retention, may_go};

use super::super::handle::{Directory, Kind};
use super::super::pool::lock;
use super::super::root::Root;
use super::{NAMES, VERSIONS_DIRECTORY, mark_of_version, now, number_of, read_names, short_of};
use towline_wire::entry::UnixNanos;
use towline_wire::rel_path::MARKER_DIRECTORY;

/// Time between two prunings: one day.
const PRUNED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Time between two prunings while there is too much: one minute. What was kept within the last one may
/// not go, so asking more often would only read the same names again.
const PRUNED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Share of the room down to which is pruned, in percent: 90, so that the next change does not begin it
/// all anew.
const PRUNED_TO_PERCENT: u64 = 90;

impl Root {
    /// Whether versions are to be pruned now; whoever is told so prunes.
    pub(in super::super) fn begin_pruning(&self) -> bool {
        let usage = &mut lock(&self.versions.state).usage;
        let is_over = usage.bytes_max.is_some_and(|most| usage.bytes > most);
        let is_due = usage.pruned.is_none_or(|at| {
            at.elapsed() >= PRUNED_EVERY || (is_over && at.elapsed() >= PRUNED_AGAIN_AFTER)
        });
        let begins = is_due && !usage.pruning;
        usage.pruning |= begins;
        begins
    }

    /// Removes what may not stay, until `is_ending` says that the engine ends.
    pub(in super::super) fn prune(
        &self,
        retention: &Retention,
        is_ending: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let before = lock(&self.versions.state).usage.bytes;
        let pruned = self.prune_at(now(), retention, is_ending);
        let usage = &mut lock(&self.versions.state).usage;
        usage.pruning = false;
        // One that fails is not tried again before its time either.
        usage.pruned = Some(Instant::now());
        let (bytes, bytes_max) = pruned?;
        // What was kept meanwhile may be counted twice; then the next pruning is early, no more.
        usage.bytes = bytes + usage.bytes.saturating_sub(before);
        usage.bytes_max = Some(bytes_max);
        Ok(())
    }

    /// The bytes that are left, and the most that they may be.
    pub(in super::super) fn prune_at(
        &self,
        now: UnixNanos,
        retention: &Retention,
        is_ending: &dyn Fn() -> bool,
    ) -> io::Result<(u64, u64)> {
        let bytes_max = retention.bytes_max(self.top().filesystem_bytes()?);
        let mut slots = BTreeMap::new();
        let mut bytes = self.sweep(is_ending, |kept, _| {
            if retention.is_too_old(kept.kept_at, now) {
                return true;
            }
            // Versions of a path come oldest first.
            retention
                .slot(kept.kept_at, now)
                .is_some_and(|slot| slots.insert(short_of(&kept.path), slot) == Some(slot))
        })?;
        if bytes > bytes_max {
            let goal = bytes_max / 100 * PRUNED_TO_PERCENT;
            let mut left = bytes;
            bytes = self.sweep(is_ending, |kept, size| {
                let goes = left > goal && may_go(kept.kept_at, now);
                left -= if goes { size } else { 0 };
                goes
            })?;
        }
        self.remove_empty_days(now)?;
        Ok((bytes, bytes_max))
    }

    /// Removes versions that `goes` names, oldest first; the bytes of all others.
    fn sweep(
        &self,
        is_ending: &dyn Fn() -> bool,
        mut goes: impl FnMut(&Kept, u64) -> bool,
    ) -> io::Result<u64> {
        let mut bytes = 0;
        for (day, directory) in self.days()? {
            let mut fault = None;
            read_names(&directory, day, |kept| {
                if fault.is_some() || is_ending() {
                    return;
                }
                match sweep_one(&directory, &kept, &mut goes) {
                    Ok(left) => bytes += left,
                    Err(first) => fault = Some(first),
                }
            })?;
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        Ok(bytes)
    }

    /// Removes days that hold nothing but names. Today's stays, it is being written.
    fn remove_empty_days(&self, now: UnixNanos) -> io::Result<()> {
        // No batch may be about to move something there.
        let _placing = self
            .versions
            .placing
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let today = towline_core::versions::day_of(now);
        let open = lock(&self.versions.state).today.as_ref().map(|day| day.day);
        for (day, directory) in self.days()? {
            if day >= today || Some(day) == open {
                continue;
            }
            let is_version =
                |name: &std::ffi::OsString| name.to_str().and_then(number_of).is_some();
            if directory.list()?.iter().any(|(name, _)| is_version(name)) {
                continue;
            }
            match directory.remove_file(NAMES) {
                Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
                Ok(()) | Err(_) => {}
            }
            let versions = self
                .top()
                .open_directory(MARKER_DIRECTORY)?
                .open_directory(VERSIONS_DIRECTORY)?;
            match versions.remove_directory(&day.to_string()) {
                // A stranger's file lies there; it is in nobody's way.
                Err(fault) if fault.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// Removes one version if it goes; the bytes that stay.
fn sweep_one(
    directory: &Directory,
    kept: &Kept,
    goes: &mut impl FnMut(&Kept, u64) -> bool,
) -> io::Result<u64> {
    let Some(mark) = mark_of_version(directory, kept.id.number)? else {
        return Ok(0);
    };
    let size = if mark.kind == Kind::File {
        mark.stamp.size
    } else {
        0
    };
    if !goes(kept, size) {
        return Ok(size);
    }
    match directory.remove_file(&kept.id.number.to_string()) {
        // Restored meanwhile.
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(0),
        other => other.map(|()| 0),
    }
}
