//! The rules of every store, one sentence each, held against both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_core::folder::rules::RulesMark;
use towline_core::io::{IndexOf, NeedsOf, PageEnd, StoreReply, StoreRequest};
use towline_core::records::{
    Beside, BrakeRecord, Braking, Contact, Departure, DeviceSettings, Elsewhere, Moved, Need,
    OurRow, Place, Presence, Reach, Restored, StoreOp, Totals,
};
use towline_store::Records;
use towline_store::memory::MemoryStore;
use towline_wire::entry::{Attributes, Content, Entry};
use towline_wire::ids::{Incarnation, Sequence};
use towline_wire::limits::VERSION_COUNTER_MAX;

use crate::sample::{
    FRESH, bytes, departure, device, entry, folder, folder_record, hash, new_store, our, path,
    peer_record, persist, put_ours, put_theirs, stamp, symlink,
};

/// Holds both stores to a rule.
fn every_store(rule: fn(&mut dyn Records)) {
    rule(&mut MemoryStore::new(FRESH));
    let (_home, mut store) = new_store();
    rule(&mut store);
}

fn rows(store: &mut dyn Records, paths: &[&str]) -> Vec<Option<OurRow>> {
    let paths = paths.iter().map(|at| path(at)).collect();
    let reply = store.reply_to(StoreRequest::LoadRows(folder(1), paths));
    let StoreReply::Rows(id, rows) = reply else {
        panic!("no rows")
    };
    assert_eq!(id, folder(1));
    rows
}

fn needs(store: &mut dyn Records, after: Option<&str>, limit: usize) -> (Vec<Need>, PageEnd) {
    let after = after.map(path);
    let reply = store.reply_to(StoreRequest::LoadNeeds {
        folder: folder(1),
        of: NeedsOf::Everything,
        after,
        limit,
    });
    let StoreReply::Needs {
        folder: id,
        needs,
        end,
    } = reply
    else {
        panic!("no needs")
    };
    assert_eq!(id, folder(1));
    (needs, end)
}

#[test]
fn attributes_and_what_the_disk_showed_of_them_are_kept() {
    every_store(|store| {
        persist(store, vec![StoreOp::PutFolder(folder_record(1))]);
        // Files of every third number have attributes, and stamps what was known of them.
        let noted = |counter| entry("a", &[(1, counter)], bytes(3, 5));
        assert!(!noted(1).content.attributes().unwrap().is_empty());
        let plain = entry(
            "a",
            &[(1, 1)],
            noted(1).content.with_attributes(Attributes::default()),
        );
        let is_kept = |store: &mut dyn Records, entry: &Entry, beside| {
            let row = rows(store, &["a"])[0].clone().unwrap();
            assert_eq!(
                (row.entry, row.stamp.unwrap().beside),
                (entry.clone(), beside)
            );
        };
        let known = [Beside::Shown, Beside::Unheld, Beside::Unasked];
        for (sequence, beside) in (1..).zip(known) {
            persist(store, vec![put_ours(vec![our(noted(1), sequence)])]);
            is_kept(store, &noted(1), beside);
        }
        let stamps = vec![(path("a"), stamp(1))];
        persist(
            store,
            vec![StoreOp::PutStamps {
                folder: folder(1),
                stamps,
            }],
        );
        is_kept(store, &noted(1), Beside::Shown);
        // Other attributes alone make a need, here and when all are made anew.
        persist(store, vec![put_theirs(1, 1, 1, vec![noted(1)])]);
        assert!(needed_paths(store).is_empty());
        persist(store, vec![put_theirs(1, 1, 2, vec![plain.clone()])]);
        assert_eq!(needed_paths(store), ["a"]);
        let (page, _) = needs(store, None, 1);
        assert_eq!(page[0].theirs, [(device(1), plain)]);
        let (folder, under) = (folder(1), RulesMark(1));
        let settled = StoreOp::SettleNeeds {
            folder,
            paths: vec![path("a")],
        };
        persist(store, vec![settled]);
        persist(store, vec![StoreOp::RenewNeeds { folder, under }]);
        assert_eq!(needed_paths(store), ["a"]);
        persist(store, vec![put_ours(vec![our(noted(2), 9)])]);
        persist(store, vec![put_theirs(1, 1, 3, vec![noted(2)])]);
        is_kept(store, &noted(2), Beside::Unasked);
    });
}

