//! The folders of this device as the engine carries them: each one's disk, and what moves into it.
//!
//! Requests of the core go to `disk` (roots, scans, watching) or become a [`Transfer`] (steps). Peers'
//! data streams are answered here. Nothing is decided: what a step means is the plan's business, and
//! who may read what is told by `Grant`.

mod inbox;
mod rules;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc};
use towline_core::folder::rules::RULES_FILE;
use towline_core::io::{
    ApplyId, DiskEvent, DiskRequest, IndexOf, Input, NetworkEvent, NetworkRequest, Outcome,
    PageEnd, Step,
};
use towline_core::records::{DiskStamp, InForce, OurRow};
use towline_core::snapshot::{FolderSummary, Snapshot};
use towline_store::{HeldFile, Reader, StoreError};
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;
use tracing::{error, warn};

use crate::disk::{Disk, KnownRows, OpenRows, Root};
use crate::network::{IncomingStream, Network};
use crate::past::{Past, Restores};
use crate::tasks::Tasks;
use crate::traffic::Traffic;
use crate::transfer::{
    self, Grants, Peers, Progress, ProgressReading, Server, Throttle, Transfer, TransferEvent,
    TransferFault, Work,
};
use crate::view::{self, AnswerView, AskedOfFiles, RestoringView, TransferView, ViewError};

pub(crate) use inbox::Inbox;

/// Events of the disk that may wait for the loop: 256. Pages of scans are bounded by their own
/// credit; when this is full the disk waits.
const DISK_EVENTS_MAX: usize = 256;

/// Outcomes that may wait for the loop: 64 batches; when it is full, fetching waits.
const TRANSFER_EVENTS_MAX: usize = 64;

/// Sets of steps of one folder that run side by side: 2, so that the second is being fetched while
/// the first is being made durable. More would only hold more bytes in memory.
const APPLIES_AT_ONCE: usize = 2;

/// Sets of steps that run side by side in all folders: 4. A peer takes 32 data streams from us, and a
/// set uses up to 6.
const APPLIES_IN_ALL: usize = 4;

/// Places of equal bytes that are tried for a copy or an answer: 4.
const PLACES_TRIED: usize = 4;

/// Shortest time over which a speed is measured.
const SPEED_WINDOW_SECONDS: f64 = 1.0;

/// All folders of this device.
pub(crate) struct Folders {
    library: Arc<Library>,
    work: Work,
    grants: Arc<Grants>,
    throttle: Arc<Throttle>,
    traffic: Traffic,
    network: Arc<Network>,
    transfers: Mutex<BTreeMap<FolderId, Moving>>,
    /// Sets of steps under way, in all folders.
    applies: Arc<AtomicUsize>,
    places: Arc<Semaphore>,
    restores: Arc<Restores>,
    events: mpsc::Sender<TransferEvent>,
    tasks: Tasks,
    /// The threads of the disk, which outlive the tasks above.
    disk_tasks: Tasks,
}

/// What moves into one folder.
struct Moving {
    progress: Arc<Progress>,
    /// Bytes of the files that the steps under way want.
    wanted_bytes: Arc<AtomicU64>,
    /// Bytes of the files of all steps that are over.
    settled_bytes: Arc<AtomicU64>,
    places: Arc<Semaphore>,
    tasks: Tasks,
    speed: Speed,
}

/// A speed, measured between readings.
struct Speed {
    since: Instant,
    bytes: u64,
    bytes_per_second: u64,
}

/// Our rows and roots, for whoever reads them beside the device loop.
pub(crate) struct Library {
    disk: Disk,
    index: Arc<Index>,
}

/// Our rows, for scans and for the data plane.
struct Index {
    reader: Mutex<Reader>,
}

