//! The WebSocket URL of a signal server, as devices keep it and tell it to each other.
//!
//! Parsed at the door: only `ws` and `wss`, with a host, without user or password, at most 255
//! bytes. A `wss` URL may pin the server's key: `#sha256=` and the hash of its public key, see
//! [`KeyPin`]; whoever keeps or passes on the URL keeps the pin with it. A bare host, as a code may name one, becomes `wss://host/ws`, or `ws://host/ws`
//! where the host is this machine itself and nobody can listen in.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::signal::AccessToken;

/// Longest server URL in bytes: a DNS name of 253 letters never comes close in practice, and four
/// of them still fit a card.
pub const SERVER_URL_BYTES_MAX: usize = 255;

/// The URL of a signal server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(Url);

/// The SHA-256 of a server's public key, as its certificate holds it (`SubjectPublicKeyInfo`).
///
/// It names the key and not the certificate, so that it outlives every renewal with the same key.
/// As text 43 characters of base64url without padding; 64 hexadecimal digits are read, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPin([u8; 32]);

impl KeyPin {
    /// Wraps a SHA-256.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The SHA-256.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads a fragment, without its `#`.
    fn of_fragment(fragment: &str) -> Option<Self> {
        let text = fragment.strip_prefix(PIN_PREFIX)?;
        let bytes = match text.len() {
            64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            _ => BASE64URL_NOPAD.decode(text.as_bytes()),
        };
        bytes.ok()?.try_into().ok().map(Self)
    }

