//! What we wrote lately, so that the watcher's echo of it is known and dropped.
//!
//! An echo is dropped only when exactly what we left there still lies there, and nobody has been seen
//! there since. A directory's own marks say nothing of what it holds: its echo stands for all that came
//! into it, or went, before it was watched. So it is dropped only when we made the directory, and all
//! that lies in it is what we left there, and all of that; and never when one has gone from its name just
//! before: that one is another, and what was known to lie in it has gone with it. So the echo of a directory
//! that we removed is not dropped either: who took something out of it just before may have been overheard.
//!
//! Bounded: the oldest is forgotten, and its echo costs one needless look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Mutex;

use towline_core::records::DiskStamp;
use towline_wire::rel_path::RelPath;

use super::handle::{Directory, Kind, Mark};
use super::parents::{DEPTH_MAX, Missing, Parents, proves_absence};
use super::pool::lock;
use super::root::Root;
use super::traits::Spelling;

/// Writes that are remembered: 8192, some batches of small files; about a megabyte of names.
pub(super) const OWN_WRITES_MAX: usize = 8192;

/// The latest writes under one root.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    left: BTreeMap<RelPath, Left>,
    /// Oldest first; a path that was forgotten, or written again, stays behind under its old turn.
    order: VecDeque<(u64, RelPath)>,
    turns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    /// `None` when we removed it.
    stamp: Option<DiskStamp>,
    turn: u64,
}

/// What a step has put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// A file or a symlink.
    Leaf(DiskStamp),
    /// A directory that it has made.
    NewDirectory(DiskStamp),
    /// A directory that was there already; what it holds may be anybody's.
    OldDirectory(DiskStamp),
    /// Nothing, where a file or symlink was.
    NoLeaf,
    /// Nothing, where a directory was.
    NoDirectory,
}

impl Put {
    /// The marks of what lies there now.
    pub(super) const fn stamp(self) -> Option<DiskStamp> {
        match self {
            Self::Leaf(stamp) | Self::NewDirectory(stamp) | Self::OldDirectory(stamp) => {
                Some(stamp)
            }
            Self::NoLeaf | Self::NoDirectory => None,
        }
    }
}

impl OwnWrites {
    /// Remembers what we left at a path.
    pub(super) fn add(&self, path: RelPath, put: Put) {
        let mut latest = lock(&self.0);
        match put {
            Put::Leaf(_) | Put::NoLeaf => latest.add(path, put.stamp()),
            Put::NewDirectory(_) => {
                // What is remembered of a directory is older than what is remembered in it, so that it
                // is the first to be forgotten.
                latest.forget_below(&path);
                latest.add(path, put.stamp());
            }
            Put::OldDirectory(_) | Put::NoDirectory => {
                latest.left.remove(&path);
            }
        }
    }

    /// Forgets what we left at a path.
    pub(super) fn forget(&self, path: &RelPath) {
        lock(&self.0).left.remove(path);
    }

    /// Somebody has looked at a path and tells what lies there, or that nothing does. Where it is not
    /// what we left, what we left there once says nothing any more, also when the same lies there again;
    /// and no directory above holds only what is ours.
    ///
    /// To be called right after the look: the hint of a change that comes after it waits for longer.
    pub(super) fn seen(&self, path: &RelPath, lies: Option<DiskStamp>) {
        let mut latest = lock(&self.0);
        if latest.left.get(path).map(|left| left.stamp) == Some(lies) {
            return;
        }
        let mut somewhere = Some(path.clone());
        while let Some(path) = somewhere {
            latest.left.remove(&path);
            somewhere = path.parent();
        }
    }

    /// What we left at a path, when it is remembered.
    pub(super) fn left_at(&self, path: &RelPath) -> Option<Option<DiskStamp>> {
        lock(&self.0).left.get(path).map(|left| left.stamp)
    }

    /// What we put below a directory and have not removed, as far as it is remembered.
    fn left_below(&self, directory: &RelPath) -> BTreeSet<RelPath> {
        let latest = lock(&self.0);
        let left = latest.below(directory);
        left.filter(|(_, left)| left.stamp.is_some())
            .map(|(path, _)| path.clone())
            .collect()
    }
}

