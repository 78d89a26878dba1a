//! What a proxy says of its clients, from one that is trusted and from anybody.

use futures_util::future::join_all;
use serde_json::json;
use signal_server::shell::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::Client;
use super::server::{PATIENCE, Server};

async fn server(trusted: &str) -> Server {
    let trusted = trusted.parse().expect("a network");
    Server::start(Settings {
        trusted_proxies: vec![trusted],
        ..Settings::default()
    })
    .await
}

/// What the page tells a person to type, who came by a request with these headers.
async fn to_type(server: &Server, headers: &str) -> &'static str {
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("it listens");
    let ask = format!("GET / HTTP/1.1\r\nhost: meet.example\r\n{headers}\r\n");
    stream.write_all(ask.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("in time").expect("text");
    let has = |scheme: &str| answer.contains(&format!("--server {scheme}://meet.example/ws"));
    match (has("ws"), has("wss")) {
        (true, false) => "ws",
        (false, true) => "wss",
        both => panic!("{both:?}: {answer}"),
    }
}

#[tokio::test]
async fn what_the_browser_speaks_is_believed_from_a_trusted_proxy_only() {
    let (trusting, wary) = (server("127.0.0.0/8").await, server("10.0.0.0/8").await);
    for (headers, by_a_proxy) in [
        ("", "ws"),
        ("X-Forwarded-Proto: https\r\n", "wss"),
        ("X-Forwarded-Proto: wss\r\n", "wss"),
        ("X-Forwarded-Proto: http\r\n", "ws"),
        ("X-Forwarded-Proto: \u{e9}\r\n", "ws"),
        ("X-Forwarded-Proto: https://evil.example/\r\n", "ws"),
        ("Forwarded: proto=https\r\n", "ws"),
    ] {
        assert_eq!(to_type(&trusting, headers).await, by_a_proxy, "{headers}");
        assert_eq!(to_type(&wary, headers).await, "ws", "{headers}");
    }
    for server in [trusting, wary] {
        server.stop().await;
    }
}

/// How many of 70 who say that each comes from elsewhere get a code; one address may have 64.
async fn codes(server: &Server, line: impl Fn(u8) -> String) -> usize {
    let clients = join_all((0..70).map(|host| {
        let line = line(host);
        async move {
            let (mut client, _) = Client::guest_from(server.address, &line).await;
            let answer = client.ask(json!({"type": "create_pairing_code"})).await;
            (client, answer)
        }
    }));
    let clients = clients.await;
    for (_, answer) in &clients {
        assert!(
            answer["type"] == "pairing_code" || answer["code"] == "rate_limited",
            "{answer}"
        );
    }
    let codes = clients
        .iter()
        .filter(|(_, answer)| answer["type"] == "pairing_code");
    codes.count()
}

#[tokio::test]
async fn where_clients_come_from_is_believed_from_a_trusted_proxy_only() {
    let (trusting, wary) = (server("127.0.0.0/8").await, server("10.0.0.0/8").await);
    // Each is counted alone; and as one where the line is a stranger's, invented before the last, or none.
    assert_eq!(
        codes(&trusting, |host| format!("198.51.100.{host}")).await,
        70
    );
    assert_eq!(codes(&wary, |host| format!("198.51.100.{host}")).await, 64);
    let through = |host| format!("198.51.100.{host}, 127.0.0.9");
    assert_eq!(codes(&trusting, through).await, 70);
    assert_eq!(
        codes(&trusting, |host| format!("198.51.100.{host}, x")).await,
        64
    );
    for server in [trusting, wary] {
        server.stop().await;
    }
}
