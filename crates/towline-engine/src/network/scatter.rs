//! Many sockets towards one address of one peer, of which one is to be hit (the birthday method).
//!
//! Behind a router that gives every destination another port, each socket gets a port of its own by the
//! one probe that it sends. The peer guesses such ports. The first socket at which a probe comes that the
//! peer has made, from just that address, becomes a part of the [`PathSocket`] and the way to that
//! address; the others are closed at once, so that no second one is proved and soon dead. Without a hit
//! all are closed after a while.
//!
//! A probe that scatters only has to pass the routers of this side, so it lives for [`HOPS`] hops and then dies on
//! its way: where the address is a lie, whoever has it hears nothing, unless it is next door.
//!
//! One try for each peer, and [`SOCKETS_AT_ONCE`] sockets for all; fewer where the process may not have so
//! many. Until it is hit a socket has a small buffer, and what is no probe of the peer is dropped.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use towline_core::io::NetworkEvent;
use towline_wire::ids::DeviceId;
use tracing::{debug, info};

use super::path_socket::PathSocket;
use super::probe::{Length, PROBE_BYTES, ProbeDatagram, Prober};
use super::routes::{ExtraId, Through};
use super::udp;
use crate::tasks::Tasks;

/// Scattered sockets of all peers together: 512, one whole try. A second one at the same time gets what is
/// left, and is made again later.
const SOCKETS_AT_ONCE: usize = 512;

/// Sockets that send their probe at once, and the pause after them: 16 in 5 ms. All in a row would
/// overflow the queue of a small router.
const SOCKETS_PER_STEP: usize = 16;
const STEP: Duration = Duration::from_millis(5);

/// How long room is waited for that another try takes: 200 ms. One that was ended closes its sockets within some.
const CLOSING: Duration = Duration::from_millis(200);

/// How far a probe goes that scatters: 8 hops. A router at home and one of the provider are within six; a host
/// anywhere is mostly ten and more away. With more of them who is named by a lie hears them.
const HOPS: u32 = 8;

/// Opens and closes scattered sockets.
pub(super) struct Scatters {
    socket: Arc<PathSocket>,
    prober: Arc<Prober>,
    probes: mpsc::Sender<ProbeDatagram>,
    events: mpsc::Sender<NetworkEvent>,
    tasks: Tasks,
    tries_by_peer: Mutex<BTreeMap<DeviceId, CancellationToken>>,
    room: Semaphore,
    opened: AtomicU64,
}

/// A socket that waits to be hit.
struct Scattered {
    id: ExtraId,
    socket: UdpSocket,
}

impl Scatters {
    pub(super) fn new(
        socket: Arc<PathSocket>,
        prober: Arc<Prober>,
        probes: mpsc::Sender<ProbeDatagram>,
        events: mpsc::Sender<NetworkEvent>,
        tasks: Tasks,
    ) -> Self {
        Self {
            socket,
            prober,
            probes,
            events,
            tasks,
            tries_by_peer: Mutex::default(),
            room: Semaphore::new(SOCKETS_AT_ONCE),
            opened: AtomicU64::new(0),
        }
    }

    /// Opens sockets in place of those before; answered by `Scattered`.
    pub(super) fn open(
        self: &Arc<Self>,
        peer: DeviceId,
        to: SocketAddr,
        sockets: u16,
        within: Duration,
    ) {
        let closing = CancellationToken::new();
        if let Some(older) = self.tries().insert(peer, closing.clone()) {
            older.cancel();
        }
        let scatters = Arc::clone(self);
        self.tasks.spawn("scattered sockets", async move {
            let run = scatters.run(peer, to, usize::from(sockets), within, &closing);
            closing.run_until_cancelled(run).await;
        });
    }

    /// Closes what is open for this peer, also the socket that was hit.
    pub(super) fn gather(&self, peer: DeviceId) {
        let mut tries = self.tries();
        if let Some(running) = tries.remove(&peer) {
            running.cancel();
        }
        self.socket.close_extra(peer);
    }

    async fn run(
        &self,
        peer: DeviceId,
        to: SocketAddr,
        sockets: usize,
        within: Duration,
        closing: &CancellationToken,
    ) {
        let room = self.room_for(sockets).await;
        let sockets = room.as_ref().map_or(0, SemaphorePermit::num_permits);
        let scattered = self.scatter(peer, to, sockets).await;
        debug!(peer = peer.short(), sockets = scattered.len(), "scattered");
        let count = u16::try_from(scattered.len()).unwrap_or(u16::MAX);
        let told = NetworkEvent::Scattered(peer, count);
        if self.events.send(told).await.is_err() || scattered.is_empty() {
            return;
        }
        let hit = poll_fn(|cx| self.poll_hit(&scattered, peer, to, cx));
        let Ok((at, datagram)) = timeout(within, hit).await else {
            return;
        };
        let hit = scattered.into_iter().nth(at);
        if hit.is_some_and(|hit| self.keep(peer, hit, closing)) {
            info!(peer = peer.short(), "met behind a router that varies");
            if self.probes.send(datagram).await.is_err() {
                debug!("nobody works through probes any more");
            }
        }
    }

