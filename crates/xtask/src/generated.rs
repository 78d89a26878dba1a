//! `cargo xtask gen`: the TypeScript types of the view, written from the engine's.
//!
//! The engine's example `gen_types` writes them into a directory of our choice; we put them into
//! `ui/src/backend/generated/`, or with `--check` only compare. Files there that the generator does
//! not write are stale and removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::repo::Repo;
use crate::report::say;
use crate::run;
use crate::steps::Ending;

/// Options of `cargo xtask gen`.
#[derive(Debug, Args)]
pub(crate) struct GenArgs {
    /// Writes nothing; fails when a file is not what the generator would write.
    #[arg(long)]
    check: bool,
}

/// Runs the chore.
pub(crate) fn generate(repo: &Repo, args: &GenArgs) -> Result<()> {
    let ending = if args.check {
        compare(repo)?
    } else {
        write(repo)?
    };
    match ending {
        Ending::Passed(line) => say(line),
        Ending::Absent(why) => bail!(why),
    }
    Ok(())
}

/// Compares the files in the checkout with what the generator writes.
pub(crate) fn compare(repo: &Repo) -> Result<Ending> {
    let Some(fresh) = fresh(repo)? else {
        return Ok(Ending::Absent(format!("no {GENERATOR}")));
    };
    let stale = differences(&read(&repo.path(TYPES))?, &fresh);
    if !stale.is_empty() {
        bail!(
            "`cargo xtask gen` would change {TYPES}: {}",
            stale.join(", ")
        );
    }
    Ok(Ending::Passed(format!("{} files are current", fresh.len())))
}

fn write(repo: &Repo) -> Result<Ending> {
    let Some(fresh) = fresh(repo)? else {
        return Ok(Ending::Absent(format!("no {GENERATOR}")));
    };
    let directory = repo.path(TYPES);
    fs::create_dir_all(&directory).with_context(|| format!("making {TYPES}"))?;
    let stale = differences(&read(&directory)?, &fresh);
    for name in &stale {
        let path = directory.join(name);
        match fresh.get(name) {
            Some(text) => fs::write(&path, text),
            None => fs::remove_file(&path),
        }
        .with_context(|| format!("bringing {} up to date", path.display()))?;
    }
    let (all, changed) = (fresh.len(), stale.len());
    Ok(Ending::Passed(format!("{all} files, {changed} changed")))
}

/// Text by path below the directory.
type Files = BTreeMap<String, String>;

/// What the generator writes now; `None` while there is no generator.
fn fresh(repo: &Repo) -> Result<Option<Files>> {
    if !repo.has(GENERATOR) {
        return Ok(None);
    }
    let directory = repo.path("target/xtask/generated");
    if directory.exists() {
        fs::remove_dir_all(&directory).context("emptying the directory to generate into")?;
    }
    fs::create_dir_all(&directory).context("making the directory to generate into")?;
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--package", "towline-engine"]);
    command
        .args(["--example", "gen_types", "--"])
        .arg(&directory);
    run::run(&mut command)?;
    let files = read(&directory)?;
    if files.is_empty() {
        bail!("the generator wrote nothing");
    }
    Ok(Some(files))
}

fn read(directory: &Path) -> Result<Files> {
    let mut files = Files::new();
    if !directory.exists() {
        return Ok(files);
    }
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry.context("listing generated files")?;
        if !entry.file_type().is_file() {
            continue;
        }
        let inside = entry.path().strip_prefix(directory)?;
        let text = fs::read_to_string(entry.path())
            .with_context(|| format!("reading {}", entry.path().display()))?;
        files.insert(inside.to_string_lossy().replace('\\', "/"), text);
    }
    Ok(files)
}

/// Names that are in one only, or in both with different text.
fn differences(old: &Files, new: &Files) -> Vec<String> {
    let mut names: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| old.get(name) != new.get(name));
    names
}

const GENERATOR: &str = "crates/towline-engine/examples/gen_types.rs";
const TYPES: &str = "ui/src/backend/generated";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_left_over_files_are_stale() {
        let files = |pairs: &[(&str, &str)]| -> Files {
            let owned = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            owned.collect()
        };
        let old = files(&[("a.ts", "1"), ("b.ts", "1"), ("old.ts", "1")]);
        let new = files(&[("a.ts", "1"), ("b.ts", "2"), ("new.ts", "1")]);
        assert_eq!(differences(&old, &new), ["b.ts", "new.ts", "old.ts"]);
    }
}
