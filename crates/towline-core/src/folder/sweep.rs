//! Sweeps: what a person decides for many paths at once, carried out a page at a time.
//!
//! *Override* makes what lies here what all peers shall have: a write of our own on top of all that
//! they know, and a delete where only they have something. What a power cut has taken is meant by nobody
//! and stays out of it, but for what lay below a directory that gave way to somebody's file. *Revert* gives
//! up what was changed only here: such rows yield, and the plan does the rest. *Tell* is what follows when a
//! folder no longer only receives: what was kept from peers is told.
//!
//! Every page is one durable batch that is right by itself, so a sweep that is cut short by a crash has
//! done a part of what was asked and nothing else. Telling goes on by itself when the device starts
//! again; the others show what is left, and a person asks once more. *Undo* is an override of what a mass
//! change would take away here, and nothing else; *bury* is one of what a device would bring back.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Actor, Content, Descent, Entry, UnixNanos};
use towline_wire::ids::DeviceId;
use towline_wire::rel_path::RelPath;

use crate::folder::absence::revives;
use crate::folder::brake::harm;
use crate::folder::observe::Draft;
use crate::folder::plan::{Action, PlannedStep, is_adoptable, is_on_disk, parents, plan, written};
use crate::io::NeedsOf;
use crate::records::{AttributeKeeping, Need, OurRow, Reach};

/// What is decided for many paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// What lies here is what all shall have.
    Override,
    /// What was changed only here is given up.
    Revert,
    /// What was changed only here is told.
    Tell,
    /// What a device's mass change would take away here stays, and comes back everywhere.
    Undo(DeviceId),
    /// What a device would bring back here stays deleted, and goes everywhere.
    Bury(DeviceId),
}

/// What becomes of a path's need when it was swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing is left to be done there.
    Settled,
    /// The plan looks at it.
    Planned,
}

impl Sweep {
    /// Which paths are swept.
    pub(crate) const fn over(self) -> NeedsOf {
        match self {
            Self::Override | Self::Bury(_) => NeedsOf::Everything,
            Self::Revert | Self::Tell => NeedsOf::Local,
            Self::Undo(_) => NeedsOf::Ours,
        }
    }

    /// The paths whose rows [`Sweep::at`] needs for these needs: what lies above what the disk has lost.
    pub(crate) fn footing(self, needs: &[Need]) -> BTreeSet<RelPath> {
        let lost = needs
            .iter()
            .filter(|need| self == Self::Override && is_lost(need));
        lost.flat_map(|need| parents(&need.path)).collect()
    }

    /// What our row at a path becomes, if it is concerned.
    pub(crate) fn at(
        self,
        need: &Need,
        rows: &BTreeMap<RelPath, OurRow>,
        us: Actor,
    ) -> Option<(Draft, After)> {
        match self {
            // Nobody has made what lies there, so nobody means it; unless it cannot lie there.
            Self::Override if is_spoiled(need) && !(is_lost(need) && gave_way(need, rows)) => None,
            Self::Override => overriding(need, us).map(|draft| (draft, After::Settled)),
            // Neither has anybody deleted or written here what the disk has lost.
            Self::Undo(_) | Self::Bury(_) if is_spoiled(need) => None,
            Self::Undo(device) if would_take(need, us) == Some(device) => {
                overriding(need, us).map(|draft| (draft, After::Settled))
            }
            Self::Undo(_) => None,
            Self::Bury(device) if would_revive(need, us) == Some(device) => {
                overriding(need, us).map(|draft| (draft, After::Settled))
            }
            Self::Bury(_) => None,
            Self::Revert => reverting(need).map(|draft| (draft, After::Planned)),
            Self::Tell => telling(need, us).map(|draft| (draft, After::Planned)),
        }
    }
}

