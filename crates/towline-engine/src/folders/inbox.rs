//! The conflict inbox of each folder: what is in conflict, what it looks like, and decisions.
//!
//! Conflicts are read from the index, beside the device loop. A decision is carried out on the disk as a
//! person would; the folder then looks at the paths and tells them like any edit. Nothing is decided
//! here but in whose hands a request goes.

use std::sync::{Arc, Weak};

use towline_core::io::HeldReason;
use towline_store::Conflict;
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::Library;
use crate::disk::{Case, Choice, RestoreFault, Root};
use crate::view::{self, AnswerView, AskedOfInbox, ViewError};

/// The conflicts of all folders; cheap to clone, and of no use once the engine ends.
#[derive(Debug, Clone)]
pub(crate) struct Inbox(Weak<Library>);

impl Inbox {
    pub(super) fn of(library: &Arc<Library>) -> Self {
        Self(Arc::downgrade(library))
    }

    /// Asks about a folder's conflicts; `known` are the devices whose names people know. A decision is
    /// carried out even when the future is dropped.
    pub(crate) async fn ask(
        &self,
        folder: FolderId,
        asked: AskedOfInbox,
        known: Vec<DeviceId>,
    ) -> Result<AnswerView, ViewError> {
        let stopping = || ViewError::new("stopping");
        let library = self.0.upgrade().ok_or_else(stopping)?;
        let paused = || ViewError::new("folder_paused");
        let pool = Arc::clone(library.disk.pool());
        let job = move || match asked {
            AskedOfInbox::List { after, limit } => {
                let found = library.conflicts(folder, after.as_ref(), limit + 1);
                let found = found.ok_or_else(stopping)?;
                Ok(view::conflicts(found, limit, &known))
            }
            AskedOfInbox::Preview(path) => {
                let root = library.disk.root(folder).ok_or_else(paused)?;
                let preview = root.preview(&path);
                preview
                    .map(view::preview)
                    .map_err(|fault| view::conflict_fault(fault.into()))
            }
            AskedOfInbox::Decide(path, choice) => {
                let root = library.disk.root(folder).ok_or_else(paused)?;
                let decided = match path {
                    Some(path) => library.decide_one(folder, &root, &path, &choice),
                    None => library.decide_all(folder, &root, &choice),
                };
                decided
                    .map(|conflicts| AnswerView::Resolved { conflicts })
                    .map_err(view::conflict_fault)
            }
        };
        pool.run(job).await.map_err(|_| stopping())?
    }
}

impl Library {
    fn conflicts(
        &self,
        folder: FolderId,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Option<Vec<Conflict>> {
        self.index
            .read(|reader| reader.conflicts(folder, after, limit))
    }

    fn decide_one(
        &self,
        folder: FolderId,
        root: &Root,
        path: &RelPath,
        choice: &Choice,
    ) -> Result<u64, RestoreFault> {
        let found = self.index.read(|reader| reader.conflict(folder, path));
        let conflict = found.flatten().ok_or(RestoreFault::Unknown)?;
        self.decide(folder, root, conflict, choice)?;
        Ok(1)
    }

    /// Decides what can be decided. Where nothing can, the first fault is the answer.
    fn decide_all(
        &self,
        folder: FolderId,
        root: &Root,
        choice: &Choice,
    ) -> Result<u64, RestoreFault> {
        let (mut decided, mut first_fault) = (0, None);
        let mut after = None;
        loop {
            let page = self.conflicts(folder, after.as_ref(), DECIDED_AT_ONCE);
            let page = page.ok_or(RestoreFault::Held(HeldReason::Unreadable))?;
            let Some(last) = page.last() else { break };
            after = Some(last.path.clone());
            for conflict in page {
                match self.decide(folder, root, conflict, choice) {
                    Ok(()) => decided += 1,
                    Err(fault) => first_fault = first_fault.or(Some(fault)),
                }
            }
        }
        match first_fault {
            Some(fault) if decided == 0 => Err(fault),
            Some(_) | None => Ok(decided),
        }
    }

    fn decide(
        &self,
        folder: FolderId,
        root: &Root,
        conflict: Conflict,
        choice: &Choice,
    ) -> Result<(), RestoreFault> {
        let copies = conflict.copies.into_iter().map(|row| row.entry.path);
        let case = Case {
            path: conflict.path,
            copies: copies.collect(),
        };
        let (changed, outcome) = root.decide(&case, choice);
        // The watcher sees it too, where there is one.
        for path in changed {
            self.disk.disturb(folder, path);
        }
        outcome
    }
}

/// Conflicts that are read together when all are decided: 100, so that what is read is little and true.
const DECIDED_AT_ONCE: usize = 100;
