//! A connection with the peer: how it begins, is measured, and ends; and the wait after one that failed.

use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

use super::steering::{KEEPALIVE, SUSPECT_PROBES};
use super::{Link, LinkNews, Phase, Role, Turn, Up};
use crate::clock::Moment;
use crate::io::{ConnectionId, DatagramSize, LinkFault, Path};
use crate::measuring::{self, SILENCE_WHILE_SENDING};

impl Link {
    pub(super) fn datagrams_are(&mut self, connection: ConnectionId, size: DatagramSize) {
        if let Phase::Up(up) = &mut self.phase
            && up.connection == connection
        {
            up.datagrams = size;
        }
    }

    /// Keeps an address that works while we are connected.
    pub(super) fn reached_at(&mut self, addr: SocketAddr, turn: &mut Turn<'_>) {
        let connected = matches!(self.phase, Phase::Up(_)) && self.paths.is_alive(turn.now, addr);
        let lasts =
            self.is_lasting(addr) && !is_of_one_link(addr) && TurnAddress::of(addr).is_none();
        if connected && lasts && !self.kept.contains(&addr) {
            self.kept.insert(0, addr);
            self.kept.truncate(KEPT_MAX);
            turn.news.push(LinkNews::Addresses(self.kept.clone()));
        }
    }

    pub(super) fn connected(&mut self, connection: ConnectionId, turn: &mut Turn<'_>) {
        let selected = match self.phase {
            Phase::Up(up) => {
                turn.news.push(LinkNews::Down(up.connection));
                up.selected
            }
            Phase::Dialing { path, .. } => Some(path),
            // Not by our wish: the peer has dialled, or an answer came late.
            Phase::Idle | Phase::Seeking { .. } | Phase::Waiting { .. } | Phase::Impostor => {
                match self.role {
                    Role::Dialer => Some(Path::Relay),
                    Role::Acceptor => None,
                }
            }
        };
        self.phase = Phase::Up(Up {
            connection,
            since: turn.now,
            selected,
            selected_at: turn.now,
            suspect_until: None,
            datagrams: DatagramSize::Every,
            settles_at: None,
            moved_at: None,
            keepalive_at: turn.now.after(KEEPALIVE),
            hint_at: turn.now,
            rtt: None,
            received_bytes: 0,
            sent_bytes: 0,
        });
        if selected == Some(Path::Relay) {
            self.relay.heard(turn.now);
        }
        self.was_refused = false;
        self.whereabouts.connects(None);
        self.meeting_connects(turn);
        self.outlook_begins();
        self.restart.disproved();
        turn.news.push(LinkNews::Up(connection));
        if let Some(Path::Direct(addr)) = selected {
            self.reached_at(addr, turn);
        }
    }

    pub(super) fn dial_failed(&mut self, path: Path, fault: LinkFault, turn: &mut Turn<'_>) {
        match (path, fault) {
            (Path::Direct(addr), _) => self.paths.disproved(addr),
            // Nobody may be at its other end any more.
            (Path::Relay, LinkFault::TimedOut) if self.may_ask_relay() => self.relay.distrust(),
            (
                Path::Relay,
                LinkFault::TimedOut
                | LinkFault::Closed
                | LinkFault::Restarted
                | LinkFault::Refused
                | LinkFault::Impostor
                | LinkFault::Protocol
                | LinkFault::Version,
            ) => {}
        }
        self.metrics.failed(fault);
        self.try_again(fault, turn);
    }

    /// The connection is gone, if there was one.
    pub(super) fn down(&mut self, fault: LinkFault, turn: &mut Turn<'_>) {
        if let Phase::Up(up) = self.phase {
            turn.news.push(LinkNews::Down(up.connection));
            self.metrics.lost(fault);
            if turn.now.since(up.since) >= STEADY {
                self.backoff.reset();
            }
        }
        // The peer may have ended: what was proved of it must be proved again before it is dialled.
        self.paths.disprove_all();
        self.nearby.try_anew(turn.now);
        if fault == LinkFault::TimedOut {
            self.doubt(turn);
            // It was not heard on any way, so this one may be as dead.
            self.relay.distrust();
            self.paths.stay_restless(turn.now);
        }
        self.try_again(fault, turn);
    }

