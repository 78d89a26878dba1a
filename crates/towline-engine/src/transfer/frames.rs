//! Frames and raw bytes read from one QUIC stream, and faults of a stream.
//!
//! What arrives is collected in one buffer that never holds more than the largest thing asked for
//! plus one read. Long runs of raw bytes go past it into memory that is used again and again: fresh
//! memory costs a page fault for each 4 KiB. A wait for a frame may be dropped, what was read stays in
//! the buffer; after a dropped wait for raw bytes the stream is of no use. A sender that is silent for
//! longer than the reader's patience is lost; one that is slow is not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{ReadError, RecvStream};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use towline_wire::frame::{self, FrameError, PREFIX_BYTES};

/// Why a stream ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StreamFault {
    /// The world's: connection or stream are gone, or nothing came in time.
    #[error("stream is gone")]
    Lost,
    /// Theirs: bytes that the protocol does not allow.
    #[error("peer broke the protocol")]
    Protocol,
}

impl From<FrameError> for StreamFault {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { .. } | FrameError::Malformed => Self::Protocol,
        }
    }
}

impl From<ReadError> for StreamFault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(_)
            | ReadError::ConnectionLost(_)
            | ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Lost,
        }
    }
}

/// Whether more came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// At least one byte.
    Some,
    /// The sender has finished.
    End,
}

/// Reads frames and raw bytes from a stream.
pub(super) struct FrameReader {
    stream: RecvStream,
    buffer: BytesMut,
    slices: Vec<Bytes>,
    /// Slices taken by the next read: one before a long run of bytes, so that few go twice.
    slices_next: usize,
    spares: Spares,
    patience: Duration,
}

impl FrameReader {
    /// Reads from `stream`, whose sender may be silent for `patience`.
    pub(super) fn new(stream: RecvStream, patience: Duration) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            slices: vec![Bytes::new(); SLICES_PER_READ],
            slices_next: SLICES_PER_READ,
            spares: Spares::default(),
            patience,
        }
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self) -> Result<Filled, StreamFault> {
        let room = self.slices.get_mut(..self.slices_next).unwrap_or_default();
        let read = timeout(self.patience, self.stream.read_chunks(room)).await;
        let Some(count) = read.map_err(|_| StreamFault::Lost)?? else {
            return Ok(Filled::End);
        };
        for slice in self.slices.iter_mut().take(count) {
            self.buffer.extend_from_slice(slice);
            *slice = Bytes::new();
        }
        Ok(Filled::Some)
    }

    /// The next frame, if all of it is here.
    pub(super) fn try_frame<T: DeserializeOwned>(
        &mut self,
        max: usize,
    ) -> Result<Option<T>, StreamFault> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let end = PREFIX_BYTES + frame::length(*prefix, max)?;
        let Some(payload) = self.buffer.get(PREFIX_BYTES..end) else {
            return Ok(None);
        };
        let value = frame::decode(payload)?;
        drop(self.buffer.split_to(end));
        Ok(Some(value))
    }

    /// Waits for the next frame; `None` when the sender finished between two frames.
    pub(super) async fn frame<T: DeserializeOwned>(
        &mut self,
        max: usize,
    ) -> Result<Option<T>, StreamFault> {
        loop {
            if let Some(value) = self.try_frame(max)? {
                return Ok(Some(value));
            }
            match self.fill().await? {
                Filled::Some => {}
                Filled::End if self.buffer.is_empty() => return Ok(None),
                Filled::End => return Err(StreamFault::Lost),
            }
        }
    }

    /// Waits for `len` raw bytes. The caller bounds `len`.
    pub(super) async fn bytes(&mut self, len: usize) -> Result<Bytes, StreamFault> {
        if len >= LONG_BYTES_MIN {
            self.slices_next = 1;
            return self.long_bytes(len).await;
        }
        self.slices_next = SLICES_PER_READ;
        self.buffer.reserve(len.saturating_sub(self.buffer.len()));
        while self.buffer.len() < len {
            match self.fill().await? {
                Filled::Some => {}
                Filled::End => return Err(StreamFault::Lost),
            }
        }
        Ok(self.buffer.split_to(len).freeze())
    }

    async fn long_bytes(&mut self, len: usize) -> Result<Bytes, StreamFault> {
        let mut loan = self.spares.lend(len);
        let held = self.buffer.split_to(len.min(self.buffer.len()));
        // No longer than the loan.
        let (front, mut rest) = loan.bytes.split_at_mut(held.len());
        front.copy_from_slice(&held);
        while !rest.is_empty() {
            let read = timeout(self.patience, self.stream.read(rest)).await;
            let read = read.map_err(|_| StreamFault::Lost)??;
            let count = read.ok_or(StreamFault::Lost)?;
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        Ok(Bytes::from_owner(loan))
    }
}

/// Memory that has been used and may be used again; clones share it.
#[derive(Debug, Default, Clone)]
struct Spares(Arc<Mutex<Vec<Vec<u8>>>>);

/// Memory that goes back when it is dropped.
struct Loan {
    bytes: Vec<u8>,
    home: Spares,
}

impl Spares {
    /// Memory of this length; what lies in it is of no meaning.
    fn lend(&self, len: usize) -> Loan {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = spare.unwrap_or_default();
        bytes.resize(len, 0);
        Loan {
            bytes,
            home: self.clone(),
        }
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut spares = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < SPARES_MAX {
            spares.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// Slices taken from the connection at once: 64, about one batch of datagrams that the kernel
/// coalesces (64 KiB). Fewer would take the connection's lock more often.
const SLICES_PER_READ: usize = 64;

/// Length from which raw bytes go into memory of their own: 256 KiB. Most small files are shorter, and
/// share a read.
const LONG_BYTES_MIN: usize = 256 * 1024;

/// Spares that a reader keeps: 8, a lane's window of 1 MiB ranges. They live as long as the stream.
const SPARES_MAX: usize = 8;
