//! The directory that holds a device's store, and the lock that makes one process its owner.
//!
//! Beside the database lie the lock file and, after a run that met damage, a mark that makes the
//! next open check the database whole. A damaged database is never deleted: it is kept aside under
//! the next free name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{OpenError, StoreError};

/// The directory of one device's store.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

/// Ownership of a home; ends when dropped, also when the process is killed.
#[derive(Debug)]
pub(crate) struct HomeLock(
    #[expect(dead_code, reason = "the lock lives as long as the file")] File,
);

impl Home {
    /// Takes the directory, making it (for this user only) when it is missing.
    pub(crate) fn at(directory: &Path) -> Result<Self, OpenError> {
        match fs::metadata(directory) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(OpenError::NotDirectory),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_private(directory)?,
            Err(error) => return Err(error.into()),
        }
        Ok(Self(directory.to_owned()))
    }

    /// Becomes the only owner of the home.
    pub(crate) fn lock(&self) -> Result<HomeLock, OpenError> {
        let file = private_file(&self.0.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Where the database lies.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join(DATABASE_FILE)
    }

    /// Makes an empty database file that only this user may read, unless there is one. SQLite gives
    /// its side files the same mode.
    pub(crate) fn touch_database(&self) -> Result<(), OpenError> {
        private_file(&self.database())?;
        Ok(())
    }

    /// What the files alone say about the last run.
    pub(crate) fn last_stop(&self) -> LastStop {
        if self.0.join(SUSPECT_MARK).exists() {
            LastStop::Suspect
        } else if !side_file(&self.database(), "-wal").exists() {
            LastStop::Clean
        } else if self.database().exists() {
            LastStop::Unclean
        } else {
            LastStop::Torn
        }
    }

    /// Passes an error on, and marks the database when it is to blame.
    pub(crate) fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && error.blames_file()
            && let Err(unmarked) = File::create(self.0.join(SUSPECT_MARK))
        {
            tracing::warn!(%unmarked, "a damaged store could not be marked");
        }
        result
    }

    /// Takes the mark away after a whole check or a new beginning.
    pub(crate) fn trust(&self) -> Result<(), OpenError> {
        match fs::remove_file(self.0.join(SUSPECT_MARK)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Renames the database and its side files to the next free name, and returns that. The
    /// database goes first: a write-ahead log without one is recognised as torn.
    pub(crate) fn keep_aside(&self) -> Result<PathBuf, OpenError> {
        let mut number: u32 = 1;
        let aside = loop {
            let name = self.0.join(format!("towline-damaged-{number}.db"));
            let taken = ["", "-wal", "-shm"]
                .iter()
                .any(|end| side_file(&name, end).exists());
            if !taken {
                break name;
            }
            number += 1;
        };
        for end in ["", "-wal", "-shm"] {
            match fs::rename(side_file(&self.database(), end), side_file(&aside, end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(aside)
    }
}

/// What the files say about how the last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastStop {
    /// The last connection took its write-ahead log away, or there was no run.
    Clean,
    /// The write-ahead log is still there: the process was killed or the power failed.
    Unclean,
    /// The last run met damage.
    Suspect,
    /// A write-ahead log without its database.
    Torn,
}

fn side_file(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

const DATABASE_FILE: &str = "towline.db";
const LOCK_FILE: &str = "towline.lock";
const SUSPECT_MARK: &str = "towline.suspect";
