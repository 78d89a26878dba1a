//! A directory handle and the single names below it: the only way in which user files are touched.
//!
//! Every operation takes one open directory and one name, never a path, and never follows a
//! symlink. A walk is a chain of such steps (see `parents`), so no name from a peer and no link on
//! the disk can lead out of a root. The leaf files hold the same set of functions for each family
//! of systems.

mod attributes;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io;

use towline_core::records::DiskStamp;
use towline_wire::entry::UnixNanos;

pub(crate) use attributes::{Unfit, read_attributes, write_attributes};
#[cfg(unix)]
pub(crate) use unix::{
    Directory, append_at, copy_bytes, make_hole, mark_of, read_at, reserve, set_mtime, write_at,
};
#[cfg(unix)]
use unix::{data_from, may_have_holes};
#[cfg(windows)]
pub(crate) use windows::{
    Directory, append_at, copy_bytes, make_hole, mark_of, read_at, reserve, set_mtime, write_at,
};
#[cfg(windows)]
use windows::{data_from, may_have_holes};

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

/// Zeros to compare with and to hash: the longest range that is asked for. They take no memory until
/// they are read, and then the system's one page of zeros.
pub(crate) static ZEROS: [u8; 4 * 1024 * 1024] = [0; 4 * 1024 * 1024];

/// Whether all bytes are zero. What is not shows with its first bytes, so looking costs nothing.
pub(crate) fn is_zero(mut bytes: &[u8]) -> bool {
    while let Some(part) = bytes.get(..ZEROS.len().min(bytes.len())) {
        if part.is_empty() {
            return true;
        }
        if ZEROS.get(..part.len()) != Some(part) {
            return false;
        }
        bytes = bytes.get(part.len()..).unwrap_or_default();
    }
    true
}

/// Writes zeros where the filesystem makes no holes.
fn write_zeros_at(file: &File, mut offset: u64, mut len: u64) -> io::Result<()> {
    while len > 0 {
        let part = usize::try_from(len).unwrap_or(usize::MAX).min(ZEROS.len());
        write_all_at(file, ZEROS.get(..part).unwrap_or_default(), offset)?;
        offset += part as u64;
        len -= part as u64;
    }
    Ok(())
}

/// Which parts of a file are holes, asked for from its begin to its end.
#[derive(Debug)]
pub(crate) struct Holes {
    /// `None` for a file without holes.
    data: Option<Data>,
}

/// The last data that was found, or that there is none any more.
#[derive(Debug, Clone, Copy)]
enum Data {
    /// From where it was asked for until its begin all is a hole.
    Between {
        asked: u64,
        begin: u64,
        end: u64,
    },
    NoneFrom(u64),
}

impl Data {
    const fn is_known_at(self, offset: u64) -> bool {
        match self {
            Self::Between { asked, end, .. } => asked <= offset && offset < end,
            Self::NoneFrom(begin) => begin <= offset,
        }
    }
}

impl Holes {
    /// The holes of this file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let data = may_have_holes(file)?.then_some(Data::Between {
            asked: 0,
            begin: 0,
            end: 0,
        });
        Ok(Self { data })
    }

    /// Whether all of this part lies in a hole. Moves the file's position.
    pub(crate) fn cover(&mut self, file: &File, offset: u64, len: u64) -> io::Result<bool> {
        let Some(data) = &mut self.data else {
            return Ok(false);
        };
        if !data.is_known_at(offset) {
            *data = data_from(file, offset)?.map_or(Data::NoneFrom(offset), |(begin, end)| {
                Data::Between {
                    asked: offset,
                    begin,
                    end,
                }
            });
        }
        Ok(match *data {
            Data::Between { begin, .. } => offset + len <= begin,
            Data::NoneFrom(_) => true,
        })
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
