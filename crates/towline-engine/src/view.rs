//! What the shells see and say: a serialisable mirror of the core's snapshot and commands.
//!
//! Both shells (window and command line) and the local socket speak these types; the TypeScript
//! ones are generated from them (`cargo xtask gen`). Nothing here is text for people: states,
//! reasons and refusals are codes, and each shell has its own words for them. Times are Unix
//! milliseconds of this machine's clock, so a view does not change while nothing happens. Sizes are
//! bytes, below 2^53.

use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod answered;
mod asked;
mod files;
mod held;
mod network;
mod pages;
mod settings;
mod translate;

pub use crate::doctor::{Finding, FindingView, MdnsStateView, VerdictView};
pub use answered::{AnswerView, VersionView, ViewError};
pub use asked::CommandView;
pub use network::{
    CandidateView, ConnectBucketView, CountView, LinkChangeView, LinkCountsView, LinkReportView,
    LinkSampleView, LinkSightView, MappingView, NetworkView, OutsideView, TurnServerView,
    TurnStateView,
};
pub use pages::{BrakedView, ConflictView, FileView, KeepView, PreviewView, SideView};
pub use settings::{
    BecauseView, BrakeView, ConflictPlaceView, DeviceSettingsView, FolderSettingsView, LimitsView,
    MeteredNetworkView, ModeView, RetentionView, TrafficRuleView, TrafficView, WindowView,
};

pub(crate) use files::{AskedOfFiles, files};
pub(crate) use held::{AskedOfHeld, held};
pub(crate) use network::network;
pub(crate) use translate::{
    Asked, AskedOfInbox, AskedOfPast, AskedOfRules, OwnServers, Surroundings, UnixClock, answer,
    command, conflict_fault, conflicts, matches, preview, refusal, restore_fault, restored,
    rules_fault, versions, view,
};

/// Everything that a person can see at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct View {
    /// Grows with every change of anything below.
    #[ts(type = "number")]
    pub revision: u64,
    /// This device.
    pub device: DeviceView,
    /// The signal server.
    pub server: ServerView,
    /// The pairing that runs, or the outcome of the last one.
    pub pairing: PairingView,
    /// All peers, by name.
    pub peers: Vec<PeerView>,
    /// All folders on this device, by label.
    pub folders: Vec<FolderView>,
    /// Folders that peers share and this device has not taken yet.
    pub invitations: Vec<InvitationView>,
}

/// A text that is for this device's person only: a code, a link. Redacted in `Debug`, so that no
/// log of a view or a command tells it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for its person.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// This device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceView {
    /// Its key: 52 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its key is kept.
    pub key_place: KeyPlace,
    /// What is set for all of it.
    pub settings: DeviceSettingsView,
    /// What holds for all content now.
    pub traffic: TrafficView,
    /// What became of its store at the last start.
    pub store: StoreCondition,
    /// This program's version.
    pub version: String,
    /// Whether another computer has its key.
    pub identity: IdentityView,
    /// How far it goes in the network.
    pub scope: ScopeView,
    /// Who may set that.
    pub scope_lock: SettingLock,
    /// Whether it is announced on the local network.
    pub discovery: DiscoveryView,
    /// Whether it is about to begin anew, within a second, so that what was set holds.
    pub begins_anew: bool,
}

/// How far a device goes in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ScopeView {
    /// As far as it leads.
    Everywhere,
    /// Nothing leaves the local network.
    LocalNetwork,
}

/// Whether a device is announced on the local network, and looks for others there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DiscoveryView {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Where the other device finds the one that shows a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MeetingView {
    /// At the signal server, and on the local network.
    Server,
    /// On the local network only.
    Nearby,
}

/// Whether a device is one computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IdentityView {
    /// Nothing shows that it is not.
    Single,
    /// Two computers use its key; nothing is synced with it until one of them has a new one.
    Doubled,
}

/// Where the device key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// In the system's keyring.
    Keyring,
    /// In a file that only this user may read, because there is no usable keyring.
    File,
}

/// What became of the store at the last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StoreCondition {
    /// It was made new.
    New,
    /// It was there and whole.
    Whole,
    /// It was damaged: kept aside, and rebuilt from the folders on disk.
    Rebuilt,
}