impl Folders {
    /// Starts the disk, and answers `streams`. Events arrive in `inputs`.
    pub(crate) fn start(
        reader: Reader,
        us: DeviceId,
        network: Arc<Network>,
        streams: mpsc::Receiver<IncomingStream>,
        inputs: &mpsc::Sender<Input>,
        tasks: Tasks,
    ) -> std::io::Result<Self> {
        let index = Arc::new(Index {
            reader: Mutex::new(reader),
        });
        let (disk_events, from_disk) = mpsc::channel(DISK_EVENTS_MAX);
        let rows: Arc<dyn OpenRows> = Arc::clone(&index) as Arc<dyn OpenRows>;
        let disk_tasks = tasks.child();
        let disk = Disk::start(disk_events, rows, us, &disk_tasks)?;
        let work = Work::on(Arc::clone(disk.pool()));
        let library = Arc::new(Library { disk, index });
        let grants = Arc::new(Grants::default());
        let throttle = Arc::new(Throttle::default());
        let server = Arc::new(Server::new(
            Arc::clone(&library),
            Arc::clone(&grants),
            Arc::clone(&throttle),
            work.clone(),
        ));
        tasks.spawn(
            "data streams",
            answer(streams, server, inputs.clone(), tasks.clone()),
        );
        tasks.spawn("disk events", carry_disk_events(from_disk, inputs.clone()));
        let (events, outcomes) = mpsc::channel(TRANSFER_EVENTS_MAX);
        tasks.spawn(
            "outcomes",
            carry_outcomes(outcomes, Arc::clone(&library), inputs.clone()),
        );
        Ok(Self {
            library,
            work,
            grants,
            traffic: Traffic::start(Arc::clone(&throttle), &tasks),
            throttle,
            network,
            transfers: Mutex::default(),
            applies: Arc::default(),
            places: Arc::new(Semaphore::new(APPLIES_IN_ALL)),
            restores: Arc::default(),
            events,
            tasks,
            disk_tasks,
        })
    }

    /// Carries out a request; never waits.
    pub(crate) fn request(&self, folder: FolderId, request: DiskRequest) {
        let disk = &self.library.disk;
        match request {
            DiskRequest::Prepare {
                root,
                others,
                absent,
            } => disk.prepare(folder, root, others, absent),
            DiskRequest::Open(root) => disk.open(folder, root),
            DiskRequest::Close => {
                if let Some(moving) = self.moving().remove(&folder) {
                    moving.tasks.cancelled().cancel();
                }
                disk.close(folder);
            }
            DiskRequest::Scan(scan, scope, doubt) => disk.scan(folder, scan, scope, doubt),
            DiskRequest::ContinueScan(scan) => disk.continue_scan(folder, scan),
            DiskRequest::Apply(apply, steps) => self.apply(folder, apply, steps),
            DiskRequest::NoteAge(age) => disk.note_age(folder, age),
            DiskRequest::Heed(rules) => disk.heed(folder, rules),
            DiskRequest::KeepAttributes(keeping) => disk.keep_attributes(folder, keeping),
        }
    }

    /// Takes from a network request what concerns data streams.
    pub(crate) fn note(&self, request: &NetworkRequest) {
        if let NetworkRequest::Grant(peer, folders) = request {
            self.grants.set(*peer, folders.clone());
        }
    }

    /// Takes what people have set for the device and its folders.
    pub(crate) fn configure(&self, snapshot: &Snapshot) {
        self.traffic.configure(&snapshot.device.settings);
        for FolderSummary { record, .. } in &snapshot.folders {
            self.throttle
                .set_folder(record.id, record.settings.limits.into());
            self.library
                .disk
                .set_retention(record.id, record.settings.retention);
        }
    }

    /// What holds for all content now.
    pub(crate) fn in_force(&self) -> InForce {
        self.traffic.in_force()
    }

    /// What lies in all folders, as the index knows it.
    pub(crate) fn listings(&self) -> Listings {
        Listings(Arc::downgrade(&self.library))
    }

    /// What was replaced and deleted in all folders.
    pub(crate) fn past(&self) -> Past {
        Past::of(Arc::downgrade(&self.library), Arc::clone(&self.restores))
    }

    /// Folders that are being brought back to a moment, and how far they are.
    pub(crate) fn restores(&self) -> BTreeMap<FolderId, RestoringView> {
        self.restores.read()
    }

    /// What is in conflict in all folders.
    pub(crate) fn inbox(&self) -> Inbox {
        Inbox::of(&self.library)
    }

    /// Whether anything moves, so that views change without the core.
    pub(crate) fn is_moving(&self) -> bool {
        self.applies.load(Ordering::Relaxed) > 0 || !self.restores.is_empty()
    }

    /// What has moved, by folder.
    pub(crate) fn transfers(&self) -> BTreeMap<FolderId, TransferView> {
        self.moving()
            .iter_mut()
            .map(|(folder, moving)| (*folder, moving.read()))
            .collect()
    }

