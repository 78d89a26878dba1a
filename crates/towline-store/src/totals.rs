//! The sums over a folder's own rows and needs, moved along with every change.
//!
//! Counting a million rows on each batch would cost more than the batch. Bytes wrap around instead
//! of saturating, so that taking a row away always undoes adding it. Copies in the conflict inbox are
//! counted by the path that is in conflict, once for all copies of it.

use rusqlite::{Connection, Row, params};
use towline_core::records::Totals;

use towline_wire::rel_path::RelPath;

use crate::columns::{KIND_DIRECTORY, KIND_FILE, KIND_SYMLINK};
use crate::error::StoreError;

/// Adds one of our rows, by its columns.
pub(crate) fn add(totals: &mut Totals, kind: i64, size: Option<i64>) {
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
pub(crate) fn take(totals: &mut Totals, kind: i64, size: Option<i64>) {
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

/// The kept sums of a folder.
pub(crate) fn load(connection: &Connection, folder: i64) -> Result<Totals, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT files, directories, symlinks, bytes, needs, conflicts FROM folders WHERE id = ?1",
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
                 conflicts = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            folder,
            totals.files.cast_signed(),
            totals.directories.cast_signed(),
            totals.symlinks.cast_signed(),
            totals.bytes.cast_signed(),
            totals.needs.cast_signed(),
            totals.conflicts.cast_signed(),
        ])?;
    Ok(())
}

/// Reads the six columns of sums from `first` on.
pub(crate) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    let sum = |column: usize| row.get::<_, i64>(first + column).map(i64::cast_unsigned);
    Ok(Totals {
        files: sum(0)?,
        directories: sum(1)?,
        symlinks: sum(2)?,
        bytes: sum(3)?,
        needs: sum(4)?,
        conflicts: sum(5)?,
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
