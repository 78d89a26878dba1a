//! Two devices that cannot reach each other, only the server: everything goes through its relay,
//! until there is a way, and again when that is gone.
//!
//! Three network namespaces: the server's in the middle, one for each device, no route between
//! the two.

use std::fs;

use crate::support::net::Net;
use crate::support::tree::{grow, settle};
use crate::support::watch::{is_online, path};
use crate::support::{Device, Seed, Server, World};

#[test]
fn devices_without_a_path_sync_through_the_relay_and_move_to_a_path_and_back() {
    let world = World::new("relay");
    let net = Net::new("r");
    let server = Server::start_inside(&world, net.inside("s"), "10.77.0.1:7777", &[]);
    let device = |name: &str| Device::new(&world, name, &server.url).behind(&net.words(name));
    let (mut ada, mut ben) = (device("a"), device("b"));
    ada.start();
    ben.start();
    ada.wait("the server", is_online);
    ada.pair(&ben);
    ada.wait("the relay", |view| path(view) == Some("relayed"));
    ben.wait("the relay", |view| path(view) == Some("relayed"));
    let words = ada.says(&["peers"]);
    assert!(
        words.contains("connected through the signal server (sealed)"),
        "{words}"
    );
    let (here, there) = (world.directory("here"), world.directory("there"));
    let mut seed = Seed::new(12);
    grow(&here, 300, &mut seed);
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    assert_eq!(path(&ben.view()), Some("relayed"));
    // While bytes move, a path appears: the same connection goes over to it.
    fs::write(here.join("large"), seed.bytes(6_000_000)).expect("written");
    net.open_path();
    ada.wait("the direct path", |view| path(view) == Some("lan"));
    ben.wait("the direct path", |view| path(view) == Some("lan"));
    settle((&ada, &here), (&ben, &there));
    fs::write(here.join("larger"), seed.bytes(3_000_000)).expect("written");
    net.close_path();
    ada.wait("the relay again", |view| path(view) == Some("relayed"));
    settle((&ada, &here), (&ben, &there));
    let log = fs::read_to_string(ada.log()).expect("there");
    assert_eq!(
        log.matches("peer connected").count(),
        1,
        "one connection all the time: {log}"
    );
}
