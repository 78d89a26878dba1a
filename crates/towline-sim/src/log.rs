//! What happened in a world, as a hash, and as the last lines where somebody wants to read them.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::Duration;

/// Lines that are kept for a failing seed.
const LINES_KEPT: usize = 400;

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Only the hash.
    Hash,
    /// The hash and the last lines.
    Tail,
    /// Everything.
    All,
}

/// The log of one world.
#[derive(Debug)]
pub(crate) struct Log {
    keep: Keep,
    hasher: blake3::Hasher,
    line: String,
    lines: VecDeque<String>,
}

impl Log {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            hasher: blake3::Hasher::new(),
            line: String::new(),
            lines: VecDeque::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, now: Duration, text: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(self.line, "{:>13.6} {text}", now.as_secs_f64());
        self.hasher.update(self.line.as_bytes());
        if self.keep == Keep::Hash {
            return;
        }
        if self.keep == Keep::Tail && self.lines.len() >= LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(self.line.trim_end().to_owned());
    }

    pub(crate) fn hash(&self) -> blake3::Hash {
        self.hasher.finalize()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
