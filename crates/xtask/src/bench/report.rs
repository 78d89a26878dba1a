//! Sections of figures with what they must reach, for the terminal and for `docs/BENCHMARKS.md`.

use std::fs;

use anyhow::Result;

use crate::repo::Repo;
use crate::report::say;
use crate::run;

/// What one workload showed.
#[derive(Debug)]
pub(super) struct Section {
    /// Its heading; a section of the report that has the same is replaced.
    pub(super) title: String,
    /// Figures, as Markdown that ends with a line break.
    pub(super) text: String,
    /// What they must reach.
    pub(super) goals: Vec<Goal>,
}

/// A figure that must reach something.
#[derive(Debug)]
pub(super) struct Goal {
    what: String,
    must: String,
    measured: String,
    reached: Option<bool>,
}

impl Goal {
    /// A figure that may be at most `limit`; `None` when it could not be measured.
    pub(super) fn at_most(
        what: impl Into<String>,
        figure: Option<f64>,
        limit: f64,
        unit: &str,
    ) -> Self {
        Self::new(what.into(), "<=", figure, limit, unit, |figure| {
            figure <= limit
        })
    }

    /// A figure that must be at least `limit`; `None` when it could not be measured.
    pub(super) fn at_least(
        what: impl Into<String>,
        figure: Option<f64>,
        limit: f64,
        unit: &str,
    ) -> Self {
        Self::new(what.into(), ">=", figure, limit, unit, |figure| {
            figure >= limit
        })
    }

    fn new(
        what: String,
        sign: &str,
        figure: Option<f64>,
        limit: f64,
        unit: &str,
        is_reached: impl Fn(f64) -> bool,
    ) -> Self {
        // As precise as the limit asks for, and one digit more.
        let digits = if limit >= 10.0 { 1 } else { 3 };
        Self {
            what,
            must: format!("{sign} {limit} {unit}"),
            measured: figure.map_or("not measured".to_owned(), |figure| {
                format!("{figure:.digits$} {unit}")
            }),
            reached: figure.map(is_reached),
        }
    }

    const fn verdict(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "**not reached**",
            None => "unknown",
        }
    }
}

impl Section {
    /// For the terminal.
    pub(super) fn words(&self) -> String {
        let mut lines = vec![format!("== {}", self.title)];
        lines.extend(self.text.lines().map(|line| format!("   {line}")));
        lines.extend(self.goals.iter().map(|goal| {
            format!(
                "   {}: {} (must be {}): {}",
                goal.what,
                goal.measured,
                goal.must,
                goal.verdict()
            )
        }));
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}", self.title, self.text);
        if !self.goals.is_empty() {
            text.push_str("\n| | must be | is | |\n|---|---|---|---|\n");
        }
        for goal in &self.goals {
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                goal.what,
                goal.must,
                goal.measured,
                goal.verdict()
            ));
        }
        text
    }
}

/// Puts a section into the report; the notes and the other sections stay as they are.
pub(super) fn write(repo: &Repo, section: &Section) -> Result<()> {
    let path = repo.path("docs/BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, with_section(&old, section, &preface()))?;
    say(format!("   \"{}\" is in docs/BENCHMARKS.md", section.title));
    Ok(())
}

fn with_section(old: &str, section: &Section, preface: &str) -> String {
    let mut parts: Vec<String> = old
        .split("\n## ")
        .skip(1)
        .map(|part| format!("## {}\n", part.trim_end()))
        .collect();
    let heading = format!("## {}\n", section.title);
    let next = section.markdown();
    match parts.iter_mut().find(|part| part.starts_with(&heading)) {
        Some(part) => *part = next,
        None => {
            let notes = parts.iter().position(|part| part.starts_with(NOTES));
            parts.insert(notes.unwrap_or(parts.len()), next);
        }
    }
    if !parts.iter().any(|part| part.starts_with(NOTES)) {
        parts.push(NOTES.to_owned());
    }
    format!("{preface}\n{}", parts.join("\n"))
}

/// What stands above all sections.
fn preface() -> String {
    format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench`, section by section; the notes at the end are kept. On {}.\nBoth sides of every contestant run on this one machine, with a warm page cache. Towline is the release build at its\ndefault settings: every file encrypted on the way, verified, and durable on disk before it is told. syncthing is Debian's\n({}), rsync is a plain daemon ({}),\nwhich neither encrypts nor syncs to disk; over ssh it encrypts.\nA round counts only when both trees were found equal, byte by byte. Bytes of the wire are all that the kernel counts on a\nveth pair between two network namespaces, both directions and all headers.\n",
        machine(),
        version("syncthing", "--version"),
        version("rsync", "--version")
    )
}

const NOTES: &str = "## Notes\n";

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// The median; the lower one of two.
pub(super) fn middle<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    percentile(values, 50)
}

/// The value that so many of a hundred do not exceed.
pub(super) fn percentile<T: Ord>(values: impl Iterator<Item = T>, percent: usize) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort();
    let at = (values.len() * percent).div_ceil(100).checked_sub(1)?;
    values.into_iter().nth(at)
}

/// The median of figures; the lower one of two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// How many processes wanted a processor in the last minute.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Processors, without the machine's name.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("a processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    format!("{cores} cores ({model})")
}

/// The first words of a program's own version.
fn version(program: &str, argument: &str) -> String {
    let output =
        run::capture(std::process::Command::new(program).arg(argument)).unwrap_or_default();
    let words: Vec<&str> = output
        .lines()
        .next()
        .unwrap_or("not installed")
        .split_whitespace()
        .take(3)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(middle([3, 1, 2].into_iter()), Some(2));
        assert_eq!(middle([4, 1].into_iter()), Some(1));
        assert_eq!(middle(std::iter::empty::<u8>()), None);
    }

    #[test]
    fn a_percentile_is_not_exceeded_by_so_many() {
        assert_eq!(percentile(1..=100, 99), Some(99));
        assert_eq!(percentile(1..=200, 99), Some(198));
        assert_eq!(percentile([7].into_iter(), 99), Some(7));
    }

    #[test]
    fn a_section_replaces_its_former_self_and_stands_before_the_notes() {
        let section = |text: &str| Section {
            title: "Idle".to_owned(),
            text: format!("{text}\n"),
            goals: vec![Goal::at_most("memory", Some(70.0), 60.0, "MiB")],
        };
        let first = "old preface\n\n## Other\n\nstays\n\n## Notes\n\n- kept\n";
        let once = with_section(first, &section("one"), "# Benchmarks\n");
        let twice = with_section(&once, &section("two"), "# Benchmarks\n");
        let goals = "| | must be | is | |\n|---|---|---|---|\n| memory | <= 60 MiB | 70.0 MiB | **not reached** |\n";
        assert_eq!(
            twice,
            format!(
                "# Benchmarks\n\n## Other\n\nstays\n\n## Idle\n\ntwo\n\n{goals}\n## Notes\n\n- kept\n"
            )
        );
    }
}
