//! The device: what its commands and its peers' statements mean for all machines together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::ice::IceServers;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::pairing::CompareString;
use towline_wire::peer::{Challenge, Control, FolderStatement, Hello, IndexPage};
use towline_wire::signal::{AccessToken, Nonce};
use towline_wire::version::VersionRange;

use super::session::greeting;
use crate::clock::Moment;
use crate::command::{Answer, Command, CommandId, Refusal};
use crate::device::{Birth, Device};
use crate::identity::Identity;
use crate::io::{
    ConnectionId, Discovery, Input, LinkFault, NetworkEvent, NetworkRequest, NetworkScope, Output,
    SessionId, SignalEvent, SignalRequest, StoreReply, StoreRequest, StunServer,
};
use crate::records::{
    Activity, ChosenServer, DeviceSettings, FolderRecord, FolderSettings, PeerRecord, Restored,
    RestoredFolder, RootPath, ScopeRule, ServersRule, StoreOp, Totals, Verification,
};
use crate::sessions::Elsewhere;
use crate::snapshot::LinkState;

const FOLDER: FolderId = FolderId::from_bytes([3; 16]);
const LIFE: Incarnation = Incarnation(1);
const CONNECTION: ConnectionId = ConnectionId(1);

fn peer() -> DeviceId {
    Identity::from_seed(&[2; 32]).id()
}

/// A device with one peer, and with the folder if it is not lost; what it said at birth is taken.
fn device(folders: impl IntoIterator<Item = RestoredFolder>) -> Device {
    device_at(None, folders)
}

/// Such a device that has a signal server.
fn device_at(server: Option<&str>, folders: impl IntoIterator<Item = RestoredFolder>) -> Device {
    let mut device = Device::new(Moment::default(), birth(server, folders));
    outputs(&mut device);
    device
}

/// What such a device is born with.
fn birth(server: Option<&str>, folders: impl IntoIterator<Item = RestoredFolder>) -> Birth {
    let peer = PeerRecord {
        id: peer(),
        name: "Ben".to_owned(),
        compare: CompareString::from_bits(0),
        verification: Verification::NotVerified,
        addresses: Vec::new(),
        servers: Vec::new(),
        places: Vec::new(),
    };
    Birth {
        seed: [0; 32],
        identity: Identity::from_seed(&[1; 32]),
        restored: Restored {
            name: "Anna".to_owned(),
            settings: DeviceSettings::default(),
            incarnation: LIFE,
            peers: vec![peer],
            folders: folders.into_iter().collect(),
        },
        servers: server.map(|url| url.parse().unwrap()).into_iter().collect(),
        servers_rule: ServersRule::Chosen,
        elsewhere: Elsewhere::Allowed,
        ice: IceServers::default(),
        places: BTreeMap::new(),
        scope: ScopeRule::Chosen,
        discovery: Discovery::Off,
    }
}

/// The folder, shared with the peer, told up to 500.
fn folder() -> RestoredFolder {
    RestoredFolder {
        record: FolderRecord {
            id: FOLDER,
            label: "Papers".to_owned(),
            root: RootPath("/papers".to_owned()),
            shared_with: BTreeSet::from([peer()]),
            settings: FolderSettings::default(),
        },
        last_sequence: Sequence(500),
        have: BTreeMap::from([(peer(), (Incarnation(9), Sequence(7)))]),
        needs_under: Default::default(),
        totals: Totals::default(),
        brakes: BTreeMap::new(),
        doubt: Default::default(),
        contacts: BTreeMap::new(),
    }
}

fn outputs(device: &mut Device) -> Vec<Output> {
    std::iter::from_fn(|| device.poll_output()).collect()
}

fn operations(device: &mut Device) -> Vec<StoreOp> {
    let batches = outputs(device).into_iter().filter_map(|output| {
        if let Output::Store(StoreRequest::Persist(_, operations)) = output {
            Some(operations)
        } else {
            None
        }
    });
    batches.flatten().collect()
}

