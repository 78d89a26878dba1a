//! When files are read again: on SIGHUP, and when they look different.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Watches over files that may be read again.
#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<PathBuf>,
    seen: Vec<Look>,
    hangups: Hangups,
}

/// When a file was written last, and how long it is.
type Look = Option<(SystemTime, u64)>;

impl Watch {
    /// Over these files, as they are now: begun before they are read, it misses no change.
    pub(super) fn over(files: Vec<PathBuf>) -> Self {
        Self {
            seen: looks(&files),
            files,
            hangups: Hangups::catch(),
        }
    }

    /// Waits until they are to be read again; `None` at `cancel`.
    pub(super) async fn next(&mut self, cancel: &CancellationToken) -> Option<()> {
        loop {
            let asked = tokio::select! {
                () = cancel.cancelled() => return None,
                () = self.hangups.next() => true,
                () = sleep(LOOK_EVERY) => false,
            };
            let now = looks(&self.files);
            if asked || now != self.seen {
                self.seen = now;
                return Some(());
            }
        }
    }
}

fn looks(files: &[PathBuf]) -> Vec<Look> {
    let look = |path: &PathBuf| look(path);
    files.iter().map(look).collect()
}

fn look(path: &Path) -> Look {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Hears SIGHUP.
#[derive(Debug)]
pub(super) struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    pub(super) fn catch() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How often the files are looked at: every 10 s, by a call of the system each.
const LOOK_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_before_the_first_look_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cert");
        fs::write(&path, "before").unwrap();
        let mut watch = Watch::over(vec![path.clone()]);
        fs::write(&path, "renewed").unwrap();
        let cancel = CancellationToken::new();
        assert!(watch.next(&cancel).await.is_some());
        let quiet = tokio::time::timeout(LOOK_EVERY * 3, watch.next(&cancel));
        assert!(quiet.await.is_err(), "nothing has changed since");
    }
}
