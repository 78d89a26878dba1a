//! rsync as two contestants: a daemon on loopback without encryption, and over ssh with a server and
//! keys of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::wire::{End, Wire};
use super::{Measured, Run, clear, usage};
use crate::processes::Running;
use crate::run::{run as run_to_end, succeeds};
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
    let server = Server::start(&run.work.join("ssh"), None)?;
    let own = std::process::id();
    let id = server.running.id();
    let before = (usage::cpu(own)?, usage::cpu(id)?);
    let since = Instant::now();
    server.carry(run.source, run.target, Whole::Yes)?;
    let wall = since.elapsed();
    let cpu = (usage::cpu(own)? - before.0, usage::cpu(id)? - before.1);
    Ok(Measured {
        wall,
        cpu,
        peak: (0, 0),
    })
}

/// Whether rsync sends whole files, or what differs in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// A server of ssh for whoever runs the benchmark, with keys of its own.
#[derive(Debug)]
pub(super) struct Server<'a> {
    running: Running,
    home: PathBuf,
    wire: Option<&'a Wire>,
}

impl<'a> Server<'a> {
    /// Listens on loopback, or at the target's end of a wire.
    pub(super) fn start(home: &Path, wire: Option<&'a Wire>) -> Result<Self> {
        clear(home)?;
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            run_to_end(keygen.arg(home.join(key)))?;
        }
        let address = wire.map_or("127.0.0.1", |_| End::Target.address());
        let port = free_port()?;
        let server = format!(
            "ListenAddress {address}:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
            home = home.display()
        );
        let client = format!(
            "Host *\nHostName {address}\nPort {port}\nIdentityFile {home}/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile {home}/known\nLogLevel ERROR\n",
            home = home.display()
        );
        fs::write(home.join("server"), server)?;
        fs::write(home.join("client"), client)?;
        // Run as root, it wants this place; as anybody else it does without.
        let _ = fs::create_dir_all("/run/sshd");
        let program = system::find_program("sshd").context("sshd is not installed")?;
        // It starts itself anew for each connection, so it wants its whole name.
        let mut command = match wire {
            None => Command::new(program),
            Some(wire) => wire.command(End::Target, &program.to_string_lossy()),
        };
        command.arg("-De").arg("-f").arg(home.join("server"));
        let running = Running::start("sshd", &mut command, home)?;
        let server = Self {
            running,
            home: home.to_owned(),
            wire,
        };
        server.wait()?;
        Ok(server)
    }

    /// Brings the tree at `source` to `target`.
    pub(super) fn carry(&self, source: &Path, target: &Path, whole: Whole) -> Result<()> {
        let mut client = match self.wire {
            None => Command::new("rsync"),
            Some(wire) => wire.command(End::Source, "rsync"),
        };
        client.arg("--archive");
        match whole {
            Whole::Yes => client.arg("--whole-file"),
            Whole::No => client.arg("--no-whole-file"),
        };
        client
            .arg("-e")
            .arg(format!("ssh -F {}", self.home.join("client").display()))
            .arg(format!("{}/", source.display()));
        run_to_end(client.arg(format!("target:{}/", target.display())))
    }

    /// Waits until it lets us in.
    fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let config = self.home.join("client");
        loop {
            let mut try_it = match self.wire {
                None => Command::new("ssh"),
                Some(wire) => wire.command(End::Source, "ssh"),
            };
            try_it.arg("-F").arg(&config).args(["target", "true"]);
            if succeeds(&mut try_it) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the server of ssh does not let us in");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
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
