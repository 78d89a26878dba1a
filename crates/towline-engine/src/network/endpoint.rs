//! The QUIC endpoint: dials, accepts, keeps the live connection of each peer.
//!
//! Events of one peer come in order: every `Connected` has one `Disconnected` with the same id, the
//! older connection's before the newer one's `Connected`. Handshakes come only from admitted
//! addresses and only from trusted keys; whoever dials is compared with the device that was dialled,
//! and the trusted set is asked again when the handshake is done.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{
    ClientConfig, Connection, EndpointConfig, IdleTimeout, Incoming, MtuDiscoveryConfig,
    ServerConfig, TransportConfig, ValidationTokenConfig, VarInt,
};
use quinn_proto::RandomConnectionIdGenerator;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use towline_core::io::{ConnectionId, LinkFault, NetworkEvent, Path};
use towline_wire::frame;
use towline_wire::ids::DeviceId;
use towline_wire::limits::{
    CONTROL_FRAME_BYTES_MAX, FOLDERS_PER_PEER_MAX, INDEX_PAGES_IN_FLIGHT_MAX,
};
use towline_wire::peer::Control;
use tracing::{debug, error, info};
use zeroize::Zeroizing;

use super::congestion::PathCubicFactory;
use super::drivers::Drivers;
use super::pairing::Pairings;
use super::path_socket::PathSocket;
use super::routes::{BYTES_HERE_MAX, Reach, Role};
use super::session::{self, CloseReason, SessionEnds};
use super::standstill::Standstill;
use super::strangers;
use super::tls::{self, TlsSettings, Trust};
use super::{IncomingStream, NetworkError};
use crate::tasks::Tasks;

/// How long a handshake may take: 10 s, a few losses on a slow path.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How often a dial begins, at most: 8 times. Its path changes once or twice; a server that opens channel after
/// channel makes us send no more than that.
const DIALED_ANEW_MAX: u32 = 8;

/// Handshakes that others may have running with us: 32. Each costs a signature and some 50 KiB; a
/// person has a few devices.
const INCOMING_HANDSHAKES_MAX: usize = 32;

/// Frames that wait for the control stream: the index pages that may be in flight for the most
/// folders that a peer may have, as many acknowledgements, and some to spare. The core keeps below
/// it; a connection where it is reached is closed, and both sides continue from what is durable.
const FRAMES_WAITING_MAX: usize = 2 * FOLDERS_PER_PEER_MAX * INDEX_PAGES_IN_FLIGHT_MAX + 256;

/// Window of one stream: 8 MiB, a LAN's bandwidth times a wide area's round trip.
const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// Window of one connection, which bounds what a peer can make us hold: 16 MiB, two full streams.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Bytes sent and not yet acknowledged, per connection: 16 MiB, to match the other side's window.
const SEND_WINDOW_BYTES: u64 = 16 * 1024 * 1024;

/// Data streams that a peer may have open: 128, several times what the data plane uses.
const DATA_STREAMS_MAX: u32 = 128;

/// A nudge is one byte; this is room for more than ever wait.
const NUDGE_BUFFER_BYTES: usize = 1024;

/// Pause between two searches for a larger path MTU where we accept: 10 minutes. There quinn searches anew
/// on every path that it moves to. A search that ends below the upper bound costs some ten probe timeouts.
const MTU_SEARCH_INTERVAL_ACCEPTING: Duration = Duration::from_secs(600);

/// The same where we dial: a minute, since quinn does not know when the path is another one. On one that carries
/// all that is searched for it costs nothing, on any other three probe timeouts, some 700 bytes.
const MTU_SEARCH_INTERVAL_DIALING: Duration = Duration::from_secs(60);

/// Length of datagrams on a path of which nothing is known, which every path must carry (RFC 9000, section 14).
const INITIAL_MTU: u16 = 1200;

