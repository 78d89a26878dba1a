//! Probes, and what they prove: the part of the engine that sends pings, answers them and keeps the
//! addresses of peers. Seals are not computed: who made a probe stands in it, and nobody else can make one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use towline_core::clock::Moment;
use towline_core::io::{Input, Neighbour, NeighbourName, NetworkEvent, StunServer};
use towline_core::unproved::Unproved;

use super::map::{Carries, Spot};
use super::wire::Datagram;
use super::{Event, Internet, Payload};

/// Pings that wait for their pong.
const PINGS_MAX: usize = 2048;

/// A pong that comes later proves nothing.
const PONG_DEADLINE: Duration = Duration::from_secs(5);

/// Answers to one peer in one second.
const PONGS_PER_SECOND_MAX: u32 = 64;

/// Ping numbers remembered per peer.
const NUMBERS_REMEMBERED: usize = 512;

/// Addresses admitted per peer.
const ADDRESSES_MAX: usize = 24;

/// STUN questions that wait.
const QUESTIONS_MAX: usize = 16;

/// The first port of sockets that are opened beside the main one.
pub(super) const EXTRA_PORTS: u16 = 50_000;

/// How long opening many sockets takes.
const SCATTERING: Duration = Duration::from_millis(80);

/// How long a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Usual,
    Large,
}

/// A ping that waits for its pong.
#[derive(Debug)]
pub(super) struct Ping {
    number: u64,
    peer: usize,
    to: SocketAddr,
    through: Option<u16>,
    length: Length,
    sent: Duration,
}

/// What is remembered of a peer's pings.
#[derive(Debug, Default)]
pub(super) struct Heard {
    numbers: VecDeque<u64>,
    second: u64,
    answered: u32,
    unproved: Unproved,
}

/// How well an address is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Heard,
    Answered,
}

/// An address that is a peer's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    peer: usize,
    through: Option<u16>,
    proof: Proof,
    carries: Carries,
}

/// A socket beside the main one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra {
    pub(super) peer: usize,
    to: SocketAddr,
    state: ExtraState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExtraState {
    Waits { until: Duration },
    Kept,
}

impl super::host::Host {
    /// Our port by which an address of a peer is reached.
    pub(super) fn port_towards(&self, peer: usize, addr: SocketAddr) -> u16 {
        self.through(peer, addr).unwrap_or(self.port)
    }

    fn through(&self, peer: usize, addr: SocketAddr) -> Option<u16> {
        let source = self.sources.get(&addr)?;
        source.through.filter(|_| source.peer == peer)
    }

    /// Whether an address is known to carry large datagrams.
    pub(super) fn carries_large(&self, peer: usize, addr: SocketAddr) -> bool {
        let source = self.sources.get(&addr);
        source.is_some_and(|source| source.peer == peer && source.carries == Carries::Large)
    }

    /// How much the tables hold.
    pub(super) fn held(&self) -> usize {
        let numbers: usize = self.heard.values().map(|heard| heard.numbers.len()).sum();
        numbers + self.pings.len() + self.sources.len() + self.extras.len() + self.ends.len()
    }
}

impl Internet {
    pub(super) fn ping(&mut self, host: usize, peer: usize, to: SocketAddr) {
        self.send_ping(host, peer, to, Length::Usual);
    }

    pub(super) fn ping_large(&mut self, host: usize, peer: usize, to: SocketAddr) {
        self.send_ping(host, peer, to, Length::Large);
    }

    fn send_ping(&mut self, host: usize, peer: usize, to: SocketAddr, length: Length) {
        if !self.hosts[host].trusts(peer) {
            return;
        }
        let through = self.hosts[host].through(peer, to);
        self.new_ping(host, peer, to, through, length);
    }

    fn new_ping(
        &mut self,
        host: usize,
        peer: usize,
        to: SocketAddr,
        through: Option<u16>,
        length: Length,
    ) {
        let number = self.dice.number();
        let now = self.now;
        let place = &mut self.hosts[host];
        if place.pings.len() >= PINGS_MAX {
            place.pings.pop_front();
        }
        place.pings.push_back(Ping {
            number,
            peer,
            to,
            through,
            length,
            sent: now,
        });
        let port = through.unwrap_or(place.port);
        let payload = Payload::Ping {
            author: host,
            number,
            length,
        };
        self.send(host, port, to, payload);
    }

