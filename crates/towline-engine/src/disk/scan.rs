//! Looks for what differs between a root and our rows of it.
//!
//! A scan is a merge of two sorted lists: the tree on disk, walked in the byte order of full paths,
//! and our live rows in the same order. What both have with equal marks is passed over; what the
//! disk alone has, or has otherwise, is read and *found*; a row that the disk does not have is
//! *absent* only after a second look that met no error, with the root proved to be still there.
//! What cannot be read is unknown, and so is everything below it. What is ignored is not read, and not
//! gone into; rows of ours that are ignored are *overlooked*.
//!
//! What is absent is told after all that was found, and a file that lies under a new name brings the absence
//! of its former one along: so others see a move, and no delete of what they may have to fetch again.
//!
//! A scan yields a page at a time and holds no thread between pages. It never writes, and never
//! decides what a difference means. Files that change while they are read are left out and named at
//! the end as restless.
//!
//! Of the marker directory only the conflict inbox is walked, and of that only copies are looked at:
//! its directories are no entries, and nothing else there is ours to tell of.

mod cursor;

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use towline_core::folder::rules::{Rules, Shape};
use towline_core::io::{Found, HeldBack, HeldReason, PageEnd, RootFault, ScanScope};
use towline_core::records::{Beside, DiskStamp, Doubt, OurRow};
use towline_wire::entry::{Attributes, Content, SymlinkTarget};
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::inbox::may_hold_copies;
use towline_wire::rel_path::{MARKER_DIRECTORY, RelPath};

use super::attributes::beside_reading;
use super::handle::{Directory, Kind, Listed, Mark, Unfit};
use super::hash::{Reading, SHARED_BYTES_MIN, read_settled, read_settled_shared};
use super::names;
use super::parents::{
    COPY_DEPTH_MAX, DEPTH_MAX, Missing, Parents, Spelled, proves_absence, spelled,
};
use super::pool::Pool;
use super::root::{self, Root};
use super::rows::KnownRows;
use super::traits::Spelling;
use cursor::Cursor;

/// Entries in a page: 500; about 150 KiB, and often enough for a person to see progress.
const PAGE_ENTRIES_MAX: usize = 500;

/// Bytes to hash after which a page is closed early: 256 MiB, about a second of reading.
const PAGE_HASH_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Rows that were not met and wait for the end of the scan: 10,000, about 3 MiB. Beyond that the first ones are
/// told before.
const MISSING_MAX: usize = 10_000;

/// Restless paths that a scan remembers: 1000. When there are more, all is looked at again.
const RESTLESS_MAX: usize = 1000;

/// What a scan found since the page before.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// New, changed or touched.
    pub(crate) found: Vec<Found>,
    /// Rows where nothing lies any more.
    pub(crate) absent: Vec<RelPath>,
    /// The same of files in doubt that nobody has removed.
    pub(crate) lost: Vec<RelPath>,
    /// Rows with a stamp that are ignored.
    pub(crate) overlooked: Vec<RelPath>,
    /// What cannot be read or named.
    pub(crate) held_back: Vec<HeldBack>,
}

/// A scan in progress.
pub(crate) struct Scan {
    root: Arc<Root>,
    /// What is ignored, from the beginning of the scan to its end.
    rules: Rules,
    /// What is known of the attributes of what it reads.
    beside: Beside,
    /// Files that are read whatever their marks say.
    doubt: Doubt,
    cursor: Cursor,
    /// Places still to be looked at, last first; `None` is the whole folder.
    targets: Vec<Option<RelPath>>,
    /// Open directories from the target down to where the walk is.
    frames: Vec<Frame>,
    /// An ignored directory whose rows are being passed over.
    overlooking: Option<RelPath>,
    /// Directories above targets that have been compared with their rows.
    ancestors: BTreeSet<RelPath>,
    /// What was missing above targets, and has become one.
    raised: BTreeSet<RelPath>,
    restless: BTreeSet<RelPath>,
    page: Page,
    unread: Vec<Unread>,
    unread_bytes: u64,
    /// Rows that were not met.
    missing: VecDeque<OurRow>,
    /// Of these, what was told with the new names of moved files. At most as many as are remembered; what is told
    /// twice is told in vain.
    brought: BTreeSet<RelPath>,
}

