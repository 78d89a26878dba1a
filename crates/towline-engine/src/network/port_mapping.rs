//! A UDP port of the router that leads to ours, where the router gives one on demand: by PCP (RFC 6887), NAT-PMP
//! (RFC 6886) or UPnP.
//!
//! Behind a router that lets in only who was written to, such a port is what two devices need that cannot meet
//! otherwise. The core asks for one at the start and whenever this device is elsewhere; it is renewed while it
//! is there, and given back at the end. What the router says is one more candidate: only a probe proves it.
//!
//! What answers may be anything in the local network, so it is bounded in time, and what it can do is to name a
//! wrong address.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crab_nat::{
    GatewayAddress, InternetProtocol, PortMapping, PortMappingOptions, PortMappingType,
    TimeoutConfig, natpmp,
};
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{PortMappingProtocol, SearchOptions, aio};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use towline_core::io::NetworkEvent;
use tracing::debug;

/// Keeps one port of the router.
#[derive(Debug)]
pub(super) struct PortMapper {
    port: NonZeroU16,
    /// The shortest pause between two renewals.
    renew_soonest: Duration,
    asked: Notify,
    held: std::sync::Mutex<Option<Held>>,
}

/// A port that the router has given.
#[derive(Debug, Clone)]
enum Held {
    /// By PCP or NAT-PMP.
    Pcp(Box<PortMapping>, Ipv4Addr),
    Upnp(Box<Upnp>),
}

#[derive(Debug, Clone)]
struct Upnp {
    gateway: aio::Gateway<Tokio>,
    ours: SocketAddr,
    external: SocketAddr,
}

/// This machine and its router.
#[derive(Debug, Clone, Copy)]
struct Neighbours {
    gateway: Ipv4Addr,
    ours: Ipv4Addr,
}

impl PortMapper {
    /// For the IPv4 socket among these; `None` when there is none that others could reach.
    pub(super) fn new(bound: &[SocketAddr]) -> Option<Self> {
        let v4 = bound.iter().find(|addr| addr.is_ipv4())?;
        (!v4.ip().is_loopback()).then_some(())?;
        Some(Self {
            port: NonZeroU16::new(v4.port())?,
            renew_soonest: RENEW_SOONEST,
            asked: Notify::new(),
            held: std::sync::Mutex::default(),
        })
    }

    /// This device may be elsewhere: asks for a port anew.
    pub(super) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Asks, renews, and tells of every change, until nobody listens.
    pub(super) async fn run(self: Arc<Self>, events: mpsc::Sender<NetworkEvent>) {
        self.asked.notified().await;
        // Whoever asks anew has forgotten what was told before.
        let mut told: Option<Option<SocketAddr>> = None;
        loop {
            let held = self.obtain().await;
            let external = held.as_ref().map(Held::external);
            let pause = held.as_ref().map_or(RETRY, |held| {
                held.renew_after().clamp(self.renew_soonest, RENEW_LATEST)
            });
            self.put(held);
            if told != Some(external) {
                told = Some(external);
                debug!(mapped = external.is_some(), "the router's port has changed");
                let event = NetworkEvent::PortMapped(external);
                if events.send(event).await.is_err() {
                    return;
                }
            }
            if timeout(pause, self.asked.notified()).await.is_ok() {
                told = None;
            }
        }
    }

    /// Gives the port back; what the router does not take back in time it forgets by itself.
    pub(super) async fn release(&self) {
        let Some(held) = self.take() else {
            return;
        };
        let given_back = async {
            match held {
                Held::Pcp(mapping, _) => drop(mapping.try_drop().await),
                Held::Upnp(upnp) => {
                    let removed = upnp
                        .gateway
                        .remove_port(PortMappingProtocol::UDP, upnp.external.port());
                    drop(removed.await);
                }
            }
        };
        if timeout(RELEASE_PATIENCE, given_back).await.is_err() {
            debug!("the router did not take its port back in time");
        }
    }

    /// The port of before if the router still gives it, else another one.
    async fn obtain(&self) -> Option<Held> {
        let neighbours = neighbours()?;
        if let Some(held) = self.take()
            && held.leads_to(neighbours)
            && let Some(renewed) = held.renewed().await
        {
            return Some(renewed);
        }
        match self.by_pcp(neighbours).await {
            Some(held) => Some(held),
            None => self.by_upnp(neighbours).await,
        }
    }

    async fn by_pcp(&self, neighbours: Neighbours) -> Option<Held> {
        let gateway = GatewayAddress::IpV4(neighbours.gateway);
        let options = PortMappingOptions {
            // The same port outside is the one that a router of the usual kind gives us anyway.
            external_port: Some(self.port),
            lifetime_seconds: Some(LEASE_SECONDS),
            timeout_config: Some(PATIENCE),
        };
        let ours = IpAddr::V4(neighbours.ours);
        let udp = InternetProtocol::Udp;
        let mapping = match PortMapping::new(gateway, ours, udp, self.port, options).await {
            Ok(mapping) => mapping,
            Err(error) => {
                debug!(%error, "no port by PCP");
                // Old routers know the older protocol only, and some do not even refuse the newer one.
                let older = natpmp::port_mapping(gateway, udp, self.port, options).await;
                older
                    .inspect_err(|error| debug!(%error, "no port by NAT-PMP"))
                    .ok()?
            }
        };
        let external = outside_of(&mapping).await?;
        Some(Held::Pcp(Box::new(mapping), external))
    }

