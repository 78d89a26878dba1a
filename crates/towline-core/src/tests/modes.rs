//! Folders that only send or only receive, and folders that a person has paused.

use towline_wire::entry::Content;

use super::folder::world::{World, file, hash, symlink};
use crate::folder::FolderInput;
use crate::folder::quarantine::PATIENCE;
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

#[test]
fn an_override_makes_all_peers_follow() {
    for_seeds(|seed| {
        let mut world = sender(seed);
        let before = world.tree(0);
        world.write(1, "top.txt", file("edited there"), 5);
        world.write(1, "new/one", file("new there"), 5);
        world.write(1, "d/b", Content::Directory, 5);
        world.write(1, "d/b/inner", symlink("there"), 5);
        world.delete(1, "d/a");
        world.settle();
        assert_eq!(world.tree(0), before);
        world.input(0, FolderInput::Override);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(1), before);
    });
}

#[test]
fn an_override_that_a_crash_cuts_short_is_asked_for_again() {
    for_seeds(|seed| {
        let mut world = sender(seed);
        let before = world.tree(0);
        for name in ["a", "b", "c", "e", "f", "g", "h"] {
            world.write(1, &format!("d/{name}"), file(&format!("{name} there")), 5);
        }
        world.settle();
        world.input(0, FolderInput::Override);
        for _ in 0..world.below(10) {
            world.step();
        }
        world.restart(0);
        world.settle();
        assert_eq!(world.tree(0), before);
        world.input(0, FolderInput::Override);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(1), before);
    });
}

/// Two devices that agree on a small tree; the second one then only receives.
fn receiver(seed: u64) -> World {
    let mut world = World::new(2, seed);
    for name in ["d/a", "d/b", "e/c", "top.txt"] {
        world.write(0, name, file(name), 1);
    }
    world.settle();
    world.assert_agreed();
    world.configure(1, mode(Mode::ReceiveOnly));
    world
}

/// Everything that a person can do.
fn change_all(world: &mut World, at: usize) {
    world.write(at, "top.txt", file("edited here"), 5);
    world.write(at, "new/one", file("new here"), 5);
    world.write(at, "new/deep/two", symlink("here"), 5);
    world.delete(at, "d/a");
    world.write(at, "d/b", Content::Directory, 5);
    world.write(at, "d/b/inner", file("inner"), 5);
    world.delete(at, "e");
    world.write(at, "e", file("in the place of a directory"), 5);
}

fn local_changes(world: &World, at: usize) -> u64 {
    world.replicas[at].folder.summary().totals.local_changes
}

#[test]
fn a_receive_only_device_keeps_its_changes_to_itself_and_takes_all_others() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        let before = world.tree(0);
        change_all(&mut world, 1);
        let changed = world.tree(1);
        world.settle();
        assert_eq!((world.tree(0), world.tree(1)), (before, changed.clone()));
        // top.txt, new, new/one, new/deep, new/deep/two, d/a, d/b, d/b/inner, e, e/c
        assert_eq!(local_changes(&world, 1), 10);
        world.write(0, "other", file("other"), 7);
        world.write(0, "top.txt", file("edited there"), 8);
        world.delete(0, "d/b");
        world.restart(1);
        world.settle();
        assert_eq!(world.tree(1).len(), changed.len() + 1);
        assert!(world.tree(1).iter().any(|line| line.starts_with("other")));
        assert_eq!(local_changes(&world, 1), 10);
        let summary = world.replicas[1].folder.summary();
        assert_eq!(summary.state, FolderState::InSync);
        let marks = world.marks();
        for at in 0..2 {
            world.restart(at);
            world.input(at, FolderInput::Rescan);
        }
        world.settle();
        assert_eq!(world.marks(), marks, "a restart is no change");
    });
}

#[test]
fn a_revert_undoes_what_was_changed_here() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        let before = world.tree(0);
        change_all(&mut world, 1);
        world.settle();
        world.input(1, FolderInput::Revert);
        for _ in 0..world.below(60) {
            world.step();
        }
        if seed % 2 == 0 {
            // What a crash has cut short is asked for again.
            world.restart(1);
            world.settle();
            world.input(1, FolderInput::Revert);
        }
        world.settle();
        assert_eq!((world.tree(0), world.tree(1)), (before.clone(), before));
        assert_eq!(local_changes(&world, 1), 0);
        assert!(world.replicas.iter().all(|one| one.store.needs.is_empty()));
    });
}

