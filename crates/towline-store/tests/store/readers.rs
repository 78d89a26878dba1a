//! Readers on other threads, beside the writer.

use std::thread;

use towline_core::io::{IndexOf, PageEnd};
use towline_core::records::{OurRow, Reach, StoreOp, Totals};
use towline_store::HeldFile;
use towline_wire::entry::Content;
use towline_wire::ids::ContentHash;

use crate::sample::{
    bytes, device, entry, folder, folder_record, hash, new_store, our, path, persist, put_ours,
    put_theirs, stamp,
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
fn conflicts_are_listed_by_path_with_all_their_copies() {
    let (_home, mut store) = new_store();
    let copy = |at: &str, digits: &str| path(at).in_inbox(device(7), digits).unwrap();
    let names = ["a", "a/b", "a-b", "gone"];
    let mut rows: Vec<_> = names[..3]
        .iter()
        .zip(1..)
        .map(|(at, number)| our(entry(at, &[(1, 1)], bytes(1, 1)), number))
        .collect();
    for (at, number) in names.iter().zip(10..) {
        let one = copy(at, "000001");
        rows.push(our(entry(one.as_str(), &[(1, 1)], bytes(2, 1)), number));
        let two = copy(at, "000002");
        rows.push(our(
            entry(two.as_str(), &[(1, 1)], Content::Absent),
            number + 10,
        ));
    }
    let other = copy("a", "000003");
    rows.push(our(entry(other.as_str(), &[(1, 1)], bytes(3, 1)), 50));
    let sums = persist(
        &mut store,
        vec![StoreOp::PutFolder(folder_record(1)), put_ours(rows)],
    );
    assert_eq!((sums[0].1.files, sums[0].1.conflicts), (3, 4));
    let mut reader = store.reader().unwrap();
    let listed = reader.conflicts(folder(1), None, 9).unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|one| (one.path.as_str(), one.winner.is_some(), one.copies.len()))
        .collect();
    // In the order of the inbox: what is below a path comes after the path's own copies.
    let expected = [
        ("a-b", true, 1),
        ("a", true, 2),
        ("a/b", true, 1),
        ("gone", false, 1),
    ];
    assert_eq!(shown, expected);
    let rest = reader.conflicts(folder(1), Some(&path("a")), 1).unwrap();
    assert_eq!(rest, listed[2..3]);
    assert_eq!(
        reader.conflict(folder(1), &path("a")).unwrap(),
        Some(listed[1].clone())
    );
    assert_eq!(reader.conflict(folder(1), &path("b")).unwrap(), None);
}

#[test]
fn a_directory_is_listed_page_by_page_with_what_only_peers_have() {
    let (_home, mut store) = new_store();
    let ours = ["a", "a-b", "a/in", "a0", "c"];
    let rows = ours
        .iter()
        .zip(1..)
        .map(|(at, number)| our(entry(at, &[(1, 1)], bytes(1, 1)), number))
        .chain([our(entry("gone", &[(1, 2)], Content::Absent), 99)])
        .collect();
    let theirs = vec![
        entry("a", &[(1, 1)], bytes(1, 1)),
        entry("b", &[(2, 1)], Content::Directory),
        entry("b/deep", &[(2, 1)], bytes(2, 1)),
        entry("c", &[(1, 1), (2, 1)], bytes(2, 1)),
        entry("gone", &[(1, 1)], bytes(1, 1)),
        entry("nothing", &[(2, 1)], Content::Absent),
    ];
    // What was compared and is settled; all else that a peer told of is needed.
    let settled = ["a", "gone"].map(path).into();
    persist(
        &mut store,
        vec![
            StoreOp::PutFolder(folder_record(1)),
            put_ours(rows),
            put_theirs(2, 1, 9, theirs),
            StoreOp::SettleNeeds {
                folder: folder(1),
                paths: settled,
            },
        ],
    );
    let mut reader = store.reader().unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let (page, end) = reader.listing(folder(1), None, after.as_ref(), 2).unwrap();
        assert!(page.len() <= 2);
        after = page.last().map(|listed| listed.path.clone());
        seen.extend(page);
        if end == PageEnd::End {
            break;
        }
    }
    let shown: Vec<_> = seen
        .iter()
        .map(|listed| {
            let has = listed.theirs.iter().any(|(peer, _)| *peer == device(2));
            let ours = listed.ours.is_some();
            (listed.path.as_str(), ours, has, listed.is_needed)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a", true, true, false),
            ("a-b", true, false, false),
            ("a0", true, false, false),
            ("b", false, true, true),
            ("c", true, true, true),
        ]
    );
    let (below, end) = reader
        .listing(folder(1), Some(&path("b")), None, 9)
        .unwrap();
    assert_eq!(below.len(), 1);
    assert_eq!((below[0].path.as_str(), end), ("b/deep", PageEnd::End));
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
    let mut find = |number, hashes: &[ContentHash], limit| {
        let found = reader.paths_with_contents(folder(number), hashes, IndexOf::Everything, limit);
        found.unwrap()
    };
    let of_two = HeldFile {
        path: path("c"),
        size: 5,
        stamp: Some(stamp(3)),
    };
    // One answer for each hash, in their order.
    let found = find(1, &[hash(2), hash(9), hash(1), hash(2)], 9);
    let counts: Vec<usize> = found.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 0, 2, 1]);
    assert_eq!(
        (&found[0], &found[3]),
        (&vec![of_two.clone()], &vec![of_two])
    );
    assert_eq!(find(1, &[hash(1)], 1)[0].len(), 1);
    let none: Vec<Vec<HeldFile>> = vec![Vec::new(), Vec::new()];
    assert_eq!(find(2, &[hash(1), hash(2)], 9), none);
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
        let found = reader.paths_with_contents(folder(1), &[hash(1)], of, 9);
        found.unwrap()[0].len()
    };
    assert_eq!((count(IndexOf::Everything), count(IndexOf::Told)), (1, 0));
}
