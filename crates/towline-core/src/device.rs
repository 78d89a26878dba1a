//! One device: routes inputs to its machines and carries news from one machine to the next.
//!
//! It decides little itself: who takes part in which folder (`membership`), and what a command
//! means (`commands`). Everything else is decided in `pairing`, `signal`, `link` and `folder`, whose
//! news are carried on in `meeting`, `network` and `links`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::entry::Actor;
use towline_wire::ice::IceServers;
use towline_wire::ids::{DeviceId, FolderId, Incarnation};
use towline_wire::peer::FolderStatement;
use towline_wire::place::Place;
use towline_wire::server_url::ServerUrl;

use crate::borrowing::Borrowing;
use crate::carrier::{Carrier, HomeServer};
use crate::clock::Moment;
use crate::folder::{Folder, FolderInput};
use crate::identity::Identity;
use crate::io::{
    BatchId, ConnectionId, Discovery, DiskEvent, Input, NeighbourName, NetworkScope, Output,
    StoreReply, StunServer,
};
use crate::link::{Link, LinkInput};
use crate::outbox::Outbox;
use crate::pairing::Pairing;
use crate::ration::Ration;
use crate::records::{ChosenServer, DeviceSettings, PeerRecord, Restored, ScopeRule, ServersRule};
use crate::reflexive::Reflexive;
use crate::report::{NetworkReport, Outside};
use crate::sessions::{Elsewhere, Sessions, SessionsInput, own_servers};
use crate::snapshot::{DeviceSummary, PeerSummary, Snapshot};
use crate::twin::{Oneself, OurRun, Sightings};

use servers::ToldServers;

mod commands;
mod lending;
mod links;
mod meeting;
mod membership;
mod network;
mod servers;
mod twins;

/// What a device is born with. The seed stays out of `Debug`.
pub struct Birth {
    /// The source of all its randomness. Secret: codes and nonces come from it.
    pub seed: [u8; 32],
    /// Its key.
    pub identity: Identity,
    /// What its store holds.
    pub restored: Restored,
    /// The signal servers that are configured, the preferred one first.
    pub servers: Vec<ServerUrl>,
    /// Who says that it is at those.
    pub servers_rule: ServersRule,
    /// Whether it goes to others.
    pub elsewhere: Elsewhere,
    /// STUN and TURN servers that are set.
    pub ice: IceServers,
    /// Where others are, as files of settings say it, beside what its person says.
    pub places: BTreeMap<DeviceId, Vec<Place>>,
    /// Who says how far it goes. Within the local network no server is used.
    pub scope: ScopeRule,
    /// Whether it is announced on the local network.
    pub discovery: Discovery,
}

impl fmt::Debug for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Birth")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// One device.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    name: String,
    settings: DeviceSettings,
    incarnation: Incarnation,
    rng: ChaCha20Rng,
    outbox: Outbox,
    /// The signal servers where this device can be met, the preferred one first.
    servers: Vec<ServerUrl>,
    servers_rule: ServersRule,
    /// What its person had chosen when this life began.
    servers_chosen: Option<Vec<ChosenServer>>,
    local_addresses: Vec<SocketAddr>,
    reflexive: Reflexive,
    /// What the links know of the way out.
    outside: Outside,
    /// STUN servers that are set, beside those that signal servers name.
    stun_set: Vec<StunServer>,
    borrowing: Borrowing,
    /// The address that is lent now, as all links know it.
    lent: Option<SocketAddrV4>,
    ration: Ration,
    sessions: Sessions,
    places_set: BTreeMap<DeviceId, Vec<Place>>,
    scope_rule: ScopeRule,
    /// How far this life of the device goes.
    scope: NetworkScope,
    discovery: Discovery,
    /// What is announced on the local network, by whom.
    neighbours: Vec<(NeighbourName, SocketAddr)>,
    carrier: Carrier,
    pairing: Pairing,
    /// The batch that makes the peer of a pairing durable.
    pairing_batch: Option<(BatchId, Newcomer)>,
    peers: BTreeMap<DeviceId, Peer>,
    folders: BTreeMap<FolderId, Folder>,
    /// Folders whose root is being prepared for a command.
    preparing: BTreeMap<FolderId, commands::Preparing>,
    oneself: Oneself,
    revision: u64,
}

/// One peer, with its link and what it has stated on its current connection.
#[derive(Debug)]
struct Peer {
    record: PeerRecord,
    link: Link,
    /// The standing connection, and whether the peer has said hello on it.
    connection: Option<(ConnectionId, Greeting)>,
    /// The folders that the peer shares with us, as last stated (kept while it is away).
    statements: BTreeMap<FolderId, FolderStatement>,
    /// What we say to it of our run, and what we have seen of its runs.
    run: OurRun,
    sightings: Sightings,
    told_servers: ToldServers,
}

