//! Power cuts: a machine goes down, and its disk has not kept what was written last.
//!
//! Files of which a peer has the bytes come back zeroed or shorter, with marks that say that nobody has
//! written since. The store is whole: it syncs. Two devices never lose the same bytes at the same path:
//! what a step has written is synced, so only who wrote them can, and two that do would each wait for
//! what the other has told. So they would where one that only receives has told of a file, and people
//! have taken it away there, or where a twin of its name has come into its place on a disk that sees no
//! case. How many cuts come is drawn beside everything else, so worlds without one
//! are as they would be if there were none.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::records::{Doubt, OurRow, Reach, StoreOp};
use towline_wire::entry::{Content, UnixNanos};
use towline_wire::ids::FolderId;
use towline_wire::rel_path::RelPath;

use super::fault::Fault;
use super::{Event, Seat, World};
use crate::dice::Dice;
use crate::faults::Names;
use crate::mutation::Mutation;
use crate::tree::{Kind, Node, Presence};

/// The power cuts of a world, drawn from its seed.
#[derive(Debug)]
pub(super) struct Power {
    dice: Dice,
    cuts: usize,
}

/// A file that a power cut has taken.
#[derive(Debug, Clone)]
pub(crate) struct Spoiled {
    /// What lies there.
    pub(crate) lies: Content,
    /// What lay there.
    pub(crate) lay: Content,
    going: Going,
}

/// Whether all know it when a person takes away what lay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    Told,
    /// A store was set back since, perhaps to before it knew of the file. Who then takes it away unseen
    /// deletes nothing that anybody would know of, and what is left of it may be told.
    MayBeUnknown,
}

/// Beside the seed of a world, the seed of its power cuts.
const POWER: u64 = 0x706f_7765_7220_6375;

/// Files that one cut takes at most.
const TAKEN_MAX: usize = 4;

impl Power {
    pub(super) fn of(seed: u64, mutation: Option<Mutation>) -> Self {
        let mut dice = Dice::new(seed ^ POWER);
        let cuts = match mutation {
            Some(Mutation::SpoiledIsEdit | Mutation::MarksTrusted) => 4,
            Some(_) | None if dice.chance(30) => dice.between(1, 3),
            Some(_) | None => 0,
        };
        Self { dice, cuts }
    }
}

impl World {
    /// Draws the power cuts of the time that comes.
    pub(super) fn draw_power_cuts(&mut self, within: Duration) {
        let most = usize::try_from(within.as_millis()).unwrap_or(0);
        for _ in 0..self.power.cuts {
            let dice = &mut self.power.dice;
            let at = dice.millis(0, most);
            let wait = dice.millis(50, 15_000);
            let seat = dice.below(self.seats.len());
            self.after(at, Event::Fault(Fault::PowerCut { seat, wait }));
        }
    }

    /// The machine under a device goes down.
    pub(super) fn lose_power(&mut self, seat: usize, wait: Duration) {
        let Some(folder) = self.folder.filter(|_| self.is_up(seat)) else {
            return;
        };
        self.crash(seat);
        self.after(wait, Event::Restart { seat });
        if self.seat(seat).tree.presence != Presence::There {
            return;
        }
        let mut known = match self.seat(seat).tree.disk().names {
            Names::Exact => self.known_elsewhere(seat, folder),
            Names::CaseBlind => Vec::new(),
        };
        for _ in 0..TAKEN_MAX {
            if known.is_empty() || self.power.dice.chance(20) {
                break;
            }
            let path = known.swap_remove(self.power.dice.below(known.len()));
            self.spoil(seat, path);
        }
        let place = self.seat_mut(seat);
        // A copy of the store from before knows nothing of the cut, nor of what was lost.
        place.backup = None;
        place.tears_after = None;
        let doubt = Doubt::Since(UnixNanos::default());
        place.shelf.put(vec![StoreOp::PutDoubt { folder, doubt }]);
        if place.believed.is_some() {
            place.believed = place.shelf.copy();
        }
    }

    /// Files of which the store knows what lies on the disk, and a peer has the same, but nobody who only
    /// receives.
    fn known_elsewhere(&mut self, seat: usize, folder: FolderId) -> Vec<RelPath> {
        let mut known = self.known(seat, folder);
        let peers: Vec<usize> = self
            .edges
            .iter()
            .filter(|edge| edge.is_shared())
            .flat_map(|edge| edge.both_ways())
            .filter_map(|(one, other)| (one == seat).then_some(other))
            .collect();
        let (mut theirs, mut received) = (Vec::new(), BTreeSet::new());
        for peer in peers {
            let rows = self.known(peer, folder);
            if self.keeps_to_itself(peer) {
                received.extend(rows.into_iter().map(|row| row.entry.path));
            } else {
                theirs.extend(rows);
            }
        }
        known.retain(|row| {
            theirs.iter().any(|other| other.entry == row.entry)
                && !received.contains(&row.entry.path)
                && !self.is_lost_elsewhere(seat, row)
        });
        known.into_iter().map(|row| row.entry.path).collect()
    }

