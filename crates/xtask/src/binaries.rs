//! Building the programs that chores run, and saying where they lie.
//!
//! Debug builds take the whole set of default members at once, so that they share every compiled
//! crate with `cargo test`; release builds take only what is asked for, because each crate costs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use cargo_metadata::TargetKind;
use serde_json::json;

use crate::repo::Repo;
use crate::{run, ui};

/// The package of the desktop app.
pub(crate) const APP: &str = "towline-app";

/// The package of the command line.
pub(crate) const CLI: &str = "towline-cli";

/// Features of an app that carries its UI instead of asking a development server for it.
pub(crate) const APP_FEATURES: &str = "tauri/custom-protocol";

/// What makes a program static; with a named target, so that build scripts and macros stay what they are.
pub(crate) const STATIC: &str = "-C target-feature=+crt-static";

/// The programs that people run, as absolute paths.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// The command line and daemon.
    pub(crate) towline: PathBuf,
    /// The signal server.
    pub(crate) signal: PathBuf,
    /// The desktop app, when it was asked for.
    pub(crate) app: Option<PathBuf>,
}

/// How programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to compile.
    Debug,
    /// As shipped.
    Release,
}

/// Which programs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those without a window.
    Headless,
    /// The desktop app beside them; it needs the UI's packages and WebKit.
    WithApp,
}

/// Builds the programs; cargo shows its progress on the terminal.
pub(crate) fn build(repo: &Repo, profile: Profile, wanted: Wanted) -> Result<Built> {
    let mut command = repo.cargo();
    // Named one by one, because Windows cannot replace xtask's own file while it runs.
    command.args(["build", "--bin", "towline", "--bin", "towline-signal"]);
    match profile {
        Profile::Debug => {}
        Profile::Release => {
            command.args(["--release", "--package", CLI, "--package", SIGNAL_SERVER]);
        }
    }
    run::run(&mut command)?;
    let app = match wanted {
        Wanted::Headless => None,
        Wanted::WithApp => Some(build_app(repo, profile)?),
    };
    Ok(Built {
        towline: program(repo, profile.directory(), "towline")?,
        signal: program(repo, profile.directory(), "towline-signal")?,
        app,
    })
}

/// Builds the simulator, optimised and with overflow checks.
pub(crate) fn build_simulator(repo: &Repo) -> Result<PathBuf> {
    let mut command = repo.cargo();
    command.args(["build", "--profile", "sim"]);
    run::run(command.args(["--package", SIMULATOR, "--bin", "sim"]))?;
    program(repo, "sim", "sim")
}

/// Builds one end of a stream that is measured: optimised, and with names for a profiler.
pub(crate) fn build_stream_end(repo: &Repo) -> Result<PathBuf> {
    let mut command = repo.cargo();
    command.args(["build", "--profile", "measure", "--package", ENGINE]);
    command.args(["--features", "measure", "--example", STREAM_END]);
    run::run(&mut command)?;
    program(repo, "measure/examples", STREAM_END)
}

/// Builds the signal server alone, as shipped.
pub(crate) fn build_signal_server(repo: &Repo) -> Result<PathBuf> {
    let mut command = repo.cargo();
    command.args(["build", "--release", "--package", SIGNAL_SERVER]);
    run::run(command.args(["--bin", "towline-signal"]))?;
    program(repo, Profile::Release.directory(), "towline-signal")
}

/// Builds the clients that signal servers are measured with: with names for a profiler where they are optimised.
pub(crate) fn build_crowd(repo: &Repo, profile: Profile) -> Result<PathBuf> {
    let mut command = repo.cargo();
    command.args(["build", "--package", SIGNAL_SERVER, "--example", CROWD]);
    let directory = match profile {
        Profile::Debug => "debug/examples",
        Profile::Release => {
            command.args(["--profile", "measure"]);
            "measure/examples"
        }
    };
    run::run(&mut command)?;
    program(repo, directory, CROWD)
}