fn needed_paths(store: &mut dyn Records) -> Vec<String> {
    needs(store, None, 100)
        .0
        .iter()
        .map(|need| need.path.to_string())
        .collect()
}

fn index(store: &mut dyn Records, after: u64, limit: usize) -> (Vec<(Sequence, Entry)>, PageEnd) {
    index_of(store, IndexOf::Everything, after, limit)
}

fn index_of(
    store: &mut dyn Records,
    of: IndexOf,
    after: u64,
    limit: usize,
) -> (Vec<(Sequence, Entry)>, PageEnd) {
    let request = StoreRequest::LoadIndex {
        folder: folder(1),
        peer: device(3),
        of,
        after: Sequence(after),
        limit,
    };
    let reply = store.reply_to(request);
    let StoreReply::Index {
        folder: id,
        peer,
        rows,
        end,
    } = reply
    else {
        panic!("no index")
    };
    assert_eq!((id, peer), (folder(1), device(3)));
    (rows, end)
}

fn share(store: &mut dyn Records) {
    persist(store, vec![StoreOp::PutFolder(folder_record(1))]);
}

fn one_of_each_kind() -> Vec<OurRow> {
    vec![
        our(entry("a", &[(1, 1)], Content::Directory), 1),
        our(
            entry("a/file", &[(1, 1), (2, VERSION_COUNTER_MAX)], bytes(1, 100)),
            2,
        ),
        our(entry("a/gone", &[(1, 2)], Content::Absent), 3),
        our(entry("a/link", &[(1, 1)], symlink("../elsewhere")), 4),
        our(entry("naïve ☂", &[(3, 9)], bytes(2, 11)), 5),
    ]
}

#[test]
fn a_new_store_has_no_name_and_the_fresh_incarnation() {
    every_store(|store| {
        let restored = store.restored().unwrap();
        let (peers, folders) = (Vec::new(), Vec::new());
        assert_eq!(
            restored,
            Restored {
                name: String::new(),
                settings: DeviceSettings::default(),
                incarnation: FRESH,
                peers,
                folders
            }
        );
    });
}

#[test]
fn name_incarnation_peers_and_folders_come_back_ascending_by_id() {
    every_store(|store| {
        let second = Incarnation(u64::MAX);
        let ops = vec![
            StoreOp::PutDeviceName("attic".to_owned()),
            StoreOp::BeginIncarnation(second),
            StoreOp::PutPeer(peer_record(9)),
            StoreOp::PutPeer(peer_record(4)),
            StoreOp::PutFolder(folder_record(8)),
            StoreOp::PutFolder(folder_record(3)),
        ];
        let sums = persist(store, ops);
        assert_eq!(
            sums,
            [
                (folder(3), Totals::default()),
                (folder(8), Totals::default())
            ]
        );
        let restored = store.restored().unwrap();
        assert_eq!(
            (restored.name.as_str(), restored.incarnation),
            ("attic", second)
        );
        assert_eq!(restored.peers, [peer_record(4), peer_record(9)]);
        let records: Vec<_> = restored
            .folders
            .iter()
            .map(|folder| folder.record.clone())
            .collect();
        assert_eq!(records, [folder_record(3), folder_record(8)]);
    });
}

