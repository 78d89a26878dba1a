//! Two and more devices over real QUIC on loopback, with real files on the real disk.

mod large;
mod limited;
mod loopback;
mod several;
mod small;
#[cfg(unix)]
mod sparse;
mod strangers;
mod world;