/// What we have, on top of all that is known of the path; `None` where peers have it already.
fn overriding(need: &Need, us: Actor) -> Option<Draft> {
    let ours = need.ours.as_ref();
    // Also where attributes are not kept: what differs in them differs.
    let differs = |entry: &Entry| !is_on_disk(ours, entry, AttributeKeeping::On);
    if !need.theirs.iter().any(|(_, entry)| differs(entry)) {
        return None;
    }
    let known = ours
        .map(|row| row.entry.version.clone())
        .unwrap_or_default();
    let version = need
        .theirs
        .iter()
        .fold(known, |known, (_, entry)| known.merged(&entry.version));
    if !is_adoptable(&version) {
        return None;
    }
    let content = ours.map_or(Content::Absent, |row| row.entry.content.clone());
    let mtime = ours.map_or(UnixNanos::default(), |row| row.entry.mtime);
    Some(Draft {
        entry: Entry {
            mtime,
            ..written(&need.path, version, content, us)
        },
        stamp: ours.and_then(|row| row.stamp),
        reach: Reach::Everyone,
    })
}

fn is_spoiled(need: &Need) -> bool {
    let ours = need.ours.as_ref();
    ours.is_some_and(|row| row.reach == Reach::Spoiled)
}

/// Whether the disk has lost it, and nothing lies in its place.
fn is_lost(need: &Need) -> bool {
    let ours = need.ours.as_ref();
    is_spoiled(need) && ours.is_some_and(|row| row.entry.content == Content::Absent)
}

/// Whether somebody has put a file or link where there was a directory above it.
fn gave_way(need: &Need, rows: &BTreeMap<RelPath, OurRow>) -> bool {
    let above = parents(&need.path);
    let mut rows = above.iter().filter_map(|above| rows.get(above));
    rows.any(|row| {
        let is_leaf = match row.entry.content {
            Content::File { .. } | Content::Symlink { .. } => true,
            Content::Absent | Content::Directory => false,
        };
        is_leaf && row.reach != Reach::Spoiled
    })
}

/// Who wrote that what lies here shall go, whether somebody is connected who has what shall come or not.
pub(crate) fn would_take(need: &Need, us: Actor) -> Option<DeviceId> {
    planned_by_all(need, us, |step| harm(need, step).map(|(device, _)| device))
}

/// Who would bring back what was deleted here, whether it is connected or not.
fn would_revive(need: &Need, us: Actor) -> Option<DeviceId> {
    planned_by_all(need, us, |step| revives(need, step))
}

/// What a step would do if everybody were connected, if there is one.
fn planned_by_all(
    need: &Need,
    us: Actor,
    by: impl Fn(&PlannedStep) -> Option<DeviceId>,
) -> Option<DeviceId> {
    let everybody = need.theirs.iter().map(|(device, _)| *device).collect();
    // Attributes take no bytes away and bring none back.
    let planned = plan(
        std::slice::from_ref(need),
        &everybody,
        (us, AttributeKeeping::Off),
    );
    planned
        .into_iter()
        .find_map(|planned| match planned.action {
            Action::Step(step) => by(&step),
            Action::Settled | Action::Adopt { .. } | Action::Wait(_) => None,
        })
}

/// A change gives way to what peers have, and to nothing where they have nothing.
fn reverting(need: &Need) -> Option<Draft> {
    let row = need.ours.as_ref()?;
    match row.reach {
        Reach::Added | Reach::Changed => Some(with_reach(row, Reach::Yields)),
        Reach::Everyone | Reach::Yields | Reach::Spoiled => None,
    }
}

/// What was told to nobody becomes a write of ours now.
fn telling(need: &Need, us: Actor) -> Option<Draft> {
    let row = need.ours.as_ref()?;
    let mut draft = with_reach(row, Reach::Everyone);
    draft.entry.author = draft.entry.version.bump(us);
    draft.entry.descent = Descent::none();
    row.reach.is_local(&row.entry.content).then_some(draft)
}

fn with_reach(row: &OurRow, reach: Reach) -> Draft {
    Draft {
        entry: row.entry.clone(),
        stamp: row.stamp,
        reach,
    }
}
