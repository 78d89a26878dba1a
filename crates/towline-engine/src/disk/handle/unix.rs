//! Directory handles on Unix: the `*at` calls of POSIX, each on one name, each without following
//! links. Linux adds a rename that refuses to replace, `syncfs` and reflinks; elsewhere the nearest
//! equivalent stands in.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use towline_core::records::{Beside, DiskStamp};
use towline_wire::entry::UnixNanos;

use super::{Identity, Kind, Listed, Mark};

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory by a path of the system, following links: for roots only.
    pub(crate) fn open_ambient(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory under a name; a link is `NotADirectory`.
    pub(crate) fn open_directory(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(fs::openat(
            &self.0,
            single(name)?,
            flags,
            Mode::empty(),
        )?))
    }

    /// Opens a file for reading; never blocks on a fifo. The caller checks that it is regular.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(
            &self.0,
            single(name)?,
            flags,
            Mode::empty(),
        )?))
    }

    /// Opens a file of ours for reading and writing.
    pub(crate) fn open_writable(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(
            &self.0,
            single(name)?,
            flags,
            Mode::empty(),
        )?))
    }

    /// Opens a file of ours for writing past the page cache; `Unsupported` where that is not known.
    pub(crate) fn open_uncached(&self, name: &str) -> io::Result<File> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(fs::openat(
                &self.0,
                single(name)?,
                flags,
                Mode::empty(),
            )?))
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            single(name)?;
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Makes a new file, open for reading and writing.
    pub(crate) fn create_file(&self, name: &str, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(
            &self.0,
            single(name)?,
            flags,
            bits(mode),
        )?))
    }

    /// What lies under a name.
    pub(crate) fn mark(&self, name: &str) -> io::Result<Mark> {
        Ok(mark(&fs::statat(
            &self.0,
            single(name)?,
            AtFlags::SYMLINK_NOFOLLOW,
        )?))
    }

    /// When a name last came or went in it.
    pub(crate) fn mtime(&self) -> io::Result<UnixNanos> {
        Ok(mark(&fs::fstat(&self.0)?).mtime)
    }

    /// Which directory this is.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Ok(mark(&fs::fstat(&self.0)?).identity)
    }

    /// All names in it, unsorted, without `.` and `..`.
    pub(crate) fn list(&self) -> io::Result<Vec<(OsString, Listed)>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let listed = match entry.file_type() {
                FileType::Directory | FileType::Unknown => Listed::PerhapsDirectory,
                FileType::RegularFile
                | FileType::Symlink
                | FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice => Listed::NotDirectory,
            };
            names.push((OsString::from_vec(name.to_vec()), listed));
        }
        Ok(names)
    }

    /// Makes a directory.
    pub(crate) fn make_directory(&self, name: &str, mode: u32) -> io::Result<()> {
        Ok(fs::mkdirat(&self.0, single(name)?, bits(mode))?)
    }

    /// Removes a name that is no directory.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, single(name)?, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, single(name)?, AtFlags::REMOVEDIR)?)
    }

    /// Makes a symlink with this text.
    pub(crate) fn make_symlink(&self, target: &str, name: &str) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, single(name)?)?)
    }

    /// The text of a symlink.
    pub(crate) fn read_link(&self, name: &str) -> io::Result<OsString> {
        let target = fs::readlinkat(&self.0, single(name)?, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Renames over whatever file lies at the new name.
    pub(crate) fn rename(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        Ok(fs::renameat(
            &self.0,
            single(name)?,
            &to.0,
            single(to_name)?,
        )?)
    }

    /// Renames only if nothing lies at the new name; else `AlreadyExists`.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    pub(crate) fn rename_new(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        use rustix::io::Errno;
        let flags = fs::RenameFlags::NOREPLACE;
        match fs::renameat_with(&self.0, single(name)?, &to.0, single(to_name)?, flags) {
            // The filesystem (some network and FUSE ones) does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.rename_by_link(name, to, to_name)
            }
            other => Ok(other?),
        }
    }

    /// Renames only if nothing lies at the new name; else `AlreadyExists`.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    pub(crate) fn rename_new(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        self.rename_by_link(name, to, to_name)
    }

    /// What lies at two names changes places; `Unsupported` where the system or the filesystem cannot.
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    pub(crate) fn exchange(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        use rustix::io::Errno;
        let flags = fs::RenameFlags::EXCHANGE;
        match fs::renameat_with(&self.0, single(name)?, &to.0, single(to_name)?, flags) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            other => Ok(other?),
        }
    }

    /// `Unsupported`: there is no such call.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    pub(crate) fn exchange(&self, _name: &str, _to: &Self, _to_name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A link refuses to replace on every filesystem that has links; where there are none, a look
    /// before the rename must do.
    fn rename_by_link(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
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

    /// Gives a file a second name; refuses to replace.
    pub(crate) fn link(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        Ok(fs::linkat(
            &self.0,
            single(name)?,
            &to.0,
            single(to_name)?,
            AtFlags::empty(),
        )?)
    }

    /// Whether what lies under a name has another one.
    pub(crate) fn has_other_names(&self, name: &str) -> io::Result<bool> {
        let stat = fs::statat(&self.0, single(name)?, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(number(stat.st_nlink) > 1)
    }

    /// Sets the permission bits of a file of ours.
    pub(crate) fn set_mode(&self, name: &str, mode: u32) -> io::Result<()> {
        Ok(fs::chmodat(
            &self.0,
            single(name)?,
            bits(mode),
            AtFlags::empty(),
        )?)
    }

    /// Makes the names in this directory durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.0)?)
    }

    /// The size of this filesystem in bytes.
    pub(crate) fn filesystem_bytes(&self) -> io::Result<u64> {
        let stat = fs::fstatvfs(&self.0)?;
        Ok(stat.f_blocks.saturating_mul(stat.f_frsize))
    }

    /// Makes everything on this filesystem durable; `Unsupported` where there is no such call.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn sync_filesystem(&self) -> io::Result<()> {
        Ok(fs::syncfs(&self.0)?)
    }

    /// Makes everything on this filesystem durable; `Unsupported` where there is no such call.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn sync_filesystem(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The metadata of an open file.
