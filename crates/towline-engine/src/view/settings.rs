//! Settings as shells see and say them: the mirror of the core's `records::settings`.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towline_core::io::NetworkScope;
use towline_core::records::{
    Activity, AttributeKeeping, Because, Brake, ConflictPlace, DeviceSettings, FolderSettings,
    InForce, Limits, Metered, MeteredNetwork, Mode, TrafficRule, Window,
};
use towline_core::versions::{Policy, Retention};
use ts_rs::TS;

/// What a person has set for one folder on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FolderSettingsView {
    /// Which way changes go.
    pub mode: ModeView,
    /// Whether a person has paused it.
    pub paused: bool,
    /// When a peer's mass change waits for a person; `null` is never.
    pub brake: Option<BrakeView>,
    /// How long versions are kept.
    pub retention: RetentionView,
    /// Ignore rules of this device alone, in gitignore syntax.
    pub local_rules: String,
    /// Most bytes per second.
    pub limits: LimitsView,
    /// Where versions that lose a conflict are kept.
    pub conflicts: ConflictPlaceView,
    /// Whether files keep their extended attributes here.
    pub attributes: bool,
}

/// Which way changes of a folder go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ModeView {
    /// Both ways.
    TwoWay,
    /// From here to the peers.
    SendOnly,
    /// From the peers to here.
    ReceiveOnly,
}

/// When a peer's mass change waits for a person: beyond either bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BrakeView {
    /// Entries.
    pub entries_max: u32,
    /// Share of the folder's files, 1 to 100.
    pub percent_max: u8,
}

/// How long versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RetentionView {
    /// Whether the older ones of a path are thinned out.
    pub staggered: bool,
    /// What is older goes.
    pub days: u32,
    /// Bytes of all versions of the folder.
    #[ts(type = "number")]
    pub bytes_max: u64,
    /// The same as a share of the disk, in percent; the smaller one counts.
    pub disk_percent_max: u8,
}

/// Most bytes per second of content, per direction; `null` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LimitsView {
    /// From this device.
    #[ts(type = "number | null")]
    pub send: Option<NonZeroU64>,
    /// To this device.
    #[ts(type = "number | null")]
    pub receive: Option<NonZeroU64>,
}

/// Where versions that lose a conflict are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPlaceView {
    /// Out of sight, in the inbox.
    Inbox,
    /// Beside the file that won.
    Beside,
}

/// What a person has set for the whole device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceSettingsView {
    /// Limits over all folders.
    pub limits: LimitsView,
    /// Times of the week with rules of their own; where windows overlap the first one holds.
    pub schedule: Vec<WindowView>,
    /// Whether the present network costs by volume.
    pub metered_network: MeteredNetworkView,
    /// What holds there; `null` for nothing of its own.
    pub metered_rule: Option<TrafficRuleView>,
}

/// A time of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WindowView {
    /// On which days it begins: bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Minute of the day at which it begins.
    pub from: u16,
    /// Minute of the day at which it ends; the next day when not after `from`.
    pub to: u16,
    /// What holds then.
    pub rule: TrafficRuleView,
}

/// What holds for all content for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum TrafficRuleView {
    /// No content moves.
    Pause,
    /// It moves within these limits.
    Limit(LimitsView),
}

/// What holds for all content now, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TrafficView {
    /// What holds.
    pub rule: TrafficRuleView,
    /// Why it does.
    pub because: BecauseView,
}

/// Why a rule holds for all content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BecauseView {
    /// It is set for always.
    Always,
    /// A window of the schedule.
    Schedule,
    /// The network costs by volume.
    Metered,
}

impl From<InForce> for TrafficView {
    fn from(InForce { rule, because }: InForce) -> Self {
        Self {
            rule: rule.into(),
            because: match because {
                Because::Always => BecauseView::Always,
                Because::Schedule => BecauseView::Schedule,
                Because::Metered => BecauseView::Metered,
            },
        }
    }
}

/// Whether the present network costs by volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MeteredNetworkView {
    /// As the system says.
    System,
    /// A person says that it does.
    Yes,
    /// A person says that it does not.
    No,
}

impl Default for FolderSettingsView {
    fn default() -> Self {
        Self::from(&FolderSettings::default())
    }
}

impl Default for DeviceSettingsView {
    fn default() -> Self {
        Self::from(&DeviceSettings::default())
    }
}

impl From<&FolderSettings> for FolderSettingsView {
    fn from(settings: &FolderSettings) -> Self {
        Self {
            mode: match settings.mode {
                Mode::TwoWay => ModeView::TwoWay,
                Mode::SendOnly => ModeView::SendOnly,
                Mode::ReceiveOnly => ModeView::ReceiveOnly,
            },
            paused: settings.activity == Activity::Paused,
            brake: match settings.brake {
                Brake::Off => None,
                Brake::At {
                    entries_max,
                    percent_max,
                } => Some(BrakeView {
                    entries_max,
                    percent_max,
                }),
            },
            retention: settings.retention.into(),
            local_rules: settings.local_rules.clone(),
            limits: settings.limits.into(),
            conflicts: match settings.conflicts {
                ConflictPlace::Inbox => ConflictPlaceView::Inbox,
                ConflictPlace::Beside => ConflictPlaceView::Beside,
            },
            attributes: settings.attributes == AttributeKeeping::On,
        }
    }
}

