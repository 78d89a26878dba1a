//! The core's contract with the world: every input it takes and every output it yields.
//!
//! Requests to the store are executed strictly in the order in which they are yielded, so an answer
//! to a `Load` shows every earlier `Persist`. Requests to the disk, the network and the signal server
//! are carried out side by side; each names what it answers. An output that relies on a batch is
//! held back until the batch is durable.

use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use towline_wire::code::Slot;
use towline_wire::entry::{Content, Entry, UnixNanos};
use towline_wire::ice::TurnServer;
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::peer::Control;
use towline_wire::place::Place;
use towline_wire::rel_path::RelPath;
use towline_wire::signal::{ClientMessage, ServerMessage};

use crate::command::{Answer, Command, CommandId, Refusal};
use crate::folder::rules::{RuleSet, Rules};
use crate::records::{AttributeKeeping, DiskStamp, Doubt, Need, OurRow, RootPath, StoreOp, Totals};

/// Something that happened to the device.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A person or a script wants something.
    Command(CommandId, Command),
    /// The store has done something.
    Store(StoreReply),
    /// The disk under one folder has done something.
    Disk(FolderId, DiskEvent),
    /// The network has done something.
    Network(NetworkEvent),
    /// A session with a signal server has done something.
    Signal(SessionId, SignalEvent),
}

/// Something that the device wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// For the store, in order.
    Store(StoreRequest),
    /// For the disk under one folder.
    Disk(FolderId, DiskRequest),
    /// For the network.
    Network(NetworkRequest),
    /// For a session with a signal server.
    Signal(SessionId, SignalRequest),
    /// The answer to a command; exactly one for each.
    Reply(CommandId, Result<Answer, Refusal>),
}

// --- store ---------------------------------------------------------------------------------------

/// Names a batch, unique within a device's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Which needs a page is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedsOf {
    /// All.
    Everything,
    /// Those at which a peer has a directory.
    Directories,
    /// Those at which something of ours lies, or from which something of ours went.
    Ours,
    /// Not the list of needs, but every path where our row is a change that is only here, as if it
    /// were one.
    Local,
}

/// Which of our rows an index is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexOf {
    /// Those that every peer is told of.
    Told,
    /// All.
    Everything,
}

/// What the store is asked for, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRequest {
    /// Makes all operations durable, atomically; answered by `Persisted`.
    Persist(BatchId, Vec<StoreOp>),
    /// Our rows at these paths; answered by `Rows`.
    LoadRows(FolderId, Vec<RelPath>),
    /// The next needs in path order; answered by `Needs`.
    LoadNeeds {
        /// Which folder.
        folder: FolderId,
        /// Which of its needs.
        of: NeedsOf,
        /// Exclusive start; `None` for the first page.
        after: Option<RelPath>,
        /// Most needs in the page.
        limit: usize,
    },
    /// Our index in sequence order, for one peer; answered by `Index`.
    LoadIndex {
        /// Which folder.
        folder: FolderId,
        /// For whom the page is; comes back in the answer.
        peer: DeviceId,
        /// Which of our rows.
        of: IndexOf,
        /// Exclusive start.
        after: Sequence,
        /// Most entries in the page.
        limit: usize,
    },
}

/// What the store has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreReply {
    /// A batch is durable; sums of every folder that it touched.
    Persisted(BatchId, Vec<(FolderId, Totals)>),
    /// Our rows at the asked paths, in the asked order.
    Rows(FolderId, Vec<Option<OurRow>>),
    /// A page of needs, ascending by path.
    Needs {
        /// Which folder.
        folder: FolderId,
        /// The page.
        needs: Vec<Need>,
        /// Whether the list ends with this page.
        end: PageEnd,
    },
    /// A page of our index.
    Index {
        /// Which folder.
        folder: FolderId,
        /// For whom.
        peer: DeviceId,
        /// Rows ascending by sequence.
        rows: Vec<(Sequence, Entry)>,
        /// Whether the index ends with this page.
        end: PageEnd,
    },
    /// The store can no longer be used; the engine ends the device after this.
    Broken,
}

/// Whether a page is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEnd {
    /// There is more after it.
    More,
    /// It is the last.
    End,
}

// --- disk ----------------------------------------------------------------------------------------

/// Names one scan of one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId(pub u64);

/// Names one set of steps of one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplyId(pub u64);

/// What happens when nothing lies at the place for a new folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentRoot {
    /// It is refused: whoever shares a directory has mistyped it.
    Refused,
    /// It is made: a peer's files are to go there.
    Made,
}

