//! Pages come out as they went in, junk is refused by name, and nothing small grows large.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::limits::{PATH_COMPONENT_BYTES_MAX, VERSION_COUNTER_MAX};

fn actor(number: u8) -> Actor {
    Actor {
        device: DeviceId::from_public_key([number; 32]),
        incarnation: Incarnation(u64::from(number % 2) << 60),
    }
}

fn dot(number: u8, counter: u64) -> Dot {
    Dot {
        actor: actor(number),
        counter,
    }
}

fn entry(path: &str, counters: &[(u8, u64)], author: Dot, content: Content) -> Entry {
    let counters = counters.iter().map(|(name, count)| (actor(*name), *count));
    Entry {
        path: RelPath::parse(path).unwrap(),
        version: VersionVector::try_from(counters.collect::<Vec<_>>()).unwrap(),
        author,
        content,
        mtime: UnixNanos(1_700_000_000_123_456_789),
        descent: Descent::none(),
    }
}

fn file(number: u8) -> Content {
    Content::File {
        size: 4 << 20,
        hash: ContentHash::from_bytes([number; 32]),
        executable: false,
        attributes: Attributes::default(),
    }
}

/// Entries that share much: few actors, few names, few times.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let counter = || prop_oneof![0..3_u64, Just(VERSION_COUNTER_MAX), any::<u64>()];
    let version = prop::collection::btree_map(0..4_u8, 1..=VERSION_COUNTER_MAX, 0..4);
    let author = (0..4_u8, counter()).prop_map(|(name, counter)| dot(name, counter));
    let value = prop::collection::vec(any::<u8>(), 0..3);
    let attributes = prop::collection::btree_map("user\\.[ab]", value, 0..3);
    let content = prop_oneof![
        Just(Content::Absent),
        Just(Content::Directory),
        (any::<u64>(), any::<u8>(), any::<bool>(), attributes).prop_map(
            |(size, hash, executable, attributes)| Content::File {
                size,
                hash: ContentHash::from_bytes([hash; 32]),
                executable,
                attributes: Attributes::new(attributes.into_iter().collect()).unwrap(),
            },
        ),
        "[a-z./ü]{1,9}".prop_map(|target| Content::Symlink {
            target: SymlinkTarget::parse(target).unwrap(),
        }),
    ];
    let time = prop_oneof![0..3_i64, Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    let path = "[abäü]{1,3}(/[abü]{1,2}){0,2}";
    let runs = prop::collection::vec((any::<Index>(), any::<u64>(), any::<u64>()), 0..=RUNS_MAX);
    let one = (path, version, author, content, time, runs);
    let entry = one.prop_map(|(path, counters, author, content, time, runs)| {
        let counters: Vec<(u8, u64)> = counters.into_iter().collect();
        let entry = entry(&path, &counters, author, content);
        let run = |(place, one, other): (Index, u64, u64)| {
            let (name, known) = place.get(&counters);
            let (one, other) = (one % known + 1, other % known + 1);
            Run {
                actor: actor(*name),
                first: one.min(other),
                last: one.max(other),
            }
        };
        let runs = match counters.is_empty() {
            true => Vec::new(),
            false => runs.into_iter().map(run).collect(),
        };
        Entry {
            mtime: UnixNanos(time),
            descent: Descent::of_history(runs, &entry.version).unwrap(),
            ..entry
        }
    });
    // Each once or several times, so that histories are said again.
    prop::collection::vec((entry, 1..4_usize), 0..6).prop_map(|entries| {
        let runs = entries.into_iter().map(|(entry, times)| vec![entry; times]);
        runs.flatten().collect()
    })
}

