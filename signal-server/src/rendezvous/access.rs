//! Who may use the server: everybody, who has a token, or devices that are listed.
//!
//! Tokens are kept as their hashes. They have at least 128 random bits, so a plain hash gives nothing away to who
//! reads the list. Whoever loses the right is closed at once; so a list can be changed while the server runs.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use towline_wire::ids::DeviceId;
use towline_wire::signal::{AccessToken, CloseCode, SignalId};

use super::{ConnectionId, Moment, Phase, Rendezvous};

/// Who may register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    #[default]
    Open,
    /// Devices and guests that show one of these tokens.
    Tokens(BTreeSet<TokenHash>),
    /// These devices, and no guest.
    Devices(BTreeSet<DeviceId>),
}

/// SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// That of this token.
    pub fn of(token: &AccessToken) -> Self {
        Self(Sha256::digest(token.reveal()).into())
    }

    /// Wraps the 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What somebody who registers has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing was asked for, or the key is enough.
    None,
    Token(TokenHash),
}

/// The tokens that those who are there have shown. Empty on an open server, so that nobody pays for it.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    by_connection: BTreeMap<ConnectionId, TokenHash>,
}

impl Passes {
    pub(crate) fn len(&self) -> usize {
        self.by_connection.len()
    }

    pub(super) fn keep(&mut self, connection: ConnectionId, pass: Pass) {
        match pass {
            Pass::None => {}
            Pass::Token(hash) => {
                self.by_connection.insert(connection, hash);
            }
        }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.by_connection.remove(&connection);
    }
}

impl Access {
    /// Whether it is a list without an entry.
    pub(crate) fn admits_nobody(&self) -> bool {
        match self {
            Self::Open => false,
            Self::Tokens(hashes) => hashes.is_empty(),
            Self::Devices(ids) => ids.is_empty(),
        }
    }

    pub(super) fn admits(
        &self,
        who: Option<DeviceId>,
        token: Option<&AccessToken>,
    ) -> Option<Pass> {
        match self {
            Self::Open => Some(Pass::None),
            Self::Tokens(tokens) => {
                let hash = TokenHash::of(token?);
                tokens.contains(&hash).then_some(Pass::Token(hash))
            }
            Self::Devices(devices) => devices.contains(&who?).then_some(Pass::None),
        }
    }

    /// What who is not admitted is told.
    pub(super) const fn refusal(&self) -> &'static str {
        match self {
            Self::Open => "",
            Self::Tokens(_) => {
                "this server is for those who show an access token that its administrator has given out"
            }
            Self::Devices(_) => {
                "this server is for devices that its administrator has put on its list"
            }
        }
    }

    fn still_admits(&self, who: SignalId, pass: Option<&TokenHash>) -> bool {
        match self {
            Self::Open => true,
            Self::Tokens(tokens) => pass.is_some_and(|hash| tokens.contains(hash)),
            Self::Devices(devices) => who.device().is_some_and(|device| devices.contains(&device)),
        }
    }
}

impl Rendezvous {
    /// From now on these may use the server; others who are there are closed, with their packet channels.
    pub(super) fn change_access(&mut self, now: Moment, access: Access) {
        self.settings.access = access;
        let gone: Vec<(ConnectionId, SignalId)> = self
            .connections
            .iter()
            .filter_map(|(connection, known)| match &known.phase {
                Phase::Present { id, .. } => Some((*connection, *id)),
                Phase::ExpectRegister { .. } | Phase::Relay { .. } => None,
            })
            .filter(|(connection, id)| {
                let pass = self.passes.by_connection.get(connection);
                !self.settings.access.still_admits(*id, pass)
            })
            .collect();
        for (connection, id) in gone {
            self.close_channels_of(now, id);
            self.close(now, connection, CloseCode::AccessDenied);
        }
    }
}
