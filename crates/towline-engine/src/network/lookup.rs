//! Looks up the names of places where a person says that a peer is.
//!
//! Names below `local` are asked on the local network by mDNS, unless that is off; what is answered there counts
//! only where it is near. Other names are asked by the system, which may ask anybody, and so never within
//! the local network. What names lead to is only where the peer is tried; who is there proves itself in
//! the handshake.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mdns_sd::{HostnameResolutionEvent, ScopedIp};
use tokio::net::lookup_host;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use towline_core::io::{Discovery, NetworkEvent, NetworkScope};
use towline_wire::ids::DeviceId;
use towline_wire::place::Place;
use tracing::debug;

use super::mdns::{Daemon, silent};
use super::neighbourhood::{Neighbourhood, with_scope};

/// Longest wait for one name: 5 s, the patience of common resolvers with their first server.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long more addresses of a name are waited for after the first ones: 500 ms. Whoever answers at all says
/// all of its own at once, on each of its networks.
const MORE_WITHIN: Duration = Duration::from_millis(500);

/// Addresses that are taken of one name: 4. A device has one of each family, or two.
const ADDRESSES_MAX: usize = 4;

/// How many ask on the local network at a time: 1. Each has a thread and a socket on every interface, and
/// the others wait for seconds at most.
const ASKING_AT_ONCE: usize = 1;

/// Whoever can say where names lead.
#[derive(Debug, Clone)]
pub(super) struct Names {
    scope: NetworkScope,
    discovery: Discovery,
    neighbourhood: Arc<Neighbourhood>,
    asking: Arc<Semaphore>,
}

/// Who is asked for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    LocalNetwork,
    System,
    Nobody,
}

impl Names {
    pub(super) fn new(
        scope: NetworkScope,
        discovery: Discovery,
        neighbourhood: Arc<Neighbourhood>,
    ) -> Self {
        Self {
            scope,
            discovery,
            neighbourhood,
            asking: Arc::new(Semaphore::new(ASKING_AT_ONCE)),
        }
    }

    /// Looks up all names, one after the other, and tells where they lead.
    pub(super) fn look_up(
        &self,
        peer: DeviceId,
        places: Vec<Place>,
        events: mpsc::Sender<NetworkEvent>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let names = self.clone();
        async move {
            let mut found: Vec<SocketAddr> = Vec::new();
            for place in places {
                found.extend(names.addresses(&place).await);
            }
            if !found.is_empty() {
                // A device that has ended tries nobody.
                let _unheard = events.send(NetworkEvent::Found(peer, found)).await;
            }
        }
    }

    async fn addresses(&self, place: &Place) -> Vec<SocketAddr> {
        match self.asked(place) {
            Asked::Nobody => Vec::new(),
            Asked::System => {
                match timeout(PATIENCE, lookup_host((place.host(), place.port()))).await {
                    Ok(Ok(addresses)) => addresses.take(ADDRESSES_MAX).collect(),
                    Ok(Err(error)) => {
                        debug!(%error, "a peer's name leads nowhere");
                        Vec::new()
                    }
                    Err(_) => {
                        debug!("a peer's name is not answered for");
                        Vec::new()
                    }
                }
            }
            Asked::LocalNetwork => {
                let Ok(_turn) = self.asking.acquire().await else {
                    return Vec::new();
                };
                self.ask_local_network(place).await.unwrap_or_else(|error| {
                    debug!(%error, "the local network cannot be asked for a name");
                    Vec::new()
                })
            }
        }
    }

    fn asked(&self, place: &Place) -> Asked {
        match (place.is_of_local_network(), self.discovery, self.scope) {
            (true, Discovery::On, _) => Asked::LocalNetwork,
            // The system may know it from elsewhere, such as a file.
            (true, Discovery::Off, NetworkScope::Everywhere)
            | (false, _, NetworkScope::Everywhere) => Asked::System,
            (true, Discovery::Off, NetworkScope::LocalNetwork)
            | (false, _, NetworkScope::LocalNetwork) => Asked::Nobody,
        }
    }

