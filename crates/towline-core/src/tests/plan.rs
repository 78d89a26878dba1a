//! The planner and the verdict, by hand and by property.

mod room;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use towline_wire::entry::{
    Actor, Attributes, Content, Descent, Dot, Entry, UnixNanos, VersionVector,
};
use towline_wire::ids::Sequence;
use towline_wire::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX};
use towline_wire::rel_path::RelPath;

use super::folder::world::{actor, device, file, path, symlink};
use crate::folder::conflict::{Detail, conflict_path, conflict_paths};
use crate::folder::plan::{Action, Names, Phase, Planned, PlannedStep, Sight, Wait};
use crate::folder::plan::{footing, ground, make_room, plan, rooms};
use crate::folder::verdict::{Fate, Rest, Verdict, judge, verdict};
use crate::io::Expected;
use crate::records::{
    AttributeKeeping, Beside, ConflictPlace, DiskStamp, Elsewhere, Mode, Need, OurRow, Reach,
};

fn history(writes: &[(u8, u64)]) -> VersionVector {
    let mut counters: Vec<_> = writes
        .iter()
        .map(|(name, count)| (actor(*name), *count))
        .collect();
    counters.sort();
    VersionVector::try_from(counters).unwrap()
}

/// What device `by` wrote last of a history.
fn entry(at: &str, by: u8, writes: &[(u8, u64)], content: Content, mtime: i64) -> Entry {
    let version = history(writes);
    let author = Dot {
        actor: actor(by),
        counter: version.counter(actor(by)),
    };
    Entry {
        path: path(at),
        version,
        author,
        content,
        mtime: UnixNanos(mtime),
        descent: Descent::none(),
    }
}

const STAMP: DiskStamp = DiskStamp {
    size: 0,
    mtime: UnixNanos(1),
    ctime: UnixNanos(0),
    file_id: 9,
    beside: Beside::Unasked,
};

fn row(entry: Entry) -> OurRow {
    let stamp = Some(STAMP).filter(|_| entry.content != Content::Absent);
    OurRow {
        entry,
        sequence: Sequence(5),
        stamp,
        reach: Reach::Everyone,
    }
}

fn need(ours: Option<Entry>, theirs: &[(u8, Entry)]) -> Need {
    let path = theirs
        .first()
        .map_or_else(|| path("x"), |(_, entry)| entry.path.clone());
    let theirs = theirs
        .iter()
        .map(|(name, entry)| (device(*name), entry.clone()))
        .collect();
    Need {
        path,
        ours: ours.map(row),
        theirs,
        held: BTreeSet::new(),
        elsewhere: Elsewhere::Nowhere,
        moved: None,
    }
}

/// Plans one need as device 1 with devices 2 and 3 connected.
fn action(need: Need) -> Action {
    let connected = BTreeSet::from([device(2), device(3)]);
    plan(&[need], &connected, us()).remove(0).action
}

/// Device 1, which keeps attributes.
fn us() -> (Actor, AttributeKeeping) {
    (actor(1), AttributeKeeping::On)
}

fn step(action: Action) -> PlannedStep {
    match action {
        Action::Step(step) => *step,
        other @ (Action::Settled | Action::Adopt { .. } | Action::Wait(_)) => {
            panic!("no step: {other:?}")
        }
    }
}

// --- by hand -------------------------------------------------------------------------------------

#[test]
fn a_later_file_replaces_ours_from_every_peer_that_has_it() {
    let ours = entry("x", 1, &[(1, 1)], file("old"), 1);
    let theirs = entry("x", 2, &[(1, 1), (2, 1)], file("new"), 2);
    let step = step(action(need(
        Some(ours),
        &[(2, theirs.clone()), (3, theirs.clone())],
    )));
    assert_eq!(step.becomes, theirs);
    assert_eq!(step.step.expected, Expected::Stamped(STAMP));
    assert_eq!(step.step.sources, BTreeSet::from([device(2), device(3)]));
    assert_eq!(
        (step.step.keep, step.assumed, step.rest),
        (None, Some(Sequence(5)), Rest::Settled)
    );
}

