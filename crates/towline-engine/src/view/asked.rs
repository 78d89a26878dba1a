//! What a shell can ask of a device. Texts are parsed in `translate`; nothing here is trusted yet.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{DeviceSettingsView, FolderSettingsView, KeepView, ScopeView, Secret};

/// What a shell can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum CommandView {
    /// Names this device.
    NameDevice {
        /// At most 64 bytes.
        name: String,
    },
    /// Shows a code.
    StartPairing,
    /// Enters a code, or a link.
    JoinPairing {
        /// `ABC-234`, `abc234`, `ABC-234@host` or `towline://...`.
        #[ts(type = "string")]
        code: Secret,
    },
    /// Ends the pairing that waits, and clears the last outcome.
    CancelPairing,
    /// Says whether the compare strings match. `false` removes the peer.
    Compare {
        /// Which peer.
        peer: String,
        /// Whether they match.
        matches: bool,
    },
    /// Gives a peer another name.
    RenamePeer {
        /// Which peer.
        peer: String,
        /// At most 64 bytes.
        name: String,
    },
    /// Says where a peer is, in place of what was said before.
    PlacePeer {
        /// Which peer.
        peer: String,
        /// Each a host and a port, `nas.example:41641` or `[2001:db8::7]:41641`; at most 8.
        places: Vec<String>,
    },
    /// Ends trust.
    RemovePeer {
        /// Which peer.
        peer: String,
    },
    /// Starts to sync a folder.
    AddFolder {
        /// An absolute path.
        root: String,
        /// What it is called; the directory's name when blank.
        label: String,
    },
    /// Shares a folder with a peer.
    InvitePeer {
        /// Which folder.
        folder: String,
        /// Which peer.
        peer: String,
    },
    /// Takes part in a folder that a peer shares.
    AcceptInvitation {
        /// Who shares it.
        peer: String,
        /// Which folder.
        folder: String,
        /// An absolute path; made if it does not exist.
        root: String,
    },
    /// Stops to sync a folder here; its files stay.
    RemoveFolder {
        /// Which folder.
        folder: String,
    },
    /// Looks through a folder for changes now.
    Rescan {
        /// Which folder.
        folder: String,
    },
    /// Replaces what is set for a folder here.
    ConfigureFolder {
        /// Which folder.
        folder: String,
        /// All of its settings.
        settings: Box<FolderSettingsView>,
    },
    /// Replaces what is set for the whole device.
    ConfigureDevice {
        /// All of its settings.
        settings: DeviceSettingsView,
    },
    /// Sets how far the device goes. It begins anew for that, within a second; refused where `scope_lock` says so.
    SetScope {
        /// How far.
        scope: ScopeView,
    },
    /// Sets at which signal servers the device is. It begins anew for that, within a second; refused where
    /// `ServerView::set_by` says that somebody else sets them.
    SetServers {
        /// The preferred one first, at most three, each a WebSocket URL or a host alone, perhaps with a token:
        /// `wss://TOKEN@host/ws`. One that was there before keeps its token. At none when empty; at that of the build
        /// when `null`.
        #[ts(type = "string[] | null")]
        servers: Option<Vec<Secret>>,
    },
    /// Lists what peers' changes replaced or deleted in a folder on this device, newest first.
    History {
        /// Which folder.
        folder: String,
        /// The versions of this path alone; of all paths when `null`.
        path: Option<String>,
        /// Only versions older than this one: the last of the page before.
        before: Option<String>,
        /// Most versions in the answer, at most 1000.
        limit: u32,
    },
    /// Lists what peers' changes replaced or deleted below a directory, newest first.
    HistoryBelow {
        /// Which folder.
        folder: String,
        /// Which directory; the whole folder when `null`.
        directory: Option<String>,
        /// Only paths where nothing lies now, each with its newest version.
        deleted: bool,
        /// Only versions older than this one: the last of the page before.
        before: Option<String>,
        /// Most versions in the answer, at most 1000.
        limit: u32,
    },
    /// Lists a directory of a folder.
    Files {
        /// Which folder.
        folder: String,
        /// Which directory; the top when `null`.
        directory: Option<String>,
        /// Only entries after this path.
        after: Option<String>,
        /// Most entries in the answer, at most 1000.
        limit: u32,
    },
    /// Lists the conflicts of a folder, in the order of names, each below its directory.
    Conflicts {
        /// Which folder.
        folder: String,
        /// Only conflicts after this path.
        after: Option<String>,
        /// Most conflicts in the answer, at most 1000.
        limit: u32,
    },
    /// Decides a conflict, or all of a folder.
    Resolve {
        /// Which folder.
        folder: String,
        /// The conflict's path; all of the folder when `null`.
        path: Option<String>,
        /// What stays.
        keep: KeepView,
    },
    /// Shows the beginning of a file that lies here.
    Preview {
        /// Which folder.
        folder: String,
        /// Which file; a side of a conflict, too.
        path: String,
    },
    /// Undoes what was changed here in a receive-only folder; the bytes go to the versions.
    Revert {
        /// Which folder.
        folder: String,
    },
    /// Makes what lies here, in a send-only folder, what all peers shall have.
    Override {
        /// Which folder.
        folder: String,
    },
    /// Lets a peer's mass change go on.
    ReleaseBrake {
        /// Which folder.
        folder: String,
        /// Whose change.
        peer: String,
    },
    /// Undoes a peer's mass change, here and everywhere.
    UndoBraked {
        /// Which folder.
        folder: String,
        /// Whose change.
        peer: String,
    },
    /// Shows the ignore rules of a folder.
    Rules {
        /// Which folder.
        folder: String,
    },
    /// Replaces the rules that travel with the folder.
    SetRules {
        /// Which folder.
        folder: String,
        /// In gitignore syntax.
        shared: String,
    },
    /// Shows what rules would match of what lies here, without using them.
    PreviewRules {
        /// Which folder.
        folder: String,
        /// Rules that travel with the folder, in gitignore syntax.
        shared: String,
        /// Rules of this device alone.
        local: String,
        /// Most paths in the answer, at most 1000.
        limit: u32,
    },
    /// Tells how this device is connected: paths, addresses, history.
    Network,
    /// Finds out what could keep this device from working well.
    Examine,
    /// Lists the entries that cannot be synced here, by path; a device remembers 100 of a folder.
    Held {
        /// Which folder.
        folder: String,
        /// Only entries after this path.
        after: Option<String>,
        /// Most entries in the answer, at most 1000.
        limit: u32,
    },
    /// Brings a folder or a directory back to how it was at a moment; what lies there now is kept first,
    /// and what came since stays. Answered when it has ended; `FolderView::restoring` shows how far it is.
    RestoreTo {
        /// Which folder.
        folder: String,
        /// Which directory or file; the whole folder when `null`.
        path: Option<String>,
        /// Unix milliseconds.
        #[ts(type = "number")]
        at_ms: u64,
    },
    /// Ends a restore to a moment where it is; it is answered as if it were complete.
    CancelRestore {
        /// Which folder.
        folder: String,
    },
    /// Brings a version back; what lies there now is kept as a version first.
    Restore {
        /// Which folder.
        folder: String,
        /// Where it lay, and goes.
        path: String,
        /// Which version; the newest when `null`.
        version: Option<String>,
    },
}
