//! The cryptography of one pairing: SPAKE2, the keys made from it, seals, signatures, comparison.
//!
//! The transcript is SHA-256 over everything that both sides must have seen alike: label, way,
//! slot, kind of secret, both version ranges and both shares, each with its length. All keys are
//! HKDF-SHA256 of SPAKE2's key with the transcript as salt, one for each purpose and direction.
//! Nothing here decides what comes next.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Password, Spake2};
use subtle::ConstantTimeEq;
use towline_wire::card::Card;
use towline_wire::code::Slot;
use towline_wire::ids::DeviceId;
use towline_wire::pairing::{
    CompareString, PAIRING_VERSIONS, PairingMessage, Refuse, RefuseReason, SealedMessage,
    SecretKind, Share, SignedCard,
};
use zeroize::Zeroizing;

use crate::identity::{Identity, is_signed_by};
use crate::pairing::Way;
use crate::pairing::stage::Stop;
use crate::snapshot::PairingFault;

/// A side of the exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Creator,
    Joiner,
}

/// Our half of SPAKE2, before the other side's share is known.
pub(super) struct Opening {
    role: Role,
    /// Where both have met: on which way, and under which slot.
    place: (Way, Slot),
    share: Share,
    spake: Spake2<Ed25519Group>,
}

impl Opening {
    pub(super) fn new(
        role: Role,
        place: (Way, Slot),
        kind: SecretKind,
        secret: &[u8],
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let password = Password::new(secret);
        let creator = spake2::Identity::new(b"towline pairing creator");
        let joiner = spake2::Identity::new(b"towline pairing joiner");
        let (spake, share) = match role {
            Role::Creator => Spake2::start_a_with_rng(&password, &creator, &joiner, rng),
            Role::Joiner => Spake2::start_b_with_rng(&password, &creator, &joiner, rng),
        };
        Self {
            role,
            place,
            share: Share {
                versions: PAIRING_VERSIONS,
                kind,
                share,
            },
            spake,
        }
    }

    pub(super) fn share(&self) -> PairingMessage {
        PairingMessage::Share(self.share.clone())
    }

    /// Combines both shares. Whether the other side knows the secret is not known yet.
    pub(super) fn finish(self, theirs: &Share) -> Result<Secured, Stop> {
        if self.share.versions.agree(theirs.versions).is_none() {
            return Err(Stop {
                fault: PairingFault::Version,
                tell: Some(RefuseReason::Version),
            });
        }
        if self.share.kind != theirs.kind {
            return Err(Stop::protocol());
        }
        let key = Zeroizing::new(
            self.spake
                .finish(&theirs.share)
                .map_err(|_| Stop::protocol())?,
        );
        let (creator, joiner) = match self.role {
            Role::Creator => (&self.share, theirs),
            Role::Joiner => (theirs, &self.share),
        };
        let transcript = transcript(&self.place, creator, joiner);
        let keys = Hkdf::<Sha256>::new(Some(&transcript), &key);
        Ok(Secured {
            role: self.role,
            transcript,
            tag_creator: expand(&keys, b"towline pairing v1 confirm creator"),
            tag_joiner: expand(&keys, b"towline pairing v1 confirm joiner"),
            seal_creator: Seal::new(expand(&keys, b"towline pairing v1 card creator")),
            seal_joiner: Seal::new(expand(&keys, b"towline pairing v1 card joiner")),
            refuse_creator: RefuseKey(expand(&keys, b"towline pairing v1 refuse creator")),
            refuse_joiner: RefuseKey(expand(&keys, b"towline pairing v1 refuse joiner")),
        })
    }
}

/// Both shares are known; everything that follows from them.
pub(super) struct Secured {
    role: Role,
    transcript: [u8; 32],
    tag_creator: Zeroizing<[u8; 32]>,
    tag_joiner: Zeroizing<[u8; 32]>,
    seal_creator: Seal,
    seal_joiner: Seal,
    refuse_creator: RefuseKey,
    refuse_joiner: RefuseKey,
}

/// How this device ends a pairing: with proof, once it has shown its own.
pub(super) struct Farewell(Option<RefuseKey>);

