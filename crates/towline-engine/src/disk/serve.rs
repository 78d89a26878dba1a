//! Opens files of a root for peers: only when they still are what the index says.

use std::fs::File;

use towline_core::records::DiskStamp;
use towline_wire::rel_path::RelPath;

use super::handle::{Kind, mark_of};
use super::parents::{Missing, Parents};
use super::root::Root;

/// The file is gone, changed or unreadable. Peers are told only that it is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is not what the index says")]
pub(crate) struct NotServed;

/// Opens files of one root, neighbours one after the other: the directories on the way stay open.
pub(crate) struct Opener<'root>(Parents<'root>);

impl<'root> Opener<'root> {
    /// Opens files below this root.
    pub(crate) fn of(root: &'root Root) -> Self {
        Self(Parents::new(root))
    }

    /// Opens a file for reading if it has exactly this stamp. A reader that takes long may ask again
    /// with [`still_has`]; the receiver checks hashes in any case.
    pub(crate) fn open(&mut self, path: &RelPath, stamp: DiskStamp) -> Result<File, NotServed> {
        let file = self
            .0
            .of(path, Missing::Refuse)
            .and_then(|directory| directory.open_file(path.file_name()))
            .map_err(|_| NotServed)?;
        if still_has(&file, stamp) {
            Ok(file)
        } else {
            Err(NotServed)
        }
    }
}

/// Opens one file as an [`Opener`] does.
pub(crate) fn open_for_serving(
    root: &Root,
    path: &RelPath,
    stamp: DiskStamp,
) -> Result<File, NotServed> {
    Opener::of(root).open(path, stamp)
}

/// Whether an open file still has this stamp.
pub(crate) fn still_has(file: &File, stamp: DiskStamp) -> bool {
    mark_of(file).is_ok_and(|mark| mark.kind == Kind::File && mark.stamp == stamp)
}
