//! Looks up the names of places where a person says that a peer is.
//!
//! What they lead to is only where the peer is tried; who is there proves itself in the handshake.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::timeout;
use towline_core::io::NetworkEvent;
use towline_wire::ids::DeviceId;
use towline_wire::place::Place;
use tracing::debug;

/// Longest wait for one name: 5 s, the patience of common resolvers with their first server.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses that are taken of one name: 4. A device has one of each family, or two.
const ADDRESSES_MAX: usize = 4;

/// Looks up all names, one after the other, and tells where they lead.
pub(super) async fn look_up(
    peer: DeviceId,
    places: Vec<Place>,
    events: mpsc::Sender<NetworkEvent>,
) {
    let mut found: Vec<SocketAddr> = Vec::new();
    for place in places {
        match timeout(PATIENCE, lookup_host((place.host(), place.port()))).await {
            Ok(Ok(addresses)) => found.extend(addresses.take(ADDRESSES_MAX)),
            Ok(Err(error)) => debug!(%error, "a peer's name leads nowhere"),
            Err(_) => debug!("a peer's name is not answered for"),
        }
    }
    if !found.is_empty() {
        // A device that has ended tries nobody.
        let _unheard = events.send(NetworkEvent::Found(peer, found)).await;
    }
}
