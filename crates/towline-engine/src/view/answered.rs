//! What a device answers to what a shell asks, and why it refuses.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ConflictView, FileView, FindingView, HeldBackView, NetworkView, PreviewView};

/// Why a command was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum AnswerView {
    /// It is done or under way.
    Accepted,
    /// A folder was made.
    Folder {
        /// Its id.
        id: String,
    },
    /// A page of kept versions, newest first.
    Versions {
        /// The page.
        versions: Vec<VersionView>,
        /// Whether there are older ones.
        more: bool,
    },
    /// A page of a directory, by path.
    Files {
        /// The page.
        files: Vec<FileView>,
        /// Whether there are more.
        more: bool,
    },
    /// A page of conflicts, each below its directory.
    Conflicts {
        /// The page.
        conflicts: Vec<ConflictView>,
        /// Whether there are more.
        more: bool,
    },
    /// So many conflicts were decided.
    Resolved {
        /// How many.
        #[ts(type = "number")]
        conflicts: u64,
    },
    /// How this device is connected.
    Network(Box<NetworkView>),
    /// What was found out, one finding per thing that was looked at.
    Findings {
        /// All of them.
        findings: Vec<FindingView>,
    },
    /// The beginning of a file.
    Preview(PreviewView),
    /// The ignore rules of a folder.
    Rules {
        /// Those that travel with the folder.
        shared: String,
        /// Those of this device alone.
        local: String,
    },
    /// What rules match of what lies here.
    Matches {
        /// The first paths.
        paths: Vec<String>,
        /// How many there are.
        #[ts(type = "number")]
        count: u64,
        /// Lines that are no rule, by number from 1, with the rules that they are in: `shared` or
        /// `local`.
        bad_lines: Vec<(String, u32)>,
    },
    /// A page of held back entries, by path.
    Held {
        /// The page.
        held: Vec<HeldBackView>,
        /// Whether there are more.
        more: bool,
    },
    /// A folder or directory is as it was.
    RestoredTo {
        /// Files that were brought back.
        #[ts(type = "number")]
        files: u64,
        /// Files that stay as they are, because they could not be brought back.
        #[ts(type = "number")]
        failed: u64,
    },
    /// A version lies in its place again.
    Restored {
        /// Which one; it is no version any more.
        version: String,
    },
}

/// A kept version of a file or symlink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct VersionView {
    /// Its name, unique in its folder on this device.
    pub id: String,
    /// Where it lay.
    pub path: String,
    /// `file` or `symlink`.
    pub kind: String,
    /// When it was replaced or deleted.
    #[ts(type = "number")]
    pub kept_at_ms: u64,
    /// Its file time.
    #[ts(type = "number")]
    pub mtime_ms: i64,
    /// Length in bytes; 0 for a symlink.
    #[ts(type = "number")]
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{code}")]
pub struct ViewError {
    /// A stable code: `name`, `place`, `places`, `unknown_peer`, `unknown_folder`, `unknown_invitation`, `no_server`,
    /// `elsewhere`, `already_here`, `root_missing`, `root_not_directory`, `root_nested`, `root_wrong_marker`,
    /// `root_no_access`, `root_read_only`, `code_letter`, `code_length`, `code_host`, `link`,
    /// `setting`, `mode`, `paused`, `not_braked`, `id`, `malformed`, `stopping`, `path`, `version`,
    /// `unknown_version`, `folder_paused`, `version_directory`, `version_parent`, `version_changing`,
    /// `rules_too_long`, `rules_disk_full`, `rules_read_only`, `rules_no_access`, `choice`,
    /// `unknown_conflict`, `conflict_directory`, `conflict_parent`, `conflict_changing`, or `version_` or
    /// `conflict_` and the reason of an entry that is held back.
    pub code: String,
    /// What it was about, if that helps; never a secret.
    pub detail: Option<String>,
}

impl ViewError {
    /// An error without detail.
    pub fn new(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            detail: None,
        }
    }
}
