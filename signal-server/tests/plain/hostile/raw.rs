//! A client without manners: bytes as they are given, frames with any bits.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ErrorKind};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::super::server::PATIENCE;

/// Bits of a frame's first byte.
pub(super) const FIN: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

pub(super) struct Raw {
    pub(super) stream: TcpStream,
}

impl Raw {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Self { stream }
    }

    /// With little room for what it does not read.
    pub(super) async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let stream = socket.connect(address).await.expect("it listens");
        Self { stream }
    }

    /// Asks for a WebSocket at this path; gives the head of the answer.
    pub(super) async fn upgrade(&mut self, path: &str, headers: &str) -> String {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        self.stream
            .write_all(request.as_bytes())
            .await
            .expect("the server reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, self.stream.read_u8()).await;
            head.push(byte.expect("in time").expect("a whole head"));
        }
        String::from_utf8(head).expect("text")
    }

    /// A guest, whose answers so far have been read.
    pub(super) async fn guest(self) -> Self {
        self.guest_from("").await
    }

    /// The same, with these headers.
    pub(super) async fn guest_from(self, headers: &str) -> Self {
        let mut raw = self;
        assert!(
            raw.upgrade("/ws", headers)
                .await
                .starts_with("HTTP/1.1 101")
        );
        assert_eq!(raw.hear().await.map(|(kind, _)| kind), Some(FIN | TEXT));
        raw.say(FIN | TEXT, br#"{"type":"register"}"#).await;
        let (_, registered) = raw.hear().await.expect("an answer");
        let registered = String::from_utf8(registered).expect("text");
        assert!(
            registered.contains(r#""type":"registered""#),
            "{registered}"
        );
        raw
    }

    pub(super) async fn say(&mut self, first: u8, payload: &[u8]) {
        self.write(&frame(first, payload))
            .await
            .expect("the server reads");
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next frame's first byte and payload; nothing when the connection is at its end.
    pub(super) async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        let heard = timeout(PATIENCE, read_frame(&mut self.stream)).await;
        heard.expect("the server answers in time")
    }

    /// Reads until the connection ends; gives the code of the close frame before it, if there is one.
    pub(super) async fn hear_end(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some((kind, payload)) = self.hear().await {
            if kind == FIN | CLOSE {
                let number = payload.first_chunk::<2>();
                code = number.map(|number| u16::from_be_bytes(*number));
            }
        }
        code
    }

    /// All that is said until the connection ends.
    pub(super) async fn hear_rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut all)).await;
        if let Err(error) = end.expect("the server ends it in time") {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        all
    }
}

/// A masked frame, by a mask that changes nothing.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame_head(first, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// The head of a masked frame that claims this length.
pub(super) fn frame_head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => bytes.push(0x80 | short),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

pub(super) async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let length = match stream.read_u8().await.ok()? {
        126 => u64::from(stream.read_u16().await.ok()?),
        127 => stream.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).ok()?];
    stream.read_exact(&mut payload).await.ok()?;
    Some((first, payload))
}