#[test]
fn what_lies_here_is_younger_than_a_write_of_ours_that_the_row_has_lost() {
    let lies = file("made again");
    let ours = entry("a", 1, &[(1, 1)], lies.clone(), 7);
    let deleted = entry("a", 1, &[(1, 2)], Content::Absent, 7);
    let remade = entry("a", 1, &[(1, 3)], lies, 7);
    let Action::Adopt { becomes, .. } = action(need(Some(ours.clone()), &[(2, deleted)])) else {
        panic!("a row that was not remade");
    };
    assert_eq!(becomes, remade);

    let edited_since = entry("a", 2, &[(1, 2), (2, 1)], file("theirs"), 9);
    let step = step(action(need(Some(ours), &[(2, edited_since)])));
    assert_eq!(step.loser, Some(remade));
    assert_eq!(step.becomes.version, history(&[(1, 3), (2, 1)]));
}

#[test]
fn what_is_absent_after_a_lost_write_is_fetched_again() {
    let ours = entry("a", 1, &[(1, 1)], Content::Absent, 0);
    let lost = entry("a", 1, &[(1, 2)], file("made since"), 7);
    let fetched = step(action(need(Some(ours), &[(2, lost.clone())])));
    assert_eq!(fetched.becomes, lost);
}

#[test]
fn an_older_record_is_settled() {
    let ours = entry("x", 1, &[(1, 2)], file("new"), 1);
    let theirs = entry("x", 1, &[(1, 1)], file("old"), 9);
    assert_eq!(action(need(Some(ours), &[(2, theirs)])), Action::Settled);
}

#[test]
fn a_need_without_records_is_settled() {
    assert_eq!(action(need(None, &[])), Action::Settled);
}

#[test]
fn the_loser_of_a_conflict_waits_and_merges_nothing() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 9);
    let theirs = entry("x", 2, &[(2, 1)], file("theirs"), 1);
    assert_eq!(
        action(need(Some(ours), &[(2, theirs)])),
        Action::Wait(Wait::PeerYields)
    );
}

#[test]
fn what_was_deleted_wins_against_nothing_that_the_delete_has_lost_to() {
    // Device 2's edit has lost to device 1's, which device 3 deletes not knowing of it; so it stands.
    let later = entry("x", 1, &[(1, 1)], file("later"), 9);
    let edit = entry("x", 2, &[(2, 1)], file("edit"), 1);
    let deleted = entry("x", 3, &[(1, 1), (3, 1)], Content::Absent, 0);
    assert_eq!(verdict(&later, &edit), Verdict::OursInConflict);
    assert_eq!(verdict(&edit, &deleted), Verdict::OursInConflict);
    // Who holds the edit gives way, who holds the other or its delete takes the edit.
    let gave_way = Entry {
        version: history(&[(1, 1), (2, 1)]),
        ..later.clone()
    };
    let by_first = step(action(need(
        Some(later),
        &[(2, edit.clone()), (3, deleted.clone())],
    )));
    let by_deleter = step(action(need(Some(deleted), &[(2, edit)])));
    for took in [by_first, by_deleter] {
        assert_eq!(took.loser, None);
        assert!(took.becomes.version.knows(gave_way.author));
        assert_eq!(verdict(&gave_way, &took.becomes), Verdict::Theirs);
        assert_eq!(verdict(&took.becomes, &gave_way), Verdict::Ours);
    }
}

#[test]
fn bytes_that_lose_are_kept_also_when_another_peer_has_them() {
    let ours = entry("x", 1, &[(1, 1)], file("ours"), 1);
    let mut same = ours.clone();
    same.version = history(&[(1, 1), (3, 1)]);
    let winner = entry("x", 2, &[(2, 1)], file("winner"), 9);
    let step = step(action(need(Some(ours.clone()), &[(2, winner), (3, same)])));
    assert_eq!(
        step.step.keep,
        conflict_path(&ours, Detail::Short, ConflictPlace::Inbox)
    );
    assert_eq!(step.becomes.version, history(&[(1, 1), (2, 1)]));
    assert_eq!(
        step.rest,
        Rest::Settled,
        "device 3's bytes are known by ours now"
    );
}

