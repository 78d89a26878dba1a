//! The fetching side of one stream: asks one source for what a board still wants, many requests ahead.
//!
//! A lane takes wants from a shared [`Board`] as it goes. Answers go to a channel together with their
//! share of a byte budget; a full budget stops the lane, then the stream, then the source. A stream
//! lives while there is something to ask: one whose answers have all come from others meanwhile is
//! left, so that a slow source need not send what nobody wants any more.
//!
//! Under a limit of received bytes a want is asked for in small pieces, each when it may come, so that
//! the source sends at that pace; nothing has to be held back here.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{Connection, SendStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout};
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, Header, REQUEST_FRAME_BYTES_MAX, Request,
};
use towline_wire::frame;
use towline_wire::ids::{DeviceId, FolderId};

use super::board::{Board, Prospect, Seat, Want};
use super::frames::{FrameReader, StreamFault};
use super::limits::Gate;
use super::progress::Progress;
use crate::disk::ZEROS;

/// Bytes that answer a want; not verified yet.
pub(super) struct Arrived<W> {
    /// What was wanted.
    pub(super) want: W,
    /// Who sent it.
    pub(super) source: DeviceId,
    /// The bytes, of the wanted length.
    pub(super) bytes: Bytes,
    /// Their share of the budget; free again when dropped.
    pub(super) held: OwnedSemaphorePermit,
}

/// Bytes that may be in memory between lanes and disk, in [`BUDGET_UNIT_BYTES`].
#[derive(Clone)]
pub(super) struct Budget {
    places: Arc<Semaphore>,
    all: u32,
}

impl Budget {
    /// A budget of about so many bytes.
    pub(super) fn new(bytes: u32) -> Self {
        let all = bytes / BUDGET_UNIT_BYTES;
        Self {
            places: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    /// Waits until everything that was held is dropped.
    pub(super) async fn all_free(&self) {
        // The semaphore is never closed.
        drop(self.places.acquire_many(self.all).await);
    }

    async fn hold(&self, len: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(len)
            .unwrap_or(u32::MAX)
            .div_ceil(BUDGET_UNIT_BYTES);
        self.places
            .clone()
            .acquire_many_owned(units.clamp(1, self.all))
            .await
            .ok()
    }
}

/// One lane: where it asks and where answers go.
pub(super) struct Lane<'a, W, M> {
    /// Which folder.
    pub(super) folder: FolderId,
    /// Whom it asks.
    pub(super) source: DeviceId,
    /// What is wanted.
    pub(super) board: &'a Board<W>,
    /// Where answers go.
    pub(super) arrived: mpsc::Sender<M>,
    /// What bounds them.
    pub(super) budget: &'a Budget,
    /// Counts bytes.
    pub(super) progress: &'a Progress,
    /// How fast they may come.
    pub(super) gate: Gate,
}

/// Why a stream was left although its source is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing was to be asked for a while, or nothing might be.
    Idle,
    /// What it would answer is here already, or is of no use.
    Void,
}

/// A request on its way, or to be sent.
struct Piece {
    request: Request,
    len: u32,
    place: PlaceInWant,
}

/// Where in its want a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaceInWant {
    Inside,
    Last,
}

