//! Borrows an address at a TURN server (RFC 8656), and carries datagrams by it.
//!
//! One address at a time, for all peers. What is sent to an address "by ours" ([`TurnAddress`]) goes through the
//! server, and what comes there appears as from such an address, so for everybody above it is one more place where a
//! peer may be. `turn-client-proto` knows the protocol; here are the socket, the clock and the bounds: a queue for
//! what goes out, permissions for [`PERMISSIONS_MAX`] hosts, a channel for each of the [`CHANNELS_MAX`] addresses that
//! much is sent to, and nothing longer than a datagram on a path may be.
//!
//! A server is asked over a socket of its own, UDP, TCP or TLS. Every [`SIGN_AFTER`] of silence it is asked for a sign
//! of life, which also keeps the way through a router open; one that gives none is gone.
//!
//! The library writes peers' addresses into its log and may have faults of its own: it is called without a log,
//! and a panic in it ends what was borrowed and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, UdpSocket as StdUdpSocket};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use quinn::udp::Transmit as QuinnTransmit;
use stun_types::TransportType;
use stun_types::attribute::ErrorCode;
use stun_types::message::{BINDING, Message, MessageWriteVec, TransactionId};
use stun_types::prelude::MessageWrite;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use towline_core::io::{LendFault, NetworkEvent};
use towline_wire::card::listenable;
use towline_wire::ice::{TurnServer, TurnTransport};
use towline_wire::turn_address::TurnAddress;
use tracing::{Dispatch, debug};
use turn_client_proto::api::{
    Transmit, TransmitBuild, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet,
};
use turn_client_proto::stun::Instant as LoanTime;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::TurnCredentials;
use turn_client_proto::types::prelude::DelayedTransmitBuild;
use turn_client_proto::udp::TurnClientUdp;

use super::path_socket::INCOMING;
use super::path_socket::PathSocket;
use super::probe::PROBE_BYTES;
use super::queue::Queue;
use super::routes::BYTES_AWAY_MAX;
use super::stun::usable;
use super::websocket::{self, ConnectError, Transport};
use crate::tasks::Tasks;

/// Datagrams that wait for the server: 256, as many as a send buffer of the system would hold of them; what does not
/// fit is dropped, and QUIC slows down.
const OUTGOING_MAX: usize = 256;

/// Datagrams that are sent in a row before what has come is looked at: 32.
const OUTGOING_PER_TURN: usize = 32;

/// Hosts that may write to our address: 32, several of each of a few peers. More are not let in.
const PERMISSIONS_MAX: usize = 32;

/// Addresses with a channel, which saves 32 bytes per datagram over UDP: 16. What is sent to others goes without.
const CHANNELS_MAX: usize = 16;

/// Silence of the server after which it is asked for a sign of life: 20 s, below the 30 s after which common
/// routers forget UDP.
const SIGN_AFTER: Duration = Duration::from_secs(20);

/// Pause between two such questions, and how many of them it may leave unanswered: 2 s and four.
const SIGNS_APART: Duration = Duration::from_secs(2);
const SIGNS_MAX: u32 = 4;

/// Times that a server may ask for name and password again once it has lent an address: 8. A password that has
/// expired since is refused at every refresh.
const CHALLENGES_MAX: u32 = 8;

/// How long a server has to lend an address, with all tries: 12 s.
const LEND_DEADLINE: Duration = Duration::from_secs(12);

/// How long a write to a server over TCP may take: 5 s. After that TCP is stuck.
const SEND_DEADLINE: Duration = Duration::from_secs(5);

/// How long giving back may take when the device ends: 300 ms, a round trip to most servers. One that is not told
/// takes the address back within ten minutes.
const GIVE_BACK_DEADLINE: Duration = Duration::from_millis(300);

/// Refusals of the server's system (ICMP) in a row after which nobody is there: 3. One can be forged or left over.
const REFUSALS_MAX: u32 = 3;

/// Bytes that are read at once: 4 KiB, more than the longest datagram that is taken.
const READ_BYTES: usize = 4096;

/// A datagram by way of the server, from or to whom.
#[derive(Debug)]
pub(super) struct LentDatagram {
    pub(super) peer: SocketAddrV4,
    pub(super) bytes: Bytes,
}

/// Where the path socket meets what is lent.
pub(super) struct LentEnd {
    outgoing: Mutex<Option<mpsc::Sender<LentDatagram>>>,
    inbox: Queue<LentDatagram>,
}

impl Default for LentEnd {
    fn default() -> Self {
        Self {
            outgoing: Mutex::default(),
            inbox: Queue::new(INCOMING),
        }
    }
}

