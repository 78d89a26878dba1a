//! Devices on one network and no server: they meet, pair, sync and find each other again, and where that
//! is wanted nothing leaves the network. A real avahi shows what others see, and says what others may say.

#![expect(
    clippy::print_stdout,
    reason = "what was measured is shown with --nocapture"
)]

use std::fs;
use std::time::{Duration, Instant};

use crate::support::avahi::{Avahi, Stacks};
use crate::support::etc::Etc;
use crate::support::lan::{Lan, WORLD, connected_after_ms};
use crate::support::running::Running;
use crate::support::tree::{grow, settle};
use crate::support::watch::{is_connected, path};
use crate::support::{Device, PATIENCE, Seed, Server, Watch, World, number};

/// Within this a device is found again, in milliseconds: on a quiet machine it takes some tens, and what a
/// loaded one adds is still below the 5 s after which slower rounds of probes would find it too.
const FOUND_WITHIN_MS: u64 = 3000;

#[test]
fn two_devices_without_a_server_pair_sync_and_find_each_other_again() {
    let world = World::new("nearby");
    let lan = Lan::of(&["a", "b"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    let words = ada.says(&["status"]);
    assert!(words.contains("announced on the local network"), "{words}");
    let began = Instant::now();
    let (shown, typed) = ada.pair(&ben);
    println!("paired in {:?}", began.elapsed());
    assert_eq!(shown, typed);
    ada.wait_connected(&ben);
    assert_eq!(path(&ada.view()), Some("lan"));
    let (here, there) = (world.directory("here"), world.directory("there"));
    grow(&here, 300, &mut Seed::new(31));
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    // Known where it was, and known nowhere: at another port only its announcement leads to it.
    for comes_back in ["at its port", "elsewhere"] {
        ben.stop();
        ada.wait("that Ben is away", |view| !is_connected(view, "b"));
        if comes_back == "elsewhere" {
            fs::remove_file(ben.home.join("port")).expect("it was there");
        }
        ben.start();
        ada.wait_connected(&ben);
        let took = connected_after_ms(&ben);
        println!("back {comes_back}: connected after {took} ms");
        assert!(took <= FOUND_WITHIN_MS, "{comes_back}: {took} ms");
    }
    fs::write(there.join("after all"), "that").expect("written");
    settle((&ada, &here), (&ben, &there));
}

#[test]
fn a_wrong_code_burns_the_code_nearby_as_well() {
    let world = World::new("nearwrong");
    let lan = Lan::of(&["a", "b"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    let (mut pair, code) = ada.show_code();
    let last = if code.ends_with('A') { 'B' } else { 'A' };
    let kept = code.get(..code.len() - 1).expect("codes are ASCII");
    let refused = ben.refused_with(&["join"], Some(&format!("{kept}{last}")));
    refused.must_say("code_invalid", &["make a new one with `towline pair`"]);
    let (status, _) = pair.end(PATIENCE);
    assert_eq!(status.code(), Some(1), "the other side is told as well");
    ben.refused_with(&["join"], Some(&code))
        .must_say("not_nearby", &["same network"]);
    let (shown, typed) = ada.pair(&ben);
    assert_eq!(shown, typed, "a new code works");
}

#[test]
fn a_device_without_a_server_and_without_mdns_says_that_it_cannot_pair() {
    let world = World::new("nearnone");
    let lan = Lan::of(&["a"]);
    let mut ada = lan.device(&world, "a", &["--no-mdns"]);
    ada.start();
    ada.refused(&["pair"])
        .must_say("no_server", &["towline servers add", "--no-mdns"]);
    let words = ada.says(&["status"]);
    assert!(words.contains("not announced"), "{words}");
}

#[test]
fn within_the_local_network_nothing_reaches_the_uplink() {
    let world = World::new("lanonly");
    let lan = Lan::with_uplink(&["a", "b"]);
    let server = Server::start_inside(
        &world,
        lan.command("w", &[]),
        &format!("{WORLD}:7777"),
        &["--stun-bind", &format!("{WORLD}:3478")],
    );
    let with_server = ["--server", server.url.as_str()];
    let mut ada = lan.device(&world, "a", &with_server);
    let mut ben = lan.device(&world, "b", &with_server);
    let mut far = lan.device(&world, "w", &with_server);
    for device in [&mut ada, &mut ben, &mut far] {
        device.start();
    }
    ada.pair(&ben);
    ada.pair(&far);
    ada.wait_connected(&far);
    ada.wait_connected(&ben);
    // Far has the public address, which Ada keeps.
    assert!(lan.left() > 0, "the uplink counts");
    // Far first: where nobody listens for a moment, the system itself would answer what it asks.
    for device in [&mut far, &mut ada, &mut ben] {
        device.stop();
    }
    let within: Vec<&str> = with_server.iter().copied().chain(["--lan-only"]).collect();
    let mut ada = again(&lan, &world, "a", &within);
    let mut ben = again(&lan, &world, "b", &within);
    let before = lan.left();
    for device in [&mut ada, &mut ben] {
        device.start();
    }
    ada.wait_connected(&ben);
    let mut far = again(&lan, &world, "w", &with_server);
    far.start();
    let words = ada.says(&["status"]);
    assert!(words.contains("nothing leaves it"), "{words}");
    assert_eq!(ada.view()["device"]["scope"], "local_network");
    // A code that names the server, and one that nobody nearby shows.
    ben.refused_with(&["join"], Some(&format!("ABC-234@{WORLD}:7777")))
        .must_say("not_nearby", &["same network"]);
    let seconds = number("TOWLINE_LAN_ONLY_SECONDS", 10);
    Watch::new(&ada).look_on(Duration::from_secs(seconds));
    assert!(!is_connected(&ada.view(), "w"));
    assert_eq!(lan.left() - before, 0, "packets on the uplink");
    // The same home without the switch is heard of there again.
    ada.stop();
    let mut ada = again(&lan, &world, "a", &with_server);
    ada.start();
    ada.wait("the link to Far", |view| is_connected(view, "w"));
    assert!(lan.left() > before);
    far.stop();
    // Switched while it runs, it is as if it had been started so, and so it is after its next start.
    let words = ada.says(&["lan-only", "on"]);
    assert!(words.contains("stays within the local network"), "{words}");
    assert_eq!(ada.view()["device"]["scope"], "local_network");
    assert_eq!(ada.view()["device"]["scope_lock"], "open");
    // The system still answers the server while the TCP connections of the life before are closed.
    ada.wait("the end of all connections to the server", |_| {
        let listed = lan.command("w", &["ss", "-Htn"]).output();
        listed.expect("ss is there").stdout.is_empty()
    });
    let before = lan.left();
    far.start();
    ada.wait_connected(&ben);
    Watch::new(&ada).look_on(Duration::from_secs(seconds));
    assert_eq!(lan.left() - before, 0, "packets on the uplink");
    far.stop();
    ada.stop();
    ada.start();
    far.start();
    ada.wait_connected(&ben);
    assert_eq!(ada.call(&["lan-only"])["scope"], "local_network");
    assert_eq!(lan.left() - before, 0, "packets on the uplink");
    let words = ada.says(&["lan-only", "off"]);
    assert!(words.contains("goes wherever"), "{words}");
    ada.wait("the link to Far", |view| is_connected(view, "w"));
    // Whoever is started so is not switched.
    ben.refused(&["lan-only", "off"])
        .must_say("scope_fixed", &["--lan-only"]);
}

/// The device of before with other options.
fn again(lan: &Lan, world: &World, host: &str, options: &[&str]) -> Device {
    lan.device(world, host, options)
}

#[test]
fn avahi_sees_a_device_and_what_avahi_says_does_no_harm() {
    let world = World::new("avahi");
    let lan = Lan::of(&["a", "b", "c"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    ada.pair(&ben);
    ada.wait_connected(&ben);
    let avahi = Avahi::start(&lan, &world, "c", Stacks::Many, &rubbish());
    let seen = avahi.browse(&lan, |line| {
        line.contains("192.168.77.1;") && line.starts_with('=')
    });
    let fields: Vec<&str> = seen.split(';').collect();
    let id = ada.view()["device"]["id"].to_string();
    let name = fields.get(3).expect("a name");
    assert_eq!(name.len(), 16, "{seen}");
    assert!(
        !id.contains(name) && fields.get(9) == Some(&""),
        "neither key nor code: {seen}"
    );
    // While a code waits its slot is said, and the secret half is not.
    let (pair, code) = ada.show_code();
    let (slot, secret) = code.split_once('-').expect("two halves");
    let told = avahi.browse(&lan, |line| line.contains(&format!("\"pair={slot}\"")));
    assert!(!told.contains(secret), "{told}");
    // Somebody else says the same slot: nobody can tell which is meant.
    let claim = [
        "avahi-publish",
        "-s",
        "copy",
        "_towline._udp",
        "4000",
        &format!("pair={slot}"),
    ];
    let mut command = lan.command("c", &claim);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", &avahi.bus);
    let liar = Running::start("avahi-publish", command, &world.place("avahi.log"));
    avahi.browse(&lan, |line| {
        line.starts_with("=") && line.contains(";copy;")
    });
    ben.wait("that two hosts show a code", |_| {
        let words = ben.says(&["doctor"]);
        words.contains("; 2 show a code")
    });
    ben.refused_with(&["join"], Some(&code))
        .must_say("several_nearby", &["make a new one"]);
    liar.kill();
    drop(pair);
    // With 100 services that are none, the two still find each other and go on.
    ben.stop();
    fs::remove_file(ben.home.join("port")).expect("it was there");
    ben.start();
    ada.wait_connected(&ben);
    let status = fs::read_to_string(format!("/proc/{}/status", ada.id())).expect("it runs");
    let resident = status.lines().find(|line| line.starts_with("VmRSS"));
    println!("{resident:?}");
    assert!(ada.is_running() && ben.is_running());
}

/// Services that avahi announces: 100 with long names, more than a device keeps, and some with a port or TXT
/// that nobody means.
fn rubbish() -> Vec<(String, String)> {
    let service = |name: &str, port: u16, records: &str| {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\
             <service-group><name>{name}</name><service><type>_towline._udp</type>\
             <port>{port}</port>{records}</service></service-group>"
        )
    };
    let long = "x".repeat(200);
    let mut all = Vec::new();
    for number in 0..100u16 {
        let name = format!("{number:03}{}", "n".repeat(59));
        all.push((name.clone(), service(&name, 20_000 + number, "")));
    }
    let odd = [
        ("no port", 0, ""),
        ("a code", 4001, "<txt-record>pair=ABC-234</txt-record>"),
        ("no slot", 4002, "<txt-record>pair=</txt-record>"),
        (
            "bytes",
            4003,
            "<txt-record>pair=\u{202e}\u{1f4a9}</txt-record>",
        ),
    ];
    for (name, port, records) in odd {
        all.push((name.to_owned(), service(name, port, records)));
    }
    let records = format!("<txt-record>{long}={long}</txt-record>").repeat(3);
    all.push(("long".to_owned(), service("long", 4004, &records)));
    all
}

#[test]
fn two_devices_that_nothing_introduces_meet_where_a_person_says_that_one_is() {
    let world = World::new("placed");
    let lan = Lan::of(&["a", "b"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    ada.pair(&ben);
    ada.wait_connected(&ben);
    ada.stop();
    ben.stop();
    // Both have moved, and nothing says where to.
    for (host, before, now) in [("a", 1, 11), ("b", 2, 12)] {
        lan.ip(host, &format!("addr del 192.168.77.{before}/24 dev eth0"));
        lan.ip(host, &format!("addr add 192.168.77.{now}/24 dev eth0"));
    }
    fs::remove_file(ada.home.join("port")).expect("it was there");
    let mut ada = lan.device(&world, "a", &["--no-mdns"]);
    let mut ben = lan.device(&world, "b", &["--no-mdns", "--port", "41641"]);
    ada.start();
    ben.start();
    let refused = ada.refused(&["peers", "add-address", "b", "192.168.77.12"]);
    refused.must_say("place", &["nas.example:41641"]);
    // A host that is not the peer does no harm.
    ada.call(&["peers", "add-address", "b", "192.168.77.11:9999"]);
    assert!(!is_connected(&ada.view(), "b"));
    ada.call(&["peers", "add-address", "b", "192.168.77.12:41641"]);
    ada.wait_connected(&ben);
    let said = ada.says(&["peers"]);
    assert!(said.contains("At 192.168.77.12:41641"), "{said}");
    let network = ada.call(&["network"]).to_string();
    assert!(network.contains("\"static\""), "{network}");
    ada.call(&["peers", "remove-address", "b", "192.168.77.12:41641"]);
    let said = ada.says(&["peers"]);
    assert!(!said.contains("At 192.168.77.12:41641"), "{said}");
    let refused = ada.refused(&["peers", "remove-address", "b", "192.168.77.12:41641"]);
    refused.must_say("unknown_place", &["towline peers"]);
}

#[test]
fn two_devices_without_a_server_meet_across_a_router_where_files_say_that_one_is() {
    let world = World::new("placedbyfiles");
    let lan = Lan::with_uplink(&["a"]);
    let server = Server::start_inside(&world, lan.command("w", &[]), &format!("{WORLD}:7777"), &[]);
    let with_server = ["--server", server.url.as_str()];
    let mut ada = lan.device(&world, "a", &with_server);
    let mut far = lan.device(&world, "w", &with_server);
    ada.start();
    far.start();
    ada.pair(&far);
    ada.wait_connected(&far);
    let id = far.view()["device"]["id"].clone();
    server.kill();
    for (device, port) in [(&mut ada, None), (&mut far, Some("41641"))] {
        device.stop();
        fs::remove_file(device.home.join("port")).expect("it was there");
        let fixed = port.map(|port| ["--port", port]);
        let options: Vec<&str> = fixed.into_iter().flatten().chain(["--no-mdns"]).collect();
        let name = device.name.clone();
        *device = again(&lan, &world, &name, &options);
    }
    far.start();
    ada.start();
    // Each of both knows only where the other was.
    Watch::new(&ada).look_on(Duration::from_secs(2));
    assert!(!is_connected(&ada.view(), "w"));
    ada.stop();
    let places = |at: &str| format!("[places]\n{} = [{at:?}]\n", id.as_str().expect("an id"));
    let file = ada.home.join("config.toml");
    fs::write(&file, places(&format!("{WORLD}:41641"))).expect("written");
    ada.start();
    ada.wait_connected(&far);
    let network = ada.call(&["network"]).to_string();
    assert!(network.contains("\"static\""), "{network}");
    // What the administrator says holds, and the file is not asked.
    ada.stop();
    fs::remove_file(ada.home.join("port")).expect("it was there");
    fs::write(&file, places(&format!("{WORLD}:9"))).expect("written");
    let etc = Etc::copy(&world);
    etc.write("towline/policy.toml", &places(&format!("{WORLD}:41642")));
    far.stop();
    let mut far = again(&lan, &world, "w", &["--port", "41642", "--no-mdns"]);
    far.start();
    let words = [lan.words("a"), etc.words()].concat();
    let mut ada = again(&lan, &world, "a", &["--no-mdns"]).behind(&words);
    ada.start();
    ada.wait_connected(&far);
    ada.stop();
    fs::write(&file, places("224.0.0.1:41641")).expect("written");
    ada.start_refused()
        .must_say("settings", &["line 2 of", "config.toml"]);
}

#[test]
fn within_the_local_network_a_name_of_it_leads_to_a_peer_and_no_other_name_is_asked_for() {
    let world = World::new("placedbyname");
    let lan = Lan::with_uplink(&["a", "b", "c"]);
    let (mut ada, mut ben) = (lan.device(&world, "a", &[]), lan.device(&world, "b", &[]));
    ada.start();
    ben.start();
    ada.pair(&ben);
    ada.wait_connected(&ben);
    for device in [&mut ada, &mut ben] {
        device.stop();
        fs::remove_file(device.home.join("port")).expect("it was there");
    }
    for (host, before, now) in [("a", 1, 11), ("b", 2, 12)] {
        lan.ip(host, &format!("addr del 192.168.77.{before}/24 dev eth0"));
        lan.ip(host, &format!("addr add 192.168.77.{now}/24 dev eth0"));
        lan.ip(host, "route replace default via 192.168.77.254");
    }
    // Who answers for other names is beyond the uplink.
    let etc = Etc::copy(&world);
    etc.write("resolv.conf", &format!("nameserver {WORLD}\n"));
    let inside = |options: &[&str]| {
        let words = [lan.words("a"), etc.words()].concat();
        lan.device(&world, "a", options).behind(&words)
    };
    // Ben is not announced: only his computer's name leads to him.
    let mut ben = again(&lan, &world, "b", &["--no-mdns", "--port", "41641"]);
    let mut ada = inside(&["--lan-only"]);
    let before = lan.left();
    ada.start();
    ben.start();
    ada.call(&["peers", "add-address", "b", "nas.example:41641"]);
    ada.call(&["peers", "add-address", "b", "nas.local:41641"]);
    assert!(!is_connected(&ada.view(), "b"));
    let avahi = Avahi::start(&lan, &world, "c", Stacks::Many, &[]);
    avahi.browse(&lan, |line| line.contains("192.168.77.11;"));
    let says = ["avahi-publish", "-a", "nas.local", "192.168.77.12"];
    let mut command = lan.command("c", &says);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", &avahi.bus);
    let _publisher = Running::start("avahi-publish", command, &world.place("avahi.log"));
    let began = Instant::now();
    ada.wait_connected(&ben);
    println!("by a name of the local network after {:?}", began.elapsed());
    assert_eq!(path(&ada.view()), Some("lan"));
    assert_eq!(lan.left() - before, 0, "packets on the uplink");
    // Without the switch the other name is asked for, which the uplink shows.
    ada.stop();
    ben.stop();
    let mut ada = inside(&[]);
    ada.start();
    ada.wait("a question on the uplink", |_| lan.left() > before);
}
