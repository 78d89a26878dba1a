//! Disks that are read-only or full.

use std::fs;

use crate::support::device::text;
use crate::support::system::SmallDisk;
use crate::support::tree::settle;
use crate::support::watch::{count, folder};
use crate::support::{Device, Seed, Server, World};

#[test]
fn a_read_only_disk_is_refused_and_keeps_what_is_synced() {
    let world = World::new("readonly");
    let disk = SmallDisk::mount(&world.place("disk"), 4096);
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let here = world.directory("here");
    let there = world.directory("disk/there");
    world.directory("disk/other");
    fs::write(here.join("file"), "one").expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    disk.read_only();
    let add = ben.refused(&["folder", "add", text(&world.place("disk/other"))]);
    add.must_say(
        "root_read_only",
        &["this disk is read-only; name a directory on another"],
    );
    fs::write(here.join("file"), "two").expect("written");
    fs::write(here.join("more"), "more").expect("written");
    ada.wait("the edits", |view| count(view, "files") == 2);
    ben.wait("the refusal", |view| {
        folder(view)["state"]["fault"] == "read_only"
            || folder(view)["held_back"][0]["reason"] == "read_only"
    });
    assert!(ben.says(&["folder", "list"]).contains("disk is read-only"));
    assert_eq!(
        fs::read_to_string(there.join("file")).expect("there"),
        "one"
    );
    disk.resize(4096);
    settle((&ada, &here), (&ben, &there));
}

#[test]
fn a_full_disk_keeps_old_files_and_goes_on_when_there_is_room() {
    let world = World::new("full");
    let disk = SmallDisk::mount(&world.place("disk"), 8 * 1024);
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let here = world.directory("here");
    let there = world.directory("disk/there");
    let mut seed = Seed::new(5);
    let old = seed.bytes(3_000_000);
    fs::write(here.join("large"), &old).expect("written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    fs::write(here.join("large"), seed.bytes(12_000_000)).expect("written");
    fs::write(here.join("small"), "fits").expect("written");
    let view = ben.wait("the file held back", |view| {
        folder(view)["held_back"][0]["reason"] == "disk_full"
    });
    assert_eq!(folder(&view)["held_back"][0]["path"], "large");
    assert_eq!(
        fs::read(there.join("large")).expect("there"),
        old,
        "the old file is whole"
    );
    ben.wait("what fits", |_| there.join("small").exists());
    let words = ben.says(&["folder", "list"]);
    assert!(
        words.contains("held back: large (the disk is full; make room"),
        "{words}"
    );
    disk.resize(64 * 1024);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(folder(&ben.view())["held_back"], serde_json::json!([]));
}
