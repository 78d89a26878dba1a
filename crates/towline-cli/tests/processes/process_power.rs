//! Power cuts: a device whose home and root lie on a disk that forgets what was not synced.
//!
//! Each cut comes in the middle of what the disk is doing, at an order that the seed chooses. The
//! engine is killed with it, the disk comes back with what had been flushed and some of the rest, and
//! then, before anything else runs, every file must be whole and nothing may be older than what both
//! devices had agreed on. After that the engine starts on what is left and both become equal; what
//! nobody wrote, deleted or changed must not be found on either side.
//!
//! `TOWLINE_CUTS` says how many cuts each test makes, `TOWLINE_SEED` which.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::support::power::{BLOCK, PowerDisk};
use crate::support::system::is_root;
use crate::support::tree::{Lying, read, settle, temporary_files};
use crate::support::{Device, Seed, Server, World, number};

#[test]
fn a_power_cut_at_a_receiver_loses_nothing_and_tears_nothing() {
    at_a_receiver("powerr", OnTheDisk::HomeAndRoot);
}

#[test]
fn a_power_cut_that_only_the_folder_feels_loses_nothing() {
    at_a_receiver("powerf", OnTheDisk::Root);
}

/// What of a device lies on the disk whose power fails.
#[derive(Debug, Clone, Copy)]
enum OnTheDisk {
    HomeAndRoot,
    /// The home has a disk of its own, which lost nothing: what it says is never behind the root's
    /// disk, and no sync of the home helps the root.
    Root,
}

fn at_a_receiver(test: &str, on_the_disk: OnTheDisk) {
    let world = World::new(test);
    let disk = PowerDisk::new(&world, &world.place("disk"), 64);
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::new(&world, "ben", &server.url);
    match on_the_disk {
        OnTheDisk::HomeAndRoot => ben.home = world.place("disk/home"),
        OnTheDisk::Root => {}
    }
    ben.start();
    ada.pair(&ben);
    let here = world.directory("here");
    let there = world.directory("disk/there");
    let mut seed = Seed::new(number("TOWLINE_SEED", 11));
    let mut story = Story::default();
    let person = Person::new(&world.place("aside"), Care::Hurries);
    person.begin(&here, &mut story, &mut seed);
    ada.share(&here, &ben, &there);
    without_a_brake(&ada, &ben);
    settle((&ada, &here), (&ben, &there));
    for _ in 0..number("TOWLINE_CUTS", CUTS) {
        story.agree();
        disk.cut_after(moment(&mut seed));
        for change in person.changes(&story, &mut seed) {
            person.make(&here, &change).expect("this disk has power");
            story.tell(change);
        }
        disk.wait_cut(SOON);
        ben.kill_and(|| disk.give_up());
        let lost = disk.restore_power(&mut seed);
        story.must_hold(&there, &lost.to_string());
        ben.start();
        settle((&ada, &here), (&ben, &there));
        story.must_have_ended_at(&here);
    }
    assert_eq!(temporary_files(&there), Vec::<String>::new());
}

/// People here change most of a small folder between two cuts, which would wait for a yes.
fn without_a_brake(ada: &Device, ben: &Device) {
    for device in [ada, ben] {
        device.call(&["brake", "set", "here", "--off"]);
    }
}

#[test]
fn a_power_cut_at_a_sender_loses_nothing_that_was_durable() {
    let world = World::new("powers");
    let disk = PowerDisk::new(&world, &world.place("disk"), 64);
    let server = Server::start(&world);
    let mut ada = Device::new(&world, "ada", &server.url);
    ada.home = world.place("disk/home");
    ada.start();
    let ben = Device::start_new(&world, "ben", &server);
    ada.pair(&ben);
    let here = world.directory("disk/here");
    let there = world.directory("there");
    let mut seed = Seed::new(number("TOWLINE_SEED", 12));
    let mut story = Story::default();
    let person = Person::new(&world.place("disk/aside"), Care::Syncs);
    person.begin(&here, &mut story, &mut seed);
    ada.share(&here, &ben, &there);
    without_a_brake(&ada, &ben);
    settle((&ada, &here), (&ben, &there));
    for _ in 0..number("TOWLINE_CUTS", CUTS) {
        story.agree();
        disk.cut_after(moment(&mut seed));
        let changes = person.changes(&story, &mut seed);
        let made = thread::scope(|scope| {
            let making = scope.spawn(|| {
                let made = changes
                    .iter()
                    .take_while(|change| person.make(&here, change).is_ok());
                made.count()
            });
            disk.wait_cut(SOON);
            ada.kill_and(|| disk.give_up());
            making.join().expect("a person does not panic")
        });
        let lost = disk.restore_power(&mut seed);
        for change in changes.iter().take(made) {
            story.tell(change.clone());
        }
        // What the person had synced is agreed on; the change that was cut off may be there or not.
        story.agree();
        let cut_off = changes.into_iter().nth(made);
        story.doubt(cut_off);
        story.must_hold(&here, &lost.to_string());
        ada.start();
        settle((&ada, &here), (&ben, &there));
        story.must_hold(&here, "after the restart");
        story.learn(&here);
    }
    assert_eq!(temporary_files(&here), Vec::<String>::new());
}

