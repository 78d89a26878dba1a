//! What two peers tell each other through the signal server, sealed with the pair's key.
//!
//! ChaCha20-Poly1305 with a random 96-bit nonce in front; a pair seals a few messages an hour, far
//! from where random nonces collide. Sender and receiver are bound, so that nothing can be sent back
//! to its sender. A notice counts within a run; one that is not newer is ignored.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towline_wire::candidates::CandidateNotice;
use towline_wire::ids::DeviceId;

use crate::identity::Identity;

/// Our side of the sealed messages of one pair.
pub(super) struct Seal {
    /// `None` when the peer's key is no usable point; nothing is said or believed then.
    cipher: Option<ChaCha20Poly1305>,
    us: DeviceId,
    peer: DeviceId,
    run: u64,
    count: u64,
    /// The highest count seen of each run of the peer, the latest runs.
    seen_by_run: BTreeMap<u64, u64>,
}

impl Seal {
    pub(super) fn new(identity: &Identity, peer: DeviceId, rng: &mut ChaCha20Rng) -> Self {
        let key = identity
            .pair_key(peer)
            .map(|key| key.derive("towline candidates v1"));
        Self {
            cipher: key.map(|key| ChaCha20Poly1305::new((&*key).into())),
            us: identity.id(),
            peer,
            run: rng.next_u64(),
            count: 0,
            seen_by_run: BTreeMap::new(),
        }
    }

    /// Seals our addresses as the next notice.
    pub(super) fn seal(
        &mut self,
        addresses: Vec<SocketAddr>,
        rng: &mut ChaCha20Rng,
    ) -> Option<Vec<u8>> {
        self.count += 1;
        let notice = CandidateNotice {
            run: self.run,
            count: self.count,
            addresses,
        }
        .encode();
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let aad = [self.us.as_bytes().as_slice(), self.peer.as_bytes()].concat();
        let sealed = self
            .cipher
            .as_ref()?
            .encrypt(
                &nonce.into(),
                Payload {
                    msg: &notice,
                    aad: &aad,
                },
            )
            .ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// The peer's addresses, when the notice is the peer's and newer than what is known.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Option<Vec<SocketAddr>> {
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = [self.peer.as_bytes().as_slice(), self.us.as_bytes()].concat();
        let plain = self
            .cipher
            .as_ref()?
            .decrypt(
                &(*nonce).into(),
                Payload {
                    msg: sealed,
                    aad: &aad,
                },
            )
            .ok()?;
        let notice = CandidateNotice::decode(&plain).ok()?;
        if self
            .seen_by_run
            .get(&notice.run)
            .is_some_and(|seen| notice.count <= *seen)
        {
            return None;
        }
        if !self.seen_by_run.contains_key(&notice.run) && self.seen_by_run.len() >= RUNS_REMEMBERED
        {
            self.seen_by_run.pop_first();
        }
        self.seen_by_run.insert(notice.run, notice.count);
        Some(notice.addresses)
    }
}

/// Bytes of the nonce in front of a sealed message.
const NONCE_BYTES: usize = 12;

/// Runs of a peer that are remembered: 8, restarts of one day. What a forgotten run's notice could
/// do when it is repeated is to have old addresses probed.
const RUNS_REMEMBERED: usize = 8;
