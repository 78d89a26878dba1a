//! Tests on a real disk: one file per promise of the parent module.

#[cfg(target_os = "linux")]
mod attributes;
mod commit;
#[cfg(target_os = "linux")]
mod hostile;
mod inbox;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod own_writes;
mod place;
mod renames;
#[cfg(target_os = "linux")]
mod replace;
mod rules;
mod scan;
mod stage;
mod versions;
#[cfg(target_os = "linux")]
mod watch;
mod whole;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use towline_core::io::{Expected, Found, Outcome, PageEnd, RootFault, ScanScope, Step};
use towline_core::records::{DiskStamp, Doubt, OurRow, Reach, RootPath};
use towline_wire::entry::{
    Actor, Attributes, Content, Descent, Dot, Entry, UnixNanos, VersionVector,
};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

use super::pool::{Pool, lock};
use super::scan::{Page, Scan};
use super::{
    FileShape, KnownRows, Move, OpenRows, Ready, Root, Staged, commit as commit_batch, move_files,
};
use crate::tasks::Tasks;

const FOLDER: FolderId = FolderId::from_bytes([1; 16]);
const OTHER_FOLDER: FolderId = FolderId::from_bytes([2; 16]);

/// A modification time long ago, so that it differs from "now".
const LONG_AGO: UnixNanos = UnixNanos(1_000_000_000_123_456_700);

