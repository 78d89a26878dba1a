//! One shared folder: what must happen so that all replicas agree and no byte is lost.
//!
//! The folder decides one thing at a time. Each job loads the rows it concerns, decides, makes the
//! decision durable, and only then the next job begins, so every decision stands on rows that were
//! read after the last one was made. Jobs: outcomes of steps, pages of scans, peers' index pages, and
//! pages of needs, in this order. Scans, steps and the index on its way out run beside the jobs and
//! come back as jobs. Nothing that grows with the folder is held in memory.
//!
//! `look` knows the root and the scans, `observe` what they mean, `exchange` the index pages out and
//! in, [`verdict`] who wins, [`plan`] what is to be done, `gate` and `brake` what of it may be done now, `walk` when,
//! `settle` what came of it, `moves` what follows a moved file, `sweep` what a person decides for many paths,
//! `quarantine` what a power cut has taken, [`rules`] and `heed` what is ignored, and `decide` makes the
//! decisions. `summary` is what people see. This file holds the jobs. Never here: bytes, files, tasks, text
//! for people.

mod absence;
mod brake;
pub mod conflict;
mod decide;
mod exchange;
mod gate;
mod heed;
mod look;
mod moves;
mod observe;
pub mod plan;
pub(crate) mod quarantine;
pub mod rules;
mod settle;
mod summary;
mod sweep;
pub mod verdict;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use towline_wire::entry::{Actor, Content, Entry};
use towline_wire::ids::{DeviceId, Incarnation, Sequence};
use towline_wire::limits::{INDEX_PAGE_ENTRIES_MAX, INDEX_PAGES_IN_FLIGHT_MAX};
use towline_wire::peer::IndexPage;
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::absence::Absences;
use crate::folder::brake::{Brakes, Measure};
use crate::folder::exchange::Exchange;
use crate::folder::look::{Awaited, Breadth, Look, Next, PageOf, Root};
use crate::folder::observe::{Departures, Gone, Sighting};
use crate::folder::plan::{Planned, PlannedStep};
use crate::folder::quarantine::{Company, Quarantine};
use crate::folder::rules::{RuleSet, Rules, RulesMark};
use crate::folder::settle::settled_paths;
use crate::folder::sweep::Sweep;
use crate::folder::walk::{Ask, NEEDS_PAGE, Walk};
use crate::io::{
    Age, ApplyId, BatchId, DiskEvent, DiskRequest, IndexOf, NeedsOf, Outcome, Output, PageEnd,
    ScanId, ScanScope, StoreRequest,
};
use crate::outbox::Outbox;
use crate::records::{
    Activity, AttributeKeeping, Doubt, FolderRecord, FolderSettings, Mode, Need, OurRow,
    RestoredFolder, StoreOp, Totals,
};

/// What happens to one folder. The device routes these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderInput {
    /// The device has started, or the folder was just made: open the root.
    Start,
    /// A person wants the folder looked through now.
    Rescan,
    /// A person has set something else for the folder; it is durable or about to be.
    Configured(FolderSettings),
    /// What lies here is what all peers shall have.
    Override,
    /// What was changed only here is undone.
    Revert,
    /// A device's mass change goes on.
    Release(DeviceId),
    /// A device's mass change is undone.
    Undo(DeviceId),
    /// The disk.
    Disk(DiskEvent),
    /// The store: our rows at the asked paths.
    Rows(Vec<Option<OurRow>>),
    /// The store: a page of needs.
    Needs(Vec<Need>, PageEnd),
    /// The store: a page of our index for a peer.
    Index(DeviceId, Vec<(Sequence, Entry)>, PageEnd),
    /// The store: one of this folder's batches is durable.
    Persisted(BatchId),
    /// A connected peer takes part, and has our index this far.
    PeerJoined(DeviceId, Option<(Incarnation, Sequence)>),
    /// A peer no longer takes part, or is away.
    PeerLeft(DeviceId),
    /// The folder is no longer shared with a peer: its rows are forgotten.
    PeerRemoved(DeviceId),
    /// A connected peer's index page.
    PageReceived(DeviceId, IndexPage),
    /// A connected peer has made our page durable.
    PageAcked(DeviceId, Incarnation, Sequence),
    /// The device began a new incarnation: tell everything anew under it.
    NewIncarnation(Actor),
    /// The same, because the store was rolled back: what it has written since may bear counters
    /// that name other writes elsewhere.
    RolledBack(Actor),
}

