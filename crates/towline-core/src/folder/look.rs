//! The folder's eyes: whether its root can be used, and what of it is to be looked at when.
//!
//! States of the root: opening, open, paused by a fault, closed because a person has paused the folder.
//! One scan runs at a time; what is disturbed meanwhile is
//! collected and looked at next. The whole root is looked at when it opens and every hour after. A
//! lost root ends the scan at once, and nothing that the scan has not yet decided is decided: no
//! delete comes from a root that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_wire::ids::{FolderId, Sequence};
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::observe::Sighting;
use crate::io::{DiskRequest, HeldBack, HeldReason, PageEnd, RootFault, ScanId, ScanScope};
use crate::outbox::Outbox;
use crate::records::Doubt;

/// Time between two looks at the whole root: an hour. Watchers lose events and some filesystems have
/// none; more often would spin up sleeping disks, less often would hide a lost edit for longer.
pub(crate) const RESCAN_EVERY: Duration = Duration::from_secs(3600);

/// Time until the next look at the whole root where the last one was to end a doubt and has met a step under way:
/// a minute. Records wait for that end; but while much is fetched there is always a step.
const RESCAN_IN_DOUBT: Duration = Duration::from_secs(60);

/// Disturbed paths that are remembered one by one: 4096. Beyond that one walk over the whole root
/// costs less than as many single looks, and the memory stays below a megabyte.
const DISTURBED_MAX: usize = 4096;

/// Directories that went and wait for the end of their scan: 8192. Beyond that they are judged at
/// once, which at worst lets a peer bring back an empty directory.
pub(crate) const DEPARTURES_MAX: usize = 8192;

/// Departures that are judged in one batch: 1000, as many as an index page tells.
const DEPARTURES_PAGE: usize = 1000;

/// Entries that a summary names as held back: 100. A person who has more has one cause for all.
const HELD_BACK_SHOWN_MAX: usize = 100;

/// Whether the root can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Opening,
    /// Open; nobody has looked at all of it yet.
    Unseen,
    /// Open, and looked through once since.
    Seen,
    Paused(RootFault),
    /// A person has paused the folder: nobody looks.
    Closed,
}

#[derive(Debug, PartialEq, Eq)]
enum Scope {
    Nothing,
    Paths(BTreeSet<RelPath>),
    All,
}

/// How much of the root the running scan covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breadth {
    Whole,
    Part,
}

/// Whether something in the root is being looked at, or about to be, seen from one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eyes {
    /// Nothing is.
    AtRest,
    Elsewhere,
    /// The path by its name.
    Here,
}

/// Whether steps have been under way while a scan ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    None,
    Beside,
}

/// Whether somebody waits for the end of the scans that run or are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    No,
    Yes,
}

/// Whether all that a scan has met was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    All,
    /// Something was put off until its step has ended.
    NotAll,
}

#[derive(Debug)]
struct Scan {
    id: ScanId,
    breadth: Breadth,
    /// What it was asked for by name.
    named: BTreeSet<RelPath>,
    held_back: BTreeSet<HeldBack>,
    departures: Sighting,
    steps: Steps,
    judged: Judged,
    /// What it was to end.
    doubt: Doubt,
    /// Our last row when it began: what a row that is younger says may have happened after the look.
    since: Sequence,
    /// Whether the disk has yielded its last page.
    end: PageEnd,
    /// Pages and departures that wait for their judgement; the disk may yield a page while the one
    /// before is still being judged.
    unjudged: usize,
}

/// What the folder knows of its disk besides rows.
#[derive(Debug)]
pub(crate) struct Look {
    folder: FolderId,
    root: Root,
    scan: Option<Scan>,
    last_scan: u64,
    wanted: Scope,
    /// Paths with a step under way that were seen to differ; wanted when the step ends.
    waiting: Scope,
    rescan_at: Option<Moment>,
    held_back: BTreeSet<HeldBack>,
    last_whole: Judged,
    refused: BTreeMap<RelPath, HeldReason>,
    /// Those among them that are to keep a losing version, and met a name that is taken.
    crowded: BTreeSet<RelPath>,
    awaited: Awaited,
}

/// What follows when a page was judged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The disk was asked for more, or there is no scan.
    Wait,
    /// Directories that went are to be judged.
    Judge(Sighting),
    /// The scan has ended; so much of the root it has covered.
    Ended(Breadth),
}

