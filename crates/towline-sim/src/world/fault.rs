//! What goes wrong: cuts, crashes, unplugged disks, full disks, stores rolled back or lost.
//!
//! Faults are drawn when the world begins to live, each with its own end. [`World::heal`] ends all.
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
    CutServer(usize),
    StopServer,
    MendServer,
    Unplug(usize),
    Plug(usize),
    /// Nothing can be written there for a while.
    FillDisk(usize, Duration),
    /// A copy of the store is made.
    Backup(usize),
    /// The copy takes the store's place.
    Restore(usize),
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

impl World {
    /// Draws the faults of the time that comes.
    pub(super) fn draw_faults(&mut self, within: Duration) {
        self.weather = Weather::Rough;
        let most = usize::try_from(within.as_millis()).unwrap_or(0);
        for _ in 0..self.dice.below(9) {
            let at = self.dice.millis(0, most);
            let lasts = self.dice.millis(100, 40_000);
            let seat = self.dice.below(self.seats.len());
            let other = (seat + 1 + self.dice.below(self.seats.len() - 1)) % self.seats.len();
            let (begins, ends) = match self.dice.below(25) {
                0..8 => {
                    let outputs = self.dice.below(40) as u32;
                    let wait = self.dice.millis(50, 15_000);
                    (
                        Fault::Crash {
                            seat,
                            outputs,
                            wait,
                        },
                        None,
                    )
                }
                8..11 => (Fault::CutDirect(seat, other), Some(Fault::MendDirect)),
                11..13 => (Fault::CutServer(seat), Some(Fault::MendServer)),
                13 => (Fault::StopServer, Some(Fault::MendServer)),
                14 => (Fault::Unplug(seat), Some(Fault::Plug(seat))),
                15 => (Fault::FillDisk(seat, lasts), None),
                16..18 | 20.. => (Fault::Backup(seat), Some(Fault::Restore(seat))),
                18 => (Fault::LoseStore(seat), None),
                _ => (Fault::CutDirect(seat, other), None),
            };
            self.after(at, Event::Fault(begins));
            if let Some(ends) = ends {
                self.after(at + lasts, Event::Fault(ends));
            }
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
            Fault::CutServer(seat) => self.cut_server(seat),
            Fault::StopServer => self.server_stops(),
            Fault::MendServer => self.heal_server(),
            Fault::Unplug(seat) => self.set_presence(seat, Presence::Away),
            Fault::Plug(seat) => self.set_presence(seat, Presence::There),
            Fault::FillDisk(seat, lasts) => {
                self.seat_mut(seat).refuses_until = self.now + lasts;
            }
            Fault::Backup(seat) => {
                let place = self.seat_mut(seat);
                place.backup = place.shelf.copy();
            }
            Fault::Restore(seat) => self.restore(seat),
            Fault::LoseStore(seat) => self.lose_store(seat),
        }
    }

    fn restore(&mut self, seat: usize) {
        let copy = self.seat(seat).backup.as_ref().and_then(Shelf::copy);
        if let Some(copy) = copy {
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
        self.replace_shelf(seat, shelf);
    }

    fn replace_shelf(&mut self, seat: usize, shelf: Shelf) {
        self.crash(seat);
        self.forget_taken(seat);
        let place = self.seat_mut(seat);
        // Also a crash that waits for the device's next life.
        place.outputs_left = None;
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
            self.start(seat);
        }
    }
}
