//! `cargo xtask deploy`: whether the files of `signal-server/deploy` are right, asked of the programs that read
//! them, and tried with the real server.
//!
//! Two parts. The files are given to the validators of what they are for (Prometheus, nginx, systemd, Kubernetes'
//! schemas, ...). Then the server is built as its image is, run as nobody in an empty root, watched through its
//! system calls, read by a real Prometheus, and reached through a real nginx and a real Caddy, also as two instances.
//! Everything happens on loopback and in network namespaces that are made here.

mod files;
mod fronts;
mod image;
mod instances;
mod kubernetes;
mod numbers;
mod promises;
mod redis;
mod turn;
mod unit;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::run;
use crate::steps::{Ending, OnFailure, Steps};
use crate::system::{Purpose, ensure_packages};

/// Options of `cargo xtask deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Only looks at the files, and builds and starts nothing.
    #[arg(long)]
    files: bool,
}

/// Runs the chore.
pub(crate) fn deploy(repo: &Repo, args: &DeployArgs) -> Result<()> {
    let mut steps = Steps::new(OnFailure::KeepGoing);
    steps.run("packages", || {
        ensure_packages(repo, &[Purpose::Deployment])?;
        Ok(Ending::Passed("everything is here".into()))
    })?;
    steps.run("deploy files", || files::step(repo))?;
    if !args.files {
        steps.run("deploy", || trial_step(repo))?;
    }
    steps.finish()
}

/// Runs both parts among the steps of another chore.
pub(crate) fn add_steps(repo: &Repo, steps: &mut Steps) -> Result<()> {
    steps.run("deploy files", || files::step(repo))?;
    steps.run("deploy", || trial_step(repo))
}

/// The server as it is deployed.
fn trial_step(repo: &Repo) -> Result<Ending> {
    if !cfg!(target_os = "linux") {
        return Ok(Ending::Absent("servers are deployed on Linux".into()));
    }
    let place = Place::make(repo)?;
    let signal = image::build(repo)?;
    let mut done = vec![promises::settings(repo, &signal)?];
    done.push(image::run_as_nobody(
        &place,
        &signal,
        &image::Recipe::read(repo)?,
    )?);
    done.push(unit::judge(repo, &place, &signal)?);
    done.push(numbers::read_by_prometheus(repo, &place, &signal)?);
    done.push(turn::lend(repo, &place)?);
    done.push(fronts::reach_through(repo, &place, &signal)?);
    done.push(instances::meet_behind_nginx(repo, &place, &signal)?);
    Ok(Ending::Passed(done.join("; ")))
}

/// A directory for what a trial needs, gone afterwards, and where its logs are kept.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    logs: PathBuf,
}

impl Place {
    fn make(repo: &Repo) -> Result<Self> {
        let path = env::temp_dir().join(format!("towline-deploy-{}", process::id()));
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        let logs = repo.artifacts()?.join("deploy");
        fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
        Ok(Self { path, logs })
    }

    /// Writes a file and returns where it lies.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// A directory in it.
    fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    }

    /// A certificate of its own making and its key, for this name.
    fn certificate(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (self.path.join("cert.pem"), self.path.join("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
        openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-subj", &format!("/CN={name}")]);
        openssl.args(["-addext", &format!("subjectAltName=DNS:{name}")]);
        openssl
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        run::capture(&mut openssl)?;
        Ok((certificate, key))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, as everything in its directory for such things.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The text of a file of ours.
fn text_of(repo: &Repo, name: &str) -> Result<String> {
    let path = repo.path(name);
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// The text with `from` replaced by `to`, which must be there.
fn replaced(text: &str, from: &str, to: &str) -> Result<String> {
    if !text.contains(from) {
        bail!("a trial looks for `{from}`, which is not there any more");
    }
    Ok(text.replace(from, to))
}

/// As an argument.
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether we may do what only root may.
fn is_root() -> Result<bool> {
    Ok(run::capture(Command::new("id").arg("-u"))? == "0")
}

/// The name of the server in the files.
const NAME: &str = "signal.example.org";

/// Where the files are.
const FILES: &str = "signal-server/deploy";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trial_replaces_must_be_there() {
        assert_eq!(
            replaced("listen 443", "443", "8443").unwrap(),
            "listen 8443"
        );
        assert!(replaced("listen 443", "444", "8443").is_err());
    }
}
