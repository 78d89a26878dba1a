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

use std::fs::File;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
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
use super::board::{Board, Reach, Want};
use super::chunks::{Donor, hash_of};
use super::fleet::Fleet;
use super::frames::StreamFault;
use super::lane::{self, Arrived, Budget};
use super::progress::Listed;
use super::serve::Folders;
use crate::disk::{
    FileShape, HashTree, PartHash, StageFault, Staged, StagedFile, UNIT_BYTES, part_hash,
};

/// How the fetching of one large file ended.
#[derive(Debug)]
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
    pub(super) async fn fetch(&self, older: Option<File>) -> Fetched {
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
                Err(Stop::NoSource) => {}
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
    async fn attempt(&self, older: Option<File>, sources: &[DeviceId]) -> Result<Staged, Stop> {
        let (root, shape) = (self.transfer.root.clone(), self.shape);
        let begun = self
            .transfer
            .work
            .run(move || StagedFile::begin(&root, shape))
            .await?;
        let file = Arc::new(begun);
        let (way, verified) = if file.is_resumed() || older.is_some() {
            self.fill_by_chunks(&file, older, sources).await?;
            (Way::ByChunks, None)
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

    /// Follows the chunk list of the first source that gives one.
    async fn fill_by_chunks(
        &self,
        file: &Arc<StagedFile>,
        older: Option<File>,
        sources: &[DeviceId],
    ) -> Result<(), Stop> {
        let sizes = ChunkSizes::of_file(self.shape.size);
        // An older file that cannot be read gives nothing; the bytes are fetched instead.
        let donor = match older {
            Some(older) => {
                self.transfer
                    .work
                    .run(move || Donor::read(older, sizes).ok())
                    .await
            }
            None => None,
        };
        let donor = Arc::new(donor);
        self.listed.restart();
        let board = Board::new();
        let list = async {
            let mut listed = 0;
            for source in sources {
                let followed = self.follow_list(*source, file, &donor, &board, &mut listed);
                match followed.await? {
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
        Ok(())
    }

    /// Takes the chunk list of one source, page by page, from where an earlier one ended (`listed`),
    /// and adds to the board what of each page is missing here. The inner error concerns only the list.
    async fn follow_list(
        &self,
        source: DeviceId,
        file: &Arc<StagedFile>,
        donor: &Arc<Option<Donor>>,
        board: &Board<Span>,
        listed: &mut u64,
    ) -> Result<Result<(), StreamFault>, Stop> {
        let Some(connection) = self.transfer.peers.connection(source) else {
            return Ok(Err(StreamFault::Lost));
        };
        let asked = async {
            let (mut send, reader) = lane::open(&connection, self.transfer.folder).await?;
            let request = Request::Chunks {
                hash: self.shape.hash,
            };
            let request = frame::encode(&request, REQUEST_FRAME_BYTES_MAX)?;
            lane::write(&mut send, request).await?;
            Ok((send, reader))
        };
        let (_send, mut reader) = match asked.await {
            Ok(opened) => opened,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut check = ChunkListCheck::new(self.shape.size);
        loop {
            let page = reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX).await;
            let (chunks, end) = match page {
                Ok(Some(Answer::Chunks { chunks, end })) => (chunks, end),
                Ok(Some(Answer::Gone) | None) => return Ok(Err(StreamFault::Lost)),
                Ok(Some(Answer::Bytes { .. })) => return Ok(Err(StreamFault::Protocol)),
                Err(fault) => return Ok(Err(fault)),
            };
            let Ok(begin) = check.page(&chunks, end) else {
                return Ok(Err(StreamFault::Protocol));
            };
            let chunks = placed(begin, chunks, listed);
            let missing = self.reuse(file, donor, chunks).await?;
            board.room().await;
            board.add(missing);
            match end {
                ListEnd::End => return Ok(Ok(())),
                ListEnd::More => {}
            }
        }
    }

    /// Keeps or copies the chunks that lie here; returns those that do not.
    async fn reuse(
        &self,
        file: &Arc<StagedFile>,
        donor: &Arc<Option<Donor>>,
        chunks: Vec<(u64, Chunk)>,
    ) -> Result<Vec<Span>, Stop> {
        let (file, donor, hash) = (file.clone(), donor.clone(), self.shape.hash);
        let reused = self.transfer.work.run(move || {
            let (mut missing, mut reused) = (Vec::new(), 0);
            for (offset, chunk) in chunks {
                let in_place = file.is_resumed() && holds(&file, offset, chunk);
                let copied = if in_place {
                    None
                } else {
                    donor.as_ref().as_ref().and_then(|donor| donor.bytes(chunk))
                };
                match copied {
                    Some(bytes) => {
                        file.write_at(offset, &bytes)?;
                        reused += u64::from(chunk.len);
                    }
                    None if in_place => reused += u64::from(chunk.len),
                    None => {
                        let check = Check::Chunk(chunk.hash);
                        missing.push(Span {
                            hash,
                            offset,
                            len: chunk.len,
                            check,
                        });
                    }
                }
            }
            Ok::<_, StageFault>((missing, reused))
        });
        let (missing, reused) = reused.await?;
        self.transfer.progress.reused(reused);
        self.listed.add(reused);
        Ok(missing)
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

/// Whether a file of a former run holds this chunk here. Blocks.
fn holds(file: &StagedFile, offset: u64, chunk: Chunk) -> bool {
    let mut bytes = vec![0; chunk.len as usize];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset + done as u64, rest) {
            Ok(0) | Err(_) => return false,
            Ok(count) => done += count,
        }
    }
    hash_of(&bytes) == chunk.hash
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

/// Units that are queued at once: those of 4 GiB, 4096. Bounds the queue for files of any length.
const SECTION_BYTES: u64 = 4096 * UNIT_BYTES;

/// [`UNIT_BYTES`] as a step of an iterator.
#[expect(clippy::cast_possible_truncation, reason = "1 MiB fits every usize")]
const UNIT_STEP: usize = UNIT_BYTES as usize;
