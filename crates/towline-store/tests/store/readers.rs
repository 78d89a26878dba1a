//! Readers on other threads, beside the writer.

use std::thread;

use towline_core::io::IndexOf;
use towline_core::records::{OurRow, Reach, StoreOp, Totals};
use towline_store::HeldFile;
use towline_wire::entry::Content;

use crate::sample::{
    bytes, entry, folder, folder_record, hash, new_store, our, path, persist, put_ours, stamp,
};

#[test]
fn a_reader_on_another_thread_sees_every_answered_batch() {
    let (_home, mut store) = new_store();
    let mut reader = store.reader().unwrap();
    persist(&mut store, vec![StoreOp::PutFolder(folder_record(1))]);
    let row = our(entry("a", &[(1, 1)], bytes(1, 5)), 1);
    persist(&mut store, vec![put_ours(vec![row.clone()])]);
    let seen = thread::spawn(move || {
        let sums = reader.totals(folder(1)).unwrap();
        (reader.row(folder(1), &path("a")).unwrap(), sums)
    });
    let sums = Totals {
        files: 1,
        bytes: 5,
        ..Totals::default()
    };
    assert_eq!(seen.join().unwrap(), (Some(row), sums));
}

#[test]
fn a_directory_lists_only_its_own_live_children() {
    let (_home, mut store) = new_store();
    let names = [
        "d",
        "d/a",
        "d/a/x",
        "d/a/x/y",
        "d/a.txt",
        "d/a0",
        "d/b/orphan",
        "d0",
        "e",
    ];
    let live = names
        .iter()
        .zip(1..)
        .map(|(at, number)| our(entry(at, &[(1, 1)], bytes(1, 1)), number));
    let gone = our(entry("d/gone", &[(1, 1)], Content::Absent), 99);
    let rows = live.chain([gone]).collect();
    persist(
        &mut store,
        vec![StoreOp::PutFolder(folder_record(1)), put_ours(rows)],
    );
    let mut reader = store.reader().unwrap();
    let mut list = |directory: Option<&str>| -> Vec<String> {
        let directory = directory.map(path);
        let rows = reader
            .rows_in_directory(folder(1), directory.as_ref())
            .unwrap();
        rows.iter().map(|row| row.entry.path.to_string()).collect()
    };
    assert_eq!(list(None), ["d", "d0", "e"]);
    assert_eq!(list(Some("d")), ["d/a", "d/a.txt", "d/a0"]);
    assert_eq!(list(Some("d/a/x")), ["d/a/x/y"]);
    assert!(list(Some("e")).is_empty());
}

#[test]
fn content_is_found_by_hash_with_its_stamp_and_not_beyond_the_limit() {
    let (_home, mut store) = new_store();
    let rows = vec![
        our(entry("a", &[(1, 1)], bytes(1, 5)), 1),
        our(entry("b", &[(1, 1)], bytes(1, 5)), 2),
        our(entry("c", &[(1, 1)], bytes(2, 5)), 3),
    ];
    persist(
        &mut store,
        vec![StoreOp::PutFolder(folder_record(1)), put_ours(rows)],
    );
    let mut reader = store.reader().unwrap();
    let found = reader
        .paths_with_content(folder(1), hash(2), IndexOf::Everything, 9)
        .unwrap();
    assert_eq!(
        found,
        [HeldFile {
            path: path("c"),
            size: 5,
            stamp: Some(stamp(3))
        }]
    );
    assert_eq!(
        reader
            .paths_with_content(folder(1), hash(1), IndexOf::Everything, 1)
            .unwrap()
            .len(),
        1
    );
    assert!(
        reader
            .paths_with_content(folder(2), hash(1), IndexOf::Everything, 9)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_folder_without_a_record_has_nothing_to_read() {
    let (_home, store) = new_store();
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.row(folder(1), &path("a")).unwrap(), None);
    assert!(
        reader
            .rows_in_directory(folder(1), None)
            .unwrap()
            .is_empty()
    );
    assert!(
        reader
            .rows_below(folder(1), None, None, 9)
            .unwrap()
            .is_empty()
    );
    assert_eq!(reader.totals(folder(1)).unwrap(), Totals::default());
}

#[test]
fn bytes_that_nobody_is_told_of_are_not_among_those_for_peers() {
    let (_home, mut store) = new_store();
    let only_here = OurRow {
        reach: Reach::Added,
        ..our(entry("mine", &[(1, 1)], bytes(1, 5)), 1)
    };
    persist(
        &mut store,
        vec![
            StoreOp::PutFolder(folder_record(1)),
            put_ours(vec![only_here]),
        ],
    );
    let mut reader = store.reader().unwrap();
    let mut count = |of| {
        let found = reader.paths_with_content(folder(1), hash(1), of, 9);
        found.unwrap().len()
    };
    assert_eq!((count(IndexOf::Everything), count(IndexOf::Told)), (1, 0));
}