/// How far we have each peer's index, kept durable by `PutPeerRows`.
pub type HaveByPeer = BTreeMap<DeviceId, (Incarnation, Sequence)>;

/// Outcomes that become rows in one batch: 1024. A batch costs one sync of the store.
const OUTCOMES_PER_BATCH: usize = 1024;

/// One folder's machine.
#[derive(Debug)]
pub struct Folder {
    record: FolderRecord,
    us: Actor,
    /// The highest sequence among our rows when the folder began to live.
    first_sequence: Sequence,
    last_sequence: Sequence,
    totals: Totals,
    have: HaveByPeer,
    connected: BTreeSet<DeviceId>,
    /// Peers whose pages from before a pause may still arrive, and are passed over.
    resuming: BTreeSet<DeviceId>,
    work: Work,
    /// Jobs that wait. Bounded: the pages by which the disk may be ahead, [`INDEX_PAGES_IN_FLIGHT_MAX`]
    /// per peer, and what people do to peers.
    jobs: VecDeque<Job>,
    /// Outcomes that wait; at most as many as steps are under way.
    outcomes: VecDeque<(RelPath, Outcome)>,
    look: Look,
    gone: Gone,
    walk: Walk,
    brakes: Brakes,
    absences: Absences,
    /// Steps that leave when what they take away is counted for good.
    paid: Vec<PlannedStep>,
    exchange: Exchange,
    /// Which of our rows a power cut has put in doubt, until all of the root was looked through.
    doubt: Doubt,
    quarantine: Quarantine,
    /// What the root remembers of the store's age, as far as we know.
    noted: Option<Age>,
    rules: Rules,
    /// What the disk was told of them.
    heeded: Rules,
    /// The rules under which the list of needs was made, or is about to be.
    needs_under: RulesMark,
    applied: u64,
}

/// A decision to be made.
#[derive(Debug)]
enum Job {
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
enum Work {
    Idle,
    ExpectRows(Vec<RelPath>, Question),
    ExpectNeeds,
    ExpectOurIndex(Actor),
    ExpectSwept(Sweep),
    ExpectPersisted(BatchId, Conclusion),
}

/// What is decided when rows are there.
#[derive(Debug)]
enum Question {
    Observe(ScanId, Sighting, Departures),
    Settle(Vec<(RelPath, Outcome)>),
    Ground(Actor, Vec<Planned>),
    MakeRoom(Actor, Vec<Planned>),
    Disown,
}

/// What follows when a decision is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conclusion {
    Observed(ScanId),
    PageTaken(DeviceId, Incarnation, Sequence),
    /// The steps that were paid for leave.
    Paid,
    Other,
}