proptest! {
    #[test]
    fn a_page_comes_out_as_it_went_in_and_no_part_of_it_is_one(
        entries in any_entries(),
        cut in any::<Index>(),
    ) {
        let bytes = pack(&entries);
        prop_assert_eq!(unpack(&bytes), Ok(entries.clone()));
        prop_assert!(unpack(&bytes[..cut.index(bytes.len())]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(unpack(&longer), Err(PageError::LeftOver));
        let full: usize = entries.iter().map(Entry::full_bytes).sum();
        prop_assert!(bytes.len() <= full + 2, "no form is longer than the full one");
    }

    #[test]
    fn what_is_read_from_changed_bytes_is_never_longer_when_it_is_written(
        entries in any_entries(),
        changes in prop::collection::vec((any::<Index>(), prop_oneof![any::<u8>(), 0..6_u8]), 0..6),
        cut in any::<Index>(),
    ) {
        let mut bytes = pack(&entries);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(3) == 0 {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        if let Ok(read) = unpack(&bytes) {
            let again = pack(&read);
            prop_assert!(again.len() <= bytes.len());
            prop_assert_eq!(unpack(&again), Ok(read));
        }
    }

    #[test]
    fn junk_is_refused_or_holds_within_the_limits(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(entries) = unpack(&bytes) {
            prop_assert!(pack(&entries).len() <= bytes.len());
        }
    }
}

#[test]
fn a_moved_directory_costs_little_more_than_its_hashes() {
    let moved = |number: u8| {
        let (old, new) = ("before", "after");
        let name = |top| format!("{top}/{:02}/{number:03}.bin", number % 16);
        let mut gone = entry(&name(old), &[(1, 2)], dot(1, 2), Content::Absent);
        let mut come = entry(&name(new), &[(1, 1)], dot(1, 1), file(number));
        let time = i64::from(number) * 5_123_456;
        gone.mtime.0 += time;
        come.mtime.0 += time;
        [gone, come]
    };
    let mut entries: Vec<Entry> = (0..=255).flat_map(moved).collect();
    entries.sort_by(|left, right| left.path.cmp(&right.path));
    let bytes = pack(&entries).len();
    let full: usize = entries.iter().map(Entry::full_bytes).sum();
    assert!(bytes < 256 * 60, "{bytes} bytes, {full} in full");
}

#[test]
fn a_small_page_cannot_grow_large() {
    let long = vec!["x".repeat(PATH_COMPONENT_BYTES_MAX); 15].join("/");
    let counters: Vec<(u8, u64)> = (0..=255).step_by(2).map(|name| (name, 1)).collect();
    let one = entry(&long, &counters, dot(0, 1), Content::Directory);
    let few = vec![one.clone(); INDEX_PAGE_BYTES_MAX / one.full_bytes()];
    assert_eq!(unpack(&pack(&few)), Ok(few.clone()));
    let more = [&few[..], &[one]].concat();
    assert!(pack(&more).len() < 15_000);
    assert_eq!(unpack(&pack(&more)), Err(PageError::TooLarge));
    let tiny = entry("a", &[(1, 1)], dot(1, 1), Content::Absent);
    let many = vec![tiny.clone(); INDEX_PAGE_ENTRIES_MAX];
    assert_eq!(unpack(&pack(&many)), Ok(many.clone()));
    let more = [&many[..], &[tiny]].concat();
    assert_eq!(unpack(&pack(&more)), Err(PageError::TooManyEntries));
}

#[test]
fn attributes_that_cannot_be_are_refused_and_none_cost_nothing() {
    let name = |bytes: &[u8]| (bytes.to_vec(), vec![7]);
    let plain = pack(&[entry("a", &[(1, 1)], dot(1, 1), file(1))]);
    // The same with attributes: another kind, and the list behind the hash.
    let noted = |list: &[(Vec<u8>, Vec<u8>)]| {
        let mut bytes = plain.clone();
        bytes[1] = Kind::FileBeside as u8;
        bytes.push(list.len() as u8);
        for (name, value) in list {
            for run in [name, value] {
                bytes.push(run.len() as u8);
                bytes.extend(run);
            }
        }
        unpack(&bytes)
    };
    let said = noted(&[name(b"user.a"), name(b"user.b")]).unwrap();
    assert_eq!(said[0].content.attributes().unwrap().iter().count(), 2);
    assert_eq!(noted(&[]), Err(PageError::Lengthy));
    for list in [
        vec![name(b"security.selinux")],
        vec![name(b"user.")],
        vec![name(b"user.a\0")],
        vec![name(b"user.\xff")],
        vec![name(b"user.b"), name(b"user.a")],
        vec![name(b"user.a"), name(b"user.a")],
        vec![name(b"user.a"); ATTRIBUTES_MAX + 1],
    ] {
        assert_eq!(noted(&list), Err(PageError::Attributes), "{list:?}");
    }
}

#[test]
fn what_is_wrong_with_a_page_is_said() {
    let good = pack(&[entry("ab", &[(1, 5)], dot(1, 4), Content::Absent)]);
    // One entry: kind and history, one actor, its key and life, five writes, the author is one write
    // older than the last of them, no descent, the path, the time.
    let key = [[1; 32].as_slice(), &(1_u64 << 60).to_le_bytes()].concat();
    let head = [&[1, 0, 1, 0][..], &key, &[5, 1, 1, 0]].concat();
    let tail = &good[head.len() + 5..];
    assert_eq!(good, [&head[..], &[0, 0, 2, b'a', b'b'], tail].concat());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        unpack(&bytes).unwrap_err()
    };
    let [counter, author, behind, descent] = [4, 3, 2, 1].map(|back| head.len() - back);
    assert_eq!(with(0, 0), PageError::LeftOver);
    assert_eq!(with(0, 2), PageError::CutShort);
    assert_eq!(with(1, 7), PageError::Reference, "a history not said");
    assert_eq!(with(3, 1), PageError::Reference, "an actor not said");
    assert_eq!(with(counter, 0), PageError::History);
    assert_eq!(with(author, 2), PageError::Reference, "beyond the vector");
    assert_eq!(with(behind, 6), PageError::Reference, "before the first");
    assert_eq!(with(descent, 5), PageError::History, "too many runs");
    let descended = |run: [u8; 3]| {
        let bytes = [&head[..descent], &[1], &run, &good[head.len()..]].concat();
        unpack(&bytes).map(|entries| entries[0].descent.count())
    };
    assert_eq!(descended([0, 2, 1]), Ok(2));
    assert_eq!(descended([1, 2, 1]), Err(PageError::Reference));
    assert_eq!(descended([0, 0, 1]), Err(PageError::History));
    assert_eq!(descended([0, 2, 4]), Err(PageError::History), "not known");
    assert_eq!(with(head.len(), 1), PageError::Reference, "a head not said");
    assert_eq!(with(head.len() + 1, 1), PageError::Reference);
    assert_eq!(with(head.len() + 3, 0), PageError::Path);
    assert_eq!(with(head.len() + 3, 0xff), PageError::Path);
    let lengthy = [&head[..44], &[5, 0, 0, 4, 0], &good[head.len()..]].concat();
    assert_eq!(lengthy.len(), good.len() + 1);
    assert_eq!(unpack(&lengthy), Err(PageError::Lengthy));
    let zeros = [&[0x81, 0x00][..], &good[1..]].concat();
    assert_eq!(unpack(&zeros), Err(PageError::Number));
    assert_eq!(unpack(&[0xff; 10]), Err(PageError::Number));
    assert_eq!(unpack(&[]), Err(PageError::CutShort));
    // The second says its path again instead of what it shares with the first.
    let again = [&[2][..], &good[1..], &[0], &good[head.len()..]].concat();
    assert_eq!(unpack(&again), Err(PageError::Lengthy));
}
