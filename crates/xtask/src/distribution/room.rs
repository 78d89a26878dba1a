//! A copy of this machine in which things are installed, and of which nothing is left.
//!
//! An overlay over the root, in a namespace of mounts of its own, whose changes are held in memory: what is written
//! inside is seen inside only. Shared with the machine are its network, `/tmp` and the checkout, for displays,
//! pictures and logs. It is gone with the process that holds it. Only root can make one.
//!
//! Whatever is run inside goes through `chroot` to a directory that exists in that namespace only: where the room is
//! not there, or not there yet, the command fails, and never runs on the machine itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::scratch;
use crate::processes::Running;
use crate::repo::Repo;
use crate::run;

/// The copy; gone when dropped.
#[derive(Debug)]
pub(super) struct Room {
    holder: Running,
    base: PathBuf,
}

impl Room {
    pub(super) fn open(repo: &Repo, logs: &Path) -> Result<Self> {
        let base = scratch("room");
        fs::create_dir_all(&base).with_context(|| format!("making {}", base.display()))?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", MAKE, "room"]);
        command.arg(&base).arg(repo.root());
        let holder = Running::start("dist-room", &mut command, logs)?;
        let mut room = Self { holder, base };
        room.holder.wait_for_line(|line| line == "ready", WITHIN)?;
        room.prove_apart()?;
        Ok(room)
    }

    /// Writes inside, and looks that it is not there outside.
    fn prove_apart(&self) -> Result<()> {
        let mark = mark_of_ours();
        run::capture(self.command("touch").arg(&mark))?;
        let is_inside = run::succeeds(self.command("test").arg("-e").arg(&mark));
        if mark.exists() || !is_inside {
            bail!("{} is not a file of the room alone", mark.display());
        }
        Ok(())
    }

    /// A command that runs inside.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = self.enter();
        command
            .arg("chroot")
            .arg(self.base.join("root"))
            .arg(program);
        command
    }

    /// Files that were written inside and have `word` in their paths, but for dpkg's own and logs.
    pub(super) fn written(&self, word: &str) -> Result<String> {
        let mut command = self.enter();
        command.arg("find").arg(self.base.join("upper"));
        command.args(["-path", "*/var/lib/dpkg", "-prune", "-o"]);
        command.args(["-path", "*/var/log", "-prune", "-o"]);
        // A file that is gone from what lies below is there as a device.
        command.args(["-type", "f", "-ipath", &format!("*/upper/*{word}*")]);
        run::capture(command.arg("-print"))
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount", "--"]);
        command
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Outside it has always been an empty directory; one that stays is harmless.
        let _ = fs::remove_dir(&self.base);
    }
}

/// A file where packages are installed, which nobody else would write.
fn mark_of_ours() -> PathBuf {
    PathBuf::from(format!("/usr/room-{}", std::process::id()))
}

/// Gets where the room is made, and a directory that is the same inside.
const MAKE: &str = r#"
set -e
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
for place in /dev /proc /sys /tmp "$2"; do
  mkdir -p "$1/root$place"
  mount --rbind "$place" "$1/root$place"
done
echo ready
exec sleep infinity
"#;

/// It takes a moment; 20 s only end a wait for something broken.
const WITHIN: Duration = Duration::from_secs(20);
