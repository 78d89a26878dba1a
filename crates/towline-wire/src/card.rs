//! What a device tells a new peer of itself: key, name, capabilities, servers, first addresses.
//!
//! A card travels sealed and signed inside a pairing (see [`crate::pairing`]). Whatever exceeds a
//! limit is refused whole; the name is cleaned instead, because only people see it, and an address
//! that nobody can listen at is left out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::frame::{self, FrameError};
use crate::ids::DeviceId;
use crate::limits::{ADDRESSES_MAX, NAME_BYTES_MAX};
use crate::server_url::ServerUrl;

/// Home servers in one card: 4. A device has one today; more would only be places to be sent to.
pub const CARD_SERVERS_MAX: usize = 4;

/// Largest encoded card: 2 KiB. Four longest URLs and sixteen addresses are about 1.4 KiB.
pub const CARD_BYTES_MAX: usize = 2 * 1024;

/// What a device tells a new peer of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its key.
    pub device: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// What it can do beyond the first protocol.
    pub capabilities: Capabilities,
    /// Signal servers where it can be met, best first.
    pub servers: Vec<ServerUrl>,
    /// UDP addresses where it listens now, best first.
    pub addresses: Vec<SocketAddr>,
}

impl Card {
    /// Encodes the card; what exceeds the limits is cut off at its end.
    pub fn encode(&self) -> Vec<u8> {
        let mut card = self.clone();
        card.servers.truncate(CARD_SERVERS_MAX);
        card.addresses = listenable(card.addresses);
        card.addresses.truncate(ADDRESSES_MAX);
        // Writing plain data to memory cannot fail; an empty card would be refused by the peer.
        postcard::to_allocvec(&card).unwrap_or_default()
    }

    /// Decodes a hostile card.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > CARD_BYTES_MAX {
            return Err(FrameError::TooLong {
                length: bytes.len(),
                max: CARD_BYTES_MAX,
            });
        }
        let mut card: Self = frame::decode(bytes)?;
        if card.servers.len() > CARD_SERVERS_MAX || card.addresses.len() > ADDRESSES_MAX {
            return Err(FrameError::Malformed);
        }
        card.addresses = listenable(card.addresses);
        Ok(card)
    }
}

/// The addresses at which a peer can listen: of one host, and no port at which other programs answer whoever
/// asks. Order is kept.
pub fn listenable(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.retain(|address| {
        let is_one_host = match address.ip().to_canonical() {
            IpAddr::V4(ip) => is_one_host(ip),
            IpAddr::V6(ip) => embedded(ip).map_or_else(
                || !ip.is_unspecified() && !ip.is_multicast(),
                |inner| inner.is_some_and(is_one_host),
            ),
        };
        is_one_host && address.port() != 0 && !ANSWERING_PORTS.contains(&address.port())
    });
    addresses
}

/// Whether an IPv4 address is one of some host: not of this network, of many, reserved, or that at which clouds tell
/// their machines secrets.
fn is_one_host(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    first != 0 && first < 224 && ip != CLOUD_METADATA
}

/// What stands in an IPv6 address that leads to an IPv4 one through a gateway (RFC 6052); `Some(None)` where no
/// peer is: 6to4 (RFC 3056), Teredo (RFC 4380), and what is called compatible (RFC 4291), all given up.
fn embedded(ip: Ipv6Addr) -> Option<Option<Ipv4Addr>> {
    let [first, second, rest @ ..] = ip.segments();
    let inner = Ipv4Addr::from_bits(u32::try_from(ip.to_bits() & 0xffff_ffff).unwrap_or(0));
    match (first, second) {
        (0x64, 0xff9b) => Some(Some(inner)),
        (0x2002, _) | (0x2001, 0) => Some(None),
        (0, 0) if rest.starts_with(&[0; 4]) && ip != Ipv6Addr::LOCALHOST => Some(None),
        _ => None,
    }
}

/// Where clouds tell their machines what they are (link-local, so it leads to no peer beyond).
const CLOUD_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// UDP ports of programs that answer whoever asks, and so could be turned against others: echo, time of day, quotes,
/// characters, DNS, TFTP, portmapper, NTP, NetBIOS, SNMP, LDAP, RIP, SSDP, WS-Discovery, CoAP, mDNS, memcached. No
/// system gives them out by itself.
const ANSWERING_PORTS: [u16; 18] = [
    7, 13, 17, 19, 53, 69, 111, 123, 137, 138, 161, 389, 520, 1900, 3702, 5353, 5683, 11_211,
];

/// Bits that name what a device can do; unknown bits are kept and ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

/// A device's name as it is shown: one line, no control or direction characters, at most
/// [`NAME_BYTES_MAX`] bytes, never blank.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct DeviceName(String);

