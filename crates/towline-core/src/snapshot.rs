//! What a person can see at once: a summary of the whole device, made from the machines' states.
//!
//! Long lists (files, history) are not here. Times are moments of the device's clock; the shells
//! turn them into words.

use std::time::Duration;

use towline_wire::code::PairingCode;
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::link_uri::LinkUri;
use towline_wire::place::Place;
use towline_wire::server_url::ServerUrl;

use crate::clock::Moment;
use crate::io::{Discovery, HeldBack, LinkFault, NetworkScope, Path, RootFault, SignalFault};
use crate::link::LinkCounts;
use crate::records::{DeviceSettings, FolderRecord, PeerRecord, ScopeRule, Totals};

/// The whole summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// This device.
    pub device: DeviceSummary,
    /// The signal server in use.
    pub server: ServerSummary,
    /// The others: further own ones, and those where peers are visited.
    pub other_servers: Vec<ServerSummary>,
    /// The pairing that runs, or the outcome of the last one.
    pub pairing: PairingSummary,
    /// All peers, by name.
    pub peers: Vec<PeerSummary>,
    /// All folders on this device, by label.
    pub folders: Vec<FolderSummary>,
    /// Folders that peers share and this device has not taken yet.
    pub invitations: Vec<Invitation>,
}

/// This device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSummary {
    /// Its key.
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// What its person has set for all of it.
    pub settings: DeviceSettings,
    /// Whether another computer has its key.
    pub oneness: Oneness,
    /// How far it goes.
    pub scope: NetworkScope,
    /// Who says it.
    pub scope_rule: ScopeRule,
    /// Whether it is announced on the local network.
    pub discovery: Discovery,
    /// Whether another life is to follow, in which what was set holds.
    pub begins_anew: bool,
}

/// Whether a device is one computer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Oneness {
    /// Nothing shows that it is not.
    #[default]
    Single,
    /// Two computers use its key: nothing is synced with it until one of them has a new one.
    Doubled,
}

/// A signal server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSummary {
    /// Where it is; `None` when none is configured.
    pub url: Option<ServerUrl>,
    /// The session with it.
    pub state: ServerState,
}

/// A session with a signal server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// None is configured.
    None,
    /// Connecting, or waiting for registration.
    Connecting,
    /// Registered.
    Online,
    /// Not reachable; tried again at `retry_at`.
    Offline {
        /// What went wrong.
        fault: SignalFault,
        /// When it is tried again.
        retry_at: Moment,
    },
    /// Not tried again until a code is made or entered, the network changes or the device starts anew.
    Stopped {
        /// What went wrong.
        fault: SignalFault,
    },
}

/// A pairing as a person follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingSummary {
    /// None.
    Idle,
    /// A mailbox is being opened.
    Opening,
    /// The code is shown; somebody must type it on the other device.
    Waiting {
        /// The code. Secret: for this device's person only.
        code: PairingCode,
        /// The link for QR and clipboard. Secret as well.
        link: LinkUri,
        /// When both stop to work.
        expires_at: Moment,
    },
    /// The code was entered here; the other side is being met.
    Joining,
    /// Both sides prove that they know the secret.
    Proving,
    /// A new peer.
    Paired(DeviceId),
    /// It failed.
    Failed(PairingFault),
}

/// Why a pairing failed. Each has one thing that a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PairingFault {
    /// The code is wrong, used, or never existed. The mailbox is burned: make a new one.
    CodeInvalid,
    /// Five minutes are over.
    Expired,
    /// The signal server cannot be reached.
    ServerUnreachable,
    /// The signal server asks to wait (too many tries).
    RateLimited,
    /// The other side went away, or gave up.
    PeerGone,
    /// The other side speaks no version that this one speaks.
    Version,
    /// The other side sent what the protocol does not allow.
    Protocol,
    /// The code is this device's own.
    OwnCode,
    /// No device nearby shows this code, and there is no server to ask.
    NotNearby,
    /// Several devices nearby show a code with this first half. Whom the other half is for cannot be seen
    /// before it is given away: make a new code.
    SeveralNearby,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSummary {
    /// What is kept of it.
    pub record: PeerRecord,
    /// Where files of settings say that it is.
    pub places_set: Vec<Place>,
    /// Whether and how it is connected.
    pub link: LinkState,
    /// What became of the tries to connect since the device started.
    pub counts: LinkCounts,
    /// Whether it is one computer.
    pub oneness: Oneness,
}

/// Whether and how a peer is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not known to be reachable.
    Away,
    /// Being tried.
    Connecting,
    /// Connected.
    Up {
        /// The path that packets take.
        path: Path,
        /// The connection's round-trip time, once measured.
        rtt: Option<Duration>,
        /// Bytes received since the connection stands.
        received_bytes: u64,
        /// Bytes sent since the connection stands.
        sent_bytes: u64,
    },
    /// The last try failed; tried again at `retry_at`.
    Waiting {
        /// What went wrong.
        fault: LinkFault,
        /// When it is tried again.
        retry_at: Moment,
    },
    /// Somebody else's key answered where this peer was. Stays until a person acts.
    Impostor,
}

/// One folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSummary {
    /// What is kept of it.
    pub record: FolderRecord,
    /// What it is doing.
    pub state: FolderState,
    /// Sums over what lies here, and the paths that are still needed.
    pub totals: Totals,
    /// Steps that were carried out since the device started.
    pub applied: u64,
    /// Files that a power cut has taken, as far as was seen since the device started. What lay in their
    /// places is kept as a version.
    pub spoiled: u64,
    /// Entries that cannot be synced here, the first 100.
    pub held_back: Vec<HeldBack>,
    /// Mass changes that wait for a person.
    pub braked: Vec<Braked>,
    /// Peers that take part, with their state.
    pub peers: Vec<FolderPeer>,
}

/// What of a device waits for a person: a mass change, or what it would bring back after a long absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Braked {
    /// Who made it.
    pub peer: DeviceId,
    /// Files that it deletes, as far as is known.
    pub deletes: u64,
    /// Files that it overwrites, as far as is known.
    pub overwrites: u64,
    /// Entries that were deleted here and would come back, as far as is known.
    pub revives: u64,
}

/// What a folder is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderState {
    /// Its root is being opened.
    Opening,
    /// Its root cannot be used; it goes on by itself when the root is back.
    Paused(RootFault),
    /// A person has paused it.
    PausedByPerson,
    /// Looking for local changes.
    Scanning,
    /// Fetching or applying what peers have.
    Syncing,
    /// Something is needed that no connected peer has, or a disk refuses.
    Waiting,
    /// Equal to every connected peer, as far as both have told.
    InSync,
}

/// A peer's part in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPeer {
    /// Which peer.
    pub id: DeviceId,
    /// What is known of its part.
    pub state: FolderPeerState,
}

/// What is known of a peer's part in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderPeerState {
    /// Invited; it has not accepted yet, or was never connected since.
    Invited,
    /// Takes part and is connected.
    Connected,
    /// Takes part and is away.
    Away,
}

/// A folder that a peer shares and this device has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who shares it.
    pub peer: DeviceId,
    /// Which folder.
    pub folder: FolderId,
    /// The peer's label.
    pub label: String,
}
