//! Two devices that cannot reach each other, only the server: everything goes through its relay,
//! until there is a way, and again when that is gone.
//!
//! Three network namespaces: the server's in the middle, one for each device, no route between
//! the two. They are removed at the end, whatever happens.

use std::fs;
use std::process;

use crate::support::server::program;
use crate::support::system::{as_root, is_root, try_as_root};
use crate::support::tree::{grow, settle};
use crate::support::watch::is_online;
use crate::support::{Device, Seed, Server, World};

#[test]
fn devices_without_a_path_sync_through_the_relay_and_move_to_a_path_and_back() {
    let world = World::new("relay");
    let net = Net::new();
    let mut command = net.inside("s");
    command
        .arg(program())
        .args(["--bind", "10.77.0.1:7777"])
        .env_remove("PORT");
    let server = Server::of(command, &world.place("server.log"));
    let device = |name: &str| {
        let words = net.words(name);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Device::new(&world, name, &server.url).behind(&words)
    };
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

fn path(view: &serde_json::Value) -> Option<&str> {
    view["peers"][0]["link"]["path"]["kind"].as_str()
}

/// The three namespaces.
struct Net {
    prefix: String,
}

impl Net {
    fn new() -> Self {
        let net = Self {
            prefix: format!("tl{}", process::id()),
        };
        for part in ["s", "a", "b"] {
            as_root(&["ip", "netns", "add", &net.name(part)]);
            net.ip(part, "link set lo up");
        }
        net.ip("s", "addr add 10.77.0.1/32 dev lo");
        for (part, number) in [("a", 1), ("b", 2)] {
            // Interface names are at most 15 characters long.
            let (inner, outer) = (
                format!("{}{part}", net.prefix),
                format!("{}{part}s", net.prefix),
            );
            let (name, middle) = (net.name(part), net.name("s"));
            as_root(&[
                "ip", "link", "add", &inner, "netns", &name, "type", "veth", "peer", "name",
                &outer, "netns", &middle,
            ]);
            net.ip(part, &format!("addr add 10.77.{number}.2/24 dev {inner}"));
            net.ip("s", &format!("addr add 10.77.{number}.1/24 dev {outer}"));
            net.ip(part, &format!("link set {inner} up"));
            net.ip("s", &format!("link set {outer} up"));
            net.ip(
                part,
                &format!("route add 10.77.0.1/32 via 10.77.{number}.1"),
            );
        }
        net
    }

    /// Lets the middle pass packets on.
    fn open_path(&self) {
        self.forward("1");
        self.ip("a", "route add 10.77.2.0/24 via 10.77.1.1");
        self.ip("b", "route add 10.77.1.0/24 via 10.77.2.1");
    }

    /// Ends that.
    fn close_path(&self) {
        self.forward("0");
    }

    fn forward(&self, value: &str) {
        let name = self.name("s");
        let set = format!("echo {value} > /proc/sys/net/ipv4/ip_forward");
        as_root(&["ip", "netns", "exec", &name, "sh", "-c", &set]);
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    fn ip(&self, part: &str, words: &str) {
        let name = self.name(part);
        let command: Vec<&str> = ["ip", "-n", &name]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        as_root(&command);
    }

    /// The words before a command that runs inside.
    fn words(&self, part: &str) -> Vec<String> {
        let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
        let name = self.name(part);
        let words = sudo.iter().copied().chain(["ip", "netns", "exec", &name]);
        words.map(str::to_owned).collect()
    }

    fn inside(&self, part: &str) -> process::Command {
        let words = self.words(part);
        let mut command = process::Command::new(words.first().map_or("ip", String::as_str));
        command.args(words.iter().skip(1));
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for part in ["a", "b", "s"] {
            try_as_root(&["ip", "netns", "delete", &self.name(part)]);
        }
    }
}
