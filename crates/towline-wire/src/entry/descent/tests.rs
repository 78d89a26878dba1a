//! What a descent names after so many writes, and what is believed of one.

use super::*;
use crate::ids::{DeviceId, Incarnation};

fn dot(name: u8, counter: u64) -> Dot {
    let actor = Actor {
        device: DeviceId::from_public_key([name; 32]),
        incarnation: Incarnation(1),
    };
    Dot { actor, counter }
}

fn run(name: u8, first: u64, last: u64) -> Run {
    let actor = dot(name, first).actor;
    Run { actor, first, last }
}

/// The descent of what is written over these writes, one over the other.
fn over(writes: &[Dot]) -> Descent {
    let none = Descent::none();
    writes
        .iter()
        .fold(none, |descent, write| descent.through(*write))
}

#[test]
fn writes_of_one_actor_over_each_other_are_one_run() {
    let descent = over(&[dot(1, 3), dot(1, 4), dot(1, 5), dot(2, 1), dot(1, 6)]);
    assert_eq!(descent.runs(), [run(1, 6, 6), run(2, 1, 1), run(1, 3, 5)]);
    assert_eq!(descent.count(), 5);
}

#[test]
fn a_write_that_was_left_out_is_not_named() {
    // Between the second and the fourth another one lost a conflict, or was deleted.
    let descent = over(&[dot(1, 2), dot(1, 4)]);
    for (write, is_named) in [
        (dot(1, 1), false),
        (dot(1, 2), true),
        (dot(1, 3), false),
        (dot(1, 4), true),
        (dot(1, 5), false),
        (dot(2, 2), false),
    ] {
        assert_eq!(descent.names(write), is_named, "{write:?}");
    }
}

#[test]
fn the_oldest_runs_are_forgotten() {
    let turns: Vec<Dot> = (1..=6).map(|turn| dot(turn % 2, u64::from(turn))).collect();
    let descent = over(&turns);
    assert_eq!(descent.runs().len(), RUNS_MAX);
    assert!(descent.names(dot(0, 6)) && descent.names(dot(1, 3)));
    assert!(!descent.names(dot(0, 2)) && !descent.names(dot(1, 1)));
}

#[test]
fn a_descent_that_its_history_does_not_know_is_refused() {
    let known = [(dot(1, 0).actor, 5), (dot(2, 0).actor, 1)];
    let version = VersionVector::try_from(known.to_vec()).unwrap();
    for (runs, is_fine) in [
        (vec![], true),
        (vec![run(2, 1, 1), run(1, 1, 5)], true),
        (vec![run(1, 1, 6)], false),
        (vec![run(1, 0, 2)], false),
        (vec![run(1, 3, 2)], false),
        (vec![run(3, 1, 1)], false),
        (vec![run(1, 1, 1); RUNS_MAX + 1], false),
    ] {
        let descent = Descent::of_history(runs.clone(), &version);
        assert_eq!(descent.is_ok(), is_fine, "{runs:?}");
    }
}
