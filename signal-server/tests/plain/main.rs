//! Clients that know nothing but the documents: JSON as it is written there, over a plain WebSocket.

mod access;
mod audit;
mod browser;

mod client;
mod page;
mod rooms;
