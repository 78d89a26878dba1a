//! Brings a folder or a directory back to a moment.
//!
//! What lay at each path then is what the core's [`Past`] says of the kept versions: it takes its place
//! again, a few hundred paths at a time, each time under one sync before and one after. What lies in a
//! place now becomes a version first. Nothing is removed: what came since, or what no version tells
//! of, stays as it is. Empty directories are no versions and do not come back.

use std::collections::BTreeMap;
use std::io;
use std::sync::PoisonError;

use towline_core::io::HeldReason;
use towline_core::versions::{Past, VersionId};
use towline_wire::entry::UnixNanos;
use towline_wire::rel_path::RelPath;

use super::super::commit::{SecondName, keep_version, mark_if_any, replace};
use super::super::handle::{Directory, Kind, Mark};
use super::super::parents::{Missing, Parents};
use super::super::root::Root;
use super::restore::{RestoreFault, way_fault};
use super::{Keeper, mark_of_version, read_names};

/// What is to lie at a path again.
pub(crate) type Wanted = (RelPath, VersionId);

/// What came of a part.
#[derive(Debug, Default)]
pub(crate) struct BroughtBack {
    /// Paths that are as they were.
    pub(crate) back: Vec<RelPath>,
    /// Paths that stay as they are, because something is in the way or the disk does not let us.
    pub(crate) failed: u64,
}

impl Root {
    /// What is to be brought back so that everything at or below `path` is as it was; by path.
    pub(crate) fn what_lay(
        &self,
        path: Option<&RelPath>,
        moment: UnixNanos,
    ) -> io::Result<Vec<Wanted>> {
        let mut past = Past::at(moment);
        for (day, directory) in self.days()? {
            let mut fault = None;
            read_names(&directory, day, |kept| {
                let concerns =
                    path.is_none_or(|path| kept.path == *path || kept.path.is_below(path));
                if !concerns || kept.kept_at <= moment || fault.is_some() {
                    return;
                }
                match mark_of_version(&directory, kept.id.number) {
                    Ok(Some(_)) => past.add(kept),
                    Ok(None) => {}
                    Err(first) => fault = Some(first),
                }
            })?;
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        Ok(past.versions().collect())
    }

    /// Brings some versions back; what lies there since before the moment is left. Durable when it
    /// returns.
    pub(crate) fn bring_back(
        &self,
        wanted: &[Wanted],
        moment: UnixNanos,
    ) -> Result<BroughtBack, RestoreFault> {
        let _placing = self
            .versions
            .placing
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.check().is_err() {
            return Err(RestoreFault::Held(HeldReason::Unwritable));
        }
        let days: BTreeMap<u64, Directory> = self.days()?.into_iter().collect();
        let mut parents = Parents::new(self);
        let mut came = BroughtBack::default();
        let mut places = Vec::new();
        for (path, id) in wanted {
            match lying(&mut parents, path) {
                Ok(Some(mark)) if mark.kind == Kind::Directory => came.failed += 1,
                // It has lain there all the time, whatever the versions say.
                Ok(Some(mark)) if mark.stamp.ctime.0 != 0 && mark.stamp.ctime <= moment => {}
                Ok(there) => places.push((path, *id, there)),
                Err(_) => came.failed += 1,
            }
        }
        let giving_way = places.iter();
        let giving_way: Vec<_> = giving_way
            .filter_map(|(path, _, there)| Some((*path, there.as_ref()?.stamp)))
            .collect();
        let keeper = Keeper::of(self, &giving_way)?;
        places.retain(|(path, _, there)| {
            let kept = self.keep(&mut parents, &keeper, path, there.as_ref());
            let is_kept = matches!(kept, Ok(true));
            came.failed += u64::from(!is_kept);
            is_kept
        });
        keeper.sync()?;
        for (path, id, there) in places {
            let Some(day) = days.get(&id.day) else {
                continue;
            };
            match self.place(&mut parents, &keeper, (day, id), path, there.as_ref()) {
                Ok(true) => came.back.push(path.clone()),
                Ok(false) | Err(_) => came.failed += 1,
            }
        }
        self.top().sync_filesystem()?;
        Ok(came)
    }

    fn keep(
        &self,
        parents: &mut Parents<'_>,
        keeper: &Keeper,
        path: &RelPath,
        there: Option<&Mark>,
    ) -> Result<bool, RestoreFault> {
        let directory = parents.of(path, Missing::Make).map_err(way_fault)?;
        let there = SecondName {
            directory,
            name: path.file_name(),
            there: there.copied(),
        };
        Ok(keep_version(self, keeper, path, &there)?)
    }

    /// Renames a version to its place, if that still holds what was kept.
    fn place(
        &self,
        parents: &mut Parents<'_>,
        keeper: &Keeper,
        (day, id): (&Directory, VersionId),
        path: &RelPath,
        there: Option<&Mark>,
    ) -> Result<bool, RestoreFault> {
        let directory = parents.of(path, Missing::Make).map_err(way_fault)?;
        let (name, number) = (path.file_name(), id.number.to_string());
        match there {
            None => day.rename_new(&number, directory, name)?,
            Some(_) => {
                let lying = SecondName {
                    directory,
                    name,
                    there: there.copied(),
                };
                if !replace(self, keeper, path, (day, &number), &lying)? {
                    return Ok(false);
                }
            }
        }
        self.versions.forget_bytes(directory, name);
        Ok(true)
    }
}

/// What lies at a path; nothing where the directories on the way are missing.
fn lying(parents: &mut Parents<'_>, path: &RelPath) -> io::Result<Option<Mark>> {
    match parents.of(path, Missing::Refuse) {
        Ok(directory) => mark_if_any(directory, path.file_name()),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
