//! The BLAKE3 hash of a file whose parts arrive in any order.
//!
//! BLAKE3 is a binary tree, so aligned parts are hashed alone, by whoever holds them, and only their
//! 32-byte chaining values are joined here. Two finished neighbours become their parent at once, so
//! the tree holds one value per gap and level, not one per part. Parts are units of [`UNIT_BYTES`];
//! only the last may be shorter.

use std::collections::BTreeMap;

use blake3::Hasher;
use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};
use towline_wire::ids::ContentHash;

/// Length of a part: 1 MiB. A power of two, as the tree demands; long enough that hashing runs at
/// full SIMD width and a request per part costs nothing, short enough to hold several in memory.
pub(crate) const UNIT_BYTES: u64 = 1024 * 1024;

/// What one part contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartHash {
    /// The part is the whole file.
    Root(ContentHash),
    /// The part is one of several.
    Node(ChainingValue),
}

/// Hashes the part that begins at `offset` (a multiple of [`UNIT_BYTES`]) of a file of `file_len`.
pub(crate) fn part_hash(offset: u64, bytes: &[u8], file_len: u64) -> PartHash {
    if file_len <= UNIT_BYTES {
        return PartHash::Root(ContentHash::from_bytes(*blake3::hash(bytes).as_bytes()));
    }
    let mut hasher = Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes);
    PartHash::Node(hasher.finalize_non_root())
}

/// Joins the parts of one file.
#[derive(Debug)]
pub(crate) struct HashTree {
    units: u64,
    /// Finished subtrees whose neighbour is missing, by level and position within the level.
    waiting: BTreeMap<(u32, u64), ChainingValue>,
    root: Option<ContentHash>,
}

impl HashTree {
    /// Begins a file of `file_len` bytes.
    pub(crate) fn new(file_len: u64) -> Self {
        Self {
            units: file_len.div_ceil(UNIT_BYTES).max(1),
            waiting: BTreeMap::new(),
            root: None,
        }
    }

    /// Takes the part that begins at `offset`; each part once.
    pub(crate) fn add(&mut self, offset: u64, part: PartHash) {
        match part {
            PartHash::Root(hash) => self.root = Some(hash),
            PartHash::Node(value) => self.join(offset / UNIT_BYTES, value),
        }
    }

    /// The hash of the whole file, once every part is there.
    pub(crate) fn root(&self) -> Option<ContentHash> {
        self.root
    }

    fn join(&mut self, unit: u64, value: ChainingValue) {
        let (mut level, mut position, mut value) = (0_u32, unit, value);
        loop {
            let sibling = position ^ 1;
            // A level is at most 44: 2^44 units are 2^64 bytes.
            let sibling_begins = sibling << level;
            if sibling_begins < self.units {
                let Some(other) = self.waiting.remove(&(level, sibling)) else {
                    self.waiting.insert((level, position), value);
                    return;
                };
                let (left, right) = if position < sibling {
                    (value, other)
                } else {
                    (other, value)
                };
                if self.units <= 1 << (level + 1) {
                    let root = hazmat::merge_subtrees_root(&left, &right, Mode::Hash);
                    self.root = Some(ContentHash::from_bytes(*root.as_bytes()));
                    return;
                }
                value = hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash);
            }
            level += 1;
            position /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_order_gives_the_hash_of_the_whole(
            len in 1_usize..12 * 1024 * 1024,
            seed in any::<u64>(),
        ) {
            let bytes: Vec<u8> = (0..len).map(|at| (at as u64 ^ seed).to_le_bytes()[at % 3]).collect();
            let mut parts: Vec<(usize, &[u8])> = bytes.chunks(UNIT_BYTES as usize).enumerate().collect();
            // A cheap shuffle: rotate and reverse by the seed.
            let turn = seed as usize % parts.len();
            parts.rotate_left(turn);
            if seed % 2 == 0 {
                parts.reverse();
            }
            let mut tree = HashTree::new(len as u64);
            for (unit, part) in parts {
                prop_assert_eq!(tree.root(), None);
                let offset = unit as u64 * UNIT_BYTES;
                tree.add(offset, part_hash(offset, part, len as u64));
            }
            let whole = ContentHash::from_bytes(*blake3::hash(&bytes).as_bytes());
            prop_assert_eq!(tree.root(), Some(whole));
            prop_assert!(tree.waiting.is_empty());
        }
    }
}
