//! Moves: a peer's edit under a name that a person here has given up follows to the new one.
//!
//! Only the device on which a file was moved knows of it, so it is the one that resolves; all others
//! see ordinary writes. What it keeps is what went ([`Departure`]), beside the tombstone. Where a live
//! file of a peer and that tombstone were written without knowing of each other, and the peer's write
//! knows the write whose bytes went, it is an edit of them, and two things happen in this order:
//!
//! 1. Where the moved file lies now, unchanged, the edit's bytes take its place, as a write of ours on
//!    top of what we know of that path. With it is kept, in the same batch, that what went is now there
//!    with these bytes.
//! 2. Then the former path becomes a tombstone of ours on top of the edit: its bytes are kept.
//!
//! After a crash in between the second follows from what is kept. What is not that plain stays with the
//! rule that an edit beats a delete, and the former path comes back: the file has been changed or deleted at its
//! new path, or was moved to a name that had been in use before, or a peer has a say there; several versions stand at the former one; somebody has written
//! there who knew of the delete. Each file is followed a bounded number of times, so that two devices
//! that move files over each other's never chase them for ever.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Actor, Content, Entry, VersionVector};
use towline_wire::ids::DeviceId;
use towline_wire::rel_path::RelPath;

use crate::folder::conflict::is_copy;
use crate::folder::observe::Draft;
use crate::folder::plan::{
    Action, Wait, is_adoptable, is_on_disk, lacks_bytes, sources, step, written,
};
use crate::folder::verdict::{Rest, judge};
use crate::io::Outcome;
use crate::records::{Departure, Moved, Need, OurRow, Place, Reach};

/// Edits that follow one departure: 8. Who goes on writing under the former name writes a few times
/// until the tombstone arrives. Each edit that follows is new to others, and may be an edit of something
/// that they have moved; fewer would leave quick writers behind, and without a bound it might not end.
const FOLLOWED_MAX: u32 = 8;

/// What went by these drafts and can be known again.
pub(crate) fn departures(drafts: &[Draft], rows: &BTreeMap<RelPath, OurRow>) -> Vec<Departure> {
    drafts
        .iter()
        .filter(|draft| draft.entry.content == Content::Absent && draft.reach == Reach::Everyone)
        .filter_map(|draft| departure(rows.get(&draft.entry.path)?))
        .collect()
}

fn departure(row: &OurRow) -> Option<Departure> {
    let stamp = row.stamp.filter(|stamp| stamp.file_id != 0)?;
    // Who keeps a copy again does not edit it, and others rely on its name.
    if is_copy(&row.entry.path) {
        return None;
    }
    match row.entry.content {
        Content::Absent | Content::Directory | Content::Symlink { .. } => None,
        Content::File { hash, .. } => Some(Departure {
            path: row.entry.path.clone(),
            author: row.entry.author,
            hash,
            file_id: stamp.file_id,
            mtime: stamp.mtime,
            followed: 0,
        }),
    }
}

/// What is to be done at a path from where a file was moved, when what a peer has there follows it.
pub(crate) fn follow(need: &Need, connected: &BTreeSet<DeviceId>, us: Actor) -> Option<Action> {
    let gone = need
        .ours
        .as_ref()
        .filter(|row| row.entry.content == Content::Absent && row.reach == Reach::Everyone)?;
    let moved = need.moved.as_ref()?;
    let place = moved.place.as_ref()?;
    let ours = &place.ours;
    let edit = edit(need, &gone.entry, &moved.departure)?;
    let version = gone.entry.version.merged(&edit.version);
    let known = &ours.entry.version;
    if ours.entry.path.is_in_inbox() || !is_adoptable(&version) || !is_adoptable(known) {
        return None;
    }
    let becomes = Entry {
        mtime: edit.mtime,
        ..written(&ours.entry.path, known.clone(), edit.content.clone(), us)
    };
    let followed_before = moved.departure.followed;
    let is_free = is_free(moved, place);
    if is_on_disk(Some(ours), &becomes) && (is_free || followed_before > 0) {
        let tombstone = written(&need.path, version, Content::Absent, us);
        return Some(given_up(need, &edit, tombstone));
    }
    if !is_free || followed_before >= FOLLOWED_MAX {
        return None;
    }
    let sources = sources(need, &edit.content, connected);
    if lacks_bytes(need, &ours.entry.content, &edit.content, &sources) {
        return Some(Action::Wait(Wait::Source));
    }
    let follows = followed(&moved.departure, &edit)?;
    // The former path is planned again when this is done.
    let action = step(Some(ours), becomes, Rest::PeerYields, None, sources);
    Some(action.following(follows))
}

