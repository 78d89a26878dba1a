//! What goes wrong: cuts, crashes, unplugged disks, full disks, stores rolled back or lost.
//!
//! How many disasters come, [`crate::faults::Faults`] says; which, and when, is drawn when people begin
//! to work, each with its own end. [`World::heal`] ends all.
//!
//! A store may be put back from a copy at any time, also more than one of them and again and again.

use std::time::Duration;

use towline_core::records::StoreOp;
use towline_wire::ids::Incarnation;

use super::{Event, World};
use crate::shelf::Shelf;
use crate::tree::Presence;

/// Something that goes wrong, or is well again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The device ends after so many more outputs.
    Crash {
        seat: usize,
        outputs: u32,
        wait: Duration,
    },
    CutDirect(usize, usize),
    MendDirect,
    /// Nothing passes between a group of seats, as bits, and all others.
    Part(u32),
    Join,
    CutServer(usize),
    StopServer,
    MendServer,
    Unplug(usize),
    /// Another directory lies where the root was.
    Replace(usize),
    Plug(usize),
    /// Nothing can be written there for a while.
    FillDisk(usize, Duration),
    /// The system lets nobody read a part of the root.
    Lock(usize),
    Unlock(usize),
    /// The wall clock jumps, by nanoseconds.
    JumpClock(usize, i64),
    /// A copy of the store is made.
    Backup(usize),
    /// The copy takes the store's place.
    Restore(usize),
    /// The store loses the next so many batches, and the device crashes.
    Tear(usize, u32),
    /// The machine goes down, with what its disk had not yet written.
    PowerCut {
        seat: usize,
        wait: Duration,
    },
    /// The store is gone; the person adds peers and the folder anew.
    LoseStore(usize),
}

/// Whether things go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Weather {
    #[default]
    Calm,
    Rough,
}

/// Nanoseconds of a minute, and of a year.
const MINUTE: i64 = 60_000_000_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

impl World {
    /// Draws the disasters of the time that comes.
    pub(super) fn draw_disasters(&mut self, within: Duration) {
        self.weather = Weather::Rough;
        let most = usize::try_from(within.as_millis()).unwrap_or(0);
        for _ in 0..self.faults.disasters {
            let at = self.dice.millis(0, most);
            let lasts = self.dice.millis(100, 40_000);
            let seat = self.dice.below(self.seats.len());
            let (begins, ends) = self.draw_disaster(seat, lasts);
            self.after(at, Event::Fault(begins));
            if let Some(ends) = ends {
                self.after(at + lasts, Event::Fault(ends));
            }
        }
        self.draw_power_cuts(within);
    }

