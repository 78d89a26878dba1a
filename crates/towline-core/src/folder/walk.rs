//! The walk over the list of needs: what is planned when, and what is under way.
//!
//! A walk goes over the needs in path order, a page at a time, once per phase: directories are made,
//! then files and symlinks, then files and symlinks go, then directories go, deepest first. The first
//! phase asks only for needs at which a peer has a directory: they are few, and files wait for them.
//! Removals begin when everything made has ended. At most [`STEPS_WINDOW`] steps are under way before
//! the next page is asked for, so neither a million needs nor one huge file holds memory or the small
//! files behind it. What fails is put off and tried again with a growing pause; what the disk cannot hold,
//! because its name is none there or another one takes it, waits until something else has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_wire::entry::{Actor, Content};
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::brake::Weighing;
use crate::folder::plan::{Phase, PlannedStep, Sight};
use crate::folder::settle::{Ended, News, Way};
use crate::io::{ApplyId, NeedsOf, Outcome, PageEnd, ScanScope};
use crate::records::Need;

/// Needs in one page: 1024, about 1 MiB with two peers' records. Fewer would cost more round trips
/// to the store while directories are made, more would hold memory for nothing.
pub(crate) const NEEDS_PAGE: usize = 1024;

/// Steps under way beyond which no further page is planned: 2048. The disk needs a few hundred to
/// keep its workers and a batch of syncs busy; the bound keeps what we hold to a few MiB.
const STEPS_WINDOW: usize = 2048;

/// Directories that one walk removes: 4096, the deepest. The others go in the next walk.
const DIRECTORIES_GOING_MAX: usize = 4096;

/// Paths that wait for a name, one by one: 4096. Beyond that they are tried again with everything else.
const SHELVED_MAX: usize = 4096;

/// Paths that are put off one by one: 4096. Beyond that all planning pauses until the retry.
const PUT_OFF_MAX: usize = 4096;

/// The first pause before what failed is tried again: a second, so that a file that was being
/// written, or a source that was busy, costs little.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause: a minute. A full disk with room again goes on within it.
const RETRY_LAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nothing is being walked.
    Resting,
    /// The page after this path is next, to weigh what the phase would take away.
    Weighing(Phase, Option<RelPath>),
    /// The page after this path is next.
    Walking(Phase, Option<RelPath>),
    /// All pages of the phase are planned; its steps are still under way.
    Draining(Phase),
}

/// Whether something has come in that the present walk may have passed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    No,
    Yes,
}

/// Whether a step was left out because something above it is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    Waits,
}

#[derive(Debug)]
struct UnderWay {
    apply: ApplyId,
    planned: PlannedStep,
    news: News,
    /// [`Walk::departures`] when it began.
    departures: u64,
}

/// What is asked of the folder to go on with the walk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing now.
    Nothing,
    /// The page of these needs after this path.
    Page(NeedsOf, Option<RelPath>),
    /// These steps carried out, in this order.
    Carry(Vec<PlannedStep>),
}

