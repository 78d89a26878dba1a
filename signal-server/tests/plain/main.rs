//! Clients that know nothing but the documents: JSON as it is written there, over a plain WebSocket.

#[cfg(unix)]
mod access;
mod audit;
#[cfg(target_os = "linux")]
mod browser;
mod client;
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "how long it took is told")]
mod instances;
mod page;
#[cfg(unix)]
mod redis;
mod rooms;
mod server;
