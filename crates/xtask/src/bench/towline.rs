//! Towline as a contestant: the shipped program at its default settings, durable and encrypted.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

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
    pub(super) fn start(built: &Built, work: &Path) -> Result<Self> {
        let homes = work.join("towline");
        if homes.exists() {
            fs::remove_dir_all(&homes)?;
        }
        let logs = homes.join("logs");
        fs::create_dir_all(&logs)?;
        let server = Server::start(&built.signal, &logs)?;
        let device =
            |name: &str| Device::new(name, homes.join(name), &built.towline, &server, &logs);
        let (mut source, mut target) = (device("Source"), device("Target"));
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
}

/// One run: a fresh pair of devices carries the tree.
pub(super) fn run(run: &Run<'_>, built: &Built) -> Result<Measured> {
    let pair = Pair::start(built, run.work)?;
    let measured = carry(run, &pair)?;
    drop(pair);
    fs::remove_dir_all(run.source.join(".towline")).context("removing the marker")?;
    Ok(measured)
}

/// From naming the folder on the source until the target says that it has all of it.
pub(super) fn carry(run: &Run<'_>, pair: &Pair) -> Result<Measured> {
    let ids = (
        pair.source.id().context("not running")?,
        pair.target.id().context("not running")?,
    );
    let before = (usage::cpu(ids.0)?, usage::cpu(ids.1)?);
    let since = Instant::now();
    pair.source.share(run.source, &pair.target, run.target)?;
    let complete = |view: &Value| {
        let folder = &view["folders"][0];
        folder["files"] == run.weight.files
            && folder["needs"] == 0
            && folder["state"]["state"] == "in_sync"
    };
    pair.target.wait("the whole tree", RUN_PATIENCE, complete)?;
    let wall = since.elapsed();
    let cpu = (usage::cpu(ids.0)? - before.0, usage::cpu(ids.1)? - before.1);
    Ok(Measured {
        wall,
        cpu,
        peak: (usage::peak(ids.0)?, usage::peak(ids.1)?),
    })
}
