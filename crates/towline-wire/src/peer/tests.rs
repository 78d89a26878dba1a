//! Golden bytes of every control frame: `golden/control.txt`, one line each. What differs from it
//! is a change of the protocol, and belongs into PROTOCOL.md and `version.rs` as well.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;
use crate::entry::{
    Actor, Attributes, Content, Descent, Dot, Run, SymlinkTarget, UnixNanos, VersionVector,
};
use crate::frame;
use crate::ids::{ContentHash, DeviceId};
use crate::limits::{CONTROL_FRAME_BYTES_MAX, VERSION_COUNTER_MAX};
use crate::rel_path::RelPath;

const GOLDEN: &str = include_str!("../../golden/control.txt");

fn actor(number: u8) -> Actor {
    Actor {
        device: DeviceId::from_public_key([number; 32]),
        incarnation: Incarnation(u64::from(number) << 40),
    }
}

fn entry(path: &str, content: Content, mtime: i64) -> Entry {
    let counters = vec![(actor(1), 1), (actor(2), VERSION_COUNTER_MAX)];
    Entry {
        path: RelPath::parse(path).unwrap(),
        version: VersionVector::try_from(counters).unwrap(),
        author: Dot {
            actor: actor(1),
            counter: 1,
        },
        content,
        mtime: UnixNanos(mtime),
        descent: Descent::none(),
    }
}

/// A file that was written over two others.
fn edited() -> Entry {
    let [_, _, file, ..] = contents();
    let entry = entry("a", file, 0);
    let run = |name, first, last| Run {
        actor: actor(name),
        first,
        last,
    };
    let runs = vec![run(2, 300, 301), run(1, 1, 1)];
    Entry {
        descent: Descent::of_history(runs, &entry.version).unwrap(),
        ..entry
    }
}

fn contents() -> [Content; 6] {
    let file = |executable| Content::File {
        size: 300,
        hash: ContentHash::from_bytes([0xcd; 32]),
        executable,
        attributes: Attributes::default(),
    };
    let noted = Attributes::new(vec![
        ("user.b".to_owned(), vec![0, 0xff]),
        ("user.a".to_owned(), Vec::new()),
    ]);
    let target = SymlinkTarget::parse("../b").unwrap();
    [
        Content::Absent,
        Content::Symlink { target },
        file(false),
        file(true),
        Content::Directory,
        file(false).with_attributes(noted.unwrap()),
    ]
}

fn statement(have: Option<(Incarnation, Sequence)>) -> FolderStatement {
    FolderStatement {
        folder: FolderId::from_bytes([0xab; 16]),
        label: "Päper".to_owned(),
        have,
    }
}

fn page(entries: Vec<Entry>) -> Control {
    Control::Index(IndexPage {
        folder: FolderId::from_bytes([0xab; 16]),
        incarnation: Incarnation(u64::MAX),
        after: Sequence(127),
        up_to: Sequence(128),
        entries,
    })
}

/// Every variant, and every variant of what is in it.
fn frames() -> Vec<Control> {
    let have = Some((Incarnation(7), Sequence(300)));
    let mut frames = vec![
        Control::Hello(Hello {
            versions: VersionRange {
                oldest: 1,
                newest: 300,
            },
            run: 1 << 40,
            challenge: Challenge([0xce; 32]),
        }),
        Control::Folders(Vec::new()),
        Control::Folders(vec![statement(None), statement(have)]),
        page(Vec::new()),
        Control::IndexAck {
            folder: FolderId::from_bytes([0xab; 16]),
            incarnation: Incarnation(7),
            up_to: Sequence(300),
        },
        Control::Addresses(vec![
            "192.0.2.1:443".parse().unwrap(),
            "[2001:db8::1]:65535".parse().unwrap(),
        ]),
        Control::Prove(Challenge([0xce; 32])),
        Control::Vouch(vec![0xa5; 64]),
        Control::Twin(TwinProof {
            run: 1 << 40,
            challenge: Challenge([0xce; 32]),
            signature: vec![0xa5; 64],
        }),
    ];
    for mapping in [Mapping::Unknown, Mapping::Same, Mapping::Varies] {
        frames.push(Control::Reflection(Reflection {
            mapping,
            addresses: vec!["198.51.100.7:4000".parse().unwrap()],
        }));
    }
    frames.extend([Control::Scatter, Control::Scattered(256)]);
    frames.push(Control::Servers(vec![
        "wss://meet.example/ws".parse().unwrap(),
    ]));
    for way_out in [WayOut::Unknown, WayOut::Open, WayOut::Blocked] {
        frames.push(Control::WayOut(way_out));
    }
    let times = [0, -1, 1_700_000_000_000_000_000, i64::MIN, i64::MAX, 0];
    for (content, mtime) in contents().into_iter().zip(times) {
        frames.push(page(vec![entry("a/b ü", content, mtime)]));
    }
    frames.push(page(vec![edited()]));
    frames
}

