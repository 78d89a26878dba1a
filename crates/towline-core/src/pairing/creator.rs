//! The side that shows the code. It confirms last, and knows which secret is proved only from the
//! joiner's first message.

use rand_core::RngCore;
use towline_wire::code::{CodeSecret, PairingCode, Slot};
use towline_wire::ids::DeviceId;
use towline_wire::link_uri::{LinkSecret, LinkUri};
use towline_wire::pairing::{PairingMessage, SealedMessage, SecretKind, Share};
use towline_wire::server_url::ServerUrl;

use super::exchange::{Farewell, Keys, Nonces, Opening, Role, Secured};
use super::stage::{Stop, Surroundings, Turn};
use crate::records::PeerRecord;
use crate::snapshot::PairingFault;

/// What the creator waits for.
#[expect(
    clippy::enum_variant_names,
    reason = "states are named for what they wait for"
)]
pub(super) enum Creator {
    /// The server's slot.
    ExpectMailbox {
        /// Letters that the secret will have.
        letters: usize,
    },
    /// Somebody in the mailbox; the code is on the screen.
    ExpectJoiner { code: PairingCode, link: LinkUri },
    /// The joiner's share.
    ExpectPeerKey { code: PairingCode, link: LinkUri },
    /// The joiner's proof.
    ExpectConfirm(Secured),
    /// The joiner's card; the nonce is committed to.
    ExpectCard { secured: Secured, nonce: [u8; 32] },
    /// The joiner's word that it keeps us.
    ExpectKept { secured: Secured, peer: PeerRecord },
    /// Our own disk.
    ExpectDurable { peer: DeviceId },
}

impl Creator {
    pub(super) fn opened(
        self,
        slot: Slot,
        server: ServerUrl,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        let letters = match self {
            Self::ExpectMailbox { letters } => letters,
            // The carrier says the slot once.
            Self::ExpectJoiner { .. }
            | Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectCard { .. }
            | Self::ExpectKept { .. }
            | Self::ExpectDurable { .. } => return Err(Stop::protocol()),
        };
        let preferred = around.us.servers.first();
        let is_preferred = preferred.is_some_and(|home| home.is_same_host(&server));
        let host = (!is_preferred).then(|| server.short_name()).flatten();
        let mut secret = [0; 16];
        around.rng.fill_bytes(&mut secret);
        let link = LinkUri {
            server,
            slot: slot.clone(),
            secret: LinkSecret::from_bytes(secret),
        };
        let secret = CodeSecret::from_number(around.rng.next_u32(), letters);
        Ok(Turn::to(
            Self::ExpectJoiner {
                code: PairingCode { slot, secret, host },
                link,
            },
            [],
        ))
    }

    pub(super) fn joined(self) -> Result<Turn<Self>, Stop> {
        match self {
            Self::ExpectJoiner { code, link } => {
                Ok(Turn::to(Self::ExpectPeerKey { code, link }, []))
            }
            Self::ExpectMailbox { .. }
            | Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectCard { .. }
            | Self::ExpectKept { .. }
            | Self::ExpectDurable { .. } => Err(Stop::protocol()),
        }
    }

    pub(super) fn received(
        self,
        message: PairingMessage,
        around: &mut Surroundings<'_>,
    ) -> Result<Turn<Self>, Stop> {
        match (self, message) {
            (Self::ExpectPeerKey { code, link }, PairingMessage::Share(share)) => {
                share_arrived(&code, &link, &share, around)
            }
            (Self::ExpectConfirm(secured), PairingMessage::Confirm(tag)) => {
                confirm_arrived(secured, &tag, around)
            }
            (Self::ExpectCard { secured, nonce }, PairingMessage::Sealed(sealed)) => {
                card_arrived(secured, nonce, &sealed, around)
            }
            (Self::ExpectKept { mut secured, peer }, PairingMessage::Sealed(sealed)) => {
                match secured.open(&sealed)? {
                    SealedMessage::Kept => Ok(keep(peer)),
                    SealedMessage::CreatorCard { .. }
                    | SealedMessage::JoinerCard { .. }
                    | SealedMessage::Reveal(_) => Err(Stop::protocol()),
                }
            }
            (
                Self::ExpectMailbox { .. }
                | Self::ExpectJoiner { .. }
                | Self::ExpectPeerKey { .. }
                | Self::ExpectConfirm(_)
                | Self::ExpectCard { .. }
                | Self::ExpectKept { .. }
                | Self::ExpectDurable { .. },
                PairingMessage::Share(_)
                | PairingMessage::Confirm(_)
                | PairingMessage::Sealed(_)
                | PairingMessage::Refuse(_),
            ) => Err(Stop::protocol()),
        }
    }

