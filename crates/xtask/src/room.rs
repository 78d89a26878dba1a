//! The room that a chore needs on the disk, asked for before it begins.
//!
//! A disk that is full in the middle of a long run shows itself as something else: a build that breaks off, a transfer
//! that waits for room, as it should. So the run says first what it needs, and does not begin where that is not there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use crate::repo::Repo;

/// What one chore needs on the disk of the repository, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// With nothing built yet. What lies in `target/` already is taken off.
    pub(crate) cold: u64,
    /// What it needs all the same when everything is built.
    pub(crate) warm: u64,
}

impl Room {
    /// Says what there is, or fails when that is too little.
    pub(crate) fn ask(self, repo: &Repo) -> Result<String> {
        let available = fs4::available_space(repo.root()).context("asking for the disk's room")?;
        self.judge(available, size_of(&repo.path("target")))
    }

    fn judge(self, available: u64, built: u64) -> Result<String> {
        let needed = self.cold.saturating_sub(built).max(self.warm);
        if available < needed {
            bail!(
                "the disk has {} GB of room and this takes {}: remove what is not needed, for example with `cargo clean`",
                gigabytes(available),
                gigabytes(needed)
            );
        }
        Ok(format!(
            "{} GB, of which this takes {} at most",
            gigabytes(available),
            gigabytes(needed)
        ))
    }
}

/// The bytes of all files below a directory; of files with several names once for each. What cannot be read counts nothing.
fn size_of(place: &Path) -> u64 {
    let files = WalkDir::new(place).into_iter().flatten();
    files
        .filter_map(|entry| fs::symlink_metadata(entry.path()).ok())
        .filter(|data| data.is_file())
        .map(|data| data.len())
        .sum()
}

fn gigabytes(bytes: u64) -> String {
    format!(
        "{}.{}",
        bytes / GIGABYTE,
        bytes % GIGABYTE / (GIGABYTE / 10)
    )
}

/// 10^9 bytes, as disks are sold.
pub(crate) const GIGABYTE: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        cold: 15 * GIGABYTE,
        warm: 3 * GIGABYTE,
    };

    #[test]
    fn what_is_built_is_taken_off_what_it_needs() {
        assert!(ROOM.judge(14 * GIGABYTE, 0).is_err());
        assert!(ROOM.judge(14 * GIGABYTE, 2 * GIGABYTE).is_ok());
        assert!(ROOM.judge(2 * GIGABYTE, 40 * GIGABYTE).is_err());
        assert!(ROOM.judge(3 * GIGABYTE, 40 * GIGABYTE).is_ok());
    }

    #[test]
    fn too_little_is_told_with_both_figures() {
        let told = ROOM
            .judge(1_250_000_000, 13 * GIGABYTE)
            .map_err(|error| error.to_string());
        let Err(told) = told else {
            panic!("it was enough");
        };
        assert!(
            told.contains("1.2 GB") && told.contains("takes 3.0"),
            "{told}"
        );
    }
}
