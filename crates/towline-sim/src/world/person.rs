//! The people in front of the devices: they change files as people do, at the worst moments.
//!
//! Everything that a person writes is unique, so that the oracle can tell whose bytes lie where.
//! Names come from a small pool, so that people meet on the same paths.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_wire::entry::{Content, SymlinkTarget};
use towline_wire::rel_path::RelPath;

use super::{Event, World};
use crate::tree::{Gone, Kind, Presence};

/// Text at the head of every file: it must never be seen by the server.
pub(crate) const CONTENT_MARK: &str = "private words";

/// What files and directories are called.
pub(crate) const NAMES: [&str; 7] = [
    "gardening",
    "orchid.txt",
    "walnuts.md",
    "kitchens",
    "copperplate",
    "libraries",
    "velvets.tar.gz",
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
                    match self.dice.below(4) {
                        0 => self.delete(seat, &path),
                        1 => self.save_by_rename(seat, &path),
                        _ => self.write(seat, &path),
                    }
                }
            }
            Act::Duel(path) => {
                for seat in 0..self.seats.len() {
                    if self.dice.chance(85) {
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
        let Some(new) = self.new_path(seat) else {
            return;
        };
        let file = self.some_file(seat);
        match (self.dice.below(100), file, some) {
            (0..25, _, _) | (_, None, _) | (_, _, None) => self.write(seat, &new),
            (25..40, Some(file), _) => self.write(seat, &file),
            (40..46, Some(file), _) => self.append(seat, &file),
            (46..52, Some(file), _) => self.save_by_rename(seat, &file),
            (52..62, _, Some(some)) => self.delete(seat, &some),
            (62..72, _, Some(some)) => self.rename(seat, &some, &new),
            (72..76, Some(file), _) => self.copy(seat, &file, &new),
            (76..79, Some(file), _) => self.flip_executable(seat, &file),
            (79..83, _, _) => self.link(seat, &new),
            (83..90, _, _) => self.make_directory(seat, &new),
            (90..94, Some(file), _) => self.make_directory(seat, &file),
            (94..97, _, Some(some)) => self.write(seat, &some),
            (97.., Some(file), _) => self.touch(seat, &file),
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
        if self.dice.chance(40) {
            return RelPath::parse(name).ok();
        }
        match self.dice.pick(&directories) {
            Some(directory) => directory.join(name).ok(),
            None => RelPath::parse(name).ok(),
        }
    }

    /// A path at the top on which people meet.
    pub(super) fn meeting_place(&mut self) -> Option<RelPath> {
        let name = *self.dice.pick(&NAMES)?;
        RelPath::parse(name).ok()
    }

    // --- what ----------------------------------------------------------------------------------------

    fn can_touch(&self, seat: usize, path: &RelPath) -> bool {
        let tree = &self.seat(seat).tree;
        tree.presence == Presence::There && tree.has_parent(path)
    }

    fn new_bytes(&mut self) -> Vec<u8> {
        self.people.written += 1;
        let filler = "x".repeat(self.dice.below(40));
        format!("{CONTENT_MARK} {} {filler}", self.people.written).into_bytes()
    }

    fn consumed(&mut self, seat: usize, gone: Gone) {
        if self.keeps_to_itself(seat) {
            return;
        }
        for (path, node) in gone {
            self.ledger.consumed(&node.kind.content(), &path, seat);
        }
    }

    /// Something new lies at a path in the place of what is gone. The same bytes over the same bytes
    /// are no write: whoever replaces them elsewhere has seen them.
    fn replaced(&mut self, seat: usize, mut gone: Gone, content: &Content, path: &RelPath) {
        let before = gone.len();
        gone.retain(|(old, node)| old != path || !node.kind.content().same_bytes(content));
        let is_write = gone.len() == before;
        self.consumed(seat, gone);
        if is_write && !self.keeps_to_itself(seat) {
            self.ledger.born(content, path, seat);
        }
    }

    fn put(&mut self, seat: usize, path: &RelPath, kind: Kind) {
        let mtime = self.wall(seat);
        self.note(format_args!(
            "{seat} person puts {path} {:?}",
            kind.content()
        ));
        let content = kind.content();
        let gone = self.seat_mut(seat).tree.put(path, kind, mtime);
        self.replaced(seat, gone, &content, path);
        self.disturb(seat, BTreeSet::from([path.clone()]));
    }

    /// Writes a file; in place where there is one, as most editors of small tools do.
    fn write(&mut self, seat: usize, path: &RelPath) {
        if !self.can_touch(seat, path) {
            return;
        }
        let bytes = self.new_bytes();
        let there = self.seat(seat).tree.get(path).map(|node| node.kind.clone());
        match there {
            Some(Kind::File { executable, .. }) => {
                self.rewrite(seat, path, Kind::file(bytes, executable));
            }
            Some(Kind::Directory | Kind::Symlink(_)) | None => {
                self.put(seat, path, Kind::file(bytes, false));
            }
        }
    }

    fn rewrite(&mut self, seat: usize, path: &RelPath, kind: Kind) {
        let mtime = self.wall(seat);
        self.note(format_args!(
            "{seat} person rewrites {path} {:?}",
            kind.content()
        ));
        let content = kind.content();
        let gone = self.seat_mut(seat).tree.rewrite(path, kind, mtime);
        self.replaced(seat, gone, &content, path);
        self.disturb(seat, BTreeSet::from([path.clone()]));
    }

    fn append(&mut self, seat: usize, path: &RelPath) {
        if !self.can_touch(seat, path) {
            return;
        }
        let more = self.new_bytes();
        if let Some(Kind::File {
            bytes, executable, ..
        }) = self.seat(seat).tree.get(path).map(|node| node.kind.clone())
        {
            let bytes = [bytes.to_vec(), more].concat();
            self.rewrite(seat, path, Kind::file(bytes, executable));
        }
    }

    /// Writes a new file beside and renames it over the old one.
    fn save_by_rename(&mut self, seat: usize, path: &RelPath) {
        let is_directory = self
            .seat(seat)
            .tree
            .get(path)
            .is_some_and(crate::tree::Node::is_directory);
        if self.can_touch(seat, path) && !is_directory {
            let bytes = self.new_bytes();
            self.put(seat, path, Kind::file(bytes, false));
        }
    }

    /// A person deletes everything.
    pub(super) fn clear(&mut self, seat: usize) {
        let tree = &self.seat(seat).tree;
        let all: Vec<RelPath> = tree
            .iter()
            .filter(|(path, _)| path.parent().is_none())
            .map(|(path, _)| path.clone())
            .collect();
        for path in all {
            self.delete(seat, &path);
        }
    }

    fn delete(&mut self, seat: usize, path: &RelPath) {
        if !self.can_touch(seat, path) {
            return;
        }
        self.note(format_args!("{seat} person deletes {path}"));
        let gone = self.seat_mut(seat).tree.remove(path);
        self.consumed(seat, gone);
        self.disturb(seat, BTreeSet::from([path.clone()]));
    }

    fn rename(&mut self, seat: usize, from: &RelPath, to: &RelPath) {
        let into_itself = to == from || to.is_below(from) || from.is_below(to);
        if into_itself || !self.can_touch(seat, from) || !self.can_touch(seat, to) {
            return;
        }
        self.note(format_args!("{seat} person renames {from} to {to}"));
        let (replaced, moves) = self.seat_mut(seat).tree.rename(from, to);
        let (mut over, elsewhere): (Gone, Gone) = replaced
            .into_iter()
            .partition(|(path, _)| moves.iter().any(|(_, new)| new == path));
        self.consumed(seat, elsewhere);
        for (old, new) in moves {
            let content = self
                .seat(seat)
                .tree
                .get(&new)
                .map(|node| node.kind.content());
            if let Some(content) = content {
                let (gone, rest) = over.into_iter().partition(|(path, _)| *path == new);
                over = rest;
                if !self.keeps_to_itself(seat) {
                    self.ledger.consumed(&content, &old, seat);
                }
                self.replaced(seat, gone, &content, &new);
            }
        }
        self.disturb(seat, BTreeSet::from([from.clone(), to.clone()]));
    }

    fn copy(&mut self, seat: usize, from: &RelPath, to: &RelPath) {
        if self.can_touch(seat, to)
            && !from.is_below(to)
            && let Some(kind) = self.seat(seat).tree.get(from).map(|node| node.kind.clone())
        {
            self.put(seat, to, kind);
        }
    }

    fn flip_executable(&mut self, seat: usize, path: &RelPath) {
        if let Some(node) = self.seat(seat).tree.get(path).cloned()
            && self.can_touch(seat, path)
            && let Kind::File {
                bytes,
                hash,
                executable,
            } = node.kind
        {
            self.note(format_args!("{seat} person flips {path}"));
            let kind = Kind::File {
                bytes,
                hash,
                executable: !executable,
            };
            self.seat_mut(seat).tree.rewrite(path, kind, node.mtime);
            self.disturb(seat, BTreeSet::from([path.clone()]));
        }
    }

    fn touch(&mut self, seat: usize, path: &RelPath) {
        if let Some(node) = self.seat(seat).tree.get(path).cloned()
            && self.can_touch(seat, path)
        {
            self.note(format_args!("{seat} person touches {path}"));
            let mtime = self.wall(seat);
            self.seat_mut(seat).tree.rewrite(path, node.kind, mtime);
            self.disturb(seat, BTreeSet::from([path.clone()]));
        }
    }

    fn link(&mut self, seat: usize, path: &RelPath) {
        self.people.written += 1;
        let target = format!("../somewhere/{}", self.people.written);
        if self.can_touch(seat, path)
            && let Ok(target) = SymlinkTarget::parse(target)
        {
            self.put(seat, path, Kind::Symlink(target));
        }
    }

    fn make_directory(&mut self, seat: usize, path: &RelPath) {
        let is_there = self
            .seat(seat)
            .tree
            .get(path)
            .is_some_and(crate::tree::Node::is_directory);
        if self.can_touch(seat, path) && !is_there && path.depth() < DEPTH_MAX {
            self.put(seat, path, Kind::Directory);
        }
    }
}