fn command(device: &mut Device, command: Command) -> Vec<StoreOp> {
    device.handle_input(Moment::default(), Input::Command(CommandId(1), command));
    operations(device)
}

/// The peer connects, says hello, and states the folder.
fn state(device: &mut Device, label: &str, have: Option<(Incarnation, Sequence)>) {
    let hello = Hello {
        versions: VersionRange::OURS,
        run: 7,
        challenge: Challenge([7; 32]),
    };
    let statement = FolderStatement {
        folder: FOLDER,
        label: label.to_owned(),
        have,
    };
    for event in [
        NetworkEvent::Connected(peer(), CONNECTION),
        NetworkEvent::Received(peer(), CONNECTION, Control::Hello(hello)),
        NetworkEvent::Received(peer(), CONNECTION, Control::Folders(vec![statement])),
    ] {
        device.handle_input(Moment::default(), Input::Network(event));
    }
}

/// The peer connects anew, says hello with these versions, and names its servers.
fn name_servers(
    device: &mut Device,
    at_s: u64,
    versions: VersionRange,
    servers: &[&str],
) -> Vec<Output> {
    let hello = Hello {
        versions,
        run: 7,
        challenge: Challenge([7; 32]),
    };
    let connection = ConnectionId(at_s + 2);
    let servers = servers.iter().map(|url| url.parse().unwrap()).collect();
    for event in [
        NetworkEvent::Connected(peer(), connection),
        NetworkEvent::Received(peer(), connection, Control::Hello(hello)),
        NetworkEvent::Received(peer(), connection, Control::Servers(servers)),
    ] {
        let now = Moment::from_start(Duration::from_secs(at_s));
        device.handle_input(now, Input::Network(event));
    }
    outputs(device)
}

/// The servers of the peer as they were made durable.
fn kept_servers(outputs: &[Output]) -> Option<Vec<String>> {
    outputs.iter().find_map(|output| {
        let Output::Store(StoreRequest::Persist(_, operations)) = output else {
            return None;
        };
        operations.iter().find_map(|operation| {
            if let StoreOp::PutPeer(record) = operation {
                Some(record.servers.clone())
            } else {
                None
            }
        })
    })
}

fn told_servers(outputs: &[Output]) -> Option<usize> {
    outputs.iter().find_map(|output| {
        if let Output::Network(NetworkRequest::Send(_, Control::Servers(servers))) = output {
            Some(servers.len())
        } else {
            None
        }
    })
}

fn hangs_up(outputs: &[Output]) -> bool {
    let hangup = Output::Network(NetworkRequest::HangupOnFault(peer()));
    outputs.contains(&hangup)
}

#[test]
fn a_peer_that_has_gone_to_another_server_is_kept_there_and_met_there() {
    let mut device = device_at(Some("wss://one.example/ws"), [folder()]);
    let moved = ["wss://two.example/ws", "wss://three.example/ws"];
    let outputs = name_servers(&mut device, 0, VersionRange::OURS, &moved);
    assert_eq!(kept_servers(&outputs).unwrap(), moved);
    assert_eq!(told_servers(&outputs), Some(1), "and is told ours");
    let goes_there = |output: &Output| {
        let there = SignalRequest::Connect(moved[0].to_owned());
        matches!(output, Output::Signal(_, request) if *request == there)
    };
    assert!(outputs.iter().any(goes_there));
    // The same again changes nothing.
    let outputs = name_servers(&mut device, 100, VersionRange::OURS, &moved);
    assert_eq!(kept_servers(&outputs), None);
    // It may have none any more.
    let outputs = name_servers(&mut device, 200, VersionRange::OURS, &[]);
    assert_eq!(kept_servers(&outputs), Some(Vec::new()));
}

