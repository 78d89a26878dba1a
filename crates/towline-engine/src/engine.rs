//! One running device: how it is put together and begins, and how it ends.
//!
//! Its loop, which owns the core, is in `life`; shells reach it by a `handle`; how it runs and why one
//! cannot start is said in `settings`.

mod handle;
mod life;
mod settings;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use interprocess::local_socket::tokio::Listener;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{Input, NetworkScope};
use towline_store::{Boot, OpenError, Opened, Store};
use towline_wire::ice::IceServers;
use towline_wire::ids::Incarnation;
use tracing::info;
use zeroize::Zeroizing;

use crate::clock::{self, Clock};
use crate::folders::Folders;
use crate::key;
use crate::ledger::Ledger;
use crate::memory::Slack;
use crate::network::{AccessTokens, Network, NetworkSettings, Port, Proxies, SignalClients};
use crate::settings_file::{self, Written};
use crate::tasks::Tasks;
use crate::view::{KeyPlace, StoreCondition};
use crate::{boot, local, metrics, port};

use life::{Around, INPUTS_MAX, Life, Published};

pub use handle::Handle;
pub use settings::{Settings, StartError, StoreBroken};

/// Questions that may wait for the loop: 64; shells wait when it is full.
const QUESTIONS_MAX: usize = 64;

/// Events of the network or the signal server that may wait to be carried to the loop: 64; it only
/// smooths the hand-over, their own backpressure begins behind it.
const EVENTS_MAX: usize = 64;

/// Data streams that peers opened and nobody has taken yet: 32; peers wait when it is full.
const STREAMS_MAX: usize = 32;

/// A running device.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    tasks: Tasks,
    ended: oneshot::Receiver<Result<(), StoreBroken>>,
}

impl Engine {
    /// Starts the device that lives at `settings.home`.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        make_home(&settings.home)
            .map_err(|error| StartError::Home(settings.home.clone(), error))?;
        let given = Written {
            servers: settings.servers.clone(),
            proxy: settings.proxy.clone(),
            udp_port: settings.udp_port,
            ice_servers: settings.ice_servers.clone(),
        };
        let default_server = settings.default_server.as_deref();
        let settled = settings_file::settle(&settings.home, given, default_server)?;
        let (servers, access) =
            AccessTokens::read(&settled.servers).map_err(StartError::ServerUrl)?;
        let servers = match settings.scope {
            NetworkScope::Everywhere => servers,
            NetworkScope::LocalNetwork => Vec::new(),
        };
        let ice = settled.ice_servers.as_ref();
        let ice = ice.map_or(Ok(IceServers::default()), |text| {
            IceServers::parse(text.reveal())
        })?;
        let variable = |name: &str| std::env::var(name).ok();
        let proxies = Arc::new(Proxies::of(settled.proxy.as_deref(), variable)?);
        let fresh = Incarnation(u64::from_le_bytes(*random::<8>()?));
        let (mut store, opened) = Store::open(&settings.home, fresh)?;
        let boot = boot::name();
        let boot = boot.as_deref().map_or(Boot::Unknown, Boot::Named);
        store
            .begin_boot(boot, clock::wall())
            .map_err(OpenError::from)?;
        let (identity, key_place) = load_key(&settings).await?;
        let mut restored = store.restored().map_err(OpenError::from)?;
        if restored.name.is_empty() {
            restored.name = settings.name.clone().unwrap_or_else(host_name);
        }
        let tasks = Tasks::new();
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        let clock = Clock::start();
        let local = local::listen(&settings.home)
            .map_err(|error| StartError::Local(settings.home.clone(), error))?;
        let metrics_door = match settings.metrics {
            Some(addr) => {
                let bound = TcpListener::bind(addr).await;
                Some(bound.map_err(|error| StartError::Metrics(addr, error))?)
            }
            None => None,
        };
        let network_settings = NetworkSettings {
            port: settled
                .udp_port
                .map_or_else(|| port::recall(&settings.home), Port::Fixed),
            scope: settings.scope,
            discovery: settings.discovery,
            proxies: Arc::clone(&proxies),
            port_mapping: settings.port_mapping,
            ..NetworkSettings::default()
        };
        let (streams, incoming) = mpsc::channel(STREAMS_MAX);
        let (network_events, from_network) = mpsc::channel(EVENTS_MAX);
        let network = Network::open(
            identity.clone(),
            &network_settings,
            network_events,
            streams,
            &tasks,
        )
        .await?;
        if settled.udp_port.is_none() {
            port::remember(&settings.home, &network.bound());
        }
        let network = Arc::new(network);
        tasks.spawn(
            "network events",
            carry(from_network, Input::Network, inputs.clone()),
        );
        let reader = store.reader().map_err(OpenError::from)?;
        let folders = Folders::start(
            reader,
            identity.id(),
            Arc::clone(&network),
            incoming,
            &inputs,
            tasks.child(),
        )
        .map_err(StartError::System)?;
        let (signal_events, from_signal) = mpsc::channel(EVENTS_MAX);
        let signal = match settings.scope {
            NetworkScope::Everywhere => Some(SignalClients::new(
                signal_events,
                Arc::clone(&proxies),
                Arc::new(access),
                tasks.clone(),
            )),
            // Whatever is decided, there is nobody who could carry it out.
            NetworkScope::LocalNetwork => None,
        };
        tasks.spawn(
            "signal events",
            carry(
                from_signal,
                |(id, event)| Input::Signal(id, event),
                inputs.clone(),
            ),
        );
        let ledger = Ledger::start(store, inputs, &tasks).map_err(StartError::System)?;
        let birth = Birth {
            seed: *random::<32>()?,
            identity,
            restored,
            servers,
            elsewhere: settled.elsewhere,
            ice,
            scope: settings.scope,
            discovery: settings.discovery,
        };
        let device = Device::new(clock.now(), birth);
        let around = Around {
            key_place,
            store: condition(&opened),
            proxies,
            lock: settled.lock,
            port_mapping: settings.port_mapping,
        };
        let first = Arc::new(around.view(&device.snapshot(clock.now()), 0, &clock, &folders));
        let (publish, views) = watch::channel(first);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let stop = CancellationToken::new();
        let handle = Handle {
            questions,
            views,
            past: folders.past(),
            inbox: folders.inbox(),
            listings: folders.listings(),
            home: Arc::from(settings.home.as_path()),
            stop: stop.clone(),
        };
        let (end, ended) = oneshot::channel();
        let in_force = folders.in_force();
        let life = Life {
            device,
            clock,
            around,
            waiting,
            asked,
            stop,
            ledger,
            for_ledger: VecDeque::new(),
            network,
            signal,
            folders,
            replies: BTreeMap::new(),
            last_command: 0,
            publish,
            published: Published {
                revision: 0,
                number: 0,
                in_force,
                at: Instant::now(),
            },
            slack: Slack::default(),
        };
        tasks.spawn("device", async move {
            // Nobody waits for the end of a device whose engine was dropped.
            let _unheard = end.send(life.run().await);
        });
        serve_locally(local, &handle, &tasks);
        if let Some(listener) = metrics_door {
            metrics::serve(listener, handle.views(), &tasks);
        }
        info!("device started");
        Ok(Self {
            handle,
            tasks,
            ended,
        })
    }

    /// Reaches this device.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the device in good order.
    pub async fn stop(self) -> Result<(), StoreBroken> {
        self.handle.stop();
        // A loop that was dropped has nothing to tell.
        let outcome = self.ended.await.unwrap_or(Ok(()));
        self.tasks.close().await;
        info!("device stopped");
        outcome
    }
}

