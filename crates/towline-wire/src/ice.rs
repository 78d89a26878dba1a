//! STUN and TURN servers in the shape that WebRTC programs use (`ice_servers`): a list of `urls`, `username` and
//! `credential`.
//!
//! URLs are those of RFC 7064 and RFC 7065. `turns` is TURN over TLS; DTLS and `stuns` are not spoken. Name and
//! credential are secrets: they are in no `Debug` and in no error.

use std::fmt;

use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::place::Place;

/// Servers in a list that a person has set: 16 of each kind.
pub const ICE_SERVERS_SET_MAX: usize = 16;

/// Servers in a list that a signal server tells: 4. A device needs one or two.
pub const ICE_SERVERS_TOLD_MAX: usize = 4;

/// Longest text of a list: 16 KiB, ten times what is usual.
pub const ICE_SERVERS_BYTES_MAX: usize = 16 * 1024;

/// Longest user name and longest credential: 508 bytes, the limit of a name in RFC 8489, section 14.3.
pub const TURN_SECRET_BYTES_MAX: usize = 508;

/// The port of STUN and TURN where a URL names none, and of TURN over TLS.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// STUN and TURN servers, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServers {
    /// Servers that say from where a device is seen.
    pub stun: Vec<Place>,
    /// Servers that lend an address.
    pub turn: Vec<TurnServer>,
}

/// A server that lends an address, and what it wants to see for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnServer {
    /// Where it is.
    pub place: Place,
    /// How it is spoken to.
    pub transport: TurnTransport,
    /// The user's name.
    pub username: TurnSecret,
    /// The password.
    pub credential: TurnSecret,
}

/// How a TURN server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnTransport {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
}

impl TurnTransport {
    /// Its name: `UDP`, `TCP` or `TLS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// A user's name or password at a TURN server. A time-limited name tells who may use the server until
/// when, so both are secrets.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TurnSecret(String);

impl TurnSecret {
    /// What the server is told.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for TurnSecret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret(..)")
    }
}

/// Why a list cannot be used. Says nothing of its content but the scheme of a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IceServersError {
    /// It is longer than it may be.
    #[error("the list is longer than 16 KiB")]
    TooLong,
    /// It is not of this shape.
    #[error(
        "the list is not of the shape [{{\"urls\": \"turn:host:3478\", \"username\": \"...\", \"credential\": \"...\"}}] (line {0}, column {1})"
    )]
    Shape(usize, usize),
    /// There are too many.
    #[error("the list has more than {0} servers of a kind")]
    TooMany(usize),
    /// A server has no URL.
    #[error("server {0} has no urls")]
    NoUrl(usize),
    /// A URL is none of these.
    #[error(
        "server {0}: a URL with the scheme {1:?} is not understood; there are stun:, turn: and turns:"
    )]
    Scheme(usize, String),
    /// A URL names no host, or no valid port.
    #[error(
        "server {0}: a {1} URL has no valid host and port; it looks like {1}:host.example:3478"
    )]
    Host(usize, &'static str),
    /// A URL asks for a transport that is not spoken.
    #[error(
        "server {0}: a {1} URL has a transport that is not spoken; turn: has ?transport=udp and ?transport=tcp, turns: only tcp"
    )]
    Transport(usize, &'static str),
    /// A TURN server has no user name, or no credential.
    #[error("server {0}: a TURN server needs a username and a credential")]
    NoCredential(usize),
    /// A user name or a credential is too long.
    #[error("server {0}: its username or credential is longer than 508 bytes")]
    LongCredential(usize),
}