    /// A datagram has come to a host.
    pub(super) fn receives(&mut self, host: usize, datagram: Datagram) {
        let now = self.now;
        let place = &self.hosts[host];
        let is_there = place
            .spot
            .is_some_and(|spot: Spot| spot.ips().contains(&datagram.to.ip()));
        if place.device.is_none() || place.sleeps(now) || !is_there {
            return;
        }
        let port = datagram.to.port();
        let through = if port == place.port {
            None
        } else if place.extras.contains_key(&port) {
            Some(port)
        } else {
            return;
        };
        if self.is_copied(host, &datagram) {
            return;
        }
        let from = self.hosts[host].borrower.named(datagram.from);
        match datagram.payload {
            Payload::Ping {
                author,
                number,
                length: _,
            } => {
                if self.is_let_through(host, author, from, through) {
                    self.ping_comes(host, author, from, through, number);
                }
            }
            Payload::Pong { author, number } => {
                if through.is_none_or(|port| self.is_kept(host, port)) {
                    self.pong_comes(host, author, from, through, number);
                }
            }
            Payload::Quic(packet) => {
                if let Some(peer) = self.lets_in(host, from, &packet) {
                    self.quic_arrives(host, peer, super::quic::Way::Udp(from), packet);
                }
            }
            Payload::Ask { .. } => {}
            Payload::Seen { transaction, seen } => self.stun_says(host, from, transaction, seen),
        }
    }

    /// Whose a packet is that may be seen by QUIC: where the peer dials, what comes from an address that was only
    /// heard of must begin a connection.
    fn lets_in(
        &self,
        host: usize,
        from: SocketAddr,
        packet: &super::quic::Packet,
    ) -> Option<usize> {
        let source = self.hosts[host].sources.get(&from)?;
        let dials = self.hosts[host].id < self.hosts[source.peer].id;
        let is_seen = dials || source.proof == Proof::Answered || packet.begins();
        is_seen.then_some(source.peer)
    }

    fn is_kept(&self, host: usize, port: u16) -> bool {
        let extra = self.hosts[host].extras.get(&port);
        extra.is_some_and(|extra| extra.state == ExtraState::Kept)
    }

    /// Whether a ping counts at the socket to which it came; the first hit decides which is kept.
    fn is_let_through(
        &mut self,
        host: usize,
        author: usize,
        from: SocketAddr,
        through: Option<u16>,
    ) -> bool {
        if !self.hosts[host].trusts(author) {
            return false;
        }
        let Some(port) = through else { return true };
        let now = self.now;
        let Some(extra) = self.hosts[host].extras.get(&port).copied() else {
            return false;
        };
        match extra.state {
            ExtraState::Kept => true,
            ExtraState::Waits { until } => {
                let is_hit = extra.peer == author && extra.to == from && now < until;
                if is_hit {
                    let extras = &mut self.hosts[host].extras;
                    extras.retain(|other, extra| *other == port || extra.peer != author);
                    if let Some(extra) = extras.get_mut(&port) {
                        extra.state = ExtraState::Kept;
                    }
                }
                is_hit
            }
        }
    }

    fn ping_comes(
        &mut self,
        host: usize,
        author: usize,
        from: SocketAddr,
        through: Option<u16>,
        number: u64,
    ) {
        let (now, second) = (self.now, self.now.as_secs());
        let source = self.hosts[host].sources.get(&from);
        let is_proved =
            source.is_some_and(|source| source.peer == author && source.proof == Proof::Answered);
        let heard = self.hosts[host].heard.entry(author).or_default();
        if heard.second != second {
            heard.second = second;
            heard.answered = 0;
        }
        if heard.answered >= PONGS_PER_SECOND_MAX || heard.numbers.contains(&number) {
            return;
        }
        if !is_proved
            && !heard
                .unproved
                .may_be_answered(Moment::from_start(now), from)
        {
            return;
        }
        heard.answered += 1;
        if heard.numbers.len() >= NUMBERS_REMEMBERED {
            heard.numbers.pop_front();
        }
        heard.numbers.push_back(number);
        let port = through.unwrap_or(self.hosts[host].port);
        let pong = Payload::Pong {
            author: host,
            number,
        };
        self.send(host, port, from, pong);
        self.admit(host, author, from, Proof::Heard, through);
        let source = self.hosts[host].sources.get(&from);
        if source.is_some_and(|source| source.peer == author) {
            self.probed(host, author);
        }
        if !is_proved {
            self.ping(host, author, from);
        }
        let peer = self.hosts[author].id;
        self.tell(
            host,
            Input::Network(NetworkEvent::ProbeHeard { peer, from }),
        );
    }

    fn pong_comes(
        &mut self,
        host: usize,
        author: usize,
        from: SocketAddr,
        through: Option<u16>,
        number: u64,
    ) {
        let now = self.now;
        let pings = &mut self.hosts[host].pings;
        let is_its = |ping: &Ping| {
            (ping.number, ping.peer, ping.through, ping.to) == (number, author, through, from)
        };
        let Some(ping) = pings
            .iter()
            .position(is_its)
            .and_then(|at| pings.remove(at))
        else {
            return;
        };
        let rtt = now - ping.sent;
        if rtt > PONG_DEADLINE {
            return;
        }
        self.admit(host, author, ping.to, Proof::Answered, ping.through);
        self.probed(host, author);
        let peer = self.hosts[author].id;
        let from = ping.to;
        let event = match ping.length {
            Length::Usual => NetworkEvent::ProbeAnswered { peer, from, rtt },
            Length::Large => {
                if let Some(source) = self.hosts[host].sources.get_mut(&from) {
                    source.carries = Carries::Large;
                }
                NetworkEvent::LargeAnswered { peer, from }
            }
        };
        self.tell(host, Input::Network(event));
    }

