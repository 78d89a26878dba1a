//! One device at one server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ed25519_dalek::{Signer, SigningKey};
use futures_util::stream::{self, TryStreamExt};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use towline_wire::ids::DeviceId;
use towline_wire::signal::{
    ClientMessage, HostName, Notice, Payload, RELAY_SUBPROTOCOL, RegisterProof, Registration,
    RelayToken, Request, SIGNAL_VERSION, ServerMessage, SignalId, proof_message,
};
use towline_wire::version::SIGNAL_SUBPROTOCOL;

use super::Crowd;

/// How long anything may take: as long as a device has patience with a server that it reaches.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Where devices go, and where they come from.
#[derive(Clone)]
pub(super) struct Ways {
    at: Vec<SocketAddr>,
    tls: Option<TlsConnector>,
    addresses: u32,
    first: u32,
    forwarded: bool,
}

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A WebSocket of either kind.
pub(super) type Socket = WebSocketStream<Box<dyn Stream>>;

/// A registered device.
pub(super) struct Client {
    pub(super) socket: Socket,
    pub(super) id: SignalId,
    /// Its number, by which it has its key and its address.
    pub(super) number: u32,
}

/// Which of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

impl Ways {
    pub(super) fn of(crowd: &Crowd) -> Result<Self> {
        let tls = match &crowd.certificate {
            None => None,
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(path)?)?;
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = ClientConfig::builder_with_provider(provider)
                    .with_protocol_versions(&[&rustls::version::TLS13])?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Some(TlsConnector::from(Arc::new(config)))
            }
        };
        Ok(Self {
            at: crowd.at.clone(),
            tls,
            addresses: crowd.addresses.max(1),
            first: crowd.first,
            forwarded: crowd.forwarded,
        })
    }

    /// Lets the device of this number register at the server of this side.
    pub(super) async fn register(&self, number: u32, side: Side) -> Result<Client> {
        let at = match side {
            Side::First => self.at.first(),
            Side::Second => self.at.last(),
        };
        let at = *at.context("no server is named")?;
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .write_buffer_size(0);
        let connecting = self.open(number, at, "/ws", SIGNAL_SUBPROTOCOL, None, config);
        let socket = timeout(PATIENCE, connecting).await??;
        let mut client = Client {
            socket,
            id: SignalId::Device(device(number).1),
            number,
        };
        timeout(PATIENCE, client.prove(at)).await??;
        Ok(client)
    }

    /// Opens one end of a channel.
    pub(super) async fn channel(
        &self,
        number: u32,
        url: &str,
        token: &RelayToken,
    ) -> Result<Socket> {
        let at = *self.at.first().context("no server is named")?;
        let config = WebSocketConfig::default()
            .read_buffer_size(TOGETHER_BYTES)
            .write_buffer_size(TOGETHER_BYTES);
        let bearer = format!("Bearer {}", token.reveal()).parse()?;
        let opening = self.open(number, at, url, RELAY_SUBPROTOCOL, Some(bearer), config);
        timeout(PATIENCE, opening).await?
    }

    /// Registers pairs of devices that watch each other.
    pub(super) async fn pairs(&self, count: u32) -> Result<Vec<(Client, Client)>> {
        stream::iter((0..count).map(|number| {
            let ways = self.clone();
            async move {
                let first = ways.first + 2 * number;
                let (mut one, mut other) = tokio::try_join!(
                    ways.register(first, Side::First),
                    ways.register(first + 1, Side::Second)
                )?;
                let (one_id, other_id) = (one.id, other.id);
                for (client, peer) in [(&mut one, other_id), (&mut other, one_id)] {
                    client
                        .say(ClientMessage::Watch { peers: vec![peer] })
                        .await?;
                }
                for client in [&mut one, &mut other] {
                    client
                        .until(|message| {
                            matches!(message, ServerMessage::PeerConnected { .. }).then_some(())
                        })
                        .await?;
                }
                anyhow::Ok((one, other))
            }
        }))
        .buffer_unordered(AT_A_TIME / 2)
        .try_collect()
        .await
    }

    /// Registers devices without a peer, and hands each over as soon as it is there.
    pub(super) async fn devices(&self, count: u32, mut hand: impl FnMut(Client)) -> Result<()> {
        let numbers = self.first..self.first + count;
        let mut coming = stream::iter(numbers.map(|number| self.register(number, Side::First)))
            .buffer_unordered(AT_A_TIME);
        while let Some(client) = coming.try_next().await? {
            hand(client);
        }
        Ok(())
    }

    async fn open(
        &self,
        number: u32,
        at: SocketAddr,
        path: &str,
        subprotocol: &str,
        authorization: Option<HeaderValue>,
        config: WebSocketConfig,
    ) -> Result<Socket> {
        let mut request = format!("ws://{at}{path}").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", subprotocol.parse()?);
        if let Some(authorization) = authorization {
            headers.insert("authorization", authorization);
        }
        let place = number % self.addresses;
        if self.forwarded {
            // Of a block that is for benchmarks (RFC 2544).
            let [_, _, high, low] = place.to_be_bytes();
            let from = Ipv4Addr::new(198, 18, high, low);
            headers.insert("x-forwarded-for", from.to_string().parse()?);
        }
        let socket = TcpSocket::new_v4()?;
        let [_, _, high, low] = (place + 1).to_be_bytes();
        socket.bind((Ipv4Addr::new(127, 7, high, low), 0).into())?;
        let tcp = socket.connect(at).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(tls.connect(ServerName::from(at.ip()), tcp).await?),
        };
        Ok(client_async_with_config(request, stream, Some(config))
            .await?
            .0)
    }
}

