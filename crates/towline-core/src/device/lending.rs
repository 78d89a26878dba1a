//! STUN and TURN servers of this device: those that its person has set, beside those that signal servers name.

use towline_wire::ids::DeviceId;

use super::Device;
use crate::clock::Moment;
use crate::io::StunServer;
use crate::link::LinkInput;

impl Device {
    /// Signal servers name these; what is set comes after the first two, so that neither pushes the other out.
    pub(super) fn stun_named(&mut self, now: Moment, mut named: Vec<StunServer>) {
        named.truncate(NAMED_MAX);
        named.extend(self.stun_set.iter().cloned());
        self.reflexive.begin(now, named);
        self.reflexive.handle_timeout(now, &mut self.outbox);
        self.tell_reflexive(now);
    }

    /// Borrows where a link wants it, gives back what none does, and tells all links when it becomes another one.
    pub(super) fn lend(&mut self, now: Moment) {
        let links = self.peers.values().map(|peer| &peer.link);
        let wants = links.filter_map(|link| link.lent_wanted_at());
        let is_wanted = wants.min().is_some_and(|due| now >= due);
        self.borrowing.want(now, is_wanted, &mut self.outbox);
        if self.lent != self.borrowing.address() {
            self.lent = self.borrowing.address();
            let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
            for peer in peers {
                self.link(now, peer, LinkInput::Lent(self.lent));
            }
        }
    }

    /// When [`Self::lend`] is to be asked again.
    pub(super) fn lend_due(&self) -> Option<Moment> {
        let links = self.peers.values().map(|peer| &peer.link);
        let wants = links.filter_map(|link| link.lent_wanted_at()).min();
        // A want that has begun is known already.
        let begins = wants.filter(|_| self.borrowing.is_resting());
        begins
            .into_iter()
            .chain(self.borrowing.poll_timeout())
            .min()
    }
}

/// STUN servers of signal servers that are asked beside those that are set: two, as many as show whether a router
/// keeps one port towards all.
const NAMED_MAX: usize = 2;