#[test]
fn a_revert_takes_back_what_was_told_and_nobody_has() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        world.configure(1, mode(Mode::TwoWay));
        world.write(1, "told", file("told"), 7);
        world.write(1, "edited", file("told, too"), 7);
        for _ in 0..world.below(40) {
            world.step();
        }
        world.configure(1, mode(Mode::ReceiveOnly));
        world.delete(1, "told");
        world.write(1, "edited", file("edited"), 8);
        world.settle();
        world.input(1, FolderInput::Revert);
        world.settle();
        let later = world.now.after(PATIENCE);
        world.advance_to(later);
        world.settle();
        assert_eq!(world.tree(0), world.tree(1));
        assert_eq!(local_changes(&world, 1), 0);
        assert!(world.replicas.iter().all(|one| one.store.needs.is_empty()));
    });
}

#[test]
fn a_revert_between_two_that_never_meet_keeps_what_loses_their_conflict() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        world.unlink(0, 2);
        world.unlink(1, 2);
        world.unlink(0, 1);
        // Two write the same name, and neither knows of the other's.
        world.write(0, "plan", file("the elder"), 1);
        world.write(2, "plan", file("the younger"), 2);
        // The one between them takes the first, and changes it only here.
        world.link(0, 1);
        world.settle();
        world.configure(1, mode(Mode::ReceiveOnly));
        world.write(1, "plan", file("changed here"), 3);
        world.settle();
        world.link(1, 2);
        world.settle();
        world.input(1, FolderInput::Revert);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0);
        let younger = &hash("the younger").to_string()[..6];
        let elder = &hash("the elder").to_string()[..6];
        assert!(
            tree.iter()
                .any(|line| line.starts_with(&format!("plan {younger}"))),
            "{tree:?}"
        );
        assert!(
            tree.iter()
                .any(|line| line.contains(".conflict-") && line.contains(elder)),
            "{tree:?}"
        );
        assert_eq!(local_changes(&world, 1), 0);
    });
}

#[test]
fn what_was_undone_by_hand_is_no_change_any_more() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        world.write(1, "top.txt", file("edited here"), 5);
        world.write(1, "new", file("new"), 5);
        world.delete(1, "d/a");
        world.settle();
        assert_eq!(local_changes(&world, 1), 3);
        world.write(1, "top.txt", file("top.txt"), 1);
        world.delete(1, "new");
        world.write(1, "d/a", file("d/a"), 1);
        world.settle();
        assert_eq!(local_changes(&world, 1), 0);
        assert_eq!(world.tree(0), world.tree(1));
    });
}

#[test]
fn what_was_kept_here_is_told_when_the_folder_goes_both_ways_again() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        change_all(&mut world, 1);
        world.settle();
        let changed = world.tree(1);
        world.configure(1, mode(Mode::TwoWay));
        for _ in 0..world.below(40) {
            world.step();
        }
        world.restart(1);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(1), changed);
        assert_eq!(local_changes(&world, 1), 0);
    });
}

#[test]
fn random_people_with_a_receiver_agree_after_a_revert() {
    for_seeds(|seed| {
        let mut world = receiver(seed);
        let names = ["d/a", "d/b", "e", "e/c", "top.txt", "new", "new/x"];
        for turn in 0..30 {
            let at = world.below(2);
            let name = names[world.below(names.len())];
            match world.below(4) {
                0 => world.delete(at, name),
                1 => world.write(at, name, Content::Directory, turn),
                _ => world.write(at, name, file(&format!("{at} {turn}")), turn),
            }
            for _ in 0..world.below(60) {
                world.step();
            }
            if world.below(8) == 0 {
                world.input(1, FolderInput::Revert);
            }
            if world.below(10) == 0 {
                world.restart(1);
            }
        }
        world.settle();
        let sent = world.tree(0);
        world.input(1, FolderInput::Revert);
        world.settle();
        if local_changes(&world, 1) > 0 {
            // Something was changed while a revert before was under way.
            world.input(1, FolderInput::Revert);
            world.settle();
        }
        assert_eq!(
            (world.tree(0), world.tree(1)),
            (sent.clone(), sent),
            "seed {seed}"
        );
        assert_eq!(local_changes(&world, 1), 0, "seed {seed}");
        assert!(world.replicas.iter().all(|one| one.store.needs.is_empty()));
        assert_eq!(world.hangups, 0);
    });
}
