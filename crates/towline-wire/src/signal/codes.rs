//! The stable words and numbers of refusal: error codes, pairing failures, close codes.

use serde::{Deserialize, Serialize};

/// Why a request was refused. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not a message of this protocol.
    InvalidMessage,
    /// Something else than `register` came first.
    NotRegistered,
    /// `register` came twice.
    AlreadyRegistered,
    /// The proof does not hold on this connection.
    BadProof,
    /// The server is not for this client: it has shown no valid token, or is on no list.
    AccessDenied,
    /// The text is not a slot. A slot that opens nothing is told by `pairing_failed`, and so is
    /// this one: on the wire every failure of a code looks the same.
    CodeInvalid,
    /// No such room, or not with this password; the two look the same.
    RoomNotFound,
    /// The room has no place left.
    RoomFull,
    /// The sender is in no room.
    NotInRoom,
    /// The peer is not there, or does not consent; the two look the same.
    PeerOffline,
    /// The payload or list is above its limit.
    TooLarge,
    /// Too much in too little time.
    RateLimited,
    /// The server cannot do this now.
    Unavailable,
    /// The server's own fault. A client also reads codes that it does not know as this.
    #[serde(other)]
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::InvalidMessage,
        Self::NotRegistered,
        Self::AlreadyRegistered,
        Self::BadProof,
        Self::AccessDenied,
        Self::CodeInvalid,
        Self::RoomNotFound,
        Self::RoomFull,
        Self::NotInRoom,
        Self::PeerOffline,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];
}

/// Why a pairing ended without success. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingFailure {
    /// The claim failed, for whatever reason: no such code, used, one's own, or too many claims.
    CodeInvalid,
    /// The mailbox has reached its time.
    Expired,
    /// The other member ended it.
    Cancelled,
    /// The other member, a guest, is gone for good. A client also reads reasons that it does not
    /// know as this.
    #[serde(other)]
    PeerLeft,
}

/// Why the server closed a connection (WebSocket close codes 4000 to 4099).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 4000: the server goes away.
    Draining,
    /// 4001: nothing was heard for too long.
    Idle,
    /// 4002: no `register` in time.
    RegisterTimeout,
    /// 4003: the proof does not hold. Fatal: the same key or host name will fail again.
    BadProof,
    /// 4005: the server is not for this client, or no longer. Later it may be.
    AccessDenied,
    /// 4008: the client reads too slowly.
    SlowConsumer,
    /// 4009: the same device key registered on a newer connection. Fatal for this connection: who
    /// reconnects at once would fight with its twin.
    Replaced,
    /// 4010: the same device key changes places too fast; who comes waits some seconds, and who is there stays.
    Paused,
    /// 4011: the relay channel has ended because its other end left, or its token was not used.
    ChannelClosed,
    /// 4012: channel or token unknown. Retryable by a new `relay_open` only.
    ChannelUnknown,
    /// 4013: the frame is above the limit, or of a type that this socket does not carry. Fatal.
    Unacceptable,
    /// 4014: the server is full.
    Full,
    /// 4029: kept sending after being told to slow down.
    RateLimited,
}

impl CloseCode {
    /// Every code, in order of its number.
    pub const ALL: [Self; 13] = [
        Self::Draining,
        Self::Idle,
        Self::RegisterTimeout,
        Self::BadProof,
        Self::AccessDenied,
        Self::SlowConsumer,
        Self::Replaced,
        Self::Paused,
        Self::ChannelClosed,
        Self::ChannelUnknown,
        Self::Unacceptable,
        Self::Full,
        Self::RateLimited,
    ];

    /// The number in the close frame.
    pub const fn number(self) -> u16 {
        match self {
            Self::Draining => 4000,
            Self::Idle => 4001,
            Self::RegisterTimeout => 4002,
            Self::BadProof => 4003,
            Self::AccessDenied => 4005,
            Self::SlowConsumer => 4008,
            Self::Replaced => 4009,
            Self::Paused => 4010,
            Self::ChannelClosed => 4011,
            Self::ChannelUnknown => 4012,
            Self::Unacceptable => 4013,
            Self::Full => 4014,
            Self::RateLimited => 4029,
        }
    }

    /// The code with this number, or `None` for numbers that this build does not know (treat
    /// them as retryable).
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Whether reconnecting later, unchanged, can succeed.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Draining
            | Self::Idle
            | Self::RegisterTimeout
            | Self::AccessDenied
            | Self::SlowConsumer
            | Self::Paused
            | Self::ChannelClosed
            | Self::ChannelUnknown
            | Self::Full
            | Self::RateLimited => true,
            Self::BadProof | Self::Replaced | Self::Unacceptable => false,
        }
    }

    /// The reason text in the close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Draining => "server is going away",
            Self::Idle => "nothing heard for too long",
            Self::RegisterTimeout => "no register in time",
            Self::BadProof => "proof does not hold",
            Self::AccessDenied => "server is not for this client",
            Self::SlowConsumer => "client reads too slowly",
            Self::Replaced => "same key registered on a newer connection",
            Self::Paused => "same key in use in two places",
            Self::ChannelClosed => "channel has ended",
            Self::ChannelUnknown => "channel or token unknown",
            Self::Unacceptable => "frame too large or of the wrong type",
            Self::Full => "server is full",
            Self::RateLimited => "too many messages",
        }
    }
}
