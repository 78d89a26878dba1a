//! Random requests, to the durable store and the one in memory: every answer must be the same, also
//! after closing and opening, and readers must see what the rows say.

use std::collections::BTreeMap;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use towline_core::folder::rules::RulesMark;
use towline_core::io::{BatchId, IndexOf, NeedsOf, StoreReply, StoreRequest};
use towline_core::records::{BrakeRecord, Braking, Contact, Doubt, OurRow, Reach, StoreOp};
use towline_store::memory::MemoryStore;
use towline_store::{Conflict, Opened, Records, Store};
use towline_wire::entry::{Content, Entry, UnixNanos};
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::limits::VERSION_COUNTER_MAX;
use towline_wire::rel_path::RelPath;

use crate::sample::{
    FRESH, bytes, device, entry, folder, folder_record, hash, new_store, our, path, peer_record,
    stamp, symlink,
};

#[derive(Debug, Clone)]
enum Step {
    Group(Vec<Vec<StoreOp>>),
    Ask(StoreRequest),
    Reopen,
}

proptest! {
    // Each batch waits for the disk; 48 keep the suite short on a busy one.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_give_the_same_answers(steps in vec(step(), 1..24)) {
        let (home, mut store) = new_store();
        let mut model = MemoryStore::new(FRESH);
        let mut sequence = 0;
        for step in steps {
            match step {
                Step::Group(batches) => {
                    let batches: Vec<(BatchId, Vec<StoreOp>)> = batches
                        .into_iter()
                        .zip(1..)
                        .map(|(ops, id)| (BatchId(id), number(ops, &mut sequence)))
                        .collect();
                    let expected: Vec<StoreReply> = batches
                        .iter()
                        .map(|(id, ops)| model.reply_to(StoreRequest::Persist(*id, ops.clone())))
                        .collect();
                    prop_assert_eq!(store.persist_all(batches).unwrap(), expected);
                }
                Step::Ask(request) => {
                    prop_assert_eq!(store.reply_to(request.clone()), model.reply_to(request));
                }
                Step::Reopen => {
                    drop(store);
                    let (again, opened) = Store::open(home.path(), Incarnation(1)).unwrap();
                    prop_assert_eq!(opened, Opened::Existing);
                    store = again;
                }
            }
            prop_assert_eq!(store.restored().unwrap(), model.restored().unwrap());
        }
        for id in [folder(1), folder(2)] {
            readers_see_the_rows(&store, &model, id);
        }
    }
}

