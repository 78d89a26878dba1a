//! The JSON form of requests and notices, both ways.
//!
//! A frame is first split into its fields without reading them, so that a field that a message
//! does not use can hold anything; then the `type` says which fields are read, and how.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    AccessToken, ClientMessage, DISPLAY_NAME_BYTES_MAX, ErrorCode, GUEST_LABEL_BYTES_MAX, HostName,
    Nonce, Notice, PairingFailure, PasswordProof, Payload, ROOM_MEMBERS_MAX, ROOM_NOT_FOUND_DETAIL,
    RegisterProof, Registration, RelayName, RelayToken, Request, RequestId, RoomCode, RoomEnd,
    RoomPeer, ServerLimits, ServerMessage, SignalId, WATCH_PEERS_MAX,
};
use crate::code::Slot;
use crate::ice::IceServers;
use crate::limits::RELAY_PAYLOAD_BYTES_MAX;
use crate::packet::ChannelId;
use crate::version::VersionRange;

/// Why a frame is not a request; the server answers it with `error` (a wrong code with
/// `pairing_failed`) and keeps the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RequestError {
    /// The id to echo, as far as it could be read.
    pub id: Option<RequestId>,
    /// The code to answer with.
    pub code: ErrorCode,
    /// A sentence for who writes a client; holds nothing of the frame.
    pub detail: &'static str,
}

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

impl Request {
    /// A request without id.
    pub const fn new(message: ClientMessage) -> Self {
        Self { id: None, message }
    }

    /// Reads one text frame.
    pub fn from_json(text: &str) -> Result<Self, RequestError> {
        let invalid = |id, detail| RequestError {
            id,
            code: ErrorCode::InvalidMessage,
            detail,
        };
        let fields: RequestFields<'_> = serde_json::from_str(text).map_err(|_| {
            invalid(
                None,
                "frame is not a JSON object with a type, or holds a field twice",
            )
        })?;
        let id = match fields.id {
            Some(raw) => {
                let id = RequestId::from_raw(raw);
                Some(id.ok_or_else(|| {
                    invalid(None, "id is not a string or number of at most 64 bytes")
                })?)
            }
            None => None,
        };
        match fields.message() {
            Ok(message) => Ok(Self { id, message }),
            Err(Refusal { code, detail }) => Err(RequestError { id, code, detail }),
        }
    }

    /// Writes one text frame.
    pub fn to_json(&self) -> String {
        let mut out = OutgoingRequest {
            id: self.id.as_ref().map(RequestId::raw),
            ..OutgoingRequest::default()
        };
        match &self.message {
            ClientMessage::Register {
                registration,
                access_token,
            } => {
                out.kind = "register";
                out.access_token = access_token.as_ref().map(AccessToken::reveal);
                match registration {
                    Registration::Guest { label } => out.device_id = Some(label.clone()),
                    Registration::Device { device, proof } => {
                        out.device_id = Some(device.to_string());
                        out.proof = Some(ProofFields {
                            version: proof.version,
                            host: proof.host.to_string(),
                            signature: proof.signature_text(),
                        });
                    }
                }
            }
            ClientMessage::CreatePairingCode => out.kind = "create_pairing_code",
            ClientMessage::UsePairingCode { code } => {
                out.kind = "use_pairing_code";
                out.code = Some(code.as_str());
            }
            ClientMessage::PairingDone => out.kind = "pairing_done",
            ClientMessage::CancelPairingCode => out.kind = "cancel_pairing_code",
            ClientMessage::CreateRoom { display_name } => {
                out.kind = "create_room";
                out.display_name = Some(display_name);
            }
            ClientMessage::LockRoom {
                room_code,
                password,
            } => {
                out.kind = "create_room";
                out.room_code = Some(*room_code);
                out.password_proof = password.as_ref().map(PasswordProof::to_text);
            }
            ClientMessage::JoinRoom {
                room_code,
                password,
                display_name,
            } => {
                out.kind = "join_room";
                out.room_code = Some(*room_code);
                out.password_proof = password.as_ref().map(PasswordProof::to_text);
                out.display_name = Some(display_name);
            }
            ClientMessage::LeaveRoom { room_code } => {
                out.kind = "leave_room";
                out.room_code = *room_code;
            }
            ClientMessage::Relay { name, to, payload } => {
                out.kind = name.request();
                out.to = Some(*to);
                *match name {
                    RelayName::Relay | RelayName::SyncData => &mut out.payload,
                    RelayName::Offer | RelayName::Answer => &mut out.sdp,
                    RelayName::Candidate => &mut out.candidate,
                } = Some(payload.raw());
            }
            ClientMessage::Watch { peers } => {
                out.kind = "watch";
                out.peers = Some(peers);
            }
            ClientMessage::RelayOpen { to } => {
                out.kind = "relay_open";
                out.to = Some(*to);
            }
            ClientMessage::Ping { timestamp } => {
                out.kind = "ping";
                out.timestamp = timestamp.as_ref().map(Payload::raw);
            }
        }
        write(&out)
    }
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

