//! The password that opens the device in a browser: read once, compared in constant time, and not often.
//!
//! It is asked for over a network, so how fast it can be guessed is bounded for all who guess together. Who
//! guesses thereby keeps its owner waiting too; a link from `towline web` needs no password.

use std::fmt;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::WebError;

/// Fewest characters: 12. At one guess in ten seconds that is beyond reach, whatever stands in them but a known phrase.
const LENGTH_MIN: usize = 12;

/// Guesses at once: 8, for a person who has several passwords in mind.
const GUESSES_AT_ONCE: NonZeroU32 = NonZeroU32::new(8).expect("eight");

/// Time until there is one guess more: 10 s, which is 8,640 a day.
const GUESS_EVERY: Duration = Duration::from_secs(10);

/// The password, as far as it is kept.
pub(super) struct Password {
    digest: [u8; 32],
    guesses: DefaultDirectRateLimiter,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a guess was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guess {
    Right,
    Wrong,
    /// Nobody looked: there were too many.
    TooMany,
}

impl Password {
    /// Reads it from a file that nobody but its owner may read.
    pub(super) fn read(file: &Path) -> Result<Self, WebError> {
        let broken = |why: String| WebError::Password {
            file: file.display().to_string(),
            why,
        };
        let text = fs::read_to_string(file).map_err(|error| broken(error.to_string()))?;
        let text = Zeroizing::new(text);
        private(file).map_err(broken)?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.chars().count() < LENGTH_MIN {
            return Err(broken(format!("holds fewer than {LENGTH_MIN} characters")));
        }
        let quota = Quota::with_period(GUESS_EVERY).ok_or_else(|| broken("has no time".into()))?;
        Ok(Self {
            digest: Sha256::digest(password.as_bytes()).into(),
            guesses: RateLimiter::direct(quota.allow_burst(GUESSES_AT_ONCE)),
        })
    }

    /// Compares it with what somebody says.
    pub(super) fn guess(&self, text: &str) -> Guess {
        if self.guesses.check().is_err() {
            return Guess::TooMany;
        }
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        match bool::from(digest.ct_eq(&self.digest)) {
            true => Guess::Right,
            false => Guess::Wrong,
        }
    }
}

#[cfg(unix)]
fn private(file: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let mode = fs::metadata(file)
        .map_err(|error| error.to_string())?
        .mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err("may be read or written by others; `chmod 600` it".to_owned()),
    }
}

/// Elsewhere rights are inherited from the directory, which is its owner's to choose.
#[cfg(not(unix))]
fn private(_file: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        }
        file
    }

    #[test]
    fn the_right_one_opens_and_guesses_run_out() {
        let file = file("correct horse battery\n", 0o600);
        let password = Password::read(file.path()).unwrap();
        assert_eq!(password.guess("correct horse battery"), Guess::Right);
        for _ in 1..GUESSES_AT_ONCE.get() {
            assert_eq!(password.guess("wrong"), Guess::Wrong);
        }
        assert_eq!(password.guess("correct horse battery"), Guess::TooMany);
    }

    #[test]
    fn a_short_one_and_one_that_others_may_read_are_refused() {
        assert!(Password::read(file("eleven char\n", 0o600).path()).is_err());
        #[cfg(unix)]
        assert!(Password::read(file("correct horse battery", 0o640).path()).is_err());
        assert!(Password::read(Path::new("/nowhere/at/all")).is_err());
    }
}
