//! The app on a desktop: how soon its window is painted, and what it costs at rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::report::{Goal, Section, load, mebibytes, median};
use super::super::{clear, usage};
use super::screen::Screen;
use crate::binaries::Built;
use crate::display::Display;
use crate::processes::{Running, wait_until};
use crate::report::Spinner;
use crate::run;

/// Where windows are opened: one person's session.
struct Desk {
    display: Display,
    screen: Screen,
    bus: String,
    _bus: Running,
    work: PathBuf,
}

pub(super) fn run(built: &Built, work: &Path, rounds: u32) -> Result<Section> {
    let app = built.app.as_deref().context("the app is not built")?;
    let memory = work.join("screen");
    clear(&memory)?;
    let display = Display::open_seen(work, &memory)?;
    let mut bus = Running::start("bus", Command::new("dbus-daemon").args(SESSION_BUS), work)?;
    let desk = Desk {
        display,
        screen: Screen::open(&memory.join("Xvfb_screen0"))?,
        bus: bus.wait_for_line(|line| line.starts_with("unix:"), PATIENCE)?,
        _bus: bus,
        work: work.to_owned(),
    };
    let spinner = Spinner::start("windows open");
    let page = work.join("button.html");
    fs::write(&page, BUTTON)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    // The first of each brings the programs from the disk into memory.
    for round in 0..=rounds.max(FIRST_STARTS) {
        let home = work.join("home");
        clear(&home)?;
        let (_, here) = desk.painted(desk.app(app, &home))?;
        let (_, there) =
            desk.painted(desk.command(MINI_BROWSER, &[&format!("file://{}", page.display())]))?;
        if round > 0 {
            ours.push(here.as_secs_f64());
            bare.push(there.as_secs_f64());
        }
    }
    drop(spinner);
    let longest = ours.iter().copied().fold(0.0, f64::max);
    let (ours, bare) = (median(ours), median(bare));
    let rest = desk.rest(app, built)?;
    Ok(Section {
        title: "The window on a desktop".to_owned(),
        text: format!(
            "The release build on a screen of 1600x1000 that nobody looks at, without a graphics card; the machine's load was {}.\n\n| | Towline | WebKit's MiniBrowser, one button |\n|---|---|---|\n| from a first start until its button is painted, median of {} starts, s | {:.2} | {:.2} |\n| the slowest start, s | {longest:.2} | |\n\nAt rest it shows a folder of {FILES} files in sync, {} s: {:.1} MiB in {} processes (proportional set size), of it {:.1} MiB the app's own with the engine.\n",
            load(),
            rounds.max(FIRST_STARTS),
            ours.unwrap_or_default(),
            bare.unwrap_or_default(),
            WATCHED.as_secs(),
            mebibytes(rest.memory),
            rest.processes,
            mebibytes(rest.own),
        ),
        goals: vec![
            Goal::at_most("first start until painted", ours, 1.0, "s"),
            Goal::at_most("processor at rest", Some(rest.percent), 0.5, "% of a core"),
            Goal::at_most(
                "memory of engine and window",
                Some(mebibytes(rest.memory)),
                250.0,
                "MiB",
            ),
        ],
    })
}

/// What an open window costs.
struct Rest {
    percent: f64,
    /// Proportional set size of all processes in bytes.
    memory: u64,
    /// That of the app's process.
    own: u64,
    processes: usize,
}

impl Desk {
    /// Opens a window and waits until its button is painted. Gone, and the screen empty again, when dropped.
    fn painted(&self, mut command: Command) -> Result<(Running, Duration)> {
        wait_until("the screen is not empty", PATIENCE, || !self.shows_button())?;
        let start = Instant::now();
        let running = Running::start("window", &mut command, &self.work)?;
        while !self.shows_button() {
            if start.elapsed() > PATIENCE {
                bail!("no window within {PATIENCE:?}");
            }
            std::thread::sleep(GLANCE);
        }
        Ok((running, start.elapsed()))
    }

