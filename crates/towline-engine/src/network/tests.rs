//! Two or three networks with real identities and real sockets on loopback.

mod direct;
mod hostile;
mod nodes;
mod paths;
mod servers;
mod signal;
mod tls;
