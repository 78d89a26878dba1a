//! What each command does, and how it is answered.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::card::listenable;
use towline_wire::ids::{DeviceId, FolderId, Sequence};
use towline_wire::limits::NAME_BYTES_MAX;
use towline_wire::place::Place;
use towline_wire::server_url::ServerUrl;

use super::Device;
use crate::clock::Moment;
use crate::command::{Answer, Command, CommandId, Comparison, Refusal};
use crate::folder::rules::RulesMark;
use crate::folder::{Folder, FolderInput};
use crate::io::{AbsentRoot, DiskRequest, NetworkRequest, NetworkScope, Output, RootFault};
use crate::link::LinkInput;
use crate::pairing::{Ourselves, PairingWish};
use crate::records::{
    Activity, ChosenServer, DeviceSettings, Doubt, FolderRecord, FolderSettings, Mode, PLACES_MAX,
    RestoredFolder, RootPath, ScopeRule, ServersRule, StoreOp, Totals, Verification,
};
use crate::sessions::OWN_SERVERS_MAX;

/// A folder whose root is being prepared.
#[derive(Debug)]
pub(super) struct Preparing {
    command: CommandId,
    record: FolderRecord,
}

impl Device {
    pub(super) fn command(&mut self, now: Moment, id: CommandId, command: Command) {
        let answer = match command {
            Command::NameDevice(name) => self.name_device(name),
            Command::StartPairing => self.wish(now, PairingWish::Start),
            Command::JoinPairing(code) => self.wish(now, PairingWish::Join(code)),
            Command::JoinByLink(link) => self.wish(now, PairingWish::JoinLink(link)),
            Command::CancelPairing => self.wish(now, PairingWish::Cancel),
            Command::Compare(peer, comparison) => self.compare(now, peer, comparison),
            Command::RenamePeer(peer, name) => self.rename_peer(peer, name),
            Command::PlacePeer(peer, places) => self.place_peer(now, peer, places),
            Command::RemovePeer(peer) => self.remove_peer(now, peer),
            Command::AddFolder { root, label } => {
                let folder = FolderId::from_bytes(self.random_bytes());
                let record = FolderRecord {
                    id: folder,
                    label,
                    root,
                    shared_with: BTreeSet::new(),
                    settings: FolderSettings::default(),
                };
                return self.prepare(id, record, AbsentRoot::Refused);
            }
            Command::InvitePeer(folder, peer) => self.invite(now, folder, peer),
            Command::AcceptInvitation { peer, folder, root } => {
                match self.accept(now, peer, folder, root) {
                    Accepted::Prepare(record) => return self.prepare(id, record, AbsentRoot::Made),
                    Accepted::Answer(answer) => answer,
                }
            }
            Command::RemoveFolder(folder) => self.remove_folder(now, folder),
            Command::Rescan(folder) => self.rescan(now, folder),
            Command::ConfigureFolder(folder, settings) => {
                self.configure_folder(now, folder, *settings)
            }
            Command::Override(folder) => {
                self.sweep(now, folder, Mode::SendOnly, FolderInput::Override)
            }
            Command::Revert(folder) => {
                self.sweep(now, folder, Mode::ReceiveOnly, FolderInput::Revert)
            }
            Command::ReleaseBrake(folder, peer) => {
                self.decide_braked(now, folder, peer, FolderInput::Release(peer))
            }
            Command::UndoBraked(folder, peer) => {
                self.decide_braked(now, folder, peer, FolderInput::Undo(peer))
            }
            Command::ConfigureDevice(settings) => self.configure_device(settings),
            Command::SetScope(scope) => return self.set_scope(id, scope),
            Command::SetServers(servers) => return self.set_servers(id, servers),
        };
        self.outbox.push(Output::Reply(id, answer));
    }

    /// The root of a new folder is ready, or cannot be used.
    pub(super) fn prepared(
        &mut self,
        now: Moment,
        folder: FolderId,
        result: Result<(), RootFault>,
    ) {
        let Some(Preparing { command, record }) = self.preparing.remove(&folder) else {
            return;
        };
        if let Err(fault) = result {
            return self
                .outbox
                .push(Output::Reply(command, Err(Refusal::Root(fault))));
        }
        let reply = Output::Reply(command, Ok(Answer::Folder(folder)));
        self.outbox
            .persist(vec![StoreOp::PutFolder(record.clone())], vec![reply]);
        let shared: Vec<DeviceId> = record.shared_with.iter().copied().collect();
        let restored = RestoredFolder {
            doubt: Doubt::Nothing,
            record,
            last_sequence: Sequence::default(),
            have: BTreeMap::new(),
            needs_under: RulesMark::default(),
            totals: Totals::default(),
            brakes: BTreeMap::new(),
            contacts: BTreeMap::new(),
        };
        self.folders
            .insert(folder, Folder::new(restored, self.actor()));
        self.folder(now, folder, FolderInput::Start);
        for peer in shared {
            self.state_folders(peer);
            self.join_folders(now, peer);
        }
    }

