//! A joiner against a creator that knows the secret and cheats.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use towline_wire::pairing::Share;

use super::*;
use crate::identity::Identity;
use crate::pairing::Ourselves;
use crate::snapshot::PairingFault;

/// A cheating creator's side after both confirmations, and the joiner that waits for its card.
struct Cheat {
    secured: Secured,
    identity: Identity,
    joiner: Joiner,
    joiner_identity: Identity,
    rng: ChaCha20Rng,
}

impl Cheat {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::from_seed([5; 32]);
        let code = code();
        let secret = code.secret.reveal().as_bytes();
        let opening = Opening::new(
            Role::Creator,
            (Way::Server, code.slot.clone()),
            SecretKind::Typed,
            secret,
            &mut rng,
        );
        let share = opening.share();
        let mut cheat = Self {
            identity: Identity::from_seed(&[1; 32]),
            joiner: Joiner::of_code(&code),
            joiner_identity: Identity::from_seed(&[2; 32]),
            secured: {
                // Replaced below, once the joiner's share is known.
                let other = Opening::new(
                    Role::Joiner,
                    (Way::Server, code.slot),
                    SecretKind::Typed,
                    secret,
                    &mut rng,
                );
                finish(other, &share)
            },
            rng,
        };
        let joiners = cheat
            .step(|joiner, around| joiner.joined(Way::Server, around))
            .unwrap();
        cheat.secured = finish(opening, &joiners[0]);
        let confirm = cheat.secured.confirm();
        cheat.say(share).unwrap();
        cheat.say(confirm).unwrap();
        cheat
    }

    fn say(&mut self, message: PairingMessage) -> Result<Vec<PairingMessage>, PairingFault> {
        self.step(|joiner, around| joiner.received(message, around))
    }

    fn say_sealed(&mut self, message: &SealedMessage) -> Result<Vec<PairingMessage>, PairingFault> {
        let sealed = self.secured.seal(message);
        self.say(sealed)
    }

    fn step(
        &mut self,
        step: impl FnOnce(Joiner, &mut Surroundings<'_>) -> Result<Turn<Joiner>, Stop>,
    ) -> Result<Vec<PairingMessage>, PairingFault> {
        let us = Ourselves {
            identity: &self.joiner_identity,
            name: "lap",
            servers: &[],
            addresses: &[],
        };
        let mut around = Surroundings {
            us: &us,
            rng: &mut self.rng,
        };
        let joiner = std::mem::replace(&mut self.joiner, Joiner::of_code(&code()));
        let turn = step(joiner, &mut around).map_err(|stop| stop.fault)?;
        self.joiner = turn.next;
        Ok(turn.say)
    }

    fn card(&self) -> Card {
        let us = Ourselves {
            identity: &self.identity,
            name: "desk",
            servers: &[],
            addresses: &[],
        };
        us.card()
    }
}

fn code() -> PairingCode {
    "ABC-234".parse().unwrap()
}

fn finish(opening: Opening, theirs: &PairingMessage) -> Secured {
    let PairingMessage::Share(share) = theirs else {
        panic!("no share in {theirs:?}");
    };
    let share: &Share = share;
    opening.finish(share).map_err(|stop| stop.fault).unwrap()
}

fn outcome(shown: [u8; 32]) -> Result<Vec<PairingMessage>, PairingFault> {
    let mut cheat = Cheat::new();
    let card = cheat.secured.sign(&cheat.identity, &cheat.card());
    let commitment = cheat.secured.commitment(&[7; 32]);
    cheat.say_sealed(&SealedMessage::CreatorCard { card, commitment })?;
    cheat.say_sealed(&SealedMessage::Reveal(shown))
}

#[test]
fn a_creator_that_shows_another_nonce_than_it_committed_to_is_refused() {
    assert_eq!(outcome([7; 32]), Ok(vec![]));
    assert_eq!(outcome([8; 32]), Err(PairingFault::Protocol));
}

#[test]
fn a_card_that_its_own_key_has_not_signed_is_refused() {
    let mut cheat = Cheat::new();
    let stranger = Identity::from_seed(&[9; 32]);
    let card = cheat.secured.sign(&stranger, &cheat.card());
    let commitment = cheat.secured.commitment(&[7; 32]);
    let said = cheat.say_sealed(&SealedMessage::CreatorCard { card, commitment });
    assert_eq!(said, Err(PairingFault::Protocol));
}
