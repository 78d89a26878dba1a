//! Binding the UDP sockets, with the largest buffers that the system grants.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tracing::{debug, warn};

use super::{NetworkError, Port};

/// Buffer asked for in each direction: 8 MiB. The largest single gain in throughput on a LAN: with
/// 1 or 2 MiB a third is lost, with 4 MiB nearly nothing. Systems may grant less.
const SOCKET_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// Receive buffer of an extra socket until it is used: 16 KiB. It gets probes and nothing else; 512 of
/// them must not be a way to fill the memory.
const EXTRA_BUFFER_BYTES: usize = 16 * 1024;

/// Files that stay for everybody else when extra sockets are opened: 128, what a folder at work has open.
#[cfg(unix)]
const FILES_RESERVED: u64 = 128;

/// The limit of open files that most systems have: 1024. macOS has 256.
#[cfg(unix)]
const FILES_USUAL: u64 = 1024;

/// The sockets of one device; at least one is there.
#[derive(Debug)]
pub(super) struct UdpSockets {
    pub(super) v4: Option<UdpSocket>,
    pub(super) v6: Option<UdpSocket>,
}

impl UdpSockets {
    /// Keeps what they send on the networks that this device is on.
    pub(super) fn keep_local(&self) -> io::Result<()> {
        for socket in self.v4.iter().chain(&self.v6) {
            let ip = socket.local_addr()?.ip();
            keep_local(&Socket::from(socket.try_clone()?), ip)?;
        }
        Ok(())
    }

    /// Binds one socket per address family of `bind`, all with one port where that is possible.
    /// A family that this system does not have is left out, unless it was the only one.
    pub(super) fn bind(bind: &[IpAddr], port: Port) -> Result<Self, NetworkError> {
        let mut sockets = Self { v4: None, v6: None };
        let mut refused = None;
        let mut port = port;
        for ip in bind {
            let slot = if ip.is_ipv4() {
                &mut sockets.v4
            } else {
                &mut sockets.v6
            };
            if slot.is_some() {
                return Err(NetworkError::TwoAddressesOfOneFamily);
            }
            match bind_port(*ip, port) {
                Ok(socket) => {
                    if let (Port::Any, Ok(bound)) = (port, socket.local_addr()) {
                        port = Port::Before(bound.port());
                    }
                    *slot = Some(socket);
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    let (Port::Fixed(port) | Port::Before(port)) = port else {
                        return Err(NetworkError::Socket(error));
                    };
                    return Err(NetworkError::PortTaken { port });
                }
                Err(error) => {
                    warn!(%error, v6 = ip.is_ipv6(), "no UDP socket of this address family");
                    refused = Some(error);
                }
            }
        }
        match (&sockets, refused) {
            (Self { v4: None, v6: None }, Some(error)) => Err(NetworkError::Socket(error)),
            (Self { v4: None, v6: None }, None) => Err(NetworkError::NoAddress),
            (Self { .. }, _) => Ok(sockets),
        }
    }
}

/// Lets what a socket sends reach no further than the networks that this device is on: no router passes it
/// on.
pub(super) fn keep_local(socket: &Socket, ip: IpAddr) -> io::Result<()> {
    match ip {
        IpAddr::V4(_) => socket.set_ttl_v4(1),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(1),
    }
}

/// Every address of every interface, for both families.
pub(super) fn any_address() -> Vec<IpAddr> {
    vec![
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ]
}

/// A port of before that another program has by now, or that we may not have, is given up for any.
fn bind_port(ip: IpAddr, port: Port) -> io::Result<UdpSocket> {
    match port {
        Port::Fixed(port) => bind_one(ip, port),
        Port::Before(port) => bind_one(ip, port).or_else(|_| bind_one(ip, 0)),
        Port::Any => bind_one(ip, 0),
    }
}

/// A socket of its own beside the main ones, any port, for a few small datagrams at first.
pub(super) fn bind_extra(ip: IpAddr) -> io::Result<UdpSocket> {
    let addr = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(EXTRA_BUFFER_BYTES)?;
    socket.bind(&addr.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// From now on the socket carries everything that one peer sends and gets.
pub(super) fn enlarge_buffers(socket: &UdpSocket) {
    ask_for_buffers(&SockRef::from(socket));
}

/// Whether the process may open more files after this one, with some left for everybody else. The system
/// gives out the lowest number that is free. Where the limit is below what is usual it is raised.
#[cfg(unix)]
pub(super) fn leaves_room(socket: &UdpSocket) -> bool {
    use std::os::fd::AsRawFd;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < FILES_USUAL) {
        let raised = Rlimit {
            current: limit
                .maximum
                .map_or(Some(FILES_USUAL), |most| Some(most.min(FILES_USUAL))),
            ..limit
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => debug!(%error, "the limit of open files stays"),
        }
    }
    let number = u64::try_from(socket.as_raw_fd()).unwrap_or(u64::MAX);
    limit
        .current
        .is_none_or(|most| number.saturating_add(FILES_RESERVED) < most)
}

/// Other systems count handles otherwise, and give far more of them.
#[cfg(not(unix))]
pub(super) fn leaves_room(_socket: &UdpSocket) -> bool {
    true
}

fn bind_one(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let addr = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if ip.is_ipv6() {
        // The IPv4 socket may then have the same port.
        socket.set_only_v6(true)?;
    }
    ask_for_buffers(&socket);
    socket.bind(&addr.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Takes what it gets: a small buffer costs speed, nothing else.
fn ask_for_buffers(socket: &Socket) {
    let asked = socket
        .set_recv_buffer_size(SOCKET_BUFFER_BYTES)
        .and_then(|()| socket.set_send_buffer_size(SOCKET_BUFFER_BYTES));
    if let Err(error) = asked {
        debug!(%error, "socket buffers stay as they are");
    }
    #[cfg(target_os = "linux")]
    {
        // Beyond the system's limit for those who may; refused to everybody else.
        let forced =
            rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER_BYTES)
                .and_then(|()| {
                    rustix::net::sockopt::set_socket_send_buffer_size_force(
                        socket,
                        SOCKET_BUFFER_BYTES,
                    )
                });
        if let Err(error) = forced {
            debug!(%error, "socket buffers are bounded by the system");
        }
    }
    debug!(
        receive_bytes = socket.recv_buffer_size().unwrap_or(0),
        send_bytes = socket.send_buffer_size().unwrap_or(0),
        "socket buffers granted"
    );
}
