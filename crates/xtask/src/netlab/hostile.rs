//! Two devices and an enemy on the line between them: what [`super::enemy`] adds to all that passes.
//!
//! They meet directly and carry a file; then nothing of the other home comes any more, so that they are relayed,
//! while what is sent there still passes the enemy; at last all is well again. The kernel of the first host counts
//! what comes from somebody who has no part in it, and what is sent there.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::enemy::THIRD_PARTY;
use super::lab::Cut;
use super::line::Line;
use super::nat::{Best, Nat};
use super::scenarios::Outcome;
use super::site::{PATIENCE, Side, Site, path_of};
use super::world::World;
use crate::binaries::Built;

/// Tries it once over this line, with everything below `place`.
pub(super) fn withstand(line: Line, built: &Built, place: PathBuf) -> Result<Outcome> {
    // Everybody gets in at the first router: also who has no part in it.
    let world = World::pair(Nat::FullCone, Nat::Mapped).over(Line {
        hostile: true,
        ..line
    });
    let mut site = Site::open(&world, built, place)?;
    site.lab
        .count_of_host(&Ipv4Addr::from(THIRD_PARTY).to_string())?;
    let mut outcome = Outcome::default();
    carried(&mut site, Best::Direct, &mut outcome)?;
    site.lab.cut(Cut::Answers)?;
    carried(&mut site, Best::Relay, &mut outcome)?;
    let before = site.lab.of_host("sent")?;
    // What is measured is the passing of time.
    thread::sleep(WATCHED);
    let sent = site.lab.of_host("sent")?.packets - before.packets;
    site.lab.heal()?;
    carried(&mut site, Best::Direct, &mut outcome)?;
    let came = site.lab.of_host("from_nobody")?.packets;
    let answered = site.lab.of_host("to_nobody")?;
    let (answered, bytes) = (answered.packets, answered.bytes);
    outcome.told.push(format!(
        "{answered} packets ({bytes} bytes) to a third party that {came} claimed to come from; {sent} of UDP in {} s relayed",
        WATCHED.as_secs()
    ));
    if came < CLAIMED_MIN {
        outcome
            .misses
            .push(format!("only {came} packets were forged"));
    }
    if answered > ANSWERED_MAX {
        outcome
            .misses
            .push(format!("{answered} packets to a third party"));
    }
    if sent > SENT_MAX {
        outcome.misses.push(format!("{sent} packets while relayed"));
    }
    Ok(outcome)
}

/// Waits for this path and carries a file.
fn carried(site: &mut Site, path: Best, outcome: &mut Outcome) -> Result<()> {
    let begun = Instant::now();
    site.devices[0].wait("the path", PATIENCE, |view| path_of(view) == Some(path))?;
    let took = begun.elapsed();
    let meter = site.meter(Side::Ben)?;
    let before = meter.count()?;
    let sent = site.send(Side::Anna, CARRIED_BYTES)?;
    sent.arrives(PATIENCE)?;
    let through = meter.since(before)?.through_server;
    let is_relayed = through >= CARRIED_BYTES;
    outcome.told.push(format!(
        "{path} after {:.2} s, {} KiB through the server",
        took.as_secs_f64(),
        through / 1024
    ));
    if is_relayed != (path == Best::Relay) {
        outcome
            .misses
            .push(format!("{through} bytes through the server, {path}"));
    }
    Ok(())
}

/// What is carried each time: 4 MiB.
const CARRIED_BYTES: u64 = 4 << 20;

/// How long what is sent at rest is counted.
const WATCHED: Duration = Duration::from_secs(30);

/// UDP that a device may send meanwhile: 200 packets, what a search for a path and STUN take.
const SENT_MAX: u64 = 200;

/// Packets that may go to somebody who has no part in it: four answers with a probe each, and two a minute
/// (`towline_core::unproved`).
const ANSWERED_MAX: u64 = 12;

/// Fewer forged packets would show nothing.
const CLAIMED_MIN: u64 = 1000;
