//! Where the data plane's blocking work runs: on the runtime's blocking threads, a fixed number at
//! once.

use std::future::{self, Future};
use std::panic;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// A fixed number of places for blocking work; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Semaphore>);

impl Pool {
    /// A pool for so many jobs at once.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Runs one job. A job that has begun runs to its end even when the future is dropped; a panic in
    /// it continues here.
    pub(crate) fn run<T, J>(&self, job: J) -> impl Future<Output = T> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let places = self.0.clone();
        async move {
            // The semaphore is never closed; without a place the job waits for ever, as it would
            // in a pool that is gone.
            let Ok(place) = places.acquire_owned().await else {
                return future::pending().await;
            };
            let running = tokio::task::spawn_blocking(move || {
                let value = job();
                drop(place);
                value
            });
            match running.await {
                Ok(value) => value,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => panic::resume_unwind(panic),
                    // The runtime is ending: nobody is left to take the value.
                    Err(_) => future::pending().await,
                },
            }
        }
    }
}
