//! The five slowest tests of the last run, so that slowness is seen while it is young.
//!
//! nextest leaves times in a JUnit file; cargo's own runner does not tell them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::repo::Repo;
use crate::report::{readable, say};

/// Prints them, when nextest has run.
pub(super) fn print(repo: &Repo) -> Result<()> {
    let path = report_path(repo)?;
    if !path.exists() {
        return Ok(());
    }
    let report = fs::read_to_string(&path).context("reading nextest's report")?;
    let mut tests = times(&report);
    tests.sort_by_key(|test| std::cmp::Reverse(test.took));
    say("");
    for test in tests.iter().take(SHOWN) {
        say(format!(
            "   slow: {:>8}  {}",
            readable(test.took),
            test.name
        ));
    }
    Ok(())
}

/// Takes the report of an earlier run away.
pub(super) fn forget(repo: &Repo) -> Result<()> {
    let path = report_path(repo)?;
    if path.exists() {
        fs::remove_file(&path).context("removing an old report")?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Test {
    name: String,
    took: Duration,
}

fn report_path(repo: &Repo) -> Result<PathBuf> {
    let target = repo.metadata()?.target_directory;
    Ok(target.join("nextest/ci/junit.xml").into_std_path_buf())
}

/// The test cases of a JUnit file. Attributes are looked up by name, nothing else of XML is needed:
/// names of Rust tests hold no quotes.
fn times(report: &str) -> Vec<Test> {
    report
        .split("<testcase ")
        .skip(1)
        .filter_map(|case| {
            let case = case.split_once('>')?.0;
            let took = attribute(case, "time")?.parse().ok()?;
            Some(Test {
                name: format!(
                    "{} {}",
                    attribute(case, "classname")?,
                    attribute(case, "name")?
                ),
                took: Duration::try_from_secs_f64(took).ok()?,
            })
        })
        .collect()
}

fn attribute<'a>(case: &'a str, name: &str) -> Option<&'a str> {
    let padded = case
        .split(' ')
        .find_map(|word| word.strip_prefix(name)?.strip_prefix("=\""))?;
    Some(padded.split_once('"').map_or(padded, |(value, _)| value))
}

/// Five: a habit to read, not a table.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_a_report() {
        let report = r#"<testsuites><testsuite name="a">
            <testcase name="x::y" classname="towline-wire" timestamp="t" time="0.250"/>
            <testcase name="z" classname="towline-core" time="1.5"><failure/></testcase>
            <testcase name="broken" classname="towline-core" time="soon"/>"#;
        let names: Vec<_> = times(report).into_iter().map(|test| test.name).collect();
        assert_eq!(names, ["towline-wire x::y", "towline-core z"]);
    }
}
