//! The signal server: introduces devices and passes on packets that it cannot read.
//!
//! [`rendezvous`] decides everything and is pure: no sockets, no clock, no async, no ambient
//! randomness. [`shell`] is thin: it carries the rendezvous' decisions to real WebSockets. It runs as a process of its
//! own ([`program`]), or in that of a device's shell ([`beside`]). The server never sees a file name, the secret half
//! of a code, or plaintext, and logs no code.

pub mod beside;
pub mod program;
pub mod rendezvous;
pub mod shell;
