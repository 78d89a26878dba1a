//! Two devices whose servers lie: which third party gets packets because of it, and how many.
//!
//! They must connect all the same. The kernel of the third party counts what comes to it, and those of both hosts
//! what they send to groups, to everybody and to themselves.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::liar::Lie;
use super::nat::Nat;
use super::scenarios::Outcome;
use super::site::{PATIENCE, Side, Site, path_of};
use super::world::World;
use crate::binaries::Built;

/// Tries it once with everything below `place`.
pub(super) fn deceived(lie: Lie, built: &Built, place: PathBuf) -> Result<Outcome> {
    let world = World::pair(Nat::Mapped, Nat::Mapped).deceived(lie);
    let mut site = Site::open(&world, built, place)?;
    let connected = |view: &_| path_of(view).is_some();
    let view = site.devices[0].wait("a path", PATIENCE, connected)?;
    let mut outcome = Outcome::default();
    let path = path_of(&view).map_or_else(String::new, |path| path.to_string());
    site.send(Side::Anna, CARRIED_BYTES)?.arrives(PATIENCE)?;
    // What is measured is the passing of time.
    thread::sleep(WATCHED);
    let connected = |view: &_| path_of(view).is_some();
    site.devices[1].wait("a path still", PATIENCE, connected)?;
    let came = site.lab.to_victim()?;
    let nowhere = [0, 1].map(|host| site.lab.to_nowhere(host));
    let [anna, ben] = nowhere;
    let nowhere = anna?.packets + ben?.packets;
    let (packets, bytes) = (came.packets, came.bytes);
    outcome.told.push(format!(
        "{path}; {packets} packets ({bytes} bytes) to a third party and {nowhere} to nobody in {} s by two devices",
        WATCHED.as_secs()
    ));
    if packets > TO_VICTIM_MAX || bytes > packets * SMALL_BYTES {
        let miss = format!("{packets} packets, {bytes} bytes to a third party");
        outcome.misses.push(miss);
    }
    if nowhere > 0 {
        let miss = format!("{nowhere} packets to groups, everybody or oneself");
        outcome.misses.push(miss);
    }
    if lie == Lie::EverybodyIsThirdParty && packets == 0 {
        outcome.misses.push("nobody has heard the lie".to_owned());
    }
    Ok(outcome)
}

/// What is carried to see that they are connected: 1 MiB.
const CARRIED_BYTES: u64 = 1 << 20;

/// How long what is sent is counted: a minute, with its slow rounds of probes.
const WATCHED: Duration = Duration::from_secs(60);

/// Packets that two devices together may send to somebody who has no part in it.
const TO_VICTIM_MAX: u64 = 40;

/// How large each may be, from IP upwards: 128 bytes.
const SMALL_BYTES: u64 = 128;
