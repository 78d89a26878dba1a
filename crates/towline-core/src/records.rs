//! What a device keeps across restarts, and the operations that change it.
//!
//! The core names the records and the operations; the store crate gives them rows. A batch of
//! operations is atomic: after a crash either all of it is there or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use towline_wire::entry::{Content, Entry, UnixNanos};
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::pairing::CompareString;
use towline_wire::place;
use towline_wire::rel_path::RelPath;

use crate::folder::rules::RulesMark;

mod departure;
pub mod settings;
mod traffic;

pub use departure::{Departure, Moved, Place};
pub use settings::{
    Activity, AttributeKeeping, Brake, ChosenServer, ConflictPlace, DeviceSettings, FolderSettings,
    Limits, Metered, MeteredNetwork, Mode, ScopeRule, ServersRule, TrafficRule, Window,
};
pub use traffic::{Because, InForce, NetworkCost, WeekTime};

/// A folder's place on this disk, as the shell named it. Opaque to the core.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootPath(pub String);

/// Whether a person has compared the strings on both devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Nobody has said yet.
    NotVerified,
    /// Somebody said "They match".
    Verified,
}

/// Another device that we trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    /// Its key.
    pub id: DeviceId,
    /// Its name: its own until this person renames it.
    pub name: String,
    /// The string that both sides show.
    pub compare: CompareString,
    /// Whether somebody has compared it.
    pub verification: Verification,
    /// Where it was last known to listen, best first.
    pub addresses: Vec<SocketAddr>,
    /// Signal servers where it can be met, as WebSocket URLs.
    pub servers: Vec<String>,
    /// Where this person says that it is, at most [`PLACES_MAX`]: a name is looked up again at each try.
    pub places: Vec<place::Place>,
}

/// Most places that can be said of one peer: 8. A device has two or three; each is probed whenever the
/// peer is sought, and each name is a question to somebody.
pub const PLACES_MAX: usize = 8;

/// A folder that lies on this disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRecord {
    /// Which folder.
    pub id: FolderId,
    /// What this person calls it.
    pub label: String,
    /// Where it lies.
    pub root: RootPath,
    /// The peers that this person shares it with (they may not have accepted yet).
    pub shared_with: BTreeSet<DeviceId>,
    /// What this person has set for it here.
    pub settings: FolderSettings,
}

/// The marks by which a disk shows that bytes are still the same: compared for equality only. What is
/// known of attributes lies beside them: stamps are equal when the marks are.
#[derive(Debug, Clone, Copy)]
pub struct DiskStamp {
    /// Length in bytes; 0 for what is not a file.
    pub size: u64,
    /// Modification time.
    pub mtime: UnixNanos,
    /// Change time of the inode, where the filesystem has one; else 0.
    pub ctime: UnixNanos,
    /// The inode or file id, where the filesystem has one; else 0.
    pub file_id: u64,
    /// What was known of a file's extended attributes when it showed these marks.
    pub beside: Beside,
}

/// What is known of a file's extended attributes on a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beside {
    /// Nothing: they were neither read nor written with its bytes.
    #[default]
    Unasked,
    /// They are those of the record.
    Shown,
    /// The filesystem keeps none.
    Unheld,
}

impl DiskStamp {
    /// The same marks, with this known of attributes.
    #[must_use]
    pub const fn beside(self, beside: Beside) -> Self {
        Self { beside, ..self }
    }

    /// Whether both are equal in what they tell of attributes, too.
    pub fn is_exactly(&self, other: &Self) -> bool {
        self == other && self.beside == other.beside
    }
}

impl PartialEq for DiskStamp {
    fn eq(&self, other: &Self) -> bool {
        let marks = |stamp: &Self| (stamp.size, stamp.mtime, stamp.ctime, stamp.file_id);
        marks(self) == marks(other)
    }
}

impl Eq for DiskStamp {}

/// Steps of file times on filesystems that keep them coarsely: 100 ns, 1 us, 10 ms, 1 s and 2 s (NTFS,
/// APFS of old, exFAT, ext3 and FAT).
const TIME_GRAINS_NS: [i64; 5] = [100, 1_000, 10_000_000, 1_000_000_000, 2_000_000_000];

/// Whether a disk that was asked for one file time may show the other because it keeps no finer ones.
pub fn is_coarse_form(shown: UnixNanos, asked: UnixNanos) -> bool {
    let cut = |grain: i64| asked.0.checked_sub(asked.0.rem_euclid(grain));
    shown == asked
        || TIME_GRAINS_NS
            .iter()
            .any(|grain| cut(*grain) == Some(shown.0))
}

