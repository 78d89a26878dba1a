//! The folder's rules, each in a small world; and random people in a world that must converge.

pub(crate) mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use towline_wire::entry::{Attributes, Content, Descent, Dot, Entry, UnixNanos, VersionVector};
use towline_wire::ids::{Incarnation, Sequence};
use towline_wire::limits::VERSION_COUNTER_MAX;
use towline_wire::peer::IndexPage;

use crate::folder::FolderInput;
use crate::folder::conflict::{Detail, conflict_path};
use crate::io::{DiskEvent, RootFault};
use crate::records::ConflictPlace;
use crate::snapshot::FolderState;
use world::{Echo, FOLDER, World, actor, device, file, hash, path, symlink};

/// Two devices that agree on a small tree.
fn two(seed: u64) -> World {
    let mut world = World::new(2, seed);
    world.write(0, "d/a", file("a"), 1);
    world.write(0, "d/b", file("b"), 1);
    world.write(0, "top.txt", file("top"), 1);
    world.settle();
    world.assert_agreed();
    world
}

pub(super) fn for_seeds(check: impl Fn(u64)) {
    (0..40).for_each(check);
}

#[test]
fn a_tree_arrives_whole_and_then_all_is_silent() {
    for_seeds(|seed| {
        let mut world = two(seed);
        assert_eq!(world.tree(1).len(), 4);
        let marks = world.marks();
        world.input(0, FolderInput::Rescan);
        world.input(1, FolderInput::Rescan);
        world.settle();
        assert_eq!(world.marks(), marks, "a rescan is no change");
        for at in 0..2 {
            world.restart(at);
        }
        world.settle();
        assert_eq!(world.marks(), marks, "a restart is no change");
        assert_eq!(
            world.replicas[0].folder.summary().state,
            FolderState::InSync
        );
    });
}

#[test]
fn an_edit_wins_by_causality_whatever_its_clock_says() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.write(1, "top.txt", file("newer with an older clock"), -1_000_000);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.conflict_copies(0), 0);
        assert!(world.tree(0).iter().any(|line| line.contains("-1000000")));
    });
}

#[test]
fn two_edits_keep_both_versions_on_both_devices() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "top.txt", file("mine"), 10);
        world.write(1, "top.txt", file("yours"), 20);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0);
        assert_eq!(world.conflict_copies(0), 1, "{tree:?}");
        let winner = &hash("yours").to_string()[..6];
        assert!(
            tree.iter()
                .any(|line| line.starts_with(&format!("top.txt {winner}"))),
            "{tree:?}"
        );
        assert!(
            tree.iter()
                .any(|line| line.contains(&hash("mine").to_string()[..6])),
            "{tree:?}"
        );
    });
}

#[test]
fn three_edits_make_three_versions_and_no_more() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        world.write(0, "x.txt", file("base"), 1);
        world.settle();
        for (left, right) in world.pairs() {
            world.unlink(left, right);
        }
        for (at, text) in ["one", "two", "three"].into_iter().enumerate() {
            world.write(at, "x.txt", file(text), 5);
        }
        world.settle();
        for (left, right) in world.pairs() {
            world.link(left, right);
        }
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(0).len(), 3, "{:?}", world.tree(0));
    });
}

#[test]
fn an_edit_to_a_conflict_copy_is_an_edit_like_any_other() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "top.txt", file("mine"), 10);
        world.write(1, "top.txt", file("yours"), 20);
        world.settle();
        world.link(0, 1);
        world.settle();
        let name = world
            .tree(0)
            .into_iter()
            .find(|line| line.contains(".conflict-"))
            .unwrap();
        let name = name.split(' ').next().unwrap().to_owned();
        world.write(0, &name, file("looked into"), 30);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.conflict_copies(1), 1);
        world.delete(1, &name);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.conflict_copies(0), 0);
    });
}

