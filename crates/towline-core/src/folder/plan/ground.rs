//! What a step stands on: the directories above it.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Actor, Content, VersionVector};
use towline_wire::rel_path::RelPath;

use super::{Action, Planned, Wait, step, written};
use crate::folder::verdict::Rest;
use crate::records::{Mode, OurRow, Reach};

/// Whether the walk that made a plan has seen every need, so that a parent that is still missing
/// comes from nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Rows came in since; a missing parent may be among them.
    Partial,
    /// Nothing came in since.
    Whole,
}

/// The paths whose rows [`ground`] needs for this plan: the parents of all that is made.
pub fn footing(planned: &[Planned]) -> BTreeSet<RelPath> {
    planned
        .iter()
        .filter_map(Planned::as_step)
        .filter(|planned| planned.step.content != Content::Absent)
        .flat_map(|planned| parents(&planned.step.path))
        .collect()
}

/// Makes sure that every step has a directory to stand in.
///
/// A live entry below something that is not a directory brings the directory back by a write of our
/// own: so an edit deep inside a deleted directory returns with exactly the directories that it
/// needs. `pending` names paths where something is about to happen anyway.
pub fn ground(
    planned: Vec<Planned>,
    rows: &BTreeMap<RelPath, OurRow>,
    pending: &dyn Fn(&RelPath) -> bool,
    sight: Sight,
    (us, mode): (Actor, Mode),
) -> Vec<Planned> {
    let mut grounded: Vec<Planned> = Vec::with_capacity(planned.len());
    let mut coming: BTreeSet<RelPath> = BTreeSet::new();
    let changing: BTreeSet<RelPath> = planned
        .iter()
        .filter_map(Planned::as_step)
        .map(|planned| planned.step.path.clone())
        .collect();
    for mut one in planned {
        let Action::Step(step) = &mut one.action else {
            grounded.push(one);
            continue;
        };
        if step.step.content != Content::Absent {
            let missing: Vec<RelPath> = parents(&one.path)
                .into_iter()
                .filter(|parent| !coming.contains(parent) && !is_directory(rows.get(parent)))
                .collect();
            let is_local = |parent: &RelPath| {
                let row = rows.get(parent);
                row.is_some_and(|row| matches!(row.reach, Reach::Changed | Reach::Added))
            };
            if missing.iter().any(is_local) {
                one.action = Action::Wait(Wait::Local);
                grounded.push(one);
                continue;
            }
            // What a person has put there stays: only what they have lost comes back to them.
            let is_theirs = |parent: &RelPath| {
                let row = rows.get(parent);
                row.is_some_and(|row| row.entry.content != Content::Absent)
            };
            if mode == Mode::SendOnly && missing.iter().any(is_theirs) {
                one.action = Action::Wait(Wait::SendOnly);
                grounded.push(one);
                continue;
            }
            // What the disk has lost there comes back first, and is kept: a write of ours on top of its
            // history would tell whoever has the bytes that they were replaced.
            let is_spoiled = |parent: &RelPath| {
                let row = rows.get(parent);
                row.is_some_and(|row| row.reach == Reach::Spoiled)
            };
            let waits = |parent| pending(parent) || changing.contains(parent) || is_spoiled(parent);
            if missing.iter().any(waits) || (!missing.is_empty() && sight == Sight::Partial) {
                one.action = Action::Wait(Wait::Parent);
                grounded.push(one);
                continue;
            }
            for parent in missing {
                grounded.push(brought_back(&parent, rows.get(&parent), us));
                coming.insert(parent);
            }
        }
        if step.step.content == Content::Directory {
            coming.insert(one.path.clone());
        }
        grounded.push(one);
    }
    grounded
}

/// The directories above a path, from the top down. Those in the conflict inbox are no entries: the
/// disk makes them.
pub(crate) fn parents(path: &RelPath) -> Vec<RelPath> {
    if path.is_in_inbox() {
        return Vec::new();
    }
    let mut parents: Vec<RelPath> = std::iter::successors(path.parent(), RelPath::parent).collect();
    parents.reverse();
    parents
}

fn is_directory(row: Option<&OurRow>) -> bool {
    row.is_some_and(|row| row.entry.content == Content::Directory)
}

/// The step that makes a directory where a live entry needs one. A file or symlink in its place is
/// kept: a directory wins a conflict. What has no claim to its place is not, and then nobody hears that
/// what all knew there before was replaced: who still has it keeps it.
fn brought_back(path: &RelPath, row: Option<&OurRow>, us: Actor) -> Planned {
    let version = match row {
        Some(row) if row.reach == Reach::Everyone => row.entry.version.clone(),
        Some(row) => row.entry.version.written_by(us.device),
        None => VersionVector::new(),
    };
    let becomes = written(path, version, Content::Directory, us);
    let loser = row
        .filter(|row| row.reach == Reach::Everyone)
        .map(|row| row.entry.clone())
        .filter(|entry| entry.content != Content::Absent);
    let action = step(row, becomes, Rest::PeerYields, loser, BTreeSet::new());
    Planned {
        path: path.clone(),
        action,
    }
}