#[test]
fn without_a_connected_source_a_file_waits_unless_its_bytes_lie_here() {
    let theirs = entry("x", 4, &[(4, 1)], file("far"), 1);
    let mut need = need(None, &[(4, theirs)]);
    assert_eq!(action(need.clone()), Action::Wait(Wait::Source));
    let Content::File { hash, .. } = file("far") else {
        panic!("a file")
    };
    need.held.insert(hash);
    assert_eq!(step(action(need)).step.sources, BTreeSet::new());
}

#[test]
fn metadata_of_a_directory_changes_only_the_row() {
    let ours = entry("x", 1, &[(1, 1)], Content::Directory, 1);
    let theirs = entry("x", 2, &[(2, 1)], Content::Directory, 7);
    let Action::Adopt {
        becomes,
        stamp,
        rest,
    } = action(need(Some(ours), &[(2, theirs)]))
    else {
        panic!("adopted")
    };
    assert_eq!(
        (becomes.version, becomes.mtime),
        (history(&[(1, 1), (2, 1)]), UnixNanos(7))
    );
    assert_eq!((stamp, rest), (Some(STAMP), Rest::Settled));
}

#[test]
fn a_time_that_only_looks_coarse_is_set_on_a_fine_disk() {
    let ours = entry("x", 1, &[(1, 1)], file("f"), 1_000_000_000);
    let theirs = entry("x", 2, &[(2, 1)], file("f"), 1_987_654_321);
    let mut need = need(Some(ours), &[(2, theirs)]);
    let stamp = &mut need.ours.as_mut().unwrap().stamp;
    stamp.as_mut().unwrap().mtime = UnixNanos(1_000_000_000);
    assert!(matches!(action(need), Action::Step(_)));
}

#[test]
fn a_directory_goes_before_a_file_takes_its_name() {
    let ours = entry("x", 1, &[(1, 1)], Content::Directory, 1);
    let theirs = entry("x", 2, &[(1, 1), (2, 1)], file("f"), 1);
    let step = step(action(need(Some(ours), &[(2, theirs.clone())])));
    assert_eq!(step.phase(), Phase::DirectoryRemovals);
    assert_eq!(step.becomes.content, Content::Absent);
    // Their write wins over our delete, which it does not know.
    assert_eq!(verdict(&step.becomes, &theirs), Verdict::TheirsInConflict);
}

#[test]
fn what_both_have_deleted_stays_deleted_though_each_delete_lost_to_the_other_edit() {
    // Each deleted its own edit, and took the other's while it had not heard of that delete.
    let ours = entry("x", 2, &[(1, 4), (2, 2)], file("theirs"), 1);
    let theirs = entry("x", 1, &[(1, 3), (2, 3)], file("ours"), 2);
    let mut outcomes = Vec::new();
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        assert_eq!(verdict(one, other), Verdict::NeitherStands);
        let judgement = judge(Some(one), [other].into_iter()).unwrap();
        assert_eq!(
            (judgement.fate, judgement.rest),
            (Fate::Replaced, Rest::Settled)
        );
        outcomes.push(judgement.becomes);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0].content, Content::Absent);
    assert_eq!(outcomes[0].version, history(&[(1, 4), (2, 3)]));
    // A third device that sees both holds nothing either.
    let judgement = judge(None, [&ours, &theirs].into_iter()).unwrap();
    assert_eq!(judgement.becomes, outcomes[0]);
}

#[test]
fn one_write_with_unequal_bytes_is_a_conflict() {
    let ours = entry("x", 1, &[(1, 3)], file("before the rollback"), 1);
    let theirs = entry("x", 1, &[(1, 3)], file("after it"), 2);
    assert_eq!(verdict(&ours, &theirs), Verdict::TheirsInConflict);
    assert_eq!(verdict(&theirs, &ours), Verdict::OursInConflict);
}

#[test]
fn a_vast_history_is_not_adopted() {
    let many: Vec<(u8, u64)> = (1..=200).map(|name| (name, 1)).collect();
    let long = vec![(2, 1), (3, 1 << 62)];
    for writes in [many, long] {
        let theirs = entry("x", 2, &writes, file("f"), 1);
        assert_eq!(
            action(need(None, &[(2, theirs)])),
            Action::Wait(Wait::History)
        );
    }
}

