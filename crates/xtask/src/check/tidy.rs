//! Rules about single files that no compiler knows.
//!
//! Every Rust module opens with `//!`; no file outgrows a sitting; nothing unfinished, ignored or
//! tied to one machine is merged; lock files name no registry but the public ones. Lines are
//! counted whole, tests included.

use std::env;

use anyhow::Result;

use super::Findings;
use crate::repo::Repo;
use crate::source::{SourceFile, has_word};

pub(super) fn complaints(repo: &Repo) -> Result<Findings> {
    let files = repo.files()?;
    let machine_paths = machine_paths(repo);
    let mut findings = Findings {
        looked_at: format!("{} files", files.len()),
        ..Findings::default()
    };
    for file in &files {
        judge(file, &machine_paths, &mut findings);
    }
    if !files.iter().any(has_open_changelog) {
        let complaint = "CHANGELOG.md is missing, or has no `## [Unreleased]`";
        findings.complaints.push(complaint.into());
    }
    Ok(findings)
}

/// Paths that exist on this machine only: the checkout's root and the person's home.
fn machine_paths(repo: &Repo) -> Vec<String> {
    let root = Some(repo.root().as_os_str().to_owned());
    [root, env::var_os("HOME"), env::var_os("USERPROFILE")]
        .into_iter()
        .flatten()
        .map(|path| path.to_string_lossy().trim_end_matches('/').to_owned())
        .filter(|path| path.len() > 1)
        .collect()
}

fn judge(file: &SourceFile, machine_paths: &[String], findings: &mut Findings) {
    let path = file.path();
    let mut complain = |line: usize, what: &str| {
        findings.complaints.push(format!("{path}:{line}: {what}"));
    };
    match file.extension() {
        "rs" => {
            if !file.text().starts_with("//!") {
                complain(
                    1,
                    "begins without `//!`, the sentence that says what it is for",
                );
            }
            if path.ends_with("/mod.rs") {
                complain(
                    1,
                    "is a mod.rs; name it after its module, beside its folder",
                );
            }
        }
        "lock" => lock_file(file, &mut complain),
        "json" if path.ends_with("package-lock.json") => lock_file(file, &mut complain),
        _ => {}
    }
    let machine_path = |line: &str| machine_paths.iter().any(|path| names_path(line, path));
    for (line, number) in file.text().lines().zip(1..) {
        if machine_path(line) {
            complain(number, "names a path of this machine");
        }
        if is_code(file) {
            unfinished(line, &mut |what| complain(number, what));
        }
    }
    if is_code(file) {
        length(file, findings);
    }
}

fn unfinished(line: &str, complain: &mut dyn FnMut(&str)) {
    for word in UNFINISHED {
        if has_word(line, word) {
            complain(&format!("holds `{word}`; finish it, or write an issue"));
        }
    }
    for attribute in IGNORED {
        if line.trim_start().starts_with(attribute) {
            complain("ignores a test; assert what is true today instead");
        }
    }
}

fn length(file: &SourceFile, findings: &mut Findings) {
    let lines = file.text().lines().count();
    let sentence = format!("{}: {lines} lines", file.path());
    if lines > LINES_MAX {
        findings
            .complaints
            .push(format!("{sentence}, the limit is {LINES_MAX}"));
    } else if lines > LINES_WARN {
        findings
            .warnings
            .push(format!("{sentence}; is it still one thing?"));
    }
}

/// Cargo's lock names the public index and nothing else; npm's names no address at all (see
/// `ui/.npmrc`), so both install from whatever mirror a machine is set up with.
fn lock_file(file: &SourceFile, complain: &mut dyn FnMut(usize, &str)) {
    for (line, number) in file.text().lines().zip(1..) {
        let line = line.trim();
        let foreign_source = line.starts_with("source = ") && line != CARGO_SOURCE;
        if foreign_source || line.starts_with("\"resolved\":") {
            complain(number, "names a source that is not the public registry");
        }
    }
}