#[test]
fn a_record_put_again_replaces_the_first_and_a_folder_keeps_its_rows() {
    every_store(|store| {
        share(store);
        persist(
            store,
            vec![
                StoreOp::PutPeer(peer_record(1)),
                put_ours(one_of_each_kind()),
            ],
        );
        let mut peer = peer_record(1);
        peer.name = "renamed".to_owned();
        peer.addresses.clear();
        let mut record = folder_record(1);
        record.label = "other".to_owned();
        record.shared_with = BTreeSet::from([device(5)]);
        let ops = vec![
            StoreOp::PutPeer(peer.clone()),
            StoreOp::PutFolder(record.clone()),
        ];
        persist(store, ops);
        let restored = store.restored().unwrap();
        assert_eq!(restored.peers, [peer]);
        assert_eq!(restored.folders[0].record, record);
        assert_eq!(restored.folders[0].last_sequence, Sequence(5));
        assert_eq!(restored.folders[0].totals.files, 2);
    });
}

#[test]
fn our_rows_come_back_exactly_and_in_the_asked_order() {
    every_store(|store| {
        share(store);
        let kept = one_of_each_kind();
        let sums = persist(store, vec![put_ours(kept.clone())]);
        let all = Totals {
            files: 2,
            directories: 1,
            symlinks: 1,
            bytes: 111,
            needs: 0,
            conflicts: 0,
            local_changes: 0,
        };
        assert_eq!(sums, [(folder(1), all)]);
        let asked = rows(
            store,
            &["naïve ☂", "nowhere", "a/gone", "a", "a/link", "a/file"],
        );
        let expected = [Some(4), None, Some(2), Some(0), Some(3), Some(1)];
        assert_eq!(
            asked,
            expected.map(|at: Option<usize>| at.map(|at| kept[at].clone()))
        );
    });
}

#[test]
fn a_row_put_again_moves_the_sums_and_its_place_in_the_index() {
    every_store(|store| {
        share(store);
        persist(store, vec![put_ours(one_of_each_kind())]);
        let gone = our(
            entry(
                "a/file",
                &[(1, 2), (2, VERSION_COUNTER_MAX)],
                Content::Absent,
            ),
            6,
        );
        let grown = our(entry("naïve ☂", &[(3, 10)], bytes(2, 12)), 7);
        let filled = our(entry("a/gone", &[(1, 3)], Content::Directory), 8);
        let sums = persist(store, vec![put_ours(vec![gone, grown, filled])]);
        let all = Totals {
            files: 1,
            directories: 2,
            symlinks: 1,
            bytes: 12,
            needs: 0,
            conflicts: 0,
            local_changes: 0,
        };
        assert_eq!(sums, [(folder(1), all)]);
        let (page, end) = index(store, 0, 100);
        let sequences: Vec<u64> = page.iter().map(|(sequence, _)| sequence.0).collect();
        assert_eq!((sequences, end), (vec![1, 4, 6, 7, 8], PageEnd::End));
        assert_eq!(
            store.restored().unwrap().folders[0].last_sequence,
            Sequence(8)
        );
    });
}

#[test]
fn stamps_change_nothing_else_and_unknown_paths_are_passed_over() {
    every_store(|store| {
        share(store);
        let kept = one_of_each_kind();
        let before = persist(store, vec![put_ours(kept.clone())]);
        let stamps = vec![(path("a/file"), stamp(77)), (path("nowhere"), stamp(78))];
        let after = persist(
            store,
            vec![StoreOp::PutStamps {
                folder: folder(1),
                stamps,
            }],
        );
        assert_eq!(before, after);
        let touched = OurRow {
            stamp: Some(stamp(77)),
            ..kept[1].clone()
        };
        assert_eq!(rows(store, &["a/file", "nowhere"]), [Some(touched), None]);
    });
}