#[test]
fn equal_bytes_are_no_conflict_and_metadata_joins() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "top.txt", file("same"), 10);
        let executable = Content::File {
            size: 4,
            hash: hash("same"),
            executable: true,
            attributes: Attributes::default(),
        };
        world.write(1, "top.txt", executable, 5);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert_eq!(world.conflict_copies(0), 0);
        assert!(
            world.tree(0).iter().any(|line| line.ends_with("true 10")),
            "{:?}",
            world.tree(0)
        );
    });
}

#[test]
fn a_lost_executable_bit_is_a_change_of_its_own() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        let executable = Content::File {
            size: 1,
            hash: hash("s"),
            executable: true,
            attributes: Attributes::default(),
        };
        world.write(0, "s", executable, 1);
        world.settle();
        world.write(
            1,
            "s",
            Content::File {
                size: 1,
                hash: hash("s"),
                executable: false,
                attributes: Attributes::default(),
            },
            1,
        );
        world.settle();
        world.assert_agreed();
        assert!(world.tree(2)[0].ends_with("false 1"), "{:?}", world.tree(2));
    });
}

#[test]
fn an_edit_beats_a_delete() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.delete(0, "top.txt");
        world.write(1, "top.txt", file("kept"), 2);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        assert!(
            world
                .tree(0)
                .iter()
                .any(|line| line.starts_with("top.txt "))
        );
        assert_eq!(world.conflict_copies(0), 0);
    });
}

#[test]
fn an_edit_deep_inside_a_deleted_directory_returns_alone() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.write(0, "d/e/f/deep", file("deep"), 1);
        world.write(0, "d/e/f/other", file("other"), 1);
        world.settle();
        world.unlink(0, 1);
        world.delete(0, "d");
        world.write(1, "d/e/f/deep", file("edited"), 2);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        let names: Vec<String> = world
            .tree(0)
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["d/", "d/e/", "d/e/f/", "d/e/f/deep", "top.txt"]);
    });
}

#[test]
fn a_deleted_directory_goes_everywhere_and_stays_gone() {
    for_seeds(|seed| {
        let mut world = two(seed);
        for name in ["d/k/1", "d/k/2", "d/k/l/3", "d/m/4", "d-5", "d.6"] {
            world.write(0, name, file(name), 1);
        }
        world.settle();
        world.delete(1, "d");
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(0).len(), 3, "{:?}", world.tree(0));
        world.input(0, FolderInput::Rescan);
        world.restart(1);
        world.settle();
        assert_eq!(world.tree(1).len(), 3);
    });
}

#[test]
fn kinds_change_into_each_other_without_a_person() {
    let kinds = [
        ("file", file("as a file")),
        ("symlink", symlink("elsewhere")),
        ("directory", Content::Directory),
    ];
    for_seeds(|seed| {
        for (from, first) in &kinds {
            for (to, second) in &kinds {
                let mut world = two(seed);
                world.write(0, "k", first.clone(), 1);
                world.settle();
                if *from == "directory" {
                    world.write(0, "k/inner/x", file("x"), 1);
                    world.settle();
                }
                world.write(1, "k", second.clone(), 2);
                world.settle();
                world.assert_agreed();
                assert_eq!(world.conflict_copies(0), 0, "{from} to {to}");
            }
        }
    });
}

#[test]
fn a_directory_beats_a_file_and_the_file_is_kept() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "new", file("a file"), 9);
        world.write(1, "new/child", file("child"), 1);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0);
        assert!(tree.contains(&"new/".to_owned()), "{tree:?}");
        assert_eq!(world.conflict_copies(0), 1, "{tree:?}");
    });
}

#[test]
fn an_inner_edit_survives_its_directory_becoming_a_file() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.write(0, "d", file("now a file"), 9);
        world.write(1, "d/a", file("edited inside"), 3);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0).join("\n");
        for text in ["now a file", "edited inside"] {
            assert!(
                tree.contains(&hash(text).to_string()[..6]),
                "{text}: {tree}"
            );
        }
    });
}

