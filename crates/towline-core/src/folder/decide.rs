//! The folder's decisions: rows in, durable rows and requests out.
//!
//! Each begins where the rows that it asked for are there, and ends in one batch, or in none when
//! nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::Content;
use towline_wire::ids::DeviceId;
use towline_wire::peer::{Control, IndexPage};
use towline_wire::rel_path::RelPath;

use crate::clock::Moment;
use crate::folder::absence::revived_by;
use crate::folder::brake::{Spent, harm, is_weighed};
use crate::folder::exchange::{Door, door};
use crate::folder::gate::Gate;
use crate::folder::look::Root;
use crate::folder::moves;
use crate::folder::observe::{Departures, Draft, Observed, Sighting, disowned, observe};
use crate::folder::plan::{
    Action, Names, Phase, Planned, PlannedStep, Wait, footing, given_up, ground, leaving,
    make_room, pair, plan, rooms, with_removals,
};
use crate::folder::quarantine::{Hope, Suspicion};
use crate::folder::settle::settle;
use crate::folder::sweep::{After, Sweep};
use crate::folder::verdict::Rest;
use crate::folder::{Conclusion, Folder, Job, Question, Work};
use crate::io::{DiskRequest, NetworkRequest, Outcome, Output, PageEnd, ScanId};
use crate::outbox::Outbox;
use crate::records::{Departure, DiskStamp, Doubt, Need, OurRow, Reach, StoreOp};

impl Folder {
    /// Decides a question whose rows are there.
    pub(super) fn decide(
        &mut self,
        now: Moment,
        question: Question,
        rows: &BTreeMap<RelPath, OurRow>,
        outbox: &mut Outbox,
    ) {
        match question {
            Question::Observe(scan, sighting, departures) => {
                self.observe(now, scan, sighting, departures, rows, outbox);
            }
            Question::Settle(outcomes) => self.settle(now, outcomes, rows, outbox),
            // A plan in the name of an earlier incarnation, or for a root that is lost, is void.
            Question::Ground(us, _) | Question::MakeRoom(us, _)
                if us != self.us || self.look.root() != Root::Seen =>
            {
                self.walk.interrupt();
            }
            Question::Ground(_, planned) => self.ground(now, planned, rows, outbox),
            Question::Sweep(sweep, needs) => self.sweep_page(now, sweep, &needs, rows, outbox),
            Question::Disown => {
                let drafts = disowned(rows.values(), self.us);
                let operations = self.put_rows(drafts);
                self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
            }
            Question::MakeRoom(_, mut planned) => {
                let names = Names {
                    replaced: &|path, lies| self.walk.replaces(path, lies),
                    refused: &|path| self.look.is_crowded(path),
                };
                make_room(&mut planned, rows, self.record.settings.conflicts, names);
                self.carry_out(now, planned, outbox);
            }
        }
    }

    /// What a power cut may have taken of what we knew when the device started.
    const fn suspicion(&self) -> Suspicion {
        Suspicion {
            doubt: self.doubt,
            up_to: self.first_sequence,
        }
    }

