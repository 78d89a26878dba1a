//! One socket for quinn over several real ones: UDP for IPv4, UDP for IPv6, extra ones that are the way
//! to one peer each, the packet channels through signal servers, and what a TURN server lends. The only module
//! that knows quinn's socket trait.
//!
//! quinn sees synthetic addresses (see [`super::routes`]). A datagram from an address that passed no
//! probe is dropped before quinn sees it, an Initial too. What is not QUIC (bit 0x40 of the first
//! byte clear; quinn's greasing of that bit is off) goes to the prober, or to the STUN client.
//!
//! Rules that quinn sets: sending answers only `Ok` or `WouldBlock`, since any other error kills the
//! connection, and an error of receiving kills the endpoint; so what cannot be sent is lost, as on
//! any network. The same happens to datagrams that are longer than the table lets a path carry, so
//! that path MTU discovery never settles on a size that the next path does not carry.

use std::fmt;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use tokio::sync::mpsc;
use towline_core::io::NetworkScope;
use towline_wire::ids::DeviceId;
use towline_wire::turn_address::TurnAddress;
use tracing::{debug, trace};

use super::fresh_ids::FreshIds;
use super::neighbourhood::Neighbourhood;
use super::probe::{Length, ProbeDatagram, ProbeKeys};
use super::queue::{Bounds, Queue};
use super::relay::RelayedDatagram;
use super::routes::{ExtraId, Route, Routes, Through, Way};
use super::strangers::Strangers;
use super::stun::StunDatagram;
use super::turn::{self, LentEnd};
use super::udp::UdpSockets;

/// The bit that every QUIC packet has in its first byte (RFC 9000, section 17) and no probe has.
const QUIC_BIT: u8 = 0x40;

/// What came by one of the other ways and waits for quinn: always 128 KiB, which it takes within one turn of its loop.
/// Up to 1 MiB where its turn comes late; more would only hide that it cannot keep up.
pub(super) const INCOMING: Bounds = Bounds {
    always: 128 * 1024,
    most: 1024 * 1024,
    patience: Duration::from_millis(30),
};

/// The sockets of this device, as quinn's one socket.
pub(super) struct PathSocket {
    v4: Option<Arc<dyn AsyncUdpSocket>>,
    v6: Option<Arc<dyn AsyncUdpSocket>>,
    extras: RwLock<Vec<Extra>>,
    /// Moves on when the extra sockets change.
    extras_epoch: AtomicU64,
    /// Who receives, to be told of a new extra socket, and that nothing is held back any more.
    receiver: AtomicWaker,
    /// Whether what comes in is left where it is.
    is_held_back: AtomicBool,
    inbox: Arc<Queue<RelayedDatagram>>,
    /// The end of what a TURN server lends.
    lent: LentEnd,
    routes: RwLock<Routes>,
    probe_keys: Arc<RwLock<ProbeKeys>>,
    probes: mpsc::Sender<ProbeDatagram>,
    stun: mpsc::Sender<StunDatagram>,
    strangers: Strangers,
    neighbourhood: Arc<Neighbourhood>,
    fresh_ids: FreshIds,
    scope: NetworkScope,
    /// Which source is asked first; it moves on with every call, so that none is starved.
    turn: AtomicUsize,
}

/// A socket that is the way to one address of one peer.
struct Extra {
    id: ExtraId,
    peer: DeviceId,
    socket: Arc<dyn AsyncUdpSocket>,
}

/// While it lives nothing is received.
pub(super) struct HeldBack<'socket>(&'socket PathSocket);

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        self.0.is_held_back.store(false, Ordering::Release);
        self.0.receiver.wake();
    }
}

/// The places that datagrams come from.
const SOURCES: usize = 5;

impl PathSocket {
    /// One socket over these, which are bound already; needs the async runtime.
    pub(super) fn over(
        sockets: UdpSockets,
        routes: Routes,
        probe_keys: Arc<RwLock<ProbeKeys>>,
        probes: mpsc::Sender<ProbeDatagram>,
        stun: mpsc::Sender<StunDatagram>,
        neighbourhood: Arc<Neighbourhood>,
        scope: NetworkScope,
    ) -> io::Result<Self> {
        let wrap = |socket| TokioRuntime.wrap_udp_socket(socket);
        Ok(Self {
            v4: sockets.v4.map(wrap).transpose()?,
            v6: sockets.v6.map(wrap).transpose()?,
            extras: RwLock::default(),
            extras_epoch: AtomicU64::new(0),
            receiver: AtomicWaker::new(),
            is_held_back: AtomicBool::new(false),
            inbox: Arc::new(Queue::new(INCOMING)),
            lent: LentEnd::default(),
            routes: RwLock::new(routes),
            probe_keys,
            probes,
            stun,
            strangers: Strangers::default(),
            neighbourhood,
            fresh_ids: FreshIds::new(),
            scope,
            turn: AtomicUsize::new(0),
        })
    }

