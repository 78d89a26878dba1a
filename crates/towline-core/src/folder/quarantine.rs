//! What a power cut has taken from files that were known: which bytes nobody wrote, and how long what
//! was lost is waited for.
//!
//! A disk that loses its power may come back with a file that has its old marks and other bytes, with
//! an older state of it, or without it. The store says which rows are in doubt after that. A file among
//! them is *spoiled* when its bytes are others and its marks say that nobody has written since: neither
//! its change time nor its file time is newer than what we have seen. Everything else is an edit.
//!
//! Our row of a spoiled file tells nobody anything: it keeps the history of the write that was lost, and
//! says what lies there now. So the plan has what peers have take its place, and the disk keeps what
//! it replaces. A peer may have the lost write and not have told it yet; so while a peer is away, or
//! has said something within [`PATIENCE`], a record that does not know the lost write decides nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_wire::entry::{Content, Entry};
use towline_wire::ids::Sequence;
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::observe::Draft;
use crate::io::{Found, HeldBack, HeldReason};
use crate::records::{DiskStamp, Doubt, OurRow, Reach};

/// How long all peers are to be there and silent before what they have is all that there is: a minute.
/// An index page that is on its way comes within seconds. Less would let an old version replace a lost
/// one that a slow peer has; more would only have a person wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Paths that are remembered while they wait, for people: 100, as many as a summary shows.
const WAITING_SHOWN_MAX: usize = 100;

/// Which rows may tell of bytes that the disk has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suspicion {
    pub(crate) doubt: Doubt,
    /// The last row that was there when the device started: later ones were read after the cut.
    pub(crate) up_to: Sequence,
}

impl Suspicion {
    /// The stamp of a row that may.
    fn falls_on(self, row: &OurRow) -> Option<DiskStamp> {
        let stamp = row.stamp.filter(|stamp| self.doubt.covers(*stamp));
        stamp.filter(|_| row.sequence <= self.up_to && is_known_to_others(row))
    }
}

/// Whether something lies in the place of a file that the disk has lost.
pub(crate) fn is_spoiled(found: &Found, row: &OurRow, suspicion: Suspicion) -> bool {
    if is_spoiled_already(found, row) {
        return true;
    }
    let are_files = matches!(
        (&found.content, &row.entry.content),
        (Content::File { .. }, Content::File { .. })
    );
    are_files
        && !found.content.same_bytes(&row.entry.content)
        && suspicion
            .falls_on(row)
            .is_some_and(|known| !is_written_since(found.stamp, known))
}

/// Whether it is what was quarantined there before, with other marks at most.
pub(crate) fn is_spoiled_already(found: &Found, row: &OurRow) -> bool {
    row.reach == Reach::Spoiled && found.content.same_bytes(&row.entry.content)
}

/// Whether the row is one of a file or link that may have gone with a power cut.
pub(crate) fn is_lost(row: &OurRow, suspicion: Suspicion) -> bool {
    match row.entry.content {
        Content::File { .. } | Content::Symlink { .. } => suspicion.falls_on(row).is_some(),
        Content::Absent | Content::Directory => false,
    }
}

/// What was changed only here nobody else can have.
const fn is_known_to_others(row: &OurRow) -> bool {
    match row.reach {
        Reach::Everyone | Reach::Spoiled => true,
        Reach::Changed | Reach::Added | Reach::Yields => false,
    }
}

/// A filesystem without change times shows nothing but equal marks.
fn is_written_since(now: DiskStamp, known: DiskStamp) -> bool {
    if known.ctime.0 == 0 {
        now != known
    } else {
        now.ctime > known.ctime || now.mtime > known.mtime
    }
}

/// Our row of a file that the disk has lost, with what lies there now.
pub(crate) fn quarantined(row: &OurRow, lies: Option<Found>) -> Draft {
    let (content, mtime, stamp) = match lies {
        Some(found) => (found.content, found.mtime, Some(found.stamp)),
        None => (Content::Absent, row.entry.mtime, None),
    };
    Draft {
        entry: Entry {
            content,
            mtime,
            ..row.entry.clone()
        },
        stamp,
        reach: Reach::Spoiled,
    }
}

/// Whether what peers have is all that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hope {
    /// A peer may still tell that it has what was lost.
    Left,
    Gone,
}

/// Who is there to have what was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    All,
    SomeAway,
}

/// What waits for peers to have it.
#[derive(Debug)]
pub(crate) struct Quarantine {
    /// When a peer has come, gone or told something.
    heard_at: Moment,
    /// When what waits is to be planned again.
    due: Option<Moment>,
    waiting: BTreeSet<RelPath>,
    /// Files that were found to be lost since the device started.
    found: u64,
}

impl Quarantine {
    pub(crate) const fn new() -> Self {
        Self {
            heard_at: Moment::from_start(Duration::ZERO),
            due: None,
            waiting: BTreeSet::new(),
            found: 0,
        }
    }

    /// A peer has come, gone or told something, or the folder begins.
    pub(crate) const fn heard(&mut self, now: Moment) {
        self.heard_at = now;
    }

    pub(crate) const fn note_found(&mut self, files: u64) {
        self.found += files;
    }

    pub(crate) const fn found(&self) -> u64 {
        self.found
    }

    /// A path waits; whether it is to go on without what was lost.
    pub(crate) fn wait(&mut self, now: Moment, path: &RelPath, company: Company) -> Hope {
        let over_at = self.heard_at.after(PATIENCE);
        match company {
            Company::All if over_at <= now => return Hope::Gone,
            Company::All => self.due = Some(over_at),
            // Whoever comes is heard.
            Company::SomeAway => {}
        }
        if self.waiting.len() < WAITING_SHOWN_MAX {
            self.waiting.insert(path.clone());
        }
        Hope::Left
    }

    /// A path waits no longer.
    pub(crate) fn end(&mut self, path: &RelPath) {
        self.waiting.remove(path);
    }

    pub(crate) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Whether what waits is to be planned again.
    pub(crate) fn handle_timeout(&mut self, now: Moment) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// What waits, for people.
    pub(crate) fn held_back(&self) -> impl Iterator<Item = HeldBack> {
        self.waiting.iter().map(|path| HeldBack {
            path: path.as_str().to_owned(),
            reason: HeldReason::Spoiled,
        })
    }
}
