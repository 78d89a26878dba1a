//! Reads a file's content hash only when the file holds still.
//!
//! A hash is given only together with the marks that were equal before and after reading. A write
//! in the same tick of the filesystem's clock would leave the marks equal, so a file that changed a
//! moment ago is read only after that tick has passed. Never memory-mapped: a file that is cut
//! short meanwhile must be an error, not a crash. Large files are hashed in sections by several
//! threads, which the tree of BLAKE3 allows. Holes are not read; their zeros are hashed all the same,
//! because BLAKE3 counts where in the file a part lies.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towline_wire::ids::ContentHash;

use super::handle::{Directory, Holes, Kind, Mark, ZEROS, mark_of, read_at};
use super::hash_tree::{HashTree, PartHash, UNIT_BYTES, part_hash};
use super::pool::Pool;

/// Age that a change must have before a file is read: 20 ms, five ticks of a 250 Hz kernel. Smaller
/// would miss a second write in the same tick; larger delays every fresh file.
const SETTLED_AFTER: Duration = Duration::from_millis(20);

/// The same on a filesystem with whole seconds (FAT has two): 2 s.
const SETTLED_AFTER_COARSE: Duration = Duration::from_secs(2);

/// Bytes read at once: 256 KiB, where a read's own cost vanishes beside hashing.
const READ_BYTES: u64 = 256 * 1024;

/// Size from which one file is hashed by several threads: 16 MiB, two sections. Smaller files are
/// many, and hashed side by side already.
pub(super) const SHARED_BYTES_MIN: u64 = 2 * SECTION_BYTES;

/// Bytes of one file that a thread takes at a time: 8 MiB. Several threads then still read nearly in
/// order, which a spinning disk needs.
const SECTION_BYTES: u64 = 8 * UNIT_BYTES;

/// What came of reading a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It held still: its hash, and its marks before and after.
    Settled(ContentHash, Mark),
    /// It is being changed, or is no file any more; to be looked at again soon.
    Restless,
}

/// Reads and hashes a file on this thread.
pub(super) fn read_settled(directory: &Directory, name: &str) -> io::Result<Reading> {
    settled(directory, name, read_between)
}

/// Reads and hashes a large file, together with idle threads of the pool.
pub(super) fn read_settled_shared(
    directory: &Directory,
    name: &str,
    pool: &Pool,
) -> io::Result<Reading> {
    settled(directory, name, |file, before| {
        let file = Arc::new(file);
        let hash = hash_shared(&file, before.stamp.size, pool)?;
        if mark_of(&file)? != before {
            return Ok(Reading::Restless);
        }
        Ok(hash.map_or(Reading::Restless, |hash| Reading::Settled(hash, before)))
    })
}

/// Opens a file, waits until it has settled, and has it read.
fn settled(
    directory: &Directory,
    name: &str,
    read: impl FnOnce(File, Mark) -> io::Result<Reading>,
) -> io::Result<Reading> {
    let file = match directory.open_file(name) {
        // A link has taken the name since it was listed.
        Err(fault) if is_link_fault(&fault) => return Ok(Reading::Restless),
        other => other?,
    };
    let before = mark_of(&file)?;
    let before = match unsettled_for(&before) {
        None => before,
        Some(wait) if wait <= SETTLED_AFTER => {
            thread::sleep(wait);
            mark_of(&file)?
        }
        Some(_) => return Ok(Reading::Restless),
    };
    if before.kind != Kind::File || unsettled_for(&before).is_some() {
        return Ok(Reading::Restless);
    }
    read(file, before)
}

/// Reads and hashes a file whatever its age, for callers that compare marks themselves.
pub(super) fn read_now(directory: &Directory, name: &str) -> io::Result<Reading> {
    let file = directory.open_file(name)?;
    let before = mark_of(&file)?;
    if before.kind != Kind::File {
        return Ok(Reading::Restless);
    }
    read_between(file, before)
}

