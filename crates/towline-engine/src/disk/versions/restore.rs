//! Brings a version back to where it lay.
//!
//! A rename takes it out of the store, so nothing is copied and a full disk does not matter. What
//! lies in its place now becomes a version first. The next look at the folder finds the file like any
//! edit of a person, and so it goes to every device.

use std::io;
use std::sync::PoisonError;

use towline_core::io::HeldReason;
use towline_core::versions::VersionId;
use towline_wire::rel_path::RelPath;

use super::super::commit::{SecondName, keep_version, mark_if_any, replace};
use super::super::handle::{Directory, Kind};
use super::super::outcome::held_reason;
use super::super::parents::{Missing, Parents};
use super::super::root::Root;
use super::{Keeper, Of, mark_of_version, read_names};

/// Why a version was not brought back; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestoreFault {
    /// There is no such version of this path (any more).
    Unknown,
    /// A directory lies there now.
    IsDirectory,
    /// A directory on the way is a file or a link now.
    NoWay,
    /// What lies there is being changed.
    Changing,
    /// This disk does not let us.
    Held(HeldReason),
}

impl From<io::Error> for RestoreFault {
    fn from(fault: io::Error) -> Self {
        if matches!(
            fault.kind(),
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
        ) {
            Self::Changing
        } else {
            Self::Held(held_reason(&fault))
        }
    }
}

impl Root {
    /// Brings a version of this path back; the newest when none is named. Durable when it returns.
    pub(crate) fn restore(
        &self,
        path: &RelPath,
        id: Option<VersionId>,
    ) -> Result<VersionId, RestoreFault> {
        let _placing = self
            .versions
            .placing
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.check().is_err() {
            return Err(RestoreFault::Held(HeldReason::Unwritable));
        }
        let (id, day) = self.find(path, id)?;
        let mut parents = Parents::new(self);
        let directory = parents.of(path, Missing::Make).map_err(way_fault)?;
        let (name, number) = (path.file_name(), id.number.to_string());
        match mark_if_any(directory, name)? {
            None => day.rename_new(&number, directory, name)?,
            Some(mark) if mark.kind == Kind::Directory => return Err(RestoreFault::IsDirectory),
            Some(mark) => {
                let keeper = Keeper::of(self, &[(path, mark.stamp)])?;
                let there = SecondName {
                    directory,
                    name,
                    there: Some(mark),
                };
                if !keep_version(self, &keeper, path, &there)? {
                    return Err(RestoreFault::Changing);
                }
                keeper.sync()?;
                if !replace(self, &keeper, path, (&day, &number), &there)? {
                    return Err(RestoreFault::Changing);
                }
            }
        }
        self.versions.forget_bytes(directory, name);
        day.sync()?;
        directory.sync()?;
        Ok(id)
    }

    fn find(
        &self,
        path: &RelPath,
        id: Option<VersionId>,
    ) -> Result<(VersionId, Directory), RestoreFault> {
        let id = match id {
            Some(id) => id,
            None => {
                let (newest, _) = self.history(&Of::Path(path.clone()), None, 1)?;
                newest.first().ok_or(RestoreFault::Unknown)?.kept.id
            }
        };
        for (day, directory) in self.days()? {
            if day != id.day || mark_of_version(&directory, id.number)?.is_none() {
                continue;
            }
            let mut is_of_path = false;
            read_names(&directory, day, |kept| {
                is_of_path |= kept.id == id && kept.path == *path;
            })?;
            if is_of_path {
                return Ok((id, directory));
            }
        }
        Err(RestoreFault::Unknown)
    }
}

/// Why a directory on the way cannot be used.
pub(super) fn way_fault(fault: io::Error) -> RestoreFault {
    if fault.kind() == io::ErrorKind::NotADirectory {
        RestoreFault::NoWay
    } else {
        fault.into()
    }
}
