//! What people set for the folder on their devices, and when: drawn from dice of their own, so that a
//! world without such habits is the one that its seed always was.
//!
//! A person pauses the folder for a while and lets it go on. While it is paused the device must leave
//! disk and peers alone; what happens meanwhile is found afterwards.

use std::time::Duration;

use towline_core::command::Command;
use towline_core::io::DiskRequest;
use towline_core::records::{Activity, FolderSettings};

use super::{Event, World};
use crate::dice::Dice;

/// What a person sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Habit {
    Pause(usize),
    Resume(usize),
}

/// The habits of a world's people.
#[derive(Debug)]
pub(super) struct Habits {
    dice: Dice,
    pauses: Pauses,
}

/// Whether people pause the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pauses {
    Never,
    Sometimes,
}

/// Parts the habits' dice from the world's.
const HABITS: u64 = 0x6861_6269_7473;

/// Worlds in a hundred in which people pause.
const PAUSES_PERCENT: usize = 25;

impl Habits {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ HABITS);
        let pauses = if dice.chance(PAUSES_PERCENT) {
            Pauses::Sometimes
        } else {
            Pauses::Never
        };
        Self { dice, pauses }
    }
}

impl World {
    /// Draws what people set in the time that comes.
    pub(super) fn draw_habits(&mut self, within: Duration) {
        if self.habits.pauses == Pauses::Never {
            return;
        }
        let most = usize::try_from(within.as_millis()).unwrap_or(0);
        for _ in 0..self.habits.dice.between(1, 4) {
            let seat = self.habits.dice.below(self.seats.len());
            let begins = self.habits.dice.millis(0, most);
            // Some think better of it at once.
            let lasts = if self.habits.dice.chance(40) {
                self.habits.dice.millis(0, 300)
            } else {
                self.habits.dice.millis(300, 30_000)
            };
            self.after(begins, Event::Habit(Habit::Pause(seat)));
            self.after(begins + lasts, Event::Habit(Habit::Resume(seat)));
        }
    }

    pub(super) fn habit(&mut self, habit: Habit) {
        match habit {
            Habit::Pause(seat) => self.set(seat, |settings| settings.activity = Activity::Paused),
            Habit::Resume(seat) => self.set(seat, |settings| settings.activity = Activity::Running),
        }
    }

    /// Everybody lets the folder go on.
    pub(super) fn resume_all(&mut self) {
        for seat in 0..self.seats.len() {
            if self.is_paused(seat) {
                self.habit(Habit::Resume(seat));
            }
        }
    }

    fn set(&mut self, seat: usize, change: impl FnOnce(&mut FolderSettings)) {
        if let (Some(folder), Some(mut settings)) = (self.folder, self.settings(seat)) {
            change(&mut settings);
            self.command(seat, Command::ConfigureFolder(folder, Box::new(settings)));
        }
    }

    fn settings(&self, seat: usize) -> Option<FolderSettings> {
        let folder = self.folder?;
        let snapshot = self.snapshot(seat)?;
        let ours = snapshot.folders.iter();
        let mut ours = ours.filter(|ours| ours.record.id == folder);
        ours.next().map(|ours| ours.record.settings.clone())
    }

    fn is_paused(&self, seat: usize) -> bool {
        self.settings(seat)
            .is_some_and(|settings| settings.activity == Activity::Paused)
    }

    /// A paused folder leaves its disk alone.
    pub(super) fn watch_disk(&mut self, seat: usize, request: &DiskRequest) {
        let is_work = match request {
            DiskRequest::Open(_)
            | DiskRequest::Scan(..)
            | DiskRequest::ContinueScan(_)
            | DiskRequest::Apply(..) => true,
            DiskRequest::Prepare { .. } | DiskRequest::Close | DiskRequest::NoteAge(_) => false,
        };
        if is_work && self.habits.pauses == Pauses::Sometimes && self.is_paused(seat) {
            let what = format!("{seat} is paused and asks for {request:?}");
            self.violate("6: a paused side keeps its bytes", what);
        }
    }

    /// A paused folder tells its peers nothing.
    pub(super) fn watch_page(&mut self, seat: usize) {
        if self.habits.pauses == Pauses::Sometimes && self.is_paused(seat) {
            let what = format!("{seat} is paused and tells of its files");
            self.violate("a paused folder is silent", what);
        }
    }
}
