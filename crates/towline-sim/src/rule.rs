//! The rules by which a world is judged. Numbered ones are the folder's promises; the others are what
//! devices promise each other and their people.

use std::fmt;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// (1) Names, kinds, bytes, executable bits and file times are equal along every shared edge, but
    /// for what a disk holds back.
    Agree,
    /// (2) What a person wrote and nobody took away lies somewhere.
    NothingLost,
    /// (3) What lies there was written by somebody.
    NoPhantom,
    /// (4) After the last change everything comes to rest: no traffic, no writes.
    Ends,
    /// (5) Restart and rescan cause no operation.
    RestartIsSilent,
    /// (6) Nothing outside of the root is made, changed or removed.
    InsideRoot,
    /// (6) Who has paused a folder leaves its disk alone.
    PausedKeepsBytes,
    /// (7) The index says what lies on the disk.
    IndexIsDisk,
    /// (7) Nothing is needed, but for what is held back.
    NothingNeeded,
    /// (7) No temporary file is left.
    NoLitter,
    /// (7) Conflicts do not multiply by themselves.
    ConflictsStay,
    /// (8) What nobody took away is still there.
    NoInventedDelete,
    /// (8) What was taken away, and not brought back by anybody, is away.
    DeleteStays,
    /// (9) Nothing is told before it is durable.
    Durable,
    /// (10) What is held back is told with its reason, and nothing else is.
    HeldIsTold,
    /// (11) Who does not share a folder hears nothing of it.
    OnlySharers,
    /// A peer's edit under the name that a file had before lies under the one that it has now.
    EditFollows,
    /// More than a bound is gone on a device only after its person said yes.
    MassChangeWaits,
    /// A person can have all others follow.
    OverrideFollows,
    /// What is done on a device that only receives reaches nobody.
    ReceiverTellsNothing,
    /// (6) A device that only sends keeps what it has.
    SenderKeepsBytes,
    /// A paused folder tells its peers nothing.
    PausedIsSilent,
    /// The signal server sees no code, no name and no content.
    ServerLearnsNothing,
    /// What the signal server says can be read.
    ServerIsReadable,
    /// Peers are those whose people paired them with the right code.
    OnlyFriends,
    /// Two people can pair.
    Pairs,
    /// Both show the same compare string.
    SameString,
    /// Who removes a peer trusts it no longer.
    RemovedIsGone,
    /// A folder can be added.
    FolderIsAdded,
    /// An invitation arrives.
    InvitationArrives,
    /// Who comes back is connected again soon.
    BackSoon,
    /// A pair ends on the best way that there is.
    BestPath,
    /// Where nothing changes a pair stays on its way.
    NoFlapping,
    /// Bytes flow again soon after a way works.
    FlowsAgain,
    /// A short outage ends no connection.
    ConnectionLasts,
    /// Probes are few where nothing changes.
    ProbesAreFew,
    /// No host that takes no part gets more than a few probes.
    NobodyIsAttacked,
    /// What a TURN server lends is given back when there is a direct way.
    LentIsGivenBack,
    /// Tables stay within their bounds.
    TablesAreBounded,
}

impl Rule {
    /// The rule as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agree => "1: all replicas agree",
            Self::NothingLost => "2: no byte is lost",
            Self::NoPhantom => "3: nothing that nobody wrote",
            Self::Ends => "4: it ends",
            Self::RestartIsSilent => "5: restart and rescan cause no operation",
            Self::InsideRoot => "6: nothing outside the root is touched",
            Self::PausedKeepsBytes => "6: a paused side keeps its bytes",
            Self::IndexIsDisk => "7: the index equals the disk",
            Self::NothingNeeded => "7: nothing is needed",
            Self::NoLitter => "7: no temporary file is left",
            Self::ConflictsStay => "7: conflicts do not multiply",
            Self::NoInventedDelete => "8: no delete is invented",
            Self::DeleteStays => "8: what was deleted stays deleted",
            Self::Durable => "9: nothing is told before it is durable",
            Self::HeldIsTold => "10: what is held back is told with its reason",
            Self::OnlySharers => "11: only who shares a folder hears of it",
            Self::EditFollows => "an edit follows a renamed file",
            Self::MassChangeWaits => "a mass change waits for a yes",
            Self::OverrideFollows => "an override makes all follow",
            Self::ReceiverTellsNothing => "a receive-only device tells nothing",
            Self::SenderKeepsBytes => "6: a send-only side keeps its bytes",
            Self::PausedIsSilent => "a paused folder is silent",
            Self::ServerLearnsNothing => "the server learns nothing",
            Self::ServerIsReadable => "the server's words can be read",
            Self::OnlyFriends => "only the right code makes peers",
            Self::Pairs => "two people can pair",
            Self::SameString => "both show the same compare string, durably",
            Self::RemovedIsGone => "a removed peer is no peer",
            Self::FolderIsAdded => "a folder can be added",
            Self::InvitationArrives => "an invitation arrives",
            Self::BackSoon => "who comes back is connected again soon",
            Self::BestPath => "a pair ends on the best path",
            Self::NoFlapping => "paths do not flap",
            Self::FlowsAgain => "bytes flow again soon",
            Self::ConnectionLasts => "a short outage ends no connection",
            Self::ProbesAreFew => "probes are few at rest",
            Self::NobodyIsAttacked => "nobody is attacked",
            Self::LentIsGivenBack => "what is lent is given back",
            Self::TablesAreBounded => "tables are bounded",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
