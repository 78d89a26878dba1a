//! When files are read again: on SIGHUP, and when they look different.

use std::time::Duration;

/// Hears SIGHUP.
pub(super) struct Told {
    #[cfg(unix)]
    hangups: Option<tokio::signal::unix::Signal>,
}

impl Told {
    pub(super) fn catch() -> Self {
        Self {
            #[cfg(unix)]
            hangups: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(hangups) = &mut self.hangups
            && hangups.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// How often the files are looked at: every 10 s, by a call of the system each.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);
