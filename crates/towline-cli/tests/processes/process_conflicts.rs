//! Conflicts between two devices: listed on both, decided on one, gone on both.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::tree::{INBOX, read, settle, text_of};
use crate::support::watch::{count, folder, is_in_sync};
use crate::support::{Device, Server, World};

struct Two {
    _world: World,
    _server: Server,
    ada: Device,
    ben: Device,
    here: PathBuf,
    there: PathBuf,
}

impl Two {
    /// Two devices with a shared folder, in which files of these names are in conflict.
    fn in_conflict(test: &str, names: &[&str]) -> Self {
        let world = World::new(test);
        let server = Server::start(&world);
        let ada = Device::start_new(&world, "ada", &server);
        let mut ben = Device::start_new(&world, "ben", &server);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        ada.share(&here, &ben, &there);
        for name in names {
            write(&here, name, "first");
        }
        settle((&ada, &here), (&ben, &there));
        ben.stop();
        for name in names {
            write(&there, name, "by ben");
            write(&here, name, "written by ada");
        }
        ben.start();
        ada.wait_connected(&ben);
        let two = Self {
            _world: world,
            _server: server,
            ada,
            ben,
            here,
            there,
        };
        two.settle(names.len());
        two
    }

    /// Waits until both agree, with so many conflicts.
    fn settle(&self, conflicts: usize) {
        for device in [&self.ada, &self.ben] {
            device.wait("as many conflicts", |view| {
                is_in_sync(view) && count(view, "conflicts") == conflicts as u64
            });
        }
        settle((&self.ada, &self.here), (&self.ben, &self.there));
    }

    /// What lies in the folder, with what people see of it first.
    fn lying(&self, root: &Path) -> Vec<String> {
        read(root)
            .into_iter()
            .filter(|(path, _)| !path.starts_with(INBOX))
            .map(|(path, lying)| format!("{}: {}", path.display(), text_of(&lying)))
            .collect()
    }
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below the root")).expect("made");
    fs::write(path, text).expect("written");
}

fn listed(device: &Device) -> Vec<Value> {
    let listing = device.call(&["conflicts", "here"]);
    listing["conflicts"].as_array().expect("a list").clone()
}

fn losers(conflict: &Value) -> &Vec<Value> {
    conflict["losers"].as_array().expect("losers")
}

#[test]
fn a_conflict_is_listed_on_both_and_what_one_decides_holds_for_both() {
    let two = Two::in_conflict("decide", &["d/one.txt", "two.txt", "three.txt"]);
    // People's directories hold nothing new, and both see the same of it.
    assert_eq!(two.lying(&two.there).len(), 4);
    for device in [&two.ada, &two.ben] {
        let conflicts = listed(device);
        let paths: Vec<&str> = conflicts
            .iter()
            .filter_map(|one| one["path"].as_str())
            .collect();
        assert_eq!(paths, ["d/one.txt", "three.txt", "two.txt"]);
        for conflict in &conflicts {
            let loser = &losers(conflict)[0];
            let sides = [&conflict["winner"], loser];
            let by = |text: &str| {
                sides
                    .iter()
                    .find(|side| side["size"] == text.len())
                    .map(|side| side["device"].clone())
            };
            assert_eq!(by("by ben"), Some(two.ben.view()["device"]["id"].clone()));
            assert_eq!(
                by("written by ada"),
                Some(two.ada.view()["device"]["id"].clone())
            );
        }
    }
    let winner = text_of(&read(&two.here)[Path::new("d/one.txt")]);
    two.ben
        .call(&["conflicts", "keep", "here", "d/one.txt", "--winner"]);
    two.settle(2);
    assert_eq!(text_of(&read(&two.here)[Path::new("d/one.txt")]), winner);

    let two_txt = &listed(&two.ada)[1];
    assert_eq!(two_txt["path"], "two.txt");
    let name = losers(two_txt)[0]["path"].as_str().expect("a path");
    let loser = text_of(&read(&two.here)[Path::new(name)]);
    let before = text_of(&read(&two.here)[Path::new("two.txt")]);
    two.ada
        .call(&["conflicts", "keep", "here", "two.txt", "--loser", name]);
    two.settle(1);
    assert_eq!(text_of(&read(&two.there)[Path::new("two.txt")]), loser);
    // A wrong choice is taken back.
    two.ada.call(&["restore", "here", "two.txt"]);
    let back =
        |_: &Value| fs::read_to_string(two.there.join("two.txt")).is_ok_and(|text| text == before);
    two.ben.wait("what gave way", back);

    two.ben
        .call(&["conflicts", "keep", "here", "--everything", "--all"]);
    two.settle(0);
    let lying = two.lying(&two.here);
    let third: Vec<&String> = lying
        .iter()
        .filter(|line| line.starts_with("three"))
        .collect();
    assert_eq!(third.len(), 2, "{lying:?}");
    assert!(!two.here.join(INBOX).join("three.txt").exists());
    two.ada
        .refused(&["conflicts", "keep", "here", "three.txt", "--winner"])
        .must_say("unknown_conflict", &["no such conflict"]);
}

#[test]
fn conflicts_are_decided_on_two_devices_that_do_not_see_each_other() {
    let mut two = Two::in_conflict("apart", &["a.txt", "b.txt"]);
    two.ben.stop();
    two.ada
        .call(&["conflicts", "keep", "here", "--everything", "--winner"]);
    two.ada
        .wait("its own decisions", |view| count(view, "conflicts") == 0);
    let kept: Vec<String> = two.lying(&two.here);
    two.ada.stop();
    two.ben.start();
    two.ben
        .call(&["conflicts", "keep", "here", "a.txt", "--winner"]);
    let b = listed(&two.ben)
        .into_iter()
        .find(|one| one["path"] == "b.txt")
        .expect("in conflict");
    let loser = losers(&b)[0]["path"].as_str().expect("a path").to_owned();
    two.ben
        .call(&["conflicts", "keep", "here", "b.txt", "--loser", &loser]);
    two.ben
        .wait("its own decisions", |view| count(view, "conflicts") == 0);
    two.ada.start();
    two.ada.wait_connected(&two.ben);
    two.settle(0);
    // Who wrote something has the last word over who left it as it was.
    let lying = two.lying(&two.here);
    assert_eq!(lying[0], kept[0]);
    assert_ne!(lying[1], kept[1]);
    assert_eq!(folder(&two.ada.view())["files"], 2);
}
