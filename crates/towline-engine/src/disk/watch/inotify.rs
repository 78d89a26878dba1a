//! Watches a tree with Linux's inotify, which watches directories one by one and knows no paths.
//!
//! The tree of watches follows what the disk shows and not what events tell: any event about a
//! directory under a name makes us look again at what lies there now, and watch that with all below
//! it. A watch belongs to a directory, whatever its name; where it is, is a place in our tree, and the
//! last look decides. So directories may be renamed, exchanged or replaced faster than their events
//! are read: once the queue is empty, the tree is right. What lost its place and found no other by
//! then is watched no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use towline_wire::rel_path::inbox::inbox;
use towline_wire::rel_path::{MARKER_DIRECTORY, RelPath};

use super::{Hint, Stage, WatchFault};
use crate::disk::parents::DEPTH_MAX;
use crate::tasks::Tasks;

/// Bytes of events that are read at once: 64 KiB, some thousand events.
const EVENTS_BYTES: usize = 64 * 1024;

/// How long events are left to gather after some were read: 2 ms. A thread that writes thousands of files
/// would otherwise wake this one for each; hints wait ten times as long anyway, and the kernel holds
/// 16,384 events.
const GATHERED_FOR: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 2_000_000,
};

/// What is asked of each directory: all that changes names, bytes or metadata. Opening and reading
/// is not asked for, because our own looks would wake us.
const ASKED: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::EXCL_UNLINK);

/// What is asked of the root besides: whether it is still there.
const ASKED_OF_ROOT: WatchFlags = ASKED
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Watches one root until it is dropped.
pub(in crate::disk) struct Events {
    stop: Arc<OwnedFd>,
}

impl Events {
    /// Watches all directories below `root`, on a thread of `tasks` that calls `hint`.
    pub(in crate::disk) fn start(
        root: &Path,
        tasks: &Tasks,
        hint: impl Fn(Hint) + Send + 'static,
    ) -> Result<Self, WatchFault> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(fault)?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(fault)?);
        let tree = Tree::new(root.to_owned(), events)?;
        let told = Arc::clone(&stop);
        tasks
            .spawn_thread("disk watch", move || follow(tree, &told, &hint))
            .map_err(|_| WatchFault::Limit)?;
        Ok(Self { stop })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // It fails only when somebody has told it four billion times already.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

fn fault(errno: Errno) -> WatchFault {
    match errno {
        // Of watches; of instances; of memory for either.
        Errno::NOSPC | Errno::MFILE | Errno::NFILE | Errno::NOMEM => WatchFault::Limit,
        _ => WatchFault::Unsupported,
    }
}

/// Reads events until it is told to stop. The first after a rest is read at once, more that follow
/// come together.
fn follow(mut tree: Tree, stop: &OwnedFd, hint: &dyn Fn(Hint)) {
    let mut buffer = vec![MaybeUninit::uninit(); EVENTS_BYTES];
    loop {
        let mut waiting = [
            PollFd::from_borrowed_fd(tree.events.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        match poll(&mut waiting, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return hint(Hint::Lost),
        }
        let [_, stopped] = &waiting;
        if !stopped.revents().is_empty() {
            return;
        }
        tree.read_events(&mut buffer, hint);
        let mut ending = [PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN)];
        // Ended early by the end alone, which the next turn sees.
        let _ = poll(&mut ending, Some(&GATHERED_FOR));
    }
}

/// A watched directory.
#[derive(Debug, Default)]
struct Node {
    /// The directory that holds it and its name there; `None` for the root and for what is nowhere.
    place: Option<(Watch, String)>,
    /// Watched directories in it.
    below: BTreeMap<String, Watch>,
}

/// inotify's number of a watched directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Watch(i32);

/// All watched directories.
struct Tree {
    path: PathBuf,
    events: Arc<OwnedFd>,
    root: Watch,
    nodes: BTreeMap<Watch, Node>,
    /// Those that lost their place and have not been seen elsewhere yet.
    lost: BTreeSet<Watch>,
    /// Where the latest rename began, and its number.
    moved_from: Option<(u32, RelPath)>,
}

/// An event, taken out of the buffer.
struct Seen {
    watch: Watch,
    what: ReadFlags,
    cookie: u32,
    name: Option<Vec<u8>>,
}

impl Seen {
    fn stage(&self) -> Stage {
        if (self.what).intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) {
            Stage::Finished
        } else {
            Stage::Underway
        }
    }
}

