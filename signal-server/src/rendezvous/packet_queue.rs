//! What waits to be sent to one end of a relay channel: bounded in bytes, the oldest dropped first.
//!
//! A long queue in front of a slow reader turns loss into delay, which QUIC bears worse: measured
//! on a 50 Mbit/s relay leg, deep queues made the round trip four times as long. An old datagram
//! is also worth less than a new one, so the old one goes. Never blocks.

use std::collections::VecDeque;

use bytes::Bytes;

/// Largest queue: 96 KiB, about 80 full packets; at 50 Mbit/s this is 15 ms of delay. Half of it
/// would drop ordinary bursts of one congestion window, twice it would show as delay.
pub const PACKET_QUEUE_BYTES_MAX: usize = 96 * 1024;

/// Packets in order, at most [`PACKET_QUEUE_BYTES_MAX`] bytes of them.
#[derive(Debug, Default)]
pub struct PacketQueue {
    packets: VecDeque<Bytes>,
    bytes: usize,
}

impl PacketQueue {
    /// Adds a packet, dropping the oldest until it fits; returns how many were dropped.
    pub fn push(&mut self, packet: Bytes) -> usize {
        self.bytes += cost(&packet);
        self.packets.push_back(packet);
        let mut dropped = 0;
        while self.bytes > PACKET_QUEUE_BYTES_MAX {
            let Some(oldest) = self.packets.pop_front() else {
                break;
            };
            self.bytes -= cost(&oldest);
            dropped += 1;
        }
        dropped
    }

    /// Takes the oldest packet; an empty queue holds no memory.
    pub fn pop(&mut self) -> Option<Bytes> {
        let packet = self.packets.pop_front();
        match &packet {
            Some(packet) => self.bytes -= cost(packet),
            None => self.packets = VecDeque::new(),
        }
        packet
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

/// Small packets cost more than their bytes.
const fn cost(packet: &Bytes) -> usize {
    packet.len() + size_of::<Bytes>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_and_the_bytes_stay_bounded() {
        let mut queue = PacketQueue::default();
        let dropped: usize = (0..200u8)
            .map(|number| queue.push(Bytes::from(vec![number; 1200])))
            .sum();
        assert!(queue.bytes <= PACKET_QUEUE_BYTES_MAX);
        let left: Vec<u8> = std::iter::from_fn(|| queue.pop())
            .map(|packet| packet[0])
            .collect();
        assert_eq!(left.len() + dropped, 200);
        assert_eq!(left.last(), Some(&199));
        assert!(left.is_sorted());
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn empty_packets_cost_something() {
        let mut queue = PacketQueue::default();
        for _ in 0..100_000 {
            queue.push(Bytes::new());
        }
        assert!(queue.packets.len() <= PACKET_QUEUE_BYTES_MAX / size_of::<Bytes>());
    }
}
