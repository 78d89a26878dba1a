//! The scripts of `ui/package.json`, with its packages in place.
//!
//! The UI provides `check` (types and lint), `test` and `build`; Node and npm must be there. Packages
//! are installed from the lock file, and again only when that is newer.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Result, bail};

use crate::binaries::{self, Profile, Wanted};
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;
use crate::system::has_program;

/// Runs one script of the UI; absent while there is no UI.
pub(crate) fn script(repo: &Repo, name: &str) -> Result<Ending> {
    script_with(repo, name, |_| {})
}

/// Runs all tests of the UI. Some reach real devices with a browser, which serve the pages that were built into them.
pub(crate) fn tests(repo: &Repo) -> Result<Ending> {
    script(repo, "build")?;
    let built = binaries::build(repo, Profile::Debug, Wanted::Headless)?;
    let artifacts = repo.artifacts()?;
    script_with(repo, "test", |command| {
        command.env("TOWLINE_ARTIFACTS", &artifacts);
        binaries::tell_paths(command, &built);
    })
}

fn script_with(repo: &Repo, name: &str, prepare: impl FnOnce(&mut Command)) -> Result<Ending> {
    if !repo.has("ui/package.json") {
        return Ok(Ending::Absent("no ui/package.json".into()));
    }
    install(repo)?;
    let mut command = repo.command(NPM);
    command.args(["--prefix", "ui", "run", name]);
    prepare(&mut command);
    let (closing, verdict) = run::keeping(&mut command, is_closing)?;
    verdict?;
    Ok(Ending::Passed(closing.join(", ")))
}

fn install(repo: &Repo) -> Result<()> {
    if !has_program(NPM) {
        bail!("npm is not here; install Node 20 or newer");
    }
    let stamp = modified(&repo.path("ui/node_modules/.package-lock.json"));
    if stamp.is_some() && stamp >= modified(&repo.path("ui/package-lock.json")) {
        return Ok(());
    }
    let mut command = repo.command(NPM);
    command.args(["ci", "--prefix", "ui", "--no-audit", "--no-fund"]);
    let log = repo.artifacts()?.join("npm-ci.log");
    run::logged(&mut command, "installing the UI's packages", &log)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// The sums that vitest and svelte-check close with.
fn is_closing(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Tests  ") || line.starts_with("svelte-check found")
}

/// npm is a script, which Windows starts only by its full name.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };
