//! The pure planner: a page of needs in, what to do at each path out.
//!
//! [`plan`] looks at every path alone; [`ground()`] and [`make_room`] then look at what a step stands on: its
//! parents, and the place where a losing version is kept. All are functions of their arguments only, so a
//! person can check a plan by hand. None knows what is under way; the walk leaves those paths out.

mod ground;
mod pairs;
mod room;

pub(crate) use ground::parents;
pub use ground::{Sight, footing, ground};
pub(crate) use pairs::{leaving, pair, with_removals};
pub use room::{Names, make_room, rooms};

use std::collections::BTreeSet;

use towline_wire::entry::{Actor, Content, Descent, Entry, UnixNanos, VersionVector};
use towline_wire::ids::{DeviceId, Sequence};
use towline_wire::limits::VERSION_ACTORS_MAX;
use towline_wire::rel_path::RelPath;

use crate::folder::conflict::conflict_paths;
use crate::folder::exchange::WRITES_MAX;
use crate::folder::moves::follow;
use crate::folder::verdict::{Fate, Judgement, Rest, fate, judge};
use crate::io::{Expected, Step};
use crate::records::{
    AttributeKeeping, Beside, ConflictPlace, Departure, DiskStamp, Need, OurRow, Reach,
};

/// What is to be done at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which path. A step that follows a moved file lies at another one.
    pub path: RelPath,
    /// What to do there.
    pub action: Action,
}

impl Planned {
    /// Its step, if it has one.
    const fn as_step(&self) -> Option<&PlannedStep> {
        match &self.action {
            Action::Step(step) => Some(step),
            Action::Settled | Action::Adopt { .. } | Action::Wait(_) => None,
        }
    }

    /// Its step, if it has one, to change it.
    pub(crate) const fn as_step_mut(&mut self) -> Option<&mut PlannedStep> {
        match &mut self.action {
            Action::Step(step) => Some(step),
            Action::Settled | Action::Adopt { .. } | Action::Wait(_) => None,
        }
    }
}

/// What is to be done at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a plan has a thousand of them and lives for one batch"
)]
pub enum Action {
    /// Nothing, until a row changes: off the list of needs.
    Settled,
    /// The disk is right already; only our row changes.
    Adopt {
        /// Our new row's record.
        becomes: Entry,
        /// What the disk shows, as we know it.
        stamp: Option<DiskStamp>,
        /// What is left afterwards.
        rest: Rest,
    },
    /// The disk has work.
    Step(Box<PlannedStep>),
    /// Nothing now; stays on the list.
    Wait(Wait),
}

/// A step with what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// For the disk.
    pub step: Step,
    /// Our row's record once the step is done.
    pub becomes: Entry,
    /// Who is told of it then.
    pub reach: Reach,
    /// Our row's position when this was planned; `None` when we had no row.
    pub assumed: Option<Sequence>,
    /// Our record that loses a conflict by this step; its bytes are kept.
    pub loser: Option<Entry>,
    /// What is left afterwards.
    pub rest: Rest,
    /// Whose budget of the mass change brake it has used.
    pub spent: Option<DeviceId>,
    /// The departure that this follows: what it will be when the step is done.
    pub follows: Option<Departure>,
    /// The removal that is done with it, when the file that it makes lies there.
    pub moves: Option<Box<Self>>,
}

/// Which pass of the walk carries a step out; passes go in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Directories are made, parents first.
    Directories,
    /// Files and symlinks are made and changed.
    Files,
    /// Files and symlinks go; only after all that is made, so that the bytes of a renamed file are
    /// still there to be copied.
    Removals,
    /// Directories go, deepest first.
    DirectoryRemovals,
}

impl PlannedStep {
    /// Which pass carries this out.
    pub fn phase(&self) -> Phase {
        match (&self.step.content, self.step.expected) {
            (Content::Directory, _) => Phase::Directories,
            (Content::File { .. } | Content::Symlink { .. }, _) => Phase::Files,
            (Content::Absent, Expected::Directory) => Phase::DirectoryRemovals,
            (Content::Absent, Expected::Nothing | Expected::Stamped(_)) => Phase::Removals,
        }
    }
}

