//! The deb as people meet it: installed, found by the desktop, run, and removed.

use std::fs;

use anyhow::{Context, Result, bail};

use super::room::Room;
use super::{Kind, bundle, content, version};
use crate::display::Display;
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// Installs it, opens its window, and removes it again.
pub(super) fn installed(repo: &Repo) -> Result<Ending> {
    if run::capture(repo.command("id").arg("-u"))? != "0" {
        return Ok(Ending::Absent("only root can install anything".into()));
    }
    let deb = bundle(repo, Kind::Deb)?;
    let logs = repo.artifacts()?.join("dist-logs");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    let room = Room::open(repo, &logs)?;
    run::capture(room.command("dpkg").arg("--install").arg(&deb))?;
    let version = version(repo)?;
    for program in ["towline", "towline-app"] {
        let said = run::capture(room.command(program).arg("--version"))?;
        if said != format!("{program} {version}") {
            bail!("{program} says that it is {said:?}");
        }
    }
    // The desktop's list of who opens what, which dpkg has brought up to date.
    let known = run::capture(room.command("cat").arg(KNOWN))?;
    if !known.lines().any(|line| line == OPENS_LINKS) {
        bail!("the desktop does not know who opens links");
    }
    window(repo, &room)?;
    run::capture(room.command("dpkg").args(["--purge", "towline"]))?;
    for (_, path) in content::FILES {
        if run::succeeds(room.command("test").args(["-e", path])) {
            bail!("{path} is left behind");
        }
    }
    let left = room.written("towline")?;
    if !left.is_empty() {
        bail!("left behind: {left}");
    }
    Ok(Ending::Passed(
        "its window opens, also at a link; nothing is left when it is removed".into(),
    ))
}

/// The tests of the window of an installed app.
fn window(repo: &Repo, room: &Room) -> Result<()> {
    let artifacts = repo.artifacts()?;
    let display = Display::open(&artifacts)?;
    let mut command = room.command("node");
    command.arg("--test").arg(repo.path(TESTS));
    command.env("DISPLAY", display.name());
    command.env("TOWLINE_APP_BIN", "/usr/bin/towline-app");
    command.env("TOWLINE_ARTIFACTS", &artifacts);
    command.env("DISABLE_PORT_MAPPING", "1");
    command.env("DISABLE_MDNS", "1");
    run::logged(
        &mut command,
        "opening its window",
        &artifacts.join("dist-window.log"),
    )
}

const TESTS: &str = "src-tauri/e2e/installed.mjs";

const KNOWN: &str = "/usr/share/applications/mimeinfo.cache";

const OPENS_LINKS: &str = "x-scheme-handler/towline=Towline.desktop;";