/// The key with which one side proves that it is the one who ends the pairing.
#[derive(Clone)]
struct RefuseKey(Zeroizing<[u8; 32]>);

impl Secured {
    /// Our proof that we know the secret.
    pub(super) fn confirm(&self) -> PairingMessage {
        PairingMessage::Confirm(match self.role {
            Role::Creator => *self.tag_creator,
            Role::Joiner => *self.tag_joiner,
        })
    }

    /// Whether `tag` proves that the other side knows the secret; takes the same time either way.
    pub(super) fn is_confirmed_by(&self, tag: &[u8; 32]) -> bool {
        let expected = match self.role {
            Role::Creator => &self.tag_joiner,
            Role::Joiner => &self.tag_creator,
        };
        expected.as_slice().ct_eq(tag).into()
    }

    /// Encrypts our next sealed message.
    pub(super) fn seal(&mut self, message: &SealedMessage) -> PairingMessage {
        let plain = Zeroizing::new(message.encode());
        let ours = match self.role {
            Role::Creator => &mut self.seal_creator,
            Role::Joiner => &mut self.seal_joiner,
        };
        let nonce = ours.next_nonce();
        let sealed = ours.cipher.encrypt(
            &nonce,
            Payload {
                msg: &plain,
                aad: &self.transcript,
            },
        );
        // Only a plaintext of 256 GiB cannot be encrypted; an empty seal would be refused.
        PairingMessage::Sealed(sealed.unwrap_or_default())
    }

    /// Decrypts the other side's next sealed message.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<SealedMessage, Stop> {
        let theirs = match self.role {
            Role::Creator => &mut self.seal_joiner,
            Role::Joiner => &mut self.seal_creator,
        };
        let nonce = theirs.next_nonce();
        let plain = theirs.cipher.decrypt(
            &nonce,
            Payload {
                msg: sealed,
                aad: &self.transcript,
            },
        );
        SealedMessage::decode(&Zeroizing::new(plain.map_err(|_| Stop::protocol())?))
            .map_err(|_| Stop::protocol())
    }

    /// Whether `sealed` is the other side's next sealed message.
    pub(super) fn is_sealed_by_peer(&self, sealed: &[u8]) -> bool {
        let theirs = match self.role {
            Role::Creator => &self.seal_joiner,
            Role::Joiner => &self.seal_creator,
        };
        let payload = Payload {
            msg: sealed,
            aad: &self.transcript,
        };
        theirs.cipher.decrypt(&theirs.nonce(), payload).is_ok()
    }

    /// Whether it was the other side that said this; takes the same time either way.
    pub(super) fn is_refused_by_peer(&self, refuse: &Refuse) -> bool {
        let theirs = match self.role {
            Role::Creator => &self.refuse_joiner,
            Role::Joiner => &self.refuse_creator,
        };
        refuse
            .proof
            .is_some_and(|proof| theirs.proof(refuse.reason).ct_eq(&proof).into())
    }

    /// Our way to end the pairing with proof. Not for a creator before the joiner's proof: it says
    /// nothing that depends on the secret until then.
    pub(super) fn farewell(&self) -> Farewell {
        let ours = match self.role {
            Role::Creator => &self.refuse_creator,
            Role::Joiner => &self.refuse_joiner,
        };
        Farewell(Some(ours.clone()))
    }

    /// Our card under our signature.
    pub(super) fn sign(&self, identity: &Identity, card: &Card) -> SignedCard {
        let card = card.encode();
        let signature = identity.sign(&self.signed_bytes(self.role, &card)).to_vec();
        SignedCard { card, signature }
    }

    /// The other side's card, when the key on it has signed it in this pairing and role.
    pub(super) fn read_card(&self, signed: &SignedCard) -> Result<Card, Stop> {
        let card = Card::decode(&signed.card).map_err(|_| Stop::protocol())?;
        let role = match self.role {
            Role::Creator => Role::Joiner,
            Role::Joiner => Role::Creator,
        };
        let signature = signed
            .signature
            .as_slice()
            .try_into()
            .map_err(|_| Stop::protocol())?;
        let message = self.signed_bytes(role, &signed.card);
        if is_signed_by(card.device, &message, &signature) {
            Ok(card)
        } else {
            Err(Stop::protocol())
        }
    }

    /// What the creator says of its nonce before it shows it.
    pub(super) fn commitment(&self, nonce: &[u8; 32]) -> [u8; 32] {
        hash(b"towline pairing v1 commitment", &[&self.transcript, nonce])
    }

    /// The 42 bits that both sides show.
    pub(super) fn compare(&self, keys: Keys, nonces: Nonces) -> CompareString {
        let parts: [&[u8]; 5] = [
            &self.transcript,
            keys.creator.as_bytes(),
            keys.joiner.as_bytes(),
            &nonces.creator,
            &nonces.joiner,
        ];
        let [a, b, c, d, e, f, ..] = hash(b"towline pairing v1 compare", &parts);
        CompareString::from_bits(u64::from_be_bytes([0, 0, a, b, c, d, e, f]) >> 6)
    }

    fn signed_bytes(&self, role: Role, card: &[u8]) -> Vec<u8> {
        let domain: &[u8] = match role {
            Role::Creator => b"towline card v1 creator\0",
            Role::Joiner => b"towline card v1 joiner\0",
        };
        [domain, &self.transcript, card].concat()
    }
}

