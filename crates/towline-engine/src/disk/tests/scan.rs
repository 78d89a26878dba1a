//! What a scan finds, what it calls absent, and what it leaves unknown.

use std::fs::OpenOptions;
use std::io::Write;
#[cfg(unix)]
use std::os::unix::ffi::OsStringExt;
#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};
#[cfg(unix)]
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[cfg(unix)]
use proptest::prelude::*;
#[cfg(unix)]
use towline_core::io::HeldReason;

use super::*;

#[cfg(unix)]
#[test]
fn everything_is_found_once_and_nothing_the_second_time() {
    let place = TestRoot::new();
    place.write("a/x", "inside");
    place.write("a-b", "between");
    place.write("a.txt", "text");
    fs::set_permissions(place.at("a.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place.at("empty")).unwrap();
    symlink("../nowhere", place.at("link")).unwrap();
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    let mut found = first.found();
    found.sort_unstable();
    assert_eq!(found, ["a", "a-b", "a.txt", "a/x", "empty", "link"]);
    assert_eq!(*first.content("a/x"), file_content("inside"));
    assert_eq!(*first.content("link"), link_content("../nowhere"));
    assert!(matches!(
        first.content("a.txt"),
        Content::File {
            executable: true,
            ..
        }
    ));
    let second = scan_all(&place.root, &rows);
    assert!(
        second.found().is_empty() && second.absent().is_empty(),
        "{second:?}"
    );
}

#[cfg(unix)]
#[test]
fn changes_touches_and_mode_changes_are_found() {
    let place = TestRoot::new();
    for name in ["changed", "same", "mode", "replaced"] {
        place.write(name, "one");
    }
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    place.write("changed", "two");
    fs::set_permissions(place.at("mode"), fs::Permissions::from_mode(0o700)).unwrap();
    place.write("new", "two");
    fs::rename(place.at("new"), place.at("replaced")).unwrap();
    let second = scan_all(&place.root, &rows);
    let mut found = second.found();
    found.sort_unstable();
    assert_eq!(found, ["changed", "mode", "replaced"]);
}

#[cfg(unix)]
#[test]
fn a_file_with_holes_has_the_hash_of_its_bytes() {
    use std::os::unix::fs::FileExt;
    let place = TestRoot::new();
    let file = fs::File::create(place.at("sparse")).unwrap();
    file.set_len(70 << 20).unwrap();
    for at in [0_u64, (17 << 20) - 5, 40 << 20] {
        file.write_all_at(b"island", at).unwrap();
    }
    drop(file);
    let text = fs::read_to_string(place.at("sparse")).unwrap();
    let found = scan_all(&place.root, &Rows::default());
    assert_eq!(*found.content("sparse"), file_content(&text));
}

#[test]
fn a_large_file_has_the_hash_of_all_its_bytes_in_order() {
    let place = TestRoot::new();
    // Two sections, and a third that ends within its second unit.
    let lines = (0..2_600_000_u32).map(|number| format!("{number:07}"));
    let text: String = lines.collect();
    assert!(text.len() > 16 << 20);
    place.write("large", &text);
    let found = scan_all(&place.root, &Rows::default());
    assert_eq!(*found.content("large"), file_content(&text));
}

#[test]
fn same_size_and_mtime_but_other_bytes_is_found() {
    let place = TestRoot::new();
    place.write("f", "one");
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    let before = fs::metadata(place.at("f")).unwrap().modified().unwrap();
    place.write("f", "two");
    let file = OpenOptions::new().write(true).open(place.at("f")).unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(scan_all(&place.root, &rows).found(), ["f"]);
}

#[test]
fn what_is_gone_is_absent_with_everything_below() {
    let place = TestRoot::new();
    for name in ["d/a", "d/e/b", "d-x", "keep"] {
        place.write(name, name);
    }
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    fs::remove_dir_all(place.at("d")).unwrap();
    let second = scan_all(&place.root, &rows);
    assert_eq!(second.absent(), ["d", "d/a", "d/e", "d/e/b"]);
    assert!(second.found().is_empty());
}

#[test]
fn a_row_without_its_directory_is_still_seen_as_absent() {
    let place = TestRoot::new();
    place.write("d/x", "x");
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    lock(&rows.0).remove(&rel("d"));
    fs::remove_dir_all(place.at("d")).unwrap();
    assert_eq!(scan_all(&place.root, &rows).absent(), ["d/x"]);
}

#[cfg(unix)]
#[test]
fn kinds_may_change_in_any_order() {
    let place = TestRoot::new();
    place.write("d/x", "x");
    place.write("f", "f");
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    fs::remove_dir_all(place.at("d")).unwrap();
    place.write("d", "now a file");
    fs::remove_file(place.at("f")).unwrap();
    place.write("f/y", "now a directory");
    let second = scan_all(&place.root, &rows);
    let mut found = second.found();
    found.sort_unstable();
    assert_eq!(found, ["d", "f", "f/y"]);
    assert_eq!(second.absent(), ["d/x"]);
    // A link in place of a directory does not lend it children.
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("y"), "outside").unwrap();
    fs::remove_dir_all(place.at("f")).unwrap();
    symlink(outside.path(), place.at("f")).unwrap();
    let third = scan_all(&place.root, &rows);
    assert_eq!(third.found(), ["f"]);
    assert_eq!(third.absent(), ["f/y"]);
}

#[test]
fn a_scope_sees_its_paths_and_what_is_below_only() {
    let place = TestRoot::new();
    for name in ["a/one", "a/two", "b/one"] {
        place.write(name, name);
    }
    let rows = Rows::default();
    let first = scan_paths(&place.root, &rows, &["a/one"]);
    assert_eq!(
        first.found(),
        ["a", "a/one"],
        "a directory above comes with its child"
    );
    assert_eq!(
        scan_paths(&place.root, &rows, &["a", "a/two"]).found(),
        ["a/two"]
    );
    scan_all(&place.root, &rows);
    fs::remove_dir_all(place.at("a")).unwrap();
    fs::remove_dir_all(place.at("b")).unwrap();
    let absent = scan_paths(&place.root, &rows, &["a"]);
    assert_eq!(absent.absent(), ["a", "a/one", "a/two"]);
    assert_eq!(
        scan_paths(&place.root, &rows, &["b/one", "nothing/here"]).absent(),
        ["b", "b/one"],
        "a directory that is missing above comes, too"
    );
    assert!(rows.paths().is_empty());
}

#[test]
fn pages_are_bounded() {
    let place = TestRoot::new();
    for number in 0..1700 {
        place.write(&format!("d/{number}"), "");
    }
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    assert_eq!(first.found().len(), 1701);
    assert!(first.pages >= 4, "{}", first.pages);
    fs::remove_dir_all(place.at("d")).unwrap();
    let second = scan_all(&place.root, &rows);
    assert_eq!(second.absent().len(), 1701);
    assert!(second.pages >= 4, "{}", second.pages);
}

#[test]
fn a_moved_file_is_told_with_its_former_name_and_what_else_is_gone_at_the_end() {
    let place = TestRoot::new();
    place.write("a deleted file", "deleted");
    place.write("b moved down", "down");
    place.write("z moved up", "up");
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    for number in 0..1200 {
        place.write(&format!("n/{number:04}"), &format!("new {number}"));
    }
    fs::remove_file(place.at("a deleted file")).unwrap();
    fs::rename(place.at("b moved down"), place.at("y")).unwrap();
    fs::rename(place.at("z moved up"), place.at("c")).unwrap();
    let scanned = scan_all(&place.root, &rows);
    assert!(scanned.pages >= 3, "{}", scanned.pages);
    assert_eq!(scanned.page_of("z moved up"), scanned.page_of("c"));
    assert_eq!(scanned.page_of("b moved down"), scanned.page_of("y"));
    assert_eq!(scanned.page_of("a deleted file"), scanned.pages);
    assert!(scanned.page_of("c") < scanned.page_of("y"));
    assert_eq!(scanned.absent().len(), 3);
}

#[cfg(unix)]
#[test]
fn names_and_kinds_that_cannot_be_synced_are_held_back() {
    let place = TestRoot::new();
    let name = std::ffi::OsString::from_vec(b"caf\xe9".to_vec());
    fs::write(place.directory.path().join(&name), "x").unwrap();
    symlink(std::ffi::OsString::from_vec(vec![0xff]), place.at("link")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(place.at("fifo"))
            .status()
            .unwrap()
            .success()
    );
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    assert_eq!(
        first.held_back(),
        [
            ("caf\\xe9", HeldReason::Name),
            ("fifo", HeldReason::Kind),
            ("link", HeldReason::Name)
        ]
    );
    assert!(first.found().is_empty());
}

#[cfg(unix)]
#[test]
fn a_fifo_in_place_of_a_directory_leaves_what_was_there_unknown() {
    let place = TestRoot::new();
    place.write("d/x", "x");
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    fs::remove_dir_all(place.at("d")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(place.at("d"))
            .status()
            .unwrap()
            .success()
    );
    let second = scan_all(&place.root, &rows);
    assert_eq!(second.held_back(), [("d", HeldReason::Kind)]);
    assert!(second.absent().is_empty());
}

#[cfg(unix)]
#[test]
fn files_in_doubt_are_read_and_what_nobody_removed_is_told_as_lost() {
    let place = TestRoot::new();
    for name in ["d/gone", "d/kept", "e/removed", "old"] {
        place.write(name, name);
    }
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    let written = |name: &str| {
        let found = first.page.found.iter();
        let mut found = found.filter(|found| found.path.as_str() == name);
        found.next().unwrap().stamp.ctime
    };
    // A directory that is older than the file in it: the disk has taken the file's name back.
    fs::remove_file(place.at("d/gone")).unwrap();
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    let directory = fs::File::open(place.at("d")).unwrap();
    directory.set_times(long_ago).unwrap();
    fs::remove_file(place.at("e/removed")).unwrap();
    let all = scan_in_doubt(
        &place.root,
        &rows.clone(),
        ScanScope::All,
        Doubt::Since(written("d/gone")),
    )
    .unwrap();
    let lost: Vec<_> = all.page.lost.iter().map(RelPath::as_str).collect();
    assert_eq!((lost, all.absent()), (vec!["d/gone"], vec!["e/removed"]));
    assert!(
        all.found().contains(&"d/kept"),
        "read, whatever its marks say"
    );
    let later = Doubt::Since(UnixNanos(written("old").0 + 3_600_000_000_000));
    let all = scan_in_doubt(&place.root, &rows, ScanScope::All, later).unwrap();
    assert!(
        all.found().is_empty(),
        "written long before the cut: {all:?}"
    );
}

#[test]
fn a_lost_root_yields_a_fault_and_no_absents() {
    let place = TestRoot::new();
    for number in 0..600 {
        place.write(&format!("{number}"), "x");
    }
    let rows = Rows::default();
    scan_all(&place.root, &rows);
    let mut half = Scan::new(
        Arc::clone(&place.root),
        Box::new(rows.clone()),
        ScanScope::All,
        Doubt::Nothing,
    );
    for number in 0..600 {
        place.write(&format!("{number}"), "y");
    }
    let pool = Pool::start(&Tasks::new()).unwrap();
    let (page, end) = half.next_page(&pool).unwrap();
    assert_eq!((page.absent.len(), end), (0, PageEnd::More));
    // The disk is pulled: an empty directory lies where the mount was, and all entries are gone.
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
    }
    assert_eq!(half.next_page(&pool).err(), Some(RootFault::WrongMarker));
    let whole = scan(&place.root, &rows, ScanScope::All);
    assert_eq!(whole.err(), Some(RootFault::WrongMarker));
    assert_eq!(rows.paths().len(), 600);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_restless_and_not_found() {
    let place = TestRoot::new();
    place.write("log", "start");
    place.write("still", "still");
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, path) = (Arc::clone(&stop), place.at("log"));
    let (began, begin) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        while !stopped.load(Ordering::Relaxed) {
            file.write_all(b"more and more\n").unwrap();
            // Nobody listens after the first write.
            let _ = began.send(());
        }
    });
    begin.recv().unwrap();
    // On a busy machine the writer may not have its turn while a scan reads.
    let deadline = Instant::now() + Duration::from_secs(30);
    let first = std::iter::repeat_with(|| scan_all(&place.root, &Rows::default()))
        .take_while(|_| Instant::now() < deadline)
        .find(|scan| scan.restless.is_some())
        .expect("the writer had no turn in half a minute");
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert_eq!(first.found(), ["still"]);
    assert_eq!(first.restless, Some(ScanScope::Paths([rel("log")].into())));
    let second = scan_all(&place.root, &Rows::default());
    assert_eq!(second.found(), ["log", "still"]);
    assert_eq!(*second.content("log"), file_content(&place.read("log")));
}

