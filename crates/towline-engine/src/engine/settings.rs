//! How a device runs, why one cannot start, and why one ends.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use towline_core::io::{Discovery, NetworkScope};
use towline_store::OpenError;
use towline_wire::ice::IceServersError;

use crate::key::{KeyError, KeyPreference};
use crate::network::{NetworkError, PortMapping, ProxyError};
use crate::settings_file::{FileError, IceServersText};

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
    /// How far it goes: within the local network no server is asked, and nothing is sent beyond. When `None`, the
    /// files of settings say it, or else its person.
    pub scope: Option<NetworkScope>,
    /// Whether it is announced on the local network, and looks for others there.
    pub discovery: Discovery,
    /// Where numbers for Prometheus are served over HTTP; nowhere when `None`.
    pub metrics: Option<SocketAddr>,
}

impl Settings {
    /// A device at `home` that keeps to itself: no server, nothing announced or asked of a router, any free port, its
    /// key in a file. To begin from where only some of it shall be otherwise.
    #[must_use]
    pub fn alone(home: PathBuf) -> Self {
        Self {
            home,
            name: None,
            servers: Some(Vec::new()),
            default_server: None,
            proxy: None,
            udp_port: Some(0),
            ice_servers: None,
            port_mapping: PortMapping::Off,
            key: KeyPreference::FileOnly,
            scope: None,
            discovery: Discovery::Off,
            metrics: None,
        }
    }

    /// Whether it stays within the local network, where whoever starts it says so.
    pub(super) fn lan_only(&self) -> Option<bool> {
        self.scope.map(|scope| scope == NetworkScope::LocalNetwork)
    }
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

/// Why a device ended that nobody asked to.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// Its store broke.
    #[error(transparent)]
    Store(#[from] StoreBroken),
    /// It was to begin anew with other settings, and could not.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl EngineFault {
    /// A stable code: `store`, or one of [`StartError::code`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Start(error) => error.code(),
        }
    }
}
