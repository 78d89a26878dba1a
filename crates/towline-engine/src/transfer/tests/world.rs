//! Sources with files, and a folder that fetches from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use quinn::Connection;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use towline_core::io::{ApplyId, Expected, HeldReason, Outcome, Step};
use towline_core::records::DiskStamp;
use towline_wire::entry::{Content, UnixNanos};
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::super::apply::{Disk, Peers, Transfer, TransferEvent, TransferFault};
use super::super::chunks::{hash_of, hash_of_file};
use super::super::grants::Grants;
use super::super::large::{Begun, Partial};
use super::super::pool::Pool;
use super::super::progress::Progress;
use super::super::serve::{Library, OpenContent, ServeFault, Server};
use super::loopback::{self, Pair};

pub(super) const FOLDER: FolderId = FolderId::from_bytes([1; 16]);

/// Bytes that look random, from a seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// The identity of the device that fetches.
pub(super) fn fetcher_id() -> DeviceId {
    DeviceId::from_public_key([255; 32])
}

pub(super) fn source_id(number: u8) -> DeviceId {
    DeviceId::from_public_key([number; 32])
}

/// A directory whose files are known by content.
pub(super) struct Shelf {
    pub(super) directory: TempDir,
    rows: Mutex<HashMap<ContentHash, (PathBuf, DiskStamp)>>,
}

fn stamp_of(file: &File) -> DiskStamp {
    let metadata = file.metadata().unwrap();
    DiskStamp {
        size: metadata.len(),
        mtime: UnixNanos(metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec()),
        ctime: UnixNanos(metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec()),
        file_id: metadata.ino(),
    }
}

impl Shelf {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { directory: tempfile::tempdir().unwrap(), rows: Mutex::default() })
    }

    /// Adds a file and returns the content that an index says of it.
    pub(super) fn add(&self, name: &str, bytes: &[u8]) -> Content {
        let place = self.directory.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        let hash = hash_of(bytes);
        let stamp = stamp_of(&File::open(&place).unwrap());
        self.rows.lock().unwrap().insert(hash, (place, stamp));
        Content::File { size: bytes.len() as u64, hash, executable: false }
    }

    /// Makes the index lie: the file has these bytes instead, under the same marks.
    pub(super) fn corrupt(&self, content: &Content, bytes: &[u8]) {
        let Content::File { hash, .. } = content else { panic!("not a file") };
        let mut rows = self.rows.lock().unwrap();
        let (place, stamp) = rows.get_mut(hash).unwrap();
        fs::write(&place, bytes).unwrap();
        *stamp = stamp_of(&File::open(&place).unwrap());
    }

    /// Changes the file behind the index's back.
    pub(super) fn change(&self, content: &Content) {
        let Content::File { hash, size, .. } = content else { panic!("not a file") };
        let rows = self.rows.lock().unwrap();
        fs::write(&rows[hash].0, vec![0; *size as usize + 1]).unwrap();
    }
}

impl Library for Shelf {
    fn open(&self, folder: FolderId, hash: ContentHash) -> Option<OpenContent> {
        let (place, stamp) = self.rows.lock().unwrap().get(&hash).filter(|_| folder == FOLDER)?.clone();
        let file = File::open(place).ok()?;
        (stamp_of(&file) == stamp).then_some(OpenContent { file, stamp })
    }

    fn stamp(&self, file: &File) -> Option<DiskStamp> {
        Some(stamp_of(file))
    }
}

/// Where the fetched files go.
pub(super) struct Place {
    pub(super) directory: TempDir,
    staged: AtomicU64,
    /// Files that lie here, for reuse.
    pub(super) held: Mutex<HashMap<ContentHash, PathBuf>>,
    /// Paths in the order of their commits.
    pub(super) committed: Mutex<Vec<Step>>,
}

