//! Small servers that stand in for the world: a packet relay and a UDP hop that can die.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{DATE, SEC_WEBSOCKET_PROTOCOL};

type Ends = Arc<Mutex<HashMap<String, Vec<mpsc::Sender<Message>>>>>;

/// Accepts WebSockets and passes each to `serve` with its path.
pub(super) async fn websocket_server<F, S>(serve: F) -> SocketAddr
where
    F: Fn(String, WebSocketStream<TcpStream>) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (path, socket) = accept(stream, None).await;
            tokio::spawn(serve(path, socket));
        }
    });
    addr
}

/// Opens the server's end of a WebSocket, with the subprotocol that is asked for.
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    date: Option<&'static str>,
) -> (String, WebSocketStream<S>) {
    let mut path = String::new();
    #[expect(
        clippy::result_large_err,
        reason = "the shape that the handshake's callback has"
    )]
    let choose = |request: &Request, mut response: Response| {
        path = request.uri().path().to_owned();
        if let Some(protocol) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        if let Some(date) = date {
            let date = HeaderValue::from_static(date);
            response.headers_mut().insert(DATE, date);
        }
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, choose)
        .await
        .unwrap();
    (path, socket)
}

/// A server that says what time it is, and nothing else.
pub(super) async fn server_at(date: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (_, mut socket) = accept(stream, Some(date)).await;
        while let Some(Ok(_)) = socket.next().await {}
    });
    format!("ws://{addr}/ws")
}

/// A server that says nothing, until the client goes.
pub(super) async fn serve_silently<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let (_, mut socket) = accept(stream, None).await;
    while let Some(Ok(_)) = socket.next().await {}
}

/// A relay: what comes in at one end of a channel goes out at the others, or is dropped.
pub(super) async fn relay() -> String {
    let ends = Ends::default();
    let addr = websocket_server(move |path, socket| carry(path, socket, Arc::clone(&ends))).await;
    format!("ws://{addr}")
}

async fn carry(path: String, socket: WebSocketStream<TcpStream>, ends: Ends) {
    let (mut outgoing, mut incoming) = socket.split();
    let (queue, mut queued) = mpsc::channel(64);
    ends.lock()
        .unwrap()
        .entry(path.clone())
        .or_default()
        .push(queue.clone());
    let write = async {
        while let Some(message) = queued.recv().await {
            if outgoing.send(message).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Some(Ok(message)) = incoming.next().await {
            if message.is_close() {
                return;
            }
            for end in ends.lock().unwrap().get(&path).into_iter().flatten() {
                if !end.same_channel(&queue) {
                    // A full queue drops, as the real relay does.
                    let _dropped = end.try_send(message.clone());
                }
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}

/// A UDP hop in front of one address, which carries everything until it is cut.
pub(super) struct Hop {
    pub(super) addr: SocketAddr,
    cut: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
}

impl Hop {
    /// A hop between one client, the first that speaks, and `target`.
    pub(super) async fn before(target: SocketAddr) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        back.connect(target).await.unwrap();
        let hop = Self {
            addr: front.local_addr().unwrap(),
            cut: Arc::default(),
            carried: Arc::default(),
        };
        let client = Arc::new(Mutex::new(None));
        let (cut, carried) = (Arc::clone(&hop.cut), Arc::clone(&hop.carried));
        let (from_front, to_back, heard) =
            (Arc::clone(&front), Arc::clone(&back), Arc::clone(&client));
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = from_front.recv_from(&mut buffer).await {
                *heard.lock().unwrap() = Some(from);
                if !cut.load(Ordering::Relaxed) {
                    carried.fetch_add(1, Ordering::Relaxed);
                    to_back.send(&buffer[..length]).await.unwrap();
                }
            }
        });
        let cut = Arc::clone(&hop.cut);
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok(length) = back.recv(&mut buffer).await {
                let to = *client.lock().unwrap();
                if let Some(to) = to
                    && !cut.load(Ordering::Relaxed)
                {
                    front.send_to(&buffer[..length], to).await.unwrap();
                }
            }
        });
        hop
    }

    /// From now on nothing passes.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Everything passes again.
    pub(super) fn mend(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }

    /// Datagrams carried towards the target.
    pub(super) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}