fn rel(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn root_path(path: &Path) -> RootPath {
    RootPath(path.to_str().unwrap().to_owned())
}

/// A prepared and opened root in a directory of its own.
struct TestRoot {
    directory: tempfile::TempDir,
    root: Arc<Root>,
}

impl TestRoot {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = root_path(directory.path());
        Root::prepare(&path, &[], FOLDER).unwrap();
        let root = Arc::new(Root::open(&path, FOLDER).unwrap());
        Self { directory, root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn stamp(&self, path: &str) -> DiskStamp {
        super::parents::Parents::new(&self.root)
            .mark(&rel(path))
            .unwrap()
            .stamp
    }

    fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// A step that is ready: `text` shall lie at `path`.
    fn file(&self, path: &str, expected: Expected, text: &str) -> Ready {
        let step = step(path, expected, file_content(text));
        let shape = FileShape::of(&step).unwrap();
        let staged = Staged::whole(&self.root, shape, text.as_bytes()).unwrap();
        Ready {
            step,
            staged: Some(staged),
        }
    }

    fn commit(&self, batch: Vec<Ready>) -> BTreeMap<RelPath, Outcome> {
        commit_batch(&self.root, batch).into_iter().collect()
    }

    fn commit_one(&self, ready: Ready) -> Outcome {
        self.commit(vec![ready]).into_values().next().unwrap()
    }

    /// Temporary files that are left.
    fn litter(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at(".towline/tmp")).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn file_content(text: &str) -> Content {
    let hash = ContentHash::from_bytes(*blake3::hash(text.as_bytes()).as_bytes());
    Content::File {
        size: text.len() as u64,
        hash,
        executable: false,
        attributes: Attributes::default(),
    }
}

#[cfg(unix)]
fn link_content(target: &str) -> Content {
    Content::Symlink {
        target: towline_wire::entry::SymlinkTarget::parse(target).unwrap(),
    }
}

fn step(path: &str, expected: Expected, content: Content) -> Step {
    let sources = [].into();
    Step {
        path: rel(path),
        expected,
        content,
        mtime: LONG_AGO,
        keep: None,
        sources,
        moved_from: None,
    }
}

fn without_bytes(path: &str, expected: Expected, content: Content) -> Ready {
    Ready {
        step: step(path, expected, content),
        staged: None,
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}

/// Our rows in memory, shared between scans.
#[derive(Clone, Default)]
struct Rows(Arc<Mutex<BTreeMap<RelPath, OurRow>>>);

impl Rows {
    /// Takes what a scan found as the truth.
    fn take(&self, page: &Page) {
        let mut rows = lock(&self.0);
        for found in &page.found {
            rows.insert(found.path.clone(), row_of(found));
        }
        for path in &page.absent {
            rows.remove(path);
        }
    }

    fn forget_stamps(&self, paths: &[RelPath]) {
        let mut rows = lock(&self.0);
        for path in paths {
            rows.get_mut(path).unwrap().stamp = None;
        }
    }

    fn paths(&self) -> Vec<String> {
        lock(&self.0)
            .keys()
            .map(|path| path.as_str().to_owned())
            .collect()
    }
}

impl KnownRows for Rows {
    fn row(&mut self, path: &RelPath) -> Option<OurRow> {
        lock(&self.0).get(path).cloned()
    }

    fn below(
        &mut self,
        directory: Option<&RelPath>,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Vec<OurRow> {
        lock(&self.0)
            .values()
            .filter(|row| directory.is_none_or(|directory| row.entry.path.is_below(directory)))
            .filter(|row| after.is_none_or(|after| row.entry.path > *after))
            .take(limit)
            .cloned()
            .collect()
    }

    fn with_bytes(&mut self, hashes: &[ContentHash]) -> Vec<Vec<RelPath>> {
        let rows = lock(&self.0);
        let has = |row: &OurRow, wanted: ContentHash| matches!(row.entry.content, Content::File { hash, .. } if hash == wanted);
        let paths = |wanted: ContentHash| {
            let holding = rows.values().filter(|row| has(row, wanted));
            holding.map(|row| row.entry.path.clone()).collect()
        };
        hashes.iter().map(|hash| paths(*hash)).collect()
    }
}

impl OpenRows for Rows {
    fn open_rows(&self, _folder: FolderId) -> Box<dyn KnownRows> {
        Box::new(self.clone())
    }
}

fn row_of(found: &Found) -> OurRow {
    let device = DeviceId::from_public_key([1; 32]);
    let mut version = VersionVector::new();
    let author: Dot = version.bump(Actor {
        device,
        incarnation: Incarnation(1),
    });
    let entry = Entry {
        path: found.path.clone(),
        version,
        author,
        content: found.content.clone(),
        mtime: found.mtime,
        descent: Descent::none(),
    };
    OurRow {
        entry,
        sequence: Sequence(1),
        stamp: Some(found.stamp),
        reach: Reach::Everyone,
    }
}

/// Everything that one scan yields.
#[derive(Debug, Default)]
struct Scanned {
    page: Page,
    restless: Option<ScanScope>,
    pages: usize,
    /// Of what was found and what is absent, in which page it was told.
    order: Vec<(usize, RelPath)>,
}

impl Scanned {
    fn found(&self) -> Vec<&str> {
        self.page
            .found
            .iter()
            .map(|found| found.path.as_str())
            .collect()
    }

    /// In which page a path was told.
    fn page_of(&self, path: &str) -> usize {
        let path = rel(path);
        self.order.iter().find(|(_, told)| *told == path).unwrap().0
    }

    fn absent(&self) -> Vec<&str> {
        self.page.absent.iter().map(RelPath::as_str).collect()
    }

    #[cfg(unix)]
    fn held_back(&self) -> Vec<(&str, towline_core::io::HeldReason)> {
        self.page
            .held_back
            .iter()
            .map(|held| (held.path.as_str(), held.reason))
            .collect()
    }

    fn content(&self, path: &str) -> &Content {
        &self
            .page
            .found
            .iter()
            .find(|found| found.path.as_str() == path)
            .unwrap()
            .content
    }
}

/// Scans and takes every page as the truth.
fn scan(root: &Arc<Root>, rows: &Rows, scope: ScanScope) -> Result<Scanned, RootFault> {
    scan_in_doubt(root, rows, scope, Doubt::Nothing)
}

/// The same after a power cut.
fn scan_in_doubt(
    root: &Arc<Root>,
    rows: &Rows,
    scope: ScanScope,
    doubt: Doubt,
) -> Result<Scanned, RootFault> {
    let Ok(pool) = Pool::start(&Tasks::new()) else {
        panic!("no threads")
    };
    let mut scan = Scan::new(Arc::clone(root), Box::new(rows.clone()), scope, doubt);
    let mut all = Scanned::default();
    loop {
        let (page, end) = scan.next_page(&pool)?;
        let size = page.found.len() + page.held_back.len();
        // A moved file brings its former name along.
        assert!(size.max(page.absent.len()) <= 510, "page of {size}");
        rows.take(&page);
        all.pages += 1;
        all.order
            .extend(page.absent.iter().map(|path| (all.pages, path.clone())));
        all.order.extend(
            page.found
                .iter()
                .map(|found| (all.pages, found.path.clone())),
        );
        all.page.found.extend(page.found);
        all.page.absent.extend(page.absent);
        all.page.lost.extend(page.lost);
        all.page.overlooked.extend(page.overlooked);
        all.page.held_back.extend(page.held_back);
        if end == PageEnd::End {
            all.restless = scan.restless();
            return Ok(all);
        }
    }
}

fn scan_all(root: &Arc<Root>, rows: &Rows) -> Scanned {
    scan(root, rows, ScanScope::All).unwrap()
}

fn scan_paths(root: &Arc<Root>, rows: &Rows, paths: &[&str]) -> Scanned {
    let paths = paths.iter().map(|path| rel(path)).collect();
    scan(root, rows, ScanScope::Paths(paths)).unwrap()
}
