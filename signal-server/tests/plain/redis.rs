//! A Redis of Debian's package, on a socket of its own and with nothing on disk.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// It ends with the test.
pub(crate) struct RedisServer {
    place: TempDir,
    arguments: Vec<String>,
    process: Child,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(Vec::new())
    }

    /// With more arguments than those that make it a server of a test.
    pub(crate) fn start_with(arguments: Vec<String>) -> Self {
        let place = tempfile::tempdir().expect("a place");
        let process = Self::begin(&place, &arguments);
        Self {
            place,
            arguments,
            process,
        }
    }

    /// What a server is told to reach it.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.place.path().join("redis.sock")
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// Kills it; it forgets all.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Starts it anew after [`kill`](Self::kill).
    pub(crate) fn start_anew(&mut self) {
        self.process = Self::begin(&self.place, &self.arguments);
    }

    fn begin(place: &TempDir, arguments: &[String]) -> Child {
        let socket = place.path().join("redis.sock");
        // What was killed leaves it.
        let _ = std::fs::remove_file(&socket);
        let mut process = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocket",
            ])
            .arg(&socket)
            .arg("--dir")
            .arg(place.path())
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (`cargo xtask system`)");
        let deadline = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(&socket).is_err() {
            assert!(process.try_wait().expect("a child").is_none(), "it ended");
            assert!(Instant::now() < deadline, "it listens in time");
            std::thread::sleep(Duration::from_millis(5));
        }
        process
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
