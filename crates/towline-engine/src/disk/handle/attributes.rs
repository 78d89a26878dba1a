//! Extended attributes of an open file, as they travel: those of users alone, named as Linux does.
//!
//! Linux names them so itself. macOS has one space of names; all but the system's own are the user's
//! there. Other systems have none, which is `Unsupported`.

use std::fs::File;
use std::io;

use towline_wire::entry::Attributes;

/// Attributes that cannot travel, or that this filesystem does not take: too many, too large, or with
/// names that are no text. The error inside of an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("extended attributes cannot be kept as they are")]
pub(crate) struct Unfit;

impl Unfit {
    /// Whether a fault says this.
    pub(crate) fn is_in(fault: &io::Error) -> bool {
        fault.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl From<Unfit> for io::Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(io::ErrorKind::InvalidData, unfit)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) use known::{read_attributes, write_attributes};

/// The attributes of a file.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn read_attributes(_: &File) -> io::Result<Attributes> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Gives a file of ours exactly these attributes.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn write_attributes(_: &File, _: &Attributes) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod known {
    use rustix::buffer::spare_capacity;
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;
    use towline_wire::limits::ATTRIBUTES_BYTES_MAX;

    use super::{Attributes, File, Unfit, io};

    /// Room for the names of a file's attributes, of all kinds: 1 KiB holds what files have, 64 KiB what
    /// Linux lets them have.
    const LIST_BYTES: [usize; 2] = [1024, 64 * 1024];

    /// The attributes of a file. What changes meanwhile is found by the caller, who compares marks.
    pub(crate) fn read_attributes(file: &File) -> io::Result<Attributes> {
        let names = names(file)?;
        if names.is_empty() {
            return Ok(Attributes::default());
        }
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            // One byte more than fits, so that what does not fit shows.
            let mut value = Vec::with_capacity(ATTRIBUTES_BYTES_MAX + 1);
            match fgetxattr(file, name.there.as_str(), spare_capacity(&mut value)) {
                Ok(_) => {
                    value.shrink_to_fit();
                    all.push((name.told, value));
                }
                // It went since it was listed.
                Err(fault) if fault == nothing_there() => {}
                Err(Errno::RANGE | Errno::TOOBIG) => return Err(Unfit.into()),
                Err(fault) => return Err(fault.into()),
            }
        }
        Attributes::new(all).map_err(|_| Unfit.into())
    }

    /// Gives a file of ours exactly these attributes.
    pub(crate) fn write_attributes(file: &File, wanted: &Attributes) -> io::Result<()> {
        for name in names(file)? {
            if wanted.value(&name.told).is_none() {
                fremovexattr(file, name.there.as_str())?;
            }
        }
        for (told, value) in wanted.iter() {
            let name = platform::there(told);
            match fsetxattr(file, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) => {}
                // The bytes of the file have found room: it is this that there is none for.
                Err(
                    Errno::NOSPC | Errno::DQUOT | Errno::RANGE | Errno::TOOBIG | Errno::NAMETOOLONG,
                ) => {
                    return Err(Unfit.into());
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    /// A name as the system has it and as it is told.
    struct Name {
        there: String,
        told: String,
    }

    fn names(file: &File) -> io::Result<Vec<Name>> {
        let list = listed(file)?;
        let mut names = Vec::new();
        for raw in list.split(|byte| *byte == 0).filter(|raw| !raw.is_empty()) {
            if !platform::is_users(raw) {
                continue;
            }
            let there = String::from_utf8(raw.to_vec()).map_err(|_| Unfit)?;
            let told = platform::told(&there);
            names.push(Name { there, told });
        }
        Ok(names)
    }

    fn listed(file: &File) -> io::Result<Vec<u8>> {
        for room in LIST_BYTES {
            let mut list = Vec::with_capacity(room);
            match flistxattr(file, spare_capacity(&mut list)) {
                Ok(_) => return Ok(list),
                Err(Errno::RANGE) => {}
                Err(Errno::TOOBIG) => break,
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Unfit.into())
    }

    #[cfg(target_vendor = "apple")]
    const fn nothing_there() -> Errno {
        Errno::NOATTR
    }

    #[cfg(not(target_vendor = "apple"))]
    const fn nothing_there() -> Errno {
        Errno::NODATA
    }

    #[cfg(not(target_vendor = "apple"))]
    mod platform {
        use towline_wire::entry::USERS_PREFIX;

        pub(super) fn is_users(raw: &[u8]) -> bool {
            raw.starts_with(USERS_PREFIX.as_bytes())
        }

        pub(super) fn told(there: &str) -> String {
            there.to_owned()
        }

        pub(super) fn there(told: &str) -> String {
            told.to_owned()
        }
    }

    #[cfg(target_vendor = "apple")]
    mod platform {
        use towline_wire::entry::USERS_PREFIX;

        /// What macOS itself keeps beside a file: where it came from, who may open it, how it is stored.
        /// It holds for this machine alone.
        const SYSTEMS: [&[u8]; 8] = [
            b"com.apple.quarantine",
            b"com.apple.macl",
            b"com.apple.provenance",
            b"com.apple.rootless",
            b"com.apple.decmpfs",
            b"com.apple.lastuseddate",
            b"com.apple.system.",
            b"com.apple.security.",
        ];

        pub(super) fn is_users(raw: &[u8]) -> bool {
            !SYSTEMS.iter().any(|system| raw.starts_with(system))
        }

        pub(super) fn told(there: &str) -> String {
            format!("{USERS_PREFIX}{there}")
        }

        pub(super) fn there(told: &str) -> String {
            told.strip_prefix(USERS_PREFIX).unwrap_or(told).to_owned()
        }
    }
}