    /// The joiner has proved everything once its card is read: silence after that is no reason to
    /// forget it, but its own farewell, proved, is.
    pub(super) fn lost(self, fault: PairingFault) -> Result<Turn<Self>, Stop> {
        match self {
            Self::ExpectKept { peer, .. } => Ok(keep(peer)),
            Self::ExpectMailbox { .. }
            | Self::ExpectJoiner { .. }
            | Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectCard { .. }
            | Self::ExpectDurable { .. } => Err(Stop::silent(fault)),
        }
    }

    /// The new peer, once our own disk has it.
    pub(super) fn durable(self) -> Option<DeviceId> {
        match self {
            Self::ExpectDurable { peer } => Some(peer),
            Self::ExpectMailbox { .. }
            | Self::ExpectJoiner { .. }
            | Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectCard { .. }
            | Self::ExpectKept { .. } => None,
        }
    }

    /// The exchange with a joiner that has proved the secret.
    pub(super) const fn confirmed(&self) -> Option<&Secured> {
        match self {
            Self::ExpectCard { secured, .. } | Self::ExpectKept { secured, .. } => Some(secured),
            Self::ExpectMailbox { .. }
            | Self::ExpectJoiner { .. }
            | Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectDurable { .. } => None,
        }
    }

    pub(super) fn farewell(&self) -> Farewell {
        self.confirmed()
            .map_or(Farewell::unproved(), Secured::farewell)
    }

    pub(super) const fn is_met(&self) -> bool {
        match self {
            Self::ExpectMailbox { .. } | Self::ExpectJoiner { .. } => false,
            Self::ExpectPeerKey { .. }
            | Self::ExpectConfirm(_)
            | Self::ExpectCard { .. }
            | Self::ExpectKept { .. }
            | Self::ExpectDurable { .. } => true,
        }
    }
}

fn share_arrived(
    code: &PairingCode,
    link: &LinkUri,
    share: &Share,
    around: &mut Surroundings<'_>,
) -> Result<Turn<Creator>, Stop> {
    let secret: &[u8] = match share.kind {
        SecretKind::Typed => code.secret.reveal().as_bytes(),
        SecretKind::Link => link.secret.as_bytes(),
    };
    let opening = Opening::new(
        Role::Creator,
        code.slot.clone(),
        share.kind,
        secret,
        around.rng,
    );
    let ours = opening.share();
    Ok(Turn::to(
        Creator::ExpectConfirm(opening.finish(share)?),
        [ours],
    ))
}

fn confirm_arrived(
    mut secured: Secured,
    tag: &[u8; 32],
    around: &mut Surroundings<'_>,
) -> Result<Turn<Creator>, Stop> {
    if !secured.is_confirmed_by(tag) {
        return Err(Stop::wrong_secret());
    }
    let mut nonce = [0; 32];
    around.rng.fill_bytes(&mut nonce);
    let card = secured.sign(around.us.identity, &around.us.card());
    let commitment = secured.commitment(&nonce);
    let say = [
        secured.confirm(),
        secured.seal(&SealedMessage::CreatorCard { card, commitment }),
    ];
    Ok(Turn::to(Creator::ExpectCard { secured, nonce }, say))
}

fn card_arrived(
    mut secured: Secured,
    nonce: [u8; 32],
    sealed: &[u8],
    around: &Surroundings<'_>,
) -> Result<Turn<Creator>, Stop> {
    let (card, joiner) = match secured.open(sealed)? {
        SealedMessage::JoinerCard { card, nonce } => (card, nonce),
        SealedMessage::CreatorCard { .. } | SealedMessage::Reveal(_) | SealedMessage::Kept => {
            return Err(Stop::protocol());
        }
    };
    let card = secured.read_card(&card)?;
    let keys = Keys {
        creator: around.us.identity.id(),
        joiner: card.device,
    };
    let compare = secured.compare(
        keys,
        Nonces {
            creator: nonce,
            joiner,
        },
    );
    let peer = around.us.record_of(card, compare)?;
    let reveal = secured.seal(&SealedMessage::Reveal(nonce));
    Ok(Turn::to(Creator::ExpectKept { secured, peer }, [reveal]))
}

fn keep(peer: PeerRecord) -> Turn<Creator> {
    Turn::paired(Creator::ExpectDurable { peer: peer.id }, peer)
}
