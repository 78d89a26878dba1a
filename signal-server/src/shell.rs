//! The thin shell around the rendezvous: sockets, time, entropy and logs.
//!
//! One loop ([`hub`](self)) owns the rendezvous; one task per connection reads frames into the
//! loop's queue and writes what lies in its outbox. Nothing here decides what a client may do.
//! [`serve`] runs a whole server on a listener, in a process of its own or in another's.

pub mod config;
mod door;
pub mod healthcheck;
mod hub;
mod options;
mod outbox;
mod session;
mod stun;
mod tls;

pub use options::{LogFormat, Options};
pub use tls::{Identity, TlsFiles};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rendezvous::{self, AddressLimits, Rendezvous};
use hub::{Clock, Hub};
use tls::Tls;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the rendezvous is told.
    pub rendezvous: rendezvous::Settings,
    /// What the server speaks TLS with; plain when there is nothing.
    pub tls: Option<TlsFiles>,
    /// Limits per address, before anything is read; loopback is exempt.
    pub addresses: AddressLimits,
    /// Time between the wish to stop and the end, in which clients are told to go.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rendezvous: rendezvous::Settings::default(),
            tls: None,
            addresses: AddressLimits::default(),
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves on `listener`, and answers STUN on the sockets of `stun`, until `cancel`; then tells the clients,
/// waits at most [`Settings::drain`] for them to go, closes the rest and returns.
///
/// # Errors
/// When the system gives no entropy, no address for the listener, or certificate and key make no sense.
pub async fn serve(
    listener: TcpListener,
    stun: Vec<UdpSocket>,
    settings: Settings,
    cancel: CancellationToken,
) -> io::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let clock = Clock::start();
    let tasks = TaskTracker::new();
    let tls = match settings.tls {
        None => None,
        Some(files) => {
            let identity = Identity::read(&files).map_err(io::Error::other)?;
            let tls = Tls::new(files, identity);
            tasks.spawn(Arc::clone(&tls).renew_until(cancel.clone()));
            Some(tls)
        }
    };
    let (hub, knocks) = Hub::new(
        Rendezvous::new(seed, settings.rendezvous),
        clock,
        settings.drain,
        cancel.clone(),
    );
    let hub = tokio::spawn(hub.run());
    for socket in stun {
        tasks.spawn(stun::answer_until(socket, cancel.clone()));
    }
    door::accept_until(
        listener,
        tls,
        settings.addresses,
        clock,
        knocks,
        tasks.clone(),
        cancel,
    )
    .await;
    tasks.close();
    let ended = timeout(settings.drain + CLOSE_WITHIN, tasks.wait()).await;
    if ended.is_err() {
        tracing::warn!("some connections did not close in time");
        hub.abort();
    }
    match hub.await {
        Ok(()) => Ok(()),
        Err(stopped) if stopped.is_cancelled() => Ok(()),
        Err(panicked) => Err(io::Error::other(panicked)),
    }
}

/// Time for close frames to be written and answered after the drain: 3 s, above the session's own
/// deadline for it.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
