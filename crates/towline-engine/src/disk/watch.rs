//! Listens to the system's file events below one root and turns them into hints.
//!
//! A hint is a path in the folder, or "events were lost". What happens in the marker directory is
//! ours and ignored, but for copies in the conflict inbox. Events are never trusted for what happened,
//! only for where to look; when the system cannot watch (a limit, a network filesystem) the caller
//! looks at everything from time to time instead. Linux has a leaf file of its own, because there every
//! directory is watched by itself and has to be followed when it moves.

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
mod recursive;

use std::path::Path;

use towline_wire::rel_path::RelPath;

use crate::tasks::Tasks;

#[cfg(target_os = "linux")]
use inotify::Events;
#[cfg(not(target_os = "linux"))]
use recursive::Events;

/// Where something may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    /// At this path, or below it.
    At(RelPath, Stage),
    /// The same, and something went from this name: a directory for all that is known, whatever lies there
    /// by now.
    Gone(RelPath, Stage),
    /// At the root itself: it may be gone.
    Root,
    /// Anywhere: events were lost.
    Lost,
}

/// How far a change has come, as far as the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// More of it may follow at once.
    Underway,
    /// Whoever wrote has closed the file, or has renamed it to this place.
    Finished,
}

/// Why a root is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchFault {
    /// The system's limit of watches is reached.
    Limit,
    /// The system cannot watch there.
    Unsupported,
}

impl WatchFault {
    /// The code by which it is named in logs.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Limit => "watch_limit",
            Self::Unsupported => "watch_unsupported",
        }
    }
}

/// Watches one root until it is dropped.
pub(super) struct Watcher {
    /// Held for its life alone.
    _events: Events,
}

impl Watcher {
    /// Begins to watch; walks all directories on Linux. `hint` is called on the watcher's thread.
    pub(super) fn start(
        root: &Path,
        tasks: &Tasks,
        hint: impl Fn(Hint) + Send + 'static,
    ) -> Result<Self, WatchFault> {
        // Some systems report paths as they really are.
        let root = root.canonicalize().map_err(|_| WatchFault::Unsupported)?;
        let events = Events::start(&root, tasks, hint)?;
        Ok(Self { _events: events })
    }
}
