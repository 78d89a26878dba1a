//! A lab in which a server and two devices live that are peers and share a folder.

use std::env;
use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::lab::Lab;
use super::liar::{self, Lie, VICTIM};
use super::meter::Meter;
use super::nat::Best;
use super::turn;
use super::words;
use super::world::World;
use crate::binaries::Built;
use crate::devices::{Device, Server, wait_until_equal};
use crate::processes::Running;

/// A lab with everybody in it. What comes first ends first.
pub(super) struct Site {
    /// Anna is in the first home, Ben in the second one.
    pub(super) devices: [Device; 2],
    server: Option<Server>,
    turn: Option<Running>,
    _liar: Option<Running>,
    lie: Option<Lie>,
    pub(super) lab: Lab,
    roots: [PathBuf; 2],
    place: PathBuf,
    built: Built,
    sent: u64,
}

/// Which of both is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// In the first home.
    Anna,
    /// In the second one.
    Ben,
}

impl Side {
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Anna => 0,
            Self::Ben => 1,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Anna => Self::Ben,
            Self::Ben => Self::Anna,
        }
    }
}

/// A file that is on its way.
#[derive(Debug)]
pub(super) struct Sent {
    to: PathBuf,
    first: u64,
    bytes: u64,
}

impl Site {
    /// Builds the lab below `place`, and makes two devices there peers that share a folder.
    pub(super) fn open(world: &World, built: &Built, place: PathBuf) -> Result<Self> {
        match fs::remove_dir_all(&place) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => return Err(fault.into()),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&place)?;
        let lab = Lab::build(world, &place)?;
        let server = start_server(&lab, world.lie, built, &place)?;
        let liar = match world.lie.map(Lie::says) {
            Some(says) if !says.is_empty() => Some(start_liar(&lab, &says, &place)?),
            Some(_) | None => None,
        };
        let turn = match (&lab.turn, world.turn) {
            (Some(inside), Some(_)) => Some(turn::start(inside, &place)?),
            (Some(_) | None, _) => None,
        };
        let device = |name: &str, home: usize| {
            let mut words = lab.hosts[home].words();
            words.push("env".to_owned());
            if let Some(port) = world.homes[home].port {
                words.push(format!("TOWLINE_PORT={port}"));
            }
            if let Some(servers) = world.turn.and_then(|turn| turn.servers_of(home)) {
                words.push(format!("ICE_SERVERS_JSON={servers}"));
            }
            Device::new(name, place.join(name), &built.towline, &server, &place).behind(words)
        };
        let mut site = Self {
            devices: [device("Anna", 0), device("Ben", 1)],
            server: Some(server),
            turn,
            _liar: liar,
            lie: world.lie,
            lab,
            roots: roots_in(&place),
            place,
            built: built.clone(),
            sent: 0,
        };
        for device in &mut site.devices {
            device.start()?;
        }
        let [anna, ben] = &site.devices;
        anna.pair(ben)?;
        for root in &site.roots {
            fs::create_dir_all(root)?;
        }
        anna.share(&site.roots[0], ben, &site.roots[1])?;
        site.settle(Side::Ben)?;
        Ok(site)
    }

    /// Waits until both folders are equal.
    pub(super) fn settle(&self, device: Side) -> Result<()> {
        let device = &self.devices[device.index()];
        wait_until_equal(&self.roots[0], &self.roots[1], device, PATIENCE, |_| {})
    }

    /// The device that dials: the one with the lower key.
    pub(super) fn dialer(&self) -> Result<Side> {
        let view = self.devices[0].view()?;
        let id = |at: &Value| {
            let id = at["id"].as_str().context("no id in the view")?;
            // In this spelling the digits stand for more than the letters.
            let order = |sign: u8| (sign.is_ascii_digit(), sign);
            Ok::<_, anyhow::Error>(id.bytes().map(order).collect::<Vec<_>>())
        };
        let (ours, peers) = (id(&view["device"])?, id(&view["peers"][0])?);
        Ok(if ours < peers { Side::Anna } else { Side::Ben })
    }

    /// The counters that see what comes to this device.
    pub(super) fn meter(&self, receiver: Side) -> Result<Meter> {
        let receiver = &self.devices[receiver.index()];
        Ok(Meter {
            receiver: receiver.id().context("the device is not running")?,
            server: self.server.as_ref().context("no server")?.id(),
            turn: self.turn.as_ref().map(Running::id),
        })
    }

    /// Puts numbered words into this device's folder.
    pub(super) fn send(&mut self, from: Side, bytes: u64) -> Result<Sent> {
        let first = self.sent;
        self.sent += bytes / 8;
        let name = format!("words-from-{first}");
        let aside = self.place.join(&name);
        words::write(&aside, first, bytes)?;
        fs::rename(aside, self.roots[from.index()].join(&name))?;
        Ok(Sent {
            to: self.roots[from.other().index()].join(name),
            first,
            bytes,
        })
    }

    /// Ends the signal server at once, as a crash does.
    pub(super) fn kill_server(&mut self) {
        self.server = None;
    }

    /// Ends the TURN server at once.
    pub(super) fn kill_turn(&mut self) {
        self.turn = None;
    }

    /// Starts the signal server again.
    pub(super) fn start_server(&mut self) -> Result<()> {
        self.server = Some(start_server(&self.lab, self.lie, &self.built, &self.place)?);
        Ok(())
    }

    /// How often this device's log says that a connection with its peer has begun.
    pub(super) fn connections(&self, side: Side) -> Result<usize> {
        let name = self.devices[side.index()].name.to_lowercase();
        let log = fs::read_to_string(self.place.join(format!("{name}.err.log")))?;
        Ok(log
            .lines()
            .filter(|line| line.contains("peer connected"))
            .count())
    }
}

