//! A million small entries: what they cost both devices, and whether a change still comes at once.

use std::fs;
use std::time::Instant;

use anyhow::Result;

use super::report::{Goal, Section, mebibytes, percentile};
use super::towline::{self, Pair};
use super::{Bench, RUN_PATIENCE, latency, load, usage};
use crate::report::{Spinner, readable, say};

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let source = bench.empty("source")?;
    let target = bench.empty("target")?;
    let spinner = Spinner::start("a million files are made");
    load::files_up_to(&source, FILES, FILE_BYTES_MAX)?;
    drop(spinner);
    let pair = Pair::start(bench.built, bench.work, None)?;
    let ids = pair.ids()?;
    let spinner = Spinner::start("a million files come to both sides");
    let since = Instant::now();
    pair.source.share(&source, &pair.target, &target)?;
    pair.source.wait("the index", RUN_PATIENCE, |view| {
        towline::is_whole(view, FILES as u64)
    })?;
    let indexed = since.elapsed();
    pair.settled(FILES as u64)?;
    let synced = since.elapsed();
    drop(spinner);
    let peaks = [usage::peak(ids[0])?, usage::peak(ids[1])?];
    let cpu = [usage::cpu(ids[0])?, usage::cpu(ids[1])?];
    say(format!(
        "   indexed after {}, in sync after {}, peak {:.0} / {:.0} MiB",
        readable(indexed),
        readable(synced),
        mebibytes(peaks[0]),
        mebibytes(peaks[1])
    ));
    let took = latency::measure(&source, &target, FILES, CHANGES)?;
    let after = [usage::peak(ids[0])?, usage::peak(ids[1])?];
    drop(pair);
    let at =
        |percent| percentile(took.iter().copied(), percent).map_or(0.0, |took| took.as_secs_f64());
    for directory in [&source, &target] {
        fs::remove_dir_all(directory)?;
    }
    Ok(Section {
        title: "A million small entries".to_owned(),
        text: format!(
            "{FILES} files of 0 to 100 bytes in directories of 200. Indexed by the source after {:.0} s (while it was already\nsending), in sync after {:.0} s. Processor time {:.0} / {:.0} s. Then {CHANGES} changes of 1 KiB: half of them were read on the\nother side within {:.2} s, the last after {:.2} s.\n",
            indexed.as_secs_f64(),
            synced.as_secs_f64(),
            cpu[0].as_secs_f64(),
            cpu[1].as_secs_f64(),
            at(50),
            at(100)
        ),
        goals: vec![
            Goal::at_most(
                "peak of the source",
                Some(mebibytes(after[0])),
                300.0,
                "MiB",
            ),
            Goal::at_most(
                "peak of the target",
                Some(mebibytes(after[1])),
                300.0,
                "MiB",
            ),
            Goal::at_most("a change, longest", Some(at(100)), 1.0, "s"),
        ],
    })
}

const FILES: usize = 1_000_000;
const FILE_BYTES_MAX: usize = 101;
const CHANGES: usize = 20;