/// Why nothing is done at a path now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A peer holds bytes that lost; it will keep them and yield.
    PeerYields,
    /// No connected peer has the bytes.
    Source,
    /// The directory above is not there yet.
    Parent,
    /// The path is so long that a conflict copy would have no name anywhere.
    Name,
    /// The history names more actors, or counts more writes, than a record may.
    History,
    /// The folder only sends from here.
    SendOnly,
    /// What lies above is a change that is only here.
    Local,
    /// It belongs to a mass change, which a person decides.
    Brake,
    /// What went from there may have been moved; the scan that runs will tell.
    Look,
    /// The disk has lost what lay here, and nobody has said yet that they have it.
    Spoiled,
    /// A change was undone of what we had told, and nobody has said yet that they have that.
    Reverted,
    /// A device that was away for long would bring back what was deleted here, which a person decides.
    Absence,
}

/// Actors that an adopted history may name: half of what a record can hold. Joining two histories
/// adds up, and a record that outgrew the limit could not be told to anybody.
const ADOPTED_ACTORS_MAX: usize = VERSION_ACTORS_MAX / 2;

/// Writes of one actor that an adopted history may count: half of what a peer may state. Our next
/// write on top must be one that others still believe.
const ADOPTED_WRITES_MAX: u64 = WRITES_MAX / 2;

pub(crate) fn is_adoptable(version: &VersionVector) -> bool {
    version.iter().count() <= ADOPTED_ACTORS_MAX
        && version
            .iter()
            .all(|(_, writes)| writes <= ADOPTED_WRITES_MAX)
}

/// Plans each path of a page of needs, in the page's order.
pub fn plan(
    needs: &[Need],
    connected: &BTreeSet<DeviceId>,
    (us, keeping): (Actor, AttributeKeeping),
) -> Vec<Planned> {
    needs
        .iter()
        .map(|need| Planned {
            path: need.path.clone(),
            action: action(need, connected, (us, keeping)),
        })
        .collect()
}

fn action(
    need: &Need,
    connected: &BTreeSet<DeviceId>,
    (us, keeping): (Actor, AttributeKeeping),
) -> Action {
    match &need.ours {
        Some(row) if row.reach == Reach::Yields => giving_way(row, need, connected, keeping),
        Some(row) if row.reach == Reach::Spoiled => spoiled(row, need, connected, keeping),
        Some(row) if row.reach != Reach::Everyone => only_here(row, need, keeping),
        Some(_) | None => shared(need, connected, (us, keeping)),
    }
}

/// A change that nobody is told of stays, whatever peers have; unless it is what they have.
fn only_here(row: &OurRow, need: &Need, keeping: AttributeKeeping) -> Action {
    match theirs_alone(row, need) {
        Some((becomes, rest)) if is_on_disk(Some(row), &becomes, keeping) => Action::Adopt {
            stamp: stamp_under(row, &becomes),
            becomes,
            rest,
        },
        Some(_) | None => Action::Settled,
    }
}

