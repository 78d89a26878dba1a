//! One running device: the loop that owns the core, and the handle by which shells reach it.
//!
//! The loop drains everything that is ready, lets the core decide, performs the outputs in order,
//! and publishes a view at most ten times a second, the latest only. It never waits for the disk,
//! the network or the store; they answer with inputs. When the store breaks the loop ends, because
//! nothing may be told that is not durable.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use towline_core::clock::Moment;
use towline_core::command::{Answer, Command, CommandId, Refusal};
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{Discovery, Input, NetworkScope, Output, StoreReply, StoreRequest};
use towline_core::records::InForce;
use towline_core::snapshot::Snapshot;
use towline_store::{Boot, OpenError, Opened, Store};
use towline_wire::ice::{IceServers, IceServersError};
use towline_wire::ids::{DeviceId, FolderId, Incarnation};
use tracing::{error, info};
use zeroize::Zeroizing;

use crate::boot;
use crate::clock::{self, Clock};
use crate::doctor::{self, Examined};
use crate::folders::{Folders, Inbox, Listings};
use crate::key::{self, KeyError, KeyPreference};
use crate::ledger::Ledger;
use crate::local;
use crate::memory::Slack;
use crate::metrics;
use crate::network::{
    AccessTokens, Network, NetworkError, NetworkSettings, Port, PortMapping, Proxies, ProxyError,
    ServerTimes, SignalClients,
};
use crate::past::Past;
use crate::port;
use crate::settings_file::{self, FileError, IceServersText, Written};
use crate::tasks::Tasks;
use crate::view::{
    self, AnswerView, Asked, CommandView, FolderSettingsView, KeyPlace, NetworkView, ServerLock,
    StoreCondition, Surroundings, UnixClock, View, ViewError,
};

/// Inputs that may wait for the loop: 1024. The loop takes all that wait at once; producers wait
/// when it is full, which slows the network and the disk down to what the core can decide.
const INPUTS_MAX: usize = 1024;

/// Questions that may wait for the loop: 64; shells wait when it is full.
const QUESTIONS_MAX: usize = 64;

/// Events of the network or the signal server that may wait to be carried to the loop: 64; it only
/// smooths the hand-over, their own backpressure begins behind it.
const EVENTS_MAX: usize = 64;

/// Data streams that peers opened and nobody has taken yet: 32; peers wait when it is full.
const STREAMS_MAX: usize = 32;

/// Shortest time between two views: 100 ms, faster than people read and slow enough to cost nothing.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// Longest sleep of the loop: 30 s. Its timer does not count a computer's sleep, the core's clock
/// does; after waking, what is due is found within this time at the latest.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// How a device runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the device keeps its key and its index; made if missing, readable by this user only.
    pub home: PathBuf,
    /// What a new device is called; the host's name when `None`.
    pub name: Option<String>,
    /// The signal servers as WebSocket URLs, the preferred one first (three count); none at all when empty.
    /// What nobody has said (`None`) is taken from the files of settings, and so are proxy and port.
    pub servers: Option<Vec<String>>,
    /// The signal server of this build, for whoever has set none.
    pub default_server: Option<String>,
    /// The proxy that leads to signal servers, `http://` or `socks5://`; empty for none. When `None`,
    /// those that the environment names for all programs.
    pub proxy: Option<String>,
    /// The UDP port to listen on; 0 takes the one of this device's life before, or any.
    pub udp_port: Option<u16>,
    /// STUN and TURN servers, as JSON of the usual shape; none when empty.
    pub ice_servers: Option<IceServersText>,
    /// Whether the router is asked for a port that leads here.
    pub port_mapping: PortMapping,
    /// Where a new key goes.
    pub key: KeyPreference,
    /// How far it goes: within the local network no server is asked, and nothing is sent beyond.
    pub scope: NetworkScope,
    /// Whether it is announced on the local network, and looks for others there.
    pub discovery: Discovery,
    /// Where numbers for Prometheus are served over HTTP; nowhere when `None`.
    pub metrics: Option<SocketAddr>,
}

