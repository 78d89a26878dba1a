//! What a link does with what it knows: when it probes, dials, and changes its path.
//!
//! Everything here is asked after every input and every timeout, and does only what is due or has
//! just become possible.

use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

use super::paths::{Gain, is_near};
use super::{Link, LinkNews, Phase, Presence, Role, Turn, Up};
use crate::clock::Moment;
use crate::io::{DatagramSize, LinkFault, NetworkRequest, NetworkScope, Path};
use crate::ration::Urgency;

impl Link {
    /// Whether anything at all is to be done about this peer.
    pub(super) const fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Idle | Phase::Impostor)
    }

    pub(super) fn seek(&mut self, now: Moment) {
        match self.phase {
            Phase::Dialing { .. } | Phase::Up(_) => return,
            // A peer that ends still answers for a moment, at an address that nobody has a moment later.
            Phase::Waiting { .. } => self.paths.disprove_all(),
            Phase::Idle | Phase::Seeking { .. } | Phase::Impostor => {}
        }
        self.phase = Phase::Seeking { since: now };
        self.paths.begin_burst(now);
    }

    /// Does everything that is due or has become possible.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        self.meet(turn);
        match self.phase {
            Phase::Idle | Phase::Impostor => return,
            Phase::Waiting { retry_at, .. } if turn.now >= retry_at => self.seek(turn.now),
            Phase::Dialing { path, deadline, .. } if turn.now >= deadline => {
                turn.outbox.network(NetworkRequest::Hangup(self.peer));
                self.dial_failed(path, LinkFault::TimedOut, turn);
            }
            Phase::Seeking { .. }
            | Phase::Dialing { .. }
            | Phase::Up(_)
            | Phase::Waiting { .. } => {}
        }
        if self
            .relay
            .wants_asking(turn.now, self.may_ask_relay(), turn.rng)
        {
            turn.news.push(LinkNews::WantRelay);
        }
        self.look_up_if_due(turn);
        if self.next_round().is_some_and(|due| turn.now >= due) {
            for addr in self.paths.take_round(turn.now) {
                self.ask_for_probe(addr, turn);
            }
        }
        if self.next_back().is_some_and(|due| turn.now >= due) {
            for addr in self.paths.take_back(turn.now) {
                self.probe(addr, turn);
            }
        }
        if self.next_nearby().is_some_and(|due| turn.now >= due) {
            for addr in self.nearby.take_due(turn.now) {
                self.ask_for_probe(addr, turn);
            }
        }
        match (self.role, self.phase) {
            (Role::Dialer, Phase::Seeking { since }) => self.dial_if_possible(since, turn),
            (
                Role::Dialer,
                Phase::Dialing {
                    path,
                    since,
                    deadline,
                },
            ) => self.redirect_dial(path, since, deadline, turn),
            (Role::Dialer, Phase::Up(up)) => self.keep_best_path(up, turn),
            (Role::Dialer | Role::Acceptor, _) => {}
        }
    }

    pub(super) fn may_ask_relay(&self) -> bool {
        self.role == Role::Dialer && self.presence == Presence::Online && self.is_active()
    }

    /// When the next round of probes is due: always in a burst, later only while no direct path is
    /// in use.
    pub(super) fn next_round(&self) -> Option<Moment> {
        let due = self.paths.next_round()?;
        match self.phase {
            Phase::Idle | Phase::Impostor => None,
            Phase::Up(_) if self.paths.is_bursting() => Some(due),
            Phase::Up(Up {
                selected: Some(Path::Direct(addr)),
                ..
            }) if TurnAddress::of(addr).is_none() => {
                // Whoever comes back may be heard first on a longer way than the one that was lost.
                let is_sought = !self.paths.is_proved(addr) || self.paths.misses_as_near(addr);
                is_sought.then_some(due)
            }
            Phase::Up(Up { selected: None, .. }) => Some(due.max(self.paths.quiet_until())),
            // A direct path would be better.
            Phase::Up(Up {
                selected: Some(Path::Direct(_) | Path::Relay),
                ..
            })
            | Phase::Seeking { .. }
            | Phase::Dialing { .. }
            | Phase::Waiting { .. } => Some(due),
        }
    }

    /// When an address is to be probed back that was heard too soon for it.
    pub(super) fn next_back(&self) -> Option<Moment> {
        self.is_active().then(|| self.paths.next_back())?
    }

    pub(super) fn probe(&mut self, addr: SocketAddr, turn: &mut Turn<'_>) {
        self.paths.probed(turn.now, addr);
        self.ask_for_probe(addr, turn);
    }

    fn ask_for_probe(&mut self, addr: SocketAddr, turn: &mut Turn<'_>) {
        match self.scope {
            NetworkScope::LocalNetwork if !is_near(addr) => {}
            NetworkScope::LocalNetwork | NetworkScope::Everywhere if !self.may_try(addr) => {}
            NetworkScope::LocalNetwork | NetworkScope::Everywhere => {
                let urgency = if self.paths.is_bursting() {
                    Urgency::Burst
                } else {
                    Urgency::Routine
                };
                if !turn.ration.may_probe(turn.now, addr, urgency) {
                    return;
                }
                self.metrics.counts.probes_sent += 1;
                turn.outbox.network(NetworkRequest::Probe(self.peer, addr));
            }
        }
    }

    /// Whether an address may be the peer's at all. Our own socket is not, and loopback only for a peer that
    /// has shown to be on this machine: by answering at one of our other addresses or by coming from loopback. A
    /// device that has loopback alone has no other peers.
    fn may_try(&self, addr: SocketAddr) -> bool {
        let is_loopback = |addr: &SocketAddr| addr.ip().to_canonical().is_loopback();
        if self.local.contains(&addr) {
            return false;
        }
        !is_loopback(&addr)
            || self.local.iter().all(is_loopback)
            || self.paths.was_at(addr)
            || self.paths.was_at_host_of(&self.local)
    }

    /// When something announced on the local network is to be tried: not while the connection goes
    /// through there.
    pub(super) fn next_nearby(&self) -> Option<Moment> {
        let is_through_there = match self.phase {
            Phase::Idle | Phase::Impostor => return None,
            Phase::Seeking { .. } | Phase::Dialing { .. } | Phase::Waiting { .. } => false,
            Phase::Up(Up {
                selected: Some(Path::Direct(addr)),
                ..
            }) => is_near(addr),
            Phase::Up(Up {
                selected: Some(Path::Relay),
                ..
            }) => false,
            // The acceptor sees it from the peer's probes, which come every few seconds.
            Phase::Up(Up { selected: None, .. }) => self.paths.is_used_nearby(),
        };
        (!is_through_there).then(|| self.nearby.next_due())?
    }

    /// Asks whether an address that was proved carries large datagrams, too. Only the dialer needs to know:
    /// the acceptor's QUIC finds out itself on every path.
    pub(super) fn probe_large(&mut self, addr: SocketAddr, turn: &mut Turn<'_>) {
        if self.role == Role::Dialer && self.is_active() && self.paths.take_large_probe(addr) {
            self.metrics.counts.probes_sent += 1;
            turn.outbox
                .network(NetworkRequest::ProbeLarge(self.peer, addr));
        }
    }

    fn dial_if_possible(&mut self, since: Moment, turn: &mut Turn<'_>) {
        let path = match self.dialable(turn.now) {
            (Some(direct), _) => direct,
            (None, Some(relay)) if turn.now >= since.after(DIRECT_GRACE) => relay,
            (None, Some(_) | None) => return,
        };
        turn.outbox.network(NetworkRequest::Select(self.peer, path));
        turn.outbox.network(NetworkRequest::Dial(self.peer));
        self.dials_on(path, turn.now);
    }

    fn dials_on(&mut self, path: Path, now: Moment) {
        self.phase = Phase::Dialing {
            path,
            since: now,
            deadline: now.after(DIAL_PATIENCE),
        };
    }

    /// Our end of the packet channel is open: a dial by way of it begins anew, with the peer that waits there now.
    pub(super) fn relay_opened(&mut self, now: Moment) {
        self.relay.opened(now);
        if let Phase::Dialing {
            path: Path::Relay,
            since,
            deadline,
        } = self.phase
        {
            self.dials_anew_on(Path::Relay, since, deadline, now);
        }
    }

    /// Our end of the packet channel is closed. When it carried everything the server may be gone with it, which
    /// who only receives would not notice for long.
    pub(super) fn relay_closed(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Up(up) = self.phase
            && self.relay.is_open()
            && self.path(&up, turn.now) == Path::Relay
        {
            self.doubt(turn);
        }
        self.relay.closed(turn.now, turn.rng);
    }

    /// A dial that begins anew has all its time again, unless news that the peer has begun anew has cut it.
    fn dials_anew_on(&mut self, path: Path, since: Moment, deadline: Moment, now: Moment) {
        self.dials_on(path, now);
        if deadline < since.after(DIAL_PATIENCE) {
            self.phase = Phase::Dialing {
                path,
                since: now,
                deadline,
            };
        }
    }

    /// A dial whose path is gone begins anew over another one, if there is one, and so does one that the relay keeps
    /// waiting when there is a direct path.
    fn redirect_dial(&mut self, path: Path, since: Moment, deadline: Moment, turn: &mut Turn<'_>) {
        let is_slow = turn.now >= since.after(RELAYED_DIAL_PATIENCE);
        let stands = match path {
            Path::Direct(addr) => self.paths.is_alive(turn.now, addr),
            Path::Relay if is_slow => self.relay.is_open() && self.paths.best(turn.now).is_none(),
            Path::Relay => self.relay.is_open(),
        };
        if stands {
            return;
        }
        let path = match self.paths.best(turn.now) {
            Some(addr) => Path::Direct(addr),
            None if self.relay.is_open() => Path::Relay,
            None => return,
        };
        turn.outbox.network(NetworkRequest::Select(self.peer, path));
        self.dials_anew_on(path, since, deadline, turn.now);
    }

    /// Moves to the best path, gives up a dead one, keeps a direct one proved.
    fn keep_best_path(&mut self, mut up: Up, turn: &mut Turn<'_>) {
        let now = turn.now;
        let Some(Path::Direct(current)) = up.selected else {
            match self.best_for(&mut up, now) {
                Some(best) => self.select(up, Path::Direct(best), turn),
                None => self.phase = Phase::Up(up),
            }
            return;
        };
        let condemned = up.suspect_until.is_some_and(|until| now >= until);
        let alive = !condemned && self.paths.is_alive(now, current);
        if !alive {
            up.suspect_until = None;
        }
        if !alive && self.paths.is_proved(current) {
            self.paths.disproved(current);
            self.doubt(turn);
            self.paths.stay_restless(now);
        }
        match self.best_for(&mut up, now) {
            Some(best) if !alive => return self.select(up, Path::Direct(best), turn),
            Some(best) if self.is_worth_moving(&up, current, best, now) => {
                up.moved_at = Some(now);
                return self.select(up, Path::Direct(best), turn);
            }
            None if !alive && self.relay.is_open() => {
                self.paths.begin_burst(now);
                return self.select(up, Path::Relay, turn);
            }
            None if !alive => {
                // Without a relay to wait on, whatever answers is better.
                if let Some(any) = self.paths.best(now) {
                    return self.select(up, Path::Direct(any), turn);
                }
            }
            // Alive; or dead without another way, until the relay that is asked for is open.
            Some(_) | None => {}
        }
        if now >= up.keepalive_at {
            let pause = if up.suspect_until.is_some() {
                SUSPECT_PROBES
            } else if alive {
                KEEPALIVE_AGAIN
            } else {
                KEEPALIVE
            };
            up.keepalive_at = now.after(pause);
            self.probe(current, turn);
        }
        self.phase = Phase::Up(up);
    }

    /// The best path that this connection may move to, and when to look again for a better one.
    fn best_for(&self, up: &mut Up, now: Moment) -> Option<SocketAddr> {
        up.settles_at = None;
        match up.datagrams {
            DatagramSize::Every => self.paths.best(now),
            DatagramSize::Large => {
                let (any, settled) = (self.paths.best(now), self.paths.best_settled(now));
                if any != settled {
                    up.settles_at = any.and_then(|any| self.paths.settles_at(any));
                }
                settled
            }
        }
    }

    /// Whether to leave a path that works. One of two that are equally near is not left again at once,
    /// however their round trips change.
    fn is_worth_moving(&self, up: &Up, current: SocketAddr, best: SocketAddr, now: Moment) -> bool {
        match self.paths.gain(current, best) {
            Gain::None => false,
            Gain::Faster => up
                .moved_at
                .is_none_or(|before| now.since(before) >= MOVES_APART),
            Gain::Nearer => true,
        }
    }

    fn select(&mut self, up: Up, path: Path, turn: &mut Turn<'_>) {
        turn.outbox.network(NetworkRequest::Select(self.peer, path));
        let keepalive_at = turn.now.after(KEEPALIVE);
        self.phase = Phase::Up(Up {
            selected: Some(path),
            selected_at: turn.now,
            suspect_until: None,
            keepalive_at,
            ..up
        });
        if let Path::Direct(addr) = path {
            self.reached_at(addr, turn);
        }
    }

    /// When the dialer must look at its selected path again.
    pub(super) fn path_check_due(&self, up: &Up) -> Option<Moment> {
        match (self.role, up.selected) {
            (Role::Dialer, Some(Path::Direct(addr))) => {
                let expiry = self.paths.alive_until(addr);
                let due = [
                    Some(up.keepalive_at),
                    up.suspect_until,
                    expiry,
                    up.settles_at,
                ];
                due.into_iter().flatten().min()
            }
            (Role::Dialer, Some(Path::Relay)) => up.settles_at,
            (Role::Dialer | Role::Acceptor, Some(_) | None) => None,
        }
    }
}