/// What lies here has no claim: it goes for what peers have, or for nothing. What all knew of the path
/// before it was changed here is joined: a peer that knows more of our writes than we do would prove
/// that our store was rolled back.
fn giving_way(
    row: &OurRow,
    need: &Need,
    connected: &BTreeSet<DeviceId>,
    keeping: AttributeKeeping,
) -> Action {
    let lies = &row.entry.content;
    let gone = |rest| {
        let gone = Entry {
            content: Content::Absent,
            descent: Descent::none(),
            ..row.entry.clone()
        };
        step(Some(row), gone, rest, None, BTreeSet::new()).of_reach(Reach::Yields)
    };
    let Some((becomes, rest)) = theirs_alone(row, need) else {
        // What we have told others may have, or they wait for it in vain.
        let was_told = !row.entry.version.is_empty();
        return match (lies, was_told) {
            (Content::Absent, false) => Action::Settled,
            (Content::Absent, true) => Action::Wait(Wait::Reverted),
            (_, false) => gone(Rest::Settled),
            (_, true) => gone(Rest::PeerYields),
        };
    };
    if !is_adoptable(&becomes.version) {
        return Action::Wait(Wait::History);
    }
    if is_on_disk(Some(row), &becomes, keeping) {
        return Action::Adopt {
            stamp: stamp_under(row, &becomes),
            becomes,
            rest,
        };
    }
    let sources = sources(need, &becomes.content, connected);
    if lacks_bytes(need, lies, &becomes.content, &sources) {
        return Action::Wait(Wait::Source);
    }
    match (lies, &becomes.content) {
        // As in `shared`: first its children go, then itself, then it is looked at again.
        (Content::Directory, Content::File { .. } | Content::Symlink { .. }) => {
            gone(Rest::PeerYields)
        }
        (
            Content::Absent | Content::Directory | Content::File { .. } | Content::Symlink { .. },
            _,
        ) => step(Some(row), becomes, rest, None, sources),
    }
}

/// What the disk has lost comes back from whoever has it, or what came after it. A record that does not
/// know the lost write may be older than one that is on its way; so it waits.
fn spoiled(
    row: &OurRow,
    need: &Need,
    connected: &BTreeSet<DeviceId>,
    keeping: AttributeKeeping,
) -> Action {
    let Some((becomes, rest)) = theirs_alone(row, need) else {
        return Action::Wait(Wait::Spoiled);
    };
    let knows_it =
        |entry: &Entry| entry.author == becomes.author && entry.version.knows(row.entry.author);
    if !need.theirs.iter().any(|(_, entry)| knows_it(entry)) {
        return Action::Wait(Wait::Spoiled);
    }
    if !is_adoptable(&becomes.version) {
        return Action::Wait(Wait::History);
    }
    if is_on_disk(Some(row), &becomes, keeping) {
        return Action::Adopt {
            stamp: stamp_under(row, &becomes),
            becomes,
            rest,
        };
    }
    let sources = sources(need, &becomes.content, connected);
    if lacks_bytes(need, &row.entry.content, &becomes.content, &sources) {
        return Action::Wait(Wait::Source);
    }
    step(Some(row), becomes, rest, None, sources)
}

/// What becomes of a path whose bytes the disk has lost and nobody has: what peers have instead, as a
/// write of ours. What is left here beats no delete; where nobody has deleted it either, it is all that
/// there is.
pub(crate) fn given_up(need: &Need, connected: &BTreeSet<DeviceId>, us: Actor) -> Action {
    let Some(row) = &need.ours else {
        return Action::Settled;
    };
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    let best = judge(None, theirs.clone()).map(|judgement| judgement.becomes.content);
    if best.is_some_and(|best| best != Content::Absent) {
        return unseen(row, need, connected, us);
    }
    let known = &row.entry.version;
    let is_deleted = theirs.clone().any(|gone| !known.knows(gone.author));
    let version = theirs.fold(known.clone(), |known, gone| known.merged(&gone.version));
    if !is_adoptable(&version) {
        return Action::Wait(Wait::History);
    }
    let left = &row.entry.content;
    if is_deleted && *left != Content::Absent {
        let gone = written(&row.entry.path, version, Content::Absent, us);
        return step(Some(row), gone, Rest::Settled, None, BTreeSet::new());
    }
    Action::Adopt {
        becomes: Entry {
            mtime: row.entry.mtime,
            ..written(&row.entry.path, version, left.clone(), us)
        },
        stamp: row.stamp,
        rest: Rest::Settled,
    }
}