impl Folder {
    /// A folder as the store knows it. Nothing happens before [`FolderInput::Start`].
    pub fn new(restored: RestoredFolder, us: Actor) -> Self {
        let RestoredFolder {
            record,
            last_sequence,
            have,
            needs_under,
            totals,
            brakes,
            doubt,
            contacts,
        } = restored;
        let id = record.id;
        let rules = Rules {
            shared: RuleSet::default(),
            local: RuleSet::parse(&record.settings.local_rules),
        };
        Self {
            record,
            rules,
            heeded: Rules::default(),
            needs_under,
            us,
            first_sequence: last_sequence,
            last_sequence,
            totals,
            have,
            connected: BTreeSet::new(),
            resuming: BTreeSet::new(),
            work: Work::Idle,
            jobs: VecDeque::new(),
            outcomes: VecDeque::new(),
            look: Look::new(id),
            gone: Gone::default(),
            walk: Walk::new(),
            brakes: Brakes::new(brakes),
            absences: Absences::new(contacts),
            paid: Vec::new(),
            exchange: Exchange::new(id),
            doubt,
            quarantine: Quarantine::new(),
            noted: None,
            applied: 0,
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Moment, input: FolderInput, outbox: &mut Outbox) {
        match input {
            FolderInput::Start => {
                self.quarantine.heard(now);
                self.absences.start(now);
                self.tell_what_was_kept();
                match self.record.settings.activity {
                    Activity::Running => self.open(outbox),
                    Activity::Paused => self.look.close(),
                }
            }
            FolderInput::Rescan => self.look.want_all(),
            FolderInput::Configured(settings) => self.configured(settings, outbox),
            FolderInput::Override => self.jobs.push_back(Job::Sweep(Sweep::Override, None)),
            FolderInput::Release(device) => {
                self.brakes.release(now, device);
                self.jobs.push_back(Job::KeepBrakes);
                self.absences.release(now, device);
                self.keep_contacts(outbox);
                self.walk.release_all();
            }
            FolderInput::Undo(device) => {
                if self.brakes.holds(device) {
                    self.jobs.push_back(Job::Sweep(Sweep::Undo(device), None));
                }
                if self.absences.holds(device) {
                    self.jobs.push_back(Job::Sweep(Sweep::Bury(device), None));
                }
            }
            FolderInput::Revert => self.jobs.push_back(Job::Sweep(Sweep::Revert, None)),
            FolderInput::Disk(event) => self.handle_disk(event, outbox),
            FolderInput::Rows(rows) => self.handle_rows(now, rows, outbox),
            FolderInput::Needs(needs, end) => self.handle_needs(now, needs, end, outbox),
            FolderInput::Index(peer, rows, end) if peer == self.us.device => {
                self.handle_our_index(&rows, end, outbox);
            }
            FolderInput::Index(peer, rows, end) => {
                self.exchange
                    .loaded(peer, self.us.incarnation, rows, end, outbox);
            }
            FolderInput::Persisted(batch) => self.handle_persisted(now, batch, outbox),
            FolderInput::PeerJoined(peer, have) => {
                self.quarantine.heard(now);
                self.peer_joined(now, (peer, have), outbox);
            }
            FolderInput::PeerLeft(peer) => {
                self.quarantine.heard(now);
                self.resuming.remove(&peer);
                self.peer_left(peer);
            }
            FolderInput::PeerRemoved(peer) => {
                self.peer_left(peer);
                self.absences.forget(peer);
                self.jobs.push_back(Job::Forget(peer));
            }
            FolderInput::PageReceived(peer, page) => self.page_received(peer, page, outbox),
            FolderInput::PageAcked(peer, incarnation, up_to) => {
                if incarnation == self.us.incarnation {
                    self.exchange.acked(peer, up_to);
                }
            }
            FolderInput::NewIncarnation(actor) => self.begin_incarnation(actor),
            FolderInput::RolledBack(actor) => {
                self.jobs
                    .push_front(Job::Disown(self.us, Sequence::default()));
                self.begin_incarnation(actor);
            }
        }
        self.advance(now, outbox);
    }

    fn configured(&mut self, settings: FolderSettings, outbox: &mut Outbox) {
        let before = std::mem::replace(&mut self.record.settings, settings);
        match (before.activity, self.record.settings.activity) {
            (Activity::Running, Activity::Paused) => self.pause(outbox),
            (Activity::Paused, Activity::Running) => {
                self.look.reopen();
                self.open(outbox);
            }
            (Activity::Running, Activity::Running) | (Activity::Paused, Activity::Paused) => {}
        }
        if before.mode != self.record.settings.mode {
            self.tell_what_was_kept();
        }
        // What waited for the former settings may go on, and the other way round.
        self.walk.release_all();
        self.attributes_chosen(before.attributes, outbox);
        self.local_rules(outbox);
    }

    /// A folder that does not only receive keeps nothing from its peers.
    fn tell_what_was_kept(&mut self) {
        match self.record.settings.mode {
            Mode::ReceiveOnly => {}
            Mode::TwoWay | Mode::SendOnly => {
                self.jobs.push_back(Job::Sweep(Sweep::Tell, None));
            }
        }
    }

    fn open(&self, outbox: &mut Outbox) {
        outbox.disk(self.record.id, DiskRequest::Open(self.record.root.clone()));
    }

    /// Stops where it is, as if the device had ended for this folder alone: what is under way on the
    /// disk is given up, and what of it was done all the same is found when the folder goes on.
    fn pause(&mut self, outbox: &mut Outbox) {
        let connected = self.connected.clone();
        for peer in connected {
            self.peer_left(peer);
            self.resuming.insert(peer);
        }
        self.look.close();
        self.walk.abandon();
        self.outcomes.clear();
        outbox.disk(self.record.id, DiskRequest::Close);
    }

    fn begin_incarnation(&mut self, actor: Actor) {
        self.walk.note_incarnation(self.us);
        self.us = actor;
        self.exchange.begin_anew();
    }

    /// Takes the time; due when [`Self::poll_timeout`] says so.
    pub fn handle_timeout(&mut self, now: Moment, outbox: &mut Outbox) {
        self.look.handle_timeout(now);
        self.walk.handle_timeout(now);
        if self.quarantine.handle_timeout(now) {
            self.walk.want();
        }
        self.absences.present(now, &self.connected);
        self.keep_contacts(outbox);
        self.advance(now, outbox);
    }

    /// When [`Self::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.look
            .rescan_at()
            .into_iter()
            .chain(self.walk.retry_at())
            .chain(self.quarantine.due())
            .min()
    }

