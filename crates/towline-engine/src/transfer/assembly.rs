//! Puts a new version of a large file together from its chunk list and an older file.
//!
//! Pages of the list say where each chunk lies in the new file; the older file's chunks say where the
//! same bytes lie in it. As soon as every byte of a unit is known to lie here, the unit is copied and
//! hashed in one go, so that the whole is verified when its last unit is there, without reading it
//! again. Units that wait for bytes of a peer come last. Nothing here talks to a peer; everything
//! blocks on the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use towline_core::io::HeldReason;
use towline_wire::data::Chunk;
use towline_wire::ids::ContentHash;

use super::chunks::{Donor, append_exact_at, hash_of};
use crate::disk::{HashTree, StageFault, StagedFile, UNIT_BYTES, part_hash};

/// A new version that is being put together.
pub(super) struct Assembly {
    file: Arc<StagedFile>,
    donor: Option<Donor>,
    size: u64,
    /// How far the list has come.
    covered: u64,
    /// Where the first unit begins that is not done and not put off.
    unit: u64,
    /// What lies from there up to `covered`.
    pieces: VecDeque<Piece>,
    /// Units that wait for bytes of a peer.
    waiting: Vec<(u64, Vec<Piece>)>,
    tree: HashTree,
    buffer: Vec<u8>,
    /// Where the older file's bytes end that were used last.
    older_end: u64,
}

/// Where bytes of the new file are to be had.
#[derive(Debug, Clone, Copy)]
struct Piece {
    begin: u64,
    end: u64,
    from: Origin,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    /// In their place already.
    Here,
    /// In the older file, from this offset.
    Older(u64),
    /// In their place once a peer has sent them.
    Coming,
}

/// A chunk that is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    /// Where it lies in the new file.
    pub(super) offset: u64,
    /// Length and hash.
    pub(super) chunk: Chunk,
    /// Where an older version of it is likely to begin in the older file.
    older: u64,
}

/// What a page of the list came to.
pub(super) struct Taken {
    /// What must be fetched.
    pub(super) missing: Vec<Missing>,
    /// Bytes that lie here.
    pub(super) reused: u64,
    /// Whether there is an older file in which parts of it may be found.
    pub(super) refinable: bool,
}

impl Assembly {
    /// Begins a file of `size` bytes in `file`, with what `donor` has.
    pub(super) fn new(file: Arc<StagedFile>, donor: Option<Donor>, size: u64) -> Self {
        Self {
            file,
            donor,
            size,
            covered: 0,
            unit: 0,
            pieces: VecDeque::new(),
            waiting: Vec::new(),
            tree: HashTree::new(size),
            buffer: Vec::new(),
            older_end: 0,
        }
    }

    /// Takes the next chunks, each with its place, and copies what can be copied.
    pub(super) fn take(&mut self, chunks: Vec<(u64, Chunk)>) -> Result<Taken, StageFault> {
        let (mut missing, mut reused) = (Vec::new(), 0);
        for (offset, chunk) in chunks {
            let end = offset + u64::from(chunk.len);
            let older = self.donor.as_ref().and_then(|donor| donor.place(chunk));
            let from = match older {
                _ if self.file.is_resumed() && holds(&self.file, offset, chunk) => Origin::Here,
                Some(older) => {
                    self.older_end = older + u64::from(chunk.len);
                    // What an earlier list has named already is not taken twice.
                    Origin::Older(older + self.covered.saturating_sub(offset))
                }
                None => Origin::Coming,
            };
            match from {
                Origin::Here | Origin::Older(_) => reused += u64::from(chunk.len),
                Origin::Coming => missing.push(Missing {
                    offset,
                    chunk,
                    older: self.older_end,
                }),
            }
            self.pieces.push_back(Piece {
                begin: offset.max(self.covered),
                end,
                from,
            });
            self.covered = end;
        }
        self.copy_units()?;
        Ok(Taken {
            missing,
            reused,
            refinable: self.donor.is_some(),
        })
    }

