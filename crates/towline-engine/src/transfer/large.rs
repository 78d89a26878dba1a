//! One file that is too large to ask for whole.
//!
//! Two ways. *Afresh*: nothing here resembles the file; its units are asked for from every source at
//! once, hashed as they arrive in any order, and the tree gives the hash of the whole. *By chunks*: an
//! older file lies at the path, or an earlier attempt left part of this one; the chunk list is asked
//! for, what is in place or in the older file is verified and kept or copied, and only the rest is
//! fetched from every source while the list still comes, each chunk verified alone. A list whose source
//! is lost is gone on with by the next source, whose list is the same. Either way the bytes go straight into a partial file that
//! survives a kill, and a partial with a wrong hash is emptied, never finished.
//!
//! Memory per file: [`BUDGET_BYTES`] between network and disk, one page of chunks, the places of the
//! older file's chunks.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::future::{Either, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use quinn::SendStream;
use tokio::sync::mpsc;
use towline_core::io::HeldReason;
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, Chunk, ChunkListCheck, ChunkSizes, ListEnd,
    REQUEST_FRAME_BYTES_MAX, Request,
};
use towline_wire::frame;
use towline_wire::ids::{ContentHash, DeviceId};
use towline_wire::rel_path::RelPath;

use super::apply::{Peers, Transfer, TransferFault};
use super::assembly::{Assembly, Missing};
use super::board::{Board, Reach, Want};
use super::chunks::{Donor, Older, hash_of};
use super::fleet::Fleet;
use super::frames::{FrameReader, StreamFault};
use super::lane::{self, Arrived, Budget};
use super::progress::Listed;
use super::serve::Folders;
use crate::disk::{
    FileShape, HashTree, PartHash, StageFault, Staged, StagedFile, UNIT_BYTES, part_hash,
};

/// How the fetching of one large file ended.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are a few at a time, and nearly all are the larger one"
)]
pub(super) enum Fetched {
    /// Every byte is there and the hash is right.
    Whole(Staged),
    /// No source gave it; what is here stays for another time.
    NoSource,
    /// This disk does not let us.
    Held(HeldReason),
}

/// Why fetching stopped before the file was whole.
enum Stop {
    NoSource,
    /// Everything came, and the whole is not what it should be.
    Mismatch(Way),
    /// The older file was changed while its bytes were used.
    OlderChanged,
    Disk(HeldReason),
}

/// How a file was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Afresh,
    ByChunks,
}

impl From<StageFault> for Stop {
    fn from(fault: StageFault) -> Self {
        Self::Disk(reason_of(fault))
    }
}

/// One large file.
pub(super) struct Large<'a, F, P> {
    /// The folder's transfer.
    pub(super) transfer: &'a Transfer<F, P>,
    /// Where it will lie.
    pub(super) path: RelPath,
    /// What it shall be.
    pub(super) shape: FileShape,
    /// Who may have it.
    pub(super) sources: Vec<DeviceId>,
    /// Its line in the progress.
    pub(super) listed: Listed<'a>,
}

