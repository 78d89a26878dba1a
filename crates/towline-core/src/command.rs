//! What a person or a script can ask of a device, and how it is answered.
//!
//! A command is accepted or refused at once with a code; its effects are seen in later snapshots.

use towline_wire::code::PairingCode;
use towline_wire::ids::{DeviceId, FolderId};
use towline_wire::link_uri::LinkUri;
use towline_wire::place::Place;

use crate::io::{NetworkScope, RootFault};
use crate::records::{ChosenServer, DeviceSettings, FolderSettings, RootPath};

/// Names a command until it is answered, unique within a device's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Names this device; at most 64 bytes, not blank.
    NameDevice(String),
    /// Opens a mailbox and shows a code and a link. Replaces a pairing that still waits.
    StartPairing,
    /// Claims the mailbox of a code that somebody reads aloud.
    JoinPairing(PairingCode),
    /// Claims the mailbox of a link that somebody made.
    JoinByLink(LinkUri),
    /// Ends the pairing that waits, and clears the outcome of the last one.
    CancelPairing,
    /// Says what a person saw when comparing the strings. `Differ` removes the peer.
    Compare(DeviceId, Comparison),
    /// Gives a peer another name on this device.
    RenamePeer(DeviceId, String),
    /// Says where a peer is, in place of what was said before.
    PlacePeer(DeviceId, Vec<Place>),
    /// Ends trust: closes the connection, forgets the peer and unshares every folder with it.
    RemovePeer(DeviceId),
    /// Starts to sync a folder that lies at `root`.
    AddFolder {
        /// Where it lies.
        root: RootPath,
        /// What it is called.
        label: String,
    },
    /// Shares a folder with a peer, which may accept.
    InvitePeer(FolderId, DeviceId),
    /// Takes part in a folder that a peer shares.
    AcceptInvitation {
        /// Who shares it.
        peer: DeviceId,
        /// Which folder.
        folder: FolderId,
        /// Where it shall lie.
        root: RootPath,
    },
    /// Stops to sync a folder on this device; its files stay.
    RemoveFolder(FolderId),
    /// Looks through a folder for changes now.
    Rescan(FolderId),
    /// Replaces what is set for a folder here.
    ConfigureFolder(FolderId, Box<FolderSettings>),
    /// Makes what lies here, in a send-only folder, what all peers shall have.
    Override(FolderId),
    /// Undoes what was changed only here, in a receive-only folder.
    Revert(FolderId),
    /// Lets a device's mass change in a folder go on.
    ReleaseBrake(FolderId, DeviceId),
    /// Undoes what a device's mass change would take away, here and everywhere.
    UndoBraked(FolderId, DeviceId),
    /// Replaces what is set for the whole device, but for how far it goes and at which servers it is.
    ConfigureDevice(DeviceSettings),
    /// Sets how far the device goes. It holds from its next life on ([`Device::is_to_begin_anew`]).
    ///
    /// [`Device::is_to_begin_anew`]: crate::device::Device::is_to_begin_anew
    SetScope(NetworkScope),
    /// Sets at which signal servers the device is, the preferred one first; those of the build when `None`. A server
    /// that was there before keeps its token where none is named. It holds from its next life on.
    SetServers(Option<Vec<ChosenServer>>),
}

/// What a person saw when comparing two compare strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Both are the same.
    Match,
    /// They are not.
    Differ,
}

/// Why yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is done or under way.
    Accepted,
    /// A folder was made.
    Folder(FolderId),
}

/// Why no. Codes for people are made from these in the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A name is blank or too long.
    Name,
    /// More places are said of a peer than are kept.
    Places,
    /// No peer can be at such an address: of this network, of many, or where other programs answer.
    Place,
    /// There is no such peer.
    UnknownPeer,
    /// There is no such folder.
    UnknownFolder,
    /// There is no such invitation.
    UnknownInvitation,
    /// No signal server is configured.
    NoServer,
    /// The code names a signal server to which this device may not go.
    Elsewhere,
    /// The folder is on this device already.
    AlreadyHere,
    /// A setting is out of its range.
    Setting,
    /// How far the device goes is said by whoever started it, or by its administrator.
    ScopeFixed,
    /// More signal servers are named than a device can be at.
    Servers,
    /// At which signal servers the device is is said by whoever started it, or by its administrator.
    ServersFixed,
    /// The folder's mode has no use for it.
    Mode,
    /// A person has paused the folder.
    Paused,
    /// Nothing of that device waits in the folder.
    NotBraked,
    /// The place cannot be used.
    Root(RootFault),
}
