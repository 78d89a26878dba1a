//! Temporary files: where bytes wait until they are whole, verified and wanted.
//!
//! They lie in `.towline/tmp`, on the filesystem of the root, so a rename brings them to their
//! place. A large file's name comes from its content hash: after a restart its partial bytes are
//! found again. Small files get a number and are gone with the process that made them. Nothing here
//! looks at or touches a file of the person.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towline_core::io::{HeldReason, Step};
use towline_core::records::DiskStamp;
use towline_wire::entry::{Content, UnixNanos};
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use super::handle::{
    Directory, Mark, copy_bytes, is_zero, make_hole, mark_of, new_file_mode, read_at, reserve,
    set_mtime, write_all_at,
};
use super::hash::hash_from;
use super::outcome::held_reason;
use super::pool::lock;
use super::root::Root;
use super::serve::open_for_serving;
use super::uncached::Uncached;

/// Size from which a temporary file is kept for a later run: 1 MiB. Smaller files are fetched again
/// faster than they are checked.
const KEPT_BYTES_MIN: u64 = 1024 * 1024;

/// Age at which a temporary file that nobody asked for is removed: one day.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes written to one file after which they are pushed to the disk: 64 MiB. Without it the kernel
/// gathers gigabytes and the file's end waits for all of them.
const UNSYNCED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Zeros from which a hole is made: 16 KiB, the least that filesystems with large blocks can leave out.
const HOLE_BYTES_MIN: usize = 16 * 1024;

/// Size from which a file is written past the page cache: 64 MiB. Smaller ones may be opened as soon as
/// they are there, and cost the cache little.
const UNCACHED_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// First letters of the names of files that a later run may go on with.
const KEPT_PREFIX: &str = "part-";

/// Why bytes could not be staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StageFault {
    /// This disk does not let us.
    #[error("the disk holds the file back: {0:?}")]
    Held(HeldReason),
    /// The bytes do not have the hash or length that they should have; they were dropped.
    #[error("bytes do not match their hash")]
    WrongBytes,
    /// The local file that was to be copied is not what the index says any more.
    #[error("the local source changed")]
    SourceChanged,
}

/// What a staged file must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileShape {
    /// Length in bytes.
    pub(crate) size: u64,
    /// BLAKE3 of all bytes.
    pub(crate) hash: ContentHash,
    /// Whether the owner may execute it.
    pub(crate) executable: bool,
    /// Modification time.
    pub(crate) mtime: UnixNanos,
}

impl FileShape {
    /// The file that a step asks for; `None` when it asks for something else.
    pub(crate) fn of(step: &Step) -> Option<Self> {
        match step.content {
            Content::File {
                size,
                hash,
                executable,
                attributes: _,
            } => Some(Self {
                size,
                hash,
                executable,
                mtime: step.mtime,
            }),
            Content::Absent | Content::Directory | Content::Symlink { .. } => None,
        }
    }
}

/// A temporary file that is being filled, in any order and from several threads.
#[derive(Debug)]
pub(crate) struct StagedFile {
    file: File,
    place: Place,
    shape: FileShape,
    resumed: bool,
    /// The way past the page cache, for a large file.
    uncached: Option<Uncached>,
    /// Bytes written into the cache since they were last pushed to the disk.
    unsynced: Mutex<u64>,
}

/// A temporary file that is whole, verified, and has its mode and time. Removed when dropped
/// without a commit, unless a later run may want it.
#[derive(Debug)]
pub(crate) struct Staged {
    place: Place,
    shape: FileShape,
    mark: Mark,
    /// The file of the same root whose bytes these are.
    copy_of: Option<Box<(RelPath, DiskStamp)>>,
}

/// A name in the directory for temporary files.
#[derive(Debug)]
struct Place {
    root: Arc<Root>,
    name: String,
    /// Set when the name comes from the hash; gives it back when dropped.
    kept: Option<ContentHash>,
    /// Whether dropping removes the file.
    on_drop: OnDrop,
    /// Whether there is anything in it that a later run could go on with.
    begun: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrop {
    Remove,
    Leave,
}

impl StagedFile {
    /// Begins a file, or goes on with the bytes that a former run left.
    pub(crate) fn begin(root: &Arc<Root>, shape: FileShape) -> Result<Self, StageFault> {
        let kept = shape.size >= KEPT_BYTES_MIN && lock(&root.staging).insert(shape.hash);
        let (place, file, resumed) = if kept {
            let mut place = Place {
                root: Arc::clone(root),
                name: part_name(&shape.hash),
                kept: Some(shape.hash),
                on_drop: OnDrop::Leave,
                begun: AtomicBool::new(false),
            };
            let opened = place.open_or_create(shape);
            if opened.is_err() {
                place.on_drop = OnDrop::Remove;
            }
            let (file, resumed) = opened.map_err(|fault| held(&fault))?;
            place.begun.store(resumed, Ordering::Relaxed);
            (place, file, resumed)
        } else {
            let (place, file) = Place::numbered(root, shape).map_err(|fault| held(&fault))?;
            (place, file, false)
        };
        if !resumed && shape.size > 0 {
            reserve(&file, shape.size).map_err(|fault| held(&fault))?;
        }
        let uncached = if shape.size >= UNCACHED_BYTES_MIN {
            Uncached::open(root.temporary(), &place.name)
        } else {
            None
        };
        Ok(Self {
            file,
            place,
            shape,
            resumed,
            uncached,
            unsynced: Mutex::new(0),
        })
    }