fn readers_see_the_rows(store: &Store, model: &MemoryStore, id: FolderId) {
    let mut reader = store.reader().unwrap();
    let live: Vec<_> = model
        .our_rows(id)
        .into_iter()
        .flat_map(|rows| rows.values())
        .filter(|row| row.entry.content != Content::Absent)
        .cloned()
        .collect();
    for directory in [
        None,
        Some(path("a")),
        Some(path("a/b")),
        Some(path("a-")),
        Some(path("z")),
    ] {
        let below = |at: &RelPath| {
            directory
                .as_ref()
                .is_none_or(|directory| at.is_below(directory))
        };
        let within = live.iter().filter(|row| below(&row.entry.path)).cloned();
        let expected: Vec<_> = within.clone().collect();
        let mut paged = Vec::new();
        loop {
            let after = paged.last().map(|row: &OurRow| &row.entry.path);
            let page = reader.rows_below(id, directory.as_ref(), after, 2).unwrap();
            let last = page.len() < 2;
            paged.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(&paged, &expected);
        let direct: Vec<_> = within
            .filter(|row| row.entry.path.parent() == directory)
            .collect();
        assert_eq!(
            reader.rows_in_directory(id, directory.as_ref()).unwrap(),
            direct
        );
    }
    let mut conflicts: BTreeMap<RelPath, Vec<OurRow>> = BTreeMap::new();
    for row in &live {
        if let Some(path) = row.entry.path.conflicted() {
            conflicts.entry(path).or_default().push(row.clone());
        }
    }
    let mut paged: Vec<Conflict> = Vec::new();
    loop {
        let after = paged.last().map(|conflict| &conflict.path);
        let page = reader.conflicts(id, after, 1).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    for conflict in &paged {
        let there = live.iter().find(|row| row.entry.path == conflict.path);
        assert_eq!(conflict.winner.as_ref(), there);
        let found = reader.conflict(id, &conflict.path).unwrap();
        assert_eq!(found.as_ref(), Some(conflict));
    }
    let found: BTreeMap<RelPath, Vec<OurRow>> = paged
        .into_iter()
        .map(|conflict| (conflict.path, conflict.copies))
        .collect();
    assert_eq!(found, conflicts);
    for number in 0..4 {
        let found = reader.paths_with_contents(id, &[hash(number)], IndexOf::Everything, 100);
        let found = found.unwrap().into_iter().flatten();
        let mut found: Vec<RelPath> = found.map(|file| file.path).collect();
        found.sort();
        let holds = |content: &Content| matches!(content, Content::File { hash: held, .. } if *held == hash(number));
        let rows = live.iter().filter(|row| holds(&row.entry.content));
        let expected: Vec<RelPath> = rows.map(|row| row.entry.path.clone()).collect();
        assert_eq!(found, expected);
    }
}

/// Gives our rows ascending sequences, as the core does.
fn number(mut ops: Vec<StoreOp>, sequence: &mut u64) -> Vec<StoreOp> {
    for op in &mut ops {
        if let StoreOp::PutOurRows { rows, .. } = op {
            for row in rows {
                *sequence += 1;
                row.sequence = Sequence(*sequence);
            }
        }
    }
    ops
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(vec(op(), 1..6), 1..3).prop_map(Step::Group),
        3 => request().prop_map(Step::Ask),
        1 => Just(Step::Reopen),
    ]
}

fn request() -> impl Strategy<Value = StoreRequest> {
    prop_oneof![
        (folders(), vec(paths(), 0..6))
            .prop_map(|(folder, paths)| StoreRequest::LoadRows(folder, paths)),
        (
            folders(),
            select(vec![
                NeedsOf::Everything,
                NeedsOf::Directories,
                NeedsOf::Local,
                NeedsOf::Ours,
            ]),
            proptest::option::of(paths()),
            0_usize..6
        )
            .prop_map(|(folder, of, after, limit)| StoreRequest::LoadNeeds {
                folder,
                of,
                after,
                limit,
            }),
        (
            folders(),
            devices(),
            select(vec![IndexOf::Told, IndexOf::Everything]),
            0_u64..40,
            0_usize..6
        )
            .prop_map(|(folder, peer, of, after, limit)| {
                StoreRequest::LoadIndex {
                    folder,
                    peer,
                    of,
                    after: Sequence(after),
                    limit,
                }
            }),
    ]
}

fn reaches() -> impl Strategy<Value = Reach> {
    select(vec![
        Reach::Everyone,
        Reach::Changed,
        Reach::Added,
        Reach::Yields,
        Reach::Spoiled,
    ])
}

fn op() -> impl Strategy<Value = StoreOp> {
    let rows = vec((entries(), 0_u64..50, reaches()), 0..8).prop_map(|rows| {
        let row = |(entry, at, reach)| OurRow {
            reach,
            ..our(entry, at)
        };
        rows.into_iter().map(row).collect()
    });
    let peer_rows = (
        folders(),
        devices(),
        1_u64..3,
        any::<u64>(),
        vec(entries(), 0..8),
    );
    prop_oneof![
        1 => "[a-z]{0,4}".prop_map(StoreOp::PutDeviceName),
        1 => any::<u64>().prop_map(|life| StoreOp::BeginIncarnation(Incarnation(life))),
        1 => (1_u8..4).prop_map(|number| StoreOp::PutPeer(peer_record(number))),
        1 => devices().prop_map(StoreOp::RemovePeer),
        4 => (1_u8..3, btree_set(devices(), 0..3)).prop_map(|(number, shared_with)| {
            let mut record = folder_record(number);
            record.shared_with = shared_with;
            StoreOp::PutFolder(record)
        }),
        1 => folders().prop_map(StoreOp::RemoveFolder),
        6 => (folders(), rows).prop_map(|(folder, rows)| StoreOp::PutOurRows { folder, rows }),
        2 => (folders(), vec((paths(), 0_u64..50), 0..4)).prop_map(|(folder, stamps)| {
            let stamps = stamps.into_iter().map(|(path, number)| (path, stamp(number))).collect();
            StoreOp::PutStamps { folder, stamps }
        }),
        8 => peer_rows.prop_map(|(folder, device, life, up_to, entries)| StoreOp::PutPeerRows {
            folder,
            device,
            incarnation: Incarnation(life),
            up_to: Sequence(up_to),
            entries,
        }),
        1 => (folders(), devices())
            .prop_map(|(folder, device)| StoreOp::ForgetPeerRows { folder, device }),
        3 => (folders(), vec(paths(), 0..6))
            .prop_map(|(folder, paths)| StoreOp::SettleNeeds { folder, paths }),
        2 => (folders(), vec(paths(), 0..4))
            .prop_map(|(folder, paths)| StoreOp::ForgetStamps { folder, paths }),
        2 => (folders(), any::<u64>()).prop_map(|(folder, mark)| StoreOp::RenewNeeds {
            folder,
            under: RulesMark(mark),
        }),
        1 => (folders(), devices(), any::<u64>()).prop_map(|(folder, device, carried)| {
            let record = BrakeRecord { braking: Braking::Engaged, carried };
            StoreOp::PutBrakes { folder, brakes: vec![(device, record)] }
        }),
        1 => (folders(), devices()).prop_map(|(folder, device)| {
            StoreOp::PutContacts { folder, contacts: vec![(device, Contact::default())] }
        }),
        2 => (folders(), vec(paths(), 0..4))
            .prop_map(|(folder, paths)| StoreOp::AddNeeds { folder, paths }),
        1 => (folders(), any::<i64>()).prop_map(|(folder, since)| StoreOp::PutDoubt {
            folder,
            doubt: Doubt::Since(UnixNanos(since)),
        }),
    ]
}

/// Few of everything, so that records meet.
fn entries() -> impl Strategy<Value = Entry> {
    let versions = select(vec![
        vec![(1, 1)],
        vec![(1, 2)],
        vec![(1, 1), (2, 1)],
        vec![(3, VERSION_COUNTER_MAX)],
    ]);
    let contents = prop_oneof![
        Just(Content::Absent),
        Just(Content::Directory),
        Just(symlink("target")),
        (0_u8..4, prop_oneof![0_u64..9, Just(u64::MAX)])
            .prop_map(|(number, size)| bytes(number, size)),
    ];
    (paths(), versions, contents)
        .prop_map(|(path, version, content)| entry(path.as_str(), &version, content))
}

fn paths() -> impl Strategy<Value = RelPath> {
    let names = vec![
        "a",
        "a/b",
        "a/b/c",
        "a/b/d",
        "a/b.txt",
        "a/b0",
        "a-",
        "a-/x",
        "a0",
        "b",
        "b/ü",
        "z/deep/er",
        "\u{10FFFF}",
        ".towline/conflicts/a/.conflict-abcdefgh-000001",
        ".towline/conflicts/a/.conflict-abcdefgh-000002",
        ".towline/conflicts/a/b/.conflict-abcdefgh-000001",
        ".towline/conflicts/a-/.conflict-bbcdefgh-000001",
    ];
    select(names).prop_map(path)
}

fn devices() -> impl Strategy<Value = DeviceId> {
    (1_u8..4).prop_map(device)
}

fn folders() -> impl Strategy<Value = FolderId> {
    (1_u8..3).prop_map(folder)
}
