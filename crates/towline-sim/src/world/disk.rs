//! The disk under a device's folder, as the engine's disk behaves.
//!
//! A scan merges the tree with the store's rows a page at a time: it looks, reads for a while, and
//! tells only what is still so after reading. A step fetches first, then looks at its place once
//! more, keeps what must be kept, and takes the place. Between all of this people and crashes come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_core::io::{
    Age, ApplyId, DiskEvent, DiskRequest, Expected, Found, HeldReason, Input, Outcome, PageEnd,
    RootFault, ScanId, ScanScope, Step,
};
use towline_core::records::OurRow;
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, FolderId};
use towline_wire::rel_path::RelPath;

use super::{Event, Eyes, World};
use crate::mutation::Mutation;
use crate::tree::{Kind, Node, Presence, Tree};

/// A scan under way.
#[derive(Debug)]
pub(super) struct Scanning {
    scan: ScanId,
    folder: FolderId,
    scope: ScanScope,
    after: Option<RelPath>,
    /// What the present page saw.
    page: Look,
    restless: BTreeSet<RelPath>,
}

/// What one look saw.
#[derive(Debug, Default)]
struct Look {
    found: Vec<Found>,
    absent: Vec<RelPath>,
    last: Option<RelPath>,
    end: Option<PageEnd>,
}

/// Steps under way.
#[derive(Debug)]
pub(super) struct Applying {
    folder: FolderId,
    steps: Vec<Option<Step>>,
}