#[test]
fn the_index_comes_in_pages_by_sequence() {
    every_store(|store| {
        share(store);
        let kept = one_of_each_kind();
        persist(store, vec![put_ours(kept.iter().rev().cloned().collect())]);
        let (page, end) = index(store, 0, 2);
        let expected: Vec<_> = kept[..2]
            .iter()
            .map(|row| (row.sequence, row.entry.clone()))
            .collect();
        assert_eq!((page, end), (expected, PageEnd::More));
        let (page, end) = index(store, 2, 3);
        assert_eq!((page.len(), end), (3, PageEnd::End));
        assert_eq!(index(store, 5, 3), (Vec::new(), PageEnd::End));
        assert_eq!(index(store, u64::MAX, 3), (Vec::new(), PageEnd::End));
    });
}

#[test]
fn what_a_peer_says_is_needed_unless_it_is_exactly_ours() {
    every_store(|store| {
        share(store);
        let kept = one_of_each_kind();
        persist(store, vec![put_ours(kept.clone())]);
        let newer = entry(
            "a/file",
            &[(1, 1), (2, VERSION_COUNTER_MAX), (3, 1)],
            bytes(2, 11),
        );
        let never_known = entry("b", &[(4, 1)], Content::Absent);
        let same = kept[0].entry.clone();
        let entries = vec![newer.clone(), never_known.clone(), same];
        let sums = persist(store, vec![put_theirs(4, 40, 3, entries)]);
        assert_eq!(sums[0].1.needs, 2);
        let (page, end) = needs(store, None, 10);
        let file = Need {
            elsewhere: Elsewhere::Nowhere,
            moved: None,
            path: path("a/file"),
            ours: Some(kept[1].clone()),
            theirs: vec![(device(4), newer)],
            held: BTreeSet::from([hash(2)]),
        };
        let tombstone = Need {
            elsewhere: Elsewhere::Nowhere,
            moved: None,
            path: path("b"),
            ours: None,
            theirs: vec![(device(4), never_known)],
            held: BTreeSet::new(),
        };
        assert_eq!((page, end), (vec![file, tombstone], PageEnd::End));
    });
}

#[test]
fn same_bytes_under_another_history_are_needed() {
    every_store(|store| {
        share(store);
        persist(store, vec![put_ours(one_of_each_kind())]);
        let twin = entry("a", &[(1, 1), (2, 1)], Content::Directory);
        persist(store, vec![put_theirs(4, 40, 1, vec![twin])]);
        assert_eq!(needed_paths(store), ["a"]);
    });
}

#[test]
fn a_need_names_all_peers_ascending_and_stays_until_settled() {
    every_store(|store| {
        share(store);
        let here = entry("x", &[(9, 1)], bytes(9, 9));
        // Met in descending order, so that order of numbers is not order of keys.
        persist(store, vec![put_theirs(9, 1, 1, vec![here.clone()])]);
        persist(store, vec![put_theirs(2, 1, 1, vec![here.clone()])]);
        persist(store, vec![put_ours(vec![our(here.clone(), 1)])]);
        let (page, _) = needs(store, None, 10);
        assert_eq!(
            page[0].theirs,
            [(device(2), here.clone()), (device(9), here.clone())]
        );
        assert_eq!(page[0].held, BTreeSet::from([hash(9)]));
        let paths = vec![path("x"), path("never needed"), path("x")];
        let sums = persist(
            store,
            vec![StoreOp::SettleNeeds {
                folder: folder(1),
                paths,
            }],
        );
        assert_eq!(sums[0].1.needs, 0);
        assert_eq!(needs(store, None, 10), (Vec::new(), PageEnd::End));
        // Said again and still exactly ours: no need.
        persist(store, vec![put_theirs(2, 1, 2, vec![here])]);
        assert!(needed_paths(store).is_empty());
    });
}

