//! A directory handle and the single names below it: the only way in which user files are touched.
//!
//! Every operation takes one open directory and one name, never a path, and never follows a
//! symlink. A walk is a chain of such steps (see `parents`), so no name from a peer and no link on
//! the disk can lead out of a root. The leaf files hold the same set of functions for each family
//! of systems.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io;

use towline_core::records::DiskStamp;
use towline_wire::entry::UnixNanos;

#[cfg(unix)]
pub(crate) use unix::{
    Directory, append_at, copy_bytes, mark_of, read_at, reserve, set_mtime, write_at,
};
#[cfg(windows)]
pub(crate) use windows::{
    Directory, append_at, copy_bytes, mark_of, read_at, reserve, set_mtime, write_at,
};

/// What kind of thing lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A fifo, socket, device or something this system alone knows.
    Other,
}

/// What a directory says of a name without opening anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// It is a directory, or the filesystem does not say.
    PerhapsDirectory,
    /// It is something else.
    NotDirectory,
}

/// Which object lies under a name: device and inode; equal only for the same object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The filesystem.
    pub(crate) device: u64,
    /// The inode or file id on it.
    pub(crate) file_id: u64,
}

/// The metadata of what lies under a name, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its marks. For directories all but the file id are 0, because a directory's own times say
    /// nothing of it that is synced.
    pub(crate) stamp: DiskStamp,
    /// Modification time, for directories too.
    pub(crate) mtime: UnixNanos,
    /// Which object it is.
    pub(crate) identity: Identity,
    /// Permission bits (12 low bits); 0 where the system has none.
    pub(crate) mode: u32,
}

impl Mark {
    /// Whether the owner may execute it; `None` where the system has no such bit.
    pub(crate) const fn executable(&self) -> Option<bool> {
        if cfg!(unix) {
            Some(self.mode & 0o100 != 0)
        } else {
            None
        }
    }

    /// Whether both show the same bytes of the same object. The change time may differ: a hard link
    /// or a rename moves it.
    pub(crate) fn same_bytes(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.identity == other.identity
            && self.stamp.size == other.stamp.size
            && self.stamp.mtime == other.stamp.mtime
    }
}

/// Permission bits of a new file before the umask: private data stays as private as the person's
/// own programs would leave it.
pub(crate) const fn new_file_mode(executable: bool) -> u32 {
    if executable { 0o777 } else { 0o666 }
}

/// The mode of a file that replaces one: the old bits, with execution for whoever may read, or for
/// nobody.
pub(crate) const fn replacing_mode(old: u32, executable: bool) -> u32 {
    let without = old & 0o777 & !0o111;
    if executable {
        without | ((without & 0o444) >> 2) | 0o100
    } else {
        without
    }
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = write_at(file, bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}