    /// What is kept of the folder.
    pub const fn record(&self) -> &FolderRecord {
        &self.record
    }

    /// Whether something of this device waits for a person: a mass change, or what it would bring back.
    pub fn has_waiting(&self, device: DeviceId) -> bool {
        self.brakes.holds(device) || self.absences.waits(device) > 0
    }

    /// Whether a person lets the folder take part.
    pub const fn activity(&self) -> Activity {
        self.record.settings.activity
    }

    /// Replaces the record; the root does not move while the folder lives.
    pub fn set_record(&mut self, record: FolderRecord) {
        self.record = record;
    }

    /// Takes the sums that came with a durable batch; to be called before the batch's
    /// [`FolderInput::Persisted`].
    pub const fn note_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    /// The highest sequence given to a row of ours.
    pub const fn last_sequence(&self) -> Sequence {
        self.last_sequence
    }

    /// The highest position of our index that a peer can have from us: what lay in the store at the
    /// start, or what it was told since. A peer that has more shows that the store was rolled back,
    /// however far we have come again since.
    pub fn told_at_most(&self, peer: DeviceId) -> Sequence {
        self.first_sequence.max(self.exchange.told(peer))
    }

    /// How far our index has come.
    pub const fn age(&self) -> Age {
        Age {
            incarnation: self.us.incarnation,
            sequence: self.last_sequence,
        }
    }

    /// Whether a root remembers what the store has forgotten, or another life of it: the store was
    /// rolled back, or is a new one.
    pub fn has_forgotten(&self, remembered: Age) -> bool {
        let age = self.age();
        remembered.incarnation != age.incarnation || remembered.sequence > age.sequence
    }

    /// How far we have a peer's index.
    pub fn have(&self, peer: DeviceId) -> Option<(Incarnation, Sequence)> {
        self.have.get(&peer).copied()
    }

    /// Whether the folder waits for this batch.
    pub fn owns(&self, batch: BatchId) -> bool {
        matches!(self.work, Work::ExpectPersisted(awaited, _) if awaited == batch)
    }

    // --- what comes in ---------------------------------------------------------------------------

    fn handle_disk(&mut self, event: DiskEvent, outbox: &mut Outbox) {
        if self.look.root() == Root::Closed {
            // It left the disk before it was closed.
            return;
        }
        match event {
            // The device makes the place ready before the folder exists.
            DiskEvent::Prepared(_) => {}
            DiskEvent::Root(Ok(remembered)) => {
                self.noted = remembered;
                self.look.opened();
                self.walk.release_all();
                self.walk.unshelve();
                self.walk.interrupt();
                self.heed_anew(outbox);
            }
            DiskEvent::Root(Err(fault)) => {
                self.look.lost(fault);
                self.walk.interrupt();
            }
            DiskEvent::SharedRules(shared) => self.shared_rules(shared, outbox),
            DiskEvent::Disturbed(scope) => self.look.want(scope),
            DiskEvent::Scanned {
                scan,
                found,
                absent,
                lost,
                overlooked,
                held_back,
                end,
            } => match self.look.page(scan, held_back, end) {
                PageOf::Abandoned => {}
                PageOf::Running => {
                    let sighting = Sighting {
                        found,
                        absent,
                        lost,
                        overlooked,
                    };
                    self.jobs
                        .push_back(Job::Observe(scan, sighting, Departures::Later));
                }
            },
            DiskEvent::Applied { apply, outcomes } => self.applied(apply, outcomes),
        }
    }

