//! The network of this device: one QUIC endpoint over UDP and packet channels, and the session with
//! the signal server.
//!
//! It carries out [`NetworkRequest`]s and tells [`NetworkEvent`]s; which path is used, who is
//! dialled and when is decided by the core. Requests never wait. Events wait for a slow engine, and
//! with them the streams that they come from.
//!
//! `path_socket` is quinn's socket over all paths, `routes` its table; `probe` proves addresses;
//! `scatter` opens many sockets of which one is to be met; `stun` asks from where we are seen,
//! `port_mapping` the router for a port, `turn` a TURN server for an address;
//! `mdns` says on the local network that we are here, and `pairing` lets `strangers` from there in while a
//! code waits; `neighbourhood` knows what the local network is;
//! `fresh_ids` keeps connection ids to one way each; `tls` knows who is who; `drivers` are quinn's tasks, `endpoint` and `session` hold the
//! connections; `relay` the packet channels, `queue` what waits for or comes by them; `congestion` starts anew on another path;
//! `udp`, `websocket`, `proxy` and `addresses` touch the system; `signal_client` holds the sessions with signal
//! servers, `server_time` what time it is there.

mod access;
mod addresses;
mod congestion;
mod drivers;
mod endpoint;
mod fresh_ids;
mod lookup;
mod mdns;
#[cfg(feature = "measure")]
pub mod measure;
mod neighbourhood;
mod pairing;
mod path_socket;
mod port_mapping;
mod probe;
mod proxy;
mod queue;
mod relay;
mod routes;
mod scatter;
mod server_time;
mod session;
mod signal_client;
mod standstill;
mod strangers;
mod stun;
mod tls;
mod turn;
mod udp;
mod websocket;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, RwLock};

use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::mpsc;
use towline_core::identity::Identity;
use towline_core::io::{Discovery, NetworkEvent, NetworkRequest, NetworkScope};
use towline_wire::ids::DeviceId;
use towline_wire::packet::ChannelId;
use tracing::error;

use self::endpoint::{Comers, Connections};
use self::lookup::Names;
use self::mdns::Announcer;
use self::neighbourhood::Neighbourhood;
use self::pairing::Pairings;
use self::path_socket::PathSocket;
use self::port_mapping::PortMapper;
use self::probe::{ProbeKeys, Prober};
use self::relay::{Channel, Relays};
use self::routes::Routes;
use self::scatter::Scatters;
use self::session::CloseReason;
use self::stun::StunClient;
use self::tls::{TlsSettings, Trust};
use self::turn::Borrower;
use self::udp::UdpSockets;
use crate::tasks::Tasks;

pub(crate) use self::access::{AccessTokens, NoServerUrl, read_server};
pub(crate) use self::mdns::{MdnsSight, OwnAnnouncement};
#[cfg(any(test, fuzzing))]
pub(crate) use self::probe::enter as enter_probe;
pub(crate) use self::proxy::Proxies;
pub use self::proxy::ProxyError;
#[cfg(any(test, fuzzing))]
pub(crate) use self::proxy::enter as enter_proxy_answer;
pub(crate) use self::server_time::ServerTimes;
pub(crate) use self::signal_client::SignalClients;
#[cfg(any(test, fuzzing))]
pub(crate) use self::stun::{enter as enter_stun, seeds as stun_seeds};
pub(crate) use self::websocket::tls_settings;

/// Probes that wait for the prober: 128. They are opened far faster than they come; a flood of
/// copies of a peer's probes fills this and is dropped.
const PROBES_WAITING_MAX: usize = 128;

/// STUN answers that wait to be looked at: 16. A question has one; more is a flood.
const STUN_WAITING_MAX: usize = 16;

/// Where this device listens, and how it gets out.
#[derive(Debug, Clone)]
pub(crate) struct NetworkSettings {
    /// The UDP port.
    pub port: Port,
    /// The local addresses, at most one of each family; all interfaces by default.
    pub bind: Vec<IpAddr>,
    /// How far packets may go.
    pub scope: NetworkScope,
    /// Whether the device is announced on the local network.
    pub discovery: Discovery,
    /// Whether the router is asked for a port.
    pub port_mapping: PortMapping,
    /// The proxies that lead to signal servers.
    pub proxies: Arc<Proxies>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            port: Port::Any,
            bind: udp::any_address(),
            scope: NetworkScope::default(),
            discovery: Discovery::default(),
            port_mapping: PortMapping::Off,
            proxies: Arc::default(),
        }
    }
}

/// Whether the router is asked for a port that leads to this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortMapping {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Which UDP port a device listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// This one; an error when another program has it.
    Fixed(u16),
    /// This one if it is free, else any: the one of this device's life before.
    Before(u16),
    /// Any that is free.
    Any,
}

