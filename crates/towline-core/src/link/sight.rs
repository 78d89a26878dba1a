//! What a link shows: to a person, to whoever watches many, and to its own history.
//!
//! Nothing here decides anything.

use towline_wire::peer::WayOut;

use super::birthday::Prospect;
use super::metrics::{LinkCounts, LinkSight};
use super::{Link, Phase, Presence, Role};
use crate::clock::Moment;
use crate::io::LinkFault;
use crate::path_kind::PathKind;
use crate::report::{LinkReport, Obstacle, Outside};
use crate::snapshot::LinkState;

impl Link {
    /// What a person sees of it at `now`.
    pub fn summary(&self, now: Moment) -> LinkState {
        match self.phase {
            Phase::Idle => LinkState::Away,
            Phase::Seeking { .. } if self.was_refused && self.role == Role::Acceptor => {
                let retry_at = self.next_round().unwrap_or(now);
                LinkState::Waiting {
                    fault: LinkFault::Refused,
                    retry_at,
                }
            }
            Phase::Seeking { .. }
                if self.presence == Presence::Offline && !self.paths.is_bursting() =>
            {
                LinkState::Away
            }
            Phase::Seeking { .. } | Phase::Dialing { .. } => LinkState::Connecting,
            Phase::Up(up) => LinkState::Up {
                path: self.path(&up, now),
                rtt: up.rtt,
                received_bytes: up.received_bytes,
                sent_bytes: up.sent_bytes,
            },
            Phase::Waiting {
                fault, retry_at, ..
            } => LinkState::Waiting { fault, retry_at },
            Phase::Impostor => LinkState::Impostor,
        }
    }

    /// What was counted of it, for whoever watches many.
    pub fn counts(&self) -> &LinkCounts {
        &self.metrics.counts
    }

    /// Everything that can be told of it.
    pub fn report(&self, now: Moment, name: &str) -> LinkReport {
        LinkReport {
            peer: self.peer,
            name: name.to_owned(),
            state: self.summary(now),
            obstacle: self.obstacle(now),
            counts: self.metrics.counts.clone(),
            history: self.metrics.history(),
            samples: self.metrics.samples(),
            candidates: self.paths.report(now),
        }
    }

    /// Why packets take no direct path.
    fn obstacle(&self, now: Moment) -> Option<Obstacle> {
        let Phase::Up(up) = self.phase else {
            return None;
        };
        match self.path(&up, now).kind() {
            PathKind::Lan | PathKind::DirectV6 | PathKind::DirectV4 => None,
            PathKind::Turn | PathKind::Relay if self.paths.is_searching() => {
                Some(Obstacle::Searching)
            }
            PathKind::Turn | PathKind::Relay => Some(self.standing_obstacle()),
        }
    }

    /// Why no direct path is found, now that all was tried.
    fn standing_obstacle(&self) -> Obstacle {
        match (self.outlook.ours, self.outlook.theirs) {
            (Outside::Silent, _) => return Obstacle::NoUdpHere,
            (Outside::NotAsked | Outside::Asking | Outside::Seen, WayOut::Blocked) => {
                return Obstacle::NoUdpThere;
            }
            (
                Outside::NotAsked | Outside::Asking | Outside::Seen,
                WayOut::Unknown | WayOut::Open,
            ) => {}
        }
        match self.meeting_prospect() {
            Prospect::Trying => Obstacle::Searching,
            Prospect::None => Obstacle::BothVary,
            Prospect::Missed => Obstacle::PortsGuessed,
            Prospect::Usual if self.paths.has_told() => Obstacle::NoAnswer,
            Prospect::Usual => Obstacle::NoAddress,
        }
    }

    /// How it stands, for its history.
    pub(super) fn sight(&self, now: Moment) -> LinkSight {
        match (self.summary(now), self.phase) {
            (LinkState::Up { path, .. }, Phase::Up(up)) => {
                LinkSight::Up(up.connection, path.kind())
            }
            (LinkState::Away, _) => LinkSight::Away,
            (LinkState::Waiting { fault, .. }, _) => LinkSight::Waiting(fault),
            (LinkState::Impostor, _) => LinkSight::Impostor,
            (LinkState::Connecting | LinkState::Up { .. }, _) => LinkSight::Connecting,
        }
    }
}
