//! Folders that only send or only receive, and folders that a person has paused.

use super::folder::world::{World, file};
use crate::records::{Activity, FolderSettings, Mode};
use crate::snapshot::FolderState;

fn mode(mode: Mode) -> impl FnOnce(&mut FolderSettings) {
    move |settings| settings.mode = mode
}

/// Two devices that agree on a small tree; the first one then only sends.
fn sender(seed: u64) -> World {
    let mut world = World::new(2, seed);
    world.write(0, "d/a", file("a"), 1);
    world.write(0, "d/b", file("b"), 1);
    world.write(0, "top.txt", file("top"), 1);
    world.settle();
    world.assert_agreed();
    world.configure(0, mode(Mode::SendOnly));
    world
}

fn for_seeds(check: impl Fn(u64)) {
    (0..40).for_each(check);
}

#[test]
fn a_send_only_device_sends_and_changes_nothing_for_a_peer() {
    for_seeds(|seed| {
        let mut world = sender(seed);
        let before = world.tree(0);
        world.write(1, "top.txt", file("edited there"), 5);
        world.write(1, "new/one", file("new there"), 5);
        world.delete(1, "d/a");
        world.settle();
        assert_eq!(world.tree(0), before);
        let summary = world.replicas[0].folder.summary();
        assert_eq!(summary.state, FolderState::Waiting);
        world.write(0, "d/b", file("edited here"), 6);
        world.settle();
        let line = |at: usize| {
            world
                .tree(at)
                .into_iter()
                .find(|line| line.starts_with("d/b"))
        };
        assert_eq!(line(0), line(1), "what is changed here goes there");
    });
}

#[test]
fn what_waited_for_the_mode_goes_on_with_another() {
    for_seeds(|seed| {
        let mut world = sender(seed);
        world.write(1, "top.txt", file("edited there"), 5);
        world.delete(1, "d/a");
        world.settle();
        world.restart(0);
        world.settle();
        world.configure(0, mode(Mode::TwoWay));
        world.settle();
        world.assert_agreed();
        assert!(world.tree(0).iter().all(|line| !line.starts_with("d/a")));
    });
}

#[test]
fn equal_bytes_join_on_a_send_only_device_too() {
    for_seeds(|seed| {
        let mut world = sender(seed);
        for at in 0..2 {
            world.write(at, "same.txt", file("same"), 7);
        }
        world.settle();
        world.assert_agreed();
    });
}

#[test]
fn a_paused_folder_does_nothing_and_then_goes_on_where_it_was() {
    for_seeds(|seed| {
        let mut world = World::new(2, seed);
        for name in ["a", "b", "c", "d", "e", "f"] {
            world.write(0, &format!("d/{name}"), file(name), 1);
        }
        // Wherever it is: nothing told yet, or half of it fetched.
        for _ in 0..world.below(200) {
            world.step();
        }
        let settings = |world: &mut World, activity| {
            world.configure(1, |settings| settings.activity = activity);
        };
        settings(&mut world, Activity::Paused);
        world.unlink(0, 1);
        world.settle();
        assert_eq!(
            world.replicas[1].folder.summary().state,
            FolderState::PausedByPerson
        );
        world.write(0, "d/a", file("edited there"), 5);
        world.write(1, "d/b", file("edited here"), 6);
        let edited = world.tree(1);
        world.settle();
        world.restart(1);
        world.settle();
        assert_eq!((world.tree(1), world.replicas[1].disk.scans), (edited, 0));
        settings(&mut world, Activity::Running);
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
    });
}
