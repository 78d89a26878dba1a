//! What the doctor says where something is in the way: every cause is a real one.

use std::time::Instant;

use serde_json::Value;

use crate::support::avahi::{Avahi, Stacks};
use crate::support::lan::Lan;
use crate::support::{Device, PATIENCE, Server, World};

#[test]
fn announcements_that_work_are_told_with_how_many_are_there() {
    let world = World::new("doctorlan");
    let lan = Lan::of(&["a", "b"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    let found = found(&ada, "mdns", |found| found["neighbours"] == 1);
    assert_eq!(
        (&found["state"], &found["verdict"]),
        (&"heard".into(), &"fine".into())
    );
    let words = ada.says(&["doctor"]);
    for said in [
        "ok    announcements on the local network (mDNS) work; one other device is heard of",
        "note  no signal server is configured",
        "note  whether the clock is right is not known",
        "towline servers add URL",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
}

#[test]
fn who_keeps_the_port_of_mdns_for_himself_is_found() {
    let world = World::new("doctorport");
    let lan = Lan::of(&["a"]);
    let service = "<?xml version=\"1.0\"?><!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\
                   <service-group><name>one</name><service><type>_towline._udp</type>\
                   <port>4000</port></service></service-group>";
    let services = [("one".to_owned(), service.to_owned())];
    let avahi = Avahi::start(&lan, &world, "a", Stacks::One, &services);
    avahi.browse(&lan, |line| line.contains(";one;"));
    let mut ada = lan.device(&world, "a", &[]);
    ada.start();
    found(&ada, "mdns", |found| found["state"] == "port_taken");
    let words = ada.says(&["doctor"]);
    assert!(
        words.contains("BAD   another program keeps UDP port 5353"),
        "{words}"
    );
    assert!(words.contains("disallow-other-stacks=no"), "{words}");
    drop(avahi);
}

#[test]
fn announcements_that_do_not_come_back_or_are_not_wanted_are_told() {
    let world = World::new("doctormute");
    let lan = Lan::of(&["a", "b"]);
    lan.ip("a", "link set eth0 down");
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ben.set_environment([("DISABLE_MDNS", "1")]);
    ada.start();
    ben.start();
    let off = found(&ben, "mdns", |_| true);
    assert_eq!(
        (&off["state"], &off["verdict"]),
        (&"off".into(), &"fair".into())
    );
    assert!(
        ben.says(&["doctor"])
            .contains("That is what DISABLE_MDNS or --no-mdns says")
    );
    found(&ada, "mdns", |found| found["state"] == "silent");
    let words = ada.says(&["doctor"]);
    assert!(words.contains("let UDP port 5353 in and out"), "{words}");
    // It comes back with the network.
    lan.ip("a", "link set eth0 up");
    found(&ada, "mdns", |found| found["state"] == "heard");
}

#[test]
fn a_server_that_cannot_be_reached_is_told_with_what_to_do() {
    let world = World::new("doctorserver");
    let lan = Lan::of(&["a", "b"]);
    let server = Server::start_inside(&world, lan.command("b", &[]), "192.168.77.2:7777", &[]);
    let mut ada = lan.device(&world, "a", &["--server", &server.url, "--no-port-mapping"]);
    ada.start();
    found(&ada, "server", |found| found["state"] == "online");
    let clock = found(&ada, "clock", |_| true);
    assert_eq!(clock["verdict"], "fine", "{clock}");
    let words = ada.says(&["doctor"]);
    assert!(
        words.contains("the server's administrator sets `--stun-bind`"),
        "{words}"
    );
    assert!(
        words.contains("the router is not asked for a port"),
        "{words}"
    );
    drop(server);
    found(&ada, "server", |found| found["state"] == "unreachable");
    let words = ada.says(&["doctor"]);
    assert!(
        words.contains("check the network and the address"),
        "{words}"
    );
}

/// What the doctor says of one thing, as soon as it is so. Nobody tells when it would say something else, so it
/// is asked again and again.
fn found(device: &Device, check: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    let mut last = Value::Null;
    while began.elapsed() < PATIENCE {
        let all = device.call(&["doctor"]);
        let all = all.as_array().expect("a list");
        let one = all.iter().find(|found| found["check"] == check);
        last = one.unwrap_or_else(|| panic!("nothing of {check}")).clone();
        if is_so(&last) {
            return last;
        }
    }
    panic!("{check}: {last}")
}
