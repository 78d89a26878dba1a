//! The jobs of a folder, one at a time: each loads the rows that it concerns, decides, and makes the decision
//! durable before the next one begins.
//!
//! Outcomes of steps come first, then pages of scans and of peers and what people have decided, then pages of
//! needs. What each job decides is in `decide`, `settle`, `quarantine` and `sweep`.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Actor, Content, Entry};
use towline_wire::ids::{DeviceId, Incarnation, Sequence};
use towline_wire::limits::INDEX_PAGE_ENTRIES_MAX;
use towline_wire::peer::IndexPage;
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::Folder;
use crate::folder::brake::Measure;
use crate::folder::look::{Awaited, Breadth, Next, Root};
use crate::folder::observe::{Departures, Sighting};
use crate::folder::plan::Planned;
use crate::folder::quarantine::Company;
use crate::folder::rules::RulesMark;
use crate::folder::settle::settled_paths;
use crate::folder::sweep::Sweep;
use crate::folder::walk::{Ask, NEEDS_PAGE};
use crate::io::{
    BatchId, DiskRequest, IndexOf, NeedsOf, Outcome, Output, PageEnd, ScanId, ScanScope,
    StoreRequest,
};
use crate::outbox::Outbox;
use crate::records::{AttributeKeeping, Doubt, Mode, Need, OurRow, StoreOp};

/// A decision to be made.
#[derive(Debug)]
pub(super) enum Job {
    Observe(ScanId, Sighting, Departures),
    TakePage(DeviceId, IndexPage),
    Forget(DeviceId),
    /// Our rows after a position that a rollback makes doubtful: they become writes of the present
    /// actor. See [`Folder::is_doubtful`].
    Disown(Actor, Sequence),
    /// Other rules hold: the list of needs is made anew.
    RenewNeeds(RulesMark),
    /// What a person has said of the brake is made durable.
    KeepBrakes,
    /// All that a power cut had put in doubt was looked at.
    EndDoubt,
    /// What a person has decided for many paths, from after this path on.
    Sweep(Sweep, Option<RelPath>),
}

/// What the decision under way waits for.
#[derive(Debug)]
pub(super) enum Work {
    Idle,
    ExpectRows(Vec<RelPath>, Question),
    ExpectNeeds,
    ExpectOurIndex(Actor),
    ExpectSwept(Sweep),
    ExpectPersisted(BatchId, Conclusion),
}

/// What is decided when rows are there.
#[derive(Debug)]
pub(super) enum Question {
    Observe(ScanId, Sighting, Departures),
    Settle(Vec<(RelPath, Outcome)>),
    Ground(Actor, Vec<Planned>),
    MakeRoom(Actor, Vec<Planned>),
    Sweep(Sweep, Vec<Need>),
    Disown,
}

/// What follows when a decision is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conclusion {
    Observed(ScanId),
    PageTaken(DeviceId, Incarnation, Sequence),
    /// The steps that were paid for leave.
    Paid,
    Other,
}
/// Outcomes that become rows in one batch: 1024. A batch costs one sync of the store.
const OUTCOMES_PER_BATCH: usize = 1024;

impl Folder {
    /// Does all that can be done now.
    pub(super) fn advance(&mut self, now: Moment, outbox: &mut Outbox) {
        self.begin_scan(outbox);
        while let Work::Idle = self.work {
            if !self.begin_job(now, outbox) {
                break;
            }
        }
        self.begin_scan(outbox);
        if !self.is_disowning() {
            self.exchange.advance(outbox);
        }
    }

    /// Begins the next scan, but not while a decision is on its way into the store: it may hold rows of
    /// steps that have ended. Where somebody has taken away since what a step had made, the scan would
    /// meet neither a row nor anything on the disk, and the row would stay.
    fn begin_scan(&mut self, outbox: &mut Outbox) {
        match self.work {
            Work::ExpectPersisted(..) => {}
            Work::Idle
            | Work::ExpectRows(..)
            | Work::ExpectNeeds
            | Work::ExpectSwept(_)
            | Work::ExpectOurIndex(_) => {
                let under_way = |scope: &ScanScope| self.walk.under_way_in(scope);
                let rows = (self.last_sequence, self.doubt);
                self.look.start(&under_way, rows, outbox);
            }
        }
    }

