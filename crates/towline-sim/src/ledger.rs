//! What people did: the only truth that the oracle believes.
//!
//! A *birth* is content that a person wrote at a path. It is *consumed* when a person, looking at
//! those bytes on the disk of any device, deletes or replaces them. What was born and not consumed
//! must live somewhere at the end; what lives at the end must have been born.

use std::collections::BTreeMap;

use towline_wire::entry::Content;
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

/// What counts as the same content: the executable bit and times are beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    File(ContentHash),
    Link(String),
    Directory,
}

/// Content that a person wrote at a path.
#[derive(Debug, Clone)]
pub(crate) struct Birth {
    pub(crate) key: Key,
    pub(crate) path: RelPath,
    pub(crate) state: BirthState,
}

/// Whether a person has taken it away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BirthState {
    Living,
    Consumed,
}

/// All births.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    births: Vec<Birth>,
    by_key: BTreeMap<Key, Vec<usize>>,
}

impl Key {
    pub(crate) fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Absent => None,
            Content::File { hash, .. } => Some(Self::File(*hash)),
            Content::Symlink { target } => Some(Self::Link(target.as_str().to_owned())),
            Content::Directory => Some(Self::Directory),
        }
    }
}

impl Ledger {
    pub(crate) fn born(&mut self, content: &Content, path: &RelPath) {
        let Some(key) = Key::of(content) else { return };
        self.by_key
            .entry(key.clone())
            .or_default()
            .push(self.births.len());
        self.births.push(Birth {
            key,
            path: path.clone(),
            state: BirthState::Living,
        });
    }

    /// A person took this away from this path. Bytes at a path where they were never born are a
    /// conflict copy or a directory's move that crossed with theirs: then it may have been the last
    /// of them, and all births of these bytes count as consumed.
    pub(crate) fn consumed(&mut self, content: &Content, path: &RelPath) {
        let Some(key) = Key::of(content) else { return };
        let Some(of_key) = self.by_key.get(&key) else {
            return;
        };
        let here = of_key.iter().any(|at| {
            self.births
                .get(*at)
                .is_some_and(|birth| birth.path == *path)
        });
        for at in of_key {
            if let Some(birth) = self.births.get_mut(*at)
                && (birth.path == *path || (!here && key != Key::Directory))
            {
                birth.state = BirthState::Consumed;
            }
        }
    }

    pub(crate) fn living(&self) -> impl Iterator<Item = &Birth> {
        self.births
            .iter()
            .filter(|birth| birth.state == BirthState::Living)
    }

    pub(crate) fn was_born(&self, content: &Content) -> bool {
        Key::of(content).is_none_or(|key| self.by_key.contains_key(&key))
    }
}
