//! A peer's edit under a name that somebody has given up, in all the ways in which names change hands.

use towline_wire::entry::Content;

use super::folder::world::{World, file, path};

fn for_seeds(check: impl Fn(u64)) {
    (0..60).for_each(check);
}

/// Devices that all have these files, and have lost each other.
fn apart(devices: u8, seed: u64, files: &[&str]) -> World {
    let mut world = World::new(devices, seed);
    for name in files {
        world.write(0, name, file(name), 1);
    }
    world.settle();
    world.assert_agreed();
    for (left, right) in world.pairs() {
        world.unlink(left, right);
    }
    world.settle();
    world
}

/// They meet again, and all is settled.
fn together(world: &mut World) {
    world.settle();
    for (left, right) in world.pairs() {
        world.link(left, right);
    }
    world.settle();
    world.assert_agreed();
}

/// The files of the first device by name, with the text that each holds, of these texts.
fn lies(world: &World, texts: &[&str]) -> Vec<(String, String)> {
    let nodes = world.replicas[0].disk.nodes.iter();
    nodes
        .filter(|(_, node)| node.content != Content::Directory)
        .map(|(path, node)| {
            let text = texts.iter().find(|text| file(text) == node.content);
            (path.to_string(), (*text.unwrap_or(&"?")).to_owned())
        })
        .collect()
}

fn expect(world: &World, texts: &[&str], expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(lies(world, texts), expected);
}

/// Whether a text lies somewhere on the first device.
fn is_somewhere(world: &World, text: &str) -> bool {
    lies(world, &[text]).iter().any(|(_, lies)| lies == text)
}

#[test]
fn an_edit_does_not_follow_over_what_a_followed_file_was_moved_over() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x", "other"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("edit"), 5);
        world.link(0, 1);
        let has_followed = |world: &World| {
            let rows = &world.replicas[0].store.rows;
            let row = rows.get(&path("y"));
            row.is_some_and(|row| row.entry.content == file("edit"))
        };
        while !has_followed(&world) {
            assert!(world.step(), "it follows");
        }
        world.unlink(0, 1);
        world.settle();
        world.move_over(0, &path("y"), &path("other"));
        let lies_there = world.replicas[1].disk.nodes.contains_key(&path("x"));
        if lies_there {
            world.write(1, "x", file("again"), 6);
        }
        together(&mut world);
        assert!(is_somewhere(&world, "edit"));
        assert!(!lies_there || is_somewhere(&world, "again"));
    });
}

#[test]
fn an_edit_follows_a_rename() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x", "other"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("edit"), 5);
        together(&mut world);
        expect(
            &world,
            &["edit", "other"],
            &[("other", "other"), ("y", "edit")],
        );
    });
}

#[test]
fn an_edit_follows_while_all_are_connected() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        together(&mut world);
        world.rename(0, "x", "y");
        world.write(1, "x", file("edit"), 5);
        world.settle();
        world.assert_agreed();
        assert!(is_somewhere(&world, "edit"));
    });
}

#[test]
fn an_edit_follows_a_chain_of_renames() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        for (from, to) in [("x", "y"), ("y", "z"), ("z", "end")] {
            world.rename(0, from, to);
            world.settle();
        }
        world.write(1, "x", file("edit"), 5);
        together(&mut world);
        expect(&world, &["edit"], &[("end", "edit")]);
    });
}

#[test]
fn later_edits_under_the_former_name_follow_too() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("first"), 5);
        world.settle();
        world.link(0, 1);
        for _ in 0..world.below(60) {
            world.step();
        }
        let is_there = world.replicas[1].disk.nodes.contains_key(&path("x"));
        world.write(1, if is_there { "x" } else { "y" }, file("second"), 6);
        world.settle();
        world.assert_agreed();
        assert!(is_somewhere(&world, "second"));
    });
}

#[test]
fn an_edit_deep_inside_follows_a_renamed_directory() {
    for_seeds(|seed| {
        let files = ["d/in/a", "d/in/b", "d/c", "d/e", "d/f"];
        let mut world = apart(2, seed, &files);
        world.rename(0, "d", "renamed");
        world.write(1, "d/in/b", file("edit"), 5);
        together(&mut world);
        let texts = ["d/in/a", "edit", "d/c", "d/e", "d/f"];
        let expected = [
            ("renamed/c", "d/c"),
            ("renamed/e", "d/e"),
            ("renamed/f", "d/f"),
            ("renamed/in/a", "d/in/a"),
            ("renamed/in/b", "edit"),
        ];
        expect(&world, &texts, &expected);
        let tree = world.tree(1);
        assert!(!tree.iter().any(|line| line.starts_with("d/")), "{tree:?}");
    });
}

