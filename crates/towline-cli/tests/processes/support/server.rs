//! The signal server as a process, on a port of the loopback interface.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::Running;
use super::{PATIENCE, World};

/// A running signal server.
#[derive(Debug)]
pub(crate) struct Server {
    running: Running,
    /// Where devices meet.
    pub(crate) url: String,
    log: PathBuf,
}

impl Server {
    /// Starts one on a free port.
    pub(crate) fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    /// Starts one on a free port, with more arguments.
    pub(crate) fn start_with(world: &World, arguments: &[&str]) -> Self {
        Self::run("127.0.0.1:0", arguments, &world.place("server.log"))
    }

    /// Starts one at this `ADDRESS:PORT`.
    pub(crate) fn start_at(world: &World, address: &str) -> Self {
        Self::run(address, &[], &world.place("server.log"))
    }

    /// Starts one on a free port, as `towline serve`.
    pub(crate) fn start_by_towline(world: &World) -> Self {
        let towline = env::var_os("TOWLINE_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_towline").into(), PathBuf::from);
        let mut command = Command::new(towline);
        command.arg("serve");
        Self::by(command, "127.0.0.1:0", &[], &world.place("server.log"))
    }

    /// `ADDRESS:PORT` where it listens.
    pub(crate) fn address(&self) -> String {
        self.url
            .trim_start_matches("ws://")
            .trim_end_matches("/ws")
            .to_owned()
    }

    /// Kills it and starts another one at the same address.
    pub(crate) fn restart(self) -> Self {
        let (address, log) = (self.address(), self.log.clone());
        self.running.kill();
        Self::run(&address, &[], &log)
    }

    /// Kills it; its address is given back.
    pub(crate) fn kill(self) -> String {
        let address = self.address();
        self.running.kill();
        address
    }

    /// Starts one at this `ADDRESS:PORT` of another namespace, which the beginning of a command leads `into`.
    pub(crate) fn start_inside(
        world: &World,
        mut into: Command,
        bind: &str,
        options: &[&str],
    ) -> Self {
        into.arg(program());
        Self::by(into, bind, options, &world.place("server.log"))
    }

    fn run(bind: &str, arguments: &[&str], log: &Path) -> Self {
        Self::by(Command::new(program()), bind, arguments, log)
    }

    fn by(mut command: Command, bind: &str, arguments: &[&str], log: &Path) -> Self {
        command
            .args(["--bind", bind])
            .args(arguments)
            .env_remove("PORT");
        let running = Running::start("the signal server", command, log);
        let line = running.line("where it listens", PATIENCE, |line| {
            line.starts_with("listening on ")
        });
        let url = line.trim_start_matches("listening on ").to_owned();
        Self {
            running,
            url,
            log: log.to_owned(),
        }
    }
}

/// The program: where the variable says, or beside `towline`, where it is built if it is missing.
pub(crate) fn program() -> PathBuf {
    if let Some(path) = env::var_os("TOWLINE_SIGNAL_BIN") {
        return path.into();
    }
    let beside = Path::new(env!("CARGO_BIN_EXE_towline")).with_file_name("towline-signal");
    if !beside.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "signal-server"])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "cargo builds the signal server"
        );
    }
    beside
}