#[test]
fn a_rename_needs_no_source() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.unlink(0, 1);
        world.delete(0, "d/a");
        world.write(0, "d/z", file("a"), 1);
        world.settle();
        world.link(0, 1);
        let steps = world.replicas[1].disk.steps;
        world.settle();
        world.assert_agreed();
        assert_eq!(world.replicas[1].disk.steps - steps, 2);
        assert_eq!(world.replicas[1].disk.moves, 1);
        assert_eq!(world.conflict_copies(1), 0);
    });
}

#[test]
fn a_directory_that_is_needed_where_a_file_was_moved_from_is_made_by_one_step() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        world.write(0, "x/child", file("child"), 1);
        world.settle();
        world.unlink(0, 1);
        world.unlink(0, 2);
        world.write(1, "x", file("moved"), 5);
        world.settle();
        world.unlink(1, 2);
        world.rename(2, "x", "z");
        world.write(0, "x/child", file("edited"), 3);
        world.settle();
        // What both have done is planned together.
        let root = |root| FolderInput::Disk(DiskEvent::Root(root));
        world.input(1, root(Err(RootFault::Missing)));
        world.link(0, 1);
        world.link(1, 2);
        world.settle();
        world.input(1, root(Ok(None)));
        world.settle();
        world.link(0, 2);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(1).join("\n");
        for (at, text) in [("x/child", "edited"), ("z", "moved")] {
            let line = format!("{at} {}", &hash(text).to_string()[..6]);
            assert!(tree.contains(&line), "{line}: {tree}");
        }
    });
}

#[test]
fn a_lost_root_deletes_nothing_and_goes_on_when_it_is_back() {
    for_seeds(|seed| {
        let mut world = two(seed);
        let rows = world.replicas[0].store.rows.clone();
        let nodes = std::mem::take(&mut world.replicas[0].disk.nodes);
        world.input(0, FolderInput::Rescan);
        world.input(
            0,
            FolderInput::Disk(DiskEvent::Root(Err(RootFault::Missing))),
        );
        world.settle();
        assert_eq!(world.replicas[0].store.rows, rows);
        let state = world.replicas[0].folder.summary().state;
        assert_eq!(state, FolderState::Paused(RootFault::Missing));
        world.write(1, "d/later", file("later"), 3);
        world.settle();
        assert!(
            world.replicas[0].disk.nodes.is_empty(),
            "nothing is applied to a lost root"
        );
        world.replicas[0].disk.nodes = nodes;
        world.input(0, FolderInput::Disk(DiskEvent::Root(Ok(None))));
        world.settle();
        world.assert_agreed();
        assert_eq!(world.tree(0).len(), 5);
    });
}

#[test]
fn a_tombstone_is_never_undone_by_a_device_that_was_away() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        world.write(0, "x", file("x"), 1);
        world.settle();
        world.unlink(0, 2);
        world.unlink(1, 2);
        world.delete(0, "x");
        world.settle();
        world.restart(2);
        world.input(2, FolderInput::Rescan);
        world.settle();
        world.link(1, 2);
        world.settle();
        world.link(0, 2);
        world.settle();
        world.assert_agreed();
        assert!(world.tree(2).is_empty());
    });
}

#[test]
fn an_unseen_local_edit_makes_a_step_stale_and_wins_its_place_or_is_kept() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.write(0, "top.txt", file("from afar"), 5);
        // The other person's write is on disk before the watcher has told of it.
        let disk = &mut world.replicas[1].disk;
        disk.put(&path("top.txt"), file("unseen"), 4);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(1).join("\n");
        for text in ["from afar", "unseen"] {
            assert!(
                tree.contains(&hash(text).to_string()[..6]),
                "{text}: {tree}"
            );
        }
    });
}

#[test]
fn a_copy_moved_back_over_the_name_it_lost_is_kept() {
    for_seeds(|seed| {
        let mut world = two(seed);
        let top = path("top.txt");
        let row = &world.replicas[1].store.rows[&top];
        let copy = conflict_path(&row.entry, Detail::Short, ConflictPlace::Inbox).unwrap();
        world.write(0, copy.as_str(), file("top"), 1);
        world.settle();
        world.write(0, "top.txt", file("from afar"), 5);
        world.move_over(1, &copy, &top);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0).join("\n");
        for text in ["from afar", "top"] {
            assert!(
                tree.contains(&hash(text).to_string()[..6]),
                "{text}: {tree}"
            );
        }
    });
}

