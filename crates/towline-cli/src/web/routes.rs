//! The API below `/api`, as docs/API.md describes it, and the pages beside it.
//!
//! Every call but the three with which a session begins wants one. Bodies are bounded in size and time; whoever
//! follows the view gets the latest one whenever it takes one, so that a slow reader holds nothing up.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use towline_engine::view::{CommandView, View};
use towline_engine::{Handle, ViewError};
use zeroize::Zeroizing;

use super::guard::{Place, guard};
use super::keys::{Keys, Token};
use super::pages;
use super::password::{Guess, Password};

/// Most bytes of a command: 4 MiB. The longest holds two texts of rules, of 1 MiB each and longer when they are quoted.
const COMMAND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of what opens a session: 4 KiB, a token or a password.
const SESSION_BYTES_MAX: usize = 4 * 1024;

/// Time for a body to arrive: 20 s, four megabytes over a slow line.
const BODY_WITHIN: Duration = Duration::from_secs(20);

/// How often whoever follows hears something: 15 s. Who hears nothing for some times as long has lost us.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many may follow at once: 32, half of all connections, so that commands always find one.
pub(super) const FOLLOWERS_MAX: usize = 32;

/// What the routes need.
#[derive(Clone)]
pub(super) struct Door {
    handle: Handle,
    keys: Arc<Mutex<Keys>>,
    password: Option<Arc<Password>>,
    followers: Arc<Semaphore>,
    cancel: CancellationToken,
}

impl Door {
    pub(super) fn new(
        handle: Handle,
        password: Option<Password>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            handle,
            keys: Arc::default(),
            password: password.map(Arc::new),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            cancel,
        }
    }

    /// All that can be asked.
    pub(super) fn routes(&self, place: Place) -> Router {
        Router::new()
            .route("/api/door", get(door))
            .route("/api/session", post(open_session).delete(end_session))
            .route("/api/view", get(view))
            .route("/api/events", get(events))
            .route("/api/command", post(command))
            .with_state(self.clone())
            .fallback(fallback)
            .layer(from_fn_with_state(place, guard))
            .layer(from_fn(one_word_for_each_refusal))
    }

    /// A token for a link.
    pub(super) fn link_token(&self) -> Result<Token, ViewError> {
        let token = draw()?;
        self.keys(|keys, now| keys.add_link(now, &token));
        Ok(token)
    }

    /// Follows as the bearer of this session does.
    #[cfg(test)]
    pub(super) fn follow(&self, session: &str) -> Option<Following> {
        Following::begin(self.clone(), Session(Zeroizing::new(session.to_owned())))
    }

    fn keys<T>(&self, act: impl FnOnce(&mut Keys, Instant) -> T) -> T {
        // Nothing panics while it holds the lock.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut keys, Instant::now())
    }
}

fn draw() -> Result<Token, ViewError> {
    Token::new().map_err(|_| ViewError::new("random"))
}

/// Why a call is not answered: a status for programs, a code for words.
#[derive(Debug)]
struct Refused(StatusCode, ViewError);

impl Refused {
    fn new(status: StatusCode, code: &str) -> Self {
        Self(status, ViewError::new(code))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        (self.0, Json(self.1)).into_response()
    }
}

/// The session that a request shows.
struct Session(Zeroizing<String>);

impl FromRequestParts<Door> for Session {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Refused> {
        let shown = parts.headers.get(header::AUTHORIZATION);
        let token = shown
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(|token| Zeroizing::new(token.to_owned()));
        let known = token.filter(|token| door.keys(|keys, now| keys.use_session(now, token)));
        std::future::ready(known.map(Self))
            .await
            .ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "session"))
    }
}

/// What opens a session.
#[derive(Debug, Serialize)]
struct Wanted {
    /// Whether a password does, beside a link.
    password: bool,
}

async fn door(State(door): State<Door>) -> impl IntoResponse {
    let password = door.password.is_some();
    std::future::ready(Json(Wanted { password })).await
}

/// What somebody shows to open a session.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Token(String),
    Password(String),
}

#[derive(Serialize)]
struct Opened<'a> {
    session: &'a str,
}

async fn open_session(State(door): State<Door>, body: Body) -> Result<Response<Body>, Refused> {
    let body = read(body, SESSION_BYTES_MAX).await?;
    match parse(&body)? {
        Shown::Token(token) => {
            if !door.keys(|keys, now| keys.use_link(now, &token)) {
                return Err(Refused::new(StatusCode::UNAUTHORIZED, "token"));
            }
        }
        Shown::Password(text) => {
            let guess = door.password.as_ref().map(|password| password.guess(&text));
            match guess {
                Some(Guess::Right) => {}
                Some(Guess::Wrong) => {
                    return Err(Refused::new(StatusCode::UNAUTHORIZED, "password"));
                }
                Some(Guess::TooMany) => {
                    return Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, "too_many"));
                }
                None => return Err(Refused::new(StatusCode::UNAUTHORIZED, "token")),
            }
        }
    }
    let token = draw().map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    door.keys(|keys, now| keys.add_session(now, &token));
    let session = token.reveal();
    Ok(Json(Opened { session }).into_response())
}

