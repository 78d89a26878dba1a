//! A few small internets on every run of the tests; a thousand run as `sim internet seeds`.

use towline_sim::{Circumstances, Internet, Keep, LinkMutation, Report, internet_regressions};

fn run(seed: u64, mutation: Option<LinkMutation>) -> Report {
    let keep = Keep::Hash;
    Internet::run(seed, Circumstances { mutation, keep })
}

fn assert_kept(seed: u64) {
    let report = run(seed, None);
    assert!(
        report.violations.is_empty(),
        "seed {seed}: {:?}",
        report.violations
    );
}

#[test]
fn pairs_end_on_the_best_path_and_stay_there() {
    for seed in 1..=8 {
        assert_kept(seed);
    }
}

#[test]
fn what_once_failed_does_not_again() {
    for seed in internet_regressions() {
        assert_kept(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    for seed in [3, 7] {
        assert_eq!(run(seed, None).hash, run(seed, None).hash, "seed {seed}");
    }
    assert_ne!(run(1, None).hash, run(2, None).hash);
}
