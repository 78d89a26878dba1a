//! The disk: the only part of Towline that touches a person's files.
//!
//! [`Disk`] carries out what the core asks of a folder's disk: prepare and open a root, scan it,
//! watch it. Events come back on one bounded channel. The data plane stages bytes in temporary
//! files ([`StagedFile`], [`Staged`]) and hands batches to [`commit`]; peers are served through
//! [`open_for_serving`]. Everything blocking runs on the [`Pool`]; nothing here decides what should
//! happen, and nothing reaches outside a root.
//!
//! A root that is lost (unmounted, moved, replaced) is noticed by scans, commits, the watcher and a
//! check every few seconds; its scans end without a further page, and it is opened again by itself
//! when it is back. Both are told as `DiskEvent::Root`.

mod age;
mod attributes;
mod commit;
mod handle;
mod hash;
mod hash_tree;
mod hints;
mod marker;
mod names;
mod outcome;
mod own_writes;
mod parents;
mod pool;
mod preview;
mod root;
mod rows;
mod rules;
mod scan;
mod serve;
mod stage;
#[cfg(test)]
mod tests;
mod traits;
mod uncached;
mod versions;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use towline_core::folder::rules::{RULES_FILE, Rules, Shape};
use towline_core::io::{AbsentRoot, Age, DiskEvent, PageEnd, RootFault, ScanId, ScanScope};
use towline_core::records::{AttributeKeeping, Doubt, RootPath};
use towline_core::versions::Retention;
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::rel_path::RelPath;
use tracing::{debug, info, warn};

pub(crate) use commit::{Move, Ready, commit, move_files};
#[cfg(test)]
pub(crate) use handle::mark_of;
pub(crate) use handle::{Holes, ZEROS, append_at, is_zero};
pub(crate) use hash_tree::{HashTree, PartHash, UNIT_BYTES, part_hash};
pub(crate) use pool::{Pool, PoolClosed};
pub(crate) use preview::Preview;
pub(crate) use root::Root;
pub(crate) use rows::{KnownRows, OpenRows};
pub(crate) use serve::{Opener, open_for_serving, still_has};
pub(crate) use stage::{FileShape, StageFault, Staged, StagedFile};
#[cfg(any(test, fuzzing))]
pub(crate) use versions::enter as enter_names;
pub(crate) use versions::{BroughtBack, Case, Choice, Of, RestoreFault, Version};

use crate::tasks::Tasks;

use hints::{Due, Hints, Went};
use own_writes::without_own_writes;
use pool::lock;
use scan::Scan;
use watch::{Hint, Stage, Watcher};

/// Pages of a scan that may be out without an answer: 2. One is stored while the next is read;
/// more would only be held in memory.
const PAGES_OUT_MAX: u8 = 2;

/// Time between two checks of a root: 5 s. A check is a handful of metadata calls; a person waits
/// about that long before wondering why an unplugged disk still looks fine.
const ROOT_CHECKED_EVERY: Duration = Duration::from_secs(5);

/// Time between two looks at everything where the system cannot watch: one minute, as long as a
/// change may take to be seen there; a warm look at 30,000 files costs a fraction of a second.
const UNWATCHED_SCANNED_EVERY: Duration = Duration::from_secs(60);

/// Time after which a file that would not hold still is looked at again: 1 s.
const RESTLESS_AFTER: Duration = Duration::from_secs(1);

/// The disks under all folders of a device. Its threads end after it is dropped, each with the job
/// that it has begun; with the receiver of the events still there, only if that is read. Dropping
/// waits for the system's watchers: not on the async runtime.
pub(crate) struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Arc<Pool>,
    events: mpsc::Sender<(FolderId, DiskEvent)>,
    rows: Arc<dyn OpenRows>,
    us: DeviceId,
    /// Watchers have threads.
    tasks: Tasks,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    places: BTreeMap<FolderId, Place>,
    /// How long versions are kept, as far as it is known yet.
    retentions: BTreeMap<FolderId, Retention>,
    hints: Hints,
    ending: bool,
    /// Counts openings, so that a late answer of an old one is known.
    openings: u64,
}

