//! Which path two devices find, how soon, and what carries a file then.
//!
//! They pair by code; then one of them ends and starts again, so that what is measured is how known peers find
//! each other. A path is judged by counters: while a file is carried on a direct path the server passes on few
//! packets, and most bytes come from elsewhere.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::nat::Best;
use super::scenarios::{Outcome, Wire};
use super::site::{PATIENCE, Side, Site, path_of};
use super::world::World;
use crate::binaries::Built;

/// A meeting to try.
#[derive(Debug, Clone)]
pub(super) struct Meeting {
    pub(super) world: World,
    /// The path on which they should meet.
    pub(super) best: Best,
    /// Rest between meeting and carrying.
    pub(super) idle: Duration,
    /// Where nothing of the file may be seen.
    pub(super) wire: Wire,
    /// How soon after its start the one who was away has the other one's first byte, on whichever path.
    pub(super) first_byte: Option<Duration>,
    /// How soon after that they are on the best path.
    pub(super) better: Option<Duration>,
}

/// Tries it once, with everything below `place`.
pub(super) fn meet(meeting: &Meeting, built: &Built, place: PathBuf) -> Result<Outcome> {
    let mut site = Site::open(&meeting.world, built, place)?;
    let [anna, ben] = &mut site.devices;
    ben.stop()?;
    let begun = Instant::now();
    ben.start()?;
    ben.wait("a connection", PATIENCE, |view| path_of(view).is_some())?;
    let connected = begun.elapsed();
    let wanted = match meeting.best {
        Best::Turn => Best::Turn,
        Best::Direct | Best::Relay | Best::Either => Best::Direct,
    };
    let is_wanted = |view: &Value| path_of(view) == Some(wanted);
    let patience = match meeting.best {
        Best::Direct => DIRECT_WITHIN,
        Best::Turn | Best::Relay | Best::Either => BETTER_WITHIN,
    };
    // Each device chooses for what it sends: who carries the file must be there as well, a round trip later.
    let better = match ben.wait("a better path", patience, is_wanted) {
        Ok(_) => {
            anna.wait("the path that the other one has", PATIENCE, is_wanted)?;
            Some(begun.elapsed().saturating_sub(connected))
        }
        Err(_) => None,
    };
    thread::sleep(meeting.idle);
    let meter = site.meter(Side::Ben)?;
    let (before, outside) = (meter.count()?, site.lab.wan_bytes(0)?);
    let carried = site.send(Side::Anna, CARRIED_BYTES)?;
    carried.arrives(PATIENCE)?;
    let counted = meter.since(before)?;
    let packets = counted.server_packets;
    let outside = site.lab.wan_bytes(0)?.saturating_sub(outside);
    let found = if counted.through_server > CARRIED_BYTES / 2 {
        Best::Relay
    } else if counted.through_turn > CARRIED_BYTES / 2 {
        Best::Turn
    } else {
        Best::Direct
    };
    if found != Best::Relay && packets > ASIDE_PACKETS_MAX {
        bail!("{packets} packets came to the server, by which nothing was carried");
    }
    let said = path_of(&site.devices[1].view()?);
    if said != Some(found) || better.is_some() != (found == wanted) {
        bail!(
            "the devices say {said:?}, but {packets} packets came to the server and {} bytes left TURN",
            counted.through_turn
        );
    }
    let mut misses = Vec::new();
    if !meeting.best.is_met_by(found) {
        misses.push(format!("{found} where {} is possible", meeting.best));
    }
    if meeting.wire == Wire::Inside && outside >= CARRIED_BYTES / 10 {
        misses.push(format!("{outside} bytes of it left the LAN"));
    }
    if meeting.world.has_port_giver() {
        give_ports_back(&mut site)?;
    }
    let mut late = Vec::new();
    // A connection is told when the other one's first frame has come.
    if meeting.first_byte.is_some_and(|goal| connected > goal) {
        late.push(format!("first byte after {:.2} s", connected.as_secs_f64()));
    }
    if let (Some(goal), Some(after)) = (meeting.better, better)
        && after > goal
    {
        late.push(format!("{wanted} after {:.2} s", after.as_secs_f64()));
    }
    let better = better.map_or_else(
        || "-".to_owned(),
        |after| format!("{:.2} s", after.as_secs_f64()),
    );
    Ok(Outcome {
        told: vec![format!(
            "{found:<6}  connected {:.2} s, {wanted} {better}, {packets} packets at the server, {} KiB from TURN",
            connected.as_secs_f64(),
            counted.through_turn / 1024
        )],
        misses,
        late,
    })
}

/// Whoever has a port of the router gives it back at the end.
fn give_ports_back(site: &mut Site) -> Result<()> {
    if site.lab.ports_given()? == 0 {
        bail!("the router has given no port");
    }
    for device in &mut site.devices {
        device.stop()?;
    }
    match site.lab.ports_given()? {
        0 => Ok(()),
        left => bail!("{left} ports are still given after the end"),
    }
}

/// How long a better path than the first one is waited for where there is none: 10 s, far above the 3 s that a
/// search may take.
const BETTER_WITHIN: Duration = Duration::from_secs(10);

/// How long where there is one: 25 s. One birthday in sixty fails, and the next try ends within 10 s; both fail in
/// one case of 3,500.
const DIRECT_WITHIN: Duration = Duration::from_secs(25);

/// What is carried to see by which way: 4 MiB, about 3,500 packets; by the server some hundred, in which many are
/// together.
const CARRIED_BYTES: u64 = 4 << 20;

/// Packets that a server gets while that is carried another way: at most 200. Heartbeats and sealed addresses are
/// a few dozen.
const ASIDE_PACKETS_MAX: u64 = 200;
