//! How networks change while devices are connected, and how soon bytes flow again.

use std::time::Duration;

use super::judge::Luck;
use super::map::LineState;
use super::{Event, Internet};
use crate::dice::Dice;
use crate::rule::Rule;

/// Bytes that are to flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    from: usize,
    to: usize,
    came_at: Duration,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// UDP between two homes is lost, and passes again.
    Cut,
    /// A home's line is down.
    Line,
    /// A home's line carries no UDP.
    NoUdp,
    /// The server is gone, and begins anew.
    Server,
    /// The relay drops all channels.
    Relay,
    /// A host goes to another home.
    Uplink,
    /// A host gets another address where it is.
    Address,
    /// A router gets another address from its provider.
    Renumbered,
    /// A router begins anew.
    Forgets,
    /// A host sleeps.
    Sleeps,
    /// A host's interface comes and goes.
    Flaps,
    /// A device is killed, and starts again.
    Killed,
}

impl Change {
    const ALL: [Self; 12] = [
        Self::Cut,
        Self::Line,
        Self::NoUdp,
        Self::Server,
        Self::Relay,
        Self::Uplink,
        Self::Address,
        Self::Renumbered,
        Self::Forgets,
        Self::Sleeps,
        Self::Flaps,
        Self::Killed,
    ];
}

/// What was seen of a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Since when there is a way, if there is one.
    way_since: Option<Duration>,
    /// How long there was none, the longest time.
    lost_for: Duration,
    lost_since: Option<Duration>,
    /// The longest time without a byte though there was a way.
    gap: Duration,
}

/// How long there may be no way without the end of a connection.
const SHORT: Duration = Duration::from_secs(25);

/// How long bytes may stand still: while the relay stands, after a kill, after a short outage, after a long one.
/// The goal is 3 s; most are far below it, and these are what the worst of some thousand worlds needs.
const GAP_WITH_RELAY: Duration = Duration::from_secs(8);
const GAP_KILLED: Duration = Duration::from_secs(10);
const GAP_SHORT: Duration = Duration::from_secs(30);
const GAP_LONG: Duration = Duration::from_secs(75);

/// Pause between two frames of a flow.
const FLOW_APART: Duration = Duration::from_millis(100);

/// How long a flow is watched after a change: a little longer than it may stand still.
const WATCHED_FOR: Duration = Duration::from_secs(80);

/// Pause between two looks at a flow.
const STEP: Duration = Duration::from_millis(100);

impl Internet {
    pub(super) fn changes(&mut self) {
        for _ in 0..self.dice.between(1, 4) {
            self.episode();
            if !self.violations.is_empty() || !self.settles(Luck::Spent) {
                return;
            }
        }
    }

    /// One change, with bytes that flow meanwhile or without.
    fn episode(&mut self) {
        let pairs = self.pairs();
        let Some((one, other)) = self.dice.pick(&pairs).copied() else {
            return;
        };
        let (from, to) = if self.dice.chance(50) {
            (one, other)
        } else {
            (other, one)
        };
        let is_busy = self.dice.chance(75);
        if is_busy {
            self.flow_begins(from, to);
            self.pass(Duration::from_secs(3));
        }
        let before = self.standing(one, other).map(|(number, _)| number);
        let Some(change) = self.dice.pick(&Change::ALL).copied() else {
            return;
        };
        let lasts = drawn_length(&mut self.dice);
        self.note(format_args!("CHANGE {change:?} of {from}, {lasts:?}"));
        let mut seen = Seen {
            way_since: Some(self.now),
            lost_for: Duration::ZERO,
            lost_since: None,
            gap: Duration::ZERO,
        };
        self.begins(change, from, to, lasts, &mut seen);
        self.ends(change, from);
        self.watch(WATCHED_FOR, one, other, &mut seen);
        let after = self.standing(one, other).map(|(number, _)| number);
        let kept = if before == after { "same" } else { "new" };
        self.note(format_args!(
            "SEEN {change:?} busy {is_busy} lost {} gap {} {kept}",
            seen.lost_for.as_millis(),
            seen.gap.as_millis()
        ));
        self.flow = None;
        if is_busy {
            self.judge_flow(change, &seen, before == after);
        }
    }

    /// Bytes have flowed again soon enough, and on the same connection where that can be.
    fn judge_flow(&mut self, change: Change, seen: &Seen, is_same: bool) {
        let is_short = seen.lost_for <= SHORT;
        let most = match change {
            Change::Cut | Change::NoUdp if seen.lost_for.is_zero() => GAP_WITH_RELAY,
            Change::Killed => GAP_KILLED,
            Change::Cut
            | Change::NoUdp
            | Change::Line
            | Change::Server
            | Change::Relay
            | Change::Uplink
            | Change::Address
            | Change::Renumbered
            | Change::Forgets
            | Change::Sleeps
            | Change::Flaps => {
                if is_short {
                    GAP_SHORT
                } else {
                    GAP_LONG
                }
            }
        };
        if seen.gap > most {
            let what = format!("{change:?}: {:?} after {:?}", seen.gap, seen.lost_for);
            return self.violate(Rule::FlowsAgain, what);
        }
        let lasts = matches!(change, Change::Cut | Change::NoUdp | Change::Relay);
        if lasts && seen.lost_for.is_zero() && !is_same {
            self.violate(Rule::ConnectionLasts, format!("{change:?}: {seen:?}"));
        }
    }