    fn shows_button(&self) -> bool {
        self.screen
            .count(SEA)
            .is_ok_and(|pixels| pixels >= BUTTON_PIXELS_MIN)
    }

    fn app(&self, program: &Path, home: &Path) -> Command {
        let mut command = self.command(program, &["--home"]);
        command
            .arg(home.join("device"))
            .args(["--port", "0"])
            .envs(ALONE);
        command
    }

    /// A program on this desktop.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("DISPLAY", self.display.name())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("HOME", self.work.join("home"));
        command
    }

    /// Leaves a window with a folder alone.
    fn rest(&self, app: &Path, built: &Built) -> Result<Rest> {
        let home = self.work.join("home");
        clear(&home)?;
        let folder = home.join("Documents");
        fs::create_dir_all(&folder)?;
        for file in 0..FILES {
            fs::write(
                folder.join(format!("{file:04}.txt")),
                format!("file {file}"),
            )?;
        }
        let (running, _) = self.painted(self.app(app, &home))?;
        let towline = || {
            let mut command = Command::new(&built.towline);
            command.arg("--home").arg(home.join("device"));
            command
        };
        run::capture(towline().args(["folder", "add"]).arg(&folder))?;
        let spinner = Spinner::start("a window at rest");
        // The measurement itself is the passing of time.
        std::thread::sleep(SETTLING);
        let before = spent(running.id())?;
        std::thread::sleep(WATCHED);
        let after = spent(running.id())?;
        drop(spinner);
        let processes = usage::tree(running.id())?;
        let sizes: Vec<(u32, u64)> = processes
            .iter()
            .map(|process| Ok((*process, usage::proportional(*process)?)))
            .collect::<Result<_>>()?;
        let own = sizes
            .iter()
            .find(|(process, _)| usage::name(*process).is_ok_and(|name| name == "towline-app"));
        Ok(Rest {
            percent: after.saturating_sub(before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0,
            memory: sizes.iter().map(|(_, size)| size).sum(),
            own: own.map(|(_, size)| *size).context("the app is gone")?,
            processes: sizes.len(),
        })
    }
}

/// Processor time of a process and of all that descend from it.
fn spent(root: u32) -> Result<Duration> {
    usage::tree(root)?
        .into_iter()
        .map(|process| Ok(usage::exact(process)?.running))
        .sum()
}

/// The colour of a primary button in `ui/src/app.css` (`--sea`, light).
const SEA: [u8; 3] = [0x0f, 0x60, 0x70];

/// A page with such a button, for a browser that has nothing else to do.
const BUTTON: &str = "<!doctype html><title>A button</title><body style=\"background:#f6f4ee\"><button style=\"background:#0f6070;border:0;height:40px;width:160px\"></button>";

/// Says where it listens.
const SESSION_BUS: [&str; 3] = ["--session", "--nofork", "--print-address=1"];

/// A button has 6,000 pixels; text and marks in its colour have some hundred.
const BUTTON_PIXELS_MIN: usize = 3000;

/// How often the screen is looked at: 5 ms, the precision of the figure. A look takes 1 ms.
const GLANCE: Duration = Duration::from_millis(5);

/// Starts that are measured, at least.
const FIRST_STARTS: u32 = 5;

/// A window that is not there after 30 s is broken.
const PATIENCE: Duration = Duration::from_secs(30);

const FILES: usize = 1000;

/// 20 s until nothing of the start is left to do, then a minute is watched.
const SETTLING: Duration = Duration::from_secs(20);
const WATCHED: Duration = Duration::from_secs(60);

/// Nothing of the network around belongs to the figures.
const ALONE: [(&str, &str); 2] = [("DISABLE_PORT_MAPPING", "1"), ("DISABLE_MDNS", "1")];

/// Comes with WebKitGTK.
const MINI_BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