/// The signal server in use: the preferred one of those that work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ServerView {
    /// Its WebSocket URL; `null` when none is configured.
    pub url: Option<String>,
    /// The proxy that leads to it, without credentials; `null` where none does.
    pub proxy: Option<String>,
    /// How the session with it stands.
    pub state: ServerStateView,
    /// At which servers this device is to be, the preferred one first, also while it stays within the local network.
    pub own: Vec<String>,
    /// Who has set those.
    pub set_by: ServersSetByView,
    /// The one that `CommandView::SetServers` with `null` goes back to; `null` where there is none.
    pub usual: Option<String>,
    /// The others where this device is: further own ones, and those where peers are visited.
    pub others: Vec<OtherServerView>,
}

/// Who has set at which signal servers a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ServersSetByView {
    /// This computer's administrator; nobody here changes it.
    Administrator,
    /// Whoever started the device, or its file of settings; nobody changes it while it runs.
    Start,
    /// Its person, who may change it.
    Person,
    /// Nobody yet: they are what this build has, and its person may change them.
    Build,
}

/// Another signal server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OtherServerView {
    /// Its WebSocket URL.
    pub url: String,
    /// The proxy that leads to it, without credentials; `null` where none does.
    pub proxy: Option<String>,
    /// How the session with it stands.
    pub state: ServerStateView,
}

/// Who may set how far a device goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SettingLock {
    /// Its person.
    Open,
    /// Nobody here: this computer's administrator has, or whoever started the device, or its file of settings.
    Locked,
}

/// How the session with the signal server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerStateView {
    /// None is configured.
    None,
    /// Connecting.
    Connecting,
    /// Registered.
    Online,
    /// Not reachable.
    Offline {
        /// Why: `unreachable`, `certificate`, `pin`, `proxy_unreachable`, `proxy_login`,
        /// `proxy_refused`, `protocol`, `closed`, `refused` or `no_access`.
        fault: String,
        /// When it is tried again.
        #[ts(type = "number")]
        retry_at_ms: u64,
    },
    /// Not tried again until a code is made or entered, the network changes or the engine starts anew.
    Stopped {
        /// Why: `bad_proof`, `replaced` or `unacceptable`.
        fault: String,
    },
}

/// A pairing as a person follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PairingView {
    /// None.
    Idle,
    /// A mailbox is being opened.
    Opening,
    /// The code waits for the other device.
    Waiting {
        /// `ABC-234`.
        #[ts(type = "string")]
        code: Secret,
        /// `towline://...`.
        #[ts(type = "string")]
        link: Secret,
        /// The link as a QR code, an SVG document.
        #[ts(type = "string")]
        qr_svg: Secret,
        /// Where the other device finds this one.
        meeting: MeetingView,
        /// When all of them stop to work.
        #[ts(type = "number")]
        expires_at_ms: u64,
    },
    /// The code was entered here; the other side is being met.
    Joining,
    /// Both sides prove that they know the secret.
    Proving,
    /// A new peer.
    Paired {
        /// Its id.
        peer: String,
    },
    /// It failed.
    Failed {
        /// Why: `code_invalid`, `expired`, `server_unreachable`, `rate_limited`, `peer_gone`,
        /// `version`, `protocol`, `own_code`, `not_nearby` or `several_nearby`.
        reason: String,
    },
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct PeerView {
    /// Its key: 52 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The seven symbols that both devices show.
    pub compare: Vec<SymbolView>,
    /// Whether somebody has compared them.
    pub verified: bool,
    /// Where this person says that it is, as host and port; tried beside what is found out.
    pub places: Vec<String>,
    /// Where files of settings say that it is, as host and port; only those files change it.
    pub places_set: Vec<String>,
    /// Whether and how it is connected.
    pub link: LinkView,
    /// What became of the tries to connect since the device started.
    pub counts: LinkCountsView,
    /// Whether it is one computer.
    pub identity: IdentityView,
}

/// One symbol of a compare string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SymbolView {
    /// The picture.
    pub emoji: String,
    /// Its English name, the key for translations.
    pub word: String,
}

/// Whether and how a peer is connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkView {
    /// Not known to be reachable.
    Away,
    /// Being tried.
    Connecting,
    /// Connected.
    Up {
        /// The path that packets take.
        path: PathView,
        /// Round-trip time in milliseconds, once measured.
        rtt_ms: Option<f64>,
        /// Bytes received since the connection stands.
        #[ts(type = "number")]
        received_bytes: u64,
        /// Bytes sent since the connection stands.
        #[ts(type = "number")]
        sent_bytes: u64,
    },
    /// The last try failed.
    Waiting {
        /// Why: `timed_out`, `closed`, `refused`, `impostor`, `protocol` or `version`.
        fault: String,
        /// When it is tried again.
        #[ts(type = "number")]
        retry_at_ms: u64,
    },
    /// Somebody else's key answered where this peer was.
    Impostor,
}

