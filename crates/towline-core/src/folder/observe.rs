//! What a page of a scan means: our rows against what lies on disk.
//!
//! The same bytes with the same metadata only refresh a stamp. Other bytes or other metadata are a
//! new version, nothing where a live row was is a tombstone: writes of our own, on top of all that
//! the row's history knows. Paths with a step under way are not judged; they are looked at again. So
//! are those whose row is younger than the scan: a page that waits for its judgement may tell what lay
//! there before a step that has ended meanwhile.
//!
//! Known bytes in another file, where the same bytes have just gone from another path, are a move over
//! an equal file. It is a person's act as any other, and a new version: what is on its way to that
//! path must not take bytes that lie nowhere else any more. Such finds too are judged last, when all
//! that has gone is known. Another file alone says nothing: some filesystems number theirs anew.
//!
//! Where attributes were not looked at, a file has those that its row knows. Where the row knows some
//! that no look has shown yet, the disk may lack them without anybody having removed them: what is
//! there and what is known are joined, and the disk gets what it lacks.
//!
//! In a receive-only folder all of this stays here: such rows are told to nobody.
//!
//! A directory that is gone is judged last and deepest first, after everything else of the scan. So
//! in index order a tombstone of a directory comes after those of all that it held, and a peer that
//! sees a live child below a directory's tombstone knows that the child has not gone with it.

use std::collections::{BTreeMap, VecDeque};

use towline_wire::entry::{Actor, Content, Descent, Dot, Entry};
use towline_wire::ids::Sequence;
use towline_wire::rel_path::RelPath;

use crate::folder::quarantine::{Suspicion, is_lost, is_spoiled, is_spoiled_already, quarantined};
use crate::io::Found;
use crate::records::{Beside, DiskStamp, Mode, OurRow, Reach, is_coarse_form};

/// A page of a scan, or of what a scan has left for its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) found: Vec<Found>,
    pub(crate) absent: Vec<RelPath>,
    /// Absent, and nobody has removed them.
    pub(crate) lost: Vec<RelPath>,
    /// Rows that are ignored and have a stamp still.
    pub(crate) overlooked: Vec<RelPath>,
}

impl Sighting {
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
            && self.absent.is_empty()
            && self.lost.is_empty()
            && self.overlooked.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.absent.len() + self.lost.len()
    }

    /// What nobody has removed counts as lost only where a power cut may have taken it.
    pub(crate) fn lost_by(
        mut self,
        rows: &BTreeMap<RelPath, OurRow>,
        suspicion: Suspicion,
    ) -> Self {
        let is_suspected = |path: &RelPath| {
            let row = rows.get(path);
            row.is_some_and(|row| is_lost(row, suspicion))
        };
        let (lost, absent) = self.lost.into_iter().partition(is_suspected);
        self.lost = lost;
        self.absent.extend::<Vec<_>>(absent);
        self
    }

    /// The paths whose rows [`observe`] needs.
    pub(crate) fn paths(&self) -> Vec<RelPath> {
        self.found
            .iter()
            .map(|found| found.path.clone())
            .chain(self.absent.clone())
            .chain(self.lost.clone())
            .collect()
    }
}

/// A row of ours that has no sequence yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) entry: Entry,
    pub(crate) stamp: Option<DiskStamp>,
    pub(crate) reach: Reach,
}

/// Who is told of what a person has done at a path.
fn reach_of(mode: Mode, row: Option<&OurRow>, content: &Content) -> Reach {
    match mode {
        Mode::TwoWay | Mode::SendOnly => return Reach::Everyone,
        Mode::ReceiveOnly => {}
    }
    match (row.map_or(Reach::Added, |row| row.reach), content) {
        (Reach::Everyone | Reach::Changed | Reach::Spoiled, _) => Reach::Changed,
        (Reach::Added | Reach::Yields, Content::Absent) => Reach::Yields,
        (
            Reach::Added | Reach::Yields,
            Content::Directory | Content::File { .. } | Content::Symlink { .. },
        ) => Reach::Added,
    }
}

/// Bytes that are remembered when they go: the last 256. A move is seen at both ends within moments,
/// and few happen at a time; finds in another file are compared with each.
const GONE_MAX: usize = 256;

/// What was seen to go from a path of late, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Gone(VecDeque<Content>);

impl Gone {
    /// Remembers the bytes that go with a page.
    pub(crate) fn note(
        &mut self,
        sighting: &Sighting,
        rows: &BTreeMap<RelPath, OurRow>,
        in_flight: &dyn Fn(&RelPath) -> bool,
        since: Sequence,
    ) {
        let absent = sighting.absent.iter().filter(|path| !in_flight(path));
        let rows = absent.filter_map(|path| rows.get(path));
        for row in rows.filter(|row| row.sequence <= since) {
            match &row.entry.content {
                Content::Absent | Content::Directory => {}
                content @ (Content::File { .. } | Content::Symlink { .. }) => {
                    if self.0.len() == GONE_MAX {
                        self.0.pop_front();
                    }
                    self.0.push_back(content.clone());
                }
            }
        }
    }

