//! Directory handles on Windows, which has no public calls on a name below a handle: `cap-std` walks
//! from the handle for us and refuses whatever would lead out of the directory.
//!
//! Same promises as on Unix: one call takes one name, and a link under it is opened by nobody. An
//! open directory can neither be moved nor removed by others meanwhile, so a checked name stays
//! checked. What Windows lacks is left out and told so: permission bits, a sync of names or of a
//! filesystem, change times. Text of links has `/` inside Towline and `\` on the disk.
//!
//! This file is type-checked for Windows, and has not been run there yet.

use std::ffi::OsString;
use std::fs::{File, FileTimes};
use std::io;
use std::os::windows::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use towline_core::records::{Beside, DiskStamp};
use towline_wire::entry::UnixNanos;

use super::{Identity, Kind, Listed, Mark};
use crate::disk::names;

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(Dir);

impl Directory {
    /// Opens a directory by a path of the system, following links: for roots only.
    pub(crate) fn open_ambient(path: &Path) -> io::Result<Self> {
        Ok(Self(Dir::open_ambient_dir(path, ambient_authority())?))
    }

    /// Opens a directory under a name; a link is `NotADirectory`.
    pub(crate) fn open_directory(&self, name: &str) -> io::Result<Self> {
        match self.0.open_dir_nofollow(single(name)?) {
            Ok(directory) => Ok(Self(directory)),
            // What the system says of links and files is not one of the kinds that callers know.
            Err(fault) => Err(match self.mark(name) {
                Ok(mark) if mark.kind != Kind::Directory => io::ErrorKind::NotADirectory.into(),
                Ok(_) | Err(_) => fault,
            }),
        }
    }

