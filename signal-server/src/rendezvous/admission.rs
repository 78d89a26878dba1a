//! Who may open a connection at all: decided per address, before a single byte is read.
//!
//! It stands apart from the rendezvous because it answers at once. Loopback is not limited: it is
//! this machine itself, or a proxy in front, which does its own limiting.

use std::collections::BTreeMap;
use std::time::Duration;

use super::network::Network;
use super::{Budget, Moment, Origin, Rate};

/// Limits per IPv4 address or /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Connections at once: 256, an office behind one address.
    pub connections_max: u32,
    /// New connections in a burst: 10 a second, 30 at once.
    pub burst: Rate,
    /// New connections in the long run: 100 a minute.
    pub sustained: Rate,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            burst: Rate::per_second(10, 30),
            sustained: Rate {
                burst: 100,
                refill: Duration::from_millis(600),
            },
        }
    }
}

/// The connection is not to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// When to try again.
    pub retry_after: Duration,
}

/// Counts connections by address.
#[derive(Debug)]
pub struct Admission {
    limits: AddressLimits,
    by_network: BTreeMap<Network, Address>,
    swept: Moment,
}

#[derive(Debug, Default)]
struct Address {
    open: u32,
    burst: Budget,
    sustained: Budget,
}

impl Admission {
    /// Nobody is there yet.
    pub const fn new(limits: AddressLimits) -> Self {
        Self {
            limits,
            by_network: BTreeMap::new(),
            swept: Moment::START,
        }
    }

    /// Admits a new connection, or says when to try again. Each admitted one is given back by
    /// [`left`](Self::left).
    pub fn admit(&mut self, now: Moment, origin: Origin) -> Result<(), Refused> {
        if origin.remote.is_loopback() {
            return Ok(());
        }
        self.sweep(now);
        let network = origin.household();
        if self.by_network.len() >= NETWORKS_MAX && !self.by_network.contains_key(&network) {
            return Err(Refused {
                retry_after: SWEEP_EVERY,
            });
        }
        let address = self.by_network.entry(network).or_default();
        if address.open >= self.limits.connections_max {
            return Err(Refused {
                retry_after: SWEEP_EVERY,
            });
        }
        let burst = address.burst.take(now, self.limits.burst, 1);
        let sustained = address.sustained.take(now, self.limits.sustained, 1);
        burst
            .and(sustained)
            .map_err(|retry_after| Refused { retry_after })?;
        address.open += 1;
        Ok(())
    }

    /// An admitted connection is gone.
    pub fn left(&mut self, origin: Origin) {
        if let Some(address) = self.by_network.get_mut(&origin.household()) {
            address.open = address.open.saturating_sub(1);
        }
    }

    fn sweep(&mut self, now: Moment) {
        if now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.by_network.retain(|_, address| {
            address.open > 0 || !(address.burst.is_full(now) && address.sustained.is_full(now))
        });
    }
}

/// Addresses counted at once: 262,144, about 25 MiB. Strangers beyond that are refused until the
/// next sweep; that many addresses at once is an attack.
const NETWORKS_MAX: usize = 1 << 18;

/// Time between two looks through the addresses.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_limited_and_its_neighbours_are_not() {
        let mut admission = Admission::new(AddressLimits::default());
        let here = "192.0.2.9".parse().unwrap();
        let origin = |remote: &str| Origin::new(remote.parse().unwrap(), here);
        let now = Moment::START;
        let admitted = (0..100)
            .filter(|_| admission.admit(now, origin("192.0.2.1")).is_ok())
            .count();
        assert_eq!(admitted, 30);
        assert!(admission.admit(now, origin("192.0.2.2")).is_ok());
        assert!((0..1000).all(|_| admission.admit(now, origin("127.0.0.1")).is_ok()));
        let same_64 = |host: u32| origin(&format!("2001:db8::{host:x}"));
        assert_eq!(
            (0..100)
                .filter(|host| admission.admit(now, same_64(*host)).is_ok())
                .count(),
            30
        );
    }
}