/// A name for the table; a new variant does not compile until it has one, and a line.
fn name(frame: &Control) -> String {
    let content = |entry: &Entry| match &entry.content {
        Content::Absent => "absent",
        Content::Symlink { .. } => "symlink",
        Content::File { attributes, .. } if !attributes.is_empty() => "attributes",
        Content::File {
            executable: false, ..
        } => "file",
        Content::File {
            executable: true, ..
        } => "executable",
        Content::Directory => "directory",
    };
    match frame {
        Control::Hello(_) => "hello".to_owned(),
        Control::Folders(statements) => format!("folders-{}", statements.len()),
        Control::Index(page) => {
            let of: Vec<&str> = page.entries.iter().map(content).collect();
            format!("index-{}", of.first().copied().unwrap_or("empty"))
        }
        Control::IndexAck { .. } => "index-ack".to_owned(),
        Control::Addresses(_) => "addresses".to_owned(),
        Control::Prove(_) => "prove".to_owned(),
        Control::Vouch(_) => "vouch".to_owned(),
        Control::Twin(_) => "twin".to_owned(),
        Control::Reflection(reflection) => {
            format!("reflection-{:?}", reflection.mapping).to_lowercase()
        }
        Control::Scatter => "scatter".to_owned(),
        Control::Scattered(_) => "scattered".to_owned(),
        Control::Servers(_) => "servers".to_owned(),
        Control::WayOut(way_out) => format!("way-out-{way_out:?}").to_lowercase(),
    }
}

#[test]
fn every_control_frame_has_its_golden_bytes() {
    let table = frames().iter().fold(String::new(), |table, frame| {
        let bytes = frame::encode(frame, CONTROL_FRAME_BYTES_MAX).unwrap();
        let decoded: Control = frame::decode(&bytes[frame::PREFIX_BYTES..]).unwrap();
        assert_eq!(&decoded, frame);
        format!("{table}{} {}\n", name(frame), HEXLOWER.encode(&bytes))
    });
    assert!(
        table == GOLDEN,
        "the bytes on the wire have changed; if that is meant, this is the new table:\n{table}"
    );
}

/// What claims to be a signature; of the right length only by chance.
fn signature() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..80)
}

#[test]
fn what_a_run_signs_is_these_bytes() {
    let statement = RunStatement {
        to: DeviceId::from_public_key([1; 32]),
        run: 0x0102,
        challenge: Challenge([0xce; 32]),
    };
    let expected = [
        &b"towline run v1\0"[..],
        &[1; 32],
        &[0xce; 32],
        &[0, 0, 0, 0, 0, 0, 1, 2],
    ];
    assert_eq!(statement.signed(), expected.concat());
}

