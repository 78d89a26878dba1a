//! Conflicts for shells, and their decisions back.

use data_encoding::BASE64;
use towline_core::records::OurRow;
use towline_store::Conflict;
use towline_wire::entry::Content;
use towline_wire::ids::DeviceId;
use towline_wire::rel_path::RelPath;

use super::{Asked, folder_id, held_reason, rel_path};
use crate::disk::{Choice, Preview, RestoreFault};
use crate::view::{AnswerView, ConflictView, KeepView, PreviewView, SideView, ViewError};

/// What a conflict inbox is asked.
#[derive(Debug)]
pub(crate) enum AskedOfInbox {
    /// A page of conflicts.
    List {
        /// After this path.
        after: Option<RelPath>,
        /// Most of them.
        limit: usize,
    },
    /// The beginning of a file.
    Preview(RelPath),
    /// One path decided, or all.
    Decide(Option<RelPath>, Choice),
}

pub(super) fn list(folder: &str, after: Option<String>, limit: u32) -> Result<Asked, ViewError> {
    let asked = AskedOfInbox::List {
        after: after.map(rel_path).transpose()?,
        limit: usize::try_from(limit)
            .unwrap_or(CONFLICTS_MAX)
            .clamp(1, CONFLICTS_MAX),
    };
    Ok(Asked::Inbox(folder_id(folder)?, asked))
}

pub(super) fn decide(
    folder: &str,
    path: Option<String>,
    keep: KeepView,
) -> Result<Asked, ViewError> {
    let path = path.map(rel_path).transpose()?;
    let choice = match keep {
        KeepView::Winner => Choice::Winner,
        // A copy is one of one path.
        KeepView::Loser { .. } if path.is_none() => return Err(ViewError::new("choice")),
        KeepView::Loser { path } => Choice::Copy(rel_path(path)?),
        KeepView::All => Choice::All,
    };
    Ok(Asked::Inbox(
        folder_id(folder)?,
        AskedOfInbox::Decide(path, choice),
    ))
}

/// The first of what was found, with the devices that people know.
pub(crate) fn conflicts(found: Vec<Conflict>, limit: usize, known: &[DeviceId]) -> AnswerView {
    let all = found.len();
    let mut bytes = 0;
    let conflicts: Vec<ConflictView> = found
        .into_iter()
        .take(limit)
        .map(|conflict| view(conflict, known))
        .take_while(|conflict| {
            let is_first = bytes == 0;
            let sides = conflict.winner.iter().chain(&conflict.losers);
            bytes += conflict.path.len() + sides.map(|side| side.path.len()).sum::<usize>();
            is_first || bytes <= PAGE_BYTES_MAX
        })
        .collect();
    AnswerView::Conflicts {
        more: conflicts.len() < all,
        conflicts,
    }
}

fn view(conflict: Conflict, known: &[DeviceId]) -> ConflictView {
    let written_by = |row: &OurRow| row.entry.author.actor.device.to_string();
    let winner = conflict.winner.map(|row| side(&row, written_by(&row)));
    let mut losers: Vec<SideView> = conflict
        .copies
        .iter()
        .map(|row| {
            // Whoever kept the copy has written its row; the author stands in its name.
            let author = row.entry.path.conflict_author().unwrap_or_default();
            let device = known.iter().find(|device| device.short() == author);
            side(
                row,
                device.map_or_else(|| author.to_owned(), DeviceId::to_string),
            )
        })
        .collect();
    losers.sort_by_key(|side| side.mtime_ms);
    ConflictView {
        path: conflict.path.into(),
        winner,
        losers,
    }
}

fn side(row: &OurRow, device: String) -> SideView {
    let (kind, size) = match &row.entry.content {
        Content::File { size, .. } => ("file", *size),
        Content::Symlink { .. } => ("symlink", 0),
        Content::Directory => ("directory", 0),
        Content::Absent => ("absent", 0),
    };
    SideView {
        path: row.entry.path.as_str().to_owned(),
        device,
        kind: kind.to_owned(),
        size,
        mtime_ms: row.entry.mtime.0.div_euclid(1_000_000),
    }
}

/// The beginning of a file.
pub(crate) fn preview(preview: Preview) -> AnswerView {
    let (kind, text, data_url, cut) = match preview {
        Preview::Text { text, cut } => ("text", Some(text), None, cut),
        Preview::Image { media_type, bytes } => {
            let url = format!("data:{media_type};base64,{}", BASE64.encode(&bytes));
            ("image", None, Some(url), false)
        }
        Preview::Other => ("other", None, None, false),
    };
    AnswerView::Preview(PreviewView {
        kind: kind.to_owned(),
        text,
        data_url,
        cut,
    })
}

/// The stable code of a conflict that is not decided, or of a file that cannot be shown.
pub(crate) fn conflict_fault(fault: RestoreFault) -> ViewError {
    match fault {
        RestoreFault::Unknown => ViewError::new("unknown_conflict"),
        RestoreFault::IsDirectory => ViewError::new("conflict_directory"),
        RestoreFault::NoWay => ViewError::new("conflict_parent"),
        RestoreFault::Changing => ViewError::new("conflict_changing"),
        RestoreFault::Held(reason) => ViewError::new(&format!("conflict_{}", held_reason(reason))),
    }
}

/// Most conflicts in one answer: 1000.
const CONFLICTS_MAX: usize = 1000;

/// Bytes of paths after which an answer is closed early: 1 MiB. Even with every byte escaped it stays
/// below a line's bound.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
