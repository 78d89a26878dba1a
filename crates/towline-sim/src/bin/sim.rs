//! `sim`: worlds by their seeds, from a shell.
#![expect(clippy::print_stdout, reason = "a shell prints")]

use std::fmt;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use towline_sim::{
    Circumstances, Internet, Keep, LinkMutation, Mutation, Report, Shape, World,
    internet_regressions, memory_shape, regressions, shape_of,
};

/// Runs worlds.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// The same of small internets: devices behind routers, and what becomes of their ways.
    Internet {
        #[command(subcommand)]
        task: WorldTask,
    },
    #[command(flatten)]
    Folders(WorldTask),
}

#[derive(Debug, Subcommand)]
enum WorldTask {
    /// The committed regressions, then so many seeds from a first one.
    Seeds {
        #[arg(long)]
        start: u64,
        #[arg(long, default_value_t = 2000)]
        count: u64,
    },
    /// One seed.
    One {
        #[arg(long)]
        seed: u64,
        /// Prints everything that happens.
        #[arg(long)]
        log: bool,
        /// Switches in a bug, by its name.
        #[arg(long)]
        mutation: Option<String>,
    },
    /// Seeds without end; failing ones are printed.
    Soak {
        #[arg(long)]
        start: u64,
        /// Ends after so many hours.
        #[arg(long)]
        hours: Option<f64>,
    },
    /// Every named bug, each until a seed catches it.
    Mutate {
        #[arg(long)]
        start: u64,
        /// Seeds that a bug may survive.
        #[arg(long, default_value_t = 2000)]
        count: u64,
    },
}

/// Lines of the log that are printed for a failing seed.
const LINES_SHOWN: usize = 60;

/// A kind of worlds.
#[derive(Clone, Copy)]
struct Worlds {
    regressions: fn() -> Vec<u64>,
    /// Runs the world of a seed, with one of the bugs or without.
    run: fn(u64, Option<usize>, Keep) -> Report,
    bugs: fn() -> Vec<&'static str>,
}

/// Devices that share a folder.
const FOLDERS: Worlds = Worlds {
    regressions: || regressions().collect(),
    run: |seed, bug, keep| {
        let mutation = bug.and_then(|bug| Mutation::ALL.get(bug).copied());
        // Bugs live on the reference store.
        let shape = match mutation {
            Some(_) => memory_shape(),
            None => shape_of(seed),
        };
        World::run(
            seed,
            Shape {
                keep,
                mutation,
                ..shape
            },
        )
    },
    bugs: || Mutation::ALL.iter().map(|one| one.name()).collect(),
};

/// Devices behind routers.
const INTERNET: Worlds = Worlds {
    regressions: || internet_regressions().collect(),
    run: |seed, bug, keep| {
        let mutation = bug.and_then(|bug| LinkMutation::ALL.get(bug).copied());
        Internet::run(seed, Circumstances { mutation, keep })
    },
    bugs: || LinkMutation::ALL.iter().map(|one| one.name()).collect(),
};

