//! What can go wrong with a store, by who is to blame.
//!
//! The world: the disk is full, gone or forbidden. The file: it is damaged, or of a newer build.
//! Ours: SQL or a record that this crate got wrong. Nothing here names a path or a file.

use std::io;

use rusqlite::ErrorCode;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds this home; the person closes it or uses another home.
    #[error("another Towline runs on this home; end that one first, or use another home")]
    Locked,
    /// A newer build wrote the store; the person updates. Nothing was changed.
    #[error(
        "a newer Towline wrote this home's index (version {found}, this one knows up to {known}); update this one, nothing was changed"
    )]
    Newer {
        /// The version of the store.
        found: u32,
        /// The newest version that this build knows.
        known: u32,
    },
    /// Something other than a directory lies where the home should be.
    #[error("the home is not a directory; use another")]
    NotDirectory,
    /// The system does not let us read and write in the home.
    #[error("the home cannot be read and written; check that this user may do both")]
    NoAccess(#[source] io::Error),
    /// No room on the disk of the home.
    #[error("the disk of the home is full; make room and start again")]
    DiskFull,
    /// The disk of the home fails in another way.
    #[error("the disk of the home fails; check it and start again")]
    Disk(#[source] io::Error),
    /// The store was there and whole enough to open, then failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an open store did not do what it was asked for. A failed batch has left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The world: no room on the disk. The store can be used again when there is.
    #[error("the disk of the store is full")]
    DiskFull,
    /// The world: the disk fails, is read-only, or the file is held by something else.
    #[error("the disk of the store fails")]
    Disk(#[source] rusqlite::Error),
    /// The file: its bytes are not what this crate wrote. The next open checks it whole.
    #[error("the store is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// The file: a row holds what this crate never writes. The next open checks it whole.
    #[error("the store holds an impossible {0}")]
    Impossible(&'static str),
    /// Ours: a statement that SQLite refuses.
    #[error("a statement of the store is wrong")]
    Bug(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the file is to blame, so that it must be checked before it is trusted again.
    pub(crate) const fn blames_file(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Impossible(_) => true,
            Self::DiskFull | Self::Disk(_) | Self::Bug(_) => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            // Everything that is not SQLite's own is about a column's type or range, or about how
            // a statement is used.
            let column = matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            );
            return if column {
                Self::Damaged(error)
            } else {
                Self::Bug(error)
            };
        };
        if code == ErrorCode::DiskFull {
            Self::DiskFull
        } else if matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) {
            Self::Damaged(error)
        } else if matches!(
            code,
            ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::OutOfMemory
        ) {
            Self::Disk(error)
        } else {
            Self::Bug(error)
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::NotADirectory) {
            Self::NotDirectory
        } else if matches!(
            kind,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        ) {
            Self::NoAccess(error)
        } else if matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::DiskFull
        } else {
            Self::Disk(error)
        }
    }
}
