//! Strangers to TLS at a server that speaks it.

use futures_util::future::join_all;
use tokio::time::timeout;

use super::super::process::Process;
use super::door::CUT_WITHIN;
use super::raw::Raw;

/// What comes instead of a handshake; whether the server waits for more of it.
fn beginnings() -> Vec<(&'static str, Vec<u8>)> {
    // A record of 512 bytes with a ClientHello of 508, of which the random number begins.
    let hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 32]].concat();
    let whole = [&hello[..], &[0; 474]].concat();
    vec![
        ("nothing", Vec::new()),
        ("half of a record", hello),
        ("a hello that makes no sense", whole),
        (
            "a record that is too long",
            [&[0x16, 3, 1, 0xff, 0xff][..], &[1; 4000]].concat(),
        ),
        ("records of nothing", [0x16, 3, 1, 0, 0].repeat(1000)),
        ("alerts", [0x15, 3, 3, 0, 2, 1, 0].repeat(1000)),
        (
            "data before the handshake",
            [&[0x17, 3, 3, 1, 0][..], &[9; 256]].concat(),
        ),
        ("HTTP", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("SSL 2", [&[0x80, 0x2e, 1, 0, 2][..], &[0; 43]].concat()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_who_does_not_speak_tls_is_cut_and_counted() {
    let place = tempfile::tempdir().expect("a place");
    let made = rcgen::generate_simple_self_signed(["signal.example".to_owned()]);
    let made = made.expect("a certificate");
    let files = ["cert.pem", "key.pem"].map(|name| place.path().join(name));
    std::fs::write(&files[0], made.cert.pem()).expect("written");
    std::fs::write(&files[1], made.signing_key.serialize_pem()).expect("written");
    let [cert, key] = files.each_ref().map(|file| file.to_str().expect("text"));
    let numbers = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let at = numbers.local_addr().expect("it is bound");
    drop(numbers);
    let bind = at.to_string();
    let server = Process::start(&[
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        "--metrics-bind",
        &bind,
    ]);
    let before = server.begin_peak();
    let each = 30;
    let all = beginnings();
    let count = all.len() * each;
    let strangers = all.into_iter().flat_map(|one| vec![one; each]);
    join_all(strangers.map(|(name, bytes)| async move {
        let mut raw = Raw::connect(server.address).await;
        // The server may have ended it before all is written.
        let _ = raw.write(&bytes).await;
        let heard = timeout(CUT_WITHIN, raw.hear_rest()).await;
        let heard = heard.unwrap_or_else(|_| panic!("{name} is cut"));
        // An alert, or nothing: never an answer in clear.
        assert!(heard.is_empty() || heard[0] == 0x15, "{name}: {heard:?}");
    }))
    .await;
    let grown = server.peak_bytes().saturating_sub(before);
    println!("{count} strangers: memory grew by {grown} bytes at most");
    assert!(grown < 32 << 20, "memory grew by {grown} bytes");
    let mut raw = Raw::connect(at).await;
    raw.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let numbers = String::from_utf8(raw.hear_rest().await).expect("text");
    let line = format!("towline_turned_away_total{{reason=\"tls\"}} {count}");
    assert!(numbers.contains(&line), "{numbers}");
}
