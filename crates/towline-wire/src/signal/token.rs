//! What a client shows at a server that is not for everybody.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Shortest and longest token, in characters. Those that our server makes have 32, of 192 random bits.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=128;

/// A token that its administrator has given out: 16 to 128 letters, digits, `-`, `_`, `.` and `~`, so that it can
/// stand in a URL as it is. Zeroised on drop, redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AccessToken(String);

impl AccessToken {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let fits = LENGTH.contains(&text.len()) && text.bytes().all(plain);
        fits.then(|| Self(text.to_owned()))
    }

    /// For `register` only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}
