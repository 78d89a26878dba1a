//! The place where a losing version is kept.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Content, Entry};
use towline_wire::rel_path::RelPath;

use super::{Action, Planned};
use crate::folder::conflict::conflict_paths;
use crate::records::{ConflictPlace, OurRow};

/// The paths whose rows [`make_room`] needs for this plan: where losing versions may be kept.
pub fn rooms(planned: &[Planned]) -> BTreeSet<RelPath> {
    let losers = planned
        .iter()
        .filter_map(Planned::as_step)
        .filter_map(|planned| planned.loser.as_ref());
    losers
        .flat_map(|loser| conflict_paths(loser, ConflictPlace::Inbox))
        .collect()
}

/// What is known of names beside the rows that have them.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// Whether other bytes than these are about to come to a path.
    pub replaced: &'a dyn Fn(&RelPath, &Content) -> bool,
    /// Whether the disk has refused to keep a losing version of what lies there because of a name.
    pub refused: &'a dyn Fn(&RelPath) -> bool,
}

/// Chooses where each losing version is kept: where its bytes lie under one of its names already,
/// else under the best name that is free, in the place that is wanted if there is one. A row is no proof
/// that they still lie there, so the disk is asked to keep them in any case; and what is about to be
/// replaced there is no copy. A conflict copy that loses a conflict itself lies at one of its
/// names too, but that is the place it must leave. Where the disk has refused that because of a name,
/// the best one may be the same to it as another that is taken, so the next best one is tried.
pub fn make_room(
    planned: &mut [Planned],
    rows: &BTreeMap<RelPath, OurRow>,
    wanted: ConflictPlace,
    names: Names<'_>,
) {
    let steps = planned.iter().filter_map(Planned::as_step);
    let changing: BTreeMap<RelPath, Content> = steps
        .map(|step| (step.step.path.clone(), step.step.content.clone()))
        .collect();
    let replaced = |path: &RelPath, lies: &Content| {
        let comes = changing.get(path);
        comes.is_some_and(|comes| !comes.same_bytes(lies)) || (names.replaced)(path, lies)
    };
    for one in planned {
        if let Action::Step(step) = &mut one.action
            && let Some(loser) = &step.loser
        {
            let passed = usize::from((names.refused)(&step.step.path));
            let asked = step.step.keep.take();
            step.step.keep = room(loser, asked, rows, (wanted, passed), &replaced);
        }
    }
}

/// The place for one losing version; the best `passed` ones that are free are passed over.
fn room(
    loser: &Entry,
    asked: Option<RelPath>,
    rows: &BTreeMap<RelPath, OurRow>,
    (wanted, passed): (ConflictPlace, usize),
    replaced: &dyn Fn(&RelPath, &Content) -> bool,
) -> Option<RelPath> {
    let mut free = Vec::new();
    for path in conflict_paths(loser, wanted).filter(|path| *path != loser.path) {
        match rows.get(&path).map(|row| &row.entry.content) {
            None | Some(Content::Absent) => free.push(path),
            Some(content) if content.same_bytes(&loser.content) && !replaced(&path, content) => {
                return Some(path);
            }
            Some(Content::Directory | Content::File { .. } | Content::Symlink { .. }) => {}
        }
    }
    let free = free.into_iter().rev().nth(passed);
    // All names taken by other bytes: somebody has edited every one. The disk refuses to overwrite.
    free.or(asked.filter(|path| *path != loser.path))
}
