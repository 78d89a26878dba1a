//! The trees that are carried, made anew from a fixed seed.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use walkdir::WalkDir;

use super::Load;
use crate::demo::sample::noise;

/// Files and bytes of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// The load in words.
pub(super) fn title(load: Load) -> &'static str {
    match load {
        Load::LargeFile => "One file of 2 GiB",
        Load::SmallFiles => "20,000 files of 0 to 16 KiB",
        Load::SourceTree => "A source tree",
    }
}

/// Makes the tree of a load below `work`.
pub(super) fn prepare(load: Load, work: &Path) -> Result<PathBuf> {
    let root = work.join("source");
    super::clear(&root)?;
    match load {
        Load::LargeFile => large_file(&root)?,
        Load::SmallFiles => small_files(&root, SMALL_FILES)?,
        Load::SourceTree => source_tree(&root)?,
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

/// Small files of 0 to 16 KiB in directories of 200.
pub(super) fn small_files(root: &Path, files: usize) -> Result<()> {
    let pool = noise(3, POOL_BYTES);
    for number in 0..files {
        let directory = root.join(format!("d{:03}", number / 200));
        fs::create_dir_all(&directory)?;
        let length = number.wrapping_mul(2_654_435_761) % 16_385;
        let from = number.wrapping_mul(7919) % (POOL_BYTES - 16_385);
        fs::write(
            directory.join(format!("file-{number:05}.bin")),
            &pool[from..from + length],
        )?;
    }
    Ok(())
}

fn large_file(root: &Path) -> Result<()> {
    let mut file = BufWriter::new(fs::File::create(root.join("large.bin"))?);
    for part in 0..LARGE_PARTS {
        file.write_all(&noise(100 + part, PART_BYTES))?;
    }
    file.flush()?;
    Ok(())
}

/// A tree as programmers have them: 32,000 text files of all sizes, eight levels deep, a few large
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
        let lines = 3 + (number * 7919 % 97) * (1 + number % 7);
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
const SOURCE_FILES: usize = 32_000;
/// Small files are windows into 4 MiB of noise, so that making them is quick.
const POOL_BYTES: usize = 4 * 1024 * 1024;
const LARGE_PARTS: u64 = 32;
const PART_BYTES: usize = 64 * 1024 * 1024;