    /// Whether bytes of a former run may lie in it; they prove themselves by their hashes.
    pub(crate) const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Writes bytes at an offset; many zeros become a hole. They are not hashed: the caller verifies the whole by other means
    /// (see [`StagedFile::finish_verified`]), or lets `finish` read all of it.
    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StageFault> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(StageFault::WrongBytes)?;
        if end > self.shape.size {
            return Err(StageFault::WrongBytes);
        }
        self.place.begun.store(true, Ordering::Relaxed);
        if bytes.len() >= HOLE_BYTES_MIN && is_zero(bytes) {
            return make_hole(&self.file, offset, bytes.len() as u64).map_err(|fault| held(&fault));
        }
        let past = match &self.uncached {
            Some(uncached) => uncached
                .write(bytes, offset)
                .map_err(|fault| held(&fault))?,
            None => 0,
        };
        let rest = bytes.get(past..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        write_all_at(&self.file, rest, offset + past as u64).map_err(|fault| held(&fault))?;
        let mut unsynced = lock(&self.unsynced);
        *unsynced += rest.len() as u64;
        if *unsynced >= UNSYNCED_BYTES_MAX {
            *unsynced = 0;
            drop(unsynced);
            self.file.sync_data().map_err(|fault| held(&fault))?;
        }
        Ok(())
    }

    /// Reads bytes at an offset, for the check of what a former run left.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, StageFault> {
        read_at(&self.file, bytes, offset).map_err(|fault| held(&fault))
    }

    /// Verifies the whole file against its hash, by reading it.
    pub(crate) fn finish(self) -> Result<Staged, StageFault> {
        let Self {
            file,
            mut place,
            shape,
            resumed: _,
            uncached: _,
            unsynced: _,
        } = self;
        let mut hasher = blake3::Hasher::new();
        let end = hash_from(&file, &mut hasher, 0, shape.size).map_err(|fault| held(&fault))?;
        if end != shape.size || hasher.finalize().as_bytes() != shape.hash.as_bytes() {
            place.on_drop = OnDrop::Remove;
            return Err(StageFault::WrongBytes);
        }
        Staged::sealed(place, &file, shape)
    }

    /// Ends a file whose every byte went through `write_at` in this run and is known to be right.
    pub(crate) fn finish_verified(self) -> Result<Staged, StageFault> {
        Staged::sealed(self.place, &self.file, self.shape)
    }

    /// Removes the file: what it holds is wrong.
    pub(crate) fn discard(mut self) {
        self.place.on_drop = OnDrop::Remove;
    }
}

impl Staged {
    /// Stages a file from all of its bytes, which the caller has verified.
    pub(crate) fn whole(
        root: &Arc<Root>,
        shape: FileShape,
        bytes: &[u8],
    ) -> Result<Self, StageFault> {
        if bytes.len() as u64 != shape.size {
            return Err(StageFault::WrongBytes);
        }
        let (place, file) = Place::numbered(root, shape).map_err(|fault| held(&fault))?;
        write_all_at(&file, bytes, 0).map_err(|fault| held(&fault))?;
        Self::sealed(place, &file, shape)
    }

    /// Stages a file from one that lies in the same root, sharing its blocks where the filesystem
    /// can. The copy is verified.
    pub(crate) fn copied(
        root: &Arc<Root>,
        shape: FileShape,
        from: &RelPath,
        stamp: DiskStamp,
    ) -> Result<Self, StageFault> {
        let source = open_for_serving(root, from, stamp).map_err(|_| StageFault::SourceChanged)?;
        let (place, file) = Place::numbered(root, shape).map_err(|fault| held(&fault))?;
        copy_bytes(&source, &file).map_err(|fault| held(&fault))?;
        let mut hasher = blake3::Hasher::new();
        let end = hash_from(&file, &mut hasher, 0, shape.size).map_err(|fault| held(&fault))?;
        if end != shape.size || hasher.finalize().as_bytes() != shape.hash.as_bytes() {
            return Err(StageFault::SourceChanged);
        }
        let mut staged = Self::sealed(place, &file, shape)?;
        staged.copy_of = Some(Box::new((from.clone(), stamp)));
        Ok(staged)
    }

    /// Copies what is staged once more, for another place with the same bytes.
    pub(crate) fn again(&self, shape: FileShape) -> Result<Self, StageFault> {
        let root = &self.place.root;
        let source = root
            .temporary()
            .open_file(self.name())
            .map_err(|fault| held(&fault))?;
        let (place, file) = Place::numbered(root, shape).map_err(|fault| held(&fault))?;
        copy_bytes(&source, &file).map_err(|fault| held(&fault))?;
        Self::sealed(place, &file, shape)
    }

