//! Whole devices that say hello to each other, two of them with one key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use towline_wire::ice::IceServers;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::pairing::CompareString;
use towline_wire::peer::Control;

use crate::clock::Moment;
use crate::device::{Birth, Device};
use crate::identity::Identity;
use crate::io::{
    ConnectionId, Discovery, Input, NetworkEvent, NetworkRequest, Output, StoreReply, StoreRequest,
};
use crate::records::{
    DeviceSettings, FolderRecord, FolderSettings, PeerRecord, Restored, RestoredFolder, RootPath,
    ScopeRule, ServersRule, StoreOp, Totals, Verification,
};
use crate::sessions::Elsewhere;
use crate::snapshot::{FolderPeerState, Oneness};

const FOLDER: FolderId = FolderId::from_bytes([3; 16]);
const LIFE: Incarnation = Incarnation(1);

/// A peer, and two computers with one key. Each knows the others by these seeds.
const PEER: u8 = 2;
const TWINS: u8 = 1;
const FRIEND: u8 = 3;

fn id(seed: u8) -> DeviceId {
    Identity::from_seed(&[seed; 32]).id()
}

/// A device with the folder, shared with these.
fn device(seed: u8, life: u8, with: &[u8]) -> Device {
    let record = |seed: &u8| PeerRecord {
        id: id(*seed),
        name: format!("device {seed}"),
        compare: CompareString::from_bits(0),
        verification: Verification::NotVerified,
        addresses: Vec::new(),
        servers: Vec::new(),
        places: Vec::new(),
    };
    let folder = RestoredFolder {
        record: FolderRecord {
            id: FOLDER,
            label: "Papers".to_owned(),
            root: RootPath("/papers".to_owned()),
            shared_with: with.iter().map(|seed| id(*seed)).collect(),
            settings: FolderSettings::default(),
        },
        last_sequence: Sequence(5),
        have: with
            .iter()
            .map(|seed| (id(*seed), (LIFE, Sequence(5))))
            .collect(),
        needs_under: Default::default(),
        totals: Totals::default(),
        brakes: BTreeMap::new(),
        contacts: BTreeMap::new(),
        doubt: Default::default(),
    };
    let birth = Birth {
        seed: [life; 32],
        identity: Identity::from_seed(&[seed; 32]),
        restored: Restored {
            name: format!("device {seed}"),
            settings: DeviceSettings::default(),
            incarnation: LIFE,
            peers: with.iter().map(record).collect(),
            folders: vec![folder],
        },
        servers: Vec::new(),
        servers_rule: ServersRule::Chosen,
        elsewhere: Elsewhere::Allowed,
        ice: IceServers::default(),
        places: BTreeMap::new(),
        scope: ScopeRule::Chosen,
        discovery: Discovery::Off,
    };
    Device::new(Moment::default(), birth)
}

/// Devices by name; at most one connection between two of them.
struct World {
    now: Moment,
    devices: BTreeMap<&'static str, (u8, Device)>,
    /// Who is connected with whom now.
    links: Vec<(&'static str, &'static str, ConnectionId)>,
    connections: u64,
    lives: BTreeMap<&'static str, BTreeSet<Incarnation>>,
    may_read: BTreeMap<(&'static str, DeviceId), BTreeSet<FolderId>>,
}

impl World {
    fn new() -> Self {
        let devices = BTreeMap::from([
            ("peer", (PEER, device(PEER, 10, &[TWINS, FRIEND]))),
            ("friend", (FRIEND, device(FRIEND, 11, &[TWINS, PEER]))),
            ("x", (TWINS, device(TWINS, 12, &[PEER, FRIEND]))),
            ("y", (TWINS, device(TWINS, 13, &[PEER, FRIEND]))),
        ]);
        let mut world = Self {
            now: Moment::default(),
            devices,
            links: Vec::new(),
            connections: 0,
            lives: BTreeMap::new(),
            may_read: BTreeMap::new(),
        };
        world.settle();
        world
    }

