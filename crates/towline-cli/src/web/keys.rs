//! Who may speak for this device's person in a browser: links that are good once, and sessions.
//!
//! A link's token is exchanged for a session's, which a tab keeps and shows with every request. Both are 256 random
//! bits, known here by their SHA-256 only and compared in constant time. Time is a parameter; nothing outlives the process.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How long a link is good: 5 minutes, as a code for pairing. Longer would leave it in a terminal's
/// scrollback, shorter would not reach somebody who copies it to another window.
pub(super) const LINK_LIVES: Duration = Duration::from_secs(5 * 60);

/// How long a session lasts that nobody uses: 12 hours. A tab that is open uses it all the time.
const SESSION_RESTS: Duration = Duration::from_secs(12 * 60 * 60);

/// Links that may wait: 16. Beyond that the oldest ends, so that who asks for many takes no memory.
const LINKS_MAX: usize = 16;

/// Sessions that may last: 64, far more than one person has tabs. Beyond that the one that has rested longest ends.
const SESSIONS_MAX: usize = 64;

/// A token in clear, which only its bearer keeps.
pub(super) struct Token(Zeroizing<String>);

impl Token {
    /// Draws one.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes))))
    }

    /// As it is shown to its bearer: 43 letters, digits, `-` and `_`.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is kept of a token.
struct Known {
    digest: [u8; 32],
    /// When it was made or, for a session, used last.
    at: Instant,
}

impl Known {
    fn new(text: &str, at: Instant) -> Self {
        Self {
            digest: Sha256::digest(text.as_bytes()).into(),
            at,
        }
    }
}

/// The links and sessions there are.
#[derive(Default)]
pub(super) struct Keys {
    links: VecDeque<Known>,
    /// The one that was used last stands last.
    sessions: VecDeque<Known>,
}

impl Keys {
    /// Takes a link's token into the list.
    pub(super) fn add_link(&mut self, now: Instant, token: &Token) {
        if self.links.len() >= LINKS_MAX {
            self.links.pop_front();
        }
        self.links.push_back(Known::new(token.reveal(), now));
    }

    /// Whether this was a link's token that is still good; from now on it is not.
    pub(super) fn use_link(&mut self, now: Instant, text: &str) -> bool {
        self.links
            .retain(|link| now.saturating_duration_since(link.at) < LINK_LIVES);
        take(&mut self.links, text).is_some()
    }

    /// Takes a session's token into the list.
    pub(super) fn add_session(&mut self, now: Instant, token: &Token) {
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(Known::new(token.reveal(), now));
    }

    /// Whether this is a session's token; if so it has been used now.
    pub(super) fn use_session(&mut self, now: Instant, text: &str) -> bool {
        self.sessions
            .retain(|session| now.saturating_duration_since(session.at) < SESSION_RESTS);
        let found = take(&mut self.sessions, text);
        let is_known = found.is_some();
        if let Some(session) = found {
            self.sessions.push_back(Known { at: now, ..session });
        }
        is_known
    }

    /// Ends a session.
    pub(super) fn end_session(&mut self, text: &str) {
        take(&mut self.sessions, text);
    }
}

/// Takes out the one with this token. All are compared, and each in constant time.
fn take(known: &mut VecDeque<Known>, text: &str) -> Option<Known> {
    let asked = Known::new(text, Instant::now());
    let mut found = None;
    for (place, one) in known.iter().enumerate() {
        if bool::from(one.digest.ct_eq(&asked.digest)) {
            found = Some(place);
        }
    }
    known.remove(found?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_link_is_good_once_and_not_for_long() {
        let (now, mut keys) = (Instant::now(), Keys::default());
        let (one, two) = (Token::new().unwrap(), Token::new().unwrap());
        keys.add_link(now, &one);
        keys.add_link(now, &two);
        assert!(keys.use_link(now, one.reveal()));
        assert!(!keys.use_link(now, one.reveal()));
        assert!(!keys.use_link(now + LINK_LIVES, two.reveal()));
    }

    #[test]
    fn a_link_is_no_session_and_a_session_no_link() {
        let (now, mut keys) = (Instant::now(), Keys::default());
        let token = Token::new().unwrap();
        keys.add_link(now, &token);
        assert!(!keys.use_session(now, token.reveal()));
        let token = Token::new().unwrap();
        keys.add_session(now, &token);
        assert!(!keys.use_link(now, token.reveal()));
        assert!(keys.use_session(now, token.reveal()));
    }

    #[test]
    fn a_session_lasts_as_long_as_it_is_used_and_until_it_is_ended() {
        let (mut now, mut keys) = (Instant::now(), Keys::default());
        let token = Token::new().unwrap();
        keys.add_session(now, &token);
        for _ in 0..3 {
            now += SESSION_RESTS - SECOND;
            assert!(keys.use_session(now, token.reveal()));
        }
        assert!(!keys.use_session(now + SESSION_RESTS, token.reveal()));
        keys.add_session(now, &token);
        keys.end_session(token.reveal());
        assert!(!keys.use_session(now, token.reveal()));
    }

    #[test]
    fn whoever_opens_many_takes_the_place_of_those_that_rest() {
        let (now, mut keys) = (Instant::now(), Keys::default());
        let tokens: Vec<Token> = (0..=SESSIONS_MAX).map(|_| Token::new().unwrap()).collect();
        let (last, first) = tokens.split_last().unwrap();
        for token in first {
            keys.add_session(now, token);
        }
        assert!(keys.use_session(now, tokens[0].reveal()));
        keys.add_session(now, last);
        assert!(keys.use_session(now, tokens[0].reveal()));
        assert!(!keys.use_session(now, tokens[1].reveal()));
    }

    #[test]
    fn a_token_is_shown_to_nobody_by_accident() {
        let token = Token::new().unwrap();
        assert_eq!(token.reveal().len(), 43);
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
