//! Ignore rules in small worlds: what is ignored is left alone everywhere, and all else agrees.

use towline_wire::entry::Content;

use super::folder::world::{World, file, path};
use crate::folder::FolderInput;
use crate::folder::rules::{RULES_FILE, RuleSet, Rules, Shape};
use crate::io::HeldReason;
use crate::records::FolderSettings;
use crate::snapshot::FolderState;

fn local(text: &str) -> impl FnOnce(&mut FolderSettings) {
    move |settings| text.clone_into(&mut settings.local_rules)
}

/// Two devices that agree on a small tree.
fn two(seed: u64) -> World {
    let mut world = World::new(2, seed);
    for name in ["d/a", "d/b.tmp", "e/x.tmp", "top.txt", "top.tmp"] {
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

#[test]
fn shared_rules_travel_and_what_they_ignore_is_left_alone() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.share_rules(0, "*.tmp\n", 2);
        world.write(0, "same/moment.tmp", file("never told"), 2);
        world.settle();
        world.write(0, "new.tmp", file("here only"), 3);
        world.write(0, "top.tmp", file("changed here"), 3);
        world.delete(1, "d/b.tmp");
        world.write(1, "also/new.txt", file("goes there"), 3);
        world.settle();
        for at in 0..2 {
            assert!(lies(&world, at, RULES_FILE).is_some());
            assert!(lies(&world, at, "also/new.txt").is_some());
            assert!(held(&world, at).is_empty());
            let summary = world.replicas[at].folder.summary();
            assert_eq!(summary.state, FolderState::InSync, "{at}");
        }
        assert_eq!(lies(&world, 1, "same/moment.tmp"), None);
        assert_eq!(lies(&world, 1, "new.tmp"), None);
        assert_eq!(lies(&world, 1, "top.tmp"), Some(file("top.tmp")));
        assert_eq!(lies(&world, 0, "d/b.tmp"), Some(file("d/b.tmp")));
        let marks = world.marks();
        world.restart(0);
        world.restart(1);
        world.settle();
        assert_eq!(world.marks(), marks, "a restart is no change");
    });
}

#[test]
fn what_is_ignored_no_longer_is_compared_again_and_nothing_is_deleted() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.configure(0, local("*.tmp\n"));
        world.settle();
        world.delete(0, "d/b.tmp");
        world.delete(0, "e");
        world.write(0, "top.tmp", file("changed while ignored"), 3);
        world.write(0, "new.tmp", file("made while ignored"), 3);
        if seed % 2 == 0 {
            world.write(1, "e/x.tmp", file("changed there meanwhile"), 4);
        }
        world.settle();
        if seed % 3 == 0 {
            world.restart(0);
            world.settle();
        }
        assert!(lies(&world, 1, "d/b.tmp").is_some());
        world.configure(0, local(""));
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 0, "d/b.tmp"), Some(file("d/b.tmp")));
        assert_eq!(lies(&world, 1, "new.tmp"), Some(file("made while ignored")));
        assert_eq!(
            lies(&world, 1, "top.tmp"),
            Some(file("changed while ignored"))
        );
    });
}

#[test]
fn what_went_while_it_was_ignored_and_nobody_else_has_is_gone() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "only.tmp", file("only here"), 2);
        world.settle();
        world.configure(0, local("*.tmp\n"));
        world.settle();
        world.delete(0, "only.tmp");
        world.configure(0, local(""));
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(lies(&world, 1, "only.tmp"), None);
    });
}

#[test]
fn local_rules_re_include_what_shared_ones_ignore() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.share_rules(0, "*.log\n", 2);
        world.configure(0, local("!keep.log\n"));
        world.configure(1, local("!keep.log\n"));
        world.settle();
        world.write(0, "keep.log", file("kept"), 3);
        world.write(0, "other.log", file("not"), 3);
        world.settle();
        assert_eq!(lies(&world, 1, "keep.log"), Some(file("kept")));
        assert_eq!(lies(&world, 1, "other.log"), None);
    });
}

#[test]
fn a_directory_that_a_peer_deletes_stays_with_what_is_ignored_in_it() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.share_rules(0, "*.tmp\n", 2);
        world.settle();
        world.delete(1, "d/b.tmp");
        world.delete(1, "d");
        world.settle();
        assert_eq!(lies(&world, 0, "d/a"), None);
        assert!(lies(&world, 0, "d/b.tmp").is_some());
        assert_eq!(lies(&world, 1, "d"), None, "nobody brings it back");
        assert_eq!(held(&world, 0), [("d".to_owned(), HeldReason::Ignored)]);
        let marks = world.marks();
        world.input(0, FolderInput::Rescan);
        world.settle();
        assert_eq!(world.marks(), marks, "and it is silent");
        world.delete(0, "d/b.tmp");
        world.settle();
        let again = world.replicas[0].folder.poll_timeout().unwrap();
        world.advance_to(again);
        world.settle();
        assert_eq!(lies(&world, 0, "d"), None);
        assert!(held(&world, 0).is_empty());
        assert_eq!(lies(&world, 0, "e/x.tmp"), Some(file("e/x.tmp")));
    });
}

#[test]
fn random_people_with_rules_lose_nothing_and_agree_without_them() {
    (0..300).for_each(|seed| {
        let mut world = World::new(3, seed);
        let names = [
            "a",
            "b.tmp",
            "d/c",
            "d/e.tmp",
            "d/f/g",
            "d/f/h.tmp",
            "k.log",
        ];
        let texts = [
            "*.tmp\n",
            "d/\n",
            "*.log\n!k.log\n",
            "d/f\n",
            "",
            "/*\n!/a\n",
        ];
        for turn in 0..25 {
            let at = world.below(3);
            let name = names[world.below(names.len())];
            let text = texts[world.below(texts.len())];
            match world.below(8) {
                0 => world.share_rules(at, text, turn),
                1 => world.configure(at, local(text)),
                2 => world.delete(at, name),
                3 => world.restart(at),
                _ => world.write(at, name, file(&format!("{name} {turn}")), turn),
            }
            for _ in 0..world.below(60) {
                world.step();
            }
        }
        world.settle();
        rules_hold(&world, seed);
        for at in 0..3 {
            world.configure(at, local(""));
        }
        world.share_rules(0, "", 100);
        world.settle();
        world.settle();
        world.assert_agreed();
    });
}

/// What no device ignores is the same on all.
fn rules_hold(world: &World, seed: u64) {
    let rules: Vec<Rules> = (world.replicas.iter())
        .map(|replica| Rules {
            shared: RuleSet::parse(&replica.disk.shared_text()),
            local: RuleSet::parse(&replica.store.settings.local_rules),
        })
        .collect();
    let all = |text: &str| {
        let either = [Shape::Directory, Shape::Other];
        let ignores = |rules: &Rules| either.iter().any(|shape| rules.ignore(&path(text), *shape));
        !rules.iter().any(ignores)
    };
    for text in [
        "a",
        "b.tmp",
        "d/c",
        "d/e.tmp",
        "d/f/g",
        "d/f/h.tmp",
        "k.log",
    ] {
        if all(text) {
            let here: Vec<_> = (0..3).map(|at| lies(world, at, text)).collect();
            assert!(
                here.iter().all(|lies| *lies == here[0]),
                "seed {seed}: {text} {here:?}"
            );
        }
    }
}
