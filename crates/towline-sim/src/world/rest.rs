//! The end of a world's life: all is well again, and it must come to rest.

use std::time::Duration;

use towline_core::command::Command;
use towline_wire::entry::Content;
use towline_wire::rel_path::RelPath;

use super::person::Mood;
use super::{Work, World};
use crate::oracle;
use crate::rule::Rule;

/// How long a world may take to come to rest: the longest pauses between retries are a minute, and
/// a few of them may follow each other.
const REST_WITHIN: Duration = Duration::from_secs(20 * 60);

/// How long a world at rest is watched.
const WATCHED_FOR: Duration = Duration::from_secs(150);

/// How long it may take until a device that came back is connected again: half a second to miss
/// its former life, and some round trips. By silence alone it would be 15 s.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// Within this time a device that starts anew has found out again what it holds back: 6 minutes. It tries
/// each name once more, for which the bytes are fetched, and where a third of all fetches fail there are
/// worlds that need half a dozen tries, each pause between them twice the one before.
const HELD_AGAIN_WITHIN: Duration = Duration::from_secs(6 * 60);

/// Who moves a file and who writes to it at the same time, and how they meet.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    mover: usize,
    writer: usize,
    /// Who knows both, where they meet through somebody else.
    between: Option<usize>,
    /// Whose change is heard of first there.
    first: usize,
}

impl World {
    pub(super) fn come_to_rest(&mut self) {
        self.people.mood = Mood::Quiet;
        self.heal();
        self.resume_all();
        self.pass(Duration::from_secs(2));
        self.rescan_all();
        self.decide_brakes();
        self.end_one_way();
        self.decide_brakes();
        if !self.rests() || !self.holds() {
            return;
        }
        self.stays_at_rest();
        if !self.violations.is_empty() {
            return;
        }
        self.restarts_in_silence();
        if self.violations.is_empty() && self.holds() {
            self.come_back();
        }
        if self.violations.is_empty() && self.may_move() {
            self.edit_follows_rename();
        }
    }

    /// All devices are off. A file is renamed on one and written to on another; when both are on again, and
    /// nobody else but perhaps one that knows both, the edit lies under the new name on all of them, and
    /// nothing under the old one.
    fn edit_follows_rename(&mut self) {
        let Some(meeting) = self.choose_meeting() else {
            return;
        };
        let Some((from, to)) = self.choose_move(meeting) else {
            return;
        };
        let Meeting { mover, writer, .. } = meeting;
        for seat in 0..self.seats.len() {
            self.crash(seat);
        }
        self.rename(mover, &from, &to);
        self.write(writer, &from);
        let lies = |world: &Self, seat: usize, path: &RelPath| {
            let node = world.seat(seat).tree.get(path);
            node.map(|node| node.kind.content())
        };
        let written = lies(self, writer, &from);
        self.pass(Duration::from_secs(1));
        if let Some(between) = meeting.between {
            self.start(between);
            self.start(meeting.first);
            let has_heard = |world: &mut Self| {
                world.let_braked_go();
                let heard = lies(world, between, &from) == lies(world, meeting.first, &from);
                heard && lies(world, between, &to) == lies(world, meeting.first, &to)
            };
            self.pass_until(REST_WITHIN, has_heard);
        }
        for seat in [mover, writer] {
            if meeting.between.is_none() || seat != meeting.first {
                self.start(seat);
            }
        }
        let there: Vec<usize> = [mover, writer].into_iter().chain(meeting.between).collect();
        let is_there = |world: &mut Self| {
            world.let_braked_go();
            there.iter().all(|seat| {
                lies(world, *seat, &to) == written && lies(world, *seat, &from).is_none()
            })
        };
        if !self.pass_until(REST_WITHIN, is_there) {
            let what = format!("{from} was moved to {to} and written to: {meeting:?}");
            return self.violate(Rule::EditFollows, what);
        }
        for seat in (0..self.seats.len()).filter(|seat| !there.contains(seat)) {
            self.start(seat);
        }
        if self.rests() {
            self.holds();
        }
    }

    /// Two devices that share the folder with each other, or both with a third one.
    fn choose_meeting(&mut self) -> Option<Meeting> {
        if oracle::something_is_held_back(self) {
            return None;
        }
        let shared: Vec<_> = self.edges.iter().filter(|edge| edge.is_shared()).collect();
        let mut meetings = Vec::new();
        for (mover, other) in shared.iter().flat_map(|edge| edge.both_ways()) {
            meetings.push(Meeting {
                mover,
                writer: other,
                between: None,
                first: mover,
            });
            let beyond = shared.iter().filter_map(|edge| edge.from(other));
            for writer in beyond.filter(|writer| *writer != mover) {
                meetings.extend([mover, writer].map(|first| Meeting {
                    mover,
                    writer,
                    between: Some(other),
                    first,
                }));
            }
        }
        self.dice.pick(&meetings).copied()
    }

    /// A file that all who meet have, and a name that is free on all. A conflict copy is none, others rely on
    /// its name; nor is a file that keeps a twin of its name from some disk.
    fn choose_move(&mut self, meeting: Meeting) -> Option<(RelPath, RelPath)> {
        let others = std::iter::once(meeting.writer).chain(meeting.between);
        let is_everywhere = |path: &RelPath| {
            let mut others = others.clone();
            others.all(|seat| self.seat(seat).tree.get(path).is_some())
        };
        let has_twin = |path: &RelPath| {
            let name = path.as_str().to_lowercase();
            let mut all = self.seats.iter().flat_map(|seat| seat.tree.iter());
            all.any(|(other, _)| other != path && other.as_str().to_lowercase() == name)
        };
        let files: Vec<RelPath> = self
            .seat(meeting.mover)
            .tree
            .iter()
            .filter(|(path, node)| !node.is_directory() && !path.is_in_inbox())
            .filter(|(_, node)| matches!(node.kind.content(), Content::File { .. }))
            .filter(|(path, _)| is_everywhere(path) && !oracle::is_copy(path))
            .filter(|(path, _)| !has_twin(path))
            .map(|(path, _)| path.clone())
            .collect();
        let from = self.dice.pick(&files)?.clone();
        let to = from.with_file_name("moved at the end").ok()?;
        let is_free = self.seats.iter().all(|seat| seat.tree.get(&to).is_none());
        is_free.then_some((from, to))
    }

