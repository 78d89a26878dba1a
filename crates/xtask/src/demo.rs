//! `cargo xtask demo`: two devices on this computer that pair and keep a folder in sync.
//!
//! It installs what is missing, builds what people install, starts a signal server on loopback and
//! two devices with homes of their own, and then does what two people would do, saying in plain
//! words what happens. It believes no program's word: after every step both folders are read and
//! compared byte by byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use walkdir::WalkDir;

use crate::binaries::{self, Built, Profile, Wanted};
use crate::devices::{self, Device, Server};
use crate::processes::Running;
use crate::repo::Repo;
use crate::report::{Spinner, readable, say};
use crate::system::{self, Purpose};

pub(crate) mod sample;

/// Options of `cargo xtask demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Shares a copy of this folder instead of the sample tree.
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
    /// Ends after both trees were compared byte by byte; opens no window.
    #[arg(long)]
    once: bool,
}

/// How long one step may take until both folders are equal: 10 minutes, for large folders of
/// people's own.
const STEP_PATIENCE: Duration = Duration::from_secs(600);

/// Runs the chore.
pub(crate) fn demo(repo: &Repo, args: &DemoArgs) -> Result<()> {
    let windows = !args.once && system::has_display();
    let mut purposes = vec![Purpose::Headless];
    if windows {
        purposes.push(Purpose::Window);
    }
    say("== Getting ready");
    system::ensure_packages(repo, &purposes)?;
    let windows = windows && system::can_build_window();
    if !args.once && !windows {
        say("   No display (or no WebKit) here, so no windows; the devices run without.");
    }
    let built = binaries::build(repo, Profile::Release, Wanted::Headless)?;
    // The windows only show what the engines do; unoptimised they compile in a third of the time.
    let app = if windows {
        Some(binaries::build_app(repo, Profile::Debug)?)
    } else {
        None
    };
    let stage = Stage::new(repo, &built)?;
    let (mut anna, mut ben) = stage.devices(&built)?;
    pair(&anna, &ben)?;
    share(&stage, &anna, &ben, args.folder.as_deref())?;
    edit_both_sides(&stage, &ben)?;
    rename_and_delete(&stage, &ben)?;
    conflict(&stage, &anna, &mut ben)?;
    say("");
    say("Both folders are equal: every name, byte and executable bit was compared.");
    if args.once {
        ben.stop()?;
        anna.stop()?;
        return Ok(());
    }
    stay(&stage, &built, app.as_deref(), anna, ben)
}

/// Everything that lives as long as the demo.
#[derive(Debug)]
struct Stage {
    directory: PathBuf,
    logs: PathBuf,
    server: Server,
}

impl Stage {
    fn new(repo: &Repo, built: &Built) -> Result<Self> {
        let directory = repo.artifacts()?.join("demo");
        if directory.exists() {
            fs::remove_dir_all(&directory).context("clearing the last demo")?;
        }
        let logs = directory.join("logs");
        fs::create_dir_all(&logs)?;
        let server = Server::start(&built.signal, &logs)?;
        Ok(Self {
            directory,
            logs,
            server,
        })
    }

    fn devices(&self, built: &Built) -> Result<(Device, Device)> {
        say("");
        say(format!(
            "== A signal server on loopback ({}) and two devices, Anna and Ben",
            self.server.url
        ));
        let device = |name: &str| {
            let home = self.directory.join(format!("home-{}", name.to_lowercase()));
            Device::new(name, home, &built.towline, &self.server, &self.logs)
        };
        let (mut anna, mut ben) = (device("Anna"), device("Ben"));
        anna.start()?;
        ben.start()?;
        Ok((anna, ben))
    }

    fn root(&self, name: &str) -> PathBuf {
        self.directory
            .join(format!("{}s-folder", name.to_lowercase()))
    }

