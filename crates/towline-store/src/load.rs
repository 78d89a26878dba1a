//! What the core asks for while it runs: rows by path, pages of needs, pages of the index.
//!
//! A folder without a record has no rows. A page asks for one row more than its limit, to know
//! whether it is the last. Answers of many statements run in one read transaction: without it each
//! statement would take and give back the locks of the database file (three times slower). What is asked
//! for many paths is prepared once for all of them ([`Lookup`]).

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use towline_core::io::{IndexOf, NeedsOf, PageEnd, StoreReply};
use towline_core::records::{Elsewhere, Need, OurRow};
use towline_wire::entry::{Content, Entry};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Sequence};
use towline_wire::rel_path::RelPath;

use crate::columns::{
    Actors, device_from, entry_columns, entry_from, folder_number, our_columns, our_row_from,
    path_from,
};
use crate::departures;
use crate::error::StoreError;

/// Answers `LoadRows`.
pub(crate) fn rows(
    connection: &Connection,
    actors: &mut Actors,
    folder: FolderId,
    paths: &[RelPath],
) -> Result<StoreReply, StoreError> {
    let _snapshot = connection.unchecked_transaction()?;
    let number = folder_number(connection, folder)?;
    let mut found = Vec::with_capacity(paths.len());
    match number {
        Some(number) => {
            let mut ours = Lookup::prepare(connection, number, OUR_ROW)?;
            for path in paths {
                found.push(ours.our_row(actors, path)?);
            }
        }
        None => found.resize(paths.len(), None),
    }
    Ok(StoreReply::Rows(folder, found))
}

/// Answers `LoadNeeds`.
pub(crate) fn needs(
    connection: &Connection,
    actors: &mut Actors,
    (folder, of): (FolderId, NeedsOf),
    after: Option<&RelPath>,
    limit: usize,
) -> Result<StoreReply, StoreError> {
    let _snapshot = connection.unchecked_transaction()?;
    let Some(number) = folder_number(connection, folder)? else {
        return Ok(StoreReply::Needs {
            folder,
            needs: Vec::new(),
            end: PageEnd::End,
        });
    };
    let mut statement = connection.prepare_cached(match of {
        NeedsOf::Everything => {
            "SELECT path FROM needs WHERE folder = ?1 AND path > ?2 ORDER BY path LIMIT ?3"
        }
        // 3 is a directory.
        NeedsOf::Directories => {
            "SELECT path FROM needs WHERE folder = ?1 AND path > ?2
             AND EXISTS (SELECT 1 FROM peer_rows WHERE peer_rows.folder = ?1
                 AND peer_rows.path = needs.path AND kind = 3)
             ORDER BY path LIMIT ?3"
        }
        NeedsOf::Ours => {
            "SELECT path FROM needs WHERE folder = ?1 AND path > ?2
             AND (EXISTS (SELECT 1 FROM our_rows WHERE our_rows.folder = ?1
                     AND our_rows.path = needs.path AND kind <> 0)
                 OR EXISTS (SELECT 1 FROM departures WHERE departures.folder = ?1
                     AND departures.path = needs.path))
             ORDER BY path LIMIT ?3"
        }
        // As `Reach::is_local` has it: 3 gives way, and of that only what lies here counts.
        NeedsOf::Local => {
            "SELECT path FROM our_rows WHERE folder = ?1 AND path > ?2 AND reach <> 0 AND spoiled = 0
             AND (reach <> 3 OR kind <> 0)
             ORDER BY path LIMIT ?3"
        }
    })?;
    let after = after.map_or("", RelPath::as_str);
    let mut found = statement.query(params![number, after, limit_of(limit)])?;
    let mut paths = Vec::new();
    while let Some(row) = found.next()? {
        paths.push(path_from(row, 0)?);
    }
    let end = cut(&mut paths, limit);
    let mut needs = Vec::with_capacity(paths.len());
    let mut look_at_ours = Lookup::prepare(connection, number, OUR_ROW)?;
    let mut look_at_theirs = Lookup::prepare(connection, number, PEER_ROWS)?;
    let mut look_for_bytes = Lookup::prepare(connection, number, HELD)?;
    for path in paths {
        let ours = look_at_ours.our_row(actors, &path)?;
        let theirs = look_at_theirs.peer_rows(actors, &path)?;
        let held = look_for_bytes.held(&theirs)?;
        let elsewhere = elsewhere(connection, number, ours.as_ref(), &theirs)?;
        let moved = departures::moved(connection, actors, number, ours.as_ref())?;
        needs.push(Need {
            path,
            ours,
            theirs,
            held,
            elsewhere,
            moved,
        });
    }
    Ok(StoreReply::Needs { folder, needs, end })
}

