//! WebSocket connections to a signal server: TCP, straight or through a proxy, TLS where the URL says
//! `wss`, handshake, limits.
//!
//! Certificates are judged by the system's own verifier (`tls_settings`), or by the pin that the URL
//! carries and by nothing else (`pin`). Every step has a deadline.

mod pin;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use towline_wire::server_url::ServerUrl;

use super::proxy::{Proxies, ProxyFault};
use super::server_time;

/// How long TCP, TLS and the handshake may take together: 10 s, several slow round trips.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long TCP may take before it begins anew: 2.5 s, two tries of its own. No path takes that long.
const REACH_AGAIN: Duration = Duration::from_millis(2500);

/// Unsent bytes that TCP may hold where no WebSocket is on it: 16 KiB, about 13 datagrams.
const UNSENT_BARE_BYTES: u32 = 16 * 1024;

/// What a socket is opened for.
pub(super) struct Purpose<'a> {
    /// Offered to the server, which must choose it.
    pub(super) subprotocol: &'static str,
    /// A token for `Authorization`, when the server asks for one.
    pub(super) bearer: Option<&'a str>,
    /// Longest message taken; a longer one is an error.
    pub(super) message_bytes_max: usize,
    /// Bytes that are asked of the system at a time.
    pub(super) read_bytes: usize,
    /// Bytes that wait for others, until the socket is flushed: 0 gives each message to the system at once.
    pub(super) write_bytes: usize,
    /// Bytes that the system may hold unsent; fewer means a shorter queue before us.
    pub(super) unsent: Unsent,
}

/// How much may wait unsent in the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsent {
    /// As much as the system likes.
    Any,
    /// About this many bytes, where the system can be told so.
    Low(u32),
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The text is no `ws` or `wss` URL with a host.
    #[error("not a WebSocket URL")]
    Url,
    /// Nobody answers there, or not in time.
    #[error("server cannot be reached")]
    Unreachable,
    /// The server's certificate is not valid for its name.
    #[error("certificate is not valid")]
    Certificate,
    /// The server's key is not the one that is pinned.
    #[error("key is not the pinned one")]
    Pin,
    /// The proxy does not lead there.
    #[error("no way through the proxy: {0}")]
    Proxy(ProxyFault),
    /// The server answers, and says no.
    #[error("server refuses")]
    Refused,
    /// What answers is no server of this kind.
    #[error("not a server of this kind")]
    Protocol,
}

/// The bytes under a WebSocket.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A WebSocket that is open.
pub(super) struct Opened {
    pub(super) socket: WebSocketStream<Transport>,
    /// What time it is there, in Unix seconds, if the server has said so.
    pub(super) server_time: Option<i64>,
}

/// Opens a WebSocket at the URL of a server, with the pin that it carries, through the proxy that leads
/// there.
pub(super) async fn connect(
    url: &str,
    purpose: &Purpose<'_>,
    proxies: &Proxies,
) -> Result<Opened, ConnectError> {
    let server: ServerUrl = url.parse().map_err(|_| ConnectError::Url)?;
    timeout(CONNECT_DEADLINE, open(&server, purpose, proxies))
        .await
        .unwrap_or(Err(ConnectError::Unreachable))
}

async fn open(
    server: &ServerUrl,
    purpose: &Purpose<'_>,
    proxies: &Proxies,
) -> Result<Opened, ConnectError> {
    let request = request(server.without_pin(), purpose)?;
    let stream = stream(server, proxies).await?;
    stream
        .set_nodelay(true)
        .map_err(|_| ConnectError::Unreachable)?;
    bound_unsent(&stream, purpose.unsent);
    let transport = transport(server, stream).await?;
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = purpose.read_bytes;
    config.write_buffer_size = purpose.write_bytes;
    config.max_message_size = Some(purpose.message_bytes_max);
    config.max_frame_size = Some(purpose.message_bytes_max);
    let opened =
        tokio_tungstenite::client_async_with_config(request, transport, Some(config)).await;
    opened
        .map(|(socket, answer)| Opened {
            socket,
            server_time: server_time::said_in(answer.headers()),
        })
        .map_err(|error| handshake_fault(&error))
}

