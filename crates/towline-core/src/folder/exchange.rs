//! The folder's index on its way out to each connected peer, and the door for pages that come in.
//!
//! Out: one cursor per peer. Pages are loaded from the store, so nothing is told before it is
//! durable; at most [`INDEX_PAGES_IN_FLIGHT_MAX`] are unacknowledged. A peer that has our index of
//! this incarnation gets what comes after it, every other one gets it from the start. In: a page must
//! continue what we have, or begin a new incarnation; everything else is the peer's fault.

use std::collections::{BTreeMap, VecDeque};

use towline_wire::entry::{Content, Entry};
use towline_wire::ids::{DeviceId, FolderId, Incarnation, Sequence};
use towline_wire::limits::{
    INDEX_PAGE_BYTES_MAX, INDEX_PAGE_ENTRIES_MAX, INDEX_PAGES_IN_FLIGHT_MAX,
};
use towline_wire::peer::{Control, IndexPage};

use crate::io::{IndexOf, PageEnd, StoreRequest};
use crate::outbox::Outbox;

/// The outgoing side for all connected peers.
#[derive(Debug)]
pub(crate) struct Exchange {
    folder: FolderId,
    durable: Sequence,
    cursors: BTreeMap<DeviceId, Cursor>,
    /// Pages asked of the store, at most one per peer: an answer does not say what was asked.
    loads: BTreeMap<DeviceId, Load>,
    /// How far each peer was told since the start, also when it is away now.
    told: BTreeMap<DeviceId, Sequence>,
}

#[derive(Debug)]
struct Cursor {
    start: Start,
    reach: Reach,
    sent: Sequence,
    unacked: VecDeque<Sequence>,
}

/// Whether the next page must be sent even when it is empty, so that older rows are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Anew,
    Continued,
}

/// Whether there may be rows after the cursor that no load covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Behind,
    End,
}

/// Whether a page that is being loaded is still for where the cursor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Current,
    Outdated,
}