/// A directory in the middle of being walked.
struct Frame {
    place: Arc<Place>,
    directory: Arc<Directory>,
    items: std::vec::IntoIter<Item>,
}

impl Frame {
    /// Where an item stands in the order of all paths.
    fn full_key(&self, item: &Item) -> Vec<u8> {
        let mut key = self.place.0.clone().into_bytes();
        key.extend_from_slice(&item.key);
        key
    }
}

/// A directory as text: empty for the root, else with a `/` at its end. The way into the conflict inbox
/// can be one, which is no path.
struct Place(String);

impl Place {
    fn of(directory: Option<&RelPath>) -> Self {
        Self(directory.map_or_else(String::new, |directory| format!("{directory}/")))
    }

    /// The entry with this name; `None` when that is no path.
    fn child(&self, name: &OsString) -> Option<RelPath> {
        RelPath::parse(format!("{}{}", self.0, name.to_str()?)).ok()
    }

    /// The directory with this name, if it is on the way into the inbox or within.
    fn way(&self, name: &OsString) -> Option<Self> {
        let way = format!("{}{}/", self.0, name.to_str()?);
        may_hold_copies(&way).then_some(Self(way))
    }

    fn is_ours(&self) -> bool {
        self.0
            .strip_prefix(MARKER_DIRECTORY)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    fn depth(&self) -> usize {
        self.0.split_terminator('/').count()
    }
}

/// One step of the walk; ordered so that full paths come in byte order.
struct Item {
    key: Vec<u8>,
    name: OsString,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Look,
    Descend,
}

/// A file whose bytes must be read.
struct Unread {
    directory: Arc<Directory>,
    path: RelPath,
    /// How long it was when it was listed.
    size: u64,
    /// The executable bit of our row, for systems that have none.
    known_executable: bool,
    name: Name,
}

/// Whether we have a row of a file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Known,
    New,
}

impl Unread {
    fn with_attributes(
        &self,
        beside: Beside,
        reading: Reading,
    ) -> io::Result<(Reading, Attributes)> {
        beside_reading(beside, (&self.directory, self.path.file_name()), reading)
    }
}

impl Scan {
    /// Begins a scan of a scope.
    pub(crate) fn new(
        root: Arc<Root>,
        rows: Box<dyn KnownRows>,
        scope: ScanScope,
        doubt: Doubt,
    ) -> Self {
        let targets = match scope {
            ScanScope::All => vec![None],
            ScanScope::Paths(paths) => {
                let mut outermost: Vec<Option<RelPath>> = Vec::new();
                for path in &paths {
                    if !has_ancestor_in(path, &paths) {
                        outermost.push(Some(path.clone()));
                    }
                }
                outermost.reverse();
                outermost
            }
        };
        Self {
            rules: root.rules(),
            beside: root.beside(),
            doubt,
            root,
            cursor: Cursor::new(rows),
            targets,
            frames: Vec::new(),
            overlooking: None,
            ancestors: BTreeSet::new(),
            raised: BTreeSet::new(),
            restless: BTreeSet::new(),
            page: Page::default(),
            unread: Vec::new(),
            unread_bytes: 0,
            missing: VecDeque::new(),
            brought: BTreeSet::new(),
        }
    }

    /// Walks on until a page is full or the scan ends. A root that is lost ends the scan without a
    /// page.
    pub(crate) fn next_page(&mut self, pool: &Pool) -> Result<(Page, PageEnd), RootFault> {
        loop {
            let end = self.walk()?;
            let named = self.read_files(pool);
            self.bring_former_names(&named)?;
            if end == PageEnd::End || self.missing.len() >= MISSING_MAX {
                self.confirm_missing()?;
            }
            let end = match end {
                PageEnd::End if !self.missing.is_empty() => PageEnd::More,
                PageEnd::End | PageEnd::More => end,
            };
            if end == PageEnd::End || self.page_len() >= PAGE_ENTRIES_MAX / 2 {
                return Ok((std::mem::take(&mut self.page), end));
            }
        }
    }

