//! What a folder promises about files, links, names, renames and conflicts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::support::tree::{Lying, grow, read, settle, text_of};
use crate::support::watch::{count, folder};
use crate::support::{Device, Seed, Server, World};

/// Two connected devices with a folder in common.
struct Two {
    here: PathBuf,
    there: PathBuf,
    ada: Device,
    ben: Device,
    _server: Server,
    world: World,
}

impl Two {
    fn new(test: &str) -> Self {
        let world = World::new(test);
        let server = Server::start(&world);
        let ada = Device::start_new(&world, "ada", &server);
        let ben = Device::start_new(&world, "ben", &server);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        ada.share(&here, &ben, &there);
        Self {
            here,
            there,
            ada,
            ben,
            _server: server,
            world,
        }
    }

    fn settle(&self) {
        settle((&self.ada, &self.here), (&self.ben, &self.there));
    }

    /// Does both while the devices do not see each other.
    fn apart(&mut self, on_ada: impl FnOnce(&Path), on_ben: impl FnOnce(&Path)) {
        self.ada.stop();
        on_ben(&self.there);
        self.ben.call(&["folder", "rescan", "here"]);
        self.ben.wait("its own edits", |view| {
            folder(view)["state"]["state"] == "in_sync"
        });
        self.ben.stop();
        on_ada(&self.here);
        self.ada.start();
        self.ben.start();
        self.ada.wait_connected(&self.ben);
    }
}

#[test]
fn two_edits_leave_both_versions_on_both_devices() {
    let mut two = Two::new("conflict");
    fs::write(two.here.join("text.txt"), "first").expect("written");
    two.settle();
    two.apart(
        |here| fs::write(here.join("text.txt"), "by ada").expect("written"),
        |there| fs::write(there.join("text.txt"), "by ben!").expect("written"),
    );
    two.settle();
    let mut versions: Vec<String> = read(&two.here)
        .into_values()
        .map(|lying| text_of(&lying))
        .collect();
    versions.sort();
    assert_eq!(versions, ["by ada", "by ben!"]);
    assert!(two.here.join("text.txt").exists());
}

#[test]
fn an_edit_stays_when_the_other_side_deletes() {
    let mut two = Two::new("delete");
    fs::create_dir(two.here.join("d")).expect("made");
    for name in ["d/edited", "d/untouched", "edited"] {
        fs::write(two.here.join(name), "first").expect("written");
    }
    two.settle();
    two.apart(
        |here| {
            fs::remove_dir_all(here.join("d")).expect("removed");
            fs::remove_file(here.join("edited")).expect("removed");
        },
        |there| {
            fs::write(there.join("d/edited"), "second").expect("written");
            fs::write(there.join("edited"), "second").expect("written");
        },
    );
    two.settle();
    let names: Vec<PathBuf> = read(&two.here).into_keys().collect();
    assert_eq!(names, ["d", "d/edited", "edited"].map(PathBuf::from));
    assert_eq!(
        fs::read_to_string(two.here.join("d/edited")).expect("there"),
        "second"
    );
}

#[test]
fn renames_and_copies_cost_no_bytes() {
    let two = Two::new("rename");
    grow(&two.here, 250, &mut Seed::new(8));
    two.settle();
    let before = fetched(&two.ben);
    assert!(before > 1_000_000);
    fs::rename(two.here.join("d000"), two.here.join("renamed")).expect("renamed");
    fs::copy(two.here.join("renamed/f00007"), two.here.join("copy")).expect("copied");
    fs::rename(two.there.join("d001/f00050"), two.there.join("moved")).expect("renamed");
    two.settle();
    assert!(two.there.join("renamed/f00007").exists() && two.there.join("copy").exists());
    assert!(!two.there.join("d000").exists() && two.here.join("moved").exists());
    let cost = fetched(&two.ben) - before + fetched(&two.ada);
    assert!(cost < 10_000, "{cost} bytes");
}

#[test]
fn an_inserted_byte_costs_about_a_chunk() {
    let two = Two::new("insert");
    let mut bytes = Seed::new(9).bytes(8_000_000);
    fs::write(two.here.join("large"), &bytes).expect("written");
    two.settle();
    let before = fetched(&two.ben);
    bytes.insert(4_000_000, 7);
    fs::write(two.here.join("large"), &bytes).expect("written");
    two.settle();
    let cost = fetched(&two.ben) - before;
    assert!(cost < 1_000_000, "{cost} bytes");
}

