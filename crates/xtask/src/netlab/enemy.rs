//! Somebody who sits on the line: sees every frame that passes, and adds frames of their own.
//!
//! Every UDP datagram over IPv4 they send back to where it came from, as if from where it was going; and later they
//! send on one with a bit changed, one of the same length that is nothing but noise, one that claims to come from
//! [`THIRD_PARTY`], and the same one again. They take nothing away and are never first: whoever changes an answer
//! before it comes keeps two devices from meeting directly, as whoever cuts the line does.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use etherparse::{LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use fastrand::Rng;

use super::line::{Due, deliver};

/// Who has no part in it, and must not be written to: an address for documents (RFC 5737) that nobody has here.
pub(super) const THIRD_PARTY: [u8; 4] = [198, 51, 100, 99];

/// What they do in one direction.
pub(super) struct Enemy {
    /// To where frames come from.
    back: Arc<File>,
    again: SyncSender<Due>,
    random: Rng,
}

impl Enemy {
    pub(super) fn new(back: Arc<File>, onward: Arc<File>, seed: u64) -> Self {
        let (again, waiting) = sync_channel(AGAIN_MAX);
        thread::spawn(move || deliver(&onward, &waiting));
        Self {
            back,
            again,
            random: Rng::with_seed(seed),
        }
    }

    /// A frame passes.
    pub(super) fn sees(&mut self, frame: &[u8]) {
        let Some(datagram) = Datagram::of(frame) else {
            return;
        };
        // A device that is down takes nothing.
        let _lost = (&*self.back).write(&datagram.reflected().frame());
        let at = Instant::now() + AGAIN_AFTER;
        let forged = [
            self.changed(&datagram),
            self.noise(&datagram),
            datagram.of_third(),
        ];
        let forged = forged.iter().map(Datagram::frame);
        for frame in forged.chain([frame.to_vec()]) {
            // With too many on their way this one is not sent.
            let _full = self.again.try_send(Due { at, frame });
        }
    }

    fn changed(&mut self, datagram: &Datagram) -> Datagram {
        let mut changed = datagram.clone();
        let bits = changed.payload.len() * 8;
        if bits > 0 {
            let bit = self.random.usize(..bits);
            changed.payload[bit / 8] ^= 1 << (bit % 8);
        }
        changed
    }

    fn noise(&mut self, datagram: &Datagram) -> Datagram {
        let mut noise = datagram.clone();
        self.random.fill(&mut noise.payload);
        noise
    }
}

/// A UDP datagram over IPv4 in its frame: what of it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Datagram {
    /// From and to, also below.
    macs: [[u8; 6]; 2],
    hosts: [[u8; 4]; 2],
    ports: [u16; 2],
    payload: Vec<u8>,
}

impl Datagram {
    fn of(frame: &[u8]) -> Option<Self> {
        let sliced = SlicedPacket::from_ethernet(frame).ok()?;
        let Some(LinkSlice::Ethernet2(ethernet)) = sliced.link else {
            return None;
        };
        let Some(NetSlice::Ipv4(four)) = sliced.net else {
            return None;
        };
        let Some(TransportSlice::Udp(udp)) = sliced.transport else {
            return None;
        };
        let four = four.header();
        Some(Self {
            macs: [ethernet.source(), ethernet.destination()],
            hosts: [four.source(), four.destination()],
            ports: [udp.source_port(), udp.destination_port()],
            payload: udp.payload().to_vec(),
        })
    }

    fn reflected(&self) -> Self {
        let mut reflected = self.clone();
        reflected.macs.swap(0, 1);
        reflected.hosts.swap(0, 1);
        reflected.ports.swap(0, 1);
        reflected
    }

    fn of_third(&self) -> Self {
        let mut forged = self.clone();
        forged.hosts[0] = THIRD_PARTY;
        forged
    }

    /// The whole frame, with its checksums right.
    fn frame(&self) -> Vec<u8> {
        let [from, to] = self.hosts;
        let headers = PacketBuilder::ethernet2(self.macs[0], self.macs[1])
            .ipv4(from, to, HOPS)
            .udp(self.ports[0], self.ports[1]);
        let mut frame = Vec::with_capacity(headers.size(self.payload.len()));
        match headers.write(&mut frame, &self.payload) {
            Ok(()) => frame,
            // No datagram that came in a frame is too long for one.
            Err(_) => Vec::new(),
        }
    }
}

/// When a datagram comes again: after 700 ms, when its answer has long been taken, and a probe is still remembered.
const AGAIN_AFTER: Duration = Duration::from_millis(700);

/// Datagrams that wait for that: 16,384, 24 MB.
const AGAIN_MAX: usize = 16_384;

/// Hops that a forged datagram may take.
const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram() -> Datagram {
        Datagram {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            hosts: [[203, 0, 113, 21], [203, 0, 113, 22]],
            ports: [4001, 4002],
            payload: vec![7; 300],
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let datagram = datagram();
        assert_eq!(Datagram::of(&datagram.frame()), Some(datagram.clone()));
        let reflected = datagram.reflected();
        assert_eq!(reflected.hosts, [[203, 0, 113, 22], [203, 0, 113, 21]]);
        assert_eq!(reflected.reflected(), datagram);
        assert_eq!(datagram.of_third().hosts[0], THIRD_PARTY);
    }

    #[test]
    fn what_is_no_datagram_passes_unseen() {
        let frame = datagram().frame();
        for length in 0..42 {
            assert_eq!(Datagram::of(&frame[..length]), None, "{length}");
        }
        let mut tcp = frame;
        tcp[23] = 6;
        assert_eq!(Datagram::of(&tcp), None);
    }
}
