//! How one life of a device is put together: its files and its store are read, its network is opened, and the core
//! is brought to life with what they say.
//!
//! Each life opens everything anew and closes all of it at its end, so that nothing of one is left in the next.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{Input, NetworkScope};
use towline_core::sessions::own_servers;
use towline_store::{Boot, OpenError, Opened, Store};
use towline_wire::ice::IceServers;
use towline_wire::ids::Incarnation;
use towline_wire::server_url::ServerUrl;

use super::life::{Around, Durability, INPUTS_MAX, Life, Published};
use super::settings::{Settings, StartError};
use crate::clock::{self, Clock};
use crate::folders::Folders;
use crate::key;
use crate::ledger::Ledger;
use crate::memory::Slack;
use crate::network::{AccessTokens, Network, NetworkSettings, Port, Proxies, SignalClients};
use crate::settings_file::{self, Written};
use crate::tasks::Tasks;
use crate::view::{KeyPlace, OwnServers, StoreCondition};
use crate::{boot, port};

/// Events of the network or the signal server that may wait to be carried to the loop: 64; it only
/// smooths the hand-over, their own backpressure begins behind it.
const EVENTS_MAX: usize = 64;

/// Data streams that peers opened and nobody has taken yet: 32; peers wait when it is full.
const STREAMS_MAX: usize = 32;

/// The key of a device, and where it is kept.
pub(super) type Key = (Identity, KeyPlace);

impl Life {
    /// Begins one, with the key of the life before when there was one.
    pub(super) async fn begin(
        settings: &Settings,
        key: Option<Key>,
        tasks: Tasks,
    ) -> Result<Self, StartError> {
        let given = Written {
            servers: settings.servers.clone(),
            proxy: settings.proxy.clone(),
            udp_port: settings.udp_port,
            ice_servers: settings.ice_servers.clone(),
            lan_only: settings.lan_only(),
            // Its person says such things while it runs.
            places: None,
            update: None,
        };
        let default_server = settings.default_server.as_deref();
        let settled = settings_file::settle(&settings.home, given, default_server)?;
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
        let (identity, key_place) = match key {
            Some(key) => key,
            None => load_key(settings).await?,
        };
        let mut restored = store.restored().map_err(OpenError::from)?;
        if restored.name.is_empty() {
            restored.name = settings.name.clone().unwrap_or_else(host_name);
        }
        let scope = settled.scope.scope(&restored.settings);
        let held = settled.servers.hold(&restored.settings);
        let access = AccessTokens::of(&held.servers);
        let servers: Vec<ServerUrl> = held.servers.into_iter().map(|server| server.url).collect();
        let own_servers = OwnServers {
            urls: own_servers(&servers)
                .iter()
                .map(ServerUrl::to_string)
                .collect(),
            usual: held.usual,
            set_by: held.set_by,
        };
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        let clock = Clock::start();
        let network_settings = NetworkSettings {
            port: settled
                .udp_port
                .map_or_else(|| port::recall(&settings.home), Port::Fixed),
            scope,
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
        let signal = match scope {
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
            servers_rule: settled.servers.rule(),
            elsewhere: held.elsewhere,
            ice,
            places: settled.places,
            scope: settled.scope,
            discovery: settings.discovery,
        };
        let key = (birth.identity.clone(), key_place);
        let device = Device::new(clock.now(), birth);
        let around = Around {
            key_place,
            store: condition(&opened),
            proxies,
            own_servers,
            port_mapping: settings.port_mapping,
        };
        let in_force = folders.in_force();
        Ok(Self {
            device,
            clock,
            key,
            around,
            waiting,
            ledger,
            for_ledger: VecDeque::new(),
            network,
            signal,
            folders,
            replies: BTreeMap::new(),
            durability: Durability::default(),
            last_command: 0,
            published: Published {
                revision: 0,
                in_force,
                at: Instant::now(),
            },
            slack: Slack::default(),
            tasks,
        })
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

pub(crate) fn random<const N: usize>() -> Result<zeroize::Zeroizing<[u8; N]>, StartError> {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| StartError::System(io::Error::other(error)))?;
    Ok(bytes)
}
