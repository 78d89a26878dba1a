//! The end of a world's life: all is well again, and it must come to rest.

use std::time::Duration;

use towline_core::command::Command;

use super::World;
use super::person::Mood;
use crate::oracle;

/// How long a world may take to come to rest: the longest pauses between retries are a minute, and
/// a few of them may follow each other.
const REST_WITHIN: Duration = Duration::from_secs(20 * 60);

/// How long it may take until a device that came back is connected again: half a second to miss
/// its former life, and some round trips. By silence alone it would be 15 s.
const BACK_WITHIN: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn come_to_rest(&mut self, pairs: &[(usize, usize)]) {
        self.people.mood = Mood::Quiet;
        self.heal();
        self.resume_all();
        self.pass(Duration::from_secs(2));
        self.rescan_all();
        self.end_one_way(pairs);
        self.decide_brakes(pairs);
        if !self.rests(pairs) {
            return;
        }
        if let Some((rule, what)) = oracle::check(self, pairs) {
            return self.violate(rule, what);
        }
        let (work, outputs) = (self.work, self.outputs);
        self.pass(Duration::from_secs(120));
        if self.work != work {
            let what = format!("{:?} became {:?} with nobody there", work, self.work);
            return self.violate("4: it ends", what);
        }
        if self.outputs - outputs > 600 * self.seats.len() as u64 {
            let what = format!("{} outputs in two minutes of rest", self.outputs - outputs);
            return self.violate("4: it ends", what);
        }
        for seat in 0..self.seats.len() {
            self.crash(seat);
        }
        self.pass(Duration::from_secs(1));
        for seat in 0..self.seats.len() {
            self.start(seat);
        }
        self.pass(Duration::from_secs(40));
        self.rescan_all();
        self.pass(Duration::from_secs(20));
        if self.violations.is_empty() && self.work != work {
            let what = format!("{:?} became {:?}", work, self.work);
            return self.violate("5: restart and rescan cause no operation", what);
        }
        if let Some((rule, what)) = oracle::check(self, pairs) {
            return self.violate(rule, what);
        }
        self.come_back(pairs);
    }

    /// One device after the other crashes and starts again while everything else is well.
    pub(super) fn come_back(&mut self, pairs: &[(usize, usize)]) {
        for seat in 0..self.seats.len() {
            self.crash(seat);
            let away = self.dice.millis(100, 5000);
            self.pass(away);
            self.start(seat);
            let connected = |world: &mut Self| {
                let mut pairs = pairs.iter();
                pairs.all(|(one, other)| world.are_connected(*one, *other))
            };
            if self.violations.is_empty() && !self.pass_until(BACK_WITHIN, connected) {
                let what = format!("{seat} is not connected {BACK_WITHIN:?} after its start");
                return self.violate("who comes back is connected again soon", what);
            }
        }
    }

    pub(super) fn rescan_all(&mut self) {
        if let Some(folder) = self.folder {
            for seat in 0..self.seats.len() {
                self.command(seat, Command::Rescan(folder));
            }
        }
    }

    /// Lets time pass until all are connected and nothing is worked on any more.
    pub(super) fn become_quiet(&mut self, pairs: &[(usize, usize)]) {
        let begun = self.now;
        let mut quiet = 0;
        while quiet < 15 && self.now - begun < REST_WITHIN && self.violations.is_empty() {
            let work = self.work;
            self.pass(Duration::from_secs(5));
            quiet = if self.work == work && self.all_connected(pairs) {
                quiet + 1
            } else {
                0
            };
        }
    }

    fn all_connected(&self, pairs: &[(usize, usize)]) -> bool {
        let mut pairs = pairs.iter();
        pairs.all(|(one, other)| self.are_connected(*one, *other))
    }

    /// Lets time pass until all are connected, nothing is worked on any more and all agree.
    pub(super) fn rests(&mut self, pairs: &[(usize, usize)]) -> bool {
        let begun = self.now;
        let mut quiet = 0;
        while self.now - begun < REST_WITHIN && self.violations.is_empty() {
            let work = self.work;
            self.pass(Duration::from_secs(5));
            quiet = if self.work == work && self.all_connected(pairs) {
                quiet + 1
            } else {
                0
            };
            if quiet >= 3 && oracle::disagreement(self).is_none() {
                return true;
            }
        }
        if self.violations.is_empty() {
            let what = oracle::disagreement(self);
            let (rule, what) =
                what.unwrap_or_else(|| ("4: it ends", "work goes on and on".to_owned()));
            self.violate(rule, what);
        }
        false
    }
}
