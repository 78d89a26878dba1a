//! A device's store in the world: the reference in memory, or the real one in a directory.
//!
//! What is on the shelf is durable. Requests wait in the world's queue until they get here; a crash
//! empties that queue and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;
use towline_core::io::{BatchId, IndexOf, StoreReply, StoreRequest};
use towline_core::records::{OurRow, Restored, StoreOp};
use towline_store::memory::MemoryStore;
use towline_store::{Records, Store};
use towline_wire::entry::Entry;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

/// Which store a world runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The reference: fast.
    Memory,
    /// The product's: SQLite in a directory.
    Real,
}

/// Where a device keeps its records.
#[derive(Debug)]
pub(crate) enum Shelf {
    Memory(MemoryStore),
    /// Dropped in this order: the database is closed before its directory goes.
    Real(
        Box<Store>,
        #[expect(dead_code, reason = "held until the store is dropped")] TempDir,
    ),
}

/// More than a simulated folder ever holds.
const EVERYTHING: usize = 100_000;

impl Shelf {
    pub(crate) fn new(kind: StoreKind, incarnation: Incarnation) -> Self {
        match kind {
            StoreKind::Memory => Self::Memory(MemoryStore::new(incarnation)),
            StoreKind::Real => {
                let home = tempfile::tempdir_in(fast_directory()).expect("a place for a store");
                let (store, _) = Store::open(home.path(), incarnation).expect("a new store opens");
                Self::Real(Box::new(store), home)
            }
        }
    }

    /// Does what is asked.
    pub(crate) fn reply(&mut self, request: StoreRequest) -> StoreReply {
        match self {
            Self::Memory(store) => store.reply_to(request),
            Self::Real(store, _) => store.handle(request).expect("a healthy disk"),
        }
    }

    pub(crate) fn restored(&self) -> Restored {
        match self {
            Self::Memory(store) => store.restored().expect("memory is healthy"),
            Self::Real(store, _) => store.restored().expect("a healthy disk"),
        }
    }

    /// Puts records there outside of any device's run.
    pub(crate) fn put(&mut self, operations: Vec<StoreOp>) {
        self.reply(StoreRequest::Persist(BatchId(0), operations));
    }

    /// A copy as a backup makes it; only of the store in memory.
    pub(crate) fn copy(&self) -> Option<Self> {
        match self {
            Self::Memory(store) => Some(Self::Memory(store.clone())),
            Self::Real(..) => None,
        }
    }

    /// Our index, in its order.
    pub(crate) fn index(&mut self, folder: FolderId) -> Vec<(Sequence, Entry)> {
        let peer = DeviceId::from_public_key([0; 32]);
        let after = Sequence::default();
        let load = StoreRequest::LoadIndex {
            folder,
            peer,
            of: IndexOf::Everything,
            after,
            limit: EVERYTHING,
        };
        match self.reply(load) {
            StoreReply::Index { rows, .. } => rows,
            StoreReply::Persisted(..)
            | StoreReply::Rows(..)
            | StoreReply::Needs { .. }
            | StoreReply::Broken => Vec::new(),
        }
    }

    /// Shows our rows of a folder.
    pub(crate) fn with_rows<T>(
        &mut self,
        folder: FolderId,
        look: impl FnOnce(&BTreeMap<RelPath, OurRow>) -> T,
    ) -> T {
        if let Self::Memory(store) = self {
            let none = BTreeMap::new();
            return look(store.our_rows(folder).unwrap_or(&none));
        }
        let paths: Vec<RelPath> = self
            .index(folder)
            .into_iter()
            .map(|(_, entry)| entry.path)
            .collect();
        match self.reply(StoreRequest::LoadRows(folder, paths.clone())) {
            StoreReply::Rows(_, rows) => {
                let rows = paths.into_iter().zip(rows);
                look(&rows.filter_map(|(path, row)| Some((path, row?))).collect())
            }
            StoreReply::Persisted(..)
            | StoreReply::Needs { .. }
            | StoreReply::Index { .. }
            | StoreReply::Broken => look(&BTreeMap::new()),
        }
    }
}

/// Memory where the system has a directory for it: the stores sync every batch.
fn fast_directory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