    /// Waits until the system has said that the sockets are writable, which it does only once they
    /// are polled; before that the first datagrams would be lost.
    pub(super) async fn ready(self: &Arc<Self>) -> io::Result<()> {
        let mut poller = Arc::clone(self).create_io_poller();
        std::future::poll_fn(|cx| poller.as_mut().poll_writable(cx)).await
    }

    /// The table of paths, to read. quinn calls this socket while it holds a lock of its own: whoever asked a connection
    /// something while holding this one would wait for quinn, and quinn for it as soon as somebody wants to write.
    pub(super) fn routes(&self) -> RwLockReadGuard<'_, Routes> {
        // Nothing panics while it holds this lock.
        self.routes
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The table of paths, to change.
    pub(super) fn routes_mut(&self) -> RwLockWriteGuard<'_, Routes> {
        self.routes
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Leaves all that comes in where it is, until the guard goes. Only one may be held.
    pub(super) fn hold_back(&self) -> HeldBack<'_> {
        self.is_held_back.store(true, Ordering::Release);
        HeldBack(self)
    }

    /// How often quinn has asked for what came in.
    #[cfg(test)]
    pub(super) fn polls(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// Who comes to pair.
    pub(super) fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Which connection ids have gone which ways.
    pub(super) fn fresh_ids(&self) -> &FreshIds {
        &self.fresh_ids
    }

    /// Where packet channels put what they receive.
    pub(super) fn inbox(&self) -> Arc<Queue<RelayedDatagram>> {
        Arc::clone(&self.inbox)
    }

    /// Where datagrams go and come by what a TURN server lends.
    pub(super) const fn lent(&self) -> &LentEnd {
        &self.lent
    }

    /// The ports that the UDP sockets are bound to, with their addresses.
    pub(super) fn bound(&self) -> Vec<SocketAddr> {
        self.main()
            .filter_map(|socket| socket.local_addr().ok())
            .collect()
    }

    /// Takes a socket that is from now on the way to an address of this peer, in place of one of before.
    pub(super) fn keep_extra(&self, peer: DeviceId, id: ExtraId, socket: UdpSocket) {
        self.close_extra(peer);
        let socket = match TokioRuntime.wrap_udp_socket(socket) {
            Ok(socket) => socket,
            Err(error) => return debug!(%error, "an extra socket cannot be used"),
        };
        self.extras_mut().push(Extra { id, peer, socket });
        self.extras_changed();
    }

    /// Closes the extra socket of this peer, and forgets what was proved by it.
    pub(super) fn close_extra(&self, peer: DeviceId) {
        let mut extras = self.extras_mut();
        let Some(at) = extras.iter().position(|extra| extra.peer == peer) else {
            return;
        };
        let closed = extras.swap_remove(at);
        drop(extras);
        self.extras_changed();
        self.routes_mut().forget_extra(peer, closed.id);
    }

    fn extras_changed(&self) {
        self.extras_epoch.fetch_add(1, Ordering::Release);
        self.receiver.wake();
    }

    fn extras(&self) -> RwLockReadGuard<'_, Vec<Extra>> {
        // Nothing panics while it holds this lock. It is taken after that of the routes, never before.
        self.extras
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn extras_mut(&self) -> RwLockWriteGuard<'_, Vec<Extra>> {
        self.extras
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends one datagram that is not quinn's; lost when the socket is busy.
    pub(super) fn send_aside(
        &self,
        to: SocketAddr,
        source: Option<IpAddr>,
        through: Through,
        bytes: &[u8],
    ) {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: source,
        };
        if let Err(error) = self.send_through(through, &transmit) {
            trace!(%error, "probe not sent");
        }
    }

    /// Sends what quinn wants sent; lost unless the socket is only busy.
    fn send_over_udp(
        &self,
        destination: SocketAddr,
        through: Through,
        transmit: &Transmit<'_>,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: transmit.ecn,
            contents: transmit.contents,
            segment_size: transmit.segment_size,
            src_ip: None,
        };
        match self.send_through(through, &transmit) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
            Err(error) => trace!(%error, "datagram not sent"),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Whether anything may be sent to an address: within the local network only to what is on it.
    pub(super) fn may_send_to(&self, to: SocketAddr) -> bool {
        match self.scope {
            // An address by way of a TURN server is near nobody.
            NetworkScope::LocalNetwork => self.neighbourhood.is_private_and_near(to),
            NetworkScope::Everywhere => true,
        }
    }

    fn main(&self) -> impl Iterator<Item = &Arc<dyn AsyncUdpSocket>> {
        self.v4.iter().chain(self.v6.iter())
    }

    /// The one way out of this device over UDP, where it is asked whether a datagram may leave, whatever was
    /// decided. What goes through a socket that is not there is lost.
    fn send_through(&self, through: Through, transmit: &Transmit<'_>) -> io::Result<()> {
        if !self.may_send_to(transmit.destination) {
            trace!("datagram that would leave the local network dropped");
            return Ok(());
        }
        match TurnAddress::of(transmit.destination) {
            // The server carries no more than a path must.
            Some(TurnAddress::Ours(peer)) => {
                self.lent.send(peer, transmit);
                return Ok(());
            }
            // What is lent to the peer is an ordinary address for us.
            Some(TurnAddress::Theirs(lent)) => {
                let transmit = Transmit {
                    destination: SocketAddr::V4(lent),
                    ecn: transmit.ecn,
                    contents: transmit.contents,
                    segment_size: transmit.segment_size,
                    src_ip: transmit.src_ip,
                };
                let socket = self.v4.as_ref();
                return socket.map_or(Ok(()), |socket| socket.try_send(&transmit));
            }
            None => {}
        }
        match through {
            Through::Main => {
                let socket = match transmit.destination {
                    SocketAddr::V4(_) => self.v4.as_ref(),
                    SocketAddr::V6(_) => self.v6.as_ref(),
                };
                socket.map_or(Ok(()), |socket| socket.try_send(transmit))
            }
            Through::Extra(id) => {
                let extras = self.extras();
                let extra = extras.iter().find(|extra| extra.id == id);
                extra.map_or(Ok(()), |extra| extra.socket.try_send(transmit))
            }
        }
    }

    /// A poller for each of the sockets that there are, and the epoch that they are of.
    fn pollers(&self) -> (u64, Vec<Pin<Box<dyn UdpPoller>>>) {
        let epoch = self.extras_epoch.load(Ordering::Acquire);
        let extras = self.extras();
        let extras = extras.iter().map(|extra| &extra.socket);
        let pollers = self.main().chain(extras);
        let pollers = pollers.map(|socket| Arc::clone(socket).create_io_poller());
        (epoch, pollers.collect())
    }

    fn poll_extras(
        &self,
        first: usize,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<usize> {
        // Before the look at what is there, so that what comes between is not missed.
        self.receiver.register(cx.waker());
        // Not under the lock: what is received is looked up in the routes, and whoever sends takes both
        // locks the other way round.
        let mut extras: Vec<_> = {
            let extras = self.extras();
            let each = extras
                .iter()
                .map(|extra| (Through::Extra(extra.id), Arc::clone(&extra.socket)));
            each.collect()
        };
        if let Some(begin) = first.checked_rem(extras.len()) {
            extras.rotate_left(begin);
        }
        for (through, socket) in extras {
            if let Poll::Ready(count) = self.poll_udp(&socket, through, cx, bufs, meta) {
                return Poll::Ready(count);
            }
        }
        Poll::Pending
    }

    fn poll_udp(
        &self,
        socket: &Arc<dyn AsyncUdpSocket>,
        through: Through,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<usize> {
        match socket.poll_recv(cx, bufs, meta) {
            Poll::Pending => Poll::Pending,
            // Only a runtime that shuts down gives this; it must not end the other sources.
            Poll::Ready(Err(error)) => {
                trace!(%error, "receiving failed");
                Poll::Pending
            }
            Poll::Ready(Ok(count)) => {
                for (buf, meta) in bufs.iter_mut().zip(meta.iter_mut()).take(count) {
                    self.admit_batch(through, buf, meta);
                }
                Poll::Ready(count)
            }
        }
    }

    /// Leaves in the buffer what quinn may see, under the peer's synthetic address.
    fn admit_batch(&self, through: Through, buf: &mut [u8], meta: &mut RecvMeta) {
        let Some(batch) = buf.get_mut(..meta.len) else {
            meta.len = 0;
            return;
        };
        if batch
            .chunks(meta.stride.max(1))
            .any(|datagram| !is_quic(datagram))
        {
            self.set_probes_aside(through, batch, meta);
        }
        let routes = self.routes();
        let left = batch.get(..meta.len).unwrap_or_default();
        let firsts = left.chunks(meta.stride.max(1));
        let firsts = firsts.filter_map(|datagram| datagram.first().copied());
        match routes.source(meta.addr) {
            Some(source) if routes.lets_in(source, firsts) => {
                routes.mark_heard(source, left);
                meta.addr = source.reported;
                meta.dst_ip = None;
            }
            Some(_) => meta.len = 0,
            None => match self.seat(batch, meta.addr) {
                Some(seat) => {
                    meta.addr = seat;
                    meta.dst_ip = None;
                }
                // quinn skips an empty batch.
                None => meta.len = 0,
            },
        }
    }

    /// What quinn is told as the address of somebody unknown: a stranger's while a code waits, if it is on
    /// the local network and begins as a connection begins.
    fn seat(&self, batch: &[u8], from: SocketAddr) -> Option<SocketAddr> {
        if !self.strangers.are_possible() {
            return None;
        }
        self.strangers.seat_of(from).or_else(|| {
            let begins = is_initial(batch) && self.neighbourhood.is_near(from);
            begins.then(|| self.strangers.take_seat(from))?
        })
    }

    /// Hands everything that is not QUIC to the prober and closes the gaps. Every datagram but the
    /// last has the full stride, so what is left still has.
    fn set_probes_aside(&self, through: Through, batch: &mut [u8], meta: &mut RecvMeta) {
        let stride = meta.stride.max(1);
        let mut kept = 0;
        let mut start = 0;
        while start < batch.len() {
            let end = batch.len().min(start + stride);
            let datagram = batch.get(start..end).unwrap_or_default();
            if is_quic(datagram) {
                batch.copy_within(start..end, kept);
                kept += end - start;
            } else {
                self.set_aside(through, datagram, meta);
            }
            start = end;
        }
        meta.len = kept;
    }

    fn set_aside(&self, through: Through, datagram: &[u8], meta: &RecvMeta) {
        if let Some(answer) = StunDatagram::of(datagram, meta.addr) {
            if self.stun.try_send(answer).is_err() {
                trace!("STUN answer dropped, too many come");
            }
            return;
        }
        let (Some(length), Some(bytes)) = (Length::of(datagram.len()), datagram.first_chunk())
        else {
            return;
        };
        let keys = self
            .probe_keys
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(peer) = keys.peer_of(bytes) else {
            return;
        };
        drop(keys);
        let from = self.routes().named(peer, meta.addr);
        let probe = ProbeDatagram {
            peer,
            from,
            to: meta.dst_ip,
            through,
            bytes: *bytes,
            length,
        };
        if self.probes.try_send(probe).is_err() {
            trace!("probe dropped, the prober is busy");
        }
    }

    /// What comes by way of a TURN server appears as from an address that says so, and is then as any other.
    fn poll_lent(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<usize> {
        fill(self.lent.inbox(), cx, bufs, meta, |datagram, buf, meta| {
            let length = datagram.bytes.len();
            if let Some(room) = buf.get_mut(..length) {
                room.copy_from_slice(&datagram.bytes);
                meta.addr = turn::by_ours(datagram.peer);
                meta.len = length;
                meta.stride = length;
                self.admit_batch(Through::Main, buf, meta);
            }
        })
    }

    fn poll_relays(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<usize> {
        let routes = self.routes();
        fill(&self.inbox, cx, bufs, meta, |relayed, buf, meta| {
            let length = relayed.bytes.len();
            let (Some(source), Some(room)) =
                (routes.relay_source(relayed.peer), buf.get_mut(..length))
            else {
                return;
            };
            if is_quic(&relayed.bytes) {
                room.copy_from_slice(&relayed.bytes);
                routes.mark_heard(source, &relayed.bytes);
                meta.addr = source.reported;
                meta.len = length;
                meta.stride = length;
                meta.ecn = relayed.ecn;
            }
        })
    }
}

impl AsyncUdpSocket for PathSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        let (epoch, pollers) = self.pollers();
        Box::pin(EveryPoller {
            socket: self,
            epoch,
            pollers,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit
            .segment_size
            .unwrap_or(transmit.contents.len())
            .max(1);
        if let Some(stranger) = self.strangers.addr_at(transmit.destination) {
            return self.send_over_udp(stranger, Through::Main, transmit);
        }
        let routes = self.routes();
        let Some(Route { way, bytes_max }) = routes.route(transmit.destination, size) else {
            trace!("datagram without a path dropped");
            return Ok(());
        };
        match way {
            Way::Relay(relay) => {
                for datagram in transmit.contents.chunks(size) {
                    if datagram.len() <= bytes_max {
                        relay.send(transmit.ecn, datagram);
                    }
                }
            }
            // All but the last of a batch have this length; quinn sends probes alone.
            Way::Udp(..) if size > bytes_max => trace!("datagram too long for its path dropped"),
            Way::Udp(to, through)
                if !self.fresh_ids.may_leave(
                    transmit.destination.ip(),
                    transmit.contents,
                    to,
                    through,
                ) =>
            {
                trace!("datagram with a connection id of another way dropped");
            }
            Way::Udp(destination, through) => {
                return self.send_over_udp(destination, through, transmit);
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.is_held_back.load(Ordering::Acquire) {
            self.receiver.register(cx.waker());
            // It may have ended before the waker was there.
            if self.is_held_back.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for offset in 0..SOURCES {
            let received = match (first.wrapping_add(offset)) % SOURCES {
                0 => self.poll_relays(cx, bufs, meta),
                1 => self.v4.as_ref().map_or(Poll::Pending, |socket| {
                    self.poll_udp(socket, Through::Main, cx, bufs, meta)
                }),
                2 => self.v6.as_ref().map_or(Poll::Pending, |socket| {
                    self.poll_udp(socket, Through::Main, cx, bufs, meta)
                }),
                3 => self.poll_extras(first, cx, bufs, meta),
                4 => self.poll_lent(cx, bufs, meta),
                // A remainder of five is below five.
                5.. => Poll::Pending,
            };
            if let Poll::Ready(count) = received {
                return Poll::Ready(Ok(count));
            }
        }
        // Each source has been asked and has kept the waker.
        Poll::Pending
    }

    /// An IPv6 address, or quinn would refuse the peers' synthetic ones.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        let port = self.bound().first().map_or(0, SocketAddr::port);
        Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
    }

    fn max_transmit_segments(&self) -> usize {
        let extras = self.extras();
        let sockets = self.main().chain(extras.iter().map(|extra| &extra.socket));
        sockets
            .map(|socket| socket.max_transmit_segments())
            .min()
            .unwrap_or(1)
    }

    /// quinn asks once, when there are no extra sockets; those are as the others.
    fn max_receive_segments(&self) -> usize {
        self.main()
            .map(|socket| socket.max_receive_segments())
            .max()
            .unwrap_or(1)
    }

    /// Never: the UDP sockets forbid it, and quinn discovers the path MTU only then.
    fn may_fragment(&self) -> bool {
        false
    }
}

impl fmt::Debug for PathSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathSocket").finish_non_exhaustive()
    }
}

/// Writable when every UDP socket is: quinn asks without saying where to. One that is full is
/// writable again within microseconds. Follows the extra sockets: quinn asks for a poller once for each
/// connection, and would try again without end where a full one was not waited for.
#[derive(Debug)]
struct EveryPoller {
    socket: Arc<PathSocket>,
    epoch: u64,
    pollers: Vec<Pin<Box<dyn UdpPoller>>>,
}

impl UdpPoller for EveryPoller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.epoch != self.socket.extras_epoch.load(Ordering::Acquire) {
            (self.epoch, self.pollers) = self.socket.pollers();
        }
        for poller in &mut self.pollers {
            match poller.as_mut().poll_writable(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => trace!(%error, "socket is not writable"),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Hands what waits to `put`, each with a buffer and a description of its own, or keeps the waker. One that `put`
/// passes over is a datagram of no bytes, which quinn passes over, too.
fn fill<T>(
    inbox: &Queue<T>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    meta: &mut [RecvMeta],
    mut put: impl FnMut(T, &mut [u8], &mut RecvMeta),
) -> Poll<usize> {
    let mut count = 0;
    for (buf, meta) in bufs.iter_mut().zip(meta.iter_mut()) {
        let datagram = if count == 0 {
            match inbox.poll_pop(cx) {
                Poll::Ready(datagram) => datagram,
                Poll::Pending => return Poll::Pending,
            }
        } else {
            match inbox.pop() {
                Some(datagram) => datagram,
                None => break,
            }
        };
        *meta = RecvMeta::default();
        count += 1;
        put(datagram, buf, meta);
    }
    Poll::Ready(count)
}

fn is_quic(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & QUIC_BIT != 0)
}

/// Whether a datagram is a QUIC Initial of version 1: a long header of type 0 (RFC 9000, section 17.2).
fn is_initial(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 0, 0, 0, 1, ..] if first & 0xf0 == 0xc0)
}
