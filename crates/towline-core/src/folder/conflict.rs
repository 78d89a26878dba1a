//! The name under which bytes that lost a conflict are kept, beside the winner.
//!
//! The name follows from the path, the losing bytes and their author alone, so that every device
//! that holds them keeps them under the same name, and the copies then join instead of multiplying.

use towline_wire::entry::{Content, Entry};
use towline_wire::limits::PATH_COMPONENT_BYTES_MAX;
use towline_wire::rel_path::RelPath;

/// How much of the hash a name carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Six hexadecimal digits: two losers of one author meet once in 16 million.
    Short,
    /// Thirty-two, for when the short name holds something else.
    Long,
    /// All sixty-four, for when both hold something else.
    Full,
    /// Six, after the whole name: a copy of a copy that finds all names of the original taken.
    Nested,
}

/// The names that a losing version may have, the best last.
const BEST_NAME_LAST: [Detail; 4] = [Detail::Nested, Detail::Full, Detail::Long, Detail::Short];

/// Every path that `loser`'s copy may have, the best last.
pub(crate) fn conflict_paths(loser: &Entry) -> impl Iterator<Item = RelPath> {
    BEST_NAME_LAST
        .into_iter()
        .filter_map(|detail| conflict_path(loser, detail))
}

/// The path for `loser`'s copy: `stem.conflict-<author>-<hash>.ext` in the same directory. `None`
/// when there are no bytes to keep, or the path would be longer than a path may be.
pub fn conflict_path(loser: &Entry, detail: Detail) -> Option<RelPath> {
    let hash = match &loser.content {
        Content::Absent | Content::Directory => return None,
        Content::File { hash, .. } => hash.to_string(),
        Content::Symlink { target } => blake3::hash(target.as_str().as_bytes()).to_string(),
    };
    let digits = match detail {
        Detail::Short | Detail::Nested => hash.get(..6)?,
        Detail::Long => hash.get(..32)?,
        Detail::Full => &hash,
    };
    let (stem, extension) = split(loser.path.file_name());
    let mark = format!("{MARK}{}-{digits}", loser.author.actor.device.short());
    let room = PATH_COMPONENT_BYTES_MAX.checked_sub(mark.len() + extension.len())?;
    let stem = match detail {
        Detail::Short | Detail::Long | Detail::Full => original(stem),
        Detail::Nested => stem,
    };
    let stem = truncated(stem, room);
    loser
        .path
        .with_file_name(&format!("{stem}{mark}{extension}"))
        .ok()
}

const MARK: &str = ".conflict-";

/// Longest extension that is kept as one: 32 bytes. A longer "extension" is part of a sentence, and
/// it would take the room that the mark needs.
const EXTENSION_BYTES_MAX: usize = 32;

/// Splits a name into its stem and its extension with the dot; a leading dot begins no extension.
fn split(name: &str) -> (&str, String) {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && extension.len() < EXTENSION_BYTES_MAX
                && !is_mark(&format!(".{extension}")) =>
        {
            (stem, format!(".{extension}"))
        }
        Some(_) | None => (name, String::new()),
    }
}

/// The stem without a mark at its end: a copy of a copy is named after the original.
fn original(stem: &str) -> &str {
    match stem.rsplit_once(MARK) {
        Some((original, rest)) if !original.is_empty() && is_mark(&format!("{MARK}{rest}")) => {
            original
        }
        Some(_) | None => stem,
    }
}

/// Whether a text is a whole mark: the word, eight characters of a device and digits of a hash.
fn is_mark(text: &str) -> bool {
    let Some((device, digits)) = text
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    device.len() == 8
        && matches!(digits.len(), 6 | 32 | 64)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The longest prefix of at most `room` bytes that ends between characters.
fn truncated(text: &str, room: usize) -> &str {
    text.get(..text.floor_char_boundary(room))
        .unwrap_or_default()
}
