//! Heads of frames as they are read here, held against those of the library that puts the parts together; for fuzzing.
//!
//! The first byte says how many follow that say in what lengths the rest is read, over and over; the rest is what a client
//! sends.

use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

use super::{Frames, Inspected};

/// What is known after all bytes is the same however they are cut, and what the library would know.
pub(in super::super) fn websocket_heads(bytes: &[u8]) {
    let (cuts, sent) = cut(bytes);
    let mut at_once = Frames::default();
    at_once.pass(sent);
    let in_pieces = in_pieces(cuts, sent);
    assert_eq!(known(&in_pieces), known(&at_once));
    as_the_library(sent);
}

pub(in super::super) fn seeds() -> Vec<Vec<u8>> {
    let mask = [9, 8, 7, 6];
    let whole = [&[0x81, 0x83][..], &mask, b"abc"].concat();
    let (first, more) = ([&[1, 0x80][..], &mask], [&[0, 0x80][..], &mask]);
    let (ping, last) = ([&[0x89, 0x80][..], &mask], [&[0x80, 0x80][..], &mask]);
    let long = [&[0x82, 0xfe, 0, 126][..], &mask, &[1; 126]].concat();
    let longest = [&[2, 0xff, 0, 0, 0, 0, 0, 1, 0, 0][..], &mask, &[1; 9]].concat();
    let endless = [&[2, 0xff][..], &[0xff; 8], &mask, &[1; 9]].concat();
    let unmasked = vec![1, 0, 0x80, 1, 0, 0x8a, 0];
    let parts = [first, more, ping, last, first].concat().concat();
    let all = [&parts[..], &whole, &long, &whole].concat();
    let of = |cuts: &[u8], sent: &[u8]| [&[cuts.len() as u8], cuts, sent].concat();
    vec![
        of(&[1], &all),
        of(&[2, 5, 255], &all),
        of(&[], &whole),
        of(&[3, 7], &long),
        of(&[1, 4], &longest),
        of(&[11], &endless),
        of(&[1, 2], &unmasked),
    ]
}

fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((count, rest)) = bytes.split_first() else {
        return (&[], &[]);
    };
    rest.split_at(usize::from(*count).min(rest.len()))
}

/// What is known of a stream that is read in these lengths, the first of which was read before it was looked at. A buffer
/// always holds something already.
fn in_pieces(cuts: &[u8], sent: &[u8]) -> Frames {
    let mut lengths = cuts
        .iter()
        .map(|length| usize::from(*length).max(1))
        .cycle();
    let mut length = || lengths.next().unwrap_or(usize::MAX);
    let (read, stream) = sent.split_at(length().min(sent.len()));
    let mut inspected = Inspected::new(stream, Duration::ZERO, read);
    let mut context = Context::from_waker(Waker::noop());
    while !inspected.stream.is_empty() {
        let room = length().min(inspected.stream.len());
        let mut place = vec![0; BEFORE.len() + room];
        let mut buffer = ReadBuf::new(&mut place);
        buffer.put_slice(BEFORE);
        let polled = Pin::new(&mut inspected).poll_read(&mut context, &mut buffer);
        assert!(matches!(polled, Poll::Ready(Ok(()))));
        assert_eq!(buffer.filled().len(), BEFORE.len() + room);
    }
    inspected.frames
}

/// Of a frame: how much of its head has come and what that is, how much of it is still to come; and whether a message is
/// under way.
fn known(frames: &Frames) -> (&[u8], u64, bool) {
    let head = frames.head.get(..frames.head_len).unwrap_or_default();
    (head, frames.rest, frames.begun.is_some())
}

/// Follows the library from head to head, until it refuses one.
fn as_the_library(mut sent: &[u8]) {
    let mut frames = Frames::default();
    loop {
        let mut cursor = Cursor::new(sent);
        let Ok(head) = FrameHeader::parse(&mut cursor) else {
            return;
        };
        let Some((head, length)) = head else {
            frames.pass(sent);
            // Of a frame without its mask the length may be known already.
            assert!(frames.head_len == sent.len() || (frames.head_len == 0 && frames.rest > 0));
            return;
        };
        // Nobody sends so much that it would matter where the sum ends.
        let mask_len = head.mask.map_or(0, |mask| mask.len() as u64);
        let length = length.saturating_add(mask_len) - mask_len;
        let head_len = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let (passed, rest) = sent.split_at(head_len.min(sent.len()));
        let before = frames.begun;
        frames.pass(passed);
        let is_begun = match head.opcode {
            OpCode::Control(_) => before.is_some(),
            OpCode::Data(_) => !head.is_final,
        };
        assert_eq!(known(&frames), (&[][..], length, is_begun));
        if before.is_some() && is_begun {
            assert_eq!(frames.begun, before, "its time began with its first part");
        }
        let here = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (payload, behind) = rest.split_at(here);
        frames.pass(payload);
        assert_eq!(frames.rest, length - here as u64);
        if frames.rest > 0 {
            return;
        }
        sent = behind;
    }
}

/// What lies in a buffer before anything is read into it; as a head it would be one of a message in parts.
const BEFORE: &[u8] = &[1, 0];
