//! What gives way is kept, found again, brought back, and pruned.

use towline_core::versions::{Policy, Retention, VersionId};

use super::super::{Of, RestoreFault};
use super::*;

fn replace(place: &TestRoot, path: &str, text: &str) -> Outcome {
    place.commit_one(place.file(path, Expected::Stamped(place.stamp(path)), text))
}

fn remove(place: &TestRoot, path: &str) -> Outcome {
    let expected = Expected::Stamped(place.stamp(path));
    place.commit_one(without_bytes(path, expected, Content::Absent))
}

fn history(place: &TestRoot, path: Option<&str>) -> Vec<(String, VersionId)> {
    let of = path.map(rel).map_or(Of::All, Of::Path);
    let (found, more) = place.root.history(&of, None, 1000).unwrap();
    assert!(!more);
    let each = |one: super::super::Version| (one.kept.path.as_str().to_owned(), one.kept.id);
    found.into_iter().map(each).collect()
}

fn restore(place: &TestRoot, path: &str, id: Option<VersionId>) -> Result<VersionId, RestoreFault> {
    place.root.restore(&rel(path), id)
}

#[test]
fn what_is_replaced_or_removed_comes_back_version_by_version() {
    let place = TestRoot::new();
    place.write("d/f", "one");
    assert!(is_done(&replace(&place, "d/f", "two")));
    assert!(is_done(&replace(&place, "d/f", "three")));
    assert!(is_done(&remove(&place, "d/f")));
    let kept = history(&place, Some("d/f"));
    assert_eq!(kept.len(), 3);
    let (one, two) = (kept[2].1, kept[1].1);
    // The newest, where nothing lies and no directory either.
    fs::remove_dir(place.at("d")).unwrap();
    restore(&place, "d/f", None).unwrap();
    assert_eq!(place.read("d/f"), "three");
    restore(&place, "d/f", Some(one)).unwrap();
    assert_eq!(place.read("d/f"), "one");
    // It is no version any more; what it replaced is one.
    assert_eq!(
        restore(&place, "d/f", Some(one)),
        Err(RestoreFault::Unknown)
    );
    assert_eq!(
        restore(&place, "d/g", Some(two)),
        Err(RestoreFault::Unknown)
    );
    restore(&place, "d/f", None).unwrap();
    assert_eq!(place.read("d/f"), "three");
    assert_eq!(history(&place, None).len(), 2);
    assert!(place.litter().is_empty());
}

#[test]
fn a_restored_file_has_its_time_and_mode() {
    let place = TestRoot::new();
    assert!(is_done(&place.commit_one(place.file(
        "f",
        Expected::Nothing,
        "old"
    ))));
    assert!(is_done(&remove(&place, "f")));
    let (found, _) = place.root.history(&Of::All, None, 1).unwrap();
    assert_eq!((found[0].size, found[0].mtime), (3, LONG_AGO));
    restore(&place, "f", None).unwrap();
    assert_eq!(place.stamp("f").mtime, LONG_AGO);
}

#[cfg(unix)]
#[test]
fn links_long_names_and_changed_kinds_are_kept() {
    let place = TestRoot::new();
    let long = format!("{}/{}", "d".repeat(255), "é".repeat(127));
    place.write(&long, "long");
    place.write("file", "file");
    place.write("names", "names");
    place.write("-1\n\"\\", "odd");
    std::os::unix::fs::symlink("there", place.at("link")).unwrap();
    for path in [long.as_str(), "names", "-1\n\"\\", "link"] {
        assert!(is_done(&remove(&place, path)), "{path}");
    }
    let expected = Expected::Stamped(place.stamp("file"));
    let turned = without_bytes("file", expected, Content::Directory);
    assert!(is_done(&place.commit_one(turned)));
    assert_eq!(history(&place, None).len(), 5);
    for path in [long.as_str(), "names", "-1\n\"\\", "link"] {
        restore(&place, path, None).unwrap();
    }
    assert_eq!(
        (place.read(&long), place.read("-1\n\"\\")),
        ("long".into(), "odd".into())
    );
    assert_eq!(fs::read_link(place.at("link")).unwrap(), Path::new("there"));
    assert_eq!(
        restore(&place, "file", None),
        Err(RestoreFault::IsDirectory)
    );
    fs::remove_dir(place.at("file")).unwrap();
    restore(&place, "file", None).unwrap();
    assert_eq!(place.read("file"), "file");
}

#[test]
fn what_lies_in_the_way_is_never_lost() {
    let place = TestRoot::new();
    place.write("a/f", "old");
    assert!(is_done(&remove(&place, "a/f")));
    fs::remove_dir(place.at("a")).unwrap();
    place.write("a", "a file now");
    assert_eq!(restore(&place, "a/f", None), Err(RestoreFault::NoWay));
    assert_eq!(place.read("a"), "a file now");
    assert_eq!(history(&place, Some("a/f")).len(), 1);
}

