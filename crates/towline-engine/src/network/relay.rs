//! Packet channels through a signal server: one WebSocket per peer, one QUIC datagram per frame.
//!
//! A channel behaves like a network path, not like a queue: what does not fit is dropped at the
//! tail and nobody ever waits. Queues are short in bytes, since TCP under the channel already holds
//! some, and every queued byte is latency for QUIC, which measures a round trip of 180 ms instead of
//! 40 ms when they are long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use quinn::udp::EcnCodepoint;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use towline_core::io::NetworkEvent;
use towline_wire::ids::DeviceId;
use towline_wire::packet::{ChannelId, Ecn, HEADER_BYTES, PACKET_BYTES_MAX, Packet, PacketKind};
use towline_wire::signal::RELAY_SUBPROTOCOL;
use tracing::{debug, trace};

use super::path_socket::PathSocket;
use super::proxy::Proxies;
use super::queue::{Bounds, Queue};
use super::websocket::{self, Purpose, Transport, Unsent};
use crate::tasks::Tasks;

/// What waits for the channel: always 96 KiB, 80 datagrams, which are 75 ms at 10 Mbit/s; fewer than QUIC's ten packets
/// of start window would starve it. Up to 1 MiB where that is less time.
const OUTGOING: Bounds = Bounds {
    always: 96 * 1024,
    most: 1024 * 1024,
    patience: Duration::from_millis(30),
};

/// Bytes that are written and read at a time: 16 KiB, 13 packets. A call for each packet costs more than all else
/// that is done with it; with more of them at a time nothing is gained.
const TOGETHER_BYTES: usize = 16 * 1024;

/// Datagrams that are written before it is asked again what is to be done: 64, four or five writes.
const TOGETHER_DATAGRAMS: usize = 64;

/// Unsent bytes that TCP may hold: 16 KiB, about 13 datagrams.
const UNSENT_BYTES: u32 = 16 * 1024;

/// Pause between two pings to the server: 15 s, below the half minute after which home routers
/// and proxies forget a silent connection.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Silence after which the channel counts as dead: 40 s, two pings without an answer.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// How long as many may take to leave: 5 s. After that TCP is stuck and the channel useless.
const SEND_DEADLINE: Duration = Duration::from_secs(5);

/// How long a closed channel still carries: 250 ms, so that the news of a connection that was closed
/// just before can leave.
const CLOSE_LINGER: Duration = Duration::from_millis(250);

/// A datagram that came through a channel.
#[derive(Debug)]
pub(super) struct RelayedDatagram {
    /// From whom.
    pub(super) peer: DeviceId,
    /// Congestion bits.
    pub(super) ecn: Option<EcnCodepoint>,
    /// At most `RELAY_DATAGRAM_BYTES_MAX`.
    pub(super) bytes: Bytes,
}

/// The sending end of one channel.
#[derive(Debug, Clone)]
pub(super) struct RelaySender {
    channel: ChannelId,
    packets: Arc<Queue<Bytes>>,
}

/// All channels that are open or being opened.
pub(super) struct Relays {
    socket: Arc<PathSocket>,
    events: mpsc::Sender<NetworkEvent>,
    proxies: Arc<Proxies>,
    tasks: Tasks,
    current_by_peer: Mutex<BTreeMap<DeviceId, Current>>,
    opened: AtomicU64,
}

/// The newest channel with one peer.
struct Current {
    number: u64,
    closing: CancellationToken,
}

/// Where one end of a channel is opened.
pub(super) struct Channel {
    pub(super) peer: DeviceId,
    pub(super) url: String,
    pub(super) id: ChannelId,
    pub(super) token: String,
}

impl RelaySender {
    /// Queues a datagram, or drops it.
    pub(super) fn send(&self, ecn: Option<EcnCodepoint>, datagram: &[u8]) {
        let packet = packet(self.channel, ecn, datagram);
        let length = packet.len();
        self.packets.push(packet, length);
    }
}

impl Relays {
    pub(super) fn new(
        socket: Arc<PathSocket>,
        events: mpsc::Sender<NetworkEvent>,
        proxies: Arc<Proxies>,
        tasks: Tasks,
    ) -> Self {
        Self {
            socket,
            events,
            proxies,
            tasks,
            current_by_peer: Mutex::default(),
            opened: AtomicU64::new(0),
        }
    }

    /// Opens a channel in place of the one before. Answered by `RelayOpened` and later
    /// `RelayClosed`, or by `RelayClosed` alone.
    pub(super) fn open(self: &Arc<Self>, channel: Channel) {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let closing = CancellationToken::new();
        let older = self.lock().insert(
            channel.peer,
            Current {
                number,
                closing: closing.clone(),
            },
        );
        if let Some(older) = older {
            older.closing.cancel();
        }
        let relays = Arc::clone(self);
        self.tasks.spawn("relay channel", async move {
            let closed = async {
                closing.cancelled().await;
                sleep(CLOSE_LINGER).await;
            };
            tokio::select! {
                () = relays.run(&channel, number) => {}
                () = closed => relays.leave(channel.peer),
            }
        });
    }

    /// Closes the channel with this peer. Nothing is told: who asks knows.
    pub(super) fn close(&self, peer: DeviceId) {
        if let Some(closed) = self.lock().remove(&peer) {
            closed.closing.cancel();
        }
    }

    /// Takes a closed channel's sending end away, unless a newer channel has taken its place.
    fn leave(&self, peer: DeviceId) {
        let current = self.lock();
        if !current.contains_key(&peer) {
            self.socket.routes_mut().set_relay(peer, None);
        }
    }

