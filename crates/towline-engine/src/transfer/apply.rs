//! Carries out one set of steps of one folder.
//!
//! Order. First everything whose bytes lie in this folder already is copied aside, before any step can
//! remove or replace what it is copied from: so swaps and chains cost no network bytes. Then files that
//! only get another name are moved; where that cannot be, they are copied like all others. Then the steps
//! without bytes (directories, symlinks, removals) are committed in the given order, then the copies,
//! then what the network brings, in the order in which it comes. Fetching starts at once and waits only
//! when [`BUDGET_BYTES`] lie in memory.
//!
//! Small files travel by hash in shared lanes and are committed in batches; equal ones travel once.
//! Large files are fetched a few at a time (see [`large`](super::large)) and join the same batches.
//! A source that is lost, refuses or sends wrong bytes is replaced by the next; when none is left
//! the step ends as `NoSource`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use quinn::Connection;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until};
use towline_core::io::{ApplyId, Expected, IndexOf, Outcome, Step};
use towline_core::records::DiskStamp;
use towline_wire::data::{Request, SMALL_FILE_BYTES_MAX};
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::board::{Board, Reach, Want};
use super::chunks::{Older, hash_of};
use super::fleet::Fleet;
use super::lane::{Arrived, Budget};
use super::large::{Fetched, Large, reason_of};
use super::limits::Throttle;
use super::progress::Progress;
use super::serve::Folders;
use super::work::Work;
use crate::disk::{
    FileShape, Move, Ready as Make, Root, StageFault, Staged, commit, move_files, open_for_serving,
};

/// The connections that stand.
pub(crate) trait Peers: Send + Sync + 'static {
    /// The current connection with a peer.
    fn connection(&self, peer: DeviceId) -> Option<Connection>;
}

/// What a transfer tells the device loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransferEvent {
    /// Outcomes of steps; each step of a set comes exactly once.
    Applied {
        /// Which folder.
        folder: FolderId,
        /// Which set.
        apply: ApplyId,
        /// Path and what came of it.
        outcomes: Vec<(RelPath, Outcome)>,
    },
    /// A source did wrong.
    Faulty(DeviceId, TransferFault),
}

/// What a source did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransferFault {
    /// Bytes that do not have the hash that they were asked for by.
    #[error("peer sent wrong bytes")]
    WrongBytes,
    /// What the protocol does not allow.
    #[error("peer broke the protocol on a data stream")]
    Protocol,
}

/// Fetches into one folder, as long as its root is open.
pub(crate) struct Transfer<F, P> {
    /// Which folder.
    pub(crate) folder: FolderId,
    /// Its open root.
    pub(crate) root: Arc<Root>,
    /// What lies here already.
    pub(crate) folders: Arc<F>,
    /// Where connections come from.
    pub(crate) peers: Arc<P>,
    /// Where blocking work runs.
    pub(crate) work: Work,
    /// What is shown of it.
    pub(crate) progress: Arc<Progress>,
    /// How fast bytes may come.
    pub(crate) throttle: Arc<Throttle>,
    /// Where outcomes go. Bounded by whoever made it; when it is full, fetching waits.
    pub(crate) events: mpsc::Sender<TransferEvent>,
}

impl<F: Folders, P: Peers> Transfer<F, P> {
    /// Carries out a set of steps; returns when every step has had its outcome.
    ///
    /// Safe to drop at any time: what has its final name is whole, a batch that is being committed
    /// is finished by the disk pool, and verified bytes of large files stay for the next attempt.
    pub(crate) async fn apply(&self, apply: ApplyId, steps: Vec<Step>) {
        let sorted = self.sort(steps).await;
        let run = Run {
            transfer: self,
            apply,
            flush: Notify::new(),
        };
        run.report(sorted.done).await;
        let budget = Budget::new(BUDGET_BYTES);
        let small = Board::of(sorted.small);
        let (ready, readying) = mpsc::channel(READY_MAX);
        let fetch = async {
            let ready = ready;
            let small = run.fetch_small(&small, ready.clone(), &budget);
            join(small, run.fetch_large(sorted.large, &ready)).await;
        };
        let commit = run.commit_all(sorted.plain, sorted.copies, readying, &small);
        join(fetch, commit).await;
    }

    /// Reports that a source did wrong.
    pub(super) async fn blame(&self, source: DeviceId, fault: TransferFault) {
        // Nobody listens any more when the device is ending.
        let _ = self.events.send(TransferEvent::Faulty(source, fault)).await;
    }

