//! What the server says.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::{
    DISPLAY_NAME_BYTES_MAX, ErrorCode, Nonce, Notice, PairingFailure, Payload, ROOM_MEMBERS_MAX,
    RelayName, RelayToken, RequestId, RoomCode, RoomEnd, RoomPeer, ServerLimits, ServerMessage,
    SignalId,
};
use super::{present, read, short, write};
use crate::code::Slot;
use crate::ice::IceServers;
use crate::packet::ChannelId;
use crate::version::VersionRange;

/// Why a frame is not a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// A type that this build does not know; a client ignores it.
    #[error("notice of an unknown type")]
    UnknownType,
    /// Not JSON, or a field is missing or wrong: the server is at fault.
    #[error("notice is malformed")]
    Malformed,
}

impl Notice {
    /// A notice that answers no request.
    pub const fn new(message: ServerMessage) -> Self {
        Self { id: None, message }
    }

    /// Reads one text frame.
    pub fn from_json(text: &str) -> Result<Self, NoticeError> {
        let fields: NoticeFields<'_> =
            serde_json::from_str(text).map_err(|_| NoticeError::Malformed)?;
        let id = fields
            .id
            .map(|raw| RequestId::from_raw(raw).ok_or(NoticeError::Malformed))
            .transpose()?;
        Ok(Self {
            id,
            message: fields.message()?,
        })
    }

    /// Writes one text frame.
    pub fn to_json(&self) -> String {
        let mut out = OutgoingNotice {
            id: self.id.as_ref().map(RequestId::raw),
            ..OutgoingNotice::default()
        };
        match &self.message {
            ServerMessage::Hello {
                nonce,
                versions,
                limits,
                stun,
            } => {
                out.kind = "hello";
                out.nonce = Some(nonce.to_text());
                out.versions = Some(*versions);
                out.limits = Some(*limits);
                out.stun = Some(stun);
            }
            ServerMessage::Registered { device_id, ice } => {
                out.kind = "registered";
                out.device_id = Some(*device_id);
                out.guest = Some(device_id.device().is_none());
                out.ice_servers = Some(ice.to_json());
            }
            ServerMessage::IceServers { ice } => {
                out.kind = "ice_servers";
                out.ice_servers = Some(ice.to_json());
            }
            ServerMessage::PairingCode { code, expires_in } => {
                out.kind = "pairing_code";
                out.code = Some(code.as_str());
                out.expires_in = Some(*expires_in);
            }
            ServerMessage::Paired { peer_id } => {
                out.kind = "paired";
                out.peer_id = Some(*peer_id);
            }
            ServerMessage::PairingFailed { reason } => {
                out.kind = "pairing_failed";
                out.reason = Some(*reason);
            }
            ServerMessage::Relayed {
                name,
                from,
                payload,
            } => {
                out.kind = name.notice();
                out.from = Some(*from);
                *match name {
                    RelayName::Relay | RelayName::SyncData => &mut out.payload,
                    RelayName::Offer | RelayName::Answer => &mut out.sdp,
                    RelayName::Candidate => &mut out.candidate,
                } = Some(payload.raw());
            }
            ServerMessage::RoomCreated { room_code } => {
                out.kind = "room_created";
                out.room_code = Some(*room_code);
            }
            ServerMessage::JoinedRoom {
                room_code,
                peers,
                ice,
            } => {
                out.kind = "joined_room";
                out.room_code = Some(*room_code);
                out.peers = Some(peers);
                out.ice_servers = (*ice != IceServers::default()).then(|| ice.to_json());
            }
            ServerMessage::PeerJoined { room_code, peer } => {
                out.kind = "peer_joined";
                out.room_code = Some(*room_code);
                out.peer_id = Some(peer.peer_id);
                out.display_name = Some(&peer.display_name);
            }
            ServerMessage::PeerLeft { room_code, peer_id } => {
                out.kind = "peer_left";
                out.room_code = Some(*room_code);
                out.peer_id = Some(*peer_id);
            }
            ServerMessage::LeftRoom { room_code, reason } => {
                out.kind = "left_room";
                out.room_code = Some(*room_code);
                out.left = Some(*reason);
            }
            ServerMessage::PeerConnected { peer_id } => {
                out.kind = "peer_connected";
                out.peer_id = Some(*peer_id);
            }
            ServerMessage::PeerDisconnected { peer_id } => {
                out.kind = "peer_disconnected";
                out.peer_id = Some(*peer_id);
            }
            ServerMessage::RelayReady {
                peer_id,
                channel,
                url,
                token,
            } => {
                out.kind = "relay_ready";
                out.peer_id = Some(*peer_id);
                out.channel = Some(*channel);
                out.url = Some(url);
                out.token = Some(token.reveal());
            }
            ServerMessage::Draining { reconnect_after_ms } => {
                out.kind = "draining";
                out.reconnect_after_ms = Some(*reconnect_after_ms);
            }
            ServerMessage::Pong { timestamp } => {
                out.kind = "pong";
                out.timestamp = timestamp.as_ref().map(Payload::raw);
            }
            ServerMessage::RateLimited { retry_after_ms } => {
                out.kind = "rate_limited";
                out.retry_after_ms = Some(*retry_after_ms);
            }
            ServerMessage::Error {
                code,
                message,
                retry_after_ms,
            } => {
                out.kind = "error";
                out.error = Some(*code);
                out.message = Some(message);
                out.retry_after_ms = *retry_after_ms;
            }
        }
        write(&out)
    }
}

