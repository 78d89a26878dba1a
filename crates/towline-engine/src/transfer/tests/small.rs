//! Many small files.

use towline_core::io::{Expected, Outcome, Step};
use towline_wire::entry::{Attributes, Content};

use super::super::apply::TransferFault;
use super::super::chunks::hash_of;
use super::world::{FOLDER, Shelf, World, fetcher_id, is_done, make, noise, path};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_small_files_arrive_from_two_sources() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let sources = [world.source(1, &shelf).await, world.source(2, &shelf).await];
    let mut steps = vec![make("d", Content::Directory, &[])];
    let mut wanted = Vec::new();
    for number in 0..2000_u64 {
        // Every tenth is like its neighbour, some are empty.
        let bytes = noise(
            (number as usize * 7) % 16_384,
            if number % 10 == 9 { 0 } else { number },
        );
        let name = format!("d/{number}");
        let content = shelf.add(&name, &bytes);
        steps.push(make(&name, content, &sources));
        wanted.push((name, bytes));
    }
    let came = world.apply(steps).await;
    assert!(came.outcomes.values().all(is_done));
    assert!(came.faults.is_empty());
    for (name, bytes) in wanted {
        assert!(world.here.bytes(&name) == bytes, "{name}");
    }
    assert_eq!(world.here.temporaries(), Vec::<String>::new());
    assert_eq!(world.progress.read().files_done, 2001);
}

#[tokio::test]
async fn what_lies_here_is_copied_before_anything_is_removed() {
    let mut world = World::new();
    let source = world.source(1, &Shelf::new()).await;
    let (left, right) = (noise(5000, 1), noise(6000, 2));
    let left_content = world.here.add("left", &left);
    let right_content = world.here.add("right", &right);
    let stamped = |name: &str, step: Step| Step {
        expected: Expected::Stamped(world.here.stamp(name)),
        ..step
    };
    let steps = vec![
        stamped("left", make("left", Content::Absent, &[])),
        make("moved", left_content.clone(), &[source]),
        stamped("right", make("right", left_content, &[source])),
        make("swapped", right_content, &[source]),
    ];
    let came = world.apply(steps).await;
    assert!(came.outcomes.values().all(is_done));
    assert_eq!(world.here.bytes("moved"), left);
    assert_eq!(world.here.bytes("right"), left);
    assert_eq!(world.here.bytes("swapped"), right);
    assert_eq!(world.progress.read().bytes_fetched, 0);
    assert!(!world.here.has("left"));
}

#[tokio::test]
async fn what_only_gets_another_name_is_moved_after_what_is_copied_from_it() {
    let world = World::new();
    let (same, edited) = (noise(5000, 1), noise(6000, 2));
    let (content, old) = (
        world.here.add("same", &same),
        world.here.add("edited", &edited),
    );
    let gone = |name: &str| Step {
        expected: Expected::Stamped(world.here.stamp(name)),
        ..make(name, Content::Absent, &[])
    };
    let moved = |to: &str, from: &str, content: &Content| Step {
        moved_from: Some(path(from)),
        ..make(to, content.clone(), &[])
    };
    let steps = vec![
        moved("there", "same", &content),
        gone("same"),
        make("copy", content.clone(), &[]),
        moved("nowhere", "edited", &old),
        gone("edited"),
    ];
    world.here.add("edited", &noise(6001, 3));
    let came = world.apply(steps).await;
    for name in ["there", "same", "copy"] {
        assert!(is_done(&came.outcomes[&path(name)]), "{name}");
    }
    assert_eq!(world.here.bytes("there"), same);
    assert_eq!(world.here.bytes("copy"), same);
    assert!(!world.here.has("same"));
    assert_eq!(came.outcomes[&path("nowhere")], Outcome::NoSource);
    assert_eq!(came.outcomes[&path("edited")], Outcome::Stale);
    assert_eq!(world.here.bytes("edited"), noise(6001, 3));
}

#[tokio::test]
async fn wrong_bytes_come_from_the_next_source_or_from_nobody() {
    let (liar, honest) = (Shelf::new(), Shelf::new());
    let mut world = World::new();
    let sources = [world.source(1, &liar).await, world.source(2, &honest).await];
    let mut steps = Vec::new();
    for number in 0..40 {
        let bytes = noise(3000, number);
        let name = number.to_string();
        let content = liar.add(&name, &bytes);
        liar.corrupt(&content, &noise(3000, 99));
        if number > 0 {
            honest.add(&name, &bytes);
        }
        steps.push(make(&name, content, &sources));
    }
    let came = world.apply(steps).await;
    assert_eq!(came.outcomes[&path("0")], Outcome::NoSource);
    assert_eq!(
        came.outcomes
            .values()
            .filter(|outcome| is_done(outcome))
            .count(),
        39
    );
    assert!(
        came.faults
            .iter()
            .all(|fault| *fault == (sources[0], TransferFault::WrongBytes))
    );
    assert!(!came.faults.is_empty());
    assert_eq!(world.here.temporaries(), Vec::<String>::new());
}

#[tokio::test]
async fn absent_changed_and_ungranted_look_the_same() {
    let shelf = Shelf::new();
    let mut world = World::new();
    let source = world.source(1, &shelf).await;
    let there = shelf.add("there", &noise(100, 1));
    let changed = shelf.add("changed", &noise(200, 2));
    shelf.change(&changed);
    let absent = Content::File {
        size: 100,
        hash: hash_of(b"absent"),
        executable: false,
        attributes: Attributes::default(),
    };
    let steps = || {
        vec![
            make("there", there.clone(), &[source]),
            make("changed", changed.clone(), &[source]),
            make("absent", absent.clone(), &[source]),
        ]
    };
    world
        .grants
        .set(fetcher_id(), std::collections::BTreeSet::new());
    let came = world.apply(steps()).await;
    assert!(
        came.outcomes
            .values()
            .all(|outcome| *outcome == Outcome::NoSource)
    );
    world.grants.set(fetcher_id(), [FOLDER].into());
    let came = world.apply(steps()).await;
    assert!(is_done(&came.outcomes[&path("there")]));
    assert_eq!(came.outcomes[&path("changed")], Outcome::NoSource);
    assert_eq!(came.outcomes[&path("absent")], Outcome::NoSource);
    assert!(came.faults.is_empty());
}

#[tokio::test]
async fn a_source_that_is_not_connected_is_no_source() {
    let world = World::new();
    let content = Content::File {
        size: 3,
        hash: hash_of(b"abc"),
        executable: false,
        attributes: Attributes::default(),
    };
    let mut step = make("a", content, &[super::world::source_id(9)]);
    step.expected = Expected::Nothing;
    let came = world.apply(vec![step]).await;
    assert_eq!(came.outcomes[&path("a")], Outcome::NoSource);
}