/// What is asked of the disk under one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskRequest {
    /// Checks the place for a new folder and leaves the marker there; answered by `Prepared`.
    Prepare {
        /// Where.
        root: RootPath,
        /// Roots that it must neither hold nor lie in.
        others: Vec<RootPath>,
        /// What happens when nothing lies there.
        absent: AbsentRoot,
    },
    /// Opens the root, checks its marker and watches it from now on; answered by `Root`, and again
    /// whenever the root is lost or comes back.
    Open(RootPath),
    /// Stops everything below this root and forgets it. Files stay.
    Close,
    /// Looks for what differs from our rows; answered by `Scanned` pages. Files in doubt are read also
    /// where their marks are the same.
    Scan(ScanId, ScanScope, Doubt),
    /// The page was taken; the scan may yield the next.
    ContinueScan(ScanId),
    /// Carries out steps, in parallel where they allow it; answered by `Applied` until every step
    /// has its outcome.
    Apply(ApplyId, Vec<Step>),
    /// Notes in the root how old the store is; a later note replaces an earlier one. Not answered.
    /// A root that is not open forgets it.
    NoteAge(Age),
    /// From now on, neither scans look at what these rules ignore nor steps touch it. A root that was
    /// just opened heeds none. Not answered.
    Heed(Rules),
    /// From now on, scans read extended attributes and steps write them, or neither. A root that was
    /// just opened does neither. Not answered.
    KeepAttributes(AttributeKeeping),
}

/// How far our index of one folder has come, as its root remembers it.
///
/// A store can be put back from a copy without knowing it. The root is another place, and so it can
/// tell: what it remembers is never ahead of a store that was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// The life of the store.
    pub incarnation: Incarnation,
    /// The highest durable sequence of our rows in that life.
    pub sequence: Sequence,
}

/// How much to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanScope {
    /// Everything below the root.
    All,
    /// These paths, and everything below those that are directories or were.
    Paths(BTreeSet<RelPath>),
}

/// Makes one path what it must become, if it still is what the plan assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which path.
    pub path: RelPath,
    /// What must still lie there.
    pub expected: Expected,
    /// What shall lie there; `Absent` removes.
    pub content: Content,
    /// The modification time that a file gets.
    pub mtime: UnixNanos,
    /// Where what lies there now is kept first (a conflict copy); `None` when it may go.
    pub keep: Option<RelPath>,
    /// Connected peers that have the bytes; empty for everything but files.
    pub sources: BTreeSet<DeviceId>,
    /// Where the same file lies, with the same bytes, bit and time, that another step of the set removes:
    /// the disk may move it, and has then done both. If it does not, it removes nothing there before
    /// this step is done.
    pub moved_from: Option<RelPath>,
}

/// What the plan assumed to lie at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// A directory; its stamp says nothing of its children.
    Directory,
    /// A file or symlink with exactly this stamp.
    Stamped(DiskStamp),
}

/// What the disk under one folder has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskEvent {
    /// The answer to `Prepare`.
    Prepared(Result<(), RootFault>),
    /// The root is usable, with the age that it remembers of this device's store; or it is not.
    Root(Result<Option<Age>, RootFault>),
    /// The rules that travel with the folder, as its root has them now: before `Root` tells that it
    /// is usable, and before the pages of a scan that may have met others.
    SharedRules(RuleSet),
    /// Something below these paths may have changed.
    Disturbed(ScanScope),
    /// A page of a scan.
    Scanned {
        /// Which scan.
        scan: ScanId,
        /// What differs from our rows: new, changed or touched.
        found: Vec<Found>,
        /// Paths of our rows where nothing lies any more, seen without a read error.
        absent: Vec<RelPath>,
        /// The same of files in doubt in whose directories no name has come or gone since they were
        /// seen: nobody has removed them.
        lost: Vec<RelPath>,
        /// Paths of our rows that are ignored, and so were not looked at; those without a stamp are
        /// left out.
        overlooked: Vec<RelPath>,
        /// What cannot be read or named; unknown, not deleted.
        held_back: Vec<HeldBack>,
        /// Whether the scan ends with this page.
        end: PageEnd,
    },
    /// Outcomes of steps.
    Applied {
        /// Which set of steps.
        apply: ApplyId,
        /// Path and what came of it; each step exactly once.
        outcomes: Vec<(RelPath, Outcome)>,
    },
}

/// What lies at a path that differs from our row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which path.
    pub path: RelPath,
    /// What lies there, read without a change meanwhile.
    pub content: Content,
    /// Its modification time.
    pub mtime: UnixNanos,
    /// Its marks when it was read.
    pub stamp: DiskStamp,
}

