//! Links between devices: addresses, probes, the relay, and connections with ordered frames.
//!
//! A connection lives as long as its selected path works at least every few seconds; while it does
//! not, frames wait, as in a reliable stream. When one end crashes the other one keeps its end until
//! it has missed the first for long enough, asks and hears nothing, or sends something that the
//! crashed device's next life disowns, which in half of the worlds it can. Keys are checked as TLS would: both sides must trust
//! each other. The relay's packets are not modelled, only whether both ends of a channel are open.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use towline_core::io::{ConnectionId, Input, LinkFault, NetworkEvent, NetworkRequest, Path};
use towline_wire::entry::Content;
use towline_wire::ids::DeviceId;
use towline_wire::peer::Control;

use super::{Event, World};
use crate::dice::Dice;
use crate::mutation::Mutation;

/// Silence after which both sides give a connection up.
const IDLE: Duration = Duration::from_secs(15);

/// Pause between two looks at all connections.
const TICK: Duration = Duration::from_secs(1);

/// All links.
#[derive(Debug)]
pub(crate) struct Wires {
    wires: BTreeMap<u64, Wire>,
    last: u64,
    /// Pairs of seats, lower first, between which no datagram passes.
    pub(crate) cut: std::collections::BTreeSet<(usize, usize)>,
    latency: Duration,
    loss_percent: usize,
    returns: Returns,
}

/// Where a device listens after a restart, as QUIC sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    /// Where it did: it disowns the connections of its former life.
    SamePort,
    /// Elsewhere: what is sent to its former life is lost.
    OtherPort,
}

/// One connection.
#[derive(Debug)]
struct Wire {
    /// The dialer and the acceptor.
    seats: [usize; 2],
    ids: [ConnectionId; 2],
    standing: [Standing; 2],
    /// Frames on their way to each end.
    frames: [VecDeque<Control>; 2],
    arrivals: [Duration; 2],
    path: Path,
    heard: Duration,
    bytes: [u64; 2],
    told_bytes: u64,
}

/// How an end sees the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Coming,
    Up,
    /// The device at this end has crashed.
    Down,
}

impl Wires {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        Self {
            wires: BTreeMap::new(),
            last: 0,
            cut: std::collections::BTreeSet::new(),
            latency: dice.millis(1, 60),
            loss_percent: dice.below(8),
            returns: if dice.chance(50) {
                Returns::SamePort
            } else {
                Returns::OtherPort
            },
        }
    }
}