impl LentEnd {
    /// Queues datagrams for the server, or drops them.
    pub(super) fn send(&self, to: SocketAddrV4, transmit: &QuinnTransmit<'_>) {
        let outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outgoing) = outgoing.as_ref() else {
            return;
        };
        let size = transmit
            .segment_size
            .unwrap_or(transmit.contents.len())
            .max(1);
        for datagram in transmit.contents.chunks(size) {
            let datagram = LentDatagram {
                peer: to,
                bytes: Bytes::copy_from_slice(datagram),
            };
            // A full queue loses datagrams, as a network does.
            let _lost = outgoing.try_send(datagram);
        }
    }

    /// What has come.
    pub(super) const fn inbox(&self) -> &Queue<LentDatagram> {
        &self.inbox
    }

    fn open(&self) -> mpsc::Receiver<LentDatagram> {
        let (sender, receiver) = mpsc::channel(OUTGOING_MAX);
        *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    fn received(&self, from: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(peer) = from else {
            return;
        };
        if bytes.is_empty() || bytes.len() > BYTES_AWAY_MAX {
            return;
        }
        let bytes = Bytes::copy_from_slice(bytes);
        // A short one costs its place in the queue, too.
        let weight = bytes.len().max(PROBE_BYTES);
        self.inbox.push(LentDatagram { peer, bytes }, weight);
    }
}

/// Borrows and gives back.
pub(super) struct Borrower {
    socket: Arc<PathSocket>,
    events: mpsc::Sender<NetworkEvent>,
    tasks: Tasks,
    current: Mutex<Option<Current>>,
}

/// What is borrowed, or being asked for.
#[derive(Debug)]
struct Current {
    closing: CancellationToken,
    closed: CancellationToken,
}

impl Borrower {
    pub(super) fn new(
        socket: Arc<PathSocket>,
        events: mpsc::Sender<NetworkEvent>,
        tasks: Tasks,
    ) -> Self {
        Self {
            socket,
            events,
            tasks,
            current: Mutex::default(),
        }
    }

    /// Borrows at this server, in place of what was borrowed before; answered by `Borrowed` and `NotLent`.
    pub(super) fn borrow(self: &Arc<Self>, server: TurnServer) {
        let closing = CancellationToken::new();
        let closed = CancellationToken::new();
        let current = Current {
            closing: closing.clone(),
            closed: closed.clone(),
        };
        self.replace(Some(current));
        let outgoing = self.socket.lent().open();
        let borrower = Arc::clone(self);
        self.tasks.spawn("TURN", async move {
            let _told_when_dropped = closed.drop_guard();
            let run = AssertUnwindSafe(borrower.run(&server, outgoing, &closing));
            let fault = match run.catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(fault)) => fault,
                Err(_) => LendFault::Protocol,
            };
            debug!(?fault, "no address is lent");
            let told = borrower.events.send(NetworkEvent::NotLent(fault));
            // Whoever has asked for something else since does not want to hear of this.
            closing.run_until_cancelled(told).await;
        });
    }

    /// Gives back what is borrowed.
    pub(super) fn give_back(&self) {
        self.replace(None);
    }

    /// The same, and waits a little until the server is told.
    pub(super) async fn close(&self) {
        if let Some(current) = self.replace(None) {
            let closed = timeout(GIVE_BACK_DEADLINE, current.closed.cancelled()).await;
            if closed.is_err() {
                debug!("the TURN server is not told in time");
            }
        }
    }

    fn replace(&self, new: Option<Current>) -> Option<Current> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, new);
        if let Some(before) = &before {
            before.closing.cancel();
        }
        before
    }

    /// Until it is given back, or the server lends nothing.
    async fn run(
        &self,
        server: &TurnServer,
        mut outgoing: mpsc::Receiver<LentDatagram>,
        closing: &CancellationToken,
    ) -> Result<(), LendFault> {
        let reached = timeout(LEND_DEADLINE, self.reach(server));
        let wire = match closing.run_until_cancelled(reached).await {
            None => return Ok(()),
            Some(Ok(Ok(wire))) => wire,
            Some(Ok(Err(fault))) => return Err(fault),
            Some(Err(_)) => return Err(LendFault::Unreachable),
        };
        let mut loan = Loan::ask(wire, server)?;
        loop {
            loan.step(self).await?;
            let wait = loan.wait()?;
            let mut buffer = [0; READ_BYTES];
            tokio::select! {
                () = closing.cancelled() => {
                    loan.give_back().await;
                    return Ok(());
                }
                read = loan.wire.read(&mut buffer) => {
                    loan.came(read, &mut buffer, self.socket.lent())?;
                }
                Some(datagram) = outgoing.recv() => {
                    loan.send(&datagram).await?;
                    for _ in 1..OUTGOING_PER_TURN {
                        let Ok(datagram) = outgoing.try_recv() else { break };
                        loan.send(&datagram).await?;
                    }
                }
                () = sleep(wait) => {}
            }
        }
    }

    async fn reach(&self, server: &TurnServer) -> Result<Wire, LendFault> {
        let (host, port) = (server.place.host(), server.place.port());
        let secure = match server.transport {
            TurnTransport::Udp => return self.reach_udp(host, port).await,
            TurnTransport::Tcp => None,
            TurnTransport::Tls => Some(host),
        };
        let stream = websocket::reach_bare(host, port, secure).await;
        let stream = stream.map_err(|error| match error {
            ConnectError::Certificate | ConnectError::Pin => LendFault::Certificate,
            ConnectError::Protocol => LendFault::Protocol,
            ConnectError::Url
            | ConnectError::Unreachable
            | ConnectError::Proxy(_)
            | ConnectError::Refused => LendFault::Unreachable,
        })?;
        Ok(Wire::Stream(Box::new(stream)))
    }

    async fn reach_udp(&self, host: &str, port: u16) -> Result<Wire, LendFault> {
        let unreachable = |_: io::Error| LendFault::Unreachable;
        let found = lookup_host((host, port)).await.map_err(unreachable)?;
        let mut found = usable(host, found.collect());
        // IPv4 first: more routers let UDP of it through.
        found.sort_by_key(SocketAddr::is_ipv6);
        let bound = self.socket.bound();
        for to in found {
            let Some(ours) = bound.iter().find(|ours| ours.is_ipv4() == to.is_ipv4()) else {
                continue;
            };
            let socket = StdUdpSocket::bind((ours.ip(), 0)).map_err(unreachable)?;
            super::udp::enlarge_buffers(&socket);
            socket.set_nonblocking(true).map_err(unreachable)?;
            let socket = UdpSocket::from_std(socket).map_err(unreachable)?;
            if socket.connect(to).await.is_ok() {
                return Ok(Wire::Udp(socket));
            }
        }
        Err(LendFault::Unreachable)
    }
}

