//! The world: virtual time, a queue of events, and everything that surrounds the devices.
//!
//! Devices are the product's; what is around them is simulated: `disk`, `network`, `server`
//! (the product's rendezvous behind simulated sockets), stores, and [`person`]. The world performs
//! a device's outputs one by one, so it can crash between any two. Nothing here looks into a device:
//! it sees inputs, outputs and snapshots, as the engine does.

mod acquaintance;
mod bug;
mod device;
mod disk;
mod fault;
mod fetch;
mod habits;
mod inbox;
mod network;
pub(crate) mod person;
mod power;
mod records;
mod rest;
mod scan;
mod server;
mod step;
mod story;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use towline_core::clock::Moment;
use towline_core::command::{Answer, CommandId, Refusal};
use towline_core::device::Device;
use towline_core::identity::Identity;
use towline_core::io::{Input, Path, StoreRequest};
use towline_core::records::{Restored, StoreOp};
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::rel_path::RelPath;

use crate::agenda::Agenda;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::log::{Keep, Log};
use crate::mutation::Mutation;
use crate::rule::Rule;
use crate::shelf::{Shelf, StoreKind};
use crate::topology::{self, Edge};
use crate::tree::Tree;

use fault::Fault;
use habits::{Habit, Habits};
use inbox::Inbox;
use network::Wires;
use person::Act;
use power::{Power, Spoiled};
use scan::Scanning;
use server::{Server, ToServer};
use step::Applying;

/// One device's place in the world; what is here outlives the device's crashes.
#[derive(Debug)]
pub(crate) struct Seat {
    key: [u8; 32],
    pub(crate) id: DeviceId,
    device: Option<Device>,
    /// Counts the device's lives; what was under way in an earlier one is void.
    run: u32,
    /// Where this device's clocks stand against the world's.
    clock_offset: Duration,
    wall_offset: i64,
    pub(crate) shelf: Shelf,
    /// Requests that have not reached the shelf.
    requests: VecDeque<StoreRequest>,
    /// What the device believes to be on the shelf; only under a mutation.
    believed: Option<Shelf>,
    /// When the last answer of the store arrives: answers come in order.
    answers_until: Duration,
    pub(crate) tree: Tree,
    /// What power cuts have made of files.
    spoiled: BTreeMap<RelPath, Spoiled>,
    eyes: Eyes,
    /// When the last news of the root arrives.
    root_told_until: Duration,
    scanning: Option<Scanning>,
    applying: BTreeMap<u64, Applying>,
    /// Numbers temporary files.
    last_temporary: u64,
    refuses_until: Duration,
    /// Batches that are still made durable before the store loses them all and the device crashes.
    tears_after: Option<u32>,
    trust: BTreeSet<DeviceId>,
    grants: BTreeMap<DeviceId, BTreeSet<FolderId>>,
    selected: BTreeMap<DeviceId, Path>,
    connections: u64,
    /// Outputs that are still performed before the device crashes.
    outputs_left: Option<u32>,
    restart_after: Duration,
    backup: Option<Shelf>,
    due: Option<Moment>,
    commands: u64,
    replies: BTreeMap<CommandId, Result<Answer, Refusal>>,
    /// Everything that the device was told, to bring it back as it was; only under a mutation.
    memory: Option<Vec<(Moment, Told)>>,
    /// Steps that a power cut takes back, and where pages were lost; only under mutations.
    unsynced: Vec<bug::Unsynced>,
    lost_pages: BTreeMap<DeviceId, Sequence>,
    birth_seed: [u8; 32],
    first_life: Option<(Moment, Restored)>,
}

/// Whether the disk watches a root for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eyes {
    Closed,
    Open,
}

/// What a device was told.
#[derive(Debug, Clone)]
enum Told {
    Input(Input),
    Timeout,
}

/// What happens next.
#[derive(Debug)]
pub(crate) enum Event {
    Deliver {
        seat: usize,
        run: u32,
        input: Input,
    },
    Store {
        seat: usize,
        run: u32,
    },
    Timeout {
        seat: usize,
        run: u32,
    },
    ScanLook {
        seat: usize,
        run: u32,
        scan: u64,
    },
    ScanTell {
        seat: usize,
        run: u32,
        scan: u64,
    },
    Fetch {
        seat: usize,
        run: u32,
        apply: u64,
        step: usize,
    },
    Commit {
        seat: usize,
        run: u32,
        apply: u64,
        step: usize,
    },
    Frame {
        wire: u64,
        end: usize,
    },
    Tick,
    ToServer {
        socket: u64,
        what: ToServer,
    },
    ServerTimeout,
    Restart {
        seat: usize,
    },
    Act(Act),
    Fault(Fault),
    Habit(Habit),
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub what: String,
}

