//! The devices of a world: their lives, clocks and outputs, and what they are told.
//!
//! A device's outputs are performed one by one, and between any two of them it can crash.

use std::collections::BTreeMap;
use std::time::Duration;

use towline_core::clock::Moment;
use towline_core::command::{Answer, Command, CommandId, Refusal};
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{Discovery, Input, NetworkEvent, Output};
use towline_core::records::{ScopeRule, ServersRule};
use towline_core::sessions::Elsewhere;
use towline_core::snapshot::Snapshot;
use towline_wire::entry::UnixNanos;
use towline_wire::ice::IceServers;

use super::{Event, Eyes, OUTPUTS_MAX, Seat, Told, World, network, server};
use crate::rule::Rule;

impl World {
    pub(super) fn moment(&self, seat: usize) -> Moment {
        Moment::from_start(self.now + self.seat(seat).clock_offset)
    }

    /// The device's wall clock.
    pub(crate) fn wall(&self, seat: usize) -> UnixNanos {
        let since = i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX);
        UnixNanos(1_700_000_000_000_000_000 + since + self.seat(seat).wall_offset)
    }

    /// Starts a device from its store.
    pub(crate) fn start(&mut self, seat: usize) {
        if self.is_up(seat) {
            return;
        }
        self.note(format_args!("{seat} starts"));
        let seed: [u8; 32] = self.dice.bytes();
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        place.run += 1;
        place.birth_seed = seed;
        place.answers_until = Duration::ZERO;
        let birth = Self::birth(place, seed);
        if place.memory.is_some() {
            place.first_life = Some((now, birth.restored.clone()));
        }
        place.device = Some(Device::new(now, birth));
        self.shift_times(seat);
        let place = self.seat_mut(seat);
        if let Some(memory) = &mut place.memory {
            memory.clear();
        }
        self.perform(seat);
        let addresses = network::address_of(seat).into_iter().collect();
        self.deliver(
            seat,
            Duration::from_millis(1),
            Input::Network(NetworkEvent::LocalAddresses(addresses)),
        );
    }

    pub(super) fn birth(place: &Seat, seed: [u8; 32]) -> Birth {
        Birth {
            seed,
            identity: Identity::from_seed(&place.key),
            restored: place.shelf.restored(),
            servers: server::URL.parse().into_iter().collect(),
            servers_rule: ServersRule::Chosen,
            elsewhere: Elsewhere::Allowed,
            ice: IceServers::default(),
            places: BTreeMap::new(),
            scope: ScopeRule::Chosen,
            // The world has no multicast; what devices announce nobody hears.
            discovery: Discovery::Off,
        }
    }

    /// The device is gone between two outputs, with all that was under way.
    pub(crate) fn crash(&mut self, seat: usize) {
        if !self.is_up(seat) {
            return;
        }
        self.note(format_args!("{seat} crashes"));
        self.has_forgotten |= self.people.is_busy();
        self.half_a_batch(seat);
        self.power_cut(seat);
        let place = self.seat_mut(seat);
        place.device = None;
        place.requests.clear();
        place.eyes = Eyes::Closed;
        place.scanning = None;
        place.applying.clear();
        place.trust.clear();
        place.grants.clear();
        place.selected.clear();
        place.outputs_left = None;
        place.due = None;
        if place.believed.is_some() {
            place.believed = place.shelf.copy();
        }
        self.wires_lost(seat);
        self.sockets_lost(seat);
    }

    pub(crate) fn deliver(&mut self, seat: usize, delay: Duration, input: Input) {
        let run = self.seat(seat).run;
        self.after(delay, Event::Deliver { seat, run, input });
    }

    pub(crate) fn command(&mut self, seat: usize, command: Command) -> CommandId {
        let place = self.seat_mut(seat);
        place.commands += 1;
        let id = CommandId(place.commands);
        if self.is_up(seat) {
            self.tell(seat, Input::Command(id, command));
        }
        id
    }

    pub(crate) fn reply_to(&self, seat: usize, id: CommandId) -> Option<Result<Answer, Refusal>> {
        self.seat(seat).replies.get(&id).copied()
    }

    pub(crate) fn snapshot(&self, seat: usize) -> Option<Snapshot> {
        let now = self.moment(seat);
        self.seat(seat)
            .device
            .as_ref()
            .map(|device| device.snapshot(now))
    }

    pub(super) fn tell(&mut self, seat: usize, input: Input) {
        let input = self.bent(seat, input);
        self.note(format_args!("{seat} <- {input:?}"));
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        if let Some(memory) = &mut place.memory {
            memory.push((now, Told::Input(input.clone())));
        }
        if let Some(device) = &mut place.device {
            device.handle_input(now, input);
        }
        self.perform(seat);
    }
    pub(super) fn timeout(&mut self, seat: usize) {
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        let Some(device) = &mut place.device else {
            return;
        };
        place.due = None;
        // Between its making and its coming the timeout may have moved.
        if device.poll_timeout().is_some_and(|due| due <= now) {
            if let Some(memory) = &mut place.memory {
                memory.push((now, Told::Timeout));
            }
            device.handle_timeout(now);
            self.perform(seat);
        } else {
            self.arm(seat);
        }
    }

    /// Sees to it that the device is woken when it wants to be.
    pub(super) fn arm(&mut self, seat: usize) {
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        let Some(wanted) = place.device.as_ref().and_then(Device::poll_timeout) else {
            return;
        };
        if place.due.is_some_and(|due| due <= wanted) {
            return;
        }
        place.due = Some(wanted);
        let run = place.run;
        self.after(wanted.since(now), Event::Timeout { seat, run });
    }

    /// Performs outputs one by one, unless a crash comes between.
    pub(super) fn perform(&mut self, seat: usize) {
        loop {
            let place = self.seat_mut(seat);
            if place.outputs_left == Some(0) {
                let wait = place.restart_after;
                self.crash(seat);
                return self.after(wait, Event::Restart { seat });
            }
            let Some(output) = place.device.as_mut().and_then(Device::poll_output) else {
                break;
            };
            if let Some(left) = &mut place.outputs_left {
                *left -= 1;
            }
            self.outputs += 1;
            if self.outputs > OUTPUTS_MAX {
                let what = format!("{} outputs and no end", self.outputs);
                return self.violate(Rule::Ends, what);
            }
            self.note(format_args!("{seat} -> {output:?}"));
            match output {
                Output::Store(request) => self.store_asked(seat, request),
                Output::Disk(folder, request) => self.disk_asked(seat, folder, request),
                Output::Network(request) => self.network_asked(seat, request),
                Output::Signal(id, request) => self.signal_asked(seat, id, request),
                Output::Reply(id, answer) => self.replied(seat, id, answer),
            }
        }
        self.arm(seat);
    }

    pub(super) fn replied(&mut self, seat: usize, id: CommandId, answer: Result<Answer, Refusal>) {
        if let Ok(Answer::Folder(folder)) = answer {
            let kept = self.seat(seat).shelf.restored().folders;
            if !kept.iter().any(|kept| kept.record.id == folder) {
                let what = format!("{seat} answered with folder {folder}, which is not durable");
                self.violate(Rule::Durable, what);
            }
        }
        self.seat_mut(seat).replies.insert(id, answer);
    }
}
