//! A simulated directory tree with the marks that a disk gives its files.
//!
//! Every change gets a change time of its own, like a filesystem with a fine clock; modification
//! times may be coarse, and names may be told apart without their case. Operations are atomic. What a
//! person removes or replaces is returned, so that the ledger can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use towline_core::io::Age;
use towline_core::records::{Beside, DiskStamp};
use towline_wire::entry::{Attributes, Content, SymlinkTarget, UnixNanos};
use towline_wire::ids::{ContentHash, FolderId};
use towline_wire::rel_path::RelPath;

use crate::faults::{Disk, Names};

/// What lies at a path.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    File {
        bytes: Arc<[u8]>,
        hash: ContentHash,
        executable: bool,
    },
    Directory,
    Symlink(SymlinkTarget),
}

/// What lies at a path, with its marks.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mtime: UnixNanos,
    ctime: u64,
    inode: u64,
}

/// The tree below one root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    disk: Disk,
    nodes: BTreeMap<RelPath, Node>,
    /// How each name is spelled, by its folded path; empty on disks that tell all names apart.
    spellings: BTreeMap<String, RelPath>,
    ticks: u64,
    inodes: u64,
    /// Whose folder this is, once prepared.
    pub(crate) marker: Option<FolderId>,
    /// What the root remembers of the store.
    pub(crate) age: Option<Age>,
    /// Whether the root is there; a disk can be unplugged.
    pub(crate) presence: Presence,
    /// Temporary files in the root's own directory, by number.
    pub(crate) temporary: BTreeSet<u64>,
    /// What the system does not let anybody read.
    pub(crate) locked: BTreeSet<RelPath>,
    /// What was written, removed or followed outside of the root.
    pub(crate) strayed: Vec<String>,
}

/// Whether a root is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    #[default]
    There,
    Away,
    /// Something else lies in its place.
    Another,
}

/// What a person took away or replaced.
pub(crate) type Gone = Vec<(RelPath, Node)>;

impl Kind {
    pub(crate) fn file(bytes: Vec<u8>, executable: bool) -> Self {
        let hash = ContentHash::from_bytes(*blake3::hash(&bytes).as_bytes());
        Self::File {
            bytes: bytes.into(),
            hash,
            executable,
        }
    }

    pub(crate) fn content(&self) -> Content {
        match self {
            Self::File {
                bytes,
                hash,
                executable,
            } => Content::File {
                size: bytes.len() as u64,
                hash: *hash,
                executable: *executable,
                attributes: Attributes::default(),
            },
            Self::Directory => Content::Directory,
            Self::Symlink(target) => Content::Symlink {
                target: target.clone(),
            },
        }
    }
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory)
    }

    pub(crate) fn stamp(&self) -> DiskStamp {
        let size = match &self.kind {
            Kind::File { bytes, .. } => bytes.len() as u64,
            Kind::Directory | Kind::Symlink(_) => 0,
        };
        DiskStamp {
            size,
            mtime: self.mtime,
            ctime: UnixNanos(self.ctime as i64),
            file_id: self.inode,
            beside: Beside::Unasked,
        }
    }
}

impl Tree {
    pub(crate) fn new(disk: Disk) -> Self {
        Self {
            disk,
            ..Self::default()
        }
    }

    pub(crate) const fn disk(&self) -> Disk {
        self.disk
    }

