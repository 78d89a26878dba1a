//! Tests of the desktop shell and of the real window, on a display and a session bus of their own.
//!
//! `src-tauri/e2e/*.test.mjs` are run by Node's test runner. They find the programs and a directory
//! for screenshots by `TOWLINE_APP_BIN`, `TOWLINE_BIN`, `TOWLINE_SIGNAL_BIN` and
//! `TOWLINE_ARTIFACTS`. Those of updates have the app of a next version as `TOWLINE_APP_NEXT_BIN`, and what signs
//! releases as `TOWLINE_SIGNER`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::binaries::{self, APP, APP_FEATURES, Profile, Wanted, tell_paths};
use crate::display::Display;
use crate::repo::Repo;
use crate::run;
use crate::steps::Ending;
use crate::system::{can_build_window, has_program};

/// Runs them; absent where there are none, and where the window cannot be built or driven.
pub(super) fn tests(repo: &Repo) -> Result<Ending> {
    let files = test_files(repo)?;
    if files.is_empty() {
        return Ok(Ending::Absent(format!("no tests in {TESTS}")));
    }
    let missing = NEEDED.iter().find(|program| !has_program(program));
    if let Some(program) = missing {
        return Ok(Ending::Absent(format!("{program} is not here")));
    }
    if !can_build_window() {
        return Ok(Ending::Absent("WebKitGTK's headers are not here".into()));
    }
    let artifacts = repo.artifacts()?;
    // First, so that what lies there at the end is the app that is.
    let next = artifacts.join("towline-app-next");
    binaries::build_app_as(repo, NEXT_VERSION, &next)?;
    let built = binaries::build(repo, Profile::Debug, Wanted::WithApp)?;
    run::run(repo.cargo().args([
        "test",
        "--quiet",
        "--package",
        APP,
        "--features",
        APP_FEATURES,
    ]))?;
    let display = Display::open(&artifacts)?;
    let mut command = repo.command("dbus-run-session");
    // One after the other: they share the screen, and there is one desktop at a time.
    command.args(["--", "node", "--test", "--test-concurrency=1"]);
    command.args(files);
    command.env("DISPLAY", display.name());
    command.env("TOWLINE_ARTIFACTS", &artifacts);
    command.env("TOWLINE_APP_NEXT_BIN", &next);
    command.env("TOWLINE_SIGNER", repo.path(SIGNER));
    command.env("DISABLE_PORT_MAPPING", "1");
    command.env("DISABLE_MDNS", "1");
    tell_paths(&mut command, &built);
    let (closing, verdict) = run::keeping(&mut command, is_closing)?;
    verdict?;
    Ok(Ending::Passed(closing.join(", ")))
}

fn test_files(repo: &Repo) -> Result<Vec<PathBuf>> {
    if !repo.has(TESTS) {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(repo.path(TESTS)).context("listing the window tests")? {
        let path = entry.context("listing the window tests")?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The sums that Node's runner closes with, in both of its ways to print.
fn is_closing(line: &str) -> bool {
    let sum = line.trim_start_matches(['#', 'ℹ', ' ']);
    sum.len() < line.len() && (sum.starts_with("pass ") || sum.starts_with("fail "))
}

const TESTS: &str = "src-tauri/e2e";

/// Signs releases: Tauri's command line, as npm installs it.
const SIGNER: &str = "ui/node_modules/.bin/tauri";

/// The version that tests bring the app to.
const NEXT_VERSION: &str = "0.2.0";

/// Programs without which a window and the system's dialogs cannot be driven.
const NEEDED: &[&str] = &[
    "Xvfb",
    "dbus-run-session",
    "WebKitWebDriver",
    "dunst",
    "import",
    "node",
    "openbox",
    "wmctrl",
    "xdotool",
    "xprop",
    "xfce4-panel",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_node_are_known() {
        assert!(is_closing("# pass 4"));
        assert!(is_closing("ℹ fail 0"));
        assert!(!is_closing("pass 4"));
        assert!(!is_closing("# tests 4"));
    }
}
