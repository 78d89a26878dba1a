//! What the files say of the server is true: every setting exists and every value is one, every alert has its
//! chapter in the runbook, and versions are those that we build with.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::image::Recipe;
use super::{FILES, text_of};
use crate::repo::Repo;
use crate::run;

/// Every `SIGNAL_` variable of the files and of the guide is an option, and the server takes every value.
pub(super) fn settings(repo: &Repo, signal: &Path) -> Result<String> {
    let help = run::capture(Command::new(signal).args(["serve", "--help"]))?;
    let known: BTreeSet<&str> = variables(&help).map(|(name, _)| name).collect();
    let (mut tried, mut wrong) = (0, Vec::new());
    for (path, text) in texts(repo)? {
        for (line, number) in text.lines().zip(1..) {
            for (name, value) in variables(line) {
                if !known.contains(name) {
                    wrong.push(format!("{path}:{number}: no setting is called {name}"));
                } else if let Some(value) = value {
                    if waits_for_a_file(name, value) {
                        continue;
                    }
                    tried += 1;
                    let mut check = Command::new(signal);
                    check.arg("check-config").env(name, value);
                    let needed = NEEDED.iter().filter(|(of, _, _)| *of == name);
                    check.envs(needed.map(|(_, other, value)| (other, value)));
                    if let Err(error) = run::capture(&mut check) {
                        wrong.push(format!("{path}:{number}: {name}={value}: {error:#}"));
                    }
                }
            }
        }
        for (line, number) in text.lines().zip(1..) {
            for flag in flags(line).filter(|flag| !help.contains(flag)) {
                wrong.push(format!("{path}:{number}: no flag is called {flag}"));
            }
        }
    }
    let mut check = Command::new(signal);
    check.args(["check-config", "--config"]);
    run::capture(check.arg(repo.path(&format!("{FILES}/signal.toml"))))?;
    if wrong.is_empty() {
        return Ok(format!("{tried} settings are real"));
    }
    bail!("{}", wrong.join("\n"))
}

/// Whether the value is a file, or needs one, that only servers have.
fn waits_for_a_file(name: &str, value: &str) -> bool {
    let is_file = name.ends_with("_FILE") || name.starts_with("SIGNAL_TLS_");
    is_file
        || name == "SIGNAL_CONFIG"
        || name == "SIGNAL_AUDIT_LOG"
        || name == "SIGNAL_REDIS_CA"
        || (name == "SIGNAL_ACCESS" && value != "open")
}

/// What may name a setting.
fn texts(repo: &Repo) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    let walk = walkdir::WalkDir::new(repo.path(FILES)).sort_by_file_name();
    for entry in walk {
        let entry = entry.context("walking through the files")?;
        if entry.file_type().is_file() {
            let path = entry.path();
            let inside = path.strip_prefix(repo.root()).unwrap_or(path);
            let text = std::fs::read_to_string(path)?;
            texts.push((inside.display().to_string(), text));
        }
    }
    for document in DOCUMENTS {
        texts.push(((*document).to_owned(), text_of(repo, document)?));
    }
    Ok(texts)
}

/// The variables of the server that a text names, with the values that it gives them as they stand.
fn variables(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let starts = text.match_indices("SIGNAL_").map(|(at, _)| at);
    starts.filter_map(move |at| {
        let (before, rest) = text.split_at(at);
        if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        (name.len() > "SIGNAL_".len()).then(|| (name, value(rest)))
    })
}

/// A value behind a name, in any of the forms: `: x`, `=x`, `= "x"`, `, value: x`, `", Value: x`.
fn value(rest: &str) -> Option<&str> {
    let rest = rest.lines().next()?;
    let rest = rest.trim_start_matches(['"', '`']);
    let rest = match rest.strip_prefix([',']) {
        Some(more) => {
            let more = more.trim_start();
            more.strip_prefix("value:")
                .or_else(|| more.strip_prefix("Value:"))?
        }
        None => rest
            .strip_prefix(": ")
            .or_else(|| rest.trim_start().strip_prefix('='))?,
    };
    let rest = rest.trim_start();
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([' ', '}', '`', ')']).next()?,
    };
    let is_filled_in = value.starts_with(['$', '!', '<']) || value.contains("${");
    let is_real = !value.is_empty() && !is_filled_in && !value.contains('…');
    is_real.then_some(value)
}

/// The flags of the server that a line gives it. Containers, images and units have the same name, so it is the server
/// only where it is told what to do.
fn flags(line: &str) -> impl Iterator<Item = &str> {
    let ours = TASKS
        .iter()
        .find_map(|task| line.split_once(&format!("towline-signal {task} ")))
        .map(|(_, rest)| rest);
    let words = ours
        .into_iter()
        .flat_map(|rest| rest.split([' ', '`', '=', '\'']));
    words.filter(|word| word.starts_with("--") && word.len() > 2)
}

