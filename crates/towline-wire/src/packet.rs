//! The packets on a relay socket: a six-byte header and one QUIC datagram per binary frame.
//!
//! Byte 0 holds the version (high four bits) and the kind (low four), byte 1 the flags (low two
//! bits: ECN codepoint, RFC 3168; the rest is zero and ignored), bytes 2 to 5 the channel, big
//! endian. What follows is opaque to the relay: at most
//! [`RELAY_DATAGRAM_BYTES_MAX`] bytes.
//!
//! Both directions work on borrowed bytes; nothing here allocates.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::RELAY_DATAGRAM_BYTES_MAX;

/// Bytes before the datagram.
pub const HEADER_BYTES: usize = 6;

/// Largest packet: the header and the largest datagram. A relay drops what is longer.
pub const PACKET_BYTES_MAX: usize = HEADER_BYTES + RELAY_DATAGRAM_BYTES_MAX;

/// The version in the high half of byte 0.
const VERSION: u8 = 1;

/// A relay channel: a number that the signal server gives to one pair of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub u32);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// Carries one datagram to the other end of the channel.
    Data,
    /// Asks the relay itself for a [`Pong`](Self::Pong) with the same body.
    Ping,
    /// The relay's answer to a [`Ping`](Self::Ping).
    Pong,
}

/// The two ECN bits that an IP header would have carried (RFC 3168).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ecn {
    /// The sender does not speak ECN.
    #[default]
    NotCapable,
    /// ECT(1).
    Capable1,
    /// ECT(0), what QUIC sends.
    Capable0,
    /// A queue on the way was filling up.
    CongestionExperienced,
}

impl Ecn {
    /// The codepoint, 0 to 3.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotCapable => 0b00,
            Self::Capable1 => 0b01,
            Self::Capable0 => 0b10,
            Self::CongestionExperienced => 0b11,
        }
    }

    /// The codepoint in the two low bits of `flags`; the others are ignored.
    pub const fn from_bits(flags: u8) -> Self {
        match flags & 0b11 {
            0b01 => Self::Capable1,
            0b10 => Self::Capable0,
            0b11 => Self::CongestionExperienced,
            // Only 0b00 is left of two bits.
            0..=u8::MAX => Self::NotCapable,
        }
    }
}

/// Why bytes are not a packet, or a packet does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than a header, or a data packet without a datagram.
    #[error("packet is too short")]
    Short,
    /// A datagram above the limit, or a buffer that cannot hold the packet.
    #[error("packet is too long")]
    Long,
    /// Another version, or a kind that this build does not know.
    #[error("packet is of an unknown version or kind")]
    Unknown,
}

/// One packet; `datagram` borrows from the received bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: PacketKind,
    /// Congestion bits of the carried datagram.
    pub ecn: Ecn,
    /// The channel it belongs to.
    pub channel: ChannelId,
    /// One QUIC datagram, opaque; for ping and pong a body of the sender's choice, perhaps empty.
    pub datagram: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads one binary frame without copying; hostile input gives an error, never a panic.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (header, datagram) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(PacketError::Short)?;
        let [version_and_kind, flags, channel @ ..] = *header;
        let kind = match version_and_kind.checked_sub(VERSION << 4) {
            Some(0) => PacketKind::Data,
            Some(1) => PacketKind::Ping,
            Some(2) => PacketKind::Pong,
            Some(_) | None => return Err(PacketError::Unknown),
        };
        let packet = Self {
            kind,
            ecn: Ecn::from_bits(flags),
            channel: ChannelId(u32::from_be_bytes(channel)),
            datagram,
        };
        packet.check_length()?;
        Ok(packet)
    }

    /// Writes the packet to the start of `buffer` and returns its length. A buffer of
    /// [`PACKET_BYTES_MAX`] always suffices.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, PacketError> {
        self.check_length()?;
        let length = HEADER_BYTES + self.datagram.len();
        let (header, body) = buffer
            .get_mut(..length)
            .and_then(|room| room.split_first_chunk_mut::<HEADER_BYTES>())
            .ok_or(PacketError::Long)?;
        *header = self.header();
        body.copy_from_slice(self.datagram);
        Ok(length)
    }

    /// The six bytes before the datagram, for senders that gather.
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        let kind = match self.kind {
            PacketKind::Data => 0,
            PacketKind::Ping => 1,
            PacketKind::Pong => 2,
        };
        let [a, b, c, d] = self.channel.0.to_be_bytes();
        [VERSION << 4 | kind, self.ecn.bits(), a, b, c, d]
    }

    fn check_length(&self) -> Result<(), PacketError> {
        match self.kind {
            PacketKind::Data if self.datagram.is_empty() => Err(PacketError::Short),
            PacketKind::Data | PacketKind::Ping | PacketKind::Pong
                if self.datagram.len() > RELAY_DATAGRAM_BYTES_MAX =>
            {
                Err(PacketError::Long)
            }
            PacketKind::Data | PacketKind::Ping | PacketKind::Pong => Ok(()),
        }
    }
}