/// What peers have at a path, as if we had nothing, on top of our history there.
///
/// Our history knows the write that was changed here, and its bytes have gone from this device. Where
/// a peer still has them and they lose a conflict, joining that history to the winner's would tell
/// the peer that they were replaced. So it is they that come back first, and lose the conflict here
/// as everywhere: kept, in the next plan.
fn theirs_alone(row: &OurRow, need: &Need) -> Option<(Entry, Rest)> {
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    let Judgement { becomes, rest, .. } = judge(None, theirs.clone())?;
    let before = theirs
        .clone()
        .filter(|entry| entry.author == row.entry.author)
        .find(|entry| fate(entry, &becomes, theirs.clone()) == Fate::Loses);
    let (mut becomes, rest) = match before {
        Some(before) => (before.clone(), Rest::PeerYields),
        None => (becomes, rest),
    };
    becomes.version = becomes.version.merged(&row.entry.version);
    Some((becomes, rest))
}

/// Whether nobody who is connected has the bytes that shall lie here, nor this device.
pub(crate) fn lacks_bytes(
    need: &Need,
    lies: &Content,
    shall: &Content,
    sources: &BTreeSet<DeviceId>,
) -> bool {
    matches!(shall, Content::File { .. })
        && sources.is_empty()
        && !lies.same_bytes(shall)
        && !is_held(need, shall)
}

fn shared(
    need: &Need,
    connected: &BTreeSet<DeviceId>,
    (us, keeping): (Actor, AttributeKeeping),
) -> Action {
    let kept = need.ours.as_ref();
    if let Some(row) = kept.filter(|row| row.is_unseen()) {
        return unseen(row, need, connected, us);
    }
    let remade = kept.and_then(|row| remade(row, need, us));
    let ours = remade.as_ref().or(kept);
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    // What our row knows and the disk does not have yet is a need without anybody's record.
    let lacks = kept.is_some_and(|row| lacks_attributes(row, &row.entry, keeping));
    if need.theirs.is_empty() && !lacks {
        return Action::Settled;
    }
    if let Some(action) = follow(need, connected, (us, keeping)) {
        return action;
    }
    let Some(judgement) = judge(ours.map(|row| &row.entry), theirs) else {
        return Action::Settled;
    };
    let Judgement {
        becomes,
        fate,
        rest,
    } = judgement;
    if !is_adoptable(&becomes.version) {
        return Action::Wait(Wait::History);
    }
    if kept.is_some_and(|row| row.entry == becomes) && !lacks {
        return match rest {
            Rest::Settled => Action::Settled,
            Rest::PeerYields => Action::Wait(Wait::PeerYields),
        };
    }
    let lies = ours.map_or(&Content::Absent, |row| &row.entry.content);
    if is_on_disk(ours, &becomes, keeping) {
        return Action::Adopt {
            stamp: ours.and_then(|row| stamp_under(row, &becomes)),
            becomes,
            rest,
        };
    }
    let sources = sources(need, &becomes.content, connected);
    if lacks_bytes(need, lies, &becomes.content, &sources) {
        return Action::Wait(Wait::Source);
    }
    match (ours, &becomes.content, fate) {
        // A directory goes before something else takes its name: first its children, then itself.
        // Our own delete is concurrent with their write and loses against it, so the next plan
        // makes what they have.
        (Some(row), Content::File { .. } | Content::Symlink { .. }, _)
            if row.entry.content == Content::Directory =>
        {
            let gone = written(&need.path, row.entry.version.clone(), Content::Absent, us);
            step(ours, gone, Rest::PeerYields, None, BTreeSet::new())
        }
        (Some(row), _, Fate::Loses) => step(ours, becomes, rest, Some(row.entry.clone()), sources),
        (Some(_) | None, _, _) => step(ours, becomes, rest, None, sources),
    }
}