/// Each alert names its chapter, and each chapter is an alert's.
pub(super) fn runbook(repo: &Repo) -> Result<()> {
    let alerts = text_of(repo, &format!("{FILES}/prometheus/alerts.yml"))?;
    let runbook = text_of(repo, RUNBOOK)?;
    let after = |line: &str, word: &str| line.trim().strip_prefix(word).map(str::to_owned);
    let named: Vec<String> = alerts
        .lines()
        .filter_map(|line| after(line, "- alert: "))
        .collect();
    let linked: Vec<String> = alerts
        .lines()
        .filter_map(|line| after(line, "runbook_url: "))
        .collect();
    let chapters: Vec<String> = runbook
        .lines()
        .filter_map(|line| after(line, "## "))
        .filter(|title| title.starts_with("Signal") && !title.contains(' '))
        .collect();
    let expected: Vec<String> = named
        .iter()
        .map(|name| format!("{RUNBOOK}#{}", name.to_lowercase()))
        .collect();
    if linked != expected {
        bail!("links to the runbook are not {expected:?}");
    }
    if chapters != named {
        bail!("the runbook's chapters are {chapters:?} and the alerts {named:?}");
    }
    Ok(())
}

/// The image is built with our toolchain.
pub(super) fn versions(repo: &Repo) -> Result<()> {
    let toolchain: toml::Table = text_of(repo, "rust-toolchain.toml")?.parse()?;
    let channel = toolchain
        .get("toolchain")
        .and_then(|table| table.get("channel"));
    let channel = channel
        .and_then(toml::Value::as_str)
        .context("no channel")?;
    let from = Recipe::read(repo)?.from;
    let dockerfile = text_of(repo, &format!("{FILES}/Dockerfile"))?;
    let told = format!("RUSTUP_TOOLCHAIN={channel}");
    if !from.starts_with(&format!("rust:{channel}-")) || !dockerfile.contains(&told) {
        bail!("the Dockerfile builds in {from}, and our toolchain is {channel}");
    }
    Ok(())
}

/// Settings that are worth nothing without another one, and a value for that.
const NEEDED: &[(&str, &str, &str)] = &[
    ("SIGNAL_TURN", "SIGNAL_TURN_SECRET", "a-secret-of-the-trial"),
    ("SIGNAL_REDIS_URL", "SIGNAL_INSTANCE", "a"),
    (
        "SIGNAL_INSTANCE",
        "SIGNAL_REDIS_URL",
        "redis://127.0.0.1:6379",
    ),
];

/// What the server can be told to do.
const TASKS: &[&str] = &[
    "serve",
    "healthcheck",
    "check-config",
    "print-config",
    "new-token",
];

/// Documents that tell administrators what to set.
const DOCUMENTS: &[&str] = &["docs/DEPLOY.md", RUNBOOK];

const RUNBOOK: &str = "docs/RUNBOOK.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_in_every_form() {
        for (line, found) in [
            ("SIGNAL_BIND: 0.0.0.0:1", Some("0.0.0.0:1")),
            ("  SIGNAL_BIND = \"0.0.0.0:1\"", Some("0.0.0.0:1")),
            ("--env=SIGNAL_BIND=0.0.0.0:1 \\", Some("0.0.0.0:1")),
            ("- {name: SIGNAL_BIND, value: \"x y\"}", Some("x y")),
            ("- {Name: SIGNAL_BIND, Value: 0.0.0.0:1}", Some("0.0.0.0:1")),
            ("- {Name: SIGNAL_BIND, Value: !Ref Bind}", None),
            ("SIGNAL_BIND: ${X:?y}", None),
            ("SIGNAL_BIND: 0.0.0.0:${X}", None),
            ("`SIGNAL_BIND` says where", None),
        ] {
            let all: Vec<_> = variables(line).collect();
            assert_eq!(all, [("SIGNAL_BIND", found)], "{line}");
        }
        assert_eq!(variables("OF_SIGNAL_BIND SIGNAL_*").count(), 0);
    }

    #[test]
    fn flags_are_those_that_the_server_is_given() {
        let line = "docker run --read-only towline-signal serve --bind 1.2.3.4:5 --host-name=a";
        assert_eq!(flags(line).collect::<Vec<_>>(), ["--bind", "--host-name"]);
        assert_eq!(
            flags("journalctl --unit towline-signal --since -1h").count(),
            0
        );
    }
}
