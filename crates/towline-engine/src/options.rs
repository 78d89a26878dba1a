//! How a device is started, as people say it: the options that both shells have, with one name, one variable of
//! the environment and one sentence each. What they mean together is [`Settings`].

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use towline_core::io::{Discovery, NetworkScope};

use crate::engine::Settings;
use crate::key::KeyPreference;
use crate::network::PortMapping;
use crate::settings_file::IceServersText;

/// The signal server of this build: a setting of the release, given as `TOWLINE_DEFAULT_SERVER` when it is compiled.
/// A build from source has none.
pub const DEFAULT_SERVER: Option<&str> = match option_env!("TOWLINE_DEFAULT_SERVER") {
    Some(url) if !url.is_empty() => Some(url),
    Some(_) | None => None,
};

/// The options with which a shell starts a device.
#[derive(Debug, Args)]
pub struct Options {
    /// The signal server where devices meet, e.g. wss://signal.example.org/ws; more of them, separated by
    /// commas, to fall back on, at most three; empty for none. A server that is not for everybody gives out a token:
    /// `wss://TOKEN@signal.example.org/ws`, better set by the environment or in a file.
    #[arg(
        long,
        env = "TOWLINE_SERVER",
        hide_env_values = true,
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
    /// networks that this computer is on. Whoever starts it so cannot be overruled; else `towline lan-only` or the
    /// window switches it.
    #[arg(long, env = "TOWLINE_LAN_ONLY", value_parser = FalseyValueParser::new())]
    lan_only: bool,
    /// Do not announce this device on the local network (mDNS), and do not look for others there.
    #[arg(long, env = "DISABLE_MDNS", value_parser = FalseyValueParser::new())]
    no_mdns: bool,
    /// Do not ask the router for a port that leads to this device (PCP, NAT-PMP, UPnP).
    #[arg(long, env = "DISABLE_PORT_MAPPING", value_parser = FalseyValueParser::new())]
    no_port_mapping: bool,
}

impl Options {
    /// How the device at this home runs; numbers are served nowhere.
    pub fn settings(self, home: PathBuf) -> Settings {
        let key = if self.key_file {
            KeyPreference::FileOnly
        } else {
            KeyPreference::KeyringFirst
        };
        let scope = self.lan_only.then_some(NetworkScope::LocalNetwork);
        let discovery = if self.no_mdns {
            Discovery::Off
        } else {
            Discovery::On
        };
        let port_mapping = if self.no_port_mapping {
            PortMapping::Off
        } else {
            PortMapping::On
        };
        Settings {
            home,
            name: self.name,
            servers: self.server,
            default_server: DEFAULT_SERVER.map(str::to_owned),
            proxy: self.proxy,
            udp_port: self.port,
            ice_servers: self.ice_servers.map(IceServersText::from),
            port_mapping,
            key,
            scope,
            discovery,
            metrics: None,
        }
    }
}
