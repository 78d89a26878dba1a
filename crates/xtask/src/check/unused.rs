//! Dependencies that a crate states and nothing in it names.
//!
//! A dependency counts as used when its name, as Rust writes it, stands anywhere in the code of
//! the crate. That misses a few unused ones and never blames a used one, except those that are
//! stated for their features alone: they are listed in `[package.metadata.cargo-machete] ignored`.

use anyhow::Result;
use cargo_metadata::Package;

use super::Findings;
use crate::repo::Repo;
use crate::source::{SourceFile, has_word};

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    let metadata = repo.metadata()?;
    let files = repo.files()?;
    let mut complaints = Vec::new();
    for package in metadata.workspace_packages() {
        let code = code_of(package, repo, &files);
        let ignored = ignored(package);
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
            if !ignored.contains(name) && !is_named(name, &code) {
                complaints.push(format!("{} does not use {name}", package.name));
            }
        }
    }
    Ok(Findings {
        complaints,
        ..Findings::default()
    })
}

/// The code below the package's manifest; for the root package, below `src-tauri/`.
fn code_of(package: &Package, repo: &Repo, files: &[SourceFile]) -> Vec<String> {
    let home = package
        .manifest_path
        .parent()
        .and_then(|home| home.as_std_path().strip_prefix(repo.root()).ok())
        .map(|home| home.to_string_lossy().replace('\\', "/"))
        .filter(|home| !home.is_empty())
        .unwrap_or_else(|| APP_HOME.to_owned());
    let prefix = format!("{home}/");
    files
        .iter()
        .filter(|file| file.extension() == "rs" && file.path().starts_with(&prefix))
        .map(SourceFile::code)
        .collect()
}

fn ignored(package: &Package) -> Vec<String> {
    let names = package.metadata.pointer("/cargo-machete/ignored");
    names
        .and_then(|names| names.as_array())
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn is_named(dependency: &str, code: &[String]) -> bool {
    let name = dependency.replace('-', "_");
    code.iter().any(|code| has_word(code, &name))
}

/// Where the code of the root package lies.
const APP_HOME: &str = "src-tauri";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_named_dependency_is_used() {
        let code = ["use data_encoding::HEXLOWER;".to_owned()];
        assert!(is_named("data-encoding", &code));
        assert!(!is_named("data", &code));
        assert!(!is_named("anyhow", &code));
    }
}
