//! What a person has set for one folder and for the whole device.
//!
//! Everything has a default that suits a person who never looks: two-way, running, a brake, versions
//! for a month, no limits. Settings are replaced as a whole, so two shells that change different things at
//! once cannot leave a mixture that nobody chose; only how far the device goes and at which servers it is are set
//! by themselves. Speeds are bytes per second, times of day minutes of the local day.

use std::num::NonZeroU64;

use towline_wire::server_url::ServerUrl;
use towline_wire::signal::AccessToken;

use crate::io::NetworkScope;
use crate::versions::Retention;

/// What a person has set for one folder on this device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderSettings {
    /// Which way changes go.
    pub mode: Mode,
    /// Whether the folder takes part at all.
    pub activity: Activity,
    /// When a peer's mass change waits for a person.
    pub brake: Brake,
    /// How long versions are kept.
    pub retention: Retention,
    /// Ignore rules of this device alone, in gitignore syntax; at most [`LOCAL_RULES_BYTES_MAX`].
    pub local_rules: String,
    /// Most bytes per second of this folder's content.
    pub limits: Limits,
    /// Where versions that lose a conflict are kept.
    pub conflicts: ConflictPlace,
    /// Whether files keep their extended attributes here.
    pub attributes: AttributeKeeping,
}

impl FolderSettings {
    /// Whether every value is in its range.
    pub fn is_sane(&self) -> bool {
        let brake = match self.brake {
            Brake::Off => true,
            Brake::At {
                entries_max,
                percent_max,
            } => entries_max > 0 && (1..=100).contains(&percent_max),
        };
        brake && self.local_rules.len() <= LOCAL_RULES_BYTES_MAX && !self.local_rules.contains('\0')
    }
}

/// Longest text of local rules: 64 KiB. People write a few lines; a list of a thousand paths fits.
pub const LOCAL_RULES_BYTES_MAX: usize = 64 * 1024;

/// Which way changes of a folder go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both ways.
    #[default]
    TwoWay,
    /// From here to the peers: what they change is not carried out here.
    SendOnly,
    /// From the peers to here: what is changed here is not told.
    ReceiveOnly,
}

/// Whether a folder takes part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activity {
    /// It does.
    #[default]
    Running,
    /// A person has paused it: nothing is told, fetched or written.
    Paused,
}

/// When a mass change waits for a person: when one peer deletes or overwrites more than this within
/// a short while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// Never.
    Off,
    /// Beyond either bound.
    At {
        /// Entries.
        entries_max: u32,
        /// Share of the folder's files, in percent.
        percent_max: u8,
    },
}

impl Default for Brake {
    /// A thousand entries, or a quarter of the folder: more than people change by hand, less than
    /// what a wrong command or a thief of files would.
    fn default() -> Self {
        Self::At {
            entries_max: 1000,
            percent_max: 25,
        }
    }
}

/// Where versions that lose a conflict are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConflictPlace {
    /// Out of sight, in the inbox.
    #[default]
    Inbox,
    /// Beside the file that won.
    Beside,
}

/// Whether files of a folder keep their extended attributes on this disk.
///
/// Where they do not, what peers say of them is kept in the rows and passed on all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AttributeKeeping {
    /// They are neither read nor written.
    #[default]
    Off,
    /// They are read with a file, told, and written with one.
    On,
}

/// Most bytes per second of file content, per direction; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// From this device.
    pub send: Option<NonZeroU64>,
    /// To this device.
    pub receive: Option<NonZeroU64>,
}

/// What a person has set for the whole device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceSettings {
    /// Limits over all folders.
    pub limits: Limits,
    /// Times of the week with rules of their own; where windows overlap the first one holds. At
    /// most [`WINDOWS_MAX`].
    pub schedule: Vec<Window>,
    /// What holds on a network that costs by volume.
    pub metered: Metered,
    /// How far the device goes, where nobody else says it ([`ScopeRule::Chosen`]).
    pub scope: NetworkScope,
    /// At which signal servers it is, the preferred one first, where nobody else says it ([`ServersRule::Chosen`]);
    /// at none when empty, at those of the build while its person has not chosen.
    pub servers: Option<Vec<ChosenServer>>,
}

/// A signal server that somebody has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenServer {
    /// Where it is.
    pub url: ServerUrl,
    /// What is shown there, where it is not for everybody.
    pub token: Option<AccessToken>,
}

/// Who says at which signal servers a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServersRule {
    /// Its person, in its settings.
    Chosen,
    /// Whoever has started it, or set it in a file, whatever its settings say.
    Fixed,
}

/// Who says how far a device goes in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeRule {
    /// Its person, in its settings.
    Chosen,
    /// Whoever has started it, or set it in a file: it goes this far, whatever its settings say.
    Fixed(NetworkScope),
}

impl ScopeRule {
    /// How far a device with these settings goes.
    pub const fn scope(self, settings: &DeviceSettings) -> NetworkScope {
        match self {
            Self::Chosen => settings.scope,
            Self::Fixed(scope) => scope,
        }
    }
}

impl DeviceSettings {
    /// Whether every value is in its range.
    pub fn is_sane(&self) -> bool {
        let is_time = |window: &Window| {
            (1..0x80).contains(&window.days)
                && window.from < MINUTES_PER_DAY
                && window.to < MINUTES_PER_DAY
        };
        self.schedule.len() <= WINDOWS_MAX && self.schedule.iter().all(is_time)
    }
}

const MINUTES_PER_DAY: u16 = 24 * 60;

/// Windows in a schedule: 64; a week of nine changes a day.
pub const WINDOWS_MAX: usize = 64;

/// A time of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// On which days it begins: bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Minute of the day at which it begins, below 1440.
    pub from: u16,
    /// Minute of the day at which it ends, below 1440; the next day when not after `from`.
    pub to: u16,
    /// What holds then.
    pub rule: TrafficRule,
}

/// What holds for all content for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficRule {
    /// No content moves.
    Pause,
    /// It moves within these limits.
    Limit(Limits),
}

/// What holds on a network that costs by volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metered {
    /// Whether this network is one.
    pub network: MeteredNetwork,
    /// What holds there; `None` for nothing of its own.
    pub rule: Option<TrafficRule>,
}

/// Whether the present network costs by volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MeteredNetwork {
    /// As the system says.
    #[default]
    AsSystemSays,
    /// A person says that it does.
    Yes,
    /// A person says that it does not.
    No,
}
