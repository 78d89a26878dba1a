//! Two strangers become peers by a code: the mailbox, SPAKE2, confirmation, cards.
//!
//! This machine knows nothing of the signal server's messages; it asks for a mailbox and sends
//! opaque bytes through it, so that the same exchange can run over a LAN.

use towline_wire::code::{PairingCode, Slot};

use crate::snapshot::PairingFault;

/// What the pairing wants from whoever carries its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxRequest {
    /// Opens a mailbox; answered by `Opened`.
    Open,
    /// Claims the mailbox of this slot, at the named host if any; answered by `Joined`.
    Claim(Slot, Option<String>),
    /// Sends bytes to the other side of the mailbox.
    Send(Vec<u8>),
    /// Both sides are peers: the mailbox goes and the claim's token comes back.
    Done,
    /// The pairing is over without success: the mailbox is burned.
    Burn,
}

/// What the carrier of the mailbox has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxEvent {
    /// The mailbox is open; the code's first half is this slot.
    Opened(Slot),
    /// Somebody is on the other side.
    Joined,
    /// Bytes from the other side.
    Received(Vec<u8>),
    /// It is over.
    Failed(PairingFault),
}

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingWish {
    /// Show a code.
    Start,
    /// Enter a code.
    Join(PairingCode),
    /// Stop, and clear the last outcome.
    Cancel,
}
