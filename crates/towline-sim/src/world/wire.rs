//! Connections between devices: ordered frames, how they end, and who finds out when.

use std::collections::VecDeque;
use std::time::Duration;

use towline_core::io::{ConnectionId, Input, LinkFault, NetworkEvent, Path};
use towline_wire::ids::DeviceId;
use towline_wire::peer::Control;

use super::network::{IDLE, TICK, pair};
use super::{Event, World};
use crate::rule::Rule;

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    /// The dialer and the acceptor.
    pub(super) seats: [usize; 2],
    pub(super) ids: [ConnectionId; 2],
    pub(super) standing: [Standing; 2],
    /// Frames on their way to each end.
    pub(super) frames: [VecDeque<Control>; 2],
    pub(super) arrivals: [Duration; 2],
    pub(super) path: Path,
    pub(super) heard: Duration,
    pub(super) bytes: [u64; 2],
    pub(super) told_bytes: u64,
}

/// How an end sees the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Coming,
    Up,
    /// The device at this end has crashed.
    Down,
}

impl World {
    /// The connection that a device knows with a peer.
    pub(super) fn wire_with(&self, seat: usize, peer: DeviceId) -> Option<u64> {
        let lives = |wire: &Wire| wire.standing_at(seat) != Some(Standing::Down);
        self.wire_where(seat, peer, lives)
    }

    /// The same, if it has this name there.
    pub(super) fn wire_named(&self, seat: usize, peer: DeviceId, id: ConnectionId) -> Option<u64> {
        self.wire_where(seat, peer, |wire| {
            let end = wire.end_of(seat);
            end.is_some_and(|end| wire.standing[end] == Standing::Up && wire.ids[end] == id)
        })
    }

    pub(super) fn wire_where(
        &self,
        seat: usize,
        peer: DeviceId,
        mut is_it: impl FnMut(&Wire) -> bool,
    ) -> Option<u64> {
        let other = self.seat_of(peer)?;
        self.wires
            .wires
            .iter()
            .rev()
            .find(|(_, wire)| wire.other_than(seat) == Some(other) && is_it(wire))
            .map(|(number, _)| *number)
    }
    /// A connection or its next frame arrives at one end.
    pub(super) fn frame_arrives(&mut self, number: u64, end: usize) {
        let Some(wire) = self.wires.wires.get(&number) else {
            return;
        };
        let (path, [dialer, acceptor]) = (wire.path, wire.seats);
        if !wire.is_whole() {
            return;
        }
        if !self.works(path, dialer, acceptor) {
            // The path may come back, or the tick gives the connection up.
            let wait = self.dice.millis(200, 500);
            return self.after(wait, Event::Frame { wire: number, end });
        }
        let now = self.now;
        let Some(wire) = self.wires.wires.get_mut(&number) else {
            return;
        };
        wire.heard = now;
        let seat = wire.seats[end];
        let peer_seat = wire.seats[1 - end];
        let id = wire.ids[end];
        let standing = wire.standing[end];
        let frame = match standing {
            Standing::Coming => {
                wire.standing[end] = Standing::Up;
                None
            }
            Standing::Up => wire.frames[end].pop_front(),
            Standing::Down => return,
        };
        let peer = self.seat(peer_seat).id;
        match (standing, frame) {
            (Standing::Coming, _) => {
                self.tell(seat, Input::Network(NetworkEvent::Connected(peer, id)));
            }
            (Standing::Up | Standing::Down, Some(frame)) => {
                self.tell(
                    seat,
                    Input::Network(NetworkEvent::Received(peer, id, frame)),
                );
            }
            (Standing::Up | Standing::Down, None) => {}
        }
    }

    pub(super) fn send(&mut self, seat: usize, peer: DeviceId, frame: Control) {
        // Without a connection nobody is told anything.
        let Some(number) = self.wire_with(seat, peer) else {
            return;
        };
        self.check_told(seat, peer, &frame);
        let Some(frame) = self.bent_frame(seat, peer, frame) else {
            return;
        };
        // Addresses are told while links look for better paths, also at rest.
        self.work.frames += u64::from(!matches!(frame, Control::Addresses(_)));
        if matches!(frame, Control::Index(_)) {
            self.work.pages += 1;
            self.watch_page(seat);
        }
        let mut latency = self.latency();
        if self.loses_datagram() {
            latency += self.dice.millis(200, 1200);
        }
        let now = self.now;
        let Some(wire) = self.wires.wires.get_mut(&number) else {
            return;
        };
        let Some(from) = wire.end_of(seat) else {
            return;
        };
        if wire.standing[from] != Standing::Up {
            return;
        }
        let to = 1 - from;
        wire.bytes[from] += 100;
        if wire.standing[to] == Standing::Down {
            self.disowned(number);
            return;
        }
        wire.frames[to].push_back(frame);
        // A stream: nothing overtakes.
        let arrival = wire.arrivals[to].max(now + latency) + Duration::from_nanos(1);
        wire.arrivals[to] = arrival;
        self.at(
            arrival,
            Event::Frame {
                wire: number,
                end: to,
            },
        );
    }

