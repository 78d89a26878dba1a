//! The trees that are carried, made anew from a fixed seed.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use walkdir::WalkDir;

use super::Workload;
use crate::demo::sample::noise;

/// Files and bytes of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Weight {
    pub(super) fn words(self) -> String {
        format!("{} files, {:.1} MB", self.files, self.bytes as f64 / 1e6)
    }
}

/// A workload in words.
pub(super) fn title(workload: Workload) -> &'static str {
    match workload {
        Workload::LargeFile => "One file of 2 GiB",
        Workload::SmallFiles => "20,000 files of 0 to 16 KiB",
        Workload::SourceTree => "A source tree",
        Workload::Changes | Workload::Latency | Workload::Rename | Workload::Idle => {
            "A folder in sync"
        }
        Workload::Index => "A cold index",
        Workload::Network => "A stream",
        Workload::Signal => "A signal server",
        Workload::Window => "The window",
    }
}

/// Makes the tree that a workload carries below `work`; of those that carry none, an empty one.
pub(super) fn prepare(workload: Workload, work: &Path) -> Result<PathBuf> {
    let root = work.join("source");
    super::clear(&root)?;
    match workload {
        Workload::LargeFile => file(&root.join("large.bin"), LARGE_BYTES)?,
        Workload::SmallFiles => files_up_to(&root, SMALL_FILES, SMALL_BYTES_MAX)?,
        Workload::SourceTree => source_tree(&root)?,
        Workload::Changes
        | Workload::Latency
        | Workload::Rename
        | Workload::Idle
        | Workload::Index
        | Workload::Network
        | Workload::Signal
        | Workload::Window => {}
    }
    Ok(root)
}

/// Counts a tree.
pub(super) fn weigh(root: &Path) -> Result<Weight> {
    let mut weight = Weight { files: 0, bytes: 0 };
    for entry in WalkDir::new(root) {
        let entry = entry?;
        if entry.file_type().is_file()
            && !entry
                .path()
                .components()
                .any(|part| part.as_os_str() == ".towline")
        {
            weight.files += 1;
            weight.bytes += entry.metadata()?.len();
        }
    }
    Ok(weight)
}

/// Files that are shorter than `bytes_end`, in directories of 200.
pub(super) fn files_up_to(root: &Path, files: usize, bytes_end: usize) -> Result<()> {
    let pool = noise(3, POOL_BYTES);
    for number in 0..files {
        let path = root.join(path_of(number));
        if let (0, Some(directory)) = (number % DIRECTORY_FILES, path.parent()) {
            fs::create_dir_all(directory)?;
        }
        let length = number.wrapping_mul(2_654_435_761) % bytes_end;
        let from = number.wrapping_mul(7919) % (POOL_BYTES - bytes_end);
        fs::write(path, &pool[from..from + length])?;
    }
    Ok(())
}

/// Where [`files_up_to`] puts its files.
pub(super) fn path_of(number: usize) -> PathBuf {
    PathBuf::from(format!(
        "d{:04}/file-{number:06}.bin",
        number / DIRECTORY_FILES
    ))
}

/// One file of noise.
pub(super) fn file(path: &Path, bytes: u64) -> Result<()> {
    // The seed comes from the name, so that no two files of a directory are alike.
    let seed = path.to_string_lossy().bytes().fold(100_u64, |seed, byte| {
        seed.wrapping_mul(31) + u64::from(byte)
    });
    let mut file = BufWriter::new(fs::File::create(path)?);
    let mut left = bytes;
    for part in 0.. {
        if left == 0 {
            break;
        }
        let length = left.min(PART_BYTES);
        let noise = noise(seed.wrapping_add(part), usize::try_from(length)?);
        file.write_all(&noise)?;
        left -= length;
    }
    file.flush()?;
    Ok(())
}

/// A tree as programmers have them: 36,000 text files of all sizes, eight levels deep, a few large
/// ones, links and executables.
fn source_tree(root: &Path) -> Result<()> {
    for number in 0..SOURCE_FILES {
        let (a, b, c) = (number % 20, number / 20 % 16, number / 320 % 10);
        let directory = match number % 5 {
            0 => root.join(format!("package-{a:02}")),
            1 => root.join(format!("package-{a:02}/src/module_{b:02}")),
            2 => root.join(format!("package-{a:02}/src/module_{b:02}/part_{c}")),
            3 => root.join(format!(
                "package-{a:02}/tests/fixtures/case_{b:02}/input/{c}"
            )),
            _ => root.join(format!("package-{a:02}/docs/pages/{b:02}")),
        };
        fs::create_dir_all(&directory)?;
        // Most source files are short and a few are long.
        let lines = 3 + (number * 7919 % 97) * (1 + number % 13);
        let mut text = String::new();
        for line in 0..lines {
            text.push_str(&format!(
                "fn item_{number}_{line}() -> usize {{ {} }}\n",
                number ^ line
            ));
        }
        fs::write(directory.join(format!("file_{number:05}.rs")), text)?;
    }
    for number in 0..10 {
        fs::write(
            root.join(format!("asset-{number}.bin")),
            noise(50 + number, 3 * 1024 * 1024),
        )?;
    }
    Ok(())
}

const SMALL_FILES: usize = 20_000;
/// 0 to 16 KiB.
const SMALL_BYTES_MAX: usize = 16 * 1024 + 1;
const SOURCE_FILES: usize = 36_000;
/// Files in one directory of many.
const DIRECTORY_FILES: usize = 200;
/// Small files are windows into 4 MiB of noise, so that making them is quick.
const POOL_BYTES: usize = 4 * 1024 * 1024;
const LARGE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const PART_BYTES: u64 = 64 * 1024 * 1024;
