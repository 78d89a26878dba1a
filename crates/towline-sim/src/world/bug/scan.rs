//! What the named bugs make of a scan.

use std::collections::BTreeMap;

use towline_core::io::{Found, PageEnd, ScanScope};
use towline_core::records::{DiskStamp, OurRow};
use towline_wire::entry::Content;
use towline_wire::rel_path::RelPath;

use super::super::World;
use super::super::scan::Look;
use crate::mutation::Mutation;
use crate::tree::{Node, Presence, Tree};

/// A scan's bug, if it has one.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct ScanBug(Option<Mutation>);

impl World {
    /// The bug of the present page of a scan.
    pub(in super::super) fn scan_bug(&mut self) -> ScanBug {
        let is_idle = self.has(Mutation::InventedAbsence) && !self.dice.chance(5);
        ScanBug(self.shape.mutation.filter(|_| !is_idle))
    }
}

impl ScanBug {
    /// Whether what a look saw as absent is told without a second look.
    pub(in super::super) fn believes_absence(self) -> bool {
        matches!(
            self.0,
            Some(
                Mutation::InventedAbsence
                    | Mutation::UnreadableIsAbsent
                    | Mutation::UnmountedIsEmpty
            )
        )
    }

    pub(in super::super) fn sees_an_empty_root(self) -> bool {
        self.0 == Some(Mutation::UnmountedIsEmpty)
    }

    /// Changes what a look saw.
    pub(in super::super) fn bend(
        self,
        look: &mut Look,
        scope: &ScanScope,
        tree: &Tree,
        rows: &BTreeMap<RelPath, OurRow>,
        scans: u64,
    ) {
        let Some(mutation) = self.0 else { return };
        let live = || {
            rows.iter()
                .filter(|(_, row)| row.entry.content != Content::Absent)
        };
        match (mutation, tree.presence) {
            (Mutation::InventedAbsence, _) => {
                let invented = live().next().map(|(path, _)| path.clone());
                look.absent
                    .extend(invented.filter(|path| !look.absent.contains(path)));
            }
            (Mutation::UnreadableIsAbsent, _) => {
                let below = live().map(|(path, _)| path);
                let below =
                    below.filter(|path| tree.lock_of(path).is_some_and(|lock| lock != *path));
                look.absent = below.cloned().collect();
            }
            (Mutation::UnmountedIsEmpty, Presence::Away | Presence::Another) => {
                *look = Look {
                    absent: live().map(|(path, _)| path.clone()).collect(),
                    end: Some(PageEnd::End),
                    ..Look::default()
                };
            }
            (Mutation::BlindRescan, _) if scans > 1 && *scope == ScanScope::All => {
                *look = Look::default();
            }
            (Mutation::ChangeTimeIgnored, _) => look.found.retain(|found| {
                let known = rows.get(&found.path).and_then(|row| row.stamp);
                known.is_none_or(|known| without_ctime(known) != without_ctime(found.stamp))
            }),
            (Mutation::CaseFlipUnseen, _) => {
                let is_flipped = |path: &RelPath| tree.twin_in_the_way(path).is_some();
                let flipped = |path: &RelPath| {
                    live().any(|(known, _)| known != path && tree.spelled(known) == *path)
                };
                look.absent.retain(|path| !is_flipped(path));
                look.found.retain(|found| !flipped(&found.path));
            }
            (_, _) => {}
        }
    }

    /// What is told of something that was found, after it was read.
    pub(in super::super) fn after_reading(self, found: Found, tree: &Tree) -> Found {
        if self.0 != Some(Mutation::TornRead) {
            return found;
        }
        let stamp = tree.get(&found.path).map_or(found.stamp, Node::stamp);
        Found { stamp, ..found }
    }
}

fn without_ctime(stamp: DiskStamp) -> DiskStamp {
    DiskStamp {
        ctime: towline_wire::entry::UnixNanos::default(),
        ..stamp
    }
}
