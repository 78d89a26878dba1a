//! The tree that the demo shares when nobody names one: small, and with a bit of everything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// Small files in the sample: 1500 in 30 directories, enough to see files per second.
const SMALL_FILES: usize = 1500;

/// Bytes of the larger file: 16 MiB, above the size from which files are cut into chunks.
const LARGE_BYTES: usize = 16 * 1024 * 1024;

/// Makes the sample tree at `root`.
pub(super) fn make(root: &Path) -> Result<()> {
    fs::create_dir_all(root)?;
    for number in 0..SMALL_FILES {
        let directory = root.join(format!("notes/{:02}", number % 30));
        fs::create_dir_all(&directory)?;
        let lines = number % 200;
        let text: String = (0..lines)
            .map(|line| format!("note {number}, line {line}\n"))
            .collect();
        fs::write(directory.join(format!("note-{number:04}.txt")), text)?;
    }
    fs::create_dir_all(root.join("an empty directory"))?;
    fs::write(
        root.join("Grüße, 世界.txt"),
        "Names are kept byte for byte.\n",
    )?;
    fs::write(root.join("photo.bin"), noise(7, LARGE_BYTES))?;
    let script = root.join("run-me.sh");
    fs::write(&script, "#!/bin/sh\necho hello\n")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        symlink("run-me.sh", root.join("a link"))?;
    }
    Ok(())
}

/// Makes one large file below `root` and names it.
pub(super) fn make_large(root: &Path) -> Result<PathBuf> {
    let path = root.join("large.bin");
    fs::write(&path, noise(11, LARGE_BYTES))?;
    Ok(path)
}

/// Copies somebody's own folder to `root`, so that the demo never touches the original.
pub(super) fn copy(folder: &Path, root: &Path) -> Result<()> {
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let target = root.join(entry.path().strip_prefix(folder)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if entry.file_type().is_file() {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("copying {}", entry.path().display()))?;
        } else if entry.path_is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        }
    }
    Ok(())
}

/// Bytes that do not compress and do not repeat, the same for the same seed (xorshift64).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
