//! What came by other ways than a socket of the system, and waits for quinn.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Bytes that wait for quinn, of one way: 128 KiB. quinn empties it within one turn of its loop; more would
/// only hide that it cannot keep up.
const BYTES_MAX: usize = 128 * 1024;

/// Datagrams that wait; what does not fit is dropped, as on any network.
pub(super) struct Inbox<T> {
    queue: Mutex<Queue<T>>,
    waker: AtomicWaker,
}

struct Queue<T> {
    datagrams: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Inbox<T> {
    /// Queues a datagram of so many bytes, or drops it.
    pub(super) fn push(&self, datagram: T, bytes: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.bytes + bytes > BYTES_MAX {
            return;
        }
        queue.bytes += bytes;
        queue.datagrams.push_back((datagram, bytes));
        drop(queue);
        self.waker.wake();
    }

    /// The next datagram, if there is one.
    pub(super) fn pop(&self) -> Option<T> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (datagram, bytes) = queue.datagrams.pop_front()?;
        queue.bytes -= bytes;
        Some(datagram)
    }

    /// The next datagram, or the waker is kept.
    pub(super) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(datagram) = self.pop() {
            return Poll::Ready(datagram);
        }
        self.waker.register(cx.waker());
        // One may have come between the look and the registration.
        self.pop().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            queue: Mutex::new(Queue {
                datagrams: VecDeque::new(),
                bytes: 0,
            }),
            waker: AtomicWaker::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped() {
        let inbox = Inbox::default();
        for number in 0..1000 {
            inbox.push(number, 1000);
        }
        let mut taken = 0;
        while inbox.pop() == Some(taken) {
            taken += 1;
        }
        assert_eq!(taken, BYTES_MAX / 1000);
        inbox.push(7, BYTES_MAX);
        assert_eq!(inbox.pop(), Some(7));
    }
}
