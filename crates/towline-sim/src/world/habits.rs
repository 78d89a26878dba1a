//! What people set for the folder on their devices, and when: drawn from dice of their own, so that a
//! world without such habits is the one that its seed always was.
//!
//! A person pauses the folder for a while and lets it go on. While it is paused the device must leave
//! disk and peers alone; what happens meanwhile is found afterwards.
//!
//! In some worlds brakes hold beyond a few entries, and one person clears the whole folder. No more than
//! the bound may be gone on another device before its person says yes or has it undone. What counts is a
//! file whose last bytes there a step takes away. It counts for whoever wrote that it shall go, never for
//! the device where it goes, and a budget holds for longer than people are busy. One thing is no loss by
//! others: a peer moved the file, and the person here took the bytes from their new name before the device
//! had seen that, so that it took the old name away as half of a move.
//!
//! On one device the folder may go one way only, for its whole life. A device that only sends is never
//! given a step; at the end its person has the others follow, and all are as it was. What people do on
//! a device that only receives is no act in the ledger: nobody else ever sees it, and at the end its
//! person undoes it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_core::command::Command;
use towline_core::io::{DiskRequest, Expected, Step};
use towline_core::records::{Activity, Brake, FolderSettings, Mode};
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::{Event, World};
use crate::dice::Dice;
use crate::oracle;
use crate::rule::Rule;

/// What a person sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Habit {
    Pause(usize),
    Resume(usize),
    /// Everything goes at once.
    Clear(usize),
    /// One conflict is decided.
    Decide(usize),
}

/// The habits of a world's people.
#[derive(Debug)]
pub(super) struct Habits {
    dice: Dice,
    pauses: Pauses,
    one_way: OneWay,
    brakes: Brakes,
    /// Files whose last bytes went on a seat by what others did, while its brake was never let go.
    taken: BTreeMap<usize, u64>,
    /// Files that people themselves took away from a name on their seats.
    taken_by_hand: BTreeSet<(usize, ContentHash)>,
    /// Seats where more may have gone: a person said yes, or the store forgot what was counted.
    let_go: BTreeSet<usize>,
    undone: Undone,
}

/// How brakes are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brakes {
    /// They never hold.
    Loose,
    /// Beyond a few entries.
    Tight,
}

/// What a person says of what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    GoesOn,
    Undone,
}

/// Whether a file that a step takes away is half of a move, as far as its device knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// The bytes lie nowhere else.
    Whole,
    /// Its rows have the same bytes under another name.
    Half,
}

/// Whether somebody undid another's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undone {
    Never,
    Once,
}

/// Whether the folder goes one way only on one of the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OneWay {
    Nowhere,
    On(usize, Mode),
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

/// Worlds in a hundred, of the others of those, in which brakes are tight.
const BRAKES_PERCENT: usize = 30;

/// Entries that one device may take away where brakes are tight.
const TIGHT: u32 = 3;

/// How long a device's budget holds at least: 10 minutes, counted from what it took first. People are
/// busy for a minute and a half, and then decide.
const BUDGET_HOLDS: Duration = Duration::from_secs(600);

/// Decisions on what waits that people draw, one after the other: 12. One may bring the next question to
/// another device.
const DECISIONS: usize = 12;

/// Rounds in which everybody then says yes to all that waits: 12. A yes is no write of its own, so each
/// lets what there is go one device further, and a world has five devices at most.
const ROUNDS_OF_YES: usize = 12;

/// Worlds in a hundred, of those whose people are peers from the beginning, in which the folder goes one
/// way on a device.
const ONE_WAY_PERCENT: usize = 35;

/// Worlds in a hundred, of those in which it may be, in which a file is moved at the end.
const MOVES_PERCENT: usize = 40;

impl Habits {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ HABITS);
        let pauses = if dice.chance(PAUSES_PERCENT) {
            Pauses::Sometimes
        } else {
            Pauses::Never
        };
        Self {
            dice,
            pauses,
            one_way: OneWay::Nowhere,
            brakes: Brakes::Loose,
            taken: BTreeMap::new(),
            taken_by_hand: BTreeSet::new(),
            let_go: BTreeSet::new(),
            undone: Undone::Never,
        }
    }

    /// Chooses, before anybody has written anything, whether the folder goes one way on a device.
    pub(super) fn choose_way(&mut self, devices: usize) {
        if self.dice.chance(ONE_WAY_PERCENT) {
            let mode = if self.dice.chance(35) {
                Mode::SendOnly
            } else {
                Mode::ReceiveOnly
            };
            self.one_way = OneWay::On(self.dice.below(devices), mode);
        } else if self.dice.chance(BRAKES_PERCENT) {
            self.brakes = Brakes::Tight;
        }
    }

    pub(super) fn settings_of(&self, seat: usize) -> FolderSettings {
        FolderSettings {
            mode: self.mode_of(seat),
            brake: match self.brakes {
                Brakes::Loose => Brake::Off,
                Brakes::Tight => Brake::At {
                    entries_max: TIGHT,
                    percent_max: 100,
                },
            },
            ..FolderSettings::default()
        }
    }

    fn mode_of(&self, seat: usize) -> Mode {
        match self.one_way {
            OneWay::On(at, mode) if at == seat => mode,
            OneWay::On(..) | OneWay::Nowhere => Mode::TwoWay,
        }
    }
}

