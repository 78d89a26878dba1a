//! A host and a port, as people write them: `nas.example:41641`, `192.0.2.7:41641`, `[2001:db8::7]:41641`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Host;

/// Longest host name in bytes: 253, the limit of DNS.
const HOST_BYTES_MAX: usize = 253;

/// A host and a port. The host is a valid name in lower case, or an address without brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    host: String,
    port: u16,
}

/// The text is no host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host and a port, like nas.example:41641 or [2001:db8::7]:41641")]
pub struct PlaceError;

impl Place {
    /// A host, with brackets where it is an IPv6 address, and a port.
    pub fn new(host: &str, port: u16) -> Result<Self, PlaceError> {
        if port == 0 || host.len() > HOST_BYTES_MAX {
            return Err(PlaceError);
        }
        let host = match Host::parse(host).map_err(|_| PlaceError)? {
            Host::Domain(name) => name,
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        };
        Ok(Self { host, port })
    }

    /// A name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is a name that only its own local network knows: one below `local`, which is asked there by
    /// mDNS and nowhere else (RFC 6762, section 3).
    pub fn is_of_local_network(&self) -> bool {
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        let below = name.strip_suffix(".local");
        below.is_some_and(|below| !below.is_empty())
    }

    /// The address, where it is one and no name has to be looked up.
    pub fn addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for Place {
    fn from(addr: SocketAddr) -> Self {
        Self {
            host: addr.ip().to_string(),
            port: addr.port(),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(PlaceError)?;
        // An address of IPv6 without brackets would lose its last part to the port.
        if host.contains(':') && !host.starts_with('[') {
            return Err(PlaceError);
        }
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number);
        Self::new(host, port.ok_or(PlaceError)?)
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, host, port) in [
            ("nas.example:41641", "nas.example", 41641),
            (" NAS.Example:1 ", "nas.example", 1),
            ("192.0.2.7:65535", "192.0.2.7", 65535),
            ("[2001:db8::7]:80", "2001:db8::7", 80),
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!((place.host(), place.port()), (host, port));
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in [
            "",
            "nas",
            "nas:",
            "nas:0",
            "nas:70000",
            "nas:+1",
            "2001:db8::7:80",
            "a b:1",
            "[::1:2",
            ":5",
        ] {
            assert_eq!(text.parse::<Place>(), Err(PlaceError), "{text}");
        }
    }

    #[test]
    fn only_an_address_is_one() {
        let addr = |text: &str| text.parse::<Place>().unwrap().addr();
        assert_eq!(addr("nas.example:1"), None);
        assert_eq!(addr("192.0.2.7:1"), "192.0.2.7:1".parse().ok());
        assert_eq!(addr("[::1]:1"), "[::1]:1".parse().ok());
    }

    #[test]
    fn only_a_name_below_local_is_of_the_local_network() {
        let is_local = |text: &str| text.parse::<Place>().unwrap().is_of_local_network();
        for text in ["nas.local:1", "NAS.Local:1", "a.b.local:1", "nas.local.:1"] {
            assert!(is_local(text), "{text}");
        }
        for text in [
            "local:1",
            ".local:1",
            "nas.example:1",
            "nas.local.example:1",
            "naslocal:1",
            "192.168.1.7:1",
        ] {
            assert!(!is_local(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_again(text in any::<String>()) {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}
