//! The chain of open directories from a root down to the one in use.
//!
//! Neighbouring paths share most of their parents, so the chain is kept between them. Before each
//! use every kept link is checked to be still the directory that its name leads to: a directory
//! that was moved away, or replaced by a symlink, is never written into through an old handle.

use std::io;

use towline_wire::rel_path::RelPath;

use super::handle::{Directory, Identity, Kind, Mark};
use super::names;
use super::root::Root;

/// Deepest directory that is opened: 200 levels. Each level of a chain is an open handle, and
/// processes start with about a thousand; deeper trees are held back with a reason.
pub(super) const DEPTH_MAX: usize = 200;

/// Deepest directory of a copy in the conflict inbox: what an entry in the deepest directory has above
/// it, and the three levels that the inbox adds.
pub(super) const COPY_DEPTH_MAX: usize = DEPTH_MAX + 3;

/// Permissions of a directory that we make, before the umask.
pub(super) const NEW_DIRECTORY_MODE: u32 = 0o777;

/// What to do about a parent that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is an error.
    Refuse,
    /// It is made.
    Make,
}

/// A chain of open directories below one root.
pub(super) struct Parents<'root> {
    root: &'root Root,
    open: Vec<Link>,
}

struct Link {
    name: String,
    identity: Identity,
    directory: Directory,
}

impl<'root> Parents<'root> {
    /// A chain that holds only the root.
    pub(super) fn new(root: &'root Root) -> Self {
        Self {
            root,
            open: Vec::new(),
        }
    }

    /// The directory that holds `path`. A symlink or file on the way is `NotADirectory`; a
    /// path that is too deep is `InvalidFilename`.
    pub(super) fn of(&mut self, path: &RelPath, missing: Missing) -> io::Result<&Directory> {
        let depth = path.depth() - 1;
        let depth_max = if path.is_in_inbox() {
            COPY_DEPTH_MAX
        } else {
            DEPTH_MAX
        };
        if depth > depth_max {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        self.keep_valid(path, depth);
        for name in path.components().take(depth).skip(self.open.len()) {
            let directory = self.last();
            let next = match directory.open_directory(name) {
                Err(fault)
                    if fault.kind() == io::ErrorKind::NotFound && missing == Missing::Make =>
                {
                    directory.make_directory(name, NEW_DIRECTORY_MODE)?;
                    directory.sync()?;
                    directory.open_directory(name)?
                }
                other => other?,
            };
            let link = Link {
                name: name.to_owned(),
                identity: next.identity()?,
                directory: next,
            };
            self.open.push(link);
        }
        Ok(self.last())
    }

    /// What lies at `path`.
    pub(super) fn mark(&mut self, path: &RelPath) -> io::Result<Mark> {
        self.of(path, Missing::Refuse)?.mark(path.file_name())
    }

    /// Drops every link from the first that is not on the way to `path`, or no longer leads there.
    fn keep_valid(&mut self, path: &RelPath, depth: usize) {
        let mut valid = 0;
        let mut parent: &Directory = self.root.top();
        for (link, name) in self.open.iter().zip(path.components().take(depth)) {
            let same = link.name == name
                && parent.mark(name).is_ok_and(|mark| {
                    mark.kind == Kind::Directory && mark.identity == link.identity
                });
            if !same {
                break;
            }
            valid += 1;
            parent = &link.directory;
        }
        self.open.truncate(valid);
    }

    fn last(&self) -> &Directory {
        self.open
            .last()
            .map_or(self.root.top(), |link| &link.directory)
    }
}

/// Removes the directories above a path of the conflict inbox that hold nothing, up to the inbox itself.
/// They are no entries, so nobody need know; one that is still in use stays.
pub(super) fn remove_empty_above(root: &Root, copy: &RelPath) {
    let mut parents = Parents::new(root);
    let mut above = copy.parent();
    while let Some(directory) = above.filter(|directory| directory.depth() > INBOX_DEPTH) {
        let removed = parents
            .of(&directory, Missing::Refuse)
            .and_then(|parent| parent.remove_directory(directory.file_name()));
        if removed.is_err() {
            return;
        }
        above = directory.parent();
    }
}

/// Components of the inbox's own path.
const INBOX_DEPTH: usize = 2;
/// What lies at a path on a filesystem that answers to other spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelled {
    /// The path, letter by letter.
    Exactly,
    /// Something that is, or lies in something that is, spelled otherwise.
    Otherwise,
    /// Nothing by any spelling.
    Nowhere,
    /// The system knows it, but its directory does not list it or anything like it: kernels remember for
    /// a moment what a filesystem told of a name.
    Remembered,
}

/// How a path is spelled where it lies, from the root down.
pub(super) fn spelled(root: &Root, path: &RelPath) -> io::Result<Spelled> {
    let mut inner: Option<Directory> = None;
    for name in path.components() {
        let directory = inner.as_ref().unwrap_or(root.top());
        match directory.mark(name) {
            Err(fault) if proves_absence(&fault) => return Ok(Spelled::Nowhere),
            other => other?,
        };
        let listed = directory.list()?;
        if !listed.iter().any(|(listed, _)| listed == name) {
            let mut texts = listed.iter().filter_map(|(listed, _)| listed.to_str());
            return Ok(if texts.any(|listed| names::meet(listed, name)) {
                Spelled::Otherwise
            } else {
                Spelled::Remembered
            });
        }
        inner = match directory.open_directory(name) {
            Ok(next) => Some(next),
            // The last one, or something in the way, which is met when it is to be gone through.
            Err(_) => return Ok(Spelled::Exactly),
        };
    }
    Ok(Spelled::Exactly)
}

/// Whether a fault on the way to a path proves that nothing lies there.
pub(super) fn proves_absence(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
