//! Two or three networks with real identities and real sockets on loopback.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test waits for one kind of event and passes by the others"
)]
#![expect(
    clippy::print_stdout,
    reason = "what was measured is shown with --nocapture"
)]

mod direct;
mod hostile;
mod large;
mod measure;
mod nearby;
mod nodes;
mod paths;
mod real_server;
mod redial;
mod restart;
mod scatter;
mod servers;
mod signal;
mod third_party;
mod tls;
#[cfg(target_os = "linux")]
mod turn;
