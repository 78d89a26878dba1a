//! Rules by hand, and rules that mean harm; `git` holds random ones against git's own answers.

use proptest::prelude::*;

use super::*;

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "git itself is asked what it ignores"
)]
mod git;

fn rules(shared: &str, local: &str) -> Rules {
    Rules {
        shared: RuleSet::parse(shared),
        local: RuleSet::parse(local),
    }
}

fn is_ignored(rules: &Rules, text: &str) -> bool {
    let (text, shape) = match text.strip_suffix('/') {
        Some(directory) => (directory, Shape::Directory),
        None => (text, Shape::Other),
    };
    rules.ignore(&RelPath::parse(text).unwrap(), shape)
}

#[test]
fn the_last_rule_that_matches_decides_and_local_ones_come_last() {
    let rules = rules("*.log\nbuild/\n!keep.log\n", "!*.log\nsecret\n");
    for (path, ignored) in [
        ("a.log", false),
        ("build/", true),
        ("build", false),
        ("a/build/x", true),
        ("secret", true),
        ("deep/secret/x", true),
        ("other", false),
    ] {
        assert_eq!(is_ignored(&rules, path), ignored, "{path}");
    }
}

#[test]
fn nothing_below_an_ignored_directory_comes_back() {
    let rules = rules("/a/\n!/a/b\n", "!a/b/c\n");
    assert!(is_ignored(&rules, "a/b"));
    assert!(is_ignored(&rules, "a/b/c"));
    let opened = self::rules("/a/*\n!/a/b\n", "");
    assert!(!is_ignored(&opened, "a/b"));
    assert!(is_ignored(&opened, "a/c"));
}

#[test]
fn what_carries_the_rules_and_what_is_ours_never_matches() {
    let rules = rules("*\n.*\n/.towlineignore\n", "**\n");
    assert!(!is_ignored(&rules, RULES_FILE));
    assert!(is_ignored(&rules, "a/.towlineignore"));
    assert!(is_ignored(&rules, "anything"));
    assert!(!rules.ignore_itself(".towline", Shape::Directory));
    assert!(!rules.ignore_itself(".towline/conflicts/a", Shape::Other));
}

#[test]
fn bad_lines_are_named_and_passed_over() {
    let long = "a".repeat(RULE_BYTES_MAX + 1);
    let text = format!("[\n*.o\nx\\\n# [\n\n{long}\n[[:nope:]]\n[é]\nb\u{fffd}\n!\n");
    let set = RuleSet::parse(&text);
    assert_eq!(set.bad_lines(), [1, 3, 6, 7, 8, 9]);
    assert_eq!(set.says("a.o", Shape::Other), Some(Saying::Ignore));
}

#[test]
fn what_is_too_long_or_too_much_is_left_out_at_the_end() {
    let text = "some-rule\n".repeat(RULES_BYTES_MAX / 10 + 1000);
    let set = RuleSet::parse(&text);
    assert!(set.text().len() <= RULES_BYTES_MAX);
    assert!(set.text().ends_with('\n'));
    assert_eq!(set.bad_lines().first(), Some(&(RULES_MAX as u32 + 1)));
}

#[test]
fn hostile_rules_end_soon() {
    let stars = format!("{}b\n", "*a".repeat(2000));
    let deep = format!("{}b\n", "**/".repeat(1300));
    let wild: String = (0..RULES_MAX)
        .map(|n| format!("*{n}?[a-z]*{n}*\n"))
        .collect();
    for text in [&stars, &deep, &wild] {
        let rules = rules(text, text);
        let path = "a".repeat(200);
        let path = format!("{path}/{path}/{path}");
        assert!(!is_ignored(&rules, &path));
    }
}

#[test]
fn equal_texts_have_equal_marks_and_others_do_not() {
    assert_eq!(rules("", "").mark(), RulesMark::default());
    assert_eq!(rules("a", "b").mark(), rules("a", "b").mark());
    assert_ne!(rules("a", "b").mark(), rules("ab", "").mark());
    assert_ne!(rules("a", "").mark(), rules("", "a").mark());
}

proptest! {
    #[test]
    fn any_text_can_be_rules(text in any::<String>(), path in git::name()) {
        let rules = rules(&text, &text);
        let path = RelPath::parse(path).unwrap();
        for shape in [Shape::Directory, Shape::Other] {
            prop_assert_eq!(rules.ignore(&path, shape), rules.ignore_in_place(&path, shape));
        }
    }
}