    /// What is scanned.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// What must be looked at again soon; `None` when nothing. Asked for after the last page.
    pub(crate) fn restless(&self) -> Option<ScanScope> {
        if self.restless.is_empty() {
            None
        } else if self.restless.len() >= RESTLESS_MAX {
            Some(ScanScope::All)
        } else {
            Some(ScanScope::Paths(self.restless.clone()))
        }
    }

    fn page_len(&self) -> usize {
        let Page {
            found,
            absent,
            lost,
            overlooked,
            held_back,
        } = &self.page;
        found.len() + absent.len() + lost.len() + overlooked.len() + held_back.len()
    }

    fn is_full(&self) -> bool {
        self.page_len() + self.unread.len() >= PAGE_ENTRIES_MAX
            || self.unread_bytes >= PAGE_HASH_BYTES_MAX
            || self.missing.len() >= MISSING_MAX
    }

    fn walk(&mut self) -> Result<PageEnd, RootFault> {
        while !self.is_full() {
            if self.overlook_on() {
                continue;
            }
            let Some(frame) = self.frames.last_mut() else {
                // The walk of a target is done: rows that are left were not met.
                if let Some(row) = self.cursor.next_before(None) {
                    self.miss(row);
                    continue;
                }
                match self.targets.pop() {
                    None => return Ok(PageEnd::End),
                    Some(None) => self.begin_all()?,
                    Some(Some(path)) => self.begin_at(&path),
                }
                continue;
            };
            // Rows before the next item were not met.
            if let Some(item) = frame.items.as_slice().first() {
                let limit = frame.full_key(item);
                if let Some(row) = self.cursor.next_before(Some(&limit)) {
                    self.miss(row);
                    continue;
                }
            }
            match frame.items.next() {
                None => {
                    self.frames.pop();
                }
                Some(item) => {
                    let directory = Arc::clone(&frame.directory);
                    let place = Arc::clone(&frame.place);
                    match item.act {
                        Act::Look => self.look(&directory, &place, &item.name),
                        Act::Descend => self.descend(&directory, &place, &item.name),
                    }
                }
            }
        }
        Ok(PageEnd::More)
    }

    /// A row was not met.
    fn miss(&mut self, row: OurRow) {
        if !self.brought.remove(&row.entry.path) {
            self.missing.push_back(row);
        }
    }

    fn begin_all(&mut self) -> Result<(), RootFault> {
        self.root.check()?;
        self.cursor.set_to_all();
        let items = list(self.root.top()).map_err(|fault| root::fault_of(&fault))?;
        let items: Vec<Item> = items
            .into_iter()
            .filter(|item| item.name != MARKER_DIRECTORY || item.act == Act::Descend)
            .collect();
        let directory = Arc::clone(self.root.top());
        self.frames.push(Frame {
            place: Arc::new(Place::of(None)),
            directory,
            items: items.into_iter(),
        });
        Ok(())
    }

    fn begin_at(&mut self, path: &RelPath) {
        let is_ignored = |above: &RelPath| self.rules.ignore(above, Shape::Directory);
        if path.parent().is_some_and(|above| is_ignored(&above)) {
            return;
        }
        // What answers to another spelling is another entry, and nothing lies under this one.
        let is_blind = self.root.traits.spelling == Spelling::Blind;
        let is_other = |how| matches!(how, Spelled::Otherwise | Spelled::Remembered);
        if is_blind && spelled(&self.root, path).is_ok_and(is_other) {
            self.cursor.set_to(path);
            return;
        }
        self.look_at_ancestors(path);
        self.cursor.set_to(path);
        let parent = path.parent();
        let root = Arc::clone(&self.root);
        let directory = match &parent {
            None => Ok(Arc::clone(root.top())),
            Some(parent) => open_directory(&root, parent).map(Arc::new),
        };
        match directory {
            Ok(directory) => {
                let name = OsString::from(path.file_name());
                let look = Item {
                    key: path.file_name().as_bytes().to_vec(),
                    name: name.clone(),
                    act: Act::Look,
                };
                let descend = Item {
                    key: descend_key(path.file_name()),
                    name,
                    act: Act::Descend,
                };
                let items = if path.is_in_inbox() {
                    vec![look]
                } else {
                    vec![look, descend]
                };
                self.frames.push(Frame {
                    place: Arc::new(Place::of(parent.as_ref())),
                    directory,
                    items: items.into_iter(),
                });
            }
            // Nothing can lie there: what our rows have is left to the end of the target.
            Err(fault) if proves_absence(&fault) => self.look_at_what_is_missing_above(path),
            Err(_) => self.hold_back_known(path, HeldReason::Unreadable),
        }
    }

