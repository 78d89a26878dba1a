//! The version store of a root: what a peer's change replaces or removes goes here first.
//!
//! `.towline/versions/<day>/` holds one file per version, under its number, and `names`, one JSON line
//! per version: number, when it was kept, since when it had lain there, path. Size, file time, mode and
//! a link's text are the kept object's own, because keeping is a rename or a hard link: no byte is
//! read or copied. So everything is known from the directory alone, and no path, however long, odd or
//! hostile, is ever a name in it.
//!
//! The line is durable before the object moves, so a kill or a power cut leaves at most a line without
//! a file, which means nothing. A line that was torn is not a line. Restoring moves a version back out
//! (see `restore`, and `moment` for many at once); pruning removes the oldest (see `prune`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use towline_core::io::{Expected, Step};
use towline_core::records::DiskStamp;
use towline_core::versions::{Kept, NEVER, VersionId, day_of};
use towline_wire::entry::UnixNanos;
use towline_wire::rel_path::{MARKER_DIRECTORY, RelPath};

use super::handle::{Directory, Kind, Mark, new_file_mode, write_all_at};
use super::parents::{Parents, proves_absence};
use super::pool::lock;
use super::root::Root;

mod decide;
mod moment;
mod prune;
mod restore;

pub(crate) use decide::{Case, Choice};
pub(crate) use moment::BroughtBack;
pub(crate) use restore::RestoreFault;

/// The version store's directory in the marker directory.
const VERSIONS_DIRECTORY: &str = "versions";

/// The file of names in a day's directory; versions have numbers for names.
const NAMES: &str = "names";

/// Permissions of our directories: versions are as private as the files were.
const PRIVATE_DIRECTORY_MODE: u32 = 0o700;

/// Longest line of names that is read: 64 KiB. A path of 4096 bytes takes six times that at most when
/// every byte is escaped.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Names looked at together when listing backwards: 4096, a megabyte at most of usual paths.
const NAMES_AT_ONCE: usize = 4096;

/// The version store of one open root.
#[derive(Debug, Default)]
pub(super) struct VersionStore {
    state: Mutex<State>,
    /// Held for reading by a batch of steps and for writing by a restore, so that neither can come
    /// between the other's last look at a path and its rename.
    pub(super) placing: RwLock<()>,
}

#[derive(Debug, Default)]
struct State {
    today: Option<Day>,
    usage: Usage,
}

/// What is known of the room that versions take.
#[derive(Debug, Default)]
struct Usage {
    /// Bytes of all versions, counted at the last pruning and kept up since.
    bytes: u64,
    /// Most bytes that they may take; `None` before the first pruning.
    bytes_max: Option<u64>,
    pruned: Option<Instant>,
    pruning: bool,
}

impl VersionStore {
    /// Other versions may have to go than at the last pruning: the next one comes soon.
    pub(super) fn prune_soon(&self) {
        lock(&self.state).usage.pruned = None;
    }
}

/// An open day.
#[derive(Debug)]
struct Day {
    day: u64,
    directory: Arc<Directory>,
    names: File,
    end: u64,
    next: u64,
}

/// One line of names. A copy in the conflict inbox is a version of the path that it lost.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    number: u64,
    kept: i64,
    since: i64,
    path: RelPath,
}

/// A kept version with what its object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its names.
    pub(crate) kept: Kept,
    /// What it is: a file or a symlink.
    pub(crate) is_symlink: bool,
    /// Length in bytes; 0 for a symlink.
    pub(crate) size: u64,
    /// Its file time.
    pub(crate) mtime: UnixNanos,
    /// Whether its owner may execute it.
    pub(crate) executable: bool,
}

/// Which versions a history lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Of {
    /// All.
    All,
    /// Those of one path.
    Path(RelPath),
    /// Those of everything below a directory.
    Below(RelPath),
    /// Of every path below a directory (`None`: of all) where nothing lies now, the newest.
    Deleted(Option<RelPath>),
}

impl Of {
    fn concerns(&self, path: &RelPath) -> bool {
        match self {
            Self::All | Self::Deleted(None) => true,
            Self::Path(one) => path == one,
            Self::Below(directory) | Self::Deleted(Some(directory)) => path.is_below(directory),
        }
    }
}

/// Tells the newest version of each path from the others; versions come newest first.
struct Newest<'root> {
    seen: BTreeSet<[u8; 16]>,
    parents: Parents<'root>,
}

impl<'root> Newest<'root> {
    fn of(root: &'root Root) -> Self {
        Self {
            seen: BTreeSet::new(),
            parents: Parents::new(root),
        }
    }

    /// Whether this is the newest version of a path where nothing lies now.
    fn is_deletion(&mut self, path: &RelPath) -> bool {
        let is_first = self.seen.insert(short_of(path));
        is_first
            && self
                .parents
                .mark(path)
                .is_err_and(|fault| proves_absence(&fault))
    }
}