    /// Copies aside what lies here, and sorts the rest by how it is carried out.
    async fn sort(&self, steps: Vec<Step>) -> Sorted {
        let mut sorted = Sorted {
            plain: Vec::new(),
            copies: Vec::new(),
            small: VecDeque::new(),
            large: Vec::new(),
            done: Vec::new(),
        };
        let (moves, steps) = moves_among(steps);
        let groups = grouped(steps, &mut sorted.plain);
        let (folder, root) = (self.folder, self.root.clone());
        let (folders, progress) = (self.folders.clone(), self.progress.clone());
        self.work
            .run(move || {
                let place = |sorted: &mut Sorted, groups: Vec<Group>| {
                    // All at once: steps are as many as a page of needs.
                    let hashes: Vec<ContentHash> = groups.iter().map(|group| group.hash).collect();
                    let held = folders.with_contents(folder, &hashes, IndexOf::Everything);
                    for (group, held) in groups.into_iter().zip(held) {
                        sorted.place(&root, &held, &progress, group);
                    }
                };
                place(&mut sorted, groups);
                let left = sorted.move_all(&root, &progress, moves);
                place(&mut sorted, left);
                sorted
            })
            .await
    }
}

/// Takes the moves out of a set of steps: each step that makes what another one removes elsewhere.
fn moves_among(steps: Vec<Step>) -> (Vec<Move>, Vec<Step>) {
    let wanted: BTreeSet<RelPath> = steps
        .iter()
        .filter_map(|step| step.moved_from.clone())
        .collect();
    let (gone, steps): (Vec<Step>, Vec<Step>) = steps
        .into_iter()
        .partition(|step| step.content == Content::Absent && wanted.contains(&step.path));
    let mut gone: BTreeMap<RelPath, Step> = gone
        .into_iter()
        .map(|step| (step.path.clone(), step))
        .collect();
    let (mut moves, mut others) = (Vec::new(), Vec::new());
    for step in steps {
        match step.moved_from.as_ref().and_then(|from| gone.remove(from)) {
            Some(from) => moves.push(Move { to: step, from }),
            None => others.push(step),
        }
    }
    (moves, others)
}

/// Gathers the steps that make files by their bytes, in order; the others are plain.
fn grouped(steps: Vec<Step>, plain: &mut Vec<Step>) -> Vec<Group> {
    let mut groups: BTreeMap<(ContentHash, u64), Vec<(FileShape, Step)>> = BTreeMap::new();
    let mut order = Vec::new();
    for step in steps {
        let Some(shape) = FileShape::of(&step) else {
            plain.push(step);
            continue;
        };
        let group = groups.entry((shape.hash, shape.size)).or_default();
        if group.is_empty() {
            order.push((shape.hash, shape.size));
        }
        group.push((shape, step));
    }
    let groups = order.into_iter().filter_map(|(hash, size)| {
        Some(Group {
            hash,
            size,
            steps: groups.remove(&(hash, size))?,
        })
    });
    groups.collect()
}

/// Steps that want the same bytes.
struct Group {
    hash: ContentHash,
    size: u64,
    steps: Vec<(FileShape, Step)>,
}

impl Group {
    fn sources(&self) -> BTreeSet<DeviceId> {
        self.steps
            .iter()
            .flat_map(|(_, step)| step.sources.iter().copied())
            .collect()
    }
}

/// Steps by how they are carried out.
struct Sorted {
    /// Without bytes, in the given order.
    plain: Vec<Step>,
    /// Bytes that lay here.
    copies: Vec<Make>,
    small: VecDeque<SmallFile>,
    large: Vec<Group>,
    /// Steps that failed already.
    done: Vec<(RelPath, Outcome)>,
}