/// Why a device cannot start. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home cannot be made or used.
    #[error("cannot use {0} as this device's home; check that this user may write there")]
    Home(PathBuf, #[source] io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// There is no device key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The network cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server's address is not one.
    #[error("{0:?} is not a signal server's address; it looks like wss://signal.example.org/ws")]
    ServerUrl(String),
    /// A file of settings cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is named as a proxy is none.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The STUN and TURN servers that are set are none.
    #[error("cannot use ICE_SERVERS_JSON (or ice_servers): {0}")]
    IceServers(#[from] IceServersError),
    /// The address for Prometheus cannot be listened on.
    #[error("cannot serve metrics at {0}; choose an address of this machine and a free port")]
    Metrics(SocketAddr, #[source] io::Error),
    /// The local socket cannot be opened.
    #[error("cannot open the local socket in {0}")]
    Local(PathBuf, #[source] io::Error),
    /// The system gives no threads or randomness.
    #[error("the system gives no threads or randomness")]
    System(#[source] io::Error),
}

impl StartError {
    /// A stable code: `home`, `locked`, `newer`, `disk_full`, `store`, `keyring`, `key`, `port_taken`,
    /// `network`, `server_url`, `settings`, `proxy`, `ice_servers`, `metrics`, `socket` or `system`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Home(..) => "home",
            Self::Store(OpenError::Locked) => "locked",
            Self::Store(OpenError::Newer { .. }) => "newer",
            Self::Store(OpenError::NotDirectory | OpenError::NoAccess(_)) => "home",
            Self::Store(OpenError::DiskFull) => "disk_full",
            Self::Store(OpenError::Disk(_) | OpenError::Store(_)) => "store",
            Self::Key(KeyError::Keyring(_) | KeyError::Gone(_)) => "keyring",
            Self::Key(KeyError::Damaged(_) | KeyError::File(..)) => "key",
            Self::Network(NetworkError::PortTaken { .. }) => "port_taken",
            Self::Network(
                NetworkError::NoAddress
                | NetworkError::TwoAddressesOfOneFamily
                | NetworkError::Socket(_)
                | NetworkError::OwnKey(_),
            ) => "network",
            Self::ServerUrl(_) => "server_url",
            Self::File(_) => "settings",
            Self::Proxy(_) => "proxy",
            Self::IceServers(_) => "ice_servers",
            Self::Metrics(..) => "metrics",
            Self::Local(..) => "socket",
            Self::Key(KeyError::Random) | Self::System(_) => "system",
        }
    }
}

/// The store broke while the device ran.
#[derive(Debug, thiserror::Error)]
#[error(
    "the index cannot be written any more (is the disk full?); make room and start again, nothing is lost"
)]
pub struct StoreBroken;

/// A running device.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    tasks: Tasks,
    ended: oneshot::Receiver<Result<(), StoreBroken>>,
}

/// Reaches a running device; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    questions: mpsc::Sender<Question>,
    views: watch::Receiver<Arc<View>>,
    past: Past,
    inbox: Inbox,
    listings: Listings,
    home: Arc<Path>,
    stop: CancellationToken,
}

/// What the device's loop is asked.
#[derive(Debug)]
enum Question {
    /// A command, which it may refuse.
    Command(Command, oneshot::Sender<Result<Answer, Refusal>>),
    /// How it is connected.
    Network(oneshot::Sender<NetworkView>),
    /// What the doctor wants to know.
    Examine(oneshot::Sender<Examined>),
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

impl Handle {
    /// Gives a command and waits for its answer.
    pub async fn command(&self, command: CommandView) -> Result<AnswerView, ViewError> {
        let command = match view::command(command)? {
            Asked::Device(command) => command,
            Asked::Network => {
                let network = self.network().await?;
                return Ok(AnswerView::Network(Box::new(network)));
            }
            Asked::Findings => {
                let (reply, answer) = oneshot::channel();
                self.ask(Question::Examine(reply)).await?;
                let examined = answer.await.map_err(|_| stopping())?;
                let findings = doctor::findings(&self.view(), &examined, &self.home);
                return Ok(AnswerView::Findings { findings });
            }
            Asked::Past(folder, asked) => {
                self.known(folder)?;
                return self.past.ask(folder, asked).await;
            }
            Asked::Inbox(folder, asked) => {
                self.known(folder)?;
                return self.inbox.ask(folder, asked, self.known_devices()).await;
            }
            Asked::Rules(folder, asked) => {
                let local = self.settings_of(folder)?.local_rules;
                return self.listings.ask_rules(folder, asked, local).await;
            }
            Asked::Files(folder, asked) => {
                self.known(folder)?;
                return self.listings.files(folder, asked).await;
            }
            Asked::Held(folder, asked) => {
                let id = folder.to_string();
                let views = self.views.borrow();
                let folder = views.folders.iter().find(|known| known.id == id);
                return folder
                    .map(|known| view::held(&known.held_back, &asked))
                    .ok_or_else(|| ViewError::new("unknown_folder"));
            }
        };
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Command(command, reply)).await?;
        match answer.await.map_err(|_| stopping())? {
            Ok(answer) => Ok(view::answer(answer)),
            Err(refusal) => Err(view::refusal(refusal)),
        }
    }