#[test]
fn a_copy_that_is_relied_on_again_outlives_its_delete() {
    for_seeds(|seed| {
        let mut world = World::new(3, seed);
        let top = path("top.txt");
        world.write(1, "top.txt", file("old"), 1);
        world.settle();
        let row = &world.replicas[1].store.rows[&top];
        let copy = conflict_path(&row.entry, Detail::Short, ConflictPlace::Inbox).unwrap();
        world.write(0, copy.as_str(), file("old"), 1);
        world.write(0, "top.txt", file("new"), 2);
        world.settle();
        // Who holds the copy also settles the conflict, and tells of it.
        world.unlink(1, 2);
        world.move_over(1, &copy, &top);
        world.write(2, "top.txt", file("newest"), 9);
        world.settle();
        world.assert_agreed();
        let tree = world.tree(0).join("\n");
        assert!(tree.contains(&hash("old").to_string()[..6]), "{tree}");
    });
}

#[test]
fn a_directory_that_a_step_makes_again_while_its_going_is_judged_is_seen() {
    for_seeds(|seed| {
        let mut world = two(seed);
        world.replicas[0].disk.echo = Echo::Silent;
        world.delete(0, "d");
        assert!(world.step(), "the scan begins");
        let seen = std::mem::take(&mut world.replicas[0].disk.events);
        world.write(1, "d/c", file("c"), 2);
        world.settle();
        world.replicas[0].disk.events = seen;
        world.settle();
        world.assert_agreed();
        assert!(world.tree(0).iter().any(|line| line.starts_with("d/c")));
    });
}

#[test]
fn what_goes_before_the_row_of_its_step_is_durable_is_seen_to_go() {
    for_seeds(|seed| {
        let mut world = World::new(2, seed);
        world.replicas[1].disk.echo = Echo::Silent;
        world.write(0, "d/f", file("bytes"), 1);
        while !world.makes_durable(1, "d/f") {
            assert!(world.step(), "the step is done");
        }
        world.delete(1, "d");
        world.hear(1);
        world.settle();
        world.assert_agreed();
        assert!(world.tree(1).is_empty());
    });
}

#[test]
fn what_holds_others_is_told_first_in_whatever_order_steps_end() {
    for_seeds(|seed| {
        let mut world = World::new(2, seed);
        world.replicas[1].disk.echo = Echo::Silent;
        world.write(0, "d", Content::Directory, 1);
        world.write(0, "d/d", Content::Directory, 1);
        while world.replicas[1].disk.steps() < 2 {
            assert!(world.step(), "both steps are given");
        }
        world.tell_last_step_first(1);
        assert!(!world.replicas[1].store.rows.contains_key(&path("d/d")));
        world.settle();
        world.assert_agreed();
    });
}

#[test]
fn the_index_goes_on_where_it_was_after_a_restart() {
    for_seeds(|seed| {
        let mut world = two(seed);
        let have = world.replicas[1].folder.have(device(1)).unwrap();
        world.restart(1);
        assert_eq!(world.replicas[1].folder.have(device(1)), Some(have));
        let persisted = world.replicas[1].store.persisted;
        world.settle();
        assert_eq!(
            world.replicas[1].store.persisted, persisted,
            "nothing is told twice"
        );
    });
}

#[test]
fn a_new_incarnation_tells_everything_anew() {
    for_seeds(|seed| {
        let mut world = two(seed);
        let mut again = actor(1);
        again.incarnation = Incarnation(2);
        world.input(0, FolderInput::NewIncarnation(again));
        world.settle();
        assert_eq!(
            world.replicas[1].folder.have(device(1)).unwrap().0,
            Incarnation(2)
        );
        world.write(0, "top.txt", file("after"), 3);
        world.settle();
        world.assert_agreed();
    });
}