/// A path that cannot be synced here now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldBack {
    /// The path, escaped where it is not valid text.
    pub path: String,
    /// Why.
    pub reason: HeldReason,
}

/// Why an entry is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldReason {
    /// The system does not let us read it.
    Unreadable,
    /// The system does not let us write it.
    Unwritable,
    /// The name is no UTF-8, too long, or not possible on this filesystem.
    Name,
    /// Neither file, directory nor symlink.
    Kind,
    /// No room on the disk.
    DiskFull,
    /// The filesystem is mounted read-only.
    ReadOnly,
    /// What must go, or make room, is ignored here or holds what is ignored.
    Ignored,
    /// Its extended attributes are more or larger than can travel, not named in UTF-8, or more than
    /// this filesystem takes.
    Attributes,
    /// The disk has lost its bytes in a power cut, and no peer has said yet that it has them.
    Spoiled,
}

impl HeldReason {
    /// Whether trying again, with nothing else changed in the folder, can succeed.
    pub const fn passes_with_time(self) -> bool {
        match self {
            // What is ignored goes without anybody being told.
            Self::Unreadable
            | Self::Unwritable
            | Self::DiskFull
            | Self::ReadOnly
            | Self::Ignored
            | Self::Spoiled => true,
            Self::Name | Self::Kind | Self::Attributes => false,
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable on disk.
    Done {
        /// The marks of what lies there now; `None` when it was removed.
        stamp: Option<DiskStamp>,
        /// What was kept first, when the step asked for it and something lay there.
        kept: Option<Found>,
    },
    /// Something else lies there than the plan assumed; nothing was changed.
    Stale,
    /// No source gave the bytes (all gone, or none has them any more); nothing was changed.
    NoSource,
    /// A directory that must go still holds something; nothing was changed.
    NotEmpty,
    /// This disk does not let us; nothing was changed.
    Held(HeldReason),
}

/// Why a root cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootFault {
    /// The path does not exist (any more).
    Missing,
    /// The path is not a directory.
    NotDirectory,
    /// The path lies in another synced folder, or holds one.
    Nested,
    /// The path holds the marker of another folder, or ours is gone.
    WrongMarker,
    /// The system does not let us read or write there.
    NoAccess,
    /// The filesystem is read-only.
    ReadOnly,
}

// --- network -------------------------------------------------------------------------------------

/// Names one QUIC connection, unique within a device's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// One network way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// UDP straight to this address.
    Direct(SocketAddr),
    /// Through the signal server's packet channel.
    Relay,
}

/// How far this device goes in the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NetworkScope {
    /// As far as it leads.
    #[default]
    Everywhere,
    /// Nothing leaves the local network: no server is asked, and no address beyond it.
    LocalNetwork,
}

/// Whether this device is announced on the local network, and looks for others there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Discovery {
    /// It is.
    #[default]
    On,
    /// It is not.
    Off,
}

/// Names one pairing over the local network, unique within a device's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairingId(pub u64);

/// One announcement on the local network, as long as it lasts. It has no link with the name by which its
/// device announces itself later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeighbourName(pub u64);

/// A device on the local network that nothing is known of: anybody can say this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Which announcement says so.
    pub name: NeighbourName,
    /// Where it listens, on networks that this device is on.
    pub addresses: Vec<SocketAddr>,
    /// The slot of the code that waits there.
    pub slot: Option<Slot>,
}