/// Carries events of one kind to the loop until either end is gone.
async fn carry<T: Send + 'static>(
    mut events: mpsc::Receiver<T>,
    into: fn(T) -> Input,
    inputs: mpsc::Sender<Input>,
) {
    while let Some(event) = events.recv().await {
        if inputs.send(into(event)).await.is_err() {
            return;
        }
    }
}

fn serve_locally(listener: Listener, handle: &Handle, tasks: &Tasks) {
    tasks.spawn(
        "local socket",
        local::serve(listener, handle.clone(), tasks.clone()),
    );
}

/// Loads the key on a thread, because keyrings block.
async fn load_key(settings: &Settings) -> Result<(Identity, KeyPlace), StartError> {
    let (home, preference) = (settings.home.clone(), settings.key);
    let (send, loaded) = oneshot::channel();
    Tasks::new()
        .spawn_thread("keyring", move || {
            // Whoever starts the device waits for it.
            let _unheard = send.send(key::load_or_create(&home, preference));
        })
        .map_err(StartError::System)?;
    let gone = |_| StartError::System(io::ErrorKind::UnexpectedEof.into());
    Ok(loaded.await.map_err(gone)??)
}

fn make_home(home: &Path) -> io::Result<()> {
    fs::create_dir_all(home)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn condition(opened: &Opened) -> StoreCondition {
    match opened {
        Opened::New => StoreCondition::New,
        Opened::Existing => StoreCondition::Whole,
        Opened::Rebuilt { .. } => StoreCondition::Rebuilt,
    }
}

/// This computer's name, as a device's first name.
fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(32)
        .collect();
    if name.trim().is_empty() {
        "Computer".to_owned()
    } else {
        name
    }
}

pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, StartError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| StartError::System(io::Error::other(error)))?;
    Ok(bytes)
}