#[test]
fn a_rename_against_a_rename_leaves_both_names() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.rename(1, "x", "z");
        together(&mut world);
        expect(&world, &["x"], &[("y", "x"), ("z", "x")]);
    });
}

#[test]
fn a_third_devices_edit_follows_to_both_names_or_one() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.rename(1, "x", "z");
        world.write(2, "x", file("edit"), 5);
        together(&mut world);
        assert!(is_somewhere(&world, "edit"), "{:?}", world.tree(0));
        let tree = world.tree(0);
        assert!(tree.len() >= 2, "{tree:?}");
    });
}

#[test]
fn a_swap_meets_an_edit() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["a", "b"]);
        world.rename(0, "a", "aside");
        world.rename(0, "b", "a");
        world.rename(0, "aside", "b");
        world.write(1, "a", file("edit"), 5);
        together(&mut world);
        for text in ["a", "b", "edit"] {
            assert!(is_somewhere(&world, text), "{text}: {:?}", world.tree(0));
        }
    });
}

#[test]
fn a_file_that_was_renamed_and_made_again_keeps_both() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(0, "x", file("new"), 4);
        world.write(1, "x", file("edit"), 5);
        together(&mut world);
        for text in ["x", "new", "edit"] {
            assert!(is_somewhere(&world, text), "{text}: {:?}", world.tree(0));
        }
    });
}

#[test]
fn files_moved_over_each_other_come_to_rest_with_both() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["a", "b"]);
        world.rename(0, "a", "b");
        world.rename(1, "b", "a");
        together(&mut world);
        for text in ["a", "b"] {
            assert!(is_somewhere(&world, text), "{text}: {:?}", world.tree(0));
        }
    });
}

#[test]
fn files_moved_in_a_circle_by_three_come_to_rest() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["a", "b", "c"]);
        world.rename(0, "a", "b");
        world.rename(1, "b", "c");
        world.rename(2, "c", "a");
        together(&mut world);
    });
}

#[test]
fn a_case_only_rename_meets_an_edit() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["Name"]);
        world.rename(0, "Name", "name");
        world.write(1, "Name", file("edit"), 5);
        together(&mut world);
        expect(&world, &["edit"], &[("name", "edit")]);
    });
}

#[test]
fn what_was_changed_since_at_the_new_name_is_not_replaced() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.settle();
        world.write(0, "y", file("mine"), 4);
        world.write(1, "x", file("edit"), 5);
        together(&mut world);
        expect(&world, &["mine", "edit"], &[("x", "edit"), ("y", "mine")]);
    });
}

#[test]
fn a_plain_delete_still_loses_against_an_edit() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x", "twin"]);
        world.delete(0, "x");
        world.write(1, "x", file("edit"), 5);
        together(&mut world);
        expect(
            &world,
            &["edit", "twin"],
            &[("twin", "twin"), ("x", "edit")],
        );
    });
}

#[test]
fn what_was_made_again_by_who_knew_of_the_delete_stays() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        together(&mut world);
        world.write(1, "x", file("new"), 5);
        world.settle();
        world.assert_agreed();
        expect(&world, &["x", "new"], &[("x", "new"), ("y", "x")]);
    });
}

#[test]
fn two_edits_of_a_renamed_file_are_both_kept() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("one"), 5);
        world.write(2, "x", file("two"), 6);
        together(&mut world);
        for text in ["one", "two"] {
            assert!(is_somewhere(&world, text), "{text}: {:?}", world.tree(0));
        }
    });
}

#[test]
fn a_crash_between_the_two_steps_changes_nothing() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("edit"), 5);
        world.settle();
        world.link(0, 1);
        let has_followed = |world: &World| {
            let departure = world.replicas[0].store.departures.get(&path("x"));
            departure.is_some_and(|departure| departure.followed == 1)
        };
        while !has_followed(&world) {
            assert!(world.step(), "the edit never followed");
        }
        assert!(world.replicas[0].store.needs.contains(&path("x")));
        world.restart(0);
        world.settle();
        world.assert_agreed();
        expect(&world, &["edit"], &[("y", "edit")]);
    });
}

#[test]
fn an_edit_follows_through_a_third_device_whichever_it_hears_of_first() {
    for_seeds(|seed| {
        for first in [0, 2] {
            let mut world = apart(3, seed, &["x", "other"]);
            world.rename(0, "x", "y");
            world.write(2, "x", file("edit"), 5);
            world.settle();
            world.link(first, 1);
            world.settle();
            world.link(2 - first, 1);
            world.settle();
            world.assert_agreed();
            let expected = [("other", "other"), ("y", "edit")];
            expect(&world, &["edit", "other"], &expected);
        }
    });
}