/// What is asked of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkRequest {
    /// The whole set of keys that may connect; connections of others are closed.
    Trust(BTreeSet<DeviceId>),
    /// The folders whose content this peer may read, replacing the set before.
    Grant(DeviceId, BTreeSet<FolderId>),
    /// Sends an authenticated probe to an address of a peer.
    Probe(DeviceId, SocketAddr),
    /// Sends one as long as the longest datagram on a direct path to another machine, to a proved address;
    /// answered by `LargeAnswered`, or by nothing where the path carries less.
    ProbeLarge(DeviceId, SocketAddr),
    /// From now on packets to this peer leave on this path.
    Select(DeviceId, Path),
    /// Opens the QUIC connection with this peer on its selected path; answered by `Connected` or
    /// `DialFailed`.
    Dial(DeviceId),
    /// Closes the connection with this peer.
    Hangup(DeviceId),
    /// Closes the connection with a peer that broke the protocol, and tells it so.
    HangupOnFault(DeviceId),
    /// Closes this connection, if it still is the one with this peer.
    Abandon(DeviceId, ConnectionId),
    /// Opens many sockets and sends a probe from each of them; answered by `Scattered`. The first one at
    /// which a probe of the peer comes from that address becomes the way to it, and the others are
    /// closed; all are after a while.
    Scatter {
        /// Whose address it is.
        peer: DeviceId,
        /// Where the probes go.
        to: SocketAddr,
        /// How many sockets; fewer where the system gives no more.
        sockets: u16,
        /// How long they wait.
        within: Duration,
    },
    /// Closes what `Scatter` has opened for this peer, also the one that has become its way.
    Gather(DeviceId),
    /// Asks a STUN server from which address our UDP sockets are seen; answered by `Reflected`, or by nothing.
    AskStun(StunServer),
    /// Looks up the names of these places, where this peer is said to be; answered by `Found` when at least one
    /// leads somewhere.
    LookUp(DeviceId, Vec<Place>),
    /// Borrows an address at a TURN server, in place of one of before; answered by `Borrowed`, and by `NotLent` when
    /// there is none, or none any more.
    Borrow(TurnServer),
    /// Gives back what was borrowed. Not answered.
    GiveBack,
    /// Asks the router for a UDP port that leads here, in place of one of before; answered by `PortMapped` each
    /// time it becomes another one.
    MapPort,
    /// Sends on this connection something that must be acknowledged, and listens for so long;
    /// answered by `Answered` or `Silent`, and by nothing when the connection ends meanwhile.
    Ask(DeviceId, ConnectionId, Duration),
    /// Opens our end of a packet channel; answered by `RelayOpened` or `RelayClosed`.
    OpenRelay {
        /// With whom.
        peer: DeviceId,
        /// Where: the WebSocket URL that the server gave.
        url: String,
        /// The server's number for the channel.
        channel: u32,
        /// The one-use token.
        token: String,
    },
    /// Closes our end of the packet channel with this peer.
    CloseRelay(DeviceId),
    /// Sends a frame on the control stream, in order.
    Send(DeviceId, Control),
    /// Says on the local network that a code with this slot waits here, and lets a stranger from there in as
    /// far as a pairing needs; answered by `PairingMet` when somebody speaks.
    HostPairing(PairingId, Slot),
    /// Goes to whoever has said so at these addresses of the local network; answered by `PairingMet` or
    /// `PairingGone`.
    MeetPairing(PairingId, Vec<SocketAddr>),
    /// Sends a message of a pairing to whom it has met.
    SendPairing(PairingId, Vec<u8>),
    /// Ends this pairing on the local network, once everything is sent. Not answered.
    ClosePairing(PairingId),
}

/// What the network has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkEvent {
    /// The UDP addresses at which this device listens now, all interfaces.
    LocalAddresses(Vec<SocketAddr>),
    /// All that announce themselves on the local network now.
    Nearby(Vec<Neighbour>),
    /// Somebody is there for this pairing on the local network.
    PairingMet(PairingId),
    /// A message for this pairing, from whom it has met on the local network.
    PairingReceived(PairingId, Vec<u8>),
    /// Whom this pairing has met on the local network is gone, or nobody was met.
    PairingGone(PairingId),
    /// The router gives a UDP port that leads here, another one than before, or none any more.
    PortMapped(Option<SocketAddr>),
    /// Where the names of this peer's places lead.
    Found(DeviceId, Vec<SocketAddr>),
    /// A TURN server lends this address: what comes there comes to us.
    Borrowed(SocketAddrV4),
    /// The TURN server that was asked last lends nothing, or nothing any more.
    NotLent(LendFault),
    /// A STUN server has said from where our question came to it.
    Reflected {
        /// Who was asked.
        server: StunServer,
        /// From where.
        from: SocketAddr,
    },
    /// A probe came back.
    ProbeAnswered {
        /// Who answered.
        peer: DeviceId,
        /// From where.
        from: SocketAddr,
        /// After how long.
        rtt: Duration,
    },
    /// A large probe came back: the path to this address carries as much.
    LargeAnswered {
        /// Who answered.
        peer: DeviceId,
        /// From where.
        from: SocketAddr,
    },
    /// How long the datagrams of a connection are from now on; at first they are as every path carries
    /// them.
    Datagrams(DeviceId, ConnectionId, DatagramSize),
    /// A peer's own probe arrived (and was answered) from this address.
    ProbeHeard {
        /// Who probes.
        peer: DeviceId,
        /// From where.
        from: SocketAddr,
    },
    /// So many sockets are open and have sent their probe.
    Scattered(DeviceId, u16),
    /// Our end of the packet channel is open.
    RelayOpened(DeviceId),
    /// Our end of the packet channel could not be opened, or is closed.
    RelayClosed(DeviceId),
    /// A connection with this peer stands, its key proved. Replaces an older one.
    Connected(DeviceId, ConnectionId),
    /// Dialling failed.
    DialFailed(DeviceId, LinkFault),
    /// The connection is gone.
    Disconnected(DeviceId, ConnectionId, LinkFault),
    /// The peer did on a data stream what the protocol does not allow, or sent wrong bytes.
    Misbehaved(DeviceId),
    /// The peer was asked for a sign of life on this connection, and gave one.
    Answered(DeviceId, ConnectionId),
    /// The peer was asked for a sign of life on this connection, and gave none.
    Silent(DeviceId, ConnectionId),
    /// A control frame arrived.
    Received(DeviceId, ConnectionId, Control),
    /// Packets to or from this peer were measured on a path (about once a second while any flow).
    Measured {
        /// With whom.
        peer: DeviceId,
        /// The connection's round-trip time.
        rtt: Duration,
        /// Bytes received from the peer since the connection stands.
        received_bytes: u64,
        /// Bytes sent to the peer since the connection stands.
        sent_bytes: u64,
        /// Time since the last datagram from the peer on the selected path.
        silent_for: Duration,
    },
}

