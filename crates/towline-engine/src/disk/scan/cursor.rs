//! Our live rows in path order, read ahead a page at a time.

use std::collections::VecDeque;

use towline_core::records::OurRow;
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use crate::disk::rows::KnownRows;

/// Rows read ahead: 1000, about 300 KiB; fewer would make the store's per-query cost visible.
const ROWS_AHEAD: usize = 1000;

/// A place in the rows below one directory, or in all.
pub(super) struct Cursor {
    rows: Box<dyn KnownRows>,
    under: Option<RelPath>,
    ahead: VecDeque<OurRow>,
    after: Option<RelPath>,
    exhausted: bool,
}

impl Cursor {
    /// A cursor over nothing, until it is set somewhere.
    pub(super) fn new(rows: Box<dyn KnownRows>) -> Self {
        Self {
            rows,
            under: None,
            ahead: VecDeque::new(),
            after: None,
            exhausted: true,
        }
    }

    /// Starts over with all rows.
    pub(super) fn set_to_all(&mut self) {
        self.ahead.clear();
        self.under = None;
        self.after = None;
        self.exhausted = false;
    }

    /// Starts over with the row at `path` and those below it.
    pub(super) fn set_to(&mut self, path: &RelPath) {
        self.ahead.clear();
        self.ahead.extend(self.rows.row(path));
        self.under = Some(path.clone());
        self.after = None;
        self.exhausted = false;
    }

    /// Ends the rows.
    pub(super) fn set_to_nothing(&mut self) {
        self.ahead.clear();
        self.exhausted = true;
    }

    /// The live row at any path, without moving.
    pub(super) fn row(&mut self, path: &RelPath) -> Option<OurRow> {
        self.rows.row(path)
    }

    /// For each hash, where rows say that a file with these bytes lies.
    pub(super) fn with_bytes(&mut self, hashes: &[ContentHash]) -> Vec<Vec<RelPath>> {
        self.rows.with_bytes(hashes)
    }

    /// The next row before `limit` (`None`: the next at all).
    pub(super) fn next_before(&mut self, limit: Option<&[u8]>) -> Option<OurRow> {
        self.fill();
        let next = self.ahead.front()?;
        let is_before = limit.is_none_or(|limit| next.entry.path.as_str().as_bytes() < limit);
        if is_before {
            self.ahead.pop_front()
        } else {
            None
        }
    }

    /// The row at exactly `path`, if it is the next.
    pub(super) fn next_at(&mut self, path: &RelPath) -> Option<OurRow> {
        self.fill();
        if self.ahead.front()?.entry.path == *path {
            self.ahead.pop_front()
        } else {
            None
        }
    }

    /// The next row, if it lies below a directory.
    pub(super) fn next_below(&mut self, directory: &RelPath) -> Option<OurRow> {
        self.fill();
        self.ahead
            .pop_front_if(|row| row.entry.path.is_below(directory))
    }

    /// Passes over every row below a directory.
    pub(super) fn skip_below(&mut self, directory: &RelPath) {
        self.skip_all_in(&format!("{directory}/"));
    }

    /// Passes over every row whose path begins with a text.
    pub(super) fn skip_all_in(&mut self, place: &str) {
        loop {
            self.fill();
            match self.ahead.front() {
                Some(row) if row.entry.path.as_str().starts_with(place) => self.ahead.pop_front(),
                Some(_) | None => return,
            };
        }
    }

    fn fill(&mut self) {
        if !self.ahead.is_empty() || self.exhausted {
            return;
        }
        let page = self
            .rows
            .below(self.under.as_ref(), self.after.as_ref(), ROWS_AHEAD);
        self.exhausted = page.len() < ROWS_AHEAD;
        if let Some(last) = page.last() {
            self.after = Some(last.entry.path.clone());
        }
        self.ahead.extend(page);
    }
}
