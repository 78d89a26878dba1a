//! Decides conflicts on the disk, as a person would who moves and deletes files with care.
//!
//! Whatever gives way becomes a version first, so a wrong choice can be taken back. Nothing is told
//! from here: the next look at the folder finds a person's edits, and so a decision reaches every device.
//!
//! A decision must be seen as a write wherever bytes are given up that lie at the path itself: the
//! winner may still be on its way here, from somebody who relies on the copy that goes. So the copy
//! then takes the place of its equal, with a file time of now.

use std::collections::BTreeSet;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;

use towline_core::folder::conflict::{beside_of, with_long_digits};
use towline_core::io::HeldReason;
use towline_wire::entry::UnixNanos;
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use super::super::commit::{SecondName, keep_version, mark_if_any, replace};
use super::super::handle::{Directory, Kind, Mark, set_mtime};
use super::super::hash::{Reading, read_now};
use super::super::parents::{Missing, Parents, remove_empty_above};
use super::super::root::Root;
use super::restore::way_fault;
use super::{Keeper, RestoreFault, now};

/// Which version of a path stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// What lies at the path.
    Winner,
    /// This copy; it takes the path.
    Copy(RelPath),
    /// All; copies become files beside the path.
    All,
}

/// A path in conflict with its copies in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// The path.
    pub(crate) path: RelPath,
    /// Its copies.
    pub(crate) copies: Vec<RelPath>,
}

impl Root {
    /// Decides one conflict; returns the paths that have changed, and whether all of it is done.
    /// Durable when it returns. A fault leaves what was done until then.
    pub(crate) fn decide(
        &self,
        case: &Case,
        choice: &Choice,
    ) -> (BTreeSet<RelPath>, Result<(), RestoreFault>) {
        let _placing = self
            .versions
            .placing
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut decision = Decision {
            root: self,
            changed: BTreeSet::new(),
        };
        let outcome = match self.check() {
            Ok(()) => decision.carry_out(case, choice),
            Err(_) => Err(RestoreFault::Held(HeldReason::Unwritable)),
        };
        let durable = decision.make_durable().map_err(RestoreFault::from);
        (decision.changed, outcome.and(durable))
    }
}

/// A decision that is being carried out.
struct Decision<'root> {
    root: &'root Root,
    changed: BTreeSet<RelPath>,
}