impl Sorted {
    /// Moves what only gets another name; what it leaves is to be copied, and removed later. Blocks.
    fn move_all(&mut self, root: &Root, progress: &Progress, moves: Vec<Move>) -> Vec<Group> {
        let sizes: BTreeMap<RelPath, u64> = moves
            .iter()
            .filter_map(|one| Some((one.to.path.clone(), FileShape::of(&one.to)?.size)))
            .collect();
        let moved = move_files(root, moves);
        let made = moved
            .outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Done { stamp: Some(_), .. }));
        made.filter_map(|(path, _)| sizes.get(path))
            .for_each(|size| progress.reused(*size));
        self.done.extend(moved.outcomes);
        let mut left = Vec::new();
        for Move { to, from } in moved.left {
            left.push(to);
            // It is planned again when the new name is there.
            self.done.push((from.path, Outcome::Stale));
        }
        grouped(left, &mut self.plain)
    }

    /// Places one group; `held` are the files here that have its bytes. Blocks.
    fn place(
        &mut self,
        root: &Arc<Root>,
        held: &[(RelPath, DiskStamp)],
        progress: &Progress,
        group: Group,
    ) {
        let Group { hash, size, .. } = group;
        let sources = group.sources();
        let mut missing = Vec::new();
        for (shape, step) in group.steps {
            let staged = if size == 0 {
                Staged::whole(root, shape, &[])
            } else {
                // Its own bytes under new metadata first: then nothing gives way that must be kept.
                let own = held.iter().filter(|(path, _)| *path == step.path);
                own.chain(held)
                    .find_map(|(path, stamp)| Staged::copied(root, shape, path, *stamp).ok())
                    .ok_or(StageFault::SourceChanged)
            };
            match staged {
                Ok(staged) => {
                    progress.reused(size);
                    self.copies.push(Make {
                        step,
                        staged: Some(staged),
                    });
                }
                Err(StageFault::SourceChanged) => missing.push((shape, step)),
                Err(fault @ (StageFault::Held(_) | StageFault::WrongBytes)) => {
                    self.done.push((step.path, Outcome::Held(reason_of(fault))));
                }
            }
        }
        if missing.is_empty() {
            return;
        }
        match u32::try_from(size) {
            Ok(len) if size <= SMALL_FILE_BYTES_MAX => {
                let refused = BTreeSet::new();
                self.small.push_back(SmallFile {
                    hash,
                    len,
                    sources,
                    steps: missing,
                    refused,
                });
            }
            Ok(_) | Err(_) => self.large.push(Group {
                hash,
                size,
                steps: missing,
            }),
        }
    }
}

/// Staged steps, and what came of those that could not be staged.
struct StagedSteps {
    makes: Vec<Make>,
    failed: Vec<(RelPath, Outcome)>,
}

/// Stages every step by `stage`, which may look at what was staged before. Blocks.
fn stage_each(
    steps: Vec<(FileShape, Step)>,
    mut stage: impl FnMut(FileShape, Option<&Staged>) -> Result<Staged, StageFault>,
) -> StagedSteps {
    let (mut makes, mut failed) = (Vec::<Make>::new(), Vec::new());
    for (shape, step) in steps {
        let before = makes.first().and_then(|make| make.staged.as_ref());
        match stage(shape, before) {
            Ok(staged) => makes.push(Make {
                step,
                staged: Some(staged),
            }),
            Err(fault) => failed.push((step.path, Outcome::Held(reason_of(fault)))),
        }
    }
    StagedSteps { makes, failed }
}

/// A small file that is to be fetched, for one or more paths.
struct SmallFile {
    hash: ContentHash,
    len: u32,
    sources: BTreeSet<DeviceId>,
    steps: Vec<(FileShape, Step)>,
    refused: BTreeSet<DeviceId>,
}

impl Want for SmallFile {
    fn request(&self) -> Request {
        Request::File { hash: self.hash }
    }

    fn len(&self) -> u32 {
        self.len
    }

    fn may_have(&self, source: DeviceId) -> bool {
        self.sources.contains(&source) && !self.refused.contains(&source)
    }

    fn refused_by(&mut self, source: DeviceId) -> Reach {
        self.refused.insert(source);
        Reach::ThisWant
    }
}

/// What is ready for a commit.
#[expect(
    clippy::large_enum_variant,
    reason = "there are a few at a time, and nearly all are the larger one"
)]
enum Ready {
    /// A small file's bytes, not verified yet.
    Arrived(Arrived<SmallFile>),
    /// A large file.
    Staged(Make),
}

impl From<Arrived<SmallFile>> for Ready {
    fn from(arrived: Arrived<SmallFile>) -> Self {
        Self::Arrived(arrived)
    }
}

/// One set of steps on its way.
struct Run<'a, F, P> {
    transfer: &'a Transfer<F, P>,
    apply: ApplyId,
    /// Told when nothing more will come soon, so that a batch need not wait for its time.
    flush: Notify,
}