/// Round trip of a path of which nothing is known: 100 ms. quinn would take a third of a second, and so try what is
/// lost in a handshake, or first on another path, again after a second; now it is 0.3 s. Where a round trip
/// takes longer a few packets go twice.
const ROUND_TRIP_AT_FIRST: Duration = Duration::from_millis(100);

/// Keep-alive where we dial: 14 s, half of [`IDLE_TIMEOUT_MS`] and some room for what is lost. Routers remember the
/// path by its probes. Each costs 166 bytes over IPv6, of which six a minute are too much beside the probes.
const KEEP_ALIVE_INTERVAL_DIALING: Duration = Duration::from_secs(14);

/// The same where we accept: 20 s, so that one side asks and not both; any packet puts it off.
const KEEP_ALIVE_INTERVAL_ACCEPTING: Duration = Duration::from_secs(20);

/// Silence after which a connection is given up, in milliseconds: 30 s, time for a change of path.
const IDLE_TIMEOUT_MS: u32 = 30_000;

/// Bytes of a connection id that we give: 8, so that two connections never draw the same.
const CONNECTION_ID_BYTES: usize = 8;

/// Least time between two fresh ids of all connections: 100 ms. A peer gives another one within a round trip.
const FRESHEN_INTERVAL: Duration = Duration::from_millis(100);

/// How long closing may take to tell the peers.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// All connections of this device. Clones share them.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    endpoint: quinn::Endpoint,
    drivers: Drivers,
    socket: Arc<PathSocket>,
    trust: Trust,
    tls: TlsSettings,
    pairings: Pairings,
    acceptor: ServerConfig,
    events: mpsc::Sender<NetworkEvent>,
    streams: mpsc::Sender<IncomingStream>,
    tasks: Tasks,
    live_by_peer: Mutex<BTreeMap<DeviceId, Live>>,
    dials_by_peer: Mutex<BTreeMap<DeviceId, CancellationToken>>,
    connections: AtomicU64,
}

/// Who takes what comes in.
pub(super) struct Comers {
    /// Takes what happens.
    pub(super) events: mpsc::Sender<NetworkEvent>,
    /// Takes the data streams of peers.
    pub(super) streams: mpsc::Sender<IncomingStream>,
    /// Takes strangers.
    pub(super) pairings: Pairings,
}

/// A connection that stands.
struct Live {
    id: ConnectionId,
    connection: Connection,
    frames: mpsc::Sender<Vec<u8>>,
    /// Cancelled when its `Disconnected` has been told.
    ended: CancellationToken,
}

impl Connections {
    /// Opens the endpoint on the socket and accepts from now on.
    pub(super) fn open(
        socket: Arc<PathSocket>,
        trust: Trust,
        tls: TlsSettings,
        reset_key: Zeroizing<[u8; 32]>,
        comers: Comers,
        tasks: Tasks,
    ) -> Result<Self, NetworkError> {
        let Comers {
            events,
            streams,
            pairings,
        } = comers;
        let (config, server) = configs(&tls, reset_key)?;
        let drivers = Drivers::default();
        let endpoint = quinn::Endpoint::new_with_abstract_socket(
            config,
            Some(server.clone()),
            Arc::clone(&socket) as Arc<_>,
            Arc::new(drivers.clone()),
        )
        .map_err(NetworkError::Socket)?;
        let connections = Self(Arc::new(Shared {
            endpoint,
            drivers,
            socket,
            trust,
            tls,
            pairings,
            acceptor: server,
            events,
            streams,
            tasks,
            live_by_peer: Mutex::default(),
            dials_by_peer: Mutex::default(),
            connections: AtomicU64::new(0),
        }));
        connections
            .0
            .tasks
            .spawn("accept connections", connections.clone().accept_all());
        connections
            .0
            .tasks
            .spawn("fresh connection ids", connections.clone().freshen());
        Ok(connections)
    }

    /// The live connection with a peer.
    pub(super) fn connection(&self, peer: DeviceId) -> Option<Connection> {
        self.live().get(&peer).map(|live| live.connection.clone())
    }

