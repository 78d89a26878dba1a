//! What happens to a running transfer when the network changes: how soon bytes flow again, and on which path.
//!
//! A file of numbered words runs over a slow line. Every time is taken from the moment at which the lab has
//! done something until the counters show that payload has come, and never from a device's word.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::lab::Cut;
use super::line::Line;
use super::meter::{Meter, Way};
use super::nat::{Best, Nat};
use super::scenarios::Outcome;
use super::site::{PATIENCE, Side, Site, path_of};
use super::turn::Turn;
use super::world::World;
use crate::binaries::Built;
use crate::run;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The direct path dies silently, and works again after 6 s.
    DirectCut,
    /// No UDP passes any more.
    UdpBlocked,
    /// Nothing passes for so many seconds.
    Outage(u64),
    /// Another cable with another network.
    UplinkSwapped,
    /// Another address on the same LAN.
    AddressChanged,
    /// Another public address of the router.
    PublicAddressChanged,
    /// The server crashes and starts again while the transfer is direct; then the direct path dies.
    ServerRestarted,
    /// The server crashes and starts again while it carries the transfer.
    RelayRestarted,
    /// All connections with the server are reset while it carries the transfer.
    ConnectionsReset,
    /// Nothing passes for so many seconds while the server carries the transfer.
    RelayOutage(u64),
    /// The network comes and goes for a minute.
    Flaps(Flap),
    /// The same while the server carries the transfer.
    RelayFlaps(Flap),
    /// The TURN server that carries the transfer is killed.
    TurnKilled,
    /// Nothing: the line is bad by itself.
    Nothing,
    /// The receiver sleeps for so many seconds.
    Sleep(u64),
}

/// What comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flap {
    /// Nothing passes the router.
    Line,
    /// The first host's cable is pulled.
    Cable,
    /// All connections with the server are reset.
    Server,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// The device that dials, and chooses the path.
    Dialer,
    /// The device that follows.
    Acceptor,
}

/// A change under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) change: Change,
    pub(super) sender: Sender,
    pub(super) line: Line,
    pub(super) bytes: u64,
}

/// A running transfer.
struct Transfer<'a> {
    site: &'a mut Site,
    to: Side,
    meter: Meter,
    outcome: Outcome,
}

/// Tries it once, with everything below `place`.
pub(super) fn carry(load: &Load, built: &Built, place: PathBuf) -> Result<Outcome> {
    let relayed = matches!(
        load.change,
        Change::RelayRestarted
            | Change::ConnectionsReset
            | Change::RelayOutage(_)
            | Change::RelayFlaps(_)
    );
    let (world, expected, first) = if relayed {
        let world = World::pair(Nat::NoUdp, Nat::Mapped);
        (world, Best::Relay, Way::Relay)
    } else if load.change == Change::TurnKilled {
        let world = World::pair(Nat::Symmetric, Nat::Symmetric).with_turn(Turn::UDP);
        (world, Best::Turn, Way::Turn)
    } else {
        let world = World::pair(Nat::Mapped, Nat::Mapped);
        (world, Best::Direct, Way::Direct)
    };
    let mut site = Site::open(&world.over(load.line), built, place)?;
    if load.change == Change::UplinkSwapped {
        site.lab.prepare_spare()?;
    }
    let is_there = |view: &Value| path_of(view) == Some(expected);
    site.devices[0].wait("the first path", PATIENCE, is_there)?;
    let dialer = site.dialer()?;
    let from = match load.sender {
        Sender::Dialer => dialer,
        Sender::Acceptor => dialer.other(),
    };
    let to = from.other();
    let before = [Side::Anna, Side::Ben].map(|side| site.connections(side));
    let meter = site.meter(to)?;
    let begun = Instant::now();
    let start = meter.count()?;
    let sent = site.send(from, load.bytes)?;
    let mut transfer = Transfer {
        site: &mut site,
        to,
        meter,
        outcome: Outcome::default(),
    };
    transfer
        .meter
        .flows(begun, first, PATIENCE)?
        .context("nothing flows even before the change")?;
    thread::sleep(STEADY);
    let stays = transfer.change(load.change)?;
    if load.change != Change::Nothing && sent.has_come() {
        bail!("the file was carried before the change was over");
    }
    let Transfer {
        meter, mut outcome, ..
    } = transfer;
    sent.arrives(REST_WITHIN)?;
    let took = begun.elapsed();
    let mut connections = 0;
    for (side, before) in [Side::Anna, Side::Ben].into_iter().zip(before) {
        connections = connections.max(site.connections(side)?.saturating_sub(before?));
    }
    if stays == Connection::Stays && connections > 0 {
        outcome
            .misses
            .push(format!("{connections} new connections"));
    }
    let wire = meter.since(start)?.arrived;
    outcome.told.push(format!(
        "all words once after {:.1} s, {} new connections, {:.2} bytes on the wire per byte",
        took.as_secs_f64(),
        connections,
        wire as f64 / load.bytes as f64
    ));
    Ok(outcome)
}