impl<F: Folders, P: Peers> Large<'_, F, P> {
    /// Fetches the file, using what an earlier attempt left, and `older` where it helps.
    pub(super) async fn fetch(&self, older: Option<Older>) -> Fetched {
        // First all sources together; if the whole is wrong, each alone, so that a liar is found
        // and cannot spoil what the others give.
        let alone = self.sources.iter().map(std::slice::from_ref);
        let mut older = older;
        for sources in std::iter::once(self.sources.as_slice()).chain(alone) {
            match self.attempt(older.take(), sources).await {
                Ok(staged) => return Fetched::Whole(staged),
                Err(Stop::Disk(reason)) => return Fetched::Held(reason),
                Err(Stop::NoSource) if sources.len() == self.sources.len() => {
                    return Fetched::NoSource;
                }
                Err(Stop::NoSource | Stop::OlderChanged) => {}
                Err(Stop::Mismatch(way)) => {
                    if let [source] = sources {
                        self.transfer
                            .blame(*source, TransferFault::WrongBytes)
                            .await;
                    }
                    if way == Way::Afresh && self.sources.len() == 1 {
                        return Fetched::NoSource;
                    }
                }
            }
        }
        Fetched::NoSource
    }

    /// Begins the temporary file, or goes on with it, fills it from these sources and verifies it.
    async fn attempt(&self, older: Option<Older>, sources: &[DeviceId]) -> Result<Staged, Stop> {
        let (root, shape) = (self.transfer.root.clone(), self.shape);
        let begun = self
            .transfer
            .work
            .run(move || StagedFile::begin(&root, shape))
            .await?;
        let file = Arc::new(begun);
        let (way, verified) = if file.is_resumed() || older.is_some() {
            let root = self.fill_by_chunks(&file, older, sources).await?;
            (Way::ByChunks, root)
        } else {
            (Way::Afresh, self.fill_afresh(&file, sources).await?)
        };
        // Every job that shared the file has been waited for.
        let Some(file) = Arc::into_inner(file) else {
            return Err(Stop::NoSource);
        };
        let hash = shape.hash;
        let finish = move || match verified {
            None => file.finish(),
            Some(root) if root == hash => file.finish_verified(),
            Some(_) => {
                file.discard();
                Err(StageFault::WrongBytes)
            }
        };
        match self.transfer.work.run(finish).await {
            Err(StageFault::WrongBytes) => Err(Stop::Mismatch(way)),
            other => Ok(other?),
        }
    }

    /// Fetches every unit; returns what they hash to together.
    async fn fill_afresh(
        &self,
        file: &Arc<StagedFile>,
        sources: &[DeviceId],
    ) -> Result<Option<ContentHash>, Stop> {
        let FileShape { size, hash, .. } = self.shape;
        self.listed.restart();
        let board = Board::new();
        let list = async {
            let mut begin = 0;
            while begin < size {
                let end = size.min(begin + SECTION_BYTES);
                board.room().await;
                board.add((begin..end).step_by(UNIT_STEP).map(|offset| Span {
                    hash,
                    offset,
                    // A unit is 1 MiB at most.
                    len: u32::try_from(UNIT_BYTES.min(size - offset)).unwrap_or(u32::MAX),
                    check: Check::Unit { file_len: size },
                }));
                begin = end;
            }
            Ok(())
        };
        let tree = self.fetch_spans(file, &board, list, sources).await?;
        Ok(tree.root())
    }

    /// Follows the chunk list of the first source that gives one; returns what all of it hashes to.
    async fn fill_by_chunks(
        &self,
        file: &Arc<StagedFile>,
        older: Option<Older>,
        sources: &[DeviceId],
    ) -> Result<Option<ContentHash>, Stop> {
        let size = self.shape.size;
        self.listed.restart();
        let board = Board::new();
        let assembly = OnceLock::new();
        let begun = file.clone();
        let begin = self.transfer.work.run(move || {
            // An older file that cannot be read gives nothing; the bytes are fetched instead.
            let donor = older.and_then(|older| Donor::read(older, ChunkSizes::of_file(size)).ok());
            Arc::new(Mutex::new(Assembly::new(begun, donor, size)))
        });
        let list = async {
            let mut begin = Some(begin);
            let mut listed = 0;
            for source in sources {
                let opened = match begin.take() {
                    // The source cuts its file while we cut ours.
                    Some(begin) if size <= CUT_SIDE_BY_SIDE_BYTES_MAX => {
                        let (opened, begun) = join(self.open_list(*source), begin).await;
                        assembly.get_or_init(|| begun);
                        opened
                    }
                    Some(begin) => {
                        let begun = begin.await;
                        assembly.get_or_init(|| begun);
                        self.open_list(*source).await
                    }
                    None => self.open_list(*source).await,
                };
                let followed = match (opened, assembly.get()) {
                    (Ok(opened), Some(assembly)) => {
                        self.follow_list(opened, assembly, &board, &mut listed)
                            .await?
                    }
                    (Err(fault), _) => Err(fault),
                    (Ok(_), None) => Err(StreamFault::Lost),
                };
                match followed {
                    Ok(()) => return Ok(()),
                    Err(StreamFault::Lost) => {}
                    Err(StreamFault::Protocol) => {
                        self.transfer.blame(*source, TransferFault::Protocol).await;
                    }
                }
            }
            Err(Stop::NoSource)
        };
        self.fetch_spans(file, &board, list, sources).await?;
        let Some(assembly) = assembly.into_inner().and_then(Arc::into_inner) else {
            return Err(Stop::NoSource);
        };
        let hash = self.shape.hash;
        let finish = move || {
            let mut assembly = assembly
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            let root = assembly.finish()?;
            if root != Some(hash) && !assembly.is_donor_unchanged() {
                return Err(Stop::OlderChanged);
            }
            Ok(root)
        };
        self.transfer.work.run(finish).await
    }

    /// Asks a source for the chunk list.
    async fn open_list(&self, source: DeviceId) -> Result<(SendStream, FrameReader), StreamFault> {
        let connection = self.transfer.peers.connection(source);
        let connection = connection.ok_or(StreamFault::Lost)?;
        let (mut send, reader) = lane::open(&connection, self.transfer.folder).await?;
        let request = Request::Chunks {
            hash: self.shape.hash,
        };
        let request = frame::encode(&request, REQUEST_FRAME_BYTES_MAX)?;
        lane::write(&mut send, request).await?;
        Ok((send, reader))
    }

    /// Takes a chunk list, page by page, from where an earlier one ended (`listed`), and adds to the
    /// board what of each page is missing here. The inner error concerns only the list.
    async fn follow_list(
        &self,
        (mut send, mut reader): (SendStream, FrameReader),
        assembly: &Arc<Mutex<Assembly>>,
        board: &Board<Span>,
        listed: &mut u64,
    ) -> Result<Result<(), StreamFault>, Stop> {
        let mut check = ChunkListCheck::new(self.shape.size);
        let mut few = Vec::new();
        loop {
            let (begin, chunks, end) = match page(&mut reader, &mut check).await {
                Ok(page) => page,
                Err(fault) => {
                    // A further list names only what comes after these.
                    self.want(board, few.iter().map(whole)).await;
                    return Ok(Err(fault));
                }
            };
            let chunks = placed(begin, chunks, listed);
            let shared = assembly.clone();
            let taken = self
                .transfer
                .work
                .run(move || lock(&shared).take(chunks))
                .await?;
            self.transfer.progress.reused(taken.reused);
            self.listed.add(taken.reused);
            if taken.refinable && taken.missing.len() <= REFINED_PER_PAGE_MAX {
                few.extend(taken.missing);
            } else {
                self.want(board, taken.missing.iter().map(whole)).await;
            }
            match end {
                ListEnd::End => break,
                ListEnd::More => {}
            }
        }
        let rest = few.split_off(few.len().min(REFINED_MAX));
        self.want(board, rest.iter().map(whole)).await;
        self.refine(few, &mut send, &mut reader, assembly, board)
            .await
    }

    /// Asks for the parts of chunks, and adds to the board those that the older file lacks; where the
    /// source does not tell them, the whole chunks.
    async fn refine(
        &self,
        few: Vec<Missing>,
        send: &mut SendStream,
        reader: &mut FrameReader,
        assembly: &Arc<Mutex<Assembly>>,
        board: &Board<Span>,
    ) -> Result<Result<(), StreamFault>, Stop> {
        let mut requests = Vec::new();
        for missing in &few {
            let request = Request::Parts {
                hash: self.shape.hash,
                offset: missing.offset,
                len: missing.chunk.len,
            };
            // A request is far below its limit.
            requests.extend(frame::encode(&request, REQUEST_FRAME_BYTES_MAX).unwrap_or_default());
        }
        let mut fault = if requests.is_empty() {
            None
        } else {
            lane::write(send, requests).await.err()
        };
        for missing in few {
            let parts = match fault {
                None => parts(reader, missing.chunk.len).await,
                Some(fault) => Err(fault),
            };
            let parts = match parts {
                Ok(parts) => parts,
                Err(lost) => {
                    fault = Some(lost);
                    self.want(board, std::iter::once(whole(&missing))).await;
                    continue;
                }
            };
            let shared = assembly.clone();
            let refine = move || lock(&shared).refine(missing, parts);
            let (rest, reused) = self.transfer.work.run(refine).await?;
            self.transfer.progress.reused(reused);
            self.listed.add(reused);
            self.want(board, rest.into_iter()).await;
        }
        // The list was whole; that its stream was lost then does not matter.
        Ok(match fault {
            Some(StreamFault::Protocol) => Err(StreamFault::Protocol),
            Some(StreamFault::Lost) | None => Ok(()),
        })
    }

    /// Adds chunks to the board, once it has room.
    async fn want(&self, board: &Board<Span>, chunks: impl Iterator<Item = (u64, Chunk)> + Send) {
        let hash = self.shape.hash;
        board.room().await;
        board.add(chunks.map(|(offset, chunk)| Span {
            hash,
            offset,
            len: chunk.len,
            check: Check::Chunk(chunk.hash),
        }));
    }

    /// Fetches what `list` adds to the board from all sources and writes it into the file; returns what
    /// units hash to.
    async fn fetch_spans(
        &self,
        file: &Arc<StagedFile>,
        board: &Board<Span>,
        list: impl Future<Output = Result<(), Stop>>,
        sources: &[DeviceId],
    ) -> Result<HashTree, Stop> {
        let budget = Budget::new(BUDGET_BYTES);
        let (arrived, arriving) = mpsc::channel(ARRIVED_MAX);
        let fleet = Fleet {
            transfer: self.transfer,
            board,
            budget: &budget,
            lanes: 1,
            idle: || {},
        };
        let asked = sources.iter().copied();
        let fetched = pin!(join(
            fleet.run(asked, arrived, || self.sources_now(sources)),
            self.write_spans(file, arriving, board),
        ));
        let ((), written) = match select(pin!(list), fetched).await {
            Either::Left((listed, fetched)) => {
                board.close();
                if let Err(stop) = listed {
                    drop(board.take_rest());
                    let ((), written) = fetched.await;
                    written?;
                    return Err(stop);
                }
                fetched.await
            }
            // No source is left, or the disk lets us no more.
            Either::Right((((), written), _)) => {
                written?;
                return Err(Stop::NoSource);
            }
        };
        let Written { tree, refused } = written?;
        match (board.take_rest().is_empty(), refused) {
            (true, _) => Ok(tree),
            (false, None) => Err(Stop::NoSource),
            // Bytes or the list are wrong; asking each alone tells.
            (false, Some(way)) => Err(Stop::Mismatch(way)),
        }
    }

    /// Who has the file now, if all may be asked.
    async fn sources_now(&self, asked: &[DeviceId]) -> Vec<DeviceId> {
        if asked.len() < self.sources.len() {
            return Vec::new();
        }
        let (folder, folders) = (self.transfer.folder, self.transfer.folders.clone());
        let (path, hash) = (self.path.clone(), self.shape.hash);
        let look = move || folders.peers_with(folder, &path, hash);
        self.transfer.work.run(look).await
    }

    /// Verifies and writes what arrives, a few spans side by side.
    async fn write_spans(
        &self,
        file: &Arc<StagedFile>,
        mut arriving: mpsc::Receiver<Arrived<Span>>,
        board: &Board<Span>,
    ) -> Result<Written, StageFault> {
        let mut all = Written {
            tree: HashTree::new(self.shape.size),
            refused: None,
        };
        let mut writing = FuturesUnordered::new();
        let mut open = true;
        while open || !writing.is_empty() {
            tokio::select! {
                arrived = arriving.recv(), if open && writing.len() < WRITES_MAX => match arrived {
                    Some(arrived) => {
                        let file = file.clone();
                        writing.push(self.transfer.work.run(move || {
                            let written = arrived.want.write(&file, &arrived.bytes);
                            (written, arrived)
                        }));
                    }
                    None => open = false,
                },
                Some((written, Arrived { want, source, held, .. })) = writing.next() => {
                    match written? {
                        SpanWritten::Unit(part) => {
                            self.listed.add(u64::from(want.len));
                            all.tree.add(want.offset, part);
                        }
                        SpanWritten::Chunk => self.listed.add(u64::from(want.len)),
                        SpanWritten::Refused => {
                            board.refuse(want, source);
                            all.refused = Some(Way::ByChunks);
                            self.transfer.blame(source, TransferFault::WrongBytes).await;
                        }
                    }
                    drop(held);
                }
            }
        }
        Ok(all)
    }
}