/// What kind of world it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Which store its devices have.
    pub store: StoreKind,
    /// A bug that is switched in.
    pub mutation: Option<Mutation>,
    /// How much of the log is kept.
    pub keep: Keep,
}

/// How a world ended.
#[derive(Debug)]
pub struct Report {
    /// The hash over everything that happened.
    pub hash: blake3::Hash,
    /// Broken promises, the first one first.
    pub violations: Vec<Violation>,
    /// The kept lines of the log.
    pub lines: Vec<String>,
    /// How many devices lived in it.
    pub devices: u32,
    /// How long, by the world's clock.
    pub lasted: Duration,
}

/// A world.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Duration,
    agenda: Agenda<Event>,
    pub(crate) dice: Dice,
    pub(crate) seats: Vec<Seat>,
    server: Server,
    wires: Wires,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) shape: Shape,
    pub(crate) violations: Vec<Violation>,
    pub(crate) folder: Option<FolderId>,
    pub(crate) faults: Faults,
    pub(crate) edges: Vec<Edge>,
    /// Whether a device has forgotten something: a store was put back or lost, or a device was killed
    /// or paused with steps of which it had not yet noted the end.
    pub(crate) has_forgotten: bool,
    /// Texts that the server must never see.
    pub(crate) secrets: Vec<String>,
    /// Operations on rows and trees so far: what rests when everything agrees.
    pub(crate) work: Work,
    outputs: u64,
    people: person::People,
    weather: fault::Weather,
    habits: Habits,
    power: Power,
    inbox: Inbox,
}

/// Work that devices have given to their stores, disks and peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Batches that touch rows, stamps or needs.
    pub(crate) rows: u64,
    pub(crate) steps: u64,
    /// Frames between devices, but for addresses.
    pub(crate) frames: u64,
    /// Index pages among them.
    pub(crate) pages: u64,
    /// Fetches that were begun.
    pub(crate) fetches: u64,
    /// Notes that roots were to take of their stores' age.
    pub(crate) notes: u64,
}

/// Outputs after which a world is taken for one that never ends: far above the busiest.
const OUTPUTS_MAX: u64 = 400_000;

