//! Named bugs. Each is switched into the world around the devices, or into what they say on its way
//! out, so the product has no hook for them. An oracle that lets one of them live is not done.

/// Declares bugs with the names that people call them by.
macro_rules! mutations {
    ($(#[$all:meta])* $bugs:ident: $($(#[$doc:meta])* $mutation:ident = $name:literal,)*) => {
        $(#[$all])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $bugs {
            $($(#[$doc])* $mutation,)*
        }

        impl $bugs {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$mutation,)*];

            /// The name for people.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$mutation => $name,)*
                }
            }
        }
    };
}

mutations! {
    /// A bug of devices that share a folder.
    Mutation:
    // --- what devices tell each other
    /// Index pages reach the peer without their tombstones.
    LostTombstone = "lost tombstone",
    /// An index page is lost, and the next one is taken as if it had come.
    LostPage = "lost page",
    /// What a peer says of our index is never above our own: a rolled-back store goes unnoticed.
    ReusedSequence = "reused sequence after rollback",
    /// Who comes back is believed to have all of our index.
    BelievedToHaveAll = "peer believed to have all",
    /// An index page is acknowledged before its rows are durable.
    AckBeforeDurable = "ack before durable",
    /// A peer's record with an older file time than ours is dropped: the clock decides.
    ClockDecides = "the clock decides",
    // --- stores
    /// A write is told under the counter of the write before.
    ForgottenCounter = "forgotten counter",
    /// A batch is reported durable before it is.
    OutputsBeforePersist = "outputs before their Persist",
    /// Index pages are served from rows that are not durable yet.
    IndexBeforeDurable = "index sent before durable",
    /// A crash leaves half of a batch in the store.
    HalfBatch = "half a batch after a crash",
    /// A path falls off the list of needs when a peer's record of it comes in.
    NeedForgotten = "need forgotten",
    /// The store does not keep rows of conflict copies.
    CopyNotTold = "conflict copy not told",
    /// What the brake has counted is not kept: a restart gives a budget anew.
    BudgetNotKept = "brake's budget not kept",
    /// Whatever a peer has deleted is said to lie under another name, too.
    MoveInvented = "delete taken for a move",
    /// Deletes are forgotten after they were told.
    DeleteForgotten = "delete forgotten",
    /// The old name of a moved file goes though a peer's edit of it was not kept under the new one.
    EditDropped = "edit under an old name dropped",
    /// What a peer has under the old name of a moved file is said to come from all that its history knows.
    DescentInvented = "history taken for descent",
    // --- scans
    /// A scan reports a path as absent that it did not look at.
    InventedAbsence = "invented absence",
    /// What lies below a directory that cannot be read is reported as absent.
    UnreadableIsAbsent = "unreadable subtree is absent",
    /// A root whose disk is gone is scanned as an empty one.
    UnmountedIsEmpty = "unmounted root is empty",
    /// A file is published as it was before somebody wrote to it while it was read.
    TornRead = "file changed while it was read",
    /// The watcher is silent and later looks at the whole root see nothing.
    BlindRescan = "hint lost and no rescan",
    /// The same size and file time count as the same bytes.
    ChangeTimeIgnored = "change time ignored",
    /// On a disk that does not see case another spelling is the same name.
    CaseFlipUnseen = "case flip unseen",
    /// After a restart all file times are an hour later, as where local time is taken for UTC.
    LocalTime = "local time taken for UTC",
    // --- steps
    /// The disk carries out a step without looking at what lies there.
    NoRecheck = "no re-check before rename",
    /// The disk ignores that the losing bytes are to be kept.
    ConflictDropped = "conflict dropped",
    /// All versions that lose at a path are kept under one name.
    SharedSlot = "two losers share a name",
    /// A step's marks are taken after somebody wrote there.
    StaleStamp = "stale stamp accepted",
    /// A step cuts file times to whole seconds.
    TimesCut = "file time cut",
    /// A step forgets the executable bit.
    ExecutableDropped = "executable bit dropped",
    /// A step writes to where a symlink points.
    LinkFollowed = "symlink followed",
    /// A file is written under its own name, so that a kill leaves half of it.
    HalfFile = "half a file after a kill",
    /// A directory is removed with what somebody has put there.
    DirectoryTakenWhole = "directory removed with its content",
    /// A step is reported done before its name is durable, and a power cut takes it back.
    UnsyncedDone = "done before synced",
    /// What a power cut has made of a file bears the marks of a write.
    SpoiledIsEdit = "a zeroed file is an edit",
    /// Equal marks are taken for equal bytes after a power cut, too.
    MarksTrusted = "marks trusted after a power cut",
    /// A full disk is reported as done.
    FullDiskDone = "full disk is done",
    /// Steps go on in the empty mount point of a disk that is gone.
    MountPointWritten = "mount point written",
    /// A twin is overwritten on a disk that does not see case.
    TwinOverwritten = "twin overwritten",
    /// An entry that is held back for its name is reported as done.
    HeldNameDone = "held name is done",
    /// A file is moved to its new name though it was changed since it was planned.
    MovedUnseen = "changed file moved",
    // --- fetches
    /// Fetched bytes are put in place unverified.
    UnverifiedBytes = "unverified bytes",
    /// A source that changed meanwhile gives its new bytes.
    AnotherVersion = "bytes of another version",
    /// A step that fails leaves its temporary file.
    LitterLeft = "temporary file left",
    // --- pairing
    /// A wrong guess leaves the code as it was.
    WrongGuessNotBurned = "wrong guess not burned",
}

mutations! {
    /// A bug of a device's ways to its peers.
    LinkMutation:
    // --- what is sent
    /// The selected direct path is not probed.
    KeepaliveNeverSent = "keepalive never sent",
    /// A dead direct path is not left for the relay.
    DeadPathKept = "dead path kept",
    /// After the first packet channel no other one is asked for.
    RelayNeverAskedAnew = "relay channel never asked anew",
    /// Every probe is sent eight times.
    ProbesEightfold = "probes eightfold",
    /// A probe is sent again and again, five times a second for a minute.
    BurstWithoutEnd = "burst without end",
    /// Who accepts does not probe, so its router stays closed.
    AcceptorSilent = "acceptor does not probe",
    /// No sockets are scattered where the router varies.
    NothingScattered = "nothing scattered",
    /// Whatever answers is selected.
    HysteresisOff = "hysteresis off",
    /// What is named is used before it has answered.
    UnprovedUsed = "unproved path used",
    // --- what is heard
    /// Silence is not told, so no path is ever suspect.
    SilenceNotTold = "silence not told",
    /// An address that has answered once answers every probe.
    DisprovedStaysProved = "disproved path stays proved",
    /// From where the peer's probes come means nothing.
    PeerReflexiveIgnored = "peer-reflexive address ignored",
    /// A copied probe proves the address that it comes from.
    CopyProves = "copied probe proves",
    /// Changes of the own addresses are not heard of.
    MovesNotHeard = "own move not heard of",
    /// From where a device was first seen it counts as seen for ever.
    FirstReflectionKept = "first reflection kept",
    /// Where the peer says that it is nobody hears.
    AddressesNotHeard = "told addresses ignored",
    /// The port that the router gives is not heard of.
    GivenNotHeard = "given port not heard of",
    /// The first port that a router gives counts for ever.
    FirstGivenKept = "first given port kept",
    /// What a TURN server lends is not heard of.
    LentNotHeard = "lent address not heard of",
    /// That a TURN server lends nothing any more is not heard of.
    LoanEndNotHeard = "end of a loan not heard of",
    /// What a TURN server has lent is never given back.
    LentKept = "lent address never given back",
}
