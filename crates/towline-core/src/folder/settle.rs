//! What the outcome of a step means for our rows.
//!
//! A step that is done makes our row what was planned, unless the row has changed meanwhile; then
//! what lies on disk now counts as a write of our own, which meets the peers' records in the next
//! plan. What was kept becomes a write of our own, also where the copy lay there before: somebody may
//! have deleted it already, not knowing that the bytes now lie nowhere else. A step that was not done
//! changes no row.

use std::collections::BTreeMap;

use towline_wire::entry::{Actor, Descent, Entry};
use towline_wire::rel_path::RelPath;

use crate::folder::conflict::conflict_paths;
use crate::folder::moves::arrived;
use crate::folder::observe::{Draft, edited, with_reach};
use crate::folder::plan::PlannedStep;
use crate::folder::verdict::Rest;
use crate::io::{Found, HeldReason, Outcome};
use crate::records::{Beside, ConflictPlace, Departure, DiskStamp, OurRow, Reach};

/// What has come in since a step was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// A peer's record of the path.
    PeerRow,
    /// A new incarnation of ours: a write that the plan made in our name was never made.
    Incarnation,
}

/// Whether something has gone since a step was planned, which may have been in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    AsBefore,
    Clearer,
}

/// A step that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) planned: PlannedStep,
    pub(crate) outcome: Outcome,
    pub(crate) news: News,
    pub(crate) way: Way,
}

impl Ended {
    /// Whether nothing was changed.
    pub(crate) const fn is_undone(&self) -> bool {
        match self.outcome {
            Outcome::Done { .. } => false,
            Outcome::Stale | Outcome::NoSource | Outcome::NotEmpty | Outcome::Held(_) => true,
        }
    }

    /// Whether the disk let it try, so that an earlier refusal is no longer why it fails. What found other
    /// bytes there, or had none to write, has not come that far.
    pub(crate) const fn was_let(&self) -> bool {
        match self.outcome {
            Outcome::Done { .. } | Outcome::NotEmpty => true,
            Outcome::Stale | Outcome::NoSource | Outcome::Held(_) => false,
        }
    }
}

/// The paths whose rows [`settle`] needs for an outcome: its own, and that of what was kept.
pub(crate) fn settled_paths((path, outcome): &(RelPath, Outcome)) -> impl Iterator<Item = RelPath> {
    let kept = match outcome {
        Outcome::Done { kept, .. } => kept.as_ref().map(|found| found.path.clone()),
        Outcome::Stale | Outcome::NoSource | Outcome::NotEmpty | Outcome::Held(_) => None,
    };
    std::iter::once(path.clone()).chain(kept)
}

/// What a set of outcomes means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Our new rows.
    pub(crate) drafts: Vec<Draft>,
    /// Off the list of needs.
    pub(crate) settled: Vec<RelPath>,
    /// To be planned again.
    pub(crate) unsettled: u64,
    /// Steps that were carried out.
    pub(crate) done: Vec<RelPath>,
    /// Steps to be tried again later.
    pub(crate) failed: Vec<RelPath>,
    /// Steps that end in the same way until something else lies there.
    pub(crate) barred: Vec<RelPath>,
    /// Steps that keep a losing version and have met a name that is taken, perhaps that version's.
    pub(crate) crowded: Vec<RelPath>,
    /// Paths where something else lies than we know.
    pub(crate) unseen: Vec<RelPath>,
    /// What went and was followed.
    pub(crate) departures: Vec<Departure>,
    /// Paths that this disk refuses.
    pub(crate) refused: Vec<(RelPath, HeldReason)>,
}

