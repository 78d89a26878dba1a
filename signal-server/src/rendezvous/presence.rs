//! Presence and standing consent: who watches whom.
//!
//! Two clients see each other, and may relay to each other, while each names the other in its
//! `watch`. The server keeps these lists for as long as the connections last and no longer.

use towline_wire::signal::{ErrorCode, RequestId, ServerMessage, SignalId};

use super::pairing::Seat;
use super::{ConnectionId, Moment, Phase, Rendezvous};

impl Rendezvous {
    pub(super) fn watch(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        mut peers: Vec<SignalId>,
    ) {
        peers.retain(|peer| *peer != sender);
        peers.sort_unstable();
        peers.dedup();
        let guest = sender.device().is_none();
        if guest && peers.len() > GUEST_WATCH_PEERS_MAX {
            return self.refuse(
                connection,
                id,
                ErrorCode::TooLarge,
                "a guest watches at most 16 peers",
            );
        }
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let Phase::Present { watching, .. } = &mut known.phase else {
            return;
        };
        let before = std::mem::replace(watching, peers.clone().into_boxed_slice());
        for gone in before
            .iter()
            .filter(|peer| peers.binary_search(peer).is_err())
        {
            if self.watches(*gone, sender) && !self.share_mailbox(*gone, sender) {
                self.tell(*gone, ServerMessage::PeerDisconnected { peer_id: sender });
            }
            self.unwatch_afar(connection, sender, *gone);
        }
        for new in peers
            .iter()
            .filter(|peer| before.binary_search(peer).is_err())
        {
            if self.watches(*new, sender) {
                self.say(connection, ServerMessage::PeerConnected { peer_id: *new });
                self.tell(*new, ServerMessage::PeerConnected { peer_id: sender });
            }
        }
        let new = peers.iter().copied();
        let new: Vec<_> = new
            .filter(|peer| before.binary_search(peer).is_err())
            .collect();
        self.look_afar(now, sender, &new);
        self.close_unwatched_channels(now, sender, &peers);
    }

    /// Whether `watcher` is there and names `watched`.
    pub(super) fn watches(&self, watcher: SignalId, watched: SignalId) -> bool {
        let connection = self.connection_by_id.get(&watcher);
        let known = connection.and_then(|connection| self.connections.get(connection));
        known.is_some_and(|known| match &known.phase {
            Phase::Present { watching, .. } => watching.binary_search(&watched).is_ok(),
            Phase::ExpectRegister { .. } | Phase::Relay { .. } => false,
        })
    }

    /// Whether both are there and name each other.
    pub(super) fn watch_each_other(&self, one: SignalId, other: SignalId) -> bool {
        self.watches(one, other) && self.watches(other, one)
    }

    /// Whether both are members of one mailbox. A seat may be old: of two who are here both must say so.
    pub(super) fn share_mailbox(&self, one: SignalId, other: SignalId) -> bool {
        let peer_of = |member| self.seats.get(&member).and_then(Seat::peer);
        peer_of(one) == Some(other) && (!self.is_here(other) || peer_of(other) == Some(one))
    }
}

/// Ids that a guest may watch: 16, the size of a room.
const GUEST_WATCH_PEERS_MAX: usize = 16;
