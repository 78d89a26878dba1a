//! What a root must be, and how its loss is seen.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn prepare_leaves_a_marker_that_open_accepts() {
    let place = TestRoot::new();
    assert!(place.exists(".towline/folder"));
    assert_eq!(place.root.check(), Ok(()));
    // Once more is fine.
    assert_eq!(
        Root::prepare(&root_path(place.directory.path()), &[], FOLDER),
        Ok(())
    );
}

#[test]
fn a_missing_place_and_a_file_are_no_roots() {
    let directory = tempfile::tempdir().unwrap();
    let missing = root_path(&directory.path().join("missing"));
    assert_eq!(
        Root::prepare(&missing, &[], FOLDER),
        Err(RootFault::Missing)
    );
    assert_eq!(Root::open(&missing, FOLDER).err(), Some(RootFault::Missing));
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_eq!(
        Root::prepare(&root_path(&file), &[], FOLDER),
        Err(RootFault::NotDirectory)
    );
}

#[cfg(unix)]
#[test]
fn a_missing_place_is_made_but_never_inside_another_root() {
    let place = TestRoot::new();
    let outer = root_path(place.directory.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let far = root_path(&elsewhere.path().join("a/b"));
    assert_eq!(Root::make(&far, std::slice::from_ref(&outer)), Ok(()));
    assert_eq!(Root::prepare(&far, &[], FOLDER), Ok(()));
    assert_eq!(Root::make(&far, &[]), Ok(()), "what is there stays");
    let inside = root_path(&place.at("new/deep"));
    let nested = Err(RootFault::Nested);
    assert_eq!(Root::make(&inside, &[outer]), nested);
    assert!(!place.at("new").exists());
}

#[test]
fn nested_roots_are_refused_in_both_directions_and_through_links() {
    let place = TestRoot::new();
    fs::create_dir_all(place.at("in/ner")).unwrap();
    let outer = root_path(place.directory.path());
    let inner = root_path(&place.at("in/ner"));
    let nested = Err(RootFault::Nested);
    assert_eq!(
        Root::prepare(&inner, std::slice::from_ref(&outer), OTHER_FOLDER),
        nested
    );
    assert_eq!(
        Root::prepare(&outer, std::slice::from_ref(&inner), OTHER_FOLDER),
        nested
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(place.at("in"), &link).unwrap();
    let through = root_path(&link.join("ner"));
    assert_eq!(Root::prepare(&through, &[outer], OTHER_FOLDER), nested);
    let sibling = root_path(&place.at("inn"));
    fs::create_dir(place.at("inn")).unwrap();
    assert_eq!(Root::prepare(&sibling, &[inner], OTHER_FOLDER), Ok(()));
}

#[test]
fn the_marker_of_another_folder_is_refused() {
    let place = TestRoot::new();
    let path = root_path(place.directory.path());
    let wrong = RootFault::WrongMarker;
    assert_eq!(Root::prepare(&path, &[], OTHER_FOLDER), Err(wrong));
    assert_eq!(Root::open(&path, OTHER_FOLDER).err(), Some(wrong));
    fs::write(place.at(".towline/folder"), "junk").unwrap();
    assert_eq!(Root::prepare(&path, &[], FOLDER), Err(wrong));
    assert_eq!(place.root.check(), Err(wrong));
}

#[test]
fn an_empty_directory_in_its_place_is_not_the_folder() {
    let place = TestRoot::new();
    fs::remove_dir_all(place.at(".towline")).unwrap();
    let path = root_path(place.directory.path());
    assert_eq!(
        Root::open(&path, FOLDER).err(),
        Some(RootFault::WrongMarker)
    );
    assert_eq!(place.root.check(), Err(RootFault::WrongMarker));
}

#[test]
fn a_moved_root_is_missing_and_a_replaced_one_is_seen() {
    let place = TestRoot::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    fs::rename(place.directory.path(), &moved).unwrap();
    assert_eq!(place.root.check(), Err(RootFault::Missing));
    fs::create_dir(place.directory.path()).unwrap();
    assert_eq!(place.root.check(), Err(RootFault::WrongMarker));
    fs::remove_dir(place.directory.path()).unwrap();
    fs::rename(&moved, place.directory.path()).unwrap();
    assert_eq!(place.root.check(), Ok(()));
}

#[cfg(unix)]
#[test]
fn a_marker_directory_that_is_a_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), directory.path().join(".towline")).unwrap();
    let prepared = Root::prepare(&root_path(directory.path()), &[], FOLDER);
    assert_eq!(prepared, Err(RootFault::WrongMarker));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}