/// Turns outcomes into rows.
pub(crate) fn settle(ended: Vec<Ended>, rows: &BTreeMap<RelPath, OurRow>, us: Actor) -> Settled {
    let mut settled = Settled::default();
    for Ended {
        planned,
        outcome,
        news,
        way,
    } in ended
    {
        let path = planned.step.path.clone();
        let followed = planned.follows.as_ref();
        settled
            .departures
            .extend(followed.and_then(|departure| arrived(departure, &outcome)));
        match outcome {
            Outcome::Done { stamp, kept } => {
                if let Some(kept) = kept {
                    let kept = with_known_attributes(kept, planned.loser.as_ref());
                    settled.keep(kept, rows, us);
                }
                settled.done.push(path.clone());
                let row = rows.get(&path);
                let changed = row.map(|row| row.sequence) != planned.assumed;
                if changed || news == News::Incarnation {
                    let PlannedStep { becomes, .. } = planned;
                    settled.drafts.push(overtaken(becomes, stamp, row, us));
                    settled.unsettled += 1;
                    continue;
                }
                if planned.rest == Rest::Settled && news == News::None {
                    settled.settled.push(path);
                } else {
                    settled.unsettled += 1;
                }
                settled.drafts.push(Draft {
                    entry: planned.becomes,
                    stamp,
                    reach: planned.reach,
                });
            }
            Outcome::Stale | Outcome::NotEmpty => {
                if let (Outcome::NotEmpty, Some(row)) = (&outcome, rows.get(&path))
                    && row.reach == Reach::Yields
                {
                    // Somebody has put something into it since it was given up.
                    settled.drafts.push(held_again(row));
                    settled.settled.push(path.clone());
                }
                // Perhaps a copy of what we have was moved here: then it has gone from its name.
                let copies = rows
                    .get(&path)
                    .map(|row| conflict_paths(&row.entry, ConflictPlace::Inbox));
                settled.unseen.extend(copies.into_iter().flatten());
                settled.unseen.extend(
                    [Some(path.clone()), planned.step.keep]
                        .into_iter()
                        .flatten(),
                );
                settled.failed.push(path);
            }
            Outcome::NoSource => settled.failed.push(path),
            Outcome::Held(reason) => {
                settled.refused.push((path.clone(), reason));
                let barred = !reason.passes_with_time();
                if reason == HeldReason::Name && planned.step.keep.is_some() {
                    settled.crowded.push(path);
                } else if barred && news == News::None && way == Way::AsBefore {
                    settled.barred.push(path);
                } else {
                    settled.failed.push(path);
                }
            }
        }
    }
    settled
}

impl Settled {
    fn keep(&mut self, kept: Found, rows: &BTreeMap<RelPath, OurRow>, us: Actor) {
        let row = rows.get(&kept.path);
        self.drafts.push(edited(kept, row, us));
    }
}

/// A copy with the attributes of what lost, where the disk has not looked at them.
fn with_known_attributes(kept: Found, loser: Option<&Entry>) -> Found {
    let known = loser.and_then(|loser| loser.content.attributes());
    match (kept.stamp.beside, known) {
        (Beside::Unasked | Beside::Unheld, Some(known)) => Found {
            content: kept.content.with_attributes(known.clone()),
            ..kept
        },
        (Beside::Unasked | Beside::Unheld, None) | (Beside::Shown, _) => kept,
    }
}

/// The row of a path whose row changed while its step ran: what lies there now, as our own write.
fn overtaken(becomes: Entry, stamp: Option<DiskStamp>, row: Option<&OurRow>, us: Actor) -> Draft {
    let mut entry = becomes;
    entry.version = row.map(|row| row.entry.version.clone()).unwrap_or_default();
    entry.author = entry.version.bump(us);
    entry.descent = Descent::none();
    // What was kept from peers is not told because a step met it; the plan sees that it is theirs.
    let reach = row.map_or(Reach::Everyone, |row| match row.reach {
        Reach::Everyone | Reach::Spoiled => Reach::Everyone,
        Reach::Changed => Reach::Changed,
        Reach::Added | Reach::Yields => Reach::Added,
    });
    let draft = Draft {
        entry,
        stamp,
        reach: Reach::Everyone,
    };
    with_reach(draft, reach, row, us)
}

/// A directory that was to go and is in use again: new, and only here.
fn held_again(row: &OurRow) -> Draft {
    Draft {
        entry: row.entry.clone(),
        stamp: row.stamp,
        reach: Reach::Added,
    }
}
