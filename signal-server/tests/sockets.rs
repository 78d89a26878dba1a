//! Real clients on real sockets against a server in the same process.

use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use signal_server::rendezvous::{self, Rate};
use signal_server::shell::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use towline_wire::ice::IceServers;
use towline_wire::ids::DeviceId;
use towline_wire::packet::{ChannelId, Ecn, Packet, PacketKind};
use towline_wire::signal::{
    ClientMessage, ErrorCode, HostName, Notice, PairingFailure, Payload, RegisterProof,
    Registration, Request, RequestId, ServerMessage, SignalId, proof_message,
};
use towline_wire::version::SIGNAL_SUBPROTOCOL;

#[path = "plain/server.rs"]
mod server;

use server::{PATIENCE, Server};

impl Server {
    async fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("the server listens");
        stream
            .write_all(text.as_bytes())
            .await
            .expect("the server reads");
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .expect("in time")
            .expect("text");
        answer
    }
}

struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address)
            .await
            .expect("the server listens");
        Self::open_on(server, stream).await
    }

    async fn open_on(server: &Server, stream: TcpStream) -> Self {
        let mut request = format!("ws://{}/ws", server.address)
            .into_client_request()
            .expect("a valid URL");
        let subprotocol = SIGNAL_SUBPROTOCOL.parse().expect("a valid header");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", subprotocol);
        let (socket, response) = client_async(request, stream)
            .await
            .expect("the server upgrades");
        assert_eq!(
            response.headers()["sec-websocket-protocol"],
            SIGNAL_SUBPROTOCOL
        );
        Self { socket }
    }

    async fn device(server: &Server, number: u8) -> (Self, SignalId) {
        let client = Self::open(server).await;
        client.register(number).await
    }

    async fn register(self, number: u8) -> (Self, SignalId) {
        let mut client = self;
        let ServerMessage::Hello { nonce, .. } = client.hear().await else {
            panic!("hello comes first")
        };
        let key = SigningKey::from_bytes(&[number; 32]);
        let device = DeviceId::from_public_key(key.verifying_key().to_bytes());
        let host = HostName::parse("127.0.0.1").expect("a valid host");
        let signature = key
            .sign(&proof_message(1, &host, &nonce, &device))
            .to_bytes();
        let proof = RegisterProof {
            version: 1,
            host,
            signature,
        };
        client
            .say(ClientMessage::register(Registration::Device {
                device,
                proof,
            }))
            .await;
        assert_eq!(
            client.hear().await,
            ServerMessage::Registered {
                device_id: device.into(),
                ice: IceServers::default(),
            }
        );
        (client, device.into())
    }

    async fn guest(server: &Server, register: &str) -> (Self, SignalId) {
        let mut client = Self::open(server).await;
        assert!(matches!(client.hear().await, ServerMessage::Hello { .. }));
        client.say_text(register).await;
        let ServerMessage::Registered { device_id, .. } = client.hear().await else {
            panic!("not registered")
        };
        (client, device_id)
    }

    async fn say(&mut self, message: ClientMessage) {
        self.say_text(&Request::new(message).to_json()).await;
    }

    async fn say_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("the server reads");
    }

    async fn frame(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.socket.next())
            .await
            .expect("the server answers in time")
    }

    async fn hear_notice(&mut self) -> Notice {
        loop {
            match self.frame().await {
                Some(Ok(Message::Text(text))) => {
                    return Notice::from_json(&text).expect("a notice");
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no notice but {other:?}"),
            }
        }
    }

    async fn hear(&mut self) -> ServerMessage {
        self.hear_notice().await.message
    }

    async fn hear_close(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Text(_))) => {}
                other => panic!("no close but {other:?}"),
            }
        }
    }

    async fn code(&mut self) -> towline_wire::code::Slot {
        self.say(ClientMessage::CreatePairingCode).await;
        let ServerMessage::PairingCode { code, .. } = self.hear().await else {
            panic!("no code")
        };
        code
    }
}

