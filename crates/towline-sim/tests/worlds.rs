//! A few worlds on every run of the tests; thousands run as `sim seeds`.

use towline_sim::{Keep, Report, Shape, World, memory_shape, regressions, shape_of};

fn run(seed: u64) -> Report {
    World::run(
        seed,
        Shape {
            keep: Keep::Tail,
            ..shape_of(seed)
        },
    )
}

fn assert_kept(seed: u64) {
    let report = run(seed);
    assert!(
        report.violations.is_empty(),
        "seed {seed}: {:?}",
        report.violations
    );
}

#[test]
fn worlds_keep_their_promises() {
    for seed in 1..=30 {
        assert_kept(seed);
    }
}

#[test]
fn what_once_failed_does_not_again() {
    for seed in regressions() {
        assert_kept(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    for seed in [3, 7, 11] {
        assert_eq!(run(seed).hash, run(seed).hash, "seed {seed}");
    }
}

#[test]
fn two_seeds_give_two_logs() {
    let hash = |seed| World::run(seed, memory_shape()).hash;
    assert_ne!(hash(1), hash(2));
}
