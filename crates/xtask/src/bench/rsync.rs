//! rsync as a contestant: a daemon on loopback, no encryption, whole files.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Measured, Run, usage};
use crate::processes::Running;
use crate::run::run as run_to_end;

pub(super) fn run(run: &Run<'_>) -> Result<Measured> {
    let home = run.work.join("rsync");
    fs::create_dir_all(&home)?;
    let port = free_port()?;
    let config = home.join("rsyncd.conf");
    let module = format!(
        "use chroot = no\nuid = root\ngid = root\n[target]\npath = {}\nread only = false\n",
        run.target.display()
    );
    fs::write(&config, module)?;
    let mut command = Command::new("rsync");
    command.args([
        "--daemon",
        "--no-detach",
        "--address=127.0.0.1",
        &format!("--port={port}"),
    ]);
    command.arg(format!("--config={}", config.display()));
    let daemon = Running::start("rsync-daemon", &mut command, &home)?;
    wait_for_port(port)?;
    let own = std::process::id();
    let before = (usage::cpu(own)?, usage::cpu(daemon.id())?);
    let since = Instant::now();
    let mut client = Command::new("rsync");
    client
        .args(["--archive", "--whole-file"])
        .arg(format!("{}/", run.source.display()));
    run_to_end(client.arg(format!("rsync://127.0.0.1:{port}/target/")))?;
    let wall = since.elapsed();
    let cpu = (
        usage::cpu(own)? - before.0,
        usage::cpu(daemon.id())? - before.1,
    );
    Ok(Measured {
        wall,
        cpu,
        peak: (0, 0),
    })
}

/// A port on loopback that nobody uses right now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until something listens on a loopback port.
pub(super) fn wait_for_port(port: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            bail!("nothing listens on port {port}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
