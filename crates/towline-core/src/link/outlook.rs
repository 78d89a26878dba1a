//! Whether UDP comes through on either side, as far as both sides tell each other on the connection.
//!
//! It decides nothing: who is reached through the server only shall be told on which side a firewall is.

use towline_wire::peer::{Control, WayOut};
use towline_wire::version::{TELLS_OUTLOOK, VersionRange};

use super::{Link, Turn};
use crate::report::Outside;

/// What is known of both sides.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// What STUN servers show of ours.
    pub(super) ours: Outside,
    /// What the peer says of its own, on this connection.
    pub(super) theirs: WayOut,
    speech: Speech,
}

/// Whether the peer has greeted us on this connection, and knows the frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Speech {
    #[default]
    Unknown,
    Spoken,
}

impl Link {
    /// Another connection: what was said on the one before is over.
    pub(super) fn outlook_begins(&mut self) {
        self.outlook.theirs = WayOut::Unknown;
        self.outlook.speech = Speech::Unknown;
    }

    /// The peer has said which versions it speaks.
    pub(super) fn outlook_greeted(&mut self, versions: VersionRange, turn: &mut Turn<'_>) {
        if VersionRange::OURS.agree(versions) >= Some(TELLS_OUTLOOK) {
            self.outlook.speech = Speech::Spoken;
            match self.outlook.way_out() {
                WayOut::Unknown => {}
                known @ (WayOut::Open | WayOut::Blocked) => {
                    turn.outbox.send(self.peer, Control::WayOut(known));
                }
            }
        }
    }

    /// More is known of our own way out.
    pub(super) fn outlook_changes(&mut self, outside: Outside, turn: &mut Turn<'_>) {
        let before = self.outlook.way_out();
        self.outlook.ours = outside;
        let now = self.outlook.way_out();
        match (self.outlook.speech, self.connection()) {
            (Speech::Spoken, Some(_)) if now != before => {
                turn.outbox.send(self.peer, Control::WayOut(now));
            }
            (Speech::Unknown | Speech::Spoken, _) => {}
        }
    }

    /// The peer says how its way out is.
    pub(super) fn outlook_told(&mut self, way_out: WayOut, turn: &mut Turn<'_>) {
        match self.outlook.speech {
            Speech::Spoken => self.outlook.theirs = way_out,
            Speech::Unknown => self.misbehaved(turn),
        }
    }
}

impl Outlook {
    /// Ours, as the peer is told.
    const fn way_out(&self) -> WayOut {
        match self.ours {
            Outside::NotAsked | Outside::Asking => WayOut::Unknown,
            Outside::Seen => WayOut::Open,
            Outside::Silent => WayOut::Blocked,
        }
    }
}
