//! Sources with files, and a folder that fetches from them, all on the real disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::sync::{Arc, Mutex};

use quinn::Connection;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use towline_core::io::{ApplyId, Expected, IndexOf, Outcome, Step};
use towline_core::records::{DiskStamp, RootPath};
use towline_wire::entry::{Attributes, Content, UnixNanos};
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::super::apply::{Peers, Transfer, TransferEvent, TransferFault};
use super::super::chunks::hash_of;
use super::super::grants::Grants;
use super::super::limits::Throttle;
use super::super::progress::Progress;
use super::super::serve::{Folders, ServeFault, Server};
use super::super::work::Work;
use super::loopback::{self, Pair};
use crate::disk::{Pool, Root, mark_of};
use crate::tasks::Tasks;

pub(super) const FOLDER: FolderId = FolderId::from_bytes([1; 16]);

/// Bytes that look random, from a seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
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

/// The root of a folder on the real disk, and what the index says of its files.
pub(super) struct Shelf {
    pub(super) directory: TempDir,
    root: Mutex<Arc<Root>>,
    rows: Mutex<HashMap<ContentHash, (RelPath, DiskStamp)>>,
    /// Peers that have a file, as the index says meanwhile.
    pub(super) joiners: Mutex<HashMap<(RelPath, ContentHash), Vec<DeviceId>>>,
}

fn open(directory: &TempDir) -> Arc<Root> {
    let place = RootPath(directory.path().to_str().unwrap().to_owned());
    Root::prepare(&place, &[], FOLDER).unwrap();
    Arc::new(Root::open(&place, FOLDER).unwrap())
}

fn stamp_of(file: &File) -> DiskStamp {
    mark_of(file).unwrap().stamp
}

