//! The source side: answers one peer's requests on one stream, in order.
//!
//! Requests that have arrived are answered in bursts: one job on the disk pool looks up, opens, reads
//! and re-checks until about [`BURST_BYTES`] are ready, and the burst leaves as one buffer while the
//! next is read. So a stream holds two bursts at most, a small file costs no task and no round
//! trip, and a large file is read ahead. What a peer may not read, what is absent and what changed
//! look alike: `Gone`. A grant that is taken back holds from the next burst on.
//!
//! A hostile peer can open many streams, ask for much, read slowly or send junk: it costs its
//! [`Allowance`], ends its streams, and touches nothing else. A chunk list that waits for its reader
//! holds an open file and a place in it, no buffer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{FutureExt, join};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::time::timeout;
use towline_core::io::IndexOf;
use towline_core::records::DiskStamp;
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, CHUNKS_PER_PAGE_MAX, Chunk, ChunkSizes, Header, ListEnd,
    RANGE_BYTES_MAX, REQUEST_FRAME_BYTES_MAX, Request, SMALL_FILE_BYTES_MAX,
};
use towline_wire::frame;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::allowance::{Allowance, Held, HeldBytes};
use super::chunks::{Cutter, append_exact_at};
use super::frames::{Filled, FrameReader, StreamFault};
use super::grants::Grants;
use super::limits::{Direction, Gate, Throttle};
use super::work::Work;
use crate::disk::{Holes, Opener, Root, is_zero, still_has};

/// This device's folders, as far as the data plane asks. Everything here blocks and runs on the disk
/// pool.
pub(crate) trait Folders: Send + Sync + 'static {
    /// The open root of a folder; `None` while it is not usable.
    fn root(&self, folder: FolderId) -> Option<Arc<Root>>;

    /// Live files of ours with the bytes of each hash, and the stamps that their rows have: all, or only
    /// those that peers are told of. One answer for each hash, in their order.
    fn with_contents(
        &self,
        folder: FolderId,
        hashes: &[ContentHash],
        of: IndexOf,
    ) -> Vec<Vec<(RelPath, DiskStamp)>>;

    /// Peers whose index says now that they have these bytes at this path.
    fn peers_with(&self, folder: FolderId, path: &RelPath, hash: ContentHash) -> Vec<DeviceId>;
}

/// An open file and the stamp that shows that its bytes are those of the row.
struct OpenContent {
    file: File,
    stamp: DiskStamp,
    holes: Holes,
}

/// Opens the first of these files that still is what its row says.
fn open_any(places: &[(RelPath, DiskStamp)], opener: &mut Opener<'_>) -> Option<OpenContent> {
    places.iter().find_map(|(path, stamp)| {
        let file = opener.open(path, *stamp).ok()?;
        let holes = Holes::of(&file).ok()?;
        Some(OpenContent {
            file,
            stamp: *stamp,
            holes,
        })
    })
}

/// What a peer did wrong on a stream. The stream is reset; the caller decides what else follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServeFault {
    /// More streams at once than its [`Allowance`] has.
    #[error("peer opened too many data streams")]
    TooManyStreams,
    /// Bytes or numbers that the protocol does not allow.
    #[error("peer broke the protocol on a data stream")]
    Protocol,
}

/// Serves all peers.
pub(crate) struct Server<F> {
    folders: Arc<F>,
    grants: Arc<Grants>,
    throttle: Arc<Throttle>,
    work: Work,
    /// One for each peer that has ever opened a stream: they are few.
    allowances_by_peer: Mutex<BTreeMap<DeviceId, Allowance>>,
}

impl<F: Folders> Server<F> {
    /// Serves what lies in `folders` as far as `grants` allow.
    pub(crate) fn new(
        folders: Arc<F>,
        grants: Arc<Grants>,
        throttle: Arc<Throttle>,
        work: Work,
    ) -> Self {
        Self {
            folders,
            grants,
            throttle,
            work,
            allowances_by_peer: Mutex::default(),
        }
    }

