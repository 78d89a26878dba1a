//! From TCP to WebSocket: accepts, limits by address, speaks TLS where it has a certificate, then HTTP, upgrades.
//!
//! `/` is for people; `/ws` and `/relay/{channel}` upgrade; `/health` says that the process is alive, `/ready` that new clients are
//! welcome, `/version` what it is, `/metrics` what it does. Headers are bounded in size and time. A connection carries one request, so that who asks
//! much is counted by its connections, and nobody can hide a second request in a first. Once upgraded, the socket moves to a session in a
//! fresh task, so that an idle connection does not keep the handshake's memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{RELAY_SUBPROTOCOL, RelayToken, SIGNAL_VERSION};
use towline_wire::version::SIGNAL_SUBPROTOCOL;

use super::access::AccessKind;
use super::gate::{Admitted, Gate, NotServed, Places, Visitor};
use super::hub::Hub;
use super::metrics::{Metrics, RedisStanding, Standing, TurnedAway};
use super::page::{self, Transport};
use super::parts::Inspected;
use super::session::{Beneath, Session};
use super::tls::Tls;
use crate::rendezvous::{Budget, ConnectionId, Door, Origin, Rate};

/// What the routes need.
#[derive(Clone)]
pub(super) struct Doorway {
    hub: Hub,
    tasks: TaskTracker,
    next_connection: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    places: Arc<Places>,
    face: Face,
    relay_base: Arc<str>,
    message_within: Duration,
}

/// What the page at `/` says of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    /// Who may use it.
    pub(super) access: AccessKind,
    /// What it speaks itself.
    pub(super) transport: Transport,
}

/// Where the numbers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Where clients come.
    WithClients,
    /// On a listener of their own.
    Apart,
}