/// Where a seat listens.
pub(crate) fn address_of(seat: usize) -> Option<SocketAddr> {
    let last = u8::try_from(seat + 1).ok()?;
    Some(SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 4000)))
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl World {
    pub(super) fn network_asked(&mut self, seat: usize, request: NetworkRequest) {
        match request {
            NetworkRequest::Trust(peers) => {
                self.seat_mut(seat).trust = peers;
                let untrusted: Vec<u64> = self
                    .wires
                    .wires
                    .iter()
                    .filter(|(_, wire)| {
                        let other = wire.other_than(seat);
                        let lives = wire.standing_at(seat) != Some(Standing::Down);
                        other.is_some_and(|other| lives && !self.trusts(seat, other))
                    })
                    .map(|(number, _)| *number)
                    .collect();
                for wire in untrusted {
                    self.hang_up(wire, seat, LinkFault::Refused);
                }
            }
            NetworkRequest::Grant(peer, folders) => {
                self.seat_mut(seat).grants.insert(peer, folders);
            }
            NetworkRequest::Probe(peer, address) => self.probe(seat, peer, address),
            NetworkRequest::Select(peer, path) => {
                self.seat_mut(seat).selected.insert(peer, path);
                if let Some(number) = self.wire_with(seat, peer)
                    && let Some(wire) = self.wires.wires.get_mut(&number)
                    && wire.seats[0] == seat
                {
                    wire.path = path;
                }
            }
            NetworkRequest::Dial(peer) => self.dial(seat, peer),
            NetworkRequest::Hangup(peer) => {
                if let Some(wire) = self.wire_with(seat, peer) {
                    self.hang_up(wire, seat, LinkFault::Closed);
                }
            }
            NetworkRequest::HangupOnFault(peer) => {
                if let Some(wire) = self.wire_with(seat, peer) {
                    self.hang_up(wire, seat, LinkFault::Protocol);
                }
            }
            NetworkRequest::Abandon(peer, id) => {
                if let Some(wire) = self.wire_named(seat, peer, id) {
                    self.hang_up(wire, seat, LinkFault::Closed);
                }
            }
            NetworkRequest::Ask(peer, id, within) => self.ask(seat, peer, id, within),
            NetworkRequest::OpenRelay {
                peer,
                url,
                channel,
                token,
            } => {
                self.open_relay(seat, peer, &url, channel, &token);
            }
            NetworkRequest::CloseRelay(peer) => self.close_relay(seat, peer),
            NetworkRequest::Send(peer, frame) => self.send(seat, peer, frame),
        }
    }

    fn trusts(&self, seat: usize, other: usize) -> bool {
        self.seat(seat).trust.contains(&self.seat(other).id)
    }

    fn latency(&mut self) -> Duration {
        let base = self.wires.latency;
        base + self.dice.micros(0, 5000)
    }

    fn direct_works(&self, one: usize, other: usize) -> bool {
        self.is_up(one) && self.is_up(other) && !self.wires.cut.contains(&pair(one, other))
    }

    fn works(&self, path: Path, from: usize, to: usize) -> bool {
        match path {
            Path::Direct(address) => address_of(to) == Some(address) && self.direct_works(from, to),
            Path::Relay => self.is_up(from) && self.is_up(to) && self.relay_works(from, to),
        }
    }

    fn probe(&mut self, seat: usize, peer: DeviceId, address: SocketAddr) {
        let Some(other) = self.seat_of(peer) else {
            return;
        };
        let Some(from) = address_of(seat) else { return };
        let there = address_of(other) == Some(address) && self.direct_works(seat, other);
        let lost = self.dice.chance(self.wires.loss_percent);
        if !there || lost || !self.trusts(other, seat) || !self.trusts(seat, other) {
            return;
        }
        let there = self.latency();
        let back = self.latency();
        let heard = NetworkEvent::ProbeHeard {
            peer: self.seat(seat).id,
            from,
        };
        self.deliver(other, there, Input::Network(heard));
        if !self.dice.chance(self.wires.loss_percent) {
            let rtt = there + back;
            let answered = NetworkEvent::ProbeAnswered {
                peer,
                from: address,
                rtt,
            };
            self.deliver(seat, rtt, Input::Network(answered));
        }
    }

    /// The connection that a device knows with a peer.
    fn wire_with(&self, seat: usize, peer: DeviceId) -> Option<u64> {
        let lives = |wire: &Wire| wire.standing_at(seat) != Some(Standing::Down);
        self.wire_where(seat, peer, lives)
    }

    /// The same, if it has this name there.
    fn wire_named(&self, seat: usize, peer: DeviceId, id: ConnectionId) -> Option<u64> {
        self.wire_where(seat, peer, |wire| {
            let end = wire.end_of(seat);
            end.is_some_and(|end| wire.standing[end] == Standing::Up && wire.ids[end] == id)
        })
    }

    fn wire_where(
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

    /// Asks for a sign of life on a connection.
    fn ask(&mut self, seat: usize, peer: DeviceId, id: ConnectionId, within: Duration) {
        let Some(number) = self.wire_named(seat, peer, id) else {
            return;
        };
        if self.disowned(number) {
            return;
        }
        let heard = self.wires.wires.get(&number).is_some_and(|wire| {
            wire.is_whole() && self.works(wire.path, wire.seats[0], wire.seats[1])
        });
        let event = if heard {
            NetworkEvent::Answered(peer, id)
        } else {
            NetworkEvent::Silent(peer, id)
        };
        self.deliver(seat, within, Input::Network(event));
    }

    /// Something is sent on a connection; whether the next life of the device at the other end
    /// disowns it, which ends it.
    fn disowned(&mut self, number: u64) -> bool {
        let Some(wire) = self.wires.wires.get(&number) else {
            return false;
        };
        let ends = wire.seats;
        let works = self.works(wire.path, ends[0], ends[1]);
        let reaches = match wire.path {
            Path::Direct(_) => self.wires.returns == Returns::SamePort,
            Path::Relay => true,
        };
        let disowns = !wire.is_whole() && works && reaches;
        if disowns {
            let standing = wire.standing;
            let ids = wire.ids;
            self.wires.wires.remove(&number);
            for end in [0, 1] {
                if standing[end] == Standing::Up {
                    let peer = self.seat(ends[1 - end]).id;
                    let fault = LinkFault::Restarted;
                    let gone = NetworkEvent::Disconnected(peer, ids[end], fault);
                    let rtt = self.latency() * 2;
                    self.deliver(ends[end], rtt, Input::Network(gone));
                }
            }
        }
        disowns
    }

    fn dial(&mut self, seat: usize, peer: DeviceId) {
        let fail = |fault| Input::Network(NetworkEvent::DialFailed(peer, fault));
        let path = self.seat(seat).selected.get(&peer).copied();
        let (Some(other), Some(path)) = (self.seat_of(peer), path) else {
            return self.deliver(seat, Duration::from_secs(5), fail(LinkFault::TimedOut));
        };
        if !self.works(path, seat, other) {
            let wait = self.dice.millis(3000, 9000);
            return self.deliver(seat, wait, fail(LinkFault::TimedOut));
        }
        if !self.trusts(other, seat) || !self.trusts(seat, other) {
            let rtt = self.latency() * 2;
            return self.deliver(seat, rtt, fail(LinkFault::Refused));
        }
        if let Some(old) = self.wire_where(seat, peer, |_| true) {
            self.hang_up(old, seat, LinkFault::Closed);
        }
        let ids = [seat, other].map(|end| {
            let place = self.seat_mut(end);
            place.connections += 1;
            ConnectionId(place.connections)
        });
        self.wires.last += 1;
        let number = self.wires.last;
        let rtt = self.latency() * 2;
        let arrivals = [self.now + rtt, self.now + rtt + self.wires.latency];
        self.wires.wires.insert(
            number,
            Wire {
                seats: [seat, other],
                ids,
                standing: [Standing::Coming; 2],
                frames: [VecDeque::new(), VecDeque::new()],
                arrivals,
                path,
                heard: self.now,
                bytes: [0; 2],
                told_bytes: 0,
            },
        );
        for (end, when) in arrivals.into_iter().enumerate() {
            self.at(when, Event::Frame { wire: number, end });
        }
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

    fn send(&mut self, seat: usize, peer: DeviceId, frame: Control) {
        // Without a connection nobody is told anything.
        let Some(number) = self.wire_with(seat, peer) else {
            return;
        };
        self.check_told(seat, peer, &frame);
        let frame = self.bent_frame(frame);
        if matches!(frame, Control::Index(_)) {
            self.work.pages += 1;
            self.watch_page(seat);
        }
        let latency = self.latency();
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

    /// What a mutation makes of a frame.
    fn bent_frame(&mut self, mut frame: Control) -> Control {
        if self.shape.mutation == Some(Mutation::LostTombstone)
            && let Control::Index(page) = &mut frame
        {
            page.entries
                .retain(|entry| entry.content != Content::Absent);
        }
        frame
    }

    /// Nothing may be told before it is durable.
    fn check_told(&mut self, seat: usize, peer: DeviceId, frame: &Control) {
        let rule = "9: nothing is told before it is durable";
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
            Control::Hello(_) | Control::Addresses(_) => None,
        };
        if let Some(what) = what {
            self.violate(rule, what);
        }
    }

    /// One end closes a connection.
    fn hang_up(&mut self, number: u64, seat: usize, theirs: LinkFault) {
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
            let latency = self.wires.latency;
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

    /// Whether bytes can be fetched now: a standing connection whose path works.
    pub(super) fn can_fetch(&self, seat: usize, source: usize) -> bool {
        let Some(number) = self.wire_with(seat, self.seat(source).id) else {
            return false;
        };
        self.wires.wires.get(&number).is_some_and(|wire| {
            wire.standing == [Standing::Up; 2]
                && self.works(wire.path, wire.seats[0], wire.seats[1])
        })
    }

    /// Whether both ends see a connection that works.
    pub(super) fn are_connected(&self, one: usize, other: usize) -> bool {
        self.can_fetch(one, other)
    }

    /// Cuts or heals the direct way between two seats.
    pub(super) fn cut_direct(&mut self, one: usize, other: usize) {
        self.wires.cut.insert(pair(one, other));
    }

    pub(super) fn heal_direct(&mut self) {
        self.wires.cut.clear();
        self.wires.loss_percent = 0;
    }
}

impl Wire {
    fn other_than(&self, seat: usize) -> Option<usize> {
        match self.seats {
            [one, other] if one == seat => Some(other),
            [one, other] if other == seat => Some(one),
            [_, _] => None,
        }
    }

    fn standing_at(&self, seat: usize) -> Option<Standing> {
        self.end_of(seat).map(|end| self.standing[end])
    }

    /// Whether neither end has crashed.
    fn is_whole(&self) -> bool {
        !self.standing.contains(&Standing::Down)
    }

    fn end_of(&self, seat: usize) -> Option<usize> {
        self.seats.iter().position(|end| *end == seat)
    }
}
