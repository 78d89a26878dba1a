//! One shared folder: what must happen so that all replicas agree and no byte is lost.
//!
//! The folder decides one thing at a time. Each job loads the rows it concerns, decides, makes the
//! decision durable, and only then the next job begins, so every decision stands on rows that were
//! read after the last one was made. Jobs: outcomes of steps, pages of scans, peers' index pages, and
//! pages of needs, in this order. Scans, steps and the index on its way out run beside the jobs and
//! come back as jobs. Nothing that grows with the folder is held in memory.
//!
//! `jobs` are done one at a time, `look` knows the root and the scans, `observe` what they mean, `exchange` the index pages out and
//! in, [`verdict`] who wins, [`plan`] what is to be done, `gate` and `brake` what of it may be done now, `walk` when,
//! `settle` what came of it, `moves` what follows a moved file, `sweep` what a person decides for many paths,
//! `quarantine` what a power cut has taken, [`rules`] and `heed` what is ignored, and `decide` makes the
//! decisions in `jobs`. `summary` is what people see. This file holds what a folder is and what comes in. Never here: bytes, files, tasks, text
//! for people.

mod absence;
mod brake;
pub mod conflict;
mod decide;
mod exchange;
mod gate;
mod heed;
mod jobs;
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

use towline_wire::entry::{Actor, Entry};
use towline_wire::ids::{DeviceId, Incarnation, Sequence};
use towline_wire::limits::INDEX_PAGES_IN_FLIGHT_MAX;
use towline_wire::peer::IndexPage;
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::absence::Absences;
use crate::folder::brake::Brakes;
use crate::folder::exchange::Exchange;
use crate::folder::jobs::{Conclusion, Job, Question, Work};
use crate::folder::look::{Look, PageOf, Root};
use crate::folder::observe::{Departures, Gone, Sighting};
use crate::folder::plan::PlannedStep;
use crate::folder::quarantine::Quarantine;
use crate::folder::rules::{RuleSet, Rules, RulesMark};
use crate::folder::sweep::Sweep;
use crate::folder::walk::Walk;
use crate::io::{Age, ApplyId, BatchId, DiskEvent, DiskRequest, Outcome, PageEnd};
use crate::outbox::Outbox;
use crate::records::{
    Activity, Doubt, FolderRecord, FolderSettings, Mode, Need, OurRow, RestoredFolder, StoreOp,
    Totals,
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
                self.brakes.start(now);
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
}
