//! Debs and the AppImage as people meet them: installed, found by the desktop, run, and removed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::room::Room;
use super::{Kind, Package, appimage, bundle, content, scratch, version};
use crate::display::Display;
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;

/// Installs the command line alone and then the app over it, opens its window, and removes it again.
pub(super) fn installed(repo: &Repo) -> Result<Ending> {
    if run::capture(repo.command("id").arg("-u"))? != "0" {
        return Ok(Ending::Absent("only root can install anything".into()));
    }
    let deb = bundle(repo, Kind::Deb, Package::Desktop)?;
    let alone = bundle(repo, Kind::Deb, Package::Headless)?;
    let logs = repo.artifacts()?.join("dist-logs");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    let room = Room::open(repo, &logs)?;
    let version = version(repo)?;
    run::capture(room.command("dpkg").arg("--install").arg(&alone))?;
    let said = run::capture(room.command("towline").arg("--version"))?;
    if said != format!("towline {version}") {
        bail!("alone it says that it is {said:?}");
    }
    // As apt does it: one takes the place of the other.
    let mut over = room.command("dpkg");
    run::capture(over.args(["--auto-deconfigure", "--install"]).arg(&deb))?;
    if run::succeeds(room.command("dpkg").args(["--verify", "towline-cli"]))
        && run::succeeds(room.command("test").args(["-e", OF_HEADLESS]))
    {
        bail!("the command line alone is still there");
    }
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
    window(repo, room.command("node"), "/usr/bin/towline-app", &[])?;
    run::capture(room.command("dpkg").args(["--purge", "towline"]))?;
    for (_, path) in content::files(Package::Desktop) {
        if run::succeeds(room.command("test").args(["-e", path])) {
            bail!("{path} is left behind");
        }
    }
    let left = room.written("towline")?;
    if !left.is_empty() {
        bail!("left behind: {left}");
    }
    Ok(Ending::Passed(
        "the app takes the place of the command line alone; its window opens, also at a link; nothing is left".into(),
    ))
}

/// Looks into the AppImage, and opens its window in both ways that there are.
pub(super) fn appimage(repo: &Repo) -> Result<Ending> {
    let image = bundle(repo, Kind::Appimage, Package::Desktop)?;
    let inside = scratch("appimage");
    let looked = look_into(&image, &inside);
    // What cannot be removed is left to the system, as everything in its directory for such things.
    let _ = fs::remove_dir_all(&inside);
    looked?;
    let program = image.to_string_lossy();
    let unpacked = ("APPIMAGE_EXTRACT_AND_RUN", "1");
    window(repo, Command::new("node"), &program, &[unpacked])?;
    let mut mounted = Command::new(&image);
    if !run::succeeds(mounted.arg("--version")) {
        return Ok(Ending::Passed(
            "its window opens when it unpacks itself; it cannot mount itself here, for want of FUSE"
                .into(),
        ));
    }
    window(repo, Command::new("node"), &program, &[])?;
    Ok(Ending::Passed(
        "its window opens, also at a link, unpacked and mounted".into(),
    ))
}

fn look_into(image: &Path, inside: &Path) -> Result<()> {
    fs::create_dir_all(inside).with_context(|| format!("making {}", inside.display()))?;
    let mut unpack = Command::new(image);
    run::capture(unpack.arg("--appimage-extract").current_dir(inside))?;
    let root = inside.join("squashfs-root");
    let complaints = content::judge_entry(&root.join(appimage::ENTRY))?;
    if !complaints.is_empty() {
        bail!("{}", complaints.join("; "));
    }
    for name in ["AppRun", "Towline.desktop", "towline-app.png", ".DirIcon"] {
        if !root.join(name).exists() {
            bail!("there is no {name}");
        }
    }
    Ok(())
}

/// The tests of the window of an installed app.
fn window(repo: &Repo, mut node: Command, app: &str, environment: &[(&str, &str)]) -> Result<()> {
    let artifacts = repo.artifacts()?;
    let display = Display::open(&artifacts)?;
    node.arg("--test").arg(repo.path(TESTS));
    node.env("DISPLAY", display.name());
    node.env("TOWLINE_APP_BIN", app);
    node.env("TOWLINE_ARTIFACTS", &artifacts);
    node.env("DISABLE_PORT_MAPPING", "1");
    node.env("DISABLE_MDNS", "1");
    node.envs(environment.iter().copied());
    run::logged(
        &mut node,
        "opening its window",
        &artifacts.join("dist-window.log"),
    )
}

const TESTS: &str = "src-tauri/e2e/installed.mjs";

const KNOWN: &str = "/usr/share/applications/mimeinfo.cache";

const OPENS_LINKS: &str = "x-scheme-handler/towline=Towline.desktop;";

/// What only the command line alone brings.
const OF_HEADLESS: &str = "/usr/lib/systemd/user/towline.service";