fn read_between(file: File, before: Mark) -> io::Result<Reading> {
    let mut hasher = blake3::Hasher::new();
    let read = hash_from(&file, &mut hasher, 0, before.stamp.size)?;
    if read != before.stamp.size || mark_of(&file)? != before {
        return Ok(Reading::Restless);
    }
    Ok(Reading::Settled(
        ContentHash::from_bytes(*hasher.finalize().as_bytes()),
        before,
    ))
}

/// Hashes `size` bytes of a file section by section, on this thread and on idle ones of the pool;
/// `None` when it is shorter. Memory: one unit per thread, and 64 bytes per MiB of the file.
fn hash_shared(file: &Arc<File>, size: u64, pool: &Pool) -> io::Result<Option<ContentHash>> {
    let sections: Vec<u64> = std::iter::successors(Some(0), |begin| Some(begin + SECTION_BYTES))
        .take_while(|begin| *begin < size)
        .collect();
    let read = Arc::clone(file);
    let parts = pool.each(sections, move |begin| hash_section(&read, begin, size));
    let mut tree = HashTree::new(size);
    for section in parts {
        for (offset, part) in section? {
            tree.add(offset, part);
        }
    }
    Ok(tree.root())
}

/// The hashes of the units of one section, up to where the file ends.
fn hash_section(file: &File, begin: u64, size: u64) -> io::Result<Vec<(u64, PartHash)>> {
    let mut parts = Vec::new();
    let mut buffer = Vec::new();
    let mut holes = Holes::of(file)?;
    let end = size.min(begin + SECTION_BYTES);
    let mut offset = begin;
    while offset < end {
        // A unit is 1 MiB at most.
        let len = usize::try_from(UNIT_BYTES.min(end - offset)).unwrap_or(0);
        if holes.cover(file, offset, len as u64)? {
            let zeros = ZEROS.get(..len).unwrap_or_default();
            parts.push((offset, part_hash(offset, zeros, size)));
            offset += len as u64;
            continue;
        }
        buffer.resize(len, 0);
        if !fill_at(file, &mut buffer, offset)? {
            break;
        }
        parts.push((offset, part_hash(offset, &buffer, size)));
        offset += len as u64;
    }
    Ok(parts)
}

/// Fills the whole buffer; whether the file was long enough for that.
fn fill_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<bool> {
    while !buffer.is_empty() {
        let read = read_at(file, buffer, offset)?;
        if read == 0 {
            return Ok(false);
        }
        buffer = buffer.get_mut(read..).unwrap_or_default();
        offset += read as u64;
    }
    Ok(true)
}

/// Hashes a file from `offset` until its end or past `size`; returns where it stopped.
pub(super) fn hash_from(
    file: &File,
    hasher: &mut blake3::Hasher,
    mut offset: u64,
    size: u64,
) -> io::Result<u64> {
    // One byte more than expected shows a file that grew.
    let buffer_len = (size.saturating_sub(offset) + 1).min(READ_BYTES);
    let mut buffer = vec![0; usize::try_from(buffer_len).unwrap_or(4096)];
    while offset <= size {
        let read = read_at(file, &mut buffer, offset)?;
        if read == 0 {
            break;
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        offset += read as u64;
        if offset == size && read < buffer.len() {
            // It ended there just now; whether it has grown since, its marks tell.
            break;
        }
    }
    Ok(offset)
}

/// How long until the latest change of a file is old enough to be told from the next one.
fn unsettled_for(mark: &Mark) -> Option<Duration> {
    let changed = if mark.stamp.ctime.0 == 0 {
        mark.stamp.mtime.0
    } else {
        mark.stamp.ctime.0
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let changed = Duration::from_nanos(u64::try_from(changed).ok()?);
    let whole_seconds = changed.subsec_nanos() == 0;
    let needed = if whole_seconds {
        SETTLED_AFTER_COARSE
    } else {
        SETTLED_AFTER
    };
    // A change "in the future" comes from another clock; waiting would not tell anything.
    let age = now.checked_sub(changed)?;
    needed.checked_sub(age).filter(|wait| !wait.is_zero())
}

#[cfg(unix)]
pub(super) fn is_link_fault(fault: &io::Error) -> bool {
    fault.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
pub(super) fn is_link_fault(_fault: &io::Error) -> bool {
    false
}