    /// Whether the oracle finds nothing.
    fn holds(&mut self) -> bool {
        match oracle::check(self) {
            None => true,
            Some((rule, what)) => {
                self.violate(rule, what);
                false
            }
        }
    }

    /// With nobody there nothing is sent, nothing is written, nothing is fetched.
    fn stays_at_rest(&mut self) {
        let outputs = self.outputs;
        let (before, changes) = (self.at_rest(), self.changes());
        self.pass(WATCHED_FOR);
        let after = self.at_rest();
        if after != before || self.changes() != changes {
            let what = format!("{before:?} became {after:?} with nobody there");
            return self.violate(Rule::Ends, what);
        }
        if self.outputs - outputs > 600 * self.seats.len() as u64 {
            let what = format!("{} outputs in minutes of rest", self.outputs - outputs);
            self.violate(Rule::Ends, what);
        }
    }

    /// All devices start anew and look through everything, and find nothing to do.
    fn restarts_in_silence(&mut self) {
        let (before, changes) = (self.of_folders(), self.changes());
        let found_out_within = if oracle::something_is_held_back(self) {
            HELD_AGAIN_WITHIN
        } else {
            Duration::from_secs(20)
        };
        for seat in 0..self.seats.len() {
            self.crash(seat);
        }
        self.pass(Duration::from_secs(1));
        for seat in 0..self.seats.len() {
            self.start(seat);
        }
        self.pass(Duration::from_secs(40));
        self.rescan_all();
        self.pass(found_out_within);
        let after = self.of_folders();
        if self.violations.is_empty() && (after, self.changes()) != (before, changes) {
            let what = format!("{before:?} became {after:?}");
            self.violate(Rule::RestartIsSilent, what);
        }
    }

    /// The work that is given. A directory whose content somebody holds back is asked for in vain now
    /// and then: it must go, and what lies there must stay. So is what people took away where only
    /// that device still has it.
    fn at_rest(&mut self) -> Work {
        let held = oracle::something_is_held_back(self);
        let given_up = oracle::something_is_given_up(self);
        Work {
            steps: if held || given_up { 0 } else { self.work.steps },
            fetches: if given_up { 0 } else { self.work.fetches },
            ..self.work
        }
    }

    /// The work that folders gave. Devices that meet anew greet each other, and what a disk
    /// cannot hold is tried once in every life.
    fn of_folders(&mut self) -> Work {
        let work = Work {
            frames: 0,
            ..self.at_rest()
        };
        if oracle::something_is_held_back(self) {
            return Work { fetches: 0, ..work };
        }
        work
    }

    fn changes(&self) -> u64 {
        self.seats.iter().map(|seat| seat.tree.changes()).sum()
    }

    /// One device after the other crashes and starts again while everything else is well.
    fn come_back(&mut self) {
        for seat in 0..self.seats.len() {
            self.crash(seat);
            let away = self.dice.millis(100, 5000);
            self.pass(away);
            self.start(seat);
            let connected = |world: &mut Self| world.all_connected();
            if self.violations.is_empty() && !self.pass_until(BACK_WITHIN, connected) {
                let what = format!("{seat} is not connected {BACK_WITHIN:?} after its start");
                return self.violate(Rule::BackSoon, what);
            }
        }
    }

    fn all_connected(&self) -> bool {
        let mut edges = self.edges.iter();
        edges.all(|edge| self.are_connected(edge.one, edge.other))
    }

    fn rescan_all(&mut self) {
        if let Some(folder) = self.folder {
            for seat in 0..self.seats.len() {
                self.command(seat, Command::Rescan(folder));
            }
        }
    }

    /// Looks, five seconds apart, that must find silence: fifteen seconds of it, or more than the longest
    /// pause between two tries where something is held back, which is tried before it is given up.
    fn looks_of_silence(&self) -> u32 {
        if oracle::something_is_held_back(self) {
            14
        } else {
            3
        }
    }

    /// Lets time pass until all are connected and nothing is worked on any more.
    pub(super) fn become_quiet(&mut self) {
        let begun = self.now;
        let mut quiet = 0;
        while quiet < 15 && self.now - begun < REST_WITHIN && self.violations.is_empty() {
            let work = self.at_rest();
            self.pass(Duration::from_secs(5));
            let is_quiet = self.at_rest() == work && self.all_connected();
            quiet = if is_quiet { quiet + 1 } else { 0 };
        }
    }

    /// Lets time pass until all are connected, nothing is worked on any more and all agree.
    fn rests(&mut self) -> bool {
        let begun = self.now;
        let mut quiet = 0;
        while self.now - begun < REST_WITHIN && self.violations.is_empty() {
            let work = self.at_rest();
            self.pass(Duration::from_secs(5));
            let is_quiet = self.at_rest() == work && self.all_connected();
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet >= self.looks_of_silence() && oracle::disagreement(self).is_none() {
                return true;
            }
        }
        if self.violations.is_empty() {
            let (rule, what) = oracle::disagreement(self)
                .unwrap_or_else(|| (Rule::Ends, "work goes on and on".to_owned()));
            self.violate(rule, what);
        }
        false
    }
}
