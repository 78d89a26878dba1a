//! Where losing versions are kept.

use super::*;
use crate::tests::folder::world::hash;

#[test]
fn what_is_kept_finds_a_free_name_or_lies_there_already() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let winner = entry("x", 2, &[(2, 1)], file("winner"), 9);
    let keep = |occupant: Option<Content>| {
        let action = action(need(Some(ours.clone()), &[(2, winner.clone())]));
        let mut planned = [Planned {
            path: path("x"),
            action,
        }];
        let short = conflict_path(&ours, Detail::Short, ConflictPlace::Inbox).unwrap();
        assert_eq!(rooms(&planned).len(), 6, "three in the inbox, three beside");
        let rows: BTreeMap<RelPath, OurRow> = occupant
            .map(|content| {
                (
                    short.clone(),
                    row(entry(short.as_str(), 3, &[(3, 1)], content, 1)),
                )
            })
            .into_iter()
            .collect();
        make_room(&mut planned, &rows, ConflictPlace::Inbox, ALL_QUIET);
        let [Planned { action, .. }] = planned;
        step(action).step.keep
    };
    assert_eq!(
        keep(None),
        conflict_path(&ours, Detail::Short, ConflictPlace::Inbox)
    );
    assert_eq!(
        keep(Some(Content::Absent)),
        conflict_path(&ours, Detail::Short, ConflictPlace::Inbox)
    );
    assert_eq!(
        keep(Some(file("other"))),
        conflict_path(&ours, Detail::Long, ConflictPlace::Inbox)
    );
    // Whether they still lie there is for the disk to see.
    assert_eq!(
        keep(Some(file("ours"))),
        conflict_path(&ours, Detail::Short, ConflictPlace::Inbox)
    );
}

#[test]
fn where_the_disk_refuses_the_best_name_of_a_copy_the_next_one_is_asked_for() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let winner = entry("x", 2, &[(2, 1)], file("winner"), 9);
    for (is_refused, detail) in [(false, Detail::Short), (true, Detail::Long)] {
        let mut planned = [Planned {
            path: path("x"),
            action: action(need(Some(ours.clone()), &[(2, winner.clone())])),
        }];
        let (inbox, rows) = (ConflictPlace::Inbox, BTreeMap::new());
        let names = Names {
            refused: &|_| is_refused,
            ..ALL_QUIET
        };
        make_room(&mut planned, &rows, inbox, names);
        let [Planned { action, .. }] = planned;
        assert_eq!(step(action).step.keep, conflict_path(&ours, detail, inbox));
    }
}

#[test]
fn a_copy_is_not_kept_where_the_same_bytes_are_about_to_go() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let winner = entry("x", 2, &[(2, 1)], file("winner"), 9);
    let inbox = ConflictPlace::Inbox;
    let short = conflict_path(&ours, Detail::Short, inbox).unwrap();
    let there = row(entry(short.as_str(), 1, &[(1, 1)], file("ours"), 1));
    let later = entry(short.as_str(), 3, &[(1, 1), (3, 1)], file("other"), 2);
    let rows = BTreeMap::from([(short.clone(), there.clone())]);
    let keep = |comes_too: Option<&Entry>, names: Names<'_>| {
        let mut planned = vec![Planned {
            path: path("x"),
            action: action(need(Some(ours.clone()), &[(2, winner.clone())])),
        }];
        planned.extend(comes_too.map(|comes| Planned {
            path: short.clone(),
            action: action(need(Some(there.entry.clone()), &[(3, comes.clone())])),
        }));
        make_room(&mut planned, &rows, inbox, names);
        step(planned.remove(0).action).step.keep
    };
    let touched = Entry {
        mtime: UnixNanos(7),
        content: file("ours"),
        ..later.clone()
    };
    let under_way = |comes: &'static str| {
        let short = short.clone();
        move |path: &RelPath, lies: &Content| *path == short && *lies != file(comes)
    };
    let (other, same) = (under_way("other"), under_way("ours"));
    let names = |replaced| Names {
        replaced,
        ..ALL_QUIET
    };
    let long = conflict_path(&ours, Detail::Long, inbox);
    assert_eq!(keep(None, ALL_QUIET), Some(short.clone()));
    assert_eq!(keep(Some(&later), ALL_QUIET), long, "in the same plan");
    assert_eq!(keep(None, names(&other)), long, "a step is under way");
    assert_eq!(
        keep(Some(&touched), ALL_QUIET),
        Some(short.clone()),
        "only its time"
    );
    assert_eq!(
        keep(None, names(&same)),
        Some(short.clone()),
        "only its time"
    );
}

