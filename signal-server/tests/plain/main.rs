//! Clients that know nothing but the documents: JSON as it is written there, over a plain WebSocket.

#[cfg(unix)]
mod access;
mod audit;
#[cfg(target_os = "linux")]
mod browser;
mod client;
mod forwarded;
#[cfg(unix)]
mod friends;
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "what it cost is told")]
mod hostile;
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "how long it took is told")]
mod instances;
#[cfg(unix)]
mod ordinary_log;
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "how long it took is told")]
mod outages;
mod page;
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "how long it took is told")]
mod parted;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod redis;
#[cfg(unix)]
mod redis_tls;
mod rooms;
mod server;
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "how long it took is told")]
mod without_redis;
