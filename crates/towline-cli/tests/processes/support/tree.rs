//! Trees on disk: made from a seed, compared byte by byte, and looked at while they grow.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use super::watch::{count, folder, is_in_sync};
use super::{Device, PATIENCE, Seed, Watch};

/// What lies at one path, as far as it is synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lying {
    Directory,
    File {
        bytes: Vec<u8>,
        executable: bool,
        mtime: i64,
    },
    Symlink(PathBuf),
}

/// Everything below `root`, by relative path; of Towline's own directory only the copies in the conflict
/// inbox.
pub(crate) fn read(root: &Path) -> BTreeMap<PathBuf, Lying> {
    let mut found = BTreeMap::new();
    read_into(root, Path::new(INBOX), &mut found);
    // Its directories are no entries.
    found.retain(|_, lying| *lying != Lying::Directory);
    read_into(root, Path::new(""), &mut found);
    found
}

/// The conflict inbox of a root.
pub(crate) const INBOX: &str = ".towline/conflicts";

fn read_into(root: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Lying>) {
    let entries = match fs::read_dir(root.join(below)) {
        Ok(entries) => entries,
        // What vanishes while it is looked at is not there.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => panic!("{}: {error}", below.display()),
    };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        if path == Path::new(".towline") {
            continue;
        }
        let Some(lying) = read_one(&root.join(&path)) else {
            continue;
        };
        let is_directory = lying == Lying::Directory;
        found.insert(path.clone(), lying);
        if is_directory {
            read_into(root, &path, found);
        }
    }
}

fn read_one(path: &Path) -> Option<Lying> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if metadata.is_symlink() {
        return Some(Lying::Symlink(fs::read_link(path).ok()?));
    }
    if metadata.is_dir() {
        return Some(Lying::Directory);
    }
    let bytes = fs::read(path).ok()?;
    Some(Lying::File {
        bytes,
        executable: metadata.permissions().mode() & 0o100 != 0,
        mtime: metadata.mtime(),
    })
}