#[test]
fn an_edit_deep_inside_follows_a_renamed_directory_through_a_third_device() {
    for_seeds(|seed| {
        for first in [0, 2] {
            let mut world = apart(3, seed, &["d/in/a", "d/in/b"]);
            world.rename(0, "d", "renamed");
            world.write(2, "d/in/b", file("edit"), 5);
            world.settle();
            world.link(first, 1);
            world.settle();
            world.link(2 - first, 1);
            world.settle();
            world.assert_agreed();
            let expected = [("renamed/in/a", "d/in/a"), ("renamed/in/b", "edit")];
            expect(&world, &["d/in/a", "edit"], &expected);
        }
    });
}

#[test]
fn an_edit_of_an_edit_by_somebody_else_follows() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("first"), 5);
        world.settle();
        world.link(1, 2);
        world.settle();
        world.write(2, "x", file("second"), 6);
        world.settle();
        world.unlink(1, 2);
        world.link(2, 0);
        world.settle();
        expect(&world, &["second"], &[("y", "second")]);
        together(&mut world);
        expect(&world, &["second"], &[("y", "second")]);
    });
}

#[test]
fn an_edit_that_was_saved_again_and_again_follows() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        for save in 0..20 {
            world.write(1, "x", file(&format!("save {save}")), 5 + save);
            world.settle();
        }
        together(&mut world);
        expect(&world, &["save 19"], &[("y", "save 19")]);
    });
}

#[test]
fn what_knows_of_a_moved_file_and_was_not_made_of_it_stays() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &[]);
        world.write(0, "x", file("moved"), 5);
        world.settle();
        world.link(0, 1);
        world.settle();
        world.unlink(0, 1);
        world.write(2, "x", file("other"), 1);
        // The delete knows the moved file, and loses to the other one, which knows it then.
        world.delete(1, "x");
        world.rename(0, "x", "y");
        world.settle();
        world.link(1, 2);
        world.settle();
        together(&mut world);
        let expected = [("x", "other"), ("y", "moved")];
        expect(&world, &["moved", "other"], &expected);
    });
}

#[test]
fn what_is_written_anew_where_it_was_moved_from_too_stays() {
    for_seeds(|seed| {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.rename(1, "x", "z");
        world.settle();
        world.write(1, "x", file("new"), 5);
        together(&mut world);
        let expected = [("x", "new"), ("y", "x"), ("z", "x")];
        expect(&world, &["x", "new"], &expected);
    });
}

#[test]
fn an_edit_follows_to_every_name_that_its_file_was_given() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.rename(1, "x", "z");
        world.write(2, "x", file("edit"), 5);
        world.settle();
        world.link(0, 2);
        world.settle();
        let expected = [("y", "edit")];
        expect(&world, &["edit"], &expected);
        together(&mut world);
        assert!(is_somewhere(&world, "edit"), "{:?}", world.tree(0));
    });
}

#[test]
fn an_edit_follows_on_to_where_the_moved_file_was_moved_by_another() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.settle();
        world.link(0, 1);
        world.settle();
        world.unlink(0, 1);
        world.rename(1, "y", "z");
        world.write(2, "x", file("edit"), 5);
        world.settle();
        world.link(0, 2);
        world.settle();
        expect(&world, &["edit"], &[("y", "edit")]);
        together(&mut world);
        expect(&world, &["edit"], &[("z", "edit")]);
    });
}

#[test]
fn a_file_that_two_move_round_while_a_third_writes_to_it_comes_to_rest() {
    for_seeds(|seed| {
        let mut world = apart(3, seed, &["x"]);
        world.rename(0, "x", "y");
        world.settle();
        world.link(0, 1);
        world.settle();
        world.unlink(0, 1);
        world.rename(1, "y", "x");
        world.write(2, "x", file("edit"), 5);
        together(&mut world);
        assert!(is_somewhere(&world, "edit"), "{:?}", world.tree(0));
    });
}

#[test]
fn what_a_peer_has_moved_on_is_no_reason_to_give_up_a_name() {
    let mut met = 0;
    for seed in 0..60 {
        let mut world = apart(2, seed, &["x"]);
        world.rename(0, "x", "y");
        world.write(1, "x", file("edit"), 5);
        world.settle();
        world.link(0, 1);
        let lies = |world: &World, at: usize, name: &str| {
            let node = world.replicas[at].disk.nodes.get(&path(name));
            node.is_some_and(|node| node.content == file("edit"))
        };
        while !lies(&world, 1, "y") && world.step() {}
        if !lies(&world, 1, "x") || !lies(&world, 1, "y") {
            continue;
        }
        met += 1;
        // The edit lies under both names, and is about to go from the former one.
        world.unlink(0, 1);
        world.rename(1, "x", "k");
        world.rename(1, "y", "x");
        together(&mut world);
        expect(&world, &["edit"], &[("k", "edit"), ("x", "edit")]);
    }
    assert!(met > 10, "{met}");
}
