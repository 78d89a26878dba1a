//! The device in a browser: the window's pages and the API that they use, served by `towline up`.
//!
//! Whoever may use it has shown a link's token, which is good once and which only who may use the local socket gets, or, where
//! one is set, a password. For that they get a session's token, which a tab sends with each request as a header; there are
//! no cookies, so no other page of the browser can borrow it. `guard` says which requests are looked at at all, `keys` which tokens are
//! good, `routes` what can be asked. Connections are bounded in number, and in how long they may take.

mod guard;
mod keys;
mod options;
mod pages;
mod password;
mod routes;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use signal_server::shell::{Renewal, Tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use towline_engine::{Handle, MakeLink, ViewError};
use tracing::{debug, warn};

use guard::Place;
pub(crate) use options::WebOptions;
use options::{Where, Wish};
use password::Password;
use routes::Door;

/// Connections at once: 64. A browser opens six for a page; whoever comes later waits in the system's queue.
const CONNECTIONS_MAX: usize = 64;

/// Time for a TLS handshake, and for a request's headers, also those of the next request: 10 s.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of headers: 16 KiB, more than browsers send.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// How long what we say may wait for somebody to read it: 30 s. Who does not would else hold its place for ever.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// Rest after a failed accept: 50 ms, so that a full file table does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time for connections to end when we do: 2 s; a follower's last word is short.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Why the device cannot be served to browsers as somebody wishes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    #[error(
        "browsers are served at {0}, which others may reach, only over TLS and with a password: add --web-cert, --web-key and \
         --web-password-file, or stay at 127.0.0.1 and reach it from elsewhere by `ssh -L 41642:127.0.0.1:41642 HOST`"
    )]
    Open(SocketAddr),
    #[error(
        "a certificate for browsers and its key come together: give both --web-cert and --web-key"
    )]
    HalfTls,
    #[error("the certificate or key for browsers, {0}")]
    Tls(String),
    #[error("the password for browsers, {file}: {why}")]
    Password { file: String, why: String },
    #[error(
        "browsers cannot be served at {0}: {1}; name another address with --web, or none with --no-web"
    )]
    Listen(SocketAddr, #[source] io::Error),
}

impl WebError {
    /// A stable name for scripts.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "web_open",
            Self::HalfTls | Self::Tls(_) => "web_tls",
            Self::Password { .. } => "web_password",
            Self::Listen(..) => "web_listen",
        }
    }
}

/// All that is needed to serve browsers, before there is a device to show.
pub(crate) struct Prepared {
    listener: TcpListener,
    place: Place,
    renewal: Option<Renewal>,
    password: Option<Password>,
}

/// Reads what the options name and takes the address; `None` where nothing is to be served or, if nobody has named
/// an address, can be.
pub(crate) async fn prepare(options: WebOptions) -> Result<Option<Prepared>, WebError> {
    let Wish::Served { at, tls, password } = options.wish()? else {
        return Ok(None);
    };
    let tls = tls.map(Tls::open).transpose().map_err(WebError::Tls)?;
    let password = password.as_deref().map(Password::read).transpose()?;
    let listener = match at {
        Where::Named(address) => TcpListener::bind(address)
            .await
            .map_err(|error| WebError::Listen(address, error))?,
        Where::Usual(addresses) => match TcpListener::bind(&addresses[..]).await {
            Ok(listener) => listener,
            Err(error) => {
                // Nobody has asked for it.
                warn!(%error, "browsers are not served: this computer does not reach itself");
                return Ok(None);
            }
        },
    };
    let unbound = |error| WebError::Listen(SocketAddr::from(([127, 0, 0, 1], 0)), error);
    let address = listener.local_addr().map_err(unbound)?;
    let (tls, renewal) = tls.unzip();
    Ok(Some(Prepared {
        listener,
        place: Place { address, tls },
        renewal,
        password,
    }))
}

/// Browsers are served.
pub(crate) struct Web {
    links: Arc<Links>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

/// Makes links to the first page.
struct Links {
    place: Place,
    door: Door,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Links").field(&self.place).finish()
    }
}

impl MakeLink for Links {
    fn link(&self) -> Result<String, ViewError> {
        let token = self.door.link_token()?;
        // What stands behind # is not sent to anybody by a browser.
        Ok(format!("{}#token={}", self.place.base(), token.reveal()))
    }
}

impl Web {
    /// Shows this device to browsers until it is closed.
    pub(crate) fn open(prepared: Prepared, handle: Handle) -> Self {
        let Prepared {
            listener,
            place,
            renewal,
            password,
        } = prepared;
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let door = Door::new(handle.clone(), password, cancel.clone());
        let routes = door.routes(place.clone());
        if let Some(renewal) = renewal {
            tasks.spawn(renewal.until(cancel.clone()));
        }
        tasks.spawn(accept_until(
            listener,
            place.tls.clone(),
            routes,
            tasks.clone(),
            cancel.clone(),
        ));
        let links = Arc::new(Links { place, door });
        handle.offer_links(Arc::clone(&links) as Arc<dyn MakeLink>);
        Self {
            links,
            cancel,
            tasks,
        }
    }

    /// The URL of the first page, which opens to nobody without a link or a password.
    pub(crate) fn base(&self) -> String {
        self.links.place.base()
    }

    /// A link that opens the device, once.
    pub(crate) fn link(&self) -> Result<String, ViewError> {
        self.links.link()
    }

    /// Whether there is more than an API to open.
    pub(crate) const fn has_pages() -> bool {
        pages::are_here()
    }

    /// Says goodbye to whoever follows, and ends.
    pub(crate) async fn close(self) {
        self.cancel.cancel();
        self.tasks.close();
        if timeout(CLOSE_WITHIN, self.tasks.wait()).await.is_err() {
            debug!("somebody does not let go");
        }
    }
}

async fn accept_until(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    routes: Router,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let routes = TowerToHyperService::new(routes);
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
                let (stream, _) = listener.accept().await?;
                Ok::<_, io::Error>((place, stream))
            } => accepted,
        };
        let (place, stream) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "a browser could not connect");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it small answers wait for the acknowledgement of earlier ones; it only costs speed.
        let _ = stream.set_nodelay(true);
        // A certificate may have been renewed meanwhile.
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        let (routes, cancel) = (routes.clone(), cancel.clone());
        tasks.spawn(async move {
            match acceptor {
                None => speak(stream, routes, cancel).await,
                Some(acceptor) => match timeout(HEADERS_WITHIN, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => speak(Box::new(stream), routes, cancel).await,
                    Ok(Err(_)) | Err(_) => debug!("a browser could not agree on TLS"),
                },
            }
            drop(place);
        });
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: TowerToHyperService<Router>,
    cancel: CancellationToken,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ_WITHIN));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), routes);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a browser's connection ended early");
    }
}
