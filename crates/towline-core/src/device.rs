//! One device: routes inputs to its machines and carries news from one machine to the next.
//!
//! It decides little itself: who takes part in which folder (`membership`), and what a command
//! means (`commands`). Everything else is decided in `pairing`, `signal`, `link` and `folder`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use towline_wire::card::listenable;
use towline_wire::entry::Actor;
use towline_wire::ids::{DeviceId, FolderId, Incarnation};
use towline_wire::peer::{Control, FolderStatement};
use towline_wire::server_url::ServerUrl;
use towline_wire::version::VersionRange;

use crate::carrier::{Carrier, CarrierNews, HomeServer, NearbyEvent};
use crate::clock::Moment;
use crate::folder::{Folder, FolderInput};
use crate::identity::Identity;
use crate::io::{
    BatchId, ConnectionId, Discovery, DiskEvent, Input, Neighbour, NeighbourName, NetworkEvent,
    NetworkRequest, NetworkScope, Output, PairingId, StoreReply,
};
use crate::link::{Link, LinkInput, LinkNews, is_left};
use crate::outbox::Outbox;
use crate::pairing::{Ourselves, Pairing, PairingNews};
use crate::ration::Ration;
use crate::records::{DeviceSettings, PeerRecord, Restored, StoreOp};
use crate::reflexive::{Reflexive, Told};
use crate::report::{NetworkReport, Outside};
use crate::sessions::{Elsewhere, Sessions, SessionsInput, own_servers};
use crate::signal::{Moved, SessionNews};
use crate::snapshot::{DeviceSummary, PeerSummary, Snapshot};
use crate::twin::{Oneself, OurRun, Sightings};

use servers::ToldServers;

