//! A signal server and devices on this computer, driven as people drive them: by their commands.
//!
//! Each [`Device`] is a `towline up` process with a home of its own; everything else goes through
//! `towline ... --json`. `trees_differ` is the judge of the demo and the benchmarks: it reads both
//! folders itself and believes no program's word.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use walkdir::WalkDir;

use crate::processes::Running;

/// How long programs may take to start, to pair, or to answer: 30 s, far above what they need, so
/// that a loaded machine is not an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// A signal server on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Server {
    /// Ends with this value.
    running: Running,
    /// Where devices meet.
    pub(crate) url: String,
}

impl Server {
    /// Starts the program and waits until it listens.
    pub(crate) fn start(program: &Path, logs: &Path) -> Result<Self> {
        Self::start_at("127.0.0.1:0", &[], &[], program, logs)
    }

    /// Starts the program at `address`, whose port 0 is any free one, with `more` arguments,
    /// behind words such as `ip netns exec NAME`.
    pub(crate) fn start_at(
        address: &str,
        more: &[&str],
        words: &[String],
        program: &Path,
        logs: &Path,
    ) -> Result<Self> {
        let mut command = behind(words, program);
        command.args(["--bind", address]).args(more);
        let mut running = Running::start("signal-server", &mut command, logs)?;
        let line = running.wait_for_line(|line| line.starts_with("listening on "), PATIENCE)?;
        let url = line.trim_start_matches("listening on ").to_owned();
        Ok(Self { running, url })
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }
}

/// One device: its process, its home and its commands.
#[derive(Debug)]
pub(crate) struct Device {
    /// What it is called.
    pub(crate) name: String,
    /// Where it keeps its key and its index.
    pub(crate) home: PathBuf,
    program: PathBuf,
    logs: PathBuf,
    server: String,
    behind: Vec<String>,
    up: Option<Running>,
}