/// A folder that is to be open.
struct Place {
    path: RootPath,
    opening: u64,
    phase: Phase,
    /// What was told of the root last.
    told: Option<Result<(), RootFault>>,
    check_at: Instant,
    scans: BTreeMap<ScanId, Pages>,
}

enum Phase {
    Opening,
    Open {
        root: Arc<Root>,
        /// Held for its life; `None` where the system cannot watch.
        _watcher: Option<Watcher>,
        scan_all_at: Option<Instant>,
    },
    Lost,
}

/// A scan between its pages.
struct Pages {
    out: u8,
    /// `None` while a thread works on it.
    parked: Option<Box<Scan>>,
}

impl Disk {
    /// Starts the threads, as threads of `tasks`. Events go into `events`, which may hold them back;
    /// `rows` opens our index for scans; `us` is whose store the roots remember.
    pub(crate) fn start(
        events: mpsc::Sender<(FolderId, DiskEvent)>,
        rows: Arc<dyn OpenRows>,
        us: DeviceId,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let disk = Self {
            shared: Arc::new(Shared {
                pool: Arc::new(Pool::start(tasks)?),
                events,
                rows,
                us,
                tasks: tasks.clone(),
                state: Mutex::new(State::default()),
                wake: Condvar::new(),
            }),
        };
        // Should this fail, the drop ends the pool.
        let tended = Arc::clone(&disk.shared);
        tasks.spawn_thread("disk hints", move || tended.tend())?;
        Ok(disk)
    }

