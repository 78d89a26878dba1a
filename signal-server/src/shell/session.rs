//! One open WebSocket: frames in to the hub, outbox out to the client.
//!
//! The future is small on purpose and runs in a task of its own, apart from the handshake's: it is
//! what a hundred thousand idle connections are made of.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as FrameCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use towline_wire::packet::PACKET_BYTES_MAX;
use towline_wire::signal::{CloseCode, MESSAGE_BYTES_MAX};

use super::gate::Admitted;
use super::hub::Hub;
use super::outbox::{Item, Outbox};
use super::parts::Inspected;
use crate::rendezvous::{ConnectionId, Door, Input};

/// Over TCP, or TLS over it.
pub(super) struct Session<S> {
    pub(super) connection: ConnectionId,
    pub(super) socket: WebSocketStream<Inspected<S>>,
    pub(super) hub: Hub,
    pub(super) outbox: Arc<Outbox>,
    /// Gives the place at its address back when the session ends.
    pub(super) admitted: Arc<Admitted>,
}

/// What a WebSocket is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beneath {
    Tcp,
    /// It keeps 4 KiB of what was read by itself, so that a small buffer costs no calls of the system.
    Tls,
}

/// Why a session ends.
enum End {
    /// The client is gone.
    Gone,
    /// The rendezvous closed it.
    Closed(CloseCode),
    /// The client does not read, or a frame was above its limit.
    Cut(CloseCode),
    /// What came is no frame, or no text: a code of the WebSocket protocol itself.
    Broken(FrameCode),
    /// The hub is no more.
    Stopped,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// The WebSocket settings of a door: small buffers (measured: 1 KiB to read cost about 4.5 KB
    /// per connection where the defaults cost 138 KB), larger ones where packets pass, and a bound on what
    /// waits in them.
    pub(super) fn config(door: &Door, beneath: Beneath) -> WebSocketConfig {
        let read_bytes = match beneath {
            Beneath::Tcp => READ_BUFFER_BYTES,
            Beneath::Tls => READ_BUFFER_BYTES / 2,
        };
        let (frame_bytes_max, read_bytes, write_bytes) = match door {
            Door::Signal => (MESSAGE_BYTES_MAX, read_bytes, NOTICES_BYTES),
            Door::Relay { .. } => (PACKET_BYTES_MAX, TOGETHER_BYTES, TOGETHER_BYTES),
        };
        WebSocketConfig::default()
            .read_buffer_size(read_bytes)
            .write_buffer_size(write_bytes)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(frame_bytes_max))
            .max_frame_size(Some(frame_bytes_max))
    }

    pub(super) async fn run(mut self) {
        let end = self.exchange().await;
        let frame = match end {
            End::Closed(code) | End::Cut(code) => Some(CloseFrame {
                code: FrameCode::from(code.number()),
                reason: code.reason().into(),
            }),
            End::Broken(code) => Some(CloseFrame {
                code,
                reason: "not a valid frame".into(),
            }),
            End::Gone | End::Stopped => None,
        };
        let cut = match end {
            End::Cut(code) => Some(code.number()),
            End::Broken(code) => Some(code.into()),
            End::Closed(_) | End::Gone | End::Stopped => None,
        };
        let connection = self.connection;
        // The hub may be gone already when the server stops.
        let _ = self.hub.ended(connection, cut);
        if let Some(frame) = frame {
            // What still comes in is read and dropped, or the system would answer it with a reset
            // that takes the close frame with it.
            let farewell = async {
                if self.socket.close(Some(frame)).await.is_ok() {
                    while let Some(Ok(_)) = self.socket.next().await {}
                }
            };
            // A client that does not answer in time is cut.
            let _ = timeout(FAREWELL_WITHIN, farewell).await;
        }
        drop(self.admitted);
    }

    async fn exchange(&mut self) -> End {
        let mut paused_until: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.outbox.changed() => {
                    if let Err(end) = self.write_out().await {
                        return end;
                    }
                    paused_until = self.outbox.take_pause().or(paused_until);
                }
                frame = self.socket.next(), if paused_until.is_none() => {
                    let input = match self.input_of(frame) {
                        Ok(input) => input,
                        Err(end) => return end,
                    };
                    if self.hub.happened(input).is_err() {
                        return End::Stopped;
                    }
                }
                () = async { match paused_until {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                } } => paused_until = None,
            }
        }
    }

    fn input_of(&self, frame: Option<Result<Message, Error>>) -> Result<Input, End> {
        let connection = self.connection;
        match frame {
            Some(Ok(Message::Text(text))) => Ok(Input::from_text(connection, &text)),
            Some(Ok(Message::Binary(packet))) => {
                // A part of what was read would keep all of it in memory for as long as it waits.
                let packet = Bytes::copy_from_slice(&packet);
                Ok(Input::Packet { connection, packet })
            }
            // Who only sends these while a message waits for its end is no more alive than who sends nothing.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))
                if self.socket.get_ref().is_overdue() =>
            {
                Err(End::Cut(CloseCode::Idle))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                Ok(Input::Alive { connection })
            }
            Some(Err(Error::Capacity(_))) => Err(End::Cut(CloseCode::Unacceptable)),
            Some(Err(Error::Utf8(_))) => Err(End::Broken(FrameCode::Invalid)),
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                Err(End::Gone)
            }
            Some(Err(Error::Protocol(_))) => Err(End::Broken(FrameCode::Protocol)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
        }
    }

    async fn write_out(&mut self) -> Result<(), End> {
        while let Some(item) = self.outbox.pop() {
            let message = match item {
                Item::Text(text) => Message::text(text),
                Item::Packet(packet) => Message::Binary(packet),
                Item::Ping => Message::Ping(Bytes::new()),
                Item::Close(code) => return Err(End::Closed(code)),
            };
            match timeout(WRITE_WITHIN, self.socket.feed(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => return Err(End::Cut(CloseCode::SlowConsumer)),
            }
        }
        match timeout(WRITE_WITHIN, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Cut(CloseCode::SlowConsumer)),
        }
    }
}

/// Read buffer of one WebSocket: 1 KiB holds ordinary messages; larger ones grow it for a while.
const READ_BUFFER_BYTES: usize = 1024;

/// Bytes of notices that are written at a time: 4 KiB. The buffer grows only where so many wait.
const NOTICES_BYTES: usize = 4 * 1024;

/// Bytes of packets that are read and written at a time: 16 KiB, 13 of the longest. A call of the system for each
/// packet, or two, cost more than all else that is done with it.
const TOGETHER_BYTES: usize = 16 * 1024;

/// Bytes that a WebSocket may buffer for writing: 256 KiB, as much as its outbox.
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Time for one write to make progress: 5 s; a client that stalls longer is better off with a new
/// connection.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// Time for the closing handshake: half a second; a client that is slower has the close frame on
/// its way all the same.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use tokio_rustls::server::TlsStream;

    use super::*;

    /// Measured at 1,200 bytes; every byte here is paid a hundred thousand times.
    #[test]
    fn the_session_future_stays_small() {
        fn size_of_run<S, F: Future>(_: impl FnOnce(Session<S>) -> F) -> usize {
            size_of::<F>()
        }
        let plain = size_of_run(Session::<TcpStream>::run);
        let tls = size_of_run(Session::<Box<TlsStream<TcpStream>>>::run);
        assert!(
            plain.max(tls) <= 2048,
            "session futures have {plain} and {tls} bytes"
        );
    }
}