    fn applied(&mut self, apply: ApplyId, outcomes: Vec<(RelPath, Outcome)>) {
        let awaited = outcomes
            .into_iter()
            .filter(|(path, _)| self.walk.awaits(path, apply));
        self.outcomes.extend(awaited);
    }

    fn peer_joined(
        &mut self,
        now: Moment,
        (peer, have): (DeviceId, Option<(Incarnation, Sequence)>),
        outbox: &mut Outbox,
    ) {
        self.absences.joined(now, peer);
        self.keep_contacts(outbox);
        let known = have.filter(|(incarnation, sequence)| {
            *incarnation == self.us.incarnation && *sequence <= self.last_sequence
        });
        self.drop_pages_of(peer);
        self.connected.insert(peer);
        self.exchange
            .join(peer, known.map(|(_, sequence)| sequence));
        self.walk.release_all();
    }

    /// Has who was met made durable; nothing waits for it.
    fn keep_contacts(&mut self, outbox: &mut Outbox) {
        let folder = self.record.id;
        let contacts = self.absences.take_unsaved();
        if !contacts.is_empty() {
            outbox.persist(vec![StoreOp::PutContacts { folder, contacts }], Vec::new());
        }
    }

    fn peer_left(&mut self, peer: DeviceId) {
        self.drop_pages_of(peer);
        self.connected.remove(&peer);
        self.exchange.leave(peer);
    }

    fn drop_pages_of(&mut self, peer: DeviceId) {
        self.jobs
            .retain(|job| !matches!(job, Job::TakePage(of, _) if *of == peer));
    }

    fn page_received(&mut self, peer: DeviceId, page: IndexPage, outbox: &mut Outbox) {
        if !self.connected.contains(&peer) {
            return;
        }
        let waiting = self
            .jobs
            .iter()
            .filter(|job| matches!(job, Job::TakePage(of, _) if *of == peer));
        if waiting.count() < INDEX_PAGES_IN_FLIGHT_MAX {
            self.jobs.push_back(Job::TakePage(peer, page));
        } else {
            self.fault(peer, outbox);
        }
    }

    /// The peer breaks the protocol: its link is closed, nothing else is disturbed.
    fn fault(&mut self, peer: DeviceId, outbox: &mut Outbox) {
        self.peer_left(peer);
        outbox.blame(peer);
    }

    // --- jobs ------------------------------------------------------------------------------------

    /// Does all that can be done now.
    fn advance(&mut self, now: Moment, outbox: &mut Outbox) {
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

    /// Begins the next job; `false` when there is none.
    fn begin_job(&mut self, now: Moment, outbox: &mut Outbox) -> bool {
        if !self.outcomes.is_empty() {
            let count = self.outcomes.len().min(OUTCOMES_PER_BATCH);
            let outcomes: Vec<_> = self.outcomes.drain(..count).collect();
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

    /// Whether everybody is there who has ever told anything of the folder. A folder that only
    /// receives decides nothing for others.
    fn company(&self) -> Company {
        let mut known = self.have.keys();
        let are_all_here = known.all(|peer| self.connected.contains(peer));
        match self.record.settings.mode {
            Mode::TwoWay | Mode::SendOnly if are_all_here => Company::All,
            Mode::TwoWay | Mode::SendOnly | Mode::ReceiveOnly => Company::SomeAway,
        }
    }

    /// What the brake measures by.
    const fn measure(&self) -> Measure {
        Measure {
            brake: self.record.settings.brake,
            files: self.totals.files,
        }
    }

    /// Goes on with the walk over the needs, once everything that lies here has been seen.
    /// For whom is planned.
    const fn planner(&self) -> (Actor, AttributeKeeping) {
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

    fn ask_rows(&mut self, paths: Vec<RelPath>, question: Question, outbox: &mut Outbox) {
        outbox.store(StoreRequest::LoadRows(self.record.id, paths.clone()));
        self.work = Work::ExpectRows(paths, question);
    }

    fn handle_rows(&mut self, now: Moment, rows: Vec<Option<OurRow>>, outbox: &mut Outbox) {
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

    fn handle_our_index(&mut self, rows: &[(Sequence, Entry)], end: PageEnd, outbox: &mut Outbox) {
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

    fn handle_persisted(&mut self, now: Moment, batch: BatchId, outbox: &mut Outbox) {
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
    fn persist(
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