impl Farewell {
    /// Before there are keys.
    pub(super) const fn unproved() -> Self {
        Self(None)
    }

    /// The last message.
    pub(super) fn refuse(&self, reason: RefuseReason) -> PairingMessage {
        let proof = self.0.as_ref().map(|key| key.proof(reason));
        PairingMessage::Refuse(Refuse { reason, proof })
    }
}

impl RefuseKey {
    fn proof(&self, reason: RefuseReason) -> [u8; 32] {
        let number = match reason {
            RefuseReason::WrongSecret => 0,
            RefuseReason::Version => 1,
            RefuseReason::Protocol => 2,
            RefuseReason::GaveUp => 3,
        };
        *expand(&Hkdf::new(None, self.0.as_slice()), &[number])
    }
}

/// The device keys of both sides.
pub(super) struct Keys {
    pub(super) creator: DeviceId,
    pub(super) joiner: DeviceId,
}

/// The nonces of both sides.
pub(super) struct Nonces {
    pub(super) creator: [u8; 32],
    pub(super) joiner: [u8; 32],
}

/// The key of one direction and how many messages it has carried.
struct Seal {
    cipher: ChaCha20Poly1305,
    count: u64,
}

impl Seal {
    fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new((&*key).into()),
            count: 0,
        }
    }

    /// Counts from 0; a key lives for one pairing, so no nonce comes twice.
    fn next_nonce(&mut self) -> Nonce {
        let nonce = self.nonce();
        self.count += 1;
        nonce
    }

    /// The nonce of the message that comes next.
    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 12];
        // Eight of the twelve bytes.
        nonce[..8].copy_from_slice(&self.count.to_le_bytes());
        nonce.into()
    }
}

fn transcript((way, slot): &(Way, Slot), creator: &Share, joiner: &Share) -> [u8; 32] {
    let way: &[u8] = match way {
        Way::Server => b"mailbox",
        Way::Nearby => b"lan",
    };
    let kind: &[u8] = match creator.kind {
        SecretKind::Typed => b"typed",
        SecretKind::Link => b"link",
    };
    let versions = |share: &Share| {
        [
            share.versions.oldest.to_be_bytes(),
            share.versions.newest.to_be_bytes(),
        ]
        .concat()
    };
    let parts: [&[u8]; 7] = [
        way,
        slot.as_str().as_bytes(),
        kind,
        &versions(creator),
        &versions(joiner),
        &creator.share,
        &joiner.share,
    ];
    hash(b"towline pairing v1 transcript", &parts)
}

/// SHA-256 over the label and all parts, each with its length, so that none can run into the next.
fn hash(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [label].iter().chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn expand(keys: &Hkdf<Sha256>, label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let expanded = keys.expand(label, key.as_mut_slice());
    debug_assert!(
        expanded.is_ok(),
        "32 bytes are within the limit of HKDF-SHA256"
    );
    key
}
