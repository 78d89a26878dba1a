//! How a device meets others: what the signal servers and a pairing say, and what follows from it.
//!
//! Only a peer that is durable is trusted, and the network and the servers are told of it then.

use std::collections::BTreeSet;

use towline_wire::ids::DeviceId;

use super::{Device, Newcomer, Peer};
use crate::carrier::{CarrierNews, NearbyEvent};
use crate::clock::Moment;
use crate::io::{NetworkRequest, PairingId};
use crate::link::LinkInput;
use crate::pairing::{Ourselves, PairingNews};
use crate::records::StoreOp;
use crate::sessions::SessionsInput;
use crate::signal::SessionNews;

impl Device {
    pub(super) fn session(&mut self, now: Moment, input: SessionsInput) {
        let news = self
            .sessions
            .handle_input(now, input, &mut self.rng, &mut self.outbox);
        self.session_news(now, news);
    }

    pub(super) fn session_news(&mut self, now: Moment, news: Vec<SessionNews>) {
        for item in news {
            match item {
                SessionNews::Mailbox(event) => {
                    let news = self
                        .carrier
                        .server_said(event, &mut self.rng, &mut self.outbox);
                    self.carrier_news(now, news);
                }
                SessionNews::Stun(servers) => self.stun_named(now, servers),
                SessionNews::Lenders(servers) => {
                    self.borrowing.told(servers, &mut self.outbox);
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

    pub(super) fn carrier_news(&mut self, now: Moment, news: Vec<CarrierNews>) {
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

    pub(super) fn nearby_said(&mut self, now: Moment, id: PairingId, event: NearbyEvent) {
        let news = self.carrier.nearby_said(id, event, &mut self.outbox);
        self.carrier_news(now, news);
    }

    pub(super) fn pairing_news(&mut self, now: Moment, news: Vec<PairingNews>) {
        for item in news {
            match item {
                PairingNews::Mailbox(request) => {
                    let news = self
                        .carrier
                        .wanted(now, request, &mut self.rng, &mut self.outbox);
                    self.carrier_news(now, news);
                }
                PairingNews::Paired(mut record) => {
                    if let Some(known) = self.peers.get(&record.id) {
                        record.places.clone_from(&known.record.places);
                    }
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
    pub(super) fn welcome(&mut self, now: Moment, newcomer: Newcomer) {
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
        self.link(now, id, LinkInput::Lent(self.lent));
        self.link(now, id, LinkInput::Nearby(self.neighbours.clone()));
        self.link(now, id, LinkInput::Start);
    }

    /// Tells the network and the server whom we trust.
    pub(super) fn trust(&mut self, now: Moment) {
        let all: BTreeSet<DeviceId> = self.peers.keys().copied().collect();
        self.outbox.network(NetworkRequest::Trust(all));
        self.watch_peers(now);
    }

    /// Tells the servers whose presence matters, and where each can be met.
    pub(super) fn watch_peers(&mut self, now: Moment) {
        let homes = |peer: &Peer| {
            let servers = peer.record.servers.iter();
            servers.filter_map(|url| url.parse().ok()).collect()
        };
        let homes = self.peers.iter().map(|(id, peer)| (*id, homes(peer)));
        let homes = homes.collect();
        self.session(now, SessionsInput::Watch(homes));
    }
}
