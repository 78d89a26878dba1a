//! Everything that can be set, each declared once: its flag, its variable, and with the flag's name in
//! underscores its key in a TOML file ([`super::config`]).

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use ipnet::IpNet;
use towline_wire::ice::{ICE_SERVERS_TOLD_MAX, IceServers};
use towline_wire::limits::CODE_SECONDS;
use towline_wire::signal::HostName;

use super::{AccessFile, AccessKind, Redis, Settings, TlsFiles};
use crate::rendezvous::{self, Lending, LendingSecret, Rate};

/// How the server is to run.
#[derive(Debug, Args)]
pub struct Options {
    /// A TOML file that sets what no flag and no variable does; its keys are the flags' names with underscores
    #[arg(long, env = "SIGNAL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Address and port to listen on; port 0 takes a free one [default: 0.0.0.0 and PORT or 8080]
    #[arg(long, env = "SIGNAL_BIND", value_name = "ADDRESS:PORT", value_parser = address)]
    pub bind: Option<SocketAddr>,

    /// Port to listen on where --bind is not given, as hosting platforms set it
    #[arg(long, env = "PORT", value_name = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Address and port where /metrics is read, with /health and /ready; without it where clients come
    #[arg(long, env = "SIGNAL_METRICS_BIND", value_name = "ADDRESS:PORT", value_parser = address)]
    pub metrics_bind: Option<SocketAddr>,

    /// Certificate in PEM, the server's own first; with it and its key the server speaks TLS 1.3 itself. It is read
    /// again on SIGHUP and when it changes
    #[arg(
        long,
        env = "SIGNAL_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM
    #[arg(
        long,
        env = "SIGNAL_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// Who may use the server: everybody, who shows a token, or devices on a list
    #[arg(long, env = "SIGNAL_ACCESS", value_name = "WHO", value_enum, default_value_t = AccessKind::Open)]
    pub access: AccessKind,

