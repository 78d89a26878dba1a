//! What was replaced and deleted in all folders: lists it and brings it back, beside the device loop.
//!
//! A restore to a moment goes in parts, so that steps of peers' changes come between, its progress is
//! seen, and it can be cancelled: by a command, or by dropping the question. A part that has begun is
//! carried out to its end. There is one such restore per folder at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio_util::sync::CancellationToken;
use towline_core::versions::VersionId;
use towline_wire::entry::UnixNanos;
use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;

use crate::disk::{BroughtBack, RestoreFault, Root};
use crate::folders::Library;
use crate::view::{self, AnswerView, AskedOfPast, RestoringView, ViewError};

/// Paths in one part of a restore: 256. Each part syncs twice; a longer one would delay peers' changes
/// and a cancel by more than a person waits.
const PART_PATHS: usize = 256;

/// The past of all folders; cheap to clone, and of no use once the engine ends.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    library: Weak<Library>,
    restores: Arc<Restores>,
}

/// Restores to a moment that are under way, by folder.
#[derive(Debug, Default)]
pub(crate) struct Restores(Mutex<BTreeMap<FolderId, Arc<Restore>>>);

#[derive(Debug, Default)]
struct Restore {
    done: AtomicU64,
    total: AtomicU64,
    cancel: CancellationToken,
}

/// Ends a restore's place in the list when it is dropped.
struct UnderWay<'a> {
    restores: &'a Restores,
    folder: FolderId,
    restore: Arc<Restore>,
}

impl Restores {
    /// How far each is.
    pub(crate) fn read(&self) -> BTreeMap<FolderId, RestoringView> {
        let read = |restore: &Restore| RestoringView {
            done: restore.done.load(Ordering::Relaxed),
            total: restore.total.load(Ordering::Relaxed),
        };
        let restores = self.lock();
        let each = restores.iter();
        each.map(|(folder, restore)| (*folder, read(restore)))
            .collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn begin(&self, folder: FolderId) -> Option<UnderWay<'_>> {
        let mut restores = self.lock();
        if restores.contains_key(&folder) {
            return None;
        }
        let restore = Arc::<Restore>::default();
        restores.insert(folder, Arc::clone(&restore));
        Some(UnderWay {
            restores: self,
            folder,
            restore,
        })
    }

    fn cancel(&self, folder: FolderId) {
        if let Some(restore) = self.lock().get(&folder) {
            restore.cancel.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FolderId, Arc<Restore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.restores.lock().remove(&self.folder);
    }
}

impl Past {
    pub(crate) fn of(library: Weak<Library>, restores: Arc<Restores>) -> Self {
        Self { library, restores }
    }

    /// Asks a folder's version store. A change is begun on the disk even when the future is dropped.
    pub(crate) async fn ask(
        &self,
        folder: FolderId,
        asked: AskedOfPast,
    ) -> Result<AnswerView, ViewError> {
        let library = self.library.upgrade().ok_or_else(stopping)?;
        // A folder that is not here was refused by whoever knows the folders.
        let root = library.disk().root(folder);
        let root = root.ok_or_else(|| ViewError::new("folder_paused"))?;
        match asked {
            AskedOfPast::History { of, before, limit } => {
                let list = move || root.history(&of, before, limit);
                let (found, more) = run(&library, list)
                    .await?
                    .map_err(|fault| view::restore_fault(fault.into()))?;
                Ok(view::versions(found, more))
            }
            AskedOfPast::Restore { path, version } => {
                let id = restore(&library, root, folder, path, version).await?;
                Ok(view::restored(id))
            }
            AskedOfPast::RestoreTo { path, moment } => {
                self.restore_to(&library, root, folder, path, moment).await
            }
            AskedOfPast::CancelRestore => {
                self.restores.cancel(folder);
                Ok(AnswerView::Accepted)
            }
        }
    }

    async fn restore_to(
        &self,
        library: &Arc<Library>,
        root: Arc<Root>,
        folder: FolderId,
        path: Option<RelPath>,
        moment: UnixNanos,
    ) -> Result<AnswerView, ViewError> {
        let under_way = self.restores.begin(folder);
        let under_way = under_way.ok_or_else(|| ViewError::new("restoring"))?;
        let restore = &under_way.restore;
        let looking = Arc::clone(&root);
        let wanted = run(library, move || looking.what_lay(path.as_ref(), moment))
            .await?
            .map_err(|fault| view::restore_fault(fault.into()))?;
        restore.total.store(wanted.len() as u64, Ordering::Relaxed);
        let (mut files, mut failed) = (0, 0);
        for part in wanted.chunks(PART_PATHS) {
            if restore.cancel.is_cancelled() {
                break;
            }
            let (root, part) = (Arc::clone(&root), part.to_vec());
            let count = part.len() as u64;
            let came = run(library, move || root.bring_back(&part, moment)).await?;
            let BroughtBack {
                back,
                failed: in_part,
            } = came.map_err(view::restore_fault)?;
            files += back.len() as u64;
            failed += in_part;
            restore.done.fetch_add(count, Ordering::Relaxed);
            // The watcher sees it too, where there is one.
            for path in back {
                library.disk().disturb(folder, path);
            }
        }
        Ok(AnswerView::RestoredTo { files, failed })
    }
}

async fn restore(
    library: &Arc<Library>,
    root: Arc<Root>,
    folder: FolderId,
    path: RelPath,
    version: Option<VersionId>,
) -> Result<VersionId, ViewError> {
    let place = path.clone();
    let restored: Result<_, RestoreFault> =
        run(library, move || root.restore(&place, version)).await?;
    let id = restored.map_err(view::restore_fault)?;
    // The watcher sees it too, where there is one.
    library.disk().disturb(folder, path);
    Ok(id)
}

/// Runs one job on the disk pool.
async fn run<T: Send + 'static>(
    library: &Arc<Library>,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ViewError> {
    let pool = Arc::clone(library.disk().pool());
    pool.run(job).await.map_err(|_| stopping())
}

fn stopping() -> ViewError {
    ViewError::new("stopping")
}