/// Accepts connections until `cancel`; what it spawns is in `tasks`.
pub(super) async fn accept_until(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    gate: Gate,
    doorway: Doorway,
    routes: Router,
    accept_rate: Rate,
    cancel: CancellationToken,
) {
    let Doorway { tasks, metrics, .. } = doorway;
    let routes = TowerToHyperService::new(routes);
    let mut pace = Budget::default();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // Whoever comes too early waits in the system's queue.
        let wait = pace.spend(gate.clock().now(), accept_rate, 1);
        if !wait.is_zero() {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
        let (stream, remote) = match accepted {
            Ok((stream, remote)) => (stream, remote.ip()),
            Err(error) => {
                // Out of file descriptors, most likely: those who leave give some back.
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let local = stream.local_addr().map_or(remote, |local| local.ip());
        match gate.visit(Origin::new(remote, local)) {
            Ok(visitor) => {
                // Without it small frames wait for the acknowledgement of earlier ones; it only costs speed.
                let _ = stream.set_nodelay(true);
                let (routes, cancel) = (routes.clone(), cancel.clone());
                match &tls {
                    None => tasks.spawn(speak_http(stream, visitor, routes, cancel)),
                    Some(tls) => {
                        let (acceptor, metrics) = (tls.acceptor(), Arc::clone(&metrics));
                        tasks.spawn(async move {
                            match timeout(HEADERS_WITHIN, acceptor.accept(stream)).await {
                                Ok(Ok(stream)) => {
                                    let stream: TlsTcp = Box::new(stream);
                                    speak_http(stream, visitor, routes, cancel).await;
                                }
                                Ok(Err(_)) | Err(_) => metrics.turned_away(TurnedAway::Tls),
                            }
                        })
                    }
                };
            }
            Err(why) => {
                metrics.turned_away(match why {
                    NotServed::Address(_) => TurnedAway::Address,
                    NotServed::Full => TurnedAway::Full,
                });
                tasks.spawn(turn_away(stream, why));
            }
        }
    }
}

/// Says 429 or 503 before anything is read.
async fn turn_away(mut stream: TcpStream, why: NotServed) {
    let (status, seconds) = match why {
        NotServed::Address(refused) => ("429 Too Many Requests", refused.retry_after.as_secs() + 1),
        NotServed::Full => ("503 Service Unavailable", FULL_RETRY_SECONDS),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nretry-after: {seconds}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    // Who is turned away and does not listen is cut all the same.
    let _ = timeout(HEADERS_WITHIN, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// Boxed once it stands: it would else lie in every future around it.
type TlsTcp = Box<TlsStream<TcpStream>>;

async fn speak_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    visitor: Visitor,
    routes: TowerToHyperService<Router>,
    cancel: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(visitor.clone());
        let answer = routes.call(request);
        async move {
            let mut answer = answer.await?;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = timeout(REQUEST_WITHIN, async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = cancel.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    });
    match ended.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "HTTP connection ended early"),
        Err(_) => tracing::debug!("somebody does not read the answer"),
    }
}

async fn health() -> impl IntoResponse {
    std::future::ready(Json(serde_json::json!({ "status": "ok" }))).await
}

/// Whether new clients are welcome.
async fn ready(State(doorway): State<Doorway>) -> Response<Body> {
    let standing = doorway.standing();
    let mut body = serde_json::json!({ "status": "ready" });
    if let Some(redis) = standing.and_then(|standing| standing.redis) {
        body["redis"] = match redis {
            RedisStanding::Reached => "reached".into(),
            RedisStanding::OutOfReach(_) => "out_of_reach".into(),
        };
    }
    let Some(reason) = doorway.not_ready(standing) else {
        return Json(body).into_response();
    };
    body["status"] = "not_ready".into();
    body["reason"] = reason.into();
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// For a person who looks with a browser.
async fn show_page(State(doorway): State<Doorway>, request: Request) -> Response<Body> {
    let standing = match doorway.not_ready(doorway.standing()) {
        None => "ready",
        Some(reason) => reason,
    };
    let headers = request.headers();
    // Only a proxy that is trusted is believed about what it speaks with the browser.
    let forwarded = match request.extensions().get::<Visitor>() {
        Some(Visitor::Proxy(..)) => Transport::forwarded(headers),
        Some(Visitor::Client(_)) | None => None,
    };
    page::page(page::Told {
        standing,
        transport: forwarded.unwrap_or(doorway.face.transport),
        access: doorway.face.access,
        host: headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok()),
    })
}

async fn numbers(State(doorway): State<Doorway>) -> Response<Body> {
    let text = match doorway.standing() {
        Some(standing) => doorway
            .metrics
            .encode(&standing, doorway.places.open())
            .ok(),
        None => None,
    };
    match text {
        Some(text) => ([(header::CONTENT_TYPE, NUMBERS_TYPE)], text).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The media type of OpenMetrics.
const NUMBERS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn version() -> impl IntoResponse {
    let version = serde_json::json!({
        "name": "towline-signal",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": SIGNAL_VERSION,
    });
    std::future::ready(Json(version)).await
}

async fn open_signal(State(doorway): State<Doorway>, request: Request) -> Response<Body> {
    std::future::ready(doorway.upgrade(request, Door::Signal, SIGNAL_SUBPROTOCOL)).await
}

async fn open_relay(
    State(doorway): State<Doorway>,
    Path(channel): Path<u32>,
    request: Request,
) -> Response<Body> {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(RelayToken::parse);
    std::future::ready(match token {
        Some(token) => doorway.upgrade(
            request,
            Door::Relay {
                channel: ChannelId(channel),
                token,
            },
            RELAY_SUBPROTOCOL,
        ),
        None => StatusCode::UNAUTHORIZED.into_response(),
    })
    .await
}

impl Doorway {
    pub(super) fn new(
        hub: Hub,
        tasks: TaskTracker,
        metrics: Arc<Metrics>,
        places: Arc<Places>,
        face: Face,
        relay_base: Arc<str>,
        message_within: Duration,
    ) -> Self {
        Self {
            hub,
            tasks,
            next_connection: Arc::default(),
            metrics,
            places,
            face,
            relay_base,
            message_within,
        }
    }

    /// All that clients may ask.
    pub(super) fn routes(&self, where_read: Numbers) -> Router {
        let routes = Router::new()
            .route("/", get(show_page))
            .route("/ws", get(open_signal))
            .route("/relay/{channel}", get(open_relay))
            .route("/health", get(health))
            .route("/ready", get(ready))
            .route("/version", get(version));
        let routes = if self.relay_base.is_empty() {
            routes
        } else {
            let path = format!("{}/relay/{{channel}}", self.relay_base);
            routes.route(&path, get(open_relay))
        };
        let routes = match where_read {
            Numbers::WithClients => routes.route("/metrics", get(numbers)),
            Numbers::Apart => routes,
        };
        routes.with_state(self.clone())
    }

    /// All that is asked on the listener of the numbers.
    pub(super) fn routes_of_numbers(&self) -> Router {
        Router::new()
            .route("/metrics", get(numbers))
            .route("/health", get(health))
            .route("/ready", get(ready))
            .with_state(self.clone())
    }

    /// Why new clients are not welcome, if they are not.
    fn not_ready(&self, standing: Option<Standing>) -> Option<&'static str> {
        match standing {
            None => Some("stopped"),
            Some(standing) if standing.draining => Some("draining"),
            Some(standing) if standing.connections >= standing.connections_max => Some("full"),
            Some(Standing {
                redis: Some(RedisStanding::OutOfReach(long)),
                ..
            }) if long > CUT_OFF_MAX => Some("redis_out_of_reach"),
            Some(_) => self.places.are_taken().then_some("full"),
        }
    }

    /// How the server stands; `None` when its hub is no more.
    fn standing(&self) -> Option<Standing> {
        self.hub.standing().ok()
    }

    fn upgrade(
        &self,
        mut request: Request,
        door: Door,
        subprotocol: &'static str,
    ) -> Response<Body> {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let visitor = request.extensions_mut().remove::<Visitor>();
        let (Some(upgrade), Some(visitor), Ok(mut response)) = (
            upgrade,
            visitor,
            create_response_with_body(&request, Body::empty),
        ) else {
            return (
                StatusCode::UPGRADE_REQUIRED,
                [(header::UPGRADE, "websocket")],
                "this is a WebSocket address\n",
            )
                .into_response();
        };
        let admitted = match visitor.admit(request.headers()) {
            Ok(admitted) => admitted,
            Err(refused) => {
                self.metrics.turned_away(TurnedAway::Address);
                let seconds = refused.retry_after.as_secs() + 1;
                let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
                return (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response();
            }
        };
        if asks_for(&request, subprotocol) {
            response.headers_mut().insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(subprotocol),
            );
        }
        let connection = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let doorway = self.clone();
        self.tasks.spawn(async move {
            match timeout(HEADERS_WITHIN, upgrade).await {
                Ok(Ok(upgraded)) => {
                    doorway
                        .begin_session(connection, upgraded, door, admitted)
                        .await
                }
                Ok(Err(error)) => tracing::debug!(%error, "upgrade failed"),
                Err(_) => tracing::debug!("upgrade took too long"),
            }
        });
        response
    }

    async fn begin_session(
        self,
        connection: ConnectionId,
        upgraded: Upgraded,
        door: Door,
        admitted: Arc<Admitted>,
    ) {
        let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                keep_kernel_queue_short(&stream, &door);
                return self
                    .seat(
                        connection,
                        stream,
                        Beneath::Tcp,
                        parts.read_buf,
                        door,
                        admitted,
                    )
                    .await;
            }
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TlsTcp>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                keep_kernel_queue_short(stream.get_ref().0, &door);
                self.seat(
                    connection,
                    stream,
                    Beneath::Tls,
                    parts.read_buf,
                    door,
                    admitted,
                )
                .await;
            }
            Err(_) => tracing::error!("upgraded connection is neither plain nor TLS"),
        }
    }

    async fn seat<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        connection: ConnectionId,
        stream: S,
        beneath: Beneath,
        read: Bytes,
        door: Door,
        admitted: Arc<Admitted>,
    ) {
        let config = Session::<S>::config(&door, beneath);
        let stream = Inspected::new(stream, self.message_within, &read);
        let read = read.to_vec();
        let socket =
            WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        if let Ok(outbox) = self.hub.arrived(connection, admitted.origin, door) {
            let session = Session {
                connection,
                socket,
                hub: self.hub,
                outbox,
                admitted,
            };
            self.tasks.spawn(session.run());
        }
    }
}

