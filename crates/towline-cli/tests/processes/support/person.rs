//! Somebody who works in a device's folders as people and their programs do, from a seed: saves by
//! rename, appends, edits in place with and without a new file time, deletes, renames, swaps, deep
//! directories, links.
//!
//! What is replaced or deleted is first taken away whole by an exchange or a rename, so the ledger
//! knows exactly which bytes the person had before them, however busy the engine is at that path.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::Seed;
use super::ledger::{HEAD, Ledger};

/// A person at one device.
#[derive(Debug)]
pub(crate) struct Person {
    name: String,
    roots: Vec<PathBuf>,
    /// A directory on the same filesystem that nobody syncs.
    aside: PathBuf,
    takes: u64,
}

impl Person {
    pub(crate) fn new(name: &str, roots: Vec<PathBuf>, aside: PathBuf) -> Self {
        fs::create_dir_all(&aside).expect("a directory can be made");
        Self {
            name: name.to_owned(),
            roots,
            aside,
            takes: 0,
        }
    }

    /// Does one thing. What turns out to be impossible, because something else lies there by now, is
    /// left undone, as people leave it.
    pub(crate) fn act(&mut self, ledger: &mut Ledger, seed: &mut Seed) {
        let root = self.roots[index(seed, self.roots.len())].clone();
        let all = below(&root);
        let some = (!all.is_empty()).then(|| all[index(seed, all.len())].clone());
        let new = self.new_path(&root, &all, seed);
        // The world may have changed since it was looked at: every one of these may fail.
        let _ = match (seed.below(16), some) {
            (0..=2, Some(path)) => self.save(&path, ledger, seed),
            (3, Some(path)) => self.append(&path, ledger, seed),
            (4, Some(path)) => self.edit_in_place(&path, ledger, seed),
            (5, Some(path)) => self.delete(&path, ledger),
            (6..=8, Some(path)) => move_to(&path, &new),
            (9, Some(path)) => self.move_over(&path, &all[index(seed, all.len())], ledger),
            (10, Some(path)) => exchange(&path, &all[index(seed, all.len())]),
            (11, Some(path)) => move_to(&path, &flipped(&path)),
            (12, Some(path)) => flip_executable(&path),
            (13, _) => self.link(&new, ledger, seed),
            (14, _) => self.save(
                &new.join("deep/er/and/deep/er/still").join("file"),
                ledger,
                seed,
            ),
            (_, _) => self.save(&new, ledger, seed),
        };
    }

    /// A name from a small pool in a directory that is there, so that people meet.
    fn new_path(&self, root: &Path, all: &[PathBuf], seed: &mut Seed) -> PathBuf {
        let directories: Vec<&PathBuf> = all.iter().filter(|path| path.is_dir()).collect();
        let above = if directories.is_empty() || seed.below(2) == 0 {
            root
        } else {
            directories[index(seed, directories.len())]
        };
        above.join(NAMES[index(seed, NAMES.len())])
    }

    /// Puts new bytes there at once, whatever lies there.
    fn save(&mut self, path: &Path, ledger: &mut Ledger, seed: &mut Seed) -> io::Result<()> {
        let len = match seed.below(40) {
            0 => 200_000 + seed.below(900_000),
            _ => seed.below(5000),
        };
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let bytes = ledger.fresh(len, seed);
        let aside = self.aside();
        fs::write(&aside, &bytes)?;
        // Known before it is there: it may be seen at once.
        ledger.wrote(&bytes, &self.name, path);
        match self.put(&aside, path, ledger) {
            Ok(()) => Ok(()),
            Err(fault) => {
                ledger.replaced(&bytes);
                fs::remove_file(&aside)?;
                Err(fault)
            }
        }
    }

    fn link(&mut self, path: &Path, ledger: &mut Ledger, seed: &mut Seed) -> io::Result<()> {
        let aside = self.aside();
        symlink(NAMES[index(seed, NAMES.len())], &aside)?;
        self.put(&aside, path, ledger)
    }