    /// Closes the connections of all but these peers.
    pub(super) fn keep_only(&self, peers: &BTreeSet<DeviceId>) {
        for (peer, live) in self.live().iter() {
            if !peers.contains(peer) {
                CloseReason::NotTrusted.close(&live.connection);
            }
        }
        lock(&self.0.dials_by_peer)
            .iter()
            .filter(|(peer, _)| !peers.contains(peer))
            .for_each(|(_, dial)| dial.cancel());
    }

    /// Moves our packets to this peer onto another path.
    pub(super) fn select(&self, peer: DeviceId, path: Path) {
        let before = self.0.socket.routes_mut().select(peer, path);
        if before == Some(path) {
            return;
        }
        debug!(peer = peer.short(), ?path, "path is selected");
        let standstill = self.standstill(peer);
        let begins_anew = match before {
            // The window of a direct path would flood what comes after it. The other way round it
            // grows by itself within 200 ms, faster than from nothing.
            Some(Path::Direct(_)) => true,
            // Neither does it grow where nothing was answered.
            Some(Path::Relay) => standstill.is_overdue(Instant::now()),
            None => false,
        };
        if begins_anew {
            standstill.begin_anew();
            standstill.tell_regained();
        } else if let Some(connection) = self.connection(peer) {
            session::nudge(&connection);
        }
    }

    /// Dials on the selected path; answered by `Connected` or `DialFailed`. While a dial runs, another
    /// one is answered by its answer.
    pub(super) fn dial(&self, peer: DeviceId) {
        let cancel = CancellationToken::new();
        let mut dials = lock(&self.0.dials_by_peer);
        if dials.contains_key(&peer) {
            return;
        }
        dials.insert(peer, cancel.clone());
        drop(dials);
        let connections = self.clone();
        self.0.tasks.spawn("dial", async move {
            let dialed = cancel
                .run_until_cancelled(connections.dial_any_way(peer))
                .await;
            lock(&connections.0.dials_by_peer).remove(&peer);
            let fault = match dialed {
                Some(Ok(())) => return,
                Some(Err(fault)) => fault,
                None => LinkFault::Closed,
            };
            connections
                .tell(NetworkEvent::DialFailed(peer, fault))
                .await;
        });
    }

    /// Ends the connection with this peer, and a dial that runs.
    pub(super) fn hangup(&self, peer: DeviceId, reason: CloseReason) {
        if let Some(dial) = lock(&self.0.dials_by_peer).get(&peer) {
            dial.cancel();
        }
        if let Some(connection) = self.connection(peer) {
            reason.close(&connection);
        }
    }

    /// Ends this connection, unless a newer one has taken its place.
    pub(super) fn abandon(&self, peer: DeviceId, id: ConnectionId) {
        if let Some(connection) = self.standing(peer, id) {
            CloseReason::Done.close(&connection);
        }
    }

    /// Asks for a sign of life on this connection; answered by `Answered` or `Silent`, or by the
    /// connection's end.
    pub(super) fn ask(&self, peer: DeviceId, id: ConnectionId, within: Duration) {
        let Some(connection) = self.standing(peer, id) else {
            return;
        };
        let connections = self.clone();
        self.0.tasks.spawn("ask", async move {
            let event = tokio::select! {
                _ = connection.closed() => return,
                heard = session::is_heard(&connection, within) => {
                    if heard {
                        NetworkEvent::Answered(peer, id)
                    } else {
                        NetworkEvent::Silent(peer, id)
                    }
                }
            };
            connections.tell(event).await;
        });
    }

    /// Queues a frame for the control stream; without a connection it is dropped, since the next
    /// hello starts anew.
    pub(super) fn send(&self, peer: DeviceId, control: &Control) {
        let live = self.live();
        let Some(live) = live.get(&peer) else { return };
        let queued = match frame::encode(control, CONTROL_FRAME_BYTES_MAX) {
            Ok(bytes) => live.frames.try_send(bytes).is_ok() || live.frames.is_closed(),
            Err(error) => {
                error!(%error, "a control frame cannot be encoded");
                false
            }
        };
        if !queued {
            CloseReason::Done.close(&live.connection);
        }
    }

