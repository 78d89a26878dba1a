//! The signal server as a process: what it is asked to do, log, listener, signals. `towline-signal` is nothing else,
//! and `towline serve` is the same.
//!
//! Prints one line `listening on ws://ADDRESS/ws`, or `wss`, to standard output once it serves; everything
//! else goes to the log on standard error. Exit code 2 means that it was started wrongly.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::shell::config::{self, Asked, Refusal};
use crate::shell::{Identity, LogFormat, Options, Sockets, healthcheck, new_token, serve};

/// Does what these words ask, the first of which is the program's name, and returns what the process ends with.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let asked = match config::read(words) {
        Ok(asked) => asked,
        Err(Refusal::Words(error)) => error.exit(),
        Err(Refusal::File(sentence)) => return cannot_start(&sentence),
    };
    match asked {
        Asked::Serve(options) => match refuse_unknown() {
            Err(sentence) => cannot_start(&sentence),
            Ok(()) => {
                start_log(options.log_format);
                ended(serve_until_told(&options))
            }
        },
        Asked::Healthcheck(options) => match healthcheck::ask(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(sentence) => {
                complain(&sentence);
                ExitCode::FAILURE
            }
        },
        Asked::NewToken(label) => match new_token(&label) {
            Ok((token, line)) => {
                say(&format!(
                    "token, for its user: {token}\nline, for the server's file: {line}"
                ));
                ExitCode::SUCCESS
            }
            Err(error) => cannot_start(&error.to_string()),
        },
        Asked::CheckConfig(options) => match refuse_unknown().and_then(|()| readable(&options)) {
            Err(sentence) => cannot_start(&sentence),
            Ok(identity) => {
                say("the settings are right");
                if let Some(identity) = identity {
                    say(&format!(
                        "clients may pin this server's key: #{}",
                        identity.pin.to_fragment()
                    ));
                }
                ExitCode::SUCCESS
            }
        },
        Asked::Print(settings) => {
            say(&settings);
            ExitCode::SUCCESS
        }
    }
}

fn ended(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn refuse_unknown() -> Result<(), String> {
    config::refuse_unknown(std::env::vars_os().map(|(name, _)| name))
}

/// Whether all files that are named can be read; what the server shows itself with, if it does.
fn readable(options: &Options) -> Result<Option<Identity>, String> {
    if let Some(file) = options.access()? {
        file.read()?;
    }
    options.lending()?;
    options.redis()?;
    options
        .tls()
        .map(|files| Identity::read(&files))
        .transpose()
}

#[tokio::main]
async fn serve_until_told(options: &Options) -> anyhow::Result<ExitCode> {
    let scheme = match readable(options) {
        Err(sentence) => return Ok(cannot_start(&sentence)),
        Ok(Some(_)) => "wss",
        Ok(None) => "ws",
    };
    let address = options.address();
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return Ok(cannot_start(&cannot_listen(address, "--bind", &error))),
    };
    let metrics = match options.metrics_bind {
        None => None,
        Some(address) => match TcpListener::bind(address).await {
            Ok(listener) => Some(listener),
            Err(error) => {
                return Ok(cannot_start(&cannot_listen(
                    address,
                    "--metrics-bind",
                    &error,
                )));
            }
        },
    };
    let address = listener
        .local_addr()
        .context("asking for the address listened on")?;
    let mut stun = Vec::with_capacity(options.stun_bind.len());
    for address in &options.stun_bind {
        match UdpSocket::bind(address).await {
            Ok(socket) => stun.push(socket),
            Err(error) => {
                return Ok(cannot_start(&cannot_listen(
                    *address,
                    "--stun-bind",
                    &error,
                )));
            }
        }
    }
    let stun_ports = stun.iter().map(|socket| Ok(socket.local_addr()?.port()));
    let stun_ports: Vec<u16> = stun_ports.collect::<io::Result<_>>()?;
    let settings = match options.settings(&stun_ports) {
        Ok(settings) => settings,
        Err(sentence) => return Ok(cannot_start(&sentence)),
    };
    // Whoever reads the line may send a signal right after it.
    let signals = Signals::catch().context("catching signals")?;
    writeln!(io::stdout(), "listening on {scheme}://{address}/ws")
        .context("writing to standard output")?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        port = address.port(),
        "serving"
    );
    let cancel = CancellationToken::new();
    tokio::spawn(stop_on_signal(signals, cancel.clone()));
    let sockets = Sockets {
        clients: listener,
        stun,
        metrics,
    };
    serve(sockets, settings, cancel).await.context("serving")?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The first SIGTERM or Ctrl-C drains, the second ends the process at once.
async fn stop_on_signal(mut signals: Signals, cancel: CancellationToken) {
    signals.next().await;
    tracing::info!("stopping; a second signal stops at once");
    cancel.cancel();
    signals.next().await;
    std::process::exit(130);
}

/// The signals that ask the process to end, caught from the moment this exists.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// Held so that it ends nobody: where there is nothing to read again it means nothing.
    _hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signal that asks the process to end, caught from the moment this exists.
#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    async fn next(&mut self) {
        self.interrupt.recv().await;
    }
}

/// What was set is wrong.
fn cannot_start(sentence: &str) -> ExitCode {
    complain(sentence);
    ExitCode::from(2)
}

fn cannot_listen(address: SocketAddr, flag: &str, error: &io::Error) -> String {
    let (ip, port, kind) = (address.ip(), address.port(), error.kind());
    if kind == io::ErrorKind::AddrInUse {
        format!(
            "port {port} is taken by another program; stop that program or choose another port \
             with {flag} {ip}:PORT"
        )
    } else if kind == io::ErrorKind::PermissionDenied {
        format!(
            "port {port} needs more rights; choose a port above 1023 with {flag} {ip}:PORT, or grant \
             CAP_NET_BIND_SERVICE"
        )
    } else if kind == io::ErrorKind::AddrNotAvailable {
        format!("this machine has no address {ip}; choose one that it has with {flag}")
    } else {
        format!("cannot listen on {address}: {error}; choose another address with {flag}")
    }
}

fn say(text: &str) {
    // When standard output is closed there is nobody to tell.
    let _ = writeln!(io::stdout(), "{text}");
}

fn complain(sentence: &str) {
    // When standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "towline-signal: {sentence}");
}

/// Codes, keys and payloads pass through WebSockets, whose library tells all of it at `trace`. That is not compiled,
/// so that nobody can ask for it.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize);

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.init(),
    }
}
