//! What could keep this device from working well, found out when somebody asks: one finding per thing that was
//! looked at. Findings are codes with facts; the shells have the words, and what to do.
//!
//! Nothing is sent to find out: what the network shows is taken from what the device does anyway.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::view::{
    FolderStateView, KeyPlace, LinkView, MappingView, NetworkView, OutsideView, PathView,
    ServerStateView, TurnServerView, TurnStateView, View,
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

/// Everything that can be found out now.
pub(crate) fn findings(view: &View, network: &NetworkView, home: &Path) -> Vec<FindingView> {
    let mut all = vec![
        server(view),
        udp(network.outside),
        nat(network),
        port_mapping(network),
    ];
    all.extend(network.turn.iter().map(turn));
    all.extend([paths(view), keyring(view.device.key_place)]);
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

fn port_mapping(network: &NetworkView) -> FindingView {
    // A router that keeps one port towards everybody needs none.
    let verdict = match (&network.mapped, network.mapping) {
        (Some(_), _) | (None, MappingView::Same) => VerdictView::Fine,
        (None, MappingView::Unknown | MappingView::Varies) => VerdictView::Fair,
    };
    let finding = Finding::PortMapping {
        external: network.mapped.clone(),
    };
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
        assert_eq!(port_mapping(&same).verdict, VerdictView::Fine);
        let varies = network(MappingView::Varies, OutsideView::Seen, &["203.0.113.5:1"]);
        assert_eq!(port_mapping(&varies).verdict, VerdictView::Fair);
    }
}
