//! One device: its home, its engine's process, and its commands.

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::running::Running;
use super::watch::{has_its_server, is_connected};
use super::{PATIENCE, Server, Watch, World};

/// A device; running between `start` and `stop` or `kill`.
#[derive(Debug)]
pub(crate) struct Device {
    /// What it is called.
    pub(crate) name: String,
    /// Where it keeps its key and its index.
    pub(crate) home: PathBuf,
    program: PathBuf,
    logs: PathBuf,
    options: Vec<String>,
    /// What stands before the program: a network namespace, for example.
    before: Vec<String>,
    user: Option<u32>,
    environment: Vec<(String, String)>,
    up: Option<Running>,
}

/// Which of two devices has the lower key, by which it is the one that dials.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialer {
    First,
    Second,
}

/// The program that is tried.
pub(crate) fn program() -> PathBuf {
    env::var_os("TOWLINE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_towline").into(), PathBuf::from)
}

/// How a command was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: ExitStatus,
    /// The stable code for scripts.
    pub(crate) code: String,
    /// The sentence for people.
    pub(crate) message: String,
}

impl Device {
    /// A device with an empty home, that keeps its key in a file; not running yet.
    pub(crate) fn new(world: &World, name: &str, server: &str) -> Self {
        let options = ["--key-file", "--name", name, "--server", server];
        Self {
            name: name.to_owned(),
            home: world.place(&format!("{name}.home")),
            program: program(),
            logs: world.path().to_owned(),
            options: options.map(str::to_owned).to_vec(),
            before: Vec::new(),
            user: None,
            environment: Vec::new(),
            up: None,
        }
    }

    /// The same, and running.
    pub(crate) fn start_new(world: &World, name: &str, server: &Server) -> Self {
        let mut device = Self::new(world, name, &server.url);
        device.start();
        device
    }

    /// Two running devices of which the given one dials.
    pub(crate) fn two(world: &World, server: &Server, dialer: Dialer) -> (Self, Self) {
        let one = Self::start_new(world, "ada", server);
        let other = Self::start_new(world, "ben", server);
        match (dialer, one.key() < other.key()) {
            (Dialer::First, true) | (Dialer::Second, false) => (one, other),
            (Dialer::First, false) | (Dialer::Second, true) => (other, one),
        }
    }

    /// Its id in the order of keys: in base 32, digits come after letters.
    pub(crate) fn key(&self) -> Vec<u8> {
        let view = self.view();
        let id = view["device"]["id"].as_str().expect("a device has an id");
        id.bytes()
            .map(|letter| {
                if letter.is_ascii_digit() {
                    letter + 128
                } else {
                    letter
                }
            })
            .collect()
    }

