//! The mass change brake: when what one peer's changes would delete or overwrite here waits for a person.
//!
//! Every device whose changes take bytes away here has a budget for a while ([`WINDOW`]). A plan that would
//! go beyond it engages the brake for that device: nothing more that it wrote takes bytes away until a
//! person has said yes, or has undone it; everything else goes on. Before files are changed, and again
//! before any goes, the walk weighs what is to come, so that a mass change waits as a whole where it is
//! known as a whole.
//!
//! A file that was moved is not deleted: its bytes lie under another name that stays. Bytes that lose a
//! conflict are kept and count for nothing. What was spent, and for whom the brake holds, is durable
//! before a step relies on it; a restart gives no second budget.

use std::collections::BTreeMap;
use std::time::Duration;

use towline_wire::entry::{Actor, Content, Entry};
use towline_wire::ids::DeviceId;

use crate::clock::Moment;
use crate::folder::plan::{Phase, PlannedStep};
use crate::folder::verdict::replaces;
use crate::records::{Brake, BrakeRecord, Braking, Elsewhere, Need, OurRow, Reach};
use crate::snapshot::Braked;

/// How long a budget holds: 10 minutes. A mass change by a wrong command or a thief of files takes
/// seconds to minutes; what people do by hand for hours must not add up to one.
const WINDOW: Duration = Duration::from_secs(600);

/// Entries that are no mass change in any folder: 20. In a small folder a share of it is a few files, and
/// somebody who tidies up five of them wants no question on every other device.
const FLOOR: u64 = 20;

/// What a step would take away here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Bytes that lie nowhere else.
    Deletes,
    /// Bytes in whose place others come.
    Overwrites,
    /// A directory or a link, which hold no bytes of their own. Not counted, for nobody can tell whether they
    /// were moved; they wait with what else waits.
    Empties,
}

/// What a step would take away, and who wrote that it shall; `None` for most.
pub(crate) fn harm(need: &Need, planned: &PlannedStep) -> Option<(DeviceId, Harm)> {
    let shall = &planned.step.content;
    if let Some(departure) = &planned.follows {
        let place = need.moved.as_ref().and_then(|moved| moved.place.as_ref());
        let is_kept = place.is_some_and(|place| place.ours.entry.content.same_bytes(shall));
        return (!is_kept).then_some((departure.author.actor.device, Harm::Overwrites));
    }
    let row = need.ours.as_ref()?;
    let is_kept = planned.loser.is_some() || row.reach != Reach::Everyone;
    if is_kept || row.entry.content.same_bytes(shall) {
        return None;
    }
    let harm = match (&row.entry.content, shall) {
        (Content::Absent, _) => return None,
        (Content::Directory | Content::Symlink { .. }, _) => Harm::Empties,
        (Content::File { .. }, Content::Absent) => match need.elsewhere {
            Elsewhere::Stays => return None,
            Elsewhere::Nowhere => Harm::Deletes,
        },
        (
            Content::File { .. },
            Content::Directory | Content::File { .. } | Content::Symlink { .. },
        ) => Harm::Overwrites,
    };
    Some((taker(row, need, &planned.becomes), harm))
}

/// Who wrote that what lies here shall go: the author of what replaces it, which need not be what comes
/// in its place. A write that our row knows of already, perhaps one of our own, takes nothing away: it comes
/// back because somebody took away what it had given way to.
fn taker(row: &OurRow, need: &Need, becomes: &Entry) -> DeviceId {
    let ours = &row.entry;
    let replacing = || {
        need.theirs
            .iter()
            .map(|(_, entry)| entry)
            .filter(|entry| !entry.content.same_bytes(&ours.content) && replaces(entry, ours))
    };
    let comes = replacing().find(|entry| entry.content.same_bytes(&becomes.content));
    let taking = comes.or_else(|| replacing().next()).unwrap_or(becomes);
    let author = taking.author.actor;
    if !ours.version.knows(taking.author) {
        return author.device;
    }
    let mut writes = taking.version.iter();
    let is_news = |(actor, count): &(Actor, u64)| *count > ours.version.counter(*actor);
    writes
        .find(is_news)
        .map_or(author.device, |(actor, _)| actor.device)
}