    fn observe(
        &mut self,
        now: Moment,
        scan: ScanId,
        sighting: Sighting,
        departures: Departures,
        rows: &BTreeMap<RelPath, OurRow>,
        outbox: &mut Outbox,
    ) {
        if !self.look.is_running(scan) {
            // The root was lost since: what was seen is no evidence any more.
            return;
        }
        let departures = match departures {
            Departures::Later if sighting.len() <= self.look.departures_room() => Departures::Later,
            Departures::Later | Departures::Now => Departures::Now,
        };
        let walk = &self.walk;
        let in_flight = |path: &RelPath| walk.is_under_way(path);
        let suspicion = self.suspicion();
        let sighting = self
            .without_ignored(sighting, rows)
            .lost_by(rows, suspicion);
        let since = self.look.since();
        self.gone.note(&sighting, rows, &in_flight, since);
        let overlooked = sighting.overlooked.clone();
        let Observed {
            drafts,
            stamps,
            again,
            departures,
            departed,
            vanished,
            lacking,
            spoiled,
        } = observe(
            sighting,
            rows,
            &in_flight,
            departures,
            (&self.gone, since),
            (self.us, self.record.settings.mode, suspicion),
        );
        self.quarantine.note_found(spoiled);
        for path in again {
            if self.walk.is_under_way(&path) {
                self.look.want_after_step(path);
            } else {
                self.look.want_paths(vec![path]);
            }
        }
        self.look.put_off(departures);
        self.look.doubt(departed);
        self.make_way(&drafts);
        let touched = drafts.iter().map(|draft| &draft.entry.path);
        let stamped = stamps.iter().map(|(path, _)| path);
        for path in touched.chain(stamped).chain(&vanished) {
            self.walk.release(path);
        }
        if !vanished.is_empty() {
            self.walk.want();
        }
        // What is kept from peers may be what they have after all.
        let kept: Vec<RelPath> = drafts
            .iter()
            .filter(|draft| draft.reach != Reach::Everyone)
            .map(|draft| draft.entry.path.clone())
            .collect();
        if !kept.is_empty() || (!drafts.is_empty() && self.totals.needs > 0) {
            self.walk.want();
        }
        if !lacking.is_empty() {
            self.walk.want();
        }
        let went = moves::departures(&drafts, rows);
        let mut operations = self.put_rows(drafts);
        operations.extend(self.put_departures(went));
        operations.extend(self.add_needs(kept));
        operations.extend(self.add_needs(lacking));
        operations.extend(self.put_stamps(stamps));
        operations.extend(self.add_needs(vanished));
        operations.extend(self.forget_stamps(overlooked));
        self.persist(
            now,
            operations,
            Vec::new(),
            Conclusion::Observed(scan),
            outbox,
        );
    }

    fn settle(
        &mut self,
        now: Moment,
        outcomes: Vec<(RelPath, Outcome)>,
        rows: &BTreeMap<RelPath, OurRow>,
        outbox: &mut Outbox,
    ) {
        let mut ended = Vec::with_capacity(outcomes.len());
        for (path, outcome) in outcomes {
            let Some(end) = self.walk.end(&path, outcome) else {
                continue;
            };
            self.look.step_ended(&path);
            if end.was_let() {
                self.look.accept(&path);
            }
            if let Some(keep) = &end.planned.step.keep {
                self.look.step_ended(keep);
            }
            if let (Some(device), true) = (end.planned.spent, end.is_undone()) {
                self.brakes.give_back(device);
            }
            ended.push(end);
        }
        let settled = settle(ended, rows, self.us);
        if !settled.done.is_empty() {
            self.walk.note_success();
        }
        if settled.unsettled > 0 {
            self.walk.want();
        }
        self.applied += settled.done.len() as u64;
        let (anew, barred): (Vec<_>, Vec<_>) = settled
            .crowded
            .into_iter()
            .partition(|path| self.look.crowd(path));
        for (path, reason) in settled.refused {
            self.look.refuse(path, reason);
        }
        self.look.want_paths(settled.unseen);
        self.walk.put_off(settled.failed, now);
        self.walk.put_off(anew, now);
        self.walk.shelve(settled.barred, now);
        self.walk.shelve(barred, now);
        self.make_way(&settled.drafts);
        let mut operations = self.put_rows(settled.drafts);
        operations.extend(self.put_departures(settled.departures));
        operations.extend(self.settle_needs(settled.settled));
        self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
    }

    /// What has gone may have been in the way of what waits for a name.
    fn make_way(&mut self, drafts: &[Draft]) {
        let gone = drafts
            .iter()
            .filter(|draft| draft.entry.content == Content::Absent);
        for draft in gone {
            self.walk.make_way(&draft.entry.path);
        }
    }

    pub(super) fn take_page(
        &mut self,
        now: Moment,
        peer: DeviceId,
        page: IndexPage,
        outbox: &mut Outbox,
    ) {
        let folder = self.record.id;
        let IndexPage {
            incarnation, up_to, ..
        } = page;
        let ack = |up_to| {
            let frame = Control::IndexAck {
                folder,
                incarnation,
                up_to,
            };
            Output::Network(NetworkRequest::Send(peer, frame))
        };
        match door(&page, self.have(peer)) {
            // It was sent before the peer heard that we go on; what we have was stated with that.
            Door::Gap if self.resuming.contains(&peer) => {}
            Door::Gap | Door::Fault => self.fault(peer, outbox),
            Door::Known(sequence) => outbox.push(ack(sequence)),
            Door::Take => {
                self.resuming.remove(&peer);
                for entry in &page.entries {
                    self.walk.note_peer_row(&entry.path);
                }
                let entries = page.entries;
                let put = StoreOp::PutPeerRows {
                    folder,
                    device: peer,
                    incarnation,
                    up_to,
                    entries,
                };
                let conclusion = Conclusion::PageTaken(peer, incarnation, up_to);
                self.persist(now, vec![put], vec![ack(up_to)], conclusion, outbox);
            }
        }
    }

