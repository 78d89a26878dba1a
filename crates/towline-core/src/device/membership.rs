//! Who takes part in which folder: what we share with a peer, and what it states.
//!
//! A peer takes part in a folder when we share the folder with it *and* it states the folder to us.
//! What it states and we do not have is an invitation. A folder that a person has paused here is not
//! stated and not readable: to peers it is as if this device were away. So are all folders while two
//! computers have one key (`twins`).

use towline_wire::entry::Actor;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::limits::FOLDERS_PER_PEER_MAX;
use towline_wire::peer::{Control, FolderStatement, IndexPage};

use super::commands::is_name;
use super::{Device, Greeting};
use crate::clock::Moment;
use crate::folder::{Folder, FolderInput};
use crate::io::{Age, DiskEvent, DiskRequest, NetworkRequest, Output, RootFault};
use crate::records::{Activity, StoreOp};
use crate::snapshot::{FolderPeer, FolderPeerState, FolderSummary, Invitation};

impl Device {
    /// States to a connected peer the whole list of folders that we share with it.
    pub(super) fn state_folders(&mut self, id: DeviceId) {
        self.grant(id);
        let connected = self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.connection.is_some());
        if !connected {
            return;
        }
        let statements = self
            .folders
            .values()
            .filter(|folder| self.is_open_to(folder, id))
            .take(FOLDERS_PER_PEER_MAX)
            .map(|folder| FolderStatement {
                folder: folder.record().id,
                label: folder.record().label.clone(),
                have: folder.have(id),
            })
            .collect();
        self.outbox.send(id, Control::Folders(statements));
    }

    /// Tells the data plane what a peer may read.
    pub(super) fn grant(&mut self, id: DeviceId) {
        let readable = self
            .folders
            .values()
            .filter(|folder| self.is_open_to(folder, id))
            .map(|folder| folder.record().id)
            .collect();
        self.outbox.network(NetworkRequest::Grant(id, readable));
    }

    /// Takes a peer's new list of folders.
    pub(super) fn folders_stated(
        &mut self,
        now: Moment,
        id: DeviceId,
        statements: Vec<FolderStatement>,
    ) {
        let sane = |statement: &FolderStatement| is_name(&statement.label);
        if statements.len() > FOLDERS_PER_PEER_MAX || !statements.iter().all(sane) {
            return self.misbehaved(now, id);
        }
        if statements
            .iter()
            .any(|statement| self.is_ahead_of_us(id, statement))
        {
            self.begin_incarnation(now, FolderInput::RolledBack);
        }
        let stated = statements
            .into_iter()
            .map(|statement| (statement.folder, statement))
            .collect();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut peer.statements, stated);
        let gone: Vec<FolderId> = before
            .into_keys()
            .filter(|folder| !peer.statements.contains_key(folder))
            .collect();
        for folder in gone {
            self.folder(now, folder, FolderInput::PeerLeft(id));
        }
        self.join_folders(now, id);
    }

    /// Begins the exchange for every folder that both sides share with each other.
    pub(super) fn join_folders(&mut self, now: Moment, id: DeviceId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if !matches!(peer.connection, Some((_, Greeting::Greeted))) {
            return;
        }
        let stated: Vec<_> = peer
            .statements
            .values()
            .map(|statement| (statement.folder, statement.have))
            .collect();
        for (folder, have) in stated {
            let shared = self
                .folders
                .get(&folder)
                .is_some_and(|ours| self.is_open_to(ours, id));
            if shared {
                self.folder(now, folder, FolderInput::PeerJoined(id, have));
            }
        }
    }

    /// Takes a peer out of every folder: it is away.
    pub(super) fn leave_folders(&mut self, now: Moment, id: DeviceId) {
        let all: Vec<FolderId> = self.folders.keys().copied().collect();
        for folder in all {
            self.folder(now, folder, FolderInput::PeerLeft(id));
        }
    }

    /// Takes an index page, if the peer takes part in that folder.
    pub(super) fn page_received(&mut self, now: Moment, id: DeviceId, page: IndexPage) {
        let shared = self
            .folders
            .get(&page.folder)
            .is_some_and(|folder| folder.record().shared_with.contains(&id));
        // Not shared (any more): the peer has not read our newest list yet.
        if shared {
            self.folder(now, page.folder, FolderInput::PageReceived(id, page));
        }
    }

    /// Shares a folder with a peer, durably, and tells it.
    pub(super) fn share(&mut self, now: Moment, folder: FolderId, id: DeviceId) {
        let Some(ours) = self.folders.get_mut(&folder) else {
            return;
        };
        let mut record = ours.record().clone();
        record.shared_with.insert(id);
        ours.set_record(record.clone());
        self.outbox
            .persist(vec![StoreOp::PutFolder(record)], Vec::new());
        self.state_folders(id);
        self.join_folders(now, id);
    }

    pub(super) fn invitations(&self) -> Vec<Invitation> {
        let stated = self.peers.iter().flat_map(|(id, peer)| {
            peer.statements
                .values()
                .map(move |statement| (*id, statement))
        });
        stated
            .filter(|(id, statement)| {
                !self
                    .folders
                    .get(&statement.folder)
                    .is_some_and(|ours| ours.record().shared_with.contains(id))
            })
            .map(|(peer, statement)| Invitation {
                peer,
                folder: statement.folder,
                label: statement.label.clone(),
            })
            .collect()
    }

    pub(super) fn folder_summary(&self, folder: &Folder) -> FolderSummary {
        let id = folder.record().id;
        let state_of = |peer: &DeviceId| match self.peers.get(peer) {
            Some(known) if !known.statements.contains_key(&id) => {
                // Who has told of it before has paused it, or taken it off.
                match folder.have(*peer) {
                    Some(_) => FolderPeerState::Away,
                    None => FolderPeerState::Invited,
                }
            }
            Some(known) if known.connection.is_some() => FolderPeerState::Connected,
            Some(_) | None => FolderPeerState::Away,
        };
        let peers = folder
            .record()
            .shared_with
            .iter()
            .map(|peer| FolderPeer {
                id: *peer,
                state: state_of(peer),
            })
            .collect();
        FolderSummary {
            peers,
            ..folder.summary()
        }
    }

    /// Whether a folder is shared with a peer, and neither it nor the exchange with the peer rests.
    fn is_open_to(&self, folder: &Folder, peer: DeviceId) -> bool {
        folder.activity() == Activity::Running
            && folder.record().shared_with.contains(&peer)
            && self.may_exchange(peer)
    }

    /// Whether a peer has more of our index than we have: our store was rolled back.
    fn is_ahead_of_us(&self, id: DeviceId, statement: &FolderStatement) -> bool {
        let Some((incarnation, sequence)) = statement.have else {
            return false;
        };
        // A folder that we do not know any more, and told of in this life, is a rollback too.
        let ours = self
            .folders
            .get(&statement.folder)
            .map_or(Sequence::default(), |folder| folder.told_at_most(id));
        incarnation == self.incarnation && sequence > ours
    }

    /// A root is usable or not. One that remembers what the store has forgotten shows before
    /// anything is written there that the store was rolled back, whoever else knows.
    pub(super) fn root_told(
        &mut self,
        now: Moment,
        folder: FolderId,
        root: Result<Option<Age>, RootFault>,
    ) {
        let remembered = root.ok().flatten();
        let is_rolled_back = self
            .folders
            .get(&folder)
            .zip(remembered)
            .is_some_and(|(folder, age)| folder.has_forgotten(age));
        if is_rolled_back {
            self.begin_incarnation(now, FolderInput::RolledBack);
        }
        self.folder(now, folder, FolderInput::Disk(DiskEvent::Root(root)));
    }

    /// Begins a new life of the store; `news` says to the folders why.
    pub(super) fn begin_incarnation(&mut self, now: Moment, news: fn(Actor) -> FolderInput) {
        self.incarnation = Incarnation(u64::from_le_bytes(self.random_bytes()));
        let actor = self.actor();
        let remembered = |folder: &Folder| {
            let age = Age {
                incarnation: actor.incarnation,
                ..folder.age()
            };
            Output::Disk(folder.record().id, DiskRequest::NoteAge(age))
        };
        self.outbox.persist(
            vec![StoreOp::BeginIncarnation(actor.incarnation)],
            self.folders.values().map(remembered).collect(),
        );
        let all: Vec<FolderId> = self.folders.keys().copied().collect();
        for folder in all {
            self.folder(now, folder, news(actor));
        }
    }
}
