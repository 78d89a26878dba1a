//! What one peer may make this device hold and read for it at a time, over all of its streams.
//!
//! Three semaphores: streams, bytes of answers that are being read or wait to be sent, and pages of
//! chunk lists that are being cut. Who waits is served in order. An allowance outlives the streams
//! that use it, so resetting a stream and opening another gains nothing: what a job on the disk
//! pool still reads stays counted.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One peer's allowance; clones share it.
#[derive(Clone)]
pub(super) struct Allowance {
    streams: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    lists: Arc<Semaphore>,
    /// The most bytes that were held at once.
    #[cfg(test)]
    peak: Arc<std::sync::atomic::AtomicUsize>,
}

/// A part of an allowance; comes back when dropped.
#[derive(Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// Bytes of an allowance; come back when dropped.
#[derive(Debug)]
pub(super) struct HeldBytes(OwnedSemaphorePermit);

impl Allowance {
    pub(super) fn new() -> Self {
        Self {
            streams: Arc::new(Semaphore::new(STREAMS_PER_PEER_MAX)),
            bytes: Arc::new(Semaphore::new(BYTES_PER_PEER_MAX)),
            lists: Arc::new(Semaphore::new(LIST_PAGES_PER_PEER_MAX)),
            #[cfg(test)]
            peak: Arc::default(),
        }
    }

    /// A place for one more stream; `None` when all are taken.
    pub(super) fn stream(&self) -> Option<Held> {
        self.streams.clone().try_acquire_owned().ok().map(Held)
    }

    /// Room for one page of a chunk list, as soon as there is some.
    pub(super) async fn list_page(&self) -> Option<Held> {
        // `None` would be a closed semaphore; nobody closes it.
        self.lists.clone().acquire_owned().await.ok().map(Held)
    }

    /// Room for so many bytes, as soon as there is some. More than all there is counts as all.
    pub(super) async fn bytes(&self, count: usize) -> Option<HeldBytes> {
        let count = u32::try_from(count.min(BYTES_PER_PEER_MAX)).unwrap_or(u32::MAX);
        let held = self.bytes.clone().acquire_many_owned(count).await.ok()?;
        #[cfg(test)]
        self.peak.fetch_max(
            BYTES_PER_PEER_MAX - self.bytes.available_permits(),
            std::sync::atomic::Ordering::Relaxed,
        );
        Some(HeldBytes(held))
    }

    /// The most bytes that were held at once.
    #[cfg(test)]
    pub(super) fn peak(&self) -> usize {
        self.peak.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl HeldBytes {
    /// Gives back what was not needed.
    pub(super) fn shrink_to(&mut self, count: usize) {
        let surplus = self.0.num_permits().saturating_sub(count);
        drop(self.0.split(surplus));
    }
}

/// Data streams of one peer at once: 32. A fetcher uses at most six per folder, so five folders can be
/// fetched side by side.
pub(super) const STREAMS_PER_PEER_MAX: usize = 32;

/// Bytes of answers that are held for one peer: 32 MiB. An honest stream holds about 2 MiB, so that
/// sixteen read ahead without waiting; beyond them streams take turns. More would let a peer that
/// asks and does not read hold more of our memory, much less would idle fast links.
pub(super) const BYTES_PER_PEER_MAX: usize = 32 * 1024 * 1024;

/// Pages of chunk lists that are cut at once for one peer: 1. A page reads up to 2 GiB and hashes it, so
/// a peer that asks again and again has one thread of the disk pool busy and no more; lists asked
/// for side by side take turns page by page.
const LIST_PAGES_PER_PEER_MAX: usize = 1;

#[cfg(test)]
mod tests {
    use futures_util::future::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_held_makes_the_next_wait_and_comes_back() {
        let allowance = Allowance::new();
        let mut half = allowance.bytes(BYTES_PER_PEER_MAX / 2).await.unwrap();
        let other = allowance.bytes(BYTES_PER_PEER_MAX / 2).await.unwrap();
        assert!(allowance.bytes(1).now_or_never().is_none());
        half.shrink_to(10);
        let room = allowance.bytes(BYTES_PER_PEER_MAX / 2 - 10).now_or_never();
        assert!(room.flatten().is_some());
        drop((half, other));
        assert!(allowance.bytes(usize::MAX).now_or_never().is_some());
        assert_eq!(allowance.peak(), BYTES_PER_PEER_MAX);
    }

    #[tokio::test]
    async fn chunk_lists_are_cut_one_page_at_a_time() {
        let allowance = Allowance::new();
        let page = allowance.list_page().await;
        assert!(allowance.list_page().now_or_never().is_none());
        drop(page);
        assert!(allowance.list_page().now_or_never().is_some());
    }
}