#[test]
fn needs_come_in_pages_by_path() {
    every_store(|store| {
        share(store);
        let names = ["b", "a/z", "a", "a!", "c"];
        let entries = names
            .iter()
            .map(|at| entry(at, &[(4, 1)], Content::Directory))
            .collect();
        persist(store, vec![put_theirs(4, 40, 5, entries)]);
        assert_eq!(needed_paths(store), ["a", "a!", "a/z", "b", "c"]);
        let (page, end) = needs(store, Some("a"), 2);
        assert_eq!(
            (page[0].path.as_str(), page[1].path.as_str()),
            ("a!", "a/z")
        );
        assert_eq!(end, PageEnd::More);
        let (page, end) = needs(store, Some("a/z"), 2);
        assert_eq!((page.len(), end), (2, PageEnd::End));
    });
}

#[test]
fn a_peer_in_another_life_begins_anew() {
    every_store(|store| {
        share(store);
        let old = entry("old", &[(4, 1)], bytes(1, 1));
        let both = entry("both", &[(4, 1)], bytes(1, 1));
        persist(store, vec![put_theirs(4, 40, 2, vec![old, both.clone()])]);
        persist(store, vec![put_theirs(5, 50, 1, vec![both])]);
        let fresh = entry("new", &[(4, 2)], bytes(1, 1));
        let sums = persist(store, vec![put_theirs(4, 41, 1, vec![fresh])]);
        assert_eq!(sums[0].1.needs, 2);
        let (page, _) = needs(store, None, 10);
        assert_eq!(needed_paths(store), ["both", "new"]);
        assert_eq!(page[0].theirs.len(), 1);
        let have = &store.restored().unwrap().folders[0].have;
        let expected = BTreeMap::from([
            (device(4), (Incarnation(41), Sequence(1))),
            (device(5), (Incarnation(50), Sequence(1))),
        ]);
        assert_eq!(*have, expected);
    });
}

#[test]
fn positions_of_any_size_come_back() {
    every_store(|store| {
        share(store);
        persist(store, vec![put_theirs(4, u64::MAX, u64::MAX, Vec::new())]);
        let have = &store.restored().unwrap().folders[0].have;
        assert_eq!(
            have[&device(4)],
            (Incarnation(u64::MAX), Sequence(u64::MAX))
        );
    });
}

#[test]
fn a_forgotten_peer_takes_along_only_what_nobody_else_says() {
    every_store(|store| {
        share(store);
        let only = entry("only", &[(4, 1)], bytes(1, 1));
        let both = entry("both", &[(4, 1)], bytes(1, 1));
        persist(store, vec![put_theirs(4, 40, 2, vec![only, both.clone()])]);
        persist(store, vec![put_theirs(5, 50, 1, vec![both])]);
        let op = StoreOp::ForgetPeerRows {
            folder: folder(1),
            device: device(4),
        };
        let sums = persist(store, vec![op]);
        assert_eq!(sums[0].1.needs, 1);
        assert_eq!(needed_paths(store), ["both"]);
        let have = &store.restored().unwrap().folders[0].have;
        assert_eq!(have.keys().copied().collect::<Vec<_>>(), [device(5)]);
    });
}

#[test]
fn a_removed_peer_is_gone_from_every_folder() {
    every_store(|store| {
        share(store);
        persist(
            store,
            vec![
                StoreOp::PutPeer(peer_record(1)),
                StoreOp::PutPeer(peer_record(2)),
            ],
        );
        persist(store, vec![StoreOp::PutFolder(folder_record(2))]);
        let said = entry("x", &[(1, 1)], bytes(1, 1));
        persist(store, vec![put_theirs(1, 10, 1, vec![said])]);
        let sums = persist(store, vec![StoreOp::RemovePeer(device(1))]);
        assert_eq!(
            sums,
            [
                (folder(1), Totals::default()),
                (folder(2), Totals::default())
            ]
        );
        let restored = store.restored().unwrap();
        assert_eq!(restored.peers, [peer_record(2)]);
        for folder in restored.folders {
            assert_eq!(folder.record.shared_with, BTreeSet::from([device(2)]));
            assert!(folder.have.is_empty());
        }
    });
}

