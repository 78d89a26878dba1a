//! The mass change brake: what waits, what goes on, and what a person decides.

use std::time::Duration;

use towline_wire::entry::Content;

use super::folder::world::{World, device, file, symlink};
use crate::folder::FolderInput;
use crate::records::Brake;
use crate::snapshot::Braked;

/// Files of the small folder.
const FILES: usize = 12;

/// Two devices with a dozen files; the second one's brake holds beyond five entries.
fn world(seed: u64) -> World {
    let mut world = World::new(2, seed);
    for number in 0..FILES {
        world.write(0, &name(number), file(&format!("file {number}")), 1);
    }
    world.settle();
    world.assert_agreed();
    world.configure(1, |settings| {
        settings.brake = Brake::At {
            entries_max: 5,
            percent_max: 100,
        };
    });
    world
}

fn name(number: usize) -> String {
    format!("d{}/{number}", number % 3)
}

fn for_seeds(check: impl Fn(u64)) {
    (0..40).for_each(check);
}

/// Files that lie on a device.
fn files(world: &World, at: usize) -> usize {
    let tree = world.tree(at);
    tree.iter().filter(|line| !line.ends_with('/')).count()
}

fn braked(world: &World) -> Vec<Braked> {
    world.replicas[1].folder.summary().braked
}

fn delete_all(world: &mut World) {
    for number in 0..FILES {
        world.delete(0, &name(number));
    }
}

#[test]
fn a_few_deletes_are_no_mass_change() {
    for_seeds(|seed| {
        let mut world = world(seed);
        for number in 0..5 {
            world.delete(0, &name(number));
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(braked(&world), []);
    });
}

#[test]
fn what_was_spent_before_a_restart_counts_for_one_window() {
    for (quiet_for, waits) in [
        (Duration::from_secs(1), true),
        (Duration::from_secs(601), false),
    ] {
        let mut world = world(1);
        for number in 0..5 {
            world.delete(0, &name(number));
        }
        world.settle();
        world.restart(1);
        world.settle();
        world.advance_to(world.now.after(quiet_for));
        world.write(0, &name(5), file("edited"), 2);
        world.settle();
        assert_eq!(!braked(&world).is_empty(), waits, "after {quiet_for:?}");
    }
}

#[test]
fn a_mass_delete_waits_and_everything_else_goes_on() {
    for_seeds(|seed| {
        let mut world = world(seed);
        delete_all(&mut world);
        world.write(0, "new", file("new"), 5);
        world.settle();
        // What came before the whole was known may be gone, up to the bound.
        let left = files(&world, 1) - 1;
        assert!(left >= FILES - 5, "{left} of {FILES} are left");
        let [Braked { peer, deletes, .. }] = braked(&world)[..] else {
            panic!("nothing waits")
        };
        assert_eq!((peer, usize::try_from(deletes).unwrap()), (device(1), left));
        let tree = world.tree(1);
        assert!(tree.iter().any(|line| line.starts_with("new")), "{tree:?}");
        // No restart lets more through, nor does time.
        for _ in 0..3 {
            world.restart(1);
            world.settle();
            let later = world.now.after(Duration::from_secs(3600));
            world.advance_to(later);
            world.settle();
        }
        assert_eq!(files(&world, 1), left + 1);
        assert_eq!(braked(&world).len(), 1);
        world.write(0, "newer", file("newer"), 6);
        world.settle();
        assert_eq!(files(&world, 1), left + 2, "it is not blocked");
    });
}

#[test]
fn what_is_known_as_a_whole_waits_as_a_whole() {
    for_seeds(|seed| {
        let mut world = world(seed);
        world.unlink(0, 1);
        delete_all(&mut world);
        world.settle();
        world.link(0, 1);
        // The whole index arrives before anything is planned.
        world.configure(1, |_| {});
        world.settle();
        assert!(files(&world, 1) >= FILES - 5);
        assert_eq!(braked(&world).len(), 1);
    });
}

#[test]
fn a_yes_lets_it_go_on() {
    for_seeds(|seed| {
        let mut world = world(seed);
        delete_all(&mut world);
        world.settle();
        world.input(1, FolderInput::Release(device(1)));
        if seed % 2 == 0 {
            for _ in 0..world.below(20) {
                world.step();
            }
            world.restart(1);
        }
        world.settle();
        if !braked(&world).is_empty() {
            // The yes was not durable when the device ended.
            world.input(1, FolderInput::Release(device(1)));
            world.settle();
        }
        world.assert_agreed();
        assert_eq!(files(&world, 1), 0);
    });
}

#[test]
fn an_undo_brings_back_everywhere_what_waited() {
    for_seeds(|seed| {
        let mut world = world(seed);
        delete_all(&mut world);
        world.write(0, "new", file("new"), 5);
        world.settle();
        let left = files(&world, 1);
        world.input(1, FolderInput::Undo(device(1)));
        world.settle();
        world.assert_agreed();
        assert_eq!(files(&world, 0), left);
        assert_eq!(braked(&world), []);
    });
}

#[test]
fn a_mass_overwrite_waits_and_is_undone() {
    for_seeds(|seed| {
        let mut world = world(seed);
        for number in 0..FILES {
            world.write(0, &name(number), file(&format!("scrambled {number}")), 9);
        }
        world.settle();
        let lies = |world: &World| {
            let tree = world.tree(1);
            tree.iter().filter(|line| line.ends_with(" 1")).count()
        };
        let left = lies(&world);
        assert!(left >= FILES - 5, "{left} of {FILES} are left");
        assert_eq!(braked(&world).len(), 1);
        world.input(1, FolderInput::Undo(device(1)));
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world), left);
    });
}

