//! A full disk, which only a limit on the file's pages shows without filling one.

use std::collections::BTreeSet;

use towline_core::records::{FolderRecord, OurRow, Reach, RootPath};
use towline_wire::entry::{Actor, Content, Descent, Dot, Entry, UnixNanos, VersionVector};
use towline_wire::ids::{DeviceId, FolderId, Sequence};
use towline_wire::rel_path::RelPath;

use super::*;

#[test]
fn a_full_disk_keeps_nothing_of_the_batch_and_the_store_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(home.path(), Incarnation(1)).unwrap();
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