    /// Asks whoever is on the local network.
    async fn ask_local_network(&self, place: &Place) -> mdns_sd::Result<Vec<SocketAddr>> {
        let daemon = Daemon(silent()?);
        let name = format!("{}.", place.host().trim_end_matches('.'));
        let patience = u64::try_from(PATIENCE.as_millis()).ok();
        let heard = daemon.0.resolve_hostname(&name, patience)?;
        let mut until = Instant::now() + PATIENCE;
        let mut found: Vec<SocketAddr> = Vec::new();
        while let Ok(Ok(event)) = timeout_at(until, heard.recv_async()).await {
            match event {
                HostnameResolutionEvent::AddressesFound(_, said) => {
                    for addr in self.near(said.iter(), place.port()) {
                        if found.len() < ADDRESSES_MAX && !found.contains(&addr) {
                            found.push(addr);
                        }
                    }
                    if !found.is_empty() {
                        until = until.min(Instant::now() + MORE_WITHIN);
                    }
                }
                HostnameResolutionEvent::SearchTimeout(_)
                | HostnameResolutionEvent::SearchStopped(_) => break,
                HostnameResolutionEvent::SearchStarted(_)
                | HostnameResolutionEvent::AddressesRemoved(..) => {}
                // The library may learn to say more.
                _ => {}
            }
        }
        found.sort();
        Ok(found)
    }

    /// What may be tried of what somebody on the local network says.
    fn near<'a>(
        &self,
        said: impl Iterator<Item = &'a ScopedIp>,
        port: u16,
    ) -> impl Iterator<Item = SocketAddr> {
        said.filter_map(move |said| {
            let addr = match said {
                ScopedIp::V4(v4) => SocketAddr::new(IpAddr::V4(*v4.addr()), port),
                ScopedIp::V6(v6) => with_scope(IpAddr::V6(*v6.addr()), port, v6.scope_id().index),
                // The library may learn to say more.
                _ => return None,
            };
            let loopback = addr.ip().to_canonical().is_loopback();
            let usable = !loopback && self.neighbourhood.is_near(addr);
            usable.then_some(addr)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scope: NetworkScope, discovery: Discovery) -> Names {
        let here = Neighbourhood::of(&[("192.168.1.5", 24), ("2001:db8::5", 64)]);
        Names::new(scope, discovery, Arc::new(here))
    }

    #[test]
    fn within_the_local_network_the_system_is_never_asked() {
        let (near, far) = (NetworkScope::LocalNetwork, NetworkScope::Everywhere);
        let (on, off) = (Discovery::On, Discovery::Off);
        for (scope, discovery, local, other) in [
            (near, on, Asked::LocalNetwork, Asked::Nobody),
            (near, off, Asked::Nobody, Asked::Nobody),
            (far, on, Asked::LocalNetwork, Asked::System),
            (far, off, Asked::System, Asked::System),
        ] {
            let asked = |text: &str| names(scope, discovery).asked(&text.parse().unwrap());
            assert_eq!(
                (asked("nas.local:1"), asked("nas.example:1")),
                (local, other)
            );
        }
    }

    #[test]
    fn who_answers_for_a_name_sends_nobody_elsewhere() {
        let said = [
            "192.168.1.9",
            "203.0.113.7",
            "127.0.0.1",
            "224.0.0.251",
            "192.168.1.255",
            "0.0.0.0",
            "2001:db8::9",
            "2001:db8:1::9",
            "::1",
        ];
        let said = said.map(|ip| ScopedIp::from(ip.parse::<IpAddr>().unwrap()));
        let names = names(NetworkScope::Everywhere, Discovery::On);
        let near: Vec<_> = names
            .near(said.iter(), 7)
            .map(|addr| addr.to_string())
            .collect();
        assert_eq!(near, ["192.168.1.9:7", "[2001:db8::9]:7"]);
    }
}
