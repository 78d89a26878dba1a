//! One connection with one peer, from its proven key to its end.
//!
//! Each side opens one unidirectional control stream and writes one byte, [`CONTROL_STREAM`], at
//! once; the connection stands when both have seen the other's. That costs the dialer one round
//! trip and tells it for sure that it is not refused: in TLS 1.3 the dialer's own handshake is done
//! before the other side has judged its key. Then frames, by [`towline_wire::frame`].
//!
//! A slow engine makes the control stream wait: frames are read one at a time, and QUIC's windows
//! bound what the peer can have on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use quinn::{
    Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, VarInt,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use towline_core::io::{ConnectionId, DatagramSize, LinkFault, NetworkEvent};
use towline_core::measuring;
use towline_wire::frame;
use towline_wire::ids::DeviceId;
use towline_wire::limits::CONTROL_FRAME_BYTES_MAX;
use towline_wire::peer::Control;
use tracing::debug;

use super::IncomingStream;
use super::path_socket::PathSocket;
use super::routes::{BYTES_EVERYWHERE, Role};
use super::standstill::Standstill;

/// The first byte of a control stream.
const CONTROL_STREAM: u8 = 1;

/// How long both control streams may take to open: 10 s, several slow round trips.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);

/// The control stream goes before the data streams (0): an index page held up behind a large file
/// would hold up all planning.
const CONTROL_PRIORITY: i32 = 1;

/// Pause after which a peer that is heard again, and has not acknowledged, is nudged again: 250 ms, a round
/// trip of most paths.
const NUDGED_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Least pause between two nudges, however often the peer is heard: 20 ms. A flood of its packets costs a
/// hundred of ours in a second.
const NUDGES_APART: Duration = Duration::from_millis(20);

/// How long the side that accepts waits at least for the dialer's first packet after an outage: 100 ms.
const DIALER_FIRST_MIN: Duration = Duration::from_millis(100);

/// Silence after which a peer that was heard again is no longer nudged: 3 s.
const NUDGED_FOR: Duration = Duration::from_secs(3);

/// Why we close a connection, as the other side sees it (QUIC application error codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The core hangs up, or a newer connection stands.
    Done,
    /// The other side's key is not trusted (any more).
    NotTrusted,
    /// The other side broke the protocol.
    Protocol,
}

/// The two control streams of a connection that stands.
pub(super) struct ControlStreams {
    outgoing: SendStream,
    incoming: RecvStream,
}

/// What a session reports to.
pub(super) struct SessionEnds {
    pub(super) peer: DeviceId,
    pub(super) id: ConnectionId,
    pub(super) role: Role,
    pub(super) socket: Arc<PathSocket>,
    pub(super) standstill: Standstill,
    pub(super) events: mpsc::Sender<NetworkEvent>,
    pub(super) streams: mpsc::Sender<IncomingStream>,
}

impl CloseReason {
    /// Closes the connection for this reason.
    pub(super) fn close(self, connection: &Connection) {
        connection.close(self.code(), &[]);
    }

    const fn code(self) -> VarInt {
        VarInt::from_u32(match self {
            Self::Done => 0,
            Self::NotTrusted => 1,
            Self::Protocol => 2,
        })
    }
}

/// Opens both control streams.
pub(super) async fn establish(connection: &Connection) -> Result<ControlStreams, LinkFault> {
    let open = async {
        let mut outgoing = connection
            .open_uni()
            .await
            .map_err(|error| fault_of(&error))?;
        // A failure means that the stream is stopped, which the next write shows too.
        let _shown_later = outgoing.set_priority(CONTROL_PRIORITY);
        outgoing
            .write_all(&[CONTROL_STREAM])
            .await
            .map_err(|_| close_fault(connection))?;
        let mut incoming = connection
            .accept_uni()
            .await
            .map_err(|error| fault_of(&error))?;
        let mut kind = [0];
        read(&mut incoming, &mut kind).await?;
        match kind {
            [CONTROL_STREAM] => Ok(ControlStreams { outgoing, incoming }),
            [_] => Err(LinkFault::Protocol),
        }
    };
    timeout(OPEN_DEADLINE, open)
        .await
        .unwrap_or(Err(LinkFault::TimedOut))
}

/// Serves the connection until it ends, and tells why.
pub(super) async fn serve(
    connection: &Connection,
    control: ControlStreams,
    frames: mpsc::Receiver<Vec<u8>>,
    ends: &SessionEnds,
) -> LinkFault {
    tokio::select! {
        // Taken first, so that a connection closed from outside stops its reader before the next
        // frame.
        biased;
        error = connection.closed() => fault_of(&error),
        fault = read_frames(control.incoming, ends) => fault,
        fault = write_frames(control.outgoing, frames) => fault,
        fault = pass_streams(connection, ends) => fault,
        fault = discard_nudges(connection) => fault,
        fault = measure(connection, ends) => fault,
        fault = go_on_when_regained(connection, ends) => fault,
    }
}

