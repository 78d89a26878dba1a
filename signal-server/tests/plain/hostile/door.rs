//! Before a WebSocket stands: silence, slowness, requests that two readers would read in two ways.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval, timeout};

use super::super::process::Process;
use super::raw::Raw;
use super::witness::harm;

/// What somebody does who only wants to be there.
#[derive(Debug, Clone, Copy)]
enum Loiter {
    Silent,
    HalfALine,
    HeadByByte,
    BodyByByte,
    AfterAnAnswer,
    Deaf,
}

/// Is there until the server ends it; gives how long that took.
async fn loiter(address: SocketAddr, how: Loiter) -> Duration {
    let begun = Instant::now();
    let mut raw = Raw::connect_narrow(address).await;
    let (begin, drip): (&str, Option<&[u8]>) = match how {
        Loiter::Silent => ("", None),
        Loiter::HalfALine => ("GET /hea", None),
        Loiter::HeadByByte => ("GET /health HTTP/1.1\r\nX: ", Some(b"x")),
        Loiter::BodyByByte => (
            "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
            Some(b"x"),
        ),
        Loiter::AfterAnAnswer => ("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", None),
        Loiter::Deaf => {
            let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
            let ended = timeout(CUT_WITHIN, async {
                while raw.write(&request).await.is_ok() {}
            });
            ended.await.unwrap_or_else(|_| panic!("{how:?} is cut"));
            return begun.elapsed();
        }
    };
    raw.write(begin.as_bytes()).await.expect("sent");
    let (mut reading, mut writing) = raw.stream.into_split();
    let mut pace = interval(Duration::from_millis(200));
    let mut heard = [0; 1024];
    let ended = timeout(CUT_WITHIN, async {
        loop {
            tokio::select! {
                count = reading.read(&mut heard) => {
                    if matches!(count, Ok(0) | Err(_)) {
                        return;
                    }
                }
                _ = pace.tick() => {
                    if let Some(drip) = drip && writing.write_all(drip).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    ended.await.unwrap_or_else(|_| panic!("{how:?} is cut"));
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_only_holds_a_connection_is_cut() {
    let server = Process::start(&[]);
    harm(&server, 64 << 20, async {
        for how in [
            Loiter::Silent,
            Loiter::HalfALine,
            Loiter::HeadByByte,
            Loiter::BodyByByte,
            Loiter::AfterAnAnswer,
            Loiter::Deaf,
        ] {
            let all = join_all((0..50).map(|_| loiter(server.address, how))).await;
            println!("{how:?} is cut after {:?}", all.into_iter().max());
        }
    })
    .await;
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Requests that are none, or that two readers would cut in two ways; and how they are answered: each once, and then
/// the connection is at its end, so that nothing in it is ever read as a second request.
fn rubbish() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let second = "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = "HTTP/1.1\r\nHost: x\r\n";
    let text = |name, text: String, answers| (name, text.into_bytes(), answers);
    vec![
        text(
            "a second request behind the first",
            format!("GET /health {head}\r\n{second}"),
            &[200][..],
        ),
        text(
            "a length and chunks",
            format!(
                "POST /health {head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}"
            ),
            &[400, 405],
        ),
        text(
            "two lengths",
            format!("POST /health {head}Content-Length: 0\r\nContent-Length: 40\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "a negative length",
            format!("POST /health {head}Content-Length: -1\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "a signed length",
            format!("POST /health {head}Content-Length: +0\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "a length that no number holds",
            format!("POST /health {head}Content-Length: 99999999999999999999999\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "chunks under another name",
            format!("POST /health {head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "a space before the colon",
            format!("POST /health {head}Content-Length : 5\r\n\r\n{second}"),
            &[400],
        ),
        text(
            "a header that goes on in the next line",
            format!("GET /health {head}A: b\r\n c\r\n\r\n"),
            &[400],
        ),
        text(
            "a header without a colon",
            format!("GET /health {head}nonsense\r\n\r\n"),
            &[400],
        ),
        text(
            "a zero in a header",
            format!("GET /health {head}A: b\0c\r\n\r\n"),
            &[400],
        ),
        text(
            "a lone carriage return in a header",
            format!("GET /health {head}A: b\rX: c\r\n\r\n"),
            &[400],
        ),
        text("no method", format!(" /health {head}\r\n"), &[400]),
        text(
            "a path with a space",
            format!("GET /hea lth {head}\r\n"),
            &[400],
        ),
        text(
            "a version that is none",
            "GET /health HTTP/7.5\r\n\r\n".into(),
            &[400],
        ),
        text(
            "HTTP before there were headers",
            "GET /health\r\n\r\n".into(),
            &[400],
        ),
        text("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
        text(
            "a proxy is wanted",
            "GET http://elsewhere.example/health HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            &[200],
        ),
        text(
            "a tunnel is wanted",
            "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            &[404, 405],
        ),
        text(
            "a path out of the root",
            format!("GET /../../etc/passwd {head}\r\n"),
            &[404],
        ),
        text(
            "a long path",
            format!("GET /{} {head}\r\n", "x".repeat(9000)),
            &[414, 431],
        ),
        text(
            "a long header",
            format!("GET /health {head}A: {}\r\n\r\n", "x".repeat(9000)),
            &[431],
        ),
        text(
            "many headers",
            format!("GET /health {head}{}\r\n", "A: b\r\n".repeat(200)),
            &[431],
        ),
        text(
            "headers without end",
            format!("GET /health {head}{}", "A: b\r\n".repeat(100_000)),
            &[431],
        ),
        (
            "TLS",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat(),
            &[400],
        ),
        (
            "bytes of no meaning",
            (0..=255u8).cycle().take(5000).collect(),
            &[400],
        ),
        text(
            "a WebSocket without a key",
            format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n"),
            &[426],
        ),
        text(
            "a WebSocket of another version",
            format!("{UPGRADE}{KEY}Sec-WebSocket-Version: 8\r\n\r\n"),
            &[426],
        ),
        text(
            "a WebSocket by POST",
            format!(
                "POST{}{KEY}Sec-WebSocket-Version: 13\r\n\r\n",
                UPGRADE.trim_start_matches("GET")
            ),
            &[405],
        ),
        text(
            "a WebSocket by HTTP/1.0",
            format!(
                "{}{KEY}Sec-WebSocket-Version: 13\r\n\r\n",
                UPGRADE.replace("HTTP/1.1", "HTTP/1.0")
            ),
            &[400, 426],
        ),
        text(
            "a channel without a token",
            format!(
                "{}{KEY}Sec-WebSocket-Version: 13\r\n\r\n",
                UPGRADE.replace("/ws", "/relay/7")
            ),
            &[401],
        ),
        text(
            "a channel that is no number",
            format!(
                "{}{KEY}Sec-WebSocket-Version: 13\r\nAuthorization: Bearer 00112233445566778899aabbccddeeff\r\n\r\n",
                UPGRADE.replace("/ws", "/relay/-1")
            ),
            &[400],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_rubbish_at_the_door_is_answered_once_and_never_read_as_two_requests() {
    let server = Process::start(&[]);
    harm(&server, 16 << 20, async {
        for (name, bytes, answers) in rubbish() {
            let mut raw = Raw::connect(server.address).await;
            // The server may have ended it before all is written.
            let _ = raw.write(&bytes).await;
            let heard = String::from_utf8_lossy(&raw.hear_rest().await).into_owned();
            let status = heard.get(9..12).and_then(|status| status.parse().ok());
            println!("{name}: {status:?}");
            // Where not all was read, a reset may take the answer with it.
            let is_expected = match status {
                Some(status) => answers.contains(&status),
                None => bytes.len() > 4096 || answers.is_empty(),
            };
            assert!(is_expected, "{name}: {heard}");
            assert!(heard.matches("HTTP/1.").count() <= 1, "{name}: {heard}");
        }
    })
    .await;
}

/// Tries to be let in from this address, as a proxy says, as often; gives how often that worked.
async fn come(server: &Process, forwarded: &str, times: usize) -> Vec<Raw> {
    let mut inside = Vec::new();
    for _ in 0..times {
        let mut raw = Raw::connect(server.address).await;
        let head = raw
            .upgrade("/ws", &format!("X-Forwarded-For: {forwarded}\r\n"))
            .await;
        if head.starts_with("HTTP/1.1 101") {
            inside.push(raw);
        } else {
            assert!(head.starts_with("HTTP/1.1 429"), "{head}");
            assert!(head.to_lowercase().contains("retry-after: "), "{head}");
        }
    }
    inside
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_many_connections_from_one_address_are_refused_and_its_neighbour_is_served() {
    // Loopback itself is not limited, so that it plays the proxy.
    let server = Process::start(&["--trusted-proxies", "127.0.0.1"]);
    harm(&server, 16 << 20, async {
        let begun = Instant::now();
        let inside = come(&server, "198.51.100.7", 300).await;
        // 30 at once and ten more each second, a hundred in the long run.
        let most = (30 + begun.elapsed().as_millis() / 100 + 1).min(101);
        let let_in = inside.len();
        println!("{let_in} of 300 were let in within {:?}", begun.elapsed());
        assert!((30..=usize::try_from(most).expect("small")).contains(&let_in));
        // What it writes there itself does not make it another one, however much that is.
        let invented = (0..200).map(|host| format!("203.0.113.{host}, "));
        let invented: String = invented.collect();
        assert!(
            come(&server, &format!("{invented}198.51.100.7"), 1)
                .await
                .len()
                <= 1
        );
        let neighbours = come(&server, "198.51.100.8", 30).await;
        assert_eq!(neighbours.len(), 30);
        let numbers = numbers(server.address).await;
        let refused = numbers.lines().find_map(|line| {
            let count = line.strip_prefix("towline_turned_away_total{reason=\"address\"} ")?;
            count.parse::<usize>().ok()
        });
        assert!(refused >= Some(300 - let_in), "{refused:?}");
    })
    .await;
}

async fn numbers(address: SocketAddr) -> String {
    let mut raw = Raw::connect(address).await;
    raw.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    String::from_utf8(raw.hear_rest().await).expect("text")
}

/// Longest that somebody may be there without being a client: twice the time for headers, and room for a busy machine.
pub(super) const CUT_WITHIN: Duration = Duration::from_secs(15);
