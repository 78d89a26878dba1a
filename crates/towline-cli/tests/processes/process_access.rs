//! A server that is not for everybody: what a device without a token is told, and one that has one.

use std::fs;
use std::process::Command;

use crate::support::server::program;
use crate::support::watch::is_online;
use crate::support::{Device, Server, World};

#[test]
fn a_device_without_a_token_is_told_what_to_do_and_one_with_it_pairs() {
    let world = World::new("access");
    let output = Command::new(program())
        .args(["new-token", "family"])
        .output()
        .expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let of = |mark: &str| {
        let line = said.lines().find(|line| line.starts_with(mark));
        line.and_then(|line| line.split_once(": "))
            .expect("it is said")
            .1
    };
    let (token, line) = (of("token"), of("line"));
    let file = world.place("tokens");
    fs::write(&file, line).expect("written");
    let path = file.to_str().expect("text");
    let server = Server::start_with(&world, &["--access", "tokens", "--access-file", path]);

    let mut stranger = Device::new(&world, "stranger", &server.url);
    stranger.start();
    stranger.wait("being refused", |view| {
        view["server"]["state"]["fault"] == "no_access"
    });
    stranger.wait_says("wss://TOKEN@HOST/ws");

    let with_token = format!("ws://{token}@{}/ws", server.address());
    let mut ada = Device::new(&world, "ada", &with_token);
    let mut ben = Device::new(&world, "ben", &with_token);
    ada.start();
    ben.start();
    let view = ada.wait("the server", is_online);
    assert!(!view.to_string().contains(token), "shown nowhere");
    ada.pair(&ben);
    for device in [&ada, &ben] {
        let log = fs::read_to_string(device.log()).expect("a log");
        assert!(!log.contains(token), "logged nowhere");
        let status = device.says(&["network"]);
        assert!(!status.contains(token), "{status}");
    }
    // Told to a peer is the address alone.
    let peers = ben.call(&["status"]).to_string();
    assert!(!peers.contains(token), "{peers}");
}
