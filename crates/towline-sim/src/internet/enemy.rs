//! Who means harm in a small internet: a server that lies, and somebody who copies probes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use towline_core::io::{Input, NetworkEvent};
use towline_wire::signal::ServerMessage;

use super::wire::Datagram;
use super::{Event, Internet, Payload};
use crate::dice::Dice;
use crate::mutation::LinkMutation;

/// What happens that nobody should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hostility {
    None,
    /// The server repeats what devices tell each other, also from long ago.
    Repeats,
    /// The server loses a part of what devices tell each other.
    Loses,
    /// STUN says that devices are seen from where others are.
    LyingStun,
    /// Probes are copied and sent again from elsewhere, some in place of the first ones.
    Copies,
}

impl Hostility {
    pub(super) fn drawn(dice: &mut Dice) -> Self {
        match dice.below(20) {
            0..=1 => Self::Repeats,
            2 => Self::Loses,
            3..=4 => Self::LyingStun,
            5..=7 => Self::Copies,
            _ => Self::None,
        }
    }

    /// Whether the best way may stay hidden.
    pub(super) const fn hides(self) -> bool {
        match self {
            Self::None | Self::Repeats | Self::Copies => false,
            Self::Loses | Self::LyingStun => true,
        }
    }
}

/// What the enemy remembers.
#[derive(Debug, Default)]
pub(super) struct Enemy {
    told: VecDeque<ServerMessage>,
}

/// Messages that are kept to be repeated.
const TOLD_KEPT: usize = 6;

/// Addresses of those who take no part, or of many at once.
pub(super) const OTHERS: [&str; 6] = [
    "9.9.9.9:53",
    "8.8.4.4:443",
    "224.0.0.251:5353",
    "127.0.0.1:631",
    "255.255.255.255:67",
    "192.168.77.1:80",
];

impl Internet {
    /// What the server makes of what it is to say.
    pub(super) fn bent_notice(&mut self, message: ServerMessage) -> Vec<ServerMessage> {
        if !matches!(message, ServerMessage::Relayed { .. }) {
            return vec![message];
        }
        match self.plan.hostility {
            Hostility::Repeats => {
                let old = self.dice.below(TOLD_KEPT);
                let mut all = vec![message.clone()];
                all.extend(self.enemy.told.get(old).cloned());
                if self.enemy.told.len() >= TOLD_KEPT {
                    self.enemy.told.pop_front();
                }
                self.enemy.told.push_back(message);
                all
            }
            Hostility::Loses if self.dice.chance(30) => Vec::new(),
            Hostility::None | Hostility::Loses | Hostility::LyingStun | Hostility::Copies => {
                vec![message]
            }
        }
    }

    /// What STUN says.
    pub(super) fn bent_reflection(&mut self, from: SocketAddr) -> SocketAddr {
        let lies = self.plan.hostility == Hostility::LyingStun && self.dice.chance(50);
        let other = self.dice.pick(&OTHERS).copied();
        let other = other.and_then(|other| other.parse().ok());
        other.filter(|_| lies).unwrap_or(from)
    }

    /// A datagram comes to a host; whether it is swallowed, and a copy of it comes from elsewhere.
    pub(super) fn is_copied(&mut self, host: usize, datagram: &Datagram) -> bool {
        let is_first = datagram.origin.is_some();
        if self.plan.hostility != Hostility::Copies || !is_first {
            return false;
        }
        let author = match datagram.payload {
            Payload::Ping { author, .. } | Payload::Pong { author, .. } => author,
            Payload::Quic(_) | Payload::Ask { .. } | Payload::Seen { .. } => return false,
        };
        if !self.dice.chance(25) {
            return false;
        }
        let from = self
            .dice
            .pick(&OTHERS[..2])
            .and_then(|other| other.parse().ok());
        let Some(from) = from else { return false };
        let copy = Datagram {
            origin: None,
            from,
            ..datagram.clone()
        };
        let wait = self.dice.millis(1, 3000);
        self.after(
            wait,
            Event::Receive {
                host,
                datagram: copy,
            },
        );
        if self.bug.is(LinkMutation::CopyProves) {
            let peer = self.hosts[author].id;
            let rtt = std::time::Duration::from_millis(1);
            let proved = NetworkEvent::ProbeAnswered { peer, from, rtt };
            self.deliver(host, wait, Input::Network(proved));
        }
        self.dice.chance(30)
    }
}