impl Client {
    async fn prove(&mut self, at: SocketAddr) -> Result<()> {
        let ServerMessage::Hello { nonce, .. } = self.hear().await? else {
            bail!("it does not greet")
        };
        let (key, device) = device(self.number);
        let host = HostName::parse(&at.ip().to_string()).context("no host")?;
        let signed = proof_message(SIGNAL_VERSION, &host, &nonce, &device);
        let proof = RegisterProof {
            version: SIGNAL_VERSION,
            host,
            signature: key.sign(&signed).to_bytes(),
        };
        let registration = Registration::Device { device, proof };
        self.say(ClientMessage::register(registration)).await?;
        let answer = self.hear().await?;
        if !matches!(answer, ServerMessage::Registered { .. }) {
            bail!("not registered but {answer:?}");
        }
        Ok(())
    }

    pub(super) async fn say(&mut self, message: ClientMessage) -> Result<()> {
        let text = Request::new(message).to_json();
        Ok(self.socket.send(Message::text(text)).await?)
    }

    pub(super) async fn relay(&mut self, to: SignalId, payload: &Payload) -> Result<()> {
        self.say(ClientMessage::relay(to, payload.clone())).await
    }

    pub(super) async fn hear(&mut self) -> Result<ServerMessage> {
        loop {
            match self.socket.next().await.context("it hung up")?? {
                Message::Text(text) => return Ok(Notice::from_json(&text)?.message),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                    bail!("{other:?} instead of a notice")
                }
            }
        }
    }

    /// Waits for a notice, and passes over others.
    pub(super) async fn until<T>(
        &mut self,
        mut is_it: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> Result<T> {
        timeout(PATIENCE, async {
            loop {
                let message = self.hear().await?;
                if let Some(found) = is_it(&message) {
                    return Ok(found);
                }
                if let ServerMessage::Error { code, .. } = message {
                    bail!("it refuses: {code:?}");
                }
            }
        })
        .await
        .context("it does not answer")?
    }
}

/// The key of a number. It is a secret of nobody.
fn device(number: u32) -> (SigningKey, DeviceId) {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = SigningKey::from_bytes(&seed);
    let device = DeviceId::from_public_key(key.verifying_key().to_bytes());
    (key, device)
}

/// Connections that are made at a time: 64, so that no handshake waits for processor long enough to be given up.
const AT_A_TIME: usize = 64;

/// Packets are read and written in bundles of 16 KiB, as devices do.
const TOGETHER_BYTES: usize = 16 * 1024;
