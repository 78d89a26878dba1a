//! One record of a folder's index: what a device says lies at a path, and by which history.
//!
//! History is a version vector over actors; an actor is one device in one store incarnation, so a
//! rolled-back store can never reuse a counter. Beside the vector an entry names its *author*: the
//! dot (actor, counter) of the write that made these bytes. A vector may know more than the bytes
//! descend from, because a device that gave way in a conflict merges vectors; the dot tells whose
//! bytes they are, and so whether another entry has causally replaced them; its [`Descent`] tells over
//! whose bytes they were written.

mod attributes;
mod descent;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::ids::{ContentHash, DeviceId, Incarnation};
use crate::limits::{SYMLINK_TARGET_BYTES_MAX, VERSION_ACTORS_MAX, VERSION_COUNTER_MAX};
use crate::rel_path::RelPath;

pub use attributes::{Attributes, AttributesError, USERS_PREFIX};
pub use descent::{Descent, DescentError, RUNS_MAX, Run};

/// One device in one store incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Whose store.
    pub device: DeviceId,
    /// Which life of it.
    pub incarnation: Incarnation,
}

/// One write: the `counter`-th change of an entry by `actor`, counting from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Who wrote.
    pub actor: Actor,
    /// Which write of that actor.
    pub counter: u64,
}

/// How two histories relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Causality {
    /// Both know the same writes.
    Equal,
    /// The left one knows less.
    Before,
    /// The left one knows more.
    After,
    /// Each knows a write that the other does not.
    Concurrent,
}

/// The writes that an entry's history knows: the highest counter per actor. Canonical: sorted by
/// actor, no zero counters, at most [`VERSION_ACTORS_MAX`] actors, when parsed no counter above
/// [`VERSION_COUNTER_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Actor, u64)>", into = "Vec<(Actor, u64)>")]
pub struct VersionVector(Vec<(Actor, u64)>);

/// Why a list of counters is not a version vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Actors are not strictly ascending, or a counter is zero.
    #[error("version vector is not canonical")]
    NotCanonical,
    /// More actors than [`VERSION_ACTORS_MAX`].
    #[error("version vector has too many actors")]
    TooManyActors,
    /// More writes than [`VERSION_COUNTER_MAX`].
    #[error("version vector counts more writes than there can be")]
    TooManyWrites,
}

impl VersionVector {
    /// The history that knows nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether no write is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The highest counter known of `actor`; 0 when none.
    pub fn counter(&self, actor: Actor) -> u64 {
        match self.0.binary_search_by_key(&actor, |(known, _)| *known) {
            Ok(at) => self.0.get(at).map_or(0, |(_, counter)| *counter),
            Err(_) => 0,
        }
    }

    /// Whether this history knows the write.
    pub fn knows(&self, dot: Dot) -> bool {
        self.counter(dot.actor) >= dot.counter
    }

    /// Adds one write by `actor` and names it. Cannot overflow: what was parsed is at most
    /// [`VERSION_COUNTER_MAX`], and from there no device writes 2^63 times.
    pub fn bump(&mut self, actor: Actor) -> Dot {
        let counter = self.counter(actor) + 1;
        match self.0.binary_search_by_key(&actor, |(known, _)| *known) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = counter;
                }
            }
            Err(at) => self.0.insert(at, (actor, counter)),
        }
        Dot { actor, counter }
    }

    /// The history that knows what either knows.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut all = self.0.clone();
        for (actor, counter) in &other.0 {
            match all.binary_search_by_key(actor, |(known, _)| *known) {
                Ok(at) => {
                    if let Some(slot) = all.get_mut(at) {
                        slot.1 = slot.1.max(*counter);
                    }
                }
                Err(at) => all.insert(at, (*actor, *counter)),
            }
        }
        Self(all)
    }

    /// The part of this history that one device wrote, in all its incarnations.
    #[must_use]
    pub fn written_by(&self, device: DeviceId) -> Self {
        let writes = self.0.iter().filter(|(actor, _)| actor.device == device);
        Self(writes.copied().collect())
    }

    /// How this history relates to `other`.
    pub fn compare(&self, other: &Self) -> Causality {
        let less = self
            .0
            .iter()
            .any(|(actor, counter)| other.counter(*actor) < *counter);
        let more = other
            .0
            .iter()
            .any(|(actor, counter)| self.counter(*actor) < *counter);
        match (less, more) {
            (false, false) => Causality::Equal,
            (false, true) => Causality::Before,
            (true, false) => Causality::After,
            (true, true) => Causality::Concurrent,
        }
    }

    /// The counters as they are kept.
    pub(crate) fn counters(&self) -> &[(Actor, u64)] {
        &self.0
    }

    /// The counters, ascending by actor.
    pub fn iter(&self) -> impl Iterator<Item = (Actor, u64)> + '_ {
        self.0.iter().copied()
    }
}

impl PartialOrd for VersionVector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.compare(other) {
            Causality::Equal => Some(Ordering::Equal),
            Causality::Before => Some(Ordering::Less),
            Causality::After => Some(Ordering::Greater),
            Causality::Concurrent => None,
        }
    }
}

impl TryFrom<Vec<(Actor, u64)>> for VersionVector {
    type Error = VersionError;

