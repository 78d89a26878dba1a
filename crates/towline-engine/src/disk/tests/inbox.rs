//! The conflict inbox on a disk: what is seen of it, how it comes and goes, and decisions.

use super::super::{Case, Choice, Of, RestoreFault};
use super::*;

const COPY: &str = ".towline/conflicts/d/f.txt/.conflict-abcdefgh-0123ab.txt";
const OTHER: &str = ".towline/conflicts/d/f.txt/.conflict-bbcdefgh-0123ab.txt";

/// A file in conflict with two copies.
fn in_conflict() -> TestRoot {
    let place = TestRoot::new();
    place.write("d/f.txt", "winner");
    place.write(COPY, "loser");
    place.write(OTHER, "other loser");
    place
}

fn case() -> Case {
    Case {
        path: rel("d/f.txt"),
        copies: vec![rel(COPY), rel(OTHER)],
    }
}

fn decide(place: &TestRoot, choice: &Choice) -> Vec<String> {
    let (changed, outcome) = place.root.decide(&case(), choice);
    assert_eq!(outcome, Ok(()));
    changed
        .iter()
        .map(|path| path.as_str().to_owned())
        .collect()
}

fn versions(place: &TestRoot) -> Vec<String> {
    let (found, _) = place.root.history(&Of::All, None, 100).unwrap();
    found
        .iter()
        .map(|one| one.kept.path.as_str().to_owned())
        .collect()
}

#[test]
fn copies_are_found_and_nothing_else_of_the_marker_directory() {
    let place = in_conflict();
    for other in [
        ".towline/conflicts/stray",
        ".towline/conflicts/.conflict-abcdefgh-0123ab",
        ".towline/conflicts/d/f.txt/.conflict-abcdefgh-0123ab.txt.part",
        ".towline/conflicts/d/f.txt/.conflict-abcdefgh-012",
        ".towline/conflicts/.towline/x/.conflict-abcdefgh-0123ab",
        ".towline/versions/d/f.txt/.conflict-abcdefgh-0123ab",
        ".towline/stray",
    ] {
        place.write(other, "not ours");
    }
    let directory = ".towline/conflicts/d/f.txt/.conflict-cbcdefgh-0123ab.txt";
    place.write(&format!("{directory}/x/.conflict-abcdefgh-0123ab"), "deep");
    let rows = Rows::default();
    let all = scan_all(&place.root, &rows);
    let mut found = all.found();
    found.sort_unstable();
    assert_eq!(found, [COPY, OTHER, "d", "d/f.txt"]);
    #[cfg(unix)]
    assert_eq!(
        all.held_back(),
        [(directory, towline_core::io::HeldReason::Kind)]
    );
    fs::remove_file(place.at(COPY)).unwrap();
    fs::remove_dir_all(place.at(directory)).unwrap();
    let part = scan_paths(&place.root, &rows, &[COPY, OTHER]);
    assert_eq!((part.found(), part.absent()), (vec![], vec![COPY]));
    fs::remove_dir_all(place.at(".towline/conflicts/d")).unwrap();
    let all = scan_all(&place.root, &rows);
    assert_eq!((all.found(), all.absent()), (vec![], vec![OTHER]));
    assert!(all.restless.is_none());
}

#[test]
fn a_copy_makes_its_directories_and_the_last_one_takes_them_away() {
    let place = TestRoot::new();
    place.write("d/f.txt", "ours");
    let mut ready = place.file(
        "d/f.txt",
        Expected::Stamped(place.stamp("d/f.txt")),
        "theirs",
    );
    ready.step.keep = Some(rel(COPY));
    let Outcome::Done {
        kept: Some(kept), ..
    } = place.commit_one(ready)
    else {
        panic!("nothing was kept")
    };
    assert_eq!((kept.path, kept.stamp), (rel(COPY), place.stamp(COPY)));
    assert_eq!(
        (place.read("d/f.txt"), place.read(COPY)),
        ("theirs".into(), "ours".into())
    );
    assert!(is_done(&place.commit_one(place.file(
        OTHER,
        Expected::Nothing,
        "from afar"
    ))));
    let remove = |path: &str| {
        let expected = Expected::Stamped(place.stamp(path));
        place.commit_one(without_bytes(path, expected, Content::Absent))
    };
    assert!(is_done(&remove(COPY)));
    assert!(place.exists(OTHER));
    assert!(is_done(&remove(OTHER)));
    assert!(!place.exists(".towline/conflicts/d"));
    assert!(place.exists(".towline/conflicts"));
    // A copy that goes is a version of the path that it lost.
    assert_eq!(versions(&place), ["d/f.txt", "d/f.txt"]);
    assert!(place.litter().is_empty());
}