#[test]
fn new_metadata_alone_and_conflict_copies_make_no_version() {
    let place = TestRoot::new();
    place.write("f", "same");
    let stamp = place.stamp("f");
    let mut touched = place.file("f", Expected::Stamped(stamp), "same");
    let shape = FileShape::of(&touched.step).unwrap();
    touched.staged = Some(Staged::copied(&place.root, shape, &rel("f"), stamp).unwrap());
    assert!(is_done(&place.commit_one(touched)));
    let mut beside = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    beside.step.keep = Some(rel("f.conflict"));
    assert!(is_done(&place.commit_one(beside)));
    assert_eq!(history(&place, None), []);
}

#[test]
fn stale_steps_keep_nothing_and_torn_names_are_passed_over() {
    use std::io::Write;
    let place = TestRoot::new();
    place.write("f", "one");
    let stale = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    place.write("f", "mine, later");
    assert_eq!(place.commit_one(stale), Outcome::Stale);
    assert_eq!(history(&place, None), []);
    assert!(is_done(&remove(&place, "f")));
    let day = history(&place, None)[0].1.day;
    let names = place.at(&format!(".towline/versions/{day}/names"));
    let mut torn = fs::OpenOptions::new().append(true).open(&names).unwrap();
    torn.write_all(b"{\"number\":9,\"path\":\"../").unwrap();
    // A new handle mends it, and goes on with numbers that nothing has.
    let root = Root::open(&root_path(place.directory.path()), FOLDER).unwrap();
    place.write("g", "g");
    let step = step("g", Expected::Stamped(place.stamp("g")), Content::Absent);
    let outcomes = commit_batch(&root, vec![Ready { step, staged: None }]);
    assert!(is_done(&outcomes[0].1), "{outcomes:?}");
    assert_eq!(history(&place, None).len(), 2);
    restore(&place, "f", None).unwrap();
    assert_eq!(place.read("f"), "mine, later");
}

#[test]
fn pages_go_back_in_time_without_gaps() {
    let place = TestRoot::new();
    for n in 0..25 {
        place.write(&format!("f{n}"), "x");
    }
    let removals = (0..25).map(|n| {
        let path = format!("f{n}");
        let expected = Expected::Stamped(place.stamp(&path));
        without_bytes(&path, expected, Content::Absent)
    });
    place.commit(removals.collect());
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let (page, more) = place.root.history(&Of::All, before, 10).unwrap();
        seen.extend(page.iter().map(|version| version.kept.id));
        before = seen.last().copied();
        if !more {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
}

#[test]
fn the_old_go_by_age_and_the_oldest_by_room_and_never_within_a_minute() {
    let place = TestRoot::new();
    for name in ["a", "b", "c"] {
        place.write(name, &name.repeat(1000));
        assert!(is_done(&remove(&place, name)));
    }
    let kept_at = place.root.history(&Of::All, None, 1).unwrap().0[0]
        .kept
        .kept_at;
    let after = |seconds: i64| UnixNanos(kept_at.0 + seconds * 1_000_000_000);
    let tight = Retention {
        bytes_max: 2500,
        ..Retention::default()
    };
    let prune = |seconds, retention: &Retention| {
        let (left, _) = place
            .root
            .prune_at(after(seconds), retention, &|| false)
            .unwrap();
        (left, history(&place, None).len())
    };
    assert_eq!(prune(10, &tight), (3000, 3));
    assert_eq!(prune(3600, &Retention::default()), (3000, 3));
    assert_eq!(prune(3600, &tight), (2000, 2));
    assert_eq!(history(&place, Some("a")), []);
    assert_eq!(prune(31 * 86_400, &Retention::default()), (0, 0));
    let days = place.at(".towline/versions");
    // The day that is open stays, with nothing but names.
    assert_eq!(fs::read_dir(days).unwrap().count(), 1);
    place.write("d", "d");
    assert!(is_done(&remove(&place, "d")));
    restore(&place, "d", None).unwrap();
}

/// A moment that lies between what was done before and what is done after.
fn moment(place: &TestRoot) -> UnixNanos {
    // Change times are those of a clock that ticks every few milliseconds.
    place.write("clock", "tick");
    let first = place.stamp("clock").ctime;
    loop {
        place.write("clock", "tock");
        let now = place.stamp("clock").ctime;
        if now.0 > first.0 + 20_000_000 {
            return UnixNanos(now.0 - 10_000_000);
        }
    }
}

#[test]
fn a_directory_comes_back_to_a_moment_and_nothing_is_lost() {
    let place = TestRoot::new();
    place.write("d/changed", "old");
    place.write("d/deep/deleted", "deleted");
    place.write("d/same", "same");
    place.write("d/blocked/inner", "inner");
    place.write("elsewhere", "there");
    let then = moment(&place);
    assert!(is_done(&replace(&place, "d/changed", "new")));
    assert!(is_done(&replace(&place, "d/changed", "newest")));
    for gone in ["d/deep/deleted", "d/blocked/inner", "elsewhere"] {
        assert!(is_done(&remove(&place, gone)));
    }
    fs::remove_dir(place.at("d/deep")).unwrap();
    fs::remove_dir(place.at("d/blocked")).unwrap();
    place.write("d/blocked", "a file now");
    place.write("d/fresh", "fresh");
    let wanted = place.root.what_lay(Some(&rel("d")), then).unwrap();
    let paths: Vec<_> = wanted.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["d/blocked/inner", "d/changed", "d/deep/deleted"]);
    let came = place.root.bring_back(&wanted, then).unwrap();
    assert_eq!((came.back.len(), came.failed), (2, 1));
    assert_eq!(place.read("d/changed"), "old");
    assert_eq!(place.read("d/deep/deleted"), "deleted");
    assert_eq!(place.read("d/same"), "same");
    assert_eq!(place.read("d/blocked"), "a file now");
    assert_eq!(place.read("d/fresh"), "fresh");
    assert!(!place.at("elsewhere").exists());
    // What gave way is a version; so is what was in between.
    let kept: Vec<_> = history(&place, Some("d/changed"));
    assert_eq!(kept.len(), 2);
    restore(&place, "d/changed", None).unwrap();
    assert_eq!(place.read("d/changed"), "newest");
    // The rest of the folder follows when it is asked for.
    let wanted = place.root.what_lay(None, then).unwrap();
    let came = place.root.bring_back(&wanted, then).unwrap();
    assert_eq!(came.failed, 1);
    assert_eq!(place.read("elsewhere"), "there");
    assert!(place.litter().is_empty());
}

