//! Frames that are none, or that are too much.

use std::future::pending;
use std::time::Duration;

use futures_util::future::join_all;
use signal_server::shell::Settings;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval, timeout};

use super::super::process::Process;
use super::super::server::{PATIENCE, Server};
use super::raw::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Raw, TEXT, frame, frame_head, read_frame,
};
use super::witness::harm;

/// Against the protocol of WebSockets itself, and against what a text is.
const BROKEN: Option<u16> = Some(1002);
const NO_TEXT: Option<u16> = Some(1007);
/// Too large, or of the wrong type.
const UNACCEPTABLE: Option<u16> = Some(4013);

/// What is sent, and the code with which the server closes.
fn broken() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    let text = br#"{"type":"ping"}"#;
    let (part, end) = text.split_at(7);
    let all = |frames: &[Vec<u8>]| frames.concat();
    let mut unmasked = frame(FIN | TEXT, text);
    unmasked.splice(1..6, [15]);
    vec![
        (
            "a text that is none",
            frame(FIN | TEXT, b"{\"type\":\"\xff\xfe\"}"),
            NO_TEXT,
        ),
        (
            "a text that breaks off within a letter",
            all(&[frame(TEXT, b"\"\xc3"), frame(FIN | CONTINUATION, b"\"")]),
            NO_TEXT,
        ),
        (
            "a half of a pair of UTF-16",
            frame(FIN | TEXT, b"\"\xed\xa0\x80\""),
            NO_TEXT,
        ),
        (
            "a compressed frame, which nobody has agreed on",
            frame(FIN | 0x40 | TEXT, b"\xaa\x56\x4a\x05\x00"),
            BROKEN,
        ),
        (
            "bits without a meaning",
            frame(FIN | 0x30 | TEXT, text),
            BROKEN,
        ),
        ("a kind without a meaning", frame(FIN | 3, text), BROKEN),
        (
            "a control kind without a meaning",
            frame(FIN | 11, text),
            BROKEN,
        ),
        ("a frame without a mask", unmasked, BROKEN),
        ("a ping in parts", frame(PING, b"ping"), BROKEN),
        ("a long ping", frame(FIN | PING, &[0; 126]), BROKEN),
        (
            "the end of nothing",
            frame(FIN | CONTINUATION, text),
            BROKEN,
        ),
        (
            "a text within a text",
            all(&[frame(TEXT, part), frame(FIN | TEXT, end)]),
            BROKEN,
        ),
        ("a close of one byte", frame(FIN | CLOSE, &[3]), BROKEN),
        ("a close in parts", frame(CLOSE, &[3, 232]), BROKEN),
        ("a long close", frame(FIN | CLOSE, &[3; 126]), BROKEN),
        (
            "the longest length",
            frame_head(FIN | TEXT, u64::MAX),
            UNACCEPTABLE,
        ),
        (
            "a length of an exabyte",
            frame_head(FIN | BINARY, 1 << 60),
            UNACCEPTABLE,
        ),
        (
            "a byte too many",
            frame_head(FIN | TEXT, 65_537),
            UNACCEPTABLE,
        ),
        (
            "a byte too many in two parts",
            all(&[
                frame(TEXT, &[b' '; 65_536]),
                frame(FIN | CONTINUATION, b" "),
            ]),
            UNACCEPTABLE,
        ),
        (
            "a megabyte in parts",
            frame(TEXT, &[b' '; 1])
                .into_iter()
                .chain(frame(CONTINUATION, &[b' '; 1000]).repeat(1000))
                .collect(),
            UNACCEPTABLE,
        ),
        (
            "bytes where text belongs",
            frame(FIN | BINARY, text),
            UNACCEPTABLE,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_frames_that_are_none_are_told_and_closed() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        for (name, bytes, code) in broken() {
            let mut raw = Raw::connect(server.address).await.guest().await;
            // The server may have ended it before all is written.
            let _ = raw.write(&bytes).await;
            assert_eq!(raw.hear_end().await, code, "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_a_close_is_answered_once_and_what_follows_is_nothing() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        for close in [
            &[][..],
            &[3, 232],
            // Codes that must not be said, and a reason that is no text.
            &[3, 231],
            &[3, 237],
            &[0, 0],
            &[255, 255],
            &[3, 232, 0xff],
        ] {
            let mut raw = Raw::connect(server.address).await.guest().await;
            let ping = frame(FIN | TEXT, br#"{"type":"ping"}"#);
            let bytes = [&frame(FIN | CLOSE, close)[..], &ping.repeat(50)].concat();
            let _ = raw.write(&bytes).await;
            let mut closes = 0;
            while let Some((kind, payload)) = raw.hear().await {
                assert_eq!(kind, FIN | CLOSE, "{close:?}: {payload:?}");
                closes += 1;
            }
            assert!(closes <= 1, "{close:?}");
        }
        // Closes that never wait for an answer, and connections that are dropped in the middle of a frame.
        for count in 0..500 {
            let mut raw = Raw::connect(server.address).await.guest().await;
            let bytes = match count % 3 {
                0 => frame(FIN | CLOSE, &[3, 232]),
                1 => frame_head(FIN | TEXT, 1000),
                _ => vec![FIN | TEXT],
            };
            raw.write(&bytes).await.expect("the server reads");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_a_message_in_many_parts_is_one_message() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        let mut raw = Raw::connect(server.address).await.guest().await;
        let text = br#"{"type":"ping","timestamp":7}"#;
        raw.say(TEXT, b"").await;
        for byte in text {
            raw.say(CONTINUATION, &[*byte]).await;
            raw.say(CONTINUATION, b"").await;
            raw.say(FIN | PONG, b"").await;
        }
        raw.say(FIN | PING, b"within").await;
        assert_eq!(raw.hear().await, Some((FIN | PONG, b"within".to_vec())));
        raw.say(FIN | CONTINUATION, b"").await;
        let (_, heard) = raw.hear().await.expect("an answer");
        let heard = String::from_utf8(heard).expect("text");
        assert!(heard.contains(r#""type":"pong""#), "{heard}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_messages_that_never_end_hold_no_more_than_the_largest() {
    const MANY: usize = 400;
    let server = Process::start(&[]);
    // Each may hold the largest message, as often as a growing buffer is too large, and its frames.
    let bytes_max = MANY as u64 * 160 * 1024;
    let held = harm(&server, bytes_max, async {
        let begun = (0..MANY).map(|number| async move {
            let mut raw = Raw::connect(server.address).await.guest().await;
            if number % 2 == 0 {
                raw.write(&frame_head(FIN | TEXT, 65_536))
                    .await
                    .expect("sent");
                raw.write(&[b' '; 65_000]).await.expect("sent");
            } else {
                raw.say(TEXT, b" ").await;
                for _ in 0..65 {
                    raw.say(CONTINUATION, &[b' '; 1000]).await;
                }
            }
            raw
        });
        let held = join_all(begun).await;
        // All of it has been read when something behind it is answered.
        let mut last = Raw::connect(server.address).await.guest().await;
        last.say(FIN | PING, b"").await;
        assert!(last.hear().await.is_some());
        held
    })
    .await;
    drop(held);
}

/// Sends this again and again, within what a client may, until the server closes; gives the code.
async fn until_closed(raw: Raw, bytes: Vec<u8>) -> u16 {
    let (mut reading, mut writing) = raw.stream.into_split();
    let closed = async {
        loop {
            let (kind, payload) = read_frame(&mut reading).await.expect("it says why");
            if kind == FIN | CLOSE {
                let code = payload.first_chunk::<2>().expect("a code");
                return u16::from_be_bytes(*code);
            }
        }
    };
    let signs = async {
        let mut pace = interval(Duration::from_millis(60));
        while writing.write_all(&bytes).await.is_ok() {
            pace.tick().await;
        }
        pending().await
    };
    let code = async {
        tokio::select! {
            code = closed => code,
            () = signs => unreachable!("it never ends"),
        }
    };
    timeout(PATIENCE, code).await.expect("it is cut")
}

#[tokio::test]
async fn a_message_that_never_ends_is_cut_however_alive_its_sender_looks() {
    let within = Duration::from_millis(400);
    let server = Server::start(Settings {
        message_within: within,
        ..Settings::default()
    })
    .await;
    let more = [frame(CONTINUATION, b" "), frame(FIN | PING, b"")].concat();
    for sign in [frame(FIN | PING, b"x"), frame(FIN | PONG, b""), more] {
        let mut raw = Raw::connect(server.address).await.guest().await;
        // Who has nothing under way is alive for as long as it says so, and messages that end are none.
        let begun = Instant::now();
        while begun.elapsed() < within * 2 {
            raw.say(FIN | PING, b"").await;
            raw.say(TEXT, b"{\"type\":").await;
            raw.say(FIN | CONTINUATION, b"\"ping\"}").await;
            for _ in 0..2 {
                let (kind, _) = raw.hear().await.expect("it is there");
                assert_ne!(kind, FIN | CLOSE);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        raw.say(TEXT, b"{").await;
        let begun = Instant::now();
        assert_eq!(until_closed(raw, sign).await, 4001);
        assert!(begun.elapsed() >= within, "{:?}", begun.elapsed());
    }
    server.stop().await;
}
