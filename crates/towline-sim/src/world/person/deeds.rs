//! What people do to files, and what the ledger is told of it.
//!
//! A person takes names as the disk spells them: on one that does not see case, writing to another
//! spelling writes to the file that is there. Nobody can touch what is locked, nor what holds it.

use std::collections::BTreeSet;

use towline_wire::entry::{Content, SymlinkTarget, UnixNanos};
use towline_wire::rel_path::RelPath;

use super::super::World;
use super::{CONTENT_MARK, DEPTH_MAX, Time};
use crate::tree::{Gone, Kind, Node, Presence};

impl World {
    pub(in super::super) fn can_touch(&self, seat: usize, path: &RelPath) -> bool {
        let tree = &self.seat(seat).tree;
        tree.presence == Presence::There && tree.has_parent(path) && !tree.holds_locked(path)
    }

    pub(in super::super) fn spelled(&self, seat: usize, path: &RelPath) -> RelPath {
        self.seat(seat).tree.spelled(path)
    }

    pub(super) fn new_bytes(&mut self) -> Vec<u8> {
        self.people.written += 1;
        let filler = "x".repeat(self.dice.below(40));
        format!("{CONTENT_MARK} {} {filler}", self.people.written).into_bytes()
    }

    pub(super) fn consumed(&mut self, seat: usize, gone: Gone) {
        for (path, node) in &gone {
            self.clears_away(seat, &node.kind.content(), path);
        }
        if self.keeps_to_itself(seat) {
            return self.consumed_by_a_receiver(seat, &gone);
        }
        for (path, node) in gone {
            let content = node.kind.content();
            self.note_taken_by_hand(seat, &content);
            self.ledger.consumed(&content, &path, seat);
        }
    }

    /// What people take away where the folder only receives is no act, but for one thing: a conflict copy
    /// is made where the loser lay. Until others have it nobody can bring it back, and who had the same
    /// bytes gives them up because they are kept.
    fn consumed_by_a_receiver(&mut self, seat: usize, gone: &Gone) {
        for (path, node) in gone {
            let content = node.kind.content();
            if path.is_in_inbox() {
                self.ledger.given_up(&content, seat);
            }
        }
    }

    /// Something new lies at a path in the place of what is gone. The same bytes over the same bytes
    /// are no write: whoever replaces them elsewhere has seen them.
    pub(super) fn replaced(
        &mut self,
        seat: usize,
        mut gone: Gone,
        content: &Content,
        path: &RelPath,
    ) {
        let many = gone.len();
        let is_spoiled = self.has_left(seat, content, path);
        gone.retain(|(old, node)| {
            old != path || is_spoiled || !node.kind.content().same_bytes(content)
        });
        let is_write = gone.len() == many;
        let mut there = gone.iter().filter(|(old, _)| old == path);
        let before = there.next().map(|(_, node)| node.kind.content());
        self.consumed(seat, gone);
        if self.keeps_to_itself(seat) {
            return self.ledger.written_alone(path);
        }
        if is_write {
            if let (Some(before), Content::File { .. }) = (before, content) {
                self.ledger.edited(&before, path, seat);
            }
            self.ledger.born(content, path, seat);
            if is_spoiled {
                // The same bytes as the cut has left there: they still count as what it left.
                self.ledger.doubted(content, path, seat);
            }
        } else {
            self.ledger.touched(content, path);
        }
    }

