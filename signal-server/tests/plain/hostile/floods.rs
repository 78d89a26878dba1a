//! Too much of what is allowed.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::super::process::Process;
use super::raw::{CLOSE, CONTINUATION, FIN, PING, PONG, Raw, TEXT, frame, read_frame};
use super::witness::harm;

/// What came back for a flood.
#[derive(Debug, Default)]
pub(super) struct Answered {
    texts: Vec<Value>,
    pongs: usize,
    pub(super) close: Option<u16>,
}

/// Sends this again and again, and reads, until the server ends it.
pub(super) async fn flood(raw: Raw, bytes: &[u8]) -> Answered {
    let (mut reading, mut writing) = raw.stream.into_split();
    let mut answered = Answered::default();
    let reads = async {
        while let Some((kind, payload)) = read_frame(&mut reading).await {
            if kind == FIN | TEXT {
                answered
                    .texts
                    .push(serde_json::from_slice(&payload).expect("JSON"));
            } else if kind == FIN | PONG {
                answered.pongs += 1;
            } else if kind == FIN | CLOSE {
                answered.close = payload
                    .first_chunk::<2>()
                    .map(|code| u16::from_be_bytes(*code));
            }
        }
    };
    let writes = async { while writing.write_all(bytes).await.is_ok() {} };
    let both = async { tokio::join!(reads, writes) };
    timeout(CUT_WITHIN, both).await.expect("it is cut");
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_floods_of_pings_and_pongs_are_cut() {
    let server = Process::start(&[]);
    harm(&server, 32 << 20, async {
        for kind in [PING, PONG] {
            let bytes = frame(FIN | kind, &[7; 125]).repeat(100);
            let floods = (0..20).map(|_| async {
                let raw = Raw::connect(server.address).await.guest().await;
                flood(raw, &bytes).await
            });
            for answered in join_all(floods).await {
                assert_eq!(answered.close, Some(4029), "{answered:?}");
            }
        }
        // Before it says who it is, too.
        let mut raw = Raw::connect(server.address).await;
        assert!(raw.upgrade("/ws", "").await.starts_with("HTTP/1.1 101"));
        let answered = flood(raw, &frame(FIN | PING, b"").repeat(100)).await;
        assert_eq!(answered.close, Some(4029));
    })
    .await;
}

/// Messages of a flood.
fn requests() -> [Value; 7] {
    [
        json!({"type": "register"}),
        json!({"type": "use_pairing_code", "code": "222"}),
        json!({"type": "join_room", "room_code": "2222222222"}),
        json!({"type": "relay", "to": "g-0000000000000000", "payload": 1}),
        json!({"type": "dance"}),
        json!({"type": "create_pairing_code"}),
        json!({"type": "create_room"}),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_floods_of_requests_are_told_and_cut() {
    let server = Process::start(&[]);
    harm(&server, 48 << 20, async {
        for request in requests() {
            let bytes = frame(FIN | TEXT, request.to_string().as_bytes()).repeat(20);
            let floods = (0..20).map(|_| async {
                let raw = Raw::connect(server.address).await.guest().await;
                flood(raw, &bytes).await
            });
            for answered in join_all(floods).await {
                assert_eq!(answered.close, Some(4029), "{request}");
                let told = |text: &&Value| text["code"] == "rate_limited";
                let told = answered.texts.iter().filter(told).count();
                assert!(told >= 5, "{request}: it is told {told} times");
                // 60 at once and 20 a second, and those that tell.
                assert!(
                    answered.texts.len() < 60 + 100 + 6,
                    "{request}: {}",
                    answered.texts.len()
                );
            }
        }
    })
    .await;
}

/// Asks for answers and reads none, until it is cut.
async fn be_deaf(address: SocketAddr, bytes: &[u8]) {
    let mut raw = Raw::connect_narrow(address).await.guest().await;
    let ended = timeout(CUT_WITHIN, async {
        // Who waits for room to write learns of the end as well.
        while raw.write(bytes).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    ended.await.expect("it is cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_clients_that_never_read_are_cut_and_hold_little() {
    const MANY: u64 = 100;
    let server = Process::start(&[]);
    let stamp = "x".repeat(60_000);
    let ping = json!({"type": "ping", "timestamp": stamp}).to_string();
    let bytes = frame(FIN | TEXT, ping.as_bytes());
    // What waits in the outbox and in the buffers of the socket: 256 KiB each, and the frames on their way.
    harm(&server, MANY * 768 * 1024, async {
        join_all((0..MANY).map(|_| be_deaf(server.address, &bytes))).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_messages_of_endless_nothing_do_not_slow_others() {
    let server = Process::start(&[]);
    harm(&server, 32 << 20, async {
        let parts = frame(CONTINUATION, b"").repeat(5000);
        let floods = (0..10).map(|_| async {
            let mut raw = Raw::connect(server.address).await.guest().await;
            raw.say(TEXT, b"").await;
            for _ in 0..100 {
                if raw.write(&parts).await.is_err() {
                    return;
                }
            }
        });
        join_all(floods).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_questions_of_health_do_not_slow_clients() {
    let server = Process::start(&[]);
    harm(&server, 64 << 20, async {
        let inside = (0..500).map(|_| async { Raw::connect(server.address).await.guest().await });
        let inside = join_all(inside).await;
        let asking = (0..20).map(|number| async move {
            let path = ["/ready", "/metrics", "/", "/health"][number % 4];
            for _ in 0..100 {
                let mut raw = Raw::connect(server.address).await;
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                raw.write(request.as_bytes()).await.expect("sent");
                assert!(raw.hear_rest().await.starts_with(b"HTTP/1.1 200"));
            }
        });
        join_all(asking).await;
        drop(inside);
    })
    .await;
}

/// Longest that a flood may last: the time for one write to make progress, and room for a busy machine.
const CUT_WITHIN: Duration = Duration::from_secs(15);
