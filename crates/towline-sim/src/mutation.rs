//! Named bugs. Each is switched into the world around the devices, or into what they say on its way
//! out, so the product has no hook for them. An oracle that lets one of them live is not done.

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Index pages reach the peer without their tombstones.
    LostTombstone,
    /// A write is told under the counter of the write before.
    ForgottenCounter,
    /// The disk carries out a step without looking at what lies there.
    NoRecheck,
    /// A batch is reported durable before it is.
    OutputsBeforePersist,
    /// What a peer says of our index is never above our own: a rolled-back store goes unnoticed.
    ReusedSequence,
    /// A wrong guess leaves the code as it was.
    WrongGuessNotBurned,
    /// The disk ignores that the losing bytes are to be kept.
    ConflictDropped,
    /// Index pages are served from rows that are not durable yet.
    IndexBeforeDurable,
    /// A scan reports a path as absent that it did not look at.
    InventedAbsence,
    /// Fetched bytes are put in place unverified.
    UnverifiedBytes,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::LostTombstone,
        Self::ForgottenCounter,
        Self::NoRecheck,
        Self::OutputsBeforePersist,
        Self::ReusedSequence,
        Self::WrongGuessNotBurned,
        Self::ConflictDropped,
        Self::IndexBeforeDurable,
        Self::InventedAbsence,
        Self::UnverifiedBytes,
    ];

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostTombstone => "lost tombstone",
            Self::ForgottenCounter => "forgotten counter",
            Self::NoRecheck => "no re-check before rename",
            Self::OutputsBeforePersist => "outputs before their Persist",
            Self::ReusedSequence => "reused sequence after rollback",
            Self::WrongGuessNotBurned => "wrong guess not burned",
            Self::ConflictDropped => "conflict dropped",
            Self::IndexBeforeDurable => "index sent before durable",
            Self::InventedAbsence => "invented absence",
            Self::UnverifiedBytes => "unverified bytes",
        }
    }
}