    /// The threads for disk work, for the data plane.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.shared.pool
    }

    /// The open root of a folder; `None` while it is not usable.
    pub(crate) fn root(&self, folder: FolderId) -> Option<Arc<Root>> {
        lock(&self.shared.state)
            .places
            .get(&folder)
            .and_then(Place::root)
    }

    /// Carries out `DiskRequest::Prepare`. Never blocks, like all requests below.
    pub(crate) fn prepare(
        &self,
        folder: FolderId,
        root: RootPath,
        others: Vec<RootPath>,
        absent: AbsentRoot,
    ) {
        let shared = Arc::clone(&self.shared);
        self.shared.pool.submit(move || {
            let made = match absent {
                AbsentRoot::Refused => Ok(()),
                AbsentRoot::Made => Root::make(&root, &others),
            };
            let prepared = made.and_then(|()| Root::prepare(&root, &others, folder));
            shared.tell(folder, DiskEvent::Prepared(prepared));
        });
    }

    /// Carries out `DiskRequest::Open`.
    pub(crate) fn open(&self, folder: FolderId, root: RootPath) {
        self.shared.begin_open(folder, root, Reopening::No);
    }

    /// Carries out `DiskRequest::Close`.
    pub(crate) fn close(&self, folder: FolderId) {
        let mut state = lock(&self.shared.state);
        state.hints.forget(folder);
        let place = state.places.remove(&folder);
        drop(state);
        // Elsewhere than on Linux ending a watcher joins its thread, which may be waiting for the lock.
        drop(place);
    }

    /// Carries out `DiskRequest::Scan`. A folder that is not open gets no page: its loss was told.
    pub(crate) fn scan(&self, folder: FolderId, id: ScanId, scope: ScanScope, doubt: Doubt) {
        let mut state = lock(&self.shared.state);
        let Some(place) = state.places.get_mut(&folder) else {
            return;
        };
        let Some(root) = place.root() else { return };
        place.scans.insert(
            id,
            Pages {
                out: 0,
                parked: None,
            },
        );
        let opening = place.opening;
        drop(state);
        let shared = Arc::clone(&self.shared);
        self.shared.pool.submit(move || {
            if covers_rules(&scope) {
                shared.tell_rules(folder, &root);
            }
            if scope == ScanScope::All
                && let Err(error) = stage::forget_parts(&root, stage::time_of_day())
            {
                debug!(%error, "old partial files are not looked for");
            }
            let rows = shared.rows.open_rows(folder);
            let scan = Box::new(Scan::new(root, rows, scope, doubt));
            shared.go_on(folder, opening, id, scan);
        });
    }

    /// Carries out `DiskRequest::ContinueScan`.
    pub(crate) fn continue_scan(&self, folder: FolderId, id: ScanId) {
        let mut state = lock(&self.shared.state);
        let Some(place) = state.places.get_mut(&folder) else {
            return;
        };
        let opening = place.opening;
        // The last page of a scan needs no answer; it may get one.
        let Some(pages) = place.scans.get_mut(&id) else {
            return;
        };
        pages.out = pages.out.saturating_sub(1);
        let Some(scan) = pages.parked.take() else {
            return;
        };
        drop(state);
        let shared = Arc::clone(&self.shared);
        self.shared
            .pool
            .submit(move || shared.go_on(folder, opening, id, scan));
    }

    /// Has a path looked at soon: something was put there for a person.
    pub(crate) fn disturb(&self, folder: FolderId, path: RelPath) {
        self.shared.hint(folder, Hint::At(path, Stage::Finished));
    }

    /// Has the rules that travel with a folder looked at soon: a person has replaced them.
    pub(crate) fn look_at_rules(&self, folder: FolderId) {
        if let Ok(path) = RelPath::parse(RULES_FILE) {
            self.disturb(folder, path);
        }
    }

    /// Sets how long versions of a folder are kept; before that none of it goes.
    pub(crate) fn set_retention(&self, folder: FolderId, retention: Retention) {
        let before = lock(&self.shared.state)
            .retentions
            .insert(folder, retention);
        if before.is_some_and(|before| before != retention)
            && let Some(root) = self.root(folder)
        {
            root.versions.prune_soon();
        }
    }

    /// Carries out `DiskRequest::NoteAge`.
    pub(crate) fn note_age(&self, folder: FolderId, age: Age) {
        let Some(root) = self.root(folder) else {
            return;
        };
        let turn = root.next_note();
        let us = self.shared.us;
        self.shared.pool.submit(move || {
            if let Err(fault) = root.note_age(us, age, turn) {
                debug!(%fault, "the root does not remember the store's age");
            }
        });
    }

    /// Carries out `DiskRequest::Heed`.
    pub(crate) fn heed(&self, folder: FolderId, rules: Rules) {
        if let Some(root) = self.root(folder) {
            root.heed(rules);
        }
    }

    /// Carries out `DiskRequest::KeepAttributes`.
    pub(crate) fn keep_attributes(&self, folder: FolderId, keeping: AttributeKeeping) {
        if let Some(root) = self.root(folder) {
            root.keep_attributes(keeping);
        }
    }

    /// Has the rules that travel with a folder read again: a step has replaced them.
    pub(crate) fn reread_rules(&self, folder: FolderId) {
        if let Some(root) = self.root(folder) {
            let shared = Arc::clone(&self.shared);
            self.shared
                .pool
                .submit(move || shared.tell_rules(folder, &root));
        }
    }

    /// Has a root checked now: the data plane could not do there what it should.
    pub(crate) fn doubt(&self, folder: FolderId) {
        self.shared.doubt(folder);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.ending = true;
        let places = std::mem::take(&mut state.places);
        drop(state);
        drop(places);
        self.shared.wake.notify_all();
    }
}

impl Place {
    fn root(&self) -> Option<Arc<Root>> {
        match &self.phase {
            Phase::Open { root, .. } => Some(Arc::clone(root)),
            Phase::Opening | Phase::Lost => None,
        }
    }
}

impl Shared {
    /// Waits while the device loop is busy; a closed channel means that the engine ends.
    fn tell(&self, folder: FolderId, event: DiskEvent) {
        let _ = self.events.blocking_send((folder, event));
    }

