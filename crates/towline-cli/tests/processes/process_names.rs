//! A disk that does not see case, refuses characters, keeps whole seconds and no executable bits:
//! exFAT. What it cannot hold is held back and named, and everything else goes on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde_json::Value;

use crate::support::system::ExFat;
use crate::support::watch::folder;
use crate::support::{Device, Server, World};

fn names(root: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(root).expect("it is there");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
    let mut names: BTreeSet<String> = entries.map(|entry| name(entry.expect("read"))).collect();
    names.remove(".towline");
    names
}

fn held(view: &Value) -> BTreeSet<String> {
    let held = folder(view)["held_back"].as_array().expect("a list");
    for one in held {
        assert_eq!(one["reason"], "name", "{one}");
    }
    let path = |one: &Value| one["path"].as_str().expect("a path").to_owned();
    held.iter().map(path).collect()
}

#[test]
fn what_a_disk_cannot_hold_is_held_back_and_all_else_goes_on() {
    let world = World::new("names");
    let _disk = ExFat::mount(&world, &world.place("disk"));
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("disk/there"));
    for directory in ["Letters", "letters", "other"] {
        fs::create_dir(here.join(directory)).expect("made");
    }
    for name in [
        "Readme",
        "README",
        "a:b",
        "plain",
        "run.sh",
        "Letters/1",
        "letters/1",
        "other/1",
    ] {
        fs::write(here.join(name), name).expect("written");
    }
    fs::set_permissions(here.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("set");
    let marks = |name: &str| {
        let lying = fs::metadata(here.join(name)).expect("it is there");
        (lying.mtime(), lying.mtime_nsec(), lying.mode())
    };
    let before: Vec<_> = ["plain", "run.sh"].into_iter().map(marks).collect();
    ada.share(&here, &ben, &there);

    // One of two twins, and nothing with a colon; the other ones are named.
    let told = ben.wait("what is held back", |view| {
        folder(view)["state"]["state"] == "waiting" && held(view).len() == 3
    });
    let told = held(&told);
    assert!(told.contains("a:b"), "{told:?}");
    assert!(
        told.contains("Readme") ^ told.contains("README"),
        "{told:?}"
    );
    assert!(
        told.contains("Letters") ^ told.contains("letters"),
        "{told:?}"
    );
    assert_eq!(
        fs::read_to_string(there.join("plain")).expect("read"),
        "plain"
    );
    assert_eq!(
        fs::read_to_string(there.join("other/1")).expect("read"),
        "other/1"
    );
    assert_eq!(names(&there).len(), 5);

    // Nothing comes back from there: no delete, no coarse time, no lost executable bit.
    let all = names(&here);
    ben.stop();
    ben.start();
    ben.wait_connected(&ada);
    ben.call(&["folder", "rescan", "here"]);
    ben.wait("the look", |view| {
        folder(view)["state"]["state"] == "waiting"
    });
    ada.wait("the end", |view| {
        folder(view)["state"]["state"] == "in_sync"
    });
    assert_eq!(names(&here), all);
    assert_eq!(
        ["plain", "run.sh"]
            .into_iter()
            .map(marks)
            .collect::<Vec<_>>(),
        before
    );

    // When the name is free, the other twin comes.
    let (taken, waits) = if told.contains("README") {
        ("Readme", "README")
    } else {
        ("README", "Readme")
    };
    fs::rename(here.join(taken), here.join("third")).expect("renamed");
    ben.wait("the twin", |_| {
        let names = names(&there);
        names.contains(waits) && names.contains("third") && !names.contains(taken)
    });
    assert_eq!(fs::read_to_string(there.join(waits)).expect("read"), waits);

    // Another case is another name, also when a person gives it there.
    fs::rename(there.join("plain"), there.join("PLAIN")).expect("renamed");
    ada.wait("the new case", |_| {
        here.join("PLAIN").exists() && !here.join("plain").exists()
    });
    assert!(names(&there).contains("PLAIN"));
}