    /// How the device is connected.
    pub async fn network(&self) -> Result<NetworkView, ViewError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Question::Network(reply)).await?;
        answer.await.map_err(|_| stopping())
    }

    async fn ask(&self, question: Question) -> Result<(), ViewError> {
        let asked = self.questions.send(question).await;
        asked.map_err(|_| stopping())
    }

    /// What is set for a folder, if it is on this device.
    fn settings_of(&self, folder: FolderId) -> Result<FolderSettingsView, ViewError> {
        let id = folder.to_string();
        let view = self.views.borrow();
        let known = view.folders.iter().find(|known| known.id == id);
        known
            .map(|folder| folder.settings.clone())
            .ok_or_else(|| ViewError::new("unknown_folder"))
    }

    /// Refuses a folder that is not on this device.
    fn known(&self, folder: FolderId) -> Result<(), ViewError> {
        let id = folder.to_string();
        let views = self.views.borrow();
        if views.folders.iter().any(|known| known.id == id) {
            Ok(())
        } else {
            Err(ViewError::new("unknown_folder"))
        }
    }

    /// The devices whose names a person knows.
    fn known_devices(&self) -> Vec<DeviceId> {
        let view = self.views.borrow();
        let peers = view.peers.iter().map(|peer| &peer.id);
        let ids = peers.chain([&view.device.id]);
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// The latest view.
    pub fn view(&self) -> View {
        (**self.views.borrow()).clone()
    }

    /// The latest view, and each one after it (those that were missed are skipped).
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Asks the device to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the device was asked to end, or has ended.
    pub async fn stopped(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.questions.closed() => {}
        }
    }
}

/// What a view shows beside the snapshot, fixed for this run.
#[derive(Debug)]
struct Around {
    key_place: KeyPlace,
    store: StoreCondition,
    proxies: Arc<Proxies>,
    lock: ServerLock,
    port_mapping: PortMapping,
}

impl Around {
    /// The view of a snapshot; the folders take from it what is set.
    fn view(&self, snapshot: &Snapshot, number: u64, clock: &Clock, folders: &Folders) -> View {
        folders.configure(snapshot);
        view::view(
            snapshot,
            &Surroundings {
                revision: number,
                key_place: self.key_place,
                store: self.store,
                proxies: &self.proxies,
                lock: self.lock,
                clock: UnixClock(clock.start_unix_ms()),
                in_force: folders.in_force(),
                transfers: &folders.transfers(),
                restores: &folders.restores(),
            },
        )
    }
}

/// What was published last.
#[derive(Debug)]
struct Published {
    revision: u64,
    number: u64,
    in_force: InForce,
    at: Instant,
}

/// The loop and all that it owns.
#[derive(Debug)]
struct Life {
    device: Device,
    clock: Clock,
    around: Around,
    waiting: mpsc::Receiver<Input>,
    asked: mpsc::Receiver<Question>,
    stop: CancellationToken,
    ledger: Ledger,
    /// Requests for which the store has no room yet, in order. Bounded by what the core has under
    /// way at a time.
    for_ledger: VecDeque<StoreRequest>,
    network: Arc<Network>,
    /// `None` within the local network.
    signal: Option<SignalClients>,
    folders: Folders,
    replies: BTreeMap<CommandId, oneshot::Sender<Result<Answer, Refusal>>>,
    last_command: u64,
    publish: watch::Sender<Arc<View>>,
    published: Published,
    slack: Slack,
}

