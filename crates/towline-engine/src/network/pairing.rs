//! A pairing over the local network: a QUIC connection with a stranger that carries what a mailbox would.
//!
//! Who shows a code lets strangers from the local network in while it waits (`strangers`), under the ALPN
//! `towline-pair/1` and with a key made for this code alone. The first that says something is the one; the
//! door is shut then. Who enters a code goes there from a socket of its own, whose packets no router passes
//! on. Neither side's device key is in any of this: it is in the cards that the pairing seals.
//!
//! TLS hides nothing from somebody in between and is not meant to: the bytes are those that a signal server
//! would see.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_ok;
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, RecvStream,
    SendStream, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use towline_core::io::{NetworkEvent, PairingId};
use towline_wire::code::Slot;
use towline_wire::pairing::MESSAGE_BYTES_MAX;
use tracing::debug;

use super::mdns::Say;
use super::neighbourhood::Neighbourhood;
use super::path_socket::PathSocket;
use super::tls;
use crate::tasks::Tasks;

/// How long a stranger may take from its first packet to its first message, and a host to let us in: 4 s,
/// two lost packets on a bad wireless network.
const MEET_DEADLINE: Duration = Duration::from_secs(4);

/// Silence after which the other side is gone, in milliseconds: 20 s, more than either side of a pairing waits
/// for a message.
const IDLE_TIMEOUT_MS: u32 = 20_000;

/// Messages of one side: 16, four times what a pairing has. More is somebody else.
const MESSAGES_MAX: usize = 16;

/// Messages that wait to be sent: 16, so that none is ever lost.
const OUTGOING_MAX: usize = MESSAGES_MAX;

/// Window of the one stream: 16 KiB, some messages. Nothing more is ever held for a stranger.
const WINDOW_BYTES: u32 = 16 * 1024;

/// How long the last word may take to arrive: 2 s.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// How long a connection's seat stays when it is closed, so that the news can leave: 200 ms.
const LEAVE_DELAY: Duration = Duration::from_millis(200);

/// The name under which a host is dialled; it stays off the wire.
const SERVER_NAME: &str = "pairing";

/// The pairing that goes over the local network, of which there is at most one.
#[derive(Clone)]
pub(super) struct Pairings(Arc<Shared>);

struct Shared {
    socket: Arc<PathSocket>,
    neighbourhood: Arc<Neighbourhood>,
    events: mpsc::Sender<NetworkEvent>,
    say: Option<watch::Sender<Say>>,
    tasks: Tasks,
    live: Mutex<Option<Live>>,
}

/// A pairing under way.
struct Live {
    id: PairingId,
    /// Dropped when the pairing is closed; what waits is sent then, and no more.
    outgoing: mpsc::Sender<Vec<u8>>,
    /// Taken by the connection with the one counterpart.
    waiting: Option<mpsc::Receiver<Vec<u8>>>,
    /// For strangers, while one may still become the counterpart.
    door: Option<Arc<ServerConfig>>,
    /// Ends all who are not the counterpart.
    turned_away: CancellationToken,
}

/// The two halves of the one stream.
struct Streams {
    send: SendStream,
    recv: RecvStream,
}

