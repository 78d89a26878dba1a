//! Settings as JSON: what is written here is what an older or newer build reads.
//!
//! A field that is absent has its default, an unknown one is passed over, so a setting comes and goes
//! without a migration. A text that is no settings at all is damage.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use towline_core::io::NetworkScope;
use towline_core::records::{
    Activity, AttributeKeeping, Brake, ChosenServer, ConflictPlace, DeviceSettings, FolderSettings,
    Limits, Metered, MeteredNetwork, Mode, TrafficRule, Window,
};
use towline_core::versions::{Policy, Retention};
use towline_wire::server_url::ServerUrl;
use towline_wire::signal::AccessToken;

use crate::error::StoreError;

/// The text of a folder's settings.
pub(crate) fn folder_text(settings: &FolderSettings) -> Result<String, StoreError> {
    text(&FolderFields::from(settings))
}

/// The settings that a folder's text says.
pub(crate) fn folder_settings(text: &str) -> Result<FolderSettings, StoreError> {
    parsed::<FolderFields>(text).map(FolderSettings::from)
}

/// The text of the device's settings.
pub(crate) fn device_text(settings: &DeviceSettings) -> Result<String, StoreError> {
    text(&DeviceFields::from(settings))
}

/// The settings that the device's text says.
pub(crate) fn device_settings(text: &str) -> Result<DeviceSettings, StoreError> {
    parsed::<DeviceFields>(text).map(DeviceSettings::from)
}

fn text<T: Serialize>(fields: &T) -> Result<String, StoreError> {
    serde_json::to_string(fields).map_err(|_| StoreError::Impossible("settings"))
}

