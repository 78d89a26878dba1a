//! A read-only view of our own rows, for the disk scanner and the data plane.
//!
//! Each reader has its own connection and may live on any thread; it never waits for the writer and
//! sees whole batches only. Directories are listed from the order of paths alone: below a directory
//! the walk jumps over each child's subtree, one seek per child directory.

mod conflicts;

use rusqlite::types::Value;
use rusqlite::{Connection, params};
use towline_core::io::{IndexOf, PageEnd};
use towline_core::records::{DiskStamp, OurRow, Totals};
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use crate::columns::{
    Actors, KIND_ABSENT, folder_number, our_columns, our_row_from, path_from, stamp_from,
};
use crate::error::StoreError;
use crate::home::Home;
use crate::listing::{self, Listed};
use crate::{load, schema, totals};

pub use conflicts::Conflict;

/// A live file of ours with certain bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFile {
    /// Where it lies.
    pub path: RelPath,
    /// Its length in bytes.
    pub size: u64,
    /// What the disk showed when it held these bytes.
    pub stamp: Option<DiskStamp>,
}

/// Reads our own rows beside the writer. Dropped before its store if possible: only the last connection
/// takes the write-ahead log away, and only then does the next start skip checking the pages.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    actors: Actors,
    home: Home,
}

impl Reader {
    pub(crate) fn open(home: Home) -> Result<Self, StoreError> {
        let connection = schema::open_reader(&home.database())?;
        Ok(Self {
            connection,
            actors: Actors::default(),
            home,
        })
    }