/// The fields of a request, unread.
#[derive(Deserialize)]
struct RequestFields<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a RawValue,
    #[serde(default, borrow, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(
        default,
        borrow,
        deserialize_with = "present",
        alias = "clientId",
        alias = "client_id"
    )]
    device_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    proof: Option<&'a RawValue>,
    #[serde(default, borrow)]
    access_token: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    code: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    to: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    sdp: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    candidate: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    peers: Option<&'a RawValue>,
    #[serde(default, borrow)]
    room_code: Option<&'a RawValue>,
    #[serde(default, borrow)]
    password_proof: Option<&'a RawValue>,
    #[serde(default, borrow)]
    display_name: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    timestamp: Option<&'a RawValue>,
}

/// What is told of a request whose id is known already.
struct Refusal {
    code: ErrorCode,
    detail: &'static str,
}

impl RequestFields<'_> {
    fn message(&self) -> Result<ClientMessage, Refusal> {
        let kind: String = read(self.kind).ok_or(invalid("type is not a string"))?;
        match kind.as_str() {
            "register" => Ok(ClientMessage::Register {
                registration: self.registration()?,
                access_token: self.access_token(),
            }),
            "create_pairing_code" => Ok(ClientMessage::CreatePairingCode),
            "use_pairing_code" => {
                let code = self.code.and_then(read).ok_or(Refusal {
                    code: ErrorCode::CodeInvalid,
                    detail: "code opens nothing",
                })?;
                Ok(ClientMessage::UsePairingCode { code })
            }
            "pairing_done" => Ok(ClientMessage::PairingDone),
            "cancel_pairing_code" => Ok(ClientMessage::CancelPairingCode),
            "create_room" => self.create_room(),
            "join_room" => Ok(ClientMessage::JoinRoom {
                room_code: self.room_code()?.ok_or(ROOM_NOT_FOUND)?,
                password: self.password_proof()?,
                display_name: self.display_name(),
            }),
            "leave_room" => Ok(ClientMessage::LeaveRoom {
                room_code: self.room_code()?,
            }),
            "relay" => self.relay(RelayName::Relay, self.payload),
            "sync_data" => self.relay(RelayName::SyncData, self.payload),
            "offer" => self.relay(RelayName::Offer, self.sdp),
            "answer" => self.relay(RelayName::Answer, self.sdp),
            "candidate" => self.relay(RelayName::Candidate, self.candidate),
            "watch" => {
                let peers: Vec<SignalId> = self
                    .peers
                    .and_then(read)
                    .ok_or(invalid("peers is not a list of device or guest ids"))?;
                if peers.len() > WATCH_PEERS_MAX {
                    return Err(Refusal {
                        code: ErrorCode::TooLarge,
                        detail: "peers holds more ids than the server allows",
                    });
                }
                Ok(ClientMessage::Watch { peers })
            }
            "relay_open" => Ok(ClientMessage::RelayOpen { to: self.to()? }),
            "ping" => Ok(ClientMessage::Ping {
                timestamp: self.timestamp.map(Payload::from_raw),
            }),
            _ => Err(invalid("type is unknown")),
        }
    }

    /// What is no token opens as little as a wrong one.
    fn access_token(&self) -> Option<AccessToken> {
        let text: Zeroizing<String> = Zeroizing::new(self.access_token.and_then(read)?);
        AccessToken::parse(&text)
    }

    fn registration(&self) -> Result<Registration, Refusal> {
        let Some(proof) = self.proof else {
            // Existing clients send anything here, so what is no text counts as no label.
            let mut label: String = self.device_id.and_then(read).unwrap_or_default();
            label.truncate(label.floor_char_boundary(GUEST_LABEL_BYTES_MAX));
            return Ok(Registration::Guest { label });
        };
        let device: String = self
            .device_id
            .and_then(read)
            .ok_or(invalid("device_id is missing"))?;
        let device = device
            .parse()
            .map_err(|_| invalid("device_id is not a device key in base32"))?;
        let proof: ProofFields =
            read(proof).ok_or(invalid("proof has no version, host and signature"))?;
        let host = HostName::parse(&proof.host).ok_or(invalid("proof names no valid host"))?;
        let signature = RegisterProof::parse_signature(&proof.signature)
            .ok_or(invalid("signature is not 64 bytes in base64"))?;
        Ok(Registration::Device {
            device,
            proof: RegisterProof {
                version: proof.version,
                host,
                signature,
            },
        })
    }

    fn create_room(&self) -> Result<ClientMessage, Refusal> {
        let password = self.password_proof()?;
        match (self.room_code()?, password) {
            (None, None) => Ok(ClientMessage::CreateRoom {
                display_name: self.display_name(),
            }),
            (None, Some(_)) => Err(invalid(
                "a password's proof is made with the room's code: create the room, then set its password",
            )),
            (Some(room_code), password) => Ok(ClientMessage::LockRoom {
                room_code,
                password,
            }),
        }
    }

    /// What is no code names no room, as a wrong one.
    fn room_code(&self) -> Result<Option<RoomCode>, Refusal> {
        self.room_code
            .map(|raw| read(raw).ok_or(ROOM_NOT_FOUND))
            .transpose()
    }

    fn password_proof(&self) -> Result<Option<PasswordProof>, Refusal> {
        let parsed = |raw: &RawValue| {
            let text: Zeroizing<String> = Zeroizing::new(read(raw)?);
            PasswordProof::parse(&text)
        };
        self.password_proof
            .map(|raw| parsed(raw).ok_or(invalid("password_proof is not 32 bytes in base64")))
            .transpose()
    }

    fn display_name(&self) -> String {
        let name: String = self.display_name.and_then(read).unwrap_or_default();
        let printable: String = name.chars().filter(|c| !c.is_control()).collect();
        short(printable, DISPLAY_NAME_BYTES_MAX)
    }

    fn relay(&self, name: RelayName, payload: Option<&RawValue>) -> Result<ClientMessage, Refusal> {
        let payload = payload.ok_or(invalid("payload, sdp or candidate is missing"))?;
        if payload.get().len() > RELAY_PAYLOAD_BYTES_MAX {
            return Err(Refusal {
                code: ErrorCode::TooLarge,
                detail: "payload is above 48 KiB",
            });
        }
        Ok(ClientMessage::Relay {
            name,
            to: self.to()?,
            payload: Payload::from_raw(payload),
        })
    }

    fn to(&self) -> Result<SignalId, Refusal> {
        self.to
            .and_then(read)
            .ok_or(invalid("to is not a device or guest id"))
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

/// A request as it is written; fields that are `None` are left out.
#[derive(Default, Serialize)]
struct OutgoingRequest<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<SignalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdp: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<&'a [SignalId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_code: Option<RoomCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_proof: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a RawValue>,
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

#[derive(Serialize, Deserialize)]
struct ProofFields {
    version: u16,
    host: String,
    signature: String,
}

/// Keeps a field that is there, `null` included, apart from one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn read<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
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

/// Said of every join that fails, so that none tells more than another.
const ROOM_NOT_FOUND: Refusal = Refusal {
    code: ErrorCode::RoomNotFound,
    detail: ROOM_NOT_FOUND_DETAIL,
};

const fn invalid(detail: &'static str) -> Refusal {
    Refusal {
        code: ErrorCode::InvalidMessage,
        detail,
    }
}

fn short(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn write<T: Serialize>(fields: &T) -> String {
    // Only strings, numbers, lists and raw JSON are written, to memory: none of these can fail.
    serde_json::to_string(fields).expect("a message is always valid JSON")
}

/// Longest error text that a client keeps of what a server says.
const ERROR_TEXT_BYTES_MAX: usize = 256;

/// STUN addresses that a client keeps of what a server names.
const STUN_ADDRESSES_MAX: usize = 8;

/// Longest STUN address: a host name of 253 bytes and a port.
const STUN_ADDRESS_BYTES_MAX: usize = 259;

/// Longest URL of a relay channel.
const URL_BYTES_MAX: usize = 512;