impl World {
    pub(super) fn disk_asked(&mut self, seat: usize, folder: FolderId, request: DiskRequest) {
        match request {
            DiskRequest::Prepare { others, .. } => {
                let tree = &mut self.seat_mut(seat).tree;
                let result = if !others.is_empty() {
                    Err(RootFault::Nested)
                } else if tree.marker.is_some_and(|marker| marker != folder) {
                    Err(RootFault::WrongMarker)
                } else {
                    tree.marker = Some(folder);
                    Ok(())
                };
                let wait = self.dice.millis(1, 20);
                self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Prepared(result)));
            }
            DiskRequest::Open(_) => {
                let place = self.seat_mut(seat);
                place.eyes = Eyes::Open;
                let result = root_state(&place.tree, folder);
                let wait = self.dice.millis(1, 20);
                self.tell_root(seat, folder, wait, result);
            }
            DiskRequest::Close => {
                let place = self.seat_mut(seat);
                place.eyes = Eyes::Closed;
                place.scanning = None;
                place.applying.clear();
            }
            DiskRequest::Scan(scan, scope) => {
                let scanning = Scanning {
                    scan,
                    folder,
                    scope,
                    after: None,
                    page: Look::default(),
                    restless: BTreeSet::new(),
                };
                self.seat_mut(seat).scanning = Some(scanning);
                self.scan_on(seat, scan);
            }
            DiskRequest::ContinueScan(scan) => self.scan_on(seat, scan),
            DiskRequest::Apply(apply, steps) => self.apply(seat, folder, apply, steps),
            DiskRequest::NoteAge(age) => {
                // The bug of a rollback that nobody notices takes the root's word as well.
                let remembers = self.shape.mutation != Some(Mutation::ReusedSequence);
                let tree = &mut self.seat_mut(seat).tree;
                if remembers && tree.presence == Presence::There {
                    tree.age = Some(age);
                }
            }
        }
    }

    // --- scans -----------------------------------------------------------------------------------

    fn scan_on(&mut self, seat: usize, scan: ScanId) {
        let run = self.seat(seat).run;
        let wait = self.dice.micros(100, 20_000);
        self.after(
            wait,
            Event::ScanLook {
                seat,
                run,
                scan: scan.0,
            },
        );
    }

    pub(super) fn scan_look(&mut self, seat: usize, scan: u64) {
        let most = self.dice.between(2, 25);
        let invents = self.shape.mutation == Some(Mutation::InventedAbsence) && self.dice.chance(5);
        let place = self.seat_mut(seat);
        let Some(scanning) = place
            .scanning
            .as_mut()
            .filter(|running| running.scan.0 == scan)
        else {
            return;
        };
        let rows = place.shelf.rows(scanning.folder);
        let mut look = look(
            &place.tree,
            &rows,
            &scanning.scope,
            scanning.after.as_ref(),
            most,
        );
        if invents
            && let Some((path, _)) = rows
                .iter()
                .find(|(_, row)| row.entry.content != Content::Absent)
            && !look.absent.contains(path)
        {
            look.absent.push(path.clone());
        }
        scanning.page = look;
        let run = place.run;
        let wait = self.dice.micros(100, 60_000);
        self.after(wait, Event::ScanTell { seat, run, scan });
    }

    pub(super) fn scan_tell(&mut self, seat: usize, scan: u64) {
        let invents = self.shape.mutation == Some(Mutation::InventedAbsence);
        let place = self.seat_mut(seat);
        let Some(scanning) = place
            .scanning
            .as_mut()
            .filter(|running| running.scan.0 == scan)
        else {
            return;
        };
        if place.tree.presence == Presence::Away {
            // Abandoned; that the root is gone was told already.
            place.scanning = None;
            return;
        }
        let Look {
            found,
            absent,
            last,
            end,
        } = std::mem::take(&mut scanning.page);
        let tree = &place.tree;
        let (found, changed): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| {
            tree.get(&found.path)
                .is_some_and(|node| node.stamp() == found.stamp)
        });
        let (absent, back): (Vec<RelPath>, Vec<RelPath>) = absent
            .into_iter()
            .partition(|path| invents || tree.get(path).is_none());
        scanning
            .restless
            .extend(changed.into_iter().map(|found| found.path));
        scanning.restless.extend(back);
        scanning.after = last;
        let (folder, scan) = (scanning.folder, scanning.scan);
        let end = end.unwrap_or(PageEnd::End);
        let mut restless = BTreeSet::new();
        if end == PageEnd::End {
            restless = std::mem::take(&mut scanning.restless);
            place.scanning = None;
        }
        let event = DiskEvent::Scanned {
            scan,
            found,
            absent,
            held_back: Vec::new(),
            end,
        };
        let wait = self.dice.micros(10, 3000);
        self.deliver(seat, wait, Input::Disk(folder, event));
        if !restless.is_empty() {
            let disturbed = DiskEvent::Disturbed(ScanScope::Paths(restless));
            self.deliver(seat, wait * 2, Input::Disk(folder, disturbed));
        }
    }

    /// The watcher sees that something changed: soon, late, roughly or never.
    pub(super) fn disturb(&mut self, seat: usize, paths: BTreeSet<RelPath>) {
        let Some(folder) = self.folder else { return };
        if self.seat(seat).eyes == Eyes::Closed || !self.is_up(seat) || paths.is_empty() {
            return;
        }
        let wait = match self.dice.below(20) {
            0 => return,
            1 => self.dice.millis(1000, 8000),
            _ => self.dice.millis(5, 300),
        };
        let scope = if self.dice.chance(5) {
            ScanScope::All
        } else {
            ScanScope::Paths(paths)
        };
        self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Disturbed(scope)));
    }

    /// A disk is unplugged, or comes back.
    pub(super) fn set_presence(&mut self, seat: usize, presence: Presence) {
        let Some(folder) = self.folder else { return };
        let place = self.seat_mut(seat);
        if place.tree.presence == presence {
            return;
        }
        place.tree.presence = presence;
        if presence == Presence::Away {
            place.scanning = None;
        }
        let state = root_state(&place.tree, folder);
        if place.eyes == Eyes::Open && self.is_up(seat) {
            self.tell_root(seat, folder, Duration::from_millis(1), state);
        }
    }

    /// Tells how a root stands; what was seen later is told later.
    fn tell_root(
        &mut self,
        seat: usize,
        folder: FolderId,
        wait: Duration,
        state: Result<Option<Age>, RootFault>,
    ) {
        let now = self.now;
        let place = self.seat_mut(seat);
        place.root_told_until = place.root_told_until.max(now + wait) + Duration::from_nanos(1);
        let wait = place.root_told_until - now;
        self.deliver(seat, wait, Input::Disk(folder, DiskEvent::Root(state)));
    }

    // --- steps -----------------------------------------------------------------------------------

    fn apply(&mut self, seat: usize, folder: FolderId, apply: ApplyId, steps: Vec<Step>) {
        self.work.steps += steps.len() as u64;
        let steps = in_order(steps);
        let run = self.seat(seat).run;
        let mut when = self.now + self.dice.micros(100, 10_000);
        for (number, step) in steps.iter().enumerate() {
            let late = if matches!(step.content, Content::File { .. }) {
                self.dice.millis(1, 150)
            } else {
                Duration::ZERO
            };
            when += self.dice.micros(10, 3000);
            self.at(
                when + late,
                Event::Commit {
                    seat,
                    run,
                    apply: apply.0,
                    step: number,
                },
            );
            self.tempt(seat, &step.path.clone(), when + late - self.now);
        }
        let steps = steps.into_iter().map(Some).collect();
        self.seat_mut(seat)
            .applying
            .insert(apply.0, Applying { folder, steps });
    }

    /// A step is carried out; its outcome is told a little later.
    pub(super) fn commit(&mut self, seat: usize, apply: u64, number: usize) {
        let Some(applying) = self.seat_mut(seat).applying.get_mut(&apply) else {
            return;
        };
        let folder = applying.folder;
        let Some(step) = applying.steps.get_mut(number).and_then(Option::take) else {
            return;
        };
        if applying.steps.iter().all(Option::is_none) {
            self.seat_mut(seat).applying.remove(&apply);
        }
        let outcome = self.carry_out(seat, folder, &step);
        self.note(format_args!("{seat} step {} {outcome:?}", step.path));
        let event = DiskEvent::Applied {
            apply: ApplyId(apply),
            outcomes: vec![(step.path, outcome)],
        };
        let wait = self.dice.micros(10, 20_000);
        self.deliver(seat, wait, Input::Disk(folder, event));
    }

    fn carry_out(&mut self, seat: usize, folder: FolderId, step: &Step) -> Outcome {
        if self.seat(seat).tree.presence == Presence::Away {
            return Outcome::Stale;
        }
        if self.now < self.seat(seat).refuses_until && step.content != Content::Absent {
            return Outcome::Held(HeldReason::DiskFull);
        }
        let made = match &step.content {
            Content::Absent => None,
            Content::Directory => Some(Kind::Directory),
            Content::Symlink { target } => Some(Kind::Symlink(target.clone())),
            Content::File {
                hash, executable, ..
            } => {
                let Some(bytes) = self.fetch(seat, folder, *hash, step) else {
                    return Outcome::NoSource;
                };
                Some(Kind::file(bytes, *executable))
            }
        };
        let rechecks = self.shape.mutation != Some(Mutation::NoRecheck);
        let keeps = self.shape.mutation != Some(Mutation::ConflictDropped);
        put_in_place(&mut self.seat_mut(seat).tree, step, made, rechecks, keeps)
    }

    /// The bytes with a hash: from our own folder, or from a peer that has them and may show them.
    fn fetch(
        &mut self,
        seat: usize,
        folder: FolderId,
        hash: ContentHash,
        step: &Step,
    ) -> Option<Vec<u8>> {
        if let Some(bytes) = held(&mut self.seats[seat], folder, hash) {
            return Some(bytes);
        }
        let us = self.seat(seat).id;
        for source in &step.sources {
            let Some(other) = self.seat_of(*source) else {
                continue;
            };
            let granted = self
                .seat(other)
                .grants
                .get(&us)
                .is_some_and(|granted| granted.contains(&folder));
            let shown = self.seat(other).tree.presence == Presence::There
                && self.seat(other).eyes == Eyes::Open;
            if !granted || !shown || !self.can_fetch(seat, other) || self.dice.chance(2) {
                continue;
            }
            if let Some(mut bytes) = held(&mut self.seats[other], folder, hash) {
                if self.dice.chance(3) {
                    // The stream breaks or lies: what arrived is dropped after its hash was seen.
                    if self.shape.mutation != Some(Mutation::UnverifiedBytes) {
                        continue;
                    }
                    bytes.truncate(bytes.len() / 2);
                }
                return Some(bytes);
            }
        }
        None
    }
}