impl<W: Want, M: From<Arrived<W>>> Lane<'_, W, M> {
    /// Asks until the board has nothing more for this source. With a fault the source is lost to the
    /// board, and what was outstanding is back on it.
    pub(super) async fn run(&self, connection: &Connection) -> Result<(), StreamFault> {
        let seat = self.board.join(self.source);
        let mut changes = self.board.changes();
        loop {
            changes.mark_unchanged();
            match seat.prospect() {
                Prospect::Now => {}
                Prospect::Later => {
                    wait_for_change(&mut changes).await;
                    continue;
                }
                Prospect::Never => return Ok(()),
            }
            self.gate.open().await;
            match self.ask(connection, &seat, &mut changes).await {
                Ok(Left::Idle | Left::Void) => seat.abandon(),
                Err(fault) => {
                    self.board.lose(self.source);
                    return Err(fault);
                }
            }
        }
    }

    async fn ask(
        &self,
        connection: &Connection,
        seat: &Seat<'_, W>,
        changes: &mut watch::Receiver<u64>,
    ) -> Result<Left, StreamFault> {
        let (mut send, mut reader) = open(connection, self.folder).await?;
        let mut asking = Asking::default();
        let mut idle_since = Instant::now();
        loop {
            changes.mark_unchanged();
            if self.send_requests(seat, &mut asking, &mut send).await? == Some(Left::Idle) {
                return Ok(Left::Idle);
            }
            let Some(piece) = asking.asked.front() else {
                if idle_since.elapsed() < IDLE_MAX && seat.prospect() != Prospect::Never {
                    wait_for_change(changes).await;
                    continue;
                }
                // Nothing more is wanted. That the source is gone already does not matter.
                let _ = send.finish();
                return Ok(Left::Idle);
            };
            let answer = tokio::select! {
                answer = answer(&mut reader, piece.len) => answer?,
                () = until_void(seat, changes) => return Ok(Left::Void),
            };
            match (answer, asking.drop_first()) {
                (Some(bytes), place) => {
                    if let Some(whole) = asking.whole(bytes, place) {
                        self.pass_on(seat, whole).await?;
                    }
                }
                (None, PlaceInWant::Last) if asking.begun.is_empty() => seat.gone(),
                // Pieces of a want that is not to be had are still on their way.
                (None, PlaceInWant::Inside | PlaceInWant::Last) => {
                    seat.gone();
                    return Ok(Left::Void);
                }
            }
            idle_since = Instant::now();
        }
    }

    /// Asks for as much as may be outstanding, as fast as the gate allows.
    async fn send_requests(
        &self,
        seat: &Seat<'_, W>,
        asking: &mut Asking,
        send: &mut SendStream,
    ) -> Result<Option<Left>, StreamFault> {
        let Some(piece_max) = self.gate.piece_max() else {
            let mut requests = Vec::new();
            while let Some((request, len)) = seat.take() {
                asking.cut(request, len, u32::MAX);
            }
            while let Some(piece) = asking.to_ask.pop_front() {
                requests.extend(frame::encode(&piece.request, REQUEST_FRAME_BYTES_MAX)?);
                asking.asked.push_back(piece);
            }
            if !requests.is_empty() {
                write(send, requests).await?;
            }
            return Ok(None);
        };
        loop {
            if asking.to_ask.is_empty()
                && let Some((request, len)) = seat.take()
            {
                asking.cut(request, len, piece_max);
            }
            if asking.asked.len() >= PIECES_AHEAD {
                return Ok(None);
            }
            let Some(piece) = asking.to_ask.pop_front() else {
                return Ok(None);
            };
            let asked_at = Instant::now();
            self.gate.pass(piece.len as usize).await;
            if asked_at.elapsed() > IDLE_MAX {
                return Ok(Some(Left::Idle));
            }
            write(
                send,
                frame::encode(&piece.request, REQUEST_FRAME_BYTES_MAX)?,
            )
            .await?;
            asking.asked.push_back(piece);
        }
    }

    /// Passes on the bytes of a want, unless another source was faster.
    async fn pass_on(&self, seat: &Seat<'_, W>, bytes: Bytes) -> Result<(), StreamFault> {
        let Some(want) = seat.arrived() else {
            return Ok(());
        };
        self.progress.fetched(bytes.len() as u64);
        let Some(held) = self.budget.hold(bytes.len()).await else {
            return Err(StreamFault::Lost);
        };
        let arrived = Arrived {
            want,
            source: self.source,
            bytes,
            held,
        };
        // Fails only when the receiving half of this transfer has given up.
        self.arrived
            .send(arrived.into())
            .await
            .map_err(|_| StreamFault::Lost)
    }
}

/// What goes over one stream.
#[derive(Default)]
struct Asking {
    /// Pieces of wants that are taken and not asked for yet.
    to_ask: VecDeque<Piece>,
    /// Pieces that are asked for, in the order of the answers.
    asked: VecDeque<Piece>,
    /// The pieces of a want that have come.
    begun: BytesMut,
}

impl Asking {
    /// Cuts a want into pieces.
    fn cut(&mut self, request: Request, len: u32, piece_max: u32) {
        if len <= piece_max {
            let place = PlaceInWant::Last;
            self.to_ask.push_back(Piece {
                request,
                len,
                place,
            });
            return;
        }
        let (hash, begin) = match request {
            Request::File { hash } => (hash, 0),
            Request::Range { hash, offset, .. } | Request::Parts { hash, offset, .. } => {
                (hash, offset)
            }
            Request::Chunks { hash } => (hash, 0),
        };
        let mut done = 0;
        while done < len {
            let part = piece_max.max(1).min(len - done);
            let request = Request::Range {
                hash,
                offset: begin + u64::from(done),
                len: part,
            };
            done += part;
            let place = if done == len {
                PlaceInWant::Last
            } else {
                PlaceInWant::Inside
            };
            self.to_ask.push_back(Piece {
                request,
                len: part,
                place,
            });
        }
    }