    /// Nothing may be told before it is durable.
    pub(super) fn check_told(&mut self, seat: usize, peer: DeviceId, frame: &Control) {
        let shares = self.seat_of(peer).is_some_and(|other| {
            let mut edges = self.edges.iter();
            edges.any(|edge| edge.is_shared() && edge.joins(seat, other))
        });
        let is_of_folder = matches!(frame, Control::Index(_) | Control::IndexAck { .. });
        let tells = matches!(frame, Control::Folders(statements) if !statements.is_empty());
        if !shares && (is_of_folder || tells) {
            let what = format!("{seat} tells {peer} {frame:?}");
            return self.violate(Rule::OnlySharers, what);
        }
        let rule = Rule::Durable;
        let kept = |world: &Self, folder| {
            let folders = world.seat(seat).shelf.restored().folders;
            folders.into_iter().find(|kept| kept.record.id == folder)
        };
        let what = match frame {
            Control::Index(page) => {
                let last = kept(self, page.folder)
                    .map(|kept| kept.last_sequence)
                    .unwrap_or_default();
                (last < page.up_to).then(|| format!("{seat} tells {:?}, has {last:?}", page.up_to))
            }
            Control::IndexAck {
                folder,
                incarnation,
                up_to,
            } => {
                let have = kept(self, *folder).and_then(|kept| kept.have.get(&peer).copied());
                let is_kept =
                    have.is_some_and(|(kept, sequence)| kept == *incarnation && sequence >= *up_to);
                (!is_kept).then(|| format!("{seat} acknowledges {up_to:?}, has {have:?}"))
            }
            Control::Folders(statements) => statements.iter().find_map(|statement| {
                let stated = statement.have?;
                let have =
                    kept(self, statement.folder).and_then(|kept| kept.have.get(&peer).copied());
                // The store may be ahead: its answer is on the way.
                let is_kept =
                    have.is_some_and(|(kept, sequence)| kept == stated.0 && sequence >= stated.1);
                (!is_kept).then(|| format!("{seat} states {stated:?}, has {have:?}"))
            }),
            Control::Hello(_)
            | Control::Addresses(_)
            | Control::Prove(_)
            | Control::Vouch(_)
            | Control::Twin(_)
            | Control::Reflection(_)
            | Control::Scatter
            | Control::Scattered(_)
            | Control::Servers(_)
            | Control::WayOut(_) => None,
        };
        if let Some(what) = what {
            self.violate(rule, what);
        }
    }

    /// One end closes a connection.
    pub(super) fn hang_up(&mut self, number: u64, seat: usize, theirs: LinkFault) {
        let Some(wire) = self.wires.wires.remove(&number) else {
            return;
        };
        for end in [0, 1] {
            if wire.standing[end] != Standing::Up {
                // The other side's dial never comes through.
                if end == 0 && wire.standing[0] == Standing::Coming && wire.seats[0] != seat {
                    let peer = self.seat(wire.seats[1]).id;
                    let failed = NetworkEvent::DialFailed(peer, theirs);
                    let wait = self.latency();
                    self.deliver(wire.seats[0], wait, Input::Network(failed));
                }
                continue;
            }
            let peer = self.seat(wire.seats[1 - end]).id;
            let ours = wire.seats[end] == seat;
            let fault = if ours { LinkFault::Closed } else { theirs };
            let reaches = ours || self.works(wire.path, wire.seats[0], wire.seats[1]);
            let wait = if ours {
                Duration::from_micros(10)
            } else if reaches {
                self.latency()
            } else {
                IDLE
            };
            let gone = NetworkEvent::Disconnected(peer, wire.ids[end], fault);
            self.deliver(wire.seats[end], wait, Input::Network(gone));
        }
    }

