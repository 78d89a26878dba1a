//! Ports that routers give on demand, as by PCP, NAT-PMP or UPnP: what a router makes of them, and the part of the
//! engine that asks for one, renews it and tells its device.
//!
//! Everybody may write to such a port. A router loses all of them when it begins anew, refuses now and then, and may
//! say anything of its own address. Which routers give ports is drawn by dice of their own, so a world without any
//! is what it was before there were some.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use towline_core::io::{Input, NetworkEvent};

use super::enemy::OTHERS;
use super::map::ROOT;
use super::router::{Nat, Router};
use super::{Event, Internet};
use crate::dice::Dice;

/// Whether a router gives ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Nothing,
    Ports(Manner),
}

/// How a router gives ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// For how long, unless it is asked again.
    lease: Duration,
    outward: Outward,
    word: Word,
    refuses_percent: usize,
    /// How long an answer takes, at most.
    answers_within_ms: usize,
}

/// What leaves by a given port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outward {
    /// Whatever its device sends.
    Everything,
    /// What answers those who have written to it.
    Answers,
}

/// Which address a router says that its port has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Own,
    /// That of the router at the end of the way up, which has no such port.
    LastRouters,
    /// Anybody's.
    Others,
}

/// A port that was given.
#[derive(Debug)]
pub(super) struct Given {
    inside: SocketAddr,
    since: Duration,
    until: Duration,
    outward: Outward,
    /// Who has written to it, as the device sees them: their address, and when.
    writers: BTreeMap<SocketAddr, (SocketAddr, Duration)>,
}

/// What a device's engine has of its router.
#[derive(Debug, Default)]
pub(super) struct Mapper {
    /// Counts the times that the device has asked.
    turn: u64,
    told: Option<Option<SocketAddr>>,
    told_at: Duration,
}

/// Writers above which those are looked for that are forgotten.
const WRITERS_KEPT: usize = 64;

/// How long a device takes to find that its router gives nothing.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(5500);

/// Pauses of the engine: after a search without success, and between two renewals at most and at least.
const RETRY: Duration = Duration::from_secs(600);
const RENEW_LATEST: Duration = Duration::from_secs(600);
const RENEW_SOONEST: Duration = Duration::from_secs(30);

/// How long a device has known its port until it is sure that its peers do.
const TOLD_WITHIN: Duration = Duration::from_secs(75);

impl Gives {
    pub(super) fn drawn(gifts: &mut Dice, nat: Nat) -> Self {
        if nat == Nat::Blocked || !gifts.chance(25) {
            return Self::Nothing;
        }
        Self::Ports(Manner {
            lease: match gifts.below(4) {
                0 => Duration::from_secs(60),
                1 => Duration::from_secs(600),
                _ => Duration::from_secs(3600),
            },
            outward: if gifts.chance(50) {
                Outward::Everything
            } else {
                Outward::Answers
            },
            word: match gifts.below(10) {
                0 => Word::LastRouters,
                1 => Word::Others,
                _ => Word::Own,
            },
            refuses_percent: if gifts.chance(20) { 30 } else { 0 },
            answers_within_ms: if gifts.chance(50) { 60 } else { 4000 },
        })
    }
}

impl Given {
    /// From where its device sees a writer: another port where that one has been written to by another of ours.
    fn seen(
        &mut self,
        now: Duration,
        memory: Duration,
        from: SocketAddr,
        is_known: bool,
    ) -> SocketAddr {
        if self.writers.len() > WRITERS_KEPT {
            self.writers.retain(|_, (_, used)| now - *used < memory);
        }
        let fresh = |used: Duration| now - used < memory;
        let before = self.writers.iter();
        let mut before = before.filter(|(_, (writer, used))| *writer == from && fresh(*used));
        let mut seen = before.next().map_or(from, |(seen, _)| *seen);
        while seen == from && is_known || self.is_others(seen, from) {
            seen.set_port(seen.port().wrapping_add(7).max(1024));
        }
        self.writers.insert(seen, (from, now));
        seen
    }

    fn is_others(&self, seen: SocketAddr, from: SocketAddr) -> bool {
        let writer = self.writers.get(&seen);
        writer.is_some_and(|(writer, _)| *writer != from)
    }
}

impl Router {
    /// Gives a port to a device, or the same one again.
    fn give(
        &mut self,
        now: Duration,
        gifts: &mut Dice,
        inside: SocketAddr,
    ) -> Option<(u16, Manner)> {
        let Gives::Ports(manner) = self.gives else {
            return None;
        };
        if gifts.chance(manner.refuses_percent) {
            return None;
        }
        self.given.retain(|_, given| now < given.until);
        let known = self.given.iter().find(|(_, given)| given.inside == inside);
        let mut port = known.map_or(inside.port(), |(port, _)| *port);
        while self.is_anothers(now, port, inside) {
            port = u16::try_from(gifts.between(1024, 65_535)).unwrap_or(u16::MAX);
        }
        let given = self.given.entry(port).or_insert_with(|| Given {
            inside,
            since: now,
            until: now,
            outward: manner.outward,
            writers: BTreeMap::new(),
        });
        given.until = now + manner.lease;
        Some((port, manner))
    }

    /// Whether an outside port leads to another device, or belongs to another flow.
    fn is_anothers(&self, now: Duration, port: u16, inside: SocketAddr) -> bool {
        self.is_given_to_another(now, port, inside) || self.is_flow_of_another(now, port, inside)
    }

    /// The port that an inside address has been given.
    fn given_to(&self, now: Duration, inside: SocketAddr) -> Option<u16> {
        let mut all = self.given.iter();
        all.find(|(_, given)| given.inside == inside && now < given.until)
            .map(|(port, _)| *port)
    }