/// Which of our rows a power cut has put in doubt: what the disk shows of them may be as it was, and
/// their bytes not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Doubt {
    /// None: equal marks mean equal bytes.
    #[default]
    Nothing,
    /// Those of files that were written at this time or later, by the clock of their disk.
    Since(UnixNanos),
}

impl Doubt {
    /// Whether what bears this stamp may have lost its bytes.
    pub fn covers(self, stamp: DiskStamp) -> bool {
        match self {
            Self::Nothing => false,
            Self::Since(since) if stamp.ctime == UnixNanos::default() => stamp.mtime >= since,
            Self::Since(since) => stamp.ctime >= since,
        }
    }
}

/// Our own record of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurRow {
    /// What we tell peers.
    pub entry: Entry,
    /// Our index position of it.
    pub sequence: Sequence,
    /// What the disk showed when the entry was true; `None` for tombstones, and for what was not
    /// looked at since it became ignored.
    pub stamp: Option<DiskStamp>,
    /// Who is told of it.
    pub reach: Reach,
}

/// Who is told of a row of ours.
///
/// In a receive-only folder what people change stays here, and is a row of ours all the same: so the
/// disk is compared with what lies there, and nothing is fetched over it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Every peer.
    #[default]
    Everyone,
    /// Nobody: a person has changed here what was known to all.
    Changed,
    /// Nobody: a person has made it here, where nothing was known.
    Added,
    /// Nobody: it gives way to what peers have, or to nothing where they have nothing. A local change
    /// that is being undone, or something new that has gone again before anybody was told.
    Yields,
    /// Nobody: the disk has lost what the record tells of, and what lies there now nobody wrote. It
    /// gives way to what peers have.
    Spoiled,
}

impl Reach {
    /// Whether a row of this reach with this content counts as a change that is only here.
    pub fn is_local(self, content: &Content) -> bool {
        match self {
            Self::Everyone | Self::Spoiled => false,
            Self::Changed | Self::Added => true,
            Self::Yields => *content != Content::Absent,
        }
    }
}

impl OurRow {
    /// Whether nobody knows whether what the row tells of still lies there.
    pub fn is_unseen(&self) -> bool {
        self.stamp.is_none() && self.entry.content != Content::Absent
    }
}

/// A path where a peer's record may differ from ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which path.
    pub path: RelPath,
    /// What we have, tombstone included; `None` when we never knew the path.
    pub ours: Option<OurRow>,
    /// What each peer says, ascending by device.
    pub theirs: Vec<(DeviceId, Entry)>,
    /// Content hashes among `theirs` that we hold under some path of this folder already.
    pub held: BTreeSet<towline_wire::ids::ContentHash>,
    /// Whether the bytes of our file lie under another name, too.
    pub elsewhere: Elsewhere,
    /// What went from here by what a person did, where we have a tombstone.
    pub moved: Option<Moved>,
}

/// Whether a file's bytes lie under another name of the folder that is not on the list of needs itself.
/// Told only where a peer has nothing at the path; anywhere else nobody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// They do not, or it was not looked for.
    Nowhere,
    /// They do, and stay.
    Stays,
}

/// What is kept of the mass change brake for one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BrakeRecord {
    /// Whether what the device wrote waits.
    pub braking: Braking,
    /// Entries that it has taken away here within the present window.
    pub carried: u64,
}

/// Whether what a device wrote waits for a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Braking {
    /// It does not; what it takes away is counted.
    #[default]
    Counting,
    /// It does.
    Engaged,
    /// A person has said yes.
    Released,
}

/// What is kept of one device's presence in one folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contact {
    /// Whether it is back from a long absence.
    pub presence: Presence,
    /// How long ago it was last met when the store was opened; what is told to a store is met now.
    pub silent_for: Duration,
}

/// Whether a device is back from a long absence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Presence {
    /// It was here of late.
    #[default]
    Steady,
    /// It was away for long, and what it would bring back here waits.
    Back,
}

/// Sums over our own rows of one folder, and over its needs. Copies in the conflict inbox are counted as
/// conflicts and nowhere else: nobody has made them as files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Regular files that we have.
    pub files: u64,
    /// Directories that we have.
    pub directories: u64,
    /// Symlinks that we have.
    pub symlinks: u64,
    /// Bytes of all files that we have.
    pub bytes: u64,
    /// Paths on the list of needs.
    pub needs: u64,
    /// Paths with at least one copy in the conflict inbox.
    pub conflicts: u64,
    /// Rows of ours that are changes only here.
    pub local_changes: u64,
}

