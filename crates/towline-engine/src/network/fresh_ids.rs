//! No connection id leaves this device on two ways.
//!
//! A connection id stands in clear in every packet (RFC 9000, section 17), and quinn does not see when the dialing
//! side moves to another path or when this device moves to another network. So here, where datagrams go out,
//! is remembered on which way each id has gone. One that would go another way is held back, and quinn is
//! made to take a fresh one for each connection, of those that the peers have given in advance (four). Held
//! back means lost; the fresh id comes with the next packet.
//!
//! A peer that has not been heard since gives no new ones. When none is left the connection goes on with
//! the one that it has, after [`PATIENCE`]: an observer then may link two networks, but the streams live.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::addresses::{self, Peek};
use super::routes::Through;

/// Bytes of an id that are compared: 8, all of those that we give, and of the 8 to 20 random ones that a
/// handshake begins with as many as tell them apart.
const ID_BYTES: usize = 8;

/// Ids remembered per peer: 16. A peer has five in use at a time; a handshake has two more.
const IDS_EACH_MAX: usize = 16;

/// How long packets with an old id are held back: 500 ms. A fresh one takes a few milliseconds, on a machine
/// with much to do some tens.
const PATIENCE: Duration = Duration::from_millis(500);

/// Pause between two looks whether this device has moved: 1 ms. Programs that bring up a network give the address
/// first and the route after it, which takes them longer; a look costs less than a microsecond.
const LOOK_INTERVAL_US: u64 = 1000;

/// Which ids have gone which ways.
pub(super) struct FreshIds {
    began: Instant,
    looked_us: AtomicU64,
    place: Mutex<Place>,
    /// Counts the networks that this device has been on.
    moves: AtomicU64,
    used_by_peer: Mutex<HashMap<IpAddr, Used>>,
    wanted: Notify,
}

/// Where this device is.
struct Place {
    changes: Option<Peek>,
    addresses: BTreeSet<(String, IpAddr)>,
}

/// What has gone to one peer.
#[derive(Debug, Default)]
struct Used {
    ids: VecDeque<([u8; ID_BYTES], WayOut)>,
    held: Option<Held>,
}

/// Packets are held back.
#[derive(Debug, Clone, Copy)]
struct Held {
    way: WayOut,
    since: Instant,
}

/// A way that a packet takes: what an observer sees of it, but for who observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WayOut {
    moves: u64,
    to: SocketAddr,
    through: Through,
}

impl FreshIds {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            looked_us: AtomicU64::new(0),
            place: Mutex::new(Place {
                changes: Peek::subscribe(),
                addresses: addresses::places(),
            }),
            moves: AtomicU64::new(0),
            used_by_peer: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    /// Whether a packet to a peer may go there.
    pub(super) fn may_leave(
        &self,
        peer: IpAddr,
        packet: &[u8],
        to: SocketAddr,
        through: Through,
    ) -> bool {
        let Some(id) = id_of(packet) else { return true };
        let now = Instant::now();
        self.look_for_a_move(now);
        let moves = self.moves.load(Ordering::Relaxed);
        let way = WayOut { moves, to, through };
        let mut used = self.used();
        let may = used.entry(peer).or_default().take(now, id, way);
        drop(used);
        if !may {
            self.wanted.notify_one();
        }
        may
    }

