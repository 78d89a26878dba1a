//! `towline`: Towline without a window.
//!
//! `towline up` runs the engine in the foreground (a service manager keeps it in the background);
//! every other command talks to it over the local socket of the same home. Output is words for a
//! person, or one JSON document per line with `--json`. A code is asked for or read from standard
//! input, never taken as an argument, because arguments are visible to every process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use towline_engine::options::Options;

mod commands;
#[cfg(windows)]
mod controlled;
mod output;
mod plain;
mod web;
mod words;

use commands::history::{HistoryOf, Moment};
use commands::limits::{Days, Speed, Times};
use commands::service::ServiceAction;
use commands::settings::Pause;
use output::{Failure, Output};
use web::WebOptions;

/// Keeps folders in sync straight from one computer to the other.
#[derive(Debug, Parser)]
#[command(name = "towline", version, about, propagate_version = true)]
struct Arguments {
    /// Where this device keeps its key and its index [default: the user's data directory].
    #[arg(long, global = true, env = "TOWLINE_HOME", value_name = "DIRECTORY")]
    home: Option<PathBuf>,
    /// Print JSON, one document per line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    wish: Wish,
}

#[derive(Debug, Subcommand)]
enum Wish {
    #[command(flatten)]
    Device(Command),
    /// Run a signal server, where devices meet, until it is told to stop: the same program as `towline-signal`.
    #[command(disable_help_flag = true)]
    Serve {
        /// As `towline serve --help` names them.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTIONS"
        )]
        options: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run this device until it is told to stop.
    Up(Box<UpArguments>),
    /// Show a code that another device can enter within five minutes.
    Pair,
    /// Enter a code that another device shows; it is asked for, or read from standard input.
    Join,
    /// List peers, or change what is known of one.
    Peers {
        #[command(subcommand)]
        action: Option<PeersAction>,
    },
    /// Share folders.
    Folder {
        #[command(subcommand)]
        action: FolderAction,
    },
    /// Let a folder rest: nothing of it is told, fetched or written until it is resumed.
    Pause {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// Let a paused folder go on where it was.
    Resume {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// Make what lies here, in a send-only folder, what all peers shall have.
    Override {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// Undo what was changed here in a receive-only folder; the bytes go to the versions.
    Revert {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// List what waits for a yes, mass changes and what long absent peers would bring back; let it go on, undo it,
    /// or choose when a mass change waits.
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Brake {
        /// The folder's label, or the beginning of its id.
        folder: Option<String>,
        #[command(subcommand)]
        action: Option<BrakeAction>,
    },
    /// List what peers' changes replaced or deleted in a folder on this device, newest first.
    History {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The versions of this file alone, named as it lies in the folder.
        path: Option<String>,
        /// Everything below this directory instead.
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "path")]
        below: Option<String>,
        /// Only files that lie there no more, each with its newest version.
        #[arg(long, conflicts_with = "path")]
        deleted: bool,
        /// Only versions older than this one.
        #[arg(long, value_name = "VERSION")]
        before: Option<String>,
        /// How many, at most 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    #[command(disable_version_flag = true)]
    /// Bring back a file that a peer's change replaced or deleted, or with --at everything as it was
    /// then; what lies there now is kept first.
    Restore {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The file or, with --at, the file or directory [default with --at: the whole folder].
        #[arg(required_unless_present = "at")]
        path: Option<String>,
        /// Which version, as `towline history` names it [default: the newest].
        #[arg(long = "version", value_name = "VERSION")]
        id: Option<String>,
        /// A moment in local time like "2026-11-20 19:02", one with a zone, or how long ago: "2h",
        /// "3 days". What came since stays.
        #[arg(long, value_name = "TIME", conflicts_with = "id")]
        at: Option<Moment>,
    },
    /// List a folder's conflicts, or decide them; a decision reaches every device.
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Conflicts {
        #[command(subcommand)]
        action: Option<ConflictsAction>,
        /// The folder's label, or the beginning of its id.
        folder: Option<String>,
    },
    /// Show what a folder ignores, or change it; the syntax is that of .gitignore files.
    Rules(RulesArguments),
    /// Show or change how fast content moves, when, and on which networks.
    Limits {
        #[command(subcommand)]
        action: Option<LimitsAction>,
    },
    /// The key by which peers know this device.
    Identity {
        #[command(subcommand)]
        action: IdentityAction,
    },
    /// Show how this device is connected with each peer, which addresses are tried, and why not better.
    Network,
    /// Show or set whether this device stays within the local network.
    LanOnly {
        /// Whether it does.
        wish: Option<OnOff>,
    },
    /// Show or set at which signal servers this device meets others.
    Servers {
        #[command(subcommand)]
        action: Option<ServersAction>,
    },
    /// Find out what could keep this device from working well, and what to do about it.
    Doctor,
    /// Print how this device stands and what it has logged, without names, addresses or keys: for somebody who helps.
    Diagnostics,
    /// Show how this device, its peers and its folders are.
    Status {
        /// Go on showing it after every change, until interrupted.
        #[arg(long)]
        watch: bool,
    },
    /// Print a link that opens the running device in a browser, once.
    Web,
    /// End the running engine in good order.
    Stop,
    /// Ask whether there is a newer version, and say what is new in it. Nothing is installed.
    Update,
    /// Have the system keep this device running, without a window.
    Service {
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Write what packages bring beside this program: the manual, completions, units.
    #[command(hide = true)]
    PackageFiles {
        /// Stands for /usr.
        directory: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct RulesArguments {
    /// The folder's label, or the beginning of its id.
    #[arg(required = true)]
    folder: Option<String>,
    #[command(subcommand)]
    action: Option<RulesAction>,
}

#[derive(Debug, Subcommand)]
enum RulesAction {
    /// Replace rules by the text of a file.
    Set {
        /// The folder's label, or the beginning of its id.
        folder: String,
        #[command(flatten)]
        texts: RulesTexts,
    },
    /// Show what rules would ignore of what lies here, without using them; those that are not named
    /// are the present ones.
    Test {
        /// The folder's label, or the beginning of its id.
        folder: String,
        #[command(flatten)]
        texts: RulesTexts,
        /// How many paths, at most 1000.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// Texts of rules.
#[derive(Debug, Args)]
struct RulesTexts {
    /// A file with the rules that travel with the folder to every device; - reads standard input.
    #[arg(long, value_name = "FILE")]
    shared: Option<PathBuf>,
    /// A file with the rules of this device alone, which come after them; - reads standard input.
    #[arg(long, value_name = "FILE")]
    local: Option<PathBuf>,
}

/// How the engine runs.
#[derive(Debug, Args)]
struct UpArguments {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    web: WebOptions,
    /// Serve numbers for Prometheus at this address, under /metrics, like 127.0.0.1:9464.
    #[arg(long, env = "TOWLINE_METRICS", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Log as JSON instead of text (RUST_LOG chooses what).
    #[arg(long, env = "TOWLINE_LOG_JSON")]
    log_json: bool,
    /// Windows' service manager has started it.
    #[cfg(windows)]
    #[arg(long, hide = true)]
    controlled: bool,
}

#[derive(Debug, Subcommand)]
enum ServersAction {
    /// Be at these servers, and at no others.
    Set {
        /// The preferred one first, at most three: wss://signal.example.org/ws, or the host alone. A server that is not
        /// for everybody gives out a token: `wss://TOKEN@signal.example.org/ws`, better read from standard input,
        /// for which a single - stands.
        #[arg(required = true, value_name = "URL")]
        urls: Vec<String>,
    },
    /// Be at one more server, to fall back on.
    Add {
        /// Where it is; - reads it from standard input.
        url: String,
    },
    /// Leave a server.
    Remove {
        /// As `towline servers` shows it.
        url: String,
    },
    /// Be at no server: others are met on the local network only.
    None,
    /// Be at the server that this program has by itself, if it has one.
    Default,
}

#[derive(Debug, Subcommand)]
enum IdentityAction {
    /// Make this computer a new device, where it was copied from another one: a new key, no peers, and
    /// the same folders in the same places. Towline must not run here meanwhile.
    New,
}

#[derive(Debug, Subcommand)]
enum PeersAction {
    /// Say that the compare strings match on both devices.
    Verify {
        /// The peer's name, or the beginning of its id.
        peer: String,
    },
    /// Call a peer something else on this device.
    Rename {
        /// The peer's name, or the beginning of its id.
        peer: String,
        /// Its new name.
        name: String,
    },
    /// Say where a peer is, for networks where nothing finds it: tried beside what is found out.
    AddAddress {
        /// The peer's name, or the beginning of its id.
        peer: String,
        /// A host and a UDP port: nas.example:41641 or 192.0.2.7:41641; an IPv6 address stands in brackets.
        address: String,
    },
    /// Take back what was said with `add-address`.
    RemoveAddress {
        /// The peer's name, or the beginning of its id.
        peer: String,
        /// As `towline peers` shows it.
        address: String,
    },
    /// End trust in a peer: it can no longer connect.
    Remove {
        /// The peer's name, or the beginning of its id.
        peer: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConflictsAction {
    /// Decide which version of a file stays; what gives way can be brought back with `towline restore`.
    Keep {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The file in conflict, named as it lies in the folder.
        #[arg(required_unless_present = "everything")]
        path: Option<String>,
        /// Every conflict of the folder.
        #[arg(long, conflicts_with_all = ["path", "loser"])]
        everything: bool,
        #[command(flatten)]
        choice: Choice,
    },
}

/// Which version stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// What lies at the file's name now.
    #[arg(long)]
    winner: bool,
    /// This one of the others, as `towline conflicts` names it; it takes the file's name.
    #[arg(long, value_name = "VERSION")]
    loser: Option<String>,
    /// All; the others become files beside it.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
enum BrakeAction {
    /// Let what waits of a peer go on.
    Release {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The peer's name, or the beginning of its id.
        peer: String,
    },
    /// Undo what waits of a peer, here and everywhere.
    Undo {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The peer's name, or the beginning of its id.
        peer: String,
    },
    /// Choose when a peer's mass change waits: beyond either bound.
    Set {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// Entries that a peer may delete or overwrite within a short while.
        #[arg(long, required_unless_present_any = ["percent", "off"])]
        entries: Option<u32>,
        /// The same as a share of the folder's files, 1 to 100.
        #[arg(long, required_unless_present_any = ["entries", "off"])]
        percent: Option<u8>,
        /// Never.
        #[arg(long, conflicts_with_all = ["entries", "percent"])]
        off: bool,
    },
}

#[derive(Debug, Subcommand)]
enum FolderAction {
    /// Start to sync a folder of this computer.
    Add {
        /// Where it lies.
        path: PathBuf,
        /// What to call it [default: the directory's name].
        #[arg(long)]
        label: Option<String>,
    },
    /// List folders and invitations.
    List,
    /// Share a folder with a peer.
    Invite {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// The peer's name, or the beginning of its id.
        peer: String,
    },
    /// Take part in a folder that a peer shares.
    Accept {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// Where it shall lie; made if it does not exist.
        path: PathBuf,
        /// Who shares it, when several peers do.
        #[arg(long)]
        peer: Option<String>,
    },
    /// Stop to sync a folder on this device; its files stay.
    Remove {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// Look through a folder for changes now.
    Rescan {
        /// The folder's label, or the beginning of its id.
        folder: String,
    },
    /// Choose which way a folder's changes go on this device.
    Mode {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// Both ways, from here to the peers only, or from the peers to here only.
        mode: ModeName,
    },
    /// Choose whether files of a folder keep their extended attributes on this device.
    ///
    /// They travel between the devices that keep them: those of users (`user.*` on Linux), of files, at
    /// most 64 and 16 KiB of a file.
    Attributes {
        /// The folder's label, or the beginning of its id.
        folder: String,
        /// Keep them with the files, or leave them alone here and only pass on what peers have.
        keeping: KeepingName,
    },
}

/// Whether files keep their extended attributes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeepingName {
    /// They are told, and come with the files of peers.
    Keep,
    /// They are left alone here.
    Leave,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnOff {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Which way a folder's changes go.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeName {
    /// Both ways.
    TwoWay,
    /// From here to the peers: what they change is not carried out here.
    SendOnly,
    /// From the peers to here: what is changed here is not told.
    ReceiveOnly,
}

#[derive(Debug, Subcommand)]
enum LimitsAction {
    /// Set the most bytes a second, for all folders together or for one beside that.
    Set {
        /// Only for this folder: its label, or the beginning of its id.
        #[arg(long)]
        folder: Option<String>,
        #[command(flatten)]
        speeds: SpeedArguments,
    },
    /// Change the times of the week that have a rule of their own; the first that holds counts.
    Schedule {
        #[command(subcommand)]
        action: ScheduleAction,
    },
    /// Set what holds on a network that costs by volume.
    Metered {
        /// Whether this network is one.
        #[arg(long)]
        network: Option<MeteredChoice>,
        /// Nothing of its own holds there.
        #[arg(long, conflicts_with_all = ["pause", "send", "receive"])]
        no_rule: bool,
        #[command(flatten)]
        rule: RuleArguments,
    },
}

#[derive(Debug, Subcommand)]
enum ScheduleAction {
    /// Add a window behind the others.
    Add {
        /// The days on which it begins: `daily`, or like mon-fri,sun.
        days: Days,
        /// From when to when, in local time, like 08:00-17:30 or 22:00-06:00.
        times: Times,
        #[command(flatten)]
        rule: RuleArguments,
    },
    /// Remove a window.
    Remove {
        /// Its number in `towline limits`.
        number: usize,
    },
    /// Remove all windows.
    Clear,
}

/// Speeds to set.
#[derive(Debug, Clone, Copy, Args)]
struct SpeedArguments {
    /// Most bytes a second from this device, like 500KB or 2MiB, or `none`.
    #[arg(long, value_name = "SPEED")]
    send: Option<Speed>,
    /// Most bytes a second to this device.
    #[arg(long, value_name = "SPEED")]
    receive: Option<Speed>,
}

/// What holds for a while.
#[derive(Debug, Clone, Copy, Args)]
struct RuleArguments {
    /// No content moves.
    #[arg(long, conflicts_with_all = ["send", "receive"])]
    pause: bool,
    #[command(flatten)]
    speeds: SpeedArguments,
}

impl RuleArguments {
    fn is_given(self) -> bool {
        self.pause || self.speeds.send.is_some() || self.speeds.receive.is_some()
    }
}

/// Whether the present network costs by volume.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MeteredChoice {
    /// As the system says (NetworkManager on Linux; elsewhere it does not).
    System,
    /// It does.
    Yes,
    /// It does not.
    No,
}

fn main() -> ExitCode {
    towline_engine::let_heaps_breathe();
    let Arguments { home, json, wish } = Arguments::parse();
    let command = match wish {
        Wish::Device(command) => command,
        Wish::Serve { options } => {
            let words = std::iter::once("towline serve".into()).chain(options);
            return signal_server::program::run(words);
        }
    };
    let output = Output::new(json);
    #[cfg(windows)]
    if matches!(&command, Command::Up(up) if up.controlled) {
        return controlled::run(&output);
    }
    match run(home, command, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn run(home: Option<PathBuf>, command: Command, output: &Output) -> Result<(), Failure> {
    let given = home.clone();
    let home = match home {
        Some(home) => home,
        None => default_home()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("runtime", format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Up(up) => commands::up::run(home, *up, output).await,
            Command::Pair => commands::pairing::pair(&home, output).await,
            Command::Join => commands::pairing::join(&home, output).await,
            Command::Peers { action } => commands::peers::run(&home, action, output).await,
            Command::Folder { action } => commands::folder::run(&home, action, output).await,
            Command::Pause { folder } => {
                commands::settings::set_paused(&home, &folder, Pause::Begin, output).await
            }
            Command::Resume { folder } => {
                commands::settings::set_paused(&home, &folder, Pause::End, output).await
            }
            Command::Brake { folder, action } => {
                commands::brake::run(&home, folder, action, output).await
            }
            Command::Override { folder } => {
                commands::settings::override_peers(&home, &folder, output).await
            }
            Command::Revert { folder } => commands::settings::revert(&home, &folder, output).await,
            Command::History {
                folder,
                path,
                below,
                deleted,
                before,
                limit,
            } => {
                let of = match path {
                    Some(path) => HistoryOf::Path(path),
                    None if deleted => HistoryOf::Deleted(below),
                    None => HistoryOf::Below(below),
                };
                commands::history::list(&home, &folder, of, (before, limit), output).await
            }
            Command::Restore {
                folder,
                path,
                at: Some(moment),
                ..
            } => commands::history::restore_to(&home, &folder, path, moment, output).await,
            Command::Restore {
                folder,
                path,
                id,
                at: None,
            } => {
                // Required without a moment.
                let path = path.unwrap_or_default();
                commands::history::restore(&home, &folder, path, id, output).await
            }
            Command::Conflicts {
                action:
                    Some(ConflictsAction::Keep {
                        folder,
                        path,
                        choice,
                        ..
                    }),
                ..
            } => commands::conflicts::keep(&home, &folder, path, choice, output).await,
            Command::Conflicts {
                action: None,
                folder,
            } => commands::conflicts::list(&home, &folder.unwrap_or_default(), output).await,
            Command::Rules(RulesArguments { folder, action }) => match action {
                None => {
                    let folder = folder.unwrap_or_default();
                    commands::rules::show(&home, &folder, output).await
                }
                Some(RulesAction::Set { folder, texts }) => {
                    commands::rules::set(&home, &folder, (texts.shared, texts.local), output).await
                }
                Some(RulesAction::Test {
                    folder,
                    texts,
                    limit,
                }) => {
                    let texts = (texts.shared, texts.local);
                    commands::rules::test(&home, &folder, texts, limit, output).await
                }
            },
            Command::Limits { action } => commands::limits::run(&home, action, output).await,
            Command::Identity {
                action: IdentityAction::New,
            } => commands::identity::renew(&home, output).await,
            Command::Doctor => commands::doctor::run(&home, output).await,
            Command::Diagnostics => commands::diagnostics::run(&home, output).await,
            Command::LanOnly { wish } => commands::lan_only::run(&home, wish, output).await,
            Command::Servers { action } => commands::servers::run(&home, action, output).await,
            Command::Network => commands::network::run(&home, output).await,
            Command::Status { watch: true } => commands::status::watch(&home, output).await,
            Command::Status { watch: false } => commands::status::run(&home, output).await,
            Command::Web => commands::web::run(&home, output).await,
            Command::Update => commands::update::check(&home, output).await,
            Command::Stop => commands::status::stop(&home, output).await,
            Command::Service { action } => commands::service::run(given, action, output).await,
            Command::PackageFiles { directory } => commands::package_files::run(&directory, output),
        }
    })
}

fn default_home() -> Result<PathBuf, Failure> {
    directories::ProjectDirs::from("", "", "towline")
        .map(|places| places.data_dir().to_owned())
        .ok_or_else(|| {
            Failure::new(
                "home",
                "this user has no home directory; name one with --home".to_owned(),
            )
        })
}