/// A command of `program`, behind words that lead it somewhere.
fn behind(words: &[String], program: &Path) -> Command {
    match words.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

/// How two devices became peers.
#[derive(Debug)]
pub(crate) struct Paired {
    /// The code that was shown and typed.
    pub(crate) code: String,
    /// The compare string on both sides, as words.
    pub(crate) compare: String,
    /// From typing the code until both sides said that they are paired.
    pub(crate) took: Duration,
}

impl Device {
    /// A device whose home is `home`; not running yet.
    pub(crate) fn new(
        name: &str,
        home: PathBuf,
        program: &Path,
        server: &Server,
        logs: &Path,
    ) -> Self {
        Self {
            name: name.to_owned(),
            home,
            program: program.to_owned(),
            logs: logs.to_owned(),
            server: server.url.clone(),
            behind: Vec::new(),
            up: None,
        }
    }

    /// Runs its engine behind these words, such as `ip netns exec NAME`.
    pub(crate) fn behind(mut self, words: Vec<String>) -> Self {
        self.behind = words;
        self
    }

    /// From its next start on its engine runs behind these words.
    pub(crate) fn set_words(&mut self, words: Vec<String>) {
        self.behind = words;
    }

    /// Starts its engine and waits until it answers.
    pub(crate) fn start(&mut self) -> Result<()> {
        let mut command = behind(&self.behind, &self.program);
        if self.behind.is_empty() {
            // A chore has no business with the router of the machine that it runs on, nor with others
            // on its network.
            command.env("DISABLE_PORT_MAPPING", "1");
            command.env("DISABLE_MDNS", "1");
        }
        command.arg("--home").arg(&self.home).arg("--json");
        command.args([
            "up",
            "--key-file",
            "--server",
            &self.server,
            "--name",
            &self.name,
        ]);
        let mut up = Running::start(&self.name.to_lowercase(), &mut command, &self.logs)?;
        up.wait_for_line(|line| line.contains("\"event\":\"up\""), PATIENCE)
            .with_context(|| {
                format!(
                    "{} did not start; its log is in {}",
                    self.name,
                    self.logs.display()
                )
            })?;
        self.up = Some(up);
        Ok(())
    }

    /// Ends its engine in good order.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.call(&["stop"], None)?;
        match self.up.take() {
            Some(mut up) => up.wait_for_end(PATIENCE),
            None => Ok(()),
        }
    }

    /// The id of its process; `None` when it is not running.
    pub(crate) fn id(&self) -> Option<u32> {
        self.up.as_ref().map(Running::id)
    }

    /// Whether its engine still runs.
    pub(crate) fn is_up(&mut self) -> bool {
        self.up.as_mut().is_some_and(Running::is_running)
    }

    /// Waits until its engine says something or ends, at most `within`.
    pub(crate) fn wait_for_change(&mut self, within: Duration) {
        if let Some(up) = &mut self.up {
            up.next_line(within);
        }
    }

    /// Runs one command and returns its JSON answer.
    pub(crate) fn call(&self, arguments: &[&str], input: Option<&str>) -> Result<Value> {
        let mut command = self.command();
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command.spawn().context("starting towline")?;
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            writeln!(stdin, "{text}")?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "{}: {}",
                self.name,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Its whole view.
    pub(crate) fn view(&self) -> Result<Value> {
        self.call(&["status"], None)
    }

    /// Waits until `is_it` holds for its view, and returns that view.
    pub(crate) fn wait(
        &self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let deadline = Instant::now() + within;
        let mut command = self.command();
        command.args(["status", "--watch"]);
        let mut watch = Running::start(
            &format!("{}-watch", self.name.to_lowercase()),
            &mut command,
            &self.logs,
        )?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(line) = watch.next_line(left) else {
                bail!("{}: {what} did not happen within {within:?}", self.name);
            };
            let view: Value = serde_json::from_str(&line)?;
            if is_it(&view) {
                return Ok(view);
            }
        }
    }

    /// Shows a code here, types it on `other`, and waits until both are peers.
    pub(crate) fn pair(&self, other: &Self) -> Result<Paired> {
        let online = |view: &Value| view["server"]["state"]["state"] == "online";
        self.wait("reaching the signal server", PATIENCE, online)?;
        other.wait("reaching the signal server", PATIENCE, online)?;
        let mut command = self.command();
        command.arg("pair");
        let mut pair = Running::start("pair", &mut command, &self.logs)?;
        let line = pair.wait_for_line(|line| line.contains("\"event\":\"code\""), PATIENCE)?;
        let shown: Value = serde_json::from_str(&line)?;
        let code = shown["code"].as_str().context("no code")?.to_owned();
        let typed = Instant::now();
        let joined = other.call(&["join"], Some(&code))?;
        let line = pair.wait_for_line(|line| line.contains("\"event\":\"paired\""), PATIENCE)?;
        let took = typed.elapsed();
        let opened: Value = serde_json::from_str(&line)?;
        let compare = compare_words(&joined);
        if compare.is_empty() || compare != compare_words(&opened) {
            bail!("the devices show different compare strings");
        }
        Ok(Paired {
            code,
            compare,
            took,
        })
    }

    /// Starts to sync `root` here and invites `peer`, which accepts into `peer_root`.
    pub(crate) fn share(&self, root: &Path, peer: &Self, peer_root: &Path) -> Result<()> {
        let added = self.call(&["folder", "add", &root.to_string_lossy()], None)?;
        let id = added["id"].as_str().context("no folder id")?.to_owned();
        self.call(&["folder", "invite", &id, &peer.name], None)?;
        peer.wait("the invitation", PATIENCE, |view| {
            view["invitations"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["folder"] == id.as_str()))
        })?;
        peer.call(
            &["folder", "accept", &id, &peer_root.to_string_lossy()],
            None,
        )?;
        Ok(())
    }

    /// A command on this device's home that answers in JSON.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home).arg("--json");
        command
    }
}

fn compare_words(event: &Value) -> String {
    let symbols = event["peer"]["compare"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let words = symbols.iter().map(|symbol| {
        format!(
            "{} {}",
            symbol["emoji"].as_str().unwrap_or("?"),
            symbol["word"].as_str().unwrap_or("?")
        )
    });
    words.collect::<Vec<_>>().join("  ")
}

/// Waits until both trees are equal, byte by byte, looking again whenever the device says that
/// something has changed. `progress` is told of each view.
pub(crate) fn wait_until_equal(
    left: &Path,
    right: &Path,
    device: &Device,
    within: Duration,
    mut progress: impl FnMut(&Value),
) -> Result<()> {
    let deadline = Instant::now() + within;
    let mut command = device.command();
    command.args(["status", "--watch"]);
    let mut watch = Running::start("watch-equal", &mut command, &device.logs)?;
    loop {
        // Once a second at the least: the last change may be one on disk that no view tells.
        let line = watch.next_line(Duration::from_secs(1));
        let view: Value = line
            .and_then(|line| serde_json::from_str(&line).ok())
            .unwrap_or_default();
        let busy = view["folders"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["state"]["state"] == "syncing"));
        progress(&view);
        if !busy && trees_differ(left, right)?.is_none() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let difference = trees_differ(left, right)?.unwrap_or_default();
            bail!("the folders are not equal after {within:?}: {difference}");
        }
    }
}

