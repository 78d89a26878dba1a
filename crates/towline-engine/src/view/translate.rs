//! From the core's snapshot to a view, and from a shell's command to the core's.

mod conflicts;
mod servers;

use std::collections::BTreeMap;
use std::io;
use std::path::Path as FilePath;

use qrcode::QrCode;
use qrcode::render::svg;
use towline_core::clock::Moment;
use towline_core::command::{Answer, Command, Comparison, Refusal};
use towline_core::folder::rules::{RuleSet, Rules};
use towline_core::io::{Discovery, HeldReason, NetworkScope, RootFault, SignalFault};
use towline_core::records::{InForce, PLACES_MAX, RootPath, ScopeRule, Verification};
use towline_core::snapshot::{
    FolderPeerState, FolderState, FolderSummary, Oneness, PairingFault, PairingSummary,
    PeerSummary, ServerState, ServerSummary, Snapshot,
};
use towline_core::versions::VersionId;
use towline_wire::code::CodeError;
use towline_wire::entry::UnixNanos;
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::link_uri::LinkError;
use towline_wire::place::{Place, PlaceError};
use towline_wire::rel_path::RelPath;
use towline_wire::server_url::ServerUrl;

use crate::disk::{Of, RestoreFault, Version};
use crate::network::Proxies;

use super::network::link;
use super::{
    AnswerView, AskedOfFiles, AskedOfHeld, BrakedView, CommandView, DeviceView, DiscoveryView,
    FolderPeerView, FolderStateView, FolderView, HeldBackView, IdentityView, InvitationView,
    KeyPlace, MeetingView, OtherServerView, PairingView, PeerView, RestoringView, ScopeView,
    Secret, ServerStateView, ServerView, SettingLock, StoreCondition, SymbolView, TransferView,
    VersionView, View, ViewError,
};

pub(crate) use conflicts::{AskedOfInbox, conflict_fault, conflicts, preview};
pub(crate) use servers::OwnServers;

/// What a view shows that the core does not know.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// The view's number.
    pub(crate) revision: u64,
    /// Where the key is kept.
    pub(crate) key_place: KeyPlace,
    /// What became of the store.
    pub(crate) store: StoreCondition,
    /// The proxies that lead to signal servers.
    pub(crate) proxies: &'a Proxies,
    /// The signal servers that are set.
    pub(crate) own_servers: &'a OwnServers,
    /// Turns the core's moments into Unix time.
    pub(crate) clock: UnixClock,
    /// What holds for all content.
    pub(crate) in_force: InForce,
    /// Bytes in motion, by folder.
    pub(crate) transfers: &'a BTreeMap<FolderId, TransferView>,
    /// Folders that are being brought back to a moment.
    pub(crate) restores: &'a BTreeMap<FolderId, RestoringView>,
}

/// Unix milliseconds of the core clock's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnixClock(pub(crate) u64);

impl UnixClock {
    /// A moment in Unix milliseconds.
    pub(super) fn ms(self, moment: Moment) -> u64 {
        let since_start = u64::try_from(moment.since_start().as_millis()).unwrap_or(u64::MAX);
        self.0.saturating_add(since_start)
    }
}

/// The view of a snapshot.
pub(crate) fn view(snapshot: &Snapshot, around: &Surroundings<'_>) -> View {
    View {
        revision: around.revision,
        device: DeviceView {
            id: snapshot.device.id.to_string(),
            name: snapshot.device.name.clone(),
            key_place: around.key_place,
            settings: (&snapshot.device.settings).into(),
            traffic: around.in_force.into(),
            store: around.store,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: identity(snapshot.device.oneness),
            scope: match snapshot.device.scope {
                NetworkScope::Everywhere => ScopeView::Everywhere,
                NetworkScope::LocalNetwork => ScopeView::LocalNetwork,
            },
            scope_lock: match snapshot.device.scope_rule {
                ScopeRule::Chosen => SettingLock::Open,
                ScopeRule::Fixed(_) => SettingLock::Locked,
            },
            discovery: match snapshot.device.discovery {
                Discovery::On => DiscoveryView::On,
                Discovery::Off => DiscoveryView::Off,
            },
            begins_anew: snapshot.device.begins_anew,
        },
        server: ServerView {
            url: snapshot.server.url.as_ref().map(ServerUrl::to_string),
            proxy: proxy(&snapshot.server, around),
            state: server(&snapshot.server.state, around),
            own: around.own_servers.urls.clone(),
            set_by: around.own_servers.set_by,
            usual: around.own_servers.usual.clone(),
            others: snapshot
                .other_servers
                .iter()
                .filter_map(|other| {
                    Some(OtherServerView {
                        url: other.url.as_ref()?.to_string(),
                        proxy: proxy(other, around),
                        state: server(&other.state, around),
                    })
                })
                .collect(),
        },
        pairing: pairing(&snapshot.pairing, around),
        peers: snapshot
            .peers
            .iter()
            .map(|summary| peer(summary, around))
            .collect(),
        folders: snapshot
            .folders
            .iter()
            .map(|summary| folder(summary, around))
            .collect(),
        invitations: snapshot
            .invitations
            .iter()
            .map(|invitation| InvitationView {
                peer: invitation.peer.to_string(),
                folder: invitation.folder.to_string(),
                label: invitation.label.clone(),
            })
            .collect(),
    }
}

