//! What somebody on the way can tell: whether a device that moves from network to network is known again.

use std::collections::BTreeSet;
use std::fs;

use crate::support::capture::{Capture, Kind};
use crate::support::coturn;
use crate::support::spaces::Spaces;
use crate::support::tree::settle;
use crate::support::watch::path;
use crate::support::{Device, Server, World};

/// Length of each device's file in words of 4 bytes: 32 MB, which is a minute of traffic at the limit.
const FILE_WORDS: u32 = 8_000_000;

/// Networks that each device is on, one after the other.
const NETWORKS: u8 = 3;

/// What the signal server and the TURN server share.
const SECRET: &str = "a secret of two servers";

/// Two hosts with three uplinks each to the middle, which is the Internet.
struct Roads {
    spaces: Spaces,
}

impl Roads {
    fn new() -> Self {
        let mut spaces = Spaces::new(format!("tw{}", std::process::id()));
        spaces.add("m");
        spaces.shell("m", "echo 1 > /proc/sys/net/ipv4/ip_forward");
        spaces.ip("m", "addr add 10.0.0.1/32 dev lo");
        for (number, host) in [(1, "a"), (2, "b")] {
            spaces.add(host);
            for network in 1..=NETWORKS {
                let (here, there) = (format!("e{network}"), format!("{host}{network}"));
                spaces.link((host, &here), ("m", &there));
                spaces.ip(host, &format!("link set {here} down"));
                spaces.ip(
                    "m",
                    &format!("addr add 10.{number}.{network}.1/24 dev {there}"),
                );
            }
        }
        Self { spaces }
    }

    /// Puts a host on one of its networks, and off the one before.
    fn join(&self, host: &str, network: u8) {
        if network > 1 {
            self.leave(host, network - 1);
        }
        self.enter(host, network);
    }

    /// The same without a moment that has no network.
    fn cross(&self, host: &str, network: u8) {
        self.enter(host, network);
        self.leave(host, network - 1);
    }

    fn enter(&self, host: &str, network: u8) {
        let number = number(host);
        self.spaces.ip(host, &format!("link set e{network} up"));
        let address = format!("addr add {} dev e{network}", address(host, network) + "/24");
        self.spaces.ip(host, &address);
        self.spaces.ip(
            host,
            &format!("route replace default via 10.{number}.{network}.1"),
        );
    }

    fn leave(&self, host: &str, network: u8) {
        self.spaces.ip(host, &format!("addr flush dev e{network}"));
        self.spaces.ip(host, &format!("link set e{network} down"));
    }

    fn capture(&self, world: &World, host: &str, network: u8) -> Capture {
        let interface = format!("{host}{network}");
        let file = world.place(&format!("{interface}.pcap"));
        Capture::begin(self.spaces.inside("m"), &interface, file)
    }

    /// Ada and Ben, each on the first of its networks, who are peers.
    fn peers(&self, world: &World, server: &Server) -> (Device, Device) {
        let mut ada = self.device(world, "a", server);
        let mut ben = self.device(world, "b", server);
        for host in ["a", "b"] {
            self.join(host, 1);
        }
        ada.start();
        ben.start();
        ada.pair(&ben);
        (ada, ben)
    }

    fn device(&self, world: &World, host: &str, server: &Server) -> Device {
        let mut device = Device::new(world, host, &server.url).behind(&self.spaces.words(host));
        device.set_environment([("DISABLE_MDNS", "0")]);
        device
    }
}

fn number(host: &str) -> u8 {
    if host == "a" { 1 } else { 2 }
}

fn address(host: &str, network: u8) -> String {
    format!("10.{}.{network}.2", number(host))
}

fn connections(device: &Device) -> usize {
    let log = fs::read_to_string(device.log()).expect("a log");
    log.matches("peer connected").count()
}

#[test]
fn a_device_that_moves_from_network_to_network_is_not_known_again() {
    let world = World::new("wire");
    let roads = Roads::new();
    let server = Server::start_inside(
        &world,
        roads.spaces.inside("m"),
        "10.0.0.1:7777",
        &["--stun-bind", "10.0.0.1:3478"],
    );
    let (ada, ben) = roads.peers(&world, &server);
    for device in [&ada, &ben] {
        device.wait("the direct path", |view| path(view) == Some("lan"));
    }
    let (here, there) = (world.directory("here"), world.directory("there"));
    ada.share(&here, &ben, &there);
    for device in [&ada, &ben] {
        device.call(&["limits", "set", "--receive", "512KiB"]);
    }
    // Nothing of one is in the other: what a device has, it does not fetch.
    for (root, name, words) in [
        (&here, "of ada", 0..FILE_WORDS),
        (&there, "of ben", FILE_WORDS..2 * FILE_WORDS),
    ] {
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        fs::write(root.join(name), bytes).expect("written");
    }
    let before = [connections(&ada), connections(&ben)];
    // One moves and then the other: one of them dials.
    for (moves, stays) in [("a", "b"), ("b", "a")] {
        let at = if moves == "a" { 1 } else { NETWORKS };
        let mut seen = Vec::new();
        for network in 1..=NETWORKS {
            let capture = roads.capture(&world, moves, network);
            if network > 1 {
                roads.join(moves, network);
            }
            let ends = [address(moves, network), address(stays, at)];
            // While all is well there is a probe in five seconds.
            seen.push(capture.end(|capture| {
                [Kind::Short, Kind::Probe]
                    .into_iter()
                    .all(|kind| ends.iter().all(|end| capture.count(kind, end) > 0))
            }));
        }
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            let shared = seen[one].shared_with(&seen[other]);
            assert!(
                shared.is_empty(),
                "{moves} is known again on {} and {}: {shared:#?}",
                one + 1,
                other + 1
            );
        }
    }
    assert_eq!(
        [connections(&ada), connections(&ben)],
        before,
        "the connection stays"
    );
    for device in [&ada, &ben] {
        device.call(&["limits", "set", "--receive", "none"]);
    }
    settle((&ada, &here), (&ben, &there));
}

/// Where nothing passes directly, and a TURN server that the signal server tells of carries everything, over UDP.
#[test]
fn a_device_that_moves_has_another_name_at_the_turn_server() {
    let world = World::new("wire-turn");
    let roads = Roads::new();
    roads.spaces.shell(
        "m",
        "nft add table inet walls; \
         nft 'add chain inet walls forward { type filter hook forward priority 0; }'; \
         nft add rule inet walls forward meta l4proto udp drop",
    );
    let inside = || roads.spaces.inside("m");
    let _coturn = coturn::by_secret(&world, "10.0.0.1", SECRET, inside());
    let server = Server::start_inside(
        &world,
        inside(),
        "10.0.0.1:7777",
        &["--turn", "turn:10.0.0.1:3478", "--turn-secret", SECRET],
    );
    let (ada, _ben) = roads.peers(&world, &server);
    let mut names = Vec::new();
    for network in 1..=NETWORKS {
        let capture = roads.capture(&world, "a", network);
        if network > 1 {
            roads.cross("a", network);
        }
        ada.wait("the way by TURN", |view| path(view) == Some("turn"));
        let here = address("a", network);
        names.push(
            capture
                .end_soon(|capture| !capture.turn_names(&here).is_empty())
                .turn_names(&here),
        );
    }
    let all: BTreeSet<&Vec<u8>> = names.iter().flatten().collect();
    let each: usize = names.iter().map(BTreeSet::len).sum();
    assert_eq!(all.len(), each, "a name is seen in two networks: {names:?}");
}