    /// Looks for the parts of a missing chunk in the older file, near where it should be; puts those
    /// that are there into their place and returns the others.
    pub(super) fn refine(
        &mut self,
        missing: Missing,
        parts: Vec<Chunk>,
    ) -> Result<(Vec<(u64, Chunk)>, u64), StageFault> {
        let reach = missing.older..missing.older + u64::from(missing.chunk.len) + REACH_BYTES;
        let near = self.donor.as_ref().map(|donor| donor.cut_finely(reach));
        let near = near.and_then(Result::ok).unwrap_or_default();
        let (mut rest, mut reused, mut offset) = (Vec::new(), 0, missing.offset);
        for part in parts {
            let copied = match (&self.donor, near.get(&part.hash)) {
                (Some(donor), Some(older)) => donor.bytes_at(*older, part),
                (None, _) | (_, None) => None,
            };
            match copied {
                Some(bytes) => {
                    self.file.write_at(offset, &bytes)?;
                    reused += u64::from(part.len);
                }
                None => rest.push((offset, part)),
            }
            offset += u64::from(part.len);
        }
        Ok((rest, reused))
    }

    /// Ends the file once everything that was missing has come: what all of it hashes to.
    pub(super) fn finish(&mut self) -> Result<Option<ContentHash>, StageFault> {
        for (unit, pieces) in std::mem::take(&mut self.waiting) {
            self.copy_unit(unit, &pieces)?;
        }
        Ok(self.tree.root())
    }

    /// Whether the older file is still what it was; bytes from one that is not are not a peer's fault.
    pub(super) fn is_donor_unchanged(&self) -> bool {
        self.donor.as_ref().is_none_or(Donor::is_unchanged)
    }

    /// Copies every unit that is covered, or puts it off.
    fn copy_units(&mut self) -> Result<(), StageFault> {
        loop {
            let end = self.size.min(self.unit + UNIT_BYTES);
            if self.unit >= self.size || self.covered < end {
                return Ok(());
            }
            let inside = |piece: &&Piece| piece.begin < end;
            let pieces: Vec<Piece> = self.pieces.iter().take_while(inside).copied().collect();
            while self.pieces.front().is_some_and(|piece| piece.end <= end) {
                self.pieces.pop_front();
            }
            let waits = pieces
                .iter()
                .any(|piece| matches!(piece.from, Origin::Coming));
            if waits {
                self.waiting.push((self.unit, pieces));
            } else {
                self.copy_unit(self.unit, &pieces)?;
            }
            self.unit = end;
        }
    }

    /// Puts one unit together, hashes it, and writes it unless it lies in its place already.
    fn copy_unit(&mut self, unit: u64, pieces: &[Piece]) -> Result<(), StageFault> {
        let end = self.size.min(unit + UNIT_BYTES);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut copied = false;
        for piece in pieces {
            let (from, to) = (piece.begin.max(unit), piece.end.min(end));
            // A unit is 1 MiB at most.
            let len = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
            match (piece.from, &self.donor) {
                (Origin::Older(older), Some(donor)) => {
                    let at = older + (from - piece.begin);
                    copied = true;
                    if append_exact_at(donor.file(), &mut buffer, len, at).is_err() {
                        // Cut short meanwhile: the hash of the whole will tell.
                        buffer.resize(usize::try_from(to - unit).unwrap_or(0), 0);
                    }
                }
                (Origin::Here | Origin::Coming | Origin::Older(_), _) => {
                    let begin = buffer.len();
                    buffer.resize(begin + len, 0);
                    let room = buffer.get_mut(begin..).unwrap_or_default();
                    read_exact(&self.file, room, from)?;
                }
            }
        }
        if copied {
            self.file.write_at(unit, &buffer)?;
        }
        self.tree.add(unit, part_hash(unit, &buffer, self.size));
        self.buffer = buffer;
        Ok(())
    }
}

/// Whether a file of a former run holds this chunk here.
fn holds(file: &StagedFile, offset: u64, chunk: Chunk) -> bool {
    let mut bytes = vec![0; chunk.len as usize];
    read_exact(file, &mut bytes, offset).is_ok() && hash_of(&bytes) == chunk.hash
}

fn read_exact(file: &StagedFile, mut room: &mut [u8], mut offset: u64) -> Result<(), StageFault> {
    while !room.is_empty() {
        let count = file.read_at(offset, room)?;
        if count == 0 {
            return Err(StageFault::Held(HeldReason::Unwritable));
        }
        room = room.get_mut(count..).unwrap_or_default();
        offset += count as u64;
    }
    Ok(())
}

/// How much farther than its length the older version of a chunk is looked for: 1 MiB. An insertion up
/// to that long is found again behind it; each look reads and cuts that much.
const REACH_BYTES: u64 = 1024 * 1024;
