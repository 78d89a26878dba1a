//! Licences and banned crates of everything that is linked, built or tested with.
//!
//! The rules live in `deny.toml`: `licenses.allow` and `bans.deny`. A package passes when its SPDX
//! expression can be met with allowed licences alone. Sources are the tidy step's, which reads the
//! lock file.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Findings;
use crate::repo::Repo;

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    let text = std::fs::read_to_string(repo.path("deny.toml")).context("reading deny.toml")?;
    let rules: Rules = toml::from_str(&text).context("understanding deny.toml")?;
    let allowed = rules.licenses.allow;
    let banned: BTreeSet<_> = rules.bans.deny.into_iter().map(|ban| ban.name).collect();
    let metadata = repo.metadata()?;
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        match &package.license {
            Some(licence) if is_allowed(licence, &allowed) => {}
            Some(licence) => complaints.push(format!("{name}: licence {licence}")),
            None => complaints.push(format!("{name}: no licence stated")),
        }
        if banned.contains(package.name.as_str()) {
            complaints.push(format!("{name}: banned by deny.toml"));
        }
    }
    Ok(Findings {
        complaints,
        looked_at: format!("{} packages", metadata.packages.len()),
        ..Findings::default()
    })
}

/// The part of `deny.toml` that is judged here; the rest is cargo-deny's.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    name: String,
}

/// Whether an SPDX expression can be met with `allowed`. `/` is the old way to write `OR`; `WITH`
/// only adds permissions, so the licence itself decides. What cannot be understood is refused.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = Words {
        left: spaced.split_whitespace().rev().collect(),
        allowed,
    };
    words.any() == Some(true) && words.left.is_empty()
}

/// A descent through the expression; `None` means that it is malformed.
struct Words<'a> {
    /// Last word first.
    left: Vec<&'a str>,
    allowed: &'a BTreeSet<String>,
}

impl Words<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.any()?;
            return self.take(")").then_some(met);
        }
        let licence = self.left.pop()?;
        if self.take("WITH") {
            self.left.pop()?;
        }
        Some(self.allowed.contains(licence))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.left.last() == Some(&word);
        if found {
            self.left.pop();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(expression: &str) -> bool {
        let list = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
        is_allowed(expression, &BTreeSet::from(list))
    }

    #[test]
    fn expressions_that_allowed_licences_meet_pass() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only/MIT",
            "Apache-2.0 / MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "GPL-3.0-only OR MIT AND Unicode-3.0",
        ] {
            assert!(allowed(expression), "{expression}");
        }
    }

    #[test]
    fn other_expressions_fail() {
        for expression in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR Apache-2.0) AND AGPL-3.0-only",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
            "",
        ] {
            assert!(!allowed(expression), "{expression}");
        }
    }
}