/// A path in 16 bytes. Two paths that shared them would be taken for one in a list or when versions are
/// thinned out; nobody makes that happen.
fn short_of(path: &RelPath) -> [u8; 16] {
    let hash = blake3::hash(path.as_str().as_bytes());
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The places that one batch has for what it replaces or removes.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    directory: Option<Arc<Directory>>,
    numbers: BTreeMap<RelPath, String>,
}

impl VersionStore {
    /// A version of this size was kept.
    pub(super) fn add_bytes(&self, mark: &Mark) {
        let usage = &mut lock(&self.state).usage;
        usage.bytes = usage.bytes.saturating_add(mark.stamp.size);
    }

    /// What lies here now has left the store.
    fn forget_bytes(&self, directory: &Directory, name: &str) {
        // Unknown, it counts until the next pruning counts anew.
        let size = directory.mark(name).map_or(0, |mark| mark.stamp.size);
        let usage = &mut lock(&self.state).usage;
        usage.bytes = usage.bytes.saturating_sub(size);
    }
}

impl Keeper {
    /// Names, durably, a version for every step that may replace or remove a file and does not keep it
    /// beside.
    pub(super) fn begin<'a>(
        root: &Root,
        steps: impl Iterator<Item = &'a Step>,
    ) -> io::Result<Self> {
        let gives_way = |step: &'a Step| match (step.expected, &step.keep) {
            (Expected::Stamped(stamp), None) => Some((&step.path, stamp)),
            (Expected::Stamped(_) | Expected::Nothing | Expected::Directory, _) => None,
        };
        Self::of(root, &steps.filter_map(gives_way).collect::<Vec<_>>())
    }

    /// Names, durably, a version for what lies at each path.
    pub(super) fn of(root: &Root, paths: &[(&RelPath, DiskStamp)]) -> io::Result<Self> {
        if paths.is_empty() {
            return Ok(Self::default());
        }
        let mut state = lock(&root.versions.state);
        let named = state.name(root, paths);
        if named.is_err() {
            // A line may be torn: the day is opened, and mended, anew.
            state.today = None;
        }
        named
    }

    /// Where the version of a path goes; `None` when none was named.
    pub(super) fn place(&self, path: &RelPath) -> Option<(&Directory, &str)> {
        let directory = self.directory.as_deref()?;
        Some((directory, self.numbers.get(path)?))
    }

    /// Makes the versions durable; to be called before the names that they gave way to are.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.directory.as_ref().map_or(Ok(()), |day| day.sync())
    }
}

impl State {
    fn name(&mut self, root: &Root, paths: &[(&RelPath, DiskStamp)]) -> io::Result<Keeper> {
        let kept = now();
        let mut today = match self.today.take() {
            Some(today) if today.day == day_of(kept) && today.is_there() => today,
            Some(_) | None => Day::open(root, day_of(kept))?,
        };
        let mut text = Vec::new();
        let mut numbers = BTreeMap::new();
        for (path, stamp) in paths {
            let (path_kept, since) = match path.conflicted() {
                Some(conflicted) => (conflicted, NEVER),
                None => ((*path).clone(), stamp.ctime),
            };
            let line = Line {
                number: today.next,
                kept: kept.0,
                since: since.0,
                path: path_kept,
            };
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            numbers.insert((*path).clone(), today.next.to_string());
            today.next += 1;
        }
        write_all_at(&today.names, &text, today.end)?;
        today.names.sync_data()?;
        today.end += text.len() as u64;
        let directory = Some(Arc::clone(&today.directory));
        self.today = Some(today);
        Ok(Keeper { directory, numbers })
    }
}

impl Day {
    fn open(root: &Root, day: u64) -> io::Result<Self> {
        let towline = root.top().open_directory(MARKER_DIRECTORY)?;
        let versions = open_or_make(&towline, VERSIONS_DIRECTORY)?;
        let directory = open_or_make(&versions, &day.to_string())?;
        let names = match directory.create_file(NAMES, new_file_mode(false)) {
            Ok(names) => {
                directory.sync()?;
                names
            }
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
                directory.open_writable(NAMES)?
            }
            Err(fault) => return Err(fault),
        };
        let mut last = 0;
        read_names(&directory, day, |kept| last = kept.id.number.max(last))?;
        let mut end = names.metadata()?.len();
        if end > 0 {
            // What a crash has torn ends here; an empty line is none.
            write_all_at(&names, b"\n", end)?;
            end += 1;
        }
        Ok(Self {
            day,
            directory: Arc::new(directory),
            names,
            end,
            next: last + 1,
        })
    }

    /// Whether nobody has removed it from under us.
    fn is_there(&self) -> bool {
        let named = self.directory.mark(NAMES).map(|mark| mark.identity);
        let open = super::handle::mark_of(&self.names).map(|mark| mark.identity);
        matches!((named, open), (Ok(named), Ok(open)) if named == open)
    }
}

