//! Links between devices: addresses, probes, the relay, and connections with ordered frames.
//!
//! A connection lives as long as its selected path works at least every few seconds; while it does
//! not, frames wait, as in a reliable stream. When one end crashes the other one keeps its end until
//! it has missed the first for long enough, asks and hears nothing, or sends something that the
//! crashed device's next life disowns, which in half of the worlds it can. Keys are checked as TLS would: both sides must trust
//! each other. The relay's packets are not modelled, only whether both ends of a channel are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use towline_core::io::{ConnectionId, Input, LinkFault, NetworkEvent, NetworkRequest, Path};
use towline_wire::ids::DeviceId;

use super::wire::{Standing, Wire};
use super::{Event, World};
use crate::faults::Returns;

/// Silence after which both sides give a connection up.
pub(super) const IDLE: Duration = Duration::from_secs(15);

/// Pause between two looks at all connections.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// All links.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    pub(super) wires: BTreeMap<u64, Wire>,
    pub(super) last: u64,
    /// Pairs of seats, lower first, between which no datagram passes.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// Pairs of seats, lower first, between which nothing passes, the relay's packets neither.
    pub(super) parted: BTreeSet<(usize, usize)>,
}

/// Where a seat listens.
pub(crate) fn address_of(seat: usize) -> Option<SocketAddr> {
    let last = u8::try_from(seat + 1).ok()?;
    Some(SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 4000)))
}

pub(super) fn pair(one: usize, other: usize) -> (usize, usize) {
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
            // Every path of the world carries every datagram.
            NetworkRequest::ProbeLarge(peer, address) => self.probe_large(seat, peer, address),
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
            // The world has no routers: none that translate, and none to give a port. Its server names nobody who
            // would tell.
            NetworkRequest::AskStun(_)
            | NetworkRequest::LookUp(..)
            | NetworkRequest::Borrow(_)
            | NetworkRequest::GiveBack
            | NetworkRequest::MapPort
            | NetworkRequest::Scatter { .. }
            | NetworkRequest::Gather(_) => {}
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
            // Nobody is announced here, so no pairing goes past the server.
            NetworkRequest::HostPairing(..)
            | NetworkRequest::MeetPairing(..)
            | NetworkRequest::SendPairing(..)
            | NetworkRequest::ClosePairing(_) => {}
        }
    }

    pub(super) fn trusts(&self, seat: usize, other: usize) -> bool {
        self.seat(seat).trust.contains(&self.seat(other).id)
    }

    pub(super) fn latency(&mut self) -> Duration {
        let network = &self.faults.network;
        let most = usize::try_from(network.jitter.as_micros()).unwrap_or(0);
        network.latency + self.dice.micros(0, most)
    }

    pub(super) fn loses_datagram(&mut self) -> bool {
        self.dice.chance(self.faults.network.loss_percent)
    }

    pub(super) fn direct_works(&self, one: usize, other: usize) -> bool {
        let pair = pair(one, other);
        let is_cut = self.wires.cut.contains(&pair) || self.wires.parted.contains(&pair);
        self.is_up(one) && self.is_up(other) && !is_cut
    }

    pub(super) fn works(&self, path: Path, from: usize, to: usize) -> bool {
        match path {
            Path::Direct(address) => address_of(to) == Some(address) && self.direct_works(from, to),
            Path::Relay => {
                let is_parted = self.wires.parted.contains(&pair(from, to));
                self.is_up(from) && self.is_up(to) && !is_parted && self.relay_works(from, to)
            }
        }
    }

    pub(super) fn probe(&mut self, seat: usize, peer: DeviceId, address: SocketAddr) {
        let Some(other) = self.seat_of(peer) else {
            return;
        };
        let Some(from) = address_of(seat) else { return };
        let there = address_of(other) == Some(address) && self.direct_works(seat, other);
        let lost = self.loses_datagram();
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
        if !self.loses_datagram() {
            let rtt = there + back;
            let answered = NetworkEvent::ProbeAnswered {
                peer,
                from: address,
                rtt,
            };
            self.deliver(seat, rtt, Input::Network(answered));
        }
    }

    fn probe_large(&mut self, seat: usize, peer: DeviceId, from: SocketAddr) {
        let Some(other) = self.seat_of(peer) else {
            return;
        };
        let arrives = address_of(other) == Some(from) && self.direct_works(seat, other);
        if arrives && !self.loses_datagram() && self.trusts(other, seat) {
            let rtt = self.latency() * 2;
            let answered = NetworkEvent::LargeAnswered { peer, from };
            self.deliver(seat, rtt, Input::Network(answered));
        }
    }

    /// Asks for a sign of life on a connection.
    pub(super) fn ask(&mut self, seat: usize, peer: DeviceId, id: ConnectionId, within: Duration) {
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
    pub(super) fn disowned(&mut self, number: u64) -> bool {
        let Some(wire) = self.wires.wires.get(&number) else {
            return false;
        };
        let ends = wire.seats;
        let works = self.works(wire.path, ends[0], ends[1]);
        let reaches = match wire.path {
            Path::Direct(_) => self.faults.network.returns == Returns::SamePort,
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

    pub(super) fn dial(&mut self, seat: usize, peer: DeviceId) {
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
        let arrivals = [self.now + rtt, self.now + rtt + self.faults.network.latency];
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
}
