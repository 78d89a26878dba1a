//! The JSON protocol between a client and the signal server (subprotocol `towline-signal.v1`).
//!
//! One UTF-8 text frame is one message: a [`Request`] from the client or a [`Notice`] from the
//! server, each a message with an optional `id` that a reply echoes. The tag is `type` in
//! `snake_case`. Unknown fields are ignored; an unknown `type` is told apart from a broken frame.
//!
//! Parsing happens here, at the door (`from_json`): ids, slots, proofs and sizes that exist have
//! been checked. Payloads are the exception: any JSON value passes through byte for byte.
//! Nothing here decides, and neither side ever names itself: the server stamps `from`.

mod codes;
mod ids;
mod json;
mod proof;
mod room;
mod token;

pub use codes::{CloseCode, ErrorCode, PairingFailure};
pub use ids::{GuestId, Payload, RelayToken, RequestId, SignalId};
pub use json::{NoticeError, RequestError};
pub use proof::{HostName, Nonce, RegisterProof, proof_message};
pub use room::{
    DISPLAY_NAME_BYTES_MAX, PasswordProof, ROOM_MEMBERS_MAX, ROOM_NOT_FOUND_DETAIL, RoomCode,
    RoomCodeError, RoomEnd, RoomPeer,
};
pub use token::AccessToken;

use crate::code::Slot;
use crate::ice::IceServers;
use crate::packet::ChannelId;
use crate::version::VersionRange;

/// Version of this protocol, as signed in a [`RegisterProof`] and told in `hello`.
pub const SIGNAL_VERSION: u16 = 1;

/// WebSocket subprotocol of a relay socket (`GET /relay/{channel}`); the one-use token travels in
/// `Authorization: Bearer`.
pub const RELAY_SUBPROTOCOL: &str = "towline-relay.v1";

/// Largest text frame: 64 KiB, so that a full payload fits after base64 and JSON quoting; more
/// would only let a client hold more of the server's memory.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Largest text frame before registration: 4 KiB, several times a `register` with proof.
pub const MESSAGE_BYTES_BEFORE_REGISTER_MAX: usize = 4 * 1024;

/// Ids in one `watch`: 256. Each costs the server about 40 bytes for as long as the client stays.
pub const WATCH_PEERS_MAX: usize = 256;

/// Longest label that a guest gives itself, in bytes; the rest is cut off.
pub const GUEST_LABEL_BYTES_MAX: usize = 64;

/// What a client sends, with the id that it wants echoed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Echoed in the direct reply, when there is one.
    pub id: Option<RequestId>,
    /// The message.
    pub message: ClientMessage,
}

/// What the server sends; `id` is that of the request it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The id of the request that this answers; none for what the server says unasked.
    pub id: Option<RequestId>,
    /// The message.
    pub message: ServerMessage,
}

/// A message from a client to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// Says who is there; the first message on every connection.
    Register {
        /// Who.
        registration: Registration,
        /// Where the server is not for everybody.
        access_token: Option<AccessToken>,
    },
    /// Opens a mailbox. While the device's mailbox still waits for its joiner, the same slot is
    /// given again.
    CreatePairingCode,
    /// Claims a mailbox, once.
    UsePairingCode {
        /// The server's half of the code.
        code: Slot,
    },
    /// Trust is proven end to end; when both have said so, the claim's token is given back.
    PairingDone,
    /// Ends the sender's mailbox.
    CancelPairingCode,
    /// Opens a room and enters it; the server draws its code.
    CreateRoom {
        /// What the sender calls itself there.
        display_name: String,
    },
    /// Sets the password of a room that the sender has opened, or takes it away.
    LockRoom {
        /// Which.
        room_code: RoomCode,
        /// What whoever joins must show.
        password: Option<PasswordProof>,
    },
    /// Enters a room.
    JoinRoom {
        /// Which.
        room_code: RoomCode,
        /// Made of its password, when it has one.
        password: Option<PasswordProof>,
        /// What the sender calls itself there.
        display_name: String,
    },
    /// Leaves a room, or all of them.
    LeaveRoom {
        /// Which; all when there is none.
        room_code: Option<RoomCode>,
    },
    /// Passes a payload on to somebody in the same mailbox or room, or where both watch each other.
    Relay {
        /// The name under which it was sent, kept for the receiver.
        name: RelayName,
        /// Who shall have it.
        to: SignalId,
        /// Opaque to the server.
        payload: Payload,
    },
    /// Replaces the list of peers whose presence the sender wants to know, and to whom it consents.
    Watch {
        /// At most [`WATCH_PEERS_MAX`].
        peers: Vec<SignalId>,
    },
    /// Asks for a packet channel with a peer that consents.
    RelayOpen {
        /// A proven device.
        to: SignalId,
    },
    /// Asks for a `pong`.
    Ping {
        /// Echoed as it is.
        timestamp: Option<Payload>,
    },
}

impl ClientMessage {
    /// A `register` at a server for everybody.
    pub const fn register(registration: Registration) -> Self {
        Self::Register {
            registration,
            access_token: None,
        }
    }

    /// A `relay` under its usual name.
    pub const fn relay(to: SignalId, payload: Payload) -> Self {
        Self::Relay {
            name: RelayName::Relay,
            to,
            payload,
        }
    }
}

