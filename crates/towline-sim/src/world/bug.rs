//! What the named bugs make of inputs, of requests, of frames, and of what a device was.
//!
//! Everything here does nothing in a world without a mutation. Bugs of scans and steps are where
//! scans and steps are; see also [`scan`].

pub(super) mod scan;

use std::time::Duration;

use towline_core::device::{Birth, Device};
use towline_core::io::{DiskEvent, Input, NetworkEvent, Outcome, StoreReply, StoreRequest};
use towline_core::records::{Elsewhere, OurRow, StoreOp};
use towline_wire::entry::{Content, Entry, UnixNanos};
use towline_wire::ids::{DeviceId, Sequence};
use towline_wire::peer::{Control, FolderStatement, IndexPage};
use towline_wire::rel_path::RelPath;

use super::{Told, World};
use crate::mutation::Mutation;
use crate::tree::Node;

/// An hour, in nanoseconds.
const HOUR: i64 = 3_600_000_000_000;

/// What a power cut can take back.
const UNSYNCED_FOR: Duration = Duration::from_secs(3);

/// A step that lies on the disk and is not synced.
#[derive(Debug)]
pub(super) struct Unsynced {
    since: Duration,
    path: RelPath,
    before: Option<Node>,
}

impl World {
    /// Whether a bug is switched in.
    pub(super) fn has(&self, mutation: Mutation) -> bool {
        self.shape.mutation == Some(mutation)
    }

    // --- inputs ----------------------------------------------------------------------------------

    /// What a mutation makes of an input.
    pub(super) fn bent(&mut self, seat: usize, mut input: Input) -> Input {
        let Some(mutation) = self.shape.mutation else {
            return input;
        };
        match (mutation, &mut input) {
            (
                Mutation::ReusedSequence | Mutation::BelievedToHaveAll,
                Input::Network(NetworkEvent::Received(_, _, Control::Folders(statements))),
            ) => self.bend_statements(seat, mutation, statements),
            (
                Mutation::ClockDecides,
                Input::Network(NetworkEvent::Received(_, _, Control::Index(page))),
            ) => self.drop_older(seat, page),
            (
                Mutation::AckBeforeDurable,
                Input::Network(NetworkEvent::Received(peer, _, Control::Index(page))),
            ) => {
                let ack = Control::IndexAck {
                    folder: page.folder,
                    incarnation: page.incarnation,
                    up_to: page.up_to,
                };
                self.send(seat, *peer, ack);
            }
            (Mutation::StaleStamp, Input::Disk(_, DiskEvent::Applied { outcomes, .. })) => {
                for (path, outcome) in outcomes {
                    let there = self.seat(seat).tree.get(path).map(Node::stamp);
                    if let Outcome::Done { stamp, .. } = outcome
                        && stamp.is_some()
                        && there.is_some()
                    {
                        *stamp = there;
                    }
                }
            }
            (Mutation::DeleteForgotten, Input::Store(reply)) => hide_tombstones(reply),
            (Mutation::MoveInvented, Input::Store(StoreReply::Needs { needs, .. })) => {
                for need in needs {
                    need.elsewhere = Elsewhere::Stays;
                }
            }
            (_, _) => {}
        }
        input
    }

    fn bend_statements(&self, seat: usize, mutation: Mutation, statements: &mut [FolderStatement]) {
        let restored = self.seat(seat).shelf.restored();
        for statement in statements {
            let ours = restored
                .folders
                .iter()
                .find(|ours| ours.record.id == statement.folder);
            if let (Some((_, sequence)), Some(ours)) = (&mut statement.have, ours) {
                *sequence = if mutation == Mutation::BelievedToHaveAll {
                    ours.last_sequence
                } else {
                    (*sequence).min(ours.last_sequence)
                };
            }
        }
    }

    fn drop_older(&mut self, seat: usize, page: &mut IndexPage) {
        let folder = page.folder;
        self.seat_mut(seat).shelf.with_rows(folder, |rows| {
            page.entries.retain(|entry| {
                rows.get(&entry.path)
                    .is_none_or(|row| row.entry.mtime <= entry.mtime)
            });
        });
    }

    // --- stores ----------------------------------------------------------------------------------

    /// What a mutation makes of a request to the store.
    pub(super) fn forged(&mut self, mut request: StoreRequest) -> StoreRequest {
        let Some(mutation) = self.shape.mutation else {
            return request;
        };
        let StoreRequest::Persist(_, operations) = &mut request else {
            return request;
        };
        let mut forgotten = None;
        for operation in operations.iter_mut() {
            match (mutation, operation) {
                (Mutation::ForgottenCounter, StoreOp::PutOurRows { rows, .. }) => {
                    for row in rows {
                        forget_counter(&mut row.entry);
                    }
                }
                (Mutation::BudgetNotKept, StoreOp::PutBrakes { brakes, .. }) => brakes.clear(),
                (Mutation::CopyNotTold, StoreOp::PutOurRows { rows, .. }) => {
                    rows.retain(|row| !row.entry.path.as_str().contains(".conflict-"));
                }
                (
                    Mutation::NeedForgotten,
                    StoreOp::PutPeerRows {
                        folder, entries, ..
                    },
                ) => {
                    if let Some(entry) = self.dice.pick(entries) {
                        let paths = vec![entry.path.clone()];
                        let folder = *folder;
                        forgotten = Some(StoreOp::SettleNeeds { folder, paths });
                    }
                }
                (_, _) => {}
            }
        }
        if forgotten.is_some() && self.dice.chance(30) {
            operations.extend(forgotten);
        }
        request
    }