/// The peer of a pairing, while it is being made durable.
#[derive(Debug)]
enum Newcomer {
    /// Nobody acts on its trust before it is durable.
    New(Box<PeerRecord>),
    /// It was a peer before and paired again.
    Known(DeviceId),
}

/// Whether a peer has said hello on the standing connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeting {
    ExpectHello,
    Greeted,
}

impl Device {
    /// Brings a device to life; outputs are ready at once.
    pub fn new(now: Moment, birth: Birth) -> Self {
        let Birth {
            seed,
            identity,
            restored,
            servers,
            servers_rule,
            elsewhere,
            ice,
            places,
            scope: scope_rule,
            discovery,
        } = birth;
        let scope = scope_rule.scope(&restored.settings);
        let (servers, elsewhere, ice) = match scope {
            NetworkScope::Everywhere => (servers, elsewhere, ice),
            NetworkScope::LocalNetwork => (Vec::new(), Elsewhere::Forbidden, IceServers::default()),
        };
        let home = match servers.first() {
            Some(_) => HomeServer::Known,
            None => HomeServer::None,
        };
        let actor = Actor {
            device: identity.id(),
            incarnation: restored.incarnation,
        };
        let mut device = Self {
            sessions: Sessions::new(&identity, &servers, elsewhere),
            carrier: Carrier::new(scope, discovery, home),
            places_set: places,
            scope_rule,
            scope,
            discovery,
            neighbours: Vec::new(),
            pairing: Pairing::new(),
            pairing_batch: None,
            name: restored.name,
            servers_rule,
            servers_chosen: restored.settings.servers.clone(),
            settings: restored.settings,
            incarnation: restored.incarnation,
            rng: ChaCha20Rng::from_seed(seed),
            outbox: Outbox::default(),
            servers: own_servers(&servers),
            local_addresses: Vec::new(),
            reflexive: Reflexive::default(),
            outside: Outside::default(),
            stun_set: ice.stun.iter().map(StunServer::from).collect(),
            borrowing: Borrowing::new(ice),
            lent: None,
            ration: Ration::default(),
            peers: BTreeMap::new(),
            folders: BTreeMap::new(),
            preparing: BTreeMap::new(),
            oneself: Oneself::default(),
            revision: 0,
            identity,
        };
        for folder in restored.folders {
            let id = folder.record.id;
            device.folders.insert(id, Folder::new(folder, actor));
        }
        for record in restored.peers {
            device.add_peer(record);
        }
        device.trust(now);
        let ids: Vec<DeviceId> = device.peers.keys().copied().collect();
        for peer in ids {
            device.grant(peer);
            device.link(now, peer, LinkInput::Start);
        }
        if !device.stun_set.is_empty() {
            device.stun_named(now, Vec::new());
        }
        device.session(now, SessionsInput::Start);
        let folders: Vec<FolderId> = device.folders.keys().copied().collect();
        for folder in folders {
            device.folder(now, folder, FolderInput::Start);
        }
        device
    }

    /// Whether it is set to go another way, or to other servers, than this life of the device goes: the shell is to end
    /// this life in good order and begin another, so that nothing of this one can leave the network that it is to stay in.
    pub fn is_to_begin_anew(&self) -> bool {
        let has_other_servers = match self.servers_rule {
            ServersRule::Chosen => self.settings.servers != self.servers_chosen,
            ServersRule::Fixed => false,
        };
        has_other_servers || self.scope != self.scope_rule.scope(&self.settings)
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        self.revision += 1;
        match input {
            Input::Command(id, command) => self.command(now, id, command),
            Input::Store(reply) => self.store(now, reply),
            Input::Disk(folder, DiskEvent::Prepared(result)) => self.prepared(now, folder, result),
            Input::Disk(folder, DiskEvent::Root(root)) => self.root_told(now, folder, root),
            Input::Disk(folder, event) => self.folder(now, folder, FolderInput::Disk(event)),
            Input::Network(event) => self.network(now, event),
            Input::Signal(id, event) => self.session(now, SessionsInput::Signal(id, event)),
        }
        self.tell_outside(now);
        self.lend(now);
        self.end_faulty_links(now);
    }