#[test]
fn a_removed_folder_is_gone_with_its_rows_and_leaves_others_alone() {
    every_store(|store| {
        share(store);
        let other = StoreOp::PutOurRows {
            folder: folder(2),
            rows: one_of_each_kind(),
        };
        persist(store, vec![StoreOp::PutFolder(folder_record(2)), other]);
        let said = entry("x", &[(1, 1)], bytes(1, 1));
        persist(
            store,
            vec![
                put_ours(one_of_each_kind()),
                put_theirs(1, 10, 1, vec![said]),
            ],
        );
        assert!(persist(store, vec![StoreOp::RemoveFolder(folder(1))]).is_empty());
        assert_eq!(rows(store, &["a"]), [None]);
        assert_eq!(index(store, 0, 9), (Vec::new(), PageEnd::End));
        share(store);
        assert_eq!(rows(store, &["a"]), [None]);
        assert!(needed_paths(store).is_empty());
        let folders = store.restored().unwrap().folders;
        assert_eq!(folders[0].totals, Totals::default());
        assert_eq!(folders[1].totals.files, 2);
    });
}

#[test]
fn rows_of_a_folder_without_a_record_change_nothing() {
    every_store(|store| {
        let said = entry("x", &[(1, 1)], bytes(1, 1));
        let ops = vec![
            put_ours(one_of_each_kind()),
            put_theirs(1, 10, 1, vec![said]),
            StoreOp::ForgetPeerRows {
                folder: folder(1),
                device: device(1),
            },
            StoreOp::SettleNeeds {
                folder: folder(1),
                paths: vec![path("x")],
            },
            StoreOp::RemoveFolder(folder(1)),
            StoreOp::RemovePeer(device(1)),
        ];
        assert!(persist(store, ops).is_empty());
        assert!(needed_paths(store).is_empty());
        assert!(store.restored().unwrap().folders.is_empty());
    });
}

#[test]
fn what_is_only_here_is_not_in_the_index_and_is_listed_by_path() {
    every_store(|store| {
        share(store);
        let only_here = |at: &str, sequence, content, reach| OurRow {
            reach,
            ..our(entry(at, &[(1, 1)], content), sequence)
        };
        let sums = persist(
            store,
            vec![
                put_ours(vec![
                    our(entry("known", &[(1, 1)], bytes(1, 1)), 1),
                    only_here("new", 2, bytes(2, 1), Reach::Added),
                    only_here("edited", 3, bytes(3, 1), Reach::Changed),
                    only_here("deleted", 4, Content::Absent, Reach::Changed),
                    only_here("undone", 5, Content::Absent, Reach::Yields),
                    only_here("going", 6, bytes(4, 1), Reach::Yields),
                ]),
                put_theirs(2, 1, 1, vec![entry("edited", &[(2, 1)], bytes(9, 1))]),
            ],
        );
        assert_eq!(sums[0].1.local_changes, 4);
        let told: Vec<u64> = index_of(store, IndexOf::Told, 0, 100)
            .0
            .iter()
            .map(|(sequence, _)| sequence.0)
            .collect();
        assert_eq!(told, [1]);
        assert_eq!(index(store, 0, 100).0.len(), 6);
        let request = |after: Option<&str>| StoreRequest::LoadNeeds {
            folder: folder(1),
            of: NeedsOf::Local,
            after: after.map(path),
            limit: 3,
        };
        let StoreReply::Needs { needs, end, .. } = store.reply_to(request(None)) else {
            panic!("no page")
        };
        let listed: Vec<_> = needs.iter().map(|need| need.path.as_str()).collect();
        assert_eq!(
            (listed, end),
            (vec!["deleted", "edited", "going"], PageEnd::More)
        );
        assert_eq!(needs[1].theirs.len(), 1, "with what peers say");
        let StoreReply::Needs { needs, end, .. } = store.reply_to(request(Some("going"))) else {
            panic!("no page")
        };
        assert_eq!((needs.len(), end), (1, PageEnd::End));
        assert_eq!(
            store.restored().unwrap().folders[0].last_sequence,
            Sequence(6)
        );
    });
}

