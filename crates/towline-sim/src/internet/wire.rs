//! Datagrams on their way: out through the routers of who sends, and in through those of who gets them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

use super::lender;
use super::map::{LineState, ROOT};
use super::router::{Hairpin, is_routed};
use super::server;
use super::{Event, Internet, Payload};

/// A datagram between two hosts.
#[derive(Debug, Clone)]
pub(super) struct Datagram {
    /// Which host has sent it, if one has; no host can tell.
    pub(super) origin: Option<usize>,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Payload,
}

/// What a datagram needs within one net of a home.
const WITHIN: Duration = Duration::from_micros(400);

impl Internet {
    /// A host sends from one of its ports.
    pub(super) fn send(&mut self, host: usize, port: u16, to: SocketAddr, payload: Payload) {
        let now = self.now;
        let place = &self.hosts[host];
        let (Some(spot), false) = (place.spot, place.sleeps(now)) else {
            return;
        };
        let to = match TurnAddress::of(to) {
            Some(TurnAddress::Ours(behind)) => return self.send_by_loan(host, behind, payload),
            Some(TurnAddress::Theirs(lent)) => {
                self.hosts[host].borrower.note_theirs(lent);
                SocketAddr::V4(lent)
            }
            None => to,
        };
        let Some(ip) = spot.ip_towards(to.ip()) else {
            return;
        };
        let mut datagram = Datagram {
            origin: Some(host),
            from: SocketAddr::new(ip, port),
            to,
            payload,
        };
        self.count_sent(&datagram);
        let mut net = self.map.segment(spot.net);
        loop {
            let to = datagram.to;
            if self.is_below(net, to.ip()) {
                return self.travels(spot.net, net, datagram);
            }
            let Some(router) = self.map.nets[net].router else {
                break;
            };
            let router = &mut self.map.routers[router];
            let is_itself = to.ip() == IpAddr::V4(router.outside_ip);
            if is_itself && router.hairpin == Hairpin::Dropped {
                return;
            }
            let Some(passed) = router.leave(now, &mut self.dice, datagram.from, to) else {
                return;
            };
            (datagram.from, datagram.to) = passed;
            net = router.outside;
        }
        let is_servers = [server::ADDRESS, IpAddr::V4(lender::ADDRESS)].contains(&datagram.to.ip());
        if is_servers && net == ROOT {
            self.travels(spot.net, ROOT, datagram);
        }
    }

    /// Whether an address is somebody's in a net, or leads down from it.
    fn is_below(&self, net: usize, ip: IpAddr) -> bool {
        let is_router = self
            .map
            .routers
            .iter()
            .any(|router| router.outside == net && ip == IpAddr::V4(router.outside_ip));
        is_router || self.host_below(net, ip).is_some()
    }

    /// The host with an address in a net; of IPv6 also further down.
    fn host_below(&self, net: usize, ip: IpAddr) -> Option<usize> {
        self.hosts.iter().position(|host| {
            host.spot.is_some_and(|spot| {
                let segment = self.map.segment(spot.net);
                let is_in = segment == net
                    || ip.is_ipv6()
                        && self
                            .map
                            .chain(segment)
                            .iter()
                            .any(|router| self.map.routers[*router].outside == net);
                is_in && spot.ips().contains(&ip)
            })
        })
    }

    /// A datagram leaves its home, or stays within.
    fn travels(&mut self, home: usize, net: usize, datagram: Datagram) {
        let is_within = net != ROOT && self.map.segment(home) == net;
        let delay = if is_within {
            Some(WITHIN)
        } else {
            self.crosses(home, &datagram)
        };
        if let Some(delay) = delay {
            self.after(delay, Event::Arrive { net, datagram });
        }
    }

    /// What a home's line makes of a datagram; `None` when it is lost.
    pub(super) fn crosses(&mut self, home: usize, datagram: &Datagram) -> Option<Duration> {
        let line = *self.map.line(home);
        let is_lost = self.dice.chance(line.loss_percent);
        let fits = datagram.payload.fits(line.carries);
        let jitter = usize::try_from(line.jitter.as_micros()).unwrap_or(0);
        let delay = line.latency + self.dice.micros(0, jitter);
        (line.state == LineState::Up && !is_lost && fits).then_some(delay)
    }

    /// A datagram is in the net where its address means somebody.
    pub(super) fn arrives(&mut self, net: usize, mut datagram: Datagram) {
        let mut net = net;
        if datagram.to.ip() == server::ADDRESS {
            return self.stun_asked(&datagram);
        }
        if datagram.to.ip() == IpAddr::V4(lender::ADDRESS) {
            return self.lender_gets(datagram);
        }
        let now = self.now;
        loop {
            let ip = datagram.to.ip();
            let of_router =
                self.map.routers.iter().position(|router| {
                    router.outside == net && ip == IpAddr::V4(router.outside_ip)
                });
            let Some(router) = of_router.or_else(|| self.router_towards(net, ip)) else {
                break;
            };
            let entered = self.map.routers[router].enter(now, datagram.from, datagram.to);
            let Some(passed) = entered else { return };
            (datagram.from, datagram.to) = passed;
            let inside = |below: &super::map::Net| below.router == Some(router);
            net = self.map.nets.iter().position(inside).unwrap_or(ROOT);
        }
        let Some(host) = self.host_below(net, datagram.to.ip()) else {
            return;
        };
        let Some(spot) = self.hosts[host].spot else {
            return;
        };
        let origin = datagram.origin.and_then(|origin| self.hosts[origin].spot);
        let home = origin.map(|spot| spot.net);
        let is_within = net != ROOT && home == Some(spot.net);
        if is_within {
            return self.after(WITHIN, Event::Receive { host, datagram });
        }
        let is_direct = datagram.payload.is_between_devices();
        if is_direct && home.is_some_and(|home| self.map.is_cut(home, spot.net)) {
            return;
        }
        let copies = 1 + usize::from(self.dice.chance(self.map.line(spot.net).doubled_percent));
        for _ in 0..copies {
            if let Some(delay) = self.crosses(spot.net, &datagram) {
                let datagram = datagram.clone();
                self.after(delay, Event::Receive { host, datagram });
            }
        }
    }

    /// The router in a net behind which an IPv6 address is.
    fn router_towards(&self, net: usize, ip: IpAddr) -> Option<usize> {
        if ip.is_ipv4() || !is_routed(ip) {
            return None;
        }
        let host = self.host_below(net, ip)?;
        let segment = self.map.segment(self.hosts[host].spot?.net);
        let chain = self.map.chain(segment);
        let mut chain = chain.into_iter();
        chain.find(|router| segment != net && self.map.routers[*router].outside == net)
    }
}
