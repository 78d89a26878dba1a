//! Towline as a contestant: the shipped program at its default settings, durable and encrypted.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::wire::{End, Wire};
use super::{Measured, RUN_PATIENCE, Run, usage};
use crate::binaries::Built;
use crate::devices::{Device, Server};

/// Two paired devices and their server, ready to share.
#[derive(Debug)]
pub(super) struct Pair {
    _server: Server,
    pub(super) source: Device,
    pub(super) target: Device,
}

impl Pair {
    /// Two devices on loopback, or at both ends of a wire.
    pub(super) fn start(built: &Built, work: &Path, wire: Option<&Wire>) -> Result<Self> {
        let homes = work.join("towline");
        if homes.exists() {
            fs::remove_dir_all(&homes)?;
        }
        let logs = homes.join("logs");
        fs::create_dir_all(&logs)?;
        let words = |end| wire.map_or_else(Vec::new, |wire| wire.words(end));
        let address = wire.map_or("127.0.0.1", |_| End::Source.address());
        let server = Server::start_at(
            &format!("{address}:0"),
            &[],
            &words(End::Source),
            &built.signal,
            &logs,
        )?;
        let device = |name: &str, end| {
            Device::new(name, homes.join(name), &built.towline, &server, &logs).behind(words(end))
        };
        let mut source = device("Source", End::Source);
        let mut target = device("Target", End::Target);
        source.start()?;
        target.start()?;
        source.pair(&target)?;
        let direct = |view: &Value| {
            let link = &view["peers"][0]["link"];
            link["state"] == "up" && link["path"]["kind"] != "relayed"
        };
        source.wait("a direct connection", Duration::from_secs(30), direct)?;
        Ok(Self {
            _server: server,
            source,
            target,
        })
    }

    /// The ids of both processes.
    pub(super) fn ids(&self) -> Result<[u32; 2]> {
        Ok([
            self.source.id().context("not running")?,
            self.target.id().context("not running")?,
        ])
    }

    /// Waits until the target says that it has so many files and all of the folder.
    pub(super) fn settled(&self, files: u64) -> Result<()> {
        let complete = |view: &Value| is_whole(view, files);
        self.target
            .wait("the whole tree", RUN_PATIENCE, complete)
            .map(drop)
    }
}

/// Whether a view's only folder has so many files and needs nothing.
pub(super) fn is_whole(view: &Value, files: u64) -> bool {
    let folder = &view["folders"][0];
    folder["files"] == files && folder["needs"] == 0 && folder["state"]["state"] == "in_sync"
}

/// One run: a fresh pair of devices carries the tree.
pub(super) fn run(run: &Run<'_>, built: &Built) -> Result<Measured> {
    let pair = Pair::start(built, run.work, None)?;
    let measured = carry(run, &pair)?;
    drop(pair);
    fs::remove_dir_all(run.source.join(".towline")).context("removing the marker")?;
    Ok(measured)
}

/// From naming the folder on the source until the target says that it has all of it.
pub(super) fn carry(run: &Run<'_>, pair: &Pair) -> Result<Measured> {
    let ids = pair.ids()?;
    let before = ids.map(usage::cpu);
    let since = Instant::now();
    pair.source.share(run.source, &pair.target, run.target)?;
    pair.settled(run.weight.files)?;
    let wall = since.elapsed();
    let [source, target] = before;
    let cpu = (usage::cpu(ids[0])? - source?, usage::cpu(ids[1])? - target?);
    Ok(Measured {
        wall,
        cpu,
        peak: (usage::peak(ids[0])?, usage::peak(ids[1])?),
    })
}