    /// For --access tokens, a file with the lines that `towline-signal new-token` prints; for --access devices, one
    /// with a device id in each line. It is read again on SIGHUP and when it changes; whoever is in it no longer is
    /// closed
    #[arg(
        long,
        env = "SIGNAL_ACCESS_FILE",
        value_name = "FILE",
        required_if_eq_any([("access", "tokens"), ("access", "devices")])
    )]
    pub access_file: Option<PathBuf>,

    /// A name or IP address that clients reach this server by; repeat for several. Without any,
    /// the server goes by the address at which a connection arrives (and localhost on loopback);
    /// behind NAT, a proxy or a DNS name, name it
    #[arg(long = "host-name", env = "SIGNAL_HOST_NAMES", value_delimiter = ',', value_name = "NAME", value_parser = host_name)]
    pub host_names: Vec<HostName>,

    /// UDP address and port on which to answer STUN; repeat for several, of which two let clients see what
    /// their router does. Clients are told of each at the name by which they reach this server
    #[arg(
        long,
        env = "SIGNAL_STUN_BIND",
        value_delimiter = ',',
        value_name = "ADDRESS:PORT",
        value_parser = address
    )]
    pub stun_bind: Vec<SocketAddr>,

    /// Another STUN server told to clients; repeat for several
    #[arg(
        long,
        env = "SIGNAL_STUN",
        value_delimiter = ',',
        value_name = "HOST:PORT"
    )]
    pub stun: Vec<String>,

    /// A TURN server that devices may use, such as turn:turn.example.org:3478 or turns:turn.example.org; repeat for
    /// several. It and this server share a secret (coturn: use-auth-secret)
    #[arg(
        long = "turn",
        env = "SIGNAL_TURN",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub turn: Vec<String>,

    /// The secret shared with the TURN servers (coturn: static-auth-secret), at least 16 characters; better in a file
    #[arg(
        long,
        env = "SIGNAL_TURN_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        conflicts_with = "turn_secret_file"
    )]
    pub turn_secret: Option<String>,

    /// A file with the secret shared with the TURN servers
    #[arg(long, env = "SIGNAL_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,

    /// Seconds that credentials for TURN servers hold; devices are told of new ones at half that time
    #[arg(long, env = "SIGNAL_TURN_SECONDS", value_name = "SECONDS", default_value_t = 3600, value_parser = value_parser!(u64).range(300..=86_400))]
    pub turn_seconds: u64,

    /// A network, or an address, of proxies that are believed when they say in X-Forwarded-For where a client comes
    /// from; repeat for several
    #[arg(
        long,
        env = "SIGNAL_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORK",
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Connections at once [default: 80 % of the file descriptors that the process may open]
    #[arg(long, env = "SIGNAL_MAX_CONNECTIONS", value_name = "COUNT")]
    pub max_connections: Option<usize>,

    /// New connections per second, of everybody; more wait
    #[arg(long, env = "SIGNAL_ACCEPTS_PER_SECOND", value_name = "COUNT", default_value_t = 2000, value_parser = value_parser!(u32).range(1..))]
    pub accepts_per_second: u32,

    /// Rooms at once
    #[arg(
        long,
        env = "SIGNAL_MAX_ROOMS",
        value_name = "COUNT",
        default_value_t = 10_000
    )]
    pub max_rooms: usize,

    /// Seconds that a room lasts in which nothing happens
    #[arg(long, env = "SIGNAL_ROOM_TIMEOUT", value_name = "SECONDS", default_value_t = 3600, value_parser = value_parser!(u64).range(1..=604_800))]
    pub room_timeout: u64,

    /// Messages per second that one client may send, in bursts of three seconds' worth; 0 for no limit
    #[arg(
        long,
        env = "SIGNAL_MESSAGES_PER_SECOND",
        value_name = "COUNT",
        default_value_t = 20
    )]
    pub messages_per_second: u32,

    /// Bytes per second that one end of a relay channel may send, in bursts of four seconds' worth;
    /// 0 for no limit
    #[arg(long, env = "SIGNAL_RELAY_BYTES_PER_SECOND", value_name = "BYTES", default_value_t = 2 * 1024 * 1024)]
    pub relay_bytes_per_second: u32,

    /// Bytes per second that all relay channels together may send; 0 for no limit
    #[arg(
        long,
        env = "SIGNAL_RELAY_TOTAL_BYTES_PER_SECOND",
        value_name = "BYTES",
        default_value_t = 0
    )]
    pub relay_total_bytes_per_second: u32,

    /// Seconds that a pairing code waits to be used, at most 300
    #[arg(long, env = "SIGNAL_CODE_SECONDS", value_name = "SECONDS", default_value_t = CODE_SECONDS, value_parser = value_parser!(u64).range(1..=CODE_SECONDS))]
    pub code_seconds: u64,

    /// The Redis by which several instances of the server share codes, rooms and presence, such as redis://10.0.0.5:6379,
    /// rediss://redis.example.org:6380 (over TLS) or redis+unix:///run/redis.sock. Without it this one is alone. A URL with a
    /// password is better in a file
    #[arg(
        long,
        env = "SIGNAL_REDIS_URL",
        hide_env_values = true,
        value_name = "URL",
        conflicts_with = "redis_url_file"
    )]
    pub redis_url: Option<String>,

    /// A file with the URL of Redis
    #[arg(long, env = "SIGNAL_REDIS_URL_FILE", value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,

    /// A PEM file with the certificates of those who may sign for a rediss:// Redis, instead of the system's authorities
    #[arg(long, env = "SIGNAL_REDIS_CA", value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,

    /// The name of this instance among several: both ends of a relay channel come to it at /at/NAME/relay/CHANNEL, which
    /// the proxy in front passes on to this one and no other
    #[arg(long, env = "SIGNAL_INSTANCE", value_name = "NAME", value_parser = instance)]
    pub instance: Option<String>,

    /// Seconds between SIGTERM and the end, in which clients are told to go elsewhere
    #[arg(
        long,
        env = "SIGNAL_DRAIN_SECONDS",
        value_name = "SECONDS",
        default_value_t = 5
    )]
    pub drain_seconds: u64,

    /// A file to which it is added, a JSON object per line, what happens at the doors: registrations, pairings, rooms,
    /// refusals; without codes, payloads, keys and addresses. It is opened anew on SIGHUP
    #[arg(long, env = "SIGNAL_AUDIT_LOG", value_name = "FILE")]
    pub audit_log: Option<PathBuf>,

    /// Form of the log on standard error; RUST_LOG chooses what is logged
    #[arg(long, env = "SIGNAL_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For reading in a terminal.
    Text,
}