fn page_of(world: &World, after: u64, up_to: u64, entries: Vec<Entry>) -> FolderInput {
    let (incarnation, _) = world.replicas[1].folder.have(device(1)).unwrap();
    let (after, up_to) = (Sequence(after), Sequence(up_to));
    let page = IndexPage {
        folder: FOLDER,
        incarnation,
        after,
        up_to,
        entries,
    };
    FolderInput::PageReceived(device(1), page)
}

#[test]
fn a_page_that_is_known_is_only_acknowledged() {
    let mut world = two(1);
    let persisted = world.replicas[1].store.persisted;
    let again = page_of(&world, 0, 2, Vec::new());
    world.input(1, again);
    assert_eq!(world.wires[&(1, 0)].len(), 1);
    world.settle();
    assert_eq!(world.replicas[1].store.persisted, persisted);
    world.assert_agreed();
}

#[test]
fn a_gap_a_lie_and_a_flood_close_the_link() {
    let lie = |version: VersionVector, author: Dot| Entry {
        path: path("lie"),
        version,
        author,
        content: file("lie"),
        mtime: UnixNanos(0),
        descent: Descent::none(),
    };
    let first = Dot {
        actor: actor(1),
        counter: 1,
    };
    let absurd = VersionVector::try_from(vec![(actor(1), VERSION_COUNTER_MAX)]).unwrap();
    for (after, up_to, entries) in [
        (900, 901, vec![]),
        (9, 3, vec![]),
        (4, 5, vec![lie(VersionVector::new(), first)]),
        (4, 5, vec![lie(absurd, first)]),
    ] {
        let mut world = two(1);
        let bad = page_of(&world, after, up_to, entries);
        world.input(1, bad);
        world.settle();
        assert_eq!(world.hangups, 1);
        assert!(!world.replicas[1].store.theirs.contains_key(&path("lie")));
    }
    let mut world = two(1);
    for _ in 0..50 {
        let page = page_of(&world, 4, 5, Vec::new());
        world.input(1, page);
    }
    world.settle();
    assert!(world.hangups > 0);
}

#[test]
fn what_no_connected_peer_has_waits_in_silence() {
    let mut world = World::new(3, 3);
    world.unlink(0, 2);
    world.unlink(1, 2);
    world.write(0, "x", file("x"), 1);
    world.settle();
    // Device 3 learns of x from 2, which leaves before a byte has come.
    world.link(1, 2);
    while world.replicas[2].store.needs.is_empty() {
        assert!(world.step());
    }
    world.unlink(1, 2);
    world.settle();
    assert!(world.replicas[2].disk.nodes.is_empty());
    assert_eq!(
        world.replicas[2].folder.summary().state,
        FolderState::Waiting
    );
    world.link(0, 2);
    world.settle();
    assert_eq!(world.tree(2), world.tree(0));
}

#[test]
fn the_whole_root_is_looked_at_every_hour() {
    let mut world = two(1);
    let scans = world.replicas[0].disk.scans;
    world.advance_to(world.now.after(Duration::from_secs(3601)));
    world.settle();
    assert_eq!(world.replicas[0].disk.scans, scans + 1);
}

// --- random people -------------------------------------------------------------------------------

/// What people have written and what they have, knowingly, replaced.
#[derive(Default)]
struct Oracle {
    written: u32,
    live: BTreeSet<String>,
}

impl Oracle {
    /// A person does something; what lies there on their own disk is replaced by their own will.
    fn act(&mut self, world: &mut World) {
        let at = world.below(world.replicas.len());
        let names = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f/a", "f"];
        let name = names[world.below(names.len())];
        let doing = world.below(10);
        for (path, node) in &world.replicas[at].disk.nodes {
            let hit = path.as_str() == name || path.as_str().starts_with(&format!("{name}/"));
            // A file in the way of a parent goes as well.
            let above = name.starts_with(&format!("{path}/"));
            if let (Content::File { hash, .. }, true) = (&node.content, hit || (above && doing > 2))
            {
                self.live.remove(&hash.to_string());
            }
        }
        match doing {
            0..=2 => world.delete(at, name),
            3 => world.write(at, name, Content::Directory, 0),
            4 => world.write(at, name, symlink("target"), 1),
            _ => {
                self.written += 1;
                let text = format!("text {}", self.written);
                let mtime = i64::try_from(world.below(5)).unwrap();
                self.live.insert(hash(&text).to_string());
                world.write(at, name, file(&text), mtime);
            }
        }
    }

