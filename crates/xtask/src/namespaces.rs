//! Network namespaces: networks of their own inside this machine, made with iproute2 and gone when
//! dropped. They need root.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// One namespace; what was joined to it goes with it.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes an empty one with a loopback device.
    pub(crate) fn make(name: String) -> Result<Self> {
        run::capture(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The words before a command that runs inside.
    pub(crate) fn words(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name]
            .map(str::to_owned)
            .to_vec()
    }

    /// A command that runs inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `ip` on what is inside, and returns what it prints.
    pub(crate) fn ip(&self, words: &[&str]) -> Result<String> {
        run::capture(Command::new("ip").args(["-n", &self.name]).args(words))
    }

    /// Joins a device here and one there by a cable; both are up.
    pub(crate) fn plug(&self, device: &str, there: &Self, other: &str) -> Result<()> {
        let link = ["link", "add", device, "netns", &self.name, "type", "veth"];
        let peer = ["peer", "name", other, "netns", &there.name];
        run::capture(Command::new("ip").args(link).args(peer))?;
        self.ip(&["link", "set", device, "up"])?;
        there.ip(&["link", "set", other, "up"])?;
        Ok(())
    }

    /// Gives a device an address, with the length of its network: `192.168.1.1/24`.
    pub(crate) fn address(&self, device: &str, address: &str) -> Result<()> {
        self.ip(&["addr", "add", address, "dev", device]).map(drop)
    }

    /// Writes a setting of the kernel's network for this namespace, below `/proc/sys/net`.
    pub(crate) fn set(&self, setting: &str, value: &str) -> Result<()> {
        self.feed(
            "tee",
            &[&format!("/proc/sys/net/{setting}")],
            &format!("{value}\n"),
        )
    }

    /// Runs a program inside with this text as its standard input.
    pub(crate) fn feed(&self, program: &str, arguments: &[&str], text: &str) -> Result<()> {
        let mut child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(text.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("`{program}` ended with {}\n{reason}", output.status);
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A process that still runs inside keeps the network; its chore ends it.
        let _ = run::capture(Command::new("ip").args(["netns", "delete", &self.name]));
    }
}