/// Whether a root can be used.
fn root_state(tree: &Tree, folder: FolderId) -> Result<Option<Age>, RootFault> {
    match (tree.presence, tree.marker) {
        (Presence::Away, _) => Err(RootFault::Missing),
        (Presence::There, Some(marker)) if marker == folder => Ok(tree.age),
        (Presence::There, Some(_) | None) => Err(RootFault::WrongMarker),
    }
}

/// Bytes that lie in a folder as a row says.
fn held(seat: &mut super::Seat, folder: FolderId, hash: ContentHash) -> Option<Vec<u8>> {
    let rows = seat.shelf.rows(folder);
    let row_of =
        |row: &OurRow| matches!(row.entry.content, Content::File { hash: of, .. } if of == hash);
    rows.iter()
        .filter(|(_, row)| row_of(row))
        .find_map(|(path, row)| {
            let node = seat.tree.get(path)?;
            match &node.kind {
                Kind::File { bytes, .. } if row.stamp == Some(node.stamp()) => Some(bytes.to_vec()),
                Kind::File { .. } | Kind::Directory | Kind::Symlink(_) => None,
            }
        })
}

fn look(
    tree: &Tree,
    rows: &BTreeMap<RelPath, OurRow>,
    scope: &ScanScope,
    after: Option<&RelPath>,
    most: usize,
) -> Look {
    let is_known_directory = |path: &RelPath| {
        rows.get(path)
            .is_some_and(|row| row.entry.content == Content::Directory)
    };
    let is_in = |path: &RelPath| match scope {
        ScanScope::All => true,
        ScanScope::Paths(paths) => {
            paths.contains(path)
                || paths.iter().any(|target| path.is_below(target))
                // Directories on the way that we do not know yet.
                || (!is_known_directory(path) && paths.iter().any(|target| target.is_below(path)))
        }
    };
    let live = |row: &OurRow| row.entry.content != Content::Absent;
    let on_disk = tree.after(after).map(|(path, _)| path);
    let known = rows
        .iter()
        .filter(|(path, row)| after.is_none_or(|after| *path > after) && live(row))
        .map(|(path, _)| path);
    let all: BTreeSet<&RelPath> = on_disk.chain(known).filter(|path| is_in(path)).collect();
    let mut look = Look {
        end: Some(PageEnd::End),
        ..Look::default()
    };
    for (count, path) in all.into_iter().enumerate() {
        if count == most {
            look.end = Some(PageEnd::More);
            break;
        }
        look.last = Some(path.clone());
        match (tree.get(path), rows.get(path)) {
            (None, _) => look.absent.push(path.clone()),
            (Some(node), row) => {
                if !row.is_some_and(|row| is_unchanged(row, node)) {
                    look.found.push(Found {
                        path: path.clone(),
                        content: node.kind.content(),
                        mtime: node.mtime,
                        stamp: node.stamp(),
                    });
                }
            }
        }
    }
    look
}

