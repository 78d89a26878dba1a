//! Steps on a disk. A step fetches first, then looks at its place once more, keeps what must be kept,
//! and takes the place. Between all of this people and crashes come.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::io::{ApplyId, DiskEvent, Expected, Found, HeldReason, Input, Outcome, Step};
use towline_wire::entry::{Content, UnixNanos};
use towline_wire::ids::{ContentHash, FolderId};
use towline_wire::rel_path::RelPath;

use super::fetch::Fetching;
use super::habits::Parting;
use super::{Event, World};
use crate::mutation::Mutation;
use crate::tree::{Kind, Node, Presence, Tree};

/// Steps under way.
#[derive(Debug)]
pub(super) struct Applying {
    folder: FolderId,
    steps: Vec<Option<OneStep>>,
}

/// A step under way.
#[derive(Debug)]
struct OneStep {
    step: Step,
    fetching: Fetching,
    bytes: Bytes,
    parting: Parting,
}

/// Whether the bytes of a step are there.
#[derive(Debug)]
pub(super) enum Bytes {
    NotYet,
    There(Vec<u8>),
}

impl Applying {
    /// Temporary files of these steps.
    pub(super) fn temporary(&self) -> impl Iterator<Item = u64> {
        let steps = self.steps.iter().flatten();
        steps.filter_map(|one| one.fetching.temporary)
    }
}

impl World {
    pub(super) fn apply(
        &mut self,
        seat: usize,
        folder: FolderId,
        apply: ApplyId,
        steps: Vec<Step>,
    ) {
        self.work.steps += steps.len() as u64;
        let steps = in_order(steps);
        let moves: BTreeSet<RelPath> = steps
            .iter()
            .filter_map(|step| step.moved_from.clone())
            .collect();
        let mut wait = self.dice.micros(100, 10_000);
        for (number, step) in steps.iter().enumerate() {
            wait += self.dice.micros(10, 3000);
            if let Some(from) = &step.moved_from {
                self.commit_in(seat, apply.0, number, wait);
                self.tempt(seat, &step.path, wait);
                self.tempt(seat, from, wait);
            } else if moves.contains(&step.path) {
                // It ends with the step that it is done with.
            } else if matches!(step.content, Content::File { .. }) {
                self.fetch_in(seat, apply.0, number, wait);
            } else {
                self.commit_in(seat, apply.0, number, wait);
                self.tempt(seat, &step.path, wait);
            }
        }
        let steps = steps
            .into_iter()
            .map(|step| {
                let parting = match step.content {
                    Content::Absent => self.parting(seat, folder, &step.path),
                    Content::Directory | Content::File { .. } | Content::Symlink { .. } => {
                        Parting::Whole
                    }
                };
                Some(OneStep {
                    step,
                    fetching: Fetching::default(),
                    bytes: Bytes::NotYet,
                    parting,
                })
            })
            .collect();
        self.seat_mut(seat)
            .applying
            .insert(apply.0, Applying { folder, steps });
    }

    fn commit_in(&mut self, seat: usize, apply: u64, step: usize, wait: Duration) {
        let run = self.seat(seat).run;
        self.after(
            wait,
            Event::Commit {
                seat,
                run,
                apply,
                step,
            },
        );
    }

    /// The bytes are there: the step takes its place as soon as they are synced.
    pub(super) fn commit_soon(&mut self, seat: usize, apply: u64, step: usize, path: &RelPath) {
        let wait = self.dice.micros(100, 30_000);
        self.commit_in(seat, apply, step, wait);
        self.tempt(seat, path, wait);
    }

    /// A step under way with its folder and its fetch.
    pub(super) fn fetching(
        &mut self,
        seat: usize,
        apply: u64,
        number: usize,
    ) -> Option<(FolderId, Step, &mut Fetching)> {
        let applying = self.seat_mut(seat).applying.get_mut(&apply)?;
        let folder = applying.folder;
        let one = applying.steps.get_mut(number)?.as_mut()?;
        Some((folder, one.step.clone(), &mut one.fetching))
    }

    pub(super) fn set_bytes(&mut self, seat: usize, apply: u64, number: usize, bytes: Bytes) {
        let applying = self.seat_mut(seat).applying.get_mut(&apply);
        if let Some(Some(one)) = applying.and_then(|applying| applying.steps.get_mut(number)) {
            one.bytes = bytes;
        }
    }

