//! What the page is told of updates, and what it can want.

use serde::{Deserialize, Serialize};
use towline_engine::updates::{Asking, Channel, Kept, SaidBy, UpdateRule, UpdateSettings};

use super::machine::{OffWhy, State, When};
use super::place::Place;
use crate::device::EnginePlace;

/// All that there is to know of updates.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UpdatesTold {
    /// The version that runs.
    version: String,
    /// Where they stand.
    pub(super) state: State,
    /// The channel that is followed, or would be if updates were not off.
    channel: Channel,
    /// What the version must begin with, if that is said.
    pinned: Option<String>,
    /// Who says which releases are followed.
    said_by: SaidBy,
    /// Whether the person is asked first.
    pub(super) asking: Asking,
    /// What is done with a new version.
    pub(super) place: Place,
    /// Where the engine runs.
    pub(super) engine: EnginePlace,
    /// When the publisher has answered last, in milliseconds since 1970.
    answered_ms: Option<u64>,
    /// Why the last update was not installed.
    failed_before: Option<String>,
}

/// What the person wants.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub(crate) enum Wish {
    /// To know whether there is a newer version.
    Check,
    /// To have it installed.
    Install {
        /// When.
        when: When,
    },
    /// To follow a channel.
    Follow {
        /// Which.
        channel: Channel,
    },
    /// To be asked before one is installed, or not.
    Ask {
        /// Whether.
        asking: Asking,
    },
}

impl UpdatesTold {
    pub(super) fn new(version: String, kept: &Kept) -> Self {
        let mut told = Self {
            version,
            state: State::Off {
                why: OffWhy::Starting,
            },
            channel: kept.channel,
            pinned: None,
            said_by: SaidBy::Person,
            asking: kept.asking,
            place: Place::Replaced,
            engine: EnginePlace::Here,
            answered_ms: None,
            failed_before: None,
        };
        told.keep(kept);
        told
    }

    pub(super) fn keep(&mut self, kept: &Kept) {
        self.asking = kept.asking;
        self.answered_ms = kept.answered_ms;
        self.failed_before = kept.failed.clone();
    }

    pub(super) fn follow(&mut self, settings: &UpdateSettings) {
        self.said_by = settings.said_by;
        self.channel = settings.rule.channel().unwrap_or(self.channel);
        self.pinned = match &settings.rule {
            UpdateRule::Pinned(pin) => Some(pin.to_string()),
            UpdateRule::Off | UpdateRule::Follow(_) => None,
        };
    }
}