    /// Whether it has the very bytes that lie at this path as long as that has this stamp.
    pub(super) fn is_copy_of(&self, path: &RelPath, stamp: DiskStamp) -> bool {
        self.copy_of
            .as_ref()
            .is_some_and(|copied| copied.0 == *path && copied.1 == stamp)
    }

    /// What it is.
    pub(crate) const fn shape(&self) -> FileShape {
        self.shape
    }

    pub(super) fn name(&self) -> &str {
        &self.place.name
    }

    pub(super) const fn mark(&self) -> Mark {
        self.mark
    }

    /// The name is gone from the temporary files: nothing is left to remove.
    pub(super) fn was_moved(mut self) {
        self.place.on_drop = OnDrop::Leave;
    }

    fn sealed(place: Place, file: &File, shape: FileShape) -> Result<Self, StageFault> {
        let sealed = set_mtime(file, shape.mtime).and_then(|()| mark_of(file));
        let mark = sealed.map_err(|fault| held(&fault))?;
        Ok(Self {
            place,
            shape,
            mark,
            copy_of: None,
        })
    }
}

impl Place {
    /// Makes a file under a name that nothing else has.
    fn numbered(root: &Arc<Root>, shape: FileShape) -> io::Result<(Self, File)> {
        loop {
            let name = format!("new-{}", root.next_number());
            match root
                .temporary()
                .create_file(&name, new_file_mode(shape.executable))
            {
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                other => {
                    let file = other?;
                    let root = Arc::clone(root);
                    let place = Self {
                        root,
                        name,
                        kept: None,
                        on_drop: OnDrop::Remove,
                        begun: AtomicBool::new(false),
                    };
                    return Ok((place, file));
                }
            }
        }
    }

    fn open_or_create(&self, shape: FileShape) -> io::Result<(File, bool)> {
        let temporary = self.root.temporary();
        match temporary.open_writable(&self.name) {
            Ok(file) => {
                let mark = mark_of(&file)?;
                if mark.kind == super::handle::Kind::File && mark.stamp.size == shape.size {
                    temporary.set_mode(&self.name, mode_with(mark.mode, shape.executable))?;
                    return Ok((file, true));
                }
                temporary.remove_file(&self.name)?;
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        let file = temporary.create_file(&self.name, new_file_mode(shape.executable))?;
        Ok((file, false))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_empty = self.kept.is_some() && !self.begun.load(Ordering::Relaxed);
        if self.on_drop == OnDrop::Remove || is_empty {
            // What cannot be removed now is removed when the root is opened again.
            let _ = self.root.temporary().remove_file(&self.name);
        }
        if let Some(hash) = self.kept {
            lock(&self.root.staging).remove(&hash);
        }
    }
}

/// Removes temporary files that no later step can want when a root is opened: numbered ones, and
/// partial files that nobody has gone on with for a day.
pub(super) fn clean(temporary: &Directory) -> io::Result<()> {
    let now = time_of_day();
    for_each_name(temporary, |name| {
        if !name.starts_with(KEPT_PREFIX) || is_stale(temporary, name, now) {
            // A stranger's directory in our place stays; it is in nobody's way.
            let _ = temporary.remove_file(name);
        }
    })
}

/// Removes partial files that nobody has gone on with for a day, while the root is open. `now` is
/// counted from 1970.
pub(super) fn forget_parts(root: &Root, now: Duration) -> io::Result<()> {
    let temporary = root.temporary();
    // Who begins a file says so first, and waits for this.
    let staging = lock(&root.staging);
    let in_use: BTreeSet<String> = staging.iter().map(part_name).collect();
    for_each_name(temporary, |name| {
        let is_part = name.starts_with(KEPT_PREFIX) && !in_use.contains(name);
        if is_part && is_stale(temporary, name, now) {
            let _ = temporary.remove_file(name);
        }
    })
}

/// Time since 1970 by this machine's clock.
pub(super) fn time_of_day() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn part_name(hash: &ContentHash) -> String {
    format!("{KEPT_PREFIX}{hash}")
}

fn is_stale(temporary: &Directory, name: &str, now: Duration) -> bool {
    temporary.mark(name).map_or(true, |mark| {
        let touched = u64::try_from(mark.stamp.ctime.0).unwrap_or(0);
        now.saturating_sub(Duration::from_nanos(touched)) >= KEPT_FOR
    })
}

fn for_each_name(temporary: &Directory, mut with: impl FnMut(&str)) -> io::Result<()> {
    for (name, _) in temporary.list()? {
        // Names of ours are text.
        if let Some(name) = Path::new(&name).to_str() {
            with(name);
        }
    }
    Ok(())
}

fn mode_with(mode: u32, executable: bool) -> u32 {
    super::handle::replacing_mode(mode, executable)
}

fn held(fault: &io::Error) -> StageFault {
    StageFault::Held(held_reason(fault))
}
