//! Golden bytes of the pairing's messages, and what hostile bytes do.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn golden(message: &PairingMessage) -> String {
    assert_eq!(
        PairingMessage::decode(&message.encode()).as_ref(),
        Ok(message)
    );
    HEXLOWER.encode(&message.encode())
}

#[test]
fn the_bytes_on_the_wire_are_these() {
    let share = Share {
        versions: PAIRING_VERSIONS,
        kind: SecretKind::Link,
        share: vec![0x42; SHARE_BYTES],
    };
    insta::assert_snapshot!(golden(&PairingMessage::Share(share)), @"0001010121424242424242424242424242424242424242424242424242424242424242424242");
    insta::assert_snapshot!(golden(&PairingMessage::Confirm([7; 32])), @"010707070707070707070707070707070707070707070707070707070707070707");
    insta::assert_snapshot!(golden(&PairingMessage::Sealed(vec![1, 2, 3])), @"0203010203");
    let refuse = |reason, proof| golden(&PairingMessage::Refuse(Refuse { reason, proof }));
    insta::assert_snapshot!(refuse(RefuseReason::WrongSecret, None), @"030000");
    insta::assert_snapshot!(refuse(RefuseReason::GaveUp, Some([8; 32])), @"0303010808080808080808080808080808080808080808080808080808080808080808");
}

#[test]
fn the_sealed_bytes_are_these() {
    let golden = |message: &SealedMessage| {
        assert_eq!(
            SealedMessage::decode(&message.encode()).as_ref(),
            Ok(message)
        );
        HEXLOWER.encode(&message.encode())
    };
    let card = || SignedCard {
        card: vec![5, 6],
        signature: vec![9; 64],
    };
    insta::assert_snapshot!(golden(&SealedMessage::CreatorCard { card: card(), commitment: [1; 32] }), @"0002050640090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090101010101010101010101010101010101010101010101010101010101010101");
    insta::assert_snapshot!(golden(&SealedMessage::JoinerCard { card: card(), nonce: [2; 32] }), @"0102050640090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090202020202020202020202020202020202020202020202020202020202020202");
    insta::assert_snapshot!(golden(&SealedMessage::Reveal([3; 32])), @"020303030303030303030303030303030303030303030303030303030303030303");
    insta::assert_snapshot!(golden(&SealedMessage::Kept), @"03");
}

#[test]
fn what_is_too_long_or_too_short_is_refused() {
    assert!(
        PairingMessage::decode(&PairingMessage::Sealed(vec![0; MESSAGE_BYTES_MAX]).encode())
            .is_err()
    );
    let share = Share {
        versions: PAIRING_VERSIONS,
        kind: SecretKind::Typed,
        share: vec![0; SHARE_BYTES - 1],
    };
    assert!(PairingMessage::decode(&PairingMessage::Share(share).encode()).is_err());
    let card = SignedCard {
        card: vec![0; CARD_BYTES_MAX + 1],
        signature: vec![],
    };
    assert!(
        SealedMessage::decode(
            &SealedMessage::JoinerCard {
                card,
                nonce: [0; 32]
            }
            .encode()
        )
        .is_err()
    );
}

#[test]
fn all_symbols_differ() {
    let symbols: Vec<_> = (0..64).map(Symbol::of_number).collect();
    assert_eq!(
        symbols
            .iter()
            .map(|symbol| symbol.emoji)
            .collect::<BTreeSet<_>>()
            .len(),
        SYMBOL_COUNT
    );
    assert_eq!(
        symbols
            .iter()
            .map(|symbol| symbol.word)
            .collect::<BTreeSet<_>>()
            .len(),
        SYMBOL_COUNT
    );
}

#[test]
fn forty_two_bits_are_seven_symbols() {
    let compare = CompareString::from_bits(0b000001_000010_000011_000100_000101_000110_111111);
    assert_eq!(compare.as_bytes(), &[1, 2, 3, 4, 5, 6, 63]);
    let words = compare.symbols().map(|symbol| symbol.word);
    assert_eq!(
        words,
        [
            "elephant",
            "owl",
            "turtle",
            "octopus",
            "butterfly",
            "bee",
            "volcano"
        ]
    );
    assert_eq!(CompareString::from_bits(u64::MAX).as_bytes(), &[63; 7]);
    assert_eq!(CompareString::from_bytes([64; 7]), Err(CompareStringError));
}

proptest! {
    #[test]
    fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = PairingMessage::decode(&bytes) {
            prop_assert_eq!(PairingMessage::decode(&message.encode()), Ok(message));
        }
        if let Ok(message) = SealedMessage::decode(&bytes) {
            prop_assert_eq!(SealedMessage::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn compare_strings_round_trip(bits in 0..1_u64 << 42) {
        let compare = CompareString::from_bits(bits);
        prop_assert_eq!(CompareString::from_bytes(*compare.as_bytes()), Ok(compare));
        let back = compare.as_bytes().iter().fold(0, |sum, number| sum << 6 | u64::from(*number));
        prop_assert_eq!(back, bits);
    }
}