fn is_unchanged(row: &OurRow, node: &Node) -> bool {
    match (&row.entry.content, &node.kind) {
        (Content::Directory, Kind::Directory) => true,
        (Content::File { .. }, Kind::File { .. }) | (Content::Symlink { .. }, Kind::Symlink(_)) => {
            row.stamp == Some(node.stamp())
        }
        (
            Content::Absent | Content::Directory | Content::File { .. } | Content::Symlink { .. },
            Kind::File { .. } | Kind::Directory | Kind::Symlink(_),
        ) => false,
    }
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

fn put_in_place(
    tree: &mut Tree,
    step: &Step,
    made: Option<Kind>,
    rechecks: bool,
    keeps: bool,
) -> Outcome {
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
    if !as_expected && rechecks {
        return Outcome::Stale;
    }
    let is_full = !tree.below(&step.path).is_empty();
    let replaces_directory = there.as_ref().is_some_and(Node::is_directory);
    if is_full && step.content != Content::Directory {
        return Outcome::NotEmpty;
    }
    let mut kept = None;
    if let (Some(keep), Some(node), true) = (&step.keep, &there, keeps)
        && !replaces_directory
    {
        match tree.get(keep) {
            Some(other) if !other.kind.content().same_bytes(&node.kind.content()) => {
                return Outcome::Stale;
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
                tree.put(
                    &parent,
                    Kind::Directory,
                    towline_wire::entry::UnixNanos::default(),
                );
            }
            made
        }
    }
}
