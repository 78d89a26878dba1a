//! One file that is too large to ask for whole.
//!
//! Two ways. *Afresh*: nothing here resembles the file; its units are asked for from every source at
//! once, hashed as they arrive in any order, and the tree gives the hash of the whole. *By chunks*: an
//! older file lies at the path, or an earlier attempt left part of this one; the chunk list is asked
//! for, what is in place or in the older file is verified and kept or copied, and only the rest is
//! fetched, each chunk verified alone. Either way the bytes go straight into a partial file that
//! survives a kill, and a partial with a wrong hash is emptied, never finished.
//!
//! Memory per file: [`BUDGET_BYTES`] between network and disk, one page of chunks, the places of the
//! older file's chunks.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use towline_core::io::HeldReason;
use towline_wire::data::{
    ANSWER_FRAME_BYTES_MAX, Answer, Chunk, ChunkListCheck, ChunkSizes, ListEnd,
    REQUEST_FRAME_BYTES_MAX, Request,
};
use towline_wire::frame;
use towline_wire::ids::{ContentHash, DeviceId};

use super::apply::{Disk, Peers, Transfer, TransferFault};
use super::chunks::{Donor, hash_of, hash_of_file, verified_bytes};
use super::frames::StreamFault;
use super::hash_tree::{HashTree, PartHash, UNIT_BYTES, part_hash};
use super::lane::{self, Arrived, Budget, Lane, Queue, Reach, Want};
use super::positioned;
use super::progress::Listed;

/// Whether a partial file holds anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is new and empty.
    Now,
    /// An earlier attempt wrote parts of it; nothing is known to be right.
    Earlier,
}

/// A file under a temporary name that is being filled. It stays when dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    /// The file, readable and writable.
    pub(crate) file: File,
    /// What it holds.
    pub(crate) begun: Begun,
}

/// How the fetching of one large file ended.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Every byte is in the partial file and the hash is right.
    Whole(Arc<File>),
    /// No source gave it; what is here stays for another time.
    NoSource,
    /// This disk does not let us.
    Held(HeldReason),
}

/// Why fetching stopped before the file was whole.
enum Stop {
    NoSource,
    Mismatch,
    Disk(HeldReason),
}

/// One large file.
pub(super) struct Large<'a, D, P> {
    /// The folder's transfer.
    pub(super) transfer: &'a Transfer<D, P>,
    /// BLAKE3 of the file.
    pub(super) hash: ContentHash,
    /// Its length.
    pub(super) size: u64,
    /// Who may have it.
    pub(super) sources: Vec<DeviceId>,
    /// Its line in the progress.
    pub(super) listed: Listed<'a>,
}

