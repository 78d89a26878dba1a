//! Links that somebody opened, on their way to the page.
//!
//! A `towline:` link comes as an argument, from a second start, or as an event of macOS. Whoever has
//! one can pair once, so it is a secret: it is told to the page and to nobody else, and never joins
//! by itself. What is behind the scheme is the page's and the engine's to judge. The latest counts,
//! and waits for a page that does not listen yet (`tidings`).

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tauri::ipc::Channel;

use crate::tidings::Tidings;

/// What every link begins with; schemes know no case.
const SCHEME: &str = "towline:";

/// A link with our scheme. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Link(String);

/// A text is not a link of ours; which one is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a link begins with towline://")]
pub(crate) struct NoLink;

impl FromStr for Link {
    type Err = NoLink;

    fn from_str(text: &str) -> Result<Self, NoLink> {
        let text = text.trim();
        let scheme = text.get(..SCHEME.len()).ok_or(NoLink)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(NoLink);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether an argument of a program is a link.
pub(crate) fn is_link(argument: &OsStr) -> bool {
    argument
        .to_str()
        .is_some_and(|text| text.parse::<Link>().is_ok())
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}

/// Where links go.
#[derive(Debug)]
pub(crate) struct Links {
    page: Tidings<Link>,
}

impl Links {
    /// Links for a page that is not there yet, with the one that the app was started with.
    pub(crate) fn new(first: Option<Link>) -> Self {
        Self {
            page: Tidings::new(first),
        }
    }

    /// Tells the page a link, at once or when it listens.
    pub(crate) fn open(&self, link: Link) {
        self.page.tell(link);
    }

    /// The page listens from now on; a page that listened before is gone.
    pub(crate) fn tell(&self, channel: Channel<Link>) {
        self.page.listen(channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Link {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_has_the_scheme_is_a_link_and_schemes_know_no_case() {
        assert!("towline://pair?v=1".parse::<Link>().is_ok());
        assert!(" TowLine://pair?v=1\n".parse::<Link>().is_ok());
        for text in ["", "towline", "ABC-234", "https://towline.example", "öäü"] {
            assert_eq!(text.parse::<Link>(), Err(NoLink));
        }
    }

    #[test]
    fn a_link_is_in_no_log() {
        let links = Links::new(Some(link("towline://pair?k=secret")));
        assert!(!format!("{links:?}").contains("secret"));
    }
}