impl Exchange {
    pub(crate) fn new(folder: FolderId) -> Self {
        Self {
            folder,
            durable: Sequence::default(),
            cursors: BTreeMap::new(),
            loads: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// A peer takes part; it is told what comes after `from`, or everything.
    pub(crate) fn join(&mut self, peer: DeviceId, from: Option<Sequence>) {
        let start = if from.is_some() {
            Start::Continued
        } else {
            Start::Anew
        };
        self.place(peer, start, from.unwrap_or_default());
    }

    /// A peer is away or takes part no longer.
    pub(crate) fn leave(&mut self, peer: DeviceId) {
        self.cursors.remove(&peer);
        self.outdate(peer);
    }

    /// All is told anew, under a new incarnation.
    pub(crate) fn begin_anew(&mut self) {
        let peers: Vec<DeviceId> = self.cursors.keys().copied().collect();
        for peer in peers {
            self.place(peer, Start::Anew, Sequence::default());
        }
    }

    /// How far a peer was told since the start.
    pub(crate) fn told(&self, peer: DeviceId) -> Sequence {
        self.told.get(&peer).copied().unwrap_or_default()
    }

    fn place(&mut self, peer: DeviceId, start: Start, sent: Sequence) {
        let cursor = Cursor {
            start,
            reach: Reach::Behind,
            sent,
            unacked: VecDeque::new(),
        };
        self.cursors.insert(peer, cursor);
        self.outdate(peer);
    }

    fn outdate(&mut self, peer: DeviceId) {
        if let Some(load) = self.loads.get_mut(&peer) {
            *load = Load::Outdated;
        }
    }

    /// Our rows are durable up to here.
    pub(crate) fn durable_up_to(&mut self, sequence: Sequence) {
        if self.durable == sequence {
            return;
        }
        self.durable = sequence;
        for cursor in self.cursors.values_mut() {
            cursor.reach = Reach::Behind;
        }
    }

    /// A peer has made our pages up to here durable.
    pub(crate) fn acked(&mut self, peer: DeviceId, up_to: Sequence) {
        if let Some(cursor) = self.cursors.get_mut(&peer) {
            cursor.unacked.retain(|sent| *sent > up_to);
        }
    }

    /// Asks the store for the next pages, within the window.
    pub(crate) fn advance(&mut self, outbox: &mut Outbox) {
        for (peer, cursor) in &mut self.cursors {
            if cursor.reach == Reach::End
                || self.loads.contains_key(peer)
                || cursor.unacked.len() >= INDEX_PAGES_IN_FLIGHT_MAX
            {
                continue;
            }
            self.loads.insert(*peer, Load::Current);
            // The load shows all that is durable now; what comes later sets this back.
            cursor.reach = Reach::End;
            outbox.store(StoreRequest::LoadIndex {
                folder: self.folder,
                peer: *peer,
                of: IndexOf::Told,
                after: cursor.sent,
                limit: INDEX_PAGE_ENTRIES_MAX,
            });
        }
    }

    /// The store has loaded a page.
    pub(crate) fn loaded(
        &mut self,
        peer: DeviceId,
        incarnation: Incarnation,
        rows: Vec<(Sequence, Entry)>,
        end: PageEnd,
        outbox: &mut Outbox,
    ) {
        let load = self.loads.remove(&peer);
        let Some(cursor) = self.cursors.get_mut(&peer) else {
            return;
        };
        if load != Some(Load::Current) {
            return;
        }
        let loaded = rows.len();
        let rows = within_a_frame(rows);
        if rows.len() < loaded || end == PageEnd::More {
            cursor.reach = Reach::Behind;
        }
        if rows.is_empty() && cursor.start == Start::Continued {
            return;
        }
        let after = cursor.sent;
        let up_to = rows.last().map_or(after, |(sequence, _)| *sequence);
        cursor.start = Start::Continued;
        cursor.sent = up_to;
        cursor.unacked.push_back(up_to);
        let told = self.told.entry(peer).or_default();
        *told = up_to.max(*told);
        let entries = rows.into_iter().map(|(_, entry)| entry).collect();
        let page = IndexPage {
            folder: self.folder,
            incarnation,
            after,
            up_to,
            entries,
        };
        outbox.send(peer, Control::Index(page));
    }

    /// Whether every connected peer has made durable all that there is to tell.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.loads.is_empty()
            && self
                .cursors
                .values()
                .all(|cursor| cursor.reach == Reach::End && cursor.unacked.is_empty())
    }
}

/// As many rows from the front as surely fit into a frame; at least one.
fn within_a_frame(mut rows: Vec<(Sequence, Entry)>) -> Vec<(Sequence, Entry)> {
    let mut bytes = 0;
    let fitting = rows
        .iter()
        .take_while(|(_, entry)| {
            bytes += encoded_bytes_max(entry);
            bytes <= INDEX_PAGE_BYTES_MAX
        })
        .count();
    rows.truncate(fitting.max(1));
    rows
}

/// An upper bound of an entry's encoded length: lengths and numbers take at most 10 bytes each, an
/// actor 32 and 10, a counter 10.
fn encoded_bytes_max(entry: &Entry) -> usize {
    const NUMBER: usize = 10;
    const DOT: usize = 32 + 2 * NUMBER;
    let content = match &entry.content {
        Content::Absent | Content::Directory => 0,
        Content::Symlink { target } => target.as_str().len() + NUMBER,
        Content::File { attributes, .. } => {
            let lengths = attributes.iter().count() * 2 * NUMBER;
            32 + NUMBER + 1 + NUMBER + lengths + attributes.size()
        }
    };
    entry.path.as_str().len() + entry.version.iter().count() * DOT + DOT + content + 4 * NUMBER
}

// --- pages that come in --------------------------------------------------------------------------

/// What to do with a peer's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// It continues what we have.
    Take,
    /// We have all of it; say so again.
    Known(Sequence),
    /// It does not begin where what we have ends.
    Gap,
    /// The peer breaks the protocol.
    Fault,
}

/// Judges a page against what we have of the peer's index.
pub(crate) fn door(page: &IndexPage, have: Option<(Incarnation, Sequence)>) -> Door {
    let ends_late = page.up_to >= page.after;
    let advances = page.up_to > page.after || page.entries.is_empty();
    let honest = page.entries.iter().all(is_honest);
    if page.entries.len() > INDEX_PAGE_ENTRIES_MAX || !ends_late || !advances || !honest {
        return Door::Fault;
    }
    match have {
        Some((incarnation, sequence)) if incarnation == page.incarnation => {
            if page.up_to <= sequence {
                Door::Known(sequence)
            } else if page.after <= sequence {
                Door::Take
            } else {
                Door::Gap
            }
        }
        Some(_) | None if page.after == Sequence::default() => Door::Take,
        Some(_) | None => Door::Gap,
    }
}

/// Writes by one actor at one path that can be true: 2^62. A thousand a second do not get there in a
/// hundred million years, and a count at the end of its range could not be raised by an edit.
pub(crate) const WRITES_MAX: u64 = 1 << 62;

/// Whether an entry can be true: its history knows its author, no count is absurd, and no directory
/// claims a place in the conflict inbox.
fn is_honest(entry: &Entry) -> bool {
    let is_possible = entry.content != Content::Directory || !entry.path.is_in_inbox();
    is_possible
        && entry.author.counter > 0
        && entry.version.knows(entry.author)
        && entry.version.iter().all(|(_, writes)| writes <= WRITES_MAX)
}
