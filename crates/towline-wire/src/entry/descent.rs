//! Which writes the bytes of an entry come from, as opposed to which writes its history knows.
//!
//! A version vector joins: whoever gives way in a conflict, or lets an edit win against a delete,
//! knows writes afterwards from which the bytes at hand were never made. Who asks whether bytes are an
//! *edit* of other bytes needs the narrower answer, and it must be true, for what was edited may be
//! replaced. So a write of a file over a file names what it was written over: the write that made those
//! bytes, and all from which these came.
//!
//! A descent belongs to its author's write and never changes: who joins histories takes it along with the
//! author, and every other write begins anew with none. It names few of all: consecutive writes of one
//! actor, each over the one before, are one run; the newest [`RUNS_MAX`] runs are kept. What it does not
//! name it says nothing of.

use super::{Actor, Dot, VersionVector};

/// Runs in one descent: 4. Two devices that take turns make one with each turn, and what is asked for is what
/// one of them had when they met last. More would cost bytes in every record; fewer would lose it where a
/// third takes part.
pub const RUNS_MAX: usize = 4;

/// The writes from which the bytes of an entry come, without its own; see the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descent(Vec<Run>);

/// Consecutive writes of one actor, each over the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    /// Whose.
    pub actor: Actor,
    /// The counter of the first.
    pub first: u64,
    /// The counter of the last.
    pub last: u64,
}

/// Runs are too many, or name writes that the history does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("descent does not belong to its history")]
pub struct DescentError;

impl Descent {
    /// Of bytes that were written over nothing, or of which nothing is known.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Of bytes that are written over those of `author`, whose descent this is.
    #[must_use]
    pub fn through(&self, author: Dot) -> Self {
        let mut runs = self.0.clone();
        match runs.first_mut() {
            Some(run)
                if run.actor == author.actor && run.last.checked_add(1) == Some(author.counter) =>
            {
                run.last = author.counter;
            }
            Some(_) | None => runs.insert(
                0,
                Run {
                    actor: author.actor,
                    first: author.counter,
                    last: author.counter,
                },
            ),
        }
        runs.truncate(RUNS_MAX);
        Self(runs)
    }

    /// Whether the bytes surely come from those of this write.
    pub fn names(&self, write: Dot) -> bool {
        self.0
            .iter()
            .any(|run| run.actor == write.actor && (run.first..=run.last).contains(&write.counter))
    }

    /// How many writes it names.
    pub fn count(&self) -> u64 {
        let writes = |run: &Run| (run.last - run.first).saturating_add(1);
        self.0.iter().map(writes).fold(0, u64::saturating_add)
    }

    /// The runs, the newest first.
    pub fn runs(&self) -> &[Run] {
        &self.0
    }

    /// Checks runs against the history that must know them.
    pub fn of_history(runs: Vec<Run>, version: &VersionVector) -> Result<Self, DescentError> {
        let is_known = |run: &Run| {
            let last = Dot {
                actor: run.actor,
                counter: run.last,
            };
            0 < run.first && run.first <= run.last && version.knows(last)
        };
        if runs.len() <= RUNS_MAX && runs.iter().all(is_known) {
            Ok(Self(runs))
        } else {
            Err(DescentError)
        }
    }
}

#[cfg(test)]
mod tests;
