//! The thin shell around the rendezvous: sockets, time, entropy and logs.
//!
//! One task per connection reads frames, takes a turn at the rendezvous with each ([`hub`](self)), and writes what lies
//! in its outbox. Nothing here decides what a client may do.
//! [`serve`] runs a whole server on a listener, in a process of its own or in another's.

mod access;
mod audit;
mod cluster;
pub mod config;
mod door;
#[cfg(any(test, fuzzing))]
pub mod doors;
mod gate;
pub mod healthcheck;
mod hub;
mod metrics;
mod options;
mod outbox;
mod packet_queue;
mod page;
mod parts;
mod reload;
mod session;
mod stun;
mod tls;

pub use access::{AccessFile, AccessKind, new_token};
pub use cluster::Redis;
pub use options::{LogFormat, Options};
pub use tls::{Identity, Renewal, Tls, TlsFiles};

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rendezvous::{self, AddressLimits, Instance, NodeId, Rate, Rendezvous};
use audit::Audit;
use cluster::Line;
use door::{Doorway, Face, Numbers};
use gate::{Gate, Places};
use hub::{Clock, Hub};
use metrics::Metrics;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the rendezvous is told.
    pub rendezvous: rendezvous::Settings,
    /// What the server speaks TLS with; plain when there is nothing.
    pub tls: Option<TlsFiles>,
    /// Where it is written who may use the server; everybody when there is nothing.
    pub access: Option<AccessFile>,
    /// The file of the audit log; none is written when there is nothing.
    pub audit_log: Option<PathBuf>,
    /// Limits per address, before anything is read; loopback is exempt.
    pub addresses: AddressLimits,
    /// TCP connections at once, whatever they are for, from which on the server is not ready; at an eighth more who
    /// comes is told to come later.
    pub sockets_max: usize,
    /// New TCP connections of everybody.
    pub accept_rate: Rate,
    /// Time for a message that comes in parts to be whole, however alive its sender looks.
    pub message_within: Duration,
    /// Networks of the proxies that are believed about their clients' addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// The Redis by which several instances share their books; this one is alone where there is nothing.
    pub redis: Option<Redis>,
    /// Time between the wish to stop and the end, in which clients are told to go.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rendezvous: rendezvous::Settings::default(),
            tls: None,
            access: None,
            audit_log: None,
            addresses: AddressLimits::default(),
            sockets_max: 10_000,
            accept_rate: ACCEPT_RATE,
            message_within: MESSAGE_WITHIN,
            trusted_proxies: Vec::new(),
            redis: None,
            drain: Duration::from_secs(5),
        }
    }
}

/// Where a server is reached.
#[derive(Debug)]
pub struct Sockets {
    /// For clients.
    pub clients: TcpListener,
    /// On which STUN is answered.
    pub stun: Vec<UdpSocket>,
    /// Where the numbers are read; with the clients when there is none.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Sockets {
    /// For clients alone.
    fn from(clients: TcpListener) -> Self {
        Self {
            clients,
            stun: Vec::new(),
            metrics: None,
        }
    }
}