/// A shell's command, every text parsed, by who answers it.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The device, which decides.
    Device(Command),
    /// The device, how it is connected.
    Network,
    /// The doctor.
    Findings,
    /// The version store of a folder on the disk.
    Past(FolderId, AskedOfPast),
    /// The conflict inbox of a folder.
    Inbox(FolderId, AskedOfInbox),
    /// The ignore rules of a folder, on the disk.
    Rules(FolderId, AskedOfRules),
    /// The index of a folder.
    Files(FolderId, AskedOfFiles),
    /// What a view holds of the entries of a folder that are held back.
    Held(FolderId, AskedOfHeld),
}

/// What is asked of ignore rules.
#[derive(Debug)]
pub(crate) enum AskedOfRules {
    /// Their texts.
    Show,
    /// Another text for those that travel with the folder.
    Share(String),
    /// What these would ignore.
    Preview {
        /// Rules that travel with the folder.
        shared: String,
        /// Rules of this device alone.
        local: String,
        /// Most paths in the answer.
        limit: usize,
    },
}

/// What a version store is asked.
#[derive(Debug)]
pub(crate) enum AskedOfPast {
    /// Its versions, newest first.
    History {
        /// Of which paths.
        of: Of,
        /// Older than this one.
        before: Option<VersionId>,
        /// Most of them.
        limit: usize,
    },
    /// One of them back in its place.
    Restore {
        /// Its place.
        path: RelPath,
        /// Which one; the newest when `None`.
        version: Option<VersionId>,
    },
    /// Everything at or below a path back to a moment.
    RestoreTo {
        /// Which path; the whole folder when `None`.
        path: Option<RelPath>,
        /// The moment.
        moment: UnixNanos,
    },
    /// A restore to a moment ends where it is.
    CancelRestore,
}