/// Whether the client offers this subprotocol. Clients that offer none are served all the same.
fn asks_for(request: &Request, subprotocol: &str) -> bool {
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offers
        .iter()
        .filter_map(|offer| offer.to_str().ok())
        .flat_map(|offer| offer.split(','))
        .any(|offer| offer.trim() == subprotocol)
}

/// What a client does not read is to wait where it is counted and can be dropped; the kernel would
/// take megabytes of it.
#[cfg(target_os = "linux")]
fn keep_kernel_queue_short(stream: &TcpStream, door: &Door) {
    let bytes = match door {
        Door::Signal => KERNEL_QUEUE_BYTES_SIGNAL,
        Door::Relay { .. } => KERNEL_QUEUE_BYTES_RELAY,
    };
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(bytes) {
        tracing::debug!(%error, "cannot shorten the kernel's send queue");
    }
}

#[cfg(not(target_os = "linux"))]
fn keep_kernel_queue_short(_stream: &TcpStream, _door: &Door) {}

/// Unsent bytes in the kernel from which a relay socket counts as full: 32 KiB, some packets ahead
/// of the wire and no more.
#[cfg(target_os = "linux")]
const KERNEL_QUEUE_BYTES_RELAY: u32 = 32 * 1024;

/// The same for signal sockets: 64 KiB, one largest message.
#[cfg(target_os = "linux")]
const KERNEL_QUEUE_BYTES_SIGNAL: u32 = 64 * 1024;

/// Time for a request's headers, and for the upgrade after them: 5 s each.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);

/// Time for a request and its answer: 10 s. Who does not read the answer would else hold its place for ever.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of headers: 8 KiB, the least that the HTTP library takes and more than clients send.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// When who finds the server full may try again: after 30 s. Devices add a spread of their own.
const FULL_RETRY_SECONDS: u64 = 30;

/// Time without Redis after which new clients are not welcome: 10 s. A restart of Redis is over by then.
const CUT_OFF_MAX: Duration = Duration::from_secs(10);

/// Rest after a failed accept: 50 ms, so that a full file table does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
