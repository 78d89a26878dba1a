//! A local network of its own: hosts on one bridge, in network namespaces that are gone at the end.
//!
//! Where there is a way out, the bridge's namespace is the router: its `uplink` leads to the namespace
//! `world`, which has a public address, and counts what leaves.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::system::{as_root, is_root, root_command, try_as_root};
use super::{Device, World};

/// Networks that this process has made, so that no two have one name.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The public address of the namespace beyond the router.
pub(crate) const WORLD: &str = "203.0.113.9";

/// Hosts on a bridge.
#[derive(Debug)]
pub(crate) struct Lan {
    prefix: String,
    hosts: Vec<String>,
    others: Vec<String>,
}

impl Lan {
    /// A network with these hosts and no way out; their names are one letter each.
    pub(crate) fn of(hosts: &[&str]) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let lan = Self {
            prefix: format!("tn{}x{number}", process::id()),
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            others: vec!["s".to_owned()],
        };
        lan.add("s");
        lan.ip("s", "link add br0 type bridge mcast_snooping 0");
        lan.ip("s", "link set br0 up");
        for (at, host) in hosts.iter().enumerate() {
            lan.add(host);
            // Interface names are at most 15 characters long.
            lan.link((host, "eth0"), ("s", &format!("p{host}")));
            lan.ip("s", &format!("link set p{host} master br0"));
            let number = at + 1;
            lan.ip(host, &format!("addr add 192.168.77.{number}/24 dev eth0"));
        }
        lan
    }

    /// The same with a way out, through a router that translates nothing, to [`WORLD`].
    pub(crate) fn with_uplink(hosts: &[&str]) -> Self {
        let mut lan = Self::of(hosts);
        lan.others.push("w".to_owned());
        lan.add("w");
        lan.link(("s", "uplink"), ("w", "eth0"));
        // What the interfaces say by themselves is not counted.
        for part in ["s", "w"] {
            lan.shell(
                part,
                "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv4/ip_forward",
            );
        }
        lan.ip("s", "addr add 192.168.77.254/24 dev br0");
        lan.ip("s", "addr add 203.0.113.1/24 dev uplink");
        lan.ip("w", &format!("addr add {WORLD}/24 dev eth0"));
        lan.ip("w", "route add 192.168.77.0/24 via 203.0.113.1");
        for host in hosts {
            lan.ip(host, "route add default via 192.168.77.254");
        }
        lan
    }

    /// Packets that have left through the uplink.
    pub(crate) fn left(&self) -> u64 {
        let words = "cat /sys/class/net/uplink/statistics/tx_packets";
        let output = self.command("s", &["sh", "-c", words]).output();
        let output = output.expect("the command is there");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().expect("a number of packets")
    }

    /// A device on a host, which is its name; it is announced and looks for others.
    pub(crate) fn device(&self, world: &World, host: &str, options: &[&str]) -> Device {
        let words = self.words(host);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = ["--key-file", "--name", host].into_iter();
        let mut device = Device::new(world, host, "")
            .with_options(name.chain(options.iter().copied()))
            .behind(&words);
        device.set_environment([("DISABLE_MDNS", "0")]);
        device
    }

    /// A command that runs on a host.
    pub(crate) fn command(&self, host: &str, command: &[&str]) -> process::Command {
        let name = self.name(host);
        let inside: Vec<&str> = ["ip", "netns", "exec", &name]
            .into_iter()
            .chain(command.iter().copied())
            .collect();
        root_command(&inside)
    }

    fn add(&self, part: &str) {
        as_root(&["ip", "netns", "add", &self.name(part)]);
        self.ip(part, "link set lo up");
    }

    fn link(&self, one: (&str, &str), other: (&str, &str)) {
        let names = [self.name(one.0), self.name(other.0)];
        as_root(&[
            "ip", "link", "add", one.1, "netns", &names[0], "type", "veth", "peer", "name",
            other.1, "netns", &names[1],
        ]);
        self.ip(one.0, &format!("link set {} up", one.1));
        self.ip(other.0, &format!("link set {} up", other.1));
    }

    fn shell(&self, part: &str, words: &str) {
        let name = self.name(part);
        as_root(&["ip", "netns", "exec", &name, "sh", "-c", words]);
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

    fn words(&self, part: &str) -> Vec<String> {
        let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
        let name = self.name(part);
        let words = sudo.iter().copied().chain(["ip", "netns", "exec", &name]);
        words.map(str::to_owned).collect()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for part in self.hosts.iter().chain(&self.others) {
            try_as_root(&["ip", "netns", "delete", &self.name(part)]);
        }
    }
}

/// The path of the link with the first peer.
pub(crate) fn path(view: &Value) -> Option<&str> {
    view["peers"][0]["link"]["path"]["kind"].as_str()
}

/// How long after its start a device had its first connection, by its own log, in milliseconds.
pub(crate) fn connected_after_ms(device: &Device) -> u64 {
    let log = fs::read_to_string(device.log()).expect("a log");
    let last = |words: &str| {
        let line = log.lines().rev().find(|line| line.contains(words));
        let line = line.unwrap_or_else(|| panic!("no {words:?} in {log}"));
        milliseconds(line)
    };
    let began = last("device started");
    let connected = log
        .lines()
        .map(|line| (line, line.contains("peer connected")));
    let first = connected
        .filter(|(_, is_it)| *is_it)
        .map(|(line, _)| milliseconds(line))
        .find(|at| *at >= began);
    first.expect("connected after the start") - began
}

/// The time of day at which a line of a log was written.
fn milliseconds(line: &str) -> u64 {
    let plain: String = line.chars().filter(|letter| *letter != '\u{1b}').collect();
    let time = plain.split('T').nth(1).expect("a time");
    let digits = |from: usize, to: usize| -> u64 {
        let part = time.get(from..to).expect("a time");
        part.parse().expect("digits")
    };
    ((digits(0, 2) * 60 + digits(3, 5)) * 60 + digits(6, 8)) * 1000 + digits(9, 12)
}