/// Parses a shell's command.
pub(crate) fn command(command: CommandView) -> Result<Asked, ViewError> {
    Ok(Asked::Device(match command {
        CommandView::History {
            folder,
            path,
            before,
            limit,
        } => {
            let path = path.map(rel_path).transpose()?;
            let of = path.map_or(Of::All, Of::Path);
            return history(&folder, of, before.as_deref(), limit);
        }
        CommandView::HistoryBelow {
            folder,
            directory,
            deleted,
            before,
            limit,
        } => {
            let directory = directory.map(rel_path).transpose()?;
            let of = if deleted {
                Of::Deleted(directory)
            } else {
                directory.map_or(Of::All, Of::Below)
            };
            return history(&folder, of, before.as_deref(), limit);
        }
        CommandView::RestoreTo {
            folder,
            path,
            at_ms,
        } => {
            let asked = AskedOfPast::RestoreTo {
                path: path.map(rel_path).transpose()?,
                moment: moment(at_ms)?,
            };
            return Ok(Asked::Past(folder_id(&folder)?, asked));
        }
        CommandView::CancelRestore { folder } => {
            return Ok(Asked::Past(folder_id(&folder)?, AskedOfPast::CancelRestore));
        }
        CommandView::Restore {
            folder,
            path,
            version,
        } => {
            let asked = AskedOfPast::Restore {
                path: rel_path(path)?,
                version: version.as_deref().map(version_id).transpose()?,
            };
            return Ok(Asked::Past(folder_id(&folder)?, asked));
        }
        CommandView::Conflicts {
            folder,
            after,
            limit,
        } => return conflicts::list(&folder, after, limit),
        CommandView::Resolve { folder, path, keep } => {
            return conflicts::decide(&folder, path, keep);
        }
        CommandView::Preview { folder, path } => {
            let asked = AskedOfInbox::Preview(rel_path(path)?);
            return Ok(Asked::Inbox(folder_id(&folder)?, asked));
        }
        CommandView::Rules { folder } => {
            return Ok(Asked::Rules(folder_id(&folder)?, AskedOfRules::Show));
        }
        CommandView::SetRules { folder, shared } => {
            let asked = AskedOfRules::Share(shared);
            return Ok(Asked::Rules(folder_id(&folder)?, asked));
        }
        CommandView::PreviewRules {
            folder,
            shared,
            local,
            limit,
        } => {
            let asked = AskedOfRules::Preview {
                shared,
                local,
                limit: page_limit(limit),
            };
            return Ok(Asked::Rules(folder_id(&folder)?, asked));
        }
        CommandView::Files {
            folder,
            directory,
            after,
            limit,
        } => {
            let directory = directory.map(rel_path).transpose()?;
            let asked = AskedOfFiles::new(directory, after.map(rel_path).transpose()?, limit);
            return Ok(Asked::Files(folder_id(&folder)?, asked));
        }
        CommandView::Held {
            folder,
            after,
            limit,
        } => {
            let asked = AskedOfHeld {
                after: after.map(rel_path).transpose()?,
                limit: usize::try_from(limit).unwrap_or(usize::MAX).max(1),
            };
            return Ok(Asked::Held(folder_id(&folder)?, asked));
        }
        CommandView::Network => return Ok(Asked::Network),
        CommandView::Examine => return Ok(Asked::Findings),
        CommandView::NameDevice { name } => Command::NameDevice(name),
        CommandView::StartPairing => Command::StartPairing,
        CommandView::JoinPairing { code } if code.reveal().trim_start().starts_with("towline:") => {
            Command::JoinByLink(
                code.reveal()
                    .parse()
                    .map_err(|_: LinkError| ViewError::new("link"))?,
            )
        }
        CommandView::JoinPairing { code } => Command::JoinPairing(
            code.reveal()
                .parse()
                .map_err(|error: CodeError| ViewError::new(code_error(error)))?,
        ),
        CommandView::CancelPairing => Command::CancelPairing,
        CommandView::Compare { peer, matches } => {
            let comparison = if matches {
                Comparison::Match
            } else {
                Comparison::Differ
            };
            Command::Compare(device(&peer)?, comparison)
        }
        CommandView::RenamePeer { peer, name } => Command::RenamePeer(device(&peer)?, name),
        CommandView::PlacePeer { peer, places } => {
            Command::PlacePeer(device(&peer)?, parse_places(&places)?)
        }
        CommandView::RemovePeer { peer } => Command::RemovePeer(device(&peer)?),
        CommandView::AddFolder { root, label } => {
            let label = if label.trim().is_empty() {
                directory_name(&root)
            } else {
                label
            };
            Command::AddFolder {
                root: RootPath(root),
                label,
            }
        }
        CommandView::InvitePeer { folder, peer } => {
            Command::InvitePeer(folder_id(&folder)?, device(&peer)?)
        }
        CommandView::AcceptInvitation { peer, folder, root } => Command::AcceptInvitation {
            peer: device(&peer)?,
            folder: folder_id(&folder)?,
            root: RootPath(root),
        },
        CommandView::RemoveFolder { folder } => Command::RemoveFolder(folder_id(&folder)?),
        CommandView::Rescan { folder } => Command::Rescan(folder_id(&folder)?),
        CommandView::ConfigureFolder { folder, settings } => {
            Command::ConfigureFolder(folder_id(&folder)?, Box::new((*settings).into()))
        }
        CommandView::ReleaseBrake { folder, peer } => {
            Command::ReleaseBrake(folder_id(&folder)?, device(&peer)?)
        }
        CommandView::UndoBraked { folder, peer } => {
            Command::UndoBraked(folder_id(&folder)?, device(&peer)?)
        }
        CommandView::Override { folder } => Command::Override(folder_id(&folder)?),
        CommandView::Revert { folder } => Command::Revert(folder_id(&folder)?),
        CommandView::ConfigureDevice { settings } => Command::ConfigureDevice(settings.into()),
        CommandView::SetScope { scope } => Command::SetScope(match scope {
            ScopeView::Everywhere => NetworkScope::Everywhere,
            ScopeView::LocalNetwork => NetworkScope::LocalNetwork,
        }),
        CommandView::SetServers { servers } => {
            Command::SetServers(servers.map(servers::chosen).transpose()?)
        }
    }))
}

