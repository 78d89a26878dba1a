//! Where peers are to be met, when that changes: each connection begins with the servers of both sides, and what
//! a peer says replaces what its card said.
//!
//! A device that went to another server while a peer was away is found there by that peer, once they have met
//! anywhere. Within the local network nothing is told: the servers are then not used, and not given up.

use towline_wire::ids::DeviceId;
use towline_wire::limits::SERVERS_TOLD_MAX;
use towline_wire::peer::Control;
use towline_wire::server_url::ServerUrl;
use towline_wire::version::{TELLS_SERVERS, VersionRange};

use super::Device;
use crate::clock::Moment;
use crate::io::{ConnectionId, NetworkScope};
use crate::records::StoreOp;

/// What a peer has told of its servers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToldServers {
    /// On which connection last; once on each.
    on: Option<ConnectionId>,
    /// When something new was taken last.
    taken_at: Option<Moment>,
}

impl Device {
    /// Tells a peer that has greeted us where we are to be met.
    pub(super) fn tell_servers(&mut self, id: DeviceId, versions: VersionRange) {
        let is_understood = VersionRange::OURS.agree(versions) >= Some(TELLS_SERVERS);
        match self.scope {
            NetworkScope::Everywhere if is_understood => {
                let servers = self.servers.clone();
                self.outbox.send(id, Control::Servers(servers));
            }
            NetworkScope::Everywhere | NetworkScope::LocalNetwork => {}
        }
    }

    /// A peer says where it is to be met from now on.
    pub(super) fn servers_told(&mut self, now: Moment, id: DeviceId, servers: Vec<ServerUrl>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let connection = peer.connection.map(|(connection, _)| connection);
        if servers.len() > SERVERS_TOLD_MAX || peer.told_servers.on == connection {
            return self.misbehaved(now, id);
        }
        peer.told_servers.on = connection;
        let servers: Vec<String> = servers.into_iter().map(String::from).collect();
        let last = peer.told_servers.taken_at;
        let is_flood = last.is_some_and(|at| now.since(at) < TAKEN_APART);
        if servers == peer.record.servers || is_flood {
            return;
        }
        peer.told_servers.taken_at = Some(now);
        peer.record.servers = servers;
        let keep = StoreOp::PutPeer(peer.record.clone());
        self.outbox.persist(vec![keep], Vec::new());
        self.watch_peers(now);
    }
}

/// Least time between two changes that are taken from one peer: a minute. Servers are changed by people; one that
/// says others again and again would have us connect to hosts of its choice as often. What is left out now is
/// said again on the next connection.
const TAKEN_APART: std::time::Duration = std::time::Duration::from_secs(60);