/// One change of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreOp {
    /// This device's own name.
    PutDeviceName(String),
    /// What holds for the whole device.
    PutDeviceSettings(DeviceSettings),
    /// A new life of this store: sequences are told under it from now on.
    BeginIncarnation(Incarnation),
    /// Adds or replaces a peer.
    PutPeer(PeerRecord),
    /// Forgets a peer, its rows in every folder and its place in every `shared_with`.
    RemovePeer(DeviceId),
    /// Adds or replaces a folder's record; its rows stay.
    PutFolder(FolderRecord),
    /// Forgets a folder with all its rows. Files are not touched.
    RemoveFolder(FolderId),
    /// Adds or replaces our rows, by path.
    PutOurRows {
        /// Which folder.
        folder: FolderId,
        /// The rows.
        rows: Vec<OurRow>,
    },
    /// Replaces only the stamps of our rows (no new version, no new sequence).
    PutStamps {
        /// Which folder.
        folder: FolderId,
        /// Path and what the disk shows now.
        stamps: Vec<(RelPath, DiskStamp)>,
    },
    /// Adds or replaces a peer's rows by path, and its index position. With another incarnation than
    /// the kept one, the peer's older rows of this folder are forgotten first. Every path whose
    /// record is not exactly ours (version, author, content and mtime) goes onto the list of needs.
    PutPeerRows {
        /// Which folder.
        folder: FolderId,
        /// Whose rows.
        device: DeviceId,
        /// The life of the peer's store.
        incarnation: Incarnation,
        /// The peer's index position after these rows.
        up_to: Sequence,
        /// The rows.
        entries: Vec<Entry>,
    },
    /// Forgets a peer's rows and index position in one folder.
    ForgetPeerRows {
        /// Which folder.
        folder: FolderId,
        /// Whose rows.
        device: DeviceId,
    },
    /// Adds or replaces what is kept of the mass change brake, by device.
    PutBrakes {
        /// Which folder.
        folder: FolderId,
        /// The records.
        brakes: Vec<(DeviceId, BrakeRecord)>,
    },
    /// Adds or replaces what is kept of files that went, by path. It is forgotten when something of ours
    /// lies there again, and the oldest when there are very many.
    PutDepartures {
        /// Which folder.
        folder: FolderId,
        /// What went.
        departures: Vec<Departure>,
    },
    /// Adds or replaces what is kept of devices' presence, by device: they are there now.
    PutContacts {
        /// Which folder.
        folder: FolderId,
        /// The records.
        contacts: Vec<(DeviceId, Contact)>,
    },
    /// Puts paths onto the list of needs, whatever peers say of them.
    AddNeeds {
        /// Which folder.
        folder: FolderId,
        /// The paths.
        paths: Vec<RelPath>,
    },
    /// Takes paths off the list of needs: nothing is to be done there until a row changes.
    SettleNeeds {
        /// Which folder.
        folder: FolderId,
        /// The paths.
        paths: Vec<RelPath>,
    },
    /// Puts every path at which a peer's record is not exactly ours on the list of needs again, and
    /// remembers under which ignore rules.
    RenewNeeds {
        /// Which folder.
        folder: FolderId,
        /// The rules.
        under: RulesMark,
    },
    /// Replaces which rows a power cut has put in doubt.
    PutDoubt {
        /// Which folder.
        folder: FolderId,
        /// Which of its rows.
        doubt: Doubt,
    },
    /// Our rows at these paths lose their stamps: nobody knows whether they are still true.
    ForgetStamps {
        /// Which folder.
        folder: FolderId,
        /// The paths.
        paths: Vec<RelPath>,
    },
}

/// What a store holds when a device starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// This device's name.
    pub name: String,
    /// What holds for the whole device.
    pub settings: DeviceSettings,
    /// The current life of the store.
    pub incarnation: Incarnation,
    /// All peers.
    pub peers: Vec<PeerRecord>,
    /// All folders.
    pub folders: Vec<RestoredFolder>,
}

/// What a store holds of one folder when a device starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredFolder {
    /// Its record.
    pub record: FolderRecord,
    /// The highest sequence among our rows; 0 when there is none.
    pub last_sequence: Sequence,
    /// How far we have each peer's index.
    pub have: BTreeMap<DeviceId, (Incarnation, Sequence)>,
    /// The ignore rules under which the list of needs was made.
    pub needs_under: RulesMark,
    /// Sums.
    pub totals: Totals,
    /// What is kept of the mass change brake.
    pub brakes: BTreeMap<DeviceId, BrakeRecord>,
    /// Which of our rows a power cut has put in doubt.
    pub doubt: Doubt,
    /// When peers were last met.
    pub contacts: BTreeMap<DeviceId, Contact>,
}
