//! A program that runs beside a test: dropping it ends it, by its own id.
//!
//! Lines of its standard output can be waited for, always with a deadline. What it says to standard
//! error goes to a file, which is shown when a test fails.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that wait to be looked at: 256. A program that says more waits for its reader, and none of
/// ours stops working because of that.
const LINES_MAX: usize = 256;

/// A process of ours.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts `command`; its standard error is appended to `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log can be made");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let output = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        thread::spawn(move || pass_on(output, &sender));
        Self {
            name: name.to_owned(),
            child,
            lines,
        }
    }

    /// The next line, or `None` when none came in time or the program has ended.
    pub(crate) fn next_line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// Waits for a line that `is_it` accepts.
    pub(crate) fn line(
        &self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if is_it(&line) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} did not say {what} within {within:?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended before it said {what}", self.name)
                }
            }
        }
    }

    /// Waits until the program has ended by itself; says how and in what time.
    pub(crate) fn end(&mut self, within: Duration) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            let left = (begun + within).saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                // Its standard output closes when it ends.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} did not end within {within:?}", self.name)
                }
            }
        }
        (
            self.child.wait().expect("a child can be waited for"),
            begun.elapsed(),
        )
    }

    /// Ends the program with SIGKILL, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.end_now();
    }

    /// Sends SIGKILL, has `meanwhile` let go what the program may be waiting for in the kernel, and
    /// waits until it has ended.
    pub(crate) fn kill_and(mut self, meanwhile: impl FnOnce()) {
        // Fails only when the process has ended already.
        let _ = self.child.kill();
        meanwhile();
        self.end_now();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end_now(&mut self) {
        // Both fail only when the process has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_now();
    }
}

fn pass_on(output: ChildStdout, lines: &SyncSender<String>) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return;
        }
    }
}
