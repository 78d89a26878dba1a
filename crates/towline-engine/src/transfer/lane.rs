//! The fetching side of one stream: asks one source for what a queue still wants, many requests ahead.
//!
//! A lane takes wants from a shared [`Queue`] as it goes, so fast sources take more. Up to
//! [`WINDOW_WANTS_MAX`] wants and about [`WINDOW_BYTES_MAX`] are outstanding. Answers go to a channel
//! together with their share of a byte budget; a full budget stops the lane, then the stream, then the
//! source. What a lane cannot get goes back to the queue, which remembers who did not have it.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, SendStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, Header, REQUEST_FRAME_BYTES_MAX, Request,
};
use towline_wire::frame;
use towline_wire::ids::{DeviceId, FolderId};

use super::frames::{FrameReader, StreamFault};
use super::progress::Progress;

/// Something to be fetched by one request.
pub(super) trait Want {
    /// How it is asked for.
    fn request(&self) -> Request;
    /// Length of the answer in bytes.
    fn len(&self) -> u32;
    /// Whether this source may have it.
    fn may_have(&self, source: DeviceId) -> bool;
    /// Notes that this source does not have it (in the form that it should have), and says how far
    /// that reaches.
    fn refused_by(&mut self, source: DeviceId) -> Reach;
}

/// How far a source's refusal of one want reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Other wants may still be had from it.
    ThisWant,
    /// It has none of this queue's wants.
    WholeQueue,
}

/// What is still wanted, and which sources are of no use any more.
pub(super) struct Queue<W>(Mutex<Wanted<W>>);

struct Wanted<W> {
    wants: VecDeque<W>,
    lost: BTreeSet<DeviceId>,
}

impl<W: Want> Queue<W> {
    /// A queue of these wants, in order.
    pub(super) fn new(wants: VecDeque<W>) -> Self {
        Self(Mutex::new(Wanted {
            wants,
            lost: BTreeSet::new(),
        }))
    }

    /// Puts back what `source` did not give.
    pub(super) fn refuse(&self, mut want: W, source: DeviceId) {
        let reach = want.refused_by(source);
        let mut wanted = self.lock();
        wanted.wants.push_back(want);
        match reach {
            Reach::ThisWant => {}
            Reach::WholeQueue => {
                wanted.lost.insert(source);
            }
        }
    }

    /// Takes a source out: it is not connected, or it does wrong.
    pub(super) fn lose(&self, source: DeviceId) {
        self.lock().lost.insert(source);
    }

    /// Whether nothing is left that `source` may have.
    pub(super) fn is_dry_for(&self, source: DeviceId) -> bool {
        let wanted = self.lock();
        wanted.lost.contains(&source) || !wanted.wants.iter().any(|want| want.may_have(source))
    }

    /// What `look` sees in each want.
    pub(super) fn each<T>(&self, look: impl Fn(&W) -> T) -> Vec<T> {
        self.lock().wants.iter().map(look).collect()
    }

    /// Takes out everything that is left.
    pub(super) fn take_rest(&self) -> VecDeque<W> {
        std::mem::take(&mut self.lock().wants)
    }

    fn take(&self, source: DeviceId) -> Option<W> {
        let mut wanted = self.lock();
        if wanted.lost.contains(&source) {
            return None;
        }
        let at = wanted.wants.iter().position(|want| want.may_have(source))?;
        wanted.wants.remove(at)
    }