/// The walk and what is under way.
#[derive(Debug)]
pub(crate) struct Walk {
    state: State,
    due: Due,
    below: Below,
    under_way: BTreeMap<RelPath, UnderWay>,
    /// Where steps under way keep what they replace.
    keeping: BTreeSet<RelPath>,
    /// Directories to remove at the end of this walk.
    going: BTreeMap<RelPath, PlannedStep>,
    put_off: BTreeSet<RelPath>,
    /// What this disk cannot hold: time changes nothing about that, only what lies there does.
    shelved: BTreeSet<RelPath>,
    /// Counts what has gone.
    departures: u64,
    retry_at: Option<Moment>,
    failures: u32,
    last_apply: u64,
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Resting,
            due: Due::Yes,
            below: Below::Nothing,
            under_way: BTreeMap::new(),
            keeping: BTreeSet::new(),
            going: BTreeMap::new(),
            put_off: BTreeSet::new(),
            shelved: BTreeSet::new(),
            departures: 0,
            retry_at: None,
            failures: 0,
            last_apply: 0,
        }
    }

    /// Something has come in: the needs are walked (again).
    pub(crate) fn want(&mut self) {
        self.due = Due::Yes;
    }

    /// The walk stops where it is, and begins anew when planning is possible again.
    pub(crate) fn interrupt(&mut self) {
        self.state = State::Resting;
        self.going.clear();
        self.due = Due::Yes;
    }

    /// Forgets what is under way; its outcomes are not awaited any more.
    pub(crate) fn abandon(&mut self) {
        self.interrupt();
        self.under_way.clear();
        self.keeping.clear();
        self.below = Below::Nothing;
    }

    /// What is needed to go on; with what has to be weighed, before it is carried out.
    pub(crate) fn next(&mut self, weighing: Weighing) -> Ask {
        let weighed = |phase| match weighing {
            Weighing::Needed => State::Weighing(phase, None),
            Weighing::Needless => State::Walking(phase, None),
        };
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Resting) {
                State::Resting if self.due == Due::No || self.put_off.len() > PUT_OFF_MAX => {
                    return Ask::Nothing;
                }
                State::Resting => self.begin(),
                State::Walking(phase, after) => {
                    let (full, of) = match phase {
                        // A page of directories stands on the pages before it.
                        Phase::Directories => (self.is_making_directories(), NeedsOf::Directories),
                        Phase::Files | Phase::Removals | Phase::DirectoryRemovals => {
                            (self.under_way.len() >= STEPS_WINDOW, NeedsOf::Everything)
                        }
                    };
                    self.state = State::Walking(phase, after.clone());
                    return if full {
                        Ask::Nothing
                    } else {
                        Ask::Page(of, after)
                    };
                }
                State::Weighing(phase, after) => {
                    self.state = State::Weighing(phase, after.clone());
                    return Ask::Page(NeedsOf::Ours, after);
                }
                State::Draining(Phase::Directories) if !self.is_making_directories() => {
                    weighed(Phase::Files)
                }
                // What came in meanwhile need not wait for a huge file.
                State::Draining(Phase::Files) if self.due == Due::Yes => self.begin(),
                State::Draining(Phase::Files) if self.under_way.is_empty() => {
                    weighed(Phase::Removals)
                }
                State::Draining(Phase::Removals) if self.under_way.is_empty() => {
                    let going = std::mem::take(&mut self.going);
                    if going.is_empty() {
                        State::Resting
                    } else {
                        self.state = State::Draining(Phase::DirectoryRemovals);
                        return Ask::Carry(going.into_values().rev().collect());
                    }
                }
                State::Draining(Phase::DirectoryRemovals) if self.under_way.is_empty() => {
                    State::Resting
                }
                State::Draining(phase) => {
                    self.state = State::Draining(phase);
                    return Ask::Nothing;
                }
            };
        }
    }

    fn begin(&mut self) -> State {
        self.due = Due::No;
        self.going.clear();
        State::Walking(Phase::Directories, None)
    }

    fn is_making_directories(&self) -> bool {
        self.under_way
            .values()
            .any(|step| step.planned.phase() == Phase::Directories)
    }

    /// Whether a page is one to weigh: for which phase, and whether more pages follow.
    pub(crate) fn weighs(&mut self, needs: &[Need], end: PageEnd) -> Option<(Phase, PageEnd)> {
        let State::Weighing(phase, after) = &mut self.state else {
            return None;
        };
        let phase = *phase;
        match (end, needs.last()) {
            (PageEnd::More, Some(last)) => {
                *after = Some(last.path.clone());
                Some((phase, PageEnd::More))
            }
            (PageEnd::End, _) | (PageEnd::More, None) => {
                self.state = State::Walking(phase, None);
                Some((phase, PageEnd::End))
            }
        }
    }

    /// Takes a page of needs; returns those that may be planned now. What the disk cannot hold is among them
    /// when it follows a moved file: then it is held under another name.
    pub(crate) fn page(
        &mut self,
        needs: Vec<Need>,
        end: PageEnd,
        follows: &dyn Fn(&Need) -> bool,
    ) -> Vec<Need> {
        self.forget_shelved(&needs, end);
        if let State::Walking(phase, after) = &mut self.state {
            match (end, needs.last()) {
                (PageEnd::More, Some(last)) => *after = Some(last.path.clone()),
                (PageEnd::End, _) | (PageEnd::More, None) => self.state = State::Draining(*phase),
            }
        }
        if needs.iter().any(|need| self.keeping.contains(&need.path)) {
            self.note_waiting();
        }
        needs
            .into_iter()
            .filter(|need| {
                let waits = self.is_under_way(&need.path) || self.put_off.contains(&need.path);
                !waits && (!self.shelved.contains(&need.path) || follows(need))
            })
            .collect()
    }

    /// What is shelved and no need any more, where a page of all needs shows it, is wanted by nobody: a peer
    /// that begins its index anew takes nothing back by name.
    fn forget_shelved(&mut self, needs: &[Need], end: PageEnd) {
        let State::Walking(phase, after) = &self.state else {
            return;
        };
        match phase {
            Phase::Directories => return,
            Phase::Files | Phase::Removals | Phase::DirectoryRemovals => {}
        }
        let last = match end {
            PageEnd::More => needs.last().map(|need| &need.path),
            PageEnd::End => None,
        };
        let needed: BTreeSet<&RelPath> = needs.iter().map(|need| &need.path).collect();
        self.shelved.retain(|path| {
            let is_before = after.as_ref().is_some_and(|after| path <= after);
            let is_beyond = last.is_some_and(|last| path > last);
            is_before || is_beyond || needed.contains(path)
        });
    }

    /// Whether this phase carries a step out; directories that go are collected for the end.
    pub(crate) fn chooses(&mut self, step: &PlannedStep) -> bool {
        let (State::Walking(phase, _) | State::Draining(phase)) = &self.state else {
            return false;
        };
        if *phase == Phase::Removals && step.phase() == Phase::DirectoryRemovals {
            self.going.insert(step.step.path.clone(), step.clone());
            if self.going.len() > DIRECTORIES_GOING_MAX {
                self.going.pop_first();
                self.due = Due::Yes;
            }
        }
        step.phase() == *phase
    }

    /// What is being carried out.
    pub(crate) const fn phase(&self) -> Option<Phase> {
        match &self.state {
            State::Walking(phase, _) | State::Draining(phase) => Some(*phase),
            State::Resting | State::Weighing(_, _) => None,
        }
    }

    /// Whether the pages of files are over, which hold every need.
    pub(crate) fn has_met_everything(&self) -> bool {
        self.state == State::Draining(Phase::Files)
    }

    /// Whether this walk has seen all that came in.
    pub(crate) fn sight(&self) -> Sight {
        match self.due {
            Due::No => Sight::Whole,
            Due::Yes => Sight::Partial,
        }
    }

    /// Marks steps as under way.
    pub(crate) fn carry(&mut self, steps: &[PlannedStep]) -> ApplyId {
        self.last_apply += 1;
        let apply = ApplyId(self.last_apply);
        for planned in steps {
            let under_way = UnderWay {
                apply,
                planned: planned.clone(),
                news: News::None,
                departures: self.departures,
            };
            let before = self.under_way.insert(planned.step.path.clone(), under_way);
            debug_assert!(before.is_none(), "two steps at one path");
            self.keeping.extend(planned.step.keep.clone());
        }
        apply
    }

    /// Whether a step of this set is under way at a path.
    pub(crate) fn awaits(&self, path: &RelPath, apply: ApplyId) -> bool {
        self.under_way
            .get(path)
            .is_some_and(|step| step.apply == apply)
    }

    /// Takes a step that has ended off what is under way.
    pub(crate) fn end(&mut self, path: &RelPath, outcome: Outcome) -> Option<Ended> {
        let UnderWay {
            planned,
            news,
            departures,
            ..
        } = self.under_way.remove(path)?;
        let way = if departures == self.departures {
            Way::AsBefore
        } else {
            Way::Clearer
        };
        if let Some(keep) = &planned.step.keep {
            self.keeping.remove(keep);
        }
        if std::mem::replace(&mut self.below, Below::Nothing) == Below::Waits {
            self.due = Due::Yes;
        }
        Some(Ended {
            planned,
            outcome,
            news,
            way,
        })
    }

    /// Whether a step changes what lies at a path.
    pub(crate) fn is_under_way(&self, path: &RelPath) -> bool {
        self.under_way.contains_key(path) || self.keeping.contains(path)
    }

    /// Whether a step under way brings other bytes than these to a path.
    pub(crate) fn replaces(&self, path: &RelPath, lies: &Content) -> bool {
        let step = self.under_way.get(path);
        step.is_some_and(|step| !step.planned.step.content.same_bytes(lies))
    }

    /// Every path in a scope that a step changes.
    pub(crate) fn under_way_in(&self, scope: &ScanScope) -> Vec<RelPath> {
        match scope {
            ScanScope::All => self
                .under_way
                .keys()
                .chain(&self.keeping)
                .cloned()
                .collect(),
            ScanScope::Paths(paths) => paths
                .iter()
                .flat_map(|at| {
                    let steps = self.under_way.range(at.clone()..).map(|(path, _)| path);
                    let kept = self.keeping.range(at.clone()..);
                    within(at, steps).chain(within(at, kept))
                })
                .cloned()
                .collect(),
        }
    }

    /// Whether something is about to happen at a path: its step is under way, put off or shelved.
    pub(crate) fn is_pending(&self, path: &RelPath) -> bool {
        self.is_under_way(path) || self.put_off.contains(path) || self.shelved.contains(path)
    }

    /// Something waits for a step above it.
    pub(crate) fn note_waiting(&mut self) {
        self.below = Below::Waits;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.state == State::Resting && self.due == Due::No
    }

    pub(crate) fn has_steps(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// A peer's row of this path came in.
    pub(crate) fn note_peer_row(&mut self, path: &RelPath) {
        self.put_off.remove(path);
        self.shelved.remove(path);
        self.going.remove(path);
        if let Some(step) = self.under_way.get_mut(path) {
            step.news = News::PeerRow;
        }
    }

    /// Writes that were planned in the name of our actor before are not made.
    pub(crate) fn note_incarnation(&mut self, before: Actor) {
        self.going.clear();
        self.due = Due::Yes;
        for step in self.under_way.values_mut() {
            if step.planned.becomes.author.actor == before {
                step.news = News::Incarnation;
            }
        }
    }

    // --- what failed -----------------------------------------------------------------------------

    /// Puts paths off until the next retry.
    pub(crate) fn put_off(&mut self, paths: Vec<RelPath>, now: Moment) {
        if paths.is_empty() {
            return;
        }
        self.put_off.extend(paths);
        if self.retry_at.is_none() {
            let pause = RETRY_FIRST.saturating_mul(1 << self.failures.min(6));
            self.retry_at = Some(now.after(pause.min(RETRY_LAST)));
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Leaves out what this disk cannot hold until something else lies there. It is not tried again by
    /// time: each try would fetch the bytes anew and end in the same way.
    pub(crate) fn shelve(&mut self, paths: Vec<RelPath>, now: Moment) {
        let room = SHELVED_MAX.saturating_sub(self.shelved.len());
        let mut paths = paths.into_iter();
        self.shelved.extend(paths.by_ref().take(room));
        self.put_off(paths.collect(), now);
    }

    /// Something has gone from a path: its name may have been in the way of others.
    pub(crate) fn make_way(&mut self, gone: &RelPath) {
        self.departures += 1;
        let before = self.shelved.len();
        self.shelved.retain(|path| !was_in_the_way(gone, path));
        if self.shelved.len() < before {
            self.due = Due::Yes;
        }
    }

    /// All that lies there was looked at: what was shelved may be tried again.
    pub(crate) fn unshelve(&mut self) {
        if !self.shelved.is_empty() {
            self.shelved.clear();
            self.due = Due::Yes;
        }
    }

    /// Something was carried out, so the next failure is a fresh one.
    pub(crate) fn note_success(&mut self) {
        self.failures = 0;
    }

    /// Something about this path has changed: it may be planned again.
    pub(crate) fn release(&mut self, path: &RelPath) {
        let waited = self.put_off.remove(path) || self.shelved.remove(path);
        if waited || self.going.remove(path).is_some() {
            self.due = Due::Yes;
        }
    }

    /// Something about all paths has changed.
    pub(crate) fn release_all(&mut self) {
        self.put_off.clear();
        self.retry_at = None;
        self.due = Due::Yes;
    }

    pub(crate) const fn retry_at(&self) -> Option<Moment> {
        self.retry_at
    }

    pub(crate) fn handle_timeout(&mut self, now: Moment) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.release_all();
        }
    }
}

