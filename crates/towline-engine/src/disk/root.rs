//! A root: the open directory of one folder on this disk.
//!
//! Everything below it is reached from the open handle, one name at a time. The path is looked at
//! again only by [`Root::check`], which tells whether the same directory with our marker still lies
//! there; an unmounted disk, a moved directory or a foreign one is a [`RootFault`], never "empty".

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use towline_core::folder::rules::Rules;
use towline_core::io::{Age, RootFault};
use towline_core::records::RootPath;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::MARKER_DIRECTORY;
use towline_wire::rel_path::inbox::INBOX_DIRECTORY;

use super::age;
use super::handle::{Directory, Identity, Kind, new_file_mode};
use super::marker::{self, Marker};
use super::own_writes::OwnWrites;
use super::pool::lock;
use super::stage;
use super::traits::Traits;
use super::versions::VersionStore;

/// The directory for temporary files in the marker directory.
const TEMPORARY_DIRECTORY: &str = "tmp";

/// The file that is made and removed to learn whether a root can be written.
const PROBE: &str = "probe";

/// Permissions of our own directories: only the owner may look into half-written files.
const PRIVATE_DIRECTORY_MODE: u32 = 0o700;

/// An open root.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    folder: FolderId,
    identity: Identity,
    top: Arc<Directory>,
    temporary: Directory,
    towline: Directory,
    /// Notes of the store's age that were asked for, and the last one that was written.
    notes: AtomicU64,
    noted: Mutex<u64>,
    /// Content hashes that are being staged under their stable names.
    pub(super) staging: Mutex<BTreeSet<ContentHash>>,
    /// Number of temporary files made by this handle; part of their names.
    pub(super) staged: AtomicU64,
    /// What we wrote lately, to know it again when the watcher tells us.
    pub(super) own_writes: OwnWrites,
    /// Whether the filesystem has said that it has no hard links (they are not tried again).
    pub(super) without_links: AtomicBool,
    /// What was replaced and removed here.
    pub(super) versions: VersionStore,
    /// The text of the rules that was told last; `None` before the first.
    pub(super) told_rules: Mutex<Option<String>>,
    /// What is ignored here.
    rules: Mutex<Rules>,
    /// Whether a person wants extended attributes kept here.
    pub(super) keeps_attributes: AtomicBool,
    /// What its filesystem can hold.
    pub(super) traits: Traits,
}

impl Root {
    /// Makes the place for a new folder where nothing lies yet, unless it would lie in one of
    /// `others`: a directory made there would be synced.
    pub(crate) fn make(path: &RootPath, others: &[RootPath]) -> Result<(), RootFault> {
        let place = Path::new(&path.0);
        if place.exists() {
            return Ok(());
        }
        let Some(above) = place
            .ancestors()
            .find_map(|above| above.canonicalize().ok())
        else {
            return Err(RootFault::Missing);
        };
        let is_around = |other: &RootPath| {
            let other = Path::new(&other.0);
            above.starts_with(other.canonicalize().as_deref().unwrap_or(other))
        };
        if others.iter().any(is_around) {
            return Err(RootFault::Nested);
        }
        fs::create_dir_all(place).map_err(|fault| fault_of(&fault))
    }

    /// Checks the place for a new folder and leaves the marker there. A marker of the same folder
    /// is fine. `others` are the roots in use.
    pub(crate) fn prepare(
        path: &RootPath,
        others: &[RootPath],
        folder: FolderId,
    ) -> Result<(), RootFault> {
        let place = Path::new(&path.0);
        let top = open_top(place)?;
        let here = place.canonicalize().map_err(|fault| fault_of(&fault))?;
        for other in others {
            let other = Path::new(&other.0);
            // A root that is not mounted now still counts, by its name.
            let other = other.canonicalize().unwrap_or_else(|_| other.to_path_buf());
            if here.starts_with(&other) || other.starts_with(&here) {
                return Err(RootFault::Nested);
            }
        }
        let towline = open_or_make(&top, MARKER_DIRECTORY)?;
        match marker::read(&towline).map_err(|fault| fault_of(&fault))? {
            Marker::Folder(id) if id == folder => probe(&towline),
            Marker::Folder(_) | Marker::Unknown => Err(RootFault::WrongMarker),
            Marker::None => {
                let written = marker::write(&towline, folder).and_then(|()| top.sync());
                written.map_err(|fault| fault_of(&fault))
            }
        }
    }

    /// Opens a root that was prepared, checks its marker and that it can be written.
    pub(crate) fn open(path: &RootPath, folder: FolderId) -> Result<Self, RootFault> {
        let place = PathBuf::from(&path.0);
        let top = open_top(&place)?;
        let identity = top.identity().map_err(|fault| fault_of(&fault))?;
        let towline = checked_marker(&top, folder)?;
        probe(&towline)?;
        let temporary = open_or_make(&towline, TEMPORARY_DIRECTORY)?;
        stage::clean(&temporary).map_err(|fault| fault_of(&fault))?;
        // It is watched from the beginning.
        open_or_make(&towline, INBOX_DIRECTORY)?;
        let traits = Traits::of(&temporary);
        Ok(Self {
            path: place,
            folder,
            identity,
            top: Arc::new(top),
            temporary,
            towline,
            notes: AtomicU64::new(0),
            noted: Mutex::new(0),
            staging: Mutex::new(BTreeSet::new()),
            staged: AtomicU64::new(0),
            own_writes: OwnWrites::default(),
            without_links: AtomicBool::new(false),
            versions: VersionStore::default(),
            told_rules: Mutex::default(),
            rules: Mutex::default(),
            keeps_attributes: AtomicBool::new(false),
            traits,
        })
    }