#[test]
fn a_copy_that_loses_a_conflict_leaves_its_name_and_is_kept_under_another() {
    let original = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let name = |detail| conflict_path(&original, detail, ConflictPlace::Inbox).unwrap();
    let keep = |at: &RelPath, occupied: &[&RelPath]| {
        let ours = entry(at.as_str(), 1, &[(1, 1)], file("ours"), 1);
        let winner = entry(at.as_str(), 2, &[(2, 1)], file("winner"), 9);
        let mut planned = [Planned {
            path: at.clone(),
            action: action(need(Some(ours.clone()), &[(2, winner)])),
        }];
        let mut rows = BTreeMap::from([(at.clone(), row(ours))]);
        for path in occupied {
            let other = entry(path.as_str(), 3, &[(3, 1)], file("other"), 1);
            rows.insert((*path).clone(), row(other));
        }
        make_room(&mut planned, &rows, ConflictPlace::Inbox, ALL_QUIET);
        let [Planned { action, .. }] = planned;
        step(action).step.keep
    };
    let [short, long, full] = [Detail::Short, Detail::Long, Detail::Full].map(name);
    assert_eq!(keep(&short, &[]), Some(long.clone()));
    assert_eq!(keep(&long, &[]), Some(short.clone()));
    assert_eq!(keep(&long, &[&short]), Some(full.clone()));
    let nested = keep(&full, &[&short, &long]).unwrap();
    assert_ne!(nested, full);
    assert!(keep(&nested, &[&short, &long, &full]).is_some_and(|path| path != nested));
}

#[test]
fn a_conflict_copy_is_named_after_the_file_the_author_and_the_bytes() {
    let name = |at: &str| {
        let loser = entry(at, 1, &[(1, 1)], file("ours"), 1);
        conflict_path(&loser, Detail::Short, ConflictPlace::Beside)
            .unwrap()
            .as_str()
            .to_owned()
    };
    let mark = format!(
        ".conflict-{}-{}",
        device(1).short(),
        &hash("ours").to_string()[..6]
    );
    assert_eq!(
        name("d/report.final.txt"),
        format!("d/report.final{mark}.txt")
    );
    assert_eq!(name("Makefile"), format!("Makefile{mark}"));
    assert_eq!(name(".env"), format!(".env{mark}"));
    assert_eq!(
        name("a. a very long sentence that is no extension"),
        format!("a. a very long sentence that is no extension{mark}")
    );
    assert_eq!(
        name(&name("a.txt")),
        name("a.txt"),
        "a copy of a copy keeps one mark"
    );
    assert_eq!(name(&name("a")), name("a"));
    let long = name(&format!("{}.txt", "ä".repeat(125)));
    assert!(long.len() <= PATH_COMPONENT_BYTES_MAX && long.ends_with(&format!("ä{mark}.txt")));
    let directory = entry("x", 1, &[(1, 1)], Content::Directory, 1);
    assert_eq!(
        conflict_path(&directory, Detail::Short, ConflictPlace::Beside),
        None
    );
}

#[test]
fn a_copy_in_the_inbox_keeps_the_whole_path_and_one_that_loses_there_stays_there() {
    let name = |at: &str, text: &str| {
        let loser = entry(at, 1, &[(1, 1)], file(text), 1);
        conflict_path(&loser, Detail::Short, ConflictPlace::Inbox)
    };
    let mark = |text: &str| {
        let digits = hash(text).to_string();
        format!(".conflict-{}-{}", device(1).short(), &digits[..6])
    };
    let copy = name("d/report.txt", "ours").unwrap();
    assert_eq!(
        copy.as_str(),
        format!(".towline/conflicts/d/report.txt/{}.txt", mark("ours"))
    );
    let another = name(copy.as_str(), "edited in the inbox").unwrap();
    assert_eq!(another.conflicted(), Some(path("d/report.txt")));
    assert_ne!(another, copy);
    // Where the inbox has no place for a path its copy lies beside, and finds room there.
    let mut deep = "d/".repeat(2025);
    deep.push_str("report.txt");
    assert_eq!(name(&deep, "ours"), None);
    let loser = entry(&deep, 1, &[(1, 1)], file("ours"), 1);
    let beside = conflict_paths(&loser, ConflictPlace::Inbox).last().unwrap();
    assert!(beside.as_str().len() <= PATH_BYTES_MAX);
    assert!(
        beside
            .file_name()
            .ends_with(&format!("{}.txt", mark("ours")))
    );
}

#[test]
fn a_copy_goes_where_it_is_wanted_unless_its_bytes_lie_in_the_other_place() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let winner = entry("x", 2, &[(2, 1)], file("winner"), 9);
    let name = |place| conflict_path(&ours, Detail::Short, place).unwrap();
    let [inbox, beside] = [ConflictPlace::Inbox, ConflictPlace::Beside].map(name);
    let keep = |wanted: ConflictPlace, at: Option<&RelPath>| {
        let mut planned = [Planned {
            path: path("x"),
            action: action(need(Some(ours.clone()), &[(2, winner.clone())])),
        }];
        let there = at.map(|at| {
            (
                at.clone(),
                row(entry(at.as_str(), 3, &[(3, 1)], file("ours"), 1)),
            )
        });
        make_room(
            &mut planned,
            &there.into_iter().collect(),
            wanted,
            ALL_QUIET,
        );
        let [Planned { action, .. }] = planned;
        step(action).step.keep
    };
    assert_eq!(keep(ConflictPlace::Inbox, None), Some(inbox.clone()));
    assert_eq!(keep(ConflictPlace::Beside, None), Some(beside.clone()));
    assert_eq!(keep(ConflictPlace::Beside, Some(&inbox)), Some(inbox));
    assert_eq!(keep(ConflictPlace::Inbox, Some(&beside)), Some(beside));
}

// --- by property ---------------------------------------------------------------------------------
