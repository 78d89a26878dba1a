//! What hosted machines are told to do can be read, names what it uses by commit, and asks for no secret that
//! nobody has written about.
//!
//! Whether a workflow does what it should is known only where it runs; this holds what can be known here.

use std::collections::BTreeSet;

use anyhow::Result;
use saphyr::{LoadableYamlNode, Yaml};

use super::Findings;
use crate::repo::Repo;
use crate::source::SourceFile;

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    Ok(judge(&repo.files()?))
}

fn judge(files: &[SourceFile]) -> Findings {
    let document = files.iter().find(|file| file.path() == DOCUMENT);
    let document = document.map_or("", SourceFile::text);
    let mut findings = Findings::default();
    let mut count = 0_usize;
    let is_workflow = |file: &&SourceFile| file.path().starts_with(WORKFLOWS);
    for file in files.iter().filter(is_workflow) {
        count += 1;
        let path = file.path();
        let mut complain = |what: String| findings.complaints.push(format!("{path}: {what}"));
        if !has_jobs(file.text()) {
            complain("is no workflow in YAML".to_owned());
        }
        let is_release = path.ends_with(RELEASE);
        if is_release {
            for action in actions(file.text()).filter(|action| !is_pinned(action)) {
                complain(format!("`{action}` is not pinned by a commit"));
            }
        }
        for name in asked_for(file.text()) {
            if !document.contains(&format!("`{name}`")) {
                complain(format!("`{name}` is not in {DOCUMENT}"));
            }
        }
    }
    findings.looked_at = format!("{count} workflows");
    findings
}

/// Whether it is YAML with jobs, each of which runs somewhere and does something.
fn has_jobs(text: &str) -> bool {
    let Ok(documents) = Yaml::load_from_str(text) else {
        return false;
    };
    let jobs = documents.first().and_then(|document| {
        let jobs = document.as_mapping()?.get(&Yaml::value_from_str("jobs"))?;
        jobs.as_mapping()
    });
    jobs.is_some_and(|jobs| {
        !jobs.is_empty()
            && jobs.values().all(|job| {
                ["runs-on", "steps"].iter().all(|key| {
                    let job = job.as_mapping();
                    job.is_some_and(|job| job.contains_key(&Yaml::value_from_str(key)))
                })
            })
    })
}

/// The actions of others that it uses.
fn actions(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.trim_start_matches([' ', '-']));
    lines.filter_map(|line| line.strip_prefix("uses: "))
}

/// A commit, and for people the version that it is.
fn is_pinned(action: &str) -> bool {
    let pinned = action
        .split_once('@')
        .and_then(|(_, rest)| rest.split_once(" # v"));
    pinned.is_some_and(|(commit, _)| {
        commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The secrets and settings that somebody has to give it.
fn asked_for(text: &str) -> BTreeSet<&str> {
    let of = |kind| text.split(kind).skip(1);
    let rests = of("${{ secrets.").chain(of("${{ vars."));
    rests
        .filter_map(|rest| rest.split([' ', '}']).next())
        .collect()
}

const WORKFLOWS: &str = ".github/workflows/";

const RELEASE: &str = "release.yml";

const DOCUMENT: &str = "docs/RELEASE.md";

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_of(workflow: &str, document: &str) -> Vec<String> {
        let files = [
            SourceFile::new(".github/workflows/release.yml", workflow),
            SourceFile::new(DOCUMENT, document),
        ];
        judge(&files).complaints
    }

    #[test]
    fn a_workflow_is_pinned_and_what_it_asks_for_is_written_about() {
        let commit = "11bd71901bbe5b1630ceea73d27597364c9af683";
        let good = format!(
            "jobs:\n  a:\n    runs-on: b\n    steps:\n      - uses: c/d@{commit} # v4.2.2\n        env:\n          E: ${{{{ secrets.E }}}}\n"
        );
        assert_eq!(complaints_of(&good, "`E` signs"), [""; 0]);
        assert_eq!(complaints_of(&good, "").len(), 1);
        let moving = good.replace(commit, "v4");
        assert_eq!(complaints_of(&moving, "`E`").len(), 1);
        for broken in ["jobs: {", "jobs:\n  a:\n    steps: []", "on: push", ""] {
            assert_eq!(complaints_of(broken, "").len(), 1, "{broken}");
        }
    }
}
