//! A directory of a folder as shells see it: what lies here and what only peers have.

use towline_store::Listed;
use towline_wire::entry::{Content, Entry, UnixNanos};
use towline_wire::rel_path::RelPath;

use super::{AnswerView, FileView};

/// Which part of which directory is asked for.
#[derive(Debug)]
pub(crate) struct AskedOfFiles {
    /// The directory; the top when `None`.
    pub(crate) directory: Option<RelPath>,
    /// Only entries after this one.
    pub(crate) after: Option<RelPath>,
    /// Most entries.
    pub(crate) limit: usize,
}

impl AskedOfFiles {
    /// Bounds what a shell asks for.
    pub(crate) fn new(directory: Option<RelPath>, after: Option<RelPath>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(FILES_MAX);
        Self {
            directory,
            after,
            limit: limit.clamp(1, FILES_MAX),
        }
    }
}

/// Most entries in one answer: 1000, like every other page; about 5 MB of the longest paths, below a
/// line's bound.
const FILES_MAX: usize = 1000;

/// A page of a directory.
pub(crate) fn files(listed: Vec<Listed>, more: bool) -> AnswerView {
    AnswerView::Files {
        files: listed.into_iter().filter_map(file).collect(),
        more,
    }
}

/// An entry; `None` when nobody has anything there, which no listing holds.
fn file(listed: Listed) -> Option<FileView> {
    let state = match (&listed.ours, listed.is_needed) {
        (Some(row), _) if row.reach.is_local(&row.entry.content) => "local",
        (Some(_), false) => "here",
        (Some(_), true) => "coming",
        (None, _) => "missing",
    };
    let is_live = |entry: &&Entry| entry.content != Content::Absent;
    let mut others = listed.theirs.iter().map(|(_, entry)| entry);
    let shown = match &listed.ours {
        Some(row) => &row.entry,
        None => others.find(is_live)?,
    };
    let (kind, size) = match shown.content {
        Content::File { size, .. } => ("file", size),
        Content::Symlink { .. } => ("symlink", 0),
        Content::Directory => ("directory", 0),
        Content::Absent => return None,
    };
    let has_it = |entry: &Entry| is_same(&entry.content, &shown.content);
    let having = listed.theirs.iter().filter(|(_, entry)| has_it(entry));
    let UnixNanos(mtime) = shown.mtime;
    Some(FileView {
        path: listed.path.clone().into(),
        kind: kind.to_owned(),
        size,
        mtime_ms: mtime.div_euclid(1_000_000),
        state: state.to_owned(),
        peers: having.map(|(peer, _)| peer.to_string()).collect(),
    })
}

/// Whether a person would say that it is the same: the bytes, not whether they may be executed.
fn is_same(one: &Content, other: &Content) -> bool {
    match (one, other) {
        (Content::File { hash: one, .. }, Content::File { hash: other, .. }) => one == other,
        (Content::Symlink { .. } | Content::Directory | Content::Absent, _)
        | (Content::File { .. }, Content::Symlink { .. } | Content::Directory | Content::Absent) => {
            one == other
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_core::records::{OurRow, Reach};
    use towline_wire::entry::{Actor, Attributes, Descent, Dot, VersionVector};
    use towline_wire::ids::{ContentHash, DeviceId, Incarnation, Sequence};

    use super::*;

    fn entry(content: Content) -> Entry {
        let actor = Actor {
            device: DeviceId::from_public_key([1; 32]),
            incarnation: Incarnation(1),
        };
        Entry {
            path: RelPath::parse("a").unwrap(),
            version: VersionVector::try_from(vec![(actor, 1)]).unwrap(),
            author: Dot { actor, counter: 1 },
            content,
            mtime: UnixNanos(5_000_000),
            descent: Descent::none(),
        }
    }

    fn bytes(number: u8) -> Content {
        Content::File {
            size: 7,
            hash: ContentHash::from_bytes([number; 32]),
            executable: number.is_multiple_of(2),
            attributes: Attributes::default(),
        }
    }

    /// How an entry is shown: its state, its kind, and how many peers have the same.
    fn check(
        ours: Option<(Content, Reach)>,
        theirs: &[Content],
        is_needed: bool,
    ) -> (String, String, usize) {
        let theirs = theirs.iter().zip(2..).map(|(content, number)| {
            let peer = DeviceId::from_public_key([number; 32]);
            (peer, entry(content.clone()))
        });
        let shown = file(Listed {
            path: RelPath::parse("a").unwrap(),
            ours: ours.map(|(content, reach)| OurRow {
                entry: entry(content),
                sequence: Sequence(1),
                stamp: None,
                reach,
            }),
            theirs: theirs.collect(),
            is_needed,
        });
        let shown = shown.unwrap();
        (shown.state, shown.kind, shown.peers.len())
    }

    #[test]
    fn an_entry_tells_how_it_stands_and_who_has_the_same() {
        let told = |state: &str, kind: &str, peers| (state.to_owned(), kind.to_owned(), peers);
        let (one, two) = (bytes(1), bytes(3));
        let ours = |reach| Some((one.clone(), reach));
        assert_eq!(
            check(ours(Reach::Everyone), &[one.clone(), two.clone()], false),
            told("here", "file", 1)
        );
        let other = std::slice::from_ref(&two);
        assert_eq!(
            check(ours(Reach::Everyone), other, true),
            told("coming", "file", 0)
        );
        assert_eq!(
            check(ours(Reach::Changed), other, true),
            told("local", "file", 0)
        );
        assert_eq!(
            check(None, &[Content::Absent, Content::Directory], true),
            told("missing", "directory", 1)
        );
    }
}