    /// Whether rows are about to be renamed that nobody must be told under their present name.
    fn is_disowning(&self) -> bool {
        let waits = self.jobs.iter().any(|job| matches!(job, Job::Disown(_, _)));
        let works = matches!(
            self.work,
            Work::ExpectOurIndex(_) | Work::ExpectRows(_, Question::Disown)
        );
        waits || works
    }

    /// Outcomes that can become rows now, what holds others before what it holds: a peer that heard of a file
    /// before its directory would make the directory itself, and what lay there would lose a conflict.
    fn take_outcomes(&mut self) -> Vec<(RelPath, Outcome)> {
        let mut all: Vec<_> = self.outcomes.drain(..).collect();
        all.sort_by(|(left, _), (right, _)| left.cmp(right));
        let ended: BTreeSet<&RelPath> = all.iter().map(|(path, _)| path).collect();
        let is_awaited = |above: &RelPath| self.walk.is_under_way(above) && !ended.contains(above);
        let waits: Vec<bool> = all
            .iter()
            .map(|(path, _)| {
                let mut above = std::iter::successors(path.parent(), RelPath::parent);
                above.any(|above| is_awaited(&above))
            })
            .collect();
        let mut ready = Vec::new();
        for (outcome, waits) in all.into_iter().zip(waits) {
            if waits || ready.len() == OUTCOMES_PER_BATCH {
                self.outcomes.push_back(outcome);
            } else {
                ready.push(outcome);
            }
        }
        ready
    }

    /// Begins the next job; `false` when there is none.
    fn begin_job(&mut self, now: Moment, outbox: &mut Outbox) -> bool {
        let outcomes = self.take_outcomes();
        if !outcomes.is_empty() {
            let paths = outcomes.iter().flat_map(settled_paths).collect();
            self.ask_rows(paths, Question::Settle(outcomes), outbox);
            return true;
        }
        match self.jobs.pop_front() {
            Some(Job::Observe(scan, sighting, departures)) => {
                if sighting.is_empty() {
                    self.conclude(now, Conclusion::Observed(scan), outbox);
                } else {
                    let paths = sighting.paths();
                    self.ask_rows(paths, Question::Observe(scan, sighting, departures), outbox);
                }
                true
            }
            Some(Job::TakePage(peer, page)) => {
                self.take_page(now, peer, page, outbox);
                true
            }
            Some(Job::Forget(peer)) => {
                self.have.remove(&peer);
                self.walk.want();
                let forget = StoreOp::ForgetPeerRows {
                    folder: self.record.id,
                    device: peer,
                };
                self.persist(now, vec![forget], Vec::new(), Conclusion::Other, outbox);
                true
            }
            Some(Job::RenewNeeds(under)) => {
                self.walk.want();
                let renew = StoreOp::RenewNeeds {
                    folder: self.record.id,
                    under,
                };
                self.persist(now, vec![renew], Vec::new(), Conclusion::Other, outbox);
                true
            }
            Some(Job::Disown(former, after)) => {
                outbox.store(StoreRequest::LoadIndex {
                    folder: self.record.id,
                    peer: self.us.device,
                    of: IndexOf::Told,
                    after,
                    limit: INDEX_PAGE_ENTRIES_MAX,
                });
                self.work = Work::ExpectOurIndex(former);
                true
            }
            Some(Job::EndDoubt) => {
                let end = StoreOp::PutDoubt {
                    folder: self.record.id,
                    doubt: self.doubt,
                };
                self.persist(now, vec![end], Vec::new(), Conclusion::Other, outbox);
                true
            }
            Some(Job::KeepBrakes) => {
                let operations = self.put_brakes().into_iter().collect();
                self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
                true
            }
            Some(Job::Sweep(Sweep::Tell, None)) if self.totals.local_changes == 0 => true,
            // Where no peer has ever told anything there is nothing to go back to.
            Some(Job::Sweep(Sweep::Revert, _)) if self.have.is_empty() => true,
            Some(Job::Sweep(sweep, after)) => {
                outbox.store(StoreRequest::LoadNeeds {
                    folder: self.record.id,
                    of: sweep.over(),
                    after,
                    limit: NEEDS_PAGE,
                });
                self.work = Work::ExpectSwept(sweep);
                true
            }
            None => self.begin_plan(outbox),
        }
    }

