//! The protocol versions that this build speaks with devices, and how two sides agree.
//!
//! Each side states a range in its hello; they speak the highest version that lies in both. The
//! current version and at least the one before are kept.

use serde::{Deserialize, Serialize};

/// The newest device-to-device protocol of this build.
pub const CURRENT: u16 = 4;

/// The oldest device-to-device protocol that this build still speaks. Version 1, whose pages wrote
/// every entry out in full, was in no release.
pub const OLDEST: u16 = 2;

/// The first version whose control stream knows [`crate::peer::Control::Reflection`], `Scatter` and
/// `Scattered`. They are not sent to a peer that speaks less.
pub const MEETS_VARYING: u16 = 3;

/// The first version whose control stream knows [`crate::peer::Control::Servers`].
pub const TELLS_SERVERS: u16 = 4;

/// The first version whose control stream knows [`crate::peer::Control::WayOut`].
pub const TELLS_OUTLOOK: u16 = 4;

/// ALPN of QUIC connections between peers; the number changes only when hello itself does.
pub const ALPN: &[u8] = b"towline/1";

/// ALPN of QUIC connections on which two devices of the local network become peers by a code.
pub const PAIRING_ALPN: &[u8] = b"towline-pair/1";

/// WebSocket subprotocol spoken with the signal server.
pub const SIGNAL_SUBPROTOCOL: &str = "towline-signal.v1";

/// An inclusive range of protocol versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// Oldest spoken.
    pub oldest: u16,
    /// Newest spoken.
    pub newest: u16,
}

impl VersionRange {
    /// What this build speaks.
    pub const OURS: Self = Self {
        oldest: OLDEST,
        newest: CURRENT,
    };

    /// The highest version in both ranges, or `None` when there is none.
    pub fn agree(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest && newest >= other.oldest).then_some(newest)
    }
}
