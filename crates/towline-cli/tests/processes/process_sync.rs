//! Folders among devices that stay up.

use std::fs;

use crate::support::tree::{grow, settle, settle_all, temporary_files};
use crate::support::watch::{count, folder, is_in_sync};
use crate::support::{Device, Seed, Server, World};

#[test]
fn five_thousand_files_arrive() {
    let world = World::new("files");
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    grow(&here, 5000, &mut Seed::new(1));
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(count(&ben.view(), "files"), 5000);
    assert_eq!(temporary_files(&there), Vec::<String>::new());
}

#[test]
fn three_devices_share_one_folder() {
    let world = World::new("three");
    let server = Server::start(&world);
    let [mut ada, ben, cay] =
        ["ada", "ben", "cay"].map(|name| Device::start_new(&world, name, &server));
    ada.pair(&ben);
    ada.pair(&cay);
    ben.pair(&cay);
    let roots = ["a", "b", "c"].map(|name| world.directory(name));
    grow(&roots[0], 100, &mut Seed::new(2));
    let id = ada.share(&roots[0], &ben, &roots[1]);
    ada.invite(&id, &cay, &roots[2]);
    settle_all(&[(&ada, &roots[0]), (&ben, &roots[1]), (&cay, &roots[2])]);
    // Ben and Cay share it with each other too, so that it goes on without Ada.
    ben.call(&["folder", "invite", &id, "cay"]);
    cay.call(&["folder", "invite", &id, "ben"]);
    ada.stop();
    fs::write(roots[1].join("while ada is away"), "one").expect("written");
    fs::remove_file(roots[2].join("d000/f00001")).expect("removed");
    settle_all(&[(&ben, &roots[1]), (&cay, &roots[2])]);
    ada.start();
    settle_all(&[(&ada, &roots[0]), (&ben, &roots[1]), (&cay, &roots[2])]);
    assert!(!roots[0].join("d000/f00001").exists());
    assert!(roots[0].join("while ada is away").exists());
}

#[test]
fn after_the_last_change_nothing_moves() {
    let world = World::new("quiet");
    let server = Server::start(&world);
    let mut ada = Device::start_new(&world, "ada", &server);
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.place("there"));
    grow(&here, 200, &mut Seed::new(3));
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    let before = folder(&ben.view())["transfer"].clone();
    ada.stop();
    ada.start();
    ada.wait_connected(&ben);
    ada.wait("being in sync", is_in_sync);
    ada.call(&["folder", "rescan", "here"]);
    settle((&ada, &here), (&ben, &there));
    let view = ada.view();
    assert_eq!(count(&view, "conflicts"), 0);
    assert_eq!(
        folder(&view)["transfer"]["fetched_bytes"],
        0,
        "a restart fetches nothing"
    );
    assert_eq!(
        folder(&ben.view())["transfer"]["fetched_bytes"],
        before["fetched_bytes"]
    );
}
