//! The people in front of the devices: they change files as people do, at the worst moments.
//!
//! Everything that a person writes is unique, so that the oracle can tell whose bytes lie where.
//! Names come from a small pool, so that people meet on the same paths. `deeds` holds what each thing
//! that people do means for the tree and for the ledger.

mod deeds;

use std::time::Duration;

use towline_wire::rel_path::RelPath;

use super::{Event, World};
use crate::tree::Kind;

/// Text at the head of every file: it must never be seen by the server.
pub(crate) const CONTENT_MARK: &str = "private words";

/// What files and directories are called, some in two spellings.
pub(crate) const NAMES: [&str; 9] = [
    "gardening",
    "orchid.txt",
    "walnuts.md",
    "kitchens",
    "copperplate",
    "libraries",
    "velvets.tar.gz",
    "Orchid.txt",
    "KITCHENS",
];

/// Directories in directories that people make.
const DEPTH_MAX: usize = 4;

/// What a person does.
#[derive(Debug)]
pub(crate) enum Act {
    /// Whatever comes to mind.
    Any(usize),
    /// Something right there, right now.
    Poke(usize, RelPath),
    /// Everybody writes the same path at once.
    Duel(RelPath),
    /// Two people move two directories into each other.
    Cross(RelPath, RelPath),
}

/// The modification time that a file has after somebody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Now,
    /// As it was.
    Before,
}

/// What all people have in common.
#[derive(Debug, Default)]
pub(super) struct People {
    pub(super) mood: Mood,
    written: u64,
    pokes: u32,
}

/// Whether people touch their files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Quiet,
    Busy,
}

impl People {
    /// Whether people still work, or have only just ended.
    pub(super) fn is_busy(&self) -> bool {
        self.mood == Mood::Busy
    }
}