    fn draw_disaster(&mut self, seat: usize, lasts: Duration) -> (Fault, Option<Fault>) {
        let other = (seat + 1 + self.dice.below(self.seats.len() - 1)) % self.seats.len();
        match self.dice.below(36) {
            0..9 => {
                let outputs = self.dice.below(40) as u32;
                let wait = self.dice.millis(50, 15_000);
                let crash = Fault::Crash {
                    seat,
                    outputs,
                    wait,
                };
                (crash, None)
            }
            9..12 => (Fault::CutDirect(seat, other), Some(Fault::MendDirect)),
            12 => (Fault::CutDirect(seat, other), None),
            13..16 => {
                let group = self.dice.between(1, (1 << self.seats.len()) - 2) as u32;
                (Fault::Part(group), Some(Fault::Join))
            }
            16..18 => (Fault::CutServer(seat), Some(Fault::MendServer)),
            18 => (Fault::StopServer, Some(Fault::MendServer)),
            19 => (Fault::Unplug(seat), Some(Fault::Plug(seat))),
            20 => (Fault::Replace(seat), Some(Fault::Plug(seat))),
            21 => (Fault::FillDisk(seat, lasts), None),
            22..25 => (Fault::Lock(seat), Some(Fault::Unlock(seat))),
            25..27 => {
                let far = [MINUTE, 60 * MINUTE, YEAR, -MINUTE, -60 * MINUTE, -YEAR];
                let jump = self.dice.pick(&far).copied().unwrap_or(YEAR);
                (Fault::JumpClock(seat, jump), None)
            }
            27..29 => (Fault::Tear(seat, self.dice.below(6) as u32), None),
            29 => (Fault::LoseStore(seat), None),
            _ => (Fault::Backup(seat), Some(Fault::Restore(seat))),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if self.weather == Weather::Calm {
            return;
        }
        self.note(format_args!("fault {fault:?}"));
        match fault {
            Fault::Crash {
                seat,
                outputs,
                wait,
            } => {
                let place = self.seat_mut(seat);
                place.outputs_left = Some(outputs);
                place.restart_after = wait;
            }
            Fault::CutDirect(one, other) => self.cut_direct(one, other),
            Fault::MendDirect => self.wires.cut.clear(),
            Fault::Part(group) => self.part(group),
            Fault::Join => self.wires.parted.clear(),
            Fault::CutServer(seat) => self.cut_server(seat),
            Fault::StopServer => self.server_stops(),
            Fault::MendServer => self.heal_server(),
            Fault::Unplug(seat) => self.set_presence(seat, Presence::Away),
            Fault::Replace(seat) => self.set_presence(seat, Presence::Another),
            Fault::Plug(seat) => self.set_presence(seat, Presence::There),
            Fault::FillDisk(seat, lasts) => {
                self.seat_mut(seat).refuses_until = self.now + lasts;
            }
            Fault::Lock(seat) => self.lock(seat),
            Fault::Unlock(seat) => self.unlock(seat),
            Fault::JumpClock(seat, jump) => self.seat_mut(seat).wall_offset += jump,
            Fault::Backup(seat) => {
                let place = self.seat_mut(seat);
                place.backup = place.shelf.copy();
            }
            Fault::Restore(seat) => self.restore(seat),
            Fault::Tear(seat, batches) => {
                let place = self.seat_mut(seat);
                place.backup = place.shelf.copy();
                place.tears_after = Some(batches);
            }
            Fault::PowerCut { seat, wait } => self.lose_power(seat, wait),
            // Without its store nobody can tell what a power cut has left from what people wrote; and
            // where a peer's has gone with the record of a delete, what is left is all that there is.
            Fault::LoseStore(_) if self.is_anything_spoiled() => {}
            Fault::LoseStore(seat) => self.lose_store(seat),
        }
    }

    /// Takes the rights off something that lies there.
    fn lock(&mut self, seat: usize) {
        let paths: Vec<_> = self
            .seat(seat)
            .tree
            .iter()
            .map(|(path, _)| path.clone())
            .collect();
        if let Some(path) = self.dice.pick(&paths).cloned() {
            self.note(format_args!("{seat} cannot read {path}"));
            self.seat_mut(seat).tree.locked.insert(path);
        }
    }

    fn unlock(&mut self, seat: usize) {
        let locked = std::mem::take(&mut self.seat_mut(seat).tree.locked);
        self.disturb(seat, locked);
    }

    /// A batch is durable; perhaps it was the last before the store loses what came after its copy.
    pub(super) fn wears(&mut self, seat: usize) {
        match &mut self.seat_mut(seat).tears_after {
            None => {}
            Some(0) => self.restore(seat),
            Some(left) => *left -= 1,
        }
    }

    fn restore(&mut self, seat: usize) {
        let copy = self.seat(seat).backup.as_ref().and_then(Shelf::copy);
        if let Some(copy) = copy {
            self.has_forgotten = true;
            self.forget_goings();
            self.replace_shelf(seat, copy);
        }
    }

    fn lose_store(&mut self, seat: usize) {
        let incarnation = Incarnation(self.dice.number());
        let mut shelf = Shelf::new(self.shape.store, incarnation);
        let before = self.seat(seat).shelf.restored();
        let mut operations = vec![StoreOp::PutDeviceName(before.name)];
        operations.extend(before.peers.into_iter().map(StoreOp::PutPeer));
        operations.extend(
            before
                .folders
                .into_iter()
                .map(|folder| StoreOp::PutFolder(folder.record)),
        );
        shelf.put(operations);
        self.seat_mut(seat).backup = None;
        self.has_forgotten = true;
        self.replace_shelf(seat, shelf);
    }

    fn replace_shelf(&mut self, seat: usize, shelf: Shelf) {
        self.crash(seat);
        self.forget_taken(seat);
        let place = self.seat_mut(seat);
        // Also a crash that waits for the device's next life.
        place.outputs_left = None;
        place.tears_after = None;
        if place.believed.is_some() {
            place.believed = shelf.copy();
        }
        place.shelf = shelf;
        let wait = self.dice.millis(50, 5000);
        self.after(wait, Event::Restart { seat });
    }

    /// Everything is well again, and stays so.
    pub(super) fn heal(&mut self) {
        self.note(format_args!("all is well"));
        self.weather = Weather::Calm;
        self.heal_direct();
        self.heal_server();
        for seat in 0..self.seats.len() {
            self.set_presence(seat, Presence::There);
            let place = self.seat_mut(seat);
            place.refuses_until = Duration::ZERO;
            place.outputs_left = None;
            place.tears_after = None;
            self.unlock(seat);
            self.start(seat);
        }
    }
}