    /// Where a directory above a target is none, that is what is to be looked at, with all below it.
    fn look_at_what_is_missing_above(&mut self, path: &RelPath) {
        let mut above: Vec<RelPath> =
            std::iter::successors(path.parent(), RelPath::parent).collect();
        above.reverse();
        let root = Arc::clone(&self.root);
        let mut parents = Parents::new(&root);
        let missing = above.into_iter().find(|path| match parents.mark(path) {
            Ok(mark) => mark.kind != Kind::Directory,
            Err(fault) => proves_absence(&fault),
        });
        let is_known = |path: &RelPath| self.cursor.row(path).is_some();
        let Some(missing) = missing.filter(is_known) else {
            return;
        };
        // It has the rows of this target, too.
        self.cursor.set_to_nothing();
        if self.raised.insert(missing.clone()) {
            self.targets.push(Some(missing));
        }
    }

    /// Directories above a target that we do not know yet are found with it, so that what lies in
    /// them never comes before them.
    fn look_at_ancestors(&mut self, path: &RelPath) {
        if path.is_in_inbox() {
            return;
        }
        let mut unknown = Vec::new();
        let mut above = path.parent();
        while let Some(directory) = above {
            if !self.ancestors.insert(directory.clone()) {
                break;
            }
            above = directory.parent();
            unknown.push(directory);
        }
        let root = Arc::clone(&self.root);
        let mut parents = Parents::new(&root);
        for directory in unknown.into_iter().rev() {
            let known = self
                .cursor
                .row(&directory)
                .is_some_and(|row| row.entry.content == Content::Directory);
            if known {
                continue;
            }
            match parents.mark(&directory) {
                Ok(mark) if mark.kind == Kind::Directory => {
                    self.page.found.push(found_directory(directory, &mark));
                }
                // Nothing, or something else: the target below it will be seen as absent.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Compares one name with its row.
    fn look(&mut self, directory: &Arc<Directory>, place: &Place, name: &OsString) {
        let Some(path) = place.child(name) else {
            if !place.is_ours() {
                self.hold_back(place, name, HeldReason::Name);
            }
            return;
        };
        let mark = match directory.mark(path.file_name()) {
            Ok(mark) => mark,
            // Gone since it was listed: its row stays in the cursor and is confirmed like any other.
            Err(fault) if proves_absence(&fault) => return,
            Err(_) => return self.hold_back_known(&path, HeldReason::Unreadable),
        };
        let row = self.cursor.next_at(&path);
        let shape = match mark.kind {
            Kind::Directory => Shape::Directory,
            Kind::File | Kind::Symlink | Kind::Other => Shape::Other,
        };
        if self.rules.ignore_in_place(&path, shape) {
            return self.overlook(row);
        }
        let is_doubted = mark.kind == Kind::File && self.doubt.covers(mark.stamp);
        let is_known = |row: &OurRow| is_unchanged(row, &mark, self.beside);
        if row.as_ref().is_some_and(is_known) && !is_doubted {
            return;
        }
        self.root.own_writes.seen(&path, Some(mark.stamp));
        match mark.kind {
            Kind::Directory if path.is_in_inbox() => self.hold_back_known(&path, HeldReason::Kind),
            Kind::Directory => self.page.found.push(found_directory(path, &mark)),
            Kind::Symlink => self.look_at_link(directory, path, &mark),
            Kind::File => {
                self.unread_bytes += mark.stamp.size;
                let name = if row.is_some() {
                    Name::Known
                } else {
                    Name::New
                };
                let known_executable = row.is_some_and(|row| is_executable(&row.entry.content));
                let directory = Arc::clone(directory);
                self.unread.push(Unread {
                    directory,
                    path,
                    size: mark.stamp.size,
                    known_executable,
                    name,
                });
            }
            Kind::Other => self.hold_back_known(&path, HeldReason::Kind),
        }
    }

    fn look_at_link(&mut self, directory: &Directory, path: RelPath, mark: &Mark) {
        let target = match directory.read_link(path.file_name()) {
            Ok(target) => target,
            Err(fault) if proves_absence(&fault) => return self.note_restless(path),
            // It became something else meanwhile.
            Err(fault) if fault.kind() == io::ErrorKind::InvalidInput => {
                return self.note_restless(path);
            }
            Err(_) => return self.hold_back_known(&path, HeldReason::Unreadable),
        };
        match target
            .into_string()
            .ok()
            .and_then(|text| SymlinkTarget::parse(text).ok())
        {
            Some(target) => self.page.found.push(Found {
                path,
                content: Content::Symlink { target },
                mtime: mark.mtime,
                stamp: mark.stamp,
            }),
            None => self.hold_back_known(&path, HeldReason::Name),
        }
    }

    fn descend(&mut self, directory: &Directory, place: &Place, name: &OsString) {
        if let Some(way) = place.way(name) {
            return self.descend_in_inbox(directory, way, name);
        }
        // A name that is no path was held back when it was looked at.
        let Some(path) = place.child(name).filter(|path| !path.is_in_inbox()) else {
            return;
        };
        if self.rules.ignore_in_place(&path, Shape::Directory) {
            self.overlooking = Some(path);
            return;
        }
        if path.depth() > DEPTH_MAX {
            return self.hold_back_known(&path, HeldReason::Name);
        }
        let opened = directory.open_directory(path.file_name());
        match opened.and_then(|directory| Ok((list(&directory)?, directory))) {
            Ok((items, directory)) => self.frames.push(Frame {
                place: Arc::new(Place::of(Some(&path))),
                directory: Arc::new(directory),
                items: items.into_iter(),
            }),
            // No directory (any more): rows below it are not met, and confirmed like any other.
            Err(fault) if proves_absence(&fault) => {}
            Err(_) => self.hold_back_known(&path, HeldReason::Unreadable),
        }
    }

    fn descend_in_inbox(&mut self, directory: &Directory, way: Place, name: &OsString) {
        if way.depth() > COPY_DEPTH_MAX {
            return;
        }
        let opened = name
            .to_str()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            .and_then(|name| directory.open_directory(name));
        match opened.and_then(|directory| Ok((list(&directory)?, directory))) {
            Ok((items, directory)) => self.frames.push(Frame {
                place: Arc::new(way),
                directory: Arc::new(directory),
                items: items.into_iter(),
            }),
            Err(fault) if proves_absence(&fault) => {}
            // Unknown, with all copies that lie below it.
            Err(_) => {
                self.page.held_back.push(HeldBack {
                    path: way.0.trim_end_matches('/').to_owned(),
                    reason: HeldReason::Unreadable,
                });
                self.cursor.skip_all_in(&way.0);
            }
        }
    }

    /// Reads what waits; returns the bytes of files under names that we have no row of.
    fn read_files(&mut self, pool: &Pool) -> Vec<ContentHash> {
        let mut named = Vec::new();
        self.unread_bytes = 0;
        let unread = std::mem::take(&mut self.unread);
        let (large, small): (Vec<Unread>, Vec<Unread>) = unread
            .into_iter()
            .partition(|file| file.size >= SHARED_BYTES_MIN);
        let beside = self.beside;
        let mut read = pool.each(small, move |file| {
            let reading = twice(|| read_settled(&file.directory, file.path.file_name()));
            let reading = reading.and_then(|reading| file.with_attributes(beside, reading));
            (file, reading)
        });
        read.extend(large.into_iter().map(|file| {
            let reading =
                twice(|| read_settled_shared(&file.directory, file.path.file_name(), pool));
            let reading = reading.and_then(|reading| file.with_attributes(beside, reading));
            (file, reading)
        }));
        let traits = self.root.traits;
        for (file, reading) in read {
            match reading {
                Ok((Reading::Settled(hash, mark), attributes)) => {
                    if file.name == Name::New && mark.stamp.size > 0 {
                        named.push(hash);
                    }
                    self.page.found.push(Found {
                        path: file.path,
                        content: Content::File {
                            size: mark.stamp.size,
                            hash,
                            executable: traits.executable(&mark).unwrap_or(file.known_executable),
                            attributes,
                        },
                        mtime: mark.mtime,
                        stamp: mark.stamp.beside(beside),
                    });
                }
                Ok((Reading::Restless, _)) => self.note_restless(file.path),
                // Gone meanwhile, perhaps for a moment only: the next look will tell.
                Err(fault) if proves_absence(&fault) => self.note_restless(file.path),
                Err(fault) if Unfit::is_in(&fault) => {
                    self.hold_back_known(&file.path, HeldReason::Attributes);
                }
                Err(_) => self.hold_back_known(&file.path, HeldReason::Unreadable),
            }
        }
        named
    }

    /// Of files that lie under new names, one row each that has the same bytes and nothing on the disk any more.
    fn bring_former_names(&mut self, hashes: &[ContentHash]) -> Result<(), RootFault> {
        if hashes.is_empty() {
            return Ok(());
        }
        let all = self.cursor.with_bytes(hashes);
        let root = Arc::clone(&self.root);
        let mut parents = Parents::new(&root);
        let mut former = BTreeSet::new();
        for paths in all {
            let gone = paths.into_iter().find(|path| {
                let is_told = path.is_in_inbox() || former.contains(path);
                !is_told
                    && parents
                        .mark(path)
                        .is_err_and(|fault| proves_absence(&fault))
            });
            former.extend(gone);
        }
        if former.is_empty() {
            return Ok(());
        }
        self.missing.retain(|row| !former.contains(&row.entry.path));
        let rows: Vec<OurRow> = former
            .iter()
            .filter_map(|path| self.cursor.row(path))
            .collect();
        if self.brought.len() + former.len() <= MISSING_MAX {
            self.brought.append(&mut former);
        }
        self.confirm(rows)
    }

    /// Looks once more at rows that were not met, as many as the page has room for.
    fn confirm_missing(&mut self) -> Result<(), RootFault> {
        let room = PAGE_ENTRIES_MAX.saturating_sub(self.page_len()).max(1);
        let rows = self.missing.drain(..room.min(self.missing.len())).collect();
        self.confirm(rows)
    }

    /// Looks once more at rows, each from the root down.
    fn confirm(&mut self, rows: Vec<OurRow>) -> Result<(), RootFault> {
        if rows.is_empty() {
            return Ok(());
        }
        let root = Arc::clone(&self.root);
        let mut parents = Parents::new(&root);
        let (mut absent, mut lost) = (Vec::new(), Vec::new());
        for row in rows {
            if self
                .rules
                .ignore(&row.entry.path, Shape::of(&row.entry.content))
            {
                self.overlook(Some(row));
                continue;
            }
            let is_lost = was_lost(&row, self.doubt, &mut parents);
            let path = row.entry.path;
            match parents.mark(&path) {
                Err(fault) if proves_absence(&fault) => {
                    root.own_writes.seen(&path, None);
                    if is_lost {
                        lost.push(path);
                    } else {
                        absent.push(path);
                    }
                }
                Err(_) => self.hold_back_known(&path, HeldReason::Unreadable),
                // A case-blind filesystem answers to another spelling; the exact name decides.
                Ok(_) => match is_listed(&root, &mut parents, &path) {
                    Ok(true) => self.note_restless(path),
                    Ok(false) => absent.push(path),
                    Err(_) => self.hold_back_known(&path, HeldReason::Unreadable),
                },
            }
        }
        if !absent.is_empty() || !lost.is_empty() {
            self.root.check()?;
            self.page.absent.extend(absent);
            self.page.lost.extend(lost);
        }
        Ok(())
    }

    /// A row of ours that is ignored.
    fn overlook(&mut self, row: Option<OurRow>) {
        let stamped = row.filter(|row| row.stamp.is_some());
        self.page
            .overlooked
            .extend(stamped.map(|row| row.entry.path));
    }

    /// Goes on with the rows below the ignored directory where the walk is; `false` when it is in none.
    fn overlook_on(&mut self) -> bool {
        let Some(directory) = &self.overlooking else {
            return false;
        };
        match self.cursor.next_below(directory) {
            Some(row) => self.overlook(Some(row)),
            None => self.overlooking = None,
        }
        true
    }

    fn note_restless(&mut self, path: RelPath) {
        if self.restless.len() < RESTLESS_MAX {
            self.restless.insert(path);
        }
    }

    /// Holds back a path that our rows may know, with everything below it.
    fn hold_back_known(&mut self, path: &RelPath, reason: HeldReason) {
        self.page.held_back.push(HeldBack {
            path: path.as_str().to_owned(),
            reason,
        });
        self.cursor.next_at(path);
        self.cursor.skip_below(path);
    }

    fn hold_back(&mut self, place: &Place, name: &OsString, reason: HeldReason) {
        self.page.held_back.push(HeldBack {
            path: format!("{}{}", place.0, names::escaped(name)),
            reason,
        });
    }
}

/// Reads once more when the file changed meanwhile.
fn twice(read: impl Fn() -> io::Result<Reading>) -> io::Result<Reading> {
    match read() {
        Ok(Reading::Restless) => read(),
        other => other,
    }
}

fn has_ancestor_in(path: &RelPath, paths: &BTreeSet<RelPath>) -> bool {
    let mut above = path.parent();
    while let Some(directory) = above {
        if paths.contains(&directory) {
            return true;
        }
        above = directory.parent();
    }
    false
}

/// The steps through a directory, in the byte order of full paths: `a`, `a-b`, then what is in `a`.
fn list(directory: &Directory) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    for (name, listed) in directory.list()? {
        let bytes = name.as_encoded_bytes();
        if listed == Listed::PerhapsDirectory {
            let mut key = bytes.to_vec();
            key.push(b'/');
            items.push(Item {
                key,
                name: name.clone(),
                act: Act::Descend,
            });
        }
        items.push(Item {
            key: bytes.to_vec(),
            name,
            act: Act::Look,
        });
    }
    items.sort_unstable_by(|left, right| left.key.cmp(&right.key));
    Ok(items)
}

fn descend_key(name: &str) -> Vec<u8> {
    format!("{name}/").into_bytes()
}

/// Opens a directory with a handle of its own.
fn open_directory(root: &Root, path: &RelPath) -> io::Result<Directory> {
    Parents::new(root)
        .of(path, Missing::Refuse)?
        .open_directory(path.file_name())
}

fn is_listed(root: &Root, parents: &mut Parents<'_>, path: &RelPath) -> io::Result<bool> {
    if root.traits.spelling == Spelling::Blind {
        return Ok(spelled(root, path)? == Spelled::Exactly);
    }
    let names = parents.of(path, Missing::Refuse)?.list()?;
    Ok(names.iter().any(|(name, _)| name == path.file_name()))
}

/// Whether a file in doubt that does not lie there was removed by nobody: no name has come or gone in its
/// directory since it was seen. A directory that is not there either says nothing.
fn was_lost(row: &OurRow, doubt: Doubt, parents: &mut Parents<'_>) -> bool {
    let Some(known) = row.stamp.filter(|stamp| doubt.covers(*stamp)) else {
        return false;
    };
    let directory = parents.of(&row.entry.path, Missing::Refuse);
    directory
        .and_then(|directory| directory.mtime())
        .is_ok_and(|changed| changed < known.ctime)
}

fn is_unchanged(row: &OurRow, mark: &Mark, beside: Beside) -> bool {
    let is_same = row.stamp == Some(mark.stamp);
    match (&row.entry.content, mark.kind) {
        (Content::Directory, Kind::Directory) => true,
        (Content::Symlink { .. }, Kind::Symlink) => is_same,
        // Also what was told without its attributes is to be looked at where they are kept.
        (Content::File { .. }, Kind::File) => {
            let is_shown = |stamp: DiskStamp| stamp.beside == Beside::Shown;
            is_same && (beside != Beside::Shown || row.stamp.is_some_and(is_shown))
        }
        (
            Content::Absent | Content::Directory | Content::File { .. } | Content::Symlink { .. },
            Kind::File | Kind::Directory | Kind::Symlink | Kind::Other,
        ) => false,
    }
}

fn is_executable(content: &Content) -> bool {
    match content {
        Content::File { executable, .. } => *executable,
        Content::Absent | Content::Directory | Content::Symlink { .. } => false,
    }
}

fn found_directory(path: RelPath, mark: &Mark) -> Found {
    Found {
        path,
        content: Content::Directory,
        mtime: mark.mtime,
        stamp: mark.stamp,
    }
}
