//! A disk whose power can fail: an ext4 filesystem on a block device that forgets what was not
//! synced.
//!
//! The device is one file of a FUSE filesystem in this process, with a loop device on it. It keeps
//! two states: what a program reads back, and what has been flushed. A cut stops it in the middle of
//! whatever it is told: nothing more is written and no flush is answered. Then it comes back with
//! what was flushed and a part of the rest, chosen by a seed as disks do it: nothing, the first
//! writes, any of them, or any of their sectors. The filesystem on it is the kernel's own and repairs
//! itself from its journal, as after any power cut.
//!
//! FUSE is mounted with the open device as standard input, so that root or `sudo mount` can do it.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request, Session,
    SessionACL, WriteFlags,
};

use super::device::text;
use super::system::{as_root, root_command, try_as_root};
use super::{Seed, World};

/// Bytes of one block of the filesystem.
pub(crate) const BLOCK: usize = 4096;

/// An ext4 filesystem, mounted while there is power.
#[derive(Debug)]
pub(crate) struct PowerDisk {
    platter: Arc<Platter>,
    fuse: PathBuf,
    /// Where its files lie.
    pub(crate) place: PathBuf,
    size: usize,
}

impl PowerDisk {
    /// Makes an empty disk of `size_mib` and mounts it at `place`.
    pub(crate) fn new(world: &World, place: &Path, size_mib: usize) -> Self {
        let size = size_mib << 20;
        let image = world.place("empty.img");
        File::create(&image)
            .and_then(|file| file.set_len(size as u64))
            .expect("an image can be made");
        // Everything is initialised at once, so that nothing writes behind the test's back later.
        as_root(&[
            "mkfs.ext4",
            "-q",
            "-b",
            "4096",
            "-J",
            "size=4",
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
            text(&image),
        ]);
        let bytes = fs::read(&image).expect("the image is there");
        fs::remove_file(&image).expect("it is ours");
        let platter = Arc::new(Platter::new(bytes));
        let fuse = world.directory("platter");
        serve(&fuse, Platform(Arc::clone(&platter)));
        fs::create_dir_all(place).expect("a mount point can be made");
        let disk = Self {
            platter,
            fuse,
            place: place.to_owned(),
            size,
        };
        disk.mount();
        as_root(&["chmod", "0777", text(place)]);
        disk
    }

    /// Stops the disk when it has been told so many more things (writes and flushes).
    pub(crate) fn cut_after(&self, orders: u64) {
        self.platter.lock().power = Power::FailsAfter(orders);
    }

    /// Waits until the power has failed; fails it when that has not come in time.
    pub(crate) fn wait_cut(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut state = self.platter.lock();
        while matches!(state.power, Power::On | Power::FailsAfter(_)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.power = Power::Failed;
                return;
            }
            state = match self.platter.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Lets everybody who waits for the dead disk go with an error. Called when nobody is left who
    /// could draw conclusions from it.
    pub(crate) fn give_up(&self) {
        self.platter.lock().power = Power::Gone;
        self.platter.changed.notify_all();
    }

    /// Brings the power back: what was flushed is there, and of the rest what `seed` lets be.
    /// Says what was lost.
    pub(crate) fn restore_power(&self, seed: &mut Seed) -> Lost {
        self.unmount();
        let lost = self.platter.lock().lose(seed);
        self.mount();
        lost
    }

    /// The same, and zeros lie wherever these bytes did: what a filesystem shows of a file whose length
    /// it wrote before its bytes. A whole block, so that it lies in one place.
    pub(crate) fn restore_power_without(&self, block: &[u8; BLOCK], seed: &mut Seed) {
        self.unmount();
        let mut state = self.platter.lock();
        state.lose(seed);
        let State { now, flushed, .. } = &mut *state;
        let mut zeroed = 0;
        for bytes in now.chunks_mut(BLOCK).filter(|bytes| *bytes == block) {
            bytes.fill(0);
            zeroed += 1;
        }
        assert!(zeroed > 0, "the bytes are durable");
        flushed.clone_from(now);
        drop(state);
        self.mount();
    }

    fn mount(&self) {
        let file = self.fuse.join("disk");
        assert_eq!(
            fs::metadata(&file).map(|file| file.len()).ok(),
            Some(self.size as u64)
        );
        as_root(&["mount", "-o", "loop", text(&file), text(&self.place)]);
    }

    fn unmount(&self) {
        let deadline = Instant::now() + super::PATIENCE;
        // The kernel may take a moment to take down what a killed process had open.
        loop {
            let output = root_command(&["umount", text(&self.place)])
                .output()
                .expect("umount is there");
            if output.status.success() {
                break;
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "{said}");
            thread::yield_now();
        }
        self.wait_for_detachment(deadline);
    }

    /// Waits until the kernel has let go of the loop device: a mount that came before would be given the
    /// same one, and what it remembers of the disk from before the cut.
    fn wait_for_detachment(&self, deadline: Instant) {
        let file = self.fuse.join("disk");
        loop {
            let attached = root_command(&["losetup", "--associated", text(&file)])
                .output()
                .expect("losetup is there");
            if attached.stdout.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{} is in use", file.display());
            thread::yield_now();
        }
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        self.give_up();
        try_as_root(&["umount", "--lazy", text(&self.place)]);
        try_as_root(&["umount", "--lazy", text(&self.fuse)]);
    }
}

/// What a cut cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    /// Writes that had not been flushed.
    unflushed: usize,
    /// How the disk chose among them.
    choice: Choice,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unflushed, choice) = (self.unflushed, self.choice);
        write!(
            f,
            "after a cut with {unflushed} writes not flushed, kept {choice:?}"
        )
    }
}

/// What remains of writes that were not flushed.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Nothing,
    First,
    AnyWrites,
    AnySectors,
}

