//! What people wrote, and what became of it: the reference that trees are held against.
//!
//! Every content is written once and nobody writes it again, so its bytes name it. It is replaced when
//! a person, on whatever device, saw it under a name and put something else there or deleted it. What
//! was written and never replaced must still be somewhere: live, as a conflict copy, or in a version
//! store. And nothing may lie anywhere that nobody wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use super::Seed;
use super::tree::{Lying, read};

/// All contents of a world.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Who wrote which content where.
    written: BTreeMap<Print, String>,
    replaced: BTreeSet<Print>,
}

/// Bytes in short. Two that collide would hide a loss, which 64 bits and a length make unlikely enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Print(u64, u64);

impl Print {
    fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self(bytes.len() as u64, hasher.finish())
    }
}

/// What is at the head of every content: its number, always as many bytes.
pub(crate) const HEAD: usize = 24;

impl Ledger {
    /// The head of a content that nobody has written yet.
    pub(crate) fn head(&self) -> Vec<u8> {
        format!("{:<HEAD$}", format!("content {}", self.written.len())).into_bytes()
    }

    /// A content that nobody has written yet, `len` bytes and a head.
    pub(crate) fn fresh(&self, len: usize, seed: &mut Seed) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend(seed.bytes(len));
        bytes
    }

    /// Somebody wrote this there.
    pub(crate) fn wrote(&mut self, bytes: &[u8], who: &str, path: &Path) {
        let number = self.written.len();
        self.written.insert(
            Print::of(bytes),
            format!("content {number} by {who} at {}", path.display()),
        );
    }

    /// Somebody put something else in its place.
    pub(crate) fn replaced(&mut self, bytes: &[u8]) {
        self.replaced.insert(Print::of(bytes));
    }

    /// Somebody deleted all that lies at this path, which is theirs now.
    pub(crate) fn consumed(&mut self, path: &Path) {
        for bytes in files(path) {
            self.replaced(&bytes);
        }
    }

    /// How many contents there are.
    pub(crate) fn len(&self) -> usize {
        self.written.len()
    }

    /// Asserts that below these roots lies nothing that nobody wrote, and that all lies there that was
    /// never replaced. Returns what of it lies in version stores alone.
    pub(crate) fn must_be_kept(&self, roots: &[&Path]) -> Vec<&String> {
        let mut live = BTreeSet::new();
        for root in roots {
            for below in [root.to_path_buf(), root.join(".towline/conflicts")] {
                for (path, lying) in read(&below) {
                    let Lying::File { bytes, .. } = lying else {
                        continue;
                    };
                    let print = Print::of(&bytes);
                    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
                    assert!(
                        self.written.contains_key(&print),
                        "nobody wrote {} of {}: {} bytes, {shown:?}",
                        path.display(),
                        below.display(),
                        bytes.len()
                    );
                    live.insert(print);
                }
            }
        }
        let unseen = |print: &&Print| !self.replaced.contains(*print) && !live.contains(*print);
        let unseen: Vec<Print> = self.written.keys().filter(unseen).copied().collect();
        if unseen.is_empty() {
            return Vec::new();
        }
        let versions = |root: &&Path| files(&root.join(".towline/versions"));
        let kept: BTreeSet<Print> = roots
            .iter()
            .flat_map(versions)
            .map(|bytes| Print::of(&bytes))
            .collect();
        let lost = unseen.iter().filter(|print| !kept.contains(print));
        let lost: Vec<&String> = lost.filter_map(|print| self.written.get(print)).collect();
        assert!(lost.is_empty(), "lost: {lost:#?}");
        (unseen.iter())
            .filter_map(|print| self.written.get(print))
            .collect()
    }
}

/// The bytes of all files at or below a path.
fn files(path: &Path) -> Vec<Vec<u8>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => fs::read(path).into_iter().collect(),
        Ok(found) if found.is_dir() => {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.flat_map(|entry| files(&entry.path())).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}