/// The first difference between two trees, in words; `None` when names, kinds, bytes, executable
/// bits and link targets are all equal. Towline's own `.towline` directories are left out.
pub(crate) fn trees_differ(left: &Path, right: &Path) -> Result<Option<String>> {
    let (ours, theirs) = (listing(left)?, listing(right)?);
    for name in &ours {
        if theirs.binary_search(name).is_err() {
            return Ok(Some(format!(
                "{} is only in {}",
                name.display(),
                left.display()
            )));
        }
    }
    for name in &theirs {
        if ours.binary_search(name).is_err() {
            return Ok(Some(format!(
                "{} is only in {}",
                name.display(),
                right.display()
            )));
        }
    }
    for name in &ours {
        if !same(&left.join(name), &right.join(name))? {
            return Ok(Some(format!("{} differs", name.display())));
        }
    }
    Ok(None)
}

/// All paths below `root`, relative and sorted.
fn listing(root: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    let ours = |name: &std::ffi::OsStr| name == ".towline";
    for entry in WalkDir::new(root)
        .min_depth(1)
        .into_iter()
        .filter_entry(|entry| !ours(entry.file_name()))
    {
        match entry {
            Ok(entry) => names.push(entry.path().strip_prefix(root)?.to_owned()),
            // What vanished while we looked is not there.
            Err(error)
                if error
                    .io_error()
                    .is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    names.sort();
    Ok(names)
}

/// Whether two paths hold the same; what vanished is not the same.
fn same(left: &Path, right: &Path) -> Result<bool> {
    let (Ok(ours), Ok(theirs)) = (fs::symlink_metadata(left), fs::symlink_metadata(right)) else {
        return Ok(false);
    };
    if ours.is_symlink() && theirs.is_symlink() {
        return Ok(fs::read_link(left)? == fs::read_link(right)?);
    }
    if ours.is_dir() && theirs.is_dir() {
        return Ok(true);
    }
    if !(ours.is_file() && theirs.is_file())
        || ours.len() != theirs.len()
        || executable(&ours) != executable(&theirs)
    {
        return Ok(false);
    }
    let (Ok(mut ours), Ok(mut theirs)) = (fs::File::open(left), fs::File::open(right)) else {
        return Ok(false);
    };
    let (mut one, mut other) = (vec![0; COMPARE_BYTES], vec![0; COMPARE_BYTES]);
    loop {
        let read = fill(&mut ours, &mut one)?;
        if read != fill(&mut theirs, &mut other)? || one[..read] != other[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Reads until `buffer` is full or the file ends.
fn fill(file: &mut fs::File, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn executable(_: &fs::Metadata) -> bool {
    false
}

/// Files are compared 256 KiB at a time.
const COMPARE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two directories that are gone after the test.
    struct Pair(PathBuf);

    impl Pair {
        fn new(test: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("towline-trees-{test}-{}", std::process::id()));
            fs::create_dir_all(path.join("left")).unwrap();
            fs::create_dir_all(path.join("right")).unwrap();
            Self(path)
        }

        fn write(&self, side: &str, name: &str, text: &str) {
            fs::write(self.0.join(side).join(name), text).unwrap();
        }

        fn difference(&self) -> Option<String> {
            trees_differ(&self.0.join("left"), &self.0.join("right")).unwrap()
        }
    }

    impl Drop for Pair {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn one_byte_makes_trees_differ() {
        let pair = Pair::new("byte");
        pair.write("left", "a", "same");
        pair.write("right", "a", "same");
        assert_eq!(pair.difference(), None);
        pair.write("right", "a", "sane");
        assert!(pair.difference().unwrap().contains("differs"));
    }

    #[test]
    fn a_missing_file_makes_trees_differ_from_either_side() {
        let pair = Pair::new("missing");
        pair.write("right", "only", "");
        assert!(pair.difference().unwrap().contains("only in"));
        pair.write("left", "only", "");
        pair.write("left", "more", "");
        assert!(pair.difference().unwrap().contains("only in"));
    }
}
