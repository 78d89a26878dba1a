//! The path under which bytes that lost a conflict are kept.
//!
//! They lie in the conflict inbox, or beside the winner where a person wants that. The path follows
//! from the file's path, the losing bytes and their author alone, so that every device that holds them
//! keeps them under the same one, and the copies then join instead of multiplying.

use towline_wire::entry::{Content, Entry};
use towline_wire::ids::ContentHash;
use towline_wire::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX};
use towline_wire::rel_path::RelPath;
use towline_wire::rel_path::inbox::split;

use crate::records::ConflictPlace;

/// How much of the hash a name carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Six hexadecimal digits: two losers of one author meet once in 16 million.
    Short,
    /// Thirty-two, for when the short name holds something else.
    Long,
    /// All sixty-four, for when both hold something else.
    Full,
    /// Six, after the whole name: a copy of a copy that finds all names of the original taken. In the
    /// inbox it is as `Short`: copies there are not named after copies.
    Nested,
}

/// The names that a losing version may have in one place, the best last.
const BEST_NAME_LAST: [Detail; 4] = [Detail::Nested, Detail::Full, Detail::Long, Detail::Short];

/// Every path that `loser`'s copy may have, the best last: those in the place that is wanted come after
/// those in the other one.
pub(crate) fn conflict_paths(
    loser: &Entry,
    wanted: ConflictPlace,
) -> impl Iterator<Item = RelPath> {
    let other = match wanted {
        ConflictPlace::Inbox => ConflictPlace::Beside,
        ConflictPlace::Beside => ConflictPlace::Inbox,
    };
    [other, wanted].into_iter().flat_map(move |place| {
        BEST_NAME_LAST
            .into_iter()
            .filter_map(move |detail| conflict_path(loser, detail, place))
    })
}

/// The path for `loser`'s copy in one place. `None` when there are no bytes to keep, or the path would
/// be none there (it is too long).
pub fn conflict_path(loser: &Entry, detail: Detail, place: ConflictPlace) -> Option<RelPath> {
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
    // A copy in the inbox that loses a conflict itself is another copy of the same path.
    let conflicted = loser.path.conflicted();
    let path = conflicted.as_ref().unwrap_or(&loser.path);
    let author = loser.author.actor.device;
    match place {
        ConflictPlace::Inbox => path.in_inbox(author, digits),
        ConflictPlace::Beside => {
            beside(path, &format!("{MARK}{}-{digits}", author.short()), detail)
        }
    }
}

/// The path beside the winner for a copy in the inbox; `None` for what is no copy, or where there is no
/// room for the name.
pub fn beside_of(copy: &RelPath) -> Option<RelPath> {
    let path = copy.conflicted()?;
    let (mark, _) = copy.file_name().split_at(marked(copy.file_name()));
    beside(&path, mark, Detail::Short)
}

/// Whether a path is named as a conflict copy, in the inbox or beside its file.
pub(crate) fn is_copy(path: &RelPath) -> bool {
    path.is_in_inbox() || path.file_name().contains(MARK)
}

/// The same copy in the inbox, named by half of its hash.
pub fn with_long_digits(copy: &RelPath, hash: ContentHash) -> Option<RelPath> {
    let name = copy.file_name();
    let (mark, extension) = name.split_at(marked(name));
    let (author, _) = mark.rsplit_once('-')?;
    let hash = hash.to_string();
    copy.with_file_name(&format!("{author}-{}{extension}", hash.get(..32)?))
        .ok()
}

/// How long the mark is with which a copy's name in the inbox begins.
fn marked(name: &str) -> usize {
    name.char_indices()
        .skip(1)
        .find_map(|(at, letter)| (letter == '.').then_some(at))
        .unwrap_or(name.len())
}

/// `stem.conflict-<author>-<hash>.ext` in the same directory; the stem is cut where there is no room.
fn beside(path: &RelPath, mark: &str, detail: Detail) -> Option<RelPath> {
    let name = path.file_name();
    let (stem, extension) = split_unmarked(name);
    let stem = match detail {
        Detail::Short | Detail::Long | Detail::Full => original(stem),
        Detail::Nested => stem,
    };
    let above = path.as_str().len() - name.len();
    let room = PATH_COMPONENT_BYTES_MAX.min(PATH_BYTES_MAX.saturating_sub(above));
    let room = room.checked_sub(mark.len() + extension.len())?;
    let stem = truncated(stem, room);
    path.with_file_name(&format!("{stem}{mark}{extension}"))
        .ok()
}

const MARK: &str = ".conflict-";

/// Splits a name into its stem and its extension; a mark is no extension.
fn split_unmarked(name: &str) -> (&str, &str) {
    match split(name) {
        (_, extension) if is_mark(extension) => (name, ""),
        parts => parts,
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