/// Answers `LoadIndex`.
pub(crate) fn index(
    connection: &Connection,
    actors: &mut Actors,
    (folder, peer, of): (FolderId, DeviceId, IndexOf),
    after: Sequence,
    limit: usize,
) -> Result<StoreReply, StoreError> {
    let Some(number) = folder_number(connection, folder)? else {
        return Ok(StoreReply::Index {
            folder,
            peer,
            rows: Vec::new(),
            end: PageEnd::End,
        });
    };
    let mut statement = connection.prepare_cached(match of {
        IndexOf::Everything => concat!(
            "SELECT ",
            our_columns!(),
            " FROM our_rows WHERE folder = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3"
        ),
        IndexOf::Told => concat!(
            "SELECT ",
            our_columns!(),
            " FROM our_rows WHERE folder = ?1 AND sequence > ?2 AND reach = 0
             ORDER BY sequence LIMIT ?3"
        ),
    })?;
    // A start beyond what we can have counted to is beyond all rows.
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    let mut found = statement.query(params![number, after, limit_of(limit)])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let OurRow {
            entry,
            sequence,
            stamp: _,
            reach: _,
        } = our_row_from(row, connection, actors)?;
        rows.push((sequence, entry));
    }
    let end = cut(&mut rows, limit);
    Ok(StoreReply::Index {
        folder,
        peer,
        rows,
        end,
    })
}

/// Our row at a path, tombstone included.
pub(crate) fn our_row(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    path: &RelPath,
) -> Result<Option<OurRow>, StoreError> {
    Lookup::prepare(connection, folder, OUR_ROW)?.our_row(actors, path)
}

/// What each peer says of a path, ascending by device.
pub(crate) fn peer_rows(
    connection: &Connection,
    actors: &mut Actors,
    folder: i64,
    path: &RelPath,
) -> Result<Vec<(DeviceId, Entry)>, StoreError> {
    Lookup::prepare(connection, folder, PEER_ROWS)?.peer_rows(actors, path)
}

/// A question about one folder, prepared once and asked for many paths.
pub(crate) struct Lookup<'connection> {
    connection: &'connection Connection,
    folder: i64,
    statement: CachedStatement<'connection>,
}

/// Our row at a path: [`Lookup::our_row`].
pub(crate) const OUR_ROW: &str = concat!(
    "SELECT ",
    our_columns!(),
    " FROM our_rows WHERE folder = ?1 AND path = ?2"
);

/// What each peer says of a path: [`Lookup::peer_rows`]. The cross join keeps SQLite from walking all
/// devices for each path.
const PEER_ROWS: &str = concat!(
    "SELECT ",
    entry_columns!(),
    ", key FROM peer_rows CROSS JOIN devices ON devices.id = device
     WHERE folder = ?1 AND path = ?2"
);

/// Whether we hold a content: [`Lookup::held`].
const HELD: &str = "SELECT 1 FROM our_rows WHERE folder = ?1 AND hash = ?2
     AND stamp_size IS NOT NULL LIMIT 1";

