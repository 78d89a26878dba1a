//! What small changes of a large file cost when both sides have it: seconds, and bytes on the wire.
//!
//! One file of 1 GiB. In each round 4 KiB are overwritten somewhere in the middle, 1 byte is inserted
//! at the start, and 1 MiB is appended; the clock runs from the end of the write until the other side's
//! file is another one, and the wire is read when both sides are at rest again. rsync over ssh does the
//! same on files of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::carry::Contestant;
use super::report::{Goal, Section, middle};
use super::towline::Pair;
use super::wire::{Traffic, Wire};
use super::{Bench, RUN_PATIENCE, load, rsync};
use crate::demo::sample::noise;
use crate::devices;
use crate::report::{Spinner, say};

/// A small change of a large file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Overwrite,
    Insert,
    Append,
}

impl Change {
    const ALL: [Self; 3] = [Self::Overwrite, Self::Insert, Self::Append];

    const fn title(self) -> &'static str {
        match self {
            Self::Overwrite => "4 KiB overwritten in the middle",
            Self::Insert => "1 byte inserted at the start",
            Self::Append => "1 MiB appended",
        }
    }

    /// Megabytes that may cross the wire.
    const fn megabytes_max(self) -> f64 {
        match self {
            Self::Overwrite | Self::Insert => 0.25,
            Self::Append => 1.3,
        }
    }

    /// Changes the file; each round changes it otherwise. `spare` is a path beside the folder.
    fn apply(self, file: &Path, spare: &Path, round: u32) -> Result<()> {
        let seed = 1000 + u64::from(round);
        match self {
            Self::Overwrite => {
                let open = OpenOptions::new().write(true).open(file)?;
                let middle = FILE_BYTES / 2 + u64::from(round) * 10_000_019;
                open.write_all_at(&noise(seed, 4096), middle)?;
            }
            // As programs save: written anew beside it, then renamed over it.
            Self::Insert => {
                let mut old = File::open(file)?;
                let mut new = BufWriter::with_capacity(1024 * 1024, File::create(spare)?);
                new.write_all(&noise(seed, 1))?;
                io::copy(&mut old, &mut new)?;
                new.flush()?;
                fs::rename(spare, file)?;
            }
            Self::Append => {
                let mut open = OpenOptions::new().append(true).open(file)?;
                open.write_all(&noise(seed, 1024 * 1024))?;
            }
        }
        Ok(())
    }
}

/// What one change cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: Duration,
    traffic: Option<Traffic>,
}

/// Both sides' files and the wire between them.
struct Sides<'a> {
    wire: Option<&'a Wire>,
    source: &'a Path,
    target: &'a Path,
    spare: &'a Path,
}

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let wire = Wire::lay();
    let source = bench.empty("source")?;
    let target = bench.empty("target")?;
    let spare = bench.work.join("spare");
    load::file(&source.join(FILE), FILE_BYTES)?;
    let sides = Sides {
        wire: wire.as_ref(),
        source: &source,
        target: &target,
        spare: &spare,
    };
    let mut rows = vec![("towline", ours(bench, &sides)?)];
    if !bench.alone && Contestant::RsyncOverSsh.is_here() {
        rows.push(("rsync over ssh", of_rsync(bench, &sides)?));
    }
    for directory in [&source, &target] {
        fs::remove_dir_all(directory)?;
    }
    Ok(section(&rows, bench.rounds))
}

fn ours(bench: &Bench<'_>, sides: &Sides<'_>) -> Result<Vec<(Change, Cost)>> {
    let pair = Pair::start(bench.built, bench.work, sides.wire)?;
    let spinner = Spinner::start("towline brings 1 GiB to both sides");
    pair.source
        .share(sides.source, &pair.target, sides.target)?;
    pair.settled(1)?;
    drop(spinner);
    let carry = |_: &Path| wait_for_another(&sides.target.join(FILE), &sides.source.join(FILE));
    let costs = sides.measure("towline", 1..=bench.rounds, carry)?;
    drop(pair);
    for directory in [sides.source, sides.target] {
        fs::remove_dir_all(directory.join(".towline"))?;
    }
    Ok(costs)
}

