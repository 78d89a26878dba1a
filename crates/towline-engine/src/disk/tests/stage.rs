//! Temporary files: verified, resumed, cleaned; and local reading.

use std::fs::OpenOptions;
use std::time::Duration;

use super::super::stage::{forget_parts, time_of_day};
use super::super::{StageFault, StagedFile, open_for_serving};
use super::*;

fn shape(text: &[u8]) -> FileShape {
    let hash = ContentHash::from_bytes(*blake3::hash(text).as_bytes());
    FileShape {
        size: text.len() as u64,
        hash,
        executable: false,
        mtime: LONG_AGO,
    }
}

#[test]
fn bytes_may_come_in_any_order() {
    let place = TestRoot::new();
    let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let chunks: Vec<(usize, &[u8])> = text.chunks(7000).enumerate().collect();
    for turn in 0..3 {
        let staged = StagedFile::begin(&place.root, shape(&text)).unwrap();
        let mut order = chunks.clone();
        order.rotate_left(turn * 5);
        for (at, bytes) in order {
            staged.write_at(at as u64 * 7000, bytes).unwrap();
        }
        staged.finish().unwrap();
    }
    assert!(
        place.litter().is_empty(),
        "a dropped file leaves nothing: {:?}",
        place.litter()
    );
}

#[test]
fn a_chunk_written_twice_counts_as_it_lies_there() {
    let place = TestRoot::new();
    let staged = StagedFile::begin(&place.root, shape(b"abcdef")).unwrap();
    staged.write_at(0, b"wrong!").unwrap();
    staged.write_at(0, b"abc").unwrap();
    staged.write_at(3, b"def").unwrap();
    assert!(staged.finish().is_ok());
    let staged = StagedFile::begin(&place.root, shape(b"abcdef")).unwrap();
    staged.write_at(0, b"abcdef").unwrap();
    staged.write_at(0, b"wrong!").unwrap();
    assert_eq!(staged.finish().err(), Some(StageFault::WrongBytes));
}

#[test]
fn wrong_or_missing_bytes_are_refused_and_dropped() {
    let place = TestRoot::new();
    let big = vec![1; 2 * 1024 * 1024];
    let staged = StagedFile::begin(&place.root, shape(&big)).unwrap();
    staged.write_at(0, &big[..big.len() - 1]).unwrap();
    assert_eq!(staged.finish().err(), Some(StageFault::WrongBytes));
    let staged = StagedFile::begin(&place.root, shape(&big)).unwrap();
    assert!(!staged.is_resumed());
    assert_eq!(
        staged.write_at(2 * 1024 * 1024, b"x"),
        Err(StageFault::WrongBytes)
    );
    assert_eq!(staged.write_at(u64::MAX, b"x"), Err(StageFault::WrongBytes));
    drop(staged);
    let short = Staged::whole(&place.root, shape(b"four"), b"fou");
    assert_eq!(short.err(), Some(StageFault::WrongBytes));
}

#[test]
fn a_large_partial_file_is_found_again_after_a_restart() {
    let TestRoot { directory, root } = TestRoot::new();
    let big: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
    let staged = StagedFile::begin(&root, shape(&big)).unwrap();
    staged.write_at(0, &big[..1_000_000]).unwrap();
    drop(staged);
    drop(root);
    let root = Arc::new(Root::open(&root_path(directory.path()), FOLDER).unwrap());
    let staged = StagedFile::begin(&root, shape(&big)).unwrap();
    assert!(staged.is_resumed());
    let mut bytes = vec![0; 1_000_000];
    assert_eq!(staged.read_at(0, &mut bytes), Ok(1_000_000));
    assert_eq!(bytes, big[..1_000_000]);
    // The same content for a second path at the same time has a file of its own.
    let second = StagedFile::begin(&root, shape(&big)).unwrap();
    assert!(!second.is_resumed());
    staged.write_at(1_000_000, &big[1_000_000..]).unwrap();
    assert!(staged.finish().is_ok());
}

#[test]
fn a_large_file_that_was_never_begun_leaves_nothing() {
    let place = TestRoot::new();
    let big = vec![1; 2 * 1024 * 1024];
    drop(StagedFile::begin(&place.root, shape(&big)).unwrap());
    assert!(place.litter().is_empty());
    let staged = StagedFile::begin(&place.root, shape(&big)).unwrap();
    staged.write_at(0, &big[..1000]).unwrap();
    drop(staged);
    assert_eq!(place.litter().len(), 1);
    drop(StagedFile::begin(&place.root, shape(&big)).unwrap());
    assert_eq!(place.litter().len(), 1, "a later run may go on with it");
}

