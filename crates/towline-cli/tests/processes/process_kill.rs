//! `kill -9` of either side at any moment: both trees become equal, and no file is ever half.
//!
//! `TOWLINE_KILLS` says how often (10 without it), `TOWLINE_SEED` with which moments. When all files
//! have arrived before the last kill, the source changes five hundred more.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::device::Dialer;
use crate::support::tree::{History, grow, must_be_whole, settle, temporary_files};
use crate::support::watch::{count, is_in_sync};
use crate::support::{Device, Seed, Server, Watch, World};

#[derive(Clone, Copy)]
enum Victim {
    Sender,
    Receiver,
}

#[test]
fn killing_the_receiver_loses_nothing() {
    kill(Victim::Receiver, "killrecv");
}

#[test]
fn killing_the_sender_loses_nothing() {
    kill(Victim::Sender, "killsend");
}

fn kill(victim: Victim, name: &str) {
    let world = World::new(name);
    let server = Server::start(&world);
    // Who comes back dials, so that the other one need not first miss it.
    let dialer = match victim {
        Victim::Sender => Dialer::First,
        Victim::Receiver => Dialer::Second,
    };
    let (mut ada, mut ben) = Device::two(&world, &server, dialer);
    ada.pair(&ben);
    let (here, there) = (world.directory("here"), world.directory("there"));
    let mut seed = Seed::new(number("TOWLINE_SEED", 7));
    grow(&here, FILES, &mut seed);
    let mut source = Source::new(here.clone());
    ada.share(&here, &ben, &there);
    let kills = number("TOWLINE_KILLS", 10);
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
        in_motion * 2 >= kills,
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
        watch.look_on(Duration::from_millis(seed.below(700)));
    } else {
        let share = FILES / (kills + 1);
        let files = round * share + seed.below(share.max(1)) + 1;
        watch.until("files on their way", |view| {
            count(view, "files") >= files || count(view, "needs") > 0
        });
        watch.look_on(Duration::from_millis(seed.below(150)));
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

    /// Changes five hundred files: new ones, new bytes, a rename and a delete in each of ten directories.
    fn change(&mut self, seed: &mut Seed) {
        self.changes += 1;
        for _ in 0..10 {
            let directory = self.root.join(format!("d{:03}", seed.below(FILES / 50)));
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

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// What the issue asks for.
const FILES: u64 = 5000;
