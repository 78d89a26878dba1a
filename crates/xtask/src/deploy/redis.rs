//! A Redis that keeps nothing, for trials of servers that share one.

use std::process::Command;

use anyhow::{Context, Result};

use super::image::{PATIENCE, free_address};
use super::{Place, shown};
use crate::processes::{Running, wait_until};
use crate::run;

/// Ends when dropped.
pub(super) struct Redis {
    _running: Running,
    socket: String,
    port: u16,
}

impl Redis {
    /// Starts one that listens on loopback and on a socket.
    pub(super) fn start(place: &Place) -> Result<Self> {
        let socket = shown(&place.path.join("redis.sock"));
        let address = free_address()?;
        let (_, port) = address.rsplit_once(':').context("an address has no port")?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", port]);
        command.args(["--save", "", "--appendonly", "no"]);
        command.args(["--unixsocket", &socket]);
        command.arg("--dir").arg(&place.path);
        let running = Running::start("redis", &mut command, &place.logs)?;
        wait_until("Redis does not answer", PATIENCE, || {
            let mut ping = Command::new("redis-cli");
            run::capture(ping.args(["-s", &socket, "ping"])).is_ok_and(|answer| answer == "PONG")
        })?;
        Ok(Self {
            _running: running,
            socket,
            port: port.parse()?,
        })
    }

    /// Where servers find it on this machine.
    pub(super) fn by_socket(&self) -> String {
        format!("redis+unix://{}", self.socket)
    }

    /// Where servers find it by this name.
    pub(super) fn by_name(&self, name: &str) -> String {
        format!("redis://{name}:{}", self.port)
    }
}
