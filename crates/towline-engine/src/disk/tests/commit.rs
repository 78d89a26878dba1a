//! What a batch does, and what it leaves alone.

#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::super::commit::found_kept;
use super::*;

#[cfg(unix)]
#[test]
fn a_batch_makes_files_links_and_directories_with_their_marks() {
    let place = TestRoot::new();
    let Content::File {
        size,
        hash,
        executable: _,
        attributes: _,
    } = file_content("#!")
    else {
        panic!()
    };
    let content = Content::File {
        size,
        hash,
        executable: true,
        attributes: Attributes::default(),
    };
    let run = step("d/run", Expected::Nothing, content);
    let staged = Staged::whole(&place.root, FileShape::of(&run).unwrap(), b"#!").unwrap();
    let program = Ready {
        step: run,
        staged: Some(staged),
    };
    let outcomes = place.commit(vec![
        place.file("d/e/f", Expected::Nothing, "text"),
        program,
        without_bytes("d/e", Expected::Nothing, Content::Directory),
        without_bytes("d", Expected::Nothing, Content::Directory),
        without_bytes("l", Expected::Nothing, link_content("d/e")),
        place.file("empty", Expected::Nothing, ""),
    ]);
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    for (path, outcome) in &outcomes {
        let stamp = place.stamp(path.as_str());
        assert_eq!(
            *outcome,
            Outcome::Done {
                stamp: Some(stamp),
                kept: None
            },
            "{path}"
        );
    }
    assert_eq!(place.read("d/e/f"), "text");
    assert_eq!(place.stamp("d/e/f").mtime, LONG_AGO);
    assert_eq!(
        fs::metadata(place.at("d/run")).unwrap().mode() & 0o100,
        0o100
    );
    assert_eq!(fs::metadata(place.at("d/e/f")).unwrap().mode() & 0o111, 0);
    assert_eq!(fs::read_link(place.at("l")).unwrap(), Path::new("d/e"));
    assert!(place.litter().is_empty());
    // The scan agrees with the stamps.
    let rows = Rows::default();
    let found = scan_all(&place.root, &rows);
    for found in &found.page.found {
        let Outcome::Done { stamp, .. } = &outcomes[&found.path] else {
            panic!()
        };
        assert_eq!(*stamp, Some(found.stamp));
    }
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_privacy() {
    let place = TestRoot::new();
    place.write("secret", "old");
    fs::set_permissions(place.at("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let expected = Expected::Stamped(place.stamp("secret"));
    assert!(is_done(
        &place.commit_one(place.file("secret", expected, "new"))
    ));
    assert_eq!(place.read("secret"), "new");
    assert_eq!(
        fs::metadata(place.at("secret")).unwrap().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_stale_expectation_changes_nothing() {
    let place = TestRoot::new();
    for name in ["changed", "new", "gone", "removed", "kind"] {
        place.write(name, "plan");
    }
    fs::create_dir(place.at("dir")).unwrap();
    let stamped = |name: &str| Expected::Stamped(place.stamp(name));
    let gone = place.file("gone", stamped("gone"), "theirs");
    let changed = place.file("changed", stamped("changed"), "theirs");
    let removed = without_bytes("removed", stamped("removed"), Content::Absent);
    let kind = place.file("kind", stamped("kind"), "theirs");
    fs::remove_file(place.at("gone")).unwrap();
    place.write("changed", "mine");
    place.write("removed", "mine");
    fs::remove_file(place.at("kind")).unwrap();
    fs::create_dir(place.at("kind")).unwrap();
    let outcomes = place.commit(vec![
        gone,
        changed,
        removed,
        kind,
        place.file("new", Expected::Nothing, "theirs"),
        place.file("dir", Expected::Nothing, "theirs"),
        place.file("none", Expected::Directory, "theirs"),
        without_bytes("dir/none", Expected::Directory, Content::Absent),
        without_bytes("new", Expected::Directory, Content::Absent),
    ]);
    assert!(
        outcomes.values().all(|outcome| *outcome == Outcome::Stale),
        "{outcomes:?}"
    );
    assert_eq!(place.read("changed"), "mine");
    assert_eq!(place.read("removed"), "mine");
    assert_eq!(place.read("new"), "plan");
    assert!(!place.exists("gone") && place.at("kind").is_dir());
    assert!(place.litter().is_empty());
}

#[test]
fn a_file_that_appears_is_never_overwritten() {
    // The last look and the rename are apart; the rename itself must refuse.
    let place = TestRoot::new();
    place.write("mine", "mine");
    place.write(".towline/tmp/theirs", "theirs");
    let (temporary, top) = (place.root.temporary(), place.root.top());
    let renamed = temporary.rename_new("theirs", top, "mine");
    assert_eq!(
        renamed.unwrap_err().kind(),
        std::io::ErrorKind::AlreadyExists
    );
    assert_eq!(place.read("mine"), "mine");
}

#[test]
fn what_gives_way_is_kept_under_its_second_name() {
    let place = TestRoot::new();
    place.write("f", "mine");
    let mut ready = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    ready.step.keep = Some(rel("copies/f (conflict)"));
    let Outcome::Done { stamp, kept } = place.commit_one(ready) else {
        panic!()
    };
    assert_eq!(
        (place.read("f"), stamp),
        ("theirs".to_owned(), Some(place.stamp("f")))
    );
    let kept = kept.unwrap();
    assert_eq!(place.read("copies/f (conflict)"), "mine");
    assert_eq!(kept.content, file_content("mine"));
    assert_eq!(kept.stamp, place.stamp("copies/f (conflict)"));
}

#[cfg(unix)]
#[test]
fn keeping_works_for_removals_links_and_new_directories() {
    let place = TestRoot::new();
    place.write("removed", "mine");
    place.write("becomes-directory", "mine");
    symlink("mine", place.at("link")).unwrap();
    let keeping = |path: &str, content: Content| {
        let mut ready = without_bytes(path, Expected::Stamped(place.stamp(path)), content);
        ready.step.keep = Some(rel(&format!("{path}.kept")));
        ready
    };
    let outcomes = place.commit(vec![
        keeping("removed", Content::Absent),
        keeping("becomes-directory", Content::Directory),
        keeping("link", link_content("theirs")),
    ]);
    for (path, outcome) in &outcomes {
        let Outcome::Done {
            kept: Some(kept), ..
        } = outcome
        else {
            panic!("{outcomes:?}")
        };
        assert_eq!(kept.stamp, place.stamp(&format!("{path}.kept")));
    }
    assert!(!place.exists("removed") && place.at("becomes-directory").is_dir());
    assert_eq!(place.read("removed.kept"), "mine");
    assert_eq!(place.read("becomes-directory.kept"), "mine");
    assert_eq!(
        fs::read_link(place.at("link.kept")).unwrap(),
        Path::new("mine")
    );
    assert_eq!(
        fs::read_link(place.at("link")).unwrap(),
        Path::new("theirs")
    );
    assert!(place.litter().is_empty());
}

#[test]
fn keeping_without_hard_links_copies() {
    let place = TestRoot::new();
    place
        .root
        .without_links
        .store(true, std::sync::atomic::Ordering::Relaxed);
    place.write("f", "mine");
    let mtime = place.stamp("f").mtime;
    let mut ready = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    ready.step.keep = Some(rel("kept"));
    assert!(is_done(&place.commit_one(ready)));
    assert_eq!(
        (place.read("f"), place.read("kept")),
        ("theirs".into(), "mine".into())
    );
    assert_eq!(place.stamp("kept").mtime, mtime);
}

#[test]
fn a_conflict_name_in_use_is_fine_only_with_the_same_bytes() {
    let place = TestRoot::new();
    place.write("f", "mine");
    place.write("kept", "mine");
    let mut ready = place.file("f", Expected::Stamped(place.stamp("f")), "theirs");
    ready.step.keep = Some(rel("kept"));
    assert!(is_done(&place.commit_one(ready)));
    let mut ready = place.file("f", Expected::Stamped(place.stamp("f")), "third");
    ready.step.keep = Some(rel("kept"));
    assert_eq!(place.commit_one(ready), Outcome::Stale);
    assert_eq!(
        (place.read("f"), place.read("kept")),
        ("theirs".into(), "mine".into())
    );
}

#[test]
fn directories_go_only_when_they_are_empty() {
    let place = TestRoot::new();
    place.write("d/e/f", "x");
    place.write("full/ignored", "x");
    let outcomes = place.commit(vec![
        without_bytes("d", Expected::Directory, Content::Absent),
        without_bytes("d/e", Expected::Directory, Content::Absent),
        without_bytes(
            "d/e/f",
            Expected::Stamped(place.stamp("d/e/f")),
            Content::Absent,
        ),
        without_bytes("full", Expected::Directory, Content::Absent),
    ]);
    assert_eq!(outcomes[&rel("full")], Outcome::NotEmpty);
    assert!(!place.exists("d"), "{outcomes:?}");
    assert_eq!(place.read("full/ignored"), "x");
    let replace = place.file("full", Expected::Directory, "file");
    assert_eq!(place.commit_one(replace), Outcome::NotEmpty);
}

#[test]
fn kinds_change_within_one_batch() {
    let place = TestRoot::new();
    place.write("dir/x", "x");
    place.write("file", "f");
    let outcomes = place.commit(vec![
        place.file("dir", Expected::Directory, "now a file"),
        without_bytes(
            "dir/x",
            Expected::Stamped(place.stamp("dir/x")),
            Content::Absent,
        ),
        place.file("file/y", Expected::Nothing, "inside"),
        without_bytes(
            "file",
            Expected::Stamped(place.stamp("file")),
            Content::Directory,
        ),
    ]);
    assert!(outcomes.values().all(is_done), "{outcomes:?}");
    assert_eq!(place.read("dir"), "now a file");
    assert_eq!(place.read("file/y"), "inside");
    assert!(place.litter().is_empty());
}

#[test]
fn a_large_batch_in_many_directories_is_done() {
    let place = TestRoot::new();
    let batch = (0..300)
        .map(|n| {
            place.file(
                &format!("d{}/f{n}", n % 30),
                Expected::Nothing,
                &n.to_string(),
            )
        })
        .collect();
    let outcomes = place.commit(batch);
    assert!(outcomes.values().all(is_done));
    assert_eq!(place.read("d7/f37"), "37");
}

#[test]
fn a_lost_root_makes_every_step_stale() {
    let place = TestRoot::new();
    let ready = place.file("f", Expected::Nothing, "text");
    fs::remove_file(place.at(".towline/folder")).unwrap();
    assert_eq!(place.commit_one(ready), Outcome::Stale);
    assert!(!place.exists("f"));
}

#[cfg(unix)]
#[test]
fn who_edits_a_kept_file_before_it_is_told_is_told() {
    let place = TestRoot::new();
    place.write("kept", "one");
    let before = fs::metadata(place.at("kept")).unwrap();
    let kept = Found {
        path: rel("kept"),
        content: file_content("one"),
        mtime: place.stamp("kept").mtime,
        stamp: place.stamp("kept"),
    };
    let step = step("f", Expected::Nothing, file_content("three"));
    let tell = || {
        let mut parents = super::super::parents::Parents::new(&place.root);
        found_kept(&step, &mut parents, Some(kept.clone())).unwrap()
    };
    assert_eq!(tell(), kept);
    fs::write(place.at("kept"), "two").unwrap();
    let file = fs::File::options().write(true).open(place.at("kept"));
    file.unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let told = tell();
    assert_eq!(told.content, file_content("two"));
    assert_eq!(told.stamp, place.stamp("kept"));
    fs::remove_file(place.at("kept")).unwrap();
    assert_eq!(tell(), kept, "the next look sees that it is gone");
}