impl World {
    /// Draws what people set in the time that comes.
    pub(super) fn draw_habits(&mut self, within: Duration) {
        if self.habits.brakes == Brakes::Tight {
            let most = usize::try_from(within.as_millis()).unwrap_or(0);
            let seat = self.habits.dice.below(self.seats.len());
            let at = self.habits.dice.millis(0, most);
            self.after(at, Event::Habit(Habit::Clear(seat)));
        }
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
            Habit::Clear(seat) => self.clear(seat),
            Habit::Decide(seat) => self.decide_conflict(seat),
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

    /// Whether what the person at a seat does is for that seat alone.
    pub(crate) fn keeps_to_itself(&self, seat: usize) -> bool {
        self.habits.mode_of(seat) == Mode::ReceiveOnly
    }

    /// Whether files may be moved at the end: where every device goes both ways and nothing waits for a yes.
    pub(super) fn may_move(&mut self) -> bool {
        let plain = self.habits.one_way == OneWay::Nowhere && self.habits.brakes == Brakes::Loose;
        plain && self.habits.dice.chance(MOVES_PERCENT)
    }

    /// Whether a person has made all others follow, so that what they wrote is gone with good reason.
    pub(crate) fn is_overridden(&self) -> bool {
        let undone = self.habits.undone == Undone::Once;
        undone || matches!(self.habits.one_way, OneWay::On(_, Mode::SendOnly))
    }

    /// The last bytes of a file are gone on a device by a step.
    pub(super) fn note_taken(&mut self, seat: usize, hash: ContentHash, parting: Parting) {
        if self.habits.brakes == Brakes::Loose
            || self.habits.let_go.contains(&seat)
            || self.now >= BUDGET_HOLDS
        {
            return;
        }
        if parting == Parting::Half && self.habits.taken_by_hand.contains(&(seat, hash)) {
            return;
        }
        let taken = self.habits.taken.entry(seat).or_default();
        *taken += 1;
        // What a device itself has written comes back to it, too: its own delete wins over a copy that a peer has
        // made again.
        let (taken, authors) = (*taken, self.seats.len() as u64);
        if taken > authors * u64::from(TIGHT) {
            let what = format!("{taken} files are gone on {seat}, and nobody was asked");
            self.violate(Rule::MassChangeWaits, what);
        }
    }

    /// The person at a seat takes a file away from one of its names.
    pub(super) fn note_taken_by_hand(&mut self, seat: usize, content: &Content) {
        if let (Brakes::Tight, Content::File { hash, .. }) = (self.habits.brakes, content) {
            self.habits.taken_by_hand.insert((seat, *hash));
        }
    }

    /// What a device knows of a file that it has just asked to be taken away.
    pub(super) fn parting(&mut self, seat: usize, folder: FolderId, path: &RelPath) -> Parting {
        if self.habits.brakes == Brakes::Loose {
            return Parting::Whole;
        }
        let hash_of = |content: &Content| match content {
            Content::File { hash, .. } => Some(*hash),
            Content::Absent | Content::Directory | Content::Symlink { .. } => None,
        };
        self.seat_mut(seat).shelf.with_rows(folder, |rows| {
            let goes = rows.get(path).and_then(|row| hash_of(&row.entry.content));
            let mut others = rows.iter().filter(|(other, _)| *other != path);
            if goes.is_some() && others.any(|(_, row)| hash_of(&row.entry.content) == goes) {
                Parting::Half
            } else {
                Parting::Whole
            }
        })
    }

    /// What was counted on a device is forgotten, or will be.
    pub(super) fn forget_taken(&mut self, seat: usize) {
        self.habits.let_go.insert(seat);
    }

    /// Everybody decides what waits: lets it go on, or undoes it. Who undoes what undid a change of his own
    /// may go on so for ever; in the end everybody says yes.
    pub(super) fn decide_brakes(&mut self) {
        for _ in 0..DECISIONS {
            self.become_quiet();
            let Some((seat, peer)) = self.all_braked().first().copied() else {
                return;
            };
            let decision = if self.habits.dice.chance(50) {
                Decision::GoesOn
            } else {
                Decision::Undone
            };
            self.decide_brake(seat, peer, decision);
        }
        for _ in 0..ROUNDS_OF_YES {
            self.become_quiet();
            if self.all_braked().is_empty() {
                return;
            }
            self.let_braked_go();
        }
    }

    /// Everybody says yes to what waits.
    pub(super) fn let_braked_go(&mut self) {
        for (seat, peer) in self.all_braked() {
            self.decide_brake(seat, peer, Decision::GoesOn);
        }
    }

    fn decide_brake(&mut self, seat: usize, peer: DeviceId, decision: Decision) {
        let Some(folder) = self.folder else { return };
        self.note(format_args!("{seat} decides on {peer:?}"));
        let command = match decision {
            Decision::GoesOn => Command::ReleaseBrake(folder, peer),
            Decision::Undone => {
                self.habits.undone = Undone::Once;
                Command::UndoBraked(folder, peer)
            }
        };
        self.habits.let_go.extend(0..self.seats.len());
        self.command(seat, command);
    }

    /// Who waits for a decision, and on whom.
    fn all_braked(&self) -> Vec<(usize, DeviceId)> {
        (0..self.seats.len())
            .flat_map(|seat| self.braked(seat).into_iter().map(move |peer| (seat, peer)))
            .collect()
    }

    fn braked(&self, seat: usize) -> Vec<DeviceId> {
        let snapshot = self.snapshot(seat);
        let folders = snapshot.into_iter().flat_map(|snapshot| snapshot.folders);
        folders
            .flat_map(|folder| folder.braked)
            .map(|braked| braked.peer)
            .collect()
    }

    /// Where the folder goes one way, its person makes all equal: the others follow, or what was done
    /// here is undone.
    pub(super) fn end_one_way(&mut self) {
        let (Some(folder), OneWay::On(seat, mode)) = (self.folder, self.habits.one_way) else {
            return;
        };
        self.become_quiet();
        match mode {
            Mode::TwoWay => {}
            Mode::SendOnly => {
                let before = oracle::shown(&self.seat(seat).tree);
                self.command(seat, Command::Override(folder));
                self.become_quiet();
                let all = self.seats.iter().map(|seat| oracle::shown(&seat.tree));
                let differs = all.enumerate().find_map(|(other, tree)| {
                    let mut paths = tree.keys().chain(before.keys());
                    let path = paths.find(|path| tree.get(*path) != before.get(*path))?;
                    Some((other, path.clone(), tree.get(path).cloned()))
                });
                if let Some((other, path, there)) = differs {
                    let was = before.get(&path);
                    let what = format!("{other} has {there:?} at {path}, and {seat} had {was:?}");
                    self.violate(Rule::OverrideFollows, what);
                }
            }
            Mode::ReceiveOnly => {
                self.nobody_else_has_it(seat);
                // Who changes something while it is being undone is asked again.
                for _ in 0..3 {
                    self.command(seat, Command::Revert(folder));
                    self.become_quiet();
                }
            }
        }
    }

    /// What a person wrote on a device that only receives has reached nobody.
    fn nobody_else_has_it(&mut self, receiver: usize) {
        for other in (0..self.seats.len()).filter(|other| *other != receiver) {
            let tree = &self.seat(other).tree;
            let leaked = tree
                .iter()
                .map(|(path, node)| (path, node.kind.content()))
                .filter(|(path, content)| !self.has_left(other, content, path))
                .find(|(_, content)| {
                    !self.ledger.was_born(content) && !self.is_all_that_is_left(content)
                })
                .map(|(path, _)| path.clone());
            if let Some(path) = leaked {
                let what = format!("{other} has what only {receiver} was to have, at {path}");
                self.violate(Rule::ReceiverTellsNothing, what);
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
            DiskRequest::Prepare { .. }
            | DiskRequest::Close
            | DiskRequest::NoteAge(_)
            | DiskRequest::Heed(_)
            | DiskRequest::KeepAttributes(_) => false,
        };
        if is_work && self.habits.pauses == Pauses::Sometimes && self.is_paused(seat) {
            let what = format!("{seat} is paused and asks for {request:?}");
            self.violate(Rule::PausedKeepsBytes, what);
        }
        // What a power cut has left there nobody has sent. It comes back, and so do the directories above it
        // where nothing lies.
        let spoiled = &self.seat(seat).spoiled;
        let is_above = |step: &Step| {
            let stands = step.expected == Expected::Nothing && step.content == Content::Directory;
            stands && spoiled.keys().any(|path| path.is_below(&step.path))
        };
        let keeps = |step: &Step| !spoiled.contains_key(&step.path) && !is_above(step);
        if let (DiskRequest::Apply(_, steps), Mode::SendOnly) = (request, self.habits.mode_of(seat))
            && steps.iter().any(keeps)
        {
            let what = format!("{seat} only sends and is asked for {steps:?}");
            self.violate(Rule::SenderKeepsBytes, what);
        }
    }

    /// A paused folder tells its peers nothing.
    pub(super) fn watch_page(&mut self, seat: usize) {
        if self.habits.pauses == Pauses::Sometimes && self.is_paused(seat) {
            let what = format!("{seat} is paused and tells of its files");
            self.violate(Rule::PausedIsSilent, what);
        }
    }
}
