//! A device that the system keeps running: made, found as it should be, made anew, started again, and taken away.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

use crate::support::device::program;
use crate::support::manager::Manager;
use crate::support::{PATIENCE, World};

#[test]
fn a_service_is_made_started_again_and_taken_away_and_its_device_stays() {
    let world = World::new("service");
    let manager = Manager::start(&world);
    let user = User {
        manager: &manager,
        home: &world.place("device"),
    };
    assert_eq!(user.asks(&["service", "status"])["state"], "absent");
    let made = user.asks(&install("ada"));
    assert_eq!(
        (&made["change"], &made["state"]),
        (&"made".into(), &"running".into())
    );
    assert_eq!(user.asks(&["status"])["device"]["name"], "ada");
    let first = manager.property(UNIT, "MainPID");
    let again = user.asks(&install("ada"));
    assert_eq!(again["change"], "none");
    assert_eq!(manager.property(UNIT, "MainPID"), first, "it ran on");
    let other = user.asks(&[&install("ada")[..], &["--port", "0"]].concat());
    assert_eq!(
        (&other["change"], &other["state"]),
        (&"renewed".into(), &"running".into())
    );
    let second = manager.property(UNIT, "MainPID");
    assert_ne!(second, first, "it started anew");

    manager.systemctl(&["kill", "--signal=KILL", UNIT]);
    user.runs_with_another_number(&second);
    manager.systemctl(&["stop", UNIT]);
    assert_eq!(manager.property(UNIT, "Result"), "success");
    assert_eq!(manager.property(UNIT, "ExecMainStatus"), "0");
    assert_eq!(user.asks(&["service", "status"])["state"], "stopped");
    assert_eq!(user.asks(&install("ada"))["state"], "running");

    let words = user.runs(&["service", "remove"]);
    assert!(words.contains("Folders, key and index stay."), "{words}");
    assert!(!manager.units().join(UNIT).exists());
    assert!(user.home.join("key").exists(), "the device stays");
    assert_eq!(user.runs(&["service", "remove"]), "There is no service.");
    assert_eq!(user.asks(&["service", "status"])["state"], "absent");
}

#[test]
fn what_cannot_be_a_service_is_refused_with_what_to_do() {
    let world = World::new("no-service");
    // Nobody has logged in.
    let mut alone = Command::new(program());
    alone.args(["service", "install"]);
    alone.env("XDG_RUNTIME_DIR", world.directory("runtime"));
    alone.env("HOME", world.directory("alone"));
    alone.env_remove("DBUS_SESSION_BUS_ADDRESS");
    let refused = complaint(&alone.output().expect("it runs"));
    assert!(refused.contains("no user manager is running"), "{refused}");

    let manager = Manager::start(&world);
    let user = User {
        manager: &manager,
        home: &world.place("device"),
    };
    fs::create_dir_all(manager.units()).expect("a directory can be made");
    let foreign = "[Service]\nExecStart=/bin/true\n";
    fs::write(manager.units().join(UNIT), foreign).expect("written");
    let refused = complaint(&user.command(&install("ada")).output().expect("it runs"));
    assert!(refused.contains("look what it is"), "{refused}");
    let there = fs::read_to_string(manager.units().join(UNIT)).expect("a unit");
    assert_eq!(there, foreign);
}

/// Who has a device as a service.
struct User<'a> {
    manager: &'a Manager,
    home: &'a Path,
}

impl User<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let program = program();
        let mut command = self.manager.command(program.to_str().expect("text"));
        command.arg("--home").arg(self.home).args(words);
        command
    }

    fn runs(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("it runs");
        assert!(output.status.success(), "{words:?}: {}", complaint(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn asks(&self, words: &[&str]) -> Value {
        let said = self.runs(&[&["--json"], words].concat());
        serde_json::from_str(&said).expect("an answer is JSON")
    }

    /// Waits until the service runs as another process than this one.
    fn runs_with_another_number(&self, than: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let number = self.manager.property(UNIT, "MainPID");
            if number != "0" && number != than {
                return;
            }
            assert!(Instant::now() < until, "it is not started again");
        }
    }
}

fn install(name: &str) -> Vec<&str> {
    let mut words = vec!["service", "install", "--"];
    words.extend(["--key-file", "--lan-only", "--no-mdns", "--name", name]);
    words
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const UNIT: &str = "towline.service";
