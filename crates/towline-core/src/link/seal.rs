//! What two peers tell each other through the signal server, sealed with the pair's key.
//!
//! ChaCha20-Poly1305 with a random 96-bit nonce in front; a pair seals a few messages an hour, far
//! from where random nonces collide. Sender and receiver are bound, so that nothing can be sent back
//! to its sender. A notice counts within a run, which is one life of the sender's process; one that
//! is not newer is ignored, and one of a run not met before proves that the sender has begun anew.

use std::collections::VecDeque;
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
    /// The latest runs of the peer, the oldest first.
    runs: VecDeque<SeenRun>,
}

/// What was seen of one run of the peer.
#[derive(Debug, Clone, Copy)]
struct SeenRun {
    run: u64,
    /// The highest count.
    count: u64,
}

/// What a peer's notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) run: Run,
    /// The run's number.
    pub(super) number: u64,
}

/// Which life of the peer's process a notice is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// One that has told something before.
    Known,
    /// One that is heard of for the first time.
    New,
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
            runs: VecDeque::new(),
        }
    }

    /// Our run.
    pub(super) const fn run(&self) -> u64 {
        self.run
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

    /// What the notice says, when it is the peer's and newer than what is known.
    pub(super) fn open(&mut self, bytes: &[u8]) -> Option<Told> {
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
        let run = self.note(notice.run, notice.count)?;
        Some(Told {
            addresses: notice.addresses,
            run,
            number: notice.run,
        })
    }

    /// Notes a notice; `None` when it is not newer than what its run has said.
    fn note(&mut self, run: u64, count: u64) -> Option<Run> {
        if let Some(seen) = self.runs.iter_mut().find(|seen| seen.run == run) {
            if count <= seen.count {
                return None;
            }
            seen.count = count;
            return Some(Run::Known);
        }
        if self.runs.len() >= RUNS_REMEMBERED {
            self.runs.pop_front();
        }
        self.runs.push_back(SeenRun { run, count });
        Some(Run::New)
    }
}

/// Bytes of the nonce in front of a sealed message.
const NONCE_BYTES: usize = 12;

/// Runs of a peer that are remembered: 8, restarts of one day. What a forgotten run's notice could
/// do when it is repeated is to have old addresses probed, and the connection asked for a sign of
/// life.
const RUNS_REMEMBERED: usize = 8;
