//! Small records with short constructors.

use std::collections::BTreeSet;

use tempfile::TempDir;
use towline_core::io::{BatchId, StoreReply, StoreRequest};
use towline_core::records::{
    Beside, Departure, DiskStamp, FolderRecord, OurRow, PeerRecord, Reach, RootPath, StoreOp,
    Totals, Verification,
};
use towline_store::{Opened, Records, Store};
use towline_wire::entry::{
    Actor, Attributes, Content, Descent, Dot, Entry, SymlinkTarget, UnixNanos, VersionVector,
};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

pub(crate) const FRESH: Incarnation = Incarnation(0xFFFF_0000_1111_2222);

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_public_key([number; 32])
}

pub(crate) fn folder(number: u8) -> FolderId {
    FolderId::from_bytes([number; 16])
}

pub(crate) fn hash(number: u8) -> ContentHash {
    ContentHash::from_bytes([number; 32])
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

pub(crate) fn actor(number: u8) -> Actor {
    Actor {
        device: device(number),
        incarnation: Incarnation(u64::MAX - u64::from(number)),
    }
}

pub(crate) fn entry(at: &str, counters: &[(u8, u64)], content: Content) -> Entry {
    let counters: Vec<_> = counters
        .iter()
        .map(|(number, count)| (actor(*number), *count))
        .collect();
    let (last, counter) = *counters.last().unwrap();
    Entry {
        path: path(at),
        version: VersionVector::try_from(counters).unwrap(),
        author: Dot {
            actor: last,
            counter,
        },
        content,
        mtime: UnixNanos(-1_000_000_007),
        descent: Descent::none(),
    }
}

pub(crate) fn bytes(number: u8, size: u64) -> Content {
    Content::File {
        size,
        hash: hash(number),
        executable: number.is_multiple_of(2),
        attributes: attributes(number),
    }
}

/// Every third file has some.
fn attributes(number: u8) -> Attributes {
    if number.is_multiple_of(3) {
        Attributes::new(vec![("user.note".to_owned(), vec![0, number])]).unwrap()
    } else {
        Attributes::default()
    }
}

pub(crate) fn symlink(target: &str) -> Content {
    Content::Symlink {
        target: SymlinkTarget::parse(target).unwrap(),
    }
}

pub(crate) fn stamp(number: u64) -> DiskStamp {
    let time = UnixNanos(number.cast_signed());
    DiskStamp {
        size: number,
        mtime: time,
        ctime: time,
        file_id: u64::MAX - number,
        beside: [Beside::Unasked, Beside::Shown, Beside::Unheld]
            [usize::try_from(number % 3).unwrap()],
    }
}

pub(crate) fn our(entry: Entry, sequence: u64) -> OurRow {
    let stamp = (entry.content != Content::Absent).then(|| stamp(sequence));
    OurRow {
        entry,
        sequence: Sequence(sequence),
        stamp,
        reach: Reach::Everyone,
    }
}

/// A file with these bytes that went when it had the marks of [`stamp`].
pub(crate) fn departure(from: &str, bytes: u8, mark: u64) -> Departure {
    let stamp = stamp(mark);
    Departure {
        path: path(from),
        author: Dot {
            actor: actor(1),
            counter: 1,
        },
        hash: hash(bytes),
        file_id: stamp.file_id,
        mtime: stamp.mtime,
        followed: 3,
    }
}

pub(crate) fn folder_record(number: u8) -> FolderRecord {
    FolderRecord {
        id: folder(number),
        label: format!("folder {number}"),
        root: RootPath(format!("/home/person/{number}")),
        shared_with: BTreeSet::from([device(2), device(1)]),
        settings: towline_core::records::FolderSettings::default(),
    }
}

pub(crate) fn peer_record(number: u8) -> PeerRecord {
    PeerRecord {
        id: device(number),
        name: format!("peer {number}"),
        compare: postcard::from_bytes(&[1, 2, 3, 4, 5, 6, number]).unwrap(),
        verification: Verification::Verified,
        addresses: vec![
            "[fe80::1%3]:22000".parse().unwrap(),
            "10.0.0.1:1".parse().unwrap(),
        ],
        servers: vec!["wss://signal.example/ws\nodd".to_owned()],
        places: vec![
            "nas.example:41641".parse().unwrap(),
            "[2001:db8::7]:22000".parse().unwrap(),
        ],
    }
}

pub(crate) fn put_ours(rows: Vec<OurRow>) -> StoreOp {
    StoreOp::PutOurRows {
        folder: folder(1),
        rows,
    }
}

pub(crate) fn put_theirs(peer: u8, incarnation: u64, up_to: u64, entries: Vec<Entry>) -> StoreOp {
    StoreOp::PutPeerRows {
        folder: folder(1),
        device: device(peer),
        incarnation: Incarnation(incarnation),
        up_to: Sequence(up_to),
        entries,
    }
}

/// Persists and returns the sums.
pub(crate) fn persist(store: &mut dyn Records, ops: Vec<StoreOp>) -> Vec<(FolderId, Totals)> {
    let reply = store.reply_to(StoreRequest::Persist(BatchId(7), ops));
    let StoreReply::Persisted(BatchId(7), sums) = reply else {
        panic!("not persisted")
    };
    sums
}

/// A new store in a home that is removed afterwards.
pub(crate) fn new_store() -> (TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let (store, opened) = Store::open(home.path(), FRESH).unwrap();
    assert_eq!(opened, Opened::New);
    (home, store)
}
