//! Network namespaces of one test, each with one letter for its name; they are gone at the end, whatever
//! happens.

use std::process::Command;

use super::system::{as_root, is_root, try_as_root};

/// Some namespaces.
#[derive(Debug)]
pub(crate) struct Spaces {
    prefix: String,
    parts: Vec<String>,
}

impl Spaces {
    /// None yet; `prefix` tells those of one test from all others.
    pub(crate) const fn new(prefix: String) -> Self {
        Self {
            prefix,
            parts: Vec::new(),
        }
    }

    /// Makes one.
    pub(crate) fn add(&mut self, part: &str) {
        self.parts.push(part.to_owned());
        as_root(&["ip", "netns", "add", &self.name(part)]);
        self.ip(part, "link set lo up");
    }

    /// Puts a cable between two: from an interface here to an interface there, both up. Names of interfaces
    /// have at most 15 characters.
    pub(crate) fn link(&self, one: (&str, &str), other: (&str, &str)) {
        let names = [self.name(one.0), self.name(other.0)];
        as_root(&[
            "ip", "link", "add", one.1, "netns", &names[0], "type", "veth", "peer", "name",
            other.1, "netns", &names[1],
        ]);
        self.ip(one.0, &format!("link set {} up", one.1));
        self.ip(other.0, &format!("link set {} up", other.1));
    }

    /// The system's name of one.
    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    /// Does `ip` with these words in one.
    pub(crate) fn ip(&self, part: &str, words: &str) {
        let name = self.name(part);
        let command: Vec<&str> = ["ip", "-n", &name]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        as_root(&command);
    }

    /// Runs a line of the shell in one.
    pub(crate) fn shell(&self, part: &str, line: &str) {
        let name = self.name(part);
        as_root(&["ip", "netns", "exec", &name, "sh", "-c", line]);
    }

    /// The words before a command that runs in one.
    pub(crate) fn words(&self, part: &str) -> Vec<String> {
        let sudo: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
        let name = self.name(part);
        let words = sudo.iter().copied().chain(["ip", "netns", "exec", &name]);
        words.map(str::to_owned).collect()
    }

    /// The beginning of such a command.
    pub(crate) fn inside(&self, part: &str) -> Command {
        let words = self.words(part);
        let mut command = Command::new(words.first().map_or("ip", String::as_str));
        command.args(words.iter().skip(1));
        command
    }
}

impl Drop for Spaces {
    fn drop(&mut self) {
        for part in &self.parts {
            try_as_root(&["ip", "netns", "delete", &self.name(part)]);
        }
    }
}
