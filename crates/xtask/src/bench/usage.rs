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

/// Peak resident memory of a process in bytes.
pub(super) fn peak(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

/// Resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

fn status(pid: u32, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .context("no memory figure in /proc")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// `USER_HZ` is 100 on every Linux architecture that people sync on.
const TICKS_PER_SECOND: u64 = 100;