    fn begin_open(self: &Arc<Self>, folder: FolderId, path: RootPath, reopening: Reopening) {
        let mut state = lock(&self.state);
        let told = match reopening {
            Reopening::No => None,
            Reopening::After(former) => {
                // The folder may have been closed, or opened elsewhere, meanwhile.
                match state
                    .places
                    .get(&folder)
                    .filter(|place| place.opening == former)
                {
                    Some(place) => place.told,
                    None => return,
                }
            }
        };
        state.openings += 1;
        let opening = state.openings;
        let place = Place {
            path: path.clone(),
            opening,
            phase: Phase::Opening,
            told,
            check_at: Instant::now() + ROOT_CHECKED_EVERY,
            scans: BTreeMap::new(),
        };
        let before = state.places.insert(folder, place);
        drop(state);
        drop(before);
        let shared = Arc::clone(self);
        self.pool
            .submit(move || shared.finish_open(folder, opening, &path));
    }

    fn finish_open(self: &Arc<Self>, folder: FolderId, opening: u64, path: &RootPath) {
        let root = Root::open(path, folder);
        // Whoever may not read the rules must not look at what they hide.
        let root = root.and_then(|root| match root.news_of_rules() {
            Ok(rules) => Ok((root, rules)),
            Err(fault) => Err(root::fault_of(&fault)),
        });
        let (root, rules) = match root {
            Ok((root, rules)) => (Ok(root), rules),
            Err(fault) => (Err(fault), None),
        };
        let remembered = root.as_ref().ok().and_then(|root| root.age(self.us));
        let phase = root.map(|root| self.watched(folder, root));
        let result = phase.as_ref().map(|_| ()).map_err(|fault| *fault);
        let mut state = lock(&self.state);
        let Some(place) = state
            .places
            .get_mut(&folder)
            .filter(|place| place.opening == opening)
        else {
            return;
        };
        place.phase = phase.unwrap_or(Phase::Lost);
        place.check_at = Instant::now() + ROOT_CHECKED_EVERY;
        let news = place.told != Some(result);
        place.told = Some(result);
        drop(state);
        self.wake.notify_all();
        if news {
            if let Some(rules) = rules {
                self.tell(folder, DiskEvent::SharedRules(rules));
            }
            self.tell(folder, DiskEvent::Root(result.map(|()| remembered)));
        }
    }

    /// Tells the rules that travel with a folder, when they are others. Those of before hold while they
    /// cannot be read.
    fn tell_rules(&self, folder: FolderId, root: &Root) {
        match root.news_of_rules() {
            Ok(None) => {}
            Ok(Some(rules)) => self.tell(folder, DiskEvent::SharedRules(rules)),
            Err(fault) => {
                debug!(%fault, "the rules cannot be read now");
                let again = ScanScope::Paths(RelPath::parse(RULES_FILE).into_iter().collect());
                let at = Instant::now() + RESTLESS_AFTER;
                lock(&self.state).hints.add_later(folder, again, at);
                self.wake.notify_all();
            }
        }
    }

