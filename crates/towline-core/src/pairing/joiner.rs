//! The side that enters the code. It confirms first, so that the creator learns of a wrong guess
//! before it has said anything that depends on the secret.

use rand_core::RngCore;
use towline_wire::card::Card;
use towline_wire::code::{PairingCode, Slot};
use towline_wire::ids::DeviceId;
use towline_wire::link_uri::LinkUri;
use towline_wire::pairing::{PairingMessage, SealedMessage, SecretKind};
use zeroize::Zeroizing;

use super::Way;
use super::exchange::{Farewell, Keys, Nonces, Opening, Role, Secured};
use super::stage::{Stop, Surroundings, Turn};

/// What the joiner waits for.
#[expect(
    clippy::enum_variant_names,
    reason = "states are named for what they wait for"
)]
pub(super) enum Joiner {
    /// The claim.
    ExpectMailbox {
        slot: Slot,
        kind: SecretKind,
        secret: Zeroizing<Vec<u8>>,
    },
    /// The creator's share.
    ExpectPeerKey(Opening),
    /// The creator's proof.
    ExpectConfirm(Secured),
    /// The creator's card.
    ExpectCard(Secured),
    /// The creator's nonce, to which it has committed.
    ExpectReveal {
        secured: Secured,
        card: Box<Card>,
        commitment: [u8; 32],
        nonce: [u8; 32],
    },
    /// Our own disk; then the creator is told.
    ExpectDurable { secured: Secured, peer: DeviceId },
}

impl Joiner {
    pub(super) fn of_code(code: &PairingCode) -> Self {
        let secret = Zeroizing::new(code.secret.reveal().as_bytes().to_vec());
        Self::ExpectMailbox {
            slot: code.slot.clone(),
            kind: SecretKind::Typed,
            secret,
        }
    }

    pub(super) fn of_link(link: &LinkUri) -> Self {
        let secret = Zeroizing::new(link.secret.as_bytes().to_vec());
        Self::ExpectMailbox {
            slot: link.slot.clone(),
            kind: SecretKind::Link,
            secret,
        }
    }

    pub(super) fn joined(
        self,
        way: Way,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        match self {
            Self::ExpectMailbox { slot, kind, secret } => {
                let place = (way, slot);
                let opening = Opening::new(Role::Joiner, place, kind, &secret, around.rng);
                let share = opening.share();
                Ok(Turn::to(Self::ExpectPeerKey(opening), [share]))
            }
            Self::ExpectPeerKey(_)
            | Self::ExpectConfirm(_)
            | Self::ExpectCard(_)
            | Self::ExpectReveal { .. }
            | Self::ExpectDurable { .. } => Err(Stop::protocol()),
        }
    }

    pub(super) fn received(
        self,
        message: PairingMessage,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        match (self, message) {
            (Self::ExpectPeerKey(opening), PairingMessage::Share(share)) => {
                let secured = opening.finish(&share)?;
                let confirm = secured.confirm();
                Ok(Turn::to(Self::ExpectConfirm(secured), [confirm]))
            }
            (Self::ExpectConfirm(secured), PairingMessage::Confirm(tag)) => {
                if secured.is_confirmed_by(&tag) {
                    Ok(Turn::to(Self::ExpectCard(secured), []))
                } else {
                    Err(Stop::wrong_secret())
                }
            }
            (Self::ExpectCard(secured), PairingMessage::Sealed(sealed)) => {
                card_arrived(secured, &sealed, around)
            }
            (
                Self::ExpectReveal {
                    secured,
                    card,
                    commitment,
                    nonce,
                },
                PairingMessage::Sealed(sealed),
            ) => nonce_arrived(secured, *card, commitment, nonce, &sealed, around),
            (
                Self::ExpectMailbox { .. }
                | Self::ExpectPeerKey(_)
                | Self::ExpectConfirm(_)
                | Self::ExpectCard(_)
                | Self::ExpectReveal { .. }
                | Self::ExpectDurable { .. },
                PairingMessage::Share(_)
                | PairingMessage::Confirm(_)
                | PairingMessage::Sealed(_)
                | PairingMessage::Refuse(_),
            ) => Err(Stop::protocol()),
        }
    }