/// Most things in one answer: 1000, about 5 MB of the longest paths, below a line's bound.
const PAGE_MAX: usize = 1000;

fn page_limit(limit: u32) -> usize {
    usize::try_from(limit)
        .unwrap_or(PAGE_MAX)
        .clamp(1, PAGE_MAX)
}

/// What rules would ignore.
pub(crate) fn matches(paths: Vec<RelPath>, count: u64, rules: &Rules) -> AnswerView {
    let bad = |name: &str, set: &RuleSet| {
        let name = name.to_owned();
        let lines = set.bad_lines().to_vec().into_iter();
        lines.map(move |line| (name.clone(), line))
    };
    AnswerView::Matches {
        paths: paths.into_iter().map(String::from).collect(),
        count,
        bad_lines: bad("shared", &rules.shared)
            .chain(bad("local", &rules.local))
            .take(PAGE_MAX)
            .collect(),
    }
}

/// The stable code of rules that cannot be read or written.
pub(crate) fn rules_fault(fault: &io::Error) -> ViewError {
    let is_full = matches!(
        fault.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    ViewError::new(if is_full {
        "rules_disk_full"
    } else if fault.kind() == io::ErrorKind::ReadOnlyFilesystem {
        "rules_read_only"
    } else {
        "rules_no_access"
    })
}
fn history(folder: &str, of: Of, before: Option<&str>, limit: u32) -> Result<Asked, ViewError> {
    let asked = AskedOfPast::History {
        of,
        before: before.map(version_id).transpose()?,
        limit: page_limit(limit),
    };
    Ok(Asked::Past(folder_id(folder)?, asked))
}

/// The end of a millisecond, so that a version kept within it counts as kept before.
fn moment(unix_ms: u64) -> Result<UnixNanos, ViewError> {
    let nanos = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| ms.checked_mul(1_000_000));
    nanos
        .map(|nanos| UnixNanos(nanos.saturating_add(999_999)))
        .ok_or_else(|| ViewError::new("moment"))
}

/// A page of versions.
pub(crate) fn versions(found: Vec<Version>, more: bool) -> AnswerView {
    let millis = |nanos: UnixNanos| nanos.0.div_euclid(1_000_000);
    let each = |version: Version| VersionView {
        id: version.kept.id.to_string(),
        path: version.kept.path.into(),
        kind: if version.is_symlink {
            "symlink"
        } else {
            "file"
        }
        .to_owned(),
        kept_at_ms: u64::try_from(millis(version.kept.kept_at)).unwrap_or(0),
        mtime_ms: millis(version.mtime),
        size: version.size,
        executable: version.executable,
    };
    AnswerView::Versions {
        versions: found.into_iter().map(each).collect(),
        more,
    }
}

/// A version is back.
pub(crate) fn restored(version: VersionId) -> AnswerView {
    AnswerView::Restored {
        version: version.to_string(),
    }
}

/// The stable code of a version that is not back.
pub(crate) fn restore_fault(fault: RestoreFault) -> ViewError {
    match fault {
        RestoreFault::Unknown => ViewError::new("unknown_version"),
        RestoreFault::IsDirectory => ViewError::new("version_directory"),
        RestoreFault::NoWay => ViewError::new("version_parent"),
        RestoreFault::Changing => ViewError::new("version_changing"),
        RestoreFault::Held(reason) => ViewError::new(&format!("version_{}", held_reason(reason))),
    }
}

fn rel_path(text: String) -> Result<RelPath, ViewError> {
    RelPath::parse(text).map_err(|_| ViewError::new("path"))
}

fn version_id(text: &str) -> Result<VersionId, ViewError> {
    text.parse().map_err(|_| ViewError::new("version"))
}

/// What a shell is told of a command's answer.
pub(crate) fn answer(answer: Answer) -> AnswerView {
    match answer {
        Answer::Accepted => AnswerView::Accepted,
        Answer::Folder(id) => AnswerView::Folder { id: id.to_string() },
    }
}

