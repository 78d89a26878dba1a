//! Three devices, three folders, and a person at each who works without regard for what the engines
//! are doing; engines are killed, stopped and started at any moment. At rest all trees are equal,
//! nothing is lost that nobody replaced, and nothing lies anywhere that nobody wrote.
//!
//! Ada, Ben and Cay share one folder in a triangle, Ada and Ben a second one, Ben and Cay a third.
//! `TOWLINE_ROUNDS` says how often work and rest alternate (10 without it), `TOWLINE_SEED` what
//! happens; `cargo xtask soak --processes` runs it for long.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::ledger::Ledger;
use crate::support::listing::misjudged;
use crate::support::person::Person;
use crate::support::tree::{difference, files_in, temporary_files};
use crate::support::{Device, PATIENCE, Seed, Server, Watch, World, number};

#[test]
#[expect(
    clippy::print_stdout,
    reason = "a soak of hours says how far it is, with --nocapture"
)]
fn three_people_in_overlapping_folders_lose_nothing() {
    let rounds = number("TOWLINE_ROUNDS", 10);
    let first = number("TOWLINE_SEED", 20);
    let mut trio = Trio::new();
    let begun = Instant::now();
    for round in 0..rounds {
        // Each round has a seed of its own, which is told before it can fail.
        let files: u64 = trio.roots().into_iter().map(files_in).sum();
        let time = begun.elapsed().as_secs();
        println!("round {round} of {rounds}: {files} files in six trees, {time} s");
        let mut seed = Seed::new(first.wrapping_mul(1_000_003).wrapping_add(round));
        trio.work(&mut seed);
        trio.rest();
        let only_versions = trio.ledger.must_be_kept(&trio.roots());
        assert!(
            only_versions.is_empty(),
            "nobody replaced what only version stores have: {only_versions:#?}"
        );
    }
    println!(
        "{rounds} rounds, {} contents, {} kills, {} stops, {} s",
        trio.ledger.len(),
        trio.kills,
        trio.stops,
        begun.elapsed().as_secs()
    );
}

/// Three devices and their people.
struct Trio {
    devices: Vec<Device>,
    people: Vec<Person>,
    folders: Vec<Folder>,
    ledger: Ledger,
    kills: u64,
    stops: u64,
    _server: Server,
    // Last: its directories go when nobody works in them any more.
    _world: World,
}

/// A folder and where it lies, by device.
struct Folder {
    id: String,
    roots: Vec<(usize, PathBuf)>,
}

impl Trio {
    fn new() -> Self {
        let world = World::new("people");
        let server = Server::start(&world);
        let devices: Vec<Device> = ["ada", "ben", "cay"]
            .map(|name| Device::start_new(&world, name, &server))
            .into();
        for (one, other) in [(0, 1), (1, 2), (0, 2)] {
            devices[one].pair(&devices[other]);
        }
        let folder = |members: &[usize], name: &str| {
            let roots: Vec<(usize, PathBuf)> = members
                .iter()
                .map(|&seat| {
                    (
                        seat,
                        world.directory(&format!("{}.{name}", devices[seat].name)),
                    )
                })
                .collect();
            let (first, root) = &roots[0];
            let id = devices[*first].add(root);
            for (seat, root) in &roots[1..] {
                devices[*first].invite(&id, &devices[*seat], root);
            }
            for (seat, _) in &roots[1..] {
                for (other, _) in roots[1..].iter().filter(|(other, _)| other != seat) {
                    let peer = &devices[*other].name;
                    devices[*seat].call(&["folder", "invite", &id, peer]);
                }
            }
            // People here delete whole trees, which would wait for a yes.
            for (seat, _) in &roots {
                devices[*seat].call(&["brake", "set", &id, "--off"]);
            }
            Folder { id, roots }
        };
        let folders = vec![
            folder(&[0, 1, 2], "all"),
            folder(&[0, 1], "left"),
            folder(&[1, 2], "right"),
        ];
        let person = |(seat, device): (usize, &Device)| {
            let roots = folders.iter().flat_map(|folder| &folder.roots);
            let roots = roots.filter(|(owner, _)| *owner == seat);
            let aside = world.place(&format!("{}.aside", device.name));
            Person::new(
                &device.name,
                roots.map(|(_, root)| root.clone()).collect(),
                aside,
            )
        };
        let people = devices.iter().enumerate().map(person).collect();
        Self {
            devices,
            people,
            folders,
            ledger: Ledger::default(),
            kills: 0,
            stops: 0,
            _server: server,
            _world: world,
        }
    }

