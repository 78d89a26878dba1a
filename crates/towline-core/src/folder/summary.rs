//! What a folder tells people of itself: what it does now, what waits for them, and who shares it.
//!
//! Read only; nothing here decides anything.

use towline_wire::ids::DeviceId;

use crate::folder::Folder;
use crate::folder::look::Root;
use crate::snapshot::{Braked, FolderPeer, FolderPeerState, FolderState, FolderSummary};

impl Folder {
    /// What a person sees of the folder.
    pub fn summary(&self) -> FolderSummary {
        FolderSummary {
            record: self.record.clone(),
            state: self.state(),
            totals: self.totals,
            applied: self.applied,
            held_back: self.look.held_back(self.quarantine.held_back()),
            spoiled: self.quarantine.found(),
            braked: self.braked(),
            peers: self
                .record
                .shared_with
                .iter()
                .map(|peer| self.peer_summary(*peer))
                .collect(),
        }
    }

    /// What a person has to decide, by who did it.
    fn braked(&self) -> Vec<Braked> {
        let mut all = self.brakes.braked();
        for device in self.absences.waiting() {
            let revives = self.absences.waits(device);
            match all.iter_mut().find(|braked| braked.peer == device) {
                Some(braked) => braked.revives = revives,
                None => all.push(Braked {
                    peer: device,
                    deletes: 0,
                    overwrites: 0,
                    revives,
                }),
            }
        }
        all
    }

    fn state(&self) -> FolderState {
        match self.look.root() {
            Root::Closed => FolderState::PausedByPerson,
            Root::Opening => FolderState::Opening,
            Root::Paused(fault) => FolderState::Paused(fault),
            Root::Unseen => FolderState::Scanning,
            Root::Seen if self.walk.has_steps() => FolderState::Syncing,
            Root::Seen if self.look.is_scanning_all() => FolderState::Scanning,
            Root::Seen if !self.walk.is_idle() && self.totals.needs > 0 => FolderState::Syncing,
            Root::Seen if !self.exchange.is_at_rest() => FolderState::Syncing,
            Root::Seen if self.totals.needs > 0 => FolderState::Waiting,
            Root::Seen => FolderState::InSync,
        }
    }

    fn peer_summary(&self, id: DeviceId) -> FolderPeer {
        let state = if self.connected.contains(&id) {
            FolderPeerState::Connected
        } else if self.have.contains_key(&id) {
            FolderPeerState::Away
        } else {
            FolderPeerState::Invited
        };
        FolderPeer { id, state }
    }
}