/// Builds the command line alone, as shipped.
pub(crate) fn build_command_line(repo: &Repo) -> Result<PathBuf> {
    let mut command = repo.cargo();
    command.args(["build", "--release", "--package", CLI]);
    run::run(command.args(["--bin", "towline"]))?;
    program(repo, Profile::Release.directory(), "towline")
}

/// Builds the command line alone, as shipped, so that it needs no library of the system: with musl where Rust has it,
/// else with the C library that is here.
pub(crate) fn build_static_command_line(repo: &Repo) -> Result<PathBuf> {
    let musl = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let mut library = repo.command("rustc");
    library.args(["--print", "target-libdir", "--target", &musl]);
    let has_musl = PathBuf::from(run::capture(&mut library)?).exists();
    let target = if has_musl {
        musl
    } else {
        run::capture(repo.command("rustc").args(["--print", "host-tuple"]))?
    };
    let mut command = repo.cargo();
    command.env("RUSTFLAGS", STATIC);
    command.args(["build", "--locked", "--release", "--package", CLI]);
    run::run(command.args(["--bin", "towline", "--target", &target]))?;
    program(repo, &format!("{target}/release"), "towline")
}

/// Whether the workspace has the binary of the simulator.
pub(crate) fn has_simulator(repo: &Repo) -> Result<bool> {
    has_binary(repo, SIMULATOR, "sim")
}

/// Whether the workspace has the two headless programs.
pub(crate) fn has_headless(repo: &Repo) -> Result<bool> {
    Ok(has_binary(repo, CLI, "towline")? && has_binary(repo, SIGNAL_SERVER, "towline-signal")?)
}

/// Builds the desktop app with its UI inside.
pub(crate) fn build_app(repo: &Repo, profile: Profile) -> Result<PathBuf> {
    ui::script(repo, "build")?;
    let mut command = repo.cargo();
    command.args(["build", "--package", APP, "--features", APP_FEATURES]);
    match profile {
        Profile::Debug => {}
        Profile::Release => {
            command.arg("--release");
        }
    }
    run::run(&mut command)?;
    program(repo, profile.directory(), APP)
}

/// Builds the desktop app as if it were this version, and puts it elsewhere: what an update leads to.
pub(crate) fn build_app_as(repo: &Repo, version: &str, to: &Path) -> Result<()> {
    ui::script(repo, "build")?;
    let mut command = repo.cargo();
    command.args(["build", "--package", APP, "--features", APP_FEATURES]);
    // As the bundler gives settings of its command line to a build.
    command.env("TAURI_CONFIG", json!({ "version": version }).to_string());
    run::run(&mut command)?;
    let built = program(repo, Profile::Debug.directory(), APP)?;
    fs::copy(&built, to).with_context(|| format!("keeping {}", to.display()))?;
    Ok(())
}

/// Tells a test runner where the programs lie.
pub(crate) fn tell_paths(command: &mut Command, built: &Built) {
    command.env("TOWLINE_BIN", &built.towline);
    command.env("TOWLINE_SIGNAL_BIN", &built.signal);
    if let Some(app) = &built.app {
        command.env("TOWLINE_APP_BIN", app);
    }
}

fn has_binary(repo: &Repo, package: &str, binary: &str) -> Result<bool> {
    let metadata = repo.metadata()?;
    let packages = metadata.workspace_packages();
    let found = packages
        .iter()
        .filter(|candidate| candidate.name.as_str() == package)
        .flat_map(|candidate| &candidate.targets)
        .any(|target| target.name == binary && target.kind.contains(&TargetKind::Bin));
    Ok(found)
}

fn program(repo: &Repo, directory: &str, name: &str) -> Result<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let target = repo.metadata()?.target_directory;
    let path = target.join(directory).join(file).into_std_path_buf();
    path.canonicalize()
        .with_context(|| format!("looking for what was built as {}", path.display()))
}

impl Profile {
    fn directory(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

const SIGNAL_SERVER: &str = "signal-server";
const ENGINE: &str = "towline-engine";
const CROWD: &str = "crowd";
const STREAM_END: &str = "measure_network";
const SIMULATOR: &str = "towline-sim";
