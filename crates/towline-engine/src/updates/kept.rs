//! What shells keep of updates in the home: a person's choices, and what was found last.
//!
//! A file of its own, because the store is the engine's and shells run without it. What cannot be read is as if
//! nobody had chosen or asked yet, and what cannot be kept is asked again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use semver::Version;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::{Channel, Release};

/// The file in the home.
const FILE: &str = "updates.json";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The channel that its person follows.
    pub channel: Channel,
    /// Whether its person wants to be asked before anything is installed.
    pub asking: Asking,
    /// When the publisher answered last, in milliseconds since 1970.
    pub answered_ms: Option<u64>,
    /// The release that was newer then.
    pub found: Option<Found>,
    /// Why the last update was not installed, as a code.
    pub failed: Option<String>,
}

/// Whether a person is asked before an update is installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asking {
    /// It is fetched, and installed when the app is closed.
    #[default]
    Never,
    /// It waits for a word.
    Always,
}

/// A release that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its version.
    pub version: Version,
    /// What is new in it.
    pub notes: String,
}

impl Kept {
    /// What the device at this home has.
    pub fn read(home: &Path) -> Self {
        let kept = fs::read(path(home)).map(|json| serde_json::from_slice(&json));
        match kept {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                debug!(%error, "what was kept of updates is not understood");
                Self::default()
            }
            Err(_) => Self::default(),
        }
    }

    /// Keeps it.
    pub fn write(&self, home: &Path) {
        let written = serde_json::to_vec(self)
            .map_err(std::io::Error::other)
            .and_then(|json| fs::write(path(home), json));
        if let Err(error) = written {
            warn!(%error, "nothing is kept of updates");
        }
    }

    /// Takes an answer of the publisher.
    pub fn answered(&mut self, newest: Option<&Release>, now: SystemTime) {
        self.answered_ms = now
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok());
        self.found = newest.map(|release| Found {
            version: release.version.clone(),
            notes: release.notes.clone(),
        });
    }

    /// How long ago that was; `None` when it never was, or lies in the future.
    pub fn since_answer(&self, now: SystemTime) -> Option<Duration> {
        let at = UNIX_EPOCH.checked_add(Duration::from_millis(self.answered_ms?))?;
        now.duration_since(at).ok()
    }

    /// The release that was found, unless `here` is that one already.
    pub fn newer_than(&self, here: &Version) -> Option<&Found> {
        self.found.as_ref().filter(|found| found.version > *here)
    }
}

fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_again_and_a_torn_file_is_as_none() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Kept::read(home.path()), Kept::default());
        let mut kept = Kept {
            channel: Channel::Beta,
            asking: Asking::Always,
            ..Kept::default()
        };
        let release = Release {
            version: Version::new(0, 2, 0),
            notes: "New.".to_owned(),
            manifest: serde_json::Value::Null,
        };
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        kept.answered(Some(&release), now);
        kept.write(home.path());
        assert_eq!(Kept::read(home.path()), kept);
        assert_eq!(kept.since_answer(now), Some(Duration::ZERO));
        assert_eq!(kept.since_answer(UNIX_EPOCH), None);
        assert!(kept.newer_than(&Version::new(0, 1, 0)).is_some());
        assert!(kept.newer_than(&Version::new(0, 2, 0)).is_none());
        fs::write(path(home.path()), "{\"channel\":\"be").unwrap();
        assert_eq!(Kept::read(home.path()), Kept::default());
        fs::write(path(home.path()), "{\"channel\":\"beta\"}").unwrap();
        assert_eq!(Kept::read(home.path()).channel, Channel::Beta);
    }
}