    /// The bytes of the file that lies at a path.
    fn lies(&self, seat: usize, path: &RelPath) -> Option<ContentHash> {
        match self.seat(seat).tree.get(path)?.kind {
            Kind::File { hash, .. } => Some(hash),
            Kind::Directory | Kind::Symlink(_) => None,
        }
    }

    /// A step is carried out.
    pub(super) fn commit(&mut self, seat: usize, apply: u64, number: usize) {
        match self.removal_with(seat, apply, number) {
            Some(removal) => self.move_file(seat, apply, number, removal),
            None => self.step_ends(seat, apply, number, Self::carry_out),
        }
    }

    /// Where the removal is that is to be done with a step, as one move.
    fn removal_with(&self, seat: usize, apply: u64, number: usize) -> Option<usize> {
        let applying = self.seat(seat).applying.get(&apply)?;
        let step = &applying.steps.get(number)?.as_ref()?.step;
        let from = step.moved_from.as_ref()?;
        let is_removal = |one: &Option<OneStep>| {
            let one = one.as_ref().map(|one| &one.step);
            one.is_some_and(|one| one.path == *from && one.content == Content::Absent)
        };
        applying.steps.iter().position(is_removal)
    }

    /// A file gets another name, and both steps end; or its bytes are copied as those of any other, and
    /// the removal is told to be of no avail.
    fn move_file(&mut self, seat: usize, apply: u64, number: usize, removal: usize) {
        let steps = self.seat(seat).applying.get(&apply).map(|it| &it.steps);
        let step_of = |at: usize| steps?.get(at)?.as_ref().map(|one| one.step.clone());
        let (Some(to), Some(from)) = (step_of(number), step_of(removal)) else {
            return;
        };
        let looks_again = !self.has(Mutation::MovedUnseen);
        let is_let = self.prevented(seat, &to).is_none() && self.prevented(seat, &from).is_none();
        let tree = &mut self.seat_mut(seat).tree;
        let lies = tree.get(&from.path);
        let is_same = lies.is_some_and(|node| {
            let is_file = matches!(node.kind, Kind::File { .. });
            is_file && (!looks_again || from.expected == Expected::Stamped(node.stamp()))
        });
        if is_let && is_same && tree.get(&to.path).is_none() && make_parents(tree, &to.path) {
            tree.rename(&from.path, &to.path);
            let stamp = tree.get(&to.path).map(Node::stamp);
            let done = |stamp| Outcome::Done { stamp, kept: None };
            self.step_ends(seat, apply, number, |_, _, _, _| done(stamp));
            self.step_ends(seat, apply, removal, |_, _, _, _| done(None));
        } else {
            self.step_ends(seat, apply, removal, |_, _, _, _| Outcome::Stale);
            self.fetch_in(seat, apply, number, Duration::ZERO);
        }
    }

    /// A step ends, as `how` says; its outcome is told a little later.
    pub(super) fn step_ends(
        &mut self,
        seat: usize,
        apply: u64,
        number: usize,
        how: impl FnOnce(&mut Self, usize, &Step, Bytes) -> Outcome,
    ) {
        let Some(applying) = self.seat_mut(seat).applying.get_mut(&apply) else {
            return;
        };
        let folder = applying.folder;
        let Some(one) = applying.steps.get_mut(number).and_then(Option::take) else {
            return;
        };
        if applying.steps.iter().all(Option::is_none) {
            self.seat_mut(seat).applying.remove(&apply);
        }
        let OneStep {
            step,
            fetching,
            bytes,
            parting,
        } = one;
        // What a power cut has left nobody misses.
        let lay = self.lies(seat, &step.path);
        let lay = lay.filter(|_| !self.is_spoiled(seat, &step.path));
        let outcome = how(self, seat, &step, bytes);
        if let (Outcome::Done { .. }, Some(hash)) = (&outcome, lay)
            && !self.seat(seat).tree.holds(hash)
        {
            self.note_taken(seat, hash, parting);
        }
        let litters = self.has(Mutation::LitterLeft) && !matches!(outcome, Outcome::Done { .. });
        let tree = &mut self.seat_mut(seat).tree;
        if let Some(file) = fetching.temporary
            && tree.presence == Presence::There
            && !litters
        {
            tree.temporary.remove(&file);
        }
        self.note(format_args!("{seat} step {} {outcome:?}", step.path));
        let event = DiskEvent::Applied {
            apply: ApplyId(apply),
            outcomes: vec![(step.path, outcome)],
        };
        let wait = self.dice.micros(10, 20_000);
        self.deliver(seat, wait, Input::Disk(folder, event));
    }