impl World {
    /// A step is about to be carried out: somebody may just be working on that file.
    pub(super) fn tempt(&mut self, seat: usize, path: &RelPath, within: Duration) {
        if self.people.mood == Mood::Busy && self.people.pokes < 12 && self.dice.chance(7) {
            self.people.pokes += 1;
            let most = usize::try_from(within.as_micros()).unwrap_or(0) + 5000;
            let wait = self.dice.micros(0, most);
            self.after(wait, Event::Act(Act::Poke(seat, path.clone())));
        }
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Any(seat) => self.do_anything(seat),
            Act::Poke(seat, path) => {
                if self.people.mood == Mood::Busy {
                    let path = self.spelled(seat, &path);
                    match self.dice.below(8) {
                        0 | 1 => self.delete(seat, &path),
                        2 | 3 => self.save_by_rename(seat, &path),
                        4 => self.append(seat, &path, Time::Before),
                        _ => self.write(seat, &path),
                    }
                }
            }
            Act::Cross(one, other) => self.cross(one, other),
            Act::Duel(path) => {
                for seat in 0..self.seats.len() {
                    if self.dice.chance(85) {
                        let path = self.spelled(seat, &path);
                        self.write(seat, &path);
                    }
                }
            }
        }
    }

    /// A person has some files before anything is shared.
    pub(crate) fn furnish(&mut self, seat: usize) {
        for _ in 0..self.dice.below(6) {
            self.do_anything(seat);
        }
    }

    fn do_anything(&mut self, seat: usize) {
        let some = self.some_path(seat);
        let other = self.some_path(seat);
        let Some(new) = self.new_path(seat) else {
            return;
        };
        let file = self.some_file(seat);
        match (self.dice.below(120), file, some) {
            (0..25, _, _) | (_, None, _) | (_, _, None) => self.write(seat, &new),
            (25..40, Some(file), _) => self.write(seat, &file),
            (40..44, Some(file), _) => self.append(seat, &file, Time::Now),
            (44..47, Some(file), _) => self.append(seat, &file, Time::Before),
            (47..49, Some(file), _) => self.change_unseen(seat, &file),
            (49..54, Some(file), _) => self.save_by_rename(seat, &file),
            (54..63, _, Some(some)) => self.delete(seat, &some),
            (63..72, _, Some(some)) => self.rename(seat, &some, &new),
            (72..76, Some(file), _) => self.copy(seat, &file, &new),
            (76..79, Some(file), _) => self.flip_executable(seat, &file),
            (79..82, _, _) => self.link(seat, &new),
            (82..84, Some(file), _) => self.link(seat, &file),
            (84..90, _, _) => self.make_directory(seat, &new),
            (90..94, Some(file), _) => self.make_directory(seat, &file),
            (94..97, _, Some(some)) => self.write(seat, &some),
            (97..100, Some(file), _) => self.touch(seat, &file),
            (100..105, _, Some(some)) => self.swap(seat, &some, &other.unwrap_or(new)),
            (105..109, _, Some(some)) => {
                let row = [Some(some), other]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>();
                self.rename_in_a_row(seat, &row, &new);
            }
            (109..112, _, Some(some)) => self.wrap(seat, &some),
            (112..115, _, Some(some)) => self.move_up(seat, &some),
            (115.., _, Some(some)) => self.flip_case(seat, &some),
        }
    }

    /// Two people move one directory into the other, each the other way.
    fn cross(&mut self, one: RelPath, other: RelPath) {
        let seats = self.seats.len();
        let first = self.dice.below(seats);
        let second = (first + 1 + self.dice.below(seats - 1)) % seats;
        for (seat, moved, into) in [(first, &one, &other), (second, &other, &one)] {
            if let Ok(inside) = into.join(moved.file_name()) {
                self.rename(seat, moved, &inside);
            }
        }
    }

    // --- where -------------------------------------------------------------------------------------

    fn some_path(&mut self, seat: usize) -> Option<RelPath> {
        let paths: Vec<RelPath> = self
            .seat(seat)
            .tree
            .iter()
            .map(|(path, _)| path.clone())
            .filter(|path| !path.is_in_inbox())
            .collect();
        self.dice.pick(&paths).cloned()
    }

    fn some_file(&mut self, seat: usize) -> Option<RelPath> {
        let paths: Vec<RelPath> = self
            .seat(seat)
            .tree
            .iter()
            .filter(|(_, node)| matches!(node.kind, Kind::File { .. }))
            .filter(|(path, _)| !path.is_in_inbox())
            .map(|(path, _)| path.clone())
            .collect();
        self.dice.pick(&paths).cloned()
    }

    fn new_path(&mut self, seat: usize) -> Option<RelPath> {
        let directories: Vec<RelPath> = self
            .seat(seat)
            .tree
            .iter()
            .filter(|(path, node)| node.is_directory() && path.depth() < DEPTH_MAX)
            .map(|(path, _)| path.clone())
            .collect();
        let name = *self.dice.pick(&NAMES)?;
        let above = self.dice.chance(60).then(|| self.dice.pick(&directories));
        let path = match above.flatten() {
            Some(directory) => directory.join(name).ok(),
            None => RelPath::parse(name).ok(),
        };
        path.map(|path| self.spelled(seat, &path))
    }

    /// Two directories somewhere, neither in the other.
    pub(super) fn two_directories(&mut self, seat: usize) -> Option<(RelPath, RelPath)> {
        let directories: Vec<RelPath> = self
            .seat(seat)
            .tree
            .iter()
            .filter(|(_, node)| node.is_directory())
            .map(|(path, _)| path.clone())
            .collect();
        let one = self.dice.pick(&directories)?;
        let other = self.dice.pick(&directories)?;
        let apart = one != other && !one.is_below(other) && !other.is_below(one);
        apart.then(|| (one.clone(), other.clone()))
    }

    /// A path at the top on which people meet.
    pub(super) fn meeting_place(&mut self) -> Option<RelPath> {
        let name = *self.dice.pick(&NAMES)?;
        RelPath::parse(name).ok()
    }
}
