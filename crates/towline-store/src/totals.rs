//! The sums over a folder's own rows and needs, moved along with every change.
//!
//! Counting a million rows on each batch would cost more than the batch. Bytes wrap around instead
//! of saturating, so that taking a row away always undoes adding it. Copies in the conflict inbox are
//! counted by the path that is in conflict, once for all copies of it.

use rusqlite::{Connection, Row, params};
use towline_core::records::{Reach, Totals};

use towline_wire::rel_path::RelPath;

use crate::columns::{KIND_ABSENT, KIND_DIRECTORY, KIND_FILE, KIND_SYMLINK, reach_column};
use crate::error::StoreError;

/// What of a row counts: kind, size and reach.
pub(crate) struct RowColumns(pub(crate) i64, pub(crate) Option<i64>, pub(crate) i64);

/// Adds one of our rows, by its columns.
pub(crate) fn add(totals: &mut Totals, RowColumns(kind, size, reach): RowColumns) {
    if is_local(kind, reach) {
        totals.local_changes += 1;
    }
    match kind {
        KIND_FILE => {
            totals.files += 1;
            totals.bytes = totals.bytes.wrapping_add(size.unwrap_or(0).cast_unsigned());
        }
        KIND_DIRECTORY => totals.directories += 1,
        KIND_SYMLINK => totals.symlinks += 1,
        // A tombstone.
        _ => {}
    }
}

/// Takes away a row that was added before.
pub(crate) fn take(totals: &mut Totals, RowColumns(kind, size, reach): RowColumns) {
    if is_local(kind, reach) {
        totals.local_changes = totals.local_changes.wrapping_sub(1);
    }
    match kind {
        KIND_FILE => {
            totals.files = totals.files.wrapping_sub(1);
            totals.bytes = totals.bytes.wrapping_sub(size.unwrap_or(0).cast_unsigned());
        }
        KIND_DIRECTORY => totals.directories = totals.directories.wrapping_sub(1),
        KIND_SYMLINK => totals.symlinks = totals.symlinks.wrapping_sub(1),
        // A tombstone.
        _ => {}
    }
}

impl RowColumns {
    /// Whether something lies there.
    pub(crate) const fn lies(&self) -> bool {
        self.0 != KIND_ABSENT
    }
}

/// Counts a copy in the conflict inbox that changes.
pub(crate) fn move_copy(
    totals: &mut Totals,
    before: Option<RowColumns>,
    now: RowColumns,
    counts: Counts,
) {
    if before.is_some_and(|RowColumns(kind, _, reach)| is_local(kind, reach)) {
        totals.local_changes = totals.local_changes.wrapping_sub(1);
    }
    if is_local(now.0, now.2) {
        totals.local_changes += 1;
    }
    totals.conflicts = match counts {
        Counts::Nothing => totals.conflicts,
        Counts::Conflict if now.lies() => totals.conflicts.wrapping_add(1),
        Counts::Conflict => totals.conflicts.wrapping_sub(1),
    };
}

/// Whether a copy that comes or goes is the only one of its path.
pub(crate) enum Counts {
    /// It is, so the path comes into conflict or out of it.
    Conflict,
    /// It is not, or it neither comes nor goes.
    Nothing,
}

/// Whether a row is a change that is only here, as `Reach::is_local` has it.
fn is_local(kind: i64, reach: i64) -> bool {
    match reach {
        EVERYONE | SPOILED => false,
        YIELDS => kind != KIND_ABSENT,
        _ => true,
    }
}

const EVERYONE: i64 = reach_column(Reach::Everyone);
const YIELDS: i64 = reach_column(Reach::Yields);
const SPOILED: i64 = reach_column(Reach::Spoiled);

/// The kept sums of a folder.
pub(crate) fn load(connection: &Connection, folder: i64) -> Result<Totals, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT files, directories, symlinks, bytes, needs, local_changes, conflicts
             FROM folders WHERE id = ?1",
        )?
        .query_row([folder], |row| from_row(row, 0))?)
}

/// Keeps the sums of a folder.
pub(crate) fn save(
    connection: &Connection,
    folder: i64,
    totals: &Totals,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE folders SET files = ?2, directories = ?3, symlinks = ?4, bytes = ?5, needs = ?6,
                 local_changes = ?7, conflicts = ?8
             WHERE id = ?1",
        )?
        .execute(params![
            folder,
            totals.files.cast_signed(),
            totals.directories.cast_signed(),
            totals.symlinks.cast_signed(),
            totals.bytes.cast_signed(),
            totals.needs.cast_signed(),
            totals.local_changes.cast_signed(),
            totals.conflicts.cast_signed(),
        ])?;
    Ok(())
}

/// Reads the seven columns of sums from `first` on.
pub(crate) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    let sum = |column: usize| row.get::<_, i64>(first + column).map(i64::cast_unsigned);
    Ok(Totals {
        files: sum(0)?,
        directories: sum(1)?,
        symlinks: sum(2)?,
        bytes: sum(3)?,
        needs: sum(4)?,
        local_changes: sum(5)?,
        conflicts: sum(6)?,
    })
}

/// Whether a path has a copy in the inbox beside the one that is about to change.
pub(crate) fn has_other_copy(
    connection: &Connection,
    folder: i64,
    conflicted: &RelPath,
    copy: &str,
) -> Result<bool, StoreError> {
    let (start, end) = copies_of(conflicted);
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM our_rows
             WHERE folder = ?1 AND path > ?2 AND path < ?3 AND kind <> 0 AND path <> ?4)",
        )?
        .query_row(params![folder, start, end, copy], |row| row.get(0))?)
}

/// The range of all copies of a path in the inbox: both ends are no paths.
pub(crate) fn copies_of(conflicted: &RelPath) -> (String, String) {
    let start = conflicted.inbox_prefix();
    // The character after the last one of the prefix sorts behind all copies.
    let end = format!("{}.", start.trim_end_matches('-'));
    (start, end)
}
