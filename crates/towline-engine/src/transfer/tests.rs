//! Two and more devices over real QUIC on loopback, with real files.
//!
//! The disk here is the simplest that keeps the contract: whole files, renames, no sync.

mod large;
mod loopback;
mod small;
mod strangers;
mod world;
