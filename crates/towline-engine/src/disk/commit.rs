//! Carries out a batch of steps: the only code that changes a person's files.
//!
//! First the bytes of all staged files are made durable together. Then each step looks once more
//! at what lies in its place, keeps it first where the plan says so, and takes the place with one
//! rename; what came out is looked at, too (see `replace`). At last the names are made durable together, and
//! only then is a step *done*. A kill between any two calls leaves the old or the new file whole under its
//! name. What a step replaces or removes, and the plan does not keep beside, goes to the version store (see
//! `versions`).
//!
//! Order: what is made or replaced comes first, parents before children; then removals, children
//! before parents; then what takes the place of a directory that the removals have emptied.

mod keep;
mod moves;
mod replace;

pub(super) use keep::{SecondName, found_kept, keep_version};
pub(crate) use moves::{Move, move_files};
pub(super) use replace::replace;

use keep::{Keeping, give_second_name, has_no_links, keep_first, take_back};

use std::collections::BTreeSet;
use std::io;
use std::sync::PoisonError;

use towline_core::folder::rules::{Rules, Shape};
use towline_core::io::{Expected, Found, HeldReason, Outcome, Step};
use towline_wire::entry::{Attributes, Content, SymlinkTarget};
use towline_wire::rel_path::RelPath;

use super::attributes;
use super::handle::{Directory, Identity, Kind, Mark, replacing_mode};
use super::hash::{Reading, read_now};
use super::names;
use super::outcome::{held_reason, outcome_of};
use super::own_writes::Put;
use super::parents::{
    DEPTH_MAX, Missing, NEW_DIRECTORY_MODE, Parents, Spelled, remove_empty_above, spelled,
};
use super::root::Root;
use super::stage::Staged;
use super::traits::{ExecutableBit, Spelling};
use super::versions::Keeper;

/// Files or directories up to which each is synced alone: 4. A sync of the whole filesystem costs
/// about as much as a few single ones, but may have to wait for other programs' writes.
const SYNCED_ALONE_MAX: usize = 4;

/// How something was made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synced {
    /// One by one.
    Alone,
    /// With all of the filesystem.
    Together,
}

/// A step with all that it needs.
#[derive(Debug)]
pub(crate) struct Ready {
    /// What to do.
    pub(crate) step: Step,
    /// The bytes, for a step whose content is a file.
    pub(crate) staged: Option<Staged>,
}

/// Carries out a batch; each step has exactly one outcome, in no particular order. Durable when it
/// returns. A root that is lost makes every step `Stale`.
pub(crate) fn commit(root: &Root, batch: Vec<Ready>) -> Vec<(RelPath, Outcome)> {
    if root.check().is_err() {
        return batch
            .into_iter()
            .map(|ready| (ready.step.path, Outcome::Stale))
            .collect();
    }
    let placing = &root.versions.placing;
    let _placing = placing.read().unwrap_or_else(PoisonError::into_inner);
    let keeper = match Keeper::begin(root, batch.iter().map(|ready| &ready.step)) {
        Ok(keeper) => keeper,
        // Nothing gives way that cannot be kept.
        Err(fault) => {
            let held = Outcome::Held(held_reason(&fault));
            let each = |ready: Ready| (ready.step.path, held.clone());
            return batch.into_iter().map(each).collect();
        }
    };
    let beside = root.beside();
    let refused = attributes::write_staged(root, beside, &batch);
    let data = sync_data(root, &batch).map_err(|fault| held_reason(&fault));
    let mut run = Run {
        root,
        keeper: &keeper,
        rules: root.rules(),
        parents: Parents::new(root),
        keep_parents: Parents::new(root),
        touched: BTreeSet::new(),
    };
    let mut outcomes = Vec::with_capacity(batch.len());
    for ready in in_order(batch) {
        let path = ready.step.path.clone();
        let outcome = match data {
            Err(reason) if ready.staged.is_some() => Outcome::Held(reason),
            Ok(_) | Err(_) => match refused.get(&path) {
                Some(reason) => Outcome::Held(*reason),
                None => run.carry_out(ready),
            },
        };
        outcomes.push((path, outcome));
    }
    if let Err(fault) = run.sync_names(data.unwrap_or(Synced::Alone)) {
        let reason = held_reason(&fault);
        for (path, outcome) in &mut outcomes {
            if let Outcome::Done { kept, .. } = outcome {
                root.own_writes.forget(path);
                if let Some(kept) = kept {
                    root.own_writes.forget(&kept.path);
                }
                *outcome = Outcome::Held(reason);
            }
        }
    }
    attributes::note_outcomes(root, beside, &mut outcomes);
    for (path, outcome) in &outcomes {
        if matches!(outcome, Outcome::Done { stamp: None, .. }) && path.is_in_inbox() {
            remove_empty_above(root, path);
        }
    }
    outcomes
}