/// Who registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Anybody, without proof; the server makes the id.
    Guest {
        /// What the client calls itself; only a label, perhaps empty.
        label: String,
    },
    /// A device that proves its key.
    Device {
        /// Its key, which is its id.
        device: crate::ids::DeviceId,
        /// The signature and what else it covers.
        proof: RegisterProof,
    },
}

/// The names under which the relay message is known; the receiver gets the one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayName {
    /// `relay`, which arrives as `relayed`.
    Relay,
    /// `sync_data` in both directions.
    SyncData,
    /// `offer` in both directions, as WebRTC programs say it: the payload is the field `sdp`.
    Offer,
    /// `answer` in both directions, with `sdp`.
    Answer,
    /// `candidate` in both directions, with a field of that name.
    Candidate,
}

impl RelayName {
    /// Every name.
    pub const ALL: [Self; 5] = [
        Self::Relay,
        Self::SyncData,
        Self::Offer,
        Self::Answer,
        Self::Candidate,
    ];

    /// The `type` of the request.
    pub const fn request(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::SyncData => "sync_data",
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
        }
    }

    /// The `type` of the notice.
    pub const fn notice(self) -> &'static str {
        match self {
            Self::Relay => "relayed",
            Self::SyncData | Self::Offer | Self::Answer | Self::Candidate => self.request(),
        }
    }
}

/// A message from the server to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first message on every connection.
    Hello {
        /// Single use, for the proof on this connection.
        nonce: Nonce,
        /// The versions of this protocol that the server speaks.
        versions: VersionRange,
        /// What the server refuses to exceed.
        limits: ServerLimits,
        /// STUN servers, `host:port`; without a host it is the signal server's own.
        stun: Vec<String>,
    },
    /// The answer to `register`.
    Registered {
        /// Who the client is from now on: its key, or the guest id that the server made.
        device_id: SignalId,
        /// STUN and TURN servers that the client may use, a few at most.
        ice: IceServers,
    },
    /// Servers that the client may use from now on, in place of those before.
    IceServers {
        /// STUN and TURN servers, a few at most.
        ice: IceServers,
    },
    /// The device's mailbox: the answer to `create_pairing_code`, and said again after a reconnect.
    PairingCode {
        /// The server's half of the code.
        code: Slot,
        /// Seconds that it still lives.
        expires_in: u64,
    },
    /// The mailbox is joined; trust is still to be proven end to end. Said again after a reconnect.
    Paired {
        /// The other member.
        peer_id: SignalId,
    },
    /// A claim failed, or the mailbox that the client was in has ended.
    PairingFailed {
        /// Why; every failed claim gives the same reason.
        reason: PairingFailure,
    },
    /// The sender's room: the answer to `create_room`, with or without a password.
    RoomCreated {
        /// For those who shall join.
        room_code: RoomCode,
    },
    /// The answer to `join_room`.
    JoinedRoom {
        /// Which.
        room_code: RoomCode,
        /// Who is there beside the client.
        peers: Vec<RoomPeer>,
        /// Servers that a guest may use in the room of a device.
        ice: IceServers,
    },
    /// Somebody entered a room of the client's.
    PeerJoined {
        /// Which.
        room_code: RoomCode,
        /// Who.
        peer: RoomPeer,
    },
    /// Somebody is in a room of the client's no longer.
    PeerLeft {
        /// Which.
        room_code: RoomCode,
        /// Who.
        peer_id: SignalId,
    },
    /// The client is in a room no longer.
    LeftRoom {
        /// Which.
        room_code: RoomCode,
        /// Why.
        reason: RoomEnd,
    },
    /// A payload from a peer.
    Relayed {
        /// The name under which it was sent.
        name: RelayName,
        /// Stamped by the server.
        from: SignalId,
        /// Opaque, as it was sent.
        payload: Payload,
    },
    /// A watched peer, or the other member of the mailbox, is there.
    PeerConnected {
        /// The peer.
        peer_id: SignalId,
    },
    /// A watched peer, or the other member of the mailbox, is gone.
    PeerDisconnected {
        /// The peer.
        peer_id: SignalId,
    },
    /// A packet channel waits; both ends get one and open a relay socket there.
    RelayReady {
        /// The device at the other end.
        peer_id: SignalId,
        /// The channel, as in the packets' headers.
        channel: ChannelId,
        /// Where to open it; relative to the URL that the client dialled, or absolute.
        url: String,
        /// One use, this end only.
        token: RelayToken,
    },
    /// The server goes away; the client reconnects after this long.
    Draining {
        /// Milliseconds, different for every client.
        reconnect_after_ms: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// As it was sent.
        timestamp: Option<Payload>,
    },
    /// The server reads more slowly for a while because the client sends too much.
    RateLimited {
        /// Milliseconds until it reads again.
        retry_after_ms: u64,
    },
    /// A request was refused.
    Error {
        /// Stable.
        code: ErrorCode,
        /// For a person who writes a client; never matched on.
        message: String,
        /// When to try again, in milliseconds.
        retry_after_ms: Option<u64>,
    },
}

/// What the server refuses to exceed, told in `hello`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ServerLimits {
    /// Largest text frame in bytes.
    pub message_bytes: u64,
    /// Largest relayed payload in bytes.
    pub payload_bytes: u64,
    /// Ids in one `watch`.
    pub watch_peers: u64,
    /// Silence in seconds after which the server closes.
    pub idle_seconds: u64,
}

#[cfg(test)]
mod tests;