    /// What lies at a path in exactly this spelling.
    pub(crate) fn get(&self, path: &RelPath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Whether a file with these bytes lies anywhere.
    pub(crate) fn holds(&self, bytes: ContentHash) -> bool {
        let mut kinds = self.nodes.values().map(|node| &node.kind);
        kinds.any(|kind| matches!(kind, Kind::File { hash, .. } if *hash == bytes))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RelPath, &Node)> {
        self.nodes.iter()
    }

    pub(crate) fn after<'a>(
        &'a self,
        path: Option<&RelPath>,
    ) -> impl Iterator<Item = (&'a RelPath, &'a Node)> + use<'a> {
        let start = path.map_or(Bound::Unbounded, |path| Bound::Excluded(path.clone()));
        self.nodes.range((start, Bound::Unbounded))
    }

    /// Everything below a path, the path itself left out.
    pub(crate) fn below(&self, path: &RelPath) -> Vec<RelPath> {
        self.nodes
            .range(path.clone()..)
            .map(|(other, _)| other)
            .take_while(|other| other.as_str().starts_with(path.as_str()))
            .filter(|other| other.is_below(path))
            .cloned()
            .collect()
    }

    /// Directories in the conflict inbox are no entries: those that are missing are made.
    pub(crate) fn has_parent(&self, path: &RelPath) -> bool {
        path.is_in_inbox()
            || path
                .parent()
                .is_none_or(|parent| self.nodes.get(&parent).is_some_and(Node::is_directory))
    }

    // --- names -----------------------------------------------------------------------------------

    /// The path that the disk takes for this one: parts that are there have their own spelling.
    pub(crate) fn spelled(&self, path: &RelPath) -> RelPath {
        if self.disk.names == Names::Exact {
            return path.clone();
        }
        if let Some(there) = self.spellings.get(&folded(path)) {
            return there.clone();
        }
        let parent = path.parent().map(|parent| self.spelled(&parent));
        parent
            .and_then(|parent| parent.join(path.file_name()).ok())
            .unwrap_or_else(|| path.clone())
    }

    /// What this disk takes for a path, or for a directory above it, and is spelled otherwise.
    pub(crate) fn twin_in_the_way(&self, path: &RelPath) -> Option<RelPath> {
        if self.disk.names == Names::Exact {
            return None;
        }
        std::iter::successors(Some(path.clone()), RelPath::parent).find_map(|part| {
            let there = self.spellings.get(&folded(&part))?;
            (*there != part).then(|| there.clone())
        })
    }

    // --- rights ----------------------------------------------------------------------------------

    /// What locks a path: itself or a directory above it.
    pub(crate) fn lock_of(&self, path: &RelPath) -> Option<&RelPath> {
        self.locked
            .iter()
            .find(|locked| *locked == path || path.is_below(locked))
    }

    /// Whether a path or something below it is locked.
    pub(crate) fn holds_locked(&self, path: &RelPath) -> bool {
        self.lock_of(path).is_some() || self.locked.iter().any(|locked| locked.is_below(path))
    }

    // --- changes ---------------------------------------------------------------------------------

    fn insert(&mut self, path: RelPath, node: Node) {
        if self.disk.names == Names::CaseBlind {
            let twin = self.spellings.insert(folded(&path), path.clone());
            debug_assert!(
                twin.is_none_or(|twin| twin == path),
                "two spellings of {path}"
            );
        }
        self.nodes.insert(path, node);
    }

    fn take(&mut self, path: &RelPath) -> Option<Node> {
        let node = self.nodes.remove(path)?;
        self.ticks += 1;
        if self.disk.names == Names::CaseBlind {
            self.spellings.remove(&folded(path));
        }
        Some(node)
    }

    /// Counts the changes of the tree: while it stays, nothing was written.
    pub(crate) const fn changes(&self) -> u64 {
        self.ticks
    }

    /// A modification time as this disk keeps it.
    pub(crate) fn kept_time(&self, mtime: UnixNanos) -> UnixNanos {
        UnixNanos(mtime.0 - mtime.0.rem_euclid(self.disk.times.step()))
    }

    /// Puts something at a path, with a new inode; whatever lay there is gone with all below it.
    pub(crate) fn put(&mut self, path: &RelPath, kind: Kind, mtime: UnixNanos) -> Gone {
        let gone = self.remove(path);
        self.ticks += 1;
        self.inodes += 1;
        let node = Node {
            kind,
            mtime: self.kept_time(mtime),
            ctime: self.ticks,
            inode: self.inodes,
        };
        self.insert(path.clone(), node);
        gone
    }

    /// Changes a file in place: the inode stays.
    pub(crate) fn rewrite(&mut self, path: &RelPath, kind: Kind, mtime: UnixNanos) -> Gone {
        self.ticks += 1;
        let mtime = self.kept_time(mtime);
        let Some(node) = self.nodes.get_mut(path) else {
            return Vec::new();
        };
        let before = node.clone();
        node.kind = kind;
        node.mtime = mtime;
        node.ctime = self.ticks;
        vec![(path.clone(), before)]
    }

    /// A file has other bytes, and nobody has written them: its change time goes back, if at all.
    pub(crate) fn spoil(&mut self, path: &RelPath, kind: Kind, back: u64) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.kind = kind;
            node.ctime = node.ctime.saturating_sub(back);
        }
    }

    /// Removes a path with all below it.
    pub(crate) fn remove(&mut self, path: &RelPath) -> Gone {
        let mut gone: Gone = Vec::new();
        for path in self.below(path).into_iter().chain([path.clone()]) {
            gone.extend(self.take(&path).map(|node| (path, node)));
        }
        gone
    }

    /// Renames a path with all below it; returns what was replaced, and the moves.
    pub(crate) fn rename(
        &mut self,
        from: &RelPath,
        to: &RelPath,
    ) -> (Gone, Vec<(RelPath, RelPath)>) {
        let replaced = self.remove(to);
        let moving: Vec<RelPath> = std::iter::once(from.clone())
            .chain(self.below(from))
            .collect();
        let mut taken = Vec::new();
        for old in moving {
            let new = format!("{}{}", to.as_str(), &old.as_str()[from.as_str().len()..]);
            let Ok(new) = RelPath::parse(new) else {
                continue;
            };
            taken.extend(self.take(&old).map(|node| (old, new, node)));
        }
        let mut moves = Vec::new();
        for (old, new, mut node) in taken {
            if old == *from {
                self.ticks += 1;
                node.ctime = self.ticks;
            }
            self.insert(new.clone(), node);
            moves.push((old, new));
        }
        (replaced, moves)
    }

    /// Gives a file or link a second name; `None` when there is none.
    pub(crate) fn link(&mut self, from: &RelPath, to: &RelPath) -> Option<Node> {
        self.ticks += 1;
        let ticks = self.ticks;
        let node = self.nodes.get_mut(from)?;
        node.ctime = ticks;
        let node = node.clone();
        self.insert(to.clone(), node.clone());
        Some(node)
    }
}

/// A path as a disk compares it that does not see case.
fn folded(path: &RelPath) -> String {
    path.as_str().to_lowercase()
}
