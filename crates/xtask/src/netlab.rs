//! `cargo xtask netlab`: which path two devices find in many small internets of namespaces, and what becomes of
//! a running transfer when the network changes.
//!
//! In each the real server runs on port 443 of a public network, with two real devices in homes of their own.
//! Several run at once. Whatever is measured is read from counters of the kernel. Needs root, iproute2,
//! nftables, coturn and miniupnpd.

mod change;
mod deceived;
mod enemy;
mod hostile;
mod lab;
mod liar;
mod line;
mod meeting;
mod meter;
mod nat;
mod placed;
mod ports;
mod rest;
mod scenarios;
mod site;
mod turn;
mod words;
mod world;

use std::collections::VecDeque;
use std::path::Path;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::binaries::{self, Built, Profile, Wanted};
use crate::namespaces::Namespace;
use crate::repo::Repo;
use crate::report::{readable, say};
use crate::steps::Ending;
use crate::system::{self, Purpose};

pub(crate) use liar::{Liar, lie};
pub(crate) use line::{Line, carry as carry_line};
use scenarios::{Outcome, Scenario, Set};

/// What is tried.
#[derive(Debug, Args)]
pub(crate) struct NetlabArgs {
    /// Everything but what takes more than ten minutes, instead of the quick set.
    #[arg(long)]
    all: bool,
    /// What takes more than ten minutes, too.
    #[arg(long)]
    long: bool,
    /// Only scenarios in whose names this occurs, from all sets.
    #[arg(long)]
    only: Vec<String>,
    /// Names what would be tried, and tries nothing.
    #[arg(long)]
    list: bool,
    /// How often each is tried.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// How many are tried at a time.
    #[arg(long, default_value_t = AT_ONCE)]
    at_once: usize,
}

/// Scenarios at a time: 3. They mostly wait; with more, two processors make the times worse that are measured.
const AT_ONCE: usize = 3;

/// Tries them; fails when one is worse than it must be.
pub(crate) fn netlab(repo: &Repo, args: &NetlabArgs) -> Result<()> {
    let chosen: Vec<_> = scenarios::all()
        .into_iter()
        .filter(|scenario| is_chosen(args, scenario))
        .collect();
    if chosen.is_empty() {
        bail!("no scenario has such a name; `--all --long --list` names them");
    }
    if args.list {
        for scenario in &chosen {
            say(&scenario.name);
        }
        return Ok(());
    }
    system::ensure_packages(repo, &[Purpose::Headless, Purpose::Lab])?;
    if let Some(missing) = missing() {
        bail!("{missing}");
    }
    let built = binaries::build(repo, Profile::Debug, Wanted::Headless)?;
    let tries = Tries {
        rounds: args.rounds,
        at_once: args.at_once,
        lateness: Lateness::Fails,
    };
    try_all(repo, &built, &chosen, tries).map(say)
}

/// How scenarios are tried.
#[derive(Debug, Clone, Copy)]
struct Tries {
    rounds: u32,
    at_once: usize,
    lateness: Lateness,
}

/// What becomes of a scenario that goes right, and later than its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lateness {
    /// It has failed: somebody measures.
    Fails,
    /// It is told: the machine may be busy with something else.
    Told,
}

/// The quick set, as a step of all tests. Times are told there, not judged.
pub(crate) fn quick_step(repo: &Repo) -> Result<Ending> {
    if let Some(missing) = missing() {
        return Ok(Ending::Absent(missing));
    }
    let built = binaries::build(repo, Profile::Debug, Wanted::Headless)?;
    let chosen: Vec<_> = scenarios::all()
        .into_iter()
        .filter(|scenario| scenario.set == Set::Quick)
        .collect();
    let tries = Tries {
        rounds: 1,
        at_once: AT_ONCE,
        lateness: Lateness::Told,
    };
    try_all(repo, &built, &chosen, tries).map(Ending::Passed)
}

fn is_chosen(args: &NetlabArgs, scenario: &Scenario) -> bool {
    if !args.only.is_empty() {
        return args.only.iter().any(|word| scenario.name.contains(word));
    }
    match scenario.set {
        Set::Quick => true,
        Set::All => args.all,
        Set::Long => args.long,
    }
}

/// What the lab needs and this machine does not have.
fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("the lab is made of Linux's namespaces".to_owned());
    }
    match system::lacks(Purpose::Lab) {
        Err(error) => return Some(format!("{error:#}")),
        Ok(lacks) => {
            if let Some(lack) = lacks.first() {
                return Some(format!("the lab {lack}; `cargo xtask system` tells more"));
            }
        }
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun for slow lines".to_owned());
    }
    match Namespace::make(format!("tllab{}-try", process::id())) {
        Ok(_) => None,
        Err(error) => Some(format!("no network namespaces, which need root: {error:#}")),
    }
}

/// Runs all, several at a time; returns the closing line.
fn try_all(repo: &Repo, built: &Built, chosen: &[Scenario], tries: Tries) -> Result<String> {
    let begun = Instant::now();
    let place = repo.path("artifacts/netlab");
    let queue =
        (0..tries.rounds).flat_map(|round| chosen.iter().map(move |scenario| (round, scenario)));
    let queue: Mutex<VecDeque<_>> = Mutex::new(queue.collect());
    let failed = Mutex::new(Vec::new());
    // A function, so that the lock is let go before the scenario runs.
    let next = || lock(&queue).pop_front();
    thread::scope(|scope| {
        for _ in 0..tries.at_once.max(1) {
            scope.spawn(|| {
                while let Some((round, scenario)) = next() {
                    let place = place.join(format!("{}-{round}", scenario.name));
                    let started = Instant::now();
                    let outcome = scenario.run(built, place.clone());
                    if tell(scenario, started, &outcome, tries.lateness) {
                        site::forget_files(&place);
                    } else {
                        lock(&failed).push(scenario.name.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let tried = chosen.len() * usize::try_from(tries.rounds)?;
    if !failed.is_empty() {
        bail!(
            "{} of {tried} were worse than they must be: {}; their logs are in {}",
            failed.len(),
            failed.join(" "),
            place.display()
        );
    }
    Ok(format!(
        "{tried} scenarios in {}",
        readable(begun.elapsed())
    ))
}

/// Prints how one went; says whether it went well.
fn tell(
    scenario: &Scenario,
    started: Instant,
    outcome: &Result<Outcome>,
    lateness: Lateness,
) -> bool {
    let took = readable(started.elapsed());
    let (told, mut misses, late) = match outcome {
        Ok(outcome) => (
            outcome.told.clone(),
            outcome.misses.clone(),
            outcome.late.clone(),
        ),
        Err(error) => (Vec::new(), vec![format!("{error:#}")], Vec::new()),
    };
    let is_late = !late.is_empty();
    if lateness == Lateness::Fails {
        misses.extend(late);
    }
    let verdict = match (misses.is_empty(), is_late) {
        (true, false) => "ok",
        (true, true) => "late",
        (false, _) => "WORSE",
    };
    let mut text = format!("   {verdict:<6} {:<32} {took:>8}", scenario.name);
    match told.as_slice() {
        [line] => text.push_str(&format!("  {line}")),
        lines => lines
            .iter()
            .for_each(|line| text.push_str(&format!("\n             {line}"))),
    }
    for miss in &misses {
        text.push_str(&format!("\n          !! {miss}"));
    }
    say(text);
    misses.is_empty()
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