    /// Closes everything and waits a moment for the peers to be told.
    pub(super) async fn close(&self) {
        for live in self.live().values() {
            CloseReason::Done.close(&live.connection);
        }
        self.0.endpoint.close(VarInt::from_u32(0), &[]);
        if timeout(CLOSE_DEADLINE, self.0.endpoint.wait_idle())
            .await
            .is_err()
        {
            debug!("some peers were perhaps not told that connections are closed");
        }
    }

    /// Has every connection take a fresh id when one is wanted.
    async fn freshen(self) {
        loop {
            self.0.socket.fresh_ids().wanted().await;
            self.take_fresh_ids().await;
            sleep(FRESHEN_INTERVAL).await;
        }
    }

    /// Has every connection take a fresh id. quinn does that when its endpoint gets another socket, so it gets
    /// the one that it has; once no packet waits that may end a connection, see `drivers`.
    pub(super) async fn take_fresh_ids(&self) {
        let _held = self.0.socket.hold_back();
        // Whoever was receiving has done so: this waits for the same lock.
        self.0.endpoint.open_connections();
        self.0.drivers.all_have_turned().await;
        let socket = Arc::clone(&self.0.socket);
        if let Err(error) = self.0.endpoint.rebind_abstract(socket) {
            error!(%error, "connections keep their ids");
        }
    }

    /// Dials until the handshake is done; anew, for as long again, when the path becomes another one meanwhile.
    async fn dial_any_way(&self, peer: DeviceId) -> Result<(), LinkFault> {
        let (role, moved) = {
            let routes = self.0.socket.routes();
            (routes.role(peer), routes.dial_moved(peer))
        };
        if role != Role::Dials {
            error!("asked to dial a peer that dials us");
            return Err(LinkFault::Protocol);
        }
        for _ in 0..DIALED_ANEW_MAX {
            // How it was before, this dial sees.
            let _before = moved.notified().now_or_never();
            tokio::select! {
                biased;
                connected = timeout(HANDSHAKE_DEADLINE, self.connect(peer)) => {
                    let connection = connected.map_err(|_| LinkFault::TimedOut)??;
                    return self.begin(peer, connection).await;
                }
                () = moved.notified() => debug!(peer = peer.short(), "peer is dialled another way"),
            }
        }
        Err(LinkFault::TimedOut)
    }

    /// One handshake on the selected path.
    async fn connect(&self, peer: DeviceId) -> Result<Connection, LinkFault> {
        let address = self.0.socket.routes().dial_address(peer);
        let address = address.ok_or(LinkFault::TimedOut)?;
        debug!(peer = peer.short(), "peer is dialled");
        let mut config = ClientConfig::new(Arc::clone(&self.0.tls.dialer) as Arc<_>);
        config.transport_config(self.transport(peer, Role::Dials, address));
        let connecting = self
            .0
            .endpoint
            .connect_with(config, address, &tls::server_name(peer))
            .map_err(|_| LinkFault::Closed)?;
        connecting.await.map_err(|error| session::fault_of(&error))
    }

    async fn accept_all(self) {
        let handshakes = Arc::new(Semaphore::new(INCOMING_HANDSHAKES_MAX));
        while let Some(incoming) = self.0.endpoint.accept().await {
            if strangers::is_stranger(incoming.remote_address()) {
                self.0.pairings.knock(incoming);
                continue;
            }
            let peer = {
                let routes = self.0.socket.routes();
                let peer = routes.peer_at(incoming.remote_address());
                peer.filter(|peer| routes.role(*peer) == Role::Accepts)
            };
            let (Some(peer), Ok(permit)) = (peer, Arc::clone(&handshakes).try_acquire_owned())
            else {
                incoming.ignore();
                continue;
            };
            let connections = self.clone();
            self.0.tasks.spawn("incoming handshake", async move {
                let accepted =
                    timeout(HANDSHAKE_DEADLINE, connections.accept_once(peer, incoming)).await;
                drop(permit);
                if let Ok(Err(fault)) = accepted {
                    debug!(?fault, "incoming connection ends early");
                }
            });
        }
    }