    /// Ends everything; batches that are being committed are finished first.
    pub(crate) async fn close(self) {
        for moving in self.moving().values() {
            moving.tasks.cancelled().cancel();
        }
        self.tasks.close().await;
        let Self {
            library,
            work,
            disk_tasks,
            ..
        } = self;
        drop(work);
        // Dropping the disk waits for watchers. Where no thread is to be had, it is dropped here.
        if let Err(fault) = disk_tasks.spawn_thread("disk end", move || drop(library)) {
            warn!(%fault, "the disk is closed on the runtime");
        }
        disk_tasks.close().await;
    }

    fn apply(&self, folder: FolderId, apply: ApplyId, steps: Vec<Step>) {
        let Some(root) = self.library.disk.root(folder) else {
            let outcomes = steps
                .into_iter()
                .map(|step| (step.path, Outcome::Stale))
                .collect();
            let (events, gone) = (
                self.events.clone(),
                TransferEvent::Applied {
                    folder,
                    apply,
                    outcomes,
                },
            );
            self.tasks.spawn("no root", async move {
                // Nobody listens any more when the device is ending.
                let _ = events.send(gone).await;
            });
            return;
        };
        let mut transfers = self.moving();
        let moving = transfers
            .entry(folder)
            .or_insert_with(|| Moving::new(&self.tasks));
        let transfer = Transfer {
            folder,
            root,
            folders: Arc::clone(&self.library),
            peers: Arc::clone(&self.network),
            work: self.work.clone(),
            progress: Arc::clone(&moving.progress),
            throttle: Arc::clone(&self.throttle),
            events: self.events.clone(),
        };
        let wanted: u64 = steps.iter().map(|step| bytes_of(&step.content)).sum();
        let under_way = UnderWay::begin(&self.applies, moving, wanted);
        let places = [Arc::clone(&moving.places), Arc::clone(&self.places)];
        moving.tasks.spawn("steps", async move {
            // The semaphores are never closed; their places are given in the order of asking.
            let _in_folder = places[0].acquire().await;
            let _in_all = places[1].acquire().await;
            transfer.apply(apply, steps).await;
            drop(under_way);
        });
    }