/// Whether the new path is this device's alone: nothing was ever there but the moved file and the edits that
/// followed it, and no peer says anything there that we do not know.
///
/// Where the file was moved over another one, what a peer has at the former path may be that other file, moved
/// the other way. That is no edit, and following it would lose the moved file.
fn is_free(moved: &Moved, place: &Place) -> bool {
    let known = &place.ours.entry.version;
    let writes = known
        .iter()
        .fold(0, |sum: u64, (_, writes)| sum.saturating_add(writes));
    writes == 1 + u64::from(moved.departure.followed)
        && place
            .theirs
            .iter()
            .all(|(_, theirs)| known.knows(theirs.author))
}

/// The one edit that peers have of what went, with all that is known of it; `None` where it is none, or
/// not the only thing that stands there.
fn edit(need: &Need, gone: &Entry, departure: &Departure) -> Option<Entry> {
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    let winner = judge(Some(gone), theirs.clone())?.becomes;
    match winner.content {
        Content::Absent | Content::Directory | Content::Symlink { .. } => return None,
        Content::File { .. } => {}
    }
    let is_twin = |entry: &&Entry| entry.content.same_bytes(&winner.content);
    let twins = || theirs.clone().filter(is_twin);
    // Who has joined the edit with our delete already knows all that both know. So it is the edit itself that
    // must know what went, and not the delete.
    let is_edit = |twin: &Entry| {
        twins().any(|other| {
            other.author == twin.author
                && !other.version.knows(gone.author)
                && other.version.knows(departure.author)
        })
    };
    let version = twins().fold(VersionVector::default(), |known, twin| {
        known.merged(&twin.version)
    });
    let stands_alone = theirs
        .clone()
        .filter(|entry| entry.content != Content::Absent)
        .all(|entry| is_twin(&entry) || version.knows(entry.author));
    (twins().all(is_edit) && stands_alone).then_some(Entry { version, ..winner })
}

/// The former path when the edit lies at the new one.
fn given_up(need: &Need, edit: &Entry, tombstone: Entry) -> Action {
    let becomes = Entry {
        mtime: edit.mtime,
        ..tombstone
    };
    let mut theirs = need.theirs.iter().map(|(_, entry)| entry);
    let rest = if theirs.any(|entry| !becomes.version.knows(entry.author)) {
        Rest::PeerYields
    } else {
        Rest::Settled
    };
    Action::Adopt {
        becomes,
        stamp: None,
        rest,
    }
}

/// What went, when the edit has followed it; its marks are those of the file that will be made.
fn followed(departure: &Departure, edit: &Entry) -> Option<Departure> {
    match edit.content {
        Content::Absent | Content::Directory | Content::Symlink { .. } => None,
        Content::File { hash, .. } => Some(Departure {
            author: edit.author,
            hash,
            followed: departure.followed.saturating_add(1),
            ..departure.clone()
        }),
    }
}

/// What is kept of a departure when the step that follows it has ended.
pub(crate) fn arrived(departure: &Departure, outcome: &Outcome) -> Option<Departure> {
    match outcome {
        Outcome::Done { stamp, .. } => stamp.map(|stamp| Departure {
            file_id: stamp.file_id,
            mtime: stamp.mtime,
            ..departure.clone()
        }),
        Outcome::Stale | Outcome::NoSource | Outcome::NotEmpty | Outcome::Held(_) => None,
    }
}