impl Life {
    async fn run(mut self) -> Result<(), StoreBroken> {
        let mut inputs = Vec::new();
        let outcome = loop {
            self.perform();
            self.publish_if_due();
            self.slack.give_back_if_due();
            let wake = self.wake_at();
            let mut question = None;
            tokio::select! {
                () = self.stop.cancelled() => break Ok(()),
                Some(asked) = self.asked.recv() => question = Some(asked),
                taken = self.waiting.recv_many(&mut inputs, INPUTS_MAX) => {
                    if taken == 0 || inputs.contains(&Input::Store(StoreReply::Broken)) {
                        break Err(StoreBroken);
                    }
                    let now = self.clock.now();
                    for input in inputs.drain(..) {
                        self.device.handle_input(now, input);
                    }
                }
                Some(room) = self.ledger.room(), if !self.for_ledger.is_empty() => {
                    if let Some(request) = self.for_ledger.pop_front() {
                        room.send(request);
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    let now = self.clock.now();
                    if self.device.poll_timeout().is_some_and(|due| due <= now) {
                        self.device.handle_timeout(now);
                    }
                }
            }
            if let Some(question) = question {
                self.answer(question);
            }
        };
        if outcome.is_err() {
            error!("the device ends because its store cannot be written");
        }
        self.stop.cancel();
        drop(self.waiting);
        self.folders.close().await;
        // Transfers held the network too; they have ended.
        if let Some(network) = Arc::into_inner(self.network) {
            network.close().await;
        }
        outcome
    }

    fn answer(&mut self, question: Question) {
        let now = self.clock.now();
        match question {
            Question::Command(command, reply) => {
                self.last_command += 1;
                let id = CommandId(self.last_command);
                self.replies.insert(id, reply);
                self.device.handle_input(now, Input::Command(id, command));
            }
            Question::Network(reply) => {
                // Whoever asked may be gone.
                let _unheard = reply.send(self.network_view(now));
            }
            Question::Examine(reply) => {
                let times = self.signal.as_ref().map(SignalClients::times);
                let examined = Examined {
                    network: self.network_view(now),
                    clock_ahead_s: times.and_then(ServerTimes::ahead_by),
                    mdns: self.network.mdns(),
                    port_mapping: self.around.port_mapping,
                };
                // Whoever asked may be gone.
                let _unheard = reply.send(examined);
            }
        }
    }

    fn network_view(&self, now: Moment) -> NetworkView {
        let report = self.device.network_report(now);
        view::network(&report, UnixClock(self.clock.start_unix_ms()))
    }

    /// Performs everything that the core has decided, in order.
    ///
    /// Whoever gave a command and then looks must see what it did, so a view leaves before answers do.
    fn perform(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.device.poll_output() {
            match output {
                Output::Store(request) => {
                    self.slack.stirred();
                    self.for_ledger.push_back(request);
                }
                Output::Disk(folder, request) => self.folders.request(folder, request),
                Output::Network(request) => {
                    self.folders.note(&request);
                    self.network.request(request);
                }
                Output::Signal(id, request) => match &mut self.signal {
                    Some(signal) => signal.request(id, request),
                    None => error!("asked for a server within the local network"),
                },
                Output::Reply(id, answer) => {
                    answers.extend(self.replies.remove(&id).map(|reply| (reply, answer)));
                }
            }
        }
        if !answers.is_empty() {
            self.publish();
        }
        for (reply, answer) in answers {
            // Whoever asked may be gone.
            let _unheard = reply.send(answer);
        }
    }

    fn publish_if_due(&mut self) {
        if self.is_dirty() && self.published.at.elapsed() >= VIEW_INTERVAL {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.published = Published {
            revision: self.device.revision(),
            number: self.published.number + 1,
            in_force: self.folders.in_force(),
            at: Instant::now(),
        };
        let next = self.around.view(
            &self.device.snapshot(self.clock.now()),
            self.published.number,
            &self.clock,
            &self.folders,
        );
        self.publish.send_if_modified(|last| {
            let same = **last
                == View {
                    revision: last.revision,
                    ..next.clone()
                };
            if !same {
                *last = Arc::new(next);
            }
            !same
        });
    }

    fn is_dirty(&self) -> bool {
        self.published.revision != self.device.revision()
            || self.published.in_force != self.folders.in_force()
            || self.folders.is_moving()
    }

    /// When something is due without any input.
    fn wake_at(&self) -> Instant {
        let now = self.clock.now();
        let core = self
            .device
            .poll_timeout()
            .map_or(SLEEP_MAX, |due: Moment| due.since(now));
        let core = Instant::now() + core.min(SLEEP_MAX);
        let core = self.slack.due().map_or(core, |due| core.min(due));
        if self.is_dirty() {
            core.min(self.published.at + VIEW_INTERVAL)
        } else {
            core
        }
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

fn stopping() -> ViewError {
    ViewError::new("stopping")
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
