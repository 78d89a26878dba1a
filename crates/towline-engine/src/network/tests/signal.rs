//! The session with a signal server that behaves, or does not.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use towline_core::io::{SessionId, SignalEvent, SignalFault, SignalRequest};
use towline_wire::server_url::KeyPin;
use towline_wire::signal::{ClientMessage, CloseCode, MESSAGE_BYTES_MAX, Notice, ServerMessage};

use super::servers::{serve_silently, server_at, websocket_server};
use crate::network::SignalClients;
use crate::network::signal_client::Told;
use crate::tasks::Tasks;

struct Client {
    client: SignalClients,
    events: mpsc::Receiver<Told>,
    _tasks: Tasks,
}

impl Client {
    fn start() -> Self {
        let (events, told) = mpsc::channel(8);
        let tasks = Tasks::new();
        Self {
            client: SignalClients::new(events, Arc::default(), Arc::default(), tasks.clone()),
            events: told,
            _tasks: tasks,
        }
    }

    fn connect(url: String) -> Self {
        let mut client = Self::start();
        client
            .client
            .request(SessionId(0), SignalRequest::Connect(url));
        client
    }

    async fn next(&mut self) -> SignalEvent {
        timeout(Duration::from_secs(30), self.events.recv())
            .await
            .unwrap()
            .unwrap()
            .1
    }
}

/// A server that says these things, one after the other, and then echoes pings as pongs.
async fn server_saying(messages: Vec<Message>) -> String {
    let addr = websocket_server(move |path, mut socket| {
        let messages = messages.clone();
        async move {
            assert_eq!(path, "/ws");
            for message in messages {
                socket.send(message).await.unwrap();
            }
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    let pong = Notice::new(ServerMessage::Pong { timestamp: None });
                    socket.send(Message::text(pong.to_json())).await.unwrap();
                }
            }
        }
    })
    .await;
    format!("ws://{addr}/ws")
}

#[tokio::test]
async fn messages_go_both_ways() {
    let mut client = Client::connect(server_saying(vec![]).await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    client.client.request(
        SessionId(0),
        SignalRequest::Send(ClientMessage::Ping { timestamp: None }),
    );
    let pong = SignalEvent::Message(ServerMessage::Pong { timestamp: None });
    assert_eq!(client.next().await, pong);
    client
        .client
        .request(SessionId(0), SignalRequest::Disconnect);
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Closed)
    );
}

#[tokio::test]
async fn a_clock_that_is_far_from_the_servers_is_seen() {
    let mut client = Client::connect(server_saying(vec![]).await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    assert_eq!(client.client.times().ahead_by(), None, "it says no time");
    let mut client = Client::connect(server_at("Sun, 06 Nov 1994 08:49:37 GMT").await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    let ahead = client.client.times().ahead_by().unwrap();
    let since_2026 = 31 * 365 * 86_400;
    assert!(ahead > since_2026, "{ahead}");
}

#[tokio::test]
async fn another_connect_replaces_the_session() {
    let mut client = Client::connect(server_saying(vec![]).await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    client.client.request(
        SessionId(0),
        SignalRequest::Connect(server_saying(vec![]).await),
    );
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Closed)
    );
    assert_eq!(client.next().await, SignalEvent::Opened);
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_session() {
    let broken = [
        Message::text("{"),
        Message::text(r#"{"type":"hello"}"#),
        Message::binary(vec![1, 2, 3]),
        Message::text(" ".repeat(MESSAGE_BYTES_MAX + 1)),
    ];
    for message in broken {
        let mut client = Client::connect(server_saying(vec![message]).await);
        assert_eq!(client.next().await, SignalEvent::Opened);
        assert_eq!(
            client.next().await,
            SignalEvent::Closed(SignalFault::Protocol)
        );
    }
}

#[tokio::test]
async fn a_close_says_whether_trying_again_can_help() {
    for code in CloseCode::ALL {
        let close = Message::Close(Some(CloseFrame {
            code: code.number().into(),
            reason: code.reason().into(),
        }));
        let mut client = Client::connect(server_saying(vec![close]).await);
        assert_eq!(client.next().await, SignalEvent::Opened);
        let SignalEvent::Closed(fault) = client.next().await else {
            panic!("not closed by {code:?}")
        };
        assert_eq!(fault.is_retryable(), code.is_retryable(), "{code:?}");
    }
}

#[tokio::test]
async fn a_message_of_an_unknown_type_is_passed_by() {
    let unknown = Message::text(r#"{"type":"of_tomorrow"}"#);
    let known = Message::text(Notice::new(ServerMessage::Pong { timestamp: None }).to_json());
    let mut client = Client::connect(server_saying(vec![unknown, known]).await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    assert!(matches!(
        client.next().await,
        SignalEvent::Message(ServerMessage::Pong { .. })
    ));
}

#[tokio::test]
async fn no_server_and_no_url_are_told_apart() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let mut client = Client::connect(format!("ws://{free}/ws"));
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Unreachable)
    );
    client
        .client
        .request(SessionId(0), SignalRequest::Connect("not a url".to_owned()));
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Protocol)
    );
}

/// A server with a certificate that nobody has signed, for another name and long expired; and the pin of
/// its key.
async fn server_of_nobody() -> (String, KeyPin) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut certificate = rcgen::CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    certificate.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let certificate = certificate.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust us breaks off.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve_silently(stream));
            }
        }
    });
    let pin = KeyPin::from_bytes(Sha256::digest(key.subject_public_key_info()).into());
    (format!("wss://localhost:{port}/ws"), pin)
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_accepted() {
    let (url, _) = server_of_nobody().await;
    let mut client = Client::connect(url);
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Certificate)
    );
}

#[tokio::test]
async fn a_pinned_key_is_accepted_whatever_its_certificate_says_and_no_other_is() {
    let (url, pin) = server_of_nobody().await;
    let pinned = |pin: KeyPin| {
        let pin = data_encoding::BASE64URL_NOPAD.encode(pin.as_bytes());
        format!("{url}#sha256={pin}")
    };
    let mut client = Client::connect(pinned(pin));
    assert_eq!(client.next().await, SignalEvent::Opened);
    let mut other = *pin.as_bytes();
    other[31] ^= 1;
    let mut client = Client::connect(pinned(KeyPin::from_bytes(other)));
    assert_eq!(client.next().await, SignalEvent::Closed(SignalFault::Pin));
}
