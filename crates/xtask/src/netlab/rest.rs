//! What two connected devices send each other while neither has anything to say.
//!
//! The first home's router counts it: UDP from the other home's address and to it, from IP upwards. The relay's
//! and the server's heartbeats are not in it.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::nat::{Best, Nat};
use super::scenarios::Outcome;
use super::site::{PATIENCE, Site, path_of};
use super::world::World;
use crate::binaries::Built;

/// Watches them for two minutes, with everything below `place`.
pub(super) fn rest(built: &Built, place: PathBuf) -> Result<Outcome> {
    let world = World::pair(Nat::Mapped, Nat::Mapped);
    let site = Site::open(&world, built, place)?;
    site.devices[1].wait("a direct path", PATIENCE, |view| {
        path_of(view) == Some(Best::Direct)
    })?;
    site.lab.count_direct()?;
    // What is measured is the passing of time.
    thread::sleep(SETTLING);
    let before = site.lab.direct()?;
    thread::sleep(WATCHED);
    let after = site.lab.direct()?;
    let minutes = WATCHED.as_secs() / 60;
    let bytes = after.bytes.saturating_sub(before.bytes) / minutes;
    let packets = after.packets.saturating_sub(before.packets) / minutes;
    let told = format!("{bytes} bytes a minute in {packets} packets (goal {BYTES_MAX})");
    let mut outcome = Outcome::default();
    if bytes > BYTES_MAX {
        outcome.misses.push(told.clone());
    } else if packets < PACKETS_MIN {
        outcome
            .misses
            .push(format!("{packets} packets a minute keep no path open"));
    }
    outcome.told.push(told);
    Ok(outcome)
}

/// Until the probes of a new connection and its search for a larger MTU have ended.
const SETTLING: Duration = Duration::from_secs(40);

/// Long enough for what comes once a minute, as that search would.
const WATCHED: Duration = Duration::from_secs(120);

/// What a peer may cost in a minute: 4 KB.
const BYTES_MAX: u64 = 4096;

/// Less than that is no keep-alive: 12 packets, so that a counter that sees nothing is no success.
const PACKETS_MIN: u64 = 12;