    /// Whether this very directory with our marker still lies at its path, and its directory for
    /// temporary files still in it. Cheap: a few metadata calls.
    pub(crate) fn check(&self) -> Result<(), RootFault> {
        let top = open_top(&self.path)?;
        if top.identity().map_err(|fault| fault_of(&fault))? != self.identity {
            checked_marker(&top, self.folder)?;
            // The same folder, but another object (it was copied or mounted anew): this handle is
            // of no use any more, a new one will do.
            return Err(RootFault::Missing);
        }
        let towline = checked_marker(&top, self.folder)?;
        let temporary = towline
            .mark(TEMPORARY_DIRECTORY)
            .map_err(|_| RootFault::WrongMarker)?;
        let ours = self
            .temporary
            .identity()
            .map_err(|fault| fault_of(&fault))?;
        if temporary.identity == ours {
            Ok(())
        } else {
            Err(RootFault::WrongMarker)
        }
    }

    /// The directory of the root itself.
    pub(super) fn top(&self) -> &Arc<Directory> {
        &self.top
    }

    /// The directory for temporary files.
    pub(super) fn temporary(&self) -> &Directory {
        &self.temporary
    }

    /// The age of a device's store, as this root remembers it.
    pub(super) fn age(&self, device: DeviceId) -> Option<Age> {
        age::read(&self.towline, device)
    }

    /// The turn of a note that is asked for now.
    pub(super) fn next_note(&self) -> u64 {
        self.notes.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Remembers the age of a device's store, unless a note of a later turn was faster.
    pub(super) fn note_age(&self, device: DeviceId, age: Age, turn: u64) -> io::Result<()> {
        let mut noted = lock(&self.noted);
        if turn > *noted {
            age::write(&self.towline, device, age)?;
            *noted = turn;
        }
        Ok(())
    }

    /// What is ignored here.
    pub(super) fn rules(&self) -> Rules {
        lock(&self.rules).clone()
    }

    /// Ignores this from now on.
    pub(super) fn heed(&self, rules: Rules) {
        *lock(&self.rules) = rules;
    }

    /// Where it lies, for the watcher alone.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A name for a temporary file that no other of this handle has. Names of a former run were
    /// cleaned, or are found taken when the file is made.
    pub(super) fn next_number(&self) -> u64 {
        self.staged.fetch_add(1, Ordering::Relaxed)
    }
}

/// What a fault of the system means for a root.
pub(super) fn fault_of(fault: &io::Error) -> RootFault {
    if fault.kind() == io::ErrorKind::NotFound {
        RootFault::Missing
    } else if fault.kind() == io::ErrorKind::NotADirectory {
        RootFault::NotDirectory
    } else if fault.kind() == io::ErrorKind::ReadOnlyFilesystem {
        RootFault::ReadOnly
    } else {
        RootFault::NoAccess
    }
}

fn open_top(path: &Path) -> Result<Directory, RootFault> {
    Directory::open_ambient(path).map_err(|fault| fault_of(&fault))
}

fn checked_marker(top: &Directory, folder: FolderId) -> Result<Directory, RootFault> {
    let towline = top
        .open_directory(MARKER_DIRECTORY)
        .map_err(|fault| match fault_of(&fault) {
            RootFault::Missing | RootFault::NotDirectory => RootFault::WrongMarker,
            other @ (RootFault::Nested
            | RootFault::WrongMarker
            | RootFault::NoAccess
            | RootFault::ReadOnly) => other,
        })?;
    match marker::read(&towline).map_err(|fault| fault_of(&fault))? {
        Marker::Folder(id) if id == folder => Ok(towline),
        Marker::Folder(_) | Marker::Unknown | Marker::None => Err(RootFault::WrongMarker),
    }
}

fn open_or_make(parent: &Directory, name: &str) -> Result<Directory, RootFault> {
    match parent.make_directory(name, PRIVATE_DIRECTORY_MODE) {
        Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => {
            // Some systems report a read-only disk before they notice that the name exists.
            let exists = parent
                .mark(name)
                .is_ok_and(|mark| mark.kind == Kind::Directory);
            if !exists {
                return Err(fault_of(&fault));
            }
        }
        Ok(()) | Err(_) => {}
    }
    parent
        .open_directory(name)
        .map_err(|fault| match fault_of(&fault) {
            RootFault::NotDirectory => RootFault::WrongMarker,
            other @ (RootFault::Missing
            | RootFault::Nested
            | RootFault::WrongMarker
            | RootFault::NoAccess
            | RootFault::ReadOnly) => other,
        })
}

fn probe(towline: &Directory) -> Result<(), RootFault> {
    match towline.create_file(PROBE, new_file_mode(false)) {
        Ok(_) => {}
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
        // A full disk can still be read from, and gets room again.
        Err(fault)
            if matches!(
                fault.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            return Ok(());
        }
        Err(fault) => return Err(fault_of(&fault)),
    }
    towline.remove_file(PROBE).map_err(|fault| fault_of(&fault))
}