/// One network way to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PathView {
    /// On this computer or in its local network.
    Lan {
        /// The peer's address.
        address: String,
    },
    /// Straight through the internet.
    Direct {
        /// The peer's address.
        address: String,
    },
    /// Through a TURN server, sealed.
    Turn {
        /// Where packets go from this server, or the peer's address at its own.
        address: String,
    },
    /// Through the signal server, sealed.
    Relayed,
}

/// One folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct FolderView {
    /// 32 hexadecimal characters.
    pub id: String,
    /// What this person calls it.
    pub label: String,
    /// Where it lies.
    pub root: String,
    /// What is set for it here.
    pub settings: FolderSettingsView,
    /// What it is doing.
    pub state: FolderStateView,
    /// Files that lie here.
    #[ts(type = "number")]
    pub files: u64,
    /// Directories that lie here.
    #[ts(type = "number")]
    pub directories: u64,
    /// Bytes of all files that lie here.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Paths that still differ from what peers have.
    #[ts(type = "number")]
    pub needs: u64,
    /// Paths in conflict: with versions that wait for a decision.
    #[ts(type = "number")]
    pub conflicts: u64,
    /// Bytes in motion towards this device.
    pub transfer: TransferView,
    /// How far a restore to a moment has come, while there is one.
    pub restoring: Option<RestoringView>,
    /// Entries that cannot be synced here, the first 100.
    pub held_back: Vec<HeldBackView>,
    /// Files that a power cut has taken, as far as was seen since the device started. What it left in
    /// their places is kept as versions, and what peers have comes back.
    #[ts(type = "number")]
    pub spoiled: u64,
    /// Entries changed here that are not told, in a receive-only folder.
    #[ts(type = "number")]
    pub local_changes: u64,
    /// Mass changes that wait for a person.
    pub braked: Vec<BrakedView>,
    /// Peers that take part.
    pub peers: Vec<FolderPeerView>,
}

/// How far a restore to a moment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestoringView {
    /// Files that have been looked at.
    #[ts(type = "number")]
    pub done: u64,
    /// Files that are to be brought back.
    #[ts(type = "number")]
    pub total: u64,
}

/// What a folder is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FolderStateView {
    /// Its root is being opened.
    Opening,
    /// Its root cannot be used.
    Paused {
        /// Why: `missing`, `not_directory`, `nested`, `wrong_marker`, `no_access` or `read_only`.
        fault: String,
    },
    /// A person has paused it.
    PausedByPerson,
    /// Looking for local changes.
    Scanning,
    /// Fetching or applying what peers have.
    Syncing,
    /// Something is needed that no connected peer has, or the disk refuses.
    Waiting,
    /// Equal to every connected peer.
    InSync,
}

/// Bytes in motion towards this device, for one folder, since the device started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TransferView {
    /// Bytes fetched.
    #[ts(type = "number")]
    pub fetched_bytes: u64,
    /// Bytes that did not need to be fetched because this folder held them already.
    #[ts(type = "number")]
    pub reused_bytes: u64,
    /// Files put into place.
    #[ts(type = "number")]
    pub files: u64,
    /// Bytes that the current steps still want.
    #[ts(type = "number")]
    pub wanted_bytes: u64,
    /// Current speed in bytes per second.
    #[ts(type = "number")]
    pub bytes_per_second: u64,
}

/// A path that cannot be synced here now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HeldBackView {
    /// The path.
    pub path: String,
    /// Why: `unreadable`, `unwritable`, `name`, `kind`, `disk_full`, `read_only`, `ignored` or
    /// `spoiled`.
    pub reason: String,
}

/// A peer's part in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FolderPeerView {
    /// Which peer.
    pub id: String,
    /// `invited`, `connected` or `away`.
    pub state: String,
}

/// A folder that a peer shares and this device has not taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InvitationView {
    /// Who shares it.
    pub peer: String,
    /// Which folder.
    pub folder: String,
    /// The peer's label.
    pub label: String,
}