#[test]
fn what_a_power_cut_made_of_a_file_is_no_edit() {
    let world = World::new("powerz");
    let disk = PowerDisk::new(&world, &world.place("disk"), 64);
    let server = Server::start(&world);
    let ada = Device::start_new(&world, "ada", &server);
    let mut ben = Device::new(&world, "ben", &server.url).behind(&in_boot(&world, "one"));
    ben.start();
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("disk/there"));
    let mut seed = Seed::new(number("TOWLINE_SEED", 13));
    let bytes = seed.bytes(BLOCK);
    fs::write(here.join("zeroed"), &bytes).expect("it can be written");
    fs::write(here.join("edited"), "before").expect("it can be written");
    ada.share(&here, &ben, &there);
    settle((&ada, &here), (&ben, &there));
    disk.cut_after(0);
    ben.kill_and(|| disk.give_up());
    let block = bytes.as_slice().try_into().expect("one block");
    disk.restore_power_without(block, &mut seed);
    let zeros = vec![0; BLOCK];
    assert_eq!(
        fs::read(there.join("zeroed")).expect("it lies there"),
        zeros
    );
    fs::write(there.join("edited"), "after the cut").expect("it can be written");
    let mut ben = ben.behind(&in_boot(&world, "two"));
    ben.start();
    settle((&ada, &here), (&ben, &there));
    for root in [&here, &there] {
        assert_eq!(fs::read(root.join("zeroed")).expect("it lies there"), bytes);
        let edited = fs::read(root.join("edited")).expect("it lies there");
        assert_eq!(edited, b"after the cut");
    }
    let view = ben.view();
    assert_eq!(view["folders"][0]["spoiled"], 1, "{view}");
    let history = ben.call(&["history", "here", "zeroed"]);
    let versions = history["versions"].as_array().expect("versions");
    assert_eq!(versions.len(), 1, "what the cut had left: {history}");
    // Killed alone in the same boot nothing is in doubt: what lies there then was written.
    ben.kill();
    ben.start();
    settle((&ada, &here), (&ben, &there));
    assert_eq!(ben.view()["folders"][0]["spoiled"], 0);
}

/// Words that run a program as if the machine had this boot. The disks of this world come and go for it
/// as for everybody.
fn in_boot(world: &World, name: &str) -> Vec<String> {
    let id = world.place(&format!("{name}.boot"));
    fs::write(&id, name).expect("it can be written");
    let as_whom: &[&str] = if is_root() { &[] } else { &["--map-root-user"] };
    let mut words: Vec<&str> = vec!["unshare", "--mount", "--propagation", "slave"];
    words.extend(as_whom);
    let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    words.extend(["sh", "-c", script, id.to_str().expect("a plain path")]);
    words.into_iter().map(str::to_owned).collect()
}

/// Whether a person's programs sync what they write.
#[derive(Debug, Clone, Copy)]
enum Care {
    /// Each change is durable before the next one begins.
    Syncs,
    /// Whatever the disk makes of it.
    Hurries,
}

/// One thing that a person does.
#[derive(Debug, Clone)]
enum Change {
    Write(PathBuf, Vec<u8>),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// Somebody who works in a folder, whole files at a time: what is written in place may be seen half
/// by anybody, and that is not what is tested here.
struct Person {
    aside: PathBuf,
    care: Care,
}

impl Person {
    fn new(aside: &Path, care: Care) -> Self {
        Self {
            aside: aside.to_owned(),
            care,
        }
    }

    /// A tree to begin with.
    fn begin(&self, root: &Path, story: &mut Story, seed: &mut Seed) {
        for number in 0..FILES {
            let len = length(seed);
            let change = Change::Write(name(number), seed.bytes(len));
            self.make(root, &change).expect("the disk has power");
            story.tell(change);
        }
    }

    /// What is done next: new files, new bytes, deletes, renames to new and to taken names.
    fn changes(&self, story: &Story, seed: &mut Seed) -> Vec<Change> {
        let mut lying = story.files();
        let mut changes = Vec::new();
        for _ in 0..4 + seed.below(12) {
            let chosen =
                lying[usize::try_from(seed.below(lying.len() as u64)).expect("small")].clone();
            let other = name(seed.below(FILES * 2));
            let len = length(seed);
            let change = match seed.below(8) {
                0..4 => Change::Write(chosen, seed.bytes(len)),
                4 | 5 => Change::Write(other, seed.bytes(len)),
                6 => Change::Rename(chosen, other),
                _ if lying.len() > 10 => Change::Remove(chosen),
                _ => Change::Write(chosen, Vec::new()),
            };
            match &change {
                Change::Write(path, _) if lying.contains(path) => {}
                Change::Write(path, _) => lying.push(path.clone()),
                Change::Remove(path) => lying.retain(|one| one != path),
                Change::Rename(from, to) if from == to => continue,
                Change::Rename(from, to) => {
                    lying.retain(|one| one != from && one != to);
                    lying.push(to.clone());
                }
            }
            changes.push(change);
        }
        changes
    }

