//! What is demanded of devices in a small internet, and what is seen of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_core::io::Path;
use towline_wire::turn_address::TurnAddress;

use super::enemy::Hostility;
use super::lender;
use super::probe::EXTRA_PORTS;
use super::theory::{Best, Found, Reach};
use super::wire::Datagram;
use super::{Internet, Payload};
use crate::rule::Rule;

/// What was counted of one host.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Probes since the last look.
    pub(super) pings: u64,
    /// Probes to routers that vary, in all its life.
    pub(super) guesses: u64,
    /// The same to each address, since the last look.
    pub(super) pings_by_address: BTreeMap<SocketAddr, u64>,
    /// Those by host.
    guesses_by_host: BTreeMap<IpAddr, u32>,
    /// When hosts that take no part were probed, in the last minute.
    pub(super) strays_by_address: BTreeMap<SocketAddr, VecDeque<Duration>>,
}

/// How long a pair may take to be on its best way when all is well.
const SETTLES_WITHIN: Duration = Duration::from_secs(75);

/// The same where it takes luck: three tries, the last one after 130 s.
const MEETS_WITHIN: Duration = Duration::from_secs(170);

/// How long the best way must be kept to count.
const STAYS: Duration = Duration::from_secs(8);

/// Pause between two looks.
const LOOKS_APART: Duration = Duration::from_millis(500);

/// How long everything has calmed down: bursts and tries are over.
const CALMS: Duration = Duration::from_secs(130);

/// How long somebody is missed until that is a rest, too.
const MISSED_FOR: Duration = Duration::from_secs(240);

/// Minutes that are watched.
const MINUTES: u32 = 3;

/// Probes for each peer in the quietest of those minutes, and in any: for two minutes after a lost path what has
/// worked is probed each second.
const PINGS_AT_REST: u64 = 130;
const PINGS_A_MINUTE: u64 = 400;

/// The same with a STUN server that lies every 25 s; a lie can make a steady router look like one that varies, and
/// then ports of it are guessed.
const PINGS_WITH_LIES: u64 = 6000;
const PINGS_AT_REST_WITH_LIES: u64 = 800;

/// Probes to one address of a host that takes no part, within a minute, from one device.
const STRAYS_MAX: usize = 64;

/// Guesses at one host in all of a life, which seldom is longer than the hour for which devices count. Others than
/// guesses are among them. A host that takes no part gets no more than the two tries that an hour holds of what is
/// named and not proved, in each of three hours.
const GUESSES_MAX: u32 = 4 * 4096;
const GUESSES_AT_OTHERS_MAX: u32 = 3 * (1024 + 1024);

/// Guesses at a router after which a pair has had all the luck that an hour holds: two tries.
const GUESSES_OF_ALL_TRIES: u32 = 2 * 512;

/// Changes of path of a pair in those minutes.
const MOVES_AT_REST: usize = 8;

/// Entries that the tables of one host may have: all that its bounds allow for two peers.
const HELD_MAX: usize = 4500;

impl Internet {
    /// Counts what a host sends.
    pub(super) fn count_sent(&mut self, datagram: &Datagram) {
        if let Some(host) = datagram.origin {
            self.count_sent_by(host, datagram);
        }
    }