impl fmt::Debug for Borrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrower").finish_non_exhaustive()
    }
}

/// The way to a server.
enum Wire {
    Udp(UdpSocket),
    Stream(Box<Transport>),
}

impl Wire {
    fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        match self {
            Self::Udp(socket) => Ok((socket.local_addr()?, socket.peer_addr()?)),
            Self::Stream(stream) => stream.ends(),
        }
    }

    /// Safe to drop: what was read is given at once.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::Stream(stream) => match stream.read(buffer).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                length => Ok(length),
            },
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            // A datagram that the system does not take is lost; refusals are seen where one reads.
            Self::Udp(socket) => {
                let _lost = socket.send(bytes).await;
                Ok(())
            }
            Self::Stream(stream) => {
                let written = async {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                };
                timeout(SEND_DEADLINE, written)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

turn_client_proto::impl_client!(TurnClient, (Udp, TurnClientUdp), (Tcp, TurnClientTcp));

/// What is borrowed, or being asked for.
struct Loan {
    client: TurnClient,
    wire: Wire,
    transport: TransportType,
    ends: (SocketAddr, SocketAddr),
    begun: Instant,
    lent: Option<SocketAddrV4>,
    /// Hosts that were let in, or that the server does not let in.
    permitted: BTreeSet<IpAddr>,
    /// Addresses with a channel, or for which the server has given none.
    channels: BTreeSet<SocketAddrV4>,
    heard: Instant,
    signs_asked: u32,
    sign_due: Instant,
    refusals: u32,
    /// The last refusal that it has given a reason for.
    refused: Option<u16>,
    has_answered: bool,
    /// Times that it has asked for name and password, and in answer to what the last time.
    challenges: u32,
    challenged: Option<TransactionId>,
}

impl Loan {
    fn ask(wire: Wire, server: &TurnServer) -> Result<Self, LendFault> {
        let ends = wire.ends().map_err(|_| LendFault::Unreachable)?;
        let (local, remote) = ends;
        let credentials =
            TurnCredentials::new(server.username.reveal(), server.credential.reveal());
        let mut config = TurnConfig::new(credentials);
        config.set_request_retransmits(
            Duration::from_millis(500),
            Duration::from_secs(2),
            5,
            Duration::from_secs(2),
        );
        let (client, transport) = quietly(|| match &wire {
            Wire::Udp(_) => {
                let client = TurnClientUdp::allocate(local, remote, config);
                (TurnClient::from(client), TransportType::Udp)
            }
            Wire::Stream(_) => {
                let client = TurnClientTcp::allocate(local, remote, config);
                (TurnClient::from(client), TransportType::Tcp)
            }
        });
        let now = Instant::now();
        Ok(Self {
            client,
            wire,
            transport,
            ends,
            begun: now,
            lent: None,
            permitted: BTreeSet::new(),
            channels: BTreeSet::new(),
            heard: now,
            signs_asked: 0,
            sign_due: now + SIGN_AFTER,
            refusals: 0,
            refused: None,
            has_answered: false,
            challenges: 0,
            challenged: None,
        })
    }

    /// The library's clock, which begins with the loan.
    fn now(&self) -> LoanTime {
        let nanos = self.begun.elapsed().as_nanos();
        LoanTime::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Sends what is due, and takes what has been decided.
    async fn step(&mut self, borrower: &Borrower) -> Result<(), LendFault> {
        let now = self.now();
        while let Some(transmit) = quietly(|| self.client.poll_transmit(now)) {
            self.write(&transmit.data).await?;
        }
        while let Some(event) = quietly(|| self.client.poll_event()) {
            match event {
                TurnEvent::AllocationCreated(_, addr) => {
                    let addr = self.usable(addr).ok_or(LendFault::Protocol)?;
                    self.lent = Some(addr);
                    debug!("an address is lent");
                    let told = borrower.events.send(NetworkEvent::Borrowed(addr)).await;
                    told.map_err(|_| LendFault::Gone)?;
                }
                TurnEvent::AllocationCreateFailed(_) => return Err(self.fault()),
                TurnEvent::PermissionCreateFailed(..) => debug!("a host is not let in"),
                TurnEvent::ChannelCreateFailed(..) => debug!("no channel is given"),
                TurnEvent::PermissionCreated(..)
                | TurnEvent::ChannelCreated(..)
                | TurnEvent::TcpConnected(_)
                | TurnEvent::TcpConnectFailed(_) => {}
            }
        }
        if Instant::now() >= self.sign_due {
            if self.signs_asked >= SIGNS_MAX {
                return Err(self.fault());
            }
            self.signs_asked += 1;
            self.sign_due = Instant::now() + SIGNS_APART;
            let question = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
            self.write(&question).await?;
        }
        Ok(())
    }

    /// An address that can be somebody's: a server on this machine may lend one of this machine.
    fn usable(&self, addr: SocketAddr) -> Option<SocketAddrV4> {
        let SocketAddr::V4(v4) = addr else {
            return None;
        };
        let is_here = self.ends.1.ip().to_canonical().is_loopback();
        let may = !listenable(vec![addr]).is_empty() && (is_here || !v4.ip().is_loopback());
        may.then_some(v4)
    }

    /// How long there is nothing to do.
    fn wait(&mut self) -> Result<Duration, LendFault> {
        let now = self.now();
        if self.lent.is_none() && self.begun.elapsed() >= LEND_DEADLINE {
            return Err(self.fault());
        }
        let due = match quietly(|| self.client.poll(now)) {
            TurnPollRet::WaitUntil(due) => due.saturating_duration_since(now),
            // Of connections to peers, which are not asked for.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => Duration::ZERO,
            TurnPollRet::Closed => return Err(self.fault()),
        };
        let sign = self.sign_due.saturating_duration_since(Instant::now());
        // A library that always has something to do must not take a processor.
        Ok(due.min(sign).max(Duration::from_millis(1)))
    }

    /// Why nothing is lent, as far as it is known.
    const fn fault(&self) -> LendFault {
        match (self.lent, self.refused, self.has_answered) {
            (_, Some(401 | 441), _) => LendFault::Login,
            (_, Some(code), _) => LendFault::Refused(code),
            (Some(_), None, _) => LendFault::Gone,
            (None, None, true) => LendFault::Protocol,
            (None, None, false) => LendFault::Silent,
        }
    }

    /// Takes what was read.
    fn came(
        &mut self,
        read: io::Result<usize>,
        buffer: &mut [u8],
        end: &LentEnd,
    ) -> Result<(), LendFault> {
        let length = match read {
            Ok(length) => length,
            Err(error) => {
                self.refusals += 1;
                let is_over = match &self.wire {
                    Wire::Udp(_) => {
                        error.kind() == io::ErrorKind::ConnectionRefused
                            && self.refusals >= REFUSALS_MAX
                    }
                    Wire::Stream(_) => true,
                };
                return match (is_over, self.lent) {
                    (false, _) => Ok(()),
                    (true, Some(_)) => Err(LendFault::Gone),
                    (true, None) if self.refused.is_some() => Err(self.fault()),
                    (true, None) => Err(LendFault::Unreachable),
                };
            }
        };
        self.refusals = 0;
        self.signs_asked = 0;
        self.has_answered = true;
        self.heard = Instant::now();
        self.sign_due = self.heard + SIGN_AFTER;
        let Some(came) = buffer.get(..length) else {
            return Ok(());
        };
        if let Some((code, question)) = refusal(came) {
            self.refused = Some(code);
            // The first is how every server asks for name and password; the library would answer the same
            // for ever.
            if code == 401 && self.challenged != Some(question) {
                self.challenges += 1;
                self.challenged = Some(question);
                if self.challenges > CHALLENGES_MAX || self.lent.is_none() && self.challenges > 1 {
                    return Err(LendFault::Login);
                }
            }
        }
        let (local, remote) = self.ends;
        let now = self.now();
        let transmit = Transmit::new(came, self.transport, remote, local);
        match quietly(|| self.client.recv(transmit, now)) {
            TurnRecvRet::PeerData(data) => end.received(data.peer, data.data()),
            TurnRecvRet::Handled | TurnRecvRet::Ignored(_) | TurnRecvRet::PeerIcmp { .. } => {}
        }
        while let Some(data) = quietly(|| self.client.poll_recv(now)) {
            end.received(data.peer, data.data());
        }
        Ok(())
    }

    /// Sends a datagram to a peer; lost where the server does not let its host in, or not yet.
    async fn send(&mut self, datagram: &LentDatagram) -> Result<(), LendFault> {
        if self.lent.is_none() || datagram.bytes.len() > BYTES_AWAY_MAX {
            return Ok(());
        }
        let (now, host) = (self.now(), IpAddr::V4(*datagram.peer.ip()));
        if !self.permitted.contains(&host) {
            if self.permitted.len() >= PERMISSIONS_MAX {
                return Ok(());
            }
            self.permitted.insert(host);
            let asked = quietly(|| self.client.create_permission(TransportType::Udp, host, now));
            if let Err(error) = asked {
                debug!(%error, "a host cannot be let in");
            }
            return Ok(());
        }
        let peer = SocketAddr::V4(datagram.peer);
        // Over a stream the library writes what a channel carries without its padding (RFC 8656, section 12.5),
        // and the server would lose its place.
        let is_much = datagram.bytes.len() > PROBE_BYTES && self.transport == TransportType::Udp;
        if is_much && self.channels.len() < CHANNELS_MAX && self.channels.insert(datagram.peer) {
            let asked = quietly(|| self.client.bind_channel(TransportType::Udp, peer, now));
            if let Err(error) = asked {
                debug!(%error, "no channel can be had");
            }
        }
        let bytes = datagram.bytes.as_ref();
        let sent = quietly(|| {
            let sent = self.client.send_to(TransportType::Udp, peer, bytes, now);
            sent.ok().flatten().map(built)
        });
        match sent {
            Some(sent) => self.write(&sent).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), LendFault> {
        let written = self.wire.write(bytes).await;
        written.map_err(|_| match self.lent {
            Some(_) => LendFault::Gone,
            None => LendFault::Unreachable,
        })
    }

    /// Tells the server that the address is not wanted any more; whether it hears that shows nowhere.
    async fn give_back(&mut self) {
        let now = self.now();
        if quietly(|| self.client.delete(now)).is_err() {
            return;
        }
        while let Some(transmit) = quietly(|| self.client.poll_transmit(now)) {
            if self.write(&transmit.data).await.is_err() {
                return;
            }
        }
    }
}

fn built<T: DelayedTransmitBuild + fmt::Debug>(sent: TransmitBuild<T>) -> Vec<u8> {
    sent.build().data
}

/// The code of a refusal and of what, if this is one. A nonce that is too old (438) is none: the library asks
/// again.
fn refusal(bytes: &[u8]) -> Option<(u16, TransactionId)> {
    let message = Message::from_bytes(bytes).ok()?;
    let code = message.attribute::<ErrorCode>().ok()?.code();
    (code != 438).then(|| (code, message.transaction_id()))
}

/// Calls the library without a log.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&Dispatch::none(), call)
}

/// How what is lent to us is written where an address is asked for.
pub(super) fn by_ours(peer: SocketAddrV4) -> SocketAddr {
    TurnAddress::Ours(peer).written()
}
