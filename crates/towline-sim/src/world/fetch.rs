//! Bytes on their way: looked for in the own folder first, then asked of one source after the other.
//!
//! A fetch takes time. Its source may leave meanwhile, change the file, say nothing or lie; then the
//! next one is asked. What arrives lies in a temporary file until its step takes the place.

use std::collections::BTreeSet;
use std::time::Duration;

use towline_core::io::Outcome;
use towline_core::records::{DiskStamp, OurRow};
use towline_wire::entry::Content;
use towline_wire::ids::{ContentHash, DeviceId, FolderId};
use towline_wire::rel_path::RelPath;

use super::step::Bytes;
use super::{Event, Eyes, Seat, World};
use crate::mutation::Mutation;
use crate::tree::{Kind, Node, Presence};

/// A fetch under way.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    tried: BTreeSet<DeviceId>,
    asked: Option<Asked>,
    pub(super) temporary: Option<u64>,
}

/// Who is asked at the moment.
#[derive(Debug)]
struct Asked {
    source: usize,
    /// The connection on which the bytes come.
    wire: u64,
    /// What they were read from.
    path: RelPath,
    stamp: DiskStamp,
}

/// What lies at a source.
struct Lying {
    path: RelPath,
    stamp: DiskStamp,
    bytes: Vec<u8>,
}

impl World {
    /// A fetch begins, or what was asked for arrives.
    pub(super) fn fetch(&mut self, seat: usize, apply: u64, number: usize) {
        let Some((folder, step, fetching)) = self.fetching(seat, apply, number) else {
            return;
        };
        let Content::File { hash, .. } = step.content else {
            return;
        };
        let asked = fetching.asked.take();
        let arrived = match &asked {
            None => lying(self.seat_mut(seat), folder, hash).map(|there| there.bytes),
            Some(asked) => self.arrived(seat, folder, hash, asked),
        };
        if let Some(bytes) = arrived {
            self.set_bytes(seat, apply, number, Bytes::There(bytes));
            return self.commit_soon(seat, apply, number, &step.path);
        }
        while let Some(source) = self.next_source(seat, apply, number) {
            let Some(asked) = self.ask_source(seat, source, folder, hash) else {
                continue;
            };
            let wait = if self.dice.chance(self.faults.fetches.slow_percent) {
                self.dice.millis(1000, 20_000)
            } else {
                self.dice.millis(1, 150)
            };
            let place = self.seat_mut(seat);
            place.last_temporary += 1;
            let temporary = place.last_temporary;
            if let Some((_, _, fetching)) = self.fetching(seat, apply, number) {
                fetching.asked = Some(asked);
                let file = *fetching.temporary.get_or_insert(temporary);
                self.seat_mut(seat).tree.temporary.insert(file);
            }
            return self.fetch_in(seat, apply, number, wait);
        }
        self.step_ends(seat, apply, number, |_, _, _, _| Outcome::NoSource);
    }

    pub(super) fn fetch_in(&mut self, seat: usize, apply: u64, step: usize, wait: Duration) {
        let run = self.seat(seat).run;
        self.after(
            wait,
            Event::Fetch {
                seat,
                run,
                apply,
                step,
            },
        );
    }

    /// A source that was not asked yet.
    fn next_source(&mut self, seat: usize, apply: u64, number: usize) -> Option<usize> {
        let (_, step, fetching) = self.fetching(seat, apply, number)?;
        let source = step
            .sources
            .iter()
            .find(|source| !fetching.tried.contains(source))
            .copied()?;
        fetching.tried.insert(source);
        self.seat_of(source)
    }

    /// Asks a source; `None` when it gives nothing.
    fn ask_source(
        &mut self,
        seat: usize,
        source: usize,
        folder: FolderId,
        hash: ContentHash,
    ) -> Option<Asked> {
        let us = self.seat(seat).id;
        let other = self.seat(source);
        let granted = other
            .grants
            .get(&us)
            .is_some_and(|granted| granted.contains(&folder));
        let shown = other.tree.presence == Presence::There && other.eyes == Eyes::Open;
        let wire = self.fetch_wire(seat, source)?;
        if !granted || !shown || self.dice.chance(self.faults.fetches.failing_percent) {
            return None;
        }
        self.work.fetches += 1;
        let Lying { path, stamp, .. } = lying(self.seat_mut(source), folder, hash)?;
        Some(Asked {
            source,
            wire,
            path,
            stamp,
        })
    }

    /// What has come from a source at the end of a fetch; `None` when it is of no use.
    fn arrived(
        &mut self,
        seat: usize,
        folder: FolderId,
        hash: ContentHash,
        asked: &Asked,
    ) -> Option<Vec<u8>> {
        let source = asked.source;
        if self.fetch_wire(seat, source) != Some(asked.wire) {
            return None;
        }
        let tree = &self.seat(source).tree;
        let shown = tree.presence == Presence::There && tree.lock_of(&asked.path).is_none();
        let there = tree.get(&asked.path).filter(|_| shown)?;
        if there.stamp() != asked.stamp {
            // Changed while it was read: the source says so, and the hash would.
            let new = bytes_of(there);
            return new.filter(|_| self.has(Mutation::AnotherVersion));
        }
        let bytes = lying(self.seat_mut(source), folder, hash)?.bytes;
        if self.dice.chance(self.faults.fetches.lying_percent) {
            // What arrived is dropped after its hash was seen.
            let half = bytes.len() / 2;
            let kept = bytes.get(..half).map(<[u8]>::to_vec);
            return kept.filter(|_| self.has(Mutation::UnverifiedBytes));
        }
        Some(bytes)
    }
}

fn bytes_of(node: &Node) -> Option<Vec<u8>> {
    match &node.kind {
        Kind::File { bytes, .. } => Some(bytes.to_vec()),
        Kind::Directory | Kind::Symlink(_) => None,
    }
}

/// Bytes that lie in a folder as a row says. Whoever takes them looks at their hash: what a power cut has
/// left bears the marks of what lay there.
fn lying(seat: &mut Seat, folder: FolderId, hash: ContentHash) -> Option<Lying> {
    let tree = &seat.tree;
    let row_of =
        |row: &OurRow| matches!(row.entry.content, Content::File { hash: of, .. } if of == hash);
    seat.shelf.with_rows(folder, |rows| {
        rows.iter()
            .filter(|(_, row)| row_of(row))
            .find_map(|(path, row)| {
                let node = tree.get(path).filter(|_| tree.lock_of(path).is_none())?;
                let is_true = node.kind.content().same_bytes(&row.entry.content);
                let bytes =
                    bytes_of(node).filter(|_| is_true && row.stamp == Some(node.stamp()))?;
                Some(Lying {
                    path: path.clone(),
                    stamp: node.stamp(),
                    bytes,
                })
            })
    })
}