impl Sent {
    /// Whether it is there.
    pub(super) fn has_come(&self) -> bool {
        fs::metadata(&self.to).is_ok_and(|found| found.len() == self.bytes)
    }

    /// Waits for it and reads it.
    pub(super) fn arrives(&self, within: Duration) -> Result<()> {
        let deadline = std::time::Instant::now() + within;
        while !self.has_come() {
            if std::time::Instant::now() > deadline {
                bail!("the words have not come after {within:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        words::verify(&self.to, self.first, self.bytes)
    }
}

fn start_server(lab: &Lab, lie: Option<Lie>, built: &Built, place: &Path) -> Result<Server> {
    let host = lab.server_address();
    let (option, at) = match lie {
        None => ("--stun-bind", host.clone()),
        Some(Lie::ThirdPartyServes) => ("--stun", VICTIM.to_string()),
        Some(Lie::EverybodyIsThirdParty | Lie::EverybodyIsEverywhere) => ("--stun", host.clone()),
    };
    let stun = STUN_PORTS.map(|port| format!("{at}:{port}"));
    Server::start_at(
        &format!("{host}:443"),
        &[option, &stun[0], option, &stun[1]],
        &lab.server.words(),
        &built.signal,
        place,
    )
}

/// Starts a STUN server that lies, where the server's own would be.
fn start_liar(lab: &Lab, says: &[SocketAddrV4], place: &Path) -> Result<Running> {
    let program = env::current_exe()?;
    let mut command = lab.server.command(&program.to_string_lossy());
    command.arg("netlab-liar");
    for port in STUN_PORTS {
        command.arg(format!("--bind={}:{port}", lab.server_address()));
    }
    command.args(says.iter().map(|says| format!("--says={says}")));
    let mut running = Running::start("liar", &mut command, place)?;
    running.wait_for_line(|said| said == liar::READY, PATIENCE)?;
    Ok(running)
}

/// Where the STUN servers listen.
const STUN_PORTS: [u16; 2] = [3478, 3479];

/// The folders of both homes.
fn roots_in(place: &Path) -> [PathBuf; 2] {
    ["anna-files", "ben-files"].map(|name| place.join(name))
}

/// Removes what the folders hold, which nobody looks at after a scenario that went well; the logs stay.
pub(super) fn forget_files(place: &Path) {
    for root in roots_in(place) {
        // The next scenario of that name clears its place itself, and tells if it cannot.
        fs::remove_dir_all(root).ok();
    }
}

/// The path to the only peer, if it is connected.
pub(super) fn path_of(view: &Value) -> Option<Best> {
    let link = &view["peers"][0]["link"];
    if link["state"] != "up" {
        return None;
    }
    match link["path"]["kind"].as_str()? {
        "relayed" => Some(Best::Relay),
        "turn" => Some(Best::Turn),
        _ => Some(Best::Direct),
    }
}

/// How long a device may take to be connected, and a small file to be carried: 30 s, so that a loaded machine
/// is no error.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
