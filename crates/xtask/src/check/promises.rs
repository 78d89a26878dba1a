//! The table of what a folder promises says each thing once, and every test that it names is there.
//!
//! A test that was renamed would leave a promise that nothing shows, and a table that was merged by
//! lines can say a thing twice in two ways.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Findings;
use crate::repo::Repo;
use crate::source::SourceFile;

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    Ok(judge(&repo.files()?))
}

fn judge(files: &[SourceFile]) -> Findings {
    let tests: BTreeSet<&str> = files.iter().flat_map(functions).collect();
    let mut findings = Findings::default();
    let (mut said, mut named) = (BTreeSet::new(), 0_usize);
    for table in files.iter().filter(|file| file.path() == TABLE) {
        for (line, number) in table.text().lines().zip(1..) {
            let mut complain = |what: String| {
                let complaint = format!("{TABLE}:{number}: {what}");
                findings.complaints.push(complaint);
            };
            let subject = subject(line).unwrap_or(line);
            if subject.len() > SHORT && !said.insert(subject) {
                complain(format!("`{subject}` stands twice"));
            }
            for name in names(line) {
                named += 1;
                if !tests.contains(name) {
                    complain(format!("no test is called `{name}`"));
                }
            }
        }
    }
    findings.looked_at = format!("{named} tests are named");
    findings
}

/// The names of all functions of a Rust file.
fn functions(file: &SourceFile) -> impl Iterator<Item = &str> {
    let lines = (file.extension() == "rs").then(|| file.text().lines());
    lines.into_iter().flatten().filter_map(|line| {
        let (_, rest) = line.split_once("fn ")?;
        rest.split(['(', '<']).next()
    })
}

/// What a row of the table is about.
fn subject(line: &str) -> Option<&str> {
    line.strip_prefix("| ")?.split(" | ").next()
}

/// What is quoted and looks like the sentence that a test is named by.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.matches('_').count() >= SENTENCE && word.chars().all(is_part_of_a_name))
}

fn is_part_of_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// Where the promises are.
const TABLE: &str = "docs/SEMANTICS.md";

/// What is as short as this is punctuation: 3 bytes.
const SHORT: usize = 3;

/// A test's name is a sentence: it has at least three words.
const SENTENCE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(table: &str) -> Vec<String> {
        let tests = "fn a_file_arrives_whole() {}\nasync fn two_agree_in_the_end<T>() {}";
        let files = [
            SourceFile::new(TABLE, table),
            SourceFile::new("crates/a/tests/b.rs", tests),
        ];
        judge(&files).complaints
    }

    #[test]
    fn every_test_that_is_named_is_there() {
        let table = "| Files | arrive | `a_file_arrives_whole`, `two_agree_in_the_end` |";
        assert_eq!(complaints(table), Vec::<String>::new());
        let gone = complaints("| Files | arrive | `a_file_comes_whole`, `.towline/conflicts` |");
        assert_eq!(
            gone,
            ["docs/SEMANTICS.md:1: no test is called `a_file_comes_whole`"]
        );
    }

    #[test]
    fn nothing_is_said_twice() {
        let twice = complaints("| Files | arrive | |\n\n| Links | too | |\n\n| Files | come | |");
        assert_eq!(twice, ["docs/SEMANTICS.md:5: `Files` stands twice"]);
    }
}
