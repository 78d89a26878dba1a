//! What only root can do: small disks, read-only disks, network namespaces. Users without root do it
//! by `sudo -n`; where neither works the tests fail and say so, because a skipped test shows nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::World;
use super::device::text;

/// Whether these tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command as root; it must succeed.
pub(crate) fn as_root(words: &[&str]) {
    let output = root_command(words).output().expect("the command is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{words:?} needs root or sudo without a password: {said}"
    );
}

/// Runs a command as root; what comes of it does not matter.
pub(crate) fn try_as_root(words: &[&str]) {
    // Used to clean up: there is nobody left to tell.
    let _ = root_command(words).output();
}

/// A command that runs as root.
pub(crate) fn root_command(words: &[&str]) -> Command {
    let (program, arguments) = words.split_first().expect("a command");
    if is_root() {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    } else {
        let mut command = Command::new("sudo");
        command.arg("-n").args(words);
        command
    }
}

/// A disk in memory, unmounted at the end.
#[derive(Debug)]
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of `size_kib` at `place`, which is made.
    pub(crate) fn mount(place: &Path, size_kib: u64) -> Self {
        std::fs::create_dir_all(place).expect("a mount point can be made");
        let options = format!("size={size_kib}k,mode=0777");
        as_root(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &options,
            "towline-test",
            text(place),
        ]);
        Self(place.to_owned())
    }

    /// Gives it another size, and makes it writable.
    pub(crate) fn resize(&self, size_kib: u64) {
        as_root(&[
            "mount",
            "-o",
            &format!("remount,rw,size={size_kib}k"),
            text(&self.0),
        ]);
    }

    /// Makes it read-only.
    pub(crate) fn read_only(&self) {
        as_root(&["mount", "-o", "remount,ro", text(&self.0)]);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A device that still has it open is being killed; the mount goes with its last user.
        try_as_root(&["umount", "--lazy", text(&self.0)]);
    }
}

/// A disk with exFAT, through FUSE because not every kernel has it; unmounted at the end.
#[derive(Debug)]
pub(crate) struct ExFat {
    place: PathBuf,
    device: String,
}

impl ExFat {
    /// Makes an empty disk of 64 MiB and mounts it at `place`, where everybody may write.
    pub(crate) fn mount(world: &World, place: &Path) -> Self {
        let image = world.place("exfat.img");
        std::fs::File::create(&image)
            .and_then(|file| file.set_len(64 << 20))
            .expect("an image can be made");
        as_root(&["mkfs.exfat", text(&image)]);
        std::fs::create_dir_all(place).expect("a mount point can be made");
        let attached = root_command(&["losetup", "--find", "--show", text(&image)]).output();
        let attached = attached.expect("the command is there");
        let device = String::from_utf8_lossy(&attached.stdout).trim().to_owned();
        assert!(!device.is_empty(), "no loop device: {attached:?}");
        let disk = Self {
            place: place.to_owned(),
            device: device.clone(),
        };
        as_root(&[
            "mount.exfat-fuse",
            "-o",
            "allow_other,umask=0000",
            &device,
            text(place),
        ]);
        disk
    }
}

impl Drop for ExFat {
    fn drop(&mut self) {
        // A device that still has it open is being killed; the mount goes with its last user.
        try_as_root(&["umount", "--lazy", text(&self.place)]);
        try_as_root(&["losetup", "--detach", &self.device]);
    }
}