async fn open_relay(server: &Server, url: &str, token: Option<&str>) -> Result<Client, Error> {
    let mut request = format!("ws://{}{url}", server.address).into_client_request()?;
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().expect("a valid header");
        request.headers_mut().insert("authorization", bearer);
    }
    let stream = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    Ok(Client {
        socket: client_async(request, stream).await?.0,
    })
}

fn packet(kind: PacketKind, channel: ChannelId, datagram: &[u8]) -> Vec<u8> {
    let packet = Packet {
        kind,
        ecn: Ecn::Capable0,
        channel,
        datagram,
    };
    [packet.header().as_slice(), datagram].concat()
}

#[tokio::test]
async fn two_devices_pair_and_exchange_payloads() {
    let server = Server::start(Settings::default()).await;
    let (mut alice, alice_id) = Client::device(&server, 1).await;
    let (mut bob, bob_id) = Client::device(&server, 2).await;
    let code = alice.code().await;
    bob.say(ClientMessage::UsePairingCode { code: code.clone() })
        .await;
    assert_eq!(
        bob.hear().await,
        ServerMessage::Paired { peer_id: alice_id }
    );
    assert_eq!(
        alice.hear().await,
        ServerMessage::Paired { peer_id: bob_id }
    );
    bob.say(ClientMessage::relay(
        alice_id,
        Payload::from_text("c2hhcmU="),
    ))
    .await;
    let ServerMessage::Relayed { from, payload, .. } = alice.hear().await else {
        panic!("not relayed")
    };
    assert_eq!(
        (from, payload.as_text().as_deref()),
        (bob_id, Some("c2hhcmU="))
    );

    let (mut eve, _) = Client::device(&server, 3).await;
    eve.say(ClientMessage::UsePairingCode { code }).await;
    assert_eq!(
        eve.hear().await,
        ServerMessage::PairingFailed {
            reason: PairingFailure::CodeInvalid
        }
    );
    server.stop().await;
}

