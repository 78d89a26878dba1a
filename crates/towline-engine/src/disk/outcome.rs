//! What a fault of the system means for a step.

use std::io;

use towline_core::io::{HeldReason, Outcome};

use super::handle::Unfit;

/// Why this disk does not let us.
pub(super) fn held_reason(fault: &io::Error) -> HeldReason {
    if Unfit::is_in(fault) {
        return HeldReason::Attributes;
    }
    if is_bad_name(fault) {
        return HeldReason::Name;
    }
    if matches!(
        fault.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        HeldReason::DiskFull
    } else if fault.kind() == io::ErrorKind::ReadOnlyFilesystem {
        HeldReason::ReadOnly
    } else {
        HeldReason::Unwritable
    }
}

/// The outcome of a step that met a fault before it changed anything.
pub(super) fn outcome_of(fault: &io::Error) -> Outcome {
    if matches!(
        fault.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
    ) {
        Outcome::Stale
    } else if fault.kind() == io::ErrorKind::DirectoryNotEmpty {
        Outcome::NotEmpty
    } else {
        Outcome::Held(held_reason(fault))
    }
}

/// Whether the filesystem cannot hold the name: too long, or bytes or characters that it refuses.
fn is_bad_name(fault: &io::Error) -> bool {
    #[cfg(unix)]
    if fault.raw_os_error() == Some(rustix::io::Errno::ILSEQ.raw_os_error()) {
        return true;
    }
    matches!(
        fault.kind(),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput
    )
}
