//! What the filesystem under a root can hold, found out by trying when the root is opened.
//!
//! Names of operating systems and filesystems tell too little: Linux mounts disks that do not see case,
//! macOS has ones that do. So a file is made among our own temporary ones, and asked for by other
//! spellings. Where trying is not possible (a full disk) everything counts as possible; the disk then
//! refuses by itself what it cannot hold.

use std::io;

use towline_wire::entry::{Attributes, USERS_PREFIX};

use super::handle::{Directory, Mark, write_attributes};

/// The name of the file that is tried; its letter has a case and two normal forms.
const PROBE: &str = "probe-\u{e9}";

/// What a filesystem can hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Whether a file answers to other spellings of its name.
    pub(crate) spelling: Spelling,
    /// Characters in names.
    pub(crate) alphabet: Alphabet,
    /// Ends of names.
    pub(crate) ends: Ends,
    /// Whether files have an executable bit of their own.
    pub(crate) executable: ExecutableBit,
    /// Whether files have extended attributes of users.
    pub(crate) attributes: ExtendedAttributes,
}

/// Whether a file answers to other spellings of its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Only to its own.
    #[default]
    Exact,
    /// Also to others: in another case, or composed otherwise.
    Blind,
}

/// Characters in names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// All but the slash.
    #[default]
    Whole,
    /// Without those that Windows reserves.
    WithoutReserved,
}

/// Ends of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Any.
    #[default]
    Any,
    /// Neither a dot nor a space, as on Windows.
    NoDotOrSpace,
}

/// Whether files have an executable bit of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ExecutableBit {
    /// They have.
    #[default]
    Kept,
    /// It is the same for all, or none.
    Lost,
}

/// Whether files have extended attributes of users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ExtendedAttributes {
    /// They have.
    #[default]
    Kept,
    /// They have none, or the system has not.
    Lost,
}

impl Traits {
    /// Tries what a filesystem can, in our directory for temporary files.
    pub(super) fn of(temporary: &Directory) -> Self {
        let spelling = spelling(temporary).unwrap_or_default();
        let executable = executable(temporary).unwrap_or_default();
        let attributes = attributes(temporary);
        // Litter of a probe that was killed is cleaned with all other.
        let _ = temporary.remove_file(PROBE);
        Self {
            spelling,
            alphabet: if holds(temporary, "probe:|") {
                Alphabet::Whole
            } else {
                Alphabet::WithoutReserved
            },
            ends: if holds(temporary, "probe.") && holds(temporary, "probe ") {
                Ends::Any
            } else {
                Ends::NoDotOrSpace
            },
            executable,
            attributes,
        }
    }

    /// The executable bit of a file; `None` where the filesystem does not keep any.
    pub(super) const fn executable(&self, mark: &Mark) -> Option<bool> {
        match self.executable {
            ExecutableBit::Kept => mark.executable(),
            ExecutableBit::Lost => None,
        }
    }
}

fn spelling(temporary: &Directory) -> io::Result<Spelling> {
    temporary.create_file(PROBE, 0o600)?;
    let others = ["PROBE-\u{e9}", "probe-e\u{301}"];
    Ok(
        if others.iter().any(|other| temporary.mark(other).is_ok()) {
            Spelling::Blind
        } else {
            Spelling::Exact
        },
    )
}

fn executable(temporary: &Directory) -> io::Result<ExecutableBit> {
    if !cfg!(unix) {
        return Ok(ExecutableBit::Kept);
    }
    let shows = |temporary: &Directory| Ok::<_, io::Error>(temporary.mark(PROBE)?.executable());
    let without = shows(temporary)?;
    let with = temporary
        .set_mode(PROBE, 0o700)
        .and_then(|()| shows(temporary));
    Ok(match (without, with) {
        (Some(false), Ok(Some(true))) => ExecutableBit::Kept,
        _ => ExecutableBit::Lost,
    })
}

/// A disk that is full is no proof here either.
fn attributes(temporary: &Directory) -> ExtendedAttributes {
    let one = vec![(format!("{USERS_PREFIX}towline"), b"probe".to_vec())];
    let one = Attributes::new(one).unwrap_or_default();
    let written = temporary
        .open_writable(PROBE)
        .and_then(|file| write_attributes(&file, &one));
    match written {
        Err(fault) if fault.kind() == io::ErrorKind::Unsupported => ExtendedAttributes::Lost,
        Ok(()) | Err(_) => ExtendedAttributes::Kept,
    }
}

/// Whether a name can be given, and is the one that is listed then. A disk that is full is no proof.
fn holds(temporary: &Directory, name: &str) -> bool {
    match temporary.create_file(name, 0o600) {
        Ok(_) => {
            let listed = temporary
                .list()
                .is_ok_and(|all| all.iter().any(|one| one.0 == name));
            // Litter is cleaned when the root is opened.
            let _ = temporary.remove_file(name);
            listed
        }
        Err(fault) => matches!(
            fault.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::ReadOnlyFilesystem
        ),
    }
}