impl Look {
    pub(crate) fn new(folder: FolderId) -> Self {
        Self {
            folder,
            root: Root::Opening,
            scan: None,
            last_scan: 0,
            wanted: Scope::Nothing,
            waiting: Scope::Nothing,
            rescan_at: None,
            held_back: BTreeSet::new(),
            last_whole: Judged::NotAll,
            refused: BTreeMap::new(),
            crowded: BTreeSet::new(),
            awaited: Awaited::No,
        }
    }

    pub(crate) const fn root(&self) -> Root {
        self.root
    }

    /// The root is usable (again): all of it is looked at before anything is planned.
    pub(crate) fn opened(&mut self) {
        self.root = Root::Unseen;
        self.scan = None;
        self.wanted = Scope::All;
    }

    /// The root is lost.
    pub(crate) fn lost(&mut self, fault: RootFault) {
        self.root = Root::Paused(fault);
        self.scan = None;
        self.rescan_at = None;
    }

    /// A person has paused the folder: nobody looks, and nothing is due.
    pub(crate) fn close(&mut self) {
        self.root = Root::Closed;
        self.scan = None;
        self.wanted = Scope::Nothing;
        self.waiting = Scope::Nothing;
        self.rescan_at = None;
    }

    /// The folder goes on: its root is asked for.
    pub(crate) fn reopen(&mut self) {
        self.root = Root::Opening;
    }

    pub(crate) fn want_all(&mut self) {
        self.wanted = Scope::All;
    }

    pub(crate) fn want(&mut self, scope: ScanScope) {
        match scope {
            ScanScope::All => self.wanted = Scope::All,
            ScanScope::Paths(paths) => self.wanted.add(paths),
        }
    }

    pub(crate) fn want_paths(&mut self, paths: Vec<RelPath>) {
        self.wanted.add(paths);
    }

    /// Remembers a path until its step has ended.
    pub(crate) fn want_after_step(&mut self, path: RelPath) {
        if let Some(scan) = &mut self.scan {
            scan.judged = Judged::NotAll;
        }
        self.waiting.add([path]);
    }

    /// The step at a path has ended; what was put off for it is wanted now.
    pub(crate) fn step_ended(&mut self, path: &RelPath) {
        match &mut self.waiting {
            Scope::Nothing => {}
            Scope::Paths(paths) => {
                if let Some(path) = paths.take(path) {
                    self.wanted.add([path]);
                }
            }
            Scope::All => {
                self.waiting = Scope::Nothing;
                self.wanted = Scope::All;
            }
        }
    }

    /// Starts the next scan when none runs and something is wanted. Paths that steps are changing,
    /// as `under_way` lists them, are looked at once more when their steps have ended: the scan may
    /// pass them before there is a row that it could miss on disk.
    pub(crate) fn start(
        &mut self,
        under_way: &dyn Fn(&ScanScope) -> Vec<RelPath>,
        (last_sequence, doubt): (Sequence, Doubt),
        outbox: &mut Outbox,
    ) {
        match self.root {
            Root::Unseen | Root::Seen if self.scan.is_none() => {}
            Root::Unseen | Root::Seen | Root::Opening | Root::Paused(_) | Root::Closed => return,
        }
        let (breadth, named, scope) = match std::mem::replace(&mut self.wanted, Scope::Nothing) {
            Scope::Nothing => return,
            Scope::All => (Breadth::Whole, BTreeSet::new(), ScanScope::All),
            Scope::Paths(paths) => (Breadth::Part, paths.clone(), ScanScope::Paths(paths)),
        };
        let under_way = under_way(&scope);
        let steps = if under_way.is_empty() {
            Steps::None
        } else {
            Steps::Beside
        };
        self.waiting.add(under_way);
        self.last_scan += 1;
        let id = ScanId(self.last_scan);
        self.scan = Some(Scan {
            id,
            breadth,
            named,
            held_back: BTreeSet::new(),
            departures: Sighting::default(),
            steps,
            judged: Judged::All,
            doubt,
            since: last_sequence,
            end: PageEnd::More,
            unjudged: 0,
        });
        outbox.disk(self.folder, DiskRequest::Scan(id, scope, doubt));
    }

