//! Whether a message in parts is under way, and since when.
//!
//! Between the parts of one message a client may send pings, so that it looks alive and what it has begun stays in memory
//! for as long as it likes. The library that puts the parts together does not tell; so the bytes are looked at as they
//! come by: the heads of frames, and nothing in them. What is no frame is the library's to refuse.

#[cfg(any(test, fuzzing))]
pub(super) mod against;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A stream of frames that is looked at while it is read.
#[derive(Debug)]
pub(super) struct Inspected<S> {
    stream: S,
    within: Duration,
    frames: Frames,
}

/// How far the heads of frames have come.
#[derive(Debug, Default)]
struct Frames {
    /// Of the frame whose head is not whole: without its mask, which says nothing.
    head: [u8; 10],
    head_len: usize,
    /// Bytes of the frame before it that are still to come.
    rest: u64,
    begun: Option<Instant>,
}

impl<S> Inspected<S> {
    /// Messages in parts are to be whole `within` that time; `read` has been read from the stream already.
    pub(super) fn new(stream: S, within: Duration, read: &[u8]) -> Self {
        let mut frames = Frames::default();
        frames.pass(read);
        Self {
            stream,
            within,
            frames,
        }
    }

    /// Whether a message has been under way for longer than it may.
    pub(super) fn is_overdue(&self) -> bool {
        let begun = self.frames.begun;
        begun.is_some_and(|begun| begun.elapsed() > self.within)
    }
}

impl Frames {
    fn pass(&mut self, mut bytes: &[u8]) {
        loop {
            let here = usize::try_from(self.rest).unwrap_or(usize::MAX);
            let here = here.min(bytes.len());
            self.rest -= here as u64;
            bytes = bytes.get(here..).unwrap_or_default();
            let Some((byte, behind)) = bytes.split_first() else {
                return;
            };
            bytes = behind;
            if let Some(place) = self.head.get_mut(self.head_len) {
                *place = *byte;
            }
            self.head_len += 1;
            self.end_head();
        }
    }

    /// What the head says, if it is whole.
    fn end_head(&mut self) {
        let [first, second, long @ ..] = self.head;
        let (length_len, length) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes([long[0], long[1]]))),
            127 => (8, u64::from_be_bytes(long)),
            short => (0, u64::from(short)),
        };
        if self.head_len < 2 + length_len {
            return;
        }
        let mask_len = if second & 0x80 == 0 { 0 } else { 4 };
        self.rest = length.saturating_add(mask_len);
        self.head_len = 0;
        let (is_last, is_control) = (first & 0x80 != 0, first & 0x08 != 0);
        match (is_control, is_last) {
            // Nothing comes within a frame, so the last one of a message is as good as read.
            (false, true) => self.begun = None,
            (false, false) => {
                self.begun.get_or_insert_with(Instant::now);
            }
            (true, _) => {}
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Inspected<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.frames
            .pass(buffer.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Inspected<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        if length <= 125 {
            bytes.push(0x80 | length as u8);
        } else if let Ok(length) = u16::try_from(length) {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        } else {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
        bytes.extend([0xab; 4]);
        // Payload that would be a head itself.
        bytes.extend(vec![1; length]);
        bytes
    }

    /// What is under way after these frames, however they are cut.
    fn is_under_way(frames: &[Vec<u8>]) -> bool {
        let bytes = frames.concat();
        let at_once = [1, 2, 3, 7, 1000, usize::MAX].map(|most| {
            let mut frames = Frames::default();
            for part in bytes.chunks(most.min(bytes.len())) {
                frames.pass(part);
            }
            assert_eq!((frames.rest, frames.head_len), (0, 0), "all are whole");
            frames.begun.is_some()
        });
        assert!(at_once.iter().all(|one| *one == at_once[0]), "{at_once:?}");
        at_once[0]
    }

    #[test]
    fn a_message_is_under_way_from_its_first_part_to_its_last() {
        for length in [0, 1, 125, 126, 200, 65_535, 65_536] {
            let whole = frame(0x81, length);
            let (first, more, last) = (frame(1, length), frame(0, 3), frame(0x80, length));
            let (ping, pong) = (frame(0x89, 4), frame(0x8a, 0));
            assert!(!is_under_way(std::slice::from_ref(&whole)), "{length}");
            assert!(!is_under_way(&[ping.clone(), pong.clone()]));
            assert!(is_under_way(&[whole.clone(), first.clone()]), "{length}");
            assert!(is_under_way(&[
                first.clone(),
                ping.clone(),
                more.clone(),
                pong
            ]));
            assert!(!is_under_way(&[first, more, ping, last, whole]), "{length}");
        }
    }

    #[test]
    fn what_is_under_way_for_too_long_is_overdue() {
        let within = Duration::from_secs(30);
        let mut inspected = Inspected::new((), within, &frame(1, 10));
        assert!(!inspected.is_overdue());
        inspected.frames.begun = Instant::now().checked_sub(within * 2);
        assert!(inspected.is_overdue());
        // More of it does not give it more time.
        inspected.frames.pass(&frame(0, 10));
        assert!(inspected.is_overdue());
        inspected.frames.pass(&frame(0x80, 10));
        assert!(!inspected.is_overdue());
    }
}