    /// Whether a port is given to another address inside.
    pub(super) fn is_given_to_another(&self, now: Duration, port: u16, inside: SocketAddr) -> bool {
        let given = self.given.get(&port);
        given.is_some_and(|given| now < given.until && given.inside != inside)
    }

    /// What is sent from inside and leaves by a given port: from where, and to whom.
    pub(super) fn leaves_by_given(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let port = self.given_to(now, from)?;
        let memory = self.memory;
        let given = self.given.get_mut(&port)?;
        let outside = SocketAddr::from((self.outside_ip, port));
        match given.outward {
            Outward::Everything => Some((outside, to)),
            Outward::Answers => {
                let (writer, used) = given.writers.get_mut(&to)?;
                if now - *used >= memory {
                    return None;
                }
                *used = now;
                Some((outside, *writer))
            }
        }
    }

    /// What comes to a given port: from whom, and where inside it goes.
    pub(super) fn enters_by_given(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let given = self.given.get(&to.port());
        let inside = given.filter(|given| now < given.until)?.inside;
        let is_known = self.has_written_by_another(now, inside, from, to.port());
        let memory = self.memory;
        let given = self.given.get_mut(&to.port())?;
        match given.outward {
            Outward::Everything => Some((from, inside)),
            Outward::Answers => Some((given.seen(now, memory, from, is_known), inside)),
        }
    }
}

impl Internet {
    /// A device asks its router for a port.
    pub(super) fn map_port(&mut self, host: usize) {
        let (now, run) = (self.now, self.hosts[host].run);
        let mapper = &mut self.hosts[host].mapper;
        mapper.turn += 1;
        mapper.told = None;
        let turn = mapper.turn;
        self.at(now, Event::AsksRouter { host, run, turn });
    }

    pub(super) fn asks_router(&mut self, host: usize, turn: u64) {
        let (now, run) = (self.now, self.hosts[host].run);
        let place = &self.hosts[host];
        if place.mapper.turn != turn {
            return;
        }
        if place.sleeps(now) {
            let awake = place.asleep_until;
            return self.at(awake, Event::AsksRouter { host, run, turn });
        }
        let inside = place
            .spot
            .map(|spot| SocketAddr::from((spot.four, place.port)));
        let router = place.spot.and_then(|spot| self.map.nets[spot.net].router);
        let gifts = &mut self.map.gifts;
        let given = inside.zip(router).and_then(|(inside, router)| {
            let (port, manner) = self.map.routers[router].give(now, gifts, inside)?;
            Some((router, port, manner))
        });
        let (wait, external, pause) = match given {
            Some((router, port, manner)) => {
                let wait = gifts.millis(2, manner.answers_within_ms);
                let pause = (manner.lease / 2).clamp(RENEW_SOONEST, RENEW_LATEST);
                (wait, Some(self.word(router, port, manner.word)), pause)
            }
            None => (GIVEN_UP_AFTER, None, RETRY),
        };
        self.after(
            wait,
            Event::RouterSays {
                host,
                run,
                turn,
                external,
                pause,
            },
        );
    }

    /// What a router says of a port that it has given.
    fn word(&mut self, router: usize, port: u16, word: Word) -> SocketAddr {
        let own = self.map.routers[router].outside_ip;
        match word {
            Word::Own => SocketAddr::from((own, port)),
            Word::LastRouters => {
                let above = self.map.chain(self.map.routers[router].outside);
                let last = above.last().map(|last| self.map.routers[*last].outside_ip);
                SocketAddr::from((last.unwrap_or(own), port))
            }
            Word::Others => {
                let other = self.map.gifts.pick(&OTHERS).copied();
                let other = other.and_then(|other| other.parse().ok());
                other.unwrap_or_else(|| SocketAddr::from((own, port)))
            }
        }
    }

    pub(super) fn router_says(
        &mut self,
        host: usize,
        turn: u64,
        external: Option<SocketAddr>,
        pause: Duration,
    ) {
        let (now, run) = (self.now, self.hosts[host].run);
        let place = &mut self.hosts[host];
        if place.mapper.turn != turn {
            return;
        }
        let awake = place.asleep_until.max(now);
        self.at(awake + pause, Event::AsksRouter { host, run, turn });
        let mapper = &mut self.hosts[host].mapper;
        if mapper.told != Some(external) {
            mapper.told = Some(external);
            mapper.told_at = awake;
            self.tell(host, Input::Network(NetworkEvent::PortMapped(external)));
        }
    }

    /// Whether a device is reached by another one at a port that its router gives, and both know it.
    pub(super) fn is_reached_at_given(&self, host: usize, by: usize) -> bool {
        let (place, other) = (&self.hosts[host], &self.hosts[by]);
        let (Some(spot), Some(from)) = (place.spot, other.spot) else {
            return false;
        };
        let Some(router) = self.map.nets[spot.net].router else {
            return false;
        };
        let router = &self.map.routers[router];
        let inside = SocketAddr::from((spot.four, place.port));
        let Some(port) = router.given_to(self.now, inside) else {
            return false;
        };
        let since = router
            .given
            .get(&port)
            .map_or(self.now, |given| given.since);
        let is_told = place.mapper.told == Some(Some(SocketAddr::from((router.outside_ip, port))));
        let told_until = self.server.stopped_at().unwrap_or(self.now);
        let is_old = told_until.saturating_sub(place.mapper.told_at.max(since)) >= TOLD_WITHIN;
        let way = self.map.chain(self.map.segment(from.net));
        let passes = way
            .iter()
            .all(|router| self.map.routers[*router].nat != Nat::Blocked);
        // A port of a router within a provider's net is for those who are in there, too.
        let meets = router.outside == ROOT
            || way
                .iter()
                .any(|theirs| self.map.routers[*theirs].outside == router.outside);
        is_told && is_old && passes && meets
    }
}