impl DeviceName {
    /// What is left of `text` once everything is gone that could confuse the person who reads it.
    /// A name of which nothing is left becomes "Unnamed device".
    pub fn cleaned(text: &str) -> Self {
        let mut name = String::new();
        for letter in text.chars().filter(|letter| !is_confusing(*letter)) {
            let letter = if letter.is_whitespace() { ' ' } else { letter };
            if name.len() + letter.len_utf8() > NAME_BYTES_MAX {
                break;
            }
            if letter != ' ' || !(name.is_empty() || name.ends_with(' ')) {
                name.push(letter);
            }
        }
        let name = name.trim_end();
        Self(if name.is_empty() {
            "Unnamed device".to_owned()
        } else {
            name.to_owned()
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that are invisible or turn the direction of the text around them.
fn is_confusing(letter: char) -> bool {
    let control = letter.is_control() && letter != '\t' && letter != '\n';
    let invisible = matches!(letter,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    control || invisible
}

impl From<String> for DeviceName {
    fn from(text: String) -> Self {
        Self::cleaned(&text)
    }
}

impl From<DeviceName> for String {
    fn from(name: DeviceName) -> Self {
        name.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn card() -> Card {
        Card {
            device: DeviceId::from_public_key([7; 32]),
            name: DeviceName::cleaned("Ada's laptop"),
            capabilities: Capabilities(1),
            servers: vec!["wss://meet.example/ws".parse().unwrap()],
            addresses: vec![
                "192.168.1.2:4000".parse().unwrap(),
                "[2001:db8::1]:4000".parse().unwrap(),
            ],
        }
    }

    #[test]
    fn the_bytes_on_the_wire_are_these() {
        insta::assert_snapshot!(HEXLOWER.encode(&card().encode()), @"07070707070707070707070707070707070707070707070707070707070707070c4164612773206c6170746f700101157773733a2f2f6d6565742e6578616d706c652f77730200c0a80102a01f0120010db8000000000000000000000001a01f");
        assert_eq!(Card::decode(&card().encode()), Ok(card()));
    }

    #[test]
    fn a_card_above_a_limit_is_refused() {
        let many = Card {
            addresses: vec!["192.0.2.1:1".parse().unwrap(); ADDRESSES_MAX + 1],
            ..card()
        };
        assert!(Card::decode(&postcard::to_allocvec(&many).unwrap()).is_err());
        assert_eq!(
            Card::decode(&many.encode()).unwrap().addresses.len(),
            ADDRESSES_MAX
        );
        let servers = Card {
            servers: vec!["ws://a/".parse().unwrap(); CARD_SERVERS_MAX + 1],
            ..card()
        };
        assert!(Card::decode(&postcard::to_allocvec(&servers).unwrap()).is_err());
        assert!(Card::decode(&[0; CARD_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn addresses_where_nobody_can_listen_are_left_out() {
        let addresses = [
            "0.0.0.0:1",
            "1.2.3.4:0",
            "224.0.0.1:5",
            "[::]:9",
            "255.255.255.255:7",
            "[::ffff:0.0.0.0]:3",
            "0.1.2.3:4",
            "240.0.0.1:4",
            "169.254.169.254:80",
            "[::ffff:224.0.0.1]:4",
            "[::7f00:1]:4",
            "[2002:7f00:1::1]:4",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]:4",
            "[64:ff9b::ffff:ffff]:4",
            "[ff02::1]:4",
            "192.0.2.1:53",
            "[2001:db8::1]:123",
            "192.0.2.1:1900",
            "192.0.2.1:11211",
        ];
        let addresses = addresses.map(|text| text.parse().unwrap());
        assert_eq!(listenable(addresses.to_vec()), []);
        for address in addresses {
            let card = Card {
                addresses: vec![address],
                ..card()
            };
            let bytes = postcard::to_allocvec(&card).unwrap();
            assert_eq!(Card::decode(&bytes).unwrap().addresses, [], "{address}");
        }
    }

    #[test]
    fn addresses_of_one_host_stay() {
        let addresses = [
            "192.0.2.1:443",
            "127.0.0.1:4000",
            "169.254.7.7:4000",
            "100.64.0.1:1024",
            "223.255.255.254:4000",
            "[::1]:4000",
            "[fe80::1]:4000",
            "[fd00::1]:4000",
            "[2001:1::1]:4000",
            "[64:ff9b::c000:201]:4000",
        ];
        let addresses: Vec<SocketAddr> = addresses.map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(listenable(addresses.clone()), addresses);
    }

    #[test]
    fn names_lose_what_confuses() {
        let cleaned = |text| DeviceName::cleaned(text).to_string();
        assert_eq!(
            cleaned("  Ada\u{202e}'s \n\t laptop\u{7}\u{200b} "),
            "Ada's laptop"
        );
        assert_eq!(cleaned("\u{202e}\u{0}"), "Unnamed device");
        assert_eq!(cleaned("Büro 会社 🖥"), "Büro 会社 🖥");
    }

    proptest! {
        #[test]
        fn every_name_is_short_and_cleaning_twice_changes_nothing(text in any::<String>()) {
            let once = DeviceName::cleaned(&text);
            prop_assert!(once.as_str().len() <= NAME_BYTES_MAX && !once.as_str().trim().is_empty());
            prop_assert_eq!(DeviceName::cleaned(once.as_str()), once);
        }

        #[test]
        fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(card) = Card::decode(&bytes) {
                prop_assert_eq!(Card::decode(&card.encode()), Ok(card));
            }
        }
    }
}
