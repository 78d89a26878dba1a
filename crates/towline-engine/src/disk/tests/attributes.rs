//! Extended attributes of real files: what is read, what is written, and what cannot be.

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
use towline_core::io::HeldReason;
use towline_core::records::{AttributeKeeping, Beside};
use towline_wire::limits::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX};

use super::*;

fn keeping() -> TestRoot {
    let place = TestRoot::new();
    place.root.keep_attributes(AttributeKeeping::On);
    assert_eq!(place.root.beside(), Beside::Shown, "a disk with attributes");
    place
}

fn note(place: &TestRoot, path: &str, name: &str, value: &[u8]) {
    setxattr(place.at(path), name, value, XattrFlags::empty()).unwrap();
}

/// The attributes that lie beside a file, all kinds.
fn lying(place: &TestRoot, path: &str) -> Vec<(String, Vec<u8>)> {
    let mut list = Vec::with_capacity(64 * 1024);
    listxattr(place.at(path), rustix::buffer::spare_capacity(&mut list)).unwrap();
    let names = list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = Vec::with_capacity(64 * 1024);
            let room = rustix::buffer::spare_capacity(&mut value);
            getxattr(place.at(path), name.as_str(), room).unwrap();
            (name, value)
        })
        .collect()
}

fn attributes(all: &[(&str, &[u8])]) -> Attributes {
    let owned = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
    Attributes::new(all.iter().map(owned).collect()).unwrap()
}

/// A step that is ready: `text` shall lie at `path` with these attributes.
fn noted(place: &TestRoot, path: &str, expected: Expected, text: &str, all: &Attributes) -> Ready {
    let mut ready = place.file(path, expected, text);
    ready.step.content = ready.step.content.with_attributes(all.clone());
    ready
}

fn stamp_of(outcome: &Outcome) -> DiskStamp {
    match outcome {
        Outcome::Done {
            stamp: Some(stamp), ..
        } => *stamp,
        other @ (Outcome::Done { stamp: None, .. }
        | Outcome::Stale
        | Outcome::NoSource
        | Outcome::NotEmpty
        | Outcome::Held(_)) => panic!("not made: {other:?}"),
    }
}

#[test]
fn a_scan_reads_attributes_of_users_and_sees_when_they_alone_change() {
    let place = keeping();
    place.write("a", "text");
    place.write("plain", "text");
    note(&place, "a", "user.tag", b"red");
    note(&place, "a", "user.empty", b"");
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    let all = attributes(&[("user.empty", b""), ("user.tag", b"red")]);
    assert_eq!(first.content("a").attributes(), Some(&all));
    assert_eq!(*first.content("plain"), file_content("text"));
    assert!(scan_all(&place.root, &rows).found().is_empty());

    removexattr(place.at("a"), "user.tag").unwrap();
    let second = scan_all(&place.root, &rows);
    assert_eq!(second.found(), ["a"]);
    let all = attributes(&[("user.empty", b"")]);
    assert_eq!(second.content("a").attributes(), Some(&all));
}

#[test]
fn what_was_found_without_its_attributes_is_found_again_where_they_are_kept() {
    let place = TestRoot::new();
    place.write("a", "text");
    note(&place, "a", "user.tag", b"red");
    let rows = Rows::default();
    let first = scan_all(&place.root, &rows);
    assert_eq!(*first.content("a"), file_content("text"));
    assert_eq!(first.page.found[0].stamp.beside, Beside::Unasked);
    place.root.keep_attributes(AttributeKeeping::On);
    let second = scan_all(&place.root, &rows);
    assert_eq!(second.page.found[0].stamp.beside, Beside::Shown);
    let all = attributes(&[("user.tag", b"red")]);
    assert_eq!(second.content("a").attributes(), Some(&all));
    place.root.keep_attributes(AttributeKeeping::Off);
    assert!(scan_all(&place.root, &rows).found().is_empty());
}

