//! Frames and raw bytes read from one QUIC stream, and faults of a stream.
//!
//! What arrives is collected in one buffer that never holds more than the largest thing asked for
//! plus one read. Every wait here may be dropped: what was read stays in the buffer.

use bytes::{Bytes, BytesMut};
use quinn::{ReadError, RecvStream};
use serde::de::DeserializeOwned;
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
}

impl FrameReader {
    /// Reads from `stream`.
    pub(super) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            slices: vec![Bytes::new(); SLICES_PER_READ],
        }
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self) -> Result<Filled, StreamFault> {
        let Some(count) = self.stream.read_chunks(&mut self.slices).await? else {
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
        self.buffer.reserve(len.saturating_sub(self.buffer.len()));
        while self.buffer.len() < len {
            match self.fill().await? {
                Filled::Some => {}
                Filled::End => return Err(StreamFault::Lost),
            }
        }
        Ok(self.buffer.split_to(len).freeze())
    }
}

/// Slices taken from the connection at once: 64, about one batch of datagrams that the kernel
/// coalesces (64 KiB). Fewer would take the connection's lock more often.
const SLICES_PER_READ: usize = 64;
