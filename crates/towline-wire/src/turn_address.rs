//! How an address that is reached through a TURN server is written where an address is asked for.
//!
//! A path through TURN is (which allocation, address behind it). Both fit into one IPv6 address under the prefix
//! `100::/64`, which no network carries (RFC 6666): whoever does not know this spelling, an older version for one,
//! sends nothing anywhere. So a path stays an address, in tables and lists as on the wire, and no list
//! needs a second one beside it.
//!
//! Bytes 8 to 11 say whose allocation it is (0 0 0 1 the peer's, 0 0 0 2 our own), 12 to 15 are the IPv4
//! address behind it, the port is its port. Only the first form is ever told to anybody. There is none for IPv6:
//! between devices that have it a router that translates is rare, and servers give IPv4 unless asked otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

/// An address that is reached through a TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TurnAddress {
    /// What a TURN server has given the peer: whatever goes there reaches the peer.
    Theirs(SocketAddrV4),
    /// An address of the peer to which we send by what a TURN server has given us.
    Ours(SocketAddrV4),
}

impl TurnAddress {
    /// What is written as `addr`; `None` when that is an ordinary address, or one under the prefix that means
    /// nothing.
    pub const fn of(addr: SocketAddr) -> Option<Self> {
        let IpAddr::V6(ip) = addr.ip() else {
            return None;
        };
        let [0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, whose, a, b, c, d] = ip.octets() else {
            return None;
        };
        let behind = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), addr.port());
        match whose {
            1 => Some(Self::Theirs(behind)),
            2 => Some(Self::Ours(behind)),
            _ => None,
        }
    }

    /// How it is written.
    pub const fn written(self) -> SocketAddr {
        let (whose, behind) = match self {
            Self::Theirs(behind) => (1, behind),
            Self::Ours(behind) => (2, behind),
        };
        let [a, b, c, d] = behind.ip().octets();
        let ip = [0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, whose, a, b, c, d];
        let ip = Ipv6Addr::from_octets(ip);
        SocketAddr::new(IpAddr::V6(ip), behind.port())
    }

    /// The address behind it.
    pub const fn behind(self) -> SocketAddrV4 {
        match self {
            Self::Theirs(behind) | Self::Ours(behind) => behind,
        }
    }
}

/// Whether an address is under the prefix that no network carries.
pub fn is_carried_by_nobody(addr: SocketAddr) -> bool {
    match addr.ip() {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.octets().starts_with(&[0x01, 0, 0, 0, 0, 0, 0, 0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::listenable;

    fn v4(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let theirs = TurnAddress::Theirs(v4("192.0.2.7:4000"));
        let ours = TurnAddress::Ours(v4("192.0.2.7:4000"));
        assert_eq!(theirs.written(), "[100::1:c000:207]:4000".parse().unwrap());
        assert_eq!(ours.written(), "[100::2:c000:207]:4000".parse().unwrap());
        for address in [theirs, ours] {
            assert_eq!(TurnAddress::of(address.written()), Some(address));
            assert_eq!(address.behind(), v4("192.0.2.7:4000"));
            assert!(is_carried_by_nobody(address.written()));
        }
        for other in [
            "[100::3:c000:207]:4000",
            "[100::c000:207]:4000",
            "[2001:db8::1:c000:207]:1",
            "1.0.0.0:1",
        ] {
            assert_eq!(TurnAddress::of(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_peer_can_only_name_what_it_was_given_itself() {
        let written = |address: TurnAddress| address.written();
        let told = vec![
            written(TurnAddress::Theirs(v4("192.0.2.7:4000"))),
            written(TurnAddress::Ours(v4("192.0.2.7:4000"))),
            written(TurnAddress::Theirs(v4("192.0.2.7:0"))),
            written(TurnAddress::Theirs(v4("224.0.0.1:4000"))),
            written(TurnAddress::Theirs(v4("255.255.255.255:4000"))),
            "[100::9:c000:207]:4000".parse().unwrap(),
            "192.0.2.8:4000".parse().unwrap(),
        ];
        assert_eq!(listenable(told.clone()), [told[0], told[6]]);
    }
}