    fn prepare(&mut self, command: CommandId, record: FolderRecord, absent: AbsentRoot) {
        if !is_name(&record.label) {
            return self.outbox.push(Output::Reply(command, Err(Refusal::Name)));
        }
        let here = self
            .folders
            .values()
            .map(|folder| folder.record().root.clone());
        let coming = self
            .preparing
            .values()
            .map(|other| other.record.root.clone());
        let others = here.chain(coming).collect();
        self.outbox.disk(
            record.id,
            DiskRequest::Prepare {
                root: record.root.clone(),
                others,
                absent,
            },
        );
        self.preparing
            .insert(record.id, Preparing { command, record });
    }

    fn name_device(&mut self, name: String) -> Result<Answer, Refusal> {
        if !is_name(&name) {
            return Err(Refusal::Name);
        }
        self.outbox
            .persist(vec![StoreOp::PutDeviceName(name.clone())], Vec::new());
        self.name = name;
        Ok(Answer::Accepted)
    }

    fn wish(&mut self, now: Moment, wish: PairingWish) -> Result<Answer, Refusal> {
        let leads_somewhere = match &wish {
            PairingWish::Start => self.carrier.has_way(None),
            PairingWish::Join(code) => self.carrier.has_way(code.host.as_deref()),
            PairingWish::JoinLink(link) => {
                let server = link.server.as_ref().map(ServerUrl::as_str);
                self.carrier.has_way(server)
            }
            PairingWish::Cancel => true,
        };
        if !leads_somewhere {
            return Err(Refusal::NoServer);
        }
        let named = match &wish {
            PairingWish::Join(code) => code.host.as_deref().map(ServerUrl::from_host),
            PairingWish::JoinLink(link) => link.server.clone().map(Ok),
            PairingWish::Start | PairingWish::Cancel => None,
        };
        // Within the local network nobody goes to a server, whoever names it.
        if let Some(Ok(server)) = named
            && self.scope == NetworkScope::Everywhere
            && !self.sessions.may_go_to(&server)
        {
            return Err(Refusal::Elsewhere);
        }
        let us = Ourselves {
            identity: &self.identity,
            name: &self.name,
            servers: &self.servers,
            addresses: &self.local_addresses,
        };
        let news = self.pairing.handle_wish(now, wish, &us);
        self.pairing_news(now, news);
        Ok(Answer::Accepted)
    }

    fn compare(
        &mut self,
        now: Moment,
        id: DeviceId,
        comparison: Comparison,
    ) -> Result<Answer, Refusal> {
        match comparison {
            Comparison::Differ => self.remove_peer(now, id),
            Comparison::Match => {
                let peer = self.peers.get_mut(&id).ok_or(Refusal::UnknownPeer)?;
                peer.record.verification = Verification::Verified;
                self.outbox
                    .persist(vec![StoreOp::PutPeer(peer.record.clone())], Vec::new());
                Ok(Answer::Accepted)
            }
        }
    }

    fn rename_peer(&mut self, id: DeviceId, name: String) -> Result<Answer, Refusal> {
        if !is_name(&name) {
            return Err(Refusal::Name);
        }
        let peer = self.peers.get_mut(&id).ok_or(Refusal::UnknownPeer)?;
        peer.record.name = name;
        self.outbox
            .persist(vec![StoreOp::PutPeer(peer.record.clone())], Vec::new());
        Ok(Answer::Accepted)
    }