fn in_order(batch: Vec<Ready>) -> impl Iterator<Item = Ready> {
    let (mut removed, others): (Vec<Ready>, Vec<Ready>) = batch
        .into_iter()
        .partition(|ready| ready.step.content == Content::Absent);
    let (mut last, mut first): (Vec<Ready>, Vec<Ready>) = others.into_iter().partition(|ready| {
        ready.step.expected == Expected::Directory && ready.step.content != Content::Directory
    });
    first.sort_by(|left, right| left.step.path.cmp(&right.step.path));
    removed.sort_by(|left, right| right.step.path.cmp(&left.step.path));
    last.sort_by(|left, right| left.step.path.cmp(&right.step.path));
    first.into_iter().chain(removed).chain(last)
}

fn sync_data(root: &Root, batch: &[Ready]) -> io::Result<Synced> {
    let staged: Vec<&Staged> = batch
        .iter()
        .filter_map(|ready| ready.staged.as_ref())
        .collect();
    if staged.len() > SYNCED_ALONE_MAX {
        match root.temporary().sync_filesystem() {
            Err(fault) if fault.kind() == io::ErrorKind::Unsupported => {}
            other => return other.map(|()| Synced::Together),
        }
    }
    for file in staged {
        root.temporary().open_writable(file.name())?.sync_data()?;
    }
    Ok(Synced::Alone)
}

/// One batch on its way.
struct Run<'root> {
    root: &'root Root,
    keeper: &'root Keeper,
    /// What is ignored, and so left alone.
    rules: Rules,
    parents: Parents<'root>,
    keep_parents: Parents<'root>,
    /// The directories whose names changed; `None` is the root.
    touched: BTreeSet<Option<RelPath>>,
}

/// Entries that are looked at to learn why a directory cannot go: 10,000, a fraction of a second. In a
/// fuller one the reason is not told.
const HELD_LOOKED_AT_MAX: usize = 10_000;

fn is_all_ignored(rules: &Rules, directory: &Directory, path: &RelPath, left: &mut usize) -> bool {
    let Ok(listed) = directory.list() else {
        return false;
    };
    if path.depth() > DEPTH_MAX || listed.len() > *left {
        return false;
    }
    *left -= listed.len();
    listed.iter().all(|(name, _)| {
        let child = name.to_str().and_then(|name| path.join(name).ok());
        let Some(child) = child else { return false };
        match directory.mark(child.file_name()).map(|mark| mark.kind) {
            Ok(Kind::Directory) if rules.ignore_in_place(&child, Shape::Directory) => true,
            Ok(Kind::Directory) => directory
                .open_directory(child.file_name())
                .is_ok_and(|inner| is_all_ignored(rules, &inner, &child, left)),
            Ok(Kind::File | Kind::Symlink | Kind::Other) => {
                rules.ignore_in_place(&child, Shape::Other)
            }
            Err(_) => false,
        }
    })
}