    /// Moves `aside` to `path`; what lies there goes, and is known to have gone.
    fn put(&mut self, aside: &Path, path: &Path, ledger: &mut Ledger) -> io::Result<()> {
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        loop {
            match exchange(aside, path) {
                Ok(()) => return consume(aside, ledger),
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
            match move_to(aside, path) {
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done,
            }
        }
    }

    fn append(&mut self, path: &Path, ledger: &mut Ledger, seed: &mut Seed) -> io::Result<()> {
        let (mut file, old) = open(path)?;
        let mtime = file.metadata()?.modified()?;
        let mut more = ledger.head();
        let len = usize::try_from(seed.below(300)).map_err(io::Error::other)?;
        more.extend(seed.bytes(len));
        let new = [&old[..], &more].concat();
        ledger.wrote(&new, &self.name, path);
        ledger.replaced(&old);
        file.seek(SeekFrom::End(0))?;
        file.write_all(&more)?;
        keep_time(&file, mtime, seed)
    }

    /// Overwrites the head: the size stays, and perhaps the file time.
    fn edit_in_place(
        &mut self,
        path: &Path,
        ledger: &mut Ledger,
        seed: &mut Seed,
    ) -> io::Result<()> {
        let (mut file, old) = open(path)?;
        if old.len() < HEAD {
            return Ok(());
        }
        let mtime = file.metadata()?.modified()?;
        let head = ledger.head();
        let new = [&head[..], &old[HEAD..]].concat();
        ledger.wrote(&new, &self.name, path);
        ledger.replaced(&old);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head)?;
        keep_time(&file, mtime, seed)
    }

    fn delete(&mut self, path: &Path, ledger: &mut Ledger) -> io::Result<()> {
        let aside = self.aside();
        move_to(path, &aside)?;
        consume(&aside, ledger)
    }

    /// A rename onto a name that is taken.
    fn move_over(&mut self, from: &Path, to: &Path, ledger: &mut Ledger) -> io::Result<()> {
        exchange(from, to)?;
        self.delete(from, ledger)
    }

    fn aside(&mut self) -> PathBuf {
        self.takes += 1;
        self.aside.join(self.takes.to_string())
    }
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Deletes what was taken aside.
fn consume(aside: &Path, ledger: &mut Ledger) -> io::Result<()> {
    ledger.consumed(aside);
    if fs::symlink_metadata(aside)?.is_dir() {
        fs::remove_dir_all(aside)
    } else {
        fs::remove_file(aside)
    }
}

/// A file to write to, and what it holds; links are not followed into other files.
fn open(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let lying = fs::symlink_metadata(path)?;
    if !lying.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.ino() != lying.ino() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

/// Every other time the file time stays what it was.
fn keep_time(file: &File, mtime: SystemTime, seed: &mut Seed) -> io::Result<()> {
    if seed.below(2) == 0 {
        file.set_modified(mtime)?;
    }
    Ok(())
}

fn flip_executable(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(found.mode() & 0o777 ^ 0o100))
}

/// The same name with its first letter in the other case.
fn flipped(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .char_indices()
        .map(|(at, letter)| match (at, letter.is_lowercase()) {
            (0, true) => letter.to_ascii_uppercase(),
            (0, false) => letter.to_ascii_lowercase(),
            _ => letter,
        })
        .collect();
    path.with_file_name(name)
}

/// Everything below a root but Towline's own, in order.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path == root.join(".towline") {
                continue;
            }
            if fs::symlink_metadata(&path).is_ok_and(|lying| lying.is_dir()) {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

fn index(seed: &mut Seed, len: usize) -> usize {
    usize::try_from(seed.below(len as u64)).expect("below a length")
}

/// What files and directories are called.
const NAMES: [&str; 6] = [
    "garden",
    "orchid.txt",
    "walnuts.md",
    "kitchen",
    "copper",
    "velvet.tar.gz",
];
