//! Steps on a disk. A step fetches first, then looks at its place once more, keeps what must be kept,
//! and takes the place. Between all of this people and crashes come.

use std::time::Duration;

use towline_core::io::{ApplyId, DiskEvent, Expected, Found, HeldReason, Input, Outcome, Step};
use towline_core::records::OurRow;
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, FolderId};
use towline_wire::rel_path::RelPath;

use super::{Event, Eyes, World};
use crate::mutation::Mutation;
use crate::tree::{Kind, Node, Presence, Tree};

/// Steps under way.
#[derive(Debug)]
pub(super) struct Applying {
    folder: FolderId,
    steps: Vec<Option<Step>>,
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

    /// The bytes of the file that lies at a path.
    fn lies(&self, seat: usize, path: &RelPath) -> Option<ContentHash> {
        match self.seat(seat).tree.get(path)?.kind {
            Kind::File { hash, .. } => Some(hash),
            Kind::Directory | Kind::Symlink(_) => None,
        }
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
        let lay = self.lies(seat, &step.path);
        let outcome = self.carry_out(seat, folder, &step);
        if let (Outcome::Done { .. }, Some(hash)) = (&outcome, lay)
            && !self.seat(seat).tree.holds(hash)
        {
            self.note_taken(seat);
        }
        self.note(format_args!("{seat} step {} {outcome:?}", step.path));
        let event = DiskEvent::Applied {
            apply: ApplyId(apply),
            outcomes: vec![(step.path, outcome)],
        };
        let wait = self.dice.micros(10, 20_000);
        self.deliver(seat, wait, Input::Disk(folder, event));
    }

    pub(super) fn carry_out(&mut self, seat: usize, folder: FolderId, step: &Step) -> Outcome {
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
    pub(super) fn fetch(
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
