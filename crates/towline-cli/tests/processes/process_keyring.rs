//! The device key in a real Secret Service, and what happens where there is none.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::device::text;
use crate::support::{Device, World};

#[test]
fn the_key_lies_in_the_keyring_and_a_keyring_that_is_gone_makes_no_new_identity() {
    let world = World::new("keyring");
    let mut ada = Device::new(&world, "ada", "").with_options(["--name", "ada"]);
    let session = Session::start(&world.directory("desktop"));
    session.adopt(&mut ada);
    let up = ada.start();
    assert_eq!(up["view"]["device"]["key_place"], "keyring");
    let id = up["view"]["device"]["id"].clone();
    let key_file = fs::read_to_string(ada.home.join("key")).expect("it names the entry");
    assert!(
        key_file.starts_with("keyring:"),
        "the key itself is not in the home"
    );
    assert!(ada.says(&["status"]).contains("key in the system keyring"));
    ada.stop();
    assert_eq!(ada.start()["view"]["device"]["id"], id);
    ada.stop();
    // The session ends, and with it the bus.
    drop(session);
    ada.start_refused()
        .must_say("keyring", &["locked or not running", "unlock it"]);
    without_bus(&mut ada);
    ada.start_refused()
        .must_say("keyring", &["locked or not running", "unlock it"]);
    // Another desktop's keyring works, but has no such key.
    let other = Session::start(&world.directory("other desktop"));
    other.adopt(&mut ada);
    ada.start_refused().must_say(
        "keyring",
        &["no longer in the system keyring", "restore it"],
    );
    drop(other);
    assert_eq!(
        fs::read_to_string(ada.home.join("key")).expect("there"),
        key_file,
        "nothing was changed"
    );
    // After the next login it is the same device.
    let again = Session::start(&world.directory("desktop"));
    again.adopt(&mut ada);
    let up = ada.start();
    assert_eq!(up["view"]["device"]["id"], id);
    assert_eq!(up["view"]["device"]["key_place"], "keyring");
}

#[test]
fn without_a_keyring_the_key_is_a_private_file_and_that_is_said() {
    let world = World::new("nokeyring");
    let mut ada = Device::new(&world, "ada", "").with_options(["--name", "ada"]);
    without_bus(&mut ada);
    let greeting = ada.start_in_words();
    assert!(
        greeting.contains("in a file that only this user may read (no usable keyring)"),
        "{greeting}"
    );
    assert!(
        ada.says(&["status"])
            .contains("key in a 0600 file (no usable keyring)")
    );
    assert_eq!(ada.view()["device"]["key_place"], "file");
    let key = ada.home.join("key");
    assert_eq!(
        fs::metadata(&key).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::metadata(&ada.home).expect("there").permissions().mode() & 0o777,
        0o700
    );
    let id = ada.view()["device"]["id"].clone();
    ada.stop();
    // A keyring that appears later does not take the key away.
    let session = Session::start(&world.directory("desktop"));
    session.adopt(&mut ada);
    let up = ada.start();
    assert_eq!(
        (
            &up["view"]["device"]["id"],
            &up["view"]["device"]["key_place"]
        ),
        (&id, &"file".into())
    );
}

fn without_bus(device: &mut Device) {
    device.set_environment([
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"),
        ("XDG_RUNTIME_DIR", "/nonexistent"),
    ]);
}

/// A desktop session: a bus of its own, and a keyring that is unlocked.
struct Session {
    child: Child,
    home: String,
    bus: String,
}

impl Session {
    /// Logs in; keyrings are kept in `home`.
    fn start(home: &Path) -> Self {
        let runtime = home.join("run");
        fs::create_dir_all(home.join(".local/share/keyrings")).expect("made");
        fs::create_dir_all(&runtime).expect("made");
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("ours");
        let script = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 \
                      && echo \"$DBUS_SESSION_BUS_ADDRESS\" && exec cat >/dev/null";
        let mut child = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", script])
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-run-session and gnome-keyring are installed");
        let mut bus = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output)
            .read_line(&mut bus)
            .expect("the session says its bus");
        assert!(bus.contains("unix:"), "the keyring did not start");
        Self {
            child,
            home: text(home).to_owned(),
            bus: bus.trim().to_owned(),
        }
    }

    /// Makes a device live in this session.
    fn adopt(&self, device: &mut Device) {
        let runtime = format!("{}/run", self.home);
        device.set_environment([
            ("DBUS_SESSION_BUS_ADDRESS", self.bus.as_str()),
            ("XDG_RUNTIME_DIR", &runtime),
        ]);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The session lasts as long as its standard input; bus and keyring end with it.
        if let Some(mut input) = self.child.stdin.take() {
            let _ = input.flush();
        }
        let _ = self.child.wait();
    }
}
