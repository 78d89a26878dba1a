//! Where a connection comes from, and the networks that share its quotas.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::Rate;

/// The two addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub remote: IpAddr,
    /// The server's own address, at which the client arrived.
    pub local: IpAddr,
}

impl Origin {
    /// Both addresses; IPv4 mapped into IPv6 counts as IPv4.
    pub const fn new(remote: IpAddr, local: IpAddr) -> Self {
        Self {
            remote: remote.to_canonical(),
            local: local.to_canonical(),
        }
    }

    /// The network that a single household or host usually has: the IPv4 address or the /64.
    pub(crate) fn household(self) -> Network {
        match self.remote {
            IpAddr::V4(address) => Network::V4(u32::from(address)),
            IpAddr::V6(address) => Network::V6 {
                prefix: prefix(address, 64),
                bits: 64,
            },
        }
    }

    /// Every network that pays for a claim, narrowest first.
    pub(crate) fn networks(self) -> Vec<Network> {
        match self.remote {
            IpAddr::V4(_) => vec![self.household()],
            IpAddr::V6(address) => [64, 56, 48]
                .map(|bits| Network::V6 {
                    prefix: prefix(address, bits),
                    bits,
                })
                .to_vec(),
        }
    }
}

/// A network with quotas of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    V4(u32),
    V6 { prefix: u64, bits: u8 },
}

impl Network {
    /// Its name in the store's books of quotas.
    pub(crate) fn quota_key(self) -> String {
        match self {
            Self::V4(address) => format!("{address:08x}"),
            Self::V6 { prefix, bits } => format!("{prefix:016x}.{bits}"),
        }
    }

    /// Claims of codes: 64 in ten minutes for an address, twice that for each eight bits wider,
    /// because providers give whole /56 and /48 to one customer.
    pub(crate) const fn claim_rate(self) -> Rate {
        let burst = match self {
            Self::V4(_) | Self::V6 { bits: 57.., .. } => 64,
            Self::V6 { bits: 49..=56, .. } => 128,
            Self::V6 { bits: 0..=48, .. } => 256,
        };
        Rate {
            burst,
            refill: Duration::from_millis(600_000 / burst as u64),
        }
    }
}

fn prefix(address: Ipv6Addr, bits: u8) -> u64 {
    // The upper 64 of 128 bits fit.
    let upper = (u128::from(address) >> 64) as u64;
    upper >> (64 - bits) << (64 - bits)
}