impl Pairings {
    pub(super) fn new(
        socket: Arc<PathSocket>,
        neighbourhood: Arc<Neighbourhood>,
        events: mpsc::Sender<NetworkEvent>,
        say: Option<watch::Sender<Say>>,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Shared {
            socket,
            neighbourhood,
            events,
            say,
            tasks,
            live: Mutex::default(),
        }))
    }

    /// Announces a code and lets a stranger in.
    pub(super) fn host(&self, id: PairingId, slot: Slot) {
        let config = match server_config() {
            Ok(config) => Arc::new(config),
            Err(error) => {
                debug!(%error, "no key for a pairing nearby");
                return;
            }
        };
        self.begin(id, Some(config));
        self.0.socket.strangers().open();
        if let Some(say) = &self.0.say {
            say.send_replace(Say::Here(Some(slot)));
        }
    }

    /// Goes to who announces a code; answered by `PairingMet` or `PairingGone`.
    pub(super) fn meet(&self, id: PairingId, addresses: Vec<SocketAddr>) {
        let turned_away = self.begin(id, None);
        let pairings = self.clone();
        self.0.tasks.spawn("pairing nearby", async move {
            let met = timeout(MEET_DEADLINE, pairings.go_to(addresses));
            let met = turned_away.run_until_cancelled(met).await;
            let Some(Ok(Some((connection, streams)))) = met else {
                return pairings.tell(NetworkEvent::PairingGone(id)).await;
            };
            let Some(outgoing) = pairings.take_place(id) else {
                return;
            };
            pairings.tell(NetworkEvent::PairingMet(id)).await;
            pairings.carry(id, &connection, streams, outgoing).await;
        });
    }

    /// Sends to whom the pairing has met.
    pub(super) fn send(&self, id: PairingId, bytes: Vec<u8>) {
        if let Some(live) = self.live().as_ref().filter(|live| live.id == id)
            && live.outgoing.try_send(bytes).is_err()
        {
            debug!("a message of a pairing has nobody to go to");
        }
    }

    /// Ends a pairing once everything is sent.
    pub(super) fn close(&self, id: PairingId) {
        let ended = self.live().take_if(|live| live.id == id);
        if let Some(live) = ended {
            live.turned_away.cancel();
            self.shut_door();
        }
    }

    /// A stranger has come; it is heard if a code waits.
    pub(super) fn knock(&self, incoming: Incoming) {
        let live = self.live();
        let open = live.as_ref().and_then(|live| {
            let door = live.door.clone()?;
            Some((live.id, door, live.turned_away.clone()))
        });
        drop(live);
        let Some((id, door, turned_away)) = open else {
            self.0.socket.strangers().leave(incoming.remote_address());
            return incoming.ignore();
        };
        let pairings = self.clone();
        self.0.tasks.spawn("stranger", async move {
            let seat = incoming.remote_address();
            pairings.let_in(id, incoming, door, &turned_away).await;
            sleep(LEAVE_DELAY).await;
            pairings.0.socket.strangers().leave(seat);
        });
    }

    /// A stranger's connection, from its begin to its end.
    async fn let_in(
        &self,
        id: PairingId,
        incoming: Incoming,
        door: Arc<ServerConfig>,
        turned_away: &CancellationToken,
    ) {
        let first_word = async {
            let connection = incoming.accept_with(door).ok()?.await.ok()?;
            let (send, mut recv) = connection.accept_bi().await.ok()?;
            let first = read(&mut recv).await?;
            Some((connection, Streams { send, recv }, first))
        };
        let first_word = timeout(MEET_DEADLINE, first_word);
        let Some(Ok(Some((connection, streams, first)))) =
            turned_away.run_until_cancelled(first_word).await
        else {
            return;
        };
        let Some(outgoing) = self.take_place(id) else {
            return connection.close(VarInt::from_u32(0), &[]);
        };
        self.shut_door();
        self.tell(NetworkEvent::PairingMet(id)).await;
        self.tell(NetworkEvent::PairingReceived(id, first)).await;
        self.carry(id, &connection, streams, outgoing).await;
    }

    /// Connects with the first of these addresses that answers.
    async fn go_to(&self, addresses: Vec<SocketAddr>) -> Option<(Connection, Streams)> {
        let near: Vec<SocketAddr> = addresses
            .into_iter()
            .filter(|addr| self.0.neighbourhood.is_near(*addr))
            .filter(|addr| self.0.socket.may_send_to(*addr))
            .collect();
        let config = client_config()
            .inspect_err(|error| debug!(%error, "no pairing nearby"))
            .ok()?;
        let v4 = endpoint(Ipv4Addr::UNSPECIFIED.into()).ok();
        let v6 = endpoint(Ipv6Addr::UNSPECIFIED.into()).ok();
        let tries: Vec<_> = near
            .into_iter()
            .filter_map(|addr| {
                let endpoint = if addr.is_ipv4() { &v4 } else { &v6 };
                let endpoint = endpoint.as_ref()?;
                let connecting = endpoint.connect_with(config.clone(), addr, SERVER_NAME);
                Some(Box::pin(connecting.ok()?))
            })
            .collect();
        if tries.is_empty() {
            return None;
        }
        let (connection, _) = select_ok(tries).await.ok()?;
        let (send, recv) = connection.open_bi().await.ok()?;
        Some((connection, Streams { send, recv }))
    }

    /// Passes messages on both ways until the pairing is closed.
    async fn carry(
        &self,
        id: PairingId,
        connection: &Connection,
        streams: Streams,
        mut outgoing: mpsc::Receiver<Vec<u8>>,
    ) {
        let Streams { mut send, mut recv } = streams;
        let reading = async {
            for _ in 0..MESSAGES_MAX {
                let Some(bytes) = read(&mut recv).await else {
                    break;
                };
                self.tell(NetworkEvent::PairingReceived(id, bytes)).await;
            }
            self.tell(NetworkEvent::PairingGone(id)).await;
            std::future::pending::<()>().await;
        };
        let writing = async {
            while let Some(bytes) = outgoing.recv().await {
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let written = async {
                    send.write_all(&length.to_le_bytes()).await?;
                    send.write_all(&bytes).await
                };
                if let Err(error) = written.await {
                    // The other side is gone, which the reader tells.
                    debug!(%error, "a message of a pairing is not sent");
                }
            }
            // The pairing is closed: its last word is waited for.
            if send.finish().is_ok() && timeout(CLOSE_DEADLINE, send.stopped()).await.is_err() {
                debug!("the last word of a pairing has perhaps not arrived");
            }
        };
        let (reading, writing) = (pin!(reading), pin!(writing));
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
        connection.close(VarInt::from_u32(0), &[]);
    }

    fn begin(&self, id: PairingId, door: Option<Arc<ServerConfig>>) -> CancellationToken {
        let (outgoing, waiting) = mpsc::channel(OUTGOING_MAX);
        let turned_away = CancellationToken::new();
        let new = Live {
            id,
            outgoing,
            waiting: Some(waiting),
            door,
            turned_away: turned_away.clone(),
        };
        if let Some(before) = self.live().replace(new) {
            before.turned_away.cancel();
        }
        turned_away
    }

    /// Makes the caller the pairing's counterpart, unless there is one.
    fn take_place(&self, id: PairingId) -> Option<mpsc::Receiver<Vec<u8>>> {
        let mut live = self.live();
        let live = live.as_mut().filter(|live| live.id == id)?;
        live.door = None;
        live.waiting.take()
    }

    /// Nobody new is let in, and nothing is announced.
    fn shut_door(&self) {
        self.0.socket.strangers().shut();
        if let Some(say) = &self.0.say {
            say.send_if_modified(|said| match said {
                Say::Here(slot @ Some(_)) => {
                    *slot = None;
                    true
                }
                Say::Here(None) | Say::Farewell => false,
            });
        }
    }

    async fn tell(&self, event: NetworkEvent) {
        if self.0.events.send(event).await.is_err() {
            debug!("the engine no longer listens to the network");
        }
    }

    /// Nothing panics while it holds this lock.
    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pairings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairings").finish_non_exhaustive()
    }
}

/// The next message; `None` when there is none, or it is longer than any.
async fn read(recv: &mut RecvStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    recv.read_exact(&mut length).await.ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    if length > MESSAGE_BYTES_MAX {
        return None;
    }
    let mut bytes = vec![0; length];
    recv.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

fn server_config() -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::with_crypto(tls::pairing_host()?);
    config.transport_config(transport()).migration(false);
    Ok(config)
}

fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::new(tls::pairing_guest()?);
    config.transport_config(transport());
    Ok(config)
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(None)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT_MS))));
    Arc::new(transport)
}

/// A socket of its own to go to a host with: the address of the device's other socket may be one that a
/// peer of the host has, to whom the host's answer would go.
fn endpoint(ip: IpAddr) -> io::Result<Endpoint> {
    let addr = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    super::udp::keep_local(&socket, ip)?;
    socket.bind(&addr.into())?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from(socket);
    Endpoint::new(
        EndpointConfig::default(),
        None,
        socket,
        Arc::new(TokioRuntime),
    )
}
