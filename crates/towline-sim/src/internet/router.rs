//! Routers: what they make of the addresses of those behind them, whom they let in, what they forget.
//!
//! A router of IPv4 translates, or it is not there at all. One of IPv6 lets everything through, or
//! only answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::given::{Given, Gives};
use crate::dice::Dice;

/// How a router treats UDP over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nat {
    /// One outside port for all, and everybody may write to it.
    FullCone,
    /// One outside port for all, and the hosts may write to it that were written to.
    AddressRestricted,
    /// One outside port for all, and the addresses may write to it that were written to.
    PortRestricted,
    /// Another outside port for each address, which alone may write to it.
    Symmetric,
    /// No UDP.
    Blocked,
}

/// How a router treats IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Six {
    /// There is none.
    Absent,
    /// Everything passes.
    Open,
    /// In passes what answers.
    Firewalled,
}

/// Which outside port an inside address gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// The one that it has inside, where that is free.
    Kept,
    /// Any.
    Drawn,
}

/// What a router does with packets from inside to its own outside address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hairpin {
    Turned,
    Dropped,
}

/// One router.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) nat: Nat,
    pub(super) six: Six,
    pub(super) ports: Ports,
    pub(super) hairpin: Hairpin,
    /// The net to which it leads.
    pub(super) outside: usize,
    pub(super) outside_ip: Ipv4Addr,
    /// After so much silence it forgets.
    pub(super) memory: Duration,
    flows_by_port: BTreeMap<u16, Flow>,
    ports_by_inside: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
    six_flows: BTreeMap<(SocketAddr, SocketAddr), Duration>,
    pub(super) gives: Gives,
    /// By outside port.
    pub(super) given: BTreeMap<u16, Given>,
}

/// What stands behind one outside port.
#[derive(Debug)]
struct Flow {
    inside: SocketAddr,
    /// The one address that it is for.
    only_to: Option<SocketAddr>,
    used: Duration,
    written_to: BTreeSet<SocketAddr>,
}

/// Flows of IPv6 above which those are looked for that are over.
const SIX_FLOWS_KEPT: usize = 64;

impl Router {
    pub(super) fn drawn(
        dice: &mut Dice,
        gifts: &mut Dice,
        nat: Nat,
        outside: usize,
        outside_ip: Ipv4Addr,
    ) -> Self {
        Self {
            nat,
            six: Six::Absent,
            ports: if dice.chance(70) {
                Ports::Kept
            } else {
                Ports::Drawn
            },
            hairpin: if dice.chance(50) {
                Hairpin::Turned
            } else {
                Hairpin::Dropped
            },
            outside,
            outside_ip,
            memory: match dice.below(4) {
                0 => Duration::from_secs(30),
                1 => Duration::from_secs(60),
                2 => Duration::from_secs(120),
                _ => Duration::from_secs(300),
            },
            flows_by_port: BTreeMap::new(),
            ports_by_inside: BTreeMap::new(),
            six_flows: BTreeMap::new(),
            gives: Gives::drawn(gifts, nat),
            given: BTreeMap::new(),
        }
    }

    /// Takes a packet from inside; from where it goes on and to whom, if it does.
    pub(super) fn leave(
        &mut self,
        now: Duration,
        dice: &mut Dice,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, SocketAddr)> {
        if from.is_ipv6() {
            if self.six == Six::Firewalled {
                let memory = self.memory;
                if self.six_flows.len() > SIX_FLOWS_KEPT {
                    self.six_flows.retain(|_, used| now - *used < memory);
                }
                self.six_flows.insert((from, to), now);
            }
            return (self.six != Six::Absent).then_some((from, to));
        }
        if let Some(passed) = self.leaves_by_given(now, from, to) {
            return Some(passed);
        }
        let only_to = match self.nat {
            Nat::Blocked => return None,
            Nat::Symmetric => Some(to),
            Nat::FullCone | Nat::AddressRestricted | Nat::PortRestricted => None,
        };
        let known = self.ports_by_inside.get(&(from, only_to)).copied();
        let known = known.filter(|port| self.is_remembered(now, *port));
        let port = match known {
            Some(port) => port,
            None => self.open(now, dice, from, only_to),
        };
        let flow = self.flows_by_port.get_mut(&port)?;
        flow.used = now;
        flow.written_to.insert(to);
        Some((SocketAddr::from((self.outside_ip, port)), to))
    }

