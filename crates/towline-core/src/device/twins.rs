//! Two computers with one key: who is told, and what rests meanwhile.
//!
//! Folders rest towards a peer that is doubled, and towards everybody where this device is doubled itself: they
//! are neither stated, nor readable, nor exchanged; connections stay, to tell. A device that learns of
//! its twin begins a new life of its store, because counters that both have used name different
//! writes. When it counts as one computer again, all goes on as after a pause.

use towline_wire::ids::DeviceId;
use towline_wire::peer::{Challenge, Control, Hello, TwinProof};
use towline_wire::version::VersionRange;

use super::Device;
use crate::clock::Moment;
use crate::folder::FolderInput;
use crate::link::LinkInput;
use crate::sessions::SessionsInput;
use crate::signal::Moved;
use crate::snapshot::Oneness;
use crate::twin::Due;

impl Device {
    /// Says hello on a new connection.
    pub(super) fn say_hello(&mut self, id: DeviceId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            let hello = Hello {
                versions: VersionRange::OURS,
                run: peer.run.run(),
                challenge: peer.run.challenge(&mut self.rng),
            };
            self.outbox.send(id, Control::Hello(hello));
        }
    }

    /// Takes who the peer says that it is.
    pub(super) fn run_met(&mut self, now: Moment, id: DeviceId, hello: &Hello) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let before = peer.sightings.may_exchange();
        if let Some(challenge) = peer.sightings.hello(hello.run, hello.challenge) {
            self.outbox.send(id, Control::Prove(challenge));
        }
        self.tell_twin(id);
        self.exchange_if_changed(now, id, before);
    }

    /// Shows that our run lives.
    pub(super) fn prove(&mut self, now: Moment, id: DeviceId, challenge: Challenge) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match peer.run.vouch(&self.identity, id, challenge) {
            Some(signature) => self.outbox.send(id, Control::Vouch(signature)),
            None => self.misbehaved(now, id),
        }
    }

    /// The peer's run shows that it lives.
    pub(super) fn vouched(&mut self, now: Moment, id: DeviceId, signature: Vec<u8>) {
        let us = self.identity.id();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let before = peer.sightings.may_exchange();
        if peer.sightings.vouched(now, id, us, signature).is_err() {
            return self.misbehaved(now, id);
        }
        self.tell_twin(id);
        self.exchange_if_changed(now, id, before);
    }

    /// The peer says that this device has a twin. What proves nothing may be late, and is passed over.
    pub(super) fn twin_told(&mut self, now: Moment, id: DeviceId, proof: &TwinProof) {
        let us = self.identity.id();
        let is_proved = self
            .peers
            .get_mut(&id)
            .is_some_and(|peer| peer.run.is_twin(us, id, proof));
        if !is_proved {
            return;
        }
        match self.oneself.proved(now) {
            Oneness::Doubled => {}
            Oneness::Single => {
                self.begin_incarnation(now, FolderInput::RolledBack);
                self.oneness_changed(now);
            }
        }
    }

    /// Looks for whoever else has a peer's key.
    pub(super) fn peer_lives(&mut self, now: Moment, id: DeviceId) {
        let due = self
            .peers
            .get_mut(&id)
            .map_or(Due::Nothing, |peer| peer.sightings.lives(now));
        self.twin_due(now, id, due);
    }

    /// Does what time has made due.
    pub(super) fn twins_timeout(&mut self, now: Moment) {
        match self.oneself.handle_timeout(now) {
            Due::Nothing | Due::Look => {}
            Due::Cleared => {
                self.oneness_changed(now);
                // The server has let the twin in, and this device stays away from it.
                self.session(now, SessionsInput::Moved(Moved::Joined));
            }
        }
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for id in peers {
            let due = self
                .peers
                .get_mut(&id)
                .map_or(Due::Nothing, |peer| peer.sightings.handle_timeout(now));
            self.twin_due(now, id, due);
        }
    }

    /// When [`Self::twins_timeout`] is wanted.
    pub(super) fn twins_due(&self) -> Option<Moment> {
        let peers = self
            .peers
            .values()
            .filter_map(|peer| peer.sightings.poll_timeout());
        self.oneself.poll_timeout().into_iter().chain(peers).min()
    }

    /// Whether folders may be exchanged with a peer.
    pub(super) fn may_exchange(&self, id: DeviceId) -> bool {
        let is_single = self.oneself.oneness() == Oneness::Single;
        is_single
            && self
                .peers
                .get(&id)
                .is_some_and(|peer| peer.sightings.may_exchange())
    }

    fn twin_due(&mut self, now: Moment, id: DeviceId, due: Due) {
        match due {
            Due::Nothing => {}
            Due::Look => self.link(now, id, LinkInput::LookElsewhere),
            Due::Cleared => self.exchange(now, id),
        }
    }

    /// Gives the run that is connected its proof, if there is one.
    fn tell_twin(&mut self, id: DeviceId) {
        let proof = self
            .peers
            .get_mut(&id)
            .and_then(|peer| peer.sightings.take_proof());
        if let Some(proof) = proof {
            self.outbox.send(id, Control::Twin(proof));
        }
    }

    fn exchange_if_changed(&mut self, now: Moment, id: DeviceId, before: bool) {
        let after = self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.sightings.may_exchange());
        if before != after {
            self.exchange(now, id);
        }
    }

    /// Whether this device is one computer has changed.
    fn oneness_changed(&mut self, now: Moment) {
        let oneness = self.oneself.oneness();
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for id in peers {
            self.link(now, id, LinkInput::Oneness(oneness));
            self.exchange(now, id);
        }
    }

    /// Begins or ends the exchange with a peer, as it may be now.
    fn exchange(&mut self, now: Moment, id: DeviceId) {
        if !self.may_exchange(id) {
            self.leave_folders(now, id);
        }
        self.state_folders(id);
        self.join_folders(now, id);
    }
}
