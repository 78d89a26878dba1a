//! What waits to be sent to one end of a relay channel, the oldest dropped first.
//!
//! A long queue in front of a slow reader turns loss into delay, which QUIC bears worse: measured
//! on a 50 Mbit/s relay leg, deep queues made the round trip four times as long. A short one in front of a fast reader
//! is lost bursts. So it is bounded by the time that it costs: some packets always find room; more do while the
//! oldest has not waited for long, and while all queues together do not hold too much. An old datagram is also worth
//! less than a new one, so the old one goes. Never blocks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

/// What always finds room: 96 KiB, about 80 full packets; at 50 Mbit/s this is 15 ms of delay. Half of it
/// would drop ordinary bursts of one congestion window, twice it would show as delay.
const ALWAYS_BYTES: usize = 96 * 1024;

/// The most that waits for anybody: 1 MiB.
const MOST_BYTES: usize = 1024 * 1024;

/// How long the oldest may have waited where more than [`ALWAYS_BYTES`] is there: 30 ms.
const PATIENCE: Duration = Duration::from_millis(30);

/// What all queues together hold, from which on nobody is given more than [`ALWAYS_BYTES`]: 64 MiB.
const ALL_BYTES: usize = 64 * 1024 * 1024;

/// The bytes in all queues of a server.
#[derive(Debug, Default)]
pub(super) struct Backlog(AtomicUsize);

/// Packets in order.
#[derive(Debug)]
pub(super) struct PacketQueue {
    packets: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    all: Arc<Backlog>,
}

impl PacketQueue {
    /// An empty queue among others.
    pub(super) const fn among(all: Arc<Backlog>) -> Self {
        Self {
            packets: VecDeque::new(),
            bytes: 0,
            all,
        }
    }

    /// Adds a packet, dropping the oldest until it fits; returns how many were dropped.
    pub(super) fn push(&mut self, now: Instant, packet: Bytes) -> usize {
        let all = self.count(cost(&packet));
        self.packets.push_back((now, packet));
        let most = if all > ALL_BYTES {
            ALWAYS_BYTES
        } else {
            MOST_BYTES
        };
        let mut dropped = 0;
        while let Some((since, _)) = self.packets.front() {
            let is_old = now.saturating_duration_since(*since) > PATIENCE;
            if self.bytes <= if is_old { ALWAYS_BYTES } else { most } {
                break;
            }
            self.take();
            dropped += 1;
        }
        dropped
    }

    /// Takes the oldest packet; an empty queue holds no memory.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let packet = self.take();
        if packet.is_none() {
            self.packets = VecDeque::new();
        }
        packet
    }

    fn take(&mut self) -> Option<Bytes> {
        let (_, packet) = self.packets.pop_front()?;
        self.bytes -= cost(&packet);
        self.all.0.fetch_sub(cost(&packet), Ordering::Relaxed);
        Some(packet)
    }

    /// Counts bytes that have come; gives those of all.
    fn count(&mut self, bytes: usize) -> usize {
        self.bytes += bytes;
        self.all.0.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

impl Drop for PacketQueue {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Small packets cost more than their bytes.
const fn cost(packet: &Bytes) -> usize {
    packet.len() + size_of::<(Instant, Bytes)>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8) -> Bytes {
        Bytes::from(vec![number; 1200])
    }

    fn left(queue: &mut PacketQueue) -> Vec<u8> {
        let packets = std::iter::from_fn(|| queue.pop());
        packets.map(|packet| packet[0]).collect()
    }

    #[test]
    fn for_a_slow_reader_the_oldest_is_dropped() {
        let all = Arc::<Backlog>::default();
        let mut queue = PacketQueue::among(all.clone());
        let begun = Instant::now();
        let dropped: usize = (0..200u8)
            .map(|number| queue.push(begun + PATIENCE * u32::from(number), packet(number)))
            .sum();
        assert!(queue.bytes <= ALWAYS_BYTES);
        let left = left(&mut queue);
        assert_eq!(left.len() + dropped, 200);
        assert_eq!(left.last(), Some(&199));
        assert!(left.is_sorted());
        assert_eq!((queue.bytes, all.0.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_burst_finds_room() {
        let mut queue = PacketQueue::among(Arc::default());
        let now = Instant::now();
        let dropped: usize = (0..200u8)
            .map(|number| queue.push(now, packet(number)))
            .sum();
        assert_eq!((dropped, left(&mut queue).len()), (0, 200));
        for _ in 0..10_000 {
            queue.push(now, packet(0));
        }
        assert!(queue.bytes <= MOST_BYTES);
    }

    #[test]
    fn all_together_hold_no_more_than_they_may() {
        let all = Arc::<Backlog>::default();
        let now = Instant::now();
        let mut queues: Vec<_> = (0..200).map(|_| PacketQueue::among(all.clone())).collect();
        for queue in &mut queues {
            for _ in 0..1000 {
                queue.push(now, packet(0));
            }
        }
        let most = ALL_BYTES + queues.len() * ALWAYS_BYTES;
        assert!(all.0.load(Ordering::Relaxed) <= most);
        drop(queues);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn empty_packets_cost_something() {
        let mut queue = PacketQueue::among(Arc::default());
        for _ in 0..100_000 {
            queue.push(Instant::now(), Bytes::new());
        }
        assert!(queue.packets.len() <= MOST_BYTES / size_of::<Bytes>());
    }
}
