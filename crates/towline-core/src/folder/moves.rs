//! Moves: a peer's edit under a name that a person here has given up follows to the new one.
//!
//! Only the device on which a file was moved knows of it, so it is the one that resolves; all others
//! see ordinary writes. What it keeps is what went ([`Departure`]), beside the tombstone. A peer's file
//! under the former name is an edit of that when its descent names the write whose bytes went: then somebody
//! had these very bytes before them under that name and wrote over them. That a history knows the write is not enough.
//! Histories join where somebody gives way or a delete loses, and the bytes that went may live nowhere but
//! where they were moved to. Nor does it matter whether the history knows our delete: a device in between
//! has joined them. Who wrote there having seen the delete wrote over nothing. Two things happen, in this order:
//!
//! 1. Where the moved file lies now, unchanged, the edit's bytes take its place, as a write of ours on
//!    top of what we know of that path. With it is kept, in the same batch, that what went is now there
//!    with these bytes.
//! 2. Then the former path becomes a tombstone of ours on top of the edit: its bytes are kept.
//!
//! After a crash in between the second follows from what is kept. What is not that plain stays with the
//! rule that an edit beats a delete, and the former path comes back: the file has been changed or deleted
//! at its new path, or was moved over another one, or a peer has a say there; several versions stand at the
//! former one; somebody has written there who saw the delete.
//!
//! Nobody chases anybody: a move writes over nothing, so what follows it comes from nothing that
//! lay at its path before, and a circle of moves ends where it was closed. A bound on how often each file is followed
//! holds also against peers that lie.

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
use crate::records::{AttributeKeeping, Departure, Moved, Need, OurRow, Place, Reach};

/// Edits that follow one departure: 8. Who goes on writing under the former name writes a few times
/// until the tombstone arrives. Fewer would leave quick writers behind; without a bound a peer could keep
/// us at work for ever.
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
    let told = Some(row).filter(|row| row.reach == Reach::Everyone)?;
    let stamp = told.stamp.filter(|stamp| stamp.file_id != 0)?;
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
pub(crate) fn follow(
    need: &Need,
    connected: &BTreeSet<DeviceId>,
    (us, keeping): (Actor, AttributeKeeping),
) -> Option<Action> {
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
    // Others may rely on what a conflict copy keeps.
    if is_copy(&ours.entry.path) || !is_adoptable(&version) || !is_adoptable(known) {
        return None;
    }
    let becomes = Entry {
        mtime: edit.mtime,
        descent: ours.entry.descent.through(ours.entry.author),
        ..written(&ours.entry.path, known.clone(), edit.content.clone(), us)
    };
    let followed_before = moved.departure.followed;
    let is_free = is_free(moved, place, us);
    let has_followed = followed_before > 0 && stays(place, us);
    if is_on_disk(Some(ours), &becomes, keeping) && (is_free || has_followed) {
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

/// Whether the new path is this device's alone: the moved file was put where nothing lay, nothing but edits
/// that followed it was written over it, and no peer says anything there that we do not know.
///
/// Where the file was moved over another one, what a peer has at the former path may be that other file, moved
/// the other way. That was written over what went and is no edit of it, and following it would swap them for ever.
fn is_free(moved: &Moved, place: &Place, us: Actor) -> bool {
    let lies = &place.ours.entry;
    let is_known = |theirs: &Entry| lies.version.knows(theirs.author);
    lies.author.actor.device == us.device
        && lies.descent.count() == u64::from(moved.departure.followed)
        && place.theirs.iter().all(|(_, theirs)| is_known(theirs))
}

/// Whether what followed before stays where it lies: no peer has had it go from there, or written over it.
/// A file that a peer has moved on keeps its number here and is the peer's, whose people may do either next.
fn stays(place: &Place, us: Actor) -> bool {
    let lies = &place.ours.entry;
    let takes_it = |theirs: &Entry| {
        theirs.version.knows(lies.author) && !theirs.content.same_bytes(&lies.content)
    };
    lies.author.actor.device == us.device
        && !place.theirs.iter().any(|(_, theirs)| takes_it(theirs))
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
    let has_followed = |entry: &Entry| departure.followed > 0 && entry.author == departure.author;
    if !twins().any(|twin| twin.descent.names(departure.author) || has_followed(twin)) {
        return None;
    }
    let version = twins().fold(VersionVector::default(), |known, twin| {
        known.merged(&twin.version)
    });
    let stands_alone = theirs
        .clone()
        .filter(|entry| entry.content != Content::Absent)
        .all(|entry| is_twin(&entry) || version.knows(entry.author));
    stands_alone.then_some(Entry { version, ..winner })
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
