//! The session with a signal server that behaves, or does not.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use towline_core::io::{SignalEvent, SignalFault, SignalRequest};
use towline_wire::signal::{ClientMessage, CloseCode, MESSAGE_BYTES_MAX, Notice, ServerMessage};

use super::servers::websocket_server;
use crate::network::SignalClient;
use crate::tasks::Tasks;

struct Client {
    client: SignalClient,
    events: mpsc::Receiver<SignalEvent>,
    _tasks: Tasks,
}

impl Client {
    fn start() -> Self {
        let (events, told) = mpsc::channel(8);
        let tasks = Tasks::new();
        Self {
            client: SignalClient::start(events, &tasks),
            events: told,
            _tasks: tasks,
        }
    }

    fn connect(url: String) -> Self {
        let client = Self::start();
        client.client.request(SignalRequest::Connect(url));
        client
    }

    async fn next(&mut self) -> SignalEvent {
        timeout(Duration::from_secs(30), self.events.recv())
            .await
            .unwrap()
            .unwrap()
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
    client
        .client
        .request(SignalRequest::Send(ClientMessage::Ping { timestamp: None }));
    let pong = SignalEvent::Message(ServerMessage::Pong { timestamp: None });
    assert_eq!(client.next().await, pong);
    client.client.request(SignalRequest::Disconnect);
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Closed)
    );
}

#[tokio::test]
async fn another_connect_replaces_the_session() {
    let mut client = Client::connect(server_saying(vec![]).await);
    assert_eq!(client.next().await, SignalEvent::Opened);
    client
        .client
        .request(SignalRequest::Connect(server_saying(vec![]).await));
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
        .request(SignalRequest::Connect("not a url".to_owned()));
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Protocol)
    );
}

#[tokio::test]
async fn a_certificate_of_nobody_is_not_accepted() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // The client breaks off.
        assert!(acceptor.accept(stream).await.is_err());
    });
    let mut client = Client::connect(format!("wss://localhost:{port}/ws"));
    assert_eq!(
        client.next().await,
        SignalEvent::Closed(SignalFault::Certificate)
    );
}
