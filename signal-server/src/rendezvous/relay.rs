//! Passing on: opaque payloads between clients, and packet channels between devices.

use std::time::Duration;

use bytes::Bytes;
use towline_wire::ids::DeviceId;
use towline_wire::packet::{ChannelId, Packet, PacketKind};
use towline_wire::signal::{
    CloseCode, ErrorCode, Notice, RelayToken, RequestId, ServerMessage, SignalId,
};

use super::afar::refusal;
use super::channels::{Closed, Existing};
use super::cluster::Then;
use super::shared::{Ask, Event};
use super::{ConnectionId, Moment, Note, Output, Phase, Rendezvous, Timer};

/// A payload on its way to somebody who is not at this instance.
#[derive(Debug)]
pub(super) struct Passage {
    /// The sender's, and what a refusal answers.
    pub(super) connection: ConnectionId,
    pub(super) id: Option<RequestId>,
    pub(super) from: SignalId,
    pub(super) to: SignalId,
    pub(super) notice: Notice,
}

impl Rendezvous {
    pub(super) fn relay(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        to: SignalId,
        notice: Notice,
    ) {
        self.charge_payload(now, connection, &notice);
        let in_mailbox = self.share_mailbox(sender, to);
        let is_met =
            in_mailbox || self.meet_here(now, sender, to) || self.watch_each_other(sender, to);
        match self.connection_by_id.get(&to).copied() {
            Some(receiver) if is_met => return self.send(receiver, notice),
            Some(_) => return self.refuse_absent(connection, id),
            None => {}
        }
        let passage = Passage {
            connection,
            id,
            from: sender,
            to,
            notice,
        };
        if in_mailbox {
            let ask = Ask::Pass {
                from: sender,
                to,
                notice: passage.notice.clone(),
            };
            self.ask(now, ask, Then::PassOn(passage));
        } else {
            self.relay_elsewhere(now, passage);
        }
    }

    /// To somebody at another instance: by standing consent, or within a room.
    pub(super) fn relay_elsewhere(&mut self, now: Moment, passage: Passage) {
        let Passage { from, to, .. } = passage;
        if self.acquainted(from, to).is_none() && self.halls.is_in_any(from) {
            self.relay_in_room(now, passage);
        } else {
            self.relay_afar(now, passage);
        }
    }

    /// By standing consent, to somebody at another instance.
    pub(super) fn relay_afar(&mut self, now: Moment, passage: Passage) {
        let Passage {
            connection,
            id,
            from,
            to,
            notice,
        } = passage;
        let Some(place) = self.acquainted(from, to) else {
            return self.refuse_absent(connection, id);
        };
        if self.cut_off_for(now).is_some() {
            return self.refuse_cut_off(connection, id);
        }
        let at = self.place(connection);
        self.tell_at(place, to, Event::Relayed { from, at, notice });
    }

    pub(super) fn refuse_absent(&mut self, connection: ConnectionId, id: Option<RequestId>) {
        let why = "the peer is not there or does not consent";
        self.refuse(connection, id, ErrorCode::PeerOffline, why);
    }

    pub(super) fn relay_open(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        id: Option<RequestId>,
        sender: SignalId,
        to: SignalId,
    ) {
        let (Some(ours), Some(theirs)) = (sender.device(), to.device()) else {
            let why = "packet channels are for proven devices";
            return self.refuse(connection, id, ErrorCode::Unavailable, why);
        };
        if !self.is_here(to) {
            return self.open_channel_afar(now, connection, id, ours, theirs);
        }
        if !self.channel_consent(sender, to) {
            return self.refuse_absent(connection, id);
        }
        let (answer, told) = self.host_channel(now, id, ours, theirs);
        self.send(connection, answer);
        if let Some(notice) = told
            && let Some(receiver) = self.connection_by_id.get(&to).copied()
        {
            self.send(receiver, notice);
        }
    }

    /// Opens a packet channel here for two who consent, or finds the one that waits for `asker`. Gives the answer, and what
    /// the other one is to be told.
    pub(super) fn host_channel(
        &mut self,
        now: Moment,
        id: Option<RequestId>,
        asker: DeviceId,
        peer: DeviceId,
    ) -> (Notice, Option<Notice>) {
        match self.channels.existing(asker, peer) {
            Some(Existing::Waiting(channel, token)) => {
                let message = self.relay_ready(peer.into(), channel, token);
                return (Notice { id, message }, None);
            }
            Some(Existing::Spent(channel)) => self.close_channel(now, channel),
            None => {}
        }
        if self.channels.peers_of(asker).len() >= CHANNELS_PER_DEVICE_MAX {
            let why = "too many packet channels";
            return (refusal(id, ErrorCode::RateLimited, why), None);
        }
        let expires = now.plus(SEATS_WITHIN);
        let opened = self.channels.open(&mut self.random, asker, peer, expires);
        let Some((channel, token, peers_token)) = opened else {
            let why = "all packet channels are taken";
            return (refusal(id, ErrorCode::Unavailable, why), None);
        };
        self.timers.insert((expires, Timer::Channel(channel)));
        let message = self.relay_ready(peer.into(), channel, token);
        let told = Notice::new(self.relay_ready(asker.into(), channel, peers_token));
        (Notice { id, message }, Some(told))
    }

