//! What a disk refuses: for how long, and what is told of it.

use std::time::Duration;

use crate::folder::FolderInput;
use crate::io::HeldReason;
use crate::tests::folder::world::{World, file, path};

/// Two devices, the second of which cannot make `Top.txt`.
fn two(reason: HeldReason) -> World {
    let mut world = World::new(2, 1);
    world.replicas[1]
        .disk
        .refuses
        .insert(path("Top.txt"), reason);
    world.write(0, "top.txt", file("small letters"), 1);
    world.settle();
    world.write(0, "Top.txt", file("a large letter"), 1);
    world.settle();
    world
}

fn held_back(world: &World) -> Vec<(String, HeldReason)> {
    let held = world.replicas[1].folder.summary().held_back;
    held.into_iter()
        .map(|held| (held.path, held.reason))
        .collect()
}

#[test]
fn a_twin_is_held_back_and_not_tried_again_until_something_goes() {
    let mut world = two(HeldReason::Name);
    let tries = world.replicas[1].disk.steps;
    world.advance_to(world.now.after(Duration::from_secs(3000)));
    world.settle();
    assert_eq!(world.replicas[1].disk.steps, tries, "time changes nothing");
    assert_eq!(
        held_back(&world),
        [("Top.txt".to_owned(), HeldReason::Name)]
    );
    assert_eq!(world.tree(0).len(), 2, "nothing is deleted elsewhere");

    world.replicas[1].disk.refuses.clear();
    world.delete(1, "top.txt");
    world.settle();
    world.assert_agreed();
    assert_eq!(world.tree(1).len(), 1);
    assert_eq!(held_back(&world), []);
}

#[test]
fn what_no_disk_of_this_kind_can_hold_is_tried_after_a_look_at_everything() {
    let mut world = two(HeldReason::Name);
    world.replicas[1].disk.refuses.clear();
    world.input(1, FolderInput::Rescan);
    world.settle();
    world.assert_agreed();
    assert_eq!(world.tree(1).len(), 2);
}

#[test]
fn a_full_disk_is_tried_again_by_itself() {
    let mut world = World::new(2, 1);
    let refuses = &mut world.replicas[1].disk.refuses;
    refuses.insert(path("a"), HeldReason::DiskFull);
    world.write(0, "a", file("much"), 1);
    while world.step() {}
    assert_eq!(held_back(&world), [("a".to_owned(), HeldReason::DiskFull)]);
    world.replicas[1].disk.refuses.clear();
    world.settle();
    world.assert_agreed();
    assert_eq!(held_back(&world), []);
}

#[test]
fn what_a_peer_took_back_is_not_held_back_any_more() {
    let mut world = two(HeldReason::Name);
    world.delete(0, "Top.txt");
    world.settle();
    world.assert_agreed();
    assert_eq!(held_back(&world), []);
}

#[test]
fn a_directory_that_is_not_empty_is_not_told_as_one_that_could_not_be_written() {
    let mut world = World::new(2, 1);
    world.write(0, "d/x", file("x"), 1);
    world.settle();
    world.replicas[0]
        .disk
        .refuses
        .insert(path("d/Y"), HeldReason::Name);
    world.write(1, "d/Y", file("y"), 1);
    world.settle();
    world.replicas[1]
        .disk
        .refuses
        .insert(path("d"), HeldReason::Unwritable);
    world.delete(0, "d/x");
    world.delete(0, "d");
    while world.step() {}
    assert_eq!(
        held_back(&world),
        [("d".to_owned(), HeldReason::Unwritable)]
    );
    world.replicas[1].disk.refuses.clear();
    let tries = world.replicas[1].disk.steps;
    world.advance_to(world.now.after(Duration::from_secs(2)));
    while world.step() {}
    assert!(world.replicas[1].disk.steps > tries, "it is tried again");
    assert_eq!(held_back(&world), []);
}

#[test]
fn a_try_that_had_no_bytes_to_write_says_nothing_of_the_name() {
    let mut world = World::new(2, 1);
    let refuses = &mut world.replicas[1].disk.refuses;
    refuses.insert(path("a"), HeldReason::Unwritable);
    world.write(0, "a", file("locked"), 1);
    while world.step() {}
    let held = [("a".to_owned(), HeldReason::Unwritable)];
    assert_eq!(held_back(&world), held);
    world.replicas[1].disk.refuses.clear();
    // The bytes went, and nobody has seen it yet.
    world.replicas[0].disk.nodes.remove(&path("a"));
    let tries = world.replicas[1].disk.steps;
    world.advance_to(world.now.after(Duration::from_secs(2)));
    while world.step() {}
    assert!(world.replicas[1].disk.steps > tries, "it is tried again");
    assert_eq!(held_back(&world), held);
}

#[test]
fn an_edit_under_a_name_that_cannot_be_held_follows_the_moved_file_when_its_place_is_known() {
    for seed in 0..20 {
        let mut world = World::new(2, seed);
        world.write(0, "x", file("x"), 1);
        world.settle();
        world.unlink(0, 1);
        let refuses = &mut world.replicas[0].disk.refuses;
        refuses.insert(path("x"), HeldReason::Name);
        world.rename(0, "x", "y");
        world.write(1, "y", file("something else"), 2);
        world.settle();
        world.delete(1, "y");
        world.settle();
        world.write(1, "x", file("edited"), 3);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(0).len(), 1);
        assert_eq!(
            world.replicas[0].disk.nodes[&path("y")].content,
            file("edited")
        );
    }
}
