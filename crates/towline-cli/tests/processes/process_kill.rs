//! `kill -9` of either side, in either role, at any moment: both trees become equal, no file is ever
//! half, and whoever comes back is connected again within seconds.
//!
//! `TOWLINE_KILLS` says how often (6 without it), `TOWLINE_SEED` with which moments. When all files
//! have arrived before the last kill, the source changes 1500 more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::device::Dialer;
use crate::support::tree::{History, grow, must_be_whole, settle, temporary_files};
use crate::support::watch::{count, is_connected, is_in_sync};
use crate::support::{Device, Seed, Server, Watch, World, number};

#[derive(Clone, Copy)]
enum Victim {
    Sender,
    Receiver,
}

/// Who opens the connections; when the other one is killed, the one that dials must miss it.
#[derive(Clone, Copy)]
enum Dials {
    Victim,
    Survivor,
}

#[test]
fn killing_a_receiver_that_dials_loses_nothing() {
    kill(Victim::Receiver, Dials::Victim, "killrd");
}

#[test]
fn killing_a_receiver_that_is_dialled_loses_nothing() {
    kill(Victim::Receiver, Dials::Survivor, "killra");
}

#[test]
fn killing_a_sender_that_dials_loses_nothing() {
    kill(Victim::Sender, Dials::Victim, "killsd");
}

#[test]
fn killing_a_sender_that_is_dialled_loses_nothing() {
    kill(Victim::Sender, Dials::Survivor, "killsa");
}

#[test]
fn whoever_is_killed_and_comes_back_is_connected_again_within_seconds() {
    let world = World::new("killback");
    let server = Server::start(&world);
    let (mut ada, mut ben) = Device::two(&world, &server, Dialer::First);
    ada.pair(&ben);
    ada.wait_connected(&ben);
    for _ in 0..3 {
        back(&mut ada, &ben, "the dialer, with a server");
        back(&mut ben, &ada, "the acceptor, with a server");
    }
    server.kill();
    for _ in 0..3 {
        back(&mut ada, &ben, "the dialer, without a server");
        back(&mut ben, &ada, "the acceptor, without a server");
    }
    fs::remove_file(ben.home.join("port")).expect("a device keeps its port");
    back(&mut ben, &ada, "the acceptor, on another port");
}

/// Kills and starts one, which must soon be connected with the other.
#[expect(
    clippy::print_stdout,
    reason = "what was measured is shown with --nocapture"
)]
fn back(victim: &mut Device, other: &Device, who: &str) {
    victim.kill();
    victim.start();
    let started = Instant::now();
    let is_back = |view: &Value| is_connected(view, &other.name);
    Watch::new(victim).until_within("the link", SOON, is_back);
    println!("{who} is back after {:?}", started.elapsed());
}

fn kill(victim: Victim, dials: Dials, name: &str) {
    let world = World::new(name);
    let server = Server::start(&world);
    let dialer = match (victim, dials) {
        (Victim::Sender, Dials::Victim) | (Victim::Receiver, Dials::Survivor) => Dialer::First,
        (Victim::Receiver, Dials::Victim) | (Victim::Sender, Dials::Survivor) => Dialer::Second,
    };
    let (mut ada, mut ben) = Device::two(&world, &server, dialer);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    let mut seed = Seed::new(number("TOWLINE_SEED", 7));
    grow(&here, FILES, &mut seed);
    let mut source = Source::new(here.clone());
    ada.share(&here, &ben, &there);
    let kills = number("TOWLINE_KILLS", 6);
    let mut in_motion = 0;
    for round in 0..kills {
        in_motion += u64::from(run_until_a_moment(&ben, round, kills, &mut seed));
        match victim {
            Victim::Sender => ada.kill(),
            Victim::Receiver => ben.kill(),
        }
        must_be_whole(&there, &source.history);
        match victim {
            Victim::Sender => ada.start(),
            Victim::Receiver => ben.start(),
        };
        if is_in_sync(&ben.view()) {
            source.change(&mut seed);
        }
    }
    assert!(
        in_motion * 5 >= kills,
        "only {in_motion} of {kills} kills met a transfer"
    );
    settle((&ada, &here), (&ben, &there));
    must_be_whole(&there, &source.history);
    for root in [&here, &there] {
        assert_eq!(temporary_files(root), Vec::<String>::new());
    }
    for device in [&ada, &ben] {
        assert_eq!(
            count(&device.view(), "conflicts"),
            0,
            "nothing was edited on both sides"
        );
    }
}

/// Lets things go on up to a moment that the seed chooses: every third time some time after the
/// start, else when a number of files has arrived. Tells whether files were on their way then.
fn run_until_a_moment(receiver: &Device, round: u64, kills: u64, seed: &mut Seed) -> bool {
    let watch = Watch::new(receiver);
    if round % 3 == 2 {
        watch.look_on(Duration::from_millis(seed.below(350)));
    } else {
        let share = FILES / (kills + 1);
        let files = round * share + seed.below(share.max(1)) + 1;
        watch.until("files on their way", |view| {
            count(view, "files") >= files || count(view, "needs") > 0
        });
        watch.look_on(Duration::from_millis(seed.below(60)));
    }
    count(&receiver.view(), "needs") > 0
}

/// The tree that is sent, and all it has held.
struct Source {
    root: PathBuf,
    history: History,
    changes: u64,
}

impl Source {
    fn new(root: PathBuf) -> Self {
        let mut history = History::default();
        history.remember(&root);
        Self {
            root,
            history,
            changes: 0,
        }
    }

    /// Changes 1500 files: new ones, new bytes, a rename and a delete in each of thirty directories.
    fn change(&mut self, seed: &mut Seed) {
        self.changes += 1;
        // Each directory once: bytes that are replaced before they are remembered look torn.
        let first = seed.below(DIRECTORIES);
        for number in 0..30 {
            let number = (first + number) % DIRECTORIES;
            let directory = self.root.join(format!("d{number:03}"));
            self.change_directory(&directory, seed);
        }
        self.history.remember(&self.root);
    }

    fn change_directory(&self, directory: &Path, seed: &mut Seed) {
        let entries = fs::read_dir(directory).expect("it exists").flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        for (number, file) in files.iter().enumerate() {
            match number {
                0 => fs::remove_file(file).expect("removed"),
                1 => fs::rename(
                    file,
                    directory.join(format!("renamed{}-{}", self.changes, seed.next())),
                )
                .expect("renamed"),
                _ => self.write_whole(file, &seed.bytes(2000)),
            }
        }
        let new = directory.join(format!("new{}-{}", self.changes, seed.next()));
        self.write_whole(&new, &seed.bytes(3000));
    }

    /// Writes a file in one step: a file that is being written in place is truncated for a moment,
    /// and a device may rightly take that for what somebody wrote.
    fn write_whole(&self, file: &Path, bytes: &[u8]) {
        let aside = self.root.with_extension("aside");
        fs::write(&aside, bytes).expect("written");
        fs::rename(&aside, file).expect("renamed");
    }
}

/// Far more than coming back takes, even on a loaded machine, and half of what QUIC needs to miss a
/// peer.
const SOON: Duration = Duration::from_secs(15);

/// Enough for a sync that lasts.
const FILES: u64 = 5000;

/// Fifty files lie in each.
const DIRECTORIES: u64 = FILES / 50;