#[test]
fn what_has_lain_there_all_the_time_does_not_give_way() {
    let place = TestRoot::new();
    place.write("f", "old");
    assert!(is_done(&remove(&place, "f")));
    place.write("f", "mine");
    let before = UnixNanos(place.stamp("f").ctime.0 - 1);
    let then = moment(&place);
    let wanted = vec![(rel("f"), history(&place, Some("f"))[0].1)];
    let came = place.root.bring_back(&wanted, then).unwrap();
    assert_eq!((came.back.len(), came.failed), (0, 0));
    assert_eq!(place.read("f"), "mine");
    let came = place.root.bring_back(&wanted, before).unwrap();
    assert_eq!((came.back.len(), came.failed), (1, 0));
    assert_eq!(place.read("f"), "old");
    restore(&place, "f", None).unwrap();
    assert_eq!(place.read("f"), "mine");
}

#[test]
fn histories_are_of_a_directory_and_of_what_is_deleted() {
    let place = TestRoot::new();
    for path in ["a", "d/one", "d/two", "dd"] {
        place.write(path, "first");
        assert!(is_done(&replace(&place, path, "second")));
    }
    for path in ["a", "d/one"] {
        assert!(is_done(&remove(&place, path)));
    }
    let paths = |of: &Of| {
        let (found, more) = place.root.history(of, None, 100).unwrap();
        assert!(!more);
        let path = |version: super::super::Version| version.kept.path.as_str().to_owned();
        found.into_iter().map(path).collect::<Vec<_>>()
    };
    assert_eq!(paths(&Of::Below(rel("d"))), ["d/one", "d/two", "d/one"]);
    assert_eq!(paths(&Of::Deleted(None)), ["d/one", "a"]);
    assert_eq!(paths(&Of::Deleted(Some(rel("d")))), ["d/one"]);
    // A page that begins later names no older version of what the first page named.
    let (first, more) = place.root.history(&Of::Deleted(None), None, 1).unwrap();
    assert!(more);
    let before = first[0].kept.id;
    let (rest, more) = place
        .root
        .history(&Of::Deleted(None), Some(before), 10)
        .unwrap();
    assert!(!more);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].kept.path, rel("a"));
}

#[test]
fn a_staggered_store_thins_out_what_is_old_path_by_path() {
    let place = TestRoot::new();
    for text in ["one", "two", "three"] {
        for name in ["a", "b"] {
            place.write(name, text);
            assert!(is_done(&remove(&place, name)));
        }
    }
    let kept_at = place.root.history(&Of::All, None, 1).unwrap().0[0]
        .kept
        .kept_at;
    let staggered = Retention {
        policy: Policy::Staggered,
        ..Retention::default()
    };
    let after = |days: i64| UnixNanos(kept_at.0 + days * 86_400_000_000_000);
    let prune = |now| place.root.prune_at(now, &staggered, &|| false).unwrap();
    prune(UnixNanos(kept_at.0 + 3_600_000_000_000));
    assert_eq!(history(&place, None).len(), 6);
    prune(after(2));
    let left = history(&place, None);
    assert_eq!(left.len(), 2);
    restore(&place, "a", None).unwrap();
    assert_eq!(place.read("a"), "one");
}

#[test]
fn the_store_is_not_scanned() {
    let place = TestRoot::new();
    place.write("f", "x");
    assert!(is_done(&remove(&place, "f")));
    assert!(scan_all(&place.root, &Rows::default()).found().is_empty());
}
