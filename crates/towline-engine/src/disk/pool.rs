//! The threads that wait for the disk: a fixed number, so that the async runtime never does.
//!
//! Jobs run in the order in which they come. The device loop submits without waiting, and what it
//! can have waiting is bounded by what it opens and scans; everything else goes through
//! [`Pool::run`], which holds the caller back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tracing::error;

use crate::tasks::Tasks;

/// Threads that work on disks: 4. Enough to hash and to commit side by side and to keep a disk's
/// queue filled; more only makes a spinning disk seek.
const DISK_THREADS: usize = 4;

/// Jobs of the data plane that may wait or run at once: 32. Each may hold a batch of small files in
/// memory (about a megabyte); beyond it the caller waits, which slows the network down.
const JOBS_WAITING_MAX: usize = 32;

/// The pool has been closed; the engine is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk pool is closed")]
pub(crate) struct PoolClosed;

/// A fixed set of threads for disk work. When it is dropped, jobs that have begun are finished, and
/// the threads end.
pub(crate) struct Pool {
    queue: Arc<Queue>,
    permits: Arc<Semaphore>,
}

type Job = Box<dyn FnOnce() + Send>;

struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

struct Waiting {
    jobs: VecDeque<Job>,
    open: bool,
}

impl Pool {
    /// Starts the threads, as threads of `tasks`.
    pub(crate) fn start(tasks: &Tasks) -> std::io::Result<Self> {
        let queue = Arc::new(Queue {
            waiting: Mutex::new(Waiting {
                jobs: VecDeque::new(),
                open: true,
            }),
            wake: Condvar::new(),
        });
        let pool = Self {
            queue,
            permits: Arc::new(Semaphore::new(JOBS_WAITING_MAX)),
        };
        for _ in 0..DISK_THREADS {
            let queue = Arc::clone(&pool.queue);
            tasks.spawn_thread("disk", move || queue.work())?;
        }
        Ok(pool)
    }

    /// Queues a job without waiting. After the pool was closed the job is dropped.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.push(Box::new(job));
    }

    /// Runs a job on a thread of the pool; waits while too many are waiting. Dropping the future
    /// does not stop a job that has begun.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, PoolClosed> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| PoolClosed)?;
        let (answer, answered) = oneshot::channel();
        self.submit(move || {
            let result = job();
            drop(permit);
            // Nobody waits any more when the future was dropped.
            let _ = answer.send(result);
        });
        answered.await.map_err(|_| PoolClosed)
    }

    /// Applies `work` to every item, on the calling thread and on idle threads of the pool, and
    /// returns the results in order. Works from within a job: the caller alone can do all of it.
    pub(crate) fn each<T, R>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> Vec<R>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        if items.len() <= 1 {
            return items.into_iter().map(work).collect();
        }
        let helpers = (items.len() - 1).min(DISK_THREADS - 1);
        let shared = Arc::new(Shared {
            results: Mutex::new(Results {
                unfinished: items.len(),
                slots: items.iter().map(|_| None).collect(),
            }),
            items: Mutex::new(items.into_iter().enumerate().collect()),
            finished: Condvar::new(),
            work,
        });
        for _ in 0..helpers {
            let shared = Arc::clone(&shared);
            self.submit(move || shared.help());
        }
        shared.help();
        let mut results = lock(&shared.results);
        while results.unfinished > 0 {
            results = shared
                .finished
                .wait(results)
                .unwrap_or_else(PoisonError::into_inner);
        }
        // A slot is empty only when its work panicked on a helper thread, which has been logged.
        std::mem::take(&mut results.slots)
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.permits.close();
        let mut waiting = lock(&self.queue.waiting);
        waiting.open = false;
        let dropped = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        self.queue.wake.notify_all();
        drop(dropped);
    }
}

impl Queue {
    fn push(&self, job: Job) {
        let mut waiting = lock(&self.waiting);
        if waiting.open {
            waiting.jobs.push_back(job);
            drop(waiting);
            self.wake.notify_one();
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                error!("a disk job panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if !waiting.open {
                return None;
            }
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Shared<T, R, F> {
    items: Mutex<VecDeque<(usize, T)>>,
    results: Mutex<Results<R>>,
    finished: Condvar,
    work: F,
}

struct Results<R> {
    slots: Vec<Option<R>>,
    unfinished: usize,
}

impl<T, R, F: Fn(T) -> R> Shared<T, R, F> {
    fn help(&self) {
        loop {
            let next = lock(&self.items).pop_front();
            let Some((at, item)) = next else { return };
            let result = catch_unwind(AssertUnwindSafe(|| (self.work)(item)));
            if result.is_err() {
                error!("a disk job panicked");
            }
            let mut results = lock(&self.results);
            results.unfinished -= 1;
            if let Some(slot) = results.slots.get_mut(at) {
                *slot = result.ok();
            }
            if results.unfinished == 0 {
                self.finished.notify_all();
            }
        }
    }
}

/// Locks; a poisoned lock is taken over, because every critical section here leaves its data whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
