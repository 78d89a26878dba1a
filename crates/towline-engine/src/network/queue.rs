//! Datagrams that wait: for quinn, where they came by other ways than a socket of the system, or for their turn to leave.
//!
//! A queue is bounded by the time that it costs. Some datagrams always find room; beyond them, as long as the oldest has
//! not waited for long, so that a fast way is not starved and a slow one is not a long one. What does not fit
//! is dropped, as on any network.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes that find room however long others have waited.
    pub(super) always: usize,
    /// Bytes beyond which nothing finds room.
    pub(super) most: usize,
    /// How long the oldest may have waited where more than [`always`](Self::always) is there.
    pub(super) patience: Duration,
}

/// Datagrams in order, with one who takes them.
pub(super) struct Queue<T> {
    bounds: Bounds,
    waiting: Mutex<Waiting<T>>,
    taker: AtomicWaker,
}

struct Waiting<T> {
    datagrams: VecDeque<One<T>>,
    bytes: usize,
}

struct One<T> {
    datagram: T,
    bytes: usize,
    since: Instant,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: Mutex::new(Waiting {
                datagrams: VecDeque::new(),
                bytes: 0,
            }),
            taker: AtomicWaker::new(),
        }
    }

    /// Queues a datagram of so many bytes, or drops it.
    pub(super) fn push(&self, datagram: T, bytes: usize) {
        self.push_at(Instant::now(), datagram, bytes);
    }

    fn push_at(&self, now: Instant, datagram: T, bytes: usize) {
        let mut waiting = self.lock();
        let after = waiting.bytes + bytes;
        let is_fresh = waiting.datagrams.front().is_none_or(|oldest| {
            now.saturating_duration_since(oldest.since) <= self.bounds.patience
        });
        if after > self.bounds.most || (after > self.bounds.always && !is_fresh) {
            return;
        }
        waiting.bytes = after;
        waiting.datagrams.push_back(One {
            datagram,
            bytes,
            since: now,
        });
        drop(waiting);
        self.taker.wake();
    }

    /// The next datagram, if there is one.
    pub(super) fn pop(&self) -> Option<T> {
        let mut waiting = self.lock();
        let one = waiting.datagrams.pop_front()?;
        waiting.bytes -= one.bytes;
        Some(one.datagram)
    }

    /// The next datagram, or the waker is kept.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(datagram) = self.pop() {
            return Poll::Ready(datagram);
        }
        self.taker.register(cx.waker());
        // One may have come between the look and the registration.
        self.pop().map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits for the next datagram.
    pub(super) async fn next(&self) -> T {
        std::future::poll_fn(|cx| self.poll_pop(cx)).await
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        always: 10_000,
        most: 50_000,
        patience: Duration::from_millis(50),
    };

    fn taken(queue: &Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn a_fast_way_finds_room_up_to_the_most() {
        let queue = Queue::new(BOUNDS);
        let now = Instant::now();
        for number in 0..1000 {
            queue.push_at(now, number, 1000);
        }
        assert_eq!(taken(&queue), (0..50).collect::<Vec<_>>());
        queue.push_at(now, 7, BOUNDS.most);
        assert_eq!(queue.pop(), Some(7));
    }

    #[test]
    fn a_slow_way_keeps_a_short_queue() {
        let queue = Queue::new(BOUNDS);
        let begun = Instant::now();
        for number in 0..1000 {
            queue.push_at(begun + Duration::from_millis(10) * number, number, 1000);
        }
        // Ten of them always, which is longer than the patience.
        assert_eq!(taken(&queue), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn who_takes_makes_room() {
        let queue = Queue::new(BOUNDS);
        let begun = Instant::now();
        let mut came = Vec::new();
        for number in 0..1000 {
            queue.push_at(begun + Duration::from_millis(10) * number, number, 1000);
            came.extend(queue.pop());
        }
        assert_eq!(came.len(), 1000);
    }
}