#[test]
fn a_path_can_be_put_onto_the_list_of_needs() {
    every_store(|store| {
        share(store);
        let add = || StoreOp::AddNeeds {
            folder: folder(1),
            paths: vec![path("b"), path("a"), path("b")],
        };
        let sums = persist(store, vec![add(), add()]);
        assert_eq!(sums[0].1.needs, 2);
        assert_eq!(needed_paths(store), ["a", "b"]);
    });
}

#[test]
fn a_file_that_is_gone_at_a_peer_says_whether_its_bytes_lie_under_a_name_that_stays() {
    every_store(|store| {
        share(store);
        let gone = |at: &str| entry(at, &[(1, 1), (2, 1)], Content::Absent);
        persist(
            store,
            vec![
                put_ours(vec![
                    our(entry("both/a", &[(1, 1)], bytes(1, 1)), 1),
                    our(entry("both/b", &[(1, 1)], bytes(1, 1)), 2),
                    our(entry("moved/from", &[(1, 1)], bytes(2, 1)), 3),
                    our(entry("moved/to", &[(1, 1)], bytes(2, 1)), 4),
                    our(entry("only", &[(1, 1)], bytes(3, 1)), 5),
                    our(entry("zone", &[(1, 1)], Content::Absent), 6),
                ]),
                put_theirs(
                    2,
                    1,
                    5,
                    vec![
                        gone("both/a"),
                        gone("both/b"),
                        gone("moved/from"),
                        gone("only"),
                        entry("zone", &[(2, 1)], bytes(9, 1)),
                    ],
                ),
            ],
        );
        let request = StoreRequest::LoadNeeds {
            folder: folder(1),
            of: NeedsOf::Ours,
            after: None,
            limit: 9,
        };
        let StoreReply::Needs { needs, .. } = store.reply_to(request) else {
            panic!("no page")
        };
        let told: Vec<_> = needs
            .iter()
            .map(|need| (need.path.as_str(), need.elsewhere))
            .collect();
        let expected = [
            ("both/a", Elsewhere::Nowhere),
            ("both/b", Elsewhere::Nowhere),
            ("moved/from", Elsewhere::Stays),
            ("only", Elsewhere::Nowhere),
        ];
        assert_eq!(told, expected, "and nothing where nothing of ours lies");
    });
}

#[test]
fn what_is_kept_of_the_brake_comes_back_and_goes_with_its_folder() {
    every_store(|store| {
        share(store);
        let record = |braking, carried| BrakeRecord { braking, carried };
        let put = |device: u8, record| StoreOp::PutBrakes {
            folder: folder(1),
            brakes: vec![(crate::sample::device(device), record)],
        };
        let ops = vec![
            put(2, record(Braking::Counting, 7)),
            put(3, record(Braking::Released, u64::MAX)),
            put(2, record(Braking::Engaged, 1000)),
        ];
        persist(store, ops);
        let expected = BTreeMap::from([
            (device(2), record(Braking::Engaged, 1000)),
            (device(3), record(Braking::Released, u64::MAX)),
        ]);
        assert_eq!(store.restored().unwrap().folders[0].brakes, expected);
        persist(store, vec![StoreOp::RemoveFolder(folder(1))]);
        share(store);
        assert!(store.restored().unwrap().folders[0].brakes.is_empty());
    });
}

