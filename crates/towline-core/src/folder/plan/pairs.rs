//! Files that only change their names: a removal and the making of the same file, done as one.
//!
//! Removals come last, so a renamed file would be copied, hashed and written before the old one goes.
//! Where a page holds both, and nothing but the name differs, the disk may move the file. Whatever is
//! not quite so simple stays two steps: a place that is taken (swaps, chains), bytes that are kept as a
//! conflict copy, another time, executable bit or attribute, changes that are only here.
//!
//! A copy is hashed and a moved file is not: it is taken for what its row says. So nothing is moved while
//! a power cut has put rows in doubt. What people here have moved is another matter (`folder::moves`).

use std::collections::BTreeSet;

use towline_wire::entry::Content;
use towline_wire::rel_path::RelPath;

use crate::folder::plan::{Phase, PlannedStep};
use crate::folder::verdict::Rest;
use crate::io::Expected;
use crate::records::{Need, OurRow, Reach};

/// A file that may leave its name for another one.
#[derive(Debug)]
pub(crate) struct Leaving {
    row: OurRow,
    /// The step by which it goes.
    pub(crate) removal: PlannedStep,
}

/// The removal of `planned` if what goes there may lie under another name instead.
pub(crate) fn leaving(need: &Need, planned: &PlannedStep) -> Option<Leaving> {
    let row = need.ours.as_ref()?;
    let is_file = matches!(row.entry.content, Content::File { .. });
    let is_plain = planned.phase() == Phase::Removals
        && matches!(planned.step.expected, Expected::Stamped(_))
        && row.reach == Reach::Everyone
        && is_simple(planned);
    (is_file && is_plain).then(|| Leaving {
        row: row.clone(),
        removal: planned.clone(),
    })
}

/// Gives each step that makes a file the removal of the same file, each removal once. Steps and
/// removals are in the order of their paths.
pub(crate) fn pair<'a>(
    steps: impl Iterator<Item = &'a mut PlannedStep>,
    mut leaving: Vec<Leaving>,
) {
    for step in steps {
        let is_new = matches!(step.step.content, Content::File { .. })
            && step.step.expected == Expected::Nothing
            && is_simple(step);
        if !is_new {
            continue;
        }
        let same = leaving.iter().position(|Leaving { row, .. }| {
            row.entry.content == step.step.content && row.entry.mtime == step.step.mtime
        });
        if let Some(at) = same {
            step.moves = Some(Box::new(leaving.remove(at).removal));
        }
    }
}

/// Whether a step keeps nothing, is told to everybody, and leaves nothing to be done. What lies in the
/// conflict inbox is moved by people only.
fn is_simple(planned: &PlannedStep) -> bool {
    planned.step.keep.is_none()
        && planned.loser.is_none()
        && planned.reach == Reach::Everyone
        && planned.rest == Rest::Settled
        && !planned.step.path.is_in_inbox()
}

/// The steps for the disk, each removal after the step that it is done with. Where another step of
/// the set keeps bytes, nothing is moved away: they may lie there already. Nor where another one makes a
/// directory that something needs: of two steps at one path only one outcome would be known, and what
/// the other has kept would lie there untold.
pub(crate) fn with_removals(mut steps: Vec<PlannedStep>) -> Vec<PlannedStep> {
    let taken: BTreeSet<RelPath> = steps
        .iter()
        .flat_map(|planned| [Some(planned.step.path.clone()), planned.step.keep.clone()])
        .flatten()
        .collect();
    let mut all = Vec::with_capacity(steps.len());
    for mut planned in steps.drain(..) {
        let removal = planned
            .moves
            .take()
            .filter(|removal| !taken.contains(&removal.step.path));
        planned.step.moved_from = removal.as_ref().map(|removal| removal.step.path.clone());
        all.push(planned);
        all.extend(removal.map(|removal| *removal));
    }
    all
}
