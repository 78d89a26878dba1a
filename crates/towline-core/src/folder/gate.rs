//! The gate: whether what the plan wants at a path may be carried out here now.
//!
//! The plan says what would make all replicas equal. Whether this device may do it now is another
//! question, with answers of its own: what a person has set, and what the folder has learned. Each
//! reason to wait is one function here, from a need and what is planned there to a [`Wait`]; the first
//! one that speaks counts. What waits stays on the list of needs and changes nothing on disk, and
//! everything else goes on.
//!
//! What is ignored here does not wait: there is nothing to do at such a path until other rules hold.
//!
//! The gate is asked once for each planned path, before the walk chooses what to carry out. Directories
//! that come back because something below them does are not asked for again: they stand or fall with
//! what they are made for.

use crate::folder::absence::{Absences, revives};
use crate::folder::brake::{Brakes, harm};
use crate::folder::heed::is_ignored;
use crate::folder::plan::{Action, Planned, Wait};
use crate::folder::rules::Rules;
use crate::records::{Mode, Need, Reach};

/// What the gate goes by. Made anew for each page of needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate<'a> {
    /// Which way changes of the folder go.
    pub(crate) mode: Mode,
    /// What is ignored.
    pub(crate) rules: &'a Rules,
    /// Whose mass changes wait.
    pub(crate) brakes: &'a Brakes,
    /// Who is back from a long absence.
    pub(crate) absences: &'a Absences,
}

impl Gate<'_> {
    /// Lets a plan through, has its path wait, or settles it.
    pub(crate) fn admit(&self, need: &Need, planned: Planned) -> Planned {
        debug_assert_eq!(need.path, planned.path, "a plan for another need");
        if is_ignored(self.rules, need) {
            return Planned {
                action: Action::Settled,
                ..planned
            };
        }
        match self.reason(need, &planned.action) {
            Some(wait) => Planned {
                action: Action::Wait(wait),
                ..planned
            },
            None => planned,
        }
    }

    fn reason(self, need: &Need, action: &Action) -> Option<Wait> {
        self.by_mode(need, action)
            .or_else(|| self.by_brake(need, action))
            .or_else(|| self.by_absence(need, action))
    }

    /// A send-only folder changes nothing on this disk for a peer. What lies here already is joined
    /// all the same, so that equal bytes are no difference; and where its disk has lost something it
    /// has nothing to keep.
    fn by_mode(self, need: &Need, action: &Action) -> Option<Wait> {
        match (self.mode, action) {
            (Mode::SendOnly, Action::Step(_)) => {
                let ours = need.ours.as_ref();
                let is_lost = ours.is_some_and(|row| row.reach == Reach::Spoiled);
                (!is_lost).then_some(Wait::SendOnly)
            }
            (Mode::SendOnly | Mode::TwoWay | Mode::ReceiveOnly, _) => None,
        }
    }

    /// What belongs to a mass change that waits for a person waits with it.
    fn by_brake(self, need: &Need, action: &Action) -> Option<Wait> {
        let Action::Step(step) = action else {
            return None;
        };
        let (device, _) = harm(need, step)?;
        self.brakes.holds(device).then_some(Wait::Brake)
    }

    /// What was deleted here does not come back by a device that was away for long.
    fn by_absence(self, need: &Need, action: &Action) -> Option<Wait> {
        let Action::Step(step) = action else {
            return None;
        };
        let device = revives(need, step)?;
        self.absences.holds(device).then_some(Wait::Absence)
    }
}
