//! A chore in named steps: each says its name, how long it took and how it ended.
//!
//! A step passes, fails, or is absent because what it needs is not there; an absent step says what
//! is missing and is never counted as passed. Without `--keep-going` the first failure ends the
//! chore, with it the others still run and the chore fails at its end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::report::{readable, say};

/// How a step ended, when it did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ran and found nothing wrong; the text is its own closing line.
    Passed(String),
    /// It did not run; the text says what is missing.
    Absent(String),
}

/// What follows a failed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The chore ends.
    Stop,
    /// The other steps run, then the chore fails.
    KeepGoing,
}

/// The steps of one chore so far.
#[derive(Debug)]
pub(crate) struct Steps {
    on_failure: OnFailure,
    started: Instant,
    finished: Vec<Finished>,
}

#[derive(Debug)]
struct Finished {
    name: &'static str,
    took: Duration,
    verdict: Verdict,
}

#[derive(Debug)]
enum Verdict {
    Ended(Ending),
    Failed(String),
}

impl Steps {
    /// Begins a chore.
    pub(crate) fn new(on_failure: OnFailure) -> Self {
        Self {
            on_failure,
            started: Instant::now(),
            finished: Vec::new(),
        }
    }

    /// Runs one step. An error means that the chore is over.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<Ending>,
    ) -> Result<()> {
        say(format!("== {name}"));
        let started = Instant::now();
        let verdict = match step() {
            Ok(ending) => Verdict::Ended(ending),
            Err(error) => Verdict::Failed(format!("{error:#}")),
        };
        let finished = Finished {
            name,
            took: started.elapsed(),
            verdict,
        };
        say(finished.line());
        let failed = finished.failed();
        self.finished.push(finished);
        if failed && self.on_failure == OnFailure::Stop {
            bail!("{name} failed");
        }
        Ok(())
    }

    /// Prints all steps with their times, and fails when one of them did.
    pub(crate) fn finish(self) -> Result<()> {
        say("");
        for finished in &self.finished {
            say(finished.line());
        }
        let failed: Vec<_> = self
            .finished
            .iter()
            .filter(|finished| finished.failed())
            .map(|finished| finished.name)
            .collect();
        say(format!("   total {}", readable(self.started.elapsed())));
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

impl Finished {
    fn failed(&self) -> bool {
        match self.verdict {
            Verdict::Failed(_) => true,
            Verdict::Ended(_) => false,
        }
    }

    fn line(&self) -> String {
        let (word, detail) = match &self.verdict {
            Verdict::Ended(Ending::Passed(detail)) => ("ok", detail),
            Verdict::Ended(Ending::Absent(detail)) => ("absent", detail),
            Verdict::Failed(detail) => ("FAILED", detail),
        };
        let took = readable(self.took);
        let line = format!("   {word:<7} {:<20} {took:>12}  {detail}", self.name);
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing() -> Result<Ending> {
        Ok(Ending::Passed("fine".into()))
    }

    fn failing() -> Result<Ending> {
        bail!("broken")
    }

    #[test]
    fn the_first_failure_ends_a_chore_that_stops() {
        let mut steps = Steps::new(OnFailure::Stop);
        steps.run("one", passing).unwrap();
        assert!(steps.run("two", failing).is_err());
    }

    #[test]
    fn a_chore_that_keeps_going_fails_at_its_end() {
        let mut steps = Steps::new(OnFailure::KeepGoing);
        steps.run("one", failing).unwrap();
        steps.run("two", passing).unwrap();
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: one");
    }

    #[test]
    fn an_absent_step_is_no_failure_and_says_what_is_missing() {
        let mut steps = Steps::new(OnFailure::Stop);
        let absent = || Ok(Ending::Absent("no ui yet".into()));
        steps.run("ui", absent).unwrap();
        assert!(steps.finished[0].line().contains("absent"));
        assert!(steps.finished[0].line().contains("no ui yet"));
        steps.finish().unwrap();
    }
}
