//! The WebSocket sessions with signal servers: they carry messages and decide nothing.
//!
//! Each has one socket at a time. Every `Connect` is answered by `Opened` and later `Closed`, or by `Closed`
//! alone. Messages are parsed at the door: what is not one of this protocol ends the session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use towline_core::io::{SessionId, SignalEvent, SignalFault, SignalRequest};
use towline_wire::signal::{
    AccessToken, ClientMessage, CloseCode, MESSAGE_BYTES_MAX, Notice, NoticeError, Request,
};
use towline_wire::version::SIGNAL_SUBPROTOCOL;
use tracing::debug;

use super::access::AccessTokens;
use super::proxy::{Proxies, ProxyFault};
use super::server_time::ServerTimes;
use super::websocket::{self, ConnectError, Purpose, Transport, Unsent};
use crate::tasks::Tasks;

/// Requests that wait for the session: 256, at most 16 MiB of the largest messages and typically
/// a few KiB. A session in which that many wait is stuck and ends.
const REQUESTS_WAITING_MAX: usize = 256;

/// Pause between two pings: 30 s, as the server's.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Silence after which the session counts as dead: 75 s, two pings without an answer.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// Bytes that are read at a time: 8 KiB, most messages.
const READ_BYTES: usize = 8 * 1024;

/// How long one message may take to leave.
const SEND_DEADLINE: Duration = Duration::from_secs(10);

/// What a session tells.
pub(crate) type Told = (SessionId, SignalEvent);

/// All sessions that were ever asked for; the core has few.
#[derive(Debug)]
pub(crate) struct SignalClients {
    clients: BTreeMap<SessionId, SignalClient>,
    events: mpsc::Sender<Told>,
    proxies: Arc<Proxies>,
    access: Arc<AccessTokens>,
    times: ServerTimes,
    tasks: Tasks,
}

impl SignalClients {
    /// Starts without a session.
    pub(crate) fn new(
        events: mpsc::Sender<Told>,
        proxies: Arc<Proxies>,
        access: Arc<AccessTokens>,
        tasks: Tasks,
    ) -> Self {
        Self {
            clients: BTreeMap::new(),
            events,
            proxies,
            access,
            times: ServerTimes::default(),
            tasks,
        }
    }

    /// What time the servers have.
    pub(crate) fn times(&self) -> &ServerTimes {
        &self.times
    }

    /// Carries out a request, in order for each session; never waits.
    pub(crate) fn request(&mut self, id: SessionId, request: SignalRequest) {
        let start = || {
            let (events, proxies) = (self.events.clone(), Arc::clone(&self.proxies));
            let events = Events {
                id,
                told: events,
                times: self.times.clone(),
            };
            SignalClient::start(events, proxies, Arc::clone(&self.access), &self.tasks)
        };
        self.clients
            .entry(id)
            .or_insert_with(start)
            .request(request);
    }
}

/// A session with a signal server.
#[derive(Debug)]
struct SignalClient {
    requests: mpsc::Sender<SignalRequest>,
    overflowed: Arc<Notify>,
}

impl SignalClient {
    /// Starts without a session.
    fn start(
        events: Events,
        proxies: Arc<Proxies>,
        access: Arc<AccessTokens>,
        tasks: &Tasks,
    ) -> Self {
        let (requests, waiting) = mpsc::channel(REQUESTS_WAITING_MAX);
        let overflowed = Arc::new(Notify::new());
        tasks.spawn(
            "signal client",
            run(waiting, events, proxies, access, Arc::clone(&overflowed)),
        );
        Self {
            requests,
            overflowed,
        }
    }

    /// Carries out a request, in order; never waits.
    fn request(&self, request: SignalRequest) {
        if self.requests.try_send(request).is_err() {
            self.overflowed.notify_one();
        }
    }
}

/// Where one session tells what happens to it.
struct Events {
    id: SessionId,
    told: mpsc::Sender<Told>,
    times: ServerTimes,
}

