//! Which releases a device follows, and who says so.
//!
//! As text it is `stable`, `beta`, `pinned 0.3` (releases whose version begins so, and no others) or `off`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::settings_file::{self, FileError};

/// A line of releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// What is for everybody.
    #[default]
    Stable,
    /// What is tried before it is for everybody.
    Beta,
}

/// The releases whose version begins with these numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(Vec<u64>);

/// Which releases a device follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateRule {
    /// None; nobody is asked.
    Off,
    /// Those of the stable channel whose version begins so.
    Pinned(Pin),
    /// Those of a channel.
    Follow(Channel),
}

/// Who has said which releases a device follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SaidBy {
    /// Its person, who can change it in the window.
    Person,
    /// Its own file of settings.
    File,
    /// This computer's administrator.
    Administrator,
}

/// A text is no rule for updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("updates follow \"stable\", \"beta\" or \"pinned 0.3\", or are \"off\"")]
pub struct RuleError;

/// What holds for a device's updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSettings {
    /// Which releases it follows.
    pub rule: UpdateRule,
    /// Who says so.
    pub said_by: SaidBy,
    /// The proxy that leads outside; none when empty, the environment's when `None`.
    pub proxy: Option<String>,
}

impl UpdateSettings {
    /// What holds for the device at this home, whose shell was started with this proxy.
    pub fn read(home: &Path, proxy: Option<&str>) -> Result<Self, FileError> {
        settings_file::updates(home, proxy, Kept::read(home).channel)
    }
}

impl UpdateRule {
    /// The channel whose manifest is asked for, if any.
    pub fn channel(&self) -> Option<Channel> {
        match self {
            Self::Off => None,
            Self::Pinned(_) => Some(Channel::Stable),
            Self::Follow(channel) => Some(*channel),
        }
    }

    /// Whether a device that runs `here` goes on to `there`. No channel leads backwards, and the stable one to
    /// nothing that is only tried.
    pub fn leads(&self, here: &Version, there: &Version) -> bool {
        let is_for_this = match self {
            Self::Off => false,
            Self::Pinned(pin) => pin.holds(there) && there.pre.is_empty(),
            Self::Follow(Channel::Stable) => there.pre.is_empty(),
            Self::Follow(Channel::Beta) => true,
        };
        is_for_this && there > here
    }
}

impl Pin {
    fn holds(&self, version: &Version) -> bool {
        let numbers = [version.major, version.minor, version.patch];
        self.0.iter().zip(numbers).all(|(pinned, is)| *pinned == is)
    }
}

impl Channel {
    /// As it stands in addresses and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        }
    }
}

impl FromStr for UpdateRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.trim() {
            "off" => Ok(Self::Off),
            "stable" => Ok(Self::Follow(Channel::Stable)),
            "beta" => Ok(Self::Follow(Channel::Beta)),
            other => {
                let pin = other.strip_prefix("pinned ").ok_or(RuleError)?;
                pin.trim().parse().map(Self::Pinned)
            }
        }
    }
}

impl FromStr for Pin {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let numbers = text
            .split('.')
            .map(|number| number.parse().map_err(|_| RuleError));
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
        if numbers.len() > 3 {
            return Err(RuleError);
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// A rule in a file, so that the line is named that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct WrittenRule(pub(crate) UpdateRule);

impl TryFrom<String> for WrittenRule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(rule: &str, there: &str) -> bool {
        let rule: UpdateRule = rule.parse().unwrap();
        rule.leads(&Version::new(0, 3, 1), &there.parse().unwrap())
    }

    #[test]
    fn a_channel_leads_forwards_only_and_the_stable_one_to_nothing_that_is_only_tried() {
        for newer in ["0.3.2", "0.4.0", "1.0.0"] {
            assert!(leads("stable", newer) && leads("beta", newer), "{newer}");
        }
        for older in ["0.3.1", "0.3.0", "0.2.9", "0.3.1-beta.4"] {
            assert!(!leads("stable", older) && !leads("beta", older), "{older}");
        }
        assert!(leads("beta", "0.4.0-beta.1") && !leads("stable", "0.4.0-beta.1"));
        assert!(!leads("off", "0.4.0"));
    }

    #[test]
    fn a_pin_holds_a_device_at_versions_that_begin_so() {
        assert!(leads("pinned 0.3", "0.3.9"));
        for other in ["0.4.0", "0.30.0", "1.3.0", "0.3.9-beta.1", "0.3.0"] {
            assert!(!leads("pinned 0.3", other), "{other}");
        }
        assert!(leads("pinned 0", "0.4.0"));
        assert!(!leads("pinned 0.3.1", "0.3.2"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "on",
            "pinned",
            "pinned x",
            "pinned 0.3.1.2",
            "pinned 0.",
            "Stable",
        ] {
            assert_eq!(text.parse::<UpdateRule>(), Err(RuleError), "{text}");
        }
        let pinned: UpdateRule = " pinned  0.3 ".parse().unwrap();
        assert_eq!(pinned, UpdateRule::Pinned(Pin(vec![0, 3])));
    }
}
