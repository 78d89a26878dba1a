//! Three network namespaces: one in the middle, and two that reach only that.

use std::process;

use super::spaces::Spaces;
use super::system::{as_root, try_as_root};

/// The three namespaces: `s` in the middle with the address 10.77.0.1, `a` and `b`.
#[derive(Debug)]
pub(crate) struct Net {
    spaces: Spaces,
}

impl Net {
    /// Makes them; `letter` tells the tests of one process apart.
    pub(crate) fn new(letter: &str) -> Self {
        let mut spaces = Spaces::new(format!("tl{letter}{}", process::id()));
        spaces.add("s");
        spaces.ip("s", "addr add 10.77.0.1/32 dev lo");
        for (part, number) in [("a", 1), ("b", 2)] {
            spaces.add(part);
            let port = format!("to-{part}");
            spaces.link((part, "eth0"), ("s", &port));
            spaces.ip(part, &format!("addr add 10.77.{number}.2/24 dev eth0"));
            spaces.ip("s", &format!("addr add 10.77.{number}.1/24 dev {port}"));
            let route = format!("route add 10.77.0.1/32 via 10.77.{number}.1");
            spaces.ip(part, &route);
        }
        Self { spaces }
    }

    /// Lets the middle pass packets on.
    pub(crate) fn open_path(&self) {
        self.forward("1");
        self.spaces.ip("a", "route add 10.77.2.0/24 via 10.77.1.1");
        self.spaces.ip("b", "route add 10.77.1.0/24 via 10.77.2.1");
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
        format!("/etc/netns/{}", self.spaces.name(part))
    }

    fn forward(&self, value: &str) {
        let line = format!("echo {value} > /proc/sys/net/ipv4/ip_forward");
        self.spaces.shell("s", &line);
    }

    /// The words before a command that runs inside.
    pub(crate) fn words(&self, part: &str) -> Vec<String> {
        self.spaces.words(part)
    }

    /// The beginning of such a command.
    pub(crate) fn inside(&self, part: &str) -> process::Command {
        self.spaces.inside(part)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        try_as_root(&["rm", "-rf", &self.names_of("s")]);
    }
}
