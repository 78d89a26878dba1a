//! What a device costs while nothing happens: 20,000 files in sync, watched, and left alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::towline::{self, Pair};
use super::{Contestant, Run, load, usage};
use crate::binaries::Built;
use crate::report::Spinner;

/// What idling costs one device.
#[derive(Debug)]
pub(super) struct Idle {
    /// Resident memory in bytes, the larger of both devices.
    pub(super) resident: u64,
    /// Share of one core, the larger of both devices.
    pub(super) core_share: f64,
}

impl Idle {
    pub(super) fn words(&self) -> String {
        format!(
            "== Idle with 20,000 files: {:.1} MiB resident, {:.3} % of a core",
            self.resident as f64 / 1_048_576.0,
            self.core_share * 100.0
        )
    }
}

/// Measures one pair after it has settled.
pub(super) fn run(built: &Built, work: &Path) -> Result<Idle> {
    let (source, target) = (
        work.join("source"),
        work.join(format!("target-{}", Contestant::Towline.name())),
    );
    super::clear(&source)?;
    super::clear(&target)?;
    load::small_files(&source, 20_000)?;
    let run = Run {
        source: &source,
        target: &target,
        weight: load::weigh(&source)?,
        work,
    };
    let pair = Pair::start(built, work)?;
    towline::carry(&run, &pair)?;
    let ids = [
        pair.source.id().context("not running")?,
        pair.target.id().context("not running")?,
    ];
    let spinner = Spinner::start("idling for a minute");
    // The measurement itself is the passing of time.
    std::thread::sleep(SETTLING);
    let before = [usage::cpu(ids[0])?, usage::cpu(ids[1])?];
    std::thread::sleep(WATCHED);
    let after = [usage::cpu(ids[0])?, usage::cpu(ids[1])?];
    drop(spinner);
    let busiest = (after[0] - before[0]).max(after[1] - before[1]);
    let idle = Idle {
        resident: usage::resident(ids[0])?.max(usage::resident(ids[1])?),
        core_share: busiest.as_secs_f64() / WATCHED.as_secs_f64(),
    };
    drop(pair);
    fs::remove_dir_all(&source)?;
    fs::remove_dir_all(&target)?;
    Ok(idle)
}

/// After the last file: 20 s until late work (index checkpoints, path probes) has ended.
const SETTLING: Duration = Duration::from_secs(20);

/// Then 60 s are watched; one tick of the kernel's clock is 0.017 % of a core.
const WATCHED: Duration = Duration::from_secs(60);
