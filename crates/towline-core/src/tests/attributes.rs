//! Extended attributes in worlds of folders: who keeps them, who only passes them on, and that nobody
//! who does not see them tells that they are gone.

use towline_wire::entry::{Attributes, Content};

use super::folder::for_seeds;
use super::folder::world::{Holds, World, file, path};
use crate::records::AttributeKeeping;

/// A file with attributes, given as `name=value`.
fn noted(text: &str, noted: &[&str]) -> Content {
    let pair = |one: &&str| {
        let (name, value) = one.split_once('=').unwrap();
        (format!("user.{name}"), value.as_bytes().to_vec())
    };
    file(text).with_attributes(Attributes::new(noted.iter().map(pair).collect()).unwrap())
}

fn keep(world: &mut World, at: usize, keeping: AttributeKeeping) {
    world.configure(at, |settings| settings.attributes = keeping);
}

/// So many devices, of which these keep attributes.
fn world(devices: u8, keepers: &[usize], seed: u64) -> World {
    let mut world = World::new(devices, seed);
    for at in keepers {
        keep(&mut world, *at, AttributeKeeping::On);
    }
    world.settle();
    world
}

/// What a device's disk has beside the one file.
fn beside(world: &World, at: usize) -> String {
    let tree = world.tree(at);
    let line = tree.iter().find(|line| line.starts_with("a ")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(4).collect();
    words.join(" ")
}

/// What a device tells its peers of the attributes of the one file.
fn told(world: &World, at: usize) -> Vec<(String, String)> {
    let row = &world.replicas[at].store.rows[&path("a")];
    let attributes = row.entry.content.attributes().unwrap().iter();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    attributes
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

#[test]
fn attributes_come_change_and_go_everywhere_without_the_bytes() {
    for_seeds(|seed| {
        let mut world = world(3, &[0, 1, 2], seed);
        world.write(0, "a", noted("x", &["tag=red"]), 1);
        world.settle();
        assert_eq!(beside(&world, 2), "user.tag=red");
        world.write(1, "a", noted("x", &["note=1", "tag=blue"]), 1);
        world.settle();
        assert_eq!(beside(&world, 0), "user.note=1 user.tag=blue");
        world.write(2, "a", file("x"), 1);
        world.settle();
        assert_eq!(beside(&world, 0), "");
        world.assert_agreed();
        assert_eq!(world.conflict_copies(0), 0);
    });
}

#[test]
fn who_does_not_keep_attributes_passes_them_on_and_tells_no_loss() {
    for_seeds(|seed| {
        for holds in [Holds::Attributes, Holds::NoAttributes] {
            let keepers: &[usize] = match holds {
                Holds::Attributes => &[0, 2],
                Holds::NoAttributes => &[0, 1, 2],
            };
            let mut world = World::new(3, seed);
            world.replicas[1].disk.holds = holds;
            for at in keepers {
                keep(&mut world, *at, AttributeKeeping::On);
            }
            world.unlink(0, 2);
            world.settle();
            world.write(0, "a", noted("x", &["tag=red"]), 1);
            world.settle();
            assert_eq!(beside(&world, 1), "");
            assert_eq!(beside(&world, 2), "user.tag=red");
            // An edit there has no attributes on its disk, and keeps what is known.
            world.write(1, "a", file("edited"), 2);
            world.settle();
            world.restart(1);
            world.settle();
            assert_eq!(beside(&world, 0), "user.tag=red");
            assert_eq!(beside(&world, 2), "user.tag=red");
            world.write(2, "a", noted("edited", &["tag=blue"]), 2);
            world.settle();
            assert_eq!(beside(&world, 0), "user.tag=blue");
            let before = world.replicas[1].disk.steps;
            world.write(0, "a", file("edited"), 2);
            world.settle();
            assert_eq!(
                (beside(&world, 2), told(&world, 1)),
                (String::new(), vec![])
            );
            if holds == Holds::Attributes {
                // Nothing on its disk is others for it.
                assert_eq!(world.replicas[1].disk.steps, before);
            }
        }
    });
}

#[test]
fn who_begins_to_keep_attributes_gets_what_is_known_and_tells_what_is_there() {
    for_seeds(|seed| {
        let mut world = world(2, &[0], seed);
        world.write(0, "a", noted("x", &["tag=red"]), 1);
        world.settle();
        world.write(1, "a", noted("x", &["mine=1", "tag=old"]), 1);
        world.settle();
        assert_eq!(beside(&world, 0), "user.tag=red");
        keep(&mut world, 1, AttributeKeeping::On);
        world.settle();
        for at in 0..2 {
            assert_eq!(beside(&world, at), "user.mine=1 user.tag=red");
        }
        // From now on a loss is one.
        world.write(1, "a", noted("x", &["mine=1"]), 1);
        world.settle();
        assert_eq!(beside(&world, 0), "user.mine=1");
        world.assert_agreed();
        world.restart(1);
        world.settle();
        // The disk of a new life has counted nothing yet.
        assert_eq!(world.replicas[1].disk.steps, 0);
    });
}

#[test]
fn who_stops_to_keep_attributes_tells_no_loss_and_may_begin_again() {
    for_seeds(|seed| {
        let mut world = world(2, &[0, 1], seed);
        world.write(0, "a", noted("x", &["tag=red"]), 1);
        world.settle();
        keep(&mut world, 1, AttributeKeeping::Off);
        world.settle();
        world.write(0, "a", noted("x", &["tag=blue"]), 1);
        world.settle();
        assert_eq!(beside(&world, 1), "user.tag=red");
        world.write(1, "a", file("other"), 2);
        world.settle();
        assert_eq!(beside(&world, 0), "user.tag=blue");
        keep(&mut world, 1, AttributeKeeping::On);
        world.settle();
        assert_eq!(beside(&world, 0), "user.tag=blue");
        assert_eq!(beside(&world, 1), "user.tag=blue");
        world.assert_agreed();
    });
}

#[test]
fn equal_bytes_with_other_attributes_get_all_of_them() {
    for_seeds(|seed| {
        let mut world = world(3, &[0, 1, 2], seed);
        for (left, right) in world.pairs() {
            world.unlink(left, right);
        }
        world.write(0, "a", noted("x", &["tag=red", "n=1"]), 1);
        world.write(1, "a", noted("x", &["tag=yellow"]), 1);
        world.write(2, "a", noted("x", &["m=2"]), 1);
        world.settle();
        for (left, right) in world.pairs() {
            world.link(left, right);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(beside(&world, 0), "user.m=2 user.n=1 user.tag=yellow");
        assert_eq!(world.conflict_copies(0), 0);
    });
}

#[test]
fn what_loses_a_conflict_keeps_its_attributes_also_where_they_are_not_kept() {
    for_seeds(|seed| {
        let mut world = world(3, &[0, 2], seed);
        world.write(0, "a", noted("x", &["tag=red"]), 1);
        world.settle();
        for (left, right) in world.pairs() {
            world.unlink(left, right);
        }
        // The one that does not keep attributes edits, and loses against the later edit.
        world.write(1, "a", file("loses"), 2);
        world.write(0, "a", noted("wins", &["tag=blue"]), 3);
        world.settle();
        for (left, right) in world.pairs() {
            world.link(left, right);
        }
        world.settle();
        assert_eq!(beside(&world, 2), "user.tag=blue");
        let copies = world.tree(2);
        let copy = copies.iter().find(|line| line.contains(".conflict-"));
        assert!(copy.unwrap().ends_with(" user.tag=red"), "{copies:?}");
    });
}

#[test]
fn random_people_who_keep_attributes_and_stop_end_with_the_same() {
    for_seeds(|seed| {
        let mut world = world(3, &[0, 1], seed);
        let names = ["tag=red", "tag=blue", "note=1", "note=22"];
        for _ in 0..40 {
            let at = world.below(3);
            match world.below(8) {
                0 => {
                    let (left, right) = world.pairs()[world.below(3)];
                    world.unlink(left, right);
                }
                1 => keep(&mut world, at, AttributeKeeping::On),
                2 => keep(&mut world, at, AttributeKeeping::Off),
                3 => world.restart(at),
                doing => {
                    let attribute = names[world.below(names.len())];
                    let text = if doing == 4 { "y" } else { "x" };
                    world.write(at, "a", noted(text, &[attribute]), 1);
                }
            }
            for _ in 0..world.below(12) {
                world.step();
            }
        }
        for (left, right) in world.pairs() {
            if !world.linked.contains(&(left, right)) {
                world.link(left, right);
            }
        }
        for at in 0..3 {
            keep(&mut world, at, AttributeKeeping::On);
        }
        world.settle();
        world.assert_agreed();
        for at in 0..3 {
            assert_eq!(beside(&world, at), beside(&world, 0));
        }
    });
}
