//! The world: virtual time, a queue of events, and everything that surrounds the devices.
//!
//! Devices are the product's; what is around them is simulated: [`disk`], [`network`], [`server`]
//! (the product's rendezvous behind simulated sockets), stores, and [`person`]. The world performs
//! a device's outputs one by one, so it can crash between any two. Nothing here looks into a device:
//! it sees inputs, outputs and snapshots, as the engine does.

pub(crate) mod disk;
pub(crate) mod fault;
pub(crate) mod habits;
pub(crate) mod network;
pub(crate) mod person;
pub(crate) mod server;
pub(crate) mod story;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use towline_core::clock::Moment;
use towline_core::command::{Answer, Command, CommandId, Refusal};
use towline_core::device::{Birth, Device};
use towline_core::identity::Identity;
use towline_core::io::{Input, NetworkEvent, Output, Path, StoreReply, StoreRequest};
use towline_core::records::{Restored, StoreOp};
use towline_core::snapshot::Snapshot;
use towline_wire::entry::UnixNanos;
use towline_wire::ids::{DeviceId, FolderId, Incarnation};
use towline_wire::peer::Control;

use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::log::{Keep, Log};
use crate::mutation::Mutation;
use crate::shelf::{Shelf, StoreKind};
use crate::tree::Tree;

use disk::{Applying, Scanning};
use fault::Fault;
use habits::{Habit, Habits};
use network::Wires;
use person::Act;
use server::{Server, ToServer};

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
    eyes: Eyes,
    /// When the last news of the root arrives.
    root_told_until: Duration,
    scanning: Option<Scanning>,
    applying: BTreeMap<u64, Applying>,
    refuses_until: Duration,
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
    pub rule: &'static str,
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
}

/// A world.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Duration,
    order: u64,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: BTreeMap<u64, Event>,
    pub(crate) dice: Dice,
    pub(crate) seats: Vec<Seat>,
    server: Server,
    wires: Wires,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) shape: Shape,
    pub(crate) violations: Vec<Violation>,
    pub(crate) folder: Option<FolderId>,
    /// Texts that the server must never see.
    pub(crate) secrets: Vec<String>,
    /// Operations on rows and trees so far: what rests when everything agrees.
    pub(crate) work: Work,
    outputs: u64,
    people: person::People,
    weather: fault::Weather,
    habits: Habits,
}

/// Work that devices have given to their stores, disks and peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Batches that touch rows, stamps or needs.
    pub(crate) rows: u64,
    pub(crate) steps: u64,
    pub(crate) pages: u64,
}

/// Outputs after which a world is taken for one that never ends: far above the busiest.
const OUTPUTS_MAX: u64 = 400_000;

impl World {
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let mut dice = Dice::new(seed);
        let server = Server::new(&mut dice);
        Self {
            now: Duration::ZERO,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            wires: Wires::new(&mut dice),
            server,
            dice,
            seats: Vec::new(),
            ledger: Ledger::default(),
            log: Log::new(shape.keep),
            shape,
            violations: Vec::new(),
            folder: None,
            secrets: Vec::new(),
            work: Work::default(),
            outputs: 0,
            people: person::People::default(),
            weather: fault::Weather::default(),
            habits: Habits::of(seed),
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
            tree: Tree::default(),
            eyes: Eyes::Closed,
            root_told_until: Duration::ZERO,
            scanning: None,
            applying: BTreeMap::new(),
            refuses_until: Duration::ZERO,
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
        self.order += 1;
        self.queue.push(Reverse((when, self.order)));
        self.events.insert(self.order, event);
    }