fn any_version() -> impl Strategy<Value = VersionVector> {
    prop::collection::btree_map(any::<u8>(), 1..=VERSION_COUNTER_MAX, 0..4).prop_map(|counters| {
        let mut counters: Vec<_> = counters
            .into_iter()
            .map(|(name, counter)| (actor(name), counter))
            .collect();
        counters.sort();
        VersionVector::try_from(counters).unwrap()
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let attributes = prop::collection::btree_map(
        "user\\.[a-zü]{1,9}",
        prop::collection::vec(any::<u8>(), 0..9),
        0..3,
    )
    .prop_map(|all| Attributes::new(all.into_iter().collect()).unwrap());
    let file = (any::<u64>(), any::<[u8; 32]>(), any::<bool>(), attributes).prop_map(
        |(size, hash, executable, attributes)| Content::File {
            size,
            hash: ContentHash::from_bytes(hash),
            executable,
            attributes,
        },
    );
    let symlink = "[a-z./ü]{1,20}".prop_map(|target| Content::Symlink {
        target: SymlinkTarget::parse(target).unwrap(),
    });
    let content = prop_oneof![
        Just(Content::Absent),
        Just(Content::Directory),
        file,
        symlink,
    ];
    let author = (any::<u8>(), any::<u64>()).prop_map(|(name, counter)| Dot {
        actor: actor(name),
        counter,
    });
    let path = "[a-zü ]{1,9}(/[a-zü ]{1,9}){0,3}".prop_map(|text| RelPath::parse(text).unwrap());
    (path, any_version(), author, content, any::<i64>()).prop_map(
        |(path, version, author, content, mtime)| {
            let run = |(actor, last)| Run {
                actor,
                first: 1,
                last,
            };
            let runs = version.iter().map(run).collect();
            Entry {
                path,
                author,
                content,
                mtime: UnixNanos(mtime),
                descent: Descent::of_history(runs, &version).unwrap(),
                version,
            }
        },
    )
}

fn any_reflection() -> impl Strategy<Value = Reflection> {
    let mapping = prop_oneof![
        Just(Mapping::Unknown),
        Just(Mapping::Same),
        Just(Mapping::Varies)
    ];
    let addresses = prop::collection::vec(any::<std::net::SocketAddrV6>(), 0..6);
    (mapping, addresses).prop_map(|(mapping, addresses)| Reflection {
        mapping,
        // What does not travel.
        addresses: addresses
            .into_iter()
            .map(|addr| (*addr.ip(), addr.port()).into())
            .collect(),
    })
}

fn any_control() -> impl Strategy<Value = Control> {
    let folder = || any::<[u8; 16]>().prop_map(FolderId::from_bytes);
    let position =
        || (any::<u64>(), any::<u64>()).prop_map(|(of, at)| (Incarnation(of), Sequence(at)));
    let statement = (folder(), any::<String>(), prop::option::of(position())).prop_map(
        |(folder, label, have)| FolderStatement {
            folder,
            label,
            have,
        },
    );
    let entries = prop::collection::vec(any_entry(), 0..4);
    prop_oneof![
        (any::<[u16; 2]>(), any::<u64>(), any::<[u8; 32]>()).prop_map(
            |([oldest, newest], run, challenge)| {
                Control::Hello(Hello {
                    versions: VersionRange { oldest, newest },
                    run,
                    challenge: Challenge(challenge),
                })
            }
        ),
        prop::collection::vec(statement, 0..4).prop_map(Control::Folders),
        (folder(), position(), any::<u64>(), entries).prop_map(
            |(folder, (incarnation, after), up_to, entries)| {
                Control::Index(IndexPage {
                    folder,
                    incarnation,
                    after,
                    up_to: Sequence(up_to),
                    entries,
                })
            }
        ),
        (folder(), position()).prop_map(|(folder, (incarnation, up_to))| Control::IndexAck {
            folder,
            incarnation,
            up_to,
        }),
        prop::collection::vec(any::<std::net::SocketAddrV4>(), 0..4)
            .prop_map(|addrs| Control::Addresses(addrs.into_iter().map(Into::into).collect())),
        any::<[u8; 32]>().prop_map(|challenge| Control::Prove(Challenge(challenge))),
        signature().prop_map(Control::Vouch),
        (any::<u64>(), any::<[u8; 32]>(), signature()).prop_map(|(run, challenge, signature)| {
            Control::Twin(TwinProof {
                run,
                challenge: Challenge(challenge),
                signature,
            })
        }),
        any_reflection().prop_map(Control::Reflection),
        Just(Control::Scatter),
        any::<u16>().prop_map(Control::Scattered),
        prop::collection::vec(0..4u8, 0..6).prop_map(|numbers| {
            let url = |number| format!("wss://s{number}.example/ws").parse().unwrap();
            Control::Servers(numbers.into_iter().map(url).collect())
        }),
        prop::sample::select(vec![WayOut::Unknown, WayOut::Open, WayOut::Blocked])
            .prop_map(Control::WayOut),
    ]
}

proptest! {
    #[test]
    fn every_frame_comes_out_as_it_went_in_and_nothing_of_it_is_one(
        control in any_control(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = frame::encode(&control, CONTROL_FRAME_BYTES_MAX).unwrap();
        let prefix = bytes[..frame::PREFIX_BYTES].try_into().unwrap();
        let payload = &bytes[frame::PREFIX_BYTES..];
        prop_assert_eq!(frame::length(prefix, CONTROL_FRAME_BYTES_MAX), Ok(payload.len()));
        let part = &payload[..cut.index(payload.len())];
        prop_assert!(frame::decode::<Control>(part).is_err());
        let longer = [payload, &[0]].concat();
        prop_assert!(frame::decode::<Control>(&longer).is_err());
        prop_assert_eq!(frame::decode::<Control>(payload), Ok(control));
    }

    #[test]
    fn junk_never_panics_and_what_decodes_round_trips(
        at in 0..frames().len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = frame::encode(&frames()[at], CONTROL_FRAME_BYTES_MAX).unwrap();
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let payload = bytes.get(frame::PREFIX_BYTES..).unwrap_or_default();
        if let Ok(control) = frame::decode::<Control>(payload) {
            let again = frame::encode(&control, CONTROL_FRAME_BYTES_MAX).unwrap();
            prop_assert_eq!(frame::decode(&again[frame::PREFIX_BYTES..]), Ok(control));
        }
    }
}