impl Events {
    async fn send(&self, event: SignalEvent) -> Result<(), SendError<Told>> {
        self.told.send((self.id, event)).await
    }
}

/// What ends a session.
enum End {
    Fault(SignalFault),
    /// Another server is wanted.
    Replaced(String),
    /// The engine is gone.
    Gone,
}

async fn run(
    mut requests: mpsc::Receiver<SignalRequest>,
    events: Events,
    proxies: Arc<Proxies>,
    access: Arc<AccessTokens>,
    overflowed: Arc<Notify>,
) {
    let mut wanted = None;
    loop {
        let url = match wanted.take() {
            Some(url) => url,
            None => match requests.recv().await {
                Some(SignalRequest::Connect(url)) => url,
                // Without a session there is nothing to send on or to close.
                Some(SignalRequest::Send(_) | SignalRequest::Disconnect) => continue,
                None => return,
            },
        };
        let doors = (&*proxies, &*access);
        let end = session(&url, &mut requests, &events, doors, &overflowed).await;
        let fault = match end {
            End::Fault(fault) => fault,
            End::Replaced(url) => {
                wanted = Some(url);
                SignalFault::Closed
            }
            End::Gone => return,
        };
        if events.send(SignalEvent::Closed(fault)).await.is_err() {
            return;
        }
    }
}

async fn session(
    url: &str,
    requests: &mut mpsc::Receiver<SignalRequest>,
    events: &Events,
    (proxies, access): (&Proxies, &AccessTokens),
    overflowed: &Notify,
) -> End {
    let purpose = Purpose {
        subprotocol: SIGNAL_SUBPROTOCOL,
        bearer: None,
        message_bytes_max: MESSAGE_BYTES_MAX,
        read_bytes: READ_BYTES,
        write_bytes: 0,
        unsent: Unsent::Any,
    };
    let connect = websocket::connect(url, &purpose, proxies);
    let opened = tokio::select! {
        connected = connect => match connected {
            Ok(opened) => opened,
            Err(error) => {
                debug!(%error, "no session with the signal server");
                return End::Fault(fault_of(&error));
            }
        },
        end = wait_for_end(requests) => return end,
    };
    if events.send(SignalEvent::Opened).await.is_err() {
        return End::Gone;
    }
    if let Some(seconds) = opened.server_time {
        events.times.note(events.id, seconds);
    }
    let (outgoing, incoming) = opened.socket.split();
    tokio::select! {
        end = send_all(outgoing, requests, access.towards(url)) => end,
        end = receive_all(incoming, events) => end,
        () = overflowed.notified() => End::Fault(SignalFault::Unreachable),
    }
}

/// While the session is being opened nothing can be sent; the server speaks first anyway.
async fn wait_for_end(requests: &mut mpsc::Receiver<SignalRequest>) -> End {
    loop {
        match requests.recv().await {
            Some(SignalRequest::Connect(url)) => return End::Replaced(url),
            Some(SignalRequest::Disconnect) => return End::Fault(SignalFault::Closed),
            Some(SignalRequest::Send(_)) => {}
            None => return End::Gone,
        }
    }
}

async fn send_all(
    mut socket: SplitSink<WebSocketStream<Transport>, Message>,
    requests: &mut mpsc::Receiver<SignalRequest>,
    token: Option<&AccessToken>,
) -> End {
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (message, end) = tokio::select! {
            request = requests.recv() => match request {
                Some(SignalRequest::Send(message)) => (text(message, token), None),
                Some(SignalRequest::Connect(url)) => (Message::Close(None), Some(End::Replaced(url))),
                Some(SignalRequest::Disconnect) => {
                    (Message::Close(None), Some(End::Fault(SignalFault::Closed)))
                }
                None => (Message::Close(None), Some(End::Gone)),
            },
            _ = pings.tick() => (Message::Ping(bytes::Bytes::new()), None),
        };
        let sent = timeout(SEND_DEADLINE, socket.send(message)).await;
        match (end, sent) {
            (Some(end), _) => return end,
            (None, Ok(Ok(()))) => {}
            (None, Ok(Err(error))) => {
                debug!(%error, "signal session ends");
                return End::Fault(SignalFault::Closed);
            }
            (None, Err(_)) => return End::Fault(SignalFault::Unreachable),
        }
    }
}

