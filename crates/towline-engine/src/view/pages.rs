//! What lies inside a folder, page by page: files, conflicts, held back entries, versions, and what
//! rules match. A page names where it ends; the next one begins after that.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FileView {
    /// Its path in the folder.
    pub path: String,
    /// `file`, `symlink` or `directory`.
    pub kind: String,
    /// Length in bytes; 0 for what is not a file.
    #[ts(type = "number")]
    pub size: u64,
    /// Its file time.
    #[ts(type = "number")]
    pub mtime_ms: i64,
    /// How it stands: `here` (as all peers have it, as far as we know), `coming` (a peer has something
    /// else for it), `missing` (only peers have it), `local` (changed here and not told).
    pub state: String,
    /// Connected or not, the peers that have exactly these bytes.
    pub peers: Vec<String>,
}

/// A path with versions that were written without knowing of each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConflictView {
    /// The path.
    pub path: String,
    /// What lies there now; `null` when nothing does.
    pub winner: Option<SideView>,
    /// The versions that are kept, oldest first.
    pub losers: Vec<SideView>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SideView {
    /// Where its bytes lie in the folder; names it in a choice.
    pub path: String,
    /// The device that wrote it; the first characters of its id where nobody knows more.
    pub device: String,
    /// `file` or `symlink`; of what lies at the path also `directory`.
    pub kind: String,
    /// Length in bytes; 0 for a symlink.
    #[ts(type = "number")]
    pub size: u64,
    /// When it was written, by its author's clock.
    #[ts(type = "number")]
    pub mtime_ms: i64,
}

/// Which side of a conflict stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "keep", rename_all = "snake_case")]
pub enum KeepView {
    /// What lies at the path; the others go to the versions.
    Winner,
    /// A loser takes the path; the winner goes to the versions, other losers too. Not for all at once.
    Loser {
        /// Its `path`.
        path: String,
    },
    /// All: losers become files beside the winner, named after their author and bytes.
    All,
}

/// The beginning of a file's bytes, or a symlink's text, to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PreviewView {
    /// `text` (then `text` is there), `image` (then `data_url` is there) or `other`.
    pub kind: String,
    /// The beginning as text.
    pub text: Option<String>,
    /// A whole small image as a `data:` URL.
    pub data_url: Option<String>,
    /// Whether there is more than what is shown.
    pub cut: bool,
}

/// What of a peer waits for a person: a mass change, or what it would bring back after a long absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BrakedView {
    /// Whose change.
    pub peer: String,
    /// Entries that it deletes, as far as is known.
    #[ts(type = "number")]
    pub deletes: u64,
    /// Files that it overwrites, as far as is known.
    #[ts(type = "number")]
    pub overwrites: u64,
    /// Entries that were deleted here and would come back, as far as is known.
    #[ts(type = "number")]
    pub revives: u64,
}