    /// Does what has become due.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.revision += 1;
        let news = self
            .sessions
            .handle_timeout(now, &mut self.rng, &mut self.outbox);
        self.session_news(now, news);
        let news = self
            .carrier
            .handle_timeout(now, &mut self.rng, &mut self.outbox);
        self.carrier_news(now, news);
        let news = self.pairing.handle_timeout(now);
        self.pairing_news(now, news);
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for id in peers {
            if let Some(peer) = self.peers.get_mut(&id) {
                let news = peer.link.handle_timeout(
                    now,
                    &mut self.rng,
                    &mut self.outbox,
                    &mut self.ration,
                );
                self.link_news(now, id, news);
            }
        }
        self.twins_timeout(now);
        self.reflexive.handle_timeout(now, &mut self.outbox);
        self.lend(now);
        for folder in self.folders.values_mut() {
            folder.handle_timeout(now, &mut self.outbox);
        }
        self.tell_outside(now);
        self.end_faulty_links(now);
    }

    /// Takes the next output, in the order in which they were decided.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let links = self
            .peers
            .values()
            .filter_map(|peer| peer.link.poll_timeout());
        let folders = self.folders.values().filter_map(Folder::poll_timeout);
        self.sessions
            .poll_timeout()
            .into_iter()
            .chain(self.carrier.poll_timeout())
            .chain(self.pairing.poll_timeout())
            .chain(self.twins_due())
            .chain(self.reflexive.poll_timeout())
            .chain(self.lend_due())
            .chain(links)
            .chain(folders)
            .min()
    }

    /// Grows whenever the snapshot may have changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The summary of everything, as it is now.
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let mut peers: Vec<PeerSummary> = self
            .peers
            .values()
            .map(|peer| PeerSummary {
                record: peer.record.clone(),
                places_set: self.places_of(peer.record.id, &[]),
                link: peer.link.summary(now),
                counts: peer.link.counts().clone(),
                oneness: peer.sightings.oneness(),
            })
            .collect();
        peers.sort_by(|left, right| left.record.name.cmp(&right.record.name));
        let mut folders: Vec<_> = self
            .folders
            .values()
            .map(|folder| self.folder_summary(folder))
            .collect();
        folders.sort_by(|left, right| left.record.label.cmp(&right.record.label));
        let (server, other_servers) = self.sessions.summary();
        Snapshot {
            device: DeviceSummary {
                id: self.identity.id(),
                name: self.name.clone(),
                settings: self.settings.clone(),
                oneness: self.oneself.oneness(),
                scope: self.scope,
                scope_rule: self.scope_rule,
                discovery: self.discovery,
                begins_anew: self.is_to_begin_anew(),
            },
            server,
            other_servers,
            pairing: self.pairing.summary(),
            peers,
            folders,
            invitations: self.invitations(),
        }
    }

    /// Everything about its connections, as it is now.
    pub fn network_report(&self, now: Moment) -> NetworkReport {
        let outside = self.reflexive.outside();
        let peers = self.peers.values();
        let mut links: Vec<_> = peers
            .map(|peer| peer.link.report(now, &peer.record.name))
            .collect();
        links.sort_by(|left, right| left.name.cmp(&right.name));
        NetworkReport {
            at: now,
            local: self.local_addresses.clone(),
            outside,
            reflexive: self.reflexive.addresses(),
            mapping: self.reflexive.reflection().mapping,
            mapped: self.reflexive.router_port(),
            lenders: self.borrowing.report(),
            links,
        }
    }

    fn actor(&self) -> Actor {
        Actor {
            device: self.identity.id(),
            incarnation: self.incarnation,
        }
    }

    fn store(&mut self, now: Moment, reply: StoreReply) {
        match reply {
            StoreReply::Persisted(batch, totals) => {
                self.outbox.release(batch);
                if let Some((_, newcomer)) =
                    self.pairing_batch.take_if(|(waited, _)| *waited == batch)
                {
                    self.welcome(now, newcomer);
                    let news = self.pairing.handle_durable();
                    self.pairing_news(now, news);
                }
                for (id, totals) in totals {
                    if let Some(folder) = self.folders.get_mut(&id) {
                        folder.note_totals(totals);
                    }
                }
                for folder in self.folders.values_mut() {
                    folder.handle(now, FolderInput::Persisted(batch), &mut self.outbox);
                }
            }
            StoreReply::Rows(folder, rows) => self.folder(now, folder, FolderInput::Rows(rows)),
            StoreReply::Needs { folder, needs, end } => {
                self.folder(now, folder, FolderInput::Needs(needs, end));
            }
            StoreReply::Index {
                folder,
                peer,
                rows,
                end,
            } => {
                self.folder(now, folder, FolderInput::Index(peer, rows, end));
            }
            // The engine ends the device; until then nothing more can be decided.
            StoreReply::Broken => {}
        }
    }

    fn folder(&mut self, now: Moment, id: FolderId, input: FolderInput) {
        if let Some(folder) = self.folders.get_mut(&id) {
            folder.handle(now, input, &mut self.outbox);
        }
    }

    fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
