//! Files that only get another name: moved where nothing stands against it, else left alone.

use super::*;

fn place_with(text: &str) -> TestRoot {
    let place = TestRoot::new();
    place.write("old/f", text);
    place
}

fn a_move(place: &TestRoot, to: &str, text: &str) -> Move {
    Move {
        to: step(to, Expected::Nothing, file_content(text)),
        from: step(
            "old/f",
            Expected::Stamped(place.stamp("old/f")),
            Content::Absent,
        ),
    }
}

fn assert_left(place: &TestRoot, one: Move) {
    let moved = move_files(&place.root, vec![one]);
    assert_eq!((moved.outcomes.len(), moved.left.len()), (0, 1));
}

#[test]
fn a_moved_file_is_the_same_file_under_its_new_name_and_no_version() {
    let place = place_with("mine");
    let before = place.stamp("old/f");
    let moved = move_files(&place.root, vec![a_move(&place, "new/deep/f", "mine")]);
    assert!(moved.left.is_empty());
    let done = |stamp| Outcome::Done { stamp, kept: None };
    let after = place.stamp("new/deep/f");
    assert_eq!(
        moved.outcomes,
        [
            (rel("new/deep/f"), done(Some(after))),
            (rel("old/f"), done(None))
        ]
    );
    assert_eq!(place.read("new/deep/f"), "mine");
    assert!(!place.exists("old/f"));
    assert_eq!((after.file_id, after.mtime), (before.file_id, before.mtime));
    assert!(!place.exists(".towline/versions") && place.litter().is_empty());
}

#[test]
fn a_file_that_was_changed_is_not_moved() {
    let place = place_with("mine");
    let one = a_move(&place, "new", "mine");
    place.write("old/f", "ours");
    assert_left(&place, one);
    assert_eq!(place.read("old/f"), "ours");
    assert!(!place.exists("new"));
}

#[test]
fn nothing_is_moved_over_what_lies_there() {
    let place = place_with("mine");
    place.write("new", "other");
    assert_left(&place, a_move(&place, "new", "mine"));
    assert_eq!(
        (place.read("new"), place.read("old/f")),
        ("other".to_owned(), "mine".to_owned())
    );
    fs::remove_file(place.at("new")).unwrap();
    fs::create_dir(place.at("new")).unwrap();
    assert_left(&place, a_move(&place, "new", "mine"));
    assert_left(&place, a_move(&place, "old/f/below", "mine"));
    assert_eq!(place.read("old/f"), "mine");
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_by_a_move() {
    let place = place_with("mine");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), place.at("out")).unwrap();
    assert_left(&place, a_move(&place, "out/f", "mine"));
    let one = a_move(&place, "new", "mine");
    fs::rename(place.at("old"), place.at("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.at("elsewhere"), place.at("old")).unwrap();
    assert_left(&place, one);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(place.read("elsewhere/f"), "mine");
}

#[test]
fn a_lost_root_moves_nothing() {
    let place = place_with("mine");
    let one = a_move(&place, "new", "mine");
    fs::remove_dir_all(place.at(".towline")).unwrap();
    assert_left(&place, one);
    assert_eq!(place.read("old/f"), "mine");
}
