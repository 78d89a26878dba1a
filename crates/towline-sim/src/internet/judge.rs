//! What is demanded of devices in a small internet, and what is seen of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_core::io::Path;

use super::theory::{Best, Found, Reach};
use super::wire::Datagram;
use super::{Internet, Payload};
use crate::rule::Rule;

/// What was counted of one host.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Probes since the last look.
    pub(super) pings: u64,
    /// The same to each address, since the last look.
    pub(super) pings_by_address: BTreeMap<SocketAddr, u64>,
    /// Probes to hosts that are nobody's in this world, in all its life.
    pub(super) strays_by_address: BTreeMap<SocketAddr, u64>,
}

/// How long a pair may take to be on its best way when all is well.
const SETTLES_WITHIN: Duration = Duration::from_secs(75);

/// The same where it takes luck: three tries, the last one after 135 s.
const MEETS_WITHIN: Duration = Duration::from_secs(170);

/// How long the best way must be kept to count.
const STAYS: Duration = Duration::from_secs(8);

/// Pause between two looks.
const LOOKS_APART: Duration = Duration::from_millis(500);

/// Entries that the tables of one host may have: all that its bounds allow for two peers.
const HELD_MAX: usize = 4500;

impl Internet {
    /// Counts what a host sends.
    pub(super) fn count_sent(&mut self, datagram: &Datagram) {
        let Some(host) = datagram.origin else { return };
        let ip = datagram.to.ip();
        let is_forbidden = match ip {
            IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_multicast(),
        };
        if is_forbidden || ip.is_loopback() || ip.is_unspecified() {
            let what = format!("{host} sends to {}", datagram.to);
            return self.violate(Rule::NobodyIsAttacked, what);
        }
        if matches!(datagram.payload, Payload::Ping { .. }) {
            let is_stray = self.is_stray(ip);
            let counted = &mut self.counted[host];
            counted.pings += 1;
            *counted.pings_by_address.entry(datagram.to).or_default() += 1;
            if is_stray {
                *counted.strays_by_address.entry(datagram.to).or_default() += 1;
            }
        }
    }

    /// Whether an address on the internet is nobody's who takes part.
    fn is_stray(&self, ip: IpAddr) -> bool {
        super::router::is_routed(ip)
            && !self.hosts.iter().any(|host| host.has_been(ip))
            && !self.routers_addresses.contains(&ip)
    }

    /// The way that a pair uses: both ends stand, and the dialer has selected it.
    pub(super) fn used(&self, one: usize, other: usize) -> Reach {
        let (dialer, acceptor) = self.roles(one, other);
        let (Some((ours, _)), Some((theirs, _))) = (
            self.standing(dialer, acceptor),
            self.standing(acceptor, dialer),
        ) else {
            return Reach::Nowhere;
        };
        if ours != theirs {
            return Reach::Nowhere;
        }
        match self.hosts[dialer].selected.get(&acceptor) {
            None => Reach::Nowhere,
            Some(Path::Relay) if self.is_relayed(dialer, acceptor) => Reach::Relay,
            Some(Path::Relay) => Reach::Nowhere,
            Some(Path::Direct(addr)) => {
                let spots = [dialer, acceptor].map(|host| self.hosts[host].spot);
                let is_lan = match spots {
                    [Some(ours), Some(theirs)] => {
                        let segments = [ours, theirs].map(|spot| self.map.segment(spot.net));
                        segments[0] == segments[1] && theirs.ips().contains(&addr.ip())
                    }
                    [_, _] => false,
                };
                if is_lan { Reach::Lan } else { Reach::Direct }
            }
        }
    }

    /// The dialer and the acceptor.
    pub(super) fn roles(&self, one: usize, other: usize) -> (usize, usize) {
        if self.hosts[one].id < self.hosts[other].id {
            (one, other)
        } else {
            (other, one)
        }
    }

    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.hosts.len();
        all.flat_map(|other| (0..other).map(move |one| (one, other)))
            .collect()
    }

    /// Whether a pair is where it should be.
    fn is_settled(&self, one: usize, other: usize) -> bool {
        let Best { reach, found } = self.best(one, other);
        let used = self.used(one, other);
        match found {
            Found::Surely | Found::ByBirthday => used <= reach,
            Found::Perhaps => used <= Reach::Relay,
        }
    }

    /// Lets time pass until all pairs are on their best ways and stay there.
    pub(super) fn settles(&mut self, luck: Luck) -> bool {
        let begun = self.now;
        let mut settled_since = None;
        loop {
            if !self.violations.is_empty() {
                return false;
            }
            let waiting = self.pairs().into_iter();
            let mut waiting = waiting.filter(|(one, other)| {
                let by_luck = self.best(*one, *other).found == Found::ByBirthday;
                let forgiven = by_luck && luck == Luck::Spent;
                let connected = self.used(*one, *other) <= Reach::Relay;
                !(self.is_settled(*one, *other) || forgiven && connected)
            });
            match waiting.next() {
                None => {
                    let since = *settled_since.get_or_insert(self.now);
                    if self.now - since >= STAYS {
                        return true;
                    }
                }
                Some((one, other)) => {
                    settled_since = None;
                    let best = self.best(one, other);
                    let patience = match best.found {
                        Found::ByBirthday => MEETS_WITHIN,
                        Found::Surely | Found::Perhaps => SETTLES_WITHIN,
                    };
                    if self.now - begun >= patience {
                        let used = self.used(one, other);
                        let what = format!("{one} and {other} use {used:?}, {best:?} is there");
                        self.violate(Rule::BestPath, what);
                        return false;
                    }
                }
            }
            self.pass(LOOKS_APART);
            self.look_at_tables();
        }
    }

    /// Tables stay within their bounds.
    pub(super) fn look_at_tables(&mut self) {
        let held = self.hosts.iter().map(super::host::Host::held).max();
        if held > Some(HELD_MAX) {
            self.violate(Rule::TablesAreBounded, format!("{held:?} entries"));
        }
    }
}

/// Whether all tries of the birthday method are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luck {
    Whole,
    Spent,
}
