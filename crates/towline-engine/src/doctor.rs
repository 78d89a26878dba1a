//! What could keep this device from working well, found out when somebody asks: one finding per thing that was
//! looked at. Findings are codes with facts; the shells have the words, and what to do.
//!
//! Nothing is sent to find out: what the network shows is taken from what the device does anyway.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::network::{MdnsSight, OwnAnnouncement, PortMapping};
use crate::view::{
    DiscoveryView, FolderStateView, KeyPlace, LinkView, MappingView, NetworkView, OutsideView,
    PathView, ScopeView, ServerStateView, TurnServerView, TurnStateView, View,
};

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FindingView {
    /// How it is.
    pub verdict: VerdictView,
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum VerdictView {
    /// As it should be.
    Fine,
    /// It works, and could be better.
    Fair,
    /// Something does not work.
    Bad,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Finding {
    /// The session with the signal server.
    Server {
        /// Which one; `null` when none is configured.
        url: Option<String>,
        /// How it stands: `none`, `connecting`, `online`, or why not as in the view.
        state: String,
    },
    /// Whether UDP goes out and comes back.
    Udp {
        /// What STUN servers show.
        outside: OutsideView,
    },
    /// What the router does with ports.
    Nat {
        /// Whether it keeps one port towards everybody.
        mapping: MappingView,
        /// Whether it translates at all; not known without a STUN server.
        translates: Option<bool>,
    },
    /// Whether the router gives a port on demand.
    PortMapping {
        /// Which one.
        external: Option<String>,
        /// Whether it is asked for one.
        asked: bool,
    },
    /// The device stays within the local network: what lies beyond is not looked at.
    LanOnly,
    /// Announcements on the local network.
    Mdns {
        /// What became of this device's own.
        state: MdnsStateView,
        /// How many others are heard of.
        neighbours: u32,
        /// How many of them show a code that waits.
        codes: u32,
    },
    /// This computer's clock beside a signal server's.
    Clock {
        /// By how many seconds it is ahead; below zero where it is behind, `null` where no server has told
        /// its time.
        #[ts(type = "number | null")]
        ahead_s: Option<i64>,
    },
    /// A TURN server.
    Turn {
        /// How it stands.
        turn: TurnServerView,
    },
    /// How many peers that are there are reached directly.
    Paths {
        /// Connected peers.
        connected: u32,
        /// Those among them that are reached through the server only.
        relayed: u32,
    },
    /// Where the device key is.
    Keyring {
        /// The place.
        place: KeyPlace,
    },
    /// Room on a disk that the device writes to.
    Disk {
        /// A place on it.
        place: String,
        /// Bytes that may still be written.
        #[ts(type = "number")]
        available: u64,
        /// Its size.
        #[ts(type = "number")]
        total: u64,
    },
    /// A disk that tells nothing of its room.
    DiskUnknown {
        /// A place on it.
        place: String,
    },
    /// How many directories the system lets this user watch.
    Watches {
        /// Directories in all folders.
        #[ts(type = "number")]
        directories: u64,
        /// The system's limit.
        #[ts(type = "number")]
        limit: u64,
    },
    /// A folder that cannot be used.
    Folder {
        /// Its label.
        label: String,
        /// Why, as in the view.
        fault: String,
    },
}

/// What became of this device's announcement on the local network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MdnsStateView {
    /// It is not announced, because somebody wants it so.
    Off,
    /// The announcement comes back: multicast works here.
    Heard,
    /// It was said a moment ago.
    Waiting,
    /// It does not come back.
    Silent,
    /// Another program has the port and does not share it.
    PortTaken,
}

/// What is found out beside views.
#[derive(Debug)]
pub(crate) struct Examined {
    /// How the device is connected.
    pub(crate) network: NetworkView,
    /// By how many seconds this computer's clock is ahead of a server's.
    pub(crate) clock_ahead_s: Option<i64>,
    /// How announcements are; `None` where there are none.
    pub(crate) mdns: Option<MdnsSight>,
    /// Whether the router is asked for a port.
    pub(crate) port_mapping: PortMapping,
}

/// Everything that can be found out now.
pub(crate) fn findings(view: &View, examined: &Examined, home: &Path) -> Vec<FindingView> {
    let network = &examined.network;
    let mut all = match view.device.scope {
        ScopeView::Everywhere => vec![
            server(view),
            udp(network.outside),
            nat(network),
            port_mapping(network, examined.port_mapping),
        ],
        ScopeView::LocalNetwork => vec![FindingView {
            verdict: VerdictView::Fine,
            finding: Finding::LanOnly,
        }],
    };
    all.extend(network.turn.iter().map(turn));
    all.extend([
        mdns(view.device.discovery, examined.mdns),
        paths(view),
        keyring(view.device.key_place),
    ]);
    match view.device.scope {
        ScopeView::Everywhere => all.push(clock(examined.clock_ahead_s)),
        // No server tells its time.
        ScopeView::LocalNetwork => {}
    }
    all.extend(disks(view, home));
    all.extend(watches(view));
    all.extend(folders(view));
    all
}

fn server(view: &View) -> FindingView {
    let (verdict, state) = match &view.server.state {
        ServerStateView::Online => (VerdictView::Fine, "online"),
        ServerStateView::None => (VerdictView::Fair, "none"),
        ServerStateView::Connecting => (VerdictView::Fair, "connecting"),
        ServerStateView::Offline { fault, .. } | ServerStateView::Stopped { fault } => {
            (VerdictView::Bad, fault.as_str())
        }
    };
    let finding = Finding::Server {
        url: view.server.url.clone(),
        state: state.to_owned(),
    };
    FindingView { verdict, finding }
}

fn udp(outside: OutsideView) -> FindingView {
    let verdict = match outside {
        OutsideView::Seen => VerdictView::Fine,
        OutsideView::NotAsked | OutsideView::Asking => VerdictView::Fair,
        OutsideView::Silent => VerdictView::Bad,
    };
    FindingView {
        verdict,
        finding: Finding::Udp { outside },
    }
}

fn nat(network: &NetworkView) -> FindingView {
    let mut seen = network.reflexive.iter();
    let seen_elsewhere = |addr: &String| !network.local.contains(addr);
    let translates = match network.outside {
        OutsideView::Seen => Some(seen.any(seen_elsewhere)),
        OutsideView::NotAsked | OutsideView::Asking | OutsideView::Silent => None,
    };
    // A port of the router makes up for it.
    let verdict = match (network.mapping, translates) {
        (MappingView::Same, _) | (_, Some(false)) => VerdictView::Fine,
        (MappingView::Unknown | MappingView::Varies, _) if network.mapped.is_some() => {
            VerdictView::Fine
        }
        (MappingView::Unknown | MappingView::Varies, _) => VerdictView::Fair,
    };
    let finding = Finding::Nat {
        mapping: network.mapping,
        translates,
    };
    FindingView { verdict, finding }
}

fn port_mapping(network: &NetworkView, asked: PortMapping) -> FindingView {
    // A router that keeps one port towards everybody needs none.
    let verdict = match (&network.mapped, network.mapping) {
        (Some(_), _) | (None, MappingView::Same) => VerdictView::Fine,
        (None, MappingView::Unknown | MappingView::Varies) => VerdictView::Fair,
    };
    let finding = Finding::PortMapping {
        external: network.mapped.clone(),
        asked: asked == PortMapping::On,
    };
    FindingView { verdict, finding }
}

fn mdns(discovery: DiscoveryView, sight: Option<MdnsSight>) -> FindingView {
    let own = match discovery {
        DiscoveryView::On => sight.map(|sight| sight.own),
        DiscoveryView::Off => None,
    };
    let (verdict, state) = match own {
        None => (VerdictView::Fair, MdnsStateView::Off),
        Some(OwnAnnouncement::Heard) => (VerdictView::Fine, MdnsStateView::Heard),
        Some(OwnAnnouncement::PortTaken) => (VerdictView::Bad, MdnsStateView::PortTaken),
        Some(own) if own.may_yet_come() => (VerdictView::Fair, MdnsStateView::Waiting),
        Some(OwnAnnouncement::Awaited(_)) => (VerdictView::Bad, MdnsStateView::Silent),
    };
    let count = |of: fn(MdnsSight) -> usize| {
        let count = sight.map_or(0, of);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let finding = Finding::Mdns {
        state,
        neighbours: count(|sight| sight.neighbours),
        codes: count(|sight| sight.codes),
    };
    FindingView { verdict, finding }
}

fn clock(ahead_s: Option<i64>) -> FindingView {
    let verdict = match ahead_s {
        Some(ahead) if ahead.unsigned_abs() > CLOCK_TOLERANCE_S => VerdictView::Bad,
        Some(_) => VerdictView::Fine,
        None => VerdictView::Fair,
    };
    let finding = Finding::Clock { ahead_s };
    FindingView { verdict, finding }
}

fn turn(turn: &TurnServerView) -> FindingView {
    let verdict = match turn.state {
        TurnStateView::NotAsked | TurnStateView::Asked | TurnStateView::Lends { .. } => {
            VerdictView::Fine
        }
        TurnStateView::Refuses { .. } => VerdictView::Bad,
    };
    FindingView {
        verdict,
        finding: Finding::Turn { turn: turn.clone() },
    }
}

fn paths(view: &View) -> FindingView {
    let count = |is_counted: fn(&PathView) -> bool| {
        let up = view.peers.iter().filter(|peer| match &peer.link {
            LinkView::Up { path, .. } => is_counted(path),
            LinkView::Away
            | LinkView::Connecting
            | LinkView::Waiting { .. }
            | LinkView::Impostor => false,
        });
        u32::try_from(up.count()).unwrap_or(u32::MAX)
    };
    let relayed = count(|path| *path == PathView::Relayed);
    let verdict = if relayed == 0 {
        VerdictView::Fine
    } else {
        VerdictView::Fair
    };
    let finding = Finding::Paths {
        connected: count(|_| true),
        relayed,
    };
    FindingView { verdict, finding }
}

const fn keyring(place: KeyPlace) -> FindingView {
    let verdict = match place {
        KeyPlace::Keyring => VerdictView::Fine,
        KeyPlace::File => VerdictView::Fair,
    };
    FindingView {
        verdict,
        finding: Finding::Keyring { place },
    }
}

/// The disks of the home and of each folder, each once.
fn disks(view: &View, home: &Path) -> Vec<FindingView> {
    let roots = view
        .folders
        .iter()
        .map(|folder| PathBuf::from(&folder.root));
    let mut known = Vec::new();
    let mut all = Vec::new();
    for place in std::iter::once(home.to_owned()).chain(roots) {
        let Some(room) = Room::of(&place) else {
            let finding = Finding::DiskUnknown {
                place: place.to_string_lossy().into_owned(),
            };
            all.push(FindingView {
                verdict: VerdictView::Fair,
                finding,
            });
            continue;
        };
        if !known.contains(&room) {
            known.push(room);
            all.push(room.finding(&place));
        }
    }
    all
}

/// How much a disk holds; two places with the same figures are taken for one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    available: u64,
    total: u64,
}

impl Room {
    fn of(place: &Path) -> Option<Self> {
        let stats = fs4::statvfs(place).ok()?;
        Some(Self {
            available: stats.available_space(),
            total: stats.total_space(),
        })
    }

    fn finding(self, place: &Path) -> FindingView {
        let verdict = if self.available < ROOM_NEEDED {
            VerdictView::Bad
        } else if self.available < ROOM_WANTED.min(self.total / 20) {
            VerdictView::Fair
        } else {
            VerdictView::Fine
        };
        let finding = Finding::Disk {
            place: place.to_string_lossy().into_owned(),
            available: self.available,
            total: self.total,
        };
        FindingView { verdict, finding }
    }
}

/// How many directories may be watched, where the system has such a limit.
fn watches(view: &View) -> Option<FindingView> {
    let limit = fs::read_to_string(WATCHES_LIMIT).ok()?;
    let limit: u64 = limit.trim().parse().ok()?;
    let folders = view.folders.iter();
    let directories = folders.map(|folder| folder.directories + 1).sum();
    let verdict = if directories > limit {
        VerdictView::Bad
    } else if directories > limit / 10 * 8 {
        VerdictView::Fair
    } else {
        VerdictView::Fine
    };
    let finding = Finding::Watches { directories, limit };
    Some(FindingView { verdict, finding })
}

fn folders(view: &View) -> impl Iterator<Item = FindingView> {
    view.folders
        .iter()
        .filter_map(|folder| match &folder.state {
            FolderStateView::Paused { fault } => Some(FindingView {
                verdict: VerdictView::Bad,
                finding: Finding::Folder {
                    label: folder.label.clone(),
                    fault: fault.clone(),
                },
            }),
            FolderStateView::Opening
            | FolderStateView::PausedByPerson
            | FolderStateView::Scanning
            | FolderStateView::Syncing
            | FolderStateView::Waiting
            | FolderStateView::InSync => None,
        })
}

/// Seconds by which a clock may differ: 60. People do not write one file on two computers within a minute, and
/// servers tell whole seconds.
const CLOCK_TOLERANCE_S: u64 = 60;

/// Where Linux says how many directories a user may watch.
const WATCHES_LIMIT: &str = "/proc/sys/fs/inotify/max_user_watches";

/// Room below which writing is about to fail: 256 MiB.
const ROOM_NEEDED: u64 = 256 << 20;

/// Room below which a person should know, or a twentieth of the disk if that is less: 5 GiB.
const ROOM_WANTED: u64 = 5 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn network(mapping: MappingView, outside: OutsideView, reflexive: &[&str]) -> NetworkView {
        NetworkView {
            local: vec!["192.168.1.2:5000".to_owned()],
            outside,
            reflexive: reflexive.iter().map(ToString::to_string).collect(),
            mapping,
            mapped: None,
            turn: Vec::new(),
            links: Vec::new(),
        }
    }

    #[test]
    fn who_is_seen_at_an_address_of_its_own_is_not_translated() {
        let open = network(MappingView::Same, OutsideView::Seen, &["192.168.1.2:5000"]);
        let Finding::Nat { translates, .. } = nat(&open).finding else {
            panic!("not about the router");
        };
        assert_eq!(translates, Some(false));
        let hidden = network(
            MappingView::Varies,
            OutsideView::Seen,
            &["203.0.113.5:1", "203.0.113.5:2"],
        );
        assert_eq!(nat(&hidden).verdict, VerdictView::Fair);
        let unknown = network(MappingView::Unknown, OutsideView::NotAsked, &[]);
        let Finding::Nat { translates, .. } = nat(&unknown).finding else {
            panic!("not about the router");
        };
        assert_eq!(translates, None);
    }

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        let room = |available, total| Room { available, total };
        let verdict = |room: Room| room.finding(Path::new("/")).verdict;
        let gib = 1 << 30;
        assert_eq!(verdict(room(100 << 20, 100 * gib)), VerdictView::Bad);
        assert_eq!(verdict(room(4 * gib, 1000 * gib)), VerdictView::Fair);
        assert_eq!(verdict(room(50 * gib, 1000 * gib)), VerdictView::Fine);
        // A small disk that is a tenth full of nothing.
        assert_eq!(verdict(room(2 * gib, 8 * gib)), VerdictView::Fine);
    }

    #[test]
    fn a_router_that_keeps_its_port_needs_no_mapping() {
        let same = network(MappingView::Same, OutsideView::Seen, &["203.0.113.5:1"]);
        assert_eq!(
            port_mapping(&same, PortMapping::On).verdict,
            VerdictView::Fine
        );
        let varies = network(MappingView::Varies, OutsideView::Seen, &["203.0.113.5:1"]);
        let never = port_mapping(&varies, PortMapping::Off);
        assert_eq!(never.verdict, VerdictView::Fair);
        let not_asked = Finding::PortMapping {
            external: None,
            asked: false,
        };
        assert_eq!(never.finding, not_asked);
    }

    #[test]
    fn a_clock_may_differ_by_a_minute() {
        let verdict = |ahead| clock(ahead).verdict;
        for right in [0, 60, -60] {
            assert_eq!(verdict(Some(right)), VerdictView::Fine);
        }
        for wrong in [61, -61, i64::MIN, i64::MAX] {
            assert_eq!(verdict(Some(wrong)), VerdictView::Bad);
        }
        assert_eq!(verdict(None), VerdictView::Fair);
    }

    #[test]
    fn what_is_not_announced_is_said_and_no_fault() {
        let off = mdns(DiscoveryView::Off, None);
        let state = MdnsStateView::Off;
        assert_eq!(off.verdict, VerdictView::Fair);
        let nobody = Finding::Mdns {
            state,
            neighbours: 0,
            codes: 0,
        };
        assert_eq!(off.finding, nobody);
    }
}
