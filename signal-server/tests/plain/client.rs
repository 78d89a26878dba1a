//! A client of a hundred lines.

use std::net::SocketAddr;

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use towline_wire::ids::DeviceId;

use super::server::PATIENCE;

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// What the server greeted it with.
    pub(crate) hello: Value,
}

impl Client {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::open_from(address, "").await
    }

    /// What is said of where it comes from, if anything, is in `X-Forwarded-For`.
    pub(crate) async fn open_from(address: SocketAddr, forwarded: &str) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        let request = format!("ws://{address}/ws").into_client_request();
        let mut request = request.expect("a valid URL");
        if !forwarded.is_empty() {
            let value = forwarded.parse().expect("a valid header");
            request.headers_mut().insert("x-forwarded-for", value);
        }
        let (socket, _) = client_async(request, stream)
            .await
            .expect("the server upgrades");
        let mut client = Self {
            socket,
            hello: Value::Null,
        };
        client.hello = client.hear().await;
        assert_eq!(client.hello["type"], "hello");
        client
    }

    /// Registers as a guest by the first message of existing clients; gives its id.
    pub(crate) async fn guest(address: SocketAddr) -> (Self, String) {
        Self::guest_from(address, "").await
    }

    /// The same, as [`open_from`](Self::open_from).
    pub(crate) async fn guest_from(address: SocketAddr, forwarded: &str) -> (Self, String) {
        let mut client = Self::open_from(address, forwarded).await;
        client
            .say(json!({"type": "register", "clientId": "abc"}))
            .await;
        let registered = client.hear().await;
        let id = registered["device_id"].as_str().expect("an id").to_owned();
        assert!(id.starts_with("g-"), "{registered}");
        (client, id)
    }

    /// Asks to be registered as the device of this number; `more` are other fields.
    pub(crate) async fn ask_as_device(&mut self, number: u8, more: Value) {
        let mut request = self.proof(number);
        if let (Some(request), Value::Object(more)) = (request.as_object_mut(), more) {
            request.extend(more);
        }
        self.say(request).await;
    }

    /// What registers the device of this number on this connection.
    pub(crate) fn proof(&self, number: u8) -> Value {
        let key = SigningKey::from_bytes(&[number; 32]);
        let public = key.verifying_key().to_bytes();
        let nonce = self.hello["nonce"].as_str().expect("a nonce").as_bytes();
        let nonce = BASE64.decode(nonce).expect("base64");
        let host = b"127.0.0.1";
        let signed = [
            b"towline signal register\0".as_slice(),
            &[0, 1, 0, host.len() as u8],
            host,
            &nonce,
            &public,
        ]
        .concat();
        let signature = BASE64.encode(&key.sign(&signed).to_bytes());
        json!({
            "type": "register",
            "device_id": DeviceId::from_public_key(public).to_string(),
            "proof": {"version": 1, "host": "127.0.0.1", "signature": signature},
        })
    }

    /// Registers as the device of this number; gives its id.
    pub(crate) async fn device(address: SocketAddr, number: u8) -> (Self, String) {
        let mut client = Self::open(address).await;
        client.ask_as_device(number, json!({})).await;
        let registered = client.hear().await;
        let id = registered["device_id"].as_str().expect("an id").to_owned();
        (client, id)
    }

    /// Makes a code with which the other one comes; returns it.
    pub(crate) async fn meet(&mut self, other: &mut Self) -> Value {
        let made = self.ask(json!({"type": "create_pairing_code"})).await;
        let code = made["code"].clone();
        other
            .ask(json!({"type": "use_pairing_code", "code": code}))
            .await;
        self.hear().await;
        code
    }

    pub(crate) async fn say(&mut self, message: Value) {
        let text = Message::text(message.to_string());
        self.socket.send(text).await.expect("the server reads");
    }

    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            let frame = self.frame().await;
            if let Message::Text(text) = &frame {
                return serde_json::from_str(text).expect("JSON");
            }
            let is_sign = matches!(frame, Message::Ping(_) | Message::Pong(_));
            assert!(is_sign, "no notice but {frame:?}");
        }
    }

    /// Waits for the close of the connection; gives its code.
    pub(crate) async fn hear_close(&mut self) -> u16 {
        loop {
            let frame = self.frame().await;
            if let Message::Close(Some(frame)) = &frame {
                return frame.code.into();
            }
            assert!(!matches!(frame, Message::Close(None)), "a code is told");
        }
    }

    /// Asks something and hears one answer.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await
    }

    async fn frame(&mut self) -> Message {
        let frame = timeout(PATIENCE, self.socket.next()).await;
        let frame = frame.expect("the server answers in time");
        frame.expect("a frame").expect("a valid frame")
    }
}
