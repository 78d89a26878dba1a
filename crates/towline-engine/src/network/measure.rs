//! The network without the rest, for `cargo xtask bench network`: one stream from one process to another,
//! through the endpoint that every device has or quinn alone with the same settings, directly or by way of a server.

mod relayed;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, TokioRuntime};
use tokio::sync::mpsc;
use tokio::time::timeout;
use towline_core::identity::Identity;
use towline_core::io::{Discovery, NetworkEvent, NetworkRequest, NetworkScope, Path};
use towline_wire::ids::DeviceId;

pub use self::relayed::forward;
use super::routes::{Reach, Role};
use super::tls::{self, TlsSettings, Trust};
use super::udp::UdpSockets;
use super::{IncomingStream, Network, NetworkSettings, Port, PortMapping, endpoint};
use crate::tasks::Tasks;

/// What goes wrong ends the measurement.
pub type Failed = Box<dyn Error + Send + Sync>;

/// Who carries the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The endpoint of a device, with its own socket.
    Towline,
    /// quinn with its own socket; encryption, transport settings and buffers are those of a device.
    Quinn,
    /// The endpoint of a device, through the packet channel of a signal server.
    Relay,
    /// A WebSocket, through [`forward`].
    WebSocket,
}

/// No event is waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a probe is sent in that time.
const TRIES: u32 = 20;

/// What is written at a time, as large as blocks of a file.
const BLOCK_BYTES: usize = 256 * 1024;

/// Receives one stream at this address, or by way of the server there; `tell` is told where to send to. Returns
/// the bytes that came.
pub async fn receive(
    carrier: Carrier,
    at: SocketAddr,
    tell: impl FnOnce(SocketAddr),
) -> Result<u64, Failed> {
    let (sender, receiver) = identities();
    match carrier {
        Carrier::Towline => {
            let mut node = Node::open(receiver, at.ip(), sender.id()).await?;
            tell(node.addr()?);
            node.take(sender.id()).await
        }
        Carrier::Quinn => {
            let (endpoint, _) = bare(&receiver, at.ip(), sender.id())?;
            tell(endpoint.local_addr()?);
            let connection = endpoint.accept().await.ok_or("closed")?.await?;
            let (send, recv) = connection.accept_bi().await?;
            let came = drain(send, recv).await?;
            connection.closed().await;
            Ok(came)
        }
        Carrier::Relay => relayed::receive(at, || tell(at)).await,
        Carrier::WebSocket => relayed::receive_plain(at, || tell(at)).await,
    }
}

/// Sends so many bytes, directly from this address; returns how long it took until the other side had all.
pub async fn send(
    carrier: Carrier,
    at: IpAddr,
    to: SocketAddr,
    bytes: u64,
) -> Result<Duration, Failed> {
    let (sender, receiver) = identities();
    match carrier {
        Carrier::Towline => {
            let mut node = Node::open(sender, at, receiver.id()).await?;
            let connection = node.dial(receiver.id(), to).await?;
            let took = fill(&connection, bytes).await?;
            node.network.close().await;
            Ok(took)
        }
        Carrier::Quinn => {
            let (endpoint, tls) = bare(&sender, at, receiver.id())?;
            let mut config = ClientConfig::new(Arc::clone(&tls.dialer) as Arc<_>);
            let transport = endpoint::transport(Role::Dials, Reach::of(to));
            config.transport_config(Arc::new(transport));
            let name = tls::server_name(receiver.id());
            let connection = endpoint.connect_with(config, to, &name)?.await?;
            let took = fill(&connection, bytes).await?;
            connection.close(0_u8.into(), &[]);
            endpoint.wait_idle().await;
            Ok(took)
        }
        Carrier::Relay => relayed::send(to, bytes).await,
        Carrier::WebSocket => relayed::send_plain(to, bytes).await,
    }
}

/// Who dials, and who is dialled: the greater id.
fn identities() -> (Identity, Identity) {
    let (one, other) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
    if one.id() < other.id() {
        (one, other)
    } else {
        (other, one)
    }
}

/// A network that trusts one peer.
struct Node {
    network: Network,
    events: mpsc::Receiver<NetworkEvent>,
    streams: mpsc::Receiver<IncomingStream>,
}

impl Node {
    async fn open(identity: Identity, at: IpAddr, peer: DeviceId) -> Result<Self, Failed> {
        let settings = NetworkSettings {
            port: Port::Any,
            bind: vec![at],
            scope: NetworkScope::Everywhere,
            discovery: Discovery::Off,
            port_mapping: PortMapping::Off,
            proxies: Arc::default(),
        };
        // Who receives reads no events; there are a few for each second.
        let (events, told) = mpsc::channel(4096);
        let (streams, opened) = mpsc::channel(16);
        let network = Network::open(identity, &settings, events, streams, &Tasks::new()).await?;
        network.request(NetworkRequest::Trust(BTreeSet::from([peer])));
        Ok(Self {
            network,
            events: told,
            streams: opened,
        })
    }