#[test]
fn what_went_is_found_where_its_file_lies_now() {
    every_store(|store| {
        share(store);
        let gone = our(entry("from", &[(1, 2)], Content::Absent), 2);
        let there = our(entry("to", &[(1, 3)], bytes(1, 7)), 3);
        let theirs = entry("from", &[(1, 1), (2, 1)], bytes(2, 8));
        let went = StoreOp::PutDepartures {
            folder: folder(1),
            departures: vec![departure("from", 1, 3)],
        };
        persist(
            store,
            vec![put_ours(vec![gone.clone(), there.clone()]), went],
        );
        persist(store, vec![put_theirs(4, 40, 1, vec![theirs.clone()])]);
        let moved = |store: &mut dyn Records| needs(store, None, 10).0[0].moved.clone();
        let place = |theirs| Place {
            ours: there.clone(),
            theirs,
        };
        let expected = Moved {
            departure: departure("from", 1, 3),
            place: Some(place(Vec::new())),
        };
        assert_eq!(moved(store), Some(expected));

        let said = entry("to", &[(2, 1)], bytes(2, 8));
        persist(store, vec![put_theirs(4, 40, 2, vec![said.clone()])]);
        let found = moved(store).unwrap().place;
        assert_eq!(found, Some(place(vec![(device(4), said)])));

        let changed = our(entry("to", &[(1, 4)], bytes(3, 7)), 4);
        persist(store, vec![put_ours(vec![changed])]);
        assert_eq!(moved(store).unwrap().place, None, "it is another file now");

        let back = our(entry("from", &[(1, 5)], bytes(1, 7)), 5);
        let again = our(entry("from", &[(1, 6)], Content::Absent), 6);
        persist(store, vec![put_ours(vec![back])]);
        persist(store, vec![put_ours(vec![again])]);
        assert_eq!(moved(store), None, "it lay there again");
    });
}

#[test]
fn what_is_moved_on_is_followed_from_the_beginning() {
    every_store(|store| {
        share(store);
        let gone = our(entry("from", &[(1, 2)], Content::Absent), 2);
        let theirs = entry("from", &[(1, 1), (2, 1)], bytes(2, 8));
        persist(
            store,
            vec![put_ours(vec![gone]), put_theirs(4, 40, 1, vec![theirs])],
        );
        let put = |path: &str, followed: u32| StoreOp::PutDepartures {
            folder: folder(1),
            departures: vec![Departure {
                followed,
                ..departure(path, 1, 3)
            }],
        };
        let count = |store: &mut dyn Records| {
            let moved = needs(store, None, 10).0[0].moved.clone();
            moved.map(|moved| moved.departure.followed)
        };
        persist(store, vec![put("from", 1)]);
        persist(store, vec![put("from", 2)]);
        assert_eq!(count(store), Some(2));
        persist(store, vec![put("to", 1)]);
        assert_eq!(count(store), Some(2), "it has not gone from there");
        persist(store, vec![put("to", 0)]);
        assert_eq!(count(store), Some(0));
    });
}

#[test]
fn who_was_met_comes_back_and_goes_with_the_peer_and_with_the_folder() {
    every_store(|store| {
        share(store);
        let contact = |presence| Contact {
            presence,
            silent_for: Duration::ZERO,
        };
        let put = |device: u8, presence| StoreOp::PutContacts {
            folder: folder(1),
            contacts: vec![(crate::sample::device(device), contact(presence))],
        };
        persist(
            store,
            vec![put(2, Presence::Steady), put(3, Presence::Back)],
        );
        persist(
            store,
            vec![put(2, Presence::Back), put(3, Presence::Steady)],
        );
        let restored = |store: &dyn Records| store.restored().unwrap().folders[0].contacts.clone();
        let expected = [(2, Presence::Back), (3, Presence::Steady)];
        let expected = expected.map(|(name, presence)| (device(name), contact(presence)));
        assert_eq!(restored(store), BTreeMap::from(expected));
        let forget = StoreOp::ForgetPeerRows {
            folder: folder(1),
            device: device(2),
        };
        persist(store, vec![forget]);
        assert_eq!(restored(store), BTreeMap::from([expected[1]]));
        persist(store, vec![StoreOp::RemoveFolder(folder(1))]);
        share(store);
        assert!(restored(store).is_empty());
    });
}