/// The stable code of a refusal.
pub(crate) fn refusal(refusal: Refusal) -> ViewError {
    match refusal {
        Refusal::Name => ViewError::new("name"),
        Refusal::Places => ViewError::new("places"),
        Refusal::Place => ViewError::new("place"),
        Refusal::UnknownPeer => ViewError::new("unknown_peer"),
        Refusal::UnknownFolder => ViewError::new("unknown_folder"),
        Refusal::UnknownInvitation => ViewError::new("unknown_invitation"),
        Refusal::NoServer => ViewError::new("no_server"),
        Refusal::Elsewhere => ViewError::new("elsewhere"),
        Refusal::Setting => ViewError::new("setting"),
        Refusal::ScopeFixed => ViewError::new("scope_fixed"),
        Refusal::Servers => ViewError::new("servers"),
        Refusal::ServersFixed => ViewError::new("servers_fixed"),
        Refusal::Mode => ViewError::new("mode"),
        Refusal::Paused => ViewError::new("paused"),
        Refusal::NotBraked => ViewError::new("not_braked"),
        Refusal::AlreadyHere => ViewError::new("already_here"),
        Refusal::Root(fault) => ViewError::new(&format!("root_{}", root_fault(fault))),
    }
}

fn proxy(server: &ServerSummary, around: &Surroundings<'_>) -> Option<String> {
    around.proxies.name_towards(server.url.as_ref()?)
}

fn server(state: &ServerState, around: &Surroundings<'_>) -> ServerStateView {
    match state {
        ServerState::None => ServerStateView::None,
        ServerState::Connecting => ServerStateView::Connecting,
        ServerState::Online => ServerStateView::Online,
        ServerState::Offline { fault, retry_at } => ServerStateView::Offline {
            fault: signal_fault(*fault).to_owned(),
            retry_at_ms: around.clock.ms(*retry_at),
        },
        ServerState::Stopped { fault } => ServerStateView::Stopped {
            fault: signal_fault(*fault).to_owned(),
        },
    }
}

const fn signal_fault(fault: SignalFault) -> &'static str {
    match fault {
        SignalFault::Unreachable => "unreachable",
        SignalFault::Certificate => "certificate",
        SignalFault::Pin => "pin",
        SignalFault::ProxyUnreachable => "proxy_unreachable",
        SignalFault::ProxyLogin => "proxy_login",
        SignalFault::ProxyRefused => "proxy_refused",
        SignalFault::Protocol => "protocol",
        SignalFault::Closed => "closed",
        SignalFault::Refused => "refused",
        SignalFault::AccessDenied => "no_access",
        SignalFault::BadProof => "bad_proof",
        SignalFault::Replaced => "replaced",
        SignalFault::Unacceptable => "unacceptable",
    }
}

fn pairing(summary: &PairingSummary, around: &Surroundings<'_>) -> PairingView {
    match summary {
        PairingSummary::Idle => PairingView::Idle,
        PairingSummary::Opening => PairingView::Opening,
        PairingSummary::Waiting {
            code,
            link,
            expires_at,
        } => PairingView::Waiting {
            code: Secret::new(code.reveal()),
            qr_svg: Secret::new(qr_svg(&link.reveal())),
            link: Secret::new(link.reveal()),
            meeting: match link.server {
                Some(_) => MeetingView::Server,
                None => MeetingView::Nearby,
            },
            expires_at_ms: around.clock.ms(*expires_at),
        },
        PairingSummary::Joining => PairingView::Joining,
        PairingSummary::Proving => PairingView::Proving,
        PairingSummary::Paired(peer) => PairingView::Paired {
            peer: peer.to_string(),
        },
        PairingSummary::Failed(fault) => PairingView::Failed {
            reason: match fault {
                PairingFault::CodeInvalid => "code_invalid",
                PairingFault::Expired => "expired",
                PairingFault::ServerUnreachable => "server_unreachable",
                PairingFault::RateLimited => "rate_limited",
                PairingFault::PeerGone => "peer_gone",
                PairingFault::Version => "version",
                PairingFault::Protocol => "protocol",
                PairingFault::OwnCode => "own_code",
                PairingFault::NotNearby => "not_nearby",
                PairingFault::SeveralNearby => "several_nearby",
            }
            .to_owned(),
        },
    }
}

fn peer(summary: &PeerSummary, around: &Surroundings<'_>) -> PeerView {
    let symbols = summary.record.compare.symbols();
    PeerView {
        id: summary.record.id.to_string(),
        name: summary.record.name.clone(),
        compare: symbols
            .iter()
            .map(|symbol| SymbolView {
                emoji: symbol.emoji.to_owned(),
                word: symbol.word.to_owned(),
            })
            .collect(),
        verified: summary.record.verification == Verification::Verified,
        places: (summary.record.places.iter().map(ToString::to_string)).collect(),
        places_set: summary.places_set.iter().map(ToString::to_string).collect(),
        link: link(&summary.link, around.clock),
        counts: (&summary.counts).into(),
        identity: identity(summary.oneness),
    }
}