/// Whether something is to be weighed before a phase. Before files are made nobody can tell what was
/// moved, so what goes is weighed when they are there.
pub(crate) fn is_weighed(harm: Harm, phase: Phase) -> bool {
    match harm {
        Harm::Overwrites => true,
        Harm::Deletes | Harm::Empties => phase >= Phase::Removals,
    }
}

/// What is to come from one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Weight {
    deletes: u64,
    overwrites: u64,
}

impl Weight {
    /// Files whose bytes would go.
    const fn files(self) -> u64 {
        self.deletes + self.overwrites
    }
}

/// Whether a walk has to weigh what is to come before it carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighing {
    /// There is too little to be a mass change, and nothing waits.
    Needless,
    Needed,
}

/// What a person has set, and the files that it is a share of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) brake: Brake,
    pub(crate) files: u64,
}

impl Measure {
    /// How many entries one device may take away in a while; what it took away counts as there.
    fn most(self, carried: u64) -> u64 {
        match self.brake {
            Brake::Off => u64::MAX,
            Brake::At {
                entries_max,
                percent_max,
            } => {
                let files = self.files.saturating_add(carried);
                let share = files.saturating_mul(u64::from(percent_max)) / 100;
                u64::from(entries_max).min(share.max(FLOOR))
            }
        }
    }
}

/// The brake of one folder.
#[derive(Debug, Default)]
pub(crate) struct Brakes {
    records: BTreeMap<DeviceId, BrakeRecord>,
    /// When a budget, or a yes, ends.
    until: BTreeMap<DeviceId, Moment>,
    /// Records that are not durable as they are.
    unsaved: BTreeMap<DeviceId, BrakeRecord>,
    /// What is being weighed, and what was weighed last.
    weighing: BTreeMap<DeviceId, Weight>,
    weighed: BTreeMap<DeviceId, Weight>,
}

impl Brakes {
    pub(crate) fn new(records: BTreeMap<DeviceId, BrakeRecord>) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// Time begins to be counted. How much had passed before a restart is not known: what was spent then
    /// counts for a whole window more, and no longer.
    pub(crate) fn start(&mut self, now: Moment) {
        let devices = self.records.keys().copied();
        self.until = devices.map(|device| (device, now.after(WINDOW))).collect();
    }

    /// Whether a walk has to weigh what it carries out.
    pub(crate) fn weighing(&self, needs: u64, measure: Measure) -> Weighing {
        let spent = self.records.values().map(|record| record.carried).max();
        let most = measure.most(0);
        let is_engaged = |record: &BrakeRecord| record.braking == Braking::Engaged;
        if spent.unwrap_or(0).saturating_add(needs) > most || self.records.values().any(is_engaged)
        {
            Weighing::Needed
        } else {
            Weighing::Needless
        }
    }

    /// What was weighed before, of a walk that was broken off, counts for nothing.
    pub(crate) fn begin_weighing(&mut self) {
        self.weighing.clear();
    }

    /// Weighs something that is to come.
    pub(crate) fn weigh(&mut self, (device, harm): (DeviceId, Harm)) {
        let weight = self.weighing.entry(device).or_default();
        match harm {
            Harm::Deletes => weight.deletes += 1,
            Harm::Overwrites => weight.overwrites += 1,
            Harm::Empties => {}
        }
    }

