//! Which addresses are of the local network: those on a network that one of this device's interfaces is on.
//!
//! This is asked of what the interfaces say, never of what others say. Tunnels do not count, since what goes
//! into one leaves the place. While nothing is known, nothing is near.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use if_addrs::{IfAddr, Interface};
use tokio::sync::watch;
use tracing::debug;

/// The networks that this device is on. Whoever subscribes is told when they change.
#[derive(Debug)]
pub(super) struct Neighbourhood {
    networks: watch::Sender<Vec<OnLink>>,
}

/// One address of this device and the network that it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OnLink {
    ip: IpAddr,
    prefix_bits: u32,
}

impl Neighbourhood {
    /// The networks as they are now.
    pub(super) fn look() -> Self {
        Self {
            networks: watch::Sender::new(networks_now()),
        }
    }

    /// Looks again.
    pub(super) fn look_again(&self) {
        let now = networks_now();
        self.networks.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
    }

    /// Tells of changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Vec<OnLink>> {
        self.networks.subscribe()
    }

    /// Whether packets to this address stay on this machine or on a network that it is on.
    pub(super) fn is_near(&self, addr: SocketAddr) -> bool {
        let ip = addr.ip().to_canonical();
        if ip.is_unspecified() || ip.is_multicast() || addr.port() == 0 {
            return false;
        }
        let stays = match (ip, addr) {
            (ip, _) if ip.is_loopback() => true,
            // Only together with its interface.
            (IpAddr::V6(ip), SocketAddr::V6(addr)) if ip.is_unicast_link_local() => {
                addr.scope_id() != 0
            }
            (IpAddr::V4(_) | IpAddr::V6(_), _) => false,
        };
        stays || self.networks.borrow().iter().any(|net| net.holds(ip))
    }

    /// Whether an address is near and of a kind that is never routed beyond a place: what a device may
    /// speak to that must not leave the local network.
    pub(super) fn is_private_and_near(&self, addr: SocketAddr) -> bool {
        let private = match addr.ip().to_canonical() {
            ip if ip.is_loopback() => true,
            IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        private && self.is_near(addr)
    }

    /// Whether an address is one of this device's own.
    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        self.networks.borrow().iter().any(|net| net.ip == ip)
    }

    #[cfg(test)]
    pub(super) fn of(networks: &[(&str, u32)]) -> Self {
        let networks = networks.iter().map(|(ip, prefix_bits)| OnLink {
            ip: ip.parse().unwrap(),
            prefix_bits: *prefix_bits,
        });
        Self {
            networks: watch::Sender::new(networks.collect()),
        }
    }
}

impl OnLink {
    fn of(interface: &Interface) -> Self {
        let (ip, prefix) = match &interface.addr {
            IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
            IfAddr::V6(v6) => (IpAddr::V6(v6.ip), v6.prefixlen),
        };
        Self {
            ip,
            prefix_bits: prefix.into(),
        }
    }

    fn holds(&self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let mask = u32::MAX
                    .checked_shl(u32::BITS.saturating_sub(self.prefix_bits))
                    .unwrap_or(0);
                let is_everybody = self.prefix_bits < 31 && other.to_bits() | mask == u32::MAX;
                other != Ipv4Addr::BROADCAST
                    && !is_everybody
                    && ours.to_bits() & mask == other.to_bits() & mask
            }
            // A link-local address says nothing of which link.
            (IpAddr::V6(_), IpAddr::V6(other)) if other.is_unicast_link_local() => false,
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(u128::BITS.saturating_sub(self.prefix_bits))
                    .unwrap_or(0);
                ours.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// An address as a socket takes it: a link-local one with the number of its interface.
pub(super) fn with_scope(ip: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            SocketAddr::V6(SocketAddrV6::new(v6, port, 0, interface))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => SocketAddr::new(ip, port),
    }
}

fn networks_now() -> Vec<OnLink> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        debug!(%error, "interfaces cannot be listed");
        Vec::new()
    });
    let up = interfaces
        .iter()
        .filter(|each| each.is_oper_up() && !each.is_loopback() && !each.is_p2p());
    let mut networks: Vec<OnLink> = up.map(OnLink::of).collect();
    networks.sort();
    networks.dedup();
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn near_is_what_lies_on_a_network_of_ours_and_can_be_one_device() {
        let here = Neighbourhood::of(&[
            ("192.168.1.5", 24),
            ("203.0.113.7", 28),
            ("2001:db8:1::5", 64),
            ("fe80::5", 64),
        ]);
        let near = [
            "192.168.1.77:4000",
            "192.168.1.5:4000",
            "203.0.113.3:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
            "[2001:db8:1::9]:4000",
            "[fe80::9%2]:4000",
            "[::ffff:192.168.1.77]:4000",
        ];
        for text in near {
            assert!(here.is_near(addr(text)), "{text}");
        }
        let far = [
            "192.168.2.77:4000",
            "10.0.0.1:4000",
            "203.0.113.99:4000",
            "192.168.1.255:4000",
            "255.255.255.255:4000",
            "224.0.0.251:5353",
            "0.0.0.0:4000",
            "192.168.1.77:0",
            "[2001:db8:2::9]:4000",
            "[fe80::9]:4000",
            "[ff02::fb%2]:5353",
            "[::]:4000",
        ];
        for text in far {
            assert!(!here.is_near(addr(text)), "{text}");
        }
        assert!(!Neighbourhood::of(&[]).is_near(addr("192.168.1.77:4000")));
    }

    #[test]
    fn what_may_be_routed_beyond_is_not_private() {
        let here = Neighbourhood::of(&[
            ("192.168.1.5", 24),
            ("203.0.113.7", 28),
            ("2001:db8:1::5", 64),
            ("fd00:1::5", 64),
        ]);
        for text in [
            "192.168.1.77:4000",
            "[fd00:1::9]:4000",
            "[fe80::9%2]:4000",
            "127.0.0.1:4000",
        ] {
            assert!(here.is_private_and_near(addr(text)), "{text}");
        }
        for text in [
            "203.0.113.3:4000",
            "[2001:db8:1::9]:4000",
            "10.0.0.1:4000",
            "[fd00:2::9]:4000",
        ] {
            assert!(!here.is_private_and_near(addr(text)), "{text}");
        }
    }
}
