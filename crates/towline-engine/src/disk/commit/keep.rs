//! Second names: what a step replaces stays under another one, as a conflict copy or a version.
//!
//! A second name is a hard link where the filesystem has them, else a copy that comes to its place whole. It
//! is given before the first name goes, and what lies there is looked at once more after that: a
//! person may have changed it in between.

use std::io;
use std::sync::atomic::Ordering;

use towline_core::io::{Found, HeldReason, Outcome, Step};
use towline_wire::rel_path::RelPath;

use super::{Target, has_modes, mark_if_any, read_content};
use crate::disk::attributes;
use crate::disk::handle::{Directory, Mark, copy_bytes, new_file_mode, set_mtime};
use crate::disk::parents::{Missing, Parents, Spelled, spelled};
use crate::disk::root::Root;
use crate::disk::traits::Spelling;
use crate::disk::versions::Keeper;

/// Gives what lies in a place a second name in the version store, if the batch has a place for it there.
/// `false` when it was changed meanwhile.
pub(in crate::disk) fn keep_version(
    root: &Root,
    keeper: &Keeper,
    path: &RelPath,
    lying: &SecondName<'_>,
) -> io::Result<bool> {
    let (Some((versions, number)), Some(old)) = (keeper.place(path), &lying.there) else {
        return Ok(true);
    };
    give_second_name(root, lying, versions, number)?;
    let now = mark_if_any(lying.directory, lying.name)?;
    let is_it = now.is_some_and(|now| now.same_bytes(old));
    if is_it {
        root.versions.add_bytes(old);
    } else {
        take_back(versions, number)?;
    }
    Ok(is_it)
}

/// Takes back a second name that was given in vain. It shows what a person writes to the first one, or to
/// where that was moved; where it has become the last name of the old bytes, it stays.
pub(super) fn take_back(directory: &Directory, name: &str) -> io::Result<()> {
    if directory.has_other_names(name)? {
        directory.remove_file(name)?;
    }
    Ok(())
}

/// Something that is to have a second name.
pub(in crate::disk) struct SecondName<'a> {
    pub(in crate::disk) directory: &'a Directory,
    pub(in crate::disk) name: &'a str,
    /// What it was when it was looked at.
    pub(in crate::disk) there: Option<Mark>,
}

/// Whether what lies in a place has a second name now.
pub(super) enum Keeping {
    Kept(Option<Found>),
    Failed(Outcome),
}

/// Gives what lies at the target its second name, when the step asks for it. When it returns
/// `Kept`, the target was still untouched.
pub(super) fn keep_first(
    root: &Root,
    keep_parents: &mut Parents<'_>,
    target: &Target<'_>,
) -> io::Result<Keeping> {
    let Some(keep) = &target.step.keep else {
        return Ok(Keeping::Kept(None));
    };
    let keep_name = keep.file_name();
    let Some(content) = read_content(target)? else {
        return Ok(Keeping::Failed(Outcome::Stale));
    };
    let keep_directory = keep_parents.of(keep, Missing::Make)?;
    match give_second_name(root, &target.second_name(), keep_directory, keep_name) {
        Ok(()) => {}
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            let there = keep_directory.mark(keep_name)?;
            let other = Target {
                directory: keep_directory,
                step: target.step,
                name: keep_name,
                there: Some(there),
            };
            if read_content(&other)?.is_none_or(|other| !other.same_bytes(&content)) {
                let is_twin = root.traits.spelling == Spelling::Blind
                    && spelled(root, keep)? == Spelled::Otherwise;
                return Ok(Keeping::Failed(if is_twin {
                    Outcome::Held(HeldReason::Name)
                } else {
                    Outcome::Stale
                }));
            }
        }
        Err(fault) => return Err(fault),
    }
    if !target.is_untouched()? {
        return Ok(Keeping::Failed(Outcome::Stale));
    }
    let mark = keep_directory.mark(keep_name)?;
    Ok(Keeping::Kept(Some(Found {
        path: keep.clone(),
        content,
        mtime: mark.mtime,
        stamp: mark.stamp,
    })))
}

/// A hard link where there are such, else a copy.
pub(super) fn give_second_name(
    root: &Root,
    target: &SecondName<'_>,
    keep_directory: &Directory,
    keep_name: &str,
) -> io::Result<()> {
    if !root.without_links.load(Ordering::Relaxed) {
        match target
            .directory
            .link(target.name, keep_directory, keep_name)
        {
            Err(fault) if has_no_links(&fault) => root.without_links.store(true, Ordering::Relaxed),
            other => return other,
        }
    }
    let temporary = root.temporary();
    let name = format!("keep-{}", root.next_number());
    let copied = match target.directory.read_link(target.name) {
        Ok(text) => match text.to_str() {
            Some(text) => temporary.make_symlink(text, &name),
            None => Err(io::ErrorKind::InvalidInput.into()),
        },
        Err(_) => copy_file(root, target, &name),
    };
    let moved = copied.and_then(|()| temporary.rename_new(&name, keep_directory, keep_name));
    if moved.is_err() {
        // The first fault is the one to tell; litter is removed when the root is opened.
        let _ = temporary.remove_file(&name);
    }
    moved
}

fn copy_file(root: &Root, target: &SecondName<'_>, name: &str) -> io::Result<()> {
    let temporary = root.temporary();
    let from = target.directory.open_file(target.name)?;
    let executable = target
        .there
        .and_then(|mark| mark.executable())
        .unwrap_or(false);
    let to = temporary.create_file(name, new_file_mode(executable))?;
    copy_bytes(&from, &to)?;
    attributes::copy(root, &from, &to)?;
    if let Some(mark) = &target.there {
        set_mtime(&to, mark.mtime)?;
        if has_modes(root) {
            temporary.set_mode(name, mark.mode & 0o777)?;
        }
    }
    to.sync_all()
}

/// The kept file as it lies there at the end. Losing its first name has moved its change time, but so
/// has somebody's edit in place, which may have left its length and file time as they were: only its
/// bytes tell. Where it does not hold still it is told with the marks of before, which the next look
/// sees to differ.
pub(in crate::disk) fn found_kept(
    step: &Step,
    keep_parents: &mut Parents<'_>,
    kept: Option<Found>,
) -> Option<Found> {
    let kept = kept?;
    let now = read_kept(step, keep_parents, &kept.path);
    Some(now.ok().flatten().unwrap_or(kept))
}

fn read_kept(
    step: &Step,
    keep_parents: &mut Parents<'_>,
    path: &RelPath,
) -> io::Result<Option<Found>> {
    let directory = keep_parents.of(path, Missing::Refuse)?;
    let name = path.file_name();
    let before = directory.mark(name)?;
    let content = read_content(&Target {
        directory,
        step,
        name,
        there: Some(before),
    })?;
    let is_still = directory.mark(name)? == before;
    Ok(content.filter(|_| is_still).map(|content| Found {
        path: path.clone(),
        content,
        mtime: before.mtime,
        stamp: before.stamp,
    }))
}

/// Whether a fault says that the filesystem cannot do links (rather than that it may not here).
pub(super) fn has_no_links(fault: &io::Error) -> bool {
    #[cfg(unix)]
    if fault.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) {
        return true;
    }
    matches!(
        fault.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::TooManyLinks | io::ErrorKind::CrossesDevices
    )
}