/// TCP to a host, and TLS where it says for which name; without a proxy.
pub(super) async fn reach_bare(
    host: &str,
    port: u16,
    secure: Option<&str>,
) -> Result<Transport, ConnectError> {
    let reached = timeout(CONNECT_DEADLINE, reach(host, port)).await;
    let stream = reached.map_err(|_| ConnectError::Unreachable)?;
    let stream = stream.map_err(|_| ConnectError::Unreachable)?;
    stream
        .set_nodelay(true)
        .map_err(|_| ConnectError::Unreachable)?;
    bound_unsent(&stream, Unsent::Low(UNSENT_BARE_BYTES));
    let Some(name) = secure else {
        return Ok(Transport::Plain(stream));
    };
    let name = ServerName::try_from(name.to_owned()).map_err(|_| ConnectError::Url)?;
    let mut settings = ClientConfig::clone(&*tls_settings().ok_or(ConnectError::Certificate)?);
    settings.alpn_protocols.clear();
    let connected = TlsConnector::from(Arc::new(settings)).connect(name, stream);
    match timeout(CONNECT_DEADLINE, connected).await {
        Ok(Ok(stream)) => Ok(Transport::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(tls_fault(&error, ConnectError::Certificate)),
        Err(_) => Err(ConnectError::Unreachable),
    }
}

fn request(url: &str, purpose: &Purpose<'_>) -> Result<Request, ConnectError> {
    let mut request = url.into_client_request().map_err(|_| ConnectError::Url)?;
    let headers = request.headers_mut();
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(purpose.subprotocol),
    );
    if let Some(token) = purpose.bearer {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ConnectError::Url)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

async fn stream(server: &ServerUrl, proxies: &Proxies) -> Result<TcpStream, ConnectError> {
    match proxies.towards(server) {
        Some(proxy) => {
            let connected = proxy.connect(server.host(), server.port()).await;
            connected.map_err(|fault| match fault {
                ProxyFault::Target => ConnectError::Unreachable,
                ProxyFault::Unreachable
                | ProxyFault::Login
                | ProxyFault::Refused
                | ProxyFault::Protocol => ConnectError::Proxy(fault),
            })
        }
        None => reach(bare_host(server), server.port())
            .await
            .map_err(|_| ConnectError::Unreachable),
    }
}

async fn transport(server: &ServerUrl, stream: TcpStream) -> Result<Transport, ConnectError> {
    if !server.is_secure() {
        return Ok(Transport::Plain(stream));
    }
    let name = ServerName::try_from(bare_host(server).to_owned()).map_err(|_| ConnectError::Url)?;
    let (settings, distrust) = match server.pin() {
        Some(pin) => (pin::tls_settings(pin)?, ConnectError::Pin),
        None => (
            tls_settings().ok_or(ConnectError::Certificate)?,
            ConnectError::Certificate,
        ),
    };
    match TlsConnector::from(settings).connect(name, stream).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(error) => Err(tls_fault(&error, distrust)),
    }
}

/// Begins anew where nobody answers: TCP by itself tries after 1, 3 and 7 s, so that a network that is
/// back would be noticed late. The caller ends it.
async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    loop {
        if let Ok(connected) = timeout(REACH_AGAIN, TcpStream::connect((host, port))).await {
            return connected;
        }
    }
}

fn bare_host(server: &ServerUrl) -> &str {
    let host = server.host();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A shorter queue is a courtesy: where it cannot be had, the relay only gets slower to react.
fn bound_unsent(stream: &TcpStream, unsent: Unsent) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Unsent::Low(bytes) = unsent
        && let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes)
    {
        tracing::debug!(%error, "unsent bytes are not bounded");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _unbounded_here = (stream, unsent);
}

/// TLS towards the outside, for HTTP/1.1. Made once: the system's certificates are read from disk.
pub(crate) fn tls_settings() -> Option<Arc<ClientConfig>> {
    static SETTINGS: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let settings = SETTINGS.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let settings = builder
            .ok()?
            .with_platform_verifier()
            .ok()?
            .with_no_client_auth();
        Some(for_websockets(settings))
    });
    settings.clone()
}

fn for_websockets(mut settings: ClientConfig) -> Arc<ClientConfig> {
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(settings)
}

/// What a broken handshake means; a certificate that is not taken is `distrust`.
fn tls_fault(error: &io::Error, distrust: ConnectError) -> ConnectError {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        Some(rustls::Error::InvalidCertificate(_)) => distrust,
        Some(_) => ConnectError::Protocol,
        None => ConnectError::Unreachable,
    }
}

fn handshake_fault(error: &WebSocketError) -> ConnectError {
    match error {
        WebSocketError::Io(_)
        | WebSocketError::ConnectionClosed
        | WebSocketError::AlreadyClosed => ConnectError::Unreachable,
        WebSocketError::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ConnectError::Refused,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => ConnectError::Unreachable,
            _ => ConnectError::Protocol,
        },
        WebSocketError::Url(_) => ConnectError::Url,
        WebSocketError::Tls(_)
        | WebSocketError::Capacity(_)
        | WebSocketError::Protocol(_)
        | WebSocketError::WriteBufferFull(_)
        | WebSocketError::Utf8(_)
        | WebSocketError::AttackAttempt
        | WebSocketError::HttpFormat(_) => ConnectError::Protocol,
    }
}

impl Transport {
    /// The addresses of this end and of the other one.
    pub(super) fn ends(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        Ok((stream.local_addr()?, stream.peer_addr()?))
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