#[test]
fn a_moved_directory_is_no_mass_delete() {
    for_seeds(|seed| {
        let mut world = world(seed);
        for number in 0..FILES {
            world.delete(0, &name(number));
            world.write(
                0,
                &format!("moved/{number}"),
                file(&format!("file {number}")),
                1,
            );
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(braked(&world), []);
    });
}

#[test]
fn moved_directories_go_though_it_is_told_first_that_their_files_are_gone() {
    for_seeds(|seed| {
        let mut world = world(seed);
        for directory in ["d0", "d1", "d2"] {
            world.delete(0, directory);
        }
        world.settle();
        assert_eq!(braked(&world).len(), 1);
        for number in 0..FILES {
            let moved = format!("moved/{}", name(number));
            world.write(0, &moved, file(&format!("file {number}")), 1);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(braked(&world), []);
    });
}

#[test]
fn a_persons_own_mass_change_is_not_asked_about() {
    for_seeds(|seed| {
        let mut world = world(seed);
        for number in 0..FILES {
            world.delete(1, &name(number));
        }
        world.write(1, "d0", Content::Directory, 1);
        world.settle();
        world.assert_agreed();
    });
}

#[test]
fn who_takes_back_the_mass_change_takes_the_question_with_it() {
    for_seeds(|seed| {
        let mut world = world(seed);
        delete_all(&mut world);
        world.settle();
        for number in 0..FILES {
            world.write(0, &name(number), file(&format!("file {number}")), 1);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(braked(&world), []);
    });
}

/// A link in whose place a file comes holds no bytes of its own. It waits with what else waits, and no longer.
#[test]
fn what_waited_with_a_mass_change_comes_when_that_is_taken_back() {
    for_seeds(|seed| {
        let mut world = world(seed);
        world.write(0, "link", symlink("elsewhere"), 1);
        world.settle();
        delete_all(&mut world);
        world.settle();
        assert_ne!(braked(&world), []);
        world.write(0, "link", file("no link any more"), 2);
        world.settle();
        assert!(world.tree(1).contains(&"link -> elsewhere".to_owned()));
        for number in 0..FILES {
            world.write(0, &name(number), file(&format!("file {number}")), 1);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(braked(&world), []);
    });
}

/// The second device's edits lose against the first one's, which the first one deletes before it hears of
/// that: there the lost ones come back, and so they do on the second device, over what had won.
#[test]
fn who_brings_back_an_edit_by_a_delete_is_the_one_who_takes_away() {
    /// The one who told the first device of the second one's edits, and the other way round.
    const RELAYS: [usize; 2] = [2, 3];
    for_seeds(|seed| {
        let mut world = World::new(4, seed);
        let meet = |world: &mut World, one: usize, other: usize| {
            world.link(one, other);
            world.settle();
            world.unlink(one, other);
            world.settle();
        };
        for (one, other) in world.pairs() {
            world.unlink(one, other);
        }
        world.configure(1, |settings| {
            settings.brake = Brake::At {
                entries_max: 5,
                percent_max: 100,
            };
        });
        for number in 0..FILES {
            world.write(1, &name(number), file(&format!("mine {number}")), 5);
            world.write(0, &name(number), file(&format!("theirs {number}")), 9);
        }
        meet(&mut world, 1, RELAYS[0]);
        meet(&mut world, 0, RELAYS[1]);
        meet(&mut world, 1, RELAYS[1]);
        delete_all(&mut world);
        meet(&mut world, 0, RELAYS[0]);
        let theirs = |world: &World| {
            let tree = world.tree(1);
            tree.iter().filter(|line| line.ends_with(" 9")).count()
        };
        assert_eq!(theirs(&world), FILES);
        world.link(0, 1);
        world.settle();
        let left = theirs(&world);
        assert!(left >= FILES - 5, "{left} of {FILES} are left");
        let [
            Braked {
                peer, overwrites, ..
            },
        ] = braked(&world)[..]
        else {
            panic!("nothing waits: {:?}", braked(&world))
        };
        assert_eq!(
            (peer, usize::try_from(overwrites).unwrap()),
            (device(1), left)
        );
        world.input(1, FolderInput::Undo(device(1)));
        world.settle();
        for (one, other) in world.pairs() {
            world.unlink(one, other);
            world.link(one, other);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(theirs(&world), left);
        assert_eq!(braked(&world), []);
    });
}