pub(crate) fn mark_of(file: &File) -> io::Result<Mark> {
    Ok(mark(&fs::fstat(file)?))
}

/// Sets a file's modification time.
pub(crate) fn set_mtime(file: &File, mtime: UnixNanos) -> io::Result<()> {
    let last_modification = Timespec {
        tv_sec: mtime.0.div_euclid(NANOS_PER_SECOND),
        tv_nsec: mtime.0.rem_euclid(NANOS_PER_SECOND),
    };
    let last_access = Timespec {
        tv_sec: 0,
        tv_nsec: fs::UTIME_OMIT,
    };
    Ok(fs::futimens(
        file,
        &Timestamps {
            last_access,
            last_modification,
        },
    )?)
}

/// Gives a file its length and, where the filesystem can, its room on the disk.
pub(crate) fn reserve(file: &File, size: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::io::Errno;
        match fs::fallocate(file, fs::FallocateFlags::empty(), 0, size) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            other => return Ok(other?),
        }
    }
    file.set_len(size)
}

/// Makes a part of a file zeros, without room on the disk where the filesystem can.
pub(crate) fn make_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::io::Errno;
        let flags = fs::FallocateFlags::PUNCH_HOLE | fs::FallocateFlags::KEEP_SIZE;
        match fs::fallocate(file, flags, offset, len) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            other => return Ok(other?),
        }
    }
    super::write_zeros_at(file, offset, len)
}

/// Where the next bytes lie that are not in a hole, from `offset` on: begin and end. `None` when the
/// rest is a hole. Where the system does not know, all of it is data. Moves the file's position.
pub(crate) fn data_from(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{SeekFrom, seek};
        use rustix::io::Errno;
        match seek(file, SeekFrom::Data(offset)) {
            Ok(begin) => return Ok(Some((begin, seek(file, SeekFrom::Hole(begin))?))),
            Err(Errno::NXIO) => return Ok(None),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let _ = file;
    Ok(Some((offset, u64::MAX)))
}

/// Whether a file takes less room than its length, so that it may have holes.
pub(crate) fn may_have_holes(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    Ok(metadata.blocks().saturating_mul(512) < metadata.len())
}

/// Copies all bytes of `from` into the empty file `to`; shares the blocks where the filesystem can, and
/// leaves holes where `from` has them.
pub(crate) fn copy_bytes(from: &File, to: &File) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    let (mut from, mut to) = (from, to);
    if !may_have_holes(from)? {
        // The standard library uses `copy_file_range` where there is one.
        io::copy(&mut from, &mut to)?;
        return Ok(());
    }
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut done = 0;
    while let Some((begin, end)) = data_from(from, done)?.filter(|(begin, _)| *begin < size) {
        let end = end.min(size);
        from.seek(SeekFrom::Start(begin))?;
        to.seek(SeekFrom::Start(begin))?;
        io::copy(&mut from.take(end - begin), &mut to)?;
        done = end;
    }
    Ok(())
}

/// Reads at an offset.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(bytes, offset)
}

/// Reads at an offset, behind what the buffer holds: as much as it has room for. The room is not
/// written with zeros first.
pub(crate) fn append_at(file: &File, buffer: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(
        file,
        rustix::buffer::spare_capacity(buffer),
        offset,
    )?)
}

/// Writes at an offset.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

/// The name, if it is one: the proof that no call of this file can leave its directory.
fn single(name: &str) -> io::Result<&str> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(name)
}

fn mark(stat: &Stat) -> Mark {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Kind::Other,
    };
    let mtime = nanos(stat.st_mtime, stat.st_mtime_nsec);
    let file_id = number(stat.st_ino);
    let stamp = match kind {
        Kind::File | Kind::Symlink | Kind::Other => DiskStamp {
            size: if kind == Kind::File {
                number(stat.st_size)
            } else {
                0
            },
            mtime,
            ctime: nanos(stat.st_ctime, stat.st_ctime_nsec),
            file_id,
            beside: Beside::Unasked,
        },
        Kind::Directory => DiskStamp {
            size: 0,
            mtime: UnixNanos(0),
            ctime: UnixNanos(0),
            file_id,
            beside: Beside::Unasked,
        },
    };
    let identity = Identity {
        device: number(stat.st_dev),
        file_id,
    };
    // At most 12 bits are left.
    let mode = (number(stat.st_mode) & 0o7777) as u32;
    Mark {
        kind,
        stamp,
        mtime,
        identity,
        mode,
    }
}

fn bits(mode: u32) -> Mode {
    Mode::from_raw_mode(mode as fs::RawMode)
}

/// The types of these fields differ between systems; values beyond the range are not in use.
fn number(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(0)
}

fn nanos(seconds: impl TryInto<i64>, nanos: impl TryInto<i64>) -> UnixNanos {
    let seconds: i64 = seconds.try_into().unwrap_or(0);
    let nanos: i64 = nanos.try_into().unwrap_or(0);
    UnixNanos(
        seconds
            .saturating_mul(NANOS_PER_SECOND)
            .saturating_add(nanos),
    )
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
