//! Which way between two devices there is in theory, from what only the world knows.

use super::Internet;
use super::map::{LineState, ROOT};
use super::router::{Hairpin, Nat};

/// A way, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Within one net.
    Lan,
    /// Over the internet, past routers.
    Direct,
    /// By an address that a TURN server lends.
    Turn,
    /// Through the server.
    Relay,
    /// None.
    Nowhere,
}

/// The best way, and how it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Best {
    pub(super) reach: Reach,
    pub(super) found: Found,
}

/// What finding the way takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Probes.
    Surely,
    /// Luck, in some tries.
    ByBirthday,
    /// More than can be promised; what is one worse will do.
    Perhaps,
}

/// What the routers before a host are together.
#[derive(Debug, Clone, Copy)]
struct Front {
    varies: bool,
    strictest: Nat,
}

impl Internet {
    /// The best way between two devices as everything is now.
    pub(super) fn best(&self, one: usize, other: usize) -> Best {
        let surely = |reach| Best {
            reach,
            found: Found::Surely,
        };
        let hosts = [&self.hosts[one], &self.hosts[other]];
        let lives = hosts
            .iter()
            .all(|host| host.device.is_some() && !host.sleeps(self.now));
        let (Some(ours), Some(theirs), true) = (hosts[0].spot, hosts[1].spot, lives) else {
            return surely(Reach::Nowhere);
        };
        let segments = [ours.net, theirs.net].map(|net| self.map.segment(net));
        if segments[0] == segments[1] && segments[0] != ROOT {
            return Best {
                reach: Reach::Lan,
                found: if self.plan.hostility.hides() {
                    Found::Perhaps
                } else {
                    Found::Surely
                },
            };
        }
        let states = [ours.net, theirs.net].map(|net| self.map.line(net).state);
        // Without the server nobody is told what is lent.
        let relay = if !self.server.is_up() || states.contains(&LineState::Down) {
            surely(Reach::Nowhere)
        } else if self.is_lent_way(one, other) {
            Best {
                reach: Reach::Turn,
                found: if self.plan.hostility.hides() {
                    Found::Perhaps
                } else {
                    Found::Surely
                },
            }
        } else {
            surely(Reach::Relay)
        };
        let is_cut = self.map.is_cut(ours.net, theirs.net);
        if states != [LineState::Up; 2] || is_cut {
            return relay;
        }
        let hides = self.plan.hostility.hides();
        if ours.six.is_some() && theirs.six.is_some() {
            return Best {
                reach: Reach::Direct,
                found: if hides { Found::Perhaps } else { Found::Surely },
            };
        }
        let given = self.is_reached_at_given(one, other) || self.is_reached_at_given(other, one);
        let found = self.found_over_four(segments);
        match found.filter(|_| !given).or(given.then_some(Found::Surely)) {
            Some(found) => Best {
                reach: Reach::Direct,
                found: if hides { Found::Perhaps } else { found },
            },
            None => relay,
        }
    }

    /// Whether a pair surely has a way now: one that takes luck is none before it is found.
    pub(super) fn has_a_way(&self, one: usize, other: usize) -> bool {
        let best = self.best(one, other);
        let is_sure = best.found == Found::Surely || best.reach == Reach::Relay;
        let spots = [one, other].map(|host| self.hosts[host].spot);
        let lines = spots.map(|spot| spot.map(|spot| self.map.line(spot.net).state));
        let has_lines = lines
            .iter()
            .all(|state| !matches!(state, None | Some(LineState::Down)));
        best.reach != Reach::Nowhere && (is_sure || self.server.is_up() && has_lines)
    }

    /// How two nets meet over IPv4, if they can.
    fn found_over_four(&self, segments: [usize; 2]) -> Option<Found> {
        let chains = segments.map(|net| self.map.chain(net));
        let shared = chains[0].iter().find(|router| chains[1].contains(router));
        let turned = shared.is_none_or(|_| {
            let last = chains[0].last();
            last.is_some_and(|router| self.map.routers[*router].hairpin == Hairpin::Turned)
        });
        let fronts = chains.each_ref().map(|chain| {
            let nats = chain.iter().map(|router| self.map.routers[*router].nat);
            let strictest = nats.max().unwrap_or(Nat::FullCone);
            let varies = chain
                .iter()
                .any(|router| self.map.routers[*router].nat == Nat::Symmetric);
            Front { varies, strictest }
        });
        if fronts.iter().any(|front| front.strictest == Nat::Blocked) {
            return None;
        }
        let found = match fronts {
            [Front { varies: true, .. }, Front { varies: true, .. }] => return None,
            [Front { varies: false, .. }, Front { varies: false, .. }] => Found::Surely,
            [Front { varies: true, .. }, steady] | [steady, Front { varies: true, .. }] => {
                match steady.strictest {
                    Nat::FullCone | Nat::AddressRestricted => Found::Surely,
                    Nat::PortRestricted | Nat::Symmetric | Nat::Blocked => Found::ByBirthday,
                }
            }
        };
        match (shared, turned) {
            (None, _) => Some(found),
            // Routers that turn differ in what they make of the sender.
            (Some(_), true) => Some(Found::Perhaps),
            (Some(_), false) => None,
        }
    }
}