async fn receive_all(mut socket: SplitStream<WebSocketStream<Transport>>, events: &Events) -> End {
    loop {
        let message = match timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => {
                debug!(%error, "signal session ends");
                return End::Fault(fault_of_session(&error));
            }
            Ok(None) => return End::Fault(SignalFault::Closed),
            Err(_) => return End::Fault(SignalFault::Unreachable),
        };
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(frame) => return End::Fault(fault_of_close(frame.as_ref())),
            Message::Binary(_) | Message::Frame(_) => return End::Fault(SignalFault::Protocol),
        };
        match Notice::from_json(&text) {
            Ok(notice) => {
                if events
                    .send(SignalEvent::Message(notice.message))
                    .await
                    .is_err()
                {
                    return End::Gone;
                }
            }
            // A newer server may say more than we understand.
            Err(NoticeError::UnknownType) => debug!("notice of an unknown type"),
            Err(NoticeError::Malformed) => return End::Fault(SignalFault::Protocol),
        }
    }
}

fn text(mut message: ClientMessage, token: Option<&AccessToken>) -> Message {
    if let ClientMessage::Register { access_token, .. } = &mut message {
        *access_token = token.cloned();
    }
    Message::text(Request { id: None, message }.to_json())
}

fn fault_of(error: &ConnectError) -> SignalFault {
    match error {
        ConnectError::Url | ConnectError::Protocol => SignalFault::Protocol,
        ConnectError::Unreachable => SignalFault::Unreachable,
        ConnectError::Certificate => SignalFault::Certificate,
        ConnectError::Pin => SignalFault::Pin,
        ConnectError::Proxy(ProxyFault::Unreachable) => SignalFault::ProxyUnreachable,
        ConnectError::Proxy(ProxyFault::Login) => SignalFault::ProxyLogin,
        ConnectError::Proxy(ProxyFault::Refused | ProxyFault::Protocol) => {
            SignalFault::ProxyRefused
        }
        ConnectError::Proxy(ProxyFault::Target) => SignalFault::Unreachable,
        ConnectError::Refused => SignalFault::Refused,
    }
}

fn fault_of_session(error: &WebSocketError) -> SignalFault {
    match error {
        WebSocketError::Capacity(_) | WebSocketError::Utf8(_) | WebSocketError::AttackAttempt => {
            SignalFault::Protocol
        }
        WebSocketError::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )
        | WebSocketError::ConnectionClosed
        | WebSocketError::AlreadyClosed
        | WebSocketError::Io(_)
        | WebSocketError::Tls(_)
        | WebSocketError::WriteBufferFull(_)
        | WebSocketError::Url(_)
        | WebSocketError::Http(_)
        | WebSocketError::HttpFormat(_) => SignalFault::Closed,
        WebSocketError::Protocol(_) => SignalFault::Protocol,
    }
}

fn fault_of_close(frame: Option<&CloseFrame>) -> SignalFault {
    let Some(frame) = frame else {
        return SignalFault::Closed;
    };
    match CloseCode::from_number(frame.code.into()) {
        Some(CloseCode::BadProof) => SignalFault::BadProof,
        Some(CloseCode::AccessDenied) => SignalFault::AccessDenied,
        Some(CloseCode::Replaced) => SignalFault::Replaced,
        Some(CloseCode::Unacceptable) => SignalFault::Unacceptable,
        // A number that we do not know counts as retryable.
        Some(
            CloseCode::Draining
            | CloseCode::Idle
            | CloseCode::RegisterTimeout
            | CloseCode::SlowConsumer
            | CloseCode::Paused
            | CloseCode::ChannelClosed
            | CloseCode::ChannelUnknown
            | CloseCode::Full
            | CloseCode::RateLimited,
        )
        | None => SignalFault::Closed,
    }
}
