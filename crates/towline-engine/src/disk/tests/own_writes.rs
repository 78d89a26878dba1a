//! Which echoes of our own writes are dropped, and which tell of somebody else.

use std::collections::BTreeSet;

use super::super::own_writes::{OWN_WRITES_MAX, OwnWrites, Put, without_own_writes};
use super::*;

/// A root where we have made `d` with a file and a directory with another file.
fn with_our_directory() -> TestRoot {
    let place = TestRoot::new();
    let outcomes = place.commit(vec![
        without_bytes("d", Expected::Nothing, Content::Directory),
        without_bytes("d/e", Expected::Nothing, Content::Directory),
        place.file("d/ours", Expected::Nothing, "ours"),
        place.file("d/e/ours", Expected::Nothing, "ours too"),
    ]);
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    place
}

/// What of these hints is passed on.
fn passed(place: &TestRoot, hints: &[&str]) -> Vec<String> {
    passed_where(place, hints, &[])
}

/// The same where something has gone from some of the paths.
fn passed_where(place: &TestRoot, hints: &[&str], gone: &[&str]) -> Vec<String> {
    let paths = |texts: &[&str]| texts.iter().map(|path| rel(path)).collect();
    let hints: BTreeSet<RelPath> = paths(hints);
    let passed = without_own_writes(&place.root, hints, &paths(gone));
    passed.iter().map(|path| path.as_str().to_owned()).collect()
}

#[test]
fn what_we_made_is_no_news_while_it_lies_there_as_we_left_it() {
    let place = with_our_directory();
    let ours = ["d", "d/e", "d/e/ours", "d/ours"];
    assert!(passed(&place, &ours).is_empty());
    assert!(passed(&place, &ours).is_empty(), "the second time too");
    place.write("beside", "theirs");
    assert_eq!(passed(&place, &["beside", "d", "d/ours"]), ["beside"]);
}

#[test]
fn what_comes_into_our_directory_before_it_is_watched_is_news_of_the_directory() {
    for theirs in ["d/theirs", "d/e/theirs", "d/e/f/theirs"] {
        let place = with_our_directory();
        place.write(theirs, "theirs");
        assert_eq!(passed(&place, &["d"]), ["d"], "{theirs}");
    }
}

#[test]
fn what_goes_from_our_directory_before_it_is_watched_is_news_of_the_directory() {
    let place = with_our_directory();
    fs::remove_file(place.at("d/e/ours")).unwrap();
    assert_eq!(passed(&place, &["d"]), ["d"]);
    let place = with_our_directory();
    fs::rename(place.at("d/e"), place.at("d/f")).unwrap();
    assert_eq!(passed(&place, &["d"]), ["d"]);
}

#[test]
fn what_changes_in_our_directory_before_it_is_watched_is_news_of_the_directory() {
    let place = with_our_directory();
    place.write("d/e/ours", "changed");
    assert_eq!(passed(&place, &["d"]), ["d"]);
}

#[test]
fn a_directory_that_comes_where_we_are_to_make_one_is_news() {
    let place = TestRoot::new();
    let aside = tempfile::tempdir().unwrap();
    fs::write(aside.path().join("theirs"), "theirs").unwrap();
    fs::create_dir(place.at("d")).unwrap();
    fs::rename(aside.path(), place.at("d")).unwrap();
    let made = place.commit_one(without_bytes("d", Expected::Nothing, Content::Directory));
    assert!(is_done(&made), "{made:?}");
    assert_eq!(passed(&place, &["d"]), ["d"]);
    fs::remove_file(place.at("d/theirs")).unwrap();
    assert_eq!(
        passed(&place, &["d"]),
        ["d"],
        "it may have been seen before"
    );
}

#[test]
fn our_directory_that_was_seen_to_be_gone_is_news_when_it_is_back() {
    let place = with_our_directory();
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    let aside = tempfile::tempdir().unwrap();
    fs::rename(place.at("d"), aside.path().join("d")).unwrap();
    assert_eq!(
        scan_all(&place.root, &rows).absent(),
        ["d", "d/e", "d/e/ours", "d/ours"]
    );
    fs::rename(aside.path().join("d"), place.at("d")).unwrap();
    assert_eq!(passed(&place, &["d"]), ["d"]);
}

#[test]
fn what_was_seen_in_our_directory_and_goes_before_it_is_watched_is_news() {
    let place = with_our_directory();
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    place.write("d/e/theirs", "theirs");
    assert_eq!(scan_all(&place.root, &rows).found(), ["d/e/theirs"]);
    fs::remove_file(place.at("d/e/theirs")).unwrap();
    assert_eq!(passed(&place, &["d"]), ["d"]);
}

#[test]
fn the_going_of_a_directory_is_always_news_and_that_of_a_file_is_not() {
    let place = with_our_directory();
    let gone = |path: &str, expected| without_bytes(path, expected, Content::Absent);
    let stamp = place.stamp("d/e/ours");
    let outcomes = place.commit(vec![
        gone("d/e/ours", Expected::Stamped(stamp)),
        gone("d/e", Expected::Directory),
    ]);
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    assert_eq!(passed(&place, &["d/e", "d/e/ours"]), ["d/e"]);
    assert!(
        passed(&place, &["d"]).is_empty(),
        "all that is left is ours"
    );
}

#[test]
fn a_directory_that_we_made_where_one_has_gone_is_news() {
    let place = with_our_directory();
    let ours = ["d", "d/e", "d/ours"];
    assert_eq!(passed_where(&place, &ours, &["d"]), ["d"]);
    let place = with_our_directory();
    assert!(
        passed_where(&place, &ours, &["d/ours"]).is_empty(),
        "a file is what its marks say"
    );
}

#[test]
fn a_directory_is_forgotten_before_what_lies_in_it() {
    let stamp = |file_id| DiskStamp {
        size: 0,
        mtime: LONG_AGO,
        ctime: LONG_AGO,
        file_id,
        beside: towline_core::records::Beside::Unasked,
    };
    let writes = OwnWrites::default();
    writes.add(rel("d/f"), Put::Leaf(stamp(1)));
    writes.add(rel("d"), Put::NewDirectory(stamp(2)));
    assert_eq!(writes.left_at(&rel("d/f")), None, "of another directory");
    writes.add(rel("d/f"), Put::Leaf(stamp(3)));
    for file_id in 0..OWN_WRITES_MAX as u64 - 1 {
        assert_eq!(writes.left_at(&rel("d/f")), Some(Some(stamp(3))));
        writes.add(rel("g"), Put::Leaf(stamp(file_id)));
    }
    assert_eq!(writes.left_at(&rel("d")), None);
    assert_eq!(writes.left_at(&rel("d/f")), Some(Some(stamp(3))));
    writes.add(rel("g"), Put::NoLeaf);
    assert_eq!(writes.left_at(&rel("d/f")), None);
    assert_eq!(writes.left_at(&rel("g")), Some(None));
}
