//! Where both devices can be tried: what this one tells, and what it hears of the peer.

use std::net::SocketAddr;

use towline_wire::card::listenable;
use towline_wire::limits::ADDRESSES_MAX;
use towline_wire::peer::{Control, Reflection};

use super::unrest::is_left;
use super::{Link, LinkNews, Phase, Presence, Role, Turn};
use crate::clock::Moment;

impl Link {
    pub(super) fn online(&mut self, turn: &mut Turn<'_>) {
        self.presence = Presence::Online;
        if self.connection().is_none() {
            self.metrics.reachable(turn.now);
        }
        self.relay.ask_anew();
        if self.role == Role::Dialer {
            self.relay.ask_anew_unless_heard(turn.now);
        }
        self.tell_addresses(turn);
        match self.phase {
            Phase::Waiting { .. } | Phase::Seeking { .. } => self.seek(turn.now),
            Phase::Idle | Phase::Dialing { .. } | Phase::Up(_) | Phase::Impostor => {}
        }
    }

    pub(super) fn local_addresses(&mut self, addresses: Vec<SocketAddr>, turn: &mut Turn<'_>) {
        let mut addresses = listenable(addresses);
        addresses.truncate(ADDRESSES_MAX);
        if addresses == self.local {
            return;
        }
        let before = std::mem::replace(&mut self.local, addresses);
        if !before.is_empty() {
            // What was proved was proved on another network.
            self.paths.disprove_all();
            self.nearby.try_anew(turn.now);
            self.stop_meeting(turn);
        }
        if is_left(&before, &self.local) {
            self.left_network(turn.now);
        }
        self.tell_anew(turn);
    }

    pub(super) fn seen_from(&mut self, reflection: Reflection, turn: &mut Turn<'_>) {
        let is_elsewhere = reflection.addresses != self.reflection.addresses;
        if is_left(&self.reflection.addresses, &reflection.addresses) {
            self.left_network(turn.now);
        }
        if reflection != self.reflection {
            self.reflection_changes(reflection, turn);
        }
        if is_elsewhere {
            self.tell_anew(turn);
        }
    }

    /// Tells the peer where we are on every way there is, and probes: what it sends comes in only where we
    /// have sent first.
    pub(super) fn tell_anew(&mut self, turn: &mut Turn<'_>) {
        self.tell_addresses(turn);
        if matches!(self.phase, Phase::Up(_)) {
            turn.outbox
                .send(self.peer, Control::Addresses(self.addresses()));
        }
        self.paths.begin_burst(turn.now);
    }

    /// Where this device can be tried: its own addresses first, then those that others see, then what is lent.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let mut all = self.local.clone();
        let lent = self.lent.told();
        let others = self.reflection.addresses.len() + lent.iter().count();
        all.truncate(ADDRESSES_MAX.saturating_sub(others));
        for other in self.reflection.addresses.iter().chain(&lent) {
            if !all.contains(other) {
                all.push(*other);
            }
        }
        all
    }

    pub(super) fn tell_addresses(&mut self, turn: &mut Turn<'_>) {
        if self.presence == Presence::Online && !self.local.is_empty() {
            let addresses = self.addresses();
            self.metrics.counts.addresses_told += count(&addresses);
            let sealed = self.seal.seal(addresses, turn.rng);
            turn.news.extend(sealed.map(LinkNews::Tell));
        }
    }

    pub(super) fn peer_listens_at(&mut self, now: Moment, addresses: Vec<SocketAddr>) {
        self.metrics.counts.addresses_heard += count(&addresses);
        if self.paths.has_left(&addresses) {
            self.relay.distrust_unless_new(now);
        }
        let by_ours = self.by_ours(addresses.clone());
        let all = addresses.into_iter().chain(by_ours).collect();
        if self.paths.told(now, all) {
            self.paths.begin_burst(now);
        }
    }
}

fn count(addresses: &[SocketAddr]) -> u64 {
    u64::try_from(addresses.len()).unwrap_or(u64::MAX)
}
