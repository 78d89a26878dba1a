//! What clients say.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::super::{
    AccessToken, ClientMessage, DISPLAY_NAME_BYTES_MAX, ErrorCode, GUEST_LABEL_BYTES_MAX, HostName,
    PasswordProof, Payload, ROOM_NOT_FOUND_DETAIL, RegisterProof, Registration, RelayName, Request,
    RequestId, RoomCode, SignalId, WATCH_PEERS_MAX,
};
use super::{present, read, short, write};
use crate::limits::RELAY_PAYLOAD_BYTES_MAX;

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

#[derive(Serialize, Deserialize)]
struct ProofFields {
    version: u16,
    host: String,
    signature: String,
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