    fn moving(&self) -> std::sync::MutexGuard<'_, BTreeMap<FolderId, Moving>> {
        self.transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Library {
    /// The disk of all folders.
    pub(crate) const fn disk(&self) -> &Disk {
        &self.disk
    }
}

/// The indexes of all folders; cheap to clone, and of no use once the engine ends.
#[derive(Debug, Clone)]
pub(crate) struct Listings(Weak<Library>);

impl Listings {
    /// Lists a directory from the index, which can be read while the folder's root cannot.
    pub(crate) async fn files(
        &self,
        folder: FolderId,
        asked: AskedOfFiles,
    ) -> Result<AnswerView, ViewError> {
        let stopping = || ViewError::new("stopping");
        let library = self.0.upgrade().ok_or_else(stopping)?;
        let index = Arc::clone(&library.index);
        let job = move || {
            let AskedOfFiles {
                directory,
                after,
                limit,
            } = asked;
            index.read(|reader| reader.listing(folder, directory.as_ref(), after.as_ref(), limit))
        };
        let pool = Arc::clone(library.disk.pool());
        let read = pool.run(job).await.map_err(|_| stopping())?;
        // A store that cannot be read ends the device, which its own thread says.
        let (listed, end) = read.ok_or_else(stopping)?;
        Ok(view::files(listed, end == PageEnd::More))
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Folders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folders").finish_non_exhaustive()
    }
}

/// Counts one set of steps as under way until it is dropped.
struct UnderWay {
    applies: Arc<AtomicUsize>,
    wanted_bytes: Arc<AtomicU64>,
    settled_bytes: Arc<AtomicU64>,
    bytes: u64,
}

impl UnderWay {
    fn begin(applies: &Arc<AtomicUsize>, moving: &Moving, bytes: u64) -> Self {
        applies.fetch_add(1, Ordering::Relaxed);
        moving.wanted_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self {
            applies: Arc::clone(applies),
            wanted_bytes: Arc::clone(&moving.wanted_bytes),
            settled_bytes: Arc::clone(&moving.settled_bytes),
            bytes,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.applies.fetch_sub(1, Ordering::Relaxed);
        self.wanted_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.settled_bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

impl Moving {
    fn new(tasks: &Tasks) -> Self {
        Self {
            progress: Arc::default(),
            wanted_bytes: Arc::default(),
            settled_bytes: Arc::default(),
            places: Arc::new(Semaphore::new(APPLIES_AT_ONCE)),
            tasks: tasks.child(),
            speed: Speed {
                since: Instant::now(),
                bytes: 0,
                bytes_per_second: 0,
            },
        }
    }

    fn read(&mut self) -> TransferView {
        let ProgressReading {
            bytes_fetched,
            bytes_reused,
            files_done,
            ..
        } = self.progress.read();
        let wanted = self.wanted_bytes.load(Ordering::Relaxed);
        let arrived = bytes_fetched.saturating_add(bytes_reused);
        if wanted == 0 {
            // Steps that failed want nothing more, and what was fetched twice is not ahead.
            self.settled_bytes.store(arrived, Ordering::Relaxed);
        }
        let ahead = arrived.saturating_sub(self.settled_bytes.load(Ordering::Relaxed));
        TransferView {
            fetched_bytes: bytes_fetched,
            reused_bytes: bytes_reused,
            files: files_done,
            wanted_bytes: wanted.saturating_sub(ahead),
            bytes_per_second: self.speed.at(bytes_fetched),
        }
    }
}

impl Speed {
    fn at(&mut self, bytes: u64) -> u64 {
        let seconds = self.since.elapsed().as_secs_f64();
        if seconds >= SPEED_WINDOW_SECONDS {
            let moved = bytes.saturating_sub(self.bytes);
            *self = Self {
                since: Instant::now(),
                bytes,
                bytes_per_second: (moved as f64 / seconds) as u64,
            };
        }
        self.bytes_per_second
    }
}

impl Peers for Network {
    fn connection(&self, peer: DeviceId) -> Option<quinn::Connection> {
        Self::connection(self, peer)
    }
}

impl transfer::Folders for Library {
    fn root(&self, folder: FolderId) -> Option<Arc<Root>> {
        self.disk.root(folder)
    }

    fn with_contents(
        &self,
        folder: FolderId,
        hashes: &[ContentHash],
        of: IndexOf,
    ) -> Vec<Vec<(RelPath, DiskStamp)>> {
        let held = self
            .index
            .read(|reader| reader.paths_with_contents(folder, hashes, of, PLACES_TRIED));
        let Some(held) = held else {
            return hashes.iter().map(|_| Vec::new()).collect();
        };
        let stamped = |file: HeldFile| Some((file.path, file.stamp?));
        held.into_iter()
            .map(|files| files.into_iter().filter_map(stamped).collect())
            .collect()
    }

    fn peers_with(&self, folder: FolderId, path: &RelPath, hash: ContentHash) -> Vec<DeviceId> {
        self.index
            .read(|reader| reader.peers_with_content(folder, path, hash))
            .unwrap_or_default()
    }
}

impl Index {
    /// Reads; `None` when the store cannot be read any more, which its own thread tells the device.
    fn read<T>(&self, ask: impl FnOnce(&mut Reader) -> Result<T, StoreError>) -> Option<T> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut reader)
            .inspect_err(|fault| error!(%fault, "the index cannot be read"))
            .ok()
    }
}

impl OpenRows for Index {
    fn open_rows(&self, folder: FolderId) -> Box<dyn KnownRows> {
        let reader = self.read(|reader| reader.another());
        Box::new(FolderRows { folder, reader })
    }
}

/// Names of equal files among which the former one of a moved file is looked for: 16. Where there are more it is
/// told at the end of the scan that one is gone.
const FORMER_NAMES_MAX: usize = 16;

/// The rows of one folder, for one scan. Without a reader nothing is known, so nothing is absent.
struct FolderRows {
    folder: FolderId,
    reader: Option<Reader>,
}

impl KnownRows for FolderRows {
    fn row(&mut self, path: &RelPath) -> Option<OurRow> {
        let row = self.reader.as_mut()?.row(self.folder, path).ok()??;
        (row.entry.content != Content::Absent).then_some(row)
    }