impl Options {
    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.bind
            .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], self.port)))
    }

    /// Where certificate and key lie, if the server speaks TLS itself.
    pub fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
        })
    }

    /// Where it is written who may use the server.
    ///
    /// # Errors
    /// When there is a file that nobody asks for.
    pub fn access(&self) -> Result<Option<AccessFile>, String> {
        match (self.access, &self.access_file) {
            (AccessKind::Open, None) => Ok(None),
            (AccessKind::Open, Some(_)) => Err(
                "--access-file says who may use the server, and --access open lets everybody in; set --access to \
                 tokens or devices"
                    .to_owned(),
            ),
            (_, None) => Err("--access needs --access-file".to_owned()),
            (kind, Some(path)) => Ok(Some(AccessFile {
                kind,
                path: path.clone(),
            })),
        }
    }

    /// The TURN servers that devices may use.
    ///
    /// # Errors
    /// When a URL or the secret makes no sense, or one of both is missing; the secret is not repeated.
    pub fn lending(&self) -> Result<Option<Lending>, String> {
        let secret = match (&self.turn_secret, &self.turn_secret_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(path)) => Some(secret_in(path)?),
            (None, None) => None,
        };
        let secret = match (secret, self.turn.as_slice()) {
            (None, []) => return Ok(None),
            (Some(_), []) => {
                return Err("there is a secret for TURN servers and no --turn names one".to_owned());
            }
            (None, _) => {
                return Err("--turn needs the secret that it shares: --turn-secret-file".to_owned());
            }
            (Some(secret), _) => LendingSecret::parse(&secret)
                .ok_or("the secret for TURN servers has fewer than 16 characters")?,
        };
        let urls = serde_json::json!([{"urls": self.turn, "username": "-", "credential": "-"}]);
        let read =
            IceServers::parse(&urls.to_string()).map_err(|error| format!("--turn: {error}"))?;
        if !read.stun.is_empty() || read.turn.len() > ICE_SERVERS_TOLD_MAX {
            return Err(format!(
                "--turn names at most {ICE_SERVERS_TOLD_MAX} servers, by turn: or turns: URLs"
            ));
        }
        let servers = read.turn.into_iter();
        Ok(Some(Lending {
            servers: servers
                .map(|server| (server.place.clone(), server.transport))
                .collect(),
            secret,
            life: Duration::from_secs(self.turn_seconds),
        }))
    }

    /// The Redis that is shared with other instances.
    ///
    /// # Errors
    /// When its URL makes no sense or a file cannot be read; the URL is not repeated.
    pub fn redis(&self) -> Result<Option<Redis>, String> {
        let url = match (&self.redis_url, &self.redis_url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(path)) => secret_in(path)?,
            (None, None) if self.redis_ca.is_some() => {
                return Err("--redis-ca is for a --redis-url that begins with rediss://".to_owned());
            }
            (None, None) if self.instance.is_some() => {
                return Err("--instance names one of several, which share a --redis-url".to_owned());
            }
            (None, None) => return Ok(None),
        };
        if self.instance.is_none() {
            return Err("--redis-url needs --instance, the name of this one of several".to_owned());
        }
        Redis::at(&url, self.redis_ca.as_deref()).map(Some)
    }

    /// The settings that these options mean, where STUN is answered on these ports.
    ///
    /// # Errors
    /// As [`access`](Self::access), [`lending`](Self::lending) and [`redis`](Self::redis).
    pub fn settings(&self, stun_ports: &[u16]) -> Result<Settings, String> {
        let ours = stun_ports.iter().map(|port| format!(":{port}"));
        // At most so much each second, and more at once.
        let bounded = |rate: u32, burst_seconds: u32| {
            (rate > 0).then(|| Rate::per_second(rate, rate.saturating_mul(burst_seconds)))
        };
        let rendezvous = rendezvous::Settings {
            host_names: self.host_names.clone(),
            stun: ours.chain(self.stun.iter().cloned()).collect(),
            connections_max: self.max_connections.unwrap_or_else(sockets_by_descriptors),
            request_rate: bounded(self.messages_per_second, 3),
            packet_rate: bounded(self.relay_bytes_per_second, 4),
            packet_rate_total: bounded(self.relay_total_bytes_per_second, 1),
            lending: self.lending()?,
            relay_base: (self.instance.as_ref())
                .map_or_else(String::new, |name| format!("/at/{name}")),
            code_life: Duration::from_secs(self.code_seconds),
            rooms_max: self.max_rooms,
            room_life: Duration::from_secs(self.room_timeout),
            ..rendezvous::Settings::default()
        };
        Ok(Settings {
            rendezvous,
            tls: self.tls(),
            access: self.access()?,
            sockets_max: sockets_by_descriptors(),
            accept_rate: Rate::per_second(self.accepts_per_second, self.accepts_per_second),
            audit_log: self.audit_log.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            redis: self.redis()?,
            drain: Duration::from_secs(self.drain_seconds),
            ..Settings::default()
        })
    }
}

/// What a file of one secret holds, without the end of its line.
fn secret_in(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    file.take(SECRET_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| format!("{shown}: {error}"))?;
    Ok(text.trim().to_owned())
}

/// Longest file of a secret that is read: 4 KiB.
const SECRET_BYTES_MAX: u64 = 4096;

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080".to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| alone())
        .map_err(|_| "give a network such as 10.0.0.0/8, or an IP address".to_owned())
}

fn instance(text: &str) -> Result<String, String> {
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let fits = (1..=32).contains(&text.len()) && text.chars().all(plain);
    let text = fits.then(|| text.to_owned());
    text.ok_or_else(|| "give up to 32 small letters, digits and hyphens".to_owned())
}

fn host_name(text: &str) -> Result<HostName, String> {
    HostName::parse(text)
        .ok_or_else(|| "give a host name or IP address without scheme, port and path".to_owned())
}

#[cfg(unix)]
fn sockets_by_descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1 << 20);
    limit / 5 * 4
}

#[cfg(not(unix))]
fn sockets_by_descriptors() -> usize {
    rendezvous::Settings::default().connections_max
}
