//! Who saves a file at the very moment at which a step takes its place loses nothing.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::super::commit::{SecondName, mark_if_any, replace};
use super::super::handle::{Mark, new_file_mode};
use super::super::versions::Keeper;
use super::*;

/// How often somebody saves.
const SAVES: usize = 4000;

/// Brings `text` to `path`, where `seen` is said to lie.
fn replace_with(place: &TestRoot, path: &RelPath, text: &str, seen: Option<Mark>) -> bool {
    let temporary = place.root.temporary();
    let name = format!("test-{}", place.root.next_number());
    drop(temporary.create_file(&name, new_file_mode(false)).unwrap());
    fs::write(place.at(&format!(".towline/tmp/{name}")), text).unwrap();
    let lying = SecondName {
        directory: place.root.top(),
        name: path.file_name(),
        there: seen,
    };
    let nothing = Keeper::default();
    let is_done = replace(&place.root, &nothing, path, (temporary, &name), &lying).unwrap();
    // What is not there any more was taken by whoever saves.
    let _ = temporary.remove_file(&name);
    is_done
}

fn seen(place: &TestRoot, path: &RelPath) -> Option<Mark> {
    mark_if_any(place.root.top(), path.file_name()).unwrap()
}

/// All that lies in the version store.
fn versions(place: &TestRoot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for day in fs::read_dir(place.at(".towline/versions"))
        .into_iter()
        .flatten()
    {
        for version in fs::read_dir(day.unwrap().path()).unwrap() {
            let version = version.unwrap();
            if version.file_name() != "names" {
                found.insert(fs::read_to_string(version.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn what_was_seen_gives_way_and_nothing_else_does() {
    let place = TestRoot::new();
    let path = rel("f");
    place.write("f", "one");
    let one = seen(&place, &path);
    assert!(replace_with(&place, &path, "two", one));
    assert_eq!(place.read("f"), "two");
    let two = seen(&place, &path);
    // A save by rename, one in place, and something of another kind.
    place.write("aside", "three!");
    fs::rename(place.at("aside"), place.at("f")).unwrap();
    assert!(!replace_with(&place, &path, "four", two));
    assert_eq!(place.read("f"), "three!");
    let three = seen(&place, &path);
    place.write("f", "five, longer");
    assert!(!replace_with(&place, &path, "six", three));
    assert_eq!(place.read("f"), "five, longer");
    let five = seen(&place, &path);
    fs::remove_file(place.at("f")).unwrap();
    assert!(!replace_with(&place, &path, "seven", five));
    assert!(!place.exists("f"));
    place.write("f/g", "inside");
    assert!(!replace_with(&place, &path, "eight", five));
    assert_eq!(place.read("f/g"), "inside");
    assert!(place.litter().is_empty(), "{:?}", place.litter());
}

/// Saves again and again as programs do, by a rename, and returns what has been taken out of its place.
fn save_again_and_again(place: &TestRoot, path: &RelPath) -> BTreeSet<String> {
    let aside = tempfile::tempdir_in(place.directory.path()).unwrap();
    let (new, at) = (aside.path().join("new"), place.at(path.as_str()));
    let mut out = BTreeSet::new();
    for save in 0..SAVES {
        fs::write(&new, format!("save {save}")).unwrap();
        loop {
            let flags = match save % 5 {
                // Nothing lies there for a moment.
                0 => {
                    let moved = renameat_with(
                        CWD,
                        &at,
                        CWD,
                        aside.path().join("old"),
                        RenameFlags::empty(),
                    );
                    if moved.is_ok() {
                        out.insert(fs::read_to_string(aside.path().join("old")).unwrap());
                    }
                    RenameFlags::NOREPLACE
                }
                _ => RenameFlags::EXCHANGE,
            };
            match renameat_with(CWD, &new, CWD, &at, flags).map_err(io::Error::from) {
                Ok(()) if flags == RenameFlags::EXCHANGE => {
                    out.insert(fs::read_to_string(&new).unwrap());
                    break;
                }
                Ok(()) => break,
                // Somebody was faster.
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                    match renameat_with(CWD, &new, CWD, &at, RenameFlags::NOREPLACE) {
                        Ok(()) => break,
                        Err(_) => continue,
                    }
                }
                Err(fault) => panic!("{fault}"),
            }
        }
    }
    out
}

#[test]
fn every_save_is_taken_out_by_its_owner_or_lies_there_or_is_a_version() {
    let place = TestRoot::new();
    let path = rel("f");
    place.write("f", "at first");
    let first = seen(&place, &path);
    let is_over = AtomicBool::new(false);
    let out = thread::scope(|scope| {
        let saver = scope.spawn(|| {
            let out = save_again_and_again(&place, &path);
            is_over.store(true, Ordering::Release);
            out
        });
        let mut ours = 0_u64;
        while !is_over.load(Ordering::Acquire) {
            ours += 1;
            // Of another length than all that was saved: what was seen lies there no more.
            replace_with(
                &place,
                &path,
                &format!("ours, which is longer {ours}"),
                first,
            );
        }
        saver.join().unwrap()
    });
    let versions = versions(&place);
    let lies = fs::read_to_string(place.at("f")).unwrap_or_default();
    let is_lost = |text: &String| *text != lies && !out.contains(text) && !versions.contains(text);
    let lost: Vec<String> = (0..SAVES)
        .map(|save| format!("save {save}"))
        .filter(is_lost)
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(
        !lies.starts_with("ours"),
        "what nobody saw gave way to {lies}"
    );
}

/// Files that are moved away: 100.
const MOVED: u64 = 100;

#[test]
fn a_file_that_is_moved_away_while_a_step_keeps_it_gets_no_second_name() {
    use std::os::unix::fs::MetadataExt;

    let place = TestRoot::new();
    for number in 0..MOVED {
        let (from, to) = (format!("f{number}"), format!("g{number}"));
        place.write(&from, "kept");
        let expected = Expected::Stamped(place.stamp(&from));
        let mut ready = without_bytes(&from, expected, Content::Directory);
        ready.step.keep = Some(rel(&format!("kept/{number}")));
        let outcome = thread::scope(|scope| {
            scope.spawn(|| {
                // Somewhere within the step.
                for _ in 0..number * 1200 {
                    std::hint::spin_loop();
                }
                // Where a directory lies by now, that is what moves; for a moment nothing does.
                let _ = fs::rename(place.at(&from), place.at(&to));
            });
            place.commit_one(ready)
        });
        for name in [&to, &format!("kept/{number}")] {
            let found = fs::symlink_metadata(place.at(name));
            let names = found.map_or(1, |found| if found.is_file() { found.nlink() } else { 1 });
            assert_eq!(names, 1, "{name} after {outcome:?}");
        }
    }
}

/// Directories that are taken away: 150.
const TAKEN: u64 = 150;

#[test]
fn a_file_that_comes_into_a_directory_which_somebody_has_taken_away_has_not_come() {
    let place = TestRoot::new();
    let aside = tempfile::tempdir_in(place.directory.path()).unwrap();
    for number in 0..TAKEN {
        let directory = format!("d{number}");
        place.write(&format!("{directory}/theirs"), "theirs");
        let file = place.file(&format!("{directory}/ours"), Expected::Nothing, "ours");
        let (seen, outcome) = thread::scope(|scope| {
            let somebody = scope.spawn(|| {
                // Somewhere within the step.
                for _ in 0..number * 150 {
                    std::hint::spin_loop();
                }
                let away = aside.path().join(&directory);
                fs::rename(place.at(&directory), &away).unwrap();
                away.join("ours").exists()
            });
            let outcome = place.commit_one(file);
            (somebody.join().unwrap(), outcome)
        });
        // Or in a directory of the same name that was made anew.
        let has_come = seen || place.exists(&format!("{directory}/ours"));
        assert!(!is_done(&outcome) || has_come, "{directory}: {outcome:?}");
    }
}