    /// From now on an address is a peer's.
    pub(super) fn admit(
        &mut self,
        host: usize,
        peer: usize,
        addr: SocketAddr,
        proof: Proof,
        through: Option<u16>,
    ) {
        let place = &mut self.hosts[host];
        match place.sources.get_mut(&addr) {
            Some(known) if known.peer == peer => {
                if through.is_some() || proof == Proof::Heard {
                    known.through = through;
                }
                if proof == Proof::Answered {
                    known.proof = proof;
                }
                let all = place.admitted.entry(peer).or_default();
                all.retain(|other| *other != addr);
                return all.push(addr);
            }
            Some(_) if proof == Proof::Heard => return,
            Some(_) | None => {}
        }
        let all = place.admitted.entry(peer).or_default();
        all.retain(|other| *other != addr);
        if all.len() >= ADDRESSES_MAX {
            let oldest = all.remove(0);
            if place
                .sources
                .get(&oldest)
                .is_some_and(|source| source.peer == peer)
            {
                place.sources.remove(&oldest);
            }
        }
        all.push(addr);
        place.sources.insert(
            addr,
            Source {
                peer,
                through,
                proof,
                carries: Carries::Usual,
            },
        );
    }

    // --- many sockets ----------------------------------------------------------------------------

    pub(super) fn scatter(
        &mut self,
        host: usize,
        peer: usize,
        to: SocketAddr,
        sockets: u16,
        within: Duration,
    ) {
        self.gather(host, peer);
        let until = self.now + SCATTERING + within;
        for _ in 0..sockets {
            let place = &mut self.hosts[host];
            let port = EXTRA_PORTS + place.next_extra % 15_000;
            place.next_extra = place.next_extra.wrapping_add(1);
            let state = ExtraState::Waits { until };
            place.extras.insert(port, Extra { peer, to, state });
            self.new_ping(host, peer, to, Some(port), Length::Usual);
        }
        let told = NetworkEvent::Scattered(self.hosts[peer].id, sockets);
        self.deliver(host, SCATTERING, Input::Network(told));
        let run = self.hosts[host].run;
        self.at(until, Event::ExtrasEnd { host, run });
    }

    /// What was not hit is closed.
    pub(super) fn extras_end(&mut self, host: usize) {
        let now = self.now;
        let is_over =
            |extra: &Extra| matches!(extra.state, ExtraState::Waits { until } if until <= now);
        self.hosts[host].extras.retain(|_, extra| !is_over(extra));
    }

    pub(super) fn gather(&mut self, host: usize, peer: usize) {
        let place = &mut self.hosts[host];
        place.extras.retain(|_, extra| extra.peer != peer);
        let extras = &place.extras;
        let sources = &mut place.sources;
        sources.retain(|_, source| source.through.is_none_or(|port| extras.contains_key(&port)));
        if let Some(all) = place.admitted.get_mut(&peer) {
            all.retain(|addr| sources.contains_key(addr));
        }
    }

    // --- STUN ------------------------------------------------------------------------------------

    pub(super) fn ask_stun(&mut self, host: usize, named: StunServer) {
        let Ok(ip) = named.host.parse() else { return };
        let to = SocketAddr::new(ip, named.port);
        let transaction = self.dice.number();
        let place = &mut self.hosts[host];
        if place.questions.len() >= QUESTIONS_MAX {
            place.questions.pop_front();
        }
        place.questions.push_back((transaction, named, to));
        let port = place.port;
        self.send(host, port, to, Payload::Ask { transaction });
    }

    fn stun_says(&mut self, host: usize, from: SocketAddr, transaction: u64, seen: SocketAddr) {
        let questions = &mut self.hosts[host].questions;
        let known = questions.iter();
        let mut known = known
            .enumerate()
            .filter(|(_, (asked, _, to))| *asked == transaction && *to == from);
        let Some(at) = known.next().map(|(at, _)| at) else {
            return;
        };
        if let Some((_, server, _)) = questions.remove(at) {
            let event = NetworkEvent::Reflected { server, from: seen };
            self.tell(host, Input::Network(event));
        }
    }

    // --- the local network -----------------------------------------------------------------------

    /// Who announces itself on each net has changed: all there are told a moment later.
    pub(super) fn neighbours_change(&mut self) {
        if !self.plan.announces {
            return;
        }
        for host in 0..self.hosts.len() {
            let Some(spot) = self.hosts[host].spot else {
                continue;
            };
            let others = self.hosts.iter().enumerate().filter(|(other, place)| {
                let there = place.spot.map(|spot| spot.net);
                *other != host && place.device.is_some() && there == Some(spot.net)
            });
            let neighbours = others.map(|(other, place)| Neighbour {
                name: NeighbourName(u64::from(place.run) * 100 + other as u64),
                addresses: place.addresses(),
                slot: None,
            });
            let neighbours = NetworkEvent::Nearby(neighbours.collect());
            let wait = self.dice.millis(300, 1500);
            self.deliver(host, wait, Input::Network(neighbours));
        }
    }
}