/// A temporary file.
pub(super) struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Place {
    pub(super) fn temporary(&self) -> PathBuf {
        self.directory.path().join(".towline")
    }

    fn next(&self) -> PathBuf {
        self.temporary().join(self.staged.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Disk for Place {
    type Staged = Staged;

    fn stage(&self, bytes: &[u8]) -> Result<Staged, HeldReason> {
        let place = self.next();
        fs::write(&place, bytes).unwrap();
        Ok(Staged(place))
    }

    fn stage_copy(&self, hash: ContentHash, size: u64) -> Option<Staged> {
        let from = self.held.lock().unwrap().get(&hash)?.clone();
        let place = self.next();
        assert_eq!(fs::copy(from, &place).unwrap(), size);
        Some(Staged(place))
    }

    fn stage_again(&self, staged: &Staged) -> Result<Staged, HeldReason> {
        let place = self.next();
        fs::copy(&staged.0, &place).unwrap();
        Ok(Staged(place))
    }

    fn older(&self, path: &RelPath, expected: Expected) -> Option<File> {
        match expected {
            Expected::Stamped(_) => File::open(self.directory.path().join(path.as_str())).ok(),
            Expected::Nothing | Expected::Directory => None,
        }
    }

    fn partial(&self, hash: ContentHash, _size: u64) -> Result<Partial, HeldReason> {
        let place = self.temporary().join(format!("partial-{hash}"));
        let begun = if place.exists() { Begun::Earlier } else { Begun::Now };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(place);
        Ok(Partial { file: file.unwrap(), begun })
    }

    fn stage_partial(&self, hash: ContentHash, _file: &File) -> Result<Staged, HeldReason> {
        let place = self.next();
        fs::rename(self.temporary().join(format!("partial-{hash}")), &place).unwrap();
        Ok(Staged(place))
    }

    fn commit(&self, makes: Vec<(Step, Option<Staged>)>) -> Vec<(RelPath, Outcome)> {
        let mut outcomes = Vec::new();
        for (step, staged) in makes {
            let place = self.directory.path().join(step.path.as_str());
            let stamp = match (&step.content, staged) {
                (Content::File { hash, .. }, Some(staged)) => {
                    fs::rename(&staged.0, &place).unwrap();
                    let file = File::open(&place).unwrap();
                    assert_eq!(hash_of_file(&file).unwrap().0, *hash, "never commit wrong bytes");
                    Some(stamp_of(&file))
                }
                (Content::Directory, None) => {
                    fs::create_dir(&place).unwrap();
                    None
                }
                (Content::Absent, None) => {
                    fs::remove_file(&place).unwrap();
                    None
                }
                other => panic!("unexpected {:?}", other.0),
            };
            outcomes.push((step.path.clone(), Outcome::Done { stamp, kept: None }));
            self.committed.lock().unwrap().push(step);
        }
        outcomes
    }
}

/// Connections by source.
#[derive(Default)]
pub(super) struct Connections(Mutex<BTreeMap<DeviceId, Connection>>);

impl Peers for Connections {
    fn connection(&self, peer: DeviceId) -> Option<Connection> {
        self.0.lock().unwrap().get(&peer).cloned()
    }
}

/// A device that fetches, and its sources.
pub(super) struct World {
    pub(super) place: Arc<Place>,
    pub(super) grants: Arc<Grants>,
    pub(super) progress: Arc<Progress>,
    connections: Arc<Connections>,
    pairs: Vec<Pair>,
    pool: Pool,
    serving: Vec<JoinHandle<()>>,
    pub(super) serve_faults: Arc<Mutex<Vec<ServeFault>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        for task in &self.serving {
            task.abort();
        }
    }
}

/// What came of a set of steps.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) outcomes: BTreeMap<RelPath, Outcome>,
    pub(super) faults: Vec<(DeviceId, TransferFault)>,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Place {
            directory,
            staged: AtomicU64::new(0),
            held: Mutex::default(),
            committed: Mutex::default(),
        };
        fs::create_dir(place.temporary()).unwrap();
        Self {
            place: Arc::new(place),
            grants: Arc::default(),
            progress: Arc::default(),
            connections: Arc::default(),
            pairs: Vec::new(),
            pool: Pool::new(4),
            serving: Vec::new(),
            serve_faults: Arc::default(),
        }
    }

    /// Connects a new source that serves a shelf; it is granted.
    pub(super) async fn source(&mut self, number: u8, shelf: &Arc<Shelf>) -> DeviceId {
        let id = source_id(number);
        let pair = loopback::connect().await;
        self.connections.0.lock().unwrap().insert(id, pair.fetching.clone());
        self.grants.set(fetcher_id(), BTreeSet::from([FOLDER]));
        let server = Arc::new(Server::new(shelf.clone(), self.grants.clone(), self.pool.clone()));
        let (connection, faults) = (pair.serving.clone(), self.serve_faults.clone());
        self.serving.push(tokio::spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            while let Ok((send, receive)) = connection.accept_bi().await {
                let (server, faults) = (server.clone(), faults.clone());
                streams.spawn(async move {
                    if let Err(fault) = server.serve(fetcher_id(), send, receive).await {
                        faults.lock().unwrap().push(fault);
                    }
                });
            }
        }));
        self.pairs.push(pair);
        id
    }

    /// Adds a source whose end of the connection the test plays itself.
    pub(super) fn stranger(&self, number: u8, pair: &Pair) -> DeviceId {
        let id = source_id(number);
        self.connections.0.lock().unwrap().insert(id, pair.fetching.clone());
        id
    }

    /// The fetcher's end of a source's connection, in the order of `source` calls.
    pub(super) fn connection(&self, at: usize) -> &Connection {
        &self.pairs[at].fetching
    }

    /// A transfer and where it reports.
    pub(super) fn transfer(
        &self,
    ) -> (Transfer<Place, Connections>, mpsc::Receiver<TransferEvent>) {
        let (events, reported) = mpsc::channel(16);
        let transfer = Transfer {
            folder: FOLDER,
            disk: self.place.clone(),
            peers: self.connections.clone(),
            pool: self.pool.clone(),
            progress: self.progress.clone(),
            events,
        };
        (transfer, reported)
    }

    /// Carries out steps to the end.
    pub(super) async fn apply(&self, steps: Vec<Step>) -> Came {
        let (transfer, mut reported) = self.transfer();
        let wanted = steps.len();
        let apply = async move { transfer.apply(ApplyId(7), steps).await };
        let mut came = Came::default();
        let listen = async {
            while let Some(event) = reported.recv().await {
                match event {
                    TransferEvent::Applied { folder, apply, outcomes } => {
                        assert_eq!((folder, apply), (FOLDER, ApplyId(7)));
                        for (path, outcome) in outcomes {
                            assert_eq!(came.outcomes.insert(path, outcome), None, "twice");
                        }
                    }
                    TransferEvent::Faulty(source, fault) => came.faults.push((source, fault)),
                }
            }
        };
        tokio::join!(apply, listen);
        assert_eq!(came.outcomes.len(), wanted, "each step has one outcome");
        came
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.place.directory.path().join(name)).unwrap()
    }

    /// Names in the directory for temporary files.
    pub(super) fn temporaries(&self) -> Vec<String> {
        let list = fs::read_dir(self.place.temporary()).unwrap();
        list.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A step that makes a new file or directory.
pub(super) fn make(name: &str, content: Content, sources: &[DeviceId]) -> Step {
    Step {
        path: path(name),
        expected: Expected::Nothing,
        content,
        mtime: UnixNanos(0),
        keep: None,
        sources: sources.iter().copied().collect(),
    }
}

pub(super) fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}