/// Whether what lay at `gone` may have kept a disk from holding `path`: a name on the way to it that
/// differs in nothing but case. Disks compare in more ways than this; what this misses is tried
/// again after the next look at everything.
fn was_in_the_way(gone: &RelPath, path: &RelPath) -> bool {
    let mut parts = path.components();
    let same = gone.components().all(|name| {
        let part = parts.next();
        part.is_some_and(|part| part.to_lowercase() == name.to_lowercase())
    });
    same && gone != path && !path.is_below(gone)
}

/// Of ascending paths that begin at `at`: itself and all below it.
fn within<'a>(
    at: &'a RelPath,
    paths: impl Iterator<Item = &'a RelPath>,
) -> impl Iterator<Item = &'a RelPath> {
    // Names that only begin alike, as `a-b` after `a`, lie between a path and what is below it.
    paths
        .take_while(|path| path.as_str().starts_with(at.as_str()))
        .filter(move |path| *path == at || path.is_below(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::folder::world::path;

    #[test]
    fn what_is_no_need_any_more_is_shelved_no_longer() {
        let mut walk = Walk::new();
        walk.shelve(vec![path("Top.txt")], Moment::from_start(Duration::ZERO));
        for of in [NeedsOf::Directories, NeedsOf::Everything] {
            assert!(walk.is_pending(&path("Top.txt")), "not all was seen");
            assert_eq!(walk.next(Weighing::Needless), Ask::Page(of, None));
            walk.page(Vec::new(), PageEnd::End, &|_| false);
        }
        assert!(!walk.is_pending(&path("Top.txt")));
    }
}