    /// Opens a file for reading. The caller checks that it is regular.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.open(name, OpenOptions::new().read(true))
    }

    /// Opens a file of ours for reading and writing.
    pub(crate) fn open_writable(&self, name: &str) -> io::Result<File> {
        self.open(name, OpenOptions::new().read(true).write(true))
    }

    /// Opens a file of ours for writing past the page cache: always `Unsupported`.
    pub(crate) fn open_uncached(&self, name: &str) -> io::Result<File> {
        single(name)?;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a new file, open for reading and writing. There are no permission bits to give it.
    pub(crate) fn create_file(&self, name: &str, _mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        self.open(name, options.read(true).write(true).create_new(true))
    }

    fn open(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let options = options.follow(FollowSymlinks::No);
        Ok(self.0.open_with(single(name)?, options)?.into_std())
    }

    /// What lies under a name.
    pub(crate) fn mark(&self, name: &str) -> io::Result<Mark> {
        mark(&self.0.symlink_metadata(single(name)?)?)
    }

    /// When a name last came or went in it.
    pub(crate) fn mtime(&self) -> io::Result<UnixNanos> {
        Ok(mark(&self.0.dir_metadata()?)?.mtime)
    }

    /// Which directory this is.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Ok(identity(&self.0.dir_metadata()?))
    }

    /// All names in it, unsorted, without `.` and `..`.
    pub(crate) fn list(&self) -> io::Result<Vec<(OsString, Listed)>> {
        let mut names = Vec::new();
        for entry in self.0.entries()? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let listed = if kind.is_file() || kind.is_symlink() {
                Listed::NotDirectory
            } else {
                Listed::PerhapsDirectory
            };
            names.push((entry.file_name(), listed));
        }
        Ok(names)
    }

    /// Makes a directory; it takes the rights of the one that it lies in.
    pub(crate) fn make_directory(&self, name: &str, _mode: u32) -> io::Result<()> {
        self.0.create_dir(single(name)?)
    }

    /// Removes a name that is no directory. Links to directories count as directories for the
    /// system; they are removed all the same.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        self.0.remove_file_or_symlink(single(name)?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &str) -> io::Result<()> {
        // The system's call would take a link to a directory, too.
        if self.mark(name)?.kind != Kind::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        self.0.remove_dir(single(name)?)
    }

    /// Makes a symlink with this text. The system wants to know whether it leads to a directory,
    /// which the text does not tell: it is made as one to a file. An absolute text is refused.
    pub(crate) fn make_symlink(&self, target: &str, name: &str) -> io::Result<()> {
        // On other systems these are letters of a name.
        if target.contains(['\\', ':']) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        self.0
            .symlink_file(target.replace('/', "\\"), single(name)?)
    }

    /// The text of a symlink. That of an absolute one, or of a junction, is given as it stands: it
    /// means nothing elsewhere.
    pub(crate) fn read_link(&self, name: &str) -> io::Result<OsString> {
        let target = self.0.read_link_contents(single(name)?)?;
        Ok(match target.to_str() {
            Some(text) if !target.has_root() => text.replace('\\', "/").into(),
            Some(_) | None => target.into_os_string(),
        })
    }

    /// Renames over whatever file lies at the new name.
    pub(crate) fn rename(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.0.rename(single(name)?, &to.0, single(to_name)?)
    }

    /// Renames only if nothing lies at the new name; else `AlreadyExists`. A link refuses to
    /// replace; where there are none (FAT, and for directories), a look before the rename must do.
    pub(crate) fn rename_new(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        match self.link(name, to, to_name) {
            Ok(()) => self.remove_file(name),
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => Err(fault),
            Err(_) => match to.mark(to_name) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                    self.rename(name, to, to_name)
                }
                Err(fault) => Err(fault),
            },
        }
    }

    /// `Unsupported`: there is no such call.
    pub(crate) fn exchange(&self, _name: &str, _to: &Self, _to_name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives a file a second name; refuses to replace.
    pub(crate) fn link(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.0.hard_link(single(name)?, &to.0, single(to_name)?)
    }

    /// Whether what lies under a name has another one.
    pub(crate) fn has_other_names(&self, name: &str) -> io::Result<bool> {
        Ok(self.0.symlink_metadata(single(name)?)?.nlink() > 1)
    }

    /// Nothing: there are no permission bits.
    #[expect(clippy::unnecessary_wraps, reason = "on other systems this can fail")]
    pub(crate) fn set_mode(&self, _name: &str, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    /// Nothing: NTFS writes changes of names to its journal in order, and only an administrator may
    /// ask for more.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// The size of this filesystem in bytes; `Unsupported`, so that nothing is ever pruned here.
    pub(crate) fn filesystem_bytes(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// `Unsupported`: there is no such call for everybody.
    pub(crate) fn sync_filesystem(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The metadata of an open file.
pub(crate) fn mark_of(file: &File) -> io::Result<Mark> {
    mark(&Metadata::from_file(file)?)
}

/// Sets a file's modification time.
pub(crate) fn set_mtime(file: &File, mtime: UnixNanos) -> io::Result<()> {
    let since = Duration::from_nanos(mtime.0.unsigned_abs());
    let time = if mtime.0 >= 0 {
        UNIX_EPOCH.checked_add(since)
    } else {
        UNIX_EPOCH.checked_sub(since)
    };
    let time = time.ok_or(io::ErrorKind::InvalidInput)?;
    file.set_times(FileTimes::new().set_modified(time))
}

/// Gives a file its length, and with it its room on the disk.
pub(crate) fn reserve(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}

/// Makes a part of a file zeros.
pub(crate) fn make_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    super::write_zeros_at(file, offset, len)
}

/// Where the next bytes lie that are not in a hole: here holes are not looked for.
pub(crate) fn data_from(_file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    Ok(Some((offset, u64::MAX)))
}

/// Whether a file may have holes: here they are not looked for.
pub(crate) fn may_have_holes(_file: &File) -> io::Result<bool> {
    Ok(false)
}

/// Copies all bytes of `from` into the empty file `to`.
pub(crate) fn copy_bytes(from: &File, to: &File) -> io::Result<()> {
    let (mut from, mut to) = (from, to);
    io::copy(&mut from, &mut to)?;
    Ok(())
}

/// Reads at an offset. Moves the file's own position, which nobody uses.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

/// Reads at an offset, behind what the buffer holds: as much as it has room for.
pub(crate) fn append_at(file: &File, buffer: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
    let held = buffer.len();
    buffer.resize(buffer.capacity(), 0);
    let read = read_at(file, buffer.get_mut(held..).unwrap_or_default(), offset);
    buffer.truncate(held + read.as_ref().map_or(0, |read| *read));
    read
}

/// Writes at an offset. Moves the file's own position, which nobody uses.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// The name, if it is one: the proof that no call of this file can leave its directory, or reach a
/// device or a second stream of a file.
fn single(name: &str) -> io::Result<&str> {
    if name.is_empty() || !names::possible_on_windows(name) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(name)
}

/// `metadata` comes from an open handle.
fn mark(metadata: &Metadata) -> io::Result<Mark> {
    let kind = if metadata.is_symlink() {
        Kind::Symlink
    } else if metadata.is_dir() {
        Kind::Directory
    } else if metadata.is_file() {
        Kind::File
    } else {
        Kind::Other
    };
    let mtime = nanos(metadata.modified()?.into_std());
    let identity = identity(metadata);
    let stamp = DiskStamp {
        size: if kind == Kind::File {
            metadata.len()
        } else {
            0
        },
        mtime: if kind == Kind::Directory {
            UnixNanos(0)
        } else {
            mtime
        },
        ctime: UnixNanos(0),
        file_id: identity.file_id,
        beside: Beside::Unasked,
    };
    Ok(Mark {
        kind,
        stamp,
        mtime,
        identity,
        mode: 0,
    })
}

/// `metadata` comes from an open handle: only that tells the volume and the file's id.
fn identity(metadata: &Metadata) -> Identity {
    Identity {
        device: metadata.dev(),
        file_id: metadata.ino(),
    }
}

/// Nanoseconds since 1970; times that do not fit are not in use.
fn nanos(time: SystemTime) -> UnixNanos {
    let signed = |since: Duration| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    UnixNanos(match time.duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since),
        Err(before) => -signed(before.duration()),
    })
}
