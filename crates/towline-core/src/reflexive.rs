//! The addresses under which others see this device: what STUN servers say of its UDP sockets (RFC 8489).
//!
//! A router that translates gives a socket another address towards the world. The servers that the signal
//! server names tell which; they are asked from the very socket that carries everything else. Asking begins
//! with a session and after a change of this device's own addresses, and is repeated every [`REFRESH`] while
//! there is a session, because a router forgets who is silent; so the address stays good for a peer that
//! comes later. What a server says is one more candidate and no truth: only a probe proves an address.
//!
//! Two servers' words together show whether the router gives one socket one port towards everybody. That
//! two ports of one host see the same says so only if the router goes by ports too; most do.
//!
//! A port that the router gives on demand is one more such address, and the better one: everybody may write to it.
//!
//! A server that does not answer costs [`TRIES_MAX`] packets and is then left alone for [`PAUSE`], so a signal
//! server that names a third party cannot have it flooded. One that has answered here is missed: it is asked
//! again after [`PAUSE_MISSED`], and when a session begins. Otherwise a device whose UDP works again would tell
//! an address of before for as long as that pause.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_wire::card::listenable;
use towline_wire::peer::{Mapping, Reflection};

use crate::clock::Moment;
use crate::io::{NetworkRequest, StunServer};
use crate::outbox::Outbox;
use crate::report::Outside;

/// What is known of our addresses from outside.
#[derive(Debug, Default)]
pub(crate) struct Reflexive {
    asked: Vec<Asked>,
    /// A port of the router that leads here.
    mapped: Option<SocketAddr>,
    /// The router's own address, when several servers last agreed on one.
    router: Option<IpAddr>,
    /// When one saw us elsewhere, and so the others were asked.
    compared_at: Option<Moment>,
}

/// One server.
#[derive(Debug)]
struct Asked {
    server: StunServer,
    /// What it said last, at most one address of each family; nothing if it has not answered here.
    seen: Vec<SocketAddr>,
    asked_at: Option<Moment>,
    /// Questions since the last answer.
    tries: u32,
    /// Questions since the last answer, also those before a pause.
    unanswered: u32,
    due: Moment,
}

impl Asked {
    const fn new(server: StunServer, now: Moment) -> Self {
        Self {
            server,
            seen: Vec::new(),
            asked_at: None,
            tries: 0,
            unanswered: 0,
            due: now,
        }
    }
}

/// Whether an answer has changed what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    Change,
    /// All say that the router has another address than all said before: whatever went by way of it is dead.
    Renumbered,
}

impl Reflexive {
    /// A session begins with these servers; only the first [`SERVERS_MAX`] are asked. One of before is asked
    /// when it would have been: a session that breaks again and again asks nobody more often.
    pub(crate) fn begin(&mut self, now: Moment, servers: Vec<StunServer>) {
        let mut before = std::mem::take(&mut self.asked);
        for server in servers.into_iter().take(SERVERS_MAX) {
            let known = before.iter().position(|asked| asked.server == server);
            let mut asked =
                known.map_or_else(|| Asked::new(server, now), |at| before.swap_remove(at));
            if !asked.seen.is_empty() {
                let spaced = asked.asked_at.map(|at| at.after(REFRESH));
                asked.due = asked.due.min(spaced.unwrap_or(now).max(now));
            }
            self.asked.push(asked);
        }
    }

    /// This device is elsewhere in the network: nothing that was said holds any more.
    pub(crate) fn moved(&mut self, now: Moment) {
        self.mapped = None;
        self.router = None;
        for asked in &mut self.asked {
            asked.seen.clear();
            asked.tries = 0;
            asked.unanswered = 0;
            asked.due = now;
        }
    }

    /// Somebody else does not answer: asks those that have answered where we are seen from now.
    pub(crate) fn doubt(&mut self, now: Moment) {
        for asked in &mut self.asked {
            if asked.tries == 0 && !asked.seen.is_empty() {
                asked.due = now;
            }
        }
    }