/// What must become of the QUIC connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Stays,
    MayGo,
}

impl Transfer<'_> {
    /// Makes the change happen, and measures.
    fn change(&mut self, change: Change) -> Result<Connection> {
        match change {
            Change::Nothing => {}
            Change::DirectCut => {
                self.site.lab.cut(Cut::Direct)?;
                self.flows("relay after the direct path died", Way::Relay, RELAY_WITHIN)?;
                thread::sleep(CUT_FOR);
                self.site.lab.heal()?;
                self.flows("direct after it works again", Way::Direct, DIRECT_WITHIN)?;
            }
            Change::UdpBlocked => {
                self.site.lab.cut(Cut::Udp)?;
                self.flows("relay after UDP was blocked", Way::Relay, RELAY_WITHIN)?;
            }
            Change::Outage(seconds) => {
                self.site.lab.cut(Cut::All)?;
                thread::sleep(Duration::from_secs(seconds));
                self.site.lab.heal()?;
                self.flows("bytes after the outage", Way::Any, FLOW_WITHIN)?;
                if seconds > SAME_CONNECTION_SECONDS {
                    return Ok(Connection::MayGo);
                }
            }
            Change::UplinkSwapped => {
                self.site.lab.swap_uplink()?;
                self.flows("bytes after another uplink", Way::Any, FLOW_WITHIN)?;
                self.flows("and directly after that", Way::Direct, FLOW_WITHIN)?;
            }
            Change::AddressChanged => {
                self.site.lab.change_address()?;
                self.flows("bytes after another address", Way::Any, FLOW_WITHIN)?;
                self.flows("and directly after that", Way::Direct, FLOW_WITHIN)?;
            }
            Change::PublicAddressChanged => {
                self.site.lab.change_public_address()?;
                self.flows("bytes after another public address", Way::Any, FLOW_WITHIN)?;
            }
            Change::ServerRestarted => {
                let (meter, watched) = (self.meter, self.to);
                let watch = thread::spawn(move || meter.longest_gap(SERVER_AWAY * 2));
                self.restart_server(watched)?;
                let gap = match watch.join() {
                    Ok(gap) => gap?,
                    Err(_) => bail!("watching the transfer panicked"),
                };
                self.note("longest gap while the server restarts", Some(gap), GAP_MAX);
                thread::sleep(SERVER_FOUND);
                self.loses_direct()?;
            }
            Change::RelayRestarted => {
                self.restart_server(self.to)?;
                self.flows("relay after the server is back", Way::Relay, FLOW_WITHIN)?;
            }
            Change::TurnKilled => {
                self.site.kill_turn();
                self.meter = self.site.meter(self.to)?;
                self.flows("relay after the TURN server died", Way::Relay, RELAY_WITHIN)?;
            }
            Change::ConnectionsReset => {
                self.site.lab.reset_connections()?;
                thread::sleep(RESET_FOR);
                self.site.lab.heal()?;
                self.flows("relay after the resets", Way::Relay, FLOW_WITHIN)?;
            }
            Change::RelayOutage(seconds) => {
                self.site.lab.cut(Cut::All)?;
                thread::sleep(Duration::from_secs(seconds));
                self.site.lab.heal()?;
                self.flows("relay after the outage", Way::Relay, FLOW_WITHIN)?;
            }
            Change::Flaps(flap) => {
                for number in 1..=FLAPS {
                    self.flap(flap, number, Way::Any)?;
                }
                let begun = Instant::now();
                let is_online = |view: &Value| view["server"]["state"]["state"] == "online";
                self.site.devices[0].wait("the server", FLOW_PATIENCE, is_online)?;
                let took = Some(begun.elapsed());
                self.note("at the server after the last of them", took, FLOW_WITHIN);
                self.loses_direct()?;
            }
            Change::RelayFlaps(flap) => {
                for number in 1..=FLAPS {
                    self.flap(flap, number, Way::Relay)?;
                }
            }
            Change::Sleep(seconds) => {
                let process = self.meter.receiver.to_string();
                run::run(Command::new("kill").args(["-STOP", &process]))?;
                thread::sleep(Duration::from_secs(seconds));
                run::run(Command::new("kill").args(["-CONT", &process]))?;
                self.flows("bytes after the sleep", Way::Any, FLOW_WITHIN)?;
                if seconds > SAME_CONNECTION_SECONDS {
                    return Ok(Connection::MayGo);
                }
            }
        }
        Ok(Connection::Stays)
    }

    /// The server is as good as before: the direct path may die.
    fn loses_direct(&mut self) -> Result<()> {
        self.site.lab.cut(Cut::Direct)?;
        self.flows(
            "relay after the direct path died then",
            Way::Relay,
            RELAY_WITHIN,
        )
    }

    /// The network goes and comes back once.
    fn flap(&mut self, flap: Flap, number: u32, way: Way) -> Result<()> {
        let begun = Instant::now();
        match flap {
            Flap::Line => {
                self.site.lab.cut(Cut::All)?;
                thread::sleep(FLAP_AWAY);
                self.site.lab.heal()?;
            }
            Flap::Cable => {
                self.site.lab.pull_cable()?;
                thread::sleep(FLAP_AWAY);
                self.site.lab.plug_cable()?;
            }
            Flap::Server => {
                self.site.lab.reset_connections()?;
                thread::sleep(RESET_FOR);
                self.site.lab.heal()?;
            }
        }
        self.flows(
            &format!("bytes after the network was away, {number}"),
            way,
            FLOW_WITHIN,
        )?;
        thread::sleep(FLAP_EVERY.saturating_sub(begun.elapsed()));
        Ok(())
    }

    fn restart_server(&mut self, receiver: Side) -> Result<()> {
        self.site.kill_server();
        thread::sleep(SERVER_AWAY);
        self.site.start_server()?;
        self.meter = self.site.meter(receiver)?;
        Ok(())
    }

    /// Measures from now until payload comes this way.
    fn flows(&mut self, what: &str, way: Way, goal: Duration) -> Result<()> {
        let took = self.meter.flows(Instant::now(), way, FLOW_PATIENCE)?;
        self.note(what, took, goal);
        Ok(())
    }

    fn note(&mut self, what: &str, took: Option<Duration>, goal: Duration) {
        let goal_seconds = goal.as_secs_f64();
        match took {
            None => self
                .outcome
                .misses
                .push(format!("{what}: not within {FLOW_PATIENCE:?}")),
            Some(took) => {
                let told = format!(
                    "{what}: {:.2} s (goal {goal_seconds:.1} s)",
                    took.as_secs_f64()
                );
                if took > goal {
                    self.outcome.late.push(told.clone());
                }
                self.outcome.told.push(told);
            }
        }
    }
}