    fn place_peer(
        &mut self,
        now: Moment,
        id: DeviceId,
        places: Vec<Place>,
    ) -> Result<Answer, Refusal> {
        let addresses: Vec<_> = places.iter().filter_map(Place::addr).collect();
        if listenable(addresses.clone()).len() != addresses.len() {
            return Err(Refusal::Place);
        }
        let peer = self.peers.get_mut(&id).ok_or(Refusal::UnknownPeer)?;
        let mut said: Vec<Place> = Vec::new();
        for place in places {
            if !said.contains(&place) {
                said.push(place);
            }
        }
        if said.len() > PLACES_MAX {
            return Err(Refusal::Places);
        }
        peer.record.places.clone_from(&said);
        self.outbox
            .persist(vec![StoreOp::PutPeer(peer.record.clone())], Vec::new());
        let places = self.places_of(id, &said);
        self.link(now, id, LinkInput::Placed(places));
        Ok(Answer::Accepted)
    }

    fn remove_peer(&mut self, now: Moment, id: DeviceId) -> Result<Answer, Refusal> {
        let peer = self.peers.remove(&id).ok_or(Refusal::UnknownPeer)?;
        self.leave_folders(now, id);
        for folder in self.folders.values_mut() {
            let mut record = folder.record().clone();
            if record.shared_with.remove(&id) {
                folder.set_record(record);
                folder.handle(now, FolderInput::PeerRemoved(id), &mut self.outbox);
            }
        }
        self.outbox
            .persist(vec![StoreOp::RemovePeer(id)], Vec::new());
        self.outbox
            .network(NetworkRequest::Grant(id, BTreeSet::new()));
        // First, so that the connection closes for this reason and the peer is told.
        self.trust(now);
        peer.link.close(&mut self.outbox);
        Ok(Answer::Accepted)
    }

    fn invite(&mut self, now: Moment, folder: FolderId, peer: DeviceId) -> Result<Answer, Refusal> {
        if !self.peers.contains_key(&peer) {
            return Err(Refusal::UnknownPeer);
        }
        if !self.folders.contains_key(&folder) {
            return Err(Refusal::UnknownFolder);
        }
        self.share(now, folder, peer);
        Ok(Answer::Accepted)
    }

    fn accept(&mut self, now: Moment, id: DeviceId, folder: FolderId, root: RootPath) -> Accepted {
        let Some(peer) = self.peers.get(&id) else {
            return Accepted::Answer(Err(Refusal::UnknownPeer));
        };
        let Some(statement) = peer.statements.get(&folder) else {
            return Accepted::Answer(Err(Refusal::UnknownInvitation));
        };
        if self.preparing.contains_key(&folder) {
            return Accepted::Answer(Err(Refusal::AlreadyHere));
        }
        if self.folders.contains_key(&folder) {
            // The folder came from another peer already; this one joins in.
            self.share(now, folder, id);
            return Accepted::Answer(Ok(Answer::Folder(folder)));
        }
        let label = statement.label.clone();
        Accepted::Prepare(FolderRecord {
            id: folder,
            label,
            root,
            shared_with: BTreeSet::from([id]),
            settings: FolderSettings::default(),
        })
    }

    fn remove_folder(&mut self, now: Moment, id: FolderId) -> Result<Answer, Refusal> {
        let folder = self.folders.remove(&id).ok_or(Refusal::UnknownFolder)?;
        self.outbox.disk(id, DiskRequest::Close);
        self.outbox
            .persist(vec![StoreOp::RemoveFolder(id)], Vec::new());
        // Our counters and sequences of it are forgotten with it, peers remember them: should the
        // folder come back, the same numbers must not name other bytes.
        self.begin_incarnation(now, FolderInput::NewIncarnation);
        for peer in &folder.record().shared_with {
            self.state_folders(*peer);
        }
        Ok(Answer::Accepted)
    }

    fn rescan(&mut self, now: Moment, folder: FolderId) -> Result<Answer, Refusal> {
        if !self.folders.contains_key(&folder) {
            return Err(Refusal::UnknownFolder);
        }
        self.folder(now, folder, FolderInput::Rescan);
        Ok(Answer::Accepted)
    }

    fn configure_folder(
        &mut self,
        now: Moment,
        id: FolderId,
        settings: FolderSettings,
    ) -> Result<Answer, Refusal> {
        let folder = self.folders.get(&id).ok_or(Refusal::UnknownFolder)?;
        if !settings.is_sane() {
            return Err(Refusal::Setting);
        }
        let before = folder.activity();
        let record = FolderRecord {
            settings: settings.clone(),
            ..folder.record().clone()
        };
        let shared_with = record.shared_with.clone();
        // Before whatever the folder decides by it: the store keeps the order.
        self.outbox
            .persist(vec![StoreOp::PutFolder(record)], Vec::new());
        let after = settings.activity;
        self.folder(now, id, FolderInput::Configured(settings));
        if before != after {
            for peer in shared_with {
                self.state_folders(peer);
                self.join_folders(now, peer);
            }
        }
        Ok(Answer::Accepted)
    }