fn of_rsync(bench: &Bench<'_>, sides: &Sides<'_>) -> Result<Vec<(Change, Cost)>> {
    let server = rsync::Server::start(&bench.work.join("ssh"), sides.wire)?;
    server.carry(sides.source, sides.target, rsync::Whole::No)?;
    let carry = |_: &Path| server.carry(sides.source, sides.target, rsync::Whole::No);
    // Other bytes than Towline has brought already.
    let first = bench.rounds + 1;
    sides.measure("rsync over ssh", first..=2 * bench.rounds, carry)
}

impl Sides<'_> {
    /// Makes every change in every round, and has it carried.
    fn measure(
        &self,
        who: &str,
        rounds: RangeInclusive<u32>,
        carry: impl Fn(&Path) -> Result<()>,
    ) -> Result<Vec<(Change, Cost)>> {
        let mut costs = Vec::new();
        let file = self.source.join(FILE);
        for round in rounds {
            for change in Change::ALL {
                std::thread::sleep(REST);
                let before = self.wire.map(Wire::traffic).transpose()?;
                change.apply(&file, self.spare, round)?;
                let since = Instant::now();
                carry(&file)?;
                let wall = since.elapsed();
                std::thread::sleep(REST);
                let after = self.wire.map(Wire::traffic).transpose()?;
                if let Some(difference) = devices::trees_differ(self.source, self.target)? {
                    bail!("{who} left the trees unequal: {difference}");
                }
                let traffic = after.zip(before).map(|(after, before)| after.since(before));
                say(format!(
                    "   round {round}: {who:<14} {:<32} {:>6.2} s  {:>6.3} MB on the wire",
                    change.title(),
                    wall.as_secs_f64(),
                    traffic.map_or(0.0, |traffic| traffic.bytes as f64 / 1e6)
                ));
                costs.push((change, Cost { wall, traffic }));
            }
        }
        Ok(costs)
    }
}

/// Waits until a file has become another one as long as `like`: it is replaced whole, by a rename.
fn wait_for_another(file: &Path, like: &Path) -> Result<()> {
    let deadline = Instant::now() + RUN_PATIENCE;
    let wanted = fs::metadata(like)?;
    loop {
        let now = fs::metadata(file).context("the other side's file is gone")?;
        if now.len() == wanted.len() && same_time(&now, &wanted) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the change is not there after {RUN_PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn same_time(left: &fs::Metadata, right: &fs::Metadata) -> bool {
    (left.mtime(), left.mtime_nsec()) == (right.mtime(), right.mtime_nsec())
}

fn section(rows: &[(&str, Vec<(Change, Cost)>)], rounds: u32) -> Section {
    let mut text = format!(
        "One file of 1 GiB in sync, medians of {rounds} rounds.\n\n| | change | seconds | MB on the wire | packets |\n|---|---|---|---|---|\n"
    );
    let mut goals = Vec::new();
    for (who, costs) in rows {
        for change in Change::ALL {
            let of = || costs.iter().filter(|(which, _)| *which == change);
            let wall = middle(of().map(|(_, cost)| cost.wall)).map(|wall| wall.as_secs_f64());
            let traffic = |pick: fn(Traffic) -> u64| {
                middle(of().filter_map(|(_, cost)| cost.traffic.map(pick)))
            };
            let megabytes = traffic(|all| all.bytes).map(|bytes| bytes as f64 / 1e6);
            text.push_str(&format!(
                "| {who} | {} | {:.2} | {} | {} |\n",
                change.title(),
                wall.unwrap_or_default(),
                megabytes.map_or("not counted".to_owned(), |some| format!("{some:.3}")),
                traffic(|all| all.packets)
                    .map_or("not counted".to_owned(), |some| some.to_string()),
            ));
            if *who == "towline" {
                goals.push(Goal::at_most(
                    format!("{}: wire", change.title()),
                    megabytes,
                    change.megabytes_max(),
                    "MB",
                ));
                goals.push(Goal::at_most(
                    format!("{}: wall", change.title()),
                    wall,
                    2.5,
                    "s",
                ));
            }
        }
    }
    Section {
        title: "Small changes of a large file".to_owned(),
        text,
        goals,
    }
}

const FILE: &str = "large.bin";
const FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// Before and after a change, so that what it causes is over and counted: 1.5 s.
const REST: Duration = Duration::from_millis(1500);
