//! What goes into the rendezvous, what comes out, and what an administrator chooses.
//!
//! Inputs are past events, outputs are orders to whoever holds the sockets; both are plain values,
//! so that a simulator can keep, compare and print them.

use std::time::Duration;

use bytes::Bytes;
use towline_wire::ids::DeviceId;
use towline_wire::limits::CODE_SECONDS;
use towline_wire::packet::ChannelId;
use towline_wire::signal::{
    CloseCode, HostName, Notice, RelayToken, Request, RequestError, SignalId,
};

use super::shared::{Answer, Ask, Between, Instance, NodeId, Ticket};
use super::{Access, Lending, Moment, Origin, Rate};

/// One connection, numbered by who drives the rendezvous; a number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Which door a connection came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// `GET /ws`.
    Signal,
    /// `GET /relay/{channel}` with the token of one end.
    Relay {
        /// The channel in the path.
        channel: ChannelId,
        /// The token in the `Authorization` header.
        token: RelayToken,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A WebSocket is open.
    Connected {
        /// Its number, new.
        connection: ConnectionId,
        /// Where it comes from.
        origin: Origin,
        /// The door.
        door: Door,
    },
    /// A text frame came.
    Requested {
        /// From whom.
        connection: ConnectionId,
        /// What it says, or why it says nothing.
        request: Result<Request, RequestError>,
        /// Length of the frame.
        size_bytes: usize,
    },
    /// A binary frame came.
    Packet {
        /// From whom.
        connection: ConnectionId,
        /// The frame.
        packet: Bytes,
    },
    /// A sign of life without meaning came: a WebSocket ping or pong.
    Alive {
        /// From whom.
        connection: ConnectionId,
    },
    /// The WebSocket is gone.
    Disconnected {
        /// Which.
        connection: ConnectionId,
    },
    /// What the wall clock says; to be told at the start and every minute or so.
    WallClock {
        /// Seconds since 1970.
        unix_seconds: u64,
    },
    /// From now on these may use the server.
    Access(Access),
    /// The store has answered. One of several only.
    Answered {
        /// What was asked.
        ticket: Ticket,
        /// What it says.
        answer: Answer,
    },
    /// Another instance says something.
    Heard(Between),
    /// The store answers and messages of other instances arrive, or not any more. One of several begins without.
    Reach(Reached),
    /// The server is to go away: everyone is told, and closed when the time is over.
    Drain {
        /// From now until the end.
        within: Duration,
    },
}

/// Whether the store can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// From now on.
    Yes,
    /// No longer.
    No,
}

impl Input {
    /// A text frame as it came: the door through which JSON enters.
    pub fn from_text(connection: ConnectionId, text: &str) -> Self {
        Self::Requested {
            connection,
            request: Request::from_json(text),
            size_bytes: text.len(),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a text frame.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        notice: Notice,
    },
    /// Send a binary frame, which may be lost.
    Forward {
        /// To whom.
        connection: ConnectionId,
        /// The frame.
        packet: Bytes,
    },
    /// Ask for a sign of life (a WebSocket ping).
    Ping {
        /// From whom.
        connection: ConnectionId,
    },
    /// Read nothing from this connection for a while.
    Pause {
        /// Which.
        connection: ConnectionId,
        /// Until when.
        until: Moment,
    },
    /// Close the WebSocket after what was sent. The rendezvous has forgotten the connection.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        code: CloseCode,
    },
    /// Ask the store, in the order in which it is put out; answered by [`Input::Answered`].
    Ask {
        /// To be told with the answer.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
    /// Tell another instance, which hears it as [`Input::Heard`] or never.
    Publish {
        /// Which.
        node: NodeId,
        /// What.
        message: Between,
    },
    /// Something worth a line in the log; holds no code, payload, key or address.
    Note {
        /// What.
        note: Note,
        /// Whose doing it was, if somebody's.
        connection: Option<ConnectionId>,
    },
}

/// What a log tells of the rendezvous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A device or guest registered.
    Registered {
        /// The first eight characters are for the log.
        who: SignalId,
    },
    /// A proof did not hold.
    RegisterFailed,
    /// Somebody may not use the server.
    AccessDenied,
    /// The same key came again, from a newer connection.
    DeviceReplaced {
        /// Which.
        device: DeviceId,
    },
    /// A mailbox was opened.
    CodeCreated,
    /// A mailbox was claimed.
    CodeClaimed,
    /// A claim failed.
    CodeFailed,
    /// A mailbox reached its time before its members were done.
    CodeExpired,
    /// Both members of a mailbox are done.
    PairingDone,
    /// A room was opened.
    RoomCreated,
    /// Somebody entered a room.
    RoomJoined,
    /// Somebody was not let into a room.
    RoomRefused,
    /// A room has ended.
    RoomClosed,
    /// Both ends of a relay channel are there.
    ChannelComplete,
    /// A connection was slowed down or refused something for doing too much.
    LimitHit,
}

