//! Who a connection comes from, and whether that address may have one more.
//!
//! Whoever connects straight is counted before anything is read. Behind a proxy that is trusted, the client's
//! address is in `X-Forwarded-For`, so it is counted when the headers are there. Nobody else is believed about
//! where they come from.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::hub::Clock;
use crate::rendezvous::{AddressLimits, Admission, Origin, Refused};

/// Counts connections by address.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    admission: Arc<Mutex<Admission>>,
    clock: Clock,
    trusted: Arc<[IpNet]>,
    places: Arc<Places>,
}

/// TCP connections that are open, whatever they are for: each has a file descriptor, and those are few.
#[derive(Debug)]
pub(super) struct Places {
    open: AtomicUsize,
    /// From here on newcomers are not welcome.
    welcome_max: usize,
    /// Beyond this nobody is served; between both there is room for who asks how the server is.
    max: usize,
}

/// One of them, given back on drop.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

/// Why somebody is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotServed {
    /// The address has too many, or makes them too fast.
    Address(Refused),
    /// The process has too few file descriptors left.
    Full,
}

/// A connection's place at its address, given back on drop.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) origin: Origin,
    admission: Arc<Mutex<Admission>>,
    _place: Arc<Place>,
}

/// Who is at the other end of a TCP connection.
#[derive(Debug, Clone)]
pub(super) enum Visitor {
    /// A client that has its place.
    Client(Arc<Admitted>),
    /// A proxy; its clients are counted one by one.
    Proxy(Gate, Origin, Arc<Place>),
}

impl Places {
    /// With room for so many, and an eighth more for questions of health.
    pub(super) fn new(welcome_max: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            welcome_max,
            max: welcome_max.saturating_add(welcome_max / 8),
        })
    }

    /// Whether there is no room for newcomers.
    pub(super) fn are_taken(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.welcome_max
    }

    /// How many are taken.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn take(self: &Arc<Self>) -> Option<Arc<Place>> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Arc::new(Place(Arc::clone(self)));
        (before < self.max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        // Nothing panics while it holds the lock.
        let mut admission = self
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        admission.left(self.origin);
    }
}

impl Gate {
    /// With these limits; proxies in these networks are believed about their clients' addresses.
    pub(super) fn new(
        limits: AddressLimits,
        trusted: Vec<IpNet>,
        clock: Clock,
        places: Arc<Places>,
    ) -> Self {
        Self {
            admission: Arc::new(Mutex::new(Admission::new(limits))),
            clock,
            trusted: trusted.into(),
            places,
        }
    }

    /// Somebody connects.
    pub(super) fn visit(&self, origin: Origin) -> Result<Visitor, NotServed> {
        let place = self.places.take().ok_or(NotServed::Full)?;
        if self.trusts(origin.remote) {
            return Ok(Visitor::Proxy(self.clone(), origin, place));
        }
        let admitted = self.admit(origin, place).map_err(NotServed::Address)?;
        Ok(Visitor::Client(admitted))
    }

    /// The clock by which it counts.
    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    fn admit(&self, origin: Origin, place: Arc<Place>) -> Result<Arc<Admitted>, Refused> {
        let mut admission = self
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        admission.admit(self.clock.now(), origin)?;
        Ok(Arc::new(Admitted {
            origin,
            admission: Arc::clone(&self.admission),
            _place: place,
        }))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The last address in the headers that is no trusted proxy's. What stands before it anybody may have written.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let values = headers.get_all("x-forwarded-for");
        let texts: Vec<&str> = values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let hops = texts.iter().flat_map(|text| text.split(','));
        let hops: Vec<Option<IpAddr>> = hops.map(|hop| address_of(hop.trim())).collect();
        for hop in hops.into_iter().rev() {
            match hop {
                Some(address) if self.trusts(address) => {}
                Some(address) => return Some(address),
                // What a trusted proxy wrote and is no address: nobody can be named.
                None => return None,
            }
        }
        None
    }
}

impl Visitor {
    /// The client's place, when the headers of its request are there.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Arc<Admitted>, Refused> {
        match self {
            Self::Client(admitted) => Ok(Arc::clone(admitted)),
            Self::Proxy(gate, origin, place) => {
                // A proxy that names nobody, such as one that asks for its own sake, is counted itself.
                let remote = gate.forwarded_for(headers).unwrap_or(origin.remote);
                gate.admit(Origin::new(remote, origin.local), Arc::clone(place))
            }
        }
    }
}

/// An address, alone or with a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    let alone = bare.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    alone
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        Gate::new(
            AddressLimits::default(),
            trusted.to_vec(),
            Clock::start(),
            Places::new(1000),
        )
    }

    fn seen(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        gate()
            .forwarded_for(&headers)
            .map(|address| address.to_string())
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_client() {
        for (lines, client) in [
            (&["198.51.100.7"][..], Some("198.51.100.7")),
            (&["1.1.1.1, 198.51.100.7, 10.0.0.3"], Some("198.51.100.7")),
            (&["1.1.1.1", "198.51.100.7"], Some("198.51.100.7")),
            (&["198.51.100.7:4711"], Some("198.51.100.7")),
            (&["[2001:db8::7]:4711, fd00::1"], Some("2001:db8::7")),
            (&["::ffff:198.51.100.7"], Some("198.51.100.7")),
            (&["1.1.1.1, nonsense"], None),
            (&["10.0.0.9"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(seen(lines).as_deref(), client, "{lines:?}");
        }
    }

    #[test]
    fn who_finds_no_place_is_not_served_until_one_is_given_back() {
        let places = Places::new(2);
        let gate = Gate::new(
            AddressLimits::default(),
            Vec::new(),
            Clock::start(),
            Arc::clone(&places),
        );
        let here = "192.0.2.1".parse().unwrap();
        let visit = |host: u8| gate.visit(Origin::new([198, 51, 100, host].into(), here));
        let first = visit(1).unwrap();
        let _second = visit(2).unwrap();
        assert!(places.are_taken());
        assert_eq!(visit(3).err(), Some(NotServed::Full));
        assert_eq!(places.open(), 2);
        drop(first);
        assert!(visit(3).is_ok());
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_its_clients_are_limited_one_by_one() {
        let gate = gate();
        let here = "192.0.2.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        let stranger = gate
            .visit(Origin::new("203.0.113.5".parse().unwrap(), here))
            .unwrap();
        let remote = |admitted: &Admitted| admitted.origin.remote.to_string();
        assert_eq!(remote(&stranger.admit(&headers).unwrap()), "203.0.113.5");
        let proxy = gate
            .visit(Origin::new("10.1.2.3".parse().unwrap(), here))
            .unwrap();
        assert_eq!(remote(&proxy.admit(&headers).unwrap()), "198.51.100.7");
        let held: Vec<_> = (0..100)
            .filter_map(|_| proxy.admit(&headers).ok())
            .collect();
        assert!(held.len() < 100, "one client has its limit");
        headers.insert("x-forwarded-for", "198.51.100.8".parse().unwrap());
        assert!(
            proxy.admit(&headers).is_ok(),
            "and its neighbour another one"
        );
    }
}
