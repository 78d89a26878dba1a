//! Every decision that a device makes, as pure state machines.
//!
//! [`device::Device`] takes inputs and time and yields outputs; it has no sockets, no clock, no disk
//! and no async, so a whole world of devices runs from one seed. It only routes; the decisions live
//! in its machines: [`pairing`] (strangers become peers) over `carrier` (through a server or the
//! local network), [`signal`] (a session with a signal server), [`sessions`] (at which servers we are), `reflexive` (from where others see us), `borrowing` (which address a TURN server lends us), [`link`] (the connection with one peer and the path
//! it uses), [`twin`] (two computers with one key) and [`folder`] (what must happen so that all replicas
//! agree).
//!
//! The contract is [`io`]: `handle_input(now, Input)`, `handle_timeout(now)`,
//! `poll_output() -> Option<Output>`, `poll_timeout() -> Option<Moment>`. Handling cannot fail; what
//! went wrong is an output. Randomness is a seed given at birth.

mod backoff;
mod borrowing;
mod carrier;
pub mod clock;
pub mod command;
pub mod device;
pub mod folder;
pub mod identity;
pub mod io;
pub mod link;
pub mod measuring;
pub mod outbox;
pub mod pairing;
pub mod path_kind;
pub mod ration;
pub mod records;
mod reflexive;
pub mod report;
pub mod sessions;
pub mod signal;
pub mod snapshot;
pub mod twin;
pub mod unproved;
pub mod versions;

#[cfg(test)]
mod tests;
