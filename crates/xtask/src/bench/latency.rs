//! How soon a change of 1 KiB is read on the other side, in a folder that is in sync and large.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::report::{Goal, Section, percentile};
use super::towline::Pair;
use super::{Bench, RUN_PATIENCE, load};
use crate::demo::sample::noise;
use crate::report::{Spinner, say};

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut text = format!(
        "{CHANGES} files, one after the other, are written anew with 1 KiB; from before the write until the other side\nreads the new bytes.\n\n| files in the folder | p50 ms | p90 ms | p99 ms | longest ms |\n|---|---|---|---|---|\n"
    );
    let mut goals = Vec::new();
    for files in [20_000, 100_000] {
        let source = bench.empty("source")?;
        let target = bench.empty("target")?;
        load::files_up_to(&source, files, FILE_BYTES_MAX)?;
        let pair = Pair::start(bench.built, bench.work, None)?;
        let spinner = Spinner::start(&format!("{files} files come to both sides"));
        pair.source.share(&source, &pair.target, &target)?;
        pair.settled(files as u64)?;
        drop(spinner);
        let took = measure(&source, &target, files, CHANGES)?;
        drop(pair);
        let at = |percent| {
            percentile(took.iter().copied(), percent).map_or(0.0, |took| took.as_secs_f64())
        };
        let row = [50, 90, 99, 100].map(|percent| format!("{:.0}", at(percent) * 1000.0));
        text.push_str(&format!("| {files} | {} |\n", row.join(" | ")));
        goals.push(Goal::at_most(
            format!("p50 with {files} files"),
            Some(at(50)),
            0.1,
            "s",
        ));
        goals.push(Goal::at_most(
            format!("p99 with {files} files"),
            Some(at(99)),
            0.4,
            "s",
        ));
        for directory in [&source, &target] {
            fs::remove_dir_all(directory)?;
        }
    }
    Ok(Section {
        title: "A change until the other side reads it".to_owned(),
        text,
        goals,
    })
}

/// Changes files of [`load::files_up_to`] one after the other; how long each took.
pub(super) fn measure(
    source: &Path,
    target: &Path,
    files: usize,
    changes: usize,
) -> Result<Vec<Duration>> {
    std::thread::sleep(SETTLING);
    let mut took = Vec::new();
    for change in 0..changes {
        // All over the folder, never the same twice.
        let path = load::path_of(change * (files / changes) + change % 7);
        let bytes = noise(9000 + change as u64, 1024);
        let since = Instant::now();
        fs::write(source.join(&path), &bytes)?;
        let there = target.join(&path);
        while fs::read(&there).is_ok_and(|now| now != bytes) {
            if since.elapsed() > RUN_PATIENCE {
                bail!("a change is not there after {RUN_PATIENCE:?}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        took.push(since.elapsed());
        // Of different lengths, so that the changes do not fall in step with anything.
        std::thread::sleep(Duration::from_millis(50 + change as u64 * 37 % 400));
    }
    say(format!("   {changes} changes are there"));
    Ok(took)
}

/// One more than a hundred, so that the 99th of a hundred is not the longest.
const CHANGES: usize = 120;

/// Files are small, so that many of them are made soon; the target is about their number.
const FILE_BYTES_MAX: usize = 2048;

/// How often the other side is read: every millisecond, which is the error of a figure.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// After the last file: 3 s until its late work (checkpoints, echoes of the watcher) is over.
const SETTLING: Duration = Duration::from_secs(3);
