//! Writes the whole blocks of a large temporary file past the page cache, where the system lets us.
//!
//! Through the cache every byte is copied once more and needs a fresh page, the file's end waits for
//! all that the kernel has gathered, and what the person works with is pushed out. Past it the disk
//! works while the next bytes arrive. What is no whole block, and everything on filesystems that know
//! no such writes, goes the usual way. Nothing here makes bytes durable: that is the commit's part.

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::handle::{Directory, write_at};
use super::pool::lock;

/// Blocks as disks and filesystems want them, in memory, in the file and in length: 4 KiB. Where they
/// want more the first write is refused, and all take the usual way.
const BLOCK_BYTES: usize = 4096;

/// A second way into a file that is open already.
#[derive(Debug)]
pub(super) struct Uncached {
    file: File,
    usable: AtomicBool,
    /// Buffers of earlier writes: making one costs a page fault for each of its pages.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Uncached {
    /// Opens it; `None` where there is no such way.
    pub(super) fn open(directory: &Directory, name: &str) -> Option<Self> {
        Some(Self {
            file: directory.open_uncached(name).ok()?,
            usable: AtomicBool::new(true),
            buffers: Mutex::default(),
        })
    }

    /// Writes the whole blocks with which `bytes` begin, and returns how long they are together: 0
    /// when they lie across blocks of the file, or the filesystem refuses. Blocks on the disk.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let whole = bytes.len() - bytes.len() % BLOCK_BYTES;
        let aligned = offset.is_multiple_of(BLOCK_BYTES as u64);
        let Some(blocks) = bytes.get(..whole).filter(|blocks| !blocks.is_empty()) else {
            return Ok(0);
        };
        if !aligned || !self.usable.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let mut buffer = lock(&self.buffers).pop().unwrap_or_default();
        let written = self.write_from(&mut buffer, blocks, offset);
        lock(&self.buffers).push(buffer);
        match written {
            Err(fault) if fault.kind() == io::ErrorKind::InvalidInput => {
                self.usable.store(false, Ordering::Relaxed);
                Ok(0)
            }
            Err(fault) => Err(fault),
            Ok(()) => Ok(whole),
        }
    }

    fn write_from(&self, buffer: &mut Vec<u8>, blocks: &[u8], offset: u64) -> io::Result<()> {
        buffer.clear();
        buffer.reserve(blocks.len() + BLOCK_BYTES);
        // The room is there, so the buffer stays where it is.
        let pad = buffer.as_ptr().align_offset(BLOCK_BYTES);
        buffer.resize(pad, 0);
        buffer.extend_from_slice(blocks);
        let mut done = 0;
        while let Some(rest) = buffer.get(pad + done..).filter(|rest| !rest.is_empty()) {
            match write_at(&self.file, rest, offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => done += count,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}