fn parse_places(texts: &[String]) -> Result<Vec<Place>, ViewError> {
    let parse = |text: &String| {
        text.parse().map_err(|_: PlaceError| ViewError {
            code: "place".to_owned(),
            detail: Some(text.chars().take(300).collect()),
        })
    };
    // One more than are kept tells that there are too many.
    texts.iter().take(PLACES_MAX + 1).map(parse).collect()
}

const fn identity(oneness: Oneness) -> IdentityView {
    match oneness {
        Oneness::Single => IdentityView::Single,
        Oneness::Doubled => IdentityView::Doubled,
    }
}

fn folder(summary: &FolderSummary, around: &Surroundings<'_>) -> FolderView {
    FolderView {
        id: summary.record.id.to_string(),
        label: summary.record.label.clone(),
        root: summary.record.root.0.clone(),
        settings: (&summary.record.settings).into(),
        state: match &summary.state {
            FolderState::Opening => FolderStateView::Opening,
            FolderState::Paused(fault) => FolderStateView::Paused {
                fault: root_fault(*fault).to_owned(),
            },
            FolderState::PausedByPerson => FolderStateView::PausedByPerson,
            FolderState::Scanning => FolderStateView::Scanning,
            FolderState::Syncing => FolderStateView::Syncing,
            FolderState::Waiting => FolderStateView::Waiting,
            FolderState::InSync => FolderStateView::InSync,
        },
        files: summary.totals.files,
        directories: summary.totals.directories,
        bytes: summary.totals.bytes,
        needs: summary.totals.needs,
        conflicts: summary.totals.conflicts,
        transfer: around
            .transfers
            .get(&summary.record.id)
            .copied()
            .unwrap_or_default(),
        restoring: around.restores.get(&summary.record.id).copied(),
        held_back: summary
            .held_back
            .iter()
            .map(|held| HeldBackView {
                path: held.path.clone(),
                reason: held_reason(held.reason).to_owned(),
            })
            .collect(),
        spoiled: summary.spoiled,
        local_changes: summary.totals.local_changes,
        braked: summary
            .braked
            .iter()
            .map(|braked| BrakedView {
                peer: braked.peer.to_string(),
                deletes: braked.deletes,
                overwrites: braked.overwrites,
                revives: braked.revives,
            })
            .collect(),
        peers: summary
            .peers
            .iter()
            .map(|part| FolderPeerView {
                id: part.id.to_string(),
                state: match part.state {
                    FolderPeerState::Invited => "invited",
                    FolderPeerState::Connected => "connected",
                    FolderPeerState::Away => "away",
                }
                .to_owned(),
            })
            .collect(),
    }
}

fn root_fault(fault: RootFault) -> &'static str {
    match fault {
        RootFault::Missing => "missing",
        RootFault::NotDirectory => "not_directory",
        RootFault::Nested => "nested",
        RootFault::WrongMarker => "wrong_marker",
        RootFault::NoAccess => "no_access",
        RootFault::ReadOnly => "read_only",
    }
}

fn held_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::Unreadable => "unreadable",
        HeldReason::Unwritable => "unwritable",
        HeldReason::Name => "name",
        HeldReason::Kind => "kind",
        HeldReason::DiskFull => "disk_full",
        HeldReason::ReadOnly => "read_only",
        HeldReason::Ignored => "ignored",
        HeldReason::Attributes => "attributes",
        HeldReason::Spoiled => "spoiled",
    }
}

fn code_error(error: CodeError) -> &'static str {
    match error {
        CodeError::Letter => "code_letter",
        CodeError::Length => "code_length",
        CodeError::Host => "code_host",
    }
}

fn device(text: &str) -> Result<DeviceId, ViewError> {
    text.parse().map_err(|_| ViewError::new("id"))
}

fn folder_id(text: &str) -> Result<FolderId, ViewError> {
    text.parse().map_err(|_| ViewError::new("id"))
}

fn directory_name(root: &str) -> String {
    FilePath::new(root)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|| root.to_owned())
}

/// A link as a QR code; empty when it does not fit one, which 200 bytes always do.
fn qr_svg(text: &str) -> String {
    QrCode::new(text)
        .map(|code| {
            code.render::<svg::Color<'_>>()
                .min_dimensions(160, 160)
                .build()
        })
        .unwrap_or_default()
}