    /// Who is there to have what this device has lost. A folder that only receives takes what peers have, and
    /// decides nothing for them where they have nothing.
    pub(super) fn company(&self, need: &Need) -> Company {
        let mut theirs = need.theirs.iter();
        let have_something = theirs.any(|(_, entry)| entry.content != Content::Absent);
        match self.record.settings.mode {
            Mode::TwoWay | Mode::SendOnly => self.attendance(),
            Mode::ReceiveOnly if have_something => self.attendance(),
            Mode::ReceiveOnly => Company::SomeAway,
        }
    }

    /// Whether everybody is there who has ever told anything of the folder.
    pub(super) fn attendance(&self) -> Company {
        let mut known = self.have.keys();
        if known.all(|peer| self.connected.contains(peer)) {
            Company::All
        } else {
            Company::SomeAway
        }
    }

    /// What the brake measures by.
    pub(super) const fn measure(&self) -> Measure {
        Measure {
            brake: self.record.settings.brake,
            files: self.totals.files,
        }
    }

    /// Goes on with the walk over the needs, once everything that lies here has been seen.
    /// For whom is planned.
    pub(super) const fn planner(&self) -> (Actor, AttributeKeeping) {
        (self.us, self.record.settings.attributes)
    }

    fn begin_plan(&mut self, outbox: &mut Outbox) -> bool {
        if self.look.root() != Root::Seen {
            return false;
        }
        let weighing = self.brakes.weighing(self.totals.needs, self.measure());
        match self.walk.next(weighing) {
            Ask::Nothing => {
                if self.walk.is_idle() {
                    let walk = &self.walk;
                    self.look.keep_refused(&|path| walk.is_pending(path));
                }
                false
            }
            Ask::Page(of, after) => {
                match (of, &after) {
                    (NeedsOf::Ours, None) => self.brakes.begin_weighing(),
                    (NeedsOf::Everything, None) => self.absences.begin_counting(),
                    (_, _) => {}
                }
                let folder = self.record.id;
                outbox.store(StoreRequest::LoadNeeds {
                    folder,
                    of,
                    after,
                    limit: NEEDS_PAGE,
                });
                self.work = Work::ExpectNeeds;
                true
            }
            Ask::Carry(steps) => {
                self.carry(steps, outbox);
                true
            }
        }
    }

    pub(super) fn ask_rows(
        &mut self,
        paths: Vec<RelPath>,
        question: Question,
        outbox: &mut Outbox,
    ) {
        outbox.store(StoreRequest::LoadRows(self.record.id, paths.clone()));
        self.work = Work::ExpectRows(paths, question);
    }

    pub(super) fn handle_rows(
        &mut self,
        now: Moment,
        rows: Vec<Option<OurRow>>,
        outbox: &mut Outbox,
    ) {
        let (paths, question) = match std::mem::replace(&mut self.work, Work::Idle) {
            Work::ExpectRows(paths, question) => (paths, question),
            other @ (Work::Idle
            | Work::ExpectNeeds
            | Work::ExpectSwept(_)
            | Work::ExpectOurIndex(_)
            | Work::ExpectPersisted(..)) => {
                debug_assert!(false, "rows that nobody asked for");
                self.work = other;
                return;
            }
        };
        let rows: BTreeMap<RelPath, OurRow> = paths
            .into_iter()
            .zip(rows)
            .filter_map(|(path, row)| Some((path, row?)))
            .collect();
        self.decide(now, question, &rows, outbox);
    }