    /// Answers on one stream that `peer` opened, until the peer finishes, the stream is lost or a
    /// deadline passes (all `Ok`), or the peer does wrong. Safe to drop at any time.
    pub(crate) async fn serve(
        &self,
        peer: DeviceId,
        mut send: SendStream,
        receive: RecvStream,
    ) -> Result<(), ServeFault> {
        let allowance = self.allowance(peer);
        let Some(place) = allowance.stream() else {
            reset(&mut send);
            return Err(ServeFault::TooManyStreams);
        };
        let mut session = Session {
            server: self,
            peer,
            send,
            reader: FrameReader::new(receive, PEER_WAIT_MAX),
            opened: None,
            gate: None,
            allowance,
            _place: place,
        };
        match session.run().await {
            Ok(()) => Ok(()),
            Err(StreamFault::Lost) => {
                reset(&mut session.send);
                Ok(())
            }
            Err(StreamFault::Protocol) => {
                reset(&mut session.send);
                Err(ServeFault::Protocol)
            }
        }
    }

    pub(super) fn allowance(&self, peer: DeviceId) -> Allowance {
        let mut allowances = self
            .allowances_by_peer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        allowances
            .entry(peer)
            .or_insert_with(Allowance::new)
            .clone()
    }
}

/// One stream.
struct Session<'a, F> {
    server: &'a Server<F>,
    peer: DeviceId,
    send: SendStream,
    reader: FrameReader,
    /// The file of the last answer: ranges of one file come in a row.
    opened: Option<(ContentHash, OpenContent)>,
    /// Where bytes pass, once the peer may have any.
    gate: Option<Gate>,
    allowance: Allowance,
    _place: Held,
}

/// Answers that are ready to be sent, and their part of the allowance.
#[derive(Default)]
struct Ready {
    bytes: Bytes,
    held: Option<HeldBytes>,
}