#[test]
fn two_writes_in_one_tick_are_told_apart() {
    let place = TestRoot::new();
    let rows = Rows::default();
    for round in 0..20 {
        place.write("f", "first");
        scan_all(&place.root, &rows);
        place.write("f", "other");
        let found = scan_all(&place.root, &rows);
        assert_eq!(found.found(), ["f"], "round {round}");
        assert_eq!(*found.content("f"), file_content("other"));
    }
}

#[cfg(unix)]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_random_tree_is_scanned_exactly_once(
        tree in prop::collection::btree_map("[a-c][-./a]{0,2}[a-c](/[a-c.-]{1,3}){0,3}", 0_usize..3, 0..30),
        removed in prop::collection::vec(0_usize..30, 0..10),
    ) {
        let place = TestRoot::new();
        for (path, kind) in &tree {
            // Not every text is a path, and a path may lead through a file.
            if RelPath::parse(path.as_str()).is_err() { continue; }
            let full = place.at(path);
            let Some(parent) = full.parent() else { continue };
            if fs::create_dir_all(parent).is_err() { continue; }
            // What lies there already stays.
            let _ = match kind {
                0 => fs::write(&full, path),
                1 => fs::create_dir_all(&full),
                _ => symlink(path, &full),
            };
        }
        let rows = Rows::default();
        scan_all(&place.root, &rows);
        prop_assert_eq!(rows.paths(), on_disk(&place));
        let second = scan_all(&place.root, &rows);
        prop_assert!(second.found().is_empty() && second.absent().is_empty(), "{:?}", second);
        for number in removed {
            let Some(path) = rows.paths().get(number).cloned() else { continue };
            let full = place.at(&path);
            // It may be gone already.
            let _ = fs::remove_file(&full).or_else(|_| fs::remove_dir_all(&full));
        }
        scan_all(&place.root, &rows);
        prop_assert_eq!(rows.paths(), on_disk(&place));
    }
}

