//! What the network says about a peer: each event goes to the part of the link that it concerns.

use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::card::listenable;
use towline_wire::limits::ADDRESSES_MAX;
use towline_wire::peer::Control;

use super::birthday::MeetingFrame;
use super::steering::KEEPALIVE;
use super::{Link, LinkNews, Phase, Role, Turn};
use crate::io::{LinkFault, NetworkEvent, NetworkRequest, Path};

impl Link {
    pub(super) fn misbehaved(&mut self, turn: &mut Turn<'_>) {
        turn.outbox.network(NetworkRequest::Hangup(self.peer));
        self.down(LinkFault::Protocol, turn);
    }

    pub(super) fn network(&mut self, event: NetworkEvent, turn: &mut Turn<'_>) {
        match event {
            NetworkEvent::Misbehaved(_) => self.misbehaved(turn),
            NetworkEvent::LocalAddresses(addresses) => self.local_addresses(addresses, turn),
            // The device hears of these for all links at once, or for its pairing.
            NetworkEvent::Reflected { .. }
            | NetworkEvent::PortMapped(_)
            | NetworkEvent::Borrowed(_)
            | NetworkEvent::NotLent(_)
            | NetworkEvent::Nearby(_)
            | NetworkEvent::PairingMet(_)
            | NetworkEvent::PairingReceived(..)
            | NetworkEvent::PairingGone(_) => {}
            NetworkEvent::ProbeAnswered { from, rtt, .. } => {
                self.probe_answered(self.paths.named(from), rtt, turn);
            }
            NetworkEvent::LargeAnswered { from, .. } => {
                self.paths.carries_large(self.paths.named(from));
            }
            NetworkEvent::Datagrams(_, connection, size) => self.datagrams_are(connection, size),
            NetworkEvent::ProbeHeard { from, .. } => {
                let from = self.paths.named(from);
                let is_hit = self.meeting_heard(from, turn);
                if let (Role::Acceptor, Phase::Up(_)) = (self.role, self.phase) {
                    self.paths.goes_on(turn.now, from);
                }
                if (self.paths.heard(turn.now, from) || is_hit) && self.is_active() {
                    self.probe(from, turn);
                }
                self.reached_at(from, turn);
                self.peer_seeks(turn);
            }
            NetworkEvent::Found(_, addresses) => self.found(addresses, turn),
            NetworkEvent::Scattered(_, sockets) => self.scattered(sockets, turn),
            NetworkEvent::RelayOpened(_) => self.relay_opened(turn.now),
            NetworkEvent::RelayClosed(_) => self.relay_closed(turn),
            NetworkEvent::Connected(_, connection) => self.connected(connection, turn),
            NetworkEvent::DialFailed(_, fault) => {
                if let Phase::Dialing { path, .. } = self.phase {
                    self.dial_failed(path, fault, turn);
                }
            }
            NetworkEvent::Disconnected(_, connection, fault) => {
                if self.connection() == Some(connection) {
                    self.down(fault, turn);
                }
            }
            NetworkEvent::Answered(_, connection) => {
                if self.connection() == Some(connection) && self.restart.answered(turn.now) {
                    turn.news.push(LinkNews::Lives);
                }
            }
            NetworkEvent::Silent(_, connection) => self.silent(connection, turn),
            NetworkEvent::Received(_, connection, frame) => {
                if self.connection() == Some(connection) {
                    self.frame(frame, turn);
                }
            }
            NetworkEvent::Measured {
                rtt,
                received_bytes,
                sent_bytes,
                silent_for,
                ..
            } => {
                self.measured(rtt, received_bytes, sent_bytes, silent_for, turn);
            }
        }
    }

    pub(super) fn frame(&mut self, frame: Control, turn: &mut Turn<'_>) {
        match frame {
            Control::Addresses(addresses) if addresses.len() <= ADDRESSES_MAX => {
                self.peer_listens_at(turn.now, listenable(addresses));
            }
            Control::Addresses(_) => self.misbehaved(turn),
            Control::Hello(hello) => {
                self.whereabouts.connects(Some(hello.run));
                self.meeting_greeted(hello.versions, turn);
                self.outlook_greeted(hello.versions, turn);
                turn.news.push(LinkNews::Frame(Control::Hello(hello)));
            }
            Control::Reflection(told) => self.meeting_told(MeetingFrame::Reflection(told), turn),
            Control::Scatter => self.meeting_told(MeetingFrame::Scatter, turn),
            Control::Scattered(sockets) => {
                self.meeting_told(MeetingFrame::Scattered(sockets), turn);
            }
            Control::WayOut(way_out) => self.outlook_told(way_out, turn),
            Control::Folders(_)
            | Control::Index(_)
            | Control::IndexAck { .. }
            | Control::Prove(_)
            | Control::Vouch(_)
            | Control::Twin(_)
            | Control::Servers(_) => {
                turn.news.push(LinkNews::Frame(frame));
            }
        }
    }

    pub(super) fn probe_answered(&mut self, from: SocketAddr, rtt: Duration, turn: &mut Turn<'_>) {
        self.metrics.counts.probes_answered += 1;
        self.paths.proved(turn.now, from, rtt);
        turn.ration.answered(turn.now, from);
        self.meeting_heard(from, turn);
        if let Phase::Up(up) = &mut self.phase
            && up.selected == Some(Path::Direct(from))
        {
            up.suspect_until = None;
            up.keepalive_at = turn.now.after(KEEPALIVE);
        }
        if let (Role::Dialer, Phase::Waiting { fault, since, .. }) = (self.role, self.phase)
            && self.restart.is_back(fault, since, turn.now)
        {
            // What the wait was for is over.
            self.phase = Phase::Seeking { since: turn.now };
        }
        self.probe_large(from, turn);
        self.reached_at(from, turn);
    }
}
