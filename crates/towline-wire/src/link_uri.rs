//! The `towline://` link that carries a server, a slot and a 128-bit secret.
//!
//! `towline://pair?v=1&s=<server url>&c=<slot>&k=<secret>`: what a QR code shows and a message
//! carries. Whoever has the link can pair once within five minutes, so it is a secret as a whole.
//! Unknown parameters are ignored, so that a later version may add to version 1.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use url::Url;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::code::Slot;
use crate::server_url::ServerUrl;

/// Longest link that is parsed, in bytes: three times the longest URL when every byte of it is
/// escaped, and the rest.
pub const LINK_BYTES_MAX: usize = 1024;

/// The version that this build writes and reads.
const VERSION: &str = "1";

/// A pairing link. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkUri {
    /// The server where the mailbox is.
    pub server: ServerUrl,
    /// The mailbox.
    pub slot: Slot,
    /// What both sides prove to know.
    pub secret: LinkSecret,
}

/// Why a text is not a pairing link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is not a `towline://pair` link, or a part of it is missing or broken.
    #[error("not a pairing link")]
    Malformed,
    /// A newer version made it.
    #[error("pairing link of an unknown version")]
    Version,
}

impl LinkUri {
    /// The link as text. Secret: for this device's person only.
    pub fn reveal(&self) -> String {
        let secret = BASE64URL_NOPAD.encode(self.secret.as_bytes());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("v", VERSION)
            .append_pair("s", self.server.as_str())
            .append_pair("c", self.slot.as_str())
            .append_pair("k", &secret)
            .finish();
        format!("towline://pair?{query}")
    }
}

impl FromStr for LinkUri {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > LINK_BYTES_MAX {
            return Err(LinkError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| LinkError::Malformed)?;
        if url.scheme() != "towline" || url.host_str() != Some("pair") {
            return Err(LinkError::Malformed);
        }
        if parameter(&url, "v")? != VERSION {
            return Err(LinkError::Version);
        }
        let secret = BASE64URL_NOPAD.decode(parameter(&url, "k")?.as_bytes());
        let secret = secret
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(LinkError::Malformed)?;
        Ok(Self {
            server: parameter(&url, "s")?
                .parse()
                .map_err(|_| LinkError::Malformed)?,
            slot: Slot::parse(&parameter(&url, "c")?).map_err(|_| LinkError::Malformed)?,
            secret: LinkSecret(secret),
        })
    }
}

/// The value of the parameter `name`, which must be there exactly once.
fn parameter(url: &Url, name: &str) -> Result<String, LinkError> {
    let mut values = url
        .query_pairs()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) | (Some(_), Some(_)) => Err(LinkError::Malformed),
    }
}

impl fmt::Debug for LinkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkUri(..)")
    }
}

/// The 128-bit secret of a link. Zeroised on drop, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret([u8; 16]);

impl LinkSecret {
    /// Wraps 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> LinkUri {
        LinkUri {
            server: "wss://meet.example:8443/ws".parse().unwrap(),
            slot: Slot::parse("ABC").unwrap(),
            secret: LinkSecret::from_bytes([0xfb; 16]),
        }
    }

    #[test]
    fn the_text_is_this_and_reads_back() {
        let text = "towline://pair?v=1&s=wss%3A%2F%2Fmeet.example%3A8443%2Fws&c=ABC&k=-_v7-_v7-_v7-_v7-_v7-w";
        assert_eq!(link().reveal(), text);
        assert_eq!(text.parse(), Ok(link()));
        assert_eq!(format!("{text}&pin=later").parse(), Ok(link()));
    }

    #[test]
    fn a_pin_of_the_server_travels_with_the_link() {
        let pin = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let pinned = LinkUri {
            server: format!("wss://meet.example/ws#sha256={pin}")
                .parse()
                .unwrap(),
            ..link()
        };
        let text = pinned.reveal();
        assert!(text.contains(&format!("ws%23sha256%3D{pin}&")), "{text}");
        assert_eq!(text.parse(), Ok(pinned));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?} {:?}", link(), link().secret),
            "LinkUri(..) LinkSecret(..)"
        );
    }

    #[test]
    fn what_is_no_link_is_refused() {
        let text = link().reveal();
        let broken = [
            ("towline:", "https:"),
            ("pair?", "room?"),
            ("c=ABC", "c=AB0"),
            ("c=ABC", "c=ABC&c=ABD"),
            ("&k=-", "&k=A-"),
            ("s=wss", "s=https"),
            ("c=ABC&", ""),
        ];
        for (old, new) in broken {
            assert_eq!(
                text.replace(old, new).parse::<LinkUri>(),
                Err(LinkError::Malformed),
                "{new}"
            );
        }
        assert_eq!(
            text.replace("v=1", "v=2").parse::<LinkUri>(),
            Err(LinkError::Version)
        );
        assert_eq!(
            format!("{text}&x={}", "y".repeat(1000)).parse::<LinkUri>(),
            Err(LinkError::Malformed)
        );
    }

    proptest! {
        #[test]
        fn junk_never_panics(text in any::<String>(), query in "[a-z=&%0-9]{0,60}") {
            let _ = text.parse::<LinkUri>();
            let _ = format!("towline://pair?v=1&{query}").parse::<LinkUri>();
        }
    }
}