/// Bytes flow again within this after a working path exists.
const FLOW_WITHIN: Duration = Duration::from_secs(3);

/// Bytes flow through the server within this after the direct path died.
const RELAY_WITHIN: Duration = Duration::from_millis(1500);

/// And directly within this after it works again.
const DIRECT_WITHIN: Duration = Duration::from_secs(2);

/// The longest gap that a restarting server may cause in a direct transfer: half a second.
const GAP_MAX: Duration = Duration::from_millis(500);

/// The longest outage that a connection outlives.
const SAME_CONNECTION_SECONDS: u64 = 25;

/// How long flowing is waited for before it counts as a failure: 90 s, to see how bad it is.
const FLOW_PATIENCE: Duration = Duration::from_secs(90);

/// How long the rest of a transfer may take: 3 minutes, as on a line of a tenth of the usual rate.
const REST_WITHIN: Duration = Duration::from_secs(180);

/// How long a transfer runs before something happens to it: 1 s, many round trips.
const STEADY: Duration = Duration::from_secs(1);

/// How long a direct path stays dead after the relay has taken over: 4 s.
const CUT_FOR: Duration = Duration::from_secs(4);

/// How long a server that crashed is away: 2 s.
const SERVER_AWAY: Duration = Duration::from_secs(2);

/// How long devices may take to find a restarted server before they need it: 5 s.
const SERVER_FOUND: Duration = Duration::from_secs(5);

/// How long connections are reset: 300 ms, so that either end has said something.
const RESET_FOR: Duration = Duration::from_millis(300);

/// How often a network comes and goes in a minute: ten times, and each time it is away for 3 s, longer than a device
/// waits for a sign of life of its server.
const FLAPS: u32 = 10;
const FLAP_AWAY: Duration = Duration::from_secs(3);
const FLAP_EVERY: Duration = Duration::from_secs(6);
