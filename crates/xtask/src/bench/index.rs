//! How long a device takes to know a folder that it has never seen: no rows, a warm page cache.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::report::{Goal, Section, mebibytes, middle};
use super::{Bench, RUN_PATIENCE, Workload, load, towline, usage};
use crate::devices::{Device, Server};
use crate::report::say;
use crate::{run, system};

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut text = format!(
        "From naming the folder until the device says that it has seen all of it; medians of {} rounds. b3sum reads and\nhashes the same and keeps nothing.\n\n| | towline s | CPU s | peak MiB | b3sum s |\n|---|---|---|---|---|\n",
        bench.rounds
    );
    let mut goals = Vec::new();
    for (workload, seconds_max) in [(Workload::LargeFile, 0.9), (Workload::SourceTree, 3.0)] {
        let source = load::prepare(workload, bench.work)?;
        let weight = load::weigh(&source)?;
        let (mut walls, mut processors, mut peaks, mut plain) = (vec![], vec![], vec![], vec![]);
        for round in 1..=bench.rounds {
            let cost = once(bench, &source, weight.files)?;
            say(format!(
                "   round {round}: {} indexed in {:.2} s",
                load::title(workload),
                cost.wall.as_secs_f64()
            ));
            walls.push(cost.wall);
            processors.push(cost.cpu);
            peaks.push(cost.peak);
            plain.extend(b3sum(&source)?);
        }
        let wall = middle(walls.into_iter()).map(|wall| wall.as_secs_f64());
        text.push_str(&format!(
            "| {}, {} | {:.2} | {:.2} | {:.0} | {} |\n",
            load::title(workload),
            weight.words(),
            wall.unwrap_or_default(),
            middle(processors.into_iter()).map_or(0.0, |cpu| cpu.as_secs_f64()),
            mebibytes(middle(peaks.into_iter()).unwrap_or_default()),
            middle(plain.into_iter()).map_or("not installed".to_owned(), |took| format!(
                "{:.2}",
                took.as_secs_f64()
            ))
        ));
        goals.push(Goal::at_most(load::title(workload), wall, seconds_max, "s"));
        fs::remove_dir_all(&source)?;
    }
    Ok(Section {
        title: "A cold index".to_owned(),
        text,
        goals,
    })
}

struct Cost {
    wall: Duration,
    cpu: Duration,
    peak: u64,
}

/// A new device indexes the folder.
fn once(bench: &Bench<'_>, source: &Path, files: u64) -> Result<Cost> {
    let home = bench.empty("towline")?;
    let logs = home.join("logs");
    fs::create_dir_all(&logs)?;
    let server = Server::start(&bench.built.signal, &logs)?;
    let mut device = Device::new(
        "Source",
        home.join("Source"),
        &bench.built.towline,
        &server,
        &logs,
    );
    device.start()?;
    let id = device.id().context("not running")?;
    let before = usage::cpu(id)?;
    let since = Instant::now();
    device.call(&["folder", "add", &source.to_string_lossy()], None)?;
    device.wait("the whole index", RUN_PATIENCE, |view| {
        towline::is_whole(view, files)
    })?;
    let cost = Cost {
        wall: since.elapsed(),
        cpu: usage::cpu(id)? - before,
        peak: usage::peak(id)?,
    };
    drop(device);
    fs::remove_dir_all(source.join(".towline"))?;
    Ok(cost)
}

/// How long b3sum takes for all files of a tree; `None` where it is not installed.
fn b3sum(source: &Path) -> Result<Option<Duration>> {
    if !system::has_program("b3sum") {
        return Ok(None);
    }
    let since = Instant::now();
    let mut find = Command::new("sh");
    find.args(["-c", "find \"$0\" -type f -print0 | xargs -0 b3sum"]);
    run::capture(find.arg(source))?;
    Ok(Some(since.elapsed()))
}