    fn holds(&self, content: &Content) -> bool {
        self.0.iter().any(|gone| gone.same_bytes(content))
    }
}

/// Whether directories that went are judged now or left for the end of the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departures {
    /// The scan goes on: left for its end.
    Later,
    /// It is the end, or there is no room for more.
    Now,
}

/// What a page means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// New versions and tombstones, in the order in which peers shall learn them.
    pub(crate) drafts: Vec<Draft>,
    /// The same as we know, with other marks.
    pub(crate) stamps: Vec<(RelPath, DiskStamp)>,
    /// A step is under way there, or has ended since the scan began: to be looked at once more.
    pub(crate) again: Vec<RelPath>,
    /// Directories that are gone or replaced and known bytes in another file, for the end of the
    /// scan.
    pub(crate) departures: Sighting,
    /// Directories that have become tombstones.
    pub(crate) departed: Vec<RelPath>,
    /// Live rows without a stamp where nothing lies: it went while nobody looked.
    pub(crate) vanished: Vec<RelPath>,
    /// Files that lack attributes which their rows know.
    pub(crate) lacking: Vec<RelPath>,
    /// Files whose bytes the disk has lost.
    pub(crate) spoiled: u64,
}

/// Compares a page with our rows.
pub(crate) fn observe(
    sighting: Sighting,
    rows: &BTreeMap<RelPath, OurRow>,
    in_flight: &dyn Fn(&RelPath) -> bool,
    departures: Departures,
    (gone, since): (&Gone, Sequence),
    (us, mode, suspicion): (Actor, Mode, Suspicion),
) -> Observed {
    let mut observed = Observed::default();
    for found in sighting.found {
        let row = rows.get(&found.path);
        let (found, attributes) = with_attributes(found, row);
        let departs = row.is_some_and(|row| row.entry.content == Content::Directory)
            && found.content != Content::Directory;
        let is_known = |row: &OurRow| row.stamp == Some(found.stamp) && is_unchanged(&found, row);
        let is_old = row.is_some_and(|row| row.sequence > since && !is_known(row));
        if in_flight(&found.path) || is_old {
            observed.again.push(found.path);
            continue;
        }
        if attributes == OnDisk::Lacking {
            observed.lacking.push(found.path.clone());
        }
        if let Some(row) = row.filter(|row| is_unchanged(&found, row)) {
            let moved = is_another_file(&found, row);
            if moved && departures == Departures::Later {
                observed.departures.found.push(found);
            } else if moved && gone.holds(&found.content) {
                observed.drafts.push(changed(found, Some(row), us, mode));
            } else if !row
                .stamp
                .is_some_and(|stamp| stamp.is_exactly(&found.stamp))
            {
                observed.stamps.push((found.path, found.stamp));
            }
        } else if let Some(row) = row.filter(|row| is_spoiled(&found, row, suspicion)) {
            observed.spoiled += u64::from(!is_spoiled_already(&found, row));
            observed.drafts.push(quarantined(row, Some(found)));
        } else if departs && departures == Departures::Later {
            observed.departures.found.push(found);
        } else {
            observed.drafts.push(changed(found, row, us, mode));
        }
    }
    for path in sighting.lost {
        let Some(row) = rows.get(&path) else { continue };
        if in_flight(&path) {
            observed.again.push(path);
        } else {
            observed.spoiled += 1;
            observed.drafts.push(quarantined(row, None));
        }
    }
    for path in sighting.absent.into_iter().rev() {
        let Some(row) = rows.get(&path) else { continue };
        let is_old = row.sequence > since && row.entry.content != Content::Absent;
        if in_flight(&path) || is_old {
            observed.again.push(path);
            continue;
        }
        if row.is_unseen() {
            observed.vanished.push(path);
            continue;
        }
        if row.reach == Reach::Spoiled && row.entry.content != Content::Absent {
            // Who clears away what is left of a file does not delete what it was.
            observed.drafts.push(quarantined(row, None));
            continue;
        }
        match row.entry.content {
            Content::Absent => {}
            Content::Directory if departures == Departures::Later => {
                observed.departures.absent.push(path);
            }
            Content::Directory => {
                observed.drafts.push(deleted(row, us, mode));
                observed.departed.push(path);
            }
            Content::File { .. } | Content::Symlink { .. } => {
                observed.drafts.push(deleted(row, us, mode));
            }
        }
    }
    observed
}

/// Whether a disk has the attributes that a file has by what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDisk {
    AsKnown,
    Lacking,
}

/// What was found, with the attributes that it has by what is known.
fn with_attributes(found: Found, row: Option<&OurRow>) -> (Found, OnDisk) {
    let known = row.and_then(|row| row.entry.content.attributes());
    let (Some(seen), Some(known)) = (found.content.attributes(), known) else {
        return (found, OnDisk::AsKnown);
    };
    let was_shown = row
        .and_then(|row| row.stamp)
        .is_some_and(|stamp| stamp.beside == Beside::Shown);
    let (attributes, stamp, on_disk) = match (found.stamp.beside, was_shown) {
        (Beside::Shown, true) => return (found, OnDisk::AsKnown),
        (Beside::Unasked | Beside::Unheld, _) => (known.clone(), found.stamp, OnDisk::AsKnown),
        (Beside::Shown, false) => {
            let all = known.with_others(seen);
            if all == *seen {
                return (found, OnDisk::AsKnown);
            }
            (all, found.stamp.beside(Beside::Unasked), OnDisk::Lacking)
        }
    };
    let found = Found {
        content: found.content.with_attributes(attributes),
        stamp,
        ..found
    };
    (found, on_disk)
}

