//! The life of a world: people pair their devices, share a folder, live, and come to rest.

use std::time::Duration;

use towline_core::command::Command;

use super::person::{Act, CONTENT_MARK, Mood, NAMES};
use super::{Event, Report, Shape, World};
use crate::faults::Disk;
use crate::mutation::Mutation;
use crate::rule::Rule;

/// How the devices come to know each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acquaintance {
    /// They are peers before the world begins.
    Given,
    /// Their people pair them.
    Made,
}

impl World {
    /// Lives the whole life of a seed's world.
    pub fn run(seed: u64, shape: Shape) -> Report {
        let mut world = Self::new(seed, shape);
        world.live();
        let Self {
            now,
            log,
            violations,
            seats,
            ..
        } = world;
        Report {
            hash: log.hash(),
            violations,
            lines: log.into_lines(),
            devices: seats.len() as u32,
            lasted: now,
        }
    }

    fn live(&mut self) {
        self.secrets.push(CONTENT_MARK.to_owned());
        self.secrets.extend(NAMES.map(str::to_owned));
        self.secrets.extend(NAMES.map(str::to_uppercase));
        let devices = self.faults.disks.len();
        self.note(format_args!(
            "{:?} {:?}",
            self.edges.clone(),
            self.faults.clone()
        ));
        let guesses = self.shape.mutation == Some(Mutation::WrongGuessNotBurned);
        // Pairing many takes long, and shows no more than pairing few.
        let made = guesses || self.dice.chance(if devices > 3 { 10 } else { 30 });
        // What all must have in the end is compared exactly, which only sound disks can hold.
        if !made
            && self
                .faults
                .disks
                .iter()
                .all(|disk| *disk == Disk::default())
        {
            self.habits.choose_way(devices);
        }
        for _ in 0..devices {
            let seat = self.add_seat();
            self.furnish(seat);
        }
        self.after(Duration::from_secs(1), Event::Tick);
        let acquaintance = if made {
            Acquaintance::Made
        } else {
            Acquaintance::Given
        };
        match acquaintance {
            Acquaintance::Given => self.give_peers(),
            Acquaintance::Made => self.make_peers(),
        }
        if !self.violations.is_empty() {
            return;
        }
        self.live_on();
        if acquaintance == Acquaintance::Made && self.dice.chance(30) {
            self.part_and_meet();
        }
        self.come_to_rest();
    }

    fn live_on(&mut self) {
        let lasts = self.dice.millis(5_000, 90_000);
        self.people.mood = Mood::Busy;
        let most = usize::try_from(lasts.as_millis()).unwrap_or(0);
        for _ in 0..self.dice.between(4, 30) {
            // People come in bursts.
            let begins = self.dice.millis(0, most);
            let seat = self.dice.below(self.seats.len());
            for _ in 0..self.dice.between(1, 2) {
                let wait = begins + self.dice.millis(0, 300);
                self.after(wait, Event::Act(Act::Any(seat)));
            }
            if self.dice.chance(12)
                && let Some(path) = self.meeting_place()
            {
                self.after(begins, Event::Act(Act::Duel(path)));
            }
            if self.dice.chance(4)
                && let Some((one, other)) = self.two_directories(seat)
            {
                self.after(begins, Event::Act(Act::Cross(one, other)));
            }
        }
        self.draw_disasters(lasts);
        self.draw_habits(lasts);
        self.draw_decisions(lasts);
        self.pass(lasts);
    }

    /// One person removes the other's device, both go on, and then they pair again.
    fn part_and_meet(&mut self) {
        let Some(edge) = self.dice.pick(&self.edges).copied() else {
            return;
        };
        let (one, other) = (edge.one, edge.other);
        self.heal();
        self.resume_all();
        self.pass(Duration::from_secs(5));
        let peer = self.seat(other).id;
        self.command(one, Command::RemovePeer(peer));
        self.pass(Duration::from_secs(1));
        self.violate_if_peers(one, other);
        for _ in 0..4 {
            let seat = self.dice.below(self.seats.len());
            let wait = self.dice.millis(0, 10_000);
            self.after(wait, Event::Act(Act::Any(seat)));
        }
        self.pass(Duration::from_secs(12));
        if self.violations.is_empty() {
            self.pair(one, other);
            if edge.is_shared() {
                self.share(one, other);
            }
        }
    }

    fn violate_if_peers(&mut self, one: usize, other: usize) {
        let id = self.seat(other).id;
        let still = |world: &Self| {
            let kept = world.seat(one).shelf.restored();
            let shared = kept
                .folders
                .iter()
                .any(|folder| folder.record.shared_with.contains(&id));
            shared || kept.peers.iter().any(|peer| peer.id == id)
        };
        if still(self) || self.seat(one).trust.contains(&id) {
            let what = format!("{one} removed {other} and still trusts it");
            self.violate(Rule::RemovedIsGone, what);
        }
    }
}