/// As it is written.
#[derive(Deserialize)]
struct Written {
    #[serde(alias = "url")]
    urls: Option<Urls>,
    username: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl IceServers {
    /// Reads a list that a person has set; an empty text is an empty list.
    pub fn parse(text: &str) -> Result<Self, IceServersError> {
        if text.len() > ICE_SERVERS_BYTES_MAX {
            return Err(IceServersError::TooLong);
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let written: Vec<Written> = serde_json::from_str(text)
            .map_err(|error| IceServersError::Shape(error.line(), error.column()))?;
        let mut servers = Self::default();
        for (at, one) in written.into_iter().enumerate() {
            servers.add(at + 1, one)?;
        }
        if servers.stun.len().max(servers.turn.len()) > ICE_SERVERS_SET_MAX {
            return Err(IceServersError::TooMany(ICE_SERVERS_SET_MAX));
        }
        Ok(servers)
    }

    /// Takes what a signal server tells: what is not understood is left out, and what is too much.
    pub fn of_json(told: &serde_json::Value) -> Self {
        let mut servers = Self::default();
        for one in told
            .as_array()
            .into_iter()
            .flatten()
            .take(ICE_SERVERS_TOLD_MAX)
        {
            if let Ok(written) = Written::deserialize(one) {
                let before = servers.clone();
                servers = servers.with(written).unwrap_or(before);
            }
        }
        servers.turn.truncate(ICE_SERVERS_TOLD_MAX);
        servers
            .stun
            .truncate(ICE_SERVERS_TOLD_MAX - servers.turn.len());
        servers
    }

    /// As [`Self::of_json`] takes it, secrets included.
    pub fn to_json(&self) -> serde_json::Value {
        let stun = self.stun.iter();
        let stun = stun.map(|place| serde_json::json!({"urls": format!("stun:{place}")}));
        let turn = self.turn.iter().map(|server| {
            let place = &server.place;
            let url = match server.transport {
                TurnTransport::Udp => format!("turn:{place}"),
                TurnTransport::Tcp => format!("turn:{place}?transport=tcp"),
                TurnTransport::Tls => format!("turns:{place}"),
            };
            serde_json::json!({
                "urls": url,
                "username": server.username.reveal(),
                "credential": server.credential.reveal(),
            })
        });
        // TURN first: only the first few are taken.
        turn.chain(stun).collect()
    }

    fn with(mut self, one: Written) -> Result<Self, IceServersError> {
        self.add(0, one)?;
        Ok(self)
    }

    fn add(&mut self, at: usize, one: Written) -> Result<(), IceServersError> {
        let urls = match one.urls {
            Some(Urls::One(url)) => vec![url],
            Some(Urls::Many(urls)) => urls,
            None => return Err(IceServersError::NoUrl(at)),
        };
        let secret = |text: Option<String>| {
            let text = text.filter(|text| !text.is_empty());
            text.map(TurnSecret)
                .ok_or(IceServersError::NoCredential(at))
        };
        let (username, credential) = (secret(one.username), secret(one.credential));
        for url in &urls {
            match Url::read(at, url)? {
                Url::Stun(place) => self.stun.push(place),
                Url::Turn(place, transport) => {
                    let (username, credential) = (username.clone()?, credential.clone()?);
                    if username.0.len().max(credential.0.len()) > TURN_SECRET_BYTES_MAX {
                        return Err(IceServersError::LongCredential(at));
                    }
                    self.turn.push(TurnServer {
                        place,
                        transport,
                        username,
                        credential,
                    });
                }
            }
        }
        Ok(())
    }
}

/// What one URL names.
enum Url {
    Stun(Place),
    Turn(Place, TurnTransport),
}

impl Url {
    fn read(at: usize, url: &str) -> Result<Self, IceServersError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "stun" => "stun",
            "turn" => "turn",
            "turns" => "turns",
            other => {
                // As much as names a scheme: what is longer may be anything.
                let shown = other.chars().filter(char::is_ascii_alphanumeric).take(8);
                return Err(IceServersError::Scheme(at, shown.collect()));
            }
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let default = if scheme == "turns" { TLS_PORT } else { PORT };
        let transport = match (scheme, query) {
            ("turn", "" | "transport=udp") => TurnTransport::Udp,
            ("turn", "transport=tcp") => TurnTransport::Tcp,
            ("turns", "" | "transport=tcp") => TurnTransport::Tls,
            ("stun", "") => return Ok(Self::Stun(host_and_port(at, scheme, place, default)?)),
            (_, _) => return Err(IceServersError::Transport(at, scheme)),
        };
        Ok(Self::Turn(
            host_and_port(at, scheme, place, default)?,
            transport,
        ))
    }
}

fn host_and_port(
    at: usize,
    scheme: &'static str,
    text: &str,
    port: u16,
) -> Result<Place, IceServersError> {
    let place = match text.parse() {
        Ok(place) => Ok(place),
        Err(error) if text.rsplit(']').next().is_some_and(|end| end.contains(':')) => Err(error),
        Err(_) => Place::new(text, port),
    };
    place.map_err(|_| IceServersError::Host(at, scheme))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str) -> Place {
        text.parse().unwrap()
    }

