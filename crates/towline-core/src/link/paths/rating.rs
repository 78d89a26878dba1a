//! Which of two addresses of a peer is the better one: the nearer network, then the shorter round trip.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

/// What is compared of an address, better first. Of two on the Internet IPv6 is taken: it crosses no
/// router that translates and forgets.
pub(super) fn rating(addr: SocketAddr, rtt: Duration) -> (Distance, Duration) {
    let distance = distance(addr);
    match (distance, addr.ip().to_canonical()) {
        (Distance::World, IpAddr::V4(_)) => (distance, rtt + V6_BIAS),
        (
            Distance::Machine | Distance::Lan | Distance::World | Distance::Lent,
            IpAddr::V4(_) | IpAddr::V6(_),
        ) => (distance, rtt),
    }
}

/// How far the network of an address reaches, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    Machine,
    Lan,
    World,
    /// By way of a TURN server.
    Lent,
}

/// Whether an address is one of this machine or of a local network.
pub(in crate::link) fn is_near(addr: SocketAddr) -> bool {
    match distance(addr) {
        Distance::Machine | Distance::Lan => true,
        Distance::World | Distance::Lent => false,
    }
}

pub(super) fn distance(addr: SocketAddr) -> Distance {
    match addr.ip().to_canonical() {
        _ if TurnAddress::of(addr).is_some() => Distance::Lent,
        ip if ip.is_loopback() => Distance::Machine,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Distance::Lan,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Distance::Lan,
        IpAddr::V4(_) | IpAddr::V6(_) => Distance::World,
    }
}

/// How much longer the round trip over IPv6 may be than over IPv4: 3 ms, as Tailscale has it in the field.
const V6_BIAS: Duration = Duration::from_millis(3);