    /// What a crash leaves of a batch that was on its way.
    pub(super) fn half_a_batch(&mut self, seat: usize) {
        if !self.has(Mutation::HalfBatch) {
            return;
        }
        let place = self.seat_mut(seat);
        let Some(StoreRequest::Persist(batch, mut operations)) = place.requests.pop_front() else {
            return;
        };
        for operation in &mut operations {
            match operation {
                StoreOp::PutOurRows { rows, .. } => rows.truncate(rows.len() / 2),
                StoreOp::PutPeerRows { entries, .. } => entries.truncate(entries.len() / 2),
                StoreOp::SettleNeeds { paths, .. } => paths.truncate(paths.len() / 2),
                StoreOp::PutStamps { stamps, .. } => stamps.truncate(stamps.len() / 2),
                StoreOp::PutDeviceName(_)
                | StoreOp::PutDeviceSettings(_)
                | StoreOp::PutBrakes { .. }
                | StoreOp::PutContacts { .. }
                | StoreOp::AddNeeds { .. }
                | StoreOp::RenewNeeds { .. }
                | StoreOp::ForgetStamps { .. }
                | StoreOp::PutDoubt { .. }
                | StoreOp::BeginIncarnation(_)
                | StoreOp::PutPeer(_)
                | StoreOp::RemovePeer(_)
                | StoreOp::PutFolder(_)
                | StoreOp::RemoveFolder(_)
                | StoreOp::ForgetPeerRows { .. } => {}
            }
        }
        place.shelf.reply(StoreRequest::Persist(batch, operations));
    }

    // --- frames ----------------------------------------------------------------------------------

    /// What a mutation makes of a frame on its way out; `None` when it is lost.
    pub(super) fn bent_frame(
        &mut self,
        seat: usize,
        peer: DeviceId,
        mut frame: Control,
    ) -> Option<Control> {
        if let Control::Index(page) = &mut frame {
            if self.has(Mutation::LostTombstone) {
                page.entries
                    .retain(|entry| entry.content != Content::Absent);
            }
            if self.has(Mutation::LostPage) {
                let lost = self.seat_mut(seat).lost_pages.remove(&peer);
                page.after = lost.unwrap_or(page.after);
                if page.after > Sequence::default() && self.dice.chance(20) {
                    self.seat_mut(seat).lost_pages.insert(peer, page.after);
                    return None;
                }
            }
        }
        Some(frame)
    }

    // --- disks -----------------------------------------------------------------------------------

    /// Remembers what lay where a step is carried out.
    pub(super) fn note_unsynced(&mut self, seat: usize, path: &RelPath) {
        if self.has(Mutation::UnsyncedDone) {
            let since = self.now;
            let place = self.seat_mut(seat);
            let before = place.tree.get(path).cloned();
            let path = path.clone();
            place.unsynced.push(Unsynced {
                since,
                path,
                before,
            });
        }
    }

    /// A power cut takes back what was not synced.
    pub(super) fn power_cut(&mut self, seat: usize) {
        let now = self.now;
        let place = self.seat_mut(seat);
        for unsynced in std::mem::take(&mut place.unsynced).into_iter().rev() {
            let is_new = now - unsynced.since < UNSYNCED_FOR;
            if is_new && unsynced.before.is_none() && place.tree.below(&unsynced.path).is_empty() {
                place.tree.remove(&unsynced.path);
            }
        }
    }

    /// A disk whose times are taken for another zone's.
    pub(super) fn shift_times(&mut self, seat: usize) {
        if !self.has(Mutation::LocalTime) || self.seat(seat).run < 2 {
            return;
        }
        let tree = &mut self.seat_mut(seat).tree;
        let all: Vec<(RelPath, Node)> = tree
            .iter()
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect();
        for (path, node) in all {
            tree.rewrite(&path, node.kind, UnixNanos(node.mtime.0 + HOUR));
        }
    }

    // --- devices ---------------------------------------------------------------------------------

    /// Under a mutation: the device is as it was when it had been told only so much.
    pub(crate) fn rewind(&mut self, seat: usize, mark: usize) {
        let place = self.seat_mut(seat);
        let Some(memory) = place.memory.clone() else {
            return;
        };
        let Some(first) = place.first_life.clone() else {
            return;
        };
        let (born, restored) = first;
        let birth = Birth {
            restored,
            ..Self::birth(place, place.birth_seed)
        };
        let mut device = Device::new(born, birth);
        while device.poll_output().is_some() {}
        for (now, told) in memory.into_iter().take(mark) {
            match told {
                Told::Input(input) => device.handle_input(now, input),
                Told::Timeout => device.handle_timeout(now),
            }
            while device.poll_output().is_some() {}
        }
        place.device = Some(device);
        place.due = None;
        self.arm(seat);
    }
}

fn hide_tombstones(reply: &mut StoreReply) {
    let is_live = |row: &OurRow| row.entry.content != Content::Absent;
    match reply {
        StoreReply::Rows(_, rows) => {
            for row in rows {
                *row = row.take().filter(is_live);
            }
        }
        StoreReply::Needs { needs, .. } => {
            for need in needs {
                need.ours = need.ours.take().filter(is_live);
            }
        }
        StoreReply::Index { .. } | StoreReply::Persisted(..) | StoreReply::Broken => {}
    }
}

/// Takes the last write off an entry's history, as if its counter had not been raised.
fn forget_counter(entry: &mut Entry) {
    let author = entry.author;
    if author.counter < 2 || entry.version.counter(author.actor) != author.counter {
        return;
    }
    let counters: Vec<_> = entry
        .version
        .iter()
        .map(|(actor, counter)| {
            (
                actor,
                if actor == author.actor {
                    counter - 1
                } else {
                    counter
                },
            )
        })
        .collect();
    if let Ok(version) = counters.try_into() {
        entry.version = version;
        entry.author.counter -= 1;
    }
}
