//! How fast the window is: in a browser with much in it, and on a desktop from its start on.
//!
//! In Debian's Chromium the page runs over its fake device (`ui/bench/window.mjs`). On the desktop it
//! is the release build on a screen that nobody looks at: it is painted when the colour of the first
//! button is in the screen's own memory, which costs the window nothing to read. What WebKit itself
//! takes shows beside it: its MiniBrowser with a page that has only that button.

mod desktop;
mod screen;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::report::{Goal, Section, percentile};
use crate::binaries::{self, Profile, Wanted};
use crate::repo::Repo;
use crate::report::Spinner;
use crate::run;
use crate::system::{self, Purpose};

pub(super) fn run(repo: &Repo, work: &Path, rounds: u32) -> Result<Vec<Section>> {
    system::ensure_packages(repo, &[Purpose::Window, Purpose::WindowTests])?;
    let built = binaries::build(repo, Profile::Release, Wanted::WithApp)?;
    fs::create_dir_all(work).with_context(|| format!("making {}", work.display()))?;
    Ok(vec![browser(repo)?, desktop::run(&built, work, rounds)?])
}

/// What the page's own measurement prints; times are in milliseconds.
#[derive(Debug, Deserialize)]
struct Figures {
    snapshots: Vec<Snapshots>,
    scrolling: Scrolling,
}

#[derive(Debug, Deserialize)]
struct Snapshots {
    screen: String,
    painted: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Scrolling {
    /// The last row that was drawn.
    row: u64,
    tasks: u64,
    /// By the clock.
    longest: f64,
    /// By the processor.
    busy: f64,
}

fn browser(repo: &Repo) -> Result<Section> {
    let spinner = Spinner::start("a thousand folders and a hundred thousand files in a browser");
    let printed = run::capture(repo.command("node").arg(repo.path(PAGE)))?;
    drop(spinner);
    let figures: Figures = serde_json::from_str(&printed).context("reading the page's figures")?;
    let mut text = format!(
        "From a view with 1,000 folders, as text, until it is on the screen; 50 of them change each time. {} views on each screen, in ms.\n\n| | median | 95 of 100 | longest |\n|---|---|---|---|\n",
        figures
            .snapshots
            .first()
            .map_or(0, |each| each.painted.len()),
    );
    let mut latest: Option<f64> = None;
    for Snapshots { screen, painted } in &figures.snapshots {
        let [middle, most, longest] = [50, 95, 100].map(|percent| of_hundred(painted, percent));
        text.push_str(&format!(
            "| {screen} | {middle:.1} | {most:.1} | {longest:.1} |\n"
        ));
        latest = Some(latest.map_or(most, |latest| latest.max(most)));
    }
    let Scrolling {
        row,
        tasks,
        longest,
        busy,
    } = figures.scrolling;
    text.push_str(&format!(
        "\n100,000 files pass by in 15 s, 111 rows in a frame, to row {row}: of {tasks} tasks of the page's thread the longest took {longest:.1} ms, the busiest {busy:.1} ms of processor time.\n",
    ));
    Ok(Section {
        title: "The window with much in it".to_owned(),
        text,
        goals: vec![
            Goal::at_most("95 of 100 views until painted", latest, 50.0, "ms"),
            Goal::at_most("a frame while scrolling", Some(longest), 50.0, "ms"),
            Goal::at_most("the whole UI, compressed", Some(bundle(repo)?), 200.0, "kB"),
        ],
    })
}

/// All that there is of the UI, in all languages, compressed as web servers do, in kilobytes.
fn bundle(repo: &Repo) -> Result<f64> {
    let printed = run::capture(repo.command("node").arg(repo.path(BUNDLE)))?;
    let bytes: f64 = printed.parse().context("reading the bundle's size")?;
    Ok(bytes / 1000.0)
}

/// The value that so many of a hundred do not exceed, in steps of a microsecond.
fn of_hundred(values: &[f64], percent: usize) -> f64 {
    let micros = values.iter().map(|value| (value * 1000.0) as u64);
    percentile(micros, percent).map_or(0.0, |micros| micros as f64 / 1000.0)
}

const PAGE: &str = "ui/bench/window.mjs";
const BUNDLE: &str = "ui/bench/bundle.mjs";