    pub(super) fn handle_our_index(
        &mut self,
        rows: &[(Sequence, Entry)],
        end: PageEnd,
        outbox: &mut Outbox,
    ) {
        let Work::ExpectOurIndex(former) = self.work else {
            debug_assert!(false, "an index that nobody asked for");
            return;
        };
        self.work = Work::Idle;
        if let (PageEnd::More, Some((last, _))) = (end, rows.last()) {
            self.jobs.push_front(Job::Disown(former, *last));
        }
        let paths: Vec<RelPath> = rows
            .iter()
            .filter(|(sequence, entry)| self.is_doubtful(former, *sequence, entry))
            .map(|(_, entry)| entry.path.clone())
            .collect();
        if !paths.is_empty() {
            self.ask_rows(paths, Question::Disown, outbox);
        }
    }

    /// Whether a row of a rolled-back store cannot be relied on: its counter may name another write
    /// that the store has forgotten, or it tells of a directory, which may have gone and been made
    /// again since without a mark by which it could be told. What lies there comes back anew, so
    /// that no delete of before takes it.
    fn is_doubtful(&self, former: Actor, sequence: Sequence, entry: &Entry) -> bool {
        let is_written_since = entry.author.actor == former && sequence > self.first_sequence;
        let is_told_anew = entry.author.actor == self.us;
        is_written_since || (entry.content == Content::Directory && !is_told_anew)
    }

    pub(super) fn handle_persisted(&mut self, now: Moment, batch: BatchId, outbox: &mut Outbox) {
        if let Work::ExpectPersisted(awaited, conclusion) = self.work
            && awaited == batch
        {
            self.work = Work::Idle;
            self.exchange.durable_up_to(self.last_sequence);
            self.note_age(outbox);
            self.conclude(now, conclusion, outbox);
        }
    }

    /// Has the root remember how far the index has come, now that it is durable.
    fn note_age(&mut self, outbox: &mut Outbox) {
        let age = Some(self.age()).filter(|age| age.sequence > Sequence::default());
        if let (Some(age), Root::Unseen | Root::Seen) = (age, self.look.root())
            && self.noted != Some(age)
        {
            self.noted = Some(age);
            outbox.disk(self.record.id, DiskRequest::NoteAge(age));
        }
    }

    /// Makes a decision durable; one that changes nothing is concluded at once.
    pub(super) fn persist(
        &mut self,
        now: Moment,
        operations: Vec<StoreOp>,
        then: Vec<Output>,
        conclusion: Conclusion,
        outbox: &mut Outbox,
    ) {
        if operations.is_empty() {
            self.conclude(now, conclusion, outbox);
        } else {
            self.work = Work::ExpectPersisted(outbox.persist(operations, then), conclusion);
        }
    }

    fn conclude(&mut self, now: Moment, conclusion: Conclusion, outbox: &mut Outbox) {
        match conclusion {
            Conclusion::Observed(scan) if self.look.is_running(scan) => {
                match self.look.judged(now, outbox) {
                    Next::Wait => {}
                    Next::Judge(departed) => {
                        self.jobs
                            .push_back(Job::Observe(scan, departed, Departures::Now));
                    }
                    Next::Ended(breadth) => {
                        match breadth {
                            Breadth::Whole => {
                                self.walk.unshelve();
                                if self.doubt != Doubt::Nothing && self.look.has_judged_all() {
                                    self.doubt = Doubt::Nothing;
                                    self.jobs.push_back(Job::EndDoubt);
                                }
                            }
                            Breadth::Part => {}
                        }
                        if self.look.take_awaited() == Awaited::Yes {
                            self.walk.want();
                        }
                    }
                }
            }
            Conclusion::Observed(_) | Conclusion::Other => {}
            Conclusion::Paid => {
                let steps = std::mem::take(&mut self.paid);
                if self.look.root() == Root::Seen {
                    self.carry(steps, outbox);
                } else {
                    self.walk.interrupt();
                }
            }
            Conclusion::PageTaken(peer, incarnation, up_to) => {
                self.quarantine.heard(now);
                self.have.insert(peer, (incarnation, up_to));
                self.walk.want();
            }
        }
    }
}
