//! The connection with one peer, and the path that it uses.
//!
//! States: Seeking (probing; whatever works first is taken), Dialing, Up, Waiting (for the next
//! try) and Impostor (until a person acts). The device with the lower key is the dialer: it alone
//! asks for the relay, dials and selects paths. The acceptor probes too, which opens its NAT and
//! teaches it the dialer's addresses; its packets follow the dialer's.
//!
//! The dialer takes the first direct answer, or the relay once that is open and `steering::DIRECT_GRACE` is
//! over. From then on it moves to any direct path that proves better (`paths`), and back to the
//! relay when the direct path is silent. The relay channel stays open under a direct path: it costs
//! one quiet socket and makes the way back instant.
//!
//! Where one side's router gives every destination another port, the sides meet by `birthday`.
//!
//! A peer that has begun anew is noticed before its silence is (`restart`).
//!
//! This machine sends no bytes; it asks the network, and tells its peer sealed addresses through
//! the signal server (`seal`).

mod addresses;
mod birthday;
mod elsewhere;
mod events;
mod io;
mod lent;
mod metrics;
mod nearby;
mod outlook;
mod paths;
mod places;
mod relay;
mod restart;
mod seal;
mod sight;
mod standing;
mod steering;
mod unrest;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towline_wire::ids::DeviceId;
use towline_wire::peer::Reflection;

use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::identity::Identity;
use crate::io::{ConnectionId, DatagramSize, LinkFault, NetworkRequest, NetworkScope, Path};
use crate::outbox::Outbox;
use crate::ration::Ration;
use crate::records::PeerRecord;
use crate::snapshot::Oneness;

use birthday::Birthday;
use elsewhere::{Shunned, Whereabouts};
use lent::Lent;
use metrics::Metrics;
use nearby::Nearby;
use outlook::Outlook;
use paths::Paths;
use places::Places;
use relay::Relay;
use restart::Restart;
use seal::{Run, Seal};
use steering::DIRECT_GRACE;
pub(crate) use unrest::is_left;

pub use io::{LinkInput, LinkNews};
pub use metrics::{ConnectTimes, LinkChange, LinkCounts, LinkSample, LinkSight};

/// The connection with one peer.
pub struct Link {
    peer: DeviceId,
    role: Role,
    phase: Phase,
    presence: Presence,
    relay: Relay,
    paths: Paths,
    nearby: Nearby,
    places: Places,
    scope: NetworkScope,
    seal: Seal,
    /// Addresses by which the peer was reached, latest first, as the device keeps them.
    kept: Vec<SocketAddr>,
    /// Where this device listens.
    local: Vec<SocketAddr>,
    /// From where others see it.
    reflection: Reflection,
    outlook: Outlook,
    /// What is lent to it.
    lent: Lent,
    birthday: Birthday,
    backoff: Backoff,
    restart: Restart,
    /// Before this no silence is told again.
    doubt_at: Moment,
    /// The peer's last word was that it does not trust this device. It is said once, and shown
    /// until both are connected again.
    was_refused: bool,
    shunned: Option<Shunned>,
    whereabouts: Whereabouts,
    oneness: Oneness,
    metrics: Metrics,
}

/// Which of both opens the connection and selects its paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Dialer,
    Acceptor,
}

/// Whether the signal server sees the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Online,
    Offline,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not started.
    Idle,
    Seeking {
        since: Moment,
    },
    Dialing {
        path: Path,
        /// Since when on this path, or on this packet channel.
        since: Moment,
        deadline: Moment,
    },
    Up(Up),
    Waiting {
        fault: LinkFault,
        since: Moment,
        retry_at: Moment,
    },
    Impostor,
}

/// A connection that stands.
#[derive(Debug, Clone, Copy)]
struct Up {
    connection: ConnectionId,
    since: Moment,
    /// The path that the dialer has selected; the acceptor's is seen from the peer's probes.
    selected: Option<Path>,
    /// Since when it is that one.
    selected_at: Moment,
    /// When the selected direct path, silent while we send, is given up.
    suspect_until: Option<Moment>,
    /// How long the datagrams are by now.
    datagrams: DatagramSize,
    /// When a better path may be taken that has not yet shown that it carries them.
    settles_at: Option<Moment>,
    /// When a path that worked was last left for one with a shorter round trip.
    moved_at: Option<Moment>,
    /// When the selected direct path is probed again.
    keepalive_at: Moment,
    /// Before this nothing is sent only because the peer seems to seek us.
    hint_at: Moment,
    rtt: Option<Duration>,
    received_bytes: u64,
    sent_bytes: u64,
}

/// What one handling may use and fill.
struct Turn<'a> {
    now: Moment,
    rng: &'a mut ChaCha20Rng,
    outbox: &'a mut Outbox,
    ration: &'a mut Ration,
    news: Vec<LinkNews>,
}

impl Turn<'_> {
    /// A number below `end`; which one, nobody who does not see what is drawn can tell.
    fn random_below(&mut self, end: u32) -> u32 {
        // With so small an end the first ones are hardly likelier than the last ones.
        self.rng.next_u32() % end.max(1)
    }
}

