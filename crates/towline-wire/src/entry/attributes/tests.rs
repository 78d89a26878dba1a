//! What a peer may say of attributes, and that joining them ends in one list.

use proptest::prelude::*;

use super::*;

fn one(name: &str, len: usize) -> (String, Vec<u8>) {
    (name.to_owned(), vec![7; len])
}

#[test]
fn hostile_attributes_are_refused_by_name() {
    let names = |count: usize| {
        (0..count)
            .map(|at| one(&format!("user.{at:03}"), 1))
            .collect::<Vec<_>>()
    };
    let cases = [
        (vec![one("security.selinux", 1)], AttributesError::NotUsers),
        (
            vec![one("system.posix_acl_access", 1)],
            AttributesError::NotUsers,
        ),
        (vec![one("trusted.overlay", 1)], AttributesError::NotUsers),
        (
            vec![one("com.apple.quarantine", 1)],
            AttributesError::NotUsers,
        ),
        (vec![one("user.", 1)], AttributesError::NotUsers),
        (vec![one("", 1)], AttributesError::NotUsers),
        (vec![one("user.a\0b", 1)], AttributesError::Nul),
        (
            vec![one(&format!("user.{}", "n".repeat(251)), 1)],
            AttributesError::NameTooLong,
        ),
        (names(ATTRIBUTES_MAX + 1), AttributesError::TooMany),
        (
            vec![one("user.a", ATTRIBUTES_BYTES_MAX)],
            AttributesError::TooLarge,
        ),
        (
            vec![one("user.a", 1), one("user.a", 1)],
            AttributesError::NotCanonical,
        ),
        (
            vec![one("user.b", 1), one("user.a", 1)],
            AttributesError::NotCanonical,
        ),
    ];
    for (list, error) in cases {
        assert_eq!(Attributes::try_from(list.clone()), Err(error), "{list:?}");
    }
    assert!(Attributes::try_from(names(ATTRIBUTES_MAX)).is_ok());
    let fits = ATTRIBUTES_BYTES_MAX - "user.a".len();
    assert!(Attributes::try_from(vec![one("user.a", fits)]).is_ok());
}

#[test]
fn what_does_not_fit_together_is_the_larger_one_as_a_whole() {
    let half = ATTRIBUTES_BYTES_MAX / 2 + 1;
    let left = Attributes::new(vec![one("user.a", half)]).unwrap();
    let right = Attributes::new(vec![one("user.b", half + 1)]).unwrap();
    assert_eq!(left.joined(&right), right);
    assert_eq!(right.joined(&left), right);
    assert_eq!(left.with_others(&right), left);
}

fn some() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3),
        Just(vec![0; ATTRIBUTES_BYTES_MAX / 2]),
    ];
    prop::collection::btree_map("user\\.[ab]", value, 0..3).prop_filter_map("fits", |all| {
        Attributes::new(all.into_iter().collect()).ok()
    })
}

proptest! {
    #[test]
    fn joining_commutes_is_idempotent_and_never_comes_below(left in some(), right in some()) {
        let both = left.joined(&right);
        prop_assert_eq!(&both, &right.joined(&left));
        prop_assert_eq!(&both.joined(&both), &both);
        prop_assert_eq!(&both.joined(&left), &both);
        let rank = |one: &Attributes| (one.size(), one.0.clone());
        prop_assert!(rank(&both) >= rank(&left) && rank(&both) >= rank(&right));
    }
}