    pub(super) fn wait(&mut self, fault: LinkFault, turn: &mut Turn<'_>) {
        // Whoever does not trust us does not even answer: silence after a refusal is one more.
        let fault = match fault {
            LinkFault::TimedOut if self.was_refused => LinkFault::Refused,
            LinkFault::TimedOut
            | LinkFault::Closed
            | LinkFault::Restarted
            | LinkFault::Refused
            | LinkFault::Impostor
            | LinkFault::Protocol
            | LinkFault::Version => fault,
        };
        self.was_refused = fault == LinkFault::Refused;
        self.phase = match fault {
            LinkFault::Impostor => Phase::Impostor,
            LinkFault::TimedOut
            | LinkFault::Closed
            | LinkFault::Restarted
            | LinkFault::Refused
            | LinkFault::Protocol
            | LinkFault::Version => {
                let pause = self.twin_pause(fault, turn);
                let pause = pause.unwrap_or_else(|| self.backoff.next(turn.rng));
                Phase::Waiting {
                    fault,
                    since: turn.now,
                    retry_at: turn.now.after(pause),
                }
            }
        };
    }

    pub(super) fn measured(
        &mut self,
        rtt: Duration,
        received: u64,
        sent: u64,
        silent_for: Duration,
        turn: &mut Turn<'_>,
    ) {
        let (now, role) = (turn.now, self.role);
        let Phase::Up(up) = &mut self.phase else {
            return;
        };
        self.metrics.measured(now, rtt, received, sent);
        let is_sending = sent > up.sent_bytes;
        up.rtt = Some(rtt);
        up.received_bytes = received;
        up.sent_bytes = sent;
        let patience = measuring::patience(rtt);
        // Of what has carried nothing yet, silence says nothing.
        let used_for = now.since(up.selected_at);
        let (Some(Path::Direct(addr)), Role::Dialer) = (up.selected, role) else {
            if silent_for >= patience {
                self.doubt(turn);
                if is_sending {
                    self.paths.stay_restless(now);
                }
            }
            self.relay.silent_for(now, silent_for.min(used_for));
            return;
        };
        if silent_for < SILENCE_WHILE_SENDING {
            up.suspect_until = None;
            self.paths.carried(
                Moment::from_start(now.since_start().saturating_sub(silent_for)),
                addr,
            );
        } else if up.suspect_until.is_none() {
            // Only a probe can tell a dead path from a peer that has nothing to say. One that is far may be
            // silent for longer; but who only receives is told of the silence once.
            let excused = patience.saturating_sub(silent_for);
            up.suspect_until = Some(now.after(excused + suspicion(rtt)));
            up.keepalive_at = now;
        }
    }
}

/// Whether an address means something only together with the interface that leads there, whose number is
/// another after the next start.
fn is_of_one_link(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local())
}

/// How long a doubted path has to answer a probe: until the third one is answered, so that a lossy path is not
/// condemned for two that are lost. Where the round trip is short these are 400 ms.
fn suspicion(rtt: Duration) -> Duration {
    SUSPECT_PROBES * 2 + ANSWER_LEAST.max(rtt + rtt / 4)
}

/// How long the answer to a probe is waited for at least: 100 ms.
const ANSWER_LEAST: Duration = Duration::from_millis(100);

/// How long a connection must last to count as working: 60 s. Without it a peer that breaks the
/// protocol at once would be dialled every second.
pub(super) const STEADY: Duration = Duration::from_secs(60);

/// Addresses kept per peer: 8, some networks at home and away.
pub(super) const KEPT_MAX: usize = 8;
