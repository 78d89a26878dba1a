//! Files that only get another name: one rename instead of a copy and a removal.
//!
//! A file is moved only while it is exactly what its row says, change time and all, to a name at which
//! nothing lies; where extended attributes are kept, it must have those of its record. A rename puts it
//! there or leaves it, so a kill at any moment leaves the whole file under one of both names. What it was
//! changed to just before is seen after the rename and goes back.
//! Nothing is kept as a version, because no bytes go. Whatever stands against a move leaves it to
//! be carried out as the two steps that it is made of.

use std::collections::BTreeSet;
use std::io;
use std::sync::PoisonError;

use towline_core::folder::rules::Shape;
use towline_core::io::{Expected, Outcome, Step};
use towline_core::records::Beside;
use towline_wire::rel_path::RelPath;

use super::{Run, Synced, mark_if_any};
use crate::disk::attributes;
use crate::disk::handle::Kind;
use crate::disk::names;
use crate::disk::outcome::held_reason;
use crate::disk::own_writes::Put;
use crate::disk::parents::{Missing, Parents};
use crate::disk::root::Root;
use crate::disk::traits::Spelling;
use crate::disk::versions::Keeper;

/// A step that makes a file, and the one that removes the same file elsewhere.
#[derive(Debug)]
pub(crate) struct Move {
    /// What makes it.
    pub(crate) to: Step,
    /// What removes it.
    pub(crate) from: Step,
}

/// What became of moves.
#[derive(Debug)]
pub(crate) struct Moved {
    /// Of both steps of each that was carried out; durable.
    pub(crate) outcomes: Vec<(RelPath, Outcome)>,
    /// Those that were not: nothing was changed.
    pub(crate) left: Vec<Move>,
}

/// Moves what can be moved.
pub(crate) fn move_files(root: &Root, moves: Vec<Move>) -> Moved {
    let mut moved = Moved {
        outcomes: Vec::new(),
        left: Vec::new(),
    };
    // Which of two spellings a name has is told step by step.
    if moves.is_empty() || root.check().is_err() || root.traits.spelling == Spelling::Blind {
        moved.left = moves;
        return moved;
    }
    let beside = root.beside();
    let placing = &root.versions.placing;
    let _placing = placing.read().unwrap_or_else(PoisonError::into_inner);
    let nothing = Keeper::default();
    let mut run = Run {
        root,
        keeper: &nothing,
        rules: root.rules(),
        parents: Parents::new(root),
        keep_parents: Parents::new(root),
        touched: BTreeSet::new(),
    };
    for one in moves {
        match run.move_file(&one, beside) {
            Ok(Some(outcomes)) => moved.outcomes.extend(outcomes),
            // Each step says by itself what stands against it.
            Ok(None) | Err(_) => moved.left.push(one),
        }
    }
    if let Err(fault) = run.sync_names(Synced::Alone) {
        let reason = held_reason(&fault);
        for (path, outcome) in &mut moved.outcomes {
            root.own_writes.forget(path);
            *outcome = Outcome::Held(reason);
        }
    }
    moved
}

impl Run<'_> {
    /// Moves one file; nothing when it is not to be moved.
    fn move_file(
        &mut self,
        one: &Move,
        beside: Beside,
    ) -> io::Result<Option<[(RelPath, Outcome); 2]>> {
        let (from, to) = (&one.from.path, &one.to.path);
        let traits = &self.root.traits;
        let is_possible = to.components().all(|name| names::possible(name, traits));
        let is_ignored = |path| self.rules.ignore(path, Shape::Other);
        if !is_possible || is_ignored(from) || is_ignored(to) {
            return Ok(None);
        }
        let old = self.keep_parents.of(from, Missing::Refuse)?;
        let lies = old.mark(from.file_name())?;
        if lies.kind != Kind::File || one.from.expected != Expected::Stamped(lies.stamp) {
            return Ok(None);
        }
        let wanted = one.to.content.attributes();
        if !attributes::are_shown(beside, (old, from.file_name()), wanted)? {
            return Ok(None);
        }
        let new = self.parents.of(to, Missing::Make)?;
        let identity = new.identity()?;
        if mark_if_any(new, to.file_name())?.is_some() {
            return Ok(None);
        }
        old.rename_new(from.file_name(), new, to.file_name())?;
        self.touched.extend([from.parent(), to.parent()]);
        let there = new.mark(to.file_name()).and_then(|there| {
            let is_same = there.same_bytes(&lies)
                && there.mode == lies.mode
                && attributes::are_shown(beside, (new, to.file_name()), wanted)?;
            Ok(is_same.then_some(there.stamp.beside(beside)))
        });
        let Ok(Some(stamp)) = there else {
            // Changed, or moved on, in between: that is the person's, and back at its name if it can be.
            let back = new.rename_new(to.file_name(), old, from.file_name());
            return Ok(back.is_err().then(|| stale(one)));
        };
        if !self.still_leads(to, identity) {
            return Ok(Some(stale(one)));
        }
        let own_writes = &self.root.own_writes;
        own_writes.add(to.clone(), Put::Leaf(stamp));
        own_writes.add(from.clone(), Put::NoLeaf);
        let done = |stamp| Outcome::Done { stamp, kept: None };
        Ok(Some([
            (to.clone(), done(Some(stamp))),
            (from.clone(), done(None)),
        ]))
    }
}

/// Something else lies at both names: they are looked at again.
fn stale(one: &Move) -> [(RelPath, Outcome); 2] {
    [&one.to, &one.from].map(|step| (step.path.clone(), Outcome::Stale))
}