/// How long the relay waits for a direct answer when the link starts: 100 ms. On a LAN the answer
/// takes a few; more would only be felt by those who have no direct path.
pub(super) const DIRECT_GRACE: Duration = Duration::from_millis(100);

/// How long a dial may take: 10 s. The network gives up by itself before; this is a safety net.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);

/// How long a dial by way of the relay is left alone when there is a direct path: 500 ms, some round trips. Nobody
/// may be at the other end of the packet channel; and QUIC tries again ever more rarely, so even when somebody comes
/// there the dial may wait for seconds.
const RELAYED_DIAL_PATIENCE: Duration = Duration::from_millis(500);

/// Pause between two probes of the selected direct path: 5 s. It keeps NAT mappings (30 s at least by the book, 6 s
/// in the worst that the lab has) and notices a dead path at rest; see [`super::paths::TRUST`]. Under load silence
/// shows that much sooner. A probe and its answer are 208 bytes over IPv4 and 248 over IPv6, 3 KB a minute.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(5);

/// When a probe of the selected direct path that has no answer is followed by the next one: 1 s. Four of them fit
/// into what a proof is believed; with two, one line in six that loses a tenth was left each minute at rest.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(1);

/// Least time between two moves for the sake of a shorter round trip: 10 s. The first direct path is only
/// the first that answered, and may be left at once; then six moves a minute are the most there can be.
const MOVES_APART: Duration = Duration::from_secs(10);

/// Pause between two probes of a doubted path: 150 ms. Three of them decide.
pub(super) const SUSPECT_PROBES: Duration = Duration::from_millis(150);
