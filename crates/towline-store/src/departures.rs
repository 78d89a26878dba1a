//! Files that went by what people did, and where they lie now.
//!
//! The youngest [`KEPT_MAX`] of a store are kept, for [`KEPT_DAYS`] at most. Where a file lies now is no column: it is asked of our
//! rows when somebody needs the path, so it is true however the file has come there.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use towline_core::records::{Departure, Moved, OurRow, Place};
use towline_wire::entry::{Content, Dot, UnixNanos};
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use crate::columns::{Actors, our_columns, our_row_from, today};
use crate::error::StoreError;
use crate::load::peer_rows;

/// Departures that a store keeps: 50,000, at most about 10 MiB. A directory of as many files may be
/// renamed and every one of them be edited elsewhere; what is forgotten comes back under its former name.
const KEPT_MAX: i64 = 50_000;

/// How long a departure is kept: 60 days. A peer that was away for longer is one whose edits a person looks
/// through before they bring anything back; an edit of something that was moved so long ago is found better
/// where it was written.
const KEPT_DAYS: i64 = 60;

/// Author's actor and counter, hash, file id, mtime, and how many edits have followed.
type Columns = (i64, i64, [u8; 32], i64, i64, u32);

/// Adds or replaces departures of a folder, and forgets the oldest of the store.
pub(crate) fn put(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    departures: &[Departure],
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO departures (folder, path, author_actor, author_counter, hash,
             file_id, mtime, followed, went)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let followed = followed_files(connection, folder)?;
    let mut move_on = connection.prepare_cached(
        "UPDATE departures SET followed = 0 WHERE folder = ?1 AND file_id = ?2 AND path <> ?3",
    )?;
    for departure in departures {
        // As `Departure::moved_on` says.
        if departure.followed == 0 && followed.contains(&departure.file_id) {
            let file_id = departure.file_id.cast_signed();
            move_on.execute(params![folder, file_id, departure.path.as_str()])?;
        }
        insert.execute(params![
            folder,
            departure.path.as_str(),
            actors.number(connection, departure.author.actor)?,
            departure.author.counter.cast_signed(),
            departure.hash.as_bytes(),
            departure.file_id.cast_signed(),
            departure.mtime.0,
            departure.followed,
            today(),
        ])?;
    }
    connection
        .prepare_cached("DELETE FROM departures WHERE went < ?1")?
        .execute([today().saturating_sub(KEPT_DAYS)])?;
    connection
        .prepare_cached("DELETE FROM departures WHERE id <= (SELECT max(id) FROM departures) - ?1")?
        .execute([KEPT_MAX])?;
    Ok(())
}

/// Files that edits have followed: few, whatever else a store keeps.
fn followed_files(connection: &Connection, folder: i64) -> Result<BTreeSet<u64>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT file_id FROM departures WHERE folder = ?1 AND followed > 0")?;
    let mut files = BTreeSet::new();
    let mut found = statement.query([folder])?;
    while let Some(row) = found.next()? {
        files.insert(row.get::<_, i64>(0)?.cast_unsigned());
    }
    Ok(files)
}

/// Something of ours lies at a path again.
pub(crate) fn forget(connection: &Connection, folder: i64, path: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM departures WHERE folder = ?1 AND path = ?2")?
        .execute(params![folder, path])?;
    Ok(())
}

/// What went from a path where we have a tombstone.
pub(crate) fn moved(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    ours: Option<&OurRow>,
) -> Result<Option<Moved>, StoreError> {
    let Some(row) = ours.filter(|row| row.entry.content == Content::Absent) else {
        return Ok(None);
    };
    let Some(departure) = departure(connection, actors, folder, &row.entry.path)? else {
        return Ok(None);
    };
    let place = place(connection, actors, folder, &departure)?;
    Ok(Some(Moved { departure, place }))
}

fn departure(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    path: &RelPath,
) -> Result<Option<Departure>, StoreError> {
    let columns = connection
        .prepare_cached(
            "SELECT author_actor, author_counter, hash, file_id, mtime, followed FROM departures
             WHERE folder = ?1 AND path = ?2 AND went >= ?3",
        )?
        .query_row(
            params![folder, path.as_str(), today().saturating_sub(KEPT_DAYS)],
            |row| row.try_into(),
        )
        .optional()?;
    let Some((actor, counter, hash, file_id, mtime, followed)): Option<Columns> = columns else {
        return Ok(None);
    };
    Ok(Some(Departure {
        path: path.clone(),
        author: Dot {
            actor: actors.actor(connection, actor)?,
            counter: counter.cast_unsigned(),
        },
        hash: ContentHash::from_bytes(hash),
        file_id: file_id.cast_unsigned(),
        mtime: UnixNanos(mtime),
        followed,
    }))
}

/// Where the file of a departure lies now, as [`Moved::place`] has it.
fn place(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    departure: &Departure,
) -> Result<Option<Place>, StoreError> {
    let mut statement = connection.prepare_cached(concat!(
        "SELECT ",
        our_columns!(),
        " FROM our_rows WHERE folder = ?1 AND hash = ?2 AND stamp_file_id = ?3
             AND stamp_mtime = ?4 AND reach = 0
         ORDER BY path LIMIT 1"
    ))?;
    let mut found = statement.query(params![
        folder,
        departure.hash.as_bytes(),
        departure.file_id.cast_signed(),
        departure.mtime.0,
    ])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let ours = our_row_from(row, connection, actors)?;
    let theirs = peer_rows(connection, actors, folder, &ours.entry.path)?;
    Ok(Some(Place { ours, theirs }))
}