impl<F: Folders, P: Peers> Run<'_, F, P> {
    async fn fetch_small(
        &self,
        board: &Board<SmallFile>,
        ready: mpsc::Sender<Ready>,
        budget: &Budget,
    ) {
        let fleet = Fleet {
            transfer: self.transfer,
            board,
            budget,
            lanes: SMALL_LANES,
            idle: || self.flush.notify_one(),
        };
        // The next set of steps knows of new sources soon enough.
        fleet.run(board.sources(), ready, async || Vec::new()).await;
        let lost = board.take_rest().into_iter().flat_map(|want| want.steps);
        self.report_all(lost, &Outcome::NoSource).await;
    }

    async fn fetch_large(&self, groups: Vec<Group>, ready: &mpsc::Sender<Ready>) {
        stream::iter(groups)
            .for_each_concurrent(LARGE_FILES_MAX, |group| self.fetch_one(group, ready))
            .await;
    }

    async fn fetch_one(&self, group: Group, ready: &mpsc::Sender<Ready>) {
        let transfer = self.transfer;
        let sources: Vec<_> = group.sources().into_iter().collect();
        let Some((shape, first)) = group.steps.first() else {
            return;
        };
        let (shape, path, expected) = (*shape, first.path.clone(), first.expected);
        let listed = transfer.progress.begin(path.clone(), shape.size);
        let (root, place) = (transfer.root.clone(), path.clone());
        let older = match expected {
            Expected::Stamped(stamp) => {
                let opened = move || open_for_serving(&root, &place, stamp).ok();
                let file = transfer.work.run(opened).await;
                file.map(|file| Older { file, stamp })
            }
            Expected::Nothing | Expected::Directory => None,
        };
        let large = Large {
            transfer,
            path,
            shape,
            sources,
            listed,
        };
        match large.fetch(older).await {
            Fetched::Whole(staged) => {
                let mut whole = Some(staged);
                let stage = move |shape, before: Option<&Staged>| match (whole.take(), before) {
                    (Some(whole), _) => Ok(whole),
                    (None, Some(before)) => before.again(shape),
                    (None, None) => Err(StageFault::SourceChanged),
                };
                let staged = transfer
                    .work
                    .run(move || stage_each(group.steps, stage))
                    .await;
                self.report(staged.failed).await;
                for make in staged.makes {
                    // The receiving half is polled beside this until all senders are gone.
                    let _ = ready.send(Ready::Staged(make)).await;
                }
                self.flush.notify_one();
            }
            Fetched::NoSource => self.report_all(group.steps, &Outcome::NoSource).await,
            Fetched::Held(reason) => self.report_all(group.steps, &Outcome::Held(reason)).await,
        }
    }

    async fn report_all(
        &self,
        steps: impl IntoIterator<Item = (FileShape, Step)>,
        outcome: &Outcome,
    ) {
        let outcomes = steps
            .into_iter()
            .map(|(_, step)| (step.path, outcome.clone()));
        self.report(outcomes.collect()).await;
    }

    /// Commits what is there, in order, then what becomes ready until nothing more can.
    async fn commit_all(
        &self,
        plain: Vec<Step>,
        copies: Vec<Make>,
        mut ready: mpsc::Receiver<Ready>,
        small: &Board<SmallFile>,
    ) {
        // Steps without bytes are ordered by the disk, which must see all of them for that.
        let plain: Vec<_> = plain
            .into_iter()
            .map(|step| Make { step, staged: None })
            .collect();
        let mut copies = copies.into_iter();
        let mut makes = plain;
        loop {
            if !makes.is_empty() {
                let root = self.transfer.root.clone();
                self.report(self.transfer.work.run(move || commit(&root, makes)).await)
                    .await;
            }
            makes = copies.by_ref().take(BATCH_FILES_MAX).collect();
            if makes.is_empty() {
                break;
            }
        }
        let mut batch = Batch::new();
        let mut committing = FuturesUnordered::new();
        let mut open = true;
        while open || !batch.ready.is_empty() || !committing.is_empty() {
            if batch.is_due(open) && committing.len() < COMMITS_MAX {
                let batch = std::mem::replace(&mut batch, Batch::new());
                let root = self.transfer.root.clone();
                committing.push(self.transfer.work.run(move || batch.commit(&root)));
            }
            tokio::select! {
                biased;
                Some(committed) = committing.next() => self.take_commit(committed, small).await,
                one = ready.recv(), if open && !batch.is_full() => match one {
                    Some(one) => batch.push(one),
                    None => open = false,
                },
                () = self.flush.notified(), if open => batch.flush(),
                () = sleep_until(batch.deadline), if batch.waits() => batch.flush(),
                else => {}
            }
        }
    }

    async fn take_commit(&self, committed: Committed, small: &Board<SmallFile>) {
        let Committed {
            outcomes,
            wrong,
            held,
        } = committed;
        for (want, source) in wrong {
            small.refuse(want, source);
            self.transfer.blame(source, TransferFault::WrongBytes).await;
        }
        // Only now may the fetching half believe that everything has been looked at.
        drop(held);
        self.report(outcomes).await;
    }

    async fn report(&self, outcomes: Vec<(RelPath, Outcome)>) {
        if outcomes.is_empty() {
            return;
        }
        let done = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Done { .. }));
        self.transfer.progress.files_done(done.count() as u64);
        let (folder, apply) = (self.transfer.folder, self.apply);
        // Nobody listens any more when the device is ending.
        let _ = self
            .transfer
            .events
            .send(TransferEvent::Applied {
                folder,
                apply,
                outcomes,
            })
            .await;
    }
}