/// The device's memory.
#[derive(Debug)]
struct Platter {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What is read back.
    now: Vec<u8>,
    /// What survives a cut whatever happens.
    flushed: Vec<u8>,
    /// What was written since the last flush, in order.
    unflushed: Vec<Write>,
    power: Power,
}

#[derive(Debug)]
struct Write {
    at: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    FailsAfter(u64),
    /// Nobody is answered any more.
    Failed,
    /// Everybody is told that the disk is gone.
    Gone,
}

impl Platter {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            state: Mutex::new(State {
                now: bytes.clone(),
                flushed: bytes,
                unflushed: Vec::new(),
                power: Power::On,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is an answer: the state while there is power, nothing when the disk is gone.
    fn powered(&self) -> Option<MutexGuard<'_, State>> {
        let mut state = self.lock();
        loop {
            match state.power {
                Power::On | Power::FailsAfter(_) => return Some(state),
                Power::Gone => return None,
                Power::Failed => {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// The same for an order, which counts, and may be the one that the power fails at.
    fn ordered(&self) -> Option<MutexGuard<'_, State>> {
        let mut state = self.powered()?;
        match state.power {
            Power::FailsAfter(0) => {
                state.power = Power::Failed;
                self.changed.notify_all();
                drop(state);
                return self.powered();
            }
            Power::FailsAfter(left) => state.power = Power::FailsAfter(left - 1),
            Power::On | Power::Failed | Power::Gone => {}
        }
        Some(state)
    }
}

impl State {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.now[at..at + bytes.len()].copy_from_slice(bytes);
        self.unflushed.push(Write {
            at,
            bytes: bytes.to_vec(),
        });
    }

    fn flush(&mut self) {
        for write in self.unflushed.drain(..) {
            self.flushed[write.at..write.at + write.bytes.len()].copy_from_slice(&write.bytes);
        }
    }

    fn lose(&mut self, seed: &mut Seed) -> Lost {
        let all = std::mem::take(&mut self.unflushed);
        let unflushed = all.len();
        let choice = match seed.below(4) {
            0 => Choice::Nothing,
            1 => Choice::First,
            2 => Choice::AnyWrites,
            _ => Choice::AnySectors,
        };
        let first = seed.below(unflushed as u64 + 1);
        for (write, number) in all.into_iter().zip(0..) {
            let mut keeps = false;
            for (sector, bytes) in write.bytes.chunks(SECTOR).enumerate() {
                // Decided once for a whole write, but for torn ones.
                let is_new = sector == 0;
                keeps = match choice {
                    Choice::Nothing => false,
                    Choice::First => number < first,
                    Choice::AnyWrites if !is_new => break,
                    Choice::AnySectors if write.at + sector * SECTOR == WITH_THE_ONE_BEFORE => {
                        keeps
                    }
                    Choice::AnyWrites | Choice::AnySectors => seed.below(2) == 0,
                };
                if !keeps {
                    continue;
                }
                let (at, bytes) = match choice {
                    Choice::AnyWrites => (write.at, &write.bytes[..]),
                    Choice::Nothing | Choice::First | Choice::AnySectors => {
                        (write.at + sector * SECTOR, bytes)
                    }
                };
                self.flushed[at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
        self.now.clone_from(&self.flushed);
        self.power = Power::On;
        Lost { unflushed, choice }
    }
}

/// The filesystem with the one file.
struct Platform(Arc<Platter>);

impl Platform {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let (kind, perm, size) = if ino == INodeNo::ROOT {
            (FileType::Directory, 0o755, 0)
        } else {
            (FileType::RegularFile, 0o666, self.0.lock().now.len() as u64)
        };
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Platform {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "disk" {
            reply.entry(&FOREVER, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(ino));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.powered() {
            Some(state) => {
                let start = place(offset).min(state.now.len());
                let end = (start + size as usize).min(state.now.len());
                reply.data(&state.now[start..end]);
            }
            None => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.ordered() {
            Some(mut state) => {
                state.write(place(offset), data);
                reply.written(u32::try_from(data.len()).expect("FUSE writes are small"));
            }
            None => reply.error(Errno::EIO),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.0.ordered() {
            Some(mut state) => {
                state.flush();
                reply.ok();
            }
            None => reply.error(Errno::EIO),
        }
    }
}

/// Mounts FUSE at `place` and serves it until it is unmounted.
fn serve(place: &Path, platform: Platform) {
    let device: OwnedFd = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .expect("FUSE is there")
        .into();
    let input = device.try_clone().expect("a descriptor can be copied");
    let options = "fd=0,rootmode=40000,user_id=0,group_id=0,allow_other";
    let mounted = root_command(&[
        "mount",
        "-i",
        "-t",
        "fuse",
        "-o",
        options,
        "towline-platter",
        text(place),
    ])
    .stdin(Stdio::from(input))
    .output()
    .expect("mount is there");
    assert!(
        mounted.status.success(),
        "{}",
        String::from_utf8_lossy(&mounted.stderr)
    );
    let session = Session::from_fd(platform, device, SessionACL::All, Config::default())
        .expect("the kernel speaks FUSE");
    // It ends when the filesystem is unmounted.
    thread::spawn(move || session.run());
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("a disk in memory is small")
}

/// What a disk writes whole or not at all: 512 bytes.
const SECTOR: usize = 512;

/// Where the second sector of ext4's superblock lies. No journal guards it: torn from the first, the
/// disk is not mounted before people have repaired it, which is no test of ours.
const WITH_THE_ONE_BEFORE: usize = 3 * SECTOR;

/// The file's number.
const DISK: INodeNo = INodeNo(2);

/// Nothing about the file ever changes but its bytes.
const FOREVER: Duration = Duration::from_secs(3600);