    fn begins(&mut self, change: Change, from: usize, to: usize, lasts: Duration, seen: &mut Seen) {
        let (Some(here), Some(there)) = (self.hosts[from].spot, self.hosts[to].spot) else {
            return;
        };
        match change {
            Change::Cut => {
                let nets = (here.net.min(there.net), here.net.max(there.net));
                self.map.cut.insert(nets);
                self.watch(lasts, from, to, seen);
            }
            Change::Line => {
                self.map.line_mut(here.net).state = LineState::Down;
                self.watch(lasts, from, to, seen);
            }
            Change::NoUdp => {
                self.map.line_mut(here.net).state = LineState::WithoutUdp;
                self.watch(lasts, from, to, seen);
            }
            Change::Server => {
                self.server_stops();
                self.watch(lasts, from, to, seen);
            }
            Change::Relay => self.relay_restarts(),
            Change::Uplink => {
                let gap = self.dice.millis(0, 4000);
                let net = self.map.home(&mut self.dice);
                self.note_routers();
                let spot = self.map.spot(net);
                self.moves(from, None);
                self.watch(gap, from, to, seen);
                self.moves(from, Some(spot));
            }
            Change::Address => {
                let spot = self.map.spot(here.net);
                self.moves(from, Some(spot));
            }
            Change::Renumbered | Change::Forgets => {
                let chain = self.map.chain(here.net);
                if let Some(router) = self.dice.pick(&chain).copied() {
                    let outside = self.map.routers[router].outside;
                    if change == Change::Renumbered {
                        let ip = self.map.outside_address(outside);
                        self.map.routers[router].outside_ip = ip;
                        self.note_routers();
                    }
                    self.loans_forgotten(router);
                    self.map.routers[router].forget();
                    if change == Change::Forgets {
                        self.map.routers[router].given.clear();
                    }
                }
            }
            Change::Sleeps => {
                self.hosts[from].asleep_until = self.now + lasts;
                self.watch(lasts, from, to, seen);
            }
            Change::Flaps => {
                for _ in 0..self.dice.between(1, 3) {
                    self.moves(from, None);
                    let away = self.dice.millis(50, 2000);
                    self.watch(away, from, to, seen);
                    self.moves(from, Some(here));
                    let there = self.dice.millis(50, 3000);
                    self.watch(there, from, to, seen);
                }
            }
            Change::Killed => {
                self.crash(from);
                let away = self.dice.millis(200, 5000);
                self.watch(away.max(lasts / 4), from, to, seen);
                self.start(from);
            }
        }
    }

    /// All is well again.
    fn ends(&mut self, change: Change, from: usize) {
        self.note(format_args!("END of {change:?}"));
        self.map.cut.clear();
        if let Some(spot) = self.hosts[from].spot {
            self.map.line_mut(spot.net).state = LineState::Up;
        }
        self.server_starts();
    }

    /// A host is somewhere else, or nowhere; its system tells it a moment later.
    fn moves(&mut self, host: usize, spot: Option<super::map::Spot>) {
        self.hosts[host].moves(spot);
        let wait = self.dice.millis(20, 300);
        let run = self.hosts[host].run;
        self.after(wait, Event::AddressesTold { host, run });
        self.neighbours_change();
    }

    /// Lets time pass, and looks how bytes flow.
    fn watch(&mut self, time: Duration, one: usize, other: usize, seen: &mut Seen) {
        let end = self.now + time;
        while self.now < end && self.violations.is_empty() {
            self.pass(STEP.min(end - self.now));
            let now = self.now;
            if !self.has_a_way(one, other) {
                seen.way_since = None;
                let since = *seen.lost_since.get_or_insert(now);
                seen.lost_for = seen.lost_for.max(now - since);
                continue;
            }
            seen.lost_since = None;
            let since = *seen.way_since.get_or_insert(now);
            if let Some(flow) = self.flow {
                seen.gap = seen.gap.max(now - flow.came_at.max(since));
            }
        }
    }

    fn flow_begins(&mut self, from: usize, to: usize) {
        let is_new = self.flow.is_none();
        self.flow = Some(Flow {
            from,
            to,
            came_at: self.now,
        });
        if is_new {
            self.after(FLOW_APART, Event::Flow);
        }
    }

    pub(super) fn flows(&mut self) {
        let Some(flow) = self.flow else { return };
        if !self.hosts[flow.from].sleeps(self.now) {
            self.send_bulk(flow.from, flow.to);
        }
        self.after(FLOW_APART, Event::Flow);
    }

    pub(super) fn bulk_came(&mut self, from: usize, to: usize) {
        let now = self.now;
        if let Some(flow) = &mut self.flow
            && (flow.from, flow.to) == (from, to)
        {
            flow.came_at = now;
        }
    }
}

/// How long a change lasts: mostly so short that connections outlive it.
fn drawn_length(dice: &mut Dice) -> Duration {
    match dice.below(10) {
        0..=3 => dice.millis(200, 5000),
        4..=7 => dice.millis(5000, 25_000),
        8 => dice.millis(25_000, 90_000),
        _ => dice.millis(90_000, 600_000),
    }
}
