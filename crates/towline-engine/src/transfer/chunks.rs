//! Cutting files by content, and finding again what an older file already holds.
//!
//! FastCDC (2020, normalisation level 1, unseeded) puts boundaries where the content says so, hence an
//! inserted byte moves one boundary and not all that follow. [`Cutter`] yields the chunks of a file as
//! it reads; [`Donor`] maps an older file's chunks by hash. Sizes follow from the length of the *new*
//! file on both ends. Memory: one buffer of two longest chunks (at most 8 MiB) per cutter.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use fastcdc::v2020::FastCDC;
use towline_core::records::DiskStamp;
use towline_wire::data::{Chunk, ChunkSizes};
use towline_wire::ids::ContentHash;

use crate::disk::{append_at, still_has};

/// BLAKE3 of some bytes.
pub(super) fn hash_of(bytes: &[u8]) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(bytes).as_bytes())
}

/// Appends `len` bytes from `offset` of a file to the buffer; an earlier end is an error. Blocks.
pub(super) fn append_exact_at(
    file: &File,
    buffer: &mut Vec<u8>,
    len: usize,
    offset: u64,
) -> io::Result<()> {
    let begin = buffer.len();
    buffer.reserve(len);
    while buffer.len() < begin + len {
        match append_at(file, buffer, offset + (buffer.len() - begin) as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // A buffer that has more room takes more.
    buffer.truncate(begin + len);
    Ok(())
}

/// Yields the chunks of what it reads, in order.
pub(super) struct Cutter<R> {
    source: R,
    sizes: ChunkSizes,
    buffer: Vec<u8>,
    /// The part of the buffer that is read and not cut yet.
    filled: Range<usize>,
    drained: bool,
}

impl<R: Read> Cutter<R> {
    /// Cuts `source` with the sizes for a file of a stated length.
    pub(super) fn new(source: R, sizes: ChunkSizes) -> Self {
        let buffer = vec![0; 2 * sizes.max as usize];
        Self {
            source,
            sizes,
            buffer,
            filled: 0..0,
            drained: false,
        }
    }

    /// The next chunk, or `None` at the end of the source.
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        self.fill()?;
        let bytes = self.buffer.get(self.filled.clone()).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let ChunkSizes { min, average, max } = self.sizes;
        let cutter = FastCDC::new(bytes, min as usize, average as usize, max as usize);
        let (_, end) = cutter.cut(0, bytes.len());
        let chunk = bytes.get(..end).unwrap_or(bytes);
        let cut = Chunk {
            len: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
            hash: hash_of(chunk),
        };
        self.filled.start += chunk.len();
        Ok(Some(cut))
    }

    /// Makes sure that a longest chunk lies in the buffer, or all that is left of the source.
    fn fill(&mut self) -> io::Result<()> {
        if self.drained || self.filled.len() >= self.sizes.max as usize {
            return Ok(());
        }
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        while let Some(free) = self
            .buffer
            .get_mut(self.filled.end..)
            .filter(|free| !free.is_empty())
        {
            let count = match self.source.read(free) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                self.drained = true;
                break;
            }
            self.filled.end += count;
        }
        Ok(())
    }
}

/// An older file and where each of its chunks lies in it.
pub(super) struct Donor {
    file: File,
    stamp: DiskStamp,
    places_by_hash: HashMap<ContentHash, (u64, u32)>,
}

/// An older file that still was what its row says when it was opened.
pub(super) struct Older {
    /// Open for reading.
    pub(super) file: File,
    /// What its row says.
    pub(super) stamp: DiskStamp,
}

impl Donor {
    /// Reads a whole file and remembers its chunks, about 64 bytes for each.
    pub(super) fn read(older: Older, sizes: ChunkSizes) -> io::Result<Self> {
        let Older { file, stamp } = older;
        let places_by_hash = places(&file, 0, sizes)?;
        Ok(Self {
            file,
            stamp,
            places_by_hash,
        })
    }

