//! The archive as people meet it: unpacked where nothing else is, and run as the image runs it.
//!
//! The root holds the program, `/dev`, `/proc` and a home, and nothing that belongs to a system: whatever the program
//! would load from one is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Kind, Package, bundle, scratch, version};
use crate::processes::Running;
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// Unpacks it, and lets a device live in it.
pub(super) fn archive(repo: &Repo) -> Result<Ending> {
    let archive = bundle(repo, Kind::Archive, Package::Headless)?;
    let directory = scratch("archive");
    let tried = live(repo, &archive, &directory);
    // What cannot be removed is left to the system, as everything in its directory for such things.
    let _ = fs::remove_dir_all(&directory);
    tried
}

fn live(repo: &Repo, archive: &Path, directory: &Path) -> Result<Ending> {
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive);
    run::capture(tar.arg("--directory").arg(directory))?;
    let version = version(repo)?;
    let name = format!("towline-{version}-{}-linux", std::env::consts::ARCH);
    let unpacked = directory.join(name);
    for file in BESIDE {
        if !unpacked.join(file).exists() {
            bail!("there is no {file}");
        }
    }
    let program = unpacked.join("towline");
    let headers = run::capture(Command::new("objdump").arg("-p").arg(&program))?;
    if headers.contains("NEEDED") || headers.contains("INTERP") {
        bail!("it needs libraries: {headers}");
    }
    let root = directory.join("root");
    for place in ["dev", "proc", "home"] {
        fs::create_dir_all(root.join(place))?;
    }
    fs::copy(&program, root.join("towline"))?;
    let said = run::capture(jail(&root).arg("--version"))?;
    if said != format!("towline {version}") {
        bail!("it says that it is {said:?}");
    }
    let logs = logs(repo)?;
    let mut up = jail(&root);
    up.args([
        "--json",
        "up",
        "--key-file",
        "--lan-only",
        "--no-mdns",
        "--no-port-mapping",
    ]);
    let mut device = Running::start("archive", &mut up, &logs)?;
    device.wait_for_line(|line| line.contains("\"event\":\"up\""), WITHIN)?;
    let status = run::capture(jail(&root).args(["--json", "status"]))?;
    if !status.contains("\"device\"") {
        bail!("its status is {status}");
    }
    run::capture(jail(&root).arg("stop"))?;
    device.wait_for_end(WITHIN)?;
    if !run::succeeds(jail(&root).arg("status")) {
        let megabytes = fs::metadata(&program)?.len() as f64 / 1e6;
        return Ok(Ending::Passed(format!(
            "one static program of {megabytes:.1} MB, which lives in an empty root"
        )));
    }
    bail!("a device that has ended tells its status")
}

/// The program, as nobody in the root.
fn jail(root: &Path) -> Command {
    let mut jail = Command::new("bwrap");
    jail.arg("--ro-bind").arg(root).arg("/");
    jail.arg("--bind").arg(root.join("home")).arg("/home");
    jail.args(["--dev", "/dev", "--proc", "/proc", "--unshare-user"]);
    jail.args([
        "--unshare-ipc",
        "--unshare-uts",
        "--uid",
        "65532",
        "--gid",
        "65532",
    ]);
    jail.args(["--cap-drop", "ALL", "--new-session", "--die-with-parent"]);
    jail.args(["--clearenv", "--setenv", "TOWLINE_HOME", "/home"]);
    jail.args(["--", "/towline"]);
    jail
}

fn logs(repo: &Repo) -> Result<PathBuf> {
    let logs = repo.artifacts()?.join("dist-logs");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    Ok(logs)
}

/// What lies beside the program.
const BESIDE: &[&str] = &[
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "lib/systemd/user/towline.service",
    "lib/systemd/system/towline@.service",
    "share/man/man1/towline.1",
    "share/bash-completion/completions/towline",
];

/// How long anything may take to begin or to end: 20 s, on a machine that compiles beside.
const WITHIN: Duration = Duration::from_secs(20);
