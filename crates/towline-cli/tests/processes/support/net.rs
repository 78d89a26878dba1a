//! Three network namespaces: one in the middle, and two that reach only that. They are removed at the
//! end, whatever happens.

use std::process;

use super::system::{as_root, is_root, try_as_root};

/// The three namespaces: `s` in the middle with the address 10.77.0.1, `a` and `b`.
#[derive(Debug)]
pub(crate) struct Net {
    prefix: String,
}

impl Net {
    /// Makes them; `letter` tells the tests of one process apart.
    pub(crate) fn new(letter: &str) -> Self {
        let net = Self {
            prefix: format!("tl{letter}{}", process::id()),
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
    pub(crate) fn open_path(&self) {
        self.forward("1");
        self.ip("a", "route add 10.77.2.0/24 via 10.77.1.1");
        self.ip("b", "route add 10.77.1.0/24 via 10.77.2.1");
    }

    /// Ends that.
    pub(crate) fn close_path(&self) {
        self.forward("0");
    }

    /// Makes a host name known in the middle, and nowhere else.
    pub(crate) fn name_in_the_middle(&self, host: &str, address: &str) {
        let place = self.names_of("s");
        as_root(&["mkdir", "-p", &place]);
        let set = format!("echo '{address} {host}' > {place}/hosts");
        as_root(&["sh", "-c", &set]);
    }

    /// Where `ip netns exec` takes files from that stand in for those of /etc.
    fn names_of(&self, part: &str) -> String {
        format!("/etc/netns/{}", self.name(part))
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
    pub(crate) fn words(&self, part: &str) -> Vec<String> {
        let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
        let name = self.name(part);
        let words = sudo.iter().copied().chain(["ip", "netns", "exec", &name]);
        words.map(str::to_owned).collect()
    }

    /// Such a command.
    pub(crate) fn inside(&self, part: &str) -> process::Command {
        let words = self.words(part);
        let mut command = process::Command::new(words.first().map_or("ip", String::as_str));
        command.args(words.iter().skip(1));
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        try_as_root(&["rm", "-rf", &self.names_of("s")]);
        for part in ["a", "b", "s"] {
            try_as_root(&["ip", "netns", "delete", &self.name(part)]);
        }
    }
}
