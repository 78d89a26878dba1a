//! What people decide where versions are in conflict: one of them stays, or all do.
//!
//! A decision is carried out on the disk as the engine does it for a person: copies are moved and removed,
//! and a copy of the very bytes that lie at the path takes their place with a time of now, so that all hear of it.
//! Decisions are drawn beside everything else, so worlds without one are as they would be if there were none.

use std::time::Duration;

use towline_core::folder::conflict::beside_of;
use towline_wire::rel_path::RelPath;

use super::habits::Habit;
use super::{Event, World};
use crate::dice::Dice;
use crate::tree::{Node, Presence};

/// The decisions of a world, drawn from its seed.
#[derive(Debug)]
pub(super) struct Inbox {
    dice: Dice,
    decisions: usize,
}

/// Beside the seed of a world, the seed of its decisions.
const INBOX: u64 = 0x0069_6e62_6f78;

/// Worlds in a hundred in which conflicts are decided.
const DECIDES_PERCENT: usize = 40;

impl Inbox {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ INBOX);
        let decisions = if dice.chance(DECIDES_PERCENT) {
            dice.between(1, 12)
        } else {
            0
        };
        Self { dice, decisions }
    }
}

impl World {
    /// Draws when people look at their conflicts in the time that comes.
    pub(super) fn draw_decisions(&mut self, within: Duration) {
        let most = usize::try_from(within.as_millis()).unwrap_or(0);
        for _ in 0..self.inbox.decisions {
            let at = self.inbox.dice.millis(0, most);
            let seat = self.inbox.dice.below(self.seats.len());
            self.after(at, Event::Habit(Habit::Decide(seat)));
        }
    }

    /// A person decides one conflict.
    pub(super) fn decide_conflict(&mut self, seat: usize) {
        let tree = &self.seat(seat).tree;
        if tree.presence != Presence::There {
            return;
        }
        let copies: Vec<RelPath> = tree
            .iter()
            .filter(|(path, node)| path.is_in_inbox() && !node.is_directory())
            .map(|(path, _)| path.clone())
            .collect();
        let Some(chosen) = self.inbox.dice.pick(&copies).cloned() else {
            return;
        };
        let Some(path) = chosen.conflicted() else {
            return;
        };
        let is_of_it = |copy: &RelPath| copy.conflicted().as_ref() == Some(&path);
        let of_it: Vec<RelPath> = copies
            .iter()
            .filter(|copy| is_of_it(copy))
            .cloned()
            .collect();
        self.note(format_args!("{seat} person decides on {path}"));
        match self.inbox.dice.below(3) {
            0 => self.give_up(seat, &of_it, &path),
            1 => {
                if self.take_over(seat, &chosen, &path) {
                    let others: Vec<_> = of_it.into_iter().filter(|copy| *copy != chosen).collect();
                    self.give_up(seat, &others, &path);
                }
            }
            _ => {
                for copy in of_it {
                    if let Some(beside) = beside_of(&copy)
                        && self.is_free_for(seat, &copy, &beside)
                    {
                        self.take_over(seat, &copy, &beside);
                    }
                }
            }
        }
    }

    fn give_up(&mut self, seat: usize, copies: &[RelPath], path: &RelPath) {
        for copy in copies {
            if self.is_equal(seat, copy, path) {
                self.take_over(seat, copy, path);
            } else {
                self.delete(seat, copy);
            }
        }
    }

    /// A copy takes a path; whether it could.
    fn take_over(&mut self, seat: usize, copy: &RelPath, path: &RelPath) -> bool {
        let path = &self.spelled(seat, path);
        let there = self.seat(seat).tree.get(path);
        if there.is_some_and(Node::is_directory)
            || !self.can_touch(seat, copy)
            || !self.can_touch(seat, path)
        {
            return false;
        }
        let is_equal = self.is_equal(seat, copy, path);
        self.rename(seat, copy, path);
        if is_equal {
            self.touch(seat, path);
        }
        true
    }

    fn is_free_for(&self, seat: usize, copy: &RelPath, path: &RelPath) -> bool {
        let there = self.spelled(seat, path);
        self.seat(seat).tree.get(&there).is_none() || self.is_equal(seat, copy, &there)
    }

    fn is_equal(&self, seat: usize, copy: &RelPath, path: &RelPath) -> bool {
        let content = |path: &RelPath| {
            self.seat(seat)
                .tree
                .get(path)
                .map(|node| node.kind.content())
        };
        match (content(copy), content(&self.spelled(seat, path))) {
            (Some(copied), Some(there)) => copied.same_bytes(&there),
            (Some(_) | None, _) => false,
        }
    }
}
