//! A directory that holds 1 GiB gets another name: how soon the other side has it, and what it costs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use walkdir::WalkDir;

use super::report::{Goal, Section, middle};
use super::towline::Pair;
use super::wire::Wire;
use super::{Bench, RUN_PATIENCE, load};
use crate::devices;
use crate::report::{Spinner, say};

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let wire = Wire::lay();
    let source = bench.empty("source")?;
    let target = bench.empty("target")?;
    for number in 0..FILES {
        let directory = source.join(NAMES[0]).join(format!("{:02}", number % 16));
        fs::create_dir_all(&directory)?;
        load::file(&directory.join(format!("{number:03}.bin")), FILE_BYTES)?;
    }
    let pair = Pair::start(bench.built, bench.work, wire.as_ref())?;
    let spinner = Spinner::start("1 GiB comes to both sides");
    pair.source.share(&source, &pair.target, &target)?;
    pair.settled(FILES)?;
    drop(spinner);
    let (mut walls, mut bytes) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        let [from, to] = if round % 2 == 1 {
            NAMES
        } else {
            [NAMES[1], NAMES[0]]
        };
        std::thread::sleep(REST);
        let before = wire.as_ref().map(Wire::traffic).transpose()?;
        let since = Instant::now();
        fs::rename(source.join(from), source.join(to))?;
        wait_for(&target, from, to)?;
        let wall = since.elapsed();
        std::thread::sleep(REST);
        let after = wire.as_ref().map(Wire::traffic).transpose()?;
        if let Some(difference) = devices::trees_differ(&source, &target)? {
            bail!("the trees are unequal: {difference}");
        }
        let cost = after.zip(before).map(|(after, before)| after.since(before));
        say(format!(
            "   round {round}: {:.2} s, {:.1} KB on the wire",
            wall.as_secs_f64(),
            cost.map_or(0.0, |cost| cost.bytes as f64 / 1000.0)
        ));
        walls.push(wall);
        bytes.extend(cost.map(|cost| cost.bytes));
    }
    drop(pair);
    for directory in [&source, &target] {
        fs::remove_dir_all(directory)?;
    }
    let wall = middle(walls.into_iter()).map(|wall| wall.as_secs_f64());
    let kilobytes = middle(bytes.into_iter()).map(|bytes| bytes as f64 / 1000.0);
    Ok(Section {
        title: "A directory of 1 GiB gets another name".to_owned(),
        text: format!(
            "{FILES} files of 4 MiB in 16 directories; from the rename until the other side has all under the new name and\nnothing under the old one. Median of {} rounds.\n",
            bench.rounds
        ),
        goals: vec![
            Goal::at_most("wall", wall, 1.0, "s"),
            Goal::at_most("wire", kilobytes, 40.0, "KB"),
        ],
    })
}

/// Waits until everything lies under the new name.
fn wait_for(target: &Path, from: &str, to: &str) -> Result<()> {
    let deadline = Instant::now() + RUN_PATIENCE;
    let files = || {
        let found = WalkDir::new(target.join(to)).into_iter().flatten();
        found.filter(|entry| entry.file_type().is_file()).count() as u64
    };
    while target.join(from).exists() || files() < FILES {
        if Instant::now() > deadline {
            bail!("the rename is not there after {RUN_PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

const NAMES: [&str; 2] = ["before", "after"];
const FILES: u64 = 256;
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Before and after a rename, so that what it causes is over and counted: 2 s.
const REST: Duration = Duration::from_secs(2);
