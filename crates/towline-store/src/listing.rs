//! One directory as a person looks at it: what lies here, and what only peers have, page by page.
//!
//! A path is listed when our row of it is live, or when it is needed and a peer has something there.
//! Deeper paths are jumped over, one seek per child directory, so a page costs what it shows.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use towline_core::io::PageEnd;
use towline_core::records::OurRow;
use towline_wire::entry::{Content, Entry};
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use crate::columns::{Actors, folder_number, path_from};
use crate::error::StoreError;
use crate::load;
use crate::reader::{AFTER_SLASH, Below};

/// What is known of one path of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The path.
    pub path: RelPath,
    /// Our row, where it is live.
    pub ours: Option<OurRow>,
    /// What peers have there, tombstones included, ascending by device.
    pub theirs: Vec<(DeviceId, Entry)>,
    /// Whether something is still to be done here for it.
    pub is_needed: bool,
}

/// A page of a directory (`None`: the top), ascending by path, after the exclusive start.
pub(crate) fn page(
    connection: &Connection,
    actors: &mut Actors,
    folder: FolderId,
    directory: Option<&RelPath>,
    after: Option<&RelPath>,
    limit: usize,
) -> Result<(Vec<Listed>, PageEnd), StoreError> {
    // All seeks look at the same state.
    let _snapshot = connection.unchecked_transaction()?;
    let Some(number) = folder_number(connection, folder)? else {
        return Ok((Vec::new(), PageEnd::End));
    };
    let below = Below::of(directory);
    let mut paths = BTreeSet::new();
    for sql in [HERE, ELSEWHERE] {
        paths.extend(children(connection, sql, number, &below, after, limit)?);
    }
    let end = if paths.len() > limit {
        PageEnd::More
    } else {
        PageEnd::End
    };
    let mut listed = Vec::with_capacity(paths.len().min(limit));
    for path in paths.into_iter().take(limit) {
        let ours = load::our_row(connection, actors, number, &path)?;
        listed.push(Listed {
            ours: ours.filter(|row| row.entry.content != Content::Absent),
            theirs: load::peer_rows(connection, actors, number, &path)?,
            is_needed: is_needed(connection, number, &path)?,
            path,
        });
    }
    Ok((listed, end))
}

/// Paths directly below a directory that a statement finds, one more than `limit` at most.
fn children(
    connection: &Connection,
    sql: &str,
    folder: i64,
    below: &Below,
    after: Option<&RelPath>,
    limit: usize,
) -> Result<Vec<RelPath>, StoreError> {
    let mut paths = Vec::new();
    let mut statement = connection.prepare_cached(sql)?;
    let Below { start, end } = below;
    let first = after.map_or(start.as_str(), |after| start.as_str().max(after.as_str()));
    let mut from = Some(first.to_owned());
    while let Some(seek) = from.take() {
        let mut found = statement.query(params![folder, seek, end])?;
        while let Some(row) = found.next()? {
            let path = path_from(row, 0)?;
            let rest = path.as_str().get(start.len()..).unwrap_or_default();
            if let Some((child, _)) = rest.split_once('/') {
                from = Some(format!("{start}{child}{AFTER_SLASH}"));
                break;
            }
            if Some(&path) != after {
                paths.push(path);
                if paths.len() > limit {
                    return Ok(paths);
                }
            }
        }
    }
    Ok(paths)
}

fn is_needed(connection: &Connection, folder: i64, path: &RelPath) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM needs WHERE folder = ?1 AND path = ?2")?
        .query_row(params![folder, path.as_str()], |_| Ok(()))
        .optional()?
        .is_some())
}

/// Live rows of ours; 0 is a tombstone.
const HERE: &str = "SELECT path FROM our_rows
    WHERE folder = ?1 AND path >= ?2 AND path < ?3 AND kind <> 0 ORDER BY path";

/// Needed paths where a peer has something.
const ELSEWHERE: &str = "SELECT path FROM needs
    WHERE folder = ?1 AND path >= ?2 AND path < ?3
    AND EXISTS (SELECT 1 FROM peer_rows WHERE peer_rows.folder = ?1
        AND peer_rows.path = needs.path AND kind <> 0) ORDER BY path";
