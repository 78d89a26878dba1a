//! A file is renamed on one device while it is written to on the other.

use std::fs;

use crate::support::tree::{read, settle, text_of};
use crate::support::watch::{count, is_in_sync};
use crate::support::{Device, Server, World};

#[test]
fn an_edit_under_the_old_name_follows_to_the_new_one() {
    let world = World::new("moves");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    ada.share(&here, &ben, &there);
    fs::create_dir(here.join("letters")).expect("made");
    fs::write(here.join("draft"), "first").expect("written");
    fs::write(here.join("letters/one"), "a letter").expect("written");
    settle((&ada, &here), (&ben, &there));

    ben.stop();
    ada.stop();
    fs::rename(here.join("draft"), here.join("final")).expect("renamed");
    fs::rename(here.join("letters"), here.join("post")).expect("renamed");
    fs::write(there.join("draft"), "edited by ben").expect("written");
    fs::write(there.join("letters/one"), "a letter, edited by ben").expect("written");
    // What was renamed is known before the edits are heard of.
    ada.start();
    ada.wait("a look at everything", is_in_sync);
    ben.start();
    ada.wait_connected(&ben);
    for device in [&ada, &ben] {
        device.wait("the edits under the new names", |view| {
            is_in_sync(view) && count(view, "files") == 2 && count(view, "directories") == 1
        });
    }
    settle((&ada, &here), (&ben, &there));
    for root in [&here, &there] {
        let lying: Vec<String> = read(root)
            .into_iter()
            .map(|(path, lying)| format!("{}: {}", path.display(), text_of(&lying)))
            .collect();
        let files = ["final: edited by ben", "post/one: a letter, edited by ben"];
        for file in files {
            assert!(lying.iter().any(|line| line == file), "{lying:?}");
        }
        assert!(
            !lying.iter().any(|line| line.starts_with("draft")),
            "{lying:?}"
        );
        assert!(
            !lying.iter().any(|line| line.starts_with("letters")),
            "{lying:?}"
        );
    }
}
