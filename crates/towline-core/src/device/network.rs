//! What the network tells a device: most events concern one peer and go to its link; addresses, what
//! others see of us and who is near concern all links, which are told here.

use towline_wire::card::listenable;
use towline_wire::ids::DeviceId;

use super::Device;
use crate::carrier::NearbyEvent;
use crate::clock::Moment;
use crate::io::{Neighbour, NetworkEvent, NetworkRequest, NetworkScope};
use crate::link::{LinkInput, is_left};
use crate::reflexive::Told;
use crate::sessions::SessionsInput;
use crate::signal::Moved;

impl Device {
    pub(super) fn network(&mut self, now: Moment, event: NetworkEvent) {
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
                    match how {
                        Moved::Left => self.borrowing.moved(now, &mut self.outbox),
                        Moved::Joined | Moved::Renumbered => {}
                    }
                    self.reflexive.handle_timeout(now, &mut self.outbox);
                    self.ask_for_port();
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
                    Told::Renumbered => {
                        self.session(now, SessionsInput::Moved(Moved::Renumbered));
                        // A port that it gives has another address now, too.
                        self.ask_for_port();
                        self.tell_reflexive(now);
                    }
                    Told::Change => self.tell_reflexive(now),
                    Told::Nothing => {}
                }
                return;
            }
            NetworkEvent::Nearby(neighbours) => {
                return self.neighbours_changed(now, neighbours.clone());
            }
            NetworkEvent::Borrowed(addr) => return self.borrowing.borrowed(*addr),
            NetworkEvent::NotLent(fault) => {
                return self.borrowing.not_lent(now, *fault, &mut self.outbox);
            }
            NetworkEvent::PairingMet(id) => return self.nearby_said(now, *id, NearbyEvent::Met),
            NetworkEvent::PairingReceived(id, bytes) => {
                return self.nearby_said(now, *id, NearbyEvent::Received(bytes.clone()));
            }
            NetworkEvent::PairingGone(id) => return self.nearby_said(now, *id, NearbyEvent::Gone),
            NetworkEvent::PortMapped(external) => {
                if self.reflexive.mapped(*external) != Told::Nothing {
                    self.tell_reflexive(now);
                }
                return;
            }
            NetworkEvent::Misbehaved(peer) => return self.misbehaved(now, *peer),
            NetworkEvent::ProbeAnswered { peer, .. }
            | NetworkEvent::ProbeHeard { peer, .. }
            | NetworkEvent::LargeAnswered { peer, .. }
            | NetworkEvent::Datagrams(peer, _, _)
            | NetworkEvent::Measured { peer, .. }
            | NetworkEvent::Found(peer, _)
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

    fn ask_for_port(&mut self) {
        match self.scope {
            NetworkScope::Everywhere => self.outbox.network(NetworkRequest::MapPort),
            // Nobody beyond the router shall come.
            NetworkScope::LocalNetwork => {}
        }
    }

    /// Somebody has come to the local network, or gone from it.
    pub(super) fn neighbours_changed(&mut self, now: Moment, neighbours: Vec<Neighbour>) {
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

    /// Tells every link from where others see this device.
    pub(super) fn tell_reflexive(&mut self, now: Moment) {
        let reflection = self.reflexive.reflection();
        let peers: Vec<DeviceId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.link(now, peer, LinkInput::Reflexive(reflection.clone()));
        }
    }

    /// Tells every link when more is known of the way out.
    pub(super) fn tell_outside(&mut self, now: Moment) {
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
}
