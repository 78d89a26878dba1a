//! Who wins where devices say different things of one path.
//!
//! Three questions, in this order: has one side *replaced* the other (it knows more, or it knows the
//! write that made the other's bytes and not the other way round; where both do, see `replaces`)? If
//! neither has, are they the same bytes? Then metadata joins. If they are not, it is a conflict and a total order decides: an
//! edit beats a delete, then the kind's rank, the later mtime, the larger bytes, the larger author.
//! Every device that sees the same entries comes to the same answer, in whatever order it saw them.
//!
//! The same bytes at a path are the same version, whoever else has written them too: who replaced
//! them, having seen them, has replaced them for all.
//!
//! The invariant behind all merging: a vector knows a write only if those bytes are the entry's own,
//! were causally replaced by them, or are kept elsewhere. So a device joins the history of bytes that
//! lost a conflict only where it holds them itself and keeps them in the same step; everybody else
//! waits until a holder has done so.

use std::cmp::Ordering;

use towline_wire::entry::{Causality, Content, Descent, Dot, Entry, VersionVector};

/// How two records of one path relate, seen from the left one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both say exactly the same.
    Same,
    /// The same bytes with histories of their own: both become the join.
    Join,
    /// Ours has replaced theirs.
    Ours,
    /// Theirs has replaced ours.
    Theirs,
    /// Both were written without knowing of the other; ours keeps the name.
    OursInConflict,
    /// Both were written without knowing of the other; theirs keeps the name.
    TheirsInConflict,
    /// Each was replaced, as the other knows.
    NeitherStands,
}

impl Verdict {
    /// The same verdict, seen from the other side.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Same => Self::Same,
            Self::Join => Self::Join,
            Self::Ours => Self::Theirs,
            Self::Theirs => Self::Ours,
            Self::OursInConflict => Self::TheirsInConflict,
            Self::TheirsInConflict => Self::OursInConflict,
            Self::NeitherStands => Self::NeitherStands,
        }
    }
}

/// Judges two records of one path.
pub fn verdict(ours: &Entry, theirs: &Entry) -> Verdict {
    if ours == theirs {
        Verdict::Same
    } else if replaces(ours, theirs) && replaces(theirs, ours) {
        Verdict::NeitherStands
    } else if replaces(ours, theirs) {
        Verdict::Ours
    } else if replaces(theirs, ours) {
        Verdict::Theirs
    } else if ours.content.same_bytes(&theirs.content) {
        Verdict::Join
    } else {
        match precedence(ours, theirs) {
            Ordering::Greater => Verdict::OursInConflict,
            // Different bytes are never of equal precedence.
            Ordering::Less | Ordering::Equal => Verdict::TheirsInConflict,
        }
    }
}

/// What becomes of what we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// We know nothing of the path.
    Unknown,
    /// Our bytes are the winner's.
    Stands,
    /// The winner has replaced them, or there are no bytes to lose.
    Replaced,
    /// They lose a conflict and must be kept.
    Loses,
}

/// Whether something is left to happen at a path after we have what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: every peer's record is replaced by ours or equal to it.
    Settled,
    /// A peer holds bytes that lost; it will keep them and yield.
    PeerYields,
}

/// The answer for one path over everybody's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What we shall have.
    pub becomes: Entry,
    /// What becomes of what we have.
    pub fate: Fate,
    /// What is left to happen then.
    pub rest: Rest,
}

/// Judges what we have and what all peers have at one path; `None` when there is nothing to judge.
pub fn judge<'a>(
    ours: Option<&'a Entry>,
    theirs: impl Iterator<Item = &'a Entry> + Clone,
) -> Option<Judgement> {
    let all = || ours.into_iter().chain(theirs.clone());
    let standing = || all().filter(|entry| !all().any(|other| replaces(other, entry)));
    let winner = standing().max_by(|left, right| precedence(left, right));
    let nothing = match winner {
        Some(_) => None,
        None => nothing_stands(&all),
    };
    // With lying peers records may replace each other in a circle; then all of them stand.
    let winner = winner
        .or(nothing.as_ref())
        .or_else(|| all().max_by(|left, right| precedence(left, right)))?;

    let mut becomes = winner.clone();
    for twin in standing().filter(|entry| entry.content.same_bytes(&winner.content)) {
        join_metadata(&mut becomes, twin);
        becomes.version = becomes.version.merged(&twin.version);
    }
    let fate = match ours {
        None => Fate::Unknown,
        Some(ours) => {
            becomes.version = becomes.version.merged(&ours.version);
            fate(ours, winner, all())
        }
    };
    let yielding = theirs
        .clone()
        .any(|entry| !becomes.version.knows(entry.author));
    let rest = if yielding {
        Rest::PeerYields
    } else {
        Rest::Settled
    };
    Some(Judgement {
        becomes,
        fate,
        rest,
    })
}