    /// Has a folder do something that belongs to one mode.
    fn sweep(
        &mut self,
        now: Moment,
        id: FolderId,
        mode: Mode,
        input: FolderInput,
    ) -> Result<Answer, Refusal> {
        let folder = self.folders.get(&id).ok_or(Refusal::UnknownFolder)?;
        let settings = &folder.record().settings;
        if settings.mode != mode {
            return Err(Refusal::Mode);
        }
        match settings.activity {
            Activity::Paused => Err(Refusal::Paused),
            Activity::Running => {
                self.folder(now, id, input);
                Ok(Answer::Accepted)
            }
        }
    }

    /// Decides a mass change that waits.
    fn decide_braked(
        &mut self,
        now: Moment,
        id: FolderId,
        device: DeviceId,
        input: FolderInput,
    ) -> Result<Answer, Refusal> {
        let folder = self.folders.get(&id).ok_or(Refusal::UnknownFolder)?;
        if folder.activity() == Activity::Paused {
            return Err(Refusal::Paused);
        }
        if !folder.has_waiting(device) {
            return Err(Refusal::NotBraked);
        }
        self.folder(now, id, input);
        Ok(Answer::Accepted)
    }

    fn configure_device(&mut self, settings: DeviceSettings) -> Result<Answer, Refusal> {
        if !settings.is_sane() {
            return Err(Refusal::Setting);
        }
        // Who changes a speed has perhaps not seen yet that the device is to stay near, or at other servers.
        let settings = DeviceSettings {
            scope: self.settings.scope,
            servers: self.settings.servers.clone(),
            ..settings
        };
        self.settings = settings.clone();
        self.outbox
            .persist(vec![StoreOp::PutDeviceSettings(settings)], Vec::new());
        Ok(Answer::Accepted)
    }

    fn set_scope(&mut self, id: CommandId, scope: NetworkScope) {
        match self.scope_rule {
            ScopeRule::Fixed(_) => self.refuse(id, Refusal::ScopeFixed),
            ScopeRule::Chosen => {
                let settings = DeviceSettings {
                    scope,
                    ..self.settings.clone()
                };
                self.set_for_next_life(id, settings);
            }
        }
    }

    fn set_servers(&mut self, id: CommandId, servers: Option<Vec<ChosenServer>>) {
        if self.servers_rule == ServersRule::Fixed {
            return self.refuse(id, Refusal::ServersFixed);
        }
        let known = self.settings.servers.clone().unwrap_or_default();
        let servers = servers.map(|servers| distinct(servers, &known));
        if servers
            .as_ref()
            .is_some_and(|servers| servers.len() > OWN_SERVERS_MAX)
        {
            return self.refuse(id, Refusal::Servers);
        }
        let settings = DeviceSettings {
            servers,
            ..self.settings.clone()
        };
        self.set_for_next_life(id, settings);
    }

    /// Answered when it is durable: from then on it holds, whatever happens to this life.
    fn set_for_next_life(&mut self, id: CommandId, settings: DeviceSettings) {
        let reply = Output::Reply(id, Ok(Answer::Accepted));
        if self.settings == settings {
            return self.outbox.push(reply);
        }
        self.settings = settings;
        let keep = StoreOp::PutDeviceSettings(self.settings.clone());
        self.outbox.persist(vec![keep], vec![reply]);
    }

    fn refuse(&mut self, id: CommandId, why: Refusal) {
        self.outbox.push(Output::Reply(id, Err(why)));
    }
}

/// How an accepted invitation goes on.
enum Accepted {
    Prepare(FolderRecord),
    Answer(Result<Answer, Refusal>),
}

/// Each host and port once, as a device is there once; who names a `known` server without its token means it with that.
fn distinct(servers: Vec<ChosenServer>, known: &[ChosenServer]) -> Vec<ChosenServer> {
    let mut distinct: Vec<ChosenServer> = Vec::new();
    for ChosenServer { url, token } in servers {
        if distinct.iter().any(|other| other.url.is_same_host(&url)) {
            continue;
        }
        let before = known.iter().find(|known| known.url == url);
        let token = token.or_else(|| before?.token.clone());
        distinct.push(ChosenServer { url, token });
    }
    distinct
}

/// Whether a text can be shown as a name in one line.
pub(super) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}
