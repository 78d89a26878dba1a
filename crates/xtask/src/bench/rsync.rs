//! rsync as two contestants, whole files both: a daemon on loopback without encryption, and over ssh
//! with a server and keys of its own.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Measured, Run, clear, usage};
use crate::processes::Running;
use crate::run::run as run_to_end;
use crate::system;

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

/// As above, through a server of our own, as whoever runs the benchmark.
pub(super) fn run_over_ssh(run: &Run<'_>) -> Result<Measured> {
    let home = run.work.join("ssh");
    clear(&home)?;
    for key in ["host", "user"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        run_to_end(keygen.arg(home.join(key)))?;
    }
    let port = free_port()?;
    let server = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
        home = home.display()
    );
    let client = format!(
        "Host *\nPort {port}\nIdentityFile {home}/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile {home}/known\nLogLevel ERROR\n",
        home = home.display()
    );
    fs::write(home.join("server"), server)?;
    fs::write(home.join("client"), client)?;
    // Run as root, it wants this place; as anybody else it does without.
    let _ = fs::create_dir_all("/run/sshd");
    let program = system::find_program("sshd").context("sshd is not installed")?;
    // It starts itself anew for each connection, so it wants its whole name.
    let mut command = Command::new(program);
    command.arg("-De").arg("-f").arg(home.join("server"));
    let server = Running::start("sshd", &mut command, &home)?;
    wait_for_port(port)?;
    let own = std::process::id();
    let before = (usage::cpu(own)?, usage::cpu(server.id())?);
    let since = Instant::now();
    let mut client = Command::new("rsync");
    client
        .args(["--archive", "--whole-file", "-e"])
        .arg(format!("ssh -F {}", home.join("client").display()))
        .arg(format!("{}/", run.source.display()));
    run_to_end(client.arg(format!("127.0.0.1:{}/", run.target.display())))?;
    let wall = since.elapsed();
    let cpu = (
        usage::cpu(own)? - before.0,
        usage::cpu(server.id())? - before.1,
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