    async fn accept_once(&self, peer: DeviceId, incoming: Incoming) -> Result<(), LinkFault> {
        let mut config = self.0.acceptor.clone();
        config.transport_config(self.transport(peer, Role::Accepts, incoming.remote_address()));
        let connection = incoming
            .accept_with(Arc::new(config))
            .map_err(|error| session::fault_of(&error))?
            .await
            .map_err(|error| session::fault_of(&error))?;
        self.begin(peer, connection).await
    }

    /// Makes a connection whose handshake is done the live one, if its key is the peer's.
    async fn begin(&self, peer: DeviceId, connection: Connection) -> Result<(), LinkFault> {
        if tls::proven_device(connection.peer_identity()) != Some(peer) {
            CloseReason::NotTrusted.close(&connection);
            return Err(LinkFault::Impostor);
        }
        let control = match session::establish(&connection).await {
            Ok(control) => control,
            Err(fault) => {
                CloseReason::Protocol.close(&connection);
                return Err(fault);
            }
        };
        let (frames, frames_waiting) = mpsc::channel(FRAMES_WAITING_MAX);
        let id = ConnectionId(self.0.connections.fetch_add(1, Ordering::Relaxed));
        let ended = CancellationToken::new();
        let older = {
            let mut live = self.live();
            // Asked under the lock that `keep_only` takes after the set has changed.
            if !self.0.trust.holds(peer) {
                CloseReason::NotTrusted.close(&connection);
                return Err(LinkFault::Impostor);
            }
            let new = Live {
                id,
                connection: connection.clone(),
                frames,
                ended: ended.clone(),
            };
            live.insert(peer, new)
        };
        let connections = self.clone();
        self.0.tasks.spawn("connection", async move {
            if let Some(older) = older {
                CloseReason::Done.close(&older.connection);
                older.ended.cancelled().await;
            }
            info!(peer = peer.short(), "peer connected");
            connections.tell(NetworkEvent::Connected(peer, id)).await;
            let role = connections.0.socket.routes().role(peer);
            let ends = SessionEnds {
                peer,
                id,
                role,
                socket: Arc::clone(&connections.0.socket),
                standstill: connections.standstill(peer),
                events: connections.0.events.clone(),
                streams: connections.0.streams.clone(),
            };
            let fault = session::serve(&connection, control, frames_waiting, &ends).await;
            match fault {
                LinkFault::Protocol => CloseReason::Protocol.close(&connection),
                LinkFault::TimedOut
                | LinkFault::Closed
                | LinkFault::Restarted
                | LinkFault::Refused
                | LinkFault::Impostor
                | LinkFault::Version => CloseReason::Done.close(&connection),
            }
            connections.forget(peer, id);
            info!(peer = peer.short(), ?fault, "peer disconnected");
            connections
                .tell(NetworkEvent::Disconnected(peer, id, fault))
                .await;
            ended.cancel();
        });
        Ok(())
    }

    fn standing(&self, peer: DeviceId, id: ConnectionId) -> Option<Connection> {
        let live = self.live();
        let live = live.get(&peer).filter(|live| live.id == id)?;
        Some(live.connection.clone())
    }

    fn forget(&self, peer: DeviceId, id: ConnectionId) {
        let mut live = self.live();
        if live.get(&peer).is_some_and(|live| live.id == id) {
            live.remove(&peer);
        }
    }

    async fn tell(&self, event: NetworkEvent) {
        if self.0.events.send(event).await.is_err() {
            debug!("the engine no longer listens to the network");
        }
    }