impl<F: Folders> Session<'_, F> {
    async fn run(&mut self) -> Result<(), StreamFault> {
        let header = self.reader.frame::<Header>(REQUEST_FRAME_BYTES_MAX).await?;
        let Some(Header::Fetch { folder }) = header else {
            return Ok(());
        };
        let mut requests = VecDeque::new();
        let mut ready = Ready::default();
        loop {
            self.take_requests(&mut requests, ready.bytes.is_empty())
                .await?;
            if self.gate.is_none() && self.server.grants.allows(self.peer, folder) {
                let throttle = &self.server.throttle;
                self.gate = Some(throttle.gate(Direction::Sending, folder, self.peer));
            }
            match requests.front() {
                Some(&(Request::Chunks { hash } | Request::Parts { hash, .. })) => {
                    let piece = requests.pop_front().and_then(|request| match request {
                        Request::Parts { offset, len, .. } => Some((offset, len)),
                        Request::File { .. } | Request::Range { .. } | Request::Chunks { .. } => {
                            None
                        }
                    });
                    self.say(std::mem::take(&mut ready)).await?;
                    self.list_chunks(folder, hash, piece).await?;
                }
                Some(Request::File { .. } | Request::Range { .. }) => {
                    let burst = self.burst(folder, std::mem::take(&mut requests));
                    let sent = self.say(std::mem::take(&mut ready));
                    let (burst, sent) = join(burst, sent).await;
                    sent?;
                    let burst = burst?;
                    ready = burst.ready;
                    requests = burst.rest;
                    self.opened = burst.opened;
                }
                None if ready.bytes.is_empty() => {
                    // The peer has finished asking. That it is gone already does not matter.
                    let _ = self.send.finish();
                    return Ok(());
                }
                None => self.say(std::mem::take(&mut ready)).await?,
            }
        }
    }

    /// Takes the requests that have arrived, up to [`REQUESTS_TAKEN_MAX`]; waits for one when there
    /// is nothing else to do.
    async fn take_requests(
        &mut self,
        requests: &mut VecDeque<Request>,
        nothing_to_send: bool,
    ) -> Result<(), StreamFault> {
        loop {
            while requests.len() < REQUESTS_TAKEN_MAX
                && let Some(request) = self.reader.try_frame(REQUEST_FRAME_BYTES_MAX)?
            {
                requests.push_back(checked(request)?);
            }
            if requests.len() == REQUESTS_TAKEN_MAX {
                return Ok(());
            }
            if !requests.is_empty() || !nothing_to_send {
                match self.reader.fill().now_or_never() {
                    Some(filled) if filled? == Filled::Some => continue,
                    Some(_) | None => return Ok(()),
                }
            }
            if self.reader.fill().await? == Filled::End {
                return Ok(());
            }
        }
    }

    /// Makes a burst on the disk pool, once the peer's allowance has room for it.
    fn burst(
        &mut self,
        folder: FolderId,
        requests: VecDeque<Request>,
    ) -> impl Future<Output = Result<Burst, StreamFault>> + Send + use<F> {
        let peer = self.peer;
        let folders = self.server.folders.clone();
        let grants = self.server.grants.clone();
        let work = self.server.work.clone();
        let opened = self.opened.take();
        let allowance = self.allowance.clone();
        async move {
            let room = allowance.bytes(burst_bytes_max(&requests));
            // The room comes back as the peer reads what it asked for on other streams.
            let mut held = timeout(PEER_WAIT_MAX, room)
                .await
                .map_err(|_| StreamFault::Lost)?;
            let granted = grants.allows(peer, folder);
            let burst = work.run(move || {
                let root = folders.root(folder).filter(|_| granted);
                let mut desk = Desk {
                    folders: &*folders,
                    folder,
                    opener: root.as_deref().map(Opener::of),
                    opened,
                    places_by_hash: BTreeMap::new(),
                    out: Vec::new(),
                };
                let mut rest = requests;
                while desk.out.len() < BURST_BYTES
                    && !matches!(
                        rest.front(),
                        None | Some(Request::Chunks { .. } | Request::Parts { .. })
                    )
                    && let Some(request) = rest.pop_front()
                {
                    desk.look_up(request, &rest);
                    desk.answer(request);
                }
                if let Some(held) = &mut held {
                    held.shrink_to(desk.out.len());
                }
                Burst {
                    ready: Ready {
                        bytes: desk.out.into(),
                        held,
                    },
                    rest,
                    opened: desk.opened,
                }
            });
            Ok(burst.await)
        }
    }

    /// Sends the chunk list of a file or of a piece of it, page by page, while it is being cut.
    async fn list_chunks(
        &mut self,
        folder: FolderId,
        hash: ContentHash,
        piece: Option<(u64, u32)>,
    ) -> Result<(), StreamFault> {
        let folders = self.server.folders.clone();
        let granted = self.server.grants.allows(self.peer, folder);
        let opened = self
            .server
            .work
            .run(move || {
                let root = folders.root(folder).filter(|_| granted)?;
                let places = folders
                    .with_contents(folder, &[hash], IndexOf::Told)
                    .pop()?;
                open_any(&places, &mut Opener::of(&root))
            })
            .await;
        let Some(mut list) = opened.and_then(|content| List::of(content, piece)) else {
            return self.answer(&Answer::Gone).await;
        };
        loop {
            let turn = self.allowance.list_page().await;
            let (page, rest) = self
                .server
                .work
                .run(move || {
                    let page = list.page();
                    drop(turn);
                    (page, list)
                })
                .await;
            list = rest;
            let done = matches!(
                page,
                Answer::Gone
                    | Answer::Chunks {
                        end: ListEnd::End,
                        ..
                    }
            );
            self.answer(&page).await?;
            if done {
                return Ok(());
            }
        }
    }

    async fn answer(&mut self, answer: &Answer) -> Result<(), StreamFault> {
        let bytes = frame::encode(answer, ANSWER_FRAME_BYTES_MAX)?;
        write(&mut self.send, bytes.into()).await
    }

    /// Sends answers, as fast as the gate allows; their part of the allowance comes back when they
    /// have left.
    async fn say(&mut self, ready: Ready) -> Result<(), StreamFault> {
        let Ready { mut bytes, held } = ready;
        while let Some(gate) = &self.gate
            && let Some(piece) = gate.piece_max()
            && !bytes.is_empty()
        {
            let piece = bytes.split_to(bytes.len().min(piece as usize));
            gate.pass(piece.len()).await;
            write(&mut self.send, piece).await?;
        }
        write(&mut self.send, bytes).await?;
        drop(held);
        Ok(())
    }
}

/// Answers that are ready, and what is still to be answered.
struct Burst {
    ready: Ready,
    rest: VecDeque<Request>,
    opened: Option<(ContentHash, OpenContent)>,
}

/// Answers requests into a buffer; blocks on the disk.
struct Desk<'a, F> {
    folders: &'a F,
    folder: FolderId,
    /// `None` when the peer may not read the folder, or nobody can now.
    opener: Option<Opener<'a>>,
    opened: Option<(ContentHash, OpenContent)>,
    /// Where the index had the contents that were looked up for this burst.
    places_by_hash: BTreeMap<ContentHash, Vec<(RelPath, DiskStamp)>>,
    out: Vec<u8>,
}

