//! The WebSocket URL of a signal server, as devices keep it and tell it to each other.
//!
//! Parsed at the door: only `ws` and `wss`, with a host, without user, password or fragment, at
//! most 255 bytes. A bare host, as a code may name one, becomes `wss://host/ws`, or `ws://host/ws`
//! where the host is this machine itself and nobody can listen in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Longest server URL in bytes: a DNS name of 253 letters never comes close in practice, and four
/// of them still fit a card.
pub const SERVER_URL_BYTES_MAX: usize = 255;

/// The URL of a signal server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUrl(Url);

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
    pub fn join(&self, reference: &str) -> Result<Self, ServerUrlError> {
        Self::checked(self.0.join(reference).map_err(|_| ServerUrlError)?)
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    fn checked(url: Url) -> Result<Self, ServerUrlError> {
        let named = url.host_str().is_some_and(|host| !host.is_empty());
        let anonymous = url.username().is_empty() && url.password().is_none();
        let web_socket = matches!(url.scheme(), "ws" | "wss");
        let short = url.as_str().len() <= SERVER_URL_BYTES_MAX;
        if named && anonymous && web_socket && short && url.fragment().is_none() {
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