    pub(super) fn handle_needs(
        &mut self,
        now: Moment,
        needs: Vec<Need>,
        end: PageEnd,
        outbox: &mut Outbox,
    ) {
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::ExpectNeeds => self.plan_page(now, needs, end, outbox),
            Work::ExpectSwept(sweep) => self.take_swept(sweep, needs, end, outbox),
            other @ (Work::Idle
            | Work::ExpectRows(..)
            | Work::ExpectOurIndex(_)
            | Work::ExpectPersisted(..)) => {
                debug_assert!(false, "needs that nobody asked for");
                self.work = other;
            }
        }
    }

    fn take_swept(&mut self, sweep: Sweep, needs: Vec<Need>, end: PageEnd, outbox: &mut Outbox) {
        if let (PageEnd::More, Some(last)) = (end, needs.last()) {
            let next = Job::Sweep(sweep, Some(last.path.clone()));
            self.jobs.push_front(next);
        }
        let paths: Vec<RelPath> = sweep.footing(&needs).into_iter().collect();
        self.ask_rows(paths, Question::Sweep(sweep, needs), outbox);
    }

    /// Sweeps a page; paths with a step under way are passed over, for nobody knows what lies there.
    fn sweep_page(
        &mut self,
        now: Moment,
        sweep: Sweep,
        needs: &[Need],
        rows: &BTreeMap<RelPath, OurRow>,
        outbox: &mut Outbox,
    ) {
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        let (mut settled, mut wanted) = (Vec::new(), Vec::new());
        for need in needs {
            if self.walk.is_under_way(&need.path) {
                continue;
            }
            let Some((draft, after)) = sweep.at(need, rows, self.us) else {
                continue;
            };
            match after {
                After::Settled => settled.push(need.path.clone()),
                After::Planned => wanted.push(need.path.clone()),
            }
            self.walk.release(&need.path);
            match draft.entry.content {
                Content::Absent => gone.push(draft),
                Content::Directory | Content::File { .. } | Content::Symlink { .. } => {
                    made.push(draft);
                }
            }
        }
        self.walk.want();
        // As a scan tells it: a directory goes after all that it held.
        made.extend(gone.into_iter().rev());
        let mut operations = self.put_rows(made);
        operations.extend(self.settle_needs(settled));
        operations.extend(self.add_needs(wanted));
        self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
    }

    fn plan_page(&mut self, now: Moment, needs: Vec<Need>, end: PageEnd, outbox: &mut Outbox) {
        if self.look.root() != Root::Seen {
            return;
        }
        if let Some((phase, end)) = self.walk.weighs(&needs, end) {
            return self.weigh_page(now, &needs, (phase, end), outbox);
        }
        let (connected, planner) = (&self.connected, self.planner());
        let follows = |need: &Need| moves::follow(need, connected, planner).is_some();
        let needs = self.walk.page(needs, end, &follows);
        let planned = plan(&needs, &self.connected, self.planner());
        let mut chosen = Vec::with_capacity(planned.len());
        let mut goes = Vec::new();
        let mut followed = BTreeSet::new();
        for (need, planned) in needs.iter().zip(planned) {
            let planned = self.after_hope(now, need, planned);
            let gate = Gate {
                mode: self.record.settings.mode,
                rules: &self.rules,
                brakes: &self.brakes,
                eyes: self.look.eyes_on(&need.path),
                absences: &self.absences,
                suspicion: self.suspicion(),
            };
            let revives = revived_by(need, &planned);
            let mut planned = gate.admit(need, planned);
            if let (Action::Wait(Wait::Absence), Some(device)) = (&planned.action, revives)
                && self.walk.phase() == Some(Phase::Files)
            {
                self.absences.count(device);
            }
            if let (Action::Step(step), Some(Phase::Files), Doubt::Nothing) =
                (&planned.action, self.walk.phase(), self.doubt)
            {
                goes.extend(leaving(need, step));
            }
            let is_chosen = match &mut planned.action {
                Action::Settled | Action::Adopt { .. } => true,
                Action::Step(step) if step.follows.is_some() => {
                    // Two departures may lie at one path, and something may be under way there.
                    let at = &step.step.path;
                    let is_free = !self.walk.is_pending(at) && !followed.contains(at);
                    if !is_free {
                        self.walk.note_waiting();
                    }
                    is_free && self.walk.chooses(step) && self.pays(now, need, step)
                }
                Action::Step(step) => self.walk.chooses(step) && self.pays(now, need, step),
                Action::Wait(Wait::Look) => {
                    self.look.await_end();
                    false
                }
                Action::Wait(_) => false,
            };
            if !is_chosen {
                continue;
            }
            if let Action::Step(step) = &planned.action
                && step.follows.is_some()
            {
                planned.path = step.step.path.clone();
                followed.insert(planned.path.clone());
            }
            chosen.push(planned);
        }
        if self.walk.has_met_everything() {
            self.absences.counted();
        }
        let mut planned = chosen;
        goes.retain(|gone| !followed.contains(&gone.removal.step.path));
        pair(planned.iter_mut().filter_map(Planned::as_step_mut), goes);
        let paths: Vec<RelPath> = footing(&planned).into_iter().collect();
        // Also a plan that stands on nothing goes this way: it is one path through the code.
        self.ask_rows(paths, Question::Ground(self.us, planned), outbox);
    }

    /// What is planned where the disk has lost bytes of which nobody has told: it waits, until there is
    /// no hope that somebody will.
    fn after_hope(&mut self, now: Moment, need: &Need, planned: Planned) -> Planned {
        let company = match planned.action {
            Action::Wait(Wait::Spoiled) => self.company(need),
            // That nothing lies here is all that would be told.
            Action::Wait(Wait::Reverted) => self.attendance(),
            Action::Wait(_) | Action::Settled | Action::Adopt { .. } | Action::Step(_) => {
                return planned;
            }
        };
        match self.quarantine.wait(now, &need.path, company) {
            Hope::Left => planned,
            Hope::Gone => Planned {
                action: given_up(need, &self.connected, self.us),
                ..planned
            },
        }
    }

    /// Takes what a step takes away from its author's budget; `false` when that is used up.
    fn pays(&mut self, now: Moment, need: &Need, step: &mut PlannedStep) -> bool {
        let Some(harm) = harm(need, step) else {
            return true;
        };
        match self.brakes.spend(now, harm, self.measure()) {
            Spent::Nothing => true,
            Spent::One => {
                step.spent = Some(harm.0);
                true
            }
            Spent::Refused => {
                // The next walk weighs all of it.
                self.walk.want();
                false
            }
        }
    }

    /// Weighs what a phase would take away; at the end it is known who has to wait.
    fn weigh_page(
        &mut self,
        now: Moment,
        needs: &[Need],
        (phase, end): (Phase, PageEnd),
        outbox: &mut Outbox,
    ) {
        let planned = plan(needs, &self.connected, self.planner());
        for (need, planned) in needs.iter().zip(planned) {
            let Action::Step(step) = planned.action else {
                continue;
            };
            if let Some(harm) = harm(need, &step).filter(|(_, harm)| is_weighed(*harm, phase)) {
                self.brakes.weigh(harm);
            }
        }
        if end == PageEnd::End {
            if self.brakes.weighed(now, phase, self.measure()) {
                self.walk.want();
            }
            let operations = self.put_brakes().into_iter().collect();
            self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
        }
    }

    fn ground(
        &mut self,
        now: Moment,
        planned: Vec<Planned>,
        rows: &BTreeMap<RelPath, OurRow>,
        outbox: &mut Outbox,
    ) {
        let walk = &self.walk;
        let pending = |path: &RelPath| walk.is_pending(path);
        let writer = (self.us, self.record.settings.mode);
        let planned = ground(planned, rows, &pending, walk.sight(), writer);
        let rooms: Vec<RelPath> = rooms(&planned).into_iter().collect();
        if rooms.is_empty() {
            self.carry_out(now, planned, outbox);
        } else {
            self.ask_rows(rooms, Question::MakeRoom(self.us, planned), outbox);
        }
    }

    fn carry_out(&mut self, now: Moment, planned: Vec<Planned>, outbox: &mut Outbox) {
        let mut drafts = Vec::new();
        let mut settled = Vec::new();
        let mut steps = Vec::new();
        for Planned { path, action } in planned {
            match action {
                Action::Settled => {
                    self.look.accept(&path);
                    self.quarantine.end(&path);
                    settled.push(path);
                }
                Action::Adopt {
                    becomes,
                    stamp,
                    rest,
                } => {
                    drafts.push(Draft {
                        entry: becomes,
                        stamp,
                        reach: Reach::Everyone,
                    });
                    match rest {
                        Rest::Settled => settled.push(path),
                        Rest::PeerYields => {}
                    }
                }
                Action::Step(step) => steps.push(*step),
                Action::Wait(_) => self.walk.note_waiting(),
            }
        }
        let mut operations = self.put_rows(drafts);
        operations.extend(self.settle_needs(settled));
        match self.put_brakes() {
            None => {
                self.carry(steps, outbox);
                self.persist(now, operations, Vec::new(), Conclusion::Other, outbox);
            }
            Some(brakes) => {
                // What a step takes away is counted for good before it is gone.
                operations.push(brakes);
                self.paid = steps;
                self.persist(now, operations, Vec::new(), Conclusion::Paid, outbox);
            }
        }
    }

    pub(super) fn carry(&mut self, steps: Vec<PlannedStep>, outbox: &mut Outbox) {
        if steps.is_empty() {
            return;
        }
        self.look.note_steps();
        let steps = with_removals(steps);
        let apply = self.walk.carry(&steps);
        let steps = steps.into_iter().map(|planned| planned.step).collect();
        outbox.disk(self.record.id, DiskRequest::Apply(apply, steps));
    }

    // --- operations ------------------------------------------------------------------------------

    fn put_rows(&mut self, drafts: Vec<Draft>) -> Vec<StoreOp> {
        if drafts.is_empty() {
            return Vec::new();
        }
        let mut rows = Vec::with_capacity(drafts.len());
        for Draft {
            entry,
            stamp,
            reach,
        } in drafts
        {
            self.last_sequence = self.last_sequence.next();
            self.quarantine.end(&entry.path);
            rows.push(OurRow {
                entry,
                sequence: self.last_sequence,
                stamp,
                reach,
            });
        }
        vec![StoreOp::PutOurRows {
            folder: self.record.id,
            rows,
        }]
    }

    fn put_stamps(&self, stamps: Vec<(RelPath, DiskStamp)>) -> Option<StoreOp> {
        let folder = self.record.id;
        (!stamps.is_empty()).then_some(StoreOp::PutStamps { folder, stamps })
    }

    fn put_departures(&self, departures: Vec<Departure>) -> Option<StoreOp> {
        let folder = self.record.id;
        (!departures.is_empty()).then_some(StoreOp::PutDepartures { folder, departures })
    }

    fn forget_stamps(&self, paths: Vec<RelPath>) -> Option<StoreOp> {
        let folder = self.record.id;
        (!paths.is_empty()).then_some(StoreOp::ForgetStamps { folder, paths })
    }

    /// What of the brake is not durable yet.
    pub(super) fn put_brakes(&mut self) -> Option<StoreOp> {
        let folder = self.record.id;
        let brakes = self.brakes.take_unsaved();
        (!brakes.is_empty()).then_some(StoreOp::PutBrakes { folder, brakes })
    }

    fn add_needs(&self, paths: Vec<RelPath>) -> Option<StoreOp> {
        let folder = self.record.id;
        (!paths.is_empty()).then_some(StoreOp::AddNeeds { folder, paths })
    }

    fn settle_needs(&self, paths: Vec<RelPath>) -> Option<StoreOp> {
        let folder = self.record.id;
        (!paths.is_empty()).then_some(StoreOp::SettleNeeds { folder, paths })
    }
}