impl<D: Disk, P: Peers> Large<'_, D, P> {
    /// Fills `partial`, using `older` where it helps.
    pub(super) async fn fetch(&self, partial: Partial, older: Option<File>) -> Fetched {
        let file = Arc::new(partial.file);
        let mut afresh = match (partial.begun, &older) {
            (Begun::Now, None) => true,
            (Begun::Now, Some(_)) | (Begun::Earlier, _) => false,
        };
        let mut older = older;
        // First all sources together; if the whole is wrong, each alone, so that a liar is found
        // and cannot spoil what the others give.
        let alone = self.sources.iter().map(std::slice::from_ref);
        for sources in std::iter::once(self.sources.as_slice()).chain(alone) {
            let filled = if afresh {
                self.fill_afresh(&file, sources).await
            } else {
                self.fill_by_chunks(&file, older.take(), sources).await
            };
            match filled {
                Ok(()) => return Fetched::Whole(file),
                Err(Stop::Disk(reason)) => return Fetched::Held(reason),
                Err(Stop::NoSource) if sources.len() == self.sources.len() => {
                    return Fetched::NoSource;
                }
                Err(Stop::NoSource) => {}
                Err(Stop::Mismatch) => {
                    if let [source] = sources {
                        self.transfer
                            .blame(*source, TransferFault::WrongBytes)
                            .await;
                    }
                    if let Err(reason) = self.empty(&file).await {
                        return Fetched::Held(reason);
                    }
                    if self.sources.len() == 1 && afresh {
                        return Fetched::NoSource;
                    }
                    afresh = true;
                }
            }
        }
        Fetched::NoSource
    }

    /// Fetches every unit and compares the hash of the whole.
    async fn fill_afresh(&self, file: &Arc<File>, sources: &[DeviceId]) -> Result<(), Stop> {
        self.listed.restart();
        let mut tree = HashTree::new(self.size);
        let mut begin = 0;
        while begin < self.size {
            let end = self.size.min(begin + SECTION_BYTES);
            let spans = (begin..end).step_by(UNIT_STEP).map(|offset| Span {
                hash: self.hash,
                offset,
                // A unit is 1 MiB at most.
                len: u32::try_from(UNIT_BYTES.min(self.size - offset)).unwrap_or(u32::MAX),
                check: Check::Unit {
                    file_len: self.size,
                },
            });
            for (offset, part) in self.fetch_spans(file, spans.collect(), sources).await? {
                tree.add(offset, part);
            }
            begin = end;
        }
        if tree.root() == Some(self.hash) {
            Ok(())
        } else {
            Err(Stop::Mismatch)
        }
    }

    /// Follows a chunk list, and compares the hash of the whole.
    async fn fill_by_chunks(
        &self,
        file: &Arc<File>,
        older: Option<File>,
        sources: &[DeviceId],
    ) -> Result<(), Stop> {
        let sizes = ChunkSizes::of_file(self.size);
        // An older file that cannot be read gives nothing; the bytes are fetched instead.
        let donor = match older {
            Some(older) => {
                self.transfer
                    .pool
                    .run(move || Donor::read(older, sizes).ok())
                    .await
            }
            None => None,
        };
        let donor = Arc::new(donor);
        let mut listed = Err(StreamFault::Lost);
        for source in sources {
            self.listed.restart();
            match self.follow_list(*source, file, &donor, sources).await? {
                Ok(()) => {
                    listed = Ok(());
                    break;
                }
                Err(StreamFault::Lost) => {}
                Err(StreamFault::Protocol) => {
                    self.transfer.blame(*source, TransferFault::Protocol).await;
                }
            }
        }
        if listed.is_err() {
            return Err(Stop::NoSource);
        }
        let reading = file.clone();
        match self.transfer.pool.run(move || hash_of_file(&reading)).await {
            Ok((hash, len)) if hash == self.hash && len == self.size => Ok(()),
            Ok(_) => Err(Stop::Mismatch),
            Err(error) => Err(Stop::Disk(held(&error))),
        }
    }

    /// Takes the chunk list of one source, page by page, and fills in what each page names. The
    /// inner error concerns only the list.
    async fn follow_list(
        &self,
        source: DeviceId,
        file: &Arc<File>,
        donor: &Arc<Option<Donor>>,
        sources: &[DeviceId],
    ) -> Result<Result<(), StreamFault>, Stop> {
        let Some(connection) = self.transfer.peers.connection(source) else {
            return Ok(Err(StreamFault::Lost));
        };
        let asked = async {
            let (mut send, reader) = lane::open(&connection, self.transfer.folder).await?;
            let request = Request::Chunks { hash: self.hash };
            let request = frame::encode(&request, REQUEST_FRAME_BYTES_MAX)?;
            lane::in_time(lane::write(&mut send, request)).await?;
            Ok((send, reader))
        };
        let (_send, mut reader) = match asked.await {
            Ok(opened) => opened,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut check = ChunkListCheck::new(self.size);
        loop {
            let page = lane::in_time(reader.frame::<Answer>(ANSWER_FRAME_BYTES_MAX)).await;
            let (chunks, end) = match page {
                Ok(Some(Answer::Chunks { chunks, end })) => (chunks, end),
                Ok(Some(Answer::Gone) | None) => return Ok(Err(StreamFault::Lost)),
                Ok(Some(Answer::Bytes { .. })) => return Ok(Err(StreamFault::Protocol)),
                Err(fault) => return Ok(Err(fault)),
            };
            let Ok(begin) = check.page(&chunks, end) else {
                return Ok(Err(StreamFault::Protocol));
            };
            let missing = self.reuse(file, donor, begin, chunks).await?;
            self.fetch_spans(file, missing, sources).await?;
            match end {
                ListEnd::End => return Ok(Ok(())),
                ListEnd::More => {}
            }
        }
    }

    /// Keeps or copies the chunks of one page that lie here; returns those that do not.
    async fn reuse(
        &self,
        file: &Arc<File>,
        donor: &Arc<Option<Donor>>,
        begin: u64,
        chunks: Vec<Chunk>,
    ) -> Result<VecDeque<Span>, Stop> {
        let (file, donor, hash) = (file.clone(), donor.clone(), self.hash);
        let reused = self.transfer.pool.run(move || {
            let mut missing = VecDeque::new();
            let (mut offset, mut reused) = (begin, 0);
            for chunk in chunks {
                let in_place = verified_bytes(&file, offset, chunk).is_some();
                let copied = if in_place {
                    None
                } else {
                    donor.as_ref().as_ref().and_then(|donor| donor.bytes(chunk))
                };
                match copied {
                    Some(bytes) => {
                        positioned::write_all_at(&file, &bytes, offset)?;
                        reused += u64::from(chunk.len);
                    }
                    None if in_place => reused += u64::from(chunk.len),
                    None => {
                        let check = Check::Chunk(chunk.hash);
                        missing.push_back(Span {
                            hash,
                            offset,
                            len: chunk.len,
                            check,
                        });
                    }
                }
                offset += u64::from(chunk.len);
            }
            io::Result::Ok((missing, reused))
        });
        let (missing, reused) = reused.await.map_err(|error| Stop::Disk(held(&error)))?;
        self.transfer.progress.reused(reused);
        self.listed.add(reused);
        Ok(missing)
    }

    /// Fetches spans from all sources and writes them into the file; returns what units hash to.
    async fn fetch_spans(
        &self,
        file: &Arc<File>,
        spans: VecDeque<Span>,
        sources: &[DeviceId],
    ) -> Result<Vec<(u64, PartHash)>, Stop> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let queue = Queue::new(spans);
        let budget = Budget::new(BUDGET_BYTES);
        let (arrived, arriving) = mpsc::channel(ARRIVED_MAX);
        let asking = async {
            let arrived = arrived;
            loop {
                let lanes = sources
                    .iter()
                    .filter(|source| !queue.is_dry_for(**source))
                    .map(|source| {
                        let arrived = arrived.clone();
                        self.transfer.run_lane(*source, &queue, arrived, &budget)
                    });
                let lanes: Vec<_> = lanes.collect();
                if lanes.is_empty() {
                    break;
                }
                join_all(lanes).await;
                budget.all_free().await;
            }
        };
        let ((), written) = join(asking, self.write_spans(file, arriving, &queue)).await;
        let parts = written.map_err(Stop::Disk)?;
        if queue.take_rest().is_empty() {
            Ok(parts)
        } else {
            Err(Stop::NoSource)
        }
    }

    /// Verifies and writes what arrives, a few spans side by side.
    async fn write_spans(
        &self,
        file: &Arc<File>,
        mut arriving: mpsc::Receiver<Arrived<Span>>,
        queue: &Queue<Span>,
    ) -> Result<Vec<(u64, PartHash)>, HeldReason> {
        let mut parts = Vec::new();
        let mut writing = FuturesUnordered::new();
        let mut open = true;
        while open || !writing.is_empty() {
            tokio::select! {
                arrived = arriving.recv(), if open && writing.len() < WRITES_MAX => match arrived {
                    Some(arrived) => {
                        let file = file.clone();
                        writing.push(self.transfer.pool.run(move || {
                            let written = arrived.want.write(&file, &arrived.bytes);
                            (written, arrived)
                        }));
                    }
                    None => open = false,
                },
                Some((written, Arrived { want, source, held, .. })) = writing.next() => {
                    match written.map_err(|error| super::large::held(&error))? {
                        Written::Unit(part) => {
                            self.listed.add(u64::from(want.len));
                            parts.push((want.offset, part));
                        }
                        Written::Chunk => self.listed.add(u64::from(want.len)),
                        Written::Refused => {
                            queue.refuse(want, source);
                            self.transfer.blame(source, TransferFault::WrongBytes).await;
                        }
                    }
                    drop(held);
                }
            }
        }
        Ok(parts)
    }

    /// Empties the partial file: what it holds is wrong.
    async fn empty(&self, file: &Arc<File>) -> Result<(), HeldReason> {
        let file = file.clone();
        self.transfer
            .pool
            .run(move || file.set_len(0))
            .await
            .map_err(|error| held(&error))
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

/// What came of a span's bytes.
enum Written {
    Unit(PartHash),
    Chunk,
    Refused,
}

impl Span {
    /// Verifies the bytes as far as possible and writes them. Blocks on the disk.
    fn write(&self, file: &File, bytes: &Bytes) -> io::Result<Written> {
        let written = match self.check {
            Check::Unit { file_len } => Written::Unit(part_hash(self.offset, bytes, file_len)),
            Check::Chunk(hash) if hash_of(bytes) == hash => Written::Chunk,
            Check::Chunk(_) => return Ok(Written::Refused),
        };
        positioned::write_all_at(file, bytes, self.offset)?;
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
        Reach::WholeQueue
    }
}

/// What a person is told of a disk error.
pub(super) fn held(error: &io::Error) -> HeldReason {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            HeldReason::DiskFull
        }
        io::ErrorKind::ReadOnlyFilesystem => HeldReason::ReadOnly,
        _ => HeldReason::Unwritable,
    }
}

/// Bytes of one file between network and disk: 8 MiB, a lane's window, so that a disk that pauses
/// for one window does not stop the network.
const BUDGET_BYTES: u32 = 8 * 1024 * 1024;

/// Arrived spans that wait for a write: 8; the byte budget is the real bound.
const ARRIVED_MAX: usize = 8;

/// Spans that are hashed and written side by side: 2, one per core of a small machine.
const WRITES_MAX: usize = 2;

/// Units that are queued at once: those of 4 GiB, 4096. Bounds the queue for files of any length.
const SECTION_BYTES: u64 = 4096 * UNIT_BYTES;

/// [`UNIT_BYTES`] as a step of an iterator.
#[expect(clippy::cast_possible_truncation, reason = "1 MiB fits every usize")]
const UNIT_STEP: usize = UNIT_BYTES as usize;