    async fn run(&self, channel: &Channel, number: u64) {
        let purpose = Purpose {
            subprotocol: RELAY_SUBPROTOCOL,
            bearer: Some(&channel.token),
            message_bytes_max: PACKET_BYTES_MAX,
            read_bytes: TOGETHER_BYTES,
            write_bytes: TOGETHER_BYTES,
            unsent: Unsent::Low(UNSENT_BYTES),
        };
        let opened = websocket::connect(&channel.url, &purpose, &self.proxies).await;
        match opened.map(|opened| opened.socket) {
            Ok(socket) => {
                let packets = Arc::new(Queue::new(OUTGOING));
                let sender = RelaySender {
                    channel: channel.id,
                    packets: Arc::clone(&packets),
                };
                if self.set_current(channel.peer, number, Some(sender))
                    && self
                        .events
                        .send(NetworkEvent::RelayOpened(channel.peer))
                        .await
                        .is_ok()
                {
                    self.carry(socket, channel, &packets).await;
                }
            }
            Err(error) => debug!(%error, "packet channel not opened"),
        }
        if self.set_current(channel.peer, number, None)
            && self
                .events
                .send(NetworkEvent::RelayClosed(channel.peer))
                .await
                .is_err()
        {
            debug!("nobody hears that the packet channel is closed");
        }
    }

    /// Puts this channel's sending end in place, or takes it away, unless a newer channel or a
    /// close came in between.
    fn set_current(&self, peer: DeviceId, number: u64, sender: Option<RelaySender>) -> bool {
        let mut current = self.lock();
        let is_current = current
            .get(&peer)
            .is_some_and(|current| current.number == number);
        if is_current {
            if sender.is_none() {
                current.remove(&peer);
            }
            self.socket.routes_mut().set_relay(peer, sender);
        }
        is_current
    }

    /// Moves datagrams both ways until either way ends.
    async fn carry(
        &self,
        socket: WebSocketStream<Transport>,
        channel: &Channel,
        packets: &Queue<Bytes>,
    ) {
        let (outgoing, incoming) = socket.split();
        let inbox = self.socket.inbox();
        tokio::select! {
            () = send_all(outgoing, channel.id, packets) => {}
            () = receive_all(incoming, channel, &inbox) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Current>> {
        self.current_by_peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send_all(
    mut socket: SplitSink<WebSocketStream<Transport>, Message>,
    channel: ChannelId,
    packets: &Queue<Bytes>,
) {
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let packet = tokio::select! {
            packet = packets.next() => packet,
            _ = pings.tick() => ping(channel),
        };
        let sent = async {
            socket.feed(Message::Binary(packet)).await?;
            // What waits behind goes out in the same writes; some of it, or a queue that is never empty would pass for
            // one that is stuck.
            for packet in std::iter::from_fn(|| packets.pop()).take(TOGETHER_DATAGRAMS) {
                socket.feed(Message::Binary(packet)).await?;
            }
            socket.flush().await
        };
        match timeout(SEND_DEADLINE, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return debug!(%error, "packet channel ends"),
            Err(_) => return debug!("packet channel is stuck"),
        }
    }
}

async fn receive_all(
    mut socket: SplitStream<WebSocketStream<Transport>>,
    channel: &Channel,
    inbox: &Queue<RelayedDatagram>,
) {
    loop {
        let message = match timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return debug!(%error, "packet channel ends"),
            Ok(None) => return debug!("packet channel is closed"),
            Err(_) => return debug!("packet channel is silent"),
        };
        match message {
            Message::Binary(bytes) => match Packet::decode(&bytes) {
                Ok(packet) if packet.kind == PacketKind::Data && packet.channel == channel.id => {
                    // A part of what was read would keep all of it in memory.
                    let bytes = Bytes::copy_from_slice(packet.datagram);
                    let length = bytes.len();
                    let datagram = RelayedDatagram {
                        peer: channel.peer,
                        ecn: received_ecn(packet.ecn),
                        bytes,
                    };
                    inbox.push(datagram, length);
                }
                Ok(_) => {}
                Err(error) => trace!(%error, "packet dropped"),
            },
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return debug!("server closes the packet channel"),
            Message::Text(_) | Message::Frame(_) => {
                return debug!("packet channel carries only packets");
            }
        }
    }
}

fn packet(channel: ChannelId, ecn: Option<EcnCodepoint>, datagram: &[u8]) -> Bytes {
    let ecn = ecn.map_or(Ecn::NotCapable, |ecn| match ecn {
        EcnCodepoint::Ect0 => Ecn::Capable0,
        EcnCodepoint::Ect1 => Ecn::Capable1,
        EcnCodepoint::Ce => Ecn::CongestionExperienced,
    });
    encode(&Packet {
        kind: PacketKind::Data,
        ecn,
        channel,
        datagram,
    })
}

fn ping(channel: ChannelId) -> Bytes {
    encode(&Packet {
        kind: PacketKind::Ping,
        ecn: Ecn::NotCapable,
        channel,
        datagram: &[],
    })
}

/// The path socket lets only datagrams of a fitting length through.
fn encode(packet: &Packet<'_>) -> Bytes {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + packet.datagram.len());
    bytes.extend_from_slice(&packet.header());
    bytes.extend_from_slice(packet.datagram);
    bytes.into()
}

fn received_ecn(ecn: Ecn) -> Option<EcnCodepoint> {
    match ecn {
        Ecn::NotCapable => None,
        Ecn::Capable0 => Some(EcnCodepoint::Ect0),
        Ecn::Capable1 => Some(EcnCodepoint::Ect1),
        Ecn::CongestionExperienced => Some(EcnCodepoint::Ce),
    }
}