    fn try_from(counters: Vec<(Actor, u64)>) -> Result<Self, VersionError> {
        if counters.len() > VERSION_ACTORS_MAX {
            return Err(VersionError::TooManyActors);
        }
        let ascending = counters.windows(2).all(|pair| match pair {
            [(left, _), (right, _)] => left < right,
            _ => true,
        });
        if !ascending || counters.iter().any(|(_, counter)| *counter == 0) {
            return Err(VersionError::NotCanonical);
        }
        if counters
            .iter()
            .any(|(_, counter)| *counter > VERSION_COUNTER_MAX)
        {
            return Err(VersionError::TooManyWrites);
        }
        Ok(Self(counters))
    }
}

impl From<VersionVector> for Vec<(Actor, u64)> {
    fn from(version: VersionVector) -> Self {
        version.0
    }
}

/// Text that a symlink points to; kept as data, never followed. At most
/// [`SYMLINK_TARGET_BYTES_MAX`] bytes, not empty, no NUL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SymlinkTarget(String);

/// The text is empty, too long, or holds a NUL byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid symlink target")]
pub struct SymlinkTargetError;

impl SymlinkTarget {
    /// Checks length and NUL.
    pub fn parse(text: impl Into<String>) -> Result<Self, SymlinkTargetError> {
        let text = text.into();
        if text.is_empty() || text.len() > SYMLINK_TARGET_BYTES_MAX || text.contains('\0') {
            return Err(SymlinkTargetError);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SymlinkTarget {
    type Error = SymlinkTargetError;

    fn try_from(text: String) -> Result<Self, SymlinkTargetError> {
        Self::parse(text)
    }
}

impl From<SymlinkTarget> for String {
    fn from(target: SymlinkTarget) -> Self {
        target.0
    }
}

/// What lies at a path. The order is the rank in a conflict between kinds: what can hold others
/// comes first, what is gone comes last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// Nothing: a tombstone, or a path that was never there.
    Absent,
    /// A symbolic link.
    Symlink {
        /// Where it points, as text.
        target: SymlinkTarget,
    },
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// BLAKE3 of all bytes.
        hash: ContentHash,
        /// Whether the owner may execute it.
        executable: bool,
        /// What people and their programs have noted beside its bytes.
        attributes: Attributes,
    },
    /// A directory.
    Directory,
}

impl Content {
    /// The attributes of a file; `None` for everything else.
    pub const fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::File { attributes, .. } => Some(attributes),
            Self::Absent | Self::Symlink { .. } | Self::Directory => None,
        }
    }

    /// The same with other attributes, which only a file has.
    #[must_use]
    pub fn with_attributes(mut self, other: Attributes) -> Self {
        match &mut self {
            Self::File { attributes, .. } => *attributes = other,
            Self::Absent | Self::Symlink { .. } | Self::Directory => {}
        }
        self
    }

    /// Whether both are the same but for attributes.
    pub fn same_beside_attributes(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File {
                    size,
                    hash,
                    executable,
                    attributes: _,
                },
                Self::File {
                    size: other_size,
                    hash: other_hash,
                    executable: other_executable,
                    attributes: _,
                },
            ) => size == other_size && hash == other_hash && executable == other_executable,
            (
                Self::Absent | Self::Directory | Self::Symlink { .. } | Self::File { .. },
                Self::Absent | Self::Directory | Self::Symlink { .. } | Self::File { .. },
            ) => self == other,
        }
    }

    /// Whether both are the same thing with the same bytes; the executable bit and attributes are
    /// metadata.
    pub fn same_bytes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) | (Self::Directory, Self::Directory) => true,
            (Self::Symlink { target: left }, Self::Symlink { target: right }) => left == right,
            (Self::File { hash: left, .. }, Self::File { hash: right, .. }) => left == right,
            (
                Self::Absent | Self::Directory | Self::Symlink { .. } | Self::File { .. },
                Self::Absent | Self::Directory | Self::Symlink { .. } | Self::File { .. },
            ) => false,
        }
    }
}

/// A time of the wall clock: nanoseconds since 1970-01-01 UTC, negative before.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UnixNanos(pub i64);

/// One record of an index: what a device has (or no longer has) at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Where.
    pub path: RelPath,
    /// The history of this path that the device knows.
    pub version: VersionVector,
    /// The write that made these bytes; `version` knows it.
    pub author: Dot,
    /// What lies there.
    pub content: Content,
    /// Modification time of a file; display and tie-breaks for everything else.
    pub mtime: UnixNanos,
    /// Over whose bytes the author wrote these; none for what is no file.
    pub descent: Descent,
}

impl Entry {
    /// What this entry counts against [`crate::limits::INDEX_PAGE_BYTES_MAX`]: an upper bound of its
    /// length if it were written out by itself, in which lengths, times and numbers take 10 bytes
    /// each and an actor 42.
    pub fn full_bytes(&self) -> usize {
        const NUMBER: usize = 10;
        const DOT: usize = 32 + 2 * NUMBER;
        let content = match &self.content {
            Content::Absent | Content::Directory => 0,
            Content::Symlink { target } => target.as_str().len() + NUMBER,
            Content::File { attributes, .. } => {
                let lengths = attributes.iter().count() * 2 * NUMBER;
                32 + NUMBER + 1 + NUMBER + lengths + attributes.size()
            }
        };
        let history = self.version.0.len() * DOT + DOT + self.descent.runs().len() * 3 * NUMBER;
        self.path.as_str().len() + history + content + 5 * NUMBER
    }
}

#[cfg(test)]
mod tests;