    /// Everything before this phase is weighed: who would go beyond the budget waits. Before files go it
    /// is known, too, for whom nothing waits any more: there the brake is off, and `true` says so. What holds no bytes
    /// of its own may have waited in a phase that is over.
    pub(crate) fn weighed(&mut self, now: Moment, phase: Phase, measure: Measure) -> bool {
        let weights = std::mem::take(&mut self.weighing);
        for (device, weight) in &weights {
            let record = self.record(now, *device);
            let comes = weight.files();
            let beyond = record.carried.saturating_add(comes) > measure.most(record.carried);
            if record.braking == Braking::Counting && comes > 0 && beyond {
                self.set(*device, Braking::Engaged, record.carried);
            }
        }
        if phase < Phase::Removals {
            return false;
        }
        // Directories that were left when their files had been moved are no mass change.
        let takes_files = |device| weights.get(device).is_some_and(|weight| weight.files() > 0);
        let idle: Vec<(DeviceId, u64)> = self
            .records
            .iter()
            .filter(|(device, record)| record.braking == Braking::Engaged && !takes_files(device))
            .map(|(device, record)| (*device, record.carried))
            .collect();
        let is_off_for_some = !idle.is_empty();
        for (device, carried) in idle {
            // What it took away in this window it has taken.
            self.set(device, Braking::Counting, carried);
        }
        self.weighed = weights;
        is_off_for_some
    }

    /// Whether what a device wrote waits.
    pub(crate) fn holds(&self, device: DeviceId) -> bool {
        self.records
            .get(&device)
            .is_some_and(|record| record.braking == Braking::Engaged)
    }

    /// Takes one entry from a device's budget; `false` when it is used up, and then the brake engages.
    pub(crate) fn spend(
        &mut self,
        now: Moment,
        (device, harm): (DeviceId, Harm),
        measure: Measure,
    ) -> Spent {
        match harm {
            Harm::Empties => return Spent::Nothing,
            Harm::Deletes | Harm::Overwrites => {}
        }
        let record = self.record(now, device);
        match record.braking {
            Braking::Engaged => Spent::Refused,
            Braking::Released => {
                self.until.insert(device, now.after(WINDOW));
                Spent::Nothing
            }
            Braking::Counting if record.carried >= measure.most(record.carried) => {
                self.set(device, Braking::Engaged, record.carried);
                Spent::Refused
            }
            Braking::Counting => {
                self.set(device, Braking::Counting, record.carried + 1);
                Spent::One
            }
        }
    }

    /// A step that had taken from the budget was not carried out.
    pub(crate) fn give_back(&mut self, device: DeviceId) {
        if let Some(record) = self.records.get(&device).copied() {
            self.set(device, record.braking, record.carried.saturating_sub(1));
        }
    }

    /// A person lets what waits go on.
    pub(crate) fn release(&mut self, now: Moment, device: DeviceId) {
        self.until.insert(device, now.after(WINDOW));
        self.set(device, Braking::Released, 0);
    }

    /// Takes what is to be made durable.
    pub(crate) fn take_unsaved(&mut self) -> Vec<(DeviceId, BrakeRecord)> {
        std::mem::take(&mut self.unsaved).into_iter().collect()
    }

    /// What a person has to decide.
    pub(crate) fn braked(&self) -> Vec<Braked> {
        self.records
            .iter()
            .filter(|(_, record)| record.braking == Braking::Engaged)
            .map(|(device, _)| {
                let weight = self.weighed.get(device).copied().unwrap_or_default();
                Braked {
                    peer: *device,
                    deletes: weight.deletes,
                    overwrites: weight.overwrites,
                    revives: 0,
                }
            })
            .collect()
    }

    /// A device's record, begun anew when its time is over.
    fn record(&mut self, now: Moment, device: DeviceId) -> BrakeRecord {
        let until = *self
            .until
            .entry(device)
            .or_insert_with(|| now.after(WINDOW));
        let record = self.records.get(&device).copied().unwrap_or_default();
        if until > now {
            return record;
        }
        match record.braking {
            Braking::Engaged => record,
            Braking::Counting | Braking::Released => {
                self.until.insert(device, now.after(WINDOW));
                self.set(device, Braking::Counting, 0);
                BrakeRecord::default()
            }
        }
    }

    fn set(&mut self, device: DeviceId, braking: Braking, carried: u64) {
        let record = BrakeRecord { braking, carried };
        if self.records.insert(device, record) != Some(record) {
            self.unsaved.insert(device, record);
        }
    }
}

/// What a step has taken from a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// It costs nothing.
    Nothing,
    One,
    /// There is nothing left.
    Refused,
}
