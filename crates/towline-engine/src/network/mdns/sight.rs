//! What a device can tell of the announcements on its local network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

/// The port of mDNS (RFC 6762).
const PORT: u16 = 5353;

/// How long a device may wait for its own announcement: 5 s. It is said at once and again after one, so
/// what was not heard by then is not heard.
const OWN_WITHIN: Duration = Duration::from_secs(5);

/// How the announcements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MdnsSight {
    /// What became of our own announcement.
    pub(crate) own: OwnAnnouncement,
    /// How many others are heard of.
    pub(crate) neighbours: usize,
    /// How many of them show a code that waits.
    pub(crate) codes: usize,
}

/// What became of a device's own announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnAnnouncement {
    /// It has come back: multicast works here.
    Heard,
    /// It was said then, and has not come back.
    Awaited(Instant),
    /// Another program has the port and does not share it.
    PortTaken,
}

impl MdnsSight {
    /// Nothing is heard yet.
    pub(super) fn begin() -> Self {
        Self {
            own: OwnAnnouncement::Awaited(Instant::now()),
            neighbours: 0,
            codes: 0,
        }
    }

    /// As it is now: the port is looked at, which sends nothing.
    pub(super) fn now(mut self) -> Self {
        match self.own {
            OwnAnnouncement::Awaited(_) if !is_shared(PORT) => {
                self.own = OwnAnnouncement::PortTaken;
            }
            OwnAnnouncement::Awaited(_) | OwnAnnouncement::Heard | OwnAnnouncement::PortTaken => {}
        }
        self
    }
}

impl OwnAnnouncement {
    /// Whether it is too early to say that nothing comes.
    pub(crate) fn may_yet_come(self) -> bool {
        match self {
            Self::Awaited(since) => since.elapsed() < OWN_WITHIN,
            Self::Heard | Self::PortTaken => false,
        }
    }
}

/// Whether whoever listens at a UDP port lets others listen there too. A socket that cannot be had for
/// another reason shows nothing.
fn is_shared(port: u16) -> bool {
    let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let bound = Socket::new(Domain::IPV4, Type::DGRAM, None).and_then(|socket| {
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&addr.into())
    });
    !matches!(bound, Err(error) if error.kind() == io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_port_that_somebody_keeps_for_himself_is_told_from_one_that_is_shared() {
        let alone = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = alone.local_addr().unwrap().port();
        assert!(!is_shared(port));
        drop(alone);
        assert!(is_shared(port), "nobody is there");
        let shared = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        shared.set_reuse_address(true).unwrap();
        #[cfg(unix)]
        shared.set_reuse_port(true).unwrap();
        let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        shared.bind(&addr.into()).unwrap();
        assert!(is_shared(port));
    }
}