#[tokio::test]
async fn the_documented_first_messages_work_as_they_stand() {
    let server = Server::start(Settings::default()).await;
    let (mut one, one_id) =
        Client::guest(&server, r#"{"type":"register","device_id":"abc"}"#).await;
    let (mut other, other_id) =
        Client::guest(&server, r#"{"type":"register","clientId":"abc"}"#).await;
    assert_ne!(one_id, other_id, "the same name is only a label");
    let code = one.code().await;
    other
        .say_text(&format!(
            r#"{{"type":"use_pairing_code","code":"{code}","id":"mine"}}"#
        ))
        .await;
    let answer = other.hear_notice().await;
    assert!(answer.id.is_some(), "the id is echoed");
    assert_eq!(answer.message, ServerMessage::Paired { peer_id: one_id });
    assert_eq!(
        one.hear().await,
        ServerMessage::Paired { peer_id: other_id }
    );
    other
        .say_text(&format!(
            r#"{{"type":"sync_data","to":"{one_id}","payload":{{"a":[1.50]}}}}"#
        ))
        .await;
    let Some(Ok(Message::Text(text))) = one.frame().await else {
        panic!("no text")
    };
    assert!(
        text.contains(r#""type":"sync_data""#) && text.contains(r#""payload":{"a":[1.50]}"#),
        "{text}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_client_without_subprotocol_is_served() {
    let server = Server::start(Settings::default()).await;
    let stream = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    let (socket, response) = client_async(format!("ws://{}/ws", server.address), stream)
        .await
        .expect("the server upgrades");
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
    assert!(matches!(
        Client { socket }.hear().await,
        ServerMessage::Hello { .. }
    ));
    server.stop().await;
}

#[tokio::test]
async fn rubbish_is_answered_and_the_connection_stays() {
    let server = Server::start(Settings::default()).await;
    let (mut client, _) = Client::guest(&server, r#"{"type":"register"}"#).await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for text in [
        "",
        "{",
        "null",
        r#"{"type":"dance"}"#,
        r#"{"type":"relay","to":5}"#,
        &deep,
    ] {
        client.say_text(text).await;
        let heard = client.hear().await;
        assert!(
            matches!(
                heard,
                ServerMessage::Error {
                    code: ErrorCode::InvalidMessage,
                    ..
                }
            ),
            "{heard:?}"
        );
    }
    client
        .say(ClientMessage::Ping {
            timestamp: Payload::from_json("7"),
        })
        .await;
    assert_eq!(
        client.hear().await,
        ServerMessage::Pong {
            timestamp: Payload::from_json("7")
        }
    );
    server.stop().await;
}

#[tokio::test]
async fn frames_that_are_too_large_or_binary_close() {
    let server = Server::start(Settings::default()).await;
    let (mut client, _) = Client::guest(&server, r#"{"type":"register"}"#).await;
    client.say_text(&"x".repeat(70_000)).await;
    assert_eq!(client.hear_close().await, 4013);
    let (mut client, _) = Client::guest(&server, r#"{"type":"register"}"#).await;
    client
        .socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .expect("the server reads");
    assert_eq!(client.hear_close().await, 4013);
    let mut early = Client::open(&server).await;
    early.say_text(&"x".repeat(5_000)).await;
    assert_eq!(early.hear_close().await, 4013);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_proof_is_told_and_closed() {
    let server = Server::start(Settings::default()).await;
    let mut client = Client::open(&server).await;
    assert!(matches!(client.hear().await, ServerMessage::Hello { .. }));
    let device = DeviceId::from_public_key([1; 32]);
    let host = HostName::parse("127.0.0.1").expect("a valid host");
    let proof = RegisterProof {
        version: 1,
        host,
        signature: [0; 64],
    };
    let message = ClientMessage::register(Registration::Device { device, proof });
    let request = Request {
        id: Some(RequestId::from_number(9)),
        message,
    };
    client.say_text(&request.to_json()).await;
    let answer = client.hear_notice().await;
    assert_eq!(answer.id, request.id);
    assert!(matches!(
        answer.message,
        ServerMessage::Error {
            code: ErrorCode::BadProof,
            ..
        }
    ));
    assert_eq!(client.hear_close().await, 4003);
    server.stop().await;
}

#[tokio::test]
async fn a_reconnecting_creator_finds_its_mailbox_and_its_post() {
    let server = Server::start(Settings::default()).await;
    let (mut alice, alice_id) = Client::device(&server, 1).await;
    let code = alice.code().await;
    drop(alice);
    let (mut bob, bob_id) = Client::device(&server, 2).await;
    bob.say(ClientMessage::UsePairingCode { code }).await;
    assert_eq!(
        bob.hear().await,
        ServerMessage::Paired { peer_id: alice_id }
    );
    let (mut alice, _) = Client::device(&server, 1).await;
    assert_eq!(
        alice.hear().await,
        ServerMessage::Paired { peer_id: bob_id }
    );
    bob.say(ClientMessage::relay(alice_id, Payload::from_text("share")))
        .await;
    assert!(matches!(alice.hear().await, ServerMessage::Relayed { from, .. } if from == bob_id));
    server.stop().await;
}

#[tokio::test]
async fn the_same_key_on_a_new_connection_replaces_the_old() {
    let server = Server::start(Settings::default()).await;
    let (mut old, _) = Client::device(&server, 1).await;
    let (_new, _) = Client::device(&server, 1).await;
    assert_eq!(old.hear_close().await, 4009);
    server.stop().await;
}

#[tokio::test]
async fn a_relay_channel_passes_packets_both_ways() {
    let server = Server::start(Settings::default()).await;
    let (mut alice, alice_id) = Client::device(&server, 1).await;
    let (mut bob, bob_id) = Client::device(&server, 2).await;
    alice
        .say(ClientMessage::Watch {
            peers: vec![bob_id],
        })
        .await;
    bob.say(ClientMessage::Watch {
        peers: vec![alice_id],
    })
    .await;
    assert_eq!(
        alice.hear().await,
        ServerMessage::PeerConnected { peer_id: bob_id }
    );
    assert_eq!(
        bob.hear().await,
        ServerMessage::PeerConnected { peer_id: alice_id }
    );
    alice.say(ClientMessage::RelayOpen { to: bob_id }).await;
    let mut ends = Vec::new();
    for client in [&mut alice, &mut bob] {
        let ServerMessage::RelayReady {
            channel,
            url,
            token,
            ..
        } = client.hear().await
        else {
            panic!("not ready")
        };
        let relay = open_relay(&server, &url, Some(&token.reveal()))
            .await
            .expect("the relay opens");
        assert!(
            open_relay(&server, &url, None).await.is_err(),
            "no token, no socket"
        );
        let mut twice = open_relay(&server, &url, Some(&token.reveal()))
            .await
            .expect("the socket opens");
        assert_eq!(twice.hear_close().await, 4012);
        ends.push((relay, channel));
    }
    let (bob_end, _) = &mut ends.pop().expect("two ends");
    let (alice_end, channel) = &mut ends.pop().expect("two ends");
    // The answer to a ping shows that the end is seated.
    for end in [&mut *alice_end, &mut *bob_end] {
        let ping = packet(PacketKind::Ping, *channel, b"seated?");
        end.socket
            .send(Message::binary(ping))
            .await
            .expect("the server reads");
        let Some(Ok(Message::Binary(pong))) = end.frame().await else {
            panic!("no pong")
        };
        assert_eq!(pong, packet(PacketKind::Pong, *channel, b"seated?"));
    }
    for number in 0..100u8 {
        let datagram = vec![number; 1200];
        let sent = packet(PacketKind::Data, *channel, &datagram);
        alice_end
            .socket
            .send(Message::binary(sent.clone()))
            .await
            .expect("the server reads");
        let Some(Ok(Message::Binary(got))) = bob_end.frame().await else {
            panic!("no packet")
        };
        assert_eq!(got, sent);
        bob_end
            .socket
            .send(Message::binary(sent.clone()))
            .await
            .expect("the server reads");
        let Some(Ok(Message::Binary(got))) = alice_end.frame().await else {
            panic!("no packet")
        };
        assert_eq!(got, sent);
    }
    bob_end
        .socket
        .close(None)
        .await
        .expect("the server answers");
    assert_eq!(alice_end.hear_close().await, 4011);
    server.stop().await;
}

#[tokio::test]
async fn health_and_version_answer_and_strangers_to_http_are_refused() {
    let server = Server::start(Settings::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let health = server.raw(&get("/health")).await;
    assert!(
        health.starts_with("HTTP/1.1 200") && health.ends_with(r#"{"status":"ok"}"#),
        "{health}"
    );
    let version = server.raw(&get("/version")).await;
    assert!(
        version.contains(env!("CARGO_PKG_VERSION")) && version.contains("towline-signal"),
        "{version}"
    );
    assert!(server.raw(&get("/ready")).await.starts_with("HTTP/1.1 200"));
    assert!(server.raw(&get("/ws")).await.starts_with("HTTP/1.1 426"));
    assert!(
        server
            .raw(&get("/nothing"))
            .await
            .starts_with("HTTP/1.1 404")
    );
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    // The server may stop reading before all of it is written.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("in time");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    server.stop().await;
}

#[tokio::test]
async fn the_numbers_tell_what_happened_and_nobody() {
    let server = Server::start(Settings::default()).await;
    let metrics = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let before = server.raw(metrics).await;
    for line in [
        "towline_connections_total{door=\"relay\"} 0",
        "towline_registers_total{result=\"failed\"} 0",
        "towline_pairings_total{what=\"done\"} 0",
        "towline_turned_away_total{reason=\"tls\"} 0",
        "towline_errors_total{code=\"internal\"} 0",
        "towline_disconnects_total{code=\"4008\"} 0",
    ] {
        assert!(
            before.contains(line),
            "it is there before: {line}: {before}"
        );
    }
    let (creator, creator_id) = Client::device(&server, 1).await;
    let (mut guest, _) = Client::guest(&server, r#"{"type":"register"}"#).await;
    guest
        .socket
        .send(Message::text("rubbish"))
        .await
        .expect("sent");
    assert!(matches!(guest.hear().await, ServerMessage::Error { .. }));
    let text = server.raw(metrics).await;
    for line in [
        "towline_connections_total{door=\"signal\"} 2",
        "towline_registers_total{result=\"device\"} 1",
        "towline_registers_total{result=\"guest\"} 1",
        "towline_errors_total{code=\"invalid_message\"} 1",
        "towline_open_connections 2",
        "towline_devices 1",
        "towline_max_connections 10000",
        "towline_draining 0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let SignalId::Device(device) = creator_id else {
        panic!("it is a device");
    };
    let name = device.to_string();
    assert!(
        !text.contains(&name[..8]) && !text.contains("127.0.0.1"),
        "{text}"
    );
    drop(creator);
    server.stop().await;
}

#[tokio::test]
async fn a_full_server_is_not_ready_and_lives() {
    let settings = Settings {
        rendezvous: rendezvous::Settings {
            connections_max: 1,
            ..rendezvous::Settings::default()
        },
        ..Settings::default()
    };
    let server = Server::start(settings).await;
    let (_client, _) = Client::device(&server, 1).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let ready = server.raw(&get("/ready")).await;
    assert!(
        ready.starts_with("HTTP/1.1 503") && ready.contains("\"full\""),
        "{ready}"
    );
    assert!(
        server
            .raw(&get("/health"))
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_slows_nobody() {
    let payload_rate = Rate::per_second(1_000_000_000, u32::MAX);
    let rendezvous = rendezvous::Settings {
        payload_rate,
        ..rendezvous::Settings::default()
    };
    let server = Server::start(Settings {
        rendezvous,
        ..Settings::default()
    })
    .await;
    let (mut alice, alice_id) = Client::device(&server, 1).await;
    let narrow = TcpSocket::new_v4().expect("a socket");
    narrow.set_recv_buffer_size(4096).expect("a small buffer");
    let stream = narrow
        .connect(server.address)
        .await
        .expect("the server listens");
    let (mut bob, bob_id) = Client::open_on(&server, stream).await.register(2).await;
    alice
        .say(ClientMessage::Watch {
            peers: vec![bob_id],
        })
        .await;
    bob.say(ClientMessage::Watch {
        peers: vec![alice_id],
    })
    .await;
    assert_eq!(
        alice.hear().await,
        ServerMessage::PeerConnected { peer_id: bob_id }
    );
    let payload = Payload::from_text(&"x".repeat(48 * 1024 - 2));
    for _ in 0..55 {
        alice
            .say(ClientMessage::relay(bob_id, payload.clone()))
            .await;
    }
    assert_eq!(
        alice.hear().await,
        ServerMessage::PeerDisconnected { peer_id: bob_id }
    );
    drop(bob);
    server.stop().await;
}

#[tokio::test]
async fn a_stopping_server_tells_and_closes() {
    let server = Server::start(Settings::default()).await;
    let (mut client, _) = Client::guest(&server, r#"{"type":"register"}"#).await;
    server.end();
    assert!(matches!(
        client.hear().await,
        ServerMessage::Draining { .. }
    ));
    assert_eq!(client.hear_close().await, 4000);
    server.stop().await;
}