fn main() -> ExitCode {
    let (worlds, task) = match Arguments::parse().task {
        Task::Internet { task } => (INTERNET, task),
        Task::Folders(task) => (FOLDERS, task),
    };
    let passed = match task {
        WorldTask::Seeds { start, count } => worlds.seeds(start, count),
        WorldTask::One {
            seed,
            log,
            mutation,
        } => worlds.one(seed, log, mutation.as_deref()),
        WorldTask::Soak { start, hours } => worlds.soak(start, hours),
        WorldTask::Mutate { start, count } => worlds.mutate(start, count),
    };
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Worlds {
    fn seeds(self, start: u64, count: u64) -> bool {
        let begun = Instant::now();
        let known: Vec<u64> = (self.regressions)();
        let mut tally = Tally::default();
        let all = known.len() as u64 + count;
        let seed_at = |number: u64| match known.get(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(seed) => *seed,
            // Seeds go round: a start may be any number.
            None => start.wrapping_add(number - known.len() as u64),
        };
        each(
            all,
            &AtomicBool::new(false),
            |number| (seed_at(number), self.attempt(seed_at(number))),
            |(seed, attempt)| {
                tally.take(self, seed, &attempt);
                if tally.seeds.is_multiple_of(500) {
                    println!("{tally}, {:.0} s", begun.elapsed().as_secs_f64());
                }
            },
        );
        println!("{tally}");
        tally.failed == 0
    }

    /// Runs a seed's world twice: both must keep all promises and give the same log.
    fn attempt(self, seed: u64) -> Attempt {
        let Some(report) = self.live(seed, None, Keep::Hash) else {
            return Attempt {
                outcome: Outcome::Failed,
                lived: Duration::ZERO,
            };
        };
        let outcome = if report.violations.is_empty() {
            match self.live(seed, None, Keep::Hash) {
                Some(again) if again.hash == report.hash => Outcome::Passed,
                Some(_) | None => Outcome::Unsteady,
            }
        } else {
            Outcome::Failed
        };
        let lived = report.lasted * report.devices;
        Attempt { outcome, lived }
    }

    /// Runs a world; `None` when it panics, which counts as failed.
    fn live(self, seed: u64, bug: Option<usize>, keep: Keep) -> Option<Report> {
        std::panic::catch_unwind(|| (self.run)(seed, bug, keep)).ok()
    }

    fn show_failure(self, seed: u64) {
        match self.live(seed, None, Keep::Tail) {
            None => println!("seed {seed}: panicked"),
            Some(report) => {
                for line in report.lines.iter().rev().take(LINES_SHOWN).rev() {
                    println!("  {line}");
                }
                for violation in &report.violations {
                    println!("seed {seed}: {}: {}", violation.rule, violation.what);
                }
            }
        }
    }

    fn one(self, seed: u64, log: bool, mutation: Option<&str>) -> bool {
        let keep = if log { Keep::All } else { Keep::Tail };
        let bugs = (self.bugs)();
        let bug = mutation.and_then(|name| bugs.iter().position(|one| *one == name));
        let report = (self.run)(seed, bug, keep);
        let shown = if log { usize::MAX } else { LINES_SHOWN };
        let skipped = report.lines.len().saturating_sub(shown);
        if log || !report.violations.is_empty() {
            for line in report.lines.iter().skip(skipped) {
                println!("{line}");
            }
        }
        for violation in &report.violations {
            println!("seed {seed}: {}: {}", violation.rule, violation.what);
        }
        println!("seed {seed}: {}", report.hash);
        report.violations.is_empty()
    }

    fn soak(self, start: u64, hours: Option<f64>) -> bool {
        let begun = Instant::now();
        let limit = hours.map(|hours| Duration::from_secs_f64(hours.max(0.0) * 3600.0));
        let stop = AtomicBool::new(false);
        let mut tally = Tally::default();
        each(
            u64::MAX,
            &stop,
            |number| {
                let seed = start.wrapping_add(number);
                (seed, self.attempt(seed))
            },
            |(seed, attempt)| {
                tally.take(self, seed, &attempt);
                if tally.seeds.is_multiple_of(2000) {
                    println!("{tally}, {:.0} s", begun.elapsed().as_secs_f64());
                }
                if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                    stop.store(true, Ordering::Relaxed);
                }
            },
        );
        println!("{tally}");
        tally.failed == 0
    }

    fn mutate(self, start: u64, count: u64) -> bool {
        let mut missed = 0;
        let bugs = (self.bugs)();
        for (bug, name) in bugs.iter().enumerate() {
            let stop = AtomicBool::new(false);
            let mut caught: Option<(u64, String)> = None;
            let attempt = |number: u64| {
                let seed = start.wrapping_add(number);
                let rule = match self.live(seed, Some(bug), Keep::Hash) {
                    None => Some("a panic".to_owned()),
                    Some(report) => {
                        let first = report.violations.into_iter().next();
                        first.map(|violation| format!("{}: {}", violation.rule, violation.what))
                    }
                };
                // A world that fails without the bug says nothing about it.
                let rule = rule.filter(|_| {
                    let sound = self.live(seed, None, Keep::Hash);
                    sound.is_some_and(|report| report.violations.is_empty())
                });
                (seed, rule)
            };
            each(count, &stop, attempt, |(seed, rule)| {
                if let Some(rule) = rule
                    && caught.as_ref().is_none_or(|(other, _)| seed < *other)
                {
                    caught = Some((seed, rule));
                    stop.store(true, Ordering::Relaxed);
                }
            });
            match caught {
                Some((seed, rule)) => println!("{name}: caught by seed {seed} ({rule})"),
                None => {
                    missed += 1;
                    println!("{name}: NOT caught in {count} seeds");
                }
            }
        }
        let all = bugs.len();
        println!("{} of {all} bugs caught", all - missed);
        missed == 0
    }
}

/// What came of a seed.
enum Outcome {
    Passed,
    Failed,
    Unsteady,
}

/// A seed's outcome, and how much life it saw.
struct Attempt {
    outcome: Outcome,
    /// The time that its devices lived, added up.
    lived: Duration,
}

/// What came of all seeds so far.
#[derive(Default)]
struct Tally {
    seeds: u64,
    failed: u64,
    lived: Duration,
}

impl Tally {
    /// Counts a seed and shows it if it failed.
    fn take(&mut self, worlds: Worlds, seed: u64, attempt: &Attempt) {
        self.seeds += 1;
        self.lived += attempt.lived;
        match attempt.outcome {
            Outcome::Passed => {}
            Outcome::Failed => {
                self.failed += 1;
                worlds.show_failure(seed);
                println!("failing seed: {seed}");
            }
            Outcome::Unsteady => {
                self.failed += 1;
                println!("seed {seed}: two runs gave two logs");
                println!("failing seed: {seed}");
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seeds,
            failed,
            lived,
        } = self;
        let hours = lived.as_secs_f64() / 3600.0;
        let passed = seeds - failed;
        write!(
            f,
            "{seeds} seeds, {hours:.0} device-hours: {passed} passed, {failed} failed"
        )
    }
}

/// Does `task` for every number below `count` on all cores, and hands the results to `take` here.
fn each<T: Send>(
    count: u64,
    stop: &AtomicBool,
    task: impl Fn(u64) -> T + Sync,
    mut take: impl FnMut(T),
) {
    /// Results that may wait: they are small, and taken quickly.
    const WAITING_MAX: usize = 64;
    let next = AtomicU64::new(0);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (results, taken) = mpsc::sync_channel(WAITING_MAX);
    thread::scope(|scope| {
        for _ in 0..cores {
            let results = results.clone();
            let (next, task) = (&next, &task);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || results.send(task(number)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        for result in taken {
            take(result);
        }
    });
}