/// What will be committed together.
struct Batch {
    ready: Vec<Ready>,
    bytes: usize,
    deadline: Instant,
    flushed: Flushed,
}

/// Whether a batch may still wait for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flushed {
    No,
    Yes,
}

/// What came of a batch.
struct Committed {
    outcomes: Vec<(RelPath, Outcome)>,
    wrong: Vec<(SmallFile, DeviceId)>,
    held: Vec<OwnedSemaphorePermit>,
}

impl Batch {
    fn new() -> Self {
        Self {
            ready: Vec::new(),
            bytes: 0,
            deadline: Instant::now(),
            flushed: Flushed::No,
        }
    }

    fn push(&mut self, ready: Ready) {
        if self.ready.is_empty() {
            self.deadline = Instant::now() + BATCH_TIME_MAX;
            self.flushed = Flushed::No;
        }
        self.bytes += match &ready {
            Ready::Arrived(arrived) => arrived.bytes.len(),
            Ready::Staged(_) => 0,
        };
        self.ready.push(ready);
    }

    fn flush(&mut self) {
        self.flushed = Flushed::Yes;
    }

    fn is_full(&self) -> bool {
        self.ready.len() >= BATCH_FILES_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    /// Whether time is what the batch waits for.
    fn waits(&self) -> bool {
        !self.ready.is_empty() && self.flushed == Flushed::No
    }

    /// Whether it should be committed now; `open` says whether more can come.
    fn is_due(&self, open: bool) -> bool {
        !self.ready.is_empty() && (!open || self.is_full() || self.flushed == Flushed::Yes)
    }

    /// Verifies, writes and commits. Blocks on the disk.
    fn commit(self, root: &Arc<Root>) -> Committed {
        let (mut makes, mut wrong, mut held) = (Vec::new(), Vec::new(), Vec::new());
        let mut outcomes = Vec::new();
        for ready in self.ready {
            match ready {
                Ready::Arrived(Arrived {
                    want,
                    source,
                    bytes,
                    held: place,
                }) => {
                    held.push(place);
                    if hash_of(&bytes) != want.hash {
                        wrong.push((want, source));
                        continue;
                    }
                    let stage = |shape, _: Option<&Staged>| Staged::whole(root, shape, &bytes);
                    let staged = stage_each(want.steps, stage);
                    makes.extend(staged.makes);
                    outcomes.extend(staged.failed);
                }
                Ready::Staged(make) => makes.push(make),
            }
        }
        outcomes.extend(commit(root, makes));
        Committed {
            outcomes,
            wrong,
            held,
        }
    }
}

impl Board<SmallFile> {
    /// Everyone who may have something of it.
    fn sources(&self) -> Vec<DeviceId> {
        let all: BTreeSet<_> = self
            .each(|want| want.sources.clone())
            .into_iter()
            .flatten()
            .collect();
        all.into_iter().collect()
    }
}

/// Bytes of small files between network and disk: 24 MiB. Two batches are being committed while a third
/// fills; more would only raise the peak of memory.
const BUDGET_BYTES: u32 = 24 * 1024 * 1024;

/// Files in one commit: 512. A commit syncs twice whatever it holds, so small batches are dear; larger
/// ones delay what the person sees.
const BATCH_FILES_MAX: usize = 512;

/// Bytes in one commit: 8 MiB, a third of [`BUDGET_BYTES`].
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a batch waits to become full: 20 ms, too short for a person to see; shorter would make
/// more commits on a slow link.
const BATCH_TIME_MAX: Duration = Duration::from_millis(20);

/// Commits side by side: 2, so that one writes while the other waits for the disk.
const COMMITS_MAX: usize = 2;

/// Ready files that wait for a batch: 256; the byte budget is the real bound.
const READY_MAX: usize = 256;

/// Lanes per source for small files: 2, so that the source reads on two cores.
const SMALL_LANES: usize = 2;

/// Large files at once: 2. Hides the round trips at a file's begin and end; each costs a budget.
const LARGE_FILES_MAX: usize = 2;