#[test]
fn the_winner_stays_and_the_others_become_versions() {
    let place = in_conflict();
    let before = place.stamp("d/f.txt");
    assert_eq!(decide(&place, &Choice::Winner), [COPY, OTHER]);
    assert_eq!(place.read("d/f.txt"), "winner");
    assert_eq!(place.stamp("d/f.txt"), before);
    assert!(!place.exists(".towline/conflicts/d"));
    assert_eq!(versions(&place).len(), 2);
    // A wrong choice is taken back.
    place.root.restore(&rel("d/f.txt"), None).unwrap();
    assert_eq!(place.read("d/f.txt"), "other loser");
    assert_eq!(versions(&place).len(), 2);
}

#[test]
fn a_loser_takes_the_path_and_the_winner_becomes_a_version() {
    let place = in_conflict();
    let changed = decide(&place, &Choice::Copy(rel(OTHER)));
    assert_eq!(changed, [COPY, OTHER, "d/f.txt"]);
    assert_eq!(place.read("d/f.txt"), "other loser");
    assert!(!place.exists(".towline/conflicts/d"));
    assert_eq!(versions(&place).len(), 2);
    let unknown = place.root.decide(&case(), &Choice::Copy(rel("d/f.txt")));
    assert_eq!(unknown.1, Err(RestoreFault::Unknown));
}

#[test]
fn all_stay_beside_each_other() {
    let place = in_conflict();
    let taken = "d/f.conflict-bbcdefgh-0123ab.txt";
    place.write(taken, "something else");
    decide(&place, &Choice::All);
    assert_eq!(place.read("d/f.txt"), "winner");
    assert_eq!(place.read("d/f.conflict-abcdefgh-0123ab.txt"), "loser");
    assert_eq!(place.read(taken), "something else");
    let hash = blake3::hash(b"other loser").to_hex();
    let longer = format!("d/f.conflict-bbcdefgh-{}.txt", &hash[..32]);
    assert_eq!(place.read(&longer), "other loser");
    assert!(versions(&place).is_empty() && !place.exists(".towline/conflicts/d"));
}

#[test]
fn a_decision_about_equal_bytes_is_a_write() {
    // The winner is still on its way here: the path shows what the copy holds.
    for choice in [Choice::Winner, Choice::Copy(rel(COPY))] {
        for how in ["copied", "linked"] {
            let place = TestRoot::new();
            place.write("d/f.txt", "loser");
            if how == "copied" {
                place.write(COPY, "loser");
            } else {
                fs::create_dir_all(place.at(COPY).parent().unwrap()).unwrap();
                fs::hard_link(place.at("d/f.txt"), place.at(COPY)).unwrap();
            }
            let rows = Rows::default();
            scan_all(&place.root, &rows);
            decide(&place, &choice);
            let seen = scan_all(&place.root, &rows);
            assert_eq!(seen.found(), ["d/f.txt"], "{choice:?} {how}");
            assert_eq!(seen.absent(), [COPY]);
            let mtime = lock(&rows.0)[&rel("d/f.txt")].entry.mtime;
            assert!(mtime > LONG_AGO && place.read("d/f.txt") == "loser");
        }
    }
}

#[test]
fn where_nothing_lies_a_loser_comes_back_with_its_directory() {
    let place = in_conflict();
    fs::remove_dir_all(place.at("d")).unwrap();
    decide(&place, &Choice::Copy(rel(COPY)));
    assert_eq!(place.read("d/f.txt"), "loser");
    // A directory in its place is not put away.
    let place = in_conflict();
    fs::remove_file(place.at("d/f.txt")).unwrap();
    place.write("d/f.txt/inner", "inner");
    let refused = place.root.decide(&case(), &Choice::Copy(rel(COPY)));
    assert_eq!(refused.1, Err(RestoreFault::IsDirectory));
    assert_eq!(place.read(COPY), "loser");
    // Nor a file that a directory would have to replace.
    let place = in_conflict();
    fs::remove_dir_all(place.at("d")).unwrap();
    place.write("d", "a file");
    let refused = place.root.decide(&case(), &Choice::Copy(rel(COPY)));
    assert_eq!(refused.1, Err(RestoreFault::NoWay));
}

#[cfg(unix)]
#[test]
fn links_in_the_inbox_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let place = in_conflict();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("f.txt")).unwrap();
    let name = ".conflict-abcdefgh-0123ab.txt";
    fs::write(outside.path().join("f.txt").join(name), "outside").unwrap();
    fs::remove_dir_all(place.at(".towline/conflicts/d")).unwrap();
    symlink(outside.path(), place.at(".towline/conflicts/d")).unwrap();
    let rows = Rows::default();
    assert_eq!(scan_all(&place.root, &rows).found(), ["d", "d/f.txt"]);
    let refused = place.commit_one(place.file(OTHER, Expected::Nothing, "x"));
    assert!(!is_done(&refused), "{refused:?}");
    decide(&place, &Choice::Winner);
    let kept = fs::read_to_string(outside.path().join("f.txt").join(name)).unwrap();
    assert_eq!(kept, "outside");
    assert!(place.root.preview(&rel(COPY)).is_err());
}
