//! A local network of its own: hosts on one bridge, in namespaces.
//!
//! Where there is a way out, the bridge's namespace is the router: its `uplink` leads to the namespace
//! `world`, which has a public address, and counts what leaves.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::spaces::Spaces;
use super::{Device, World};

/// Networks that this process has made, so that no two have one name.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The public address of the namespace beyond the router.
pub(crate) const WORLD: &str = "203.0.113.9";

/// Hosts on a bridge.
#[derive(Debug)]
pub(crate) struct Lan {
    spaces: Spaces,
}

impl Lan {
    /// A network with these hosts and no way out; their names are one letter each.
    pub(crate) fn of(hosts: &[&str]) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let mut spaces = Spaces::new(format!("tn{}x{number}", process::id()));
        spaces.add("s");
        spaces.ip("s", "link add br0 type bridge mcast_snooping 0");
        spaces.ip("s", "link set br0 up");
        for (at, host) in hosts.iter().enumerate() {
            spaces.add(host);
            spaces.link((host, "eth0"), ("s", &format!("p{host}")));
            spaces.ip("s", &format!("link set p{host} master br0"));
            let number = at + 1;
            spaces.ip(host, &format!("addr add 192.168.77.{number}/24 dev eth0"));
        }
        Self { spaces }
    }

    /// The same with a way out, through a router that translates nothing, to [`WORLD`].
    pub(crate) fn with_uplink(hosts: &[&str]) -> Self {
        let mut lan = Self::of(hosts);
        let spaces = &mut lan.spaces;
        spaces.add("w");
        spaces.link(("s", "uplink"), ("w", "eth0"));
        // What the interfaces say by themselves is not counted.
        for part in ["s", "w"] {
            spaces.shell(
                part,
                "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv4/ip_forward",
            );
        }
        spaces.ip("s", "addr add 192.168.77.254/24 dev br0");
        spaces.ip("s", "addr add 203.0.113.1/24 dev uplink");
        spaces.ip("w", &format!("addr add {WORLD}/24 dev eth0"));
        spaces.ip("w", "route add 192.168.77.0/24 via 203.0.113.1");
        // Nor is who asks for whose hardware: both know it for good.
        let ends = [
            ("s", "uplink", "02:00:00:00:00:01", "203.0.113.1"),
            ("w", "eth0", "02:00:00:00:00:09", WORLD),
        ];
        for (part, device, hardware, _) in ends {
            spaces.ip(part, &format!("link set {device} address {hardware}"));
        }
        for ((part, device, ..), (_, _, hardware, address)) in
            [(ends[0], ends[1]), (ends[1], ends[0])]
        {
            let known = format!("{address} lladdr {hardware} dev {device} nud permanent");
            spaces.ip(part, &format!("neigh replace {known}"));
        }
        for host in hosts {
            spaces.ip(host, "route add default via 192.168.77.254");
        }
        lan
    }

    /// Packets that have left through the uplink.
    pub(crate) fn left(&self) -> u64 {
        self.packets("s", "uplink", "tx_packets")
    }

    fn packets(&self, part: &str, device: &str, which: &str) -> u64 {
        let words = format!("cat /sys/class/net/{device}/statistics/{which}");
        let output = self.command(part, &["sh", "-c", &words]).output();
        let output = output.expect("the command is there");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().expect("a number of packets")
    }

    /// A device on a host, which is its name; it is announced and looks for others.
    pub(crate) fn device(&self, world: &World, host: &str, options: &[&str]) -> Device {
        let words = self.spaces.words(host);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = ["--key-file", "--name", host].into_iter();
        let mut device = Device::new(world, host, "")
            .with_options(name.chain(options.iter().copied()))
            .behind(&words);
        device.set_environment([("DISABLE_MDNS", "0")]);
        device
    }

    /// Where the system keeps a host's namespace.
    pub(crate) fn namespace(&self, host: &str) -> String {
        format!("/run/netns/{}", self.spaces.name(host))
    }

    /// Packets that a host has sent.
    pub(crate) fn sent_by(&self, host: &str) -> u64 {
        self.packets(host, "eth0", "tx_packets")
    }

    /// The words before a command that runs on a host.
    pub(crate) fn words(&self, host: &str) -> Vec<String> {
        self.spaces.words(host)
    }

    /// Does `ip` with these words on a host.
    pub(crate) fn ip(&self, host: &str, words: &str) {
        self.spaces.ip(host, words);
    }

    /// A command that runs on a host.
    pub(crate) fn command(&self, host: &str, command: &[&str]) -> process::Command {
        let mut inside = self.spaces.inside(host);
        inside.args(command);
        inside
    }
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
