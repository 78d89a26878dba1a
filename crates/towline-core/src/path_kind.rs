//! What kind of network way a path is, as people speak of it.

use std::net::{IpAddr, SocketAddr};

use towline_wire::turn_address::TurnAddress;

use crate::io::Path;

/// A kind of path, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    /// On this computer or in its local network.
    Lan,
    /// Straight through the internet, over IPv6.
    DirectV6,
    /// Straight through the internet, over IPv4.
    DirectV4,
    /// Through a TURN server, sealed.
    Turn,
    /// Through the signal server, sealed.
    Relay,
}

impl PathKind {
    /// All of them, best first.
    pub const ALL: [Self; 5] = [
        Self::Lan,
        Self::DirectV6,
        Self::DirectV4,
        Self::Turn,
        Self::Relay,
    ];

    /// The kind of a direct path to this address.
    pub const fn of_address(addr: SocketAddr) -> Self {
        if TurnAddress::of(addr).is_some() {
            return Self::Turn;
        }
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) if ip.is_loopback() || ip.is_private() || ip.is_link_local() => {
                Self::Lan
            }
            IpAddr::V6(ip)
                if ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() =>
            {
                Self::Lan
            }
            IpAddr::V4(_) => Self::DirectV4,
            IpAddr::V6(_) => Self::DirectV6,
        }
    }
}

impl Path {
    /// Its kind.
    pub const fn kind(self) -> PathKind {
        match self {
            Self::Direct(addr) => PathKind::of_address(addr),
            Self::Relay => PathKind::Relay,
        }
    }
}