mod commands;
mod membership;
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
    /// Whether it goes to others.
    pub elsewhere: Elsewhere,
    /// How far it goes. Within the local network no server is used.
    pub scope: NetworkScope,
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
    local_addresses: Vec<SocketAddr>,
    reflexive: Reflexive,
    /// What the links know of the way out.
    outside: Outside,
    ration: Ration,
    sessions: Sessions,
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
            elsewhere,
            scope,
            discovery,
        } = birth;
        let (servers, elsewhere) = match scope {
            NetworkScope::Everywhere => (servers, elsewhere),
            NetworkScope::LocalNetwork => (Vec::new(), Elsewhere::Forbidden),
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
            scope,
            discovery,
            neighbours: Vec::new(),
            pairing: Pairing::new(),
            pairing_batch: None,
            name: restored.name,
            settings: restored.settings,
            incarnation: restored.incarnation,
            rng: ChaCha20Rng::from_seed(seed),
            outbox: Outbox::default(),
            servers: own_servers(&servers),
            local_addresses: Vec::new(),
            reflexive: Reflexive::default(),
            outside: Outside::default(),
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
        device.session(now, SessionsInput::Start);
        let folders: Vec<FolderId> = device.folders.keys().copied().collect();
        for folder in folders {
            device.folder(now, folder, FolderInput::Start);
        }
        device
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
                discovery: self.discovery,
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

    fn session(&mut self, now: Moment, input: SessionsInput) {
        let news = self
            .sessions
            .handle_input(now, input, &mut self.rng, &mut self.outbox);
        self.session_news(now, news);
    }

    fn session_news(&mut self, now: Moment, news: Vec<SessionNews>) {
        for item in news {
            match item {
                SessionNews::Mailbox(event) => {
                    let news = self
                        .carrier
                        .server_said(event, &mut self.rng, &mut self.outbox);
                    self.carrier_news(now, news);
                }
                SessionNews::Stun(servers) => {
                    self.reflexive.begin(now, servers);
                    self.reflexive.handle_timeout(now, &mut self.outbox);
                    self.tell_reflexive(now);
                }
                SessionNews::Online(peer) => self.link(now, peer, LinkInput::Online),
                SessionNews::Offline(peer) => self.link(now, peer, LinkInput::Offline),
                SessionNews::Told(peer, bytes) => self.link(now, peer, LinkInput::Told(bytes)),
                SessionNews::RelayReady {
                    peer,
                    url,
                    channel,
                    token,
                } => {
                    self.link(
                        now,
                        peer,
                        LinkInput::RelayReady {
                            url,
                            channel,
                            token,
                        },
                    );
                }
            }
        }
    }

    fn carrier_news(&mut self, now: Moment, news: Vec<CarrierNews>) {
        for item in news {
            match item {
                CarrierNews::Server(request) => self.session(now, SessionsInput::Mailbox(request)),
                CarrierNews::Pairing(event) => {
                    let us = Ourselves {
                        identity: &self.identity,
                        name: &self.name,
                        servers: &self.servers,
                        addresses: &self.local_addresses,
                    };
                    let news = self.pairing.handle_mailbox(now, event, &us, &mut self.rng);
                    self.pairing_news(now, news);
                }
            }
        }
    }

    fn nearby_said(&mut self, now: Moment, id: PairingId, event: NearbyEvent) {
        let news = self.carrier.nearby_said(id, event, &mut self.outbox);
        self.carrier_news(now, news);
    }

    /// Somebody has come to the local network, or gone from it.
    fn neighbours_changed(&mut self, now: Moment, neighbours: Vec<Neighbour>) {
        self.neighbours = neighbours
            .iter()
            .flat_map(|neighbour| {
                let addresses = listenable(neighbour.addresses.clone());
                addresses.into_iter().map(|addr| (neighbour.name, addr))
            })
            .collect();
        let news = self.carrier.neighbours(now, neighbours, &mut self.outbox);
        self.carrier_news(now, news);
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.link(now, peer, LinkInput::Nearby(self.neighbours.clone()));
        }
    }

    fn pairing_news(&mut self, now: Moment, news: Vec<PairingNews>) {
        for item in news {
            match item {
                PairingNews::Mailbox(request) => {
                    let news = self
                        .carrier
                        .wanted(now, request, &mut self.rng, &mut self.outbox);
                    self.carrier_news(now, news);
                }
                PairingNews::Paired(record) => {
                    let keep = vec![StoreOp::PutPeer(record.clone())];
                    let batch = self.outbox.persist(keep, Vec::new());
                    let newcomer = match self.peers.get_mut(&record.id) {
                        // Its trust is durable; only its record is new, and whatever changes it
                        // next must build on this one.
                        Some(known) => {
                            known.record.clone_from(&record);
                            Newcomer::Known(record.id)
                        }
                        None => Newcomer::New(Box::new(record)),
                    };
                    self.pairing_batch = Some((batch, newcomer));
                }
            }
        }
    }

    /// Trusts a peer that has just become durable, and seeks it.
    fn welcome(&mut self, now: Moment, newcomer: Newcomer) {
        let id = match newcomer {
            Newcomer::Known(id) => id,
            Newcomer::New(record) => {
                let id = record.id;
                self.add_peer(*record);
                id
            }
        };
        self.trust(now);
        self.grant(id);
        let addresses = LinkInput::LocalAddresses(self.local_addresses.clone());
        self.link(now, id, addresses);
        let seen = LinkInput::Reflexive(self.reflexive.reflection());
        self.link(now, id, seen);
        self.link(now, id, LinkInput::Nearby(self.neighbours.clone()));
        self.link(now, id, LinkInput::Start);
    }

    fn network(&mut self, now: Moment, event: NetworkEvent) {
        let peer = match &event {
            NetworkEvent::LocalAddresses(addresses) => {
                if self.local_addresses != *addresses {
                    let how = if is_left(&self.local_addresses, addresses) {
                        Moved::Left
                    } else {
                        Moved::Joined
                    };
                    self.session(now, SessionsInput::Moved(how));
                    self.reflexive.moved(now);
                    self.reflexive.handle_timeout(now, &mut self.outbox);
                    match self.scope {
                        NetworkScope::Everywhere => self.outbox.network(NetworkRequest::MapPort),
                        // Nobody beyond the router shall come.
                        NetworkScope::LocalNetwork => {}
                    }
                }
                self.local_addresses.clone_from(addresses);
                let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
                for peer in peers {
                    self.link(now, peer, LinkInput::LocalAddresses(addresses.clone()));
                }
                self.tell_reflexive(now);
                return;
            }
            NetworkEvent::Reflected { server, from } => {
                match self.reflexive.answered(now, server, *from) {
                    Told::Change => self.tell_reflexive(now),
                    Told::Nothing => {}
                }
                return;
            }
            NetworkEvent::Nearby(neighbours) => {
                return self.neighbours_changed(now, neighbours.clone());
            }
            NetworkEvent::PairingMet(id) => return self.nearby_said(now, *id, NearbyEvent::Met),
            NetworkEvent::PairingReceived(id, bytes) => {
                return self.nearby_said(now, *id, NearbyEvent::Received(bytes.clone()));
            }
            NetworkEvent::PairingGone(id) => return self.nearby_said(now, *id, NearbyEvent::Gone),
            NetworkEvent::PortMapped(external) => {
                match self.reflexive.mapped(*external) {
                    Told::Change => self.tell_reflexive(now),
                    Told::Nothing => {}
                }
                return;
            }
            NetworkEvent::Misbehaved(peer) => return self.misbehaved(now, *peer),
            NetworkEvent::ProbeAnswered { peer, .. }
            | NetworkEvent::ProbeHeard { peer, .. }
            | NetworkEvent::LargeAnswered { peer, .. }
            | NetworkEvent::Datagrams(peer, _, _)
            | NetworkEvent::Measured { peer, .. }
            | NetworkEvent::Scattered(peer, _)
            | NetworkEvent::RelayOpened(peer)
            | NetworkEvent::RelayClosed(peer)
            | NetworkEvent::Connected(peer, _)
            | NetworkEvent::DialFailed(peer, _)
            | NetworkEvent::Disconnected(peer, _, _)
            | NetworkEvent::Answered(peer, _)
            | NetworkEvent::Silent(peer, _)
            | NetworkEvent::Received(peer, _, _) => *peer,
        };
        self.link(now, peer, LinkInput::Network(event));
    }

    /// Tells every link from where others see this device.
    fn tell_reflexive(&mut self, now: Moment) {
        let reflection = self.reflexive.reflection();
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.link(now, peer, LinkInput::Reflexive(reflection.clone()));
        }
    }

    /// Tells every link when more is known of the way out.
    fn tell_outside(&mut self, now: Moment) {
        let outside = self.reflexive.outside();
        if outside == self.outside {
            return;
        }
        self.outside = outside;
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.link(now, peer, LinkInput::Outside(outside));
        }
    }

    fn link(&mut self, now: Moment, id: DeviceId, input: LinkInput) {
        if let Some(peer) = self.peers.get_mut(&id) {
            let news = peer.link.handle_input(
                now,
                input,
                &mut self.rng,
                &mut self.outbox,
                &mut self.ration,
            );
            self.link_news(now, id, news);
        }
    }

    /// Ends the links of those whom a folder found to break the protocol.
    fn end_faulty_links(&mut self, now: Moment) {
        for peer in self.outbox.take_blamed() {
            self.misbehaved(now, peer);
        }
    }

    /// The peer broke the protocol: it is told so, and its link waits before it goes on.
    fn misbehaved(&mut self, now: Moment, id: DeviceId) {
        self.outbox.network(NetworkRequest::HangupOnFault(id));
        self.link(now, id, LinkInput::Misbehaved);
    }

    fn link_news(&mut self, now: Moment, id: DeviceId, news: Vec<LinkNews>) {
        for item in news {
            match item {
                LinkNews::Up(connection) => self.link_up(now, id, connection),
                LinkNews::Down(connection) => self.link_down(now, id, connection),
                LinkNews::Frame(frame) => self.frame(now, id, frame),
                LinkNews::Tell(bytes) => self.session(now, SessionsInput::Tell(id, bytes)),
                LinkNews::WantRelay => self.session(now, SessionsInput::WantRelay(id)),
                LinkNews::Addresses(addresses) => self.keep_addresses(id, addresses),
                LinkNews::Heard(run) => {
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.sightings.heard(run);
                    }
                }
                LinkNews::Lives => self.peer_lives(now, id),
                LinkNews::Doubt => {
                    self.session(now, SessionsInput::Doubt);
                    self.reflexive.doubt(now);
                    self.reflexive.handle_timeout(now, &mut self.outbox);
                }
            }
        }
    }

    fn link_up(&mut self, now: Moment, id: DeviceId, connection: ConnectionId) {
        self.leave_folders(now, id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.connection = Some((connection, Greeting::ExpectHello));
        peer.sightings.connection_changed();
        self.say_hello(id);
        self.state_folders(id);
    }

    fn link_down(&mut self, now: Moment, id: DeviceId, connection: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer
            .connection
            .is_some_and(|(standing, _)| standing == connection)
        {
            peer.connection = None;
            peer.sightings.connection_changed();
            self.leave_folders(now, id);
        }
    }

    fn frame(&mut self, now: Moment, id: DeviceId, frame: Control) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some((_, greeting)) = &mut peer.connection else {
            return;
        };
        match (*greeting, frame) {
            (Greeting::ExpectHello, Control::Hello(hello)) => {
                if VersionRange::OURS.agree(hello.versions).is_none() {
                    return self.misbehaved(now, id);
                }
                *greeting = Greeting::Greeted;
                self.tell_servers(id, hello.versions);
                self.run_met(now, id, &hello);
            }
            (Greeting::Greeted, Control::Folders(statements)) => {
                self.folders_stated(now, id, statements);
            }
            (Greeting::Greeted, Control::Index(page)) => self.page_received(now, id, page),
            (
                Greeting::Greeted,
                Control::IndexAck {
                    folder,
                    incarnation,
                    up_to,
                },
            ) => {
                self.folder(now, folder, FolderInput::PageAcked(id, incarnation, up_to));
            }
            (Greeting::Greeted, Control::Prove(challenge)) => self.prove(now, id, challenge),
            (Greeting::Greeted, Control::Vouch(signature)) => self.vouched(now, id, signature),
            (Greeting::Greeted, Control::Twin(proof)) => self.twin_told(now, id, &proof),
            (Greeting::Greeted, Control::Servers(servers)) => self.servers_told(now, id, servers),
            // The link takes these itself, whenever they come.
            (
                Greeting::ExpectHello | Greeting::Greeted,
                Control::Addresses(_)
                | Control::Reflection(_)
                | Control::Scatter
                | Control::Scattered(_)
                | Control::WayOut(_),
            ) => {}
            (
                Greeting::ExpectHello,
                Control::Folders(_)
                | Control::Index(_)
                | Control::IndexAck { .. }
                | Control::Prove(_)
                | Control::Vouch(_)
                | Control::Twin(_)
                | Control::Servers(_),
            )
            | (Greeting::Greeted, Control::Hello(_)) => self.misbehaved(now, id),
        }
    }

    /// Takes a peer that is durable.
    fn add_peer(&mut self, record: PeerRecord) {
        let id = record.id;
        let link = Link::new(&self.identity, &record, &mut self.rng);
        let peer = Peer {
            run: OurRun::new(link.run()),
            sightings: Sightings::default(),
            told_servers: ToldServers::default(),
            record,
            link,
            connection: None,
            statements: BTreeMap::new(),
        };
        self.peers.insert(id, peer);
        let scope = LinkInput::Scope(self.scope);
        self.link(Moment::default(), id, scope);
        self.link(Moment::default(), id, LinkInput::Outside(self.outside));
    }

    fn keep_addresses(&mut self, id: DeviceId, addresses: Vec<SocketAddr>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.record.addresses = addresses;
            self.outbox
                .persist(vec![StoreOp::PutPeer(peer.record.clone())], Vec::new());
        }
    }

    /// Tells the network and the server whom we trust.
    fn trust(&mut self, now: Moment) {
        let all: BTreeSet<DeviceId> = self.peers.keys().copied().collect();
        self.outbox.network(NetworkRequest::Trust(all));
        self.watch_peers(now);
    }

    /// Tells the servers whose presence matters, and where each can be met.
    fn watch_peers(&mut self, now: Moment) {
        let homes = |peer: &Peer| {
            let servers = peer.record.servers.iter();
            servers.filter_map(|url| url.parse().ok()).collect()
        };
        let homes = self.peers.iter().map(|(id, peer)| (*id, homes(peer)));
        let homes = homes.collect();
        self.session(now, SessionsInput::Watch(homes));
    }

    fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