    /// A server has said where a question came from.
    pub(crate) fn answered(&mut self, now: Moment, server: &StunServer, from: SocketAddr) -> Told {
        let before = self.reflection();
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.server == *server) else {
            return Told::Nothing;
        };
        asked.tries = 0;
        asked.unanswered = 0;
        asked.due = now.after(REFRESH);
        let is_another_host =
            |seen: &SocketAddr| seen.is_ipv4() == from.is_ipv4() && seen.ip() != from.ip();
        let mut is_elsewhere = false;
        if is_seen_from_outside(from) && !asked.seen.contains(&from) {
            is_elsewhere = asked.seen.iter().any(is_another_host);
            asked.seen.retain(|seen| seen.is_ipv4() != from.is_ipv4());
            asked.seen.push(from);
        }
        let last = self.compared_at;
        if is_elsewhere && last.is_none_or(|last| now.since(last) >= COMPARISONS_APART) {
            self.compared_at = Some(now);
            for other in &mut self.asked {
                if other.tries == 0 && other.seen.iter().any(is_another_host) {
                    other.due = now;
                }
            }
        }
        let router = self.router();
        let known = if router.is_some() {
            std::mem::replace(&mut self.router, router)
        } else {
            router
        };
        if self.reflection() == before {
            Told::Nothing
        } else if known != router && known.is_some() {
            Told::Renumbered
        } else {
            Told::Change
        }
    }

    /// The address that the router has by the word of two servers at least, if none says another one.
    fn router(&self) -> Option<IpAddr> {
        let mut seen = self.seen_four().map(SocketAddr::ip);
        let (first, second) = (seen.next()?, seen.next()?);
        (first == second && seen.all(|other| other == first)).then_some(first)
    }

    /// What is known of this device as others see it.
    pub(crate) fn reflection(&self) -> Reflection {
        Reflection {
            mapping: self.mapping(),
            addresses: self.addresses(),
        }
    }

    /// What servers that answer have said of IPv4: routers of IPv6 do not translate. The word of one that is
    /// silent now may be of an older mapping.
    fn seen_four(&self) -> impl Iterator<Item = &SocketAddr> {
        let lively = self.asked.iter().filter(|asked| asked.unanswered <= 1);
        lively
            .flat_map(|asked| &asked.seen)
            .filter(|seen| seen.is_ipv4())
    }

    /// What the servers' words show together.
    fn mapping(&self) -> Mapping {
        let mut seen = self.seen_four();
        let (Some(first), Some(second)) = (seen.next(), seen.next()) else {
            return Mapping::Unknown;
        };
        if first == second && seen.all(|other| other == first) {
            Mapping::Same
        } else {
            Mapping::Varies
        }
    }

    /// The port that the router gives.
    pub(crate) const fn router_port(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// The router gives this port, or none any more.
    pub(crate) fn mapped(&mut self, external: Option<SocketAddr>) -> Told {
        let external = external.filter(|addr| is_seen_from_outside(*addr));
        if self.mapped == external {
            return Told::Nothing;
        }
        self.mapped = external;
        Told::Change
    }

    /// What is known: the servers' words, the first one's first, and then the router's port. Where the ports of a
    /// router are guessed the first address counts, and a router may say anything of its own.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = Vec::new();
        let seen = self.asked.iter().flat_map(|asked| &asked.seen);
        for addr in seen.chain(&self.mapped) {
            if !all.contains(addr) {
                all.push(*addr);
            }
        }
        all
    }

    /// What the answers, or their absence, show of the way out.
    pub(crate) fn outside(&self) -> Outside {
        let asked = || self.asked.iter();
        if asked().next().is_none() {
            Outside::NotAsked
        } else if asked().all(|asked| asked.unanswered >= TRIES_MAX) {
            Outside::Silent
        } else if asked().any(|asked| !asked.seen.is_empty()) {
            Outside::Seen
        } else {
            Outside::Asking
        }
    }

    /// Asks whoever is due.
    pub(crate) fn handle_timeout(&mut self, now: Moment, outbox: &mut Outbox) {
        for asked in self.asked.iter_mut().filter(|asked| asked.due <= now) {
            asked.asked_at = Some(now);
            asked.tries += 1;
            asked.unanswered = asked.unanswered.saturating_add(1);
            let wait = if asked.tries < TRIES_MAX {
                FIRST_WAIT.saturating_mul(1 << asked.tries.saturating_sub(1))
            } else {
                asked.tries = 0;
                if asked.seen.is_empty() {
                    PAUSE
                } else {
                    PAUSE_MISSED
                }
            };
            asked.due = now.after(wait);
            outbox.network(NetworkRequest::AskStun(asked.server.clone()));
        }
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Moment> {
        self.asked.iter().map(|asked| asked.due).min()
    }
}

/// Whether others could see a device there. Told to peers, this computer itself would have them send to
/// themselves.
fn is_seen_from_outside(addr: SocketAddr) -> bool {
    !addr.ip().to_canonical().is_loopback() && !listenable(vec![addr]).is_empty()
}

/// Servers that are asked: four. Two are needed to see whether a router keeps one port towards all, and a person
/// may have set others beside those of signal servers.
const SERVERS_MAX: usize = 4;

/// Time between two questions while there is a session: 25 s, below the 30 s after which common routers forget
/// UDP. Some 130 bytes each.
const REFRESH: Duration = Duration::from_secs(25);

/// Time until the second question: half a second (RFC 8489 section 6.2.1); it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Questions without an answer: five, which takes 7.5 s with the doubling waits.
const TRIES_MAX: u32 = 5;

/// Least time between two times at which a server sees us at another host than before and the others are asked
/// whether they do, too: 5 s. Two servers that lie by turns would else have each other asked without end.
const COMPARISONS_APART: Duration = Duration::from_secs(5);

/// How long a silent server is left alone: ten minutes. A network in which UDP is blocked stays so.
const PAUSE: Duration = Duration::from_secs(600);

/// The same for one that has answered on this network: a minute, as often as a path that is missed is probed. It
/// answers UDP, so five small packets a minute harm it in nothing.
const PAUSE_MISSED: Duration = Duration::from_secs(60);