#[test]
fn lists_of_servers_that_are_too_long_twice_or_too_frequent_lead_nowhere() {
    let urls: Vec<String> = (0..4).map(|at| format!("wss://s{at}.example/ws")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut device = device_at(Some("wss://one.example/ws"), [folder()]);
    let outputs = name_servers(&mut device, 0, VersionRange::OURS, &urls);
    assert!(hangs_up(&outputs) && kept_servers(&outputs).is_none());
    let outputs = name_servers(&mut device, 10, VersionRange::OURS, &urls[..1]);
    assert!(kept_servers(&outputs).is_some());
    let again = Control::Servers(vec![urls[1].parse().unwrap()]);
    let again = NetworkEvent::Received(peer(), ConnectionId(12), again);
    device.handle_input(
        Moment::from_start(Duration::from_secs(11)),
        Input::Network(again),
    );
    let said = self::outputs(&mut device);
    assert!(hangs_up(&said) && kept_servers(&said).is_none());
    let outputs = name_servers(&mut device, 20, VersionRange::OURS, &urls[1..2]);
    assert!(kept_servers(&outputs).is_none(), "within a minute");
    assert!(!hangs_up(&outputs));
    let outputs = name_servers(&mut device, 80, VersionRange::OURS, &urls[1..2]);
    assert_eq!(kept_servers(&outputs).unwrap(), urls[1..2]);
}

#[test]
fn a_peer_of_the_version_before_is_not_told_of_servers() {
    let mut device = device_at(Some("wss://one.example/ws"), [folder()]);
    let (oldest, newest) = (2, 3);
    let outputs = name_servers(&mut device, 0, VersionRange { oldest, newest }, &[]);
    assert_eq!(told_servers(&outputs), None);
}

fn begins_a_life(operations: &[StoreOp]) -> bool {
    operations
        .iter()
        .any(|operation| matches!(operation, StoreOp::BeginIncarnation(life) if *life != LIFE))
}

#[test]
fn a_folder_that_is_removed_comes_back_only_in_a_new_life() {
    let operations = command(&mut device([folder()]), Command::RemoveFolder(FOLDER));
    assert!(operations.contains(&StoreOp::RemoveFolder(FOLDER)));
    assert!(begins_a_life(&operations));
}

#[test]
fn a_peer_that_has_more_of_our_index_than_we_begins_a_new_life() {
    for (folders, have, begins) in [
        (vec![folder()], Sequence(500), false),
        (vec![folder()], Sequence(501), true),
        // The whole folder was rolled back.
        (Vec::new(), Sequence(1), true),
        (Vec::new(), Sequence(0), false),
    ] {
        let mut device = device(folders);
        state(&mut device, "Papers", Some((LIFE, have)));
        assert_eq!(begins_a_life(&operations(&mut device)), begins, "{have:?}");
    }
    let mut device = device(Vec::new());
    state(&mut device, "Papers", Some((Incarnation(8), Sequence(9))));
    assert!(!begins_a_life(&operations(&mut device)));
}

#[test]
fn a_removed_peer_is_forgotten_by_its_folders() {
    let operations = command(&mut device([folder()]), Command::RemovePeer(peer()));
    let forget = StoreOp::ForgetPeerRows {
        folder: FOLDER,
        device: peer(),
    };
    assert!(operations.contains(&forget));
    assert!(operations.contains(&StoreOp::RemovePeer(peer())));
}

/// What the device says that it shares with its peer, the last time, and what the peer may read.
fn stated(device: &mut Device) -> (Option<usize>, Option<usize>) {
    let mut said = (None, None);
    for output in outputs(device) {
        if let Output::Network(NetworkRequest::Send(_, Control::Folders(folders))) = output {
            said.0 = Some(folders.len());
        } else if let Output::Network(NetworkRequest::Grant(_, folders)) = output {
            said.1 = Some(folders.len());
        }
    }
    said
}

fn set_activity(device: &mut Device, activity: Activity) {
    let settings = FolderSettings {
        activity,
        ..FolderSettings::default()
    };
    let configure = Command::ConfigureFolder(FOLDER, Box::new(settings));
    device.handle_input(Moment::default(), Input::Command(CommandId(1), configure));
}

#[test]
fn a_paused_folder_is_not_stated_and_not_readable() {
    let mut device = device([folder()]);
    state(&mut device, "Papers", Some((LIFE, Sequence(500))));
    assert_eq!(stated(&mut device), (Some(1), Some(1)));
    set_activity(&mut device, Activity::Paused);
    assert_eq!(stated(&mut device), (Some(0), Some(0)));
    set_activity(&mut device, Activity::Running);
    assert_eq!(stated(&mut device), (Some(1), Some(1)));
    // What the peer sent before it heard of either is passed over; after that a gap is a fault.
    let page = |after, up_to| {
        let page = IndexPage {
            folder: FOLDER,
            incarnation: Incarnation(9),
            after: Sequence(after),
            up_to: Sequence(up_to),
            entries: Vec::new(),
        };
        Input::Network(NetworkEvent::Received(
            peer(),
            CONNECTION,
            Control::Index(page),
        ))
    };
    let hangup = Output::Network(NetworkRequest::HangupOnFault(peer()));
    device.handle_input(Moment::default(), page(9, 10));
    assert!(!outputs(&mut device).contains(&hangup));
    device.handle_input(Moment::default(), page(7, 9));
    let taken = outputs(&mut device);
    let batch = taken.into_iter().find_map(|output| {
        if let Output::Store(StoreRequest::Persist(batch, operations)) = output
            && matches!(operations[..], [StoreOp::PutPeerRows { .. }])
        {
            Some(batch)
        } else {
            None
        }
    });
    let persisted = StoreReply::Persisted(batch.expect("a batch"), Vec::new());
    device.handle_input(Moment::default(), Input::Store(persisted));
    device.handle_input(Moment::default(), page(10, 11));
    assert!(outputs(&mut device).contains(&hangup));
}

#[test]
fn a_label_that_cannot_be_shown_ends_the_link() {
    let hangup = Output::Network(NetworkRequest::HangupOnFault(peer()));
    for (label, is_fault) in [("Papers", false), ("\u{1b}[2J", true), ("", true)] {
        let mut device = device(Vec::new());
        state(&mut device, label, None);
        assert_eq!(
            outputs(&mut device).contains(&hangup),
            is_fault,
            "{label:?}"
        );
    }
}

#[test]
fn a_page_that_breaks_the_protocol_ends_the_link_and_says_why() {
    let mut device = device([folder()]);
    let dialable = Input::Network(NetworkEvent::LocalAddresses(Vec::new()));
    device.handle_input(Moment::default(), dialable);
    state(&mut device, "Papers", Some((LIFE, Sequence(500))));
    outputs(&mut device);
    let page = IndexPage {
        folder: FOLDER,
        incarnation: Incarnation(9),
        // A gap: we have 7.
        after: Sequence(9),
        up_to: Sequence(10),
        entries: Vec::new(),
    };
    let received = NetworkEvent::Received(peer(), CONNECTION, Control::Index(page));
    device.handle_input(Moment::default(), Input::Network(received));
    let hangup = Output::Network(NetworkRequest::HangupOnFault(peer()));
    assert!(outputs(&mut device).contains(&hangup));
    let link = &device.snapshot(Moment::default()).peers[0].link;
    let LinkState::Waiting { fault, .. } = link else {
        panic!("not waiting but {link:?}")
    };
    assert_eq!(*fault, LinkFault::Protocol);
}

#[test]
fn the_servers_of_a_greeting_are_asked_and_their_word_is_told_to_peers() {
    let mut device = device_at(Some("wss://signal.example/ws"), Vec::new());
    let now = Moment::default();
    let connected = NetworkEvent::Connected(peer(), CONNECTION);
    device.handle_input(now, Input::Network(connected));
    device.handle_input(
        now,
        Input::Signal(SessionId::default(), SignalEvent::Opened),
    );
    let named = [":3478", "[2001:db8::1]:3479", "nonsense", "a:0"];
    let hello = greeting(Nonce::from_bytes([3; 32]), &named);
    outputs(&mut device);
    device.handle_input(
        now,
        Input::Signal(SessionId::default(), SignalEvent::Message(hello)),
    );
    let servers = [("signal.example", 3478), ("2001:db8::1", 3479)];
    let servers = servers.map(|(host, port)| StunServer {
        host: host.to_owned(),
        port,
    });
    let asked = servers
        .clone()
        .map(|server| Output::Network(NetworkRequest::AskStun(server)));
    let told = outputs(&mut device);
    assert!(asked.iter().all(|asks| told.contains(asks)), "{told:?}");
    let [server, _] = servers;
    let from = ([198, 51, 100, 7], 4000).into();
    let seen = NetworkEvent::Reflected { server, from };
    device.handle_input(now, Input::Network(seen));
    let tells = Output::Network(NetworkRequest::Send(peer(), Control::Addresses(vec![from])));
    assert!(outputs(&mut device).contains(&tells));
}

#[test]
fn a_port_that_a_router_gives_instead_of_another_is_told_in_its_place() {
    let mut device = device([]);
    let now = Moment::default();
    let connected = NetworkEvent::Connected(peer(), CONNECTION);
    device.handle_input(now, Input::Network(connected));
    outputs(&mut device);
    let given: [Option<SocketAddr>; 4] = [
        Some(([198, 51, 100, 7], 4000).into()),
        Some(([198, 51, 100, 7], 5000).into()),
        Some(([198, 51, 100, 8], 5000).into()),
        None,
    ];
    for external in given {
        device.handle_input(now, Input::Network(NetworkEvent::PortMapped(external)));
        let told = Control::Addresses(external.into_iter().collect());
        let tells = Output::Network(NetworkRequest::Send(peer(), told));
        let said = outputs(&mut device);
        assert!(said.contains(&tells), "{external:?}: {said:?}");
    }
}

#[test]
fn a_router_with_another_address_is_asked_for_its_port_anew() {
    let mut device = device_at(Some("wss://signal.example/ws"), Vec::new());
    let now = Moment::default();
    let session = |event| Input::Signal(SessionId::default(), event);
    device.handle_input(now, session(SignalEvent::Opened));
    let hello = greeting(Nonce::from_bytes([3; 32]), &[":3478", ":3479"]);
    device.handle_input(now, session(SignalEvent::Message(hello)));
    let ask = Output::Network(NetworkRequest::MapPort);
    let words = [(3478, 7), (3479, 7), (3478, 8), (3479, 8)];
    let asked = words.map(|(port, last)| {
        outputs(&mut device);
        let server = StunServer {
            host: "signal.example".to_owned(),
            port,
        };
        let from = ([198, 51, 100, last], 4000).into();
        let seen = NetworkEvent::Reflected { server, from };
        device.handle_input(now, Input::Network(seen));
        outputs(&mut device).contains(&ask)
    });
    assert_eq!(asked, [false, false, false, true]);
}

#[test]
fn another_scope_is_answered_when_it_is_durable_and_holds_from_the_next_life_on() {
    let mut device = device([]);
    let near = Command::SetScope(NetworkScope::LocalNetwork);
    device.handle_input(Moment::default(), Input::Command(CommandId(1), near));
    let told = outputs(&mut device);
    let [Output::Store(StoreRequest::Persist(batch, kept))] = &told[..] else {
        panic!("{told:?}")
    };
    let [StoreOp::PutDeviceSettings(settings)] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(settings.scope, NetworkScope::LocalNetwork);
    device.handle_input(
        Moment::default(),
        Input::Store(StoreReply::Persisted(*batch, Vec::new())),
    );
    let answer = Output::Reply(CommandId(1), Ok(Answer::Accepted));
    assert_eq!(outputs(&mut device), [answer]);
    assert!(device.is_to_begin_anew());
    assert_eq!(
        device.snapshot(Moment::default()).device.scope,
        NetworkScope::Everywhere,
        "this life is as it was"
    );
    // Other settings are replaced as a whole, this one is not among them.
    let others = Command::ConfigureDevice(DeviceSettings::default());
    let kept = command(&mut device, others);
    let [StoreOp::PutDeviceSettings(settings)] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(settings.scope, NetworkScope::LocalNetwork);
    // Who thinks better of it at once goes on.
    command(&mut device, Command::SetScope(NetworkScope::Everywhere));
    assert!(!device.is_to_begin_anew());
}

fn chosen(url: &str, token: Option<&str>) -> ChosenServer {
    ChosenServer {
        url: url.parse().unwrap(),
        token: token.and_then(AccessToken::parse),
    }
}

/// What is kept of the servers after a command, or why not.
fn set_servers(
    device: &mut Device,
    servers: Option<Vec<ChosenServer>>,
) -> Result<Option<Vec<ChosenServer>>, Refusal> {
    let wish = Input::Command(CommandId(1), Command::SetServers(servers));
    device.handle_input(Moment::default(), wish);
    match &outputs(device)[..] {
        [Output::Store(StoreRequest::Persist(_, kept))] => {
            let [StoreOp::PutDeviceSettings(settings)] = &kept[..] else {
                panic!("{kept:?}")
            };
            Ok(settings.servers.clone())
        }
        [Output::Reply(_, Err(refusal))] => Err(*refusal),
        told => panic!("{told:?}"),
    }
}

#[test]
fn other_servers_are_kept_first_and_hold_from_the_next_life_on() {
    let mut device = device([]);
    let one = chosen("wss://one.example/ws", Some("s3cret-s3cret-s3cret"));
    let two = chosen("wss://two.example/ws", None);
    let both = Some(vec![one.clone(), two.clone()]);
    assert_eq!(set_servers(&mut device, both.clone()), Ok(both.clone()));
    assert!(device.is_to_begin_anew());
    let server = device.snapshot(Moment::default()).server;
    assert_eq!(server.url, None, "this life is as it was");
    // A token need not be said again, and a server stands once.
    let untold = chosen("wss://one.example/ws", None);
    let again = vec![two.clone(), untold.clone(), untold];
    let turned = Some(vec![two, one]);
    assert_eq!(set_servers(&mut device, Some(again)), Ok(turned.clone()));
    // Other settings are replaced as a whole, these are not among them.
    let others = Command::ConfigureDevice(DeviceSettings::default());
    let kept = command(&mut device, others);
    let [StoreOp::PutDeviceSettings(settings)] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(settings.servers, turned);
    // Who thinks better of it at once goes on.
    assert_eq!(set_servers(&mut device, None), Ok(None));
    assert!(!device.is_to_begin_anew());
}

#[test]
fn more_servers_than_count_are_refused() {
    let mut device = device([]);
    let at = |number: u8| chosen(&format!("wss://{number}.example/ws"), None);
    let four = Some((0..4).map(at).collect());
    assert_eq!(set_servers(&mut device, four), Err(Refusal::Servers));
    assert!(!device.is_to_begin_anew());
}

#[test]
fn servers_that_somebody_else_says_cannot_be_chosen() {
    let mut device = Device::new(
        Moment::default(),
        Birth {
            servers_rule: ServersRule::Fixed,
            ..birth(Some("wss://one.example/ws"), [])
        },
    );
    outputs(&mut device);
    let other = Some(vec![chosen("wss://two.example/ws", None)]);
    assert_eq!(set_servers(&mut device, other), Err(Refusal::ServersFixed));
    assert_eq!(set_servers(&mut device, None), Err(Refusal::ServersFixed));
    assert!(!device.is_to_begin_anew());
}

#[test]
fn the_seed_is_not_shown() {
    let birth = Birth {
        seed: [0xab; 32],
        identity: Identity::from_seed(&[1; 32]),
        restored: Restored {
            name: String::new(),
            settings: DeviceSettings::default(),
            incarnation: LIFE,
            peers: Vec::new(),
            folders: Vec::new(),
        },
        servers: Vec::new(),
        servers_rule: ServersRule::Chosen,
        elsewhere: Elsewhere::Allowed,
        ice: IceServers::default(),
        places: BTreeMap::new(),
        scope: ScopeRule::Chosen,
        discovery: Discovery::Off,
    };
    let shown = format!("{birth:?}");
    assert!(!shown.contains("171") && !shown.contains("seed"), "{shown}");
}