#[test]
fn a_file_comes_with_its_attributes_and_only_with_them() {
    let place = keeping();
    let all = attributes(&[("user.note", b"\0\xff"), ("user.tag", b"red")]);
    let outcome = place.commit_one(noted(&place, "a", Expected::Nothing, "text", &all));
    let stamp = stamp_of(&outcome);
    assert!(stamp.is_exactly(&place.stamp("a").beside(Beside::Shown)));
    let users = |place: &TestRoot| {
        let mut users = lying(place, "a");
        users.retain(|(name, _)| name.starts_with("user."));
        users.sort();
        attributes(
            &users
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_slice()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(users(&place), all);

    // The same bytes with others: what is not asked for does not stay.
    let fewer = attributes(&[("user.tag", b"blue")]);
    let step = noted(&place, "a", Expected::Stamped(stamp), "text", &fewer).step;
    let shape = FileShape::of(&step).unwrap();
    let staged = Staged::copied(&place.root, shape, &rel("a"), stamp).unwrap();
    let copied = Ready {
        step,
        staged: Some(staged),
    };
    let stamp = stamp_of(&place.commit_one(copied));
    assert_eq!(users(&place), fewer);
    assert!(place.litter().is_empty());

    // A folder that leaves them alone writes none, and says so.
    place.root.keep_attributes(AttributeKeeping::Off);
    let outcome = place.commit_one(noted(&place, "a", Expected::Stamped(stamp), "new", &all));
    assert_eq!(stamp_of(&outcome).beside, Beside::Unasked);
    assert!(users(&place).is_empty());
}

#[test]
fn a_version_and_a_conflict_copy_keep_their_attributes() {
    let place = keeping();
    place.write("a", "mine");
    note(&place, "a", "user.tag", b"red");
    let expected = Expected::Stamped(place.stamp("a"));
    let mut ready = noted(&place, "a", expected, "theirs", &Attributes::default());
    ready.step.keep = Some(rel("a.conflict"));
    let Outcome::Done { kept, .. } = place.commit_one(ready) else {
        panic!("not made")
    };
    let kept = kept.unwrap();
    assert_eq!(kept.stamp.beside, Beside::Shown);
    let all = attributes(&[("user.tag", b"red")]);
    assert_eq!(kept.content.attributes(), Some(&all));
    assert!(lying(&place, "a.conflict").contains(&("user.tag".to_owned(), b"red".to_vec())));
    assert!(
        !lying(&place, "a")
            .iter()
            .any(|(name, _)| name == "user.tag")
    );

    let expected = Expected::Stamped(place.stamp("a.conflict"));
    place.commit_one(without_bytes("a.conflict", expected, Content::Absent));
    let days = fs::read_dir(place.at(".towline/versions")).unwrap();
    let files = days.flat_map(|day| fs::read_dir(day.unwrap().path()).unwrap());
    let version = files
        .map(|file| file.unwrap().path())
        .find(|file| fs::read_to_string(file).is_ok_and(|text| text == "mine"))
        .unwrap();
    let mut value = Vec::with_capacity(16);
    getxattr(
        &version,
        "user.tag",
        rustix::buffer::spare_capacity(&mut value),
    )
    .unwrap();
    assert_eq!(value, b"red");
}

#[test]
fn more_attributes_than_travel_hold_a_file_back_with_the_reason() {
    let place = keeping();
    for name in ["many", "named", "fine"] {
        place.write(name, "text");
    }
    for number in 0..=ATTRIBUTES_MAX {
        note(&place, "many", &format!("user.{number}"), b"");
    }
    let name = std::ffi::CString::new(b"user.\xff".to_vec()).unwrap();
    setxattr(place.at("named"), name, b"", XattrFlags::empty()).unwrap();
    let rows = Rows::default();
    let scanned = scan_all(&place.root, &rows);
    assert_eq!(scanned.found(), ["fine"]);
    let held = ["many", "named"].map(|name| (name, HeldReason::Attributes));
    assert_eq!(scanned.held_back(), held);
    assert!(scanned.absent().is_empty());
}

#[test]
fn what_the_disk_does_not_take_holds_the_step_and_leaves_the_old_file() {
    let place = keeping();
    place.write("a", "old");
    // No more than one block on ext4, no more than 64 KiB together anywhere; a name of 255 bytes with
    // the prefix is too long for none, so the size must do.
    let most = vec![7; ATTRIBUTES_BYTES_MAX - "user.a".len()];
    let large = attributes(&[("user.a", &most)]);
    let expected = Expected::Stamped(place.stamp("a"));
    match place.commit_one(noted(&place, "a", expected, "new", &large)) {
        Outcome::Held(reason) => {
            assert_eq!(reason, HeldReason::Attributes);
            assert_eq!(place.read("a"), "old");
        }
        // tmpfs, XFS and Btrfs have room for it.
        Outcome::Done { .. } => assert_eq!(lying(&place, "a").len(), 1),
        other @ (Outcome::Stale | Outcome::NoSource | Outcome::NotEmpty) => panic!("{other:?}"),
    }
    assert!(place.litter().is_empty());
}

#[test]
fn a_file_is_moved_with_the_attributes_of_its_record_and_with_no_others() {
    let place = keeping();
    place.write("old", "text");
    note(&place, "old", "user.tag", b"red");
    let a_move = |all: &Attributes| Move {
        to: step(
            "new",
            Expected::Nothing,
            file_content("text").with_attributes(all.clone()),
        ),
        from: step(
            "old",
            Expected::Stamped(place.stamp("old")),
            Content::Absent,
        ),
    };
    for other in [attributes(&[]), attributes(&[("user.tag", b"blue")])] {
        let moved = move_files(&place.root, vec![a_move(&other)]);
        assert_eq!((moved.outcomes.len(), moved.left.len()), (0, 1));
        assert!(!place.exists("new"));
    }
    let all = attributes(&[("user.tag", b"red")]);
    let moved = move_files(&place.root, vec![a_move(&all)]);
    let stamp = stamp_of(&moved.outcomes[0].1);
    assert_eq!(stamp.beside, Beside::Shown);
    assert_eq!(
        lying(&place, "new"),
        [("user.tag".to_owned(), b"red".to_vec())]
    );
    let rows = Rows::default();
    assert_eq!(scan_all(&place.root, &rows).found(), ["new"]);
}
