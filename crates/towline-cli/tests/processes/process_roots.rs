//! Where a folder cannot lie, and what happens when its place goes away.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::device::text;
use crate::support::system::is_root;
use crate::support::tree::{grow, settle};
use crate::support::watch::{count, folder};
use crate::support::{Device, Seed, Server, World};

#[test]
fn places_that_are_no_roots_are_refused_with_what_to_do() {
    let world = World::new("places");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let outer = world.directory("outer");
    let inner = world.directory("outer/inner");
    let file = world.place("file");
    fs::write(&file, "no directory").expect("written");
    let add = |path: &str| ada.refused(&["folder", "add", path]);
    add(text(&world.place("missing"))).must_say("root_missing", &["does not exist; create it"]);
    add(text(&file)).must_say("root_not_directory", &["not a directory"]);
    let id = ada.add(&inner);
    add(text(&outer)).must_say("root_nested", &["lies in a synced folder, or holds one"]);
    add(text(&inner)).must_say("root_nested", &["name another"]);
    ada.call(&["folder", "remove", &id]);
    assert!(inner.exists());
    let outer_id = ada.add(&outer);
    add(text(&inner)).must_say("root_nested", &["name another"]);
    // A peer's files go nowhere either where they must not; and nothing is made there.
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let shared = world.directory("shared");
    let id = ben.add(&shared);
    ben.call(&["folder", "invite", &id, "ada"]);
    ada.wait("the invitation", |view| {
        view["invitations"][0]["folder"] == id.as_str()
    });
    let inside = world.place("outer/new/place");
    let accept = |path: &str| ada.refused(&["folder", "accept", &id, path]);
    accept(text(&inside)).must_say("root_nested", &["name another"]);
    assert!(!world.place("outer/new").exists());
    accept(text(&file)).must_say("root_not_directory", &["not a directory"]);
    accept(text(&file.join("below"))).must_say("root_not_directory", &["not a directory"]);
    let other = world.directory("other");
    let wrong = ada.add(&other);
    ada.call(&["folder", "remove", &wrong]);
    accept(text(&other)).must_say("root_wrong_marker", &[".towline"]);
    let words = ada.words_of(&["folder", "add", text(&file)], None);
    assert!(
        words.starts_with("towline: this is not a directory"),
        "{words}"
    );
    ada.refused(&["folder", "invite", &outer_id, "nobody"])
        .must_say("unknown_peer", &["towline peers"]);
    ada.refused(&["folder", "rescan", "nothing"])
        .must_say("unknown_folder", &["towline folder list"]);
}

#[test]
fn a_root_that_goes_away_pauses_and_deletes_nothing() {
    let world = World::new("away");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there, away) = (
        world.directory("here"),
        world.directory("there"),
        world.place("away"),
    );
    grow(&here, 100, &mut Seed::new(4));
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    fs::rename(&here, &away).expect("renamed");
    ada.wait("the pause", |view| fault(view) == Some("missing"));
    let words = ada.says(&["folder", "list"]);
    assert!(
        words.contains("its directory is gone; bring it back"),
        "{words}"
    );
    // An empty mount point is not the folder either, also over a restart.
    fs::create_dir(&here).expect("made");
    ada.wait("the other pause", |view| {
        fault(view) == Some("wrong_marker")
    });
    ada.stop();
    ada.start();
    ada.wait_connected(&ben);
    ada.wait("the pause again", |view| {
        fault(view) == Some("wrong_marker")
    });
    fs::write(there.join("meanwhile"), "written while it was away").expect("written");
    ben.wait("the new file", |view| count(view, "files") == 101);
    fs::remove_dir(&here).expect("nothing was put there");
    fs::rename(&away, &here).expect("renamed");
    settle((&ada, &here), (&ben, &there));
    assert_eq!(count(&ben.view(), "files"), 101);
    assert!(here.join("meanwhile").exists());
}

#[test]
fn what_cannot_be_read_is_held_back_and_deleted_nowhere() {
    let world = World::new("unreadable");
    let server = Server::start(&world);
    // Root reads everything, so this device is somebody else.
    let mut ada = Device::new(&world, "ada", &server.url);
    let here = world.directory("here");
    if is_root() {
        ada = ada.run_by(NOBODY);
        std::os::unix::fs::chown(&here, Some(NOBODY), Some(NOBODY)).expect("root can give it away");
    }
    ada.start();
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let there = world.directory("there");
    for name in ["open", "closed", "known"] {
        fs::write(here.join(name), name).expect("written");
        if is_root() {
            std::os::unix::fs::chown(here.join(name), Some(NOBODY), Some(NOBODY))
                .expect("given away");
        }
    }
    fs::create_dir(here.join("locked")).expect("made");
    fs::write(here.join("locked/inside"), "inside").expect("written");
    permit(&here.join("closed"), 0o000);
    ada.share(&here, &ben, &there);
    ada.wait("the file held back", |view| {
        held_back(view) == [("closed".to_owned(), "unreadable".to_owned())]
    });
    ben.wait("the others", |view| count(view, "files") == 3);
    assert!(!there.join("closed").exists());
    let words = ada.says(&["folder", "list"]);
    assert!(words.contains("held back: closed (unreadable"), "{words}");
    // A directory that is synced and cannot be read any more is unknown, not deleted.
    permit(&here.join("locked"), 0o000);
    if is_root() {
        std::os::unix::fs::chown(here.join("locked"), Some(0), Some(0)).expect("taken");
    }
    ada.call(&["folder", "rescan", "here"]);
    ada.wait("the directory held back", |view| held_back(view).len() >= 2);
    assert!(there.join("locked/inside").exists());
    permit(&here.join("locked"), 0o755);
    permit(&here.join("closed"), 0o644);
    ada.call(&["folder", "rescan", "here"]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(
        fs::read_to_string(there.join("closed")).expect("it came"),
        "closed"
    );
    assert_eq!(held_back(&ada.view()), []);
}

fn fault(view: &serde_json::Value) -> Option<&str> {
    folder(view)["state"]["fault"].as_str()
}

fn held_back(view: &serde_json::Value) -> Vec<(String, String)> {
    let held = folder(view)["held_back"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let part =
        |one: &serde_json::Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    held.iter()
        .map(|one| (part(one, "path"), part(one, "reason")))
        .collect()
}

fn permit(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The user `nobody`.
const NOBODY: u32 = 65534;
