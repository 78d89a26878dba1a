//! The books of relay channels: two ends, their one-use tokens, the connections that took them.

use std::collections::BTreeMap;

use rand_core::RngCore;
use towline_wire::ids::DeviceId;
use towline_wire::packet::ChannelId;
use towline_wire::signal::RelayToken;

use super::{ConnectionId, Moment};

#[derive(Debug, Default)]
pub(crate) struct Channels {
    by_id: BTreeMap<ChannelId, Channel>,
    /// Both orders of every pair, so that the channels of one device lie side by side.
    id_by_ends: BTreeMap<(DeviceId, DeviceId), ChannelId>,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) expires: Moment,
    low: End,
    high: End,
}

#[derive(Debug)]
struct End {
    device: DeviceId,
    seat: Seat,
}

#[derive(Debug)]
enum Seat {
    ExpectToken(RelayToken),
    Taken(ConnectionId),
}

/// How a channel that already exists looks to the device that asks for it again.
#[derive(Debug)]
pub(crate) enum Existing {
    /// Its own end still waits: it can have the same token.
    Waiting(ChannelId, RelayToken),
    /// Its own end was taken, so that the channel is of no use to it any more.
    Spent(ChannelId),
}

/// The connections of a channel that has ended, and when it would have.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) expires: Moment,
    pub(crate) connections: Vec<ConnectionId>,
}

impl Channels {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn existing(&self, asker: DeviceId, peer: DeviceId) -> Option<Existing> {
        let id = *self.id_by_ends.get(&(asker, peer))?;
        let channel = self.by_id.get(&id)?;
        let own = if channel.low.device == asker {
            &channel.low
        } else {
            &channel.high
        };
        Some(match &own.seat {
            Seat::ExpectToken(token) => Existing::Waiting(id, token.clone()),
            Seat::Taken(_) => Existing::Spent(id),
        })
    }

    /// The channel of two devices.
    pub(crate) fn between(&self, one: DeviceId, other: DeviceId) -> Option<ChannelId> {
        self.id_by_ends.get(&(one, other)).copied()
    }

    /// The devices that this one has channels with.
    pub(crate) fn peers_of(&self, device: DeviceId) -> Vec<DeviceId> {
        let low = (device, DeviceId::from_public_key([0; 32]));
        let high = (device, DeviceId::from_public_key([u8::MAX; 32]));
        self.id_by_ends
            .range(low..=high)
            .map(|((_, peer), _)| *peer)
            .collect()
    }

    /// Opens a channel between two devices that have none; gives the tokens of `one` and `other`.
    pub(crate) fn open(
        &mut self,
        random: &mut impl RngCore,
        one: DeviceId,
        other: DeviceId,
        expires: Moment,
    ) -> Option<(ChannelId, RelayToken, RelayToken)> {
        if self.by_id.len() >= CHANNELS_MAX {
            return None;
        }
        // At most one number in 65,536 is taken, so that eight misses in a row do not happen.
        let id = (0..8)
            .map(|_| ChannelId(random.next_u32()))
            .find(|id| !self.by_id.contains_key(id))?;
        let (ours, theirs) = (token(random), token(random));
        let ours_seat = End {
            device: one,
            seat: Seat::ExpectToken(ours.clone()),
        };
        let theirs_seat = End {
            device: other,
            seat: Seat::ExpectToken(theirs.clone()),
        };
        let (low, high) = if one < other {
            (ours_seat, theirs_seat)
        } else {
            (theirs_seat, ours_seat)
        };
        self.by_id.insert(id, Channel { expires, low, high });
        self.id_by_ends.insert((one, other), id);
        self.id_by_ends.insert((other, one), id);
        Some((id, ours, theirs))
    }

    /// Seats a connection at the end whose token it holds; `false` leaves everything as it was.
    #[must_use]
    pub(crate) fn take_seat(
        &mut self,
        id: ChannelId,
        token: &RelayToken,
        connection: ConnectionId,
    ) -> bool {
        let Some(channel) = self.by_id.get_mut(&id) else {
            return false;
        };
        for end in [&mut channel.low, &mut channel.high] {
            let fits = match &end.seat {
                Seat::ExpectToken(expected) => expected == token,
                Seat::Taken(_) => false,
            };
            if fits {
                end.seat = Seat::Taken(connection);
                return true;
            }
        }
        false
    }

    /// The connection at the other end, once it is there.
    pub(crate) fn other_end(
        &self,
        id: ChannelId,
        connection: ConnectionId,
    ) -> Option<ConnectionId> {
        let channel = self.by_id.get(&id)?;
        match (channel.low.connection(), channel.high.connection()) {
            (Some(low), Some(high)) if low == connection => Some(high),
            (Some(low), Some(high)) if high == connection => Some(low),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// Whether both ends are taken.
    pub(crate) fn is_complete(&self, id: ChannelId) -> bool {
        let both = |channel: &Channel| {
            channel.low.connection().is_some() && channel.high.connection().is_some()
        };
        self.by_id.get(&id).is_some_and(both)
    }

    pub(crate) fn close(&mut self, id: ChannelId) -> Option<Closed> {
        let channel = self.by_id.remove(&id)?;
        self.id_by_ends
            .remove(&(channel.low.device, channel.high.device));
        self.id_by_ends
            .remove(&(channel.high.device, channel.low.device));
        let connections = [channel.low.connection(), channel.high.connection()]
            .into_iter()
            .flatten()
            .collect();
        Some(Closed {
            expires: channel.expires,
            connections,
        })
    }
}

impl End {
    const fn connection(&self) -> Option<ConnectionId> {
        match &self.seat {
            Seat::Taken(connection) => Some(*connection),
            Seat::ExpectToken(_) => None,
        }
    }
}

fn token(random: &mut impl RngCore) -> RelayToken {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    RelayToken::from_bytes(bytes)
}

/// Channels at once: 65,536, more than one instance can carry with its file descriptors.
const CHANNELS_MAX: usize = 1 << 16;