    pub(super) fn put(&mut self, seat: usize, path: &RelPath, kind: Kind) {
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
    pub(in super::super) fn write(&mut self, seat: usize, path: &RelPath) {
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

    pub(super) fn rewrite(&mut self, seat: usize, path: &RelPath, kind: Kind) {
        let mtime = self.wall(seat);
        self.rewrite_at(seat, path, kind, mtime);
    }

    fn rewrite_at(&mut self, seat: usize, path: &RelPath, kind: Kind, mtime: UnixNanos) {
        self.note(format_args!(
            "{seat} person rewrites {path} {:?}",
            kind.content()
        ));
        let content = kind.content();
        let gone = self.seat_mut(seat).tree.rewrite(path, kind, mtime);
        self.replaced(seat, gone, &content, path);
        self.disturb(seat, BTreeSet::from([path.clone()]));
    }

    /// Adds to a file; some programs put its time back afterwards.
    pub(super) fn append(&mut self, seat: usize, path: &RelPath, time: Time) {
        if !self.can_touch(seat, path) {
            return;
        }
        let more = self.new_bytes();
        let node = self.seat(seat).tree.get(path).cloned();
        if let Some(node) = node
            && let Kind::File {
                bytes, executable, ..
            } = node.kind
        {
            let bytes = [bytes.to_vec(), more].concat();
            let mtime = match time {
                Time::Now => self.wall(seat),
                Time::Before => node.mtime,
            };
            self.rewrite_at(seat, path, Kind::file(bytes, executable), mtime);
        }
    }

    /// Writes other bytes of the same number into a file and puts its time back.
    pub(super) fn change_unseen(&mut self, seat: usize, path: &RelPath) {
        let node = self.seat(seat).tree.get(path).cloned();
        if let Some(node) = node
            && self.can_touch(seat, path)
            && let Kind::File {
                bytes, executable, ..
            } = node.kind
        {
            let mut new = self.new_bytes();
            new.resize(bytes.len().max(new.len()), b'y');
            self.rewrite_at(seat, path, Kind::file(new, executable), node.mtime);
        }
    }

    /// Writes a new file beside and renames it over the old one.
    pub(super) fn save_by_rename(&mut self, seat: usize, path: &RelPath) {
        let is_directory = self
            .seat(seat)
            .tree
            .get(path)
            .is_some_and(Node::is_directory);
        if self.can_touch(seat, path) && !is_directory {
            let bytes = self.new_bytes();
            self.put(seat, path, Kind::file(bytes, false));
        }
    }

    /// A person deletes everything.
    pub(in super::super) fn clear(&mut self, seat: usize) {
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

    pub(in super::super) fn delete(&mut self, seat: usize, path: &RelPath) {
        if !self.can_touch(seat, path) {
            return;
        }
        self.note(format_args!("{seat} person deletes {path}"));
        let gone = self.seat_mut(seat).tree.remove(path);
        self.consumed(seat, gone);
        self.disturb(seat, BTreeSet::from([path.clone()]));
    }

    pub(in super::super) fn rename(&mut self, seat: usize, from: &RelPath, to: &RelPath) {
        let there = self.spelled(seat, to);
        // Another spelling of its own name is a new name; any other name is taken as it lies there.
        let to = if there == *from { to } else { &there };
        let into_itself = to == from || to.is_below(from) || from.is_below(to);
        let deepest = self
            .seat(seat)
            .tree
            .below(from)
            .iter()
            .map(RelPath::depth)
            .max();
        let grows = to.depth() + deepest.unwrap_or(from.depth()) - from.depth();
        if into_itself
            || grows > DEPTH_MAX + 3
            || self.seat(seat).tree.get(from).is_none()
            || !self.can_touch(seat, from)
            || !self.can_touch(seat, to)
        {
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
                self.clears_away(seat, &content, &old);
                if !self.keeps_to_itself(seat) {
                    self.note_taken_by_hand(seat, &content);
                    self.ledger.consumed(&content, &old, seat);
                    self.ledger.moved(&content, &old, &new, seat);
                }
                self.replaced(seat, gone, &content, &new);
            }
        }
        self.disturb(seat, BTreeSet::from([from.clone(), to.clone()]));
    }

    pub(super) fn copy(&mut self, seat: usize, from: &RelPath, to: &RelPath) {
        if self.can_touch(seat, to)
            && !from.is_below(to)
            && let Some(kind) = self.seat(seat).tree.get(from).map(|node| node.kind.clone())
        {
            self.put(seat, to, kind);
        }
    }

    pub(super) fn flip_executable(&mut self, seat: usize, path: &RelPath) {
        // Who touches what a power cut has left makes it theirs, or not, as it was found or not.
        if self.is_spoiled(seat, path) {
            return;
        }
        if let Some(node) = self.seat(seat).tree.get(path).cloned()
            && self.can_touch(seat, path)
            && let content = node.kind.content()
            && let Kind::File {
                bytes,
                hash,
                executable,
            } = node.kind
        {
            self.note(format_args!("{seat} person flips {path}"));
            self.ledger.touched(&content, path);
            let kind = Kind::File {
                bytes,
                hash,
                executable: !executable,
            };
            self.seat_mut(seat).tree.rewrite(path, kind, node.mtime);
            self.disturb(seat, BTreeSet::from([path.clone()]));
        }
    }

    pub(in super::super) fn touch(&mut self, seat: usize, path: &RelPath) {
        if self.is_spoiled(seat, path) {
            return;
        }
        if let Some(node) = self.seat(seat).tree.get(path).cloned()
            && self.can_touch(seat, path)
        {
            self.note(format_args!("{seat} person touches {path}"));
            self.ledger.touched(&node.kind.content(), path);
            let mtime = self.wall(seat);
            self.seat_mut(seat).tree.rewrite(path, node.kind, mtime);
            self.disturb(seat, BTreeSet::from([path.clone()]));
        }
    }

    pub(super) fn link(&mut self, seat: usize, path: &RelPath) {
        self.people.written += 1;
        let target = format!("../somewhere/{}", self.people.written);
        if self.can_touch(seat, path)
            && let Ok(target) = SymlinkTarget::parse(target)
        {
            self.put(seat, path, Kind::Symlink(target));
        }
    }

    pub(super) fn make_directory(&mut self, seat: usize, path: &RelPath) {
        let is_there = self
            .seat(seat)
            .tree
            .get(path)
            .is_some_and(Node::is_directory);
        if self.can_touch(seat, path) && !is_there && path.depth() < DEPTH_MAX {
            self.put(seat, path, Kind::Directory);
        }
    }

    // --- several at once -------------------------------------------------------------------------

    /// Two paths trade places, by way of a third.
    pub(super) fn swap(&mut self, seat: usize, one: &RelPath, other: &RelPath) {
        let Ok(aside) = one.with_file_name(ASIDE) else {
            return;
        };
        if one.is_below(other) || other.is_below(one) || one == other {
            return;
        }
        self.rename(seat, one, &aside);
        self.rename(seat, other, one);
        self.rename(seat, &aside, other);
    }

    /// One path takes the name of the next, that one the name of the one after it, and so on.
    pub(super) fn rename_in_a_row(&mut self, seat: usize, paths: &[RelPath], last: &RelPath) {
        let names = paths.iter().skip(1).chain([last]);
        let moves: Vec<_> = paths.iter().zip(names).collect();
        for (from, to) in moves.into_iter().rev() {
            if self.seat(seat).tree.get(from).is_some() {
                self.rename(seat, from, to);
            }
        }
    }

    /// What lay at a path moves into a new directory of the same name.
    pub(super) fn wrap(&mut self, seat: usize, path: &RelPath) {
        let (Ok(aside), Ok(inside)) = (path.with_file_name(ASIDE), path.join(path.file_name()))
        else {
            return;
        };
        if path.depth() < DEPTH_MAX {
            self.rename(seat, path, &aside);
            self.make_directory(seat, path);
            self.rename(seat, &aside, &inside);
        }
    }

    /// What lies at a path moves to where its directory lies.
    pub(super) fn move_up(&mut self, seat: usize, path: &RelPath) {
        let Some(directory) = path.parent() else {
            return;
        };
        let up = match directory.parent() {
            Some(above) => above.join(path.file_name()),
            None => RelPath::parse(path.file_name()),
        };
        if let Ok(up) = up {
            self.rename(seat, path, &up);
        }
    }

    /// The same name in other letters.
    pub(super) fn flip_case(&mut self, seat: usize, path: &RelPath) {
        let name = path.file_name();
        let flipped = if name.to_lowercase() == name {
            name.to_uppercase()
        } else {
            name.to_lowercase()
        };
        if let Ok(flipped) = path.with_file_name(&flipped) {
            self.rename(seat, path, &flipped);
        }
    }
}

/// Where things lie that trade places.
const ASIDE: &str = "aside";
