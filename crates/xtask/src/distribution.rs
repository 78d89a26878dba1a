//! `cargo xtask dist`: the bundles that people install, and whether they are right.
//!
//! The UI, the app and the command line are built as shipped, and put into a deb and an rpm by the bundler that is
//! among the UI's packages, and into an AppImage; the command line alone becomes an archive, a deb and an rpm. They lie
//! in `artifacts/dist`, beside a list of their parts (CycloneDX) and their sums. `--release` refuses to make them without
//! the settings of a release. `--try` looks into them, runs them, and installs the debs into a copy of this machine that
//! nothing is left of, where the window is opened and they are removed again.

mod alone;
mod appimage;
mod bundles;
mod content;
mod headless;
mod manifest;
mod parts;
mod release;
mod room;
mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

pub(crate) use self::manifest::{ManifestArgs, manifest};

use crate::repo::Repo;
use crate::run;
use crate::steps::{Ending, OnFailure, Steps};
use crate::system::{Purpose, ensure_packages};

/// Options of `cargo xtask dist`.
#[derive(Debug, Args)]
pub(crate) struct DistArgs {
    /// Only this kind of bundle.
    #[arg(long, value_enum, value_name = "KIND")]
    only: Option<Kind>,
    /// Refuses to build without the settings that a release has: TOWLINE_UPDATE_URL, TOWLINE_UPDATE_KEY and
    /// TOWLINE_DEFAULT_SERVER.
    #[arg(long, conflicts_with = "tries")]
    release: bool,
    /// Only looks whether those settings are there; on every system.
    #[arg(long, conflicts_with_all = ["tries", "only"])]
    settings_only: bool,
    /// Builds nothing, and tries what was built last.
    #[arg(long = "try")]
    tries: bool,
}

/// A kind of bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// For Debian and its relatives.
    Deb,
    /// For Fedora and its relatives.
    Rpm,
    /// The app in one file that runs where it lies; on x86_64.
    Appimage,
    /// The command line alone, to be unpacked anywhere.
    Archive,
}

impl Kind {
    /// As the bundler, its directories and the ends of files have it.
    fn word(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Appimage => "AppImage",
            Self::Archive => "tar.gz",
        }
    }
}

/// Runs the chore.
pub(crate) fn dist(repo: &Repo, args: &DistArgs) -> Result<()> {
    if args.settings_only {
        let mut steps = Steps::new(OnFailure::Stop);
        steps.run("release settings", release::settings)?;
        return steps.finish();
    }
    if !cfg!(target_os = "linux") {
        bail!("bundles are made on Linux so far");
    }
    let kinds = args.only.map_or_else(all_kinds, |kind| vec![kind]);
    if args.tries {
        return try_all(repo, &kinds);
    }
    let mut steps = Steps::new(OnFailure::Stop);
    if args.release {
        steps.run("release settings", release::settings)?;
    }
    steps.run("packages", || {
        ensure_packages(
            repo,
            &[Purpose::Headless, Purpose::Window, Purpose::Bundles],
        )?;
        Ok(Ending::Passed("everything is here".into()))
    })?;
    empty(&place(repo)?)?;
    if kinds.iter().any(|kind| *kind != Kind::Archive) {
        steps.run("bundles", || bundles::make(repo, &kinds))?;
    }
    if kinds.iter().any(|kind| *kind != Kind::Appimage) {
        steps.run("the command line alone", || headless::make(repo, &kinds))?;
    }
    steps.run("parts", || parts::list(repo))?;
    steps.run("sums", || sums(repo))?;
    steps.finish()
}

/// What is made here: there is a runtime of AppImages for one kind of processor.
fn all_kinds() -> Vec<Kind> {
    let mut kinds = vec![Kind::Deb, Kind::Rpm, Kind::Archive];
    if cfg!(target_arch = "x86_64") {
        kinds.push(Kind::Appimage);
    }
    kinds
}

fn try_all(repo: &Repo, kinds: &[Kind]) -> Result<()> {
    let mut steps = Steps::new(OnFailure::KeepGoing);
    steps.run("packages", || {
        ensure_packages(repo, &[Purpose::Bundles, Purpose::WindowTests])?;
        Ok(Ending::Passed("everything is here".into()))
    })?;
    steps.run("sums are right", || {
        run::capture(sha256sum(repo)?.args(["--check", "--strict", SUMS]))?;
        Ok(Ending::Passed(SUMS.into()))
    })?;
    for kind in kinds {
        match kind {
            Kind::Deb => {
                steps.run("deb", || content::deb(repo, Package::Desktop))?;
                steps.run("deb without a window", || {
                    content::deb(repo, Package::Headless)
                })?;
                steps.run("debs, installed", || trial::installed(repo))?;
            }
            Kind::Rpm => {
                steps.run("rpm", || content::rpm(repo, Package::Desktop))?;
                steps.run("rpm without a window", || {
                    content::rpm(repo, Package::Headless)
                })?;
            }
            Kind::Appimage => {
                steps.run("AppImage", || trial::appimage(repo))?;
            }
            Kind::Archive => steps.run("archive", || alone::archive(repo))?,
        }
    }
    steps.finish()
}

/// Writes the sums of all that lies in the directory.
fn sums(repo: &Repo) -> Result<Ending> {
    let place = place(repo)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&place).context("listing the bundles")? {
        let name = entry.context("listing the bundles")?.file_name();
        if name != SUMS {
            names.push(name);
        }
    }
    names.sort();
    let sums = run::capture(sha256sum(repo)?.arg("--").args(&names))?;
    fs::write(place.join(SUMS), format!("{sums}\n")).context("writing the sums")?;
    Ok(Ending::Passed(format!("{} files", names.len())))
}

fn sha256sum(repo: &Repo) -> Result<Command> {
    let mut command = Command::new("sha256sum");
    command.current_dir(place(repo)?);
    Ok(command)
}

/// Where bundles lie.
fn place(repo: &Repo) -> Result<PathBuf> {
    let place = repo.artifacts()?.join("dist");
    fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
    Ok(place)
}

/// Which of the two packages: both have the command line, and one shuts the other out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Package {
    /// With the window.
    Desktop,
    /// The command line alone.
    Headless,
}

impl Package {
    /// As its files are called.
    fn beginning(self) -> &'static str {
        match self {
            Self::Desktop => "Towline",
            Self::Headless => "towline-",
        }
    }
}

/// The bundle of this kind that was built last.
fn bundle(repo: &Repo, kind: Kind, package: Package) -> Result<PathBuf> {
    for entry in fs::read_dir(place(repo)?).context("listing the bundles")? {
        let name = entry.context("listing the bundles")?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(package.beginning()) && name.ends_with(&format!(".{}", kind.word())) {
            return Ok(place(repo)?.join(&*name));
        }
    }
    bail!("there is no {}; run `cargo xtask dist`", kind.word())
}

fn empty(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("emptying {}", directory.display()))?;
    }
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))
}

/// The version of the workspace, which is that of every program.
fn version(repo: &Repo) -> Result<String> {
    let metadata = repo.metadata()?;
    let packages = metadata.workspace_packages();
    let app = packages
        .iter()
        .find(|package| package.name.as_str() == crate::binaries::APP);
    Ok(app.context("the app is no package")?.version.to_string())
}

/// A path for what a step needs for a while.
fn scratch(name: &str) -> PathBuf {
    env::temp_dir().join(format!("towline-dist-{name}-{}", std::process::id()))
}

/// The file of sums, as `sha256sum` writes and reads it.
const SUMS: &str = "SHA256SUMS";