/// Part of a large file that is fetched by one request.
struct Span {
    hash: ContentHash,
    offset: u64,
    len: u32,
    check: Check,
}

/// How a span's bytes are known to be right.
#[derive(Clone, Copy)]
enum Check {
    /// With the whole file of this length, at the end.
    Unit { file_len: u64 },
    /// By their own hash.
    Chunk(ContentHash),
}

/// What came of all spans.
struct Written {
    /// What the units hash to.
    tree: HashTree,
    /// Whether bytes were refused.
    refused: Option<Way>,
}

/// What came of a span's bytes.
enum SpanWritten {
    Unit(PartHash),
    Chunk,
    Refused,
}

impl Span {
    /// Verifies the bytes as far as possible and writes them. Blocks on the disk.
    fn write(&self, file: &StagedFile, bytes: &Bytes) -> Result<SpanWritten, StageFault> {
        let written = match self.check {
            Check::Unit { file_len } => SpanWritten::Unit(part_hash(self.offset, bytes, file_len)),
            Check::Chunk(hash) if hash_of(bytes) == hash => SpanWritten::Chunk,
            Check::Chunk(_) => return Ok(SpanWritten::Refused),
        };
        file.write_at(self.offset, bytes)?;
        Ok(written)
    }
}

impl Want for Span {
    fn request(&self) -> Request {
        Request::Range {
            hash: self.hash,
            offset: self.offset,
            len: self.len,
        }
    }