    fn carry_out(&mut self, seat: usize, step: &Step, bytes: Bytes) -> Outcome {
        if let Some(outcome) = self.prevented(seat, step) {
            return outcome;
        }
        let made = match (&step.content, bytes) {
            (Content::Absent, _) => None,
            (Content::Directory, _) => Some(Kind::Directory),
            (Content::Symlink { target }, _) => Some(Kind::Symlink(target.clone())),
            (Content::File { executable, .. }, Bytes::There(bytes)) => {
                Some(Kind::file(bytes, *executable))
            }
            (Content::File { .. }, Bytes::NotYet) => return Outcome::NoSource,
        };
        self.note_unsynced(seat, &step.path);
        let mutation = self.shape.mutation;
        let tree = &mut self.seat_mut(seat).tree;
        let outcome = match mutation {
            None => put_in_place(tree, step, made, &Care::default()),
            Some(mutation) => careless(tree, step, made, mutation),
        };
        if matches!(outcome, Outcome::Done { .. }) {
            self.dies_in_the_middle(seat, step);
        }
        outcome
    }

    /// What keeps a step from being carried out at all.
    fn prevented(&mut self, seat: usize, step: &Step) -> Option<Outcome> {
        let mutation = self.shape.mutation;
        let is_full = self.now < self.seat(seat).refuses_until && step.content != Content::Absent;
        let tree = &mut self.seat_mut(seat).tree;
        if tree.presence != Presence::There {
            if mutation == Some(Mutation::MountPointWritten) && step.content != Content::Absent {
                let what = format!("{} was written into an empty mount point", step.path);
                tree.strayed.push(what);
            }
            return Some(Outcome::Stale);
        }
        if tree.holds_locked(&step.path) {
            return Some(Outcome::Held(HeldReason::Unwritable));
        }
        if let Some(twin) = tree.twin_in_the_way(&step.path) {
            let done = Outcome::Done {
                stamp: None,
                kept: None,
            };
            // A removal finds nothing in this spelling; nothing else may take the twin's place.
            return match (&step.content, mutation) {
                (Content::Absent, _) => Some(Outcome::Stale),
                (_, Some(Mutation::TwinOverwritten)) if tree.has_parent(&step.path) => {
                    tree.remove(&twin);
                    None
                }
                (_, Some(Mutation::HeldNameDone)) => Some(done),
                (_, _) => Some(Outcome::Held(HeldReason::Name)),
            };
        }
        let full = if mutation == Some(Mutation::FullDiskDone) {
            Outcome::Done {
                stamp: tree.get(&step.path).map(Node::stamp),
                kept: None,
            }
        } else {
            Outcome::Held(HeldReason::DiskFull)
        };
        is_full.then_some(full)
    }

    /// Under a mutation: the device is killed while it writes a file in its place.
    fn dies_in_the_middle(&mut self, seat: usize, step: &Step) {
        if !self.has(Mutation::HalfFile)
            || !matches!(step.content, Content::File { .. })
            || !self.dice.chance(5)
        {
            return;
        }
        let tree = &mut self.seat_mut(seat).tree;
        if let Some(Kind::File { bytes, .. }) = tree.get(&step.path).map(|node| &node.kind) {
            let half = bytes.iter().take(bytes.len() / 2).copied().collect();
            tree.rewrite(&step.path, Kind::file(half, false), step.mtime);
        }
        self.crash(seat);
        self.after(Duration::from_secs(1), Event::Restart { seat });
    }
}

/// How carefully a step takes its place: everything that a sound disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Care {
    looks_again: bool,
    keeps_losers: bool,
    spares_content: bool,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            looks_again: true,
            keeps_losers: true,
            spares_content: true,
        }
    }
}