/// Why the network cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Another program has the port.
    #[error(
        "UDP port {port} is taken by another program; end that program, or choose another port (0 takes any free one)"
    )]
    PortTaken {
        /// The port that was asked for.
        port: u16,
    },
    /// No local address is given.
    #[error("no local address to listen on")]
    NoAddress,
    /// More than one local address of a family is given.
    #[error("two local addresses of one family")]
    TwoAddressesOfOneFamily,
    /// The system gives no socket.
    #[error("no UDP socket")]
    Socket(#[source] io::Error),
    /// Our own key is not usable for TLS; a bug.
    #[error("own key is not usable")]
    OwnKey(#[source] rustls::Error),
}

/// A bidirectional stream that a peer opened, for the data plane.
#[derive(Debug)]
pub(crate) struct IncomingStream {
    /// Who opened it.
    pub peer: DeviceId,
    /// Our direction.
    pub send: SendStream,
    /// The peer's direction.
    pub recv: RecvStream,
}

/// The network of this device.
pub(crate) struct Network {
    /// Where what names lead to goes.
    found: mpsc::Sender<NetworkEvent>,
    names: Names,
    identity: Identity,
    socket: Arc<PathSocket>,
    trust: Trust,
    prober: Arc<Prober>,
    scatters: Arc<Scatters>,
    stun: Arc<StunClient>,
    port_mapper: Option<Arc<PortMapper>>,
    borrower: Arc<Borrower>,
    relays: Arc<Relays>,
    connections: Connections,
    scope: NetworkScope,
    announcer: Option<Announcer>,
    pairings: Pairings,
    tasks: Tasks,
}

impl Network {
    /// Binds the sockets and listens. No key is trusted until the first `Trust`. What peers send
    /// waits when `events` or `streams` are full.
    pub(crate) async fn open(
        identity: Identity,
        settings: &NetworkSettings,
        events: mpsc::Sender<NetworkEvent>,
        streams: mpsc::Sender<IncomingStream>,
        tasks: &Tasks,
    ) -> Result<Self, NetworkError> {
        let found = events.clone();
        let tasks = tasks.child();
        let scope = settings.scope;
        let sockets = UdpSockets::bind(&settings.bind, settings.port)?;
        match scope {
            NetworkScope::LocalNetwork => sockets.keep_local().map_err(NetworkError::Socket)?,
            NetworkScope::Everywhere => {}
        }
        let neighbourhood = Arc::new(Neighbourhood::look());
        let ours = identity.id();
        let keys = Arc::new(RwLock::new(ProbeKeys::new(ours)));
        let (probes, probes_waiting) = mpsc::channel(PROBES_WAITING_MAX);
        let (answers, answers_waiting) = mpsc::channel(STUN_WAITING_MAX);
        let routes = Routes::new(ours);
        let socket = PathSocket::over(
            sockets,
            routes,
            Arc::clone(&keys),
            probes.clone(),
            answers,
            Arc::clone(&neighbourhood),
            scope,
        );
        let socket = Arc::new(socket.map_err(NetworkError::Socket)?);
        socket.ready().await.map_err(NetworkError::Socket)?;
        let trust = Trust::default();
        let tls = TlsSettings::new(&identity, &trust).map_err(NetworkError::OwnKey)?;
        let prober = Arc::new(Prober::new(Arc::clone(&socket), keys));
        tasks.spawn(
            "probes",
            Arc::clone(&prober).run(probes_waiting, events.clone()),
        );
        let scatters = Arc::new(Scatters::new(
            Arc::clone(&socket),
            Arc::clone(&prober),
            probes,
            events.clone(),
            tasks.clone(),
        ));
        let stun = Arc::new(StunClient::new(Arc::clone(&socket)));
        tasks.spawn(
            "STUN",
            Arc::clone(&stun).run(answers_waiting, events.clone()),
        );
        let port_mapper = match (settings.port_mapping, scope) {
            (PortMapping::On, NetworkScope::Everywhere) => {
                PortMapper::new(&socket.bound()).map(Arc::new)
            }
            (PortMapping::Off, _) | (PortMapping::On, NetworkScope::LocalNetwork) => None,
        };
        if let Some(mapper) = &port_mapper {
            tasks.spawn("port mapping", Arc::clone(mapper).run(events.clone()));
        }
        tasks.spawn(
            "local addresses",
            addresses::watch(
                Arc::clone(&socket),
                Arc::clone(&neighbourhood),
                events.clone(),
            ),
        );
        let announcer = match settings.discovery {
            Discovery::On => Some(Announcer::start(
                socket.bound(),
                Arc::clone(&neighbourhood),
                events.clone(),
                &tasks,
            )),
            Discovery::Off => None,
        };
        let names = Names::new(scope, settings.discovery, Arc::clone(&neighbourhood));
        let pairings = Pairings::new(
            Arc::clone(&socket),
            neighbourhood,
            events.clone(),
            announcer.as_ref().map(Announcer::say),
            tasks.clone(),
        );
        let relays = Arc::new(Relays::new(
            Arc::clone(&socket),
            events.clone(),
            Arc::clone(&settings.proxies),
            tasks.clone(),
        ));
        let borrower = Arc::new(Borrower::new(
            Arc::clone(&socket),
            events.clone(),
            tasks.clone(),
        ));
        let connections = Connections::open(
            Arc::clone(&socket),
            trust.clone(),
            tls,
            identity.reset_key(),
            Comers {
                events,
                streams,
                pairings: pairings.clone(),
            },
            tasks.clone(),
        )?;
        Ok(Self {
            names,
            identity,
            socket,
            trust,
            prober,
            scatters,
            stun,
            port_mapper,
            borrower,
            relays,
            connections,
            scope,
            announcer,
            pairings,
            found,
            tasks,
        })
    }

    /// Carries out a request of the core; never waits.
    pub(crate) fn request(&self, request: NetworkRequest) {
        match request {
            NetworkRequest::Trust(peers) => self.set_trust(peers),
            // What a peer may read is asked where it reads: by the data plane.
            NetworkRequest::Grant(_, _) => {}
            NetworkRequest::Probe(peer, addr) => self.prober.ping(peer, addr),
            // No server is asked and no router opened, whoever wants it.
            NetworkRequest::AskStun(_)
            | NetworkRequest::OpenRelay { .. }
            | NetworkRequest::Scatter { .. }
            | NetworkRequest::Borrow(_)
                if self.scope == NetworkScope::LocalNetwork =>
            {
                error!("asked for what leaves the local network");
            }
            NetworkRequest::ProbeLarge(peer, addr) => self.prober.ping_large(peer, addr),
            NetworkRequest::Scatter {
                peer,
                to,
                sockets,
                within,
            } => self.scatters.open(peer, to, sockets, within),
            NetworkRequest::Gather(peer) => self.scatters.gather(peer),
            NetworkRequest::AskStun(server) => {
                let stun = Arc::clone(&self.stun);
                self.tasks
                    .spawn("STUN question", async move { stun.ask(server).await });
            }
            NetworkRequest::LookUp(peer, places) => {
                let looked_up = self.names.look_up(peer, places, self.found.clone());
                self.tasks.spawn("look-up of a peer", looked_up);
            }
            NetworkRequest::Borrow(server) => self.borrower.borrow(server),
            NetworkRequest::GiveBack => self.borrower.give_back(),
            NetworkRequest::MapPort => self.port_mapper.iter().for_each(|mapper| mapper.ask()),
            NetworkRequest::Select(peer, path) => self.connections.select(peer, path),
            NetworkRequest::Dial(peer) => self.connections.dial(peer),
            NetworkRequest::Hangup(peer) => self.connections.hangup(peer, CloseReason::Done),
            NetworkRequest::HangupOnFault(peer) => {
                self.connections.hangup(peer, CloseReason::Protocol);
            }
            NetworkRequest::Abandon(peer, id) => self.connections.abandon(peer, id),
            NetworkRequest::Ask(peer, id, within) => self.connections.ask(peer, id, within),
            NetworkRequest::OpenRelay {
                peer,
                url,
                channel,
                token,
            } => {
                self.relays.open(Channel {
                    peer,
                    url,
                    id: ChannelId(channel),
                    token,
                });
            }
            NetworkRequest::CloseRelay(peer) => self.relays.close(peer),
            NetworkRequest::Send(peer, control) => self.connections.send(peer, &control),
            NetworkRequest::HostPairing(id, slot) => self.pairings.host(id, slot),
            NetworkRequest::MeetPairing(id, addresses) => self.pairings.meet(id, addresses),
            NetworkRequest::SendPairing(id, bytes) => self.pairings.send(id, bytes),
            NetworkRequest::ClosePairing(id) => self.pairings.close(id),
        }
    }

    /// The live connection with a peer, for the data plane to open streams on.
    pub(crate) fn connection(&self, peer: DeviceId) -> Option<Connection> {
        self.connections.connection(peer)
    }

    /// How announcements on the local network are; `None` where nothing is announced.
    pub(crate) fn mdns(&self) -> Option<MdnsSight> {
        self.announcer.as_ref().map(Announcer::sight)
    }

    /// The local addresses of the UDP sockets.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.socket.bound()
    }

    /// Tells the peers that we go, then ends every task of the network.
    pub(crate) async fn close(self) {
        self.connections.close().await;
        self.borrower.close().await;
        if let Some(mapper) = &self.port_mapper {
            mapper.release().await;
        }
        if let Some(announcer) = self.announcer {
            announcer.close().await;
        }
        self.tasks.close().await;
    }

    fn set_trust(&self, peers: BTreeSet<DeviceId>) {
        let mut routes = self.socket.routes_mut();
        for peer in &peers {
            routes.add_peer(*peer);
        }
        drop(routes);
        self.prober.set_peers(&self.identity, &peers);
        let before = self.trust.replace(peers.clone());
        self.connections.keep_only(&peers);
        for removed in before.difference(&peers) {
            self.scatters.gather(*removed);
            self.socket.routes_mut().shut_out(*removed);
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