/// Nothing happens, and the disk refuses nothing.
const ALL_QUIET: Names<'_> = Names {
    replaced: &|_, _| false,
    refused: &|_| false,
};

fn planned(at: &str, content: Content) -> Planned {
    let theirs = entry(at, 2, &[(2, 1)], content, 1);
    Planned {
        path: path(at),
        action: action(need(None, &[(2, theirs)])),
    }
}

fn grounded(rows: Vec<OurRow>, pending: &[&str], sight: Sight) -> Vec<Planned> {
    grounded_in(Mode::TwoWay, rows, pending, sight)
}

fn grounded_in(mode: Mode, rows: Vec<OurRow>, pending: &[&str], sight: Sight) -> Vec<Planned> {
    let planned = vec![planned("d/e/x", file("x"))];
    assert_eq!(footing(&planned), BTreeSet::from([path("d"), path("d/e")]));
    let rows = rows
        .into_iter()
        .map(|row| (row.entry.path.clone(), row))
        .collect();
    let pending = |path: &RelPath| pending.contains(&path.as_str());
    ground(planned, &rows, &pending, sight, (actor(1), mode))
}

#[test]
fn a_live_entry_brings_its_directories_back() {
    let top = row(entry("d", 1, &[(1, 1)], Content::Directory, 1));
    let gone = row(entry("d/e", 2, &[(1, 1), (2, 1)], Content::Absent, 1));
    let mut plan = grounded(vec![top, gone], &[], Sight::Whole);
    assert_eq!(
        plan.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(),
        ["d/e", "d/e/x"]
    );
    let back = step(plan.remove(0).action);
    assert_eq!(back.becomes.version, history(&[(1, 2), (2, 1)]));
    assert_eq!(
        (back.step.content, back.step.expected),
        (Content::Directory, Expected::Nothing)
    );
}

#[test]
fn a_child_waits_for_a_parent_that_may_come_by_itself() {
    let waits =
        |plan: Vec<Planned>| plan.len() == 1 && plan[0].action == Action::Wait(Wait::Parent);
    assert!(waits(grounded(vec![], &["d"], Sight::Whole)));
    assert!(waits(grounded(vec![], &[], Sight::Partial)));
    assert_eq!(grounded(vec![], &[], Sight::Whole).len(), 3);
}

#[test]
fn a_file_above_a_live_entry_is_kept_and_gives_way() {
    let top = row(entry("d", 1, &[(1, 1)], file("in the way"), 1));
    let plan = grounded(vec![top.clone()], &[], Sight::Whole);
    let first = step(plan[0].action.clone());
    assert_eq!(first.step.content, Content::Directory);
    assert_eq!(
        first.step.keep,
        conflict_path(&top.entry, Detail::Short, ConflictPlace::Inbox)
    );
}

#[test]
fn a_directory_where_a_change_gives_way_does_not_replace_what_others_have_there() {
    let theirs = entry("d", 2, &[(1, 4), (2, 1)], file("what all had"), 1);
    let changed = Entry {
        content: file("changed here"),
        ..theirs.clone()
    };
    let top = OurRow {
        reach: Reach::Yields,
        ..row(changed)
    };
    let plan = grounded(vec![top], &[], Sight::Whole);
    let first = step(plan[0].action.clone());
    assert_eq!(first.becomes.version, history(&[(1, 5)]));
    assert_eq!(first.step.keep, None);
    // Whoever has the bytes keeps them as a conflict copy.
    assert_eq!(verdict(&theirs, &first.becomes), Verdict::TheirsInConflict);
}

#[test]
fn what_a_send_only_side_gets_back_does_not_displace_what_lies_above_it() {
    let top = row(entry("d", 1, &[(1, 1)], file("a person's"), 1));
    let plan = grounded_in(Mode::SendOnly, vec![top], &[], Sight::Whole);
    assert_eq!(plan.len(), 1);
    assert_eq!(plan[0].action, Action::Wait(Wait::SendOnly));
    let gone = row(entry("d", 1, &[(1, 1)], Content::Absent, 1));
    let plan = grounded_in(Mode::SendOnly, vec![gone], &[], Sight::Whole);
    assert_eq!(plan.len(), 3, "where nothing lies it comes back");
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let value = prop::collection::vec(0..2_u8, 0..2);
    prop::collection::btree_map("user\\.[ab]", value, 0..2)
        .prop_map(|all| Attributes::new(all.into_iter().collect()).unwrap())
}

