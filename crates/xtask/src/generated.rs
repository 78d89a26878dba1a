//! `cargo xtask gen`: what is written from something else and yet lies in the checkout, so that nobody needs its maker.
//!
//! The TypeScript types of the view come from the engine's: its example `gen_types` writes them into a directory of
//! our choice, and we put them into `ui/src/backend/generated/`. The pictures of the app come from the drawings in
//! `icons/`. With `--check` both are only compared. Files that no maker writes any more are stale and removed.

mod icons;

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
    /// Writes nothing; fails when a file is not what its maker would write.
    #[arg(long)]
    check: bool,
    /// Only the pictures of the app.
    #[arg(long)]
    icons: bool,
}

/// Runs the chore.
pub(crate) fn generate(repo: &Repo, args: &GenArgs) -> Result<()> {
    let mut sets = vec![pictures(repo)?];
    if !args.icons {
        sets.push(types(repo)?);
    }
    for set in &sets {
        say(if args.check {
            set.compare()?
        } else {
            set.write(repo)?
        });
    }
    Ok(())
}

/// Compares the files in the checkout with what their makers write.
pub(crate) fn compare(repo: &Repo) -> Result<Ending> {
    let types = types(repo)?.compare()?;
    if !icons::is_comparable() {
        return Ok(Ending::Passed(format!(
            "{types}; pictures are compared on other processors"
        )));
    }
    let pictures = pictures(repo)?.compare()?;
    Ok(Ending::Passed(format!("{types}; {pictures}")))
}

/// Files of one maker.
struct Set {
    directory: &'static str,
    /// What lies there now.
    there: Files,
    /// What the maker writes.
    fresh: Files,
}

/// Content by path below the directory.
type Files = BTreeMap<String, Vec<u8>>;

impl Set {
    fn compare(&self) -> Result<String> {
        let stale = differences(&self.there, &self.fresh);
        let directory = self.directory;
        if !stale.is_empty() {
            bail!(
                "`cargo xtask gen` would change {directory}: {}",
                stale.join(", ")
            );
        }
        let all = self.fresh.len();
        Ok(format!("{all} files in {directory} are current"))
    }

    fn write(&self, repo: &Repo) -> Result<String> {
        let directory = repo.path(self.directory);
        let stale = differences(&self.there, &self.fresh);
        for name in &stale {
            let path = directory.join(name);
            if let Some(above) = path.parent() {
                fs::create_dir_all(above).with_context(|| format!("making {}", above.display()))?;
            }
            match self.fresh.get(name) {
                Some(content) => fs::write(&path, content),
                None => fs::remove_file(&path),
            }
            .with_context(|| format!("bringing {} up to date", path.display()))?;
        }
        let (all, changed) = (self.fresh.len(), stale.len());
        Ok(format!(
            "{all} files in {}, {changed} changed",
            self.directory
        ))
    }
}

fn pictures(repo: &Repo) -> Result<Set> {
    let mut there = read(&repo.path(icons::DIRECTORY))?;
    there.retain(|path, _| icons::is_product(path));
    Ok(Set {
        directory: icons::DIRECTORY,
        there,
        fresh: icons::draw(repo)?,
    })
}

fn types(repo: &Repo) -> Result<Set> {
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
    let fresh = read(&directory)?;
    if fresh.is_empty() {
        bail!("the generator wrote nothing");
    }
    Ok(Set {
        directory: TYPES,
        there: read(&repo.path(TYPES))?,
        fresh,
    })
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
        let content = fs::read(entry.path())
            .with_context(|| format!("reading {}", entry.path().display()))?;
        files.insert(inside.to_string_lossy().replace('\\', "/"), content);
    }
    Ok(files)
}

/// Names that are in one only, or in both with different content.
fn differences(old: &Files, new: &Files) -> Vec<String> {
    let mut names: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| old.get(name) != new.get(name));
    names
}

const TYPES: &str = "ui/src/backend/generated";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_missing_and_left_over_files_are_stale() {
        let files = |pairs: &[(&str, &str)]| -> Files {
            let owned = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_owned()));
            owned.collect()
        };
        let old = files(&[("a.ts", "1"), ("b.ts", "1"), ("old.ts", "1")]);
        let new = files(&[("a.ts", "1"), ("b.ts", "2"), ("new.ts", "1")]);
        assert_eq!(differences(&old, &new), ["b.ts", "new.ts", "old.ts"]);
    }
}
