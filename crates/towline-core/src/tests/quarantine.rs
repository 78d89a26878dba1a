//! Power cuts: what the disk has lost comes back, and is nobody's edit and nobody's delete.

use towline_wire::entry::{Content, UnixNanos};

use super::folder::world::{World, file, path};
use crate::folder::FolderInput;
use crate::folder::quarantine::{Suspicion, is_spoiled};
use crate::io::{Found, HeldReason};
use crate::records::{DiskStamp, Doubt, Mode, OurRow, Reach};

/// Two devices that agree on a small tree.
fn two(seed: u64) -> World {
    let mut world = World::new(2, seed);
    for name in ["d/a", "d/b", "c", "e"] {
        world.write(0, name, file(name), 1);
    }
    world.settle();
    world.assert_agreed();
    world
}

fn for_seeds(check: impl Fn(u64)) {
    (0..40).for_each(check);
}

fn lies(world: &World, at: usize, text: &str) -> Option<Content> {
    let node = world.replicas[at].disk.nodes.get(&path(text));
    node.map(|node| node.content.clone())
}

fn held(world: &World, at: usize) -> Vec<(String, HeldReason)> {
    let summary = world.replicas[at].folder.summary();
    let held = summary.held_back.into_iter();
    held.map(|held| (held.path, held.reason)).collect()
}

fn spoiled(world: &World, at: usize) -> u64 {
    world.replicas[at].folder.summary().spoiled
}

#[test]
fn a_zeroed_file_comes_back_and_is_no_edit() {
    for_seeds(|seed| {
        let mut world = two(seed);
        let told = world.marks()[1];
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.restart(0);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/a"), Some(file("d/a")));
        assert_eq!(world.marks()[1], told, "the peer was told nothing");
        assert_eq!(spoiled(&world, 0), 1);
        assert!(held(&world, 0).is_empty());
        assert_eq!(world.replicas[0].store.doubt, Doubt::Nothing);
    });
}

#[test]
fn what_the_disk_forgot_comes_back_and_is_no_delete() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.lose_power(0, "d/a", Content::Absent);
        world.restart(0);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/a"), Some(file("d/a")));
        assert_eq!(spoiled(&world, 0), 1);
    });
}

#[test]
fn what_a_person_does_after_the_cut_is_theirs() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.write(0, "c", file("written after the cut"), 2);
        world.delete(0, "e");
        world.restart(0);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 1, "c"), Some(file("written after the cut")));
        assert_eq!(lies(&world, 1, "e"), None);
        assert_eq!(spoiled(&world, 0), 1);
    });
}

#[test]
fn without_a_power_cut_the_same_marks_are_the_same_bytes() {
    let mut world = two(1);
    world.lose_power(0, "d/a", file("\0\0\0"));
    world.replicas[0].store.doubt = Doubt::Nothing;
    world.restart(0);
    world.settle();
    assert_eq!(lies(&world, 0, "d/a"), Some(file("\0\0\0")));
    assert_eq!(lies(&world, 1, "d/a"), Some(file("d/a")));
}

/// Two devices that have met again: while they were apart the second one's person did this, and then a power cut
/// took `d/a` from the first one.
fn lost_while_apart(seed: u64, deed: impl FnOnce(&mut World)) -> World {
    let mut world = two(seed);
    world.unlink(0, 1);
    deed(&mut world);
    world.settle();
    world.lose_power(0, "d/a", file("\0\0\0"));
    world.restart(0);
    world.link(0, 1);
    world.settle();
    world.assert_agreed();
    world
}

#[test]
fn a_zeroed_file_that_a_peer_has_renamed_is_not_moved() {
    for_seeds(|seed| {
        let world = lost_while_apart(seed, |world| {
            world.delete(1, "d/a");
            world.write(1, "d/z", file("d/a"), 1);
        });
        assert_eq!(lies(&world, 1, "d/z"), Some(file("d/a")));
    });
}

#[test]
fn what_was_lost_waits_for_the_peer_that_is_away() {
    for_seeds(|seed| {
        let mut world = two(seed);
        // Both sides forget that the other has it, as if it had not been told yet.
        world.unlink(0, 1);
        world.write(0, "new", file("new"), 2);
        world.settle();
        world.lose_power(0, "new", file("\0\0\0"));
        world.restart(0);
        world.settle();
        assert_eq!(held(&world, 0), [("new".to_owned(), HeldReason::Spoiled)]);
        assert_eq!(lies(&world, 0, "new"), Some(file("\0\0\0")));
        world.restart(0);
        world.settle();
        assert_eq!(held(&world, 0), [("new".to_owned(), HeldReason::Spoiled)]);
        // Nobody has it: what is left of it is all that there is.
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 1, "new"), Some(file("\0\0\0")));
        assert!(held(&world, 0).is_empty());
    });
}

