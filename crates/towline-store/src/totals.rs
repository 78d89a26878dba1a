//! The sums over a folder's own rows and needs, moved along with every change.
//!
//! Counting a million rows on each batch would cost more than the batch. Bytes wrap around instead
//! of saturating, so that taking a row away always undoes adding it.

use rusqlite::{Connection, Row, params};
use towline_core::records::Totals;

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
            "SELECT files, directories, symlinks, bytes, needs FROM folders WHERE id = ?1",
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
            "UPDATE folders SET files = ?2, directories = ?3, symlinks = ?4, bytes = ?5, needs = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            folder,
            totals.files.cast_signed(),
            totals.directories.cast_signed(),
            totals.symlinks.cast_signed(),
            totals.bytes.cast_signed(),
            totals.needs.cast_signed(),
        ])?;
    Ok(())
}

/// Reads the five columns of sums from `first` on.
pub(crate) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Totals> {
    let sum = |column: usize| row.get::<_, i64>(first + column).map(i64::cast_unsigned);
    Ok(Totals {
        files: sum(0)?,
        directories: sum(1)?,
        symlinks: sum(2)?,
        bytes: sum(3)?,
        needs: sum(4)?,
    })
}