impl Shelf {
    pub(super) fn new() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let root = Mutex::new(open(&directory));
        Arc::new(Self {
            directory,
            root,
            rows: Mutex::default(),
            joiners: Mutex::default(),
        })
    }

    /// Opens the root anew, as after a restart.
    pub(super) fn reopen(&self) {
        *self.root.lock().unwrap() = open(&self.directory);
    }

    pub(super) fn root_now(&self) -> Arc<Root> {
        self.root.lock().unwrap().clone()
    }

    /// Adds a file and returns the content that an index says of it.
    pub(super) fn add(&self, name: &str, bytes: &[u8]) -> Content {
        let place = self.directory.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        let hash = hash_of(bytes);
        self.rows
            .lock()
            .unwrap()
            .insert(hash, (path(name), self.stamp(name)));
        Content::File {
            size: bytes.len() as u64,
            hash,
            executable: false,
            attributes: Attributes::default(),
        }
    }

    /// Adds a file that lies there already.
    pub(super) fn add_as_is(&self, name: &str) -> Content {
        let bytes = self.bytes(name);
        let hash = hash_of(&bytes);
        let row = (path(name), self.stamp(name));
        self.rows.lock().unwrap().insert(hash, row);
        Content::File {
            size: bytes.len() as u64,
            hash,
            executable: false,
            attributes: Attributes::default(),
        }
    }

    /// The marks of a file now.
    pub(super) fn stamp(&self, name: &str) -> DiskStamp {
        stamp_of(&File::open(self.directory.path().join(name)).unwrap())
    }

    /// Makes the index lie: the file has these bytes instead, under the marks that the index says.
    pub(super) fn corrupt(&self, content: &Content, bytes: &[u8]) {
        let Content::File { hash, .. } = content else {
            panic!("not a file")
        };
        let mut rows = self.rows.lock().unwrap();
        let (path, stamp) = rows.get_mut(hash).unwrap();
        fs::write(self.directory.path().join(path.as_str()), bytes).unwrap();
        *stamp = self.stamp(path.as_str());
    }

    /// Changes the file behind the index's back.
    pub(super) fn change(&self, content: &Content) {
        let Content::File { hash, size, .. } = content else {
            panic!("not a file")
        };
        let place = self.rows.lock().unwrap()[hash].0.clone();
        let bytes = vec![0; usize::try_from(*size).unwrap() + 1];
        fs::write(self.directory.path().join(place.as_str()), bytes).unwrap();
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(name)).unwrap()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.directory.path().join(name).exists()
    }

    /// Names in the directory for temporary files.
    pub(super) fn temporaries(&self) -> Vec<String> {
        let list = fs::read_dir(self.directory.path().join(".towline/tmp")).unwrap();
        list.map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Folders for Shelf {
    fn root(&self, folder: FolderId) -> Option<Arc<Root>> {
        (folder == FOLDER).then(|| self.root_now())
    }

    fn with_contents(
        &self,
        folder: FolderId,
        hashes: &[ContentHash],
        _of: IndexOf,
    ) -> Vec<Vec<(RelPath, DiskStamp)>> {
        let rows = self.rows.lock().unwrap();
        let held = |hash| rows.get(hash).filter(|_| folder == FOLDER).cloned();
        hashes
            .iter()
            .map(|hash| held(hash).into_iter().collect())
            .collect()
    }

    fn peers_with(&self, folder: FolderId, path: &RelPath, hash: ContentHash) -> Vec<DeviceId> {
        let joiners = self.joiners.lock().unwrap();
        let is_here = folder == FOLDER && joiners.contains_key(&(path.clone(), hash));
        let joined = is_here.then(|| joiners[&(path.clone(), hash)].clone());
        joined.unwrap_or_default()
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
    /// Where the fetched files go.
    pub(super) here: Arc<Shelf>,
    pub(super) grants: Arc<Grants>,
    pub(super) progress: Arc<Progress>,
    /// Limits of the device that fetches.
    pub(super) throttle: Arc<Throttle>,
    connections: Arc<Connections>,
    pairs: Vec<Pair>,
    work: Work,
    serving: Vec<JoinHandle<()>>,
    /// In the order of `source` calls.
    pub(super) servers: Vec<Arc<Server<Shelf>>>,
    /// Limits of the sources, in the order of `source` calls.
    pub(super) throttles: Vec<Arc<Throttle>>,
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
        Self {
            here: Shelf::new(),
            grants: Arc::default(),
            progress: Arc::default(),
            throttle: Arc::default(),
            connections: Arc::default(),
            pairs: Vec::new(),
            work: Work::on(Arc::new(Pool::start(&Tasks::new()).unwrap())),
            serving: Vec::new(),
            servers: Vec::new(),
            throttles: Vec::new(),
            serve_faults: Arc::default(),
        }
    }

    /// Connects a new source that serves a shelf; it is granted.
    pub(super) async fn source(&mut self, number: u8, shelf: &Arc<Shelf>) -> DeviceId {
        let id = source_id(number);
        let pair = loopback::connect().await;
        self.connections
            .0
            .lock()
            .unwrap()
            .insert(id, pair.fetching.clone());
        self.grants.set(fetcher_id(), BTreeSet::from([FOLDER]));
        let throttle = Arc::<Throttle>::default();
        self.throttles.push(throttle.clone());
        let server = Arc::new(Server::new(
            shelf.clone(),
            self.grants.clone(),
            throttle.clone(),
            self.work.clone(),
        ));
        self.servers.push(server.clone());
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
        self.connections
            .0
            .lock()
            .unwrap()
            .insert(id, pair.fetching.clone());
        id
    }

    /// The fetcher's end of a source's connection, in the order of `source` calls.
    pub(super) fn connection(&self, at: usize) -> &Connection {
        &self.pairs[at].fetching
    }

    /// Takes a source's connection away as if it had never been there.
    pub(super) fn disconnect(&self, source: DeviceId) -> Connection {
        self.connections.0.lock().unwrap().remove(&source).unwrap()
    }

    /// A source is connected (again).
    pub(super) fn connect(&self, source: DeviceId, connection: Connection) {
        self.connections
            .0
            .lock()
            .unwrap()
            .insert(source, connection);
    }

    /// A transfer and where it reports.
    pub(super) fn transfer(&self) -> (Transfer<Shelf, Connections>, mpsc::Receiver<TransferEvent>) {
        let (events, reported) = mpsc::channel(16);
        let transfer = Transfer {
            folder: FOLDER,
            root: self.here.root_now(),
            folders: self.here.clone(),
            peers: self.connections.clone(),
            work: self.work.clone(),
            progress: self.progress.clone(),
            throttle: self.throttle.clone(),
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
                    TransferEvent::Applied {
                        folder,
                        apply,
                        outcomes,
                    } => {
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
        moved_from: None,
    }
}

pub(super) fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}
