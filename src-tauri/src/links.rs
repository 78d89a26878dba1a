//! Links that somebody opened, on their way to the page.
//!
//! A `towline:` link comes as an argument, from a second start, or as an event of macOS. Whoever has
//! one can pair once, so it is a secret: it is told to the page and to nobody else, and never joins
//! by itself. What is behind the scheme is the page's and the engine's to judge. The latest counts;
//! one that comes before the page listens waits for it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tauri::ipc::Channel;

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

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}

/// Where links go.
#[derive(Debug)]
pub(crate) struct Links {
    page: Mutex<Page>,
}

/// The page, as links meet it.
enum Page {
    /// It does not listen yet; the latest link waits.
    Awaited(Option<Link>),
    /// It listens.
    Listens(Channel<Link>),
}

impl Links {
    /// Links for a page that is not there yet, with the one that the app was started with.
    pub(crate) fn new(first: Option<Link>) -> Self {
        Self {
            page: Mutex::new(Page::Awaited(first)),
        }
    }

    /// Tells the page a link, at once or when it listens.
    pub(crate) fn open(&self, link: Link) {
        let mut page = self.page();
        if let Page::Listens(channel) = &*page
            && channel.send(link.clone()).is_ok()
        {
            return;
        }
        *page = Page::Awaited(Some(link));
    }

    /// The page listens from now on; a page that listened before is gone.
    pub(crate) fn tell(&self, channel: Channel<Link>) {
        let mut page = self.page();
        if let Page::Awaited(Some(link)) = &*page
            && channel.send(link.clone()).is_err()
        {
            // That page is gone already; the next one gets the link.
            return;
        }
        *page = Page::Listens(channel);
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        // Nothing is left half done in there.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awaited(link) => f.debug_tuple("Awaited").field(link).finish(),
            Self::Listens(_) => f.write_str("Listens(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tauri::ipc::InvokeResponseBody;

    use super::*;

    fn link(text: &str) -> Link {
        text.parse().unwrap()
    }

    /// A page that writes down what it is told.
    fn page() -> (Channel<Link>, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&told);
        let channel = Channel::new(move |body| {
            let InvokeResponseBody::Json(json) = body else {
                panic!("a link is text");
            };
            writes.lock().unwrap().push(json);
            Ok(())
        });
        (channel, told)
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

    #[test]
    fn the_latest_link_waits_for_the_page_and_is_told_once() {
        let links = Links::new(Some(link("towline://first")));
        links.open(link("towline://second"));
        let (channel, told) = page();
        links.tell(channel);
        links.open(link("towline://third"));
        assert_eq!(
            *told.lock().unwrap(),
            [r#""towline://second""#, r#""towline://third""#]
        );
        let (channel, told) = page();
        links.tell(channel);
        assert_eq!(*told.lock().unwrap(), [""; 0]);
    }

    #[test]
    fn a_link_that_a_closed_page_does_not_take_waits_for_the_next_one() {
        let links = Links::new(None);
        links.tell(Channel::new(|_| Err(tauri::Error::WindowNotFound)));
        links.open(link("towline://pair"));
        let (channel, told) = page();
        links.tell(channel);
        assert_eq!(*told.lock().unwrap(), [r#""towline://pair""#]);
    }
}