    /// The fragment of an address that pins it, without its `#`.
    pub fn to_fragment(self) -> String {
        format!("{PIN_PREFIX}{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

/// What a fragment that pins a key begins with.
const PIN_PREFIX: &str = "sha256=";

/// The text is not the WebSocket URL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the ws or wss url of a server")]
pub struct ServerUrlError;

impl ServerUrl {
    /// The server at `host` or `host:port`, as a code names it.
    pub fn from_host(host: &str) -> Result<Self, ServerUrlError> {
        let secure: Self = format!("wss://{host}/ws").parse()?;
        if secure.0.path() != "/ws" {
            // Part of `host` was read as something else.
            return Err(ServerUrlError);
        }
        if secure.is_loopback() {
            format!("ws://{host}/ws").parse()
        } else {
            Ok(secure)
        }
    }

    /// The host without port, in brackets when it is an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// What [`Self::from_host`] makes this server of again, with its pin or without; `None` where nothing
    /// short does.
    pub fn short_name(&self) -> Option<String> {
        let name = match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        };
        let same = Self::from_host(&name).is_ok_and(|url| url.as_str() == self.without_pin());
        same.then_some(name)
    }

    /// Whether both name the same host and port, whatever their scheme and path.
    pub fn is_same_host(&self, other: &Self) -> bool {
        let ends = |url: &Url| {
            (
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
            )
        };
        ends(&self.0) == ends(&other.0)
    }

    /// Whether the connection with it is encrypted (`wss`).
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "wss"
    }

    /// The URL that `reference` means when this server says it: absolute, or relative to this one.
    /// What it says of pins counts for nothing: at the same host and port ours stays, elsewhere there
    /// is none.
    pub fn join(&self, reference: &str) -> Result<Self, ServerUrlError> {
        let mut url = self.0.join(reference).map_err(|_| ServerUrlError)?;
        url.set_fragment(None);
        let mut joined = Self::checked(url)?;
        if joined.is_secure() && joined.is_same_host(self) {
            joined.0.set_fragment(self.0.fragment());
        }
        Ok(joined)
    }

    /// The URL, with its pin.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL as it is dialled, without its pin.
    pub fn without_pin(&self) -> &str {
        let url = self.0.as_str();
        url.split_once('#').map_or(url, |(address, _)| address)
    }

    /// The one key that the server may have, when it is pinned.
    pub fn pin(&self) -> Option<KeyPin> {
        self.0.fragment().and_then(KeyPin::of_fragment)
    }

    /// The port that is dialled.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Whether the server is on this computer itself.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Reads an address as a person sets it, perhaps with an access token in the place of a user's name:
    /// `wss://TOKEN@host/ws`. The URL that comes of it does not hold the token.
    pub fn with_token(text: &str) -> Result<(Self, Option<AccessToken>), ServerUrlError> {
        let mut url = Url::parse(text.trim()).map_err(|_| ServerUrlError)?;
        let token = match url.username() {
            "" => None,
            name => Some(AccessToken::parse(name).ok_or(ServerUrlError)?),
        };
        url.set_username("").map_err(|()| ServerUrlError)?;
        Ok((Self::checked(url)?, token))
    }

    fn checked(mut url: Url) -> Result<Self, ServerUrlError> {
        if let Some(fragment) = url.fragment() {
            // Without encryption there is no key, and a pin that is not kept would be a lie.
            let pin = KeyPin::of_fragment(fragment).filter(|_| url.scheme() == "wss");
            let pin = pin.ok_or(ServerUrlError)?.to_fragment();
            url.set_fragment(Some(&pin));
        }
        let named = url.host_str().is_some_and(|host| !host.is_empty());
        let anonymous = url.username().is_empty() && url.password().is_none();
        let web_socket = matches!(url.scheme(), "ws" | "wss");
        let short = url.as_str().len() <= SERVER_URL_BYTES_MAX;
        if named && anonymous && web_socket && short {
            Ok(Self(url))
        } else {
            Err(ServerUrlError)
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        Self::checked(Url::parse(text.trim()).map_err(|_| ServerUrlError)?)
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = ServerUrlError;

    fn try_from(text: String) -> Result<Self, ServerUrlError> {
        text.parse()
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_bare_host_means_a_secure_server_unless_it_is_this_machine() {
        let from_host = |host| ServerUrl::from_host(host).unwrap().to_string();
        assert_eq!(from_host("meet.example"), "wss://meet.example/ws");
        assert_eq!(from_host("meet.example:8443"), "wss://meet.example:8443/ws");
        assert_eq!(from_host("127.0.0.1:9000"), "ws://127.0.0.1:9000/ws");
        assert_eq!(from_host("[::1]:9000"), "ws://[::1]:9000/ws");
        assert_eq!(from_host("localhost"), "ws://localhost/ws");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in [
            "",
            "https://a/ws",
            "ws://",
            "ws://user@a/ws",
            "ws://:pw@a/ws",
            "ws://a/ws#b",
            "a",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
        assert!(
            format!("ws://a/{}", "b".repeat(300))
                .parse::<ServerUrl>()
                .is_err()
        );
        assert!(
            ["", "a/b", "a?b", "a#b", "u@a"]
                .iter()
                .all(|host| ServerUrl::from_host(host).is_err())
        );
    }

    const PINNED: &str = "wss://meet.example/ws#sha256=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn counting() -> KeyPin {
        KeyPin::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    #[test]
    fn a_pin_stays_with_the_url_and_out_of_what_is_dialled() {
        let pinned = url(PINNED);
        assert_eq!(pinned.to_string(), PINNED);
        assert_eq!(pinned.pin(), Some(counting()));
        assert_eq!(pinned.without_pin(), "wss://meet.example/ws");
        assert!(pinned.is_same_host(&url("wss://meet.example/ws")));
        let hex = "wss://meet.example/ws#sha256=000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";
        assert_eq!(url(hex), pinned);
        assert_eq!(url("wss://meet.example/ws").pin(), None);
    }

    #[test]
    fn a_server_cannot_talk_about_pins() {
        let pinned = url(PINNED);
        let other = "#sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let same = pinned.join(&format!("/relay/7{other}")).unwrap();
        assert_eq!(same.pin(), Some(counting()));
        let elsewhere = pinned.join("wss://other.example/relay/7").unwrap();
        assert_eq!(elsewhere.pin(), None);
        let free = url("wss://meet.example/ws").join(other).unwrap();
        assert_eq!(free.pin(), None);
    }

    #[test]
    fn a_pin_that_cannot_be_kept_is_refused() {
        let plain = PINNED.replace("wss:", "ws:");
        let short = &PINNED[..PINNED.len() - 1];
        let other = PINNED.replace("sha256", "sha1");
        let padded = format!("{PINNED}=");
        for text in [plain.as_str(), short, &other, &padded] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn relative_references_stay_with_the_server() {
        let server = url("wss://meet.example/ws");
        assert_eq!(
            server.join("/relay/7").unwrap().as_str(),
            "wss://meet.example/relay/7"
        );
        assert_eq!(
            server.join("wss://other.example/relay/7").unwrap().host(),
            "other.example"
        );
        assert!(server.join("https://other.example/").is_err());
    }

    #[test]
    fn the_default_port_is_the_same_as_none() {
        assert!(url("wss://a/ws").is_same_host(&url("wss://a:443/")));
        assert!(!url("wss://a/ws").is_same_host(&url("ws://a/ws")));
    }
}