/// What lies there, as text.
pub(crate) fn text_of(lying: &Lying) -> String {
    match lying {
        Lying::File { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
        Lying::Directory => "a directory".to_owned(),
        Lying::Symlink(target) => target.display().to_string(),
    }
}

/// The first difference between two trees, in words.
pub(crate) fn difference(left: &Path, right: &Path) -> Option<String> {
    let (ours, theirs) = (read(left), read(right));
    let only = |one: &BTreeMap<PathBuf, Lying>, other: &BTreeMap<PathBuf, Lying>| {
        one.keys().find(|path| !other.contains_key(*path)).cloned()
    };
    if let Some(path) = only(&ours, &theirs) {
        return Some(format!("{} is only in {}", path.display(), left.display()));
    }
    if let Some(path) = only(&theirs, &ours) {
        return Some(format!("{} is only in {}", path.display(), right.display()));
    }
    let (path, one) = ours
        .iter()
        .find(|(path, lying)| theirs.get(*path) != Some(*lying))?;
    let short = |lying: &Lying| match lying {
        Lying::File {
            bytes,
            executable,
            mtime,
        } => format!(
            "{} bytes, executable {executable}, mtime {mtime}",
            bytes.len()
        ),
        Lying::Directory => "a directory".to_owned(),
        Lying::Symlink(target) => format!("a link to {}", target.display()),
    };
    let other = theirs.get(path).map(short);
    Some(format!(
        "{} differs: {} and {other:?}",
        path.display(),
        short(one)
    ))
}

/// Asserts that no file below `root` is half: each is one that `source` holds or has held.
pub(crate) fn must_be_whole(root: &Path, source: &History) {
    for (path, lying) in read(root) {
        if let Lying::File { bytes, .. } = lying {
            assert!(
                source.has_held(&path, &bytes),
                "{} is not whole: {} bytes",
                path.display(),
                bytes.len()
            );
        }
    }
}

/// Names of temporary files that are left below a root.
pub(crate) fn temporary_files(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join(".towline/tmp"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Everything that a tree has held, so that a copy can be judged while it grows.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<PathBuf, Vec<Vec<u8>>>);

impl History {
    /// Takes what lies there now.
    pub(crate) fn remember(&mut self, root: &Path) {
        for (path, lying) in read(root) {
            if let Lying::File { bytes, .. } = lying {
                let held = self.0.entry(path).or_default();
                if !held.contains(&bytes) {
                    held.push(bytes);
                }
            }
        }
    }

    fn has_held(&self, path: &Path, bytes: &[u8]) -> bool {
        self.0
            .get(path)
            .is_some_and(|held| held.iter().any(|one| one == bytes))
    }
}

/// Makes `files` files in directories of fifty: most of a few KiB, some empty, one in 250 large
/// enough to be cut into chunks.
pub(crate) fn grow(root: &Path, files: u64, seed: &mut Seed) {
    for number in 0..files {
        let directory = root.join(format!("d{:03}", number / 50));
        if number % 50 == 0 {
            fs::create_dir_all(&directory).expect("a directory can be made");
        }
        let len = match number % 250 {
            7 => 1_200_000 + seed.below(800_000),
            8 => 0,
            _ => seed.below(4096),
        };
        let len = usize::try_from(len).expect("small");
        fs::write(directory.join(format!("f{number:05}")), seed.bytes(len))
            .expect("a file can be written");
    }
}

/// Waits until the folders of both devices are in sync and their trees are equal.
pub(crate) fn settle(left: (&Device, &Path), right: (&Device, &Path)) {
    settle_all(&[left, right]);
}

/// Waits until the folders of all devices are in sync and all trees are equal.
pub(crate) fn settle_all(all: &[(&Device, &Path)]) {
    let deadline = Instant::now() + PATIENCE * 2;
    let watches: Vec<Watch> = all.iter().map(|(device, _)| Watch::new(device)).collect();
    let mut views: Vec<_> = all.iter().map(|(device, _)| device.view()).collect();
    let mut looked_at = Vec::new();
    let mut last = String::new();
    while Instant::now() < deadline {
        for (watch, view) in watches.iter().zip(&mut views) {
            while let Some(next) = watch.next(LOOK) {
                *view = next;
            }
        }
        if !views.iter().all(is_in_sync) {
            last = format!(
                "{:#?}",
                views
                    .iter()
                    .map(|view| folder(view)["state"].clone())
                    .collect::<Vec<_>>()
            );
            continue;
        }
        let numbers: Vec<_> = views.iter().map(|view| view["revision"].clone()).collect();
        if numbers == looked_at {
            continue;
        }
        looked_at = numbers;
        let differences = all.windows(2).filter_map(|pair| match pair {
            [one, other] => difference(one.1, other.1),
            _ => None,
        });
        let unseen = all
            .iter()
            .zip(&views)
            .filter_map(|((_, root), view)| unseen(root, view));
        let differences: Vec<String> = differences.chain(unseen).collect();
        if differences.is_empty() {
            return;
        }
        last = differences.join("; ");
    }
    let folders: Vec<_> = all
        .iter()
        .map(|(device, _)| folder(&device.view()).clone())
        .collect();
    panic!("not equal in time: {last}; {folders:#?}");
}

/// How many files lie below a root; copies in the conflict inbox are none.
pub(crate) fn files_in(root: &Path) -> u64 {
    let files = read(root)
        .into_iter()
        .filter(|(path, lying)| !path.starts_with(INBOX) && matches!(lying, Lying::File { .. }));
    files.count() as u64
}

/// Files that lie there and are not yet in the device's view.
fn unseen(root: &Path, view: &Value) -> Option<String> {
    let lying = files_in(root);
    let seen = count(view, "files");
    (seen != lying).then(|| {
        format!(
            "{seen} of {lying} files are in the view of {}",
            root.display()
        )
    })
}

/// How long one view is waited for before the next device is asked: 50 ms.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);