/// Shows the length of the datagram, not its bytes.
impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet")
            .field("kind", &self.kind)
            .field("ecn", &self.ecn)
            .field("channel", &self.channel.0)
            .field("datagram_bytes", &self.datagram.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(datagram: &[u8]) -> Packet<'_> {
        Packet {
            kind: PacketKind::Data,
            ecn: Ecn::Capable0,
            channel: ChannelId(0x0102_0304),
            datagram,
        }
    }

    #[test]
    fn the_bytes_on_the_wire_are_these() {
        let mut buffer = [0; PACKET_BYTES_MAX];
        let length = data(b"quic").encode(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"\x10\x02\x01\x02\x03\x04quic");

        let ping = Packet {
            kind: PacketKind::Ping,
            ecn: Ecn::NotCapable,
            channel: ChannelId(7),
            datagram: b"",
        };
        let length = ping.encode(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"\x11\x00\x00\x00\x00\x07");

        let pong = Packet {
            kind: PacketKind::Pong,
            ecn: Ecn::CongestionExperienced,
            ..ping
        };
        assert_eq!(pong.header(), *b"\x12\x03\x00\x00\x00\x07");
    }

    #[test]
    fn unknown_flags_are_ignored() {
        assert_eq!(
            Packet::decode(b"\x10\xfe\x01\x02\x03\x04quic"),
            Ok(data(b"quic"))
        );
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        assert_eq!(Packet::decode(b""), Err(PacketError::Short));
        assert_eq!(Packet::decode(b"\x10\0\0\0\0"), Err(PacketError::Short));
        assert_eq!(Packet::decode(b"\x10\0\0\0\0\x01"), Err(PacketError::Short));
        assert_eq!(
            Packet::decode(b"\x13\0\0\0\0\x01x"),
            Err(PacketError::Unknown)
        );
        assert_eq!(
            Packet::decode(b"\x20\0\0\0\0\x01x"),
            Err(PacketError::Unknown)
        );
        assert_eq!(
            Packet::decode(b"\x00\0\0\0\0\x01x"),
            Err(PacketError::Unknown)
        );
        let mut long = vec![0; PACKET_BYTES_MAX + 1];
        long[0] = 0x10;
        assert_eq!(Packet::decode(&long), Err(PacketError::Long));
    }

    #[test]
    fn a_packet_that_does_not_fit_is_refused() {
        assert_eq!(data(b"quic").encode(&mut [0; 9]), Err(PacketError::Long));
        assert_eq!(
            data(&[0; RELAY_DATAGRAM_BYTES_MAX + 1]).encode(&mut [0; 2 * PACKET_BYTES_MAX]),
            Err(PacketError::Long)
        );
    }

    proptest! {
        #[test]
        fn junk_never_panics_and_what_decodes_round_trips(bytes in prop::collection::vec(any::<u8>(), 0..1300)) {
            if let Ok(packet) = Packet::decode(&bytes) {
                let mut buffer = [0; PACKET_BYTES_MAX];
                let length = packet.encode(&mut buffer).unwrap();
                prop_assert_eq!(Packet::decode(&buffer[..length]), Ok(packet));
            }
        }
    }
}
