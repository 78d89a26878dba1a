//! Seats for those who come to pair and of whom nothing is known.
//!
//! While a code waits, an address of the local network that passed no probe may begin a QUIC connection, and
//! gets a synthetic address of its own for as long as that lasts. Its connection is never a peer's: other keys,
//! another ALPN, other limits (`pairing`). Seats are few; who comes last takes the one that was taken first, so
//! that nobody can hold all of them for long.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The synthetic address of all strangers; the port tells them apart. No peer has it: that would be the key of
/// zeros.
const ULA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0);

/// Strangers at once: 8. A person pairs with one device; the rest is room for its several addresses, and for
/// somebody who comes by mistake.
const SEATS_MAX: usize = 8;

/// Who sits where.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Looked at for each datagram from an unknown address, so that those cost nothing while no code waits.
    is_open: AtomicBool,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    /// The first taken first.
    taken: VecDeque<Seat>,
    last_port: u16,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    addr: SocketAddr,
    port: u16,
}

/// Whether quinn's address is a stranger's.
pub(super) fn is_stranger(synthetic: SocketAddr) -> bool {
    synthetic.ip() == IpAddr::V6(ULA)
}

impl Strangers {
    /// From now on strangers may take seats.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// From now on nobody new may; who sits stays.
    pub(super) fn shut(&self) {
        self.is_open.store(false, Ordering::Relaxed);
    }

    /// Whether anybody has a seat or may take one.
    pub(super) fn are_possible(&self) -> bool {
        self.is_open.load(Ordering::Relaxed) || !self.seats().taken.is_empty()
    }

    /// What quinn is told as the address of a datagram from `addr`; `None` when it has no seat.
    pub(super) fn seat_of(&self, addr: SocketAddr) -> Option<SocketAddr> {
        let seats = self.seats();
        let seat = seats.taken.iter().find(|seat| seat.addr == addr)?;
        Some(SocketAddr::new(IpAddr::V6(ULA), seat.port))
    }

    /// Gives `addr` a seat, if seats are given.
    pub(super) fn take_seat(&self, addr: SocketAddr) -> Option<SocketAddr> {
        if !self.is_open.load(Ordering::Relaxed) {
            return None;
        }
        let mut seats = self.seats();
        if seats.taken.len() >= SEATS_MAX {
            seats.taken.pop_front();
        }
        seats.last_port = seats.last_port.checked_add(1).unwrap_or(1);
        let port = seats.last_port;
        seats.taken.push_back(Seat { addr, port });
        Some(SocketAddr::new(IpAddr::V6(ULA), port))
    }

    /// Where datagrams to a stranger's synthetic address go.
    pub(super) fn addr_at(&self, synthetic: SocketAddr) -> Option<SocketAddr> {
        if !is_stranger(synthetic) {
            return None;
        }
        let seats = self.seats();
        let seat = seats
            .taken
            .iter()
            .find(|seat| seat.port == synthetic.port())?;
        Some(seat.addr)
    }

    /// The stranger is gone.
    pub(super) fn leave(&self, synthetic: SocketAddr) {
        let mut seats = self.seats();
        seats.taken.retain(|seat| seat.port != synthetic.port());
    }

    /// Nothing panics while it holds this lock.
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, 7], port))
    }

    #[test]
    fn seats_are_given_only_while_a_code_waits_and_kept_after_that() {
        let strangers = Strangers::default();
        assert_eq!(strangers.take_seat(addr(1)), None);
        strangers.open();
        let seat = strangers.take_seat(addr(1)).unwrap();
        strangers.shut();
        assert_eq!(strangers.take_seat(addr(2)), None);
        assert_eq!(strangers.seat_of(addr(1)), Some(seat));
        assert_eq!(strangers.addr_at(seat), Some(addr(1)));
        assert!(is_stranger(seat) && strangers.are_possible());
        strangers.leave(seat);
        assert_eq!(strangers.addr_at(seat), None);
        assert!(!strangers.are_possible());
    }

    #[test]
    fn the_first_seat_is_taken_by_who_comes_last() {
        let strangers = Strangers::default();
        strangers.open();
        for port in 1..=9 {
            strangers.take_seat(addr(port));
        }
        assert_eq!(strangers.seat_of(addr(1)), None);
        assert!(strangers.seat_of(addr(2)).is_some());
    }
}
