//! What a folder ignores stays where it is, on every device, and all else goes on.

use std::fs;

use crate::support::device::text;
use crate::support::tree::settle;
use crate::support::watch::folder;
use crate::support::{Device, Server, World};

#[test]
fn rules_travel_take_effect_at_once_and_delete_nothing() {
    let world = World::new("rules");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    fs::create_dir(here.join("build")).expect("made");
    for name in ["letter.txt", "draft.tmp", "build/object.o"] {
        fs::write(here.join(name), name).expect("written");
    }
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));

    // Somebody shares rules by hand; both sides follow them.
    let shared = world.directory("texts").join("shared");
    fs::write(&shared, "*.tmp\nbuild/\n[\n").expect("written");
    let would = ada.call(&["rules", "test", "here", "--shared", text(&shared)]);
    assert_eq!(would["count"], 2);
    assert_eq!(would["paths"], serde_json::json!(["build", "draft.tmp"]));
    assert_eq!(would["bad_lines"], serde_json::json!([["shared", 3]]));
    ada.call(&["rules", "set", "here", "--shared", text(&shared)]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(ben.call(&["rules", "here"])["shared"], "*.tmp\nbuild/\n[\n");

    // What is ignored moves in neither direction, and nothing is deleted.
    fs::write(here.join("draft.tmp"), "changed here").expect("written");
    fs::remove_file(there.join("build/object.o")).expect("removed");
    fs::write(there.join("new.tmp"), "there only").expect("written");
    fs::write(there.join("letter.txt"), "changed there").expect("written");
    ada.wait("the letter", |_| {
        fs::read(here.join("letter.txt")).is_ok_and(|bytes| bytes == b"changed there")
    });
    for (device, name) in [(&ada, "ada"), (&ben, "ben")] {
        device.call(&["folder", "rescan", "here"]);
        device.wait(name, |view| folder(view)["state"]["state"] == "in_sync");
    }
    assert!(!here.join("new.tmp").exists());
    assert!(here.join("build/object.o").exists());
    assert_eq!(
        fs::read(there.join("draft.tmp")).expect("read"),
        b"draft.tmp"
    );

    // A directory that goes elsewhere stays with what is ignored in it, and says so.
    fs::create_dir(there.join("notes")).expect("made");
    fs::write(there.join("notes/a.txt"), "a").expect("written");
    ada.wait("the notes", |_| here.join("notes/a.txt").exists());
    fs::write(here.join("notes/own.tmp"), "own").expect("written");
    fs::remove_dir_all(there.join("notes")).expect("removed");
    ada.wait("the reason", |view| {
        let held = &folder(view)["held_back"][0];
        held["path"] == "notes" && held["reason"] == "ignored"
    });
    assert!(here.join("notes/own.tmp").exists() && !here.join("notes/a.txt").exists());
    fs::remove_file(here.join("notes/own.tmp")).expect("removed");
    ada.wait("the notes gone", |_| !here.join("notes").exists());

    // Rules of this device alone re-include, also over a restart; then what was deleted while it was
    // ignored comes back, and the rest is as it was changed.
    let local = world.directory("texts").join("local");
    fs::write(&local, "!*.tmp\n!build/\n").expect("written");
    ada.stop();
    ada.start();
    ada.wait_connected(&ben);
    ada.call(&["rules", "set", "here", "--local", text(&local)]);
    ben.call(&["rules", "set", "here", "--local", text(&local)]);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(
        fs::read(there.join("draft.tmp")).expect("read"),
        b"changed here"
    );
    assert_eq!(
        fs::read(there.join("build/object.o")).expect("read"),
        b"build/object.o"
    );
    assert_eq!(fs::read(here.join("new.tmp")).expect("read"), b"there only");
}