/// A step under a mutation.
fn careless(tree: &mut Tree, step: &Step, made: Option<Kind>, mutation: Mutation) -> Outcome {
    let mut step = step.clone();
    let mut made = made;
    let care = Care {
        looks_again: mutation != Mutation::NoRecheck,
        keeps_losers: mutation != Mutation::ConflictDropped,
        spares_content: mutation != Mutation::DirectoryTakenWhole,
    };
    let there = tree.get(&step.path).map(|node| node.kind.clone());
    match (mutation, &mut made, there) {
        (Mutation::TimesCut, Some(_), _) => {
            step.mtime = UnixNanos(step.mtime.0 - step.mtime.0.rem_euclid(1_000_000_000));
        }
        (Mutation::ExecutableDropped, Some(Kind::File { executable, .. }), _) => {
            *executable = false;
        }
        (Mutation::LinkFollowed, Some(Kind::File { .. }), Some(Kind::Symlink(target))) => {
            tree.strayed
                .push(format!("{} was written", target.as_str()));
        }
        (Mutation::SharedSlot, _, _) => {
            let name = format!("{}.conflict-copy", step.path.file_name());
            let slot = step
                .keep
                .as_ref()
                .and_then(|keep| keep.with_file_name(&name).ok());
            if let Some(slot) = &slot {
                tree.remove(slot);
            }
            step.keep = slot;
        }
        (_, _, _) => {}
    }
    put_in_place(tree, &step, made, &care)
}

/// The order in which a batch is carried out: what is made, then removals from the deepest up.
fn in_order(steps: Vec<Step>) -> Vec<Step> {
    let (mut removed, mut made): (Vec<Step>, Vec<Step>) = steps
        .into_iter()
        .partition(|step| step.content == Content::Absent);
    made.sort_by(|left, right| left.path.cmp(&right.path));
    removed.sort_by(|left, right| right.path.cmp(&left.path));
    made.into_iter().chain(removed).collect()
}

fn put_in_place(tree: &mut Tree, step: &Step, made: Option<Kind>, care: &Care) -> Outcome {
    if made.is_some() {
        if !make_parents(tree, &step.path) {
            return Outcome::Stale;
        }
    } else if !tree.has_parent(&step.path) {
        return Outcome::Stale;
    }
    let there = tree.get(&step.path).cloned();
    let as_expected = match (&step.expected, &there) {
        (Expected::Nothing, None) => true,
        (Expected::Nothing, Some(node)) => {
            step.content == Content::Directory && node.is_directory()
        }
        (Expected::Directory, Some(node)) => node.is_directory(),
        (Expected::Stamped(stamp), Some(node)) => !node.is_directory() && node.stamp() == *stamp,
        (Expected::Directory | Expected::Stamped(_), None) => false,
    };
    if !as_expected && care.looks_again {
        return Outcome::Stale;
    }
    let is_full = !tree.below(&step.path).is_empty();
    let replaces_directory = there.as_ref().is_some_and(Node::is_directory);
    if is_full && step.content != Content::Directory && care.spares_content {
        return Outcome::NotEmpty;
    }
    let mut kept = None;
    // Under a twin's name the same bytes are kept as well; other bytes there are in the way.
    let keep = step.keep.as_ref().map(|keep| tree.spelled(keep));
    if let (Some(keep), Some(node), true) = (&keep, &there, care.keeps_losers)
        && !replaces_directory
    {
        match tree.get(keep) {
            Some(other) if !other.kind.content().same_bytes(&node.kind.content()) => {
                let is_twin = step.keep.as_ref() != Some(keep);
                return if is_twin {
                    Outcome::Held(HeldReason::Name)
                } else {
                    Outcome::Stale
                };
            }
            Some(_) => {}
            None => {
                if !make_parents(tree, keep) || tree.link(&step.path, keep).is_none() {
                    return Outcome::Stale;
                }
            }
        }
        kept = tree.get(keep).map(|node| Found {
            path: keep.clone(),
            content: node.kind.content(),
            mtime: node.mtime,
            stamp: node.stamp(),
        });
    }
    match made {
        None => {
            tree.remove(&step.path);
        }
        Some(Kind::Directory) if replaces_directory => {}
        Some(kind) => {
            tree.put(&step.path, kind, step.mtime);
        }
    }
    Outcome::Done {
        stamp: tree.get(&step.path).map(Node::stamp),
        kept,
    }
}

/// Makes the directories above a path; `false` when something else lies in the way.
fn make_parents(tree: &mut Tree, path: &RelPath) -> bool {
    let Some(parent) = path.parent().filter(|_| !path.is_in_inbox()) else {
        return true;
    };
    match tree.get(&parent) {
        Some(node) => node.is_directory(),
        None => {
            let made = make_parents(tree, &parent);
            if made {
                tree.put(&parent, Kind::Directory, UnixNanos::default());
            }
            made
        }
    }
}
