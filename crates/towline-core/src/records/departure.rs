//! What is kept of a file that a person took away from a path: enough to know it again elsewhere.
//!
//! A rename is no event that anybody tells. What remains of it is a tombstone, and under another name the
//! same file on the disk: the same number, the same time, the same bytes. So it is not the rename that
//! is kept but what went; where it lies now is asked when somebody's edit comes in under its former
//! name. Chains, whole directories, and finds in whatever order need nothing more.

use towline_wire::entry::{Dot, Entry, UnixNanos};
use towline_wire::ids::{ContentHash, DeviceId};
use towline_wire::rel_path::RelPath;

use crate::records::OurRow;

/// A file that went from a path by what a person did here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// From where.
    pub path: RelPath,
    /// The write whose bytes it holds: an edit of them knows it.
    pub author: Dot,
    /// Its bytes.
    pub hash: ContentHash,
    /// Its number on this disk; never 0, for a disk without such numbers cannot tell a move.
    pub file_id: u64,
    /// Its modification time, as the disk showed it.
    pub mtime: UnixNanos,
    /// Edits that have followed it to where it lies now. Who moves it on from there begins anew: whether
    /// anything but edits that followed was written over at its place is told by their number.
    pub followed: u32,
}

impl Departure {
    /// Counts from the beginning if another departure is that of the same file from where edits had followed it.
    pub fn moved_on(&mut self, on: &Self) {
        if on.followed == 0 && on.path != self.path && on.file_id == self.file_id {
            self.followed = 0;
        }
    }
}

/// A departure, and where the file lies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// What went.
    pub departure: Departure,
    /// Where that very file lies now, unchanged and told to everybody; the first of several places.
    pub place: Option<Place>,
}

/// Where a file that went lies now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Our row of that path.
    pub ours: OurRow,
    /// What each peer says of that path, ascending by device.
    pub theirs: Vec<(DeviceId, Entry)>,
}