/// What to do where our row has lost its stamp: whether it is still true is not known, so the disk is
/// taken to hold nothing, and finds out if it does. What comes back is the best that peers have, as a
/// write on top of the row's history where it is not what the row tells of. What nobody has is gone.
fn unseen(row: &OurRow, need: &Need, connected: &BTreeSet<DeviceId>, us: Actor) -> Action {
    let theirs = need.theirs.iter().map(|(_, entry)| entry);
    let Some(Judgement { becomes, rest, .. }) = judge(None, theirs) else {
        return Action::Adopt {
            becomes: written(
                &row.entry.path,
                row.entry.version.clone(),
                Content::Absent,
                us,
            ),
            stamp: None,
            rest: Rest::Settled,
        };
    };
    let is_ours = becomes.content.same_bytes(&row.entry.content);
    let knows_ours = becomes.version.knows(row.entry.author);
    let merged = becomes.version.merged(&row.entry.version);
    let becomes = if is_ours || knows_ours {
        Entry {
            version: merged,
            ..becomes
        }
    } else {
        Entry {
            mtime: becomes.mtime,
            ..written(&row.entry.path, merged, becomes.content, us)
        }
    };
    if !is_adoptable(&becomes.version) {
        return Action::Wait(Wait::History);
    }
    match &becomes.content {
        Content::Absent => Action::Adopt {
            becomes,
            stamp: None,
            rest,
        },
        content @ (Content::Directory | Content::File { .. } | Content::Symlink { .. }) => {
            let sources = sources(need, content, connected);
            if matches!(content, Content::File { .. })
                && sources.is_empty()
                && !is_held(need, content)
            {
                return Action::Wait(Wait::Source);
            }
            step(Some(row), becomes, rest, None, sources)
        }
    }
}

/// What we have, as a write of ours that comes after all that we ever wrote here; `None` where our
/// row knows all of that already.
///
/// Only we write in our name, so a peer that knows more of our writes than the row proves that the
/// store was rolled back. The disk was not: what lies there came after the writes that are lost, and
/// no record of them may replace it. What is absent here may well be fetched again.
fn remade(row: &OurRow, need: &Need, us: Actor) -> Option<OurRow> {
    let entry = &row.entry;
    if entry.content == Content::Absent {
        return None;
    }
    let ours = need
        .theirs
        .iter()
        .filter(|(_, theirs)| !theirs.content.same_bytes(&entry.content))
        .fold(entry.version.clone(), |known, (_, theirs)| {
            known.merged(&theirs.version.written_by(us.device))
        });
    (ours != entry.version).then(|| OurRow {
        entry: Entry {
            mtime: entry.mtime,
            ..written(&entry.path, ours, entry.content.clone(), us)
        },
        ..row.clone()
    })
}

/// Whether the disk shows already what shall be: directories and symlinks have nothing beside their
/// bytes that is synced, files have their mtime and executable bit, and their attributes where those are
/// kept.
pub(crate) fn is_on_disk(
    ours: Option<&OurRow>,
    becomes: &Entry,
    keeping: AttributeKeeping,
) -> bool {
    let Some(row) = ours else {
        return becomes.content == Content::Absent;
    };
    let entry = &row.entry;
    match &becomes.content {
        Content::Absent | Content::Directory | Content::Symlink { .. } => {
            entry.content.same_bytes(&becomes.content)
        }
        // Whether a disk keeps only coarse times is not known here: one that does gets the time once
        // more than it needs, and one that does not must get it.
        Content::File { .. } => {
            let is_same = match keeping {
                AttributeKeeping::Off => entry.content.same_beside_attributes(&becomes.content),
                AttributeKeeping::On => entry.content == becomes.content,
            };
            is_same && entry.mtime == becomes.mtime && !lacks_attributes(row, becomes, keeping)
        }
    }
}

/// Whether the disk has not shown the attributes that a record asks for, though it keeps such.
fn lacks_attributes(row: &OurRow, becomes: &Entry, keeping: AttributeKeeping) -> bool {
    let is_unasked = |stamp: DiskStamp| stamp.beside == Beside::Unasked;
    match keeping {
        AttributeKeeping::Off => false,
        AttributeKeeping::On => {
            let asked = becomes.content.attributes();
            asked.is_some_and(|asked| !asked.is_empty()) && row.stamp.is_some_and(is_unasked)
        }
    }
}

