//! One shared folder: what must happen so that all replicas agree and no byte is lost.

use std::collections::BTreeMap;

use towline_wire::entry::Actor;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::peer::IndexPage;

use crate::io::{BatchId, DiskEvent, PageEnd};
use crate::records::{Need, OurRow};

/// What happens to one folder. The device routes these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderInput {
    /// The device has started, or the folder was just made: open the root.
    Start,
    /// A person wants the folder looked through now.
    Rescan,
    /// The disk.
    Disk(DiskEvent),
    /// The store: our rows at the asked paths.
    Rows(Vec<Option<OurRow>>),
    /// The store: a page of needs.
    Needs(Vec<Need>, PageEnd),
    /// The store: a page of our index for a peer.
    Index(DeviceId, Vec<(Sequence, towline_wire::entry::Entry)>, PageEnd),
    /// The store: one of this folder's batches is durable.
    Persisted(BatchId),
    /// A connected peer takes part, and has our index this far.
    PeerJoined(DeviceId, Option<(Incarnation, Sequence)>),
    /// A peer no longer takes part, or is away.
    PeerLeft(DeviceId),
    /// A connected peer's index page.
    PageReceived(DeviceId, IndexPage),
    /// A connected peer has made our page durable.
    PageAcked(DeviceId, Incarnation, Sequence),
    /// The device began a new incarnation: tell everything anew under it.
    NewIncarnation(Actor),
}

/// How far we have each peer's index, kept durable by `PutPeerRows`.
pub type HaveByPeer = BTreeMap<DeviceId, (Incarnation, Sequence)>;

