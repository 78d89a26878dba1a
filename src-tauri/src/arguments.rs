//! What the app is started with: the same names as the command line's `up`.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::FalseyValueParser;
use towline_engine::{
    Discovery, IceServersText, KeyPreference, NetworkScope, PortMapping, Settings,
};

/// The signal server that a build uses: a setting of the release, none in a build from source.
const DEFAULT_SERVER: Option<&str> = option_env!("TOWLINE_DEFAULT_SERVER");

/// Towline in a window.
#[derive(Debug, Parser)]
#[command(name = "towline-app", version, about)]
pub struct Arguments {
    /// Where this device keeps its key and its index [default: the user's data directory].
    #[arg(long, env = "TOWLINE_HOME", value_name = "DIRECTORY")]
    home: Option<PathBuf>,
    /// The signal server where devices meet, e.g. wss://signal.example.org/ws; more of them, separated by
    /// commas, to fall back on, at most three; empty for none.
    #[arg(
        long,
        env = "TOWLINE_SERVER",
        value_name = "URL",
        value_delimiter = ','
    )]
    server: Option<Vec<String>>,
    /// The proxy that leads to the signal server, e.g. `http://proxy.example:8080` or
    /// `socks5://user:password@proxy.example:1080`; empty for none [default: HTTPS_PROXY or ALL_PROXY].
    #[arg(
        long,
        env = "TOWLINE_PROXY",
        hide_env_values = true,
        value_name = "URL"
    )]
    proxy: Option<String>,
    /// The UDP port to listen on; 0 takes any free one.
    #[arg(long, env = "TOWLINE_PORT")]
    port: Option<u16>,
    /// STUN and TURN servers, a JSON list like
    /// `[{"urls": "turn:turn.example:3478", "username": "…", "credential": "…"}]`; empty for none. Better set by the
    /// environment or in a file: other users of this computer may see what a program is started with.
    #[arg(
        long,
        env = "ICE_SERVERS_JSON",
        hide_env_values = true,
        value_name = "JSON"
    )]
    ice_servers: Option<String>,
    /// What a new device is called [default: the host's name].
    #[arg(long, env = "TOWLINE_NAME")]
    name: Option<String>,
    /// Keep a new device's key in a file, without asking the system's keyring.
    #[arg(long, env = "TOWLINE_KEY_FILE")]
    key_file: bool,
    /// Stay within the local network: no server is asked, no name looked up, and nothing sent beyond the
    /// networks that this computer is on.
    #[arg(long, env = "TOWLINE_LAN_ONLY", value_parser = FalseyValueParser::new())]
    lan_only: bool,
    /// Do not announce this device on the local network (mDNS), and do not look for others there.
    #[arg(long, env = "DISABLE_MDNS", value_parser = FalseyValueParser::new())]
    no_mdns: bool,
    /// Do not ask the router for a port that leads to this device (PCP, NAT-PMP, UPnP).
    #[arg(long, env = "DISABLE_PORT_MAPPING", value_parser = FalseyValueParser::new())]
    no_port_mapping: bool,
}

/// Why the arguments are not enough.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentsError {
    /// Nobody said where the device lives.
    #[error("this user has no home directory; name one with --home")]
    NoHome,
}

impl Arguments {
    /// How the engine runs, if this app has to run one.
    pub(crate) fn settings(self) -> Result<Settings, ArgumentsError> {
        let key = if self.key_file {
            KeyPreference::FileOnly
        } else {
            KeyPreference::KeyringFirst
        };
        let scope = if self.lan_only {
            NetworkScope::LocalNetwork
        } else {
            NetworkScope::Everywhere
        };
        let discovery = if self.no_mdns {
            Discovery::Off
        } else {
            Discovery::On
        };
        Ok(Settings {
            home: self
                .home
                .or_else(default_home)
                .ok_or(ArgumentsError::NoHome)?,
            name: self.name,
            servers: self.server,
            default_server: DEFAULT_SERVER.map(str::to_owned),
            proxy: self.proxy,
            udp_port: self.port,
            ice_servers: self.ice_servers.map(IceServersText::from),
            key,
            scope,
            discovery,
            port_mapping: if self.no_port_mapping {
                PortMapping::Off
            } else {
                PortMapping::On
            },
            metrics: None,
        })
    }
}

/// The place that the command line takes too, so that both meet the same device.
fn default_home() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "towline").map(|places| places.data_dir().to_owned())
}
