//! Which names bytes go from that were moved back to where somebody had moved them from.

use towline_wire::entry::{Attributes, Content};
use towline_wire::ids::ContentHash;
use towline_wire::rel_path::RelPath;

use super::Ledger;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn content(number: u8) -> Content {
    Content::File {
        size: 1,
        hash: ContentHash::from_bytes([number; 32]),
        executable: false,
        attributes: Attributes::default(),
    }
}

/// A person renames as the simulator's people do.
fn rename(ledger: &mut Ledger, content: &Content, (from, to): (&str, &str), seat: usize) {
    ledger.consumed(content, &path(from), seat);
    ledger.moved(content, &path(from), &path(to), seat);
    ledger.born(content, &path(to), seat);
}

/// One person has written something at `old`, and another one has moved it to `new`.
fn moved_once() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.born(&content(1), &path("old"), 0);
    rename(&mut ledger, &content(1), ("old", "new"), 1);
    ledger
}

#[test]
fn what_was_moved_back_and_followed_goes_with_who_takes_it_away() {
    let (first, last) = (content(1), content(2));
    let mut ledger = moved_once();
    ledger.consumed(&first, &path("new"), 2);
    ledger.born(&last, &path("new"), 2);
    rename(&mut ledger, &last, ("new", "old"), 2);
    assert!(ledger.lives(&last, &path("old")));
    ledger.consumed(&last, &path("new"), 3);
    assert!(!ledger.living().any(|birth| birth.path == path("old")));
}

#[test]
fn what_was_taken_away_before_it_was_moved_back_lives_where_it_was_moved() {
    let last = content(2);
    let mut ledger = moved_once();
    ledger.born(&last, &path("new"), 2);
    ledger.consumed(&last, &path("new"), 3);
    rename(&mut ledger, &last, ("new", "old"), 2);
    assert!(ledger.lives(&last, &path("old")));
}

#[test]
fn who_replaces_a_copy_that_was_moved_beside_its_file_replaces_all_that_it_keeps() {
    let bytes = content(1);
    let (file, inbox, beside) = (
        "file",
        ".towline/conflicts/file/.conflict-abcdefgh-010101",
        "file.conflict-abcdefgh-010101",
    );
    let mut ledger = Ledger::default();
    ledger.born(&bytes, &path(file), 0);
    rename(&mut ledger, &bytes, (inbox, beside), 0);
    // The same bytes are written again, lose again, and are kept by the copy that is there.
    ledger.born(&bytes, &path(file), 0);
    assert!(ledger.lives(&bytes, &path(file)));
    ledger.consumed(&bytes, &path(beside), 2);
    assert_eq!(ledger.living().count(), 0);
}