/// What stands where records have replaced each other and no other stands: nothing, as of the last
/// writes of their authors that are known.
fn nothing_stands<'a, I: Iterator<Item = &'a Entry>>(all: &impl Fn() -> I) -> Option<Entry> {
    let is_gone = |entry: &&Entry| {
        let mut others = all();
        others.any(|other| replaces(entry, other) && replaces(other, entry))
    };
    let gone = || all().filter(is_gone);
    let version = gone().fold(VersionVector::new(), |version, entry| {
        version.merged(&entry.version)
    });
    let last = |entry: &Entry| Dot {
        actor: entry.author.actor,
        counter: version.counter(entry.author.actor),
    };
    let author = gone().map(last).max()?;
    let mtime = gone().map(|entry| entry.mtime).max()?;
    Some(Entry {
        path: gone().next()?.path.clone(),
        version,
        author,
        content: Content::Absent,
        mtime,
        descent: Descent::none(),
    })
}

/// The fate of one's bytes. Somebody who has the same bytes and knows more has not replaced them.
pub(crate) fn fate<'a>(
    ours: &Entry,
    winner: &Entry,
    mut all: impl Iterator<Item = &'a Entry>,
) -> Fate {
    if ours.content.same_bytes(&winner.content) {
        return Fate::Stands;
    }
    match ours.content {
        Content::Absent | Content::Directory => Fate::Replaced,
        Content::File { .. } | Content::Symlink { .. } => {
            if all.any(|other| !other.content.same_bytes(&ours.content) && replaces(other, ours)) {
                Fate::Replaced
            } else {
                Fate::Loses
            }
        }
    }
}

/// Whether `later` makes `earlier` obsolete: it knows all that it knows and more, or, where each
/// knows something of its own, only it knows the other's author, or each does and this is why: see
/// [`was_replaced`].
pub(crate) fn replaces(later: &Entry, earlier: &Entry) -> bool {
    match later.version.compare(&earlier.version) {
        Causality::After => true,
        Causality::Before => false,
        Causality::Equal | Causality::Concurrent => {
            later.version.knows(earlier.author)
                && (!earlier.version.knows(later.author) || was_replaced(earlier, later))
        }
    }
}

/// Of two that know each other's author, whether the one was replaced as the other one knows.
///
/// Whoever wrote something and wrote there again has replaced it: who knows of the second write knows that.
/// Both can have been replaced so, where deletes of both have lost against the other's bytes meanwhile.
/// Where neither was, one has beaten the other in a conflict, and that is the one of higher precedence.
/// So the other one knows of it in the only other way: somebody who saw the winner has replaced or
/// deleted it since, and that write has lost against these bytes.
///
/// Two records of one author with unequal bytes come from a store that was rolled back: neither replaces
/// the other.
fn was_replaced(entry: &Entry, other: &Entry) -> bool {
    if entry.author == other.author || entry.content.same_bytes(&other.content) {
        return false;
    }
    match (is_outlived(entry, other), is_outlived(other, entry)) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => precedence(other, entry) == Ordering::Less,
    }
}

/// Whether another record knows a later write by the author of this one.
fn is_outlived(entry: &Entry, other: &Entry) -> bool {
    other.version.counter(entry.author.actor) > entry.author.counter
}

/// The total order among records of which none has replaced the other; the greatest keeps the name.
fn precedence(left: &Entry, right: &Entry) -> Ordering {
    rank(&left.content)
        .cmp(&rank(&right.content))
        .then_with(|| left.mtime.cmp(&right.mtime))
        .then_with(|| bytes(&left.content).cmp(bytes(&right.content)))
        .then_with(|| left.author.cmp(&right.author))
}

/// What can hold others comes first; what is gone comes last.
const fn rank(content: &Content) -> u8 {
    match content {
        Content::Directory => 3,
        Content::File { .. } => 2,
        Content::Symlink { .. } => 1,
        Content::Absent => 0,
    }
}

fn bytes(content: &Content) -> &[u8] {
    match content {
        Content::Absent | Content::Directory => &[],
        Content::Symlink { target } => target.as_str().as_bytes(),
        Content::File { hash, .. } => hash.as_bytes(),
    }
}

/// Joins what is beside the bytes: executable if either is, the attributes of both, the later mtime,
/// the larger author with its descent.
/// Commutes and is idempotent, so all devices end with the same.
fn join_metadata(entry: &mut Entry, twin: &Entry) {
    if let (
        Content::File {
            executable,
            attributes,
            ..
        },
        Content::File {
            executable: twins,
            attributes: of_twin,
            ..
        },
    ) = (&mut entry.content, &twin.content)
    {
        *executable |= *twins;
        if attributes != of_twin {
            *attributes = attributes.joined(of_twin);
        }
    }
    entry.mtime = entry.mtime.max(twin.mtime);
    let by_twin = (twin.author, &twin.descent);
    if by_twin > (entry.author, &entry.descent) {
        entry.author = twin.author;
        entry.descent = twin.descent.clone();
    }
}