impl World {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let mut dice = Dice::new(seed);
        let devices = topology::devices(&mut dice);
        let edges = topology::drawn(&mut dice, devices);
        let faults = Faults::drawn(&mut dice, devices);
        let server = Server::new(&mut dice, faults.network.server_latency);
        Self {
            now: Duration::ZERO,
            agenda: Agenda::new(),
            wires: Wires::default(),
            server,
            dice,
            seats: Vec::new(),
            ledger: Ledger::default(),
            log: Log::new(shape.keep),
            shape,
            violations: Vec::new(),
            folder: None,
            faults,
            edges,
            has_forgotten: false,
            secrets: Vec::new(),
            work: Work::default(),
            outputs: 0,
            people: person::People::default(),
            weather: fault::Weather::default(),
            habits: Habits::of(seed),
            power: Power::of(seed, shape.mutation),
            inbox: Inbox::of(seed),
        }
    }

    /// Adds a device with an empty store.
    pub(crate) fn add_seat(&mut self) -> usize {
        let key: [u8; 32] = self.dice.bytes();
        let incarnation = Incarnation(self.dice.number());
        let mut shelf = Shelf::new(self.shape.store, incarnation);
        let number = self.seats.len();
        shelf.put(vec![StoreOp::PutDeviceName(format!("device {number}"))]);
        let believes = matches!(
            self.shape.mutation,
            Some(Mutation::OutputsBeforePersist | Mutation::IndexBeforeDurable)
        );
        self.seats.push(Seat {
            key,
            id: Identity::from_seed(&key).id(),
            device: None,
            run: 0,
            clock_offset: Duration::from_secs(self.dice.below(100_000) as u64),
            wall_offset: (self.dice.below(20_000) as i64 - 10_000) * 1_000_000,
            believed: if believes { shelf.copy() } else { None },
            shelf,
            requests: VecDeque::new(),
            answers_until: Duration::ZERO,
            tree: Tree::new(self.faults.disks.get(number).copied().unwrap_or_default()),
            spoiled: BTreeMap::new(),
            eyes: Eyes::Closed,
            root_told_until: Duration::ZERO,
            scanning: None,
            applying: BTreeMap::new(),
            last_temporary: 0,
            refuses_until: Duration::ZERO,
            tears_after: None,
            trust: BTreeSet::new(),
            grants: BTreeMap::new(),
            selected: BTreeMap::new(),
            connections: 0,
            outputs_left: None,
            restart_after: Duration::ZERO,
            backup: None,
            due: None,
            commands: 0,
            replies: BTreeMap::new(),
            memory: None,
            unsynced: Vec::new(),
            lost_pages: BTreeMap::new(),
            birth_seed: [0; 32],
            first_life: None,
        });
        number
    }

    /// A seat. Seats are made before the first event and never removed, so every number in the
    /// world names one.
    pub(crate) fn seat(&self, seat: usize) -> &Seat {
        &self.seats[seat]
    }

    /// As [`Self::seat`].
    pub(crate) fn seat_mut(&mut self, seat: usize) -> &mut Seat {
        &mut self.seats[seat]
    }

    pub(crate) fn seat_of(&self, id: DeviceId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.id == id)
    }

    pub(crate) fn is_up(&self, seat: usize) -> bool {
        self.seat(seat).device.is_some()
    }

    // --- time ------------------------------------------------------------------------------------

    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn at(&mut self, when: Duration, event: Event) {
        self.agenda.enter(when, event);
    }

    /// Lets everything happen that is due until `end`.
    pub(crate) fn run_until(&mut self, end: Duration) {
        while self.violations.is_empty()
            && let Some((when, event)) = self.agenda.next_until(end)
        {
            self.now = when;
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets time pass until something is true, at most so long; whether it became true.
    pub(crate) fn pass_until(
        &mut self,
        most: Duration,
        mut is_true: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + most;
        loop {
            if is_true(self) {
                return true;
            }
            if self.now >= end || !self.violations.is_empty() {
                return false;
            }
            self.pass(Duration::from_millis(200));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { seat, run, input } => {
                if self.is_current(seat, run) {
                    self.tell(seat, input);
                }
            }
            Event::Store { seat, run } => {
                if self.is_current(seat, run) {
                    self.store_next(seat);
                }
            }
            Event::Timeout { seat, run } => {
                if self.is_current(seat, run) {
                    self.timeout(seat);
                }
            }
            Event::ScanLook { seat, run, scan } => {
                if self.is_current(seat, run) {
                    self.scan_look(seat, scan);
                }
            }
            Event::ScanTell { seat, run, scan } => {
                if self.is_current(seat, run) {
                    self.scan_tell(seat, scan);
                }
            }
            Event::Fetch {
                seat,
                run,
                apply,
                step,
            } => {
                if self.is_current(seat, run) {
                    self.fetch(seat, apply, step);
                }
            }
            Event::Commit {
                seat,
                run,
                apply,
                step,
            } => {
                if self.is_current(seat, run) {
                    self.commit(seat, apply, step);
                }
            }
            Event::Frame { wire, end } => self.frame_arrives(wire, end),
            Event::Tick => self.tick(),
            Event::ToServer { socket, what } => self.at_server(socket, what),
            Event::ServerTimeout => self.server_timeout(),
            Event::Restart { seat } => self.start(seat),
            Event::Act(act) => self.act(act),
            Event::Fault(fault) => self.fault(fault),
            Event::Habit(habit) => self.habit(habit),
        }
    }

    fn is_current(&self, seat: usize, run: u32) -> bool {
        let seat = self.seat(seat);
        seat.run == run && seat.device.is_some()
    }

    pub(crate) fn note(&mut self, text: std::fmt::Arguments<'_>) {
        self.log.note(self.now, text);
    }

    pub(crate) fn violate(&mut self, rule: Rule, what: String) {
        self.note(format_args!("VIOLATION {rule}: {what}"));
        self.violations.push(Violation { rule, what });
    }
}