    /// Takes a packet from outside; from whom it comes and where inside it goes, if it is let in.
    pub(super) fn enter(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, SocketAddr)> {
        if to.is_ipv6() {
            return match self.six {
                Six::Absent => None,
                Six::Open => Some((from, to)),
                Six::Firewalled => {
                    let used = self.six_flows.get_mut(&(to, from))?;
                    let fresh = now - *used < self.memory;
                    if fresh {
                        *used = now;
                    }
                    fresh.then_some((from, to))
                }
            };
        }
        if let Some(passed) = self.enters_by_given(now, from, to) {
            return Some(passed);
        }
        if self.nat == Nat::Blocked || !self.is_remembered(now, to.port()) {
            return None;
        }
        let flow = self.flows_by_port.get_mut(&to.port())?;
        let may = match self.nat {
            Nat::FullCone => true,
            Nat::AddressRestricted => flow.written_to.iter().any(|known| known.ip() == from.ip()),
            Nat::PortRestricted => flow.written_to.contains(&from),
            Nat::Symmetric => flow.only_to == Some(from),
            Nat::Blocked => false,
        };
        if may {
            flow.used = now;
        }
        may.then_some((from, flow.inside))
    }

    /// All flows are forgotten: it has begun anew, or has another address.
    pub(super) fn forget(&mut self) {
        self.flows_by_port.clear();
        self.ports_by_inside.clear();
        self.six_flows.clear();
    }

    fn is_remembered(&self, now: Duration, port: u16) -> bool {
        let flow = self.flows_by_port.get(&port);
        flow.is_some_and(|flow| now - flow.used < self.memory)
    }

    /// Whether a port is another flow's, or given to another device.
    fn is_taken(&self, now: Duration, port: u16, inside: SocketAddr) -> bool {
        self.is_remembered(now, port) || self.is_given_to_another(now, port, inside)
    }

    /// Whether a port is that of a flow of another address inside.
    pub(super) fn is_flow_of_another(&self, now: Duration, port: u16, inside: SocketAddr) -> bool {
        let flow = self.flows_by_port.get(&port);
        self.is_remembered(now, port) && flow.is_some_and(|flow| flow.inside != inside)
    }

    /// Whether an address inside has written to one outside, by another port than this.
    pub(super) fn has_written_by_another(
        &self,
        now: Duration,
        inside: SocketAddr,
        to: SocketAddr,
        port: u16,
    ) -> bool {
        let only_to = (self.nat == Nat::Symmetric).then_some(to);
        let by = self.ports_by_inside.get(&(inside, only_to)).copied();
        let by = by.filter(|by| *by != port && self.is_remembered(now, *by));
        let flow = by.and_then(|by| self.flows_by_port.get(&by));
        flow.is_some_and(|flow| flow.written_to.contains(&to))
    }

    /// A port that nobody has, for a new flow.
    fn open(
        &mut self,
        now: Duration,
        dice: &mut Dice,
        inside: SocketAddr,
        only_to: Option<SocketAddr>,
    ) -> u16 {
        let kept = self.ports == Ports::Kept && self.nat != Nat::Symmetric;
        let mut port = inside.port();
        while !kept && port == inside.port() || self.is_taken(now, port, inside) {
            port = drawn_port(dice);
            if !self.is_taken(now, port, inside) {
                break;
            }
        }
        if let Some(before) = self.flows_by_port.remove(&port) {
            let place = (before.inside, before.only_to);
            if self.ports_by_inside.get(&place) == Some(&port) {
                self.ports_by_inside.remove(&place);
            }
        }
        self.ports_by_inside.insert((inside, only_to), port);
        self.flows_by_port.insert(
            port,
            Flow {
                inside,
                only_to,
                used: now,
                written_to: BTreeSet::new(),
            },
        );
        port
    }
}

fn drawn_port(dice: &mut Dice) -> u16 {
    u16::try_from(dice.between(1024, 65_535)).unwrap_or(u16::MAX)
}

/// Whether an address can be somebody's in the world: others never leave a site.
pub(super) fn is_routed(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            let is_inside = ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared;
            !(is_inside || ip.is_multicast() || ip.is_broadcast())
        }
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback()),
    }
}
