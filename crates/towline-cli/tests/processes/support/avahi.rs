//! A real avahi on a host of a local network.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::lan::Lan;
use super::running::Running;
use super::{PATIENCE, World};

/// An avahi of a host, with a bus of its own.
pub(crate) struct Avahi {
    pub(crate) bus: String,
    host: String,
    log: PathBuf,
    // In this order they end.
    _avahi: Running,
    _dbus: Running,
}

/// Whether others may use the port of mDNS beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stacks {
    Many,
    One,
}

impl Avahi {
    /// Starts it on a host, with these services.
    pub(crate) fn start(
        lan: &Lan,
        world: &World,
        host: &str,
        stacks: Stacks,
        services: &[(String, String)],
    ) -> Self {
        let place = world.directory("avahi");
        for (at, (_, text)) in services.iter().enumerate() {
            fs::write(place.join(format!("{at}.service")), text).expect("written");
        }
        let place = place.to_string_lossy().into_owned();
        let bus = format!("unix:path={place}/bus");
        let alone = match stacks {
            Stacks::Many => "no",
            Stacks::One => "yes",
        };
        let log = world.place("avahi.log");
        let start = |name: &str, words: &[&str]| {
            let alive: &[&str] = &["setpriv", "--pdeathsig", "KILL"];
            let mut command = lan.command(host, &[alive, words].concat());
            command.env_remove("DBUS_SYSTEM_BUS_ADDRESS");
            Running::start(name, command, &log)
        };
        // Each is the process that was started, so that its end ends all of it.
        let address = format!("--address={bus}");
        let options = ["--system", "--nofork", "--nopidfile", &address];
        let dbus = start("dbus-daemon", &[&["dbus-daemon"], &options[..]].concat());
        let script = format!(
            "set -e; mount -t tmpfs run /run; mkdir -p /run/avahi-daemon; \
             mount --bind {place} /etc/avahi/services; \
             export DBUS_SYSTEM_BUS_ADDRESS={bus}; \
             until [ -S {place}/bus ]; do :; done; \
             sed 's/^#*objects-per-client-max=.*//; s/^rlimit-.*//; s/^#*disallow-other-stacks=.*/disallow-other-stacks={alone}/' /etc/avahi/avahi-daemon.conf > /run/conf; \
             exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f /run/conf"
        );
        let avahi = start("avahi", &["sh", "-c", &script]);
        Self {
            bus,
            host: host.to_owned(),
            log,
            _avahi: avahi,
            _dbus: dbus,
        }
    }

    /// The first line of `avahi-browse` that `is_it` accepts.
    pub(crate) fn browse(&self, lan: &Lan, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut said = String::new();
        while Instant::now() < deadline {
            let browse = ["avahi-browse", "-rp", "_towline._udp"];
            let mut command: Command = lan.command(&self.host, &browse);
            command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus);
            let browser = Running::start("avahi-browse", command, &self.log);
            while let Some(line) = browser.next_line(Duration::from_secs(5)) {
                if is_it(&line) {
                    return line;
                }
                said.push_str(&line);
                said.push('\n');
            }
        }
        panic!("not seen: {said}")
    }
}
