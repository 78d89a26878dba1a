//! Takes the place of a file without taking anything else with it.
//!
//! A person may save between our last look at a place and the rename. So the two names change places in
//! one call of the system, and what came out is looked at: when it is not what was seen there, they
//! change places once more. Where names cannot be exchanged, the look just before the rename must do.

use std::io;

use towline_wire::rel_path::RelPath;

use super::keep::take_back;
use super::{SecondName, mark_if_any};
use crate::disk::handle::{Directory, Mark};
use crate::disk::root::Root;
use crate::disk::versions::Keeper;

/// How often what came out is put back while somebody saves at that very place all the time: 8. Each time takes
/// some microseconds; after that what lies there stays.
const RETURNS_MAX: usize = 8;

/// Brings what lies under a name of ours to a path, in place of what was seen there and may be kept as a
/// version already. `false` when that was something else by then, which lies there again or still; then ours
/// may have been taken away.
pub(in crate::disk) fn replace(
    root: &Root,
    keeper: &Keeper,
    path: &RelPath,
    ours: (&Directory, &str),
    lying: &SecondName<'_>,
) -> io::Result<bool> {
    let is_replaced = exchange(root, path, ours, lying)?;
    if let (false, Some((versions, number))) = (is_replaced, keeper.place(path)) {
        take_back(versions, number)?;
    }
    Ok(is_replaced)
}

fn exchange(
    root: &Root,
    path: &RelPath,
    (source, ours): (&Directory, &str),
    lying: &SecondName<'_>,
) -> io::Result<bool> {
    let SecondName {
        directory,
        name,
        there,
    } = lying;
    let is_it = |mark: Mark| there.is_some_and(|there| mark.same_bytes(&there));
    let mark = source.mark(ours)?;
    match source.exchange(ours, directory, name) {
        Ok(()) => {}
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(fault) if fault.kind() == io::ErrorKind::Unsupported => {
            let is_there = mark_if_any(directory, name)?.is_some_and(is_it);
            if is_there {
                source.rename(ours, directory, name)?;
            }
            return Ok(is_there);
        }
        Err(fault) => return Err(fault),
    }
    let came_out = source.mark(ours)?;
    if is_it(came_out) {
        // What is left of it has names of its own by now; litter is removed when the root is opened.
        let _ = source.remove_file(ours);
        return Ok(true);
    }
    give_back(root, path, (source, ours), (directory, name), &mark)?;
    Ok(false)
}

/// Puts back what came out under a name of ours, which then shows ours again, or nothing: its caller removes what
/// is there.
///
/// Somebody may have put something newer over ours meanwhile: that stays, and what came out first, which they
/// would have replaced, becomes a version; as does what cannot go back.
fn give_back(
    root: &Root,
    path: &RelPath,
    (source, ours): (&Directory, &str),
    (directory, name): (&Directory, &str),
    mark: &Mark,
) -> io::Result<()> {
    let mut held = source.mark(ours)?;
    let mut put: Option<Mark> = None;
    for _ in 0..RETURNS_MAX {
        match source.exchange(ours, directory, name) {
            Ok(()) => {
                let came_out = source.mark(ours)?;
                if came_out.same_bytes(mark) {
                    return Ok(());
                }
                let is_older = put.is_some_and(|put| came_out.same_bytes(&put));
                put = Some(held);
                held = came_out;
                if is_older {
                    break;
                }
            }
            // Somebody has taken ours away.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                match source.rename_new(ours, directory, name) {
                    Ok(()) => return Ok(()),
                    Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(_) => break,
                }
            }
            Err(_) => break,
        }
    }
    become_version(root, path, (source, ours))
}

/// Puts back what was taken aside and was not what was seen; where something newer lies by now, or it cannot go
/// back, it becomes a version.
pub(super) fn put_back(
    root: &Root,
    path: &RelPath,
    (aside, number): (&Directory, &str),
    (directory, name): (&Directory, &str),
) -> io::Result<()> {
    match aside.rename_new(number, directory, name) {
        Ok(()) => Ok(()),
        Err(_) => become_version(root, path, (aside, number)),
    }
}

fn become_version(
    root: &Root,
    path: &RelPath,
    (directory, name): (&Directory, &str),
) -> io::Result<()> {
    let mark = directory.mark(name)?;
    let keeper = Keeper::of(root, &[(path, mark.stamp)])?;
    if let Some((versions, number)) = keeper.place(path) {
        directory.rename_new(name, versions, number)?;
        root.versions.add_bytes(&mark);
        keeper.sync()?;
    }
    Ok(())
}