    fn addr(&self) -> Result<SocketAddr, Failed> {
        Ok(*self.network.bound().first().ok_or("no socket")?)
    }

    /// Takes the one stream of this peer to its end, and waits until its connection is closed; how many bytes came.
    async fn take(&mut self, peer: DeviceId) -> Result<u64, Failed> {
        let stream = self.streams.recv().await.ok_or("no stream")?;
        let connection = self.network.connection(peer);
        let came = drain(stream.send, stream.recv).await?;
        if let Some(connection) = connection {
            connection.closed().await;
        }
        Ok(came)
    }

    /// Waits for an event.
    async fn until(&mut self, is_it: impl Fn(&NetworkEvent) -> bool) -> Result<(), Failed> {
        let wait = async {
            loop {
                match self.events.recv().await {
                    Some(event) if is_it(&event) => return Ok(()),
                    Some(NetworkEvent::DialFailed(_, fault)) => {
                        return Err(format!("dialling failed: {fault:?}"));
                    }
                    Some(_) => {}
                    None => return Err("the network ended".to_owned()),
                }
            }
        };
        Ok(timeout(PATIENCE, wait).await??)
    }

    /// Asks for something until it happens: a probe may be lost.
    async fn ask(
        &mut self,
        request: impl Fn() -> NetworkRequest,
        is_it: impl Fn(&NetworkEvent) -> bool,
    ) -> Result<(), Failed> {
        for _ in 0..TRIES {
            self.network.request(request());
            if let Ok(came) = timeout(PATIENCE / TRIES, self.until(&is_it)).await {
                return came;
            }
        }
        Err("no probe is answered".into())
    }

    /// Proves the address and how much it carries, as the core asks for, and dials it.
    async fn dial(&mut self, peer: DeviceId, to: SocketAddr) -> Result<Connection, Failed> {
        self.ask(
            || NetworkRequest::Probe(peer, to),
            |event| matches!(event, NetworkEvent::ProbeAnswered { .. }),
        )
        .await?;
        self.ask(
            || NetworkRequest::ProbeLarge(peer, to),
            |event| matches!(event, NetworkEvent::LargeAnswered { .. }),
        )
        .await?;
        self.dial_on(peer, Path::Direct(to)).await
    }

    async fn dial_on(&mut self, peer: DeviceId, path: Path) -> Result<Connection, Failed> {
        self.network.request(NetworkRequest::Select(peer, path));
        self.network.request(NetworkRequest::Dial(peer));
        self.until(|event| matches!(event, NetworkEvent::Connected(..)))
            .await?;
        Ok(self.network.connection(peer).ok_or("no connection")?)
    }
}

/// quinn's own socket and endpoint, with all other settings of a device.
fn bare(
    identity: &Identity,
    at: IpAddr,
    peer: DeviceId,
) -> Result<(Endpoint, TlsSettings), Failed> {
    let trust = Trust::default();
    trust.replace(BTreeSet::from([peer]));
    let tls = TlsSettings::new(identity, &trust)?;
    let (config, mut server) = endpoint::configs(&tls, identity.reset_key())?;
    // Who will come is not known; quinn finds what is less by itself.
    server.transport_config(Arc::new(endpoint::transport(Role::Accepts, Reach::Here)));
    let sockets = UdpSockets::bind(&[at], Port::Any)?;
    let socket = sockets.v4.or(sockets.v6).ok_or("no socket")?;
    let endpoint = Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime))?;
    Ok((endpoint, tls))
}

async fn drain(mut send: SendStream, mut recv: RecvStream) -> Result<u64, Failed> {
    let mut came = 0;
    while let Some(chunk) = recv.read_chunk(BLOCK_BYTES, true).await? {
        came += chunk.bytes.len() as u64;
    }
    send.write_all(&came.to_be_bytes()).await?;
    send.finish()?;
    Ok(came)
}

async fn fill(connection: &Connection, bytes: u64) -> Result<Duration, Failed> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let block = vec![0x5a; BLOCK_BYTES];
    let since = Instant::now();
    let mut rest = bytes;
    while rest > 0 {
        let part = usize::try_from(rest).map_or(BLOCK_BYTES, |rest| rest.min(BLOCK_BYTES));
        send.write_all(block.get(..part).unwrap_or_default())
            .await?;
        rest -= part as u64;
    }
    send.finish()?;
    let mut came = [0; 8];
    recv.read_exact(&mut came).await?;
    if u64::from_be_bytes(came) != bytes {
        return Err("not all came".into());
    }
    Ok(since.elapsed())
}
