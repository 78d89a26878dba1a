//! quinn's tasks: who needs to know that each has taken what came for it can wait for that.
//!
//! A connection that is given another socket in the very turn in which it has met a stateless reset tells its
//! endpoint of a new reset token right after it has told that it is gone, and quinn (0.11) ends the process. So
//! before the one, nothing of the other may wait: see `Connections::freshen`.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::task::AtomicWaker;
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::sync::Notify;
use tokio::task::coop::has_budget_remaining;

/// Tokio for quinn, which knows each task that it was given.
#[derive(Debug, Clone, Default)]
pub(super) struct Drivers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Counts the calls of [`Drivers::all_have_turned`].
    round: AtomicU64,
    seats: Mutex<Vec<Weak<Seat>>>,
    turned: Notify,
}

/// What is known of one task.
#[derive(Debug)]
struct Seat {
    shared: Arc<Shared>,
    /// The last round since whose begin it has taken all that came for it.
    turned_in: AtomicU64,
    waker: AtomicWaker,
}

impl Drivers {
    /// Waits until each task has taken all that had come for it when this was called. What comes meanwhile may
    /// be taken or not.
    pub(super) async fn all_have_turned(&self) {
        let round = self.0.round.fetch_add(1, Ordering::AcqRel) + 1;
        let seats: Vec<Arc<Seat>> = self.0.seats().iter().filter_map(Weak::upgrade).collect();
        for seat in &seats {
            seat.waker.wake();
        }
        for seat in seats {
            loop {
                let turned = self.0.turned.notified();
                if seat.turned_in.load(Ordering::Acquire) >= round {
                    break;
                }
                turned.await;
            }
        }
    }
}

impl Shared {
    fn seats(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Seat>>> {
        // Nothing panics while it holds this lock.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for Drivers {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let seat = Arc::new(Seat {
            shared: Arc::clone(&self.0),
            turned_in: AtomicU64::new(0),
            waker: AtomicWaker::new(),
        });
        let mut seats = self.0.seats();
        seats.retain(|seat| seat.strong_count() > 0);
        seats.push(Arc::downgrade(&seat));
        drop(seats);
        TokioRuntime.spawn(Box::pin(Seated { seat, task }));
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

/// A task of quinn's.
struct Seated {
    seat: Arc<Seat>,
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Seated {
    fn has_turned(&self, round: u64) {
        if self.seat.turned_in.swap(round, Ordering::AcqRel) != round {
            self.seat.shared.turned.notify_waiters();
        }
    }
}

impl Future for Seated {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let round = self.seat.shared.round.load(Ordering::Acquire);
        self.seat.waker.register(cx.waker());
        let polled = self.task.as_mut().poll(cx);
        // Whose budget is used up has left something for its next turn.
        if has_budget_remaining() {
            self.has_turned(round);
        }
        polled
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.has_turned(u64::MAX);
    }
}
