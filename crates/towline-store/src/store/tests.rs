//! What only the file's own tables show: a full disk by a limit on pages, and what is forgotten.

use std::collections::BTreeSet;

use towline_core::records::{Departure, FolderRecord, OurRow, Reach, RootPath};
use towline_wire::entry::{Actor, Content, Descent, Dot, Entry, UnixNanos, VersionVector};
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Sequence};
use towline_wire::rel_path::RelPath;

use super::*;

#[test]
fn a_full_disk_keeps_nothing_of_the_batch_and_the_store_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(home.path(), Incarnation(1)).unwrap();
    put_folder(&mut store);
    let before = store.restored().unwrap();

    limit_pages(&store, 30);
    let full = store.persist_all(vec![(BatchId(2), vec![many_rows()])]);
    assert!(matches!(full, Err(StoreError::DiskFull)));
    assert_eq!(store.restored().unwrap(), before);

    limit_pages(&store, 1 << 30);
    let done = store
        .persist_all(vec![(BatchId(3), vec![many_rows()])])
        .unwrap();
    let [StoreReply::Persisted(BatchId(3), sums)] = done.as_slice() else {
        panic!("not done")
    };
    assert_eq!(sums.first().unwrap().1.directories, 2000);
    drop(store);
    let (store, opened) = Store::open(home.path(), Incarnation(2)).unwrap();
    assert_eq!(opened, Opened::Existing);
    assert_eq!(
        store
            .restored()
            .unwrap()
            .folders
            .first()
            .unwrap()
            .last_sequence,
        Sequence(2000)
    );
}

fn put_folder(store: &mut Store) {
    let record = FolderRecord {
        id: folder(),
        label: String::new(),
        root: RootPath("/".to_owned()),
        shared_with: BTreeSet::new(),
        settings: towline_core::records::FolderSettings::default(),
    };
    store
        .persist_all(vec![(BatchId(1), vec![StoreOp::PutFolder(record)])])
        .unwrap();
}

#[test]
fn what_went_is_forgotten_by_age_and_by_number() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(home.path(), Incarnation(1)).unwrap();
    put_folder(&mut store);
    go(&mut store, "long ago");
    change(&store, "UPDATE departures SET went = went - 61");
    go(&mut store, "lately");
    change(&store, "UPDATE departures SET went = went - 59");
    go(&mut store, "first");
    assert_eq!(gone(&store), ["first", "lately"]);

    change(
        &store,
        "UPDATE departures SET id = id + 50000 WHERE path = 'first'",
    );
    go(&mut store, "last");
    assert_eq!(gone(&store), ["first", "last"]);
}

/// A file goes from a path.
fn go(store: &mut Store, from: &str) {
    let actor = Actor {
        device: DeviceId::from_public_key([9; 32]),
        incarnation: Incarnation(1),
    };
    let departures = vec![Departure {
        path: RelPath::parse(from).unwrap(),
        author: Dot { actor, counter: 1 },
        hash: ContentHash::from_bytes([1; 32]),
        file_id: 1,
        mtime: UnixNanos(1),
        followed: 0,
    }];
    let folder = folder();
    let went = StoreOp::PutDepartures { folder, departures };
    store.persist_all(vec![(BatchId(2), vec![went])]).unwrap();
}

fn change(store: &Store, statement: &str) {
    store.connection.execute(statement, []).unwrap();
}

/// The paths from which something went, as far as that is kept.
fn gone(store: &Store) -> Vec<String> {
    let mut statement = store
        .connection
        .prepare("SELECT path FROM departures ORDER BY path")
        .unwrap();
    let paths = statement.query_map([], |row| row.get(0)).unwrap();
    paths.map(Result::unwrap).collect()
}

fn limit_pages(store: &Store, pages: i64) {
    let set = |_: &rusqlite::Row<'_>| Ok(());
    store
        .connection
        .query_row(&format!("PRAGMA max_page_count = {pages}"), [], set)
        .unwrap();
}

/// Rows by an actor that the store has not met, so that its number is given out twice.
fn many_rows() -> StoreOp {
    let device = DeviceId::from_public_key([7; 32]);
    let actor = Actor {
        device,
        incarnation: Incarnation(7),
    };
    let row = |number: u64| OurRow {
        entry: Entry {
            path: RelPath::parse(format!("directory {number}")).unwrap(),
            version: VersionVector::try_from(vec![(actor, 1)]).unwrap(),
            author: Dot { actor, counter: 1 },
            content: Content::Directory,
            mtime: UnixNanos(0),
            descent: Descent::none(),
        },
        sequence: Sequence(number),
        stamp: None,
        reach: Reach::Everyone,
    };
    StoreOp::PutOurRows {
        folder: folder(),
        rows: (1..=2000).map(row).collect(),
    }
}

fn folder() -> FolderId {
    FolderId::from_bytes([1; 16])
}