    /// The piece that was asked for first has been answered.
    fn drop_first(&mut self) -> PlaceInWant {
        self.asked
            .pop_front()
            .map_or(PlaceInWant::Last, |piece| piece.place)
    }

    /// Takes a piece; returns the bytes of a want once they are complete.
    fn whole(&mut self, bytes: Bytes, place: PlaceInWant) -> Option<Bytes> {
        match place {
            PlaceInWant::Last if self.begun.is_empty() => Some(bytes),
            PlaceInWant::Last => {
                self.begun.extend_from_slice(&bytes);
                Some(self.begun.split().freeze())
            }
            PlaceInWant::Inside => {
                self.begun.extend_from_slice(&bytes);
                None
            }
        }
    }
}

/// Waits for an answer of this length; `None` when the source does not have it.
async fn answer(reader: &mut FrameReader, expected: u32) -> Result<Option<Bytes>, StreamFault> {
    match reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX).await? {
        Some(Answer::Bytes { len }) if len == expected => {
            reader.bytes(len as usize).await.map(Some)
        }
        Some(Answer::Zeros { len }) if len == expected => {
            let zeros = ZEROS.get(..len as usize).ok_or(StreamFault::Protocol)?;
            Ok(Some(Bytes::from_static(zeros)))
        }
        Some(Answer::Gone) => Ok(None),
        Some(Answer::Bytes { .. } | Answer::Zeros { .. } | Answer::Chunks { .. }) => {
            Err(StreamFault::Protocol)
        }
        None => Err(StreamFault::Lost),
    }
}

/// Waits until everything that a lane has outstanding has come from others.
async fn until_void<W: Want>(seat: &Seat<'_, W>, changes: &mut watch::Receiver<u64>) {
    while !seat.is_void() {
        // The board outlives its lanes.
        let _ = changes.changed().await;
    }
}

/// Waits until an idle lane should look at the board again.
async fn wait_for_change(changes: &mut watch::Receiver<u64>) {
    // Either way it looks.
    let _ = timeout(LOOK_AGAIN_AFTER, changes.changed()).await;
}

/// Opens a data stream for a folder.
pub(super) async fn open(
    connection: &Connection,
    folder: FolderId,
) -> Result<(SendStream, FrameReader), StreamFault> {
    let opened = in_time(async { connection.open_bi().await.map_err(|_| StreamFault::Lost) });
    let (mut send, receive) = opened.await?;
    let header = frame::encode(&Header::Fetch { folder }, REQUEST_FRAME_BYTES_MAX)?;
    write(&mut send, header).await?;
    Ok((send, FrameReader::new(receive, SOURCE_WAIT_MAX)))
}

/// Sends frames.
pub(super) async fn write(send: &mut SendStream, bytes: Vec<u8>) -> Result<(), StreamFault> {
    in_time(async {
        send.write_chunk(bytes.into())
            .await
            .map_err(|_| StreamFault::Lost)
    })
    .await
}

/// Ends a wait for a source after [`SOURCE_WAIT_MAX`].
async fn in_time<T>(wait: impl Future<Output = Result<T, StreamFault>>) -> Result<T, StreamFault> {
    timeout(SOURCE_WAIT_MAX, wait)
        .await
        .unwrap_or(Err(StreamFault::Lost))
}

/// How long a source may be silent: 60 s. It need not send much, but something: a link that is slow
/// or limited is not given up.
const SOURCE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a stream without requests is kept: 20 s. A source ends it after two minutes; opening
/// another costs nothing.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// How often an idle lane looks whether another source is late: every 100 ms.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Pieces asked for ahead under a limit: 4. A piece is a tenth of a second of the limit, so the pipe
/// stays full over any round trip below 400 ms.
const PIECES_AHEAD: usize = 4;

/// One unit of a budget: 1 KiB, so that counts fit the semaphore.
const BUDGET_UNIT_BYTES: u32 = 1024;
