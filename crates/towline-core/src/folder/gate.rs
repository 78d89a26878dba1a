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

use towline_wire::entry::Content;

use crate::folder::absence::{Absences, revives};
use crate::folder::brake::{Brakes, harm};
use crate::folder::heed::is_ignored;
use crate::folder::look::Eyes;
use crate::folder::plan::{Action, Planned, Wait};
use crate::folder::quarantine::{Suspicion, is_lost};
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
    /// Whether somebody is looking at what lies at the path.
    pub(crate) eyes: Eyes,
    /// Who is back from a long absence.
    pub(crate) absences: &'a Absences,
    /// What a power cut may have taken.
    pub(crate) suspicion: Suspicion,
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
            .or_else(|| self.by_look(need, action))
            .or_else(|| self.by_brake(need, action))
            .or_else(|| self.by_absence(need, action))
    }

    /// A file that went and is not found elsewhere may have been moved all the same, to where nobody has
    /// looked yet. Before an edit brings it back under its former name, the scan ends. And what a power
    /// cut may have taken is no reason to join a record: nobody knows yet that its bytes lie here. Nor is a
    /// directory that is looked at: if it has gone, that was another one, and the record's is not deleted.
    fn by_look(self, need: &Need, action: &Action) -> Option<Wait> {
        let is_missed = need
            .moved
            .as_ref()
            .is_some_and(|moved| moved.place.is_none());
        let ours = need.ours.as_ref();
        match (action, self.eyes) {
            (Action::Step(_), Eyes::Elsewhere | Eyes::Here) if is_missed => Some(Wait::Look),
            (Action::Adopt { .. }, Eyes::Here)
                if ours.is_some_and(|row| row.entry.content == Content::Directory) =>
            {
                Some(Wait::Look)
            }
            (Action::Adopt { .. }, _) if ours.is_some_and(|row| is_lost(row, self.suspicion)) => {
                Some(Wait::Look)
            }
            (_, Eyes::AtRest | Eyes::Elsewhere | Eyes::Here) => None,
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use towline_wire::entry::{Descent, Entry, UnixNanos, VersionVector};
    use towline_wire::ids::Sequence;

    use super::*;
    use crate::folder::verdict::Rest;
    use crate::records::{Beside, DiskStamp, Doubt, Elsewhere, OurRow};
    use crate::tests::folder::world::{actor, file, path};

    /// A record of ours at `x`, and what is planned where a peer's is to be joined to it.
    fn joining(content: Content) -> (Need, Planned) {
        let mut version = VersionVector::new();
        let author = version.bump(actor(1));
        let stamp = DiskStamp {
            size: 1,
            mtime: UnixNanos(10),
            ctime: UnixNanos(20),
            file_id: 1,
            beside: Beside::Unasked,
        };
        let row = OurRow {
            entry: Entry {
                path: path("x"),
                version,
                author,
                content,
                mtime: stamp.mtime,
                descent: Descent::none(),
            },
            sequence: Sequence(5),
            stamp: Some(stamp),
            reach: Reach::Everyone,
        };
        let need = Need {
            path: path("x"),
            ours: Some(row.clone()),
            theirs: Vec::new(),
            held: BTreeSet::new(),
            elsewhere: Elsewhere::Nowhere,
            moved: None,
        };
        let planned = Planned {
            path: path("x"),
            action: Action::Adopt {
                becomes: row.entry,
                stamp: row.stamp,
                rest: Rest::Settled,
            },
        };
        (need, planned)
    }

    fn admitted((need, planned): &(Need, Planned), eyes: Eyes, suspicion: Suspicion) -> Action {
        let gate = Gate {
            mode: Mode::TwoWay,
            rules: &Rules::default(),
            brakes: &Brakes::default(),
            eyes,
            absences: &Absences::default(),
            suspicion,
        };
        gate.admit(need, planned.clone()).action
    }

    #[test]
    fn a_record_is_joined_to_what_may_be_lost_only_when_that_was_looked_at() {
        let joining = joining(file("x"));
        let admit = |doubt, up_to| {
            let up_to = Sequence(up_to);
            admitted(&joining, Eyes::AtRest, Suspicion { doubt, up_to })
        };
        let cut = Doubt::Since(UnixNanos(15));
        assert_eq!(admit(cut, 5), Action::Wait(Wait::Look));
        assert_eq!(admit(cut, 4), joining.1.action, "read since the start");
        assert_eq!(admit(Doubt::Nothing, 5), joining.1.action, "no cut");
    }

    #[test]
    fn a_record_is_joined_to_a_directory_only_when_nobody_looks_whether_that_has_gone() {
        let suspicion = Suspicion {
            doubt: Doubt::Nothing,
            up_to: Sequence(0),
        };
        for (content, is_directory) in [(Content::Directory, true), (file("x"), false)] {
            let joining = joining(content);
            for eyes in [Eyes::AtRest, Eyes::Elsewhere, Eyes::Here] {
                let waits = admitted(&joining, eyes, suspicion) == Action::Wait(Wait::Look);
                assert_eq!(waits, is_directory && eyes == Eyes::Here, "{eyes:?}");
            }
        }
    }
}