/// The fields of a notice, unread.
#[derive(Deserialize)]
struct NoticeFields<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a RawValue,
    #[serde(default, borrow)]
    id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(default, borrow)]
    versions: Option<&'a RawValue>,
    #[serde(default, borrow)]
    limits: Option<&'a RawValue>,
    #[serde(default, borrow)]
    stun: Option<&'a RawValue>,
    #[serde(default, borrow)]
    device_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    code: Option<&'a RawValue>,
    #[serde(default, borrow)]
    expires_in: Option<&'a RawValue>,
    #[serde(default, borrow)]
    peer_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reason: Option<&'a RawValue>,
    #[serde(default, borrow)]
    from: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    sdp: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    candidate: Option<&'a RawValue>,
    #[serde(default, borrow)]
    room_code: Option<&'a RawValue>,
    #[serde(default, borrow)]
    peers: Option<&'a RawValue>,
    #[serde(default, borrow)]
    display_name: Option<&'a RawValue>,
    #[serde(default, borrow)]
    channel: Option<&'a RawValue>,
    #[serde(default, borrow)]
    url: Option<&'a RawValue>,
    #[serde(default, borrow)]
    token: Option<&'a RawValue>,
    #[serde(default, borrow)]
    reconnect_after_ms: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    timestamp: Option<&'a RawValue>,
    #[serde(default, borrow)]
    retry_after_ms: Option<&'a RawValue>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    ice_servers: Option<&'a RawValue>,
}

