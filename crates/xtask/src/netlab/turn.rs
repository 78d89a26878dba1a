//! A coturn on the public network, and what devices are told of it.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::namespaces::Namespace;
use crate::processes::{Running, wait_until};
use crate::run;

/// Where it is reached.
pub(super) const ADDRESS: &str = "203.0.113.30";

/// Which devices know the TURN server, and how they speak to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// In the first home, and in the second one.
    pub(super) known: [bool; 2],
    /// What is behind the address in the URL.
    pub(super) how: &'static str,
    /// The password that devices have.
    pub(super) password: &'static str,
}

impl Turn {
    /// Everybody knows it, and speaks UDP.
    pub(super) const UDP: Self = Self {
        known: [true; 2],
        how: ":3478",
        password: PASSWORD,
    };

    /// What the device in this home is told.
    pub(super) fn servers_of(self, home: usize) -> Option<String> {
        let servers = json!([{
            "urls": format!("turn:{ADDRESS}{}", self.how),
            "username": "lab",
            "credential": self.password,
        }]);
        self.known[home].then(|| servers.to_string())
    }
}

/// Starts it in this namespace, with its logs in `place`, and waits until it listens.
pub(super) fn start(inside: &Namespace, place: &Path) -> Result<Running> {
    let mut command = inside.command("turnserver");
    let (database, process) = (place.join("turn.db"), place.join("turn.pid"));
    command.args([
        "-n",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--no-rfc5780",
        "--lt-cred-mech",
    ]);
    command.args([
        "--listening-ip",
        ADDRESS,
        "--relay-ip",
        ADDRESS,
        "--listening-port",
        "3478",
    ]);
    command.args([
        "--aux-server",
        &format!("{ADDRESS}:443"),
        "--realm",
        "towline.lab",
    ]);
    command.args(["--user", &format!("lab:{PASSWORD}"), "--log-file", "stdout"]);
    command.arg("--userdb").arg(database);
    command.arg("--pidfile").arg(process);
    let running = Running::start("coturn", &mut command, place)?;
    let listens = format!("{ADDRESS}:3478");
    wait_until("coturn does not listen", PATIENCE, || {
        run::capture(inside.command("ss").arg("-Hlnu")).is_ok_and(|all| all.contains(&listens))
    })?;
    Ok(running)
}

/// The password that it accepts.
const PASSWORD: &str = "lab-password";

/// How long it may take to start: 10 s, so that a loaded machine is no error.
const PATIENCE: Duration = Duration::from_secs(10);