/// Whether `line` holds `path` as a whole, not as the middle of a longer one.
fn names_path(line: &str, path: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    line.match_indices(path).any(|(start, _)| {
        let (before, from) = line.split_at(start);
        let after = from.split_at(path.len()).1;
        !before.ends_with(goes_on) && after.starts_with(['/', '\\'])
    })
}

fn is_code(file: &SourceFile) -> bool {
    ["rs", "ts", "svelte", "mjs", "js"].contains(&file.extension())
}

fn has_open_changelog(file: &SourceFile) -> bool {
    file.path() == "CHANGELOG.md" && file.text().lines().any(|line| line == "## [Unreleased]")
}

/// A file longer than this is more than one thing: 900 lines, about 30 minutes of reading.
const LINES_MAX: usize = 900;

/// From here on a file should explain itself: 600 lines.
const LINES_WARN: usize = 600;

/// The only source in `Cargo.lock`.
const CARGO_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Words of unfinished work, in pieces so that this file does not hold them.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("dbg", "!"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
];

/// How tests are switched off, in Rust and in TypeScript.
const IGNORED: &[&str] = &[
    concat!("#[ign", "ore"),
    concat!("it.sk", "ip("),
    concat!("test.sk", "ip("),
    concat!("describe.sk", "ip("),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_about(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        judge(
            &SourceFile::new(path, text),
            &["/home/anna".to_owned()],
            &mut findings,
        );
        findings.complaints
    }

    #[test]
    fn a_clean_module_passes() {
        let text = "//! Adds numbers.\n\nfn add() {}\n";
        assert_eq!(complaints_about("crates/a/src/lib.rs", text), [""; 0]);
    }

    #[test]
    fn a_module_without_a_sentence_fails() {
        let complaints = complaints_about("a.rs", "fn main() {}\n");
        assert!(complaints[0].starts_with("a.rs:1: begins without"));
    }

    #[test]
    fn mod_rs_fails() {
        assert_eq!(complaints_about("src/a/mod.rs", "//! A.\n").len(), 1);
    }

    #[test]
    fn unfinished_work_fails_wherever_it_stands() {
        for word in UNFINISHED {
            let text = format!("//! A.\n// {word} later\n");
            assert_eq!(complaints_about("a.rs", &text).len(), 1, "{word}");
        }
        for attribute in IGNORED {
            let text = format!("    {attribute}");
            assert_eq!(complaints_about("ui/a.ts", &text).len(), 1, "{attribute}");
        }
    }

    #[test]
    fn a_path_of_this_machine_fails_and_its_likes_do_not() {
        let complaints = complaints_about("README.md", "see /home/anna/towline for more\n");
        assert_eq!(complaints.len(), 1);
        let near = "/home/annabel/x srv/home/anna/x /home/anna\n";
        assert_eq!(complaints_about("README.md", near), [""; 0]);
    }

    #[test]
    fn other_registries_fail() {
        let lock = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(complaints_about("Cargo.lock", lock).len(), 1);
        assert_eq!(complaints_about("Cargo.lock", CARGO_SOURCE), [""; 0]);
        let lock = "  \"resolved\": \"https://mirror.example/a.tgz\",\n";
        assert_eq!(complaints_about("ui/package-lock.json", lock).len(), 1);
    }

    #[test]
    fn long_files_warn_and_then_fail() {
        let mut findings = Findings::default();
        let of_lines = |lines| SourceFile::new("a.ts", "x\n".repeat(lines));
        judge(&of_lines(LINES_WARN + 1), &[], &mut findings);
        assert_eq!((findings.warnings.len(), findings.complaints.len()), (1, 0));
        judge(&of_lines(LINES_MAX + 1), &[], &mut findings);
        assert_eq!((findings.warnings.len(), findings.complaints.len()), (1, 1));
    }

    #[test]
    fn a_changelog_needs_its_open_section() {
        assert!(has_open_changelog(&SourceFile::new(
            "CHANGELOG.md",
            "# C\n\n## [Unreleased]\n"
        )));
        assert!(!has_open_changelog(&SourceFile::new(
            "CHANGELOG.md",
            "# C\n"
        )));
    }
}
