//! How the bytes of a pairing travel: through the server's mailbox, or straight over the local network.
//!
//! Who shows a code opens both ways where there are both: the server gives the slot, and the same slot is
//! announced on the local network. Without a server, or when none answers within [`SERVER_PATIENCE`], the
//! device draws the slot itself. Whoever comes first, on either way, is the one counterpart; the other way
//! is closed then. Who enters a code goes where the local network announces its slot, and to the server
//! where nobody does within [`NEARBY_GRACE`].
//!
//! A code is given to one counterpart at most. Where two announcements name its slot, nobody can tell them
//! apart before the secret is at stake, so the pairing stops. From a counterpart that was met there is no way
//! back to another one: the first may have used up its guess.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use towline_wire::card::listenable;
use towline_wire::code::{HALF_LETTERS_MIN, Slot};

use crate::clock::Moment;
use crate::io::{Discovery, Neighbour, NetworkRequest, NetworkScope, PairingId};
use crate::outbox::Outbox;
use crate::pairing::{CODE_LIFE, MailboxEvent, MailboxRequest, Way};
use crate::snapshot::PairingFault;

/// The ways of the one pairing of a device.
#[derive(Debug)]
pub(crate) struct Carrier {
    scope: NetworkScope,
    discovery: Discovery,
    home: HomeServer,
    stage: Stage,
    neighbours: Vec<Neighbour>,
    last: u64,
}

/// Whether there is a server to which a code without a host leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HomeServer {
    Known,
    None,
}

/// What a carrier tells its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CarrierNews {
    /// For the pairing.
    Pairing(MailboxEvent),
    /// For the session with the server.
    Server(MailboxRequest),
}

/// What happened on the local network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NearbyEvent {
    /// Somebody is there.
    Met,
    /// Somebody said this.
    Received(Vec<u8>),
    /// Nobody is there (any more).
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// There is no pairing.
    None,
    /// A code is wanted: the server is asked for a slot.
    ExpectSlot { deadline: Moment },
    /// A code is shown: somebody may come on either way.
    ExpectJoiner {
        nearby: Option<PairingId>,
        mailbox: Mailbox,
    },
    /// A code was entered: somebody nearby may show it.
    ExpectNeighbour { claim: Claim, deadline: Moment },
    /// Somebody nearby shows it, and is gone to.
    ExpectMet {
        id: PairingId,
        claim: Claim,
        deadline: Moment,
    },
    /// Bytes go through the server.
    Server,
    /// Bytes go over the local network.
    Nearby(PairingId),
}

/// Whether the server has a mailbox for the code that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mailbox {
    Open,
    None,
}

/// A code that was entered, as far as the ways may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    slot: Slot,
    /// Another server than the home server.
    server: Option<String>,
}

impl Carrier {
    pub(crate) const fn new(scope: NetworkScope, discovery: Discovery, home: HomeServer) -> Self {
        Self {
            scope,
            discovery,
            home,
            stage: Stage::None,
            neighbours: Vec::new(),
            last: 0,
        }
    }

    /// Whether a code that names this server, or none, can lead anywhere.
    pub(crate) fn has_way(&self, named: Option<&str>) -> bool {
        self.discovery == Discovery::On || self.has_server(named)
    }

