//! What a process has used, as the kernel accounts it (`/proc`, see proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of a process and of the children that it has waited for.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces; the fields behind it are utime..cstime at 11 to 14.
    let (_, fields) = stat
        .rsplit_once(") ")
        .context("an unexpected /proc/pid/stat")?;
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// What the scheduler has counted for the threads that a process has now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exact {
    /// Time on a processor, in nanoseconds.
    pub(super) running: Duration,
    /// How often a thread was put on one.
    pub(super) times: u64,
}

/// Processor time in nanoseconds, for what is far less than a tick of [`cpu`].
pub(super) fn exact(pid: u32) -> Result<Exact> {
    let mut sum = Exact {
        running: Duration::ZERO,
        times: 0,
    };
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ends meanwhile has nothing more to tell.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let mut fields = text.split_whitespace().map(str::parse::<u64>);
        let mut field = || fields.next().and_then(Result::ok);
        let (running, _waiting, times) = (field(), field(), field());
        sum.running += Duration::from_nanos(running.context("an unexpected schedstat")?);
        sum.times += times.context("an unexpected schedstat")?;
    }
    Ok(sum)
}

/// Peak resident memory of a process in bytes.
pub(super) fn peak(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

/// Resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

/// Memory of a process in bytes, pages that others have too counted in part.
pub(super) fn proportional(pid: u32) -> Result<u64> {
    kilobytes(pid, "smaps_rollup", "Pss:")
}

/// The name of a process' program, at most 15 characters of it.
pub(super) fn name(pid: u32) -> Result<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    Ok(name.trim_end().to_owned())
}

/// A process and all that descend from it now.
pub(super) fn tree(root: u32) -> Result<Vec<u32>> {
    let mut processes = vec![root];
    let mut next = 0;
    while let Some(process) = processes.get(next) {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread that has ended started nobody who is left to it.
            let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            let children: Result<Vec<u32>, _> =
                children.split_whitespace().map(str::parse).collect();
            processes.extend(children?);
        }
        next += 1;
    }
    Ok(processes)
}

fn status(pid: u32, key: &str) -> Result<u64> {
    kilobytes(pid, "status", key)
}

fn kilobytes(pid: u32, file: &str, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .context("no memory figure in /proc")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// `USER_HZ` is 100 on every Linux architecture that people sync on.
const TICKS_PER_SECOND: u64 = 100;