    /// Counts what a host sends, whoever passes it on.
    pub(super) fn count_sent_by(&mut self, host: usize, datagram: &Datagram) {
        let now = self.now;
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
            let is_guess = self.is_guessed(datagram);
            let counted = &mut self.counted[host];
            if is_guess {
                counted.guesses += 1;
                let guesses = counted.guesses_by_host.entry(ip).or_default();
                *guesses += 1;
                let most = if is_stray {
                    GUESSES_AT_OTHERS_MAX
                } else {
                    GUESSES_MAX
                };
                if *guesses > most {
                    let what = format!("{host} sends {guesses} guesses to {ip}");
                    self.violate(Rule::NobodyIsAttacked, what);
                }
                return;
            }
            counted.pings += 1;
            *counted.pings_by_address.entry(datagram.to).or_default() += 1;
            if is_stray {
                let strays = counted.strays_by_address.entry(datagram.to).or_default();
                strays.push_back(now);
                while strays
                    .front()
                    .is_some_and(|at| now - *at > Duration::from_secs(60))
                {
                    strays.pop_front();
                }
                let strays = strays.len();
                self.most_strays = self.most_strays.max(strays);
                if strays > STRAYS_MAX {
                    let what = format!("{host} sends {strays} probes to {}", datagram.to);
                    self.violate(Rule::NobodyIsAttacked, what);
                }
            }
        }
    }

    /// Whether a probe is one of the many of the birthday method, which have a ration of their own: from a socket
    /// that was scattered, or to a port that is guessed, of a router that varies or of a liar's choice.
    fn is_guessed(&self, datagram: &Datagram) -> bool {
        let (ip, port) = (datagram.to.ip(), datagram.to.port());
        let is_routers = self.varying_addresses.contains(&ip);
        let is_liars = self.plan.hostility == Hostility::LyingStun && self.is_stray(ip);
        datagram.from.port() >= EXTRA_PORTS || is_routers || is_liars && port >= 1024
    }

    /// Whether an address on the internet is nobody's who takes part.
    fn is_stray(&self, ip: IpAddr) -> bool {
        super::router::is_routed(ip)
            && !self.hosts.iter().any(|host| host.has_been(ip))
            && !self.routers_addresses.contains(&ip)
            && ip != IpAddr::V4(lender::ADDRESS)
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
            Some(Path::Direct(addr)) if TurnAddress::of(*addr).is_some() => Reach::Turn,
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

    /// Whether a pair has made all tries of the birthday method that its routers bear.
    fn is_out_of_luck(&self, one: usize, other: usize) -> bool {
        [one, other].iter().any(|host| {
            let mut guessed = self.counted[*host].guesses_by_host.values();
            guessed.any(|guesses| *guesses >= GUESSES_OF_ALL_TRIES)
        })
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
                let is_out = self.is_out_of_luck(*one, *other);
                let forgiven = by_luck && (luck == Luck::Spent || is_out);
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

    /// Where nothing changes and nothing flows, little is sent and nothing moves. Later one of all is gone, and
    /// it is sought with few probes.
    pub(super) fn rests(&mut self) {
        if !self.violations.is_empty() {
            return;
        }
        self.pass(CALMS);
        self.watch_minutes(MINUTES, Company::Whole);
        let is_left_alone = self.dice.chance(30);
        if is_left_alone && self.violations.is_empty() {
            let gone = self.dice.below(self.hosts.len());
            self.crash(gone);
            self.pass(MISSED_FOR);
            self.watch_minutes(MINUTES, Company::Missed);
        }
    }

    fn watch_minutes(&mut self, minutes: u32, company: Company) {
        let since = self.now;
        let mut quietest = vec![u64::MAX; self.hosts.len()];
        for _ in 0..minutes {
            for counted in &mut self.counted {
                counted.pings = 0;
                counted.pings_by_address.clear();
            }
            self.pass(Duration::from_secs(60));
            let peers = self.hosts.len() as u64 - 1;
            // Each lie of a STUN server is news for all peers.
            let most = match self.plan.hostility {
                Hostility::LyingStun => PINGS_WITH_LIES * peers,
                Hostility::None | Hostility::Repeats | Hostility::Loses | Hostility::Copies => {
                    PINGS_A_MINUTE * peers
                }
            };
            for (host, quiet) in quietest.iter_mut().enumerate() {
                let counted = &self.counted[host];
                let guesses = counted.guesses;
                let pings = counted.pings;
                let most_to_one = counted.pings_by_address.values().max().copied();
                self.note(format_args!(
                    "SENT {company:?} {pings} pings, {guesses} guesses, {most_to_one:?} to one"
                ));
                *quiet = (*quiet).min(pings);
                if pings > most {
                    let what = format!("{host} sends {pings} probes a minute: {company:?}");
                    self.violate(Rule::ProbesAreFew, what);
                }
            }
        }
        let peers = self.hosts.len() as u64 - 1;
        let loud = quietest.iter().max().copied().unwrap_or_default();
        let most = match self.plan.hostility {
            Hostility::LyingStun => PINGS_AT_REST_WITH_LIES * peers,
            Hostility::None | Hostility::Repeats | Hostility::Loses | Hostility::Copies => {
                PINGS_AT_REST * peers
            }
        };
        if loud > most && self.violations.is_empty() {
            let what = format!("{loud} probes in the quietest minute: {company:?}");
            self.violate(Rule::ProbesAreFew, what);
        }
        if company == Company::Whole {
            self.look_at_loans(since);
        }
        for (one, other) in self.pairs() {
            let moves = self.hosts[one]
                .selections
                .iter()
                .chain(&self.hosts[other].selections);
            let moves = moves.filter(|(at, with)| *at > since && [one, other].contains(with));
            let moves = moves.count();
            self.note(format_args!("MOVES {company:?} {moves}"));
            let strays = self.most_strays;
            self.note(format_args!("STRAYS {strays}"));
            // Probes that are swallowed are losses beside those of the lines.
            let most = match self.plan.hostility {
                Hostility::Copies => 2 * MOVES_AT_REST,
                Hostility::None | Hostility::Repeats | Hostility::Loses | Hostility::LyingStun => {
                    MOVES_AT_REST
                }
            };
            if moves > most {
                let what = format!("{one} and {other} change their path {moves} times at rest");
                self.violate(Rule::NoFlapping, what);
            }
        }
    }

    /// Who has had straight ways to all peers for minutes has borrowed nothing.
    fn look_at_loans(&mut self, since: Duration) {
        for host in 0..self.hosts.len() {
            let mut peers = (0..self.hosts.len()).filter(|peer| *peer != host);
            let is_direct = peers.all(|peer| self.used(host, peer) <= Reach::Direct);
            let mut all = self.hosts.iter().flat_map(|host| &host.selections);
            let moves = all.any(|(at, _)| *at > since);
            let borrows = self.hosts[host].borrower.has();
            if is_direct && !moves && borrows && !self.is_lent_hidden() {
                let what = format!("{host} has borrowed what it does not use");
                self.violate(Rule::LentIsGivenBack, what);
            }
        }
    }

    /// Whether a router shows somebody an address that is lent under a port that nobody has lent.
    fn is_lent_hidden(&self) -> bool {
        let mut selected = self.hosts.iter().flat_map(|host| host.selected.values());
        selected.any(|path| match path {
            Path::Direct(addr) => {
                addr.ip() == IpAddr::V4(lender::ADDRESS) && !self.lender.lends_at(addr.port())
            }
            Path::Relay => false,
        })
    }

    /// Tables stay within their bounds.
    pub(super) fn look_at_tables(&mut self) {
        let held = self.hosts.iter().map(super::host::Host::held).max();
        if held > Some(HELD_MAX) {
            self.violate(Rule::TablesAreBounded, format!("{held:?} entries"));
        }
    }
}

/// Whether everybody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Whole,
    Missed,
}

/// Whether all tries of the birthday method are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luck {
    Whole,
    Spent,
}