impl Root {
    /// Kept versions older than `before`, newest first, of these paths; at most `limit`, and whether
    /// there are more.
    pub(crate) fn history(
        &self,
        of: &Of,
        before: Option<VersionId>,
        limit: usize,
    ) -> io::Result<(Vec<Version>, bool)> {
        let before = before.unwrap_or(VersionId {
            day: u64::MAX,
            number: u64::MAX,
        });
        let mut newest = match of {
            Of::All | Of::Path(_) | Of::Below(_) => None,
            Of::Deleted(_) => Some(Newest::of(self)),
        };
        let mut found = Vec::new();
        for (day, directory) in self.days()?.into_iter().rev() {
            // What is deleted is known by the newest version of a path, wherever the page begins.
            if day > before.day && newest.is_none() {
                continue;
            }
            let mut below = match &newest {
                None if before.day == day => before.number,
                None | Some(_) => u64::MAX,
            };
            loop {
                let mut last = VecDeque::new();
                read_names(&directory, day, |kept| {
                    if kept.id.number < below && of.concerns(&kept.path) {
                        last.push_back(kept);
                        if last.len() > NAMES_AT_ONCE {
                            last.pop_front();
                        }
                    }
                })?;
                let Some(first) = last.front() else { break };
                below = first.id.number;
                for kept in last.into_iter().rev() {
                    let Some(version) = look(&directory, kept)? else {
                        continue;
                    };
                    let is_of = newest
                        .as_mut()
                        .is_none_or(|newest| newest.is_deletion(&version.kept.path));
                    if !is_of || version.kept.id >= before {
                        continue;
                    }
                    if found.len() == limit {
                        return Ok((found, true));
                    }
                    found.push(version);
                }
            }
        }
        Ok((found, false))
    }

    /// All days with their directories, oldest first. Few: one per day that is kept.
    fn days(&self) -> io::Result<Vec<(u64, Directory)>> {
        let towline = self.top().open_directory(MARKER_DIRECTORY)?;
        let versions = match towline.open_directory(VERSIONS_DIRECTORY) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut days = Vec::new();
        for (name, _) in versions.list()? {
            // What is no day is not ours.
            let Some(day) = name.to_str().and_then(number_of) else {
                continue;
            };
            match versions.open_directory(&day.to_string()) {
                Ok(directory) => days.push((day, directory)),
                Err(fault) if proves_absence(&fault) => {}
                Err(fault) => return Err(fault),
            }
        }
        days.sort_by_key(|(day, _)| *day);
        Ok(days)
    }
}

/// A version, if its object is there.
fn look(directory: &Directory, kept: Kept) -> io::Result<Option<Version>> {
    Ok(
        mark_of_version(directory, kept.id.number)?.map(|mark| Version {
            kept,
            is_symlink: mark.kind == Kind::Symlink,
            size: mark.stamp.size,
            mtime: mark.mtime,
            executable: mark.kind == Kind::File && mark.executable().unwrap_or(false),
        }),
    )
}

fn mark_of_version(directory: &Directory, number: u64) -> io::Result<Option<Mark>> {
    match directory.mark(&number.to_string()) {
        Ok(mark) => Ok(matches!(mark.kind, Kind::File | Kind::Symlink).then_some(mark)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Reads the names of a day in the order in which they were written; lines that are none are passed
/// over. A directory without names has none.
fn read_names(directory: &Directory, day: u64, each: impl FnMut(Kept)) -> io::Result<()> {
    match directory.open_file(NAMES) {
        Ok(file) => names_in(BufReader::new(file), day, each),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Takes what a file of names may hold.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    let mut kept = Vec::new();
    names_in(bytes, 1, |one| kept.push(one)).expect("memory can be read");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(kept.len() < lines, "one version per whole line at most");
}

fn names_in(mut lines: impl BufRead, day: u64, mut each: impl FnMut(Kept)) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = Read::by_ref(&mut lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        // A line still being written has no end yet.
        let Some(b'\n') = line.last() else { continue };
        let Ok(line) = serde_json::from_slice::<Line>(&line) else {
            continue;
        };
        each(Kept {
            id: VersionId {
                day,
                number: line.number,
            },
            path: line.path,
            kept_at: UnixNanos(line.kept),
            since: UnixNanos(line.since),
        });
    }
}

fn open_or_make(parent: &Directory, name: &str) -> io::Result<Directory> {
    match parent.open_directory(name) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            parent.make_directory(name, PRIVATE_DIRECTORY_MODE)?;
            parent.sync()?;
            parent.open_directory(name)
        }
        other => other,
    }
}

/// The number that a name is, written as we write it.
fn number_of(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

fn now() -> UnixNanos {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
