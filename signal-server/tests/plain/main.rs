//! Clients that know nothing but the documents: JSON as it is written there, over a plain WebSocket.

#[cfg(unix)]
mod access;
mod audit;
#[cfg(target_os = "linux")]
mod browser;
mod client;
mod page;
mod rooms;
mod server;
