//! Two devices that nothing introduces: their server is gone, no announcement passes the routers, and one of them
//! listens elsewhere than before. Where a person says that it is they meet.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::nat::{Best, Nat};
use super::scenarios::Outcome;
use super::site::{PATIENCE, Side, Site, path_of};
use super::world::World;
use crate::binaries::Built;

/// Tries it once with everything below `place`.
pub(super) fn meet_where_said(built: &Built, place: PathBuf) -> Result<Outcome> {
    let world = World::pair(Nat::Mapped, Nat::Open);
    let mut site = Site::open(&world, built, place)?;
    site.kill_server();
    for device in &mut site.devices {
        device.stop()?;
    }
    let words = site.lab.hosts[1].words();
    let port = format!("TOWLINE_PORT={PORT}");
    site.devices[1].set_words([words, vec!["env".to_owned(), port]].concat());
    for device in &mut site.devices {
        device.start()?;
    }
    // What is measured is the passing of time.
    thread::sleep(ALONE);
    if path_of(&site.devices[0].view()?).is_some() {
        bail!("they meet although nobody says where the other is");
    }
    let said = Instant::now();
    let at = format!("192.168.2.3:{PORT}");
    site.devices[0].call(&["peers", "add-address", "Ben", &at], None)?;
    site.devices[0].wait("the path", PATIENCE, |view| {
        path_of(view) == Some(Best::Direct)
    })?;
    let took = said.elapsed();
    site.send(Side::Ben, CARRIED_BYTES)?.arrives(PATIENCE)?;
    let shown = site.devices[0].call(&["peers"], None)?;
    let mut outcome = Outcome::default();
    if shown[0]["places"][0] != at.as_str() {
        outcome.misses.push(format!("{at} is not shown"));
    }
    let told = format!("direct {:.2} s after it is said where", took.as_secs_f64());
    if took > MET_WITHIN {
        outcome.late.push(told.clone());
    }
    outcome.told.push(told);
    Ok(outcome)
}

/// Where the second device listens from then on.
const PORT: u16 = 41_641;

/// How long they are left alone first: 5 s, some rounds of probes to where each was before.
const ALONE: Duration = Duration::from_secs(5);

/// What is carried: 1 MiB.
const CARRIED_BYTES: u64 = 1 << 20;

/// Within this they are connected: 1 s.
const MET_WITHIN: Duration = Duration::from_secs(1);