    fn len(&self) -> u32 {
        self.len
    }

    fn may_have(&self, _source: DeviceId) -> bool {
        true
    }

    fn refused_by(&mut self, _source: DeviceId) -> Reach {
        Reach::WholeBoard
    }
}

/// The chunks of a page and where they lie, as far as no earlier list (up to `listed`) has named them.
/// Lists of one file are the same; a boundary that differs is a lie that the hash of the whole shows.
fn placed(mut offset: u64, chunks: Vec<Chunk>, listed: &mut u64) -> Vec<(u64, Chunk)> {
    let mut fresh = Vec::new();
    for chunk in chunks {
        let end = offset + u64::from(chunk.len);
        if end > *listed {
            fresh.push((offset, chunk));
            *listed = end;
        }
        offset = end;
    }
    fresh
}

/// The next page of a list, and where it begins.
async fn page(
    reader: &mut FrameReader,
    check: &mut ChunkListCheck,
) -> Result<(u64, Vec<Chunk>, ListEnd), StreamFault> {
    match reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX).await? {
        Some(Answer::Chunks { chunks, end }) => {
            let begin = check
                .page(&chunks, end)
                .map_err(|_| StreamFault::Protocol)?;
            Ok((begin, chunks, end))
        }
        Some(Answer::Gone) | None => Err(StreamFault::Lost),
        Some(Answer::Bytes { .. } | Answer::Zeros { .. }) => Err(StreamFault::Protocol),
    }
}

