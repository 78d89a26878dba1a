//! The UDP port of this device's life before, kept in the file `port` of its home.
//!
//! A device that comes back on the same port is found where its peers knew it, without a server,
//! and can disown the connections of its former life at once. It is a hint: what is not readable,
//! or taken by another program, gives way to any free port.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tracing::debug;

use crate::network::Port;

/// The port to listen on when the person has chosen none.
pub(crate) fn recall(home: &Path) -> Port {
    let text = fs::read_to_string(home.join(FILE)).ok();
    text.and_then(|text| parse(&text))
        .map_or(Port::Any, Port::Before)
}

fn parse(text: &str) -> Option<u16> {
    let port = text.trim().parse().ok();
    port.filter(|port| *port != 0)
}

/// Takes what a file `port` may hold.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    assert_ne!(std::str::from_utf8(bytes).ok().and_then(parse), Some(0));
}

/// Keeps the first port that was bound.
pub(crate) fn remember(home: &Path, bound: &[SocketAddr]) {
    let Some(port) = bound.first().map(SocketAddr::port) else {
        return;
    };
    if recall(home) == Port::Before(port) {
        return;
    }
    if let Err(error) = fs::write(home.join(FILE), format!("{port}\n")) {
        debug!(%error, "the port is not kept");
    }
}

const FILE: &str = "port";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_the_life_before_comes_back_and_nonsense_does_not() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(recall(home.path()), Port::Any);
        remember(home.path(), &[SocketAddr::from(([0, 0, 0, 0], 4321))]);
        assert_eq!(recall(home.path()), Port::Before(4321));
        for nonsense in ["", "0", "65536", "a port"] {
            fs::write(home.path().join(FILE), nonsense).unwrap();
            assert_eq!(recall(home.path()), Port::Any);
        }
    }
}