fn parsed<'text, T: Deserialize<'text>>(text: &'text str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Impossible("settings"))
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct FolderFields {
    mode: ModeField,
    paused: bool,
    brake: BrakeField,
    retention: RetentionFields,
    local_rules: String,
    limits: LimitFields,
    conflicts_beside: bool,
    attributes: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeField {
    TwoWay,
    SendOnly,
    ReceiveOnly,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BrakeField {
    Off,
    At { entries: u32, percent: u8 },
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct RetentionFields {
    staggered: bool,
    seconds: u64,
    bytes: u64,
    disk_percent: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LimitFields {
    send: Option<NonZeroU64>,
    receive: Option<NonZeroU64>,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct DeviceFields {
    limits: LimitFields,
    schedule: Vec<WindowFields>,
    metered_network: MeteredField,
    metered_rule: Option<RuleField>,
    lan_only: bool,
    servers: Option<Vec<ServerFields>>,
}

#[derive(Serialize, Deserialize)]
struct ServerFields {
    url: ServerUrl,
    #[serde(default)]
    token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WindowFields {
    days: u8,
    from: u16,
    to: u16,
    rule: RuleField,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleField {
    Pause,
    Limit(LimitFields),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MeteredField {
    System,
    Yes,
    No,
}

impl Default for FolderFields {
    fn default() -> Self {
        Self::from(&FolderSettings::default())
    }
}

impl Default for RetentionFields {
    fn default() -> Self {
        Self::from(&Retention::default())
    }
}

impl Default for DeviceFields {
    fn default() -> Self {
        Self::from(&DeviceSettings::default())
    }
}

impl From<&FolderSettings> for FolderFields {
    fn from(settings: &FolderSettings) -> Self {
        let FolderSettings {
            mode,
            activity,
            brake,
            retention,
            local_rules,
            limits,
            conflicts,
            attributes,
        } = settings;
        Self {
            mode: match mode {
                Mode::TwoWay => ModeField::TwoWay,
                Mode::SendOnly => ModeField::SendOnly,
                Mode::ReceiveOnly => ModeField::ReceiveOnly,
            },
            paused: *activity == Activity::Paused,
            brake: match *brake {
                Brake::Off => BrakeField::Off,
                Brake::At {
                    entries_max,
                    percent_max,
                } => BrakeField::At {
                    entries: entries_max,
                    percent: percent_max,
                },
            },
            retention: RetentionFields::from(retention),
            local_rules: local_rules.clone(),
            limits: LimitFields::from(*limits),
            conflicts_beside: *conflicts == ConflictPlace::Beside,
            attributes: *attributes == AttributeKeeping::On,
        }
    }
}

impl From<FolderFields> for FolderSettings {
    fn from(fields: FolderFields) -> Self {
        Self {
            mode: match fields.mode {
                ModeField::TwoWay => Mode::TwoWay,
                ModeField::SendOnly => Mode::SendOnly,
                ModeField::ReceiveOnly => Mode::ReceiveOnly,
            },
            activity: if fields.paused {
                Activity::Paused
            } else {
                Activity::Running
            },
            brake: match fields.brake {
                BrakeField::Off => Brake::Off,
                BrakeField::At { entries, percent } => Brake::At {
                    entries_max: entries,
                    percent_max: percent,
                },
            },
            retention: fields.retention.into(),
            local_rules: fields.local_rules,
            limits: fields.limits.into(),
            conflicts: if fields.conflicts_beside {
                ConflictPlace::Beside
            } else {
                ConflictPlace::Inbox
            },
            attributes: if fields.attributes {
                AttributeKeeping::On
            } else {
                AttributeKeeping::Off
            },
        }
    }
}

impl From<&Retention> for RetentionFields {
    fn from(retention: &Retention) -> Self {
        Self {
            staggered: retention.policy == Policy::Staggered,
            seconds: retention.age_max.as_secs(),
            bytes: retention.bytes_max,
            disk_percent: retention.disk_percent_max,
        }
    }
}

impl From<RetentionFields> for Retention {
    fn from(fields: RetentionFields) -> Self {
        Self {
            policy: if fields.staggered {
                Policy::Staggered
            } else {
                Policy::Trash
            },
            age_max: Duration::from_secs(fields.seconds),
            bytes_max: fields.bytes,
            disk_percent_max: fields.disk_percent,
        }
    }
}

impl From<Limits> for LimitFields {
    fn from(Limits { send, receive }: Limits) -> Self {
        Self { send, receive }
    }
}

impl From<LimitFields> for Limits {
    fn from(LimitFields { send, receive }: LimitFields) -> Self {
        Self { send, receive }
    }
}

impl From<&DeviceSettings> for DeviceFields {
    fn from(settings: &DeviceSettings) -> Self {
        let DeviceSettings {
            limits,
            schedule,
            metered,
            scope,
            servers,
        } = settings;
        let fields = |server: &ChosenServer| ServerFields {
            url: server.url.clone(),
            token: server.token.as_ref().map(|token| token.reveal().to_owned()),
        };
        Self {
            limits: (*limits).into(),
            schedule: schedule.iter().map(WindowFields::from).collect(),
            metered_network: match metered.network {
                MeteredNetwork::AsSystemSays => MeteredField::System,
                MeteredNetwork::Yes => MeteredField::Yes,
                MeteredNetwork::No => MeteredField::No,
            },
            metered_rule: metered.rule.map(RuleField::from),
            lan_only: *scope == NetworkScope::LocalNetwork,
            servers: servers
                .as_ref()
                .map(|servers| servers.iter().map(fields).collect()),
        }
    }
}

impl From<DeviceFields> for DeviceSettings {
    fn from(fields: DeviceFields) -> Self {
        let server = |fields: ServerFields| ChosenServer {
            url: fields.url,
            token: fields.token.as_deref().and_then(AccessToken::parse),
        };
        Self {
            limits: fields.limits.into(),
            schedule: fields.schedule.into_iter().map(Window::from).collect(),
            metered: Metered {
                network: match fields.metered_network {
                    MeteredField::System => MeteredNetwork::AsSystemSays,
                    MeteredField::Yes => MeteredNetwork::Yes,
                    MeteredField::No => MeteredNetwork::No,
                },
                rule: fields.metered_rule.map(TrafficRule::from),
            },
            scope: if fields.lan_only {
                NetworkScope::LocalNetwork
            } else {
                NetworkScope::Everywhere
            },
            servers: fields
                .servers
                .map(|servers| servers.into_iter().map(server).collect()),
        }
    }
}

impl From<&Window> for WindowFields {
    fn from(window: &Window) -> Self {
        let Window {
            days,
            from,
            to,
            rule,
        } = *window;
        Self {
            days,
            from,
            to,
            rule: rule.into(),
        }
    }
}

impl From<WindowFields> for Window {
    fn from(fields: WindowFields) -> Self {
        Self {
            days: fields.days,
            from: fields.from,
            to: fields.to,
            rule: fields.rule.into(),
        }
    }
}

impl From<TrafficRule> for RuleField {
    fn from(rule: TrafficRule) -> Self {
        match rule {
            TrafficRule::Pause => Self::Pause,
            TrafficRule::Limit(limits) => Self::Limit(limits.into()),
        }
    }
}

impl From<RuleField> for TrafficRule {
    fn from(field: RuleField) -> Self {
        match field {
            RuleField::Pause => Self::Pause,
            RuleField::Limit(limits) => Self::Limit(limits.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_back_and_nothing_set_is_the_default() {
        let settings = FolderSettings {
            mode: Mode::ReceiveOnly,
            activity: Activity::Paused,
            brake: Brake::Off,
            retention: Retention {
                policy: Policy::Staggered,
                age_max: Duration::from_secs(86_400),
                bytes_max: 7,
                disk_percent_max: 3,
            },
            local_rules: "*.tmp\n".to_owned(),
            limits: Limits {
                send: NonZeroU64::new(1),
                receive: NonZeroU64::new(u64::MAX),
            },
            conflicts: ConflictPlace::Beside,
            attributes: AttributeKeeping::On,
        };
        let text = folder_text(&settings).unwrap();
        assert_eq!(folder_settings(&text).unwrap(), settings);
        assert_eq!(folder_settings("{}").unwrap(), FolderSettings::default());
        let device = DeviceSettings {
            limits: settings.limits,
            schedule: vec![Window {
                days: 0x1f,
                from: 480,
                to: 60,
                rule: TrafficRule::Limit(settings.limits),
            }],
            metered: Metered {
                network: MeteredNetwork::Yes,
                rule: Some(TrafficRule::Pause),
            },
            scope: NetworkScope::LocalNetwork,
            servers: Some(vec![
                ChosenServer {
                    url: "wss://meet.example/ws".parse().unwrap(),
                    token: AccessToken::parse("s3cret-s3cret-s3cret"),
                },
                ChosenServer {
                    url: "ws://192.168.1.5:8080/ws".parse().unwrap(),
                    token: None,
                },
            ]),
        };
        let text = device_text(&device).unwrap();
        assert_eq!(device_settings(&text).unwrap(), device);
        assert_eq!(device_settings("{}").unwrap(), DeviceSettings::default());
    }

    #[test]
    fn what_a_newer_build_wrote_is_passed_over_and_junk_is_damage() {
        let newer = r#"{"paused":true,"colour":"sea"}"#;
        assert_eq!(folder_settings(newer).unwrap().activity, Activity::Paused);
        assert!(folder_settings("no settings").is_err());
    }
}