impl<F: Folders> Desk<'_, F> {
    /// Looks up where the content of a request lies, and of the next ones with it: each look alone would
    /// take and give back the locks of the index.
    fn look_up(&mut self, request: Request, next: &VecDeque<Request>) {
        let is_known = |hash: &ContentHash| {
            self.places_by_hash.contains_key(hash)
                || self
                    .opened
                    .as_ref()
                    .is_some_and(|(opened, _)| opened == hash)
        };
        let Some(wanted) = content_of(request).filter(|hash| !is_known(hash)) else {
            return;
        };
        if self.opener.is_none() {
            return;
        }
        let next = next.iter().map_while(|request| content_of(*request));
        let hashes: BTreeSet<ContentHash> = std::iter::once(wanted)
            .chain(next.take(LOOKED_UP_AHEAD).filter(|hash| !is_known(hash)))
            .collect();
        let hashes: Vec<ContentHash> = hashes.into_iter().collect();
        let places = self
            .folders
            .with_contents(self.folder, &hashes, IndexOf::Told);
        self.places_by_hash.extend(hashes.into_iter().zip(places));
    }

    fn answer(&mut self, request: Request) {
        let before = self.out.len();
        let answered = match request {
            Request::File { hash } => self.add(hash, Part::Whole),
            Request::Range { hash, offset, len } => self.add(hash, Part::Range(offset, len)),
            Request::Chunks { .. } | Request::Parts { .. } => None,
        };
        if answered.is_none() {
            self.out.truncate(before);
            self.opened = None;
            // `Gone` is one byte: it cannot exceed the limit.
            let gone = frame::encode(&Answer::Gone, ANSWER_FRAME_BYTES_MAX).unwrap_or_default();
            self.out.extend_from_slice(&gone);
        }
    }

    /// Adds frame and bytes of one answer, or something half done and `None`.
    fn add(&mut self, hash: ContentHash, part: Part) -> Option<()> {
        let opener = self.opener.as_mut()?;
        let kept = self.opened.take().filter(|(opened, _)| *opened == hash);
        let mut content = match kept {
            Some((_, content)) => content,
            None => open_any(self.places_by_hash.get(&hash)?, opener)?,
        };
        let size = content.stamp.size;
        let (offset, len) = match part {
            Part::Whole if size <= SMALL_FILE_BYTES_MAX => (0, u32::try_from(size).ok()?),
            Part::Whole => return None,
            Part::Range(offset, len) => {
                let end = offset.checked_add(u64::from(len))?;
                (end <= size).then_some((offset, len))?
            }
        };
        let before = self.out.len();
        let head = frame::encode(&Answer::Bytes { len }, ANSWER_FRAME_BYTES_MAX).ok()?;
        let covered = content.holes.cover(&content.file, offset, u64::from(len));
        let mut is_zeros = covered.ok()?;
        if !is_zeros {
            self.out.reserve(head.len() + len as usize);
            self.out.extend_from_slice(&head);
            append_exact_at(&content.file, &mut self.out, len as usize, offset).ok()?;
            let bytes = self.out.get(before + head.len()..);
            is_zeros = bytes.is_some_and(is_zero);
        }
        if is_zeros {
            self.out.truncate(before);
            let zeros = frame::encode(&Answer::Zeros { len }, ANSWER_FRAME_BYTES_MAX).ok()?;
            self.out.extend_from_slice(&zeros);
        }
        // Read first, then look: bytes that were written meanwhile show in the stamp.
        if !still_has(&content.file, content.stamp) {
            return None;
        }
        self.opened = Some((hash, content));
        Some(())
    }
}

/// Whose bytes a request of a burst asks for.
const fn content_of(request: Request) -> Option<ContentHash> {
    match request {
        Request::File { hash } | Request::Range { hash, .. } => Some(hash),
        Request::Chunks { .. } | Request::Parts { .. } => None,
    }
}

/// Which part of a file.
enum Part {
    Whole,
    Range(u64, u32),
}

/// A chunk list that is being made.
struct List {
    content: OpenContent,
    sizes: ChunkSizes,
    /// Up to where earlier pages cover the file.
    cut: u64,
    /// Where the list ends.
    end: u64,
}

impl List {
    /// A list of all of a file, or of a piece that lies in it.
    fn of(content: OpenContent, piece: Option<(u64, u32)>) -> Option<Self> {
        let size = content.stamp.size;
        let (sizes, cut, end) = match piece {
            None => (ChunkSizes::of_file(size), 0, size),
            Some((offset, len)) => {
                let end = offset.checked_add(u64::from(len));
                let end = end.filter(|end| *end <= size)?;
                (ChunkSizes::OF_PARTS, offset, end)
            }
        };
        Some(Self {
            content,
            sizes,
            cut,
            end,
        })
    }

