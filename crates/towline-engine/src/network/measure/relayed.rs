//! A stream through a signal server's packet channel, and one through WebSockets alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use towline_core::identity::Identity;
use towline_core::io::{NetworkEvent, NetworkRequest, Path, SessionId, SignalEvent, SignalRequest};
use towline_wire::ids::DeviceId;
use towline_wire::packet::PACKET_BYTES_MAX;
use towline_wire::signal::{ClientMessage, HostName, ServerMessage, SignalId};

use super::{Failed, Node, PATIENCE, fill, identities};
use crate::network::SignalClients;
use crate::network::signal_client::Told;
use crate::tasks::Tasks;

/// Where a device binds that is reached through the server only.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Receives one stream through this server; `tell` is told when it may begin.
pub(super) async fn receive(server: SocketAddr, tell: impl FnOnce()) -> Result<u64, Failed> {
    let (sender, receiver) = identities();
    let mut session = Session::register(server, &receiver).await?;
    let mut node = Node::open(receiver, NOWHERE, sender.id()).await?;
    session.watch(sender.id());
    tell();
    let channel = session.channel(server, sender.id()).await?;
    node.network.request(channel);
    node.take(sender.id()).await
}

/// Sends so many bytes through this server.
pub(super) async fn send(server: SocketAddr, bytes: u64) -> Result<Duration, Failed> {
    let (sender, receiver) = identities();
    let mut session = Session::register(server, &sender).await?;
    let mut node = Node::open(sender, NOWHERE, receiver.id()).await?;
    session.watch(receiver.id());
    session
        .until(|message| matches!(message, ServerMessage::PeerConnected { .. }).then_some(()))
        .await?;
    session.say(ClientMessage::RelayOpen {
        to: SignalId::Device(receiver.id()),
    });
    let channel = session.channel(server, receiver.id()).await?;
    node.network.request(channel);
    node.until(|event| matches!(event, NetworkEvent::RelayOpened(_)))
        .await?;
    let connection = node.dial_on(receiver.id(), Path::Relay).await?;
    let took = fill(&connection, bytes).await?;
    node.network.close().await;
    Ok(took)
}

/// A session with a signal server.
struct Session {
    client: SignalClients,
    events: mpsc::Receiver<Told>,
}

impl Session {
    async fn register(server: SocketAddr, identity: &Identity) -> Result<Self, Failed> {
        let (events, told) = mpsc::channel(16);
        let mut client = SignalClients::new(events, Arc::default(), Arc::default(), Tasks::new());
        let url = format!("ws://{server}/ws");
        client.request(SessionId(0), SignalRequest::Connect(url));
        let mut session = Self {
            client,
            events: told,
        };
        let nonce = session
            .until(|message| {
                let ServerMessage::Hello { nonce, .. } = message else {
                    return None;
                };
                Some(nonce)
            })
            .await?;
        let host = HostName::parse(&server.ip().to_string()).ok_or("no host name")?;
        session.say(ClientMessage::register(identity.registration(host, &nonce)));
        session
            .until(|message| matches!(message, ServerMessage::Registered { .. }).then_some(()))
            .await?;
        Ok(session)
    }

    fn watch(&mut self, peer: DeviceId) {
        self.say(ClientMessage::Watch {
            peers: vec![SignalId::Device(peer)],
        });
    }

    fn say(&mut self, message: ClientMessage) {
        self.client
            .request(SessionId(0), SignalRequest::Send(message));
    }

    async fn until<T>(
        &mut self,
        mut pick: impl FnMut(ServerMessage) -> Option<T>,
    ) -> Result<T, Failed> {
        let wait = async {
            while let Some((_, event)) = self.events.recv().await {
                match event {
                    SignalEvent::Message(message) => {
                        if let Some(picked) = pick(message) {
                            return Some(picked);
                        }
                    }
                    SignalEvent::Opened => {}
                    SignalEvent::Closed(_) => return None,
                }
            }
            None
        };
        Ok(timeout(PATIENCE, wait).await?.ok_or("the session ended")?)
    }

    async fn channel(
        &mut self,
        server: SocketAddr,
        peer: DeviceId,
    ) -> Result<NetworkRequest, Failed> {
        self.until(|message| {
            let ServerMessage::RelayReady {
                channel,
                url,
                token,
                ..
            } = message
            else {
                return None;
            };
            Some(NetworkRequest::OpenRelay {
                peer,
                url: format!("ws://{server}{url}"),
                channel: channel.0,
                token: token.reveal(),
            })
        })
        .await
    }
}

/// Passes on every message of one WebSocket to another, and back: what a relay cannot do without.
/// `tell` is told where the two are waited for.
pub async fn forward(at: IpAddr, tell: impl FnOnce(SocketAddr)) -> Result<(), Failed> {
    let listener = TcpListener::bind((at, 0)).await?;
    tell(listener.local_addr()?);
    let (one, other) = (accept(&listener).await?, accept(&listener).await?);
    let ((to_one, from_one), (to_other, from_other)) = (one.split(), other.split());
    tokio::select! {
        passed = from_one.forward(to_other) => passed?,
        passed = from_other.forward(to_one) => passed?,
    }
    Ok(())
}

async fn accept(listener: &TcpListener) -> Result<WebSocketStream<TcpStream>, Failed> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(accept_async(stream).await?)
}

async fn join(forwarder: SocketAddr) -> Result<WebSocketStream<TcpStream>, Failed> {
    let stream = TcpStream::connect(forwarder).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{forwarder}/"), stream).await?;
    Ok(socket)
}

/// Receives through a forwarder until the number of bytes has come that the first message names.
pub(super) async fn receive_plain(
    forwarder: SocketAddr,
    tell: impl FnOnce(),
) -> Result<u64, Failed> {
    let mut socket = join(forwarder).await?;
    tell();
    let mut came = 0;
    let mut awaited = None;
    while awaited.is_none_or(|bytes| came < bytes) {
        let message = socket.next().await.ok_or("closed")??.into_data();
        match (awaited, message.first_chunk()) {
            (None, Some(bytes)) => awaited = Some(u64::from_be_bytes(*bytes)),
            _ => came += message.len() as u64,
        }
    }
    let told = Bytes::copy_from_slice(&came.to_be_bytes());
    socket.send(Message::Binary(told)).await?;
    // The other side leaves when it knows.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(came)
}

/// Sends through a forwarder, in messages as long as those of a packet channel.
pub(super) async fn send_plain(forwarder: SocketAddr, bytes: u64) -> Result<Duration, Failed> {
    let mut socket = join(forwarder).await?;
    let since = Instant::now();
    let total = Bytes::copy_from_slice(&bytes.to_be_bytes());
    socket.send(Message::Binary(total)).await?;
    let full = Bytes::from(vec![0x5a; PACKET_BYTES_MAX]);
    let mut rest = bytes;
    while rest > 0 {
        let part = usize::try_from(rest).map_or(full.len(), |rest| rest.min(full.len()));
        socket.feed(Message::Binary(full.slice(..part))).await?;
        rest -= part as u64;
    }
    socket.flush().await?;
    let told = socket.next().await.ok_or("closed")??.into_data();
    if told.as_ref() != bytes.to_be_bytes() {
        return Err("not all came".into());
    }
    let took = since.elapsed();
    socket.close(None).await?;
    Ok(took)
}