#[test]
fn who_clears_away_what_is_left_deletes_nothing() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.restart(0);
        world.settle();
        world.delete(0, "d/a");
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/a"), Some(file("d/a")));
    });
}

#[test]
fn an_older_version_takes_the_place_of_a_lost_one_that_nobody_has() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "d/a", file("second"), 2);
        world.settle();
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.restart(0);
        world.settle();
        assert_eq!(held(&world, 0), [("d/a".to_owned(), HeldReason::Spoiled)]);
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/a"), Some(file("d/a")));
    });
}

#[test]
fn a_directory_in_the_place_of_what_was_lost_replaces_nothing_elsewhere() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        world.write(0, "c", file("first"), 1);
        world.settle();
        world.unlink(0, 2);
        world.unlink(1, 2);
        world.write(0, "c", file("second"), 2);
        world.delete(2, "c");
        world.write(2, "c/inner", file("inner"), 3);
        world.settle();
        world.unlink(0, 1);
        world.lose_power(0, "c", file("\0\0\0"));
        world.restart(0);
        world.link(0, 2);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 1, "c/inner"), Some(file("inner")));
        assert_eq!(world.conflict_copies(1), 1, "what 0 had lost is kept");
    });
}

#[test]
fn a_newer_version_comes_in_the_place_of_a_lost_one() {
    for_seeds(|seed| {
        let world = lost_while_apart(seed, |world| {
            world.write(1, "d/a", file("second"), 2);
        });
        assert_eq!(lies(&world, 0, "d/a"), Some(file("second")));
        assert_eq!(world.conflict_copies(0), 0);
    });
}

#[test]
fn a_folder_that_only_sends_gets_back_what_its_disk_lost() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.configure(0, |settings| settings.mode = Mode::SendOnly);
        world.settle();
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.restart(0);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/a"), Some(file("d/a")));
    });
}

#[test]
fn an_override_takes_what_was_lost_below_what_is_a_file_now_and_nothing_else_that_was() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.configure(0, |settings| settings.mode = Mode::SendOnly);
        world.settle();
        world.unlink(0, 1);
        world.lose_power(0, "d/a", file("\0\0\0"));
        world.lose_power(0, "e", Content::Absent);
        world.restart(0);
        world.settle();
        for name in ["d/a", "d/b", "d"] {
            world.delete(0, name);
        }
        world.write(0, "d", file("in the place of a directory"), 5);
        world.settle();
        world.link(0, 1);
        world.step();
        world.input(0, FolderInput::Override);
        world.settle();
        world.input(0, FolderInput::Override);
        world.settle();
        world.assert_agreed();
        let becomes = file("in the place of a directory");
        assert_eq!(lies(&world, 1, "d"), Some(becomes));
        assert_eq!(lies(&world, 0, "e"), Some(file("e")));
    });
}

#[test]
fn marks_of_a_write_are_an_edit() {
    let stamp = |mtime, ctime| DiskStamp {
        size: 3,
        mtime: UnixNanos(mtime),
        ctime: UnixNanos(ctime),
        file_id: 1,
        beside: crate::records::Beside::Unasked,
    };
    let mut world = two(1);
    let row = world.replicas[0].store.rows.remove(&path("c")).unwrap();
    let row = OurRow {
        stamp: Some(stamp(10, 20)),
        ..row
    };
    let check = |row: &OurRow, text: &str, now, doubt| {
        let found = Found {
            path: path("c"),
            content: file(text),
            mtime: UnixNanos(0),
            stamp: now,
        };
        let up_to = row.sequence;
        is_spoiled(&found, row, Suspicion { doubt, up_to })
    };
    let doubt = Doubt::Since(UnixNanos(15));
    assert!(check(&row, "\0", stamp(10, 20), doubt), "the same marks");
    assert!(check(&row, "\0", stamp(9, 19), doubt), "an older state");
    assert!(!check(&row, "\0", stamp(10, 21), doubt), "written since");
    assert!(!check(&row, "\0", stamp(11, 20), doubt), "a newer time");
    assert!(!check(&row, "c", stamp(9, 19), doubt), "the same bytes");
    let later = Doubt::Since(UnixNanos(21));
    assert!(!check(&row, "\0", stamp(10, 20), later), "long synced");
    assert!(!check(&row, "\0", stamp(10, 20), Doubt::Nothing), "no cut");
    let without_ctime = OurRow {
        stamp: Some(stamp(20, 0)),
        ..row.clone()
    };
    assert!(check(&without_ctime, "\0", stamp(20, 0), doubt));
    assert!(!check(&without_ctime, "\0", stamp(19, 0), doubt));
    let only_here = OurRow {
        reach: Reach::Added,
        ..row
    };
    assert!(!check(&only_here, "\0", stamp(10, 20), doubt));
}
