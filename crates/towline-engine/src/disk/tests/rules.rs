//! What is ignored is neither read nor touched, and why a directory stays is told.

use towline_core::folder::rules::{RULES_FILE, RuleSet, Rules};
use towline_core::io::HeldReason;

use super::*;

fn rules(text: &str) -> Rules {
    Rules {
        shared: RuleSet::parse(text),
        local: RuleSet::default(),
    }
}

fn removal(path: &str, expected: Expected) -> Ready {
    Ready {
        step: step(path, expected, Content::Absent),
        staged: None,
    }
}

#[test]
fn a_scan_looks_at_nothing_that_is_ignored_and_names_our_rows_there_once() {
    let place = TestRoot::new();
    for path in [
        "a",
        "a.tmp",
        "build/x",
        "build/deep/y",
        "src/z",
        "src/z.tmp",
    ] {
        place.write(path, path);
    }
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    place.root.heed(rules("*.tmp\nbuild/\n"));
    place.write("build/new", "new");
    place.write("a.tmp", "changed");
    fs::remove_file(place.at("build/x")).unwrap();
    fs::remove_file(place.at("src/z.tmp")).unwrap();
    let all = scan_all(&place.root, &rows);
    assert_eq!(all.found(), [""; 0]);
    assert_eq!(all.absent(), [""; 0]);
    let overlooked: Vec<&str> = all.page.overlooked.iter().map(RelPath::as_str).collect();
    let ignored = [
        "a.tmp",
        "build",
        "build/deep",
        "build/deep/y",
        "build/x",
        "src/z.tmp",
    ];
    let mut sorted = overlooked.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ignored);
    for path in ["a.tmp", "build/deep/y", "build", "build/new"] {
        let targeted = scan_paths(&place.root, &rows, &[path]);
        assert!(
            targeted.found().is_empty() && targeted.absent().is_empty(),
            "{path}"
        );
    }
    rows.forget_stamps(&all.page.overlooked);
    assert!(scan_all(&place.root, &rows).page.overlooked.is_empty());
}

#[cfg(unix)]
#[test]
fn an_ignored_directory_is_not_opened() {
    use std::os::unix::fs::symlink;
    let place = TestRoot::new();
    place.write("deep/a", "a");
    // A name that is no text would be held back if anybody looked.
    let odd = std::os::unix::ffi::OsStringExt::from_vec(vec![b'x', 0xff]);
    let odd: std::ffi::OsString = odd;
    fs::write(place.at("deep").join(odd), "").unwrap();
    symlink("nowhere", place.at("deep/link")).unwrap();
    place.root.heed(rules("deep\n"));
    let all = scan_all(&place.root, &Rows::default());
    assert!(all.found().is_empty() && all.held_back().is_empty());
}

#[test]
fn a_step_does_not_touch_what_is_ignored() {
    let place = TestRoot::new();
    place.write("a.tmp", "mine");
    let expected = Expected::Stamped(place.stamp("a.tmp"));
    let change = place.file("a.tmp", expected, "theirs");
    let removed = removal("a.tmp", expected);
    let made = place.file("new.tmp", Expected::Nothing, "theirs");
    let below = place.file("build/x", Expected::Nothing, "theirs");
    place.root.heed(rules("*.tmp\nbuild/\n"));
    for ready in [change, removed, made, below] {
        assert_eq!(place.commit_one(ready), Outcome::Held(HeldReason::Ignored));
    }
    assert_eq!(place.read("a.tmp"), "mine");
    assert!(!place.exists("new.tmp") && !place.exists("build"));
}

#[test]
fn a_directory_that_must_go_stays_with_what_is_ignored_in_it() {
    let place = TestRoot::new();
    place.write("d/e/a.tmp", "mine");
    place.root.heed(rules("*.tmp\n"));
    let go = |path: &str| place.commit_one(removal(path, Expected::Directory));
    assert_eq!(go("d/e"), Outcome::Held(HeldReason::Ignored));
    assert_eq!(go("d"), Outcome::Held(HeldReason::Ignored));
    place.write("d/other", "not ignored");
    assert_eq!(go("d"), Outcome::NotEmpty);
    fs::remove_file(place.at("d/other")).unwrap();
    fs::remove_file(place.at("d/e/a.tmp")).unwrap();
    assert!(matches!(go("d/e"), Outcome::Done { .. }));
    assert!(matches!(go("d"), Outcome::Done { .. }));
}

#[test]
fn the_rules_are_read_whole_once_and_from_a_file_only() {
    let place = TestRoot::new();
    let news = || place.root.news_of_rules().unwrap();
    assert_eq!(news(), Some(RuleSet::default()));
    assert_eq!(news(), None);
    place.root.write_shared_rules("").unwrap();
    assert!(!place.exists(RULES_FILE), "no file is made for no rules");
    place.root.write_shared_rules("*.tmp\n").unwrap();
    assert_eq!(news().unwrap().text(), "*.tmp\n");
    assert_eq!(place.root.shared_rules().unwrap(), "*.tmp\n");
    assert!(place.litter().is_empty());
    fs::remove_file(place.at(RULES_FILE)).unwrap();
    fs::create_dir(place.at(RULES_FILE)).unwrap();
    assert_eq!(news(), Some(RuleSet::default()));
    assert!(place.root.write_shared_rules("*.tmp\n").is_err());
    assert!(place.litter().is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_rules_is_not_followed() {
    let place = TestRoot::new();
    place.write("elsewhere", "*\n");
    std::os::unix::fs::symlink("elsewhere", place.at(RULES_FILE)).unwrap();
    assert_eq!(place.root.shared_rules().unwrap(), "");
}

#[test]
fn a_preview_counts_what_rules_would_ignore() {
    let place = TestRoot::new();
    for path in ["a.tmp", "b/c.tmp", "b/d", "build/x.tmp", "build/y"] {
        place.write(path, path);
    }
    let (paths, count) = place.root.matches(&rules("*.tmp\nbuild/\n"), 2);
    assert_eq!(paths, [rel("a.tmp"), rel("b/c.tmp")]);
    assert_eq!(count, 3);
    assert_eq!(place.root.matches(&rules(""), 10), (Vec::new(), 0));
    // A preview changes nothing.
    assert!(place.root.rules().is_empty());
}