#[test]
fn kinds_modes_times_and_names_arrive_as_they_are() {
    let two = Two::new("kinds");
    let here = &two.here;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::write(here.join("old"), "old").expect("written");
    let file = fs::File::options()
        .write(true)
        .open(here.join("old"))
        .expect("there");
    file.set_modified(long_ago).expect("set");
    fs::write(here.join("script.sh"), "#!/bin/sh\n").expect("written");
    fs::set_permissions(here.join("script.sh"), fs::Permissions::from_mode(0o755)).expect("set");
    fs::create_dir_all(here.join("empty/in/empty")).expect("made");
    fs::write(here.join("nothing"), "").expect("written");
    symlink("old", here.join("link")).expect("linked");
    symlink("/nowhere/at all", here.join("broken")).expect("linked");
    symlink("../../outside", here.join("outward")).expect("linked");
    for name in NAMES {
        fs::write(here.join(name), name).expect("written");
    }
    fs::write(here.join("Readme"), "upper").expect("written");
    fs::write(here.join("readme"), "lower").expect("written");
    two.settle();
    assert_eq!(
        fs::metadata(two.there.join("old"))
            .expect("there")
            .modified()
            .expect("known"),
        long_ago
    );
    assert_eq!(
        fs::read_to_string(two.there.join("readme")).expect("there"),
        "lower"
    );
    // And what changes about them later.
    fs::set_permissions(
        two.there.join("script.sh"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("set");
    fs::remove_file(two.there.join("link")).expect("removed");
    symlink("nothing", two.there.join("link")).expect("linked");
    fs::remove_dir(two.there.join("empty/in/empty")).expect("removed");
    fs::rename(two.there.join("readme"), two.there.join("README")).expect("renamed");
    fs::remove_file(two.there.join("nothing")).expect("removed");
    fs::create_dir(two.there.join("nothing")).expect("made");
    two.settle();
    assert_eq!(
        fs::read_link(here.join("link")).expect("there"),
        Path::new("nothing")
    );
    assert!(!here.join("empty/in/empty").exists() && here.join("nothing").is_dir());
    assert_eq!(
        count(&two.ada.view(), "conflicts") + count(&two.ben.view(), "conflicts"),
        0
    );
}

#[test]
fn a_linked_directory_is_data_and_nobody_goes_through_it() {
    let two = Two::new("linked");
    let outside = two.world.directory("outside");
    fs::write(outside.join("private"), "not shared").expect("written");
    symlink(&outside, two.here.join("way out")).expect("linked");
    fs::create_dir(two.here.join("d")).expect("made");
    fs::write(two.here.join("d/file"), "1").expect("written");
    two.settle();
    assert_eq!(
        read(&two.there).get(Path::new("way out")),
        Some(&Lying::Symlink(outside.clone()))
    );
    assert_eq!(count(&two.ben.view(), "files"), 1);
    // Where Ben has a directory's place taken by a link, Ada's edits below it go nowhere outside.
    fs::rename(two.there.join("d"), two.world.place("taken")).expect("renamed");
    symlink(&outside, two.there.join("d")).expect("linked");
    fs::write(two.here.join("d/file"), "22").expect("written");
    fs::write(two.here.join("d/new"), "3").expect("written");
    two.settle();
    let left: Vec<PathBuf> = read(&outside).into_keys().collect();
    assert_eq!(left, [PathBuf::from("private")]);
    assert_eq!(
        fs::read_to_string(outside.join("private")).expect("there"),
        "not shared"
    );
}

fn fetched(device: &Device) -> u64 {
    folder(&device.view())["transfer"]["fetched_bytes"]
        .as_u64()
        .unwrap_or_default()
}

/// Names that some program somewhere gets wrong; both forms of an accent are two names here.
const NAMES: [&str; 9] = [
    "zażółć gęślą jaźń",
    "日本語のファイル",
    "👩‍👩‍👧 family.txt",
    "caf\u{e9}",
    "cafe\u{301}",
    " space before and after ",
    "new\nline",
    "quote\"'`$(x)",
    "con.txt",
];
