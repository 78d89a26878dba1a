//! What a link does with addresses that TURN servers lend: to this device, and to its peer.
//!
//! Where neither side can be written to, one of them borrows an address at a TURN server. It tells the peer
//! that address, which probes it as any other; and by it, it sends to what the peer has told. Both are written
//! as addresses ([`TurnAddress`]) and are candidates like the others, behind every direct one and before the
//! signal server's relay. Which side's server is used is only a matter of the round trip.
//!
//! A link wants one when it has been without a direct path for [`PATIENCE`] though the peer is there: by then the
//! burst of probes is nearly over, and where a direct path exists it was found. It wants none while the peer's own
//! serves.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use towline_wire::turn_address::TurnAddress;

use super::{Link, Phase, Presence, Turn};
use crate::clock::Moment;
use crate::io::Path;
use crate::path_kind::PathKind;

/// What a link knows of the address that is lent to this device.
#[derive(Debug, Default)]
pub(super) struct Lent {
    /// What the device has now.
    ours: Option<SocketAddrV4>,
    /// Whether this link uses it; the peer is told of no other.
    used: Option<SocketAddrV4>,
    /// Since when there is no direct path, and nothing of the peer's in its place.
    missed_since: Option<Moment>,
}

impl Lent {
    /// The address that the peer is told, as it is written.
    pub(super) fn told(&self) -> Option<SocketAddr> {
        self.used.map(|used| TurnAddress::Theirs(used).written())
    }
}

impl Link {
    /// When this link wants, or has wanted, an address that is lent.
    pub(crate) fn lent_wanted_at(&self) -> Option<Moment> {
        self.lent.missed_since.map(|since| since.after(PATIENCE))
    }

    /// A server lends this device an address, another one, or none any more.
    pub(super) fn lent_changes(&mut self, ours: Option<SocketAddrV4>, turn: &mut Turn<'_>) {
        self.lent.ours = ours;
        if self.lent.used.is_some() {
            self.use_lent(ours, turn);
        }
    }

    /// Notes whether a direct path is missed, and takes what is lent when it is for long.
    pub(super) fn note_lent(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let since = self.lent.missed_since.unwrap_or(now);
        self.lent.missed_since = self.misses_direct(now).then_some(since);
        let is_wanted = self.lent_wanted_at().is_some_and(|due| now >= due);
        if is_wanted && self.lent.used.is_none() && self.lent.ours.is_some() {
            self.use_lent(self.lent.ours, turn);
        }
    }

    /// When [`Self::note_lent`] is to be asked.
    pub(super) fn lent_due(&self) -> Option<Moment> {
        let is_open = self.lent.used.is_none() && self.lent.ours.is_some();
        self.lent_wanted_at().filter(|_| is_open)
    }

    fn misses_direct(&self, now: Moment) -> bool {
        match self.phase {
            Phase::Idle | Phase::Impostor => false,
            Phase::Seeking { .. } | Phase::Dialing { .. } | Phase::Waiting { .. } => {
                self.presence == Presence::Online
            }
            Phase::Up(up) => match self.path(&up, now) {
                Path::Relay => true,
                Path::Direct(addr) => {
                    matches!(TurnAddress::of(addr), Some(TurnAddress::Ours(_)))
                }
            },
        }
    }

    fn use_lent(&mut self, used: Option<SocketAddrV4>, turn: &mut Turn<'_>) {
        if self.lent.used == used {
            return;
        }
        self.lent.used = used;
        self.paths.forget_ours();
        let ours = self.by_ours(self.paths.all_told());
        self.paths.told_besides(turn.now, ours);
        self.tell_anew(turn);
    }

    /// The same addresses, as what is lent to us leads there.
    pub(super) fn by_ours(&self, told: Vec<SocketAddr>) -> Vec<SocketAddr> {
        if self.lent.used.is_none() {
            return Vec::new();
        }
        let world = told
            .into_iter()
            .filter_map(|addr| match TurnAddress::of(addr) {
                Some(TurnAddress::Theirs(theirs)) => Some(theirs),
                Some(TurnAddress::Ours(_)) => None,
                None => match (PathKind::of_address(addr), addr) {
                    (PathKind::DirectV4, SocketAddr::V4(addr)) => Some(addr),
                    _ => None,
                },
            });
        let ours = world.map(|addr| TurnAddress::Ours(addr).written());
        ours.take(BY_OURS_MAX).collect()
    }
}

/// How long a link is without a direct path before it wants an address that is lent: 3 s. A burst of probes takes
/// 5 s, and finds in the first one whatever it finds; the relay carries meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);

/// Addresses of a peer that are tried by way of ours: 8. Each host among them costs a permission at the server; a
/// peer has one or two on the Internet, and one that is lent to it.
const BY_OURS_MAX: usize = 8;