/// Sends one packet that the peer must acknowledge, so that it sees our new path.
pub(super) fn nudge(connection: &Connection) {
    if let Err(error) = connection.send_datagram(Bytes::from_static(&[0])) {
        debug!(%error, "peer is not nudged");
    }
}

/// Whether the peer is heard on this connection, and on no other, within that time. What is already
/// on its way when it is asked does not count: only what comes in the second half does.
pub(super) async fn is_heard(connection: &Connection, within: Duration) -> bool {
    nudge(connection);
    sleep(within / 2).await;
    let before = connection.stats().udp_rx.datagrams;
    nudge(connection);
    sleep(within / 2).await;
    connection.stats().udp_rx.datagrams > before
}

/// What a connection's end means for the link.
pub(super) fn fault_of(error: &ConnectionError) -> LinkFault {
    match error {
        ConnectionError::VersionMismatch => LinkFault::Version,
        ConnectionError::TimedOut => LinkFault::TimedOut,
        ConnectionError::TransportError(ours) => match key_verdict(u64::from(ours.code)) {
            Some(KeyVerdict::Rejected) => LinkFault::Impostor,
            Some(KeyVerdict::NoCommonProtocol) => LinkFault::Version,
            None => LinkFault::Protocol,
        },
        ConnectionError::ConnectionClosed(theirs) => {
            match key_verdict(u64::from(theirs.error_code)) {
                Some(KeyVerdict::Rejected) => LinkFault::Refused,
                Some(KeyVerdict::NoCommonProtocol) => LinkFault::Version,
                None if u64::from(theirs.error_code) == CONNECTION_REFUSED => LinkFault::Refused,
                None => LinkFault::Protocol,
            }
        }
        ConnectionError::ApplicationClosed(theirs) => {
            if theirs.error_code == CloseReason::NotTrusted.code() {
                LinkFault::Refused
            } else if theirs.error_code == CloseReason::Protocol.code() {
                LinkFault::Protocol
            } else {
                LinkFault::Closed
            }
        }
        ConnectionError::Reset => LinkFault::Restarted,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => LinkFault::Closed,
    }
}

/// QUIC's `CONNECTION_REFUSED` (RFC 9000, section 20.1).
const CONNECTION_REFUSED: u64 = 0x02;

/// What a TLS alert says of a key.
enum KeyVerdict {
    Rejected,
    NoCommonProtocol,
}

/// Reads a TLS alert in a QUIC error code (RFC 9001, section 4.8; RFC 8446, section 6.2).
fn key_verdict(code: u64) -> Option<KeyVerdict> {
    match code.checked_sub(0x100)? {
        // bad_certificate, unsupported_certificate, certificate_unknown, unknown_ca, access_denied,
        // decrypt_error, certificate_required
        42 | 43 | 46 | 48 | 49 | 51 | 116 => Some(KeyVerdict::Rejected),
        // protocol_version, no_application_protocol
        70 | 120 => Some(KeyVerdict::NoCommonProtocol),
        _ => None,
    }
}

async fn read_frames(mut stream: RecvStream, ends: &SessionEnds) -> LinkFault {
    loop {
        let frame = match read_frame(&mut stream).await {
            Ok(frame) => frame,
            Err(fault) => return fault,
        };
        let event = NetworkEvent::Received(ends.peer, ends.id, frame);
        if ends.events.send(event).await.is_err() {
            return LinkFault::Closed;
        }
    }
}

async fn read_frame(stream: &mut RecvStream) -> Result<Control, LinkFault> {
    let mut prefix = [0; frame::PREFIX_BYTES];
    read(stream, &mut prefix).await?;
    let length = frame::length(prefix, CONTROL_FRAME_BYTES_MAX).map_err(|_| LinkFault::Protocol)?;
    let mut payload = vec![0; length];
    read(stream, &mut payload).await?;
    frame::decode(&payload).map_err(|_| LinkFault::Protocol)
}

async fn read(stream: &mut RecvStream, bytes: &mut [u8]) -> Result<(), LinkFault> {
    stream.read_exact(bytes).await.map_err(|error| match error {
        ReadExactError::ReadError(ReadError::ConnectionLost(error)) => fault_of(&error),
        // A control stream never ends before its connection.
        ReadExactError::FinishedEarly(_)
        | ReadExactError::ReadError(
            ReadError::Reset(_)
            | ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected,
        ) => LinkFault::Protocol,
    })
}

async fn write_frames(mut stream: SendStream, mut frames: mpsc::Receiver<Vec<u8>>) -> LinkFault {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = stream.write_all(&frame).await {
            debug!(%error, "control stream is stopped");
            return LinkFault::Protocol;
        }
    }
    LinkFault::Closed
}