fn any_content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::Absent),
        Just(Content::Directory),
        "[ab]".prop_map(|text| symlink(&text)),
        ("[a-h]", any::<bool>(), any_attributes()).prop_map(|(text, executable, attributes)| {
            match file(&text) {
                Content::File { size, hash, .. } => Content::File {
                    size,
                    hash,
                    executable,
                    attributes,
                },
                other @ (Content::Absent | Content::Directory | Content::Symlink { .. }) => other,
            }
        }),
    ]
}

/// Any record at all, lies included.
fn any_entry() -> impl Strategy<Value = Entry> {
    let counters = prop::collection::btree_map(1..4_u8, 1..4_u64, 1..4);
    (counters, 1..4_u8, any_content(), 0..3_i64).prop_map(|(counters, by, content, mtime)| {
        let writes: Vec<(u8, u64)> = counters.into_iter().collect();
        entry("x", by, &writes, content, mtime)
    })
}

/// Any record that is let in: one whose author has written nothing is refused before it is planned.
fn any_honest_entry() -> impl Strategy<Value = Entry> {
    let counters = prop::collection::btree_map(1..4_u8, 1..4_u64, 0..4);
    (counters, 1..4_u8, 1..4_u64, any_content(), 0..3_i64).prop_map(
        |(mut counters, by, writes, content, mtime)| {
            counters.entry(by).or_insert(writes);
            let writes: Vec<(u8, u64)> = counters.into_iter().collect();
            entry("x", by, &writes, content, mtime)
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    /// A person writes on a device.
    Write(usize, Content, i64),
    /// A device hears some others and carries its plan out.
    Hear(usize, Vec<usize>),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3_usize, any_content(), 0..3_i64)
            .prop_map(|(at, content, mtime)| Act::Write(at, content, mtime)),
        (0..3_usize, prop::collection::vec(0..3_usize, 1..3))
            .prop_map(|(at, of)| Act::Hear(at, of)),
    ]
}

/// Three devices and one path, carried out as the plan says, without disks and delays.
#[derive(Default)]
struct Model {
    entries: [Option<Entry>; 3],
    kept: Vec<Content>,
    written: Vec<Content>,
    /// Bytes that a person has replaced who saw them here. The same bytes are the same version,
    /// whoever else has written them too.
    replaced: Vec<Content>,
}