/// All paths on disk, in the order of paths.
#[cfg(unix)]
fn on_disk(place: &TestRoot) -> Vec<String> {
    fn walk(directory: &Path, prefix: &str, paths: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if path == ".towline" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), paths);
            }
            paths.push(path);
        }
    }
    let mut paths = Vec::new();
    walk(place.directory.path(), "", &mut paths);
    paths.sort_unstable();
    paths
}

#[test]
fn a_directory_that_is_missing_above_what_is_looked_at_is_found_to_be() {
    for is_file in [true, false] {
        let place = TestRoot::new();
        let rows = Rows::default();
        place.write("a/d/e/f", "deep");
        place.write("a/d/g", "beside");
        place.write("a/h", "above");
        scan_all(&place.root, &rows);
        fs::remove_dir_all(place.at("a/d")).unwrap();
        if is_file {
            place.write("a/d", "a file now");
        }
        let scanned = scan_paths(&place.root, &rows, &["a/d/e/f", "a/d/g", "a/h"]);
        let (found, absent): (&[&str], &[&str]) = if is_file {
            (&["a/d"], &["a/d/e", "a/d/e/f", "a/d/g"])
        } else {
            (&[], &["a/d", "a/d/e", "a/d/e/f", "a/d/g"])
        };
        assert_eq!(scanned.found(), found);
        assert_eq!(scanned.absent(), absent);
    }
}