    /// Where the bytes of a chunk begin in it, as far as they were there when it was read.
    pub(super) fn place(&self, chunk: Chunk) -> Option<u64> {
        let &(offset, len) = self.places_by_hash.get(&chunk.hash)?;
        (len == chunk.len).then_some(offset)
    }

    /// The parts of a reach of it, by hash.
    pub(super) fn cut_finely(&self, reach: Range<u64>) -> io::Result<HashMap<ContentHash, u64>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(reach.start))?;
        let part = file.take(reach.end.saturating_sub(reach.start));
        let places = places(part, reach.start, ChunkSizes::OF_PARTS)?.into_iter();
        Ok(places.map(|(hash, (offset, _))| (hash, offset)).collect())
    }

    /// The bytes of a chunk at an offset, read and verified now; `None` when they are others.
    pub(super) fn bytes_at(&self, offset: u64, chunk: Chunk) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        append_exact_at(&self.file, &mut bytes, chunk.len as usize, offset).ok()?;
        (hash_of(&bytes) == chunk.hash).then_some(bytes)
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether the file is still what its row says.
    pub(super) fn is_unchanged(&self) -> bool {
        still_has(&self.file, self.stamp)
    }
}

/// Where the chunks of what is read lie, when it begins at `offset`.
fn places(
    source: impl Read,
    mut offset: u64,
    sizes: ChunkSizes,
) -> io::Result<HashMap<ContentHash, (u64, u32)>> {
    let mut places_by_hash = HashMap::new();
    let mut cutter = Cutter::new(source, sizes);
    while let Some(chunk) = cutter.next_chunk()? {
        places_by_hash.insert(chunk.hash, (offset, chunk.len));
        offset += u64::from(chunk.len);
    }
    Ok(places_by_hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use towline_wire::data::{ChunkListCheck, ListEnd};

    use super::*;

    /// Bytes that look random, from a seed.
    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn cut(bytes: &[u8], sizes: ChunkSizes) -> Vec<Chunk> {
        let mut cutter = Cutter::new(bytes, sizes);
        std::iter::from_fn(|| cutter.next_chunk().unwrap()).collect()
    }

    /// A reader that gives what it holds in small, uneven bites.
    struct Bites<'a>(&'a [u8], usize);

    impl Read for Bites<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = (self.1 * 7 + 13) % 9973;
            let count = buffer.len().min(self.1 + 1);
            self.0.read(&mut buffer[..count])
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn chunks_cover_the_file_exactly_and_always_alike(len in 0_usize..6_000_000, seed in any::<u64>()) {
            let bytes = noise(len, seed);
            let sizes = ChunkSizes::of_file(len as u64);
            let chunks = cut(&bytes, sizes);
            let mut offset = 0;
            for chunk in &chunks {
                let end = offset + chunk.len as usize;
                prop_assert_eq!(hash_of(&bytes[offset..end]), chunk.hash);
                offset = end;
            }
            prop_assert_eq!(offset, len);
            let mut check = ChunkListCheck::new(len as u64);
            prop_assert_eq!(check.page(&chunks, ListEnd::End), Ok(0));
            let mut bites = Cutter::new(Bites(&bytes, seed as usize % 9973), sizes);
            let again: Vec<Chunk> = std::iter::from_fn(|| bites.next_chunk().unwrap()).collect();
            prop_assert_eq!(again, chunks);
        }
    }

    #[test]
    fn an_inserted_byte_changes_few_chunks() {
        let old = noise(8 * 1024 * 1024, 1);
        let mut new = old.clone();
        new.insert(3_000_000, 0x55);
        let sizes = ChunkSizes::of_file(new.len() as u64);
        let known: std::collections::HashSet<_> = cut(&old, sizes)
            .into_iter()
            .map(|chunk| chunk.hash)
            .collect();
        let fresh: u64 = cut(&new, sizes)
            .iter()
            .filter(|chunk| !known.contains(&chunk.hash))
            .map(|chunk| u64::from(chunk.len))
            .sum();
        assert!(
            fresh > 0 && fresh < 3 * u64::from(sizes.average),
            "{fresh} fresh bytes"
        );
    }
}