    /// One packet from a relay socket: to the other end, or back to who pings. What is no packet
    /// of this channel is dropped, and so is what comes before the other end is there.
    pub(super) fn packet(&mut self, now: Moment, connection: ConnectionId, packet: Bytes) {
        self.heard(now, connection);
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let channel = match &known.phase {
            Phase::Relay { channel } => *channel,
            Phase::ExpectRegister { .. } | Phase::Present { .. } => {
                return self.close(now, connection, CloseCode::Unacceptable);
            }
        };
        let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let size = size.max(PACKET_COST_MIN);
        let own = self.settings.packet_rate;
        let own = own.map(|rate| known.bytes.spend(now, rate, size));
        let all = self.settings.packet_rate_total;
        let all = all.map(|rate| self.packet_bytes.spend(now, rate, size));
        if let Some(debt) = own.max(all) {
            if !debt.is_zero() {
                self.outputs.push_back(Output::Pause {
                    connection,
                    until: now.plus(debt),
                });
            }
            if debt > DEBT_MAX {
                return;
            }
        }
        let Ok(Packet {
            kind,
            channel: named,
            ecn,
            datagram,
        }) = Packet::decode(&packet)
        else {
            return;
        };
        if named != channel {
            return;
        }
        match kind {
            PacketKind::Data => {
                if let Some(other) = self.channels.other_end(channel, connection) {
                    self.outputs.push_back(Output::Forward {
                        connection: other,
                        packet,
                    });
                }
            }
            PacketKind::Ping => {
                let header = Packet {
                    kind: PacketKind::Pong,
                    ecn,
                    channel,
                    datagram,
                }
                .header();
                let packet = [header.as_slice(), datagram].concat().into();
                self.outputs
                    .push_back(Output::Forward { connection, packet });
            }
            PacketKind::Pong => {}
        }
    }

    pub(super) fn channel_expired(&mut self, now: Moment, channel: ChannelId) {
        if !self.channels.is_complete(channel) {
            self.close_channel(now, channel);
        }
    }

    /// Ends a channel and closes the connections at its ends.
    pub(super) fn close_channel(&mut self, now: Moment, channel: ChannelId) {
        let Some(Closed {
            expires,
            connections,
        }) = self.channels.close(channel)
        else {
            return;
        };
        self.timers.remove(&(expires, Timer::Channel(channel)));
        for connection in connections {
            self.close(now, connection, CloseCode::ChannelClosed);
        }
    }

    /// Closes the channels of a device to those whom its new `watch` does not name.
    pub(super) fn close_unwatched_channels(
        &mut self,
        now: Moment,
        sender: SignalId,
        peers: &[SignalId],
    ) {
        let Some(device) = sender.device() else {
            return;
        };
        for peer in self.channels.peers_of(device) {
            let id = SignalId::Device(peer);
            if peers.binary_search(&id).is_err() && !self.is_done_with(sender, id) {
                self.close_between(now, device, peer);
            }
        }
    }

    /// Closes the channel of two former mailbox members, unless they watch each other. Who is
    /// away for a moment has not taken its consent back.
    pub(super) fn close_without_consent(&mut self, now: Moment, one: SignalId, other: SignalId) {
        let (Some(first), Some(second)) = (one.device(), other.device()) else {
            return;
        };
        let away = !self.connection_by_id.contains_key(&one)
            || !self.connection_by_id.contains_key(&other);
        if !away && !self.watch_each_other(one, other) {
            self.close_between(now, first, second);
        }
    }

    /// Closes all channels of a device that may be here no longer.
    pub(super) fn close_channels_of(&mut self, now: Moment, id: SignalId) {
        let Some(device) = id.device() else { return };
        for peer in self.channels.peers_of(device) {
            self.close_between(now, device, peer);
        }
    }

    pub(super) fn close_between(&mut self, now: Moment, one: DeviceId, other: DeviceId) {
        if let Some(channel) = self.channels.between(one, other) {
            self.close_channel(now, channel);
        }
    }

    fn channel_consent(&self, one: SignalId, other: SignalId) -> bool {
        self.watch_each_other(one, other) || self.is_done_with(one, other)
    }

    fn relay_ready(
        &self,
        peer_id: SignalId,
        channel: ChannelId,
        token: RelayToken,
    ) -> ServerMessage {
        let url = format!("{}/relay/{channel}", self.settings.relay_base);
        ServerMessage::RelayReady {
            peer_id,
            channel,
            url,
            token,
        }
    }

    /// Who sends payloads faster than allowed is read more slowly, and told so once a minute.
    fn charge_payload(&mut self, now: Moment, connection: ConnectionId, notice: &Notice) {
        let ServerMessage::Relayed { payload, .. } = &notice.message else {
            return;
        };
        let Some(known) = self.connections.get_mut(&connection) else {
            return;
        };
        let size = u32::try_from(payload.as_json().len()).unwrap_or(u32::MAX);
        let debt = known.bytes.spend(now, self.settings.payload_rate, size);
        if debt.is_zero() {
            return;
        }
        let told = known
            .told_to_slow_down
            .is_some_and(|told| now < told.plus(Duration::from_secs(60)));
        self.outputs.push_back(Output::Pause {
            connection,
            until: now.plus(debt),
        });
        if !told {
            known.told_to_slow_down = Some(now);
            self.note(Note::LimitHit, connection);
            self.say(
                connection,
                ServerMessage::RateLimited {
                    retry_after_ms: super::in_ms(debt),
                },
            );
        }
    }
}

/// Time for both ends to open a channel: 30 s, a slow TLS handshake on a bad network and a retry.
const SEATS_WITHIN: Duration = Duration::from_secs(30);

/// Packet channels of one device: 32, more peers than are busy at once.
const CHANNELS_PER_DEVICE_MAX: usize = 32;

/// What a packet costs at least: 64 bytes, about what its headers are on the wire. One without bytes is work, too.
const PACKET_COST_MIN: u32 = 64;

/// Debt of packet bytes above which packets are dropped even though reading was to stop.
const DEBT_MAX: Duration = Duration::from_secs(2);
