//! What the data plane has done for one folder and what it is doing, for the snapshot.
//!
//! Counters only grow; whoever shows a rate takes the difference of two readings. Large files are
//! listed while they are fetched; small ones only count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use towline_wire::rel_path::RelPath;

/// Counters and current transfers of one folder; shared by the transfer and whoever shows it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    bytes_fetched: AtomicU64,
    bytes_reused: AtomicU64,
    files_done: AtomicU64,
    current: Mutex<BTreeMap<RelPath, Arc<Current>>>,
}

/// One large file on its way.
#[derive(Debug)]
struct Current {
    done: AtomicU64,
    total: u64,
}

/// A reading of [`Progress`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProgressReading {
    /// Bytes of content that came from peers since the device started.
    pub(crate) bytes_fetched: u64,
    /// Bytes that were taken from files of this folder instead.
    pub(crate) bytes_reused: u64,
    /// Files that are durable under their names.
    pub(crate) files_done: u64,
    /// Large files on their way, by path.
    pub(crate) current: Vec<CurrentTransfer>,
}

/// One large file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CurrentTransfer {
    /// Where it will lie.
    pub(crate) path: RelPath,
    /// Bytes that are here.
    pub(crate) done: u64,
    /// Bytes of the whole file.
    pub(crate) total: u64,
}

impl Progress {
    /// What is true now.
    pub(crate) fn read(&self) -> ProgressReading {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        ProgressReading {
            bytes_fetched: self.bytes_fetched.load(Ordering::Relaxed),
            bytes_reused: self.bytes_reused.load(Ordering::Relaxed),
            files_done: self.files_done.load(Ordering::Relaxed),
            current: current
                .iter()
                .map(|(path, current)| CurrentTransfer {
                    path: path.clone(),
                    done: current.done.load(Ordering::Relaxed).min(current.total),
                    total: current.total,
                })
                .collect(),
        }
    }

    /// So many more bytes came from peers.
    pub(crate) fn fetched(&self, bytes: u64) {
        self.bytes_fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn reused(&self, bytes: u64) {
        self.bytes_reused.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn files_done(&self, files: u64) {
        self.files_done.fetch_add(files, Ordering::Relaxed);
    }

    /// Lists a large file until the returned guard is dropped.
    pub(super) fn begin(&self, path: RelPath, total: u64) -> Listed<'_> {
        let current = Arc::new(Current {
            done: AtomicU64::new(0),
            total,
        });
        let mut list = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        list.insert(path.clone(), current.clone());
        Listed {
            progress: self,
            path,
            current,
        }
    }
}

/// Keeps a large file on the list.
pub(super) struct Listed<'a> {
    progress: &'a Progress,
    path: RelPath,
    current: Arc<Current>,
}

impl Listed<'_> {
    /// So many more bytes are here.
    pub(super) fn add(&self, bytes: u64) {
        self.current.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Nothing is here (any more).
    pub(super) fn restart(&self) {
        self.current.done.store(0, Ordering::Relaxed);
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut list = self
            .progress
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.remove(&self.path);
    }
}