    fn watched(self: &Arc<Self>, folder: FolderId, root: Root) -> Phase {
        let weak = Arc::downgrade(self);
        let watcher = Watcher::start(root.path(), &self.tasks, move |hint| {
            if let Some(shared) = weak.upgrade() {
                shared.hint(folder, hint);
            }
        });
        let (watcher, scan_all_at) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(fault) => {
                warn!(
                    code = fault.code(),
                    "folder is scanned from time to time, not watched"
                );
                (None, Some(Instant::now() + UNWATCHED_SCANNED_EVERY))
            }
        };
        Phase::Open {
            root: Arc::new(root),
            _watcher: watcher,
            scan_all_at,
        }
    }

    fn hint(&self, folder: FolderId, hint: Hint) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let due = state.hints.next_due();
        match hint {
            Hint::At(path, stage) => state.hints.add(folder, path, (stage, Went::Nothing), now),
            Hint::Gone(path, stage) => {
                state.hints.add(folder, path, (stage, Went::Something), now);
            }
            Hint::Lost => state.hints.add_all(folder, now),
            Hint::Root => {
                drop(state);
                return self.doubt(folder);
            }
        }
        // Most hints put off what waits: the hint thread finds that out when it wakes by itself.
        let is_sooner = match (state.hints.next_due(), due) {
            (Some(now), Some(before)) => now < before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        drop(state);
        if is_sooner {
            self.wake.notify_all();
        }
    }

    fn doubt(&self, folder: FolderId) {
        if let Some(place) = lock(&self.state).places.get_mut(&folder) {
            place.check_at = Instant::now();
        }
        self.wake.notify_all();
    }

    /// Yields pages of a scan until too many are out, or it ends.
    fn go_on(&self, folder: FolderId, opening: u64, id: ScanId, mut scan: Box<Scan>) {
        loop {
            let (page, end) = match scan.next_page(&self.pool) {
                Ok(page) => page,
                Err(fault) => return self.lose(folder, opening, fault),
            };
            for found in &page.found {
                // It may be another than the one that was looked at before it was read.
                let own_writes = &scan.root().own_writes;
                own_writes.seen(&found.path, Some(found.stamp));
            }
            let mut state = lock(&self.state);
            let Some(place) = state
                .places
                .get_mut(&folder)
                .filter(|place| place.opening == opening)
            else {
                return;
            };
            let Some(pages) = place.scans.get_mut(&id) else {
                return;
            };
            pages.out += 1;
            if end == PageEnd::End {
                place.scans.remove(&id);
                if let Some(scope) = scan.restless() {
                    debug!("some files would not hold still");
                    state
                        .hints
                        .add_later(folder, scope, Instant::now() + RESTLESS_AFTER);
                    self.wake.notify_all();
                }
            }
            drop(state);
            self.tell(
                folder,
                DiskEvent::Scanned {
                    scan: id,
                    found: page.found,
                    absent: page.absent,
                    lost: page.lost,
                    overlooked: page.overlooked,
                    held_back: page.held_back,
                    end,
                },
            );
            if end == PageEnd::End {
                return;
            }
            let mut state = lock(&self.state);
            let pages = state
                .places
                .get_mut(&folder)
                .filter(|place| place.opening == opening)
                .and_then(|place| place.scans.get_mut(&id));
            let Some(pages) = pages else { return };
            if pages.out >= PAGES_OUT_MAX {
                pages.parked = Some(scan);
                return;
            }
        }
    }

    /// A root is not what it was: everything on it ends, and it is looked for from now on.
    fn lose(&self, folder: FolderId, opening: u64, fault: RootFault) {
        let mut state = lock(&self.state);
        let Some(place) = state
            .places
            .get_mut(&folder)
            .filter(|place| place.opening == opening)
        else {
            return;
        };
        let before = std::mem::replace(&mut place.phase, Phase::Lost);
        place.scans.clear();
        place.check_at = Instant::now() + ROOT_CHECKED_EVERY;
        let news = place.told != Some(Err(fault));
        place.told = Some(Err(fault));
        state.hints.forget(folder);
        drop(state);
        drop(before);
        if news {
            info!(?fault, "folder's place is lost");
            self.tell(folder, DiskEvent::Root(Err(fault)));
        }
    }

    /// The hint thread: passes on what is due and checks roots.
    fn tend(self: &Arc<Self>) {
        loop {
            let mut state = lock(&self.state);
            let now = loop {
                if state.ending {
                    return;
                }
                let now = Instant::now();
                let due = state.next_due();
                match due {
                    Some(due) if due <= now => break now,
                    Some(due) => {
                        let wait = self.wake.wait_timeout(state, due - now);
                        state = wait.unwrap_or_else(PoisonError::into_inner).0;
                    }
                    None => {
                        let wait = self.wake.wait(state);
                        state = wait.unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            let hints = state.hints.take_due(now);
            let work = state.take_checks(now);
            drop(state);
            for (folder, opening, check) in work {
                self.check(folder, opening, check);
            }
            for (folder, due) in hints {
                self.pass_on(folder, due);
            }
        }
    }

    fn check(self: &Arc<Self>, folder: FolderId, opening: u64, check: Check) {
        match check {
            Check::Still(root) => match root.check() {
                Err(fault) => self.lose(folder, opening, fault),
                Ok(()) => self.prune_if_due(folder, root),
            },
            Check::Again(path) => self.begin_open(folder, path, Reopening::After(opening)),
            Check::ScanAll => self.tell(folder, DiskEvent::Disturbed(ScanScope::All)),
        }
    }

    /// Prunes the versions of a root on the pool, when it is time.
    fn prune_if_due(self: &Arc<Self>, folder: FolderId, root: Arc<Root>) {
        let retention = lock(&self.state).retentions.get(&folder).copied();
        let Some(retention) = retention.filter(|_| root.begin_pruning()) else {
            return;
        };
        let shared = Arc::downgrade(self);
        self.pool.submit(move || {
            let is_ending = || {
                let shared = shared.upgrade();
                shared.is_none_or(|shared| lock(&shared.state).ending)
            };
            if let Err(fault) = root.prune(&retention, &is_ending) {
                warn!(%fault, "old versions cannot be removed");
            }
        });
    }

    fn pass_on(&self, folder: FolderId, due: Due) {
        let root = lock(&self.state).places.get(&folder).and_then(Place::root);
        let Some(root) = root else { return };
        let scope = match due.scope {
            ScanScope::All => ScanScope::All,
            ScanScope::Paths(paths) => {
                let paths = without_ignored(&root.rules(), paths);
                let paths = without_own_writes(&root, paths, &due.gone);
                if paths.is_empty() {
                    return;
                }
                ScanScope::Paths(paths)
            }
        };
        self.tell(folder, DiskEvent::Disturbed(scope));
    }
}

/// Takes what our notes in a root may hold.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter_notes(bytes: &[u8]) {
    marker::enter(bytes);
    age::enter(bytes);
}

/// Whether a root is opened because it was lost.
enum Reopening {
    No,
    /// After this opening of it.
    After(u64),
}

/// What the hint thread is to do about a root.
enum Check {
    Still(Arc<Root>),
    Again(RootPath),
    ScanAll,
}

impl State {
    fn next_due(&self) -> Option<Instant> {
        let checks = self.places.values().filter_map(|place| match &place.phase {
            Phase::Opening => None,
            Phase::Open { scan_all_at, .. } => {
                Some(scan_all_at.map_or(place.check_at, |at| at.min(place.check_at)))
            }
            Phase::Lost => Some(place.check_at),
        });
        checks.chain(self.hints.next_due()).min()
    }

    fn take_checks(&mut self, now: Instant) -> Vec<(FolderId, u64, Check)> {
        let mut checks = Vec::new();
        for (folder, place) in &mut self.places {
            let due = place.check_at <= now;
            match &mut place.phase {
                Phase::Opening => continue,
                Phase::Open {
                    root, scan_all_at, ..
                } => {
                    if due {
                        let check = Check::Still(Arc::clone(root));
                        checks.push((*folder, place.opening, check));
                    }
                    if let Some(at) = scan_all_at.as_mut().filter(|at| **at <= now) {
                        *at = now + UNWATCHED_SCANNED_EVERY;
                        checks.push((*folder, place.opening, Check::ScanAll));
                    }
                }
                Phase::Lost => {
                    if due {
                        let check = Check::Again(place.path.clone());
                        checks.push((*folder, place.opening, check));
                    }
                }
            }
            if due {
                place.check_at = now + ROOT_CHECKED_EVERY;
            }
        }
        checks
    }
}

/// Whether a look may meet other rules than were told.
fn covers_rules(scope: &ScanScope) -> bool {
    match scope {
        ScanScope::All => true,
        ScanScope::Paths(paths) => paths.iter().any(|path| path.as_str() == RULES_FILE),
    }
}

/// Drops paths that are ignored, whatever lies there.
fn without_ignored(rules: &Rules, mut paths: BTreeSet<RelPath>) -> BTreeSet<RelPath> {
    paths.retain(|path| !rules.ignore(path, Shape::Other) || !rules.ignore(path, Shape::Directory));
    paths
}
