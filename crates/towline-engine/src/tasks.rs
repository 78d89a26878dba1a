//! The only place that spawns: every task has a name, an owner and an end.
//!
//! A [`Tasks`] belongs to one owner. Its tasks are dropped at their next await when the owner
//! cancels, so their futures must be safe to drop at every await. `close` cancels and joins with a
//! deadline; what has not ended by then is named in the log and left behind.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, debug_span, warn};

/// How long `close` waits for tasks and threads: 5 s. A batch of files is on disk well before
/// that; a longer wait would only delay a shutdown that a hung disk has already spoilt.
pub(crate) const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The tasks and threads of one owner. Clones belong to the same owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    cancel: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// Counts a task as running until it is dropped, however it ends.
struct Running {
    name: &'static str,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Tasks {
    /// An owner without tasks.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An owner whose tasks also end when this one's do.
    #[must_use]
    pub(crate) fn child(&self) -> Self {
        Self {
            cancel: self.cancel.child_token(),
            ..Self::default()
        }
    }

    /// Runs `future` until it ends or the owner cancels; then it is dropped.
    pub(crate) fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = self.enter(name);
        let cancel = self.cancel.clone();
        let task = async move {
            let ended = cancel.run_until_cancelled_owned(future).await;
            debug!(cancelled = ended.is_none(), "task ended");
            drop(running);
        };
        self.tracker
            .spawn(task.instrument(debug_span!("task", name)));
    }

    /// Runs blocking `work` on a thread of its own; it must watch [`Tasks::cancelled`] or end with
    /// its channels.
    pub(crate) fn spawn_thread<F>(&self, name: &'static str, work: F) -> std::io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let running = self.enter(name);
        let token = self.tracker.token();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                work();
                drop(running);
                drop(token);
            })?;
        Ok(())
    }

    /// The token that ends these tasks.
    pub(crate) fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Cancels everything and waits until it has ended, at most [`CLOSE_DEADLINE`].
    pub(crate) async fn close(&self) {
        self.cancel.cancel();
        self.tracker.close();
        if tokio::time::timeout(CLOSE_DEADLINE, self.tracker.wait())
            .await
            .is_err()
        {
            let left: Vec<&str> = self.names();
            warn!(?left, "tasks did not end in time");
        }
    }

    fn enter(&self, name: &'static str) -> Running {
        *self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name)
            .or_default() += 1;
        Running {
            name,
            running: Arc::clone(&self.running),
        }
    }

    /// The names of what still runs.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tasks;

    #[tokio::test]
    async fn closing_drops_what_waits_forever() {
        let tasks = Tasks::new();
        let (gone, dropped) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn("waits", async move {
            std::future::pending::<()>().await;
            drop(gone);
        });
        tasks.close().await;
        assert!(dropped.await.is_err());
        assert!(tasks.names().is_empty());
    }

    #[tokio::test]
    async fn a_child_ends_with_its_parent() {
        let parent = Tasks::new();
        let child = parent.child();
        parent.close().await;
        assert!(child.cancelled().is_cancelled());
    }
}
