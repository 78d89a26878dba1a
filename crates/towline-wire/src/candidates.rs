//! Where a device listens now, as it tells one peer through the signal server, sealed.
//!
//! A notice counts within one run of the sender, so that a server which repeats an old notice is
//! noticed. What a repeat from an earlier run could do is make the receiver probe old addresses.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::card::listenable;
use crate::frame::{self, FrameError};
use crate::limits::ADDRESSES_MAX;

/// The sender's current UDP addresses; replaces the ones before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateNotice {
    /// A random number of this run of the sender.
    pub run: u64,
    /// Counts the notices of the run, from 1.
    pub count: u64,
    /// The addresses, best first.
    pub addresses: Vec<SocketAddr>,
}

impl CandidateNotice {
    /// Encodes the notice; addresses above the limit are cut off.
    pub fn encode(&self) -> Vec<u8> {
        let mut notice = self.clone();
        notice.addresses = listenable(notice.addresses);
        notice.addresses.truncate(ADDRESSES_MAX);
        // Writing plain data to memory cannot fail; an empty notice would be refused by the peer.
        postcard::to_allocvec(&notice).unwrap_or_default()
    }

    /// Decodes a notice from a peer, which may be hostile.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut notice: Self = frame::decode(bytes)?;
        if notice.addresses.len() > ADDRESSES_MAX {
            return Err(FrameError::Malformed);
        }
        notice.addresses = listenable(notice.addresses);
        Ok(notice)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_on_the_wire_are_these() {
        let notice = CandidateNotice {
            run: 300,
            count: 2,
            addresses: vec!["192.168.1.2:4000".parse().unwrap()],
        };
        insta::assert_snapshot!(HEXLOWER.encode(&notice.encode()), @"ac02020100c0a80102a01f");
        assert_eq!(CandidateNotice::decode(&notice.encode()), Ok(notice));
    }

    proptest! {
        #[test]
        fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(notice) = CandidateNotice::decode(&bytes) {
                prop_assert_eq!(CandidateNotice::decode(&notice.encode()), Ok(notice));
            }
        }
    }
}
