//! The sums over a folder's own rows and needs, moved along with every change.
//!
//! Counting a million rows on each batch would cost more than the batch. Bytes wrap around instead
//! of saturating, so that taking a row away always undoes adding it.

use rusqlite::{Connection, Row, params};
use towline_core::records::{Reach, Totals};

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

/// Whether a row is a change that is only here, as `Reach::is_local` has it.
fn is_local(kind: i64, reach: i64) -> bool {
    match reach {
        EVERYONE => false,
        YIELDS => kind != KIND_ABSENT,
        _ => true,
    }
}

const EVERYONE: i64 = reach_column(Reach::Everyone);
const YIELDS: i64 = reach_column(Reach::Yields);

/// The kept sums of a folder.
pub(crate) fn load(connection: &Connection, folder: i64) -> Result<Totals, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT files, directories, symlinks, bytes, needs, local_changes FROM folders WHERE id = ?1",
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
                 local_changes = ?7
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
        local_changes: sum(5)?,
    })
}