    /// Room for so many sockets, or for fewer. The try before may just be closing its own.
    async fn room_for(&self, sockets: usize) -> Option<SemaphorePermit<'_>> {
        let all = u32::try_from(sockets.min(SOCKETS_AT_ONCE)).unwrap_or(0);
        if let Ok(Ok(room)) = timeout(CLOSING, self.room.acquire_many(all)).await {
            return Some(room);
        }
        let left = u32::try_from(self.room.available_permits()).unwrap_or(0);
        self.room.try_acquire_many(left.min(all)).ok()
    }

    /// Opens sockets, each of which sends one probe.
    async fn scatter(&self, peer: DeviceId, to: SocketAddr, sockets: usize) -> Vec<Scattered> {
        let mut bound = self.socket.bound().into_iter();
        let mut scattered = Vec::with_capacity(sockets);
        let Some(ours) = bound.find(|ours| ours.is_ipv4() == to.is_ipv4()) else {
            return scattered;
        };
        while scattered.len() < sockets {
            let id = ExtraId(self.opened.fetch_add(1, Ordering::Relaxed));
            let opened = udp::bind_extra(ours.ip());
            let socket = match opened {
                Ok(socket) if udp::leaves_room(&socket) => socket,
                Ok(_) => {
                    debug!("no room for more sockets");
                    break;
                }
                Err(error) => {
                    debug!(%error, "no more sockets");
                    break;
                }
            };
            let ping = self
                .prober
                .new_ping(peer, to, Through::Extra(id), Length::Usual);
            let sent = ping.map(|ping| send_for_hops(&socket, &ping, to));
            if let Some(Err(error)) = sent {
                debug!(%error, "a scattered socket cannot send");
            }
            match UdpSocket::from_std(socket) {
                Ok(socket) => scattered.push(Scattered { id, socket }),
                Err(error) => {
                    debug!(%error, "a socket cannot be waited for");
                    break;
                }
            }
            if scattered.len().is_multiple_of(SOCKETS_PER_STEP) {
                sleep(STEP).await;
            }
        }
        scattered
    }

    /// The first socket that was hit, and by what. Polled rarely: nothing else comes there.
    fn poll_hit(
        &self,
        scattered: &[Scattered],
        peer: DeviceId,
        to: SocketAddr,
        cx: &mut Context<'_>,
    ) -> Poll<(usize, ProbeDatagram)> {
        // One more than a probe, so that what is longer is told from one.
        let mut buffer = [0; PROBE_BYTES + 1];
        for (at, Scattered { id, socket }) in scattered.iter().enumerate() {
            loop {
                let mut read = ReadBuf::new(&mut buffer);
                let from = match socket.poll_recv_from(cx, &mut read) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(from)) => from,
                    // A router or the peer's system refused the probe; this socket hears no more of it.
                    Poll::Ready(Err(_)) => continue,
                };
                if let Ok(bytes) = <[u8; PROBE_BYTES]>::try_from(read.filled())
                    && from == to
                    && self.prober.is_of(peer, &bytes)
                {
                    let datagram = ProbeDatagram {
                        peer,
                        from,
                        to: None,
                        through: Through::Extra(*id),
                        bytes,
                        length: Length::Usual,
                    };
                    return Poll::Ready((at, datagram));
                }
            }
        }
        Poll::Pending
    }

    /// Makes a socket the way to the peer, unless what was opened for it is being closed.
    fn keep(&self, peer: DeviceId, hit: Scattered, closing: &CancellationToken) -> bool {
        let socket = match hit.socket.into_std() {
            Ok(socket) => socket,
            Err(error) => {
                debug!(%error, "the socket that was hit is lost");
                return false;
            }
        };
        udp::enlarge_buffers(&socket);
        let tries = self.tries();
        let goes_on = !closing.is_cancelled();
        if goes_on {
            self.socket.keep_extra(peer, hit.id, socket);
        }
        drop(tries);
        goes_on
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, BTreeMap<DeviceId, CancellationToken>> {
        // Nothing panics while it holds this lock.
        self.tries_by_peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what is to open a port of the routers on this side, and no more.
fn send_for_hops(socket: &std::net::UdpSocket, ping: &[u8], to: SocketAddr) -> io::Result<usize> {
    if to.is_ipv6() {
        return socket.send_to(ping, to);
    }
    let usual = socket.ttl()?;
    socket.set_ttl(HOPS.min(usual))?;
    let sent = socket.send_to(ping, to);
    // What is sent once it was hit goes all the way.
    socket.set_ttl(usual)?;
    sent
}

impl fmt::Debug for Scatters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scatters").finish_non_exhaustive()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd as _;

    use super::*;

    /// How many more hops the next packet would have lived that comes to a socket.
    #[expect(
        unsafe_code,
        reason = "nothing safe tells it; all that is pointed to outlives the calls"
    )]
    fn hops_left(socket: &UdpSocket, send: impl FnOnce()) -> i32 {
        let yes: libc::c_int = 1;
        let length: libc::socklen_t = 4;
        // SAFETY: the option reads one integer, which lives on this stack.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_RECVTTL,
                std::ptr::from_ref(&yes).cast(),
                length,
            )
        };
        assert_eq!(set, 0);
        send();
        let (mut bytes, mut control) = ([0_u8; 64], [0_u64; 16]);
        let mut part = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        // SAFETY: all zeros are a valid header without anything.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = std::ptr::from_mut(&mut part);
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control);
        // SAFETY: the header points to buffers of just the lengths that it says; the kernel has filled in the
        // first control message when there is one, which for this option is an integer.
        unsafe {
            assert!(libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) >= 0);
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            assert!(!first.is_null());
            assert_eq!((*first).cmsg_type, libc::IP_TTL);
            std::ptr::read_unaligned(libc::CMSG_DATA(first).cast())
        }
    }

    #[test]
    fn what_scatters_lives_for_eight_hops_and_what_follows_a_hit_goes_all_the_way() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = there.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let scattered = hops_left(&there, || {
            send_for_hops(&socket, b"scattered", to).unwrap();
        });
        assert_eq!(scattered, 8);
        let after = hops_left(&there, || {
            socket.send_to(b"after a hit", to).unwrap();
        });
        assert!(after > 8, "{after}");
    }
}
