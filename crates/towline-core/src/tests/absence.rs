//! Long absence: what waits, what goes on, and what a person decides.

use std::time::Duration;

use super::folder::world::{World, device, file};
use crate::folder::FolderInput;
use crate::records::{Contact, Presence};
use crate::snapshot::Braked;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn for_seeds(check: impl Fn(u64)) {
    (0..40).for_each(check);
}

/// Two devices that agree; the second goes away and edits what is deleted meanwhile, and something else.
fn away(seed: u64) -> World {
    let mut world = World::new(2, seed);
    for name in ["d/a", "d/b", "gone", "kept"] {
        world.write(0, name, file(name), 1);
    }
    world.settle();
    world.assert_agreed();
    world.unlink(0, 1);
    world.delete(0, "gone");
    world.delete(0, "d");
    world.write(1, "gone", file("edited there"), 5);
    world.write(1, "d/a", file("edited there, too"), 5);
    world.write(1, "kept", file("kept and edited there"), 5);
    world.write(1, "new", file("new"), 5);
    world.settle();
    world
}

/// So much time passes.
fn pass(world: &mut World, time: Duration) {
    let later = world.now.after(time);
    world.advance_to(later);
    world.settle();
}

fn waiting(world: &World) -> Vec<Braked> {
    world.replicas[0].folder.summary().braked
}

fn has(world: &World, at: usize, name: &str) -> bool {
    let line = format!("{name} ");
    world.tree(at).iter().any(|found| found.starts_with(&line))
}

fn revived(count: u64) -> Vec<Braked> {
    vec![Braked {
        peer: device(2),
        deletes: 0,
        overwrites: 0,
        revives: count,
    }]
}

#[test]
fn what_a_device_brings_back_after_a_holiday_comes_back() {
    for_seeds(|seed| {
        let mut world = away(seed);
        pass(&mut world, DAY * 59);
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert!(has(&world, 0, "gone") && has(&world, 0, "d/a"));
        assert_eq!(waiting(&world), []);
    });
}

#[test]
fn what_a_device_would_bring_back_after_a_year_waits_and_everything_else_goes_on() {
    for_seeds(|seed| {
        let mut world = away(seed);
        pass(&mut world, DAY * 365);
        world.link(0, 1);
        world.settle();
        // Neither a restart nor time lets it through.
        for round in 0..3 {
            assert!(!has(&world, 0, "gone") && !has(&world, 0, "d/a"), "{round}");
            assert!(has(&world, 0, "new") && has(&world, 0, "kept"));
            assert!(!has(&world, 1, "d/b"), "a delete of what it left alone");
            assert_eq!(waiting(&world), revived(2));
            world.restart(0);
            world.settle();
            pass(&mut world, DAY * 2);
        }
        world.write(1, "newer", file("newer"), 9);
        world.settle();
        assert!(has(&world, 0, "newer"), "it is not blocked");
    });
}

#[test]
fn a_yes_lets_it_come_back() {
    for_seeds(|seed| {
        let mut world = away(seed);
        pass(&mut world, DAY * 365);
        world.link(0, 1);
        world.settle();
        world.input(0, FolderInput::Release(device(2)));
        world.settle();
        world.assert_agreed();
        assert!(has(&world, 0, "gone") && has(&world, 0, "d/a"));
        assert_eq!(waiting(&world), []);
    });
}

#[test]
fn a_no_buries_it_everywhere() {
    for_seeds(|seed| {
        let mut world = away(seed);
        pass(&mut world, DAY * 365);
        world.link(0, 1);
        world.settle();
        world.input(0, FolderInput::Undo(device(2)));
        world.settle();
        world.assert_agreed();
        assert!(!has(&world, 1, "gone") && !has(&world, 1, "d/a"));
        assert!(has(&world, 1, "kept") && has(&world, 1, "new"));
        assert_eq!(waiting(&world), []);
    });
}

#[test]
fn an_absence_is_known_over_restarts_and_ends_a_day_after_the_return() {
    for_seeds(|seed| {
        let mut world = away(seed);
        let contact = world.replicas[0].store.contacts[&device(2)];
        assert_eq!(contact, Contact::default());
        // The machine was off for as long.
        let long = Contact {
            presence: Presence::Steady,
            silent_for: DAY * 60,
        };
        world.replicas[0].store.contacts.insert(device(2), long);
        world.restart(0);
        world.link(0, 1);
        world.settle();
        assert_eq!(waiting(&world), revived(2));
        world.input(0, FolderInput::Undo(device(2)));
        world.settle();
        pass(&mut world, DAY);
        assert_eq!(
            world.replicas[0].store.contacts[&device(2)],
            Contact::default()
        );
        // From now on it is like any other.
        world.unlink(0, 1);
        world.delete(0, "kept");
        world.write(1, "kept", file("edited again"), 7);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert!(has(&world, 0, "kept"));
    });
}

#[test]
fn what_takes_the_place_of_a_directory_brings_nothing_back() {
    for_seeds(|seed| {
        let mut world = World::new(2, seed);
        world.write(0, "d/a", file("a"), 1);
        world.settle();
        world.unlink(0, 1);
        world.delete(1, "d");
        world.write(1, "d", file("a file now"), 5);
        world.settle();
        pass(&mut world, DAY * 100);
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert!(has(&world, 0, "d"));
        assert_eq!(waiting(&world), []);
    });
}

#[test]
fn who_makes_anew_what_it_knew_to_be_deleted_brings_nothing_back() {
    for_seeds(|seed| {
        let mut world = World::new(2, seed);
        world.write(0, "gone", file("first"), 1);
        world.settle();
        world.delete(0, "gone");
        world.settle();
        world.unlink(0, 1);
        world.write(1, "gone", file("made anew"), 5);
        world.settle();
        pass(&mut world, DAY * 100);
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert!(has(&world, 0, "gone"));
    });
}