/// A person's write of what was found.
fn changed(found: Found, row: Option<&OurRow>, us: Actor, mode: Mode) -> Draft {
    let reach = reach_of(mode, row, &found.content);
    with_reach(edited(found, row, us), reach, row, us)
}

/// A draft of our write as one of this reach. What nobody is told of counts as no write: its record keeps
/// the history that all know, so no count of ours is met elsewhere under which nothing was ever told.
pub(crate) fn with_reach(draft: Draft, reach: Reach, row: Option<&OurRow>, us: Actor) -> Draft {
    match reach {
        Reach::Everyone => return draft,
        Reach::Changed | Reach::Added | Reach::Yields | Reach::Spoiled => {}
    }
    let nothing = Dot {
        actor: us,
        counter: 0,
    };
    let entry = Entry {
        version: row.map(|row| row.entry.version.clone()).unwrap_or_default(),
        author: row.map_or(nothing, |row| row.entry.author),
        descent: Descent::none(),
        ..draft.entry
    };
    Draft {
        entry,
        reach,
        ..draft
    }
}

/// Our write of what was found, on top of the row's history, and over the bytes that lay there.
pub(crate) fn edited(found: Found, row: Option<&OurRow>, us: Actor) -> Draft {
    let mut version = row.map(|row| row.entry.version.clone()).unwrap_or_default();
    let author = version.bump(us);
    let descent = row.map_or_else(Descent::none, |row| written_over(row, &found.content));
    let Found {
        path,
        content,
        mtime,
        stamp,
    } = found;
    Draft {
        entry: Entry {
            path,
            version,
            author,
            content,
            mtime,
            descent,
        },
        stamp: Some(stamp),
        reach: Reach::Everyone,
    }
}

/// From which writes a file comes that was found where this row's was. What was told to nobody is no write,
/// and what went unseen for a while may have been anything meanwhile.
fn written_over(row: &OurRow, content: &Content) -> Descent {
    let is_file = |content: &Content| matches!(content, Content::File { .. });
    let is_edit = is_file(&row.entry.content) && is_file(content);
    if is_edit && row.reach == Reach::Everyone && !row.is_unseen() {
        row.entry.descent.through(row.entry.author)
    } else {
        Descent::none()
    }
}

/// Rows that a rolled-back store cannot rely on, as writes of the present actor. What nobody was told of
/// bears no count of ours. Counts of the life before may name two writes, so the descent goes.
pub(crate) fn disowned<'a>(rows: impl Iterator<Item = &'a OurRow>, us: Actor) -> Vec<Draft> {
    let told = rows.filter(|row| row.reach == Reach::Everyone);
    told.map(|row| {
        let mut entry = row.entry.clone();
        entry.author = entry.version.bump(us);
        entry.descent = Descent::none();
        Draft {
            entry,
            stamp: row.stamp,
            reach: Reach::Everyone,
        }
    })
    .collect()
}

/// Our delete. It keeps the last mtime: a tombstone has none of its own.
fn deleted(row: &OurRow, us: Actor, mode: Mode) -> Draft {
    let mut version = row.entry.version.clone();
    let author = version.bump(us);
    let entry = Entry {
        version,
        author,
        content: Content::Absent,
        descent: Descent::none(),
        ..row.entry.clone()
    };
    let reach = reach_of(mode, Some(row), &entry.content);
    let draft = Draft {
        entry,
        stamp: None,
        reach: Reach::Everyone,
    };
    with_reach(draft, reach, Some(row), us)
}

/// Whether what was found is another file than the one that the row tells of.
fn is_another_file(found: &Found, row: &OurRow) -> bool {
    found.content != Content::Directory
        && row
            .stamp
            .is_some_and(|stamp| stamp.file_id != found.stamp.file_id)
}

/// Whether what was found is what the row says. The mtime of directories and symlinks is not synced;
/// a file's counts as unchanged when it is what the disk showed last, for a coarse filesystem shows
/// another one than the row asks for.
fn is_unchanged(found: &Found, row: &OurRow) -> bool {
    match (&found.content, &row.entry.content) {
        (
            Content::File {
                hash,
                executable,
                attributes,
                ..
            },
            Content::File {
                hash: known_hash,
                executable: known_executable,
                attributes: known_attributes,
                ..
            },
        ) => {
            hash == known_hash
                && executable == known_executable
                && attributes == known_attributes
                && (found.mtime == row.entry.mtime
                    || (row.is_unseen() && is_coarse_form(found.mtime, row.entry.mtime))
                    || row.stamp.is_some_and(|stamp| stamp.mtime == found.mtime))
        }
        (found, known) => *found != Content::Absent && found.same_bytes(known),
    }
}

#[cfg(test)]
mod tests;
