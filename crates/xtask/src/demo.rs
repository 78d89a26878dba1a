//! `cargo xtask demo`: two devices on this computer that pair and keep a folder in sync.
//!
//! This module states what people may ask for; `system`, `binaries` and `processes` hold what the
//! body is made of.

use std::path::PathBuf;

use clap::Args;

/// Options of `cargo xtask demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Shares a copy of this folder instead of the sample tree.
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
    /// Ends after both trees were compared byte by byte; opens no window.
    #[arg(long)]
    once: bool,
}
