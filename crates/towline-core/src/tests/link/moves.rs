//! When a path that works is left for another one.

use rand_core::RngCore;

use super::*;

/// One dialer with two direct paths to the Internet whose round trips are as given, for a minute of a
/// probe of each every second; how often it moves from one to the other.
fn moves_in_a_minute(rtts: &[(u64, u64)]) -> usize {
    let other: SocketAddr = "198.51.100.7:4000".parse().unwrap();
    let mut world = World::up_on_direct(world_addr());
    world.answer(other, 20);
    let mut moves = 0;
    for (one, two) in rtts.iter().cycle().take(60) {
        world.answer(world_addr(), *one);
        world.answer(other, *two);
        world.pass(seconds(1));
        let acts = world.acts();
        let selects = |act: &&NetworkRequest| matches!(act, NetworkRequest::Select(..));
        moves += acts.iter().filter(selects).count();
    }
    moves
}

proptest! {
    #[test]
    fn equal_paths_with_jitter_are_not_left_for_each_other(
        least in 5..200_u64,
        jitter in 1..20_u64,
        seed: [u8; 32],
    ) {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut rtt = || least + u64::from(rng.next_u32()) % jitter;
        let rtts: Vec<_> = std::iter::repeat_with(|| (rtt(), rtt())).take(60).collect();
        let moves = moves_in_a_minute(&rtts);
        prop_assert!(moves <= 3, "{} moves", moves);
    }

    #[test]
    fn whatever_round_trips_are_measured_a_minute_has_seven_moves_at_most(
        rtts in prop::collection::vec((0..2000_u64, 0..2000_u64), 1..60),
    ) {
        let moves = moves_in_a_minute(&rtts);
        prop_assert!(moves <= 7, "{} moves", moves);
    }
}

#[test]
fn of_two_equal_paths_over_the_internet_ipv6_is_taken() {
    let v6: SocketAddr = "[2001:db8::7]:4000".parse().unwrap();
    let mut world = World::up_on_direct(world_addr());
    world.answer(v6, 17);
    assert_eq!(
        world.path(),
        Path::Direct(v6),
        "six milliseconds by the measure"
    );
    let mut world = World::up_on_direct(v6);
    world.answer(world_addr(), 13);
    assert_eq!(world.path(), Path::Direct(v6));
    world.answer(world_addr(), 11);
    assert_eq!(world.path(), Path::Direct(world_addr()));
}