impl Model {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Write(at, content, mtime) => {
                let name = u8::try_from(*at).unwrap() + 1;
                let old = self.entries[*at].take();
                self.replaced
                    .extend(old.as_ref().map(|old| old.content.clone()));
                self.written.push(content.clone());
                let mut version = old.map(|old| old.version).unwrap_or_default();
                let author = version.bump(actor(name));
                let (path, content) = (path("x"), content.clone());
                let mtime = UnixNanos(*mtime);
                self.entries[*at] = Some(Entry {
                    path,
                    version,
                    author,
                    content,
                    mtime,
                    descent: Descent::none(),
                });
            }
            Act::Hear(at, of) => {
                let heard: Vec<Entry> = of
                    .iter()
                    .filter_map(|of| self.entries[*of].clone())
                    .collect();
                let ours = self.entries[*at].clone();
                let Some(judged) = judge(ours.as_ref(), heard.iter()) else {
                    return;
                };
                if judged.fate == Fate::Loses {
                    self.kept.push(ours.unwrap().content);
                }
                let again = judge(Some(&judged.becomes), heard.iter()).unwrap();
                assert_eq!(again.becomes, judged.becomes, "idempotent");
                let reversed = judge(self.entries[*at].as_ref(), heard.iter().rev()).unwrap();
                assert_eq!(
                    reversed.becomes, judged.becomes,
                    "the order of peers does not matter"
                );
                self.entries[*at] = Some(judged.becomes);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_verdict_is_the_same_from_both_sides(left in any_entry(), right in any_entry()) {
        prop_assert_eq!(verdict(&left, &right), verdict(&right, &left).mirrored());
        prop_assert_eq!(verdict(&left, &left), Verdict::Same);
        if left != right {
            prop_assert_ne!(verdict(&left, &right), Verdict::Same);
        }
    }

    #[test]
    fn any_order_of_writes_and_meetings_ends_in_one_entry_and_loses_nothing(
        acts in prop::collection::vec(any_act(), 1..24),
    ) {
        let mut model = Model::default();
        for act in &acts {
            model.act(act);
        }
        for _ in 0..4 {
            for at in 0..3 {
                model.act(&Act::Hear(at, vec![0, 1, 2]));
            }
        }
        let [first, second, third] = &model.entries;
        prop_assert_eq!(first, second);
        prop_assert_eq!(second, third);
        let is_live = |content: &&Content| !model.replaced.iter().any(|old| old.same_bytes(content));
        for content in model.written.iter().filter(is_live) {
            let bytes = matches!(content, Content::File { .. } | Content::Symlink { .. });
            let stands = first.iter().any(|entry| entry.content.same_bytes(content));
            let kept = model.kept.iter().any(|kept| kept.same_bytes(content));
            prop_assert!(!bytes || stands || kept, "{:?} is lost", content);
        }
    }

    #[test]
    fn no_lie_makes_the_planner_panic_or_merge_what_it_does_not_hold(
        ours in prop::option::of(any_entry()),
        theirs in prop::collection::vec(any_entry(), 0..4),
    ) {
        let records: Vec<(u8, Entry)> = (2..).zip(theirs).collect();
        let action = action(need(ours.clone(), &records));
        if let (Action::Step(step), Some(ours)) = (action, ours)
            && matches!(ours.content, Content::File { .. } | Content::Symlink { .. })
        {
            let replaced = records.iter().any(|(_, entry)| {
                matches!(verdict(&ours, entry), Verdict::Theirs | Verdict::NeitherStands)
            });
            let stands = step.step.content.same_bytes(&ours.content);
            prop_assert!(stands || replaced || step.step.keep.is_some());
        }
    }

    #[test]
    fn a_plan_is_the_same_in_whatever_order_paths_and_peers_come(
        pages in prop::collection::vec(
            (
                prop::option::of(any_honest_entry()),
                prop::collection::vec(any_honest_entry(), 1..4),
            ),
            1..4,
        ),
    ) {
        let needs: Vec<Need> = pages
            .into_iter()
            .enumerate()
            .map(|(at, (ours, theirs))| {
                let records: Vec<(u8, Entry)> = (2..).zip(theirs).collect();
                let mut need = need(ours, &records);
                need.path = path(&format!("x{at}"));
                need
            })
            .collect();
        let connected = BTreeSet::from([device(2), device(3)]);
        let there = plan(&needs, &connected, us());
        prop_assert_eq!(&there, &plan(&needs, &connected, us()));
        let mut turned: Vec<Need> = needs.into_iter().rev().collect();
        for need in &mut turned {
            need.theirs.reverse();
        }
        let mut back = plan(&turned, &connected, us());
        back.reverse();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn a_history_is_joined_only_with_our_own_and_with_those_of_the_same_bytes(
        ours in prop::option::of(any_entry()),
        theirs in prop::collection::vec(any_entry(), 1..4),
    ) {
        let records: Vec<(u8, Entry)> = (2..).zip(theirs).collect();
        let becomes = match action(need(ours.clone(), &records)) {
            Action::Adopt { becomes, .. } => becomes,
            Action::Step(step) => step.becomes,
            Action::Settled | Action::Wait(_) => return Ok(()),
        };
        let known = ours.as_ref().map(|ours| ours.version.clone());
        let mut allowed = known.unwrap_or_default();
        for (_, entry) in &records {
            let is_gone = records
                .iter()
                .map(|(_, other)| other)
                .chain(&ours)
                .any(|other| verdict(entry, other) == Verdict::NeitherStands);
            if entry.content.same_bytes(&becomes.content) || is_gone {
                allowed = allowed.merged(&entry.version);
            }
        }
        // Our own writes are ours to count.
        for (by, writes) in becomes.version.iter().filter(|(by, _)| *by != actor(1)) {
            prop_assert!(writes <= allowed.counter(by), "knows {:?} of {:?}", writes, by);
        }
    }
}