    fn restart(&mut self, name: &'static str, life: u8) {
        self.links
            .retain(|(one, other, _)| *one != name && *other != name);
        self.devices
            .insert(name, (TWINS, device(TWINS, life, &[PEER, FRIEND])));
        self.settle();
    }

    /// A connection that replaces what one of both has with that key.
    fn connect(&mut self, one: &'static str, other: &'static str) {
        let ids = [self.devices[one].0, self.devices[other].0];
        let is_replaced = |(here, there, _): &(&'static str, &'static str, ConnectionId)| {
            let seeds = [self.devices[here].0, self.devices[there].0];
            let same = seeds == ids || [seeds[1], seeds[0]] == ids;
            same && [*here, *there]
                .iter()
                .any(|end| *end == one || *end == other)
        };
        let gone: Vec<_> = self
            .links
            .iter()
            .filter(|link| is_replaced(link))
            .copied()
            .collect();
        self.links.retain(|link| !gone.contains(link));
        for (here, there, connection) in gone {
            for (end, far) in [(here, there), (there, here)] {
                let far = id(self.devices[far].0);
                let event =
                    NetworkEvent::Disconnected(far, connection, crate::io::LinkFault::Closed);
                self.input(end, Input::Network(event));
            }
        }
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.links.push((one, other, connection));
        for (end, far) in [(one, other), (other, one)] {
            let far = id(self.devices[far].0);
            self.input(
                end,
                Input::Network(NetworkEvent::Connected(far, connection)),
            );
        }
        self.settle();
    }

    fn input(&mut self, name: &'static str, input: Input) {
        let now = self.now;
        let (_, device) = self.devices.get_mut(name).unwrap();
        device.handle_input(now, input);
    }

    /// Carries out what devices want until they want nothing.
    fn settle(&mut self) {
        let names: Vec<&'static str> = self.devices.keys().copied().collect();
        loop {
            let mut wanted = Vec::new();
            for name in &names {
                let (_, device) = self.devices.get_mut(name).unwrap();
                wanted.extend(std::iter::from_fn(|| device.poll_output()).map(|out| (*name, out)));
            }
            if wanted.is_empty() {
                return;
            }
            for (name, output) in wanted {
                self.perform(name, output);
            }
        }
    }

    fn perform(&mut self, name: &'static str, output: Output) {
        match output {
            Output::Store(StoreRequest::Persist(batch, operations)) => {
                for operation in operations {
                    if let StoreOp::BeginIncarnation(life) = operation {
                        self.lives.entry(name).or_default().insert(life);
                    }
                }
                self.input(name, Input::Store(StoreReply::Persisted(batch, Vec::new())));
            }
            Output::Network(NetworkRequest::Send(to, frame)) => self.carry(name, to, frame),
            Output::Network(NetworkRequest::Grant(to, folders)) => {
                self.may_read.insert((name, to), folders);
            }
            Output::Network(NetworkRequest::HangupOnFault(peer)) => {
                panic!("{name} blames {peer:?}")
            }
            Output::Store(_)
            | Output::Disk(..)
            | Output::Network(_)
            | Output::Signal(..)
            | Output::Reply(..) => {}
        }
    }