    /// Everything about a seat's connections is forgotten there; the others find out by and by.
    pub(super) fn wires_lost(&mut self, seat: usize) {
        let lost: Vec<u64> = self
            .wires
            .wires
            .iter()
            .filter(|(_, wire)| wire.seats.contains(&seat))
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            let Some(wire) = self.wires.wires.get_mut(&number) else {
                continue;
            };
            let Some(end) = wire.end_of(seat) else {
                continue;
            };
            wire.standing[end] = Standing::Down;
            let (other, theirs) = (wire.seats[1 - end], wire.standing[1 - end]);
            let is_dialer = end == 1;
            match theirs {
                Standing::Up => {}
                Standing::Coming | Standing::Down => {
                    self.wires.wires.remove(&number);
                }
            }
            if theirs == Standing::Coming && is_dialer {
                let failed = NetworkEvent::DialFailed(self.seat(seat).id, LinkFault::TimedOut);
                let wait = self.dice.millis(100, 10_000);
                self.deliver(other, wait, Input::Network(failed));
            }
        }
    }

    /// Looks at all connections: silent ones are given up, busy ones measured.
    pub(super) fn tick(&mut self) {
        self.after(TICK, Event::Tick);
        let numbers: Vec<u64> = self.wires.wires.keys().copied().collect();
        for number in numbers {
            let Some(wire) = self.wires.wires.get(&number) else {
                continue;
            };
            let [dialer, acceptor] = wire.seats;
            let works = wire.is_whole() && self.works(wire.path, dialer, acceptor);
            let now = self.now;
            let latency = self.faults.network.latency;
            let Some(wire) = self.wires.wires.get_mut(&number) else {
                continue;
            };
            if works {
                wire.heard = now;
            }
            let silent = now - wire.heard;
            let sum = wire.bytes[0] + wire.bytes[1];
            let is_up = !wire.standing.contains(&Standing::Coming);
            if silent >= IDLE {
                let Some(wire) = self.wires.wires.remove(&number) else {
                    continue;
                };
                for end in [0, 1] {
                    let peer = self.seat(wire.seats[1 - end]).id;
                    let fault = LinkFault::TimedOut;
                    let event = match wire.standing[end] {
                        Standing::Up => NetworkEvent::Disconnected(peer, wire.ids[end], fault),
                        Standing::Coming if end == 0 => NetworkEvent::DialFailed(peer, fault),
                        Standing::Coming | Standing::Down => continue,
                    };
                    let wait = self.dice.millis(0, 1000);
                    self.deliver(wire.seats[end], wait, Input::Network(event));
                }
            } else if is_up && (sum != wire.told_bytes || !works) {
                wire.told_bytes = sum;
                // A dead path eats retransmissions.
                if !works {
                    wire.bytes[0] += 50;
                }
                let (bytes, standing) = (wire.bytes, wire.standing);
                for end in [0, 1] {
                    if standing[end] == Standing::Down {
                        continue;
                    }
                    let (seat, other) = ([dialer, acceptor][end], [acceptor, dialer][end]);
                    let measured = NetworkEvent::Measured {
                        peer: self.seat(other).id,
                        rtt: latency * 2,
                        received_bytes: bytes[1 - end],
                        sent_bytes: bytes[end],
                        silent_for: silent,
                    };
                    self.deliver(seat, Duration::ZERO, Input::Network(measured));
                }
            }
        }
    }

    /// The standing connection on which bytes can be fetched now.
    pub(super) fn fetch_wire(&self, seat: usize, source: usize) -> Option<u64> {
        let number = self.wire_with(seat, self.seat(source).id)?;
        let wire = self.wires.wires.get(&number)?;
        let works = wire.standing == [Standing::Up; 2]
            && self.works(wire.path, wire.seats[0], wire.seats[1]);
        works.then_some(number)
    }

    /// Whether both ends see a connection that works.
    pub(super) fn are_connected(&self, one: usize, other: usize) -> bool {
        self.fetch_wire(one, other).is_some()
    }

    /// Nothing passes between those in a group and all others.
    pub(super) fn part(&mut self, group: u32) {
        let is_in = |seat: usize| group & (1 << seat) != 0;
        for other in 0..self.seats.len() {
            for one in 0..other {
                if is_in(one) != is_in(other) {
                    self.wires.parted.insert(pair(one, other));
                }
            }
        }
    }

    /// Cuts the direct way between two seats.
    pub(super) fn cut_direct(&mut self, one: usize, other: usize) {
        self.wires.cut.insert(pair(one, other));
    }

    pub(super) fn heal_direct(&mut self) {
        self.wires.cut.clear();
        self.wires.parted.clear();
        self.faults.network.loss_percent = 0;
    }
}
impl Wire {
    pub(super) fn other_than(&self, seat: usize) -> Option<usize> {
        match self.seats {
            [one, other] if one == seat => Some(other),
            [one, other] if other == seat => Some(one),
            [_, _] => None,
        }
    }

    pub(super) fn standing_at(&self, seat: usize) -> Option<Standing> {
        self.end_of(seat).map(|end| self.standing[end])
    }

    /// Whether neither end has crashed.
    pub(super) fn is_whole(&self) -> bool {
        !self.standing.contains(&Standing::Down)
    }

    pub(super) fn end_of(&self, seat: usize) -> Option<usize> {
        self.seats.iter().position(|end| *end == seat)
    }
}
