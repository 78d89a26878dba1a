//! Passing on: opaque payloads between clients, and packet channels between devices.

use std::time::Duration;

use bytes::Bytes;
use towline_wire::ids::DeviceId;
use towline_wire::packet::{ChannelId, Packet, PacketKind};
use towline_wire::signal::{
    CloseCode, ErrorCode, Notice, RelayToken, RequestId, ServerMessage, SignalId,
};

use super::channels::{Closed, Existing};
use super::mailboxes::Standing;
use super::{ConnectionId, Moment, Note, Output, Phase, Rendezvous, Timer};

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
            in_mailbox || self.rooms.meet(now, sender, to) || self.watch_each_other(sender, to);
        let passed = match self.connection_by_id.get(&to).copied() {
            Some(receiver) if is_met => {
                self.send(receiver, notice);
                true
            }
            None if in_mailbox => self.mailboxes.hold(to, notice),
            Some(_) | None => false,
        };
        if !passed {
            self.refuse(
                connection,
                id,
                ErrorCode::PeerOffline,
                "the peer is not there or does not consent",
            );
        }
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
        if !self.connection_by_id.contains_key(&to) || !self.channel_consent(sender, to) {
            let why = "the peer is not there or does not consent";
            return self.refuse(connection, id, ErrorCode::PeerOffline, why);
        }
        match self.channels.existing(ours, theirs) {
            Some(Existing::Waiting(channel, token)) => {
                let ready = self.relay_ready(to, channel, token);
                return self.answer(connection, id, ready);
            }
            Some(Existing::Spent(channel)) => self.close_channel(now, channel),
            None => {}
        }
        let expires = now.plus(SEATS_WITHIN);
        if self.channels.peers_of(ours).len() >= CHANNELS_PER_DEVICE_MAX {
            return self.refuse(
                connection,
                id,
                ErrorCode::RateLimited,
                "too many packet channels",
            );
        }
        let Some((channel, token, peers_token)) =
            self.channels.open(&mut self.random, ours, theirs, expires)
        else {
            return self.refuse(
                connection,
                id,
                ErrorCode::Unavailable,
                "all packet channels are taken",
            );
        };
        self.timers.insert((expires, Timer::Channel(channel)));
        let ready = self.relay_ready(to, channel, token);
        self.answer(connection, id, ready);
        let ready = self.relay_ready(sender, channel, peers_token);
        self.tell(to, ready);
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

    fn close_between(&mut self, now: Moment, one: DeviceId, other: DeviceId) {
        if let Some(channel) = self.channels.between(one, other) {
            self.close_channel(now, channel);
        }
    }

    fn channel_consent(&self, one: SignalId, other: SignalId) -> bool {
        self.watch_each_other(one, other) || self.is_done_with(one, other)
    }

    fn is_done_with(&self, one: SignalId, other: SignalId) -> bool {
        self.mailboxes
            .of(one)
            .is_some_and(|(_, _, standing)| standing == Standing::Done { peer: other })
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

/// Debt of packet bytes above which packets are dropped even though reading was to stop.
const DEBT_MAX: Duration = Duration::from_secs(2);
