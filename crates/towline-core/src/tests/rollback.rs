//! A store that was rolled back: how the device finds out, and what becomes of what it wrote since.

use std::collections::{BTreeMap, BTreeSet};

use towline_wire::entry::{Actor, Attributes, Content, Descent, Entry, UnixNanos, VersionVector};
use towline_wire::ice::IceServers;
use towline_wire::ids::{ContentHash, DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::pairing::CompareString;
use towline_wire::peer::{Challenge, Control, FolderStatement, Hello};
use towline_wire::rel_path::RelPath;
use towline_wire::version::VersionRange;

use crate::clock::Moment;
use crate::device::{Birth, Device};
use crate::identity::Identity;
use crate::io::{
    Age, ConnectionId, Discovery, DiskEvent, DiskRequest, Found, Input, NetworkEvent, Output,
    PageEnd, StoreReply, StoreRequest,
};
use crate::records::{
    Beside, DeviceSettings, DiskStamp, FolderRecord, FolderSettings, OurRow, PeerRecord, Reach,
    Restored, RestoredFolder, RootPath, ScopeRule, ServersRule, StoreOp, Totals, Verification,
};
use crate::sessions::Elsewhere;

const FOLDER: FolderId = FolderId::from_bytes([7; 16]);
const OURS: Incarnation = Incarnation(1);
const THEIRS: Incarnation = Incarnation(2);
const CONNECTION: ConnectionId = ConnectionId(1);

fn peer() -> DeviceId {
    Identity::from_seed(&[2; 32]).id()
}

/// A device with one peer and one folder, of which its store holds five of our rows.
fn device() -> Device {
    let restored = Restored {
        name: "here".to_owned(),
        settings: DeviceSettings::default(),
        incarnation: OURS,
        peers: vec![PeerRecord {
            id: peer(),
            name: "there".to_owned(),
            compare: CompareString::from_bits(1),
            verification: Verification::NotVerified,
            addresses: Vec::new(),
            servers: Vec::new(),
            places: Vec::new(),
        }],
        folders: vec![RestoredFolder {
            record: FolderRecord {
                id: FOLDER,
                label: "folder".to_owned(),
                root: RootPath("/folder".to_owned()),
                shared_with: BTreeSet::from([peer()]),
                settings: FolderSettings::default(),
            },
            last_sequence: Sequence(5),
            have: BTreeMap::from([(peer(), (THEIRS, Sequence(3)))]),
            needs_under: Default::default(),
            totals: Totals::default(),
            brakes: BTreeMap::new(),
            doubt: Default::default(),
            contacts: BTreeMap::new(),
        }],
    };
    let birth = Birth {
        seed: [0; 32],
        identity: Identity::from_seed(&[1; 32]),
        restored,
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

fn outputs(device: &mut Device) -> Vec<Output> {
    std::iter::from_fn(|| device.poll_output()).collect()
}

fn tell(device: &mut Device, input: Input) -> Vec<Output> {
    device.handle_input(Moment::default(), input);
    outputs(device)
}

fn frame(device: &mut Device, frame: Control) -> Vec<Output> {
    let received = NetworkEvent::Received(peer(), CONNECTION, frame);
    tell(device, Input::Network(received))
}

/// What is made durable, but who was met.
fn operations(outputs: &[Output]) -> Vec<StoreOp> {
    let batches = outputs.iter().filter_map(|output| match output {
        Output::Store(StoreRequest::Persist(_, operations)) => Some(operations.clone()),
        Output::Store(_)
        | Output::Disk(..)
        | Output::Network(_)
        | Output::Signal(..)
        | Output::Reply(..) => None,
    });
    batches
        .flatten()
        .filter(|operation| !matches!(operation, StoreOp::PutContacts { .. }))
        .collect()
}

/// Answers for a store without rows and needs until nothing more is asked.
fn settle(device: &mut Device, mut latest: Vec<Output>) {
    while !latest.is_empty() {
        let answers: Vec<StoreReply> = latest.iter().filter_map(empty_answer).collect();
        latest.clear();
        for answer in answers {
            latest.extend(tell(device, Input::Store(answer)));
        }
    }
}

fn empty_answer(output: &Output) -> Option<StoreReply> {
    match output {
        Output::Store(StoreRequest::Persist(batch, _)) => {
            Some(StoreReply::Persisted(*batch, Vec::new()))
        }
        Output::Store(StoreRequest::LoadRows(folder, paths)) => {
            Some(StoreReply::Rows(*folder, vec![None; paths.len()]))
        }
        Output::Store(StoreRequest::LoadNeeds { folder, .. }) => Some(StoreReply::Needs {
            folder: *folder,
            needs: Vec::new(),
            end: PageEnd::End,
        }),
        Output::Store(StoreRequest::LoadIndex { .. })
        | Output::Disk(..)
        | Output::Network(_)
        | Output::Signal(..)
        | Output::Reply(..) => None,
    }
}

fn found(at: &str) -> Found {
    Found {
        path: RelPath::parse(at).unwrap(),
        content: Content::File {
            size: 1,
            hash: ContentHash::from_bytes([3; 32]),
            executable: false,
            attributes: Attributes::default(),
        },
        mtime: UnixNanos(1),
        stamp: DiskStamp {
            size: 1,
            mtime: UnixNanos(1),
            ctime: UnixNanos(1),
            file_id: 1,
            beside: Beside::Unasked,
        },
    }
}

/// Lets the device find three files that its store does not know.
fn find_three_files(device: &mut Device) -> Vec<OurRow> {
    let persisted = rows_for_three_files(device);
    settle(device, persisted.clone());
    let [StoreOp::PutOurRows { rows, .. }] = &operations(&persisted)[..] else {
        panic!("no rows: {persisted:?}");
    };
    rows.clone()
}

/// As above, up to the batch that is not durable yet.
fn rows_for_three_files(device: &mut Device) -> Vec<Output> {
    outputs(device);
    let opened = tell(device, Input::Disk(FOLDER, DiskEvent::Root(Ok(None))));
    let Some(Output::Disk(_, DiskRequest::Scan(scan, ..))) = opened.last() else {
        panic!("no scan: {opened:?}");
    };
    let page = DiskEvent::Scanned {
        scan: *scan,
        found: ["a", "b", "c"].map(found).to_vec(),
        overlooked: vec![],
        absent: Vec::new(),
        lost: Vec::new(),
        held_back: Vec::new(),
        end: PageEnd::End,
    };
    tell(device, Input::Disk(FOLDER, page));
    let rows = StoreReply::Rows(FOLDER, vec![None, None, None]);
    tell(device, Input::Store(rows))
}

fn connect(device: &mut Device, have: Sequence) -> Vec<Output> {
    let connected = NetworkEvent::Connected(peer(), CONNECTION);
    tell(device, Input::Network(connected));
    let hello = Hello {
        versions: VersionRange::OURS,
        run: 7,
        challenge: Challenge([7; 32]),
    };
    frame(device, Control::Hello(hello));
    let statement = FolderStatement {
        folder: FOLDER,
        label: "folder".to_owned(),
        have: Some((OURS, have)),
    };
    frame(device, Control::Folders(vec![statement]))
}

#[test]
fn a_peer_that_has_what_we_told_is_not_ahead() {
    let mut device = device();
    outputs(&mut device);
    let stated = connect(&mut device, Sequence(5));
    assert!(operations(&stated).is_empty(), "{stated:?}");
}

/// What the store is asked to do when the root opens and remembers this.
fn open(device: &mut Device, incarnation: Incarnation, sequence: u64) -> Vec<StoreOp> {
    outputs(device);
    let age = Age {
        incarnation,
        sequence: Sequence(sequence),
    };
    let opened = tell(device, Input::Disk(FOLDER, DiskEvent::Root(Ok(Some(age)))));
    let asked = operations(&opened);
    settle(device, opened);
    asked
}

#[test]
fn a_root_that_remembers_more_than_the_store_begins_a_new_life() {
    for (incarnation, sequence) in [(OURS, 6), (Incarnation(99), 1)] {
        let mut device = device();
        let asked = open(&mut device, incarnation, sequence);
        assert!(
            matches!(asked[..], [StoreOp::BeginIncarnation(begun)] if begun != OURS),
            "{asked:?}"
        );
    }
}

#[test]
fn a_root_that_remembers_what_the_store_knows_changes_nothing() {
    for sequence in [1, 5] {
        assert_eq!(open(&mut device(), OURS, sequence), Vec::new());
    }
}

#[test]
fn the_root_remembers_a_row_only_when_it_is_durable() {
    let mut device = device();
    outputs(&mut device);
    let notes = |outputs: &[Output]| -> Vec<Age> {
        let noted = outputs.iter().filter_map(|output| match output {
            Output::Disk(_, DiskRequest::NoteAge(age)) => Some(*age),
            Output::Disk(..)
            | Output::Store(_)
            | Output::Network(_)
            | Output::Signal(..)
            | Output::Reply(..) => None,
        });
        noted.collect()
    };
    let persisted = rows_for_three_files(&mut device);
    assert_eq!(notes(&persisted), Vec::new());
    let answer = persisted.iter().find_map(empty_answer).unwrap();
    let durable = tell(&mut device, Input::Store(answer));
    let age = Age {
        incarnation: OURS,
        sequence: Sequence(8),
    };
    assert_eq!(notes(&durable), vec![age]);
}

/// A row that the store already held, written by somebody.
fn old_row(at: &str, sequence: u64, content: Content, actor: Actor) -> OurRow {
    let mut version = VersionVector::new();
    let author = version.bump(actor);
    OurRow {
        entry: Entry {
            path: RelPath::parse(at).unwrap(),
            version,
            author,
            content,
            mtime: UnixNanos(1),
            descent: Descent::none(),
        },
        sequence: Sequence(sequence),
        stamp: Some(found(at).stamp),
        reach: Reach::Everyone,
    }
}

#[test]
fn a_store_that_was_rolled_back_is_found_out_however_much_it_has_written_since() {
    let mut device = device();
    let rows = find_three_files(&mut device);
    assert_eq!(rows.last().map(|row| row.sequence), Some(Sequence(8)));

    // The peer has the sixth of our rows, which we have never told it: not this sixth row.
    let stated = connect(&mut device, Sequence(6));
    let [StoreOp::BeginIncarnation(begun)] = operations(&stated)[..] else {
        panic!("no new incarnation: {stated:?}");
    };
    let index: Vec<_> = stated
        .iter()
        .filter(|output| matches!(output, Output::Store(StoreRequest::LoadIndex { .. })))
        .collect();
    let us = Identity::from_seed(&[1; 32]).id();
    let [
        Output::Store(StoreRequest::LoadIndex {
            peer: whose, after, ..
        }),
    ] = index[..]
    else {
        panic!("the index is told before its rows are disowned: {index:?}");
    };
    assert_eq!((*whose, *after), (us, Sequence::default()));

    // What was written since may bear counters that other writes bear elsewhere, and a directory may
    // be another one than before. A file of before is known by its stamp.
    let former = Actor {
        device: us,
        incarnation: OURS,
    };
    let peers = Actor {
        device: peer(),
        incarnation: THEIRS,
    };
    let directory = old_row("Directory", 2, Content::Directory, peers);
    let file = old_row("file", 3, found("file").content, former);
    let loaded = [&directory, &file]
        .into_iter()
        .chain(&rows)
        .map(|row| (row.sequence, row.entry.clone()))
        .collect();
    let index = StoreReply::Index {
        folder: FOLDER,
        peer: us,
        rows: loaded,
        end: PageEnd::End,
    };
    let asked = tell(&mut device, Input::Store(index));
    let rows: Vec<OurRow> = std::iter::once(directory).chain(rows).collect();
    let paths = rows.iter().map(|row| row.entry.path.clone()).collect();
    let wanted = Output::Store(StoreRequest::LoadRows(FOLDER, paths));
    assert!(asked.contains(&wanted), "{asked:?}");
    let ours = StoreReply::Rows(FOLDER, rows.iter().cloned().map(Some).collect());
    let disowned = tell(&mut device, Input::Store(ours));
    let [StoreOp::PutOurRows { rows: disowned, .. }] = &operations(&disowned)[..] else {
        panic!("no rows: {disowned:?}");
    };
    let actor = Actor {
        device: us,
        incarnation: begun,
    };
    assert_eq!(disowned.len(), rows.len());
    for (before, after) in rows.iter().zip(disowned) {
        assert_eq!(after.entry.author.actor, actor);
        assert!(after.entry.version.knows(before.entry.author));
        assert_eq!(after.stamp, before.stamp);
    }
}
