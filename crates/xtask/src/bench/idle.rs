//! What a device costs while nothing happens: 100,000 files in sync, watched, and left alone.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use super::report::{Goal, Section, mebibytes};
use super::towline::Pair;
use super::wire::Wire;
use super::{Bench, load, usage};
use crate::report::Spinner;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let wire = Wire::lay();
    let source = bench.empty("source")?;
    let target = bench.empty("target")?;
    load::files_up_to(&source, FILES, FILE_BYTES_MAX)?;
    let pair = Pair::start(bench.built, bench.work, wire.as_ref())?;
    let spinner = Spinner::start(&format!("{FILES} files come to both sides"));
    pair.source.share(&source, &pair.target, &target)?;
    pair.settled(FILES as u64)?;
    drop(spinner);
    let ids = pair.ids()?;
    let spinner = Spinner::start(&format!("idling for {} s", WATCHED.as_secs()));
    // The measurement itself is the passing of time.
    std::thread::sleep(SETTLING);
    let traffic = || wire.as_ref().map(Wire::traffic).transpose();
    let (before, sent_before) = ([usage::exact(ids[0])?, usage::exact(ids[1])?], traffic()?);
    std::thread::sleep(WATCHED);
    let (after, sent) = ([usage::exact(ids[0])?, usage::exact(ids[1])?], traffic()?);
    drop(spinner);
    let percent = |side: usize| {
        let spent = after[side].running.saturating_sub(before[side].running);
        spent.as_secs_f64() / WATCHED.as_secs_f64() * 100.0
    };
    let wakes = |side: usize| {
        let times = after[side].times.saturating_sub(before[side].times);
        times as f64 / WATCHED.as_secs_f64()
    };
    let resident = [usage::resident(ids[0])?, usage::resident(ids[1])?];
    let sent = sent.zip(sent_before).map(|(now, then)| now.since(then));
    drop(pair);
    for directory in [&source, &target] {
        fs::remove_dir_all(directory)?;
    }
    let minutes = WATCHED.as_secs_f64() / 60.0;
    let bytes_a_minute = sent.map(|sent| sent.bytes as f64 / minutes);
    let on_wire = sent.map_or("not counted".to_owned(), |sent| {
        format!(
            "{:.0} bytes in {:.1} packets a minute",
            sent.bytes as f64 / minutes,
            sent.packets as f64 / minutes
        )
    });
    Ok(Section {
        title: "Idle".to_owned(),
        text: format!(
            "Two connected devices with {FILES} files in sync, {} seconds.\n\n| | source | target |\n|---|---|---|\n| resident MiB | {:.1} | {:.1} |\n| % of a core | {:.4} | {:.4} |\n| threads woken a second | {:.1} | {:.1} |\n\nOn the wire, keep-alive of the connection and of the target's session with the server: {on_wire}.\n",
            WATCHED.as_secs(),
            mebibytes(resident[0]),
            mebibytes(resident[1]),
            percent(0),
            percent(1),
            wakes(0),
            wakes(1),
        ),
        goals: vec![
            Goal::at_most(
                "resident",
                Some(mebibytes(resident[0].max(resident[1]))),
                60.0,
                "MiB",
            ),
            Goal::at_most(
                "processor",
                Some(percent(0).max(percent(1))),
                0.05,
                "% of a core",
            ),
            Goal::at_most(
                "wire",
                bytes_a_minute,
                KEEP_ALIVE_BYTES_MAX,
                "bytes a minute",
            ),
        ],
    })
}

const FILES: usize = 100_000;
const FILE_BYTES_MAX: usize = 2048;

/// After the last file: 30 s until late work (index checkpoints, path probes) has ended.
const SETTLING: Duration = Duration::from_secs(30);

/// Then two minutes are watched; processor time is counted in nanoseconds.
const WATCHED: Duration = Duration::from_secs(120);

/// Keep-alive is one probe of the path in 3 s and its answer, in both directions (80 packets a minute),
/// one of the connection in 10 s, and pings of the server: about 130 packets of 110 bytes. News of a
/// folder would show as more than 20,000 bytes.
const KEEP_ALIVE_BYTES_MAX: f64 = 20_000.0;