async fn pass_streams(connection: &Connection, ends: &SessionEnds) -> LinkFault {
    loop {
        let (send, recv) = match connection.accept_bi().await {
            Ok(stream) => stream,
            Err(error) => return fault_of(&error),
        };
        let stream = IncomingStream {
            peer: ends.peer,
            send,
            recv,
        };
        if ends.streams.send(stream).await.is_err() {
            return LinkFault::Closed;
        }
    }
}

/// Nudges carry nothing; they must only not pile up.
async fn discard_nudges(connection: &Connection) -> LinkFault {
    loop {
        if let Err(error) = connection.read_datagram().await {
            return fault_of(&error);
        }
    }
}

/// Tells what has moved. A connection at rest costs no timer: whatever counts is sent or is
/// acknowledged by something sent, so that it is enough to wait for that.
async fn measure(connection: &Connection, ends: &SessionEnds) -> LinkFault {
    let sent = ends.socket.routes().sent_to(ends.peer);
    let mut told = (0, 0);
    let mut at_end = AtEnd::Quiet;
    let mut flows = false;
    let mut told_size = DatagramSize::Every;
    loop {
        let stats = connection.stats();
        let remote = connection.remote_address();
        let silent_for = ends.socket.routes().silent_for(remote);
        let size = if usize::from(stats.path.current_mtu) > BYTES_EVERYWHERE {
            DatagramSize::Large
        } else {
            DatagramSize::Every
        };
        let datagrams = NetworkEvent::Datagrams(ends.peer, ends.id, size);
        if size != told_size && ends.events.try_send(datagrams).is_ok() {
            told_size = size;
        }
        let now = (stats.udp_rx.bytes, stats.udp_tx.bytes);
        let moved = |now: u64, told| now.saturating_sub(told) >= measuring::FLOW_BYTES;
        flows |= moved(now.0, told.0) || moved(now.1, told.1);
        let flow_silence = measuring::flow_silence(stats.path.rtt);
        flows &= silent_for < flow_silence;
        if now != told || at_end == AtEnd::Measure {
            told = now;
            let measured = NetworkEvent::Measured {
                peer: ends.peer,
                rtt: stats.path.rtt,
                received_bytes: now.0,
                sent_bytes: now.1,
                silent_for,
            };
            // An engine that is busy gets the next one.
            let _skipped = ends.events.try_send(measured);
        }
        let worth_measuring = worth_measuring(&sent, Instant::now(), stats.path.rtt);
        at_end = if flows {
            let rest = flow_silence.saturating_sub(silent_for);
            timeout(rest, worth_measuring)
                .await
                .map_or(AtEnd::Measure, |()| AtEnd::Quiet)
        } else {
            worth_measuring.await;
            AtEnd::Quiet
        };
    }
}

/// Whether a measurement is told that shows nothing new but silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    Measure,
    Quiet,
}

/// Waits until something has been sent since the measurement `last`, and then until both pauses are
/// over. What is sent meanwhile the next measurement shows, since quinn counts before it sends.
pub(super) async fn worth_measuring(sent: &Notify, last: Instant, rtt: Duration) {
    sent.notified().await;
    let first = Instant::now() + measuring::first_after(rtt);
    sleep_until(first.max(last + measuring::APART)).await;
    let _shown = sent.notified().now_or_never();
}

/// Makes sending go on when the peer is heard after an outage, until it acknowledges something
/// ([`super::standstill`]).
async fn go_on_when_regained(connection: &Connection, ends: &SessionEnds) -> LinkFault {
    let standstill = &ends.standstill;
    // What was heard before is what this connection began with.
    standstill.forget_heard();
    loop {
        standstill.regained().await;
        debug!(peer = ends.peer.short(), "peer is heard again");
        let mut heard = Instant::now();
        standstill.begin_anew();
        if ends.role == Role::Accepts {
            // The dialer chooses the path, and what it sends there is what we should acknowledge first: what
            // came before the outage would give quinn a round trip as long as the outage, and a probe timeout
            // of that length.
            let patience = connection.rtt().mul_f32(2.0);
            sleep(patience.clamp(DIALER_FIRST_MIN, NUDGED_AGAIN_AFTER)).await;
        }
        nudge(connection);
        let mut was_over = false;
        while heard.elapsed() < NUDGED_FOR {
            sleep(NUDGES_APART).await;
            if timeout(NUDGED_AGAIN_AFTER, standstill.regained())
                .await
                .is_ok()
            {
                heard = Instant::now();
            }
            was_over = standstill.is_over();
            if was_over {
                break;
            }
            standstill.grant();
            nudge(connection);
        }
        // What was heard meanwhile is of the same silence, unless what was on its way is lost once more.
        standstill.forget_heard();
        if was_over && !standstill.is_over() {
            standstill.tell_regained();
        }
    }
}

fn close_fault(connection: &Connection) -> LinkFault {
    connection
        .close_reason()
        .map_or(LinkFault::Protocol, |error| fault_of(&error))
}