    fn transport(&self, peer: DeviceId, role: Role, at: SocketAddr) -> Arc<TransportConfig> {
        let reach = self.0.socket.routes().reach(at);
        let mut transport = transport(role, reach);
        transport.congestion_controller_factory(Arc::new(PathCubicFactory {
            standstill: self.standstill(peer),
        }));
        Arc::new(transport)
    }

    fn standstill(&self, peer: DeviceId) -> Standstill {
        self.0.socket.routes().standstill(peer)
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Live>> {
        lock(&self.0.live_by_peer)
    }
}

/// Makes the tokens by which this device, in any of its lives, disowns a connection that it does not
/// know: keyed BLAKE3 of the connection's id.
struct ResetKey(Zeroizing<[u8; 32]>);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let hash = blake3::keyed_hash(&self.0, data);
        for (out, byte) in signature_out.iter_mut().zip(hash.as_bytes()) {
            *out = *byte;
        }
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let expected = blake3::keyed_hash(&self.0, data);
        // The comparison takes the same time wherever they differ.
        match <[u8; blake3::OUT_LEN]>::try_from(signature) {
            Ok(signature) if expected == signature => Ok(()),
            Ok(_) | Err(_) => Err(CryptoError),
        }
    }
}

/// What the endpoint is, whatever socket is below it, and how it accepts.
pub(super) fn configs(
    tls: &TlsSettings,
    reset_key: Zeroizing<[u8; 32]>,
) -> Result<(EndpointConfig, ServerConfig), NetworkError> {
    let mut config = EndpointConfig::new(Arc::new(ResetKey(reset_key)));
    // The usual ones carry a mark that only their own process knows, and it would drop packets
    // of its former life instead of answering them. Only admitted addresses are answered.
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(CONNECTION_ID_BYTES)));
    // Probes are told from QUIC by the bit that greasing would clear.
    config.grease_quic_bit(false);
    config
        .max_udp_payload_size(BYTES_HERE_MAX)
        .map_err(|error| NetworkError::Socket(std::io::Error::other(error)))?;
    let mut server = ServerConfig::with_crypto(Arc::clone(&tls.acceptor) as Arc<_>);
    server.migration(true);
    let mut tokens = ValidationTokenConfig::default();
    tokens.sent(0);
    server.validation_token_config(tokens);
    Ok((config, server))
}

/// What both sides ask of a connection, beside the congestion control that knows their paths.
///
/// How much a path carries is bounded by [`Routes::route`](super::routes::Routes::route). Without
/// that the dialer, which swaps paths under quinn, would go on with packets that the next path does
/// not take: measured, 4.6 s without a byte after an outage of 4 s.
///
/// A search for a larger MTU ends where the path does that the connection begins on. The dialer's tries that one
/// length: it is what its path may be proved to carry, and anything else is dropped here.
pub(super) fn transport(role: Role, reach: Reach) -> TransportConfig {
    let bytes_max = reach.bytes_max();
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(bytes_max);
    let keep_alive_interval = match role {
        Role::Dials => {
            mtu.interval(MTU_SEARCH_INTERVAL_DIALING)
                .minimum_change(bytes_max.saturating_sub(INITIAL_MTU));
            KEEP_ALIVE_INTERVAL_DIALING
        }
        Role::Accepts => {
            mtu.interval(MTU_SEARCH_INTERVAL_ACCEPTING);
            KEEP_ALIVE_INTERVAL_ACCEPTING
        }
    };
    let mut transport = TransportConfig::default();
    transport
        .initial_mtu(INITIAL_MTU)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .send_fairness(false)
        .max_concurrent_bidi_streams(VarInt::from_u32(DATA_STREAMS_MAX))
        // The control stream.
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .datagram_receive_buffer_size(Some(NUDGE_BUFFER_BYTES))
        .datagram_send_buffer_size(NUDGE_BUFFER_BYTES)
        .mtu_discovery_config(Some(mtu))
        .initial_rtt(ROUND_TRIP_AT_FIRST)
        .keep_alive_interval(Some(keep_alive_interval))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))));
    transport
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
