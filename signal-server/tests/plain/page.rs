//! What a person sees who opens the server in a browser, and who comes when there is no room.

use serde_json::json;
use signal_server::rendezvous::Rate;
use signal_server::shell::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::client::Client;
use super::server::{PATIENCE, Server};

async fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    let ask =
        format!("GET {path} HTTP/1.1\r\nhost: meet.example:8080\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("in time").expect("text");
    answer
}

#[tokio::test]
async fn the_page_says_what_this_is_and_what_to_type() {
    let server = Server::start(Settings::default()).await;
    let answer = get(&server, "/").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for part in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "towline up --server ws://meet.example:8080/ws",
        "<dt>State</dt><dd>ready</dd>",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_finds_no_descriptor_left_is_told_to_come_later() {
    let server = Server::start(Settings {
        sockets_max: 2,
        ..Settings::default()
    })
    .await;
    let (first, _) = Client::guest(server.address).await;
    let (_second, _) = Client::guest(server.address).await;
    let answer = get(&server, "/ready").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    drop(first);
    let end = Instant::now() + PATIENCE;
    // The place is given back when the server has noticed.
    while !get(&server, "/health").await.starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < end, "in time");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_comes_too_fast_waits_and_is_served() {
    let server = Server::start(Settings {
        accept_rate: Rate::per_second(20, 1),
        ..Settings::default()
    })
    .await;
    let begin = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..11 {
        clients.push(Client::guest(server.address).await);
    }
    assert!(begin.elapsed().as_millis() >= 450, "{:?}", begin.elapsed());
    let (last, _) = clients.last_mut().expect("some");
    assert_eq!(last.ask(json!({"type": "ping"})).await["type"], "pong");
    server.stop().await;
}
