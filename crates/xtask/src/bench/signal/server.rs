//! A signal server in a process of its own, and a Redis for several.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Stage;
use crate::processes::{Running, wait_until};
use crate::run;

/// A server that serves; ends when dropped.
pub(super) struct Server {
    running: Running,
    /// Address and port.
    pub(super) at: String,
    /// When it said that it listens.
    pub(super) since: Instant,
}

impl Server {
    /// Starts one at `at`, whose port 0 is any free one.
    pub(super) fn start(stage: &Stage, name: &str, at: &str, more: &[String]) -> Result<Self> {
        let mut command = with_descriptors(&stage.server);
        command.args(["--bind", at]).args(more);
        for variable in ["PORT", "RUST_LOG", "SIGNAL_CONFIG"] {
            command.env_remove(variable);
        }
        let mut running = Running::start(name, &mut command, &stage.logs)?;
        let line = running.wait_for_line(|line| line.starts_with("listening on "), PATIENCE)?;
        let since = Instant::now();
        let at = line
            .split_once("://")
            .and_then(|(_, rest)| rest.strip_suffix("/ws"))
            .context("it does not say where")?
            .to_owned();
        Ok(Self { running, at, since })
    }

    pub(super) fn id(&self) -> u32 {
        self.running.id()
    }

    /// The status line of a page, without TLS.
    pub(super) fn ask(&self, path: &str) -> Result<String> {
        status(&self.at, path)
    }

    /// Waits until it welcomes clients.
    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let is_ready = || self.ask("/ready").is_ok_and(|line| line.contains(" 200 "));
        wait_until("the server is not ready", PATIENCE, is_ready)
    }

    /// Asks it to end, and waits for that.
    pub(super) fn drain(mut self) -> Result<()> {
        let id = self.running.id().to_string();
        run::run(Command::new("kill").args(["-TERM", &id]))?;
        self.running.wait_for_end(PATIENCE)
    }
}

/// How long a start takes, from before it until a question is answered.
pub(super) fn time_to_serve(stage: &Stage) -> Result<Duration> {
    let begin = Instant::now();
    let mut command = Command::new(&stage.server);
    command.args(["--bind", "127.0.0.1:0"]).env_remove("PORT");
    let mut running = Running::start("starting", &mut command, &stage.logs)?;
    let line = running.wait_for_line(|line| line.starts_with("listening on "), PATIENCE)?;
    let at = line
        .trim_start_matches("listening on ws://")
        .trim_end_matches("/ws");
    let answer = status(at, "/health")?;
    let took = begin.elapsed();
    if !answer.contains(" 200 ") {
        bail!("it answers {answer}");
    }
    Ok(took)
}

fn status(at: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// A Redis that keeps nothing; ends when dropped.
pub(super) struct Redis {
    running: Running,
    socket: PathBuf,
}

impl Redis {
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let socket = stage.place.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(&stage.place);
        command.arg("--unixsocket").arg(&socket);
        let running = Running::start("redis", &mut command, &stage.logs)?;
        wait_until("Redis does not listen", PATIENCE, || socket.exists())?;
        Ok(Self { running, socket })
    }

    pub(super) fn id(&self) -> u32 {
        self.running.id()
    }

    /// Where servers find it.
    pub(super) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket.display())
    }
}

/// A command that may open as many descriptors as the system lets anybody have.
pub(super) fn with_descriptors(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$(ulimit -H -n)\" && exec \"$@\"", "sh"])
        .arg(program);
    command
}

/// Fails when a process may not have so many.
pub(super) fn ensure_descriptors(wanted: u64) -> Result<()> {
    let limits = match fs::read_to_string("/proc/self/limits") {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        limits => limits?,
    };
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .context("no limit of files in /proc")?;
    // Soft, hard, unit.
    match line.split_whitespace().nth(1).map(str::parse::<u64>) {
        Some(Ok(most)) if most < wanted => bail!(
            "a process may have {most} file descriptors here, and {wanted} are needed; `ulimit -H -n` sets it"
        ),
        Some(_) | None => Ok(()),
    }
}

/// For a start, an answer, an end: 30 s.
const PATIENCE: Duration = Duration::from_secs(30);
