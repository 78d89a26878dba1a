//! A computer that was copied: two with one key are noticed, told and paused, and each goes on with a
//! key of its own; what is only restarted is not taken for two.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::device::Dialer;
use crate::support::tree::{Lying, grow, read, settle, settle_all};
use crate::support::watch::is_connected;
use crate::support::{Device, Seed, Server, Watch, World};

/// Two devices that share a folder, and a copy of the first one's computer.
struct Copied {
    here: PathBuf,
    there: PathBuf,
    copy: PathBuf,
    ada: Device,
    ben: Device,
    twin: Device,
    _server: Server,
    _world: World,
}

impl Copied {
    /// The copied one dials. Who is dialled is met when its peer chooses another path, which is nothing to
    /// wait for on one machine, where each device has the same addresses.
    fn new(test: &str) -> Self {
        let world = World::new(test);
        let server = Server::start(&world);
        let (mut ada, ben) = Device::two(&world, &server, Dialer::First);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        grow(&here, 50, &mut Seed::new(1));
        ada.share(&here, &ben, &there);
        settle((&ada, &here), (&ben, &there));
        ada.stop();
        let mut twin = Device::new(&world, "twin", &server.url);
        twin.home = world.place("twin.home");
        copy_tree(&ada.home, &twin.home);
        let copy = world.place("copy");
        copy_tree(&here, &copy);
        // On another computer the folder would lie at the same place.
        move_root(&twin.home.join("towline.db"), &here, &copy);
        ada.start();
        ada.wait_connected(&ben);
        Self {
            here,
            there,
            copy,
            ada,
            ben,
            twin,
            _server: server,
            _world: world,
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success());
}

/// Puts another path of the same length into a database.
fn move_root(database: &Path, from: &Path, to: &Path) {
    let bytes = |path: &Path| path.to_str().expect("text").as_bytes().to_vec();
    let (from, to) = (bytes(from), bytes(to));
    assert_eq!(from.len(), to.len());
    let mut text = fs::read(database).expect("there");
    let places: Vec<usize> = text
        .windows(from.len())
        .enumerate()
        .filter_map(|(place, window)| (window == from).then_some(place))
        .collect();
    assert!(!places.is_empty(), "the root is in the index");
    for place in places {
        text[place..place + to.len()].copy_from_slice(&to);
    }
    fs::write(database, text).expect("written");
}

fn is_doubled(device: &Value) -> bool {
    device["identity"] == "doubled"
}

fn sees_doubled(view: &Value) -> bool {
    let peers = view["peers"].as_array().expect("peers");
    peers.iter().any(is_doubled)
}

/// Every text that lies in a tree, also as a conflict.
fn texts(root: &Path) -> BTreeSet<Vec<u8>> {
    let lying = read(root).into_values();
    lying
        .filter_map(|lying| match lying {
            Lying::File { bytes, .. } => Some(bytes),
            Lying::Directory | Lying::Symlink(_) => None,
        })
        .collect()
}

#[test]
fn two_computers_with_one_key_are_told_and_paused_and_go_on_with_a_key_each() {
    let mut all = Copied::new("twins");
    all.twin.start();
    // Both write in the name of one device.
    for (root, who) in [(&all.here, "ada"), (&all.copy, "twin")] {
        fs::write(root.join("both"), format!("both by {who}")).expect("written");
        fs::write(root.join("d000/f00001"), format!("edit by {who}")).expect("written");
        fs::write(root.join(who), format!("only by {who}")).expect("written");
    }
    all.ben.wait("two with one key", sees_doubled);
    for twin in [&all.ada, &all.twin] {
        twin.wait("its twin", |view| is_doubled(&view["device"]));
        twin.wait_says("another computer uses this device's identity");
    }
    all.ben.wait_says("two computers use this identity");
    // Nothing comes and nothing goes now.
    fs::write(all.there.join("meanwhile"), "by ben").expect("written");
    fs::write(all.here.join("more"), "more by ada").expect("written");
    Watch::new(&all.ben).look_on(Duration::from_secs(5));
    assert!(!all.here.join("meanwhile").exists() && !all.copy.join("meanwhile").exists());
    assert!(!all.there.join("more").exists() && !all.copy.join("more").exists());

    all.twin.refused(&["identity", "new"]).must_say(
        "locked",
        &["another Towline runs on this home", "end that one first"],
    );
    all.twin.stop();
    let renewed = all.twin.call(&["identity", "new"]);
    all.ada.stop();
    all.ada.start();
    all.twin.start();
    let view = all.twin.view();
    assert_eq!(view["device"]["id"], renewed["id"]);
    assert_ne!(view["device"]["id"], all.ada.view()["device"]["id"]);
    assert_eq!(view["peers"].as_array().map(Vec::len), Some(0));
    all.ben.wait("one again", |view| {
        is_connected(view, &all.ada.name) && !sees_doubled(view)
    });
    settle((&all.ada, &all.here), (&all.ben, &all.there));

    all.twin.pair(&all.ben);
    let id = renewed["id"].as_str().expect("an id");
    all.ben.call(&["peers", "rename", id, "twin"]);
    let folder = all.ben.view()["folders"][0]["id"].clone();
    let folder = folder.as_str().expect("an id");
    all.ben.invite(folder, &all.twin, &all.copy);
    let settled = [
        (&all.ada, all.here.as_path()),
        (&all.ben, all.there.as_path()),
        (&all.twin, all.copy.as_path()),
    ];
    settle_all(&settled);
    let texts = texts(&all.there);
    for text in [
        "both by ada",
        "both by twin",
        "edit by ada",
        "edit by twin",
        "only by ada",
        "only by twin",
        "by ben",
        "more by ada",
    ] {
        assert!(texts.contains(text.as_bytes()), "{text} is lost");
    }
    for device in [&all.ada, &all.ben, &all.twin] {
        let view = device.view();
        assert!(!is_doubled(&view["device"]) && !sees_doubled(&view));
    }
}

#[test]
fn a_home_without_a_device_gets_no_identity() {
    let world = World::new("nobody");
    let nobody = Device::new(&world, "nobody", "");
    nobody
        .refused(&["identity", "new"])
        .must_say("no_device", &["no Towline device lives in"]);
    assert!(!nobody.home.exists());
}

#[test]
fn restarts_lingering_connections_and_a_restored_home_are_one_device() {
    for dialer in [Dialer::First, Dialer::Second] {
        let world = World::new("one");
        let server = Server::start(&world);
        let (mut ada, ben) = Device::two(&world, &server, dialer);
        ada.pair(&ben);
        let (here, there) = (world.directory("here"), world.directory("there"));
        fs::write(here.join("file"), "one").expect("written");
        ada.share(&here, &ben, &there);
        settle((&ada, &here), (&ben, &there));
        ada.stop();
        let backup = world.place("backup");
        copy_tree(&ada.home, &backup);
        let watch = Watch::new(&ben);
        for round in 0..4 {
            ada.start();
            watch.until("the link", |view| {
                assert!(!sees_doubled(view), "round {round}");
                is_connected(view, &ada.name)
            });
            // Its connection lingers.
            ada.kill();
        }
        fs::remove_dir_all(&ada.home).expect("removed");
        copy_tree(&backup, &ada.home);
        ada.start();
        watch.until("the link", |view| {
            assert!(!sees_doubled(view));
            is_connected(view, &ada.name)
        });
        fs::write(here.join("file"), "two").expect("written");
        settle((&ada, &here), (&ben, &there));
        assert!(!sees_doubled(&ben.view()) && !is_doubled(&ada.view()["device"]));
    }
}