/// Serves on these sockets until `cancel`; then tells the clients, waits at most [`Settings::drain`] for them to
/// go, closes the rest and returns.
///
/// # Errors
/// When the system gives no entropy, no address for the listener, or certificate and key or the list of access make
/// no sense.
pub async fn serve(
    sockets: Sockets,
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
            let (tls, renewal) = Tls::open(files).map_err(io::Error::other)?;
            tasks.spawn(renewal.until(cancel.clone()));
            Some(tls)
        }
    };
    if settings.access.is_none() && settings.rendezvous.lending.is_some() {
        tracing::warn!(
            event = "turn_for_everybody",
            "whoever makes a key may use the TURN servers; --access says who may"
        );
    }
    let access_kind = settings
        .access
        .as_ref()
        .map_or(AccessKind::Open, |file| file.kind);
    let mut told = settings.rendezvous;
    let access_renewal = match settings.access {
        None => None,
        Some(file) => {
            let (access, renewal) = file.open().map_err(io::Error::other)?;
            told.access = access;
            Some(renewal)
        }
    };
    let (audit, writer) = match &settings.audit_log {
        None => (Audit::default(), None),
        Some(path) => {
            let (audit, writer, renewal) = Audit::open(path)?;
            tasks.spawn(renewal.until(cancel.clone()));
            (audit, Some(tokio::task::spawn_blocking(|| writer.run())))
        }
    };
    let mut node = [0; 8];
    getrandom::fill(&mut node).map_err(io::Error::other)?;
    let node = NodeId(u64::from_le_bytes(node));
    let (line, errands) = match settings.redis {
        None => (None, None),
        Some(redis) => {
            told.instance = Instance::OneOfSeveral(node);
            let (line, errands) = mpsc::channel(cluster::ERRANDS_MAX);
            (Some(line), Some((redis, errands)))
        }
    };
    let metrics = Metrics::new();
    let relay_base = Arc::from(told.relay_base.as_str());
    let (hub, keeper) = Hub::new(
        Rendezvous::new(seed, told),
        line,
        clock,
        settings.drain,
        cancel.clone(),
        Arc::clone(&metrics),
        audit,
    );
    let line_metrics = Arc::clone(&metrics);
    let keeper = tokio::spawn(keeper.run());
    // It outlives the drain, in which devices move to other instances, and ends with everything else.
    let hung_up = CancellationToken::new();
    let line = errands.map(|(redis, errands)| {
        let line = Line {
            redis,
            node,
            errands,
            hub: hub.downgrade(),
            metrics: line_metrics,
        };
        tokio::spawn(line.run_until(hung_up.clone()))
    });
    if let Some(renewal) = access_renewal {
        tasks.spawn(renewal.until(hub.clone(), cancel.clone()));
    }
    for socket in sockets.stun {
        tasks.spawn(stun::answer_until(
            socket,
            Arc::clone(&metrics),
            cancel.clone(),
        ));
    }
    let numbers = match sockets.metrics {
        None => Numbers::WithClients,
        Some(_) => Numbers::Apart,
    };
    let places = Places::new(settings.sockets_max);
    let face = Face {
        access: access_kind,
        transport: match &tls {
            None => page::Transport::Plain,
            Some(_) => page::Transport::Tls,
        },
    };
    let doorway = Doorway::new(
        hub.clone(),
        tasks.clone(),
        metrics,
        Arc::clone(&places),
        face,
        relay_base,
        settings.message_within,
    );
    if let Some(listener) = sockets.metrics {
        let serving = axum::serve(listener, doorway.routes_of_numbers());
        let serving = serving.with_graceful_shutdown(cancel.clone().cancelled_owned());
        // It serves until then; what goes wrong with one client ends that client.
        tasks.spawn(async move { drop(serving.await) });
    }
    let routes = doorway.routes(numbers);
    let gate = Gate::new(settings.addresses, settings.trusted_proxies, clock, places);
    let rate = settings.accept_rate;
    door::accept_until(sockets.clients, tls, gate, doorway, routes, rate, cancel).await;
    tasks.close();
    let ended = timeout(settings.drain + CLOSE_WITHIN, tasks.wait()).await;
    if ended.is_err() {
        tracing::warn!("some connections did not close in time");
        hub.stop();
    }
    drop(hub);
    let ended = keeper.await;
    hung_up.cancel();
    if let Some(line) = line {
        // What goes wrong with it ends nobody else.
        drop(line.await);
    }
    if let Some(writer) = writer {
        // It ends with the hub, when all is written.
        drop(writer.await);
    }
    ended.map_err(io::Error::other)?
}

/// New connections of everybody: 2,000 a second. A core makes some thousand TLS handshakes in that time; beyond it
/// everybody would wait for everybody.
const ACCEPT_RATE: Rate = Rate::per_second(2000, 2000);

/// Time for a message in parts: 30 s. The largest comes within it at 2 KB/s, and clients of ours send none in parts.
const MESSAGE_WITHIN: Duration = Duration::from_secs(30);

/// Time for close frames to be written and answered after the drain: 3 s, above the session's own
/// deadline for it.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
