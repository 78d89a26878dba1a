//! Random rules over random trees: git and we ignore the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use super::*;

fn pattern() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a",
        "b",
        "ab",
        "c",
        "A",
        "é",
        ".",
        "-",
        "!",
        "#",
        " ",
        "\\",
        "\\ ",
        "\\a",
        "\\*",
        "\\/",
        "/",
        "/",
        "/",
        "*",
        "*",
        "**",
        "/**/",
        "**/",
        "/**",
        "***",
        "?",
        "[ab]",
        "[!a]",
        "[^b]",
        "[a-c]",
        "[]a]",
        "[a-]",
        "[-a]",
        "[!]a]",
        "[[:alpha:]]",
        "[[:upper:]b]",
        "[\\]a]",
        "[a\\-c]",
        "[",
        "]",
        "[!",
        "[a",
        "{a,b}",
        "{",
        "}",
        ",",
        "+",
        "(a|b)",
        "^",
        "$",
        "@",
        "[^",
        "[[:x",
        "[!/]",
        "[.-0]",
    ]);
    let pattern = vec(pieces, 1..6).prop_map(|pieces| pieces.concat());
    // Git compares bytes there; such a rule is named as bad instead.
    pattern.prop_filter("letters of several bytes in brackets", |pattern| {
        !(pattern.contains('é') && pattern.contains('['))
    })
}

fn line() -> impl Strategy<Value = String> {
    let before = select(vec!["", "", "", "!", "/", "!/", "\\!", "\\#", "#", " "]);
    let after = select(vec!["", "", "", "/", " ", "  ", "\r", "\\ ", "/ "]);
    let line = (before, pattern(), after)
        .prop_map(|(before, pattern, after)| format!("{before}{pattern}{after}"));
    line.prop_filter("stars that git takes for others", |line| {
        !is_taken_apart(line)
    })
}

/// Git compares what stands before the first wildcard by itself, and then takes stars that come right
/// after it for stars at the beginning: `a**/b` means more to it than its manual says. We keep to the
/// manual.
fn is_taken_apart(line: &str) -> bool {
    let line = line.strip_prefix('!').unwrap_or(line);
    let line = line.strip_prefix('/').unwrap_or(line);
    let Some(wild) = line.find(['*', '?', '[', '\\']) else {
        return false;
    };
    wild > 0 && !line[..wild].ends_with('/') && line[wild..].starts_with("**")
}

pub(super) fn name() -> impl Strategy<Value = String> {
    let letters = select(vec![
        "a", "b", "c", "A", "é", ".", "-", "!", "#", " ", "\\", "*", "[", "]", "{", "}", ",", "ab",
        "0", "^", "(a|b)",
    ]);
    let name = vec(letters, 1..4).prop_map(|letters| letters.concat());
    name.prop_filter("a name", |name| {
        name != "." && name != ".." && !name.eq_ignore_ascii_case(".git")
    })
}

fn tree() -> impl Strategy<Value = BTreeMap<RelPath, Shape>> {
    let path = vec(name(), 1..4).prop_map(|names| RelPath::parse(names.join("/")).unwrap());
    let shape = select(vec![Shape::Directory, Shape::Other]);
    btree_map(path, shape, 1..25).prop_map(|leaves| {
        let mut tree = BTreeMap::new();
        for (path, shape) in leaves {
            let mut above = path.parent();
            while let Some(directory) = above {
                above = directory.parent();
                tree.insert(directory, Shape::Directory);
            }
            tree.entry(path).or_insert(shape);
        }
        tree
    })
}

/// One repository for all trees; each has a directory of its own there.
struct Repository {
    root: tempfile::TempDir,
    trees: u32,
}

impl Repository {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let made = Self { root, trees: 0 };
        assert!(
            made.git(&["init", "-q", "--template="])
                .status()
                .unwrap()
                .success()
        );
        made
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.args(arguments)
            .current_dir(self.root.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env_remove("GIT_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        git
    }

    /// What git ignores in a tree.
    fn ignores(&mut self, text: &str, tree: &BTreeMap<RelPath, Shape>) -> Vec<RelPath> {
        self.trees += 1;
        let within = format!("tree{}", self.trees);
        let top = self.root.path().join(&within);
        std::fs::create_dir(&top).unwrap();
        std::fs::write(top.join(".gitignore"), text).unwrap();
        for (path, shape) in tree {
            let place = top.join(path.as_str());
            match shape {
                Shape::Directory => std::fs::create_dir_all(place).unwrap(),
                Shape::Other => {
                    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                    std::fs::write(place, "").unwrap();
                }
            }
        }
        let mut asked = self
            .git(&["check-ignore", "--no-index", "-z", "--stdin"])
            .spawn()
            .unwrap();
        let all: String = tree
            .keys()
            .map(|path| format!("{within}/{path}\0"))
            .collect();
        asked
            .stdin
            .take()
            .unwrap()
            .write_all(all.as_bytes())
            .unwrap();
        let answer = asked.wait_with_output().unwrap();
        assert!(matches!(answer.status.code(), Some(0 | 1)), "{answer:?}");
        std::fs::remove_dir_all(&top).unwrap();
        let answer = String::from_utf8(answer.stdout).unwrap();
        let paths = answer.split_terminator('\0');
        let path = |path: &str| path.strip_prefix(&format!("{within}/")).unwrap().to_owned();
        paths
            .map(|text| RelPath::parse(path(text)).unwrap())
            .collect()
    }
}

#[test]
fn git_ignores_the_same() {
    let repository = RefCell::new(Repository::new());
    let worlds = (vec(line(), 0..6), vec(line(), 0..3), tree());
    let mut runner = TestRunner::new(ProptestConfig {
        source_file: Some(file!()),
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&worlds, |(shared, local, tree)| {
        let (shared, local) = (shared.join("\n"), local.join("\n"));
        let rules = rules(&shared, &local);
        let ours: Vec<RelPath> = tree
            .iter()
            .filter(|(path, shape)| rules.ignore(path, **shape))
            .map(|(path, _)| path.clone())
            .collect();
        let text = format!("{shared}\n{local}");
        prop_assert_eq!(ours, repository.borrow_mut().ignores(&text, &tree));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
