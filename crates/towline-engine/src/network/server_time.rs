//! What time signal servers have: they say it in the head of their answers (`Date`, RFC 9110, section 6.6.1).
//!
//! A device asks nobody for the time. It only sees whether its own clock is far from that of a server
//! that it is at anyway. The word of own servers goes before that of others, which sessions are numbered after.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio_tungstenite::tungstenite::http::{HeaderMap, header};
use towline_core::io::SessionId;

use crate::clock::Clock;

/// What servers have said of the time; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerTimes(Arc<Mutex<BTreeMap<SessionId, Said>>>);

/// What one server said.
#[derive(Debug, Clone, Copy)]
struct Said {
    seconds: i64,
    /// Runs since it was said, whatever becomes of this computer's own time.
    since: Clock,
}

impl ServerTimes {
    /// A server has said what time it is.
    pub(super) fn note(&self, session: SessionId, seconds: i64) {
        let since = Clock::start();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(session, Said { seconds, since });
    }

    /// By how many seconds this computer's clock is ahead of a server's; below zero where it is behind.
    pub(crate) fn ahead_by(&self) -> Option<i64> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, said) = said.first_key_value()?;
        let passed = said.since.now().since_start().as_secs();
        let theirs = said.seconds.saturating_add_unsigned(passed);
        let ours = Timestamp::try_from(SystemTime::now()).ok()?.as_second();
        Some(ours.saturating_sub(theirs))
    }
}

/// The time in the head of an answer, in Unix seconds.
pub(super) fn said_in(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let time = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::http::HeaderValue;

    use super::*;

    fn head(text: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(text).unwrap();
        HeaderMap::from_iter([(header::DATE, value)])
    }

    #[test]
    fn a_date_is_read_and_what_is_none_is_not() {
        let right = head(b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(said_in(&right), Some(784_111_777));
        assert_eq!(said_in(&HeaderMap::new()), None);
        for wrong in [
            &b""[..],
            b"now",
            b"\xff\xfe",
            b"Sun, 99 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Nov 99999999999 08:49:37 GMT",
        ] {
            assert_eq!(said_in(&head(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_word_of_an_own_server_goes_before_that_of_a_peers() {
        let times = ServerTimes::default();
        assert_eq!(times.ahead_by(), None);
        let now = Timestamp::now().as_second();
        times.note(SessionId(5), 0);
        times.note(SessionId(0), now - 7200);
        let ahead = times.ahead_by().unwrap();
        assert!((7199..=7202).contains(&ahead), "{ahead}");
        times.note(SessionId(0), i64::MAX);
        assert!(times.ahead_by().unwrap() < 0);
    }
}