/// How long datagrams are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DatagramSize {
    /// As every path carries them.
    #[default]
    Every,
    /// Longer.
    Large,
}

/// A STUN server, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StunServer {
    /// A host name or an address, without brackets.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
}

impl From<&Place> for StunServer {
    fn from(place: &Place) -> Self {
        Self {
            host: place.host().to_owned(),
            port: place.port(),
        }
    }
}

/// Why a TURN server lends no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LendFault {
    /// Its name leads nowhere, or nobody is there.
    Unreachable,
    /// It does not answer.
    Silent,
    /// It does not accept the user name and the credential, or not any more.
    Login,
    /// Its certificate is not valid.
    Certificate,
    /// It refuses, with this code of RFC 8656.
    Refused(u16),
    /// It answers what the protocol does not allow, or lends what cannot be used.
    Protocol,
    /// It had lent one, and has gone.
    Gone,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkFault {
    /// Nothing came back in time.
    TimedOut,
    /// The other side closed it.
    Closed,
    /// The other side has begun anew and does not know the connection.
    Restarted,
    /// The other side does not trust our key (any more).
    Refused,
    /// Somebody else's key answered.
    Impostor,
    /// The other side sent what the protocol does not allow.
    Protocol,
    /// No version is spoken by both.
    Version,
}

// --- signal server -------------------------------------------------------------------------------

/// Names one session with a signal server. There are few, and their ids are used again and again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u8);

/// What is asked of a session with a signal server.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalRequest {
    /// Connects to this WebSocket URL; answered by `Opened` or `Closed`.
    Connect(String),
    /// Sends a message on the open session.
    Send(ClientMessage),
    /// Closes the session.
    Disconnect,
}

/// What a session with a signal server has done.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalEvent {
    /// The session stands; the server speaks first.
    Opened,
    /// A message arrived.
    Message(ServerMessage),
    /// There is no session.
    Closed(SignalFault),
}

/// Why there is no session with the signal server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalFault {
    /// The server cannot be reached.
    Unreachable,
    /// Its certificate is not valid for it.
    Certificate,
    /// It has another key than the one that is pinned.
    Pin,
    /// The proxy that leads to it cannot be reached.
    ProxyUnreachable,
    /// The proxy that leads to it does not take our credentials, or wants some.
    ProxyLogin,
    /// The proxy refuses to lead to it, or is no proxy.
    ProxyRefused,
    /// It is not a Towline signal server, or sent what the protocol does not allow.
    Protocol,
    /// It closed the session.
    Closed,
    /// It does not let this device in.
    Refused,
    /// It is for those who show a token, or are on its list, and this device is not among them. That may change.
    AccessDenied,
    /// It does not accept this device's proof; the same key and server name will fail again.
    BadProof,
    /// Another connection has registered with this device's key: its twin, or a copy of its home.
    Replaced,
    /// It does not accept what this build sends.
    Unacceptable,
}

impl SignalFault {
    /// Whether trying again, with nothing changed, can succeed.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Unreachable
            | Self::Certificate
            | Self::Pin
            | Self::ProxyUnreachable
            | Self::ProxyLogin
            | Self::ProxyRefused
            | Self::Protocol
            | Self::Closed
            | Self::Refused
            | Self::AccessDenied => true,
            Self::BadProof | Self::Replaced | Self::Unacceptable => false,
        }
    }
}
