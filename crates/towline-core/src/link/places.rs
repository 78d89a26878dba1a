//! Where a person says that the peer is: addresses are tried as they are, names are looked up first.
//!
//! Names are looked up while no direct way is alive, again at each new try and once a minute, because
//! what a name leads to changes. What is found is only tried: whoever is there must prove to be the
//! peer. Within the local network only names that this network itself knows are looked up.

use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::card::listenable;
use towline_wire::place::Place;

use super::{Link, Phase, Turn};
use crate::clock::Moment;
use crate::io::{NetworkRequest, NetworkScope};
use crate::records::PLACES_MAX;

/// What is said, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Places {
    said: Vec<Place>,
    /// Where the names have led.
    found: Vec<SocketAddr>,
    asked_at: Option<Moment>,
}

impl Places {
    /// The names that may be looked up by who goes so far.
    fn names(&self, scope: NetworkScope) -> Vec<Place> {
        let may_be_asked = |place: &&Place| match scope {
            NetworkScope::Everywhere => place.addr().is_none(),
            NetworkScope::LocalNetwork => place.is_of_local_network(),
        };
        self.said.iter().filter(may_be_asked).cloned().collect()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let said = self.said.iter().filter_map(Place::addr);
        listenable(said.chain(self.found.iter().copied()).collect())
    }
}

impl Link {
    /// Something else is said than before.
    pub(super) fn placed(&mut self, places: Vec<Place>, turn: &mut Turn<'_>) {
        self.places = Places {
            said: places.into_iter().take(PLACES_MAX).collect(),
            ..Places::default()
        };
        self.try_places(turn.now);
    }

    /// Names lead there now.
    pub(super) fn found(&mut self, mut addresses: Vec<SocketAddr>, turn: &mut Turn<'_>) {
        if self.places.names(self.scope).is_empty() {
            return;
        }
        addresses.truncate(FOUND_MAX);
        self.places.found = addresses;
        self.try_places(turn.now);
    }

    pub(super) fn look_up_if_due(&mut self, turn: &mut Turn<'_>) {
        if self.look_up_due().is_none_or(|due| turn.now < due) {
            return;
        }
        self.places.asked_at = Some(turn.now);
        let names = NetworkRequest::LookUp(self.peer, self.places.names(self.scope));
        turn.outbox.network(names);
    }

    /// When names are to be looked up.
    pub(super) fn look_up_due(&self) -> Option<Moment> {
        match self.phase {
            Phase::Idle | Phase::Impostor => return None,
            Phase::Seeking { .. }
            | Phase::Dialing { .. }
            | Phase::Up(_)
            | Phase::Waiting { .. } => {}
        }
        if self.places.names(self.scope).is_empty() {
            return None;
        }
        let next = match self.places.asked_at {
            None => Moment::default(),
            Some(at) if at < self.paths.burst_began() => at.after(LOOK_UP_SPACING),
            Some(at) => at.after(LOOK_UP_AGAIN),
        };
        Some(next.max(self.paths.quiet_until()))
    }

    fn try_places(&mut self, now: Moment) {
        if self.paths.placed(now, &self.places.addresses()) {
            self.paths.begin_burst(now);
        }
    }
}

/// Shortest time between two look-ups: 5 s, however often the peer is sought anew.
const LOOK_UP_SPACING: Duration = Duration::from_secs(5);

/// Pause between look-ups while nothing changes: a minute, as between rounds of probes.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(60);

/// Addresses that are taken of what names lead to: 8, so that together with eight that are said they fill
/// half of what is tried.
const FOUND_MAX: usize = 8;