/// A place that a step is about.
struct Target<'a> {
    directory: &'a Directory,
    step: &'a Step,
    name: &'a str,
    /// What lies there now.
    there: Option<Mark>,
}

impl Run<'_> {
    fn carry_out(&mut self, ready: Ready) -> Outcome {
        let path = ready.step.path.clone();
        let outcome = self.try_carry_out(ready);
        let outcome = outcome.unwrap_or_else(|fault| outcome_of(&fault));
        match outcome {
            Outcome::NotEmpty if self.holds_only_ignored(&path) => {
                Outcome::Held(HeldReason::Ignored)
            }
            other @ (Outcome::Done { .. }
            | Outcome::Stale
            | Outcome::NoSource
            | Outcome::NotEmpty
            | Outcome::Held(_)) => other,
        }
    }

    /// Whether a directory that is in the way holds nothing but what is ignored, and directories that
    /// hold nothing else. What cannot be looked at is not known to be so.
    fn holds_only_ignored(&mut self, path: &RelPath) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let opened = self
            .parents
            .of(path, Missing::Refuse)
            .and_then(|parent| parent.open_directory(path.file_name()));
        let mut left = HELD_LOOKED_AT_MAX;
        opened.is_ok_and(|directory| is_all_ignored(&self.rules, &directory, path, &mut left))
    }

    fn try_carry_out(&mut self, ready: Ready) -> io::Result<Outcome> {
        let Ready { step, staged } = ready;
        let name = step.path.file_name();
        let traits = &self.root.traits;
        if !step
            .path
            .components()
            .all(|name| names::possible(name, traits))
        {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        if traits.spelling == Spelling::Blind {
            match spelled(self.root, &step.path)? {
                Spelled::Exactly | Spelled::Nowhere => {}
                // What lies there is another entry: nothing of this name is there to go, and what is to
                // come must wait for it.
                Spelled::Otherwise if step.content != Content::Absent => {
                    return Ok(Outcome::Held(HeldReason::Name));
                }
                Spelled::Otherwise | Spelled::Remembered => return Ok(Outcome::Stale),
            }
        }
        // Before anything is made above it.
        if self.rules.ignore(&step.path, Shape::of(&step.content)) {
            return Ok(Outcome::Held(HeldReason::Ignored));
        }
        let missing = if step.content == Content::Absent {
            Missing::Refuse
        } else {
            Missing::Make
        };
        let directory = self.parents.of(&step.path, missing)?;
        let identity = directory.identity()?;
        let there = mark_if_any(directory, name)?;
        let target = Target {
            directory,
            step: &step,
            name,
            there,
        };
        let lies = match there.map(|mark| mark.kind) {
            Some(Kind::Directory) => Shape::Directory,
            Some(Kind::File | Kind::Symlink | Kind::Other) | None => Shape::Other,
        };
        if self.rules.ignore(&step.path, lies)
            || self.rules.ignore(&step.path, Shape::of(&step.content))
        {
            return Ok(Outcome::Held(HeldReason::Ignored));
        }
        if !target.is_as_expected() {
            return Ok(target.unexpected());
        }
        self.touched.insert(step.path.parent());
        let mut is_kept_anew = false;
        if let Some(keep) = &step.keep {
            self.touched.insert(keep.parent());
            is_kept_anew = self.keep_parents.mark(keep).is_err();
        }
        let mut outcome = match (&step.content, staged) {
            (Content::File { .. }, Some(staged)) => place_file(
                self.root,
                self.keeper,
                &mut self.keep_parents,
                &target,
                staged,
            ),
            // The caller owes the bytes; without them nothing can be done.
            (Content::File { .. }, None) => Ok(Outcome::NoSource),
            (Content::Symlink { target: text }, _) => place_link(
                self.root,
                self.keeper,
                &mut self.keep_parents,
                &target,
                text,
            ),
            (Content::Directory, _) => {
                place_directory(self.root, self.keeper, &mut self.keep_parents, &target)
            }
            (Content::Absent, _) => remove(self.root, self.keeper, &mut self.keep_parents, &target),
        };
        if matches!(outcome, Ok(Outcome::Done { .. })) && !self.still_leads(&step.path, identity) {
            self.root.own_writes.forget(&step.path);
            outcome = Ok(Outcome::Stale);
        }
        if let (Some(keep), true, false) = (
            &step.keep,
            is_kept_anew,
            matches!(outcome, Ok(Outcome::Done { .. })),
        ) {
            let directory = self.keep_parents.of(keep, Missing::Refuse);
            // Mostly it was not given at all; the first fault is the one to tell.
            let _ = directory.and_then(|directory| take_back(directory, keep.file_name()));
        }
        outcome
    }

    /// Whether the way to a path still leads through the directory in which something was done. Where somebody
    /// has taken that away meanwhile, and perhaps seen before what it held, nothing has come to the path: its
    /// absence there is nobody's delete.
    fn still_leads(&mut self, path: &RelPath, through: Identity) -> bool {
        let directory = self.parents.of(path, Missing::Refuse);
        let identity = directory.and_then(Directory::identity);
        identity.is_ok_and(|identity| identity == through)
    }

    /// Makes the changed names durable. Right after a sync of the filesystem another one has little to do:
    /// less than a few directories by themselves, each of which flushes the cache of the disk.
    fn sync_names(&mut self, data: Synced) -> io::Result<()> {
        let few = self.touched.len() <= SYNCED_ALONE_MAX;
        let mut alone = few && data == Synced::Alone;
        if !alone {
            match self.root.top().sync_filesystem() {
                Err(fault) if fault.kind() == io::ErrorKind::Unsupported => alone = true,
                other => return other,
            }
        }
        if alone {
            self.keeper.sync()?;
            for directory in &self.touched {
                let synced = match directory {
                    None => self.root.top().sync(),
                    Some(path) => self
                        .parents
                        .of(path, Missing::Refuse)
                        .and_then(|parent| parent.open_directory(path.file_name()))
                        .and_then(|directory| directory.sync()),
                };
                match synced {
                    // Gone already, by this batch or by a person: no names to keep.
                    Err(fault) if super::parents::proves_absence(&fault) => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }
}

impl Target<'_> {
    fn is_as_expected(&self) -> bool {
        match (&self.step.expected, &self.there) {
            (Expected::Nothing, None) => true,
            // Two who make the same directory agree.
            (Expected::Nothing, Some(mark)) => {
                self.step.content == Content::Directory
                    && mark.kind == Kind::Directory
                    && self.is_listed().unwrap_or(false)
            }
            (Expected::Directory, Some(mark)) => mark.kind == Kind::Directory,
            (Expected::Stamped(stamp), Some(mark)) => {
                matches!(mark.kind, Kind::File | Kind::Symlink) && mark.stamp == *stamp
            }
            (Expected::Directory | Expected::Stamped(_), None) => false,
        }
    }

    /// Something else lies there, or the filesystem takes another spelling for this name.
    fn unexpected(&self) -> Outcome {
        match self.is_listed() {
            Ok(false) if self.there.is_some() => Outcome::Held(HeldReason::Name),
            Ok(_) | Err(_) => Outcome::Stale,
        }
    }

    /// Whether the name is there in exactly this spelling.
    fn is_listed(&self) -> io::Result<bool> {
        Ok(self
            .directory
            .list()?
            .iter()
            .any(|(name, _)| name == self.name))
    }

    fn second_name(&self) -> SecondName<'_> {
        SecondName {
            directory: self.directory,
            name: self.name,
            there: self.there,
        }
    }

    /// Whether what lay there when the step began still does, its bytes unchanged.
    fn is_untouched(&self) -> io::Result<bool> {
        Ok(
            match (mark_if_any(self.directory, self.name)?, &self.there) {
                (Some(now), Some(before)) => now.same_bytes(before),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            },
        )
    }
}

/// The outcome of a step that has put this in its place. It is remembered at once, for a sync takes
/// longer than the echo.
fn done(root: &Root, target: &Target<'_>, put: Put, kept: Option<Found>) -> Outcome {
    root.own_writes.add(target.step.path.clone(), put);
    if let Some(kept) = &kept {
        let put = Put::Leaf(kept.stamp);
        root.own_writes.add(kept.path.clone(), put);
    }
    Outcome::Done {
        stamp: put.stamp(),
        kept,
    }
}

fn place_file(
    root: &Root,
    keeper: &Keeper,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
    staged: Staged,
) -> io::Result<Outcome> {
    let shape = staged.shape();
    let replaced = target.there.filter(|mark| mark.kind == Kind::File);
    if let Some(old) = replaced.filter(|_| has_modes(root)) {
        let mode = replacing_mode(old.mode, shape.executable);
        if mode != staged.mark().mode {
            root.temporary().set_mode(staged.name(), mode)?;
        }
    }
    let is_same = matches!(target.step.expected, Expected::Stamped(stamp)
        if staged.is_copy_of(&target.step.path, stamp));
    // Where only the metadata is new, no bytes give way.
    let nothing = Keeper::default();
    let keeper = if is_same { &nothing } else { keeper };
    let kept = match take_place(root, keeper, keep_parents, target, staged.name())? {
        Taken::Yes(kept) => kept,
        Taken::No(outcome) => return Ok(outcome),
    };
    let mark = staged.mark();
    staged.was_moved();
    Ok(placed(root, target, &mark, (keep_parents, kept)))
}

/// What became of a temporary file or link that lies in its place now, and of what it has replaced.
fn placed(
    root: &Root,
    target: &Target<'_>,
    mark: &Mark,
    (keep_parents, kept): (&mut Parents<'_>, Option<Found>),
) -> Outcome {
    let put = Put::Leaf(stamp_now(target, mark));
    let kept = found_kept(target.step, keep_parents, kept);
    done(root, target, put, kept)
}

fn place_link(
    root: &Root,
    keeper: &Keeper,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
    text: &SymlinkTarget,
) -> io::Result<Outcome> {
    let name = format!("link-{}", root.next_number());
    let temporary = root.temporary();
    match temporary.make_symlink(text.as_str(), &name) {
        // Without leave on Windows, and on filesystems that have none.
        Err(fault) if has_no_links(&fault) => {
            return Ok(Outcome::Held(HeldReason::Kind));
        }
        other => other?,
    }
    let taken = temporary
        .mark(&name)
        .and_then(|mark| Ok((mark, take_place(root, keeper, keep_parents, target, &name)?)));
    match taken {
        Ok((mark, Taken::Yes(kept))) => Ok(placed(root, target, &mark, (keep_parents, kept))),
        Ok((_, Taken::No(outcome))) => {
            // It fails where somebody has taken the link away from its place.
            let _ = temporary.remove_file(&name);
            Ok(outcome)
        }
        Err(fault) => {
            // The first fault is the one to tell; litter is removed when the root is opened.
            let _ = temporary.remove_file(&name);
            Err(fault)
        }
    }
}

fn place_directory(
    root: &Root,
    keeper: &Keeper,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
) -> io::Result<Outcome> {
    let Target {
        directory,
        name,
        there,
        ..
    } = target;
    let mut kept = None;
    match there {
        Some(mark) if mark.kind == Kind::Directory => {}
        None => directory.make_directory(name, NEW_DIRECTORY_MODE)?,
        Some(old) => {
            kept = match keep_first(root, keep_parents, target)? {
                Keeping::Kept(kept) => kept,
                Keeping::Failed(outcome) => return Ok(outcome),
            };
            // A file gives way to a directory: it goes aside, to its place as a version if it has one.
            let number = format!("aside-{}", root.next_number());
            let version = keeper.place(&target.step.path);
            let (place, aside) = version.unwrap_or((root.temporary(), number.as_str()));
            directory.rename_new(name, place, aside)?;
            let made = if place.mark(aside)?.same_bytes(old) {
                directory.make_directory(name, NEW_DIRECTORY_MODE)
            } else {
                Err(io::ErrorKind::AlreadyExists.into())
            };
            if let Err(fault) = made {
                let path = &target.step.path;
                replace::put_back(root, path, (place, aside), (directory, name))?;
                return Err(fault);
            }
            if version.is_some() {
                root.versions.add_bytes(old);
            } else {
                // Litter is removed when the root is opened.
                let _ = place.remove_file(aside);
            }
        }
    }
    let Mark { kind, stamp, .. } = directory.mark(name)?;
    if kind != Kind::Directory {
        // Somebody has put something else in its place already.
        return Ok(Outcome::Stale);
    }
    let put = match there.map(|mark| mark.kind) {
        Some(Kind::Directory) => Put::OldDirectory(stamp),
        Some(Kind::File | Kind::Symlink | Kind::Other) | None => Put::NewDirectory(stamp),
    };
    Ok(done(
        root,
        target,
        put,
        found_kept(target.step, keep_parents, kept),
    ))
}

fn remove(
    root: &Root,
    keeper: &Keeper,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
) -> io::Result<Outcome> {
    let Target {
        directory,
        name,
        there,
        ..
    } = target;
    let mut kept = None;
    match there {
        None => {}
        Some(mark) if mark.kind == Kind::Directory => directory.remove_directory(name)?,
        Some(old) => {
            kept = match keep_first(root, keep_parents, target)? {
                Keeping::Kept(kept) => kept,
                Keeping::Failed(outcome) => return Ok(outcome),
            };
            let is_gone = match keeper.place(&target.step.path) {
                Some(place) => move_to_versions(root, target, old, place)?,
                None => remove_leaf(root, target, old)?,
            };
            if !is_gone {
                return Ok(Outcome::Stale);
            }
        }
    }
    let put = match there.map(|mark| mark.kind) {
        Some(Kind::Directory) => Put::NoDirectory,
        Some(Kind::File | Kind::Symlink | Kind::Other) | None => Put::NoLeaf,
    };
    Ok(done(
        root,
        target,
        put,
        found_kept(target.step, keep_parents, kept),
    ))
}

/// Moves what lies at a target into the version store; `false` when it was something else by then, which
/// lies in its place again.
fn move_to_versions(
    root: &Root,
    target: &Target<'_>,
    old: &Mark,
    (versions, number): (&Directory, &str),
) -> io::Result<bool> {
    let is_gone = match take_aside(root, target, old, (versions, number)) {
        // Another filesystem is mounted below the root: there is nothing to do but to copy.
        Err(fault) if fault.kind() == io::ErrorKind::CrossesDevices => {
            give_second_name(root, &target.second_name(), versions, number)?;
            let is_untouched = target.is_untouched()?;
            let (directory, name) = if is_untouched {
                (target.directory, target.name)
            } else {
                (versions, number)
            };
            directory.remove_file(name)?;
            is_untouched
        }
        other => other?,
    };
    if is_gone {
        root.versions.add_bytes(old);
    }
    Ok(is_gone)
}

/// Removes what lies at a target for good; `false` when it was something else by then, which is left.
fn remove_leaf(root: &Root, target: &Target<'_>, old: &Mark) -> io::Result<bool> {
    let number = format!("aside-{}", root.next_number());
    match take_aside(root, target, old, (root.temporary(), &number)) {
        // Another filesystem is mounted below the root: a look just before must do.
        Err(fault) if fault.kind() == io::ErrorKind::CrossesDevices => {
            let is_untouched = target.is_untouched()?;
            if is_untouched {
                target.directory.remove_file(target.name)?;
            }
            Ok(is_untouched)
        }
        Ok(is_gone) => {
            if is_gone {
                // Litter is removed when the root is opened.
                let _ = root.temporary().remove_file(&number);
            }
            Ok(is_gone)
        }
        Err(fault) => Err(fault),
    }
}

/// Takes what lies at a target to another name; `false` when it was something else by then, which lies in
/// its place again, or is a version where something newer does.
fn take_aside(
    root: &Root,
    target: &Target<'_>,
    old: &Mark,
    (aside, number): (&Directory, &str),
) -> io::Result<bool> {
    target.directory.rename_new(target.name, aside, number)?;
    let is_it = aside.mark(number)?.same_bytes(old);
    if !is_it {
        let place = (target.directory, target.name);
        replace::put_back(root, &target.step.path, (aside, number), place)?;
    }
    Ok(is_it)
}

/// Whether a temporary name has taken its place.
enum Taken {
    Yes(Option<Found>),
    No(Outcome),
}

/// Brings a temporary file or link to its place, keeping first what lies there.
fn take_place(
    root: &Root,
    keeper: &Keeper,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
    temporary_name: &str,
) -> io::Result<Taken> {
    let Target {
        directory,
        name,
        there,
        ..
    } = target;
    let temporary = root.temporary();
    match there {
        None => {
            temporary.rename_new(temporary_name, directory, name)?;
            Ok(Taken::Yes(None))
        }
        Some(mark) if mark.kind == Kind::Directory => {
            directory.remove_directory(name)?;
            temporary.rename_new(temporary_name, directory, name)?;
            Ok(Taken::Yes(None))
        }
        Some(_) => match keep_first(root, keep_parents, target)? {
            Keeping::Failed(outcome) => Ok(Taken::No(outcome)),
            Keeping::Kept(kept) => {
                let there = target.second_name();
                if !keep_version(root, keeper, &target.step.path, &there)? {
                    return Ok(Taken::No(Outcome::Stale));
                }
                let ours = (temporary, temporary_name);
                Ok(if replace(root, keeper, &target.step.path, ours, &there)? {
                    Taken::Yes(kept)
                } else {
                    Taken::No(Outcome::Stale)
                })
            }
        },
    }
}

/// Whether files have permissions that can be set.
fn has_modes(root: &Root) -> bool {
    cfg!(unix) && root.traits.executable == ExecutableBit::Kept
}

/// What lies at a target, read without its attributes; `None` when it is not what was seen there.
fn read_content(target: &Target<'_>) -> io::Result<Option<Content>> {
    let Some(seen) = &target.there else {
        return Ok(None);
    };
    match seen.kind {
        Kind::File => match read_now(target.directory, target.name)? {
            Reading::Settled(hash, mark) if mark.same_bytes(seen) => Ok(Some(Content::File {
                size: mark.stamp.size,
                hash,
                executable: mark.executable().unwrap_or(false),
                attributes: Attributes::default(),
            })),
            Reading::Settled(..) | Reading::Restless => Ok(None),
        },
        Kind::Symlink => {
            let text = target.directory.read_link(target.name)?.into_string().ok();
            let text = text.and_then(|text| SymlinkTarget::parse(text).ok());
            Ok(text.map(|target| Content::Symlink { target }))
        }
        Kind::Directory | Kind::Other => Ok(None),
    }
}

/// The stamp of what we put in place. When something else is there already, the stamp that ours
/// had, so that the next scan sees the difference.
fn stamp_now(target: &Target<'_>, ours: &Mark) -> towline_core::records::DiskStamp {
    match target.directory.mark(target.name) {
        Ok(mark) if mark.same_bytes(ours) => mark.stamp,
        Ok(_) | Err(_) => ours.stamp,
    }
}

pub(super) fn mark_if_any(directory: &Directory, name: &str) -> io::Result<Option<Mark>> {
    match directory.mark(name) {
        Ok(mark) => Ok(Some(mark)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
