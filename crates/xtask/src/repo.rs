//! The checkout: where its root is, what lies in it, and commands that run in it.
//!
//! Paths handed out as text are relative to the root with `/` between components on every system,
//! so that rules about paths can be written once. Build products and downloaded packages are not
//! part of the checkout. Git is not needed: an unpacked archive is as good as a clone.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};
use walkdir::{DirEntry, WalkDir};

use crate::run;
use crate::source::SourceFile;

/// The root directory of the checkout.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// Looks for the root upwards from the current directory.
    pub(crate) fn find() -> Result<Self> {
        let here = env::current_dir().context("asking for the current directory")?;
        for directory in here.ancestors() {
            if directory.join("crates/xtask/Cargo.toml").is_file() {
                return Ok(Self {
                    root: directory.to_path_buf(),
                });
            }
        }
        bail!("{} is not inside a Towline checkout", here.display())
    }

    /// The root directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The absolute path of `relative`.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Whether a file or directory exists at `relative`.
    pub(crate) fn has(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }

    /// A command that runs in the root.
    ///
    /// What cargo told xtask about itself is taken out of the environment: build scripts that look
    /// at those variables would otherwise run again after each switch between `cargo xtask` and a
    /// plain `cargo`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let about_xtask = name.to_str().is_some_and(|name| {
                [
                    "CARGO_PKG_",
                    "CARGO_MANIFEST_",
                    "CARGO_BIN_",
                    "CARGO_CRATE_",
                ]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            });
            if about_xtask {
                command.env_remove(name);
            }
        }
        command
    }

    /// Cargo, in the root.
    pub(crate) fn cargo(&self) -> Command {
        self.command("cargo")
    }

    /// What cargo knows about the workspace and everything that it depends on.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        MetadataCommand::new()
            .current_dir(&self.root)
            .exec()
            .context("reading cargo metadata")
    }

    /// The directory for logs and reports of the chores, made when it is missing.
    pub(crate) fn artifacts(&self) -> Result<PathBuf> {
        let directory = self.path("artifacts");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("making {}", directory.display()))?;
        Ok(directory)
    }

    /// A first seed for random tests that changes with the day and the commit, so that CI walks
    /// through ever new worlds while a run on one day can be repeated.
    pub(crate) fn seed_of_today(&self) -> u64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let day = since_epoch.as_secs() / SECONDS_PER_DAY;
        let mut git = self.command("git");
        git.args(["rev-parse", "--short=8", "HEAD"]);
        // An unpacked archive has no commit; the day alone must do.
        let commit = run::capture(&mut git).unwrap_or_default();
        let commit = u64::from_str_radix(&commit, 16).unwrap_or(0);
        (commit ^ day) % SEEDS_FROM
    }

    /// Every text file that a person wrote, in the order of their paths.
    pub(crate) fn files(&self) -> Result<Vec<SourceFile>> {
        let mut files = Vec::new();
        let walk = WalkDir::new(&self.root).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_ours(entry)) {
            let entry = entry.context("walking through the checkout")?;
            if !entry.file_type().is_file() || !is_text(entry.path()) {
                continue;
            }
            let text = std::fs::read_to_string(entry.path())
                .with_context(|| format!("reading {}", entry.path().display()))?;
            files.push(SourceFile::new(self.relative(entry.path()), text));
        }
        Ok(files)
    }

    fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        let components: Vec<_> = inside
            .components()
            .map(|component| component.as_os_str().to_string_lossy())
            .collect();
        components.join("/")
    }
}

/// Whether the walk should enter or take this entry.
fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    !(entry.file_type().is_dir() && NOT_OURS.contains(&name.as_ref()))
}

fn is_text(path: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some(extension) => TEXT_EXTENSIONS.contains(&extension),
        None => path.ends_with(".ci/run"),
    }
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// First seeds stay below a billion: short enough to be read out loud.
const SEEDS_FROM: u64 = 1_000_000_000;

/// Directories that hold products, downloads or bookkeeping of tools, wherever they lie.
const NOT_OURS: &[&str] = &[
    ".git",
    "artifacts",
    "dist",
    "gen",
    "node_modules",
    "target",
    "test-results",
];

/// Kinds of files that the rules about text apply to.
const TEXT_EXTENSIONS: &[&str] = &[
    "css", "html", "js", "json", "lock", "md", "mjs", "rs", "sh", "svelte", "toml", "ts", "yaml",
    "yml",
];