async fn end_session(session: Session, State(door): State<Door>) -> StatusCode {
    door.keys(|keys, _| keys.end_session(&session.0));
    std::future::ready(StatusCode::NO_CONTENT).await
}

async fn view(_session: Session, State(door): State<Door>) -> impl IntoResponse {
    std::future::ready(Json(door.handle.view())).await
}

async fn command(
    _session: Session,
    State(door): State<Door>,
    body: Body,
) -> Result<Response<Body>, Refused> {
    let body = read(body, COMMAND_BYTES_MAX).await?;
    let command: CommandView = parse(&body)?;
    let answer = door.handle.command(command).await;
    answer
        .map(|answer| Json(answer).into_response())
        .map_err(|error| Refused(StatusCode::CONFLICT, error))
}

async fn events(session: Session, State(door): State<Door>) -> Result<Response<Body>, Refused> {
    let following = Following::begin(door, session)
        .ok_or_else(|| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "too_many"))?;
    let lines = stream::unfold(following, |mut following| async move {
        let line = following.next().await?;
        Some((Ok::<_, Infallible>(line), following))
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    let answer = ([(header::CONTENT_TYPE, kind)], Body::from_stream(lines));
    Ok(std::future::ready(answer).await.into_response())
}

async fn fallback(uri: Uri) -> Response<Body> {
    let answer = if uri.path().starts_with("/api/") {
        Refused::new(StatusCode::NOT_FOUND, "unknown_call").into_response()
    } else {
        pages::page(uri.path())
    };
    std::future::ready(answer).await
}

/// Gives refusals that the library makes (of a method, say) the shape of ours.
async fn one_word_for_each_refusal(
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response<Body> {
    let mut answer = next.run(request).await;
    if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
        let (kind, body) = Json(ViewError::new("unknown_call"))
            .into_response()
            .into_parts();
        answer.headers_mut().extend(kind.headers);
        *answer.body_mut() = body;
    }
    answer
}

/// Reads a body of at most this many bytes.
async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Refused> {
    match timeout(BODY_WITHIN, to_bytes(body, bytes_max)).await {
        Ok(Ok(body)) => Ok(body),
        // It ends early only where the sender does, who then hears nothing of this.
        Ok(Err(_)) => Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long")),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "too_slow")),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "malformed"))
}

/// What somebody who follows is told, a line each.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Told<'a> {
    /// All that there is to see.
    View { view: &'a View },
    /// The device has stopped; nothing follows.
    Ended,
}

/// Somebody who follows the view.
pub(super) struct Following {
    door: Door,
    session: Session,
    views: watch::Receiver<Arc<View>>,
    stage: Stage,
    _place: OwnedSemaphorePermit,
}

enum Stage {
    /// The present view is told at once.
    Begins,
    Follows,
    Ended,
}

impl Following {
    /// Begins with the present view; not when too many follow already.
    fn begin(door: Door, session: Session) -> Option<Self> {
        let place = Arc::clone(&door.followers).try_acquire_owned().ok()?;
        Some(Self {
            views: door.handle.views(),
            door,
            session,
            stage: Stage::Begins,
            _place: place,
        })
    }

    /// The next line: the latest view, when there is another one than was told last. An empty line says that we are
    /// still here.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Begins => {
                self.stage = Stage::Follows;
                return Some(self.latest());
            }
            Stage::Follows => {}
            Stage::Ended => return None,
        }
        let line = tokio::select! {
            () = self.door.cancel.cancelled() => None,
            () = self.door.handle.stopped() => None,
            changed = self.views.changed() => changed.is_ok().then(|| self.latest()),
            () = sleep(HEARTBEAT) => Some(Bytes::from_static(b"\n")),
        };
        // A session that was ended meanwhile hears no more, and one that follows is in use.
        if !self
            .door
            .keys(|keys, now| keys.use_session(now, &self.session.0))
        {
            return None;
        }
        if line.is_none() {
            self.stage = Stage::Ended;
        }
        Some(line.unwrap_or_else(|| told(&Told::Ended)))
    }

    fn latest(&mut self) -> Bytes {
        let view = Arc::clone(&self.views.borrow_and_update());
        told(&Told::View { view: &view })
    }
}

fn told(told: &Told<'_>) -> Bytes {
    // Our own types always become JSON.
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