    /// The new peer and our word to it, once our own disk has it.
    pub(super) fn durable(self) -> Option<(DeviceId, PairingMessage)> {
        match self {
            Self::ExpectDurable { mut secured, peer } => {
                Some((peer, secured.seal(&SealedMessage::Kept)))
            }
            Self::ExpectMailbox { .. }
            | Self::ExpectPeerKey(_)
            | Self::ExpectConfirm(_)
            | Self::ExpectCard(_)
            | Self::ExpectReveal { .. } => None,
        }
    }

    /// The exchange with a creator that has proved the secret.
    pub(super) const fn confirmed(&self) -> Option<&Secured> {
        match self {
            Self::ExpectCard(secured)
            | Self::ExpectReveal { secured, .. }
            | Self::ExpectDurable { secured, .. } => Some(secured),
            Self::ExpectMailbox { .. } | Self::ExpectPeerKey(_) | Self::ExpectConfirm(_) => None,
        }
    }

    pub(super) fn farewell(&self) -> Farewell {
        match self {
            Self::ExpectMailbox { .. } | Self::ExpectPeerKey(_) => Farewell::unproved(),
            Self::ExpectConfirm(secured)
            | Self::ExpectCard(secured)
            | Self::ExpectReveal { secured, .. }
            | Self::ExpectDurable { secured, .. } => secured.farewell(),
        }
    }

    pub(super) const fn is_met(&self) -> bool {
        match self {
            Self::ExpectMailbox { .. } => false,
            Self::ExpectPeerKey(_)
            | Self::ExpectConfirm(_)
            | Self::ExpectCard(_)
            | Self::ExpectReveal { .. }
            | Self::ExpectDurable { .. } => true,
        }
    }
}

fn card_arrived(
    mut secured: Secured,
    sealed: &[u8],
    around: &mut Surroundings<'_>,
) -> Result<Turn<Joiner>, Stop> {
    let (card, commitment) = match secured.open(sealed)? {
        SealedMessage::CreatorCard { card, commitment } => (card, commitment),
        SealedMessage::JoinerCard { .. } | SealedMessage::Reveal(_) | SealedMessage::Kept => {
            return Err(Stop::protocol());
        }
    };
    let theirs = secured.read_card(&card)?;
    let mut nonce = [0; 32];
    around.rng.fill_bytes(&mut nonce);
    let ours = secured.sign(around.us.identity, &around.us.card());
    let say = secured.seal(&SealedMessage::JoinerCard { card: ours, nonce });
    Ok(Turn::to(
        Joiner::ExpectReveal {
            secured,
            card: Box::new(theirs),
            commitment,
            nonce,
        },
        [say],
    ))
}

fn nonce_arrived(
    mut secured: Secured,
    card: Card,
    commitment: [u8; 32],
    joiner: [u8; 32],
    sealed: &[u8],
    around: &Surroundings<'_>,
) -> Result<Turn<Joiner>, Stop> {
    let creator = match secured.open(sealed)? {
        SealedMessage::Reveal(nonce) if secured.commitment(&nonce) == commitment => nonce,
        SealedMessage::Reveal(_)
        | SealedMessage::CreatorCard { .. }
        | SealedMessage::JoinerCard { .. }
        | SealedMessage::Kept => return Err(Stop::protocol()),
    };
    let keys = Keys {
        creator: card.device,
        joiner: around.us.identity.id(),
    };
    let compare = secured.compare(keys, Nonces { creator, joiner });
    let peer = around.us.record_of(card, compare)?;
    Ok(Turn::paired(
        Joiner::ExpectDurable {
            secured,
            peer: peer.id,
        },
        peer,
    ))
}

#[cfg(test)]
mod tests;