    #[test]
    fn the_usual_shape_is_read() {
        let servers = IceServers::parse(
            r#"[{"urls": "stun:stun.example"},
                {"urls": ["turn:turn.example:3000?transport=udp", "turn:turn.example?transport=tcp",
                          "turns:[2001:db8::7]", "TURN:192.0.2.7"],
                 "username": "1700000000:anna", "credential": "s", "credentialType": "password"}]"#,
        )
        .unwrap();
        assert_eq!(servers.stun, [place("stun.example:3478")]);
        let turn: Vec<_> = servers
            .turn
            .iter()
            .map(|server| (server.place.to_string(), server.transport))
            .collect();
        assert_eq!(
            turn,
            [
                ("turn.example:3000".to_owned(), TurnTransport::Udp),
                ("turn.example:3478".to_owned(), TurnTransport::Tcp),
                ("[2001:db8::7]:5349".to_owned(), TurnTransport::Tls),
                ("192.0.2.7:3478".to_owned(), TurnTransport::Udp),
            ]
        );
        assert_eq!(servers.turn[0].username.reveal(), "1700000000:anna");
        assert_eq!(IceServers::parse(" ").unwrap(), IceServers::default());
        assert_eq!(IceServers::parse("[]").unwrap(), IceServers::default());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is() {
        let login = r#""username": "name-s3cret", "credential": "pass-s3cret""#;
        let long = "x".repeat(TURN_SECRET_BYTES_MAX + 1);
        for (text, part) in [
            ("{}".to_owned(), "shape"),
            (format!(r#"[{{"urls": 7, {login}}}]"#), "shape"),
            ("[{}]".to_owned(), "server 1 has no urls"),
            (
                r#"[{"urls": []}, {"urls": "http:x"}]"#.to_owned(),
                "server 2: a URL with the scheme \"http\"",
            ),
            (r#"[{"urls": "stuns:x"}]"#.to_owned(), "\"stuns\""),
            (r#"[{"urls": "host.example"}]"#.to_owned(), "scheme"),
            (
                format!(r#"[{{"urls": "turn:", {login}}}]"#),
                "no valid host",
            ),
            (
                format!(r#"[{{"urls": "turn:a:99999", {login}}}]"#),
                "no valid host",
            ),
            (
                format!(r#"[{{"urls": "turns:a?transport=udp", {login}}}]"#),
                "transport",
            ),
            (r#"[{"urls": "turn:a"}]"#.to_owned(), "needs a username"),
            (
                r#"[{"urls": "turn:a", "username": "name-s3cret"}]"#.to_owned(),
                "needs a username",
            ),
            (
                format!(r#"[{{"urls": "turn:a", "username": "u", "credential": "{long}"}}]"#),
                "longer than 508",
            ),
            (" ".repeat(ICE_SERVERS_BYTES_MAX + 1), "16 KiB"),
        ] {
            let said = IceServers::parse(&text).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
        let many = vec![r#"{"urls": "stun:a"}"#; ICE_SERVERS_SET_MAX + 1].join(",");
        assert_eq!(
            IceServers::parse(&format!("[{many}]")),
            Err(IceServersError::TooMany(ICE_SERVERS_SET_MAX))
        );
        let held = IceServers::parse(&format!(r#"[{{"urls": "turn:a", {login}}}]"#)).unwrap();
        assert!(!format!("{held:?}").contains("s3cret"));
    }

    #[test]
    fn of_what_a_server_tells_only_so_much_is_taken_and_only_what_is_understood() {
        let one = serde_json::json!({"urls": "turn:a", "username": "u", "credential": "c"});
        let odd = serde_json::json!({"urls": ["stun:a", "quic:b"]});
        let many = serde_json::json!({"urls": vec!["stun:a"; 100]});
        let told = serde_json::json!([odd, one, 7, many, one, one]);
        let taken = IceServers::of_json(&told);
        assert_eq!(
            (taken.turn.len(), taken.stun.len()),
            (1, ICE_SERVERS_TOLD_MAX - 1)
        );
        assert_eq!(IceServers::of_json(&taken.to_json()), taken);
        for odd in [
            serde_json::json!({}),
            serde_json::json!("x"),
            serde_json::Value::Null,
        ] {
            assert_eq!(IceServers::of_json(&odd), IceServers::default());
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(
            text in any::<String>(),
            url in "(stun|turn|turns|:|\\[|\\]|\\?|transport=|udp|[0-9a-z.]){0,12}",
        ) {
            let _ = IceServers::parse(&text);
            let list = serde_json::json!([{"urls": url, "username": "u", "credential": "c"}]);
            let _ = IceServers::parse(&list.to_string());
            let _ = IceServers::of_json(&list);
        }
    }
}