    fn roots(&self) -> Vec<&Path> {
        let all = self.folders.iter().flat_map(|folder| &folder.roots);
        all.map(|(_, root)| root.as_path()).collect()
    }

    /// People work; engines come and go.
    fn work(&mut self, seed: &mut Seed) {
        for _ in 0..30 + seed.below(60) {
            let seat = usize::try_from(seed.below(3)).expect("small");
            match seed.below(20) {
                0 => self.end(seat, End::Kill),
                1 if seed.below(3) == 0 => self.end(seat, End::Stop),
                2 | 3 => self.begin(seat),
                4..=8 => self.look_on(seat, Duration::from_millis(seed.below(120))),
                _ => {
                    for _ in 0..=seed.below(6) {
                        self.people[seat].act(&mut self.ledger, seed);
                    }
                }
            }
        }
    }

    fn end(&mut self, seat: usize, end: End) {
        let device = &mut self.devices[seat];
        if !device.is_running() {
            return;
        }
        match end {
            End::Kill => {
                device.kill();
                self.kills += 1;
            }
            End::Stop => {
                device.stop();
                self.stops += 1;
            }
        }
    }

    fn begin(&mut self, seat: usize) {
        if !self.devices[seat].is_running() {
            self.devices[seat].start();
        }
    }

    /// Lets things happen.
    fn look_on(&mut self, seat: usize, time: Duration) {
        if self.devices[seat].is_running() {
            Watch::new(&self.devices[seat]).look_on(time);
        }
    }

    /// Everybody runs and nobody works, until all is equal.
    fn rest(&mut self) {
        for seat in 0..self.devices.len() {
            self.begin(seat);
        }
        let deadline = Instant::now() + PATIENCE * 2;
        let watches: Vec<Watch> = self.devices.iter().map(Watch::new).collect();
        let mut views: Vec<Value> = self.devices.iter().map(Device::view).collect();
        loop {
            let mut news = Vec::new();
            for (watch, view) in watches.iter().zip(&mut views) {
                while let Some(next) = watch.next(LOOK) {
                    *view = next;
                    news.push(());
                }
            }
            // A quiet moment at all three.
            let unrest = if news.is_empty() {
                self.unrest(&views)
            } else {
                Some("news".to_owned())
            };
            match unrest {
                None => return,
                Some(unrest) if Instant::now() < deadline => drop(unrest),
                Some(unrest) => panic!("no rest: {unrest}\n{}", self.misjudged()),
            }
        }
    }

    /// What each engine knows otherwise than it lies there.
    fn misjudged(&self) -> String {
        let mut said = Vec::new();
        for Folder { id, roots } in &self.folders {
            for (seat, root) in roots {
                let device = &self.devices[*seat];
                let misjudged = misjudged(device, id, root);
                if !misjudged.is_empty() {
                    said.push(format!(
                        "{} in {}:\n{misjudged}",
                        device.name,
                        root.display()
                    ));
                }
            }
        }
        said.join("\n")
    }

    /// Why this is not the end yet.
    fn unrest(&self, views: &[Value]) -> Option<String> {
        for Folder { id, roots } in &self.folders {
            for (seat, root) in roots {
                let folders = views[*seat]["folders"].as_array()?;
                let view = folders.iter().find(|folder| folder["id"] == id.as_str())?;
                let name = &self.devices[*seat].name;
                let peers = view["peers"].as_array()?;
                let is_away = |peer: &Value| peer["state"] != "connected";
                if view["state"]["state"] != "in_sync" || peers.iter().any(is_away) {
                    return Some(format!("{name} has {view:#}"));
                }
                let (seen, lying) = (view["files"].as_u64()?, files_in(root));
                if seen != lying {
                    return Some(format!("{name} sees {seen} of {lying} files"));
                }
                // What a kill has left of a large file stays for a day, also if that was written anew
                // meanwhile.
                let left = temporary_files(root);
                if left.iter().any(|name| !name.starts_with("part-")) {
                    return Some(format!("temporary files in {}", root.display()));
                }
            }
            for pair in roots.windows(2) {
                let [(_, one), (_, other)] = pair else {
                    continue;
                };
                let different = difference(one, other);
                if different.is_some() {
                    return different;
                }
            }
        }
        None
    }
}

/// How an engine ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Kill,
    Stop,
}

/// How long one view is waited for before the next device is asked: 50 ms.
const LOOK: Duration = Duration::from_millis(50);