impl NoticeFields<'_> {
    fn message(&self) -> Result<ServerMessage, NoticeError> {
        let kind: String = read(self.kind).ok_or(NoticeError::Malformed)?;
        Ok(match kind.as_str() {
            "hello" => self.hello()?,
            "registered" => ServerMessage::Registered {
                device_id: need(self.device_id)?,
                ice: self.ice(),
            },
            "ice_servers" => ServerMessage::IceServers { ice: self.ice() },
            "pairing_code" => ServerMessage::PairingCode {
                code: need::<Slot>(self.code)?,
                expires_in: need(self.expires_in)?,
            },
            "paired" => ServerMessage::Paired {
                peer_id: need(self.peer_id)?,
            },
            "pairing_failed" => ServerMessage::PairingFailed {
                reason: need(self.reason)?,
            },
            "room_created" => ServerMessage::RoomCreated {
                room_code: need(self.room_code)?,
            },
            "joined_room" => {
                let peers: Vec<RoomPeer> = need(self.peers)?;
                if peers.len() > ROOM_MEMBERS_MAX {
                    return Err(NoticeError::Malformed);
                }
                ServerMessage::JoinedRoom {
                    room_code: need(self.room_code)?,
                    peers: peers.into_iter().map(shortened).collect(),
                    ice: self.ice(),
                }
            }
            "peer_joined" => ServerMessage::PeerJoined {
                room_code: need(self.room_code)?,
                peer: shortened(RoomPeer {
                    peer_id: need(self.peer_id)?,
                    display_name: self.display_name.and_then(read).unwrap_or_default(),
                }),
            },
            "peer_left" => ServerMessage::PeerLeft {
                room_code: need(self.room_code)?,
                peer_id: need(self.peer_id)?,
            },
            "left_room" => ServerMessage::LeftRoom {
                room_code: need(self.room_code)?,
                reason: need(self.reason)?,
            },
            "relayed" => self.relayed(RelayName::Relay, self.payload)?,
            "sync_data" => self.relayed(RelayName::SyncData, self.payload)?,
            "offer" => self.relayed(RelayName::Offer, self.sdp)?,
            "answer" => self.relayed(RelayName::Answer, self.sdp)?,
            "candidate" => self.relayed(RelayName::Candidate, self.candidate)?,
            "peer_connected" => ServerMessage::PeerConnected {
                peer_id: need(self.peer_id)?,
            },
            "peer_disconnected" => ServerMessage::PeerDisconnected {
                peer_id: need(self.peer_id)?,
            },
            "relay_ready" => self.relay_ready()?,
            "draining" => ServerMessage::Draining {
                reconnect_after_ms: need(self.reconnect_after_ms)?,
            },
            "pong" => ServerMessage::Pong {
                timestamp: self.timestamp.map(Payload::from_raw),
            },
            "rate_limited" => ServerMessage::RateLimited {
                retry_after_ms: need(self.retry_after_ms)?,
            },
            "error" => ServerMessage::Error {
                code: need(self.code)?,
                message: short(need(self.message)?, ERROR_TEXT_BYTES_MAX),
                retry_after_ms: self.retry_after_ms.and_then(read),
            },
            _ => return Err(NoticeError::UnknownType),
        })
    }

    fn hello(&self) -> Result<ServerMessage, NoticeError> {
        let nonce: String = need(self.nonce)?;
        let mut stun: Vec<String> = self.stun.and_then(read).unwrap_or_default();
        stun.truncate(STUN_ADDRESSES_MAX);
        stun.retain(|address| address.len() <= STUN_ADDRESS_BYTES_MAX);
        Ok(ServerMessage::Hello {
            nonce: Nonce::parse(&nonce).ok_or(NoticeError::Malformed)?,
            versions: need(self.versions)?,
            limits: need(self.limits)?,
            stun,
        })
    }

    fn ice(&self) -> IceServers {
        self.ice_servers
            .and_then(read)
            .map_or_else(IceServers::default, |told| IceServers::of_json(&told))
    }

    fn relayed(
        &self,
        name: RelayName,
        payload: Option<&RawValue>,
    ) -> Result<ServerMessage, NoticeError> {
        let payload = payload.ok_or(NoticeError::Malformed)?;
        Ok(ServerMessage::Relayed {
            name,
            from: need(self.from)?,
            payload: Payload::from_raw(payload),
        })
    }

    fn relay_ready(&self) -> Result<ServerMessage, NoticeError> {
        let token: String = need(self.token)?;
        let url: String = need(self.url)?;
        if url.len() > URL_BYTES_MAX {
            return Err(NoticeError::Malformed);
        }
        Ok(ServerMessage::RelayReady {
            peer_id: need(self.peer_id)?,
            channel: need(self.channel)?,
            url,
            token: RelayToken::parse(&token).ok_or(NoticeError::Malformed)?,
        })
    }
}

/// A notice as it is written; fields that are `None` are left out.
#[derive(Default, Serialize)]
struct OutgoingNotice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<VersionRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<ServerLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stun: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<SignalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ice_servers: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(rename = "code", skip_serializing_if = "Option::is_none")]
    error: Option<ErrorCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<SignalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_code: Option<RoomCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<&'a [RoomPeer]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<PairingFailure>,
    #[serde(rename = "reason", skip_serializing_if = "Option::is_none")]
    left: Option<RoomEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<SignalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdp: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconnect_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

fn need<T: DeserializeOwned>(raw: Option<&RawValue>) -> Result<T, NoticeError> {
    raw.and_then(read).ok_or(NoticeError::Malformed)
}

/// A member as it is kept of what a server says.
fn shortened(peer: RoomPeer) -> RoomPeer {
    RoomPeer {
        display_name: short(peer.display_name, DISPLAY_NAME_BYTES_MAX),
        ..peer
    }
}

/// Longest error text that a client keeps of what a server says.
const ERROR_TEXT_BYTES_MAX: usize = 256;

/// STUN addresses that a client keeps of what a server names.
const STUN_ADDRESSES_MAX: usize = 8;

/// Longest STUN address: a host name of 253 bytes and a port.
const STUN_ADDRESS_BYTES_MAX: usize = 259;

/// Longest URL of a relay channel.
const URL_BYTES_MAX: usize = 512;