    async fn by_upnp(&self, neighbours: Neighbours) -> Option<Held> {
        let ours = SocketAddr::from((neighbours.ours, self.port.get()));
        let search = async {
            let mut options = SearchOptions::default();
            options.bind_addr = SocketAddr::from((neighbours.ours, 0));
            options.timeout = Some(UPNP_SEARCH);
            let gateway = search_gateway(options)
                .await
                .inspect_err(|error| debug!(%error, "no router by UPnP"))
                .ok()?;
            let ip = gateway.get_external_ip().await.ok()?;
            let udp = PortMappingProtocol::UDP;
            let same = gateway
                .add_port(udp, self.port.get(), ours, LEASE_SECONDS, DESCRIPTION)
                .await;
            let port = match same {
                Ok(()) => self.port.get(),
                Err(_) => gateway
                    .add_any_port(udp, ours, LEASE_SECONDS, DESCRIPTION)
                    .await
                    .inspect_err(|error| debug!(%error, "no port by UPnP"))
                    .ok()?,
            };
            Some(Held::Upnp(Box::new(Upnp {
                gateway,
                ours,
                external: SocketAddr::new(ip, port),
            })))
        };
        timeout(UPNP_PATIENCE, search).await.ok().flatten()
    }

    fn put(&self, held: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    fn take(&self) -> Option<Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take()
    }
}

impl Held {
    fn external(&self) -> SocketAddr {
        match self {
            Self::Pcp(mapping, ip) => SocketAddr::from((*ip, mapping.external_port().get())),
            Self::Upnp(upnp) => upnp.external,
        }
    }

    /// Whether it was given by this router to this machine's address.
    fn leads_to(&self, neighbours: Neighbours) -> bool {
        match self {
            Self::Pcp(mapping, _) => {
                let same_client = match mapping.mapping_type() {
                    PortMappingType::Pcp { client, .. } => client.to_canonical() == neighbours.ours,
                    PortMappingType::NatPmp => true,
                };
                mapping.gateway() == GatewayAddress::IpV4(neighbours.gateway) && same_client
            }
            Self::Upnp(upnp) => upnp.ours.ip() == neighbours.ours,
        }
    }

    fn renew_after(&self) -> Duration {
        let lease = match self {
            Self::Pcp(mapping, _) => mapping.lifetime(),
            Self::Upnp(_) => LEASE_SECONDS,
        };
        Duration::from_secs(u64::from(lease)) / 2
    }

    async fn renewed(self) -> Option<Self> {
        match self {
            Self::Pcp(mut mapping, _) => {
                let renewed = mapping.renew().await;
                renewed
                    .inspect_err(|error| debug!(%error, "the router does not renew its port"))
                    .ok()?;
                // The router may have another address by now.
                let ip = outside_of(&mapping).await?;
                Some(Self::Pcp(mapping, ip))
            }
            Self::Upnp(mut upnp) => {
                let again = async {
                    let added = upnp.gateway.add_port(
                        PortMappingProtocol::UDP,
                        upnp.external.port(),
                        upnp.ours,
                        LEASE_SECONDS,
                        DESCRIPTION,
                    );
                    added.await.ok()?;
                    upnp.gateway.get_external_ip().await.ok()
                };
                let ip = timeout(UPNP_PATIENCE, again).await.ok().flatten()?;
                upnp.external.set_ip(ip);
                Some(Self::Upnp(upnp))
            }
        }
    }
}

/// The address that the router says its port has.
async fn outside_of(mapping: &PortMapping) -> Option<Ipv4Addr> {
    match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => match external_ip.to_canonical() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        },
        PortMappingType::NatPmp => natpmp::external_address(mapping.gateway(), Some(PATIENCE))
            .await
            .ok(),
    }
}

/// The router of this machine's way out, and the address that faces it.
fn neighbours() -> Option<Neighbours> {
    let interface = netdev::get_default_interface()
        .inspect_err(|error| debug!(error, "no way out"))
        .ok()?;
    let gateway = *interface.gateway.as_ref()?.ipv4.first()?;
    let ours = interface.ipv4.first()?.addr();
    Some(Neighbours { gateway, ours })
}

/// What people see in their router's list.
const DESCRIPTION: &str = "Towline";

/// How long a port is asked for: an hour. A device that ends without a word leaves an open port that long, and
/// nothing answers there.
const LEASE_SECONDS: u32 = 3600;

/// The longest pause between two renewals: ten minutes. A router that was restarted has forgotten its ports.
const RENEW_LATEST: Duration = Duration::from_secs(600);

/// The shortest pause: half a minute, whatever lease a router gives.
const RENEW_SOONEST: Duration = Duration::from_secs(30);

/// Pause after a search without success: ten minutes. Most routers give none, and will not.
const RETRY: Duration = Duration::from_secs(600);

/// How the router is asked by PCP and NAT-PMP: three times within 1.75 s. It is one hop away.
const PATIENCE: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: Some(Duration::from_secs(1)),
};

/// How long a router may take to say that it speaks UPnP.
const UPNP_SEARCH: Duration = Duration::from_secs(2);

/// How long everything by UPnP may take: 10 s, four short talks over HTTP.
const UPNP_PATIENCE: Duration = Duration::from_secs(10);

/// How long giving it back may delay the end of the program: 1 s.
const RELEASE_PATIENCE: Duration = Duration::from_secs(1);