    /// Takes the marks of a page.
    pub(crate) fn page(&mut self, id: ScanId, held_back: Vec<HeldBack>, end: PageEnd) -> PageOf {
        let Some(scan) = self.scan.as_mut().filter(|scan| scan.id == id) else {
            return PageOf::Abandoned;
        };
        scan.end = end;
        scan.unjudged += 1;
        let room = HELD_BACK_SHOWN_MAX.saturating_sub(scan.held_back.len());
        scan.held_back.extend(held_back.into_iter().take(room));
        PageOf::Running
    }

    /// Whether this scan still counts; a lost root ends it.
    pub(crate) fn is_running(&self, id: ScanId) -> bool {
        self.scan.as_ref().is_some_and(|scan| scan.id == id)
    }

    /// Our last row when the scan began.
    pub(crate) fn since(&self) -> Sequence {
        self.scan.as_ref().map_or(Sequence(0), |scan| scan.since)
    }

    /// Room for directories that went.
    pub(crate) fn departures_room(&self) -> usize {
        let waiting = self.scan.as_ref().map_or(0, |scan| scan.departures.len());
        DEPARTURES_MAX.saturating_sub(waiting)
    }

    pub(crate) fn put_off(&mut self, departures: Sighting) {
        if let Some(scan) = &mut self.scan {
            scan.departures.found.extend(departures.found);
            scan.departures.absent.extend(departures.absent);
        }
    }

    /// Steps begin.
    pub(crate) fn note_steps(&mut self) {
        if let Some(scan) = &mut self.scan {
            scan.steps = Steps::Beside;
        }
    }

    /// Directories were seen to be gone. A step that makes something below one of them makes it
    /// again, perhaps after it was looked at and before it was judged; so where there were steps
    /// they are looked at once more.
    pub(crate) fn doubt(&mut self, departed: Vec<RelPath>) {
        let scan = self.scan.as_ref();
        if scan.is_some_and(|scan| scan.steps == Steps::Beside) {
            self.wanted.add(departed);
        }
    }

    /// A page was judged and is durable: goes on with the scan.
    pub(crate) fn judged(&mut self, now: Moment, outbox: &mut Outbox) -> Next {
        let Some(scan) = &mut self.scan else {
            return Next::Wait;
        };
        scan.unjudged = scan.unjudged.saturating_sub(1);
        if scan.end == PageEnd::More {
            outbox.disk(self.folder, DiskRequest::ContinueScan(scan.id));
            return Next::Wait;
        }
        if scan.unjudged > 0 {
            return Next::Wait;
        }
        if !scan.departures.is_empty() {
            scan.unjudged = 1;
            return Next::Judge(next_departures(&mut scan.departures));
        }
        self.end(now)
    }

    fn end(&mut self, now: Moment) -> Next {
        let Some(scan) = self.scan.take() else {
            return Next::Wait;
        };
        match scan.breadth {
            Breadth::Whole => {
                self.held_back = scan.held_back;
                self.last_whole = scan.judged;
                self.root = Root::Seen;
                let pause = match (scan.judged, scan.doubt) {
                    (Judged::NotAll, Doubt::Since(_)) => RESCAN_IN_DOUBT,
                    (Judged::All | Judged::NotAll, _) => RESCAN_EVERY,
                };
                self.rescan_at = Some(now.after(pause));
            }
            Breadth::Part => {
                let room = HELD_BACK_SHOWN_MAX.saturating_sub(self.held_back.len());
                self.held_back.extend(scan.held_back.into_iter().take(room));
            }
        }
        Next::Ended(scan.breadth)
    }

    /// The disk refuses a step.
    pub(crate) fn refuse(&mut self, path: RelPath, reason: HeldReason) {
        if self.refused.len() < HELD_BACK_SHOWN_MAX || self.refused.contains_key(&path) {
            self.refused.insert(path, reason);
        }
    }

    /// A step that keeps a losing version has met a name that is taken, perhaps that version's. Whether
    /// that is news.
    pub(crate) fn crowd(&mut self, path: &RelPath) -> bool {
        self.crowded.len() < HELD_BACK_SHOWN_MAX && self.crowded.insert(path.clone())
    }

    /// Whether it has before.
    pub(crate) fn is_crowded(&self, path: &RelPath) -> bool {
        self.crowded.contains(path)
    }