impl Note {
    /// Its name in logs. Stable.
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::RegisterFailed => "register_failed",
            Self::AccessDenied => "access_denied",
            Self::DeviceReplaced { .. } => "dup_device",
            Self::CodeCreated => "code_created",
            Self::CodeClaimed => "code_claimed",
            Self::CodeFailed => "code_failed",
            Self::CodeExpired => "code_expired",
            Self::PairingDone => "pairing_done",
            Self::RoomCreated => "room_created",
            Self::RoomJoined => "room_joined",
            Self::RoomRefused => "room_refused",
            Self::RoomClosed => "room_closed",
            Self::ChannelComplete => "channel_complete",
            Self::LimitHit => "limit_hit",
        }
    }
}

/// What an administrator chooses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The names that the server goes by. With none given it goes by the IP address at which a
    /// connection arrived, and by `localhost` where that is loopback.
    pub host_names: Vec<HostName>,
    /// STUN servers told in `hello`.
    pub stun: Vec<String>,
    /// What comes before `/relay/{channel}` in `relay_ready`; empty when both ends reach this
    /// instance at the URL that they dialled.
    pub relay_base: String,
    /// Connections at once; more are closed with 4014.
    pub connections_max: usize,
    /// Requests and signs of life of one connection; `None` for no bound.
    pub request_rate: Option<Rate>,
    /// Bytes that one end of a relay channel may send; `None` for no bound.
    pub packet_rate: Option<Rate>,
    /// Bytes that all relay channels together may send; `None` for no bound.
    pub packet_rate_total: Option<Rate>,
    /// Bytes of opaque payloads that one client may send.
    pub payload_rate: Rate,
    /// How long a code waits to be used. Devices take no code for longer than `CODE_SECONDS`.
    pub code_life: Duration,
    /// TURN servers that devices may use.
    pub lending: Option<Lending>,
    /// Who may register.
    pub access: Access,
    /// Whether it shares its books with others.
    pub instance: Instance,
    /// How long one of several takes clients in while it cannot reach the store.
    pub register_grace: Duration,
    /// Rooms at once; of several instances, together.
    pub rooms_max: usize,
    /// How long a room lasts in which nothing happens.
    pub room_life: Duration,
}

/// 20 a second with bursts of 60: a pairing takes about ten.
pub const REQUEST_RATE: Rate = Rate::per_second(20, 60);

/// 256 KiB/s with bursts of 1 MiB: candidates and pairing messages are a hundredth of this.
pub const PAYLOAD_RATE: Rate = Rate::per_second(256 * 1024, 1024 * 1024);

/// 2 MiB/s with bursts of 8 MiB: a film in good quality, or a folder overnight; a relay that
/// everybody may use pays for every byte twice.
pub const PACKET_RATE: Rate = Rate::per_second(2 * 1024 * 1024, 8 * 1024 * 1024);

/// A minute, so that a restart of the store moves nobody.
const REGISTER_GRACE: Duration = Duration::from_secs(60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            host_names: Vec::new(),
            stun: Vec::new(),
            relay_base: String::new(),
            connections_max: 10_000,
            request_rate: Some(REQUEST_RATE),
            packet_rate: Some(PACKET_RATE),
            packet_rate_total: None,
            payload_rate: PAYLOAD_RATE,
            code_life: Duration::from_secs(CODE_SECONDS),
            lending: None,
            access: Access::Open,
            instance: Instance::Alone,
            register_grace: REGISTER_GRACE,
            rooms_max: 10_000,
            room_life: Duration::from_secs(3600),
        }
    }
}

/// What a rendezvous holds beside its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Mailboxes; of one of several, the seats in them that it knows.
    pub mailboxes: usize,
    /// Rooms; of one of several, those that somebody here is in.
    pub rooms: usize,
    /// Relay channels.
    pub channels: usize,
    /// Budgets, swaps, timers and presence records.
    pub records: usize,
    /// Bytes of messages kept for members who are away.
    pub held_bytes: usize,
}
