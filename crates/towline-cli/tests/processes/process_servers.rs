//! Signal servers that people choose while a device runs, and one that `towline serve` runs for them.

use serde_json::Value;

use crate::support::watch::is_online;
use crate::support::{Device, Server, World};

/// A device that nobody has told of a server, and that looks for nobody nearby.
fn alone(world: &World, name: &str) -> Device {
    let mut device =
        Device::new(world, name, "").with_options(["--key-file", "--name", name, "--no-mdns"]);
    device.start();
    device
}

#[test]
fn two_devices_are_told_of_the_server_that_towline_serves_and_pair_through_it() {
    let world = World::new("servers");
    let server = Server::start_by_towline(&world);
    let (mut ada, ben) = (alone(&world, "ada"), alone(&world, "ben"));
    let said = ada.says(&["servers"]);
    assert!(said.contains("No signal server is set"), "{said}");
    ada.refused(&["pair"])
        .must_say("no_server", &["towline servers add"]);
    for device in [&ada, &ben] {
        let said = device.says(&["servers", "set", &server.url]);
        assert!(said.starts_with(&server.url), "{said}");
        device.wait("its server", is_online);
    }
    ada.pair(&ben);
    ada.wait_connected(&ben);
    // It holds after the next start, and its peer is not lost by that.
    ada.stop();
    ada.start();
    ada.wait("its server", is_online);
    assert_eq!(own(&ada.view()), [server.url.as_str()]);
    assert_eq!(ada.view()["server"]["set_by"], "person");
    ada.wait_connected(&ben);
    let said = ada.says(&["servers", "remove", &server.url]);
    assert!(said.contains("No signal server is set"), "{said}");
    ada.refused(&["servers", "remove", &server.url])
        .must_say("unknown_server", &["`towline servers` lists them"]);
}

#[test]
fn what_is_no_server_or_not_for_its_person_to_change_is_refused() {
    let world = World::new("serverswrong");
    let mut ada = alone(&world, "ada");
    ada.refused(&[
        "servers",
        "add",
        "https://s3cret-s3cret-s3cret@a.example/ws",
    ])
    .must_say("server_url", &["wss://signal.example.org/ws"]);
    let four = ["a", "b", "c", "d"].map(|host| format!("ws://127.0.0.1:9/{host}"));
    let one: Vec<&str> = ["servers", "set"]
        .into_iter()
        .chain(four.iter().map(String::as_str))
        .collect();
    ada.says(&one);
    assert_eq!(own(&ada.view()).len(), 1, "one host is one server");
    let four = ["servers", "set", "a.test", "b.test", "c.test", "d.test"];
    ada.refused(&four).must_say("servers", &["at most"]);
    ada.says(&["servers", "default"]);
    assert_eq!(ada.view()["server"]["set_by"], "build");
    ada.stop();
    let options = [
        "--key-file",
        "--name",
        "ada",
        "--server",
        "ws://127.0.0.1:9/ws",
    ];
    let mut ada = ada.with_options(options);
    ada.start();
    assert_eq!(ada.view()["server"]["set_by"], "start");
    ada.refused(&["servers", "none"])
        .must_say("servers_fixed", &["--server"]);
    ada.stop();
}

fn own(view: &Value) -> Vec<&str> {
    let own = view["server"]["own"].as_array().expect("a list");
    own.iter().filter_map(Value::as_str).collect()
}