    /// Other options for `up`.
    #[must_use]
    pub(crate) fn with_options<'a>(mut self, options: impl IntoIterator<Item = &'a str>) -> Self {
        self.options = options.into_iter().map(str::to_owned).collect();
        self
    }

    /// Runs everything behind these words, such as `ip netns exec NAME`.
    #[must_use]
    pub(crate) fn behind(mut self, words: &[impl AsRef<str>]) -> Self {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        self.before = words.collect();
        self
    }

    /// Runs everything as this user, with a copy of the program that it can reach.
    #[must_use]
    pub(crate) fn run_by(mut self, user: u32) -> Self {
        let copy = self.logs.join(format!("{}.bin", self.name));
        std::fs::copy(&self.program, &copy).expect("the program can be copied");
        std::fs::create_dir_all(&self.home).expect("a home can be made");
        std::os::unix::fs::chown(&self.home, Some(user), Some(user))
            .expect("root can give it away");
        self.program = copy;
        self.user = Some(user);
        self
    }

    /// Starts the engine and waits until it answers; returns what it said.
    pub(crate) fn start(&mut self) -> Value {
        let up = Running::start(&self.name, self.up_command(), &self.log());
        let line = up.line("that it is up", PATIENCE, |line| {
            line.contains("\"event\":\"up\"")
        });
        self.up = Some(up);
        serde_json::from_str(&line).expect("the greeting is JSON")
    }

    /// Starts the engine and waits for what it tells a person.
    pub(crate) fn start_in_words(&mut self) -> String {
        let mut command = self.bare();
        command
            .arg("--home")
            .arg(&self.home)
            .arg("up")
            .args(&self.options);
        let up = Running::start(&self.name, command, &self.log());
        let line = up.line("that it is up", PATIENCE, |line| {
            line.starts_with("Towline is up")
        });
        self.up = Some(up);
        line
    }

    /// Gives everything that follows these variables.
    pub(crate) fn set_environment<'a>(
        &mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let owned = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.environment = owned.collect();
    }

    /// Starts an engine that must end by itself with a complaint.
    pub(crate) fn start_refused(&self) -> Refused {
        self.refusal(self.up_command(), None)
    }

    /// `towline up` as it is started.
    pub(crate) fn up_command(&self) -> Command {
        let mut command = self.command();
        command.arg("up").args(&self.options);
        command
    }

    /// Ends the engine in good order; says how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        self.call(&["stop"]);
        let mut up = self.up.take().expect("it runs");
        let (status, took) = up.end(PATIENCE);
        assert!(status.success(), "{}: stopped with {status}", self.name);
        took
    }

    /// Sends SIGTERM; says how long the engine took to end in good order.
    pub(crate) fn terminate(&mut self) -> Duration {
        let mut up = self.up.take().expect("it runs");
        let id = i32::try_from(up.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("an id");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it is ours");
        let (status, took) = up.end(PATIENCE);
        assert!(status.success(), "{}: terminated with {status}", self.name);
        took
    }

    /// Ends the engine with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.up.take().expect("it runs").kill();
    }

    /// Ends the engine with SIGKILL; `meanwhile` frees it from a disk that does not answer.
    pub(crate) fn kill_and(&mut self, meanwhile: impl FnOnce()) {
        self.up.take().expect("it runs").kill_and(meanwhile);
    }

    /// Whether the engine runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.up.as_mut().is_some_and(Running::is_running)
    }

    /// The engine's process id.
    pub(crate) fn id(&self) -> u32 {
        self.up.as_ref().expect("it runs").id()
    }

    /// A command that must succeed; its JSON answer.
    pub(crate) fn call(&self, arguments: &[&str]) -> Value {
        self.call_with(arguments, None)
    }

    /// A command that must be refused.
    pub(crate) fn refused(&self, arguments: &[&str]) -> Refused {
        self.refused_with(arguments, None)
    }

    /// A command that must be refused, with one line of standard input.
    pub(crate) fn refused_with(&self, arguments: &[&str], input: Option<&str>) -> Refused {
        let mut command = self.command();
        command.args(arguments);
        self.refusal(command, input)
    }

    /// What a person reads when a command is refused.
    pub(crate) fn words_of(&self, arguments: &[&str], input: Option<&str>) -> String {
        let mut command = self.bare();
        command.arg("--home").arg(&self.home).args(arguments);
        let (status, _, said) = run(command, input);
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    /// What a person reads when a command succeeds.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let mut command = self.bare();
        command.arg("--home").arg(&self.home).args(arguments);
        let (status, said, fault) = run(command, None);
        assert!(status.success(), "{}: {fault}", self.name);
        said
    }

    /// Waits until `status` says this to a person: between two tries it says something else.
    pub(crate) fn wait_says(&self, words: &str) {
        self.wait(words, |_| self.says(&["status"]).contains(words));
    }

    /// Its view.
    pub(crate) fn view(&self) -> Value {
        self.call(&["status"])
    }

    /// Waits for a view that `is_it` accepts.
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        Watch::new(self).until(what, is_it)
    }

    /// Waits until both devices see each other.
    pub(crate) fn wait_connected(&self, other: &Self) {
        self.wait(&format!("the link to {}", other.name), |view| {
            is_connected(view, &other.name)
        });
        other.wait(&format!("the link to {}", self.name), |view| {
            is_connected(view, &self.name)
        });
    }

    /// Shows a code.
    pub(crate) fn show_code(&self) -> (Running, String) {
        self.wait("the server", has_its_server);
        let mut command = self.command();
        command.arg("pair");
        let pair = Running::start("pair", command, &self.log());
        let line = pair.line("a code", PATIENCE, |line| {
            line.contains("\"event\":\"code\"")
        });
        let shown: Value = serde_json::from_str(&line).expect("JSON");
        let code = shown["code"].as_str().expect("a code").to_owned();
        (pair, code)
    }

    /// Enters a code by standard input.
    pub(crate) fn join(&self, code: &str) -> Value {
        self.wait("the server", has_its_server);
        self.call_with(&["join"], Some(code))
    }

    /// Pairs with `other`; the compare strings of both sides.
    pub(crate) fn pair(&self, other: &Self) -> (Value, Value) {
        let (pair, code) = self.show_code();
        let joined = other.join(&code);
        let line = pair.line("that it is paired", PATIENCE, |line| {
            line.contains("\"event\":\"paired\"")
        });
        let opened: Value = serde_json::from_str(&line).expect("JSON");
        (
            opened["peer"]["compare"].clone(),
            joined["peer"]["compare"].clone(),
        )
    }

    /// Adds a folder; its id.
    pub(crate) fn add(&self, root: &Path) -> String {
        let added = self.call(&["folder", "add", text(root)]);
        added["id"].as_str().expect("a folder has an id").to_owned()
    }

    /// Invites `peer`, which accepts into `root`.
    pub(crate) fn invite(&self, folder: &str, peer: &Self, root: &Path) {
        self.call(&["folder", "invite", folder, &peer.name]);
        peer.wait("the invitation", |view| {
            view["invitations"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["folder"] == folder))
        });
        let from = &self.name;
        peer.call(&["folder", "accept", folder, text(root), "--peer", from]);
    }

    /// Adds a folder and shares it with `peer`; its id.
    pub(crate) fn share(&self, root: &Path, peer: &Self, peer_root: &Path) -> String {
        let folder = self.add(root);
        self.invite(&folder, peer, peer_root);
        folder
    }

    /// Where the engine's log goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.logs.join(format!("{}.log", self.name))
    }

    /// A command on this home that answers in JSON.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.bare();
        command.arg("--home").arg(&self.home).arg("--json");
        command
    }

    fn bare(&self) -> Command {
        let mut command = match self.before.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        for name in [
            "TOWLINE_SERVER",
            "TOWLINE_PORT",
            "TOWLINE_NAME",
            "TOWLINE_KEY_FILE",
            "TOWLINE_HOME",
            "TOWLINE_LAN_ONLY",
            "TOWLINE_PROXY",
            "TOWLINE_WEB",
            "TOWLINE_NO_WEB",
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ] {
            command.env_remove(name);
        }
        // Nothing leaves this machine, and no test meets another one.
        command.env("DISABLE_MDNS", "1");
        // A test has no business with the router of the machine that it runs on.
        command.env("DISABLE_PORT_MAPPING", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn call_with(&self, arguments: &[&str], input: Option<&str>) -> Value {
        let mut command = self.command();
        command.args(arguments);
        let (status, said, fault) = run(command, input);
        assert!(
            status.success(),
            "{}: {arguments:?}: {status}: {fault}",
            self.name
        );
        serde_json::from_str(&said).expect("an answer is JSON")
    }

    /// A command that must succeed and says how far it is on the way; its last JSON document.
    pub(crate) fn call_last(&self, arguments: &[&str]) -> Value {
        let mut command = self.command();
        command.args(arguments);
        let (status, said, fault) = run(command, None);
        assert!(status.success(), "{}: {arguments:?}: {fault}", self.name);
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last).expect("an answer is JSON")
    }

    fn refusal(&self, command: Command, input: Option<&str>) -> Refused {
        let (status, said, fault) = run(command, input);
        // Logs and the complaint share standard error; the complaint is the last line.
        let line = fault.lines().last().unwrap_or_default();
        let complaint: Value = serde_json::from_str(line)
            .unwrap_or_else(|_| panic!("{}: no complaint, {status}: {said} {fault}", self.name));
        let part = |name: &str| {
            complaint["error"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Refused {
            status,
            code: part("code"),
            message: part("message"),
        }
    }
}

impl Refused {
    /// Asserts the exit code, the stable code and words of the sentence.
    pub(crate) fn must_say(&self, code: &str, words: &[&str]) {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.message.contains(word), "{word:?} is not in {self:?}");
        }
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    OsStr::to_str(path.as_os_str()).expect("test paths are UTF-8")
}

fn run(mut command: Command, input: Option<&str>) -> (ExitStatus, String, String) {
    command.stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("towline starts");
    if let (Some(line), Some(mut stdin)) = (input, child.stdin.take()) {
        // A command that ends without reading has its own complaint.
        let _ = writeln!(stdin, "{line}");
    }
    let output = child.wait_with_output().expect("towline ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("towline says text");
    (output.status, text(output.stdout), text(output.stderr))
}