    /// The next page, or `Gone` when the file cannot be read or has changed. Blocks on the disk.
    fn page(&mut self) -> Answer {
        match self.cut_page() {
            Ok((chunks, end)) if still_has(&self.content.file, self.content.stamp) => {
                Answer::Chunks { chunks, end }
            }
            Ok(_) | Err(_) => Answer::Gone,
        }
    }

    /// Where a chunk ends does not depend on what lies before it, so every page begins anew.
    fn cut_page(&mut self) -> io::Result<(Vec<Chunk>, ListEnd)> {
        let mut file = &self.content.file;
        file.seek(SeekFrom::Start(self.cut))?;
        let left = file.take(self.end - self.cut);
        let mut cutter = Cutter::new(left, self.sizes);
        let mut chunks: Vec<Chunk> = Vec::new();
        while chunks.len() < CHUNKS_PER_PAGE_MAX {
            let Some(chunk) = cutter.next_chunk()? else {
                return Ok((chunks, ListEnd::End));
            };
            self.cut += u64::from(chunk.len);
            chunks.push(chunk);
        }
        Ok((chunks, ListEnd::More))
    }
}

/// Refuses numbers that no honest fetcher sends.
fn checked(request: Request) -> Result<Request, StreamFault> {
    match request {
        Request::Range { len, .. } | Request::Parts { len, .. }
            if len == 0 || len > RANGE_BYTES_MAX =>
        {
            Err(StreamFault::Protocol)
        }
        Request::File { .. }
        | Request::Range { .. }
        | Request::Chunks { .. }
        | Request::Parts { .. } => Ok(request),
    }
}

/// The most bytes that a burst of these requests can have: it goes on while it is below
/// [`BURST_BYTES`], so it may exceed that by its largest answer.
fn burst_bytes_max(requests: &VecDeque<Request>) -> usize {
    let answers = requests.iter().map(|request| match request {
        Request::File { .. } => usize::try_from(SMALL_FILE_BYTES_MAX).unwrap_or(usize::MAX),
        Request::Range { len, .. } => *len as usize,
        Request::Chunks { .. } | Request::Parts { .. } => 0,
    });
    let (sum, largest) = answers.fold((0_usize, 0), |(sum, largest), answer| {
        (sum.saturating_add(answer), largest.max(answer))
    });
    let heads = requests.len() * ANSWER_HEAD_BYTES_MAX;
    sum.min(BURST_BYTES.saturating_add(largest)) + heads
}

/// Sends bytes; each part within [`PEER_WAIT_MAX`].
async fn write(send: &mut SendStream, mut bytes: Bytes) -> Result<(), StreamFault> {
    while !bytes.is_empty() {
        let rest = std::slice::from_mut(&mut bytes);
        let written = timeout(PEER_WAIT_MAX, send.write_chunks(rest)).await;
        written
            .map_err(|_| StreamFault::Lost)?
            .map_err(|_| StreamFault::Lost)?;
    }
    Ok(())
}

fn reset(send: &mut SendStream) {
    // Fails only when the stream has ended already.
    let _ = send.reset(VarInt::from_u32(1));
}

/// Bytes after which a burst leaves: 1 MiB. Smaller bursts pay more for hopping to the disk pool,
/// larger ones hold more memory per stream. A burst exceeds it by at most one range (4 MiB).
const BURST_BYTES: usize = 1024 * 1024;

/// Contents that are looked up ahead: 63, about half a burst of files of 8 KiB. More would be looked up
/// again when the burst is full.
const LOOKED_UP_AHEAD: usize = 63;

/// Bytes of a frame before the bytes of a file: length, variant, and a number of five bytes at most.
const ANSWER_HEAD_BYTES_MAX: usize = 10;

/// Requests taken from a stream before they are answered: 512, a fetcher's window. More stay in the
/// stream, where flow control bounds them.
const REQUESTS_TAKEN_MAX: usize = 512;

/// How long a peer may neither ask nor read: 120 s, above what a fetcher's slow disk needs for a
/// batch. After it the stream is reset; a fetcher opens another.
const PEER_WAIT_MAX: Duration = Duration::from_secs(120);
