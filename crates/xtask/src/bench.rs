//! `cargo xtask bench`: how fast the shipped program is, beside rsync and syncthing.
//!
//! This module states what people may ask for; `system`, `binaries` and `processes` hold what the
//! body is made of.

use clap::{Args, ValueEnum};

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only this load; without it, all of them.
    #[arg(long)]
    only: Option<Load>,
    /// Interleaved rounds; the report shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// What is carried from one device to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Load {
    /// One file of 2 GiB.
    LargeFile,
    /// 20,000 files of 0 to 16 KiB.
    SmallFiles,
    /// A source tree of 30,000 files or more.
    SourceTree,
}
