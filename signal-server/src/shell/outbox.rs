//! What waits to be written to one connection: notices first, then packets.
//!
//! The hub puts in and never waits; the session takes out. An empty outbox holds no memory beside
//! itself. Notices beyond the bound mean that the client does not read: it is cut. Packets beyond
//! theirs drop the oldest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;
use towline_wire::signal::CloseCode;

use super::packet_queue::{Backlog, PacketQueue};

#[derive(Debug)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug)]
struct Waiting {
    texts: VecDeque<String>,
    texts_bytes: usize,
    packets: PacketQueue,
    ping: bool,
    close: Option<CloseCode>,
    paused_until: Option<Instant>,
}

/// The next thing to write.
#[derive(Debug)]
pub(super) enum Item {
    Text(String),
    Packet(Bytes),
    Ping,
    Close(CloseCode),
}

/// There is no room for another notice.
#[derive(Debug)]
pub(super) struct Full;

impl Outbox {
    /// An empty outbox; its packets are counted among `all` that wait.
    pub(super) fn among(all: Arc<Backlog>) -> Self {
        let waiting = Waiting {
            texts: VecDeque::new(),
            texts_bytes: 0,
            packets: PacketQueue::among(all),
            ping: false,
            close: None,
            paused_until: None,
        };
        Self {
            waiting: Mutex::new(waiting),
            changed: Notify::new(),
        }
    }

    pub(super) fn push_text(&self, text: String) -> Result<(), Full> {
        let mut waiting = self.lock();
        if waiting.texts.len() >= TEXTS_MAX || waiting.texts_bytes + text.len() > TEXTS_BYTES_MAX {
            return Err(Full);
        }
        waiting.texts_bytes += text.len();
        waiting.texts.push_back(text);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Says how many were dropped for it: the receiver's congestion, which QUIC notices by itself.
    pub(super) fn push_packet(&self, packet: Bytes) -> usize {
        let dropped = self.lock().packets.push(std::time::Instant::now(), packet);
        self.changed.notify_one();
        dropped
    }

    pub(super) fn ping(&self) {
        self.lock().ping = true;
        self.changed.notify_one();
    }

    pub(super) fn close(&self, code: CloseCode) {
        self.lock().close = Some(code);
        self.changed.notify_one();
    }

    pub(super) fn pause(&self, until: Instant) {
        self.lock().paused_until = Some(until);
        self.changed.notify_one();
    }

    /// Waits until something was put in; may wake for nothing.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Until when nothing is to be read, asked once per pause.
    pub(super) fn take_pause(&self) -> Option<Instant> {
        self.lock().paused_until.take()
    }

    /// The next thing to write: notices, packets, ping, and the close only after all of them.
    pub(super) fn pop(&self) -> Option<Item> {
        let mut waiting = self.lock();
        if let Some(text) = waiting.texts.pop_front() {
            waiting.texts_bytes -= text.len();
            return Some(Item::Text(text));
        }
        waiting.texts = VecDeque::new();
        if let Some(packet) = waiting.packets.pop() {
            return Some(Item::Packet(packet));
        }
        if std::mem::take(&mut waiting.ping) {
            return Some(Item::Ping);
        }
        waiting.close.map(Item::Close)
    }

    /// A panic elsewhere while holding the lock leaves whole values behind, so poison is ignored.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices that wait for one client: 128, the answers to twice what it may ask at once; who leaves more unread does not read.
const TEXTS_MAX: usize = 128;

/// Bytes of notices that wait for one client: 256 KiB, four of the largest.
const TEXTS_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_come_first_and_the_close_last() {
        let outbox = Outbox::among(Arc::default());
        outbox.close(CloseCode::Idle);
        outbox.push_packet(Bytes::from_static(b"p"));
        outbox.push_text("t".to_owned()).unwrap();
        assert!(matches!(outbox.pop(), Some(Item::Text(_))));
        assert!(matches!(outbox.pop(), Some(Item::Packet(_))));
        assert!(matches!(outbox.pop(), Some(Item::Close(CloseCode::Idle))));
    }

    #[test]
    fn a_client_that_does_not_read_fills_its_outbox() {
        let outbox = Outbox::among(Arc::default());
        assert!((0..TEXTS_MAX).all(|_| outbox.push_text(String::new()).is_ok()));
        assert!(outbox.push_text(String::new()).is_err());
        let outbox = Outbox::among(Arc::default());
        assert!(outbox.push_text("x".repeat(TEXTS_BYTES_MAX)).is_ok());
        assert!(outbox.push_text("x".to_owned()).is_err());
    }
}