    fn put_back(&self, wants: impl DoubleEndedIterator<Item = W>) {
        let mut wanted = self.lock();
        for want in wants.rev() {
            wanted.wants.push_front(want);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Wanted<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    pub(super) queue: &'a Queue<W>,
    /// Where answers go.
    pub(super) arrived: mpsc::Sender<M>,
    /// What bounds them.
    pub(super) budget: &'a Budget,
    /// Counts bytes.
    pub(super) progress: &'a Progress,
}

impl<W: Want, M: From<Arrived<W>>> Lane<'_, W, M> {
    /// Asks until the queue has nothing more for this source. With a fault the source is lost to the
    /// queue, and what was outstanding is back in it.
    pub(super) async fn run(&self, connection: &Connection) -> Result<(), StreamFault> {
        let mut outstanding = Outstanding {
            queue: self.queue,
            wants: VecDeque::new(),
            bytes: 0,
        };
        let result = self.ask(connection, &mut outstanding).await;
        if result.is_err() {
            self.queue.lose(self.source);
        }
        result
    }

    async fn ask(
        &self,
        connection: &Connection,
        outstanding: &mut Outstanding<'_, W>,
    ) -> Result<(), StreamFault> {
        let (mut send, mut reader) = open(connection, self.folder).await?;
        loop {
            let mut requests = Vec::new();
            while outstanding.has_room()
                && let Some(want) = self.queue.take(self.source)
            {
                requests.extend(frame::encode(&want.request(), REQUEST_FRAME_BYTES_MAX)?);
                outstanding.push(want);
            }
            if !requests.is_empty() {
                in_time(write(&mut send, requests)).await?;
            }
            let Some(expected) = outstanding.wants.front().map(Want::len) else {
                // Nothing more is wanted. That the source is gone already does not matter.
                let _ = send.finish();
                return Ok(());
            };
            let answer = in_time(reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX)).await?;
            match answer {
                Some(Answer::Bytes { len }) if len == expected => {
                    let bytes = in_time(reader.bytes(len as usize)).await?;
                    self.progress.fetched(u64::from(len));
                    let Some(held) = self.budget.hold(bytes.len()).await else {
                        return Err(StreamFault::Lost);
                    };
                    if let Some(want) = outstanding.pop() {
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
                            .map_err(|_| StreamFault::Lost)?;
                    }
                }
                Some(Answer::Gone) => {
                    if let Some(want) = outstanding.pop() {
                        self.queue.refuse(want, self.source);
                    }
                }
                Some(Answer::Bytes { .. } | Answer::Chunks { .. }) => {
                    return Err(StreamFault::Protocol);
                }
                None => return Err(StreamFault::Lost),
            }
        }
    }
}

/// What was asked and not answered yet; goes back to the queue when dropped.
struct Outstanding<'a, W: Want> {
    queue: &'a Queue<W>,
    wants: VecDeque<W>,
    bytes: u64,
}

impl<W: Want> Outstanding<'_, W> {
    fn has_room(&self) -> bool {
        self.wants.len() < WINDOW_WANTS_MAX && self.bytes < WINDOW_BYTES_MAX
    }

    fn push(&mut self, want: W) {
        self.bytes += u64::from(want.len());
        self.wants.push_back(want);
    }

    fn pop(&mut self) -> Option<W> {
        let want = self.wants.pop_front()?;
        self.bytes -= u64::from(want.len());
        Some(want)
    }
}

impl<W: Want> Drop for Outstanding<'_, W> {
    fn drop(&mut self) {
        self.queue.put_back(self.wants.drain(..));
    }
}

/// Opens a data stream for a folder.
pub(super) async fn open(
    connection: &Connection,
    folder: FolderId,
) -> Result<(SendStream, FrameReader), StreamFault> {
    in_time(async {
        let (mut send, receive) = connection.open_bi().await.map_err(|_| StreamFault::Lost)?;
        let header = frame::encode(&Header::Fetch { folder }, REQUEST_FRAME_BYTES_MAX)?;
        write(&mut send, header).await?;
        Ok((send, FrameReader::new(receive)))
    })
    .await
}

/// Sends frames.
pub(super) async fn write(send: &mut SendStream, bytes: Vec<u8>) -> Result<(), StreamFault> {
    send.write_chunk(bytes.into())
        .await
        .map_err(|_| StreamFault::Lost)
}

/// Ends a wait for a source after [`SOURCE_WAIT_MAX`].
pub(super) async fn in_time<T>(
    wait: impl Future<Output = Result<T, StreamFault>>,
) -> Result<T, StreamFault> {
    timeout(SOURCE_WAIT_MAX, wait)
        .await
        .unwrap_or(Err(StreamFault::Lost))
}

/// Requests outstanding on a lane: 512. At 1 ms round trip and 16 KiB files it fills 8 Gbit/s.
const WINDOW_WANTS_MAX: usize = 512;

/// Bytes outstanding on a lane: 8 MiB, the connection's stream window. More would only wait in
/// the source's memory.
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How long a source may take for one answer or one chunk page: 60 s. A slow link moves a largest
/// range (4 MiB) within it at 70 KiB/s.
const SOURCE_WAIT_MAX: Duration = Duration::from_secs(60);

/// One unit of a budget: 1 KiB, so that counts fit the semaphore.
const BUDGET_UNIT_BYTES: u32 = 1024;