    /// Waits until both folders are equal; says how long it took and what came.
    fn settle(&self, device: &Device, since: Instant, what: &str) -> Result<()> {
        let spinner = Spinner::start(what);
        let (left, right) = (self.root("Anna"), self.root("Ben"));
        devices::wait_until_equal(&left, &right, device, STEP_PATIENCE, |view| {
            spinner.detail(&progress(view));
        })?;
        drop(spinner);
        say(format!(
            "   {what}: both folders are equal after {}.",
            readable(since.elapsed())
        ));
        Ok(())
    }
}

fn pair(anna: &Device, ben: &Device) -> Result<()> {
    say("");
    say("== Pairing");
    let paired = anna.pair(ben)?;
    say(format!(
        "   Anna's device shows the code {}; Ben types it.",
        paired.code
    ));
    say(format!(
        "   Paired after {}. Both show: {}",
        readable(paired.took),
        paired.compare
    ));
    let connected = |view: &Value| view["peers"][0]["link"]["state"] == "up";
    let direct =
        |view: &Value| connected(view) && view["peers"][0]["link"]["path"]["kind"] != "relayed";
    let view = anna.wait("a direct connection", Duration::from_secs(30), direct)?;
    let link = &view["peers"][0]["link"];
    let rtt = link["rtt_ms"]
        .as_f64()
        .map_or_else(String::new, |rtt| format!(", {rtt:.1} ms round trip"));
    say(format!(
        "   Connected directly to {}{rtt}.",
        link["path"]["address"].as_str().unwrap_or("?")
    ));
    Ok(())
}

fn share(stage: &Stage, anna: &Device, ben: &Device, folder: Option<&Path>) -> Result<()> {
    say("");
    say("== Sharing a folder");
    let (left, right) = (stage.root("Anna"), stage.root("Ben"));
    match folder {
        Some(folder) => sample::copy(folder, &left)?,
        None => sample::make(&left)?,
    }
    fs::create_dir_all(&right)?;
    let (files, bytes) = weigh(&left);
    let since = Instant::now();
    anna.share(&left, ben, &right)?;
    say(format!(
        "   Anna shares {} ({files} files, {}); Ben accepts.",
        left.display(),
        size(bytes)
    ));
    stage.settle(ben, since, "First sync")?;
    let seconds = since.elapsed().as_secs_f64();
    say(format!(
        "   {files} files, {} at {:.1} MB/s, {:.0} files/s, durable and verified.",
        size(bytes),
        bytes as f64 / 1e6 / seconds,
        files as f64 / seconds
    ));
    Ok(())
}

fn edit_both_sides(stage: &Stage, ben: &Device) -> Result<()> {
    say("");
    say("== Both work at the same time");
    let since = Instant::now();
    fs::write(
        stage.root("Anna").join("from-anna.txt"),
        "Anna wrote this.\n",
    )?;
    fs::create_dir_all(stage.root("Ben").join("new folder"))?;
    fs::write(
        stage.root("Ben").join("new folder/from-ben.txt"),
        "Ben wrote this.\n",
    )?;
    say("   Anna writes from-anna.txt, Ben writes new folder/from-ben.txt.");
    stage.settle(ben, since, "Edits on both sides")
}

fn rename_and_delete(stage: &Stage, ben: &Device) -> Result<()> {
    say("");
    say("== Renaming and deleting");
    let (left, right) = (stage.root("Anna"), stage.root("Ben"));
    let large = sample::make_large(&left)?;
    stage.settle(ben, Instant::now(), "A new file of 16 MiB")?;
    let before = fetched_bytes(&ben.view()?);
    let since = Instant::now();
    fs::rename(&large, left.join("renamed by Anna.bin"))?;
    say("   Anna renames it.");
    stage.settle(ben, since, "The rename")?;
    let cost = fetched_bytes(&ben.view()?).saturating_sub(before);
    say(format!(
        "   The rename cost {} on the wire, because Ben had the bytes already.",
        size(cost)
    ));
    let since = Instant::now();
    fs::remove_file(right.join("from-anna.txt"))?;
    say("   Ben deletes from-anna.txt.");
    stage.settle(ben, since, "The deletion")
}

