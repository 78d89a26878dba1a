//! systemd as it manages the services of one user after a login; in mounts and control groups of its own, and gone at
//! the end with all that it started, whatever happens.

use std::path::PathBuf;
use std::process::{self, Command, Output};

use super::device::text;
use super::running::Running;
use super::system::{root_command, try_as_root};
use super::{PATIENCE, World};

/// The manager.
#[derive(Debug)]
pub(crate) struct Manager {
    running: Running,
    id: String,
    group: String,
    home: PathBuf,
}

impl Manager {
    /// Starts one whose user has an empty home.
    pub(crate) fn start(world: &World) -> Self {
        let group = format!("towline-test-{}", process::id());
        let home = world.directory("user");
        let home_word = format!("HOME={}", text(&home));
        let command = root_command(&[
            "env",
            &home_word,
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            MAKE,
            "manager",
            RUNTIME,
            &group,
        ]);
        let running = Running::start("manager", command, &world.place("manager.log"));
        let id = running.line("its number", PATIENCE, |line| {
            line.chars().all(|c| c.is_ascii_digit())
        });
        running.line("that it is there", PATIENCE, |line| line == "up");
        Self {
            running,
            id,
            group,
            home,
        }
    }

    /// A command of its user.
    pub(crate) fn command(&self, program: &str) -> Command {
        let home = format!("HOME={}", text(&self.home));
        let runtime = format!("XDG_RUNTIME_DIR={RUNTIME}");
        root_command(&[
            "nsenter", "--target", &self.id, "--mount", "--", "env", &home, &runtime, program,
        ])
    }

    /// What systemd says of a unit's property.
    pub(crate) fn property(&self, unit: &str, property: &str) -> String {
        let asked = format!("--property={property}");
        let said = self.systemctl(&["show", "--value", &asked, unit]);
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    /// Does this with a unit.
    pub(crate) fn systemctl(&self, words: &[&str]) -> Output {
        let mut command = self.command("systemctl");
        let output = command.arg("--user").args(words).output();
        let output = output.expect("the command is there");
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    }

    /// Where its user's units lie.
    pub(crate) fn units(&self) -> PathBuf {
        self.home.join(".config/systemd/user")
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It ends what it started, and then itself.
        try_as_root(&["kill", "-TERM", &self.id]);
        while self.running.next_line(PATIENCE).is_some() {}
        for kind in ["", "systemd/", "unified/"] {
            let group = format!("/sys/fs/cgroup/{kind}{}", self.group);
            try_as_root(&[
                "find", &group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";",
            ]);
        }
    }
}

/// Hides the machine's own systemd, if there is one; gets where the user's runtime files lie, and the control group.
const MAKE: &str = r#"
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system "$1"
chmod 700 "$1"
for kind in "" /systemd /unified; do
  if [ -w "/sys/fs/cgroup$kind/cgroup.procs" ]; then
    mkdir -p "/sys/fs/cgroup$kind/$2"
    echo $$ > "/sys/fs/cgroup$kind/$2/cgroup.procs"
  fi
done
echo $$
export XDG_RUNTIME_DIR="$1"
(
  # It tells the console of the machine only. Until it can be asked there is no answer at all.
  until systemctl --user is-system-running --wait 2> /dev/null | grep -q .; do sleep 0.1; done
  echo up
) &
exec /usr/lib/systemd/systemd --user --unit=basic.target --log-target=null
"#;

/// Seen by the manager and its user only.
const RUNTIME: &str = "/run/user/0";
