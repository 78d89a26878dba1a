//! What a version vector from outside may say, and that it can always be raised.

use proptest::prelude::*;

use super::*;
use crate::frame;

fn actor(number: u8) -> Actor {
    Actor {
        device: DeviceId::from_public_key([number; 32]),
        incarnation: Incarnation(1),
    }
}

fn decode(counters: &[(Actor, u64)]) -> Option<VersionVector> {
    let bytes = postcard::to_allocvec(counters).unwrap();
    frame::decode(&bytes).ok()
}

#[test]
fn a_count_that_could_not_be_raised_is_refused() {
    for (counter, is_fine) in [
        (0, false),
        (1, true),
        (VERSION_COUNTER_MAX, true),
        (VERSION_COUNTER_MAX + 1, false),
        (u64::MAX, false),
    ] {
        assert_eq!(
            decode(&[(actor(1), counter)]).is_some(),
            is_fine,
            "{counter}"
        );
    }
    let high = vec![(actor(1), 1), (actor(2), u64::MAX)];
    assert_eq!(
        VersionVector::try_from(high),
        Err(VersionError::TooManyWrites)
    );
}

proptest! {
    #[test]
    fn whatever_is_parsed_can_be_raised(
        counters in prop::collection::btree_map(0..4_u8, prop_oneof![any::<u64>(), Just(u64::MAX), 0..3_u64], 0..4),
        by in 0..5_u8,
    ) {
        let counters: Vec<_> = counters.into_iter().map(|(name, counter)| (actor(name), counter)).collect();
        if let Some(before) = decode(&counters) {
            let mut after = before.clone();
            let dot = after.bump(actor(by));
            prop_assert_eq!(dot.counter, before.counter(actor(by)) + 1);
            prop_assert_eq!(before.compare(&after), Causality::Before);
            prop_assert!(after.knows(dot) && !before.knows(dot));
        }
    }
}