impl Tree {
    fn new(path: PathBuf, events: OwnedFd) -> Result<Self, WatchFault> {
        let root = inotify::add_watch(&events, &path, ASKED_OF_ROOT).map_err(fault)?;
        let root = Watch(root);
        let mut tree = Self {
            path,
            events: Arc::new(events),
            root,
            nodes: BTreeMap::from([(root, Node::default())]),
            lost: BTreeSet::new(),
            moved_from: None,
        };
        tree.watch_below(root)?;
        Ok(tree)
    }

    fn read_events(&mut self, buffer: &mut [MaybeUninit<u8>], hint: &dyn Fn(Hint)) {
        let events = Arc::clone(&self.events);
        let mut reader = Reader::new(&*events, buffer);
        loop {
            let seen = match reader.next() {
                Ok(event) => Seen {
                    watch: Watch(event.wd()),
                    what: event.events(),
                    cookie: event.cookie(),
                    name: event.file_name().map(|name| name.to_bytes().to_vec()),
                },
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => break,
                Err(_) => {
                    hint(Hint::Lost);
                    break;
                }
            };
            self.take(&seen, hint);
        }
        self.forget_lost();
    }

    fn take(&mut self, seen: &Seen, hint: &dyn Fn(Hint)) {
        let has = |flags: ReadFlags| seen.what.intersects(flags);
        if has(ReadFlags::QUEUE_OVERFLOW) {
            // Events about directories may be among those that are lost.
            if self.watch_below(self.root).is_err() {
                tracing::warn!("some directories cannot be watched");
            }
            return hint(Hint::Lost);
        }
        if has(ReadFlags::IGNORED) && seen.watch != self.root {
            return self.forget(seen.watch);
        }
        let Some(name) = &seen.name else {
            // Its parent tells of everybody else.
            if seen.watch == self.root {
                hint(Hint::Root);
            }
            return;
        };
        let Ok(name) = std::str::from_utf8(name) else {
            // A name that is no text is looked at with the directory that holds it.
            let above = self.names_of(seen.watch);
            return hint(
                above
                    .and_then(rel_path)
                    .map_or(Hint::Lost, |path| Hint::At(path, seen.stage())),
            );
        };
        if seen.watch == self.root && name == MARKER_DIRECTORY {
            return;
        }
        // Before the hint: what happens in it from now on has hints of its own.
        if has(ReadFlags::ISDIR)
            && has(ReadFlags::CREATE
                | ReadFlags::DELETE
                | ReadFlags::MOVED_FROM
                | ReadFlags::MOVED_TO)
            && self.look_again(seen.watch, name).is_err()
        {
            tracing::warn!("some directories cannot be watched");
            hint(Hint::Lost);
        }
        // What is nowhere any more was seen to go.
        if let Some(mut names) = self.names_of(seen.watch) {
            names.push(name.to_owned());
            if let Some(path) = rel_path(names) {
                self.pair(seen, &path, hint);
                let is_gone =
                    has(ReadFlags::ISDIR) && has(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
                hint(if is_gone {
                    Hint::Gone(path, seen.stage())
                } else {
                    Hint::At(path, seen.stage())
                });
            }
        }
    }

    /// Both ends of a rename are finished when the second one is seen.
    fn pair(&mut self, seen: &Seen, path: &RelPath, hint: &dyn Fn(Hint)) {
        if seen.what.contains(ReadFlags::MOVED_FROM) {
            self.moved_from = Some((seen.cookie, path.clone()));
        } else if seen.what.contains(ReadFlags::MOVED_TO)
            && let Some((_, from)) = self
                .moved_from
                .take_if(|(cookie, _)| *cookie == seen.cookie)
        {
            hint(Hint::At(from, Stage::Finished));
        }
    }

    /// Watches what lies under a name now, with all below it.
    fn look_again(&mut self, above: Watch, name: &str) -> Result<(), WatchFault> {
        match self.watch(above, name)? {
            Some(found) => self.watch_below(found),
            None => Ok(()),
        }
    }

    /// Watches all directories below one, as they are now.
    fn watch_below(&mut self, top: Watch) -> Result<(), WatchFault> {
        let mut open = vec![top];
        while let Some(above) = open.pop() {
            let Some(path) = self.path_of(above) else {
                continue;
            };
            let mut names = directories_in(&path, above == self.root);
            if above == self.root {
                // All that is watched of the marker directory, as if it lay in the root itself.
                names.insert(inbox().trim_end_matches('/').to_owned());
            }
            let known = self.nodes.get(&above).map(|node| &node.below);
            let gone: Vec<String> = known
                .into_iter()
                .flat_map(BTreeMap::keys)
                .filter(|name| !names.contains(*name))
                .cloned()
                .collect();
            for name in gone {
                self.unlink(above, &name);
            }
            for name in names {
                open.extend(self.watch(above, &name)?);
            }
        }
        Ok(())
    }

    /// Watches the directory under a name; `None` when there is none, or none that may be watched.
    fn watch(&mut self, above: Watch, name: &str) -> Result<Option<Watch>, WatchFault> {
        let Some(path) = self.path_of(above) else {
            return Ok(None);
        };
        match inotify::add_watch(&*self.events, path.join(name), ASKED) {
            Ok(found) => Ok(self.link(above, name, Watch(found))),
            Err(
                Errno::NOTDIR | Errno::NOENT | Errno::LOOP | Errno::ACCESS | Errno::NAMETOOLONG,
            ) => {
                self.unlink(above, name);
                Ok(None)
            }
            Err(errno) => Err(fault(errno)),
        }
    }

    /// Gives a directory its place; `None` when it cannot be there.
    fn link(&mut self, above: Watch, name: &str, found: Watch) -> Option<Watch> {
        // The path was that of another directory than we thought; its own events will tell.
        if found == self.root || self.is_below(above, found) {
            return None;
        }
        let node = self.nodes.entry(found).or_default();
        let before = node.place.replace((above, name.to_owned()));
        if let Some((old, old_name)) = before
            && (old, old_name.as_str()) != (above, name)
            && let Some(old) = self.nodes.get_mut(&old)
            && old.below.get(&old_name) == Some(&found)
        {
            old.below.remove(&old_name);
        }
        self.lost.remove(&found);
        let held = self
            .nodes
            .get_mut(&above)?
            .below
            .insert(name.to_owned(), found);
        if let Some(held) = held.filter(|held| *held != found) {
            self.lose(held);
        }
        Some(found)
    }

    fn unlink(&mut self, above: Watch, name: &str) {
        let node = self.nodes.get_mut(&above);
        if let Some(held) = node.and_then(|node| node.below.remove(name)) {
            self.lose(held);
        }
    }

    fn lose(&mut self, watch: Watch) {
        if let Some(node) = self.nodes.get_mut(&watch) {
            node.place = None;
            self.lost.insert(watch);
        }
    }

    /// Ends the watches of all that is nowhere any more. Should its arrival elsewhere only come to be
    /// read later, it is watched anew.
    fn forget_lost(&mut self) {
        let mut open: Vec<Watch> = std::mem::take(&mut self.lost).into_iter().collect();
        while let Some(watch) = open.pop() {
            if let Some(node) = self.nodes.remove(&watch) {
                open.extend(node.below.into_values());
                // It fails when the directory is gone, and its watch with it.
                let _ = inotify::remove_watch(&*self.events, watch.0);
            }
        }
    }

    /// The kernel has ended a watch.
    fn forget(&mut self, watch: Watch) {
        let Some(node) = self.nodes.remove(&watch) else {
            return;
        };
        self.lost.remove(&watch);
        if let Some((above, name)) = node.place
            && let Some(above) = self.nodes.get_mut(&above)
            && above.below.get(&name) == Some(&watch)
        {
            above.below.remove(&name);
        }
        for watch in node.below.into_values() {
            self.lose(watch);
        }
    }

    fn is_below(&self, watch: Watch, top: Watch) -> bool {
        let mut at = watch;
        for _ in 0..=DEPTH_MAX {
            if at == top {
                return true;
            }
            match self.nodes.get(&at).and_then(|node| node.place.as_ref()) {
                Some((above, _)) => at = *above,
                None => return false,
            }
        }
        true
    }

    /// The names that lead to a directory; `None` for what is nowhere.
    fn names_of(&self, watch: Watch) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut at = watch;
        while at != self.root {
            let (above, name) = self.nodes.get(&at)?.place.as_ref()?;
            names.push(name.clone());
            if names.len() > DEPTH_MAX {
                return None;
            }
            at = *above;
        }
        names.reverse();
        Some(names)
    }

    fn path_of(&self, watch: Watch) -> Option<PathBuf> {
        let mut path = self.path.clone();
        path.extend(self.names_of(watch)?);
        Some(path)
    }
}

/// Names of directories; what cannot be read has none that could be watched.
fn directories_in(path: &Path, is_root: bool) -> BTreeSet<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| is_directory(entry).unwrap_or(false));
    let names = directories.map(|entry| entry.file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| !is_root || name != MARKER_DIRECTORY)
        .collect()
}

fn is_directory(entry: &fs::DirEntry) -> io::Result<bool> {
    Ok(entry.file_type()?.is_dir())
}

fn rel_path(names: Vec<String>) -> Option<RelPath> {
    RelPath::parse(names.join("/")).ok()
}