    /// Whether a power cut has taken these bytes at this path from another seat.
    fn is_lost_elsewhere(&self, seat: usize, row: &OurRow) -> bool {
        let others = self.seats.iter().enumerate();
        let mut others = others.filter(|(other, _)| *other != seat);
        others.any(|(_, other)| {
            let spoiled = other.spoiled.get(&row.entry.path);
            spoiled.is_some_and(|spoiled| spoiled.lay.same_bytes(&row.entry.content))
        })
    }

    /// Rows of files that lie on the disk as they say.
    fn known(&mut self, seat: usize, folder: FolderId) -> Vec<OurRow> {
        let place = self.seat_mut(seat);
        let tree = &place.tree;
        let is_true = |row: &&OurRow| {
            let node = tree.get(&row.entry.path);
            row.reach == Reach::Everyone
                && matches!(row.entry.content, Content::File { size: 1.., .. })
                && node.is_some_and(|node| row.stamp == Some(node.stamp()))
                && node.is_some_and(|node| node.kind.content() == row.entry.content)
        };
        place.shelf.with_rows(folder, |rows| {
            rows.values().filter(is_true).cloned().collect()
        })
    }

    /// A file loses bytes that were not yet written, and shows no sign of it.
    fn spoil(&mut self, seat: usize, path: RelPath) {
        let Some(Node { kind, .. }) = self.seat(seat).tree.get(&path).cloned() else {
            return;
        };
        let Kind::File {
            bytes, executable, ..
        } = &kind
        else {
            return;
        };
        let (left, back) = match self.power.dice.below(3) {
            0 => (vec![0; bytes.len()], 0),
            1 => (Vec::new(), 1),
            _ => (bytes[..bytes.len() / 2].to_vec(), 1),
        };
        let left = Kind::file(left, *executable);
        let (lies, lay) = (left.content(), kind.content());
        self.note(format_args!("{seat} loses what lay at {path}: {lies:?}"));
        let is_edit = self.has(Mutation::SpoiledIsEdit);
        let place = self.seat_mut(seat);
        place.tree.spoil(&path, left, back);
        if is_edit && let Some(node) = place.tree.get(&path).cloned() {
            place.tree.rewrite(&path, node.kind, node.mtime);
        }
        let going = Going::Told;
        place.spoiled.insert(path, Spoiled { lies, lay, going });
    }

    /// Whether what lies at a path is what a power cut has left there.
    pub(super) fn is_spoiled(&self, seat: usize, path: &RelPath) -> bool {
        let node = self.seat(seat).tree.get(path);
        node.is_some_and(|node| self.has_left(seat, &node.kind.content(), path))
    }

    /// Whether a power cut has left this at a path.
    pub(super) fn has_left(&self, seat: usize, content: &Content, path: &RelPath) -> bool {
        let spoiled = self.seat(seat).spoiled.get(path);
        spoiled.is_some_and(|spoiled| spoiled.lies.same_bytes(content))
    }

    /// Whether a power cut has ever taken what lay at a path, on any seat.
    pub(crate) fn was_spoiled(&self, path: &RelPath) -> bool {
        let mut seats = self.seats.iter();
        seats.any(|seat| seat.spoiled.contains_key(path))
    }

    /// Whether what a power cut has left lies anywhere.
    pub(super) fn is_anything_spoiled(&self) -> bool {
        (0..self.seats.len()).any(|seat| {
            let mut paths = self.seat(seat).spoiled.keys();
            paths.any(|path| self.is_spoiled(seat, path))
        })
    }

    /// A store is set back: it may not know any more of what lay where a power cut has left something.
    pub(super) fn forget_goings(&mut self) {
        for seat in &mut self.seats {
            let Seat { spoiled, tree, .. } = seat;
            for (path, spoiled) in spoiled {
                let node = tree.get(path);
                if node.is_some_and(|node| spoiled.lies.same_bytes(&node.kind.content())) {
                    spoiled.going = Going::MayBeUnknown;
                }
            }
        }
    }

    /// Whether this is what a power cut has left of something that a person has taken away without any
    /// record of it: then it is all that there is, and it is told.
    pub(crate) fn is_all_that_is_left(&self, content: &Content) -> bool {
        let mut spoiled = self.seats.iter().flat_map(|seat| &seat.spoiled);
        spoiled.any(|(path, spoiled)| {
            spoiled.going == Going::MayBeUnknown
                && spoiled.lies.same_bytes(content)
                && !self.ledger.lives(&spoiled.lay, path)
        })
    }

    /// A person takes away or replaces what a power cut has left: what lay there may go with it, or come
    /// back.
    pub(super) fn clears_away(&mut self, seat: usize, content: &Content, path: &RelPath) {
        let spoiled = self.seat(seat).spoiled.get(path);
        if let Some(spoiled) = spoiled.filter(|spoiled| spoiled.lies.same_bytes(content)) {
            let lay = spoiled.lay.clone();
            self.ledger.doubted(&lay, path, seat);
        }
    }
}