impl Latest {
    fn add(&mut self, path: RelPath, stamp: Option<DiskStamp>) {
        self.turns += 1;
        let turn = self.turns;
        self.left.insert(path.clone(), Left { stamp, turn });
        self.order.push_back((turn, path));
        while self.order.len() > OWN_WRITES_MAX {
            if let Some((turn, oldest)) = self.order.pop_front()
                && self.left.get(&oldest).is_some_and(|left| left.turn == turn)
            {
                self.left.remove(&oldest);
            }
        }
    }

    fn below(&self, directory: &RelPath) -> impl Iterator<Item = (&RelPath, &Left)> {
        // Between a directory and what is in it stand names that go on where its own ends.
        self.left
            .range(directory.clone()..)
            .take_while(|(path, _)| path.as_str().starts_with(directory.as_str()))
            .filter(|(path, _)| path.is_below(directory))
    }

    fn forget_below(&mut self, directory: &RelPath) {
        let below: Vec<RelPath> = self
            .below(directory)
            .map(|(path, _)| path.clone())
            .collect();
        for path in below {
            self.left.remove(&path);
        }
    }
}

/// Drops paths where exactly what we wrote there still lies, and forgets what we wrote elsewhere: who
/// removes what somebody made where we had removed something must be seen.
/// From the paths that are `gone` something has gone lately.
pub(super) fn without_own_writes(
    root: &Root,
    paths: BTreeSet<RelPath>,
    gone: &BTreeSet<RelPath>,
) -> BTreeSet<RelPath> {
    if root.traits.spelling == Spelling::Blind {
        // What lies there may be ours under another spelling, which a person has just given it.
        return paths;
    }
    let mut parents = Parents::new(root);
    paths
        .into_iter()
        .filter(|path| !is_as_we_left_it(root, path, gone, &mut parents))
        .collect()
}

fn is_as_we_left_it(
    root: &Root,
    path: &RelPath,
    gone: &BTreeSet<RelPath>,
    parents: &mut Parents<'_>,
) -> bool {
    let Some(left) = root.own_writes.left_at(path) else {
        return false;
    };
    let is_ours = match parents.mark(path) {
        Ok(mark) if left != Some(mark.stamp) => false,
        Ok(mark) => match mark.kind {
            Kind::File | Kind::Symlink | Kind::Other => true,
            Kind::Directory => !gone.contains(path) && holds_what_we_left(root, path, parents),
        },
        Err(fault) => left.is_none() && proves_absence(&fault),
    };
    if !is_ours {
        root.own_writes.forget(path);
    }
    is_ours
}

/// Whether all that lies in a directory is ours, and all that we left in it lies there.
fn holds_what_we_left(root: &Root, path: &RelPath, parents: &mut Parents<'_>) -> bool {
    let opened = parents
        .of(path, Missing::Refuse)
        .and_then(|parent| parent.open_directory(path.file_name()));
    let Ok(directory) = opened else {
        return false;
    };
    let mut missing = root.own_writes.left_below(path);
    let all_ours = is_all_ours(root, &directory, path, &mut missing);
    all_ours.unwrap_or(false) && missing.is_empty()
}

fn is_all_ours(
    root: &Root,
    directory: &Directory,
    path: &RelPath,
    missing: &mut BTreeSet<RelPath>,
) -> io::Result<bool> {
    if path.depth() > DEPTH_MAX {
        return Ok(false);
    }
    for (name, _) in directory.list()? {
        let child = name.to_str().and_then(|name| path.join(name).ok());
        // What cannot be named, and what is not remembered, is not ours.
        let Some(child) = child.filter(|child| missing.remove(child)) else {
            return Ok(false);
        };
        let Mark { kind, stamp, .. } = directory.mark(child.file_name())?;
        if root.own_writes.left_at(&child) != Some(Some(stamp)) {
            return Ok(false);
        }
        if kind == Kind::Directory {
            let inner = directory.open_directory(child.file_name())?;
            if !is_all_ours(root, &inner, &child, missing)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
