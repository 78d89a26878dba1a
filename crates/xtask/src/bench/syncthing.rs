//! syncthing as a contestant: two instances that know each other, on loopback, TLS over TCP.
//!
//! Discovery, relays, NAT traversal, reports and upgrades are off, so that nothing leaves this
//! machine. The folder begins paused on both; the clock runs from taking the pause away until the
//! receiver reports the whole tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use super::rsync::{free_port, wait_for_port};
use super::{Measured, RUN_PATIENCE, Run, usage};
use crate::processes::{Running, wait_until};
use crate::run;

pub(super) fn run(run: &Run<'_>) -> Result<Measured> {
    let home = run.work.join("syncthing");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    let sides = [
        Side::new(home.join("source"), run.source)?,
        Side::new(home.join("target"), run.target)?,
    ];
    let running = [sides[0].start(&sides)?, sides[1].start(&sides)?];
    for side in &sides {
        wait_for_port(side.gui)?;
    }
    wait_until("syncthing is not connected", RUN_PATIENCE, || {
        let all = sides[1].get("system/connections");
        all.is_ok_and(|all| all["connections"][&sides[0].id]["connected"] == true)
    })?;
    let pids = [running[0].id(), running[1].id()];
    let before = [usage::cpu(pids[0])?, usage::cpu(pids[1])?];
    let since = Instant::now();
    for side in &sides {
        side.unpause()?;
    }
    wait_until("syncthing has not come to its end", RUN_PATIENCE, || {
        let status = sides[1].get("db/status?folder=bench");
        status.is_ok_and(|status| {
            status["state"] == "idle"
                && status["needTotalItems"] == 0
                && status["localFiles"] == run.weight.files
                && status["globalFiles"] == run.weight.files
        })
    })?;
    let wall = since.elapsed();
    let cpu = (
        usage::cpu(pids[0])? - before[0],
        usage::cpu(pids[1])? - before[1],
    );
    let peak = (usage::peak(pids[0])?, usage::peak(pids[1])?);
    drop(running);
    fs::remove_dir_all(run.source.join(".stfolder"))?;
    fs::remove_dir_all(run.target.join(".stfolder"))?;
    Ok(Measured { wall, cpu, peak })
}

/// One instance.
#[derive(Debug)]
struct Side {
    home: PathBuf,
    root: PathBuf,
    id: String,
    gui: u16,
    port: u16,
}

impl Side {
    fn new(home: PathBuf, root: &Path) -> Result<Self> {
        let mut generate = Command::new("syncthing");
        generate
            .arg("generate")
            .arg("--no-default-folder")
            .arg(format!("--home={}", home.display()));
        run::capture(&mut generate)?;
        let mut ask = Command::new("syncthing");
        ask.arg("serve")
            .arg("--device-id")
            .arg(format!("--home={}", home.display()));
        let id = run::capture(&mut ask)?.trim().to_owned();
        Ok(Self {
            home,
            root: root.to_owned(),
            id,
            gui: free_port()?,
            port: free_port()?,
        })
    }

    fn start(&self, all: &[Self; 2]) -> Result<Running> {
        let devices: String = all
            .iter()
            .map(|side| {
                let (id, port) = (&side.id, side.port);
                format!("<device id=\"{id}\" name=\"{port}\"><address>tcp://127.0.0.1:{port}</address></device>")
            })
            .collect();
        let members: String = all
            .iter()
            .map(|side| format!("<device id=\"{}\"/>", side.id))
            .collect();
        let config = format!(
            "<configuration version=\"35\"><folder id=\"bench\" path=\"{}\" type=\"sendreceive\">{members}\
             <minDiskFree unit=\"%\">0</minDiskFree><paused>true</paused></folder>{devices}\
             <gui enabled=\"true\" tls=\"false\"><address>127.0.0.1:{}</address><apikey>bench</apikey></gui>\
             <options><listenAddress>tcp://127.0.0.1:{}</listenAddress>\
             <globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>\
             <relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><urAccepted>-1</urAccepted>\
             <autoUpgradeIntervalH>0</autoUpgradeIntervalH><crashReportingEnabled>false</crashReportingEnabled>\
             <startBrowser>false</startBrowser><setLowPriority>false</setLowPriority></options></configuration>",
            self.root.display(),
            self.gui,
            self.port
        );
        fs::write(self.home.join("config.xml"), config)?;
        let mut command = Command::new("syncthing");
        command.args(["serve", "--no-browser", "--no-restart", "--no-upgrade"]);
        command
            .arg(format!("--home={}", self.home.display()))
            .env("STNORESTART", "1")
            .env("STMONITORED", "yes");
        Running::start("syncthing", &mut command, &self.home)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let mut curl = self.curl();
        let answer = run::capture(curl.arg(format!("http://127.0.0.1:{}/rest/{path}", self.gui)))?;
        serde_json::from_str(&answer).context("syncthing answered something else")
    }

    fn unpause(&self) -> Result<()> {
        let mut curl = self.curl();
        curl.args(["--request", "PATCH", "--data", "{\"paused\":false}"]);
        run::capture(curl.arg(format!(
            "http://127.0.0.1:{}/rest/config/folders/bench",
            self.gui
        )))?;
        Ok(())
    }

    fn curl(&self) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--header", "X-API-Key: bench"]);
        curl
    }
}
