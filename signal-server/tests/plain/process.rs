//! The server as people run it: the binary, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The binary in a process of its own.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::begin(&mut Self::command(arguments))
    }

    /// What would start it; its log goes nowhere.
    pub(crate) fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towline-signal"));
        command
            .args(["--bind", "127.0.0.1:0", "--drain-seconds", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split_once("://")?.1.strip_suffix("/ws"));
        let address = address.expect("a URL").parse().expect("an address");
        Self { child, address }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let told = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(told.expect("kill is there").success());
    }
}

#[cfg(target_os = "linux")]
impl Process {
    /// Bytes in memory now; the peak is measured from here on.
    pub(crate) fn begin_peak(&self) -> u64 {
        // 5 takes the peak back, says proc(5).
        let place = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(place, "5").expect("it is our own process");
        self.memory("VmRSS:")
    }

    /// The most bytes that were in memory since then.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let place = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(place).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.expect("a number").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