    fn below(
        &mut self,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Vec<OurRow> {
        let Some(reader) = self.reader.as_mut() else {
            return Vec::new();
        };
        reader
            .rows_below(self.folder, directory, after, limit)
            .unwrap_or_default()
    }

    fn with_bytes(&mut self, hashes: &[ContentHash]) -> Vec<Vec<RelPath>> {
        let Some(reader) = self.reader.as_mut() else {
            return Vec::new();
        };
        let held =
            reader.paths_with_contents(self.folder, hashes, IndexOf::Everything, FORMER_NAMES_MAX);
        let paths = |files: Vec<HeldFile>| files.into_iter().map(|file| file.path).collect();
        held.unwrap_or_default().into_iter().map(paths).collect()
    }
}

fn bytes_of(content: &Content) -> u64 {
    match content {
        Content::File { size, .. } => *size,
        Content::Absent | Content::Directory | Content::Symlink { .. } => 0,
    }
}

/// Whether an outcome is one that a lost root gives, too.
const fn doubts_root(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Stale | Outcome::Held(_) => true,
        Outcome::Done { .. } | Outcome::NoSource | Outcome::NotEmpty => false,
    }
}

async fn answer(
    mut streams: mpsc::Receiver<IncomingStream>,
    server: Arc<Server<Library>>,
    inputs: mpsc::Sender<Input>,
    tasks: Tasks,
) {
    while let Some(IncomingStream { peer, send, recv }) = streams.recv().await {
        let (server, inputs) = (Arc::clone(&server), inputs.clone());
        tasks.spawn("data stream", async move {
            if let Err(fault) = server.serve(peer, send, recv).await {
                warn!(peer = peer.short(), %fault, "data stream closed");
                // Nobody listens any more when the device is ending.
                let _ = inputs
                    .send(Input::Network(NetworkEvent::Misbehaved(peer)))
                    .await;
            }
        });
    }
}

async fn carry_disk_events(
    mut events: mpsc::Receiver<(FolderId, DiskEvent)>,
    inputs: mpsc::Sender<Input>,
) {
    while let Some((folder, event)) = events.recv().await {
        if inputs.send(Input::Disk(folder, event)).await.is_err() {
            return;
        }
    }
}

async fn carry_outcomes(
    mut events: mpsc::Receiver<TransferEvent>,
    library: Arc<Library>,
    inputs: mpsc::Sender<Input>,
) {
    while let Some(event) = events.recv().await {
        match event {
            TransferEvent::Applied {
                folder,
                apply,
                outcomes,
            } => {
                if outcomes.iter().any(|(_, outcome)| doubts_root(outcome)) {
                    library.disk.doubt(folder);
                }
                let are_new_rules = |(path, outcome): &(RelPath, Outcome)| {
                    path.as_str() == RULES_FILE && matches!(outcome, Outcome::Done { .. })
                };
                if outcomes.iter().any(are_new_rules) {
                    library.disk.reread_rules(folder);
                }
                let applied = DiskEvent::Applied { apply, outcomes };
                if inputs.send(Input::Disk(folder, applied)).await.is_err() {
                    return;
                }
            }
            TransferEvent::Faulty(peer, TransferFault::WrongBytes) => {
                // One file that has rotted on an honest peer's disk must not part us from the rest.
                warn!(
                    peer = peer.short(),
                    "a peer sends wrong bytes; they were thrown away"
                );
            }
            TransferEvent::Faulty(peer, fault @ TransferFault::Protocol) => {
                warn!(peer = peer.short(), %fault, "a peer sends what cannot be used");
                let misbehaved = Input::Network(NetworkEvent::Misbehaved(peer));
                if inputs.send(misbehaved).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_shrinks_while_it_arrives() {
        let mut moving = Moving::new(&Tasks::new());
        let applies = Arc::default();
        let first = UnderWay::begin(&applies, &moving, 1000);
        moving.progress.fetched(400);
        assert_eq!(moving.read().wanted_bytes, 600);
        let second = UnderWay::begin(&applies, &moving, 500);
        moving.progress.fetched(600);
        drop(first);
        assert_eq!(moving.read().wanted_bytes, 500);
        moving.progress.fetched(100);
        // It gave up after a fifth; nothing is wanted any more, and the next steps begin anew.
        drop(second);
        assert_eq!(moving.read().wanted_bytes, 0);
        let _third = UnderWay::begin(&applies, &moving, 50);
        assert_eq!(moving.read().wanted_bytes, 50);
    }
}