    /// Does what the pairing wants.
    pub(crate) fn wanted(
        &mut self,
        now: Moment,
        request: MailboxRequest,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<CarrierNews> {
        match request {
            MailboxRequest::Open if self.has_server(None) => {
                self.stage = Stage::ExpectSlot {
                    deadline: now.after(SERVER_PATIENCE),
                };
                vec![CarrierNews::Server(MailboxRequest::Open)]
            }
            MailboxRequest::Open => self.open_nearby(rng, outbox),
            MailboxRequest::Claim(slot, server) => self.claim(now, Claim { slot, server }, outbox),
            MailboxRequest::Send(bytes) => match self.stage {
                Stage::Server => vec![CarrierNews::Server(MailboxRequest::Send(bytes))],
                Stage::Nearby(id) => {
                    outbox.network(NetworkRequest::SendPairing(id, bytes));
                    Vec::new()
                }
                // Nobody was met yet.
                Stage::None
                | Stage::ExpectSlot { .. }
                | Stage::ExpectJoiner { .. }
                | Stage::ExpectNeighbour { .. }
                | Stage::ExpectMet { .. } => Vec::new(),
            },
            MailboxRequest::Done | MailboxRequest::Burn => self.end(request, outbox),
        }
    }

    /// Takes what the server's mailbox has done.
    pub(crate) fn server_said(
        &mut self,
        event: MailboxEvent,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<CarrierNews> {
        match (&self.stage, event) {
            (
                Stage::ExpectSlot { .. },
                MailboxEvent::Opened {
                    slot,
                    lasts,
                    server,
                },
            ) => {
                let nearby = self.host(&slot, outbox);
                self.stage = Stage::ExpectJoiner {
                    nearby,
                    mailbox: Mailbox::Open,
                };
                vec![CarrierNews::Pairing(MailboxEvent::Opened {
                    slot,
                    lasts,
                    server,
                })]
            }
            (Stage::ExpectSlot { .. }, MailboxEvent::Failed(PairingFault::ServerUnreachable))
                if self.discovery == Discovery::On =>
            {
                self.open_nearby(rng, outbox)
            }
            (
                Stage::ExpectJoiner {
                    nearby,
                    mailbox: Mailbox::Open,
                },
                MailboxEvent::Joined(way),
            ) => {
                close(*nearby, outbox);
                self.stage = Stage::Server;
                vec![CarrierNews::Pairing(MailboxEvent::Joined(way))]
            }
            (
                Stage::ExpectJoiner {
                    nearby,
                    mailbox: Mailbox::Open,
                },
                MailboxEvent::Failed(fault),
            ) => {
                close(*nearby, outbox);
                self.stage = Stage::None;
                vec![CarrierNews::Pairing(MailboxEvent::Failed(fault))]
            }
            (Stage::ExpectSlot { .. } | Stage::Server, MailboxEvent::Failed(fault)) => {
                self.stage = Stage::None;
                vec![CarrierNews::Pairing(MailboxEvent::Failed(fault))]
            }
            (
                Stage::Server,
                event @ (MailboxEvent::Opened { .. }
                | MailboxEvent::Joined(_)
                | MailboxEvent::Received(_)),
            ) => vec![CarrierNews::Pairing(event)],
            // The last words of a mailbox that was left for the local network.
            (
                Stage::None
                | Stage::ExpectSlot { .. }
                | Stage::ExpectJoiner { .. }
                | Stage::ExpectNeighbour { .. }
                | Stage::ExpectMet { .. }
                | Stage::Nearby(_),
                MailboxEvent::Opened { .. }
                | MailboxEvent::Joined(_)
                | MailboxEvent::Received(_)
                | MailboxEvent::Failed(_),
            ) => Vec::new(),
        }
    }

    /// Takes who is on the local network now.
    pub(crate) fn neighbours(
        &mut self,
        now: Moment,
        neighbours: Vec<Neighbour>,
        outbox: &mut Outbox,
    ) -> Vec<CarrierNews> {
        self.neighbours = neighbours;
        match &self.stage {
            Stage::ExpectNeighbour { claim, .. } => {
                let claim = claim.clone();
                self.meet(now, claim, outbox).unwrap_or_default()
            }
            Stage::None
            | Stage::ExpectSlot { .. }
            | Stage::ExpectJoiner { .. }
            | Stage::ExpectMet { .. }
            | Stage::Server
            | Stage::Nearby(_) => Vec::new(),
        }
    }

    /// Takes what happened on the local network.
    pub(crate) fn nearby_said(
        &mut self,
        id: PairingId,
        event: NearbyEvent,
        outbox: &mut Outbox,
    ) -> Vec<CarrierNews> {
        match (&self.stage, event) {
            (
                Stage::ExpectJoiner {
                    nearby: Some(ours),
                    mailbox,
                },
                NearbyEvent::Met,
            ) if *ours == id => {
                let met = CarrierNews::Pairing(MailboxEvent::Joined(Way::Nearby));
                // Nobody else shall come with this code.
                let left = match mailbox {
                    Mailbox::Open => Some(CarrierNews::Server(MailboxRequest::Burn)),
                    Mailbox::None => None,
                };
                self.stage = Stage::Nearby(id);
                left.into_iter().chain([met]).collect()
            }
            (Stage::ExpectMet { id: ours, .. }, NearbyEvent::Met) if *ours == id => {
                self.stage = Stage::Nearby(id);
                vec![CarrierNews::Pairing(MailboxEvent::Joined(Way::Nearby))]
            }
            (
                Stage::ExpectMet {
                    id: ours, claim, ..
                },
                NearbyEvent::Gone,
            ) if *ours == id => {
                let claim = claim.clone();
                self.turn_to_server(claim)
            }
            (Stage::Nearby(ours), NearbyEvent::Received(bytes)) if *ours == id => {
                vec![CarrierNews::Pairing(MailboxEvent::Received(bytes))]
            }
            (Stage::Nearby(ours), NearbyEvent::Gone) if *ours == id => {
                close(Some(id), outbox);
                self.stage = Stage::None;
                vec![CarrierNews::Pairing(MailboxEvent::Failed(
                    PairingFault::PeerGone,
                ))]
            }
            // Of a pairing that was left, or out of order.
            (
                Stage::None
                | Stage::ExpectSlot { .. }
                | Stage::ExpectJoiner { .. }
                | Stage::ExpectNeighbour { .. }
                | Stage::ExpectMet { .. }
                | Stage::Server
                | Stage::Nearby(_),
                NearbyEvent::Met | NearbyEvent::Received(_) | NearbyEvent::Gone,
            ) => Vec::new(),
        }
    }

    /// Takes that time has passed.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Moment,
        rng: &mut ChaCha20Rng,
        outbox: &mut Outbox,
    ) -> Vec<CarrierNews> {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &self.stage {
            Stage::ExpectSlot { .. } => {
                let given_up = CarrierNews::Server(MailboxRequest::Burn);
                let opened = self.open_nearby(rng, outbox);
                [given_up].into_iter().chain(opened).collect()
            }
            Stage::ExpectNeighbour { claim, .. } => {
                let claim = claim.clone();
                self.turn_to_server(claim)
            }
            Stage::ExpectMet { id, claim, .. } => {
                close(Some(*id), outbox);
                let claim = claim.clone();
                self.turn_to_server(claim)
            }
            Stage::None | Stage::ExpectJoiner { .. } | Stage::Server | Stage::Nearby(_) => {
                Vec::new()
            }
        }
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Moment> {
        match (&self.stage, self.discovery) {
            (Stage::ExpectSlot { deadline }, Discovery::On)
            | (Stage::ExpectNeighbour { deadline, .. } | Stage::ExpectMet { deadline, .. }, _) => {
                Some(*deadline)
            }
            // Without another way, the session's own patience counts.
            (Stage::ExpectSlot { .. }, Discovery::Off)
            | (Stage::None | Stage::ExpectJoiner { .. } | Stage::Server | Stage::Nearby(_), _) => {
                None
            }
        }
    }

    fn has_server(&self, named: Option<&str>) -> bool {
        self.scope == NetworkScope::Everywhere
            && (self.home == HomeServer::Known || named.is_some())
    }

    /// Shows a code that only devices nearby find.
    fn open_nearby(&mut self, rng: &mut ChaCha20Rng, outbox: &mut Outbox) -> Vec<CarrierNews> {
        let slot = Slot::from_number(rng.next_u32(), HALF_LETTERS_MIN);
        let Some(id) = self.host(&slot, outbox) else {
            self.stage = Stage::None;
            return vec![failed(PairingFault::ServerUnreachable)];
        };
        self.stage = Stage::ExpectJoiner {
            nearby: Some(id),
            mailbox: Mailbox::None,
        };
        let opened = MailboxEvent::Opened {
            slot,
            lasts: CODE_LIFE,
            server: None,
        };
        vec![CarrierNews::Pairing(opened)]
    }

    /// Announces a slot on the local network.
    fn host(&mut self, slot: &Slot, outbox: &mut Outbox) -> Option<PairingId> {
        match self.discovery {
            Discovery::On => {
                let id = self.next_id();
                outbox.network(NetworkRequest::HostPairing(id, slot.clone()));
                Some(id)
            }
            Discovery::Off => None,
        }
    }

    fn claim(&mut self, now: Moment, claim: Claim, outbox: &mut Outbox) -> Vec<CarrierNews> {
        match self.discovery {
            Discovery::Off => self.turn_to_server(claim),
            Discovery::On => {
                let met = self.meet(now, claim.clone(), outbox);
                met.unwrap_or_else(|| {
                    let wait = if self.has_server(claim.server.as_deref()) {
                        NEARBY_GRACE
                    } else {
                        NEARBY_PATIENCE
                    };
                    let deadline = now.after(wait);
                    self.stage = Stage::ExpectNeighbour { claim, deadline };
                    Vec::new()
                })
            }
        }
    }

    /// Goes to the one neighbour that announces the slot; `None` while there is none.
    fn meet(&mut self, now: Moment, claim: Claim, outbox: &mut Outbox) -> Option<Vec<CarrierNews>> {
        let is_there = |neighbour: &&Neighbour| neighbour.slot.as_ref() == Some(&claim.slot);
        let mut hosts = self.neighbours.iter().filter(is_there);
        let host = hosts.next()?;
        if hosts.next().is_some() {
            self.stage = Stage::None;
            return Some(vec![failed(PairingFault::SeveralNearby)]);
        }
        let addresses = listenable(host.addresses.clone());
        let id = self.next_id();
        outbox.network(NetworkRequest::MeetPairing(id, addresses));
        self.stage = Stage::ExpectMet {
            id,
            claim,
            deadline: now.after(MEET_PATIENCE),
        };
        Some(Vec::new())
    }

    fn turn_to_server(&mut self, claim: Claim) -> Vec<CarrierNews> {
        if self.has_server(claim.server.as_deref()) {
            self.stage = Stage::Server;
            let claim = MailboxRequest::Claim(claim.slot, claim.server);
            vec![CarrierNews::Server(claim)]
        } else {
            self.stage = Stage::None;
            vec![failed(PairingFault::NotNearby)]
        }
    }

    /// The pairing is over; `word` says how.
    fn end(&mut self, word: MailboxRequest, outbox: &mut Outbox) -> Vec<CarrierNews> {
        match std::mem::replace(&mut self.stage, Stage::None) {
            // The session may have a mailbox that waits for a server.
            Stage::ExpectSlot { .. } | Stage::Server => vec![CarrierNews::Server(word)],
            Stage::ExpectJoiner { nearby, mailbox } => {
                close(nearby, outbox);
                match mailbox {
                    Mailbox::Open => vec![CarrierNews::Server(word)],
                    Mailbox::None => Vec::new(),
                }
            }
            Stage::ExpectMet { id, .. } | Stage::Nearby(id) => {
                close(Some(id), outbox);
                Vec::new()
            }
            Stage::None | Stage::ExpectNeighbour { .. } => Vec::new(),
        }
    }

    fn next_id(&mut self) -> PairingId {
        self.last += 1;
        PairingId(self.last)
    }
}

fn close(id: Option<PairingId>, outbox: &mut Outbox) {
    if let Some(id) = id {
        outbox.network(NetworkRequest::ClosePairing(id));
    }
}

const fn failed(fault: PairingFault) -> CarrierNews {
    CarrierNews::Pairing(MailboxEvent::Failed(fault))
}

/// How long a server may take to give a slot before the device draws one itself: 3 s, a connection over a
/// bad network. A person waits for it; longer would only delay those whose server is down.
const SERVER_PATIENCE: Duration = Duration::from_secs(3);

/// How long a code's slot is looked for nearby where there is a server too: 700 ms. Announcements are heard
/// before anybody asks, so this is only for a code that was made this very moment.
const NEARBY_GRACE: Duration = Duration::from_millis(700);

/// How long it is looked for where there is no server: 10 s, several rounds of questions on a network that
/// loses packets.
const NEARBY_PATIENCE: Duration = Duration::from_secs(10);

/// How long a neighbour may take to answer: 5 s. The network gives up by itself before.
const MEET_PATIENCE: Duration = Duration::from_secs(5);
