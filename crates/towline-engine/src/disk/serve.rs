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

/// Opens a file for reading if it has exactly this stamp. A reader that takes long may ask again
/// with [`still_has`]; the receiver checks hashes in any case.
pub(crate) fn open_for_serving(
    root: &Root,
    path: &RelPath,
    stamp: DiskStamp,
) -> Result<File, NotServed> {
    let file = Parents::new(root)
        .of(path, Missing::Refuse)
        .and_then(|directory| directory.open_file(path.file_name()))
        .map_err(|_| NotServed)?;
    if still_has(&file, stamp) {
        Ok(file)
    } else {
        Err(NotServed)
    }
}

/// Whether an open file still has this stamp.
pub(crate) fn still_has(file: &File, stamp: DiskStamp) -> bool {
    mark_of(file).is_ok_and(|mark| mark.kind == Kind::File && mark.stamp == stamp)
}