    fn carry(&mut self, from: &'static str, to: DeviceId, frame: Control) {
        let far = self.links.iter().find_map(|(one, other, connection)| {
            let far = match from {
                _ if from == *one => *other,
                _ if from == *other => *one,
                _ => return None,
            };
            (id(self.devices[far].0) == to).then_some((far, *connection))
        });
        if let Some((far, connection)) = far {
            let from = id(self.devices[from].0);
            self.input(
                far,
                Input::Network(NetworkEvent::Received(from, connection, frame)),
            );
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        let now = self.now;
        for (_, device) in self.devices.values_mut() {
            device.handle_timeout(now);
        }
        self.settle();
    }

    #[track_caller]
    fn check(&self, name: &'static str, peer: u8, oneness: Oneness, may_read: bool) {
        let snapshot = self.devices[name].1.snapshot(self.now);
        let seen = snapshot
            .peers
            .iter()
            .find(|summary| summary.record.id == id(peer))
            .unwrap();
        assert_eq!(seen.oneness, oneness, "{name} of {peer}");
        let granted = &self.may_read[&(name, id(peer))];
        assert_eq!(!granted.is_empty(), may_read, "{name} to {peer}");
    }

    #[track_caller]
    fn check_itself(&self, name: &'static str, oneness: Oneness) {
        let snapshot = self.devices[name].1.snapshot(self.now);
        assert_eq!(snapshot.device.oneness, oneness, "{name}");
    }

    fn takes_part(&self, name: &'static str, peer: u8) -> bool {
        let snapshot = self.devices[name].1.snapshot(self.now);
        let folder = &snapshot.folders[0];
        folder
            .peers
            .iter()
            .any(|part| part.id == id(peer) && part.state == FolderPeerState::Connected)
    }
}

#[test]
fn both_twins_and_the_peer_know_and_nothing_is_exchanged_by_any_of_them() {
    let mut world = World::new();
    world.connect("x", "friend");
    world.connect("x", "peer");
    assert!(world.takes_part("peer", TWINS) && world.takes_part("x", PEER));
    world.connect("y", "peer");
    world.check("peer", TWINS, Oneness::Single, true);
    world.connect("x", "peer");
    world.check("peer", TWINS, Oneness::Doubled, false);
    world.check_itself("x", Oneness::Doubled);
    assert!(!world.takes_part("peer", TWINS));
    // It stops with those as well who have seen one of the two only.
    world.check("x", FRIEND, Oneness::Single, false);
    world.check("friend", TWINS, Oneness::Single, true);
    assert!(!world.takes_part("friend", TWINS));
    world.connect("y", "peer");
    world.check_itself("y", Oneness::Doubled);
    world.check("peer", TWINS, Oneness::Doubled, false);
    // Others go on.
    world.connect("peer", "friend");
    assert!(world.takes_part("peer", FRIEND) && world.takes_part("friend", PEER));
    // Whoever knows begins a new life of its store, once; nobody else does.
    world.connect("x", "peer");
    let lives = |name| world.lives.get(name).map_or(0, BTreeSet::len);
    assert_eq!(["x", "y", "peer", "friend"].map(lives), [1, 1, 0, 0]);
}

#[test]
fn when_one_has_gone_the_other_goes_on_by_itself() {
    let mut world = World::new();
    for name in ["x", "y", "x"] {
        world.connect(name, "peer");
    }
    world.pass(Duration::from_secs(599));
    world.check("peer", TWINS, Oneness::Doubled, false);
    world.pass(Duration::from_secs(1));
    world.connect("x", "peer");
    world.check("peer", TWINS, Oneness::Single, true);
    world.check_itself("x", Oneness::Single);
    assert!(world.takes_part("peer", TWINS) && world.takes_part("x", PEER));
}

#[test]
fn when_one_has_gone_the_other_goes_on_at_once_after_a_restart() {
    let mut world = World::new();
    for name in ["x", "y", "x"] {
        world.connect(name, "peer");
    }
    world.restart("x", 14);
    world.connect("x", "peer");
    world.check("peer", TWINS, Oneness::Single, true);
    world.check_itself("x", Oneness::Single);
    assert!(world.takes_part("peer", TWINS) && world.takes_part("x", PEER));
    // It had not gone.
    world.connect("y", "peer");
    world.check("peer", TWINS, Oneness::Doubled, false);
    assert!(!world.takes_part("y", PEER));
}

#[test]
fn restarts_are_not_noticed_by_anybody() {
    let mut world = World::new();
    for life in 20..40 {
        world.connect("x", "peer");
        world.connect("x", "friend");
        world.connect("x", "peer");
        world.check("peer", TWINS, Oneness::Single, true);
        world.check_itself("x", Oneness::Single);
        assert!(world.takes_part("peer", TWINS) && world.takes_part("x", PEER));
        world.restart("x", life);
    }
    assert!(world.lives.is_empty());
}