/// The parts of a chunk of this length.
async fn parts(reader: &mut FrameReader, len: u32) -> Result<Vec<Chunk>, StreamFault> {
    let mut check = ChunkListCheck::of_parts(len);
    let mut parts = Vec::new();
    loop {
        let (_, chunks, end) = page(reader, &mut check).await?;
        parts.extend(chunks);
        match end {
            ListEnd::End => return Ok(parts),
            ListEnd::More => {}
        }
    }
}

/// A missing chunk as it is fetched when nothing is known of its parts.
fn whole(missing: &Missing) -> (u64, Chunk) {
    (missing.offset, missing.chunk)
}

fn lock(assembly: &Mutex<Assembly>) -> MutexGuard<'_, Assembly> {
    assembly.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a person is told of a staging fault.
pub(super) fn reason_of(fault: StageFault) -> HeldReason {
    match fault {
        StageFault::Held(reason) => reason,
        // Callers verify before they stage; lengths are those of the step.
        StageFault::WrongBytes | StageFault::SourceChanged => HeldReason::Unwritable,
    }
}

/// Bytes of one file between network and disk: 8 MiB, a lane's window, so that a disk that pauses
/// for one window does not stop the network.
const BUDGET_BYTES: u32 = 8 * 1024 * 1024;

/// Arrived spans that wait for a write: 8; the byte budget is the real bound.
const ARRIVED_MAX: usize = 8;

/// Spans that are hashed and written side by side: 3. One may be waiting for a push to the disk while
/// two more keep a small machine's cores busy.
const WRITES_MAX: usize = 3;

/// Missing chunks of a page up to which their parts are asked for: 8 of 512. Of a file that is mostly
/// new the parts would be new, too.
const REFINED_PER_PAGE_MAX: usize = 8;

/// Chunks whose parts are asked for at once: 256, half of what a source takes from a stream.
const REFINED_MAX: usize = 256;

/// Size up to which the source cuts its file while we cut ours: 16 GiB. Of larger ones the list would
/// wait for us longer than a source waits for a stream.
const CUT_SIDE_BY_SIDE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Units that are queued at once: those of 4 GiB, 4096. Bounds the queue for files of any length.
const SECTION_BYTES: u64 = 4096 * UNIT_BYTES;

/// [`UNIT_BYTES`] as a step of an iterator.
#[expect(clippy::cast_possible_truncation, reason = "1 MiB fits every usize")]
const UNIT_STEP: usize = UNIT_BYTES as usize;