fn conflict(stage: &Stage, anna: &Device, ben: &mut Device) -> Result<()> {
    say("");
    say("== A conflict");
    let (left, right) = (stage.root("Anna"), stage.root("Ben"));
    fs::write(left.join("plan.txt"), "Where shall we go?\n")?;
    stage.settle(ben, Instant::now(), "plan.txt")?;
    ben.stop()?;
    fs::write(left.join("plan.txt"), "To the sea, says Anna.\n")?;
    fs::write(right.join("plan.txt"), "To the mountains, says Ben.\n")?;
    say("   While Ben is away, both write plan.txt. Ben comes back.");
    let since = Instant::now();
    ben.start()?;
    let both = |root: &Path| -> Vec<PathBuf> {
        let copies = WalkDir::new(root.join(".towline/conflicts/plan.txt"));
        let copies = copies.into_iter().flatten();
        let files = copies.filter(|entry| entry.file_type().is_file());
        let mut found: Vec<PathBuf> = files.map(walkdir::DirEntry::into_path).collect();
        found.push(root.join("plan.txt"));
        found
    };
    let two_versions =
        |view: &Value| !view.is_null() && both(&left).len() == 2 && both(&right).len() == 2;
    anna.wait("the conflict copy", Duration::from_secs(60), two_versions)?;
    stage.settle(ben, since, "Back together")?;
    let texts: Vec<String> = both(&left)
        .iter()
        .map(fs::read_to_string)
        .collect::<Result<_, _>>()?;
    let kept = |text: &str| texts.iter().any(|kept| kept.contains(text));
    if !kept("Anna") || !kept("Ben") {
        bail!("a version was lost in the conflict: {texts:?}");
    }
    say("   One keeps the name, the other waits in the conflict inbox, on both devices:");
    for (path, text) in both(&left).iter().zip(&texts) {
        let name = path.strip_prefix(&left).unwrap_or(path).display();
        say(format!("     {name}: {}", text.trim_end()));
    }
    Ok(())
}

/// Keeps both devices running until Ctrl-C.
fn stay(
    stage: &Stage,
    built: &Built,
    app: Option<&Path>,
    mut anna: Device,
    mut ben: Device,
) -> Result<()> {
    let mut windows = Vec::new();
    if let Some(app) = app {
        for device in [&anna, &ben] {
            let mut command = Command::new(app);
            command.arg("--home").arg(&device.home);
            windows.push(Running::start(
                &format!("window-{}", device.name.to_lowercase()),
                &mut command,
                &stage.logs,
            )?);
        }
        say("   Two windows show the same two devices.");
    }
    say("");
    say("The devices keep running. Change files in either folder and see them follow:");
    say(format!("     {}", stage.root("Anna").display()));
    say(format!("     {}", stage.root("Ben").display()));
    say(format!(
        "Ask a device yourself: {} --home {} status",
        built.towline.display(),
        anna.home.display()
    ));
    say("Ctrl-C ends everything.");
    // Ctrl-C reaches every process of the terminal at once; each ends in good order.
    while ben.is_up() && anna.is_up() {
        anna.wait_for_change(Duration::from_secs(3600));
    }
    Ok(())
}

fn fetched_bytes(view: &Value) -> u64 {
    let folders = view["folders"]
        .as_array()
        .map_or(&[] as &[Value], Vec::as_slice);
    folders
        .iter()
        .filter_map(|folder| folder["transfer"]["fetched_bytes"].as_u64())
        .sum()
}

fn progress(view: &Value) -> String {
    let folder = &view["folders"][0];
    let files = folder["files"].as_u64().unwrap_or_default();
    let needs = folder["needs"].as_u64().unwrap_or_default();
    format!(
        "{files} files here, {needs} to go, {}",
        size(fetched_bytes(view))
    )
}

/// Files and bytes below a directory.
fn weigh(root: &Path) -> (u64, u64) {
    let files = WalkDir::new(root)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file());
    files
        .filter_map(|entry| entry.metadata().ok())
        .fold((0, 0), |(files, bytes), file| {
            (files + 1, bytes + file.len())
        })
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