impl From<FolderSettingsView> for FolderSettings {
    fn from(view: FolderSettingsView) -> Self {
        Self {
            mode: match view.mode {
                ModeView::TwoWay => Mode::TwoWay,
                ModeView::SendOnly => Mode::SendOnly,
                ModeView::ReceiveOnly => Mode::ReceiveOnly,
            },
            activity: if view.paused {
                Activity::Paused
            } else {
                Activity::Running
            },
            brake: match view.brake {
                None => Brake::Off,
                Some(BrakeView {
                    entries_max,
                    percent_max,
                }) => Brake::At {
                    entries_max,
                    percent_max,
                },
            },
            retention: view.retention.into(),
            local_rules: view.local_rules,
            limits: view.limits.into(),
            conflicts: match view.conflicts {
                ConflictPlaceView::Inbox => ConflictPlace::Inbox,
                ConflictPlaceView::Beside => ConflictPlace::Beside,
            },
            attributes: if view.attributes {
                AttributeKeeping::On
            } else {
                AttributeKeeping::Off
            },
        }
    }
}

impl From<Retention> for RetentionView {
    fn from(retention: Retention) -> Self {
        Self {
            staggered: retention.policy == Policy::Staggered,
            days: u32::try_from(retention.age_max.as_secs() / SECONDS_PER_DAY).unwrap_or(u32::MAX),
            bytes_max: retention.bytes_max,
            disk_percent_max: u8::try_from(retention.disk_percent_max).unwrap_or(100),
        }
    }
}

impl From<RetentionView> for Retention {
    fn from(view: RetentionView) -> Self {
        Self {
            policy: if view.staggered {
                Policy::Staggered
            } else {
                Policy::Trash
            },
            age_max: Duration::from_secs(u64::from(view.days) * SECONDS_PER_DAY),
            bytes_max: view.bytes_max,
            disk_percent_max: u64::from(view.disk_percent_max),
        }
    }
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

impl From<Limits> for LimitsView {
    fn from(Limits { send, receive }: Limits) -> Self {
        Self { send, receive }
    }
}

impl From<LimitsView> for Limits {
    fn from(LimitsView { send, receive }: LimitsView) -> Self {
        Self { send, receive }
    }
}

impl From<&DeviceSettings> for DeviceSettingsView {
    fn from(settings: &DeviceSettings) -> Self {
        let window = |window: &Window| WindowView {
            days: window.days,
            from: window.from,
            to: window.to,
            rule: window.rule.into(),
        };
        Self {
            limits: settings.limits.into(),
            schedule: settings.schedule.iter().map(window).collect(),
            metered_network: match settings.metered.network {
                MeteredNetwork::AsSystemSays => MeteredNetworkView::System,
                MeteredNetwork::Yes => MeteredNetworkView::Yes,
                MeteredNetwork::No => MeteredNetworkView::No,
            },
            metered_rule: settings.metered.rule.map(TrafficRuleView::from),
        }
    }
}

impl From<DeviceSettingsView> for DeviceSettings {
    fn from(view: DeviceSettingsView) -> Self {
        let window = |window: WindowView| Window {
            days: window.days,
            from: window.from,
            to: window.to,
            rule: window.rule.into(),
        };
        Self {
            limits: view.limits.into(),
            schedule: view.schedule.into_iter().map(window).collect(),
            metered: Metered {
                network: match view.metered_network {
                    MeteredNetworkView::System => MeteredNetwork::AsSystemSays,
                    MeteredNetworkView::Yes => MeteredNetwork::Yes,
                    MeteredNetworkView::No => MeteredNetwork::No,
                },
                rule: view.metered_rule.map(TrafficRule::from),
            },
            // Not set with these: `CommandView::SetScope` and `CommandView::SetServers` are for that.
            scope: NetworkScope::default(),
            servers: None,
        }
    }
}

impl From<TrafficRule> for TrafficRuleView {
    fn from(rule: TrafficRule) -> Self {
        match rule {
            TrafficRule::Pause => Self::Pause,
            TrafficRule::Limit(limits) => Self::Limit(limits.into()),
        }
    }
}

impl From<TrafficRuleView> for TrafficRule {
    fn from(view: TrafficRuleView) -> Self {
        match view {
            TrafficRuleView::Pause => Self::Pause,
            TrafficRuleView::Limit(limits) => Self::Limit(limits.into()),
        }
    }
}
