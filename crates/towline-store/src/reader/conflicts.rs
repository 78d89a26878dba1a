//! The conflict inbox as rows: which paths are in conflict, and with which copies.
//!
//! All is found from the order of paths, by one seek per path in conflict. Paths come in the order of
//! the inbox: by the bytes of their names, each below its directory.

use rusqlite::{OptionalExtension, params};
use towline_core::records::OurRow;
use towline_wire::entry::Content;
use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;
use towline_wire::rel_path::inbox::inbox;

use super::{AFTER_SLASH, Reader};
use crate::columns::{folder_number, our_columns, our_row_from, path_from};
use crate::error::StoreError;
use crate::load;
use crate::totals::copies_of;

/// A path with copies in the conflict inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: RelPath,
    /// What lies there; `None` when nothing does.
    pub winner: Option<OurRow>,
    /// The copies, ascending by path; at least one, and the first hundred.
    pub copies: Vec<OurRow>,
}

/// Copies of one path that are read: 100. People make a handful; who decides about those sees the next.
/// Without a bound a peer could fill our memory by one path.
const COPIES_MAX: usize = 100;

impl Reader {
    /// A page of the paths in conflict, after the exclusive start. Fewer than `limit` mean that the page
    /// is the last.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn conflicts(
        &mut self,
        folder: FolderId,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Conflict>, StoreError> {
        let found = self.find_conflicts(folder, after, limit);
        self.home.note(found)
    }

    /// One path in conflict; `None` when it is in none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn conflict(
        &mut self,
        folder: FolderId,
        path: &RelPath,
    ) -> Result<Option<Conflict>, StoreError> {
        let found = self.find_conflict(folder, path);
        self.home.note(found)
    }

    fn find_conflicts(
        &mut self,
        folder: FolderId,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Conflict>, StoreError> {
        let mut found = Vec::new();
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(found);
        };
        let mut from = after.map_or_else(inbox, |path| copies_of(path).1);
        let end = format!("{}{AFTER_SLASH}", inbox().trim_end_matches('/'));
        while found.len() < limit {
            let next = self
                .connection
                .prepare_cached(
                    "SELECT path FROM our_rows
                     WHERE folder = ?1 AND path > ?2 AND path < ?3 AND kind <> 0
                     ORDER BY path LIMIT 1",
                )?
                .query_row(params![number, from, end], |row| Ok(path_from(row, 0)))
                .optional()?;
            let Some(copy) = next.transpose()? else { break };
            let path = copy.conflicted().ok_or(StoreError::Impossible("copy"))?;
            from = copies_of(&path).1;
            found.extend(self.find_conflict(folder, &path)?);
        }
        Ok(found)
    }

    fn find_conflict(
        &mut self,
        folder: FolderId,
        path: &RelPath,
    ) -> Result<Option<Conflict>, StoreError> {
        let Some(number) = folder_number(&self.connection, folder)? else {
            return Ok(None);
        };
        // Both looks at the same state.
        let _snapshot = self.connection.unchecked_transaction()?;
        let (start, end) = copies_of(path);
        let mut statement = self.connection.prepare_cached(concat!(
            "SELECT ",
            our_columns!(),
            " FROM our_rows WHERE folder = ?1 AND path > ?2 AND path < ?3 AND kind <> 0
             ORDER BY path LIMIT ?4"
        ))?;
        let most = i64::try_from(COPIES_MAX).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![number, start, end, most])?;
        let mut copies = Vec::new();
        while let Some(row) = rows.next()? {
            copies.push(our_row_from(row, &self.connection, &mut self.actors)?);
        }
        if copies.is_empty() {
            return Ok(None);
        }
        let winner = load::our_row(&self.connection, &mut self.actors, number, path)?;
        Ok(Some(Conflict {
            path: path.clone(),
            winner: winner.filter(|row| row.entry.content != Content::Absent),
            copies,
        }))
    }
}
