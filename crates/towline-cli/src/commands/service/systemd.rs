//! Linux: a unit of systemd, in the manager of this user or in that of the computer.
//!
//! The unit waits until the device says that it is up, starts it again when it ended badly, and lets it finish its
//! writes when it shall end. It is hardened as far as a program can be whose folders lie anywhere.

mod unit;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use directories::BaseDirs;

use super::written;
use super::{Change, Found, Installed, Plan, Reach, State};
use crate::output::Failure;
use crate::plain::plain;

pub(crate) use unit::packaged_units;

pub(super) fn install(plan: &Plan) -> Result<Installed, Failure> {
    let reach = plan.reach;
    let file = file(reach)?;
    let before = look(reach)?;
    let change = written::write(&file, &unit::text(plan))?;
    systemctl(reach, &["daemon-reload"])?;
    systemctl(reach, &["enable", UNIT])?;
    let runs = matches!(before.state, State::Running | State::Starting);
    if !(runs && change == Change::None) {
        // Tries before count no longer. It fails only where there were none.
        let _ = systemctl(reach, &["reset-failed", UNIT]);
        systemctl(reach, &["restart", UNIT]).map_err(|failure| did_not_start(reach, &failure))?;
    }
    Ok(Installed {
        found: look(reach)?,
        change,
        hint: hint(reach),
    })
}

pub(super) fn remove(reach: Reach) -> Result<Found, Failure> {
    let found = look(reach)?;
    let file = file(reach)?;
    if found.state == State::Absent && !file.exists() {
        return Ok(found);
    }
    systemctl(reach, &["disable", "--now", UNIT])?;
    if !written::is_ours(&file) {
        return look(reach);
    }
    written::remove(&file)?;
    systemctl(reach, &["daemon-reload"])?;
    // It fails where systemd has forgotten the unit by now.
    let _ = systemctl(reach, &["reset-failed", UNIT]);
    Ok(Found {
        reach,
        state: State::Absent,
        file: file.to_string_lossy().into_owned(),
    })
}

pub(super) fn look(reach: Reach) -> Result<Found, Failure> {
    let said =
        systemctl(reach, &["show", ASKED, UNIT]).map_err(|failure| no_manager(reach, &failure))?;
    let of = |name: &str| {
        let mut lines = said.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(property, _)| *property == name)
            .map_or("", |(_, value)| value)
    };
    let state = match (of("LoadState"), of("ActiveState")) {
        ("not-found", _) => State::Absent,
        (_, "active" | "reloading" | "deactivating") => State::Running,
        (_, "activating") => State::Starting,
        (_, "failed") => State::Failed,
        (_, _) => State::Stopped,
    };
    Ok(Found {
        reach,
        state,
        file: of("FragmentPath").to_owned(),
    })
}

/// Who became root by sudo.
pub(super) fn usual_owner() -> Option<String> {
    env::var("SUDO_USER").ok().filter(|name| !name.is_empty())
}

/// The device's home of a user who need not be here.
pub(super) fn home_of(user: &str) -> Result<PathBuf, Failure> {
    let unknown = || Failure::new("no_user", format!("there is no user {}", plain(user)));
    let output = Command::new("getent").args(["passwd", user]).output();
    let output = output.map_err(|_| unknown())?;
    let line = String::from_utf8_lossy(&output.stdout);
    let home = line.trim().split(':').nth(5).ok_or_else(unknown)?;
    Ok(Path::new(home).join(".local/share/towline"))
}

fn file(reach: Reach) -> Result<PathBuf, Failure> {
    let directory = match reach {
        Reach::System => PathBuf::from("/etc/systemd/system"),
        Reach::User => {
            let directories = BaseDirs::new().ok_or_else(|| {
                Failure::new("home", "this user has no home directory".to_owned())
            })?;
            directories.config_dir().join("systemd/user")
        }
    };
    Ok(directory.join(UNIT))
}

fn systemctl(reach: Reach, words: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("systemctl");
    match reach {
        Reach::User => command.arg("--user"),
        Reach::System => command.arg("--system"),
    };
    let output = command.args(words).output();
    let output = output.map_err(|error| Failure::new("no_systemd", error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    let reason = plain(&reason.trim().replace('\n', " "));
    let words = words.join(" ");
    Err(Failure::new(
        "systemd",
        format!("systemctl {words}: {reason}"),
    ))
}

fn no_manager(reach: Reach, failure: &Failure) -> Failure {
    let what = match reach {
        Reach::User => {
            "no user manager is running: log in as this user at the console or by SSH (`su` and `sudo` do not do), or let the computer run it with --system"
        }
        Reach::System => {
            "this computer is not run by systemd; let what starts programs here run `towline up`"
        }
    };
    Failure::new("no_manager", format!("{what} ({})", failure.message()))
}

fn did_not_start(reach: Reach, failure: &Failure) -> Failure {
    let journal = match reach {
        Reach::User => "journalctl --user --unit towline",
        Reach::System => "journalctl --unit towline",
    };
    Failure::new(
        "not_started",
        format!(
            "the service is made and does not start; `{journal}` says why ({})",
            failure.message()
        ),
    )
}

/// Services of a user end with the last session, unless the user lingers.
fn hint(reach: Reach) -> Option<&'static str> {
    match reach {
        Reach::System => return None,
        Reach::User => {}
    }
    let user = fs::metadata("/proc/self").ok()?.uid().to_string();
    let mut asked = Command::new("loginctl");
    asked.args(["show-user", "--property=Linger", "--value", &user]);
    let output = asked.output().ok()?;
    let lingers = String::from_utf8_lossy(&output.stdout);
    (lingers.trim() == "no").then_some(
        "It ends when this user logs out; `loginctl enable-linger` keeps it, and starts it with the computer.",
    )
}

/// What the unit is called.
const UNIT: &str = "towline.service";

const ASKED: &str = "--property=LoadState,ActiveState,FragmentPath";