impl Decision<'_> {
    fn carry_out(&mut self, case: &Case, choice: &Choice) -> Result<(), RestoreFault> {
        match choice {
            Choice::Winner => self.give_up(case, &case.copies),
            Choice::Copy(chosen) => {
                let (chosen, others): (Vec<RelPath>, Vec<RelPath>) =
                    case.copies.iter().cloned().partition(|copy| copy == chosen);
                let chosen = chosen.first().ok_or(RestoreFault::Unknown)?;
                self.take_over(chosen, &case.path)?;
                self.give_up(case, &others)
            }
            Choice::All => case
                .copies
                .iter()
                .try_for_each(|copy| self.put_beside(copy)),
        }
    }

    /// Copies become versions of their path.
    fn give_up(&mut self, case: &Case, copies: &[RelPath]) -> Result<(), RestoreFault> {
        for copy in copies {
            if self.is_equal(copy, &case.path)? {
                self.take_over(copy, &case.path)?;
            } else {
                self.give_up_one(copy)?;
            }
        }
        Ok(())
    }

    fn give_up_one(&mut self, copy: &RelPath) -> Result<(), RestoreFault> {
        let mut parents = Parents::new(self.root);
        let directory = match parents.of(copy, Missing::Refuse) {
            Err(fault) if super::super::parents::proves_absence(&fault) => return Ok(()),
            other => other?,
        };
        let Some(mark) = mark_if_any(directory, copy.file_name())? else {
            return Ok(());
        };
        let keeper = Keeper::of(self.root, &[(copy, mark.stamp)])?;
        let (versions, number) = keeper.place(copy).ok_or(RestoreFault::Changing)?;
        directory.rename_new(copy.file_name(), versions, number)?;
        self.root.versions.add_bytes(&mark);
        keeper.sync()?;
        self.changed.insert(copy.clone());
        Ok(())
    }

    /// A copy takes a path; what lies there becomes a version, unless it is the same.
    fn take_over(&mut self, copy: &RelPath, path: &RelPath) -> Result<(), RestoreFault> {
        let root = self.root;
        let (mut from, mut to) = (Parents::new(root), Parents::new(root));
        let source = from.of(copy, Missing::Refuse)?;
        let mark = mark_if_any(source, copy.file_name())?.ok_or(RestoreFault::Unknown)?;
        let directory = to.of(path, Missing::Make).map_err(way_fault)?;
        let name = path.file_name();
        match mark_if_any(directory, name)? {
            None => source.rename_new(copy.file_name(), directory, name)?,
            Some(there) if there.kind == Kind::Directory => return Err(RestoreFault::IsDirectory),
            Some(there) if there.identity == mark.identity => {
                // A rename from one name of an object to another does nothing.
                source.remove_file(copy.file_name())?;
                touch(directory, name, &there)?;
            }
            Some(there) => {
                let lying = SecondName {
                    directory,
                    name,
                    there: Some(there),
                };
                let is_equal = self.is_equal(copy, path)?;
                let mut keeper = Keeper::default();
                if !is_equal {
                    keeper = Keeper::of(root, &[(path, there.stamp)])?;
                    if !keep_version(root, &keeper, path, &lying)? {
                        return Err(RestoreFault::Changing);
                    }
                    keeper.sync()?;
                }
                if !replace(root, &keeper, path, (source, copy.file_name()), &lying)? {
                    return Err(RestoreFault::Changing);
                }
                if is_equal {
                    touch(directory, name, &there)?;
                }
            }
        }
        self.changed.extend([copy.clone(), path.clone()]);
        Ok(())
    }

    /// A copy becomes a file beside its path.
    fn put_beside(&mut self, copy: &RelPath) -> Result<(), RestoreFault> {
        let no_name = RestoreFault::Held(HeldReason::Name);
        let beside = beside_of(copy).ok_or(no_name)?;
        if self.is_free_for(copy, &beside)? {
            return self.take_over(copy, &beside);
        }
        let hash = self.hash(copy)?.ok_or(RestoreFault::Changing)?;
        let longer = with_long_digits(copy, hash).and_then(|copy| beside_of(&copy));
        let longer = longer.ok_or(no_name)?;
        if self.is_free_for(copy, &longer)? {
            self.take_over(copy, &longer)
        } else {
            Err(no_name)
        }
    }

    /// Whether nothing lies at a path but perhaps what the copy holds.
    fn is_free_for(&self, copy: &RelPath, path: &RelPath) -> Result<bool, RestoreFault> {
        let mut parents = Parents::new(self.root);
        match parents.mark(path) {
            Err(fault) if super::super::parents::proves_absence(&fault) => Ok(true),
            Err(fault) => Err(fault.into()),
            Ok(_) => self.is_equal(copy, path),
        }
    }

    /// Whether both hold the same bytes; what is absent equals nothing.
    fn is_equal(&self, copy: &RelPath, path: &RelPath) -> Result<bool, RestoreFault> {
        let (Some(copied), Some(there)) = (self.mark(copy)?, self.mark(path)?) else {
            return Ok(false);
        };
        if copied.identity == there.identity {
            return Ok(true);
        }
        match (copied.kind, there.kind) {
            (Kind::File, Kind::File) => Ok(copied.stamp.size == there.stamp.size
                && self
                    .hash(copy)?
                    .is_some_and(|hash| self.hash(path).is_ok_and(|other| other == Some(hash)))),
            (Kind::Symlink, Kind::Symlink) => Ok(self.target(copy)? == self.target(path)?),
            (Kind::File | Kind::Directory | Kind::Symlink | Kind::Other, _) => Ok(false),
        }
    }

    fn mark(&self, path: &RelPath) -> Result<Option<Mark>, RestoreFault> {
        match Parents::new(self.root).mark(path) {
            Ok(mark) => Ok(Some(mark)),
            Err(fault) if super::super::parents::proves_absence(&fault) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    fn target(&self, path: &RelPath) -> io::Result<std::ffi::OsString> {
        Parents::new(self.root)
            .of(path, Missing::Refuse)?
            .read_link(path.file_name())
    }

    /// The hash of a file; `None` when it is being changed.
    fn hash(&self, path: &RelPath) -> io::Result<Option<ContentHash>> {
        let mut parents = Parents::new(self.root);
        let directory = parents.of(path, Missing::Refuse)?;
        match read_now(directory, path.file_name())? {
            Reading::Settled(hash, _) => Ok(Some(hash)),
            Reading::Restless => Ok(None),
        }
    }

    /// Makes the changed names durable and removes what the inbox no longer needs.
    fn make_durable(&self) -> io::Result<()> {
        let mut parents = Parents::new(self.root);
        for path in &self.changed {
            match parents.of(path, Missing::Refuse) {
                Err(fault) if super::super::parents::proves_absence(&fault) => {}
                other => other?.sync()?,
            }
        }
        for copy in self.changed.iter().filter(|path| path.is_in_inbox()) {
            remove_empty_above(self.root, copy);
        }
        Ok(())
    }
}

/// Gives a file a time of now, and a later one than it had by what the coarsest filesystem tells apart.
fn touch(directory: &Directory, name: &str, before: &Mark) -> io::Result<()> {
    if before.kind != Kind::File {
        return Ok(());
    }
    let later = before.mtime.0.saturating_add(nanos(TICK_MAX));
    let file = directory.open_file(name)?;
    set_mtime(&file, UnixNanos(now().0.max(later)))
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// The coarsest file time of a filesystem in use: 2 s, on FAT.
const TICK_MAX: Duration = Duration::from_secs(2);
