//! The data plane's way onto the disk pool.

use std::future::{self, Future};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::disk::{self, PoolClosed};

/// Runs blocking work on the disk pool; clones share it.
#[derive(Clone)]
pub(crate) struct Work(Arc<disk::Pool>);

impl Work {
    /// Work for this pool.
    pub(crate) fn on(pool: Arc<disk::Pool>) -> Self {
        Self(pool)
    }

    /// Runs one job. A job that has begun runs to its end even when the future is dropped; a panic in
    /// it continues here. When the pool closes the engine is ending, and this never returns.
    pub(super) fn run<T, J>(&self, job: J) -> impl Future<Output = T> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let pool = self.0.clone();
        async move {
            // Nothing of a job is used after it has panicked.
            match pool.run(move || catch_unwind(AssertUnwindSafe(job))).await {
                Ok(Ok(value)) => value,
                Ok(Err(panic)) => panic::resume_unwind(panic),
                Err(PoolClosed) => future::pending().await,
            }
        }
    }
}