impl<'connection> Lookup<'connection> {
    /// Prepares one of the questions above.
    pub(crate) fn prepare(
        connection: &'connection Connection,
        folder: i64,
        question: &str,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            folder,
            statement: connection.prepare_cached(question)?,
        })
    }

    /// Answers [`OUR_ROW`].
    pub(crate) fn our_row(
        &mut self,
        actors: &mut Actors,
        path: &RelPath,
    ) -> Result<Option<OurRow>, StoreError> {
        let mut found = self.statement.query(params![self.folder, path.as_str()])?;
        match found.next()? {
            Some(row) => Ok(Some(our_row_from(row, self.connection, actors)?)),
            None => Ok(None),
        }
    }

    fn peer_rows(
        &mut self,
        actors: &mut Actors,
        path: &RelPath,
    ) -> Result<Vec<(DeviceId, Entry)>, StoreError> {
        let mut found = self.statement.query(params![self.folder, path.as_str()])?;
        let mut theirs = Vec::new();
        while let Some(row) = found.next()? {
            let entry = entry_from(row, self.connection, actors)?;
            theirs.push((device_from(row, 12)?, entry));
        }
        // They lie ascending by number of the device, not by its key.
        theirs.sort_unstable_by_key(|(device, _)| *device);
        Ok(theirs)
    }

    /// The contents that we hold under some path already, as far as we know.
    fn held(&mut self, theirs: &[(DeviceId, Entry)]) -> Result<BTreeSet<ContentHash>, StoreError> {
        let mut held = BTreeSet::new();
        for (_, entry) in theirs {
            if let Content::File { hash, .. } = entry.content
                && self
                    .statement
                    .exists(params![self.folder, hash.as_bytes()])?
            {
                held.insert(hash);
            }
        }
        Ok(held)
    }
}

/// Reads every row once, for the error that it may give.
pub(crate) fn every_row(connection: &Connection) -> Result<(), StoreError> {
    let mut actors = Actors::default();
    let mut ours = connection.prepare(concat!("SELECT ", our_columns!(), " FROM our_rows"))?;
    let mut found = ours.query([])?;
    while let Some(row) = found.next()? {
        our_row_from(row, connection, &mut actors)?;
    }
    let mut theirs = connection.prepare(concat!("SELECT ", entry_columns!(), " FROM peer_rows"))?;
    let mut found = theirs.query([])?;
    while let Some(row) = found.next()? {
        entry_from(row, connection, &mut actors)?;
    }
    Ok(())
}

/// Whether the bytes of a file of ours that is gone at a peer lie under another name that stays.
fn elsewhere(
    connection: &Connection,
    folder: i64,
    ours: Option<&OurRow>,
    theirs: &[(DeviceId, Entry)],
) -> Result<Elsewhere, StoreError> {
    let Some(Entry {
        path,
        content: Content::File { hash, .. },
        ..
    }) = ours.map(|row| &row.entry)
    else {
        return Ok(Elsewhere::Nowhere);
    };
    if theirs
        .iter()
        .all(|(_, entry)| entry.content != Content::Absent)
    {
        return Ok(Elsewhere::Nowhere);
    }
    let found = connection
        .prepare_cached(
            "SELECT 1 FROM our_rows AS other WHERE folder = ?1 AND hash = ?2 AND path <> ?3
             AND NOT EXISTS (SELECT 1 FROM needs WHERE needs.folder = ?1
                 AND needs.path = other.path)
             LIMIT 1",
        )?
        .query_row(params![folder, hash.as_bytes(), path.as_str()], |_| Ok(()))
        .optional()?;
    Ok(match found {
        Some(()) => Elsewhere::Stays,
        None => Elsewhere::Nowhere,
    })
}

/// The limit of a statement for a page: one row more.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts off the row that only shows that there is more.
fn cut<T>(page: &mut Vec<T>, limit: usize) -> PageEnd {
    if page.len() > limit {
        page.truncate(limit);
        PageEnd::More
    } else {
        PageEnd::End
    }
}