    /// A path is as it should be.
    pub(crate) fn accept(&mut self, path: &RelPath) {
        self.refused.remove(path);
        self.crowded.remove(path);
    }

    /// Forgets what was refused where nothing is wanted any more: a peer may have taken it back, or
    /// somebody has put it there.
    pub(crate) fn keep_refused(&mut self, is_wanted: &dyn Fn(&RelPath) -> bool) {
        self.refused.retain(|path, _| is_wanted(path));
        self.crowded.retain(is_wanted);
    }

    /// What a person should know of, with what the folder adds, at most [`HELD_BACK_SHOWN_MAX`].
    pub(crate) fn held_back(&self, more: impl Iterator<Item = HeldBack>) -> Vec<HeldBack> {
        let refused = self.refused.iter().map(|(path, reason)| HeldBack {
            path: path.as_str().to_owned(),
            reason: *reason,
        });
        self.held_back
            .iter()
            .cloned()
            .chain(refused)
            .chain(more)
            .take(HELD_BACK_SHOWN_MAX)
            .collect()
    }

    /// Whether everything could be read and was judged when the whole root was looked at last.
    pub(crate) fn has_judged_all(&self) -> bool {
        let mut held_back = self.held_back.iter();
        let is_unread = held_back.any(|held| held.reason == HeldReason::Unreadable);
        self.last_whole == Judged::All && !is_unread
    }

    /// Whether the whole root is being looked at.
    pub(crate) fn is_scanning_all(&self) -> bool {
        self.scan
            .as_ref()
            .is_some_and(|scan| scan.breadth == Breadth::Whole)
    }

    /// Whether something is being looked at, or about to be, and whether that is this path.
    pub(crate) fn eyes_on(&self, path: &RelPath) -> Eyes {
        let is_wanted = match &self.wanted {
            Scope::Nothing => false,
            Scope::Paths(paths) => paths.contains(path),
            Scope::All => true,
        };
        let scan = self.scan.as_ref();
        if is_wanted || scan.is_some_and(|scan| scan.named.contains(path)) {
            Eyes::Here
        } else if scan.is_some() || self.wanted != Scope::Nothing {
            Eyes::Elsewhere
        } else {
            Eyes::AtRest
        }
    }

    /// Somebody waits until a scan has ended.
    pub(crate) const fn await_end(&mut self) {
        self.awaited = Awaited::Yes;
    }

    /// Whether somebody has waited for a scan that has ended.
    pub(crate) const fn take_awaited(&mut self) -> Awaited {
        std::mem::replace(&mut self.awaited, Awaited::No)
    }

    pub(crate) const fn rescan_at(&self) -> Option<Moment> {
        self.rescan_at
    }

    pub(crate) fn handle_timeout(&mut self, now: Moment) {
        if self.rescan_at.is_some_and(|at| at <= now) {
            self.rescan_at = None;
            self.wanted = Scope::All;
        }
    }
}

/// Whether a page belongs to the scan that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageOf {
    Running,
    Abandoned,
}

impl Scope {
    fn add(&mut self, more: impl IntoIterator<Item = RelPath>) {
        let mut paths = match std::mem::replace(self, Self::Nothing) {
            Self::All => {
                *self = Self::All;
                return;
            }
            Self::Nothing => BTreeSet::new(),
            Self::Paths(paths) => paths,
        };
        paths.extend(more);
        *self = match paths.len() {
            0 => Self::Nothing,
            1..=DISTURBED_MAX => Self::Paths(paths),
            _ => Self::All,
        };
    }
}

/// The deepest departures, then what replaces directories. A path sorts after all that hold it, so
/// the last ones are the deepest.
fn next_departures(departures: &mut Sighting) -> Sighting {
    departures.absent.sort();
    departures
        .found
        .sort_by(|left, right| left.path.cmp(&right.path));
    if departures.absent.is_empty() {
        let at = departures.found.len().saturating_sub(DEPARTURES_PAGE);
        Sighting {
            found: departures.found.split_off(at),
            ..Sighting::default()
        }
    } else {
        let at = departures.absent.len().saturating_sub(DEPARTURES_PAGE);
        Sighting {
            absent: departures.absent.split_off(at),
            ..Sighting::default()
        }
    }
}