#[test]
fn a_partial_file_that_nobody_goes_on_with_is_gone_after_a_day() {
    let place = TestRoot::new();
    let [left, used] = [b'a', b'b'].map(|byte| vec![byte; 2 << 20]);
    let begun = |bytes: &[u8]| {
        let staged = StagedFile::begin(&place.root, shape(bytes)).unwrap();
        staged.write_at(0, &bytes[..1000]).unwrap();
        staged
    };
    drop(begun(&left));
    let staged = begun(&used);
    let now = time_of_day();
    let parts = || {
        let names = place.litter().into_iter();
        names.filter(|name| name.starts_with("part-")).count()
    };
    forget_parts(&place.root, now).unwrap();
    assert_eq!(parts(), 2, "younger than a day");
    forget_parts(&place.root, now + Duration::from_secs(25 * 3600)).unwrap();
    assert_eq!(parts(), 1, "one is being written");
    staged.write_at(1000, &used[1000..]).unwrap();
    assert!(staged.finish().is_ok());
}

#[test]
fn what_nobody_wants_is_cleaned_at_open() {
    let TestRoot { directory, root } = TestRoot::new();
    let temporary = directory.path().join(".towline/tmp");
    drop(root);
    fs::write(temporary.join("new-0"), "x").unwrap();
    fs::write(temporary.join("part-0123"), "x").unwrap();
    Root::open(&root_path(directory.path()), FOLDER).unwrap();
    assert!(!temporary.join("new-0").exists());
    assert!(temporary.join("part-0123").exists(), "younger than a day");
}

#[test]
fn only_what_has_its_stamp_is_served() {
    let place = TestRoot::new();
    place.write("d/f", "text");
    let stamp = place.stamp("d/f");
    assert!(open_for_serving(&place.root, &rel("d/f"), stamp).is_ok());
    assert!(open_for_serving(&place.root, &rel("d"), place.stamp("d")).is_err());
    assert!(open_for_serving(&place.root, &rel("d/none"), stamp).is_err());
    place.write("d/f", "other");
    assert!(open_for_serving(&place.root, &rel("d/f"), stamp).is_err());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("d", place.at("l")).unwrap();
        assert!(open_for_serving(&place.root, &rel("l/f"), place.stamp("d/f")).is_err());
    }
}

#[test]
fn local_bytes_are_copied_only_while_they_are_the_right_ones() {
    let place = TestRoot::new();
    place.write("from", "text");
    let stamp = place.stamp("from");
    let copied = Staged::copied(&place.root, shape(b"text"), &rel("from"), stamp).unwrap();
    let ready = Ready {
        step: step("to", Expected::Nothing, file_content("text")),
        staged: Some(copied),
    };
    assert!(is_done(&place.commit_one(ready)));
    assert_eq!(place.read("to"), "text");
    let wrong = Staged::copied(&place.root, shape(b"othr"), &rel("from"), stamp);
    assert_eq!(wrong.err(), Some(StageFault::SourceChanged));
    let mut file = OpenOptions::new()
        .append(true)
        .open(place.at("from"))
        .unwrap();
    std::io::Write::write_all(&mut file, b"!").unwrap();
    let changed = Staged::copied(&place.root, shape(b"text"), &rel("from"), stamp);
    assert_eq!(changed.err(), Some(StageFault::SourceChanged));
    assert!(place.litter().is_empty());
}

#[test]
fn a_large_file_that_goes_past_the_cache_is_what_was_written() {
    let place = TestRoot::new();
    // Above the size from which blocks go past the cache, and with an end that is no whole block.
    let text: Vec<u8> = (0..17 * 1024 * 1024 + 5_u32)
        .flat_map(u32::to_le_bytes)
        .collect();
    let staged = StagedFile::begin(&place.root, shape(&text)).unwrap();
    let mut parts: Vec<(usize, &[u8])> = text.chunks(1024 * 1024).enumerate().collect();
    parts.reverse();
    for (at, bytes) in parts {
        staged.write_at(at as u64 * 1024 * 1024, bytes).unwrap();
    }
    // Across blocks, over what lies there: the usual way, and seen by both.
    staged
        .write_at(5_000_001, &text[5_000_001..5_010_000])
        .unwrap();
    staged.finish().unwrap();
}