    /// Lets everything happen that is due until `end`.
    pub(crate) fn run_until(&mut self, end: Duration) {
        while let Some(Reverse((when, order))) = self.queue.peek().copied()
            && when <= end
            && self.violations.is_empty()
        {
            self.queue.pop();
            self.now = when;
            if let Some(event) = self.events.remove(&order) {
                self.happen(event);
            }
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

    pub(crate) fn violate(&mut self, rule: &'static str, what: String) {
        self.note(format_args!("VIOLATION {rule}: {what}"));
        self.violations.push(Violation { rule, what });
    }

    // --- devices ---------------------------------------------------------------------------------

    fn moment(&self, seat: usize) -> Moment {
        Moment::from_start(self.now + self.seat(seat).clock_offset)
    }

    /// The device's wall clock.
    pub(crate) fn wall(&self, seat: usize) -> UnixNanos {
        let since = i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX);
        UnixNanos(1_700_000_000_000_000_000 + since + self.seat(seat).wall_offset)
    }

    /// Starts a device from its store.
    pub(crate) fn start(&mut self, seat: usize) {
        if self.is_up(seat) {
            return;
        }
        self.note(format_args!("{seat} starts"));
        let seed: [u8; 32] = self.dice.bytes();
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        place.run += 1;
        place.birth_seed = seed;
        place.answers_until = Duration::ZERO;
        let birth = Self::birth(place, seed);
        if place.memory.is_some() {
            place.first_life = Some((now, birth.restored.clone()));
        }
        place.device = Some(Device::new(now, birth));
        if let Some(memory) = &mut place.memory {
            memory.clear();
        }
        self.perform(seat);
        let addresses = network::address_of(seat).into_iter().collect();
        self.deliver(
            seat,
            Duration::from_millis(1),
            Input::Network(NetworkEvent::LocalAddresses(addresses)),
        );
    }

    fn birth(place: &Seat, seed: [u8; 32]) -> Birth {
        Birth {
            seed,
            identity: Identity::from_seed(&place.key),
            restored: place.shelf.restored(),
            server: server::URL.parse().ok(),
        }
    }

    /// The device is gone between two outputs, with all that was under way.
    pub(crate) fn crash(&mut self, seat: usize) {
        if !self.is_up(seat) {
            return;
        }
        self.note(format_args!("{seat} crashes"));
        let place = self.seat_mut(seat);
        place.device = None;
        place.requests.clear();
        place.eyes = Eyes::Closed;
        place.scanning = None;
        place.applying.clear();
        place.trust.clear();
        place.grants.clear();
        place.selected.clear();
        place.outputs_left = None;
        place.due = None;
        if place.believed.is_some() {
            place.believed = place.shelf.copy();
        }
        self.wires_lost(seat);
        self.sockets_lost(seat);
    }

    pub(crate) fn deliver(&mut self, seat: usize, delay: Duration, input: Input) {
        let run = self.seat(seat).run;
        self.after(delay, Event::Deliver { seat, run, input });
    }

    pub(crate) fn command(&mut self, seat: usize, command: Command) -> CommandId {
        let place = self.seat_mut(seat);
        place.commands += 1;
        let id = CommandId(place.commands);
        if self.is_up(seat) {
            self.tell(seat, Input::Command(id, command));
        }
        id
    }

    pub(crate) fn reply_to(&self, seat: usize, id: CommandId) -> Option<Result<Answer, Refusal>> {
        self.seat(seat).replies.get(&id).copied()
    }

    pub(crate) fn snapshot(&self, seat: usize) -> Option<Snapshot> {
        let now = self.moment(seat);
        self.seat(seat)
            .device
            .as_ref()
            .map(|device| device.snapshot(now))
    }

    fn tell(&mut self, seat: usize, input: Input) {
        let Some(input) = self.bent(seat, input) else {
            return;
        };
        self.note(format_args!("{seat} <- {input:?}"));
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        if let Some(memory) = &mut place.memory {
            memory.push((now, Told::Input(input.clone())));
        }
        if let Some(device) = &mut place.device {
            device.handle_input(now, input);
        }
        self.perform(seat);
    }

    /// What a mutation makes of an input.
    fn bent(&mut self, seat: usize, mut input: Input) -> Option<Input> {
        if self.shape.mutation == Some(Mutation::ReusedSequence)
            && let Input::Network(NetworkEvent::Received(_, _, Control::Folders(statements))) =
                &mut input
        {
            let restored = self.seat(seat).shelf.restored();
            for statement in statements {
                let ours = restored
                    .folders
                    .iter()
                    .find(|ours| ours.record.id == statement.folder);
                if let (Some((_, sequence)), Some(ours)) = (&mut statement.have, ours) {
                    *sequence = (*sequence).min(ours.last_sequence);
                }
            }
        }
        Some(input)
    }

    fn timeout(&mut self, seat: usize) {
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        let Some(device) = &mut place.device else {
            return;
        };
        place.due = None;
        // Between its making and its coming the timeout may have moved.
        if device.poll_timeout().is_some_and(|due| due <= now) {
            if let Some(memory) = &mut place.memory {
                memory.push((now, Told::Timeout));
            }
            device.handle_timeout(now);
            self.perform(seat);
        } else {
            self.arm(seat);
        }
    }

    /// Sees to it that the device is woken when it wants to be.
    fn arm(&mut self, seat: usize) {
        let now = self.moment(seat);
        let place = self.seat_mut(seat);
        let Some(wanted) = place.device.as_ref().and_then(Device::poll_timeout) else {
            return;
        };
        if place.due.is_some_and(|due| due <= wanted) {
            return;
        }
        place.due = Some(wanted);
        let run = place.run;
        self.after(wanted.since(now), Event::Timeout { seat, run });
    }

    /// Performs outputs one by one, unless a crash comes between.
    fn perform(&mut self, seat: usize) {
        loop {
            let place = self.seat_mut(seat);
            if place.outputs_left == Some(0) {
                let wait = place.restart_after;
                self.crash(seat);
                return self.after(wait, Event::Restart { seat });
            }
            let Some(output) = place.device.as_mut().and_then(Device::poll_output) else {
                break;
            };
            if let Some(left) = &mut place.outputs_left {
                *left -= 1;
            }
            self.outputs += 1;
            if self.outputs > OUTPUTS_MAX {
                let what = format!("{} outputs and no end", self.outputs);
                return self.violate("4: it ends", what);
            }
            self.note(format_args!("{seat} -> {output:?}"));
            match output {
                Output::Store(request) => self.store_asked(seat, request),
                Output::Disk(folder, request) => self.disk_asked(seat, folder, request),
                Output::Network(request) => self.network_asked(seat, request),
                Output::Signal(request) => self.signal_asked(seat, request),
                Output::Reply(id, answer) => self.replied(seat, id, answer),
            }
        }
        self.arm(seat);
    }

    fn replied(&mut self, seat: usize, id: CommandId, answer: Result<Answer, Refusal>) {
        if let Ok(Answer::Folder(folder)) = answer {
            let kept = self.seat(seat).shelf.restored().folders;
            if !kept.iter().any(|kept| kept.record.id == folder) {
                let what = format!("{seat} answered with folder {folder}, which is not durable");
                self.violate("9: nothing is told before it is durable", what);
            }
        }
        self.seat_mut(seat).replies.insert(id, answer);
    }

    // --- store -----------------------------------------------------------------------------------

    fn store_asked(&mut self, seat: usize, request: StoreRequest) {
        let request = self.forged(request);
        if let StoreRequest::Persist(_, operations) = &request {
            let touches = |operation: &StoreOp| match operation {
                StoreOp::PutOurRows { .. }
                | StoreOp::PutStamps { .. }
                | StoreOp::PutPeerRows { .. }
                | StoreOp::ForgetPeerRows { .. }
                | StoreOp::SettleNeeds { .. } => true,
                StoreOp::PutDeviceName(_)
                | StoreOp::PutDeviceSettings(_)
                | StoreOp::BeginIncarnation(_)
                | StoreOp::PutPeer(_)
                | StoreOp::RemovePeer(_)
                | StoreOp::PutFolder(_)
                | StoreOp::RemoveFolder(_) => false,
            };
            self.work.rows += u64::from(operations.iter().any(touches));
            if operations
                .iter()
                .any(|one| matches!(one, StoreOp::BeginIncarnation(_)))
            {
                self.seat_mut(seat).backup = None;
            }
        }
        let mut early = None;
        if let Some(believed) = &mut self.seat_mut(seat).believed
            && let StoreRequest::Persist(..) = &request
        {
            early = Some(believed.reply(request.clone()));
        }
        match (self.shape.mutation, &request) {
            (Some(Mutation::OutputsBeforePersist), StoreRequest::Persist(..)) => {
                if let Some(reply) = early {
                    self.deliver(seat, Duration::from_micros(1), Input::Store(reply));
                }
            }
            (Some(Mutation::IndexBeforeDurable), StoreRequest::LoadIndex { .. }) => {
                let believed = self.seat_mut(seat).believed.as_mut();
                if let Some(reply) = believed.map(|shelf| shelf.reply(request.clone())) {
                    return self.deliver(seat, Duration::from_micros(1), Input::Store(reply));
                }
            }
            _ => {}
        }
        let place = self.seat_mut(seat);
        place.requests.push_back(request);
        if place.requests.len() == 1 {
            self.store_wakes(seat);
        }
    }

    fn store_wakes(&mut self, seat: usize) {
        let slow = self.dice.chance(4);
        let delay = if slow {
            self.dice.millis(20, 400)
        } else {
            self.dice.micros(50, 4000)
        };
        let run = self.seat(seat).run;
        self.after(delay, Event::Store { seat, run });
    }

    /// The next request reaches the shelf: from now on a batch is durable. The answer comes later.
    fn store_next(&mut self, seat: usize) {
        let place = self.seat_mut(seat);
        let Some(request) = place.requests.pop_front() else {
            return;
        };
        let reply = place.shelf.reply(request);
        let waits = !place.requests.is_empty();
        let told_early = self.shape.mutation == Some(Mutation::OutputsBeforePersist)
            && matches!(reply, StoreReply::Persisted(..));
        if !told_early {
            let delay = self.dice.micros(10, 2000);
            let now = self.now;
            let place = self.seat_mut(seat);
            place.answers_until = place.answers_until.max(now + delay);
            let wait = place.answers_until - now;
            self.deliver(seat, wait, Input::Store(reply));
        }
        if waits {
            self.store_wakes(seat);
        }
    }

    /// What a mutation makes of a request to the store.
    fn forged(&self, mut request: StoreRequest) -> StoreRequest {
        if self.shape.mutation == Some(Mutation::ForgottenCounter)
            && let StoreRequest::Persist(_, operations) = &mut request
        {
            for operation in operations {
                if let StoreOp::PutOurRows { rows, .. } = operation {
                    for row in rows {
                        forget_counter(&mut row.entry);
                    }
                }
            }
        }
        request
    }
}

/// Takes the last write off an entry's history, as if its counter had not been raised.
fn forget_counter(entry: &mut towline_wire::entry::Entry) {
    let author = entry.author;
    if author.counter < 2 || entry.version.counter(author.actor) != author.counter {
        return;
    }
    let counters: Vec<_> = entry
        .version
        .iter()
        .map(|(actor, counter)| {
            (
                actor,
                if actor == author.actor {
                    counter - 1
                } else {
                    counter
                },
            )
        })
        .collect();
    if let Ok(version) = counters.try_into() {
        entry.version = version;
        entry.author.counter -= 1;
    }
}

impl World {
    /// Under a mutation: the device is as it was when it had been told only so much.
    pub(crate) fn rewind(&mut self, seat: usize, mark: usize) {
        let place = self.seat_mut(seat);
        let Some(memory) = place.memory.clone() else {
            return;
        };
        let Some(first) = place.first_life.clone() else {
            return;
        };
        let (born, restored) = first;
        let birth = Birth {
            restored,
            ..Self::birth(place, place.birth_seed)
        };
        let mut device = Device::new(born, birth);
        while device.poll_output().is_some() {}
        for (now, told) in memory.into_iter().take(mark) {
            match told {
                Told::Input(input) => device.handle_input(now, input),
                Told::Timeout => device.handle_timeout(now),
            }
            while device.poll_output().is_some() {}
        }
        place.device = Some(device);
        place.due = None;
        self.arm(seat);
    }
}
