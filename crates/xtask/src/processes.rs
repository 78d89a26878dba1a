//! Programs that run beside a chore: started, waited for, and ended for certain.
//!
//! A [`Running`] ends its process, by its own id, when it is dropped, on every way out of a chore.
//! What the process says is written to `artifacts/`, and its standard output can be waited for line
//! by line, always with a deadline.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A process of ours; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts `command` as `name`; its outputs go to `name.out.log` and `name.err.log` in `logs`.
    pub(crate) fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = |kind: &str| {
            let path = logs.join(format!("{name}.{kind}.log"));
            File::create(&path).with_context(|| format!("making the log {}", path.display()))
        };
        let out_log = log("out")?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log("err")?)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let (sender, lines) = sync_channel(LINES_HELD_MAX);
        thread::spawn(move || copy_lines(output, out_log, &sender));
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
        })
    }

    /// Waits for a line of standard output that `is_it` accepts and returns it. Lines before it are
    /// passed over. Fails when the process ends or `within` is over first.
    pub(crate) fn wait_for_line(
        &mut self,
        is_it: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if is_it(&line) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not say what it should within {within:?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said what it should", self.name)
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process has already ended and been waited for: nothing is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// The next line of standard output, or `None` when none came `within` that time or the process
    /// has ended.
    pub(crate) fn next_line(&mut self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the process has ended by itself, at most `within`.
    pub(crate) fn wait_for_end(&mut self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        // Its standard output closes when it ends; until then lines pass by.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not end within {within:?}", self.name)
                }
            }
        }
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}", self.name);
        }
        Ok(())
    }
}

/// Looks again every 50 ms until it is so: for what no program of ours says by itself. Fails with `otherwise` when
/// `within` is over first.
pub(crate) fn wait_until(
    otherwise: &str,
    within: Duration,
    mut is_so: impl FnMut() -> bool,
) -> Result<()> {
    let deadline = Instant::now() + within;
    while !is_so() {
        if Instant::now() > deadline {
            bail!("{otherwise} within {within:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Copies each line to the log and, as long as there is room, to whoever waits for one. A process
/// must never stop because nobody reads, so lines that nobody took are only in the log.
fn copy_lines(output: ChildStdout, mut log: File, lines: &SyncSender<String>) {
    let mut output = BufReader::new(output);
    let mut bytes = Vec::new();
    while output
        .read_until(b'\n', &mut bytes)
        .is_ok_and(|read| read > 0)
    {
        // A full disk shows elsewhere; the process and those who wait for its lines go on.
        let _ = log.write_all(&bytes);
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        match lines.try_send(line) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
        bytes.clear();
    }
}

/// Lines that wait to be looked at: 1024, more than any program of ours prints while it starts.
const LINES_HELD_MAX: usize = 1024;

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::path::PathBuf;
    use std::process;

    use super::*;

    /// A directory for logs that is gone after the test.
    struct Logs(PathBuf);

    impl Logs {
        fn new(test: &str) -> Self {
            let path = env::temp_dir().join(format!("towline-{test}-{}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Logs {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_line_is_waited_for_and_everything_is_logged() {
        let logs = Logs::new("lines");
        let script = "echo starting; echo ready 7; exec cat /dev/zero > /dev/null";
        let mut running = Running::start("demo", &mut shell(script), &logs.0).unwrap();
        let is_ready = |line: &str| line.starts_with("ready");
        let line = running
            .wait_for_line(is_ready, Duration::from_secs(20))
            .unwrap();
        assert_eq!(line, "ready 7");
        let log = fs::read_to_string(logs.0.join("demo.out.log")).unwrap();
        assert_eq!(log, "starting\nready 7\n");
    }

    #[test]
    fn a_process_that_ends_early_is_an_error() {
        let logs = Logs::new("early");
        let mut running = Running::start("demo", &mut shell("echo no"), &logs.0).unwrap();
        let error = running.wait_for_line(|line| line == "yes", Duration::from_secs(20));
        assert!(error.unwrap_err().to_string().contains("ended before"));
    }

    #[test]
    fn dropping_ends_the_process() {
        let logs = Logs::new("drop");
        let script = "echo up; exec cat /dev/zero > /dev/null";
        let mut running = Running::start("demo", &mut shell(script), &logs.0).unwrap();
        running
            .wait_for_line(|line| line == "up", Duration::from_secs(20))
            .unwrap();
        let id = running.child.id();
        drop(running);
        let status = shell(&format!("kill -0 {id}"))
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success());
    }
}
