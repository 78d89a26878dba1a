//! Hands inputs to the links and acts on their news: connections that stand or end, frames of the
//! control stream, and peers that break the protocol.
//!
//! A frame counts only after the hello of its connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use towline_wire::ids::DeviceId;
use towline_wire::peer::Control;
use towline_wire::place::Place;
use towline_wire::version::VersionRange;

use super::servers::ToldServers;
use super::{Device, Greeting, Peer};
use crate::clock::Moment;
use crate::folder::FolderInput;
use crate::io::{ConnectionId, NetworkRequest};
use crate::link::{Link, LinkInput, LinkNews};
use crate::records::{PeerRecord, StoreOp};
use crate::sessions::SessionsInput;
use crate::twin::{OurRun, Sightings};

impl Device {
    /// Takes a peer that is durable.
    pub(super) fn add_peer(&mut self, record: PeerRecord) {
        let id = record.id;
        let places = self.places_of(id, &record.places);
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
        self.link(Moment::default(), id, LinkInput::Placed(places));
        self.link(Moment::default(), id, LinkInput::Outside(self.outside));
    }

    /// Where a peer is, as somebody says it: what files of settings say goes first, as only so many count.
    pub(super) fn places_of(&self, id: DeviceId, said: &[Place]) -> Vec<Place> {
        let mut all = self.places_set.get(&id).cloned().unwrap_or_default();
        for place in said {
            if !all.contains(place) {
                all.push(place.clone());
            }
        }
        all
    }

    pub(super) fn link(&mut self, now: Moment, id: DeviceId, input: LinkInput) {
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

    pub(super) fn link_news(&mut self, now: Moment, id: DeviceId, news: Vec<LinkNews>) {
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

    pub(super) fn link_up(&mut self, now: Moment, id: DeviceId, connection: ConnectionId) {
        self.leave_folders(now, id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.connection = Some((connection, Greeting::ExpectHello));
        peer.sightings.connection_changed();
        self.say_hello(id);
        self.state_folders(id);
    }

    pub(super) fn link_down(&mut self, now: Moment, id: DeviceId, connection: ConnectionId) {
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

    pub(super) fn frame(&mut self, now: Moment, id: DeviceId, frame: Control) {
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

    pub(super) fn keep_addresses(&mut self, id: DeviceId, addresses: Vec<SocketAddr>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.record.addresses = addresses;
            self.outbox
                .persist(vec![StoreOp::PutPeer(peer.record.clone())], Vec::new());
        }
    }

    /// Ends the links of those whom a folder found to break the protocol.
    pub(super) fn end_faulty_links(&mut self, now: Moment) {
        for peer in self.outbox.take_blamed() {
            self.misbehaved(now, peer);
        }
    }

    /// The peer broke the protocol: it is told so, and its link waits before it goes on.
    pub(super) fn misbehaved(&mut self, now: Moment, id: DeviceId) {
        self.outbox.network(NetworkRequest::HangupOnFault(id));
        self.link(now, id, LinkInput::Misbehaved);
    }
}