    fn make(&self, root: &Path, change: &Change) -> io::Result<()> {
        let place = |path: &Path| root.join(path);
        match change {
            Change::Write(path, bytes) => {
                let mut file = File::create(&self.aside)?;
                file.write_all(bytes)?;
                self.sync(&file)?;
                fs::create_dir_all(self.parent(&place(path)))?;
                fs::rename(&self.aside, place(path))?;
                self.sync_parents(root, path)
            }
            Change::Remove(path) => {
                fs::remove_file(place(path))?;
                self.sync_parents(root, path)
            }
            Change::Rename(from, to) => {
                fs::create_dir_all(self.parent(&place(to)))?;
                fs::rename(place(from), place(to))?;
                self.sync_parents(root, from)?;
                self.sync_parents(root, to)
            }
        }
    }

    fn parent(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(&self.aside).to_owned()
    }

    fn sync_parents(&self, root: &Path, path: &Path) -> io::Result<()> {
        for above in path.ancestors().skip(1) {
            self.sync(&File::open(root.join(above))?)?;
        }
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        match self.care {
            Care::Syncs => file.sync_all(),
            Care::Hurries => Ok(()),
        }
    }
}

/// What has lain at each path, in order; nothing where nothing lay.
#[derive(Debug, Default)]
struct Story {
    states: BTreeMap<PathBuf, Vec<Option<Vec<u8>>>>,
}

impl Story {
    fn tell(&mut self, change: Change) {
        match change {
            Change::Write(path, bytes) => self.now(path, Some(bytes)),
            Change::Remove(path) => self.now(path, None),
            Change::Rename(from, to) => {
                let bytes = self.last(&from).cloned();
                self.now(from, None);
                self.now(to, bytes);
            }
        }
    }

    fn now(&mut self, path: PathBuf, state: Option<Vec<u8>>) {
        self.states
            .entry(path)
            .or_insert_with(|| vec![None])
            .push(state);
    }

    fn last(&self, path: &Path) -> Option<&Vec<u8>> {
        self.states.get(path)?.last()?.as_ref()
    }

    /// Files that lie there now.
    fn files(&self) -> Vec<PathBuf> {
        let is_there = |path: &&PathBuf| self.last(path).is_some();
        self.states.keys().filter(is_there).cloned().collect()
    }

    /// From now on nothing may be older than it is.
    fn agree(&mut self) {
        for states in self.states.values_mut() {
            states.drain(..states.len() - 1);
        }
    }

    /// A change that may have been made or not.
    fn doubt(&mut self, change: Option<Change>) {
        if let Some(change) = change {
            self.tell(change);
        }
    }

    /// Takes what lies there for what is.
    fn learn(&mut self, root: &Path) {
        let tree = read(root);
        for (path, states) in &mut self.states {
            let lying = match tree.get(path) {
                Some(Lying::File { bytes, .. }) => Some(bytes.clone()),
                Some(Lying::Directory | Lying::Symlink(_)) | None => None,
            };
            states.push(lying);
        }
        self.agree();
    }

    /// Asserts that every path holds something that it held since all agreed.
    fn must_hold(&self, root: &Path, when: &str) {
        let tree = read(root);
        for (path, lying) in &tree {
            if let Lying::File { bytes, .. } = lying {
                let known = self.states.get(path);
                let is_known = known.is_some_and(|states| states.contains(&Some(bytes.clone())));
                assert!(
                    is_known,
                    "{when}: {} is not whole: {} bytes",
                    path.display(),
                    bytes.len()
                );
            }
        }
        for (path, states) in &self.states {
            let is_there = matches!(tree.get(path), Some(Lying::File { .. }));
            assert!(
                is_there || states.contains(&None),
                "{when}: {} is lost",
                path.display()
            );
        }
    }

    /// Asserts that the tree is what was done last, everywhere.
    fn must_have_ended_at(&self, root: &Path) {
        let tree = read(root);
        for (path, lying) in &tree {
            if let Lying::File { bytes, .. } = lying {
                assert_eq!(self.last(path), Some(bytes), "{}", path.display());
            }
        }
        for path in self.files() {
            assert!(tree.contains_key(&path), "{} is lost", path.display());
        }
    }
}

fn name(number: u64) -> PathBuf {
    PathBuf::from(format!("d{}/e{}/f{number:03}", number % 3, number % 2))
}

/// After how many orders the power fails: every power of two up to what a round takes is met equally
/// often, because the first ones decide the most.
fn moment(seed: &mut Seed) -> u64 {
    let bound = 1 << seed.below(9);
    seed.below(bound)
}

/// Most files are small, some are empty, few are cut into chunks.
fn length(seed: &mut Seed) -> usize {
    let len = match seed.below(30) {
        0 => 0,
        1 => 600_000 + seed.below(900_000),
        _ => seed.below(6000),
    };
    usize::try_from(len).expect("small")
}

/// Files in the tree, about.
const FILES: u64 = 40;

/// Cuts in each test: 20, sixty together.
const CUTS: u64 = 20;

/// How long a cut is waited for before the power goes anyway: 700 ms, in which what was changed has
/// usually gone over.
const SOON: Duration = Duration::from_millis(700);