/// The stamp of a row that becomes another record without work for the disk: what it has shown of
/// attributes is nothing for others.
fn stamp_under(row: &OurRow, becomes: &Entry) -> Option<DiskStamp> {
    if row.entry.content.attributes() == becomes.content.attributes() {
        row.stamp
    } else {
        row.stamp.map(|stamp| stamp.beside(Beside::Unasked))
    }
}

pub(crate) fn sources(
    need: &Need,
    content: &Content,
    connected: &BTreeSet<DeviceId>,
) -> BTreeSet<DeviceId> {
    match content {
        Content::Absent | Content::Directory | Content::Symlink { .. } => BTreeSet::new(),
        Content::File { .. } => need
            .theirs
            .iter()
            .filter(|(peer, entry)| connected.contains(peer) && entry.content.same_bytes(content))
            .map(|(peer, _)| *peer)
            .collect(),
    }
}

fn is_held(need: &Need, content: &Content) -> bool {
    match content {
        Content::File { hash, .. } => need.held.contains(hash),
        Content::Absent | Content::Directory | Content::Symlink { .. } => false,
    }
}

/// A record of our own write on top of a history.
pub(crate) fn written(
    path: &RelPath,
    mut version: VersionVector,
    content: Content,
    us: Actor,
) -> Entry {
    let author = version.bump(us);
    Entry {
        path: path.clone(),
        version,
        author,
        content,
        mtime: UnixNanos::default(),
        descent: Descent::none(),
    }
}

pub(crate) fn step(
    ours: Option<&OurRow>,
    becomes: Entry,
    rest: Rest,
    loser: Option<Entry>,
    sources: BTreeSet<DeviceId>,
) -> Action {
    // Where exactly is chosen by [`make_room`].
    let keep = loser
        .as_ref()
        .and_then(|loser| conflict_paths(loser, ConflictPlace::Inbox).last());
    if loser.is_some() && keep.is_none() {
        // A path so long that its copy has none: what we have stays until somebody renames it.
        return Action::Wait(Wait::Name);
    }
    let step = Step {
        path: becomes.path.clone(),
        expected: expected(ours),
        content: becomes.content.clone(),
        mtime: becomes.mtime,
        keep,
        sources,
        moved_from: None,
    };
    let assumed = ours.map(|row| row.sequence);
    Action::Step(Box::new(PlannedStep {
        step,
        becomes,
        reach: Reach::Everyone,
        assumed,
        loser,
        rest,
        spent: None,
        follows: None,
        moves: None,
    }))
}

impl Action {
    /// The same, with another reach of what a step makes.
    fn of_reach(self, reach: Reach) -> Self {
        match self {
            Self::Step(step) => Self::Step(Box::new(PlannedStep { reach, ..*step })),
            other @ (Self::Settled | Self::Adopt { .. } | Self::Wait(_)) => other,
        }
    }

    /// The same, as a step that follows a departure.
    pub(crate) fn following(self, departure: Departure) -> Self {
        match self {
            Self::Step(step) => Self::Step(Box::new(PlannedStep {
                follows: Some(departure),
                ..*step
            })),
            other @ (Self::Settled | Self::Adopt { .. } | Self::Wait(_)) => other,
        }
    }
}

fn expected(ours: Option<&OurRow>) -> Expected {
    let Some(row) = ours else {
        return Expected::Nothing;
    };
    match row.entry.content {
        Content::Absent => Expected::Nothing,
        Content::Directory if row.is_unseen() => Expected::Nothing,
        Content::Directory => Expected::Directory,
        Content::File { .. } | Content::Symlink { .. } => {
            row.stamp.map_or(Expected::Nothing, Expected::Stamped)
        }
    }
}