    fn assert_nothing_lost(&self, world: &World) {
        let tree: BTreeSet<String> = world.replicas[0]
            .disk
            .nodes
            .values()
            .filter_map(|node| match &node.content {
                Content::File { hash, .. } => Some(hash.to_string()),
                Content::Absent | Content::Directory | Content::Symlink { .. } => None,
            })
            .collect();
        for hash in &self.live {
            assert!(
                tree.contains(hash),
                "{} is lost: {:?}",
                &hash[..6],
                world.tree(0)
            );
        }
    }
}

/// Names the seed of a run that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed is {}", self.0);
        }
    }
}

/// Who is a peer of whom.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peers {
    /// Everybody of everybody.
    All,
    /// Each only of the next.
    Row,
}

fn random_people(devices: u8, peers: Peers, seed: u64) {
    let _seed = Seed(seed);
    let mut world = World::new(devices, seed);
    let mut pairs = world.pairs();
    if peers == Peers::Row {
        for (left, right) in pairs.clone() {
            if left + 1 != right {
                world.unlink(left, right);
            }
        }
        pairs.retain(|(left, right)| left + 1 == *right);
    }
    let mut oracle = Oracle::default();
    for _ in 0..30 {
        match world.below(13) {
            0 => {
                let (left, right) = pairs[world.below(pairs.len())];
                world.unlink(left, right);
            }
            1 => {
                let (left, right) = pairs[world.below(pairs.len())];
                if !world.linked.contains(&(left, right)) {
                    world.link(left, right);
                }
            }
            2 => {
                let at = world.below(world.replicas.len());
                world.restart(at);
            }
            3 => {
                // A disk that is pulled out and comes back in a while.
                let at = world.below(world.replicas.len());
                world.input(
                    at,
                    FolderInput::Disk(DiskEvent::Root(Err(RootFault::Missing))),
                );
                for _ in 0..world.below(40) {
                    world.step();
                }
                world.input(at, FolderInput::Disk(DiskEvent::Root(Ok(None))));
            }
            _ => oracle.act(&mut world),
        }
        for _ in 0..world.below(60) {
            world.step();
        }
    }
    for (left, right) in pairs {
        if !world.linked.contains(&(left, right)) {
            world.link(left, right);
        }
    }
    world.settle();
    world.assert_agreed();
    oracle.assert_nothing_lost(&world);
    let marks = world.marks();
    for at in 0..world.replicas.len() {
        world.restart(at);
    }
    world.settle();
    assert_eq!(world.marks(), marks, "a restart is no change");
}

#[test]
fn two_devices_with_random_people_agree_and_lose_nothing() {
    seeds().for_each(|seed| random_people(2, Peers::All, seed));
}

#[test]
fn three_devices_with_random_people_agree_and_lose_nothing() {
    seeds().for_each(|seed| random_people(3, Peers::All, seed));
}

#[test]
fn four_devices_in_a_row_with_random_people_agree_and_lose_nothing() {
    seeds().for_each(|seed| random_people(4, Peers::Row, seed));
}

/// Seeds that once failed: 3995, a directory that goes by one event while a step below it ends.
const REGRESSIONS: [u64; 1] = [3995];

/// Enough to meet every pair of rules in a few seconds; building with `TOWLINE_SEEDS=0..100000` runs
/// others.
fn seeds() -> impl Iterator<Item = u64> {
    let range = option_env!("TOWLINE_SEEDS").and_then(|range| range.split_once(".."));
    let bounds = range.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let range = bounds.map_or(0..300, |(from, to)| from..to);
    range.chain(REGRESSIONS)
}