impl Link {
    /// A link that is not started.
    pub fn new(identity: &Identity, peer: &PeerRecord, rng: &mut ChaCha20Rng) -> Self {
        Self {
            peer: peer.id,
            role: if identity.id() < peer.id {
                Role::Dialer
            } else {
                Role::Acceptor
            },
            phase: Phase::Idle,
            presence: Presence::Offline,
            relay: Relay::default(),
            paths: Paths::new(&peer.addresses),
            nearby: Nearby::default(),
            places: Places::default(),
            scope: NetworkScope::Everywhere,
            seal: Seal::new(identity, peer.id, rng),
            kept: peer.addresses.clone(),
            local: Vec::new(),
            reflection: Reflection::default(),
            outlook: Outlook::default(),
            lent: Lent::default(),
            birthday: Birthday::default(),
            backoff: Backoff::default(),
            restart: Restart::default(),
            doubt_at: Moment::default(),
            was_refused: false,
            shunned: None,
            whereabouts: Whereabouts::default(),
            oneness: Oneness::Single,
            metrics: Metrics::default(),
        }
    }

    /// This device's run towards the peer.
    pub fn run(&self) -> u64 {
        self.seal.run()
    }

    /// Takes what happened.
    pub fn handle_input(
        &mut self,
        now: Moment,
        input: LinkInput,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
        ration: &mut Ration,
    ) -> Vec<LinkNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            ration,
            news: Vec::new(),
        };
        match input {
            LinkInput::Start => self.seek(now),
            LinkInput::Online => self.online(&mut turn),
            LinkInput::Offline => self.presence = Presence::Offline,
            LinkInput::Told(bytes) => {
                if let Some(told) = self.seal.open(&bytes) {
                    self.whereabouts.told(told.number, told.addresses.clone());
                    self.peer_listens_at(now, told.addresses);
                    if told.run == Run::New {
                        turn.news.push(LinkNews::Heard(told.number));
                    }
                    self.run_told(told.run, &mut turn);
                }
            }
            LinkInput::RelayReady {
                url,
                channel,
                token,
            } => {
                let peer = self.peer;
                self.relay.ready(now);
                turn.outbox.network(NetworkRequest::OpenRelay {
                    peer,
                    url,
                    channel,
                    token,
                });
            }
            LinkInput::LocalAddresses(addresses) => self.local_addresses(addresses, &mut turn),
            LinkInput::Reflexive(reflection) => self.seen_from(reflection, &mut turn),
            LinkInput::Outside(outside) => self.outlook_changes(outside, &mut turn),
            LinkInput::Lent(ours) => self.lent_changes(ours, &mut turn),
            LinkInput::Nearby(all) => self.nearby.announced(now, &all),
            LinkInput::Placed(places) => self.placed(places, &mut turn),
            LinkInput::Scope(scope) => self.scope = scope,
            LinkInput::Network(event) => self.network(event, &mut turn),
            LinkInput::Misbehaved => self.misbehaved(&mut turn),
            LinkInput::LookElsewhere => self.look_elsewhere(&mut turn),
            LinkInput::Oneness(oneness) => self.oneness = oneness,
        }
        self.advance(&mut turn);
        self.note_lent(&mut turn);
        self.metrics.see(now, self.sight(now));
        turn.news
    }

    /// Takes that time has passed.
    pub fn handle_timeout(
        &mut self,
        now: Moment,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
        ration: &mut Ration,
    ) -> Vec<LinkNews> {
        let mut turn = Turn {
            now,
            rng,
            outbox,
            ration,
            news: Vec::new(),
        };
        self.advance(&mut turn);
        self.note_lent(&mut turn);
        self.metrics.see(now, self.sight(now));
        turn.news
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let phase = match self.phase {
            Phase::Idle | Phase::Impostor => return self.meeting_timeout(),
            Phase::Seeking { since } => {
                let is_dialer = self.role == Role::Dialer;
                let grace = self.relay_is_dialable() && is_dialer;
                let grace = grace.then_some(since.after(DIRECT_GRACE));
                grace.into_iter().chain(self.shunned_until()).min()
            }
            Phase::Dialing { deadline, .. } => Some(deadline),
            Phase::Up(up) => self.path_check_due(&up),
            Phase::Waiting { retry_at, .. } => Some(retry_at),
        };
        let relay = self.relay.poll_timeout(self.may_ask_relay());
        let nearby = self.next_nearby();
        [
            phase,
            relay,
            nearby,
            self.next_round(),
            self.next_back(),
            self.meeting_timeout(),
            self.lent_due(),
            self.look_up_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The path that packets take: the dialer's choice, or what the peer's probes show of it.
    fn path(&self, up: &Up, now: Moment) -> Path {
        let heard = || self.paths.heard_from(now).map_or(Path::Relay, Path::Direct);
        up.selected.unwrap_or_else(heard)
    }

    /// The standing connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self.phase {
            Phase::Up(up) => Some(up.connection),
            Phase::Idle
            | Phase::Seeking { .. }
            | Phase::Dialing { .. }
            | Phase::Waiting { .. }
            | Phase::Impostor => None,
        }
    }

    /// Ends everything with a peer that is removed.
    pub fn close(self, outbox: &mut Outbox) {
        outbox.network(NetworkRequest::Hangup(self.peer));
        outbox.network(NetworkRequest::CloseRelay(self.peer));
        outbox.network(NetworkRequest::Gather(self.peer));
    }
}

/// Shows the phase only: addresses and keys stay out of logs.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
