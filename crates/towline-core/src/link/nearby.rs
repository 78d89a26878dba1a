//! Addresses that were announced on the local network, tried for this peer.
//!
//! Anybody can announce anything, so these are no candidates: each gets a few probes at once, and one a
//! minute after that, and becomes a candidate when it answers. Only the peer itself can answer. What was
//! announced anew is tried anew, but never within [`AGAIN_AFTER`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::Moment;
use crate::io::NeighbourName;

/// What is tried.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    tries_by_addr: BTreeMap<SocketAddr, Tries>,
    /// What is not announced any more, while it counts.
    gone_by_addr: BTreeMap<SocketAddr, Tries>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    name: NeighbourName,
    began: Moment,
    count: u32,
    due: Moment,
}

impl Tries {
    const fn new(name: NeighbourName, now: Moment) -> Self {
        Self {
            name,
            began: now,
            count: 0,
            due: now,
        }
    }

    fn may_begin_anew(&self, now: Moment) -> bool {
        now.since(self.began) >= AGAIN_AFTER
    }
}

impl Nearby {
    /// All that is announced now, by whom.
    pub(super) fn announced(&mut self, now: Moment, all: &[(NeighbourName, SocketAddr)]) {
        let mut before = std::mem::take(&mut self.tries_by_addr);
        before.append(&mut self.gone_by_addr);
        for (name, addr) in all.iter().take(ADDRESSES_MAX) {
            let known = before
                .remove(addr)
                .filter(|known| known.name == *name || !known.may_begin_anew(now));
            let tries = known.unwrap_or_else(|| Tries::new(*name, now));
            self.tries_by_addr.entry(*addr).or_insert(tries);
        }
        before.retain(|_, gone| !gone.may_begin_anew(now));
        while before.len() > ADDRESSES_MAX {
            before.pop_last();
        }
        self.gone_by_addr = before;
    }

    /// The connection is gone, or the network is another: what answers nobody may answer now.
    pub(super) fn try_anew(&mut self, now: Moment) {
        for tries in self.tries_by_addr.values_mut() {
            if tries.may_begin_anew(now) {
                *tries = Tries::new(tries.name, now);
            }
        }
    }

    /// The addresses to probe now.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<SocketAddr> {
        let due = self
            .tries_by_addr
            .iter_mut()
            .filter(|(_, tries)| tries.due <= now);
        due.map(|(addr, tries)| {
            let pause = usize::try_from(tries.count)
                .ok()
                .and_then(|count| PAUSES.get(count));
            tries.due = now.after(pause.copied().unwrap_or(PAUSE_LATER));
            tries.count = tries.count.saturating_add(1);
            *addr
        })
        .collect()
    }

    /// When an address is to be probed next.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.tries_by_addr.values().map(|tries| tries.due).min()
    }
}

/// Pauses between the first probes to an address: they survive a lost packet, and a peer that hears of us a
/// moment later than we of it.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
];

/// Pause between the later ones: a minute, as for addresses that a peer has told.
const PAUSE_LATER: Duration = Duration::from_secs(60);

/// Least time between two series of first probes to one address: 20 s. So an address gets at most a dozen
/// probes a minute for one peer, however often it is announced.
const AGAIN_AFTER: Duration = Duration::from_secs(20);

/// Addresses that are tried: 32. More announcements than that are no home and no office, but somebody who
/// makes them up; the peer also hears of us, and its own probe needs no announcement that we have heard.
const ADDRESSES_MAX: usize = 32;
