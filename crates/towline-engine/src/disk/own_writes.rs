//! What we wrote lately, so that the watcher's echo of it is known and dropped.
//!
//! An echo is dropped only when exactly what we left there still lies there, and nobody has been seen
//! there since. Bounded: the oldest is
//! forgotten, and its echo costs one needless look.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use towline_core::records::DiskStamp;
use towline_wire::rel_path::RelPath;

use super::pool::lock;

/// Writes that are remembered: 8192, some batches of small files; about a megabyte of names.
const OWN_WRITES_MAX: usize = 8192;

/// The latest writes under one root.
#[derive(Debug, Default)]
pub(super) struct OwnWrites(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    stamps: BTreeMap<RelPath, Option<DiskStamp>>,
    order: VecDeque<RelPath>,
}

impl OwnWrites {
    /// Remembers what we left at a path; `None` when we removed it.
    pub(super) fn add(&self, path: RelPath, stamp: Option<DiskStamp>) {
        let mut latest = lock(&self.0);
        if latest.stamps.insert(path.clone(), stamp).is_none() {
            latest.order.push_back(path);
        }
        while latest.order.len() > OWN_WRITES_MAX {
            if let Some(oldest) = latest.order.pop_front() {
                latest.stamps.remove(&oldest);
            }
        }
    }

    /// Somebody else has been at a path: what we left there once says nothing any more, also when the
    /// same lies there again.
    pub(super) fn forget(&self, path: &RelPath) {
        // Its place in the order stays behind, and at worst makes another path go a little early.
        lock(&self.0).stamps.remove(path);
    }

    /// What we left at a path, when it is remembered.
    pub(super) fn left_at(&self, path: &RelPath) -> Option<Option<DiskStamp>> {
        lock(&self.0).stamps.get(path).copied()
    }
}