    /// Another reader of the same store, for another thread.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn another(&self) -> Result<Self, StoreError> {
        Self::open(self.home.clone())
    }

    /// Our row at a path, tombstone included.
    ///
    /// # Errors
    /// See [`StoreError`]; the same for all methods.
    pub fn row(&mut self, folder: FolderId, path: &RelPath) -> Result<Option<OurRow>, StoreError> {
        let row = self.find_row(folder, path);
        self.home.note(row)
    }

    /// Our live rows directly in a directory (`None`: at the top), ascending by path.
    pub fn rows_in_directory(
        &mut self,
        folder: FolderId,
        directory: Option<&RelPath>,
    ) -> Result<Vec<OurRow>, StoreError> {
        let rows = self.list(folder, directory);
        self.home.note(rows)
    }

    /// A page of our live rows at any depth below a directory (`None`: of the whole folder), ascending
    /// by path, after the exclusive start. Fewer than `limit` rows mean that the page is the last.
    pub fn rows_below(
        &mut self,
        folder: FolderId,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<OurRow>, StoreError> {
        let rows = self.page(folder, directory, after, limit);
        self.home.note(rows)
    }

    /// A page of what a directory shows a person (`None`: the top), ascending by path, after the
    /// exclusive start: our live rows, and what is needed and only peers have.
    pub fn listing(
        &mut self,
        folder: FolderId,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<(Vec<Listed>, PageEnd), StoreError> {
        let (connection, actors) = (&self.connection, &mut self.actors);
        let page = listing::page(connection, actors, folder, directory, after, limit);
        self.home.note(page)
    }

    /// Our live files with the bytes of each hash, at most `limit` of each, in no particular order: all, or
    /// only those that peers are told of. Many hashes are looked up at little more than the price of one.
    pub fn paths_with_contents(
        &mut self,
        folder: FolderId,
        hashes: &[ContentHash],
        of: IndexOf,
        limit: usize,
    ) -> Result<Vec<Vec<HeldFile>>, StoreError> {
        let files = self.find_contents(folder, hashes, of, limit);
        self.home.note(files)
    }

    /// Peers whose record of a path has these bytes.
    pub fn peers_with_content(
        &mut self,
        folder: FolderId,
        path: &RelPath,
        hash: ContentHash,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let peers = self.find_peers(folder, path, hash);
        self.home.note(peers)
    }

    /// The sums of a folder.
    pub fn totals(&mut self, folder: FolderId) -> Result<Totals, StoreError> {
        let sums = folder_number(&self.connection, folder).and_then(|number| match number {
            Some(number) => totals::load(&self.connection, number),
            None => Ok(Totals::default()),
        });
        self.home.note(sums)
    }

    fn find_row(&mut self, folder: FolderId, path: &RelPath) -> Result<Option<OurRow>, StoreError> {
        match folder_number(&self.connection, folder)? {
            Some(number) => load::our_row(&self.connection, &mut self.actors, number, path),
            None => Ok(None),
        }
    }

    fn list(
        &mut self,
        folder: FolderId,
        directory: Option<&RelPath>,
    ) -> Result<Vec<OurRow>, StoreError> {
        let mut rows = Vec::new();
        // All seeks look at the same state.
        let _snapshot = self.connection.unchecked_transaction()?;
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(rows);
        };
        let Below { start, end } = Below::of(directory);
        let mut statement = self.connection.prepare_cached(concat!(
            "SELECT ",
            our_columns!(),
            " FROM our_rows WHERE folder = ?1 AND path >= ?2 AND path < ?3 ORDER BY path"
        ))?;
        let mut from = Some(start.clone());
        while let Some(seek) = from.take() {
            let mut found = statement.query(params![number, seek, end])?;
            while let Some(row) = found.next()? {
                let path = path_from(row, 0)?;
                let rest = path.as_str().get(start.len()..).unwrap_or_default();
                if let Some((child, _)) = rest.split_once('/') {
                    // Everything in the child directory sorts before its name and the
                    // character that follows '/'.
                    from = Some(format!("{start}{child}{AFTER_SLASH}"));
                    break;
                }
                if row.get::<_, i64>(4)? != KIND_ABSENT {
                    rows.push(our_row_from(row, &self.connection, &mut self.actors)?);
                }
            }
        }
        Ok(rows)
    }

    fn page(
        &mut self,
        folder: FolderId,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<OurRow>, StoreError> {
        let mut rows = Vec::new();
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(rows);
        };
        let Below { start, end } = Below::of(directory);
        let start = after.map_or(start.as_str(), |after| start.as_str().max(after.as_str()));
        let mut statement = self.connection.prepare_cached(concat!(
            "SELECT ",
            our_columns!(),
            " FROM our_rows WHERE folder = ?1 AND path > ?2 AND path < ?3 AND kind <> 0
             ORDER BY path LIMIT ?4"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found = statement.query(params![number, start, end, limit])?;
        while let Some(row) = found.next()? {
            rows.push(our_row_from(row, &self.connection, &mut self.actors)?);
        }
        Ok(rows)
    }

    fn find_contents(
        &mut self,
        folder: FolderId,
        hashes: &[ContentHash],
        of: IndexOf,
        limit: usize,
    ) -> Result<Vec<Vec<HeldFile>>, StoreError> {
        // Without it each statement would take and give back the locks of the database file.
        let _snapshot = self.connection.unchecked_transaction()?;
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(hashes.iter().map(|_| Vec::new()).collect());
        };
        let mut statement = self.connection.prepare_cached(match of {
            IndexOf::Everything => {
                "SELECT path, size, stamp_size, stamp_mtime, stamp_ctime, stamp_file_id FROM our_rows
                 WHERE folder = ?1 AND hash = ?2 LIMIT ?3"
            }
            IndexOf::Told => {
                "SELECT path, size, stamp_size, stamp_mtime, stamp_ctime, stamp_file_id FROM our_rows
                 WHERE folder = ?1 AND hash = ?2 AND reach = 0 LIMIT ?3"
            }
        })?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut all = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let mut files = Vec::new();
            let mut found = statement.query(params![number, hash.as_bytes(), limit])?;
            while let Some(row) = found.next()? {
                files.push(HeldFile {
                    path: path_from(row, 0)?,
                    size: row.get::<_, i64>(1)?.cast_unsigned(),
                    stamp: stamp_from(row, 2)?,
                });
            }
            all.push(files);
        }
        Ok(all)
    }

    fn find_peers(
        &mut self,
        folder: FolderId,
        path: &RelPath,
        hash: ContentHash,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let mut peers = Vec::new();
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(peers);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM peer_rows JOIN devices ON devices.id = device
             WHERE folder = ?1 AND path = ?2 AND hash = ?3",
        )?;
        let mut found = statement.query(params![number, path.as_str(), hash.as_bytes()])?;
        while let Some(row) = found.next()? {
            peers.push(DeviceId::from_public_key(row.get(0)?));
        }
        Ok(peers)
    }
}

/// The range of paths below a directory: from `start` (which no path equals) to before `end`.
pub(crate) struct Below {
    pub(crate) start: String,
    pub(crate) end: Value,
}

impl Below {
    pub(crate) fn of(directory: Option<&RelPath>) -> Self {
        match directory {
            Some(directory) => Self {
                start: format!("{directory}/"),
                end: Value::Text(format!("{directory}{AFTER_SLASH}")),
            },
            // To SQLite any blob is greater than every text.
            None => Self {
                start: String::new(),
                end: Value::Blob(Vec::new()),
            },
        }
    }
}

/// The character after '/': the first that sorts behind everything below a directory.
pub(crate) const AFTER_SLASH: char = '0';