    /// Waits until fresh ids are wanted.
    pub(super) async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            let used = self.used();
            let mut held = used.values().filter_map(|used| used.held);
            if held.any(|held| held.since.elapsed() < PATIENCE) {
                return;
            }
        }
    }

    /// Looks whether the addresses of this device have changed.
    pub(super) fn look_again(&self) {
        self.look(&mut lock(&self.place));
    }

    fn look_for_a_move(&self, now: Instant) {
        let now_us = now.saturating_duration_since(self.began).as_micros();
        let now_us = u64::try_from(now_us).unwrap_or(u64::MAX);
        let looked = self.looked_us.load(Ordering::Relaxed);
        if now_us < looked.saturating_add(LOOK_INTERVAL_US) {
            return;
        }
        self.looked_us.store(now_us, Ordering::Relaxed);
        let mut place = lock(&self.place);
        if place.changes.as_ref().is_some_and(Peek::has_come) {
            self.look(&mut place);
        }
    }

    fn look(&self, place: &mut Place) {
        let now = addresses::places();
        if place.addresses != now {
            place.addresses = now;
            self.moves.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<IpAddr, Used>> {
        lock(&self.used_by_peer)
    }
}

impl Used {
    fn take(&mut self, now: Instant, id: [u8; ID_BYTES], way: WayOut) -> bool {
        let Some((_, known)) = self.ids.iter_mut().find(|(known, _)| *known == id) else {
            if self.ids.len() >= IDS_EACH_MAX {
                self.ids.pop_front();
            }
            self.ids.push_back((id, way));
            self.held = None;
            return true;
        };
        if *known == way {
            return true;
        }
        let held = self.held.filter(|held| held.way == way);
        match held {
            Some(held) if now.saturating_duration_since(held.since) >= PATIENCE => {
                *known = way;
                self.held = None;
                true
            }
            Some(_) => false,
            None => {
                self.held = Some(Held { way, since: now });
                false
            }
        }
    }
}

/// The id of the receiver in a packet (RFC 8999, section 5); ours are of one length.
fn id_of(packet: &[u8]) -> Option<[u8; ID_BYTES]> {
    match packet {
        [first, _, _, _, _, _, id @ ..] if first & 0x80 != 0 => id.first_chunk().copied(),
        [_, id @ ..] => id.first_chunk().copied(),
        [] => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(moves: u64, port: u16) -> WayOut {
        WayOut {
            moves,
            to: SocketAddr::from(([192, 0, 2, 1], port)),
            through: Through::Main,
        }
    }

    #[test]
    fn an_id_goes_one_way_until_none_is_left() {
        let mut used = Used::default();
        let now = Instant::now();
        let (one, other) = ([1; 8], [2; 8]);
        assert!(used.take(now, one, way(0, 7)));
        assert!(used.take(now, one, way(0, 7)));
        // Another address of the peer, and another network of ours.
        assert!(!used.take(now, one, way(0, 8)));
        assert!(!used.take(now, one, way(1, 7)));
        assert!(used.take(now, other, way(1, 7)));
        // The path of before may still be challenged with the id of before.
        assert!(used.take(now, one, way(0, 7)));
        // The peer gives no other one.
        assert!(!used.take(now, other, way(2, 7)));
        let soon = now + PATIENCE / 2;
        assert!(!used.take(soon, other, way(2, 7)));
        let late = now + PATIENCE;
        assert!(used.take(late, other, way(2, 7)));
        assert!(!used.take(late, other, way(1, 7)));
    }

    #[test]
    fn ids_are_found_in_both_kinds_of_headers() {
        let mut long = vec![0xc3, 0, 0, 0, 1, 8];
        long.extend([7; 8]);
        assert_eq!(id_of(&long), Some([7; 8]));
        let mut short = vec![0x43];
        short.extend([9; 8]);
        assert_eq!(id_of(&short), Some([9; 8]));
        assert_eq!(id_of(&short[..8]), None);
        assert_eq!(id_of(&[]), None);
    }

    proptest! {
        #[test]
        fn no_two_ways_have_an_id_in_common_while_there_are_fresh_ones(
            packets in prop::collection::vec((0..3_u64, 7..9_u16), 1..200),
        ) {
            let mut used = Used::default();
            let now = Instant::now();
            let mut fresh = 0_u64;
            let mut gone: Vec<([u8; 8], WayOut)> = Vec::new();
            for (moves, port) in packets {
                let way = way(moves, port);
                if !used.take(now, fresh.to_le_bytes(), way) {
                    fresh += 1;
                    prop_assert!(used.take(now, fresh.to_le_bytes(), way));
                }
                let id = fresh.to_le_bytes();
                prop_assert!(gone.iter().all(|(known, by)| *known != id || *by == way));
                gone.push((id, way));
                prop_assert!(used.ids.len() <= IDS_EACH_MAX);
            }
        }
    }
}
